//! The run for a person, in the order of interest.

use std::io::{self, Write};
use std::path::PathBuf;

use super::super::learn::{next, spent};
use super::super::meant::RunTask;
use super::super::terminal::Terminal;
use super::Lesson;
use super::story::{Story, name_of};
use crate::capture::Recorder;
use crate::check::{self, Verdict};
use crate::door::DoorKind;
use crate::journal::Entry;
use crate::lab::{Definition, Finished, Mode, StepFailure};
use crate::report::{self, Style, VerdictLine};
use crate::stack::StackKind;

/// Everything for a person, in the order of interest.
pub(super) fn tell(
    task: &RunTask,
    terminal: Terminal,
    lab: &Definition,
    finished: &Finished,
    lesson: &Lesson,
) -> io::Result<()> {
    let style =
        Style { width: terminal.width, color: terminal.colour, ascii: !terminal.unicode, verbose: task.verbose };
    let entries: Vec<&Entry> = finished.recorder.journal().entries().collect();
    let mut out = terminal.out();
    write_heading(&mut out, terminal, lab, finished)?;
    let story = Story { lab, finished, entries: &entries };
    if let Some(columns) = terminal.too_narrow() {
        let note = terminal.yellow("note:");
        writeln!(
            out,
            "{note} lines need 80 columns and break in {columns}: make the terminal wider, or pipe it through `less -S`"
        )?;
    }
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
    out.write_all(spent::table(lab, lab, finished, terminal).trim_start().as_bytes())?;
    if !lab.budgets.is_empty() {
        writeln!(out)?;
    }
    write_failures(&mut out, finished, &style)?;
    if !lesson.asked.is_empty() {
        writeln!(out, "{}", terminal.bold("Your predictions"))?;
        writeln!(out, "{}", report::predictions(&lesson.lines(lab), &style))?;
    }
    writeln!(out, "{}", terminal.bold("Checks"))?;
    let lines: Vec<VerdictLine> = finished.verdicts.iter().map(verdict_line).collect();
    out.write_all(report::verdicts(&lines, &style).as_bytes())?;
    for (rule, from) in finished.idle_rules(lab) {
        let told = format!(
            "rule {rule} did nothing: no packet from {from} matches its filter, or fewer than its `nth` asks for"
        );
        writeln!(out, "{} {told}", terminal.yellow("note:"))?;
    }
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

/// The steps that failed, and why.
pub(super) fn write_failures(out: &mut impl Write, finished: &Finished, style: &Style) -> io::Result<()> {
    for StepFailure { step, node, program, reason } in &finished.failures {
        let told = match step {
            0 => format!("{program} failed: {reason}"),
            _ => format!("step {step} ({program} on {node}) failed: {reason}"),
        };
        writeln!(out, "{}", report::hanging(&told, style))?;
    }
    Ok(())
}

pub(super) fn write_heading(
    out: &mut impl Write,
    terminal: Terminal,
    lab: &Definition,
    finished: &Finished,
) -> io::Result<()> {
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
pub(in crate::cli) fn write_files(out: &mut impl Write, terminal: Terminal, finished: &Finished) -> io::Result<()> {
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
    // Of a hidden fault the journal would tell too much, and is not written.
    let others = [first.with_file_name("layers.txt"), first.with_file_name("journal.jsonl")];
    let others = others.iter().filter(|path| path.exists()).filter_map(|path| path.file_name());
    let names: Vec<String> = names.into_iter().chain(others.map(|name| name.to_string_lossy().into_owned())).collect();
    let told = report::paragraph(&format!("Files {folder}/: {}", names.join(", ")), 0, &terminal.style(false));
    writeln!(out, "\n{}{}", terminal.bold("Files"), told.trim_start_matches("Files").trim_end())?;
    writeln!(out, "open the capture: wireshark {}", first.display())?;
    let story = first.with_extension("story.pcapng");
    match story.exists() {
        true => writeln!(out, "or its story: wireshark {}", story.display()),
        false => Ok(()),
    }
}

/// Whether memory holds every packet and every event of the run.
fn all_kept(recorder: &Recorder) -> bool {
    recorder.journal().forgotten() == 0 && recorder.nodes().all(|vantage| recorder.not_kept(vantage.node) == 0)
}

pub(in crate::cli) fn verdict_line(verdict: &Verdict) -> VerdictLine {
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
