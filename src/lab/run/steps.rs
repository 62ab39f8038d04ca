//! The programs of a run, one step after the other.

use std::time::Duration;

use serde::Serialize;
use tokio::sync::oneshot;
use tokio::task::{JoinError, JoinHandle, spawn_local};

use super::Mode;
use crate::app::{self, Endpoint, Host, ProgramError, Resolver};
use crate::host::Exec;
use crate::journal::ProgramEvent;
use crate::lab::definition::{Definition, Step};

/// How long one step may take on the wall clock.
const LIVE_LIMIT: Duration = Duration::from_secs(120);
/// How long one step may take in virtual time.
const SIM_LIMIT: Duration = Duration::from_secs(3_600);

/// Where the programs play.
pub(super) struct Stage<'a> {
    pub(super) lab: &'a Definition,
    pub(super) mode: Mode,
    /// A host for each of the lab's nodes, in their order; `None` for what runs no programs.
    pub(super) hosts: Vec<Option<Host>>,
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
    let playing = stage.play(|_| true).await;
    playing.end(stage).await
}

/// Steps that have been played.
#[derive(Default)]
pub(super) struct Playing<'a> {
    failures: Vec<StepFailure>,
    background: Vec<(usize, &'a Step, Task)>,
}

impl Playing<'_> {
    /// What went wrong until now.
    pub(super) fn failures(&self) -> &[StepFailure] {
        &self.failures
    }

    /// Looks at the programs in the background for the last time.
    pub(super) async fn end(self, stage: &Stage<'_>) -> Outcome {
        let mut outcome = Outcome { failures: self.failures, interrupted: false };
        for (index, step, task) in self.background {
            if let Err(reason) = so_far(task).await {
                outcome.failures.push(stage.failure(index, step, reason));
            }
        }
        // A server that ended too early is why its client failed, and stands before it.
        outcome.failures.sort_by_key(|failure| failure.step);
        outcome
    }
}

/// A program at work; its result says what went wrong.
type Task = JoinHandle<Result<(), ProgramError>>;

impl<'a> Stage<'a> {
    /// Plays the steps that are `wanted`, one after the other, until one fails.
    pub(super) async fn play(&self, wanted: impl Fn(&Step) -> bool) -> Playing<'a> {
        let mut playing = Playing::default();
        let lab: &'a Definition = self.lab;
        for (index, step) in lab.steps.iter().enumerate().filter(|(_, step)| wanted(step)) {
            match self.play_one(index, step).await {
                Ok(None) => {}
                Ok(Some(task)) => playing.background.push((index, step, task)),
                Err(reason) => {
                    playing.failures.push(self.failure(index, step, reason));
                    // What follows builds on this step; running it would only bury the cause.
                    break;
                }
            }
        }
        playing
    }

    /// Plays one step to its end, or, in the background, until it is ready: then it goes on, and is returned.
    async fn play_one(&self, index: usize, step: &Step) -> Result<Option<Task>, String> {
        let host = self.host(step).ok_or("no program runs there")?.clone();
        let limit = match self.mode {
            Mode::Live => LIVE_LIMIT,
            Mode::Sim => SIM_LIMIT,
        };
        let (ready, is_ready) = oneshot::channel();
        let mut task = match self.exec_of(step) {
            Some(exec) => spawn_exec(host.clone(), exec, ready),
            None => self.spawn_program(index, step, host.clone(), ready),
        };
        if let Some(span) = step.stops {
            task = spawn_local(stopped(task, span, host, self.name_of(step)));
        }
        let wait = async {
            if step.background && is_ready.await.is_ok() {
                return Ok(true);
            }
            // In the background too when it ended before it was ready: its own error says why.
            ended((&mut task).await).map(|()| false)
        };
        match tokio::time::timeout(limit, wait).await {
            Ok(result) => result.map(|goes_on| goes_on.then_some(task)),
            Err(_) => {
                task.abort();
                Err(format!("it did not end within {} s; look at the capture for what it waits for", limit.as_secs()))
            }
        }
    }

    /// Where a step runs.
    fn host(&self, step: &Step) -> Option<&Host> {
        self.hosts.get(usize::from(step.node.0))?.as_ref()
    }

    fn failure(&self, index: usize, step: &Step, reason: String) -> StepFailure {
        StepFailure {
            step: index + 1,
            node: self.lab.nodes.get(usize::from(step.node.0)).map(|node| node.name.clone()).unwrap_or_default(),
            program: self.name_of(step),
            reason,
        }
    }

    fn spawn_program(&self, index: usize, step: &Step, host: Host, ready: oneshot::Sender<()>) -> Task {
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
        match self.host(step)?.endpoint() {
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

/// A real program counts as ready as soon as it runs: nobody can see from outside when it listens.
fn spawn_exec(host: Host, exec: Exec, ready: oneshot::Sender<()>) -> Task {
    spawn_local(async move {
        // Nobody waits for a client to be ready, so the receiver may be gone.
        app::exec::run(&host, exec, move || {
            let _ = ready.send(());
        })
        .await
    })
}

/// Ends a program after `span` if it has not ended by then: its sockets go with it, and whoever comes finds nobody.
async fn stopped(mut task: Task, span: Duration, host: Host, program: String) -> Result<(), ProgramError> {
    match tokio::time::timeout(span, &mut task).await {
        Ok(Ok(result)) => result,
        Ok(Err(error)) => match error.try_into_panic() {
            Ok(panic) => std::panic::resume_unwind(panic),
            // Cancelled, which only the run's own end does.
            Err(_) => Ok(()),
        },
        Err(_) => {
            task.abort();
            // It is gone when this is over.
            let _ = task.await;
            let detail = format!("it was stopped after {span:?}, as by a crash");
            host.report(&program, ProgramEvent::Ended { ok: false, detail });
            Ok(())
        }
    }
}

/// How a program in the background has fared until now: one that is still at work is all right.
async fn so_far(task: Task) -> Result<(), String> {
    if task.is_finished() { ended(task.await) } else { Ok(()) }
}

fn ended(task: Result<Result<(), ProgramError>, JoinError>) -> Result<(), String> {
    match task {
        Ok(result) => result.map_err(|error| error.to_string()),
        Err(error) if error.is_panic() => {
            let cause = error.into_panic();
            let words = cause.downcast_ref::<String>().map(String::as_str).or(cause.downcast_ref::<&str>().copied());
            Err(format!("it panicked, which is a bug in wireglass: {}", words.unwrap_or("it does not say why")))
        }
        Err(error) => Err(error.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is said of a background task that had time to do `work`.
    fn said_of(work: impl Future<Output = Result<(), ProgramError>> + 'static) -> Result<(), String> {
        let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
        tokio::task::LocalSet::new().block_on(&runtime, async {
            let task = spawn_local(work);
            tokio::task::yield_now().await;
            so_far(task).await
        })
    }

    #[test]
    fn a_background_program_that_failed_or_panicked_is_told_and_one_at_work_is_all_right() {
        let failed = said_of(async { Err(ProgramError::NotLinux { command: "nginx".to_owned() }) });
        assert!(failed.expect_err("it failed").contains("nginx"));
        let panicked = said_of(async { panic!("out of {}", "range") }).expect_err("it panicked");
        assert_eq!(panicked, "it panicked, which is a bug in wireglass: out of range");
        assert_eq!(said_of(std::future::pending()), Ok(()));
        assert_eq!(said_of(async { Ok(()) }), Ok(()));
    }
}
