//! How often somebody may ask: a budget for each that fills again (the generic cell rate algorithm, a bucket of tokens kept as one
//! moment).
//!
//! Values in, values out: time is an argument, whole nanoseconds; nothing here waits or knows a clock.

use std::collections::BTreeMap;
use std::num::NonZeroU32;
use std::time::Duration;

/// Of how many the budgets are kept; somebody who has asked long ago has a whole one anyway.
const MOST_KEYS: usize = 10_000;

/// Who has asked how often.
#[derive(Clone, Debug)]
pub(super) struct Limiter {
    requests: NonZeroU32,
    /// How long it takes until one more request may be made.
    refill: Duration,
    /// For each the moment at which the budget is whole again.
    whole_at: BTreeMap<String, Duration>,
}

/// Whether a request may pass.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// It may, and so many more at once.
    Passes {
        /// What is left of the budget.
        left: u32,
    },
    /// It may not.
    Refused {
        /// How long until it may.
        wait: Duration,
    },
}

impl Limiter {
    /// Everybody may make so many `requests` at once, and as many again `per` span.
    pub(super) fn new(requests: NonZeroU32, per: Duration) -> Limiter {
        Limiter { requests, refill: per / requests.get(), whole_at: BTreeMap::new() }
    }

    /// Whether `key` may ask at this moment. Only a request that passes costs something.
    pub(super) fn ask(&mut self, key: &str, now: Duration) -> Verdict {
        let burst = self.refill.saturating_mul(self.requests.get());
        let whole_at = self.whole_at.get(key).copied().unwrap_or_default().max(now);
        let after = whole_at.saturating_add(self.refill);
        let spent = after.saturating_sub(now);
        if spent > burst {
            return Verdict::Refused { wait: spent.saturating_sub(burst) };
        }
        self.make_room(key, now);
        self.whole_at.insert(key.to_owned(), after);
        let left = burst.saturating_sub(spent).as_nanos() / self.refill.as_nanos().max(1);
        Verdict::Passes { left: u32::try_from(left).unwrap_or(u32::MAX) }
    }

    /// Forgets those whose budget is whole, and if that is not enough, the one whose budget is whole first.
    fn make_room(&mut self, key: &str, now: Duration) {
        if self.whole_at.len() < MOST_KEYS || self.whole_at.contains_key(key) {
            return;
        }
        self.whole_at.retain(|_, whole_at| *whole_at > now);
        if self.whole_at.len() >= MOST_KEYS {
            let first = self.whole_at.iter().min_by_key(|(_, whole_at)| **whole_at).map(|(key, _)| key.clone());
            first.and_then(|first| self.whole_at.remove(&first));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn five_in_ten_seconds() -> Limiter {
        Limiter::new(NonZeroU32::new(5).expect("five"), 10 * SECOND)
    }

    #[test]
    fn so_many_pass_at_once_and_one_more_each_time_that_is_refilled() {
        let mut limiter = five_in_ten_seconds();
        let left: Vec<Verdict> = (0..5).map(|_| limiter.ask("alice", SECOND)).collect();
        assert_eq!(left, [4, 3, 2, 1, 0].map(|left| Verdict::Passes { left }));
        let table = [
            (SECOND, Verdict::Refused { wait: 2 * SECOND }),
            (2 * SECOND, Verdict::Refused { wait: SECOND }),
            (3 * SECOND - Duration::from_nanos(1), Verdict::Refused { wait: Duration::from_nanos(1) }),
            (3 * SECOND, Verdict::Passes { left: 0 }),
            (3 * SECOND, Verdict::Refused { wait: 2 * SECOND }),
            (9 * SECOND, Verdict::Passes { left: 2 }),
            (100 * SECOND, Verdict::Passes { left: 4 }),
        ];
        for (now, expected) in table {
            assert_eq!(limiter.ask("alice", now), expected, "at {now:?}");
        }
    }

    #[test]
    fn everybody_has_a_budget_of_their_own_and_refusals_cost_nothing() {
        let mut limiter = five_in_ten_seconds();
        for _ in 0..100 {
            limiter.ask("alice", SECOND);
        }
        assert_eq!(limiter.ask("alice", 3 * SECOND), Verdict::Passes { left: 0 });
        assert_eq!(limiter.ask("bob", 3 * SECOND), Verdict::Passes { left: 4 });
    }

    #[test]
    fn strangers_without_end_take_no_more_room_and_no_regular_s_place() {
        let mut limiter = five_in_ten_seconds();
        (0..5).for_each(|_| {
            limiter.ask("alice", SECOND);
        });
        for stranger in 0..2 * MOST_KEYS {
            limiter.ask(&stranger.to_string(), SECOND);
        }
        assert_eq!(limiter.whole_at.len(), MOST_KEYS);
        assert_eq!(limiter.ask("alice", SECOND), Verdict::Refused { wait: 2 * SECOND }, "hers is whole last");
        limiter.ask("one more", 100 * SECOND);
        assert_eq!(limiter.whole_at.len(), 1, "all the others are whole again");
    }

    #[test]
    fn no_span_is_too_short_or_too_long() {
        let many = NonZeroU32::MAX;
        for (per, now) in [(Duration::ZERO, SECOND), (Duration::from_nanos(1), SECOND), (Duration::MAX, Duration::MAX)]
        {
            for requests in [NonZeroU32::MIN, many] {
                let mut limiter = Limiter::new(requests, per);
                assert!(matches!(limiter.ask("alice", now), Verdict::Passes { .. }), "{requests} per {per:?}");
                limiter.ask("alice", now);
            }
        }
    }
}
