//! `wireglass run`: one lab, its ladder, its verdicts, its files. Here is the order of things; what is told of them stands
//! in [`told`] for a person and in [`document`] for a program, what is drawn of the packets in [`story`].

mod document;
mod story;
mod told;

use std::io::{self, IsTerminal as _, Write};
use std::path::{Path, PathBuf};

use super::learn::changes::{Changes, Ran};
use super::learn::next::{self, Next};
use super::learn::predict::{self, Said};
use super::learn::progress::{Line, Progress, mode_name, now};
use super::meant::{RunTask, WantedMode};
use super::terminal::Terminal;
use super::waiting::Waiting;
use super::wireshark::Following;
use super::{Failure, Outcome};
use crate::check::{self, Answer, Verdict};
use crate::host::RunAs;
use crate::journal::{Entry, NodeId};
use crate::lab::{Catalogue, Definition, Finished, Kernel, Mode, Node, Options, Wanted};
use crate::report::PredictionLine;

pub(super) use story::describe;
pub(super) use told::{verdict_line, write_files};

use document::Report;
use story::Story;
use told::tell;

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
    let options = options(task, out.clone());
    let watched = task.wireshark.as_deref().map(|node| watched(&lab, node, &out)).transpose()?;
    let following = match &watched {
        Some(capture) => Some(Following::of(capture.with_extension(task.format.extension()))?),
        None => None,
    };
    let finished = run_visibly(&lab, &options).map_err(Failure::Input)?;
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
    if let Some((following, capture)) = following.zip(watched) {
        let stories = [capture.with_extension("story.pcapng"), capture.with_extension(task.format.extension())];
        let [story, packets] = stories.map(|file| std::fs::canonicalize(&file).ok());
        if let Some(file) = story.or(packets) {
            following.finish(&file)?;
        }
    }
    Ok(if finished.interrupted {
        Outcome::Interrupted
    } else if passed {
        Outcome::Well
    } else {
        Outcome::Failed
    })
}

/// The capture that Wireshark is to show: of this node, or of the first whose stack says why it sends what it sends.
fn watched(lab: &Definition, node: &str, out: &Path) -> Result<PathBuf, Failure> {
    let explains = |node: &&Node| node.host().is_some_and(|host| host.live == Kernel::Ours);
    let first = lab.nodes.iter().find(explains).or(lab.nodes.first()).map(|node| node.name.as_str());
    let names: Vec<&str> = lab.nodes.iter().map(|node| node.name.as_str()).collect();
    match names.iter().find(|name| if node.is_empty() { Some(**name) == first } else { **name == node }) {
        Some(name) => Ok(out.join(format!("{name}.pcapng"))),
        None => Err(Failure::Input(format!("{} has no node {node}; it has {}", lab.id, names.join(", ")))),
    }
}

/// Runs the lab; a person who has to wait is told so.
fn run_visibly(lab: &Definition, options: &Options) -> Result<Finished, String> {
    let variant = lab.broken.as_ref().map(|name| format!(" with `{name}`")).unwrap_or_default();
    let _waiting = Waiting::for_the(format!("{}{variant} runs", lab.id));
    crate::lab::run(lab, options).map_err(|error| error.to_string())
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

impl Lesson {
    /// The lab's questions with both answers.
    fn lines(&self, lab: &Definition) -> Vec<PredictionLine> {
        let said = self.asked.iter().map(Option::as_ref).chain(std::iter::repeat(None));
        let both = lab.predictions.iter().zip(said).zip(&self.answers);
        both.map(|((question, said), answer)| predict::line(question, said, answer)).collect()
    }
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
    let without = run_visibly(base, &silent)?;
    if without.interrupted {
        return Err("the run without the break was broken off".to_owned());
    }
    let style = terminal.style(false);
    let row = |lab: &Definition, finished: &Finished, node: NodeId, number: u64| {
        let entries: Vec<&Entry> = finished.recorder.journal().entries().collect();
        Story { lab, finished, entries: &entries }.row(node, number, &style)
    };
    let before = |node, number| row(base, &without, node, number);
    let after = |node, number| row(lab, finished, node, number);
    Ok(Some(Changes::between(
        Ran { lab: base, finished: &without, row: &before },
        Ran { lab, finished, row: &after },
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
