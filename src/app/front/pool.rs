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
    /// Whether it is one of the servers at present.
    is_listed: bool,
    is_up: bool,
    /// Requests or connections that it is busy with.
    busy: u32,
    /// Checks in a row that speak against the present opinion of it.
    against: u32,
}

impl Member {
    const NEW: Member = Member { is_listed: true, is_up: true, busy: 0, against: 0 };
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
        Pool { members: vec![Member::NEW; members], policy, turn: 0 }
    }

    /// One more server, with the next place.
    pub(super) fn add(&mut self) {
        self.members.push(Member::NEW);
    }

    /// Whether a server is one of them from now on. `true` when it was otherwise. One that comes back counts as fit.
    pub(super) fn list(&mut self, place: usize, is_listed: bool) -> bool {
        let Some(member) = self.members.get_mut(place) else { return false };
        let is_news = member.is_listed != is_listed;
        if is_news {
            *member = Member { is_listed, busy: member.busy, ..Member::NEW };
        }
        is_news
    }

    /// How many of them there are, fit or not.
    pub(super) fn listed(&self) -> usize {
        self.members.iter().filter(|member| member.is_listed).count()
    }

    /// Chooses a server, other than those that were `tried`, and counts it as busy; `None` when none is fit. One that is
    /// `wanted` is chosen if it is fit, whoever has the turn.
    pub(super) fn choose(&mut self, tried: &[usize], wanted: Option<usize>) -> Option<usize> {
        let wanted = wanted.filter(|place| self.is_fit(*place) && !tried.contains(place));
        let chosen = wanted.or_else(|| self.next(tried))?;
        if let Some(member) = self.members.get_mut(chosen) {
            member.busy = member.busy.saturating_add(1);
        }
        Some(chosen)
    }

    fn is_fit(&self, place: usize) -> bool {
        self.members.get(place).is_some_and(|member| member.is_listed && member.is_up)
    }

    /// By the policy, whose turn it is then.
    fn next(&mut self, tried: &[usize]) -> Option<usize> {
        let count = self.members.len();
        let in_turn = (0..count).map(|step| (self.turn + step) % count);
        let fit = in_turn.filter_map(|place| {
            let member = self.members.get(place)?;
            (self.is_fit(place) && !tried.contains(&place)).then_some((place, member.busy))
        });
        let (chosen, _) = match self.policy {
            Policy::RoundRobin => fit.into_iter().next()?,
            // The first of equals is the one whose turn comes first.
            Policy::LeastConnections => fit.min_by_key(|(_, busy)| *busy)?,
        };
        self.turn = (chosen + 1) % count;
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
        (0..times).filter_map(|_| pool.choose(&[], None)).collect()
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
        assert_eq!(pool.choose(&[0], None), Some(1));
        assert_eq!(pool.choose(&[2, 0], None), Some(1));
        assert_eq!(pool.choose(&[0, 1, 2], None), None);
        assert_eq!((pool.checked(1, false, TWICE), pool.checked(1, false, TWICE)), (None, Some(false)));
        assert_eq!(chosen(&mut pool, 4), [2, 0, 2, 0]);
        assert_eq!(Pool::new(0, Policy::LeastConnections).choose(&[], None), None);
    }

    #[test]
    fn who_is_wanted_is_chosen_while_it_is_fit_and_takes_nobody_s_turn() {
        let mut pool = Pool::new(3, Policy::RoundRobin);
        assert_eq!((pool.choose(&[], Some(2)), pool.choose(&[], None)), (Some(2), Some(0)));
        assert_eq!(pool.choose(&[2], Some(2)), Some(1), "it was tried already");
        assert!(pool.list(2, false) && !pool.list(2, false));
        assert_eq!((pool.choose(&[], Some(2)), pool.choose(&[], Some(7))), (Some(0), Some(1)), "nobody wants the dead");
    }

    #[test]
    fn servers_come_and_go() {
        let mut pool = Pool::new(2, Policy::RoundRobin);
        assert_eq!(chosen(&mut pool, 3), [0, 1, 0]);
        pool.add();
        assert_eq!((chosen(&mut pool, 4), pool.listed()), (vec![1, 2, 0, 1], 3));
        assert_eq!((pool.checked(0, false, TWICE), pool.checked(0, false, TWICE)), (None, Some(false)));
        assert!(pool.list(0, false) && pool.list(1, false));
        assert_eq!((chosen(&mut pool, 2), pool.listed()), (vec![2, 2], 1));
        assert!(pool.list(0, true) && !pool.list(9, true));
        assert_eq!(chosen(&mut pool, 2), [0, 2], "it has come back, and is well");
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
