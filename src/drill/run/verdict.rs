//! How a script ended.

use std::time::Duration;

use super::time::Due;
use super::transcript::Entry;
use crate::drill::language::script::PacketSpec;
use crate::drill::packets::compare::Difference;
use crate::journal::Why;
use crate::time::Instant;

/// What came of a script.
#[derive(Clone, Debug, PartialEq)]
pub enum Verdict {
    /// Every event was as the script says.
    Passed,
    /// One was not. Nothing after it was looked at.
    Failed(Box<Failure>),
    /// The script asks for what this interpreter or this stack cannot do. It counts as not passed.
    Unsupported {
        /// The line that asks, 0 for the command line.
        line: u32,
        /// What it asks for.
        reason: String,
    },
}

/// The event that was not as the script says.
#[derive(Clone, Debug, PartialEq)]
pub struct Failure {
    /// The line it stands on.
    pub line: u32,
    /// Its text in the script.
    pub text: String,
    /// When it was found out.
    pub at: Instant,
    /// What was wrong.
    pub cause: Cause,
}

/// What was wrong.
#[derive(Clone, Debug, PartialEq)]
pub enum Cause {
    /// A packet came out, but another one than expected.
    Packet {
        /// What the script expects.
        expected: Box<PacketSpec>,
        /// What came, in the script's numbers.
        actual: Box<PacketSpec>,
        /// When it was sent.
        sent_at: Instant,
        /// Why, as the stack says.
        why: Why,
        /// Where they differ.
        differences: Vec<Difference>,
    },
    /// Segments came out that are not parts of the expected one.
    Parts {
        /// What the script expects.
        expected: Box<PacketSpec>,
        /// What came, in the script's numbers; the last does not fit.
        parts: Vec<PacketSpec>,
        /// Why it does not.
        difference: Difference,
    },
    /// No packet came out.
    Nothing {
        /// What the script expects.
        expected: Box<PacketSpec>,
        /// When it was due.
        due: Due,
        /// How long it was waited for.
        until: Instant,
    },
    /// Right, but too early or too late.
    Time {
        /// What: `the packet`, `the call`, `its return`.
        what: &'static str,
        /// When it was due.
        due: Due,
        /// When it happened.
        actual: Instant,
        /// What would have been forgiven.
        tolerance: Duration,
    },
    /// A call ended otherwise.
    Result {
        /// What of it: `the result`, `the option's value`, `revents of the second descriptor`.
        what: String,
        /// What the script expects.
        expected: String,
        /// What came.
        actual: String,
    },
    /// A call never returned.
    Asleep {
        /// Its name.
        call: String,
    },
    /// A statement about the connection does not hold.
    Assertion {
        /// What does not hold.
        statement: String,
        /// The same with the values of both sides.
        compared: String,
        /// The values of what it speaks of.
        found: String,
    },
    /// The script contradicts itself.
    Script {
        /// How.
        reason: String,
    },
    /// The stack asks to be called again at once, without end.
    Restless,
}

/// A script's run.
#[derive(Clone, Debug, PartialEq)]
pub struct Outcome {
    /// What came of it.
    pub verdict: Verdict,
    /// What happened last, or all of it if that was asked for.
    pub transcript: Vec<Entry>,
    /// When it was over, on the script's clock.
    pub ended: Instant,
    /// Events of the script that were as it says.
    pub events: usize,
    /// Wrong events that the script declares not fatal.
    pub forgiven: Vec<Failure>,
}
