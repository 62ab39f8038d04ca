//! What comes in, from the network layer to the transport that it is for.

use std::net::SocketAddr;

use super::NativeStack;
use crate::ip::{Arrival, Delivered, Undelivered};
use crate::journal::{DropReason, Event};
use crate::packet::dissect::{Tcp, Transport};
use crate::packet::{DeliveryError, Packet};
use crate::tcp::{self, Ends, Segment};
use crate::udp::{Arriving, Verdict};

/// The protocol number of TCP.
pub(super) const TCP: u8 = 6;
/// The protocol number of UDP.
pub(super) const UDP: u8 = 17;

impl NativeStack {
    pub(super) fn take_in(&mut self, packet: Packet) {
        if let Some(arrival) = self.ip.receive(self.now, packet) {
            self.take_arrival(arrival);
        }
        self.take_reports();
    }

    /// What the network layer has to tell without a packet from the link.
    pub(super) fn take_reports(&mut self) {
        while let Some(arrival) = self.ip.arrival(self.now) {
            self.take_arrival(arrival);
        }
    }

    fn take_arrival(&mut self, arrival: Arrival) {
        match arrival {
            Arrival::Transport(delivered) => match &delivered.dissection.transport {
                Some(Transport::Tcp(_)) => self.take_segment(delivered),
                Some(Transport::Udp(_)) => self.take_datagram(&delivered),
                Some(Transport::Icmpv4(_) | Transport::Icmpv6(_)) | None => {
                    self.drop(&delivered, DropReason::Malformed);
                }
            },
            Arrival::Undelivered(report) => self.take_report(&report),
            // Nobody here asks for echoes yet.
            Arrival::EchoReply(_) => {}
        }
    }

    fn take_segment(&mut self, delivered: Delivered) {
        if !self.ip.is_own(delivered.dst) {
            // A segment to many is no segment (RFC 9293 MUST-57).
            return self.drop(&delivered, DropReason::NotForUs);
        }
        let (id, gso_size, ecn) = (delivered.packet.id, delivered.packet.gso_size(), delivered.ecn);
        let (src, dst) = (delivered.src, delivered.dst);
        let Some(Transport::Tcp(header)) = delivered.dissection.transport else { return };
        let Tcp { src_port, dst_port, seq, ack, flags, window, urgent, options, .. } = header;
        let payload = delivered.packet.payload().iter().cloned().collect();
        let segment = Segment { seq, ack, flags, window, urgent, options, payload, gso_size, ecn };
        let ends = Ends { local: SocketAddr::new(dst, dst_port), remote: SocketAddr::new(src, src_port) };
        let opens = flags.syn();
        if self.tcp.receive(self.now, tcp::Arrival { ends, segment, packet: id }) {
            // The neighbour on the way there works, and need not be asked (RFC 4861 §7.3.1).
            self.ip.confirm_reachable(self.now, src);
        }
        if opens {
            self.recall_path(&ends);
        }
    }

    fn take_datagram(&mut self, delivered: &Delivered) {
        let Some(Transport::Udp(header)) = &delivered.dissection.transport else { return };
        let arriving = Arriving {
            src: SocketAddr::new(delivered.src, header.src_port),
            dst: SocketAddr::new(delivered.dst, header.dst_port),
            length: header.length,
            payload: delivered.packet.payload(),
        };
        match self.udp.arrives(&arriving) {
            Verdict::Taken => {}
            Verdict::NobodyListens => {
                self.drop(delivered, DropReason::NoConnection);
                self.ip.refuse_delivered(self.now, delivered, DeliveryError::PortUnreachable);
            }
            Verdict::Dropped(reason) => self.drop(delivered, reason),
        }
    }

    /// News of something that was sent and did not arrive.
    fn take_report(&mut self, report: &Undelivered) {
        let report = self.with_plain_mtu(report);
        match (report.protocol, report.seq) {
            (TCP, Some(seq)) => {
                let ends = Ends { local: report.local, remote: report.remote };
                self.tcp.undelivered(self.now, &ends, seq, report.error, report.packet);
                self.share_paths();
            }
            (UDP, _) => {
                if let DeliveryError::TooBig { mtu } = report.error {
                    self.datagram_was_too_long(&report, mtu);
                }
                self.udp.undelivered(report.local, report.remote, report.error);
            }
            _ => {}
        }
    }

    fn drop(&mut self, delivered: &Delivered, reason: DropReason) {
        self.journal.tell(Event::PacketDropped { packet: delivered.packet.id, reason });
    }
}
