//! What a connection knows at one moment.

use std::net::SocketAddr;
use std::time::Duration;

use serde::Serialize;

use super::TcpState;
use crate::packet::SeqNum;
use crate::time::Instant;

/// Everything that a stack will say about a connection. `None` means that this stack does not tell.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Snapshot {
    /// Its state.
    pub state: TcpState,
    /// Its own end.
    pub local: Option<SocketAddr>,
    /// The other end.
    pub remote: Option<SocketAddr>,
    /// Octets that the application gave and that are not yet acknowledged.
    pub send_queue: usize,
    /// Octets that arrived in order and were not yet read.
    pub receive_queue: usize,
    /// SND.UNA: the oldest unacknowledged sequence number (RFC 9293 §3.3.1).
    pub snd_una: Option<SeqNum>,
    /// SND.NXT: the next sequence number to be sent.
    pub snd_nxt: Option<SeqNum>,
    /// SND.WND: the peer's window in octets, scaled.
    pub snd_wnd: Option<u32>,
    /// RCV.NXT: the next sequence number expected.
    pub rcv_nxt: Option<SeqNum>,
    /// RCV.WND: our window in octets.
    pub rcv_wnd: Option<u32>,
    /// Congestion window in octets (RFC 5681).
    pub cwnd: Option<u32>,
    /// Slow-start threshold in octets (RFC 5681).
    pub ssthresh: Option<u32>,
    /// Smoothed round-trip time (RFC 6298).
    pub srtt: Option<Duration>,
    /// Round-trip time variation (RFC 6298).
    pub rttvar: Option<Duration>,
    /// Retransmission time-out (RFC 6298).
    pub rto: Option<Duration>,
    /// The least round-trip time seen.
    pub min_rtt: Option<Duration>,
    /// Octets of the longest packet that is sent on its path (RFC 1191, RFC 8201, RFC 4821).
    pub path_mtu: Option<u32>,
    /// Octets of data in the longest segment sent, options deducted (RFC 9293 §3.7.1, Eff.snd.MSS).
    pub snd_mss: Option<u16>,
    /// Octets of data in the longest segment received lately, as estimated.
    pub rcv_mss: Option<u16>,
    /// When data arrived last; before any has, when the connection was established.
    pub last_data_received: Option<Instant>,
    /// The maximum segment size announced to the peer.
    pub advertised_mss: Option<u16>,
    /// What the handshake agreed on.
    pub agreed: Option<Agreed>,
    /// Segments in flight, and what is thought of them.
    pub flight: Option<Flight>,
    /// What loss recovery is doing.
    pub recovery: Option<Recovery>,
    /// Time-outs in a row that the oldest segment has seen.
    pub backoff: Option<u8>,
    /// Zero-window or keep-alive probes in a row without an answer.
    pub probes: Option<u8>,
    /// Octets until the end of urgent data that was not yet read (RFC 9293 MUST-33).
    pub urgent: Option<u32>,
    /// TCP Fast Open: data went with the SYN, and was taken (RFC 7413).
    pub syn_data: Option<bool>,
    /// TCP Fast Open: data flows although the handshake is not over.
    pub open_early: bool,
}

/// The options that a handshake agreed on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Agreed {
    /// Timestamps (RFC 7323 §3).
    pub timestamps: bool,
    /// Selective acknowledgment (RFC 2018).
    pub sack: bool,
    /// Shifts of our window and of the peer's, when both offered the option (RFC 7323 §2).
    pub window_scale: Option<(u8, u8)>,
    /// Explicit congestion notification (RFC 3168).
    pub ecn: bool,
}

/// The segments in flight, counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Flight {
    /// Sent and not cumulatively acknowledged.
    pub unacked: u32,
    /// Of these, selectively acknowledged.
    pub sacked: u32,
    /// Of these, thought lost.
    pub lost: u32,
    /// Of these, sent again and still under way.
    pub retransmitted: u32,
    /// Retransmissions in the connection's life.
    pub total_retransmissions: u32,
    /// Segments delivered in the connection's life.
    pub delivered: u32,
    /// How far out of order segments are expected to arrive, in segments.
    pub reordering: u32,
}

/// What loss recovery is doing, by the names Linux gives its states.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Recovery {
    /// Nothing is amiss.
    #[default]
    Open,
    /// Duplicate or selective acknowledgments have come: loss or reordering?
    Disorder,
    /// The window shrinks because of a congestion signal without loss.
    WindowReduced,
    /// Fast recovery (RFC 5681 §3.2).
    FastRecovery,
    /// The retransmission timer has fired (RFC 5681 §3.1).
    Loss,
}
