//! A packet's way out: headers in front, fragments where it must be cut, and onto the link.

use std::net::IpAddr;

use smallvec::SmallVec;

use super::addresses::{Hop, group_mac};
use super::fragment::{self, write_header_checksum};
use super::limits::{FRAGMENT_HEADER, IPV4_HEADER, IPV6_HEADER, LONGEST};
use super::neighbours::arp::BROADCAST;
use super::neighbours::{Lookup, Mac};
use super::{Errand, Host, Outgoing, SendError};
use crate::journal::{DropReason, Why};
use crate::packet::checksum::{self, Sum};
use crate::packet::dissect::{ETHERNET_HEADER, link_header_length};
use crate::packet::{Checksum, Medium, Packet, segment};
use crate::time::Instant;

/// Don't Fragment in the flags of an IPv4 header.
const DONT_FRAGMENT: [u8; 2] = [0x40, 0];

impl Host {
    /// Sends a packet: queues it for [`Host::transmit`], lets it wait for its neighbour's address, or hands it to this
    /// host itself.
    ///
    /// # Errors
    /// [`SendError`] when it cannot be sent. A neighbour that does not answer is no such error:
    /// [`Host::arrival`] reports it.
    pub fn send(&mut self, now: Instant, outgoing: Outgoing) -> Result<(), SendError> {
        self.tell_time(now);
        let (src, dst) = (outgoing.src, outgoing.dst);
        let hop = self.addresses.next_hop(dst, self.now).ok_or(SendError::NoRoute(dst))?;
        if src.is_ipv4() != dst.is_ipv4() || !self.is_own(src) || (src.is_loopback() && hop != Hop::Ourselves) {
            return Err(SendError::BadSource(src));
        }
        let network = if src.is_ipv4() { IPV4_HEADER } else { IPV6_HEADER };
        let payload: usize = outgoing.payload.iter().map(bytes::Bytes::len).sum();
        let transport = outgoing.header.len() + payload;
        // IPv4 counts its own header in, IPv6 does not (RFC 791 §3.1, RFC 8200 §3).
        if transport + if src.is_ipv4() { network } else { 0 } > LONGEST {
            return Err(SendError::TooLong(transport));
        }
        let mtu = self.path_mtu(dst);
        let longest_piece = match outgoing.gso_size {
            Some(size) => network + outgoing.header.len() + payload.min(usize::from(size.get())),
            None => network + transport,
        };
        let is_cut = longest_piece > mtu;
        if is_cut && outgoing.dont_fragment {
            return Err(SendError::TooBig { mtu });
        }
        let pieces = if is_cut { transport.div_ceil(mtu.saturating_sub(network + FRAGMENT_HEADER).max(8)) } else { 1 };
        if !self.outbound.has_room(pieces, transport + pieces * (network + FRAGMENT_HEADER)) {
            return Err(SendError::QueueFull);
        }
        let packet = self.build(&outgoing, transport);
        if is_cut {
            self.send_in_fragments(hop, packet, mtu, &outgoing);
        } else {
            self.dispatch(hop, packet, &outgoing);
        }
        Ok(())
    }

    /// The next packet to put on the link, and why; `None` when nothing is pending.
    pub fn transmit(&mut self, now: Instant) -> Option<(Packet, Why)> {
        self.tell_time(now);
        let own = |(packet, errand)| match errand {
            Errand::Own(why) => Some((packet, why)),
            // Nothing is passed on by who asks so.
            Errand::Passing | Errand::Piece(_) => None,
        };
        self.outbound.pop().and_then(own)
    }

    /// Headers in front of a transport header and its payload. The checksum is left partial but for ICMP, whose few
    /// packets are completed at once.
    pub(super) fn build(&mut self, outgoing: &Outgoing, transport: usize) -> Packet {
        let mut headers: SmallVec<[u8; 128]> = SmallVec::new();
        if self.medium == Medium::Ethernet {
            headers.extend_from_slice(&self.mac);
            headers.extend_from_slice(&self.mac);
            headers.extend_from_slice(if outgoing.src.is_ipv4() { &[0x08, 0x00] } else { &[0x86, 0xdd] });
        }
        // RFC 1122 §3.2.1.7: no packet leaves with its hops used up.
        let hops = outgoing.hops.max(1);
        match (outgoing.src, outgoing.dst) {
            (IpAddr::V4(src), IpAddr::V4(dst)) => {
                let begin = headers.len();
                let pieces = outgoing.gso_size.map_or(1, |size| transport.div_ceil(usize::from(size.get())));
                headers.extend_from_slice(&[0x45, outgoing.traffic_class]);
                headers.extend_from_slice(&((IPV4_HEADER + transport) as u16).to_be_bytes());
                headers.extend_from_slice(&self.identification.to_be_bytes());
                headers.extend_from_slice(if outgoing.dont_fragment { &DONT_FRAGMENT } else { &[0, 0] });
                headers.extend_from_slice(&[hops, outgoing.protocol, 0, 0]);
                headers.extend_from_slice(&src.octets());
                headers.extend_from_slice(&dst.octets());
                write_header_checksum(&mut headers[begin..]);
                // Each packet has its own, also a retransmission (RFC 6864 §4.1); a super-segment's pieces count up.
                self.identification = self.identification.wrapping_add(pieces as u16);
            }
            (IpAddr::V6(src), IpAddr::V6(dst)) => {
                let class = outgoing.traffic_class;
                headers.extend_from_slice(&[0x60 | class >> 4, class << 4, 0, 0]);
                headers.extend_from_slice(&(transport as u16).to_be_bytes());
                headers.extend_from_slice(&[outgoing.protocol, hops]);
                headers.extend_from_slice(&src.octets());
                headers.extend_from_slice(&dst.octets());
            }
            // `send` has refused these.
            (IpAddr::V4(_), IpAddr::V6(_)) | (IpAddr::V6(_), IpAddr::V4(_)) => {}
        }
        let start = headers.len();
        headers.extend_from_slice(&outgoing.header);
        let field = outgoing.checksum_offset.map(|offset| (offset, start + usize::from(offset)));
        let field = field.filter(|(_, at)| at + 2 <= headers.len());
        if let Some((_, at)) = field {
            let sum = match outgoing.protocol {
                1 => Sum::new(),
                protocol => Sum::new().add_pseudo_header(outgoing.src, outgoing.dst, protocol, transport as u32),
            };
            headers[at..at + 2].copy_from_slice(&sum.fold().to_be_bytes());
        }
        let mut packet = Packet::new(self.medium, &headers);
        outgoing.payload.iter().for_each(|chunk| packet.push_payload(chunk.clone()));
        packet.set_gso_size(outgoing.gso_size);
        if let Some((offset, _)) = field {
            packet.set_checksum(Checksum::Partial { start: start as u16, offset });
            if matches!(outgoing.protocol, 1 | 58) {
                checksum::complete(&mut packet);
            }
        }
        packet
    }

    fn send_in_fragments(&mut self, hop: Hop, packet: Packet, mtu: usize, outgoing: &Outgoing) {
        let mut pieces = Vec::new();
        segment::cut(packet, &mut pieces);
        for piece in pieces {
            let identification = self.fragment_identification;
            self.fragment_identification = identification.wrapping_add(1);
            for fragment in fragment::cut(&piece, mtu, identification) {
                self.dispatch(hop, fragment, outgoing);
            }
        }
    }

    fn dispatch(&mut self, hop: Hop, packet: Packet, outgoing: &Outgoing) {
        match hop {
            Hop::Ourselves => {
                if let Err(packet) = self.loopback.push(packet) {
                    self.dropped(packet.id, DropReason::QueueFull);
                }
            }
            Hop::Elsewhere => {
                let mut packet = packet;
                checksum::complete(&mut packet);
                if let Err((packet, _)) = self.unrouted.push((packet, outgoing.why)) {
                    self.dropped(packet.id, DropReason::QueueFull);
                }
            }
            Hop::Everybody => self.put(packet, BROADCAST, Errand::Own(outgoing.why)),
            Hop::Group(group) => self.put(packet, group_mac(group), Errand::Own(outgoing.why)),
            Hop::Neighbour(neighbour) => match self.medium {
                Medium::Ip => self.put(packet, self.mac, Errand::Own(outgoing.why)),
                Medium::Ethernet => self.send_to_neighbour(neighbour, packet, outgoing),
            },
        }
    }

    fn send_to_neighbour(&mut self, neighbour: IpAddr, packet: Packet, outgoing: &Outgoing) {
        let mut dropped = Vec::new();
        let lookup = self.neighbours.look_up(self.now, neighbour, &mut dropped);
        match lookup {
            Lookup::Known(mac) => self.put(packet, mac, Errand::Own(outgoing.why)),
            Lookup::BeingAsked | Lookup::AskNow => {
                self.neighbours.wait(neighbour, (packet, Errand::Own(outgoing.why)), &mut dropped);
            }
        }
        dropped.into_iter().for_each(|packet| self.dropped(packet.id, DropReason::QueueFull));
        if lookup == Lookup::AskNow {
            self.ask(neighbour, None, Some(outgoing.src));
        }
    }

    /// Puts a packet into the queue to the link, for the owner of `mac`.
    pub(super) fn put(&mut self, mut packet: Packet, mac: Mac, errand: Errand) {
        if link_header_length(self.medium) == ETHERNET_HEADER {
            packet.headers_mut()[..6].copy_from_slice(&mac);
        }
        if let Err((packet, _)) = self.outbound.push((packet, errand)) {
            self.dropped(packet.id, DropReason::QueueFull);
        }
    }
}
