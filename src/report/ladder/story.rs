//! The journal, sorted by packet: what is known about each, and which changes of state it brought.

use std::collections::HashMap;
use std::net::SocketAddr;

use super::learnt;
use super::quic::Sealed;
use crate::capture::Record;
use crate::journal::{DropReason, Entry, Event, Impairment, NodeId, ProgramEvent, SocketId, TcpState, Why};
use crate::packet::dissect::TcpFlags;
use crate::packet::{Dissection, PacketId, SeqNum};
use crate::time::Instant;

/// What the journal says, packet by packet.
#[derive(Default)]
pub(super) struct Story<'a> {
    about: HashMap<PacketId, About<'a>>,
    /// What programs said of the packets of QUIC that they sent.
    pub(super) sealed: Sealed<'a>,
}

/// What the journal says about one packet.
#[derive(Default)]
pub(super) struct About<'a> {
    /// Why it was sent.
    pub(super) why: Option<Why>,
    /// What the link did to it.
    pub(super) impairments: Vec<&'a Impairment>,
    /// It carries octets that were sent before.
    pub(super) again: bool,
    /// Why its receiver refused it.
    pub(super) refused: Option<DropReason>,
    /// The states that connections entered when it was sent or had arrived.
    pub(super) states: Vec<(NodeId, Entered)>,
    /// When each was entered.
    entered_at: Vec<Instant>,
    /// What stacks learnt and decided then.
    pub(super) learnt: Vec<(NodeId, &'a Event)>,
    /// What a program had whole, once it had arrived.
    pub(super) delivered: Vec<(NodeId, &'a str)>,
}

/// A state that a connection entered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Entered {
    pub(super) state: TcpState,
    /// It is the state of one that has said all it has to say, but the FIN that tells so waits behind data
    /// (RFC 9293 §3.10.4).
    pub(super) owes_fin: bool,
}

impl<'a> Story<'a> {
    /// `records`: packets of either end, for the flags by which a change of state finds its segment.
    pub(super) fn of<'r>(entries: &[&'a Entry], records: impl Iterator<Item = &'r Record>) -> Story<'a> {
        let mut story = Story::default();
        // Without a journal there is nothing to find.
        let segments = if entries.is_empty() { HashMap::new() } else { records.filter_map(Segment::of).collect() };
        let mut moment = Moment { segments, ..Moment::default() };
        for entry in entries {
            story.tell(entry, &mut moment);
        }
        story.tell_who_owes_a_fin(&moment);
        story
    }

    pub(super) fn about(&self, packet: PacketId) -> Option<&About<'a>> {
        self.about.get(&packet)
    }

    /// Whoever closes enters its next state at once; the FIN may have to wait.
    fn tell_who_owes_a_fin(&mut self, moment: &Moment<'_>) {
        let closes = |state| matches!(state, TcpState::FinWait1 | TcpState::LastAck);
        for (packet, about) in &mut self.about {
            let ends = moment.segments.get(packet).map(|segment| segment.ends);
            for ((node, entered), at) in about.states.iter_mut().zip(&about.entered_at) {
                let sent_then = || ends.and_then(|ends| moment.fins.get(&(*node, ends))).is_some_and(|fin| fin <= at);
                entered.owes_fin = closes(entered.state) && !sent_then();
            }
        }
    }

    fn tell(&mut self, entry: &'a Entry, moment: &mut Moment<'a>) {
        match &entry.event {
            Event::PacketSent { packet, why } => {
                let about = self.about.entry(*packet).or_default();
                about.why = Some(*why);
                about.again |= why.reason.is_retransmission();
                for change in moment.sent(entry, *packet) {
                    about.take(change);
                }
            }
            Event::PacketArrived { packet } => moment.arrived(entry, *packet),
            Event::PacketDropped { packet, reason } => {
                self.about.entry(*packet).or_default().refused = Some(*reason);
            }
            Event::Impaired { packet, impairment, .. } => {
                self.about.entry(*packet).or_default().impairments.push(impairment);
            }
            Event::Retransmit { packet, .. } => self.about.entry(*packet).or_default().again = true,
            Event::State { .. }
            | Event::TimerSet { .. }
            | Event::TimerFired { .. }
            | Event::DuplicateAck { .. }
            | Event::TimerStopped { .. }
            | Event::RoundTrip { .. }
            | Event::CongestionWindow { .. }
            | Event::SendWindow { .. }
            | Event::Hole { .. }
            | Event::PathMtu { .. }
            | Event::Lost { .. }
            | Event::NoLoss { .. } => {
                if moment.is_known(entry) {
                    return;
                }
                if let Some(packet) = moment.changed(entry) {
                    self.about.entry(packet).or_default().take(entry);
                }
            }
            Event::Forwarded { .. }
            | Event::Passage { .. }
            | Event::MappingMade { .. }
            | Event::MappingExpired { .. } => {}
            Event::Program { report, .. } => {
                self.sealed.hear(report);
                if let ProgramEvent::Delivered { target, .. } = report
                    && let Some(packet) = moment.latest.get(&entry.node)
                {
                    self.about.entry(*packet).or_default().delivered.push((entry.node, target));
                }
            }
        }
    }
}

impl<'a> About<'a> {
    fn take(&mut self, change: &'a Entry) {
        if let Event::State { to, .. } = &change.event {
            self.states.push((change.node, Entered { state: *to, owes_fin: false }));
            self.entered_at.push(change.at);
        } else if learnt::is_told(&change.event) {
            self.learnt.push((change.node, &change.event));
        }
    }
}

/// The two ends of a connection, the lesser first.
type Ends = (SocketAddr, SocketAddr);

/// What is to be known of a segment.
#[derive(Clone, Copy)]
struct Segment {
    flags: TcpFlags,
    ends: Ends,
}

impl Segment {
    fn of(record: &Record) -> Option<(PacketId, Segment)> {
        let dissection = Dissection::of(record.medium, &record.bytes, record.wire_len);
        let (tcp, (src, dst)) = (dissection.tcp()?, dissection.addresses()?);
        let (src, dst) = (SocketAddr::new(src, tcp.src_port), SocketAddr::new(dst, tcp.dst_port));
        Some((record.packet, Segment { flags: tcp.flags, ends: (src.min(dst), src.max(dst)) }))
    }

    fn is_syn(&self) -> bool {
        self.flags.syn() && !self.flags.ack()
    }
}

/// Finds the segment that a change belongs to: the last of its connection that arrived at the node in that moment, or else
/// the next one that it sends in that moment.
#[derive(Default)]
struct Moment<'a> {
    segments: HashMap<PacketId, Segment>,
    /// What has arrived at a node in its latest moment, in order.
    arrived: HashMap<NodeId, (Instant, Vec<PacketId>)>,
    /// What has arrived at a node last, of whatever transport.
    latest: HashMap<NodeId, PacketId>,
    waiting: Vec<&'a Entry>,
    /// Between which ends each connection is, as far as that is known.
    ends: HashMap<(NodeId, SocketId), Ends>,
    /// When a node first sent a FIN to the other end.
    fins: HashMap<(NodeId, Ends), Instant>,
    /// The hole that each connection was last told to have.
    holes: HashMap<(NodeId, SocketId), (SeqNum, u32)>,
}

impl<'a> Moment<'a> {
    fn arrived(&mut self, entry: &Entry, packet: PacketId) {
        self.latest.insert(entry.node, packet);
        if !self.segments.contains_key(&packet) {
            return;
        }
        let (at, packets) = self.arrived.entry(entry.node).or_insert((entry.at, Vec::new()));
        if *at != entry.at {
            (*at, *packets) = (entry.at, Vec::new());
        }
        packets.push(packet);
    }

    /// Whether it only says again which octets are missing: every segment behind a hole does.
    fn is_known(&mut self, entry: &Entry) -> bool {
        let Event::Hole { socket, seq, length } = entry.event else { return false };
        self.holes.insert((entry.node, socket), (seq, length)) == Some((seq, length))
    }

    fn changed(&mut self, entry: &'a Entry) -> Option<PacketId> {
        // SYN-SENT is the application's doing, whatever has arrived in the same moment; and so is the SYN's timer.
        let own = opens(entry) || self.is_opening(entry);
        let packet = if own { None } else { self.arrived_for(entry) };
        if packet.is_none() {
            self.waiting.retain(|waiting| waiting.at == entry.at);
            self.waiting.push(entry);
        }
        packet
    }

    /// The last segment of the entry's connection that arrived in its moment.
    fn arrived_for(&mut self, entry: &Entry) -> Option<PacketId> {
        let (_, packets) = self.arrived.get(&entry.node).filter(|(at, _)| *at == entry.at)?;
        let Some(socket) = entry.event.socket().map(|socket| (entry.node, socket)) else {
            return packets.last().copied();
        };
        let of = |packet: &PacketId| self.segments.get(packet);
        let Some(ends) = self.ends.get(&socket).copied() else {
            // A listener's new connection: the first SYN that is nobody else's, as long as there is one.
            let is_new = |packet: &&PacketId| {
                of(packet).is_some_and(|one| one.is_syn() && !self.ends.values().any(|known| *known == one.ends))
            };
            let packet = packets.iter().find(is_new).or(packets.last()).copied()?;
            self.ends.extend(of(&packet).map(|segment| (socket, segment.ends)));
            return Some(packet);
        };
        packets.iter().rev().find(|packet| of(packet).is_some_and(|segment| segment.ends == ends)).copied()
    }

    /// Whether its connection has begun to open in this moment, and its SYN has not left yet.
    fn is_opening(&self, entry: &Entry) -> bool {
        self.waiting.iter().any(|waiting| opens(waiting) && is_of_one_connection(waiting, entry))
    }

    fn sent(&mut self, entry: &Entry, packet: PacketId) -> Vec<&'a Entry> {
        let Some(segment) = self.segments.get(&packet).copied() else {
            return Vec::new();
        };
        if segment.flags.fin() {
            self.fins.entry((entry.node, segment.ends)).or_insert(entry.at);
        }
        // Several connections may live in one moment: a SYN goes with what its own has done, and with nothing else.
        let is_now = |change: &Entry| change.at == entry.at && change.node == entry.node;
        let opening: Vec<_> = self.waiting.iter().filter(|change| opens(change) && is_now(change)).collect();
        let own = opening.first().filter(|_| segment.is_syn()).and_then(|change| change.event.socket());
        let is_opening = |socket| opening.iter().any(|change| change.event.socket() == Some(socket));
        let belongs = |change: &&'a Entry| {
            is_now(change)
                && match (change.event.socket(), own) {
                    (Some(socket), Some(own)) => socket == own,
                    (Some(socket), None) if is_opening(socket) => false,
                    (Some(socket), None) => {
                        self.ends.get(&(entry.node, socket)).is_none_or(|ends| *ends == segment.ends)
                    }
                    (None, _) => true,
                }
        };
        let (mine, others) = self.waiting.iter().copied().partition(belongs);
        self.waiting = others;
        self.ends.extend(own.map(|socket| ((entry.node, socket), segment.ends)));
        mine
    }
}

/// Whether an application has begun to open a connection.
fn opens(change: &Entry) -> bool {
    matches!(change.event, Event::State { to: TcpState::SynSent, .. })
}

fn is_of_one_connection(one: &Entry, other: &Entry) -> bool {
    one.at == other.at && one.node == other.node && one.event.socket() == other.event.socket()
}
