//! CoDel: a queue that drops when packets have waited too long for too long (RFC 8289).
//!
//! The pseudocode of RFC 8289 §5 in whole numbers. Packets stand in one line; how long each has waited is known only when it
//! leaves, and so are drops and marks: the pipe asks for the next packet whenever the wire is free.

use std::collections::VecDeque;
use std::time::Duration;

use crate::time::Instant;

/// Octets that may wait without the wait being anybody's fault: one packet of the longest kind (RFC 8289 §5.3).
const LONGEST_PACKET: usize = 1514;

/// What stands in the line.
pub(super) trait Queued {
    /// Octets on the wire.
    fn octets(&self) -> usize;
    /// Marks it, if it can be marked; `false` when it cannot.
    fn mark(&mut self) -> bool;
}

/// The line and its controller.
pub(super) struct CoDel<T> {
    target: Duration,
    interval: Duration,
    ecn: bool,
    line: VecDeque<(Instant, T)>,
    octets: usize,
    /// When waits above the target become too many; `None` while they are below it.
    first_above: Option<Instant>,
    is_dropping: bool,
    drop_next: Instant,
    count: u32,
    last_count: u32,
}

/// What becomes of a packet at the head of the line.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Fate<T> {
    /// It leaves.
    Leaves(T),
    /// It leaves, marked.
    Marked(T),
    /// It is dropped, having waited so long.
    Dropped(T, Duration),
}

impl<T: Queued> CoDel<T> {
    pub(super) fn new(target: Duration, interval: Duration, ecn: bool) -> CoDel<T> {
        CoDel {
            target,
            interval,
            ecn,
            line: VecDeque::new(),
            octets: 0,
            first_above: None,
            is_dropping: false,
            drop_next: Instant::ZERO,
            count: 0,
            last_count: 0,
        }
    }

    /// Packets in the line.
    pub(super) fn len(&self) -> usize {
        self.line.len()
    }

    pub(super) fn push(&mut self, now: Instant, item: T) {
        self.octets += item.octets();
        self.line.push_back((now, item));
    }

    /// When the first in the line came.
    pub(super) fn head_since(&self) -> Option<Instant> {
        self.line.front().map(|(at, _)| *at)
    }

    /// Lets the next packet leave at `now`; what happens to it and to those before it goes into `fates`, which ends with the
    /// one that leaves, if one does.
    pub(super) fn pop(&mut self, now: Instant, fates: &mut Vec<Fate<T>>) {
        let Some((mut item, mut waited, mut ok_to_drop)) = self.take(now) else {
            self.is_dropping = false;
            return;
        };
        if self.is_dropping {
            self.is_dropping = ok_to_drop;
            while self.is_dropping && now >= self.drop_next {
                self.count = self.count.saturating_add(1);
                if self.ecn && item.mark() {
                    self.drop_next = self.control_law(self.drop_next);
                    return fates.push(Fate::Marked(item));
                }
                fates.push(Fate::Dropped(item, waited));
                let Some(next) = self.take(now) else {
                    self.is_dropping = false;
                    return;
                };
                (item, waited, ok_to_drop) = next;
                self.is_dropping = ok_to_drop;
                if ok_to_drop {
                    self.drop_next = self.control_law(self.drop_next);
                }
            }
        } else if ok_to_drop {
            self.is_dropping = true;
            // Begins where the last time ended, if that was lately (RFC 8289 §4.2).
            let delta = self.count.saturating_sub(self.last_count);
            let lately = now.since(self.drop_next) < 16 * self.interval;
            self.count = if delta > 1 && lately { delta } else { 1 };
            self.drop_next = self.control_law(now);
            self.last_count = self.count;
            if self.ecn && item.mark() {
                return fates.push(Fate::Marked(item));
            }
            fates.push(Fate::Dropped(item, waited));
            let Some(next) = self.take(now) else {
                self.is_dropping = false;
                return;
            };
            item = next.0;
        }
        fates.push(Fate::Leaves(item));
    }

    /// The head of the line, how long it has waited, and whether it may be dropped.
    fn take(&mut self, now: Instant) -> Option<(T, Duration, bool)> {
        let Some((since, item)) = self.line.pop_front() else {
            self.first_above = None;
            return None;
        };
        self.octets -= item.octets();
        let waited = now.since(since);
        let mut ok_to_drop = false;
        if waited < self.target || self.octets <= LONGEST_PACKET {
            self.first_above = None;
        } else {
            match self.first_above {
                None => self.first_above = Some(now + self.interval),
                Some(at) => ok_to_drop = now >= at,
            }
        }
        Some((item, waited, ok_to_drop))
    }

    /// The next drop: sooner by the square root of how many there were.
    fn control_law(&self, at: Instant) -> Instant {
        // 32 fractional bits under the root are 16 behind it.
        let root = (u64::from(self.count.max(1)) << 32).isqrt();
        let nanos = (self.interval.as_nanos() << 16) / u128::from(root.max(1));
        at + Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: u64 = 1_000_000;

    #[derive(Debug, PartialEq, Eq)]
    struct Item {
        number: u64,
        is_capable: bool,
    }

    impl Queued for Item {
        fn octets(&self) -> usize {
            1500
        }

        fn mark(&mut self) -> bool {
            self.is_capable
        }
    }

    fn at(millis: u64) -> Instant {
        Instant::from_nanos(millis * MS)
    }

    fn codel(ecn: bool) -> CoDel<Item> {
        CoDel::new(Duration::from_millis(5), Duration::from_millis(100), ecn)
    }

    /// One packet comes and one leaves each millisecond, with `standing` ahead of it; returns when packets were dropped or
    /// marked.
    fn moments(mut codel: CoDel<Item>, standing: u64, until: u64, is_capable: bool) -> Vec<(u64, bool)> {
        for number in 0..standing {
            codel.push(at(0), Item { number, is_capable });
        }
        let mut found = Vec::new();
        for millis in 0..until {
            codel.push(at(millis), Item { number: millis, is_capable });
            let mut fates = Vec::new();
            codel.pop(at(millis), &mut fates);
            found.extend(fates.iter().filter_map(|fate| match fate {
                Fate::Leaves(_) => None,
                Fate::Marked(_) => Some((millis, true)),
                Fate::Dropped(_, waited) => {
                    assert!(*waited >= Duration::from_millis(5));
                    Some((millis, false))
                }
            }));
        }
        found
    }

    #[test]
    fn a_short_wait_is_nobodys_fault() {
        assert_eq!(moments(codel(false), 4, 1000, false), []);
    }

    #[test]
    fn a_standing_queue_loses_one_after_an_interval_and_then_ever_more_often() {
        // Above the target from 5 ms on, an interval later the first drop, then after 100/√1, 100/√2, … ms.
        let drops = moments(codel(false), 1_000, 600, false);
        let first: Vec<u64> = drops.iter().take(5).map(|(at, _)| *at).collect();
        assert_eq!(first, [105, 205, 276, 334, 384]);
    }

    #[test]
    fn what_is_ecn_capable_is_marked_at_the_same_moments() {
        let marks = moments(codel(true), 1_000, 300, true);
        assert_eq!(marks, [(105, true), (205, true), (276, true)]);
        assert_eq!(moments(codel(true), 1_000, 150, false), [(105, false)]);
    }
}
