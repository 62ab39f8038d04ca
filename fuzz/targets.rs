//! What is fuzzed: functions from any octets to nothing, which panic when something is wrong.
//!
//! libFuzzer calls them (`fuzz_targets/`), and so does a test on the stable compiler with input of its own
//! (`tests/fuzz.rs`).

#![allow(dead_code, reason = "each fuzz target needs one of them")]

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use bytes::Bytes;
use wireglass::drill::language::script::Script;
use wireglass::drill::run::{Options, run};
use wireglass::journal::{Snapshot, SocketId, TcpState};
use wireglass::packet::checksum::{self, Sum};
use wireglass::packet::dissect::TcpOptions;
use wireglass::packet::{Medium, Packet, TcpFlags, describe, segment};
use wireglass::stack::{Interface, Stack, StackConfig, StackKind, TcpConfig};
use wireglass::time::Instant;

const LOCAL: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(10, 0, 0, 1));
const REMOTE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(10, 0, 0, 2));
const MTU: usize = 1500;

/// Any octets are a packet: it keeps them, and every view of it is there.
pub(crate) fn packets(data: &[u8]) {
    for medium in [Medium::Ip, Medium::Ethernet] {
        let packet = Packet::from_wire(medium, Bytes::copy_from_slice(data));
        assert_eq!(packet.to_bytes(), data);
        let dissection = packet.dissect();
        assert!(dissection.payload.start <= dissection.payload.end);
        describe::layers(medium, data, data.len());
        describe::summary(medium, data);
        checksum::verify(medium, data);
        let mut pieces = Vec::new();
        segment::cut(packet, &mut pieces);
        assert_eq!(pieces.len(), 1);
    }
}

/// The option octets of a TCP header.
pub(crate) fn options(data: &[u8]) {
    let options = TcpOptions::read(data);
    assert!(options.sack.len() * 8 <= data.len());
    assert!(options.mss.is_none() || data.contains(&2));
}

/// The text of a script; what can be read is run on both stacks.
pub(crate) fn scripts(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let Ok(script) = Script::parse(text, "fuzz.pkt") else { return };
    for stack in [StackKind::Native, StackKind::Smoltcp] {
        run(&script, &Options { stack, ..Options::default() });
    }
}

/// A life of one connection: octets choose what the peer sends, near what would be right, what the application asks for,
/// and how much time passes. Whatever happens, memory stays within the buffers, what is sent is well formed, and the
/// stack comes to rest.
pub(crate) fn connection(data: &[u8]) {
    let mut input = Input(data);
    let mut life = Life::begin(&mut input);
    while !input.0.is_empty() {
        life.step(&mut input);
        life.check();
        if life.is_over() {
            life.end();
            life = Life::begin(&mut input);
        }
    }
    life.end();
}

/// What is left of the input; zeros when nothing is.
struct Input<'a>(&'a [u8]);

impl Input<'_> {
    fn octet(&mut self) -> u8 {
        let Some((first, rest)) = self.0.split_first() else { return 0 };
        self.0 = rest;
        *first
    }

    fn word(&mut self) -> u16 {
        u16::from_be_bytes([self.octet(), self.octet()])
    }

    /// A number that is mostly near zero, on either side of it.
    fn offset(&mut self) -> u32 {
        match self.octet() % 8 {
            0..=3 => 0,
            4 => u32::from(self.octet()),
            5 => u32::from(self.octet()).wrapping_neg(),
            6 => u32::from(self.word()),
            _ => u32::from(self.word()) << 16 | u32::from(self.word()),
        }
    }
}

struct Life {
    now: Instant,
    stack: Box<dyn Stack>,
    socket: SocketId,
    /// The peer's own next sequence number, before the stack knows it.
    next: u32,
    config: TcpConfig,
    /// Whether the application has given the socket up.
    closed: bool,
    buffer: Vec<u8>,
}

impl Life {
    fn begin(input: &mut Input<'_>) -> Life {
        let switches = input.octet();
        let config = TcpConfig {
            timestamps: switches & 1 == 0,
            sack: switches & 2 == 0,
            no_delay: switches & 4 != 0,
            keep_alive: (switches & 8 != 0).then_some(Duration::from_secs(10)),
            user_timeout: (switches & 16 != 0).then_some(Duration::from_secs(20)),
            ..TcpConfig::default()
        };
        let interface = Interface {
            medium: Medium::Ip,
            mac: [2, 0, 0, 0, 0, 1],
            addresses: vec![(LOCAL, 24)],
            gateways: vec![],
            mtu: MTU,
        };
        let now = Instant::ZERO;
        let mut stack = StackKind::Native.make(&StackConfig { interface, seed: 1, tcp: config.clone() }, now);
        let (local, remote) = (SocketAddr::new(LOCAL, 80), SocketAddr::new(REMOTE, 4000));
        let socket = if switches & 32 == 0 {
            stack.connect(now, Some(local), remote, &config).expect("there is a way")
        } else {
            stack.listen(local, 4, &config).expect("the port is free")
        };
        let mut life = Life { now, stack, socket, next: 1000, config, closed: false, buffer: vec![0; 70_000] };
        life.drain();
        life
    }

    /// Whether nothing can happen any more.
    fn is_over(&self) -> bool {
        self.stack.snapshot(self.socket).is_some_and(|known| known.state == TcpState::Closed)
    }

    /// Gives the socket up, and waits as long as anything may last.
    fn end(mut self) {
        self.stack.abort(self.now, self.socket);
        self.drain();
        self.pass(Duration::from_secs(3600));
        assert!(self.stack.is_quiet(), "nobody holds it and it never ends");
    }

    fn step(&mut self, input: &mut Input<'_>) {
        match input.octet() % 16 {
            0..=8 => self.segment(input),
            9 => {
                let octets = usize::from(input.word());
                let _ = self.stack.send(self.now, self.socket, &self.buffer[..octets]);
            }
            10 => {
                let octets = usize::from(input.word());
                let _ = self.stack.receive_into(self.now, self.socket, &mut self.buffer[..octets]);
            }
            11 => self.pass(Duration::from_millis(input.word().into())),
            12 => self.pass(Duration::from_secs(input.octet().into())),
            13 => self.stack.shutdown(self.now, self.socket),
            14 => {
                if let Some((socket, _)) = self.stack.accept(self.now, self.socket) {
                    self.stack.close(self.now, std::mem::replace(&mut self.socket, socket));
                }
            }
            _ => {
                self.closed |= input.octet() == 0;
                if self.closed {
                    self.stack.close(self.now, self.socket);
                }
            }
        }
        self.drain();
    }

    /// A segment near what the connection expects.
    fn segment(&mut self, input: &mut Input<'_>) {
        let known = self.stack.snapshot(self.socket).unwrap_or_default();
        let flags = match input.octet() {
            0..=99 => TcpFlags::ACK.0,
            100..=149 => TcpFlags::SYN.0,
            150..=189 => TcpFlags::SYN.0 | TcpFlags::ACK.0,
            _ => input.octet(),
        };
        let expected = match known.rcv_nxt {
            Some(next) if known.state != TcpState::SynSent => next.0,
            _ => self.next,
        };
        let seq = expected.wrapping_add(input.offset());
        let ack = known.snd_nxt.map_or(0, |next| next.0).wrapping_sub(input.offset());
        let window = input.word();
        let (mut options, urgent) = (Vec::new(), input.octet());
        for _ in 0..input.octet() % 4 {
            options.extend(option(input, &known));
        }
        options.truncate(40);
        while !options.len().is_multiple_of(4) {
            options.push(1);
        }
        let length = usize::from(input.word() % 1600);
        let frame = frame(seq, ack, flags, window, u16::from(urgent), &options, length);
        self.stack.receive(self.now, &mut vec![Packet::from_wire(Medium::Ip, Bytes::from(frame))]);
        if flags & TcpFlags::SYN.0 != 0 {
            self.next = seq.wrapping_add(1);
        }
    }

    /// Lets time pass; a timer that fires moves the stack on.
    fn pass(&mut self, span: Duration) {
        let end = self.now + span;
        let mut fired = 0;
        while let Some((at, wake)) = self.stack.deadline().filter(|(at, _)| *at <= end) {
            self.now = self.now.max(at);
            self.stack.expire(self.now);
            self.drain();
            fired += 1;
            assert!(fired < 100_000, "{wake:?} fires again and again");
        }
        self.now = end;
    }

    /// Takes out what the stack sends: it comes to an end, and could be on a wire.
    fn drain(&mut self) {
        let mut pieces = Vec::new();
        for count in 0.. {
            let Some((packet, _)) = self.stack.transmit(self.now) else { break };
            assert!(count < 10_000, "it never stops sending");
            segment::cut(packet, &mut pieces);
            for piece in pieces.drain(..) {
                let bytes = piece.to_bytes();
                assert!(bytes.len() <= MTU, "{} octets are more than the MTU", bytes.len());
                assert!(checksum::verify(Medium::Ip, &bytes).is_good(), "a bad checksum");
                assert_eq!(piece.dissect().malformed, None);
            }
        }
        self.stack.drain_events(&mut Vec::new());
        self.stack.drain_journal(&mut Vec::new());
    }

    fn check(&self) {
        let Some(known) = self.stack.snapshot(self.socket) else { return };
        assert!(known.send_queue <= self.config.send_buffer, "{known:?}");
        // One segment may go beyond a window that was announced and then shrank.
        assert!(known.receive_queue <= self.config.receive_buffer + MTU, "{known:?}");
        if let (Some(una), Some(next)) = (known.snd_una, known.snd_nxt) {
            assert!(una.at_or_before(next), "{known:?}");
        }
    }
}

/// One option: right, nearly right, or noise.
fn option(input: &mut Input<'_>, known: &Snapshot) -> Vec<u8> {
    let word = |number: u32| number.to_be_bytes();
    match input.octet() % 8 {
        0 => [&[2, 4][..], &input.word().to_be_bytes()].concat(),
        1 => vec![3, 3, input.octet()],
        2 => vec![4, 2],
        3 => [&[8, 10][..], &word(input.offset()), &word(input.offset())].concat(),
        4 | 5 => {
            let una = known.snd_una.map_or(0, |una| una.0);
            let left = una.wrapping_add(input.offset());
            [&[5, 10][..], &word(left), &word(left.wrapping_add(input.offset()))].concat()
        }
        6 => vec![1],
        _ => (0..input.octet() % 8).map(|_| input.octet()).collect(),
    }
}

/// A packet from the peer with right checksums: what is wrong in it is TCP's to find.
fn frame(seq: u32, ack: u32, flags: u8, window: u16, urgent: u16, options: &[u8], length: usize) -> Vec<u8> {
    let (IpAddr::V4(src), IpAddr::V4(dst)) = (REMOTE, LOCAL) else { return Vec::new() };
    let total = 40 + options.len() + length;
    let mut frame = vec![0x45, 0];
    frame.extend_from_slice(&(total as u16).to_be_bytes());
    frame.extend_from_slice(&[0, 0, 0x40, 0, 64, 6, 0, 0]);
    frame.extend_from_slice(&src.octets());
    frame.extend_from_slice(&dst.octets());
    let sum = Sum::new().add_bytes(&frame).complement();
    frame[10..12].copy_from_slice(&sum.to_be_bytes());
    frame.extend_from_slice(&4000_u16.to_be_bytes());
    frame.extend_from_slice(&80_u16.to_be_bytes());
    frame.extend_from_slice(&seq.to_be_bytes());
    frame.extend_from_slice(&ack.to_be_bytes());
    frame.extend_from_slice(&[((20 + options.len()) as u8 / 4) << 4, flags]);
    frame.extend_from_slice(&window.to_be_bytes());
    frame.extend_from_slice(&[0, 0]);
    frame.extend_from_slice(&urgent.to_be_bytes());
    frame.extend_from_slice(options);
    frame.resize(total, 7);
    let sum = Sum::new().add_pseudo_header(REMOTE, LOCAL, 6, (total - 20) as u32);
    let sum = sum.add_bytes(&frame[20..]).complement();
    frame[36..38].copy_from_slice(&sum.to_be_bytes());
    frame
}
