//! Which packets are taken, and why others are not.

use super::*;
use crate::packet::Checksum;

#[test]
fn a_datagram_reaches_its_transport_over_both_families_and_media() {
    for medium in MEDIA {
        for v6 in [false, true] {
            let mut subject = Subject::new(medium);
            let arrival = subject.takes(&datagram(v6, b"hello"));
            let Some(Arrival::Transport(delivered)) = &arrival else { panic!("{arrival:?}") };
            let read = (delivered.src, delivered.dst, delivered.protocol, delivered.hops, delivered.ecn);
            assert_eq!(read, (host(2, v6), host(1, v6), 17, 64, 0));
            assert_eq!(delivered.packet.id, PacketId(1));
            assert_eq!(data(arrival).as_deref(), Some(&b"hello"[..]));
            assert!(subject.drops().is_empty());
        }
    }
}

#[test]
fn what_a_link_adds_behind_a_packet_is_cut_off() {
    for v6 in [false, true] {
        let mut subject = Subject::new(Medium::Ethernet);
        let mut frame = subject.frame(&datagram(v6, b"x"));
        frame.extend_from_slice(&[0xaa; 30]);
        assert_eq!(data(subject.takes_frame(frame)).as_deref(), Some(&b"x"[..]));
    }
}

#[test]
fn data_among_the_headers_is_told_apart() {
    let mut subject = Subject::new(Medium::Ip);
    let packet = Packet::new(Medium::Ip, &datagram(false, b"hello"));
    let arrival = subject.host.receive(subject.now, packet);
    let Some(Arrival::Transport(delivered)) = &arrival else { panic!("{arrival:?}") };
    assert_eq!((delivered.packet.headers().len(), delivered.packet.payload_len()), (28, 5));
    assert_eq!(data(arrival).as_deref(), Some(&b"hello"[..]));
}

/// Whole segments come in without a copy.
#[test]
fn the_payload_of_a_packet_is_shared_on_its_way_in_and_out() {
    let mut subject = Subject::acquainted(Medium::Ethernet);
    let frame = Bytes::from(subject.frame(&datagram(true, &pattern(1000))));
    let arrival = subject.host.receive(subject.now, Packet::from_wire(Medium::Ethernet, frame.clone()));
    let Some(Arrival::Transport(delivered)) = &arrival else { panic!("{arrival:?}") };
    assert_eq!(delivered.packet.payload()[0].as_ptr(), frame[62..].as_ptr());
    let outgoing = segment(host(2, true), &pattern(1000), None);
    let given = outgoing.payload[0].clone();
    subject.host.send(subject.now, outgoing).expect("there is a way");
    let (packet, _) = subject.host.transmit(subject.now).expect("it was sent");
    assert_eq!(packet.payload()[0].as_ptr(), given.as_ptr());
}

#[test]
fn a_frame_of_another_protocol_or_vlan_is_dropped() {
    let mut subject = Subject::new(Medium::Ethernet);
    let frame = subject.frame(&datagram(false, b"x"));
    let tagged = [&frame[..12], &[0x81, 0, 0, 7], &frame[12..]].concat();
    let other = [&frame[..12], &[0x88, 0xcc], &frame[14..]].concat();
    for frame in [tagged, other] {
        assert!(subject.takes_frame(frame).is_none());
    }
    assert_eq!(subject.drops(), [DropReason::UnknownProtocol; 2]);
}

/// RFC 1122 §3.2.1.1, §3.2.1.2, §3.2.1.3, §4.1.3.4; RFC 9293 MUST-3; RFC 768.
#[test]
fn a_bad_packet_is_dropped_with_its_reason() {
    type Case = (&'static str, bool, fn(&mut Vec<u8>), DropReason);
    let cases: [Case; 11] = [
        ("a version that nobody knows", false, |packet| packet[0] = 0x75, DropReason::Malformed),
        ("a header shorter than the shortest", false, |packet| packet[0] = 0x44, DropReason::Malformed),
        ("cut short", false, |packet| packet.truncate(30), DropReason::Malformed),
        ("cut short", true, |packet| packet.truncate(50), DropReason::Malformed),
        ("a wrong header checksum", false, |packet| packet[10] ^= 1, DropReason::BadHeaderChecksum),
        ("a wrong checksum", false, |packet| packet[30] ^= 1, DropReason::BadTransportChecksum),
        ("a wrong checksum", true, |packet| packet[50] ^= 1, DropReason::BadTransportChecksum),
        ("no checksum over IPv6", true, |packet| packet[46..48].fill(0), DropReason::BadTransportChecksum),
        ("a UDP length beyond the end", true, |packet| packet[44] = 9, DropReason::Malformed),
        ("a UDP length below the header's", false, |packet| packet[25] = 7, DropReason::Malformed),
        ("not one octet", false, Vec::clear, DropReason::Malformed),
    ];
    for (what, v6, spoil, reason) in cases {
        for medium in MEDIA {
            let mut subject = Subject::new(medium);
            let mut packet = datagram(v6, b"hello");
            spoil(&mut packet);
            assert!(subject.takes(&packet).is_none(), "{what}");
            assert_eq!(subject.drops(), [reason], "{what}, IPv6: {v6}");
            assert!(subject.sent().is_empty(), "{what}");
        }
    }
}

#[test]
fn a_datagram_without_checksum_is_taken_over_ipv4() {
    let mut subject = Subject::new(Medium::Ip);
    let mut packet = datagram(false, b"hello");
    packet[26..28].fill(0);
    assert_eq!(data(subject.takes(&packet)).as_deref(), Some(&b"hello"[..]));
}

/// RFC 1122 §3.2.1.3, RFC 9293 MUST-63, CONFORMANCE 32.
#[test]
fn an_impossible_source_is_dropped() {
    let sources = ["224.0.0.5", "255.255.255.255", "10.0.0.255", "127.0.0.1", "0.0.0.0", "10.0.0.1", "241.0.0.1"];
    for src in sources.into_iter().chain(["ff02::5", "::1", "::", "fd00::1"]) {
        let mut subject = Subject::new(Medium::Ip);
        let src = ip(src);
        assert!(subject.takes(&datagram_between(src, host(1, src.is_ipv6()), b"x")).is_none());
        assert_eq!((subject.drops(), subject.sent().len()), (vec![DropReason::InvalidSource], 0), "{src}");
    }
}

/// RFC 1122 §3.2.1.3, §3.3.6.
#[test]
fn only_packets_for_us_are_taken() {
    let ours = ["10.0.0.1", "10.0.0.255", "255.255.255.255", "224.0.0.1", "fd00::1", "ff02::1", "ff02::1:ff00:1"];
    let others = ["10.0.0.3", "127.0.0.1", "224.0.0.9", "fd00::3", "::1", "ff02::9"];
    for (addresses, taken) in [(&ours[..], true), (&others[..], false)] {
        for dst in addresses {
            for medium in MEDIA {
                let mut subject = Subject::new(medium);
                let dst = ip(dst);
                let arrival = subject.takes(&datagram_between(host(2, dst.is_ipv6()), dst, b"x"));
                assert_eq!(arrival.is_some(), taken, "{dst}");
                let reasons = if taken { vec![] } else { vec![DropReason::NotForUs] };
                assert_eq!((subject.drops(), subject.sent().len()), (reasons, 0), "{dst}");
            }
        }
    }
}

#[test]
fn a_joined_group_is_heard_until_it_is_left() {
    let mut subject = Subject::new(Medium::Ethernet);
    let packet = datagram_between(host(2, false), ip("239.1.2.3"), b"x");
    assert!(subject.takes(&packet).is_none() && subject.host.join(ip("239.1.2.3")));
    assert!(subject.takes(&packet).is_some());
    subject.host.leave(ip("239.1.2.3"));
    assert!(subject.takes(&packet).is_none());
}

#[test]
fn a_frame_for_another_mac_address_is_dropped() {
    let mut subject = Subject::new(Medium::Ethernet);
    let mut frame = subject.frame(&datagram(false, b"x"));
    frame[5] = 9;
    assert!(subject.takes_frame(frame).is_none());
    assert_eq!(subject.drops(), [DropReason::NotForUs]);
}

/// RFC 1122 §3.3.6.
#[test]
fn what_everybody_gets_must_be_for_everybody() {
    let mut subject = Subject::new(Medium::Ethernet);
    let mut frame = subject.frame(&datagram(false, b"x"));
    frame[..6].fill(0xff);
    assert!(subject.takes_frame(frame).is_none());
    assert_eq!(subject.drops(), [DropReason::NotForUs]);
}

/// RFC 1122 §4.2.3.10, RFC 9293 MUST-57.
#[test]
fn a_segment_to_many_is_dropped() {
    let addresses = [("10.0.0.2", "10.0.0.255"), ("10.0.0.2", "224.0.0.1"), ("fd00::2", "ff02::1")];
    for (src, dst) in addresses {
        let mut subject = Subject::new(Medium::Ip);
        let mut segment = vec![0x13, 0x88, 0, 80, 0, 0, 0, 1, 0, 0, 0, 0, 0x50, 2, 0xff, 0xff, 0, 0, 0, 0];
        let sum = Sum::new().add_pseudo_header(ip(src), ip(dst), 6, 20).add_bytes(&segment).complement();
        segment[16..18].copy_from_slice(&sum.to_be_bytes());
        assert!(subject.takes(&raw(ip(src), ip(dst), 6, 64, &segment)).is_none());
        assert_eq!((subject.drops(), subject.sent().len()), (vec![DropReason::NotForUs], 0));
    }
}

/// RFC 791 §3.1, RFC 1122 §3.2.1.8, RFC 9293 MUST-50.
#[test]
fn options_that_nobody_knows_are_skipped() {
    let mut subject = Subject::new(Medium::Ip);
    let plain = datagram(false, b"hello");
    let mut packet = [&plain[..20], &[0x9f, 6, 1, 2, 3, 4, 1, 0], &plain[20..]].concat();
    packet[0] = 0x47;
    packet[3] += 8;
    super::super::fragment::write_header_checksum(&mut packet[..28]);
    assert_eq!(data(subject.takes(&packet)).as_deref(), Some(&b"hello"[..]));
}

/// RFC 1122 §3.2.1.7: hops are no reason to drop what has arrived.
#[test]
fn a_packet_at_the_end_of_its_hops_is_taken() {
    for hops in [0, 1] {
        let mut subject = Subject::new(Medium::Ip);
        let datagram = datagram(false, b"x");
        let packet = raw(host(2, false), host(1, false), 17, hops, &datagram[20..]);
        assert!(subject.takes(&packet).is_some(), "{hops}");
    }
}

/// CONFORMANCE 39, RFC 8200 §4.2: the four actions, to one host and to a group.
#[test]
fn options_are_skipped_dropped_or_complained_about() {
    for header in [0_u8, 60] {
        for (kind, dst, taken, told) in [
            (0x1e, "fd00::1", true, false),
            (0x5e, "fd00::1", false, false),
            (0x9e, "fd00::1", false, true),
            (0xde, "fd00::1", false, true),
            (0x1e, "ff02::1", true, false),
            (0x5e, "ff02::1", false, false),
            (0x9e, "ff02::1", false, true),
            (0xde, "ff02::1", false, false),
        ] {
            for medium in MEDIA {
                let mut subject = Subject::acquainted(medium);
                let plain = datagram_between(host(2, true), ip(dst), b"hello");
                let packet =
                    raw(host(2, true), ip(dst), header, 64, &[&[17, 0, kind, 4, 0, 0, 0, 0], &plain[40..]].concat());
                assert_eq!(subject.takes(&packet).is_some(), taken, "{header} {kind:x} {dst}");
                let sent = subject.sent();
                assert_eq!(sent.len(), usize::from(told), "{header} {kind:x} {dst}");
                if let [problem] = &sent[..] {
                    assert_eq!(problem.says(), (4, 2, 42));
                    assert_eq!((problem.ends(), problem.payload()), ((host(1, true), host(2, true)), &packet[..]));
                }
            }
        }
    }
}

/// CONFORMANCE 35, RFC 4443 §3.4, RFC 1122 §3.2.2.1.
#[test]
fn an_unknown_protocol_is_complained_about() {
    let mut subject = Subject::new(Medium::Ip);
    let packet = raw(host(2, true), host(1, true), 253, 64, &[0; 20]);
    assert!(subject.takes(&packet).is_none());
    let problem = subject.sent_one();
    assert_eq!((problem.says(), problem.payload()), ((4, 1, 6), &packet[..]));
    for protocol in [253, 51, 2, 58] {
        let packet = raw(host(2, false), host(1, false), protocol, 64, &[4; 20]);
        assert!(subject.takes(&packet).is_none());
        let unreachable = subject.sent_one();
        assert_eq!((unreachable.says(), unreachable.payload()), ((3, 2, 0), &packet[..]), "protocol {protocol}");
        assert_eq!(unreachable.why.reason, Reason::IcmpError);
    }
    assert_eq!(subject.drops(), [DropReason::UnknownProtocol; 5]);
}

#[test]
fn a_super_segment_is_taken_whole_on_its_makers_word() {
    for v6 in [false, true] {
        let (mut maker, mut subject) = (Subject::acquainted(Medium::Ip), Subject::new(Medium::Ip));
        let mut outgoing = segment(host(2, v6), &pattern(20_000), Some(1400));
        maker.host.send(maker.now, outgoing.clone()).expect("there is room");
        let (packet, _) = maker.host.transmit(maker.now).expect("it was sent");
        assert_eq!(packet.gso_size().map(NonZeroU16::get), Some(1400));
        assert!(packet.checksum() != Checksum::Full);
        // The same packet on its way to us: the addresses change places.
        outgoing.header[16] = 0;
        let mut packet = Packet::new(Medium::Ip, packet.headers());
        let (src, dst) = if v6 { (8..24, 24..40) } else { (12..16, 16..20) };
        let (a, b) = (packet.headers()[src.clone()].to_vec(), packet.headers()[dst.clone()].to_vec());
        packet.headers_mut()[src].copy_from_slice(&b);
        packet.headers_mut()[dst].copy_from_slice(&a);
        packet.push_payload(Bytes::from(pattern(20_000)));
        packet.set_gso_size(NonZeroU16::new(1400));
        assert_eq!(data(subject.host.receive(subject.now, packet)), Some(pattern(20_000)));
    }
}
