//! How much is in flight, and what follows from loss (RFC 5681, RFC 6582, RFC 6675, RFC 6928, RFC 3168).
//!
//! Segments have 1000 octets here, so that `cwnd` and the numbers in the logs can be compared at sight.

use std::time::Duration;

use super::wire::{Wire, config};
use crate::journal::{CwndCause, Event, Recovery};
use crate::tcp::{Config, Ecn};

/// A connection with much to send, of which the first ten segments are in flight.
fn busy(options: &str) -> Wire {
    busy_with(&config(), options)
}

fn busy_with(config: &Config, options: &str) -> Wire {
    let mut wire = Wire::open_with(&Config { send_buffer: 1_000_000, ..config.clone() }, options);
    wire.log("+1ms");
    wire.write(200_000);
    assert_eq!(wire.take_sent().len(), 10);
    wire
}

/// Acknowledges one segment after the other up to `last`; returns how many segments that let out.
fn acknowledge(wire: &mut Wire, segments: std::ops::RangeInclusive<u32>) -> usize {
    let mut sent = 0;
    for segment in segments {
        wire.receive(&format!("A 1 ack {}", 1000 * segment + 1));
        sent += wire.take_sent().len();
    }
    sent
}

/// Losses are found by what SACK reports, not by time, and nothing is probed.
fn by_count() -> Config {
    Config { rack: false, tail_loss_probe: false, ..config() }
}

/// RFC 6928: ten segments may leave before the first acknowledgment.
#[test]
fn the_initial_window_is_ten_segments() {
    let wire = busy("mss 1000");
    assert_eq!((wire.cwnd(), wire.snapshot().ssthresh), (10, Some(u32::MAX)));
}

/// RFC 5681 §3.1; MUST-19: in slow start each segment that is acknowledged lets two out.
#[test]
fn slow_start_doubles_the_window_each_round_trip() {
    let mut wire = busy("mss 1000");
    assert_eq!((acknowledge(&mut wire, 1..=10), wire.cwnd()), (20, 20));
    assert_eq!((acknowledge(&mut wire, 11..=30), wire.cwnd()), (40, 40));
}

/// RFC 5681 §3.1: one ACK for two segments counts as two.
#[test]
fn an_ack_of_two_segments_grows_the_window_by_two() {
    let mut wire = busy("mss 1000");
    wire.receive("A 1 ack 2001");
    assert_eq!((wire.take_sent().len(), wire.cwnd()), (4, 12));
}

/// RFC 5681 §3.1, equation 3; MUST-19: above the threshold one segment more each round trip.
#[test]
fn congestion_avoidance_adds_one_segment_each_round_trip() {
    let mut wire = busy("mss 1000");
    wire.log("+200ms\n > A 1:1001 ack 1 | retransmit-by-timer");
    assert_eq!((wire.cwnd(), wire.ssthresh()), (1, 5));
    wire.receive("A 1 ack 10001");
    wire.take_sent();
    let (first, mut acked) = (wire.cwnd(), 10);
    while wire.cwnd() == first {
        acked += 1;
        acknowledge(&mut wire, acked..=acked);
    }
    for window in first + 1..first + 5 {
        acknowledge(&mut wire, acked + 1..=acked + window - 1);
        assert_eq!(wire.cwnd(), window);
        acknowledge(&mut wire, acked + window..=acked + window);
        assert_eq!(wire.cwnd(), window + 1);
        acked += window;
    }
}

/// RFC 5681 §3.1, equation 4, and §3.1's loss window: a time-out leaves one segment, and half of what was in flight as
/// the threshold, once however often the timer fires.
#[test]
fn a_time_out_leaves_a_window_of_one_segment() {
    let mut wire = busy("mss 1000");
    wire.log("+200ms\n > A 1:1001 ack 1 | retransmit-by-timer");
    assert_eq!((wire.cwnd(), wire.ssthresh(), wire.recovery()), (1, 5, Recovery::Loss));
    wire.log("+400ms\n > A 1:1001 ack 1 | retransmit-by-timer");
    assert_eq!((wire.cwnd(), wire.ssthresh()), (1, 5));
}

/// RFC 5681 §3.2, without SACK: three duplicates, and the missing segment goes; RFC 3042: the first two let new ones out.
#[test]
fn three_duplicate_acks_bring_the_missing_segment() {
    let mut wire = busy("mss 1000");
    wire.log(
        "
        < A  1             ack 1
        > A  10001:11001   ack 1      | limited-transmit
        < A  1             ack 1
        > A  11001:12001   ack 1      | limited-transmit
        < A  1             ack 1
        > A  1:1001        ack 1      | retransmit-by-duplicate-acks
        ",
    );
    assert_eq!((wire.recovery(), wire.ssthresh()), (Recovery::FastRecovery, 5));
}

/// RFC 6582 §3.2: in fast recovery an acknowledgment of less than all shows the next loss; one of all ends it, at the
/// threshold.
#[test]
fn a_partial_acknowledgment_brings_the_next_missing_segment() {
    let mut wire = Wire::open();
    wire.write(10_000);
    wire.take_sent();
    wire.log(
        "
        < A  1             ack 1
        < A  1             ack 1
        < A  1             ack 1
        > A  1:1001        ack 1      | retransmit-by-duplicate-acks
        < A  1             ack 3001
        > A  3001:4001     ack 1      | retransmit-by-partial-ack
        ",
    );
    assert_eq!((wire.recovery(), wire.ssthresh()), (Recovery::FastRecovery, 5));
    wire.log("< A 1 ack 10001");
    assert_eq!((wire.recovery(), wire.cwnd()), (Recovery::Open, 5));
}

/// RFC 6675: with SACK only what is missing goes again, as the network empties.
#[test]
fn with_sack_only_what_is_missing_goes_again() {
    let mut wire = Wire::open_with(&by_count(), "mss 1000, sackOK");
    wire.write(10_000);
    wire.take_sent();
    wire.log(
        "
        < A  1           ack 1   <sack 1001:3001>
        < A  1           ack 1   <sack 1001:3001 4001:5001>
        > A  1:1001      ack 1                   | retransmit-by-sack
        < A  1           ack 1   <sack 1001:3001 4001:7001>
        > A  3001:4001   ack 1                   | retransmit-by-sack
        < A  1           ack 3001 <sack 4001:10001>
        < A  1           ack 10001
        +10min
        ",
    );
    assert_eq!(wire.recovery(), Recovery::Open);
}

/// RFC 8985 §7: a probe of the tail whose answer comes sooner than any before may have been overtaken by the first copy. What
/// left before either was overtaken in any case, and does not wait for the timer.
#[test]
fn a_probe_that_is_answered_quickly_still_shows_what_was_lost_before_it() {
    let mut wire = Wire::connecting(&config());
    wire.log("> S 0 | active-open\n +20ms\n < SA 0 ack 1 <mss 1000, sackOK>\n > A 1 ack 1 | complete-open");
    wire.write(2000);
    wire.log(
        "
        > A  1:1001     ack 1                    | new-data
        > PA 1001:2001  ack 1                    | new-data
        +40ms
        > PA 1001:2001  ack 1                    | tail-loss-probe
        +19ms
        < A  1          ack 1   <sack 1001:2001>
        +5ms
        > A  1:1001     ack 1                    | retransmit-by-rack
        ",
    );
    assert_eq!(wire.snapshot().srtt, Some(Duration::from_millis(20)), "what was sent twice times nothing");
}

/// RFC 5681 §2: what moves the window or carries data is no duplicate.
#[test]
fn a_window_update_is_no_duplicate_ack() {
    let mut wire = Wire::open();
    wire.write(5000);
    wire.take_sent();
    wire.log("< A 1 ack 1 win 60000\n < A 1 ack 1 win 61000\n < A 1 ack 1 win 62000");
    wire.log("< A 1:11 ack 1\n > A 5001 ack 11 | acknowledge");
    assert_eq!(wire.recovery(), Recovery::Open);
}

/// RFC 2883: a report of octets that arrived twice is no duplicate that hints at loss.
#[test]
fn a_report_of_duplicates_is_no_sign_of_loss() {
    let mut wire = Wire::open_with(&config(), "mss 1000, sackOK");
    wire.write(9000);
    wire.take_sent();
    wire.log("< A 1 ack 3001\n < A 1 ack 3001 <sack 1:1001>\n < A 1 ack 3001 <sack 1001:2001>");
    wire.log("< A 1 ack 3001 <sack 2001:3001>");
    assert_eq!((wire.recovery(), wire.snapshot().flight.map(|flight| flight.sacked)), (Recovery::Open, Some(0)));
}

/// RFC 2018 §8: SACK is advice, and a peer may take it back: a time-out sends what was reported, too, if the peer still
/// asks for it.
#[test]
fn what_a_peer_reported_and_then_forgot_goes_again() {
    let mut wire = Wire::open_with(&by_count(), "mss 1000, sackOK");
    wire.write(2000);
    wire.take_sent();
    wire.log(
        "
        < A  1           ack 1     <sack 1001:2001>
        +200ms
        > A  1:1001      ack 1                      | retransmit-by-timer
        < A  1           ack 1001
        +400ms
        > PA 1001:2001   ack 1                      | retransmit-by-timer
        ",
    );
}

/// SACK blocks about what was never sent, or the wrong way round, are not believed.
#[test]
fn sack_blocks_that_cannot_be_are_ignored() {
    let mut wire = Wire::open_with(&config(), "mss 1000, sackOK");
    wire.write(5000);
    wire.take_sent();
    wire.log("< A 1 ack 1 <sack 1001:9001 3001:2001 -5:1 70001:80001>");
    assert_eq!(wire.snapshot().flight.map(|flight| flight.sacked), Some(0));
}

/// RFC 5681 §4.1, RFC 2861: after an idle time the window is halved for each time-out that has passed.
#[test]
fn an_idle_connection_begins_again_with_the_initial_window() {
    for (begins_anew, window) in [(true, 10), (false, 40)] {
        let mut wire = busy_with(&Config { slow_start_after_idle: begins_anew, ..config() }, "mss 1000");
        acknowledge(&mut wire, 1..=30);
        assert_eq!(wire.cwnd(), 40);
        acknowledge(&mut wire, 31..=200);
        let before = wire.cwnd();
        wire.log("+60s");
        wire.write(1000);
        wire.take_sent();
        assert_eq!(wire.cwnd(), if begins_anew { window } else { before });
    }
}

/// RFC 7661: who sends little learns nothing about the path, and gets no greater window for it.
#[test]
fn a_window_that_is_not_used_does_not_grow() {
    let mut wire = Wire::open();
    for segment in 0..50 {
        wire.write(1000);
        assert_eq!(wire.take_sent().len(), 1);
        wire.log(&format!("< A 1 ack {}", 1000 * (segment + 1) + 1));
    }
    assert_eq!(wire.cwnd(), 10);
}

/// packetimpact 7: what a connection tells of itself is what a learner would reckon.
#[test]
fn the_snapshot_tells_of_the_flight_and_of_recovery() {
    let mut wire = busy_with(&by_count(), "mss 1000, sackOK");
    wire.log("+50ms");
    wire.receive("A 1 ack 2001 <sack 3001:4001>");
    wire.take_sent();
    let snapshot = wire.snapshot();
    let flight = snapshot.flight.expect("known");
    assert_eq!((flight.sacked, flight.lost, flight.delivered), (1, 0, 4));
    assert_eq!((snapshot.recovery, flight.reordering), (Some(Recovery::Disorder), 3));
    assert!(snapshot.rto > snapshot.srtt && snapshot.srtt > snapshot.min_rtt);
}

/// RFC 3168 §6.1.1: ECN is used when the SYN asks for it with both flags and the answer grants it with one.
#[test]
fn ecn_is_granted_to_who_asks() {
    for (ask, answer) in [("SEW", "SAE"), ("SE", "SA"), ("SW", "SA"), ("S", "SA")] {
        let mut wire = Wire::listening(0, &config());
        wire.log(&format!("< {ask} 0 <mss 1000>\n > {answer} 0 ack 1 | answer-open\n < A 1 ack 1"));
        wire.accept();
        wire.write(10);
        let ecn = if answer == "SAE" { "ect0" } else { "" };
        wire.log(&format!("> PA 1:11 ack 1 {ecn} | new-data"));
    }
    let mut wire = Wire::listening(0, &Config { ecn: Ecn::Off, ..config() });
    wire.log("< SEW 0 <mss 1000>\n > SA 0 ack 1 | answer-open");
}

/// RFC 3168 §6.1.1, §6.1.1.1: asked for in the first SYN, not when that seems to be lost on the way.
#[test]
fn ecn_is_asked_for_once() {
    let mut wire = Wire::connecting(&Config { ecn: Ecn::Active, ..config() });
    wire.log(
        "
        > SEW 0             | active-open
        +1s
        > S   0             | retransmit-by-timer
        ",
    );
    for (answer, ecn) in [("SAE", "ect0"), ("SA", ""), ("SAEW", "")] {
        let mut wire = Wire::connecting(&Config { ecn: Ecn::Active, ..config() });
        wire.log(&format!("> SEW 0 | active-open\n < {answer} 0 ack 1 <mss 1000>\n > A 1 ack 1 | complete-open"));
        wire.write(10);
        wire.log(&format!("> PA 1:11 ack 1 {ecn} | new-data"));
    }
}

fn with_ecn() -> Wire {
    let mut wire = Wire::listening(0, &config());
    wire.log("< SEW 0 <mss 1000>\n > SAE 0 ack 1 | answer-open\n < A 1 ack 1");
    wire.accept();
    wire
}

/// RFC 3168 §6.1.3: a mark is echoed in every ACK until the peer says that it has slowed down.
#[test]
fn a_congestion_mark_is_echoed_until_the_peer_slows_down() {
    let mut wire = with_ecn();
    wire.log(
        "
        < A   1:1001     ack 1  ect0
        > A   1          ack 1001      | acknowledge
        < A   1001:2001  ack 1  ce
        > AE  1          ack 2001      | acknowledge
        < A   2001:3001  ack 1  ect0
        > AE  1          ack 3001      | acknowledge
        < AW  3001:4001  ack 1  ect0
        > A   1          ack 4001      | acknowledge
        ",
    );
}

/// RFC 3168 §6.1.2: an echoed mark halves the window, once each round trip, and the next new data says so with CWR.
#[test]
fn an_echoed_mark_halves_the_window_once() {
    let mut wire = with_ecn();
    wire.write(10_000);
    assert_eq!(wire.take_sent().len(), 10);
    wire.log("< AE 1 ack 1001\n < AE 1 ack 2001");
    assert_eq!((wire.ssthresh(), wire.recovery()), (5, Recovery::WindowReduced));
    wire.write(2000);
    wire.log("> AW 10001:11001 ack 1 ect0 | new-data\n < AE 1 ack 9001\n > PA 11001:12001 ack 1 ect0 | new-data");
    wire.log("< A 1 ack 12001");
    assert_eq!((wire.cwnd(), wire.ssthresh(), wire.recovery()), (5, 5, Recovery::Open));
}

/// RFC 3168 §6.1.2: a mark asks for the same as a loss, and a window falls once for what was in flight together. The new data
/// that says so with CWR follows whatever brought the window down.
#[test]
fn a_loss_and_a_mark_in_one_flight_lower_the_window_once() {
    let mut wire = with_ecn();
    wire.write(10_000);
    assert_eq!(wire.take_sent().len(), 10);
    wire.log("< A 1 ack 1\n < A 1 ack 1\n < A 1 ack 1\n > A 1:1001 ack 1 | retransmit-by-duplicate-acks");
    (0..6).for_each(|_| wire.log("< AE 1 ack 1"));
    wire.log("< AE 1 ack 10001");
    assert_eq!((wire.ssthresh(), wire.recovery()), (5, Recovery::Open));
    wire.write(1000);
    wire.log("> PAW 10001:11001 ack 1 ect0 | new-data\n < A 1 ack 11001");
    wire.write(1000);
    wire.log("> PA 11001:12001 ack 1 ect0 | new-data\n < AE 1 ack 12001");
    assert_eq!((wire.ssthresh(), wire.recovery()), (2, Recovery::WindowReduced), "a mark of later is news");
}

/// The same after a time-out.
#[test]
fn after_a_time_out_the_next_new_data_says_that_the_window_fell() {
    let mut wire = with_ecn();
    wire.write(1000);
    wire.log("> PA 1:1001 ack 1 ect0 | new-data\n +200ms\n > PA 1:1001 ack 1 | retransmit-by-timer\n < AE 1 ack 1001");
    assert_eq!(wire.recovery(), Recovery::Open);
    wire.write(1000);
    wire.log("> PAW 1001:2001 ack 1 ect0 | new-data\n < AE 1 ack 2001");
    assert_eq!(wire.recovery(), Recovery::WindowReduced, "a mark of later is news");
}

/// RFC 3168 §6.1.2 with RFC 5681 §3.1: half of what was in flight when the news came, also when the news acknowledges it all.
#[test]
fn a_mark_halves_what_was_in_flight() {
    let mut wire = with_ecn();
    wire.write(10_000);
    assert_eq!(wire.take_sent().len(), 10);
    wire.log("< AE 1 ack 10001");
    assert_eq!(wire.ssthresh(), 5);
}

/// RFC 3168 §6.1.2: an acknowledgment that echoes a mark lets no window grow.
#[test]
fn an_echoed_mark_lets_no_window_grow() {
    let mut wire = with_ecn();
    wire.write(10_000);
    assert_eq!(wire.take_sent().len(), 10);
    wire.journal();
    wire.log("< AE 1 ack 1001");
    let causes = wire.journal().into_iter().filter_map(|event| match event {
        Event::CongestionWindow { cause, .. } => Some(cause),
        _ => None,
    });
    assert_eq!(causes.collect::<Vec<_>>(), [CwndCause::Marked]);
}

/// An acknowledgment that was overtaken tells of a mark that has been answered.
#[test]
fn an_echo_that_was_overtaken_is_no_news() {
    let mut wire = with_ecn();
    wire.write(2000);
    wire.log(
        "
        > A   1:1001     ack 1  ect0      | new-data
        > PA  1001:2001  ack 1  ect0      | new-data
        < A   1          ack 2001
        < AE  1          ack 1001
        ",
    );
    assert_eq!(wire.recovery(), Recovery::Open);
}

/// RFC 3168 §6.1.1: the ECE of a SYN,ACK grants ECN and echoes no mark, also where two SYNs have crossed.
#[test]
fn a_grant_of_ecn_is_no_mark() {
    let mut wire = Wire::connecting(&Config { ecn: Ecn::Active, ..config() });
    wire.log(
        "
        > SEW 0                 | active-open
        < SEW 0         <mss 1000>
        > SAE 0  ack 1          | answer-open
        < SAE 0  ack 1  <mss 1000>
        ",
    );
    assert_eq!(wire.recovery(), Recovery::Open);
    wire.take_sent();
}

/// A loss that was none says nothing of congestion: no CWR, and a mark of the same flight still counts.
#[test]
fn a_loss_that_was_none_hides_no_mark() {
    let mut wire = Wire::listening(0, &Config { tail_loss_probe: false, ..config() });
    wire.log("< SEW 0 <mss 1000, sackOK>\n > SAE 0 ack 1 | answer-open\n < A 1 ack 1");
    wire.accept();
    wire.write(1000);
    wire.log(
        "
        > PA 1:1001      ack 1   ect0                    | new-data
        +200ms
        > PA 1:1001      ack 1                           | retransmit-by-timer
        < A  1           ack 1001
        < A  1           ack 1001        <sack 1:1001>
        ",
    );
    wire.write(1000);
    wire.log("> PA 1001:2001 ack 1 ect0 | new-data\n < AE 1 ack 2001");
    assert_eq!(wire.recovery(), Recovery::WindowReduced);
}

/// RFC 3168 §6.1.5: what is sent again, and what carries no data, is not marked as capable.
#[test]
fn only_new_data_is_ecn_capable() {
    let mut wire = with_ecn();
    wire.write(100);
    wire.log(
        "
        > PA 1:101  ack 1   ect0   | new-data
        +200ms
        > PA 1:101  ack 1          | retransmit-by-timer
        < A  1:11   ack 101
        > A  101    ack 11         | acknowledge
        ",
    );
}

/// RFC 3168 §6.1.4, §6.1.6: data says that its sender understands marks; a lone FIN, like an ACK, does not.
#[test]
fn only_data_is_sent_as_capable_of_ecn() {
    let mut wire = Wire::listening(0, &config());
    wire.log("< SEW 0 <mss 1000>\n > SAE 0 ack 1 | answer-open\n < A 1 ack 1");
    wire.accept();
    wire.write(10);
    wire.log("> PA 1:11 ack 1 ect0 | new-data\n < PA 1:11 ack 11\n > A 11 ack 11 | acknowledge");
    wire.shutdown();
    wire.log("> FA 11 ack 11 | close");
}
