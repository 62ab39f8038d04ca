//! A host among its neighbours: what it asks them, what it answers, and what happens when they are silent.

use std::collections::VecDeque;
use std::net::{IpAddr, Ipv6Addr};

use smallvec::SmallVec;

use super::addresses::{Hop, group_mac, solicited_node};
use super::limits::{DISCOVERY_HOPS, REPORTS};
use super::neighbours::arp::{self, BROADCAST};
use super::neighbours::{Due, Mac, News, Waiting, discovery};
use super::quoted::Ends;
use super::receive::Facts;
use super::{Errand, Host, Outgoing};
use crate::journal::{DropReason, Reason, Why};
use crate::packet::dissect::{Arp, link_header_length};
use crate::packet::{DeliveryError, Medium, Packet, PacketId};
use crate::time::Instant;

/// All hosts on the link (RFC 4291 §2.7.1).
const ALL_NODES: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 1);

impl Host {
    /// Tells everybody on the link who we are: an ARP announcement (RFC 5227 §2.3) or an unsolicited advertisement
    /// (RFC 4861 §7.2.6) for each of our addresses. For who has just come, or has moved; on bare IP there is nobody to
    /// tell.
    pub fn announce(&mut self, now: Instant) {
        self.tell_time(now);
        if self.medium == Medium::Ip {
            return;
        }
        let own: SmallVec<[IpAddr; 4]> = self.addresses.iter().collect();
        for address in own {
            match address {
                IpAddr::V4(address) => {
                    let (sender, target) = ((self.mac, address), ([0; 6], address));
                    let message = arp::Message { is_request: true, sender, target };
                    let errand = Errand::Own(Why::of(Reason::AddressReply));
                    self.put(message.to_packet(BROADCAST), BROADCAST, errand);
                }
                IpAddr::V6(address) => self.advertise(address, None),
            }
        }
    }

    /// A higher layer knows that packets reach `destination`: what was sent there was acknowledged (RFC 4861 §7.3.1).
    /// Spares the neighbour on the way there our questions.
    pub fn confirm_reachable(&mut self, now: Instant, destination: IpAddr) {
        self.tell_time(now);
        if self.medium == Medium::Ethernet
            && let Some(Hop::Neighbour(neighbour)) = self.addresses.next_hop(destination, self.now)
        {
            self.neighbours.confirm(self.now, neighbour);
        }
    }

    /// RFC 826, "Packet Reception".
    pub(super) fn arp_arrives(&mut self, arp: &Arp) -> Result<(), DropReason> {
        let message = arp::Message::of(arp).ok_or(DropReason::Malformed)?;
        let (mac, address) = message.sender;
        let target = IpAddr::from(message.target.1);
        if self.addresses.is_given(address.into()) {
            // Somebody else claims our address; there is nothing to learn from that.
            return Err(DropReason::InvalidSource);
        }
        let for_us = self.addresses.is_given(target);
        // RFC 5227 §2.1.1: a probe has no sender address.
        if !address.is_unspecified() {
            if !self.addresses.is_on_link(address.into()) || !self.is_one_host(address.into()) {
                return Err(DropReason::InvalidSource);
            }
            let may_be_new = for_us && message.is_request;
            let news = News { mac: Some(mac), solicited: true, overrides: true, may_be_new };
            self.hear(address.into(), news);
        }
        if !for_us {
            // What is learned from others' talk is learned; answers are not ours to give.
            return if message.target.1 == address { Ok(()) } else { Err(DropReason::NotForUs) };
        }
        if message.is_request {
            let sender = (self.mac, message.target.1);
            let reply = arp::Message { is_request: false, sender, target: message.sender };
            self.put(reply.to_packet(mac), mac, Errand::Own(Why::of(Reason::AddressReply)));
        }
        Ok(())
    }

    /// RFC 4861 §7.2.3 to §7.2.5.
    pub(super) fn discovery_arrives(&mut self, facts: &Facts, packet: &Packet) -> Result<(), DropReason> {
        if self.medium == Medium::Ip {
            return Err(DropReason::UnknownProtocol);
        }
        let (IpAddr::V6(src), IpAddr::V6(dst)) = (facts.src, facts.dst) else { return Err(DropReason::Malformed) };
        let whole = packet.to_bytes();
        let octets = whole.get(facts.transport..).ok_or(DropReason::Malformed)?;
        match discovery::Message::read(octets, facts.hops, src, dst).ok_or(DropReason::Malformed)? {
            discovery::Message::Solicitation { target, source_mac } => {
                if !self.addresses.is_given(target.into()) {
                    return Err(DropReason::NotForUs);
                }
                if src.is_unspecified() {
                    self.advertise(target, None);
                    return Ok(());
                }
                let news = News { mac: source_mac, solicited: false, overrides: true, may_be_new: true };
                self.hear(src.into(), news);
                self.advertise(target, Some(src));
            }
            discovery::Message::Advertisement { target, target_mac, solicited, overrides } => {
                if self.addresses.is_given(target.into()) {
                    return Err(DropReason::InvalidSource);
                }
                let news = News { mac: target_mac, solicited, overrides, may_be_new: false };
                self.hear(target.into(), news);
            }
        }
        Ok(())
    }

    pub(super) fn hear(&mut self, address: IpAddr, news: News) {
        let mut dropped = Vec::new();
        let answered = self.neighbours.hear(self.now, address, news, &mut dropped);
        dropped.into_iter().for_each(|packet| self.dropped(packet.id, DropReason::QueueFull));
        if let Some((mac, queue)) = answered {
            queue.into_iter().for_each(|(packet, errand)| self.put(packet, mac, errand));
        }
    }

    /// Asks a neighbour for its MAC address: everybody, or only the one at `mac`. `source` is the address that wants to
    /// speak to it (RFC 4861 §7.2.2).
    pub(super) fn ask(&mut self, neighbour: IpAddr, mac: Option<Mac>, source: Option<IpAddr>) {
        let Some(source) = source.or_else(|| self.source_for(neighbour)) else { return };
        match (neighbour, source) {
            (IpAddr::V4(neighbour), IpAddr::V4(source)) => {
                let (sender, target) = ((self.mac, source), (mac.unwrap_or([0; 6]), neighbour));
                let message = arp::Message { is_request: true, sender, target };
                let mac = mac.unwrap_or(BROADCAST);
                self.put(message.to_packet(mac), mac, Errand::Own(Why::over(Reason::AddressRequest, false)));
            }
            (IpAddr::V6(neighbour), IpAddr::V6(source)) => {
                let message = discovery::Message::Solicitation { target: neighbour, source_mac: Some(self.mac) };
                let to = if mac.is_some() { neighbour } else { solicited_node(neighbour) };
                let mac = mac.unwrap_or_else(|| group_mac(to.into()));
                self.put_discovery(message, source, to, mac);
            }
            (IpAddr::V4(_), IpAddr::V6(_)) | (IpAddr::V6(_), IpAddr::V4(_)) => {}
        }
    }

    /// Says that `target` is ours: to who has asked, or to everybody.
    fn advertise(&mut self, target: Ipv6Addr, asked_by: Option<Ipv6Addr>) {
        let solicited = asked_by.is_some();
        let message =
            discovery::Message::Advertisement { target, target_mac: Some(self.mac), solicited, overrides: true };
        match asked_by {
            // The neighbour may have to be asked itself, so this goes the way of all packets.
            Some(neighbour) => {
                let _ = self.send(self.now, discovery_packet(message, target, neighbour));
            }
            None => self.put_discovery(message, target, ALL_NODES, group_mac(ALL_NODES.into())),
        }
    }

    /// Puts a message onto the link without asking anybody where `to` is.
    fn put_discovery(&mut self, message: discovery::Message, from: Ipv6Addr, to: Ipv6Addr, mac: Mac) {
        let outgoing = discovery_packet(message, from, to);
        let why = outgoing.why;
        let packet = self.build(&outgoing, outgoing.header.len());
        self.put(packet, mac, Errand::Own(why));
    }

    /// Asks again, and gives up those who were silent.
    pub(super) fn expire_neighbours(&mut self) {
        for due in self.neighbours.expire(self.now) {
            match due {
                Due::Ask(neighbour, mac) => self.ask(neighbour, mac, None),
                Due::Silent(neighbour, queue) => {
                    self.addresses.was_silent(neighbour, self.now);
                    self.report_silence(queue);
                }
            }
        }
    }

    /// Tells the transports of each packet that waited in vain (RFC 1122 §2.4, RFC 4861 §7.2.2).
    fn report_silence(&mut self, queue: VecDeque<Waiting>) {
        for (packet, errand) in queue {
            self.dropped(packet.id, DropReason::NeighbourSilent);
            if matches!(errand, Errand::Passing | Errand::Piece(_)) {
                self.returned.push_back(packet);
                continue;
            }
            let whole = packet.to_bytes();
            let network = whole.get(link_header_length(self.medium)..).unwrap_or_default();
            let report = Ends::of(network)
                .and_then(|ends| ends.report(DeliveryError::HostUnreachable, ends.src, PacketId::default()));
            if self.reports.len() < REPORTS {
                self.reports.extend(report);
            }
        }
    }
}

fn discovery_packet(message: discovery::Message, from: Ipv6Addr, to: Ipv6Addr) -> Outgoing {
    let reason = match message {
        discovery::Message::Solicitation { .. } => Reason::AddressRequest,
        discovery::Message::Advertisement { .. } => Reason::AddressReply,
    };
    Outgoing {
        src: from.into(),
        dst: to.into(),
        protocol: 58,
        hops: DISCOVERY_HOPS,
        traffic_class: 0,
        dont_fragment: true,
        header: message.write(),
        checksum_offset: Some(2),
        payload: SmallVec::new(),
        gso_size: None,
        why: Why::over(reason, true),
    }
}
