//! Running a lab, live or in simulation.
//!
//! ```text
//!   definition ─► nodes ─► network ─┐
//!                 steps ─► programs ┴─► driver ─► recorder ─► evidence ─► verdicts
//! ```
//!
//! One lab file, two modes: which nodes are stacks and which are kernels is all that differs; links, steps and checks are
//! the same. What lives here: putting the parts together. What does not: showing results (`cli`), the parts themselves.

pub(super) mod kernel;
mod live;
mod sim;
mod steps;

use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde::Serialize;

use super::definition::{Definition, Node};
use crate::app::ProgramError;
use crate::capture::{
    Describe, FileFormat, LinkType, Record, Recorder, RecorderConfig, RecorderError, VantageConfig, Witness,
};
use crate::check::{self, Clock as JudgeClock, Evidence, LinkSource, NodeSource, Verdict};
use crate::door::DoorKind;
use crate::host::HolderError;
use crate::journal::{Entry, NodeId};
use crate::link::Pipe;
use crate::measure::Gauges;
use crate::network::World;
use crate::packet::Medium;
use crate::rng::Rng;
use crate::stack::{Interface, Stack, StackConfig, StackKind};
use crate::time::Instant;

pub use steps::StepFailure;

/// When every simulated run begins: 2026-01-01 00:00:00 UTC, in nanoseconds since 1970. Captures must not depend on the day.
const SIM_EPOCH_NS: u64 = 1_767_225_600_000_000_000;
/// Packets of each node that stay in memory; files hold all.
const KEEP_PACKETS: usize = 250_000;
/// Octets of the packets of all nodes that stay in memory; files hold all.
const KEEP_OCTETS: usize = 256 << 20;
/// Journal entries that stay in memory; the file holds all.
const KEEP_ENTRIES: usize = 1_000_000;

/// How a lab is run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Mode {
    /// Against real kernels, on the wall clock.
    Live,
    /// Stacks only, in virtual time.
    Sim,
}

/// Which mode is asked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Wanted {
    /// Live where this machine allows it, else sim.
    #[default]
    Either,
    /// This one, or an error.
    Only(Mode),
}

/// How to run a lab.
pub struct Options {
    /// The mode.
    pub wanted: Wanted,
    /// The seed; `None` takes the lab's own.
    pub seed: Option<u64>,
    /// The userspace stack.
    pub stack: StackKind,
    /// The door of kernel nodes; `None` takes the best that opens.
    pub door: Option<DoorKind>,
    /// The folder of captures and logs; `None` keeps them in memory only.
    pub out: Option<PathBuf>,
    /// The captures' format.
    pub format: FileFormat,
    /// Makes the text of `layers.txt`, written when the run is over; `None` for no such file.
    pub describe: Option<fn(&str, u64, &Record) -> String>,
    /// The program that is started again as the holder of the namespaces; `None` is this one.
    pub holder: Option<PathBuf>,
    /// User and group in whose name, and with whose rights, files are made; `None` for this process's own.
    pub owner: Option<(u32, u32)>,
    /// Watches every TCP connection of kernel nodes, which then ask for the congestion control that the lab gives their
    /// node; `None` leaves kernels alone.
    pub gauges: Option<Gauges>,
}

impl Default for Options {
    fn default() -> Options {
        Options {
            wanted: Wanted::Either,
            seed: None,
            stack: StackKind::default(),
            door: None,
            out: None,
            format: FileFormat::default(),
            describe: None,
            holder: None,
            owner: None,
            gauges: None,
        }
    }
}

/// A run that is over.
pub struct Finished {
    /// How it was run.
    pub mode: Mode,
    /// Why it was not live although that was welcome, or which door had to stand in for another; `None` if all went as
    /// asked.
    pub note: Option<String>,
    /// The door of the kernel nodes; `None` in simulation, or without kernel nodes.
    pub door: Option<DoorKind>,
    /// The userspace stack it had.
    pub stack: StackKind,
    /// The seed it had.
    pub seed: u64,
    /// When the last thing happened.
    pub ended: Instant,
    /// Packets and events.
    pub recorder: Recorder,
    /// The integrity checks' verdicts, then those of the lab's own checks, in the file's order.
    pub verdicts: Vec<Verdict>,
    /// Steps that did not go as they should.
    pub failures: Vec<StepFailure>,
    /// Whether it was broken off by Ctrl-C; the verdicts then stand on what was seen until then.
    pub interrupted: bool,
}

/// Why a lab could not be run.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// This machine or this user lacks what a live run needs.
    #[error(
        "a live run is not possible here: {0}\n  `--mode sim` needs no privilege and no device; `wireglass doctor` says what is missing"
    )]
    NotLive(#[source] HolderError),
    /// The machine would do, but not what was asked of it: a setting or an address of the lab, for example.
    #[error("the live run could not be set up: {0}")]
    SetUp(#[source] HolderError),
    /// The lab has no kernel node to open a door to.
    #[error("the lab {0} has no kernel node (live = \"linux\"), so there is no door to choose; leave `--door` out")]
    NoDoor(String),
    /// A capture or log cannot be written.
    #[error(transparent)]
    Record(#[from] RecorderError),
    /// The system failed underneath.
    #[error("the run broke off: {0}")]
    System(#[from] std::io::Error),
    /// A program's settings make no sense here.
    #[error(transparent)]
    Program(#[from] ProgramError),
}

impl RunError {
    fn of_holder(error: HolderError) -> RunError {
        if error.is_missing_ability() { RunError::NotLive(error) } else { RunError::SetUp(error) }
    }
}

/// Runs `lab`.
///
/// # Errors
/// [`RunError`], before anything was changed anywhere. A check or a step that fails is no error: it stands in the result.
pub fn run(lab: &Definition, options: &Options) -> Result<Finished, RunError> {
    match options.wanted {
        Wanted::Only(Mode::Sim) => sim::run(lab, options, None),
        Wanted::Only(Mode::Live) => live::run(lab, options),
        Wanted::Either => match live::run(lab, options) {
            // What the machine does not allow is no reason not to learn; the reason is told.
            Err(RunError::NotLive(reason)) => sim::run(lab, options, Some(reason.to_string())),
            other => other,
        },
    }
}

/// The recorder, shared between the network that tells it and the run that reads it afterwards.
#[derive(Clone)]
struct SharedRecorder(Arc<Mutex<Option<Recorder>>>);

impl SharedRecorder {
    fn new(recorder: Recorder) -> SharedRecorder {
        SharedRecorder(Arc::new(Mutex::new(Some(recorder))))
    }

    fn lock(&self) -> MutexGuard<'_, Option<Recorder>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes the recorder back; what is told afterwards goes nowhere. `None` when that has happened already.
    fn take(&self) -> Option<Recorder> {
        self.lock().take()
    }
}

impl Witness for SharedRecorder {
    fn packet(&mut self, node: NodeId, record: Record) {
        if let Some(recorder) = self.lock().as_mut() {
            recorder.packet(node, record);
        }
    }

    fn event(&mut self, entry: Entry) {
        if let Some(recorder) = self.lock().as_mut() {
            recorder.event(entry);
        }
    }

    fn settle(&mut self) {
        if let Some(recorder) = self.lock().as_mut() {
            recorder.settle();
        }
    }

    fn secrets(&mut self, key_log: &str) {
        if let Some(recorder) = self.lock().as_mut() {
            recorder.secrets(key_log);
        }
    }
}

/// What both modes need to know of a run.
struct Setting<'a> {
    lab: &'a Definition,
    options: &'a Options,
    mode: Mode,
    seed: u64,
    medium: Medium,
}

impl<'a> Setting<'a> {
    fn new(lab: &'a Definition, options: &'a Options, mode: Mode, medium: Medium) -> Setting<'a> {
        Setting { lab, options, mode, seed: options.seed.unwrap_or(lab.seed), medium }
    }

    fn recorder(&self, epoch_ns: u64) -> Result<SharedRecorder, RunError> {
        let has = |v4: bool| {
            self.lab.nodes.iter().flat_map(|node| &node.addresses).any(|(address, _)| address.is_ipv4() == v4)
        };
        let link_type = LinkType::for_medium(self.medium, has(true), has(false));
        let vantage = |(id, node): (NodeId, &Node)| VantageConfig {
            node: id,
            name: node.name.clone(),
            description: format!("what the node {} sent and received", node.name),
            link_type,
        };
        let names = self
            .lab
            .nodes
            .iter()
            .flat_map(|node| node.addresses.iter().map(|(address, _)| (*address, node.name.clone())));
        let describe = self.options.describe.map(|describe| Box::new(describe) as Describe);
        let recorder = Recorder::create(RecorderConfig {
            dir: self.options.out.clone(),
            format: self.options.format,
            epoch_ns,
            nodes: node_ids().zip(&self.lab.nodes).map(vantage).collect(),
            names: names.collect(),
            comment: self.comment(),
            describe,
            keep_packets: Some(KEEP_PACKETS),
            keep_octets: Some(KEEP_OCTETS),
            keep_entries: KEEP_ENTRIES,
            owner: self.options.owner,
        })?;
        Ok(SharedRecorder::new(recorder))
    }

    /// The section comment of every capture.
    fn comment(&self) -> String {
        let mode = match self.mode {
            Mode::Live => "live",
            Mode::Sim => "sim",
        };
        let broken = self.lab.broken.as_ref().map(|name| format!(", break {name}")).unwrap_or_default();
        let (id, title, stack, seed) = (&self.lab.id, &self.lab.title, self.options.stack, self.seed);
        format!("wireglass lab {id} ({title}){broken}, {mode}, {stack} stack, seed {seed}")
    }

    /// The userspace stack of a node.
    fn stack(&self, id: NodeId, node: &Node, now: Instant) -> Box<dyn Stack> {
        let link = self.lab.links.iter().find(|link| link.ends.contains(&id));
        let config = StackConfig {
            interface: Interface {
                medium: self.medium,
                mac: mac_of(id),
                addresses: node.addresses.clone(),
                gateways: Vec::new(),
                mtu: link.map_or(1500, |link| link.mtu),
            },
            seed: Rng::derive(self.seed, &node.name).next_u64(),
            tcp: node.tcp.clone(),
        };
        self.options.stack.make(&config, now)
    }

    /// Lays every link of the lab.
    fn lay_links(&self, world: &mut World) {
        for link in &self.lab.links {
            let [a, b] = link.ends;
            for (direction, (from, to)) in [(a, b), (b, a)].into_iter().enumerate() {
                if let Some(config) = link.pipe(direction) {
                    let rng = Rng::derive(self.seed, &format!("{}/{direction}", link.name));
                    world.lay_pipe(from, to, Pipe::new(config, rng));
                }
            }
        }
    }

    /// Names and addresses for programs: each node by its first address.
    fn addresses(&self) -> impl Iterator<Item = (String, IpAddr)> + '_ {
        self.lab.nodes.iter().filter_map(|node| Some((node.name.clone(), node.address()?)))
    }

    /// Judges what was seen.
    fn judge(&self, recorder: &Recorder, ended: Instant) -> Vec<Verdict> {
        let nodes: Vec<NodeSource<'_>> = node_ids()
            .zip(&self.lab.nodes)
            .map(|(id, node)| NodeSource {
                name: &node.name,
                records: Some(recorder.records(id)),
                not_kept: recorder.not_kept(id),
            })
            .collect();
        let links: Vec<LinkSource<'_>> = self
            .lab
            .links
            .iter()
            .map(|link| LinkSource {
                name: &link.name,
                ends: link.ends,
                mtu: link.mtu,
                longest_flight: link.longest_flight(),
            })
            .collect();
        let clock = match self.mode {
            Mode::Live => JudgeClock::Wall,
            Mode::Sim => JudgeClock::Virtual,
        };
        let evidence = Evidence::new(&nodes, &links, Some(recorder.journal()), ended, clock);
        let mut verdicts = check::integrity(&evidence, self.lab.integrity);
        verdicts.extend(self.lab.checks.iter().map(|check| check::judge(check, &evidence)));
        verdicts
    }

    /// Closes the files and draws the conclusions.
    fn finish(&self, recorder: &SharedRecorder, ended: Instant, outcome: steps::Outcome) -> Result<Finished, RunError> {
        let mut recorder =
            recorder.take().ok_or_else(|| std::io::Error::other("the recorder was taken before the end"))?;
        recorder.finish()?;
        let mut verdicts = self.judge(&recorder, ended);
        if outcome.interrupted {
            verdicts.iter_mut().for_each(leave_open);
        }
        Ok(Finished {
            mode: self.mode,
            note: None,
            door: None,
            stack: self.options.stack,
            seed: self.seed,
            ended,
            recorder,
            verdicts,
            failures: outcome.failures,
            interrupted: outcome.interrupted,
        })
    }
}

/// A claim that does not hold may only have wanted more time: a run that was broken off refutes nothing.
fn leave_open(verdict: &mut Verdict) {
    if verdict.is_fail() {
        verdict.outcome = check::Outcome::Unknown;
        verdict.measured = format!("interrupted before its end: {}", verdict.measured);
        verdict.hint = None;
    }
}

fn node_ids() -> impl Iterator<Item = NodeId> {
    (0..=u16::MAX).map(NodeId)
}

/// A locally administered address, a different one for each node.
fn mac_of(id: NodeId) -> [u8; 6] {
    let [high, low] = id.0.wrapping_add(1).to_be_bytes();
    [0x02, 0x77, 0x67, 0x00, high, low]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_that_the_network_is_told_reach_the_captures() {
        let dir = std::env::temp_dir().join(format!("wireglass-secrets-{}", std::process::id()));
        let node = VantageConfig {
            node: NodeId(0),
            name: "client".to_owned(),
            description: String::new(),
            link_type: LinkType::Ipv4,
        };
        let config = RecorderConfig { dir: Some(dir.clone()), nodes: vec![node], ..RecorderConfig::default() };
        let shared = SharedRecorder::new(Recorder::create(config).expect("the folder is ours"));
        let mut witness: Box<dyn Witness> = Box::new(shared.clone());
        witness.secrets("CLIENT_RANDOM 0123 4567\n");
        shared.take().expect("it is there").finish().expect("there is room");
        let capture = std::fs::read(dir.join("client.pcapng")).expect("it was written");
        std::fs::remove_dir_all(&dir).expect("it is ours");
        assert!(capture.windows(18).any(|window| window == b"CLIENT_RANDOM 0123"), "the file has the key log");
    }
}
