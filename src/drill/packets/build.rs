//! The bytes of a packet that a script lets come in.
//!
//! What is written is laid out as written, also where no decent host would send it so: any flags, any options (padding is
//! the script's business), any sequence numbers, payloads longer than the MTU. Lengths and checksums are right.

use std::net::{IpAddr, SocketAddr};
use std::num::NonZeroU16;

use bytes::Bytes;

use super::{icmp, options, pattern};
use crate::drill::language::script::{Body, EcnSpec, IcmpSpec, OptionsSpec, PacketSpec, Quoted, TcpSpec};
use crate::packet::checksum::{Sum, sum_chunks};
use crate::packet::{Medium, Packet, SeqNum};

/// Hops that a packet may still go, where the script does not say.
const TIME_TO_LIVE: u8 = 255;
/// Octets of the transport header that an ICMP message quotes (RFC 792: 64 bits).
const QUOTED_OCTETS: usize = 8;

/// Where an inbound packet comes from and goes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Route {
    /// The script's side.
    pub from: SocketAddr,
    /// The stack's side. Of the same family.
    pub to: SocketAddr,
}

/// Why a packet cannot be built.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BuildError {
    /// Options that leave the header ragged.
    #[error("the options take {0} octets, which is no multiple of 4; pad them with nop or eol")]
    RaggedOptions(usize),
    /// Options that no header holds.
    #[error("the options take {0} octets; a TCP header holds 40")]
    LongOptions(usize),
    /// More than an IP header can announce.
    #[error("the packet would have {0} octets; an IP packet holds 65535")]
    TooLong(usize),
    /// `<...>` in an inbound packet.
    #[error("`<...>` says what is allowed to come out; an inbound packet needs its options written")]
    OpenOptions,
    /// An ICMP name that this family does not have.
    #[error("no ICMP message is called `{0}` over this version of IP")]
    NoSuchMessage(String),
    /// `mtu` where it has no place.
    #[error("`mtu` belongs to `unreachable frag_needed` (IPv4) or `packet_too_big` (IPv6)")]
    MisplacedMtu,
    /// Source and destination of different families.
    #[error("the packet's ends are of different IP versions")]
    MixedFamilies,
    /// `[ect01]` in an inbound packet.
    #[error("`[ect01]` says what is allowed to come out; an inbound packet is either `[ect0]` or `[ect1]`")]
    OpenEcn,
}

/// Builds an inbound packet whose numbers are the stack's own. `position` is where its data stands in the stream, for its
/// octets; `gso_size` marks data that is longer as a super-segment.
///
/// # Errors
/// [`BuildError`] where the script asks for what cannot be.
pub fn build(
    packet: &PacketSpec,
    route: Route,
    position: u64,
    gso_size: Option<NonZeroU16>,
) -> Result<Packet, BuildError> {
    let traffic_class = traffic_class(packet)?;
    let (protocol, mut transport, data) = match &packet.body {
        Body::Tcp(tcp) => (6, tcp_header(tcp, route)?, pattern::octets(position, length(tcp.length)?)),
        Body::Udp { length: octets } => {
            let data = pattern::octets(0, length(*octets)?);
            (17, udp_header(route, data.len())?, data)
        }
        Body::Icmp(message) => {
            (icmp::protocol(route.from.ip()), icmp_header(message, route)?, quotation(message, route)?)
        }
    };
    let mut headers = network_header(packet, route, protocol, traffic_class, transport.len() + data.len())?;
    fill_checksum(protocol, route, &mut transport, &data);
    headers.extend_from_slice(&transport);
    let is_super = gso_size.filter(|size| data.len() > usize::from(size.get()));
    let mut built = Packet::new(Medium::Ip, &headers);
    built.push_payload(Bytes::from(data));
    built.set_gso_size(is_super);
    Ok(built)
}

fn length(octets: u32) -> Result<usize, BuildError> {
    let octets = usize::try_from(octets).unwrap_or(usize::MAX);
    if octets > usize::from(u16::MAX) { Err(BuildError::TooLong(octets)) } else { Ok(octets) }
}

fn traffic_class(packet: &PacketSpec) -> Result<u8, BuildError> {
    let ecn = match packet.ecn {
        None => 0,
        Some(EcnSpec::NotEct) => 0b00,
        Some(EcnSpec::Ect1) => 0b01,
        Some(EcnSpec::Ect0) => 0b10,
        Some(EcnSpec::Ce) => 0b11,
        Some(EcnSpec::EctAny) => return Err(BuildError::OpenEcn),
    };
    Ok(packet.tos.unwrap_or(0) | ecn)
}

fn tcp_header(tcp: &TcpSpec, route: Route) -> Result<Vec<u8>, BuildError> {
    let options = match &tcp.options {
        OptionsSpec::Absent => Vec::new(),
        OptionsSpec::List(list) => options::write(list),
        OptionsSpec::Any => return Err(BuildError::OpenOptions),
    };
    match options.len() {
        octets if octets > options::LONGEST => return Err(BuildError::LongOptions(octets)),
        octets if octets % 4 != 0 => return Err(BuildError::RaggedOptions(octets)),
        _ => {}
    }
    let (source, destination) = tcp.sport_dport.unwrap_or((0, 0));
    let port = |preset: u16, own: u16| if preset == 0 { own } else { preset };
    let mut header = Vec::with_capacity(20 + options.len());
    header.extend_from_slice(&port(source, route.from.port()).to_be_bytes());
    header.extend_from_slice(&port(destination, route.to.port()).to_be_bytes());
    header.extend_from_slice(&tcp.seq.0.to_be_bytes());
    header.extend_from_slice(&tcp.ack.unwrap_or_default().0.to_be_bytes());
    header.extend_from_slice(&[((20 + options.len()) as u8 / 4) << 4, tcp.flags.0]);
    header.extend_from_slice(&tcp.window.unwrap_or(0).to_be_bytes());
    header.extend_from_slice(&[0, 0]);
    header.extend_from_slice(&tcp.urgent.unwrap_or(0).to_be_bytes());
    header.extend_from_slice(&options);
    Ok(header)
}

fn udp_header(route: Route, data: usize) -> Result<Vec<u8>, BuildError> {
    let octets = u16::try_from(data + 8).map_err(|_| BuildError::TooLong(data + 8))?;
    let words = [route.from.port(), route.to.port(), octets, 0];
    Ok(words.iter().flat_map(|word| word.to_be_bytes()).collect())
}

fn icmp_header(message: &IcmpSpec, route: Route) -> Result<Vec<u8>, BuildError> {
    let v6 = route.from.is_ipv6();
    let Some((kind, code)) = icmp::numbers(v6, &message.kind, message.code.as_deref()) else {
        let code = message.code.as_ref().map_or(String::new(), |code| format!(" {code}"));
        return Err(BuildError::NoSuchMessage(format!("{}{code}", message.kind)));
    };
    let mut header = vec![kind, code, 0, 0, 0, 0, 0, 0];
    if let Some(mtu) = message.mtu {
        // IPv4 has 16 bits for it (RFC 1191 §4), IPv6 has 32 (RFC 4443 §3.2).
        let fits = v6 || mtu <= u32::from(u16::MAX);
        if !icmp::has_mtu(v6, kind, code) || !fits {
            return Err(BuildError::MisplacedMtu);
        }
        header[4..8].copy_from_slice(&mtu.to_be_bytes());
    }
    Ok(header)
}

/// The beginning of the packet that an ICMP message is about: one that the stack has sent, so its ends are turned round.
fn quotation(message: &IcmpSpec, route: Route) -> Result<Vec<u8>, BuildError> {
    let about = Route { from: route.to, to: route.from };
    let (protocol, transport, octets) = match message.quoted {
        None => return Ok(Vec::new()),
        Some(Quoted::Tcp { seq, length }) => (6, quoted_tcp(about, seq), 20 + length as usize),
        Some(Quoted::Udp { length }) => (17, udp_header(about, length as usize)?, 8 + length as usize),
    };
    let plain = PacketSpec { ecn: None, ttl: None, tos: None, flow_label: None, body: Body::Udp { length: 0 } };
    let mut quoted = network_header(&plain, about, protocol, 0, octets)?;
    quoted.extend_from_slice(&transport[..QUOTED_OCTETS]);
    Ok(quoted)
}

fn quoted_tcp(about: Route, seq: SeqNum) -> Vec<u8> {
    let mut header = Vec::with_capacity(QUOTED_OCTETS);
    header.extend_from_slice(&about.from.port().to_be_bytes());
    header.extend_from_slice(&about.to.port().to_be_bytes());
    header.extend_from_slice(&seq.0.to_be_bytes());
    header
}

/// The IP header before `octets` of transport header and data.
fn network_header(
    packet: &PacketSpec,
    route: Route,
    protocol: u8,
    traffic_class: u8,
    octets: usize,
) -> Result<Vec<u8>, BuildError> {
    let hops = packet.ttl.unwrap_or(TIME_TO_LIVE);
    match (route.from.ip(), route.to.ip()) {
        (IpAddr::V4(source), IpAddr::V4(destination)) => {
            let total = u16::try_from(octets + 20).map_err(|_| BuildError::TooLong(octets + 20))?;
            let mut header = vec![0x45, traffic_class];
            header.extend_from_slice(&total.to_be_bytes());
            header.extend_from_slice(&[0, 0, 0, 0, hops, protocol, 0, 0]);
            header.extend_from_slice(&source.octets());
            header.extend_from_slice(&destination.octets());
            let sum = Sum::new().add_bytes(&header).complement();
            header[10..12].copy_from_slice(&sum.to_be_bytes());
            Ok(header)
        }
        (IpAddr::V6(source), IpAddr::V6(destination)) => {
            let payload = u16::try_from(octets).map_err(|_| BuildError::TooLong(octets + 40))?;
            let first = 6 << 28 | u32::from(traffic_class) << 20 | packet.flow_label.unwrap_or(0) & 0xf_ffff;
            let mut header = first.to_be_bytes().to_vec();
            header.extend_from_slice(&payload.to_be_bytes());
            header.extend_from_slice(&[protocol, hops]);
            header.extend_from_slice(&source.octets());
            header.extend_from_slice(&destination.octets());
            Ok(header)
        }
        (IpAddr::V4(_), IpAddr::V6(_)) | (IpAddr::V6(_), IpAddr::V4(_)) => Err(BuildError::MixedFamilies),
    }
}

/// Puts the checksum into a transport header (RFC 9293 §3.1, RFC 768, RFC 792, RFC 4443 §2.3).
fn fill_checksum(protocol: u8, route: Route, transport: &mut [u8], data: &[u8]) {
    let field = match protocol {
        6 => 16,
        17 => 6,
        _ => 2,
    };
    let start = if protocol == 1 {
        Sum::new()
    } else {
        let octets = (transport.len() + data.len()) as u32;
        Sum::new().add_pseudo_header(route.from.ip(), route.to.ip(), protocol, octets)
    };
    let value = match sum_chunks(start, [&*transport, data]).complement() {
        // In UDP a zero means that there is no checksum (RFC 768).
        0 if protocol == 17 => 0xffff,
        value => value,
    };
    if let Some(place) = transport.get_mut(field..field + 2) {
        place.copy_from_slice(&value.to_be_bytes());
    }
}

#[cfg(test)]
mod tests;
