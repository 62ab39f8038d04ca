//! What goes out, from the transports through the network layer.

use smallvec::SmallVec;

use super::NativeStack;
use super::intake::{TCP, UDP};
use crate::ip::{Outgoing, SendError};
use crate::journal::Why;
use crate::packet::Packet;
use crate::tcp::{self, Departure};
use crate::udp::{self, Datagram};

/// Hops of a packet that no socket stands behind.
const HOPS: u8 = 64;

impl NativeStack {
    /// The next packet: what the network layer has ready, else the next datagram, else the next segment. A datagram was
    /// finished when the application gave it; a segment takes along whatever there is when it leaves.
    pub(super) fn next_packet(&mut self) -> Option<(Packet, Why)> {
        loop {
            if let Some(found) = self.ip.transmit(self.now) {
                return Some(found);
            }
            if let Some(datagram) = self.udp.transmit() {
                self.send_datagram(datagram);
            } else if let Some(departure) = self.tcp.transmit(self.now) {
                self.send_segment(departure);
            } else {
                return None;
            }
            // A packet to this host itself has come in by now, and may have been answered.
            self.take_reports();
        }
    }

    /// A segment that the network layer cannot send is lost, as it might be on any link; TCP sends it again. When it is too
    /// long for a path that others have found to be narrow, TCP learns of it here.
    fn send_segment(&mut self, departure: Departure) {
        let Departure { ends, segment, why, dont_fragment, hops, traffic_class } = departure;
        let header = segment.header(&ends);
        let outgoing = Outgoing {
            src: ends.local.ip(),
            dst: ends.remote.ip(),
            protocol: TCP,
            hops: hops.unwrap_or(HOPS),
            traffic_class,
            dont_fragment,
            header,
            checksum_offset: Some(tcp::CHECKSUM_OFFSET),
            payload: segment.payload,
            gso_size: segment.gso_size,
            why,
        };
        if let Err(SendError::TooBig { mtu }) = self.ip.send(self.now, outgoing) {
            self.tcp.path_takes(self.now, &ends, mtu);
        }
    }

    fn send_datagram(&mut self, datagram: Datagram) {
        let Datagram { src, dst, header, payload, hops, traffic_class, why, .. } = datagram;
        let outgoing = Outgoing {
            src: src.ip(),
            dst: dst.ip(),
            protocol: UDP,
            hops,
            traffic_class,
            dont_fragment: false,
            header: SmallVec::from_slice(&header),
            checksum_offset: Some(udp::CHECKSUM_OFFSET),
            payload,
            gso_size: None,
            why,
        };
        // UDP promises nothing; what could never be sent was refused by the verb.
        let _: Result<(), SendError> = self.ip.send(self.now, outgoing);
    }
}
