//! A lab file as it is typed: one struct per table, every field by its name in the file. What a lab is made of stands in
//! [`raw_network`](super::raw_network); here are the file itself, what happens, and what is claimed.
//!
//! Nothing is judged here but shapes: what is unknown or of the wrong type is refused by serde with its place. What the
//! fields mean together is for [`meaning`](super::meaning) and [`claims`](super::claims).

use std::collections::BTreeMap;

use serde::Deserialize;
use toml::Spanned;

use crate::app::{Program, Span};

use super::raw_network::{RawLink, RawNode, RawRouter, RawSwitch};
use super::values::Number;

/// Names in the order of the alphabet; whoever needs the file's order sorts by span.
pub(super) type Named<T> = BTreeMap<Spanned<String>, T>;

/// The whole file.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, expecting = "a table")]
pub(super) struct RawLab {
    pub(super) id: Spanned<String>,
    pub(super) title: String,
    pub(super) minutes: Spanned<u32>,
    #[serde(default)]
    pub(super) rfc: Vec<String>,
    pub(super) seed: u64,
    pub(super) summary: String,
    #[serde(default)]
    pub(super) resets: bool,
    #[serde(default)]
    pub(super) strays: bool,
    pub(super) resolver: Option<Spanned<String>>,
    pub(super) stacks: Option<Spanned<Vec<RawStack>>>,
    #[serde(default)]
    pub(super) node: Named<RawNode>,
    #[serde(default)]
    pub(super) router: Named<RawRouter>,
    #[serde(default)]
    pub(super) switch: Named<RawSwitch>,
    #[serde(default)]
    pub(super) link: Vec<Spanned<RawLink>>,
    #[serde(default)]
    pub(super) step: Vec<Spanned<RawStep>>,
    #[serde(default)]
    pub(super) select: Named<RawSelection>,
    #[serde(default)]
    pub(super) expect: Vec<Spanned<RawExpect>>,
    #[serde(default)]
    pub(super) predict: Vec<Spanned<RawPredict>>,
    #[serde(default, rename = "break")]
    pub(super) breaks: Vec<Spanned<RawBreak>>,
}

/// `stacks = ["native"]`
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum RawStack {
    Native,
    Smoltcp,
}

/// `[[step]]`
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, expecting = "a table")]
pub(super) struct RawStep {
    pub(super) on: Spanned<String>,
    pub(super) run: Spanned<Program>,
    pub(super) exec: Option<Spanned<Vec<Spanned<String>>>>,
    pub(super) background: Option<bool>,
    pub(super) stops: Option<Span>,
}

/// A selection with its place.
pub(super) type RawSelection = Spanned<SelectionShape>;

/// What a selection is typed as.
#[derive(Debug)]
pub(super) enum SelectionShape {
    /// A name or a filter.
    Text(String),
    /// The long form.
    Table(Box<RawSelectionTable>),
}

/// `{ packets = "…", at = "server", only = "repeats", nth = 2 }`
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, expecting = "a table")]
pub(super) struct RawSelectionTable {
    pub(super) packets: Option<Spanned<String>>,
    pub(super) events: Option<Spanned<String>>,
    pub(super) of: Option<Spanned<String>>,
    pub(super) at: Option<Spanned<String>>,
    #[serde(default)]
    pub(super) only: RawOnly,
    pub(super) nth: Option<Spanned<i32>>,
}

/// `only = "repeats"`
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum RawOnly {
    #[default]
    All,
    Repeats,
    Originals,
    Dropped,
}

/// `[[expect]]`
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, expecting = "a table")]
pub(super) struct RawExpect {
    pub(super) id: Spanned<String>,
    pub(super) that: String,
    pub(super) hint: Option<String>,
    pub(super) at: Option<Spanned<String>>,
    pub(super) falsified_by: Option<Spanned<RawFalsifier>>,
    pub(super) count: Option<RawSelection>,
    pub(super) bytes: Option<RawSelection>,
    pub(super) octets: Option<RawSelection>,
    pub(super) absent: Option<RawSelection>,
    pub(super) first: Option<RawSelection>,
    pub(super) last: Option<RawSelection>,
    pub(super) every: Option<RawSelection>,
    pub(super) before: Option<Spanned<Vec<RawSelection>>>,
    pub(super) gap: Option<Spanned<RawGap>>,
    pub(super) ratio: Option<Spanned<RawRatio>>,
    pub(super) equals: Option<RawEquals>,
    pub(super) sorted: Option<RawSorted>,
    pub(super) satisfies: Option<Spanned<String>>,
    pub(super) is: Option<Spanned<u64>>,
    pub(super) at_least: Option<Spanned<u64>>,
    pub(super) at_most: Option<Spanned<u64>>,
    pub(super) same_as: Option<RawSelection>,
}

/// `falsified_by = { break = "…" }`, `{ rule = "…" }` or `{ set = { "…" = … } }`
#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum RawFalsifier {
    Break(String),
    Rule(String),
    /// Laid over the document before any of it is read; only its shape is checked here.
    Set(toml::Table),
}

/// `gap = { from = "…", to = "…", less_than = "1s" }`
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, expecting = "a table")]
pub(super) struct RawGap {
    pub(super) from: RawSelection,
    pub(super) to: RawSelection,
    pub(super) more_than: Option<Span>,
    pub(super) less_than: Option<Span>,
    pub(super) about: Option<Span>,
    pub(super) is: Option<Span>,
    pub(super) late: Option<Span>,
}

/// `ratio = { of = { gap = ["b", "c"] }, to = { gap = ["a", "b"] }, at_least = 1.8 }`
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, expecting = "a table")]
pub(super) struct RawRatio {
    pub(super) of: RawMeasure,
    pub(super) to: RawMeasure,
    pub(super) at_least: Option<Number>,
    pub(super) at_most: Option<Number>,
}

/// Something that can be measured.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum RawMeasure {
    Count(RawSelection),
    Bytes(RawSelection),
    Octets(RawSelection),
    Gap([RawSelection; 2]),
    /// A member, and of what.
    Member((Spanned<String>, RawSelection)),
}

/// `equals = { member = "sha256", of = ["sent", "received"] }`
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, expecting = "a table")]
pub(super) struct RawEquals {
    pub(super) member: Spanned<String>,
    pub(super) of: Spanned<Vec<RawSelection>>,
}

/// `sorted = { of = "received", member = "number", is = false }`
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, expecting = "a table")]
pub(super) struct RawSorted {
    pub(super) of: RawSelection,
    pub(super) member: Spanned<String>,
    #[serde(default = "yes")]
    pub(super) is: bool,
}

fn yes() -> bool {
    true
}

/// `[[predict]]`
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, expecting = "a table")]
pub(super) struct RawPredict {
    pub(super) ask: String,
    pub(super) answer: RawMeasure,
    pub(super) at: Option<Spanned<String>>,
}

/// `[[break]]`
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, expecting = "a table")]
pub(super) struct RawBreak {
    pub(super) name: Spanned<String>,
    pub(super) teaches: String,
    pub(super) turns_red: Spanned<String>,
    /// Laid over the document before any of it is read; only whether it sets anything is checked here.
    pub(super) set: Spanned<toml::Table>,
    #[serde(default)]
    pub(super) expect: Vec<Spanned<RawExpect>>,
}
