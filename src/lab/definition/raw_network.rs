//! What a lab is made of, as it is typed: the nodes and what their TCP is told, the routers, the switches, the links.

use serde::Deserialize;
use toml::Spanned;

use crate::app::{Destination, Size, Span};
use crate::journal::TransportKind;
use crate::stack::Congestion;

use super::raw::Named;
use super::values::{Odds, Rate, SpanOrOff};

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
    #[serde(default)]
    pub(super) names: Vec<Spanned<String>>,
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
