//! A visit to a kernel node: its lab's servers run, and somebody looks around there with programs of their own.

use std::env;
use std::io;

use tokio::signal::unix::{Signal, SignalKind, signal};

use super::steps::{Outcome, Stage};
use super::{Finished, Options, RunError, StepFailure};
use crate::app::Endpoint;
use crate::host::{Exec, ExecError, Exit, LinuxNode, Process, Relay, RunAs, Seat};
use crate::journal::{NodeId, ProgramEvent};
use crate::lab::definition::{Definition, Node};

/// What is started where.
#[derive(Debug)]
pub struct Visit {
    /// The node; a kernel's.
    node: NodeId,
    /// The program and its arguments.
    argv: Vec<String>,
    /// Where the visitor sits.
    seat: Seat,
}

/// The shell of who has none.
const SHELL: &str = "/bin/sh";

impl Visit {
    /// A visit to the node of this name, `None` for the first that is a kernel in a live run. An empty `argv` is the
    /// visitor's own shell; the visitor sits at `seat`.
    ///
    /// # Errors
    /// [`RunError::NoVisit`] when there is no such node, or it is no kernel.
    pub fn to(lab: &Definition, name: Option<&str>, argv: Vec<String>, seat: Seat) -> Result<Visit, RunError> {
        let kernels = || (0..).map(NodeId).zip(&lab.nodes).filter(|(_, node)| node.is_linux());
        let found = kernels().find(|(_, node)| name.is_none_or(|name| node.name == name));
        let (node, _) = found.ok_or_else(|| {
            let known: Vec<&str> = kernels().map(|(_, node)| node.name.as_str()).collect();
            let known = match known.as_slice() {
                [] => "it has no kernel node (live = \"linux\")".to_owned(),
                known => format!("its kernel nodes are {}", known.join(", ")),
            };
            RunError::NoVisit { lab: lab.id.clone(), node: name.unwrap_or_default().to_owned(), known }
        })?;
        let own_shell = || vec![env::var("SHELL").ok().filter(|shell| !shell.is_empty()).unwrap_or(SHELL.to_owned())];
        Ok(Visit { node, argv: if argv.is_empty() { own_shell() } else { argv }, seat })
    }

    /// Which node is visited.
    pub fn node(&self) -> NodeId {
        self.node
    }

    /// Starts the servers, then the visitor's program, and waits for its end.
    pub(super) async fn pay(&self, stage: Stage<'_>) -> Outcome {
        let playing = stage.play(|step| step.background).await;
        if !playing.failures().is_empty() {
            return playing.end(&stage).await;
        }
        let stayed = self.stay(&stage).await;
        let outcome = playing.end(&stage).await;
        match stayed {
            Ok(Stayed::ToTheEnd) => outcome,
            Ok(Stayed::Interrupted) => Outcome { interrupted: true, ..outcome },
            Err(reason) => {
                let node = name_of(stage.lab, self.node);
                let failure = StepFailure { step: 0, node, program: self.argv.join(" "), reason };
                Outcome { failures: [outcome.failures, vec![failure]].concat(), ..outcome }
            }
        }
    }

    async fn stay(&self, stage: &Stage<'_>) -> Result<Stayed, String> {
        let host = stage.hosts.get(usize::from(self.node.0)).and_then(Option::as_ref);
        let host = host.ok_or("there is no such node")?;
        let Endpoint::Linux(node) = host.endpoint() else { return Err("there is no kernel".to_owned()) };
        let program = crate::app::exec::name(&self.exec(stage.lab, false));
        host.report(&program, ProgramEvent::Started);
        // Before there is a program that somebody could want to end.
        let signals = Signals::watch().map_err(|error| error.to_string())?;
        let exit = if self.seat.is_terminal() {
            self.at_a_terminal(stage.lab, node, signals).await
        } else {
            let process = node.exec_on(self.exec(stage.lab, false), self.seat.streams());
            wait(process.map_err(|error| error.to_string())?, signals, || {}).await
        };
        let exit = exit.map_err(|error| error.to_string())?;
        let ok = exit.is_some_and(Exit::success);
        // What a visitor's shell returns is what its last command returned, and nobody's failure.
        host.report(&program, ProgramEvent::Ended { ok, detail: String::new() });
        Ok(if exit.is_some() { Stayed::ToTheEnd } else { Stayed::Interrupted })
    }

    async fn at_a_terminal(&self, lab: &Definition, node: &LinuxNode, signals: Signals) -> io::Result<Option<Exit>> {
        let relay = Relay::open(&self.seat, RunAs::caller())?;
        let started: Result<Process, ExecError> = node.exec_on(self.exec(lab, true), relay.streams());
        let process = started.map_err(io::Error::other)?;
        let joined = relay.join(&self.seat)?;
        wait(process, signals, || joined.follow_size()).await
    }

    fn exec(&self, lab: &Definition, owns_terminal: bool) -> Exec {
        let node = name_of(lab, self.node);
        let env = [
            ("WIREGLASS_LAB", lab.id.clone()),
            ("WIREGLASS_NODE", node.clone()),
            ("PS1", format!("{node}$ ")),
            // Debian's shells show it in front of their prompt.
            ("debian_chroot", node),
        ];
        let env = env.map(|(name, value)| (name.to_owned(), value)).to_vec();
        Exec { argv: self.argv.clone(), env, cwd: None, owns_terminal }
    }
}

/// How a visit ended.
enum Stayed {
    ToTheEnd,
    Interrupted,
}

/// What may be said to us while a visit lasts.
struct Signals {
    stop: [io::Result<Signal>; 3],
    size: Signal,
}

impl Signals {
    fn watch() -> io::Result<Signals> {
        let stop = [SignalKind::interrupt(), SignalKind::terminate(), SignalKind::hangup()].map(signal);
        Ok(Signals { stop, size: signal(SignalKind::window_change())? })
    }
}

/// Waits for the program's end; `None` when the run is to end before.
async fn wait(mut process: Process, signals: Signals, resized: impl Fn()) -> io::Result<Option<Exit>> {
    let Signals { mut stop, mut size } = signals;
    let [interrupt, terminate, hang_up] = &mut stop;
    loop {
        tokio::select! {
            biased;
            exit = process.wait() => return exit.map(Some),
            () = came(interrupt) => return Ok(None),
            () = came(terminate) => return Ok(None),
            () = came(hang_up) => return Ok(None),
            _ = size.recv() => resized(),
        }
    }
}

/// Waits for a signal; for ever when it cannot be watched.
async fn came(signal: &mut io::Result<Signal>) {
    match signal {
        Ok(signal) => {
            signal.recv().await;
        }
        Err(_) => std::future::pending().await,
    }
}

fn name_of(lab: &Definition, node: NodeId) -> String {
    lab.nodes.get(usize::from(node.0)).map_or_else(String::new, |node: &Node| node.name.clone())
}

/// Runs the servers of `lab` live, and a visitor's program on one of its kernel nodes until that ends.
///
/// # Errors
/// [`RunError`]: there is no simulated visit.
pub fn visit(lab: &Definition, options: &Options, visit: &Visit) -> Result<Finished, RunError> {
    super::live::run(lab, options, Some(visit))
}
