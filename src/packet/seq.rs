//! Sequence numbers, which live on a circle.

use std::fmt;
use std::ops::{Add, AddAssign, Sub};

use serde::Serialize;

/// A TCP sequence number: a point on a circle of 2³² octets (RFC 9293 §3.4).
///
/// "Before" and "after" mean the shorter way round, so two points more than 2³¹ apart compare the other way. That is why
/// this type has no `Ord`: the order is not transitive, and sorting by it would be a bug.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize)]
#[serde(transparent)]
pub struct SeqNum(pub u32);

impl SeqNum {
    /// Whether `self` lies before `other` on the circle.
    pub const fn before(self, other: SeqNum) -> bool {
        (self.0.wrapping_sub(other.0) as i32) < 0
    }

    /// Whether `self` lies after `other` on the circle.
    pub const fn after(self, other: SeqNum) -> bool {
        other.before(self)
    }

    /// Whether `self` is `other` or lies before it.
    pub const fn at_or_before(self, other: SeqNum) -> bool {
        !other.before(self)
    }

    /// Whether `self` is `other` or lies after it.
    pub const fn at_or_after(self, other: SeqNum) -> bool {
        !self.before(other)
    }

    /// Octets from `earlier` forward to `self`, 0 to 2³² − 1.
    pub const fn offset_from(self, earlier: SeqNum) -> u32 {
        self.0.wrapping_sub(earlier.0)
    }
}

impl Add<u32> for SeqNum {
    type Output = SeqNum;

    fn add(self, octets: u32) -> SeqNum {
        SeqNum(self.0.wrapping_add(octets))
    }
}

impl AddAssign<u32> for SeqNum {
    fn add_assign(&mut self, octets: u32) {
        *self = *self + octets;
    }
}

impl Sub<u32> for SeqNum {
    type Output = SeqNum;

    fn sub(self, octets: u32) -> SeqNum {
        SeqNum(self.0.wrapping_sub(octets))
    }
}

impl fmt::Display for SeqNum {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn order_survives_the_wrap() {
        let last = SeqNum(u32::MAX);
        assert!(last.before(last + 1) && (last + 1).after(last));
        assert_eq!((last + 5).offset_from(last), 5);
        assert_eq!(last + 1 - 1, last);
    }

    #[test]
    fn a_point_is_neither_before_nor_after_itself() {
        let seq = SeqNum(7);
        assert!(!seq.before(seq) && !seq.after(seq) && seq.at_or_before(seq) && seq.at_or_after(seq));
    }
}
