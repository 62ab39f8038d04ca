//! The journal, sorted by packet: what is known about each, and which changes of state it brought.

use std::collections::HashMap;

use super::learnt;
use crate::capture::Record;
use crate::journal::{DropReason, Entry, Event, Impairment, NodeId, SocketId, TcpState, Why};
use crate::packet::dissect::TcpFlags;
use crate::packet::{Dissection, PacketId, SeqNum};
use crate::time::Instant;

/// What the journal says, packet by packet.
#[derive(Default)]
pub(super) struct Story<'a> {
    about: HashMap<PacketId, About<'a>>,
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
    pub(super) states: Vec<(NodeId, TcpState)>,
    /// What stacks learnt and decided then.
    pub(super) learnt: Vec<(NodeId, &'a Event)>,
}

impl<'a> Story<'a> {
    /// `records`: packets of either end, for the flags by which a change of state finds its segment.
    pub(super) fn of<'r>(entries: &[&'a Entry], records: impl Iterator<Item = &'r Record>) -> Story<'a> {
        let mut story = Story::default();
        let flags = |record: &Record| {
            let dissection = Dissection::of(record.medium, &record.bytes, record.wire_len);
            dissection.tcp().map(|tcp| (record.packet, tcp.flags))
        };
        // Without a journal there is nothing to find.
        let segments = if entries.is_empty() { HashMap::new() } else { records.filter_map(flags).collect() };
        let mut moment = Moment { segments, ..Moment::default() };
        for entry in entries {
            story.tell(entry, &mut moment);
        }
        story
    }

    pub(super) fn about(&self, packet: PacketId) -> Option<&About<'a>> {
        self.about.get(&packet)
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
            | Event::MappingExpired { .. }
            | Event::Program { .. } => {}
        }
    }
}

impl<'a> About<'a> {
    fn take(&mut self, change: &'a Entry) {
        if let Event::State { to, .. } = &change.event {
            self.states.push((change.node, *to));
        } else if learnt::is_told(&change.event) {
            self.learnt.push((change.node, &change.event));
        }
    }
}

/// Finds the segment that a change belongs to: the last that arrived at the node in that moment, or else the next one that
/// it sends in that moment.
#[derive(Default)]
struct Moment<'a> {
    segments: HashMap<PacketId, TcpFlags>,
    arrived: HashMap<NodeId, (Instant, PacketId)>,
    waiting: Vec<&'a Entry>,
    /// The hole that each connection was last told to have.
    holes: HashMap<(NodeId, SocketId), (SeqNum, u32)>,
}

impl<'a> Moment<'a> {
    fn arrived(&mut self, entry: &Entry, packet: PacketId) {
        if self.segments.contains_key(&packet) {
            self.arrived.insert(entry.node, (entry.at, packet));
        }
    }

    /// Whether it only says again which octets are missing: every segment behind a hole does.
    fn is_known(&mut self, entry: &Entry) -> bool {
        let Event::Hole { socket, seq, length } = entry.event else { return false };
        self.holes.insert((entry.node, socket), (seq, length)) == Some((seq, length))
    }

    fn changed(&mut self, entry: &'a Entry) -> Option<PacketId> {
        let arrived = self.arrived.get(&entry.node).filter(|(at, _)| *at == entry.at);
        // SYN-SENT is the application's doing, whatever has arrived in the same moment; and so is the SYN's timer.
        let own = opens(entry) || self.is_opening(entry);
        let packet = arrived.filter(|_| !own).map(|(_, packet)| *packet);
        if packet.is_none() {
            self.waiting.retain(|waiting| waiting.at == entry.at);
            self.waiting.push(entry);
        }
        packet
    }

    /// Whether its connection has begun to open in this moment, and its SYN has not left yet.
    fn is_opening(&self, entry: &Entry) -> bool {
        self.waiting.iter().any(|waiting| opens(waiting) && is_of_one_connection(waiting, entry))
    }

    fn sent(&mut self, entry: &Entry, packet: PacketId) -> Vec<&'a Entry> {
        let Some(flags) = self.segments.get(&packet) else {
            return Vec::new();
        };
        // Several connections may live in one moment: the SYN alone goes with what its own connection did, and with no other
        // state.
        let is_syn = flags.syn() && !flags.ack();
        let opening: Vec<&Entry> = self.waiting.iter().copied().filter(|change| opens(change)).collect();
        let belongs = |change: &&'a Entry| {
            let is_opening = || opening.iter().any(|opening| is_of_one_connection(opening, change));
            let is_state = matches!(change.event, Event::State { .. });
            let goes_along = if is_state { opens(change) == is_syn } else { is_syn || !is_opening() };
            change.at == entry.at && change.node == entry.node && goes_along
        };
        let (mine, others) = self.waiting.drain(..).partition(belongs);
        self.waiting = others;
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
