//! The feed and its four ways, over a userspace network in virtual time.

use crate::app::run;
use crate::app::tests::{CLIENT, ENDED_WELL, SERVER, Seen, harass, pair, program, scene, start, wire};
use crate::journal::{Event, NodeId, ProgramEvent, Way};
use crate::rng::Rng;

const FEED: &str = r#"{ feed-server = { port = 80, path = "/orders", lasts = "6s", news = [
    { at = "2s", event = "order.updated", data = '{"orderId":"order-1","status":"processing"}' },
    { at = "5s", event = "order.updated", data = '{"orderId":"order-1","status":"shipped"}' },
    { at = "7s", event = "order.updated", data = '{"orderId":"order-2","status":"processing"}' },
] } }"#;

/// When each piece of news reached the client, in milliseconds, and what it said.
fn heard(seen: &Seen, node: NodeId) -> Vec<(u64, String)> {
    let of_node = seen.events.iter().filter(|entry| entry.node == node);
    of_node
        .filter_map(|entry| match &entry.event {
            Event::Program { report: ProgramEvent::Message { way: Way::Received, what, text, .. }, .. }
                if what == "order.updated" =>
            {
                Some((entry.at.as_nanos() / 1_000_000, text.clone()))
            }
            _ => None,
        })
        .collect()
}

fn read(how: &str) -> Seen {
    let client =
        format!(r#"{{ feed-client = {{ url = "http://server/orders", how = "{how}", receive = 3, pause = "2s" }} }}"#);
    let (outcome, seen) = pair(1, wire(), FEED, &client);
    outcome.expect(how);
    seen
}

#[test]
fn each_way_brings_all_news_in_order_and_some_bring_them_at_once() {
    for (how, most_late) in [("poll", 2_100), ("long-poll", 10), ("sse", 1_100), ("websocket", 10)] {
        let seen = read(how);
        let heard = heard(&seen, CLIENT);
        let statuses: Vec<&str> = heard.iter().map(|(_, text)| text.as_str()).collect();
        assert!(
            matches!(statuses[..], [one, two, three]
                if one.contains("processing") && two.contains("shipped") && three.contains("order-2")),
            "{how}: {statuses:?}"
        );
        for ((at, _), happened) in heard.iter().zip([2_000, 5_000, 7_000]) {
            assert!((happened..=happened + most_late).contains(at), "{how}: {at} ms");
        }
        assert_eq!(seen.reports(CLIENT).last(), Some(&ENDED_WELL));
        assert_eq!(seen.lines(SERVER), [], "{how}: the close was not orderly");
    }
}

#[test]
fn an_event_stream_looks_as_it_should_and_is_taken_up_after_the_last_event() {
    let seen = read("sse");
    let (asked, told) = (seen.sent_text(CLIENT), seen.sent_text(SERVER));
    assert!(told.contains("Content-Type: text/event-stream\r\n"), "{told}");
    let event = "event: order.updated\ndata: {\"orderId\":\"order-1\",\"status\":\"processing\"}\n\n";
    assert!(told.contains(event), "{told}");
    assert_eq!(told.matches("id: 1\n").count(), 1, "nothing comes twice: {told}");
    assert_eq!(asked.matches("GET /orders").count(), 2, "{asked}");
    assert!(asked.contains("Last-Event-Id: 2\r\n"), "{asked}");
}

#[test]
fn a_proxy_passes_events_on_as_they_come_or_all_at_once() {
    for (buffer, at) in [(false, [2_020, 5_020]), (true, [6_000, 6_000])] {
        let ((), seen) = scene(1, wire(), |client, host, resolver| async move {
            start(FEED, &host, 1).await;
            let relay = format!("{{ http-relay = {{ port = 8080, origin = \"10.0.0.2:80\", buffer = {buffer} }} }}");
            start(&relay, &host, 1).await;
            let get = program(
                r#"{ feed-client = { url = "http://server:8080/orders", how = "sse", receive = 2, pause = "9s" } }"#,
            );
            run(&get, &client, &resolver, 1, || ()).await.expect("the proxy answers");
        });
        let came: Vec<u64> = heard(&seen, CLIENT).into_iter().map(|(at, _)| at).collect();
        assert!(
            came.len() == 2 && came.iter().zip(at).all(|(came, at)| (at - 20..=at + 120).contains(came)),
            "{came:?}"
        );
    }
}

#[test]
fn a_proxy_whose_server_is_gone_says_so() {
    let client = r#"{ http-get = { url = "http://server/x" } }"#;
    let (_, seen) = pair(1, wire(), r#"{ http-relay = { port = 80, origin = "10.0.0.2:9" } }"#, client);
    assert!(seen.sent_text(SERVER).starts_with("HTTP/1.1 502 "), "{}", seen.sent_text(SERVER));
}

/// A request in one of the ways.
fn asked(rng: &mut Rng) -> Vec<u8> {
    let small = |rng: &mut Rng, below: u64| usize::try_from(rng.below(below)).expect("it is small");
    let fields = [
        "Accept: text/event-stream\r\nLast-Event-ID: 99999999999999999999\r\n",
        "Accept: text/event-stream\r\nLast-Event-ID: 2\r\n",
        "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n",
        "Content-Length: 5\r\n",
    ];
    let queries = ["", "?after=-1", "?after=2&wait=0", "?after=18446744073709551615", "?wait=18446744073709551616"];
    let (query, field) = (queries[small(rng, 5)], fields[small(rng, 4)]);
    format!("GET /orders{query} HTTP/1.1\r\nHost: server\r\n{field}\r\n").into_bytes()
}

#[test]
fn ten_thousand_malformed_requests_harm_no_feed() {
    let server = FEED.replace("lasts = \"6s\"", "lasts = \"10ms\"");
    let ((), seen) = scene(7, wire(), |client, host, resolver| async move {
        let task = start(&server, &host, 1).await;
        harass(&client, 80, asked).await;
        assert!(!task.is_finished(), "the server has ended");
        for how in ["poll", "sse", "websocket"] {
            let get = format!(r#"{{ feed-client = {{ url = "http://server/orders", how = "{how}", receive = 3 }} }}"#);
            run(&program(&get), &client, &resolver, 1, || ()).await.expect("it still answers");
        }
    });
    assert_eq!(heard(&seen, CLIENT).len(), 9);
}

#[test]
fn a_client_that_speaks_no_tls_says_so_of_a_url_that_wants_it() {
    let get = r#"feed-client = { url = "https://server/orders", how = "poll", receive = 1 }"#;
    let error = toml::from_str::<crate::app::Program>(get).expect_err("it speaks no TLS").to_string();
    assert!(error.contains("`https://server/orders`: this program speaks no TLS"), "{error}");
}
