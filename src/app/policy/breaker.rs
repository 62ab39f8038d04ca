//! A circuit breaker: whether a dependency is to be called at all.
//!
//! ```text
//!             failures in a row          cool-down is over
//!   ┌────────┐ ───────────────► ┌──────┐ ───────────────► ┌───────────┐
//!   │ closed │                  │ open │                  │ half-open │
//!   └────────┘                  └──────┘ ◄─────────────── └───────────┘
//!        ▲                                the probe fails       │
//!        └──────────────────────────────────────────────────────┘
//!                           the probe succeeds
//! ```
//!
//! Closed, every call may go. Open, none may, and nobody waits for what will not come. Half-open, exactly one may: the
//! probe, whose outcome decides. Outcomes of calls that began before the circuit opened say nothing about it any more.
//!
//! No clock: `now` is the time since whatever moment the caller counts from.

use std::time::Duration;

/// Whether the circuit lets calls pass.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::app) enum Circuit {
    /// All of them.
    Closed,
    /// None.
    Open,
    /// One, to see.
    HalfOpen,
}

impl Circuit {
    /// As everybody calls it.
    pub(in crate::app) fn name(self) -> &'static str {
        match self {
            Circuit::Closed => "closed",
            Circuit::Open => "open",
            Circuit::HalfOpen => "half-open",
        }
    }
}

/// Leave for one call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Leave {
    /// One of many.
    Ordinary,
    /// The one whose outcome decides.
    Probe,
}

/// What became of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    /// An answer that shows the dependency well.
    Success,
    /// None in time, or one that speaks of its trouble.
    Failure,
    /// Whoever wanted the answer has gone before it was there: nothing is known.
    Abandoned,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Closed { failures: u32 },
    Open { until: Duration },
    HalfOpen,
}

/// One dependency's circuit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Breaker {
    /// So many failures in a row open it; from 1.
    failures: u32,
    /// How long it stays open before a probe.
    cool_down: Duration,
    state: State,
}

impl Breaker {
    /// A closed one.
    pub(super) fn new(failures: u32, cool_down: Duration) -> Breaker {
        Breaker { failures, cool_down, state: State::Closed { failures: 0 } }
    }

    /// As it is.
    pub(super) fn circuit(&self) -> Circuit {
        match self.state {
            State::Closed { .. } => Circuit::Closed,
            State::Open { .. } => Circuit::Open,
            State::HalfOpen => Circuit::HalfOpen,
        }
    }

    /// Whether a call may be made now.
    ///
    /// # Errors
    /// How long to wait before asking again, when it may not; nothing when that depends on a probe.
    pub(super) fn ask(&mut self, now: Duration) -> Result<Leave, Duration> {
        match self.state {
            State::Closed { .. } => Ok(Leave::Ordinary),
            State::Open { until } if until <= now => {
                self.state = State::HalfOpen;
                Ok(Leave::Probe)
            }
            State::Open { until } => Err(until - now),
            State::HalfOpen => Err(Duration::ZERO),
        }
    }

    /// Learns what became of a call that had `leave`.
    pub(super) fn learn(&mut self, now: Duration, leave: Leave, outcome: Outcome) {
        let open = State::Open { until: now.saturating_add(self.cool_down) };
        self.state = match (self.state, leave, outcome) {
            (State::Closed { .. }, Leave::Ordinary, Outcome::Success) => State::Closed { failures: 0 },
            (State::Closed { failures }, Leave::Ordinary, Outcome::Failure) => match failures + 1 {
                enough if enough >= self.failures => open,
                failures => State::Closed { failures },
            },
            (State::HalfOpen, Leave::Probe, Outcome::Success) => State::Closed { failures: 0 },
            (State::HalfOpen, Leave::Probe, Outcome::Failure) => open,
            // The next one to ask is the probe.
            (State::HalfOpen, Leave::Probe, Outcome::Abandoned) => State::Open { until: now },
            (state, ..) => state,
        };
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const fn seconds(count: u64) -> Duration {
        Duration::from_secs(count)
    }

    fn breaker() -> Breaker {
        Breaker::new(5, seconds(3))
    }

    fn opened(at: Duration) -> Breaker {
        let mut breaker = breaker();
        for _ in 0..5 {
            let leave = breaker.ask(at).expect("it is closed");
            breaker.learn(at, leave, Outcome::Failure);
        }
        assert_eq!(breaker.circuit(), Circuit::Open);
        breaker
    }

    #[test]
    fn five_failures_in_a_row_open_it_and_a_success_begins_the_count_anew() {
        let mut breaker = breaker();
        for outcome in [Outcome::Failure; 4].into_iter().chain([Outcome::Success]).chain([Outcome::Failure; 4]) {
            breaker.learn(seconds(1), Leave::Ordinary, outcome);
            assert_eq!(breaker.circuit(), Circuit::Closed);
        }
        breaker.learn(seconds(1), Leave::Ordinary, Outcome::Failure);
        assert_eq!(breaker.circuit(), Circuit::Open);
    }

    #[test]
    fn while_it_is_open_nobody_may_call_and_is_told_how_long() {
        let mut breaker = opened(seconds(10));
        assert_eq!(breaker.ask(seconds(10)), Err(seconds(3)));
        assert_eq!(breaker.ask(seconds(12)), Err(seconds(1)));
        assert_eq!(breaker.circuit(), Circuit::Open);
    }

    #[test]
    fn after_the_cool_down_exactly_one_may() {
        let mut breaker = opened(seconds(10));
        assert_eq!(breaker.ask(seconds(13)), Ok(Leave::Probe));
        assert_eq!((breaker.ask(seconds(13)), breaker.ask(seconds(99))), (Err(seconds(0)), Err(seconds(0))));
        assert_eq!(breaker.circuit(), Circuit::HalfOpen);
    }

    #[test]
    fn the_probe_decides() {
        for (outcome, circuit) in [(Outcome::Success, Circuit::Closed), (Outcome::Failure, Circuit::Open)] {
            let mut breaker = opened(seconds(10));
            let leave = breaker.ask(seconds(13)).expect("the cool-down is over");
            breaker.learn(seconds(14), leave, outcome);
            assert_eq!(breaker.circuit(), circuit);
            assert_eq!(breaker.ask(seconds(16)).is_ok(), circuit == Circuit::Closed, "it cools down anew");
        }
    }

    #[test]
    fn a_probe_that_nobody_waits_for_is_followed_by_another() {
        let mut breaker = opened(seconds(10));
        let leave = breaker.ask(seconds(13)).expect("the cool-down is over");
        breaker.learn(seconds(13), leave, Outcome::Abandoned);
        assert_eq!(breaker.ask(seconds(13)), Ok(Leave::Probe));
    }

    #[test]
    fn what_began_before_it_opened_changes_nothing() {
        let mut breaker = opened(seconds(10));
        breaker.learn(seconds(12), Leave::Ordinary, Outcome::Success);
        breaker.learn(seconds(12), Leave::Ordinary, Outcome::Failure);
        assert_eq!(breaker.ask(seconds(13)), Ok(Leave::Probe), "neither closed nor prolonged");
        breaker.learn(seconds(13), Leave::Ordinary, Outcome::Success);
        assert_eq!(breaker.circuit(), Circuit::HalfOpen);
    }

    proptest! {
        /// Whatever happens: never two probes at once, no call while open, and never stuck after the cool-down.
        #[test]
        fn no_order_of_events_breaks_the_breaker(
            threshold in 1_u32..4,
            events in proptest::collection::vec((0_u64..3, 0_u8..4, any::<prop::sample::Index>()), 1..200),
        ) {
            let mut breaker = Breaker::new(threshold, seconds(2));
            let (mut now, mut under_way) = (seconds(0), Vec::<Leave>::new());
            for (pass, what, which) in events {
                now += seconds(pass);
                let before = breaker.circuit();
                match what {
                    0 => match breaker.ask(now) {
                        Ok(leave) => {
                            let probes = under_way.iter().filter(|leave| **leave == Leave::Probe).count();
                            prop_assert!(leave == Leave::Ordinary || probes == 0);
                            prop_assert_eq!(leave == Leave::Ordinary, before == Circuit::Closed);
                            under_way.push(leave);
                        }
                        Err(_) => prop_assert!(before != Circuit::Closed),
                    },
                    _ if under_way.is_empty() => {}
                    _ => {
                        let leave = under_way.swap_remove(which.index(under_way.len()));
                        let outcome = [Outcome::Success, Outcome::Failure, Outcome::Abandoned][usize::from(what - 1)];
                        breaker.learn(now, leave, outcome);
                    }
                }
                let probes = under_way.iter().filter(|leave| **leave == Leave::Probe).count();
                prop_assert_eq!(probes == 1, breaker.circuit() == Circuit::HalfOpen);
            }
            for leave in under_way {
                breaker.learn(now, leave, Outcome::Success);
            }
            prop_assert!(breaker.ask(now + seconds(2)).is_ok());
        }
    }
}
