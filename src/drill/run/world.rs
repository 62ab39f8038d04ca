//! The stack under test on a wire of its own, and the clock of both.
//!
//! Time moves only here, from one timer to the next, so that every timer fires at its exact deadline. The stack's law is
//! kept: packets are handed over, then it is drained, then it is asked when it wants to be called again.

use std::collections::{BTreeMap, VecDeque};

use smallvec::SmallVec;

use crate::capture::{Direction, Record, Remark};
use crate::drill::packets::connections::Connections;
use crate::drill::packets::read::{Sent, read};
use crate::drill::posix::Posix;
use crate::journal::{Event, SocketId, TcpState, Why};
use crate::packet::{Packet, PacketId, segment};
use crate::time::Instant;

use super::transcript::{Fate, Transcript};

/// Packets that a stack may send, and times it may ask to be called, within one moment. A stack that does more never rests.
const MOST_AT_ONCE: u32 = 100_000;

/// The stack is never done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Restless;

/// A stack on a wire.
pub(super) struct World {
    /// What the script's calls go to.
    pub(super) posix: Posix,
    /// What has happened.
    pub(super) transcript: Transcript,
    now: Instant,
    /// Packets that came out and that no event has looked at, with their numbers in the transcript.
    waiting: VecDeque<(u64, Sent)>,
    /// Every packet of the wire, where a capture is wanted.
    records: Option<Vec<Record>>,
    /// Times the stack was called in this moment.
    calls: u32,
    /// The states of connections, as the stack's journal tells.
    states: BTreeMap<SocketId, TcpState>,
    /// Room for what the journal tells, kept from time to time.
    told: Vec<Event>,
}

impl World {
    /// A stack on a silent wire.
    pub(super) fn new(posix: Posix, transcript: Transcript, is_captured: bool) -> World {
        World {
            posix,
            transcript,
            now: Instant::ZERO,
            waiting: VecDeque::new(),
            records: is_captured.then(Vec::new),
            calls: 0,
            states: BTreeMap::new(),
            told: Vec::new(),
        }
    }

    /// The moment.
    pub(super) fn now(&self) -> Instant {
        self.now
    }

    /// Moves the clock, never back. Nothing fires: see [`World::fire`].
    pub(super) fn move_to(&mut self, at: Instant) {
        if at > self.now {
            self.now = at;
            self.calls = 0;
        }
    }

    /// When the stack wants to be called; `None` when it never does by itself.
    pub(super) fn deadline(&mut self) -> Option<Instant> {
        self.posix.stack().deadline().map(|(at, _)| at)
    }

    /// Moves the clock to `at` and lets fire what is due.
    ///
    /// # Errors
    /// [`Restless`] when this happens again and again within one moment.
    pub(super) fn fire(&mut self, at: Instant) -> Result<(), Restless> {
        self.move_to(at);
        self.calls += 1;
        if self.calls > MOST_AT_ONCE {
            return Err(Restless);
        }
        let now = self.now;
        self.posix.stack().expire(now);
        Ok(())
    }

    /// Hands the stack a packet.
    pub(super) fn inject(&mut self, packet: Packet) {
        self.record(&packet, Direction::In, None);
        let now = self.now;
        self.posix.stack().receive(now, &mut vec![packet]);
    }

    /// Takes out all that the stack wants to send now.
    ///
    /// # Errors
    /// [`Restless`] when that has no end.
    pub(super) fn drain(&mut self, connections: &mut Connections) -> Result<(), Restless> {
        let now = self.now;
        let mut pieces = Vec::new();
        for _ in 0..MOST_AT_ONCE {
            let Some((packet, why)) = self.posix.stack().transmit(now) else {
                self.posix.settle();
                self.follow_states();
                return Ok(());
            };
            // What goes over a wire is cut to its size; that is what a script's `--mtu` and a capture mean.
            segment::cut(packet, &mut pieces);
            for piece in pieces.drain(..) {
                self.record(&piece, Direction::Out, Some(why));
                if let Some(sent) = read(now, &piece, why) {
                    connections.seen(&sent);
                    let number = self.transcript.sent(sent.clone());
                    self.waiting.push_back((number, sent));
                }
            }
        }
        Err(Restless)
    }

    fn follow_states(&mut self) {
        self.posix.stack().drain_journal(&mut self.told);
        for event in self.told.drain(..) {
            if let Event::State { socket, to, .. } = event {
                self.states.insert(socket, to);
            }
        }
    }

    /// The next packet of the connection under test that came out; those before it are passed over.
    pub(super) fn next_sent(&mut self, connections: &mut Connections) -> Option<Sent> {
        while let Some((number, sent)) = self.waiting.pop_front() {
            if connections.owns(&sent) {
                self.transcript.fate(number, Fate::Compared);
                return Some(sent);
            }
            self.transcript.fate(number, Fate::PassedOver);
        }
        None
    }

    /// How many connections are in this state now, of those with this local or remote port if one is named.
    pub(super) fn count(&mut self, state: TcpState, port: Option<u16>) -> usize {
        let stack = self.posix.stack();
        let has_port = |socket: SocketId, port: u16| {
            let ends = stack.snapshot(socket).map(|known| [known.local, known.remote]);
            ends.into_iter().flatten().flatten().any(|end| end.port() == port)
        };
        let is_counted = |socket: SocketId| port.is_none_or(|port| has_port(socket, port));
        self.states.iter().filter(|(socket, now)| **now == state && is_counted(**socket)).count()
    }

    fn record(&mut self, packet: &Packet, direction: Direction, why: Option<Why>) {
        let Some(records) = &mut self.records else { return };
        let bytes = packet.to_bytes();
        let comments: SmallVec<[Remark; 1]> = why.into_iter().map(Remark::Why).collect();
        records.push(Record {
            at: self.now,
            packet: PacketId(records.len() as u64 + 1),
            direction,
            medium: packet.medium(),
            wire_len: bytes.len(),
            bytes,
            comments,
        });
    }

    /// The end: what happened, and every packet of the wire.
    pub(super) fn finish(self) -> (Transcript, Vec<Record>) {
        (self.transcript, self.records.unwrap_or_default())
    }
}
