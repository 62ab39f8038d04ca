//! The flight: every segment that was sent and is not yet acknowledged, and what is thought of it.
//!
//! ```text
//!   SND.UNA                                             SND.NXT
//!      │ lost │ sacked │ sacked │ lost, resent │ sent │ sent │
//! ```
//!
//! One record for each segment of at most one maximum segment size, also when several left as a super-segment: loss,
//! acknowledgment and the congestion window are counted in segments. The same records are the scoreboard for selective
//! acknowledgments (RFC 2018, RFC 6675 §3) and the clock for round-trip times (RFC 6298 §3).
//!
//! Positions count sequence numbers from the initial one, in 64 bits: the SYN stands at 0, the first octet at 1.

use std::collections::VecDeque;
use std::ops::Range;
use std::time::Duration;

use super::ranges::{RangeSet, Sacked};
use crate::time::Instant;

/// Duplicate or selective acknowledgments that say a segment is lost (RFC 5681 §2, DupThresh).
pub(crate) const DUPLICATE_THRESHOLD: u32 = 3;

/// One segment in flight.
#[derive(Clone, Debug)]
pub(crate) struct Sent {
    /// The sequence space that it takes, SYN and FIN included.
    pub(crate) range: Range<u64>,
    /// When it was sent last.
    pub(crate) at: Instant,
    /// How often it was sent.
    pub(crate) transmissions: u8,
    /// The peer has reported it by SACK.
    pub(crate) sacked: bool,
    /// It is thought lost.
    pub(crate) lost: bool,
    /// It was sent again since it was thought lost.
    pub(crate) resent: bool,
    /// It went out with PSH.
    pub(crate) push: bool,
}

/// The segments in flight.
#[derive(Debug, Default)]
pub(crate) struct Flight {
    sent: VecDeque<Sent>,
    sacked_ranges: RangeSet<Sacked>,
    sacked: u32,
    lost: u32,
    resent: u32,
    /// No segment before this position waits to be sent again.
    resend_from: u64,
    /// Segments before this position were judged by the selective acknowledgments behind them.
    judged_to: u64,
    total_retransmissions: u32,
    delivered: u32,
}

/// What an acknowledgment has brought.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Delivery {
    /// Segments that were delivered: acknowledged or reported by SACK for the first time.
    pub(crate) delivered: u32,
    /// Segments that left the flight.
    pub(crate) acknowledged: u32,
    /// The time since the youngest of them was sent; `None` when it was sent more than once (Karn).
    pub(crate) rtt: Option<Duration>,
    /// Whether one of them had been sent more than once.
    pub(crate) was_resent: bool,
}

impl Flight {
    /// Whether nothing is unacknowledged.
    pub(crate) fn is_empty(&self) -> bool {
        self.sent.is_empty()
    }

    /// Segments sent and not cumulatively acknowledged.
    pub(crate) fn unacked(&self) -> u32 {
        self.sent.len() as u32
    }

    /// Of these, reported by SACK.
    pub(crate) fn sacked(&self) -> u32 {
        self.sacked
    }

    /// Of these, thought lost.
    pub(crate) fn lost(&self) -> u32 {
        self.lost
    }

    /// Of these, sent again since.
    pub(crate) fn resent(&self) -> u32 {
        self.resent
    }

    /// Retransmissions so far.
    pub(crate) fn total_retransmissions(&self) -> u32 {
        self.total_retransmissions
    }

    /// Segments delivered so far.
    pub(crate) fn delivered(&self) -> u32 {
        self.delivered
    }

    /// Segments thought to be in the network (RFC 6675 §4, pipe). `unreported` have left it without SACK: one for each
    /// duplicate acknowledgment.
    pub(crate) fn in_network(&self, unreported: u32) -> u32 {
        (self.unacked() + self.resent).saturating_sub(self.sacked + self.lost + unreported)
    }

    /// A new segment left.
    pub(crate) fn push(&mut self, range: Range<u64>, at: Instant, push: bool) {
        self.sent.push_back(Sent { range, at, transmissions: 1, sacked: false, lost: false, resent: false, push });
    }

    /// Everything before `position` is acknowledged. An acknowledgment in the middle of a segment leaves its rest.
    pub(crate) fn acknowledge(&mut self, position: u64, now: Instant) -> Delivery {
        let mut delivery = Delivery::default();
        while let Some(front) = self.sent.front_mut() {
            if front.range.end > position {
                front.range.start = front.range.start.max(position);
                break;
            }
            delivery.acknowledged += 1;
            delivery.delivered += u32::from(!front.sacked);
            delivery.was_resent |= front.transmissions > 1;
            // What SACK reported was timed then; its acknowledgment now says nothing of the path.
            let timed = front.transmissions == 1 && !front.sacked;
            delivery.rtt = timed.then(|| now - front.at);
            self.sacked -= u32::from(front.sacked);
            self.lost -= u32::from(front.lost);
            self.resent -= u32::from(front.resent);
            self.sent.pop_front();
        }
        if delivery.was_resent {
            delivery.rtt = None;
        }
        self.sacked_ranges.remove_before(position);
        self.delivered = self.delivered.wrapping_add(delivery.delivered);
        delivery
    }

    /// The peer holds `range`, beyond a gap. Returns the segments that this reports for the first time.
    pub(crate) fn sack(&mut self, range: Range<u64>, now: Instant) -> Delivery {
        let mut delivery = Delivery::default();
        for new in self.sacked_ranges.insert(range) {
            let mut index = self.place(new.start);
            while let Some(sent) = self.sent.get_mut(index).filter(|sent| sent.range.start < new.end) {
                index += 1;
                if sent.sacked || !self.sacked_ranges.covers(&sent.range) {
                    continue;
                }
                sent.sacked = true;
                self.sacked += 1;
                self.lost -= u32::from(std::mem::take(&mut sent.lost));
                self.resent -= u32::from(std::mem::take(&mut sent.resent));
                delivery.delivered += 1;
                delivery.was_resent |= sent.transmissions > 1;
                delivery.rtt = (sent.transmissions == 1).then(|| now - sent.at).or(delivery.rtt);
            }
        }
        self.delivered = self.delivered.wrapping_add(delivery.delivered);
        delivery
    }

    /// Judges by SACK: a segment with [`DUPLICATE_THRESHOLD`] reported ones behind it is lost (RFC 6675 §4, IsLost).
    /// Returns how many are newly thought lost.
    pub(crate) fn judge_by_sack(&mut self) -> u32 {
        let mut behind = 0;
        let mut edge = None;
        for (index, sent) in self.sent.iter().enumerate().rev() {
            behind += u32::from(sent.sacked);
            if behind == DUPLICATE_THRESHOLD {
                edge = Some(index);
                break;
            }
            if sent.range.end <= self.judged_to {
                break;
            }
        }
        let Some(edge) = edge else { return 0 };
        let from = self.place(self.judged_to);
        let mut newly = 0;
        for index in from..edge {
            newly += u32::from(self.lose(index));
        }
        self.judged_to = self.judged_to.max(self.sent[edge].range.start);
        newly
    }

    /// The oldest segment is lost. Returns whether that is news.
    pub(crate) fn lose_oldest(&mut self) -> bool {
        !self.sent.is_empty() && self.lose(0)
    }

    /// Everything that the peer has not reported is lost (RFC 6298 §5.4 with RFC 2018 §8: after a time-out nothing in
    /// flight is trusted any more). When the peer has dropped what it reported, that goes, too.
    pub(crate) fn lose_all(&mut self) {
        if self.sent.front().is_some_and(|oldest| oldest.sacked) {
            self.sacked_ranges.clear();
            self.sent.iter_mut().for_each(|sent| sent.sacked = false);
            self.sacked = 0;
        }
        for index in 0..self.sent.len() {
            let sent = &mut self.sent[index];
            self.resent -= u32::from(std::mem::take(&mut sent.resent));
            self.lose(index);
        }
        self.resend_from = 0;
    }

    /// The peer has refused all of it: it goes again, in segments of at most `mss` octets.
    pub(crate) fn lose_and_cut(&mut self, mss: u64) {
        for Sent { range, at, push, .. } in std::mem::take(&mut self.sent) {
            let mut start = range.start;
            while start < range.end {
                let end = range.end.min(start + mss);
                self.push(start..end, at, push && end == range.end);
                start = end;
            }
        }
        (self.sacked, self.lost, self.resent) = (0, 0, 0);
        self.lose_all();
    }

    /// The first segment that is thought lost and was not sent again since.
    pub(crate) fn next_lost(&mut self) -> Option<&Sent> {
        if self.lost == self.resent {
            return None;
        }
        let mut index = self.place(self.resend_from);
        while self.sent.get(index).is_some_and(|sent| !sent.lost || sent.resent) {
            index += 1;
        }
        let found = self.sent.get(index)?;
        self.resend_from = found.range.start;
        Some(found)
    }

    /// The segment that begins at `position` was sent again.
    pub(crate) fn resend(&mut self, position: u64, now: Instant) {
        let index = self.place(position);
        let Some(sent) = self.sent.get_mut(index) else { return };
        sent.at = now;
        sent.transmissions = sent.transmissions.saturating_add(1);
        if sent.lost && !sent.resent {
            sent.resent = true;
            self.resent += 1;
        }
        self.total_retransmissions = self.total_retransmissions.saturating_add(1);
    }

    /// The index of the first segment that reaches beyond `position`.
    fn place(&self, position: u64) -> usize {
        self.sent.partition_point(|sent| sent.range.end <= position)
    }

    fn lose(&mut self, index: usize) -> bool {
        let Some(sent) = self.sent.get_mut(index).filter(|sent| !sent.sacked && !sent.lost) else { return false };
        sent.lost = true;
        self.lost += 1;
        self.resend_from = self.resend_from.min(sent.range.start);
        true
    }

    /// Gives memory back when nothing is in flight.
    pub(crate) fn rest(&mut self) {
        const IDLE: usize = 4;
        if self.sent.is_empty() && self.sent.capacity() > IDLE {
            self.sent = VecDeque::new();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const MSS: u64 = 1000;

    fn at(millis: u64) -> Instant {
        Instant::from_nanos(millis * 1_000_000)
    }

    fn flight(segments: u64) -> Flight {
        let mut flight = Flight::default();
        (0..segments).for_each(|index| flight.push(index * MSS..(index + 1) * MSS, at(index), false));
        flight
    }

    fn sack(flight: &mut Flight, segments: Range<u64>) -> Delivery {
        flight.sack(segments.start * MSS..segments.end * MSS, at(100))
    }

    #[test]
    fn an_acknowledgment_times_the_youngest_segment() {
        let mut flight = flight(5);
        let delivery = flight.acknowledge(3 * MSS, at(100));
        assert_eq!((delivery.acknowledged, delivery.rtt), (3, Some(Duration::from_millis(98))));
        assert_eq!(flight.unacked(), 2);
    }

    #[test]
    fn what_was_refused_goes_again_in_segments_that_fit() {
        let mut flight = Flight::default();
        flight.push(0..1, at(0), false);
        flight.push(1..2501, at(0), true);
        flight.acknowledge(101, at(10));
        flight.lose_and_cut(1000);
        let cut: Vec<(Range<u64>, bool)> = flight.sent.iter().map(|sent| (sent.range.clone(), sent.push)).collect();
        assert_eq!(cut, [(101..1101, false), (1101..2101, false), (2101..2501, true)]);
        assert_eq!((flight.unacked(), flight.lost(), flight.in_network(0)), (3, 3, 0));
        assert_eq!(flight.next_lost().map(|sent| sent.range.clone()), Some(101..1101));
    }

    #[test]
    fn a_segment_sent_twice_times_nothing() {
        let mut flight = flight(2);
        flight.lose_oldest();
        flight.resend(0, at(50));
        let delivery = flight.acknowledge(2 * MSS, at(100));
        assert_eq!((delivery.rtt, delivery.was_resent), (None, true));
    }

    #[test]
    fn part_of_a_segment_stays_in_flight() {
        let mut flight = flight(1);
        assert_eq!(flight.acknowledge(300, at(9)).acknowledged, 0);
        assert_eq!(flight.sent.front().map(|sent| sent.range.clone()), Some(300..MSS));
    }

    #[test]
    fn three_reports_behind_a_segment_say_that_it_is_lost() {
        let mut flight = flight(6);
        sack(&mut flight, 1..3);
        assert_eq!(flight.judge_by_sack(), 0);
        sack(&mut flight, 4..5);
        assert_eq!(flight.judge_by_sack(), 1);
        assert_eq!(flight.next_lost().map(|sent| sent.range.start), Some(0));
        sack(&mut flight, 5..6);
        assert_eq!(flight.judge_by_sack(), 0, "segment 3 has only two behind it");
    }

    #[test]
    fn after_a_time_out_everything_unreported_is_lost_and_goes_again_in_order() {
        let mut flight = flight(4);
        sack(&mut flight, 2..3);
        flight.lose_all();
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
        flight.lose_all();
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
                        flight.push(next..next + MSS, at(0), false);
                        next += MSS;
                    }
                    Step::Acknowledge(to) => {
                        una = to.clamp(una, next);
                        flight.acknowledge(una, at(1));
                    }
                    Step::Sack(from, to) => {
                        let range = from.clamp(una, next)..to.clamp(una, next);
                        flight.sack(range, at(1));
                    }
                    Step::Judge => { flight.judge_by_sack(); }
                    Step::LoseOldest => { flight.lose_oldest(); }
                    Step::LoseAll => flight.lose_all(),
                    Step::Resend => {
                        let first = flight.next_lost().map(|sent| sent.range.start);
                        let expected = flight.sent.iter().find(|sent| sent.lost && !sent.resent).map(|sent| sent.range.start);
                        prop_assert_eq!(first, expected);
                        if let Some(start) = first { flight.resend(start, at(2)); }
                    }
                }
                let count = |which: fn(&Sent) -> bool| flight.sent.iter().filter(|sent| which(sent)).count() as u32;
                prop_assert_eq!(flight.sacked, count(|sent| sent.sacked));
                prop_assert_eq!(flight.lost, count(|sent| sent.lost));
                prop_assert_eq!(flight.resent, count(|sent| sent.resent));
                prop_assert!(flight.sent.iter().all(|sent| !(sent.sacked && sent.lost) && (sent.lost || !sent.resent)));
            }
        }
    }
}
