//! A segment arrives at an open connection: RFC 9293 §3.10.7.4, check by check, with what RFC 5961, 7323 and 2018 add.

use std::time::Duration;

use super::wire::{Wire, config};
use crate::journal::{DropReason, Event, TcpState};
use crate::tcp::Config;
use crate::transport::{CloseReason, SocketEvent, SocketOption};

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

/// SHLD-31: what is out of order waits; each such segment is answered at once with what is missing (RFC 5681 §4.2).
#[test]
fn data_out_of_order_waits_and_draws_duplicate_acks() {
    let mut wire = Wire::open();
    wire.log(
        "
        < A  1001:2001  ack 1
        > A  1          ack 1      | duplicate-ack
        < A  2001:3001  ack 1
        > A  1          ack 1      | duplicate-ack
        < A  1:1001     ack 1
        > A  1          ack 3001   | acknowledge
        ",
    );
    assert_eq!(wire.read(), 3000);
}

/// What came first stays: a later copy with other octets changes nothing.
#[test]
fn octets_that_have_arrived_are_not_overwritten() {
    let mut wire = Wire::open();
    wire.log(
        "
        < A  101:201    ack 1
        > A  1          ack 1      | duplicate-ack
        < A  101:201    ack 1 forged
        > A  1          ack 1      | duplicate-ack
        < A  1:101      ack 1
        > A  1          ack 201    | acknowledge
        < A  1:201      ack 1 forged
        > A  1          ack 201    | answer-unacceptable
        ",
    );
    assert_eq!(wire.read(), 200);
}

/// RFC 9293 §3.10.7.4, eighth check: a FIN counts when all before it has arrived.
#[test]
fn a_fin_beyond_a_gap_waits_for_the_data_before_it() {
    let mut wire = Wire::open();
    wire.log(
        "
        < FA 101:201    ack 1
        > A  1          ack 1      | duplicate-ack
        ",
    );
    assert_eq!(wire.state(), TcpState::Established);
    wire.log(
        "
        < A  1:101      ack 1
        > A  1          ack 202    | acknowledge-close
        ",
    );
    assert_eq!((wire.read(), wire.state()), (200, TcpState::CloseWait));
    assert_eq!(wire.try_read(&mut [0; 1]), Ok(Some(0)));
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

/// RFC 2018 §4: the first block is the range that arrived last, the others those reported before it, newest first.
#[test]
fn sack_reports_the_newest_range_first() {
    let mut wire = Wire::open_with(&config(), "mss 1000, sackOK");
    wire.log(
        "
        < A  201:301    ack 1
        > A  1          ack 1    <sack 201:301>                      | duplicate-ack
        < A  401:501    ack 1
        > A  1          ack 1    <sack 401:501 201:301>              | duplicate-ack
        < A  601:701    ack 1
        > A  1          ack 1    <sack 601:701 401:501 201:301>      | duplicate-ack
        < A  301:401    ack 1
        > A  1          ack 1    <sack 201:501 601:701>              | duplicate-ack
        < A  1:201      ack 1
        > A  1          ack 501  <sack 601:701>                      | acknowledge
        < A  501:601    ack 1
        > A  1          ack 701  <>                                  | acknowledge
        ",
    );
    assert_eq!(wire.read(), 700);
}

/// RFC 2018 §3: forty octets of options hold four blocks, beside timestamps three.
#[test]
fn as_many_sack_blocks_are_sent_as_there_is_room_for() {
    for (options, stamp, most) in [("mss 1000, sackOK", "", 4), ("mss 1000, sackOK, ts 1 -", "<ts 1 0>", 3)] {
        let mut wire = Wire::open_with(&config(), options);
        for blocks in 1..=6 {
            let start = 200 * blocks + 1;
            wire.receive(&format!("A {start}:{} ack 1 {stamp}", start + 100));
            assert_eq!(wire.take_sent()[0].segment.options.sack.len(), blocks.min(most));
        }
    }
}

/// RFC 2883 §4: the first block tells once of octets that arrived twice, below the acknowledgment or within the next block.
#[test]
fn what_arrived_twice_is_reported_once() {
    let mut wire = Wire::open_with(&config(), "mss 1000, sackOK");
    wire.log(
        "
        < A  1:101      ack 1
        > A  1          ack 101  <>                      | acknowledge
        < A  1:101      ack 1
        > A  1          ack 101  <sack 1:101>            | answer-unacceptable
        < A  201:301    ack 1
        > A  1          ack 101  <sack 201:301>          | duplicate-ack
        < A  201:301    ack 1
        > A  1          ack 101  <sack 201:301 201:301>  | duplicate-ack
        ",
    );
}

/// PAWS (RFC 7323 §5.3 R1); packetimpact 13: a segment older than one that was seen is answered and not taken.
#[test]
fn a_segment_with_an_old_timestamp_is_refused() {
    let mut wire = Wire::open_with(&config(), "mss 1000, ts 1000 -");
    wire.log(
        "
        < A  1:101   ack 1   <ts 1010 0>
        > A  1       ack 101 <ts 0 1010>      | acknowledge
        < A  101:201 ack 1   <ts 1009 0>
        > A  1       ack 101 <ts 0 1010>      | answer-unacceptable
        < A  101:201 ack 1   <ts 1010 0>
        > A  1       ack 201 <ts 0 1010>      | acknowledge
        ",
    );
    assert!(wire.drops().contains(&DropReason::OldTimestamp));
}

/// RFC 7323 §5.2: the clock wraps like sequence numbers do. The peer's first stamp is just before the wrap.
#[test]
fn timestamps_wrap() {
    let mut wire = Wire::open_with(&config(), "mss 1000, ts 4294967290 -");
    wire.take_sent();
    wire.log(
        "
        < A  1:101   ack 1   <ts 4294967295 0>
        > A  1       ack 101 <ts 0 -1>        | acknowledge
        < A  101:201 ack 1   <ts 3 0>
        > A  1       ack 201 <ts 0 3>         | acknowledge
        ",
    );
}

/// RFC 7323 §5.5: after more than 24 days of silence a stamp that seems old may be new.
#[test]
fn after_24_days_of_silence_timestamps_begin_anew() {
    const DAY: Duration = Duration::from_secs(24 * 3600);
    for (silence, last, ack, echo, reason) in [
        (DAY * 24, 101, 1, 1000, "answer-unacceptable"),
        (DAY * 24 + Duration::from_millis(1), 101, 101, 5, "acknowledge"),
    ] {
        let mut wire = Wire::open_with(&config(), "mss 1000, ts 1000 -");
        wire.wait(silence);
        let now = silence.as_millis();
        wire.log(&format!("< A 1:{last} ack 1 <ts 5 0>\n > A 1 ack {ack} <ts {now} {echo}> | {reason}"));
    }
}

/// RFC 7323 §5.2: a reset is never judged by its timestamp; most have none.
#[test]
fn a_reset_needs_no_timestamp() {
    for stamp in ["", "<ts 1 0>"] {
        let mut wire = Wire::open_with(&config(), "mss 1000, ts 1000 -");
        wire.log(&format!("< R 1 {stamp}"));
        assert_eq!(wire.state(), TcpState::Closed);
    }
}

/// RFC 7323 §4.3: the stamp to echo is that of the earliest segment not yet acknowledged: of the first of two with one
/// delayed ACK, and not of one beyond a gap.
#[test]
fn the_echoed_timestamp_is_that_of_the_earliest_unacknowledged_segment() {
    let mut wire = Wire::open_with(&config(), "mss 1000, ts 1000 -");
    wire.set(SocketOption::QuickAck(false));
    wire.log(
        "
        <  A 1:101     ack 1    <ts 1010 0>
        <  A 101:1101  ack 1    <ts 1020 0>
        >  A 1         ack 1101 <ts 0 1010>   | acknowledge
        <  A 2101:3101 ack 1    <ts 1030 0>
        >  A 1         ack 1101 <ts 0 1010>   | duplicate-ack
        ",
    );
}

/// RFC 5681 §4.2: what is missing comes in the same batch as what came too early. Duplicates of the acknowledgment of all would
/// say that something is lost; with a gap left, they say so truly.
#[test]
fn a_gap_that_opens_and_closes_in_one_batch_draws_one_ack() {
    let mut wire = Wire::open();
    wire.log(
        "
        << A 1001:2001  ack 1
        << A 2001:3001  ack 1
        << A 3001:4001  ack 1
        <  A 1:1001     ack 1
        >  A 1          ack 4001    | acknowledge
        << A 5001:6001  ack 1
        << A 7001:8001  ack 1
        << A 8001:9001  ack 1
        <  A 4001:5001  ack 1
        >  A 1          ack 6001    | duplicate-ack
        >  A 1          ack 6001    | duplicate-ack
        >  A 1          ack 6001    | duplicate-ack
        ",
    );
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

/// RFC 5681 §4.2: a FIN beyond a gap is out of order, also when no data comes with it.
#[test]
fn a_lone_fin_beyond_a_gap_draws_a_duplicate_ack() {
    let mut wire = Wire::open();
    wire.log("< FA 101 ack 1\n > A 1 ack 1 | duplicate-ack\n < A 1:101 ack 1\n > A 1 ack 102 | acknowledge-close");
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

/// However small the buffer, a few small segments may wait beyond a gap: their bookkeeping does not use it up.
#[test]
fn small_segments_beyond_a_gap_wait_even_with_a_tiny_buffer() {
    let mut wire = Wire::open_with(&Config { receive_buffer: 200, ..config() }, "mss 1000");
    for octet in 2..=40 {
        wire.log(&format!("< A {octet}:{} ack 1\n > A 1 ack 1 | duplicate-ack", octet + 1));
    }
    wire.log("< A 1:2 ack 1\n > A 1 ack 41 | acknowledge");
    assert_eq!(wire.read(), 40);
}

/// As much as the buffer holds may wait beyond a gap.
#[test]
fn a_window_of_data_may_wait_beyond_a_gap() {
    let mut wire = Wire::open();
    wire.log("< A 1001:51001 ack 1 gso 1000\n > A 1 ack 1 | duplicate-ack\n < A 1:1001 ack 1\n > A 1 ack 51001 | acknowledge");
}

/// The journal tells of the first gap: where it begins, how long it is, and when it is filled.
#[test]
fn the_journal_tells_of_gaps() {
    let mut wire = Wire::open();
    wire.log("< A 1:11 ack 1\n > A 1 ack 11 | acknowledge");
    wire.journal();
    let mut hole = |log: &str| {
        wire.log(log);
        let holes = wire.journal().into_iter().filter_map(|event| match event {
            Event::Hole { seq, length, .. } => Some((seq.offset_from(wire.peer_iss), length)),
            _ => None,
        });
        holes.collect::<Vec<_>>()
    };
    assert_eq!(hole("< A 101:201 ack 1\n > A 1 ack 11 | duplicate-ack"), [(11, 90)]);
    assert_eq!(hole("< A 301:401 ack 1\n > A 1 ack 11 | duplicate-ack"), [(11, 90)]);
    assert_eq!(hole("< A 11:101 ack 1\n > A 1 ack 201 | acknowledge"), [(201, 100)]);
    assert_eq!(hole("< A 201:301 ack 1\n > A 1 ack 401 | acknowledge"), [(401, 0)]);
    assert_eq!(hole("< A 401:501 ack 1\n > A 1 ack 501 | acknowledge"), []);
}

/// RFC 2883 §4: a D-SACK block tells of octets: a SYN is none, and an empty segment has none.
#[test]
fn what_arrived_twice_is_told_by_its_octets() {
    let mut wire = Wire::open_with(&config(), "mss 1000, sackOK, ts 1000 -");
    wire.log(
        "
        < A  1:11     ack 1   <ts 1000 0>
        > A  1        ack 11  <ts 0 1000>                                | acknowledge
        < SA 0:10     ack 1   <ts 1000 0>
        > A  1        ack 11  <ts 0 1000, sack 1:11>                     | answer-unacceptable
        < A  101:201  ack 1   <ts 1000 0>
        > A  1        ack 11  <ts 0 1000, sack 101:201>                  | duplicate-ack
        +500ms
        < A  150      ack 1   <ts 999 0>
        > A  1        ack 11  <ts 500 1000, sack 101:201>                | answer-unacceptable
        ",
    );
}

/// Only SACK can tell the peer that something came twice: without it there is nothing to hurry for.
#[test]
fn what_arrived_twice_changes_nothing_later_without_sack() {
    let mut wire = Wire::open();
    wire.log(
        "
        < A  101:201  ack 1
        > A  1        ack 1     | duplicate-ack
        < A  101:201  ack 1
        > A  1        ack 1     | duplicate-ack
        < A  1:101    ack 1
        > A  1        ack 201   | acknowledge
        ",
    );
    wire.set(SocketOption::QuickAck(false));
    wire.log("< A 201:211 ack 1\n +40ms\n > A 1 ack 211 | acknowledge");
}
