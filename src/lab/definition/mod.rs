//! What a lab file says.
//!
//! ```text
//!   text ─parse─► document ─a variant laid over it─► raw (as typed) ──► Definition (as meant)
//!                      │                                  │                    │
//!                   syntax                        unknown fields,       unknown nodes, filters,
//!                                                 wrong types           contradictions
//! ```
//!
//! Every stage knows where in the text each value stands, so every error is `file:line:column`, the field, and what was
//! expected. What does not live here: finding labs ([`catalogue`](super::catalogue)) and running them.

mod brackets;
mod claims;
mod error;
mod faults;
mod file;
mod links;
mod meaning;
mod nodes;
mod overlay;
mod printable;
mod raw;
mod raw_faults;
mod raw_network;
mod routers;
mod routes;
mod selections;
mod shapes;
mod sound;
mod steps;
mod syntax;
mod tcp;
#[cfg(test)]
mod tests;
mod topology;
mod values;

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use toml::de::DeTable;

use crate::app::Program;
use crate::check::{Check, Integrity, Measure, Only, Selected, Selection};
use crate::filter::{Filter, Names};
use crate::journal::NodeId;
use crate::stack::StackKind;

pub use error::{LabError, Place};
pub use faults::{Budget, Fault, Layer, Phase};
pub use links::{Link, LinkRule};
pub use nodes::{Host, Interface, Kernel, Node, NodeKind, Route, Switch};
pub use routers::{Router, RouterRule};

pub(super) use error::{closest, ranked};
pub(super) use file::{read_page, read_text};

use error::Fault as Mistake;
use overlay::Variant;
use raw::RawLab;

/// A lab.
#[derive(Clone, Debug)]
pub struct Definition {
    /// Its name: `20-rto-backoff`.
    pub id: String,
    /// Its title.
    pub title: String,
    /// Minutes that a learner needs.
    pub minutes: u32,
    /// What to read: `RFC 6298 §5`.
    pub rfc: Vec<String>,
    /// The seed of everything random, unless the run is given another.
    pub seed: u64,
    /// One sentence.
    pub summary: String,
    /// The stacks that its claims are about: on another it runs as well, but its checks may fail.
    pub stacks: Vec<StackKind>,
    /// What its own nature means for the integrity checks.
    pub integrity: Integrity,
    /// The nodes in the file's order: node `i` is `NodeId(i)`.
    pub nodes: Vec<Node>,
    /// The links in the file's order.
    pub links: Vec<Link>,
    /// The node whose DNS the real programs of the lab ask; `None`: they know every node by its name.
    pub resolver: Option<NodeId>,
    /// The steps, to be run in this order.
    pub steps: Vec<Step>,
    /// What it claims. Under a break that has claims of its own, those.
    pub checks: Vec<Check>,
    /// By check id, what proves that the check can fail.
    pub falsifiers: BTreeMap<String, Falsifier>,
    /// What it asks before the run.
    pub predictions: Vec<Prediction>,
    /// Its named selections.
    pub selections: BTreeMap<String, Selection>,
    /// Its named variants.
    pub breaks: Vec<Break>,
    /// The break that is laid over it; `None` for the lab as it is.
    pub broken: Option<String>,
    /// Its hidden faults.
    pub faults: Vec<Fault>,
    /// The hidden fault that is laid over it; `None` for the lab as it is.
    pub hidden: Option<String>,
    /// What the times of its requests are made of.
    pub budgets: Vec<Budget>,
    source: Source,
}

/// The text that a definition was read from.
#[derive(Clone, Debug)]
struct Source {
    file: String,
    text: String,
}

/// A step.
#[derive(Clone, Debug)]
pub struct Step {
    /// Where it runs.
    pub node: NodeId,
    /// The program.
    pub program: Program,
    /// The real program that takes its place on a kernel node of a live run, with its arguments; addresses are filled in.
    pub exec: Option<Vec<String>>,
    /// Whether the next step begins as soon as this one is ready (a server: as it listens), and not only when it ends.
    pub background: bool,
    /// After how long the program is ended, as by a crash; `None` when it ends by itself, or with the run.
    pub stops: Option<std::time::Duration>,
}

/// What proves that a check can fail: [`Definition::falsified`] applies it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Falsifier {
    /// A break of the lab.
    Break(String),
    /// A hidden fault of the lab.
    Fault(String),
    /// Taking a link's rule away.
    Rule(String),
    /// Setting paths of the file, as breaks do, to other values. These paths.
    Set(Vec<String>),
}

/// A question that is asked before the run.
#[derive(Clone, Debug)]
pub struct Prediction {
    /// The question.
    pub ask: String,
    /// What the run answers.
    pub answer: Measure,
    /// The node whose capture counts.
    pub at: NodeId,
}

/// A named variant of the lab.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Break {
    /// Its name.
    pub name: String,
    /// What it teaches.
    pub teaches: String,
    /// The check of the unbroken lab that fails under it.
    pub turns_red: String,
    /// Whether it has claims of its own, which take the place of the lab's.
    pub has_own_checks: bool,
}

impl Definition {
    /// Reads a lab file. `file` is how errors name it. Every break, every fault and what falsifies each check is read too,
    /// so that none is wrong unseen.
    ///
    /// # Errors
    /// [`LabError::Wrong`] with the place of the first mistake.
    pub fn parse(file: &str, text: &str) -> Result<Definition, LabError> {
        let definition = read(file, text, &[])?;
        let breaks = definition.breaks.iter().map(|each| Variant::Break(&each.name));
        let falsifiers = definition.falsifiers.keys().map(|check| Variant::Falsifier(check));
        let faults = definition.faults.iter().map(|each| Variant::Fault(&each.name));
        for variant in breaks.chain(faults).chain(falsifiers) {
            read(file, text, &[variant])?;
        }
        Ok(definition)
    }

    /// Reads `lab.toml`, given itself or its folder.
    ///
    /// # Errors
    /// As [`read_text`] and [`Definition::parse`].
    pub fn load(path: &Path) -> Result<Definition, LabError> {
        let path: PathBuf = if path.is_dir() { path.join("lab.toml") } else { path.to_owned() };
        let text = read_text(&path)?;
        Definition::parse(&path.display().to_string(), &text)
    }

    /// The lab with one of its breaks laid over it.
    ///
    /// # Errors
    /// [`LabError::UnknownBreak`] when it has none of that name.
    pub fn with_break(&self, name: &str) -> Result<Definition, LabError> {
        if !self.breaks.iter().any(|each| each.name == name) {
            return Err(LabError::UnknownBreak {
                lab: self.id.clone(),
                name: name.to_owned(),
                known: self.breaks.iter().map(|each| each.name.clone()).collect(),
            });
        }
        read(&self.source.file, &self.source.text, &[Variant::Break(name)])
    }

    /// The lab with one of its hidden faults laid over it.
    ///
    /// # Errors
    /// [`LabError::Wrong`], which no lab that was read has: its faults were read with it.
    pub fn with_fault(&self, fault: &Fault) -> Result<Definition, LabError> {
        read(&self.source.file, &self.source.text, &[Variant::Fault(&fault.name)])
    }

    /// The hidden fault that is laid over it.
    pub fn hidden_fault(&self) -> Option<&Fault> {
        self.faults.iter().find(|fault| Some(&fault.name) == self.hidden.as_ref())
    }

    /// The lab with other addresses, by node name; what was laid over it stays.
    ///
    /// # Errors
    /// [`LabError::Wrong`] when there is no such node, or two nodes get the same address.
    pub fn with_addresses(&self, addresses: &BTreeMap<String, Vec<IpAddr>>) -> Result<Definition, LabError> {
        let broken = self.broken.as_deref().map(Variant::Break);
        let hidden = self.hidden.as_deref().map(Variant::Fault);
        let variants: Vec<Variant<'_>> =
            broken.into_iter().chain(hidden).chain([Variant::Addresses(addresses)]).collect();
        read(&self.source.file, &self.source.text, &variants)
    }

    /// What a selection's name, a rule's id or a filter finds; `None` when it is none of them.
    pub fn selection(&self, text: &str) -> Option<Selection> {
        let plain = |what| Selection { name: text.to_owned(), what, at: None, only: Only::All, nth: None };
        let of_rule = || {
            let from = |link: &Link, direction: usize| link.ends.get(direction).copied();
            let directions = self.links.iter().flat_map(|link| (0..2).map(move |direction| (link, direction)));
            let mut with_rule = directions.filter(|(link, direction)| {
                link.pipes.get(*direction).is_some_and(|pipe| pipe.rules.iter().any(|rule| rule.id == text))
            });
            let (link, direction) = with_rule.next()?;
            Some(plain(Selected::Rule { id: text.to_owned(), from: from(link, direction)? }))
        };
        let by_filter = || {
            let filter = Filter::parse(text, &self.names()).ok()?;
            Some(plain(if filter.is_about_events() { Selected::Events(filter) } else { Selected::Packets(filter) }))
        };
        self.selections.get(text).cloned().or_else(of_rule).or_else(by_filter)
    }

    /// The lab altered so that its check `check` must fail; `None` when the check does not say what falsifies it, and for
    /// a lab that a break or a fault is laid over. All claims stay the lab's own, also where a break has claims of its own.
    pub fn falsified(&self, check: &str) -> Option<Definition> {
        let falsifier = self.falsifiers.get(check).filter(|_| self.broken.is_none() && self.hidden.is_none())?;
        // It was read with the file: what is wrong with it has been told then.
        let mut falsified = read(&self.source.file, &self.source.text, &[Variant::Falsifier(check)]).ok()?;
        if let Falsifier::Rule(taken) = falsifier {
            let pipes = falsified.links.iter_mut().flat_map(|link| &mut link.pipes);
            pipes.for_each(|pipe| pipe.rules.retain(|rule| rule.id != *taken));
        }
        Some(falsified)
    }

    /// The file that it was read from, as it was named.
    pub fn file(&self) -> &str {
        &self.source.file
    }

    /// The node of this name.
    pub fn node(&self, name: &str) -> Option<NodeId> {
        (0..).map(NodeId).zip(&self.nodes).find(|(_, node)| node.name == name).map(|(id, _)| id)
    }

    /// Which addresses the nodes' names stand for.
    pub fn names(&self) -> Names {
        meaning::names(&self.nodes)
    }
}

/// Text to meaning, with variants laid over it.
fn read(file: &str, text: &str, variants: &[Variant<'_>]) -> Result<Definition, LabError> {
    read_document(text, variants)
        .map(|definition| Definition { source: Source { file: file.to_owned(), text: text.to_owned() }, ..definition })
        .map_err(|fault| fault.in_file(file, text))
}

fn read_document(text: &str, variants: &[Variant<'_>]) -> Result<Definition, Mistake> {
    syntax::check(text)?;
    let mut document = DeTable::parse(text).map_err(|error| syntax::fault(&error, text))?;
    printable::check(document.get_ref())?;
    brackets::check(document.get_ref())?;
    for variant in variants {
        overlay::apply(document.get_mut(), *variant)?;
    }
    let raw =
        RawLab::deserialize(toml::Deserializer::from(document)).map_err(|error| Mistake::of_toml(&error, text))?;
    meaning::definition(text, raw, variants)
}
