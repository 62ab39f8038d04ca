//! The members of journal entries that a filter can ask for.

use std::cmp::Ordering;

use serde_json::Value;

use super::EventSubject;
use super::lexer::Operator;

/// What every member of an entry is called in a filter begins with this.
pub(super) const PREFIX: &str = "event.";

/// The members of entries as they stand in `journal.jsonl`; a dot goes into a nested object. A test holds them against
/// the events themselves.
pub(super) const MEMBERS: [&str; 85] = [
    "ack",
    "alpn",
    "announced",
    "answers",
    "at",
    "by",
    "bytes",
    "cache",
    "cause",
    "channel",
    "choice",
    "code",
    "count",
    "cwnd",
    "detail",
    "due",
    "evidence",
    "from",
    "impairment",
    "inside",
    "is_error",
    "key",
    "kind",
    "latency",
    "length",
    "line",
    "link",
    "local",
    "method",
    "mss",
    "mtu",
    "name",
    "neighbour",
    "node",
    "number",
    "octet",
    "ok",
    "option",
    "order",
    "original",
    "outcome",
    "outside",
    "over",
    "packet",
    "packets",
    "passage",
    "peer",
    "program",
    "protocol",
    "questions",
    "reason",
    "record",
    "rejected",
    "remote",
    "report",
    "resumed",
    "rto",
    "rtt",
    "rttvar",
    "rule",
    "seq",
    "server_name",
    "sha256",
    "side",
    "snd_wnd",
    "socket",
    "srtt",
    "ssthresh",
    "status",
    "target",
    "text",
    "timer",
    "to",
    "tries",
    "truncated",
    "value",
    "version",
    "waited",
    "way",
    "what",
    "why.nth",
    "why.reason",
    "why.rto",
    "why.section",
    "why.text",
];

/// The kinds of event.
pub(super) const KINDS: [&str; 22] = [
    "packet-sent",
    "packet-arrived",
    "packet-dropped",
    "impaired",
    "forwarded",
    "passage",
    "mapping-made",
    "mapping-expired",
    "state",
    "timer-set",
    "timer-fired",
    "retransmit",
    "duplicate-ack",
    "timer-stopped",
    "round-trip",
    "congestion-window",
    "send-window",
    "hole",
    "path-mtu",
    "lost",
    "no-loss",
    "program",
];

/// The member's value in this entry, if it is there and a scalar.
pub(super) fn value(subject: &EventSubject<'_>, member: &str) -> Option<Value> {
    // An entry holds its node's number; whoever reads a filter knows the name.
    if member == "node" {
        return Some(Value::from(subject.node));
    }
    let entry = serde_json::to_value(subject.entry).ok()?;
    let found = member.split('.').try_fold(&entry, |object, key| object.get(key))?;
    (found.is_string() || found.is_number() || found.is_boolean()).then(|| found.clone())
}

/// Whether `value` compares so with a word.
pub(super) fn compares(value: &Value, operator: Operator, word: &str) -> bool {
    if operator == Operator::Contains {
        return value.as_str().is_some_and(|value| value.contains(word));
    }
    let Some(order) = order(value, word) else {
        return operator == Operator::Ne;
    };
    match operator {
        Operator::Eq => order == Ordering::Equal,
        Operator::Ne => order != Ordering::Equal,
        Operator::Gt => order == Ordering::Greater,
        Operator::Lt => order == Ordering::Less,
        Operator::Ge => order != Ordering::Less,
        Operator::Le => order != Ordering::Greater,
        Operator::Contains => false,
    }
}

/// How the value stands to a word; `None` when a number meets something that is none.
pub(super) fn order(value: &Value, word: &str) -> Option<Ordering> {
    match value {
        Value::Number(number) => Some(number.as_u64()?.cmp(&word.parse().ok()?)),
        Value::Bool(flag) => match word {
            "True" | "TRUE" | "true" | "1" => Some(flag.cmp(&true)),
            "False" | "FALSE" | "false" | "0" => Some(flag.cmp(&false)),
            _ => None,
        },
        Value::String(text) => Some(text.as_str().cmp(word)),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}
