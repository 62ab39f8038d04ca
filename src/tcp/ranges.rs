//! A set of ranges on a line: what of a stream is there.
//!
//! ```text
//!   ───███████────██████████──────██──►     three ranges; touching ones are one
//! ```
//!
//! One set serves both directions: the receiver's octets that wait beyond a gap (and so its SACK blocks), and the
//! sender's octets that the peer has selectively acknowledged. They must not be mixed up, so each carries the tag of its
//! side. Positions count octets from the start of the stream in 64 bits, where nothing wraps.

use std::collections::BTreeMap;
use std::fmt;
use std::marker::PhantomData;
use std::ops::Range;

use smallvec::SmallVec;

/// Octets that the peer has selectively acknowledged.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Sacked {}
/// Octets that have arrived beyond a gap.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Held {}

/// Pieces of a range: rarely more than one.
pub(crate) type Pieces = SmallVec<[Range<u64>; 2]>;

/// Disjoint, non-touching, non-empty ranges in order. Every operation is O(log n) in their number, plus the ranges that
/// it removes or returns.
pub(crate) struct RangeSet<Side> {
    /// Start to end.
    ranges: BTreeMap<u64, u64>,
    side: PhantomData<fn() -> Side>,
}

impl<Side> Default for RangeSet<Side> {
    fn default() -> RangeSet<Side> {
        RangeSet { ranges: BTreeMap::new(), side: PhantomData }
    }
}

impl<Side> fmt::Debug for RangeSet<Side> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

impl<Side> RangeSet<Side> {
    /// Whether nothing is there.
    pub(crate) fn is_empty(&self) -> bool {
        self.ranges.is_empty()
    }

    /// The ranges in order.
    pub(crate) fn iter(&self) -> impl DoubleEndedIterator<Item = Range<u64>> + '_ {
        self.ranges.iter().map(|(start, end)| *start..*end)
    }

    /// The range that holds the octet at `position`.
    pub(crate) fn at(&self, position: u64) -> Option<Range<u64>> {
        let (start, end) = self.ranges.range(..=position).next_back()?;
        (position < *end).then_some(*start..*end)
    }

    /// Whether every octet of `range` is there.
    pub(crate) fn covers(&self, range: &Range<u64>) -> bool {
        range.is_empty() || self.at(range.start).is_some_and(|found| range.end <= found.end)
    }

    /// What of `range` is not there yet, in order.
    pub(crate) fn missing(&self, range: &Range<u64>) -> Pieces {
        let mut pieces = Pieces::new();
        let mut from = self.at(range.start).map_or(range.start, |found| found.end);
        while from < range.end {
            let next = self.ranges.range(from..range.end).next().map(|(start, end)| *start..*end);
            let to = next.as_ref().map_or(range.end, |next| next.start);
            pieces.push(from..to);
            from = next.map_or(range.end, |next| next.end);
        }
        pieces
    }

    /// The first part of `range` that is there.
    pub(crate) fn first_overlap(&self, range: &Range<u64>) -> Option<Range<u64>> {
        let next = || self.ranges.range(range.start..range.end).next().map(|(start, end)| *start..*end);
        let found = self.at(range.start).or_else(next)?;
        Some(found.start.max(range.start)..found.end.min(range.end))
    }

    /// Adds `range`; returns what of it is new, in order.
    pub(crate) fn insert(&mut self, range: Range<u64>) -> Pieces {
        if range.is_empty() {
            return Pieces::new();
        }
        let new = self.missing(&range);
        let (mut start, mut end) = (range.start, range.end);
        // A range that ends where this one begins belongs to it, too.
        if let Some((left, right)) = self.ranges.range(..=start).next_back().map(|(left, right)| (*left, *right))
            && right >= start
        {
            start = left;
            end = end.max(right);
        }
        while let Some((left, right)) = self.ranges.range(start..=end).next().map(|(left, right)| (*left, *right)) {
            self.ranges.remove(&left);
            end = end.max(right);
        }
        self.ranges.insert(start, end);
        new
    }

    /// Forgets everything before `position`.
    pub(crate) fn remove_before(&mut self, position: u64) {
        while let Some(first) = self.ranges.first_entry() {
            if *first.key() >= position {
                return;
            }
            let end = first.remove();
            if end > position {
                self.ranges.insert(position, end);
                return;
            }
        }
    }

    /// Forgets everything.
    pub(crate) fn clear(&mut self) {
        self.ranges.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[derive(Clone, Debug)]
    enum Step {
        Insert(u8, u8),
        RemoveBefore(u8),
    }

    fn steps() -> impl Strategy<Value = Vec<Step>> {
        let step = prop_oneof![
            4 => (any::<u8>(), 0_u8..40).prop_map(|(start, len)| Step::Insert(start, len)),
            1 => any::<u8>().prop_map(Step::RemoveBefore),
        ];
        proptest::collection::vec(step, 0..60)
    }

    proptest! {
        /// Against the plainest model: one flag for each octet.
        #[test]
        fn the_set_agrees_with_a_row_of_flags(steps in steps()) {
            let mut model = [false; 300];
            let mut set = RangeSet::<Held>::default();
            for step in steps {
                match step {
                    Step::Insert(start, len) => {
                        let range = u64::from(start)..u64::from(start) + u64::from(len);
                        let expected: Vec<u64> = range.clone().filter(|at| !model[*at as usize]).collect();
                        let new: Vec<u64> = set.insert(range.clone()).into_iter().flatten().collect();
                        prop_assert_eq!(new, expected);
                        range.for_each(|at| model[at as usize] = true);
                    }
                    Step::RemoveBefore(position) => {
                        set.remove_before(u64::from(position));
                        model[..usize::from(position)].fill(false);
                    }
                }
                let probe = 20..40;
                let first: Vec<u64> = set.first_overlap(&probe).into_iter().flatten().collect();
                let expected: Vec<u64> = probe.skip_while(|at| !model[*at as usize]).take_while(|at| model[*at as usize]).collect();
                prop_assert_eq!(first, expected);
                for at in 0..300 {
                    prop_assert_eq!(set.at(at).is_some(), model[at as usize]);
                }
                let ranges: Vec<_> = set.iter().collect();
                prop_assert!(ranges.windows(2).all(|pair| pair[0].end < pair[1].start));
                prop_assert!(ranges.iter().all(|range| !range.is_empty() && set.covers(range)));
            }
        }
    }
}
