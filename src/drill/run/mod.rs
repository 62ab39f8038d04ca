//! Runs a script against a stack, on a clock of its own.
//!
//! ```text
//!   script ──► events in order ──┬─ `<`  build ──────────────► World (stack, clock) ──► packets out ─┐
//!                                ├─ call ─► plan ─► Posix ────►      │                               │
//!                                ├─ `>`  ◄── glue, compare ◄─────────┼───────────────────────────────┘
//!                                └─ code, shell                      └─ timers fire at their deadlines
//! ```
//!
//! Nothing sleeps. The first event that is not as the script says ends the run. What cannot be judged here is *unsupported*:
//! never passed.

pub mod calls;
mod clock;
mod expect;
mod invoke;
mod runner;
pub mod settings;
pub mod time;
pub mod transcript;
pub mod verdict;
mod world;

use crate::capture::Record;
use crate::drill::language::script::Script;
use crate::drill::packets::compare::Exactness;
use crate::stack::StackKind;

pub use verdict::{Cause, Failure, Outcome, Verdict};

/// How scripts are run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Options {
    /// The stack under test.
    pub stack: StackKind,
    /// How much counts.
    pub exactness: Exactness,
    /// Keep all that happens, not only the last of it.
    pub whole_transcript: bool,
    /// Keep every packet of the wire.
    pub capture: bool,
}

impl Default for Options {
    /// The default stack, strictly, and no more kept than a failure needs.
    fn default() -> Options {
        Options { stack: StackKind::default(), exactness: Exactness::Strict, whole_transcript: false, capture: false }
    }
}

/// Runs a script. Also returns every packet of the wire, if [`Options::capture`] asks for them.
pub fn run(script: &Script, options: &Options) -> (Outcome, Vec<Record>) {
    runner::run(script, options)
}

#[cfg(test)]
mod tests;
