//! ARP, IPv4 and IPv6 with its extension headers.

use std::ops::Range;

use super::{Fields, Layer, is_set, length_of, mac, protocol_name, verdict};
use crate::packet::Dissection;
use crate::packet::checksum::Sum;
use crate::packet::dissect::{Arp, Ipv4, Ipv6, Network};

/// The protocol number of IPv6's fragment header.
const FRAGMENT: u8 = 44;

/// A piece of a packet that was cut on its way (RFC 791 §3.2, RFC 8200 §4.5).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fragment {
    /// Shared by all pieces of the packet: 16 bits of IPv4, 32 of IPv6.
    pub identification: u32,
    /// Where it lies in what the whole packet carries.
    pub octets: Range<usize>,
    /// Others follow it.
    pub is_more: bool,
    /// What the whole packet carries: `UDP`.
    pub protocol: &'static str,
}

/// What piece of a packet the frame is; `None` when it is whole.
pub fn fragment(dissection: &Dissection, frame: &[u8]) -> Option<Fragment> {
    let len = dissection.payload.len();
    match dissection.network.as_ref()? {
        Network::Ipv4(ip) if ip.fragment_offset > 0 || ip.more_fragments => Some(Fragment {
            identification: ip.identification.into(),
            octets: ip.fragment_offset..ip.fragment_offset + len,
            is_more: ip.more_fragments,
            protocol: protocol_name(ip.protocol),
        }),
        Network::Ipv6(ip) if ip.is_fragment => {
            let (_, at, _) = extension_places(ip, frame).into_iter().find(|(kind, _, _)| *kind == FRAGMENT)?;
            let header = Fields::new(frame, at);
            let offset = header.number(2..4) as usize & !7;
            Some(Fragment {
                identification: header.number(4..8) as u32,
                octets: offset..offset + len,
                is_more: header.number(3..4) & 1 != 0,
                protocol: protocol_name(ip.protocol),
            })
        }
        Network::Ipv4(_) | Network::Ipv6(_) | Network::Arp(_) => None,
    }
}

/// The network header's layer and, for IPv6, those of its extension headers.
pub(super) fn layers(network: &Network, frame: &[u8], layers: &mut Vec<Layer>) {
    match network {
        Network::Ipv4(header) => layers.push(ipv4(header, frame)),
        Network::Ipv6(header) => {
            layers.push(ipv6(header, frame));
            extensions(header, frame, layers);
        }
        Network::Arp(message) => layers.push(arp(message, frame)),
    }
}

fn arp(arp: &Arp, frame: &[u8]) -> Layer {
    let mut fields = Fields::new(frame, arp.offset);
    let operation = match arp.operation {
        1 => "request",
        2 => "reply",
        _ => "an operation not known here",
    };
    let hardware = fields.number(0..2);
    let hardware_name = if hardware == 1 { " (Ethernet)" } else { "" };
    fields.add("Hardware Type", 0..2, Some("arp.hw.type"), format!("{hardware}{hardware_name}"));
    fields.add("Protocol Type", 2..4, Some("arp.proto.type"), format!("0x{:04x} (IPv4)", fields.number(2..4)));
    fields.add("Hardware Address Length", 4..5, Some("arp.hw.size"), fields.number(4..5).to_string());
    fields.add("Protocol Address Length", 5..6, Some("arp.proto.size"), fields.number(5..6).to_string());
    fields.add("Operation", 6..8, Some("arp.opcode"), format!("{} ({operation})", arp.operation));
    fields.add("Sender Hardware Address", 8..14, Some("arp.src.hw_mac"), mac(arp.sender_mac));
    fields.add("Sender Protocol Address", 14..18, Some("arp.src.proto_ipv4"), arp.sender_ip.to_string());
    fields.add("Target Hardware Address", 18..24, Some("arp.dst.hw_mac"), mac(arp.target_mac));
    fields.add("Target Protocol Address", 24..28, Some("arp.dst.proto_ipv4"), arp.target_ip.to_string());
    let summary = match arp.operation {
        1 => format!("who has {}? tell {}", arp.target_ip, arp.sender_ip),
        2 => format!("{} is at {}", arp.sender_ip, mac(arp.sender_mac)),
        other => format!("ARP operation {other} from {} to {}", arp.sender_ip, arp.target_ip),
    };
    fields.into_layer("ARP", summary, 28)
}

fn ipv4(header: &Ipv4, frame: &[u8]) -> Layer {
    let mut fields = Fields::new(frame, header.offset);
    let words = header.header_len / 4;
    fields.add("Version", 0..1, Some("ip.version"), "4");
    fields.add("Header Length", 0..1, Some("ip.hdr_len"), format!("{} octets ({words} words)", header.header_len));
    fields.add("Differentiated Services", 1..2, Some("ip.dsfield.dscp"), dscp(header.dscp));
    fields.add("ECN", 1..2, Some("ip.dsfield.ecn"), ecn(header.ecn));
    let available = frame.len().saturating_sub(header.offset);
    fields.add("Total Length", 2..4, Some("ip.len"), length_of(header.total_len, available));
    let identification = header.identification;
    fields.add("Identification", 4..6, Some("ip.id"), format!("0x{identification:04x} ({identification})"));
    let is_reserved_set = fields.number(6..7) & 0x80 != 0;
    fields.add("Reserved Bit", 6..7, Some("ip.flags.rb"), is_set(is_reserved_set));
    fields.add("Don't Fragment", 6..7, Some("ip.flags.df"), is_set(header.dont_fragment));
    fields.add("More Fragments", 6..7, Some("ip.flags.mf"), is_set(header.more_fragments));
    fields.add("Fragment Offset", 6..8, Some("ip.frag_offset"), fragment_offset(header.fragment_offset));
    fields.add("Time to Live", 8..9, Some("ip.ttl"), format!("{} hops", header.ttl));
    let protocol = fields.number(9..10) as u8;
    fields.add("Protocol", 9..10, Some("ip.proto"), format!("{protocol} ({})", protocol_name(protocol)));
    fields.add("Header Checksum", 10..12, Some("ip.checksum"), header_checksum(header, &fields));
    fields.add("Source Address", 12..16, Some("ip.src"), header.src.to_string());
    fields.add("Destination Address", 16..20, Some("ip.dst"), header.dst.to_string());
    ipv4_options(header.header_len, &mut fields);
    let fragment = match (header.fragment_offset, header.more_fragments) {
        (0, false) => String::new(),
        (offset, more) => format!(", fragment at octet {offset}{}", if more { ", more follow" } else { ", the last" }),
    };
    let summary = format!("{} → {} {}{fragment}", header.src, header.dst, protocol_name(header.protocol));
    fields.into_layer("IPv4", summary, header.header_len)
}

fn header_checksum(header: &Ipv4, fields: &Fields<'_>) -> String {
    let expected =
        Sum::new().add_bytes(fields.octets(0..10)).add_bytes(fields.octets(12..header.header_len)).complement();
    verdict(header.checksum, expected)
}

fn ipv4_options(header_len: usize, fields: &mut Fields<'_>) {
    let mut at = 20;
    while at < header_len {
        let kind = fields.number(at..at + 1);
        let claimed = fields.number(at + 1..at + 2) as usize;
        let length = match kind {
            0 => header_len - at,
            1 => 1,
            _ => claimed.clamp(1, header_len - at),
        };
        let name = match kind {
            0 => "End of Option List",
            1 => "No Operation",
            7 => "Record Route",
            68 => "Internet Timestamp",
            131 => "Loose Source and Record Route",
            137 => "Strict Source and Record Route",
            148 => "Router Alert",
            _ => "an option not known here",
        };
        let wrong = if kind > 1 && claimed != length { " [its length is impossible]" } else { "" };
        let octets = super::hex(fields.octets(at..at + length));
        fields.add("Option", at..at + length, Some("ip.opt.type"), format!("{kind} ({name}): {octets}{wrong}"));
        at += length;
    }
}

fn ipv6(header: &Ipv6, frame: &[u8]) -> Layer {
    let mut fields = Fields::new(frame, header.offset);
    fields.add("Version", 0..1, Some("ipv6.version"), "6");
    fields.add("Differentiated Services", 0..2, Some("ipv6.tclass.dscp"), dscp(header.dscp));
    fields.add("ECN", 1..2, Some("ipv6.tclass.ecn"), ecn(header.ecn));
    fields.add("Flow Label", 1..4, Some("ipv6.flow"), format!("0x{:05x}", header.flow_label));
    let available = frame.len().saturating_sub(header.offset + 40);
    fields.add("Payload Length", 4..6, Some("ipv6.plen"), length_of(header.payload_len, available));
    let next = fields.number(6..7) as u8;
    fields.add("Next Header", 6..7, Some("ipv6.nxt"), format!("{next} ({})", protocol_name(next)));
    fields.add("Hop Limit", 7..8, Some("ipv6.hlim"), format!("{} hops", header.hop_limit));
    fields.add("Source Address", 8..24, Some("ipv6.src"), header.src.to_string());
    fields.add("Destination Address", 24..40, Some("ipv6.dst"), header.dst.to_string());
    let summary = format!("{} → {} {}", header.src, header.dst, protocol_name(header.protocol));
    fields.into_layer("IPv6", summary, 40)
}

/// The extension headers between the base header and what the packet carries (RFC 8200 §4).
fn extensions(header: &Ipv6, frame: &[u8], layers: &mut Vec<Layer>) {
    for (kind, at, length) in extension_places(header, frame) {
        let name = match kind {
            0 => "IPv6 Hop-by-Hop Options",
            43 => "IPv6 Routing Header",
            FRAGMENT => "IPv6 Fragment Header",
            51 => "Authentication Header",
            _ => "IPv6 Destination Options",
        };
        layers.push(extension(name, kind, at, length, frame));
    }
}

/// The kind of each extension header, where it begins and how long it is.
fn extension_places(header: &Ipv6, frame: &[u8]) -> Vec<(u8, usize, usize)> {
    let end = (header.offset + header.header_len).min(frame.len());
    let mut kind = frame.get(header.offset + 6).copied().unwrap_or(59);
    let mut at = header.offset + 40;
    let mut places = Vec::new();
    while at < end {
        let units = frame.get(at + 1).map_or(0, |length| usize::from(*length));
        let length = match kind {
            0 | 43 | 60 => 8 * (units + 1),
            FRAGMENT => 8,
            // The authentication header counts in words and leaves two of them out (RFC 4302 §2.2).
            51 => 4 * (units + 2),
            _ => break,
        };
        places.push((kind, at, length));
        kind = frame.get(at).copied().unwrap_or(59);
        at += length;
    }
    places
}

fn extension(name: &'static str, kind: u8, at: usize, length: usize, frame: &[u8]) -> Layer {
    let mut fields = Fields::new(frame, at);
    let next = fields.number(0..1) as u8;
    fields.add("Next Header", 0..1, None, format!("{next} ({})", protocol_name(next)));
    if kind != FRAGMENT {
        fields.add("Header Extension Length", 1..2, None, length_of(length, frame.len() - at));
        fields.add("Data", 2..length, None, super::hex(fields.octets(2..length)));
        return fields.into_layer(name, format!("then {}", protocol_name(next)), length);
    }
    let offset = (fields.number(2..4) as usize) & !7;
    let is_more = fields.number(3..4) & 1 != 0;
    let identification = fields.number(4..8);
    fields.add("Fragment Offset", 2..4, Some("ipv6.fraghdr.offset"), fragment_offset(offset));
    fields.add("More Fragments", 3..4, Some("ipv6.fraghdr.more"), is_set(is_more));
    fields.add("Identification", 4..8, Some("ipv6.fraghdr.ident"), format!("0x{identification:08x}"));
    let more = if is_more { "more follow" } else { "the last" };
    fields.into_layer(name, format!("fragment at octet {offset}, {more}"), length)
}

/// Header value and octets: filters count in the header's units of eight.
fn fragment_offset(octets: usize) -> String {
    if octets == 0 { "0".to_owned() } else { format!("{} (octet {octets})", octets / 8) }
}

/// The code points that are in use (RFC 2474, RFC 2597, RFC 3246).
fn dscp(value: u8) -> String {
    let name = match value {
        0 => "CS0, best effort".to_owned(),
        46 => "EF".to_owned(),
        class if class % 8 == 0 => format!("CS{}", class / 8),
        assured if (10..=38).contains(&assured) && assured % 2 == 0 => {
            format!("AF{}{}", assured / 8, assured % 8 / 2)
        }
        _ => "unassigned".to_owned(),
    };
    format!("{value} ({name})")
}

/// RFC 3168 §5.
fn ecn(value: u8) -> String {
    let name = match value {
        0 => "Not-ECT: does not take part",
        1 => "ECT(1): takes part",
        2 => "ECT(0): takes part",
        _ => "CE: congestion experienced",
    };
    format!("{value} ({name})")
}
