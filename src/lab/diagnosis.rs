//! Hidden faults: which one a seed chooses, and whether somebody has found it.
//!
//! ```text
//!   seed ─► fault ─laid over the lab─► run ─► captures ─► a learner ─► diagnosis ─┐
//!              └──────────── what would be right to say ──────────────────────────┴─► assessment
//! ```
//!
//! A diagnosis names a layer, a hop and a packet. Nothing is judged here but these: what a fault is stands in the lab's file.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use serde::Serialize;

use super::definition::{Budget, Definition, Fault, LabError, Layer, Phase};
use crate::check::{Amount, Evidence, Measure, Mention, answer, mention, sights};
use crate::journal::NodeId;
use crate::rng::Rng;

/// What somebody says of a fault.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Diagnosis {
    /// In which layer it is.
    pub layer: Option<Layer>,
    /// At which node or link.
    pub hop: Option<String>,
    /// Which packet shows it.
    pub packet: Option<PacketAt>,
}

/// A packet by its number in a node's capture: `balancer:12`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PacketAt {
    /// The node; `None` for the lab's first.
    pub node: Option<String>,
    /// The packet's number in its capture, from 1.
    pub number: u64,
}

/// Whether a part of a diagnosis is right.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Mark {
    /// It is.
    Right,
    /// It is close: where the fault shows, next to where it is, or in the same conversation.
    Partly,
    /// It is not.
    Wrong,
    /// Nothing was said.
    Unsaid,
}

/// What a diagnosis is worth.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Assessment {
    /// Of its layer.
    pub layer: Mark,
    /// Of its hop.
    pub hop: Mark,
    /// Of its packet.
    pub packet: Mark,
}

/// Why a diagnosis cannot be assessed.
#[derive(Debug, thiserror::Error)]
pub enum DiagnosisError {
    /// The word is no layer.
    #[error("`{0}` is no layer; the layers are {all}", all = names_of_layers())]
    NoLayer(String),
    /// The word is no number of a packet.
    #[error("`{0}` is no packet; write its number, or a node and its number there, such as client:12")]
    NoPacket(String),
    /// The lab has no such place.
    #[error("`{hop}` is no hop of this lab; its nodes are {nodes}, and a link is named by its ends, such as {link}")]
    NoHop {
        /// What was said.
        hop: String,
        /// The nodes that there are.
        nodes: String,
        /// A link that there is.
        link: String,
    },
    /// There is no such packet.
    #[error("there is no packet {packet}; {why}")]
    NotCaptured {
        /// What was said.
        packet: String,
        /// What there is.
        why: String,
    },
    /// Nothing of the fault is to be seen.
    #[error("nothing of it is in these captures: are they of this lab, and of seed {0}?")]
    NotShown(u64),
}

fn names_of_layers() -> String {
    Layer::ALL.map(Layer::name).join(", ")
}

impl FromStr for Layer {
    type Err = DiagnosisError;

    fn from_str(text: &str) -> Result<Layer, DiagnosisError> {
        let text = text.trim().to_ascii_lowercase();
        Layer::ALL.into_iter().find(|layer| layer.name() == text).ok_or(DiagnosisError::NoLayer(text))
    }
}

impl fmt::Display for Layer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for PacketAt {
    type Err = DiagnosisError;

    fn from_str(text: &str) -> Result<PacketAt, DiagnosisError> {
        let text = text.trim();
        let (node, number) = match text.split_once(':') {
            Some((node, number)) => (Some(node.trim().to_owned()), number.trim()),
            None => (None, text),
        };
        let number = number.parse().ok().filter(|number| *number > 0);
        let number = number.filter(|_| node.as_ref().is_none_or(|node| !node.is_empty()));
        number.map(|number| PacketAt { node, number }).ok_or_else(|| DiagnosisError::NoPacket(text.to_owned()))
    }
}

impl fmt::Display for PacketAt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.node {
            Some(node) => write!(f, "{node}:{}", self.number),
            None => self.number.fmt(f),
        }
    }
}

impl Assessment {
    /// Whether all of it is right.
    pub fn is_right(self) -> bool {
        [self.layer, self.hop, self.packet].into_iter().all(|mark| mark == Mark::Right)
    }
}

/// The fault that `seed` chooses; `None` for a lab without any, and for the lab's own seed, with which all is well.
///
/// As many seeds in a row as there are faults, from a multiple of their number on, have each of them once, in an order of their
/// own.
pub fn chosen(lab: &Definition, seed: u64) -> Option<&Fault> {
    if seed == lab.seed || lab.faults.is_empty() {
        return None;
    }
    let count = lab.faults.len() as u64;
    let mut order: Vec<&Fault> = lab.faults.iter().collect();
    let mut rng = Rng::derive(seed / count, "hidden fault");
    // Fisher and Yates.
    for last in (1..order.len()).rev() {
        let other = usize::try_from(rng.below(last as u64 + 1)).unwrap_or(0);
        order.swap(last, other);
    }
    order.get(usize::try_from(seed % count).unwrap_or(0)).copied()
}

/// The lab as it is with `seed`: with the fault that this chooses, if there is one.
///
/// # Errors
/// As for [`Definition::with_fault`].
pub fn with_seed(lab: &Definition, seed: Option<u64>) -> Result<Definition, LabError> {
    match seed.and_then(|seed| chosen(lab, seed)) {
        Some(fault) => lab.with_fault(fault),
        None => Ok(lab.clone()),
    }
}

/// Holds a diagnosis against `fault`, in what was captured; `lab` is the one that was run.
///
/// # Errors
/// [`DiagnosisError`]: it names what there is not, or nothing of the fault was captured.
pub fn assess(
    lab: &Definition,
    fault: &Fault,
    diagnosis: &Diagnosis,
    evidence: &Evidence<'_>,
    seed: u64,
) -> Result<Assessment, DiagnosisError> {
    let shown = shown(fault, evidence);
    if shown.is_empty() {
        return Err(DiagnosisError::NotShown(seed));
    }
    let layer = match diagnosis.layer {
        None => Mark::Unsaid,
        Some(layer) if layer == fault.layer => Mark::Right,
        Some(layer) if fault.shows_in.contains(&layer) => Mark::Partly,
        Some(_) => Mark::Wrong,
    };
    let hop = diagnosis.hop.as_ref().map_or(Ok(Mark::Unsaid), |hop| mark_hop(lab, fault, hop))?;
    let packet = match &diagnosis.packet {
        None => Mark::Unsaid,
        Some(said) => {
            let mentioned = find(lab, said, evidence)?;
            if shown.iter().any(|shown| shown.packet == mentioned.packet) {
                Mark::Right
            } else if shown.iter().any(|shown| shown.ends.is_some() && shown.ends == mentioned.ends) {
                Mark::Partly
            } else {
                Mark::Wrong
            }
        }
    };
    Ok(Assessment { layer, hop, packet })
}

/// Every packet that shows the fault, at the nodes that its selections name, in their order.
pub fn shown(fault: &Fault, evidence: &Evidence<'_>) -> Vec<Mention> {
    let found = fault.packets.iter().filter_map(|selection| sights(selection, NodeId(0), evidence).ok());
    found.flatten().filter_map(|sight| sight.mention()).collect()
}

fn find(lab: &Definition, said: &PacketAt, evidence: &Evidence<'_>) -> Result<Mention, DiagnosisError> {
    let not_captured = |why: String| DiagnosisError::NotCaptured { packet: said.to_string(), why };
    let node = match &said.node {
        None => NodeId(0),
        Some(name) => lab.node(name).ok_or_else(|| {
            let nodes: Vec<&str> = lab.nodes.iter().map(|node| node.name.as_str()).collect();
            not_captured(format!("the nodes are {}", nodes.join(", ")))
        })?,
    };
    mention(node, said.number, evidence).map_err(not_captured)
}

/// A node next to the right one, or a link that ends at it, is close.
fn mark_hop(lab: &Definition, fault: &Fault, hop: &str) -> Result<Mark, DiagnosisError> {
    let hop = hop.trim();
    let node = lab.node(hop);
    let is_named = |name: &str| match name.split_once('-') {
        _ if name == hop => true,
        _ => reversed(lab, name).is_some_and(|other| other == hop),
    };
    let link = lab.links.iter().find(|link| is_named(&link.name));
    if node.is_none() && link.is_none() {
        let nodes: Vec<&str> = lab.nodes.iter().map(|node| node.name.as_str()).collect();
        let link = lab.links.first().map(|link| link.name.clone()).unwrap_or_default();
        return Err(DiagnosisError::NoHop { hop: hop.to_owned(), nodes: nodes.join(", "), link });
    }
    let name = link.map_or(hop, |link| link.name.as_str());
    if fault.hops.iter().any(|right| right == name) {
        return Ok(Mark::Right);
    }
    let is_close = lab.links.iter().any(|each| {
        let ends = each.ends.map(|end| lab.nodes.get(usize::from(end.0)).map_or("", |node| node.name.as_str()));
        let of_right = fault.hops.iter().any(|right| *right == each.name || ends.contains(&right.as_str()));
        of_right && (each.name == name || ends.contains(&name))
    });
    Ok(if is_close || fault.shows_at.iter().any(|near| near == name) { Mark::Partly } else { Mark::Wrong })
}

/// A link's name with its ends the other way round.
fn reversed(lab: &Definition, name: &str) -> Option<String> {
    let link = lab.links.iter().find(|link| link.name == name)?;
    let [a, b] = link.ends.map(|end| lab.nodes.get(usize::from(end.0)).map(|node| node.name.as_str()));
    Some(format!("{}-{}", b?, a?))
}

/// What one request's time went into: each phase, then the whole; `None` for what did not happen.
pub fn spent(budget: &Budget, evidence: &Evidence<'_>) -> Vec<Option<Duration>> {
    let span = |from, to| match answer(&Measure::Gap(Clone::clone(from), Clone::clone(to)), NodeId(0), evidence) {
        Ok(answer) => match answer.amount {
            Amount::Time(span) => Some(span),
            Amount::Count(_) | Amount::Octets(_) => None,
        },
        Err(_) => None,
    };
    let phases = budget.phases.iter().map(|phase: &Phase| span(&phase.from, &phase.to));
    let whole = budget.phases.first().zip(budget.phases.last()).and_then(|(first, last)| span(&first.from, &last.to));
    phases.chain([whole]).collect()
}
