//! Hops, routes, lengths, and what is not passed on.

use super::*;
use crate::packet::dissect::ETHERNET_HEADER;

#[test]
fn a_packet_goes_on_with_one_hop_less_and_nothing_else_changed() {
    for (src, dst) in [("10.0.0.2:4000", "10.0.1.2:53"), ("fd00:0::2:4000", "fd00:1::2:53")] {
        let mut subject = Subject::new(|_| {});
        let frame = udp(src, dst, 9, 100);
        let (port, passed) = subject.passes(0, frame.clone());
        let hops = if frame[0] >> 4 == 4 { 8 } else { 7 };
        let changed: Vec<usize> = (0..frame.len()).filter(|at| frame[*at] != passed[*at]).collect();
        assert_eq!((port, passed[hops]), (1, 8));
        assert!(changed.iter().all(|at| [hops, 10, 11].contains(at)), "{changed:?}");
        assert_eq!(subject.told().len(), 0);
    }
}

#[test]
fn whose_hops_are_used_up_is_told_so() {
    let mut subject = Subject::new(|_| {});
    for hops in [0, 1] {
        let refused = subject.refuses(0, udp("10.0.0.2:4000", "10.0.1.2:53", hops, 10));
        assert_eq!(refused, (DropReason::HopsExceeded, Some((11, 0, 0))));
    }
    let refused = subject.refuses(0, udp("fd00:0::2:4000", "fd00:1::2:53", 1, 10));
    assert_eq!(refused, (DropReason::HopsExceeded, Some((3, 0, 0))));
    // What is for the router itself needs no more hops.
    let (_, dst) = sender(&subject.offer(0, udp("10.0.0.2:4000", "10.0.1.1:53", 1, 10))[0].packet.to_bytes());
    assert_eq!(dst, Some(ip("10.0.0.2")), "PORT UNREACHABLE");
}

#[test]
fn a_silent_router_drops_as_others_do_and_says_nothing() {
    let mut subject = Subject::new(|config| config.icmp_errors = false);
    let long = udp("10.0.0.2:4000", "10.0.1.2:53", 9, 1500);
    for (frame, reason) in [
        (udp("10.0.0.2:4000", "10.0.1.2:53", 1, 10), DropReason::HopsExceeded),
        (long, DropReason::TooBig),
        (udp("10.0.0.2:4000", "10.0.0.1:53", 9, 10), DropReason::NoConnection),
        (udp("fd00:0::2:4000", "fd00:7::2:53", 9, 10), DropReason::NoRoute),
    ] {
        assert_eq!(subject.refuses(0, frame), (reason, None));
    }
    assert_eq!(subject.offer(0, ping("10.0.0.2", "10.0.0.1", 7, false)).len(), 1, "echo is no error");
}

#[test]
fn without_a_route_the_network_is_unreachable() {
    let mut subject = Subject::new(|config| config.routes.clear());
    let refused = subject.refuses(0, udp("10.0.0.2:4000", "8.8.8.8:53", 9, 10));
    assert_eq!(refused, (DropReason::NoRoute, Some((3, 0, 0))));
    let refused = subject.refuses(0, udp("fd00:0::2:4000", "fd00:9::2:53", 9, 10));
    assert_eq!(refused, (DropReason::NoRoute, Some((1, 0, 0))));
}

#[test]
fn what_is_too_long_and_must_not_be_cut_is_told_the_next_links_mtu() {
    let mut subject = Subject::new(|config| config.ports[1].mtu = 1300);
    subject.passes(0, udp("10.0.0.2:4000", "10.0.1.2:53", 9, 1272));
    let refused = subject.refuses(0, udp("10.0.0.2:4000", "10.0.1.2:53", 9, 1273));
    assert_eq!(refused, (DropReason::TooBig, Some((3, 4, 1300))));
    let refused = subject.refuses(0, udp("fd00:0::2:4000", "fd00:1::2:53", 9, 1253));
    assert_eq!(refused, (DropReason::TooBig, Some((2, 0, 1300))));
}

#[test]
fn what_may_be_cut_goes_on_in_pieces_that_are_told_as_such() {
    let mut subject = Subject::new(|config| config.ports[1].mtu = 576);
    let frame = may_be_cut(udp("10.0.0.2:4000", "10.0.1.2:53", 9, 1000));
    let out = subject.offer(0, frame.clone());
    let causes: Vec<Cause> = out.iter().map(|out| out.cause).collect();
    assert_eq!(causes, [Cause::Fragment(PacketId(1)); 2]);
    let joined: Vec<u8> = out.iter().flat_map(|out| out.packet.to_bytes()[20..].to_vec()).collect();
    assert_eq!(joined, frame[20..]);
    assert!(out.iter().all(|out| out.packet.len() <= 576 && out.packet.headers()[8] == 8));
}

#[test]
fn what_a_link_padded_is_not_too_long() {
    let mut subject = Subject::new(|config| config.ports[1].mtu = 576);
    let mut frame = udp("10.0.0.2:4000", "10.0.1.2:53", 9, 500);
    frame.resize(600, 0);
    subject.passes(0, frame);
}

#[test]
fn what_must_not_be_passed_on_is_not() {
    use DropReason::{BadHeaderChecksum, InvalidSource, Malformed, NotToBeForwarded};
    let mut broken = udp("10.0.0.2:4000", "10.0.1.2:53", 9, 10);
    broken[10] ^= 1;
    let mut short = udp("10.0.0.2:4000", "10.0.1.2:53", 9, 10);
    short.truncate(30);
    let cases = [
        (broken, BadHeaderChecksum),
        (short, Malformed),
        (udp("10.0.0.2:4000", "10.0.1.255:53", 9, 10), NotToBeForwarded),
        (udp("10.0.0.2:4000", "127.0.0.1:53", 9, 10), NotToBeForwarded),
        (udp("10.0.0.2:4000", "240.0.0.1:53", 9, 10), NotToBeForwarded),
        (udp("10.0.0.2:4000", "169.254.0.1:53", 9, 10), NotToBeForwarded),
        (udp("169.254.0.2:4000", "10.0.1.2:53", 9, 10), NotToBeForwarded),
        (udp("fe80::2:4000", "fd00:1::2:53", 9, 10), NotToBeForwarded),
        (udp("127.0.0.1:4000", "10.0.1.2:53", 9, 10), InvalidSource),
        (udp("10.0.1.1:4000", "10.0.1.2:53", 9, 10), InvalidSource),
        (udp("224.0.0.1:4000", "10.0.1.2:53", 9, 10), InvalidSource),
        (udp("0.0.0.0:4000", "10.0.1.2:53", 9, 10), InvalidSource),
    ];
    let mut subject = Subject::new(|_| {});
    for (frame, reason) in cases {
        assert_eq!(subject.refuses(0, frame.clone()), (reason, None), "{frame:?}");
    }
    // Groups stay on their link.
    assert_eq!(subject.offer(0, udp("10.0.0.2:4000", "224.0.0.9:53", 9, 10)).len(), 0);
}

#[test]
fn nobody_is_told_about_an_error_or_a_later_fragment() {
    let mut subject = Subject::new(|_| {});
    let about = udp("10.0.1.2:53", "10.0.0.2:4000", 9, 10);
    let mut used_up = error("10.0.0.2", "10.0.1.2", (3, 3), &about);
    used_up[8] = 1;
    renew(&mut used_up);
    assert_eq!(subject.refuses(0, used_up), (DropReason::HopsExceeded, None));
    let mut later = may_be_cut(udp("10.0.0.2:4000", "10.0.1.2:53", 1, 16));
    later[7] = 9;
    renew(&mut later);
    assert_eq!(subject.refuses(0, later), (DropReason::HopsExceeded, None));
}

#[test]
fn a_router_answers_at_each_of_its_addresses_wherever_it_is_asked() {
    for asked in ["10.0.0.1", "10.0.1.1"] {
        let mut subject = Subject::new(|_| {});
        let out = subject.offer(0, ping("10.0.0.2", asked, 7, false));
        let (src, dst) = sender(&out[0].packet.to_bytes());
        assert_eq!((out.len(), out[0].port, src, dst), (1, 0, Some(ip(asked)), Some(ip("10.0.0.2"))));
        assert!(matches!(subject.told().as_slice(), [Event::Passage { passage: Passage::Taken, .. }]));
    }
    // Beyond its links it finds the way back by its routes.
    let mut subject = Subject::new(|_| {});
    let out = subject.offer(1, ping("8.8.8.8", "10.0.0.1", 7, false));
    assert_eq!((out.len(), out[0].port), (1, 1));
    let reset = subject.offer(0, tcp("10.0.0.2:4000", "10.0.0.1:80", TcpFlags::SYN, None));
    assert!(reset[0].packet.dissect().tcp().is_some_and(|tcp| tcp.flags.rst() && tcp.ack.0 == 1001));
}

#[test]
fn errors_are_rate_limited() {
    let mut subject = Subject::new(|_| {});
    let used_up = || udp("10.0.0.2:4000", "10.0.1.2:53", 1, 10);
    let told = (0..500).filter(|_| !subject.offer(0, used_up()).is_empty()).count();
    assert_eq!(told, 50, "as Linux's burst has it");
}

#[test]
fn each_of_ten_routers_in_a_row_answers_for_its_hop_but_for_the_silent_one() {
    // Router n joins 10.9.n.0/24 and 10.9.n+1.0/24; the client is on the first link.
    const SILENT: u8 = 6;
    let router = |number: u8| {
        let port = |name: &str, address: String| PortConfig {
            name: name.to_owned(),
            mac: [2; 6],
            addresses: vec![(ip(&address), 24)],
            mtu: 1500,
        };
        let (left, right) = (format!("10.9.{number}.2"), format!("10.9.{}.1", number + 1));
        let mut config = RouterConfig::new(Medium::Ip, vec![port("left", left), port("right", right)]);
        let route = |network: &str, bits, port, via: String| Route {
            prefix: (ip(network), bits),
            port: PortId(port),
            via: Some(ip(&via)),
        };
        config.routes = vec![
            route("0.0.0.0", 0, 1, format!("10.9.{}.2", number + 1)),
            route("10.9.0.0", 24, 0, format!("10.9.{number}.1")),
        ];
        config.icmp_errors = number != SILENT;
        Router::new(config, Instant::ZERO)
    };
    let mut chain: Vec<Router> = (0..10).map(router).collect();
    let mut answers = Vec::new();
    for hops in 1..=11 {
        let probe = udp("10.9.0.1:4000", "192.0.2.1:33434", hops, 12);
        let mut at_hop = 0;
        let mut travelling = Some((0, Packet::from_wire(Medium::Ip, probe.clone().into())));
        while let Some((port, packet)) = travelling.take()
            && let Some(router) = chain.get_mut(at_hop)
        {
            router.receive(Instant::ZERO, PortId(port), packet);
            let Some(sent) = router.transmit(Instant::ZERO) else { break };
            if sent.port == PortId(1) {
                at_hop += 1;
                travelling = Some((0, sent.packet));
            } else if at_hop == 0 {
                let frame = sent.packet.to_bytes();
                assert_eq!((frame[20], frame[21]), (11, 0));
                // 28 octets of what was sent, but for the hops and their checksum.
                let quoted = &frame[28..56];
                assert_eq!((&quoted[..8], &quoted[12..]), (&probe[..8], &probe[12..28]));
                answers.push(sender(&frame).0.expect("it has a sender").to_string());
            } else {
                at_hop -= 1;
                travelling = Some((1, sent.packet));
            }
        }
    }
    let expected: Vec<String> =
        (0..10).filter(|number| *number != SILENT).map(|number| format!("10.9.{number}.2")).collect();
    assert_eq!(answers, expected);
}

#[test]
fn a_silent_neighbour_makes_a_host_unreachable_and_one_that_answers_gets_what_waited() {
    const CLIENT: [u8; 6] = [2, 0, 0, 0, 0, 2];
    let mut subject = Subject::new(|config| config.medium = Medium::Ethernet);
    let frame = |inner: Vec<u8>| [[2, 0, 0, 0, 1, 0].as_slice(), &CLIENT, &[8, 0], &inner].concat();
    // The client is known; whom it sends to is not.
    let mut arp = [[0xff; 6].as_slice(), &CLIENT, &[8, 6, 0, 1, 8, 0, 6, 4, 0, 1], &CLIENT, &[10, 0, 0, 2]].concat();
    arp.extend_from_slice(&[0, 0, 0, 0, 0, 0, 10, 0, 0, 1]);
    assert_eq!(subject.offer(0, arp).len(), 1, "the router answers");
    let sent = udp("10.0.0.2:4000", "10.0.1.2:53", 9, 10);
    let asks = subject.offer(0, frame(sent.clone()));
    assert_eq!((asks.len(), asks[0].port, asks[0].packet.headers()[13]), (1, 1, 6), "it asks by ARP");
    assert!(!subject.router.is_quiet());
    let waits = |event: &Event| matches!(event, Event::Passage { passage: Passage::AwaitsNeighbour { .. }, .. });
    assert!(subject.told().iter().any(waits));
    let mut answer = None;
    while let Some(at) = subject.router.deadline() {
        subject.now = at;
        subject.router.expire(at);
        for out in subject.drain() {
            if out.port == 0 {
                answer = Some(out.packet.to_bytes());
            }
        }
        if answer.is_some() {
            break;
        }
    }
    let answer = answer.expect("the client is told");
    assert_eq!(subject.now, Instant::ZERO + Duration::from_secs(3));
    assert_eq!((answer[ETHERNET_HEADER + 20], answer[ETHERNET_HEADER + 21], &answer[..6]), (3, 1, CLIENT.as_slice()));
    assert_eq!(subject.drops(), [DropReason::NeighbourSilent]);
    // Now somebody answers.
    subject.offer(0, frame(sent));
    let server = [2, 0, 0, 0, 0, 9];
    let mut reply =
        [[2, 0, 0, 0, 1, 1].as_slice(), &server, &[8, 6, 0, 1, 8, 0, 6, 4, 0, 2], &server, &[10, 0, 1, 2]].concat();
    reply.extend_from_slice(&[2, 0, 0, 0, 1, 1, 10, 0, 1, 1]);
    let out = subject.offer(1, reply);
    assert_eq!((out.len(), out[0].cause, &out[0].packet.headers()[..6]), (1, Cause::Forwarded, server.as_slice()));
    assert_eq!(out[0].packet.headers()[6..12], [2, 0, 0, 0, 1, 1]);
    assert!(subject.router.is_quiet());
}
