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
    /// A neighbour is being asked for its address (RFC 826, RFC 4861).
    Neighbour,
    /// Fragments wait for their fellows (RFC 791 §3.2, RFC 8200 §4.5).
    Reassembly,
    /// A stack that does not say which of its timers it is.
    Unnamed,
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
