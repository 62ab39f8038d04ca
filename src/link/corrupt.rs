//! A bit error: one bit of a packet flipped, its checksums left as they are.
//!
//! The bit is one that only the transport checksum guards: in the data, or else in the ports (in ICMP's second word). A
//! bit of a length or an offset would make headers unreadable instead, which is another lesson.

use std::ops::Range;

use bytes::Bytes;

use crate::packet::dissect::{Transport, link_header_length};
use crate::packet::{Packet, checksum};

/// Flips one bit beyond the link header and returns its octet, counted from the frame's first; `None`, and nothing is
/// changed, when there is no such octet. `draw` chooses the bit: any number, scaled to the packet.
///
/// A checksum that is still partial is completed first; it would otherwise be made to fit the error later.
pub(super) fn flip_bit(packet: &mut Packet, draw: u64) -> Option<usize> {
    let range = target(packet);
    let bits = (range.len() as u64) * 8;
    if bits == 0 {
        return None;
    }
    checksum::complete(packet);
    let bit = ((u128::from(draw) * u128::from(bits)) >> 64) as u64;
    let octet = range.start + (bit / 8) as usize;
    flip(packet, octet, 1 << (bit % 8));
    Some(octet)
}

/// The octets of which one may be hit.
fn target(packet: &Packet) -> Range<usize> {
    let dissection = packet.dissect();
    if !dissection.payload.is_empty() {
        return dissection.payload;
    }
    match dissection.transport {
        Some(Transport::Tcp(tcp)) => tcp.offset..tcp.offset + 4,
        Some(Transport::Udp(udp)) => udp.offset..udp.offset + 4,
        Some(Transport::Icmpv4(icmp) | Transport::Icmpv6(icmp)) => icmp.offset + 4..icmp.offset + 8,
        None => link_header_length(packet.medium()).min(packet.len())..packet.len(),
    }
}

fn flip(packet: &mut Packet, octet: usize, mask: u8) {
    if let Some(byte) = packet.headers_mut().get_mut(octet) {
        *byte ^= mask;
        return;
    }
    // Payload is shared with other packets (the sender still has it for a retransmission): only the chunk that is hit
    // is copied, and put in the place of the old one.
    let mut struck = Packet::new(packet.medium(), packet.headers());
    struck.id = packet.id;
    struck.set_gso_size(packet.gso_size());
    struck.set_checksum(packet.checksum());
    let mut start = packet.headers().len();
    for chunk in packet.payload() {
        let copy = octet.checked_sub(start).filter(|at| *at < chunk.len()).map(|at| {
            let mut bytes = chunk.to_vec();
            bytes[at] ^= mask;
            Bytes::from(bytes)
        });
        struck.push_payload(copy.unwrap_or_else(|| chunk.clone()));
        start += chunk.len();
    }
    *packet = struck;
}
