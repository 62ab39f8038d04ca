//! What a lab needs so that its hosts can meet, besides being well written: addresses that a host can have, and a way from
//! each client to its server.
//!
//! It is asked of the lab as it stands in the file. A break may take any of it away: that is what it may be there to show.

use std::net::{IpAddr, Ipv4Addr};

use toml::Spanned;

use crate::journal::NodeId;
use crate::stack::StackKind;

use super::Node;
use super::error::Fault;
use super::nodes::{Interface, NodeKind};
use super::overlay::Variant;
use super::raw::{RawLab, RawStep};
use super::routes::network;
use super::selections::{Scope, node_of};
use super::steps::place_of;
use super::topology::{interface_to, prefix};

/// Refuses addresses that no host has, and what the lab as it is cannot do.
pub(super) fn check(
    scope: &Scope<'_>,
    raw: &RawLab,
    segments: &[usize],
    variants: &[Variant<'_>],
) -> Result<(), Fault> {
    // Who lays other addresses over a lab has seen them in packets.
    if variants.iter().any(|variant| matches!(variant, Variant::Addresses(_))) {
        return Ok(());
    }
    for said in said_addresses(scope, raw)? {
        let Some((address, length)) = prefix(said.address.get_ref()) else { continue };
        check_address(said.address, address, length)?;
        if variants.is_empty() {
            check_neighbours(scope, &said, (address, length), segments)?;
        }
    }
    if variants.is_empty() {
        raw.step.iter().try_for_each(|step| check_step(scope, step.get_ref()))?;
        check_congestion(raw)?;
    }
    Ok(())
}

/// An address as the file has it, and whose it is.
struct Said<'r> {
    address: &'r Spanned<String>,
    node: NodeId,
    /// The place of the interface among the node's.
    interface: usize,
}

/// Every address that stands in the file, in its order.
fn said_addresses<'r>(scope: &Scope<'_>, raw: &'r RawLab) -> Result<Vec<Said<'r>>, Fault> {
    let mut said = Vec::new();
    for (name, host) in &raw.node {
        let node = scope.node(name)?;
        said.extend(host.addresses.iter().map(|address| Said { address, node, interface: 0 }));
    }
    for (name, router) in &raw.router {
        let node = scope.node(name)?;
        for (neighbour, addresses) in &router.addresses {
            let interface = interface_to(scope.nodes, node, neighbour)?;
            said.extend(addresses.iter().map(|address| Said { address, node, interface }));
        }
    }
    said.sort_by_key(|said| said.address.span().start);
    Ok(said)
}

/// RFC 1122 §3.2.1.3 and RFC 4291 §2.5: what is no address of one host.
fn check_address(written: &Spanned<String>, address: IpAddr, length: u8) -> Result<(), Fault> {
    let is_first = network(address, length) == address;
    let what = match address {
        _ if address.is_unspecified() => "means no address at all",
        _ if address.is_loopback() => "never leaves its host",
        _ if address.is_multicast() => "means a group of hosts",
        IpAddr::V4(v4) if length < 31 && is_first && !v4.is_unspecified() => "is that of the network itself",
        IpAddr::V4(v4) if length < 31 && is_last(v4, length) => "means everybody on the network",
        IpAddr::V4(_) | IpAddr::V6(_) => return Ok(()),
    };
    let example = if address.is_ipv4() { "10.0.0.1/24" } else { "fd00::1/64" };
    let message = format!("{address} {what} and cannot be a node's; take another, such as \"{example}\"");
    Err(Fault::new(written.span(), message))
}

/// Whether all bits behind the prefix are ones.
fn is_last(address: Ipv4Addr, length: u8) -> bool {
    let host_bits = u32::MAX.checked_shr(u32::from(length)).unwrap_or(0);
    address.to_bits() & host_bits == host_bits
}

/// An address whose prefix nobody on the segment shares reaches nobody.
fn check_neighbours(
    scope: &Scope<'_>,
    said: &Said<'_>,
    (address, length): (IpAddr, u8),
    segments: &[usize],
) -> Result<(), Fault> {
    let segment = |interface: &Interface| segments.get(interface.link).copied();
    let own = scope.nodes.get(usize::from(said.node.0)).and_then(|node| node.interfaces.get(said.interface));
    let all = (0..).map(NodeId).zip(scope.nodes);
    let here = all.flat_map(|(id, other)| other.interfaces.iter().enumerate().map(move |(at, each)| (id, at, each)));
    let others = here
        .filter(|(id, at, each)| (*id, *at) != (said.node, said.interface) && segment(each) == own.and_then(segment));
    let addresses: Vec<(IpAddr, u8)> = others
        .flat_map(|(_, _, each)| each.addresses.iter().copied())
        .filter(|(other, _)| other.is_ipv4() == address.is_ipv4())
        .collect();
    if addresses.is_empty() || addresses.iter().any(|(other, _)| network(*other, length) == network(address, length)) {
        return Ok(());
    }
    let theirs: Vec<String> = addresses.iter().map(|(other, length)| format!("{other}/{length}")).collect();
    let message = format!(
        "nobody on the segment has another address in {}/{length}, so nobody can be reached; its neighbours have {}: \
         take one beside them",
        network(address, length),
        theirs.join(", ")
    );
    Err(Fault::new(said.address.span(), message))
}

/// A step's program can reach its peer, and its command a kernel.
fn check_step(scope: &Scope<'_>, raw: &RawStep) -> Result<(), Fault> {
    let from = scope.host(&raw.on)?;
    let Some(node) = scope.nodes.get(usize::from(from.0)) else { return Ok(()) };
    if let Some(exec) = raw.exec.as_ref().filter(|_| !node.is_linux()) {
        let message = format!(
            "`exec` needs a kernel, and `{0}` is a stack; leave it out, or write `live = \"linux\"` in [node.{0}]",
            node.name
        );
        return Err(Fault::new(exec.span(), message));
    }
    for peer in raw.run.get_ref().peers() {
        let wrong = |message| Err(Fault::new(place_of(scope, &raw.run, peer), message));
        let Ok(to) = node_of(scope.nodes, &Spanned::new(0..0, peer.host.clone())) else { continue };
        if !meets(scope.nodes, from, to) {
            return wrong(format!(
                "no links lead from `{}` to `{}`; add a [[link]] between them, or between what they are linked with",
                node.name, peer.host
            ));
        }
        let Some(address) = scope.nodes.get(usize::from(to.0)).and_then(Node::address) else { continue };
        if !node.addresses().any(|(own, _)| own.is_ipv4() == address.is_ipv4()) {
            let family = if address.is_ipv4() { "IPv4" } else { "IPv6" };
            return wrong(format!(
                "`{}` is reached at {address}, and `{}` has no {family} address; give it one in its `addresses`",
                peer.host, node.name
            ));
        }
    }
    Ok(())
}

/// Whether links lead from one node to another, over routers and switches.
fn meets(nodes: &[Node], from: NodeId, to: NodeId) -> bool {
    let mut seen = vec![from];
    let mut next = 0;
    while let Some(here) = seen.get(next).copied() {
        next += 1;
        let Some(node) = nodes.get(usize::from(here.0)) else { continue };
        if here != from && matches!(node.kind, NodeKind::Host(_)) {
            continue;
        }
        for interface in &node.interfaces {
            if !seen.contains(&interface.peer) {
                seen.push(interface.peer);
            }
        }
    }
    seen.contains(&to)
}

/// A claim about a stack is none about a congestion control that it does not have.
fn check_congestion(raw: &RawLab) -> Result<(), Fault> {
    let Some(stacks) = &raw.stacks else { return Ok(()) };
    for stack in stacks.get_ref().iter().map(|stack| StackKind::from(*stack)) {
        for said in raw.node.values().filter_map(|node| node.tcp.congestion.as_ref()) {
            if !stack.has(*said.get_ref()) {
                let message = format!(
                    "{stack} has no {}, and `stacks` says that the claims hold on it; take {stack} out there, or take \
                     another `congestion`",
                    said.get_ref()
                );
                return Err(Fault::new(said.span(), message));
            }
        }
    }
    Ok(())
}
