//! Every header of every layer, field by field, with its bytes.
//!
//! [`Dissection`] says where the headers are; this room gives their fields the RFCs' names, values that a person reads,
//! and Wireshark's filter names. A frame that is cut short or contradicts itself yields what can be read, then a layer
//! `Malformed` that says what is wrong. What does not live here: layout and colours, which are the report's.

mod cut;
mod icmp;
mod network;
mod payload;
mod tcp;
#[cfg(test)]
mod tests;

use std::net::IpAddr;
use std::ops::Range;

pub use self::cut::{cut_summary, cut_tcp, stopped};
pub use self::network::{Fragment, fragment};
use super::checksum::Sum;
use super::dissect::{Ethernet, Network, Transport, Udp};
use super::{Dissection, Medium};

/// One layer of a frame.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Layer {
    /// `Ethernet II`, `IPv4`, `TCP`, `Payload`…
    pub name: &'static str,
    /// The layer in one line: `10.0.0.1:40000 → 10.0.0.2:80 SYN`.
    pub summary: String,
    /// Its octets in the frame.
    pub range: Range<usize>,
    /// Its fields in wire order.
    pub fields: Vec<Field>,
}

/// One field of a header.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Field {
    /// The RFC's name: `Time to Live`.
    pub name: &'static str,
    /// The value as a person reads it.
    pub value: String,
    /// The octets that hold it, whole octets even for single bits.
    pub range: Range<usize>,
    /// Wireshark's name of the field, to be used in a display filter.
    pub filter: Option<&'static str>,
}

/// The layers of a frame, outermost first. `wire_len`: octets it had on the wire; more than `frame` when a capture cut
/// it short.
pub fn layers(medium: Medium, frame: &[u8], wire_len: usize) -> Vec<Layer> {
    let dissection = Dissection::of(medium, frame, wire_len);
    let mut layers = Vec::new();
    if let Some(ethernet) = &dissection.ethernet {
        layers.push(ethernet_layer(ethernet, &dissection, frame));
        vlan_tags(ethernet, frame, &mut layers);
    }
    if let Some(header) = &dissection.network {
        network::layers(header, frame, &mut layers);
    }
    let cut = cut::layer(&dissection, frame);
    let read_to = cut.as_ref().map_or(dissection.payload.start, |layer| layer.range.end);
    layers.extend(cut);
    layers.extend(dissection.transport.as_ref().map(|header| transport_layer(header, &dissection, frame)));
    match cut::stop(&dissection, frame, read_to) {
        Some(layer) => layers.push(layer),
        None => layers.extend(payload::layer(&dissection, frame)),
    }
    layers
}

/// A frame in one line, that of its innermost header: `10.0.0.1:40000 → 10.0.0.2:80 TCP SYN …`.
pub fn summary(medium: Medium, frame: &[u8]) -> String {
    let layers = layers(medium, frame, frame.len());
    let innermost = layers.iter().rev().find(|layer| layer.name != payload::NAME).or(layers.last());
    innermost.map_or_else(|| "an empty frame".to_owned(), |layer| layer.summary.clone())
}

/// Collects the fields of one header.
struct Fields<'a> {
    frame: &'a [u8],
    /// Where the header begins.
    start: usize,
    fields: Vec<Field>,
}

impl<'a> Fields<'a> {
    fn new(frame: &'a [u8], start: usize) -> Fields<'a> {
        Fields { frame, start, fields: Vec::new() }
    }

    /// Adds a field that lies at `at`, counted from the header's first octet; what was not captured of it is cut off.
    fn add(&mut self, name: &'static str, at: Range<usize>, filter: Option<&'static str>, value: impl Into<String>) {
        let end = (self.start + at.end).min(self.frame.len());
        let range = (self.start + at.start).min(end)..end;
        self.fields.push(Field { name, value: value.into(), range, filter });
    }

    /// The octets at `at`, as far as they were captured.
    fn octets(&self, at: Range<usize>) -> &'a [u8] {
        let end = (self.start + at.end).min(self.frame.len());
        self.frame.get(self.start + at.start..end).unwrap_or(&[])
    }

    /// The big-endian number at `at`, of at most eight octets; 0 for none.
    fn number(&self, at: Range<usize>) -> u64 {
        self.octets(at).iter().fold(0, |number, octet| number << 8 | u64::from(*octet))
    }

    /// The layer, `length` octets long.
    fn into_layer(self, name: &'static str, summary: String, length: usize) -> Layer {
        let end = (self.start + length).min(self.frame.len());
        Layer { name, summary, range: self.start.min(end)..end, fields: self.fields }
    }
}

fn ethernet_layer(ethernet: &Ethernet, dissection: &Dissection, frame: &[u8]) -> Layer {
    let mut fields = Fields::new(frame, 0);
    let kind = ether_type_name(ethernet.ether_type);
    fields.add("Destination", 0..6, Some("eth.dst"), mac(ethernet.dst));
    fields.add("Source", 6..12, Some("eth.src"), mac(ethernet.src));
    fields.add("Type", 12..14, Some("eth.type"), format!("0x{:04x} ({kind})", ethernet.ether_type));
    let end = network_end(dissection, frame);
    if end < frame.len() && dissection.network.is_some() {
        let padding = format!("{}: {}", octets(frame.len() - end), hex(&frame[end..]));
        fields.add("Padding", end..frame.len(), Some("eth.padding"), padding);
    }
    let summary = format!("{} → {} {kind}", mac(ethernet.src), mac(ethernet.dst));
    fields.into_layer("Ethernet II", summary, super::dissect::ETHERNET_HEADER)
}

/// The VLAN tags behind the Ethernet header, four octets each (IEEE 802.1Q; one in another: IEEE 802.1ad).
fn vlan_tags(ethernet: &Ethernet, frame: &[u8], layers: &mut Vec<Layer>) {
    let mut kind = ethernet.ether_type;
    let mut at = super::dissect::ETHERNET_HEADER;
    while matches!(kind, 0x8100 | 0x88a8 | 0x9100) && at + 4 <= frame.len() {
        // The outer tag of two has other names in Wireshark.
        let (name, filters) = match kind {
            0x88a8 => ("VLAN Tag (802.1ad)", ["ieee8021ad.priority", "ieee8021ad.dei", "ieee8021ad.id"].map(Some)),
            _ => ("VLAN Tag (802.1Q)", ["vlan.priority", "vlan.dei", "vlan.id"].map(Some)),
        };
        let etype = (kind != 0x88a8).then_some("vlan.etype");
        let mut fields = Fields::new(frame, at);
        let control = fields.number(0..2);
        kind = fields.number(2..4) as u16;
        let (priority, id) = (control >> 13, control & 0xfff);
        fields.add("Priority", 0..1, filters[0], priority.to_string());
        fields.add("Drop Eligible Indicator", 0..1, filters[1], is_set(control & 0x1000 != 0));
        fields.add("VLAN Identifier", 0..2, filters[2], id.to_string());
        let next = ether_type_name(kind);
        fields.add("Type", 2..4, etype, format!("0x{kind:04x} ({next})"));
        layers.push(fields.into_layer(name, format!("VLAN {id}, priority {priority}, {next}"), 4));
        at += 4;
    }
}

fn ether_type_name(ether_type: u16) -> &'static str {
    match ether_type {
        0x0800 => "IPv4",
        0x0806 => "ARP",
        0x86dd => "IPv6",
        0x8100 | 0x9100 => "VLAN tag (IEEE 802.1Q)",
        0x88a8 => "VLAN tag (IEEE 802.1ad)",
        0..0x0600 => "length of an IEEE 802.3 frame",
        _ => "a protocol not known here",
    }
}

/// Where the network packet ends in the frame and padding begins.
fn network_end(dissection: &Dissection, frame: &[u8]) -> usize {
    let end = match &dissection.network {
        Some(Network::Ipv4(header)) if header.total_len >= header.header_len => header.offset + header.total_len,
        Some(Network::Ipv6(header)) => header.offset + 40 + header.payload_len,
        Some(Network::Arp(arp)) => arp.offset + 28,
        Some(Network::Ipv4(_)) | None => frame.len(),
    };
    end.min(frame.len())
}

fn transport_layer(transport: &Transport, dissection: &Dissection, frame: &[u8]) -> Layer {
    match transport {
        Transport::Tcp(header) => tcp::layer(header, dissection, frame),
        Transport::Udp(header) => udp_layer(header, dissection, frame),
        Transport::Icmpv4(message) => icmp::v4_layer(message, dissection, frame),
        Transport::Icmpv6(message) => icmp::v6_layer(message, dissection, frame),
    }
}

fn udp_layer(udp: &Udp, dissection: &Dissection, frame: &[u8]) -> Layer {
    let mut fields = Fields::new(frame, udp.offset);
    fields.add("Source Port", 0..2, Some("udp.srcport"), udp.src_port.to_string());
    fields.add("Destination Port", 2..4, Some("udp.dstport"), udp.dst_port.to_string());
    let available = frame.len().saturating_sub(udp.offset);
    let length = usize::from(udp.length);
    fields.add("Length", 4..6, Some("udp.length"), length_of(length, available));
    let verdict = match udp.checksum {
        0 if dissection.is_ipv4() => "0x0000 [none]".to_owned(),
        checksum => transport_checksum(checksum, 6, dissection, frame),
    };
    fields.add("Checksum", 6..8, Some("udp.checksum"), verdict);
    let summary = format!("{} UDP len={}", endpoints(dissection), length.saturating_sub(8));
    fields.into_layer("UDP", summary, 8)
}

/// `10.0.0.1:40000 → 10.0.0.2:80`, without ports where there are none.
fn endpoints(dissection: &Dissection) -> String {
    match (dissection.addresses(), dissection.ports()) {
        (Some((src, dst)), Some((from, to))) => {
            format!("{} → {}", std::net::SocketAddr::new(src, from), std::net::SocketAddr::new(dst, to))
        }
        (Some((src, dst)), None) => format!("{src} → {dst}"),
        (None, _) => "? → ?".to_owned(),
    }
}

/// A length field beside what is really there.
fn length_of(claimed: usize, available: usize) -> String {
    if claimed > available {
        let are = if available == 1 { "octet is" } else { "octets are" };
        format!("{claimed} (only {available} {are} here)")
    } else {
        octets(claimed)
    }
}

/// A transport checksum with its verdict. `at` is where the field lies in the header.
fn transport_checksum(stored: u16, at: usize, dissection: &Dissection, frame: &[u8]) -> String {
    match expected_checksum(at, dissection, frame) {
        Some(expected) => verdict(stored, expected),
        None => format!("0x{stored:04x} [not checked: the packet is cut short]"),
    }
}

/// What the transport checksum should be; `None` when not all octets are there.
fn expected_checksum(at: usize, dissection: &Dissection, frame: &[u8]) -> Option<u16> {
    let claimed_end = match dissection.network.as_ref()? {
        Network::Ipv4(header) if header.total_len == 0 => frame.len(),
        Network::Ipv4(header) => header.offset + header.total_len,
        Network::Ipv6(header) => header.offset + 40 + header.payload_len,
        Network::Arp(_) => return None,
    };
    let range = dissection.transport_range()?;
    let covered = frame.get(range)?;
    if claimed_end > frame.len() {
        return None;
    }
    let (protocol, is_udp) = match dissection.transport.as_ref()? {
        Transport::Tcp(_) => (Some(6), false),
        Transport::Udp(udp) if usize::from(udp.length) != covered.len() => return None,
        Transport::Udp(_) => (Some(17), true),
        Transport::Icmpv4(_) => (None, false),
        Transport::Icmpv6(_) => (Some(58), false),
    };
    let mut sum = Sum::new();
    if let Some(protocol) = protocol {
        let (src, dst): (IpAddr, IpAddr) = dissection.addresses()?;
        sum = sum.add_pseudo_header(src, dst, protocol, covered.len() as u32);
    }
    let expected = sum.add_bytes(covered.get(..at)?).add_bytes(covered.get(at + 2..)?).complement();
    // UDP writes a computed zero as 0xffff, since zero there means "none" (RFC 768).
    Some(if is_udp && expected == 0 { 0xffff } else { expected })
}

/// `0x1c46 [good]` or `0x1c46 [bad, should be 0x1c47]`.
fn verdict(stored: u16, expected: u16) -> String {
    if stored == expected {
        format!("0x{stored:04x} [good]")
    } else {
        format!("0x{stored:04x} [bad, should be 0x{expected:04x}]")
    }
}

fn mac(octets: [u8; 6]) -> String {
    octets.map(|octet| format!("{octet:02x}")).join(":")
}

/// `48 54 54 50`
fn hex(octets: &[u8]) -> String {
    octets.iter().map(|octet| format!("{octet:02x}")).collect::<Vec<_>>().join(" ")
}

/// `1 octet`, `2 octets`
fn octets(number: usize) -> String {
    if number == 1 { "1 octet".to_owned() } else { format!("{number} octets") }
}

fn is_set(set: bool) -> &'static str {
    if set { "set" } else { "not set" }
}

/// The name of an IP protocol number.
fn protocol_name(number: u8) -> &'static str {
    match number {
        0 => "IPv6 Hop-by-Hop Options",
        1 => "ICMP",
        2 => "IGMP",
        4 => "IPv4 encapsulation",
        6 => "TCP",
        17 => "UDP",
        41 => "IPv6 encapsulation",
        43 => "IPv6 Routing Header",
        44 => "IPv6 Fragment Header",
        47 => "GRE",
        50 => "ESP",
        51 => "Authentication Header",
        58 => "ICMPv6",
        59 => "IPv6 No Next Header",
        60 => "IPv6 Destination Options",
        89 => "OSPF",
        132 => "SCTP",
        _ => "a protocol not known here",
    }
}
