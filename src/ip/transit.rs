//! A host that passes packets on: what a router needs of its ports beyond what every host does (RFC 1812 §5).
//!
//! ```text
//!   packet ─ cross ─► Local ────► receive, as with every host
//!                └──► Transit ──► (the router decides) ─► pass_on, at another port ─► transmit_any
//!                                                  └────► tell_sender ─► unrouted ──► (the router decides)
//! ```
//!
//! A port is a whole host: it answers for its addresses, finds its neighbours and writes ICMP errors. It does not know
//! where anybody beyond its own link is: what it has to say to them is handed out by [`Host::unrouted`].

use std::net::IpAddr;

use super::errors::quotation;
use super::limits::IPV6_HEADER;
use super::neighbours::Lookup;
use super::receive::{is_link_group, trimmed};
use super::{Config, Host};
use crate::journal::{DropReason, Why};
use crate::packet::checksum::Sum;
use crate::packet::dissect::{Ipv4, Ipv6, Network, link_header_length};
use crate::packet::{DeliveryError, Dissection, Medium, Packet, PacketId};
use crate::time::Instant;

/// Why a packet is on its way out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Errand {
    /// It is this host's own.
    Own(Why),
    /// It came in elsewhere, and goes on under its name.
    Passing,
    /// It is a piece of the packet of this name, which came in elsewhere.
    Piece(PacketId),
}

/// Where a packet from the link belongs.
#[derive(Debug)]
#[expect(clippy::large_enum_variant, reason = "the large one is the common one")]
pub enum Crossing {
    /// To everybody or to a group on this link, or to the link's own protocols: for [`Host::receive`].
    Local(Packet),
    /// To one host. Whose it is, the router knows; if its own, it is for [`Host::receive`].
    Transit(Transit),
}

/// A packet to one host, whose network header is in order.
#[derive(Debug)]
pub struct Transit {
    /// The packet.
    pub packet: Packet,
    /// What its headers say.
    pub dissection: Dissection,
    /// Who sent it: one host.
    pub src: IpAddr,
    /// Whom it is for.
    pub dst: IpAddr,
    /// The hops that are left.
    pub hops: u8,
    /// Octets of the network packet, without what a link may have padded it with.
    pub length: usize,
}

/// What became of a packet that was to be passed on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Passed {
    /// It will be transmitted.
    Queued,
    /// It waits until its neighbour's address is known.
    Waits,
}

impl Host {
    /// A host that is one port of a router. `others` are the addresses of its other ports: packets to them are for this
    /// host, too, wherever they come in (RFC 1122 §3.3.4.2, the weak model).
    pub fn port_of_router(config: Config, others: Vec<IpAddr>, now: Instant) -> Host {
        let mut host = Host::new(config, now);
        host.addresses.forward(others);
        host
    }

    /// Whether it keeps to itself what it could not use; [`Host::tell_sender`] speaks all the same.
    pub fn set_silent(&mut self, silent: bool) {
        self.is_silent = silent;
    }

    /// Whether packets that were passed on wait for a neighbour's address.
    pub fn is_waited_for(&self) -> bool {
        self.neighbours.is_waited_for()
    }

    /// Judges a packet from the link by its network header alone (RFC 1812 §5.2.2) and says where it belongs; `None` when
    /// it is not used.
    pub fn cross(&mut self, now: Instant, packet: Packet) -> Option<Crossing> {
        self.tell_time(now);
        let id = packet.id;
        match self.judge_crossing(packet) {
            Ok(crossing) => Some(crossing),
            Err(reason) => {
                self.dropped(id, reason);
                None
            }
        }
    }

    fn judge_crossing(&self, packet: Packet) -> Result<Crossing, DropReason> {
        if packet.medium() != self.medium {
            return Err(DropReason::Malformed);
        }
        let mut dissection = packet.dissect();
        if let Some(ethernet) = &dissection.ethernet {
            self.check_link(ethernet)?;
        }
        let (src, dst, hops, length) = match &dissection.network {
            Some(Network::Ipv4(header)) => judge_ipv4(header, &packet)?,
            Some(Network::Ipv6(header)) => judge_ipv6(header, &packet)?,
            Some(Network::Arp(_)) => return Ok(Crossing::Local(packet)),
            None => return Err(DropReason::Malformed),
        };
        if dst.is_multicast() || self.is_broadcast(dst) {
            return Ok(Crossing::Local(packet));
        }
        // RFC 1812 §5.3.4: what everybody on the link got is not passed on, or every router would.
        if is_link_group(&packet) {
            return Err(DropReason::NotToBeForwarded);
        }
        let nameless = src.is_ipv6() && src.is_unspecified();
        if self.addresses.is_impossible_source(src) && !(nameless && self.is_own(dst)) {
            return Err(DropReason::InvalidSource);
        }
        let is_local = stays_on_link(src) || stays_on_link(dst) || !self.is_one_host(dst);
        if dst.is_loopback() || (is_local && !self.is_own(dst)) {
            return Err(DropReason::NotToBeForwarded);
        }
        // What the link has padded it with stays behind: the next one may be narrower.
        let end = link_header_length(self.medium) + length;
        let start = packet.headers().len().min(end);
        let packet = trimmed(packet, &(start..end));
        dissection.frame_len = packet.len();
        Ok(Crossing::Transit(Transit { packet, dissection, src, dst, hops, length }))
    }

    /// Puts a packet that came in elsewhere on this link, for `next_hop`. The network header is the caller's business.
    pub fn pass_on(&mut self, now: Instant, mut packet: Packet, next_hop: IpAddr, errand: Errand) -> Passed {
        self.tell_time(now);
        if self.medium == Medium::Ip {
            self.put(packet, self.mac, errand);
            return Passed::Queued;
        }
        if let Some(source) = packet.headers_mut().get_mut(6..12) {
            source.copy_from_slice(&self.mac);
        }
        let mut dropped = Vec::new();
        let lookup = self.neighbours.look_up(self.now, next_hop, &mut dropped);
        let passed = match lookup {
            Lookup::Known(mac) => {
                self.put(packet, mac, errand);
                Passed::Queued
            }
            Lookup::BeingAsked | Lookup::AskNow => {
                self.neighbours.wait(next_hop, (packet, errand), &mut dropped);
                Passed::Waits
            }
        };
        dropped.into_iter().for_each(|packet| self.dropped(packet.id, DropReason::QueueFull));
        if lookup == Lookup::AskNow {
            self.ask(next_hop, None, None);
        }
        passed
    }

    /// The next packet to put on the link: this host's own, or one that was passed on. As [`Host::transmit`].
    pub fn transmit_any(&mut self, now: Instant) -> Option<(Packet, Errand)> {
        self.tell_time(now);
        self.outbound.pop()
    }

    /// A packet of this host to somebody who is not on its link.
    pub fn unrouted(&mut self) -> Option<(Packet, Why)> {
        self.unrouted.pop()
    }

    /// A packet that was passed on and whose neighbour did not answer. The journal has it as dropped.
    pub fn returned(&mut self) -> Option<Packet> {
        self.returned.pop_front()
    }

    /// Tells the sender of a packet what became of it, by an ICMP error: rate-limited, and never about errors, later
    /// fragments, or what was sent to many (RFC 1812 §4.3.2.7, RFC 4443 §2.4).
    pub fn tell_sender(&mut self, now: Instant, packet: &Packet, error: DeliveryError) {
        self.tell_time(now);
        let dissection = packet.dissect();
        let (network, src, dst) = match &dissection.network {
            Some(Network::Ipv4(header)) if header.fragment_offset == 0 => {
                (header.offset, header.src.into(), header.dst.into())
            }
            Some(Network::Ipv6(header)) => (header.offset, header.src.into(), header.dst.into()),
            Some(Network::Ipv4(_) | Network::Arp(_)) | None => return,
        };
        self.complain_of((src, dst), &quotation(packet, network), is_link_group(packet), error);
    }

    /// Sends octets behind a network header in the name of any address: what a filter answers for whom it protects.
    pub fn speak_for(&mut self, now: Instant, outgoing: super::Outgoing) {
        self.tell_time(now);
        let transport = outgoing.header.len() + outgoing.payload.iter().map(bytes::Bytes::len).sum::<usize>();
        let mut packet = self.build(&outgoing, transport);
        crate::packet::checksum::complete(&mut packet);
        if let Err((packet, _)) = self.unrouted.push((packet, outgoing.why)) {
            self.dropped(packet.id, DropReason::QueueFull);
        }
    }
}

type Judged = (IpAddr, IpAddr, u8, usize);

fn judge_ipv4(header: &Ipv4, packet: &Packet) -> Result<Judged, DropReason> {
    let range = header.offset..header.offset + header.header_len;
    let octets = packet.headers().get(range).ok_or(DropReason::Malformed)?;
    if Sum::new().add_bytes(octets).fold() != 0xffff {
        return Err(DropReason::BadHeaderChecksum);
    }
    let on_wire = packet.len().saturating_sub(header.offset);
    if packet.gso_size().is_some() || !(header.header_len..=on_wire).contains(&header.total_len) {
        return Err(DropReason::Malformed);
    }
    Ok((header.src.into(), header.dst.into(), header.ttl, header.total_len))
}

fn judge_ipv6(header: &Ipv6, packet: &Packet) -> Result<Judged, DropReason> {
    let length = IPV6_HEADER + header.payload_len;
    if packet.gso_size().is_some() || header.offset + length > packet.len() {
        return Err(DropReason::Malformed);
    }
    if packet.headers().len() < header.offset + IPV6_HEADER {
        return Err(DropReason::Malformed);
    }
    Ok((header.src.into(), header.dst.into(), header.hop_limit, length))
}

/// Whether an address means something on its own link only (RFC 3927 §2.6.2, RFC 4291 §2.5.6).
fn stays_on_link(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => address.is_link_local(),
        IpAddr::V6(address) => address.is_unicast_link_local(),
    }
}
