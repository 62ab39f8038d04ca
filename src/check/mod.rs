//! Checks: what a lab claims, judged by what was seen.
//!
//! A closed set of questions over two kinds of evidence in one timeline: packets, selected by a Wireshark display filter
//! that can be pasted into Wireshark, and events of the journal. There is no scripting: a check is plain data
//! ([`Check`]), [`judge()`] turns it into a [`Verdict`] with the packet numbers it rests on.
//!
//! What does not live here: reading checks from a lab file (`lab`), showing verdicts (`report`). And never a stack: all
//! stacks are judged alike, by what they put on the wire and in the journal.

mod answer;
mod evidence;
mod integrity;
mod judge;
mod member;
mod passed_on;
mod selection;
#[cfg(test)]
mod tests;

use std::fmt;
use std::time::Duration;

use serde::Serialize;

use crate::filter::Filter;
use crate::journal::NodeId;

pub use answer::{Amount, Answer, Sight, answer, sights};
pub use evidence::{Clock, Evidence, LinkSource, NodeSource};
pub use integrity::{INTEGRITY_IDS, Integrity, integrity};
pub use judge::judge;
pub use member::{PACKET_MEMBERS, is_event_member, is_packet_member};
pub use selection::{Only, Selected, Selection};

/// One claim of a lab.
#[derive(Clone, Debug)]
pub struct Check {
    /// Its name in the lab: `one-resend`.
    pub id: String,
    /// The claim in words.
    pub that: String,
    /// What to look at when it does not hold; `None` when the author gave none.
    pub hint: Option<String>,
    /// The node whose capture counts, where a selection does not name its own.
    pub at: NodeId,
    /// The question.
    pub question: Question,
}

/// The questions that can be asked.
#[derive(Clone, Debug)]
pub enum Question {
    /// How many are selected.
    Count {
        /// What is counted.
        of: Selection,
        /// How many there may be.
        must: Bound,
    },
    /// How many octets of TCP or UDP payload the selected packets carry; for events, the sum of their member `bytes`.
    Bytes {
        /// What is summed.
        of: Selection,
        /// How many there may be.
        must: Bound,
    },
    /// How many octets the selected packets have on the wire, headers and all.
    Octets {
        /// What is summed; never events.
        of: Selection,
        /// How many there may be.
        must: Bound,
    },
    /// Nothing is selected.
    Absent {
        /// What must not be there.
        of: Selection,
    },
    /// The first of the selected satisfies a filter.
    First {
        /// What is selected.
        of: Selection,
        /// What the first must satisfy.
        satisfies: Filter,
    },
    /// The last of the selected satisfies a filter.
    Last {
        /// What is selected.
        of: Selection,
        /// What the last must satisfy.
        satisfies: Filter,
    },
    /// Each of the selected satisfies a filter, and there is at least one.
    Every {
        /// What is selected.
        of: Selection,
        /// What each must satisfy.
        satisfies: Filter,
    },
    /// The first of each selection comes before the first of the next.
    Before {
        /// The selections in the order that is claimed; two or more.
        order: Vec<Selection>,
    },
    /// The time from the first of one selection to the first of another.
    Gap {
        /// Where the time begins.
        from: Selection,
        /// Where it ends.
        to: Selection,
        /// How long it may be.
        must: TimeBound,
    },
    /// One measure over another.
    Ratio {
        /// The measure above the line.
        of: Measure,
        /// The measure below it.
        to: Measure,
        /// The smallest ratio that passes.
        at_least: Option<Factor>,
        /// The largest ratio that passes.
        at_most: Option<Factor>,
    },
    /// A member has the same values, in the same order, in each selection.
    Equals {
        /// The member: `sha256` of events, `tcp.seq` of packets.
        member: String,
        /// The selections; one compares its own entries with each other.
        of: Vec<Selection>,
    },
    /// Whether a numeric member rises from each of the selected to the next.
    Sorted {
        /// What is selected.
        of: Selection,
        /// The member: `number`.
        member: String,
        /// `true` claims that it always rises, `false` that it does not.
        is: bool,
    },
}

/// Something that can be measured.
#[derive(Clone, Debug)]
pub enum Measure {
    /// How many are selected.
    Count(Selection),
    /// How many octets of payload they carry.
    Bytes(Selection),
    /// How many octets they have on the wire, headers and all.
    Octets(Selection),
    /// The time from the first of one selection to the first of another.
    Gap(Selection, Selection),
    /// A numeric member of the first that is selected: `cwnd` of events, `tcp.window_size_value` of packets.
    Member(String, Selection),
}

/// How large a number may be.
#[derive(Clone, Debug)]
pub enum Bound {
    /// Between two numbers, both included.
    Between(u64, u64),
    /// As large as the same measure of another selection.
    SameAs(Selection),
}

/// How long a time may be. On a wall clock only `more_than` is strict, see [`Clock`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TimeBound {
    /// Longer than this.
    pub more_than: Option<Duration>,
    /// Shorter than this.
    pub less_than: Option<Duration>,
    /// This, give or take 15 % or 20 ms, whichever is more.
    pub about: Option<Duration>,
    /// This to the nanosecond on a virtual clock; on a wall clock as `about`.
    pub is: Option<Duration>,
    /// What a wall clock is granted in the place of that: a busy machine runs programs late.
    pub late: Option<Duration>,
}

/// A number in thousandths, so that no float decides: 1.9 is 1,900 of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Factor(u64);

impl Factor {
    /// So many thousandths.
    pub const fn from_thousandths(thousandths: u64) -> Factor {
        Factor(thousandths)
    }

    /// How many thousandths.
    pub const fn thousandths(self) -> u64 {
        self.0
    }
}

/// `1.9`, `2`, `0.125`.
impl fmt::Display for Factor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let fraction = format!("{:03}", self.0 % 1_000);
        match fraction.trim_end_matches('0') {
            "" => write!(f, "{}", self.0 / 1_000),
            digits => write!(f, "{}.{digits}", self.0 / 1_000),
        }
    }
}

/// How a check ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// The claim holds.
    Pass,
    /// It does not.
    Fail,
    /// The evidence does not answer it: a capture without a journal, a node that was not captured.
    Unknown,
}

/// A judged check.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Verdict {
    /// The check's name.
    pub id: String,
    /// The claim in words.
    pub that: String,
    /// Whether it holds.
    pub outcome: Outcome,
    /// What was measured, and what was expected where that was not met: `2 packets; expected 1`.
    pub measured: String,
    /// The packets that the verdict rests on: frame numbers in the vantage's capture, in rising order.
    pub packets: Vec<u64>,
    /// The node whose capture has these numbers.
    pub vantage: String,
    /// A display filter that shows these packets in Wireshark; `None` when there is nothing to show.
    pub filter: Option<String>,
    /// What to look at; only when the claim does not hold.
    pub hint: Option<String>,
}

impl Check {
    /// Whether a capture alone cannot answer it: whether it asks for events.
    pub fn needs_journal(&self) -> bool {
        self.selections().into_iter().any(|selection| selection.needs_journal())
    }

    /// Every selection that the check names.
    pub fn selections(&self) -> Vec<&Selection> {
        match &self.question {
            Question::Count { of, must } | Question::Bytes { of, must } | Question::Octets { of, must } => match must {
                Bound::Between(..) => vec![of],
                Bound::SameAs(other) => vec![of, other],
            },
            Question::Absent { of }
            | Question::First { of, .. }
            | Question::Last { of, .. }
            | Question::Every { of, .. }
            | Question::Sorted { of, .. } => vec![of],
            Question::Before { order } => order.iter().collect(),
            Question::Gap { from, to, .. } => vec![from, to],
            Question::Ratio { of, to, .. } => of.selections().into_iter().chain(to.selections()).collect(),
            Question::Equals { of, .. } => of.iter().collect(),
        }
    }
}

impl Measure {
    /// Every selection that it names.
    pub fn selections(&self) -> Vec<&Selection> {
        match self {
            Measure::Count(of) | Measure::Bytes(of) | Measure::Octets(of) | Measure::Member(_, of) => vec![of],
            Measure::Gap(from, to) => vec![from, to],
        }
    }
}

impl Verdict {
    /// Whether the claim does not hold.
    pub fn is_fail(&self) -> bool {
        self.outcome == Outcome::Fail
    }
}
