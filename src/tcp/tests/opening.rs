//! The handshake (RFC 9293 §3.5), packet by packet.

use std::time::Duration;

use super::wire::{Wire, config, ends};
use crate::journal::{DropReason, TcpState};
use crate::packet::DeliveryError;
use crate::tcp::Config;
use crate::time::Instant;
use crate::transport::{CloseReason, OpenError, SocketError, SocketEvent};

/// RFC 9293 Figure 6, seen from the side that listens. MUST-14: its SYN,ACK has an MSS option; MUST-67: of the MTU less
/// 40 octets of headers.
#[test]
fn a_listener_answers_a_syn_and_the_third_segment_opens() {
    let mut wire = Wire::listening(0, &config());
    wire.log(
        "
        < S  0          <mss 1000>
        > SA 0  ack 1   <mss 1460>   | answer-open
        < A  1  ack 1
        ",
    );
    wire.accept();
    assert_eq!(wire.state(), TcpState::Established);
}

/// RFC 9293 Figure 6, seen from the side that opens. MUST-14, and MUST-65: the MSS option stands in the SYN only.
#[test]
fn an_active_open_sends_a_syn_and_completes_the_handshake() {
    let mut wire = Wire::connecting(&config());
    wire.log(
        "
        > S  0          win 65535  <mss 1460, sackOK, ts 0 -, ws 1>  | active-open
        +20ms
        < SA 0  ack 1              <mss 1000, sackOK, ts 700 0, ws 7>
        > A  1  ack 1              <ts 20 700>                       | complete-open
        ",
    );
    assert_eq!(wire.state(), TcpState::Established);
    let socket = wire.socket();
    assert_eq!(wire.events(), [SocketEvent::Connected(socket), SocketEvent::Writable(socket)]);
    wire.write(10);
    wire.log("> PA 1:11 ack 1 <ts 20 700> | new-data");
}

/// RFC 9293 §3.5, Figure 7. MUST-10.
#[test]
fn two_syns_that_cross_make_one_connection() {
    let mut wire = Wire::connecting(&config());
    wire.log(
        "
        > S  0                      | active-open
        < S  0          <mss 1000>
        > SA 0  ack 1   <mss 1460>  | answer-open
        < SA 0  ack 1   <mss 1000>
        ",
    );
    assert_eq!(wire.state(), TcpState::Established);
}

/// Of two SYNs that crossed, our SYN,ACK may be the one that is lost: the peer's repeated SYN,ACK is answered.
#[test]
fn a_repeated_syn_ack_of_a_simultaneous_open_is_acknowledged() {
    let mut wire = Wire::connecting(&config());
    wire.log(
        "
        > S  0                      | active-open
        < S  0          <mss 1000>
        > SA 0  ack 1               | answer-open
        < SA 0  ack 1   <mss 1000>
        +1s
        < SA 0  ack 1   <mss 1000>
        > A  1  ack 1               | answer-unacceptable
        ",
    );
}

/// MUST-11: a connection in SYN-RECEIVED knows who began it. Reset, a listener's goes back to LISTEN and nobody hears of
/// it; an application's own is refused. packetimpact 20, 21.
#[test]
fn a_reset_in_syn_received_means_what_the_open_was() {
    let mut passive = Wire::listening(0, &config());
    passive.log(
        "
        < S  0                 <mss 1000>
        > SA 0  ack 1          | answer-open
        < R  1
        < A  1  ack 1
        > R  1                 | reset
        ",
    );
    assert!(passive.events().is_empty() && passive.nothing_to_accept() && passive.engine.is_empty());
    passive.log(
        "
        < S  0                 <mss 1000>
        > SA 0  ack 1          | answer-open
        < RA 1  ack 1
        ",
    );

    let mut active = Wire::connecting(&config());
    active.log(
        "
        > S  0                 | active-open
        < S  0                 <mss 1000>
        > SA 0  ack 1          | answer-open
        < RA 1  ack 1
        ",
    );
    let socket = active.socket();
    assert_eq!(active.events(), [SocketEvent::Closed(socket, CloseReason::Refused)]);
}

/// RFC 9293 §3.10.7.4, fifth check; packetimpact 1.
#[test]
fn in_syn_received_only_the_ack_of_our_syn_opens() {
    for ack in [0, 2, 1000, -1] {
        let mut wire = Wire::listening(0, &config());
        wire.log(&format!(
            "
            < S  0                 <mss 1000>
            > SA 0      ack 1      | answer-open
            < A  1      ack {ack}
            > R  {ack}             | reset
            < A  1      ack 1
            "
        ));
        wire.accept();
    }
}

/// RFC 9293 §3.10.7.3: in SYN-SENT the first check is of the ACK, the second of the RST. packetimpact 21.
#[test]
fn in_syn_sent_only_a_reset_that_acknowledges_our_syn_refuses() {
    let mut wire = Wire::connecting(&config());
    wire.log(
        "
        > S  0                 | active-open
        < R  0
        < RA 0      ack 2
        < RA 0      ack 0
        ",
    );
    assert_eq!(wire.state(), TcpState::SynSent);
    wire.log(
        "
        < A  1      ack 2
        > R  2                 | reset
        < SA 0      ack 7
        > R  7                 | reset
        < RA 0      ack 1
        ",
    );
    let socket = wire.socket();
    assert_eq!(wire.events(), [SocketEvent::Closed(socket, CloseReason::Refused)]);
    assert_eq!(wire.try_write(1), Err(SocketError::Ended(CloseReason::Refused)));
}

/// In a simultaneous open the peer may think better of it.
#[test]
fn a_bare_segment_without_syn_is_ignored_in_syn_sent() {
    let mut wire = Wire::connecting(&config());
    wire.log(
        "
        > S  0                 | active-open
        < A  1  ack 1
        < -  1
        < F  1
        ",
    );
    assert_eq!(wire.drops(), [DropReason::MissingAck; 3]);
    assert_eq!(wire.state(), TcpState::SynSent);
}

/// RFC 9293 §3.10.7.2: what a listener does with the rest.
#[test]
fn a_listener_ignores_resets_and_resets_acknowledgments() {
    let mut wire = Wire::listening(0, &config());
    wire.log(
        "
        < R  5
        < A  5  ack 900
        > R  900               | reset
        < SA 5  ack 900
        > R  900               | reset
        < -  5
        < SF 5
        ",
    );
    assert!(wire.engine.is_empty());
}

/// RFC 9293 §3.5.2, §3.10.7.1.
#[test]
fn a_closed_port_resets_everything_but_a_reset() {
    let mut wire = Wire::closed();
    wire.log(
        "
        < S  0
        > RA 0     ack 1       | reset
        < PA 5:10  ack 900
        > R  900               | reset
        < PF 5:10
        > RA 0     ack 11      | reset
        < R  0
        < RA 0     ack 1
        ",
    );
    assert_eq!(wire.drops(), [DropReason::NoConnection; 5]);
}

/// RFC 6298 §2.1, §5.5; MUST-22, MUST-23: back-off for a SYN, too, and three minutes at least before it is given up.
#[test]
fn a_syn_is_sent_again_for_three_minutes_and_then_given_up() {
    let mut wire = Wire::connecting(&config());
    wire.log(
        "
        > S  0      | active-open
        +1s
        > S  0      | retransmit-by-timer
        +2s
        > S  0      | retransmit-by-timer
        +4s
        > S  0      | retransmit-by-timer
        +8s
        > S  0      | retransmit-by-timer
        +16s
        > S  0      | retransmit-by-timer
        +32s
        > S  0      | retransmit-by-timer
        +64s
        > S  0      | retransmit-by-timer
        ",
    );
    let sent = wire.now;
    assert_eq!(wire.until_sent(), None);
    let socket = wire.socket();
    assert_eq!(wire.events(), [SocketEvent::Closed(socket, CloseReason::TimedOut)]);
    assert!(sent.as_nanos() == 127_000_000_000 && wire.now.as_nanos() >= 180_000_000_000, "{}", wire.now);
}

/// MUST-22 for the other SYN.
#[test]
fn a_syn_ack_is_sent_again_and_given_up_in_silence() {
    let mut wire = Wire::listening(0, &config());
    wire.log("< S 0 <mss 1000>\n > SA 0 ack 1 | answer-open");
    for seconds in [1, 2, 4, 8, 16] {
        wire.log(&format!("+{seconds}s\n > SA 0 ack 1 <mss 1460> | retransmit-by-timer"));
    }
    assert_eq!(wire.until_sent(), None);
    assert!(wire.events().is_empty() && wire.engine.is_empty());
}

/// A SYN that comes again: our answer was lost, or is late.
#[test]
fn a_repeated_syn_is_answered_by_the_same_syn_ack() {
    let mut wire = Wire::listening(0, &config());
    wire.log(
        "
        < S  0                 <mss 1000>
        > SA 0      ack 1      | answer-open
        +500ms
        < S  0                 <mss 1000>
        > SA 0      ack 1      | answer-open
        ",
    );
}

/// MUST-8: the clock of initial sequence numbers ticks every four microseconds, so that a later connection between the
/// same ends begins above the earlier one.
#[test]
fn the_next_initial_sequence_number_is_as_much_higher_as_time_has_passed() {
    let first = isn_after(Duration::ZERO);
    assert_eq!(isn_after(Duration::from_secs(4)).wrapping_sub(first), 1_000_000);
}

fn isn_after(span: Duration) -> u32 {
    let mut wire = Wire::closed();
    wire.wait(span);
    wire.connect(&config());
    wire.take_sent()[0].segment.seq.0
}

/// MUST-15: without an MSS option a peer takes 536 octets over IPv4, 1220 over IPv6.
#[test]
fn without_an_mss_option_segments_have_the_default_length() {
    let v6 = ends("[fd00::1]:5000", "[fd00::2]:80");
    for (ends, mss) in [(ends("10.0.0.1:5000", "10.0.0.2:80"), 536), (v6, 1220)] {
        let mut wire = Wire::connecting_between(ends, &config());
        wire.log(
            "
            > S  0             | active-open
            < SA 0  ack 1
            > A  1  ack 1      | complete-open
            ",
        );
        wire.write(mss + 1);
        wire.log(&format!("> A 1:{end} ack 1 | new-data\n > PA {end}:{} ack 1 | new-data", mss + 2, end = mss + 1));
        assert_eq!(wire.snapshot().snd_mss.map(usize::from), Some(mss));
    }
}

/// So it is with an MSS option that says zero: nobody means that.
#[test]
fn an_mss_option_of_zero_says_nothing() {
    let wire = Wire::open_with(&config(), "mss 0");
    assert_eq!(wire.snapshot().snd_mss, Some(536));
}

/// MUST-16: the least of what the peer takes, the path takes and the user allows, less the octets of options.
#[test]
fn the_effective_segment_size_is_the_least_of_all_less_the_options() {
    let cases = [
        ("mss 1000", None, 1000),
        ("mss 9000", None, 1460),
        ("mss 1000, ts 1 -", None, 988),
        ("mss 1000", Some(800), 800),
        ("mss 1000, ts 1 -", Some(800), 788),
    ];
    for (options, max_segment, mss) in cases {
        let wire = Wire::open_with(&Config { max_segment, ..config() }, options);
        assert_eq!(wire.snapshot().snd_mss, Some(mss), "{options} {max_segment:?}");
    }
}

/// MUST-67 over IPv6, whose header is longer, and with a limit of the user's own.
#[test]
fn the_announced_mss_is_what_the_mtu_leaves() {
    let v6 = ends("[fd00::1]:5000", "[fd00::2]:80");
    let mut wire = Wire::connecting_between(v6, &config());
    wire.log("> S 0 <mss 1440, sackOK, ts 0 -, ws 1> | active-open");
    let mut wire = Wire::connecting(&Config { max_segment: Some(700), ..config() });
    wire.log("> S 0 <mss 700, sackOK, ts 0 -, ws 1> | active-open");
}

/// RFC 7323 §2.2, §3.2, RFC 2018 §2: nothing is granted that was not offered.
#[test]
fn a_syn_ack_grants_only_what_the_syn_offers() {
    for (offer, grant) in [
        ("<>", "<mss 1460>"),
        ("<mss 500>", "<mss 1460>"),
        ("<sackOK>", "<mss 1460, sackOK>"),
        ("<ts 7 ->", "<mss 1460, ts 0 7>"),
        ("<ws 3>", "<mss 1460, ws 1>"),
    ] {
        let mut wire = Wire::listening(0, &config());
        wire.log(&format!("< S 0 {offer}\n > SA 0 ack 1 {grant} | answer-open"));
    }
}

/// RFC 7323 §2.2: a window in a SYN is not scaled; that of every later segment is. packetimpact 6: it is the last one of
/// the handshake that counts, and MUST-1: it is unsigned.
#[test]
fn the_window_of_the_handshakes_last_segment_is_scaled_and_unsigned() {
    let mut wire = Wire::listening(0, &config());
    wire.log(
        "
        < S  0        win 40000   <mss 1000, ws 4>
        > SA 0 ack 1              | answer-open
        < A  1 ack 1  win 40000
        ",
    );
    wire.accept();
    assert_eq!(wire.snapshot().snd_wnd, Some(640_000));
    let mut wire = Wire::connecting(&config());
    wire.log(
        "
        > S  0                    | active-open
        < SA 0 ack 1  win 40000   <mss 1000, ws 4>
        > A  1 ack 1              | complete-open
        ",
    );
    assert_eq!(wire.snapshot().snd_wnd, Some(40_000));
}

/// RFC 7323 §2.2, §2.3: the least shift that lets the buffer be announced, or what the user wants, 14 at most.
#[test]
fn the_shift_that_is_offered_follows_the_buffer_or_the_user() {
    for (receive_buffer, window_scale, shift) in
        [(65_535, None, 0), (1 << 20, None, 5), (1 << 20, Some(3), 3), (1000, Some(20), 14)]
    {
        let mut wire = Wire::connecting(&Config { receive_buffer, window_scale, ..config() });
        wire.log(&format!("> S 0 <mss 1460, sackOK, ts 0 -, ws {shift}> | active-open"));
    }
}

/// RFC 7323 §2.3: a shift beyond 14 counts as 14.
#[test]
fn a_shift_beyond_fourteen_is_used_as_fourteen() {
    let mut wire = Wire::open_with(&config(), "mss 1000, ws 200");
    wire.log("< A 1 ack 1 win 3");
    assert_eq!(wire.snapshot().snd_wnd, Some(3 << 14));
}

/// RFC 9293 §3.10.2, §3.10.3 in SYN-SENT: what is sent waits there; packetimpact 14.
#[test]
fn what_is_sent_before_the_connection_is_open_waits_for_it() {
    let mut wire = Wire::connecting(&config());
    wire.log("> S 0 | active-open");
    wire.write(100);
    assert_eq!(wire.try_read(&mut [0; 10]), Ok(None));
    wire.log(
        "
        < SA 0     ack 1    <mss 1000>
        > PA 1:101 ack 1    | new-data
        ",
    );
}

/// The reset's side of packetimpact 14.
#[test]
fn what_waits_for_a_connection_that_is_refused_is_refused() {
    let mut wire = Wire::connecting(&config());
    wire.log("> S 0 | active-open");
    wire.write(100);
    wire.log("< RA 0 ack 1");
    assert_eq!(wire.try_read(&mut [0; 10]), Err(SocketError::Ended(CloseReason::Refused)));
    assert_eq!(wire.try_write(1), Err(SocketError::Ended(CloseReason::Refused)));
}

/// RFC 9293 §3.9.2.2; packetimpact 2, 10: while a connection opens there is nothing to lose, and a report ends it.
#[test]
fn a_report_of_an_unreachable_peer_fails_an_opening_connection() {
    let mut wire = Wire::connecting(&config());
    wire.log("> S 0 | active-open");
    wire.undelivered(0, DeliveryError::HostUnreachable);
    let socket = wire.socket();
    let reason = CloseReason::Unreachable(DeliveryError::HostUnreachable);
    assert_eq!(wire.events(), [SocketEvent::Closed(socket, reason)]);
    wire.log("< A 1 ack 1\n > R 1 | reset");
}

/// RFC 5927 §4.1: whoever has not seen our SYN cannot know its number.
#[test]
fn a_report_about_a_syn_that_was_never_sent_is_forged() {
    let mut wire = Wire::connecting(&config());
    wire.log("> S 0 | active-open");
    wire.undelivered(1, DeliveryError::HostUnreachable);
    wire.undelivered(-1, DeliveryError::HostUnreachable);
    assert_eq!(wire.drops(), [DropReason::ForgedIcmp; 2]);
    assert_eq!(wire.state(), TcpState::SynSent);
}

/// RFC 9293 §3.10.4: a CLOSE in SYN-RECEIVED queues a FIN that follows the handshake; in SYN-SENT it takes all back.
#[test]
fn a_close_before_the_connection_is_open() {
    let mut wire = Wire::connecting(&config());
    wire.log("> S 0 | active-open\n < S 0 <mss 1000>\n > SA 0 ack 1 | answer-open");
    wire.shutdown();
    assert_eq!(wire.state(), TcpState::SynReceived);
    wire.log("< A 1 ack 1\n > FA 1 ack 1 | close");
    assert_eq!(wire.state(), TcpState::FinWait1);

    let mut wire = Wire::connecting(&config());
    wire.log("> S 0 | active-open");
    wire.close();
    assert!(wire.engine.is_empty());
    wire.log("< SA 0 ack 1\n > R 1 | reset");
}

/// MUST-41: a listener and its connections do not touch those that are there.
#[test]
fn a_new_connection_does_not_disturb_another() {
    let mut wire = Wire::listening(3, &config());
    wire.handshake("mss 1000");
    let before = wire.snapshot();
    wire.peer_port(4001);
    wire.log("< S 0 <mss 500>\n > SA 0 ack 1 | answer-open\n < R 1");
    assert_eq!(wire.snapshot(), before);
}

/// MUST-42: listeners share a port when their addresses differ, and each gets its own peers. MUST-43: an open names its
/// local address.
#[test]
fn listeners_on_one_port_with_differing_addresses_get_along() {
    let mut wire = Wire::listening(0, &config());
    let other = "10.0.0.9:80".parse().expect("an address");
    let second = wire.engine.listen(other, 0, &config());
    assert!(second.is_ok());
    assert_eq!(wire.engine.listen(other, 0, &config()), Err(OpenError::AddressInUse(other)));
    wire.handshake("mss 1000");
    wire.ends = ends("10.0.0.9:80", "10.0.0.2:4000");
    wire.log("< S 0 <mss 1000>\n > SA 0 ack 1 | answer-open\n < A 1 ack 1");
    assert!(wire.nothing_to_accept());
    assert!(wire.engine.accept(second.expect("it listens")).is_some());
}

/// The ends of a connection name it: no second one can have them.
#[test]
fn the_same_ends_cannot_be_opened_twice() {
    let mut wire = Wire::connecting(&config());
    wire.log("> S 0 | active-open");
    let again = wire.engine.connect(wire.now, wire.ends.local, wire.ends.remote, &config());
    assert_eq!(again, Err(OpenError::AddressInUse(wire.ends.local)));
}

/// packetimpact 9: as in Linux a backlog of one lets two wait; a third SYN finds no room and is dropped in silence.
#[test]
fn a_full_backlog_drops_the_next_syn() {
    let mut wire = Wire::listening(1, &config());
    for port in [4001, 4002] {
        wire.peer_port(port);
        wire.log("< S 0 <mss 1000>\n > SA 0 ack 1 | answer-open\n < A 1 ack 1");
    }
    wire.peer_port(4003);
    wire.log("< S 0 <mss 1000>");
    assert_eq!(wire.drops().last(), Some(&DropReason::BacklogFull));
    wire.accept();
    wire.peer_port(4003);
    wire.log("+1s\n < S 0 <mss 1000>\n > SA 0 ack 1 | answer-open");
}

/// packetimpact 11: what was not accepted is reset with its listener, open or still opening.
#[test]
fn closing_a_listener_resets_what_nobody_accepted() {
    let mut wire = Wire::listening(1, &config());
    wire.log("< S 0 <mss 1000>\n > SA 0 ack 1 | answer-open\n < A 1 ack 1");
    wire.peer_port(4001);
    wire.log("< S 0 <mss 1000>\n > SA 0 ack 1 | answer-open");
    wire.close_listener();
    let resets: Vec<_> = wire.take_sent().iter().map(|sent| (sent.ends.remote.port(), sent.segment.flags)).collect();
    let reset = crate::packet::TcpFlags(0x14);
    assert_eq!(resets, [(4000, reset), (4001, reset)]);
    assert!(wire.engine.is_empty());
}

/// A SYN may bring data (RFC 9293 §3.4). As in Linux it is left for the peer to send again once the connection is open.
#[test]
fn data_in_a_syn_is_left_for_later() {
    let mut wire = Wire::listening(0, &config());
    wire.log(
        "
        < SP 0:10           <mss 1000>
        > SA 0     ack 1    | answer-open
        < A  1     ack 1
        < PA 1:11  ack 1
        > A  1     ack 11   | acknowledge
        ",
    );
    wire.accept();
    assert_eq!(wire.read(), 10);
}

/// RFC 9293 §3.10.7.4: the segment that opens the connection may bring data and FIN.
#[test]
fn the_third_segment_may_bring_data_and_fin() {
    let mut wire = Wire::listening(0, &config());
    wire.log(
        "
        < S   0               <mss 1000>
        > SA  0      ack 1    | answer-open
        < FPA 1:11   ack 1
        > A   1      ack 12   | acknowledge-close
        ",
    );
    wire.accept();
    assert_eq!((wire.read(), wire.state()), (10, TcpState::CloseWait));
}

/// Whoever repeats its SYN has not heard our answer, also when data comes with it.
#[test]
fn a_syn_with_data_that_comes_again_is_answered_again() {
    let mut wire = Wire::listening(0, &config());
    wire.log(
        "
        < S  0:10             <mss 1000>
        > SA 0      ack 1     | answer-open
        < S  0:10             <mss 1000>
        > SA 0      ack 1     | answer-open
        < A  1:11   ack 1
        > A  1      ack 11    | acknowledge
        ",
    );
    wire.accept();
    assert_eq!(wire.read(), 10);
}

/// RFC 9293 §3.10.8: the user's patience bounds any state, the opening of a connection included.
#[test]
fn a_user_who_has_no_patience_does_not_wait_for_every_syn() {
    let patience = Duration::from_secs(5);
    let mut wire = Wire::connecting(&Config { user_timeout: Some(patience), ..config() });
    let mut syns = 0;
    loop {
        syns += wire.take_sent().len();
        if wire.until_sent().is_none() {
            break;
        }
    }
    let socket = wire.socket();
    assert_eq!(wire.events().last(), Some(&SocketEvent::Closed(socket, CloseReason::TimedOut)));
    assert_eq!((syns, wire.now), (3, Instant::ZERO + patience));
}

/// … and once it is open, that patience has been rewarded.
#[test]
fn patience_for_the_opening_ends_with_it() {
    let mut wire = Wire::connecting(&Config { user_timeout: Some(Duration::from_secs(5)), ..config() });
    wire.log("> S 0 | active-open\n < SA 0 ack 1 <mss 1000>\n > A 1 ack 1 | complete-open\n +10min");
    assert_eq!(wire.state(), TcpState::Established);
}

/// RFC 9293 §3.10.7.3: so may the SYN,ACK; its data and FIN stand behind the SYN.
#[test]
fn the_second_segment_may_bring_data_and_fin() {
    let mut wire = Wire::connecting(&config());
    wire.log("> S 0 | active-open\n < SFPA 0:10 ack 1 <mss 1000>\n > A 1 ack 12 | complete-open");
    assert_eq!((wire.read(), wire.state()), (10, TcpState::CloseWait));
}
