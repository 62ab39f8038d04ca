//! The journal, sorted by packet: what is known about each, and which changes of state it brought.

use std::collections::HashMap;

use crate::capture::Record;
use crate::journal::{DropReason, Entry, Event, Impairment, NodeId, TcpState, Why};
use crate::packet::dissect::TcpFlags;
use crate::packet::{Dissection, PacketId};
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
        let mut states = States { segments, ..States::default() };
        for entry in entries {
            story.tell(entry, &mut states);
        }
        story
    }

    pub(super) fn about(&self, packet: PacketId) -> Option<&About<'a>> {
        self.about.get(&packet)
    }

    fn tell(&mut self, entry: &'a Entry, states: &mut States) {
        match &entry.event {
            Event::PacketSent { packet, why } => {
                let about = self.about.entry(*packet).or_default();
                about.why = Some(*why);
                about.again |= why.reason.is_retransmission();
                about.states.extend(states.sent(entry, *packet));
            }
            Event::PacketArrived { packet } => states.arrived(entry, *packet),
            Event::PacketDropped { packet, reason } => {
                self.about.entry(*packet).or_default().refused = Some(*reason);
            }
            Event::Impaired { packet, impairment, .. } => {
                self.about.entry(*packet).or_default().impairments.push(impairment);
            }
            Event::Retransmit { packet, .. } => self.about.entry(*packet).or_default().again = true,
            Event::State { to, .. } => {
                if let Some(packet) = states.changed(entry, *to) {
                    self.about.entry(packet).or_default().states.push((entry.node, *to));
                }
            }
            Event::TimerSet { .. }
            | Event::TimerFired { .. }
            | Event::DuplicateAck { .. }
            | Event::TimerStopped { .. }
            | Event::RoundTrip { .. }
            | Event::CongestionWindow { .. }
            | Event::SendWindow { .. }
            | Event::Hole { .. }
            | Event::Program { .. } => {}
        }
    }
}

/// Finds the segment that a change of state belongs to: the last that arrived at the node in that moment, or else the
/// next one that it sends in that moment.
#[derive(Default)]
struct States {
    segments: HashMap<PacketId, TcpFlags>,
    arrived: HashMap<NodeId, (Instant, PacketId)>,
    waiting: Vec<(Instant, NodeId, TcpState)>,
}

impl States {
    fn arrived(&mut self, entry: &Entry, packet: PacketId) {
        if self.segments.contains_key(&packet) {
            self.arrived.insert(entry.node, (entry.at, packet));
        }
    }

    fn changed(&mut self, entry: &Entry, to: TcpState) -> Option<PacketId> {
        let arrived = self.arrived.get(&entry.node).filter(|(at, _)| *at == entry.at);
        // SYN-SENT is the application's doing, whatever has arrived in the same moment.
        let packet = arrived.filter(|_| to != TcpState::SynSent).map(|(_, packet)| *packet);
        if packet.is_none() {
            self.waiting.retain(|(at, _, _)| *at == entry.at);
            self.waiting.push((entry.at, entry.node, to));
        }
        packet
    }

    fn sent(&mut self, entry: &Entry, packet: PacketId) -> Vec<(NodeId, TcpState)> {
        let Some(flags) = self.segments.get(&packet) else {
            return Vec::new();
        };
        // Several connections may live in one moment: the SYN alone goes with SYN-SENT, and with nothing else.
        let opens = flags.syn() && !flags.ack();
        let belongs = |(at, node, to): &(Instant, NodeId, TcpState)| {
            *at == entry.at && *node == entry.node && (*to == TcpState::SynSent) == opens
        };
        let mine = self.waiting.iter().filter(|change| belongs(change)).map(|(_, node, to)| (*node, *to)).collect();
        self.waiting.retain(|change| !belongs(change));
        mine
    }
}
