//! Who talked with whom.

use std::collections::HashMap;

use crate::capture::{Direction, Record};
use crate::journal::NodeId;
use crate::packet::PacketId;

/// The pairs of nodes of which one got what the other had sent, in the order in which they began. A packet keeps its
/// name through routers, so that two hosts are a pair whatever lies between them.
///
/// `captures` are those of the nodes that may be pairs. Who stands in front there is the first of a pair.
pub fn pairs(captures: &[(NodeId, &[Record])]) -> Vec<(NodeId, NodeId)> {
    let mut senders: HashMap<PacketId, usize> = HashMap::new();
    for (place, (_, records)) in captures.iter().enumerate() {
        let sent = records.iter().filter(|record| record.direction == Direction::Out);
        senders.extend(sent.map(|record| (record.packet, place)));
    }
    let mut found: Vec<(PacketId, (usize, usize))> = Vec::new();
    for (place, (_, records)) in captures.iter().enumerate() {
        for record in records.iter().filter(|record| record.direction == Direction::In) {
            let Some(sender) = senders.get(&record.packet).filter(|sender| **sender != place) else { continue };
            let pair = (place.min(*sender), place.max(*sender));
            match found.iter_mut().find(|(_, known)| *known == pair) {
                Some((first, _)) => *first = (*first).min(record.packet),
                None => found.push((record.packet, pair)),
            }
        }
    }
    found.sort_by_key(|(first, _)| *first);
    let node = |place: usize| captures.get(place).map(|(node, _)| *node);
    found.iter().filter_map(|(_, (one, other))| Some((node(*one)?, node(*other)?))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::packet::Medium;
    use crate::time::Instant;

    fn record(packet: u64, direction: Direction) -> Record {
        Record {
            at: Instant::ZERO,
            packet: PacketId(packet),
            direction,
            medium: Medium::Ip,
            bytes: bytes::Bytes::new(),
            wire_len: 0,
            comments: Default::default(),
        }
    }

    #[test]
    fn who_got_what_somebody_sent_is_a_pair_in_the_order_of_their_first_packets() {
        use Direction::{In, Out};
        let one = [record(5, Out), record(9, In)];
        let two = [record(3, Out), record(4, Out)];
        let three = [record(5, In), record(3, In), record(9, Out)];
        let alone = [record(7, Out)];
        let captures: [(NodeId, &[Record]); 4] =
            [(NodeId(0), &one), (NodeId(2), &two), (NodeId(4), &three), (NodeId(6), &alone)];
        assert_eq!(pairs(&captures), [(NodeId(2), NodeId(4)), (NodeId(0), NodeId(4))]);
        assert_eq!(pairs(&[]), []);
    }
}
