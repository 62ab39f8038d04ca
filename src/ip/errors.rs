//! ICMP and ICMPv6 errors that this host sends, and when it must not (RFC 1122 §3.2.2, RFC 4443 §2.4).

use std::net::IpAddr;

use bytes::Bytes;
use smallvec::SmallVec;

use super::limits::{HOPS, IPV4_HEADER, IPV6_HEADER, LEAST_IPV6_MTU, LONGEST_IPV4_ERROR};
use super::quoted::Ends;
use super::receive::{Facts, is_link_group};
use super::{Arrival, Delivered, Host, Outgoing};
use crate::journal::{Reason, Why};
use crate::packet::dissect::{Network, link_header_length};
use crate::packet::{DeliveryError, Packet};
use crate::time::Instant;

/// Octets in front of the quotation.
const ICMP_HEADER: usize = 8;

/// What an error says: type, code, second word.
type Complaint = (u8, u8, [u8; 4]);

impl Host {
    /// Tells the sender of `arrival` that nobody took it: PORT UNREACHABLE and the like. Rate-limited; never about
    /// what was sent to many, and only about what a transport could not use.
    pub fn refuse(&mut self, now: Instant, arrival: &Arrival, error: DeliveryError) {
        match arrival {
            Arrival::Transport(delivered) => self.refuse_delivered(now, delivered, error),
            Arrival::Undelivered(_) | Arrival::EchoReply(_) => {}
        }
    }

    /// As [`Host::refuse`], for who has unpacked the arrival.
    pub fn refuse_delivered(&mut self, now: Instant, delivered: &Delivered, error: DeliveryError) {
        self.tell_time(now);
        let network = match &delivered.dissection.network {
            Some(Network::Ipv4(header)) => header.offset,
            Some(Network::Ipv6(header)) => header.offset,
            Some(Network::Arp(_)) | None => return,
        };
        let quoted = quotation(&delivered.packet, network);
        self.complain(
            (delivered.src, delivered.dst),
            &quoted,
            is_link_group(&delivered.packet),
            wire_form(error, delivered.src.is_ipv6()),
        );
    }

    /// Tells the sender of a packet under way that it could not be used.
    pub(super) fn tell(&mut self, facts: &Facts, packet: &Packet, error: DeliveryError) {
        if self.is_silent {
            return;
        }
        let quoted = quotation(packet, facts.network);
        let complaint = wire_form(error, facts.src.is_ipv6());
        self.complain((facts.src, facts.dst), &quoted, is_link_group(packet), complaint);
    }

    /// Tells the sender that octet `pointer` of its IPv6 packet is wrong (RFC 4443 §3.4).
    pub(super) fn tell_problem(
        &mut self,
        facts: &Facts,
        packet: &Packet,
        code: u8,
        pointer: usize,
        even_of_group: bool,
    ) {
        if self.is_silent {
            return;
        }
        let quoted = quotation(packet, facts.network);
        let complaint = (4, code, (pointer as u32).to_be_bytes());
        if even_of_group && !self.is_own(facts.dst) {
            self.write_error((facts.src, facts.dst), &quoted, complaint);
        } else {
            self.complain((facts.src, facts.dst), &quoted, is_link_group(packet), Some(complaint));
        }
    }

    /// Tells the sender of a first fragment that the others did not come.
    pub(super) fn tell_of_missing_fragments(&mut self, src: IpAddr, dst: IpAddr, first: &[u8]) {
        if self.is_silent {
            return;
        }
        let complaint = wire_form(DeliveryError::ReassemblyTimeExceeded, src.is_ipv6());
        self.complain((src, dst), first, false, complaint);
    }

    /// As [`Host::tell`], of a packet of which only this is known.
    pub(super) fn complain_of(
        &mut self,
        ends: (IpAddr, IpAddr),
        quoted: &[u8],
        link_group: bool,
        error: DeliveryError,
    ) {
        self.complain(ends, quoted, link_group, wire_form(error, ends.0.is_ipv6()));
    }

    fn complain(&mut self, ends: (IpAddr, IpAddr), quoted: &[u8], link_group: bool, complaint: Option<Complaint>) {
        let Some(complaint) = complaint else { return };
        let to_many = ends.1.is_multicast() || self.is_broadcast(ends.1) || link_group;
        if !to_many {
            self.write_error(ends, quoted, complaint);
        }
    }

    fn write_error(&mut self, (src, dst): (IpAddr, IpAddr), quoted: &[u8], (kind, code, rest): Complaint) {
        // Not about errors, not about later fragments, not to somebody who is not one host.
        let may_be_told = self.addresses.is_one_host(src) && Ends::of(quoted).is_none_or(|ends| !ends.is_icmp_error());
        if !may_be_told || !self.errors.take(self.now) {
            return;
        }
        let source = if self.is_own(dst) { Some(dst) } else { self.source_for(src) };
        let Some(source) = source else { return };
        let (protocol, longest) = match src {
            IpAddr::V4(_) => (1, LONGEST_IPV4_ERROR - IPV4_HEADER - ICMP_HEADER),
            IpAddr::V6(_) => (58, LEAST_IPV6_MTU - IPV6_HEADER - ICMP_HEADER),
        };
        let mut header = SmallVec::from_slice(&[kind, code, 0, 0]);
        header.extend_from_slice(&rest);
        let quoted = &quoted[..quoted.len().min(longest)];
        let error = Outgoing {
            src: source,
            dst: src,
            protocol,
            hops: HOPS,
            // RFC 1122 §3.2.2: errors travel with a type of service of zero.
            traffic_class: 0,
            dont_fragment: false,
            header,
            checksum_offset: Some(2),
            payload: SmallVec::from_iter([Bytes::copy_from_slice(quoted)]),
            gso_size: None,
            why: Why::over(Reason::IcmpError, src.is_ipv6()),
        };
        // Nobody is told that somebody could not be told.
        let _ = self.send(self.now, error);
    }
}

/// The packet from its network header on.
pub(super) fn quotation(packet: &Packet, network: usize) -> Bytes {
    let whole = packet.to_bytes();
    whole.slice(network.max(link_header_length(packet.medium())).min(whole.len())..)
}

/// How an error is written: type, code and second word (RFC 792, RFC 1122 §3.2.2.1, RFC 4443 §3); `None` when the family
/// has no such error.
fn wire_form(error: DeliveryError, v6: bool) -> Option<Complaint> {
    const NOTHING: [u8; 4] = [0; 4];
    Some(match (error, v6) {
        (DeliveryError::NetworkUnreachable, false) => (3, 0, NOTHING),
        (DeliveryError::NetworkUnreachable, true) => (1, 0, NOTHING),
        (DeliveryError::HostUnreachable, false) => (3, 1, NOTHING),
        (DeliveryError::HostUnreachable, true) => (1, 3, NOTHING),
        (DeliveryError::ProtocolUnreachable, false) => (3, 2, NOTHING),
        // The next header octet of the base header.
        (DeliveryError::ProtocolUnreachable, true) => (4, 1, 6_u32.to_be_bytes()),
        (DeliveryError::PortUnreachable, false) => (3, 3, NOTHING),
        (DeliveryError::PortUnreachable, true) => (1, 4, NOTHING),
        (DeliveryError::TooBig { mtu }, false) => {
            let [high, low] = u16::try_from(mtu).unwrap_or(u16::MAX).to_be_bytes();
            (3, 4, [0, 0, high, low])
        }
        (DeliveryError::TooBig { mtu }, true) => (2, 0, mtu.to_be_bytes()),
        (DeliveryError::SourceRouteFailed, false) => (3, 5, NOTHING),
        (DeliveryError::SourceRouteFailed, true) => return None,
        (DeliveryError::Prohibited, false) => (3, 13, NOTHING),
        (DeliveryError::Prohibited, true) => (1, 1, NOTHING),
        (DeliveryError::HopsExceeded, false) => (11, 0, NOTHING),
        (DeliveryError::HopsExceeded, true) => (3, 0, NOTHING),
        (DeliveryError::ReassemblyTimeExceeded, false) => (11, 1, NOTHING),
        (DeliveryError::ReassemblyTimeExceeded, true) => (3, 1, NOTHING),
        (DeliveryError::ParameterProblem { pointer }, false) => {
            (12, 0, [u8::try_from(pointer).unwrap_or(u8::MAX), 0, 0, 0])
        }
        (DeliveryError::ParameterProblem { pointer }, true) => (4, 0, pointer.to_be_bytes()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::packet::dissect::{Icmp, Transport};

    #[test]
    fn what_is_written_is_what_a_receiver_reads() {
        let errors = [
            DeliveryError::NetworkUnreachable,
            DeliveryError::HostUnreachable,
            DeliveryError::ProtocolUnreachable,
            DeliveryError::PortUnreachable,
            DeliveryError::TooBig { mtu: 1400 },
            DeliveryError::SourceRouteFailed,
            DeliveryError::Prohibited,
            DeliveryError::HopsExceeded,
            DeliveryError::ReassemblyTimeExceeded,
            DeliveryError::ParameterProblem { pointer: 40 },
        ];
        for error in errors {
            for v6 in [false, true] {
                let Some((kind, code, rest)) = wire_form(error, v6) else {
                    assert_eq!((error, v6), (DeliveryError::SourceRouteFailed, true));
                    continue;
                };
                let icmp = Icmp { offset: 0, kind, code, checksum: 0, rest };
                let message = if v6 { Transport::Icmpv6(icmp) } else { Transport::Icmpv4(icmp) };
                assert_eq!(DeliveryError::of(&message), Some(error));
            }
        }
    }
}
