//! What happened to each TCP connection of a capture, by its packets alone: ours or a stranger's, seen anywhere on the path.
//!
//! ```text
//!    client ═════╪═════════════════════════════ server        a capture near the client: what the server sends again may
//!    client ═════════════════════════════╪═════ server        never have passed here before; near the server: the client's
//!                ↑ to_client   to_server ↑
//! ```
//!
//! A capture shows neither timers nor losses. Where it was made is measured first ([`Path`]: round trips to either end), since
//! both what a sender knew when it sent and whether a gap can be a retransmission at all depend on that. Each segment that
//! comes again then gets a [`Kind`] with its [`Evidence`], and a [`Doubt`] when it was sent in vain.
//!
//! What lives here: values. What does not: how they are told (`report/explain`), and what a journal knows better (`window`).

mod acks;
mod again;
mod classify;
mod episodes;
mod gather;
mod handshake;
mod path;
mod positions;
mod stream;
#[cfg(test)]
mod tests;

use std::net::SocketAddr;
use std::time::Duration;

use serde::Serialize;

use crate::capture::Record;
use crate::time::Instant;

pub use again::{Again, Doubt, Evidence, Kind};
pub use episodes::{Reset, Silence, ZeroWindow};
pub use handshake::{Agreed, Handshake, Offer};
pub use path::{Path, RoundTrips};

/// One of the two ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum End {
    /// Who has opened the connection, as far as it can be told.
    Client,
    /// The other one.
    Server,
}

impl End {
    /// The other end.
    pub const fn other(self) -> End {
        match self {
            End::Client => End::Server,
            End::Server => End::Client,
        }
    }
}

/// A connection, as far as the capture has it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Connection {
    /// The client's address.
    pub client: SocketAddr,
    /// The server's.
    pub server: SocketAddr,
    /// The first of its packets, by number.
    pub first: u64,
    /// The last one.
    pub last: u64,
    /// When the first was captured.
    pub began: Instant,
    /// How long after that the last was.
    pub lasted: Duration,
    /// How many packets it has.
    pub packets: u64,
    /// How it was opened.
    pub handshake: Handshake,
    /// Where it was captured.
    pub path: Path,
    /// What each end sent: the client, the server.
    pub streams: [Stream; 2],
    /// Times in which an end had no room for data.
    pub zero_windows: Vec<ZeroWindow>,
    /// Times in which nobody said anything.
    pub silences: Vec<Silence>,
    /// Segments that broke it off.
    pub resets: Vec<Reset>,
}

/// What one end sent.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Stream {
    /// Segments with data.
    pub data_segments: u64,
    /// Octets of data, each counted once.
    pub octets: u64,
    /// Round trips from here to the other end and back, by what it acknowledged (RFC 6298 §3: never of what was sent twice).
    pub round_trips: RoundTrips,
    /// What came again, or in another order than it was sent in.
    pub again: Vec<Again>,
}

/// Every connection of a capture, in the order in which they began. `records` are numbered from 1, as Wireshark does.
pub fn connections(records: &[Record]) -> Vec<Connection> {
    gather::gather(records).into_iter().map(|gathered| gathered.judge()).collect()
}
