//! `wireglass diagnose`: whether somebody has found the fault that a seed hides.

use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Serialize;

use super::learn::found;
use super::meant::DiagnoseTask;
use super::show::Capture;
use super::terminal::Terminal;
use super::{Failure, Outcome};
use crate::journal::NodeId;
use crate::lab::diagnosis::{Assessment, Diagnosis, chosen};
use crate::lab::elsewhere::{self, Foreign};
use crate::lab::{Catalogue, Definition};
use crate::report;

#[derive(Serialize)]
struct Document<'a> {
    lab: &'a str,
    seed: u64,
    right: bool,
    marks: Assessment,
    /// Only once it is right, or when it was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    answer: Option<&'a str>,
}

/// Marks a diagnosis.
pub(super) fn diagnose(task: &DiagnoseTask, terminal: &Terminal) -> Result<Outcome, Failure> {
    let base = Catalogue::built_in().find(&task.lab)?;
    let fault = chosen(&base, task.seed).ok_or_else(|| Failure::Input(nothing_hidden(&base, task.seed)))?;
    let lab = base.with_fault(fault)?;
    let dir = task.captures.clone().unwrap_or_else(|| PathBuf::from("out").join(&base.id));
    let captures = read(&lab, &dir, task)?;
    let placed: Vec<(NodeId, &Foreign)> = captures.iter().map(|(node, foreign)| (*node, foreign)).collect();
    let evidence = elsewhere::seen(&lab, &placed);
    let marked = found::told((&lab, fault), &task.diagnosis, &evidence, task.seed, task.reveal, *terminal);
    let (marks, told) = marked.map_err(|error| Failure::Input(error.to_string()))?;
    let right = marks.is_right();
    if task.json {
        let answer = (right || task.reveal).then_some(fault.name.as_str());
        terminal.print_json(&Document { lab: &base.id, seed: task.seed, right, marks, answer })?;
    } else {
        let more = "Look again; or `--reveal` shows the answer.";
        let more =
            if right || task.reveal { String::new() } else { report::paragraph(more, 0, &terminal.style(false)) };
        terminal.print(&format!("{told}{more}"))?;
    }
    let is_asked = task.diagnosis != Diagnosis::default();
    Ok(if right || (task.reveal && !is_asked) { Outcome::Well } else { Outcome::Failed })
}

fn nothing_hidden(lab: &Definition, seed: u64) -> String {
    match lab.faults.len() {
        0 => format!("lab {} hides nothing; `wireglass list` shows which labs there are", lab.id),
        faults => format!(
            "with seed {seed}, its own, all is well in lab {}; with any other it hides one of {faults} faults",
            lab.id
        ),
    }
}

/// The captures of the lab's nodes in a folder, as a run writes them; all of them count from one moment.
fn read(lab: &Definition, dir: &Path, task: &DiagnoseTask) -> Result<Vec<(NodeId, Foreign)>, Failure> {
    let mut read = Vec::new();
    for (id, node) in (0..).map(NodeId).zip(&lab.nodes) {
        let file = dir.join(format!("{}.pcapng", node.name));
        if file.exists() {
            read.push((id, node, Capture::read(&file)?));
        }
    }
    if read.is_empty() {
        let (name, seed) = (&task.lab, task.seed);
        return Err(Failure::Input(format!(
            "{} has no capture of this lab, such as {}.pcapng; `wireglass run {name} --seed {seed}` makes them, and \
             --captures names another folder",
            dir.display(),
            lab.nodes.first().map_or("client", |node| node.name.as_str())
        )));
    }
    // A node to which nobody talks has an empty capture, which begins at no moment.
    let begins = read.iter().filter(|(.., capture)| !capture.records.is_empty());
    let epoch = begins.map(|(.., capture)| capture.epoch_ns).min().unwrap_or_default();
    let foreign = |(id, node, capture): (NodeId, &crate::lab::Node, Capture)| {
        let mut records = capture.records;
        elsewhere::shift(&mut records, Duration::from_nanos(capture.epoch_ns.saturating_sub(epoch)));
        let foreign =
            Foreign { records, not_kept: capture.not_kept, name: node.name.clone(), names: Vec::new(), at: Some(id) };
        (id, foreign)
    };
    Ok(read.into_iter().map(foreign).collect())
}
