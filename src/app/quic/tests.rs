//! HTTP/3 and its rival over a userspace network in virtual time: streams, losses, bad clients.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use rustls::quic::{Keys, Version};

use crate::app::run;
use crate::app::tests::{
    CLIENT, ENDED_WELL, SERVER, STACKS, Seen, address, pair, pair_on, program, scene, start, wire,
};
use crate::capture::Direction;
use crate::host::chance::with_seed;
use crate::journal::{NodeId, PacketSpace, ProgramEvent, Way};
use crate::link::{Action, PipeConfig, Rule};
use crate::packet::Dissection;
use crate::rng::{Probability, Rng};

const PAGES: &str = r#"pages = [
    { path = "/a.txt", generated = { text = "4KB" } },
    { path = "/b.txt", generated = { text = "4KB" } },
]"#;

fn http3(tls: &str) -> String {
    format!("{{ http3-server = {{ port = 443, tls = {{ name = \"server\", {tls} }}, {PAGES} }} }}")
}

fn http2() -> String {
    format!("{{ http-server = {{ port = 443, tls = {{ name = \"server\" }}, {PAGES} }} }}")
}

fn get(over: &str, more: &str) -> String {
    let urls = r#"["https://server/a.txt", "https://server/b.txt"]"#;
    format!(r#"{{ streams-get = {{ over = "{over}", requests = {urls}, {more} }} }}"#)
}

/// Page, octets and milliseconds of each delivery, in order.
fn delivered(seen: &Seen) -> Vec<(String, u64, u128)> {
    let reports = seen.reports(CLIENT).into_iter();
    reports
        .filter_map(|report| match report {
            ProgramEvent::Delivered { target, bytes, latency, .. } => Some((target, bytes, latency.as_millis())),
            _ => None,
        })
        .collect()
}

/// Way, space, number and frames of each packet of QUIC that a node's programs told of.
fn packets(seen: &Seen, node: NodeId) -> Vec<(Way, PacketSpace, u64, String)> {
    let reports = seen.reports(node).into_iter();
    reports
        .filter_map(|report| match report {
            ProgramEvent::QuicPacket { way, space, number, frames, .. } => Some((way, space, number, frames)),
            _ => None,
        })
        .collect()
}

/// The payloads of the datagrams that a node put on the link.
fn datagrams(seen: &Seen, node: NodeId) -> Vec<Vec<u8>> {
    let sent = seen.packets.iter().filter(|(at, record)| *at == node && record.direction == Direction::Out);
    let payload = sent.filter_map(|(_, record)| {
        let dissection = Dissection::of(record.medium, &record.bytes, record.wire_len);
        record.bytes.get(dissection.payload).map(<[u8]>::to_vec)
    });
    payload.collect()
}

#[test]
fn pages_come_whole_over_both_transports_on_every_stack() {
    for (kind, over) in STACKS.into_iter().flat_map(|kind| ["http2", "http3"].map(|over| (kind, over))) {
        let server = if over == "http2" { http2() } else { http3("") };
        let (outcome, seen) = pair_on(kind, 1, wire(), &server, &get(over, "rounds = 2, pause = \"1s\""));
        outcome.expect("the link is clean");
        let mut pages = delivered(&seen);
        pages.sort();
        let pages: Vec<(&str, u64)> = pages.iter().map(|(page, octets, _)| (page.as_str(), *octets)).collect();
        assert_eq!(pages, [("/a.txt", 4000), ("/a.txt", 4000), ("/b.txt", 4000), ("/b.txt", 4000)], "{kind} {over}");
        let requests = |report: &ProgramEvent| matches!(report, ProgramEvent::Request { .. });
        assert_eq!(seen.reports(SERVER).iter().filter(|report| requests(report)).count(), 4);
        let connected = |report: &ProgramEvent| matches!(report, ProgramEvent::Accepted { .. });
        assert_eq!(seen.reports(SERVER).iter().filter(|report| connected(report)).count(), 1, "one connection");
        assert_eq!(seen.lines(SERVER), [], "the close was not orderly");
        assert_eq!(seen.reports(CLIENT).last(), Some(&ENDED_WELL));
    }
}

#[test]
fn a_quic_handshake_takes_one_round_trip_and_both_ends_tell_of_it() {
    let (_, seen) = pair(1, wire(), &http3(""), &get("http3", ""));
    for node in [CLIENT, SERVER] {
        let agreed = ProgramEvent::Handshake {
            version: "TLSv1.3".to_owned(),
            server_name: "server".to_owned(),
            alpn: "h3".to_owned(),
            resumed: false,
            ok: true,
            detail: String::new(),
        };
        assert!(seen.reports(node).contains(&agreed), "{:?}", seen.reports(node));
    }
    let request = seen.events.iter().find(|entry| entry.node == CLIENT && format!("{entry:?}").contains("Request"));
    assert_eq!(request.map(|entry| entry.at.as_nanos()), Some(20_000_000));
}

#[test]
fn both_ends_tell_the_same_secrets() {
    let (_, seen) = pair(1, wire(), &http3(""), &get("http3", ""));
    let secrets = |node| {
        let reports = seen.reports(node).into_iter();
        let lines = reports.filter_map(|report| match report {
            ProgramEvent::Secrets { line } => Some(line),
            _ => None,
        });
        lines.collect::<BTreeSet<String>>()
    };
    assert_eq!(secrets(CLIENT), secrets(SERVER));
    assert!(secrets(CLIENT).iter().any(|line| line.starts_with("SERVER_TRAFFIC_SECRET_0 ")));
}

#[test]
fn what_is_sent_is_what_is_opened_at_the_other_end() {
    let (_, seen) = pair(1, wire(), &http3(""), &get("http3", ""));
    for (from, to) in [(CLIENT, SERVER), (SERVER, CLIENT)] {
        let of = |node, wanted| -> BTreeSet<(String, u64, String)> {
            let packets = packets(&seen, node).into_iter().filter(|(way, ..)| *way == wanted);
            packets.map(|(_, space, number, frames)| (format!("{space:?}"), number, frames)).collect()
        };
        let (sent, received) = (of(from, Way::Sent), of(to, Way::Received));
        assert!(received.len() > 5 && received.is_subset(&sent), "{received:?} is not of {sent:?}");
    }
}

/// What is seen of a pair when the n-th of the server's long packets is lost.
fn losing(nth: u32) -> impl Fn(&str, &str) -> Seen {
    move |server, client| {
        let when = Arc::new(|packet: &crate::packet::Packet| packet.len() > 1200);
        let rule = Rule { id: "lose".to_owned(), when, nth: vec![nth], action: Action::Drop };
        let back = PipeConfig { rules: vec![rule], ..wire() };
        let (outcome, seen) = crate::app::tests::pair_back(1, back, server, client);
        outcome.expect("what is lost is sent again");
        seen
    }
}

#[test]
fn over_quic_only_the_page_waits_whose_packet_was_lost() {
    let h2 = delivered(&losing(2)(&http2(), &get("http2", "")));
    let waits: Vec<bool> = h2.iter().map(|(.., millis)| *millis > 30).collect();
    assert_eq!(waits, [true, true], "{h2:?}");
    // The handshake has one long datagram; then the pages take turns.
    let h3 = delivered(&losing(4)(&http3(""), &get("http3", "")));
    let order: Vec<(&str, bool)> = h3.iter().map(|(page, _, millis)| (page.as_str(), *millis > 30)).collect();
    assert_eq!(order, [("/b.txt", false), ("/a.txt", true)], "{h3:?}");
}

#[test]
fn no_packet_number_is_used_twice_whatever_is_lost() {
    let lossy = PipeConfig { loss: Probability::from_percent(10), ..wire() };
    for seed in 1..5 {
        let (outcome, seen) = pair(seed, lossy.clone(), &http3(""), &get("http3", "rounds = 5"));
        outcome.expect("what is lost is sent again");
        for node in [CLIENT, SERVER] {
            let sent = packets(&seen, node).into_iter().filter(|(way, ..)| *way == Way::Sent);
            let numbers: Vec<(String, u64)> =
                sent.map(|(_, space, number, _)| (format!("{space:?}"), number)).collect();
            assert_eq!(numbers.iter().collect::<BTreeSet<_>>().len(), numbers.len(), "{numbers:?}");
        }
    }
}

#[test]
fn the_same_seed_gives_the_same_packets() {
    let lossy = || PipeConfig { loss: Probability::from_percent(5), ..wire() };
    let packets = |seed| {
        with_seed(seed, || pair(seed, lossy(), &http3(""), &get("http3", "")).1.packets).expect("there are threads")
    };
    assert_eq!(packets(1), packets(1));
    assert_ne!(packets(1), packets(2));
}

#[test]
fn what_is_wrong_with_a_certificate_is_told_and_nothing_is_asked() {
    for (kind, alert) in [("expired", 45), ("wrong-name", 42), ("unknown-ca", 48)] {
        let (outcome, seen) = pair(1, wire(), &http3(&format!("certificate = \"{kind}\"")), &get("http3", ""));
        let error = outcome.expect_err(kind).to_string();
        assert!(error.starts_with("`streams-get` and server:443 do not come to terms about TLS: "), "{error}");
        assert!(!seen.reports(SERVER).iter().any(|report| matches!(report, ProgramEvent::Request { .. })));
        let closes = packets(&seen, CLIENT).into_iter().filter(|(.., frames)| frames.contains("CONNECTION_CLOSE"));
        let expected = format!("CONNECTION_CLOSE 0x1{alert:02x}");
        assert!(closes.clone().any(|(.., frames)| frames.contains(&expected)), "{:?}", closes.collect::<Vec<_>>());
        assert!(seen.lines(SERVER).iter().any(|(line, _)| line.contains("do not come to terms")), "{kind}");
    }
}

#[test]
fn versions_that_quic_has_not_are_refused_where_they_stand() {
    #[derive(Debug, serde::Deserialize)]
    struct Step {
        #[expect(dead_code, reason = "it is not read")]
        run: crate::app::Program,
    }
    for written in [get("http3", r#"tls = { versions = ["1.2", "1.3"] }"#), http3(r#"versions = ["1.2"]"#)] {
        let error = toml::from_str::<Step>(&format!("run = {written}")).expect_err(&written).to_string();
        assert!(error.contains("QUIC has TLS 1.3 in it and no other"), "{error}");
    }
    program(&get("http2", r#"tls = { versions = ["1.2"] }"#));
}

#[test]
fn a_server_that_is_not_there_is_waited_for_no_longer_than_the_settings_say() {
    let client = get("http3", "timeout = \"3s\", may_fail = true");
    let (outcome, seen) = pair(1, wire(), "{ sink = { port = 9000 } }", &client);
    outcome.expect("it may fail");
    assert!(matches!(&seen.lines(CLIENT)[..], [(line, true)] if line.contains("waiting for server:443")));
    let ended = seen.events.iter().rfind(|entry| format!("{entry:?}").contains("Ended")).expect("it ended");
    assert_eq!(Duration::from_nanos(ended.at.as_nanos()), Duration::from_secs(3));
}

/// The octets as frames of a client's first packet, sealed as everybody can (RFC 9001 §5.2).
fn sealed(rng: &mut Rng, mut frames: Vec<u8>) -> Vec<u8> {
    let suite = rustls::crypto::ring::cipher_suite::TLS13_AES_128_GCM_SHA256;
    let suite = suite.tls13().expect("it is one of TLS 1.3");
    let mut id = [0; 8];
    rng.fill(&mut id);
    let quic = suite.quic.expect("it is QUIC's own");
    let keys = Keys::initial(Version::V1, suite, quic, &id, rustls::Side::Client).local;
    // A server looks at no first datagram that is shorter than 1200 octets.
    frames.resize(frames.len().max(1162), 0);
    let length = u16::try_from(4 + frames.len() + keys.packet.tag_len()).expect("it is short") | 0x4000;
    let mut packet = [&[0xc3, 0, 0, 0, 1, 8][..], &id, &[0, 0], &length.to_be_bytes(), &[0; 4]].concat();
    let header = packet.len();
    let tag = keys.packet.encrypt_in_place(0, &packet, &mut frames).expect("it is short");
    packet.extend_from_slice(&frames);
    packet.extend_from_slice(tag.as_ref());
    let sample = packet[header..header + keys.header.sample_len()].to_vec();
    let (first, rest) = packet.split_at_mut(1);
    let number = &mut rest[header - 5..header - 1];
    keys.header.encrypt_in_place(&sample, &mut first[0], number).expect("the sample is long enough");
    packet
}

/// Octets of an exchange, a little changed, cut, joined, or none of it at all.
fn malformed(rng: &mut Rng, good: &[Vec<u8>]) -> Vec<u8> {
    let pick = |rng: &mut Rng| good[usize::try_from(rng.below(good.len() as u64)).expect("few")].clone();
    let mut octets = pick(rng);
    match rng.below(4) {
        0 => octets.truncate(usize::try_from(rng.below(octets.len() as u64 + 1)).expect("few")),
        1 => octets.extend(pick(rng)),
        2 => {
            octets.truncate(64);
            rng.fill(&mut octets);
        }
        _ => {}
    }
    octets.truncate(1400);
    if rng.below(2) == 0 {
        return sealed(rng, octets);
    }
    for _ in 0..=rng.below(4) {
        let place = usize::try_from(rng.below(octets.len().max(1) as u64)).expect("few");
        if let Some(octet) = octets.get_mut(place) {
            *octet = rng.next_u64() as u8;
        }
    }
    octets
}

#[test]
fn a_server_answers_after_ten_thousand_malformed_datagrams() {
    let good = datagrams(&pair(1, wire(), &http3(""), &get("http3", "")).1, CLIENT);
    assert!(good.len() > 4);
    let (outcome, seen) = scene(2, wire(), |client, host, resolver| async move {
        start(&http3(""), &host, 2).await;
        let socket = client.bind_udp((address(1), 0).into()).await.expect("there are ports");
        let mut rng = Rng::new(74);
        for _ in 0..10_000 {
            let octets = malformed(&mut rng, &good);
            socket.send_to(&octets, (address(2), 443).into()).await.expect("it is sent");
            tokio::time::sleep(Duration::from_micros(100)).await;
        }
        run(&program(&get("http3", "")), &client, &resolver, 2, || ()).await
    });
    outcome.expect("it still answers");
    assert_eq!(delivered(&seen).len(), 2);
    let opened = packets(&seen, SERVER).into_iter().filter(|(way, ..)| *way == Way::Received).count();
    assert!(opened > 3_000, "{opened}: some of it has to get as far as the frames");
}
