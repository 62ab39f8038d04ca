//! The packet that an ICMP error quotes, or that could not leave: who sent it to whom.
//!
//! A quotation may end eight octets behind the network header (RFC 792), too early for a TCP header to be read as one; so
//! ports and sequence number are looked up at their places here.

use std::net::{IpAddr, SocketAddr};

use super::Undelivered;
use crate::packet::dissect::Network;
use crate::packet::{DeliveryError, Dissection, Medium, PacketId, SeqNum};

/// Both ends of a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Ends {
    pub src: IpAddr,
    pub dst: IpAddr,
    pub protocol: u8,
    /// The first eight octets of the transport header, zero where the quotation ends before.
    pub start: [u8; 8],
    /// How many of them are there.
    pub known: usize,
    /// Octets of the whole packet, as its header says.
    pub length: usize,
}

impl Ends {
    /// Reads a packet from its network header on; `None` when it makes no sense, or does not begin with a transport
    /// header (a later fragment).
    pub(super) fn of(bytes: &[u8]) -> Option<Ends> {
        let dissection = Dissection::of(Medium::Ip, bytes, bytes.len());
        let (protocol, at, is_first, length) = match dissection.network.as_ref()? {
            Network::Ipv4(header) => {
                // The reader may have gone on behind an authentication header.
                let protocol = *bytes.get(header.offset + 9)?;
                (protocol, header.offset + header.header_len, header.fragment_offset == 0, header.total_len)
            }
            Network::Ipv6(header) => {
                // We send no extension header but that of a fragment, directly behind the base header.
                let field = bytes.get(42..44).map_or(0, |field| u16::from_be_bytes([field[0], field[1]]));
                (
                    header.protocol,
                    header.offset + header.header_len,
                    !header.is_fragment || field & !7 == 0,
                    40 + header.payload_len,
                )
            }
            Network::Arp(_) => return None,
        };
        let (src, dst) = dissection.addresses()?;
        let rest = bytes.get(at..).unwrap_or_default();
        let known = rest.len().min(8);
        let mut start = [0; 8];
        start[..known].copy_from_slice(&rest[..known]);
        is_first.then_some(Ends { src, dst, protocol, start, known, length })
    }

    /// Whether it is an ICMP message that is no question and no answer, about which nobody must be told (RFC 1122 §3.2.2,
    /// RFC 4443 §2.4(e)). A message too short to tell counts as one.
    pub(super) fn is_icmp_error(&self) -> bool {
        match (self.src, self.protocol) {
            (IpAddr::V4(_), 1) => self.known == 0 || !matches!(self.start[0], 0 | 8 | 13..=18),
            // Redirects too (RFC 4443 §2.4(e.2)).
            (IpAddr::V6(_), 58) => self.known == 0 || self.start[0] < 128 || self.start[0] == 137,
            (IpAddr::V4(_) | IpAddr::V6(_), _) => false,
        }
    }

    /// What the transport is told; `None` when the quotation does not say whose packet it was.
    pub(super) fn report(&self, error: DeliveryError, reporter: IpAddr, packet: PacketId) -> Option<Undelivered> {
        let [a, b, c, d, e, f, g, h] = self.start;
        let (local, remote, seq) = match (self.src, self.protocol) {
            (_, 6) if self.known == 8 => {
                (u16::from_be_bytes([a, b]), u16::from_be_bytes([c, d]), Some(SeqNum(u32::from_be_bytes([e, f, g, h]))))
            }
            (_, 17) if self.known >= 4 => (u16::from_be_bytes([a, b]), u16::from_be_bytes([c, d]), None),
            (IpAddr::V4(_), 1) if self.known == 8 && a == 8 => (u16::from_be_bytes([e, f]), 0, None),
            (IpAddr::V6(_), 58) if self.known == 8 && a == 128 => (u16::from_be_bytes([e, f]), 0, None),
            (IpAddr::V4(_) | IpAddr::V6(_), _) => return None,
        };
        Some(Undelivered {
            error,
            reporter,
            protocol: self.protocol,
            local: SocketAddr::new(self.src, local),
            remote: SocketAddr::new(self.dst, remote),
            seq,
            length: self.length,
            packet,
        })
    }
}
