//! What no wire should carry: random and mutated packets, checksums repaired so that they get past the first look.
//!
//! A second stack talks to the one under test over a connection that lives; what it sends is the material of the
//! mutations, so that their addresses, ports and sequence numbers are the right ones and they reach what is open.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use super::super::{Entry, SmoltcpStack, has_been_open, tcp_ends};
use crate::journal::{Event, Reason, SocketId, TcpState};
use crate::packet::checksum::{self, Sum};
use crate::packet::dissect::{Network, Transport, link_header_length};
use crate::packet::{Dissection, Medium, Packet, PacketId};
use crate::rng::Rng;
use crate::stack::{Interface, Stack, StackConfig, TcpConfig};
use crate::time::Instant;

const MACS: [[u8; 6]; 2] = [[2, 0, 0, 0, 0, 1], [2, 0, 0, 0, 0, 2]];
const PORT: u16 = 80;
const UDP_PORT: u16 = 53;
const BACKLOG: usize = 8;
/// Packets in a conversation between two injections; more would be a storm that feeds itself.
const STORM: usize = 4_000;

fn address(host: u8, v6: bool) -> IpAddr {
    if v6 { [0xfd00, 0, 0, 0, 0, 0, 0, u16::from(host)].into() } else { [10, 0, 0, host].into() }
}

fn stack(host: u8, medium: Medium) -> SmoltcpStack {
    let interface = Interface {
        medium,
        mac: MACS[usize::from(host) - 1],
        addresses: vec![(address(host, false), 24), (address(host, true), 64)],
        gateways: Vec::new(),
        mtu: 1500,
    };
    SmoltcpStack::new(&StackConfig { interface, seed: u64::from(host), tcp: TcpConfig::default() }, Instant::ZERO)
}

/// How deep the injected packets got.
#[derive(Debug, Default)]
struct Depth {
    injected: u64,
    refused: BTreeMap<String, u64>,
    address_resolution: u64,
    other_protocol: u64,
    icmp: u64,
    udp: u64,
    fragment: u64,
    tcp_without_connection: u64,
    tcp_in_handshake: u64,
    tcp_open_connection: u64,
    state_changes: u64,
    connections: u64,
}

/// The stack under test, a peer that talks to it, and the wire between them.
struct Wire {
    medium: Medium,
    now: Instant,
    rng: Rng,
    subject: SmoltcpStack,
    peer: SmoltcpStack,
    listener: SocketId,
    serving: Vec<SocketId>,
    datagrams: SocketId,
    client: Option<SocketId>,
    sender: SocketId,
    echoed: u64,
    /// What the peer has sent lately.
    material: Vec<Vec<u8>>,
    depth: Depth,
}

impl Wire {
    fn new(medium: Medium, seed: u64) -> Wire {
        let (mut subject, mut peer) = (stack(1, medium), stack(2, medium));
        let any = |port| SocketAddr::new([0, 0, 0, 0].into(), port);
        let listener = subject.listen(any(PORT), BACKLOG, &TcpConfig::default()).expect("the port is free");
        let datagrams = subject.udp_bind(any(UDP_PORT)).expect("the port is free");
        let sender = peer.udp_bind(any(0)).expect("a port is free");
        Wire {
            medium,
            now: Instant::ZERO,
            rng: Rng::new(seed),
            subject,
            peer,
            listener,
            serving: Vec::new(),
            datagrams,
            client: None,
            sender,
            echoed: 0,
            material: Vec::new(),
            depth: Depth::default(),
        }
    }

    fn below(&mut self, bound: usize) -> usize {
        self.rng.below(bound as u64) as usize
    }

    fn pass(&mut self, time: Duration) {
        let until = self.now + time;
        loop {
            self.talk();
            let due = [self.subject.deadline(), self.peer.deadline()].into_iter().flatten().map(|(at, _)| at).min();
            match due {
                Some(at) if at <= until => {
                    self.now = at.max(self.now + Duration::from_micros(1));
                    self.subject.expire(self.now);
                    self.peer.expire(self.now);
                }
                Some(_) | None => break,
            }
        }
        self.now = until;
    }

    /// Both stacks and both programs, until nobody has anything more to say at this moment.
    fn talk(&mut self) {
        for spoken in 0.. {
            assert!(spoken < STORM, "the two stacks do not stop talking: {:?}", self.material.last());
            self.serve();
            let to_peer = self.subject.transmit(self.now).map(|(packet, _)| packet);
            let to_subject = self.peer.transmit(self.now).map(|(packet, _)| packet);
            if to_peer.is_none() && to_subject.is_none() {
                break;
            }
            if let Some(packet) = to_peer {
                let verdict = checksum::verify(self.medium, &packet.to_bytes());
                assert!(verdict.is_good() && packet.network_len() <= 1500, "{:?}", packet.dissect());
                self.peer.receive(self.now, &mut vec![packet]);
            }
            if let Some(packet) = to_subject {
                self.material.push(packet.to_bytes().to_vec());
                if self.material.len() > 64 {
                    self.material.remove(0);
                }
                self.subject.receive(self.now, &mut vec![packet]);
            }
        }
        self.drain();
    }

    /// The program on the subject: accepts, echoes, closes when the peer does.
    fn serve(&mut self) {
        while let Some((socket, _)) = self.subject.accept(self.now, self.listener) {
            self.serving.push(socket);
        }
        let (subject, now) = (&mut self.subject, self.now);
        let mut buffer = [0; 4096];
        self.serving.retain(|socket| match subject.receive_into(now, *socket, &mut buffer) {
            Ok(None) => true,
            Ok(Some(0)) | Err(_) => {
                subject.close(now, *socket);
                false
            }
            Ok(Some(octets)) => {
                // What finds no room is not echoed: this program only keeps the connection busy.
                let _ = subject.send(now, *socket, &buffer[..octets]);
                true
            }
        });
        while let Ok(Some((octets, from))) = self.subject.udp_receive_from(self.datagrams, &mut buffer) {
            let _ = self.subject.udp_send_to(self.now, self.datagrams, &buffer[..octets.min(512)], from);
        }
    }

    fn drain(&mut self) -> Vec<Event> {
        let mut journal = Vec::new();
        self.subject.drain_journal(&mut journal);
        self.subject.drain_events(&mut Vec::new());
        self.peer.drain_journal(&mut Vec::new());
        self.peer.drain_events(&mut Vec::new());
        let changes = journal.iter().filter(|event| matches!(event, Event::State { .. })).count();
        self.depth.state_changes += changes as u64;
        journal
    }

    /// The program on the peer: keeps one connection open and busy, and sends datagrams.
    fn keep_busy(&mut self) {
        let (now, v6) = (self.now, self.below(2) == 0);
        let data = vec![7; 1 + self.below(3000)];
        let to = |port| SocketAddr::new(address(1, v6), port);
        let state = self.client.and_then(|client| self.peer.snapshot(client)).map(|snapshot| snapshot.state);
        match (self.client, state) {
            (Some(client), Some(TcpState::Established)) => {
                // A full buffer is no failure.
                let _ = self.peer.send(now, client, &data);
                let mut buffer = [0; 4096];
                while let Ok(Some(octets @ 1..)) = self.peer.receive_into(now, client, &mut buffer) {
                    self.echoed += octets as u64;
                }
                if self.below(200) == 0 {
                    self.peer.shutdown(now, client);
                }
            }
            (Some(_), Some(TcpState::SynSent)) if self.below(50) != 0 => {}
            (client, _) => {
                if let Some(client) = client {
                    self.peer.abort(now, client);
                }
                self.client = self.peer.connect(now, None, to(PORT), &TcpConfig::default()).ok();
                self.depth.connections += 1;
            }
        }
        if self.below(4) == 0 {
            let length = if self.below(4) == 0 { 3000 } else { 100 };
            let _ = self.peer.udp_send_to(now, self.sender, &vec![5; length], to(UDP_PORT));
        }
    }

    /// One packet that the peer never sent.
    fn inject(&mut self) {
        let mut frame = self.invent();
        if self.below(20) != 0 {
            repair(self.medium, &mut frame);
        }
        self.depth.injected += 1;
        self.drain();
        let dissection = Dissection::of(self.medium, &frame, frame.len());
        let reached = self.reach(&dissection);
        let mut packet = Packet::from_wire(self.medium, frame.into());
        packet.id = PacketId(self.depth.injected);
        self.subject.receive(self.now, &mut vec![packet]);
        let refused = self.drain().iter().find_map(|event| match event {
            Event::PacketDropped { reason, .. } => Some(*reason),
            _ => None,
        });
        match refused {
            Some(reason) => *self.depth.refused.entry(format!("{reason:?}")).or_default() += 1,
            None => *reached(&mut self.depth) += 1,
        }
    }

    /// How deep a packet gets if it is not refused.
    fn reach(&mut self, dissection: &Dissection) -> fn(&mut Depth) -> &mut u64 {
        let connection = tcp_ends(dissection)
            .and_then(|(src, dst)| self.subject.stream_between(dst, src))
            .map(|(_, stream)| stream.state);
        match (&dissection.network, &dissection.transport) {
            (Some(Network::Arp(_)), _) => |depth| &mut depth.address_resolution,
            (_, Some(Transport::Tcp(_))) => match connection {
                Some(state) if has_been_open(state) => |depth| &mut depth.tcp_open_connection,
                Some(_) => |depth| &mut depth.tcp_in_handshake,
                None => |depth| &mut depth.tcp_without_connection,
            },
            (_, Some(Transport::Udp(_))) => |depth| &mut depth.udp,
            (_, Some(Transport::Icmpv4(_) | Transport::Icmpv6(_))) => |depth| &mut depth.icmp,
            (Some(Network::Ipv4(ip)), None) if ip.more_fragments || ip.fragment_offset > 0 => {
                |depth| &mut depth.fragment
            }
            (Some(Network::Ipv4(_) | Network::Ipv6(_)) | None, None) => |depth| &mut depth.other_protocol,
        }
    }

    fn invent(&mut self) -> Vec<u8> {
        let kind = self.below(20);
        if kind == 0 {
            let mut noise = vec![0; self.rng.below(200) as usize];
            self.rng.fill(&mut noise);
            return noise;
        }
        let mut frame = match kind {
            1..=3 => self.forge(),
            _ if self.material.is_empty() => self.forge(),
            _ => {
                // Mostly the latest: its sequence numbers are in the window.
                let back = if self.below(3) == 0 { self.below(self.material.len()) } else { 0 };
                self.material[self.material.len() - 1 - back].clone()
            }
        };
        for _ in 0..self.below(4) {
            self.mutate(&mut frame);
        }
        frame
    }

    /// A whole packet of a kind that the peer does not send by itself.
    fn forge(&mut self) -> Vec<u8> {
        let mut packet = Vec::new();
        let port = 1024 + self.below(60_000) as u16;
        let ([a, b], [a6, b6]) = ([[10, 0, 0, 1], [10, 0, 0, 2]], [address(1, true), address(2, true)]);
        let octets = |address| match address {
            IpAddr::V4(_) => [0; 16],
            IpAddr::V6(v6) => v6.octets(),
        };
        let v4 = etherparse::PacketBuilder::ipv4(b, a, 64);
        let v6 = etherparse::PacketBuilder::ipv6(octets(b6), octets(a6), 64);
        let quoted = self.material.last().map(|frame| frame.iter().take(60).copied().collect::<Vec<u8>>());
        let quoted = quoted.unwrap_or_default();
        let unreachable =
            |code| etherparse::Icmpv4Type::Unknown { type_u8: 3, code_u8: code, bytes5to8: [0, 0, 2, 88] };
        let written = match self.below(10) {
            0 => v4.tcp(port, PORT, self.rng.next_u32(), 1000).syn().write(&mut packet, &[]),
            1 => v6.tcp(port, PORT, self.rng.next_u32(), 1000).syn().write(&mut packet, &[]),
            2 => v4.tcp(port, PORT, 1, 1000).rst().write(&mut packet, &[]),
            3 => v4.tcp(port, PORT, 1, 1000).fin().ack(7).write(&mut packet, b"bye"),
            4 => v4.icmpv4_echo_request(1, 2).write(&mut packet, &[9; 64]),
            5 => v6.icmpv6_echo_request(1, 2).write(&mut packet, &[9; 64]),
            6 => v4.icmpv4(unreachable(self.rng.below(16) as u8)).write(&mut packet, &quoted),
            7 => v6.icmpv6_raw(self.rng.below(160) as u8, 0, [0; 4]).write(&mut packet, &[0xfd; 40]),
            8 => v4.udp(port, UDP_PORT).write(&mut packet, &[1; 40]),
            _ => v6.udp(port, PORT).write(&mut packet, &[1; 40]),
        };
        written.expect("a vector takes every packet");
        if self.medium == Medium::Ip {
            return packet;
        }
        if self.below(6) == 0 {
            let operation = 1 + self.below(2) as u8;
            packet = [&[0, 1, 8, 0, 6, 4, 0, operation][..], &MACS[1], &b, &MACS[0], &a].concat();
            return [&MACS[0][..], &MACS[1], &[8, 6], &packet].concat();
        }
        let kind: [u8; 2] = if packet[0] >> 4 == 6 { [0x86, 0xdd] } else { [8, 0] };
        [&MACS[0][..], &MACS[1], &kind, &packet].concat()
    }

    fn mutate(&mut self, frame: &mut Vec<u8>) {
        if frame.is_empty() {
            return;
        }
        let ip = link_header_length(self.medium).min(frame.len() - 1);
        let v6 = frame[ip] >> 4 == 6;
        let transport = ip + if v6 { 40 } else { usize::from(frame[ip] & 15) * 4 };
        let at = |from: usize, field: usize| from + field;
        let noise = self.rng.next_u32().to_be_bytes();
        match self.below(16) {
            // Any octet of the headers, any octet at all.
            0 | 1 => overwrite(frame, self.rng.below(80) as usize, &noise[..1]),
            2 => {
                let anywhere = self.below(frame.len());
                overwrite(frame, anywhere, &noise[..1]);
            }
            // TCP: flags, sequence and acknowledgment near the right ones, window, header length, options.
            3 => overwrite(frame, at(transport, 13), &noise[..1]),
            4 => add_to_word(frame, at(transport, 4), self.rng.below(3000) as u32),
            5 => add_to_word(frame, at(transport, 4), (self.rng.below(3000) as u32).wrapping_neg()),
            6 => add_to_word(frame, at(transport, 8), self.rng.below(3000) as u32),
            7 => add_to_word(frame, at(transport, 8), (self.rng.below(3000) as u32).wrapping_neg()),
            8 => overwrite(frame, at(transport, 14), &noise[..self.rng.below(3) as usize]),
            9 => overwrite(frame, at(transport, 12), &noise[..1]),
            10 => {
                let option = self.rng.below(20) as usize;
                overwrite(frame, at(transport, 20 + option), &noise);
            }
            // IP: length, fragment, protocol; ports; a shorter or a longer packet whose length says so.
            11 => overwrite(frame, at(ip, if v6 { 4 } else { 2 }), &noise[..2]),
            12 => overwrite(frame, at(ip, 6), &noise[..2]),
            13 => overwrite(frame, at(ip, if v6 { 6 } else { 9 }), &[[1, 6, 17, 58, 0, 43, 44, 60][self.below(8)]]),
            14 => overwrite(frame, transport, &noise[..2]),
            _ => {
                let length = self.below(frame.len() + 100);
                frame.resize(length, 0xaa);
                let rest = (frame.len().saturating_sub(ip + if v6 { 40 } else { 0 }) as u16).to_be_bytes();
                overwrite(frame, at(ip, if v6 { 4 } else { 2 }), &rest);
            }
        }
    }

    fn is_bounded(&self) {
        let SmoltcpStack { entries, sockets, device, departing, streams, .. } = &self.subject;
        assert!(entries.len() < 2 * BACKLOG + self.serving.len() + 8, "{} sockets", entries.len());
        assert!(sockets.iter().count() <= entries.len() + 1);
        assert!(device.inbound.is_empty() && device.outbound.is_empty() && departing.len() < 1000);
        assert!(streams.len() <= entries.len(), "{} connections can be found", streams.len());
        for entry in entries.values() {
            if let Entry::Stream(stream) = entry {
                assert!(stream.observer.in_flight() <= 200, "{} segments remembered", stream.observer.in_flight());
            }
        }
    }

    /// A new connection is accepted, its data comes back, and an echo request is answered.
    fn still_answers(&mut self, v6: bool) {
        if let Some(client) = self.client.take() {
            self.peer.abort(self.now, client);
        }
        // What was half open is given up, what was learned wrongly about neighbours is forgotten.
        self.pass(Duration::from_secs(200));
        let before = self.echoed;
        let to = SocketAddr::new(address(1, v6), PORT);
        let client = self.peer.connect(self.now, None, to, &TcpConfig::default()).expect("a port is free");
        self.pass(Duration::from_secs(5));
        assert_eq!(self.peer.send(self.now, client, &[3; 5000]), Ok(5000), "{:?}", self.peer.snapshot(client));
        for _ in 0..10 {
            self.pass(Duration::from_secs(1));
            let mut buffer = [0; 4096];
            while let Ok(Some(octets @ 1..)) = self.peer.receive_into(self.now, client, &mut buffer) {
                self.echoed += octets as u64;
            }
        }
        assert_eq!(self.echoed - before, 5000);
        self.peer.close(self.now, client);
        self.pass(Duration::from_secs(30));

        let mut frame = Vec::new();
        let request = etherparse::PacketBuilder::ipv4([10, 0, 0, 2], [10, 0, 0, 1], 64).icmpv4_echo_request(5, 6);
        request.write(&mut frame, b"still there?").expect("a vector takes every packet");
        if self.medium == Medium::Ethernet {
            frame = [&MACS[0][..], &MACS[1], &[8, 0], &frame].concat();
        }
        self.subject.receive(self.now, &mut vec![Packet::from_wire(self.medium, frame.into())]);
        let sent: Vec<_> = std::iter::from_fn(|| self.subject.transmit(self.now)).collect();
        assert!(sent.iter().any(|(_, why)| why.reason == Reason::EchoReply), "{sent:?}");
    }
}

fn overwrite(frame: &mut [u8], at: usize, with: &[u8]) {
    for (octet, value) in frame.iter_mut().skip(at).zip(with) {
        *octet = *value;
    }
}

fn add_to_word(frame: &mut [u8], at: usize, value: u32) {
    if let Some(word) = frame.get_mut(at..at + 4) {
        let old = u32::from_be_bytes([word[0], word[1], word[2], word[3]]);
        word.copy_from_slice(&old.wrapping_add(value).to_be_bytes());
    }
}

/// Makes every checksum right that has a place.
fn repair(medium: Medium, frame: &mut [u8]) {
    let dissection = Dissection::of(medium, frame, frame.len());
    if let Some(Network::Ipv4(ip)) = &dissection.network
        && let Some(header) = frame.get_mut(ip.offset..ip.offset + ip.header_len)
    {
        header[10..12].fill(0);
        let sum = Sum::new().add_bytes(header).complement();
        header[10..12].copy_from_slice(&sum.to_be_bytes());
    }
    let Some(((src, dst), range)) = dissection.addresses().zip(dissection.transport_range()) else { return };
    let (protocol, field) = match dissection.transport {
        Some(Transport::Tcp(_)) => (6, 16),
        Some(Transport::Udp(_)) => (17, 6),
        Some(Transport::Icmpv4(_)) => (1, 2),
        Some(Transport::Icmpv6(_)) => (58, 2),
        None => return,
    };
    let Some(bytes) = frame.get_mut(range).filter(|bytes| bytes.len() >= field + 2) else { return };
    bytes[field..field + 2].fill(0);
    let sum = match protocol {
        1 => Sum::new(),
        _ => Sum::new().add_pseudo_header(src, dst, protocol, bytes.len() as u32),
    };
    let sum = sum.add_bytes(bytes).complement();
    bytes[field..field + 2].copy_from_slice(&sum.to_be_bytes());
}

/// Injects `packets` into a stack that has a listener, a datagram socket and a connection that lives.
fn endure(medium: Medium, packets: u32, seed: u64) {
    let mut wire = Wire::new(medium, seed);
    wire.keep_busy();
    wire.pass(Duration::from_millis(10));
    for _ in 0..packets / 10 {
        wire.keep_busy();
        for _ in 0..10 {
            wire.inject();
            if wire.below(4) == 0 {
                wire.pass(Duration::from_micros(500));
            }
        }
        let pause = [1, 1, 1, 1, 20, 400][wire.below(6)];
        wire.pass(Duration::from_millis(pause));
        wire.is_bounded();
    }
    let Depth { refused, tcp_open_connection, tcp_in_handshake, tcp_without_connection, .. } = &wire.depth;
    let Depth { icmp, udp, fragment, .. } = &wire.depth;
    let bad_checksums = refused.get("BadTransportChecksum").copied().unwrap_or_default();
    // Else too few got where they could do harm, and nothing is proven.
    let deep_enough = *tcp_open_connection > u64::from(packets) / 6
        && [*tcp_without_connection, *icmp, *udp, *fragment].iter().all(|reached| *reached > u64::from(packets) / 50)
        && *tcp_in_handshake > 0
        && bad_checksums > 0;
    assert!(deep_enough, "{:?}", wire.depth);
    wire.still_answers(false);
    wire.still_answers(true);
}

#[test]
fn fifty_thousand_hostile_ip_packets_do_no_lasting_harm() {
    endure(Medium::Ip, 50_000, 1);
}

#[test]
fn fifty_thousand_hostile_frames_do_no_lasting_harm() {
    endure(Medium::Ethernet, 50_000, 2);
}
