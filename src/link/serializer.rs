//! The sending end of a wire: a queue, and a rate at which bits leave it.
//!
//! ```text
//!   offered ──► [ waiting … waiting ] ──► being serialized ──► left the node
//!                 at most `queue`           until `free_at`
//! ```
//!
//! Nothing is stored but times: a packet's place in the queue is decided when it is offered, and so is when its last
//! bit leaves. Tail drop, first in first out.

use std::collections::VecDeque;
use std::time::Duration;

use crate::time::Instant;

const NANOS_PER_SECOND: u128 = 1_000_000_000;

/// The queue and the rate of one pipe.
pub(super) struct Serializer {
    rate: Option<u64>,
    queue: usize,
    /// When the last bit of the last accepted packet has left, but for `remainder`.
    free_at: Instant,
    /// What integer nanoseconds leave over at `free_at`, in 1/rate nanoseconds: back to back packets keep the rate
    /// exactly, however odd it is.
    remainder: u128,
    /// When each packet that may still wait begins to leave, in order.
    starts: VecDeque<Instant>,
}

impl Serializer {
    pub(super) fn new(rate: Option<u64>, queue: usize) -> Serializer {
        let rate = rate.map(|bits| bits.max(1));
        Serializer { rate, queue, free_at: Instant::ZERO, remainder: 0, starts: VecDeque::new() }
    }

    /// When the wire is free for another packet.
    pub(super) fn free_at(&self) -> Instant {
        self.free_at
    }

    /// Packets that wait at `now`, beside the one that is being serialized.
    pub(super) fn waiting(&mut self, now: Instant) -> usize {
        while self.starts.front().is_some_and(|start| *start <= now) {
            self.starts.pop_front();
        }
        self.starts.len()
    }

    /// When the last bit of a packet of `octets` leaves the node whose first begins to at `start`; the wire is free then.
    pub(super) fn serialize(&mut self, start: Instant, octets: usize) -> Instant {
        let Some(rate) = self.rate else { return start };
        if self.free_at < start {
            (self.free_at, self.remainder) = (start, 0);
        }
        let work = octets as u128 * 8 * NANOS_PER_SECOND + self.remainder;
        self.remainder = work % u128::from(rate);
        self.free_at += Duration::from_nanos(u64::try_from(work / u128::from(rate)).unwrap_or(u64::MAX));
        self.free_at
    }

    /// When the last bit of a packet of `octets`, offered `now`, leaves the node; `None` when the queue is full.
    pub(super) fn accept(&mut self, now: Instant, octets: usize) -> Option<Instant> {
        if self.rate.is_none() {
            return Some(now);
        }
        let waiting = self.waiting(now);
        if self.free_at <= now {
            self.free_at = now;
            self.remainder = 0;
        } else if waiting >= self.queue {
            return None;
        } else {
            self.starts.push_back(self.free_at);
        }
        Some(self.serialize(self.free_at, octets))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn times(serializer: &mut Serializer, offers: &[(u64, usize)]) -> Vec<Option<u64>> {
        let accept =
            |(now, octets): &(u64, usize)| serializer.accept(Instant::from_nanos(*now), *octets).map(Instant::as_nanos);
        offers.iter().map(accept).collect()
    }

    #[test]
    fn a_wire_without_a_rate_takes_no_time_and_has_no_queue() {
        let mut wire = Serializer::new(None, 0);
        assert_eq!(times(&mut wire, &[(5, 1500), (5, 1500)]), [Some(5), Some(5)]);
    }

    #[test]
    fn packets_leave_back_to_back_at_the_rate() {
        // 8 Mbit/s is one octet a microsecond.
        let mut wire = Serializer::new(Some(8_000_000), 10);
        assert_eq!(times(&mut wire, &[(0, 100), (0, 50), (500_000, 1)]), [Some(100_000), Some(150_000), Some(501_000)]);
    }

    #[test]
    fn a_full_queue_refuses_and_makes_room_when_the_next_begins_to_leave() {
        let mut wire = Serializer::new(Some(8_000_000), 1);
        let offers = [(0, 1), (0, 1), (0, 1), (999, 1), (1_000, 1), (3_000, 1)];
        let expected = [Some(1_000), Some(2_000), None, None, Some(3_000), Some(4_000)];
        assert_eq!(times(&mut wire, &offers), expected);
    }

    #[test]
    fn without_a_queue_only_an_idle_wire_takes_a_packet() {
        let mut wire = Serializer::new(Some(8_000_000), 0);
        assert_eq!(times(&mut wire, &[(0, 1), (999, 1), (1_000, 1)]), [Some(1_000), None, Some(2_000)]);
    }

    #[test]
    fn an_odd_rate_is_kept_to_the_nanosecond_over_a_long_run() {
        // 7 bit/s and one octet: 8/7 s each, which no whole number of nanoseconds is.
        let mut wire = Serializer::new(Some(7), 1_000_000);
        let last = times(&mut wire, &[(0, 1); 7_000]).last().copied().flatten();
        assert_eq!(last, Some(8_000 * 1_000_000_000));
    }

    #[test]
    fn an_idle_wire_owes_nothing_to_the_packets_before() {
        // 2 octets at 3 bit/s: 5 1/3 s. The thirds of a second must not add up over idle time.
        let mut wire = Serializer::new(Some(3), 9);
        let second = 1_000_000_000;
        let expected = [Some(5_333_333_333), Some(15_333_333_333), Some(25_333_333_333), Some(35_333_333_333)];
        let offers = [(0, 2), (10 * second, 2), (20 * second, 2), (30 * second, 2)];
        assert_eq!(times(&mut wire, &offers), expected);
    }

    #[test]
    fn a_rate_of_zero_counts_as_one_bit_per_second() {
        assert_eq!(times(&mut Serializer::new(Some(0), 1), &[(0, 1)]), [Some(8_000_000_000)]);
    }
}
