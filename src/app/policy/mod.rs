//! What a caller does about silence and trouble: how long it waits, how often it tries, when it stops calling.
//!
//! ```text
//!  call ─► breaker: may it be called? ──no──────────────────────────► refused, at once
//!             │ yes            ▲
//!             ▼                │ after a pause: backoff, jitter
//!          a try, `timeout` long at most ──trouble──► tries left? budget left? ──no──► given up
//!             │ answer
//!             ▼
//! ```
//!
//! The decisions stand in rooms of their own, which have neither clock nor I/O: [`backoff`], [`budget`], [`breaker`]. Here
//! they meet tokio's clock and the journal. What does not live here: what is sent, and which answer is trouble.

mod backoff;
mod breaker;
mod budget;
#[cfg(test)]
mod tests;

use std::cell::RefCell;
use std::time::Duration;

use serde::{Deserialize, Deserializer, de};
use tokio::time::{Instant, sleep, timeout};

use self::backoff::Backoff;
use self::breaker::{Breaker, Leave, Outcome};
use self::budget::Budget;
use super::run::Running;
use super::{ProgramError, Span};
use crate::journal::ProgramEvent;
use crate::rng::Rng;

pub(super) use self::backoff::Jitter;
pub(super) use self::breaker::Circuit;

/// The longest pause where nothing else is said.
const LONGEST_PAUSE: Span = Span::from_duration(Duration::from_secs(60));

/// A caller's patience, as a lab file has it.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Policy {
    /// How long it waits for an answer, connecting included; left out, as long as TCP does.
    #[serde(default)]
    pub(super) timeout: Option<Span>,
    /// How often it tries, from 1.
    #[serde(default = "once", deserialize_with = "from_one")]
    pub(super) tries: u32,
    /// The pause before the second try; it doubles with each.
    #[serde(default = "one_second")]
    pub(super) backoff: Span,
    /// The longest pause.
    #[serde(default = "longest_pause")]
    pub(super) most: Span,
    #[serde(default)]
    pub(super) jitter: Jitter,
    /// Retries for a hundred first tries, at most; left out, as many as there are tries.
    #[serde(default)]
    pub(super) budget_percent: Option<u32>,
    #[serde(default)]
    pub(super) breaker: Option<BreakerSettings>,
}

/// When a circuit opens, and for how long.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct BreakerSettings {
    /// So many failures in a row open it; from 1.
    #[serde(deserialize_with = "from_one")]
    failures: u32,
    /// How long nobody calls before one may try.
    cool_down: Span,
}

fn once() -> u32 {
    1
}

fn one_second() -> Span {
    Span::from_duration(Duration::from_secs(1))
}

fn longest_pause() -> Span {
    LONGEST_PAUSE
}

/// Reads a number that is at least 1.
pub(super) fn from_one<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u32, D::Error> {
    match u32::deserialize(deserializer)? {
        0 => Err(de::Error::custom("0 is too few: write 1 or more")),
        number => Ok(number),
    }
}

/// It tries once, and waits as long as it takes.
impl Default for Policy {
    fn default() -> Policy {
        Policy {
            timeout: None,
            tries: 1,
            backoff: one_second(),
            most: LONGEST_PAUSE,
            jitter: Jitter::None,
            budget_percent: None,
            breaker: None,
        }
    }
}

/// Why a call has no answer.
#[derive(Debug)]
pub(super) enum NoAnswer {
    /// The circuit is open: nothing was sent. Says how long that will last, as far as it is known.
    Refused(Duration),
    /// The last try was answered by silence.
    Silence,
    /// The last try failed, or was answered by trouble.
    Trouble(String),
}

impl NoAnswer {
    fn words(&self) -> String {
        match self {
            NoAnswer::Refused(_) => "the circuit is open".to_owned(),
            NoAnswer::Silence => "no answer in time".to_owned(),
            NoAnswer::Trouble(words) => words.clone(),
        }
    }
}

/// What a try has come to.
pub(super) enum Try<T> {
    /// An answer to work with.
    Answer(T),
    /// One that speaks of the other's trouble: `HTTP 503`.
    Trouble(String),
}

impl<T> Try<T> {
    /// What an HTTP status says of it: 500 and more speak of the server's own trouble (RFC 9110 §15.6).
    pub(super) fn by_status(status: u16, answer: T) -> Try<T> {
        if status >= 500 { Try::Trouble(format!("HTTP {status}")) } else { Try::Answer(answer) }
    }
}

/// Whoever calls by a policy: all calls of one caller to one dependency share its budget and its circuit.
pub(super) struct Caller {
    running: Running,
    /// What is called, in the journal's words.
    name: String,
    policy: Policy,
    started: Instant,
    state: RefCell<State>,
}

struct State {
    rng: Rng,
    budget: Option<Budget>,
    breaker: Option<Breaker>,
}

impl Caller {
    /// One that has called nobody yet.
    pub(super) fn new(running: &Running, name: &str, policy: &Policy) -> Caller {
        let breaker = policy.breaker.map(|settings| Breaker::new(settings.failures, settings.cool_down.duration()));
        let rng = Rng::derive(running.data().next_u64(), name);
        let state = State { rng, budget: policy.budget_percent.map(Budget::new), breaker };
        Caller {
            running: running.clone(),
            name: name.to_owned(),
            policy: policy.clone(),
            started: Instant::now(),
            state: RefCell::new(state),
        }
    }

    /// What is called, in the journal's words.
    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// The circuit as it is; without a breaker it is always closed.
    pub(super) fn circuit(&self) -> Circuit {
        self.state.borrow().breaker.map_or(Circuit::Closed, |breaker| breaker.circuit())
    }

    /// Calls: `attempt` is one try.
    ///
    /// # Errors
    /// What the last try came to, when the policy allows no more.
    pub(super) async fn call<T>(&self, attempt: impl AsyncFn() -> Result<Try<T>, ProgramError>) -> Result<T, NoAnswer> {
        if let Some(budget) = &mut self.state.borrow_mut().budget {
            budget.earn();
        }
        for number in 1.. {
            let failed = match self.once(&attempt).await {
                Ok(answer) => return Ok(answer),
                Err(failed) => failed,
            };
            match self.pause(number, &failed) {
                Some(pause) => sleep(pause).await,
                None => return Err(failed),
            }
        }
        Err(NoAnswer::Silence)
    }

    /// One try, as far as the circuit lets it pass.
    async fn once<T>(&self, attempt: impl AsyncFn() -> Result<Try<T>, ProgramError>) -> Result<T, NoAnswer> {
        let mut passage = self.ask().map_err(NoAnswer::Refused)?;
        let answered = match self.policy.timeout {
            Some(patience) => timeout(patience.duration(), attempt()).await,
            None => Ok(attempt().await),
        };
        let result = match answered {
            Ok(Ok(Try::Answer(answer))) => Ok(answer),
            Ok(Ok(Try::Trouble(words))) => Err(NoAnswer::Trouble(words)),
            Ok(Err(error)) => Err(NoAnswer::Trouble(error.to_string())),
            Err(_) => Err(NoAnswer::Silence),
        };
        passage.outcome = if result.is_ok() { Outcome::Success } else { Outcome::Failure };
        passage.why = result.as_ref().err().map(NoAnswer::words).unwrap_or_default();
        result
    }

    /// Asks the circuit for leave.
    fn ask(&self) -> Result<Passage<'_>, Duration> {
        let leave = self.on_circuit("the cool-down is over", |breaker, now| breaker.ask(now));
        let leave = leave.unwrap_or(Ok(Leave::Ordinary))?;
        Ok(Passage { caller: self, leave, outcome: Outcome::Abandoned, why: String::new() })
    }

    /// Does something with the circuit, if there is one, and tells the journal when that changes it.
    fn on_circuit<T>(&self, why: &str, verb: impl FnOnce(&mut Breaker, Duration) -> T) -> Option<T> {
        let mut state = self.state.borrow_mut();
        let breaker = state.breaker.as_mut()?;
        let before = breaker.circuit();
        let said = verb(breaker, self.started.elapsed());
        let after = breaker.circuit();
        if before != after {
            let (from, to) = (before.name().to_owned(), after.name().to_owned());
            let what = format!("circuit {}", self.name);
            self.running.report(ProgramEvent::Change { what, from, to, detail: why.to_owned() });
        }
        Some(said)
    }

    /// How long to wait after try number `number` has `failed`; `None` when it was the last.
    fn pause(&self, number: u32, failed: &NoAnswer) -> Option<Duration> {
        if matches!(failed, NoAnswer::Refused(_)) || self.policy.tries <= 1 {
            return None;
        }
        let mut state = self.state.borrow_mut();
        let State { rng, budget, .. } = &mut *state;
        let decide = |choice: &str| {
            let detail = format!("try {number} of {}: {}", self.policy.tries, failed.words());
            self.running.report(ProgramEvent::Decision { what: "retry".to_owned(), choice: choice.to_owned(), detail });
        };
        if number >= self.policy.tries {
            decide("given up");
            return None;
        }
        if !budget.as_mut().is_none_or(Budget::spend) {
            decide("over budget");
            return None;
        }
        let (first, most) = (self.policy.backoff.duration(), self.policy.most.duration());
        let pause = Backoff { first, most, jitter: self.policy.jitter }.pause(number, rng);
        decide(&format!("in {}.{:03} s", pause.as_secs(), pause.subsec_millis()));
        Some(pause)
    }
}

/// A call that the circuit has let pass. Whoever drops it unanswered has abandoned the call.
struct Passage<'a> {
    caller: &'a Caller,
    leave: Leave,
    outcome: Outcome,
    why: String,
}

impl Drop for Passage<'_> {
    fn drop(&mut self) {
        let (leave, outcome) = (self.leave, self.outcome);
        self.caller.on_circuit(&self.why, |breaker, now| breaker.learn(now, leave, outcome));
    }
}
