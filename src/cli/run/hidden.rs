//! A run with a hidden fault: what is told of it before somebody has found it.
//!
//! No more than whoever stands in front of it has: what the client got, how long it took, and packets. The checks would name
//! the fault, and so would what the other programs say, and the journal: they come with the answer.

use std::collections::BTreeSet;
use std::io::{self, IsTerminal as _, Write};
use std::path::PathBuf;

use serde::Serialize;

use super::super::learn::{found, spent};
use super::super::meant::RunTask;
use super::super::terminal::Terminal;
use super::super::{Failure, Outcome};
use super::story::{Story, name_of};
use super::told::{write_failures, write_files, write_heading};
use crate::journal::{Entry, Event, NodeId, ProgramEvent};
use crate::lab::{Definition, Fault, Finished};
use crate::report::{self, Style};

/// Tells of the run, and asks what is wrong where somebody sits who can answer.
pub(super) fn tell(
    task: &RunTask,
    terminal: Terminal,
    base: &Definition,
    (lab, fault): (&Definition, &Fault),
    finished: &Finished,
) -> Result<Outcome, Failure> {
    let outcome = match (finished.interrupted, finished.failures.is_empty()) {
        (true, _) => Outcome::Interrupted,
        (false, true) => Outcome::Well,
        (false, false) => Outcome::Failed,
    };
    if task.json {
        terminal.print_json(&Document::of(lab, finished))?;
        return Ok(outcome);
    }
    let style =
        Style { width: terminal.width, color: terminal.colour, ascii: !terminal.unicode, verbose: task.verbose };
    let mut out = terminal.out();
    write_heading(&mut out, terminal, lab, finished)?;
    // What stacks say of their own packets would say too much.
    let story = Story { lab, finished, entries: &[] };
    out.write_all(story.ladder_at(NodeId(0), &style).as_bytes())?;
    if task.layers {
        writeln!(out)?;
        story.write_layers(&mut out, &style)?;
    }
    let entries: Vec<&Entry> = finished.recorder.journal().entries().collect();
    let got = report::programs(&got(&entries), &|node| name_of(lab, node), &style);
    writeln!(out, "\n{}\n{}", terminal.bold("What the client got"), got.trim_end())?;
    out.write_all(spent::table(base, lab, finished, terminal).as_bytes())?;
    write_failures(&mut out, finished, &style)?;
    write_files(&mut out, terminal, finished)?;
    out.flush()?;
    if finished.interrupted {
        return Ok(outcome);
    }
    let is_somebody_there = terminal.is_terminal && io::stdin().is_terminal();
    let asked = if task.predict.unwrap_or(is_somebody_there) {
        found::ask(lab, &mut io::stdin().lock(), &mut out, terminal)?
    } else {
        None
    };
    match asked {
        None => write_task(&mut out, terminal, task, lab, finished)?,
        Some(said) => {
            let evidence = finished.evidence(lab);
            match found::told((lab, fault), &said, &evidence, finished.seed, false, terminal) {
                Ok((assessment, told)) => {
                    write!(out, "\n{told}")?;
                    if !assessment.is_right() {
                        write_task(&mut out, terminal, task, lab, finished)?;
                    }
                }
                Err(error) => {
                    writeln!(out, "\n{}", report::hanging(&error.to_string(), &style))?;
                    write_task(&mut out, terminal, task, lab, finished)?;
                }
            }
        }
    }
    out.flush()?;
    Ok(outcome)
}

/// What is to be done now.
fn write_task(
    out: &mut impl Write,
    terminal: Terminal,
    task: &RunTask,
    lab: &Definition,
    finished: &Finished,
) -> io::Result<()> {
    let told = format!(
        "One of {} things that can go wrong here does. Say in which layer, at which hop, and which packet shows it:",
        lab.faults.len()
    );
    let style = terminal.style(false);
    write!(out, "\n{}\n{}", terminal.bold("Your diagnosis"), report::paragraph(&told, 2, &style))?;
    let (name, seed) = (&task.lab, finished.seed);
    let from = task.out.as_ref().map(|out| format!(" --captures {}", out.display())).unwrap_or_default();
    writeln!(out, "  wireglass diagnose {name} --seed {seed}{from} --layer LAYER --hop HOP --packet NODE:NUMBER")?;
    writeln!(out, "  wireglass diagnose {name} --seed {seed}{from} --reveal")
}

/// What the first node's programs got: statuses and addresses as they came, and what real programs printed. Neither pages,
/// which are long, nor what is said of the reasons.
fn got<'e>(entries: &[&'e Entry]) -> Vec<&'e Entry> {
    let program = |entry: &'e Entry| match &entry.event {
        Event::Program { program, report } if entry.node == NodeId(0) => Some((program.as_str(), report)),
        _ => None,
    };
    let of_client = || entries.iter().filter_map(|entry| Some((*entry, program(entry)?)));
    let is_ours = |report: &ProgramEvent| matches!(report, ProgramEvent::Request { .. });
    let ours: BTreeSet<&str> =
        of_client().filter(|(_, (_, report))| is_ours(report)).map(|(_, (program, _))| program).collect();
    let is_told = |(_, (program, report)): &(&Entry, (&str, &ProgramEvent))| match report {
        ProgramEvent::Response { .. } | ProgramEvent::Lookup { .. } => true,
        ProgramEvent::Output { is_error, .. } => !is_error && !ours.contains(program),
        _ => false,
    };
    of_client().filter(is_told).map(|(entry, _)| entry).collect()
}

/// The run as one JSON document, as far as it may be told.
#[derive(Serialize)]
struct Document<'a> {
    lab: &'a str,
    title: &'a str,
    /// That something is wrong, and nobody says what.
    hidden: bool,
    mode: crate::lab::Mode,
    seed: u64,
    interrupted: bool,
    captures: Vec<PathBuf>,
    budgets: Vec<BudgetReport<'a>>,
}

#[derive(Serialize)]
struct BudgetReport<'a> {
    name: &'a str,
    /// Each phase and its nanoseconds; `None` for what did not happen.
    phases: Vec<(&'a str, Option<u64>)>,
}

impl<'a> Document<'a> {
    fn of(lab: &'a Definition, finished: &'a Finished) -> Document<'a> {
        let evidence = finished.evidence(lab);
        let nanos = |span: Option<std::time::Duration>| span.and_then(|span| u64::try_from(span.as_nanos()).ok());
        let budget = |budget: &'a crate::lab::Budget| BudgetReport {
            name: &budget.name,
            phases: budget
                .phases
                .iter()
                .map(|phase| phase.name.as_str())
                .chain(["in all"])
                .zip(crate::lab::diagnosis::spent(budget, &evidence).into_iter().map(nanos))
                .collect(),
        };
        let recorder = &finished.recorder;
        Document {
            lab: &lab.id,
            title: &lab.title,
            hidden: true,
            mode: finished.mode,
            seed: finished.seed,
            interrupted: finished.interrupted,
            captures: recorder.nodes().filter_map(|node| recorder.capture_path(node.node)).map(PathBuf::from).collect(),
            budgets: lab.budgets.iter().map(budget).collect(),
        }
    }
}
