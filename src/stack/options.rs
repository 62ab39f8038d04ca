//! How a stack is set up.

use std::fmt;
use std::net::IpAddr;
use std::time::Duration;

use crate::packet::Medium;

/// The implementations of [`Stack`](super::Stack), as `--stack` names them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum StackKind {
    /// smoltcp 0.14 behind our trait.
    #[default]
    Smoltcp,
}

impl fmt::Display for StackKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
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
    pub tcp: TcpConfig,
}

/// What a connection begins with. A stack that cannot do one of these does what it can.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TcpConfig {
    /// Octets of the send buffer.
    pub send_buffer: usize,
    /// Octets of the receive buffer, and with it the largest window.
    pub receive_buffer: usize,
    /// Nagle's algorithm off from the start (RFC 9293 MUST-17).
    pub no_delay: bool,
    /// How long an acknowledgment may wait for data to ride on; `None` sends each at once (RFC 9293 MUST-40: below 0.5 s).
    pub delayed_ack: Option<Duration>,
    /// Give up when nothing is acknowledged for so long; `None` never (RFC 5482).
    pub user_timeout: Option<Duration>,
    /// Probe an idle connection this often; `None` never (RFC 9293 MUST-25).
    pub keep_alive: Option<Duration>,
    /// Congestion control.
    pub congestion: Congestion,
}

/// The congestion controls that a lab can ask for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Congestion {
    /// None: only the peer's window bounds the flight.
    None,
    /// Reno (RFC 5681).
    #[default]
    Reno,
    /// CUBIC (RFC 9438).
    Cubic,
}

impl Default for TcpConfig {
    fn default() -> TcpConfig {
        TcpConfig {
            send_buffer: 64 * 1024,
            receive_buffer: 64 * 1024,
            no_delay: false,
            delayed_ack: Some(Duration::from_millis(40)),
            user_timeout: None,
            keep_alive: None,
            congestion: Congestion::Reno,
        }
    }
}
