//! One lab on several TCPs: native and smoltcp in simulation, Linux live, their figures side by side.
//!
//! ```text
//!   lab ─┬─ every node native ──── sim ───┐
//!        ├─ every node smoltcp ─── sim ───┼─► packets ─► figures ─► one column each
//!        └─ every node Linux ───── live ──┘   journal, TCP_INFO
//! ```
//!
//! The links are the same userspace links with the same rules and the same seed. Each column has both ends of one kind, as
//! `wireglass run --stack` has, and built-in programs on all of them, so that nothing but the TCP differs. Counts come from
//! packets, for all alike; what only a TCP itself can know comes from the journal, or from the kernel's `TCP_INFO`, and is
//! `None` where nobody tells.

mod figures;
#[cfg(test)]
mod tests;

use std::path::PathBuf;

use serde::Serialize;

use super::definition::{Definition, Kernel, Node};
use super::run::{self, Finished, Mode, Options, RunError, Wanted, kernel};
use crate::capture::Record;
use crate::measure::Gauges;
use crate::stack::{Congestion, StackKind};

pub use figures::{Figures, Window};

/// Whose TCP a column is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Subject {
    /// wireglass's own.
    Native,
    /// smoltcp.
    Smoltcp,
    /// The kernel's.
    Linux,
}

impl Subject {
    /// Its name, and that of its folder.
    pub const fn name(self) -> &'static str {
        match self {
            Subject::Native => "native",
            Subject::Smoltcp => "smoltcp",
            Subject::Linux => "linux",
        }
    }
}

/// How to compare.
#[derive(Clone, Debug, Default)]
pub struct CompareOptions {
    /// The seed; `None` takes the lab's own.
    pub seed: Option<u64>,
    /// The folder in which each column has one, of its name, for captures and logs; `None` keeps none.
    pub out: Option<PathBuf>,
    /// As [`Options::describe`].
    pub describe: Option<fn(&str, u64, &Record) -> String>,
    /// As [`Options::owner`].
    pub owner: Option<(u32, u32)>,
    /// The program that is started again as the holder of the namespaces; `None` is this one.
    pub holder: Option<PathBuf>,
}

/// What came of one lab on several TCPs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Comparison {
    /// The lab's name.
    pub lab: String,
    /// Its title.
    pub title: String,
    /// The variant of it; `None` for the lab as it is.
    pub variant: Option<String>,
    /// The seed.
    pub seed: u64,
    /// One for each TCP.
    pub columns: Vec<Column>,
    /// Whether it was broken off by Ctrl-C.
    pub interrupted: bool,
}

/// One TCP's part.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Column {
    /// Whose TCP.
    pub stack: Subject,
    /// How it was run.
    pub mode: Mode,
    /// What was measured; `None` when it could not be run.
    pub figures: Option<Figures>,
    /// Why it could not be run, and what to do; `None` when it could.
    pub unavailable: Option<String>,
    /// What a reader of the figures has to know.
    pub notes: Vec<String>,
    /// Steps of the lab that failed.
    pub failures: Vec<String>,
    /// One file for each node, if captures are kept.
    pub captures: Vec<PathBuf>,
}

/// Why a lab cannot be compared.
#[derive(Debug, thiserror::Error)]
pub enum CompareError {
    /// There is no TCP in it.
    #[error("the lab {0} moves nothing over TCP, so there is no TCP to compare; `wireglass list` has the labs")]
    NoTransfer(String),
    /// It cannot even be run.
    #[error(transparent)]
    Run(#[from] RunError),
}

/// Runs `lab` on every TCP.
///
/// # Errors
/// [`CompareError`]. That Linux cannot be had here is none: its column then says why.
pub fn compare(lab: &Definition, options: &CompareOptions) -> Result<Comparison, CompareError> {
    if !lab.steps.iter().any(|step| step.program.moves_over_tcp()) {
        return Err(CompareError::NoTransfer(lab.id.clone()));
    }
    let mut comparison = Comparison {
        lab: lab.id.clone(),
        title: lab.title.clone(),
        variant: lab.broken.clone(),
        seed: options.seed.unwrap_or(lab.seed),
        columns: Vec::new(),
        interrupted: false,
    };
    for (subject, stack) in [(Subject::Native, StackKind::Native), (Subject::Smoltcp, StackKind::Smoltcp)] {
        comparison.columns.push(simulated(lab, options, subject, stack)?);
    }
    let (linux, interrupted) = of_linux(lab, options)?;
    comparison.columns.push(linux);
    comparison.interrupted = interrupted;
    Ok(comparison)
}

fn simulated(
    lab: &Definition,
    options: &CompareOptions,
    subject: Subject,
    stack: StackKind,
) -> Result<Column, CompareError> {
    let finished = run::run(lab, &Options { stack, ..options.of_column(subject, Mode::Sim) })?;
    let mut column = Column::of(subject, &finished, &[]);
    column.notes.extend(run::notes::fallbacks(lab, Mode::Sim, stack));
    Ok(column)
}

/// The kernel's column, and whether it was broken off.
fn of_linux(lab: &Definition, options: &CompareOptions) -> Result<(Column, bool), CompareError> {
    let gauges = Gauges::default();
    let options = Options { gauges: Some(gauges.clone()), ..options.of_column(Subject::Linux, Mode::Live) };
    match run::run(&on_kernels(lab), &options) {
        Ok(finished) => {
            let stories = gauges.stories();
            let mut column = Column::of(Subject::Linux, &finished, &stories);
            let mut really: Vec<&str> = stories.iter().map(|story| story.congestion.as_str()).collect();
            really.sort_unstable();
            really.dedup();
            column.notes.extend(kernel_notes(lab, &really));
            column.notes.extend(finished.note.clone());
            Ok((column, finished.interrupted))
        }
        Err(RunError::NotLive(reason)) => Ok((
            Column {
                stack: Subject::Linux,
                mode: Mode::Live,
                figures: None,
                unavailable: Some(format!(
                    "{reason}; `wireglass doctor` names what is missing and the command that mends it"
                )),
                notes: Vec::new(),
                failures: Vec::new(),
                captures: Vec::new(),
            },
            false,
        )),
        Err(other) => Err(other.into()),
    }
}

impl CompareOptions {
    /// How one column is run.
    fn of_column(&self, subject: Subject, mode: Mode) -> Options {
        Options {
            wanted: Wanted::Only(mode),
            seed: self.seed,
            out: self.out.as_ref().map(|out| out.join(subject.name())),
            describe: self.describe,
            holder: self.holder.clone(),
            owner: self.owner,
            ..Options::default()
        }
    }
}

impl Column {
    fn of(stack: Subject, finished: &Finished, kernels: &[crate::measure::KernelStory]) -> Column {
        let figures = Figures::of(finished, kernels);
        let recorder = &finished.recorder;
        let mut notes = Vec::new();
        if recorder.journal().forgotten() > 0 || recorder.nodes().any(|each| recorder.not_kept(each.node) > 0) {
            notes.push("the run was longer than memory holds: these are the figures of its beginning".to_owned());
        }
        let failure = |failure: &run::StepFailure| {
            format!("step {} ({} on {}): {}", failure.step, failure.program, failure.node, failure.reason)
        };
        Column {
            stack,
            mode: finished.mode,
            figures: Some(figures),
            unavailable: None,
            notes,
            failures: finished.failures.iter().map(failure).collect(),
            captures: recorder.nodes().filter_map(|each| recorder.capture_path(each.node)).map(PathBuf::from).collect(),
        }
    }
}

/// The lab with a kernel in every node, and built-in programs everywhere: those of other people cannot be watched.
fn on_kernels(lab: &Definition) -> Definition {
    let mut lab = lab.clone();
    lab.nodes.iter_mut().filter_map(Node::host_mut).for_each(|host| host.live = Kernel::Linux);
    lab.steps.iter_mut().for_each(|step| step.exec = None);
    lab
}

/// What has to be said of the kernels: which congestion controls they `really` had, and what of the lab is not theirs.
fn kernel_notes(lab: &Definition, really: &[&str]) -> Vec<String> {
    let hosts = || lab.nodes.iter().filter_map(|node| Some((node.name.as_str(), node.host()?)));
    let mut asked: Vec<String> = hosts().map(|(_, host)| kernel::congestion(host.tcp.congestion)).collect();
    asked.sort_unstable();
    asked.dedup();
    let mut notes = vec![format!("congestion control: {}, read back from the kernel", really.join(", "))];
    if asked != really {
        notes.push(format!(
            "asked for {}: `sudo modprobe tcp_NAME`, or as root `sysctl -w net.ipv4.tcp_allowed_congestion_control=\"…\"`",
            asked.join(", ")
        ));
    }
    if hosts().any(|(_, host)| host.tcp.congestion == Congestion::None) {
        notes.push("the lab wants no congestion control at all, which Linux does not have".to_owned());
    }
    for (name, host) in hosts() {
        let told = kernel::sysctls(&host.tcp);
        let told: Vec<String> = told
            .into_iter()
            .filter(|(setting, _)| !host.sysctls.contains_key(*setting))
            .map(|(setting, value)| format!("{setting}={value}"))
            .collect();
        if !told.is_empty() {
            notes.push(format!("{name} was set to {}, as the lab's `tcp` says", told.join(", ")));
        }
        let left = kernel::without_setting(&host.tcp);
        if !left.is_empty() {
            notes.push(format!("{name} kept Linux's own {}: no sysctl says what the lab says", left.join(", ")));
        }
    }
    if hosts().any(|(_, host)| !host.tcp.rack) {
        notes.push(
            "newer kernels (6.18 for one) have nothing but RACK: there tcp_recovery=0 changes nothing".to_owned(),
        );
    }
    notes
}
