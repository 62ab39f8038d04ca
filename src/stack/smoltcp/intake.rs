//! Packets on their way in and out: what is refused and why, and the reason of what is sent.

use std::net::{IpAddr, SocketAddr};

use smoltcp::iface::{PollIngressSingleResult, PollResult, SocketSet};
use smoltcp::socket::tcp;

use super::convert::{self, smoltcp_instant};
use super::observe::{Departure, Effect, Glance, Moment};
use super::{Entry, Outgoing, SmoltcpStack, tcp_ends};
use crate::journal::{DropReason, Event, Reason, SocketId, TcpState, Why};
use crate::packet::dissect::{Network, Tcp, Transport, link_header_length};
use crate::packet::{Dissection, Medium, Packet, checksum};
use crate::stack::CloseReason;
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
        let segment = tcp_ends(&dissection).map(|(src, dst)| (dst, src)).zip(dissection.tcp());
        let before = segment.and_then(|(ends, _)| self.glance(ends));
        self.device.inbound.push_back(frame);
        while !matches!(
            self.interface.poll_ingress_single(smoltcp_instant(now), &mut self.device, &mut self.sockets),
            PollIngressSingleResult::None
        ) {}
        self.send_fragments(now);
        let touched = segment.and_then(|(ends, tcp)| self.segment_was_taken(now, ends, tcp, before));
        self.judge(now, Moment::Ingress);
        if let Some(id) = touched {
            if let Some(Entry::Stream(stream)) = self.entries.get_mut(&id) {
                stream.observer.answer_is_out();
            }
            self.compare_stream(id);
        }
    }

    /// What smoltcp shows of the connection between these ends.
    fn glance(&self, ends: (SocketAddr, SocketAddr)) -> Option<(SocketId, Glance)> {
        let id = *self.streams.get(&ends)?;
        let Some(Entry::Stream(stream)) = self.entries.get(&id) else { return None };
        let socket = self.sockets.get::<tcp::Socket<'_>>(stream.handle);
        let glance = Glance {
            state: convert::state(socket.state()),
            unacknowledged: socket.send_queue(),
            unread: socket.recv_queue(),
        };
        Some((id, glance))
    }

    /// Tells the connection's observer of a segment that smoltcp has just had; which connection that was.
    fn segment_was_taken(
        &mut self,
        now: Instant,
        ends: (SocketAddr, SocketAddr),
        tcp: &Tcp,
        before: Option<(SocketId, Glance)>,
    ) -> Option<SocketId> {
        if tcp.flags.syn() && !tcp.flags.ack() {
            self.promote_spare_at(ends.0);
        }
        let (id, after) = self.glance(ends)?;
        let before = before.filter(|(other, _)| *other == id).map(|(_, before)| before);
        let effect = Effect::between(before, after);
        let Some(Entry::Stream(stream)) = self.entries.get_mut(&id) else { return None };
        stream.observer.arrives(now, tcp, effect, id, &mut self.journal);
        if tcp.flags.rst()
            && let Some(before) = before
            && !is_over(before.state)
            && is_over(after.state)
        {
            stream.close_reason.get_or_insert(reset_in(before.state, after.unacknowledged));
        }
        Some(id)
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
        } else if is_impossible_source(src, dissection) {
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
        loop {
            let result = self.interface.poll_egress(smoltcp_instant(now), &mut self.device, &mut self.sockets);
            self.send_fragments(now);
            self.judge(now, Moment::Egress);
            if result != PollResult::SocketStateChanged {
                break;
            }
        }
        self.note_given_up();
        self.compare();
        self.drained_at = Some(now);
    }

    /// Sends the rest of a datagram that smoltcp has begun to cut: it has one place for such a datagram, and would let the
    /// next overwrite it. A look without sockets sends one fragment.
    fn send_fragments(&mut self, now: Instant) {
        let mut none = SocketSet::new([]);
        while self.device.outbound.back().is_some_and(|frame| is_unfinished(self.medium, frame)) {
            let before = self.device.outbound.len();
            self.interface.poll_egress(smoltcp_instant(now), &mut self.device, &mut none);
            if self.device.outbound.len() == before {
                return;
            }
        }
    }

    /// Finds the reason of each frame that smoltcp has just sent, while it is known what made it send.
    fn judge(&mut self, now: Instant, moment: Moment) {
        while let Some(frame) = self.device.outbound.pop_front() {
            let packet = Packet::from_wire(self.medium, frame);
            let dissection = packet.dissect();
            let v6 = dissection.addresses().is_some_and(|(src, _)| src.is_ipv6());
            let outgoing = match dissection.tcp().zip(tcp_ends(&dissection)) {
                Some((tcp, (local, remote))) => self.judge_segment(now, moment, tcp, (local, remote)),
                None => (reason_without_connection(&dissection), None),
            };
            let (reason, told) = outgoing;
            self.departing.push_back(Outgoing { packet, why: Why::over(reason, v6), told });
        }
    }

    fn judge_segment(
        &mut self,
        now: Instant,
        moment: Moment,
        tcp: &Tcp,
        (local, remote): (SocketAddr, SocketAddr),
    ) -> (Reason, Option<(SocketId, Departure)>) {
        let Some((id, stream)) = self.stream_between(local, remote) else { return (Reason::Reset, None) };
        if tcp.flags.rst() {
            let reason = match (moment, stream.close_reason) {
                (Moment::Ingress, _) => Reason::Reset,
                (Moment::Egress, Some(CloseReason::Aborted)) => Reason::Abort,
                (Moment::Egress, _) => Reason::GiveUp,
            };
            return (reason, None);
        }
        let departure = stream.observer.departs(now, tcp, moment);
        (departure.reason, Some((id, departure)))
    }
}

/// Whether a connection that once was in another state is none any more: a reset in SYN-RECEIVED leads back to LISTEN.
fn is_over(state: TcpState) -> bool {
    matches!(state, TcpState::Closed | TcpState::Listen)
}

/// How a connection ends that is reset in this state, with so many octets unacknowledged.
fn reset_in(state: TcpState, unacknowledged: usize) -> CloseReason {
    // RFC 9293 §3.10.7.4: nobody is told of a reset when only the closing remains.
    let only_closing = matches!(state, TcpState::Closing | TcpState::LastAck | TcpState::TimeWait);
    if state == TcpState::SynSent {
        CloseReason::Refused
    } else if only_closing && unacknowledged == 0 {
        CloseReason::Finished
    } else {
        CloseReason::Reset
    }
}

/// The reason of a frame that belongs to no connection.
fn reason_without_connection(dissection: &Dissection) -> Reason {
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
        (_, Some(Transport::Tcp(_))) => Reason::Housekeeping,
        // Fragments: of datagrams, and of answers to long echo requests.
        (Some(Network::Ipv4(ip)), None) if ip.protocol == 1 => Reason::EchoReply,
        (_, None) => Reason::Datagram,
    }
}

/// Whether a frame is a fragment that others follow.
fn is_unfinished(medium: Medium, frame: &[u8]) -> bool {
    let header = frame.get(link_header_length(medium)..).unwrap_or_default();
    // The version is 4, and of the flags More Fragments is set (RFC 791 §3.1). ARP begins with 0.
    header.first().is_some_and(|first| first >> 4 == 4) && header.get(6).is_some_and(|flags| flags & 0x20 != 0)
}

/// Whether no host can have this source address (RFC 1122 §3.2.1.3). `::` is that of a host which has no address yet: it
/// asks whether one is free (RFC 4862 §5.4), for a router (RFC 4861 §4.1), and reports its groups (RFC 3810 §5.2.13).
fn is_impossible_source(src: IpAddr, dissection: &Dissection) -> bool {
    let without_address = matches!(&dissection.transport, Some(Transport::Icmpv6(icmp)) if matches!(icmp.kind, 131 | 132 | 133 | 135 | 143));
    src.is_multicast() || src == IpAddr::from([255; 4]) || (src.is_unspecified() && !without_address)
}
