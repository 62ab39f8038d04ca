//! Two stacks and the wire between them, driven by hand: no runtime, no capture, no applications.
//!
//! What a stack costs is measured here, and nothing else: benches, the memory tests and the examples share it.

#![allow(dead_code, reason = "each of its users needs a part of it")]

use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use wireglass::journal::{Event, Snapshot, SocketId};
use wireglass::link::{PacketIds, Pipe, PipeConfig};
use wireglass::packet::{Medium, Packet, segment};
use wireglass::rng::Rng;
use wireglass::stack::{Interface, SocketEvent, Stack, StackConfig, StackKind, TcpConfig};
use wireglass::time::Instant;

/// Where the server of a pair listens.
pub(crate) const PORT: u16 = 80;
/// The client's place in a pair.
pub(crate) const CLIENT: usize = 0;
/// The server's.
pub(crate) const SERVER: usize = 1;

/// What becomes of super-segments at the edge.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Edge {
    /// They are cut to the MTU, with full checksums, as for a lab or a plain device.
    Cuts,
    /// They cross the wire whole, as to a device that cuts by itself.
    Whole,
}

/// Two stacks and the wire between them.
pub(crate) struct Pair {
    /// The present moment.
    pub(crate) now: Instant,
    /// The client's and the server's.
    pub(crate) stacks: [Box<dyn Stack>; 2],
    /// Packets that a wire of this MTU would have carried, both ways.
    pub(crate) packets: u64,
    edge: Edge,
    pipes: [Pipe; 2],
    ids: PacketIds,
    pieces: Vec<Packet>,
    batch: Vec<Packet>,
    journal: Vec<Event>,
    events: Vec<SocketEvent>,
}

/// The address of one side.
pub(crate) fn address(side: usize, v6: bool) -> IpAddr {
    let host = side as u8 + 1;
    if v6 { Ipv6Addr::new(0xfd00, 0, 0, 0, 0, 0, 0, host.into()).into() } else { [10, 0, 0, host].into() }
}

/// A stack for one side.
pub(crate) fn stack(kind: StackKind, side: usize) -> Box<dyn Stack> {
    let mut addresses = vec![(address(side, false), 8), (address(side, true), 64)];
    // More clients than one address has ports.
    addresses.extend((1..8).filter(|_| side == CLIENT).map(|more| ([10, 0, more, 1].into(), 8)));
    let interface = Interface {
        medium: Medium::Ip,
        mac: [2, 0, 0, 0, 0, side as u8 + 1],
        addresses,
        gateways: Vec::new(),
        mtu: 1500,
    };
    kind.make(&StackConfig { interface, seed: side as u64 + 1, tcp: TcpConfig::default() }, Instant::ZERO)
}

impl Pair {
    /// Two stacks of one kind.
    pub(crate) fn new(kind: StackKind, edge: Edge, delay: Duration) -> Pair {
        Pair::of([stack(kind, CLIENT), stack(kind, SERVER)], edge, delay)
    }

    /// These two stacks.
    pub(crate) fn of(mut stacks: [Box<dyn Stack>; 2], edge: Edge, delay: Duration) -> Pair {
        let mtu = if edge == Edge::Cuts { 1500 } else { 65_535 + 40 };
        // Nobody listens.
        stacks.iter_mut().for_each(|stack| stack.set_telling(false));
        let pipe = |label| Pipe::new(PipeConfig { delay, mtu, ..PipeConfig::clean(label) }, Rng::derive(1, label));
        Pair {
            now: Instant::ZERO,
            stacks,
            packets: 0,
            edge,
            pipes: [pipe("there"), pipe("back")],
            ids: PacketIds::default(),
            pieces: Vec::new(),
            batch: Vec::new(),
            journal: Vec::new(),
            events: Vec::new(),
        }
    }

    /// Does everything that is due at this moment, until nothing more happens at it.
    pub(crate) fn settle(&mut self) {
        while self.turn() {}
    }

    /// Lets `span` pass.
    pub(crate) fn run(&mut self, span: Duration) {
        let end = self.now + span;
        loop {
            self.settle();
            match self.deadline().filter(|at| *at <= end) {
                Some(at) => self.now = at,
                None => break self.now = end,
            }
        }
    }

    /// Goes to the next moment at which something happens, and lets it happen; `false` when nothing ever will.
    pub(crate) fn step(&mut self) -> bool {
        self.settle();
        let Some(at) = self.deadline() else { return false };
        self.now = at.max(self.now);
        self.settle();
        true
    }

    fn turn(&mut self) -> bool {
        let mut happened = false;
        for side in [CLIENT, SERVER] {
            let stack = &mut self.stacks[side];
            while let Some(packet) = self.pipes[1 - side].deliver(self.now) {
                self.batch.push(packet);
            }
            if !self.batch.is_empty() {
                happened = true;
                stack.receive(self.now, &mut self.batch);
            }
            if stack.deadline().is_some_and(|(at, _)| at <= self.now) {
                happened = true;
                stack.expire(self.now);
            }
            while let Some((packet, _)) = stack.transmit(self.now) {
                happened = true;
                let size = packet.gso_size().map_or(usize::MAX, |size| usize::from(size.get()));
                self.packets += packet.payload_len().div_ceil(size).max(1) as u64;
                match self.edge {
                    Edge::Cuts => segment::cut(packet, &mut self.pieces),
                    Edge::Whole => self.pieces.push(packet),
                }
                for mut piece in self.pieces.drain(..) {
                    piece.id = self.ids.allocate();
                    self.pipes[side].offer(self.now, piece, &mut self.ids, &mut Vec::new());
                }
            }
            stack.drain_journal(&mut self.journal);
            stack.drain_events(&mut self.events);
            self.journal.clear();
            self.events.clear();
        }
        happened
    }

    fn deadline(&mut self) -> Option<Instant> {
        let pipes = self.pipes.iter().filter_map(Pipe::deadline).min();
        let stacks = self.stacks.iter_mut().filter_map(|stack| stack.deadline().map(|(at, _)| at)).min();
        pipes.into_iter().chain(stacks).min()
    }

    /// A listener of the server.
    pub(crate) fn listen(&mut self, backlog: usize, config: &TcpConfig) -> SocketId {
        self.stacks[SERVER].listen(SocketAddr::new(address(SERVER, false), PORT), backlog, config).expect("it is free")
    }

    /// A connection of the client to the server, begun.
    pub(crate) fn begin(&mut self, from: Option<SocketAddr>, config: &TcpConfig) -> SocketId {
        let to = SocketAddr::new(address(SERVER, false), PORT);
        self.stacks[CLIENT].connect(self.now, from, to, config).expect("there is a way and a port")
    }

    /// A connection, open at both ends: the client's socket and the server's.
    pub(crate) fn connect(&mut self, listener: SocketId, config: &TcpConfig) -> [SocketId; 2] {
        self.connect_from(None, listener, config)
    }

    /// As [`Pair::connect`], from an address of the client.
    pub(crate) fn connect_from(
        &mut self,
        from: Option<SocketAddr>,
        listener: SocketId,
        config: &TcpConfig,
    ) -> [SocketId; 2] {
        let client = self.begin(from, config);
        loop {
            if let Some((server, _)) = self.stacks[SERVER].accept(self.now, listener) {
                self.settle();
                return [client, server];
            }
            assert!(self.step(), "the handshake ends");
        }
    }

    /// Moves `octets` from one side of a connection to the other; nothing that arrives is looked at.
    pub(crate) fn transfer(&mut self, sockets: [SocketId; 2], from: usize, octets: usize, buffer: &mut [u8]) {
        let (mut given, mut taken) = (0, 0);
        while taken < octets {
            while given < octets {
                let piece = buffer.len().min(octets - given);
                match self.stacks[from].send(self.now, sockets[from], &buffer[..piece]) {
                    Ok(0) => break,
                    Ok(some) => given += some,
                    Err(error) => panic!("the sender fails: {error}"),
                }
            }
            self.step();
            while let Some(some) =
                self.stacks[1 - from].receive_into(self.now, sockets[1 - from], buffer).expect("the receiver reads")
            {
                taken += some;
            }
        }
        self.settle();
    }

    /// What one side knows of its connection.
    pub(crate) fn snapshot(&self, sockets: [SocketId; 2], side: usize) -> Option<Snapshot> {
        self.stacks[side].snapshot(sockets[side])
    }
}
