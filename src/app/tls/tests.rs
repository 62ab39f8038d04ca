//! TLS between programs, over a userspace network in virtual time.

use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::app::run;
use crate::app::tests::{CLIENT, ENDED_WELL, SERVER, Seen, address, pair, program, scene, start, wire};
use crate::host::chance::with_seed;
use crate::journal::{NodeId, ProgramEvent};
use crate::rng::Rng;

const SECRET: &str = "a body that nobody else reads";

fn server(settings: &str) -> String {
    let name = if settings.contains("name = ") { "" } else { r#"name = "server""# };
    format!(r#"{{ http-server = {{ port = 443, path = "/", body = "{SECRET}", tls = {{ {settings} {name} }} }} }}"#)
}

fn get(settings: &str) -> String {
    format!(r#"{{ http-get = {{ url = "https://server/", {settings} }} }}"#)
}

/// What a node's programs say of their handshakes: version, name, protocol, resumed, and what went wrong.
fn handshakes(seen: &Seen, node: NodeId) -> Vec<(String, String, String, bool, String)> {
    let told = seen.reports(node).into_iter().filter_map(|report| match report {
        ProgramEvent::Handshake { version, server_name, alpn, resumed, ok, detail } => {
            assert_eq!(ok, detail.is_empty());
            Some((version, server_name, alpn, resumed, detail))
        }
        _ => None,
    });
    told.collect()
}

fn agreed(alpn: &str, resumed: bool) -> (String, String, String, bool, String) {
    ("TLSv1.3".to_owned(), "server".to_owned(), alpn.to_owned(), resumed, String::new())
}

fn has_reset(seen: &Seen) -> bool {
    seen.segments(CLIENT).chain(seen.segments(SERVER)).any(|(_, tcp)| tcp.flags.rst())
}

#[test]
fn a_page_comes_over_tls_and_only_both_ends_can_read_it() {
    for (settings, alpn) in [("", "h2"), (r#"alpn = ["http/1.1"],"#, "http/1.1")] {
        let (outcome, seen) = pair(1, wire(), &server(settings), &get(""));
        outcome.expect("the certificate is good");
        for node in [CLIENT, SERVER] {
            assert_eq!(handshakes(&seen, node), [agreed(alpn, false)]);
            assert!(!seen.sent_text(node).contains("nobody else") && !seen.sent_text(node).contains("HTTP/1.1"));
        }
        assert!(seen.sent_text(CLIENT).contains("server"), "the name is sent in the clear");
        assert_eq!(seen.lines(CLIENT), [(SECRET.to_owned(), false)]);
        assert_eq!(seen.lines(SERVER), [], "the close was not orderly");
        assert_eq!(seen.reports(CLIENT).last(), Some(&ENDED_WELL));
        assert!(!has_reset(&seen), "{alpn}");
    }
}

#[test]
fn both_ends_tell_the_same_secrets() {
    let (_, seen) = pair(1, wire(), &server(""), &get(""));
    let secrets = |node| {
        let mut lines: Vec<String> = seen.reports(node).into_iter().filter_map(secret).collect();
        lines.sort();
        lines
    };
    let lines = secrets(CLIENT);
    assert_eq!(lines, secrets(SERVER));
    let labels: Vec<&str> = lines.iter().filter_map(|line| line.split(' ').next()).collect();
    assert!(labels.contains(&"CLIENT_TRAFFIC_SECRET_0") && labels.contains(&"SERVER_HANDSHAKE_TRAFFIC_SECRET"));
    assert!(lines.iter().all(|line| line.split(' ').nth(1).is_some_and(|random| random.len() == 64)), "{lines:?}");
}

fn secret(report: ProgramEvent) -> Option<String> {
    match report {
        ProgramEvent::Secrets { line } => Some(line),
        _ => None,
    }
}

#[test]
fn what_is_wrong_with_a_certificate_is_said_by_an_alert_and_nothing_is_asked() {
    let table = [
        ("expired", "certificate expired", "alert 45 (CertificateExpired)"),
        ("wrong-name", "not valid for name \"server\"", "alert 42 (BadCertificate)"),
        ("unknown-ca", "UnknownIssuer", "alert 48 (UnknownCA)"),
    ];
    for (kind, why, alert) in table {
        let (outcome, seen) = pair(1, wire(), &server(&format!("certificate = \"{kind}\",")), &get(""));
        let error = outcome.expect_err(kind).to_string();
        assert!(error.starts_with("`http-get` and server:443 do not come to terms about TLS: "), "{error}");
        assert!(error.contains(why) && error.contains(alert), "{error}");
        let told = handshakes(&seen, SERVER);
        assert!(matches!(&told[..], [(.., detail)] if *detail == format!("the other end sent {alert}")), "{told:?}");
        let is_request = |report: &ProgramEvent| matches!(report, ProgramEvent::Request { .. });
        assert!(!seen.reports(SERVER).iter().chain(&seen.reports(CLIENT)).any(is_request), "{kind}");
        assert!(!has_reset(&seen), "{kind}");
    }
}

#[test]
fn versions_that_have_nothing_in_common_are_refused() {
    let (outcome, seen) = pair(1, wire(), &server(r#"versions = ["1.3"],"#), &get(r#"tls = { versions = ["1.2"] }"#));
    let error = outcome.expect_err("there is no common version").to_string();
    assert!(error.contains("alert 70 (ProtocolVersion)"), "{error}");
    assert_eq!(handshakes(&seen, SERVER).len(), 1);
    let (outcome, seen) =
        pair(1, wire(), &server(r#"versions = ["1.2", "1.3"],"#), &get(r#"tls = { versions = ["1.2"] }"#));
    outcome.expect("both speak 1.2");
    assert_eq!(handshakes(&seen, CLIENT)[0].0, "TLSv1.2");
}

#[test]
fn a_name_that_is_not_sent_is_nowhere_in_the_clear() {
    let (outcome, seen) = pair(1, wire(), &server(""), &get("tls = { send_name = false }"));
    outcome.expect("the certificate is good all the same");
    assert!(!seen.sent_text(CLIENT).contains("server"));
    assert_eq!(handshakes(&seen, SERVER)[0].1, "");
}

#[test]
fn a_second_connection_takes_the_session_up_again_without_a_certificate() {
    let twice = |settings: &str| {
        let requests = r#"requests = [{ url = "https://server/" }, { url = "https://server/", after = "1s" }]"#;
        let client = format!("{{ http-get = {{ {requests}, {settings} }} }}");
        let (outcome, seen) = pair(1, wire(), &server(""), &client);
        outcome.expect("the certificate is good");
        let resumed: Vec<bool> = handshakes(&seen, SERVER).into_iter().map(|(.., resumed, _)| resumed).collect();
        (resumed, seen.sent_text(SERVER).len())
    };
    let (resumed, short) = twice("");
    assert_eq!(resumed, [false, true]);
    let (resumed, long) = twice("tls = { resume = false }");
    assert_eq!(resumed, [false, false]);
    assert!(short + 300 < long, "{short} and {long} octets");
}

#[test]
fn http_2_is_spoken_without_tls_too_when_both_know_it_before() {
    let server = r#"{ http-server = { port = 80, http2 = true, path = "/", body = "by stream" } }"#;
    for (client, preface) in [("http2 = true", true), ("http2 = false", false)] {
        let client = format!(r#"{{ http-get = {{ url = "http://server/", {client} }} }}"#);
        let (outcome, seen) = pair(1, wire(), server, &client);
        outcome.expect("both are spoken");
        assert_eq!(seen.sent_text(CLIENT).starts_with("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"), preface);
        assert_eq!(seen.lines(CLIENT), [("by stream".to_owned(), false)]);
        assert_eq!(seen.lines(SERVER), []);
        assert!(!has_reset(&seen), "{preface}");
    }
}

#[test]
fn the_same_seed_gives_the_same_packets() {
    let packets = |seed| with_seed(seed, || pair(1, wire(), &server(""), &get("")).1.packets).expect("threads");
    assert_eq!(packets(1), packets(1));
    assert_ne!(packets(1), packets(2));
}

#[test]
fn settings_that_mean_nothing_are_answered_with_what_is_wanted() {
    let table = [
        (server(r#"certificate = "bad","#), "expected one of `good`, `expired`, `wrong-name`, `unknown-ca`"),
        (server(r#"name = "a b""#), "`a b` is no server's name"),
        (server(r#"versions = [],"#), "write `versions = [\"1.3\"]`"),
        (server(r#"versions = ["1.1"],"#), "expected `1.2` or `1.3`"),
        (get("tls = { name = \"x\" }"), "unknown field `name`"),
    ];
    #[derive(Debug, serde::Deserialize)]
    struct Step {
        #[expect(dead_code, reason = "it is not read")]
        run: crate::app::Program,
    }
    for (written, expected) in table {
        let error = toml::from_str::<Step>(&format!("run = {written}")).expect_err(&written).to_string();
        assert!(error.contains(expected), "{written}: {error}");
    }
}

/// A client's first octets, as they are.
fn client_hello() -> Vec<u8> {
    let (_, seen) = pair(1, wire(), &server(""), &get(""));
    let (record, tcp) = seen.segments(CLIENT).find(|(_, tcp)| tcp.payload_len > 0).expect("it says hello");
    record.bytes[record.bytes.len() - tcp.payload_len..].to_vec()
}

#[test]
fn a_server_answers_after_ten_thousand_malformed_handshakes() {
    let hello = client_hello();
    let ((), seen) = scene(1, wire(), |client, server_host, resolver| async move {
        start(&server(""), &server_host, 1).await;
        let mut rng = Rng::new(62);
        for _ in 0..10_000 {
            let mut octets = hello.clone();
            match rng.next_u64() % 3 {
                0 => octets.truncate(rng.next_u64() as usize % octets.len()),
                1 => octets.extend_from_slice(&rng.next_u64().to_be_bytes()),
                _ => {}
            }
            for _ in 0..=rng.next_u64() % 4 {
                let place = rng.next_u64() as usize % octets.len().max(1);
                if let Some(octet) = octets.get_mut(place) {
                    *octet = rng.next_u64() as u8;
                }
            }
            let mut stream = client.connect((address(2), 443).into()).await.expect("the server listens");
            let _ = stream.write_all(&octets).await;
            let _ = stream.shutdown().await;
            let mut answer = Vec::new();
            let _ = stream.read_to_end(&mut answer).await;
        }
        run(&program(&get("")), &client, &resolver, 1, || ()).await.expect("it still answers");
    });
    assert_eq!(seen.lines(CLIENT), [(SECRET.to_owned(), false)]);
    assert!(handshakes(&seen, SERVER).len() > 9_000, "{}", handshakes(&seen, SERVER).len());
}
