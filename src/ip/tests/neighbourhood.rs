//! On Ethernet: who is asked, who is answered, and what becomes of packets that wait (RFC 826, RFC 4861).

use super::*;
use crate::ip::Undelivered;
use crate::ip::addresses::{group_mac, solicited_node};
use crate::ip::limits;
use crate::ip::neighbours::{arp, discovery};
use crate::journal::Timer;
use crate::packet::DeliveryError;
use std::net::{Ipv4Addr, Ipv6Addr};

fn v4(number: u8) -> Ipv4Addr {
    Ipv4Addr::new(10, 0, 0, number)
}

fn v6(number: u8) -> Ipv6Addr {
    Ipv6Addr::new(0xfd00, 0, 0, 0, 0, 0, 0, u16::from(number))
}

/// An ARP message of the peer at `number`.
fn arp_frame(is_request: bool, from: u8, about: Ipv4Addr) -> Vec<u8> {
    let message = arp::Message { is_request, sender: (PEER_MAC, v4(from)), target: (OWN_MAC, about) };
    message.to_packet(if is_request { [0xff; 6] } else { OWN_MAC }).to_bytes().to_vec()
}

/// A neighbour discovery message from `src` to `dst`.
fn discovery_message(message_: discovery::Message, src: IpAddr, dst: IpAddr, hops: u8) -> Vec<u8> {
    message(src, dst, hops, &message_.write())
}

fn advertisement(target: Ipv6Addr) -> discovery::Message {
    discovery::Message::Advertisement { target, target_mac: Some(PEER_MAC), solicited: true, overrides: true }
}

fn macs(sent: &Sent) -> ([u8; 6], [u8; 6]) {
    sent.dissection.ethernet.map(|ethernet| (ethernet.src, ethernet.dst)).expect("a frame")
}

/// RFC 826, RFC 1122 §2.3.2.
#[test]
fn packets_wait_for_an_arp_reply_and_then_leave_in_order() {
    let mut subject = Subject::new(Medium::Ethernet);
    for data in [b"1", b"2"] {
        subject.host.send(subject.now, outgoing(host(2, false), data)).expect("there is a way");
    }
    let request = subject.sent_one();
    assert_eq!((macs(&request), request.why.reason), ((OWN_MAC, [0xff; 6]), Reason::AddressRequest));
    let Some(Network::Arp(asked)) = &request.dissection.network else { panic!("{request:?}") };
    assert_eq!((asked.operation, asked.sender_ip, asked.target_ip), (1, v4(1), v4(2)));
    assert!(subject.takes_frame(arp_frame(false, 2, v4(1))).is_none());
    let sent = subject.sent();
    assert_eq!(
        sent.iter().map(|sent| (macs(sent), sent.payload())).collect::<Vec<_>>(),
        [((OWN_MAC, PEER_MAC), &b"1"[..]), ((OWN_MAC, PEER_MAC), b"2")]
    );
    assert_eq!(subject.host.deadline(), None);
}

/// RFC 4861 §7.2.2, §7.2.5.
#[test]
fn packets_wait_for_an_advertisement_and_then_leave() {
    let mut subject = Subject::new(Medium::Ethernet);
    subject.host.send(subject.now, outgoing(host(2, true), b"1")).expect("there is a way");
    let question = subject.sent_one();
    let group = solicited_node(v6(2));
    assert_eq!((macs(&question), question.ends()), ((OWN_MAC, group_mac(group.into())), (host(1, true), group.into())));
    assert_eq!(question.icmp().kind, 135);
    let message = discovery::Message::read(&question.network()[40..], 255, v6(1), group);
    let expected = discovery::Message::Solicitation { target: v6(2), source_mac: Some(OWN_MAC) };
    assert_eq!((message, question.network()[7]), (Some(expected), 255));
    // What crossed a router is not believed.
    subject.takes(&discovery_message(advertisement(v6(2)), host(2, true), host(1, true), 254));
    assert_eq!((subject.sent().len(), subject.drops()), (0, vec![DropReason::Malformed]));
    subject.takes(&discovery_message(advertisement(v6(2)), host(2, true), host(1, true), 255));
    let sent = subject.sent_one();
    assert_eq!((macs(&sent), sent.payload()), ((OWN_MAC, PEER_MAC), &b"1"[..]));
}

#[test]
fn packets_for_far_away_go_to_the_gateway() {
    for (far, gateway) in [("8.8.8.8", "10.0.0.254"), ("2600::1", "fd00::fe")] {
        let mut subject = Subject::acquainted(Medium::Ethernet);
        let gateway = if far.contains(':') { host(254, true) } else { ip(gateway) };
        subject.host.send(subject.now, outgoing(ip(far), b"x")).expect("there is a way");
        let sent = subject.sent_one();
        assert_eq!((macs(&sent).1, sent.ends().1), (PEER_MAC, ip(far)), "{gateway}");
    }
}

#[test]
fn who_asks_for_us_is_answered_and_remembered() {
    let mut subject = Subject::new(Medium::Ethernet);
    subject.takes_frame(arp_frame(true, 2, v4(1)));
    let reply = subject.sent_one();
    let Some(Network::Arp(told)) = &reply.dissection.network else { panic!("{reply:?}") };
    assert_eq!((told.operation, told.sender_mac, told.sender_ip, told.target_ip), (2, OWN_MAC, v4(1), v4(2)));
    assert_eq!((macs(&reply).1, reply.why.reason), (PEER_MAC, Reason::AddressReply));
    subject.host.send(subject.now, outgoing(host(2, false), b"x")).expect("there is a way");
    assert_eq!(macs(&subject.sent_one()).1, PEER_MAC);

    let question = discovery::Message::Solicitation { target: v6(1), source_mac: Some(PEER_MAC) };
    subject.takes(&discovery_message(question, host(2, true), solicited_node(v6(1)).into(), 255));
    let answer = subject.sent_one();
    assert_eq!((answer.ends(), macs(&answer).1), ((host(1, true), host(2, true)), PEER_MAC));
    let read = discovery::Message::read(&answer.network()[40..], 255, v6(1), v6(2));
    let expected = discovery::Message::Advertisement {
        target: v6(1),
        target_mac: Some(OWN_MAC),
        solicited: true,
        overrides: true,
    };
    assert_eq!(read, Some(expected));
    subject.host.send(subject.now, outgoing(host(2, true), b"x")).expect("there is a way");
    assert_eq!(macs(&subject.sent_one()).1, PEER_MAC);
}

/// RFC 4862 §5.4.3: somebody wants our address.
#[test]
fn who_tests_whether_our_address_is_free_learns_that_it_is_not() {
    let mut subject = Subject::new(Medium::Ethernet);
    let question = discovery::Message::Solicitation { target: v6(1), source_mac: None };
    subject.takes(&discovery_message(question, ip("::"), solicited_node(v6(1)).into(), 255));
    let answer = subject.sent_one();
    assert_eq!((answer.ends(), macs(&answer).1), ((host(1, true), ip("ff02::1")), [0x33, 0x33, 0, 0, 0, 1]));
    // RFC 5227 §2.1.1.
    let mut probe = arp_frame(true, 2, v4(1));
    probe[28..32].fill(0);
    subject.takes_frame(probe);
    assert_eq!(subject.sent_one().why.reason, Reason::AddressReply);
}

#[test]
fn what_is_not_asked_of_us_is_not_answered() {
    let mut subject = Subject::new(Medium::Ethernet);
    subject.takes_frame(arp_frame(true, 2, v4(3)));
    subject.takes_frame(arp_frame(false, 2, v4(1)));
    // Somebody who claims to be us.
    subject.takes_frame(arp_frame(true, 1, v4(1)));
    let question = discovery::Message::Solicitation { target: v6(3), source_mac: Some(PEER_MAC) };
    subject.takes(&discovery_message(question, host(2, true), host(1, true), 255));
    subject.takes(&discovery_message(advertisement(v6(1)), host(2, true), ip("ff02::1"), 255));
    assert!(subject.sent().is_empty());
    subject.host.send(subject.now, outgoing(host(2, false), b"x")).expect("there is a way");
    assert_eq!(subject.sent_one().why.reason, Reason::AddressRequest, "nothing was learned unasked");
}

/// RFC 5227 §3: who has moved says so.
#[test]
fn a_gratuitous_message_changes_what_is_known() {
    let mut subject = Subject::acquainted(Medium::Ethernet);
    let moved = [2, 0, 0, 0, 0, 77];
    let message = arp::Message { is_request: true, sender: (moved, v4(2)), target: ([0; 6], v4(2)) };
    subject.takes_frame(message.to_packet([0xff; 6]).to_bytes().to_vec());
    subject.host.send(subject.now, outgoing(host(2, false), b"x")).expect("there is a way");
    assert_eq!(macs(&subject.sent_one()).1, moved);
    assert!(subject.drops().is_empty());
}

#[test]
fn we_can_announce_ourselves() {
    let mut subject = Subject::new(Medium::Ethernet);
    subject.host.announce(subject.now);
    let sent = subject.sent();
    assert!(
        matches!(&sent[0].dissection.network, Some(Network::Arp(arp)) if arp.sender_ip == v4(1) && arp.target_ip == v4(1))
    );
    assert_eq!((sent[1].icmp().kind, sent[1].ends().1, sent.len()), (136, ip("ff02::1"), 2));
    let mut bare = Subject::new(Medium::Ip);
    bare.host.announce(bare.now);
    assert!(bare.sent().is_empty());
}

/// RFC 1122 §2.4, RFC 4861 §7.2.2: asked three times a second apart, then the transports learn of it.
#[test]
fn a_silent_neighbour_is_reported_for_each_packet_that_waited() {
    for v6 in [false, true] {
        let mut subject = Subject::new(Medium::Ethernet);
        subject.host.send(subject.now, segment(host(2, v6), b"data", None)).expect("there is a way");
        subject.host.send(subject.now, outgoing(host(2, v6), &pattern(2000))).expect("there is a way");
        let mut questions = Vec::new();
        for second in 0..4 {
            subject.pass(at(second * 1000));
            questions.push(subject.sent().len());
            if second < 3 {
                assert_eq!(subject.host.deadline(), Some((at(second * 1000 + 1000), Timer::Neighbour)));
            }
        }
        assert_eq!((questions, subject.host.deadline()), (vec![1, 1, 1, 0], None));
        assert_eq!(subject.drops(), [DropReason::NeighbourSilent; 3], "two fragments of the datagram");
        let mut reports = Vec::new();
        while let Some(arrival) = subject.host.arrival(subject.now) {
            let Arrival::Undelivered(report) = arrival else { panic!("{arrival:?}") };
            reports.push((report.protocol, report.local.port(), report.remote, report.seq.map(|seq| seq.0)));
            let Undelivered { error, reporter, .. } = report;
            assert_eq!((error, reporter), (DeliveryError::HostUnreachable, host(1, v6)));
        }
        let remote = (host(2, v6), 5000).into();
        assert_eq!(reports, [(6, 80, remote, Some(1000)), (17, 53, remote, None)]);
    }
}

/// RFC 1122 §3.3.1.4.
#[test]
fn after_a_silent_gateway_the_next_is_used() {
    let config = Config { gateways: vec![host(253, false), host(254, false)], ..config(Medium::Ethernet) };
    let mut subject = Subject { host: Host::new(config, Instant::ZERO), ..Subject::new(Medium::Ethernet) };
    subject.host.send(subject.now, outgoing(ip("8.8.8.8"), b"x")).expect("there is a way");
    subject.pass(at(3000));
    subject.sent();
    subject.host.send(subject.now, outgoing(ip("8.8.8.8"), b"x")).expect("there is a way");
    let request = subject.sent_one();
    assert!(matches!(&request.dissection.network, Some(Network::Arp(arp)) if arp.target_ip == v4(254)), "{request:?}");
}

/// RFC 4861 §7.3: in use and unconfirmed, it is asked at its old address; a confirmation spares it that.
#[test]
fn a_neighbour_in_use_is_probed_unless_it_is_confirmed() {
    for confirmed in [false, true] {
        let mut subject = Subject::acquainted(Medium::Ethernet);
        subject.pass(at(31_000));
        subject.host.send(subject.now, outgoing(host(2, false), b"x")).expect("there is a way");
        assert_eq!(macs(&subject.sent_one()).1, PEER_MAC);
        subject.pass(at(34_000));
        if confirmed {
            subject.host.confirm_reachable(subject.now, host(2, false));
        }
        subject.pass(at(36_000));
        let sent = subject.sent();
        assert_eq!(sent.len(), usize::from(!confirmed));
        assert!(sent.iter().all(|sent| macs(sent).1 == PEER_MAC && sent.why.reason == Reason::AddressRequest));
    }
}

#[test]
fn a_flood_of_strangers_is_not_remembered_without_bound() {
    let mut subject = Subject {
        host: Host::new(Config { addresses: vec![(host(1, false), 8)], ..config(Medium::Ethernet) }, Instant::ZERO),
        ..Subject::new(Medium::Ethernet)
    };
    for number in 0..2000_u16 {
        let [high, low] = number.to_be_bytes();
        let message = arp::Message {
            is_request: true,
            sender: (PEER_MAC, Ipv4Addr::new(10, 1, high, low)),
            target: ([0; 6], v4(1)),
        };
        subject.takes_frame(message.to_packet([0xff; 6]).to_bytes().to_vec());
        subject.host.send(subject.now, outgoing([10, 2, high, low].into(), &pattern(1400))).expect("there is a way");
        subject.sent();
    }
    let (neighbours, octets) = subject.host.neighbours.size();
    assert!(neighbours <= limits::NEIGHBOURS && octets <= limits::NEIGHBOURS * 1500, "{neighbours} {octets}");
    assert!(subject.drops().iter().all(|reason| *reason == DropReason::QueueFull));
}
