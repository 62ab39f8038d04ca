//! Ladders of captures that other programs wrote: no journal, any number of hosts, and packets nobody should send.

use etherparse::{Icmpv4Type, PacketBuilder, TcpOptionElement, icmpv4};
use smallvec::SmallVec;

use super::super::text::width;
use super::*;
use crate::capture::Direction;
use crate::packet::{Medium, PacketId};
use crate::time::Instant;

const HOST: [u8; 4] = [192, 168, 0, 11];
const ROUTER: [u8; 4] = [192, 168, 0, 1];
const SHOP: [u8; 4] = [198, 51, 100, 34];
const NEWS: [u8; 4] = [203, 0, 113, 110];
const GROUP: [u8; 4] = [224, 0, 0, 251];
const LOCAL: [u8; 4] = [127, 0, 0, 1];

const FIN: u8 = 0x01;
const SYN: u8 = 0x02;
const RST: u8 = 0x04;
const ACK: u8 = 0x10;

type End = ([u8; 4], u16);

/// A segment with its flags, sequence and acknowledgment number; SYNs offer a window scale of 7.
fn tcp(from: End, to: End, flags: u8, seq: u32, ack: u32, data: &[u8]) -> Vec<u8> {
    let mut builder = PacketBuilder::ipv4(from.0, to.0, 64).tcp(from.1, to.1, seq, 502);
    if flags & SYN != 0 {
        builder = builder.syn().options(&[TcpOptionElement::WindowScale(7)]).expect("the option fits");
    }
    builder = if flags & FIN != 0 { builder.fin() } else { builder };
    builder = if flags & RST != 0 { builder.rst() } else { builder };
    builder = if flags & ACK != 0 { builder.ack(ack) } else { builder };
    let mut bytes = Vec::new();
    builder.write(&mut bytes, data).expect("a vector takes a packet");
    bytes
}

fn udp(from: End, to: End, data: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    let builder = PacketBuilder::ipv4(from.0, to.0, 64).udp(from.1, to.1);
    builder.write(&mut bytes, data).expect("a vector takes a packet");
    bytes
}

fn icmp(from: [u8; 4], to: [u8; 4], kind: Icmpv4Type, quoted: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    let builder = PacketBuilder::ipv4(from, to, 64).icmpv4(kind);
    builder.write(&mut bytes, quoted).expect("a vector takes a packet");
    bytes
}

/// The packets a millisecond apart, each cut to `kept` octets.
fn draw(packets: &[Vec<u8>], kept: usize, style: Style) -> String {
    let records: Vec<Record> = packets
        .iter()
        .zip(1..)
        .map(|(bytes, number)| Record {
            at: Instant::from_nanos(number * 1_000_000),
            packet: PacketId(number),
            direction: Direction::In,
            medium: Medium::Ip,
            bytes: bytes[..bytes.len().min(kept)].to_vec().into(),
            wire_len: bytes.len(),
            comments: SmallVec::new(),
        })
        .collect();
    let scene = Ladder { records: &records, far_records: None, entries: &[], ends: None, name_of: &|_| None };
    let text = ladder(&scene, &style);
    for line in text.lines() {
        assert!(width(line) <= style.width, "{line}");
    }
    text
}

fn draw_whole(packets: &[Vec<u8>]) -> String {
    draw(packets, usize::MAX, Style::plain(80))
}

/// Opens a connection, sends one octet and has it acknowledged.
fn opening(client: End, server: End) -> Vec<Vec<u8>> {
    vec![
        tcp(client, server, SYN, 100, 0, b""),
        tcp(server, client, SYN | ACK, 900, 101, b""),
        tcp(client, server, ACK, 101, 901, b""),
        tcp(client, server, ACK, 101, 901, b"x"),
        tcp(server, client, ACK, 901, 102, b""),
    ]
}

#[test]
fn on_loopback_the_client_is_left_and_the_columns_have_ports() {
    insta::assert_snapshot!(draw_whole(&opening((LOCAL, 40_000), (LOCAL, 80))));
}

#[test]
fn on_loopback_the_answer_alone_shows_who_the_server_is() {
    let text = draw_whole(&opening((LOCAL, 40_000), (LOCAL, 80))[1..2]);
    assert!(text.contains("127.0.0.1:40000             127.0.0.1:80"), "{text}");
    assert!(text.contains("│◄"), "{text}");
}

#[test]
fn several_pairs_of_hosts_are_kept_apart_line_by_line() {
    let mdns = || udp((HOST, 5353), (GROUP, 5353), b"who?");
    let mut packets = vec![mdns(), udp((HOST, 4000), (ROUTER, 53), &[0; 9]), udp((ROUTER, 53), (HOST, 4000), &[0; 9])];
    packets.extend(opening((HOST, 5000), (SHOP, 443)));
    let news = opening((HOST, 5001), (NEWS, 443));
    packets.push(news[0].clone());
    packets.push(tcp((HOST, 5000), (SHOP, 443), ACK, 102, 901, b"y"));
    packets.extend_from_slice(&news[1..]);
    packets.push(mdns());
    packets.push(tcp((NEWS, 443), (HOST, 5001), RST, 901, 0, b""));
    insta::assert_snapshot!(draw_whole(&packets));
}

#[test]
fn a_first_packet_to_everybody_does_not_name_the_columns() {
    let mut packets = vec![udp((HOST, 5353), (GROUP, 5353), b"who?"), udp((HOST, 68), ([255; 4], 67), b"any?")];
    packets.extend(opening((HOST, 5000), (SHOP, 443)));
    let text = draw_whole(&packets);
    let heading = text.lines().next().expect("there is a heading");
    assert!(heading.contains("192.168.0.11") && heading.ends_with("198.51.100.34"), "{text}");
    assert!(text.contains("hosts A: 192.168.0.11 → 224.0.0.251"), "{text}");
    assert!(text.contains("├─ SYN seq=0 (100)"), "{text}");
}

#[test]
fn the_window_is_scaled_and_gives_way_to_the_numbers() {
    let style = |width| Style { verbose: true, ..Style::plain(width) };
    let packets = opening((HOST, 5000), (SHOP, 443));
    let wide = draw(&packets, usize::MAX, style(120));
    assert!(wide.contains("ACK seq=1 ack=1 len=1 win=64256"), "{wide}");
    let late = draw(&packets[3..], usize::MAX, style(120));
    assert!(late.contains("ACK seq=1 ack=1 len=1 win=502 (unscaled)"), "{late}");
    let mut packets = packets;
    packets.push(tcp((HOST, 5000), (SHOP, 443), ACK, 1_000_000_101, 1_000_000_901, &[0; 1000]));
    let narrow = draw(&packets, usize::MAX, style(80));
    assert!(narrow.contains("├─ ACK seq=1 ack=1 len=1 win=64256"), "{narrow}");
    assert!(narrow.contains("│  new data"), "{narrow}");
    assert!(narrow.contains("├─ ACK seq=1000000001 len=1000 "), "{narrow}");
}

#[test]
fn headers_cut_by_the_capture_still_show_ports_numbers_and_flags() {
    let packets = opening((LOCAL, 40_000), (LOCAL, 80));
    assert_eq!(draw(&packets[..4], 36, Style::plain(80)), draw_whole(&packets[..4]).replace(" · \"x\"", ""));
    let text = draw(&packets, 28, Style::plain(80));
    assert!(text.contains("TCP 40000→80 seq=100"), "{text}");
    assert!(text.contains("cut: 28 of 44 octets") && !text.contains("byte(s)"), "{text}");
}

#[test]
fn fragments_say_which_octets_of_what_they_are() {
    let mut packets = Vec::new();
    for (more, offset) in [(0x20, 0), (0, 185)] {
        let mut bytes = udp((HOST, 7), (SHOP, 8), &[0; 1472]);
        bytes[4..8].copy_from_slice(&[0x12, 0x34, more, offset]);
        let sum = crate::packet::checksum::Sum::new().add_bytes(&bytes[..10]).add_bytes(&bytes[12..20]).complement();
        bytes[10..12].copy_from_slice(&sum.to_be_bytes());
        packets.push(bytes);
    }
    let mut v6 = vec![0x60, 0, 0, 0, 0, 16, 44, 64];
    v6.extend_from_slice(&[0xfd; 32]);
    v6.extend_from_slice(&[17, 0, 5, 0xa8, 0xab, 0xcd, 0, 1]);
    v6.extend_from_slice(&[0; 8]);
    packets.push(v6);
    let text = draw(&packets, usize::MAX, Style::plain(120));
    assert!(text.contains("IPv4 fragment id=0x1234 0–1479 of UDP") && text.contains("a piece; more follow"), "{text}");
    assert!(text.contains("IPv4 fragment id=0x1234 1480–2959 of UDP") && text.contains("the last piece"), "{text}");
    assert!(text.contains("IPv6 fragment id=0xabcd0001 1448–1455 of UDP"), "{text}");
    assert!(draw_whole(&packets[..2]).contains("├─ UDP fragment id=0x1234 0–1479 "), "{text}");
}

#[test]
fn an_icmp_error_says_what_it_means_and_which_packet_it_answers() {
    let (port, ttl) = (
        Icmpv4Type::DestinationUnreachable(icmpv4::DestUnreachableHeader::Port),
        Icmpv4Type::TimeExceeded(icmpv4::TimeExceededCode::TtlExceededInTransit),
    );
    let asked = [udp((HOST, 4000), (SHOP, 9), b"a"), udp((HOST, 4001), (SHOP, 9), b"b")];
    let (near, far) = (icmp(ROUTER, HOST, ttl, &asked[0][..28]), icmp(SHOP, HOST, port, &asked[1][..28]));
    let [first, second] = asked;
    insta::assert_snapshot!(draw_whole(&[first, second, far, near]));
}

#[test]
fn attempts_that_fail_are_explained_by_what_answered_them() {
    let (client, server) = ((HOST, 5000), (SHOP, 443));
    let packets = [
        tcp(client, server, SYN, 100, 0, b""),
        tcp(client, server, SYN, 100, 0, b""),
        tcp(server, client, RST | ACK, 0, 101, b""),
        tcp((HOST, 5001), server, 0, 100, 0, b""),
        tcp((HOST, 5002), server, SYN | FIN, 100, 0, b""),
    ];
    insta::assert_snapshot!(draw(&packets, usize::MAX, Style::plain(110)));
}

#[test]
fn bad_checksums_are_marked_and_those_left_to_the_card_only_named() {
    let mut bad = opening((HOST, 5000), (SHOP, 443));
    bad[1][36] ^= 1;
    bad[2][11] ^= 1;
    let text = draw_whole(&bad);
    assert_eq!((text.matches("bad TCP checksum").count(), text.matches("bad IPv4 header").count()), (1, 1), "{text}");
    let mut partial = opening((HOST, 5000), (SHOP, 443));
    for bytes in partial.iter_mut().filter(|bytes| bytes[12] == 192) {
        let len = bytes.len() as u32 - 20;
        let sum = crate::packet::checksum::Sum::new().add_pseudo_header(HOST.into(), SHOP.into(), 6, len).fold();
        bytes[36..38].copy_from_slice(&sum.to_be_bytes());
    }
    let text = draw(&partial, usize::MAX, Style::plain(120));
    assert_eq!(text.matches("checksum not filled in (offload?)").count(), 1, "{text}");
    assert!(!text.contains("bad"), "{text}");
}
