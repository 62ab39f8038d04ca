//! How wide the paths are: what one transport has learnt of a destination, the network layer remembers for all of them
//! (RFC 1191 §6.2, RFC 8201 §5.2).
//!
//! ```text
//!   ICMP "too big" ─► ip ─► is it believed?  tcp: by what is in flight   ─► ip remembers ─► fragments of datagrams
//!                                            udp: by who has sent there                 └─► later connections
//! ```

use super::NativeStack;
use super::intake::UDP;
use crate::ip::{Undelivered, plateau_below};
use crate::packet::DeliveryError;
use crate::tcp::Ends;

impl NativeStack {
    /// A connection begins: its path may be known from others.
    pub(super) fn recall_path(&mut self, ends: &Ends) {
        let mtu = self.ip.path_mtu(ends.remote.ip());
        if mtu < self.ip.mtu() {
            self.tcp.path_takes(self.now, ends, mtu);
        }
    }

    /// What TCP has come to believe of its paths, the network layer remembers.
    pub(super) fn share_paths(&mut self) {
        while let Some((destination, mtu)) = self.tcp.narrow_path() {
            self.remember_path(destination, mtu);
        }
    }

    /// The report with the MTU that is meant: routers that say 0 are older than RFC 1191, and the next lower one in use is
    /// taken for theirs (§5). What is quoted was no longer than our own link takes.
    pub(super) fn with_plain_mtu(&self, report: &Undelivered) -> Undelivered {
        match report.error {
            DeliveryError::TooBig { mtu: 0 } if report.remote.is_ipv4() => {
                let length = report.length.min(self.ip.mtu());
                let mtu = u32::try_from(plateau_below(length)).unwrap_or(u32::MAX);
                Undelivered { error: DeliveryError::TooBig { mtu }, ..*report }
            }
            _ => *report,
        }
    }

    /// A datagram was too long for its path. Only over IPv6: routers cut those over IPv4. What is quoted must be ours to
    /// have sent, and longer than what it says the path takes (RFC 5927 §7.2); no IPv6 path takes less than 1280 octets.
    pub(super) fn datagram_was_too_long(&mut self, report: &Undelivered, mtu: u32) {
        const LEAST: usize = 1280;
        let (destination, mtu) = (report.remote.ip(), mtu as usize);
        let is_plausible = (LEAST..report.length).contains(&mtu) && report.length <= self.ip.path_mtu(destination);
        let is_ours = report.protocol == UDP && self.udp.may_have_sent(report.local, report.remote);
        if destination.is_ipv6() && is_plausible && is_ours {
            self.remember_path(destination, mtu);
        }
    }

    fn remember_path(&mut self, destination: std::net::IpAddr, mtu: usize) {
        let mtu = mtu.min(self.ip.path_mtu(destination));
        self.ip.set_path_mtu(self.now, destination, mtu);
    }
}
