//! Segment in, reasons out: a stack and a peer written down by hand, in virtual time.
//!
//! Sequence numbers are relative: ours to the stack's first, the peer's to [`ISS`].

mod data;
mod endings;
mod families;
mod opening;
mod ways;

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use super::super::SmoltcpStack;
use crate::journal::{DropReason, Event, Reason, SocketId, TcpState, Timer, Why};
use crate::packet::dissect::Network;
use crate::packet::{Dissection, Medium, Packet, SeqNum};
use crate::stack::{CloseReason, Interface, OpenError, SocketError, SocketEvent, Stack, StackConfig, TcpConfig};
use crate::time::Instant;

const ISS: u32 = 5_000;
const PEER_PORT: u16 = 4_000;
const OWN_PORT: u16 = 80;
const MSS: usize = 1_000;
const SECOND: Duration = Duration::from_secs(1);

fn own(v6: bool) -> IpAddr {
    if v6 { [0xfd00, 0, 0, 0, 0, 0, 0, 1].into() } else { [10, 0, 0, 1].into() }
}

fn peer() -> SocketAddr {
    SocketAddr::from(([10, 0, 0, 2], PEER_PORT))
}

fn any(port: u16) -> SocketAddr {
    SocketAddr::from(([0; 4], port))
}

fn interface(medium: Medium, addresses: &[(IpAddr, u8)]) -> Interface {
    Interface { medium, mac: [2, 0, 0, 0, 0, 1], addresses: addresses.to_vec(), gateways: Vec::new(), mtu: 1500 }
}

fn stack_with(medium: Medium, addresses: &[(IpAddr, u8)]) -> SmoltcpStack {
    let config = StackConfig { interface: interface(medium, addresses), seed: 1, tcp: prompt() };
    SmoltcpStack::new(&config, Instant::ZERO)
}

fn both_families() -> [(IpAddr, u8); 2] {
    [(own(false), 24), (own(true), 64)]
}

/// No Nagle, no delayed acknowledgments: what is to be sent is sent at once.
fn prompt() -> TcpConfig {
    TcpConfig { no_delay: true, delayed_ack: None, ..TcpConfig::default() }
}

/// A segment of the peer.
#[derive(Clone, Copy)]
struct Segment<'a> {
    flags: &'a str,
    seq: u32,
    ack: u32,
    window: u16,
    data: &'a [u8],
}

fn ack(seq: u32, ack: u32) -> Segment<'static> {
    Segment { flags: "A", seq, ack, window: 60_000, data: b"" }
}

fn flags(flags: &'static str, seq: u32, acknowledged: u32) -> Segment<'static> {
    Segment { flags, ..ack(seq, acknowledged) }
}

fn data(seq: u32, acknowledged: u32, data: &[u8]) -> Segment<'_> {
    Segment { flags: "AP", data, ..ack(seq, acknowledged) }
}

/// What the stack sent.
#[derive(Debug)]
struct Sent {
    why: Why,
    flags: String,
    seq: u32,
    len: usize,
}

struct Scene {
    stack: SmoltcpStack,
    now: Instant,
    socket: SocketId,
    /// The stack's first sequence number.
    iss: SeqNum,
    own_port: u16,
    journal: Vec<Event>,
    events: Vec<SocketEvent>,
    sent: Vec<Sent>,
}

impl Scene {
    /// An active open whose SYN is out.
    fn opening(config: &TcpConfig) -> Scene {
        let mut stack = stack_with(Medium::Ip, &both_families());
        let socket = stack.connect(Instant::ZERO, None, peer(), config).expect("a port is free");
        let own_port = stack.local_address(socket).expect("it is bound").port();
        Scene::with(stack, socket, own_port)
    }

    fn with(stack: SmoltcpStack, socket: SocketId, own_port: u16) -> Scene {
        let iss = SeqNum(0);
        Scene {
            stack,
            now: Instant::ZERO,
            socket,
            iss,
            own_port,
            journal: Vec::new(),
            events: Vec::new(),
            sent: Vec::new(),
        }
    }

    /// An active open that has succeeded. The next octet of either side has the number 1.
    fn open(config: &TcpConfig) -> Scene {
        let mut scene = Scene::opening(config);
        assert_eq!(scene.says(), ["active-open"]);
        assert_eq!(scene.hears(flags("SA", 0, 1)), ["complete-open"]);
        scene
    }

    /// A listener on [`OWN_PORT`].
    fn listening() -> Scene {
        let mut stack = stack_with(Medium::Ip, &both_families());
        let listener = stack.listen(any(OWN_PORT), 4, &TcpConfig::default()).expect("the port is free");
        Scene::with(stack, listener, OWN_PORT)
    }

    fn packet(&self, segment: Segment<'_>) -> Packet {
        let tcp = etherparse::TcpHeader {
            source_port: PEER_PORT,
            destination_port: self.own_port,
            sequence_number: ISS.wrapping_add(segment.seq),
            acknowledgment_number: (self.iss + segment.ack).0,
            window_size: segment.window,
            ack: segment.flags.contains('A'),
            syn: segment.flags.contains('S'),
            fin: segment.flags.contains('F'),
            rst: segment.flags.contains('R'),
            psh: segment.flags.contains('P'),
            ..etherparse::TcpHeader::default()
        };
        let tcp = match segment.flags.contains('S') {
            true => {
                let mut tcp = tcp;
                let mss = etherparse::TcpOptionElement::MaximumSegmentSize(MSS as u16);
                tcp.set_options(&[mss]).expect("four octets fit");
                tcp
            }
            false => tcp,
        };
        let builder = etherparse::PacketBuilder::ipv4([10, 0, 0, 2], [10, 0, 0, 1], 64).tcp_header(tcp);
        let mut bytes = Vec::new();
        builder.write(&mut bytes, segment.data).expect("a vector takes every packet");
        Packet::from_wire(Medium::Ip, bytes.into())
    }

    /// The stack takes in these segments as one batch; what it says then.
    fn hears_batch(&mut self, segments: &[Segment<'_>]) -> Vec<&'static str> {
        let mut batch = segments.iter().map(|segment| self.packet(*segment)).collect();
        self.stack.receive(self.now, &mut batch);
        self.says()
    }

    fn hears(&mut self, segment: Segment<'_>) -> Vec<&'static str> {
        self.hears_batch(&[segment])
    }

    /// All that the stack sends at this moment, by the names of the reasons.
    fn says(&mut self) -> Vec<&'static str> {
        let first = self.sent.len();
        while let Some((packet, why)) = self.stack.transmit(self.now) {
            let bytes = packet.to_bytes();
            let dissection = Dissection::of(Medium::Ip, &bytes, bytes.len());
            let tcp = dissection.tcp().expect("it speaks TCP here");
            if tcp.flags.syn() {
                self.iss = tcp.seq;
            }
            let (flags, seq) = (tcp.flags.to_string(), tcp.seq.offset_from(self.iss));
            self.sent.push(Sent { why, flags, seq, len: tcp.payload_len });
        }
        self.stack.drain_journal(&mut self.journal);
        self.stack.drain_events(&mut self.events);
        self.sent[first..].iter().map(|sent| sent.why.reason.name()).collect()
    }

    fn last(&self) -> &Sent {
        self.sent.last().expect("it has said something")
    }

    fn writes(&mut self, octets: usize) -> Vec<&'static str> {
        assert_eq!(self.stack.send(self.now, self.socket, &vec![7; octets]), Ok(octets));
        self.says()
    }

    fn reads(&mut self) -> Result<Option<usize>, SocketError> {
        self.stack.receive_into(self.now, self.socket, &mut [0; 100_000])
    }

    /// Lets timers fire until the stack says something, at most for so long.
    fn waits(&mut self, at_most: Duration) -> Vec<&'static str> {
        let end = self.now + at_most;
        while let Some((at, _)) = self.stack.deadline().filter(|(at, _)| *at <= end) {
            self.now = at.max(self.now);
            self.stack.expire(self.now);
            let said = self.says();
            if !said.is_empty() {
                return said;
            }
        }
        self.now = end;
        Vec::new()
    }

    fn closed_because(&self) -> Option<CloseReason> {
        self.events.iter().find_map(|event| match event {
            SocketEvent::Closed(socket, reason) if *socket == self.socket => Some(*reason),
            SocketEvent::Closed(..)
            | SocketEvent::Readable(_)
            | SocketEvent::Writable(_)
            | SocketEvent::Acceptable(_)
            | SocketEvent::Connected(_)
            | SocketEvent::Urgent(_) => None,
        })
    }

    fn fired(&self, timer: Timer) -> usize {
        self.journal
            .iter()
            .filter(|event| matches!(event, Event::TimerFired { timer: one, .. } if *one == timer))
            .count()
    }

    fn retransmissions(&self) -> usize {
        self.journal.iter().filter(|event| matches!(event, Event::Retransmit { .. })).count()
    }

    fn state(&self) -> TcpState {
        self.stack.snapshot(self.socket).expect("it is there").state
    }

    /// Accepts the connection of a listener whose handshake is played here.
    fn accepts(&mut self) -> SocketId {
        assert_eq!(self.hears(flags("S", 0, 0)), ["answer-open"]);
        assert!(self.hears(ack(1, 1)).is_empty());
        let (socket, _) = self.stack.accept(self.now, self.socket).expect("the handshake is over");
        socket
    }
}
