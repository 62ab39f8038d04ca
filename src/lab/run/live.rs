//! A live run: real kernels behind doors, the wall clock.

use std::net::IpAddr;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::kernel;
use super::steps::{self, Stage};
use super::visit::Visit;
use super::{Finished, Mode, Options, RunError, Setting, own_medium};
use crate::app::{self, Calendar, Endpoint, Host, Resolver};
use crate::door::{Door, DoorKind};
use crate::host::{self, Holder, HolderConfig, LinuxNode, NodeSetup};
use crate::journal::NodeId;
use crate::lab::definition::{self, Definition, Node, Route};
use crate::measure::Gauges;
use crate::network::setup::{mac_of, node_ids};
use crate::network::{Clock, World, live};
use crate::packet::Medium;

/// Addresses of nodes get this bit, so that a kernel's end of an Ethernet link never shares the address of a stack's.
const KERNEL_MAC: u8 = 0x80;

/// How often kernels are asked about connections that are watched.
const LOOK_EVERY: Duration = Duration::from_millis(1);

/// Runs `lab`; with a `visit`, its servers only, for as long as that lasts.
pub(super) fn run(lab: &Definition, options: &Options, visit: Option<&Visit>) -> Result<Finished, RunError> {
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
            let Some(host) = node.host() else {
                setting.forwarder(id, node, clock.now()).map(|forwarder| world.add_forwarder(forwarder));
                hosts.push(None);
                continue;
            };
            let addresses: Vec<_> = node.addresses().map(|(address, _)| address).collect();
            let endpoint = match kernels.next_if(|(kernel, _, _)| *kernel == id) {
                Some((_, linux, door)) => {
                    let linux = match options.gauges {
                        Some(_) => linux.with_congestion(&kernel::congestion(host.tcp.congestion)),
                        None => linux,
                    };
                    let outside = world.add_outside();
                    ports.push(live::Port { node: outside, door });
                    Endpoint::Linux(linux)
                }
                None => Endpoint::Stack(world.add_stack(setting.stack(id, node, host, clock.now()))),
            };
            let host = Host::new(endpoint, addresses, world.reporter(id))
                .in_run(app::Run { seed: setting.seed, calendar: Calendar::Wall });
            hosts.push(Some(options.gauges.as_ref().map_or(host.clone(), |gauges| host.watched_by(gauges))));
        }
        setting.lay_links(&mut world);
        let stage = Stage { lab, mode: Mode::Live, hosts, resolver, seed: setting.seed };
        let programs = async move {
            match visit {
                None => steps::play(stage).await,
                Some(visit) => visit.pay(stage).await,
            }
        };
        Ok::<_, RunError>((world, ports, watched(programs, options.gauges.as_ref())))
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
    match gauges {
        Some(gauges) => live::looking(LOOK_EVERY, || gauges.look(), programs).await,
        None => programs.await,
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
        let kernels: Vec<(NodeId, &Node)> = node_ids().zip(&lab.nodes).filter(|(_, node)| node.is_linux()).collect();
        if kernels.is_empty() {
            return Ok(Kernels { holder: None, nodes: Vec::new() });
        }
        let resolver = lab.resolver.and_then(|id| lab.nodes.get(usize::from(id.0))?.address());
        let named = lab.nodes.iter().filter(|_| resolver.is_none());
        let date = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let mut config = HolderConfig {
            // Names that stand in a file are never asked for, and a lab with a resolver is about asking.
            hosts: named.flat_map(hosts_lines).collect(),
            resolv_conf: resolver.map(|address| format!("nameserver {address}\n")),
            trusted: app::trusted(options.seed.unwrap_or(lab.seed), date),
            ..HolderConfig::default()
        };
        if let Some(program) = &options.holder {
            config.program.clone_from(program);
        }
        let holder = Holder::start(config).map_err(RunError::of_holder)?;
        // A switch wants Ethernet, which the first choice of doors does not carry.
        let ethernet = own_medium(lab) == Medium::Ethernet;
        if ethernet && options.door.is_some_and(|door| door.medium() == Medium::Ip) {
            return Err(RunError::NeedsEthernet(lab.id.clone()));
        }
        let mut door = options.door.or(ethernet.then_some(DoorKind::Tap));
        let mut nodes = Vec::new();
        for (id, node) in kernels {
            let (linux, opened) = holder.add_node(setup(id, node, door)).map_err(RunError::of_holder)?;
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

/// A node by all its addresses, and by its other names.
fn hosts_lines(node: &Node) -> Vec<(IpAddr, String)> {
    let others = node.host().map_or(&[][..], |host| &host.names);
    let names = || std::iter::once(&node.name).chain(others);
    node.addresses().flat_map(|(address, _)| names().map(move |name| (address, name.clone()))).collect()
}

fn setup(id: NodeId, node: &Node, door: Option<DoorKind>) -> NodeSetup {
    let mut mac = mac_of(id, 0);
    mac[3] |= KERNEL_MAC;
    let route =
        |route: &Route| host::Route { destination: route.prefix.0, prefix: route.prefix.1, via: Some(route.via) };
    NodeSetup {
        door,
        kernel_addresses: node.addresses().collect(),
        // A kernel has one default route for each family: the first.
        routes: first_of_each(&node.routes).map(route).collect(),
        mtu: u16::try_from(node.mtu()).unwrap_or(u16::MAX),
        mac: Some(mac),
        sysctls: node.host().map(sysctls).unwrap_or_default(),
        ..NodeSetup::named(&node.name)
    }
}

/// The first route to each prefix.
fn first_of_each(routes: &[Route]) -> impl Iterator<Item = &Route> {
    let is_first =
        |(index, route): &(usize, &Route)| !routes.iter().take(*index).any(|other| other.prefix == route.prefix);
    routes.iter().enumerate().filter(is_first).map(|(_, route)| route)
}

/// What the node's `tcp` says, and then what it says to the kernel itself, which has the last word.
fn sysctls(host: &definition::Host) -> Vec<(String, String)> {
    let of_tcp = kernel::sysctls(&host.tcp).into_iter().map(|(name, value)| (name.to_owned(), value.to_owned()));
    of_tcp.chain(host.sysctls.clone()).collect()
}
