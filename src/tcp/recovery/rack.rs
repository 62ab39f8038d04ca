//! RACK (RFC 8985): a segment is lost when one that was sent later has arrived, and reordering can no longer explain it.
//!
//! ```text
//!      sent ──► A        B        C
//!                                 │ C is reported at `now`: RACK.rtt = now − C
//!      A is lost at  A + RACK.rtt + reordering window
//! ```
//!
//! The window is a quarter of the least round-trip time, and grows with each round trip in which D-SACK tells of a needless
//! retransmission. Where no reordering was ever seen it is nothing as soon as three segments are reported, and in recovery.

use std::time::Duration;

use crate::tcp::flight::{Delivery, Transmission};
use crate::time::Instant;

/// Recoveries without D-SACK after which the reordering window is small again (RFC 8985 §6.2, step 4).
const PERSISTENCE: u8 = 16;

/// What RACK keeps of a connection (RFC 8985 §5.3).
#[derive(Clone, Copy, Debug)]
pub(super) struct Rack {
    /// RACK.xmit_ts and RACK.end_seq: the latest transmission that was delivered.
    latest: Transmission,
    /// RACK.rtt: how long that took, in nanoseconds.
    rtt: u64,
    /// RACK.fack: the position after the highest segment delivered.
    fack: u64,
    /// RACK.reordering_seen.
    reordering_seen: bool,
    /// RACK.reo_wnd_mult: quarters of the least round-trip time.
    quarters: u8,
    /// RACK.reo_wnd_persist.
    persist: u8,
    /// RACK.dsack_round: the window grows no more before this position is acknowledged; 0 for none.
    grown_until: u64,
}

/// What the reordering window depends on besides.
#[derive(Clone, Copy, Debug)]
pub(super) struct Path {
    pub(super) min_rtt: Duration,
    pub(super) srtt: Duration,
    /// Segments that SACK reports now.
    pub(super) sacked: u32,
    /// Segments reported behind one that say it is lost.
    pub(super) threshold: u32,
    /// Whether the connection is in fast recovery or in recovery by timer.
    pub(super) recovers: bool,
}

impl Rack {
    pub(super) const fn new() -> Rack {
        Rack {
            latest: Transmission::NONE,
            rtt: 0,
            fack: 0,
            reordering_seen: false,
            quarters: 1,
            persist: 0,
            grown_until: 0,
        }
    }

    /// The latest transmission that was delivered, and how long it took.
    pub(super) fn latest(&self) -> Option<(Transmission, Duration)> {
        (self.latest != Transmission::NONE).then(|| (self.latest, Duration::from_nanos(self.rtt)))
    }

    /// Takes what an acknowledgment has brought (§6.2, steps 1 to 3). Returns how far below the highest the lowest segment
    /// lay that came out of order, in octets.
    pub(super) fn delivered(&mut self, delivery: &Delivery, now: Instant) -> Option<u64> {
        // RFC 8985 looks away from what may have been either copy. But what had left before the first of them was overtaken in
        // any case: without that, a probe of the tail that comes back quickly shows nothing, and the timer has to.
        let either = delivery.no_earlier_than.filter(|first| *first > self.latest);
        if let Some(latest) = delivery.latest.or(either) {
            self.rtt = u64::try_from((now - latest.at).as_nanos()).unwrap_or(u64::MAX);
            self.latest = self.latest.max(latest);
        }
        let late = delivery.lowest_untouched.filter(|(_, end)| *end < self.fack);
        let distance = late.map(|(start, _)| self.fack - start);
        self.reordering_seen |= late.is_some();
        self.fack = self.fack.max(delivery.highest);
        distance
    }

    /// A needless retransmission shows that something came late (as Linux counts it).
    pub(super) fn reordering_was_seen(&mut self) {
        self.reordering_seen = true;
    }

    /// The peer reports octets that came twice (§6.2, step 4).
    pub(super) fn came_twice(&mut self, snd_una: u64, snd_nxt: u64) {
        if snd_una >= self.grown_until {
            self.grown_until = snd_nxt;
            self.quarters = self.quarters.saturating_add(1);
            self.persist = PERSISTENCE;
        }
    }

    /// A recovery is over.
    pub(super) fn recovered(&mut self) {
        self.persist = self.persist.saturating_sub(1);
        if self.persist == 0 {
            self.quarters = 1;
        }
    }

    /// RACK.reo_wnd: how much later than expected a segment may arrive without being thought lost.
    pub(super) fn window(&self, path: Path) -> Duration {
        if !self.reordering_seen && (path.recovers || path.sacked >= path.threshold) {
            return Duration::ZERO;
        }
        (path.min_rtt * u32::from(self.quarters) / 4).min(path.srtt)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    fn at(millis: u64) -> Instant {
        Instant::from_nanos(millis * 1_000_000)
    }

    fn path() -> Path {
        Path { min_rtt: 40 * MS, srtt: 48 * MS, sacked: 0, threshold: 3, recovers: false }
    }

    fn delivery(at: Instant, start: u64, end: u64) -> Delivery {
        let latest = Some(Transmission { at, end });
        Delivery { latest, lowest_untouched: Some((start, end)), highest: end, ..Delivery::default() }
    }

    #[test]
    fn before_reordering_was_seen_enough_reports_suffice() {
        let rack = Rack::new();
        assert_eq!(rack.window(path()), 10 * MS);
        assert_eq!(rack.window(Path { sacked: 2, ..path() }), 10 * MS);
        assert_eq!(rack.window(Path { sacked: 3, ..path() }), Duration::ZERO);
        assert_eq!(rack.window(Path { recovers: true, ..path() }), Duration::ZERO);
    }

    #[test]
    fn a_segment_below_the_highest_shows_reordering() {
        let mut rack = Rack::new();
        assert_eq!(rack.delivered(&delivery(at(5), 3000, 4000), at(45)), None);
        assert_eq!(rack.latest(), Some((Transmission { at: at(5), end: 4000 }, 40 * MS)));
        assert_eq!(rack.delivered(&delivery(at(4), 1000, 2000), at(46)), Some(3000));
        assert_eq!(rack.window(Path { sacked: 9, recovers: true, ..path() }), 10 * MS);
    }

    #[test]
    fn the_latest_transmission_stays_the_latest() {
        let mut rack = Rack::new();
        rack.delivered(&delivery(at(5), 3000, 4000), at(45));
        rack.delivered(&delivery(at(3), 5000, 6000), at(46));
        assert_eq!(rack.latest(), Some((Transmission { at: at(5), end: 4000 }, 43 * MS)));
    }

    #[test]
    fn what_may_be_either_copy_counts_from_the_first() {
        let mut rack = Rack::new();
        let first = Transmission { at: at(5), end: 3000 };
        let either = Delivery { no_earlier_than: Some(first), ..Delivery::default() };
        rack.delivered(&either, at(95));
        assert_eq!(rack.latest(), Some((first, 90 * MS)));
        rack.delivered(&delivery(at(50), 4000, 5000), at(96));
        rack.delivered(&either, at(97));
        assert_eq!(rack.latest(), Some((Transmission { at: at(50), end: 5000 }, 46 * MS)), "that tells nothing new");
    }

    #[test]
    fn what_came_twice_widens_the_window_once_each_round_trip() {
        let mut rack = Rack::new();
        rack.reordering_was_seen();
        rack.came_twice(1000, 9000);
        rack.came_twice(5000, 12_000);
        assert_eq!(rack.window(path()), 20 * MS);
        rack.came_twice(9000, 20_000);
        assert_eq!(rack.window(path()), 30 * MS);
        (0..10).for_each(|round| rack.came_twice(20_000 * (round + 1), 20_000 * (round + 2)));
        assert_eq!(rack.window(path()), 48 * MS, "never more than SRTT");
    }

    #[test]
    fn after_sixteen_clean_recoveries_the_window_is_small_again() {
        let mut rack = Rack::new();
        rack.reordering_was_seen();
        rack.came_twice(0, 9000);
        (0..15).for_each(|_| rack.recovered());
        assert_eq!(rack.window(path()), 20 * MS);
        rack.recovered();
        assert_eq!(rack.window(path()), 10 * MS);
    }
}
