//! Path MTU discovery through the joined stack: a link on the way takes less than the links at its ends, and a router there
//! says so, says so the old way, or says nothing.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use super::{DELAY, Pair};
use crate::journal::{Event, PathMtuCause, SocketId};
use crate::packet::checksum::Sum;
use crate::packet::{Medium, Packet, segment};
use crate::stack::{Stack, TcpConfig};

/// What the router before the narrow link does with a packet that is too long for it and may not be cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Router {
    /// Tells its sender how much the link takes.
    Tells,
    /// Tells its sender that it was too long (RFC 792, before RFC 1191).
    TellsNoNumber,
    /// Says nothing.
    Silent,
}

/// The ICMP error of a router about `packet`: too big, the next link takes `mtu` octets.
fn too_big(packet: &[u8], mtu: u16) -> Packet {
    let v6 = packet[0] >> 4 == 6;
    let mut message = if v6 { vec![2, 0, 0, 0, 0, 0] } else { vec![3, 4, 0, 0, 0, 0] };
    message.extend_from_slice(&mtu.to_be_bytes());
    message.extend_from_slice(&packet[..packet.len().min(if v6 { 500 } else { 28 })]);
    let router: IpAddr = if v6 { "fd00::fe".parse() } else { "10.0.0.254".parse() }.expect("an address");
    let sender: IpAddr = match v6 {
        true => <[u8; 16]>::try_from(&packet[8..24]).expect("sixteen octets").into(),
        false => <[u8; 4]>::try_from(&packet[12..16]).expect("four octets").into(),
    };
    let pseudo = if v6 { Sum::new().add_pseudo_header(router, sender, 58, message.len() as u32) } else { Sum::new() };
    let sum = pseudo.add_bytes(&message).complement();
    message[2..4].copy_from_slice(&sum.to_be_bytes());
    let mut whole = match (router, sender) {
        (IpAddr::V4(router), IpAddr::V4(sender)) => {
            let mut header = vec![0x45, 0, 0, 0, 0, 0, 0, 0, 64, 1, 0, 0];
            header[2..4].copy_from_slice(&(20 + message.len() as u16).to_be_bytes());
            header.extend([router.octets(), sender.octets()].concat());
            let sum = Sum::new().add_bytes(&header).complement();
            header[10..12].copy_from_slice(&sum.to_be_bytes());
            header
        }
        (IpAddr::V6(router), IpAddr::V6(sender)) => {
            let mut header = vec![0x60, 0, 0, 0, 0, 0, 58, 64];
            header[4..6].copy_from_slice(&(message.len() as u16).to_be_bytes());
            header.extend([router.octets(), sender.octets()].concat());
            header
        }
        _ => panic!("of one family"),
    };
    whole.extend_from_slice(&message);
    Packet::from_wire(Medium::Ip, whole.into())
}

/// A pair with a narrow link in the middle.
struct Narrow {
    pair: Pair,
    mtu: usize,
    router: Router,
    reports: usize,
    told: Vec<(u32, PathMtuCause)>,
}

impl Narrow {
    fn new(mtu: usize, router: Router) -> Narrow {
        Narrow { pair: Pair::new(Medium::Ip), mtu, router, reports: 0, told: Vec::new() }
    }

    /// What the first stack has ready goes on its way, as far as the narrow link.
    fn drain(&mut self) {
        for side in 0..2 {
            let mut pieces = Vec::new();
            while let Some((packet, _)) = self.pair.stacks[side].transmit(self.pair.now) {
                segment::cut(packet, &mut pieces);
            }
            for piece in pieces {
                self.pass(side, piece);
            }
        }
        let mut journal = Vec::new();
        self.pair.stacks[0].drain_journal(&mut journal);
        self.told.extend(journal.into_iter().filter_map(|event| match event {
            Event::PathMtu { mtu, cause, .. } => Some((mtu, cause)),
            _ => None,
        }));
    }

    fn pass(&mut self, side: usize, piece: Packet) {
        if piece.len() <= self.mtu {
            return self.pair.wire.push_back((self.pair.now + DELAY, 1 - side, piece));
        }
        let octets = piece.to_bytes();
        let may_be_cut = octets[0] >> 4 == 4 && octets[6] & 0x40 == 0;
        assert!(!may_be_cut, "this router would have to cut it");
        let mtu = match self.router {
            Router::Tells => self.mtu as u16,
            Router::TellsNoNumber => 0,
            Router::Silent => return,
        };
        self.reports += 1;
        self.pair.wire.push_back((self.pair.now + DELAY, side, too_big(&octets, mtu)));
    }

    fn run(&mut self, span: Duration) {
        let end = self.pair.now + span;
        while self.pair.now < end {
            self.drain();
            let timers = self.pair.stacks.iter_mut().filter_map(|stack| stack.deadline().map(|(at, _)| at));
            let next = timers.chain(self.pair.wire.front().map(|(at, ..)| *at)).min().unwrap_or(end).min(end);
            self.pair.now = next.max(self.pair.now);
            while let Some((_, side, packet)) = self.pair.wire.pop_front_if(|(at, ..)| *at <= self.pair.now) {
                self.pair.stacks[side].receive(self.pair.now, &mut vec![packet]);
            }
            self.pair.stacks.iter_mut().for_each(|stack| stack.expire(self.pair.now));
        }
        self.drain();
    }

    /// Opens a connection, sends `octets` over it, and says how long it took until all were there.
    fn transfer(&mut self, v6: bool, octets: usize) -> Duration {
        let to: IpAddr = if v6 { "fd00::2".parse() } else { "10.0.0.2".parse() }.expect("an address");
        let config = TcpConfig { receive_buffer: 1 << 20, send_buffer: 1 << 20, ..TcpConfig::default() };
        let listener = self.pair.stacks[1].listen(SocketAddr::new(to, 0), 4, &config).expect("a port is free");
        let port = self.pair.stacks[1].local_address(listener).expect("it listens").port();
        let now = self.pair.now;
        let client =
            self.pair.stacks[0].connect(now, None, SocketAddr::new(to, port), &config).expect("there is a way");
        self.run(Duration::from_millis(100));
        let (server, _) = self.pair.stacks[1].accept(self.pair.now, listener).expect("the handshake is over");
        let data: Vec<u8> = (0..octets).map(|index| ((index * 31) >> 3) as u8).collect();
        assert_eq!(self.pair.stacks[0].send(self.pair.now, client, &data), Ok(octets));
        let begun = self.pair.now;
        let mut got = Vec::new();
        while got.len() < octets && self.pair.now < begun + Duration::from_secs(60) {
            self.run(Duration::from_millis(1));
            self.read(server, &mut got);
        }
        assert!(got == data, "{} of {octets} octets arrived", got.len());
        self.pair.now - begun
    }

    fn read(&mut self, server: SocketId, got: &mut Vec<u8>) {
        let mut buffer = vec![0; 100_000];
        while let Ok(Some(taken)) = self.pair.stacks[1].receive_into(self.pair.now, server, &mut buffer) {
            got.extend_from_slice(&buffer[..taken]);
        }
    }
}

/// RFC 1191, RFC 8201: one flight is lost, its reports come back, and all goes on in shorter packets.
#[test]
fn a_router_that_tells_costs_one_round_trip() {
    for (v6, mtu) in [(false, 1400), (false, 600), (true, 1300), (true, 1280)] {
        let mut narrow = Narrow::new(mtu, Router::Tells);
        let took = narrow.transfer(v6, 100_000);
        assert_eq!(narrow.told, [(mtu as u32, PathMtuCause::Reported)], "{mtu}");
        assert!(took < Duration::from_millis(200), "no time-out was waited for: {took:?}");
        assert!(narrow.reports <= 10, "one flight and no more: {}", narrow.reports);
    }
}

/// RFC 1191 §6.2: the second connection begins with what the first has found out.
#[test]
fn the_next_connection_knows() {
    for v6 in [false, true] {
        let mut narrow = Narrow::new(1300, Router::Tells);
        narrow.transfer(v6, 20_000);
        let reports = narrow.reports;
        narrow.transfer(v6, 20_000);
        assert_eq!(narrow.told, [(1300, PathMtuCause::Reported), (1300, PathMtuCause::Remembered)]);
        assert_eq!(narrow.reports, reports, "no packet was too long any more");
    }
}

/// RFC 1191 §5, §7: a router that gives no number makes us try the lengths that are in use, one after the other.
#[test]
fn an_old_router_is_understood() {
    let mut narrow = Narrow::new(1006, Router::TellsNoNumber);
    narrow.transfer(false, 50_000);
    assert_eq!(narrow.told, [(1492, PathMtuCause::Reported), (1006, PathMtuCause::Reported)]);
}

/// RFC 4821 §7.7: and one that says nothing costs time, but not the connection.
#[test]
fn a_silent_router_costs_time_and_no_octet() {
    for v6 in [false, true] {
        let mut narrow = Narrow::new(1300, Router::Silent);
        let took = narrow.transfer(v6, 100_000);
        let base = if v6 { 1280 } else { 1064 };
        assert_eq!(narrow.told.first(), Some(&(base, PathMtuCause::BlackHole)));
        assert!(took < Duration::from_secs(8), "{took:?}");
    }
}

/// Another connection's news reaches one that is open already, when it next sends a long packet.
#[test]
fn open_connections_learn_from_each_other() {
    let mut narrow = Narrow::new(1500, Router::Tells);
    let remote = SocketAddr::from(([10, 0, 0, 2], 80));
    let config = TcpConfig::default();
    let listener = narrow.pair.stacks[1].listen(remote, 4, &config).expect("the port is free");
    let first = narrow.pair.stacks[0].connect(narrow.pair.now, None, remote, &config).expect("there is a way");
    narrow.run(Duration::from_millis(100));
    narrow.mtu = 1300;
    narrow.transfer(false, 20_000);
    let reports = narrow.reports;
    let (server, _) = narrow.pair.stacks[1].accept(narrow.pair.now, listener).expect("the handshake is over");
    assert_eq!(narrow.pair.stacks[0].send(narrow.pair.now, first, &[7; 5000]), Ok(5000));
    narrow.run(Duration::from_millis(100));
    let mut got = Vec::new();
    narrow.read(server, &mut got);
    assert_eq!((got.len(), narrow.reports), (5000, reports));
}

/// RFC 8201 §5.5: datagrams over IPv6 are cut by who sends them, to what the path takes.
#[test]
fn a_datagram_is_cut_to_its_path() {
    let mut narrow = Narrow::new(1300, Router::Tells);
    let (local, remote): (SocketAddr, SocketAddr) =
        ("[fd00::1]:5000".parse().expect("an address"), "[fd00::2]:53".parse().expect("an address"));
    let ours = narrow.pair.stacks[0].udp_bind(local).expect("the port is free");
    let theirs = narrow.pair.stacks[1].udp_bind(remote).expect("the port is free");
    let mut buffer = vec![0; 2000];
    for arrives in [false, true] {
        let sent = narrow.pair.stacks[0].udp_send_to(narrow.pair.now, ours, &[1; 1400], remote);
        assert_eq!(sent, Ok(true));
        narrow.run(Duration::from_millis(100));
        let got = narrow.pair.stacks[1].udp_receive_from(theirs, &mut buffer).expect("it is open");
        assert_eq!(got, arrives.then_some((1400, local)));
    }
    assert_eq!(narrow.reports, 1);
}

/// RFC 5927 §7.2: who guesses the addresses of a datagram, and not what was sent, changes nothing.
#[test]
fn a_forged_report_about_a_datagram_changes_nothing() {
    let mut narrow = Narrow::new(1500, Router::Silent);
    let (local, remote): (SocketAddr, SocketAddr) =
        ("[fd00::1]:5000".parse().expect("an address"), "[fd00::2]:53".parse().expect("an address"));
    let ours = narrow.pair.stacks[0].udp_bind(local).expect("the port is free");
    assert_eq!(narrow.pair.stacks[0].udp_send_to(narrow.pair.now, ours, &[1; 1400], remote), Ok(true));
    let (packet, _) = narrow.pair.stacks[0].transmit(narrow.pair.now).expect("it was sent");
    let honest = packet.to_bytes().to_vec();
    let with = |at: usize, octets: &[u8]| {
        let mut packet = honest.clone();
        packet[at..at + octets.len()].copy_from_slice(octets);
        packet
    };
    let cases = [
        ("another port of ours", with(40, &[0x13, 0x89]), 1300, 1500),
        ("less than every link takes", honest.clone(), 1279, 1500),
        ("more than it was long", honest.clone(), 1449, 1500),
        ("longer than our link lets", with(4, &[0x40, 0]), 1300, 1500),
        ("nothing wrong", honest.clone(), 1300, 1300),
    ];
    for (what, packet, mtu, expected) in cases {
        let stack = &mut narrow.pair.stacks[0];
        stack.receive(narrow.pair.now, &mut vec![too_big(&packet, mtu)]);
        assert_eq!(stack.ip.path_mtu(remote.ip()), expected, "{what}");
    }
}
