//! ICMP and ICMPv6.

use std::net::{Ipv4Addr, Ipv6Addr};

use super::{Fields, Layer, endpoints, octets, protocol_name, transport_checksum};
use crate::packet::Dissection;
use crate::packet::dissect::{Icmp, Network};

/// The layer of an ICMP message (RFC 792).
pub(super) fn v4_layer(icmp: &Icmp, dissection: &Dissection, frame: &[u8]) -> Layer {
    let mut fields = Fields::new(frame, icmp.offset);
    let (kind, code) = (v4_type(icmp.kind), v4_code(icmp.kind, icmp.code));
    fields.add("Type", 0..1, Some("icmp.type"), format!("{} ({kind})", icmp.kind));
    fields.add("Code", 1..2, Some("icmp.code"), with_name(icmp.code, code));
    fields.add("Checksum", 2..4, Some("icmp.checksum"), transport_checksum(icmp.checksum, 2, dissection, frame));
    let [_, _, high, low] = icmp.rest;
    match (icmp.kind, icmp.code) {
        (0 | 8 | 13..=16, _) => echo(&mut fields, "icmp.ident", "icmp.seq"),
        (3, 4) => {
            let mtu = u16::from_be_bytes([high, low]);
            fields.add("Next-Hop MTU", 6..8, Some("icmp.mtu"), format!("{mtu} octets"));
        }
        (5, _) => {
            fields.add("Gateway Internet Address", 4..8, Some("icmp.redir_gw"), Ipv4Addr::from(icmp.rest).to_string());
        }
        (12, _) => fields.add("Pointer", 4..5, Some("icmp.pointer"), format!("octet {}", icmp.rest[0])),
        _ => fields.add("Unused", 4..8, None, super::hex(&icmp.rest)),
    }
    quoted(&mut fields, dissection, frame);
    summarized(fields, "ICMP", kind, code, dissection)
}

/// The layer of an ICMPv6 message (RFC 4443; neighbour discovery: RFC 4861).
pub(super) fn v6_layer(icmp: &Icmp, dissection: &Dissection, frame: &[u8]) -> Layer {
    let mut fields = Fields::new(frame, icmp.offset);
    let (kind, code) = (v6_type(icmp.kind), v6_code(icmp.kind, icmp.code));
    fields.add("Type", 0..1, Some("icmpv6.type"), format!("{} ({kind})", icmp.kind));
    fields.add("Code", 1..2, Some("icmpv6.code"), with_name(icmp.code, code));
    fields.add("Checksum", 2..4, Some("icmpv6.checksum"), transport_checksum(icmp.checksum, 2, dissection, frame));
    let word = u32::from_be_bytes(icmp.rest);
    match icmp.kind {
        2 => fields.add("MTU", 4..8, Some("icmpv6.mtu"), format!("{word} octets")),
        4 => fields.add("Pointer", 4..8, Some("icmpv6.pointer"), format!("octet {word}")),
        128 | 129 => echo(&mut fields, "icmpv6.echo.identifier", "icmpv6.echo.sequence_number"),
        135 => target(&mut fields, "icmpv6.nd.ns.target_address"),
        136 => {
            let flags = [(0x80, "router"), (0x40, "solicited"), (0x20, "override")];
            let set: Vec<&str> =
                flags.iter().filter(|(bit, _)| icmp.rest[0] & bit != 0).map(|(_, name)| *name).collect();
            fields.add(
                "Flags",
                4..5,
                Some("icmpv6.nd.na.flag"),
                if set.is_empty() { "-".into() } else { set.join(", ") },
            );
            target(&mut fields, "icmpv6.nd.na.target_address");
        }
        _ => fields.add("Unused", 4..8, None, super::hex(&icmp.rest)),
    }
    quoted(&mut fields, dissection, frame);
    summarized(fields, "ICMPv6", kind, code, dissection)
}

fn echo(fields: &mut Fields<'_>, identifier: &'static str, sequence: &'static str) {
    fields.add("Identifier", 4..6, Some(identifier), fields.number(4..6).to_string());
    fields.add("Sequence Number", 6..8, Some(sequence), fields.number(6..8).to_string());
}

/// The address that neighbour discovery is about.
fn target(fields: &mut Fields<'_>, filter: &'static str) {
    if let Ok(octets) = <[u8; 16]>::try_from(fields.octets(8..24)) {
        fields.add("Target Address", 8..24, Some(filter), Ipv6Addr::from(octets).to_string());
    }
}

/// What an error says of the packet that it is about.
fn quoted(fields: &mut Fields<'_>, dissection: &Dissection, frame: &[u8]) {
    let Some(quoted) = dissection.quoted.as_deref() else {
        return;
    };
    let protocol = match &quoted.network {
        Some(Network::Ipv4(header)) => protocol_name(header.protocol),
        Some(Network::Ipv6(header)) => protocol_name(header.protocol),
        Some(Network::Arp(_)) | None => "",
    };
    let flags = quoted.tcp().map(|tcp| format!(" {} seq={}", tcp.flags, tcp.seq)).unwrap_or_default();
    let end = dissection.payload.end.min(frame.len()).saturating_sub(fields.start);
    let start = dissection.payload.start.saturating_sub(fields.start).min(end);
    let value = format!("{} {protocol}{flags} ({} of it)", endpoints(quoted), octets(end - start));
    fields.add("Quoted Packet", start..end, None, value);
}

fn summarized(fields: Fields<'_>, name: &'static str, kind: &str, code: &str, dissection: &Dissection) -> Layer {
    let code = if code.is_empty() { String::new() } else { format!(": {code}") };
    let summary = format!("{} {name} {kind}{code}", endpoints(dissection));
    fields.into_layer(name, summary, 8)
}

fn with_name(number: u8, name: &str) -> String {
    if name.is_empty() { number.to_string() } else { format!("{number} ({name})") }
}

fn v4_type(kind: u8) -> &'static str {
    match kind {
        0 => "echo reply",
        3 => "destination unreachable",
        4 => "source quench",
        5 => "redirect",
        8 => "echo request",
        9 => "router advertisement",
        10 => "router solicitation",
        11 => "time exceeded",
        12 => "parameter problem",
        13 => "timestamp request",
        14 => "timestamp reply",
        _ => "a type not known here",
    }
}

fn v4_code(kind: u8, code: u8) -> &'static str {
    match (kind, code) {
        (3, 0) => "network unreachable",
        (3, 1) => "host unreachable",
        (3, 2) => "protocol unreachable",
        (3, 3) => "port unreachable",
        (3, 4) => "fragmentation needed and DF set",
        (3, 5) => "source route failed",
        (3, 9) => "network administratively prohibited",
        (3, 10) => "host administratively prohibited",
        (3, 13) => "communication administratively prohibited",
        (5, 0) => "for the network",
        (5, 1) => "for the host",
        (11, 0) => "time to live exceeded in transit",
        (11, 1) => "fragment reassembly time exceeded",
        (12, 0) => "the pointer shows the error",
        _ => "",
    }
}

fn v6_type(kind: u8) -> &'static str {
    match kind {
        1 => "destination unreachable",
        2 => "packet too big",
        3 => "time exceeded",
        4 => "parameter problem",
        128 => "echo request",
        129 => "echo reply",
        130 => "multicast listener query",
        131 => "multicast listener report",
        132 => "multicast listener done",
        133 => "router solicitation",
        134 => "router advertisement",
        135 => "neighbor solicitation",
        136 => "neighbor advertisement",
        137 => "redirect",
        143 => "multicast listener report v2",
        _ => "a type not known here",
    }
}

fn v6_code(kind: u8, code: u8) -> &'static str {
    match (kind, code) {
        (1, 0) => "no route to destination",
        (1, 1) => "communication administratively prohibited",
        (1, 2) => "beyond scope of source address",
        (1, 3) => "address unreachable",
        (1, 4) => "port unreachable",
        (1, 5) => "source address failed ingress policy",
        (1, 6) => "reject route",
        (3, 0) => "hop limit exceeded in transit",
        (3, 1) => "fragment reassembly time exceeded",
        (4, 0) => "erroneous header field",
        (4, 1) => "unrecognized next header",
        (4, 2) => "unrecognized IPv6 option",
        _ => "",
    }
}
