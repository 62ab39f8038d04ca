//! Running a lab, live or in simulation.
//!
//! ```text
//!   definition ─► nodes ─► network ─┐
//!                 steps ─► programs ┴─► driver ─► recorder ─► evidence ─► verdicts
//! ```
//!
//! One lab file, two modes: which nodes are stacks and which are kernels is all that differs; links, steps and checks are
//! the same. What lives here: putting the parts together. What does not: showing results (`cli`), the parts themselves.

pub(super) mod evidence;
pub(super) mod kernel;
mod live;
pub(super) mod notes;
mod sim;
mod steps;
mod visit;

use std::net::IpAddr;
use std::path::PathBuf;

use serde::Serialize;

use super::definition::{Definition, Host, Kernel, Node, NodeKind};
use crate::app::ProgramError;
use crate::capture::{Describe, FileFormat, Record, Recorder, RecorderConfig, RecorderError, SharedRecorder};
use crate::check::{self, Verdict};
use crate::door::DoorKind;
use crate::forward::{self, Forwarder, PortId, SwitchConfig};
use crate::host::HolderError;
use crate::journal::NodeId;
use crate::measure::Gauges;
use crate::network::setup::{self, Site, mac_of, node_ids};
use crate::network::{End, World};
use crate::packet::Medium;
use crate::report::Storyteller;
use crate::rng::Rng;
use crate::stack::{Stack, StackKind};
use crate::time::Instant;

pub use steps::StepFailure;
pub use visit::{Visit, visit};

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
    /// A switch has nothing to switch without Ethernet.
    #[error("the lab {0} has a switch, and a TUN door carries no Ethernet; take `--door tap` or `--door veth`")]
    NeedsEthernet(String),
    /// There is nothing to visit.
    #[error("the lab {lab} has no node `{node}` to visit; {known}")]
    NoVisit {
        /// The lab's id.
        lab: String,
        /// What was asked for; empty for any.
        node: String,
        /// Which there are.
        known: String,
    },
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
        Wanted::Only(Mode::Live) => live::run(lab, options, None),
        Wanted::Either => match live::run(lab, options, None) {
            // What the machine does not allow is no reason not to learn; the reason is told.
            Err(RunError::NotLive(reason)) => sim::run(lab, options, Some(reason.to_string())),
            other => other,
        },
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
        let nodes: Vec<(&str, Vec<_>)> =
            self.lab.nodes.iter().map(|node| (node.name.as_str(), node.addresses().collect())).collect();
        let mut config =
            RecorderConfig::of_run(self.medium, nodes.iter().map(|(name, addresses)| (*name, addresses.as_slice())));
        for (vantage, node) in config.nodes.iter_mut().zip(&self.lab.nodes) {
            vantage.description = what_it_sees(node);
        }
        let names = config.names.clone();
        let recorder = Recorder::create(RecorderConfig {
            dir: self.options.out.clone(),
            format: self.options.format,
            epoch_ns,
            comment: self.comment(),
            describe: self.options.describe.map(|describe| Box::new(describe) as Describe),
            tell: Some(Box::new(move |_, began| Box::new(Storyteller::new(began, names.clone())))),
            owner: self.options.owner,
            ..config
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

    /// The userspace stack of a host.
    fn stack(&self, id: NodeId, node: &Node, host: &Host, now: Instant) -> Box<dyn Stack> {
        let addresses: Vec<_> = node.addresses().collect();
        let gateways: Vec<_> = node.routes.iter().map(|route| route.via).collect();
        let site = Site {
            id,
            name: &node.name,
            medium: self.medium,
            addresses: &addresses,
            gateways: &gateways,
            mtu: node.mtu(),
            tcp: &host.tcp,
        };
        self.options.stack.make(&site.stack_config(self.seed), now)
    }

    /// What passes packets on; `None` for a host.
    fn forwarder(&self, id: NodeId, node: &Node, now: Instant) -> Option<Box<dyn Forwarder>> {
        match &node.kind {
            NodeKind::Host(_) => None,
            NodeKind::Router(router) => {
                let config = router.config(node, self.medium, self.seed_of(node), |port| mac_of(id, port));
                Some(Box::new(forward::Router::new(config, now)))
            }
            NodeKind::Switch(switch) => {
                let ports = u16::try_from(node.interfaces.len()).unwrap_or(u16::MAX);
                Some(Box::new(forward::Switch::new(SwitchConfig { ports, age: switch.age })))
            }
        }
    }

    /// The seed of everything random in a node.
    fn seed_of(&self, node: &Node) -> u64 {
        Rng::derive(self.seed, &node.name).next_u64()
    }

    /// Lays every link of the lab.
    fn lay_links(&self, world: &mut World) {
        for (index, link) in self.lab.links.iter().enumerate() {
            let [a, b] = link.ends.map(|node| End { node, port: self.port(node, index) });
            for (direction, (from, to)) in [(a, b), (b, a)].into_iter().enumerate() {
                if let Some(config) = link.pipe(direction) {
                    world.lay_pipe(from, to, setup::pipe(self.seed, config, direction));
                }
            }
        }
    }

    /// At which port of a node a link ends.
    fn port(&self, node: NodeId, link: usize) -> PortId {
        let interfaces = self.lab.nodes.get(usize::from(node.0)).map_or(&[][..], |node| &node.interfaces);
        let port = interfaces.iter().position(|interface| interface.link == link).unwrap_or(0);
        PortId(u16::try_from(port).unwrap_or(u16::MAX))
    }

    /// Names and addresses for programs: each node by its first address.
    fn addresses(&self) -> impl Iterator<Item = (String, IpAddr)> + '_ {
        self.lab.nodes.iter().flat_map(Node::known_as)
    }

    /// Judges what was seen.
    fn judge(&self, recorder: &Recorder, ended: Instant) -> Vec<Verdict> {
        evidence::judge(self.lab, &evidence::evidence(self.lab, recorder, ended, self.mode))
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

/// The medium of a lab that nobody says otherwise of.
fn own_medium(lab: &Definition) -> Medium {
    if lab.nodes.iter().any(Node::is_switch) { Medium::Ethernet } else { Medium::Ip }
}

/// What is said of a node's capture inside it.
fn what_it_sees(node: &Node) -> String {
    let name = &node.name;
    match node.kind {
        NodeKind::Host(_) => format!("what the node {name} sent and received"),
        NodeKind::Router(_) => format!("what came to the router {name}, each packet once, and what it sent itself"),
        NodeKind::Switch(_) => format!("what came to the switch {name}, each frame once"),
    }
}
