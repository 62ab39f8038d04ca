//! A capture as text, a line for each packet, so that a difference between two captures can be read.
//!
//! Drawn here and not by the program's own reports: a golden dump must change with the wire, not with a drawing.

use std::fmt::Write as _;
use std::net::{IpAddr, SocketAddr};
use std::path::Path;

use sha2::{Digest as _, Sha256};
use wireglass::capture::{Direction, ForeignRecord, Reader};
use wireglass::packet::Dissection;
use wireglass::packet::dissect::{Network, Tcp, Transport};

/// The whole file: its remarks and interfaces, then its packets.
pub(crate) fn text(file: &Path) -> String {
    let mut reader = Reader::open(file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
    let packets: Vec<ForeignRecord> =
        reader.by_ref().map(|record| record.unwrap_or_else(|error| panic!("{}: {error}", file.display()))).collect();
    let mut text = reader.comments().iter().fold(String::new(), |text, comment| text + comment + "\n");
    for interface in reader.interfaces() {
        let _ = writeln!(
            text,
            "interface {}: {}, link type {}",
            interface.name, interface.description, interface.link_code
        );
    }
    for (address, name) in reader.names() {
        let _ = writeln!(text, "name {address} {name}");
    }
    text.push('\n');
    packets.iter().for_each(|packet| text.push_str(&line(packet)));
    text
}

/// One packet: number, time of day, direction, id, headers, payload; its remarks below.
pub(crate) fn line(packet: &ForeignRecord) -> String {
    const DAY_NS: u64 = 86_400_000_000_000;
    let time = packet.at_ns % DAY_NS;
    let direction = match packet.direction {
        Some(Direction::In) => "<",
        Some(Direction::Out) => ">",
        None => "-",
    };
    let id = packet.packet_id.map_or_else(String::new, |id| format!("#{id}"));
    let mut line = format!(
        "{:>3}  {}.{:09}  {direction} {id:<5} {}\n",
        packet.number,
        time / 1_000_000_000,
        time % 1_000_000_000,
        headers(packet)
    );
    for comment in &packet.comments {
        let _ = writeln!(line, "       {comment}");
    }
    line
}

fn headers(packet: &ForeignRecord) -> String {
    let Some((medium, bytes)) = packet.strip() else { return format!("{} octets", packet.wire_len) };
    let read = Dissection::of(medium, &bytes, packet.stripped_wire_len());
    let mut text = String::new();
    if let Some(ethernet) = &read.ethernet {
        let _ = write!(text, "{} > {}  ", mac(ethernet.src), mac(ethernet.dst));
    }
    match (&read.network, read.ports(), read.addresses()) {
        (_, Some((from, to)), Some((src, dst))) => {
            let _ = write!(text, "{} > {}", SocketAddr::new(src, from), SocketAddr::new(dst, to));
        }
        (_, None, Some((src, dst))) => text.push_str(&between(src, dst)),
        (Some(Network::Arp(arp)), ..) => {
            let (sender, target) = (arp.sender_ip, arp.target_ip);
            let _ = write!(
                text,
                "ARP {} {sender} {} > {target} {}",
                arp.operation,
                mac(arp.sender_mac),
                mac(arp.target_mac)
            );
        }
        _ => text.push_str("unknown"),
    }
    match &read.transport {
        Some(Transport::Tcp(header)) => text.push_str(&tcp(header)),
        Some(Transport::Udp(header)) => {
            let _ = write!(text, "  UDP length={} checksum={:04x}", header.length, header.checksum);
        }
        Some(Transport::Icmpv4(header) | Transport::Icmpv6(header)) => {
            let _ = write!(text, "  ICMP {}/{} checksum={:04x}", header.kind, header.code, header.checksum);
        }
        None => {}
    }
    match &read.network {
        Some(Network::Ipv4(ip)) => {
            let fragment = if ip.dont_fragment { " df" } else { "" };
            let _ = write!(text, "  ip id={} ttl={}{fragment}", ip.identification, ip.ttl);
        }
        Some(Network::Ipv6(ip)) => {
            let _ = write!(text, "  ip hops={} flow={:05x}", ip.hop_limit, ip.flow_label);
        }
        Some(Network::Arp(_)) | None => {}
    }
    let payload = bytes.get(read.payload.clone()).unwrap_or_default();
    text + &content(payload) + read.malformed.as_deref().unwrap_or_default()
}

fn tcp(header: &Tcp) -> String {
    let mut text = format!(
        "  {} seq={} ack={} win={} checksum={:04x}",
        header.flags, header.seq.0, header.ack.0, header.window, header.checksum
    );
    let options = &header.options;
    let _ = options.mss.map(|mss| write!(text, " mss={mss}"));
    let _ = options.window_scale.map(|shift| write!(text, " ws={shift}"));
    if options.sack_permitted {
        text.push_str(" sack-permitted");
    }
    for (left, right) in &options.sack {
        let _ = write!(text, " sack={}-{}", left.0, right.0);
    }
    let _ = options.timestamps.map(|(value, echo)| write!(text, " ts={value}/{echo}"));
    text
}

/// Text as text, anything else by its digest.
fn content(payload: &[u8]) -> String {
    let is_text = |byte: &u8| byte.is_ascii_graphic() || byte.is_ascii_whitespace();
    match std::str::from_utf8(payload) {
        Ok("") => String::new(),
        Ok(words) if payload.iter().all(is_text) => format!("  {words:?}"),
        _ => {
            let digest = Sha256::digest(payload);
            let head: String = digest.iter().take(4).map(|byte| format!("{byte:02x}")).collect();
            format!("  {} octets, sha256 {head}", payload.len())
        }
    }
}

fn between(src: IpAddr, dst: IpAddr) -> String {
    format!("{src} > {dst}")
}

fn mac(octets: [u8; 6]) -> String {
    octets.map(|octet| format!("{octet:02x}")).join(":")
}
