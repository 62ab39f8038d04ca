//! A script as plain values, each with the line it stands on.

use std::time::Duration;

use crate::packet::{SeqNum, TcpFlags};

/// A whole script.
#[derive(Clone, Debug, PartialEq)]
pub struct Script {
    /// The leading `--name=value` lines, in order.
    pub options: Vec<Setting>,
    /// What happens, in the script's order. The shell command before the first event, if any, is `At::Start`.
    pub events: Vec<Event>,
}

impl Script {
    /// What stands in the script and cannot be run, with its line: if there is anything, the script is unsupported.
    pub fn unsupported(&self) -> impl Iterator<Item = (u32, &str)> {
        self.events.iter().filter_map(|event| match &event.what {
            What::Unsupported(reason) => Some((event.line, reason.as_str())),
            What::Inject(packet) | What::Expect(packet) => match &packet.body {
                Body::Tcp(segment) if segment.unknown_flags => {
                    Some((event.line, "the flags of AccECN (`A` is one of them; an ACK is a point, as in `S.`)"))
                }
                Body::Tcp(_) | Body::Udp { .. } | Body::Icmp(_) => None,
            },
            What::Call(_) | What::Shell(_) | What::Code(_) => None,
        })
    }
}

/// A `--name` or `--name=value` at the top of a script or on the command line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Setting {
    /// The line it stands on; 0 when it came from the command line.
    pub line: u32,
    /// Without the dashes.
    pub name: String,
    /// What follows `=`, if anything.
    pub value: Option<String>,
}

/// One event.
#[derive(Clone, Debug, PartialEq)]
pub struct Event {
    /// The line it begins on, counted from 1.
    pub line: u32,
    /// Its text as it stands in the script, joined to one line, comments left out: for reports.
    pub text: String,
    /// When.
    pub at: At,
    /// What.
    pub what: What,
}

/// When an event happens. Spans count from the start of the script, or from the previous event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum At {
    /// Before the first event (the script's initial shell command), or after the last.
    Start,
    /// `1.5`: so long after the start.
    Absolute(Duration),
    /// `+.1`: so long after the previous event.
    Relative(Duration),
    /// `1.0~1.2`: between these, after the start.
    AbsoluteRange(Duration, Duration),
    /// `+.1~+.2`: between these, after the previous event.
    RelativeRange(Duration, Duration),
    /// `*`: whenever.
    Any,
}

/// What an event is.
#[derive(Clone, Debug, PartialEq)]
pub enum What {
    /// `<`: this packet reaches the stack.
    Inject(PacketSpec),
    /// `>`: the stack must send this packet.
    Expect(PacketSpec),
    /// A system call.
    Call(Call),
    /// A shell command between backquotes, verbatim.
    Shell(String),
    /// Python between `%{` and `}%`, verbatim but for blanks at its ends.
    Code(String),
    /// Something that packetdrill takes and we do not, and what: the script is then unsupported.
    Unsupported(String),
}

/// A packet, as far as a script says anything of it. `None` means: not said, so not compared and chosen freely.
#[derive(Clone, Debug, PartialEq)]
pub struct PacketSpec {
    /// The ECN field of the IP header.
    pub ecn: Option<EcnSpec>,
    /// Other things said of the IP header: `(ttl 5)`, `(tos 0x10)`, `(flowlabel 3)`.
    pub ttl: Option<u8>,
    /// The whole traffic class octet.
    pub tos: Option<u8>,
    /// The IPv6 flow label.
    pub flow_label: Option<u32>,
    /// What the packet carries.
    pub body: Body,
}

/// What stands in the ECN field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EcnSpec {
    /// `[noecn]`: 00.
    NotEct,
    /// `[ect1]`: 01.
    Ect1,
    /// `[ect0]`: 10.
    Ect0,
    /// `[ect01]`: either of the two.
    EctAny,
    /// `[ce]`: 11.
    Ce,
}

/// What a packet carries.
#[derive(Clone, Debug, PartialEq)]
pub enum Body {
    /// A TCP segment.
    Tcp(TcpSpec),
    /// A UDP datagram of so many octets: `udp (100)`.
    Udp {
        /// Octets of data.
        length: u32,
    },
    /// An ICMP or ICMPv6 message: `icmp unreachable port_unreachable [1:1461(1460)]`.
    Icmp(IcmpSpec),
}

/// A TCP segment. Sequence numbers are the script's: relative to the initial one of their direction.
#[derive(Clone, Debug, PartialEq)]
pub struct TcpSpec {
    /// The control bits.
    pub flags: TcpFlags,
    /// `true` for the AccECN and other flags that this build does not know: the script is then unsupported.
    pub unknown_flags: bool,
    /// First sequence number.
    pub seq: SeqNum,
    /// `b` of `a:b(n)`.
    pub end: SeqNum,
    /// Octets of data, `n` of `a:b(n)`.
    pub length: u32,
    /// `ack n`; `None` when not written (the segment has no ACK flag, or ack 0).
    pub ack: Option<SeqNum>,
    /// `win n`, not scaled.
    pub window: Option<u16>,
    /// `urg n`.
    pub urgent: Option<u16>,
    /// The options.
    pub options: OptionsSpec,
    /// `ip (hdr…)` or other encapsulation that this build does not know: the script is then unsupported.
    pub sport_dport: Option<(u16, u16)>,
}

/// What is said of the options.
#[derive(Clone, Debug, PartialEq)]
pub enum OptionsSpec {
    /// Nothing is said, which means: none (inbound), or none allowed (outbound).
    Absent,
    /// `<...>`: any.
    Any,
    /// These, in this order.
    List(Vec<OptionSpec>),
}

/// One TCP option.
#[derive(Clone, Debug, PartialEq)]
pub enum OptionSpec {
    /// `eol`
    EndOfList,
    /// `nop`
    Nop,
    /// `mss 1460`
    Mss(u16),
    /// `wscale 7`
    WindowScale(u8),
    /// `sackOK`
    SackPermitted,
    /// `sack 1:2 5:6`, in the numbers of the side that sends the data.
    Sack(Vec<(SeqNum, SeqNum)>),
    /// `TS val 1 ecr 0`; `None` where the script writes `TS`-less `...`.
    Timestamps {
        /// TSval.
        val: u32,
        /// TSecr.
        ecr: u32,
    },
    /// `FO 0123…`, `FOEXP 0123…`, `FO` alone, `FOEXP` alone: a Fast Open cookie.
    FastOpen {
        /// The cookie's octets; empty is a request.
        cookie: Vec<u8>,
        /// Kind 254 with magic 0xF989 instead of kind 34.
        experimental: bool,
    },
    /// `md5 …`
    Md5(Vec<u8>),
    /// `unknown kind/hex`, or any kind given by number.
    Other {
        /// The kind.
        kind: u8,
        /// What follows kind and length.
        body: Vec<u8>,
    },
}

/// An ICMP message about a packet.
#[derive(Clone, Debug, PartialEq)]
pub struct IcmpSpec {
    /// Its type by name or number: `unreachable`, `source_quench`, `packet_too_big`…
    pub kind: String,
    /// Its code by name or number, if written.
    pub code: Option<String>,
    /// `mtu n`.
    pub mtu: Option<u32>,
    /// The quoted segment `[a:b(n)]`, or `[udp (n)]`: what the message is about.
    pub quoted: Option<Quoted>,
}

/// What an ICMP message quotes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Quoted {
    /// A TCP segment of these sequence numbers and octets.
    Tcp {
        /// First sequence number.
        seq: SeqNum,
        /// Octets of data.
        length: u32,
    },
    /// A UDP datagram of so many octets.
    Udp {
        /// Octets of data.
        length: u32,
    },
}

/// A system call with what it must return.
#[derive(Clone, Debug, PartialEq)]
pub struct Call {
    /// `accept`, `setsockopt`…
    pub name: String,
    /// Its arguments.
    pub arguments: Vec<Value>,
    /// What it must return; `None` when nothing is written after `=`.
    pub result: Option<Value>,
    /// The error that it must end with: `EINPROGRESS` of `-1 EINPROGRESS (…)`.
    pub errno: Option<String>,
    /// `t0...t1 call()`: it blocks, and returns at this time. Same meaning as the event's own.
    pub returns_at: Option<At>,
}

/// A value in a call.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// `...`: whatever is natural.
    Ellipsis,
    /// A number.
    Integer(i64),
    /// A number with a point.
    Float(f64),
    /// A text between double quotes, escapes undone.
    Text(Vec<u8>),
    /// A name: `SOCK_STREAM`, `NULL`.
    Name(String),
    /// Values joined by `|`.
    Either(Vec<Value>),
    /// `[a, b]`
    List(Vec<Value>),
    /// `{a=1, b={…}}`, or `{fd=3, events=POLLIN}`; members in order. A member without a name has an empty one.
    Record(Vec<(String, Value)>),
    /// A call within a value: `htons(8080)`, `inet_addr("…")`, `sa_family=AF_INET`-like pairs are records instead.
    Apply(String, Vec<Value>),
}
