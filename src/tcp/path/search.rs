//! The search for the longest packet that passes, by probes that nobody need report about (RFC 4821 §7).
//!
//! ```text
//!        low                 high            most
//!   ──────┼─────────┼──────────┼───────────────┼────►  octets of a packet
//!     has passed   next     shortest         what the link, reports and
//!                  probe    that did not     the peer would allow
//! ```
//!
//! A probe is a segment like any other, longer than the rest and with others behind it: when it is lost, only the path's
//! width was learnt, nothing of congestion. The middle is tried each time, as Linux does; and, which Linux leaves out, the
//! greatest length itself when the search has come close to it without a failure. An Ethernet path is so used in full, and
//! not but for seven octets.

use std::ops::Range;

use crate::tcp::config::PathDiscovery;
use crate::time::Instant;

/// One search.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Search {
    low: u32,
    /// The longest that has not failed.
    high: u32,
    probe: Option<Probe>,
    /// When it began.
    since: Instant,
}

/// A probe under way: octets from `start` up to `end`, in a packet of `length`.
#[derive(Clone, Copy, Debug)]
struct Probe {
    start: u64,
    end: u64,
    length: u32,
}

impl Search {
    /// Begins anew at `low` octets.
    pub(super) fn from(low: u32, now: Instant) -> Search {
        Search { low, high: u32::MAX, probe: None, since: now }
    }

    /// The longest that is known to pass, or thought to.
    pub(super) fn low(&self) -> u32 {
        self.low
    }

    /// The first octet of the probe that is under way.
    pub(crate) fn probe_start(&self) -> Option<u64> {
        self.probe.map(|probe| probe.start)
    }

    /// Octets of the probe's packet, when `position` is in it.
    pub(super) fn probe_at(&self, position: u64) -> Option<u32> {
        self.probe.filter(|probe| (probe.start..probe.end).contains(&position)).map(|probe| probe.length)
    }

    /// The length to try next, of at most `most`; `None` while a probe is under way, and when the search is over. After a
    /// while it begins anew: paths become wider, too.
    pub(super) fn next_length(&mut self, most: u32, rules: &PathDiscovery, now: Instant) -> Option<u32> {
        if self.probe.is_some() {
            return None;
        }
        if now.since(self.since) >= rules.probe_interval {
            (self.high, self.since) = (u32::MAX, now);
        }
        let high = self.high.min(most);
        let gap = high.checked_sub(self.low).filter(|gap| *gap > 0)?;
        let threshold = u32::from(rules.probe_threshold).max(1);
        if high == most && gap < 2 * threshold {
            return Some(high);
        }
        (gap >= threshold).then_some(self.low + gap / 2)
    }

    /// A probe with these octets has left, in a packet of `length`.
    pub(crate) fn probe_left(&mut self, octets: Range<u64>, length: u32) {
        self.probe = Some(Probe { start: octets.start, end: octets.end, length });
    }

    /// Everything before `position` is acknowledged. Returns the probe's length when it has arrived by this.
    pub(super) fn acknowledged(&mut self, position: u64) -> Option<u32> {
        let probe = self.probe.take_if(|probe| probe.end <= position)?;
        self.low = self.low.max(probe.length);
        Some(probe.length)
    }

    /// The probe was lost, and nothing else: it was too long.
    pub(crate) fn probe_failed(&mut self) {
        if let Some(probe) = self.probe.take() {
            self.high = self.high.min(probe.length.saturating_sub(1));
        }
    }

    /// No more than `length` octets pass, as somebody has said.
    pub(crate) fn cap(&mut self, length: u32) {
        self.low = self.low.min(length);
        self.high = self.high.min(length);
    }

    /// Nothing can be learnt from the probe any more (RFC 4821 §7.6.4).
    pub(super) fn forget_probe(&mut self) {
        self.probe = None;
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const RULES: fn() -> PathDiscovery = PathDiscovery::default;

    /// The lengths that are tried on a path of `width` octets.
    fn tried(width: u32, low: u32, most: u32) -> (Vec<u32>, u32) {
        let mut search = Search::from(low, Instant::ZERO);
        let mut tried = Vec::new();
        while let Some(length) = search.next_length(most, &RULES(), Instant::ZERO) {
            tried.push(length);
            assert!(tried.len() < 20, "it never ends: {tried:?}");
            search.probe_left(1..1001, length);
            assert_eq!(search.next_length(most, &RULES(), Instant::ZERO), None, "one at a time");
            if length <= width {
                assert_eq!((search.acknowledged(1000), search.acknowledged(1001)), (None, Some(length)));
            } else {
                search.probe_failed();
            }
        }
        (tried, search.low())
    }

    #[test]
    fn a_wide_path_is_used_in_full() {
        assert_eq!(tried(1500, 1064, 1500), (vec![1282, 1391, 1445, 1472, 1486, 1500], 1500));
    }

    #[test]
    fn a_narrow_path_is_found_to_within_the_threshold() {
        for width in 1064..1500 {
            let (tried, low) = tried(width, 1064, 1500);
            assert!(low <= width && width - low < 8, "{width} is taken for {low} by {tried:?}");
            assert!(tried.len() <= 8, "{tried:?}");
        }
    }

    #[test]
    fn what_failed_is_tried_again_after_a_while() {
        let mut search = Search::from(1064, Instant::ZERO);
        search.probe_left(1..2, 1282);
        search.probe_failed();
        let at = |seconds| Instant::ZERO + Duration::from_secs(seconds);
        assert_eq!(search.next_length(1500, &RULES(), at(599)), Some(1172));
        assert_eq!(search.next_length(1500, &RULES(), at(600)), Some(1282));
    }

    #[test]
    fn there_is_nothing_to_search_for_below_what_passes() {
        let mut search = Search::from(1064, Instant::ZERO);
        assert_eq!(search.next_length(1064, &RULES(), Instant::ZERO), None);
        assert_eq!(search.next_length(900, &RULES(), Instant::ZERO), None);
    }

    #[test]
    fn a_probe_that_is_forgotten_teaches_nothing() {
        let mut search = Search::from(1064, Instant::ZERO);
        search.probe_left(5..9, 1282);
        assert_eq!((search.probe_at(4), search.probe_at(8), search.probe_at(9)), (None, Some(1282), None));
        search.forget_probe();
        assert_eq!((search.acknowledged(100), search.low()), (None, 1064));
        assert_eq!(search.next_length(1500, &RULES(), Instant::ZERO), Some(1282));
    }
}
