//! A network as it was described: what each of its runs begins from.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crate::capture::RecorderConfig;
use crate::filter::Names;
use crate::journal::NodeId;
use crate::link::PipeConfig;
use crate::network::setup::{self, SIM_EPOCH_NS, Site, node_ids};
use crate::network::{Clock, NodeHandle, World};
use crate::packet::Medium;
use crate::stack::{StackKind, TcpConfig};

/// Octets of the longest packet of a node without a link.
const MTU: usize = 1500;

/// A network as it was described.
pub(super) struct Plan {
    pub(super) seed: u64,
    pub(super) name: Option<String>,
    pub(super) limit: Duration,
    pub(super) stack: StackKind,
    /// Where folders of captures are made; `None` for the usual place.
    pub(super) captures: Option<PathBuf>,
    pub(super) nodes: Vec<NamedNode>,
    pub(super) links: Vec<NamedLink>,
    pub(super) names: Names,
}

/// A node.
#[derive(Clone, Debug)]
pub(super) struct NamedNode {
    pub(super) name: String,
    pub(super) addresses: Vec<(IpAddr, u8)>,
    pub(super) tcp: TcpConfig,
}

impl NamedNode {
    /// The node of this place; all are neighbours, in 10.0.0.0/16 and in fd00::/64.
    pub(super) fn new(name: &str, place: usize) -> NamedNode {
        let [high, low] = u16::try_from(place + 1).unwrap_or(u16::MAX).to_be_bytes();
        let v6 = Ipv6Addr::new(0xfd00, 0, 0, 0, 0, 0, 0, u16::from_be_bytes([high, low]));
        let addresses = vec![(Ipv4Addr::new(10, 0, high, low).into(), 16), (v6.into(), 64)];
        NamedNode { name: name.to_owned(), addresses, tcp: TcpConfig::default() }
    }
}

/// One direction of a link.
pub(super) struct NamedLink {
    /// The places of the nodes that it leads from and to.
    pub(super) ends: [usize; 2],
    pub(super) pipe: PipeConfig,
    /// Whether nothing passes at present.
    pub(super) cut: Arc<AtomicBool>,
    pub(super) mtu: usize,
}

impl Plan {
    fn sites(&self) -> impl Iterator<Item = (&str, &[(IpAddr, u8)])> + Clone {
        self.nodes.iter().map(|node| (node.name.as_str(), node.addresses.as_slice()))
    }

    /// What is recorded of a run.
    pub(super) fn recorder(&self) -> RecorderConfig {
        let title = self.name.as_deref().map_or_else(String::new, |name| format!(" {name}"));
        let comment = format!("wireglass network{title}, {} stack, seed {}", self.stack, self.seed);
        RecorderConfig { comment, epoch_ns: SIM_EPOCH_NS, ..RecorderConfig::of_run(Medium::Ip, self.sites()) }
    }

    /// Builds the network, whole again whatever an earlier run has cut; returns its nodes in their order.
    pub(super) fn build(&self, world: &mut World, clock: &Clock) -> Vec<NodeHandle> {
        let handles: Vec<NodeHandle> = node_ids()
            .zip(&self.nodes)
            .enumerate()
            .map(|(place, (id, node))| {
                let leads_there = |link: &&NamedLink| link.ends.contains(&place);
                let mtu = self.links.iter().filter(leads_there).map(|link| link.mtu).min();
                let site = Site {
                    id,
                    name: &node.name,
                    medium: Medium::Ip,
                    addresses: &node.addresses,
                    gateways: &[],
                    mtu: mtu.unwrap_or(MTU),
                    tcp: &node.tcp,
                };
                world.add_stack(self.stack.make(&site.stack_config(self.seed), clock.now()))
            })
            .collect();
        for link in &self.links {
            link.cut.store(false, Ordering::Relaxed);
            let [from, to] = link.ends.map(|place| NodeId(u16::try_from(place).unwrap_or(u16::MAX)));
            let addresses: Vec<IpAddr> = self
                .nodes
                .get(link.ends[1])
                .map(|node| node.addresses.iter().map(|(address, _)| *address).collect())
                .unwrap_or_default();
            world.lay_way(from, (to, &addresses), setup::pipe(self.seed, link.pipe.clone(), 0));
        }
        handles
    }
}
