//! Bytes that no honest peer sends: whatever reads packets reads these too, says what it can, and never panics.

use std::num::NonZeroU16;

use bytes::Bytes;
use proptest::prelude::*;
use wireglass::journal::{DropReason, Event, Impairment, ProgramEvent};
use wireglass::lab::{self, Definition, Mode, Options, Wanted};
use wireglass::packet::{Checksum, Dissection, Medium, Packet, checksum, segment};

fn medium() -> impl Strategy<Value = Medium> {
    prop_oneof![Just(Medium::Ip), Just(Medium::Ethernet)]
}

/// Noise, or a TCP segment over IPv4 or IPv6 in which some octets were overwritten and whose end may be missing.
fn frame() -> impl Strategy<Value = (Medium, Vec<u8>)> {
    let noise = (medium(), prop::collection::vec(any::<u8>(), 0..200));
    let wrong = prop::collection::vec((0_usize..120, any::<u8>()), 0..6);
    let near_miss = (medium(), any::<bool>(), wrong, 0_usize..200).prop_map(|(medium, v6, wrong, length)| {
        let mut frame = segment_of(medium, v6);
        for (at, value) in wrong {
            if let Some(octet) = frame.get_mut(at) {
                *octet = value;
            }
        }
        frame.truncate(length);
        (medium, frame)
    });
    prop_oneof![1 => noise, 3 => near_miss]
}

/// 60 octets of data, with options.
fn segment_of(medium: Medium, v6: bool) -> Vec<u8> {
    let mut packet = Vec::new();
    let options =
        [etherparse::TcpOptionElement::MaximumSegmentSize(1460), etherparse::TcpOptionElement::Timestamp(1, 2)];
    let builder = match v6 {
        false => etherparse::PacketBuilder::ipv4([10, 0, 0, 1], [10, 0, 0, 2], 64),
        true => etherparse::PacketBuilder::ipv6([0xfd; 16], [0xfe; 16], 64),
    };
    let tcp = builder.tcp(40_000, 80, 0xffff_fff0, 1000).ack(7).options(&options).expect("they fit");
    tcp.write(&mut packet, &[0x55; 60]).expect("a vector takes every packet");
    match medium {
        Medium::Ip => packet,
        Medium::Ethernet => {
            let kind: [u8; 2] = if v6 { [0x86, 0xdd] } else { [8, 0] };
            [&[2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1][..], &kind, &packet].concat()
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(20_000))]

    #[test]
    fn any_bytes_are_a_packet_that_keeps_them((medium, frame) in frame()) {
        let packet = Packet::from_wire(medium, Bytes::from(frame.clone()));
        prop_assert_eq!(packet.len(), frame.len());
        prop_assert!(packet.network_len() <= packet.len());
        prop_assert_eq!(&packet.to_bytes()[..], &frame[..]);
        let (parts, whole) = (packet.dissect(), Dissection::of(medium, &frame, frame.len()));
        // Of a packet whose lengths contradict each other, the part that counts as headers may say less.
        if whole.malformed.is_none() && parts.malformed.is_none() {
            prop_assert_eq!(parts.addresses(), whole.addresses());
            prop_assert_eq!(parts.ports(), whole.ports());
        }
    }

    #[test]
    fn what_is_said_of_any_bytes_lies_within_them((medium, frame) in frame(), beyond in 0_usize..2000) {
        let dissection = Dissection::of(medium, &frame, frame.len() + beyond);
        prop_assert!(dissection.payload.start <= frame.len() + beyond, "{:?}", dissection.payload);
        if let Some(range) = dissection.transport_range() {
            prop_assert!(range.start <= range.end && range.end <= frame.len() + beyond, "{:?}", range);
        }
        checksum::verify(medium, &frame);
    }

    #[test]
    fn any_packet_can_be_cut_and_completed(
        (medium, frame) in frame(),
        size in 1_u16..200,
        is_super in any::<bool>(),
        partial in prop::option::of((0_u16..200, 0_u16..40)),
    ) {
        let length = frame.len();
        let mut packet = Packet::from_wire(medium, Bytes::from(frame));
        packet.set_gso_size(NonZeroU16::new(size).filter(|_| is_super));
        if let Some((start, offset)) = partial {
            packet.set_checksum(Checksum::Partial { start, offset });
        }
        let payload = packet.payload_len();
        let mut pieces = Vec::new();
        segment::cut(packet, &mut pieces);
        prop_assert!(!pieces.is_empty());
        prop_assert_eq!(pieces.iter().map(Packet::payload_len).sum::<usize>(), payload);
        for piece in &pieces {
            prop_assert!(piece.len() <= length && piece.gso_size().is_none());
            prop_assert_eq!(piece.checksum(), Checksum::Full);
        }
    }
}

/// A link that does everything to packets that links do. What is corrupted is refused for its checksum, named in the
/// journal, and sent again; both streams arrive whole.
#[test]
fn two_stacks_survive_a_link_that_corrupts_reorders_duplicates_and_loses() {
    let lab = Definition::parse(
        "harsh.toml",
        r#"
        id      = "95-harsh"
        title   = "Everything at once"
        summary = "A link that does everything to packets that links do."
        minutes = 1
        seed    = 95
        [node.client]
        live = "stack"
        [node.server]
        live = "stack"
        [[link]]
        between    = ["client", "server"]
        delay      = "3ms"
        jitter     = "2ms"
        rate       = "50mbit"
        loss       = "2%"
        corrupt    = "5%"
        duplicate  = "5%"
        reorder    = "5%"
        reorder_by = 3
        [[step]]
        on  = "server"
        run = { exchange-server = { port = 9000, bytes = "300KB" } }
        [[step]]
        on  = "client"
        run = { exchange = { to = "server:9000", bytes = "300KB" } }
        "#,
    )
    .expect("the lab is well formed");
    let options = Options { wanted: Wanted::Only(Mode::Sim), ..Options::default() };
    let finished = lab::run(&lab, &options).expect("a simulation needs nothing");
    assert_eq!(finished.failures, []);
    let (mut sent, mut received, mut corrupted, mut refused) = (Vec::new(), Vec::new(), 0, 0);
    let mut other = Vec::new();
    for entry in finished.recorder.journal().entries() {
        match &entry.event {
            Event::Program { report: ProgramEvent::StreamSent { bytes, sha256 }, .. } => sent.push((*bytes, sha256)),
            Event::Program { report: ProgramEvent::StreamReceived { bytes, sha256 }, .. } => {
                received.push((*bytes, sha256));
            }
            Event::Impaired { impairment: Impairment::Corrupted { .. }, .. } => corrupted += 1,
            Event::PacketDropped { reason: DropReason::Malformed, .. }
            | Event::PacketDropped { reason: DropReason::BadHeaderChecksum, .. }
            | Event::PacketDropped { reason: DropReason::BadTransportChecksum, .. } => refused += 1,
            // What came twice, or was overtaken by a copy sent later.
            Event::PacketDropped { reason: DropReason::Duplicate | DropReason::OldTimestamp, .. } => {}
            Event::PacketDropped { reason, .. } => other.push(*reason),
            _ => {}
        }
    }
    sent.sort();
    received.sort();
    assert_eq!(sent, received);
    assert_eq!(sent.iter().map(|(bytes, _)| bytes).collect::<Vec<_>>(), [&300_000, &300_000]);
    assert!(corrupted > 20 && other.is_empty(), "{corrupted} corrupted, refused for other reasons: {other:?}");
    // A copy of a corrupted packet is corrupted too, and a corrupted packet may be lost.
    assert!(refused * 2 > corrupted && refused < corrupted * 2, "{refused} refused of {corrupted}");
}
