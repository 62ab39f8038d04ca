//! The bookstore over a userspace network in virtual time: octets of HTTP/2 and gRPC, statuses, and bad clients.

use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::timeout;

use crate::app::run;
use crate::app::tests::{
    CLIENT, ENDED_WELL, SERVER, STACKS, Seen, address, pair, pair_on, program, scene, start, wire,
};
use crate::journal::{NodeId, ProgramEvent, Way};
use crate::rng::Rng;

const SHOP: &str = r#"{ bookstore-server = { port = 8080, takes = "200ms", every = "10ms", books = [
    { id = "123", title = "A Sample Book", author = "An Author" },
    { id = "124", title = "Another Sample Book", author = "An Author" },
] } }"#;

/// An HTTP/2 frame: type, flags, stream and payload (RFC 9113 §4.1).
#[derive(Clone, Debug, PartialEq, Eq)]
struct Frame {
    kind: u8,
    flags: u8,
    stream: u32,
    payload: Vec<u8>,
}

const DATA: u8 = 0;
const HEADERS: u8 = 1;
const RST_STREAM: u8 = 3;
const SETTINGS: u8 = 4;
const END_STREAM: u8 = 1;
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// The frames that a node sent on its one connection.
fn frames(seen: &Seen, node: NodeId) -> Vec<Frame> {
    // By sequence number, so that what was sent again counts once.
    let segments = seen
        .segments(node)
        .map(|(record, tcp)| (tcp.seq.0, record.bytes[record.bytes.len() - tcp.payload_len..].to_vec()));
    let mut segments: Vec<(u32, Vec<u8>)> = segments.collect();
    let first = segments.first().map_or(0, |(seq, _)| *seq);
    segments.sort_by_key(|(seq, payload)| (seq.wrapping_sub(first), payload.len()));
    segments.dedup_by_key(|(seq, payload)| if payload.is_empty() { (0, true) } else { (*seq, false) });
    let octets: Vec<u8> = segments.into_iter().flat_map(|(_, payload)| payload).collect();
    let mut rest = octets.strip_prefix(PREFACE).unwrap_or(&octets);
    let mut frames = Vec::new();
    while let [a, b, c, kind, flags, s, t, u, v, after @ ..] = rest {
        let length = usize::try_from(u32::from_be_bytes([0, *a, *b, *c])).expect("24 bits");
        let (payload, next) = after.split_at(length);
        let stream = u32::from_be_bytes([*s, *t, *u, *v]);
        frames.push(Frame { kind: *kind, flags: *flags, stream, payload: payload.to_vec() });
        rest = next;
    }
    frames
}

fn messages(seen: &Seen, node: NodeId, wanted: Way) -> Vec<(String, String, String)> {
    let reports = seen.reports(node).into_iter();
    reports
        .filter_map(|report| match report {
            ProgramEvent::Message { way, what, channel, text, .. } if way == wanted => Some((channel, what, text)),
            _ => None,
        })
        .collect()
}

fn said(channel: &str, what: &str, text: &str) -> (String, String, String) {
    (channel.to_owned(), what.to_owned(), text.to_owned())
}

#[test]
fn a_call_is_headers_a_prefixed_message_and_trailers() {
    let client = r#"{ bookstore-client = { to = "server:8080", calls = [{ get = "123" }] } }"#;
    for kind in STACKS {
        let (outcome, seen) = pair_on(kind, 1, wire(), SHOP, client);
        outcome.expect("the book is there");
        let sent = frames(&seen, CLIENT);
        assert!(seen.sent_text(CLIENT).starts_with("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"));
        assert_eq!(sent[0].kind, SETTINGS);
        let data: Vec<u8> = sent.iter().filter(|frame| frame.kind == DATA).flat_map(|f| f.payload.clone()).collect();
        assert_eq!(data, b"\0\0\0\0\x05\x0a\x03123", "not compressed, five octets, field 1: 123");
        let answer = frames(&seen, SERVER);
        let of_stream: Vec<&Frame> = answer.iter().filter(|frame| frame.stream == 1).collect();
        let kinds: Vec<(u8, bool)> = of_stream.iter().map(|f| (f.kind, f.flags & END_STREAM != 0)).collect();
        assert_eq!(kinds, [(HEADERS, false), (DATA, false), (HEADERS, true)]);
        assert_eq!(of_stream[1].payload, b"\0\0\0\0\x1f\x0a\x03123\x12\x0dA Sample Book\x1a\x09An Author");
        let expected = [said("GetBook", "Book", "123: A Sample Book, An Author"), said("GetBook", "status", "0 OK")];
        assert_eq!(messages(&seen, CLIENT, Way::Received), expected);
        assert_eq!(seen.reports(CLIENT).last(), Some(&ENDED_WELL));
        assert_eq!(seen.lines(SERVER), [], "the close was not orderly");
        assert!(seen.segments(CLIENT).chain(seen.segments(SERVER)).all(|(_, tcp)| !tcp.flags.rst()));
    }
}

const EACH_KIND: &str = r#"{ bookstore-client = { to = "server:8080", every = "10ms", calls = [
    { get = "123" },
    { list = "An Author" },
    { add = [ { id = "125", title = "T", author = "A" }, { id = "126", title = "U", author = "A" } ] },
    { find = ["126", "123", "999", "125"] },
    { get = "999" },
] } }"#;

#[test]
fn streams_have_odd_numbers_many_messages_and_one_status_each() {
    let (outcome, seen) = pair(1, wire(), SHOP, EACH_KIND);
    outcome.expect("a status is an answer");
    let opened: Vec<u32> = frames(&seen, CLIENT).iter().filter(|f| f.kind == HEADERS).map(|f| f.stream).collect();
    assert_eq!(opened, [1, 3, 5, 7, 9]);
    let count = |node, stream, kind| {
        let of_stream = |frame: &&Frame| frame.stream == stream && frame.kind == kind && !frame.payload.is_empty();
        frames(&seen, node).iter().filter(of_stream).count()
    };
    assert_eq!((count(SERVER, 3, DATA), count(CLIENT, 3, DATA)), (2, 1), "server streaming");
    assert_eq!((count(SERVER, 5, DATA), count(CLIENT, 5, DATA)), (1, 2), "client streaming");
    assert_eq!((count(SERVER, 7, DATA), count(CLIENT, 7, DATA)), (2, 4), "both: until one is not found");
    let statuses: Vec<String> =
        messages(&seen, CLIENT, Way::Received).into_iter().filter(|m| m.1 == "status").map(|m| m.2).collect();
    let missing = "5 NOT_FOUND: There is no book with this id";
    assert_eq!(statuses, ["0 OK", "0 OK", "0 OK", missing, missing]);
    assert!(messages(&seen, CLIENT, Way::Received).contains(&said("AddBooks", "AddBooksResponse", "added 2")));
    assert!(messages(&seen, CLIENT, Way::Received).contains(&said("FindBooks", "Book", "126: U, A")));
}

#[test]
fn a_call_that_takes_too_long_resets_its_stream_and_not_the_connection() {
    let client = r#"{ bookstore-client = { to = "server:8080", deadline = "100ms", calls = [
        { get = "123" }, { list = "An Author" },
    ] } }"#;
    let (outcome, seen) = pair(1, wire(), SHOP, client);
    outcome.expect("a deadline is no failure of the connection");
    let reset = Frame { kind: RST_STREAM, flags: 0, stream: 1, payload: vec![0, 0, 0, 8] };
    assert!(frames(&seen, CLIENT).contains(&reset), "CANCEL (RFC 9113 §7)");
    let gave_up = |report: &ProgramEvent| {
        matches!(report, ProgramEvent::Decision { choice, detail, .. }
            if choice == "4 DEADLINE_EXCEEDED" && detail == "GetBook: no answer within 100ms")
    };
    assert_eq!(seen.reports(CLIENT).iter().filter(|report| gave_up(report)).count(), 1);
    assert!(messages(&seen, SERVER, Way::Sent).iter().all(|(method, ..)| method == "ListBooks"), "it stopped looking");
    assert!(messages(&seen, CLIENT, Way::Received).contains(&said("ListBooks", "status", "0 OK")));
}

#[test]
fn the_same_seed_gives_the_same_packets() {
    let packets = || pair(1, wire(), SHOP, EACH_KIND).1.packets;
    assert_eq!(packets(), packets());
}

#[test]
fn a_server_that_does_not_speak_http_2_is_reported_as_such() {
    let client = r#"{ bookstore-client = { to = "server:80", calls = [{ get = "123" }] } }"#;
    let server = r#"{ http-server = { port = 80, path = "/", body = "x" } }"#;
    let (outcome, seen) = pair(1, wire(), server, client);
    let error = outcome.expect_err("that is HTTP/1.1").to_string();
    assert!(error.starts_with("`bookstore-client` "), "{error}");
    assert!(messages(&seen, CLIENT, Way::Received).iter().all(|(_, what, _)| what == "status"));
}

/// A frame, as it goes on the wire.
fn frame(kind: u8, flags: u8, stream: u8, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).expect("it is short").to_be_bytes();
    let mut octets = vec![length[1], length[2], length[3], kind, flags, 0, 0, 0, stream];
    octets.extend_from_slice(payload);
    octets
}

/// A connection with a call of `FindBooks` that streams two ids, each field written out (RFC 7541 §6.2.2).
fn whole_call() -> Vec<u8> {
    let mut fields = vec![0x83, 0x86];
    for (name, value) in [
        (":path", "/bookstore.Bookstore/FindBooks"),
        (":authority", "server"),
        ("content-type", "application/grpc"),
        ("te", "trailers"),
        ("grpc-timeout", "1S"),
    ] {
        fields.push(0);
        for text in [name, value] {
            fields.push(u8::try_from(text.len()).expect("it is short"));
            fields.extend_from_slice(text.as_bytes());
        }
    }
    let mut octets = PREFACE.to_vec();
    octets.extend(frame(SETTINGS, 0, 0, &[]));
    octets.extend(frame(HEADERS, 4, 1, &fields));
    octets.extend(frame(DATA, 0, 1, b"\0\0\0\0\x05\x0a\x03123"));
    octets.extend(frame(DATA, END_STREAM, 1, b"\0\0\0\0\x05\x0a\x03124"));
    octets
}

#[test]
fn ten_thousand_malformed_calls_harm_the_server_not() {
    let ((), seen) = scene(73, wire(), |client, host, resolver| async move {
        let task = start(SHOP, &host, 1).await;
        let mut rng = Rng::new(73);
        for round in 0..10_000 {
            let mut octets = whole_call();
            // The first is whole, so that the others are known to be almost right.
            for _ in 0..if round == 0 { 0 } else { 1 + rng.below(4) } {
                // Mostly behind the preface, without which nothing else is looked at.
                let from = if rng.below(16) == 0 { 0 } else { PREFACE.len().min(octets.len().saturating_sub(1)) };
                let at = from + usize::try_from(rng.below((octets.len() - from).max(1) as u64)).expect("it is small");
                match rng.below(4) {
                    0 => octets.truncate(at.max(1)),
                    1 => octets.insert(at, (rng.next_u32() & 0xff) as u8),
                    _ => octets[at] = (rng.next_u32() & 0xff) as u8,
                }
            }
            let mut stream = client.connect((address(2), 8080).into()).await.expect("it listens");
            stream.write_all(&octets).await.expect("it reads");
            // Who closes at once is not heard. An error is an answer, too: the server has had enough.
            let patience = Duration::from_millis(50);
            let _ = timeout(patience, stream.read_to_end(&mut Vec::new())).await;
            let _ = stream.shutdown().await;
            let _ = stream.read_to_end(&mut Vec::new()).await;
        }
        assert!(!task.is_finished(), "it has ended");
        let get = program(r#"{ bookstore-client = { to = "server:8080", calls = [{ get = "123" }] } }"#);
        run(&get, &client, &resolver, 1, || ()).await.expect("it still answers");
    });
    let expected = [said("GetBook", "Book", "123: A Sample Book, An Author"), said("GetBook", "status", "0 OK")];
    assert_eq!(messages(&seen, CLIENT, Way::Received), expected);
    let heard = messages(&seen, SERVER, Way::Received).len();
    assert!(heard > 500, "many of them were almost calls: {heard}");
}
