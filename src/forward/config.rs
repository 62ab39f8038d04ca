//! What routers and switches are asked to be, as plain values.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use super::PortId;
use crate::journal::TransportKind;
use crate::packet::{Medium, Packet};

/// What a rule looks for. Injected, so that this room knows nothing of filters; the same type as the links'.
pub type Predicate = Arc<dyn Fn(&Packet) -> bool + Send + Sync>;

/// How a router is set up. What makes no sense (a route through a port that is not there) leads nowhere.
#[derive(Clone, Debug)]
pub struct RouterConfig {
    /// What its ports speak.
    pub medium: Medium,
    /// Its ports; [`PortId`] counts them.
    pub ports: Vec<PortConfig>,
    /// Its routes, beside the prefixes of its ports. The longest prefix wins, then the first.
    pub routes: Vec<Route>,
    /// Whether it tells senders what became of their packets; a router that does not is a silent hop.
    pub icmp_errors: bool,
    /// What may pass.
    pub policy: Policy,
    /// Translation of addresses; `None` for a router that leaves them as they are.
    pub nat: Option<Nat>,
    /// Whether TCP's maximum segment size is lowered in SYNs that pass.
    pub mss_clamp: Option<MssClamp>,
    /// Seeds identifications and port numbers.
    pub seed: u64,
}

impl RouterConfig {
    /// A router of these ports that lets everything pass, translates nothing, and tells of errors; change the fields from
    /// there.
    pub fn new(medium: Medium, ports: Vec<PortConfig>) -> RouterConfig {
        RouterConfig {
            medium,
            ports,
            routes: Vec::new(),
            icmp_errors: true,
            policy: Policy::default(),
            nat: None,
            mss_clamp: None,
            seed: 0,
        }
    }
}

/// One port of a router.
#[derive(Clone, Debug)]
pub struct PortConfig {
    /// Its name, for who reads the configuration: `lan`.
    pub name: String,
    /// Its MAC address; unused on [`Medium::Ip`].
    pub mac: [u8; 6],
    /// Its addresses, each with its prefix length in bits.
    pub addresses: Vec<(IpAddr, u8)>,
    /// Octets of the longest network packet that leaves through it.
    pub mtu: usize,
}

/// Where packets to a prefix go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Route {
    /// The destinations: an address and how many of its bits count. `(0.0.0.0, 0)` is everybody.
    pub prefix: (IpAddr, u8),
    /// Through which port.
    pub port: PortId,
    /// The next router; `None` when the destinations themselves are at the port's link.
    pub via: Option<IpAddr>,
}

/// What may pass: rules in order, of which the first that matches decides. Asked of packets that are passed on, not of
/// those for the router itself.
#[derive(Clone, Debug)]
pub struct Policy {
    /// The rules.
    pub rules: Vec<Rule>,
    /// What happens to a packet that no rule matches.
    pub otherwise: Verdict,
    /// Whether connections are tracked: rules are then asked about the first packet of a connection only, what belongs to
    /// one that was accepted passes, in both directions and with the ICMP errors about it, and what belongs to none
    /// though it should is dropped.
    pub stateful: bool,
}

/// Everything passes.
impl Default for Policy {
    fn default() -> Policy {
        Policy { rules: Vec::new(), otherwise: Verdict::Accept, stateful: false }
    }
}

/// One rule of a policy.
#[derive(Clone)]
pub struct Rule {
    /// Its name in the journal.
    pub id: String,
    /// The port that a packet came in through; `None` for any.
    pub from: Option<PortId>,
    /// The port that it goes out through; `None` for any.
    pub to: Option<PortId>,
    /// Which packets it means. It sees addresses as they are inside: before translation on the way out, after it on the
    /// way in.
    pub when: Predicate,
    /// What it does.
    pub verdict: Verdict,
}

/// Without the predicate, which has nothing to show.
impl fmt::Debug for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Rule { id, from, to, when: _, verdict } = self;
        let mut shown = f.debug_struct("Rule");
        shown.field("id", id).field("from", from).field("to", to).field("verdict", verdict).finish_non_exhaustive()
    }
}

/// What becomes of a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It passes.
    Accept,
    /// It is gone, and nobody is told.
    Drop,
    /// It is gone, and its sender is told. A silent router says so, too: it was asked to.
    Reject(Rejection),
}

/// What the sender of a rejected packet is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rejection {
    /// A reset for TCP, as if nobody listened (RFC 9293 §3.10.7.1); PORT UNREACHABLE for everything else.
    Reset,
    /// That it is forbidden: ICMP 3/13 (RFC 1812 §5.2.7.1), ICMPv6 1/1 (RFC 4443 §3.1).
    Prohibited,
}

/// Translation of IPv4 addresses and ports (RFC 4787, RFC 5382, RFC 5508): what leaves through one port leaves with that
/// port's address. IPv6 is passed on as it is.
#[derive(Clone, Debug)]
pub struct Nat {
    /// The port to the outside; all others are inside.
    pub outside: PortId,
    /// Whether one port outside serves all peers.
    pub mapping: Mapping,
    /// From whom packets are let in.
    pub filtering: Filtering,
    /// How long a mapping lives that nothing uses, for every protocol.
    pub idle: Duration,
    /// Ports outside that always lead to a host inside.
    pub forwards: Vec<PortForward>,
}

/// When a mapping is used again (RFC 4787 §4.1).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mapping {
    /// For everything that an inside address and port send, to whomever.
    #[default]
    EndpointIndependent,
    /// For one peer's address and port only: the "symmetric" NAT, which no hole can be punched into.
    Symmetric,
}

/// Whose packets a mapping lets in (RFC 4787 §5).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Filtering {
    /// Everybody's.
    EndpointIndependent,
    /// Those of addresses that were sent to.
    AddressDependent,
    /// Those of addresses and ports that were sent to.
    #[default]
    AddressAndPortDependent,
}

/// A port outside that always leads inside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PortForward {
    /// TCP or UDP.
    pub protocol: TransportKind,
    /// The port outside.
    pub port: u16,
    /// Where it leads: an IPv4 address and port inside.
    pub to: SocketAddr,
}

/// To what TCP's maximum segment size is lowered in SYNs that pass (RFC 9293 §3.7.1 says what it counts).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MssClamp {
    /// To what the narrower of the two ports takes, less the fixed headers.
    ToMtu,
    /// To so many octets.
    To(u16),
}

/// How a switch is set up: Ethernet, learning, without spanning tree, so that its links must form no loop.
#[derive(Clone, Debug)]
pub struct SwitchConfig {
    /// How many ports it has.
    pub ports: u16,
    /// How long an address is remembered that has not been heard (IEEE 802.1D: 300 s).
    pub age: Duration,
}
