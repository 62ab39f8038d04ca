//! The WebSocket programs over a userspace network in virtual time.

use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::app::tests::{CLIENT, ENDED_WELL, SERVER, Seen, address, pair, program, scene, start, wire};
use crate::app::{ProgramError, run};
use crate::journal::{NodeId, ProgramEvent, Way};
use crate::rng::Rng;

const CHAT: &str = r#"{ websocket-server = { port = 80, path = "/chat", token = "eyJ" } }"#;
const HELLO: &str = r#"{"type": "message", "channel": "chat-room-123", "data": {"user": "Alice"}}"#;

/// A client that subscribes, waits for a message that it sends itself, and closes.
const BOTH: &str = r#"{ websocket-client = { url = "ws://server/chat", receive = 1, send = [
    { text = '{"type": "subscribe", "channel": "chat-room-123", "token": "eyJ"}' },
    { after = "1s", text = '{"type": "message", "channel": "chat-room-123", "data": {"user": "Alice"}}' },
] } }"#;

/// Way, kind and text of each message that a node's programs sent or received.
fn messages(seen: &Seen, node: NodeId) -> Vec<(Way, String, String)> {
    let reports = seen.reports(node).into_iter();
    reports
        .filter_map(|report| match report {
            ProgramEvent::Message { way, what, text, .. } => Some((way, what, text)),
            _ => None,
        })
        .collect()
}

fn chat(server: &str, client: &str) -> (Result<(), ProgramError>, Seen) {
    pair(1, wire(), server, client)
}

#[test]
fn a_message_goes_to_who_subscribed_and_both_say_goodbye() {
    let (outcome, seen) = chat(CHAT, BOTH);
    outcome.expect("the server grants it");
    let of = |way| -> Vec<(String, String)> {
        let all = messages(&seen, CLIENT).into_iter().filter(|(its, ..)| *its == way);
        all.map(|(_, what, text)| (what, text)).collect()
    };
    let pair = |what: &str, text: &str| (what.to_owned(), text.to_owned());
    assert_eq!(of(Way::Received), [pair("text", HELLO), pair("close", "1000")]);
    assert_eq!(of(Way::Sent).last(), Some(&pair("close", "1000")));
    assert_eq!(seen.reports(CLIENT).last(), Some(&ENDED_WELL));
    assert_eq!(seen.lines(SERVER), [], "the close was not orderly");
    let segments = || seen.segments(CLIENT).chain(seen.segments(SERVER));
    assert!(segments().all(|(_, tcp)| !tcp.flags.rst()));
    assert_eq!(segments().filter(|(_, tcp)| tcp.flags.fin()).count(), 2);
}

#[test]
fn the_connection_begins_as_http_and_only_clients_mask() {
    let (_, seen) = chat(CHAT, BOTH);
    let (request, response) = (seen.sent_text(CLIENT), seen.sent_text(SERVER));
    assert!(request.starts_with("GET /chat HTTP/1.1\r\nHost: server\r\nConnection: Upgrade\r\n"), "{request}");
    assert!(response.starts_with("HTTP/1.1 101 Switching Protocols\r\n"), "{response}");
    assert!(response.contains(HELLO) && !request.contains("chat-room-123"), "a mask hides what is said");
}

#[test]
fn the_accept_field_is_that_of_the_rfc() {
    let ((), seen) = scene(1, wire(), |client, host, _| async move {
        start(CHAT, &host, 1).await;
        let mut stream = client.connect((address(2), 80).into()).await.expect("it listens");
        // RFC 6455 §1.3 has the key and its answer.
        let request = "GET /chat HTTP/1.1\r\nHost: server\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
                       Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n";
        stream.write_all(request.as_bytes()).await.expect("it reads");
        let mut answer = vec![0; 1000];
        let length = stream.read(&mut answer).await.expect("it answers");
        let answer = String::from_utf8_lossy(&answer[..length]).to_lowercase();
        assert!(answer.contains(&"sec-websocket-accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n".to_lowercase()), "{answer}");
    });
    assert!(seen.sent_text(SERVER).contains("s3pPLMBiTxaQ9kYGzzhZRbK+xOo="));
}

#[test]
fn what_is_no_upgrade_is_refused_and_says_what_would_be_one() {
    for (url, status, told) in [
        ("http://server/chat", "426 Upgrade Required", "Upgrade: websocket\r\n"),
        ("http://server/elsewhere", "404 Not Found", "This server speaks WebSocket at /chat"),
    ] {
        let (_, seen) = chat(CHAT, &format!(r#"{{ http-get = {{ url = "{url}" }} }}"#));
        let answer = seen.sent_text(SERVER);
        assert!(answer.starts_with(&format!("HTTP/1.1 {status}\r\n")) && answer.contains(told), "{answer}");
    }
    let (outcome, _) = chat(CHAT, r#"{ websocket-client = { url = "ws://server/elsewhere" } }"#);
    let error = outcome.expect_err("there is nothing").to_string();
    assert!(error.contains("it does not switch protocols but says 404"), "{error}");
}

#[test]
fn a_client_that_breaks_a_rule_is_told_which_and_the_connection_ends() {
    let table = [
        (
            "mask = false, send = [{ text = 'x' }]",
            "1002 WebSocket protocol error: Received an unmasked frame from client",
        ),
        ("send = [{ text = 'x' }]", "1008 neither a subscription nor a message"),
        (
            r#"send = [{ text = '{"type": "subscribe", "channel": "c", "token": "guessed"}' }]"#,
            "1008 the token is not one that is known here",
        ),
    ];
    for (says, told) in table {
        let client = format!(r#"{{ websocket-client = {{ url = "ws://server/chat", receive = 1, {says} }} }}"#);
        let (outcome, seen) = chat(CHAT, &client);
        outcome.expect("the server has closed, and has said so");
        let closed = (Way::Received, "close".to_owned(), told.to_owned());
        assert!(messages(&seen, CLIENT).contains(&closed), "{:?}", messages(&seen, CLIENT));
        let lines = seen.lines(SERVER);
        assert!(
            matches!(&lines[..], [(line, true)] if line.contains("the connection is closed with 100")),
            "{lines:?}"
        );
        assert!(seen.segments(CLIENT).chain(seen.segments(SERVER)).all(|(_, tcp)| !tcp.flags.rst()));
    }
}

#[test]
fn a_server_pings_in_the_beat_that_it_was_told_and_is_answered() {
    let server = CHAT.replace("port = 80", r#"port = 80, ping = "20s""#);
    let client = r#"{ websocket-client = { url = "ws://server/chat", receive = 1, patience = "65s" } }"#;
    let (outcome, seen) = chat(&server, client);
    outcome.expect("it closes when it has waited enough");
    let came = |node, kind: &str| {
        messages(&seen, node).iter().filter(|(way, what, _)| *way == Way::Received && what == kind).count()
    };
    assert_eq!((came(CLIENT, "ping"), came(SERVER, "pong")), (3, 3));
}

#[test]
fn the_same_seed_gives_the_same_masks() {
    let once = || crate::host::chance::with_seed(3, || chat(CHAT, BOTH).1.packets).expect("there are threads");
    assert_eq!(once(), once());
}

/// What somebody sends who means harm, or means well and cannot: broken openings, and broken frames after a good one.
fn malformed(rng: &mut Rng) -> Vec<u8> {
    let small = |rng: &mut Rng, below: u64| usize::try_from(rng.below(below)).expect("it is small");
    let mut opening = b"GET /chat HTTP/1.1\r\nHost: server\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
        Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
        .to_vec();
    let harm = |octets: &mut Vec<u8>, rng: &mut Rng| {
        for _ in 0..rng.below(5) {
            let at = small(rng, octets.len().max(1) as u64);
            match rng.below(3) {
                0 => octets.truncate(at),
                1 => octets.insert(at.min(octets.len()), b"\r\n \0\xff{"[small(rng, 6)]),
                _ => octets.iter_mut().skip(at).take(1).for_each(|octet| *octet = (rng.next_u32() & 0xff) as u8),
            }
        }
    };
    if rng.below(4) == 0 {
        harm(&mut opening, rng);
        return opening;
    }
    for _ in 0..rng.below(4) {
        let text = br#"{"type": "subscribe", "channel": "chat-room-123", "token": "eyJ"}"#;
        let mask = rng.next_u32().to_be_bytes();
        let masked = text.iter().zip(mask.iter().cycle()).map(|(octet, key)| octet ^ key);
        let mut frame = vec![0x81, 0x80 | text.len() as u8];
        frame.extend(mask.iter().copied().chain(masked));
        match rng.below(4) {
            0 => harm(&mut frame, rng),
            1 => frame.iter_mut().take(14).for_each(|octet| *octet = (rng.next_u32() & 0xff) as u8),
            2 => rng.fill(frame.get_mut(..2).expect("it is longer")),
            _ => {}
        }
        opening.extend(frame);
    }
    opening
}

#[test]
fn ten_thousand_malformed_openings_and_frames_harm_no_server() {
    let ((), seen) = scene(7, wire(), |client, host, resolver| async move {
        let task = start(CHAT, &host, 1).await;
        let mut rng = Rng::new(7);
        for _ in 0..10_000 {
            let mut stream = client.connect((address(2), 80).into()).await.expect("it listens");
            // An error is an answer, too: the server has had enough.
            let _ = stream.write_all(&malformed(&mut rng)).await;
            let _ = stream.shutdown().await;
            let _ = tokio::time::timeout(Duration::from_secs(9), stream.read_to_end(&mut Vec::new())).await;
        }
        assert!(!task.is_finished(), "the server has ended");
        run(&program(BOTH), &client, &resolver, 1, || ()).await.expect("it still answers");
    });
    let told = messages(&seen, SERVER);
    for code in ["1002", "1007", "1008", "1009"] {
        let is_it =
            |(way, what, text): &&(Way, String, String)| *way == Way::Sent && what == "close" && text.starts_with(code);
        assert!(told.iter().any(|message| is_it(&message)), "nobody was told {code}");
    }
}
