//! How a stack is set up.

use std::fmt;
use std::net::IpAddr;

use super::Stack;
use super::native::NativeStack;
use super::smoltcp::SmoltcpStack;
use crate::packet::Medium;
use crate::tcp;
use crate::time::Instant;

/// The implementations of [`Stack`], as `--stack` names them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum StackKind {
    /// Our own.
    #[default]
    Native,
    /// smoltcp 0.14 behind our trait.
    Smoltcp,
}

impl StackKind {
    /// A stack of this kind.
    pub fn make(self, config: &StackConfig, now: Instant) -> Box<dyn Stack> {
        match self {
            StackKind::Native => Box::new(NativeStack::new(config, now)),
            StackKind::Smoltcp => Box::new(SmoltcpStack::new(config, now)),
        }
    }

    /// Whether it has this congestion control. smoltcp has none, Reno and CUBIC, and takes Reno when it is asked for another.
    pub fn has(self, congestion: tcp::Congestion) -> bool {
        match (self, congestion) {
            (StackKind::Native, _) => true,
            (StackKind::Smoltcp, tcp::Congestion::None | tcp::Congestion::Reno | tcp::Congestion::Cubic) => true,
            (StackKind::Smoltcp, tcp::Congestion::Bbr | tcp::Congestion::Other(_)) => false,
        }
    }
}

impl fmt::Display for StackKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            StackKind::Native => "native",
            StackKind::Smoltcp => "smoltcp",
        })
    }
}

/// The one interface of a host.
#[derive(Clone, Debug)]
pub struct Interface {
    /// Bare IP, or Ethernet with address resolution.
    pub medium: Medium,
    /// Its MAC address; unused on [`Medium::Ip`].
    pub mac: [u8; 6],
    /// Its addresses, each with its prefix length in bits.
    pub addresses: Vec<(IpAddr, u8)>,
    /// Where packets for everybody else go.
    pub gateways: Vec<IpAddr>,
    /// Octets of the longest network packet.
    pub mtu: usize,
}

/// A whole stack.
#[derive(Clone, Debug)]
pub struct StackConfig {
    /// Its interface.
    pub interface: Interface,
    /// Seeds initial sequence numbers, ephemeral ports and identifications.
    pub seed: u64,
    /// What new connections begin with.
    pub tcp: tcp::Config,
}
