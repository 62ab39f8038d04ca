//! `wireglass drill`: packetdrill scripts against a stack.
//!
//! Scripts run one after the other, each against a stack of its own. What cannot be read is said, and the others run.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::{self, BufWriter, Read as _, Write as _};
use std::path::{Path, PathBuf};

use serde::Serialize;

use super::meant::DrillTask;
use super::terminal::Terminal;
use super::{Failure, Outcome};
use crate::capture::{LinkType, Record, pcapng};
use crate::drill::language::script::Script;
use crate::drill::report::{self, Count, Look};
use crate::drill::run::{self, Options, Verdict};

/// Octets of the longest script: far beyond any that a person wrote.
const LONGEST: u64 = 4 << 20;
/// How captures begin, which are easily taken for scripts: pcapng, and pcap with microseconds and nanoseconds in either order
/// of octets.
const CAPTURES: [[u8; 4]; 5] = [
    [0x0a, 0x0d, 0x0d, 0x0a],
    [0xa1, 0xb2, 0xc3, 0xd4],
    [0xd4, 0xc3, 0xb2, 0xa1],
    [0xa1, 0xb2, 0x3c, 0x4d],
    [0x4d, 0x3c, 0xb2, 0xa1],
];
/// Folders within folders that are searched.
const DEEPEST: usize = 32;

/// Runs scripts and tells what came of them.
pub(super) fn drill(task: &DrillTask, terminal: &Terminal) -> Result<Outcome, Failure> {
    let (scripts, problems) = scripts(&task.files);
    if let Some(dir) = &task.capture {
        let reason = |error| Failure::Input(format!("{} cannot be made: {error}", dir.display()));
        fs::create_dir_all(dir).map_err(reason)?;
    }
    let look = Look { colour: terminal.colour };
    let mut session = Session { task, look, count: Count::default(), rows: Vec::new(), names: BTreeSet::new() };
    let mut out = terminal.out();
    for problem in problems {
        let text = session.unreadable(String::new(), problem);
        if !task.json {
            out.write_all(text.as_bytes())?;
        }
    }
    for path in &scripts {
        let text = session.script(path)?;
        if !task.json {
            // At once: a folder of a thousand scripts shall not be silent.
            out.write_all(text.as_bytes())?;
            out.flush()?;
        }
    }
    drop(out);
    let Session { count, rows, .. } = session;
    if task.json {
        terminal.print_json(&Document::of(task, &count, rows))?;
    } else {
        terminal.print(&report::summary(&count, look))?;
    }
    Ok(match count {
        Count { unreadable: 1.., .. } => Outcome::Unreadable,
        Count { failed: 0, unsupported: 0, .. } => Outcome::Well,
        Count { .. } => Outcome::Failed,
    })
}

/// A call's scripts, and what came of those before.
struct Session<'t> {
    task: &'t DrillTask,
    look: Look,
    count: Count,
    rows: Vec<Row>,
    /// Names of capture files that are taken.
    names: BTreeSet<String>,
}

impl Session<'_> {
    /// Notes what cannot be read; returns what there is to say of it.
    fn unreadable(&mut self, script: String, problem: String) -> String {
        self.count.unreadable += 1;
        let text = format!("{problem}\n");
        self.rows.push(Row { script, verdict: "unreadable", reason: Some(problem), ..Row::default() });
        text
    }

    /// Runs one script; returns what there is to say of it.
    fn script(&mut self, path: &Path) -> Result<String, Failure> {
        let shown = name_of(path);
        let script = match read(path, self.task) {
            Ok(script) => script,
            Err(problem) => return Ok(self.unreadable(shown, problem)),
        };
        let options = Options {
            stack: self.task.stack,
            exactness: self.task.exactness,
            whole_transcript: self.task.trace,
            capture: self.task.capture.is_some(),
        };
        let (outcome, records) = run::run(&script, &options);
        self.count.add(&outcome.verdict);
        if let Some(dir) = &self.task.capture {
            let file = dir.join(format!("{}.pcapng", fresh_name(path, &mut self.names)));
            write_capture(&file, &shown, &records)
                .map_err(|error| Failure::Input(format!("{} cannot be written: {error}", file.display())))?;
        }
        let mut text = String::new();
        if self.task.trace {
            text += &format!("{shown}\n{}", report::entries(&outcome.transcript, self.look));
        }
        for forgiven in &outcome.forgiven {
            text += &report::failure(&shown, forgiven, &[], self.look);
        }
        // A trace has shown what happened before.
        let mut told = outcome.clone();
        if self.task.trace {
            told.transcript.clear();
        }
        text += &match report::details(&shown, &told, self.look) {
            details if details.is_empty() => report::line(&shown, &outcome.verdict, self.look),
            details => details,
        };
        self.rows.push(Row::of(shown, &outcome));
        Ok(text)
    }
}

/// A script, read; else what is wrong, in full.
fn read(path: &Path, task: &DrillTask) -> Result<Script, String> {
    let shown = name_of(path);
    let octets = octets_of(path).map_err(|error| format!("{shown} cannot be read: {error}"))?;
    if CAPTURES.iter().any(|magic| octets.starts_with(magic)) {
        return Err(format!("{shown} is a capture and no script: `wireglass show {}` explains it", path.display()));
    }
    if octets.len() as u64 > LONGEST {
        return Err(format!("{shown} is longer than {LONGEST} octets: is it a script?"));
    }
    let text = String::from_utf8(octets).map_err(|error| {
        let good = error.as_bytes().get(..error.utf8_error().valid_up_to()).unwrap_or_default();
        let line = 1 + good.iter().filter(|octet| **octet == b'\n').count();
        format!("{shown}:{line}: this is no text in UTF-8: save the script in that encoding")
    })?;
    // Some editors begin a text with a mark that says it is in UTF-8.
    let text = text.strip_prefix('\u{feff}').unwrap_or(&text);
    let mut script = Script::parse_with(text, &shown, &task.definitions).map_err(|error| error.to_string())?;
    // What is typed comes last, and so wins.
    script.options.extend(task.options.iter().cloned());
    Ok(script)
}

/// What a script is called: by its path, or `standard input`.
fn name_of(path: &Path) -> String {
    if is_standard_input(path) { "standard input".to_owned() } else { path.display().to_string() }
}

fn is_standard_input(path: &Path) -> bool {
    path == Path::new("-")
}

/// What a file holds, or the standard input, but hardly more than the longest script may have.
fn octets_of(path: &Path) -> io::Result<Vec<u8>> {
    let mut octets = Vec::new();
    let most = LONGEST + 1;
    if is_standard_input(path) {
        io::stdin().lock().take(most).read_to_end(&mut octets)?;
    } else {
        File::open(path)?.take(most).read_to_end(&mut octets)?;
    }
    Ok(octets)
}

/// The scripts that were named, and those in the folders that were named, each in its order; and what is wrong with the
/// rest.
fn scripts(named: &[PathBuf]) -> (Vec<PathBuf>, Vec<String>) {
    let (mut found, mut problems) = (Vec::new(), Vec::new());
    for path in named {
        if is_standard_input(path) || !path.is_dir() {
            found.push(path.clone());
            continue;
        }
        let before = found.len();
        match walk(path, DEEPEST, &mut found) {
            Ok(()) if found.len() == before => problems.push(format!("there is no *.pkt below {}", path.display())),
            Ok(()) => {}
            Err(error) => problems.push(format!("{} cannot be searched: {error}", path.display())),
        }
    }
    (found, problems)
}

fn walk(dir: &Path, deepest: usize, found: &mut Vec<PathBuf>) -> io::Result<()> {
    let mut entries =
        fs::read_dir(dir)?.map(|entry| entry.map(|entry| entry.path())).collect::<io::Result<Vec<_>>>()?;
    entries.sort();
    for path in entries {
        if path.is_dir() {
            if deepest > 0 && !path.is_symlink() {
                walk(&path, deepest - 1, found)?;
            }
        } else if path.extension().is_some_and(|extension| extension == "pkt") {
            found.push(path);
        }
    }
    Ok(())
}

/// A name for a script's capture that no other script of this call has.
fn fresh_name(path: &Path, taken: &mut BTreeSet<String>) -> String {
    let stem = path.file_stem().filter(|_| !is_standard_input(path));
    let stem = stem.map_or_else(|| "script".to_owned(), |stem| stem.to_string_lossy().into_owned());
    let name = (1..)
        .map(|number| if number == 1 { stem.clone() } else { format!("{stem}-{number}") })
        .find(|name| !taken.contains(name))
        .unwrap_or(stem);
    taken.insert(name.clone());
    name
}

fn write_capture(file: &Path, script: &str, records: &[Record]) -> io::Result<()> {
    let comment = format!("wireglass drill {script}");
    let section = pcapng::Section { comment: &comment, ..pcapng::Section::default() };
    let mut writer = pcapng::Writer::new(BufWriter::new(File::create(file)?), &section)?;
    let ipv6 = records.first().is_some_and(|record| record.bytes.first().is_some_and(|first| first >> 4 == 6));
    let interface = writer.interface(&pcapng::Interface {
        name: "stack",
        description: "the stack under test; packets that come in are the script's",
        link_type: if ipv6 { LinkType::Ipv6 } else { LinkType::Ipv4 },
        snaplen: 0,
    })?;
    for record in records {
        writer.packet(interface, record, 0)?;
    }
    writer.finish()?.flush()
}

/// A script and what came of it.
#[derive(Default, Serialize)]
struct Row {
    script: String,
    verdict: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    line: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    /// Where the packet differs, if it is a packet that differs.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    differences: Vec<String>,
    /// Events that were as the script says.
    events: usize,
    /// When the script was over, on its own clock.
    ended_ns: u64,
}

impl Row {
    fn of(script: String, outcome: &run::Outcome) -> Row {
        let row = Row { script, events: outcome.events, ended_ns: outcome.ended.as_nanos(), ..Row::default() };
        match &outcome.verdict {
            Verdict::Passed => Row { verdict: "passed", ..row },
            Verdict::Failed(failure) => Row {
                verdict: "failed",
                line: Some(failure.line),
                reason: Some(report::short(&failure.cause)),
                differences: match &failure.cause {
                    run::Cause::Packet { differences, .. } => differences.iter().map(ToString::to_string).collect(),
                    _ => Vec::new(),
                },
                ..row
            },
            Verdict::Unsupported { line, reason } => {
                Row { verdict: "unsupported", line: Some(*line), reason: Some(reason.clone()), ..row }
            }
        }
    }
}

/// Everything as one JSON document.
#[derive(Serialize)]
struct Document {
    stack: String,
    by_meaning: bool,
    passed: usize,
    failed: usize,
    unsupported: usize,
    unreadable: usize,
    scripts: Vec<Row>,
}

impl Document {
    fn of(task: &DrillTask, count: &Count, scripts: Vec<Row>) -> Document {
        Document {
            stack: task.stack.to_string(),
            by_meaning: task.exactness == crate::drill::packets::compare::Exactness::ByMeaning,
            passed: count.passed,
            failed: count.failed,
            unsupported: count.unsupported,
            unreadable: count.unreadable,
            scripts,
        }
    }
}

#[cfg(test)]
mod tests;
