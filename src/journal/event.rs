//! The kinds of event.

use std::fmt;
use std::net::SocketAddr;
use std::time::Duration;

use serde::{Serialize, Serializer};

use super::drop::DropReason;
use super::passage::{NatMapping, Passage};
use super::program::ProgramEvent;
use super::tcp::{CwndCause, LossRule, NoLoss, PathMtuCause, TcpState, Timer};
use super::{SocketId, Why};
use crate::packet::{PacketId, SeqNum};
use crate::time::Instant;

/// Something that happened. In JSON and in filters its name is `kind`, in kebab case: `retransmit`, `duplicate-ack`.
#[derive(Clone, Debug, Serialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Event {
    /// A stack put a packet on its link.
    PacketSent {
        /// The packet.
        packet: PacketId,
        /// Why the stack sent it.
        why: Why,
    },
    /// A packet reached a node.
    PacketArrived {
        /// The packet.
        packet: PacketId,
    },
    /// A stack refused a packet.
    PacketDropped {
        /// The packet.
        packet: PacketId,
        /// Why it was refused.
        reason: DropReason,
    },
    /// A link did something else to a packet than carry it.
    Impaired {
        /// The packet; for a duplicate, the copy.
        packet: PacketId,
        /// The link's name, `client-server`.
        link: String,
        /// What the link did.
        #[serde(flatten)]
        impairment: Impairment,
    },
    /// A router or a switch put a packet on a link: one that came in, a piece of one, or its own.
    Forwarded {
        /// The packet.
        packet: PacketId,
        /// The name of the link that it went to.
        link: String,
    },
    /// A router or a switch did something else to a packet than pass it on.
    Passage {
        /// The packet.
        packet: PacketId,
        /// What it did.
        #[serde(flatten)]
        passage: Passage,
    },
    /// An address translator has given an inside address a port outside.
    MappingMade {
        /// The mapping.
        #[serde(flatten)]
        mapping: NatMapping,
    },
    /// An address translator has forgotten a mapping that nothing used.
    MappingExpired {
        /// The mapping.
        #[serde(flatten)]
        mapping: NatMapping,
    },
    /// A TCP connection changed its state (RFC 9293 §3.3.2).
    State {
        /// The connection.
        socket: SocketId,
        /// Its own end.
        local: SocketAddr,
        /// The peer's.
        remote: SocketAddr,
        /// The state before.
        from: TcpState,
        /// The state now.
        to: TcpState,
    },
    /// A timer was started, or moved.
    TimerSet {
        /// Whose.
        socket: SocketId,
        /// Which.
        timer: Timer,
        /// When it will fire.
        due: Instant,
    },
    /// A timer fired.
    TimerFired {
        /// Whose.
        socket: SocketId,
        /// Which.
        timer: Timer,
    },
    /// Octets were sent again.
    Retransmit {
        /// The connection.
        socket: SocketId,
        /// The packet that carries them.
        packet: PacketId,
        /// The first octet.
        seq: SeqNum,
        /// How many octets of data.
        length: u32,
    },
    /// An acknowledgment that acknowledges nothing new (RFC 5681 §2).
    DuplicateAck {
        /// The connection.
        socket: SocketId,
        /// The acknowledgment number.
        ack: SeqNum,
        /// How many in a row; with SACK, how many segments are reported beyond the gap, where that is more.
        count: u32,
    },
    /// A timer was stopped before it fired.
    TimerStopped {
        /// Whose.
        socket: SocketId,
        /// Which.
        timer: Timer,
    },
    /// A round-trip time was measured (RFC 6298 §2).
    RoundTrip {
        /// The connection.
        socket: SocketId,
        /// The sample.
        #[serde(serialize_with = "as_nanos")]
        rtt: Duration,
        /// Smoothed round-trip time after it.
        #[serde(serialize_with = "as_nanos")]
        srtt: Duration,
        /// Round-trip time variation after it.
        #[serde(serialize_with = "as_nanos")]
        rttvar: Duration,
        /// The time-out that follows from it.
        #[serde(serialize_with = "as_nanos")]
        rto: Duration,
    },
    /// The congestion window or the slow-start threshold changed (RFC 5681).
    CongestionWindow {
        /// The connection.
        socket: SocketId,
        /// The window in octets.
        cwnd: u32,
        /// The threshold in octets; `u32::MAX` before the first loss.
        ssthresh: u32,
        /// Why it changed.
        cause: CwndCause,
    },
    /// The peer moved its window (RFC 9293 §3.8.6).
    SendWindow {
        /// The connection.
        socket: SocketId,
        /// Octets that it takes from `ack` on.
        snd_wnd: u32,
        /// The acknowledgment number it counts from.
        ack: SeqNum,
    },
    /// Octets arrived beyond a gap and wait for it to be filled (RFC 9293 §3.4).
    Hole {
        /// The connection.
        socket: SocketId,
        /// The first octet that is missing.
        seq: SeqNum,
        /// How many are missing up to the next that are there; never 0.
        length: u32,
    },
    /// What a connection believes of its path has changed (RFC 1191, RFC 8201, RFC 4821).
    PathMtu {
        /// The connection.
        socket: SocketId,
        /// Octets of the longest packet that it sends from now on.
        mtu: u32,
        /// Why.
        cause: PathMtuCause,
    },
    /// Octets in flight are thought lost.
    Lost {
        /// The connection.
        socket: SocketId,
        /// The first of them.
        seq: SeqNum,
        /// How many.
        length: u32,
        /// By which rule.
        rule: LossRule,
    },
    /// It turns out that a loss was none: what the window lost for it is given back.
    NoLoss {
        /// The connection.
        socket: SocketId,
        /// What shows it.
        evidence: NoLoss,
    },
    /// A program of the lab reports.
    Program {
        /// The program's name in the lab: `send`, `sink`, `curl`.
        program: String,
        /// What it reports.
        #[serde(flatten)]
        report: ProgramEvent,
    },
}

impl Event {
    /// The connection that it is about; `None` for what concerns packets or programs.
    pub const fn socket(&self) -> Option<SocketId> {
        match self {
            Event::State { socket, .. }
            | Event::TimerSet { socket, .. }
            | Event::TimerFired { socket, .. }
            | Event::TimerStopped { socket, .. }
            | Event::Retransmit { socket, .. }
            | Event::DuplicateAck { socket, .. }
            | Event::RoundTrip { socket, .. }
            | Event::CongestionWindow { socket, .. }
            | Event::SendWindow { socket, .. }
            | Event::Hole { socket, .. }
            | Event::PathMtu { socket, .. }
            | Event::Lost { socket, .. }
            | Event::NoLoss { socket, .. } => Some(*socket),
            Event::PacketSent { .. }
            | Event::PacketArrived { .. }
            | Event::PacketDropped { .. }
            | Event::Impaired { .. }
            | Event::Forwarded { .. }
            | Event::Passage { .. }
            | Event::MappingMade { .. }
            | Event::MappingExpired { .. }
            | Event::Program { .. } => None,
        }
    }

    /// Fills in the packet's name where a stack had to leave it open (id 0).
    pub fn name_packet(&mut self, name: PacketId) {
        if let Event::Retransmit { packet, .. } = self
            && *packet == PacketId::default()
        {
            *packet = name;
        }
    }
}

/// What a link did to a packet.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "impairment", rename_all = "kebab-case")]
pub enum Impairment {
    /// Dropped by an exact rule of the lab.
    DroppedByRule {
        /// The rule's id.
        rule: String,
    },
    /// Dropped by chance.
    Lost,
    /// Dropped because the queue was full.
    QueueOverflow,
    /// Dropped because it is longer than the link's MTU.
    TooBig {
        /// The link's MTU in octets.
        mtu: usize,
    },
    /// Overtaken: held back until others had passed.
    Held {
        /// The rule's id; `None` by chance.
        rule: Option<String>,
        /// How many packets pass it first.
        packets: u32,
    },
    /// Delayed beyond the link's own delay.
    Delayed {
        /// The rule's id; `None` by chance (jitter).
        rule: Option<String>,
        /// By how much.
        #[serde(serialize_with = "as_nanos")]
        by: Duration,
    },
    /// A copy of another packet.
    Duplicated {
        /// The rule's id; `None` by chance.
        rule: Option<String>,
        /// The packet it copies.
        original: PacketId,
    },
    /// One bit was flipped.
    Corrupted {
        /// The rule's id; `None` by chance.
        rule: Option<String>,
        /// Which octet of the frame.
        octet: usize,
    },
    /// Dropped by the queue, since packets have waited in it for too long (RFC 8289).
    WaitedTooLong {
        /// How long this one has.
        #[serde(serialize_with = "as_nanos")]
        waited: Duration,
    },
    /// Marked by the queue instead of dropped, or early: Congestion Experienced (RFC 3168 §5).
    Marked,
    /// Its ECN field was cleared (RFC 3168 §5).
    EcnBleached {
        /// The rule's id.
        rule: String,
    },
    /// A TCP option of it was overwritten with NOPs.
    OptionStripped {
        /// The rule's id.
        rule: String,
        /// The option's kind.
        option: u8,
    },
}

impl Impairment {
    /// The lab's rule behind it; `None` by chance or by nature.
    pub fn rule(&self) -> Option<&str> {
        match self {
            Impairment::DroppedByRule { rule }
            | Impairment::EcnBleached { rule }
            | Impairment::OptionStripped { rule, .. } => Some(rule),
            Impairment::Held { rule, .. }
            | Impairment::Delayed { rule, .. }
            | Impairment::Duplicated { rule, .. }
            | Impairment::Corrupted { rule, .. } => rule.as_deref(),
            Impairment::Lost
            | Impairment::QueueOverflow
            | Impairment::WaitedTooLong { .. }
            | Impairment::Marked
            | Impairment::TooBig { .. } => None,
        }
    }

    /// Whether the packet never reaches the other end.
    pub fn is_drop(&self) -> bool {
        match self {
            Impairment::DroppedByRule { .. }
            | Impairment::Lost
            | Impairment::QueueOverflow
            | Impairment::WaitedTooLong { .. }
            | Impairment::TooBig { .. } => true,
            Impairment::Held { .. }
            | Impairment::Delayed { .. }
            | Impairment::Duplicated { .. }
            | Impairment::Marked
            | Impairment::EcnBleached { .. }
            | Impairment::OptionStripped { .. }
            | Impairment::Corrupted { .. } => false,
        }
    }
}

/// A sentence for packet comments: `dropped by rule lose-3`.
impl fmt::Display for Impairment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let by = |rule: &Option<String>| rule.as_ref().map_or("by chance".to_owned(), |rule| format!("by rule {rule}"));
        match self {
            Impairment::DroppedByRule { rule } => write!(f, "dropped by rule {rule}"),
            Impairment::Lost => write!(f, "dropped by chance (the link's loss)"),
            Impairment::QueueOverflow => write!(f, "dropped: the link's queue is full"),
            Impairment::TooBig { mtu } => write!(f, "dropped: longer than the link's MTU of {mtu}"),
            Impairment::Held { rule, packets } => {
                write!(f, "held {} until {packets} others have passed", by(rule))
            }
            Impairment::Delayed { rule, by: span } => write!(f, "delayed {} by {span:?}", by(rule)),
            Impairment::Duplicated { rule, original } => {
                write!(f, "a copy of packet {original}, made {}", by(rule))
            }
            Impairment::Corrupted { rule, octet } => {
                write!(f, "octet {octet} corrupted {}", by(rule))
            }
            Impairment::WaitedTooLong { waited } => write!(f, "dropped: it has waited in the queue for {waited:?}"),
            Impairment::Marked => f.write_str("marked: congestion experienced"),
            Impairment::EcnBleached { rule } => write!(f, "its ECN field cleared by rule {rule}"),
            Impairment::OptionStripped { rule, option } => {
                write!(f, "its TCP option {option} taken out by rule {rule}")
            }
        }
    }
}

pub(super) fn as_nanos<S: Serializer>(span: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_u64(u64::try_from(span.as_nanos()).unwrap_or(u64::MAX))
}
