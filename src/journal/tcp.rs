//! The words of a connection's story: its states, its timers, why its congestion window changes.

use std::fmt;

use serde::Serialize;

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
    #[serde(rename = "FIN-WAIT-1")]
    FinWait1,
    /// Closed here and acknowledged; the peer may still send.
    #[serde(rename = "FIN-WAIT-2")]
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

impl TcpState {
    /// Whether the peer's FIN has come.
    pub const fn peer_has_closed(self) -> bool {
        match self {
            TcpState::CloseWait | TcpState::Closing | TcpState::LastAck | TcpState::TimeWait => true,
            TcpState::Closed
            | TcpState::Listen
            | TcpState::SynSent
            | TcpState::SynReceived
            | TcpState::Established
            | TcpState::FinWait1
            | TcpState::FinWait2 => false,
        }
    }
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
    #[serde(rename = "fin-wait-2")]
    FinWait2,
    /// The peer has not acknowledged for the user's time-out (RFC 5482).
    UserTimeout,
    /// A corked segment has waited long enough.
    Cork,
    /// Has the end of a flight been lost? (RFC 8985 §7.2, PTO.)
    TailProbe,
    /// What came too late by now is lost (RFC 8985 §6.2, the reordering timer).
    Reordering,
    /// The next segment leaves, at the pace that congestion control has set.
    Pacing,
    /// A neighbour is being asked for its address (RFC 826, RFC 4861).
    Neighbour,
    /// Fragments wait for their fellows (RFC 791 §3.2, RFC 8200 §4.5).
    Reassembly,
    /// A stack that does not say which of its timers it is.
    Unnamed,
}

/// Why a connection thinks that its path takes so much, and no more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum PathMtuCause {
    /// A router has said so (RFC 1191, RFC 8201).
    Reported,
    /// A router had said so, and what it spoke of has timed out since (RFC 5927 §7.2).
    Confirmed,
    /// The host has learnt it before, for somebody else (RFC 1191 §6.2).
    Remembered,
    /// Long packets vanish without a word (RFC 4821 §7.7).
    BlackHole,
    /// A longer packet has arrived (RFC 4821 §7.6.1).
    ProbeArrived,
    /// A longer packet has not arrived (RFC 4821 §7.6.2).
    ProbeLost,
    /// The report is old; the path may be wider by now (RFC 1191 §6.3).
    Aged,
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
    /// A tail loss probe has mended a loss that nothing else told of (RFC 8985 §7.4).
    TailLoss,
    /// The peer echoed a congestion mark (RFC 3168 §6.1.2).
    Marked,
    /// A loss was none, and the reduction is taken back.
    Undo,
    /// The connection was idle (RFC 5681 §4.1).
    Idle,
    /// Segments are longer now; fewer of them are as many octets (RFC 4821 §7.6.1).
    SegmentSize,
    /// The algorithm's model of the path has changed (draft-ietf-ccwg-bbr §5.6.4).
    Model,
    /// The window is cut for a moment, so that the path's own round-trip time is seen (draft-ietf-ccwg-bbr §5.3.4).
    ProbeRtt,
}

/// The rule by which octets are thought lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum LossRule {
    /// Three duplicate acknowledgments (RFC 5681 §3.2).
    DuplicateAcks,
    /// In fast recovery an acknowledgment stops there (RFC 6582 §3.2).
    PartialAck,
    /// Enough octets behind them were reported by SACK (RFC 6675 §4, IsLost).
    Sack,
    /// Something that was sent later has arrived long enough ago (RFC 8985 §6.2, RACK).
    Rack,
    /// The retransmission timer has fired (RFC 6298 §5.4).
    Timer,
    /// They were too long for the path (RFC 1191 §6.5).
    PathMtu,
    /// They went with a SYN, and the peer has not taken them (RFC 7413 §4.2.2).
    Refused,
}

impl LossRule {
    /// Where the rule is written.
    pub const fn section(self) -> &'static str {
        match self {
            LossRule::DuplicateAcks => "RFC 5681 §3.2",
            LossRule::PartialAck => "RFC 6582 §3.2",
            LossRule::Sack => "RFC 6675 §4",
            LossRule::Rack => "RFC 8985 §6.2",
            LossRule::Timer => "RFC 6298 §5.4",
            LossRule::PathMtu => "RFC 1191 §6.5",
            LossRule::Refused => "RFC 7413 §4.2.2",
        }
    }
}

/// What shows that a loss was none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum NoLoss {
    /// A timestamp older than the retransmission was echoed: the first copy had arrived (RFC 3522, Eifel).
    Timestamp,
    /// D-SACK reports that everything that was sent again came twice (RFC 3708).
    CameTwice,
    /// After a time-out, octets that were not sent again were acknowledged (RFC 5682, F-RTO).
    FRto,
}

impl NoLoss {
    /// Where it is written.
    pub const fn section(self) -> &'static str {
        match self {
            NoLoss::Timestamp => "RFC 3522 §3.2",
            NoLoss::CameTwice => "RFC 3708 §2",
            NoLoss::FRto => "RFC 5682 §2.1",
        }
    }
}
