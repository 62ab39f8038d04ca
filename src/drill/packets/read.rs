//! What an outbound packet says, in the words that scripts have for it.

use bytes::Bytes;

use super::build::Route;
use super::{icmp, options};
use crate::drill::language::script::{Body, EcnSpec, IcmpSpec, OptionsSpec, PacketSpec, Quoted, TcpSpec};
use crate::journal::Why;
use crate::packet::checksum::{self, Verdict};
use crate::packet::dissect::{Network, Tcp, Transport};
use crate::packet::{Dissection, Packet, SeqNum};
use crate::time::Instant;

use std::net::SocketAddr;

/// A packet that the stack has sent, read.
#[derive(Clone, Debug, PartialEq)]
pub struct Sent {
    /// When.
    pub at: Instant,
    /// Why, as the stack says.
    pub why: Why,
    /// From the stack's end to the other. Ports are 0 where the protocol has none.
    pub route: Route,
    /// What it says, in the stack's own numbers, every field filled in.
    pub packet: PacketSpec,
    /// Its data.
    pub data: Bytes,
    /// What its checksums are worth.
    pub checksums: Verdict,
}

impl Sent {
    /// Octets of data.
    pub fn length(&self) -> u32 {
        u32::try_from(self.data.len()).unwrap_or(u32::MAX)
    }

    /// The segment, if it is one.
    pub fn tcp(&self) -> Option<&TcpSpec> {
        match &self.packet.body {
            Body::Tcp(tcp) => Some(tcp),
            Body::Udp { .. } | Body::Icmp(_) => None,
        }
    }
}

/// Reads a packet that is on a wire: not a super-segment, checksums full. `None`: neither TCP, UDP nor ICMP over IP, or no
/// readable packet at all; scripts have no word for those.
pub fn read(at: Instant, packet: &Packet, why: Why) -> Option<Sent> {
    let bytes = packet.to_bytes();
    let dissection = Dissection::of(packet.medium(), &bytes, bytes.len());
    let (from, to) = dissection.addresses()?;
    let (source, destination) = dissection.ports().unwrap_or((0, 0));
    let route = Route { from: SocketAddr::new(from, source), to: SocketAddr::new(to, destination) };
    let (traffic_class, ttl, flow_label) = match dissection.network.as_ref()? {
        Network::Ipv4(header) => (header.dscp << 2 | header.ecn, header.ttl, None),
        Network::Ipv6(header) => (header.dscp << 2 | header.ecn, header.hop_limit, Some(header.flow_label)),
        Network::Arp(_) => return None,
    };
    let mut data = bytes.get(dissection.payload.clone()).map_or_else(Bytes::new, |data| bytes.slice_ref(data));
    let body = match dissection.transport.as_ref()? {
        Transport::Tcp(tcp) => Body::Tcp(read_tcp(tcp, &bytes, data.len())),
        Transport::Udp(_) => Body::Udp { length: u32::try_from(data.len()).unwrap_or(u32::MAX) },
        Transport::Icmpv4(header) | Transport::Icmpv6(header) => {
            let v6 = from.is_ipv6();
            let (kind, code) = icmp::names(v6, header.kind, header.code);
            let mtu = icmp::has_mtu(v6, header.kind, header.code).then(|| u32::from_be_bytes(header.rest));
            // What an ICMP message carries is not its sender's data.
            data = Bytes::new();
            Body::Icmp(IcmpSpec { kind, code, mtu, quoted: dissection.quoted.as_deref().and_then(quoted) })
        }
    };
    let ecn = match traffic_class & 0b11 {
        0b00 => EcnSpec::NotEct,
        0b01 => EcnSpec::Ect1,
        0b10 => EcnSpec::Ect0,
        _ => EcnSpec::Ce,
    };
    let packet_spec = PacketSpec { ecn: Some(ecn), ttl: Some(ttl), tos: Some(traffic_class), flow_label, body };
    let checksums = checksum::verify(packet.medium(), &bytes);
    Some(Sent { at, why, route, packet: packet_spec, data, checksums })
}

fn read_tcp(tcp: &Tcp, bytes: &[u8], length: usize) -> TcpSpec {
    let options = bytes.get(tcp.offset + 20..tcp.offset + tcp.header_len).unwrap_or_default();
    let length = u32::try_from(length).unwrap_or(u32::MAX);
    let is_ack_written = tcp.flags.ack() || tcp.ack != SeqNum(0);
    TcpSpec {
        flags: tcp.flags,
        unknown_flags: false,
        seq: tcp.seq,
        end: tcp.seq + length,
        length,
        ack: is_ack_written.then_some(tcp.ack),
        window: Some(tcp.window),
        urgent: Some(tcp.urgent),
        options: OptionsSpec::List(self::options::read(options)),
        sport_dport: None,
    }
}

fn quoted(quotation: &Dissection) -> Option<Quoted> {
    match quotation.transport.as_ref()? {
        Transport::Tcp(tcp) => Some(Quoted::Tcp { seq: tcp.seq, length: 0 }),
        Transport::Udp(udp) => Some(Quoted::Udp { length: u32::from(udp.length.saturating_sub(8)) }),
        Transport::Icmpv4(_) | Transport::Icmpv6(_) => None,
    }
}
