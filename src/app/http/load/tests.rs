//! Servers with workers and clients with many requests, over a userspace network in virtual time.

use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::app::run;
use crate::app::tests::{CLIENT, ENDED_WELL, SERVER, Seen, address, pair, program, scene, start, wire};
use crate::journal::{Event, NodeId, ProgramEvent};
use crate::rng::Rng;

/// A figure that the client told at its end.
fn figure(seen: &Seen, name: &str) -> u64 {
    let reports = seen.reports(CLIENT).into_iter().rev();
    let mut values = reports.filter_map(|report| match report {
        ProgramEvent::Figure { name: known, value } if known == name => Some(value),
        _ => None,
    });
    values.next().expect(name)
}

/// The most requests that the server on this port worked on at once.
fn most_in_work(seen: &Seen, port: u16) -> u64 {
    let name = format!("in-work-{port}");
    let reports = seen.reports(SERVER).into_iter();
    let values = reports.filter_map(|report| match report {
        ProgramEvent::Figure { name: known, value } if known == name => Some(value),
        _ => None,
    });
    values.max().unwrap_or(0)
}

/// When a node answered, in milliseconds, and with which status.
fn answered(seen: &Seen, node: NodeId) -> Vec<(u64, u16)> {
    let of_node = seen.events.iter().filter(|entry| entry.node == node);
    of_node
        .filter_map(|entry| match &entry.event {
            Event::Program { report: ProgramEvent::Response { status, .. }, .. } => {
                Some((entry.at.as_nanos() / 1_000_000, *status))
            }
            _ => None,
        })
        .collect()
}

fn load(server: &str, client: &str) -> Seen {
    let (outcome, seen) =
        pair(1, wire(), &format!("{{ work-server = {{ port = 80, {server} }} }}"), &client_of(client));
    outcome.expect("a load always ends well");
    assert_eq!(seen.reports(CLIENT).last(), Some(&ENDED_WELL));
    seen
}

fn client_of(settings: &str) -> String {
    format!("{{ load-client = {{ url = \"http://server/\", {settings} }} }}")
}

#[test]
fn a_pool_does_as_much_as_the_formula_says_and_the_rest_waits() {
    let seen = load("workers = 4, takes = \"100ms\"", "users = 8, requests = 16");
    assert_eq!(most_in_work(&seen, 80), 4);
    // The way there takes 10 ms, and the handshake comes first: requests are there after 30 ms.
    let at: Vec<u64> = answered(&seen, SERVER).into_iter().map(|(at, _)| at).collect();
    assert_eq!(at, [[130; 4], [230; 4], [330; 4], [430; 4]].concat());
    assert_eq!((figure(&seen, "answered"), figure(&seen, "tries")), (16, 16));
    assert_eq!(figure(&seen, "under-way-thousandths"), figure(&seen, "rate-times-latency-thousandths"));
    assert_eq!(seen.lines(SERVER), [], "the closes were not orderly");
}

#[test]
fn without_workers_all_are_worked_on_at_once() {
    let seen = load("takes = \"100ms\"", "users = 8, requests = 8");
    assert_eq!(most_in_work(&seen, 80), 8);
    assert!(answered(&seen, SERVER).iter().all(|(at, _)| *at == 130), "{:?}", answered(&seen, SERVER));
}

#[test]
fn arrivals_do_not_wait_for_answers() {
    let seen = load("takes = \"1s\"", "every = \"100ms\", requests = 10");
    assert_eq!(most_in_work(&seen, 80), 10);
    let at: Vec<u64> = answered(&seen, SERVER).into_iter().map(|(at, _)| at).collect();
    assert_eq!(at, (0..10).map(|number| 1_030 + number * 100).collect::<Vec<_>>());
}

#[test]
fn what_the_backlog_has_no_room_for_is_dropped_and_comes_later() {
    let dropped = |backlog: u32| {
        let server = format!("workers = 1, backlog = {backlog}, takes = \"50ms\"");
        let seen = load(&server, "users = 6, requests = 6");
        let is_full = |event: &Event| {
            matches!(event, Event::PacketDropped { reason: crate::journal::DropReason::BacklogFull, .. })
        };
        let full = seen.events.iter().filter(|entry| is_full(&entry.event)).count();
        (full > 0, figure(&seen, "latency-longest-us") > 500_000, figure(&seen, "answered"))
    };
    assert_eq!(dropped(128), (false, false, 6));
    assert_eq!(dropped(0), (true, true, 6));
}

#[test]
fn a_worker_that_blocks_works_on_for_a_client_that_has_gone_and_async_work_ends_with_it() {
    let impatient = "requests = 1, policy = { timeout = \"100ms\" }";
    for (workers, expected) in [("workers = 1,", vec![(5_030, 200)]), ("", vec![])] {
        let ((), seen) = scene(1, wire(), |client, server, resolver| async move {
            start(&format!("{{ work-server = {{ port = 80, {workers} takes = \"5s\" }} }}"), &server, 1).await;
            run(&program(&client_of(impatient)), &client, &resolver, 1, || ()).await.expect("it ends well");
            tokio::time::sleep(Duration::from_secs(9)).await;
        });
        assert_eq!((answered(&seen, SERVER), seen.lines(SERVER)), (expected, vec![]), "{workers}");
        let last = seen.reports(SERVER).into_iter().rev().find_map(|report| match report {
            ProgramEvent::Figure { value, .. } => Some(value),
            _ => None,
        });
        assert_eq!((last, figure(&seen, "given-up")), (Some(0), 1), "{workers}");
    }
}

#[test]
fn every_try_has_a_connection_of_its_own_and_the_name_of_its_request() {
    let server = "status = 503, takes = \"1ms\"";
    let seen = load(server, "requests = 2, body = '{\"amount\": 7}', policy = { tries = 3, backoff = \"50ms\" }");
    let text = seen.sent_text(CLIENT);
    assert_eq!(text.matches("X-Request-Id: req-1\r\n").count(), 3, "{text}");
    assert_eq!(text.matches("X-Request-Id: req-2\r\n").count(), 3, "{text}");
    assert_eq!(text.matches("POST / HTTP/1.1\r\n").count(), 6, "{text}");
    let syns = seen.segments(CLIENT).filter(|(_, tcp)| tcp.flags.syn()).map(|(_, tcp)| tcp.src_port);
    let ports: std::collections::BTreeSet<u16> = syns.collect();
    assert_eq!(ports.len(), 6);
    assert_eq!((figure(&seen, "tries"), figure(&seen, "given-up")), (6, 2));
}

/// The client stands on the first node, whoever it calls on the second, and whom that one calls on the first again.
fn tiers(front: &str, back: &str, client: &str) -> Seen {
    let (outcome, seen) = scene(1, wire(), |near, far, resolver| async move {
        start(&format!("{{ work-server = {{ port = 9000, {back} }} }}"), &near, 1).await;
        let front = format!("{{ work-server = {{ port = 80, {front} }} }}");
        let (front, host, names) = (program(&front), far, resolver.clone());
        tokio::task::spawn_local(async move { run(&front, &host, &names, 1, || ()).await });
        tokio::time::sleep(Duration::from_millis(1)).await;
        run(&program(client), &near, &resolver, 1, || ()).await
    });
    outcome.expect("the client ends well");
    seen
}

const GET: &str = r#"{ http-get = { url = "http://server/" } }"#;

#[test]
fn a_dependency_s_answer_is_passed_on() {
    let seen = tiers("calls = { url = \"http://client:9000/\" }", "body = '{\"status\": \"paid\"}'", GET);
    assert_eq!(seen.lines(CLIENT), [("{\"status\": \"paid\"}".to_owned(), false)]);
}

#[test]
fn a_dependency_that_is_ill_silent_or_avoided_is_told_as_such() {
    let table = [
        ("", "status = 500", 502, "closed", "The dependency has failed: HTTP 500"),
        (
            ", policy = { timeout = \"50ms\" }",
            "takes = \"9s\"",
            504,
            "closed",
            "The dependency did not answer in time.",
        ),
        (
            ", policy = { tries = 2, backoff = \"1ms\", breaker = { failures = 1, cool_down = \"2500ms\" } }",
            "status = 500",
            503,
            "open",
            "Requests temporarily blocked because the dependency is unhealthy.",
        ),
    ];
    for (policy, back, status, circuit, message) in table {
        let front = format!("calls = {{ url = \"http://client:9000/\", name = \"payment-service\"{policy} }}");
        let seen = tiers(&front, back, GET);
        assert_eq!(answered(&seen, SERVER).last().map(|(_, status)| *status), Some(status), "{policy}");
        let lines: Vec<String> = seen.lines(CLIENT).into_iter().map(|(line, _)| line).collect();
        let expected = [
            "{",
            "\"dependency\": \"payment-service\",",
            &format!("\"circuitState\": \"{circuit}\","),
            &format!("\"message\": \"{message}\""),
            "}",
        ];
        assert_eq!(lines[lines.len() - 5..], expected, "{policy}");
        assert_eq!(seen.sent_text(SERVER).contains("Retry-After: 3\r\n"), status == 503, "{policy}");
    }
}

#[test]
fn only_the_path_that_needs_the_dependency_calls_it() {
    let front = "calls = { url = \"http://client:9000/\", path = \"/pay\" }, body = \"books\"";
    let seen = tiers(front, "status = 500", r#"{ http-get = { url = "http://server/books" } }"#);
    assert_eq!(seen.lines(CLIENT), [("books".to_owned(), false)]);
    assert!(!seen.sent_text(SERVER).contains("GET "));
}

/// Plays a load against a server that keeps connections.
fn kept(server: &str, client: &str) -> Seen {
    let server = format!("{{ instance-server = {{ port = 80, name = \"a\", {server} }} }}");
    let (outcome, seen) = pair(1, wire(), &server, &client_of(client));
    outcome.expect("a load always ends well");
    seen
}

fn syns(seen: &Seen) -> usize {
    seen.segments(CLIENT).filter(|(_, tcp)| tcp.flags.syn()).count()
}

#[test]
fn kept_connections_take_requests_in_turn_and_end_in_order() {
    let seen = kept("takes = \"100ms\"", "requests = 12, every = \"1s\", at_once = 4, connections = 2");
    assert_eq!((syns(&seen), figure(&seen, "answered")), (2, 12));
    // Two wait for two; there and back is 20 ms, and so is connecting, the first time.
    assert_eq!((figure(&seen, "latency-longest-us"), figure(&seen, "latency-mean-us")), (260_000, 186_666));
    assert!(seen.segments(CLIENT).chain(seen.segments(SERVER)).all(|(_, tcp)| !tcp.flags.rst()));
    assert_eq!(seen.segments(CLIENT).filter(|(_, tcp)| tcp.flags.fin()).count(), 2);
}

#[test]
fn a_connection_that_was_closed_is_opened_again() {
    // A worker serves one request for each connection.
    let seen = load("takes = \"10ms\"", "requests = 3, every = \"1s\", connections = 1");
    assert_eq!((syns(&seen), figure(&seen, "answered")), (3, 3));
    // Whoever gives up does not leave the late answer to the next request.
    let seen =
        kept("takes = \"500ms\"", "requests = 3, every = \"1s\", connections = 1, policy = { timeout = \"200ms\" }");
    assert_eq!((syns(&seen), figure(&seen, "given-up")), (3, 3));
}

#[test]
fn people_take_turns_and_each_has_a_cookie() {
    let seen = kept("takes = \"1ms\"", "requests = 5, every = \"1s\", connections = 1, sessions = 2");
    let said = seen.sent_text(CLIENT);
    let users: Vec<&str> = said.split("session=user-").skip(1).filter_map(|rest| rest.get(..1)).collect();
    assert_eq!(users, ["1", "2", "1", "2", "1"]);
}

#[test]
fn a_part_of_a_load_has_figures_of_its_own() {
    let parts = "parts = [{ name = \"first\", from = \"0s\", to = \"500ms\" }, { name = \"then\", from = \"500ms\", to = \"9s\" }]";
    let seen = kept("takes = \"1ms\"", &format!("requests = 4, every = \"1s\", at_once = 1, connections = 1, {parts}"));
    assert_eq!((figure(&seen, "first-answered"), figure(&seen, "then-answered")), (1, 3));
    assert_eq!((figure(&seen, "first-latency-p95-us"), figure(&seen, "then-latency-p95-us")), (41_000, 21_000));
}

#[test]
fn settings_that_cannot_be_meant_are_refused() {
    #[derive(Debug, serde::Deserialize)]
    struct Step {
        #[expect(dead_code, reason = "it is never read")]
        run: crate::app::Program,
    }
    for (written, expected) in [
        ("{ work-server = { port = 80, workers = 0 } }", "0 is too few: write 1 or more"),
        ("{ work-server = { port = 80, workers = 5000 } }", "5000 are too many: write up to 4096"),
        ("{ work-server = { port = 80, backlog = 5000 } }", "5000 are too many: write up to 4096"),
        ("{ work-server = { port = 80, calls = { path = \"x\", url = \"http://a/\" } } }", "`x` is not a path"),
        ("{ load-client = { url = \"http://a/\", users = 0 } }", "0 `users` ask for nothing: write 1 or more"),
        ("{ load-client = { url = \"http://a/\", users = 1, every = \"1s\" } }", "or one `every` so long: write one"),
        ("{ load-client = { url = \"http://a/\", requests = 10001 } }", "10001 are too many: write up to 10000"),
        ("{ load-client = { url = \"http://a/\", connections = 1001 } }", "1001 are too many: write up to 1000"),
        ("{ load-client = { url = \"http://a/\", sessions = 0 } }", "0 is too few"),
        ("{ load-client = { url = \"http://a/\", users = 2, at_once = 2 } }", "write `every` as well"),
        (
            "{ load-client = { url = \"http://a/\", parts = [{ name = \"a\", from = \"2s\", to = \"1s\" }] } }",
            "each of the `parts` begins before it ends",
        ),
    ] {
        let error = toml::from_str::<Step>(&format!("run = {written}")).expect_err(written).to_string();
        assert!(error.contains(expected), "{written}: {error}");
    }
}

/// Requests, most of them spoilt.
fn malformed(rng: &mut Rng) -> Vec<u8> {
    let small = |rng: &mut Rng, below: u64| usize::try_from(rng.below(below)).expect("it is small");
    let fields = ["Content-Length: 5\r\n", "Transfer-Encoding: chunked\r\n", "Expect: 100-continue\r\n", ""];
    let bodies = ["", "hello", "5\r\nhello\r\n0\r\n\r\n", "FFFFFFFFFFFFFFFFF\r\n", "{\"a\":"];
    let method = ["GET", "POST", "HEAD", "CONNECT", "G\u{e9}T"][small(rng, 5)];
    let (field, body) = (fields[small(rng, 4)], bodies[small(rng, 5)]);
    let mut octets = format!("{method} /pay HTTP/1.1\r\nHost: server\r\n{field}\r\n{body}").into_bytes();
    for _ in 0..rng.below(5) {
        let at = small(rng, octets.len().max(1) as u64);
        match rng.below(3) {
            0 => octets.truncate(at),
            1 => octets.insert(at.min(octets.len()), b"\r\n :?&=\0\xff"[small(rng, 9)]),
            _ => octets.iter_mut().skip(at).take(1).for_each(|octet| *octet = (rng.next_u32() & 0xff) as u8),
        }
    }
    octets
}

#[test]
fn ten_thousand_malformed_requests_harm_no_worker() {
    let ((), seen) = scene(7, wire(), |client, host, resolver| async move {
        let server = r#"{ work-server = { port = 80, workers = 2, takes = "1ms", calls = {
            url = "http://client:9/", path = "/pay", policy = { timeout = "1s", breaker = { failures = 3, cool_down = "1s" } }
        } } }"#;
        let task = {
            let (server, host, names) = (program(server), host.clone(), resolver.clone());
            tokio::task::spawn_local(async move { run(&server, &host, &names, 1, || ()).await })
        };
        tokio::time::sleep(Duration::from_millis(1)).await;
        let mut rng = Rng::new(7);
        for _ in 0..10_000 {
            let mut stream = client.connect((address(2), 80).into()).await.expect("it listens");
            // An error is an answer, too: the server has had enough.
            let _ = stream.write_all(&malformed(&mut rng)).await;
            let _ = stream.shutdown().await;
            let _ = tokio::time::timeout(Duration::from_secs(9), stream.read_to_end(&mut Vec::new())).await;
        }
        assert!(!task.is_finished(), "the server has ended");
        let get = program(&client_of("users = 4, requests = 8"));
        run(&get, &client, &resolver, 1, || ()).await.expect("it still answers");
    });
    assert_eq!((figure(&seen, "answered"), most_in_work(&seen, 80)), (8, 2));
}

#[test]
fn the_same_seed_gives_the_same_packets() {
    let once = || {
        let client = "users = 5, requests = 20, policy = { timeout = \"60ms\", tries = 3, jitter = \"full\" }";
        load("workers = 3, takes = \"20ms\", stalls = { percent = 30, lasts = \"200ms\" }", client).packets
    };
    assert_eq!(once(), once());
}
