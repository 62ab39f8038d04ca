//! Questions without a claim: what a measure comes to, and which packets or events a selection finds.
//!
//! Predictions are marked by the first, guides take their packet numbers and times from the second.

use std::time::Duration;

use serde::Serialize;

use crate::filter;
use crate::journal::NodeId;

use super::evidence::Evidence;
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
    }
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
    Ok(picked.items.into_iter().map(|item| Sight { item, evidence }).collect())
}

impl Sight<'_, '_> {
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
