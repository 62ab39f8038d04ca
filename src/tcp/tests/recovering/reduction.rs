//! Proportional rate reduction (RFC 6937): how many segments each acknowledgment lets out while the window comes down.

use super::super::wire::{Wire, config};
use super::{SACK, by_count, open_with};
use crate::journal::Recovery;
use crate::tcp::Config;

/// Twenty segments in flight, and more to send.
fn busy(config: &Config) -> Wire {
    let mut wire = open_with(&Config { initial_window: 20, ..config.clone() }, SACK);
    wire.write(200_000);
    assert_eq!(wire.take_sent().len(), 20);
    wire.log("+40ms");
    wire
}

/// One segment after the other is reported. Returns how many segments each report lets out.
fn reports(wire: &mut Wire, segments: std::ops::RangeInclusive<u32>) -> Vec<usize> {
    let first = *segments.start();
    reports_from(wire, first, segments)
}

/// The same, and all from `first` on were reported before.
fn reports_from(wire: &mut Wire, first: u32, segments: std::ops::RangeInclusive<u32>) -> Vec<usize> {
    let report = |segment: u32| {
        wire.receive(&format!("A 1 ack 1 <sack {}:{}>", 1000 * first - 999, 1000 * segment + 1));
        wire.take_sent().len()
    };
    segments.map(report).collect()
}

/// §3.1, PRR proper: while more is in the network than the threshold, half as many leave as arrive; the first two are
/// limited transmit's, the third is the one that was lost.
#[test]
fn half_as_many_leave_as_arrive() {
    for config in [config(), by_count()] {
        let mut wire = busy(&config);
        let sent = reports(&mut wire, 2..=20);
        assert_eq!(sent, [1, 1, 1, 0, 1, 0, 1, 0, 1, 0, 1, 0, 1, 0, 1, 0, 1, 0, 0]);
        assert_eq!((wire.recovery(), wire.ssthresh()), (Recovery::FastRecovery, 10));
        let flight = wire.snapshot().flight.expect("known");
        let in_network = flight.unacked + flight.retransmitted - flight.sacked - flight.lost;
        assert_eq!(in_network, 10, "from 20");
    }
}

/// §3, at the end of recovery: the window stands at the threshold.
#[test]
fn the_window_ends_at_the_threshold() {
    let mut wire = busy(&config());
    reports(&mut wire, 2..=20);
    wire.log("+40ms");
    let end = 1000 * wire.snapshot().flight.expect("known").unacked + 1;
    wire.receive(&format!("A 1 ack {end}"));
    assert_eq!((wire.recovery(), wire.cwnd(), wire.ssthresh()), (Recovery::Open, 10, 10));
    assert_eq!(wire.take_sent().len(), 10);
    for segment in 1..=10 {
        wire.receive(&format!("A 1 ack {}", end + 1000 * segment));
        wire.take_sent();
    }
    assert_eq!(wire.cwnd(), 11, "from there it grows as ever");
}

/// The same when no loss, but a mark has made it fall (RFC 3168 §6.1.2).
#[test]
fn the_window_grows_again_after_a_mark() {
    let mut wire = Wire::listening(0, &config());
    wire.log("< SEW 0 <mss 1000, sackOK>\n > SAE 0 ack 1 | answer-open\n +40ms\n < A 1 ack 1");
    wire.accept();
    wire.write(60_000);
    assert_eq!(wire.take_sent().len(), 10);
    for segment in 1..=30 {
        let flags = if segment == 1 { "AE" } else { "A" };
        wire.receive(&format!("{flags} 1 ack {}", 1000 * segment + 1));
        wire.take_sent();
        if segment == 9 {
            assert_eq!((wire.recovery(), wire.ssthresh()), (Recovery::WindowReduced, 5));
        }
    }
    assert_eq!((wire.recovery(), wire.cwnd() > 5), (Recovery::Open, true));
}

/// §3.1, the conservative bound: when less is in the network than the threshold, as many leave as arrive.
#[test]
fn as_many_leave_as_arrive_when_much_is_lost() {
    let mut wire = busy(&by_count());
    // Seventeen are lost: with the third report the network is all but empty.
    assert_eq!(reports(&mut wire, 18..=20), [1, 1, 1]);
    assert_eq!((wire.ssthresh(), wire.snapshot().flight.map(|flight| flight.lost)), (10, Some(17)));
    // What limited transmit has let out arrives as well.
    assert_eq!(reports_from(&mut wire, 18, 21..=22), [1, 1]);
}

/// §3.1, the slow start bound: when the recovery makes progress, one more leaves for each acknowledgment.
#[test]
fn one_more_leaves_when_the_recovery_makes_progress() {
    let mut wire = busy(&by_count());
    reports(&mut wire, 18..=20);
    wire.log("+40ms");
    for (acknowledged, sent) in [(1, 2), (2, 2), (3, 2), (4, 2)] {
        wire.receive(&format!("A 1 ack {} <sack 17001:20001>", 1000 * acknowledged + 1));
        assert_eq!(wire.take_sent().len(), sent, "{acknowledged}");
    }
}

/// §3.1, ssthresh − pipe: the catching up ends where the threshold is reached.
#[test]
fn no_more_leaves_than_the_threshold_allows() {
    let mut wire = busy(&by_count());
    // Ten are lost. What is in the network after the third report: two that limited transmit let out, and seven others.
    assert_eq!(reports(&mut wire, 11..=13), [1, 1, 1]);
    for reported in 14..=20 {
        assert_eq!(reports_from(&mut wire, 11, reported..=reported), [1]);
        let flight = wire.snapshot().flight.expect("known");
        assert_eq!(flight.unacked + flight.retransmitted - flight.sacked - flight.lost, 10);
    }
}

/// One acknowledgment that reports much lets out a burst no larger than what it reports, and within the threshold.
#[test]
fn an_acknowledgment_of_many_segments_lets_out_no_more_than_the_threshold() {
    let mut wire = busy(&config());
    wire.receive("A 1 ack 1 <sack 1001:19001>");
    let flight = wire.snapshot().flight.expect("known");
    assert_eq!(wire.take_sent().len(), 9, "one segment is still on its way");
    assert_eq!((flight.unacked + flight.retransmitted - flight.sacked - flight.lost, wire.ssthresh()), (10, 10));
}

/// What was lost goes before what is new.
#[test]
fn what_is_lost_goes_first() {
    let mut wire = busy(&config());
    wire.receive("A 1 ack 1 <sack 3001:20001>");
    let sent: Vec<String> = (0..4).map(|_| wire.next_sent()).collect();
    assert_eq!(
        sent,
        [
            "A 1:1001 ack 1 | retransmit-by-rack",
            "A 1001:2001 ack 1 | retransmit-by-rack",
            "A 2001:3001 ack 1 | retransmit-by-rack",
            "A 20001:21001 ack 1 | new-data",
        ]
    );
    wire.take_sent();
}
