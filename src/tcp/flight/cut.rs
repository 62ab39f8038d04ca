//! The path has become narrower: what is in flight and too long for it is cut anew.
//!
//! ```text
//!   before   │  1460  │ 300 │  1460  │ 1460, sacked │
//!   after    │1000│460│ 300 │1000│460│ 1460, sacked │
//!              lost  lost    lost lost
//! ```
//!
//! Its octets never arrived, and no acknowledgment will say so: all its pieces are lost at once (RFC 1191 §6.4).

use std::ops::Range;

use super::{Flight, Sent};
use crate::journal::LossRule;

impl Flight {
    /// Cuts every segment with more than `most` octets of data, but for those that the peer has reported, into pieces of
    /// `most` octets, all of them lost. The data ends at `data_end`; a FIN behind it stays with the last piece, and so does
    /// PSH. Returns whether one was too long.
    ///
    /// No transmission is noted for the pieces: none is awaited before it is sent again.
    pub(crate) fn cut(&mut self, most: u64, data_end: u64) -> bool {
        let most = most.max(1);
        let fits = |start: u64, end: u64| end.min(data_end).saturating_sub(start) <= most;
        let is_too_long = |sent: &Sent| {
            let Range { start, end } = sent.range;
            start > 0 && !sent.sacked && !fits(start, end)
        };
        if !self.sent.iter().any(is_too_long) {
            return false;
        }
        for whole in std::mem::take(&mut self.sent) {
            if !is_too_long(&whole) {
                self.sent.push_back(whole);
                continue;
            }
            self.lost -= u32::from(whole.lost.is_some());
            self.too_long -= u32::from(whole.was_too_long());
            self.waiting -= u32::from(whole.waits());
            self.resent -= u32::from(whole.resent);
            let first = self.sent.len();
            let mut start = whole.range.start;
            while start < whole.range.end {
                let is_last = fits(start, whole.range.end);
                let end = if is_last { whole.range.end } else { start + most };
                let (push, ends_burst) = (whole.push && is_last, whole.ends_burst && is_last);
                let range = start..end;
                self.sent.push_back(Sent { range, lost: None, resent: false, push, ends_burst, ..whole });
                self.lose(self.sent.len() - 1, LossRule::PathMtu);
                start = end;
            }
            if let Some(measured) = &mut self.measured {
                measured.cut(first, self.sent.len() - first);
            }
        }
        true
    }

    /// The segment in flight that holds `position`.
    pub(crate) fn at(&self, position: u64) -> Option<&Sent> {
        self.sent.get(self.place(position)).filter(|sent| sent.range.contains(&position))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::Delivery;
    use super::*;
    use crate::time::Instant;
    use std::time::Duration;

    /// Segments between these positions, each with PSH.
    fn flight(positions: &[u64]) -> Flight {
        let mut flight = Flight::default();
        positions.windows(2).for_each(|pair| flight.push(pair[0]..pair[1], Instant::ZERO, true, false));
        flight
    }

    fn sack(flight: &mut Flight, range: Range<u64>) {
        flight.sack(range, Instant::ZERO, Duration::ZERO, &mut Delivery::default());
    }

    /// Each segment's range, with `*` when it is lost and `!` when it carries PSH.
    fn shown(flight: &Flight) -> Vec<String> {
        let mark = |is: bool, mark: &'static str| if is { mark } else { "" };
        let one = |sent: &Sent| format!("{:?}{}{}", sent.range, mark(sent.lost.is_some(), "*"), mark(sent.push, "!"));
        flight.sent.iter().map(one).collect()
    }

    #[test]
    fn only_what_is_too_long_and_not_reported_is_cut() {
        let mut flight = flight(&[1, 1461, 1761, 3221, 4681]);
        sack(&mut flight, 3221..4681);
        assert!(flight.cut(1000, 10_000));
        let expected = ["1..1001*", "1001..1461*!", "1461..1761!", "1761..2761*", "2761..3221*!", "3221..4681!"]
            .map(str::to_owned);
        assert_eq!(shown(&flight), expected);
        assert_eq!((flight.unacked(), flight.lost(), flight.sacked(), flight.in_network(0)), (6, 4, 1, 1));
    }

    #[test]
    fn what_was_lost_or_sent_again_before_is_counted_once() {
        let mut flight = flight(&[1, 2001, 4001]);
        flight.lose_all(None, Instant::ZERO);
        flight.resend(1, Instant::ZERO);
        assert!(flight.cut(1000, 4001));
        assert_eq!((flight.lost(), flight.lost_to_congestion(), flight.resent()), (4, 0, 0));
        assert_eq!(flight.next_lost().map(|sent| sent.range.start), Some(1));
    }

    #[test]
    fn a_fin_takes_no_room_and_stays_at_the_end() {
        let mut flight = flight(&[1, 1002]);
        assert!(!flight.cut(1000, 1001), "1000 octets and FIN");
        assert!(flight.cut(500, 1001));
        assert_eq!(shown(&flight), ["1..501*", "501..1002*!"]);
    }

    #[test]
    fn a_syn_is_never_cut() {
        let mut flight = flight(&[0, 1001]);
        assert!(!flight.cut(500, 1001));
    }

    #[test]
    fn what_was_sent_twice_still_times_nothing_in_pieces() {
        let mut flight = flight(&[1, 2001]);
        flight.lose_oldest(LossRule::DuplicateAcks);
        flight.resend(1, Instant::ZERO);
        flight.cut(1000, 2001);
        flight.resend(1, Instant::ZERO);
        let delivery = flight.acknowledge(1001, Instant::from_nanos(5), Duration::ZERO);
        assert_eq!((delivery.acknowledged, delivery.rtt), (1, None));
    }

    proptest! {
        /// Whatever is in flight, and whatever is thought of it: the counters are what counting the records gives, no octet
        /// is gone, and nothing that goes again is too long.
        #[test]
        fn the_counters_agree_with_the_pieces(
            lengths in proptest::collection::vec(1_u64..3000, 1..20),
            reported in proptest::collection::vec((0_u64..30_000, 1_u64..4000), 0..4),
            (acknowledged, resent, all_lost) in (0_u64..5000, 0_usize..10, proptest::bool::ANY),
            most in 1_u64..2500,
        ) {
            let ends = lengths.iter().scan(1, |end, length| { *end += length; Some(*end) });
            let positions: Vec<u64> = std::iter::once(1).chain(ends).collect();
            let mut flight = flight(&positions);
            reported.into_iter().for_each(|(from, length)| sack(&mut flight, from..from + length));
            flight.acknowledge(acknowledged, Instant::ZERO, Duration::ZERO);
            if all_lost {
                flight.lose_all(None, Instant::ZERO);
            } else {
                flight.judge_by_sack(3);
            }
            for _ in 0..resent {
                let Some(start) = flight.next_lost().map(|sent| sent.range.start) else { break };
                flight.resend(start, Instant::ZERO);
            }
            let octets = |flight: &Flight| flight.sent.iter().map(|sent| sent.range.end - sent.range.start).sum::<u64>();
            let before = octets(&flight);
            flight.cut(most, u64::MAX);
            let count = |is: fn(&Sent) -> bool| flight.sent.iter().filter(|sent| is(sent)).count() as u32;
            prop_assert_eq!(flight.lost(), count(|sent| sent.lost.is_some()));
            prop_assert_eq!(flight.lost() - flight.lost_to_congestion(), count(Sent::was_too_long));
            prop_assert_eq!(flight.waiting, count(Sent::waits));
            prop_assert_eq!(flight.resent(), count(|sent| sent.resent));
            prop_assert_eq!(flight.sacked(), count(|sent| sent.sacked));
            prop_assert_eq!(octets(&flight), before);
            prop_assert!(flight.sent.iter().zip(flight.sent.iter().skip(1)).all(|(a, b)| a.range.end == b.range.start));
            prop_assert!(flight.sent.iter().all(|sent| sent.sacked || sent.range.end - sent.range.start <= most));
            let first = flight.sent.iter().find(|sent| sent.waits()).map(|sent| sent.range.start);
            prop_assert_eq!(flight.next_lost().map(|sent| sent.range.start), first);
        }
    }

    #[test]
    fn the_segment_at_a_position_is_found() {
        let flight = flight(&[1, 1001, 1501]);
        let range = |position| flight.at(position).map(|sent| sent.range.clone());
        assert_eq!([0, 1, 1000, 1001, 1501].map(range), [None, Some(1..1001), Some(1..1001), Some(1001..1501), None]);
    }
}
