//! All connections and listeners of a host: which segment belongs to whom, who is to be woken when, who has something to
//! send.
//!
//! ```text
//!                       ┌─ connection between these ends? ──► segment_arrives ──┐
//!   segment, ends ──────┼─ else a listener there? ──────────► arrives_in_listen ├──► settle: timers, ready list, removal
//!                       └─ else ────────────────────────────► arrives_in_closed ┘
//! ```
//!
//! CLOSED and LISTEN are states without a connection and live here (`arrivals`, RFC 9293 §3.10.7.1, §3.10.7.2). The work for a
//! segment is O(log n) in the connections: hash tables by ends and by socket, a tree of deadlines, a list of those with
//! output. No table is ever walked where its order could show.

mod arrivals;
mod listener;
mod verbs;

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::net::SocketAddr;

pub(crate) use arrivals::reset_for;

use self::listener::Listener;
use super::connection::{Connection, Context, Told};
use super::isn::Secret;
use super::segment::{Ends, Segment};
use crate::journal::{Event, Snapshot, SocketId, TcpState, Timer, Why};
use crate::packet::{DeliveryError, PacketId, SeqNum};
use crate::rng::Rng;
use crate::time::Instant;
use crate::transport::SocketEvent;

/// TCP of one host.
#[derive(Debug)]
pub struct Engine {
    connections: HashMap<SocketId, Slot>,
    by_ends: HashMap<Ends, SocketId>,
    listeners: HashMap<SocketId, Listener>,
    by_address: BTreeMap<SocketAddr, SocketId>,
    deadlines: BTreeSet<(Instant, SocketId)>,
    ready: VecDeque<SocketId>,
    told: Told,
    secret: Secret,
    rng: Rng,
    mtu: usize,
    last_id: u32,
}

/// A connection and the engine's own notes on it.
#[derive(Debug)]
struct Slot {
    connection: Box<Connection>,
    /// Its place in `deadlines`.
    scheduled: Option<Instant>,
    /// It stands in `ready`.
    ready: bool,
    /// Nobody has accepted it yet.
    pending: bool,
}

/// A segment on its way out.
#[derive(Debug)]
pub struct Departure {
    /// Between whom.
    pub ends: Ends,
    /// The segment.
    pub segment: Segment,
    /// Why it exists.
    pub why: Why,
    /// Hops that its packet may take; `None` for a reset that no connection stands behind.
    pub hops: Option<u8>,
    /// The traffic class of its packet, ECN bits included.
    pub traffic_class: u8,
}

/// A segment that has come in.
#[derive(Debug)]
pub struct Arrival {
    /// Between whom, seen from us.
    pub ends: Ends,
    /// The segment.
    pub segment: Segment,
    /// The packet that brought it.
    pub packet: PacketId,
}

impl Engine {
    /// A host whose packets may have `mtu` octets. Initial sequence numbers and ports follow from `seed`.
    pub fn new(seed: u64, mtu: usize) -> Engine {
        let mut rng = Rng::derive(seed, "tcp");
        Engine {
            connections: HashMap::new(),
            by_ends: HashMap::new(),
            listeners: HashMap::new(),
            by_address: BTreeMap::new(),
            deadlines: BTreeSet::new(),
            ready: VecDeque::new(),
            told: Told::default(),
            secret: Secret::draw(&mut rng),
            rng,
            mtu,
            last_id: 0,
        }
    }

    /// A name for a socket that no other has; for the sockets of other transports of this host, too.
    pub fn new_id(&mut self) -> SocketId {
        self.last_id += 1;
        SocketId(self.last_id)
    }

    /// When [`Engine::expire`] wants to be called, and for whose timer.
    pub fn deadline(&self) -> Option<(Instant, SocketId, Timer)> {
        let (at, socket) = *self.deadlines.first()?;
        let (_, timer) = self.connections.get(&socket)?.connection.deadline()?;
        Some((at, socket, timer))
    }

    /// Lets every timer fire whose time has come.
    pub fn expire(&mut self, now: Instant) {
        while let Some((at, socket)) = self.deadlines.first().copied().filter(|(at, _)| *at <= now) {
            self.deadlines.remove(&(at, socket));
            if let Some(slot) = self.connections.get_mut(&socket) {
                slot.scheduled = None;
            }
            self.with(now, socket, PacketId::default(), |connection, cx| connection.expire(cx));
        }
    }

    /// The next segment that is due; `None` when nothing is.
    pub fn transmit(&mut self, now: Instant) -> Option<Departure> {
        if let Some((ends, segment, why)) = self.told.replies.pop_front() {
            return Some(Departure { ends, segment, why, hops: None, traffic_class: 0 });
        }
        while let Some(socket) = self.ready.front().copied() {
            let departure = self.connections.get_mut(&socket).and_then(|slot| {
                let mut cx = Context { now, socket, packet: PacketId::default(), told: &mut self.told };
                let (segment, why) = slot.connection.output(&mut cx)?;
                let config = slot.connection.config();
                let traffic_class = config.traffic_class & !3 | segment.ecn & 3;
                let hops = Some(config.time_to_live);
                Some(Departure { ends: slot.connection.ends(), segment, why, hops, traffic_class })
            });
            if departure.is_some() {
                self.schedule(socket);
                return departure;
            }
            self.ready.pop_front();
            if let Some(slot) = self.connections.get_mut(&socket) {
                slot.ready = false;
            }
            self.schedule(socket);
        }
        None
    }

    /// The network has reported something about the segment between these ends that held `seq` (RFC 9293 §3.9.2.2).
    pub fn undelivered(&mut self, now: Instant, ends: &Ends, seq: SeqNum, error: DeliveryError, packet: PacketId) {
        let Some(socket) = self.by_ends.get(ends).copied() else { return };
        self.with(now, socket, packet, |connection, cx| connection.undelivered(cx, seq, error));
    }

    /// Moves what has happened to sockets into `events`.
    pub fn drain_events(&mut self, events: &mut Vec<SocketEvent>) {
        events.append(&mut self.told.events);
    }

    /// Moves what there is to tell into `journal`.
    pub fn drain_journal(&mut self, journal: &mut Vec<Event>) {
        journal.append(&mut self.told.journal);
    }

    /// What a connection knows; `None` when there is no such connection.
    pub fn snapshot(&self, socket: SocketId) -> Option<Snapshot> {
        self.connections.get(&socket).map(|slot| slot.connection.snapshot())
    }

    /// Whether nothing is under way.
    pub fn is_quiet(&self) -> bool {
        self.ready.is_empty()
            && self.told.replies.is_empty()
            && self.connections.values().all(|slot| slot.connection.is_quiet())
    }

    /// Connections that there are, those that wait out TIME-WAIT included.
    pub fn len(&self) -> usize {
        self.connections.len()
    }

    /// Whether there is no connection.
    pub fn is_empty(&self) -> bool {
        self.connections.is_empty()
    }

    /// Gives a connection a stimulus, and settles what follows.
    fn with<R>(
        &mut self,
        now: Instant,
        socket: SocketId,
        packet: PacketId,
        stimulus: impl FnOnce(&mut Connection, &mut Context<'_>) -> R,
    ) -> Option<R> {
        let slot = self.connections.get_mut(&socket)?;
        let before = slot.connection.state();
        let mut cx = Context { now, socket, packet, told: &mut self.told };
        let result = stimulus(&mut slot.connection, &mut cx);
        let after = slot.connection.state();
        if before == TcpState::SynReceived && after != before {
            self.handshake_is_over(socket);
        }
        self.settle(socket);
        Some(result)
    }

    /// After a stimulus: the connection may want to send, its next timer may have moved, it may be over.
    fn settle(&mut self, socket: SocketId) {
        let Some(slot) = self.connections.get_mut(&socket) else { return };
        if slot.connection.closed().is_some() {
            let ends = slot.connection.ends();
            let is_forgotten = slot.connection.is_orphan() && !slot.pending;
            if self.by_ends.get(&ends) == Some(&socket) {
                self.by_ends.remove(&ends);
            }
            if is_forgotten {
                return self.remove(socket);
            }
        } else if !std::mem::replace(&mut slot.ready, true) {
            self.ready.push_back(socket);
        }
        self.schedule(socket);
    }

    fn schedule(&mut self, socket: SocketId) {
        let Some(slot) = self.connections.get_mut(&socket) else { return };
        let due = slot.connection.deadline().map(|(at, _)| at);
        if slot.scheduled == due {
            return;
        }
        if let Some(old) = std::mem::replace(&mut slot.scheduled, due) {
            self.deadlines.remove(&(old, socket));
        }
        if let Some(due) = due {
            self.deadlines.insert((due, socket));
        }
    }

    fn remove(&mut self, socket: SocketId) {
        if let Some(slot) = self.connections.remove(&socket)
            && let Some(scheduled) = slot.scheduled
        {
            self.deadlines.remove(&(scheduled, socket));
        }
    }
}
