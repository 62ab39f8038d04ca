//! A live run: real kernels behind doors, the wall clock.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::kernel;
use super::steps::{self, Stage};
use super::{Finished, Mode, Options, RunError, Setting, mac_of, node_ids};
use crate::app::{Endpoint, Host, Resolver};
use crate::door::{Door, DoorKind};
use crate::host::{Holder, HolderConfig, LinuxNode, NodeSetup};
use crate::journal::NodeId;
use crate::lab::definition::{Definition, Node, NodeKind};
use crate::measure::Gauges;
use crate::network::{Clock, World, live};
use crate::packet::Medium;

/// Addresses of nodes get this bit, so that a kernel's end of an Ethernet link never shares the address of a stack's.
const KERNEL_MAC: u8 = 0x80;

/// How often kernels are asked about connections that are watched.
const LOOK_EVERY: Duration = Duration::from_millis(1);

/// Runs `lab`.
pub(super) fn run(lab: &Definition, options: &Options) -> Result<Finished, RunError> {
    let kernels = Kernels::boot(lab, options)?;
    let door = kernels.door_kind();
    if options.door.is_some() && door.is_none() {
        return Err(RunError::NoDoor(lab.id.clone()));
    }
    let note = kernels.nodes.iter().find_map(|(_, node, _)| node.door_note());
    let setting = Setting::new(lab, options, Mode::Live, door.map_or(Medium::Ip, DoorKind::medium));
    let epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let recorder = setting.recorder(u64::try_from(epoch.as_nanos()).unwrap_or(0))?;
    let resolver: Resolver = setting.addresses().collect();
    let Kernels { holder, nodes } = kernels;
    let setup = |clock: &Clock| {
        let mut world = World::new(clock.clone(), Box::new(recorder.clone()));
        let mut ports = Vec::new();
        let mut hosts = Vec::new();
        let mut kernels = nodes.into_iter().peekable();
        for (id, node) in node_ids().zip(&lab.nodes) {
            let addresses: Vec<_> = node.addresses.iter().map(|(address, _)| *address).collect();
            let endpoint = match kernels.next_if(|(kernel, _, _)| *kernel == id) {
                Some((_, linux, door)) => {
                    let linux = match options.gauges {
                        Some(_) => linux.with_congestion(&kernel::congestion(node.tcp.congestion)),
                        None => linux,
                    };
                    let outside = world.add_outside();
                    ports.push(live::Port { node: outside, door });
                    Endpoint::Linux(linux)
                }
                None => Endpoint::Stack(world.add_stack(setting.stack(id, node, clock.now()))),
            };
            let host = Host::new(endpoint, addresses, world.reporter(id));
            hosts.push(options.gauges.as_ref().map_or(host.clone(), |gauges| host.watched_by(gauges)));
        }
        setting.lay_links(&mut world);
        let stage = Stage { lab, mode: Mode::Live, hosts, resolver, seed: setting.seed };
        Ok::<_, RunError>((world, ports, watched(steps::play(stage), options.gauges.as_ref())))
    };
    // Whoever has pressed Ctrl-C does not want to wait for an orderly close.
    let patience = |outcome: &steps::Outcome| if outcome.interrupted { Duration::ZERO } else { live::QUIET_LIMIT };
    let (outcome, ended) = live::run(setup, patience)?;
    // Every process and interface of the run is gone before anybody reads its results.
    drop(holder);
    // A door that failed leaves what was seen until then, and that is judged like any other run.
    let outcome = outcome.unwrap_or_else(|error| steps::Outcome::broken_off(&error));
    let finished = setting.finish(&recorder, ended, outcome)?;
    Ok(Finished { note, door, ..finished })
}

/// Looks at every kernel connection that is watched until `programs` have ended.
async fn watched<T>(programs: impl Future<Output = T>, gauges: Option<&Gauges>) -> T {
    let Some(gauges) = gauges else { return programs.await };
    tokio::pin!(programs);
    let mut tick = tokio::time::interval(LOOK_EVERY);
    loop {
        tokio::select! {
            biased;
            output = &mut programs => return output,
            _ = tick.tick() => gauges.look(),
        }
    }
}

/// The namespaces of a run, and a way into each.
struct Kernels {
    /// `None` when the lab has no kernel node.
    holder: Option<Holder>,
    nodes: Vec<(NodeId, LinuxNode, Box<dyn Door>)>,
}

impl Kernels {
    fn boot(lab: &Definition, options: &Options) -> Result<Kernels, RunError> {
        let kernels: Vec<(NodeId, &Node)> =
            node_ids().zip(&lab.nodes).filter(|(_, node)| node.live == NodeKind::Linux).collect();
        if kernels.is_empty() {
            return Ok(Kernels { holder: None, nodes: Vec::new() });
        }
        let mut config = HolderConfig {
            hosts: lab
                .nodes
                .iter()
                .flat_map(|node| node.addresses.iter().map(|(address, _)| (*address, node.name.clone())))
                .collect(),
            ..HolderConfig::default()
        };
        if let Some(program) = &options.holder {
            config.program.clone_from(program);
        }
        let holder = Holder::start(config).map_err(RunError::of_holder)?;
        let mut door = options.door;
        let mut nodes = Vec::new();
        for (id, node) in kernels {
            let (linux, opened) = holder.add_node(setup(lab, id, node, door)).map_err(RunError::of_holder)?;
            // One medium for the whole network: what opened for the first opens for the rest.
            door = Some(linux.door_kind());
            nodes.push((id, linux, opened));
        }
        Ok(Kernels { holder: Some(holder), nodes })
    }

    fn door_kind(&self) -> Option<DoorKind> {
        self.nodes.first().map(|(_, node, _)| node.door_kind())
    }
}

fn setup(lab: &Definition, id: NodeId, node: &Node, door: Option<DoorKind>) -> NodeSetup {
    let mtu = lab.links.iter().find(|link| link.ends.contains(&id)).map_or(1500, |link| link.mtu);
    let mut mac = mac_of(id);
    mac[3] |= KERNEL_MAC;
    NodeSetup {
        door,
        kernel_addresses: node.addresses.clone(),
        mtu: u16::try_from(mtu).unwrap_or(u16::MAX),
        mac: Some(mac),
        sysctls: sysctls(node),
        ..NodeSetup::named(&node.name)
    }
}

/// What the node's `tcp` says, and then what it says to the kernel itself, which has the last word.
fn sysctls(node: &Node) -> Vec<(String, String)> {
    let of_tcp = kernel::sysctls(&node.tcp).into_iter().map(|(name, value)| (name.to_owned(), value.to_owned()));
    of_tcp.chain(node.sysctls.clone()).collect()
}
