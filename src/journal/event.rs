//! The kinds of event.

use std::fmt;
use std::net::SocketAddr;
use std::time::Duration;

use serde::{Deserialize, Serialize, Serializer};

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
    /// A TCP connection changed its state (RFC 9293 §3.3.2).
    State {
        /// The connection.
        socket: SocketId,
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
        /// How many in a row.
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
        /// How many are missing up to the next that are there; 0 when the last gap was filled.
        length: u32,
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
    /// Fills in the packet's name where a stack had to leave it open (id 0).
    pub fn name_packet(&mut self, name: PacketId) {
        if let Event::Retransmit { packet, .. } = self
            && *packet == PacketId::default()
        {
            *packet = name;
        }
    }
}

/// Why a stack refused a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum DropReason {
    /// Headers cut short, or lengths that contradict each other.
    Malformed,
    /// The IPv4 header checksum is wrong.
    BadHeaderChecksum,
    /// The TCP, UDP or ICMP checksum is wrong.
    BadTransportChecksum,
    /// Addressed to somebody else.
    NotForUs,
    /// The source address cannot be one host's (RFC 9293 MUST-63).
    InvalidSource,
    /// A protocol that this stack does not speak.
    UnknownProtocol,
    /// No room in a queue.
    QueueFull,
    /// A real kernel would not take it from its door.
    RefusedByKernel,
    /// No connection and no listener has these ports (RFC 9293 §3.10.7.1).
    NoConnection,
    /// Wholly outside the receive window (RFC 9293 §3.10.7.4, first check).
    OutsideWindow,
    /// All of it had arrived before.
    Duplicate,
    /// Its timestamp is older than one that was seen (PAWS, RFC 7323 §5).
    OldTimestamp,
    /// A reset that does not hit RCV.NXT exactly (RFC 5961 §3).
    BlindReset,
    /// A SYN on a connection that is open (RFC 5961 §4).
    BlindSyn,
    /// It acknowledges what was never sent, or what is long gone (RFC 5961 §5).
    UnacceptableAck,
    /// A segment without ACK where one is needed (RFC 9293 §3.10.7.4, fifth check).
    MissingAck,
    /// A reset where it means nothing (RFC 9293 §3.10.7).
    MeaninglessReset,
    /// The listener has no room for more connections.
    BacklogFull,
    /// The receive buffer has no room for it.
    BufferFull,
    /// The application will not read any more.
    NobodyReads,
    /// Fragments that overlap (RFC 5722) or do not fit together.
    BadFragment,
    /// Some fragments of it did not come in time.
    ReassemblyTimeout,
    /// Its neighbour did not answer.
    NeighbourSilent,
    /// No route leads there.
    NoRoute,
    /// An ICMP error that belongs to nothing that was sent (RFC 5927).
    ForgedIcmp,
}

impl fmt::Display for DropReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            DropReason::Malformed => "its headers are cut short or contradict each other",
            DropReason::BadHeaderChecksum => "bad IPv4 header checksum",
            DropReason::BadTransportChecksum => "bad transport checksum",
            DropReason::NotForUs => "not addressed to this host",
            DropReason::InvalidSource => "impossible source address",
            DropReason::UnknownProtocol => "unknown protocol",
            DropReason::QueueFull => "queue full",
            DropReason::RefusedByKernel => "the kernel behind the door refused it",
            DropReason::NoConnection => "no connection and no listener has these ports",
            DropReason::OutsideWindow => "outside the receive window",
            DropReason::Duplicate => "all of it had arrived before",
            DropReason::OldTimestamp => "its timestamp is older than one already seen",
            DropReason::BlindReset => "a reset that does not hit the next expected octet exactly",
            DropReason::BlindSyn => "a SYN on an open connection",
            DropReason::UnacceptableAck => "it acknowledges what was never sent or is long gone",
            DropReason::MissingAck => "no ACK flag where one is needed",
            DropReason::MeaninglessReset => "a reset that means nothing here",
            DropReason::BacklogFull => "the listener has no room for more connections",
            DropReason::BufferFull => "the receive buffer has no room for it",
            DropReason::NobodyReads => "the application will not read any more",
            DropReason::BadFragment => "its fragments overlap or do not fit together",
            DropReason::ReassemblyTimeout => "some of its fragments did not come in time",
            DropReason::NeighbourSilent => "its neighbour did not answer",
            DropReason::NoRoute => "no route leads there",
            DropReason::ForgedIcmp => "an ICMP error about nothing that was sent",
        })
    }
}

/// Why the congestion window or the slow-start threshold changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum CwndCause {
    /// The connection begins (RFC 6928).
    Initial,
    /// An acknowledgment in slow start (RFC 5681 §3.1).
    SlowStart,
    /// An acknowledgment in congestion avoidance (RFC 5681 §3.1).
    CongestionAvoidance,
    /// Loss was found by acknowledgments: fast recovery begins (RFC 5681 §3.2).
    FastRecovery,
    /// During fast recovery the window follows what leaves the network.
    DuringRecovery,
    /// Fast recovery is over.
    RecoveryDone,
    /// The retransmission timer fired (RFC 5681 §3.1).
    Timeout,
    /// The peer echoed a congestion mark (RFC 3168 §6.1.2).
    Marked,
    /// A loss was none, and the reduction is taken back.
    Undo,
    /// The connection was idle (RFC 5681 §4.1).
    Idle,
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
}

impl Impairment {
    /// Whether the packet never reaches the other end.
    pub fn is_drop(&self) -> bool {
        match self {
            Impairment::DroppedByRule { .. }
            | Impairment::Lost
            | Impairment::QueueOverflow
            | Impairment::TooBig { .. } => true,
            Impairment::Held { .. }
            | Impairment::Delayed { .. }
            | Impairment::Duplicated { .. }
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
        }
    }
}

/// The states of a TCP connection (RFC 9293 §3.3.2).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "SCREAMING-KEBAB-CASE")]
pub enum TcpState {
    /// No connection.
    #[default]
    Closed,
    /// Waiting for a connection request.
    Listen,
    /// A request was sent.
    SynSent,
    /// Requests were sent and received, not yet acknowledged.
    SynReceived,
    /// Open: data flows.
    Established,
    /// Closed here, not yet acknowledged.
    FinWait1,
    /// Closed here and acknowledged; the peer may still send.
    FinWait2,
    /// The peer has closed.
    CloseWait,
    /// Both closed at once, ours not yet acknowledged.
    Closing,
    /// The peer closed, then we did; not yet acknowledged.
    LastAck,
    /// Waiting until old segments have left the network.
    TimeWait,
}

/// The RFC's spelling: `SYN-RECEIVED`, `FIN-WAIT-1`.
impl fmt::Display for TcpState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            TcpState::Closed => "CLOSED",
            TcpState::Listen => "LISTEN",
            TcpState::SynSent => "SYN-SENT",
            TcpState::SynReceived => "SYN-RECEIVED",
            TcpState::Established => "ESTABLISHED",
            TcpState::FinWait1 => "FIN-WAIT-1",
            TcpState::FinWait2 => "FIN-WAIT-2",
            TcpState::CloseWait => "CLOSE-WAIT",
            TcpState::Closing => "CLOSING",
            TcpState::LastAck => "LAST-ACK",
            TcpState::TimeWait => "TIME-WAIT",
        })
    }
}

/// The timers of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Timer {
    /// Retransmission time-out (RFC 6298).
    Retransmission,
    /// Delayed acknowledgment (RFC 9293 §3.8.6.3).
    DelayedAck,
    /// Zero-window probe (RFC 9293 §3.8.6.1).
    Persist,
    /// Keep-alive (RFC 9293 §3.8.4).
    KeepAlive,
    /// End of TIME-WAIT (RFC 9293 §3.6.1).
    TimeWait,
    /// FIN-WAIT-2 of a connection that nobody holds any more.
    FinWait2,
    /// The peer has not acknowledged for the user's time-out (RFC 5482).
    UserTimeout,
    /// A corked segment has waited long enough.
    Cork,
    /// A neighbour is being asked for its address (RFC 826, RFC 4861).
    Neighbour,
    /// Fragments wait for their fellows (RFC 791 §3.2, RFC 8200 §4.5).
    Reassembly,
    /// A stack that does not say which of its timers it is.
    Unnamed,
}

/// TCP or UDP, for programs that can use either.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TransportKind {
    /// A connection.
    Tcp,
    /// Datagrams.
    Udp,
}

/// What a program of the lab reports.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "report", rename_all = "kebab-case")]
pub enum ProgramEvent {
    /// It began.
    Started,
    /// It listens.
    Listening {
        /// Over what.
        over: TransportKind,
        /// Where.
        local: SocketAddr,
    },
    /// It opened a connection.
    Connected {
        /// Its own end.
        local: SocketAddr,
        /// The other end.
        remote: SocketAddr,
    },
    /// It accepted a connection.
    Accepted {
        /// Its own end.
        local: SocketAddr,
        /// The other end.
        remote: SocketAddr,
    },
    /// It has sent a whole stream.
    StreamSent {
        /// Octets.
        bytes: u64,
        /// SHA-256 of the stream, in hex.
        sha256: String,
    },
    /// It has received a whole stream, to its end.
    StreamReceived {
        /// Octets.
        bytes: u64,
        /// SHA-256 of the stream, in hex.
        sha256: String,
    },
    /// It sent a numbered message.
    MessageSent {
        /// Over what.
        over: TransportKind,
        /// The number, from 1.
        number: u32,
    },
    /// It received a numbered message.
    MessageReceived {
        /// Over what.
        over: TransportKind,
        /// The number, from 1.
        number: u32,
    },
    /// It sent a request.
    Request {
        /// `GET`.
        method: String,
        /// `/api/posts`.
        target: String,
    },
    /// It received a response, or answered with one.
    Response {
        /// The status code.
        status: u16,
        /// Octets of the body.
        bytes: u64,
    },
    /// A real program wrote a line.
    Output {
        /// The line, without its end.
        line: String,
        /// Whether it came on standard error.
        is_error: bool,
    },
    /// A figure that the program measured, for checks and tables.
    Figure {
        /// Its name.
        name: String,
        /// Its value.
        value: u64,
    },
    /// It ended.
    Ended {
        /// Whether all went well.
        ok: bool,
        /// What went wrong; empty when nothing did.
        detail: String,
    },
}

fn as_nanos<S: Serializer>(span: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_u64(u64::try_from(span.as_nanos()).unwrap_or(u64::MAX))
}
