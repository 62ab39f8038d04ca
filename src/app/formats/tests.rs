//! Posts in three formats: octet by octet, across versions of the schema, and from servers and clients that mean no good.

use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::post::{Format, Post, Posts, Read, Schema, read};
use crate::app::run;
use crate::app::tests::{CLIENT, SERVER, Seen, address, harass, pair, program, scene, spoilt, start, wire};
use crate::journal::ProgramEvent;
use crate::rng::Rng;

const POST: Post<'_> = Post { id: 1, title: "Network Efficiency", author: "An Author" };

fn written(format: Format, schema: Schema) -> Vec<u8> {
    Posts::One(POST).written(format, schema).expect("it can be written in every format")
}

#[test]
fn the_same_post_is_written_as_the_formats_have_it() {
    let json = "{\n\"id\": 1,\n\"title\": \"Network Efficiency\"\n}";
    let xml = "<Post>\n<Id>1</Id>\n<Title>Network Efficiency</Title>\n</Post>";
    assert_eq!(String::from_utf8_lossy(&written(Format::Json, Schema::First)), json);
    assert_eq!(String::from_utf8_lossy(&written(Format::Xml, Schema::First)), xml);
    let protobuf = written(Format::Protobuf, Schema::First);
    assert_eq!(protobuf[..4], [0x08, 0x01, 0x12, 0x12], "field 1, a number: 1; field 2, 18 octets");
    assert_eq!((&protobuf[4..], protobuf.len()), (&b"Network Efficiency"[..], 22));
}

#[test]
fn a_client_of_the_first_schema_reads_the_others_as_far_as_each_format_lets_it() {
    let same = || Ok(vec![Read { id: 1, title: "Network Efficiency".to_owned() }]);
    let other = || Ok(vec![Read { id: 1, title: "An Author".to_owned() }]);
    for (schema, json, protobuf) in [
        (Schema::First, true, same()),
        (Schema::FieldAdded, true, same()),
        (Schema::FieldRenamed, false, same()),
        (Schema::NumbersSwapped, true, other()),
    ] {
        for (format, is_readable) in [(Format::Json, json), (Format::Xml, json)] {
            let got = read(&written(format, schema), format, false);
            match is_readable {
                true => assert_eq!(got, same(), "{schema:?}"),
                false => assert!(got.expect_err("the name is gone").contains("missing field `title`"), "{schema:?}"),
            }
        }
        assert_eq!(read(&written(Format::Protobuf, schema), Format::Protobuf, false), protobuf, "{schema:?}");
    }
}

#[test]
fn lists_are_read_as_they_were_written() {
    for count in [0, 1, 2, 300] {
        for format in Format::ALL {
            let posts = Posts::Many((1..=count).map(|id| Post { id, ..POST }).collect());
            let octets = posts.written(format, Schema::First).expect("it can be written");
            if count == 0 && format == Format::Xml {
                // A list without members has no element that says so.
                continue;
            }
            let posts = read(&octets, format, true).expect("it was written so");
            assert_eq!(posts.iter().map(|post| post.id).collect::<Vec<_>>(), (1..=count).collect::<Vec<_>>());
        }
    }
}

#[test]
fn ten_thousand_spoilt_posts_of_each_format_are_read_or_refused() {
    let mut rng = Rng::new(75);
    for format in Format::ALL {
        let whole = written(format, Schema::FieldAdded);
        let refused =
            (0..10_000).filter(|_| read(&spoilt(&mut rng, &whole), format, rng.below(2) == 0).is_err()).count();
        assert!((2_000..10_000).contains(&refused), "{}: {refused} refused", format.name());
    }
}

const POSTS: &str = r#"{ posts-server = { port = 80, count = 300, title = "Network Efficiency", author = "An Author", compress = ["br", "gzip"] } }"#;

fn messages(seen: &Seen) -> Vec<(String, u64, String)> {
    let reports = seen.reports(CLIENT).into_iter();
    reports
        .filter_map(|report| match report {
            ProgramEvent::Message { channel, bytes, text, .. } => Some((channel, bytes, text)),
            _ => None,
        })
        .collect()
}

#[test]
fn the_client_fetches_each_format_and_says_what_it_has_read() {
    let (outcome, seen) = pair(1, wire(), POSTS, r#"{ posts-client = { url = "http://server/posts/1" } }"#);
    outcome.expect("the posts are there");
    let text = "post 1: Network Efficiency".to_owned();
    let expected = [("json", 42), ("xml", 59), ("protobuf", 22)];
    assert_eq!(messages(&seen), expected.map(|(format, bytes)| (format.to_owned(), bytes, text.clone())));
    let requests = seen.sent_text(CLIENT);
    for part in ["GET /posts/1 HTTP/1.1\r\n", "Accept: application/json\r\n", "Accept: application/x-protobuf\r\n"] {
        assert!(requests.contains(part), "{requests}");
    }
    let responses = seen.sent_text(SERVER);
    assert!(responses.contains("Content-Type: application/xml\r\nVary: Accept\r\n"), "{responses}");
}

#[test]
fn packed_lists_are_unpacked_and_a_post_that_cannot_be_read_is_a_trouble_and_no_end() {
    let all = r#"{ posts-client = { url = "http://server/posts", compressed = true } }"#;
    let (outcome, seen) = pair(1, wire(), POSTS, all);
    outcome.expect("the posts are there");
    let said = messages(&seen);
    assert_eq!(said.len(), 3);
    assert!(
        said.iter().all(|(_, bytes, text)| { *bytes < 4_000 && text == "post 1: Network Efficiency, and 299 more" }),
        "{said:?}"
    );
    let renamed = POSTS.replace("count", "schema = \"field-renamed\", count");
    let (outcome, seen) = pair(1, wire(), &renamed, r#"{ posts-client = { url = "http://server/posts/1" } }"#);
    outcome.expect("it goes on");
    assert_eq!(messages(&seen).len(), 1, "Protocol Buffers alone do not mind");
    assert!(seen.lines(CLIENT)[0].0.starts_with("this json is not a post: missing field `title`"));
}

#[test]
fn whoever_asks_for_what_is_not_there_is_told_so() {
    let table = [
        ("GET /posts/1 HTTP/1.1\r\nAccept: text/html", "406"),
        ("GET /posts/1 HTTP/1.1\r\nAccept: text/html, */*;q=0.1", "200"),
        ("GET /posts/0 HTTP/1.1", "404"),
        ("GET /posts/301 HTTP/1.1", "404"),
        ("GET /posts/x HTTP/1.1", "404"),
        ("GET /postscript HTTP/1.1", "404"),
        ("PUT /posts/1 HTTP/1.1", "405"),
    ];
    for (head, status) in table {
        let ((), seen) = scene(1, wire(), |client, host, _| async move {
            start(POSTS, &host, 1).await;
            let mut stream = client.connect((address(2), 80).into()).await.expect("it listens");
            let request = format!("{head}\r\nHost: server\r\nConnection: close\r\n\r\n");
            stream.write_all(request.as_bytes()).await.expect("it reads");
            stream.read_to_end(&mut Vec::new()).await.expect("it answers");
        });
        assert!(seen.sent_text(SERVER).starts_with(&format!("HTTP/1.1 {status} ")), "{head}");
    }
}

#[test]
fn ten_thousand_malformed_requests_harm_the_server_not() {
    let whole = b"GET /posts/1 HTTP/1.1\r\nHost: server\r\nAccept: application/xml, */*;q=0.5\r\n\
                  Accept-Encoding: gzip;q=0.3, br\r\n\r\n";
    let ((), seen) = scene(7, wire(), |client, host, resolver| async move {
        let task = start(POSTS, &host, 1).await;
        harass(&client, 80, |_| whole.to_vec()).await;
        assert!(!task.is_finished(), "it has ended");
        let get = program(r#"{ posts-client = { url = "http://server/posts/1" } }"#);
        run(&get, &client, &resolver, 1, || ()).await.expect("it still answers");
    });
    assert_eq!(messages(&seen).len(), 3);
}

#[cfg(feature = "tls")]
#[test]
fn posts_come_over_tls_too() {
    let front = r#"{ reverse-proxy = { port = 443, tls = { name = "server" }, routes = [{ path = "/posts", backends = ["10.0.0.2:80"] }] } }"#;
    let ((), seen) = scene(1, wire(), |client, host, resolver| async move {
        start(POSTS, &host, 1).await;
        start(front, &host, 1).await;
        let get = program(r#"{ posts-client = { url = "https://server/posts/1" } }"#);
        run(&get, &client, &resolver, 1, || ()).await.expect("they come to terms");
    });
    assert_eq!(messages(&seen).len(), 3);
    let shaken =
        seen.reports(CLIENT).into_iter().filter(|report| matches!(report, ProgramEvent::Handshake { ok: true, .. }));
    assert_eq!(shaken.count(), 3, "one for each format");
}
