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
mod cookies;
mod listener;
mod names;
mod stray;
mod verbs;

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

pub(crate) use arrivals::reset_for;

use self::listener::Listener;
use self::names::BySocket;
use self::stray::Stray;
use super::config::Config;
use super::connection::{Connection, Context, Told};
use super::fast_open::peers::Peers;
use super::isn::Secret;
use super::segment::{Ends, Segment};
use crate::journal::{Event, Snapshot, SocketId, TcpState, Timer, Why};
use crate::packet::{DeliveryError, PacketId, SeqNum};
use crate::rng::Rng;
use crate::time::Instant;
use crate::transport::{FastOpenKeys, SocketEvent};

/// TCP of one host.
#[derive(Debug)]
pub struct Engine {
    connections: BySocket<Slot>,
    by_ends: HashMap<Ends, SocketId>,
    listeners: BySocket<Listener>,
    /// Port first, so that those who share a port stand together.
    by_port: BTreeMap<(u16, IpAddr), SocketId>,
    /// Addresses that are kept for listeners and connections to come.
    reserved: BTreeMap<SocketId, SocketAddr>,
    /// Segments without a connection that somebody waits for the answer to.
    strays: BTreeMap<SocketId, Stray>,
    /// One entry for a connection, never later than its first timer. Timers move ahead with each acknowledgment, and an
    /// entry follows only when its time has come.
    deadlines: BTreeSet<(Instant, SocketId)>,
    ready: VecDeque<SocketId>,
    /// Connections that are not quiet.
    busy: usize,
    /// What connections last began with: most begin with the same, and share it.
    usual: Arc<Config>,
    told: Told,
    secret: Secret,
    /// What Fast Open's cookies are made with, where a listener has no keys of its own.
    cookie_keys: FastOpenKeys,
    /// What was learnt of peers that were opened early.
    peers: Peers,
    rng: Rng,
    mtu: usize,
    last_id: u64,
}

/// Where a connection stands in the tree of deadlines that has none.
const NEVER: Instant = Instant::from_nanos(u64::MAX);

/// A connection and the engine's own notes on it.
#[derive(Debug)]
struct Slot {
    connection: Box<Connection>,
    /// Its place in `deadlines`.
    scheduled: Instant,
    /// It stands in `ready`.
    ready: bool,
    /// Nobody has accepted it yet.
    pending: bool,
    /// It is counted as busy.
    busy: bool,
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
    /// Whether nobody may cut its packet.
    pub dont_fragment: bool,
    /// Hops that its packet may take; `None` for a segment that no connection stands behind.
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
            connections: BySocket::default(),
            by_ends: HashMap::new(),
            listeners: BySocket::default(),
            by_port: BTreeMap::new(),
            reserved: BTreeMap::new(),
            strays: BTreeMap::new(),
            deadlines: BTreeSet::new(),
            ready: VecDeque::new(),
            busy: 0,
            usual: Arc::default(),
            told: Told::default(),
            secret: Secret::draw(&mut rng),
            cookie_keys: FastOpenKeys { current: draw_key(&mut Rng::derive(seed, "fast open")), previous: None },
            peers: Peers::default(),
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
    pub fn deadline(&mut self) -> Option<(Instant, SocketId, Timer)> {
        loop {
            let (at, socket) = *self.deadlines.first()?;
            match self.connections.get(&socket).and_then(|slot| slot.connection.deadline()) {
                Some((due, timer)) if due == at => return Some((at, socket, timer)),
                _ => self.reschedule(at, socket),
            }
        }
    }

    /// Lets every timer fire whose time has come.
    pub fn expire(&mut self, now: Instant) {
        while let Some((at, socket)) = self.deadlines.first().copied().filter(|(at, _)| *at <= now) {
            self.reschedule(at, socket);
            let due = self.connections.get(&socket).map(|slot| slot.scheduled);
            if due.is_none_or(|due| due > now) {
                continue;
            }
            self.with(now, socket, PacketId::default(), |connection, cx| connection.expire(cx));
        }
    }

    /// The next segment that is due; `None` when nothing is.
    pub fn transmit(&mut self, now: Instant) -> Option<Departure> {
        if let Some(departure) = self.told.replies.pop_front() {
            return Some(departure);
        }
        // What a flood has made long is given back.
        self.told.replies.shrink_to(16);
        while let Some(socket) = self.ready.front().copied() {
            let departure = self.connections.get_mut(&socket).and_then(|slot| {
                let mut cx = Context { now, socket, packet: PacketId::default(), told: &mut self.told };
                let (segment, why) = slot.connection.output(&mut cx)?;
                let config = slot.connection.config();
                let traffic_class = config.traffic_class & !3 | segment.ecn & 3;
                let hops = Some(config.time_to_live);
                let (ends, dont_fragment) = (slot.connection.ends(), !slot.connection.may_be_cut());
                Some(Departure { ends, segment, why, dont_fragment, hops, traffic_class })
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

    /// The network layer takes no packet of more than `mtu` octets from one of these ends to the other.
    pub fn path_takes(&mut self, now: Instant, ends: &Ends, mtu: usize) {
        let Some(socket) = self.by_ends.get(ends).copied() else { return };
        self.with(now, socket, PacketId::default(), |connection, cx| connection.path_takes(cx, mtu));
    }

    /// The next destination to which a path was found to be narrow, and octets of the longest packet that it takes; to be
    /// called after [`Engine::undelivered`] and [`Engine::expire`] until it is `None`.
    pub fn narrow_path(&mut self) -> Option<(IpAddr, usize)> {
        self.told.paths.pop()
    }

    /// Moves what has happened to sockets into `events`.
    pub fn drain_events(&mut self, events: &mut Vec<SocketEvent>) {
        events.append(&mut self.told.events);
    }

    /// Moves what there is to tell into `journal`.
    pub fn drain_journal(&mut self, journal: &mut Vec<Event>) {
        self.told.journal.drain(journal);
    }

    /// Whether there is anything to be told at all.
    pub fn set_telling(&mut self, telling: bool) {
        self.told.journal.set_open(telling);
    }

    /// What a connection knows; `None` when there is no such connection.
    pub fn snapshot(&self, socket: SocketId) -> Option<Snapshot> {
        self.connections.get(&socket).map(|slot| slot.connection.snapshot())
    }

    /// Whether nothing is under way.
    pub fn is_quiet(&self) -> bool {
        debug_assert_eq!(self.busy, self.connections.values().filter(|slot| !slot.connection.is_quiet()).count());
        self.ready.is_empty() && self.told.replies.is_empty() && self.busy == 0
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
        if before == TcpState::SynSent && after != before {
            self.learn(now, socket);
        }
        if before == TcpState::SynReceived && after != before {
            self.handshake_is_over(now, socket);
        }
        self.settle(socket);
        Some(result)
    }

    /// The answer to a SYN has come: what it says of Fast Open is remembered.
    fn learn(&mut self, now: Instant, socket: SocketId) {
        let Some(slot) = self.connections.get_mut(&socket) else { return };
        let Some(lesson) = slot.connection.take_lesson() else { return };
        self.peers.learn(now, &slot.connection.ends(), &slot.connection.config().fast_open, lesson);
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

    /// After a connection has changed: is it busy, and is its entry early enough?
    fn schedule(&mut self, socket: SocketId) {
        let Some(slot) = self.connections.get_mut(&socket) else { return };
        let busy = !slot.connection.is_quiet();
        if std::mem::replace(&mut slot.busy, busy) != busy {
            self.busy = if busy { self.busy + 1 } else { self.busy.saturating_sub(1) };
        }
        let Some((due, _)) = slot.connection.deadline() else { return };
        if slot.scheduled <= due {
            return;
        }
        let later = std::mem::replace(&mut slot.scheduled, due);
        self.deadlines.remove(&(later, socket));
        self.deadlines.insert((due, socket));
    }

    /// Moves the entry at `at` to where the connection's first timer is by now.
    fn reschedule(&mut self, at: Instant, socket: SocketId) {
        self.deadlines.remove(&(at, socket));
        if let Some(slot) = self.connections.get_mut(&socket) {
            slot.scheduled = NEVER;
        }
        self.schedule(socket);
    }

    fn remove(&mut self, socket: SocketId) {
        let Some(slot) = self.connections.remove(&socket) else { return };
        self.busy = self.busy.saturating_sub(usize::from(slot.busy));
        self.deadlines.remove(&(slot.scheduled, socket));
    }

    /// Shares what a connection begins with among all that begin so.
    fn share(&mut self, config: &Config) -> Arc<Config> {
        if *self.usual != *config {
            self.usual = Arc::new(config.clone());
        }
        self.usual.clone()
    }
}

/// Sixteen octets that nobody can guess.
fn draw_key(rng: &mut Rng) -> [u8; 16] {
    let mut key = [0; 16];
    key[..8].copy_from_slice(&rng.next_u64().to_le_bytes());
    key[8..].copy_from_slice(&rng.next_u64().to_le_bytes());
    key
}
