//! The programs of a run, one step after the other.

use std::time::Duration;

use serde::Serialize;
use tokio::sync::oneshot;
use tokio::task::{JoinHandle, spawn_local};

use super::Mode;
use crate::app::{self, Endpoint, Host, ProgramError, Resolver};
use crate::host::Exec;
use crate::lab::definition::{Definition, Step};

/// How long one step may take on the wall clock.
const LIVE_LIMIT: Duration = Duration::from_secs(120);
/// How long one step may take in virtual time.
const SIM_LIMIT: Duration = Duration::from_secs(3_600);

/// Where the programs play.
pub(super) struct Stage<'a> {
    pub(super) lab: &'a Definition,
    pub(super) mode: Mode,
    /// A host for each of the lab's nodes, in their order.
    pub(super) hosts: Vec<Host>,
    pub(super) resolver: Resolver,
    pub(super) seed: u64,
}

/// A step that did not go as it should.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct StepFailure {
    /// Which step, from 1; 0 when it was no step but the network under all of them.
    pub step: usize,
    /// On which node; empty for the network.
    pub node: String,
    /// The program.
    pub program: String,
    /// What went wrong, and what to do.
    pub reason: String,
}

/// How the programs fared.
#[derive(Debug, Default)]
pub(super) struct Outcome {
    pub(super) failures: Vec<StepFailure>,
    pub(super) interrupted: bool,
}

impl Outcome {
    /// The outcome of a run whose network has failed under its programs.
    pub(super) fn broken_off(error: &std::io::Error) -> Outcome {
        let failure = StepFailure {
            step: 0,
            node: String::new(),
            program: "the network".to_owned(),
            reason: format!("{error}; what was seen until then is judged below"),
        };
        Outcome { failures: vec![failure], interrupted: false }
    }
}

/// Plays every step. Servers go on until the whole run is over.
pub(super) async fn play(stage: Stage<'_>) -> Outcome {
    match stage.mode {
        Mode::Sim => play_steps(&stage).await,
        Mode::Live => tokio::select! {
            biased;
            outcome = play_steps(&stage) => outcome,
            // An error means that signals cannot be watched: then Ctrl-C ends the process as it always does.
            Ok(()) = tokio::signal::ctrl_c() => Outcome { interrupted: true, ..Outcome::default() },
        },
    }
}

async fn play_steps(stage: &Stage<'_>) -> Outcome {
    let mut outcome = Outcome::default();
    for (index, step) in stage.lab.steps.iter().enumerate() {
        if let Err(reason) = stage.play_one(index, step).await {
            outcome.failures.push(StepFailure {
                step: index + 1,
                node: stage.lab.nodes.get(usize::from(step.node.0)).map(|node| node.name.clone()).unwrap_or_default(),
                program: stage.name_of(step),
                reason,
            });
            // What follows builds on this step; running it would only bury the cause.
            break;
        }
    }
    outcome
}

impl Stage<'_> {
    async fn play_one(&self, index: usize, step: &Step) -> Result<(), String> {
        let host = self.hosts.get(usize::from(step.node.0)).ok_or("there is no such node")?.clone();
        let limit = match self.mode {
            Mode::Live => LIVE_LIMIT,
            Mode::Sim => SIM_LIMIT,
        };
        let (ready, is_ready) = oneshot::channel();
        let mut task = match self.exec_of(step) {
            Some(exec) => spawn_exec(host, exec, ready),
            None => self.spawn_program(index, step, host, ready),
        };
        let wait = async {
            if step.background {
                match is_ready.await {
                    Ok(()) => Ok(()),
                    // It ended before it was ready: its own error says why.
                    Err(_) => ended((&mut task).await),
                }
            } else {
                ended((&mut task).await)
            }
        };
        let result = tokio::time::timeout(limit, wait).await;
        result.unwrap_or_else(|_| {
            task.abort();
            Err(format!("it did not end within {} s; look at the capture for what it waits for", limit.as_secs()))
        })
    }

    fn spawn_program(
        &self,
        index: usize,
        step: &Step,
        host: Host,
        ready: oneshot::Sender<()>,
    ) -> JoinHandle<Result<(), ProgramError>> {
        let (program, resolver) = (step.program.clone(), self.resolver.clone());
        // Each step sends data of its own.
        let seed = self.seed.wrapping_add(index as u64);
        spawn_local(async move {
            // Nobody waits for a client to be ready, so the receiver may be gone.
            app::run(&program, &host, &resolver, seed, move || {
                let _ = ready.send(());
            })
            .await
        })
    }

    /// The real program of a step, where it runs on a kernel.
    fn exec_of(&self, step: &Step) -> Option<Exec> {
        let host = self.hosts.get(usize::from(step.node.0))?;
        match host.endpoint() {
            Endpoint::Linux(_) => Some(Exec { argv: step.exec.clone()?, ..Exec::default() }),
            Endpoint::Stack(_) => None,
        }
    }

    fn name_of(&self, step: &Step) -> String {
        match self.exec_of(step) {
            Some(exec) => app::exec::name(&exec),
            None => step.program.name().to_owned(),
        }
    }
}

/// A real program counts as ready as soon as it was started: nobody can see from outside when it listens.
fn spawn_exec(host: Host, exec: Exec, ready: oneshot::Sender<()>) -> JoinHandle<Result<(), ProgramError>> {
    spawn_local(async move {
        let _ = ready.send(());
        app::exec::run(&host, exec).await
    })
}

fn ended(task: Result<Result<(), ProgramError>, tokio::task::JoinError>) -> Result<(), String> {
    match task {
        Ok(result) => result.map_err(|error| error.to_string()),
        Err(error) if error.is_panic() => std::panic::resume_unwind(error.into_panic()),
        Err(error) => Err(error.to_string()),
    }
}
