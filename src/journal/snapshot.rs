//! What a connection knows at one moment.

use std::net::SocketAddr;
use std::time::Duration;

use serde::Serialize;

use super::TcpState;
use crate::packet::SeqNum;

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
}
