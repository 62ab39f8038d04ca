//! What applications ask of a transport, and what they hear from it.
//!
//! The words that TCP, UDP and every stack share with whoever uses them: options, events, errors. No behaviour.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use crate::journal::SocketId;
use crate::packet::DeliveryError;

/// Something that a waiting application wants to know.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SocketEvent {
    /// Data, a datagram, or the end of the stream can be read.
    Readable(SocketId),
    /// There is room to send, or sending has become impossible.
    Writable(SocketId),
    /// A listener has a connection to accept.
    Acceptable(SocketId),
    /// An active open has succeeded.
    Connected(SocketId),
    /// Urgent data is on its way to the reader (RFC 9293 MUST-32); the snapshot says how far ahead it ends.
    Urgent(SocketId),
    /// The connection is over.
    Closed(SocketId, CloseReason),
}

/// Options that can be changed while a socket lives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SocketOption {
    /// Nagle's algorithm off (RFC 9293 MUST-17).
    NoDelay(bool),
    /// Only full segments until taken off.
    Cork(bool),
    /// Acknowledge at once (`true`) or wait for data to ride on; lasts until the connection's own judgement changes it.
    QuickAck(bool),
    /// Give up when nothing is acknowledged for so long (RFC 5482, MUST-21).
    UserTimeout(Option<Duration>),
    /// Probe when idle for so long; `None` never (MUST-24).
    KeepAlive(Option<Duration>),
    /// Time between unanswered keep-alive probes.
    KeepAliveInterval(Duration),
    /// Unanswered keep-alive probes that end the connection.
    KeepAliveProbes(u8),
    /// Neither announce nor send longer segments than this.
    MaxSegment(u16),
    /// Octets of the send buffer.
    SendBuffer(usize),
    /// Octets of the receive buffer.
    ReceiveBuffer(usize),
    /// Never announce a greater window than this many octets.
    WindowClamp(u32),
    /// Time to live of packets sent, 1 to 255 hops (MUST-49).
    TimeToLive(u8),
    /// Traffic class of packets sent, DSCP in the upper six bits (MUST-48).
    TrafficClass(u8),
    /// How long FIN-WAIT-2 waits once nobody holds the socket (Linux's `TCP_LINGER2`).
    FinWait2(Duration),
    /// Who may say how long a packet the path takes (Linux's `IP_MTU_DISCOVER`).
    PathReports(PathReports),
    /// Times that a SYN is sent again (Linux's `TCP_SYNCNT`).
    SynRetries(u8),
    /// Of a listener: connections that TCP Fast Open may open before their handshake is over; 0 none (RFC 7413; Linux's
    /// `TCP_FASTOPEN`).
    FastOpenQueue(usize),
    /// Of a listener: what its Fast Open cookies are made with (Linux's `TCP_FASTOPEN_KEY`).
    FastOpenKeys(FastOpenKeys),
    /// Of a listener: data in a SYN is taken without a cookie (Linux's `TCP_FASTOPEN_NO_COOKIE`).
    FastOpenWithoutCookie(bool),
    /// Another congestion control takes over; the window stays as it is (Linux's `TCP_CONGESTION`).
    Congestion(CongestionChoice),
}

/// The congestion controls that a socket can be switched to. An algorithm of the user's own is a matter of configuration.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum CongestionChoice {
    /// None: only the peer's window bounds the flight.
    None,
    /// Reno (RFC 5681).
    Reno,
    /// CUBIC (RFC 9438).
    Cubic,
    /// BBR version 3 (draft-ietf-ccwg-bbr).
    Bbr,
}

/// Whether packets may be cut on their way, and whether reports of those that were too long are heard.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum PathReports {
    /// Routers may cut IPv4 packets; over IPv6 none is longer than every link takes (RFC 8201 §4).
    NotAsked,
    /// Nobody may cut them, and reports are heard (RFC 1191, RFC 8201).
    #[default]
    Heard,
    /// Nobody may cut them, and reports are not heard: only probes count.
    Ignored,
}

/// What a server's Fast Open cookies (RFC 7413 §4.1.2) are made with: 16 octets each (Linux's `TCP_FASTOPEN_KEY`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FastOpenKeys {
    /// Cookies are made with this one.
    pub current: [u8; 16],
    /// Cookies made with this one are still good, and replaced.
    pub previous: Option<[u8; 16]>,
}

/// Why a socket cannot be opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OpenError {
    /// Somebody has this port already.
    #[error("{0} is in use on this stack; choose another port or close its user")]
    AddressInUse(SocketAddr),
    /// The stack does not have this address.
    #[error("{0} is not an address of this stack")]
    AddressNotAvailable(IpAddr),
    /// The destination cannot be one host's, or no route leads there.
    #[error("{0} cannot be connected to: not the address of one host, or no route leads there")]
    BadDestination(SocketAddr),
    /// Every ephemeral port is taken.
    #[error("all ephemeral ports of this stack are taken")]
    NoPorts,
    /// The stack has no such ability.
    #[error("this stack cannot open a connection in this way; try --stack native")]
    Unsupported,
}

/// Why a socket can no longer do what is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SocketError {
    /// There is no such socket any more.
    #[error("the socket is closed")]
    Closed,
    /// The handshake is not over.
    #[error("the connection is not open yet")]
    NotConnected,
    /// The sending side was shut down.
    #[error("the sending side is shut down")]
    ShutDown,
    /// The connection has ended, not in order.
    #[error("the connection ended: {0}")]
    Ended(CloseReason),
    /// Longer than any datagram may be, or than the stack can send to this address.
    #[error("{0} octets do not fit into one datagram to this address; send fewer at a time")]
    TooLong(usize),
    /// The network refused an earlier datagram of this socket.
    #[error("an earlier datagram was not delivered: {0}")]
    NotDelivered(DeliveryError),
    /// The stack has no such ability.
    #[error("this stack cannot do that; try --stack native")]
    Unsupported,
    /// No route or no address of this family.
    #[error("{0} cannot be reached from this stack")]
    Unreachable(IpAddr),
}

/// How a connection ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum CloseReason {
    /// Both sides closed in order.
    Finished,
    /// The peer refused the connection (RST in SYN-SENT).
    Refused,
    /// The peer reset it.
    Reset,
    /// It was aborted here.
    Aborted,
    /// No answer came for too long.
    TimedOut,
    /// The network said that the peer cannot be reached (RFC 9293 §3.9.2.2).
    Unreachable(DeliveryError),
}

impl fmt::Display for CloseReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            CloseReason::Finished => "both sides closed",
            CloseReason::Refused => "refused by the peer",
            CloseReason::Reset => "reset by the peer",
            CloseReason::Aborted => "aborted here",
            CloseReason::TimedOut => "no answer from the peer for too long",
            CloseReason::Unreachable(error) => return error.fmt(f),
        })
    }
}
