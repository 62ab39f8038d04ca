//! A lab file as it is typed: one struct per table, every field by its name in the file.
//!
//! Nothing is judged here but shapes: what is unknown or of the wrong type is refused by serde with its place. What the
//! fields mean together is for [`meaning`](super::meaning) and [`claims`](super::claims).

use std::collections::BTreeMap;

use serde::Deserialize;
use toml::Spanned;

use crate::app::{Destination, Program, Size, Span};
use crate::journal::TransportKind;
use crate::stack::Congestion;

use super::values::{Number, Odds, Rate, SpanOrOff};

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

/// What a node is made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum RawKind {
    Linux,
    Stack,
}

/// `[node.NAME]`
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, expecting = "a table")]
pub(super) struct RawNode {
    pub(super) live: RawKind,
    pub(super) sim: Option<Spanned<RawKind>>,
    #[serde(default)]
    pub(super) addresses: Vec<Spanned<String>>,
    pub(super) gateway: Option<Spanned<String>>,
    #[serde(default)]
    pub(super) tcp: RawTcp,
    #[serde(default)]
    pub(super) sysctl: Named<RawSysctl>,
}

/// `[router.NAME]`
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, expecting = "a table")]
pub(super) struct RawRouter {
    /// By the node at the other end of a link.
    #[serde(default)]
    pub(super) addresses: Named<Vec<Spanned<String>>>,
    /// By prefix, or `default`: which neighbour packets go to.
    #[serde(default)]
    pub(super) routes: Named<Spanned<String>>,
    pub(super) icmp: Option<bool>,
    #[serde(default)]
    pub(super) rule: Vec<RawRouterRule>,
    pub(super) otherwise: Option<RawVerdict>,
    #[serde(default)]
    pub(super) stateful: bool,
    pub(super) nat: Option<RawNat>,
    pub(super) mss_clamp: Option<Spanned<RawClamp>>,
}

/// `[[router.NAME.rule]]`
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, expecting = "a table")]
pub(super) struct RawRouterRule {
    pub(super) id: Spanned<String>,
    pub(super) from: Option<Spanned<String>>,
    pub(super) to: Option<Spanned<String>>,
    pub(super) when: Spanned<String>,
    #[serde(rename = "do")]
    pub(super) verdict: RawVerdict,
}

/// What becomes of a packet.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum RawVerdict {
    Accept,
    Drop,
    Reject,
    Prohibit,
}

/// `nat = { outside = "server" }`
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, expecting = "a table")]
pub(super) struct RawNat {
    pub(super) outside: Spanned<String>,
    #[serde(default)]
    pub(super) mapping: RawMapping,
    #[serde(default)]
    pub(super) filtering: RawFiltering,
    pub(super) idle: Option<Span>,
    #[serde(default)]
    pub(super) forward: Vec<RawForward>,
}

/// `mapping = "symmetric"`
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum RawMapping {
    #[default]
    EndpointIndependent,
    Symmetric,
}

/// `filtering = "address-dependent"`
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum RawFiltering {
    EndpointIndependent,
    AddressDependent,
    #[default]
    AddressAndPortDependent,
}

/// `{ protocol = "tcp", port = 8080, to = "server:80" }`
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, expecting = "a table")]
pub(super) struct RawForward {
    pub(super) protocol: TransportKind,
    pub(super) port: Spanned<u16>,
    pub(super) to: Spanned<Destination>,
}

/// `"mtu"`, or a number of octets.
#[derive(Clone, Copy, Debug)]
pub(super) enum RawClamp {
    ToMtu,
    To(u16),
}

/// `[switch.NAME]`
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, expecting = "a table")]
pub(super) struct RawSwitch {
    pub(super) age: Option<Span>,
}

/// A kernel setting, typed as a number or as a text.
#[derive(Debug)]
pub(super) struct RawSysctl(pub(super) String);

/// `tcp = { … }`
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, expecting = "a table")]
pub(super) struct RawTcp {
    pub(super) send_buffer: Option<Spanned<Size>>,
    pub(super) receive_buffer: Option<Spanned<Size>>,
    pub(super) no_delay: Option<bool>,
    pub(super) delayed_ack: Option<SpanOrOff>,
    pub(super) user_timeout: Option<SpanOrOff>,
    pub(super) keep_alive: Option<SpanOrOff>,
    pub(super) congestion: Option<Spanned<Congestion>>,
    pub(super) sack: Option<bool>,
    pub(super) timestamps: Option<bool>,
    pub(super) rack: Option<bool>,
    pub(super) tail_loss_probe: Option<bool>,
    pub(super) f_rto: Option<bool>,
    pub(super) hystart: Option<bool>,
    pub(super) ecn: Option<RawEcn>,
    pub(super) window_scaling: Option<bool>,
    pub(super) max_segment: Option<Spanned<u16>>,
    pub(super) initial_window: Option<Spanned<u32>>,
    pub(super) slow_start_after_idle: Option<bool>,
    pub(super) rto_min: Option<Span>,
    pub(super) rto_initial: Option<Span>,
    pub(super) time_wait: Option<Span>,
    pub(super) path_reports: Option<RawReports>,
    pub(super) path_probing: Option<RawProbing>,
    pub(super) syn_cookies: Option<RawCookies>,
    pub(super) half_open: Option<usize>,
    pub(super) fast_open: Option<bool>,
    pub(super) trusts_resets: Option<bool>,
}

/// `ecn = "active"`
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum RawEcn {
    Off,
    Passive,
    Active,
}

/// `path_reports = "ignored"`
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum RawReports {
    NotAsked,
    Heard,
    Ignored,
}

/// `path_probing = "always"`
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum RawProbing {
    Off,
    InBlackHoles,
    Always,
}

/// `syn_cookies = "never"`
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum RawCookies {
    Never,
    WhenFull,
    Always,
}

/// `[[link]]`: what holds for both directions, and what one direction says of its own.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, expecting = "a table")]
pub(super) struct RawLink {
    pub(super) between: Spanned<Vec<Spanned<String>>>,
    pub(super) mtu: Option<Spanned<usize>>,
    pub(super) delay: Option<Span>,
    pub(super) jitter: Option<Span>,
    pub(super) rate: Option<Spanned<Rate>>,
    pub(super) queue: Option<Spanned<RawQueue>>,
    pub(super) loss: Option<Odds>,
    pub(super) reorder: Option<Odds>,
    pub(super) reorder_by: Option<u32>,
    pub(super) duplicate: Option<Odds>,
    pub(super) corrupt: Option<Odds>,
    #[serde(default)]
    pub(super) from: Named<RawPipe>,
    #[serde(default)]
    pub(super) rule: Vec<RawRule>,
}

/// `[link.from.NODE]`: the direction that begins at this node.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, expecting = "a table")]
pub(super) struct RawPipe {
    pub(super) delay: Option<Span>,
    pub(super) jitter: Option<Span>,
    pub(super) rate: Option<Spanned<Rate>>,
    pub(super) queue: Option<Spanned<RawQueue>>,
    pub(super) loss: Option<Odds>,
    pub(super) reorder: Option<Odds>,
    pub(super) reorder_by: Option<u32>,
    pub(super) duplicate: Option<Odds>,
    pub(super) corrupt: Option<Odds>,
}

/// `[[link.rule]]`
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, expecting = "a table")]
pub(super) struct RawRule {
    pub(super) id: Spanned<String>,
    pub(super) from: Spanned<String>,
    pub(super) when: Spanned<String>,
    pub(super) nth: Option<Spanned<RawNth>>,
    #[serde(rename = "do")]
    pub(super) action: Spanned<RawAction>,
}

/// One number or a list of them.
#[derive(Debug)]
pub(super) struct RawNth(pub(super) Vec<u32>);

/// `"drop"`, `{ delay = "50ms" }`, `{ hold = 2 }`…
#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum RawAction {
    Drop,
    Duplicate,
    Corrupt,
    Delay(Span),
    Hold(u32),
    StripOption(RawOption),
    BleachEcn,
}

/// An option of TCP, by name.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum RawOption {
    Mss,
    WindowScale,
    SackPermitted,
    Sack,
    Timestamps,
    FastOpen,
}

impl RawOption {
    /// Its number (IANA, "TCP Option Kind Numbers").
    pub(super) fn kind(self) -> u8 {
        match self {
            RawOption::Mss => 2,
            RawOption::WindowScale => 3,
            RawOption::SackPermitted => 4,
            RawOption::Sack => 5,
            RawOption::Timestamps => 8,
            RawOption::FastOpen => 34,
        }
    }
}

/// `queue = 100`, or `{ packets = 100, discipline = "codel", ecn = true }`
#[derive(Debug, Default)]
pub(super) struct RawQueue {
    pub(super) packets: Option<usize>,
    pub(super) discipline: RawDiscipline,
    pub(super) target: Option<Span>,
    pub(super) interval: Option<Span>,
    pub(super) ecn: Option<bool>,
    pub(super) mark_above: Option<usize>,
}

/// `discipline = "codel"`
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum RawDiscipline {
    #[default]
    Fifo,
    Codel,
}

/// `[[step]]`
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, expecting = "a table")]
pub(super) struct RawStep {
    pub(super) on: Spanned<String>,
    pub(super) run: Spanned<Program>,
    pub(super) exec: Option<Spanned<Vec<Spanned<String>>>>,
    pub(super) background: Option<bool>,
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
    pub(super) nth: Option<Spanned<u32>>,
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
