//! Two engines, back to back, with a wire between them that does its worst.
//!
//! ```text
//!   application ─ engine 0 ══► loses, repeats, delays, and so reorders ══► engine 1 ─ application
//!                          ◄══                                          ◄══
//! ```
//!
//! Time is virtual and all chance comes from the plan's seed: a failing plan fails again. Segments travel as the packets
//! that they would be: with headers, cut to size by [`segment::cut`], and read again.

use std::collections::BTreeMap;
use std::time::Duration;

use super::notation::octets;
use super::wire::ends;
use crate::journal::{SocketId, TcpState};
use crate::packet::dissect::Transport;
use crate::packet::{Checksum, Medium, Packet, PacketId, segment};
use crate::rng::Rng;
use crate::tcp::{Arrival, CHECKSUM_OFFSET, Config, Departure, Ends, Engine, Segment};
use crate::time::Instant;
use crate::transport::SocketEvent;

/// What the wire and the applications do.
#[derive(Clone, Debug)]
pub(super) struct Plan {
    pub(super) seed: u64,
    /// Of a hundred packets, so many are lost.
    pub(super) loss: u64,
    /// Of a hundred packets, so many come twice.
    pub(super) duplication: u64,
    /// Packets of more octets vanish without a word.
    pub(super) width: usize,
    /// Every packet takes 10 ms, and up to this much longer.
    pub(super) jitter: Duration,
    /// What each side sends, in octets.
    pub(super) lengths: [usize; 2],
    /// An application reads at most so much at once …
    pub(super) gulp: usize,
    /// … and comes by so often.
    pub(super) pause: Duration,
    pub(super) configs: [Config; 2],
    /// When the run begins: initial sequence numbers follow from it.
    pub(super) start: Instant,
    /// Segments arrive whole, as a device with large receive offload hands them on.
    pub(super) keeps_super_segments: bool,
}

impl Default for Plan {
    fn default() -> Plan {
        Plan {
            seed: 1,
            loss: 0,
            duplication: 0,
            width: 1500,
            jitter: Duration::ZERO,
            lengths: [100_000, 50_000],
            gulp: 100_000,
            pause: Duration::from_millis(1),
            configs: [patient(), patient()],
            start: Instant::ZERO,
            keeps_super_segments: false,
        }
    }
}

/// The defaults, but a handshake goes on for long.
pub(super) fn patient() -> Config {
    Config { syn_retries: 20, syn_ack_retries: 20, ..Config::default() }
}

/// How the connection is to begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Beginning {
    /// Side 0 opens, side 1 listens.
    OneSide,
    /// Both open at once.
    BothSides,
}

/// One of the two hosts.
struct Side {
    engine: Engine,
    socket: Option<SocketId>,
    listener: Option<SocketId>,
    written: usize,
    read: usize,
    ended: bool,
    closed: bool,
    states: Vec<TcpState>,
}

/// Both hosts and the wire. See the [module](self).
pub(super) struct Pair {
    pub(super) plan: Plan,
    pub(super) now: Instant,
    sides: [Side; 2],
    wire: BTreeMap<(Instant, u64), (usize, Segment)>,
    rng: Rng,
    serial: u64,
    /// What side 0 has put on the wire, before the wire did its worst.
    pub(super) sent: Vec<(Instant, Segment)>,
}

/// Longer than any transfer here takes.
const LONGEST: Duration = Duration::from_secs(24 * 3600);

pub(super) fn client_ends() -> Ends {
    ends("10.0.0.1:5000", "10.0.0.2:80")
}

impl Pair {
    pub(super) fn new(plan: Plan, beginning: Beginning) -> Pair {
        let side = |seed| Side {
            engine: Engine::new(seed, 1500),
            socket: None,
            listener: None,
            written: 0,
            read: 0,
            ended: false,
            closed: false,
            states: Vec::new(),
        };
        let mut sides = [side(plan.seed), side(plan.seed.wrapping_add(1))];
        let ends = client_ends();
        let open = |side: &mut Side, local, remote, config| {
            side.socket = side.engine.connect(plan.start, local, remote, config).ok();
        };
        open(&mut sides[0], ends.local, ends.remote, &plan.configs[0]);
        match beginning {
            Beginning::OneSide => sides[1].listener = sides[1].engine.listen(ends.remote, 0, &plan.configs[1]).ok(),
            Beginning::BothSides => open(&mut sides[1], ends.remote, ends.local, &plan.configs[1]),
        }
        let rng = Rng::derive(plan.seed, "wire");
        Pair { now: plan.start, sides, wire: BTreeMap::new(), rng, serial: 0, sent: Vec::new(), plan }
    }

    /// Lets everything happen: both streams go over, both sides close, and at the end nothing of them is left.
    pub(super) fn run(&mut self) {
        let mut next_visit = self.now;
        let end = self.now + LONGEST;
        while self.now < end {
            if self.now >= next_visit {
                (0..2).for_each(|side| self.visit(side));
                next_visit = self.now + self.plan.pause;
            }
            (0..2).for_each(|side| self.drain(side));
            let over = self.sides.iter().all(|side| side.closed && side.engine.is_empty());
            if over {
                break;
            }
            let visit = self.sides.iter().any(|side| !side.closed).then_some(next_visit);
            let arrival = self.wire.keys().next().map(|(at, _)| *at);
            let timers = self.sides.iter_mut().filter_map(|side| side.engine.deadline().map(|(at, ..)| at));
            let Some(next) = timers.chain(arrival).chain(visit).min() else { break };
            self.now = self.now.max(next);
            self.deliver();
            self.sides.iter_mut().for_each(|side| side.engine.expire(self.now));
        }
        for side in 0..2 {
            let other = &self.sides[1 - side];
            assert!(other.ended && other.read == self.plan.lengths[side], "side {side}: {} arrived", other.read);
            assert!(self.sides[side].engine.is_empty(), "side {side} keeps something");
        }
    }

    /// The states that a side's application has seen.
    pub(super) fn states(&self, side: usize) -> &[TcpState] {
        &self.sides[side].states
    }

    /// An application comes by: writes what finds room, reads a gulp, closes when all is done.
    fn visit(&mut self, index: usize) {
        let (now, gulp) = (self.now, self.plan.gulp);
        let (own, peers) = (self.plan.lengths[index], self.plan.lengths[1 - index]);
        let side = &mut self.sides[index];
        if side.socket.is_none() {
            side.socket = side.listener.and_then(|listener| side.engine.accept(listener)).map(|(socket, _)| socket);
        }
        let Some(socket) = side.socket.filter(|_| !side.closed) else { return };
        let Some(state) = side.engine.snapshot(socket).map(|snapshot| snapshot.state) else { return };
        if side.states.last() != Some(&state) {
            side.states.push(state);
        }
        if side.written < own {
            let data = octets(side.written as u64, (own - side.written).min(gulp));
            side.written += side.engine.send(now, socket, &data).expect("the stream is open");
        }
        if side.written == own && state != TcpState::SynSent {
            side.engine.shutdown(now, socket);
        }
        let mut buffer = vec![0; gulp];
        match side.engine.receive_into(now, socket, &mut buffer).expect("the connection is sound") {
            Some(0) => side.ended = true,
            Some(taken) => {
                assert_eq!(buffer[..taken], octets(side.read as u64, taken), "side {index} from {} on", side.read);
                side.read += taken;
                assert!(side.read <= peers);
            }
            None => {}
        }
        if side.ended && side.written == own {
            side.engine.close(now, socket);
            side.closed = true;
            if let Some(listener) = side.listener.take() {
                side.engine.close(now, listener);
            }
        }
    }

    fn drain(&mut self, index: usize) {
        while let Some(departure) = self.sides[index].engine.transmit(self.now) {
            let pieces = if self.plan.keeps_super_segments { vec![departure.segment] } else { cut(departure) };
            for piece in pieces {
                if index == 0 {
                    self.sent.push((self.now, piece.clone()));
                }
                self.carry(1 - index, piece);
            }
        }
        let (mut events, mut journal): (Vec<SocketEvent>, Vec<_>) = (Vec::new(), Vec::new());
        self.sides[index].engine.drain_events(&mut events);
        self.sides[index].engine.drain_journal(&mut journal);
    }

    fn carry(&mut self, to: usize, segment: Segment) {
        let copies = 1 + u64::from(self.rng.below(100) < self.plan.duplication);
        for _ in 0..copies {
            let too_long = 20 + segment.header(&client_ends()).len() + segment.len() as usize > self.plan.width;
            let lost = self.rng.below(100) < self.plan.loss || too_long;
            let late = Duration::from_nanos(self.rng.below(self.plan.jitter.as_nanos() as u64 + 1));
            self.serial += 1;
            if !lost {
                let at = self.now + Duration::from_millis(10) + late;
                self.wire.insert((at, self.serial), (to, segment.clone()));
            }
        }
    }

    fn deliver(&mut self) {
        while let Some(entry) = self.wire.first_entry().filter(|entry| entry.key().0 <= self.now) {
            let (to, segment) = entry.remove();
            let Ends { local, remote } = client_ends();
            let ends = if to == 0 { Ends { local, remote } } else { Ends { local: remote, remote: local } };
            self.sides[to].engine.receive(self.now, Arrival { ends, segment, packet: PacketId(1) });
        }
    }
}

/// The packets that a segment becomes on the wire, read again at its other end.
pub(super) fn cut(departure: Departure) -> Vec<Segment> {
    let Departure { ends, segment, .. } = departure;
    let header = segment.header(&ends);
    let (local, remote) = ([10, 0, 0, 1], [10, 0, 0, 2]);
    let length = (header.len() + segment.len() as usize) as u16;
    let ip = etherparse::Ipv4Header::new(length, 64, etherparse::IpNumber::TCP, local, remote);
    let mut headers = ip.expect("it fits an IPv4 packet").to_bytes().to_vec();
    headers.extend_from_slice(&header);
    let mut packet = Packet::new(Medium::Ip, &headers);
    segment.payload.iter().for_each(|chunk| packet.push_payload(chunk.clone()));
    packet.set_gso_size(segment.gso_size);
    packet.set_checksum(Checksum::Partial { start: 20, offset: CHECKSUM_OFFSET });
    let mut pieces = Vec::new();
    segment::cut(packet, &mut pieces);
    let read = |piece: &Packet| {
        let Some(Transport::Tcp(tcp)) = piece.dissect().transport else { panic!("a piece is a TCP packet") };
        assert!(piece.len() <= 1500, "a piece of {} octets", piece.len());
        let payload = piece.payload().iter().cloned().collect();
        let (ecn, gso_size) = (segment.ecn, None);
        let (seq, ack, flags) = (tcp.seq, tcp.ack, tcp.flags);
        Segment {
            seq,
            ack,
            flags,
            window: tcp.window,
            urgent: tcp.urgent,
            options: tcp.options,
            payload,
            gso_size,
            ecn,
        }
    };
    pieces.iter().map(read).collect()
}
