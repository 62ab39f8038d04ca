//! The gateway and its layers, over a userspace network in virtual time.

use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::app::run;
use crate::app::tests::{CLIENT, SERVER, Seen, address, program, scene, start, wire};
use crate::journal::ProgramEvent;
use crate::rng::Rng;

const BEHIND: &str = r#"{ http-server = { port = 8080, path = "/api/posts", body = '{"posts": [1, 2]}' } }"#;

/// The fields of a gateway that knows alice; `more` stands behind them.
fn gateway(more: &str) -> String {
    format!(
        r#"{{ http-gateway = {{ port = 80, backend = "10.0.0.2:8080", numbers = ["page"],
        callers = [{{ name = "alice", token = "t-1" }}]{more} }} }}"#
    )
}

/// What the client sees of `requests` on one connection, 3 requests each two seconds when `more` does not say else.
fn ask(more: &str, requests: &str) -> Seen {
    let (gateway, client) = (
        gateway(&format!(r#", limit = {{ requests = 3, per = "6s", by = "caller" }}{more}"#)),
        format!("{{ http-get = {{ may_fail = true, keep_alive = true, requests = [{requests}] }} }}"),
    );
    let (outcome, seen) = scene(1, wire(), |client_host, server, resolver| async move {
        start(BEHIND, &server, 1).await;
        start(&gateway, &server, 1).await;
        run(&program(&client), &client_host, &resolver, 1, || ()).await
    });
    outcome.expect("it may fail");
    seen
}

fn get(query: &str, token: &str, more: &str) -> String {
    let url = format!("http://server/api/posts{query}");
    format!(r#"{{ url = "{url}", headers = {{ Authorization = "Bearer {token}" }}{more} }}"#)
}

fn statuses(seen: &Seen) -> Vec<u16> {
    let reports = seen.reports(CLIENT).into_iter();
    reports
        .filter_map(|report| match report {
            ProgramEvent::Response { status, .. } => Some(status),
            _ => None,
        })
        .collect()
}

/// How often the server behind was asked: the gateway passes what it may through, and both report it.
fn passed(seen: &Seen) -> usize {
    let all = seen.reports(SERVER).into_iter().filter(|report| matches!(report, ProgramEvent::Request { .. })).count();
    all - statuses(seen).len()
}

#[test]
fn whoever_is_not_known_makes_no_sense_or_asks_too_often_stays_outside() {
    let seen = ask(
        "",
        &[
            get("", "t-2", ""),
            get("?page=two", "t-1", ""),
            get("?page=2&x", "t-1", ", times = 4"),
            get("", "t-1", r#", after = "1900ms""#),
            get("", "t-1", r#", after = "100ms""#),
        ]
        .join(", "),
    );
    assert_eq!(statuses(&seen), [401, 400, 200, 200, 200, 429, 429, 200]);
    assert_eq!(passed(&seen), 4);
    let told = seen.sent_text(SERVER);
    assert!(told.contains("Www-Authenticate: Bearer\r\n") && told.contains("Retry-After: 2\r\n"), "{told}");
    assert!(told.contains("Retry-After: 1\r\n"), "rounded up: {told}");
    assert!(told.contains("\"error\": \"Too many requests\",\n\"code\": \"RATE_LIMITED\""), "{told}");
    assert!(seen.segments(SERVER).all(|(_, tcp)| !tcp.flags.rst()));
}

#[test]
fn the_order_of_the_layers_decides_who_pays() {
    let requests = [get("", "t-2", ", times = 3"), get("", "t-1", ", times = 3")].join(", ");
    for (layers, expected) in [
        (r#"["errors", "auth", "rate-limit"]"#, [401, 401, 401, 200, 200, 200]),
        (r#"["errors", "rate-limit", "auth"]"#, [401, 401, 401, 429, 429, 429]),
        (r#"["errors", "rate-limit"]"#, [200, 200, 200, 429, 429, 429]),
        (r#"["errors"]"#, [200; 6]),
    ] {
        let seen = ask(&format!(", layers = {layers}"), &requests);
        assert_eq!(statuses(&seen), expected, "{layers}");
    }
}

#[test]
fn without_error_handling_a_refusal_ends_the_connection_without_a_word() {
    let seen = ask(r#", layers = ["auth"]"#, &get("", "t-2", ""));
    assert_eq!((statuses(&seen), seen.sent_text(SERVER)), (vec![], String::new()));
    assert!(seen.lines(SERVER).iter().any(|(line, _)| line.starts_with("nothing here handles errors: 10.0.0.1:")));
}

#[test]
fn each_request_has_a_name_and_a_line_in_the_log() {
    let seen = ask("", &[get("", "t-1", ""), get("", "t-2", "")].join(", "));
    let lines: Vec<String> = seen.lines(SERVER).into_iter().map(|(line, _)| line).collect();
    let [good, bad] = &lines[..] else { panic!("{lines:?}") };
    assert!(good.starts_with("10.0.0.1 alice \"GET /api/posts\" 200 ") && good.contains(" ms req-"), "{good}");
    assert!(bad.starts_with("10.0.0.1 - \"GET /api/posts\" 401 0 ms req-"), "{bad}");
    let id = good.rsplit(' ').next().expect("it ends with the name");
    assert!(seen.sent_text(SERVER).contains(&format!("X-Request-Id: {id}\r\n")));
}

#[test]
fn a_server_behind_that_is_late_or_gone_is_a_problem_like_others() {
    for (behind, more, status, code) in [
        ("{ sink = { port = 9 } }", "", 502, "UNAVAILABLE"),
        (
            r#"{ instance-server = { port = 8080, name = "a", takes = "5s" } }"#,
            r#", timeout = "1s""#,
            504,
            "DEADLINE_EXCEEDED",
        ),
    ] {
        let (gateway, client) = (gateway(more), format!("{{ http-get = {{ requests = [{}] }} }}", get("", "t-1", "")));
        let ((), seen) = scene(1, wire(), |client_host, server, resolver| async move {
            start(behind, &server, 1).await;
            start(&gateway, &server, 1).await;
            run(&program(&client), &client_host, &resolver, 1, || ()).await.expect("a status is an answer");
        });
        assert_eq!(statuses(&seen), [status]);
        assert!(seen.sent_text(SERVER).contains(code), "{}", seen.sent_text(SERVER));
    }
}

/// Requests, most of them spoilt.
fn malformed(rng: &mut Rng) -> Vec<u8> {
    let small = |rng: &mut Rng, below: usize| usize::try_from(rng.below(below as u64)).expect("it is small");
    let fields = [
        "Authorization: Bearer\r\n",
        "Authorization: Bearer t-1\r\nX-Forwarded-For: ,,\u{e9}\r\nTraceparent: 00-0-0-0\r\n",
        "Authorization: bearer t-1\r\nAccept-Encoding: gzip;q=\r\n",
        "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n",
    ];
    let queries = ["", "?page=", "?page=-1", "?page=99999999999", "?=&&=", "?page"];
    let (query, field) = (queries[small(rng, 6)], fields[small(rng, 4)]);
    let mut octets = format!("GET /api/posts{query} HTTP/1.1\r\nHost: server\r\n{field}\r\n").into_bytes();
    for _ in 0..rng.below(5) {
        let at = small(rng, octets.len().max(1));
        match rng.below(3) {
            0 => octets.truncate(at),
            1 => octets.insert(at.min(octets.len()), b"\r\n :,-&?=\0\xff"[small(rng, 11)]),
            _ => octets.iter_mut().skip(at).take(1).for_each(|octet| *octet = (rng.next_u32() & 0xff) as u8),
        }
    }
    octets
}

#[test]
fn ten_thousand_malformed_requests_harm_no_gateway() {
    let gateway = gateway(r#", limit = { requests = 100000, per = "1s", by = "forwarded-for" }"#);
    let ((), seen) = scene(7, wire(), |client, server, resolver| async move {
        start(BEHIND, &server, 1).await;
        let task = start(&gateway, &server, 1).await;
        let mut rng = Rng::new(7);
        for _ in 0..10_000 {
            let mut stream = client.connect((address(2), 80).into()).await.expect("it listens");
            // An error is an answer, too: the server has had enough.
            let _ = stream.write_all(&malformed(&mut rng)).await;
            let _ = stream.shutdown().await;
            let _ = tokio::time::timeout(Duration::from_secs(9), stream.read_to_end(&mut Vec::new())).await;
        }
        assert!(!task.is_finished(), "the gateway has ended");
        let get = format!("{{ http-get = {{ requests = [{}] }} }}", get("", "t-1", ""));
        run(&program(&get), &client, &resolver, 1, || ()).await.expect("it still answers");
    });
    assert_eq!(statuses(&seen), [200]);
}
