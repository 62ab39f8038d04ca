//! A trial on the wall clock, with kernels in namespaces of their own. The bottleneck is the same userspace pipe.

use std::io;
use std::time::Duration;

use super::ledger::Ledger;
use super::outcome::Outcome;
use super::play::{ENDS, End, MOST_FLOWS, PREFIX, address, lay_pipes, make_stack, play, stack_at};
use super::{Sender, Trial};
use crate::app::{Endpoint, Host};
use crate::door::{Door, DoorKind};
use crate::host::{Holder, HolderConfig, HolderError, LinuxNode, NodeSetup};
use crate::measure::Gauges;
use crate::network::{World, live};
use crate::stack::{Congestion, StackKind};

/// How often kernels are asked about their connections.
const LOOK_EVERY: Duration = Duration::from_millis(1);

/// Why a trial could not be played live.
#[derive(Debug, thiserror::Error)]
pub enum LiveError {
    /// What this machine or this user lacks.
    #[error("a live trial is not possible here: {0}\n  `wireglass doctor` says what is missing")]
    NotLive(#[source] HolderError),
    /// There are not so many addresses.
    #[error("a trial has at most {MOST_FLOWS} flows")]
    TooMany,
    /// A stack lacks a congestion control.
    #[error("{0} has no {1:?}, only none, Reno and CUBIC: give the flow one of these")]
    Congestion(StackKind, Congestion),
    /// A connection failed, or the system underneath.
    #[error("the trial broke off: {0}")]
    Broken(#[from] io::Error),
}

/// The kernels of a trial: one node for each end of a flow that has one.
struct Kernels {
    /// Keeps the namespaces.
    holder: Holder,
    nodes: Vec<Kernel>,
}

/// One of them.
struct Kernel {
    flow: usize,
    end: End,
    node: LinuxNode,
    door: Box<dyn Door>,
}

impl Kernels {
    fn boot(trial: &Trial, config: HolderConfig) -> Result<Kernels, HolderError> {
        let holder = Holder::start(config)?;
        let mut nodes = Vec::new();
        for (flow, end) in all_ends(trial).filter(|(flow, end)| stack_at(trial, *flow, *end).is_none()) {
            let name = format!("{}-{flow}", if end == End::Sender { "sender" } else { "receiver" });
            let setup = NodeSetup {
                // Bare IP: on Ethernet a shared pipe would not know whom address resolution is for.
                door: Some(DoorKind::Tun),
                kernel_addresses: vec![(address(flow, end), PREFIX)],
                ..NodeSetup::named(&name)
            };
            let (node, door) = holder.add_node(setup)?;
            let node = match trial.flows.get(flow).map(|flow| &flow.sender) {
                Some(Sender::Linux(congestion)) if end == End::Sender => node.with_congestion(congestion),
                Some(Sender::Linux(_) | Sender::Stack(..)) | None => node,
            };
            nodes.push(Kernel { flow, end, node, door });
        }
        Ok(Kernels { holder, nodes })
    }
}

fn all_ends(trial: &Trial) -> impl Iterator<Item = (usize, End)> {
    (0..trial.flows.len()).flat_map(|flow| ENDS.map(|end| (flow, end)))
}

/// Plays a trial on the wall clock. `holder` says which program holds the namespaces; the default is this one, whose `main`
/// then begins with [`holder_entry`](crate::host::holder_entry).
///
/// # Errors
/// [`LiveError`]. Nothing is left behind in any case.
pub fn live(trial: &Trial, holder: HolderConfig) -> Result<Outcome, LiveError> {
    if trial.flows.len() > MOST_FLOWS {
        return Err(LiveError::TooMany);
    }
    if let Some((kind, congestion)) = trial.impossible() {
        return Err(LiveError::Congestion(kind, congestion));
    }
    let Kernels { holder, nodes } = Kernels::boot(trial, holder).map_err(LiveError::NotLive)?;
    let (ledger, gauges) = (Ledger::default(), Gauges::default());
    let setup = |clock: &crate::network::Clock| {
        let mut world = World::new(clock.clone(), Box::new(ledger.clone()));
        let (mut ports, mut ends) = (Vec::new(), Vec::new());
        let mut kernels = nodes.into_iter().peekable();
        for (flow, end) in all_ends(trial) {
            let (endpoint, node) = match make_stack(trial, flow, end, clock.now()) {
                Some(stack) => {
                    let handle = world.add_stack(stack);
                    let node = handle.node();
                    (Endpoint::Stack(handle), node)
                }
                None => {
                    let is_this = |kernel: &Kernel| (kernel.flow, kernel.end) == (flow, end);
                    let Kernel { node: linux, door, .. } = kernels.next_if(is_this).ok_or(io::ErrorKind::NotFound)?;
                    let node = world.add_outside();
                    ports.push(live::Port { node, door });
                    (Endpoint::Linux(linux), node)
                }
            };
            ends.push(Host::new(endpoint, vec![address(flow, end)], world.reporter(node)).watched_by(&gauges));
        }
        lay_pipes(trial, &mut world);
        let mut hosts = Vec::new();
        let mut ends = ends.into_iter();
        while let (Some(sender), Some(receiver)) = (ends.next(), ends.next()) {
            hosts.push([sender, receiver]);
        }
        Ok::<_, io::Error>((
            world,
            ports,
            live::looking(LOOK_EVERY, || gauges.look(), play(trial, hosts, ledger.clone())),
        ))
    };
    let (played, ended) = live::run(setup, |_| Duration::ZERO)?;
    // The namespaces go before anybody reads the figures.
    drop(holder);
    played??;
    let counts = ledger.read();
    Ok(Outcome::of(trial, &counts, &gauges.stories(), ended))
}
