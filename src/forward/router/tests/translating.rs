//! Addresses and ports translated: TCP, UDP, echo, errors, fragments, and from the inside to itself.

use super::super::super::{Filtering, Mapping, Nat, Policy, PortForward, Rule, Verdict};
use super::*;
use crate::journal::TransportKind;

const HOST: &str = "10.0.0.2:4000";
const OUTSIDE: &str = "10.0.1.1";
const PEER: &str = "192.0.2.1:80";

fn nat() -> Nat {
    Nat {
        outside: PortId(1),
        mapping: Mapping::EndpointIndependent,
        filtering: Filtering::default(),
        idle: Duration::from_secs(60),
        forwards: vec![PortForward { protocol: TransportKind::Tcp, port: 8080, to: at("10.0.0.9:80") }],
    }
}

fn subject() -> Subject {
    Subject::new(|config| config.nat = Some(nat()))
}

#[test]
fn what_leaves_has_the_outside_address_and_what_answers_finds_back() {
    let mut subject = subject();
    type Make = fn(&str, &str) -> Vec<u8>;
    let makes: [Make; 2] = [|src, dst| udp(src, dst, 9, 10), |src, dst| tcp(src, dst, TcpFlags::SYN, None)];
    for make in makes {
        let (port, passed) = subject.passes(0, make(HOST, PEER));
        assert_eq!((port, ends(&passed)), (1, (at("10.0.1.1:4000"), at(PEER))));
        let (port, passed) = subject.passes(1, make(PEER, "10.0.1.1:4000"));
        assert_eq!((port, ends(&passed)), (0, (at(PEER), at(HOST))));
        let told = subject.told();
        let translated = Passage::Translated { side: Side::Source, from: at(HOST), to: at("10.0.1.1:4000") };
        assert!(told.iter().any(|event| matches!(event, Event::Passage { passage, .. } if *passage == translated)));
    }
    let (_, passed) = subject.passes(0, ping("10.0.0.2", "192.0.2.1", 7, false));
    assert_eq!(ends(&passed).0, at("10.0.1.1:7"));
    let (_, passed) = subject.passes(0, ping("10.0.0.3", "192.0.2.1", 7, false));
    let other = ends(&passed).0.port();
    assert_ne!(other, 7, "the identifier is taken");
    let (_, passed) = subject.passes(1, ping("192.0.2.1", OUTSIDE, other, true));
    assert_eq!(ends(&passed).1, at("10.0.0.3:7"));
}

#[test]
fn strangers_are_dropped_in_silence_and_the_routers_own_echo_is_answered() {
    let mut subject = subject();
    assert_eq!(subject.refuses(1, udp(PEER, "10.0.1.1:4000", 9, 10)), (DropReason::NoMapping, None));
    subject.passes(0, udp(HOST, PEER, 9, 10));
    assert_eq!(subject.refuses(1, udp("192.0.2.7:80", "10.0.1.1:4000", 9, 10)), (DropReason::Unsolicited, None));
    let out = subject.offer(1, ping("192.0.2.7", OUTSIDE, 7, false));
    assert!(matches!(out[0].cause, Cause::Own(_)));
    let out = subject.offer(0, ping("10.0.0.2", "10.0.0.1", 7, false));
    assert!(matches!(out[0].cause, Cause::Own(_)));
}

#[test]
fn a_forwarded_port_leads_inside_and_back() {
    let mut subject = subject();
    let (port, passed) = subject.passes(1, tcp(PEER, "10.0.1.1:8080", TcpFlags::SYN, None));
    assert_eq!((port, ends(&passed)), (0, (at(PEER), at("10.0.0.9:80"))));
    let (port, passed) = subject.passes(0, tcp("10.0.0.9:80", PEER, TcpFlags(0x12), None));
    assert_eq!((port, ends(&passed)), (1, (at("10.0.1.1:8080"), at(PEER))));
}

#[test]
fn an_error_finds_the_host_and_quotes_what_it_sent() {
    for whole in [false, true] {
        let mut subject = subject();
        let sent = udp(HOST, PEER, 9, 10);
        let (_, passed) = subject.passes(0, sent.clone());
        let quoted = if whole { passed.as_slice() } else { &passed[..28] };
        let (port, back) = subject.passes(1, error("198.51.100.1", OUTSIDE, (11, 0), quoted));
        assert_eq!((port, sender(&back).1), (0, Some(ip("10.0.0.2"))));
        let quotation = &back[28..];
        assert_eq!(ends(quotation), (at(HOST), at(PEER)));
        // But for the hop that it has lost, it is what was sent, checksums and all.
        let expected: Vec<u8> = sent[..quotation.len()].to_vec();
        assert_eq!((&quotation[..8], &quotation[12..]), (&expected[..8], &expected[12..]));
        assert!(checksum::verify(Medium::Ip, &back).is_good());
    }
}

#[test]
fn an_error_from_inside_speaks_of_the_outside_address() {
    let mut subject = subject();
    subject.passes(0, udp(HOST, PEER, 9, 10));
    let (_, came_in) = subject.passes(1, udp(PEER, "10.0.1.1:4000", 9, 10));
    let (port, out) = subject.passes(0, error("10.0.0.2", "192.0.2.1", (3, 3), &came_in[..28]));
    assert_eq!((port, sender(&out)), (1, (Some(ip(OUTSIDE)), Some(ip("192.0.2.1")))));
    assert_eq!(ends(&out[28..]), (at(PEER), at("10.0.1.1:4000")));
}

#[test]
fn what_the_router_says_about_a_translated_packet_quotes_it_as_its_sender_knows_it() {
    let mut subject = subject();
    subject.passes(0, udp(HOST, PEER, 9, 10));
    subject.told();
    // `refuses` compares the quotation with what was sent.
    let refused = subject.refuses(1, udp(PEER, "10.0.1.1:4000", 1, 10));
    assert_eq!(refused, (DropReason::HopsExceeded, Some((11, 0, 0))));
}

#[test]
fn the_inside_reaches_itself_by_the_outside_address() {
    let mut subject = subject();
    let (_, passed) = subject.passes(0, tcp("10.0.0.9:80", PEER, TcpFlags::SYN, None));
    assert_eq!(ends(&passed).0, at("10.0.1.1:8080"));
    let (port, passed) = subject.passes(0, tcp(HOST, "10.0.1.1:8080", TcpFlags::SYN, None));
    assert_eq!((port, ends(&passed)), (0, (at("10.0.1.1:4000"), at("10.0.0.9:80"))));
}

#[test]
fn fragments_are_translated_with_their_first() {
    let mut subject = subject();
    let whole = may_be_cut(udp(HOST, PEER, 9, 2000));
    let pieces = refragment(Packet::from_wire(Medium::Ip, whole.into()), 800).expect("it can be cut");
    for piece in &pieces {
        let (_, passed) = subject.passes(0, piece.to_bytes().to_vec());
        assert_eq!(sender(&passed).0, Some(ip(OUTSIDE)));
    }
    assert_eq!(subject.router.nat.as_ref().map(|(_, nat)| nat.size()), Some(2));
}

#[test]
fn what_has_no_ports_is_not_translated_and_ipv6_passes_as_it_is() {
    let mut subject = subject();
    let mut other = udp(HOST, PEER, 9, 10);
    other[9] = 132;
    renew(&mut other);
    assert_eq!(subject.refuses(0, other), (DropReason::NotTranslated, None));
    let frame = udp("fd00:0::2:4000", "fd00:1::2:53", 9, 10);
    let (_, passed) = subject.passes(0, frame.clone());
    assert_eq!(passed[8..], frame[8..]);
}

#[test]
fn a_zero_checksum_stays_none_and_a_wrong_one_stays_wrong() {
    let mut subject = subject();
    let mut without = udp(HOST, PEER, 9, 10);
    without[26..28].fill(0);
    let (_, passed) = subject.passes(0, without);
    assert_eq!(passed[26..28], [0, 0]);
    let mut wrong = udp(HOST, PEER, 9, 10);
    wrong[30] ^= 1;
    let (_, passed) = subject.passes(0, wrong);
    assert!(!checksum::verify(Medium::Ip, &passed).is_good());
}

#[test]
fn rules_see_addresses_as_they_are_inside() {
    let mut subject = Subject::new(|config| {
        config.nat = Some(nat());
        let only = Rule {
            id: "only-this-host".to_owned(),
            from: None,
            to: None,
            when: std::sync::Arc::new(|packet| {
                let (src, dst) = packet.dissect().addresses().expect("it has addresses");
                [src, dst].contains(&ip("10.0.0.2"))
            }),
            verdict: Verdict::Accept,
        };
        config.policy = Policy { rules: vec![only], otherwise: Verdict::Drop, stateful: true };
    });
    subject.passes(0, udp(HOST, PEER, 9, 10));
    subject.passes(1, udp(PEER, "10.0.1.1:4000", 9, 10));
    assert_eq!(subject.refuses(0, udp("10.0.0.3:4000", PEER, 9, 10)).0, DropReason::Filtered);
}

#[test]
fn a_mapping_that_nothing_uses_expires_and_is_told() {
    let mut subject = subject();
    subject.passes(0, udp(HOST, PEER, 9, 10));
    subject.now = subject.router.deadline().expect("a mapping lives");
    assert_eq!(subject.now, Instant::ZERO + Duration::from_secs(60));
    subject.router.expire(subject.now);
    assert!(matches!(subject.told().last(), Some(Event::MappingExpired { .. })));
    assert_eq!(subject.refuses(1, udp(PEER, "10.0.1.1:4000", 9, 10)), (DropReason::NoMapping, None));
}
