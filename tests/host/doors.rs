//! What crosses a door: ARP, ICMP and TCP by hand on our side, the kernel on the other.

use std::io::Write;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::{Duration, Instant};

use bytes::Bytes;
use etherparse::{IcmpEchoHeader, Icmpv4Type, Icmpv6Type, PacketBuilder, SlicedPacket, TransportSlice};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use wireglass::door::{Door, DoorKind};
use wireglass::host::{Exec, Holder, HolderError, LinuxNode, NodeSetup, Route};
use wireglass::packet::{Medium, Packet, checksum};

use super::{config, holder, node};

const KERNEL: Ipv4Addr = Ipv4Addr::new(10, 9, 0, 1);
const OURS: Ipv4Addr = Ipv4Addr::new(10, 9, 0, 2);
const KERNEL_MAC: [u8; 6] = [2, 0, 0, 0, 0, 1];
const OUR_MAC: [u8; 6] = [2, 0, 0, 0, 0, 2];
const PATIENCE: Duration = Duration::from_secs(10);

/// Our side of a door: sends IP packets, answers ARP, hands out the IP packets that arrive.
struct Wire {
    door: Box<dyn Door>,
    /// Every frame that came, as it came.
    seen: Vec<Vec<u8>>,
}

impl Wire {
    fn is_ethernet(&self) -> bool {
        self.door.kind().medium() == Medium::Ethernet
    }

    fn send(&mut self, frame: Vec<u8>) {
        let packet = Packet::from_wire(self.door.kind().medium(), Bytes::from(frame));
        self.door.send(&packet).expect("the door takes a packet");
    }

    fn send_ip(&mut self, ether_type: u16, ip: &[u8]) {
        let mut frame = Vec::new();
        if self.is_ethernet() {
            frame.extend_from_slice(&KERNEL_MAC);
            frame.extend_from_slice(&OUR_MAC);
            frame.extend_from_slice(&ether_type.to_be_bytes());
        }
        frame.extend_from_slice(ip);
        self.send(frame);
    }

    /// Everything that comes within `time`, ARP requests for us answered, until `stop` is content with a frame's IP
    /// packet.
    fn until<T>(&mut self, time: Duration, mut stop: impl FnMut(&[u8]) -> Option<T>) -> Option<T> {
        let deadline = Instant::now() + time;
        loop {
            let mut batch = Vec::new();
            self.door.receive(&mut batch, 4).expect("the door is open");
            for packet in &batch {
                let frame = packet.to_bytes().to_vec();
                self.seen.push(frame.clone());
                if let Some(reply) = answer_arp(self.is_ethernet(), &frame) {
                    self.send(reply);
                }
                let start = if self.is_ethernet() { 14 } else { 0 };
                if let Some(found) = stop(&frame[start..]) {
                    return Some(found);
                }
            }
            let left = deadline.checked_duration_since(Instant::now())?;
            let left = PollTimeout::try_from(left).expect("a short time");
            poll(&mut [PollFd::new(self.door.descriptor(), PollFlags::POLLIN)], left).expect("poll");
        }
    }
}

/// An ARP packet from us, in a frame.
fn arp(operation: u8, to: [u8; 6]) -> Vec<u8> {
    let target = if operation == 1 { [0; 6] } else { to };
    let destination = if operation == 1 { [0xff; 6] } else { to };
    [
        &destination[..],
        &OUR_MAC,
        &[0x08, 0x06, 0, 1, 8, 0, 6, 4, 0, operation],
        &OUR_MAC,
        &OURS.octets(),
        &target,
        &KERNEL.octets(),
    ]
    .concat()
}

fn answer_arp(is_ethernet: bool, frame: &[u8]) -> Option<Vec<u8>> {
    let asks_for_us = is_ethernet
        && frame.get(12..22) == Some(&[0x08, 0x06, 0, 1, 8, 0, 6, 4, 0, 1])
        && frame.get(38..42) == Some(&OURS.octets()[..]);
    asks_for_us.then(|| arp(2, KERNEL_MAC))
}

fn setup(door: DoorKind) -> NodeSetup {
    NodeSetup {
        door: Some(door),
        kernel_addresses: vec![(IpAddr::V4(KERNEL), 24)],
        mac: Some(KERNEL_MAC),
        ..NodeSetup::named("client")
    }
}

/// Runs `test` with the kernel at one end of a door and us at the other.
fn through(setup: NodeSetup, test: impl FnOnce(&LinuxNode, Wire)) {
    let Some(holder) = holder(config()) else { return };
    let Some((node, door)) = node(&holder, setup) else { return };
    test(&node, Wire { door, seen: Vec::new() });
}

fn kernel_answers_a_ping(kind: DoorKind) {
    through(setup(kind), |node, mut wire| {
        assert_eq!((node.door_kind(), wire.door.kind(), wire.door.mtu()), (kind, kind, 1500));
        if wire.is_ethernet() {
            wire.send(arp(1, KERNEL_MAC));
            let reply = wire.until(PATIENCE, |arp| arp.starts_with(&[0, 1, 8, 0, 6, 4, 0, 2]).then(|| arp.to_vec()));
            let reply = reply.expect("the kernel answers ARP");
            assert_eq!(reply[8..18], [&KERNEL_MAC[..], &KERNEL.octets()].concat());
        }
        let mut request = Vec::new();
        let ip = PacketBuilder::ipv4(OURS.octets(), KERNEL.octets(), 64);
        ip.icmpv4_echo_request(7, 1).write(&mut request, b"wireglass").expect("a valid packet");
        wire.send_ip(0x0800, &request);
        let is_reply = |ip: &[u8]| match SlicedPacket::from_ip(ip).ok()?.transport? {
            TransportSlice::Icmpv4(icmp) => Some((icmp.icmp_type(), icmp.payload().to_vec())),
            _ => None,
        };
        let reply = wire.until(PATIENCE, is_reply).expect("the kernel answers the echo request");
        let header = IcmpEchoHeader { id: 7, seq: 1 };
        assert_eq!(reply, (Icmpv4Type::EchoReply(header), b"wireglass".to_vec()));
        all_frames_could_be_on_a_wire(&wire);
    });
}

#[test]
fn the_kernel_answers_a_ping_through_a_tun_door() {
    kernel_answers_a_ping(DoorKind::Tun);
}

#[test]
fn the_kernel_answers_arp_and_a_ping_through_a_tap_door() {
    kernel_answers_a_ping(DoorKind::Tap);
}

#[test]
fn the_kernel_answers_arp_and_a_ping_through_a_veth_door() {
    kernel_answers_a_ping(DoorKind::Veth);
}

fn all_frames_could_be_on_a_wire(wire: &Wire) {
    let medium = wire.door.kind().medium();
    let header = if wire.is_ethernet() { 14 } else { 0 };
    assert!(!wire.seen.is_empty());
    for frame in &wire.seen {
        assert!(frame.len() <= 1500 + header, "{} octets is more than the MTU", frame.len());
        assert!(checksum::verify(medium, frame).is_good(), "a bad checksum: {frame:02x?}");
    }
}

/// Sequence number, source port, flags and payload length of a TCP segment.
fn segment(ip: &[u8]) -> Option<(u32, u16, bool, usize)> {
    match SlicedPacket::from_ip(ip).ok()?.transport? {
        TransportSlice::Tcp(tcp) => Some((tcp.sequence_number(), tcp.source_port(), tcp.syn(), tcp.payload().len())),
        _ => None,
    }
}

/// A kernel socket connects to us and writes; we play the server by hand.
fn kernel_sends_plain_segments(kind: DoorKind) {
    through(setup(kind), |node, mut wire| {
        let mut stream = node.tcp_connect_begin(SocketAddr::from((OURS, 80))).expect("a socket in the node");
        let (isn, port, is_syn, _) = wire.until(PATIENCE, segment).expect("the kernel's SYN");
        assert!(is_syn);

        let mut answer = Vec::new();
        let ip = PacketBuilder::ipv4(OURS.octets(), KERNEL.octets(), 64);
        let tcp = ip.tcp(80, port, 1000, 60_000).syn().ack(isn.wrapping_add(1));
        tcp.write(&mut answer, &[]).expect("a valid packet");
        wire.send_ip(0x0800, &answer);
        let (_, _, is_syn, _) = wire.until(PATIENCE, segment).expect("the kernel's acknowledgement");
        assert!(!is_syn);

        stream.write_all(&[b'x'; 4000]).expect("the connection is there");
        let mut got = 0;
        let all = wire.until(PATIENCE, |ip| {
            got += segment(ip).map_or(0, |(_, _, _, length)| length);
            (got >= 4000).then_some(())
        });
        assert_eq!(all, Some(()), "only {got} of 4000 octets came");
        all_frames_could_be_on_a_wire(&wire);
    });
}

#[test]
fn a_kernel_socket_sends_whole_checksums_and_no_super_segments_into_a_tun_door() {
    kernel_sends_plain_segments(DoorKind::Tun);
}

#[test]
fn a_kernel_socket_sends_whole_checksums_and_no_super_segments_into_a_tap_door() {
    kernel_sends_plain_segments(DoorKind::Tap);
}

#[test]
fn a_kernel_socket_sends_whole_checksums_and_no_super_segments_into_a_veth_door() {
    kernel_sends_plain_segments(DoorKind::Veth);
}

/// The kernel has nothing to say on its own: no router solicitation, no multicast report, no gratuitous ARP.
fn an_idle_node_is_silent(kind: DoorKind) {
    through(setup(kind), |_, mut wire| {
        assert_eq!(wire.until(Duration::from_millis(1500), |_| None::<()>), None);
        assert_eq!(wire.seen, Vec::<Vec<u8>>::new());
    });
}

#[test]
fn an_idle_node_is_silent_behind_a_tun_door() {
    an_idle_node_is_silent(DoorKind::Tun);
}

#[test]
fn an_idle_node_is_silent_behind_a_tap_door() {
    an_idle_node_is_silent(DoorKind::Tap);
}

#[test]
fn an_idle_node_is_silent_behind_a_veth_door() {
    an_idle_node_is_silent(DoorKind::Veth);
}

/// We ask for the kernel's address from a far one: the answer takes the default route.
#[test]
fn a_node_speaks_ipv6_with_addresses_and_routes_of_its_own() {
    let kernel: IpAddr = "fd00::1".parse().expect("an address");
    let default = Route { destination: "::".parse().expect("an address"), prefix: 0, via: None };
    let setup = NodeSetup {
        door: Some(DoorKind::Veth),
        kernel_addresses: vec![(kernel, 64)],
        routes: vec![default],
        mac: Some(KERNEL_MAC),
        ..NodeSetup::named("client")
    };
    through(setup, |_, mut wire| {
        let (IpAddr::V6(kernel), Ok(IpAddr::V6(ours))) = (kernel, "2001:db8::2".parse()) else { return };
        let mut solicitation = Vec::new();
        let ip = PacketBuilder::ipv6(ours.octets(), kernel.octets(), 255);
        let target = [&kernel.octets()[..], &[1, 1], &OUR_MAC].concat();
        let icmp = ip.icmpv6_raw(135, 0, [0; 4]);
        icmp.write(&mut solicitation, &target).expect("a valid packet");
        wire.send_ip(0x86dd, &solicitation);
        let is_advertisement = |ip: &[u8]| match SlicedPacket::from_ip(ip).ok()?.transport? {
            TransportSlice::Icmpv6(icmp) => {
                matches!(icmp.icmp_type(), Icmpv6Type::NeighborAdvertisement(_)).then_some(())
            }
            _ => None,
        };
        wire.until(PATIENCE, is_advertisement).expect("the kernel answers neighbour discovery, by the default route");
    });
}

#[test]
fn a_door_refuses_what_no_wire_could_carry() {
    through(setup(DoorKind::Veth), |_, mut wire| {
        let long = Packet::from_wire(Medium::Ethernet, Bytes::from(vec![0; 1515]));
        let bare = Packet::from_wire(Medium::Ip, Bytes::from(vec![0x45; 40]));
        for packet in [long, bare] {
            let error = wire.door.send(&packet).expect_err("no such packet on this wire");
            assert_eq!(error.kind(), std::io::ErrorKind::InvalidInput);
        }
    });
}

#[test]
fn a_packet_that_the_kernel_refuses_leaves_the_door_open() {
    through(setup(DoorKind::Tun), |_, mut wire| {
        // Neither version 4 nor 6: this is for the kernel to find out.
        let no_ip = Packet::from_wire(Medium::Ip, Bytes::from(vec![0x15; 40]));
        let error = wire.door.send(&no_ip).expect_err("TUN carries IP only");
        assert_eq!(error.kind(), std::io::ErrorKind::InvalidInput, "{error}");
        wire.send(vec![0x45; 40]);
    });
}

#[test]
fn a_device_that_is_down_is_no_matter_of_one_packet() {
    for (kind, interface) in [(DoorKind::Tun, "tun0"), (DoorKind::Tap, "tap0")] {
        through(setup(kind), |node, mut wire| {
            let down = ["sh", "-c", &format!("ip link set {interface} down && echo down")].map(str::to_owned);
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
            let is_down = runtime.block_on(async {
                let mut child = node.exec(Exec { argv: down.to_vec(), ..Exec::default() }).expect("sh runs");
                child.stdout.as_mut().expect("not taken").rest().await.expect("a pipe") == "down\n"
            });
            if !is_down {
                // Programs may not have the power, or `ip` is not installed.
                return;
            }
            let length = if wire.is_ethernet() { 60 } else { 40 };
            let packet = Packet::from_wire(kind.medium(), Bytes::from(vec![0x45; length]));
            let error = wire.door.send(&packet).expect_err("the device is down");
            let recoverable = [std::io::ErrorKind::InvalidInput, std::io::ErrorKind::WouldBlock];
            assert!(!recoverable.contains(&error.kind()), "{kind}: {error}");
        });
    }
}

#[test]
fn a_batch_is_no_larger_than_its_limit_and_loses_nothing() {
    through(setup(DoorKind::Veth), |node, mut wire| {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        runtime.block_on(async {
            let socket = node.udp_bind(SocketAddr::from((KERNEL, 0))).await.expect("a socket in the node");
            for number in 0..5u8 {
                socket.send_to(&[number], SocketAddr::from((OURS, 7))).await.expect("there is a route");
            }
        });
        let mut got = Vec::new();
        let datagram = |ip: &[u8]| match SlicedPacket::from_ip(ip).ok()?.transport? {
            TransportSlice::Udp(udp) => udp.payload().first().copied(),
            _ => None,
        };
        // The first is held back until the kernel knows our Ethernet address; the rest queue up behind it.
        wire.until(PATIENCE, |ip| {
            got.extend(datagram(ip));
            (got.len() == 5).then_some(())
        });
        assert_eq!(got, [0, 1, 2, 3, 4]);
        let mut batch = Vec::new();
        assert_eq!(wire.door.receive(&mut batch, 4).expect("the door is open"), 0, "nothing is left");
    });
}

#[test]
fn without_a_wish_the_door_is_tun_or_else_veth_and_why() {
    through(NodeSetup::named("client"), |node, wire| match (wire.door.kind(), node.door_note()) {
        (DoorKind::Tun, None) => {}
        (DoorKind::Veth, Some(note)) => assert!(note.contains("/dev/net/tun"), "{note}"),
        other => panic!("{other:?}"),
    });
}

#[test]
fn a_probe_tells_whether_a_door_can_be_opened_and_leaves_nothing() {
    if holder(config()).is_none() {
        return;
    }
    assert_eq!(Holder::probe(config(), Some(DoorKind::Veth)), Ok(DoorKind::Veth));
    match Holder::probe(config(), Some(DoorKind::Tap)) {
        Ok(kind) => assert_eq!(kind, DoorKind::Tap),
        Err(error) => assert!(matches!(error, HolderError::TunClosed | HolderError::TunMissing), "{error}"),
    }
}
