//! What a program reports, as a sentence.

use std::time::Duration;

use super::programs::grouped;
use super::text::count;
use crate::journal::{CacheUse, OrderOutcome, ProgramEvent, TransportKind, Way};

/// Characters of one such line, or of one failure, that are shown: a program may print megabytes without a line's end.
const LINE_SHOWN: usize = 400;

/// The report as a sentence; `None` for what is no news to a reader.
pub(super) fn sentence(report: &ProgramEvent) -> Option<String> {
    Some(match report {
        ProgramEvent::Started => "begins".to_owned(),
        ProgramEvent::Listening { over, local } => format!("listens on {} port {}", transport(*over), local.port()),
        ProgramEvent::Connected { remote, .. } => format!("is connected to {remote}"),
        ProgramEvent::Accepted { remote, .. } => format!("accepts a connection from {remote}"),
        ProgramEvent::StreamSent { bytes, sha256 } => {
            format!("sent {} octets, sha256 {}", grouped(*bytes), short(sha256))
        }
        ProgramEvent::StreamReceived { bytes, sha256 } => {
            format!("received {} octets, sha256 {}", grouped(*bytes), short(sha256))
        }
        ProgramEvent::MessageSent { over, number } => format!("sends message {number} over {}", transport(*over)),
        ProgramEvent::MessageReceived { over, number } => format!("has message {number} over {}", transport(*over)),
        ProgramEvent::Request { method, target, bytes: 0 } => format!("HTTP {method} {}", cut(target)),
        ProgramEvent::Request { method, target, bytes } => {
            format!("HTTP {method} {}, {} octets of body", cut(target), grouped(*bytes))
        }
        ProgramEvent::Response { status, bytes, cache } => {
            format!("HTTP {status}, {} octets of body{}", grouped(*bytes), used(*cache))
        }
        ProgramEvent::Question { name, record, over } => format!("{name} {record}? over {}", transport(*over)),
        ProgramEvent::Answer { name, record, truncated: true, .. } => {
            format!("{name} {record}: too long for UDP, told so (TC)")
        }
        ProgramEvent::Answer { name, record, code, answers, .. } => {
            format!("{name} {record}: {code}, {}", count(*answers as usize, "record"))
        }
        ProgramEvent::Resolution { name, record, code, cache, latency, .. } => match cache {
            CacheUse::Hit => format!("{name} {record}: {code}, from the cache"),
            CacheUse::Miss | CacheUse::Validated | CacheUse::Replaced => {
                format!("{name} {record}: {code}, by asking, after {}", millis(*latency))
            }
        },
        ProgramEvent::Lookup { name, record, code, answers, tries, latency, .. } => {
            lookup(&format!("{name} {record}: {code}"), *answers, *tries, *latency)
        }
        ProgramEvent::Order { order, key, outcome } => ordered(order, key, *outcome),
        ProgramEvent::Handshake { version, server_name, alpn, resumed, ok, detail } => cut(&match (ok, resumed) {
            (false, _) => format!("TLS handshake failed: {detail}"),
            (true, false) => format!("TLS handshake: {}", agreed(version, server_name, alpn)),
            (true, true) => format!("TLS session taken up again: {}", agreed(version, server_name, alpn)),
        }),
        ProgramEvent::Message { way: Way::Received, what, channel, bytes, text } => {
            cut(&message(what, channel, *bytes, text))
        }
        ProgramEvent::Message { way: Way::Sent, what, channel, bytes, text } => {
            cut(&format!("sends {}", message(what, channel, *bytes, text)))
        }
        ProgramEvent::Delivered { over, target, bytes, begun, latency } => {
            let (bytes, begun, whole) = (grouped(*bytes), millis(*begun), millis(*latency));
            cut(&format!("{over}: {target}, {bytes} octets: begins after {begun}, whole after {whole}"))
        }
        ProgramEvent::Decision { what, choice, detail } => cut(&with_detail(&format!("{what}: {choice}"), detail)),
        ProgramEvent::Change { what, from, to, detail } => cut(&with_detail(&format!("{what}: {from} → {to}"), detail)),
        ProgramEvent::Output { line, .. } => format!("prints: {}", cut(line)),
        ProgramEvent::Figure { name, value } => format!("{name} = {}", grouped(*value)),
        ProgramEvent::Ended { ok: true, .. } => "ends".to_owned(),
        ProgramEvent::Ended { ok: false, detail } => format!("failed: {}", cut(detail)),
        // With the secrets of its connection, Wireshark shows what is in a packet.
        ProgramEvent::Secrets { .. } | ProgramEvent::QuicPacket { .. } => return None,
    })
}

/// What a cache had to do with a response.
fn used(cache: Option<CacheUse>) -> &'static str {
    match cache {
        None => "",
        Some(CacheUse::Hit) => ", from the cache",
        Some(CacheUse::Miss) => ", not from the cache",
        Some(CacheUse::Validated) => ", in the cache and validated",
        Some(CacheUse::Replaced) => ", in the place of what was in the cache",
    }
}

fn lookup(question: &str, answers: u32, tries: u32, latency: Duration) -> String {
    let records = if answers == 1 { "record" } else { "records" };
    let again = if tries > 1 { format!(", asked {tries} times") } else { String::new() };
    format!("{question}, {answers} {records}, after {}{again}", millis(latency))
}

fn ordered(order: &str, key: &str, outcome: OrderOutcome) -> String {
    let key = if key.is_empty() { "without a key".to_owned() } else { format!("key {key}") };
    match outcome {
        OrderOutcome::Created => format!("{order} is created, {key}"),
        OrderOutcome::Repeated => format!("{order} is there already, {key}"),
        OrderOutcome::Conflict => format!("refused: another order has the {key}"),
        OrderOutcome::Refused => format!("refused: that is no order, {key}"),
    }
}

/// What a TLS handshake agreed on.
fn agreed(version: &str, server_name: &str, alpn: &str) -> String {
    let name = if server_name.is_empty() { "no server name" } else { server_name };
    let alpn = if alpn.is_empty() { String::new() } else { format!(", {alpn} inside") };
    format!("{version}, {name}{alpn}")
}

/// A message that came in: `text on chat-room-123: {"type": …`.
fn message(what: &str, channel: &str, bytes: u64, text: &str) -> String {
    let channel = if channel.is_empty() { String::new() } else { format!(" on {channel}") };
    with_detail(&format!("{what}{channel}, {} octets", grouped(bytes)), text)
}

fn with_detail(sentence: &str, detail: &str) -> String {
    if detail.is_empty() { sentence.to_owned() } else { format!("{sentence}: {detail}") }
}

/// Milliseconds with one decimal, cut off.
pub(super) fn millis(span: Duration) -> String {
    let tenths = span.as_micros() / 100;
    format!("{}.{} ms", tenths / 10, tenths % 10)
}

/// The beginning of a line that is too long to be shown, and how much is missing.
pub(super) fn cut(line: &str) -> String {
    let Some((end, _)) = line.char_indices().nth(LINE_SHOWN) else { return line.to_owned() };
    let (shown, rest) = line.split_at(end);
    format!("{shown}… and {} more characters (journal.jsonl has them)", grouped(rest.chars().count() as u64))
}

pub(super) fn transport(over: TransportKind) -> &'static str {
    match over {
        TransportKind::Tcp => "TCP",
        TransportKind::Udp => "UDP",
    }
}

/// The two ends of a hash, enough to compare by eye.
pub(super) fn short(sha256: &str) -> String {
    match (sha256.get(..8), sha256.get(sha256.len().saturating_sub(4)..)) {
        (Some(head), Some(tail)) if sha256.len() > 12 => format!("{head}…{tail}"),
        _ => sha256.to_owned(),
    }
}
