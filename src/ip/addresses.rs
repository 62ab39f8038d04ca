//! Which addresses are ours, which are everybody's, and where a packet goes first.
//!
//! Everything here is a question about addresses; nothing is sent and nothing is remembered but the joined groups and
//! the gateways that were silent. RFC 1122 §3.2.1.3 and §3.3.1, RFC 4291, RFC 6724 in the small.

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::limits::{AVOID_GATEWAY, GROUPS};
use crate::time::Instant;

/// Where a packet goes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Hop {
    /// Back to this host.
    Ourselves,
    /// To every host on the link.
    Everybody,
    /// To the members of this multicast group.
    Group(IpAddr),
    /// To this neighbour, which is the destination or a gateway.
    Neighbour(IpAddr),
    /// To whom only the router knows a way of which this is a port.
    Elsewhere,
}

/// The addresses of a host and the routes that follow from them.
#[derive(Clone, Debug)]
pub(super) struct Addresses {
    own: Vec<(IpAddr, u8)>,
    gateways: Vec<Gateway>,
    groups: BTreeSet<IpAddr>,
    /// The addresses of the router's other ports; `None` for a host that is no port of a router.
    others: Option<Vec<IpAddr>>,
}

#[derive(Clone, Copy, Debug)]
struct Gateway {
    address: IpAddr,
    /// Until when others are preferred.
    avoided: Instant,
}

impl Addresses {
    pub(super) fn new(own: Vec<(IpAddr, u8)>, gateways: &[IpAddr]) -> Addresses {
        let gateways = gateways.iter().map(|address| Gateway { address: *address, avoided: Instant::ZERO }).collect();
        Addresses { own, gateways, groups: BTreeSet::new(), others: None }
    }

    /// Makes this a port of a router, whose other ports have these addresses.
    pub(super) fn forward(&mut self, others: Vec<IpAddr>) {
        self.others = Some(others);
    }

    /// Its own addresses in the order in which they were given.
    pub(super) fn iter(&self) -> impl Iterator<Item = IpAddr> + '_ {
        self.own.iter().map(|(address, _)| *address)
    }

    /// Whether `address` was given to this host.
    pub(super) fn is_given(&self, address: IpAddr) -> bool {
        self.own.iter().any(|(own, _)| *own == address)
    }

    /// Whether packets to `address` stay in this host.
    pub(super) fn is_own(&self, address: IpAddr) -> bool {
        self.is_ours(address) || address.is_loopback()
    }

    /// Whether `address` was given to this host, or to another port of its router.
    pub(super) fn is_ours(&self, address: IpAddr) -> bool {
        self.is_given(address) || self.others.as_ref().is_some_and(|others| others.contains(&address))
    }

    /// Whether every host of a network is meant: 255.255.255.255, or all ones behind one of our prefixes (RFC 1122
    /// §3.2.1.3). All zeros there means nothing special, as in Linux since 5.14.
    pub(super) fn is_broadcast(&self, address: IpAddr) -> bool {
        let IpAddr::V4(address) = address else { return false };
        address.is_broadcast() || self.own.iter().any(|(own, prefix)| is_last_of(*own, *prefix, address))
    }

    /// Whether this host takes packets to the multicast group: all hosts, the groups that neighbour discovery needs
    /// (RFC 4291 §2.8), and those that were joined.
    pub(super) fn is_member(&self, group: IpAddr) -> bool {
        let always = match group {
            IpAddr::V4(group) => group == Ipv4Addr::new(224, 0, 0, 1),
            IpAddr::V6(group) => {
                [1, 2].contains(&group.segments()[0].wrapping_sub(0xff00))
                    && group.segments()[1..] == [0, 0, 0, 0, 0, 0, 1]
                    || self.iter().any(|own| matches!(own, IpAddr::V6(own) if solicited_node(own) == group))
            }
        };
        always || self.groups.contains(&group)
    }

    /// Joins a group; `false` when it is none, or too many were joined.
    pub(super) fn join(&mut self, group: IpAddr) -> bool {
        group.is_multicast() && (self.groups.contains(&group) || self.groups.len() < GROUPS) && {
            self.groups.insert(group);
            true
        }
    }

    /// Leaves a group.
    pub(super) fn leave(&mut self, group: IpAddr) {
        self.groups.remove(&group);
    }

    /// Whether a packet from the link cannot have this source: not one host's, or only seen inside a host, or our own
    /// (RFC 1122 §3.2.1.3, RFC 4291 §2.5.3 and §2.7).
    pub(super) fn is_impossible_source(&self, address: IpAddr) -> bool {
        address.is_multicast()
            || address.is_loopback()
            || address.is_unspecified()
            || is_reserved(address)
            || self.is_broadcast(address)
            || self.is_ours(address)
    }

    /// Whether `address` can be that of one host, to which one could connect.
    pub(super) fn is_one_host(&self, address: IpAddr) -> bool {
        !(address.is_multicast() || address.is_unspecified() || is_reserved(address) || self.is_broadcast(address))
    }

    /// Whether `address` is a neighbour's: behind one of our prefixes, or link-local.
    pub(super) fn is_on_link(&self, address: IpAddr) -> bool {
        is_link_local_v6(address) || self.own.iter().any(|(own, prefix)| common_bits(*own, address) >= Some(*prefix))
    }

    /// Where a packet to `destination` goes first; `None` when no route leads there.
    pub(super) fn next_hop(&self, destination: IpAddr, now: Instant) -> Option<Hop> {
        if self.is_own(destination) {
            Some(Hop::Ourselves)
        } else if destination.is_multicast() {
            Some(Hop::Group(destination))
        } else if self.is_broadcast(destination) {
            Some(Hop::Everybody)
        } else if self.is_on_link(destination) {
            Some(Hop::Neighbour(destination))
        } else if destination.is_unspecified() {
            None
        } else if self.others.is_some() {
            Some(Hop::Elsewhere)
        } else {
            self.gateway(destination, now).map(Hop::Neighbour)
        }
    }

    /// The first gateway of the family that has not been silent lately, else the first (RFC 1122 §3.3.1.3).
    fn gateway(&self, destination: IpAddr, now: Instant) -> Option<IpAddr> {
        let of_family = || self.gateways.iter().filter(|gateway| gateway.address.is_ipv4() == destination.is_ipv4());
        let speaks = of_family().find(|gateway| gateway.avoided <= now);
        speaks.or_else(|| of_family().next()).map(|gateway| gateway.address)
    }

    /// Prefers other gateways for a while, if `address` is one (RFC 1122 §3.3.1.4).
    pub(super) fn was_silent(&mut self, address: IpAddr, now: Instant) {
        if let Some(gateway) = self.gateways.iter_mut().find(|gateway| gateway.address == address) {
            gateway.avoided = now + AVOID_GATEWAY;
        }
    }

    /// The own address from which to speak to `destination` (RFC 6724 §5 in the small): itself if it is ours (rule 1), a
    /// scope that reaches as far and no farther than need be (rule 2), local to the site as the destination is or is not
    /// (rule 6), the prefix of the next hop (rule 5.5), the longest common prefix (rule 8), the first given. `None` when there is none of its family.
    pub(super) fn source_for(&self, destination: IpAddr, now: Instant) -> Option<IpAddr> {
        if self.is_own(destination) {
            return Some(destination);
        }
        let next = match self.next_hop(destination, now) {
            Some(Hop::Neighbour(next)) => next,
            Some(Hop::Ourselves | Hop::Everybody | Hop::Group(_) | Hop::Elsewhere) | None => destination,
        };
        let wanted = scope(destination);
        let candidates = self.own.iter().filter(|(own, _)| own.is_ipv4() == destination.is_ipv4());
        // Of equals `min_by_key` takes the first.
        let best = candidates.min_by_key(|(own, prefix)| {
            let scope = scope(*own);
            let (too_near, distance) = (scope < wanted, scope.abs_diff(wanted));
            let misses_next = common_bits(*own, next) < Some(*prefix);
            let in_common = common_bits(*own, destination).unwrap_or(0).min(*prefix);
            let other_label = is_unique_local(*own) != is_unique_local(destination);
            (too_near, distance, other_label, misses_next, u8::MAX - in_common)
        });
        best.map(|(own, _)| *own)
    }
}

/// Leading bits that two addresses of one family have in common; `None` across families.
fn common_bits(one: IpAddr, other: IpAddr) -> Option<u8> {
    match (one, other) {
        (IpAddr::V4(one), IpAddr::V4(other)) => Some((one.to_bits() ^ other.to_bits()).leading_zeros() as u8),
        (IpAddr::V6(one), IpAddr::V6(other)) => Some((one.to_bits() ^ other.to_bits()).leading_zeros() as u8),
        (IpAddr::V4(_), IpAddr::V6(_)) | (IpAddr::V6(_), IpAddr::V4(_)) => None,
    }
}

/// Whether `address` has only ones behind the prefix. Links of one or two hosts have no such address (RFC 3021).
fn is_last_of(own: IpAddr, prefix: u8, address: Ipv4Addr) -> bool {
    let host_bits = u32::MAX.checked_shr(u32::from(prefix)).unwrap_or(0);
    prefix <= 30 && common_bits(own, address.into()) >= Some(prefix) && address.to_bits() & host_bits == host_bits
}

fn is_link_local_v6(address: IpAddr) -> bool {
    matches!(address, IpAddr::V6(address) if address.is_unicast_link_local())
}

/// fc00::/7 (RFC 4193).
fn is_unique_local(address: IpAddr) -> bool {
    matches!(address, IpAddr::V6(address) if address.is_unique_local())
}

/// Class E, 240.0.0.0/4 with the limited broadcast (RFC 1112 §4), and 0.0.0.0/8 (RFC 1122 §3.2.1.3).
fn is_reserved(address: IpAddr) -> bool {
    matches!(address, IpAddr::V4(address) if address.octets()[0] >= 240 || address.octets()[0] == 0)
}

/// How far an address reaches, by the numbers of multicast scopes (RFC 6724 §3.1): 1 host, 2 link, 5 site, 14 world.
fn scope(address: IpAddr) -> u8 {
    match address {
        IpAddr::V4(address) if address.is_loopback() => 1,
        IpAddr::V4(address) if address.is_link_local() => 2,
        IpAddr::V4(_) => 14,
        IpAddr::V6(address) if address.is_multicast() => address.octets()[1] & 15,
        IpAddr::V6(address) if address.is_loopback() => 1,
        IpAddr::V6(address) if address.is_unicast_link_local() => 2,
        IpAddr::V6(_) => 14,
    }
}

/// The group in which the owner of `address` is asked for (RFC 4291 §2.7.1).
pub(super) fn solicited_node(address: Ipv6Addr) -> Ipv6Addr {
    let [.., a, b, c] = address.octets();
    Ipv6Addr::new(0xff02, 0, 0, 0, 0, 1, 0xff00 | u16::from(a), u16::from_be_bytes([b, c]))
}

/// The MAC address of a multicast group (RFC 1112 §6.4, RFC 2464 §7).
pub(super) fn group_mac(group: IpAddr) -> [u8; 6] {
    match group {
        IpAddr::V4(group) => {
            let [_, a, b, c] = group.octets();
            [0x01, 0x00, 0x5e, a & 0x7f, b, c]
        }
        IpAddr::V6(group) => {
            let [.., a, b, c, d] = group.octets();
            [0x33, 0x33, a, b, c, d]
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().expect("an address")
    }

    fn host() -> Addresses {
        let own = [("10.0.0.1", 24), ("192.168.7.9", 16), ("fe80::1", 64), ("fd00::1", 64), ("2001:db8::1", 64)];
        let gateways = [ip("10.0.0.254"), ip("192.168.0.1"), ip("fd00::fe")];
        Addresses::new(own.map(|(address, prefix)| (ip(address), prefix)).to_vec(), &gateways)
    }

    #[test]
    fn the_next_hop_follows_the_prefix_or_the_gateway() {
        let cases = [
            ("10.0.0.1", Some(Hop::Ourselves)),
            ("127.0.0.1", Some(Hop::Ourselves)),
            ("::1", Some(Hop::Ourselves)),
            ("10.0.0.7", Some(Hop::Neighbour(ip("10.0.0.7")))),
            ("192.168.200.1", Some(Hop::Neighbour(ip("192.168.200.1")))),
            ("8.8.8.8", Some(Hop::Neighbour(ip("10.0.0.254")))),
            ("fe80::77", Some(Hop::Neighbour(ip("fe80::77")))),
            ("2600::1", Some(Hop::Neighbour(ip("fd00::fe")))),
            ("10.0.0.255", Some(Hop::Everybody)),
            ("192.168.255.255", Some(Hop::Everybody)),
            ("255.255.255.255", Some(Hop::Everybody)),
            ("224.0.0.9", Some(Hop::Group(ip("224.0.0.9")))),
            ("ff02::9", Some(Hop::Group(ip("ff02::9")))),
            ("0.0.0.0", None),
            ("::", None),
        ];
        for (to, hop) in cases {
            assert_eq!(host().next_hop(ip(to), Instant::ZERO), hop, "{to}");
        }
        let alone = Addresses::new(vec![(ip("10.0.0.1"), 24)], &[]);
        assert_eq!(alone.next_hop(ip("10.0.1.1"), Instant::ZERO), None);
    }

    /// RFC 1122 §3.3.1.4: a dead gateway is noticed, and another is used.
    #[test]
    fn a_silent_gateway_is_avoided_for_a_while() {
        let mut host = host();
        host.was_silent(ip("10.0.0.254"), Instant::ZERO);
        let gateway = |host: &Addresses, now| host.next_hop(ip("8.8.8.8"), now);
        assert_eq!(gateway(&host, Instant::ZERO), Some(Hop::Neighbour(ip("192.168.0.1"))));
        assert_eq!(gateway(&host, Instant::ZERO + AVOID_GATEWAY), Some(Hop::Neighbour(ip("10.0.0.254"))));
        host.was_silent(ip("192.168.0.1"), Instant::ZERO);
        assert_eq!(gateway(&host, Instant::ZERO), Some(Hop::Neighbour(ip("10.0.0.254"))));
    }

    #[test]
    fn the_source_has_the_right_scope_and_the_nearest_prefix() {
        let cases = [
            ("10.0.0.9", Some("10.0.0.1")),
            ("192.168.1.1", Some("192.168.7.9")),
            ("8.8.8.8", Some("10.0.0.1")),
            ("10.0.0.255", Some("10.0.0.1")),
            ("192.168.7.9", Some("192.168.7.9")),
            ("127.0.0.1", Some("127.0.0.1")),
            ("fe80::2", Some("fe80::1")),
            ("ff02::1", Some("fe80::1")),
            ("fd00::7", Some("fd00::1")),
            ("2001:db8::7", Some("2001:db8::1")),
            // Farther than need be is better than too near.
            ("ff05::1", Some("2001:db8::1")),
            ("ff0e::1", Some("2001:db8::1")),
            ("2600::1", Some("2001:db8::1")),
        ];
        for (to, from) in cases {
            assert_eq!(host().source_for(ip(to), Instant::ZERO), from.map(ip), "{to}");
        }
        let only_v4 = Addresses::new(vec![(ip("10.0.0.1"), 24)], &[]);
        assert_eq!(only_v4.source_for(ip("fd00::1"), Instant::ZERO), None);
    }

    #[test]
    fn no_packet_from_the_link_has_an_impossible_source() {
        for bad in ["224.0.0.1", "255.255.255.255", "10.0.0.255", "127.0.0.1", "0.0.0.0", "0.1.2.3", "240.0.0.1"] {
            assert!(host().is_impossible_source(ip(bad)), "{bad}");
        }
        for bad in ["ff02::1", "::1", "::", "10.0.0.1", "fd00::1"] {
            assert!(host().is_impossible_source(ip(bad)), "{bad}");
        }
        for good in ["10.0.0.2", "10.0.1.255", "8.8.8.8", "fd00::2", "fe80::2"] {
            assert!(!host().is_impossible_source(ip(good)), "{good}");
        }
    }

    #[test]
    fn one_cannot_connect_to_many() {
        for (address, one) in [("10.0.0.2", true), ("127.0.0.1", true), ("10.0.0.255", false), ("224.0.0.1", false)] {
            assert_eq!(host().is_one_host(ip(address)), one, "{address}");
        }
    }

    #[test]
    fn links_of_two_hosts_have_no_broadcast_address() {
        let pair = Addresses::new(vec![(ip("10.0.0.0"), 31), (ip("10.1.0.1"), 32)], &[]);
        assert!(!pair.is_broadcast(ip("10.0.0.1")) && !pair.is_broadcast(ip("10.1.0.1")));
        let any = Addresses::new(vec![(ip("10.0.0.1"), 0)], &[]);
        assert!(any.is_broadcast(ip("255.255.255.255")) && !any.is_broadcast(ip("10.255.255.255")));
    }

    #[test]
    fn a_host_belongs_to_the_groups_it_must_and_to_those_it_joined() {
        let mut host = host();
        let member = |host: &Addresses, group| host.is_member(ip(group));
        for group in ["224.0.0.1", "ff02::1", "ff01::1", "ff02::1:ff00:1"] {
            assert!(member(&host, group), "{group}");
        }
        for group in ["224.0.0.2", "ff02::2", "ff02::1:ff00:2", "ff05::1"] {
            assert!(!member(&host, group), "{group}");
        }
        assert!(host.join(ip("224.0.0.251")) && member(&host, "224.0.0.251"));
        host.leave(ip("224.0.0.251"));
        assert!(!member(&host, "224.0.0.251") && !host.join(ip("10.0.0.2")));
        let joined = (0..200).filter(|last| host.join([239, 0, 0, *last].into())).count();
        assert_eq!(joined, GROUPS);
    }

    #[test]
    fn groups_have_addresses_on_ethernet() {
        assert_eq!(group_mac(ip("224.129.2.3")), [0x01, 0x00, 0x5e, 0x01, 2, 3]);
        let group = solicited_node("fd00::12:3456".parse().expect("an address"));
        assert_eq!(group.to_string(), "ff02::1:ff12:3456");
        assert_eq!(group_mac(group.into()), [0x33, 0x33, 0xff, 0x12, 0x34, 0x56]);
    }
}
