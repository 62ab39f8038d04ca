//! Routers, packet by packet.

mod forwarding;
mod hostile;
mod policing;
mod translating;

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use etherparse::PacketBuilder;

use super::super::{Forwarder, PortConfig, Route, RouterConfig};
use super::*;
use crate::packet::dissect::Transport;
use crate::packet::{Dissection, Medium, TcpFlags};

/// A router between 10.0.0.0/24, fd00:0::/64 (port 0), 10.0.1.0/24, fd00:1::/64 (port 1) and the rest (behind 10.0.1.254).
struct Subject {
    router: Router,
    now: Instant,
    last: u64,
}

/// A packet that went out.
struct Out {
    port: u16,
    packet: Packet,
    cause: Cause,
}

fn ip(text: &str) -> IpAddr {
    text.parse().expect("an address")
}

fn config(medium: Medium) -> RouterConfig {
    let port = |number: u8| PortConfig {
        name: format!("port-{number}"),
        mac: [2, 0, 0, 0, 1, number],
        addresses: vec![(ip(&format!("10.0.{number}.1")), 24), (ip(&format!("fd00:{number}::1")), 64)],
        mtu: 1500,
    };
    let mut config = RouterConfig::new(medium, vec![port(0), port(1)]);
    let everybody = |network: &str, via: &str| Route { prefix: (ip(network), 0), port: PortId(1), via: Some(ip(via)) };
    config.routes = vec![everybody("0.0.0.0", "10.0.1.254")];
    config
}

impl Subject {
    fn new(change: impl FnOnce(&mut RouterConfig)) -> Subject {
        let mut config = config(Medium::Ip);
        change(&mut config);
        Subject { router: Router::new(config, Instant::ZERO), now: Instant::ZERO, last: 0 }
    }

    /// Lets a packet come in; returns what goes out. What came in with good checksums goes out with good ones.
    fn offer(&mut self, port: u16, frame: Vec<u8>) -> Vec<Out> {
        let medium =
            if frame.first().is_some_and(|first| matches!(first >> 4, 4 | 6)) { Medium::Ip } else { Medium::Ethernet };
        self.last += 1;
        let was_good = checksum::verify(medium, &frame).is_good();
        let mut packet = Packet::from_wire(medium, frame.into());
        packet.id = PacketId(self.last);
        self.router.receive(self.now, PortId(port), packet);
        let out = self.drain();
        for out in out.iter().filter(|_| was_good) {
            assert!(checksum::verify(medium, &out.packet.to_bytes()).is_good(), "{:?}", out.packet);
        }
        out
    }

    fn drain(&mut self) -> Vec<Out> {
        let sent = std::iter::from_fn(|| self.router.transmit(self.now));
        sent.map(|Sending { port, packet, cause }| Out { port: port.0, packet, cause }).collect()
    }

    /// Lets exactly one packet go on; returns its port and its bytes.
    fn passes(&mut self, port: u16, frame: Vec<u8>) -> (u16, Vec<u8>) {
        let out = self.offer(port, frame);
        assert_eq!(out.len(), 1, "{:?}", self.told());
        assert_eq!((out[0].cause, out[0].packet.id), (Cause::Forwarded, PacketId(self.last)));
        (out[0].port, out[0].packet.to_bytes().to_vec())
    }

    fn told(&mut self) -> Vec<Event> {
        let mut events = Vec::new();
        self.router.drain_journal(&mut events);
        events
    }

    /// Why packets were dropped since somebody asked.
    fn drops(&mut self) -> Vec<DropReason> {
        let reason = |event| match event {
            Event::PacketDropped { reason, .. } => Some(reason),
            _ => None,
        };
        self.told().into_iter().filter_map(reason).collect()
    }

    /// Offers a packet that must not go on; returns why, and the answer's ICMP type, code and second word if there is one.
    fn refuses(&mut self, port: u16, frame: Vec<u8>) -> (DropReason, Option<(u8, u8, u32)>) {
        let sent = frame.clone();
        let out = self.offer(port, frame);
        let answer = out.first().map(|out| {
            assert_eq!(out.port, port, "the answer goes back");
            assert!(matches!(out.cause, Cause::Own(_)) && out.packet.id == PacketId(0));
            let bytes = out.packet.to_bytes();
            let dissection = out.packet.dissect();
            let (src, dst) = dissection.addresses().expect("it has addresses");
            let (Some(from), _) = sender(&sent) else { panic!("it had a sender") };
            assert_eq!((dst, src.is_ipv4()), (from, dst.is_ipv4()));
            let (Some(Transport::Icmpv4(icmp)) | Some(Transport::Icmpv6(icmp))) = dissection.transport else {
                panic!("an ICMP error: {dissection:?}")
            };
            // What is quoted is what was sent, hops and all.
            let quoted = &bytes[icmp.offset + 8..];
            assert!(quoted.len() >= 28 && sent.starts_with(quoted));
            (icmp.kind, icmp.code, u32::from_be_bytes(icmp.rest))
        });
        assert!(out.len() <= 1);
        let drops = self.drops();
        assert_eq!(drops.len(), 1, "{drops:?}");
        (drops[0], answer)
    }
}

fn sender(frame: &[u8]) -> (Option<IpAddr>, Option<IpAddr>) {
    Dissection::of(Medium::Ip, frame, frame.len()).addresses().unzip()
}

fn octets(address: &str) -> [u8; 4] {
    match ip(address) {
        IpAddr::V4(address) => address.octets(),
        IpAddr::V6(_) => panic!("IPv4 is meant"),
    }
}

fn octets_v6(address: &str) -> [u8; 16] {
    match ip(address) {
        IpAddr::V6(address) => address.octets(),
        IpAddr::V4(_) => panic!("IPv6 is meant"),
    }
}

/// A UDP datagram; Don't Fragment is set, as etherparse has it.
fn udp(src: &str, dst: &str, hops: u8, data: usize) -> Vec<u8> {
    let ((src_ip, src_port), (dst_ip, dst_port)) = (split(src), split(dst));
    let mut frame = Vec::new();
    let builder = match src_ip.parse() {
        Ok(IpAddr::V6(_)) => PacketBuilder::ipv6(octets_v6(src_ip), octets_v6(dst_ip), hops),
        Ok(IpAddr::V4(_)) | Err(_) => PacketBuilder::ipv4(octets(src_ip), octets(dst_ip), hops),
    };
    let data: Vec<u8> = (0..data).map(|octet| octet as u8).collect();
    builder.udp(src_port, dst_port).write(&mut frame, &data).expect("a vector takes a packet");
    frame
}

/// `10.0.0.2:4000` or `fd00::2:4000`.
fn split(end: &str) -> (&str, u16) {
    let (ip, port) = end.rsplit_once(':').expect("an address and a port");
    (ip, port.parse().expect("a port"))
}

fn tcp(src: &str, dst: &str, flags: TcpFlags, mss: Option<u16>) -> Vec<u8> {
    let ((src_ip, src_port), (dst_ip, dst_port)) = (split(src), split(dst));
    let mut builder = PacketBuilder::ipv4(octets(src_ip), octets(dst_ip), 64).tcp(src_port, dst_port, 1000, 500);
    if flags.syn() {
        builder = builder.syn();
    }
    if flags.ack() {
        builder = builder.ack(77);
    }
    if flags.fin() {
        builder = builder.fin();
    }
    if flags.rst() {
        builder = builder.rst();
    }
    if let Some(mss) = mss {
        let options = [etherparse::TcpOptionElement::Noop, etherparse::TcpOptionElement::MaximumSegmentSize(mss)];
        builder = builder.options(&options).expect("they fit");
    }
    let mut frame = Vec::new();
    builder.write(&mut frame, &[]).expect("a vector takes a packet");
    frame
}

fn ping(src: &str, dst: &str, identifier: u16, is_reply: bool) -> Vec<u8> {
    let mut frame = Vec::new();
    let builder = PacketBuilder::ipv4(octets(src), octets(dst), 64);
    let builder =
        if is_reply { builder.icmpv4_echo_reply(identifier, 1) } else { builder.icmpv4_echo_request(identifier, 1) };
    builder.write(&mut frame, b"are you there?").expect("a vector takes a packet");
    frame
}

/// An ICMP error about a packet, quoting 28 octets of it as RFC 792 has it, or all.
fn error(src: &str, dst: &str, (kind, code): (u8, u8), about: &[u8]) -> Vec<u8> {
    let mut message = vec![kind, code, 0, 0, 0, 0, 0, 0];
    message.extend_from_slice(about);
    let sum = checksum::Sum::new().add_bytes(&message).complement();
    message[2..4].copy_from_slice(&sum.to_be_bytes());
    let mut frame = Vec::new();
    let builder = PacketBuilder::ipv4(octets(src), octets(dst), 64);
    builder.write(&mut frame, etherparse::IpNumber::ICMP, &message).expect("a vector takes a packet");
    frame
}

/// Takes Don't Fragment off.
fn may_be_cut(mut frame: Vec<u8>) -> Vec<u8> {
    frame[6] &= !0x40;
    renew(&mut frame);
    frame
}

/// Makes the IPv4 header's checksum right.
fn renew(frame: &mut [u8]) {
    frame[10..12].fill(0);
    let sum = checksum::Sum::new().add_bytes(&frame[..20]).complement();
    frame[10..12].copy_from_slice(&sum.to_be_bytes());
}

/// Source and destination with their ports, or an echo's identifier.
fn ends(frame: &[u8]) -> (SocketAddr, SocketAddr) {
    let flow = flow::quoted_flow(frame).expect("it has two ends");
    (flow.src, flow.dst)
}

fn at(text: &str) -> SocketAddr {
    text.parse().expect("an address and a port")
}
