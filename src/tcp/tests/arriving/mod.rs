//! A segment arrives at an open connection: RFC 9293 §3.10.7.4, check by check, with what RFC 5961 adds. What comes out of
//! order stands in [`gaps`], what RFC 7323 adds in [`timestamps`].

mod gaps;
mod timestamps;

use super::wire::{Wire, config};
use crate::journal::{DropReason, TcpState};
use crate::tcp::Config;
use crate::transport::{CloseReason, SocketEvent};

/// First check; packetimpact 12, 23: what lies outside the window is answered by an ACK that says what is expected.
#[test]
fn data_outside_the_window_is_refused_and_answered() {
    for seq in [70_000, -2000] {
        let mut wire = Wire::open();
        wire.log(&format!(
            "
            < PA {seq}:{}  ack 1
            > A  1         ack 1    | answer-unacceptable
            ",
            seq + 100
        ));
        assert_eq!((wire.read(), wire.state()), (0, TcpState::Established));
    }
}

/// packetimpact 23 in CLOSE-WAIT and after our own close.
#[test]
fn an_unacceptable_segment_changes_no_state() {
    let mut wire = Wire::open();
    wire.log(
        "
        < FA 1        ack 1
        > A  1        ack 2    | acknowledge-close
        < A  90000    ack 1
        > A  1        ack 2    | answer-unacceptable
        ",
    );
    assert_eq!(wire.state(), TcpState::CloseWait);
    wire.shutdown();
    wire.log(
        "
        > FA 1        ack 2    | close
        +1ms
        < A  90000    ack 2
        ",
    );
    assert_eq!(wire.state(), TcpState::LastAck);
}

/// What reaches into the window from either side is cut to fit.
#[test]
fn a_segment_is_trimmed_to_the_window() {
    let mut wire = Wire::open_with(&Config { receive_buffer: 4000, ..config() }, "mss 1000");
    wire.log(
        "
        < A  1:1001     ack 1
        > A  1          ack 1001   | acknowledge
        < A  501:1501   ack 1
        > A  1          ack 1501   | acknowledge
        < A  1501:4501  ack 1
        > A  1          ack 4001  win 0  | acknowledge
        ",
    );
    assert_eq!(wire.read(), 4000);
    wire.take_sent();
}

/// Second check, RFC 5961 §3.2: only a reset that hits RCV.NXT exactly resets; one elsewhere in the window is challenged,
/// one outside is ignored.
#[test]
fn a_reset_must_hit_the_next_octet_exactly() {
    let mut wire = Wire::open();
    wire.log(
        "
        < R  2
        > A  1  ack 1          | challenge
        < R  65000
        < R  90000
        < R  0
        ",
    );
    let blind = DropReason::BlindReset;
    assert_eq!(wire.drops(), [blind, blind, DropReason::OutsideWindow, DropReason::Duplicate]);
    wire.log("< R 1");
    let socket = wire.socket();
    assert_eq!(wire.events(), [SocketEvent::Closed(socket, CloseReason::Reset)]);
}

/// Fourth check, RFC 5961 §4.2: a SYN is challenged, wherever it stands; a peer that has restarted answers with a reset.
#[test]
fn a_syn_on_an_open_connection_is_challenged() {
    let mut wire = Wire::open();
    wire.log(
        "
        < S  5000
        > A  1       ack 1     | challenge
        < R  1
        ",
    );
    assert_eq!(wire.state(), TcpState::Closed);
    let mut wire = Wire::open();
    wire.log(
        "
        < S  900000
        > A  1       ack 1     | answer-unacceptable
        ",
    );
    assert_eq!(wire.state(), TcpState::Established);
}

/// Fifth check: every segment of an open connection acknowledges. packetimpact's and packetdrill's segment without flags.
#[test]
fn a_segment_without_ack_is_dropped() {
    let mut wire = Wire::open();
    wire.log("< P 1:101\n < - 1:101\n < F 1");
    assert_eq!(wire.drops(), [DropReason::MissingAck; 3]);
    assert_eq!((wire.read(), wire.state()), (0, TcpState::Established));
}

/// Fifth check, RFC 5961 §5.2: what acknowledges the future, or a past before any window, is a guess, and its data is
/// not taken.
#[test]
fn an_ack_of_what_was_never_sent_is_challenged_and_its_data_is_refused() {
    for ack in [2, 1_000_000, -70_000] {
        let mut wire = Wire::open();
        wire.log(&format!("< PA 1:101 ack {ack}\n > A 1 ack 1 | challenge"));
        assert_eq!((wire.read(), wire.state()), (0, TcpState::Established), "ack {ack}");
    }
}

/// An old acknowledgment may still bring new data (RFC 5961 §5.2: down to SND.UNA less the greatest window).
#[test]
fn an_old_ack_may_still_bring_data() {
    let mut wire = Wire::open();
    wire.write(100);
    wire.log(
        "
        > PA 1:101  ack 1      | new-data
        < A  1      ack 101
        < PA 1:11   ack 1
        > A  101    ack 11     | acknowledge
        ",
    );
}

#[test]
fn each_challenge_cites_the_section_that_asks_for_it() {
    for (guess, section) in
        [("R 2", "RFC 5961 §3.2"), ("S 5000", "RFC 5961 §4.2"), ("A 1 ack 1000000", "RFC 5961 §5.2")]
    {
        let mut wire = Wire::open();
        wire.receive(guess);
        let sent = wire.take_sent();
        let why: Vec<_> = sent.iter().map(|departure| (departure.why.reason.name(), departure.why.section)).collect();
        assert_eq!(why, [("challenge", section)], "{guess}");
    }
}

/// RFC 5961 §7: challenges are rationed, so that they are no amplifier and no oracle.
#[test]
fn challenges_come_at_most_every_half_second() {
    let mut wire = Wire::open();
    wire.log(
        "
        < R  2
        > A  1   ack 1         | challenge
        < R  3
        < S  4
        < A  1   ack 9
        +499ms
        < R  5
        +1ms
        < R  6
        > A  1   ack 1         | challenge
        ",
    );
}

/// Two stacks that disagree must not answer each other's answers for ever.
#[test]
fn unacceptable_acks_without_data_are_answered_sparingly() {
    let mut wire = Wire::open();
    wire.log("< A 90000 ack 1\n > A 1 ack 1 | answer-unacceptable\n < A 90000 ack 1\n < A 90000 ack 1");
}

/// MUST-66: with a window of zero RST and URG count all the same, and an ACK, too; data does not.
#[test]
fn at_a_closed_window_acks_urgent_pointers_and_resets_still_count() {
    let mut wire = Wire::open_with(&Config { receive_buffer: 2000, ..config() }, "mss 1000");
    wire.write(100);
    wire.log(
        "
        > PA 1:101      ack 1                 | new-data
        < A  1:1001     ack 1
        > A  101        ack 1001              | acknowledge
        < A  1001:2001  ack 1
        > A  101        ack 2001    win 0     | acknowledge
        < PAU 2001:2011 ack 101     urg 10
        > A  101        ack 2001    win 0     | answer-window-probe
        ",
    );
    let socket = wire.socket();
    assert!(wire.events().contains(&SocketEvent::Urgent(socket)));
    let snapshot = wire.snapshot();
    assert_eq!((snapshot.send_queue, snapshot.urgent), (0, Some(2010)));
    wire.log("< R 2001");
    assert_eq!(wire.events(), [SocketEvent::Closed(socket, CloseReason::Reset)]);
}

/// packetimpact 16, 26: what the buffer has no room for is not delivered, and a window that was announced is kept.
#[test]
fn data_beyond_the_buffer_is_not_delivered() {
    let mut wire = Wire::open_with(&Config { receive_buffer: 2000, ..config() }, "mss 1000");
    wire.log(
        "
        < A  1:2001     ack 1
        > A  1          ack 2001  win 0    | acknowledge
        < A  2001:2501  ack 1
        > A  1          ack 2001  win 0    | answer-window-probe
        ",
    );
    assert_eq!(wire.read(), 2000);
    wire.log("> A 1 ack 2001 win 2000 | window-update");
    wire.log("< A 2001:2501 ack 1\n +40ms\n > A 1 ack 2501 win 1500 | acknowledge");
    assert_eq!(wire.read(), 500);
}

/// Data after a FIN was acknowledged contradicts the FIN: nothing of it is taken.
#[test]
fn data_after_the_peers_fin_is_not_taken() {
    let mut wire = Wire::open();
    wire.log(
        "
        < FA 1          ack 1
        > A  1          ack 2      | acknowledge-close
        < PA 2:102      ack 1
        ",
    );
    assert_eq!((wire.read(), wire.state()), (0, TcpState::CloseWait));
    wire.take_sent();
}

/// MUST-5: an option may stand in any segment; those that belong in a SYN say nothing elsewhere.
#[test]
fn options_in_any_segment_are_taken_or_passed_over() {
    let mut wire = Wire::open();
    let before = wire.snapshot();
    wire.log("< A 1 ack 1 <mss 100, sackOK, ts 5 5, ws 3, sack 1:2>");
    assert_eq!(wire.snapshot(), before);
}

/// MUST-58, MUST-59: a batch is digested as a whole before it is acknowledged.
#[test]
fn one_ack_acknowledges_a_batch() {
    let mut wire = Wire::open();
    wire.log(
        "
        << A 1:1001     ack 1
        << A 1001:2001  ack 1
        << A 2001:3001  ack 1
        <  A 3001:4001  ack 1
        >  A 1          ack 4001   | acknowledge
        ",
    );
}

/// A super-segment is its pieces: the acknowledgment is the same, and so is the stream.
#[test]
fn a_super_segment_counts_as_its_pieces() {
    let mut wire = Wire::open();
    wire.log(
        "
        < A 1:10001  ack 1 gso 1000
        > A 1        ack 10001    | acknowledge
        ",
    );
    assert_eq!(wire.read(), 10_000);
}

/// A SYN that comes again once the connection is open is like any other old segment.
#[test]
fn an_old_syn_on_an_open_connection_is_answered_with_what_is_expected() {
    let mut wire = Wire::open();
    wire.log("< PA 1:11 ack 1\n > A 1 ack 11 | acknowledge\n < S 0\n > A 1 ack 11 | answer-unacceptable");
}

/// A FIN takes a number, and needs room in the window for it as any octet does.
#[test]
fn a_fin_just_beyond_the_window_is_cut_off() {
    for (octets, state) in [(2000, TcpState::Established), (1999, TcpState::CloseWait)] {
        let mut wire = Wire::open_with(&Config { receive_buffer: 2000, ..config() }, "mss 1000");
        wire.receive(&format!("FA 1:{} ack 1", octets + 1));
        wire.take_sent();
        assert_eq!(wire.state(), state, "{octets}");
    }
}

/// The peer sends data again when it has not heard our ACK: that answer is never rationed.
#[test]
fn data_that_comes_again_is_answered_each_time() {
    let mut wire = Wire::open();
    wire.log("< A 1:101 ack 1\n > A 1 ack 101 | acknowledge");
    for _ in 0..3 {
        wire.log("< A 1:101 ack 1\n > A 1 ack 101 | answer-unacceptable");
    }
}
