//! Real programs on a linux node: `exec` steps, such as curl.
//!
//! What a program prints goes to the journal line by line as it comes; its exit code decides whether all went well.
//! What does not live here: how a program gets into its namespace, and as which user (`host`).

use std::io;
use std::path::Path;
use std::time::Duration;

use tokio::time::{Instant, timeout_at};

use super::host::Endpoint;
use super::{Host, ProgramError};
use crate::host::{Child, Exec, Exit, Lines};
use crate::journal::ProgramEvent;

/// How long after a program's end its output is still read, when a process that it left behind holds the pipes open.
const AFTERMATH: Duration = Duration::from_millis(200);

/// Runs a real program to its end, and kills it when the future is dropped before. `ready` is called as soon as it runs.
///
/// The journal knows it by its file name, `curl`: `started` first, an `output` for each line, `ended` last.
///
/// # Errors
/// The host is no linux node, the program could not be started, was ended by a signal or returned another code than 0.
/// The journal's `ended` says it too.
pub async fn run(host: &Host, exec: Exec, ready: impl FnOnce()) -> Result<(), ProgramError> {
    let command = exec.argv.join(" ");
    let program = name(&exec);
    host.report(&program, ProgramEvent::Started);
    let outcome = watch(host, &program, &command, exec, ready).await;
    let detail = outcome.as_ref().err().map(ProgramError::to_string).unwrap_or_default();
    host.report(&program, ProgramEvent::Ended { ok: outcome.is_ok(), detail });
    outcome
}

/// What the journal calls a program: its file name.
pub fn name(exec: &Exec) -> String {
    let path = exec.argv.first().map(String::as_str).unwrap_or_default();
    Path::new(path).file_name().map_or_else(|| path.to_owned(), |name| name.to_string_lossy().into_owned())
}

async fn watch(
    host: &Host,
    program: &str,
    command: &str,
    exec: Exec,
    ready: impl FnOnce(),
) -> Result<(), ProgramError> {
    let node = match host.endpoint() {
        Endpoint::Linux(node) => node,
        Endpoint::Stack(_) => return Err(ProgramError::NotLinux { command: command.to_owned() }),
    };
    let mut child = Leash { child: node.exec(exec)?, is_ended: false };
    ready();
    let mut output = Output { out: child.child.stdout.take(), err: child.child.stderr.take() };
    let mut last_words = String::new();
    let mut print = |event: ProgramEvent| {
        if let ProgramEvent::Output { line, is_error: true } = &event {
            last_words.clone_from(line);
        }
        host.report(program, event);
    };
    let lost = |error| ProgramError::Lost { command: command.to_owned(), error };
    let exit = follow(&mut child, &mut output, &mut print).await.map_err(lost)?;
    if exit.success() {
        return Ok(());
    }
    Err(ProgramError::Failed { command: command.to_owned(), exit: describe(exit), last_words })
}

/// Passes the output on until the program has ended and its pipes are empty.
async fn follow(child: &mut Leash, output: &mut Output, print: &mut impl FnMut(ProgramEvent)) -> io::Result<Exit> {
    let exit = loop {
        tokio::select! {
            biased;
            line = output.next(), if output.is_open() => {
                if let Some(line) = line? {
                    print(line);
                }
            }
            exit = child.wait() => break exit?,
        }
    };
    let until = Instant::now() + AFTERMATH;
    while let Ok(Some(line)) = timeout_at(until, output.next()).await.unwrap_or(Ok(None)) {
        print(line);
    }
    Ok(exit)
}

fn describe(exit: Exit) -> String {
    match (exit.code, exit.signal) {
        (Some(code), _) => format!("it returned {code}"),
        (None, Some(signal)) => format!("signal {signal} ended it"),
        (None, None) => "nobody knows how it ended".to_owned(),
    }
}

/// A program that must not outlive its step.
struct Leash {
    child: Child,
    is_ended: bool,
}

impl Leash {
    async fn wait(&mut self) -> io::Result<Exit> {
        let exit = self.child.wait().await?;
        self.is_ended = true;
        Ok(exit)
    }
}

impl Drop for Leash {
    fn drop(&mut self) {
        if !self.is_ended {
            // Fails only when the holder has ended, and then the program has ended with it.
            let _ = self.child.kill();
        }
    }
}

/// Both output streams of a program, each until its end.
struct Output {
    out: Option<Lines>,
    err: Option<Lines>,
}

impl Output {
    fn is_open(&self) -> bool {
        self.out.is_some() || self.err.is_some()
    }

    /// The next line of either; `None` when both have ended. Cancel-safe.
    async fn next(&mut self) -> io::Result<Option<ProgramEvent>> {
        while self.is_open() {
            let (line, is_error) = tokio::select! {
                biased;
                line = next_line(&mut self.out), if self.out.is_some() => (line?, false),
                line = next_line(&mut self.err), if self.err.is_some() => (line?, true),
            };
            match (line, is_error) {
                (Some(line), is_error) => return Ok(Some(ProgramEvent::Output { line, is_error })),
                (None, false) => self.out = None,
                (None, true) => self.err = None,
            }
        }
        Ok(None)
    }
}

async fn next_line(lines: &mut Option<Lines>) -> io::Result<Option<String>> {
    match lines {
        Some(lines) => lines.next_line().await,
        None => Ok(None),
    }
}
