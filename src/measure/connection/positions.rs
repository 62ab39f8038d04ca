//! Places in a stream, unrolled from the circle of sequence numbers; and sets of them.

use std::collections::BTreeMap;

use crate::packet::SeqNum;

/// Turns sequence numbers into places that only grow.
#[derive(Clone, Copy, Debug)]
pub(super) struct Unrolled {
    known: SeqNum,
    place: i64,
}

impl Unrolled {
    /// `seq` is place 0.
    pub(super) fn from(seq: SeqNum) -> Unrolled {
        Unrolled { known: seq, place: 0 }
    }

    /// The place of `seq`: the one that is closest to where the stream has come.
    pub(super) fn place(&self, seq: SeqNum) -> i64 {
        self.place + i64::from(seq.0.wrapping_sub(self.known.0) as i32)
    }

    /// The stream has come to `seq`.
    pub(super) fn advance(&mut self, seq: SeqNum) {
        let place = self.place(seq);
        if place > self.place {
            (self.known, self.place) = (seq, place);
        }
    }
}

/// A set of places: disjoint ranges, start to end.
#[derive(Clone, Debug, Default)]
pub(super) struct Places(BTreeMap<i64, i64>);

impl Places {
    /// Adds a range; returns how many of its places are new.
    pub(super) fn add(&mut self, from: i64, to: i64) -> u64 {
        if to <= from {
            return 0;
        }
        let (mut start, mut end, mut known) = (from, to, 0);
        while let Some((left, right)) = self.0.range(..=end).next_back().map(|(left, right)| (*left, *right)) {
            if right < start {
                break;
            }
            known += right.min(to).saturating_sub(left.max(from)).max(0);
            self.0.remove(&left);
            start = start.min(left);
            end = end.max(right);
        }
        self.0.insert(start, end);
        (to - from - known).unsigned_abs()
    }

    /// Whether all of a range is there.
    pub(super) fn cover(&self, from: i64, to: i64) -> bool {
        self.0.range(..=from).next_back().is_some_and(|(_, end)| to <= *end)
    }

    /// Whether any of a range is there.
    pub(super) fn touch(&self, from: i64, to: i64) -> bool {
        self.0.range(..to).next_back().is_some_and(|(_, end)| from < *end)
    }

    /// Where the last range ends.
    pub(super) fn end(&self) -> Option<i64> {
        self.0.last_key_value().map(|(_, end)| *end)
    }

    /// Forgets what lies before `place`.
    pub(super) fn forget_before(&mut self, place: i64) {
        while let Some((start, end)) = self.0.first_key_value().map(|(start, end)| (*start, *end)) {
            if start >= place {
                return;
            }
            self.0.remove(&start);
            if end > place {
                self.0.insert(place, end);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_go_on_where_numbers_begin_again() {
        let mut unrolled = Unrolled::from(SeqNum(u32::MAX - 9));
        assert_eq!((unrolled.place(SeqNum(10)), unrolled.place(SeqNum(u32::MAX - 19))), (20, -10));
        unrolled.advance(SeqNum(1 << 30));
        unrolled.advance(SeqNum(5));
        unrolled.advance(SeqNum(1 << 31));
        unrolled.advance(SeqNum(3 << 30));
        unrolled.advance(SeqNum(6));
        assert_eq!(unrolled.place(SeqNum(6)), (1 << 32) + 16);
    }

    #[test]
    fn a_set_counts_each_place_once() {
        let mut set = Places::default();
        for (from, to, new) in [(10, 20, 10), (30, 40, 10), (15, 35, 10), (-5, 10, 15), (-5, 40, 0), (50, 50, 0)] {
            assert_eq!(set.add(from, to), new, "{from}..{to}");
        }
        assert!(set.cover(-5, 40) && !set.cover(39, 41) && set.touch(39, 50) && !set.touch(40, 50));
        set.forget_before(30);
        assert!(!set.touch(0, 30) && set.cover(30, 40));
        assert_eq!(set.end(), Some(40));
    }
}
