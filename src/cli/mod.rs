//! The command line: what was typed ([`arguments`]), what it means ([`meant`]), and one file for each command.
//!
//! This is the only room that prints. The story of every call: read the arguments, look at the terminal, do the task,
//! and turn its end into an exit code.

mod arguments;
mod check;
mod compare;
mod doctor;
mod drill;
mod examples;
mod falsify;
mod guide;
mod learn;
mod list;
mod meant;
mod new;
mod run;
mod shell;
mod show;
mod terminal;
mod waiting;
mod wireshark;

use std::ffi::OsString;
use std::io::{self, Write as _};
use std::process::ExitCode;

use clap::Parser;

use arguments::Arguments;
use meant::{Meant, Task};
use terminal::Terminal;

use crate::lab::LabError;

/// How a call that could be carried out ended; its exit code is documented in `--help`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// All is well: 0.
    Well,
    /// A check failed, or input could be read only in part: 1.
    Failed,
    /// Some of the input could not be read: 2.
    Unreadable,
    /// Stopped by Ctrl-C: 130, as shells have it (128 + SIGINT).
    Interrupted,
}

impl From<Outcome> for ExitCode {
    fn from(outcome: Outcome) -> ExitCode {
        match outcome {
            Outcome::Well => ExitCode::SUCCESS,
            Outcome::Failed => ExitCode::FAILURE,
            Outcome::Unreadable => ExitCode::from(2),
            Outcome::Interrupted => ExitCode::from(130),
        }
    }
}

/// Why a call could not be carried out.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// The arguments make no sense, or ask for help: clap's own message and exit code (2, or 0 for help).
    #[error(transparent)]
    Usage(#[from] clap::Error),
    /// The output cannot be written.
    #[error("the output cannot be written: {0}")]
    Output(#[from] io::Error),
    /// The lab cannot be had.
    #[error(transparent)]
    Lab(#[from] LabError),
    /// What was asked for cannot be had; the text says why and what to do.
    #[error("{0}")]
    Input(String),
}

impl Failure {
    /// Whether the reader of our output has gone away, which is no failure of ours.
    pub fn is_broken_pipe(&self) -> bool {
        match self {
            Failure::Output(error) => error.kind() == io::ErrorKind::BrokenPipe,
            Failure::Usage(_) | Failure::Lab(_) | Failure::Input(_) => false,
        }
    }
}

/// Says on standard error why a call could not be carried out.
pub fn complain(failure: &Failure) {
    // With standard error gone, too, there is nobody left to tell.
    let _ = io::stderr().write_all(terminal::complaint(&format!("wireglass: {failure}")).as_bytes());
}

/// Carries out what was typed.
///
/// # Errors
/// [`Failure`], whose text tells what to do next.
pub fn run(typed: impl IntoIterator<Item = OsString>) -> Result<Outcome, Failure> {
    let Meant { appearance, task } = Meant::by(Arguments::try_parse_from(typed)?)?;
    let terminal = Terminal::of(&appearance);
    match task {
        Task::Run(task) => run::run(&task, &terminal),
        Task::Shell(task) => shell::shell(&task, &terminal),
        Task::Check(task) => check::check(&task, &terminal),
        Task::Falsify(task) => falsify::falsify(&task, &terminal),
        Task::Guide(task) => guide::guide(&task, &terminal),
        Task::New(task) => new::new(&task, &terminal),
        Task::Compare(task) => compare::compare(&task, &terminal),
        Task::List(task) => list::list(&task, &terminal),
        Task::Show(task) => show::show(&task, &terminal),
        Task::Wireshark(task) => wireshark::wireshark(&task, &terminal),
        Task::Drill(task) => drill::drill(&task, &terminal),
        Task::Doctor(task) => doctor::doctor(&task, &terminal),
    }
}
