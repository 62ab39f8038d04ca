//! A trial in virtual time.

use std::io;

use super::Trial;
use super::ledger::Ledger;
use super::outcome::Outcome;
use super::play::{ENDS, End, MOST_FLOWS, address, lay_pipes, make_stack, play};
use crate::app::{Endpoint, Host};
use crate::network::{World, sim};
use crate::stack::{Congestion, StackKind};

/// Why a trial could not be simulated.
#[derive(Debug, thiserror::Error)]
pub enum SimError {
    /// A kernel has no virtual time.
    #[error("a Linux kernel takes part, and it cannot be simulated; play the trial live")]
    Kernel,
    /// There are not so many addresses.
    #[error("a trial has at most {MOST_FLOWS} flows")]
    TooMany,
    /// A stack lacks a congestion control.
    #[error("{0} has no {1:?}, only none, Reno and CUBIC: give the flow one of these")]
    Congestion(StackKind, Congestion),
    /// A connection failed.
    #[error("the trial broke off: {0}")]
    Broken(#[from] io::Error),
}

/// Plays a trial in virtual time: the same figures on every machine.
///
/// # Errors
/// [`SimError`].
pub fn simulate(trial: &Trial) -> Result<Outcome, SimError> {
    if trial.has_kernels() {
        return Err(SimError::Kernel);
    }
    if trial.flows.len() > MOST_FLOWS {
        return Err(SimError::TooMany);
    }
    if let Some((kind, congestion)) = trial.impossible() {
        return Err(SimError::Congestion(kind, congestion));
    }
    let ledger = Ledger::default();
    let (played, ended) = sim::run(|clock| {
        let mut world = World::new(clock.clone(), Box::new(ledger.clone()));
        let mut hosts = Vec::new();
        for flow in 0..trial.flows.len() {
            let mut host = |end: End| {
                let stack = make_stack(trial, flow, end, clock.now())?;
                let node = world.add_stack(stack);
                let reporter = world.reporter(node.node());
                Some(Host::new(Endpoint::Stack(node), vec![address(flow, end)], reporter))
            };
            // There is no kernel among them.
            if let [Some(sender), Some(receiver)] = ENDS.map(&mut host) {
                hosts.push([sender, receiver]);
            }
        }
        lay_pipes(trial, &mut world);
        (world, play(trial, hosts, ledger.clone()))
    })?;
    played?;
    let counts = ledger.read();
    Ok(Outcome::of(trial, &counts, &[], ended))
}
