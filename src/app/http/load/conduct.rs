//! How a server behaves: how long a request takes it, what it answers, and when that changes.

use std::time::Duration;

use hyper::StatusCode;
use serde::Deserialize;

use crate::app::Span;
use crate::app::http::page::status;
use crate::rng::Rng;

/// What becomes different. Without a condition it holds from the start, and of several that hold the last counts; what it
/// does not say stays as it was in the beginning.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Later {
    /// From when on, counted from the server's start.
    at: Option<Span>,
    /// After how many requests.
    after: Option<u32>,
    takes: Option<Span>,
    #[serde(default, deserialize_with = "status")]
    status: Option<StatusCode>,
}

impl Later {
    /// Whether it holds for request number `number`, from 1, that comes so long after the start.
    fn holds(&self, elapsed: Duration, number: u32) -> bool {
        self.at.is_none_or(|at| at.duration() <= elapsed) && self.after.is_none_or(|after| after < number)
    }
}

/// Requests that are not answered for a long time, as if the server had lost them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Stalls {
    /// The first so many.
    #[serde(default)]
    first: u32,
    /// Of the others so many in a hundred, drawn from the run's seed.
    #[serde(default)]
    percent: u32,
    /// For how long.
    lasts: Span,
}

/// A server's conduct.
#[derive(Clone, Debug)]
pub(super) struct Conduct {
    pub(super) takes: Duration,
    pub(super) status: StatusCode,
    pub(super) stalls: Option<Stalls>,
    pub(super) later: Vec<Later>,
}

/// What is to be done with one request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Due {
    /// After how long it is answered.
    pub(super) after: Duration,
    /// With what.
    pub(super) status: StatusCode,
    /// Whether it stalls.
    pub(super) stalls: bool,
}

impl Conduct {
    /// What is to be done with request number `number`, from 1, that comes so long after the start. Draws once for each
    /// request that chance decides about.
    pub(super) fn due(&self, elapsed: Duration, number: u32, rng: &mut Rng) -> Due {
        let later = self.later.iter().rfind(|later| later.holds(elapsed, number));
        let status = later.and_then(|later| later.status).unwrap_or(self.status);
        let takes = later.and_then(|later| later.takes).map_or(self.takes, Span::duration);
        let stalled = self.stalls.filter(|stalls| number <= stalls.first || rng.below(100) < u64::from(stalls.percent));
        Due { after: stalled.map_or(takes, |stalls| stalls.lasts.duration()), status, stalls: stalled.is_some() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn span(text: &str) -> Span {
        text.parse().expect(text)
    }

    fn conduct() -> Conduct {
        let later = |at, takes, status| Later { at: Some(span(at)), after: None, takes, status };
        Conduct {
            takes: Duration::from_millis(20),
            status: StatusCode::OK,
            stalls: None,
            later: vec![
                later("2s", None, Some(StatusCode::SERVICE_UNAVAILABLE)),
                later("3s", Some(span("4s")), None),
                later("5s", None, None),
            ],
        }
    }

    #[test]
    fn the_last_change_that_holds_counts_and_the_rest_is_as_in_the_beginning() {
        let mut rng = Rng::new(1);
        let table = [(0, 20, 200), (1999, 20, 200), (2000, 20, 503), (3000, 4000, 200), (5000, 20, 200)];
        for (elapsed, after, status) in table {
            let due = conduct().due(Duration::from_millis(elapsed), 1, &mut rng);
            let expected = (Duration::from_millis(after), status, false);
            assert_eq!((due.after, due.status.as_u16(), due.stalls), expected, "{elapsed} ms");
        }
    }

    #[test]
    fn what_changes_after_some_requests_changes_whenever_they_come() {
        let later = |after, takes| Later { at: None, after: Some(after), takes, status: None };
        let conduct = Conduct { later: vec![later(6, Some(span("30s"))), later(12, None)], ..conduct() };
        let mut rng = Rng::new(1);
        for (number, after) in [(1, 20), (6, 20), (7, 30_000), (12, 30_000), (13, 20)] {
            for elapsed in [Duration::ZERO, Duration::from_secs(99)] {
                let due = conduct.due(elapsed, number, &mut rng);
                assert_eq!(due.after, Duration::from_millis(after), "request {number} after {elapsed:?}");
            }
        }
    }

    #[test]
    fn the_first_stall_for_certain_and_the_others_by_chance() {
        let stalls = Stalls { first: 3, percent: 20, lasts: span("9s") };
        let conduct = Conduct { stalls: Some(stalls), later: vec![], ..conduct() };
        let mut rng = Rng::new(1);
        let stalled: Vec<bool> =
            (1..=10_003).map(|number| conduct.due(Duration::ZERO, number, &mut rng).stalls).collect();
        assert_eq!(stalled[..3], [true; 3]);
        let share = stalled[3..].iter().filter(|stalls| **stalls).count();
        assert!((1_850..2_150).contains(&share), "{share} of 10000");
        assert_eq!(conduct.due(Duration::ZERO, 1, &mut rng).after, Duration::from_secs(9));
    }
}
