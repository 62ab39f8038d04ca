//! Nodes: hosts, which programs run on, and what stands between them.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Duration;

use toml::Spanned;

use crate::app::Span;
use crate::journal::NodeId;
use crate::stack::TcpConfig;

use super::error::Fault;
use super::meaning::{check_name, in_file_order, is_name, unique};
use super::raw::{Named, RawLab};
use super::raw_network::{RawKind, RawNode, RawSwitch, RawSysctl};
use super::routers::Router;
use super::tcp::tcp;

/// A node.
#[derive(Clone, Debug)]
pub struct Node {
    /// Its name.
    pub name: String,
    /// What it is.
    pub kind: NodeKind,
    /// Where its links end, in the file's order. A host has one.
    pub interfaces: Vec<Interface>,
    /// Where it sends what is for nobody on its links, in the order in which they are asked: the longest prefix wins, then
    /// the first.
    pub routes: Vec<Route>,
}

/// What a node is.
#[derive(Clone, Debug)]
#[expect(clippy::large_enum_variant, reason = "most nodes are hosts, and a lab has a few dozen of them")]
pub enum NodeKind {
    /// Programs run on it.
    Host(Host),
    /// It passes IP packets on.
    Router(Router),
    /// It passes Ethernet frames on.
    Switch(Switch),
}

/// A host.
#[derive(Clone, Debug)]
pub struct Host {
    /// What it is made of in a live run; in a simulation every host is a [`Kernel::Ours`].
    pub live: Kernel,
    /// Other names that programs reach it by, such as `api.example.com`.
    pub names: Vec<String>,
    /// What its connections begin with, where it is a userspace stack.
    pub tcp: TcpConfig,
    /// Kernel settings of its namespace (`net.ipv4.tcp_sack` → `0`), where it is a kernel.
    pub sysctls: BTreeMap<String, String>,
    /// The router that it sends strangers' packets to, by name; `None` for the first on its link.
    pub gateway: Option<String>,
}

/// Whose TCP/IP a host has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kernel {
    /// A real kernel in a namespace of its own.
    Linux,
    /// A userspace stack.
    Ours,
}

/// A switch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Switch {
    /// How long it remembers behind which port an address is.
    pub age: Duration,
}

/// Where a link ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Interface {
    /// The place of the link among the lab's.
    pub link: usize,
    /// The node at the other end.
    pub peer: NodeId,
    /// Octets of the longest network packet.
    pub mtu: usize,
    /// Its addresses, each with its prefix length; none on a switch.
    pub addresses: Vec<(IpAddr, u8)>,
}

/// Where packets to a prefix go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Route {
    /// The destinations: an address and how many of its bits count.
    pub prefix: (IpAddr, u8),
    /// The place of the interface among the node's.
    pub interface: usize,
    /// The router that they go to.
    pub via: IpAddr,
}

/// How long a switch remembers, unless told otherwise (IEEE 802.1D §7.9.2).
const AGE: Duration = Duration::from_secs(300);

impl Node {
    /// Its addresses with their prefix lengths, interface by interface.
    pub fn addresses(&self) -> impl Iterator<Item = (IpAddr, u8)> + '_ {
        self.interfaces.iter().flat_map(|interface| interface.addresses.iter().copied())
    }

    /// Its first address.
    pub fn address(&self) -> Option<IpAddr> {
        self.addresses().next().map(|(address, _)| address)
    }

    /// Each of its names with the address that programs reach it by; none where it has no address.
    pub fn known_as(&self) -> impl Iterator<Item = (String, IpAddr)> + '_ {
        let others = self.host().into_iter().flat_map(|host| &host.names);
        let names = std::iter::once(&self.name).chain(others);
        names.filter_map(|name| Some((name.clone(), self.address()?)))
    }

    /// What it is as a host; `None` when it is none.
    pub fn host(&self) -> Option<&Host> {
        match &self.kind {
            NodeKind::Host(host) => Some(host),
            NodeKind::Router(_) | NodeKind::Switch(_) => None,
        }
    }

    /// As [`Node::host`], to change it.
    pub fn host_mut(&mut self) -> Option<&mut Host> {
        match &mut self.kind {
            NodeKind::Host(host) => Some(host),
            NodeKind::Router(_) | NodeKind::Switch(_) => None,
        }
    }

    /// Whether it is a host with a real kernel in a live run.
    pub fn is_linux(&self) -> bool {
        self.host().is_some_and(|host| host.live == Kernel::Linux)
    }

    /// Whether it is a switch.
    pub fn is_switch(&self) -> bool {
        matches!(self.kind, NodeKind::Switch(_))
    }

    /// Octets of the longest network packet on its first link.
    pub fn mtu(&self) -> usize {
        self.interfaces.first().map_or(1500, |interface| interface.mtu)
    }
}

/// Every node in the file's order, not yet linked. What a router lets pass is read later, when names have addresses.
pub(super) fn nodes(raw: &RawLab) -> Result<Vec<Node>, Fault> {
    if raw.node.is_empty() {
        return Err(Fault::new(0..0, "a lab has nodes; add a table `[node.client]` with `live = \"linux\"`"));
    }
    let mut kinds: Vec<(&Spanned<String>, NodeKind)> = Vec::new();
    for (name, node) in in_file_order(&raw.node) {
        kinds.push((name, NodeKind::Host(host(name, node)?)));
    }
    for (name, _) in in_file_order(&raw.router) {
        check_name("router", name)?;
        kinds.push((name, NodeKind::Router(Router::default())));
    }
    for (name, switch) in in_file_order(&raw.switch) {
        check_name("switch", name)?;
        kinds.push((name, NodeKind::Switch(meant(switch))));
    }
    let mut taken: Vec<&str> = Vec::new();
    for name in raw.node.values().flat_map(|node| &node.names) {
        unique("name", name.get_ref(), &name.span(), taken.iter().copied())?;
        taken.push(name.get_ref());
    }
    kinds.sort_by_key(|(name, _)| name.span().start);
    let mut nodes: Vec<Node> = Vec::new();
    for (name, kind) in kinds {
        unique("node", name.get_ref(), &name.span(), nodes.iter().map(|node| node.name.as_str()))?;
        nodes.push(Node { name: name.get_ref().clone(), kind, interfaces: Vec::new(), routes: Vec::new() });
    }
    Ok(nodes)
}

fn meant(raw: &RawSwitch) -> Switch {
    Switch { age: raw.age.map_or(AGE, Span::duration) }
}

fn host(name: &Spanned<String>, raw: &RawNode) -> Result<Host, Fault> {
    check_name("node", name)?;
    if let Some(sim) = raw.sim.as_ref().filter(|sim| *sim.get_ref() == RawKind::Linux) {
        return Err(Fault::new(sim.span(), "there is no kernel in a simulation; expected `sim = \"stack\"`"));
    }
    let live = match raw.live {
        RawKind::Linux => Kernel::Linux,
        RawKind::Stack => Kernel::Ours,
    };
    let gateway = raw.gateway.as_ref().map(|gateway| gateway.get_ref().clone());
    let names = raw.names.iter().map(other_name).collect::<Result<_, Fault>>()?;
    Ok(Host { live, names, tcp: tcp(&raw.tcp)?, sysctls: sysctls(&raw.sysctl)?, gateway })
}

/// A name as hosts have them (RFC 1123 §2.1), with a dot, so that it is no node's.
fn other_name(name: &Spanned<String>) -> Result<String, Fault> {
    let text = name.get_ref();
    let is_label = |label: &str| {
        (1..=63).contains(&label.len()) && !label.starts_with('-') && !label.ends_with('-') && is_name(label)
    };
    if text.len() <= 253 && text.contains('.') && text.split('.').all(is_label) {
        return Ok(text.clone());
    }
    let message = format!("expected another name of the host such as `api.example.com`; found `{text}`");
    Err(Fault::new(name.span(), message))
}

/// Only a network namespace's own settings: a lab must not reach the rest of the machine.
fn sysctls(raw: &Named<RawSysctl>) -> Result<BTreeMap<String, String>, Fault> {
    for name in raw.keys() {
        let text = name.get_ref();
        if !text.starts_with("net.") || text.contains("..") || text.contains('/') {
            let message = format!("expected a setting of the network such as `net.ipv4.tcp_sack`; found `{text}`");
            return Err(Fault::new(name.span(), message));
        }
    }
    Ok(raw.iter().map(|(name, value)| (name.get_ref().clone(), value.0.clone())).collect())
}
