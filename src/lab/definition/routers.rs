//! Routers: what they let pass, translate and tell.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use toml::Spanned;

use crate::app::Span;
use crate::filter::{Filter, Names, packet_predicate};
use crate::forward::{
    self, Filtering, Mapping, MssClamp, Nat, Policy, PortConfig, PortForward, PortId, RouterConfig, Verdict,
};
use crate::journal::NodeId;
use crate::packet::Medium;

use super::error::{Fault, unknown};
use super::meaning::{check_name, unique};
use super::nodes::Node;
use super::raw::RawLab;
use super::raw_network::{
    RawClamp, RawFiltering, RawForward, RawMapping, RawNat, RawRouter, RawRouterRule, RawVerdict,
};
use super::selections::{node_of, rule_filter};
use super::topology::interface_to;

/// A router.
#[derive(Clone, Debug)]
pub struct Router {
    /// Whether it tells senders what became of their packets; one that does not is a silent hop.
    pub icmp: bool,
    /// Its rules in the file's order; the first that matches decides.
    pub rules: Vec<RouterRule>,
    /// What becomes of a packet that no rule matches.
    pub otherwise: Verdict,
    /// Whether what belongs to an accepted connection passes without being asked about.
    pub stateful: bool,
    /// Translation of addresses.
    pub nat: Option<Nat>,
    /// To what the maximum segment size is lowered in SYNs that pass.
    pub mss_clamp: Option<MssClamp>,
}

/// A rule of a router.
#[derive(Clone, Debug)]
pub struct RouterRule {
    /// Its name.
    pub id: String,
    /// The place of the interface that a packet came in by; `None` for any.
    pub from: Option<usize>,
    /// The place of the interface that it goes out by; `None` for any.
    pub to: Option<usize>,
    /// Which packets it means.
    pub when: Filter,
    /// What becomes of them.
    pub verdict: Verdict,
}

/// How long a mapping lives that nothing uses, unless the file says otherwise (RFC 4787 §4.3).
const NAT_IDLE: Duration = Duration::from_secs(300);

/// One that lets everything pass.
impl Default for Router {
    fn default() -> Router {
        Router {
            icmp: true,
            rules: Vec::new(),
            otherwise: Verdict::Accept,
            stateful: false,
            nat: None,
            mss_clamp: None,
        }
    }
}

impl Router {
    /// The router as the room of forwarders wants it. `node` is the node that it is; `mac_of` gives the Ethernet address of
    /// each of its interfaces.
    pub fn config(&self, node: &Node, medium: Medium, seed: u64, mac_of: impl Fn(usize) -> [u8; 6]) -> RouterConfig {
        let ports = node.interfaces.iter().enumerate().map(|(index, interface)| PortConfig {
            name: format!("{}-{index}", node.name),
            mac: mac_of(index),
            addresses: interface.addresses.clone(),
            mtu: interface.mtu,
        });
        let routes = node.routes.iter().map(|route| forward::Route {
            prefix: route.prefix,
            port: port(route.interface),
            via: Some(route.via),
        });
        let rules = self.rules.iter().map(|rule| forward::Rule {
            id: rule.id.clone(),
            from: rule.from.map(port),
            to: rule.to.map(port),
            when: packet_predicate(rule.when.clone()),
            verdict: rule.verdict,
        });
        RouterConfig {
            routes: routes.collect(),
            icmp_errors: self.icmp,
            policy: Policy { rules: rules.collect(), otherwise: self.otherwise, stateful: self.stateful },
            nat: self.nat.clone(),
            mss_clamp: self.mss_clamp,
            seed,
            ..RouterConfig::new(medium, ports.collect())
        }
    }
}

fn port(interface: usize) -> PortId {
    PortId(u16::try_from(interface).unwrap_or(u16::MAX))
}

/// What every router does; `rules` are the names of rules that are taken, with those of the routers added.
pub(super) fn routers(
    text: &str,
    raw: &RawLab,
    nodes: &mut [Node],
    names: &Names,
) -> Result<Vec<(String, NodeId)>, Fault> {
    let mut taken: Vec<(String, NodeId)> = Vec::new();
    for (name, raw) in &raw.router {
        let id = node_of(nodes, name)?;
        for rule in &raw.rule {
            check_name("rule", &rule.id)?;
            unique("rule", rule.id.get_ref(), &rule.id.span(), taken.iter().map(|(id, _)| id.as_str()))?;
            taken.push((rule.id.get_ref().clone(), id));
        }
        let router = router(text, raw, id, nodes, names)?;
        if let Some(node) = nodes.get_mut(usize::from(id.0)) {
            node.kind = super::nodes::NodeKind::Router(router);
        }
    }
    Ok(taken)
}

fn router(text: &str, raw: &RawRouter, id: NodeId, nodes: &[Node], names: &Names) -> Result<Router, Fault> {
    let default = Router::default();
    let rules = raw.rule.iter().map(|raw| rule(text, raw, id, nodes, names)).collect::<Result<_, _>>()?;
    let clamp = |raw: &Spanned<RawClamp>| match *raw.get_ref() {
        RawClamp::ToMtu => Ok(MssClamp::ToMtu),
        RawClamp::To(0) => Err(Fault::new(raw.span(), "`mss_clamp` is at least 1 octet, or \"mtu\"")),
        RawClamp::To(octets) => Ok(MssClamp::To(octets)),
    };
    Ok(Router {
        icmp: raw.icmp.unwrap_or(default.icmp),
        rules,
        otherwise: raw.otherwise.map_or(default.otherwise, verdict),
        stateful: raw.stateful,
        nat: raw.nat.as_ref().map(|raw| nat(raw, id, nodes)).transpose()?,
        mss_clamp: raw.mss_clamp.as_ref().map(clamp).transpose()?,
    })
}

fn rule(text: &str, raw: &RawRouterRule, id: NodeId, nodes: &[Node], names: &Names) -> Result<RouterRule, Fault> {
    let interface =
        |name: &Option<Spanned<String>>| name.as_ref().map(|name| interface_to(nodes, id, name)).transpose();
    let when = rule_filter(text, &raw.when, "a router", names)?;
    Ok(RouterRule {
        id: raw.id.get_ref().clone(),
        from: interface(&raw.from)?,
        to: interface(&raw.to)?,
        when,
        verdict: verdict(raw.verdict),
    })
}

fn verdict(raw: RawVerdict) -> Verdict {
    match raw {
        RawVerdict::Accept => Verdict::Accept,
        RawVerdict::Drop => Verdict::Drop,
        RawVerdict::Reject => Verdict::Reject(forward::Rejection::Reset),
        RawVerdict::Prohibit => Verdict::Reject(forward::Rejection::Prohibited),
    }
}

fn nat(raw: &RawNat, id: NodeId, nodes: &[Node]) -> Result<Nat, Fault> {
    let outside = interface_to(nodes, id, &raw.outside)?;
    Ok(Nat {
        outside: port(outside),
        mapping: match raw.mapping {
            RawMapping::EndpointIndependent => Mapping::EndpointIndependent,
            RawMapping::Symmetric => Mapping::Symmetric,
        },
        filtering: match raw.filtering {
            RawFiltering::EndpointIndependent => Filtering::EndpointIndependent,
            RawFiltering::AddressDependent => Filtering::AddressDependent,
            RawFiltering::AddressAndPortDependent => Filtering::AddressAndPortDependent,
        },
        idle: raw.idle.map_or(NAT_IDLE, Span::duration),
        forwards: raw.forward.iter().map(|raw| port_forward(raw, nodes)).collect::<Result<_, _>>()?,
    })
}

/// `{ protocol = "tcp", port = 8080, to = "server:80" }`
fn port_forward(raw: &RawForward, nodes: &[Node]) -> Result<PortForward, Fault> {
    let to = raw.to.get_ref();
    if *raw.port.get_ref() == 0 {
        return Err(Fault::new(raw.port.span(), "`port` is a whole number from 1 to 65535"));
    }
    let v4 = |node: &Node| node.addresses().map(|(address, _)| address).find(IpAddr::is_ipv4);
    let address = match nodes.iter().find(|node| node.name == to.host) {
        Some(node) => v4(node),
        None => to.host.parse().ok().filter(IpAddr::is_ipv4),
    };
    let address = address.ok_or_else(|| {
        let known: Vec<&str> =
            nodes.iter().filter(|node| node.host().is_some()).map(|node| node.name.as_str()).collect();
        Fault::new(raw.to.span(), unknown("IPv4 host", &to.host, "the lab has", &known))
    })?;
    Ok(PortForward { protocol: raw.protocol, port: *raw.port.get_ref(), to: SocketAddr::new(address, to.port) })
}
