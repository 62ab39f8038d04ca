//! Rules, remembered connections, and clamped segments.

use std::sync::Arc;

use super::super::super::{MssClamp, Policy, Rejection, Rule, Verdict};
use super::*;

const INSIDE: &str = "10.0.0.2:4000";
const OUTSIDE: &str = "10.0.1.2:80";
const SYN_ACK: TcpFlags = TcpFlags(0x12);

fn rule(id: &str, verdict: Verdict, when: impl Fn(&Packet) -> bool + Send + Sync + 'static) -> Rule {
    Rule { id: id.to_owned(), from: None, to: None, when: Arc::new(when), verdict }
}

fn to_port(port: u16) -> impl Fn(&Packet) -> bool {
    move |packet| packet.dissect().ports().is_some_and(|(_, dst)| dst == port)
}

fn policy(rules: Vec<Rule>, otherwise: Verdict, stateful: bool) -> Subject {
    Subject::new(|config| config.policy = Policy { rules, otherwise, stateful })
}

#[test]
fn the_first_rule_that_matches_decides_and_is_named() {
    let rules = vec![
        rule("web", Verdict::Accept, to_port(80)),
        rule("dns", Verdict::Drop, to_port(53)),
        rule("never", Verdict::Accept, to_port(53)),
    ];
    let mut subject = policy(rules, Verdict::Drop, false);
    subject.passes(0, udp(INSIDE, "10.0.1.2:80", 9, 1));
    for (port, rule) in [(53, Some("dns".to_owned())), (54, None)] {
        assert_eq!(subject.offer(0, udp(INSIDE, &format!("10.0.1.2:{port}"), 9, 1)).len(), 0);
        let told = subject.told();
        let expected = Passage::Filtered { rule, rejected: false };
        assert!(matches!(&told[0], Event::Passage { passage, .. } if *passage == expected), "{told:?}");
        assert!(matches!(told[1], Event::PacketDropped { reason: DropReason::Filtered, packet: PacketId(_) }));
    }
    // What is for the router itself is not the policy's business.
    assert_eq!(subject.offer(0, ping("10.0.0.2", "10.0.0.1", 7, false)).len(), 1);
}

#[test]
fn a_rule_may_be_about_one_way_only() {
    let mut inwards = rule("no-entry", Verdict::Drop, |_| true);
    (inwards.from, inwards.to) = (Some(PortId(1)), Some(PortId(0)));
    let mut subject = policy(vec![inwards], Verdict::Accept, false);
    subject.passes(0, udp(INSIDE, OUTSIDE, 9, 1));
    assert_eq!(subject.refuses(1, udp(OUTSIDE, INSIDE, 9, 1)), (DropReason::Filtered, None));
}

#[test]
fn who_is_rejected_is_told_as_the_rule_says_even_by_a_silent_router() {
    for icmp_errors in [true, false] {
        let rules = vec![
            rule("reset", Verdict::Reject(Rejection::Reset), to_port(80)),
            rule("forbid", Verdict::Reject(Rejection::Prohibited), |_| true),
        ];
        let mut subject = Subject::new(|config| {
            config.icmp_errors = icmp_errors;
            config.policy = Policy { rules, ..Policy::default() };
        });
        let syn = subject.offer(0, tcp(INSIDE, OUTSIDE, TcpFlags::SYN, None));
        let reset = syn[0].packet.dissect();
        let header = reset.tcp().expect("a reset");
        assert_eq!((syn.len(), header.flags, header.seq.0, header.ack.0), (1, TcpFlags(0x14), 0, 1001));
        assert_eq!(ends(&syn[0].packet.to_bytes()), (at(OUTSIDE), at(INSIDE)));
        let ack = subject.offer(0, tcp(INSIDE, OUTSIDE, TcpFlags::ACK, None));
        let reset = ack[0].packet.dissect();
        assert_eq!(reset.tcp().map(|tcp| (tcp.flags, tcp.seq.0)), Some((TcpFlags::RST, 77)));
        assert_eq!(subject.offer(0, tcp(INSIDE, OUTSIDE, TcpFlags::RST, None)).len(), 0, "no answer to a reset");
        subject.told();
        let refused = subject.refuses(0, udp(INSIDE, OUTSIDE, 9, 20));
        assert_eq!(refused, (DropReason::Filtered, Some((3, 3, 0))));
        let refused = subject.refuses(0, udp(INSIDE, "10.0.1.2:53", 9, 20));
        assert_eq!(refused, (DropReason::Filtered, Some((3, 13, 0))));
        let refused = subject.refuses(0, udp("fd00:0::2:4000", "fd00:1::2:53", 9, 20));
        assert_eq!(refused, (DropReason::Filtered, Some((1, 1, 0))));
    }
}

/// Connections may begin from port 0 only.
fn one_way() -> Subject {
    let mut outwards = rule("outwards", Verdict::Accept, |_| true);
    outwards.from = Some(PortId(0));
    policy(vec![outwards], Verdict::Drop, true)
}

#[test]
fn what_answers_passes_and_what_begins_must_be_allowed() {
    let mut subject = one_way();
    assert_eq!(subject.refuses(1, tcp(OUTSIDE, INSIDE, TcpFlags::SYN, None)), (DropReason::Filtered, None));
    let stray = (DropReason::NoTrackedConnection, None);
    assert_eq!(subject.refuses(1, tcp(OUTSIDE, INSIDE, SYN_ACK, None)), stray);
    subject.passes(0, tcp(INSIDE, OUTSIDE, TcpFlags::SYN, None));
    subject.passes(1, tcp(OUTSIDE, INSIDE, SYN_ACK, None));
    subject.passes(0, tcp(INSIDE, OUTSIDE, TcpFlags::ACK, None));
    assert_eq!(subject.refuses(1, tcp("10.0.1.3:80", INSIDE, SYN_ACK, None)), stray, "another's");
    assert_eq!(subject.refuses(1, udp("10.0.1.2:53", INSIDE, 9, 1)), (DropReason::Filtered, None));
    subject.passes(0, udp(INSIDE, "10.0.1.2:53", 9, 1));
    subject.passes(1, udp("10.0.1.2:53", INSIDE, 9, 1));
    subject.passes(0, ping("10.0.0.2", "10.0.1.2", 7, false));
    subject.passes(1, ping("10.0.1.2", "10.0.0.2", 7, true));
    assert_eq!(subject.refuses(1, ping("10.0.1.2", "10.0.0.2", 8, true)), stray);
    assert_eq!(subject.router.guard.tracked(), Some(3));
}

#[test]
fn an_error_about_a_connection_passes_and_any_other_does_not() {
    let mut subject = one_way();
    let sent = udp(INSIDE, "10.0.1.2:53", 9, 1);
    let about = error("10.0.1.9", "10.0.0.2", (3, 3), &sent[..28]);
    let stray = (DropReason::NoTrackedConnection, None);
    assert_eq!(subject.refuses(1, about.clone()), stray);
    subject.passes(0, sent);
    subject.passes(1, about);
    let other = udp(INSIDE, "10.0.1.2:54", 9, 1);
    assert_eq!(subject.refuses(1, error("10.0.1.9", "10.0.0.2", (3, 3), &other[..28])), stray);
}

#[test]
fn later_fragments_go_where_their_first_went() {
    let mut subject = one_way();
    let whole = may_be_cut(udp(INSIDE, "10.0.1.2:53", 9, 2000));
    let pieces = refragment(Packet::from_wire(Medium::Ip, whole.into()), 800).expect("it can be cut");
    let frame = |index: usize| pieces[index].to_bytes().to_vec();
    assert_eq!(subject.refuses(0, frame(1)), (DropReason::NoTrackedConnection, None), "nobody knows whose");
    for index in 0..3 {
        subject.passes(0, frame(index));
    }
}

#[test]
fn what_did_not_pass_is_not_remembered() {
    let mut subject = one_way();
    let used_up = udp(INSIDE, "10.0.1.2:53", 1, 1);
    assert_eq!(subject.refuses(0, used_up).0, DropReason::HopsExceeded);
    subject.router.ports[1].expire(subject.now);
    assert_eq!(subject.router.guard.tracked(), Some(0));
}

#[test]
fn a_syn_that_announces_too_much_is_clamped() {
    for (clamp, expected) in [(MssClamp::ToMtu, 1260), (MssClamp::To(1000), 1000)] {
        let mut subject = Subject::new(|config| {
            config.ports[1].mtu = 1300;
            config.mss_clamp = Some(clamp);
        });
        for (port, frame) in
            [(0, tcp(INSIDE, OUTSIDE, TcpFlags::SYN, Some(1460))), (1, tcp(OUTSIDE, INSIDE, SYN_ACK, Some(1460)))]
        {
            let (_, passed) = subject.passes(port, frame);
            let dissection = Dissection::of(Medium::Ip, &passed, passed.len());
            assert_eq!(dissection.tcp().and_then(|tcp| tcp.options.mss), Some(expected));
            let clamped = Passage::MssClamped { announced: 1460, mss: expected };
            assert!(matches!(subject.told().as_slice(), [Event::Passage { passage, .. }] if *passage == clamped));
        }
        for frame in [
            tcp(INSIDE, OUTSIDE, TcpFlags::SYN, Some(536)),
            tcp(INSIDE, OUTSIDE, TcpFlags::SYN, None),
            tcp(INSIDE, OUTSIDE, TcpFlags::ACK, Some(1460)),
        ] {
            let (_, passed) = subject.passes(0, frame.clone());
            assert_eq!(passed[20..], frame[20..]);
        }
    }
}
