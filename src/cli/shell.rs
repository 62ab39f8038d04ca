//! `wireglass shell`: somebody's own programs on a lab's kernel node.

use std::borrow::Cow;
use std::io::{self, Write};
use std::os::fd::AsFd as _;
use std::path::PathBuf;

use super::meant::ShellTask;
use super::run::{describe, write_files};
use super::terminal::Terminal;
use super::{Failure, Outcome};
use crate::host::{RunAs, Seat};
use crate::lab::{Catalogue, Definition, Finished, Mode, Options, StepFailure, Visit, Wanted, visit};

/// Opens it, and waits for its end.
pub(super) fn shell(task: &ShellTask, terminal: &Terminal) -> Result<Outcome, Failure> {
    let base = Catalogue::built_in().find(&task.lab)?;
    let lab = match &task.variant {
        Some(name) => base.with_break(name)?,
        None => base,
    };
    let input = |error: crate::lab::RunError| Failure::Input(error.to_string());
    let to = Visit::to(&lab, task.node.as_deref(), task.command.clone(), seat()?).map_err(input)?;
    let out = task.out.clone().unwrap_or_else(|| PathBuf::from("out").join(&lab.id));
    let options = Options {
        wanted: Wanted::Only(Mode::Live),
        seed: task.seed,
        stack: task.stack,
        door: task.door,
        out: Some(out),
        describe: Some(describe),
        owner: RunAs::caller().map(|caller| (caller.uid, caller.gid)),
        ..Options::default()
    };
    if task.command.is_empty() {
        welcome(*terminal, &lab, &to)?;
    }
    let finished = visit(&lab, &options, &to).map_err(input)?;
    // Not among what the command printed: that may go into a pipe.
    farewell(*terminal, &finished)?;
    Ok(match (finished.failures.is_empty(), finished.interrupted) {
        (_, true) => Outcome::Interrupted,
        (true, false) => Outcome::Well,
        (false, false) => Outcome::Failed,
    })
}

/// Where the caller sits.
fn seat() -> io::Result<Seat> {
    Ok(Seat {
        input: io::stdin().as_fd().try_clone_to_owned()?,
        output: io::stdout().as_fd().try_clone_to_owned()?,
        error: io::stderr().as_fd().try_clone_to_owned()?,
    })
}

/// Where one is, who else is there, and how one gets away.
fn welcome(terminal: Terminal, lab: &Definition, to: &Visit) -> io::Result<()> {
    let mut out = terminal.out();
    let name = |index: usize| lab.nodes.get(index).map_or("", |node| node.name.as_str());
    let here = usize::from(to.node().0);
    writeln!(out, "{} {}: on {}", terminal.bold(&lab.id), lab.title, terminal.bold(name(here)))?;
    for node in &lab.nodes {
        let addresses: Vec<String> = node.addresses().map(|(address, _)| address.to_string()).collect();
        let mark = if node.name == name(here) { ", where you are" } else { "" };
        let others = node.host().map(|host| host.names.join(", ")).filter(|names| !names.is_empty());
        let others = others.map(|names| format!(", also called {names}")).unwrap_or_default();
        if !addresses.is_empty() {
            writeln!(out, "  {:<16} {}{others}{mark}", node.name, addresses.join(", "))?;
        }
    }
    for step in lab.steps.iter().filter(|step| step.background) {
        writeln!(out, "  {:<16} runs {}", name(usize::from(step.node.0)), step.program.name())?;
    }
    let commands =
        lab.steps.iter().filter(|step| usize::from(step.node.0) == here).filter_map(|step| step.exec.as_ref());
    for command in commands {
        let words: Vec<_> = command.iter().map(|word| pasteable(word)).collect();
        writeln!(out, "try: {}", words.join(" "))?;
    }
    writeln!(out, "Everything is captured. `exit` or Ctrl-D leaves and ends all that was started here.\n")?;
    out.flush()
}

/// A word as a shell takes it for one word.
fn pasteable(word: &str) -> Cow<'_, str> {
    let is_plain = |char: char| char.is_alphanumeric() || "-_./:=@%+,".contains(char);
    match !word.is_empty() && word.chars().all(is_plain) {
        true => Cow::Borrowed(word),
        false => Cow::Owned(format!("'{}'", word.replace('\'', r"'\''"))),
    }
}

/// What is left of it.
fn farewell(terminal: Terminal, finished: &Finished) -> io::Result<()> {
    let mut text = Vec::new();
    for StepFailure { step, node, program, reason } in &finished.failures {
        match step {
            0 => writeln!(text, "{program} failed: {reason}")?,
            _ => writeln!(text, "step {step} ({program} on {node}) failed: {reason}")?,
        }
    }
    write_files(&mut text, terminal, finished)?;
    io::stderr().write_all(&text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_can_be_pasted_as_it_is_shown() {
        let table = [
            ("http://api.example.com/api/posts", "http://api.example.com/api/posts"),
            ("Accept: application/json", "'Accept: application/json'"),
            ("it's $HOME", r"'it'\''s $HOME'"),
            ("{a,b}*", "'{a,b}*'"),
            ("", "''"),
        ];
        for (word, expected) in table {
            assert_eq!(pasteable(word), expected);
        }
    }
}
