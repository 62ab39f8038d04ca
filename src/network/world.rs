//! The network without I/O: stacks, links, and the packets between them.
//!
//! ```text
//!   stack ─ transmit ─► capture (out) ─► pipe ─► capture (in) ─► stack
//!   door  ─ inject   ─► capture (out) ─► pipe ─► capture (in) ─► outbox ─► door
//! ```
//!
//! A node is either a userspace stack or *outside*: a real kernel behind a door, whose packets the live driver injects and
//! whose deliveries it collects. Both have a vantage point of their own, at their end of the link.

use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};

use smallvec::SmallVec;
use tokio::sync::Notify;

use super::node::{NodeHandle, Reporter};
use super::{Clock, node};
use crate::capture::{Direction, Record, Remark, Witness};
use crate::journal::{DropReason, Entry, Event, Impairment, NodeId, Why};
use crate::link::{PacketIds, Pipe};
use crate::packet::{Packet, PacketId, segment};
use crate::stack::Stack;
use crate::time::Instant;

type Remarks = SmallVec<[Remark; 1]>;

/// Where a run's packets and events are told; shared by the driver and the applications.
type SharedWitness = Arc<Mutex<Box<dyn Witness>>>;

/// A network under construction, and then at work.
pub struct World {
    clock: Clock,
    doorbell: Arc<Notify>,
    witness: SharedWitness,
    /// Whether the witness listens.
    telling: bool,
    nodes: Vec<Node>,
    pipes: Vec<Cable>,
    ids: PacketIds,
    impairments: Vec<(PacketId, Impairment)>,
}

struct Node {
    kind: Kind,
    /// The pipe that leads away from it.
    out: Option<usize>,
    /// Pipes that only what is for these addresses takes.
    ways: Vec<(IpAddr, usize)>,
    inbox: Vec<Packet>,
}

impl Node {
    /// The pipe that a packet leaves by.
    fn way_of(&self, packet: &Packet) -> Option<usize> {
        if self.ways.is_empty() {
            return self.out;
        }
        let destination = packet.dissect().addresses().map(|(_, destination)| destination);
        let named = self.ways.iter().find(|(address, _)| Some(*address) == destination);
        named.map(|(_, pipe)| *pipe).or(self.out)
    }
}

enum Kind {
    Stack(NodeHandle),
    Outside { outbox: Vec<Packet> },
}

/// A pipe, and where it leads.
struct Cable {
    pipe: Pipe,
    /// Where what nobody else is named for goes.
    to: NodeId,
    /// Who else is at its far end, by address.
    others: Vec<(IpAddr, NodeId)>,
}

impl Cable {
    /// Whom a packet that comes out is for.
    fn far_end(&self, packet: &Packet) -> NodeId {
        if self.others.is_empty() {
            return self.to;
        }
        let destination = packet.dissect().addresses().map(|(_, destination)| destination);
        let named = self.others.iter().find(|(address, _)| Some(*address) == destination);
        named.map_or(self.to, |(_, node)| *node)
    }
}

impl World {
    /// An empty network that tells `witness` everything.
    pub fn new(clock: Clock, witness: Box<dyn Witness>) -> World {
        World {
            clock,
            doorbell: Arc::new(Notify::new()),
            telling: witness.listens(),
            witness: Arc::new(Mutex::new(witness)),
            nodes: Vec::new(),
            pipes: Vec::new(),
            ids: PacketIds::default(),
            impairments: Vec::new(),
        }
    }

    /// Adds a host with a userspace stack.
    pub fn add_stack(&mut self, mut stack: Box<dyn Stack>) -> NodeHandle {
        stack.set_telling(self.telling);
        let node = self.next_id();
        let handle = NodeHandle::new(node, stack, self.clock.clone(), self.doorbell.clone(), self.reporter(node));
        self.nodes.push(Node { kind: Kind::Stack(handle.clone()), out: None, ways: Vec::new(), inbox: Vec::new() });
        handle
    }

    /// Adds a node that lives outside: a real kernel behind a door.
    pub fn add_outside(&mut self) -> NodeId {
        let node = self.next_id();
        self.nodes.push(Node {
            kind: Kind::Outside { outbox: Vec::new() },
            out: None,
            ways: Vec::new(),
            inbox: Vec::new(),
        });
        node
    }

    fn next_id(&self) -> NodeId {
        NodeId(self.nodes.len() as u16)
    }

    /// Lays a pipe from one node to another. A node has one way out; a second pipe replaces the first.
    pub fn lay_pipe(&mut self, from: NodeId, to: NodeId, pipe: Pipe) {
        self.lay(&[from], Cable { pipe, to, others: Vec::new() });
    }

    /// Lays a pipe for what one node sends to another, known by these addresses: a node may have many of them. Whatever is
    /// for nobody there takes the way out of [`World::lay_pipe`], if there is one. For networks of bare IP.
    pub fn lay_way(&mut self, from: NodeId, to: (NodeId, &[IpAddr]), pipe: Pipe) {
        let index = self.pipes.len();
        self.pipes.push(Cable { pipe, to: to.0, others: Vec::new() });
        if let Some(node) = self.nodes.get_mut(usize::from(from.0)) {
            node.ways.extend(to.1.iter().map(|address| (*address, index)));
        }
    }

    /// Lays one pipe that several nodes send into, as into the narrowest link of a path: they share its rate and its queue.
    /// What comes out goes to the node of `to` whose address it is for, and to the first when it is for nobody there. For
    /// networks of bare IP: on Ethernet, address resolution has no single destination.
    pub fn share_pipe(&mut self, from: &[NodeId], to: &[(IpAddr, NodeId)], pipe: Pipe) {
        if let Some(((_, first), others)) = to.split_first() {
            self.lay(from, Cable { pipe, to: *first, others: others.to_vec() });
        }
    }

    fn lay(&mut self, from: &[NodeId], cable: Cable) {
        let index = self.pipes.len();
        self.pipes.push(cable);
        for id in from {
            if let Some(node) = self.nodes.get_mut(usize::from(id.0)) {
                node.out = Some(index);
            }
        }
    }

    /// Reports events of `node` that its stack does not: those of programs.
    pub fn reporter(&self, node: NodeId) -> Reporter {
        let (witness, clock) = (self.witness.clone(), self.clock.clone());
        Arc::new(move |event| {
            let entry = Entry { at: clock.now(), node, event };
            witness.lock().unwrap_or_else(PoisonError::into_inner).event(entry);
        })
    }

    pub(super) fn doorbell(&self) -> Arc<Notify> {
        self.doorbell.clone()
    }

    pub(super) fn clock(&self) -> Clock {
        self.clock.clone()
    }

    /// A packet came in through the door of an outside node.
    pub(super) fn inject(&mut self, now: Instant, from: NodeId, packet: Packet) {
        self.depart(now, from, packet, None, Vec::new());
    }

    /// Packets that were delivered to an outside node.
    pub(super) fn outbox(&mut self, node: NodeId) -> Option<&mut Vec<Packet>> {
        match &mut self.nodes.get_mut(usize::from(node.0))?.kind {
            Kind::Outside { outbox } => Some(outbox),
            Kind::Stack(_) => None,
        }
    }

    /// The kernel of an outside node did not get a packet that was delivered there.
    pub(super) fn refused(&self, now: Instant, node: NodeId, packet: PacketId, reason: DropReason) {
        self.tell(now, node, Event::PacketDropped { packet, reason });
    }

    /// Does everything that is due at `now`, until nothing more happens at this moment. Returns whether anything did.
    pub(super) fn turn(&mut self, now: Instant) -> bool {
        let mut happened = false;
        loop {
            let delivered = self.deliver(now);
            let served = self.serve(now);
            if !delivered && !served {
                return happened;
            }
            happened = true;
        }
    }

    /// When [`World::turn`] has something to do next by itself.
    pub(super) fn deadline(&self) -> Option<Instant> {
        let pipes = self.pipes.iter().filter_map(|cable| cable.pipe.deadline());
        let stacks = self.nodes.iter().filter_map(|node| match &node.kind {
            Kind::Stack(handle) => handle.deadline(),
            Kind::Outside { .. } => None,
        });
        pipes.chain(stacks).min()
    }

    /// Whether nothing is on its way and no stack waits for an answer.
    pub(super) fn is_quiet(&self) -> bool {
        self.pipes.iter().all(|cable| cable.pipe.deadline().is_none())
            && self.nodes.iter().all(|node| match &node.kind {
                Kind::Stack(handle) => !handle.is_dirty() && handle.is_quiet(),
                Kind::Outside { outbox } => outbox.is_empty(),
            })
    }

    /// Nothing more happens at this moment: captures may be written out.
    pub(super) fn settle(&mut self) {
        self.witness.lock().unwrap_or_else(PoisonError::into_inner).settle();
    }

    fn deliver(&mut self, now: Instant) -> bool {
        let mut happened = false;
        for index in 0..self.pipes.len() {
            while let Some(packet) = self.pipes[index].pipe.deliver(now) {
                happened = true;
                let to = self.pipes[index].far_end(&packet);
                let packet_id = packet.id;
                self.tell_packet(now, to, Direction::In, &packet, Remarks::new());
                self.tell(now, to, Event::PacketArrived { packet: packet_id });
                let Some(node) = self.nodes.get_mut(usize::from(to.0)) else { continue };
                match &mut node.kind {
                    Kind::Stack(_) => node.inbox.push(packet),
                    Kind::Outside { outbox } => outbox.push(packet),
                }
            }
        }
        happened
    }

    fn serve(&mut self, now: Instant) -> bool {
        let mut happened = false;
        for index in 0..self.nodes.len() {
            let id = NodeId(index as u16);
            let node = &mut self.nodes[index];
            let Kind::Stack(handle) = &node.kind else { continue };
            let due = handle.deadline().is_some_and(|at| at <= now);
            if node.inbox.is_empty() && !due && !handle.is_dirty() {
                continue;
            }
            happened |= due || !node.inbox.is_empty();
            let node::Output { before, packets, after, woke } = handle.clone().serve(now, &mut node.inbox);
            // Whoever was woken may act at this very moment, so it is not over yet.
            happened |= woke || !packets.is_empty();
            before.into_iter().for_each(|event| self.tell(now, id, event));
            for (packet, why, told) in packets {
                self.cut_and_depart(now, id, packet, why, told);
            }
            after.into_iter().for_each(|event| self.tell(now, id, event));
        }
        happened
    }

    /// The edge: a super-segment is cut here, so that links and captures see what a wire would carry.
    fn cut_and_depart(&mut self, now: Instant, from: NodeId, packet: Packet, why: Why, told: Vec<Event>) {
        let mut pieces = Vec::with_capacity(1);
        segment::cut(packet, &mut pieces);
        let mut told = Some(told);
        let last = pieces.len().saturating_sub(1);
        for (index, piece) in pieces.into_iter().enumerate() {
            let why = if index == last { why } else { why.of_earlier_piece() };
            self.depart(now, from, piece, Some(why), told.take().unwrap_or_default());
        }
    }

    /// Puts one packet on its way: names it, tells of it, hands it to the link.
    fn depart(&mut self, now: Instant, from: NodeId, mut packet: Packet, why: Option<Why>, told: Vec<Event>) {
        packet.id = self.ids.allocate();
        if self.telling {
            // Both captures and the receiving stack look at the same bytes.
            packet.join();
        }
        let name = packet.id;
        for mut event in told {
            event.name_packet(name);
            self.tell(now, from, event);
        }
        let mut comments = SmallVec::new();
        if let Some(why) = why {
            comments.push(Remark::Why(why));
            self.tell(now, from, Event::PacketSent { packet: name, why });
        }
        let Some(out) = self.nodes.get(usize::from(from.0)).and_then(|node| node.way_of(&packet)) else {
            comments.push(Remark::NoLink);
            return self.tell_packet(now, from, Direction::Out, &packet, comments);
        };
        // The link decides before the capture is written, so that the packet's own comment can say what became of it.
        let sent = self.telling.then(|| packet.clone());
        let cable = &mut self.pipes[out];
        cable.pipe.offer(now, packet, &mut self.ids, &mut self.impairments);
        let Some(sent) = sent else { return self.impairments.clear() };
        let impairments = std::mem::take(&mut self.impairments);
        for (packet, impairment) in impairments {
            comments.push(match &impairment {
                impairment if packet == name => Remark::Impaired(impairment.clone()),
                Impairment::Duplicated { .. } => Remark::Copied(packet),
                impairment => Remark::CopyImpaired(packet, impairment.clone()),
            });
            let link = self.pipes[out].pipe.name().to_owned();
            self.tell(now, from, Event::Impaired { packet, link, impairment });
        }
        self.tell_packet(now, from, Direction::Out, &sent, comments);
    }

    fn tell(&self, at: Instant, node: NodeId, event: Event) {
        if !self.telling {
            return;
        }
        self.witness.lock().unwrap_or_else(PoisonError::into_inner).event(Entry { at, node, event });
    }

    fn tell_packet(&self, at: Instant, node: NodeId, direction: Direction, packet: &Packet, comments: Remarks) {
        if !self.telling {
            return;
        }
        let record = Record {
            at,
            packet: packet.id,
            direction,
            medium: packet.medium(),
            bytes: packet.to_bytes(),
            wire_len: packet.len(),
            comments,
        };
        self.witness.lock().unwrap_or_else(PoisonError::into_inner).packet(node, record);
    }
}
