//! The network without I/O: stacks, links, and the packets between them.
//!
//! ```text
//!   stack ─ transmit ─► capture (out) ─► pipe ─► capture (in) ─► stack
//!   door  ─ inject   ─► capture (out) ─► pipe ─► capture (in) ─► outbox ─► door
//! ```
//!
//! A node is either a userspace stack or *outside*: a real kernel behind a door, whose packets the live driver injects and
//! whose deliveries it collects. Both have a vantage point of their own, at their end of the link.

mod agenda;
mod passing;

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};

use smallvec::SmallVec;
use tokio::sync::Notify;

use super::node::{NodeHandle, Reporter, Touched};
use super::{Clock, node};
use crate::capture::{Direction, Record, Remark, Witness};
use crate::forward::{Forwarder, PortId};
use crate::journal::{DropReason, Entry, Event, Impairment, NodeId, Why};
use crate::link::{PacketIds, Pipe};
use crate::packet::{Packet, PacketId, segment};
use crate::stack::Stack;
use crate::time::Instant;

use agenda::Agenda;

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
    /// When each pipe has something to deliver, and when a timer of each node fires.
    pipe_agenda: Agenda,
    node_agenda: Agenda,
    /// Nodes to which something was delivered.
    reached: BTreeSet<usize>,
    /// Nodes that applications have touched.
    touched: Touched,
    ids: PacketIds,
    impairments: Vec<(PacketId, Impairment)>,
}

struct Node {
    kind: Kind,
    /// The pipe that leads away from each of its ports; a host has one port.
    out: Vec<Option<usize>>,
    /// Pipes that only what is for these addresses takes.
    ways: Vec<(IpAddr, usize)>,
    inbox: Vec<Packet>,
}

impl Node {
    /// The pipe that a packet leaves by.
    fn way_of(&self, packet: &Packet) -> Option<usize> {
        let out = self.out.first().copied().flatten();
        if self.ways.is_empty() {
            return out;
        }
        let destination = packet.dissect().addresses().map(|(_, destination)| destination);
        let named = self.ways.iter().find(|(address, _)| Some(*address) == destination);
        named.map(|(_, pipe)| *pipe).or(out)
    }
}

enum Kind {
    Stack(NodeHandle),
    Outside { outbox: Vec<Packet> },
    Forwarder { forwarder: Box<dyn Forwarder>, inbox: Vec<(PortId, Packet)> },
}

/// Where a pipe begins or ends: a port of a node. A host, by itself, means its only port.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct End {
    /// The node.
    pub node: NodeId,
    /// Its port.
    pub port: PortId,
}

impl From<NodeId> for End {
    fn from(node: NodeId) -> End {
        End { node, port: PortId::default() }
    }
}

impl From<(NodeId, PortId)> for End {
    fn from((node, port): (NodeId, PortId)) -> End {
        End { node, port }
    }
}

/// A pipe, and where it leads.
struct Cable {
    pipe: Pipe,
    /// Who tells of what it does: the first that sends into it.
    from: NodeId,
    /// Where what nobody else is named for goes.
    to: End,
    /// Who else is at its far end, by address.
    others: Vec<(IpAddr, End)>,
}

impl Cable {
    /// Whom a packet that comes out is for.
    fn far_end(&self, packet: &Packet) -> End {
        if self.others.is_empty() {
            return self.to;
        }
        let destination = packet.dissect().addresses().map(|(_, destination)| destination);
        let named = self.others.iter().find(|(address, _)| Some(*address) == destination);
        named.map_or(self.to, |(_, end)| *end)
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
            pipe_agenda: Agenda::default(),
            node_agenda: Agenda::default(),
            reached: BTreeSet::new(),
            touched: Touched::default(),
            ids: PacketIds::default(),
            impairments: Vec::new(),
        }
    }

    /// Adds a host with a userspace stack.
    pub fn add_stack(&mut self, mut stack: Box<dyn Stack>) -> NodeHandle {
        stack.set_telling(self.telling);
        let node = self.next_id();
        let ears = (self.doorbell.clone(), self.touched.clone());
        let handle = NodeHandle::new(node, stack, self.clock.clone(), ears, self.reporter(node));
        self.node_agenda.set(self.nodes.len(), handle.deadline());
        self.nodes.push(Node {
            kind: Kind::Stack(handle.clone()),
            out: Vec::new(),
            ways: Vec::new(),
            inbox: Vec::new(),
        });
        handle
    }

    /// Adds a node that lives outside: a real kernel behind a door.
    pub fn add_outside(&mut self) -> NodeId {
        let node = self.next_id();
        self.nodes.push(Node {
            kind: Kind::Outside { outbox: Vec::new() },
            out: Vec::new(),
            ways: Vec::new(),
            inbox: Vec::new(),
        });
        node
    }

    /// Adds a node that passes packets on.
    pub fn add_forwarder(&mut self, mut forwarder: Box<dyn Forwarder>) -> NodeId {
        forwarder.set_telling(self.telling);
        let node = self.next_id();
        self.node_agenda.set(self.nodes.len(), forwarder.deadline());
        let kind = Kind::Forwarder { forwarder, inbox: Vec::new() };
        self.nodes.push(Node { kind, out: Vec::new(), ways: Vec::new(), inbox: Vec::new() });
        node
    }

    fn next_id(&self) -> NodeId {
        NodeId(self.nodes.len() as u16)
    }

    /// Lays a pipe from one end to another: from a host, which has one port, or from a port of a forwarder. A port has one
    /// way out; a second pipe replaces the first.
    pub fn lay_pipe(&mut self, from: impl Into<End>, to: impl Into<End>, pipe: Pipe) {
        self.lay(&[from.into()], Cable { pipe, from: NodeId(0), to: to.into(), others: Vec::new() });
    }

    /// Lays a pipe for what one node sends to another, known by these addresses: a node may have many of them. Whatever is
    /// for nobody there takes the way out of [`World::lay_pipe`], if there is one. For networks of bare IP.
    pub fn lay_way(&mut self, from: NodeId, to: (NodeId, &[IpAddr]), pipe: Pipe) {
        let index = self.pipes.len();
        self.lay(&[], Cable { pipe, from, to: to.0.into(), others: Vec::new() });
        if let Some(node) = self.nodes.get_mut(usize::from(from.0)) {
            node.ways.extend(to.1.iter().map(|address| (*address, index)));
        }
    }

    /// Lays one pipe that several nodes send into, as into the narrowest link of a path: they share its rate and its queue.
    /// What comes out goes to the node of `to` whose address it is for, and to the first when it is for nobody there. For
    /// networks of bare IP: on Ethernet, address resolution has no single destination.
    pub fn share_pipe(&mut self, from: &[NodeId], to: &[(IpAddr, NodeId)], pipe: Pipe) {
        let from: Vec<End> = from.iter().map(|node| End::from(*node)).collect();
        let mut to = to.iter().map(|(address, node)| (*address, End::from(*node)));
        if let Some((_, first)) = to.next() {
            self.lay(&from, Cable { pipe, from: NodeId(0), to: first, others: to.collect() });
        }
    }

    fn lay(&mut self, from: &[End], mut cable: Cable) {
        let index = self.pipes.len();
        cable.from = from.first().map_or(cable.from, |end| end.node);
        self.pipe_agenda.set(index, cable.pipe.deadline());
        self.pipes.push(cable);
        for end in from {
            let Some(node) = self.nodes.get_mut(usize::from(end.node.0)) else { continue };
            let port = usize::from(end.port.0);
            if node.out.len() <= port {
                node.out.resize(port + 1, None);
            }
            node.out[port] = Some(index);
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
            Kind::Stack(_) | Kind::Forwarder { .. } => None,
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
    pub(super) fn deadline(&mut self) -> Option<Instant> {
        let moments = [self.pipe_agenda.next(), self.node_agenda.next()];
        moments.into_iter().flatten().min()
    }

    /// Whether nothing is on its way and no stack waits for an answer.
    pub(super) fn is_quiet(&self) -> bool {
        self.pipes.iter().all(|cable| cable.pipe.deadline().is_none())
            && self.nodes.iter().all(|node| match &node.kind {
                Kind::Stack(handle) => !handle.is_dirty() && handle.is_quiet(),
                Kind::Forwarder { forwarder, .. } => forwarder.is_quiet(),
                Kind::Outside { outbox } => outbox.is_empty(),
            })
    }

    /// Nothing more happens at this moment: captures may be written out.
    pub(super) fn settle(&mut self) {
        self.witness.lock().unwrap_or_else(PoisonError::into_inner).settle();
    }

    fn deliver(&mut self, now: Instant) -> bool {
        let mut happened = false;
        for index in self.pipe_agenda.due(now) {
            loop {
                let packet = self.pipes[index].pipe.deliver(now);
                self.tell_late(now, index);
                let Some(packet) = packet else { break };
                happened = true;
                self.hand_over(now, self.pipes[index].far_end(&packet), packet);
            }
            self.pipe_agenda.set(index, self.pipes[index].pipe.deadline());
        }
        happened
    }

    /// A packet has come out of a pipe.
    fn hand_over(&mut self, now: Instant, to: End, packet: Packet) {
        let Some(node) = self.nodes.get_mut(usize::from(to.node.0)) else { return };
        if let Kind::Forwarder { inbox, .. } = &mut node.kind {
            // It is told of when it is known what becomes of it.
            inbox.push((to.port, packet));
            self.reached.insert(usize::from(to.node.0));
            return;
        }
        let packet_id = packet.id;
        self.tell_packet(now, to.node, Direction::In, &packet, Remarks::new());
        self.tell(now, to.node, Event::PacketArrived { packet: packet_id });
        let node = &mut self.nodes[usize::from(to.node.0)];
        match &mut node.kind {
            Kind::Outside { outbox } => outbox.push(packet),
            Kind::Stack(_) | Kind::Forwarder { .. } => {
                node.inbox.push(packet);
                self.reached.insert(usize::from(to.node.0));
            }
        }
    }

    fn serve(&mut self, now: Instant) -> bool {
        let mut ready = std::mem::take(&mut self.reached);
        ready.extend(self.node_agenda.due(now));
        ready.extend(self.touched.take().into_iter().map(|node| usize::from(node.0)));
        let mut happened = false;
        for index in ready {
            let id = NodeId(index as u16);
            happened |= match self.nodes.get(index).map(|node| &node.kind) {
                Some(Kind::Stack(handle)) => {
                    let handle = handle.clone();
                    self.serve_stack(now, id, &handle)
                }
                Some(Kind::Forwarder { .. }) => self.serve_forwarder(now, id),
                Some(Kind::Outside { .. }) | None => false,
            };
        }
        happened
    }

    fn serve_stack(&mut self, now: Instant, id: NodeId, handle: &NodeHandle) -> bool {
        let index = usize::from(id.0);
        let inbox = &mut self.nodes[index].inbox;
        let mut happened = !inbox.is_empty() || handle.deadline().is_some_and(|at| at <= now);
        let node::Output { before, packets, after, woke } = handle.serve(now, inbox);
        self.node_agenda.set(index, handle.deadline());
        // Whoever was woken may act at this very moment, so it is not over yet.
        happened |= woke || !packets.is_empty();
        before.into_iter().for_each(|event| self.tell(now, id, event));
        for (packet, why, told) in packets {
            self.cut_and_depart(now, id, packet, why, told);
        }
        after.into_iter().for_each(|event| self.tell(now, id, event));
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
        comments.extend(self.offer(now, from, out, packet));
        if let Some(sent) = sent {
            self.tell_packet(now, from, Direction::Out, &sent, comments);
        }
    }

    /// The pipe that leads away from an end.
    fn pipe_at(&self, end: End) -> Option<usize> {
        *self.nodes.get(usize::from(end.node.0))?.out.get(usize::from(end.port.0))?
    }

    /// Hands a packet to a pipe; returns comments on what the pipe did to it at once.
    fn offer(&mut self, now: Instant, from: NodeId, out: usize, packet: Packet) -> Remarks {
        let name = packet.id;
        let pipe = &mut self.pipes[out].pipe;
        pipe.offer(now, packet, &mut self.ids, &mut self.impairments);
        self.pipe_agenda.set(out, pipe.deadline());
        let mut comments = Remarks::new();
        for (packet, impairment) in std::mem::take(&mut self.impairments) {
            comments.push(match &impairment {
                impairment if packet == name => Remark::Impaired(impairment.clone()),
                Impairment::Duplicated { .. } => Remark::Copied(packet),
                impairment => Remark::CopyImpaired(packet, impairment.clone()),
            });
            self.tell_impairment(now, from, out, packet, impairment);
        }
        self.tell_late(now, out);
        comments
    }

    /// What a pipe has decided since packets were offered to it.
    fn tell_late(&mut self, now: Instant, pipe: usize) {
        self.pipes[pipe].pipe.drain_late(&mut self.impairments);
        for (packet, impairment) in std::mem::take(&mut self.impairments) {
            self.tell_impairment(now, self.pipes[pipe].from, pipe, packet, impairment);
        }
    }

    fn tell_impairment(&self, at: Instant, node: NodeId, pipe: usize, packet: PacketId, impairment: Impairment) {
        if self.telling {
            let link = self.pipes[pipe].pipe.name().to_owned();
            self.tell(at, node, Event::Impaired { packet, link, impairment });
        }
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
