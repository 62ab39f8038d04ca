//! Where packets go: the longest prefix that has the destination (RFC 1812 §5.2.4.3).

use std::net::IpAddr;

use super::super::{PortConfig, PortId, Route};

/// The routes of a router, the longest prefixes first.
#[derive(Debug)]
pub(super) struct Table {
    routes: Vec<Route>,
}

impl Table {
    /// The prefixes of the ports, and the routes that were given. What leads through a port that is not there is left out.
    pub(super) fn new(ports: &[PortConfig], given: &[Route]) -> Table {
        let connected = |(index, port): (usize, &PortConfig)| {
            let port_id = PortId(u16::try_from(index).unwrap_or(u16::MAX));
            port.addresses.iter().map(move |prefix| Route { prefix: *prefix, port: port_id, via: None }).collect()
        };
        let connected = ports.iter().enumerate().flat_map(|port| -> Vec<Route> { connected(port) });
        let mut routes: Vec<Route> = connected.chain(given.iter().copied()).collect();
        routes.retain(|route| usize::from(route.port.0) < ports.len());
        // Stable: of equally long prefixes the first wins, and the ports' own before those that were given.
        routes.sort_by_key(|route| std::cmp::Reverse(route.prefix.1));
        Table { routes }
    }

    /// The port and the neighbour on the way to `destination`; `None` when no route leads there.
    pub(super) fn find(&self, destination: IpAddr) -> Option<(PortId, IpAddr)> {
        let route = self.routes.iter().find(|route| has(route.prefix, destination))?;
        Some((route.port, route.via.unwrap_or(destination)))
    }
}

fn has((network, bits): (IpAddr, u8), address: IpAddr) -> bool {
    let in_common = match (network, address) {
        (IpAddr::V4(network), IpAddr::V4(address)) => (network.to_bits() ^ address.to_bits()).leading_zeros(),
        (IpAddr::V6(network), IpAddr::V6(address)) => (network.to_bits() ^ address.to_bits()).leading_zeros(),
        (IpAddr::V4(_), IpAddr::V6(_)) | (IpAddr::V6(_), IpAddr::V4(_)) => return false,
    };
    in_common >= u32::from(bits)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().expect("an address")
    }

    #[test]
    fn the_longest_prefix_wins_then_the_first() {
        let port = |addresses: &[(&str, u8)]| PortConfig {
            name: String::new(),
            mac: [2; 6],
            addresses: addresses.iter().map(|(address, bits)| (ip(address), *bits)).collect(),
            mtu: 1500,
        };
        let route = |prefix, bits, port, via: Option<&str>| Route {
            prefix: (ip(prefix), bits),
            port: PortId(port),
            via: via.map(ip),
        };
        let ports = [port(&[("10.0.0.1", 24), ("fd00::1", 64)]), port(&[("10.0.1.1", 24)])];
        let routes = [
            route("0.0.0.0", 0, 1, Some("10.0.1.2")),
            route("10.0.0.128", 25, 1, Some("10.0.1.3")),
            route("10.0.0.0", 24, 1, Some("10.0.1.4")),
            route("172.16.0.0", 12, 7, None),
        ];
        let table = Table::new(&ports, &routes);
        let cases = [
            ("10.0.0.9", Some((0, "10.0.0.9"))),
            ("10.0.0.129", Some((1, "10.0.1.3"))),
            ("10.0.1.77", Some((1, "10.0.1.77"))),
            ("8.8.8.8", Some((1, "10.0.1.2"))),
            ("172.16.0.1", Some((1, "10.0.1.2"))),
            ("fd00::2", Some((0, "fd00::2"))),
            ("fd01::2", None),
        ];
        for (to, expected) in cases {
            assert_eq!(table.find(ip(to)), expected.map(|(port, next)| (PortId(port), ip(next))), "{to}");
        }
    }
}
