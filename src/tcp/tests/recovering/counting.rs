//! Losses found by counting: reports behind a segment (RFC 6675), or duplicate acknowledgments where there is no SACK
//! (RFC 5681 §3.2, RFC 6582); and what limited transmit lets out meanwhile (RFC 3042).

use super::super::wire::{Wire, config};
use super::{SACK, by_count, open_with, sent_with, told};
use crate::journal::Recovery;

/// A connection without SACK that has so many segments in flight and more to send, if `more`.
fn without_sack(segments: usize, more: bool) -> Wire {
    let mut wire = open_with(&config(), "mss 1000");
    wire.write(if more { 200_000 } else { 1000 * segments });
    assert_eq!(wire.take_sent().len(), segments);
    wire.log("+40ms");
    wire
}

/// RFC 6675 §4, IsLost: three reported segments behind it, however they lie.
#[test]
fn a_segment_with_three_reported_behind_it_is_lost() {
    let mut wire = sent_with(&by_count(), SACK, 9);
    wire.log(
        "
        < A  1          ack 1    <sack 2001:3001>
        < A  1          ack 1    <sack 4001:5001 2001:3001>
        < A  1          ack 1    <sack 6001:7001 4001:5001 2001:3001>
        > A  1:1001     ack 1                                        | retransmit-by-sack
        ",
    );
    assert_eq!(told(&mut wire), ["lost 1:2001 by sack"], "3001 has two behind it");
    wire.log("< A 1 ack 1 <sack 8001:9001 6001:7001 4001:5001 2001:3001>\n > A 1001:2001 ack 1 | retransmit-by-sack");
    assert_eq!(told(&mut wire), ["lost 3001:4001 by sack"]);
    wire.take_sent();
}

/// As Linux does: a segment that was overtaken by more than three others raises the threshold for those to come.
#[test]
fn the_threshold_follows_the_reordering_that_was_seen() {
    let mut wire = sent_with(&by_count(), SACK, 9);
    wire.log("< A 1 ack 1 <sack 6001:7001>\n < A 1 ack 1001 <sack 6001:7001>");
    assert_eq!(wire.snapshot().flight.map(|flight| flight.reordering), Some(7));
    wire.log("< A 1 ack 1001 <sack 5001:9001>\n < A 1 ack 9001");
    assert_eq!((told(&mut wire), wire.recovery()), (vec![], Recovery::Open));
}

/// RFC 6675 §5: one recovery for all that was in flight when it began; the window falls once.
#[test]
fn the_window_falls_once_for_a_flight() {
    let mut wire = sent_with(&by_count(), SACK, 10);
    wire.receive("A 1 ack 1 <sack 1001:4001>");
    assert_eq!((wire.take_sent().len(), wire.ssthresh()), (1, 5));
    wire.receive("A 1 ack 1 <sack 5001:9001 1001:4001>");
    assert_eq!(told(&mut wire), ["lost 1:1001 by sack", "lost 4001:5001 by sack"]);
    assert_eq!((wire.take_sent().len(), wire.ssthresh(), wire.recovery()), (1, 5, Recovery::FastRecovery));
    wire.log("< A 1 ack 9001\n > PA 9001:10001 ack 1 | retransmit-by-partial-ack");
    assert_eq!(wire.recovery(), Recovery::FastRecovery, "10000 octets were in flight");
    wire.log("< A 1 ack 10001");
    assert_eq!((wire.recovery(), wire.cwnd()), (Recovery::Open, 5));
}

/// In recovery what an acknowledgment stops at is lost as well, also before three are reported behind it.
#[test]
fn what_a_partial_acknowledgment_stops_at_is_lost() {
    let mut wire = sent_with(&by_count(), SACK, 8);
    wire.receive("A 1 ack 1 <sack 1001:4001>");
    wire.take_sent();
    wire.log("+40ms\n < A 1 ack 4001 <sack 6001:7001>\n > A 4001:5001 ack 1 | retransmit-by-partial-ack");
    assert_eq!(told(&mut wire), ["lost 1:1001 by sack", "lost 4001:5001 by partial-ack"]);
}

/// RFC 3042 §2: the first two duplicates each let one new segment out, if the peer has room for it.
#[test]
fn limited_transmit_respects_the_peers_window() {
    let mut wire = open_with(&config(), "mss 1000");
    wire.log("< A 1 ack 1 win 11000");
    wire.write(50_000);
    assert_eq!(wire.take_sent().len(), 10);
    wire.log(
        "
        < A  1             ack 1      win 11000
        > A  10001:11001   ack 1                | limited-transmit
        < A  1             ack 1      win 11000
        < A  1             ack 1      win 11000
        > A  1:1001        ack 1                | retransmit-by-duplicate-acks
        ",
    );
}

/// RFC 3042 §2 with SACK: reports count where duplicates would.
#[test]
fn limited_transmit_follows_reports() {
    let mut wire = open_with(&config(), SACK);
    wire.write(50_000);
    assert_eq!(wire.take_sent().len(), 10);
    wire.log(
        "
        +40ms
        < A  1             ack 1      <sack 1001:2001>
        > A  10001:11001   ack 1                        | limited-transmit
        < A  1             ack 1      <sack 1001:3001>
        > A  11001:12001   ack 1                        | limited-transmit
        < A  1             ack 1      <sack 1001:4001>
        > A  1:1001        ack 1                        | retransmit-by-rack
        ",
    );
    assert_eq!((wire.cwnd() < 12, wire.ssthresh()), (true, 5), "what limited transmit let out does not count");
}

/// RFC 6582 §3.2, step 3, "slow but steady": each partial acknowledgment brings one segment, all by one rule.
#[test]
fn each_partial_acknowledgment_brings_one_segment() {
    let mut wire = without_sack(10, false);
    wire.log(
        "
        < A  1          ack 1
        < A  1          ack 1
        < A  1          ack 1
        > A  1:1001     ack 1    | retransmit-by-duplicate-acks
        +40ms
        < A  1          ack 2001
        > A  2001:3001  ack 1    | retransmit-by-partial-ack
        +40ms
        < A  1          ack 5001
        > A  5001:6001  ack 1    | retransmit-by-partial-ack
        +40ms
        < A  1          ack 10001
        ",
    );
    let expected = ["lost 1:1001 by duplicate-acks", "lost 2001:3001 by partial-ack", "lost 5001:6001 by partial-ack"];
    assert_eq!(
        (told(&mut wire), wire.recovery(), wire.cwnd()),
        (expected.map(str::to_owned).to_vec(), Recovery::Open, 5)
    );
}

/// RFC 6582 §3.2: an acknowledgment of all that was in flight when the recovery began is no partial one, although more has
/// left since: nothing goes again. §4.1: the duplicates of what went again begin no second recovery.
#[test]
fn an_acknowledgment_of_the_whole_flight_is_not_partial() {
    let mut wire = without_sack(10, true);
    wire.log(
        "
        < A  1             ack 1
        > A  10001:11001   ack 1    | limited-transmit
        < A  1             ack 1
        > A  11001:12001   ack 1    | limited-transmit
        < A  1             ack 1
        > A  1:1001        ack 1    | retransmit-by-duplicate-acks
        ",
    );
    for _ in 0..9 {
        wire.receive("A 1 ack 1");
        wire.take_sent();
    }
    let new: Vec<String> = (wire.journal(), wire.receive("A 1 ack 12001"), wire.take_sent())
        .2
        .iter()
        .map(|departure| departure.why.reason.name().to_owned())
        .collect();
    assert!(new.iter().all(|reason| reason == "new-data"), "{new:?}");
    assert_eq!(told(&mut wire), [""; 0]);
    for _ in 0..3 {
        wire.receive("A 1 ack 12001");
        assert!(wire.take_sent().iter().all(|departure| departure.why.reason.name() == "new-data"));
    }
    assert_eq!((told(&mut wire), wire.ssthresh()), (vec![], 5));
}

/// RFC 6582 §3.2, step 1: after a time-out duplicates of what went again begin no fast recovery.
#[test]
fn duplicates_after_a_time_out_begin_no_recovery() {
    let mut wire = without_sack(6, false);
    wire.log("+200ms\n > A 1:1001 ack 1 | retransmit-by-timer");
    wire.journal();
    wire.log("< A 1 ack 1\n < A 1 ack 1\n < A 1 ack 1\n < A 1 ack 1");
    assert_eq!((told(&mut wire), wire.recovery()), (vec![], Recovery::Loss));
}

/// RFC 2018 §8: what a peer has reported it may forget: when the retransmission timer fires at a segment that was reported,
/// no report counts any more.
#[test]
fn a_peer_that_takes_its_reports_back_gets_everything_again() {
    for config in [by_count(), config()] {
        let mut wire = sent_with(&config, SACK, 5);
        wire.receive("A 1 ack 1 <sack 1001:5001>");
        wire.take_sent();
        wire.log("+40ms\n < A 1 ack 1001");
        assert_eq!(wire.snapshot().flight.map(|flight| flight.sacked), Some(4));
        wire.until_sent();
        wire.journal();
        assert_eq!(wire.next_sent(), "A 1001:2001 ack 1 | retransmit-by-timer");
        assert_eq!(wire.snapshot().flight.map(|flight| (flight.sacked, flight.lost)), Some((0, 4)));
        wire.log("+40ms\n < A 1 ack 2001\n > A 2001:3001 ack 1 | retransmit-after-timer\n > A 3001:4001 ack 1 | retransmit-after-timer");
    }
}
