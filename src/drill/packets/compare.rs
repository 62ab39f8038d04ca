//! Where a packet that came out differs from the one that the script expects.
//!
//! Strictly, everything that the script says must hold, to the octet: also what a script cannot leave out (that there are no
//! options but these, in this order; that PSH is not set). By meaning, the choices that RFC 9293 leaves to an
//! implementation do not count: the order and padding of options, windows and their scale, PSH.

use std::fmt;
use std::time::Duration;

use super::mapping::{Connection, Protocol};
use super::read::Sent;
use super::{icmp, notation, pattern};
use crate::drill::language::script::{Body, EcnSpec, IcmpSpec, OptionSpec, OptionsSpec, PacketSpec, TcpSpec};
use crate::packet::TcpFlags;

/// What of a packet is compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exactness {
    /// All that the script says.
    Strict,
    /// What a peer could tell from the outside that matters.
    ByMeaning,
}

/// How packets are compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Comparison {
    /// How much counts.
    pub exactness: Exactness,
    /// What one tick of the stack's timestamp clock is worth, and how far it may be off; `None`: TSval is not compared.
    pub timestamps: Option<(Duration, Duration)>,
}

/// A field of a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Field {
    /// TCP, UDP or ICMP.
    Protocol,
    /// ECN bits of the IP header.
    Ecn,
    /// The whole traffic class octet.
    TrafficClass,
    /// TTL or hop limit.
    TimeToLive,
    /// IPv6 flow label.
    FlowLabel,
    /// Ports.
    Ports,
    /// Control bits.
    Flags,
    /// Sequence number.
    Sequence,
    /// Octets of data.
    Length,
    /// Acknowledgment number.
    Acknowledgment,
    /// Window.
    Window,
    /// Urgent pointer.
    Urgent,
    /// TCP options.
    Options,
    /// ICMP type and code.
    IcmpType,
    /// ICMP's MTU.
    IcmpMtu,
    /// What an ICMP message quotes.
    Quotation,
    /// The octets of the data.
    Data,
    /// A checksum.
    Checksum,
    /// When it was sent.
    Time,
}

/// One difference.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// Where.
    pub field: Field,
    /// What the script expects, in its words.
    pub expected: String,
    /// What is there.
    pub actual: String,
}

/// `flags: expected P., got .`
impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: expected {}, got {}", self.field, self.expected, self.actual)
    }
}

impl fmt::Display for Field {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Field::Protocol => "protocol",
            Field::Ecn => "ECN bits",
            Field::TrafficClass => "traffic class",
            Field::TimeToLive => "time to live",
            Field::FlowLabel => "flow label",
            Field::Ports => "ports",
            Field::Flags => "flags",
            Field::Sequence => "sequence number",
            Field::Length => "octets of data",
            Field::Acknowledgment => "acknowledgment number",
            Field::Window => "window",
            Field::Urgent => "urgent pointer",
            Field::Options => "options",
            Field::IcmpType => "ICMP type and code",
            Field::IcmpMtu => "ICMP MTU",
            Field::Quotation => "quotation",
            Field::Data => "data",
            Field::Checksum => "checksum",
            Field::Time => "time",
        })
    }
}

/// Collects differences.
#[derive(Default)]
struct Differences(Vec<Difference>);

impl Differences {
    fn check<T: PartialEq + fmt::Display>(&mut self, field: Field, expected: T, actual: T) {
        if expected != actual {
            self.put(field, expected.to_string(), actual.to_string());
        }
    }

    fn put(&mut self, field: Field, expected: impl Into<String>, actual: impl Into<String>) {
        self.0.push(Difference { field, expected: expected.into(), actual: actual.into() });
    }
}

/// Compares an expected packet with an actual one, both in the script's numbers. `sent` is the actual one as it was on the
/// wire. A flow label is remembered in `connection`.
pub fn compare(
    expected: &PacketSpec,
    actual: &PacketSpec,
    sent: &Sent,
    connection: &mut Connection,
    how: Comparison,
) -> Vec<Difference> {
    let mut differences = Differences::default();
    if !sent.checksums.network {
        differences.put(Field::Checksum, "a right IP checksum", "a wrong one");
    }
    if !sent.checksums.transport {
        differences.put(Field::Checksum, "a right transport checksum", "a wrong one");
    }
    match (&expected.body, &actual.body) {
        (Body::Tcp(expected), Body::Tcp(actual)) => {
            compare_tcp(expected, actual, how, &mut differences);
            check_data(Connection::position(actual), &sent.data, &mut differences);
        }
        (Body::Udp { length: expected }, Body::Udp { length: actual }) => {
            differences.check(Field::Length, *expected, *actual);
            check_data(Some(0), &sent.data, &mut differences);
        }
        (Body::Icmp(expected), Body::Icmp(actual)) => {
            compare_icmp(expected, actual, sent.route.from.is_ipv6(), &mut differences);
        }
        (expected, actual) => differences.put(Field::Protocol, protocol(expected), protocol(actual)),
    }
    compare_ip(expected, actual, &mut differences);
    if let (Some(expected), Some(actual)) = (expected.flow_label, actual.flow_label) {
        compare_flow_label(expected, actual, connection, &mut differences);
    }
    differences.0
}

fn compare_ip(expected: &PacketSpec, actual: &PacketSpec, differences: &mut Differences) {
    if let (Some(expected), Some(actual)) = (expected.tos, actual.tos) {
        differences.check(Field::TrafficClass, format!("{expected:#04x}"), format!("{actual:#04x}"));
    }
    if let (Some(wanted), Some(got)) = (expected.ecn, actual.ecn) {
        let agree = match wanted {
            EcnSpec::EctAny => matches!(got, EcnSpec::Ect0 | EcnSpec::Ect1),
            EcnSpec::NotEct | EcnSpec::Ect0 | EcnSpec::Ect1 | EcnSpec::Ce => wanted == got,
        };
        if !agree {
            differences.put(Field::Ecn, notation::ecn_name(wanted), notation::ecn_name(got));
        }
    }
    if let (Some(expected), Some(actual)) = (expected.ttl, actual.ttl) {
        differences.check(Field::TimeToLive, expected, actual);
    }
}

/// The numbers of flow labels are the stack's own; what the script says is which packets have the same.
fn compare_flow_label(expected: u32, actual: u32, connection: &mut Connection, differences: &mut Differences) {
    if expected == 0 {
        return;
    }
    if actual == 0 {
        return differences.put(Field::FlowLabel, "any but 0", "0");
    }
    match connection.flow_label {
        Some((script, wire)) if script == expected && wire != actual => {
            differences.put(Field::FlowLabel, format!("{wire:#x}, as before"), format!("{actual:#x}"));
        }
        Some((script, wire)) if script != expected && wire == actual => {
            differences.put(Field::FlowLabel, "another than before", format!("{actual:#x}, as before"));
        }
        Some(_) | None => connection.flow_label = Some((expected, actual)),
    }
}

fn compare_tcp(expected: &TcpSpec, actual: &TcpSpec, how: Comparison, differences: &mut Differences) {
    let by_meaning = how.exactness == Exactness::ByMeaning;
    let counted = if by_meaning { !TcpFlags::PSH.0 } else { u8::MAX };
    if (expected.flags.0 ^ actual.flags.0) & counted != 0 {
        differences.put(Field::Flags, notation::flags(expected.flags), notation::flags(actual.flags));
    }
    differences.check(Field::Sequence, expected.seq, actual.seq);
    differences.check(Field::Length, expected.length, actual.length);
    if actual.flags.ack() || !by_meaning {
        differences.check(Field::Acknowledgment, expected.ack.unwrap_or_default(), actual.ack.unwrap_or_default());
    }
    if let (Some(expected), Some(actual), false) = (expected.window, actual.window, by_meaning) {
        differences.check(Field::Window, expected, actual);
    }
    if actual.flags.urg() || !by_meaning {
        differences.check(Field::Urgent, expected.urgent.unwrap_or(0), actual.urgent.unwrap_or(0));
    }
    let none = Vec::new();
    let wanted = match &expected.options {
        OptionsSpec::Any => return,
        OptionsSpec::Absent => &none,
        OptionsSpec::List(options) => options,
    };
    let got = match &actual.options {
        OptionsSpec::List(options) => options,
        OptionsSpec::Any | OptionsSpec::Absent => &none,
    };
    let agree = match how.exactness {
        Exactness::Strict => options_agree(wanted, got, how),
        Exactness::ByMeaning => options_agree(&meaning(wanted), &meaning(got), how),
    };
    if !agree {
        differences.put(Field::Options, bracketed(wanted), bracketed(got));
    }
}

fn bracketed(options: &[OptionSpec]) -> String {
    if options.is_empty() { "none".to_owned() } else { format!("<{}>", notation::options(options)) }
}

fn options_agree(expected: &[OptionSpec], actual: &[OptionSpec], how: Comparison) -> bool {
    expected.len() == actual.len()
        && expected.iter().zip(actual).all(|(expected, actual)| option_agrees(expected, actual, how))
}

fn option_agrees(expected: &OptionSpec, actual: &OptionSpec, how: Comparison) -> bool {
    match (expected, actual) {
        (OptionSpec::Timestamps { val: expected, .. }, OptionSpec::Timestamps { val: actual, .. }) => {
            how.timestamps.is_none_or(|(tick, tolerance)| {
                let ticks = (actual.wrapping_sub(*expected) as i32).unsigned_abs();
                tick.saturating_mul(ticks) <= tolerance
            })
        }
        (expected, actual) => expected == actual,
    }
}

/// The options without padding and without the scale of windows, in an order of their own.
fn meaning(options: &[OptionSpec]) -> Vec<OptionSpec> {
    let mut meant: Vec<OptionSpec> = Vec::new();
    for option in options {
        match option {
            OptionSpec::EndOfList | OptionSpec::Nop => {}
            OptionSpec::WindowScale(_) => meant.push(OptionSpec::WindowScale(0)),
            OptionSpec::Mss(_)
            | OptionSpec::SackPermitted
            | OptionSpec::Sack(_)
            | OptionSpec::Timestamps { .. }
            | OptionSpec::FastOpen { .. }
            | OptionSpec::Md5(_)
            | OptionSpec::Other { .. } => meant.push(option.clone()),
        }
    }
    meant.sort_by_key(kind);
    meant
}

fn kind(option: &OptionSpec) -> u8 {
    super::options::write(std::slice::from_ref(option)).first().copied().unwrap_or(0)
}

fn compare_icmp(expected: &IcmpSpec, actual: &IcmpSpec, v6: bool, differences: &mut Differences) {
    let numbers = |icmp: &IcmpSpec| icmp::numbers(v6, &icmp.kind, icmp.code.as_deref());
    let name = |icmp: &IcmpSpec| match &icmp.code {
        Some(code) => format!("{} {code}", icmp.kind),
        None => icmp.kind.clone(),
    };
    if numbers(expected) != numbers(actual) {
        differences.put(Field::IcmpType, name(expected), name(actual));
    }
    if let Some(mtu) = expected.mtu {
        differences.check(Field::IcmpMtu, mtu.to_string(), actual.mtu.map_or("none".to_owned(), |mtu| mtu.to_string()));
    }
}

fn check_data(position: Option<u64>, data: &[u8], differences: &mut Differences) {
    let Some(position) = position else { return };
    if let Err(index) = pattern::check(position, data) {
        let at = position + index as u64;
        let got = data.get(index).copied().unwrap_or(0);
        differences.put(
            Field::Data,
            format!("{:#04x} as octet {at} of the stream", pattern::octet(at)),
            format!("{got:#04x}"),
        );
    }
}

fn protocol(body: &Body) -> &'static str {
    match body {
        Body::Tcp(_) => "TCP",
        Body::Udp { .. } => "UDP",
        Body::Icmp(_) => "ICMP",
    }
}

/// What a packet of this kind is matched with.
pub fn protocol_of(body: &Body) -> Protocol {
    match body {
        Body::Tcp(_) => Protocol::Tcp,
        Body::Udp { .. } => Protocol::Udp,
        Body::Icmp(_) => Protocol::Icmp,
    }
}

/// Whether two segments mean the same and differ only in what standards leave to a stack.
pub fn differ_by_choice_only(expected: &PacketSpec, actual: &PacketSpec) -> bool {
    let (Body::Tcp(expected), Body::Tcp(actual)) = (&expected.body, &actual.body) else { return false };
    let how = Comparison { exactness: Exactness::ByMeaning, timestamps: None };
    let mut differences = Differences::default();
    compare_tcp(expected, actual, how, &mut differences);
    differences.0.is_empty()
}

/// `actual` without what the script says nothing of, to be shown beside `expected`. What differs stays.
pub fn alike(actual: &PacketSpec, expected: &PacketSpec, differences: &[Difference]) -> PacketSpec {
    let differs = |field: Field| differences.iter().any(|difference| difference.field == field);
    let mut shown = actual.clone();
    shown.ecn = shown.ecn.filter(|_| expected.ecn.is_some() || differs(Field::Ecn));
    shown.tos = shown.tos.filter(|_| expected.tos.is_some());
    shown.ttl = shown.ttl.filter(|_| expected.ttl.is_some());
    shown.flow_label = shown.flow_label.filter(|_| expected.flow_label.is_some());
    if let Body::Tcp(tcp) = &mut shown.body {
        let wanted = match &expected.body {
            Body::Tcp(wanted) => Some(wanted),
            Body::Udp { .. } | Body::Icmp(_) => None,
        };
        tcp.window = tcp.window.filter(|_| wanted.is_some_and(|wanted| wanted.window.is_some()));
        tcp.urgent = tcp.urgent.filter(|urgent| *urgent != 0 || differs(Field::Urgent));
    }
    shown
}

#[cfg(test)]
mod tests;
