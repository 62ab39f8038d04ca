//! What a node that passes packets on does to them, and what it remembers of them.

use std::fmt;
use std::net::{IpAddr, SocketAddr};

use serde::Serialize;

use crate::packet::PacketId;

/// What a router or a switch did to a packet, beside passing it on or dropping it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "passage", rename_all = "kebab-case")]
pub enum Passage {
    /// It was for the node itself.
    Taken,
    /// It waits for the next neighbour's address.
    AwaitsNeighbour {
        /// Whose.
        neighbour: IpAddr,
    },
    /// A policy does not let it pass.
    Filtered {
        /// The rule's id; `None` when none matched, and the policy forbids what no rule allows.
        rule: Option<String>,
        /// Whether its sender is told.
        rejected: bool,
    },
    /// An address and a port were replaced (RFC 4787, RFC 5508). For an ICMP error: of the packet that it quotes.
    Translated {
        /// Which.
        side: Side,
        /// What stood there.
        from: SocketAddr,
        /// What stands there now.
        to: SocketAddr,
    },
    /// The maximum segment size that a SYN announces was lowered.
    MssClamped {
        /// What it announced, in octets.
        announced: u16,
        /// What it announces now.
        mss: u16,
    },
    /// It is a piece of another packet, which was too long for the next link.
    Piece {
        /// The packet that it was cut from.
        original: PacketId,
    },
}

/// One side of a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Side {
    /// Where it comes from.
    Source,
    /// Whom it is for.
    Destination,
}

/// An inside address that has a port outside (RFC 4787 §3).
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct NatMapping {
    /// The protocol's number: 1 ICMP, 6 TCP, 17 UDP.
    pub protocol: u8,
    /// The address and port inside; for an echo the identifier stands for the port.
    pub inside: SocketAddr,
    /// The address and port outside.
    pub outside: SocketAddr,
    /// The only peer it serves; `None` when it serves all.
    pub peer: Option<SocketAddr>,
}

/// A sentence for packet comments.
impl fmt::Display for Passage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Passage::Taken => f.write_str("for this node itself"),
            Passage::AwaitsNeighbour { neighbour } => write!(f, "waits until the address of {neighbour} is known"),
            Passage::Filtered { rule, rejected } => {
                let verb = if *rejected { "rejected" } else { "dropped" };
                match rule {
                    Some(rule) => write!(f, "{verb} by rule {rule}"),
                    None => write!(f, "{verb}: no rule lets it pass"),
                }
            }
            Passage::Translated { side: Side::Source, from, to } => write!(f, "its source {from} becomes {to}"),
            Passage::Translated { side: Side::Destination, from, to } => {
                write!(f, "its destination {from} becomes {to}")
            }
            Passage::MssClamped { announced, mss } => {
                write!(f, "its maximum segment size of {announced} is lowered to {mss}")
            }
            Passage::Piece { original } => write!(f, "a piece of packet {original}, which is too long for this link"),
        }
    }
}
