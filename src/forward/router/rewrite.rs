//! Headers changed on the way, their checksums adjusted and never computed anew (RFC 1624): what was wrong when it came in
//! is still wrong when it goes on.

use std::net::{IpAddr, SocketAddr};

use super::flow::Layout;
use crate::journal::Side;
use crate::packet::checksum::{adjust, patch};
use crate::packet::{Packet, PacketId};

/// Octets of an ICMP header in front of a quotation.
const ICMP_HEADER: usize = 8;
/// Octets of a quotation that may be changed: the longest network header and what ports and checksum take.
const QUOTED: usize = 60 + 20;

/// Takes one hop off. There must be one.
pub(super) fn decrement_hops(packet: &mut Packet, layout: &Layout) {
    let network = layout.network;
    let is_v4 = layout.is_v4;
    edit(packet, network + if is_v4 { 20 } else { 40 }, |frame| {
        if is_v4 {
            let left = frame[network + 8].saturating_sub(1);
            patch(frame, network, network + 8, &[left], &[network + 10]);
        } else {
            frame[network + 7] = frame[network + 7].saturating_sub(1);
        }
    });
}

/// Replaces the address of one side and, where this packet has them, its port or the identifier of an echo.
pub(super) fn translate(packet: &mut Packet, layout: &Layout, side: Side, to: SocketAddr) {
    let needed = layout.transport.map_or(layout.network + 20, |transport| transport + needed_behind(layout.protocol));
    edit(packet, needed, |frame| translate_frame(frame, layout, side, to));
}

/// Replaces the address of one side of an ICMP error, and that of one side of the packet that it quotes with its port.
pub(super) fn translate_error(packet: &mut Packet, layout: &Layout, outer: (Side, IpAddr), quoted: (Side, SocketAddr)) {
    let Some(icmp) = layout.transport else { return };
    edit(packet, usize::MAX, |frame| {
        replace_address(frame, layout.network, outer.0, outer.1, &[layout.network + 10]);
        let inside = icmp + ICMP_HEADER;
        let Some(quotation) = frame.get(inside..) else { return };
        let Some(inner) = Layout::of_quotation(quotation) else { return };
        let before = quotation[..quotation.len().min(QUOTED)].to_vec();
        translate_frame(&mut frame[inside..], &inner, quoted.0, quoted.1);
        // The quotation begins at an even place of what the message's checksum covers.
        let after = &frame[inside..inside + before.len()];
        let sum = adjust(u16::from_be_bytes([frame[icmp + 2], frame[icmp + 3]]), &before, after);
        frame[icmp + 2..icmp + 4].copy_from_slice(&sum.to_be_bytes());
    });
}

/// Changes octets of the transport header at `at`, counted from the frame's first.
pub(super) fn patch_tcp(packet: &mut Packet, tcp: usize, at: usize, new: &[u8]) {
    edit(packet, at + new.len(), |frame| patch(frame, tcp, at, new, &[tcp + 16]));
}

/// How many octets behind the transport header's first hold ports, identifier and checksum.
const fn needed_behind(protocol: u8) -> usize {
    match protocol {
        6 => 18,
        _ => 8,
    }
}

fn translate_frame(frame: &mut [u8], layout: &Layout, side: Side, to: SocketAddr) {
    let network = layout.network;
    let Some(transport) = layout.transport else {
        return replace_address(frame, network, side, to.ip(), &[network + 10]);
    };
    let checksum = match layout.protocol {
        6 => Some(transport + 16),
        // Zero says that there is none (RFC 768).
        17 => Some(transport + 6).filter(|at| frame.get(*at..*at + 2).is_some_and(|field| field != [0, 0])),
        _ => None,
    };
    let checksum = checksum.filter(|at| at + 2 <= frame.len());
    let fields: Vec<usize> = [network + 10].into_iter().chain(checksum).collect();
    replace_address(frame, network, side, to.ip(), &fields);
    let port = to.port().to_be_bytes();
    match (layout.protocol, side) {
        (1, _) => patch(frame, transport, transport + 4, &port, &[transport + 2]),
        (_, Side::Source) => patch(frame, transport, transport, &port, &fields[1..]),
        (_, Side::Destination) => patch(frame, transport, transport + 2, &port, &fields[1..]),
    }
    // A computed zero is written as its other form, since zero means none.
    if layout.protocol == 17
        && let Some(at) = checksum
        && frame[at..at + 2] == [0, 0]
    {
        frame[at..at + 2].copy_from_slice(&[0xff, 0xff]);
    }
}

fn replace_address(frame: &mut [u8], network: usize, side: Side, to: IpAddr, fields: &[usize]) {
    // Only IPv4 is translated.
    let IpAddr::V4(to) = to else { return };
    let at = network + if side == Side::Source { 12 } else { 16 };
    patch(frame, network, at, &to.octets(), fields);
}

/// Lets `change` work on the packet's first octets: on the headers where they are enough, else on a copy of all.
fn edit(packet: &mut Packet, needed: usize, change: impl FnOnce(&mut [u8])) {
    if packet.headers().len() >= needed {
        return change(packet.headers_mut());
    }
    let mut frame = packet.to_bytes().to_vec();
    change(&mut frame);
    let id: PacketId = packet.id;
    *packet = Packet::from_wire(packet.medium(), frame.into());
    packet.id = id;
}
