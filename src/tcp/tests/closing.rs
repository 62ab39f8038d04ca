//! How connections end (RFC 9293 §3.6, §3.10.4, §3.10.5), and what TIME-WAIT is for.

use std::time::Duration;

use super::wire::{Wire, config};
use crate::journal::TcpState;
use crate::tcp::Config;
use crate::transport::{CloseReason, SocketError, SocketEvent, SocketOption};

/// A connection that we closed first, with the peer's answer taken: it is in TIME-WAIT.
fn in_time_wait(config: &Config, options: &str, stamp: &str) -> Wire {
    let mut wire = Wire::open_with(config, options);
    wire.close();
    wire.log(&format!(
        "
        > FA 1   ack 1            | close
        < FA 1   ack 2  {stamp}
        > A  2   ack 2            | acknowledge-close
        "
    ));
    wire.events();
    wire
}

/// RFC 9293 Figure 12, the side that closes first. MUST-13: it waits twice the maximum segment lifetime.
#[test]
fn who_closes_first_waits() {
    let mut wire = Wire::open();
    wire.close();
    wire.log("> FA 1 ack 1 | close");
    assert_eq!(wire.state(), TcpState::FinWait1);
    wire.log("< A 1 ack 2");
    assert_eq!(wire.state(), TcpState::FinWait2);
    wire.log("< FA 1 ack 2\n > A 2 ack 2 | acknowledge-close");
    assert_eq!(wire.state(), TcpState::TimeWait);
    wire.log("+59s");
    assert_eq!(wire.state(), TcpState::TimeWait);
    wire.log("+1s");
    assert!(wire.engine.is_empty());
}

/// RFC 9293 Figure 12, the other side.
#[test]
fn who_closes_last_is_done_at_once() {
    let mut wire = Wire::open();
    wire.log("< FA 1 ack 1\n > A 1 ack 2 | acknowledge-close");
    assert_eq!(wire.state(), TcpState::CloseWait);
    wire.close();
    wire.log("> FA 1 ack 2 | close");
    assert_eq!(wire.state(), TcpState::LastAck);
    wire.log("< A 2 ack 2");
    assert!(wire.engine.is_empty());
}

/// RFC 9293 Figure 13.
#[test]
fn both_may_close_at_once() {
    let mut wire = Wire::open();
    wire.close();
    wire.log(
        "
        > FA 1   ack 1    | close
        < FA 1   ack 1
        > A  2   ack 2    | acknowledge-close
        ",
    );
    assert_eq!(wire.state(), TcpState::Closing);
    wire.log("< A 2 ack 2");
    assert_eq!(wire.state(), TcpState::TimeWait);
}

/// RFC 9293 §3.10.7.4, eighth check, FIN-WAIT-1.
#[test]
fn a_fin_that_acknowledges_ours_leads_straight_to_time_wait() {
    let mut wire = Wire::open();
    wire.close();
    wire.log("> FA 1 ack 1 | close\n < FA 1 ack 2\n > A 2 ack 2 | acknowledge-close");
    assert_eq!(wire.state(), TcpState::TimeWait);
}

/// RFC 9293 §3.6: a connection may be closed on one side only, for as long as both like.
#[test]
fn a_half_closed_connection_still_carries_data() {
    let mut wire = Wire::open();
    wire.shutdown();
    assert_eq!(wire.try_write(1), Err(SocketError::ShutDown));
    wire.log(
        "
        > FA 1      ack 1    | close
        < A  1      ack 2
        +10min
        < PA 1:101  ack 2
        > A  2      ack 101  | acknowledge
        ",
    );
    assert_eq!(wire.read(), 100);

    let mut wire = Wire::open();
    wire.log("< FA 1 ack 1\n > A 1 ack 2 | acknowledge-close\n +10min");
    wire.write(100);
    wire.log("> PA 1:101 ack 2 | new-data\n < A 2 ack 101");
}

/// MUST-12: the reader can tell the end of the stream from an abort, and what came before either is still read.
#[test]
fn the_application_can_tell_a_close_from_an_abort() {
    let mut wire = Wire::open();
    wire.log("< FPA 1:11 ack 1\n > A 1 ack 12 | acknowledge-close");
    assert_eq!((wire.read(), wire.try_read(&mut [0; 1])), (10, Ok(Some(0))));

    let mut wire = Wire::open();
    wire.log("< PA 1:11 ack 1\n > A 1 ack 11 | acknowledge\n < R 11");
    let reset = Err(SocketError::Ended(CloseReason::Reset));
    assert_eq!((wire.read(), wire.try_read(&mut [0; 1])), (10, reset));
    let socket = wire.socket();
    assert_eq!(wire.events().last(), Some(&SocketEvent::Closed(socket, CloseReason::Reset)));
}

/// SHLD-3: a close with octets that nobody has read is a reset, for the peer believes that they were.
#[test]
fn closing_with_unread_data_resets() {
    let mut wire = Wire::open();
    wire.log("< PA 1:11 ack 1\n > A 1 ack 11 | acknowledge");
    wire.close();
    wire.log("> RA 1 ack 11 | abort");
    assert!(wire.engine.is_empty());
}

/// RFC 9293 §3.6.1: data for a socket that nobody holds any more is answered by a reset.
#[test]
fn data_after_a_close_is_reset() {
    let mut wire = Wire::open();
    wire.close();
    wire.log(
        "
        > FA 1      ack 1    | close
        < A  1      ack 2
        < PA 1:11   ack 2
        > R  2               | reset
        ",
    );
    assert!(wire.engine.is_empty());
}

/// packetimpact 5: with nobody to hear it, FIN-WAIT-2 does not last for ever (Linux's TCP_LINGER2); what comes then is
/// reset.
#[test]
fn an_abandoned_fin_wait_2_ends() {
    let mut wire = Wire::open();
    wire.set(SocketOption::FinWait2(Duration::from_secs(5)));
    wire.close();
    wire.log("> FA 1 ack 1 | close\n < A 1 ack 2\n +5s");
    assert!(wire.engine.is_empty());
    wire.log("< FA 1 ack 2\n > R 2 | reset");
}

/// packetimpact 5: while the socket is held FIN-WAIT-2 lasts; its time begins when the socket is given up.
#[test]
fn fin_wait_2_of_a_held_socket_lasts() {
    let mut wire = Wire::open();
    wire.shutdown();
    wire.log("> FA 1 ack 1 | close\n < A 1 ack 2\n +60min");
    assert_eq!(wire.state(), TcpState::FinWait2);
    wire.close();
    wire.log("+60s");
    assert!(wire.engine.is_empty());
}

/// RFC 9293 §3.10.5; packetimpact 8: an abort (SO_LINGER with no time) is a reset at once where the peer knows us, and
/// silence where it does not. What was queued is lost.
#[test]
fn an_abort_resets_where_the_peer_knows_us() {
    let mut wire = Wire::open();
    wire.log("< A 1 ack 1 win 0");
    wire.write(100);
    wire.abort();
    wire.log("> RA 1 ack 1 | abort");
    assert!(wire.engine.is_empty());

    let mut wire = Wire::open();
    wire.log("< FA 1 ack 1\n > A 1 ack 2 | acknowledge-close");
    wire.abort();
    wire.log("> RA 1 ack 2 | abort");

    let mut wire = Wire::connecting(&config());
    wire.log("> S 0 | active-open");
    wire.abort();
    assert!(wire.engine.is_empty());

    let mut wire = in_time_wait(&config(), "mss 1000", "");
    wire.abort();
    assert!(wire.engine.is_empty());
}

/// RFC 9293 §3.10.5: a reset that follows data in flight stands after it, where the peer expects it.
#[test]
fn the_reset_of_an_abort_hits_what_the_peer_expects() {
    let mut wire = Wire::open();
    wire.write(100);
    wire.log("> PA 1:101 ack 1 | new-data");
    wire.abort();
    wire.log("> RA 101 ack 1 | abort");
}

/// RFC 9293 §3.10.7.4, eighth check: in TIME-WAIT only the peer's FIN can come, again, when our ACK was lost; it is
/// acknowledged, and the wait begins anew.
#[test]
fn a_fin_in_time_wait_restarts_the_wait() {
    let mut wire = in_time_wait(&config(), "mss 1000", "");
    wire.log(
        "
        +59s
        < FA 1   ack 2
        > A  2   ack 2           | answer-unacceptable
        +59s
        ",
    );
    assert_eq!(wire.state(), TcpState::TimeWait);
    wire.log("+1s");
    assert!(wire.engine.is_empty());
}

/// packetimpact 22: a reset ends TIME-WAIT, unless it is to be protected (RFC 1337 §3, fix F1).
#[test]
fn a_reset_ends_time_wait_unless_it_is_protected() {
    let mut wire = in_time_wait(&config(), "mss 1000", "");
    wire.log("< R 2");
    assert!(wire.engine.is_empty());
    let mut wire = in_time_wait(&Config { protect_time_wait: true, ..config() }, "mss 1000", "");
    wire.log("< R 2");
    assert_eq!(wire.state(), TcpState::TimeWait);
}

/// RFC 9293 §3.6.1: a SYN above everything of the old connection opens a new one, whose own number is above the old's.
#[test]
fn a_newer_syn_takes_over_from_time_wait() {
    let mut wire = in_time_wait(&config(), "mss 1000", "");
    let old = wire.socket();
    let last = wire.snapshot().snd_nxt.expect("known");
    wire.peer_iss += 70_000;
    wire.receive("S 0 <mss 1000>");
    let sent = wire.take_sent();
    // As Linux has it: above the whole of any window that the old connection could have had.
    assert!(sent[0].segment.flags.syn());
    assert_eq!(sent[0].segment.seq.offset_from(last), 65_535 + 2);
    wire.log("< A 1 ack 1");
    wire.accept();
    assert!(wire.socket() != old && wire.state() == TcpState::Established);
    assert_eq!(wire.engine.len(), 1);
}

/// Only a plain SYN asks for a new connection, however new the segment.
#[test]
fn nothing_but_a_syn_takes_over_from_time_wait() {
    for segment in ["SA 9000 ack 2", "SR 9000", "A 9000 ack 2", "- 9000", "A 90000 ack 2"] {
        let mut wire = in_time_wait(&config(), "mss 1000", "");
        wire.receive(segment);
        wire.take_sent();
        assert_eq!(wire.state(), TcpState::TimeWait, "{segment}");
    }
}

/// An old SYN is a ghost: it is answered like any segment that does not fit.
#[test]
fn an_old_syn_does_not_disturb_time_wait() {
    let mut wire = in_time_wait(&config(), "mss 1000", "");
    wire.log("< S -70000 <mss 1000>\n > A 2 ack 2 | answer-unacceptable");
    assert_eq!(wire.state(), TcpState::TimeWait);
}

/// RFC 6191 §2: timestamps tell old from new better than numbers do.
#[test]
fn timestamps_decide_what_is_newer_in_time_wait() {
    let mut wire = in_time_wait(&config(), "mss 1000, ts 500 -", "<ts 500 0>");
    wire.log("< S 9000 <mss 1000, ts 400 ->\n > A 2 ack 2 | answer-unacceptable");
    assert_eq!(wire.state(), TcpState::TimeWait);
    wire.peer_iss = wire.peer_iss - 5000;
    wire.log("< S 0 <mss 1000, ts 600 ->\n > SA 0 ack 1 | answer-open");
}

/// RFC 6191 §2, RFC 9293 §3.6.1: with equal stamps the number decides.
#[test]
fn numbers_decide_what_is_newer_when_timestamps_are_equal() {
    let mut wire = in_time_wait(&config(), "mss 1000, ts 500 -", "<ts 500 0>");
    wire.log("< S -9000 <mss 1000, ts 500 ->\n > A 2 ack 2 | answer-unacceptable");
    wire.peer_iss += 9000;
    wire.log("< S 0 <mss 1000, ts 500 ->\n > SA 0 ack 1 | answer-open");
}

/// RFC 7323 §5.5: after more than 24 days without a stamp of the peer's an old one says nothing, and the number decides.
#[test]
fn stamps_of_long_ago_do_not_decide_what_is_newer() {
    let days = Duration::from_secs(24 * 24 * 3600);
    for (silence, is_taken) in [(days, false), (days + Duration::from_millis(1), true)] {
        let mut wire = Wire::open_with(&config(), "mss 1000, ts 500 -");
        wire.wait(silence);
        wire.close();
        wire.log("> FA 1 ack 1 | close\n < FA 1 ack 2\n > A 2 ack 2 | acknowledge-close");
        wire.receive("S 9000 <mss 1000, ts 400 ->");
        assert_eq!(wire.take_sent()[0].segment.flags.syn(), is_taken);
    }
}

/// RFC 9293 §3.10.7.4, second check: a reset in TIME-WAIT ends what had ended in order.
#[test]
fn a_reset_in_time_wait_is_an_end_in_order() {
    let mut wire = Wire::open();
    wire.shutdown();
    wire.log("> FA 1 ack 1 | close\n < FPA 1:11 ack 2\n > A 2 ack 12 | acknowledge-close\n < R 12");
    let socket = wire.socket();
    assert_eq!(wire.events().last(), Some(&SocketEvent::Closed(socket, CloseReason::Finished)));
    assert_eq!((wire.read(), wire.try_read(&mut [0; 1])), (10, Ok(Some(0))));
}

/// Without a listener nothing takes over, and TIME-WAIT goes on.
#[test]
fn time_wait_stays_when_nobody_listens() {
    let mut wire = Wire::connecting(&config());
    wire.log("> S 0 | active-open\n < SA 0 ack 1 <mss 1000>\n > A 1 ack 1 | complete-open");
    wire.close();
    wire.log(
        "
        > FA 1   ack 1                  | close
        < FA 1   ack 2
        > A  2   ack 2                  | acknowledge-close
        < S  9000          <mss 1000>
        > A  2   ack 2                  | challenge
        ",
    );
    assert_eq!(wire.state(), TcpState::TimeWait);
}

/// A reset before our FIN is acknowledged: nobody knows whether the last data arrived, and the application hears of it.
#[test]
fn a_reset_in_last_ack_is_no_end_in_order() {
    let mut wire = Wire::open();
    wire.log("< FA 1 ack 1\n > A 1 ack 2 | acknowledge-close");
    wire.shutdown();
    wire.log("> FA 1 ack 2 | close\n < R 2");
    let socket = wire.socket();
    assert_eq!(wire.events().last(), Some(&SocketEvent::Closed(socket, CloseReason::Reset)));
}

/// A connection that nobody holds is not kept alive for its last octets as long as others are.
#[test]
fn an_abandoned_connection_is_given_up_earlier() {
    let mut wire = Wire::open();
    wire.write(100);
    wire.close();
    wire.log("> PA 1:101 ack 1 | new-data\n > FA 101 ack 1 | close");
    let mut again = 0;
    while wire.until_sent().is_some() {
        again += wire.take_sent().len();
    }
    assert_eq!((again, wire.engine.len()), (8, 0));
}

/// MUST-13: who closed first waits in TIME-WAIT, also when the application did not read all before it let go.
#[test]
fn unread_data_does_not_cut_time_wait_short() {
    let mut wire = Wire::open();
    wire.shutdown();
    wire.log(
        "
        > FA  1      ack 1      | close
        < FPA 1:11   ack 2
        > A   2      ack 12     | acknowledge-close
        ",
    );
    wire.close();
    assert_eq!(wire.state(), TcpState::TimeWait);
    wire.log("< FPA 1:11 ack 2\n > A 2 ack 12 | answer-unacceptable");
    wire.log("+60s");
    assert!(wire.engine.is_empty());
}

/// SHLD-3: also while our FIN is under way the peer must know that what it sent was not read.
#[test]
fn unread_data_resets_also_after_both_have_closed() {
    let mut last_ack = Wire::open();
    last_ack.log("< FPA 1:11 ack 1\n > A 1 ack 12 | acknowledge-close");
    last_ack.shutdown();
    last_ack.log("> FA 1 ack 12 | close");
    last_ack.close();
    last_ack.log("> RA 2 ack 12 | abort");
    assert!(last_ack.engine.is_empty());

    let mut closing = Wire::open();
    closing.shutdown();
    closing.log("> FA 1 ack 1 | close\n < FPA 1:11 ack 1\n > A 2 ack 12 | acknowledge-close");
    closing.close();
    closing.log("> RA 2 ack 12 | abort");
    assert!(closing.engine.is_empty());
}
