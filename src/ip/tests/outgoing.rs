//! What leaves, how, and what does not.

use super::*;
use crate::ip::{SendError, limits};
use crate::packet::{Checksum, DeliveryError};

#[test]
fn a_datagram_leaves_with_headers_and_a_checksum_that_the_edge_completes() {
    for medium in MEDIA {
        for v6 in [false, true] {
            let mut subject = Subject::acquainted(medium);
            let datagram = Outgoing { traffic_class: 0xb9, hops: 7, ..outgoing(host(2, v6), b"odd") };
            subject.host.send(subject.now, datagram).expect("there is a way");
            let (packet, why) = subject.host.transmit(subject.now).expect("it was sent");
            let start = packet.headers().len() as u16 - 8;
            assert_eq!(packet.checksum(), Checksum::Partial { start, offset: 6 });
            assert_eq!(why.reason, Reason::Datagram);
            let mut pieces = Vec::new();
            segment::cut(packet, &mut pieces);
            let bytes = pieces[0].to_bytes();
            assert!(checksum::verify(medium, &bytes).is_good());
            let (class, hops) = match Dissection::of(medium, &bytes, bytes.len()).network {
                Some(Network::Ipv4(ip)) => (ip.dscp << 2 | ip.ecn, ip.ttl),
                Some(Network::Ipv6(ip)) => (ip.dscp << 2 | ip.ecn, ip.hop_limit),
                other => panic!("{other:?}"),
            };
            assert_eq!((class, hops), (0xb9, 7));
        }
    }
}

/// RFC 1122 §3.2.1.7.
#[test]
fn no_packet_leaves_with_its_hops_used_up() {
    let mut subject = Subject::new(Medium::Ip);
    subject.host.send(subject.now, Outgoing { hops: 0, ..outgoing(host(2, false), b"x") }).expect("there is a way");
    assert_eq!(subject.sent_one().ipv4().ttl, 1);
    subject.host.send(subject.now, Outgoing { hops: 0, ..outgoing(host(2, true), b"x") }).expect("there is a way");
    assert_eq!(subject.sent_one().bytes[7], 1);
}

/// CONFORMANCE 37, RFC 6864 §4: with and without DF, and for each piece of a super-segment.
#[test]
fn every_packet_has_an_identification_of_its_own() {
    let mut subject = Subject::new(Medium::Ip);
    let again = segment(host(2, false), &pattern(100), None);
    for dont_fragment in [true, false, true] {
        subject.host.send(subject.now, Outgoing { dont_fragment, ..again.clone() }).expect("there is a way");
    }
    subject.host.send(subject.now, segment(host(2, false), &pattern(7000), Some(1000))).expect("there is a way");
    subject.host.send(subject.now, again).expect("there is a way");
    let sent = subject.sent();
    let mut identifications: Vec<_> = sent.iter().map(|sent| sent.ipv4().identification).collect();
    identifications.sort_unstable();
    identifications.dedup();
    assert_eq!((sent.len(), identifications.len()), (11, 11));
    assert_eq!(sent[..3].iter().map(|sent| sent.ipv4().dont_fragment).collect::<Vec<_>>(), [true, false, true]);
}

/// RFC 8200 §4.5: the fragments of one packet share an identification, and no other packet has it.
#[test]
fn every_fragmented_packet_has_an_identification_of_its_own() {
    let mut subject = Subject::new(Medium::Ip);
    for _ in 0..3 {
        subject.host.send(subject.now, outgoing(host(2, true), &pattern(2000))).expect("there is a way");
    }
    let sent = subject.sent();
    let identification =
        |sent: &Sent| u32::from_be_bytes([sent.bytes[44], sent.bytes[45], sent.bytes[46], sent.bytes[47]]);
    let identifications: Vec<_> = sent.iter().map(identification).collect();
    let [a, b, c, d, e, f] = identifications[..] else { panic!("{identifications:?}") };
    assert!(a == b && c == d && e == f && a != c && c != e && a != e, "{identifications:?}");
}

#[test]
fn what_cannot_be_sent_is_refused_with_its_reason() {
    let mut subject = Subject::new(Medium::Ip);
    let now = subject.now;
    let alone = Config { gateways: Vec::new(), ..config(Medium::Ip) };
    let mut lonely = Host::new(alone, now);
    assert_eq!(lonely.send(now, outgoing(ip("8.8.8.8"), b"")), Err(SendError::NoRoute(ip("8.8.8.8"))));
    let foreign = Outgoing { src: host(3, false), ..outgoing(host(2, false), b"") };
    assert_eq!(subject.host.send(now, foreign), Err(SendError::BadSource(host(3, false))));
    let mixed = Outgoing { src: host(1, true), ..outgoing(host(2, false), b"") };
    assert_eq!(subject.host.send(now, mixed), Err(SendError::BadSource(host(1, true))));
    let inner = Outgoing { src: ip("127.0.0.1"), ..outgoing(host(2, false), b"") };
    assert_eq!(subject.host.send(now, inner), Err(SendError::BadSource(ip("127.0.0.1"))));
    for (v6, most) in [(false, 65_507), (true, 65_527)] {
        let long = |octets| outgoing(host(2, v6), &vec![0; octets]);
        assert_eq!(subject.host.send(now, long(most + 1)), Err(SendError::TooLong(most + 9)));
        assert_eq!(subject.host.send(now, long(most)), Ok(()));
    }
    let whole = Outgoing { dont_fragment: true, ..outgoing(host(2, false), &[0; 1473]) };
    assert_eq!(subject.host.send(now, whole), Err(SendError::TooBig { mtu: 1500 }));
    assert!(subject.sent().len() > 80);
}

#[test]
fn the_queue_to_the_link_is_bounded() {
    let mut subject = Subject::new(Medium::Ip);
    let results = (0..10_000).map(|_| subject.host.send(subject.now, outgoing(host(2, false), b"x")));
    let sent = results.take_while(Result::is_ok).count();
    assert_eq!(sent, limits::OUTBOUND.packets);
    assert_eq!(subject.host.send(subject.now, outgoing(host(2, false), b"x")), Err(SendError::QueueFull));
    let mut wide = Subject::new(Medium::Ip);
    let long = || outgoing(host(2, true), &[0; 60_000]);
    let sent = (0..10_000).take_while(|_| wide.host.send(wide.now, long()).is_ok()).count();
    assert!((190..limits::OUTBOUND.octets / 60_000 + 1).contains(&sent), "{sent}");
    assert!(wide.drops().is_empty(), "either all fragments of a datagram are sent or none");
}

/// RFC 791 §3.2, RFC 8200 §4.5: what is cut can be joined, and each fragment fits.
#[test]
fn a_long_datagram_goes_in_fragments_that_a_receiver_joins() {
    for medium in MEDIA {
        for v6 in [false, true] {
            for octets in [1465, 1473, 3000, 65_507] {
                let mut subject = Subject::acquainted(medium);
                let mut datagram = outgoing(host(2, v6), &pattern(octets));
                datagram.payload = [&pattern(octets)[..7], &pattern(octets)[7..]].map(Bytes::copy_from_slice).into();
                subject.host.send(subject.now, datagram).expect("there is a way");
                let sent = subject.sent();
                assert!(sent.len() > 1 || octets < 1473, "{octets}");
                let mut receiver = Subject {
                    host: Host::new(
                        Config {
                            addresses: vec![(host(2, false), 24), (host(2, true), 64)],
                            mac: PEER_MAC,
                            ..config(medium)
                        },
                        Instant::ZERO,
                    ),
                    ..Subject::new(medium)
                };
                let mut arrived = Vec::new();
                for fragment in &sent {
                    arrived.extend(data(receiver.takes_frame(fragment.bytes.to_vec())));
                }
                assert_eq!(arrived, [pattern(octets)], "{octets} {:?}", receiver.drops());
            }
        }
    }
}

/// FACTS: Linux sends 3000 octets as 1500, 1500 and 68.
#[test]
fn fragments_are_as_long_as_the_path_takes() {
    let mut subject = Subject::new(Medium::Ip);
    subject.host.send(subject.now, outgoing(host(2, false), &pattern(3000))).expect("there is a way");
    assert_eq!(subject.sent().iter().map(|sent| sent.bytes.len()).collect::<Vec<_>>(), [1500, 1500, 68]);
    subject.host.set_path_mtu(subject.now, host(2, true), 1300);
    subject.host.send(subject.now, outgoing(host(2, true), &pattern(3000))).expect("there is a way");
    assert_eq!(subject.sent().iter().map(|sent| sent.bytes.len()).collect::<Vec<_>>(), [1296, 1296, 560]);
}

#[test]
fn a_narrow_path_bounds_whole_packets_for_ten_minutes() {
    let mut subject = Subject::new(Medium::Ip);
    let far = ip("8.8.8.8");
    subject.host.set_path_mtu(subject.now, far, 1000);
    assert_eq!((subject.host.path_mtu(far), subject.host.path_mtu(host(2, false))), (1000, 1500));
    let send = |subject: &mut Subject| subject.host.send(subject.now, segment(far, &pattern(1000), None));
    assert_eq!(send(&mut subject), Err(SendError::TooBig { mtu: 1000 }));
    let pieces = segment(far, &pattern(9000), Some(960));
    assert_eq!(subject.host.send(subject.now, pieces), Ok(()));
    assert_eq!(subject.sent().len(), 10);
    subject.now = at(600_000);
    assert_eq!(send(&mut subject), Ok(()));
}

#[test]
fn a_super_segment_without_df_over_a_narrow_path_is_cut_twice() {
    let mut subject = Subject::new(Medium::Ip);
    subject.host.set_path_mtu(subject.now, host(2, false), 600);
    let segments = Outgoing { dont_fragment: false, ..segment(host(2, false), &pattern(2920), Some(1460)) };
    subject.host.send(subject.now, segments).expect("there is a way");
    let sent = subject.sent();
    assert_eq!(sent.len(), 6);
    assert!(sent.iter().all(|sent| sent.bytes.len() <= 600));
    let firsts = sent.iter().filter(|sent| sent.ipv4().fragment_offset == 0);
    assert_eq!(firsts.map(|sent| sent.ipv4().identification).collect::<std::collections::BTreeSet<_>>().len(), 2);
}

/// A packet to ourselves comes back in, and nothing of it is seen on the link.
#[test]
fn what_we_send_to_ourselves_comes_back_in() {
    for medium in MEDIA {
        for (src, dst) in [("10.0.0.1", "10.0.0.1"), ("127.0.0.1", "127.0.0.1"), ("fd00::1", "fd00::1"), ("::1", "::1")]
        {
            let mut subject = Subject::new(medium);
            assert_eq!(subject.host.source_for(ip(dst)), Some(ip(src)));
            let packet = Outgoing { src: ip(src), ..outgoing(ip(dst), &pattern(5000)) };
            subject.host.send(subject.now, packet).expect("there is a way");
            assert_eq!(data(subject.host.arrival(subject.now)), Some(pattern(5000)), "{dst}");
            assert!(subject.host.arrival(subject.now).is_none() && subject.sent().is_empty());
        }
    }
}

/// A closed port of our own: the refusal comes back in like any other.
#[test]
fn what_we_send_to_ourselves_in_vain_is_refused() {
    for v6 in [false, true] {
        let mut subject = Subject::new(Medium::Ethernet);
        subject.host.send(subject.now, outgoing(host(1, v6), b"x")).expect("there is a way");
        let arrival = subject.host.arrival(subject.now).expect("it came back in");
        subject.host.refuse(subject.now, &arrival, DeliveryError::PortUnreachable);
        let arrival = subject.host.arrival(subject.now);
        let Some(Arrival::Undelivered(report)) = arrival else { panic!("{arrival:?}") };
        assert_eq!((report.error, report.local.port()), (DeliveryError::PortUnreachable, 53));
        assert!(subject.host.arrival(subject.now).is_none() && subject.sent().is_empty());
    }
}

#[test]
fn the_queue_to_ourselves_is_bounded() {
    let mut subject = Subject::new(Medium::Ip);
    for _ in 0..limits::LOOPBACK.packets + 5 {
        subject.host.send(subject.now, outgoing(host(1, false), b"x")).expect("there is a way");
    }
    assert_eq!(subject.drops(), [DropReason::QueueFull; 5]);
}

#[test]
fn packets_to_many_go_to_their_mac_addresses() {
    let mut subject = Subject::new(Medium::Ethernet);
    let destinations = [
        ("255.255.255.255", [0xff; 6]),
        ("10.0.0.255", [0xff; 6]),
        ("224.0.0.251", [1, 0, 0x5e, 0, 0, 251]),
        ("ff02::fb", [0x33, 0x33, 0, 0, 0, 0xfb]),
    ];
    for (dst, mac) in destinations {
        subject.host.send(subject.now, outgoing(ip(dst), b"x")).expect("there is a way");
        let sent = subject.sent_one();
        assert_eq!(sent.dissection.ethernet.map(|ethernet| ethernet.dst), Some(mac), "{dst}");
    }
}
