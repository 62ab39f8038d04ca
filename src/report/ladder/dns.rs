//! DNS messages as a row tells them: over UDP the question or the outcome on the arrow and what is answered beside it; over
//! TCP, whose arrow has its own numbers, all of it beside.

use crate::packet::Dissection;
use crate::packet::dissect::Transport;
use crate::packet::dns::{self, Data, Message, OPT, Record, Section};

/// Answers that are told; of more only the number.
const MOST_ANSWERS: usize = 3;

/// The messages that a packet holds.
pub(super) fn messages(dissection: &Dissection, bytes: &[u8]) -> Vec<Message> {
    let range = dissection.payload.start..dissection.payload.end.min(bytes.len());
    bytes.get(range).map(|payload| dns::messages(dissection, payload)).unwrap_or_default()
}

/// What stands on the arrow of a datagram, the longest wording first; `None` when it holds no message.
pub(super) fn labels(dissection: &Dissection, bytes: &[u8]) -> Option<Vec<String>> {
    let message = messages(dissection, bytes).into_iter().next()?;
    let id = format!("id=0x{:04x}", message.id);
    let text = on_the_arrow(&message);
    let kind = if message.is_response() { "DNS answer" } else { "DNS question" };
    Some(vec![format!("DNS {text} {id}"), format!("DNS {text}"), text, kind.to_owned(), "DNS".to_owned()])
}

/// What is said beside a packet.
pub(super) enum Remark {
    /// What a datagram answers: more telling than what sent it.
    Answer(String),
    /// What a segment carries, where there is room for it.
    InStream(String),
}

/// The remark on a packet's messages.
pub(super) fn remark(dissection: &Dissection, bytes: &[u8]) -> Option<Remark> {
    let messages = messages(dissection, bytes);
    if matches!(dissection.transport, Some(Transport::Udp(_))) {
        return Some(Remark::Answer(told(messages.first()?)?));
    }
    let texts: Vec<String> = messages
        .iter()
        .map(|message| match told(message) {
            Some(told) => format!("DNS {}: {told}", on_the_arrow(message)),
            None => format!("DNS {}", on_the_arrow(message)),
        })
        .collect();
    (!texts.is_empty()).then(|| Remark::InStream(texts.join("; ")))
}

/// `A api.example.com?`, `NXDOMAIN`, `NOERROR truncated`
fn on_the_arrow(message: &Message) -> String {
    if !message.is_response() {
        return question(message);
    }
    let code = dns::code_name(message.code());
    match message.counts[1] {
        _ if message.is_truncated() => format!("{code} truncated"),
        0 => code,
        answers => format!("{code} answers={answers}"),
    }
}

/// Its opcode is told where it is no ordinary query (RFC 1035 §4.1.1).
fn question(message: &Message) -> String {
    let question = message.questions.first();
    let asked = question.map_or_else(String::new, |asked| format!("{} {}?", dns::type_name(asked.kind), asked.name));
    match message.opcode() {
        0 => asked,
        opcode => format!("opcode {opcode} {asked}"),
    }
}

/// What an answer says; `None` for a question.
fn told(message: &Message) -> Option<String> {
    if !message.is_response() {
        return None;
    }
    if message.is_truncated() {
        return Some("does not fit: ask again over TCP".to_owned());
    }
    let asked = message.questions.first().map_or("", |question| question.name.as_str());
    let of = |section| message.records.iter().filter(move |record| record.section == section && record.kind != OPT);
    let answers: Vec<String> = of(Section::Answer).take(MOST_ANSWERS).map(|answer| record(answer, asked)).collect();
    if !answers.is_empty() {
        let more = usize::from(message.counts[1]).saturating_sub(answers.len());
        let more = if more > 0 { format!(", and {more} more") } else { String::new() };
        return Some(answers.join(", ") + &more);
    }
    let mut authority = of(Section::Authority);
    let what = match message.code() {
        0 => "no record of this type",
        1 => "the question was not understood",
        2 => "the server could not find out",
        3 => "no such name",
        4 => "the server does not do this",
        5 => "the server will not answer this",
        _ => "no answer",
    };
    Some(match authority.next() {
        // RFC 2308 §5.
        Some(Record { data: Data::Authority { minimum, .. }, ttl, .. }) => {
            format!("{what}, TTL {} s", ttl.min(minimum))
        }
        Some(Record { data: Data::Name(server), name, .. }) if message.code() == 0 => {
            format!("ask {server}, which knows {name}")
        }
        Some(_) | None => what.to_owned(),
    })
}

/// `A 203.0.113.10, TTL 300 s`; begins with the name where that is not what was asked for.
fn record(record: &Record, asked: &str) -> String {
    let name = if record.name.eq_ignore_ascii_case(asked) { String::new() } else { format!("{} ", record.name) };
    let data = match &record.data {
        Data::Ipv4(address) => format!(" {address}"),
        Data::Ipv6(address) => format!(" {address}"),
        Data::Name(name) => format!(" {name}"),
        Data::Mail(preference, host) => format!(" {preference} {host}"),
        Data::Authority { mname, .. } => format!(" {mname}"),
        Data::Text(_) | Data::Other => format!(" of {} octets", record.length),
    };
    format!("{name}{}{data}, TTL {} s", dns::type_name(record.kind), record.ttl)
}
