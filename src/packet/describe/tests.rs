//! Headers described: what is told of good frames, and that no frame is too bad to be described.

use etherparse::{ArpEthIpv4Packet, ArpOperation, ArpPacket, Icmpv4Type, PacketBuilder, icmpv4};
use proptest::prelude::*;

use super::*;

fn syn() -> Vec<u8> {
    let mut frame = Vec::new();
    PacketBuilder::ethernet2([2, 0, 0, 0, 0, 1], [2, 0, 0, 0, 0, 2])
        .ipv4([10, 0, 0, 1], [10, 0, 0, 2], 64)
        .tcp(40_000, 80, 1000, 64_240)
        .syn()
        .options_raw(&[2, 4, 5, 180, 4, 2, 8, 10, 0, 0, 0, 7, 0, 0, 0, 0, 1, 3, 3, 7, 254, 6, 1, 2, 3, 4, 0, 0])
        .expect("the options fit")
        .write(&mut frame, &[])
        .expect("a vector takes every packet");
    frame
}

fn request() -> Vec<u8> {
    let mut frame = Vec::new();
    PacketBuilder::ipv6([0xfd; 16], [0xfe; 16], 64)
        .tcp(40_000, 80, 1001, 501)
        .ack(9001)
        .psh()
        .write(&mut frame, b"GET / HTTP/1.1\r\nHost: a\x1b[2J\r\n\r\n")
        .expect("a vector takes every packet");
    frame
}

fn datagram() -> Vec<u8> {
    let mut frame = Vec::new();
    PacketBuilder::ipv4([10, 0, 0, 1], [10, 0, 0, 2], 64)
        .udp(5000, 5001)
        .write(&mut frame, &[0, 1, 2, 0xff, b'o', b'k'])
        .expect("a vector takes every packet");
    frame
}

fn port_unreachable() -> Vec<u8> {
    let mut frame = Vec::new();
    PacketBuilder::ipv4([10, 0, 0, 2], [10, 0, 0, 1], 64)
        .icmpv4(Icmpv4Type::DestinationUnreachable(icmpv4::DestUnreachableHeader::Port))
        .write(&mut frame, &datagram())
        .expect("a vector takes every packet");
    frame
}

fn arp_request() -> Vec<u8> {
    let mut frame = Vec::new();
    let message = ArpEthIpv4Packet {
        operation: ArpOperation::REQUEST,
        sender_mac: [2, 0, 0, 0, 0, 1],
        sender_ipv4: [10, 0, 0, 1],
        target_mac: [0; 6],
        target_ipv4: [10, 0, 0, 2],
    };
    PacketBuilder::ethernet2([2, 0, 0, 0, 0, 1], [0xff; 6])
        .arp(ArpPacket::from(message))
        .write(&mut frame)
        .expect("a vector takes every packet");
    frame
}

/// A frame as lines: a layer's name and summary, then its fields with their octets.
fn told(medium: Medium, frame: &[u8]) -> String {
    let mut lines = Vec::new();
    for layer in layers(medium, frame, frame.len()) {
        lines.push(format!("{} [{:?}] {}", layer.name, layer.range, layer.summary));
        for field in layer.fields {
            let filter = field.filter.unwrap_or("-");
            lines.push(format!("  {:?} {} = {} ({filter})", field.range, field.name, field.value));
        }
    }
    lines.join("\n")
}

fn value<'a>(layers: &'a [Layer], field: &str) -> &'a str {
    let mut fields = layers.iter().flat_map(|layer| &layer.fields);
    fields.find(|candidate| candidate.name == field).map_or("", |field| field.value.as_str())
}

#[test]
fn a_syn_on_ethernet_is_told_field_by_field() {
    insta::assert_snapshot!(told(Medium::Ethernet, &syn()));
}

#[test]
fn text_over_ipv6_is_told_line_by_line_with_control_characters_shown() {
    insta::assert_snapshot!(told(Medium::Ip, &request()));
}

#[test]
fn an_icmp_error_names_the_packet_that_it_quotes() {
    insta::assert_snapshot!(told(Medium::Ip, &port_unreachable()));
}

#[test]
fn arp_and_a_binary_datagram_are_told() {
    insta::assert_snapshot!(format!("{}\n\n{}", told(Medium::Ethernet, &arp_request()), told(Medium::Ip, &datagram())));
}

#[test]
fn a_wrong_checksum_is_told_with_the_right_one() {
    let good = syn();
    let right = value(&layers(Medium::Ethernet, &good, good.len()), "Checksum").replace(" [good]", "");
    let mut frame = good.clone();
    frame[50] ^= 0x40;
    frame[24] ^= 0x01;
    let layers = layers(Medium::Ethernet, &frame, frame.len());
    assert!(value(&layers, "Checksum").ends_with(&format!("[bad, should be {right}]")), "{layers:#?}");
    assert!(value(&layers, "Header Checksum").contains("[bad, should be 0x"), "{layers:#?}");
}

#[test]
fn padding_and_ipv4_options_are_told() {
    let mut frame = vec![2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1, 8, 0];
    let mut header = etherparse::Ipv4Header::new(0, 1, etherparse::IpNumber(99), [10, 0, 0, 1], [10, 0, 0, 2])
        .expect("an empty payload fits");
    header.options = [148, 4, 0, 0].into();
    header.set_payload_len(0).expect("nothing fits");
    header.header_checksum = header.calc_header_checksum();
    header.write(&mut frame).expect("a vector takes every header");
    frame.resize(60, 0);
    let layers = layers(Medium::Ethernet, &frame, frame.len());
    assert_eq!(value(&layers, "Option"), "148 (Router Alert): 94 04 00 00");
    assert!(value(&layers, "Padding").starts_with("22 octets: 00 00"));
    assert!(value(&layers, "Header Checksum").ends_with("[good]"));
    assert_eq!(layers.len(), 2);
}

#[test]
fn an_ipv6_fragment_is_told_with_its_extension_header() {
    let mut frame = vec![0x60, 0, 0, 0, 0, 16, 44, 64];
    frame.extend_from_slice(&[0xfd; 32]);
    frame.extend_from_slice(&[17, 0, 0, 0x11, 0, 0, 0, 9]);
    frame.extend_from_slice(b"the rest");
    let layers = layers(Medium::Ip, &frame, frame.len());
    let summaries: Vec<&str> = layers.iter().map(|layer| layer.summary.as_str()).collect();
    assert_eq!(summaries[1..], ["fragment at octet 16, more follow", "8 octets: the rest"]);
}

#[test]
fn every_cut_of_a_frame_says_what_is_missing() {
    for (medium, frame) in [(Medium::Ethernet, syn()), (Medium::Ip, request()), (Medium::Ip, port_unreachable())] {
        for kept in 0..frame.len() {
            for wire_len in [kept, frame.len()] {
                let told = format!("{:?}", layers(medium, &frame[..kept], wire_len));
                let says = ["reading stopped", "octets are here", "octet is here", "octets captured"];
                assert!(says.iter().any(|says| told.contains(says)), "{kept} octets of {medium:?}: {told}");
                assert!(!told.contains("byte(s)"), "{told}");
            }
        }
    }
}

#[test]
fn a_tcp_header_that_a_capture_cut_is_told_as_far_as_it_goes() {
    let frame = syn();
    let cut = |kept: usize| {
        layers(Medium::Ethernet, &frame[..kept], frame.len())
            .into_iter()
            .skip(2)
            .map(|layer| {
                let fields: Vec<String> =
                    layer.fields.iter().map(|field| format!("  {} = {}", field.name, field.value)).collect();
                format!("{} [{:?}] {}\n{}", layer.name, layer.range, layer.summary, fields.join("\n"))
            })
            .collect::<Vec<_>>()
            .join("\n")
    };
    insta::assert_snapshot!([50, 43, 60].map(cut).join("\n\n"));
}

#[test]
fn a_cut_header_is_not_read_where_nothing_was_cut() {
    let frame = &syn()[..50];
    let dissection = Dissection::of(Medium::Ethernet, frame, 50);
    assert_eq!((cut_tcp(&dissection, frame), cut_summary(&dissection, frame)), (None, None));
}

#[test]
fn vlan_tags_are_layers_of_their_own() {
    let mut frame = syn();
    frame.splice(12..12, [0x88, 0xa8, 0x70, 0x64, 0x81, 0, 0, 10]);
    let told = told(Medium::Ethernet, &frame);
    let lines: Vec<&str> = told.lines().skip(3).take(12).collect();
    insta::assert_snapshot!(lines.join("\n"));
}

#[test]
fn fragments_say_what_they_are_a_part_of() {
    let mut v4 = datagram();
    v4[4..8].copy_from_slice(&[0x12, 0x34, 0x20, 185]);
    let whole = Fragment { identification: 0x1234, octets: 1480..1494, is_more: true, protocol: "UDP" };
    assert_eq!(fragment(&Dissection::of(Medium::Ip, &v4, v4.len()), &v4), Some(whole));
    let mut v6 = vec![0x60, 0, 0, 0, 0, 16, 44, 64];
    v6.extend_from_slice(&[0xfd; 32]);
    v6.extend_from_slice(&[17, 0, 0, 0x10, 0, 0, 0, 9]);
    v6.extend_from_slice(b"the rest");
    let last = Fragment { identification: 9, octets: 16..24, is_more: false, protocol: "UDP" };
    assert_eq!(fragment(&Dissection::of(Medium::Ip, &v6, v6.len()), &v6), Some(last));
    assert_eq!(fragment(&Dissection::of(Medium::Ip, &datagram(), 34), &datagram()), None);
}

#[test]
fn an_option_of_impossible_length_ends_the_options() {
    let mut frame = syn();
    frame[14 + 20 + 20 + 1] = 200;
    let layers = layers(Medium::Ethernet, &frame, frame.len());
    let options: Vec<&str> =
        layers[2].fields.iter().map(|field| field.name).filter(|name| name.starts_with("Option")).collect();
    assert_eq!(options, ["Option: malformed"]);
    assert!(value(&layers, "Option: malformed").starts_with("kind 2 claims 200 octets, which is impossible: 02 c8"));
}

#[test]
fn the_summary_is_that_of_the_innermost_header() {
    let line = summary(Medium::Ip, &request());
    assert!(line.ends_with("TCP PSH,ACK seq=1001 ack=9001 win=501 len=31"), "{line}");
    assert!(summary(Medium::Ip, &[]).starts_with("reading stopped"));
}

/// A frame that is good but for some octets, or cut, or nothing but noise.
fn any_frame() -> impl Strategy<Value = Vec<u8>> {
    let good =
        prop_oneof![Just(syn()), Just(request()), Just(datagram()), Just(port_unreachable()), Just(arp_request()),];
    let changes = prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..6);
    let mutated = (good, changes, any::<prop::sample::Index>()).prop_map(|(mut frame, changes, cut)| {
        for (at, octet) in changes {
            let at = at.index(frame.len());
            frame[at] = octet;
        }
        let kept = cut.index(2 * frame.len());
        frame.truncate(kept);
        frame
    });
    prop_oneof![3 => mutated, 1 => prop::collection::vec(any::<u8>(), 0..200)]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4000))]

    #[test]
    fn any_frame_is_described_within_its_bounds(frame in any_frame(), beyond in 0_usize..40) {
        for medium in [Medium::Ip, Medium::Ethernet] {
            for layer in layers(medium, &frame, frame.len() + beyond) {
                prop_assert!(layer.range.end <= frame.len() && layer.range.start <= layer.range.end);
                for field in &layer.fields {
                    prop_assert!(field.range.end <= frame.len() && field.range.start <= field.range.end, "{field:?}");
                }
            }
            summary(medium, &frame);
        }
    }
}
