//! Which of several servers gets the next request, and which of them are fit for one.
//!
//! Values in, values out: nothing here waits, asks or knows a clock. What does not live here: how a server's health is found
//! out (`health`), and what is sent to it (`backends`).

use serde::Deserialize;

/// How one of the servers is chosen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Policy {
    /// Each in its turn.
    #[default]
    RoundRobin,
    /// The one that is busy with the fewest requests or connections; of several, the one whose turn it is.
    LeastConnections,
}

/// How many checks in a row change an opinion.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Thresholds {
    /// Good ones until a server is fit again.
    pub(super) rise: u32,
    /// Bad ones until it is not.
    pub(super) fall: u32,
}

/// One of the servers, as its pool sees it.
#[derive(Clone, Debug)]
struct Member {
    is_up: bool,
    /// Requests or connections that it is busy with.
    busy: u32,
    /// Checks in a row that speak against the present opinion of it.
    against: u32,
}

/// The servers, by their places in the list.
#[derive(Clone, Debug)]
pub(super) struct Pool {
    members: Vec<Member>,
    policy: Policy,
    /// Whose turn it is.
    turn: usize,
}

impl Pool {
    /// So many servers, all of them fit until something else is heard.
    pub(super) fn new(members: usize, policy: Policy) -> Pool {
        let member = Member { is_up: true, busy: 0, against: 0 };
        Pool { members: vec![member; members], policy, turn: 0 }
    }

    /// Chooses a server, other than those that were `tried`, and counts it as busy; `None` when none is fit.
    pub(super) fn choose(&mut self, tried: &[usize]) -> Option<usize> {
        let count = self.members.len();
        let in_turn = (0..count).map(|step| (self.turn + step) % count);
        let fit = in_turn.filter_map(|place| {
            let member = self.members.get(place)?;
            (member.is_up && !tried.contains(&place)).then_some((place, member.busy))
        });
        let (chosen, _) = match self.policy {
            Policy::RoundRobin => fit.into_iter().next()?,
            // The first of equals is the one whose turn comes first.
            Policy::LeastConnections => fit.min_by_key(|(_, busy)| *busy)?,
        };
        self.turn = (chosen + 1) % count;
        if let Some(member) = self.members.get_mut(chosen) {
            member.busy = member.busy.saturating_add(1);
        }
        Some(chosen)
    }

    /// A server is through with what it was chosen for.
    pub(super) fn release(&mut self, place: usize) {
        if let Some(member) = self.members.get_mut(place) {
            member.busy = member.busy.saturating_sub(1);
        }
    }

    /// A server was checked. `Some(is_up)` when that changes the opinion of it.
    pub(super) fn checked(&mut self, place: usize, is_well: bool, thresholds: Thresholds) -> Option<bool> {
        let member = self.members.get_mut(place)?;
        if is_well == member.is_up {
            member.against = 0;
            return None;
        }
        member.against = member.against.saturating_add(1);
        let enough = if is_well { thresholds.rise } else { thresholds.fall };
        if member.against < enough {
            return None;
        }
        member.is_up = is_well;
        member.against = 0;
        Some(is_well)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TWICE: Thresholds = Thresholds { rise: 2, fall: 2 };

    fn chosen(pool: &mut Pool, times: usize) -> Vec<usize> {
        (0..times).filter_map(|_| pool.choose(&[])).collect()
    }

    #[test]
    fn each_server_is_chosen_in_its_turn_however_busy_it_is() {
        let mut pool = Pool::new(3, Policy::RoundRobin);
        assert_eq!(chosen(&mut pool, 9), [0, 1, 2, 0, 1, 2, 0, 1, 2]);
    }

    #[test]
    fn the_least_busy_is_chosen_and_of_equals_the_one_whose_turn_it_is() {
        let mut pool = Pool::new(3, Policy::LeastConnections);
        assert_eq!(chosen(&mut pool, 3), [0, 1, 2]);
        pool.release(1);
        assert_eq!(chosen(&mut pool, 1), [1], "the other two are busy");
        pool.release(0);
        pool.release(2);
        assert_eq!(chosen(&mut pool, 3), [2, 0, 1], "two are idle, and 2 comes after 1; then all are as busy");
        (0..9).for_each(|_| pool.release(2));
        assert_eq!(chosen(&mut pool, 1), [2], "nobody is busy with less than nothing");
    }

    #[test]
    fn who_was_tried_or_is_not_fit_is_passed_over() {
        let mut pool = Pool::new(3, Policy::RoundRobin);
        assert_eq!(pool.choose(&[0]), Some(1));
        assert_eq!(pool.choose(&[2, 0]), Some(1));
        assert_eq!(pool.choose(&[0, 1, 2]), None);
        assert_eq!((pool.checked(1, false, TWICE), pool.checked(1, false, TWICE)), (None, Some(false)));
        assert_eq!(chosen(&mut pool, 4), [2, 0, 2, 0]);
        assert_eq!(Pool::new(0, Policy::LeastConnections).choose(&[]), None);
    }

    #[test]
    fn an_opinion_changes_after_checks_in_a_row() {
        let mut pool = Pool::new(1, Policy::RoundRobin);
        let heard = [false, true, false, false, false, true, false, true, true, true];
        let said: Vec<Option<bool>> = heard.into_iter().map(|is_well| pool.checked(0, is_well, TWICE)).collect();
        let down_and_up = [None, None, None, Some(false), None, None, None, None, Some(true), None];
        assert_eq!(said, down_and_up);
        assert_eq!(pool.checked(7, false, TWICE), None, "there is no such server");
    }
}
