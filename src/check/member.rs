//! Members: single values of packets and events that checks compare.

use serde_json::Value;

use crate::filter;
use crate::packet::dissect::Network;

use super::evidence::Frame;
use super::selection::{Found, Item};

/// The members of packets, by Wireshark's field names.
pub const PACKET_MEMBERS: [&str; 8] =
    ["frame.len", "ip.id", "tcp.ack", "tcp.len", "tcp.seq", "tcp.stream", "tcp.window_size_value", "udp.length"];

/// Whether packets have a member of this name.
pub fn is_packet_member(name: &str) -> bool {
    PACKET_MEMBERS.contains(&name)
}

/// Whether events have a member of this name that is a value by itself.
pub fn is_event_member(name: &str) -> bool {
    !name.contains('.') && filter::event_members().any(|known| known == name)
}

impl Item<'_, '_> {
    /// Octets of payload; for an event, its member `bytes`.
    pub(super) fn bytes(&self) -> u64 {
        match self.found {
            Found::Packet(frame) => frame.payload_len(),
            Found::Event(_) => self.member("bytes").and_then(|value| value.as_u64()).unwrap_or(0),
        }
    }

    /// Octets on the wire, from the first of the link's header on; an event has none.
    pub(super) fn octets(&self) -> u64 {
        match self.found {
            Found::Packet(frame) => frame.record.wire_len as u64,
            Found::Event(_) => 0,
        }
    }

    /// The member's value; `None` when this packet or event has none of that name.
    ///
    /// An event's members are those of its line in `journal.jsonl`.
    pub(super) fn member(&self, name: &str) -> Option<Value> {
        match self.found {
            Found::Packet(frame) => packet_member(frame, name).map(Value::from),
            Found::Event(entry) => serde_json::to_value(entry).ok()?.get(name).cloned(),
        }
    }
}

fn packet_member(frame: &Frame<'_>, name: &str) -> Option<u64> {
    let tcp = frame.dissection.tcp();
    match name {
        "frame.len" => Some(frame.record.wire_len as u64),
        "ip.id" => match frame.dissection.network.as_ref()? {
            Network::Ipv4(header) => Some(u64::from(header.identification)),
            Network::Ipv6(_) | Network::Arp(_) => None,
        },
        "tcp.ack" => tcp.map(|tcp| u64::from(frame.ack(tcp))),
        "tcp.len" => tcp.map(|tcp| tcp.payload_len as u64),
        "tcp.seq" => tcp.map(|tcp| u64::from(frame.seq(tcp))),
        "tcp.stream" => tcp.and(frame.stream()).map(u64::from),
        "tcp.window_size_value" => tcp.map(|tcp| u64::from(tcp.window)),
        "udp.length" => frame.dissection.udp().map(|udp| u64::from(udp.length)),
        _ => None,
    }
}
