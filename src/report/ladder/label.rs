//! What stands on a packet's arrow.

use std::net::IpAddr;

use super::dns;
use super::streams::{Reading, Window};
use crate::capture::Record;
use crate::packet::Dissection;
use crate::packet::describe::{self, Fragment};
use crate::packet::dissect::{Arp, Icmp, Network, Tcp, Transport};

/// What sort of packet it is, and so its colour.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Syn,
    Fin,
    Rst,
    Data,
    Ack,
    DuplicateAck,
    Datagram,
    Other,
}

/// The kind of a packet, and its label: the longest wording first, to be chosen by the room there is.
pub(super) fn label(
    dissection: &Dissection,
    reading: Option<&Reading>,
    record: &Record,
    verbose: bool,
) -> (Kind, Vec<String>) {
    let cut = describe::cut_tcp(dissection, &record.bytes);
    if let Some(tcp) = dissection.tcp().or(cut.as_ref()) {
        return match reading {
            Some(reading) if reading.is_duplicate_ack() => (Kind::DuplicateAck, tcp_labels(tcp, reading, verbose)),
            Some(reading) => (tcp_kind(tcp), tcp_labels(tcp, reading, verbose)),
            None => (tcp_kind(tcp), vec![tcp.flags.to_string()]),
        };
    }
    if let Some(summary) = describe::cut_summary(dissection, &record.bytes) {
        return (Kind::Other, vec![summary]);
    }
    if let Some(fragment) = describe::fragment(dissection, &record.bytes) {
        return (Kind::Other, fragment_labels(&fragment, dissection.is_ipv4()));
    }
    match (&dissection.transport, &dissection.network) {
        (Some(Transport::Udp(udp)), _) => {
            if let Some(labels) = dns::labels(dissection, &record.bytes) {
                return (Kind::Datagram, labels);
            }
            let ports = format!("UDP {}→{}", udp.src_port, udp.dst_port);
            (Kind::Datagram, vec![format!("{ports} len={}", dissection.payload.len()), ports, "UDP".to_owned()])
        }
        (Some(Transport::Icmpv4(icmp)), _) => (Kind::Other, icmp_labels("ICMP", &icmpv4(icmp))),
        (Some(Transport::Icmpv6(icmp)), _) => (Kind::Other, icmp_labels("ICMPv6", &icmpv6(icmp))),
        (Some(Transport::Tcp(tcp)), _) => (tcp_kind(tcp), vec![tcp.flags.to_string()]),
        (None, Some(Network::Arp(arp))) => (Kind::Other, arp_labels(arp)),
        (None, Some(Network::Ipv4(ip))) => (Kind::Other, other("IPv4", ip.protocol, dissection.payload.len())),
        (None, Some(Network::Ipv6(ip))) => (Kind::Other, other("IPv6", ip.protocol, dissection.payload.len())),
        (None, None) => match dissection.ethernet {
            Some(ethernet) => {
                let name = match ethernet.ether_type {
                    0x0800 => "IPv4".to_owned(),
                    0x0806 => "ARP".to_owned(),
                    0x86dd => "IPv6".to_owned(),
                    other => format!("Ethernet type 0x{other:04x}"),
                };
                (Kind::Other, vec![format!("{name} len={}", dissection.frame_len), name])
            }
            None => (Kind::Other, vec![format!("unreadable len={}", dissection.frame_len), "unreadable".to_owned()]),
        },
    }
}

/// `IPv4 fragment id=0x1234 0–1479 of UDP`
fn fragment_labels(fragment: &Fragment, is_ipv4: bool) -> Vec<String> {
    let id = if is_ipv4 {
        format!("0x{:04x}", fragment.identification)
    } else {
        format!("0x{:08x}", fragment.identification)
    };
    let octets = match fragment.octets.len() {
        0 => format!("at {}", fragment.octets.start),
        _ => format!("{}–{}", fragment.octets.start, fragment.octets.end - 1),
    };
    let (version, protocol) = (if is_ipv4 { "IPv4" } else { "IPv6" }, fragment.protocol);
    vec![
        format!("{version} fragment id={id} {octets} of {protocol}"),
        format!("{protocol} fragment id={id} {octets}"),
        format!("{protocol} fragment {id} {octets}"),
        format!("{protocol} fragment {octets}"),
        format!("fragment {octets}"),
        "fragment".to_owned(),
    ]
}

fn tcp_kind(tcp: &Tcp) -> Kind {
    if tcp.flags.rst() {
        Kind::Rst
    } else if tcp.flags.syn() {
        Kind::Syn
    } else if tcp.flags.fin() {
        Kind::Fin
    } else if tcp.payload_len > 0 {
        Kind::Data
    } else {
        Kind::Ack
    }
}

fn tcp_labels(tcp: &Tcp, reading: &Reading, verbose: bool) -> Vec<String> {
    let flags = if tcp.flags.0 == 0 { "no flags".to_owned() } else { tcp.flags.to_string() };
    let seq =
        if tcp.flags.syn() { format!(" seq={} ({})", reading.seq, tcp.seq) } else { format!(" seq={}", reading.seq) };
    let ack = reading.ack.map(|ack| format!(" ack={ack}")).unwrap_or_default();
    let len = if tcp.payload_len > 0 { format!(" len={}", tcp.payload_len) } else { String::new() };
    let window = match reading.window {
        Window::Octets(octets) => format!(" win={octets}"),
        Window::Unscaled(field) => format!(" win={field} (unscaled)"),
    };
    // With data its own place in the stream matters most; without, what is acknowledged.
    let short = if tcp.sequence_len() > 0 { format!("{flags}{seq}{len}") } else { format!("{flags}{ack}") };
    let mut labels = Vec::new();
    if let [first, more @ ..] = reading.sack.as_slice() {
        // The first range is the news; the others were told before (RFC 2018 §4).
        let range = |(left, right): &(u32, u32)| format!("{left}-{right}");
        let all: Vec<String> = reading.sack.iter().map(range).collect();
        let rest = if more.is_empty() { String::new() } else { format!(",+{}", more.len()) };
        if verbose {
            labels.push(format!("{flags}{seq}{ack} sack={}{len}{window}", all.join(",")));
        }
        labels.push(format!("{flags}{seq}{ack} sack={}{len}", all.join(",")));
        labels.push(format!("{flags}{seq}{ack} sack={}{rest}{len}", range(first)));
        labels.push(format!("{flags}{ack} sack={}{rest}{len}", range(first)));
    } else if verbose {
        labels.push(format!("{flags}{seq}{ack}{len}{window}"));
    }
    labels.extend([format!("{flags}{seq}{ack}{len}"), short, format!("{flags}{len}"), flags.clone()]);
    labels
}

fn icmp_labels(protocol: &str, text: &str) -> Vec<String> {
    vec![format!("{protocol} {text}"), text.to_owned(), protocol.to_owned()]
}

fn echo(word: &str, icmp: &Icmp) -> String {
    let [_, _, high, low] = icmp.rest;
    format!("echo {word} seq={}", u16::from_be_bytes([high, low]))
}

/// RFC 792 and, for the codes of "unreachable", RFC 1122 §3.2.2.1.
fn icmpv4(icmp: &Icmp) -> String {
    let [_, _, high, low] = icmp.rest;
    match (icmp.kind, icmp.code) {
        (0, _) => echo("reply", icmp),
        (3, 0) => "network unreachable".to_owned(),
        (3, 1) => "host unreachable".to_owned(),
        (3, 2) => "protocol unreachable".to_owned(),
        (3, 3) => "port unreachable".to_owned(),
        (3, 4) => format!("too big, mtu={}", u16::from_be_bytes([high, low])),
        (3, code) => format!("unreachable, code {code}"),
        (5, _) => "redirect".to_owned(),
        (8, _) => echo("request", icmp),
        (11, 0) => "time to live exceeded".to_owned(),
        (11, _) => "reassembly time exceeded".to_owned(),
        (12, _) => "parameter problem".to_owned(),
        (kind, code) => format!("type {kind} code {code}"),
    }
}

/// RFC 4443, RFC 4861 and RFC 3810.
fn icmpv6(icmp: &Icmp) -> String {
    match (icmp.kind, icmp.code) {
        (1, 0) => "no route".to_owned(),
        (1, 3) => "address unreachable".to_owned(),
        (1, 4) => "port unreachable".to_owned(),
        (1, code) => format!("unreachable, code {code}"),
        (2, _) => format!("too big, mtu={}", u32::from_be_bytes(icmp.rest)),
        (3, 0) => "hop limit exceeded".to_owned(),
        (3, _) => "reassembly time exceeded".to_owned(),
        (4, _) => "parameter problem".to_owned(),
        (128, _) => echo("request", icmp),
        (129, _) => echo("reply", icmp),
        (133, _) => "router solicitation".to_owned(),
        (134, _) => "router advertisement".to_owned(),
        (135, _) => "neighbour solicitation".to_owned(),
        (136, _) => "neighbour advertisement".to_owned(),
        (143, _) => "multicast listener report".to_owned(),
        (kind, code) => format!("type {kind} code {code}"),
    }
}

fn arp_labels(arp: &Arp) -> Vec<String> {
    let sender = arp.sender_ip;
    match arp.operation {
        1 if sender == arp.target_ip => vec![format!("ARP I am {sender}"), "ARP".to_owned()],
        1 => vec![format!("ARP who has {}?", arp.target_ip), "ARP request".to_owned()],
        2 => {
            let mac = mac(arp.sender_mac);
            vec![format!("ARP {sender} is at {mac}"), format!("{sender} is at {mac}"), "ARP reply".to_owned()]
        }
        operation => vec![format!("ARP operation {operation}"), "ARP".to_owned()],
    }
}

/// `02:00:00:00:00:01`
fn mac(address: [u8; 6]) -> String {
    address.map(|octet| format!("{octet:02x}")).join(":")
}

fn other(network: &str, protocol: u8, len: usize) -> Vec<String> {
    vec![format!("{network} protocol {protocol} len={len}"), format!("{network} {protocol}"), network.to_owned()]
}

/// What a packet other than TCP is, for a learner, when its sender's reason is not known.
pub(super) fn plain_text(dissection: &Dissection, bytes: &[u8]) -> Option<String> {
    if let Some(stopped) = describe::stopped(dissection, bytes.len()) {
        return Some(stopped);
    }
    if let Some(fragment) = describe::fragment(dissection, bytes) {
        return Some(if fragment.is_more { "a piece; more follow" } else { "the last piece" }.to_owned());
    }
    match (&dissection.transport, &dissection.network) {
        (Some(Transport::Udp(_)), _) => Some(
            match dns::messages(dissection, bytes).first() {
                Some(message) if message.is_response() => "the answer",
                Some(_) => "a question",
                None => "a datagram",
            }
            .to_owned(),
        ),
        (Some(Transport::Icmpv4(icmp)), _) => icmpv4_meaning(icmp).map(str::to_owned),
        (Some(Transport::Icmpv6(icmp)), _) if icmp.kind == 135 => Some("who has this address?".to_owned()),
        (Some(Transport::Icmpv6(icmp)), _) if icmp.kind == 136 => Some("this address is mine".to_owned()),
        (Some(Transport::Icmpv6(icmp)), _) => icmpv6_meaning(icmp).map(str::to_owned),
        (None, Some(Network::Arp(arp))) if arp.operation == 1 => Some(format!("tell {}", IpAddr::from(arp.sender_ip))),
        (None, Some(Network::Arp(_))) => Some("this address is mine".to_owned()),
        (Some(Transport::Tcp(_)) | None, _) => None,
    }
}

/// What a message means to whoever gets it (RFC 792, RFC 1122 §3.2.2.1, RFC 1812 §5.2.7.1).
fn icmpv4_meaning(icmp: &Icmp) -> Option<&'static str> {
    match (icmp.kind, icmp.code) {
        (8, _) => Some("is anybody there?"),
        (0, _) => Some("yes"),
        (3, 0 | 6 | 11) => Some("no router knows the way to that network"),
        (3, 1 | 7 | 12) => Some("that host does not answer its router"),
        (3, 2) => Some("that host does not speak this protocol"),
        (3, 3) => Some("nobody listens there"),
        (3, 4) => Some("does not fit through a link on the way, and must not be cut"),
        (3, 9 | 10 | 13) => Some("a filter on the way forbids it"),
        (5, _) => Some("there is a shorter way"),
        (11, 0) => Some("went through too many routers"),
        (11, _) => Some("not all pieces came in time"),
        (12, _) => Some("its header cannot be understood"),
        (_, _) => None,
    }
}

/// RFC 4443 §3.
fn icmpv6_meaning(icmp: &Icmp) -> Option<&'static str> {
    match (icmp.kind, icmp.code) {
        (128, _) => Some("is anybody there?"),
        (129, _) => Some("yes"),
        (1, 0) => Some("no router knows the way there"),
        (1, 1 | 5 | 6) => Some("a filter on the way forbids it"),
        (1, 3) => Some("that host does not answer its router"),
        (1, 4) => Some("nobody listens there"),
        (2, _) => Some("does not fit through a link on the way"),
        (3, 0) => Some("went through too many routers"),
        (3, _) => Some("not all pieces came in time"),
        (4, _) => Some("its header cannot be understood"),
        (_, _) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn icmp(kind: u8, code: u8, rest: [u8; 4]) -> Icmp {
        Icmp { offset: 20, kind, code, checksum: 0, rest }
    }

    #[test]
    fn icmp_messages_have_their_names() {
        let cases = [
            (0, 0, [0, 1, 0, 2], "echo reply seq=2"),
            (3, 3, [0; 4], "port unreachable"),
            (3, 4, [0, 0, 5, 0x78], "too big, mtu=1400"),
            (3, 13, [0; 4], "unreachable, code 13"),
            (8, 0, [0, 1, 1, 0], "echo request seq=256"),
            (11, 0, [0; 4], "time to live exceeded"),
            (42, 7, [0; 4], "type 42 code 7"),
        ];
        for (kind, code, rest, name) in cases {
            assert_eq!(icmpv4(&icmp(kind, code, rest)), name);
        }
    }

    #[test]
    fn icmpv6_messages_have_their_names() {
        let cases = [
            (1, 4, [0; 4], "port unreachable"),
            (2, 0, [0, 0, 5, 0], "too big, mtu=1280"),
            (3, 0, [0; 4], "hop limit exceeded"),
            (129, 0, [0, 1, 0, 9], "echo reply seq=9"),
            (135, 0, [0; 4], "neighbour solicitation"),
        ];
        for (kind, code, rest, name) in cases {
            assert_eq!(icmpv6(&icmp(kind, code, rest)), name);
        }
    }
}
