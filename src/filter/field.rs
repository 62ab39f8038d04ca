//! The fields of packets that a filter can ask for, by Wireshark's names: those below the applications.

use std::borrow::Cow;
use std::fmt;
use std::net::{Ipv4Addr, Ipv6Addr};

use super::http::Http;
use super::view::{Protocol, Segment};
use super::{PacketSubject, application};
use crate::packet::dissect::{Arp, Ethernet, Icmp, Ipv4, Ipv6, TcpFlags, Udp};
use crate::packet::dns::{Message, Question, Record};

/// A field's type; says which literals it compares with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// A protocol: present or not, and the octets from its header to the end of its data.
    Protocol,
    /// An unsigned number of so many bits.
    Number(u8),
    /// A single bit, present whether set or not.
    Flag,
    /// An IPv4 address.
    Ipv4,
    /// An IPv6 address.
    Ipv6,
    /// A MAC address.
    Mac,
    /// Octets.
    Bytes,
    /// Text.
    Text,
    /// A span of time.
    Span,
}

impl Kind {
    /// What it is, in plural, as error messages name it.
    pub(super) fn noun(self) -> &'static str {
        match self {
            Kind::Protocol => "protocols",
            Kind::Number(_) => "numbers",
            Kind::Flag => "flags",
            Kind::Ipv4 | Kind::Ipv6 => "IP addresses",
            Kind::Mac => "MAC addresses",
            Kind::Bytes => "octets",
            Kind::Text => "texts",
            Kind::Span => "spans of time",
        }
    }
}

/// One value of a field in a packet.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Value<'a> {
    /// Of [`Kind::Number`].
    Number(u64),
    /// Of [`Kind::Flag`].
    Flag(bool),
    /// Of [`Kind::Ipv4`].
    Ipv4(Ipv4Addr),
    /// Of [`Kind::Ipv6`].
    Ipv6(Ipv6Addr),
    /// Of [`Kind::Mac`].
    Mac([u8; 6]),
    /// Of [`Kind::Bytes`] and [`Kind::Protocol`].
    Bytes(&'a [u8]),
    /// Of [`Kind::Text`].
    Text(Cow<'a, str>),
    /// Of [`Kind::Span`], in nanoseconds.
    Span(u64),
}

impl fmt::Display for Value<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Value::Number(number) | Value::Span(number) => write!(f, "{number}"),
            Value::Flag(is_set) => write!(f, "{}", u8::from(*is_set)),
            Value::Ipv4(address) => write!(f, "{address}"),
            Value::Ipv6(address) => write!(f, "{address}"),
            Value::Mac(address) => f.write_str(&address.map(|octet| format!("{octet:02x}")).join(":")),
            Value::Bytes(bytes) => bytes.iter().try_for_each(|octet| write!(f, "{octet:02x}")),
            Value::Text(text) => f.write_str(text),
        }
    }
}

/// The values of a field in one packet: none when it is not there, several for `ip.addr` and its like.
pub(super) type Values<'a> = Vec<Value<'a>>;

/// How the values of a field are read, by the layer it belongs to. Layers that an ICMP error quotes count too.
#[derive(Debug)]
pub(super) enum Reader {
    /// What the capture knows.
    Frame(for<'a> fn(&PacketSubject<'a>) -> Values<'a>),
    /// The presence of a protocol.
    Presence(Protocol),
    /// The Ethernet header.
    Ethernet(fn(&Ethernet) -> Values<'static>),
    /// An ARP message.
    Arp(fn(&Arp) -> Values<'static>),
    /// Each IPv4 header.
    Ipv4(fn(&Ipv4) -> Values<'static>),
    /// Each IPv6 header.
    Ipv6(fn(&Ipv6) -> Values<'static>),
    /// Each whole TCP header.
    Tcp(for<'a> fn(&Segment<'a>) -> Values<'a>),
    /// The first octets of each TCP header, of which an ICMP error may quote only eight.
    TcpStart(fn(&[u8]) -> Values<'static>),
    /// The relative sequence number.
    TcpSequence,
    /// Each UDP header.
    Udp(fn(&Udp) -> Values<'static>),
    /// The data of each UDP datagram, if there is any.
    UdpPayload,
    /// The connection's or conversation's number, for TCP or UDP.
    Stream(Protocol),
    /// An ICMP message.
    Icmpv4(fn(&Icmp) -> Values<'static>),
    /// An ICMPv6 message.
    Icmpv6(fn(&Icmp) -> Values<'static>),
    /// An HTTP/1 message that begins in this segment.
    Http(for<'a> fn(&Http<'a>) -> Values<'a>),
    /// The values of a header field of such a message.
    HttpHeader(&'static str),
    /// Each DNS message.
    Dns(fn(&Message) -> Values<'static>),
    /// Each question of each DNS message.
    DnsQuestion(fn(&Question) -> Values<'static>),
    /// Each record of each DNS message.
    DnsRecord(fn(&Record) -> Values<'static>),
    /// Payload that nothing here reads.
    Data(for<'a> fn(&'a [u8]) -> Values<'a>),
}

/// A field of packets.
#[derive(Debug)]
pub(super) struct Field {
    /// Wireshark's name.
    pub(super) name: &'static str,
    /// Its type.
    pub(super) kind: Kind,
    /// Where its values come from.
    pub(super) reader: Reader,
}

pub(super) const fn field(name: &'static str, kind: Kind, reader: Reader) -> Field {
    Field { name, kind, reader }
}

pub(super) fn number(value: impl Into<u64>) -> Values<'static> {
    vec![Value::Number(value.into())]
}

pub(super) fn size(octets: usize) -> Values<'static> {
    number(octets as u64)
}

pub(super) fn flag(value: bool) -> Values<'static> {
    vec![Value::Flag(value)]
}

fn control_bit(segment: &Segment<'_>, bit: TcpFlags) -> Values<'static> {
    flag(segment.header.flags.contains(bit))
}

pub(super) fn optional(value: Option<impl Into<u64>>) -> Values<'static> {
    value.map(|value| Value::Number(value.into())).into_iter().collect()
}

fn word(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_be_bytes([*bytes.get(at)?, *bytes.get(at + 1)?]))
}

/// The two halves of an echo message's second word.
fn echo(icmp: &Icmp, types: [u8; 2], at: usize) -> Values<'static> {
    optional(word(&icmp.rest, at).filter(|_| types.contains(&icmp.kind)))
}

/// Of "fragmentation needed" (RFC 1191 §4).
fn next_hop_mtu(icmp: &Icmp) -> Values<'static> {
    optional(word(&icmp.rest, 2).filter(|_| (icmp.kind, icmp.code) == (3, 4)))
}

/// Looks a field up.
pub(super) fn named(name: &str) -> Option<&'static Field> {
    FIELDS.iter().copied().flatten().find(|field| field.name == name)
}

/// Every name.
pub(super) fn names() -> impl Iterator<Item = &'static str> {
    FIELDS.iter().copied().flatten().map(|field| field.name)
}

static FIELDS: [&[Field]; 9] =
    [&FRAME, &PROTOCOLS, &LINK, &IPV4, &IPV6, &TCP, &UDP_AND_ICMP, &application::HTTP_AND_DATA, &application::DNS];

static FRAME: [Field; 4] = [
    field("frame.number", Kind::Number(32), Reader::Frame(|subject| optional(subject.number))),
    field("frame.len", Kind::Number(32), Reader::Frame(|subject| size(subject.dissection.frame_len))),
    field("frame.cap_len", Kind::Number(32), Reader::Frame(|subject| size(subject.bytes.len()))),
    field(
        "frame.time_relative",
        Kind::Span,
        Reader::Frame(|subject| subject.number.map(|_| Value::Span(subject.at.as_nanos())).into_iter().collect()),
    ),
];

const fn protocol(name: &'static str, protocol: Protocol) -> Field {
    field(name, Kind::Protocol, Reader::Presence(protocol))
}

static PROTOCOLS: [Field; 12] = [
    protocol("frame", Protocol::Frame),
    protocol("eth", Protocol::Ethernet),
    protocol("arp", Protocol::Arp),
    protocol("ip", Protocol::Ipv4),
    protocol("ipv6", Protocol::Ipv6),
    protocol("tcp", Protocol::Tcp),
    protocol("udp", Protocol::Udp),
    protocol("icmp", Protocol::Icmpv4),
    protocol("icmpv6", Protocol::Icmpv6),
    protocol("http", Protocol::Http),
    protocol("dns", Protocol::Dns),
    protocol("data", Protocol::Data),
];

static LINK: [Field; 9] = [
    field("eth.dst", Kind::Mac, Reader::Ethernet(|eth| vec![Value::Mac(eth.dst)])),
    field("eth.src", Kind::Mac, Reader::Ethernet(|eth| vec![Value::Mac(eth.src)])),
    field("eth.addr", Kind::Mac, Reader::Ethernet(|eth| vec![Value::Mac(eth.dst), Value::Mac(eth.src)])),
    // Below 0x600 it is the length of an IEEE 802.3 frame.
    field(
        "eth.type",
        Kind::Number(16),
        Reader::Ethernet(|eth| optional(Some(eth.ether_type).filter(|is| *is >= 0x600))),
    ),
    field("arp.opcode", Kind::Number(16), Reader::Arp(|arp| number(arp.operation))),
    field("arp.src.hw_mac", Kind::Mac, Reader::Arp(|arp| vec![Value::Mac(arp.sender_mac)])),
    field("arp.src.proto_ipv4", Kind::Ipv4, Reader::Arp(|arp| vec![Value::Ipv4(arp.sender_ip)])),
    field("arp.dst.hw_mac", Kind::Mac, Reader::Arp(|arp| vec![Value::Mac(arp.target_mac)])),
    field("arp.dst.proto_ipv4", Kind::Ipv4, Reader::Arp(|arp| vec![Value::Ipv4(arp.target_ip)])),
];

static IPV4: [Field; 16] = [
    field("ip.version", Kind::Number(8), Reader::Ipv4(|_| number(4_u8))),
    field("ip.hdr_len", Kind::Number(8), Reader::Ipv4(|ip| size(ip.header_len))),
    field("ip.dsfield", Kind::Number(8), Reader::Ipv4(|ip| number(ip.dscp << 2 | ip.ecn))),
    field("ip.dsfield.dscp", Kind::Number(8), Reader::Ipv4(|ip| number(ip.dscp))),
    field("ip.dsfield.ecn", Kind::Number(8), Reader::Ipv4(|ip| number(ip.ecn))),
    field("ip.len", Kind::Number(16), Reader::Ipv4(|ip| size(ip.total_len))),
    field("ip.id", Kind::Number(16), Reader::Ipv4(|ip| number(ip.identification))),
    field("ip.flags.df", Kind::Flag, Reader::Ipv4(|ip| flag(ip.dont_fragment))),
    field("ip.flags.mf", Kind::Flag, Reader::Ipv4(|ip| flag(ip.more_fragments))),
    // As the header has it: in units of eight octets.
    field("ip.frag_offset", Kind::Number(16), Reader::Ipv4(|ip| size(ip.fragment_offset / 8))),
    field("ip.ttl", Kind::Number(8), Reader::Ipv4(|ip| number(ip.ttl))),
    field("ip.proto", Kind::Number(8), Reader::Ipv4(|ip| number(ip.protocol))),
    field("ip.checksum", Kind::Number(16), Reader::Ipv4(|ip| number(ip.checksum))),
    field("ip.src", Kind::Ipv4, Reader::Ipv4(|ip| vec![Value::Ipv4(ip.src)])),
    field("ip.dst", Kind::Ipv4, Reader::Ipv4(|ip| vec![Value::Ipv4(ip.dst)])),
    field("ip.addr", Kind::Ipv4, Reader::Ipv4(|ip| vec![Value::Ipv4(ip.src), Value::Ipv4(ip.dst)])),
];

static IPV6: [Field; 8] = [
    field("ipv6.version", Kind::Number(8), Reader::Ipv6(|_| number(6_u8))),
    field("ipv6.tclass.ecn", Kind::Number(8), Reader::Ipv6(|ip| number(ip.ecn))),
    field("ipv6.flow", Kind::Number(32), Reader::Ipv6(|ip| number(ip.flow_label))),
    field("ipv6.plen", Kind::Number(16), Reader::Ipv6(|ip| size(ip.payload_len))),
    field("ipv6.hlim", Kind::Number(8), Reader::Ipv6(|ip| number(ip.hop_limit))),
    field("ipv6.src", Kind::Ipv6, Reader::Ipv6(|ip| vec![Value::Ipv6(ip.src)])),
    field("ipv6.dst", Kind::Ipv6, Reader::Ipv6(|ip| vec![Value::Ipv6(ip.dst)])),
    field("ipv6.addr", Kind::Ipv6, Reader::Ipv6(|ip| vec![Value::Ipv6(ip.src), Value::Ipv6(ip.dst)])),
];

static TCP: [Field; 34] = [
    field("tcp.srcport", Kind::Number(16), Reader::TcpStart(|bytes| optional(word(bytes, 0)))),
    field("tcp.dstport", Kind::Number(16), Reader::TcpStart(|bytes| optional(word(bytes, 2)))),
    field(
        "tcp.port",
        Kind::Number(16),
        Reader::TcpStart(|bytes| [0, 2].iter().flat_map(|at| optional(word(bytes, *at))).collect()),
    ),
    field("tcp.stream", Kind::Number(32), Reader::Stream(Protocol::Tcp)),
    field("tcp.len", Kind::Number(32), Reader::Tcp(|segment| optional(segment.length()))),
    field("tcp.seq", Kind::Number(32), Reader::TcpSequence),
    field("tcp.seq_raw", Kind::Number(32), Reader::Tcp(|segment| optional(segment.raw_seq()))),
    field("tcp.nxtseq", Kind::Number(32), Reader::Tcp(|segment| optional(segment.relative_next()))),
    field("tcp.ack", Kind::Number(32), Reader::Tcp(|segment| optional(segment.relative_ack()))),
    field("tcp.ack_raw", Kind::Number(32), Reader::Tcp(|segment| number(segment.header.ack.0))),
    field("tcp.hdr_len", Kind::Number(8), Reader::Tcp(|segment| size(segment.header.header_len))),
    field("tcp.flags", Kind::Number(16), Reader::Tcp(|segment| number(segment.flags()))),
    field("tcp.flags.cwr", Kind::Flag, Reader::Tcp(|segment| control_bit(segment, TcpFlags::CWR))),
    field("tcp.flags.ece", Kind::Flag, Reader::Tcp(|segment| control_bit(segment, TcpFlags::ECE))),
    field("tcp.flags.urg", Kind::Flag, Reader::Tcp(|segment| control_bit(segment, TcpFlags::URG))),
    field("tcp.flags.ack", Kind::Flag, Reader::Tcp(|segment| control_bit(segment, TcpFlags::ACK))),
    field("tcp.flags.push", Kind::Flag, Reader::Tcp(|segment| control_bit(segment, TcpFlags::PSH))),
    field("tcp.flags.reset", Kind::Flag, Reader::Tcp(|segment| control_bit(segment, TcpFlags::RST))),
    field("tcp.flags.syn", Kind::Flag, Reader::Tcp(|segment| control_bit(segment, TcpFlags::SYN))),
    field("tcp.flags.fin", Kind::Flag, Reader::Tcp(|segment| control_bit(segment, TcpFlags::FIN))),
    field("tcp.window_size_value", Kind::Number(16), Reader::Tcp(|segment| number(segment.header.window))),
    field("tcp.checksum", Kind::Number(16), Reader::Tcp(|segment| number(segment.header.checksum))),
    field("tcp.urgent_pointer", Kind::Number(16), Reader::Tcp(|segment| number(segment.header.urgent))),
    field("tcp.options", Kind::Bytes, Reader::Tcp(|segment| segment.options())),
    field("tcp.options.mss_val", Kind::Number(16), Reader::Tcp(|segment| optional(segment.header.options.mss))),
    field(
        "tcp.options.wscale.shift",
        Kind::Number(8),
        Reader::Tcp(|segment| optional(segment.header.options.window_scale)),
    ),
    field("tcp.options.sack_perm", Kind::Bytes, Reader::Tcp(|segment| segment.sack_permitted())),
    field("tcp.options.sack", Kind::Bytes, Reader::Tcp(|segment| segment.sack())),
    field("tcp.options.sack.count", Kind::Number(8), Reader::Tcp(|segment| segment.sack_count())),
    field("tcp.options.sack_le", Kind::Number(32), Reader::Tcp(|segment| segment.sack_edges(|(left, _)| left))),
    field("tcp.options.sack_re", Kind::Number(32), Reader::Tcp(|segment| segment.sack_edges(|(_, right)| right))),
    field(
        "tcp.options.timestamp.tsval",
        Kind::Number(32),
        Reader::Tcp(|segment| optional(segment.header.options.timestamps.map(|(value, _)| value))),
    ),
    field(
        "tcp.options.timestamp.tsecr",
        Kind::Number(32),
        Reader::Tcp(|segment| optional(segment.header.options.timestamps.map(|(_, echo)| echo))),
    ),
    field("tcp.payload", Kind::Bytes, Reader::Tcp(|segment| segment.payload().map(Value::Bytes).into_iter().collect())),
];

static UDP_AND_ICMP: [Field; 19] = [
    field("udp.srcport", Kind::Number(16), Reader::Udp(|udp| number(udp.src_port))),
    field("udp.dstport", Kind::Number(16), Reader::Udp(|udp| number(udp.dst_port))),
    field(
        "udp.port",
        Kind::Number(16),
        Reader::Udp(|udp| vec![Value::Number(udp.src_port.into()), Value::Number(udp.dst_port.into())]),
    ),
    field("udp.stream", Kind::Number(32), Reader::Stream(Protocol::Udp)),
    field("udp.length", Kind::Number(16), Reader::Udp(|udp| number(udp.length))),
    field("udp.checksum", Kind::Number(16), Reader::Udp(|udp| number(udp.checksum))),
    field("udp.payload", Kind::Bytes, Reader::UdpPayload),
    field("icmp.type", Kind::Number(8), Reader::Icmpv4(|icmp| number(icmp.kind))),
    field("icmp.code", Kind::Number(8), Reader::Icmpv4(|icmp| number(icmp.code))),
    field("icmp.checksum", Kind::Number(16), Reader::Icmpv4(|icmp| number(icmp.checksum))),
    field("icmp.ident", Kind::Number(16), Reader::Icmpv4(|icmp| echo(icmp, [0, 8], 0))),
    field("icmp.seq", Kind::Number(16), Reader::Icmpv4(|icmp| echo(icmp, [0, 8], 2))),
    field("icmpv6.type", Kind::Number(8), Reader::Icmpv6(|icmp| number(icmp.kind))),
    field("icmpv6.code", Kind::Number(8), Reader::Icmpv6(|icmp| number(icmp.code))),
    field("icmpv6.checksum", Kind::Number(16), Reader::Icmpv6(|icmp| number(icmp.checksum))),
    field("icmpv6.echo.identifier", Kind::Number(16), Reader::Icmpv6(|icmp| echo(icmp, [128, 129], 0))),
    field("icmpv6.echo.sequence_number", Kind::Number(16), Reader::Icmpv6(|icmp| echo(icmp, [128, 129], 2))),
    field("icmp.mtu", Kind::Number(16), Reader::Icmpv4(next_hop_mtu)),
    field(
        "icmpv6.mtu",
        Kind::Number(32),
        Reader::Icmpv6(|icmp| optional((icmp.kind == 2).then_some(u32::from_be_bytes(icmp.rest)))),
    ),
];
