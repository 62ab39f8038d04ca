//! Who is linked with whom, and which addresses that gives.
//!
//! A *segment* is what hosts and routers share without a router in between: a link, or all links of one switch, or of
//! several that are linked. Each has a prefix of its own.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};
use std::ops::Range;

use toml::Spanned;

use crate::journal::NodeId;

use super::error::{Fault, unknown};
use super::nodes::{Interface, Node};
use super::raw::RawLab;
use super::raw_network::RawLink;
use super::selections::node_of;

/// Addresses of the last octet that hosts of one segment can have.
const HOSTS: u8 = 254;

/// Gives every node the interfaces at which its links end; `mtus` are the links'. Returns both ends of each link.
pub(super) fn link_up(
    nodes: &mut [Node],
    links: &[Spanned<RawLink>],
    mtus: &[usize],
) -> Result<Vec<[NodeId; 2]>, Fault> {
    let mut all: Vec<[NodeId; 2]> = Vec::new();
    for (index, (link, mtu)) in links.iter().zip(mtus).enumerate() {
        let between = &link.get_ref().between;
        let [one, other] = between.get_ref().as_slice() else {
            return Err(Fault::new(between.span(), "`between` names two nodes, such as [\"client\", \"server\"]"));
        };
        let ends = [node_of(nodes, one)?, node_of(nodes, other)?];
        if ends[0] == ends[1] {
            let message = format!("`{}` cannot be linked with itself; name another node", one.get_ref());
            return Err(Fault::new(other.span(), message));
        }
        if all.iter().any(|known| *known == ends || [known[1], known[0]] == ends) {
            let message =
                format!("`{}` and `{}` are linked already; take one of the links out", one.get_ref(), other.get_ref());
            return Err(Fault::new(between.span(), message));
        }
        for (name, end, peer) in [(one, ends[0], ends[1]), (other, ends[1], ends[0])] {
            let Some(node) = nodes.get_mut(usize::from(end.0)) else { continue };
            if node.host().is_some() && !node.interfaces.is_empty() {
                let message = format!(
                    "host `{}` has a link already, and a host has one; put a [router.NAME] or a [switch.NAME] between",
                    name.get_ref()
                );
                return Err(Fault::new(name.span(), message));
            }
            node.interfaces.push(Interface { link: index, peer, mtu: *mtu, addresses: Vec::new() });
        }
        all.push(ends);
    }
    Ok(all)
}

/// Refuses a node that no link names, and switches whose links form a loop: there a frame for everybody never ends.
pub(super) fn check_links(nodes: &[Node], raw: &RawLab, ends: &[[NodeId; 2]]) -> Result<(), Fault> {
    if let Some(node) = nodes.iter().find(|node| node.interfaces.is_empty()) {
        let message = format!("node `{}` has no link; name it in the `between` of a [[link]]", node.name);
        return Err(Fault::new(place_of(raw, &node.name), message));
    }
    let is_switch = |id: &NodeId| nodes.get(usize::from(id.0)).is_some_and(Node::is_switch);
    // Each switch begins alone; a link between two that are together already closes a loop.
    let mut together: Vec<usize> = (0..nodes.len()).collect();
    for (link, ends) in raw.link.iter().zip(ends).filter(|(_, ends)| ends.iter().all(is_switch)) {
        let [one, other] = ends.map(|id| together.get(usize::from(id.0)).copied().unwrap_or_default());
        if one == other {
            let message = "switches linked in a loop pass a frame for everybody on for ever; take this link out";
            return Err(Fault::new(link.get_ref().between.span(), message));
        }
        together.iter_mut().filter(|group| **group == other).for_each(|group| *group = one);
    }
    Ok(())
}

/// Where a node's table begins.
fn place_of(raw: &RawLab, node: &str) -> Range<usize> {
    let names = raw.node.keys().chain(raw.router.keys()).chain(raw.switch.keys());
    names.into_iter().find(|name| name.get_ref() == node).map_or(0..0, Spanned::span)
}

/// The segment of each link, counted from 0 in the order of their first links.
pub(super) fn segments(nodes: &[Node], ends: &[[NodeId; 2]]) -> Vec<usize> {
    // Each link begins as a segment of its own, and a switch makes one of all its links: the smallest.
    let mut segments: Vec<usize> = (0..ends.len()).collect();
    loop {
        let mut changed = false;
        for switch in nodes.iter().filter(|node| node.is_switch()) {
            let links = || switch.interfaces.iter().map(|interface| interface.link);
            let least = links().filter_map(|link| segments.get(link).copied()).min().unwrap_or(0);
            for link in links() {
                if let Some(segment) = segments.get_mut(link).filter(|segment| **segment > least) {
                    *segment = least;
                    changed = true;
                }
            }
        }
        if !changed {
            break;
        }
    }
    let mut numbers = BTreeMap::new();
    for segment in &segments {
        let next = numbers.len();
        numbers.entry(*segment).or_insert(next);
    }
    segments.iter().filter_map(|segment| numbers.get(segment).copied()).collect()
}

/// Gives every interface its addresses: those that the file says, else 10.0.SEGMENT.HOST/24, hosts counted from 1 in the
/// order in which links name them.
pub(super) fn give_addresses(
    nodes: &mut [Node],
    raw: &RawLab,
    ends: &[[NodeId; 2]],
    segments: &[usize],
) -> Result<(), Fault> {
    say_addresses(nodes, raw)?;
    let mut used: BTreeMap<usize, u8> = BTreeMap::new();
    for ((link, ends), segment) in ends.iter().enumerate().zip(segments) {
        for end in ends {
            let Some(node) = nodes.get_mut(usize::from(end.0)).filter(|node| !node.is_switch()) else { continue };
            let Some(interface) = node.interfaces.iter_mut().find(|interface| interface.link == link) else { continue };
            let host = used.entry(*segment).or_insert(0);
            if *host == HOSTS {
                let message = format!("no more than {HOSTS} nodes have room on one segment; put a router in between");
                return Err(Fault::new(raw.link.get(link).map_or(0..0, Spanned::span), message));
            }
            *host += 1;
            if interface.addresses.is_empty() {
                let [high, low] = u16::try_from(*segment).unwrap_or(u16::MAX).to_be_bytes();
                interface.addresses.push((IpAddr::V4(Ipv4Addr::new(10, high, low, *host)), 24));
            }
        }
    }
    check_owners(nodes, raw)
}

/// The addresses that stand in the file.
fn say_addresses(nodes: &mut [Node], raw: &RawLab) -> Result<(), Fault> {
    for (name, host) in &raw.node {
        let addresses = host.addresses.iter().map(address).collect::<Result<Vec<_>, _>>()?;
        let id = node_of(nodes, name)?;
        let node = nodes.get_mut(usize::from(id.0));
        if let Some(interface) = node.and_then(|node| node.interfaces.first_mut()) {
            interface.addresses = addresses;
        }
    }
    for (name, router) in &raw.router {
        let id = node_of(nodes, name)?;
        for (neighbour, addresses) in &router.addresses {
            let addresses = addresses.iter().map(address).collect::<Result<Vec<_>, _>>()?;
            let interface = interface_to(nodes, id, neighbour)?;
            let node = nodes.get_mut(usize::from(id.0));
            if let Some(interface) = node.and_then(|node| node.interfaces.get_mut(interface)) {
                interface.addresses = addresses;
            }
        }
    }
    Ok(())
}

fn check_owners(nodes: &[Node], raw: &RawLab) -> Result<(), Fault> {
    let mut owners: BTreeMap<IpAddr, &str> = BTreeMap::new();
    for node in nodes {
        for (address, _) in node.addresses() {
            if let Some(owner) = owners.insert(address, &node.name) {
                let message = format!(
                    "node `{}` has the address {address}, which is `{owner}`'s; give one of them another",
                    node.name
                );
                return Err(Fault::new(place_of(raw, &node.name), message));
            }
        }
    }
    Ok(())
}

/// The interface of `node` whose link leads to the neighbour of this name.
pub(super) fn interface_to(nodes: &[Node], node: NodeId, neighbour: &Spanned<String>) -> Result<usize, Fault> {
    let named = |id: NodeId| nodes.get(usize::from(id.0)).map_or("", |node| node.name.as_str());
    let interfaces = nodes.get(usize::from(node.0)).map_or(&[][..], |node| &node.interfaces);
    let found = interfaces.iter().position(|interface| named(interface.peer) == neighbour.get_ref());
    found.ok_or_else(|| {
        let known: Vec<&str> = interfaces.iter().map(|interface| named(interface.peer)).collect();
        let has = format!("`{}` is linked with", named(node));
        Fault::new(neighbour.span(), unknown("neighbour", neighbour.get_ref(), &has, &known))
    })
}

fn address(text: &Spanned<String>) -> Result<(IpAddr, u8), Fault> {
    prefix(text.get_ref()).ok_or_else(|| {
        let found = text.get_ref();
        let message = format!("expected an address with its prefix such as \"10.0.0.1/24\"; found \"{found}\"");
        Fault::new(text.span(), message)
    })
}

/// `10.0.0.1/24`
pub(super) fn prefix(text: &str) -> Option<(IpAddr, u8)> {
    let (address, prefix) = text.split_once('/')?;
    let address: IpAddr = address.parse().ok()?;
    let longest = if address.is_ipv4() { 32 } else { 128 };
    let prefix = prefix.parse().ok().filter(|prefix| *prefix <= longest)?;
    Some((address, prefix))
}
