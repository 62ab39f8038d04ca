//! The blog over a userspace network in virtual time: what it answers, and how often its database is asked.

use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::timeout;

use crate::app::run;
use crate::app::tests::{CLIENT, SERVER, Seen, address, program, scene, spoilt, start, wire};
use crate::app::{Host, Resolver};
use crate::journal::ProgramEvent;
use crate::rng::Rng;

const BLOG: &str = r#"{ database-server = { port = 5432, tables = {
users = { columns = ["id", "name", "email", "bio"], rows = [[1, "Alice", "alice@example.com", "A"], [2, "Bob", "bob@example.com", "B"]] },
posts = { columns = ["id", "title", "text", "author_id"], rows = [[1, "Network Communication Basics", "Text", 1], [2, "Scaling Backend APIs", "Text", 1]] },
comments = { columns = ["id", "post_id", "author_id", "text"], rows = [[1, 1, 2, "Yes"], [2, 1, 1, "No"], [3, 1, 2, "Yes"], [4, 2, 2, "Yes"], [5, 2, 1, "No"], [6, 2, 1, "No"]] } } } }"#;
const SCREEN: &str = "{ post(id: 1) { title author { name } comments { text author { name } } } }";

/// The database beside the client, and a server with these settings before the client's own programs.
async fn blog(
    client: &Host,
    host: &Host,
    settings: &str,
) -> tokio::task::JoinHandle<Result<(), crate::app::ProgramError>> {
    start(BLOG, client, 1).await;
    let server = format!(r#"{{ graphql-server = {{ port = 80, database = "10.0.0.1:5432"{settings} }} }}"#);
    start(&server, host, 1).await
}

fn shown(settings: &str, ask: &str) -> Seen {
    let client_of = format!(r#"{{ screen-client = {{ url = "http://server/graphql", ask = {ask} }} }}"#);
    let (outcome, seen) = scene(1, wire(), |client, host, resolver: Resolver| async move {
        blog(&client, &host, settings).await;
        run(&program(&client_of), &client, &resolver, 1, || ()).await
    });
    outcome.expect("whatever is answered is an answer");
    seen
}

/// The statements that the database was asked, without what they were asked for.
fn statements(seen: &Seen) -> Vec<String> {
    let asked = seen.reports(CLIENT).into_iter().filter_map(|report| match report {
        ProgramEvent::Message { what, text, .. } if what == "Query" => Some(text),
        _ => None,
    });
    asked
        .map(|text| text.split(" FROM ").nth(1).expect("a statement").split(" /*").next().unwrap_or("").to_owned())
        .collect()
}

fn screens(seen: &Seen) -> Vec<(String, String)> {
    let shown = seen.reports(CLIENT).into_iter().filter_map(|report| match report {
        ProgramEvent::Message { what, channel, text, .. } if what == "screen" => Some((channel, text)),
        _ => None,
    });
    shown.collect()
}

#[test]
fn both_ways_show_the_same_screen() {
    let text = "Network Communication Basics, by Alice; Bob: Yes; Alice: No; Bob: Yes".to_owned();
    let query = format!("{{ graphql = '{SCREEN}' }}");
    for (ask, way) in [("{ rest = 1 }", "rest"), (query.as_str(), "graphql")] {
        assert_eq!(screens(&shown("", ask)), [(way.to_owned(), text.clone())]);
    }
}

#[test]
fn resolvers_ask_for_each_object_and_a_loader_for_each_level() {
    let query = format!("{{ graphql = '{SCREEN}' }}");
    let one_by_one = [
        "posts WHERE id = 1",
        "users WHERE id = 1",
        "comments WHERE post_id = 1",
        "users WHERE id = 2",
        "users WHERE id = 1",
        "users WHERE id = 2",
    ];
    assert_eq!(statements(&shown("", &query)), one_by_one);
    let batches =
        ["posts WHERE id = 1", "users WHERE id IN (1)", "comments WHERE post_id IN (1)", "users WHERE id IN (1, 2)"];
    assert_eq!(statements(&shown(", batch = true", &query)), batches);
    let by_rest = ["posts WHERE id = 1", "comments WHERE post_id = 1", "users WHERE id = 1", "users WHERE id = 2"];
    assert_eq!(statements(&shown("", "{ rest = 1 }")), by_rest);
}

#[test]
fn the_same_seed_gives_the_same_packets() {
    let query = "{ graphql = '{ posts { title author { name posts { id } } comments { author { bio } } } user(id: 2) { email } }' }";
    let again = || shown(", batch = true", query).packets;
    assert_eq!(again(), again());
}

#[test]
fn a_query_that_is_refused_asks_the_database_nothing() {
    let deep = "{ graphql = '{ post(id: 1) { comments { author { posts { title } } } } }' }";
    for (settings, query, text) in [
        ("", "{ graphql = '{ post(id: 1) { titel } }' }", "Unknown field \"titel\" on type \"Post\"."),
        ("", "{ graphql = '{ post(id: 1)' }", " --> 1:14"),
        (", max_depth = 4", deep, "Query is nested too deep."),
    ] {
        let seen = shown(settings, query);
        assert!(seen.lines(CLIENT)[0].0.starts_with(text), "{:?}", seen.lines(CLIENT));
        assert_eq!(statements(&seen), [""; 0], "{query}");
    }
    assert_eq!(statements(&shown(", max_depth = 5", deep)).len(), 8, "as deep as is allowed");
}

/// What a query asks for grows with the product of its levels: there is an end to it.
#[test]
fn an_answer_has_its_bounds() {
    let levels = "comments { author { posts { ".repeat(7);
    let deep = format!("{{ graphql = '{{ posts {{ {levels} title {} }} }}' }}", "} } }".repeat(7));
    let seen = shown(", batch = true", &deep);
    assert_eq!(seen.lines(CLIENT)[0].0, "an answer has at most 10000 objects");
    let wide: String = (0..201).map(|number| format!("a{number}: user(id: 1) {{ id }} ")).collect();
    let seen = shown("", &format!("{{ graphql = '{{ {wide} }}' }}"));
    assert_eq!(seen.lines(CLIENT)[0].0, "Query is too complex.");
    assert_eq!(statements(&seen), [""; 0]);
}

/// The status line and the body that a request is answered with.
async fn answer(client: &Host, request: &[u8]) -> (String, String) {
    let mut stream = client.connect((address(2), 80).into()).await.expect("it listens");
    // An error is an answer, too: the server has had enough. Where it waits for the rest of a request, it waits in
    // vain.
    let _ = stream.write_all(request).await;
    let mut told = Vec::new();
    let _ = timeout(Duration::from_secs(1), stream.read_to_end(&mut told)).await;
    let told = String::from_utf8_lossy(&told).into_owned();
    let (head, body) = told.split_once("\r\n\r\n").unwrap_or((&told, ""));
    (head.lines().next().unwrap_or_default().to_owned(), body.to_owned())
}

fn post(target: &str, body: &str) -> Vec<u8> {
    format!(
        "POST {target} HTTP/1.1\r\nHost: server\r\nConnection: close\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    )
    .into_bytes()
}

fn get(target: &str) -> Vec<u8> {
    format!("GET {target} HTTP/1.1\r\nHost: server\r\nConnection: close\r\n\r\n").into_bytes()
}

#[test]
fn each_request_is_answered_as_it_deserves() {
    let long = format!(r#"{{"query": "{}"}}"#, " ".repeat(1 << 16));
    let table = [
        (
            get("/api/posts"),
            "200 OK",
            "{\n\"posts\": [\n{\n\"id\": 1,\n\"title\": \"Network Communication Basics\"\n},\n{\n\"id\": 2,\n\"title\": \"Scaling Backend APIs\"\n}\n]\n}",
        ),
        (
            get("/api/posts/2/comments"),
            "200 OK",
            "{\n\"comments\": [\n{\n\"id\": 4,\n\"postId\": 2,\n\"authorId\": 2,\n\"text\": \"Yes\"\n}",
        ),
        (
            get("/users/1"),
            "200 OK",
            "{\n\"id\": 1,\n\"name\": \"Alice\",\n\"email\": \"alice@example.com\",\n\"bio\": \"A\"\n}",
        ),
        (get("/api/posts/9"), "404 Not Found", "{\n\"error\": \"There is nothing here;"),
        (get("/users/Alice"), "404 Not Found", "{\n\"error\": \"There is nothing here;"),
        (get("/elsewhere"), "404 Not Found", "{\n\"error\": \"There is nothing here;"),
        (post("/users/1", ""), "405 Method Not Allowed", "POST is not allowed here."),
        (get("/graphql"), "405 Method Not Allowed", "{\n\"error\": \"Only POST is allowed here\"\n}"),
        (post("/graphql", "what?"), "400 Bad Request", "{\n\"error\": \"A request is JSON with a `query`: "),
        (post("/graphql", &long), "413 Payload Too Large", "{\n\"error\": \"That query is too long, or broke off\"\n}"),
        (post("/graphql", "{}"), "200 OK", "{\"data\":null,\"errors\":[{\"message\":"),
        (
            post("/graphql", r#"{"query": "query ($id: Int!) { user(id: $id) { email } }", "variables": {"id": 2}}"#),
            "200 OK",
            "{\"data\":{\"user\":{\"email\":\"bob@example.com\"}}}",
        ),
        (post("/graphql", r#"{"query": "{ user(id: 9) { email } }"}"#), "200 OK", "{\"data\":{\"user\":null}}"),
    ];
    let ((), _) = scene(1, wire(), |client, host, _| async move {
        blog(&client, &host, "").await;
        for (request, status, body) in table {
            let (line, told) = answer(&client, &request).await;
            let request = String::from_utf8_lossy(&request).chars().take(80).collect::<String>();
            assert_eq!(line, format!("HTTP/1.1 {status}"), "{request}");
            assert!(told.starts_with(body), "{request}: {told}");
        }
    });
}

/// A database that breaks off is told of, by a status to who asks for a resource and in `errors` to who sends a query;
/// for the next query there is a new session.
#[test]
fn a_database_that_breaks_off_is_asked_again_on_a_new_session() {
    let greeting = b"R\0\0\0\x08\0\0\0\0Z\0\0\0\x05I";
    let user = b"T\0\0\0\x06\0\0D\0\0\0\x1e\0\x04\0\0\0\x011\0\0\0\x05Alice\0\0\0\x01e\0\0\0\x01bC\0\0\0\x0dSELECT 1\0Z\0\0\0\x05I";
    let strange = b"D\0\0\0\x06\0\x09Z\0\0\0\x05I";
    let refusing = b"E\0\0\0\x17SERROR\0Mnot today\0\0Z\0\0\0\x05I";
    let (told, seen) = scene(1, wire(), |client, host, _| async move {
        let listener = client.listen((address(1), 5432).into()).await.expect("the port is free");
        tokio::task::spawn_local(async move {
            // One session each: it closes at once, says strange things, refuses and then answers.
            for answers in [&[][..], &[&strange[..]], &[&refusing[..], &user[..]]] {
                let (mut stream, _) = listener.accept().await.expect("a session comes");
                assert!(stream.read(&mut [0; 500]).await.is_ok_and(|octets| octets > 0), "it opens");
                stream.write_all(greeting).await.expect("it reads");
                for answer in answers {
                    assert!(stream.read(&mut [0; 500]).await.is_ok_and(|octets| octets > 0), "it asks");
                    stream.write_all(answer).await.expect("it reads");
                }
                // The one after the last answer is not answered.
                let _ = stream.read(&mut [0; 500]).await;
            }
        });
        start(r#"{ graphql-server = { port = 80, database = "10.0.0.1:5432" } }"#, &host, 1).await;
        let mut told = Vec::new();
        for _ in 0..3 {
            told.push(answer(&client, &get("/users/1")).await);
        }
        told.push(answer(&client, &post("/graphql", r#"{"query": "{ user(id: 1) { name } }"}"#)).await);
        told
    });
    let statuses: Vec<&str> = told.iter().map(|(line, _)| line.as_str()).collect();
    let gone = "HTTP/1.1 502 Bad Gateway";
    assert_eq!(statuses, [gone, gone, gone, "HTTP/1.1 200 OK"], "{told:?}");
    let texts: Vec<bool> =
        ["cannot be asked", "cannot be asked", "says: not today", r#"{"data":{"user":{"name":"Alice"}}}"#]
            .iter()
            .zip(&told)
            .map(|(text, (_, body))| body.contains(text))
            .collect();
    assert_eq!(texts, [true; 4], "{told:?}");
    let sessions = seen.reports(SERVER).into_iter().filter(|report| matches!(report, ProgramEvent::Connected { .. }));
    assert_eq!(sessions.count(), 3);
}

#[test]
fn ten_thousand_malformed_requests_harm_the_server_not() {
    let (statuses, seen) = scene(7, wire(), |client, host, resolver: Resolver| async move {
        let task = blog(&client, &host, ", batch = true").await;
        let mut rng = Rng::new(7);
        let mut statuses = std::collections::BTreeMap::<String, u32>::new();
        for round in 0..10_000 {
            // Half of them are well-formed HTTP, so that the query itself is met, too.
            let request = if round % 2 == 0 {
                spoilt(&mut rng, &post("/graphql", &format!(r#"{{"query": "{SCREEN}"}}"#)))
            } else {
                let query = spoilt(&mut rng, SCREEN.as_bytes());
                let query = serde_json::json!({ "query": String::from_utf8_lossy(&query) });
                post("/graphql", &query.to_string())
            };
            let (line, body) = answer(&client, &request).await;
            let outcome = if body.contains("\"errors\"") { "errors" } else { "" };
            *statuses.entry(format!("{} {outcome}", line.split(' ').nth(1).unwrap_or("none"))).or_default() += 1;
        }
        assert!(!task.is_finished(), "it has ended");
        let screen = program(r#"{ screen-client = { url = "http://server/", ask = { rest = 1 } } }"#);
        run(&screen, &client, &resolver, 1, || ()).await.expect("it still answers");
        statuses
    });
    assert_eq!(screens(&seen).len(), 1);
    for outcome in ["200 ", "200 errors", "400 "] {
        assert!(statuses.get(outcome).is_some_and(|count| *count > 50), "{statuses:?}");
    }
}
