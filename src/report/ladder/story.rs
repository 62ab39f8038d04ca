//! The journal, sorted by packet: what is known about each, and which changes of state it brought.

use std::collections::HashMap;

use crate::journal::{DropReason, Entry, Event, Impairment, NodeId, TcpState, Why};
use crate::packet::PacketId;
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
    pub(super) fn of(entries: &[&'a Entry]) -> Story<'a> {
        let mut story = Story::default();
        let mut states = States::default();
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
                about.states.extend(states.sent(entry));
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
            Event::TimerSet { .. } | Event::TimerFired { .. } | Event::DuplicateAck { .. } | Event::Program { .. } => {}
        }
    }
}

/// Finds the packet that a change of state belongs to: the last that arrived at the node in that moment, or else the
/// next one that it sends in that moment.
#[derive(Default)]
struct States {
    arrived: HashMap<NodeId, (Instant, PacketId)>,
    waiting: Vec<(Instant, NodeId, TcpState)>,
}

impl States {
    fn arrived(&mut self, entry: &Entry, packet: PacketId) {
        self.arrived.insert(entry.node, (entry.at, packet));
    }

    fn changed(&mut self, entry: &Entry, to: TcpState) -> Option<PacketId> {
        let packet = self.arrived.get(&entry.node).filter(|(at, _)| *at == entry.at).map(|(_, packet)| *packet);
        if packet.is_none() {
            self.waiting.retain(|(at, _, _)| *at == entry.at);
            self.waiting.push((entry.at, entry.node, to));
        }
        packet
    }

    fn sent(&mut self, entry: &Entry) -> Vec<(NodeId, TcpState)> {
        let belongs = |(at, node, _): &(Instant, NodeId, TcpState)| *at == entry.at && *node == entry.node;
        let mine = self.waiting.iter().filter(|change| belongs(change)).map(|(_, node, to)| (*node, *to)).collect();
        self.waiting.retain(|change| !belongs(change));
        mine
    }
}
