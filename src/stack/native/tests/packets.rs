//! The joined stack, packet by packet: what of RFC 9293 only shows in the octets of a packet and beside IP.

use std::net::{IpAddr, SocketAddr};

use super::stack;
use crate::journal::{DropReason, Event, SocketId, TcpState};
use crate::packet::checksum::{Sum, verify};
use crate::packet::dissect::Tcp;
use crate::packet::{DeliveryError, Dissection, Medium, Packet, SeqNum, segment};
use crate::stack::native::NativeStack;
use crate::stack::{OpenError, SocketOption, Stack, TcpConfig};
use crate::time::Instant;

const OURS: [u8; 4] = [10, 0, 0, 1];
const PEER: [u8; 4] = [10, 0, 0, 2];
const FIN: u8 = 1;
const SYN: u8 = 2;
const ACK: u8 = 16;

/// A host at 10.0.0.1, and the network around it.
struct Host {
    stack: NativeStack,
    now: Instant,
}

/// What a peer at 10.0.0.2 sends, header by header.
#[derive(Clone, Debug)]
struct Sends {
    src: [u8; 4],
    dst: [u8; 4],
    ip_options: Vec<u8>,
    ports: (u16, u16),
    seq: u32,
    ack: u32,
    flags: u8,
    options: Vec<u8>,
    data: Vec<u8>,
}

impl Sends {
    fn syn() -> Sends {
        let (ip_options, options, data) = (Vec::new(), Vec::new(), Vec::new());
        Sends { src: PEER, dst: OURS, ip_options, ports: (4000, 80), seq: 0, ack: 0, flags: SYN, options, data }
    }

    /// The packet. Its options are padded with zeros to a multiple of four octets.
    fn bytes(&self) -> Vec<u8> {
        let mut options = self.options.clone();
        options.resize(options.len().next_multiple_of(4), 0);
        let mut tcp = Vec::new();
        tcp.extend_from_slice(&self.ports.0.to_be_bytes());
        tcp.extend_from_slice(&self.ports.1.to_be_bytes());
        tcp.extend_from_slice(&self.seq.to_be_bytes());
        tcp.extend_from_slice(&self.ack.to_be_bytes());
        tcp.extend_from_slice(&[(((20 + options.len()) / 4) << 4) as u8, self.flags, 0xff, 0xff, 0, 0, 0, 0]);
        tcp.extend_from_slice(&options);
        tcp.extend_from_slice(&self.data);
        let pseudo = Sum::new().add_pseudo_header(self.src.into(), self.dst.into(), 6, tcp.len() as u32);
        let sum = pseudo.add_bytes(&tcp).complement();
        tcp[16..18].copy_from_slice(&sum.to_be_bytes());
        ipv4(self.src, self.dst, 6, &self.ip_options, &tcp)
    }
}

fn ipv4(src: [u8; 4], dst: [u8; 4], protocol: u8, options: &[u8], payload: &[u8]) -> Vec<u8> {
    let header_len = 20 + options.len();
    let mut packet = vec![0x40 | (header_len / 4) as u8, 0];
    packet.extend_from_slice(&((header_len + payload.len()) as u16).to_be_bytes());
    packet.extend_from_slice(&[0, 1, 0, 0, 64, protocol, 0, 0]);
    packet.extend_from_slice(&src);
    packet.extend_from_slice(&dst);
    packet.extend_from_slice(options);
    let sum = Sum::new().add_bytes(&packet).complement();
    packet[10..12].copy_from_slice(&sum.to_be_bytes());
    packet.extend_from_slice(payload);
    packet
}

/// An ICMP error about `packet`.
fn icmp_error(kind: u8, code: u8, packet: &[u8]) -> Vec<u8> {
    let mut message = vec![kind, code, 0, 0, 0, 0, 0, 0];
    message.extend_from_slice(&packet[..packet.len().min(28)]);
    let sum = Sum::new().add_bytes(&message).complement();
    message[2..4].copy_from_slice(&sum.to_be_bytes());
    ipv4([10, 0, 0, 254], OURS, 1, &[], &message)
}

impl Host {
    fn new() -> Host {
        Host { stack: stack(Medium::Ip, 1), now: Instant::ZERO }
    }

    fn listening() -> Host {
        let mut host = Host::new();
        let any = SocketAddr::from(([0, 0, 0, 0], 80));
        host.stack.listen(any, 8, &TcpConfig::default()).expect("the port is free");
        host
    }

    /// A connection that the host opened to the peer's port 80, and the number of its SYN.
    fn connected(&mut self, config: &TcpConfig) -> (SocketId, SeqNum) {
        let remote = SocketAddr::from((PEER, 80));
        let socket = self.stack.connect(self.now, None, remote, config).expect("there is a way");
        let syn = self.sent_one();
        let ports = (80, syn.src_port);
        self.takes(&Sends { ports, ack: syn.seq.0.wrapping_add(1), flags: SYN | ACK, ..Sends::syn() }.bytes());
        self.sent();
        (socket, syn.seq)
    }

    fn takes(&mut self, bytes: &[u8]) {
        let packet = Packet::from_wire(Medium::Ip, bytes.to_vec().into());
        self.stack.receive(self.now, &mut vec![packet]);
    }

    /// Everything that the host sends now, as packets on the wire.
    fn packets(&mut self) -> Vec<Vec<u8>> {
        let mut pieces = Vec::new();
        while let Some((packet, _)) = self.stack.transmit(self.now) {
            segment::cut(packet, &mut pieces);
        }
        pieces.iter().map(|piece| piece.to_bytes().to_vec()).collect()
    }

    fn sent(&mut self) -> Vec<Tcp> {
        self.packets().iter().filter_map(|packet| dissect(packet).tcp().cloned()).collect()
    }

    fn sent_one(&mut self) -> Tcp {
        let mut sent = self.sent();
        assert_eq!(sent.len(), 1, "{sent:?}");
        sent.remove(0)
    }

    fn drops(&mut self) -> Vec<DropReason> {
        let mut journal = Vec::new();
        self.stack.drain_journal(&mut journal);
        let reason = |event: &Event| match event {
            Event::PacketDropped { reason, .. } => Some(*reason),
            _ => None,
        };
        journal.iter().filter_map(reason).collect()
    }

    fn state(&self, socket: SocketId) -> Option<TcpState> {
        self.stack.snapshot(socket).map(|snapshot| snapshot.state)
    }
}

fn dissect(packet: &[u8]) -> Dissection {
    Dissection::of(Medium::Ip, packet, packet.len())
}

/// MUST-2, and MUST-69: the checksum is right in every packet, and a header ends where its options end: their padding,
/// were there any, is zero.
#[test]
fn every_packet_that_leaves_has_its_checksum() {
    let mut host = Host::new();
    let remote = SocketAddr::from((PEER, 80));
    let socket = host.stack.connect(host.now, None, remote, &TcpConfig::default()).expect("there is a way");
    let syn = host.packets();
    let tcp = dissect(&syn[0]).tcp().cloned().expect("a SYN");
    let timestamps = vec![8, 10, 0, 0, 0, 1, 0, 0, 0, 0];
    let ports = (80, tcp.src_port);
    let answer = Sends { ports, ack: tcp.seq.0.wrapping_add(1), flags: SYN | ACK, options: timestamps, ..Sends::syn() };
    host.takes(&answer.bytes());
    host.stack.send(host.now, socket, &[7; 5000]).expect("the connection is open");
    let mut packets = host.packets();
    packets.extend(syn);
    host.stack.close(host.now, socket);
    packets.extend(host.packets());
    assert!(packets.len() > 5);
    for packet in packets {
        assert!(verify(Medium::Ip, &packet).is_good());
        let tcp = dissect(&packet).tcp().cloned().expect("a segment");
        let options = &packet[tcp.offset + 20..tcp.offset + tcp.header_len];
        assert_eq!(end_of_options(options), options.len(), "{options:?}");
    }
}

/// Where the last option ends.
fn end_of_options(options: &[u8]) -> usize {
    let mut at = 0;
    while at < options.len() && options[at] != 0 {
        at += if options[at] == 1 { 1 } else { usize::from(options[at + 1]) };
    }
    at
}

/// MUST-3.
#[test]
fn a_segment_with_a_bad_checksum_is_dropped() {
    let mut host = Host::listening();
    let mut syn = Sends::syn().bytes();
    syn[37] ^= 1;
    host.takes(&syn);
    assert_eq!((host.sent(), host.drops()), (vec![], vec![DropReason::BadTransportChecksum]));
}

/// MUST-4, MUST-6, MUST-7, MUST-64, MUST-68: options end at EOL, NOP is one octet, all others have a length; what is
/// unknown is passed over by its length, at any alignment; a length that cannot be ends the reading, not the host.
#[test]
fn options_are_read_at_any_alignment_and_bad_ones_survived() {
    let cases: [(&str, &[u8], u16); 11] = [
        ("MSS", &[2, 4, 2, 0], 512),
        ("NOP first", &[1, 2, 4, 2, 0], 512),
        ("three NOPs first", &[1, 1, 1, 2, 4, 2, 0], 512),
        ("an unknown option first", &[254, 5, 9, 9, 9, 2, 4, 2, 0], 512),
        ("an unknown option without content", &[254, 2, 2, 4, 2, 0], 512),
        ("end of options before it", &[0, 2, 4, 2, 0], 536),
        ("an MSS too short", &[2, 3, 2, 1, 1], 536),
        ("an unknown option of length 0", &[254, 0, 2, 4, 2, 0], 536),
        ("an unknown option of length 1", &[254, 1, 2, 4, 2, 0], 536),
        ("an unknown option beyond the header", &[254, 40, 2, 4, 2, 0], 536),
        ("an MSS cut short by the header", &[1, 1, 2, 4], 536),
    ];
    for (name, options, mss) in cases {
        let mut host = Host::listening();
        host.takes(&Sends { options: options.to_vec(), ..Sends::syn() }.bytes());
        let answer = host.sent_one();
        assert!(answer.flags.syn() && answer.flags.ack(), "{name}");
        let ack = Sends { seq: 1, ack: answer.seq.0.wrapping_add(1), flags: ACK, ..Sends::syn() };
        // MUST-5: whatever it is, it may also stand in any other segment.
        host.takes(&Sends { options: options.to_vec(), ..ack }.bytes());
        let listener = SocketId(1);
        let (socket, _) = host.stack.accept(host.now, listener).unwrap_or_else(|| panic!("{name}: it did not open"));
        assert_eq!(host.stack.snapshot(socket).and_then(|snapshot| snapshot.snd_mss), Some(mss), "{name}");
    }
}

/// MUST-43: an open may name its own address. MUST-44: otherwise IP chooses it, by the destination. MUST-45: later
/// segments keep it.
#[test]
fn a_connection_has_one_source_address_for_life() {
    let v6 = |host: u16| IpAddr::from([0xfd00, 0, 0, 0, 0, 0, 0, host]);
    for (named, remote, own) in [
        (None, IpAddr::from(PEER), IpAddr::from(OURS)),
        (None, v6(2), v6(1)),
        (Some(SocketAddr::new(OURS.into(), 5000)), IpAddr::from(PEER), IpAddr::from(OURS)),
    ] {
        let mut host = Host::new();
        let remote = SocketAddr::new(remote, 80);
        host.stack.connect(host.now, named, remote, &TcpConfig::default()).expect("there is a way");
        for _ in 0..3 {
            let packets = host.packets();
            assert!(!packets.is_empty());
            assert!(packets.iter().all(|packet| dissect(packet).addresses() == Some((own, remote.ip()))));
            host.now = host.stack.deadline().expect("a timer runs").0;
            host.stack.expire(host.now);
        }
        assert_eq!(named.is_some(), dissect(&host.packets()[0]).ports() == Some((5000, 80)));
    }
    let mut host = Host::new();
    let foreign = SocketAddr::from(([10, 0, 0, 77], 0));
    let refused = host.stack.connect(host.now, Some(foreign), SocketAddr::from((PEER, 80)), &TcpConfig::default());
    assert_eq!(refused, Err(OpenError::AddressNotAvailable(foreign.ip())));
}

/// MUST-46.
#[test]
fn nobody_connects_to_many() {
    let mut host = Host::new();
    for remote in ["224.0.0.1:80", "255.255.255.255:80", "10.0.0.255:80", "0.0.0.0:80", "[ff02::1]:80", "10.0.0.2:0"] {
        let remote = remote.parse().expect("an address");
        let refused = host.stack.connect(host.now, None, remote, &TcpConfig::default());
        assert_eq!(refused, Err(OpenError::BadDestination(remote)));
    }
    assert_eq!(host.sent(), []);
}

/// MUST-48, MUST-49: DSCP and TTL are the application's to set, from the first packet or later.
#[test]
fn dscp_and_hops_are_set_by_the_application() {
    let mut host = Host::new();
    let config = TcpConfig { traffic_class: 0xb8, time_to_live: 9, ..TcpConfig::default() };
    let remote = SocketAddr::from((PEER, 80));
    let socket = host.stack.connect(host.now, None, remote, &config).expect("there is a way");
    let syn = host.packets();
    assert_eq!((syn[0][1], syn[0][8]), (0xb8, 9));
    host.stack.set_option(socket, SocketOption::TrafficClass(0x28)).expect("the socket is there");
    host.stack.set_option(socket, SocketOption::TimeToLive(200)).expect("the socket is there");
    host.now = host.stack.deadline().expect("a timer runs").0;
    host.stack.expire(host.now);
    let again = host.packets();
    assert_eq!((again[0][1], again[0][8]), (0x28, 200));
    let mut host = Host::new();
    host.connected(&TcpConfig::default());
    assert_eq!(TcpConfig::default().time_to_live, 64);
}

/// MUST-50.
#[test]
fn a_syn_with_unknown_ip_options_is_answered() {
    let mut host = Host::listening();
    host.takes(&Sends { ip_options: vec![0x9e, 4, 1, 1, 1, 1, 1, 0], ..Sends::syn() }.bytes());
    assert!(host.sent_one().flags.syn());
}

/// MUST-54: a report reaches the connection whose segment it quotes, and no other.
#[test]
fn an_icmp_error_reaches_the_connection_that_it_is_about() {
    let mut host = Host::new();
    let (first, _) = host.connected(&TcpConfig::default());
    let (second, _) = host.connected(&TcpConfig::default());
    host.stack.send(host.now, first, b"first").expect("it is open");
    let quoted = host.packets();
    host.stack.send(host.now, second, b"second").expect("it is open");
    host.packets();
    host.takes(&icmp_error(3, 1, &quoted[0]));
    assert_eq!(host.stack.take_error(second), None);
    assert_eq!(host.stack.take_error(first), Some(DeliveryError::HostUnreachable));
}

/// MUST-55: Source Quench is ignored in silence. MUST-56: soft errors never end an open connection, and SHLD-25's hard
/// ones do not, either (RFC 5927 §5.2).
#[test]
fn no_icmp_error_ends_an_open_connection() {
    for (kind, code, told) in [
        (4, 0, false),
        (3, 0, true),
        (3, 1, true),
        (3, 2, true),
        (3, 3, true),
        (3, 5, true),
        (11, 0, true),
        (11, 1, true),
        (12, 0, true),
    ] {
        let mut host = Host::new();
        let (socket, _) = host.connected(&TcpConfig::default());
        host.stack.send(host.now, socket, b"data").expect("it is open");
        let quoted = host.packets();
        let before = host.stack.snapshot(socket);
        host.takes(&icmp_error(kind, code, &quoted[0]));
        assert_eq!(host.stack.snapshot(socket), before, "ICMP {kind}, {code}");
        assert_eq!(host.stack.take_error(socket).is_some(), told, "ICMP {kind}, {code}");
        assert_eq!((host.sent(), host.state(socket)), (vec![], Some(TcpState::Established)));
    }
}

/// MUST-57: a SYN to many is dropped in silence.
#[test]
fn a_syn_to_many_is_dropped_in_silence() {
    for dst in [[10, 0, 0, 255], [255, 255, 255, 255], [224, 0, 0, 1]] {
        let mut host = Host::listening();
        host.takes(&Sends { dst, ..Sends::syn() }.bytes());
        assert_eq!(host.sent(), [], "{dst:?}");
        assert_eq!(host.stack.connections(), 0);
    }
}

/// MUST-63: a SYN from an address that cannot be one host's is dropped in silence.
#[test]
fn a_syn_from_an_impossible_source_is_dropped() {
    for src in [[0, 0, 0, 0], [255, 255, 255, 255], [224, 0, 0, 1], [10, 0, 0, 255], [127, 0, 0, 1]] {
        let mut host = Host::listening();
        host.takes(&Sends { src, ..Sends::syn() }.bytes());
        assert_eq!(host.sent(), [], "{src:?}");
        assert_eq!(host.stack.connections(), 0);
    }
}

/// RFC 9293 §3.10.7.1, seen on the wire; and no reset answers a reset or a segment to many.
#[test]
fn a_closed_port_answers_with_a_reset() {
    let mut host = Host::new();
    host.takes(&Sends { flags: FIN, seq: 9, data: vec![1, 2], ..Sends::syn() }.bytes());
    let reset = host.sent_one();
    assert!(reset.flags.rst() && reset.ack == SeqNum(12) && reset.seq == SeqNum(0));
}

/// A group is left with the last socket that was bound to it: who binds and closes again and again still hears, and
/// nobody else's groups are taken from them.
#[test]
fn a_group_is_left_when_nobody_is_bound_to_it_any_more() {
    let group = |number: u8| SocketAddr::from(([239, 0, 0, number], 53));
    // From port 9 to port 53, with one octet.
    let datagram = |to: u8| ipv4(PEER, [239, 0, 0, to], 17, &[], &[0, 9, 0, 53, 0, 9, 0, 0, 7]);
    let mut host = Host::new();
    for number in 0..200 {
        let socket = host.stack.udp_bind(group(number)).expect("there is room");
        host.stack.close(host.now, socket);
    }
    let [one, other] = [1, 1].map(|number| host.stack.udp_bind(group(number)).expect("several may share it"));
    host.stack.close(host.now, other);
    host.takes(&datagram(1));
    let mut buffer = [0; 10];
    assert!(matches!(host.stack.udp_receive_from(one, &mut buffer), Ok(Some((1, _)))));
    host.takes(&datagram(2));
    assert_eq!(host.drops(), [DropReason::NotForUs]);
}

/// A socket that would never hear anything is refused.
#[test]
fn a_group_beyond_the_bound_is_refused() {
    let mut host = Host::new();
    let bound: Vec<bool> =
        (0..100).map(|number| host.stack.udp_bind(SocketAddr::from(([239, 0, 0, number], 53))).is_ok()).collect();
    assert_eq!(bound.iter().filter(|is_bound| **is_bound).count(), 64);
    let beyond = SocketAddr::from(([239, 0, 0, 99], 53));
    assert_eq!(host.stack.udp_bind(beyond), Err(OpenError::AddressNotAvailable(beyond.ip())));
}
