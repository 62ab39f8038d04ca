//! What every run sets up alike, whoever asks for it: names, addresses of links, the seeds of stacks and pipes.

use std::net::IpAddr;

use crate::journal::NodeId;
use crate::link::{Pipe, PipeConfig};
use crate::packet::Medium;
use crate::rng::Rng;
use crate::stack::{Interface, StackConfig, TcpConfig};

/// When every simulated run begins: 2026-01-01 00:00:00 UTC, in nanoseconds since 1970. Captures must not depend on the day.
pub const SIM_EPOCH_NS: u64 = 1_767_225_600_000_000_000;

/// The names of a run's nodes, in their order.
pub fn node_ids() -> impl Iterator<Item = NodeId> {
    (0..=u16::MAX).map(NodeId)
}

/// A locally administered address, a different one for each port of each node. Bit 0x80 of its fourth octet is never set:
/// a kernel's end of a link takes it.
pub fn mac_of(id: NodeId, port: usize) -> [u8; 6] {
    let [high, low] = id.0.wrapping_add(1).to_be_bytes();
    let [port_high, port_low] = [port >> 7 & 0x7f, port & 0x7f].map(|octet| octet as u8);
    [0x02, 0x77, 0x67_u8.wrapping_add(port_high), port_low, high, low]
}

/// A node with a userspace stack, as it is described.
#[derive(Clone, Copy, Debug)]
pub struct Site<'a> {
    /// Which one.
    pub id: NodeId,
    /// Its name.
    pub name: &'a str,
    /// Bare IP, or Ethernet.
    pub medium: Medium,
    /// Its addresses, each with its prefix length in bits.
    pub addresses: &'a [(IpAddr, u8)],
    /// The routers that it sends strangers' packets to, the preferred first.
    pub gateways: &'a [IpAddr],
    /// Octets of the longest network packet on its link.
    pub mtu: usize,
    /// What its connections begin with.
    pub tcp: &'a TcpConfig,
}

impl Site<'_> {
    /// Its stack, in a run of this seed: each has a seed of its own, by its name.
    pub fn stack_config(&self, seed: u64) -> StackConfig {
        StackConfig {
            interface: Interface {
                medium: self.medium,
                mac: mac_of(self.id, 0),
                addresses: self.addresses.to_vec(),
                gateways: self.gateways.to_vec(),
                mtu: self.mtu,
            },
            seed: Rng::derive(seed, self.name).next_u64(),
            tcp: self.tcp.clone(),
        }
    }
}

/// One direction of a link, in a run of this seed: each draws chances of its own, by the link's name.
pub fn pipe(seed: u64, config: PipeConfig, direction: usize) -> Pipe {
    let rng = Rng::derive(seed, &format!("{}/{direction}", config.name));
    Pipe::new(config, rng)
}
