//! Packets that are longer than the way takes, cut into fragments (RFC 791 §3.2, RFC 8200 §4.5).
//!
//! The packet that is cut has no options and no extension headers: this host sends none. Its transport checksum must be
//! complete, since it covers what the fragments carry between them.

use bytes::Bytes;

use super::limits::{FRAGMENT_HEADER, IPV4_HEADER, IPV6_HEADER};
use crate::packet::Packet;
use crate::packet::checksum::Sum;
use crate::packet::dissect::link_header_length;

/// More Fragments in the flags of an IPv4 header.
const MORE_FRAGMENTS: u16 = 0x2000;

/// Cuts `packet` into fragments of at most `mtu` octets, in order. `identification` is that of the IPv6 fragments; over
/// IPv4 the packet has its own. `mtu` is at least that of every link.
pub(super) fn cut(packet: &Packet, mtu: usize, identification: u32) -> Vec<Packet> {
    let ip = link_header_length(packet.medium());
    let v6 = packet.headers().get(ip).is_some_and(|first| first >> 4 == 6);
    let (in_front, added) = if v6 { (ip + IPV6_HEADER, FRAGMENT_HEADER) } else { (ip + IPV4_HEADER, 0) };
    let Some((headers, rest)) = packet.headers().split_at_checked(in_front) else { return Vec::new() };
    let mut data: Vec<Bytes> = vec![Bytes::copy_from_slice(rest)];
    data.extend(packet.payload().iter().cloned());
    let total: usize = data.iter().map(Bytes::len).sum();
    // All but the last have a multiple of eight octets.
    let each = (mtu.saturating_sub(in_front - ip + added) & !7).max(8);
    let mut fragments = Vec::with_capacity(total.div_ceil(each));
    let mut offset = 0;
    while offset < total {
        let length = each.min(total - offset);
        let more = offset + length < total;
        let mut fragment = if v6 {
            ipv6_fragment(packet, headers, (offset, length, more), identification)
        } else {
            ipv4_fragment(packet, headers, (offset, length, more))
        };
        move_octets(&mut data, &mut fragment, length);
        fragments.push(fragment);
        offset += length;
    }
    fragments
}

fn ipv4_fragment(packet: &Packet, headers: &[u8], (offset, length, more): (usize, usize, bool)) -> Packet {
    let mut fragment = Packet::new(packet.medium(), headers);
    let ip = headers.len() - IPV4_HEADER;
    let header = &mut fragment.headers_mut()[ip..];
    header[2..4].copy_from_slice(&((IPV4_HEADER + length) as u16).to_be_bytes());
    let field = (offset / 8) as u16 | if more { MORE_FRAGMENTS } else { 0 };
    header[6..8].copy_from_slice(&field.to_be_bytes());
    write_header_checksum(header);
    fragment
}

fn ipv6_fragment(
    packet: &Packet,
    headers: &[u8],
    (offset, length, more): (usize, usize, bool),
    identification: u32,
) -> Packet {
    let ip = headers.len() - IPV6_HEADER;
    let mut with_fragment = headers.to_vec();
    let protocol = std::mem::replace(&mut with_fragment[ip + 6], 44);
    with_fragment[ip + 4..ip + 6].copy_from_slice(&((FRAGMENT_HEADER + length) as u16).to_be_bytes());
    with_fragment.extend_from_slice(&[protocol, 0]);
    with_fragment.extend_from_slice(&(offset as u16 | u16::from(more)).to_be_bytes());
    with_fragment.extend_from_slice(&identification.to_be_bytes());
    Packet::new(packet.medium(), &with_fragment)
}

/// Fills in the checksum of an IPv4 header (RFC 791 §3.1).
pub(super) fn write_header_checksum(header: &mut [u8]) {
    header[10..12].fill(0);
    let sum = Sum::new().add_bytes(header).complement();
    header[10..12].copy_from_slice(&sum.to_be_bytes());
}

/// Moves the first `octets` of `data` to the end of `fragment`.
fn move_octets(data: &mut Vec<Bytes>, fragment: &mut Packet, mut octets: usize) {
    let mut used_up = 0;
    for chunk in data.iter_mut() {
        let taken = chunk.split_to(chunk.len().min(octets));
        octets -= taken.len();
        fragment.push_payload(taken);
        if !chunk.is_empty() {
            break;
        }
        used_up += 1;
    }
    data.drain(..used_up);
}
