//! When the next segments may leave, so that they are spaced and do not go in bursts (draft-ietf-ccwg-bbr §5.6.2, §5.6.3).
//!
//! ```text
//!   ▮▮        ▮▮        ▮▮        a quantum of segments, then a pause that makes them go at the rate
//!   ├─────────┤
//!    quantum / rate
//! ```
//!
//! A quantum is what leaves in a millisecond: a timer for every segment would cost more than it brings. Who comes late,
//! because a timer fired late or because there was nothing to send, may make up for half a quantum, as in Linux: the rate
//! is kept in spite of slow timers, and an idle time does not end in a burst.

use std::time::Duration;

use crate::time::Instant;

/// Octets of the greatest quantum.
const LARGEST_QUANTUM: u64 = 64 * 1024;
/// Segments of the least.
const LEAST_QUANTUM: u64 = 2;
/// Quanta that leave each second.
const QUANTA: u64 = 1000;

/// The pace of a connection.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Pacer {
    /// C.next_send_time
    next: Instant,
}

impl Pacer {
    /// When the next segment may leave; a moment in the past when it may leave now.
    pub(crate) fn due(&self) -> Instant {
        self.next
    }

    /// `octets` leave, at a rate of `rate` octets each second.
    pub(crate) fn departed(&mut self, now: Instant, octets: u64, rate: u64) {
        let takes = span(octets, rate);
        let late = now - self.next;
        self.next = self.next.max(now) + (takes - late.min(takes / 2));
    }

    /// What left counts no more: a new rate begins from here.
    pub(crate) fn reset(&mut self, now: Instant) {
        self.next = self.next.min(now);
    }
}

/// Octets that may leave together at this rate, with segments of `mss` octets.
pub(crate) fn quantum(rate: u64, mss: u32) -> u64 {
    (rate / QUANTA).min(LARGEST_QUANTUM).max(LEAST_QUANTUM * u64::from(mss))
}

/// How long `octets` take at `rate`; a rate of none is taken as one octet each second.
fn span(octets: u64, rate: u64) -> Duration {
    let nanos = u128::from(octets) * 1_000_000_000 / u128::from(rate.max(1));
    Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(micros: u64) -> Instant {
        Instant::from_nanos(micros * 1000)
    }

    #[test]
    fn segments_go_at_the_rate() {
        let mut pacer = Pacer::default();
        let mut now = at(1_000_000);
        for _ in 0..1000 {
            now = now.max(pacer.due());
            pacer.departed(now, 1500, 1_500_000);
        }
        // The first came out of an idle time and cost half of its millisecond.
        assert_eq!(pacer.due(), at(1_000_000 + 1_000_000 - 500));
    }

    #[test]
    fn an_idle_time_does_not_end_in_a_burst() {
        let mut pacer = Pacer::default();
        pacer.departed(at(0), 1500, 1_500_000);
        let mut gone = 0;
        while pacer.due() <= at(60_000_000) {
            pacer.departed(at(60_000_000), 1500, 1_500_000);
            gone += 1;
        }
        assert_eq!(gone, 1);
    }

    #[test]
    fn a_late_timer_does_not_slow_the_connection_down() {
        let mut pacer = Pacer::default();
        let mut now = at(0);
        for _ in 0..1000 {
            pacer.departed(now, 3000, 1_500_000);
            now = pacer.due() + Duration::from_micros(300);
        }
        assert!(now <= at(2_000_000 + 300), "{now}");
    }

    #[test]
    fn a_quantum_is_a_milliseconds_worth_between_two_segments_and_64_kilobytes() {
        assert_eq!(quantum(10_000, 1460), 2920);
        assert_eq!(quantum(12_500_000, 1460), 12_500);
        assert_eq!(quantum(u64::MAX, 1460), 65_536);
    }

    #[test]
    fn a_faster_rate_need_not_wait_for_the_slower_one() {
        let mut pacer = Pacer::default();
        pacer.departed(at(0), 1500, 1);
        pacer.reset(at(10));
        assert_eq!(pacer.due(), at(10));
    }

    #[test]
    fn no_rate_and_no_time_overflow() {
        let mut pacer = Pacer::default();
        pacer.departed(Instant::from_nanos(u64::MAX), u64::MAX, 0);
        assert_eq!(pacer.due(), Instant::from_nanos(u64::MAX));
        pacer.departed(at(0), 0, u64::MAX);
        assert_eq!(span(u64::MAX, 0), Duration::from_nanos(u64::MAX));
    }
}
