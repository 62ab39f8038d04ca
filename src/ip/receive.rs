//! A packet's way in: link header, network header, fragments, transport checksum, and then to whom it is for.
//!
//! Each step may drop the packet with a reason. What remains is a packet for TCP or UDP; ICMP has a room of its own.

use std::net::IpAddr;
use std::ops::Range;

use super::extensions::{self, Chain, Fragment, Refusal};
use super::fragment::write_header_checksum;
use super::limits::{FRAGMENT_HEADER, IPV6_HEADER, LONGEST};
use super::reassembly::{Key, Outcome, Piece};
use super::{Arrival, Delivered, Host};
use crate::journal::DropReason;
use crate::packet::checksum::{Sum, sum_chunks};
use crate::packet::dissect::{Ethernet, Ipv4, Ipv6, Network, Transport, link_header_length};
use crate::packet::{Checksum, DeliveryError, Dissection, Packet};
use crate::time::Instant;

/// Where a packet comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Origin {
    /// The link.
    Link,
    /// This host itself.
    Loopback,
    /// Fragments, each of which was judged.
    Joined,
}

/// What a network header says, in the words of both families.
#[derive(Clone, Copy, Debug)]
pub(super) struct Facts {
    pub src: IpAddr,
    pub dst: IpAddr,
    pub protocol: u8,
    pub traffic_class: u8,
    pub hops: u8,
    /// Where the network header begins.
    pub network: usize,
    /// Where the transport header begins.
    pub transport: usize,
}

impl Host {
    /// Takes one packet from the link; returns what a transport has to know of it. Call [`Host::arrival`] as well, for
    /// what has no packet of its own.
    pub fn receive(&mut self, now: Instant, packet: Packet) -> Option<Arrival> {
        self.tell_time(now);
        self.take_in(packet, Origin::Link)
    }

    /// What there is for the transports without a packet from the link: packets of this host to itself, and reports of
    /// neighbours that do not answer. To be called after [`Host::receive`], [`Host::send`] and [`Host::expire`] until it
    /// is `None`.
    pub fn arrival(&mut self, now: Instant) -> Option<Arrival> {
        self.tell_time(now);
        if let Some(report) = self.reports.pop_front() {
            return Some(Arrival::Undelivered(report));
        }
        while let Some(packet) = self.loopback.pop() {
            if let Some(arrival) = self.take_in(packet, Origin::Loopback) {
                return Some(arrival);
            }
        }
        None
    }

    fn take_in(&mut self, packet: Packet, origin: Origin) -> Option<Arrival> {
        let id = packet.id;
        match self.judge(packet, origin) {
            Ok(arrival) => arrival,
            Err(reason) => {
                self.dropped(id, reason);
                None
            }
        }
    }

    fn judge(&mut self, packet: Packet, origin: Origin) -> Result<Option<Arrival>, DropReason> {
        if packet.medium() != self.medium {
            return Err(DropReason::Malformed);
        }
        let dissection = packet.dissect();
        if let Some(ethernet) = &dissection.ethernet {
            self.check_link(ethernet)?;
        }
        match &dissection.network {
            Some(Network::Ipv4(header)) => {
                let header = *header;
                self.ipv4_arrives(&header, packet, dissection, origin)
            }
            Some(Network::Ipv6(header)) => {
                let header = *header;
                self.ipv6_arrives(&header, packet, dissection, origin)
            }
            Some(Network::Arp(_)) if dissection.malformed.is_some() => Err(DropReason::Malformed),
            Some(Network::Arp(arp)) => self.arp_arrives(arp).map(|()| None),
            None => Err(DropReason::Malformed),
        }
    }

    /// RFC 894, RFC 2464. The reader also sees what is behind a VLAN tag; we are on no VLAN.
    pub(super) fn check_link(&self, ethernet: &Ethernet) -> Result<(), DropReason> {
        let is_group = ethernet.dst[0] & 1 == 1;
        if ethernet.dst != self.mac && !is_group {
            Err(DropReason::NotForUs)
        } else if matches!(ethernet.ether_type, 0x0800 | 0x0806 | 0x86dd) {
            Ok(())
        } else {
            Err(DropReason::UnknownProtocol)
        }
    }

    /// RFC 1122 §3.2.1.
    fn ipv4_arrives(
        &mut self,
        header: &Ipv4,
        packet: Packet,
        dissection: Dissection,
        origin: Origin,
    ) -> Result<Option<Arrival>, DropReason> {
        let range = header.offset..header.offset + header.header_len;
        let octets = packet.headers().get(range).ok_or(DropReason::Malformed)?;
        if Sum::new().add_bytes(octets).fold() != 0xffff {
            return Err(DropReason::BadHeaderChecksum);
        }
        // A card that cuts super-segments may leave the total length to be filled in.
        let left_open = header.total_len == 0 && packet.gso_size().is_some();
        let on_wire = packet.len().saturating_sub(header.offset);
        if !left_open && !(header.header_len..=on_wire).contains(&header.total_len) {
            return Err(DropReason::Malformed);
        }
        let facts = Facts {
            src: header.src.into(),
            dst: header.dst.into(),
            // As it stands there: the reader may have gone on behind an authentication header.
            protocol: octets[9],
            traffic_class: header.dscp << 2 | header.ecn,
            hops: header.ttl,
            network: header.offset,
            transport: header.offset + header.header_len,
        };
        self.check_addresses(&facts, origin)?;
        // RFC 1122 §3.3.6: what everybody gets must be for everybody.
        if is_link_group(&packet) && !facts.dst.is_multicast() && !self.is_broadcast(facts.dst) {
            return Err(DropReason::NotForUs);
        }
        if header.more_fragments || header.fragment_offset > 0 {
            return self.ipv4_fragment_arrives(header, &facts, &packet);
        }
        self.deliver(&facts, packet, dissection)
    }

    /// RFC 8200 §3 and §4.
    fn ipv6_arrives(
        &mut self,
        header: &Ipv6,
        packet: Packet,
        dissection: Dissection,
        origin: Origin,
    ) -> Result<Option<Arrival>, DropReason> {
        let end = header.offset + IPV6_HEADER + header.payload_len;
        if end > packet.len() {
            return Err(DropReason::Malformed);
        }
        let mut facts = Facts {
            src: header.src.into(),
            dst: header.dst.into(),
            protocol: header.protocol,
            traffic_class: header.dscp << 2 | header.ecn,
            hops: header.hop_limit,
            network: header.offset,
            transport: 0,
        };
        self.check_addresses(&facts, origin)?;
        let chain = self.follow_chain(&facts, &packet, end)?;
        if let Some(fragment) = chain.fragment {
            return self.ipv6_fragment_arrives(&fragment, &chain, &facts, &packet, end);
        }
        (facts.protocol, facts.transport) = (chain.protocol, header.offset + chain.upper);
        self.deliver(&facts, packet, dissection)
    }

    fn follow_chain(&mut self, facts: &Facts, packet: &Packet, end: usize) -> Result<Chain, DropReason> {
        // The common packet has nothing between base and transport header, and its headers are at hand in one piece.
        let next = packet.headers().get(facts.network + 6).ok_or(DropReason::Malformed)?;
        let walked = if matches!(next, 6 | 17 | 58) {
            extensions::walk(&packet.headers()[facts.network..])
        } else {
            let whole = packet.to_bytes();
            extensions::walk(whole.get(facts.network..end).ok_or(DropReason::Malformed)?)
        };
        walked.map_err(|refusal| self.refuse_chain(facts, packet, refusal))
    }

    /// Tells the sender what is wrong with a chain of headers, where it is to be told; returns what the journal says.
    pub(super) fn refuse_chain(&mut self, facts: &Facts, packet: &Packet, refusal: Refusal) -> DropReason {
        match refusal {
            Refusal::Silent(reason) => reason,
            Refusal::Problem { code, pointer, even_of_group, reason } => {
                self.tell_problem(facts, packet, code, pointer, even_of_group);
                reason
            }
        }
    }

    /// Whether the addresses can be those of a packet for us (RFC 1122 §3.2.1.3, RFC 9293 MUST-63).
    fn check_addresses(&self, facts: &Facts, origin: Origin) -> Result<(), DropReason> {
        match origin {
            Origin::Loopback | Origin::Joined => return Ok(()),
            Origin::Link => {}
        }
        let Facts { src, dst, .. } = *facts;
        // Who has no address yet asks whether one is free (RFC 4862 §5.4); nothing else may come from there.
        let nameless = src.is_ipv6() && src.is_unspecified() && facts.protocol == 58;
        if self.addresses.is_impossible_source(src) && !nameless {
            return Err(DropReason::InvalidSource);
        }
        let for_us = self.addresses.is_ours(dst) || self.addresses.is_member(dst) || self.addresses.is_broadcast(dst);
        if for_us { Ok(()) } else { Err(DropReason::NotForUs) }
    }

    /// A packet that is whole, to whom it is for.
    fn deliver(
        &mut self,
        facts: &Facts,
        packet: Packet,
        mut dissection: Dissection,
    ) -> Result<Option<Arrival>, DropReason> {
        let is_known = match facts.src {
            IpAddr::V4(_) => matches!(facts.protocol, 1 | 6 | 17),
            IpAddr::V6(_) => matches!(facts.protocol, 6 | 17 | 58),
        };
        if !is_known {
            // RFC 1122 §3.2.2.1. Over IPv6 the walk along the chain has told the sender already.
            self.tell(facts, &packet, DeliveryError::ProtocolUnreachable);
            return Err(DropReason::UnknownProtocol);
        }
        // What one reader takes for the transport header, the other must, too.
        let is_agreed = dissection.transport_range().is_some_and(|range| range.start == facts.transport);
        if dissection.malformed.is_some() || !is_agreed {
            return Err(DropReason::Malformed);
        }
        let Some(transport) = &dissection.transport else { return Err(DropReason::Malformed) };
        let packet = trimmed(packet, &dissection.payload);
        dissection.frame_len = packet.len();
        if !udp_length_is_good(facts, &packet, transport) {
            return Err(DropReason::Malformed);
        }
        if !checksum_is_good(facts, &packet, transport)? {
            return Err(DropReason::BadTransportChecksum);
        }
        match transport {
            Transport::Tcp(_) if self.is_group(facts, &packet) => Err(DropReason::NotForUs),
            Transport::Tcp(_) | Transport::Udp(_) => Ok(Some(Arrival::Transport(Delivered {
                src: facts.src,
                dst: facts.dst,
                protocol: facts.protocol,
                ecn: facts.traffic_class & 3,
                hops: facts.hops,
                packet,
                dissection,
            }))),
            Transport::Icmpv4(icmp) => {
                let icmp = *icmp;
                self.icmpv4_arrives(facts, &icmp, &packet)
            }
            Transport::Icmpv6(icmp) => {
                let icmp = *icmp;
                self.icmpv6_arrives(facts, &icmp, &packet)
            }
        }
    }

    /// Whether others may have got the packet too, by its network or by its link address.
    pub(super) fn is_group(&self, facts: &Facts, packet: &Packet) -> bool {
        facts.dst.is_multicast() || self.is_broadcast(facts.dst) || is_link_group(packet)
    }

    fn ipv4_fragment_arrives(
        &mut self,
        header: &Ipv4,
        facts: &Facts,
        packet: &Packet,
    ) -> Result<Option<Arrival>, DropReason> {
        let whole = packet.to_bytes();
        let end = header.offset + header.total_len;
        let data = whole.get(facts.transport..end).ok_or(DropReason::Malformed)?;
        if (header.more_fragments && data.len() % 8 != 0)
            || header.header_len + header.fragment_offset + data.len() > LONGEST
        {
            return Err(DropReason::BadFragment);
        }
        let key = Key {
            src: facts.src,
            dst: facts.dst,
            protocol: facts.protocol,
            identification: header.identification.into(),
        };
        let piece = Piece {
            packet: packet.id,
            offset: header.fragment_offset,
            more: header.more_fragments,
            data,
            headers: &whole[header.offset..facts.transport],
            ecn: header.ecn,
        };
        self.piece_arrives(key, &piece, packet)
    }

    /// RFC 8200 §4.5, with its three Parameter Problems.
    fn ipv6_fragment_arrives(
        &mut self,
        fragment: &Fragment,
        chain: &Chain,
        facts: &Facts,
        packet: &Packet,
        end: usize,
    ) -> Result<Option<Arrival>, DropReason> {
        let whole = packet.to_bytes();
        let network = whole.get(facts.network..end).ok_or(DropReason::Malformed)?;
        let data = network.get(chain.upper..).ok_or(DropReason::Malformed)?;
        let problem = |code, pointer| Refusal::problem(code, pointer, DropReason::BadFragment);
        let wrong = if fragment.more && data.len() % 8 != 0 {
            // The payload length of the base header.
            Some(problem(0, 4))
        } else if fragment.at - IPV6_HEADER + fragment.offset + data.len() > LONGEST {
            Some(problem(0, fragment.at + 2))
        } else if fragment.offset == 0 && !extensions::first_fragment_is_complete(network, fragment) {
            Some(problem(3, 0))
        } else {
            None
        };
        if let Some(refusal) = wrong {
            return Err(self.refuse_chain(facts, packet, refusal));
        }
        // What stands in front, as if there had been no fragment header.
        let mut headers = network[..fragment.at].to_vec();
        headers[fragment.announced_at] = network[fragment.at];
        let key = Key { src: facts.src, dst: facts.dst, protocol: 0, identification: fragment.identification };
        let piece = Piece {
            packet: packet.id,
            offset: fragment.offset,
            more: fragment.more,
            data,
            headers: &headers,
            ecn: facts.traffic_class & 3,
        };
        debug_assert_eq!(chain.upper, fragment.at + FRAGMENT_HEADER);
        self.piece_arrives(key, &piece, packet)
    }

    /// A fragment whose lengths are right.
    fn piece_arrives(&mut self, key: Key, piece: &Piece<'_>, packet: &Packet) -> Result<Option<Arrival>, DropReason> {
        let mut dropped = Vec::new();
        let outcome = self.reassembly.take(self.now, key, piece, &mut dropped);
        let reason = match outcome {
            Outcome::Spoiled => DropReason::BadFragment,
            Outcome::Waiting | Outcome::Duplicate | Outcome::Whole(_) => DropReason::QueueFull,
        };
        // This one itself is told of by who has called.
        dropped.into_iter().filter(|id| *id != packet.id).for_each(|id| self.dropped(id, reason));
        let whole = match outcome {
            Outcome::Waiting => return Ok(None),
            Outcome::Duplicate => return Err(DropReason::Duplicate),
            Outcome::Spoiled => return Err(DropReason::BadFragment),
            Outcome::Whole(whole) => whole,
        };
        let link = &packet.headers()[..link_header_length(self.medium)];
        let frame = join(link, whole.headers, &whole.data, whole.ecn).ok_or(DropReason::BadFragment)?;
        let mut joined = Packet::from_wire(self.medium, frame.into());
        joined.id = packet.id;
        self.judge(joined, Origin::Joined)
    }

    fn expire_one(&mut self, key: &Key, given_up: super::reassembly::GivenUp) {
        for packet in given_up.packets {
            self.dropped(packet, DropReason::ReassemblyTimeout);
        }
        if let Some(first) = given_up.first {
            self.tell_of_missing_fragments(key.src, key.dst, &first);
        }
    }

    /// Gives up datagrams that have waited too long for the rest of them; the senders of those whose first fragment came
    /// are told (RFC 1122 §3.3.2, RFC 8200 §4.5).
    pub(super) fn expire_reassembly(&mut self) {
        for (key, given_up) in self.reassembly.expire(self.now) {
            self.expire_one(&key, given_up);
        }
    }
}

/// Whether a frame addresses more than one host by its MAC address.
pub(super) fn is_link_group(packet: &Packet) -> bool {
    link_header_length(packet.medium()) > 0 && packet.headers().first().is_some_and(|first| first & 1 == 1)
}

/// The packet without what lies behind its payload (padding of the link, octets behind the end of a datagram), and with
/// none of that among its headers. That is how packets come: then nothing is copied.
pub(super) fn trimmed(packet: Packet, payload: &Range<usize>) -> Packet {
    if packet.len() <= payload.end && packet.headers().len() <= payload.start {
        return packet;
    }
    let end = payload.end.min(packet.len());
    let start = payload.start.min(packet.headers().len()).min(end);
    let mut shorter = Packet::new(packet.medium(), &packet.headers()[..start]);
    shorter.id = packet.id;
    shorter.set_checksum(packet.checksum());
    shorter.set_gso_size(packet.gso_size());
    shorter.push_payload(packet.to_bytes().slice(start..end));
    shorter
}

/// Whether a UDP header says no more than is there, and counts itself in (RFC 768).
fn udp_length_is_good(facts: &Facts, packet: &Packet, transport: &Transport) -> bool {
    match transport {
        Transport::Udp(udp) => (8..=packet.len() - facts.transport.min(packet.len())).contains(&udp.length.into()),
        Transport::Tcp(_) | Transport::Icmpv4(_) | Transport::Icmpv6(_) => true,
    }
}

/// Whether the transport checksum is right, or there need be none: what a card or a stack of ours has vouched for, and
/// UDP's zero over IPv4 (RFC 768; over IPv6 it is forbidden, RFC 8200 §8.1).
fn checksum_is_good(facts: &Facts, packet: &Packet, transport: &Transport) -> Result<bool, DropReason> {
    if packet.checksum() != Checksum::Full || packet.gso_size().is_some() {
        return Ok(true);
    }
    let first = packet.headers().get(facts.transport..).ok_or(DropReason::Malformed)?;
    let is_pseudo = match transport {
        Transport::Udp(udp) if udp.checksum == 0 => return Ok(facts.src.is_ipv4()),
        Transport::Tcp(_) | Transport::Udp(_) | Transport::Icmpv6(_) => true,
        Transport::Icmpv4(_) => false,
    };
    let length = (packet.len() - facts.transport) as u32;
    let sum = match is_pseudo {
        true => Sum::new().add_pseudo_header(facts.src, facts.dst, facts.protocol, length),
        false => Sum::new(),
    };
    let chunks = std::iter::once(first).chain(packet.payload().iter().map(|chunk| &chunk[..]));
    Ok(sum_chunks(sum, chunks).fold() == 0xffff)
}

/// A frame of a datagram that was put together: lengths, flags and ECN bits made those of a whole packet. `None` when it
/// is longer than a packet can be.
fn join(link: &[u8], mut headers: Vec<u8>, data: &[u8], ecn: u8) -> Option<Vec<u8>> {
    let length = headers.len() + data.len();
    if headers.first()? >> 4 == 4 {
        let total = u16::try_from(length).ok()?;
        headers[1] = headers[1] & !3 | ecn;
        headers[2..4].copy_from_slice(&total.to_be_bytes());
        headers[6..8].fill(0);
        write_header_checksum(&mut headers);
    } else {
        let payload = u16::try_from(length - IPV6_HEADER).ok()?;
        headers[1] = headers[1] & !0x30 | ecn << 4;
        headers[4..6].copy_from_slice(&payload.to_be_bytes());
    }
    Some([link, &headers, data].concat())
}
