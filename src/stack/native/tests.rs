//! The joined stack: two of them, back to back, in virtual time.

mod packets;
mod paths;

use std::collections::VecDeque;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use super::NativeStack;
use crate::journal::{Reason, SocketId, TcpState};
use crate::packet::{Medium, Packet, segment};
use crate::stack::{Interface, SocketEvent, Stack, StackConfig, TcpConfig};
use crate::time::Instant;

fn stack(medium: Medium, host: u8) -> NativeStack {
    let interface = Interface {
        medium,
        mac: [2, 0, 0, 0, 0, host],
        addresses: vec![([10, 0, 0, host].into(), 24), (IpAddr::from([0xfd00, 0, 0, 0, 0, 0, 0, u16::from(host)]), 64)],
        gateways: Vec::new(),
        mtu: 1500,
    };
    NativeStack::new(&StackConfig { interface, seed: host.into(), tcp: TcpConfig::default() }, Instant::ZERO)
}

/// Two stacks with a wire of 10 ms between them.
struct Pair {
    now: Instant,
    stacks: [NativeStack; 2],
    wire: VecDeque<(Instant, usize, Packet)>,
}

const DELAY: Duration = Duration::from_millis(10);

impl Pair {
    fn new(medium: Medium) -> Pair {
        Pair { now: Instant::ZERO, stacks: [stack(medium, 1), stack(medium, 2)], wire: VecDeque::new() }
    }

    fn drain(&mut self) {
        for side in 0..2 {
            while let Some((packet, _)) = self.stacks[side].transmit(self.now) {
                let mut pieces = Vec::new();
                segment::cut(packet, &mut pieces);
                self.wire.extend(pieces.into_iter().map(|piece| (self.now + DELAY, 1 - side, piece)));
            }
        }
    }

    /// Lets `span` pass.
    fn run(&mut self, span: Duration) {
        let end = self.now + span;
        loop {
            self.drain();
            let timers = self.stacks.iter_mut().filter_map(|stack| stack.deadline().map(|(at, _)| at));
            let next = timers.chain(self.wire.front().map(|(at, ..)| *at)).min().unwrap_or(end);
            self.now = next.max(self.now);
            if self.now >= end {
                self.now = end;
                return;
            }
            while let Some((_, side, packet)) = self.wire.pop_front_if(|(at, ..)| *at <= self.now) {
                self.stacks[side].receive(self.now, &mut vec![packet]);
            }
            self.stacks.iter_mut().for_each(|stack| stack.expire(self.now));
        }
    }

    fn state(&self, side: usize, socket: SocketId) -> Option<TcpState> {
        self.stacks[side].snapshot(socket).map(|snapshot| snapshot.state)
    }
}

fn transfer(medium: Medium, to: SocketAddr) {
    let mut pair = Pair::new(medium);
    let config = TcpConfig::default();
    let listener = pair.stacks[1].listen(SocketAddr::new(to.ip(), 80), 4, &config).expect("the port is free");
    let client = pair.stacks[0].connect(pair.now, None, to, &config).expect("there is a way");
    pair.run(Duration::from_secs(1));
    let (server, _) = pair.stacks[1].accept(pair.now, listener).expect("the handshake is over");
    assert_eq!(pair.state(0, client), Some(TcpState::Established));

    let sent: Vec<u8> = (0..300_000_u32).map(|index| ((index * 31) >> 3) as u8).collect();
    let (mut given, mut received) = (0, Vec::new());
    let mut buffer = vec![0; 10_000];
    for _ in 0..10_000 {
        given += pair.stacks[0].send(pair.now, client, &sent[given..]).expect("the connection is open");
        pair.run(Duration::from_millis(5));
        while let Ok(Some(taken)) = pair.stacks[1].receive_into(pair.now, server, &mut buffer) {
            received.extend_from_slice(&buffer[..taken]);
        }
        if received.len() == sent.len() {
            break;
        }
    }
    assert_eq!(received.len(), sent.len());
    assert!(received == sent);

    pair.stacks[0].close(pair.now, client);
    pair.run(Duration::from_secs(1));
    assert_eq!(pair.stacks[1].receive_into(pair.now, server, &mut buffer), Ok(Some(0)));
    pair.stacks[1].close(pair.now, server);
    pair.run(Duration::from_secs(1));
    assert_eq!(pair.state(0, client), Some(TcpState::TimeWait));
    pair.run(Duration::from_secs(120));
    assert_eq!((pair.stacks[0].connections(), pair.stacks[1].connections()), (0, 0));
}

#[test]
fn a_stream_goes_over_and_both_sides_close() {
    transfer(Medium::Ip, SocketAddr::from(([10, 0, 0, 2], 80)));
}

#[test]
fn a_stream_goes_over_ethernet_and_ipv6() {
    transfer(Medium::Ethernet, SocketAddr::from(([0xfd00, 0, 0, 0, 0, 0, 0, 2], 80)));
}

#[test]
fn a_datagram_given_first_leaves_before_the_segment_given_after_it() {
    let (mut stack, now) = (stack(Medium::Ip, 1), Instant::ZERO);
    let peer = SocketAddr::from(([10, 0, 0, 2], 80));
    let socket = stack.udp_bind(SocketAddr::from(([10, 0, 0, 1], 0))).expect("a port is free");
    assert_eq!(stack.udp_send_to(now, socket, b"first", peer), Ok(true));
    stack.connect(now, None, peer, &TcpConfig::default()).expect("there is a way");
    let reasons: Vec<Reason> = std::iter::from_fn(|| stack.transmit(now)).map(|(_, why)| why.reason).collect();
    assert_eq!(reasons, [Reason::Datagram, Reason::ActiveOpen]);
}

#[test]
fn a_stray_is_refused_by_the_host_that_it_reaches_and_forgotten_when_closed() {
    for to in ["10.0.0.2:80", "[fd00::2]:80"] {
        let mut pair = Pair::new(Medium::Ethernet);
        let to: SocketAddr = to.parse().expect("an address");
        let stray = pair.stacks[0].send_stray(pair.now, to).expect("there is a way");
        assert!(!pair.stacks[0].is_stray_answered(stray));
        pair.run(Duration::from_secs(1));
        assert!(pair.stacks[0].is_stray_answered(stray), "{to}");
        let mut events = Vec::new();
        pair.stacks[0].drain_events(&mut events);
        assert_eq!(events, [SocketEvent::Readable(stray)]);
        pair.stacks[0].close(pair.now, stray);
        assert!(!pair.stacks[0].is_stray_answered(stray) && pair.stacks[0].is_quiet());
    }
}

#[test]
fn strays_are_bounded() {
    let mut scanner = stack(Medium::Ip, 1);
    let to = SocketAddr::from(([10, 0, 0, 2], 80));
    let sent = (0..2000).filter(|_| scanner.send_stray(Instant::ZERO, to).is_ok()).count();
    assert_eq!(sent, 1024);
}
