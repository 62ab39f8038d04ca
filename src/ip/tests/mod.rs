//! A host and what is put before it: packets written down by hand, in virtual time.

mod fragments;
mod hostile;
mod incoming;
mod messages;
mod neighbourhood;
mod outgoing;

use std::net::IpAddr;
use std::num::NonZeroU16;

use bytes::Bytes;
use smallvec::SmallVec;

use super::{Arrival, Config, Host, Outgoing};
use crate::journal::{DropReason, Event, Reason, Why};
use crate::packet::checksum::{self, Sum};
use crate::packet::dissect::{Icmp, Network, Transport, link_header_length};
use crate::packet::{Dissection, Medium, Packet, PacketId, segment};
use crate::time::Instant;

const OWN_MAC: [u8; 6] = [2, 0, 0, 0, 0, 1];
const PEER_MAC: [u8; 6] = [2, 0, 0, 0, 0, 2];
const MEDIA: [Medium; 2] = [Medium::Ip, Medium::Ethernet];

fn ip(text: &str) -> IpAddr {
    text.parse().expect("an address")
}

/// Our address, 1, or another host's on the link.
fn host(number: u8, v6: bool) -> IpAddr {
    if v6 { [0xfd00, 0, 0, 0, 0, 0, 0, u16::from(number)].into() } else { [10, 0, 0, number].into() }
}

fn at(millis: u64) -> Instant {
    Instant::from_nanos(millis * 1_000_000)
}

fn config(medium: Medium) -> Config {
    Config {
        medium,
        mac: OWN_MAC,
        addresses: vec![(host(1, false), 24), (host(1, true), 64)],
        gateways: vec![host(254, false), host(254, true)],
        mtu: 1500,
        seed: 1,
    }
}

/// A host, and the time.
struct Subject {
    host: Host,
    medium: Medium,
    now: Instant,
    packets: u64,
}

impl Subject {
    fn new(medium: Medium) -> Subject {
        Subject { host: Host::new(config(medium), Instant::ZERO), medium, now: Instant::ZERO, packets: 0 }
    }

    /// A host that knows where its peer, host 2, is.
    fn acquainted(medium: Medium) -> Subject {
        let mut subject = Subject::new(medium);
        if medium == Medium::Ethernet {
            for v6 in [false, true] {
                let news = super::News { mac: Some(PEER_MAC), solicited: true, overrides: true, may_be_new: true };
                for number in [2, 254] {
                    subject.host.hear(host(number, v6), news);
                }
            }
        }
        subject
    }

    /// An IP packet as a frame of the medium, to our MAC address or to that of the group.
    fn frame(&self, packet: &[u8]) -> Vec<u8> {
        if self.medium == Medium::Ip {
            return packet.to_vec();
        }
        let v6 = packet.first().is_some_and(|first| first >> 4 == 6);
        let kind: [u8; 2] = if v6 { [0x86, 0xdd] } else { [8, 0] };
        let dissection = Dissection::of(Medium::Ip, packet, packet.len());
        let to = match dissection.addresses() {
            Some((_, dst)) if dst.is_multicast() => super::addresses::group_mac(dst),
            Some((_, dst)) if self.host.is_broadcast(dst) => [0xff; 6],
            Some(_) | None => OWN_MAC,
        };
        [&to[..], &PEER_MAC, &kind, packet].concat()
    }

    /// An IP packet arrives.
    fn takes(&mut self, packet: &[u8]) -> Option<Arrival> {
        let frame = self.frame(packet);
        self.takes_frame(frame)
    }

    fn takes_frame(&mut self, frame: Vec<u8>) -> Option<Arrival> {
        let mut packet = Packet::from_wire(self.medium, frame.into());
        self.packets += 1;
        packet.id = PacketId(self.packets);
        self.host.receive(self.now, packet)
    }

    /// Why packets were dropped since the last look.
    fn drops(&mut self) -> Vec<DropReason> {
        let mut journal = Vec::new();
        self.host.drain_journal(&mut journal);
        let reason = |event: &Event| match event {
            Event::PacketDropped { reason, .. } => Some(*reason),
            _ => None,
        };
        journal.iter().filter_map(reason).collect()
    }

    /// Everything that waits to be transmitted, as it would be on the wire; each packet's checksums are right and its
    /// length is no more than the MTU.
    fn sent(&mut self) -> Vec<Sent> {
        let mut sent = Vec::new();
        while let Some((packet, why)) = self.host.transmit(self.now) {
            let mut pieces = Vec::new();
            segment::cut(packet, &mut pieces);
            for piece in pieces {
                let bytes = piece.to_bytes();
                assert!(checksum::verify(self.medium, &bytes).is_good(), "{:?}", piece.dissect());
                assert!(piece.network_len() <= self.host.mtu());
                let dissection = Dissection::of(self.medium, &bytes, bytes.len());
                sent.push(Sent { medium: self.medium, bytes, dissection, why });
            }
        }
        sent
    }

    /// The one packet that waits to be transmitted.
    fn sent_one(&mut self) -> Sent {
        let mut sent = self.sent();
        assert_eq!(sent.len(), 1, "{sent:?}");
        sent.remove(0)
    }

    fn pass(&mut self, until: Instant) {
        while let Some((at, _)) = self.host.deadline().filter(|(at, _)| *at <= until) {
            self.now = self.now.max(at);
            self.host.expire(self.now);
        }
        self.now = until;
    }
}

/// A packet on the wire.
#[derive(Debug)]
struct Sent {
    medium: Medium,
    bytes: Bytes,
    dissection: Dissection,
    why: Why,
}

impl Sent {
    fn ends(&self) -> (IpAddr, IpAddr) {
        self.dissection.addresses().expect("it has addresses")
    }

    fn icmp(&self) -> Icmp {
        match &self.dissection.transport {
            Some(Transport::Icmpv4(icmp) | Transport::Icmpv6(icmp)) => *icmp,
            other => panic!("not ICMP: {other:?}"),
        }
    }

    /// Type, code and second word of an ICMP message.
    fn says(&self) -> (u8, u8, u32) {
        let icmp = self.icmp();
        (icmp.kind, icmp.code, u32::from_be_bytes(icmp.rest))
    }

    fn payload(&self) -> &[u8] {
        &self.bytes[self.dissection.payload.clone()]
    }

    /// From the network header on.
    fn network(&self) -> &[u8] {
        &self.bytes[link_header_length(self.medium)..]
    }

    fn ipv4(&self) -> super::super::packet::dissect::Ipv4 {
        match &self.dissection.network {
            Some(Network::Ipv4(header)) => *header,
            other => panic!("not IPv4: {other:?}"),
        }
    }
}

/// A datagram from `src` to `dst`, port 5000 to 53.
fn datagram_between(src: IpAddr, dst: IpAddr, data: &[u8]) -> Vec<u8> {
    let mut packet = Vec::new();
    let written = match (src, dst) {
        (IpAddr::V4(src), IpAddr::V4(dst)) => {
            etherparse::PacketBuilder::ipv4(src.octets(), dst.octets(), 64).udp(5000, 53).write(&mut packet, data)
        }
        (IpAddr::V6(src), IpAddr::V6(dst)) => {
            etherparse::PacketBuilder::ipv6(src.octets(), dst.octets(), 64).udp(5000, 53).write(&mut packet, data)
        }
        _ => panic!("families do not mix"),
    };
    written.expect("a vector takes every packet");
    packet
}

/// A datagram of the peer to us.
fn datagram(v6: bool, data: &[u8]) -> Vec<u8> {
    datagram_between(host(2, v6), host(1, v6), data)
}

/// An ICMP or ICMPv6 message.
fn message(src: IpAddr, dst: IpAddr, hops: u8, octets: &[u8]) -> Vec<u8> {
    let mut octets = octets.to_vec();
    octets[2..4].fill(0);
    let protocol = if src.is_ipv6() { 58 } else { 1 };
    let sum = match protocol {
        58 => Sum::new().add_pseudo_header(src, dst, 58, octets.len() as u32),
        _ => Sum::new(),
    };
    let sum = sum.add_bytes(&octets).complement();
    octets[2..4].copy_from_slice(&sum.to_be_bytes());
    raw(src, dst, protocol, hops, &octets)
}

/// An IP packet of any protocol.
fn raw(src: IpAddr, dst: IpAddr, protocol: u8, hops: u8, octets: &[u8]) -> Vec<u8> {
    match (src, dst) {
        (IpAddr::V4(src), IpAddr::V4(dst)) => {
            let mut packet = vec![0x45, 0];
            packet.extend_from_slice(&(20 + octets.len() as u16).to_be_bytes());
            packet.extend_from_slice(&[0, 7, 0, 0, hops, protocol, 0, 0]);
            packet.extend_from_slice(&src.octets());
            packet.extend_from_slice(&dst.octets());
            super::fragment::write_header_checksum(&mut packet);
            [&packet, octets].concat()
        }
        (IpAddr::V6(src), IpAddr::V6(dst)) => {
            let mut packet = vec![0x60, 0, 0, 0];
            packet.extend_from_slice(&(octets.len() as u16).to_be_bytes());
            packet.extend_from_slice(&[protocol, hops]);
            packet.extend_from_slice(&src.octets());
            packet.extend_from_slice(&dst.octets());
            [&packet, octets].concat()
        }
        _ => panic!("families do not mix"),
    }
}

/// A datagram that we send, port 53 to 5000.
fn outgoing(dst: IpAddr, payload: &[u8]) -> Outgoing {
    let length = (8 + payload.len()) as u16;
    let mut header = SmallVec::from_slice(&[0, 53, 0x13, 0x88]);
    header.extend_from_slice(&length.to_be_bytes());
    header.extend_from_slice(&[0, 0]);
    Outgoing {
        src: host(1, dst.is_ipv6()),
        dst,
        protocol: 17,
        hops: 64,
        traffic_class: 0,
        dont_fragment: false,
        header,
        checksum_offset: Some(6),
        payload: SmallVec::from_iter([Bytes::copy_from_slice(payload)]),
        gso_size: None,
        why: Why::of(Reason::Datagram),
    }
}

/// A segment of TCP that we send, sequence number 1000, or a super-segment of pieces of `gso_size` octets.
fn segment(dst: IpAddr, payload: &[u8], gso_size: Option<u16>) -> Outgoing {
    let header = [0, 80, 0x13, 0x88, 0, 0, 3, 0xe8, 0, 0, 0, 1, 0x50, 0x10, 0xff, 0xff, 0, 0, 0, 0];
    Outgoing {
        protocol: 6,
        dont_fragment: true,
        header: SmallVec::from_slice(&header),
        checksum_offset: Some(16),
        gso_size: gso_size.and_then(NonZeroU16::new),
        why: Why::of(Reason::NewData),
        ..outgoing(dst, payload)
    }
}

/// The transport's data of a packet that arrived.
fn data(arrival: Option<Arrival>) -> Option<Vec<u8>> {
    match arrival? {
        Arrival::Transport(delivered) => {
            let whole = delivered.packet.to_bytes();
            assert_eq!(delivered.dissection.payload.end, whole.len(), "nothing is behind the payload");
            Some(whole[delivered.dissection.payload.clone()].to_vec())
        }
        other => panic!("not for a transport: {other:?}"),
    }
}

/// So many octets that differ from their neighbours.
fn pattern(octets: usize) -> Vec<u8> {
    (0..octets).map(|index| (index % 251) as u8).collect()
}
