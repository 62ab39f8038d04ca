//! ICMP and ICMPv6: questions answered, errors sent and taken in.

use super::*;
use crate::ip::{Delivered, SendError, Undelivered};
use crate::packet::{DeliveryError, SeqNum};

/// The message of an echo request.
fn echo(v6: bool, data: &[u8]) -> Vec<u8> {
    [&[if v6 { 128 } else { 8 }, 0, 0, 0, 0, 9, 0, 3], data].concat()
}

/// CONFORMANCE 34, RFC 1122 §3.2.2.6, RFC 4443 §4.2.
#[test]
fn an_echo_request_is_answered_with_its_data_from_the_address_asked() {
    for medium in MEDIA {
        for v6 in [false, true] {
            for octets in [0, 1, 56, 1400] {
                let mut subject = Subject::acquainted(medium);
                let request = message(host(2, v6), host(1, v6), 64, &echo(v6, &pattern(octets)));
                assert!(subject.takes(&request).is_none());
                let reply = subject.sent_one();
                assert_eq!(reply.ends(), (host(1, v6), host(2, v6)));
                assert_eq!(reply.says(), (if v6 { 129 } else { 0 }, 0, 0x0009_0003));
                assert_eq!((reply.payload(), reply.why.reason), (&pattern(octets)[..], Reason::EchoReply));
            }
        }
    }
}

/// RFC 1122 §3.2.2: the reply has the request's type of service; §3.2.2.6: a long one goes in fragments.
#[test]
fn an_echo_reply_keeps_the_class_and_is_cut_when_it_must_be() {
    let mut subject = Subject::new(Medium::Ip);
    let mut request = message(host(2, false), host(1, false), 64, &echo(false, &pattern(3000)));
    request[1] = 0xb8;
    super::super::fragment::write_header_checksum(&mut request[..20]);
    subject.takes(&request);
    let sent = subject.sent();
    assert_eq!(sent.len(), 3);
    assert!(sent.iter().all(|fragment| fragment.ipv4().dscp == 0x2e));
}

#[test]
fn everybody_is_not_answered_over_ipv4_but_over_ipv6() {
    let mut subject = Subject::new(Medium::Ip);
    for dst in ["10.0.0.255", "224.0.0.1"] {
        subject.takes(&message(host(2, false), ip(dst), 64, &echo(false, b"")));
        assert!(subject.sent().is_empty(), "{dst}");
    }
    subject.takes(&message(host(2, true), ip("ff02::1"), 64, &echo(true, b"")));
    assert_eq!(subject.sent_one().ends(), (host(1, true), host(2, true)));
}

#[test]
fn a_message_with_a_bad_checksum_is_dropped() {
    for v6 in [false, true] {
        let mut subject = Subject::new(Medium::Ip);
        let mut request = message(host(2, v6), host(1, v6), 64, &echo(v6, b"data"));
        *request.last_mut().expect("it has data") ^= 1;
        assert!(subject.takes(&request).is_none() && subject.sent().is_empty());
        assert_eq!(subject.drops(), [DropReason::BadTransportChecksum]);
    }
}

/// CONFORMANCE 34: a ping of ours and its answer, also of ourselves.
#[test]
fn a_ping_is_sent_and_its_reply_arrives() {
    for v6 in [false, true] {
        let mut subject = Subject::new(Medium::Ip);
        subject.host.ping(subject.now, host(2, v6), 9, 3, b"data").expect("there is a way");
        let request = subject.sent_one();
        assert_eq!((request.says().0, request.why.reason), (if v6 { 128 } else { 8 }, Reason::EchoRequest));
        let reply = [&[if v6 { 129 } else { 0 }, 0, 0, 0, 0, 9, 0, 3], &b"data"[..]].concat();
        let arrival = subject.takes(&message(host(2, v6), host(1, v6), 61, &reply));
        let Some(Arrival::EchoReply(reply)) = arrival else { panic!("{arrival:?}") };
        assert_eq!((reply.src, reply.identifier, reply.sequence, reply.hops), (host(2, v6), 9, 3, 61));
        assert_eq!(reply.data, "data");

        subject.host.ping(subject.now, host(1, v6), 1, 2, b"me").expect("there is a way");
        let arrival = subject.host.arrival(subject.now);
        assert!(matches!(&arrival, Some(Arrival::EchoReply(reply)) if reply.data == "me"), "{arrival:?}");
        assert!(subject.sent().is_empty());
    }
    let mut lonely = Host::new(Config { addresses: vec![(host(1, false), 24)], ..config(Medium::Ip) }, Instant::ZERO);
    assert_eq!(lonely.ping(Instant::ZERO, host(2, true), 1, 1, b""), Err(SendError::NoRoute(host(2, true))));
}

fn delivered(subject: &mut Subject, packet: &[u8]) -> Arrival {
    subject.takes(packet).expect("it is for a transport")
}

/// RFC 1122 §3.2.2.1, §4.1.3.1, RFC 4443 §3.1.
#[test]
fn a_refused_datagram_is_sent_back_to_its_sender() {
    for medium in MEDIA {
        for v6 in [false, true] {
            let mut subject = Subject::acquainted(medium);
            let packet = datagram(v6, b"nobody?");
            let arrival = delivered(&mut subject, &packet);
            subject.host.refuse(subject.now, &arrival, DeliveryError::PortUnreachable);
            let error = subject.sent_one();
            assert_eq!(error.ends(), (host(1, v6), host(2, v6)));
            assert_eq!(error.says(), if v6 { (1, 4, 0) } else { (3, 3, 0) });
            assert_eq!((error.payload(), error.why.reason), (&packet[..], Reason::IcmpError));
        }
    }
}

/// RFC 1812 §4.3.2.3, RFC 4443 §2.4(c).
#[test]
fn an_error_quotes_no_more_than_surely_arrives() {
    for (v6, longest) in [(false, 576), (true, 1280)] {
        let mut subject = Subject::new(Medium::Ip);
        let arrival = delivered(&mut subject, &datagram(v6, &pattern(1400)));
        subject.host.refuse(subject.now, &arrival, DeliveryError::PortUnreachable);
        assert_eq!(subject.sent_one().bytes.len(), longest);
    }
}

/// RFC 1122 §3.2.2, RFC 4443 §2.4(e).
#[test]
fn nobody_is_told_of_what_was_sent_to_many() {
    for dst in ["10.0.0.255", "255.255.255.255", "224.0.0.1", "ff02::1"] {
        for medium in MEDIA {
            let mut subject = Subject::acquainted(medium);
            let dst = ip(dst);
            let arrival = delivered(&mut subject, &datagram_between(host(2, dst.is_ipv6()), dst, b"x"));
            subject.host.refuse(subject.now, &arrival, DeliveryError::PortUnreachable);
            assert!(subject.sent().is_empty(), "{dst}");
        }
    }
    // To our address, but in a frame to everybody.
    let mut subject = Subject::acquainted(Medium::Ethernet);
    let mut frame = subject.frame(&datagram(true, b"x"));
    frame[..6].fill(0xff);
    let arrival = subject.takes_frame(frame).expect("it is for a transport");
    subject.host.refuse(subject.now, &arrival, DeliveryError::PortUnreachable);
    assert!(subject.sent().is_empty());
}

/// RFC 1122 §3.2.2.1, §3.2.2.4, §3.2.2.5: every kind of error is passed on.
#[test]
fn every_error_reaches_the_transport_as_what_it_is() {
    let pointer = DeliveryError::ParameterProblem { pointer: 9 };
    let cases = [
        ((3, 0, 0), (1, 0, 0), DeliveryError::NetworkUnreachable),
        ((3, 1, 0), (1, 3, 0), DeliveryError::HostUnreachable),
        ((3, 2, 0), (4, 1, 6), DeliveryError::ProtocolUnreachable),
        ((3, 4, 1300), (2, 0, 1300), DeliveryError::TooBig { mtu: 1300 }),
        ((3, 13, 0), (1, 1, 0), DeliveryError::Prohibited),
        ((11, 0, 0), (3, 0, 0), DeliveryError::HopsExceeded),
        ((11, 1, 0), (3, 1, 0), DeliveryError::ReassemblyTimeExceeded),
        ((12, 0, 9 << 24), (4, 0, 9), pointer),
    ];
    for (over_v4, over_v6, meaning) in cases {
        for (v6, (kind, code, rest)) in [(false, over_v4), (true, over_v6)] {
            let mut subject = Subject::new(Medium::Ip);
            let quoted = datagram_between(host(1, v6), host(2, v6), b"x");
            let arrival = subject.takes(&error(v6, kind, code, rest, &quoted));
            let Some(Arrival::Undelivered(report)) = arrival else { panic!("{arrival:?}") };
            assert_eq!((report.error, report.protocol), (meaning, 17));
        }
    }
}

#[test]
fn nobody_is_told_of_an_error() {
    let mut subject = Subject::new(Medium::Ip);
    // An unknown option in front of an ICMPv6 error, and in front of an echo request.
    for (kind, told) in [(1, 0), (3, 0), (137, 0), (128, 1)] {
        let inner = message(host(2, true), host(1, true), 64, &[kind, 0, 0, 0, 0, 0, 0, 0]);
        let octets = [&[58, 0, 0xde, 4, 0, 0, 0, 0], &inner[40..]].concat();
        assert!(subject.takes(&raw(host(2, true), host(1, true), 60, 64, &octets)).is_none());
        assert_eq!(subject.sent().len(), told, "type {kind}");
    }
}

/// RFC 1812 §4.3.2.8, RFC 4443 §2.4(f).
#[test]
fn errors_are_rate_limited() {
    let mut subject = Subject::new(Medium::Ip);
    let arrival = delivered(&mut subject, &datagram(false, b"x"));
    let mut refuse = |millis| {
        subject.now = at(millis);
        (0..200).for_each(|_| subject.host.refuse(subject.now, &arrival, DeliveryError::PortUnreachable));
        subject.sent().len()
    };
    assert_eq!([refuse(0), refuse(0), refuse(10), refuse(10_000)], [50, 0, 10, 50]);
}

/// An ICMP error about a packet of ours, of which so many octets are quoted.
fn error(v6: bool, kind: u8, code: u8, rest: u32, quoted: &[u8]) -> Vec<u8> {
    let mut octets = vec![kind, code, 0, 0];
    octets.extend_from_slice(&rest.to_be_bytes());
    octets.extend_from_slice(quoted);
    message(host(254, v6), host(1, v6), 64, &octets)
}

/// RFC 1122 §3.2.2.1, §4.2.3.9, RFC 4443 §2.4(d): eight octets of the transport header are enough.
#[test]
fn an_error_about_what_we_sent_reaches_its_transport() {
    for medium in MEDIA {
        for v6 in [false, true] {
            for tcp in [false, true] {
                let mut subject = Subject::acquainted(medium);
                let outgoing = if tcp { segment(host(2, v6), b"data", None) } else { outgoing(host(2, v6), b"data") };
                subject.host.send(subject.now, outgoing).expect("there is a way");
                let sent = subject.sent_one();
                let quoted = &sent.network()[..if v6 { 48 } else { 28 }];
                let (kind, code) = if v6 { (1, 4) } else { (3, 3) };
                let arrival = subject.takes(&error(v6, kind, code, 0, quoted));
                let Some(Arrival::Undelivered(report)) = arrival else { panic!("{arrival:?} {:?}", subject.drops()) };
                let expected = Undelivered {
                    error: DeliveryError::PortUnreachable,
                    reporter: host(254, v6),
                    protocol: if tcp { 6 } else { 17 },
                    local: (host(1, v6), if tcp { 80 } else { 53 }).into(),
                    remote: (host(2, v6), 5000).into(),
                    seq: tcp.then_some(SeqNum(1000)),
                    length: sent.network().len(),
                    packet: PacketId(1),
                };
                assert_eq!(report, expected);
            }
        }
    }
}

#[test]
fn too_big_says_how_much_the_next_link_takes_and_decides_nothing() {
    let mut subject = Subject::new(Medium::Ip);
    subject.host.send(subject.now, segment(host(2, false), b"data", None)).expect("there is a way");
    let sent = subject.sent_one();
    let arrival = subject.takes(&error(false, 3, 4, 600, &sent.network()[..28]));
    let Some(Arrival::Undelivered(report)) = arrival else { panic!("{arrival:?}") };
    assert_eq!(report.error, DeliveryError::TooBig { mtu: 600 });
    assert_eq!(subject.host.path_mtu(host(2, false)), 1500);
}

#[test]
fn an_undelivered_ping_is_reported_with_its_identifier() {
    for v6 in [false, true] {
        let mut subject = Subject::new(Medium::Ip);
        subject.host.ping(subject.now, host(2, v6), 9, 3, b"").expect("there is a way");
        let sent = subject.sent_one();
        let (kind, code) = if v6 { (3, 0) } else { (11, 0) };
        let arrival = subject.takes(&error(v6, kind, code, 0, sent.network()));
        let Some(Arrival::Undelivered(report)) = arrival else { panic!("{arrival:?}") };
        assert_eq!((report.error, report.local.port()), (DeliveryError::HopsExceeded, 9));
    }
}

/// RFC 5927 §4.
#[test]
fn an_error_about_what_we_cannot_have_sent_is_dropped() {
    for v6 in [false, true] {
        let mut subject = Subject::new(Medium::Ip);
        let (kind, code) = if v6 { (1, 4) } else { (3, 3) };
        let foreign = datagram_between(host(3, v6), host(2, v6), b"x");
        assert!(subject.takes(&error(v6, kind, code, 0, &foreign)).is_none());
        let unknown = raw(host(1, v6), host(2, v6), 132, 64, &[0; 20]);
        assert!(subject.takes(&error(v6, kind, code, 0, &unknown)).is_none());
        assert_eq!(subject.drops(), [DropReason::ForgedIcmp; 2]);
        let cut_short = datagram_between(host(1, v6), host(2, v6), b"x");
        assert!(subject.takes(&error(v6, kind, code, 0, &cut_short[..if v6 { 43 } else { 23 }])).is_none());
        assert!(subject.takes(&error(v6, kind, code, 0, b"?")).is_none());
        assert_eq!(subject.drops(), [DropReason::ForgedIcmp, DropReason::Malformed]);
        assert!(subject.sent().is_empty(), "nobody is told of an error");
    }
}

/// RFC 6633, RFC 9293 MUST-55; RFC 1122 §3.2.2 for kinds that nobody knows.
#[test]
fn source_quench_redirects_and_the_unknown_are_ignored() {
    let mut subject = Subject::new(Medium::Ip);
    subject.host.send(subject.now, outgoing(host(2, false), b"x")).expect("there is a way");
    let sent = subject.sent_one();
    for kind in [4, 5, 9, 17, 40, 200] {
        assert!(subject.takes(&error(false, kind, 0, 0, sent.network())).is_none(), "type {kind}");
    }
    for kind in [130, 133, 134, 137, 143, 200] {
        assert!(subject.takes(&error(true, kind, 0, 0, &[0; 40])).is_none(), "type {kind}");
    }
    assert!(subject.sent().is_empty());
    assert_eq!(subject.drops(), [DropReason::UnknownProtocol; 12]);
}

#[test]
fn a_delivered_packet_can_be_refused_after_it_was_unpacked() {
    let mut subject = Subject::new(Medium::Ip);
    let arrival = delivered(&mut subject, &datagram(false, b"x"));
    let Arrival::Transport(delivered @ Delivered { .. }) = arrival else { panic!("{arrival:?}") };
    subject.host.refuse_delivered(subject.now, &delivered, DeliveryError::Prohibited);
    assert_eq!(subject.sent_one().says(), (3, 13, 0));
}
