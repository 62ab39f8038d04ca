//! Packets on their way in and out: what is refused and why, and the reason of what is sent.

use std::net::IpAddr;

use smoltcp::iface::{PollIngressSingleResult, PollResult};

use super::convert::smoltcp_instant;
use super::{SmoltcpStack, tcp_ends};
use crate::journal::{DropReason, Event, Reason, TcpState};
use crate::packet::dissect::{Network, Transport};
use crate::packet::{Dissection, Medium, Packet, checksum};
use crate::time::Instant;

impl SmoltcpStack {
    /// Hands one frame to smoltcp, and notes what became of it.
    pub(super) fn take_in(&mut self, now: Instant, packet: &Packet) {
        let frame = packet.to_bytes();
        let dissection = Dissection::of(self.medium, &frame, frame.len());
        if let Some(reason) = self.refusal(&dissection, &frame) {
            self.journal.push(Event::PacketDropped { packet: packet.id, reason });
            return;
        }
        let ends = tcp_ends(&dissection).map(|(src, dst)| (dst, src));
        if let Some(((local, remote), tcp)) = ends.zip(dissection.tcp())
            && let Some((id, stream)) = self.stream_between(local, remote)
        {
            let mut told = Vec::new();
            stream.observer.arrives(now, tcp, id, &mut told);
            self.journal.append(&mut told);
        }
        self.device.inbound.push_back(frame);
        while !matches!(
            self.interface.poll_ingress_single(smoltcp_instant(now), &mut self.device, &mut self.sockets),
            PollIngressSingleResult::None
        ) {}
        self.compare();
        // A connection request makes its connection only while it is taken in.
        if let Some(((local, remote), tcp)) = ends.zip(dissection.tcp())
            && tcp.flags.syn()
            && !tcp.flags.ack()
            && let Some((id, stream)) = self.stream_between(local, remote)
            && stream.state == TcpState::SynReceived
        {
            stream.observer.arrives(now, tcp, id, &mut Vec::new());
        }
    }

    /// Why a packet must not reach smoltcp; `None` when it may.
    fn refusal(&self, dissection: &Dissection, frame: &[u8]) -> Option<DropReason> {
        if let Some(ethernet) = &dissection.ethernet {
            let group = ethernet.dst[0] & 1 == 1;
            if !group && Some(ethernet.dst) != self.mac() {
                return Some(DropReason::NotForUs);
            }
        }
        if dissection.malformed.is_some() || dissection.network.is_none() {
            return Some(DropReason::Malformed);
        }
        if matches!(dissection.network, Some(Network::Arp(_))) {
            return None;
        }
        let (src, dst) = dissection.addresses()?;
        let verdict = checksum::verify(self.medium, frame);
        if !verdict.network {
            Some(DropReason::BadHeaderChecksum)
        } else if !verdict.transport {
            Some(DropReason::BadTransportChecksum)
        } else if src.is_multicast() || src == IpAddr::from([255; 4]) || src.is_unspecified() {
            Some(DropReason::InvalidSource)
        } else if !dst.is_multicast() && dst != IpAddr::from([255; 4]) && !self.has_address(dst) {
            Some(DropReason::NotForUs)
        } else {
            None
        }
    }

    fn mac(&self) -> Option<[u8; 6]> {
        match self.medium {
            Medium::Ip => None,
            Medium::Ethernet => match self.interface.hardware_addr() {
                smoltcp::wire::HardwareAddress::Ethernet(mac) => Some(mac.0),
                smoltcp::wire::HardwareAddress::Ip => None,
            },
        }
    }

    /// Lets smoltcp send all it wants to send at this moment.
    pub(super) fn poll_egress(&mut self, now: Instant) {
        if self.drained_at == Some(now) {
            return;
        }
        self.interface.poll_maintenance(smoltcp_instant(now));
        // A socket's state may change by sending (a time-out gives up), so look each time; the device never fills up.
        while self.interface.poll_egress(smoltcp_instant(now), &mut self.device, &mut self.sockets)
            == PollResult::SocketStateChanged
        {}
        self.compare();
        self.drained_at = Some(now);
    }

    /// The reason of a frame that smoltcp has sent.
    pub(super) fn reason_of(&mut self, now: Instant, dissection: &Dissection) -> Reason {
        match (&dissection.network, &dissection.transport) {
            (Some(Network::Arp(arp)), _) if arp.operation == 1 => Reason::AddressRequest,
            (Some(Network::Arp(_)), _) => Reason::AddressReply,
            (_, Some(Transport::Udp(_))) => Reason::Datagram,
            (_, Some(Transport::Icmpv4(icmp))) => match icmp.kind {
                0 => Reason::EchoReply,
                8 => Reason::EchoRequest,
                _ => Reason::IcmpError,
            },
            (_, Some(Transport::Icmpv6(icmp))) => match icmp.kind {
                1..=4 => Reason::IcmpError,
                128 => Reason::EchoRequest,
                129 => Reason::EchoReply,
                135 => Reason::AddressRequest,
                136 => Reason::AddressReply,
                _ => Reason::Housekeeping,
            },
            (_, Some(Transport::Tcp(tcp))) => {
                let Some((local, remote)) = tcp_ends(dissection) else { return Reason::Housekeeping };
                let mut told = Vec::new();
                let reason = match self.stream_between(local, remote) {
                    Some((id, stream)) => stream.observer.departs(now, tcp, stream.state, id, &mut told),
                    None => Reason::Reset,
                };
                self.journal.append(&mut told);
                reason
            }
            // A later fragment of a datagram.
            (_, None) => Reason::Datagram,
        }
    }
}
