//! Where packets go: the shortest way from router to router, unless the file says another.

use std::collections::VecDeque;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use toml::Spanned;

use crate::journal::NodeId;

use super::error::{Fault, unknown};
use super::nodes::{Interface, Node, NodeKind, Route};
use super::raw::RawLab;
use super::raw_network::RawRouter;
use super::selections::node_of;
use super::topology::prefix;

/// Finds the routes of every node; `segments` are those of the links.
pub(super) fn find(nodes: &mut [Node], raw: &RawLab, segments: &[usize]) -> Result<(), Fault> {
    let mut all = Vec::with_capacity(nodes.len());
    for (id, node) in (0..).map(NodeId).zip(&*nodes) {
        let map = Map { nodes, segments };
        all.push(match &node.kind {
            NodeKind::Switch(_) => Vec::new(),
            NodeKind::Host(host) => map.of_host(id, host.gateway.as_deref(), raw)?,
            NodeKind::Router(_) => {
                let said = raw.router.iter().find(|(name, _)| *name.get_ref() == node.name);
                let mut routes = said.map_or(Ok(Vec::new()), |(_, router)| map.said(id, router))?;
                routes.extend(map.shortest(id));
                routes
            }
        });
    }
    for (node, routes) in nodes.iter_mut().zip(all) {
        node.routes = routes;
    }
    Ok(())
}

/// What the way depends on.
struct Map<'n> {
    nodes: &'n [Node],
    segments: &'n [usize],
}

impl<'n> Map<'n> {
    fn interfaces(&self, node: NodeId) -> &'n [Interface] {
        self.nodes.get(usize::from(node.0)).map_or(&[], |node| &node.interfaces)
    }

    fn segment(&self, interface: &Interface) -> Option<usize> {
        self.segments.get(interface.link).copied()
    }

    /// Every router with an interface on the segment, in the file's order.
    fn routers_on(&self, segment: Option<usize>) -> impl Iterator<Item = (NodeId, &'n Interface)> {
        let routers = (0..).map(NodeId).zip(self.nodes).filter(|(_, node)| matches!(node.kind, NodeKind::Router(_)));
        routers.flat_map(move |(id, node)| {
            let here = node.interfaces.iter().filter(move |interface| self.segment(interface) == segment);
            here.map(move |interface| (id, interface))
        })
    }

    /// A host sends strangers' packets to the routers on its segment: first to the one that it names.
    fn of_host(&self, host: NodeId, gateway: Option<&str>, raw: &RawLab) -> Result<Vec<Route>, Fault> {
        let Some(own) = self.interfaces(host).first() else { return Ok(Vec::new()) };
        let mut routers: Vec<(NodeId, &Interface)> = self.routers_on(self.segment(own)).collect();
        let name = |id: NodeId| self.nodes.get(usize::from(id.0)).map_or("", |node| node.name.as_str());
        if let Some(gateway) = gateway {
            if !routers.iter().any(|(id, _)| name(*id) == gateway) {
                let known: Vec<&str> = routers.iter().map(|(id, _)| name(*id)).collect();
                let said = raw.node.values().filter_map(|node| node.gateway.as_ref());
                let span = said.into_iter().find(|said| said.get_ref() == gateway).map_or(0..0, Spanned::span);
                let message = unknown("gateway", gateway, "the routers on its segment are", &known);
                return Err(Fault::new(span, message));
            }
            routers.sort_by_key(|(id, _)| name(*id) != gateway);
        }
        let addresses = routers.iter().flat_map(|(_, interface)| &interface.addresses);
        Ok(addresses.map(|(via, _)| Route { prefix: everybody(via.is_ipv4()), interface: 0, via: *via }).collect())
    }

    /// What the file says: `routes = { "10.0.9.0/24" = "r2", default = "r3" }`.
    fn said(&self, router: NodeId, raw: &RawRouter) -> Result<Vec<Route>, Fault> {
        let mut routes = Vec::new();
        for (destination, via) in &raw.routes {
            let ways = self.ways_to(router, via)?;
            let of_family = |v4| ways.iter().find(|(_, address)| address.is_ipv4() == v4);
            let text = destination.get_ref().as_str();
            let prefixes = match (text, prefix(text)) {
                ("default", _) => vec![everybody(true), everybody(false)],
                (_, Some((address, length))) if network(address, length) != address => {
                    let whole = network(address, length);
                    let message = format!("`{text}` has bits behind its prefix; write `{whole}/{length}`");
                    return Err(Fault::new(destination.span(), message));
                }
                (_, Some(prefix)) if of_family(prefix.0.is_ipv4()).is_some() => vec![prefix],
                (_, Some(_)) => {
                    let message = format!("`{}` has no address of this family on the way", via.get_ref());
                    return Err(Fault::new(via.span(), message));
                }
                (_, None) => {
                    let message = format!("expected a prefix such as \"10.0.9.0/24\", or `default`; found `{text}`");
                    return Err(Fault::new(destination.span(), message));
                }
            };
            for (address, length) in prefixes {
                if let Some((interface, via)) = of_family(address.is_ipv4()) {
                    routes.push(Route { prefix: (network(address, length), length), interface: *interface, via: *via });
                }
            }
        }
        Ok(routes)
    }

    /// By which of `router`'s interfaces the node of this name is reached at once, and its addresses there.
    fn ways_to(&self, router: NodeId, name: &Spanned<String>) -> Result<Vec<(usize, IpAddr)>, Fault> {
        let target = node_of(self.nodes, name)?;
        let mut ways = Vec::new();
        for (index, own) in self.interfaces(router).iter().enumerate() {
            let theirs = self.interfaces(target).iter().filter(|theirs| self.segment(theirs) == self.segment(own));
            ways.extend(theirs.flat_map(|theirs| &theirs.addresses).map(|(address, _)| (index, *address)));
        }
        if ways.is_empty() || target == router {
            let message = format!("`{}` is on none of its segments; name a neighbour", name.get_ref());
            return Err(Fault::new(name.span(), message));
        }
        Ok(ways)
    }

    /// A route to each prefix that is not its own, by way of as few routers as possible; of equal ways the one through the
    /// earlier link, then through the router that stands earlier in the file.
    fn shortest(&self, router: NodeId) -> Vec<Route> {
        let mut routes: Vec<Route> = Vec::new();
        let mut known: Vec<(IpAddr, u8)> = networks(self.interfaces(router)).collect();
        let mut seen = vec![router];
        // Who is to be looked at, and the first step on the way there.
        let mut ahead: VecDeque<(NodeId, usize, &Interface)> = VecDeque::new();
        for (index, own) in self.interfaces(router).iter().enumerate() {
            ahead.extend(self.routers_on(self.segment(own)).map(|(next, theirs)| (next, index, theirs)));
        }
        while let Some((here, interface, first)) = ahead.pop_front() {
            if seen.contains(&here) {
                continue;
            }
            seen.push(here);
            for prefix in networks(self.interfaces(here)) {
                let via = first.addresses.iter().find(|(address, _)| address.is_ipv4() == prefix.0.is_ipv4());
                if let Some((via, _)) = via.filter(|_| !known.contains(&prefix)) {
                    known.push(prefix);
                    routes.push(Route { prefix, interface, via: *via });
                }
            }
            for next in self.interfaces(here) {
                ahead.extend(self.routers_on(self.segment(next)).map(|(next, _)| (next, interface, first)));
            }
        }
        routes
    }
}

/// The prefixes of the interfaces' addresses.
fn networks(interfaces: &[Interface]) -> impl Iterator<Item = (IpAddr, u8)> + '_ {
    let addresses = interfaces.iter().flat_map(|interface| &interface.addresses);
    addresses.map(|(address, prefix)| (network(*address, *prefix), *prefix))
}

/// The prefix that every address has.
const fn everybody(v4: bool) -> (IpAddr, u8) {
    (if v4 { IpAddr::V4(Ipv4Addr::UNSPECIFIED) } else { IpAddr::V6(Ipv6Addr::UNSPECIFIED) }, 0)
}

/// The address with zeros behind its first `prefix` bits.
pub(super) fn network(address: IpAddr, prefix: u8) -> IpAddr {
    match address {
        IpAddr::V4(address) => {
            let mask = u32::MAX.checked_shl(32 - u32::from(prefix.min(32))).unwrap_or(0);
            Ipv4Addr::from_bits(address.to_bits() & mask).into()
        }
        IpAddr::V6(address) => {
            let mask = u128::MAX.checked_shl(128 - u32::from(prefix.min(128))).unwrap_or(0);
            Ipv6Addr::from_bits(address.to_bits() & mask).into()
        }
    }
}
