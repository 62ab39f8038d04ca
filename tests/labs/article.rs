//! What an introduction to the networking of backends shows as an example, the labs do for real: each of its requests,
//! responses, messages and figures is found in a golden capture, as tshark reads it, or in what a lab prints.
//!
//! `labs/README.md` says which check of which lab proves each of its topics; those that are named there exist.

use std::collections::BTreeSet;
use std::fs;

use super::super::support::wireshark::{fields, tshark};
use super::super::support::{Folder, has, wireglass};
use super::goldens::captures;
use super::{id_of, labs, root};

/// Where an example is to be found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    /// In a golden capture of the lab, decrypted and put together by tshark.
    Wire,
    /// In what the simulated lab prints.
    Printed,
}

use Place::{Printed, Wire};

/// An example: its topic, the number of the lab (and a break of it, for what is printed), and what is found there, white space
/// and case left out.
type Example = (&'static str, &'static str, Place, &'static [&'static str]);

const EXAMPLES: &[Example] = &[
    (
        "the whole path",
        "99",
        Wire,
        &[
            "A api.example.com",
            "Client Hello",
            "GET /api/posts HTTP/1.1",
            "Authorization: Bearer eyJhbGciOiJIUzI1NiIs...",
            r#""title":"Understanding Network Layers""#,
        ],
    ),
    (
        "application request",
        "02",
        Wire,
        &["GET /api/posts HTTP/1.1", "Host: api.example.com", "Accept: application/json"],
    ),
    (
        "application response",
        "02",
        Wire,
        &[
            "HTTP/1.1 200 OK",
            "Content-Type: application/json",
            r#"{"posts": [{"id": 1, "title": "Understanding Network Layers"}"#,
        ],
    ),
    ("TCP exchange", "02", Wire, &["[SYN] Seq=0", "[SYN, ACK] Seq=0 Ack=1", "[ACK] Seq=1 Ack=1"]),
    (
        "DNS lookup",
        "60",
        Wire,
        &[
            "api.example.com",
            "203.0.113.10",
            "A 203.0.113.10",
            "AAAA 2001:db8::10",
            "CNAME api.example.com",
            "MX 10 mail.example.com",
        ],
    ),
    ("DNS time to live", "60", Wire, &["ttl=300"]),
    (
        "service discovery",
        "61",
        Wire,
        &["bookstore-service.default.svc.cluster.local", "A 10.0.1.15", "A 10.0.1.16", "A 10.0.1.17", "ttl=30"],
    ),
    (
        "what a client found",
        "61",
        Printed,
        &[r#""service": "bookstore-service""#, r#""resolvedTargets": ["#, r#""10.0.1.15","#, r#""ttlSeconds": 30"#],
    ),
    (
        "REST request",
        "70",
        Wire,
        &[
            "GET /api/posts HTTP/1.1",
            "Host: api.example.com",
            "Accept: application/json",
            "Authorization: Bearer eyJhbGciOiJIUzI1NiIs...",
        ],
    ),
    (
        "REST response",
        "70",
        Wire,
        &[
            "HTTP/1.1 200 OK",
            "Content-Type: application/json",
            "Cache-Control: max-age=60",
            r#"{"posts": [{"id": 1, "title": "Network Communication Basics"}, {"id": 2, "title": "Scaling Backend APIs"}]}"#,
        ],
    ),
    (
        "the seven steps",
        "70",
        Wire,
        &["A api.example.com", "[SYN]", "Client Hello", "GET /api/posts HTTP/1.1", "HTTP/1.1 200 OK"],
    ),
    (
        "request behind a proxy",
        "81",
        Wire,
        &[
            "GET /api/posts HTTP/1.1",
            "Host: posts-service.internal",
            "X-Request-ID: req-123",
            "X-Forwarded-For: 198.51.100.25",
            "X-Forwarded-Proto: https",
        ],
    ),
    (
        "request and response",
        "90",
        Wire,
        &["GET /users/1 HTTP/1.1", "Host: api.example.com", r#"{"id": 1, "name": "Alice"}"#],
    ),
    (
        "circuit breaker",
        "92",
        Wire,
        &[
            r#"{"dependency": "payment-service", "circuitState": "open","#,
            r#""message": "Requests temporarily blocked because the dependency is unhealthy."}"#,
        ],
    ),
    (
        "request through a load balancer",
        "80",
        Wire,
        &["Host: api.example.com", "X-Request-ID: req-123", "X-Forwarded-For: 198.51.100.25"],
    ),
    (
        "who has answered it",
        "80",
        Wire,
        &[r#"{"handledBy": "posts-service-2", "requestId": "req-123", "status": "success"}"#],
    ),
    ("firewall", "53", Printed, &[r#""requestToLoadBalancer": "allowed""#, r#""directRequestToDatabase": "blocked""#]),
    (
        "HTTPS",
        "62",
        Wire,
        &[
            "GET /profile HTTP/1.1",
            "Host: api.example.com",
            "Authorization: Bearer eyJhbGciOiJIUzI1NiIs...",
            r#"{"name": "Alice", "email": "alice@example.com"}"#,
        ],
    ),
    (
        "authorization",
        "63",
        Wire,
        &[
            "GET /admin/users HTTP/1.1",
            "Host: api.example.com",
            "Authorization: Bearer eyJ",
            r#"{"error": "Permission denied", "code": "PERMISSION_DENIED"}"#,
        ],
    ),
    (
        "WebSocket subscription",
        "72",
        Wire,
        &[r#"{"type": "subscribe", "channel": "chat-room-123", "token": "eyJhbGciOiJIUzI1NiIs..."}"#],
    ),
    (
        "WebSocket message",
        "72",
        Wire,
        &[r#"{"type": "message", "channel": "chat-room-123", "data": {"user": "Alice", "text": "Hello everyone!"}}"#],
    ),
    ("gRPC call", "73", Wire, &["/bookstore.Bookstore/GetBook", "A Sample Book", "An Author"]),
    ("the same as JSON", "73", Wire, &[r#"{"id": "123", "title": "A Sample Book", "author": "An Author"}"#]),
    ("what is built on top of UDP: QUIC", "74", Wire, &["GET /a.txt", "GET /b.txt"]),
    (
        "streams that wait for no other",
        "74",
        Printed,
        &["/b.txt is whole", "QUIC 1-RTT 4", "STREAM 0: 1139-2308 again"],
    ),
    ("JSON", "75", Wire, &[r#"{"id": 1, "title": "Network Efficiency"}"#]),
    ("XML", "75", Wire, &["<Post><Id>1</Id><Title>Network Efficiency</Title></Post>"]),
    ("Protocol Buffers", "75", Wire, &["\u{8}\u{1}\u{12}\u{12}Network Efficiency"]),
    ("GraphQL", "71", Wire, &["POST /graphql HTTP/1.1", "GET /users/1 HTTP/1.1", r#"{"id": 1, "name": "Alice""#]),
    (
        "throughput",
        "83 --break the-example",
        Printed,
        &["Available_Workers = 200", "Throughput ≈ 200 / 0.1", "Estimated throughput: 2,000 requests per second"],
    ),
    (
        "scaling out",
        "84",
        Printed,
        &[
            r#""instancesBefore": 3,"#,
            r#""instancesAfter": 6,"#,
            r#""averageCpuBefore": "85%","#,
            r#""averageCpuAfter": "48%""#,
        ],
    ),
    ("compression", "76", Wire, &["Accept-Encoding: gzip, br", "Content-Encoding: br", "Content-Encoding: gzip"]),
    (
        "cacheable response",
        "77",
        Wire,
        &[
            "HTTP/1.1 200 OK",
            "Content-Type: application/json",
            "Cache-Control: max-age=300",
            r#"ETag: "post-123-v1""#,
            r#"{"id": 123, "title": "Cached Response Example"}"#,
        ],
    ),
    ("cached answer", "77", Wire, &["HTTP/1.1 304 Not Modified", r#"ETag: "post-123-v1""#]),
    (
        "idempotency key",
        "91",
        Wire,
        &[
            "POST /orders HTTP/1.1",
            "Host: api.example.com",
            "Idempotency-Key: order-request-abc123",
            "Content-Type: application/json",
            r#"{"itemId": "book-1", "quantity": 1}"#,
            r#"{"orderId": "order-789", "status": "created"}"#,
            r#"{"orderId": "order-789", "status": "already_created_from_same_idempotency_key"}"#,
        ],
    ),
    (
        "publish and subscribe",
        "93",
        Wire,
        &[r#"{"eventType": "UserCreated", "userId": 1, "timestamp": "2026-04-25T12:00:00Z"}"#],
    ),
    (
        "streaming",
        "94",
        Wire,
        &[
            r#"event: order.updated data: {"orderId":"order-1","status":"processing"}"#,
            r#"event: order.updated data: {"orderId":"order-1","status":"shipped"}"#,
        ],
    ),
];

/// Fields that tshark prints in hexadecimal: what stands in several packets is put together there.
const OCTETS: [&str; 5] =
    ["tcp.payload", "http.file_data", "http2.data.data", "websocket.payload", "websocket.payload.text"];

/// Fields that tshark prints as text.
const TEXTS: [&str; 6] =
    ["http.request.line", "http.response.line", "http2.header.value", "dns.qry.name", "dns.a", "mqtt.topic"];

/// Without white space, also where tshark writes it as an escape, and in small letters: names of header fields have no case.
fn packed(text: &str) -> String {
    let text = text.replace("\\r\\n", "").replace("\\n", "").replace("\\\"", "\"");
    text.chars().filter(|char| !char.is_whitespace()).collect::<String>().to_lowercase()
}

/// The octets of a field, several values one after the other; each octet a character. What is no such text stays as it is.
fn from_hex(text: &str) -> String {
    let digits: Option<Vec<u8>> =
        text.chars().filter(|char| !matches!(char, ',' | ':')).map(|char| Some(char.to_digit(16)? as u8)).collect();
    let Some(digits) = digits else { return text.to_owned() };
    digits.as_chunks::<2>().0.iter().map(|[high, low]| char::from(high << 4 | low)).collect()
}

/// All that the captures of a lab say: tshark's line for each packet, and its fields.
fn on_the_wire(lab: &str) -> String {
    let folder = root().join("captures").join(lab);
    let names: Vec<&str> = OCTETS.into_iter().chain(TEXTS).chain(["dns.resp.ttl"]).collect();
    let mut said = String::new();
    for name in captures(&folder) {
        let file = folder.join(name);
        said.push_str(&packed(&tshark(&["-n"], &file)));
        let mut columns = vec![String::new(); names.len()];
        for line in fields(&names, &file) {
            for (place, (column, text)) in columns.iter_mut().zip(line.split('\t')).enumerate() {
                match place {
                    place if place < OCTETS.len() => column.push_str(&from_hex(text)),
                    place if place < names.len() - 1 => column.push_str(text),
                    _ => text.split(',').for_each(|ttl| *column += &format!("ttl={ttl}\n")),
                }
            }
        }
        said.extend(columns.iter().map(|column| packed(column)));
    }
    said
}

/// All that a simulated run prints.
fn printed(lab: &str) -> String {
    let folder = Folder::new();
    let words: Vec<&str> = ["run"].into_iter().chain(lab.split(' ')).collect();
    let mut command = wireglass(root(), &words);
    command.args(["--mode", "sim", "--no-predict", "--color", "never", "--width", "140", "--out"]);
    let output = command.arg(folder.path()).output().expect("the binary starts");
    packed(&String::from_utf8_lossy(&output.stdout))
}

#[test]
fn every_example_is_on_the_wire_or_in_what_a_lab_prints() {
    if !has("every_example_is_on_the_wire_or_in_what_a_lab_prints", "tshark") {
        return;
    }
    let ids: Vec<String> = labs().iter().map(|folder| id_of(folder)).collect();
    let mut missing = Vec::new();
    let places: BTreeSet<(&str, bool)> = EXAMPLES.iter().map(|(_, lab, place, _)| (*lab, *place == Wire)).collect();
    for (number, is_wire) in places {
        let said = if is_wire {
            let Some(lab) = ids.iter().find(|id| id.starts_with(&format!("{number}-"))) else {
                missing.push(format!("there is no lab {number}"));
                continue;
            };
            on_the_wire(lab)
        } else {
            printed(number)
        };
        let here = EXAMPLES.iter().filter(|(_, lab, place, _)| *lab == number && (*place == Wire) == is_wire);
        for (topic, _, _, texts) in here {
            let lost = texts.iter().filter(|text| !said.contains(&packed(text)));
            missing.extend(lost.map(|text| format!("{number}: {topic}: {text}")));
        }
    }
    assert!(missing.is_empty(), "{}", missing.join("\n"));
}

#[test]
fn every_check_that_the_table_of_topics_names_is_there() {
    let table = fs::read_to_string(root().join("labs/README.md")).expect("there is a table of topics");
    let mut topics = 0;
    for row in table.lines().filter(|line| line.starts_with("| ") && line.contains('`')) {
        let cells: Vec<&str> = row.split('|').map(str::trim).collect();
        let [_, topic, lab, checks, _] = cells[..] else { panic!("a row has three cells: {row}") };
        let folder = labs().into_iter().find(|folder| id_of(folder) == lab).unwrap_or_else(|| panic!("{topic}: {lab}"));
        let text = fs::read_to_string(folder.join("lab.toml")).expect("labs are whole");
        for check in checks.split('`').skip(1).step_by(2) {
            let named = text.lines().any(|line| {
                line.split_once('=').is_some_and(|(key, value)| {
                    matches!(key.trim(), "id" | "name") && value.trim() == format!("\"{check}\"")
                })
            });
            assert!(named, "{topic}: {lab} has no check `{check}`");
        }
        topics += 1;
    }
    assert!(topics >= 18, "{topics} topics");
}
