//! `wireglass run`: one lab, its ladder, its verdicts, its files.

use std::io::{self, IsTerminal as _, Write};
use std::path::PathBuf;

use serde::Serialize;

use super::learn::changes::{Changes, Ran};
use super::learn::next::{self, Next};
use super::learn::predict::{self, Said};
use super::learn::progress::{Line, Progress, mode_name, now};
use super::meant::{RunTask, WantedMode};
use super::terminal::Terminal;
use super::{Failure, Outcome};
use crate::capture::{Direction, Record, Recorder};
use crate::check::{self, Answer, Verdict};
use crate::door::DoorKind;
use crate::host::RunAs;
use crate::journal::{Entry, Event, NodeId, ProgramEvent};
use crate::lab::{Catalogue, Definition, Finished, Mode, Options, Prediction, StepFailure, Wanted};
use crate::packet::Dissection;
use crate::report::{self, Ends, Ladder, Lane, PacketView, PredictionLine, Side, Style, VerdictLine};
use crate::stack::StackKind;
use crate::time::Instant;

/// Ladders that are drawn of one run.
const MOST_LADDERS: usize = 4;

/// Columns of `layers.txt`.
const LAYERS_WIDTH: usize = 100;

/// Runs a lab: the questions, the run, the marks.
pub(super) fn run(task: &RunTask, terminal: &Terminal) -> Result<Outcome, Failure> {
    let catalogue = Catalogue::built_in();
    let base = catalogue.find(&task.lab)?;
    let lab = match &task.variant {
        Some(name) => base.with_break(name)?,
        None => base.clone(),
    };
    let mut progress = Progress::open();
    let asked = ask(task, *terminal, &lab, &mut progress)?;
    let out = task.out.clone().unwrap_or_else(|| PathBuf::from("out").join(&lab.id));
    let options = options(task, out);
    let finished = crate::lab::run(&lab, &options).map_err(|error| Failure::Input(error.to_string()))?;
    let changes = changes(&base, &lab, &finished, &options, *terminal);
    let answers = finished.answers(&lab);
    let passed = went_well(&finished, changes.as_ref().ok().and_then(Option::as_ref));
    let is_watched = asked.is_some() || terminal.is_terminal;
    if is_watched && !finished.interrupted {
        progress.add(remembered(&lab, &finished, passed, asked.as_deref(), &answers));
    }
    let lesson = Lesson {
        asked: asked.unwrap_or_default(),
        answers,
        changes,
        next: next::next(&catalogue, &lab, &task.lab, &progress),
        note: progress.note(),
        passed,
    };
    if task.json {
        terminal.print_json(&Report::of(&lab, &finished, &lesson))?;
    } else {
        tell(task, *terminal, &lab, &finished, &lesson)?;
    }
    Ok(if finished.interrupted {
        Outcome::Interrupted
    } else if passed {
        Outcome::Well
    } else {
        Outcome::Failed
    })
}

/// What goes with a run for a learner.
struct Lesson {
    /// What was said to each of the lab's questions; empty when nobody was asked.
    asked: Vec<Option<Said>>,
    /// What the run says to each.
    answers: Vec<Result<Answer, String>>,
    /// What the break has changed; `None` without a break, an error when the lab could not be run without it.
    changes: Result<Option<Changes>, String>,
    next: Option<Next>,
    /// Why what was said could not be kept.
    note: Option<String>,
    passed: bool,
}

/// Whether every step went well and every claim holds. Under a break, what it promises to turn red must be red; all else
/// that it claims by itself, and the integrity of the captures, must hold. Of the lab's own claims others may fall too.
fn went_well(finished: &Finished, changes: Option<&Changes>) -> bool {
    let Some(changes) = changes else {
        return finished.failures.is_empty() && !finished.verdicts.iter().any(Verdict::is_fail);
    };
    let may_fall = |verdict: &Verdict| {
        let is_integrity = check::INTEGRITY_IDS.contains(&verdict.id.as_str());
        verdict.id == changes.named() || (!changes.has_own_checks() && !is_integrity)
    };
    let falls = |verdict: &Verdict| verdict.is_fail() && !may_fall(verdict);
    finished.failures.is_empty() && changes.kept_its_promise() && !finished.verdicts.iter().any(falls)
}

/// Asks the lab's questions where somebody sits who can answer; `None` when nobody was asked.
fn ask(
    task: &RunTask,
    terminal: Terminal,
    lab: &Definition,
    progress: &mut Progress,
) -> Result<Option<Vec<Option<Said>>>, Failure> {
    let is_somebody_there = terminal.is_terminal && io::stdin().is_terminal() && !task.json;
    if !task.predict.unwrap_or(is_somebody_there) || lab.predictions.is_empty() {
        return Ok(None);
    }
    let mut input = io::stdin().lock();
    // What goes with a document on standard output goes beside it.
    let mut out: Box<dyn Write> = if task.json { Box::new(io::stderr()) } else { Box::new(terminal.out()) };
    let broken = lab.broken.as_ref().map(|name| format!(" --break {name}")).unwrap_or_default();
    writeln!(out, "{}{broken} {}", terminal.bold(&lab.id), lab.title)?;
    let said = predict::ask(&lab.predictions, &mut input, &mut out, terminal)?;
    for (question, said) in lab.predictions.iter().zip(&said) {
        let Some(said) = said else { continue };
        progress.add(Line::Answer {
            at: now(),
            lab: lab.id.clone(),
            variant: lab.broken.clone(),
            ask: question.ask.clone(),
            said: said.text.clone(),
        });
    }
    Ok(Some(said))
}

fn remembered(
    lab: &Definition,
    finished: &Finished,
    passed: bool,
    asked: Option<&[Option<Said>]>,
    answers: &[Result<Answer, String>],
) -> Line {
    let said = asked.unwrap_or_default().iter().zip(answers).filter_map(|(said, is)| Some((said.as_ref()?, is)));
    let right = |(said, is): &(&Said, &Result<Answer, String>)| {
        is.as_ref().is_ok_and(|is| predict::is_right(said.amount, is.amount))
    };
    Line::Run {
        at: now(),
        lab: lab.id.clone(),
        variant: lab.broken.clone(),
        mode: mode_name(finished.mode).to_owned(),
        seed: finished.seed,
        passed,
        asked: said.clone().count(),
        right: said.filter(right).count(),
    }
}

/// Runs the lab without its break too, in the same mode and with the same seed, and compares. Nothing of it is written.
fn changes(
    base: &Definition,
    lab: &Definition,
    finished: &Finished,
    options: &Options,
    terminal: Terminal,
) -> Result<Option<Changes>, String> {
    let Some(broken) = base.breaks.iter().find(|each| Some(&each.name) == lab.broken.as_ref()) else { return Ok(None) };
    if finished.interrupted {
        return Err("the run was broken off".to_owned());
    }
    let silent = Options {
        wanted: Wanted::Only(finished.mode),
        seed: options.seed,
        stack: options.stack,
        door: options.door,
        owner: options.owner,
        ..Options::default()
    };
    let without = crate::lab::run(base, &silent).map_err(|error| error.to_string())?;
    if without.interrupted {
        return Err("the run without the break was broken off".to_owned());
    }
    let style = terminal.style(false);
    let ladder = |lab: &Definition, finished: &Finished| {
        let entries: Vec<&Entry> = finished.recorder.journal().entries().collect();
        Story { lab, finished, entries: &entries }.ladder(&style)
    };
    let (before, after) = (ladder(base, &without), ladder(lab, finished));
    Ok(Some(Changes::between(
        Ran { lab: base, finished: &without, ladder: &before },
        Ran { lab, finished, ladder: &after },
        broken,
    )))
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
fn tell(task: &RunTask, terminal: Terminal, lab: &Definition, finished: &Finished, lesson: &Lesson) -> io::Result<()> {
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
    if !lesson.asked.is_empty() {
        writeln!(out, "{}", terminal.bold("Your predictions"))?;
        writeln!(out, "{}", report::predictions(&lesson.lines(lab), &style))?;
    }
    writeln!(out, "{}", terminal.bold("Checks"))?;
    let lines: Vec<VerdictLine> = finished.verdicts.iter().map(verdict_line).collect();
    out.write_all(report::verdicts(&lines, &style).as_bytes())?;
    match &lesson.changes {
        Ok(None) => {}
        Ok(Some(changes)) => out.write_all(changes.told(terminal).as_bytes())?,
        Err(why) => writeln!(out, "\n{} there is nothing to compare with: {why}", terminal.yellow("note:"))?,
    }
    write_files(&mut out, terminal, finished)?;
    if let Some(note) = &lesson.note {
        writeln!(out, "{} {note}", terminal.yellow("note:"))?;
    }
    if let Some(next) = lesson.next.as_ref().filter(|_| !finished.interrupted) {
        out.write_all(next::shown(next, terminal).as_bytes())?;
    }
    out.flush()
}

impl Lesson {
    /// The lab's questions with both answers.
    fn lines(&self, lab: &Definition) -> Vec<PredictionLine> {
        let said = self.asked.iter().map(Option::as_ref).chain(std::iter::repeat(None));
        let both = lab.predictions.iter().zip(said).zip(&self.answers);
        both.map(|((question, said), answer)| predict::line(question, said, answer)).collect()
    }
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
        let told = format!("broken on purpose: {}: {}", broken.name, broken.teaches);
        out.write_all(report::paragraph(&told, 0, &terminal.style(false)).as_bytes())?;
    }
    match (&finished.note, finished.mode) {
        (Some(reason), Mode::Sim) => {
            writeln!(out, "{} {reason}", terminal.yellow("not live, simulated instead:"))?;
        }
        (Some(note), Mode::Live) => writeln!(out, "{} {note}", terminal.yellow("note:"))?,
        (None, _) => {}
    }
    for note in finished.notes(lab) {
        writeln!(out, "{} {note}", terminal.yellow("note:"))?;
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
pub(super) fn write_files(out: &mut impl Write, terminal: Terminal, finished: &Finished) -> io::Result<()> {
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
    let told = report::paragraph(
        &format!("Files {folder}/: {}, layers.txt, journal.jsonl", names.join(", ")),
        0,
        &terminal.style(false),
    );
    writeln!(out, "\n{}{}", terminal.bold("Files"), told.trim_start_matches("Files").trim_end())?;
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
    /// One ladder for each pair of hosts that talked, seen from the one that stands first in the lab's file.
    fn ladder(&self, style: &Style) -> String {
        let recorder = &self.finished.recorder;
        let pairs = self.pairs();
        let mut text = String::new();
        for (left, right) in pairs.iter().take(MOST_LADDERS) {
            let (left_name, right_name) = (name_of(self.lab, *left), name_of(self.lab, *right));
            let names = self.lab.names();
            let far_records = self.without_third_hosts(recorder.records(*right), [&left_name, &right_name]);
            let drawn = Ladder {
                records: recorder.records(*left),
                far_records: Some(&far_records),
                entries: self.entries,
                ends: Some(Ends {
                    left: Lane { name: &left_name, node: *left },
                    right: Lane { name: &right_name, node: *right },
                    vantage: Side::Left,
                }),
                name_of: &|address| names.name_of(address).map(str::to_owned),
            };
            text.push_str(&report::ladder(&drawn, style));
            text.push_str(&left_out(recorder, *left, &left_name));
        }
        if pairs.len() > MOST_LADDERS {
            let more = pairs.len() - MOST_LADDERS;
            text.push_str(&format!("… and {more} more pairs of hosts talked; their packets are in the captures\n"));
        }
        text
    }

    /// What one of a pair has seen, less what it exchanged with a third host: that never was on its way to the other one,
    /// and so is not missing there. A router's address may stand for any host behind it.
    fn without_third_hosts(&self, records: &[Record], pair: [&str; 2]) -> Vec<Record> {
        let names = self.lab.names();
        let is_third = |address| {
            let named = names.name_of(address).filter(|name| !pair.contains(name));
            named.is_some_and(|name| self.lab.nodes.iter().any(|node| node.name == name && node.host().is_some()))
        };
        let is_theirs = |record: &&Record| {
            let dissection = Dissection::of(record.medium, &record.bytes, record.wire_len);
            !dissection.addresses().is_some_and(|(src, dst)| is_third(src) || is_third(dst))
        };
        records.iter().filter(is_theirs).cloned().collect()
    }

    /// The pairs of hosts that talked; the first two hosts when nobody did.
    fn pairs(&self) -> Vec<(NodeId, NodeId)> {
        let hosts = (0..).map(NodeId).zip(&self.lab.nodes).filter(|(_, node)| node.host().is_some());
        let recorder = &self.finished.recorder;
        let captures: Vec<(NodeId, &[Record])> = hosts.map(|(id, _)| (id, recorder.records(id))).collect();
        let pairs = report::pairs(&captures);
        match captures.as_slice() {
            [(one, _), (other, _), ..] if pairs.is_empty() => vec![(*one, *other)],
            _ => pairs,
        }
    }

    fn costs(&self, style: &Style) -> String {
        let recorder = &self.finished.recorder;
        let captures: Vec<&[Record]> = recorder.nodes().map(|vantage| recorder.records(vantage.node)).collect();
        let names = self.lab.names();
        report::costs(&captures, self.entries, &|address| names.name_of(address).map(str::to_owned), style)
    }

    /// Every header of every packet, from the vantage point of the first ladder.
    fn write_layers(&self, out: &mut impl Write, style: &Style) -> io::Result<()> {
        let Some((first, _)) = self.pairs().first().copied() else { return Ok(()) };
        let names = self.lab.names();
        let records = self.finished.recorder.records(first);
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

pub(super) fn verdict_line(verdict: &Verdict) -> VerdictLine {
    VerdictLine {
        id: verdict.id.clone(),
        that: verdict.that.clone(),
        outcome: match verdict.outcome {
            check::Outcome::Pass => report::Outcome::Pass,
            check::Outcome::Fail => report::Outcome::Fail,
            check::Outcome::Unknown => report::Outcome::Unknown(verdict.measured.clone()),
        },
        // What is not known says why, once.
        measured: if verdict.outcome == check::Outcome::Unknown { String::new() } else { verdict.measured.clone() },
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
    /// What is to be said of this stack: that the lab is about others, what it lacks.
    notes: Vec<String>,
    seed: u64,
    passed: bool,
    interrupted: bool,
    /// Nanoseconds from the beginning to the end.
    duration_ns: u64,
    captures: Vec<CaptureReport>,
    /// What the programs reported, as in `journal.jsonl`, but for the lines that real programs printed.
    programs: Vec<&'a Entry>,
    verdicts: &'a [Verdict],
    predictions: Vec<PredictionReport<'a>>,
    /// What the break has changed against the run without it.
    #[serde(skip_serializing_if = "Option::is_none")]
    changes: Option<&'a Changes>,
    failures: &'a [StepFailure],
    /// What to try next.
    next: Option<&'a Next>,
}

/// One question.
#[derive(Serialize)]
struct PredictionReport<'a> {
    ask: &'a str,
    /// As it was typed; `None` when nobody was asked, or it was skipped.
    said: Option<&'a str>,
    right: Option<bool>,
    /// What the run says; `None` when it says nothing.
    answer: Option<&'a Answer>,
}

impl<'a> PredictionReport<'a> {
    fn all(lab: &'a Definition, lesson: &'a Lesson) -> Vec<PredictionReport<'a>> {
        let said = lesson.asked.iter().map(Option::as_ref).chain(std::iter::repeat(None));
        let both = lab.predictions.iter().zip(said).zip(&lesson.answers);
        let report = |((question, said), answer): ((&'a Prediction, Option<&'a Said>), &'a Result<Answer, String>)| {
            let answer = answer.as_ref().ok();
            PredictionReport {
                ask: &question.ask,
                said: said.map(|said| said.text.as_str()),
                right: said.zip(answer).map(|(said, is)| predict::is_right(said.amount, is.amount)),
                answer,
            }
        };
        both.map(report).collect()
    }
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
    fn of(lab: &'a Definition, finished: &'a Finished, lesson: &'a Lesson) -> Report<'a> {
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
            notes: finished.notes(lab),
            seed: finished.seed,
            passed: lesson.passed,
            interrupted: finished.interrupted,
            duration_ns: finished.ended.as_nanos(),
            programs: programs(recorder),
            captures: recorder.nodes().map(capture).collect(),
            verdicts: &finished.verdicts,
            predictions: PredictionReport::all(lab, lesson),
            changes: lesson.changes.as_ref().ok().and_then(Option::as_ref),
            failures: &finished.failures,
            next: lesson.next.as_ref(),
        }
    }
}
