//! What must hold in every lab, whatever it teaches.

use std::collections::{HashMap, HashSet};
use std::net::IpAddr;

use crate::capture::Direction;
use crate::journal::{Impairment, NodeId};
use crate::packet::checksum;
use crate::packet::dissect::ETHERNET_HEADER;
use crate::packet::{Medium, PacketId};
use crate::time::Instant;

use super::evidence::{Evidence, Frame, LinkSource};
use super::judge::frame_filter;
use super::passed_on::PassedOn;
use super::{Outcome, Verdict};

/// The names of these checks; a lab's own checks have other names.
pub const INTEGRITY_IDS: [&str; 5] =
    ["checksums-good", "within-mtu", "drops-explained", "handshake-captured", "no-unexplained-reset"];

/// What a lab says of itself that these checks must know.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Integrity {
    /// Resets are part of the lab.
    pub expects_resets: bool,
    /// So are segments that belong to no connection.
    pub expects_strays: bool,
}

/// Judges all of them, in the order of [`INTEGRITY_IDS`].
pub fn integrity(evidence: &Evidence<'_>, lab: Integrity) -> Vec<Verdict> {
    let [checksums, mtu, drops, handshake, resets] = INTEGRITY_IDS;
    vec![
        checksums_good(evidence, checksums),
        each_frame(evidence, mtu, "No packet is longer than its link's MTU", "over the MTU", &over_mtu(evidence)),
        drops_explained(evidence, drops),
        each_frame(
            evidence,
            handshake,
            "Every connection is captured from its SYN",
            "begins a connection without a SYN",
            &without_syn(evidence, lab),
        ),
        each_frame(
            evidence,
            resets,
            "No connection is reset that should live",
            "a reset that the lab does not speak of",
            &if lab.expects_resets { Vec::new() } else { untimely_resets(evidence) },
        ),
    ]
}

/// A frame that breaks a rule: where it was seen, and its number there.
pub(super) type Culprit = (NodeId, u64);

/// Passes when there are no culprits among the packets, and shows those of the first node that has some.
fn each_frame(evidence: &Evidence<'_>, id: &str, that: &str, wrong: &str, culprits: &[Culprit]) -> Verdict {
    let looked_at: usize = evidence.nodes.iter().filter_map(|node| node.frames.as_ref()).map(Vec::len).sum();
    let vantage = culprits.first().map_or(NodeId(0), |(node, _)| *node);
    let packets: Vec<u64> = culprits.iter().filter(|(node, _)| *node == vantage).map(|(_, number)| *number).collect();
    let (outcome, measured) = match (culprits.len(), evidence.any_cut()) {
        (0, Some(cut)) => (Outcome::Unknown, cut),
        (0, None) if looked_at == 0 => (Outcome::Unknown, "nothing was captured".to_owned()),
        (0, None) => (Outcome::Pass, format!("{looked_at} packets looked at")),
        (count, _) => (Outcome::Fail, format!("{count} of {looked_at} packets: {wrong}")),
    };
    Verdict {
        id: id.to_owned(),
        that: that.to_owned(),
        outcome,
        measured,
        filter: frame_filter(&packets),
        packets,
        vantage: evidence.node_name(vantage).to_owned(),
        hint: None,
    }
}

/// Nobody can say.
fn unknown(evidence: &Evidence<'_>, id: &str, that: &str, measured: String) -> Verdict {
    Verdict {
        id: id.to_owned(),
        that: that.to_owned(),
        outcome: Outcome::Unknown,
        measured,
        packets: Vec::new(),
        vantage: evidence.node_name(NodeId(0)).to_owned(),
        filter: None,
        hint: None,
    }
}

fn nodes<'e, 'a>(evidence: &'e Evidence<'a>) -> impl Iterator<Item = (NodeId, &'e [Frame<'a>])> {
    (0_u16..)
        .map(NodeId)
        .zip(&evidence.nodes)
        .filter_map(|(id, node)| node.frames.as_deref().map(|frames| (id, frames)))
}

fn checksums_good(evidence: &Evidence<'_>, id: &str) -> Verdict {
    let that = "Every checksum is good";
    let culprits = bad_checksums(evidence);
    match evidence.forgotten() {
        // A forgotten line may say that a link has corrupted them.
        Some(forgotten) if !culprits.is_empty() => unknown(evidence, id, that, forgotten),
        Some(_) | None => each_frame(evidence, id, that, "a bad checksum", &culprits),
    }
}

/// Frames with a bad checksum that no link has corrupted. One that a capture cut short cannot be judged.
fn bad_checksums(evidence: &Evidence<'_>) -> Vec<Culprit> {
    let corrupted =
        evidence.packets_impaired(|impairment| matches!(impairment, Impairment::Corrupted { .. })).unwrap_or_default();
    nodes(evidence)
        .flat_map(|(node, frames)| frames.iter().map(move |frame| (node, frame)))
        .filter(|(_, frame)| frame.record.bytes.len() == frame.record.wire_len)
        .filter(|(_, frame)| !corrupted.contains(&frame.record.packet))
        .filter(|(_, frame)| !checksum::verify(frame.record.medium, &frame.record.bytes).is_good())
        .map(|(node, frame)| (node, frame.number))
        .collect()
}

fn over_mtu(evidence: &Evidence<'_>) -> Vec<Culprit> {
    let mtu_of = |node: NodeId| {
        evidence.links.iter().filter(|link| link.ends.contains(&node)).map(|link| link.mtu).max().unwrap_or(usize::MAX)
    };
    nodes(evidence)
        .flat_map(|(node, frames)| frames.iter().map(move |frame| (node, frame)))
        .filter(|(node, frame)| network_len(frame) > mtu_of(*node))
        .map(|(node, frame)| (node, frame.number))
        .chain(over_the_mtu_of_a_hop(evidence))
        .collect()
}

/// Packets that came through a link which is too narrow for them, at a node that has wider ones, too.
fn over_the_mtu_of_a_hop(evidence: &Evidence<'_>) -> Vec<Culprit> {
    let Ok(passed_on) = PassedOn::of(evidence) else { return Vec::new() };
    let mut culprits = Vec::new();
    for link in &evidence.links {
        let [one, other] = link.ends;
        for (sender, receiver) in [(one, other), (other, one)] {
            let sent: HashSet<PacketId> = passed_on.to(sender, link.name).map(|(packet, _)| packet).collect();
            let is_long = |frame: &&Frame<'_>| {
                frame.record.direction == Direction::In
                    && sent.contains(&frame.record.packet)
                    && network_len(frame) > link.mtu
            };
            let frames = evidence.frames(receiver).unwrap_or_default();
            culprits.extend(frames.iter().filter(is_long).map(|frame| (receiver, frame.number)));
        }
    }
    culprits
}

/// Octets that count against an MTU.
fn network_len(frame: &Frame<'_>) -> usize {
    match frame.record.medium {
        Medium::Ip => frame.record.wire_len,
        Medium::Ethernet => frame.record.wire_len.saturating_sub(ETHERNET_HEADER),
    }
}

/// The first segment of each connection at each vantage, when it is no SYN. A reset may answer nothing that was seen, and a
/// lab that expects strays has conversations which are no connections: nothing in them carries data.
fn without_syn(evidence: &Evidence<'_>, lab: Integrity) -> Vec<Culprit> {
    let mut culprits = Vec::new();
    for (node, frames) in nodes(evidence) {
        let talks: HashSet<_> = frames.iter().filter(|frame| has_data(frame)).filter_map(conversation).collect();
        let is_stray = |conversation: &[_; 2]| lab.expects_strays && !talks.contains(conversation);
        let mut seen = HashSet::new();
        for frame in frames {
            let Some((tcp, conversation)) = frame.dissection.tcp().zip(conversation(frame)) else { continue };
            if seen.insert(conversation) && !tcp.flags.syn() && !tcp.flags.rst() && !is_stray(&conversation) {
                culprits.push((node, frame.number));
            }
        }
    }
    culprits
}

fn has_data(frame: &Frame<'_>) -> bool {
    frame.dissection.tcp().is_some_and(|tcp| tcp.payload_len > 0)
}

/// Resets of connections that had not ended. When both ends have sent their FIN, there is nothing left to lose: a copy
/// that a busy machine makes late still meets an end that has forgotten the connection, and is answered by a reset
/// (RFC 9293 §3.10.7.1).
fn untimely_resets(evidence: &Evidence<'_>) -> Vec<Culprit> {
    let mut culprits = Vec::new();
    for (node, frames) in nodes(evidence) {
        let mut ended: HashMap<_, HashSet<_>> = HashMap::new();
        for frame in frames {
            let Some((tcp, conversation)) = frame.dissection.tcp().zip(conversation(frame)) else { continue };
            let ended_by = ended.entry(conversation).or_default();
            if tcp.flags.syn() {
                ended_by.clear();
            } else if tcp.flags.fin() {
                ended_by.insert((frame.dissection.addresses().map(|(src, _)| src), tcp.src_port));
            }
            if tcp.flags.rst() && ended_by.len() < 2 {
                culprits.push((node, frame.number));
            }
        }
    }
    culprits
}

/// The two ends of a conversation, the same for both directions.
fn conversation(frame: &Frame<'_>) -> Option<[(IpAddr, u16); 2]> {
    let ((src, dst), (src_port, dst_port)) = frame.dissection.addresses().zip(frame.dissection.ports())?;
    let mut ends = [(src, src_port), (dst, dst_port)];
    ends.sort_unstable();
    Some(ends)
}

/// Each packet that left one end of a link and never reached the other has its cause in the journal, or was still under
/// way when the run ended.
fn drops_explained(evidence: &Evidence<'_>, id: &str) -> Verdict {
    let that = "Every packet that was lost has its cause".to_owned();
    let explained = match evidence.packets_impaired(Impairment::is_drop) {
        // Without all packets of the receiver nobody can say what never arrived, nor without all lines why.
        Ok(explained) => evidence.any_cut().or_else(|| evidence.forgotten()).map_or(Ok(explained), Err),
        Err(missing) => Err(missing),
    };
    let explained = match explained {
        Ok(explained) => explained,
        Err(missing) => return unknown(evidence, id, &that, missing),
    };
    let passed_on = match PassedOn::of(evidence) {
        Ok(passed_on) => passed_on,
        Err(missing) => return unknown(evidence, id, &that, missing),
    };
    let on_links = evidence.links.iter().flat_map(|link| vanished(evidence, link, &explained, &passed_on));
    let culprits: Vec<Culprit> = on_links.chain(passed_on.swallowed(evidence)).collect();
    each_frame(evidence, id, &that, "sent, never arrived, and no cause is told", &culprits)
}

/// The packets of one link that are gone without a cause.
fn vanished(
    evidence: &Evidence<'_>,
    link: &LinkSource<'_>,
    explained: &HashSet<PacketId>,
    passed_on: &PassedOn<'_>,
) -> Vec<Culprit> {
    let [one, other] = link.ends;
    let mut culprits = Vec::new();
    for (sender, receiver) in [(one, other), (other, one)] {
        let (Some(sent), Some(arrived)) = (evidence.frames(sender), evidence.frames(receiver)) else { continue };
        let arrived: HashMap<PacketId, u64> = arrived
            .iter()
            .filter(|frame| frame.record.direction == Direction::In)
            .map(|frame| (frame.record.packet, frame.number))
            .collect();
        let is_gone = |packet: PacketId, at: Instant| {
            !arrived.contains_key(&packet) && !explained.contains(&packet) && at + link.longest_flight < evidence.ended
        };
        if passed_on.forwards(sender) {
            // Its vantage point holds what came in; what went to which link, it tells.
            let gone = passed_on.to(sender, link.name).filter(|(packet, at)| is_gone(*packet, *at));
            culprits.extend(gone.map(|(packet, _)| (sender, passed_on.number_of(evidence, sender, packet))));
            continue;
        }
        let sent = sent.iter().filter(|frame| frame.record.direction == Direction::Out);
        let gone = sent.filter(|frame| is_gone(frame.record.packet, frame.record.at));
        culprits.extend(gone.map(|frame| (sender, frame.number)));
    }
    culprits
}
