//! Addresses and ports: which are free, which are ours, and whether there is a way from one to another.

use std::net::{IpAddr, SocketAddr};

use smoltcp::config::FRAGMENTATION_BUFFER_SIZE;

use super::convert::ip_address;
use super::{Entry, SmoltcpStack, clash};
use crate::stack::OpenError;

/// Octets of an IPv4 header without options (RFC 791), of an IPv6 header (RFC 8200), of a UDP header (RFC 768).
pub(super) const IPV4_HEADER: usize = 20;
const IPV6_HEADER: usize = 40;
pub(super) const UDP_HEADER: usize = 8;
/// Ephemeral ports begin here (RFC 6335 §6).
pub(super) const FIRST_EPHEMERAL: u16 = 49_152;

impl SmoltcpStack {
    pub(super) fn ephemeral_port(&mut self, local: IpAddr) -> Result<u16, OpenError> {
        let range = u64::from(u16::MAX - FIRST_EPHEMERAL) + 1;
        let first = self.rng.below(range);
        (0..range)
            .map(|step| FIRST_EPHEMERAL + ((first + step) % range) as u16)
            .find(|port| !self.is_taken(SocketAddr::new(local, *port)))
            .ok_or(OpenError::NoPorts)
    }

    pub(super) fn is_taken(&self, address: SocketAddr) -> bool {
        self.entries.values().any(|entry| match entry {
            Entry::Listener(listener) => clash(listener.local, address),
            Entry::Stream(stream) => stream.parent.is_none() && clash(stream.local, address),
            Entry::Udp(_) => false,
        })
    }

    pub(super) fn check_local(&self, local: SocketAddr) -> Result<(), OpenError> {
        if local.ip().is_unspecified() || self.has_address(local.ip()) {
            Ok(())
        } else {
            Err(OpenError::AddressNotAvailable(local.ip()))
        }
    }

    /// The own address from which a socket bound to `local` (or to any) can speak to `remote`; `None` when it cannot.
    ///
    /// smoltcp panics where this is `None`, or sends from an address that is not its own.
    pub(super) fn source_towards(&self, local: IpAddr, remote: SocketAddr) -> Option<IpAddr> {
        if remote.port() == 0 || remote.ip().is_unspecified() {
            return None;
        }
        if !local.is_unspecified() {
            return (local.is_ipv4() == remote.is_ipv4()).then_some(local);
        }
        let proposed = self.interface.get_source_address(&remote.ip().into()).map(ip_address);
        proposed.filter(|address| self.has_address(*address)).or_else(|| {
            let own = self.interface.ip_addrs().iter().map(|cidr| ip_address(cidr.address()));
            own.into_iter().find(|own| own.is_ipv4() == remote.is_ipv4() && !own.is_unspecified())
        })
    }

    /// Octets of the longest UDP payload: smoltcp cuts IPv4 datagrams into fragments in a buffer of its own, and cannot
    /// cut IPv6 datagrams.
    pub(super) fn longest_datagram(&self, remote: IpAddr) -> usize {
        match remote {
            IpAddr::V4(_) => FRAGMENTATION_BUFFER_SIZE.min(usize::from(u16::MAX)) - IPV4_HEADER - UDP_HEADER,
            IpAddr::V6(_) => self.mtu.saturating_sub(IPV6_HEADER + UDP_HEADER),
        }
    }
}
