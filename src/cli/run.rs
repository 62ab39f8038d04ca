//! `wireglass run`: one lab, its ladder, its verdicts, its files.

use std::io::{self, Write};
use std::path::PathBuf;

use serde::Serialize;

use super::meant::{RunTask, WantedMode};
use super::terminal::Terminal;
use super::{Failure, Outcome};
use crate::capture::{Direction, Record, Recorder};
use crate::check::{self, Verdict};
use crate::door::DoorKind;
use crate::host::RunAs;
use crate::journal::{Entry, Event, NodeId, ProgramEvent};
use crate::lab::{Catalogue, Definition, Finished, Mode, Options, StepFailure, Wanted};
use crate::packet::Dissection;
use crate::report::{self, Ends, Ladder, Lane, PacketView, Side, Style, VerdictLine};
use crate::stack::StackKind;
use crate::time::Instant;

/// Columns of `layers.txt`.
const LAYERS_WIDTH: usize = 100;

/// Runs a lab.
pub(super) fn run(task: &RunTask, terminal: &Terminal) -> Result<Outcome, Failure> {
    let lab = find(task)?;
    let out = task.out.clone().unwrap_or_else(|| PathBuf::from("out").join(&lab.id));
    let finished =
        crate::lab::run(&lab, &options(task, out.clone())).map_err(|error| Failure::Input(error.to_string()))?;
    if task.json {
        terminal.print_json(&Report::of(&lab, &finished))?;
    } else {
        tell(task, *terminal, &lab, &finished)?;
    }
    Ok(if finished.interrupted {
        Outcome::Interrupted
    } else if went_well(&finished) {
        Outcome::Well
    } else {
        Outcome::Failed
    })
}

fn went_well(finished: &Finished) -> bool {
    finished.failures.is_empty() && !finished.verdicts.iter().any(Verdict::is_fail)
}

fn find(task: &RunTask) -> Result<Definition, Failure> {
    let input = |error: crate::lab::LabError| Failure::Input(error.to_string());
    let lab = Catalogue::built_in().find(&task.lab).map_err(input)?;
    match &task.variant {
        Some(name) => lab.with_break(name).map_err(input),
        None => Ok(lab),
    }
}

fn options(task: &RunTask, out: PathBuf) -> Options {
    let (wanted, door) = match task.mode {
        WantedMode::LiveOrSim => (Wanted::Either, None),
        WantedMode::Live(door) => (Wanted::Only(Mode::Live), door),
        WantedMode::Sim => (Wanted::Only(Mode::Sim), None),
    };
    Options {
        wanted,
        seed: task.seed,
        stack: task.stack,
        door,
        out: Some(out),
        format: task.format,
        describe: Some(describe),
        owner: RunAs::caller().map(|caller| (caller.uid, caller.gid)),
        ..Options::default()
    }
}

/// One packet in `layers.txt`.
pub(super) fn describe(node: &str, number: u64, record: &Record) -> String {
    let way = match record.direction {
        Direction::Out => "sent by",
        Direction::In => "arrived at",
    };
    layers_of(number, record, &format!("{way} {node}"), &Style::plain(LAYERS_WIDTH))
}

fn layers_of(number: u64, record: &Record, route: &str, style: &Style) -> String {
    let view = PacketView {
        number,
        time: &record.at.to_string(),
        route,
        medium: record.medium,
        bytes: &record.bytes,
        wire_len: record.wire_len,
        comments: &record.comments,
    };
    report::layers(&view, style)
}

/// Everything for a person, in the order of interest.
fn tell(task: &RunTask, terminal: Terminal, lab: &Definition, finished: &Finished) -> io::Result<()> {
    let style =
        Style { width: terminal.width, color: terminal.colour, ascii: !terminal.unicode, verbose: task.verbose };
    let entries: Vec<&Entry> = finished.recorder.journal().entries().collect();
    let mut out = terminal.out();
    write_heading(&mut out, terminal, lab, finished)?;
    let story = Story { lab, finished, entries: &entries };
    out.write_all(story.ladder(&style).as_bytes())?;
    if task.layers {
        writeln!(out)?;
        story.write_layers(&mut out, &style)?;
    }
    let said = report::programs(&entries, &|node| name_of(lab, node), &style);
    if !said.is_empty() {
        writeln!(out, "\n{}\n{said}", terminal.bold("What the programs saw"))?;
    }
    let costs = story.costs(&style);
    if !costs.is_empty() {
        let heading = if all_kept(&finished.recorder) { "What it cost" } else { "What it cost, as far as it was kept" };
        writeln!(out, "{}\n{costs}", terminal.bold(heading))?;
    }
    for failure in &finished.failures {
        let StepFailure { step, node, program, reason } = failure;
        match step {
            0 => writeln!(out, "{program} failed: {reason}")?,
            _ => writeln!(out, "step {step} ({program} on {node}) failed: {reason}")?,
        }
    }
    writeln!(out, "{}", terminal.bold("Checks"))?;
    let lines: Vec<VerdictLine> = finished.verdicts.iter().map(verdict_line).collect();
    out.write_all(report::verdicts(&lines, &style).as_bytes())?;
    write_files(&mut out, terminal, finished)?;
    out.flush()
}

fn write_heading(out: &mut impl Write, terminal: Terminal, lab: &Definition, finished: &Finished) -> io::Result<()> {
    let mode = match (finished.mode, finished.door) {
        (Mode::Live, Some(door)) => format!("live, through a {} door", door_name(door)),
        (Mode::Live, None) => "live".to_owned(),
        (Mode::Sim, _) => format!("simulated, seed {}", finished.seed),
    };
    // The stack is named where it is not the usual one.
    let stack = match finished.stack {
        stack if stack == StackKind::default() => String::new(),
        stack => format!(", on {stack}"),
    };
    writeln!(out, "{} {} ({mode}{stack})", terminal.bold(&lab.id), lab.title)?;
    if let Some(broken) = lab.breaks.iter().find(|each| Some(&each.name) == lab.broken.as_ref()) {
        writeln!(out, "broken on purpose: {}: {}", broken.name, broken.teaches)?;
    }
    match (&finished.note, finished.mode) {
        (Some(reason), Mode::Sim) => {
            writeln!(out, "{} {reason}", terminal.yellow("not live, simulated instead:"))?;
        }
        (Some(note), Mode::Live) => writeln!(out, "{} {note}", terminal.yellow("note:"))?,
        (None, _) => {}
    }
    if finished.interrupted {
        writeln!(out, "{} what follows was seen until then", terminal.yellow("interrupted:"))?;
    }
    writeln!(out)
}

fn door_name(door: DoorKind) -> &'static str {
    match door {
        DoorKind::Tun => "TUN",
        DoorKind::Tap => "TAP",
        DoorKind::Veth => "veth",
    }
}

/// Where the files are, and how to open the first.
fn write_files(out: &mut impl Write, terminal: Terminal, finished: &Finished) -> io::Result<()> {
    let paths: Vec<PathBuf> = finished
        .recorder
        .nodes()
        .filter_map(|vantage| finished.recorder.capture_path(vantage.node))
        .map(PathBuf::from)
        .collect();
    let Some(first) = paths.first() else { return Ok(()) };
    let folder = first.parent().map(|folder| folder.display().to_string()).unwrap_or_default();
    let names: Vec<String> =
        paths.iter().filter_map(|path| path.file_name()).map(|name| name.to_string_lossy().into_owned()).collect();
    writeln!(out, "\n{} {folder}/: {}, layers.txt, journal.jsonl", terminal.bold("Files"), names.join(", "))?;
    writeln!(out, "open the capture: wireshark {}", first.display())
}

fn name_of(lab: &Definition, node: NodeId) -> String {
    lab.nodes.get(usize::from(node.0)).map(|node| node.name.clone()).unwrap_or_default()
}

/// What the ladder and the layers are drawn from.
struct Story<'a> {
    lab: &'a Definition,
    finished: &'a Finished,
    entries: &'a [&'a Entry],
}

impl Story<'_> {
    /// One ladder for each link, seen from the link's first end.
    fn ladder(&self, style: &Style) -> String {
        let recorder = &self.finished.recorder;
        let mut text = String::new();
        for link in &self.lab.links {
            let [left, right] = link.ends;
            let (left_name, right_name) = (name_of(self.lab, left), name_of(self.lab, right));
            let names = self.lab.names();
            let drawn = Ladder {
                records: recorder.records(left),
                far_records: Some(recorder.records(right)),
                entries: self.entries,
                ends: Some(Ends {
                    left: Lane { name: &left_name, node: left },
                    right: Lane { name: &right_name, node: right },
                    vantage: Side::Left,
                }),
                name_of: &|address| names.name_of(address).map(str::to_owned),
            };
            text.push_str(&report::ladder(&drawn, style));
            text.push_str(&left_out(recorder, left, &left_name));
        }
        text
    }

    fn costs(&self, style: &Style) -> String {
        let recorder = &self.finished.recorder;
        let captures: Vec<&[Record]> = recorder.nodes().map(|vantage| recorder.records(vantage.node)).collect();
        let names = self.lab.names();
        report::costs(&captures, self.entries, &|address| names.name_of(address).map(str::to_owned), style)
    }

    /// Every header of every packet, from the first node's vantage point.
    fn write_layers(&self, out: &mut impl Write, style: &Style) -> io::Result<()> {
        let Some(link) = self.lab.links.first() else { return Ok(()) };
        let names = self.lab.names();
        let records = self.finished.recorder.records(link.ends[0]);
        let began = records.first().map_or(Instant::ZERO, |record| record.at);
        for (number, record) in (1..).zip(records) {
            // From the first packet, as the ladder and Wireshark count.
            let record = &Record { at: Instant::ZERO + (record.at - began), ..record.clone() };
            let dissection = Dissection::of(record.medium, &record.bytes, record.wire_len);
            let route = dissection.addresses().map(|(src, dst)| {
                let name = |address| names.name_of(address).map_or_else(|| address.to_string(), str::to_owned);
                format!("{} → {}", name(src), name(dst))
            });
            writeln!(out, "{}", layers_of(number, record, &route.unwrap_or_default(), style))?;
        }
        Ok(())
    }
}

/// Whether memory holds every packet and every event of the run.
fn all_kept(recorder: &Recorder) -> bool {
    recorder.journal().forgotten() == 0 && recorder.nodes().all(|vantage| recorder.not_kept(vantage.node) == 0)
}

/// A sentence about packets that are in the file only.
fn left_out(recorder: &Recorder, node: NodeId, name: &str) -> String {
    match recorder.not_kept(node) {
        0 => String::new(),
        more => format!("… and {more} more packets, in {name}'s capture file only\n"),
    }
}

fn verdict_line(verdict: &Verdict) -> VerdictLine {
    VerdictLine {
        id: verdict.id.clone(),
        that: verdict.that.clone(),
        outcome: match verdict.outcome {
            check::Outcome::Pass => report::Outcome::Pass,
            check::Outcome::Fail => report::Outcome::Fail,
            check::Outcome::Unknown => report::Outcome::Unknown(verdict.measured.clone()),
        },
        measured: verdict.measured.clone(),
        packets: verdict.packets.clone(),
        vantage: verdict.vantage.clone(),
        filter: verdict.filter.clone(),
        hint: verdict.hint.clone(),
    }
}

/// The run as one JSON document.
#[derive(Serialize)]
struct Report<'a> {
    lab: &'a str,
    title: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    variant: Option<&'a str>,
    mode: Mode,
    /// Why it was not live, or which door stood in for another.
    note: Option<&'a str>,
    door: Option<DoorKind>,
    stack: StackKind,
    seed: u64,
    passed: bool,
    interrupted: bool,
    /// Nanoseconds from the beginning to the end.
    duration_ns: u64,
    captures: Vec<CaptureReport>,
    /// What the programs reported, as in `journal.jsonl`, but for the lines that real programs printed.
    programs: Vec<&'a Entry>,
    verdicts: &'a [Verdict],
    failures: &'a [StepFailure],
}

fn programs(recorder: &Recorder) -> Vec<&Entry> {
    let is_report = |entry: &&Entry| matches!(&entry.event, Event::Program { report, .. } if !matches!(report, ProgramEvent::Output { .. }));
    recorder.journal().entries().filter(is_report).collect()
}

#[derive(Serialize)]
struct CaptureReport {
    node: String,
    packets: u64,
    file: Option<PathBuf>,
}

impl<'a> Report<'a> {
    fn of(lab: &'a Definition, finished: &'a Finished) -> Report<'a> {
        let recorder = &finished.recorder;
        let capture = |vantage: &crate::capture::VantageConfig| CaptureReport {
            node: vantage.name.clone(),
            packets: recorder.records(vantage.node).len() as u64 + recorder.not_kept(vantage.node),
            file: recorder.capture_path(vantage.node).map(PathBuf::from),
        };
        Report {
            lab: &lab.id,
            title: &lab.title,
            variant: lab.broken.as_deref(),
            mode: finished.mode,
            note: finished.note.as_deref(),
            door: finished.door,
            stack: finished.stack,
            seed: finished.seed,
            passed: went_well(finished),
            interrupted: finished.interrupted,
            duration_ns: finished.ended.as_nanos(),
            programs: programs(recorder),
            captures: recorder.nodes().map(capture).collect(),
            verdicts: &finished.verdicts,
            failures: &finished.failures,
        }
    }
}
