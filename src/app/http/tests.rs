//! The HTTP programs over a userspace network in virtual time.

use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::app::tests::{CLIENT, ENDED_WELL, SERVER, Seen, address, pair, program, scene, start, wire};
use crate::app::{Resolver, run};
use crate::journal::{CacheUse, Event, NodeId, OrderOutcome, ProgramEvent};
use crate::rng::Rng;

const SERVER_OF_POSTS: &str = r#"{ http-server = { port = 8080, path = "/api/posts", body = '{"posts": [1, 2]}' } }"#;

fn fetch(url: &str) -> Seen {
    let (outcome, seen) = pair(1, wire(), SERVER_OF_POSTS, &format!(r#"{{ http-get = {{ url = "{url}" }} }}"#));
    outcome.expect("a status is an answer, not an error");
    seen
}

#[test]
fn a_page_is_fetched_as_curl_fetches_it() {
    let seen = fetch("http://server:8080/api/posts?page=2");
    let request = format!(
        "GET /api/posts?page=2 HTTP/1.1\r\nHost: server:8080\r\nUser-Agent: wireglass/{}\r\nAccept: */*\r\n\
         Connection: close\r\n\r\n",
        env!("CARGO_PKG_VERSION")
    );
    assert_eq!(seen.sent_text(CLIENT), request);
    let response = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close\r\n\
                    Content-Length: 17\r\n\r\n{\"posts\": [1, 2]}";
    assert_eq!(seen.sent_text(SERVER), response);
    assert_eq!(seen.lines(CLIENT), [("{\"posts\": [1, 2]}".to_owned(), false)]);
}

#[test]
fn both_ends_report_the_request_and_its_response() {
    let seen = fetch("http://server:8080/api/posts");
    let request = ProgramEvent::Request { method: "GET".to_owned(), target: "/api/posts".to_owned(), bytes: 0 };
    for node in [CLIENT, SERVER] {
        let reports = seen.reports(node);
        assert!(reports.contains(&request), "{reports:?}");
        assert!(reports.contains(&ProgramEvent::Response { status: 200, bytes: 17, cache: None }), "{reports:?}");
    }
    assert_eq!(seen.reports(CLIENT).last(), Some(&ENDED_WELL));
    assert_eq!(seen.lines(SERVER), [], "the close was not orderly");
}

#[test]
fn elsewhere_the_answer_is_404_and_the_client_ends_well() {
    let seen = fetch("http://server:8080/nothing");
    let is_404 =
        |report: &ProgramEvent| matches!(report, ProgramEvent::Response { status: 404, bytes, .. } if *bytes > 0);
    assert!(seen.reports(CLIENT).iter().any(is_404));
    assert_eq!(seen.lines(CLIENT)[0].0, "There is nothing at /nothing. This server has /api/posts");
}

#[test]
fn a_page_that_is_not_json_is_plain_text() {
    let server = r#"{ http-server = { port = 80, path = "/", body = "{not json\nat all" } }"#;
    let (outcome, seen) = pair(1, wire(), server, r#"{ http-get = { url = "http://server" } }"#);
    outcome.expect("the page is there");
    assert!(seen.sent_text(SERVER).contains("Content-Type: text/plain; charset=utf-8\r\n"));
    let lines: Vec<String> = seen.lines(CLIENT).into_iter().map(|(line, _)| line).collect();
    assert_eq!(lines, ["{not json", "at all"]);
}

/// A page of a size needs no text in the lab file: it is made of numbered lines, the same in every run.
#[test]
fn a_page_of_so_many_octets_is_made_of_numbered_lines() {
    let get = r#"{ http-get = { url = "http://server/" } }"#;
    let lines = |server: &str| {
        let (outcome, seen) = pair(1, wire(), server, get);
        outcome.expect("the page is there");
        seen.lines(CLIENT).into_iter().map(|(line, _)| line).collect::<Vec<_>>()
    };
    let page = r#"{ http-server = { port = 80, pages = [{ path = "/", generated = { text = "1KB" } }] } }"#;
    let one = lines(page);
    assert_eq!(one.len(), 16, "fifteen whole lines of 64 octets and one of 40");
    assert_eq!((one.iter().map(|line| line.len() + 1).sum::<usize>() - 1, one[15].len()), (1000, 40));
    assert!(one[14].starts_with("00000015 ") && one.iter().all(|line| line.is_ascii()), "{one:?}");
    assert_eq!(lines(page), one);
}

#[test]
fn the_connection_closes_without_a_reset_and_at_once() {
    let seen = fetch("http://server:8080/api/posts");
    let segments = || seen.segments(CLIENT).chain(seen.segments(SERVER));
    assert!(segments().all(|(_, tcp)| !tcp.flags.rst()));
    assert_eq!(segments().filter(|(_, tcp)| tcp.flags.fin()).count(), 2);
    let ended = seen.events.iter().rfind(|entry| matches!(entry.event, Event::Program { .. })).expect("they spoke");
    // The handshake, the request and the response: two round trips of 20 ms, and at most one more for the close.
    assert!(ended.at.as_nanos() <= 60_000_000, "{}", ended.at);
}

#[test]
fn the_same_seed_gives_the_same_packets() {
    assert_eq!(fetch("http://server:8080/api/posts").packets, fetch("http://server:8080/api/posts").packets);
}

#[test]
fn a_peer_that_does_not_speak_http_is_reported_as_such() {
    let (outcome, _) = scene(1, wire(), |client, host, resolver| async move {
        let listener = host.listen((address(2), 80).into()).await.expect("the port is free");
        tokio::task::spawn_local(async move {
            let (mut stream, _) = listener.accept().await.expect("a connection comes");
            assert!(stream.read(&mut [0; 1000]).await.is_ok_and(|octets| octets > 0), "a request comes");
            stream.write_all(b"220 mail ready\r\n").await.expect("the client reads");
            stream.shutdown().await.expect("always possible");
            // Until the client has closed too.
            while stream.read(&mut [0; 1000]).await.is_ok_and(|octets| octets > 0) {}
        });
        run(&program(r#"{ http-get = { url = "http://server/" } }"#), &client, &resolver, 1, || ()).await
    });
    let error = outcome.expect_err("that is not HTTP").to_string();
    assert!(error.starts_with("`http-get` does not understand server:80: "), "{error}");
}

#[test]
fn a_server_answers_a_client_that_does_not_speak_http_and_serves_on() {
    let (fetched, seen) = scene(1, wire(), |client, host, resolver| async move {
        start(SERVER_OF_POSTS, &host, 1).await;
        let mut stream = client.connect((address(2), 8080).into()).await.expect("it listens");
        stream.write_all(b"what?\r\n\r\n").await.expect("it reads");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.expect("it answers and closes");
        assert!(answer.starts_with("HTTP/1.1 400 "), "{answer}");
        let get = program(r#"{ http-get = { url = "http://server:8080/api/posts" } }"#);
        run(&get, &client, &resolver, 1, || ()).await.is_ok()
    });
    assert!(fetched);
    let lines = seen.lines(SERVER);
    assert!(
        matches!(&lines[..], [(line, true)] if line.starts_with("`http-server` does not understand 10.0.0.1:")),
        "{lines:?}"
    );
}

/// What the programs of a node answered or were answered: status, octets of body, and the cache's part.
fn responses(seen: &Seen, node: NodeId) -> Vec<(u16, u64, Option<CacheUse>)> {
    let reports = seen.reports(node).into_iter();
    reports
        .filter_map(|report| match report {
            ProgramEvent::Response { status, bytes, cache } => Some((status, bytes, cache)),
            _ => None,
        })
        .collect()
}

fn syns(seen: &Seen, node: NodeId) -> usize {
    seen.segments(node).filter(|(_, tcp)| tcp.flags.syn() && !tcp.flags.ack()).count()
}

/// Two pages: one that stays and one that changes after its second request.
const SITE: &str = r#"{ http-server = { port = 80, pages = [
    { path = "/posts/123", body = '{"id": 123}', headers = { Cache-Control = "max-age=300", ETag = '"post-123-v1"' } },
    { path = "/news", body = "old", headers = { Cache-Control = "max-age=2", ETag = '"n1"' },
      later = [ { after = 2, body = "newer", headers = { ETag = '"n2"' } } ] },
    { path = "/gone", status = 410 },
    { path = "/clock", body = "tick", later = [ { at = "5s", body = "tock" } ] },
] } }"#;

#[test]
fn pages_have_fields_and_a_status_and_change_after_requests_or_at_a_time() {
    let client = r#"{ http-get = { requests = [
        { url = "http://server/posts/123" }, { url = "http://server/gone" },
        { url = "http://server/news" }, { url = "http://server/news" }, { url = "http://server/news" },
        { url = "http://server/clock" }, { url = "http://server/clock", after = "5s" },
    ] } }"#;
    let (outcome, seen) = pair(1, wire(), SITE, client);
    outcome.expect("every status is an answer");
    let statuses: Vec<u16> = responses(&seen, CLIENT).into_iter().map(|(status, ..)| status).collect();
    assert_eq!(statuses, [200, 410, 200, 200, 200, 200, 200]);
    let lines: Vec<String> = seen.lines(CLIENT).into_iter().map(|(line, _)| line).collect();
    assert_eq!(lines, ["{\"id\": 123}", "old", "old", "newer", "tick", "tock"]);
    let text = seen.sent_text(SERVER);
    assert!(text.contains("Cache-Control: max-age=300\r\nEtag: \"post-123-v1\"\r\n"), "{text}");
    assert!(text.contains("Etag: \"n2\"\r\n"), "{text}");
}

#[test]
fn requests_share_a_connection_only_when_it_is_kept_alive() {
    let fetches = r#"requests = [ { url = "http://server/news" }, { url = "http://server/news", after = "1s" } ]"#;
    for (keep_alive, connections) in [(true, 1), (false, 2)] {
        let client = format!("{{ http-get = {{ {fetches}, keep_alive = {keep_alive} }} }}");
        let (outcome, seen) = pair(1, wire(), SITE, &client);
        outcome.expect("the pages are there");
        assert_eq!(syns(&seen, CLIENT), connections);
        assert_eq!(responses(&seen, CLIENT).len(), 2);
        assert!(seen.segments(CLIENT).chain(seen.segments(SERVER)).all(|(_, tcp)| !tcp.flags.rst()));
        assert_eq!(seen.sent_text(CLIENT).contains("Connection: close"), !keep_alive);
    }
}

#[test]
fn a_client_with_a_tag_is_told_that_it_has_the_page() {
    let client = r#"{ http-get = { cache = "tag", requests = [
        { url = "http://server/posts/123" }, { url = "http://server/posts/123" },
    ] } }"#;
    let (outcome, seen) = pair(1, wire(), SITE, client);
    outcome.expect("the page is there");
    let expected = [(200, 11, Some(CacheUse::Miss)), (304, 0, Some(CacheUse::Validated))];
    assert_eq!(responses(&seen, CLIENT), expected);
    assert!(seen.sent_text(CLIENT).contains("If-None-Match: \"post-123-v1\"\r\n"));
    let answer =
        "HTTP/1.1 304 Not Modified\r\nCache-Control: max-age=300\r\nEtag: \"post-123-v1\"\r\nConnection: close\r\n\r\n";
    assert!(seen.sent_text(SERVER).ends_with(answer), "{}", seen.sent_text(SERVER));
}

#[test]
fn a_private_cache_sends_nothing_while_fresh_and_validates_when_stale() {
    let client = r#"{ http-get = { cache = "private", requests = [
        { url = "http://server/news" },
        { url = "http://server/news", after = "1s" },
        { url = "http://server/news", after = "2s" },
        { url = "http://server/news", after = "3s" },
    ] } }"#;
    let (outcome, seen) = pair(1, wire(), SITE, client);
    outcome.expect("the page is there");
    let expected = [
        (200, 3, Some(CacheUse::Miss)),
        (200, 3, Some(CacheUse::Hit)),
        (304, 0, Some(CacheUse::Validated)),
        (200, 5, Some(CacheUse::Replaced)),
    ];
    assert_eq!(responses(&seen, CLIENT), expected);
    assert_eq!(syns(&seen, CLIENT), 3, "a hit opens no connection");
    let lines: Vec<String> = seen.lines(CLIENT).into_iter().map(|(line, _)| line).collect();
    assert_eq!(lines, ["old", "old", "old", "newer"]);
}

/// The cache stands on the server's node, the origin on the client's.
fn through_a_cache(cache: &str, origin: &str, client: &str) -> Seen {
    let (outcome, seen) = scene(1, wire(), |client_host, server_host, resolver| async move {
        start(&origin.replacen("port = 80", "port = 8000", 1), &client_host, 1).await;
        let (cache, host, names) = (program(cache), server_host, resolver.clone());
        tokio::task::spawn_local(async move { run(&cache, &host, &names, 1, || ()).await });
        tokio::time::sleep(std::time::Duration::from_millis(1)).await;
        run(&program(client), &client_host, &resolver, 1, || ()).await
    });
    outcome.expect("the cache answers");
    seen
}

const EDGE: &str = r#"{ http-cache = { port = 80, origin = "client:8000", name = "edge" } }"#;

#[test]
fn a_shared_cache_answers_from_its_store_says_how_old_that_is_and_validates_it() {
    let client = r#"{ http-get = { requests = [
        { url = "http://server/news" },
        { url = "http://server/news", after = "1s" },
        { url = "http://server/news", after = "2s" },
        { url = "http://server/news", headers = { If-None-Match = '"n1"' } },
        { url = "http://server/news", after = "3s" },
    ] } }"#;
    let seen = through_a_cache(EDGE, SITE, client);
    let expected = [
        (200, 3, Some(CacheUse::Miss)),
        (200, 3, Some(CacheUse::Hit)),
        (200, 3, Some(CacheUse::Validated)),
        (304, 0, Some(CacheUse::Hit)),
        (200, 5, Some(CacheUse::Replaced)),
    ];
    assert_eq!(responses(&seen, SERVER), expected);
    assert_eq!(syns(&seen, SERVER), 3, "two of five need the origin not");
    let text = seen.sent_text(SERVER);
    for part in [
        "Cache-Status: edge; hit\r\n",
        "Age: 1\r\n",
        "Via: 1.1 edge\r\n",
        "If-None-Match: \"n1\"\r\n",
        "fwd-status=304",
    ] {
        assert!(text.contains(part), "{part} in {text}");
    }
    assert!(!text.contains("Date:"), "{text}");
}

#[test]
fn what_is_private_or_varies_is_not_given_to_others() {
    let origin = r#"{ http-server = { port = 80, pages = [
        { path = "/me", body = "Alice", headers = { Cache-Control = "private, max-age=300" } },
        { path = "/page", body = "text", headers = { Cache-Control = "max-age=300", Vary = "Accept-Encoding" } },
        { path = "/never", body = "x", headers = { Cache-Control = "no-store" } },
    ] } }"#;
    let client = r#"{ http-get = { requests = [
        { url = "http://server/me" }, { url = "http://server/me" },
        { url = "http://server/page", headers = { Accept-Encoding = "gzip" } },
        { url = "http://server/page", headers = { Accept-Encoding = "br" } },
        { url = "http://server/page", headers = { Accept-Encoding = "gzip" } },
        { url = "http://server/never" }, { url = "http://server/never" },
    ] } }"#;
    use CacheUse::{Hit, Miss};
    let uses = |cache: &str| -> Vec<CacheUse> {
        responses(&through_a_cache(cache, origin, client), SERVER)
            .into_iter()
            .filter_map(|(_, _, cache)| cache)
            .collect()
    };
    assert_eq!(uses(EDGE), [Miss, Miss, Miss, Miss, Hit, Miss, Miss]);
    let unaware = EDGE.replace(r#"name = "edge""#, "shared = false");
    assert_eq!(
        uses(&unaware),
        [Miss, Hit, Miss, Miss, Hit, Miss, Miss],
        "who takes itself for a browser gives it away"
    );
}

#[test]
fn a_cache_whose_origin_is_gone_says_so() {
    let cache = r#"{ http-cache = { port = 80, origin = "client:9999" } }"#;
    let seen = through_a_cache(cache, SITE, r#"{ http-get = { url = "http://server/x" } }"#);
    assert!(matches!(responses(&seen, SERVER)[..], [(502, _, Some(CacheUse::Miss))]));
}

const ORDER: &str = r#"{ orders-client = { url = "http://server/orders", key = "order-request-abc123", body = '{"itemId": "book-1", "quantity": 1}', pause = "500ms" } }"#;

fn orders(server: &str, clients: &[&str]) -> (Vec<bool>, Seen) {
    scene(1, wire(), |client_host, server_host, resolver| async move {
        start(server, &server_host, 1).await;
        let mut outcomes = Vec::new();
        for client in clients {
            outcomes.push(run(&program(client), &client_host, &resolver, 1, || ()).await.is_ok());
        }
        outcomes
    })
}

fn outcomes(seen: &Seen) -> Vec<(String, OrderOutcome)> {
    let reports = seen.reports(SERVER).into_iter();
    reports
        .filter_map(|report| match report {
            ProgramEvent::Order { order, outcome, .. } => Some((order, outcome)),
            _ => None,
        })
        .collect()
}

#[test]
fn the_same_key_is_the_same_order_another_body_is_a_conflict_and_no_key_another_order() {
    use OrderOutcome::{Conflict, Created, Refused, Repeated};
    let other = ORDER.replace("1}", "2}");
    let without_key = ORDER.replace("order-request-abc123", "");
    let nonsense = without_key.replace("itemId", "item");
    let server = "{ orders-server = { port = 80, first = 789 } }";
    let (ended, seen) = orders(server, &[ORDER, ORDER, &other, &without_key, &without_key, &nonsense]);
    assert_eq!(ended, [true; 6], "each status is an answer");
    let ids = ["order-789", "order-789", "", "order-790", "order-791", ""].map(str::to_owned);
    let expected = [Created, Repeated, Conflict, Created, Created, Refused];
    assert_eq!(outcomes(&seen), ids.into_iter().zip(expected).collect::<Vec<_>>());
    let statuses: Vec<u16> = responses(&seen, CLIENT).into_iter().map(|(status, ..)| status).collect();
    assert_eq!(statuses, [201, 200, 422, 201, 201, 400]);
    let text = seen.sent_text(SERVER);
    assert!(text.contains("{\n\"orderId\": \"order-789\",\n\"status\": \"created\"\n}\n"), "{text}");
    assert!(text.contains("\"status\": \"already_created_from_same_idempotency_key\""), "{text}");
}

#[test]
fn a_crash_between_order_and_key_makes_two_orders_of_one_and_a_crash_after_both_does_not() {
    let get = r#"{ http-get = { url = "http://server/orders" } }"#;
    for (store_key, orders_made) in [("with-order", 1), ("late", 2)] {
        let server = format!(r#"{{ orders-server = {{ port = 80, store_key = "{store_key}", crash_after = [1] }} }}"#);
        let (ended, seen) = orders(&server, &[ORDER, get]);
        assert_eq!(ended, [true, true], "{store_key}: {:?}", seen.lines(CLIENT));
        let created = outcomes(&seen).iter().filter(|(_, outcome)| *outcome == OrderOutcome::Created).count();
        assert_eq!(created, orders_made, "{store_key}");
        assert_eq!(seen.lines(CLIENT).iter().filter(|(line, _)| line.contains("itemId")).count(), 1);
        let listed = seen.lines(CLIENT).into_iter().find(|(line, _)| line.contains("itemId")).expect("a list").0;
        assert_eq!(listed.matches("orderId").count(), orders_made, "{listed}");
        assert_eq!(syns(&seen, CLIENT), 3, "each try has a connection of its own");
    }
}

#[test]
fn an_order_that_nobody_answers_is_given_up_after_its_tries() {
    let ((), seen) = scene(1, wire(), |client, server, resolver| async move {
        let _listener = server.listen((address(2), 80).into()).await.expect("the port is free");
        let error = run(&program(ORDER), &client, &resolver, 1, || ()).await.expect_err("nobody answers").to_string();
        assert!(error.starts_with("`orders-client` has asked server:80 3 times and got no answer"), "{error}");
    });
    let silent = |report: &ProgramEvent| {
        matches!(report, ProgramEvent::Decision { what, detail, .. }
            if what == "retry" && detail.ends_with("no answer in time"))
    };
    assert_eq!(seen.reports(CLIENT).iter().filter(|report| silent(report)).count(), 3);
    let sent: Vec<u64> =
        seen.segments(CLIENT).filter(|(_, tcp)| tcp.flags.syn()).map(|(record, _)| record.at.as_nanos()).collect();
    assert_eq!(sent, [0, 1_500_000_000, 3_000_000_000]);
}

/// Requests that are none, or not quite, from one seed.
fn malformed(rng: &mut Rng) -> Vec<u8> {
    let whole = b"POST /orders HTTP/1.1\r\nHost: server\r\nIf-None-Match: \"a\"\r\nContent-Length: 35\r\n\
                  Transfer-Encoding: identity\r\n\r\n{\"itemId\": \"book-1\", \"quantity\": 1}";
    let mut octets = whole.to_vec();
    if rng.below(8) == 0 {
        octets = vec![0; usize::try_from(rng.below(300)).expect("it is small")];
        rng.fill(&mut octets);
    }
    for _ in 0..rng.below(6) {
        let at = usize::try_from(rng.below(octets.len().max(1) as u64)).expect("it is small");
        let Some(octet) = octets.get_mut(at) else { continue };
        match rng.below(3) {
            0 => *octet = (rng.next_u32() & 0xff) as u8,
            1 => *octet = b"\r\n :,;\"\0"[usize::try_from(rng.below(8)).expect("it is small")],
            _ => octets.truncate(at),
        }
    }
    octets
}

#[test]
fn a_thousand_malformed_requests_harm_no_server() {
    let table = [
        (SITE, "/posts/123"),
        (r#"{ http-cache = { port = 80, origin = "10.0.0.1:8000" } }"#, "/x"),
        ("{ orders-server = { port = 80 } }", "/orders"),
    ];
    for (server, path) in table {
        let ((), seen) = scene(7, wire(), |client, host, resolver| async move {
            let task = start(server, &host, 1).await;
            let mut rng = Rng::new(7);
            for _ in 0..1000 {
                let mut stream = client.connect((address(2), 80).into()).await.expect("it listens");
                stream.write_all(&malformed(&mut rng)).await.expect("it reads");
                // An error is an answer, too: the server has had enough.
                let _ = stream.shutdown().await;
                let _ = stream.read_to_end(&mut Vec::new()).await;
            }
            assert!(!task.is_finished(), "{server} has ended");
            let get = program(&format!(r#"{{ http-get = {{ url = "http://server{path}" }} }}"#));
            run(&get, &client, &resolver, 1, || ()).await.expect("it still answers");
        });
        let last = responses(&seen, CLIENT);
        assert!(matches!(last[..], [(200 | 502, ..)]), "{server}: {last:?}");
        let statuses: std::collections::BTreeSet<u16> =
            responses(&seen, SERVER).into_iter().map(|(status, ..)| status).collect();
        assert!(statuses.len() > 1, "{server}: some of them were requests: {statuses:?}");
    }
}

#[cfg(feature = "dns")]
#[test]
fn a_client_with_a_resolver_asks_it_before_each_connection() {
    let zone = r#"{ dns-server = { port = 53, zones = ["""
$ORIGIN example.com.
@ 60 IN SOA ns hostmaster 1 2 3 4 5
api 300 IN A 10.0.0.2
"""] } }"#;
    let client = r#"{ http-get = { resolver = "server:53", may_fail = true, requests = [
        { url = "http://api.example.com:8080/api/posts", times = 2 }, { url = "http://nobody.example.com/" },
    ] } }"#;
    let (outcome, seen) = scene(1, wire(), |client_host, host, resolver: Resolver| async move {
        start(zone, &host, 1).await;
        start(SERVER_OF_POSTS, &host, 1).await;
        run(&program(client), &client_host, &resolver, 1, || ()).await
    });
    outcome.expect("what fails is only told");
    let asked = seen.reports(CLIENT).into_iter().filter(|report| matches!(report, ProgramEvent::Question { .. }));
    assert_eq!(asked.count(), 3);
    let answered =
        seen.reports(CLIENT).into_iter().filter(|report| matches!(report, ProgramEvent::Response { status: 200, .. }));
    assert_eq!(answered.count(), 2);
    let (last, is_error) = seen.lines(CLIENT).pop().expect("it says so");
    assert!(is_error && last.contains("it knows no address of nobody.example.com (NXDOMAIN)"), "{last}");
}

#[test]
fn a_client_gives_a_connection_up_after_its_timeout_and_goes_on() {
    let server = r#"{ work-server = { port = 80, body = "here\n", stalls = { first = 1, lasts = "60s" } } }"#;
    let client = r#"{ http-get = { timeout = "2s", requests = [ { url = "http://server/", times = 2 } ] } }"#;
    let (outcome, seen) = pair(1, wire(), server, client);
    outcome.expect("it goes on");
    let lines = seen.lines(CLIENT);
    assert_eq!(lines, [("no whole answer after 2s: it waits no longer".to_owned(), true), ("here".to_owned(), false)]);
}
