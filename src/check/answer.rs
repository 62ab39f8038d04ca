//! Questions without a claim: what a measure comes to, and which packets or events a selection finds.
//!
//! Predictions are marked by the first, guides take their packet numbers and times from the second.

use std::net::SocketAddr;
use std::time::Duration;

use serde::Serialize;

use crate::filter;
use crate::journal::NodeId;

use crate::packet::PacketId;

use super::evidence::{Evidence, Frame};
use super::judge::{Bench, frame_filter};
use super::selection::{Found, Item, Picked};
use super::{Measure, Selection};

/// What a measure came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Amount {
    /// So many packets or events.
    Count(u64),
    /// So many octets.
    Octets(u64),
    /// So long; in JSON, nanoseconds.
    #[serde(rename = "nanoseconds", serialize_with = "as_nanos")]
    Time(Duration),
}

/// What a run says to a question, and where that can be seen.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Answer {
    /// What was measured.
    pub amount: Amount,
    /// The packets that show it: frame numbers in the vantage's capture, in rising order.
    pub packets: Vec<u64>,
    /// The node whose capture has these numbers.
    pub vantage: String,
    /// A display filter that shows them in Wireshark; `None` when there is nothing to show.
    pub filter: Option<String>,
}

/// One packet or event that a selection finds.
#[derive(Debug)]
pub struct Sight<'e, 'a> {
    item: Item<'e, 'a>,
    /// The node whose capture it is in.
    vantage: NodeId,
    evidence: &'e Evidence<'a>,
}

/// Measures; `at` is the node whose capture counts where a selection names none.
///
/// # Errors
/// Says what there is nothing of, or which evidence is missing.
pub fn answer(measure: &Measure, at: NodeId, evidence: &Evidence<'_>) -> Result<Answer, String> {
    let bench = Bench { evidence, at };
    let told = |amount, picked: &Picked<'_, '_>| Answer {
        amount,
        packets: picked.numbers(),
        vantage: evidence.node_name(picked.vantage).to_owned(),
        filter: picked.filter.clone().or_else(|| frame_filter(&picked.numbers())),
    };
    match measure {
        Measure::Count(of) => bench.select_all(of).map(|found| told(Amount::Count(found.items.len() as u64), &found)),
        Measure::Bytes(of) => bench.select_all(of).map(|found| told(Amount::Octets(found.sum(Item::bytes)), &found)),
        Measure::Octets(of) => bench.select_all(of).map(|found| told(Amount::Octets(found.sum(Item::octets)), &found)),
        Measure::Gap(from, to) => {
            let span = bench.span(from, to)?.map_err(|finding| finding.measured)?;
            let mut packets: Vec<u64> = span.shown.iter().filter_map(|item| item.number).collect();
            packets.sort_unstable();
            let filter = frame_filter(&packets);
            Ok(Answer { packets, filter, ..told(Amount::Time(span.length), &span.start) })
        }
        Measure::Member(member, of) => {
            let (value, found) = bench.value(member, of)?.map_err(|finding| finding.measured)?;
            Ok(told(Amount::Count(value), &found))
        }
        Measure::Sum(parts) => sum(parts, at, evidence),
    }
}

/// The parts' amounts, added up; shown by the packets of them all, as far as one capture has them.
fn sum(parts: &[Measure], at: NodeId, evidence: &Evidence<'_>) -> Result<Answer, String> {
    let answers: Vec<Answer> = parts.iter().map(|part| answer(part, at, evidence)).collect::<Result<_, _>>()?;
    let mut answers = answers.into_iter();
    let mut whole = answers.next().ok_or("adds up nothing")?;
    for part in answers {
        whole.amount = match (whole.amount, part.amount) {
            (Amount::Count(one), Amount::Count(other)) => Amount::Count(one.saturating_add(other)),
            (Amount::Octets(one), Amount::Octets(other)) => Amount::Octets(one.saturating_add(other)),
            (Amount::Time(one), Amount::Time(other)) => Amount::Time(one.saturating_add(other)),
            (Amount::Count(_) | Amount::Octets(_) | Amount::Time(_), _) => {
                return Err("adds up amounts of several kinds".to_owned());
            }
        };
        if part.vantage == whole.vantage {
            whole.packets.extend(part.packets);
        }
    }
    whole.packets.sort_unstable();
    whole.packets.dedup();
    Ok(Answer { filter: frame_filter(&whole.packets), ..whole })
}

/// Everything that a selection finds, in order of time; `at` as with [`answer`].
///
/// # Errors
/// Says which evidence is missing.
pub fn sights<'e, 'a>(
    selection: &Selection,
    at: NodeId,
    evidence: &'e Evidence<'a>,
) -> Result<Vec<Sight<'e, 'a>>, String> {
    let picked = Bench { evidence, at }.select_all(selection)?;
    let vantage = picked.vantage;
    Ok(picked.items.into_iter().map(|item| Sight { item, vantage, evidence }).collect())
}

/// A packet, as somebody points at it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mention {
    /// Its name in the run, the same at every node.
    pub packet: PacketId,
    /// The node where it was seen.
    pub node: NodeId,
    /// Its number in that node's capture.
    pub number: u64,
    /// The two ends of its conversation, the smaller first; `None` for what has no ports.
    pub ends: Option<[SocketAddr; 2]>,
}

/// The packet of this number in a node's capture.
///
/// # Errors
/// Says how many there are.
pub fn mention(node: NodeId, number: u64, evidence: &Evidence<'_>) -> Result<Mention, String> {
    let name = evidence.node_name(node);
    let frames = evidence.frames(node).ok_or_else(|| format!("there is no capture of {name}"))?;
    let frame = number.checked_sub(1).and_then(|index| frames.get(usize::try_from(index).ok()?));
    frame.map(|frame| mention_of(node, frame)).ok_or_else(|| format!("{name} has {} packets", frames.len()))
}

fn mention_of(node: NodeId, frame: &Frame<'_>) -> Mention {
    let ends = frame.dissection.addresses().zip(frame.dissection.ports()).map(|((src, dst), (from, to))| {
        let (one, other) = (SocketAddr::new(src, from), SocketAddr::new(dst, to));
        [one.min(other), one.max(other)]
    });
    Mention { packet: frame.record.packet, node, number: frame.number, ends }
}

impl Sight<'_, '_> {
    /// The packet that it is; `None` for an event.
    pub fn mention(&self) -> Option<Mention> {
        match self.item.found {
            Found::Packet(frame) => Some(mention_of(self.vantage, frame)),
            Found::Event(_) => None,
        }
    }

    /// The packet's number at the vantage; for an event, that of the packet it is about.
    pub fn number(&self) -> Option<u64> {
        self.item.number
    }

    /// From the beginning of the run; for a packet, from the first packet of its capture, as the ladder and Wireshark count.
    pub fn at(&self) -> Duration {
        match self.item.found {
            Found::Packet(frame) => Duration::from_nanos(frame.since_first.as_nanos()),
            Found::Event(entry) => Duration::from_nanos(entry.at.as_nanos()),
        }
    }

    /// Octets of payload; for an event, its member `bytes`.
    pub fn bytes(&self) -> u64 {
        self.item.bytes()
    }

    /// Octets on the wire, headers and all; an event has none.
    pub fn octets(&self) -> u64 {
        self.item.octets()
    }

    /// A packet's field by Wireshark's name, an event's member by its name in the journal; `None` when it has none.
    pub fn field(&self, name: &str) -> Option<String> {
        match self.item.found {
            Found::Packet(frame) => {
                let texts = filter::field_texts(name, &frame.packet_subject())?;
                (!texts.is_empty()).then(|| texts.join(", "))
            }
            Found::Event(entry) => {
                let name = name.strip_prefix("event.").unwrap_or(name);
                if name == "node" {
                    return Some(self.evidence.node_name(entry.node).to_owned());
                }
                let line = serde_json::to_value(entry).ok()?;
                let member = name.split('.').try_fold(&line, |object, key| object.get(key))?;
                Some(member.as_str().map_or_else(|| member.to_string(), str::to_owned))
            }
        }
    }
}

fn as_nanos<S: serde::Serializer>(span: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_u64(u64::try_from(span.as_nanos()).unwrap_or(u64::MAX))
}
