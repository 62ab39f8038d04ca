//! The flight's records and counters.

use super::*;
use proptest::prelude::*;

const MSS: u64 = 1000;

fn at(millis: u64) -> Instant {
    Instant::from_nanos(millis * 1_000_000)
}

fn flight(segments: u64) -> Flight {
    let mut flight = Flight::default();
    (0..segments).for_each(|index| flight.push(index * MSS..(index + 1) * MSS, at(index), false, false));
    flight
}

fn sack(flight: &mut Flight, segments: Range<u64>) -> Delivery {
    let mut delivery = Delivery::default();
    flight.sack(segments.start * MSS..segments.end * MSS, at(100), Duration::ZERO, &mut delivery);
    delivery
}

#[test]
fn what_was_refused_goes_again_in_segments_that_fit() {
    let mut flight = Flight::default();
    flight.push(0..1, at(0), false, false);
    flight.push(1..2501, at(0), true, false);
    flight.acknowledge(101, at(10), Duration::ZERO);
    flight.lose_refused(1000);
    let cut: Vec<(Range<u64>, bool)> = flight.sent.iter().map(|sent| (sent.range.clone(), sent.push)).collect();
    assert_eq!(cut, [(101..1101, false), (1101..2101, false), (2101..2501, true)]);
    assert_eq!((flight.unacked(), flight.lost(), flight.in_network(0)), (3, 3, 0));
    assert_eq!(flight.next_lost().map(|sent| sent.range.clone()), Some(101..1101));
    assert_eq!(flight.take_declared(), [(101..2501, LossRule::Refused)]);
}

#[test]
fn an_acknowledgment_times_the_youngest_segment() {
    let mut flight = flight(5);
    let delivery = flight.acknowledge(3 * MSS, at(100), Duration::ZERO);
    assert_eq!((delivery.acknowledged, delivery.rtt), (3, Some(Duration::from_millis(98))));
    assert_eq!(flight.unacked(), 2);
}

#[test]
fn a_segment_sent_twice_times_nothing() {
    let mut flight = flight(2);
    flight.lose_oldest(LossRule::DuplicateAcks);
    flight.resend(0, at(50));
    let delivery = flight.acknowledge(2 * MSS, at(100), Duration::ZERO);
    assert_eq!((delivery.rtt, delivery.was_resent), (None, true));
}

#[test]
fn part_of_a_segment_stays_in_flight() {
    let mut flight = flight(1);
    assert_eq!(flight.acknowledge(300, at(9), Duration::ZERO).acknowledged, 0);
    assert_eq!(flight.sent.front().map(|sent| sent.range.clone()), Some(300..MSS));
}

#[test]
fn three_reports_behind_a_segment_say_that_it_is_lost() {
    let mut flight = flight(6);
    sack(&mut flight, 1..3);
    assert_eq!(flight.judge_by_sack(DUPLICATE_THRESHOLD), 0);
    sack(&mut flight, 4..5);
    assert_eq!(flight.judge_by_sack(DUPLICATE_THRESHOLD), 1);
    assert_eq!(flight.next_lost().map(|sent| sent.range.start), Some(0));
    sack(&mut flight, 5..6);
    assert_eq!(flight.judge_by_sack(DUPLICATE_THRESHOLD), 0, "segment 3 has only two behind it");
}

#[test]
fn after_a_time_out_everything_unreported_is_lost_and_goes_again_in_order() {
    let mut flight = flight(4);
    sack(&mut flight, 2..3);
    flight.lose_all(None, at(200));
    let mut resent = Vec::new();
    while let Some(start) = flight.next_lost().map(|sent| sent.range.start) {
        flight.resend(start, at(200));
        resent.push(start / MSS);
    }
    assert_eq!((resent, flight.in_network(0)), (vec![0, 1, 3], 3));
}

#[test]
fn a_peer_that_drops_what_it_reported_gets_it_again() {
    let mut flight = flight(2);
    sack(&mut flight, 0..1);
    flight.lose_all(None, at(200));
    assert_eq!((flight.sacked(), flight.lost()), (0, 2));
}

#[derive(Clone, Debug)]
enum Step {
    Push,
    Acknowledge(u64),
    Sack(u64, u64),
    Judge,
    LoseOldest,
    LoseAll,
    Resend,
}

proptest! {
    /// The counters are what counting the records gives, whatever happens.
    #[test]
    fn the_counters_agree_with_the_records(steps in proptest::collection::vec(prop_oneof![
        3 => Just(Step::Push),
        2 => (0_u64..30_000).prop_map(Step::Acknowledge),
        2 => (0_u64..30_000, 1_u64..5000).prop_map(|(from, len)| Step::Sack(from, from + len)),
        1 => Just(Step::Judge),
        1 => Just(Step::LoseOldest),
        1 => Just(Step::LoseAll),
        2 => Just(Step::Resend),
    ], 0..120)) {
        let mut flight = Flight::default();
        let (mut una, mut next) = (0, 0);
        for step in steps {
            match step {
                Step::Push => {
                    flight.push(next..next + MSS, at(0), false, false);
                    next += MSS;
                }
                Step::Acknowledge(to) => {
                    una = to.clamp(una, next);
                    flight.acknowledge(una, at(1), Duration::ZERO);
                }
                Step::Sack(from, to) => {
                    let range = from.clamp(una, next)..to.clamp(una, next);
                    flight.sack(range, at(1), Duration::ZERO, &mut Delivery::default());
                }
                Step::Judge => { flight.judge_by_sack(DUPLICATE_THRESHOLD); }
                Step::LoseOldest => { flight.lose_oldest(LossRule::DuplicateAcks); }
                Step::LoseAll => flight.lose_all(None, at(200)),
                Step::Resend => {
                    let first = flight.next_lost().map(|sent| sent.range.start);
                    let expected = flight.sent.iter().find(|sent| sent.lost.is_some() && !sent.resent).map(|sent| sent.range.start);
                    prop_assert_eq!(first, expected);
                    if let Some(start) = first { flight.resend(start, at(2)); }
                }
            }
            let count = |which: fn(&Sent) -> bool| flight.sent.iter().filter(|sent| which(sent)).count() as u32;
            prop_assert_eq!(flight.sacked, count(|sent| sent.sacked));
            prop_assert_eq!(flight.lost, count(|sent| sent.lost.is_some()));
            prop_assert_eq!(flight.resent, count(|sent| sent.resent));
            prop_assert!(flight.sent.iter().all(|sent| !(sent.sacked && sent.lost.is_some())));
        }
    }
}
