//! Who has something to do next, among many who often change their minds.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use crate::time::Instant;

/// Deadlines of numbered parties. A party whose deadline moves back keeps its early entry in the heap until that comes up: so
/// that a timer which is put off with each packet costs nothing.
#[derive(Debug, Default)]
pub(super) struct Agenda {
    parties: Vec<Party>,
    heap: BinaryHeap<Reverse<(Instant, usize)>>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Party {
    deadline: Option<Instant>,
    /// Its entry in the heap, never later than its deadline. Others of it are stale.
    entry: Option<Instant>,
}

impl Agenda {
    /// Says when the party has something to do; `None` when it waits for others.
    pub(super) fn set(&mut self, party: usize, deadline: Option<Instant>) {
        if self.parties.len() <= party {
            self.parties.resize(party + 1, Party::default());
        }
        let known = &mut self.parties[party];
        known.deadline = deadline;
        if let Some(at) = deadline
            && known.entry.is_none_or(|entry| at < entry)
        {
            known.entry = deadline;
            self.heap.push(Reverse((at, party)));
        }
    }

    /// When the first of them has something to do.
    pub(super) fn next(&mut self) -> Option<Instant> {
        loop {
            let Reverse((at, party)) = *self.heap.peek()?;
            let known = &mut self.parties[party];
            if known.entry == Some(at) && known.deadline == Some(at) {
                return Some(at);
            }
            self.heap.pop();
            if known.entry == Some(at) {
                known.entry = known.deadline;
                self.heap.extend(known.deadline.map(|at| Reverse((at, party))));
            }
        }
    }

    /// Takes those off whose time has come, in the order of their numbers.
    pub(super) fn due(&mut self, now: Instant) -> Vec<usize> {
        let mut due = Vec::new();
        while self.next().is_some_and(|at| at <= now)
            && let Some(Reverse((_, party))) = self.heap.pop()
        {
            self.parties[party] = Party::default();
            due.push(party);
        }
        due.sort_unstable();
        due
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn at(nanos: u64) -> Instant {
        Instant::from_nanos(nanos)
    }

    #[test]
    fn a_timer_that_is_put_off_a_thousand_times_is_one_entry() {
        let mut agenda = Agenda::default();
        for put_off in 10..1010 {
            agenda.set(3, Some(at(put_off)));
        }
        assert_eq!((agenda.heap.len(), agenda.next()), (1, Some(at(1009))));
    }

    proptest! {
        #[test]
        fn it_agrees_with_looking_at_everybody(
            moves in prop::collection::vec((0_usize..5, prop::option::of(0_u64..50), any::<bool>()), 1..200),
        ) {
            let mut agenda = Agenda::default();
            let mut plain = [None; 5];
            for (step, (party, deadline, take)) in moves.into_iter().enumerate() {
                let deadline = deadline.map(at);
                plain[party] = deadline;
                agenda.set(party, deadline);
                prop_assert_eq!(agenda.next(), plain.iter().flatten().min().copied());
                if take {
                    let now = at(step as u64 % 50);
                    let expected: Vec<usize> = (0..5).filter(|party| plain[*party].is_some_and(|at| at <= now)).collect();
                    expected.iter().for_each(|party| plain[*party] = None);
                    prop_assert_eq!(agenda.due(now), expected);
                }
            }
        }
    }
}
