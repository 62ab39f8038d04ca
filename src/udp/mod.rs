//! UDP: datagrams in, datagrams out (RFC 768, RFC 1122 §4.1).
//!
//! ```text
//!    bind, connect, send_to ─►┐            ┌─► receive_from, take_error, events
//!                             │  Sockets   │
//!     arrives, undelivered ──►┘            └─► transmit: datagrams, each with its header
//! ```
//!
//! [`Sockets`] holds the sockets of one host, found by local address and port. It knows nothing of IP: who joins the two
//! says which own address speaks to a destination, and joins groups. What does not live here:
//! checksums over pseudo-headers (the network layer verifies them and fills them in), fragments, waiting.

mod header;
mod sockets;
#[cfg(test)]
mod tests;

use std::net::{IpAddr, SocketAddr};

use bytes::Bytes;
use smallvec::SmallVec;

use crate::journal::{DropReason, SocketId, Why};
use crate::packet::DeliveryError;

pub use header::{CHECKSUM_OFFSET, HEADER, header, longest_payload};
pub use sockets::Sockets;

/// A datagram that came in, its checksum verified.
#[derive(Clone, Copy, Debug)]
pub struct Arriving<'a> {
    /// Who sent it.
    pub src: SocketAddr,
    /// Whom it addresses.
    pub dst: SocketAddr,
    /// The length field of its header: header and data in octets.
    pub length: u16,
    /// What follows its header.
    pub payload: &'a [Bytes],
}

/// What became of a datagram that came in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// A socket has it.
    Taken,
    /// No socket wants it; its sender is to be told (RFC 1122 §4.1.3.1), if it was sent to one host.
    NobodyListens,
    /// It was dropped.
    Dropped(DropReason),
}

/// A datagram to be sent.
#[derive(Clone, Debug)]
pub struct Datagram {
    /// Whose it is.
    pub socket: SocketId,
    /// From where.
    pub src: SocketAddr,
    /// To where.
    pub dst: SocketAddr,
    /// Its header, the checksum zero: that is to be filled in at [`CHECKSUM_OFFSET`].
    pub header: [u8; HEADER],
    /// Its data.
    pub payload: SmallVec<[Bytes; 2]>,
    /// Hops that it may take.
    pub hops: u8,
    /// DSCP in the upper six bits.
    pub traffic_class: u8,
    /// Why it is sent.
    pub why: Why,
}

/// Something that a waiting application wants to know.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// A datagram or an error can be fetched.
    Readable(SocketId),
    /// There is room to send again.
    Writable(SocketId),
}

/// Why a socket cannot be bound.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BindError {
    /// Another socket has this port.
    #[error("{0} is in use on this stack; choose another port or close its user")]
    AddressInUse(SocketAddr),
    /// Every ephemeral port is taken.
    #[error("all ephemeral ports of this stack are taken")]
    NoPorts,
}

/// Why a socket cannot do what is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SocketError {
    /// There is no such socket any more.
    #[error("the socket is closed")]
    Closed,
    /// Longer than any datagram may be.
    #[error("{0} octets do not fit into one datagram to this address; send fewer at a time")]
    TooLong(usize),
    /// No own address speaks to this one.
    #[error("{0} cannot be reached from this stack")]
    Unreachable(IpAddr),
    /// The network refused an earlier datagram of this socket; said once.
    #[error("an earlier datagram was not delivered: {0}")]
    NotDelivered(DeliveryError),
}
