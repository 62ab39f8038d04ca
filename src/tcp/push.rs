//! Which octets carry PSH because of what the application gave (RFC 9293 §3.9.1, MUST-60).
//!
//! ```text
//!   SND.UNA        SND.NXT              end of the queue
//!      │  in flight   │      unsent          │ mark: nothing more was said to follow
//! ```
//!
//! A mark is the position behind its octet. Marks of what was sent live on in the [flight](super::flight), segment by
//! segment.
//!
//! A write that is longer than the peer's window has marks inside, too, so that the peer can hand over what came before it
//! must say that it has no room: as Linux does, wherever two halves of a window have come together, counted from what cannot
//! leave at once.

use std::ops::Range;

/// The marks among the unsent octets.
#[derive(Clone, Debug)]
pub(crate) struct Marks {
    /// Where what was queued ends. There is one such mark at most: what is queued behind it takes it along.
    unsent: Option<u64>,
    /// Inside a long write.
    inside: Option<Inside>,
    /// The last mark that was ever set.
    last: u64,
}

/// Marks at `next`, and every `step` octets behind it, before `end`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Inside {
    next: u64,
    step: u64,
    end: u64,
}

/// How a write meets the window.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Room {
    /// The first position that must wait.
    pub(crate) waits: u64,
    /// Half of the greatest window that the peer has had, in octets, not 0.
    pub(crate) half_window: u64,
    /// Octets of a segment.
    pub(crate) mss: u64,
}

impl Default for Marks {
    /// None yet; what is counted begins behind the SYN, at position 1.
    fn default() -> Marks {
        Marks { unsent: None, inside: None, last: 1 }
    }
}

impl Marks {
    /// `taken` octets were queued, up to position `end`. A mark stands at the end unless `more_follows`; and, however much
    /// follows, where more than half a window has come since the last one.
    pub(crate) fn queued(&mut self, end: u64, taken: u64, room: Room, more_follows: bool) {
        // The application went on: what ended there before, unsent, ends there no more.
        if taken > 0 {
            self.unsent = None;
        }
        self.mark_inside(end, room);
        if !more_follows || end > self.last.saturating_add(room.half_window) {
            self.ends(end);
        }
    }

    /// Nothing more is said to follow what was queued up to position `end`.
    pub(crate) fn ends(&mut self, end: u64) {
        self.last = end;
        self.unsent = Some(end);
    }

    /// What Linux queues in one piece is half a window of whole segments.
    fn mark_inside(&mut self, end: u64, room: Room) {
        let piece = (room.half_window / room.mss.max(1)).max(1) * room.mss.max(1);
        let first = room.waits.saturating_add(piece);
        let is_due = first > self.last.saturating_add(room.half_window);
        let fresh = Inside { next: if is_due { first } else { first.saturating_add(piece) }, step: 2 * piece, end };
        let inside = Inside { end, ..self.inside.unwrap_or(fresh) };
        if inside.next < end {
            self.last = inside.next + (end - 1 - inside.next) / inside.step * inside.step;
            self.inside = Some(inside);
        }
    }

    /// Whether one of these positions has a mark.
    pub(crate) fn within(&self, positions: Range<u64>) -> bool {
        let inside = self.inside.is_some_and(|inside| inside.is_within(&positions));
        inside || self.unsent.is_some_and(|mark| positions.contains(&mark))
    }

    /// Octets from `position` to the first mark inside what waits there; `None` when there is no such mark.
    pub(crate) fn until_inside(&self, position: u64) -> Option<u64> {
        self.inside.and_then(|inside| inside.behind(position)).map(|inside| inside.next - position)
    }

    /// Everything before `position` was sent.
    pub(crate) fn sent(&mut self, position: u64) {
        self.unsent = self.unsent.filter(|mark| *mark > position);
        self.inside = self.inside.and_then(|inside| inside.behind(position));
    }
}

impl Inside {
    fn is_within(self, positions: &Range<u64>) -> bool {
        self.behind(positions.start.saturating_sub(1)).is_some_and(|inside| inside.next < positions.end)
    }

    /// Those of them behind `position`.
    fn behind(self, position: u64) -> Option<Inside> {
        let passed = if position < self.next { 0 } else { (position - self.next) / self.step + 1 };
        let next = self.next + passed * self.step;
        (next < self.end).then_some(Inside { next, ..self })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Nothing need wait, or so it looks.
    fn room(half_window: u64) -> Room {
        Room { waits: u64::MAX / 2, half_window, mss: 100 }
    }

    #[test]
    fn what_follows_unsent_data_takes_its_mark_along() {
        let mut marks = Marks::default();
        marks.queued(101, 100, room(10_000), false);
        marks.queued(201, 100, room(10_000), false);
        assert_eq!(marks.unsent, Some(201));
        marks.sent(201);
        assert_eq!(marks.unsent, None);
    }

    #[test]
    fn nothing_is_marked_while_more_follows() {
        let mut marks = Marks::default();
        marks.queued(101, 100, room(10_000), false);
        marks.queued(201, 100, room(10_000), true);
        assert_eq!(marks.unsent, None);
        marks.queued(301, 100, room(10_000), false);
        assert!(marks.within(201..302) && !marks.within(1..301));
    }

    #[test]
    fn more_than_half_a_window_is_marked_whatever_follows() {
        let mut marks = Marks::default();
        marks.queued(1_002, 1_001, room(1_000), true);
        assert_eq!(marks.unsent, Some(1_002));
        marks.queued(2_002, 1_000, room(1_000), true);
        assert_eq!(marks.unsent, None, "not so soon again");
    }

    #[test]
    fn waiting_in_vain_marks_the_end_of_what_is_there() {
        let mut marks = Marks::default();
        marks.queued(41, 40, room(10_000), true);
        marks.ends(41);
        assert_eq!(marks.unsent, Some(41));
    }

    #[test]
    fn half_a_window_exactly_is_not_yet_marked() {
        let mut marks = Marks::default();
        marks.queued(1_001, 1_000, room(1_000), true);
        assert_eq!(marks.unsent, None);
    }

    #[test]
    fn a_mark_stays_when_nothing_was_queued_behind_it() {
        let mut marks = Marks::default();
        marks.queued(101, 100, room(10_000), false);
        marks.queued(101, 0, room(10_000), true);
        assert_eq!(marks.unsent, Some(101));
    }

    #[test]
    fn a_write_longer_than_the_window_has_marks_inside() {
        let mut marks = Marks::default();
        // Two segments leave at once; what waits comes in pieces of nine segments.
        marks.queued(10_001, 10_000, Room { waits: 201, half_window: 950, mss: 100 }, false);
        let marked: Vec<u64> = (1..=10_001).filter(|at| marks.within(*at..at + 1)).collect();
        assert_eq!(marked, [1_101, 2_901, 4_701, 6_501, 8_301, 10_001]);
        assert!(marks.within(1_000..1_102) && !marks.within(1_102..2_901) && marks.within(3_000..9_000));
        assert_eq!((marks.until_inside(1), marks.until_inside(1_101)), (Some(1_100), Some(1_800)));
        assert_eq!(marks.until_inside(8_301), None, "the end is no mark inside");
        marks.sent(4_701);
        assert!(!marks.within(1..4_702) && marks.within(6_501..6_502));
        marks.sent(9_000);
        assert!(!marks.within(9_001..10_001) && marks.within(10_001..10_002));
    }

    #[test]
    fn where_nothing_leaves_at_once_the_first_piece_is_too_short_for_a_mark() {
        let mut marks = Marks::default();
        marks.queued(10_001, 10_000, Room { waits: 1, half_window: 950, mss: 100 }, true);
        let marked: Vec<u64> = (1..=4_000).filter(|at| marks.within(*at..at + 1)).collect();
        assert_eq!(marked, [1_801, 3_601]);
    }
}
