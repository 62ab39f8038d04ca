//! Balancers and what stands behind them, over a userspace network in virtual time.

use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::sleep;

use crate::app::run;
use crate::app::tests::{CLIENT, SERVER, Seen, address, harass, program, scene, start, wire};
use crate::app::{Host, Program, Resolver};
use crate::journal::{Event, NodeId, ProgramEvent};
use crate::rng::Rng;

/// Runs `servers` on one host and `client` on the other, until the client has ended.
fn play(servers: &[&str], client: &str) -> (Result<(), String>, Seen) {
    let (servers, client) = (servers.iter().map(|&server| server.to_owned()).collect::<Vec<_>>(), program(client));
    scene(1, wire(), |client_host, server_host, resolver| async move {
        for server in &servers {
            start(server, &server_host, 1).await;
        }
        run(&client, &client_host, &resolver, 1, || ()).await.map_err(|error| error.to_string())
    })
}

fn instance(number: u16, more: &str) -> String {
    format!(r#"{{ instance-server = {{ port = 808{number}, name = "posts-service-{number}"{more} }} }}"#)
}

/// The fields of a balancer over three instances.
fn balancer(more: &str) -> String {
    let backends = r#"["10.0.0.2:8081", "10.0.0.2:8082", "10.0.0.2:8083"]"#;
    format!(r#"{{ load-balancer = {{ port = 80, backends = {backends}{more} }} }}"#)
}

fn get(times: u32, more: &str) -> String {
    format!(r#"{{ http-get = {{ requests = [{{ url = "http://server/api/posts", times = {times} }}]{more} }} }}"#)
}

/// Who has handled each of the client's requests, by number.
fn handled_by(seen: &Seen) -> Vec<u32> {
    let lines = seen.lines(CLIENT).into_iter();
    lines.filter_map(|(line, _)| line.split("posts-service-").nth(1)?.get(..1)?.parse().ok()).collect()
}

fn statuses(seen: &Seen, node: NodeId) -> Vec<u16> {
    let reports = seen.reports(node).into_iter();
    reports
        .filter_map(|report| match report {
            ProgramEvent::Response { status, .. } => Some(status),
            _ => None,
        })
        .collect()
}

const THREE: [&str; 3] = [
    r#"{ instance-server = { port = 8081, name = "posts-service-1" } }"#,
    r#"{ instance-server = { port = 8082, name = "posts-service-2" } }"#,
    r#"{ instance-server = { port = 8083, name = "posts-service-3" } }"#,
];

fn before(balancer: &str) -> Vec<&str> {
    THREE.into_iter().chain([balancer]).collect()
}

#[test]
fn layer_7_spreads_requests_and_layer_4_spreads_connections() {
    let table = [
        ("", "", [1, 2, 3, 1, 2, 3]),
        ("", ", keep_alive = true", [1, 2, 3, 1, 2, 3]),
        (r#", mode = "tcp""#, "", [1, 2, 3, 1, 2, 3]),
        (r#", mode = "tcp""#, ", keep_alive = true", [1; 6]),
        (r#", policy = "least-connections""#, ", keep_alive = true", [1, 2, 3, 1, 2, 3]),
    ];
    for (mode, connections, expected) in table {
        let (outcome, seen) = play(&before(&balancer(mode)), &get(6, connections));
        outcome.expect("all of them answer");
        assert_eq!(handled_by(&seen), expected, "{mode} {connections}");
        assert_eq!(seen.lines(SERVER), [], "{mode} {connections}: the close was not orderly");
        assert!(seen.segments(CLIENT).chain(seen.segments(SERVER)).all(|(_, tcp)| !tcp.flags.rst()));
    }
}

#[test]
fn layer_7_says_whom_a_request_is_from_and_which_it_is() {
    let server = r#"{ instance-server = { port = 8081, name = "posts-service-1" } }"#;
    let front = r#"{ load-balancer = { port = 80, backends = ["10.0.0.1:8081"] } }"#;
    let fields = r#", headers = { X-Forwarded-For = "203.0.113.7", X-Request-ID = "req-123", Keep-Alive = "x" }"#;
    let clients = [program(&get(1, fields)), program(&get(1, ""))];
    let ((), seen) = scene(1, wire(), |client, front_host, resolver| async move {
        // The instance is on the client's host, so that what the balancer asks can be seen.
        start(server, &client, 1).await;
        start(front, &front_host, 1).await;
        for get in clients {
            run(&get, &client, &resolver, 1, || ()).await.expect("it answers");
        }
    });
    let asked = seen.sent_text(SERVER);
    assert!(asked.contains("X-Forwarded-For: 203.0.113.7, 10.0.0.1\r\n"), "{asked}");
    assert!(asked.contains("X-Forwarded-Proto: http\r\n") && asked.contains("req-123\r\n"), "{asked}");
    assert!(!asked.contains("Keep-Alive"), "what concerns one connection goes no further: {asked}");
    let lines = seen.lines(CLIENT);
    let ids: Vec<&str> = lines.iter().filter_map(|(line, _)| line.strip_prefix("\"requestId\": ")).collect();
    assert_eq!(ids[0], "\"req-123\",");
    assert!(ids[1].starts_with("\"req-") && ids[1].len() == "\"req-01234567\",".len(), "it got a name: {}", ids[1]);
}

#[test]
fn a_server_that_cannot_be_reached_is_passed_over_and_without_any_the_client_is_told() {
    for (mode, expected) in [("", [2, 2, 3]), (r#", mode = "tcp""#, [2, 2, 3])] {
        let (outcome, seen) = play(&[THREE[1], THREE[2], &balancer(mode)], &get(3, ""));
        outcome.expect("two of three answer");
        // The first is tried in its turn, and whoever comes after it answers in its place.
        assert_eq!(handled_by(&seen).len(), 3, "{mode}");
        assert_eq!(handled_by(&seen)[0], expected[0], "{mode}");
    }
    let (outcome, seen) = play(&[&balancer("")], &get(1, ""));
    outcome.expect("a status is an answer");
    assert_eq!(statuses(&seen, CLIENT), [503]);
    let (outcome, seen) = play(&[&balancer(r#", mode = "tcp""#)], &get(1, ""));
    assert!(outcome.expect_err("nobody answers").contains("reset"), "a connection without a server is broken off");
    assert!(seen.lines(SERVER).iter().any(|(line, _)| line.starts_with("there is no server for 10.0.0.1:")));
}

#[test]
fn a_server_that_dies_in_the_middle_of_an_answer_is_seen_through_either_layer() {
    let dying = instance(1, ", dies = 1");
    let front = |mode: &str| format!(r#"{{ load-balancer = {{ port = 80, backends = ["10.0.0.2:8081"]{mode} }} }}"#);
    for (mode, is_reset) in [("", false), (r#", mode = "tcp""#, true)] {
        let (outcome, seen) = play(&[&dying, &front(mode)], &get(1, ""));
        let error = outcome.expect_err("half an answer is none");
        assert_eq!(error.contains("reset"), is_reset, "{mode}: {error}");
        assert_eq!(seen.segments(SERVER).any(|(_, tcp)| tcp.flags.rst()), is_reset, "{mode}");
        let text = seen.sent_text(SERVER);
        assert!(
            text.starts_with("HTTP/1.1 200 OK") && text.contains("handledBy") && !text.contains("success"),
            "{text}"
        );
        assert!(seen.lines(SERVER).iter().any(|(line, _)| line.contains("it dies")));
    }
}

#[test]
fn who_answers_late_or_breaks_off_is_told_by_status() {
    let late = instance(1, r#", takes = "5s""#);
    let front = r#"{ load-balancer = { port = 80, backends = ["10.0.0.2:8081"], timeout = "2s" } }"#;
    let (outcome, seen) = play(&[&late, front], &get(1, ""));
    outcome.expect("a status is an answer");
    assert_eq!(statuses(&seen, CLIENT), [504]);

    let ((), seen) = scene(1, wire(), |client, server, resolver| async move {
        let listener = server.listen((address(2), 8081).into()).await.expect("the port is free");
        tokio::task::spawn_local(async move {
            let (mut stream, _) = listener.accept().await.expect("the balancer connects");
            assert!(stream.read(&mut [0; 1000]).await.is_ok_and(|octets| octets > 0), "a request comes");
        });
        start(front, &server, 1).await;
        run(&program(&get(1, "")), &client, &resolver, 1, || ()).await.expect("a status is an answer");
    });
    assert_eq!(statuses(&seen, CLIENT), [502]);
}

/// A server may close a connection that is kept whenever it likes: the next request gets another one.
#[test]
fn a_kept_connection_is_used_again_until_its_server_closes_it() {
    let (accepted, _) = scene(1, wire(), |client, server, resolver| async move {
        let listener = server.listen((address(2), 8081).into()).await.expect("the port is free");
        let connections = std::rc::Rc::new(std::cell::Cell::new(0));
        let counted = std::rc::Rc::clone(&connections);
        tokio::task::spawn_local(async move {
            loop {
                let (mut stream, _) = listener.accept().await.expect("the balancer connects");
                counted.set(counted.get() + 1);
                for _ in 0..2 {
                    assert!(stream.read(&mut [0; 1000]).await.is_ok_and(|octets| octets > 0), "a request comes");
                    stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok").await.expect("it reads");
                }
            }
        });
        start(r#"{ load-balancer = { port = 80, backends = ["10.0.0.2:8081"] } }"#, &server, 1).await;
        run(&program(&get(5, "")), &client, &resolver, 1, || ()).await.expect("each is answered");
        connections.get()
    });
    assert_eq!(accepted, 3, "two requests on each");
}

#[test]
fn checks_take_an_ill_server_out_and_back_again() {
    let ill = instance(2, r#", health = 9082, ill = { from = "3500ms", until = "7500ms" }"#);
    let front = r#"{ load-balancer = { port = 80, backends = ["10.0.0.2:8081", "10.0.0.2:8082"],
        health = { interval = "1s", fall = 2, rise = 3 } } }"#;
    let client = r#"{ http-get = { keep_alive = true, requests = [
        { url = "http://server/", times = 4 }, { url = "http://server/", after = "6s" },
        { url = "http://server/", times = 3 }, { url = "http://server/", after = "6s" }, { url = "http://server/", times = 3 },
    ] } }"#;
    let (outcome, seen) = play(&[THREE[0], &ill, front], client);
    outcome.expect("somebody always answers");
    let changes: Vec<(u64, String)> = seen
        .events
        .iter()
        .filter_map(|entry| match &entry.event {
            Event::Program { report: ProgramEvent::Change { to, .. }, .. } => {
                Some((entry.at.as_nanos() / 1_000_000_000, to.clone()))
            }
            _ => None,
        })
        .collect();
    assert_eq!(changes, [(5, "down".to_owned()), (10, "up".to_owned())]);
    assert_eq!(handled_by(&seen), [1, 2, 1, 2, 1, 1, 1, 1, 2, 1, 2, 1]);
}

#[test]
fn workers_take_requests_in_turn() {
    let one_by_one = r#"{ instance-server = { port = 80, name = "posts-service-1", takes = "100ms", workers = 1 } }"#;
    let load = r#"{ load-client = { url = "http://server/", requests = 10, every = "10ms" } }"#;
    let (outcome, seen) = play(&[one_by_one], load);
    outcome.expect("each is answered");
    let figures: Vec<(String, u64)> = seen
        .reports(CLIENT)
        .into_iter()
        .filter_map(|report| match report {
            ProgramEvent::Figure { name, value } => Some((name, value)),
            _ => None,
        })
        .collect();
    let figure = |name: &str| figures.iter().find(|(known, _)| known == name).map(|(_, value)| *value);
    assert_eq!(figure("answered"), Some(10), "{figures:?}");
    // The last waits for nine others, and came 90 ms after the first; there and back is 20 ms, and 20 more to connect.
    assert!(figure("latency-longest-us").is_some_and(|span| (950_000..1_000_000).contains(&span)), "{figures:?}");
}

#[test]
fn settings_that_make_no_sense_are_answered_with_what_is_wanted() {
    #[derive(Debug, serde::Deserialize)]
    struct Step {
        #[expect(dead_code, reason = "it is read, not used")]
        run: Program,
    }
    let table = [
        ("{ load-balancer = { port = 80, backends = [] } }", "there is no server"),
        (r#"{ load-balancer = { port = 80, backends = ["a:1", "a:1"] } }"#, "stands in the list twice"),
        (r#"{ load-balancer = { port = 80, backends = ["a:1"], policy = "random" } }"#, "expected `round-robin` or"),
        (r#"{ load-balancer = { port = 80, backends = ["a:1"], timeout = "0s" } }"#, "must not be 0"),
        (r#"{ load-balancer = { port = 80, backends = ["a:1"], health = { interval = "0s" } } }"#, "must not be 0"),
        (r#"{ load-balancer = { port = 80, backends = ["a:1"], health = { path = "x" } } }"#, "`x` is not a path"),
        (r#"{ load-balancer = { port = 80 } }"#, "or `discover`"),
        (
            r#"{ load-balancer = { port = 80, backends = ["a:1"], discover = { service = "a.b", registry = "a:53", port = 1 } } }"#,
            "write one",
        ),
        (
            r#"{ load-balancer = { port = 80, health = {}, discover = { service = "a.b", registry = "a:53", port = 1 } } }"#,
            "the registry looks after `health`",
        ),
        (r#"{ load-balancer = { port = 80, backends = ["a:1"], sticky = "a b" } }"#, "`a b` is not a cookie's name"),
        (
            r#"{ load-balancer = { port = 80, backends = ["a:1"], sticky = "a", mode = "tcp" } }"#,
            "nobody reads cookies",
        ),
        (
            r#"{ instance-monitor = { service = "a.b", registry = "a:53", ask = 1,
                before = { from = "2s", to = "1s" }, after = { from = "3s", to = "4s" } } }"#,
            "each begins before it ends",
        ),
        (r#"{ instance-server = { port = 80, name = "a", workers = 0 } }"#, "nonzero"),
    ];
    for (written, expected) in table {
        let error = toml::from_str::<Step>(&format!("run = {written}")).expect_err(written).to_string();
        assert!(error.contains(expected), "{written}: {error}");
    }
}

/// A request that nobody expects.
fn asked(rng: &mut Rng) -> Vec<u8> {
    let small = |rng: &mut Rng, below: usize| usize::try_from(rng.below(below as u64)).expect("it is small");
    let fields = [
        "X-Forwarded-For: \x01, ,\r\nX-Request-ID: \"}\\\r\n",
        "Connection: x, y\r\nTransfer-Encoding: chunked\r\n",
        "Content-Length: 5\r\n",
        "Upgrade: h2c\r\nConnection: Upgrade\r\n",
        "Cookie: session=\u{ff}; session=x; =\r\nCookie: ;;session\r\n",
    ];
    let methods = ["GET", "POST", "CONNECT", "OPTIONS *", "HEAD"];
    let (method, field) = (methods[small(rng, 5)], fields[small(rng, 5)]);
    format!("{method} /api/posts HTTP/1.1\r\nHost: server\r\n{field}\r\nhello").into_bytes()
}

#[test]
fn ten_thousand_malformed_requests_harm_neither_balancer_nor_instance() {
    for mode in ["mode = \"http\"", "sticky = \"session\"", "mode = \"tcp\""] {
        let front = balancer(&format!(", {mode}"));
        let ((), seen) = scene(7, wire(), |client, server, resolver| async move {
            for instance in THREE {
                start(instance, &server, 1).await;
            }
            let task = start(&front, &server, 1).await;
            harass(&client, 80, asked).await;
            assert!(!task.is_finished(), "{mode}: it has ended");
            run(&program(&get(6, "")), &client, &resolver, 1, || ()).await.expect("it still answers");
        });
        let mut who = handled_by(&seen);
        who.sort_unstable();
        assert_eq!(who, [1, 1, 2, 2, 3, 3], "{mode}");
    }
}

/// What a proxy asks a service that stands on the client's host; `fields` are the client's.
fn asked_by_proxy(more: &str, client: &str) -> (Vec<u16>, String) {
    let front = format!(
        r#"{{ reverse-proxy = {{ port = 443, routes = [
        {{ path = "/api/posts", backends = ["10.0.0.1:8081"], host = "posts-service.internal", timeout = "1s" }} ]{more} }} }}"#
    );
    let client = program(&format!("{{ http-get = {{ {client} }} }}"));
    let ((), seen) = scene(1, wire(), |client_host, server, resolver| async move {
        start(THREE[0], &client_host, 1).await;
        start(&front, &server, 1).await;
        run(&client, &client_host, &resolver, 1, || ()).await.expect("it answers");
    });
    // What goes to the service is in the clear.
    let (asked, answered) = (seen.sent_text(SERVER), seen.reports(SERVER).into_iter());
    let statuses = answered.filter_map(|report| match report {
        ProgramEvent::Response { status, .. } => Some(status),
        _ => None,
    });
    (statuses.collect(), asked)
}

#[test]
fn a_proxy_takes_tls_off_and_writes_down_whom_a_request_is_from() {
    for http2 in [true, false] {
        let client = format!(
            r#"http2 = {http2}, requests = [{{ url = "https://server/api/posts/1?x", times = 2 }}],
            headers = {{ X-Forwarded-For = "10.9.9.9", X-Request-ID = "req-123" }}"#
        );
        let (statuses, asked) = asked_by_proxy(r#", tls = { name = "server" }"#, &client);
        assert_eq!(statuses, [200, 200], "HTTP/2: {http2}");
        for expected in [
            "GET /api/posts/1?x HTTP/1.1\r\n",
            "Host: posts-service.internal\r\n",
            "X-Forwarded-For: 10.9.9.9, 10.0.0.1\r\n",
            "X-Forwarded-Proto: https\r\n",
            "req-123\r\n",
        ] {
            assert_eq!(asked.matches(expected).count(), 2, "HTTP/2: {http2}; {expected} in {asked}");
        }
    }
}

#[test]
fn a_proxy_may_believe_a_claim_and_has_nothing_for_paths_without_a_service() {
    let client = r#"requests = [{ url = "http://server:443/api/posts" }, { url = "http://server:443/api/postscripts" }],
        headers = { X-Forwarded-For = "10.9.9.9" }"#;
    let (statuses, asked) = asked_by_proxy(r#", claims = "believed""#, client);
    assert_eq!(statuses, [200, 404]);
    assert!(
        asked.contains("X-Forwarded-For: 10.9.9.9\r\n") && asked.contains("X-Forwarded-Proto: http\r\n"),
        "{asked}"
    );
}

#[test]
fn a_proxy_gives_a_late_service_up_without_breaking_the_client_s_connection() {
    let front = r#"{ reverse-proxy = { port = 80, routes = [
        { path = "/", backends = ["10.0.0.2:8081"], timeout = "1s" } ] } }"#;
    let (outcome, seen) = play(&[&instance(1, r#", takes = "3s""#), front], &get(2, ", keep_alive = true"));
    outcome.expect("a status is an answer");
    assert_eq!(statuses(&seen, CLIENT), [504, 504]);
    assert!(seen.segments(CLIENT).chain(seen.segments(SERVER)).all(|(_, tcp)| !tcp.flags.rst()));
}

#[test]
fn ten_thousand_malformed_requests_harm_no_proxy() {
    let front = r#"{ reverse-proxy = { port = 80, routes = [
        { path = "/api", backends = ["10.0.0.2:8081"], host = "posts-service.internal" } ] } }"#;
    let ((), seen) = scene(7, wire(), |client, server, resolver| async move {
        start(THREE[0], &server, 1).await;
        let task = start(front, &server, 1).await;
        harass(&client, 80, asked).await;
        assert!(!task.is_finished(), "it has ended");
        run(&program(&get(2, "")), &client, &resolver, 1, || ()).await.expect("it still answers");
    });
    assert_eq!(handled_by(&seen), [1, 1]);
}

#[test]
fn ten_thousand_malformed_requests_harm_no_relay() {
    for buffer in [false, true] {
        let relay = format!(r#"{{ http-relay = {{ port = 80, origin = "10.0.0.2:8080", buffer = {buffer} }} }}"#);
        let ((), seen) = scene(7, wire(), |client, server, resolver| async move {
            start(r#"{ http-server = { port = 8080, path = "/api/posts", body = "hello" } }"#, &server, 1).await;
            let task = start(&relay, &server, 1).await;
            harass(&client, 80, asked).await;
            assert!(!task.is_finished(), "it has ended");
            let get = program(r#"{ http-get = { url = "http://server/api/posts" } }"#);
            run(&get, &client, &resolver, 1, || ()).await.expect("it still answers");
        });
        assert_eq!(seen.lines(CLIENT), [("hello".to_owned(), false)], "buffer = {buffer}");
    }
}

/// Which instance each of `times` requests of one session gets, or of no session at all.
fn session(name: &str, times: u32) -> String {
    let fields =
        if name.is_empty() { String::new() } else { format!(r#", headers = {{ Cookie = "a=b; session={name}" }}"#) };
    get(times, &fields)
}

#[test]
fn a_session_stays_with_its_server_until_that_one_is_gone() {
    for (sticky, expected) in
        [(r#", sticky = "session""#, [1, 1, 1, 2, 2, 3, 1, 1, 2]), ("", [1, 2, 3, 1, 2, 3, 1, 2, 3])]
    {
        let front = balancer(sticky);
        let clients =
            [("a", 3), ("b", 2), ("", 2), ("a", 1), ("b", 1)].map(|(name, times)| program(&session(name, times)));
        let ((), seen) = scene(1, wire(), |client, server, resolver| async move {
            for instance in THREE {
                start(instance, &server, 1).await;
            }
            start(&front, &server, 1).await;
            for get in clients {
                run(&get, &client, &resolver, 1, || ()).await.expect("it answers");
            }
        });
        assert_eq!(handled_by(&seen), expected, "{sticky}");
    }
    // Its server is gone: another one is its own from then on.
    let front = balancer(r#", sticky = "session""#);
    let (outcome, seen) = play(&[THREE[1], THREE[2], &front], &session("a", 3));
    outcome.expect("two of three answer");
    assert_eq!(handled_by(&seen), [2, 2, 2]);
}

/// Starts a program that needs the lab's names.
async fn start_named(toml: &str, host: &Host, names: &Resolver) {
    let (program, host, names) = (program(toml), host.clone(), names.clone());
    tokio::task::spawn_local(async move { run(&program, &host, &names, 1, || ()).await });
    sleep(Duration::from_millis(1)).await;
}

/// The registry knows an instance on either host, and asks each of them every second.
const REGISTRY: &str = r#"{ service-registry = { port = 53, check = { path = "/", every = "1s", trusted = false, rises = 1, falls = 1 },
    services = [{ name = "posts.internal", ttl = 1, instances = ["client:8081", "server:8081"] }] } }"#;

/// A balancer that asks the registry, an instance that is there from the beginning, and another from the fifth second to the
/// tenth; the client asks twice, three times.
fn discovered(more: &str) -> Seen {
    let front = format!(
        r#"{{ load-balancer = {{ port = 80, discover = {{ service = "posts.internal", registry = "server:53", port = 8081 }}{more} }} }}"#
    );
    let second = r#"{ instance-server = { port = 8081, name = "posts-service-2" } }"#;
    let ((), seen) = scene(1, wire(), |client, server, names| async move {
        start(THREE[0], &server, 1).await;
        start_named(REGISTRY, &server, &names).await;
        start_named(&front, &server, &names).await;
        let ask = async |at: u64| {
            tokio::time::sleep_until(tokio::time::Instant::now() + Duration::from_secs(at)).await;
            run(&program(&get(2, ", may_fail = true")), &client, &names, 1, || ()).await.expect("it may fail");
        };
        ask(0).await;
        ask(3).await;
        let later = start(second, &client, 1).await;
        ask(3).await;
        later.abort();
        ask(3).await;
    });
    seen
}

#[test]
fn who_is_found_gets_requests_and_who_is_gone_gets_no_more() {
    let seen = discovered("");
    assert_eq!(
        statuses(&seen, CLIENT).into_iter().filter(|status| *status == 503).count(),
        2,
        "at first there is nobody"
    );
    assert_eq!(handled_by(&seen), [1, 1, 1, 2, 1, 1]);
    let changes = seen.reports(SERVER).into_iter().filter_map(|report| match report {
        ProgramEvent::Change { what, from, to, detail } if what == "servers" => Some(format!("{from} {to} {detail}")),
        _ => None,
    });
    assert_eq!(changes.collect::<Vec<_>>(), ["0 1 +10.0.0.2", "1 2 +10.0.0.1", "2 1 -10.0.0.1"]);
    assert_eq!(handled_by(&discovered(r#", mode = "tcp""#)), [1, 1, 1, 2, 1, 1]);
}

#[test]
fn a_monitor_says_how_busy_instances_are() {
    let busy = r#"{ instance-server = { port = 8081, health = 8088, name = "posts-service-1", takes = "100ms", workers = 1 } }"#;
    let registry = r#"{ service-registry = { port = 53, services = [{ name = "posts.internal", instances = ["server:8081"] }] } }"#;
    let load = |every: &str, at_once: u32| {
        format!(
            r#"{{ load-client = {{ url = "http://server:8081/", requests = 40, every = "{every}", at_once = {at_once} }} }}"#
        )
    };
    let loads = [load("200ms", 1), load("1s", 4)];
    let monitor = r#"{ instance-monitor = { service = "posts.internal", registry = "server:53", ask = 8088,
        before = { from = "1s", to = "5s" }, after = { from = "10s", to = "14s" } } }"#;
    let ((), seen) = scene(1, wire(), |client, server, names| async move {
        start(busy, &server, 1).await;
        start_named(registry, &server, &names).await;
        start_named(monitor, &client, &names).await;
        for load in loads {
            run(&program(&load), &client, &names, 1, || ()).await.expect("each is answered");
        }
        sleep(Duration::from_secs(2)).await;
    });
    let lines: Vec<String> = seen.lines(CLIENT).into_iter().map(|(line, _)| line).collect();
    // A tenth of a second in every fifth of one; then four in a row each second.
    for expected in ["\"averageCpuBefore\": \"50%\",", "\"averageCpuAfter\": \"40%\"", "posts-service-1: 50%, then 40%"]
    {
        assert!(lines.iter().any(|line| line == expected), "{expected}: {lines:?}");
    }
}
