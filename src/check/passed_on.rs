//! What routers and switches did with packets, as the journal tells it.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use super::evidence::Evidence;
use super::integrity::Culprit;
use crate::capture::Direction;
use crate::journal::{Event, NodeId, Passage};
use crate::packet::PacketId;
use crate::time::Instant;

/// How long a packet may wait for a neighbour's address before somebody must tell what became of it: three questions, a
/// second apart, and what a busy machine adds.
const LONGEST_WAIT: Duration = Duration::from_secs(4);

/// What became of the packets of every node that passes packets on.
pub(super) struct PassedOn<'a> {
    /// What each of them put on each of its links, and when.
    by_link: HashMap<(NodeId, &'a str), Vec<(PacketId, Instant)>>,
    /// Packets whose fate at a node is told.
    settled: HashSet<(NodeId, PacketId)>,
    /// Since when a packet waits at a node.
    waiting: HashMap<(NodeId, PacketId), Instant>,
    /// What each piece was cut from.
    originals: HashMap<PacketId, PacketId>,
    nodes: HashSet<NodeId>,
}

impl<'a> PassedOn<'a> {
    /// Reads the journal.
    ///
    /// # Errors
    /// Says so when there is none.
    pub(super) fn of(evidence: &Evidence<'a>) -> Result<PassedOn<'a>, String> {
        let mut passed_on = PassedOn {
            by_link: HashMap::new(),
            settled: HashSet::new(),
            waiting: HashMap::new(),
            originals: HashMap::new(),
            nodes: HashSet::new(),
        };
        for entry in evidence.entries()? {
            let node = entry.node;
            match &entry.event {
                Event::Forwarded { packet, link } => {
                    passed_on.nodes.insert(node);
                    passed_on.settled.insert((node, *packet));
                    passed_on.by_link.entry((node, link)).or_default().push((*packet, entry.at));
                }
                Event::Passage { packet, passage } => {
                    passed_on.nodes.insert(node);
                    match passage {
                        Passage::Taken => {
                            passed_on.settled.insert((node, *packet));
                        }
                        Passage::Piece { original } => {
                            passed_on.originals.insert(*packet, *original);
                            passed_on.settled.insert((node, *original));
                        }
                        Passage::AwaitsNeighbour { .. } => {
                            passed_on.waiting.insert((node, *packet), entry.at);
                        }
                        Passage::Filtered { .. } | Passage::Translated { .. } | Passage::MssClamped { .. } => {}
                    }
                }
                Event::PacketDropped { packet, .. } => {
                    passed_on.settled.insert((node, *packet));
                }
                _ => {}
            }
        }
        Ok(passed_on)
    }

    /// Whether a node passes packets on.
    pub(super) fn forwards(&self, node: NodeId) -> bool {
        self.nodes.contains(&node)
    }

    /// What a node put on a link, and when.
    pub(super) fn to(&self, node: NodeId, link: &'a str) -> impl Iterator<Item = (PacketId, Instant)> + '_ {
        self.by_link.get(&(node, link)).into_iter().flatten().copied()
    }

    /// The frame that stands for a packet at a node: of a piece, the packet it was cut from; 0 when there is none.
    pub(super) fn number_of(&self, evidence: &Evidence<'_>, node: NodeId, packet: PacketId) -> u64 {
        let shown = self.originals.get(&packet).copied().unwrap_or(packet);
        evidence.vantage(node).and_then(|vantage| vantage.number_of(shown)).unwrap_or(0)
    }

    /// Packets that came in at a node which passes packets on, and of which nobody says what became.
    pub(super) fn swallowed(&self, evidence: &Evidence<'_>) -> Vec<Culprit> {
        let mut culprits = Vec::new();
        for node in &self.nodes {
            let frames = evidence.frames(*node).unwrap_or_default();
            let came_in = frames.iter().filter(|frame| frame.record.direction == Direction::In);
            let is_gone = |packet: PacketId| {
                let waits = self.waiting.get(&(*node, packet));
                !self.settled.contains(&(*node, packet))
                    && waits.is_none_or(|since| *since + LONGEST_WAIT < evidence.ended)
            };
            let gone = came_in.filter(|frame| is_gone(frame.record.packet));
            culprits.extend(gone.map(|frame| (*node, frame.number)));
        }
        culprits.sort_unstable();
        culprits
    }
}
