//! `wireglass check`: a lab's claims, held against captures that were made elsewhere.

use std::net::IpAddr;
use std::path::Path;
use std::time::Duration;

use serde::Serialize;

use super::meant::CheckTask;
use super::run::verdict_line;
use super::show::Capture;
use super::terminal::Terminal;
use super::{Failure, Outcome};
use crate::check::{self, Verdict};
use crate::journal::NodeId;
use crate::lab::elsewhere::{self, Addresses, Foreign};
use crate::lab::{Catalogue, Definition};
use crate::report::{self, VerdictLine};

/// Judges captures.
pub(super) fn check(task: &CheckTask, terminal: &Terminal) -> Result<Outcome, Failure> {
    let lab = Catalogue::built_in().find(&task.lab)?;
    let lab = match &task.variant {
        Some(name) => lab.with_break(name)?,
        None => lab,
    };
    let mut notes = Vec::new();
    let captures = read(task, &lab, &mut notes)?;
    let said = said_addresses(task, &lab)?;
    let addresses = elsewhere::addresses(&lab, &captures, &said).map_err(Failure::Input)?;
    let placed_lab = lab.with_addresses(&addresses.value)?;
    let mut placed: Vec<(NodeId, &Foreign)> = Vec::new();
    let mut places = Vec::new();
    for (capture, (_, file)) in captures.iter().zip(&task.captures) {
        let vantage = elsewhere::vantage(&placed_lab, capture);
        let node = name_of(&lab, vantage.value);
        if placed.iter().any(|(taken, _)| *taken == vantage.value) {
            let text = format!("two captures are taken for `{node}`'s; write --capture NODE=FILE,NODE=FILE");
            return Err(Failure::Input(text));
        }
        placed.push((vantage.value, capture));
        places.push(Place { file: file.display().to_string(), node, why: vantage.why, packets: capture.records.len() });
    }
    let verdicts = elsewhere::judge(&lab, &addresses.value, &placed)?;
    let told = Told { lab: &placed_lab, places, why: addresses.why, notes, verdicts };
    if task.json {
        terminal.print_json(&told.document())?;
    } else {
        terminal.print(&told.text(*terminal))?;
    }
    Ok(if told.passed() { Outcome::Well } else { Outcome::Failed })
}

fn name_of(lab: &Definition, node: NodeId) -> String {
    lab.nodes.get(usize::from(node.0)).map(|node| node.name.clone()).unwrap_or_default()
}

fn node(lab: &Definition, name: &str) -> Result<NodeId, Failure> {
    lab.node(name).ok_or_else(|| {
        let known: Vec<&str> = lab.nodes.iter().map(|node| node.name.as_str()).collect();
        Failure::Input(format!("lab {} has no node `{name}`; it has {}", lab.id, known.join(", ")))
    })
}

/// Reads every file; all of them count from the earliest packet of any.
fn read(task: &CheckTask, lab: &Definition, notes: &mut Vec<String>) -> Result<Vec<Foreign>, Failure> {
    let mut read = Vec::new();
    for (said, file) in &task.captures {
        let capture = Capture::read(file)?;
        notes.extend(capture.problem.clone());
        let said = said.as_ref().or(task.at.as_ref().filter(|_| task.captures.len() == 1));
        let at = said.map(|name| node(lab, name)).transpose()?;
        read.push((capture, at, stem(file)));
    }
    let epoch = read.iter().map(|(capture, ..)| capture.epoch_ns).min().unwrap_or_default();
    let foreign = |(capture, at, name): (Capture, Option<NodeId>, String)| {
        let mut records = capture.records;
        elsewhere::shift(&mut records, Duration::from_nanos(capture.epoch_ns - epoch));
        let names = capture.names.into_iter().collect();
        Foreign { records, not_kept: capture.not_kept, name, names, at }
    };
    Ok(read.into_iter().map(foreign).collect())
}

fn stem(file: &Path) -> String {
    file.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default()
}

fn said_addresses(task: &CheckTask, lab: &Definition) -> Result<Addresses, Failure> {
    let mut addresses = Addresses::new();
    for (name, address) in &task.nodes {
        let id = node(lab, name)?;
        if lab.nodes.get(usize::from(id.0)).is_some_and(|node| node.host().is_none()) {
            let text =
                format!("--node {name}={address}: `{name}` passes packets on; say whose addresses the hosts have");
            return Err(Failure::Input(text));
        }
        let address: IpAddr = address
            .parse()
            .map_err(|_| Failure::Input(format!("--node {name}={address}: `{address}` is no IP address")))?;
        addresses.entry(name.clone()).or_default().push(address);
    }
    Ok(addresses)
}

/// Where a capture was made.
#[derive(Serialize)]
struct Place {
    file: String,
    node: String,
    /// How that is known.
    why: &'static str,
    packets: usize,
}

/// What is to be said.
struct Told<'a> {
    /// With the addresses that are in the captures.
    lab: &'a Definition,
    places: Vec<Place>,
    why: &'static str,
    notes: Vec<String>,
    verdicts: Vec<Verdict>,
}

#[derive(Serialize)]
struct Document<'a> {
    lab: &'a str,
    captures: &'a [Place],
    nodes: Vec<(&'a str, Vec<IpAddr>)>,
    passed: bool,
    verdicts: &'a [Verdict],
    notes: &'a [String],
}

impl Told<'_> {
    /// Whether something was judged, and nothing failed.
    fn passed(&self) -> bool {
        let has = |outcome| self.verdicts.iter().any(|verdict| verdict.outcome == outcome);
        has(check::Outcome::Pass) && !has(check::Outcome::Fail)
    }

    fn nodes(&self) -> Vec<(&str, Vec<IpAddr>)> {
        let addresses = |node: &crate::lab::Node| node.addresses().map(|(address, _)| address).collect();
        self.lab.nodes.iter().map(|node| (node.name.as_str(), addresses(node))).collect()
    }

    fn document(&self) -> Document<'_> {
        Document {
            lab: &self.lab.id,
            captures: &self.places,
            nodes: self.nodes(),
            passed: self.passed(),
            verdicts: &self.verdicts,
            notes: &self.notes,
        }
    }

    fn text(&self, terminal: Terminal) -> String {
        let style = terminal.style(false);
        let mut out = format!("{} {}\n", terminal.bold(&self.lab.id), self.lab.title);
        for Place { file, node, why, packets } in &self.places {
            let told = format!("{file}: {packets} packets, seen at {node} ({why})");
            out.push_str(&report::paragraph(&told, 0, &style));
        }
        let nodes: Vec<String> = self
            .nodes()
            .into_iter()
            .map(|(name, addresses)| {
                let addresses: Vec<String> = addresses.iter().map(IpAddr::to_string).collect();
                format!("{name} is {}", addresses.join(" and "))
            })
            .collect();
        out.push_str(&report::paragraph(&format!("{} ({})", nodes.join(", "), self.why), 0, &style));
        for note in &self.notes {
            out.push_str(&report::paragraph(&format!("note: {note}"), 0, &style));
        }
        out.push_str(&format!("\n{}\n", terminal.bold("Checks")));
        let lines: Vec<VerdictLine> = self.verdicts.iter().map(verdict_line).collect();
        out.push_str(&report::verdicts(&lines, &style));
        if self.lab.broken.is_none() && !self.lab.breaks.is_empty() && self.verdicts.iter().any(Verdict::is_fail) {
            let told = "If it was captured under a break (`run --break NAME` writes to out/LAB, too), its claims are \
                        judged with --break NAME here.";
            out.push_str(&report::paragraph(told, 0, &style));
        }
        let unknown = self.verdicts.iter().filter(|verdict| verdict.outcome == check::Outcome::Unknown).count();
        if unknown > 0 {
            let told = "What could not be judged asks for the journal of a run, or for another node's capture: \
                        `wireglass run` has both.";
            out.push_str(&report::paragraph(told, 0, &style));
        }
        out
    }
}
