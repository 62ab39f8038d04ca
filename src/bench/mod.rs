//! How well a stack's TCP uses a path: bulk flows through one bottleneck, in simulation or live.
//!
//! ```text
//!   sender 1 ──┐   rate, queue, delay,   ┌──► receiver 1
//!   sender 2 ──┼──► loss, reordering ────┼──► receiver 2      each a userspace stack or a Linux kernel
//!   sender n ──┘   (one pipe for all)    └──► receiver n
//!              ◄─────── delay only ───────
//! ```
//!
//! A [`Trial`] is a value: the same one can be [simulated](simulate()) in virtual time, where the same seed gives the same
//! figures on every machine, and, when kernels take part, played [`live()`]. Everything is counted in packets at both ends
//! of the bottleneck (`measure`), so that all stacks are measured alike. What does not live here: labs, and what a figure
//! ought to be (`tests/`).

mod ledger;
mod live;
mod outcome;
mod play;
mod sim;
#[cfg(test)]
mod tests;

use std::time::Duration;

use crate::link::{PipeConfig, QueueConfig, Rule};
use crate::rng::Probability;
use crate::stack::{Congestion, StackKind, TcpConfig};

pub use live::{LiveError, live};
pub use outcome::{FlowOutcome, Outcome};
pub use sim::{SimError, simulate};

/// Octets of the longest packet of a trial.
const MTU: usize = 1500;

/// The bottleneck, in the direction of the data; the way back has its delay and nothing else.
#[derive(Clone, Debug)]
pub struct Path {
    /// Bits per second.
    pub rate: u64,
    /// Propagation delay of one direction: half the round-trip time of an idle path.
    pub delay: Duration,
    /// Octets that may wait for the wire. The link counts packets, so it is as many full ones as fit; at least one.
    pub queue: usize,
    /// Odds of losing a packet.
    pub loss: Probability,
    /// Odds of holding a packet back until `reorder_by` others have passed.
    pub reorder: Probability,
    /// How many packets pass one that is held back.
    pub reorder_by: u32,
    /// Exact rules.
    pub rules: Vec<Rule>,
}

impl Path {
    /// A path without loss, whose queue holds as much as the path itself: one bandwidth-delay product.
    pub fn clean(rate: u64, round_trip: Duration) -> Path {
        let bits = u128::from(rate) * round_trip.as_nanos() / 1_000_000_000;
        Path {
            rate,
            delay: round_trip / 2,
            queue: usize::try_from(bits / 8).unwrap_or(usize::MAX),
            loss: Probability::NEVER,
            reorder: Probability::NEVER,
            reorder_by: 0,
            rules: Vec::new(),
        }
    }

    /// The pipes there and back.
    fn pipes(&self) -> [PipeConfig; 2] {
        let there = PipeConfig {
            delay: self.delay,
            rate: Some(self.rate),
            queue: QueueConfig::fifo((self.queue / MTU).max(1)),
            loss: self.loss,
            reorder: self.reorder,
            reorder_by: self.reorder_by,
            rules: self.rules.clone(),
            mtu: MTU,
            ..PipeConfig::clean("bottleneck")
        };
        [there, PipeConfig { delay: self.delay, mtu: MTU, ..PipeConfig::clean("way-back") }]
    }
}

/// Who sends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Sender {
    /// A userspace stack with this congestion control.
    Stack(StackKind, Congestion),
    /// The kernel, asked for the congestion control of this name.
    Linux(String),
}

/// Who receives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Receiver {
    /// A userspace stack.
    Stack(StackKind),
    /// The kernel.
    Linux,
}

/// One bulk transfer.
#[derive(Clone, Debug)]
pub struct Flow {
    /// Who sends.
    pub sender: Sender,
    /// Who receives.
    pub receiver: Receiver,
    /// When it begins, from the beginning of the trial.
    pub begins: Duration,
}

impl Flow {
    /// Between two stacks of this kind, from the beginning.
    pub fn of(stack: StackKind, congestion: Congestion) -> Flow {
        Flow { sender: Sender::Stack(stack, congestion), receiver: Receiver::Stack(stack), begins: Duration::ZERO }
    }
}

/// How much is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Load {
    /// As much as goes, until this long after the beginning of the trial; then every connection is broken off.
    For(Duration),
    /// So many octets by each flow; the trial is over when all of them have arrived.
    Octets(u64),
}

/// Flows, the path that they share, and what they send.
#[derive(Clone, Debug)]
pub struct Trial {
    /// The path.
    pub path: Path,
    /// The flows; at most 250.
    pub flows: Vec<Flow>,
    /// What they send.
    pub load: Load,
    /// Decides every chance.
    pub seed: u64,
    /// What the connections of userspace stacks begin with, but for the congestion control. Kernels keep their own settings.
    pub tcp: TcpConfig,
}

impl Trial {
    /// These flows, with buffers that never stand in the way of a window.
    pub fn of(path: Path, flows: Vec<Flow>, load: Load, seed: u64) -> Trial {
        const BUFFER: usize = 4 << 20;
        let tcp = TcpConfig { send_buffer: BUFFER, receive_buffer: BUFFER, ..TcpConfig::default() };
        Trial { path, flows, load, seed, tcp }
    }

    /// A flow whose stack does not have the congestion control that is wanted; its figures would be of another.
    fn impossible(&self) -> Option<(StackKind, Congestion)> {
        self.flows.iter().find_map(|flow| match flow.sender {
            Sender::Stack(kind, congestion) if !kind.has(congestion) => Some((kind, congestion)),
            Sender::Stack(..) | Sender::Linux(_) => None,
        })
    }

    /// Whether a kernel takes part.
    pub fn has_kernels(&self) -> bool {
        self.flows.iter().any(|flow| matches!(flow.sender, Sender::Linux(_)) || flow.receiver == Receiver::Linux)
    }
}
