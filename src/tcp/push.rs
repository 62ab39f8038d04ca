//! Which octets carry PSH because of what the application gave (RFC 9293 §3.9.1, MUST-60).
//!
//! ```text
//!   SND.UNA        SND.NXT              end of the queue
//!      │  in flight   │      unsent          │ mark: nothing more was said to follow
//! ```
//!
//! A mark is the position behind its octet. Marks of what was sent live on in the [flight](super::flight), segment by
//! segment.

use std::ops::Range;

/// The mark among the unsent octets. There is one at most: what is queued behind it takes it along.
#[derive(Clone, Debug)]
pub(crate) struct Marks {
    unsent: Option<u64>,
    /// The last mark that was ever set.
    last: u64,
}

impl Default for Marks {
    /// None yet; what is counted begins behind the SYN, at position 1.
    fn default() -> Marks {
        Marks { unsent: None, last: 1 }
    }
}

impl Marks {
    /// `taken` octets were queued, up to position `end`. A mark stands at the end unless `more_follows`; and, however much
    /// follows, where more than `half_window` octets have come since the last one.
    pub(crate) fn queued(&mut self, end: u64, taken: u64, half_window: u64, more_follows: bool) {
        // The application went on: what ended there before, unsent, ends there no more.
        if taken > 0 {
            self.unsent = None;
        }
        if !more_follows || end > self.last.saturating_add(half_window) {
            self.last = end;
            self.unsent = Some(end);
        }
    }

    /// Whether one of these positions has a mark.
    pub(crate) fn within(&self, positions: Range<u64>) -> bool {
        self.unsent.is_some_and(|mark| positions.contains(&mark))
    }

    /// Everything before `position` was sent.
    pub(crate) fn sent(&mut self, position: u64) {
        self.unsent = self.unsent.filter(|mark| *mark > position);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_follows_unsent_data_takes_its_mark_along() {
        let mut marks = Marks::default();
        marks.queued(101, 100, 10_000, false);
        marks.queued(201, 100, 10_000, false);
        assert_eq!(marks.unsent, Some(201));
        marks.sent(201);
        assert_eq!(marks.unsent, None);
    }

    #[test]
    fn nothing_is_marked_while_more_follows() {
        let mut marks = Marks::default();
        marks.queued(101, 100, 10_000, false);
        marks.queued(201, 100, 10_000, true);
        assert_eq!(marks.unsent, None);
        marks.queued(301, 100, 10_000, false);
        assert!(marks.within(201..302) && !marks.within(1..301));
    }

    #[test]
    fn more_than_half_a_window_is_marked_whatever_follows() {
        let mut marks = Marks::default();
        marks.queued(1_002, 1_001, 1_000, true);
        assert_eq!(marks.unsent, Some(1_002));
        marks.queued(2_002, 1_000, 1_000, true);
        assert_eq!(marks.unsent, None, "not so soon again");
    }

    #[test]
    fn waiting_in_vain_marks_the_end_of_what_is_there() {
        let mut marks = Marks::default();
        marks.queued(41, 40, 10_000, true);
        marks.queued(41, 0, 0, false);
        assert_eq!(marks.unsent, Some(41));
    }

    #[test]
    fn half_a_window_exactly_is_not_yet_marked() {
        let mut marks = Marks::default();
        marks.queued(1_001, 1_000, 1_000, true);
        assert_eq!(marks.unsent, None);
    }

    #[test]
    fn a_mark_stays_when_nothing_was_queued_behind_it() {
        let mut marks = Marks::default();
        marks.queued(101, 100, 10_000, false);
        marks.queued(101, 0, 10_000, true);
        assert_eq!(marks.unsent, Some(101));
    }
}
