//! The collection over a userspace network in virtual time: methods and statuses, four ways to use connections, and
//! clients and servers that mean no good.

use std::collections::BTreeMap;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::timeout;

use super::pipeline::{Answer, answer};
use crate::app::tests::{CLIENT, SERVER, Seen, address, pair, program, scene, spoilt, start, wire};
use crate::app::{Host, Resolver, run};
use crate::journal::{Entry, Event, ProgramEvent};
use crate::rng::Rng;

const POSTS: &str = r#"{ rest-server = { port = 80, path = "/api/posts", posts = ["Network Communication Basics", "Scaling Backend APIs"], headers = { Cache-Control = "max-age=60" }, takes = "10ms", slow = [{ id = 1, takes = "500ms" }] } }"#;

/// Status line, fields and body of what a request is answered with on a connection of its own.
async fn told(client: &Host, request: &[u8]) -> String {
    let mut stream = client.connect((address(2), 80).into()).await.expect("it listens");
    // An error is an answer, too: the server has had enough. Where it waits for the rest of a request, it waits in
    // vain.
    let _ = stream.write_all(request).await;
    let mut told = Vec::new();
    let _ = timeout(Duration::from_secs(1), stream.read_to_end(&mut told)).await;
    String::from_utf8_lossy(&told).into_owned()
}

fn asked(method: &str, target: &str, body: &str) -> Vec<u8> {
    let length = body.len();
    format!("{method} {target} HTTP/1.1\r\nHost: server\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n{body}")
        .into()
}

#[test]
fn methods_change_the_collection_and_statuses_tell_of_it() {
    let third = "{\n\"id\": 3,\n\"title\": \"Network Layers\"\n}";
    let table = [
        (
            "GET",
            "/api/posts",
            "",
            "200 OK",
            "{\n\"posts\": [\n{\n\"id\": 1,\n\"title\": \"Network Communication Basics\"\n},\n{\n\"id\": 2,\n\"title\": \"Scaling Backend APIs\"\n}\n]\n}",
        ),
        ("GET", "/api/posts/3", "", "404 Not Found", "{\n\"error\": \"There is no post 3\"\n}"),
        ("PUT", "/api/posts/3", r#"{"title": "x"}"#, "404 Not Found", "{\n\"error\": \"There is no post 3\"\n}"),
        ("POST", "/api/posts", r#"{"title": "Network Layers"}"#, "201 Created", third),
        ("GET", "/api/posts/3", "", "200 OK", third),
        ("PUT", "/api/posts/3", r#"{"title": "Layers"}"#, "200 OK", "{\n\"id\": 3,\n\"title\": \"Layers\"\n}"),
        ("PUT", "/api/posts/3", r#"{"title": "Layers"}"#, "200 OK", "{\n\"id\": 3,\n\"title\": \"Layers\"\n}"),
        ("DELETE", "/api/posts/3", "", "204 No Content", ""),
        ("DELETE", "/api/posts/3", "", "404 Not Found", "{\n\"error\": \"There is no post 3\"\n}"),
        ("POST", "/api/posts", r#"{"title": "Again"}"#, "201 Created", "{\n\"id\": 4,\n\"title\": \"Again\"\n}"),
        (
            "POST",
            "/api/posts",
            r#"{"titel": "Again"}"#,
            "400 Bad Request",
            "{\n\"error\": \"A post is JSON with a title",
        ),
        ("PUT", "/api/posts/4", "what?", "400 Bad Request", "{\n\"error\": \"A post is JSON with a title"),
        (
            "POST",
            "/api/posts/4",
            "",
            "405 Method Not Allowed",
            "{\n\"error\": \"Only GET, HEAD, PUT, DELETE are allowed here\"\n}",
        ),
        (
            "DELETE",
            "/api/posts",
            "",
            "405 Method Not Allowed",
            "{\n\"error\": \"Only GET, HEAD, POST are allowed here\"\n}",
        ),
        ("GET", "/api", "", "404 Not Found", "{\n\"error\": \"There is nothing here but /api/posts"),
        ("GET", "/api/posts/x", "", "404 Not Found", "{\n\"error\": \"There is nothing here but /api/posts"),
        ("GET", "/api/postscript", "", "404 Not Found", "{\n\"error\": \"There is nothing here but /api/posts"),
    ];
    let ((), _) = scene(1, wire(), |client, host, _| async move {
        start(POSTS, &host, 1).await;
        for (method, target, body, status, expected) in table {
            let told = told(&client, &asked(method, target, body)).await;
            let (head, got) = told.split_once("\r\n\r\n").expect("a head");
            assert!(head.starts_with(&format!("HTTP/1.1 {status}\r\n")), "{method} {target}: {head}");
            assert!(got.starts_with(expected), "{method} {target}: {got}");
            let is_shown = method == "GET" && status.starts_with("200");
            assert_eq!(head.contains("Cache-Control: max-age=60"), is_shown, "{method} {target}: {head}");
            let is_made = status.starts_with("201");
            assert_eq!(head.contains("Location: /api/posts/"), is_made, "{method} {target}: {head}");
            assert_eq!(head.contains("Allow: GET"), status.starts_with("405"), "{method} {target}: {head}");
            let length = format!("Content-Length: {}", got.len());
            assert_eq!(head.contains(&length), !status.starts_with("204"), "{method} {target}: {head}");
        }
        let long = format!(r#"{{"title": "{}"}}"#, "x".repeat(1 << 14));
        let refused = told(&client, &asked("POST", "/api/posts", &long)).await;
        assert!(refused.starts_with("HTTP/1.1 413 Payload Too Large\r\n"), "{refused}");
    });
}

const TWO: &str = r#"calls = [{ path = "/api/posts/1" }, { path = "/api/posts/2" }]"#;

fn asked_for(settings: &str) -> Seen {
    let client = format!(r#"{{ rest-client = {{ url = "http://server/", {settings} }} }}"#);
    let (outcome, seen) = pair(1, wire(), POSTS, &client);
    outcome.expect("a status is an answer");
    seen
}

/// When each response was there for the client, in milliseconds, and its octets.
fn responses(seen: &Seen) -> Vec<(u64, u64)> {
    let of_client = seen.events.iter().filter(|entry| entry.node == CLIENT);
    let response = |entry: &Entry| match &entry.event {
        Event::Program { report: ProgramEvent::Response { bytes, .. }, .. } => {
            Some((entry.at.as_nanos() / 1_000_000, *bytes))
        }
        _ => None,
    };
    of_client.filter_map(response).collect()
}

fn syns(seen: &Seen) -> usize {
    seen.segments(CLIENT).filter(|(_, tcp)| tcp.flags.syn() && !tcp.flags.ack()).count()
}

/// Post 1 takes half a second, post 2 ten milliseconds; a round trip is twenty.
#[test]
fn each_way_to_use_connections_has_its_own_times() {
    const SLOW: u64 = 52;
    const FAST: u64 = 44;
    let table = [
        ("each", 2, [(540, SLOW), (590, FAST)]),
        ("one", 1, [(540, SLOW), (570, FAST)]),
        ("parallel", 2, [(50, FAST), (540, SLOW)]),
        // The second is asked for at once, and has to wait for the first all the same.
        ("pipelined", 1, [(540, SLOW), (550, FAST)]),
    ];
    for (way, connections, expected) in table {
        let seen = asked_for(&format!(r#"connections = "{way}", {TWO}"#));
        assert_eq!(syns(&seen), connections, "{way}");
        assert_eq!(responses(&seen), expected, "{way}");
        assert_eq!(seen.lines(SERVER), [], "{way}: the close was orderly");
    }
}

#[test]
fn pipelined_requests_are_written_as_the_others_are() {
    let settings = r#"headers = { Accept = "application/json" }, calls = [{ method = "POST", path = "/api/posts", body = '{"title": "x"}' }, { method = "DELETE", path = "/api/posts/3" }]"#;
    let pipelined = asked_for(&format!(r#"connections = "pipelined", {settings}"#));
    let in_turn = asked_for(&format!(r#"connections = "one", {settings}"#));
    let text = |seen: &Seen| seen.sent_text(CLIENT).replace("Connection: close\r\n", "");
    let sorted = |text: String| {
        let mut lines: Vec<String> = text.split("\r\n").map(str::to_owned).collect();
        lines.sort();
        lines
    };
    assert_eq!(sorted(text(&pipelined)), sorted(text(&in_turn)), "{}", text(&pipelined));
    assert!(text(&pipelined).contains("\r\nAccept: application/json\r\n"));
    let statuses = pipelined.sent_text(SERVER).matches("HTTP/1.1 20").count();
    assert_eq!(statuses, 2, "made, and removed: {}", pipelined.sent_text(SERVER));
}

#[test]
fn a_length_that_is_too_large_makes_the_client_wait_in_vain() {
    let claims = POSTS.replace("takes = \"10ms\"", "claims_more = 10");
    let client = r#"{ rest-client = { url = "http://server/", timeout = "2s", calls = [{ path = "/api/posts/2" }] } }"#;
    let (outcome, seen) = pair(1, wire(), &claims, client);
    outcome.expect("it goes on");
    assert!(seen.sent_text(SERVER).contains("Content-Length: 54\r\n"), "{}", seen.sent_text(SERVER));
    assert_eq!(responses(&seen), []);
    let last = seen.lines(CLIENT).pop().expect("it says so");
    assert_eq!(last, ("the answers are not whole after 2s: it waits no longer".to_owned(), true));
}

#[cfg(feature = "dns")]
#[test]
fn the_server_s_address_is_asked_of_dns() {
    let zone = r#"{ dns-server = { port = 53, zones = ["""
$ORIGIN example.com.
@ 60 IN SOA ns hostmaster 1 2 3 4 5
api 300 IN A 10.0.0.2
mail 300 IN AAAA fd00::2
"""] } }"#;
    let fetch = |name: &str| {
        let client = format!(
            r#"{{ rest-client = {{ url = "http://{name}/", resolver = "server:53", calls = [{{ path = "/api/posts/2" }}] }} }}"#
        );
        scene(1, wire(), |client_host, host, resolver: Resolver| async move {
            start(zone, &host, 1).await;
            start(POSTS, &host, 1).await;
            run(&program(&client), &client_host, &resolver, 1, || ()).await
        })
    };
    let (outcome, seen) = fetch("api.example.com");
    outcome.expect("the name is known");
    assert!(seen.sent_text(CLIENT).contains("\r\nHost: api.example.com\r\n"), "{}", seen.sent_text(CLIENT));
    assert_eq!(responses(&seen).len(), 1);
    for (name, why) in [("mail.example.com", "NOERROR"), ("nobody.example.com", "NXDOMAIN")] {
        let error = fetch(name).0.expect_err("there is no address").to_string();
        assert!(error.contains(&format!("it knows no address of {name} ({why})")), "{error}");
    }
}

/// What is read of the octets of an answer.
fn read(octets: &[u8]) -> Result<Answer, String> {
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("it needs nothing");
    runtime.block_on(answer(&mut { octets })).map_err(|error| error.to_string())
}

/// Status and body, or what is wrong.
type Meant<'a> = Result<(u16, &'a [u8]), &'a str>;

#[test]
fn answers_are_read_to_the_length_that_they_say() {
    let table: [(&[u8], Meant<'_>); 9] = [
        (b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabcd", Ok((200, b"abc"))),
        (b"HTTP/1.1 204 No Content\r\n\r\n", Ok((204, b""))),
        (b"HTTP/1.1 200 OK\ncontent-length:0\n\n", Ok((200, b""))),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nab", Err("unexpected end of file")),
        (b"HTTP/1.1 200 OK\r\n\r\nab", Err("an answer that does not say its length")),
        (b"220 mail ready\r\n\r\n", Err("`220 mail ready` is no status line")),
        (b"HTTP/1.1 200 OK\r\nwhat?\r\n\r\n", Err("`what?` is no field")),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 99999999\r\n\r\n", Err("an answer of 99999999 octets is too long")),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n", Err("unexpected end of file")),
    ];
    for (octets, expected) in table {
        let got = read(octets);
        let expected = expected.map(|(status, body)| Answer { status, body: body.to_vec() }).map_err(ToOwned::to_owned);
        assert_eq!(got, expected, "{}", octets.escape_ascii());
    }
    let endless = [b"HTTP/1.1 200 OK\r\nX: ".to_vec(), vec![b'x'; 1 << 15]].concat();
    assert_eq!(read(&endless), Err("a head without end".to_owned()));
}

#[test]
fn ten_thousand_spoilt_answers_are_read_or_refused() {
    let whole = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 16\r\n\r\n{\"title\": \"abc\"}";
    let mut rng = Rng::new(9);
    let refused = (0..10_000).filter(|_| read(&spoilt(&mut rng, whole)).is_err()).count();
    assert!((2_000..10_000).contains(&refused), "{refused} refused");
}

#[test]
fn ten_thousand_malformed_requests_harm_the_server_not() {
    let (statuses, seen) = scene(7, wire(), |client, host, resolver: Resolver| async move {
        let task = start(POSTS, &host, 1).await;
        let mut rng = Rng::new(7);
        let mut statuses = BTreeMap::<String, u32>::new();
        for round in 0..10_000 {
            let (method, target) =
                [("POST", "/api/posts"), ("PUT", "/api/posts/2"), ("DELETE", "/api/posts/3")][round % 3];
            let request = spoilt(&mut rng, &asked(method, target, r#"{"title": "Network Layers"}"#));
            let told = told(&client, &request).await;
            *statuses.entry(told.split(' ').nth(1).unwrap_or("none").to_owned()).or_default() += 1;
        }
        assert!(!task.is_finished(), "it has ended");
        let get = program(r#"{ rest-client = { url = "http://server/", calls = [{ path = "/api/posts/2" }] } }"#);
        run(&get, &client, &resolver, 1, || ()).await.expect("it still answers");
        statuses
    });
    assert_eq!(responses(&seen).len(), 1);
    for status in ["200", "201", "204", "400", "404", "405", "none"] {
        assert!(statuses.contains_key(status), "{statuses:?}");
    }
}
