//! What the programs of a lab report: an application's view of a run.

use std::net::SocketAddr;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::event::as_nanos;

/// TCP or UDP, for programs that can use either.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TransportKind {
    /// A connection.
    Tcp,
    /// Datagrams.
    Udp,
}

/// What a program of the lab reports.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "report", rename_all = "kebab-case")]
pub enum ProgramEvent {
    /// It began.
    Started,
    /// It listens.
    Listening {
        /// Over what.
        over: TransportKind,
        /// Where.
        local: SocketAddr,
    },
    /// It opened a connection.
    Connected {
        /// Its own end.
        local: SocketAddr,
        /// The other end.
        remote: SocketAddr,
    },
    /// It accepted a connection.
    Accepted {
        /// Its own end.
        local: SocketAddr,
        /// The other end.
        remote: SocketAddr,
    },
    /// It has sent a whole stream.
    StreamSent {
        /// Octets.
        bytes: u64,
        /// SHA-256 of the stream, in hex.
        sha256: String,
    },
    /// It has received a whole stream, to its end.
    StreamReceived {
        /// Octets.
        bytes: u64,
        /// SHA-256 of the stream, in hex.
        sha256: String,
    },
    /// It sent a numbered message.
    MessageSent {
        /// Over what.
        over: TransportKind,
        /// The number, from 1.
        number: u32,
    },
    /// It received a numbered message.
    MessageReceived {
        /// Over what.
        over: TransportKind,
        /// The number, from 1.
        number: u32,
    },
    /// It sent a request, or received one.
    Request {
        /// `GET`.
        method: String,
        /// `/api/posts`.
        target: String,
        /// Octets of its body.
        bytes: u64,
    },
    /// It received a response, or answered with one.
    Response {
        /// The status code.
        status: u16,
        /// Octets of the body.
        bytes: u64,
        /// What a cache had to do with it, where the program has one.
        #[serde(skip_serializing_if = "Option::is_none")]
        cache: Option<CacheUse>,
    },
    /// A real program wrote a line.
    Output {
        /// The line, without its end.
        line: String,
        /// Whether it came on standard error.
        is_error: bool,
    },
    /// A figure that the program measured, for checks and tables.
    Figure {
        /// Its name.
        name: String,
        /// Its value.
        value: u64,
    },
    /// It ended.
    Ended {
        /// Whether all went well.
        ok: bool,
        /// What went wrong; empty when nothing did.
        detail: String,
    },
    /// It sent a DNS question, or received one.
    Question {
        /// The name, `api.example.com.`.
        name: String,
        /// The type of record, `A`.
        record: String,
        /// Over what.
        over: TransportKind,
    },
    /// It answered a DNS question.
    Answer {
        /// The name.
        name: String,
        /// The type of record.
        record: String,
        /// The response code, `NOERROR`.
        code: String,
        /// Records in the answer section.
        answers: u32,
        /// Octets of the message.
        bytes: u64,
        /// Over what.
        over: TransportKind,
        /// Whether the answer was too long, and went without its records (TC).
        truncated: bool,
    },
    /// A resolver found an answer out, or failed to.
    Resolution {
        /// The name.
        name: String,
        /// The type of record.
        record: String,
        /// The response code.
        code: String,
        /// Whether the cache had it.
        cache: CacheUse,
        /// Questions that it asked other servers for it.
        questions: u32,
        /// How long it took.
        #[serde(serialize_with = "as_nanos")]
        latency: Duration,
    },
    /// A client's lookup of a name is over.
    Lookup {
        /// The name.
        name: String,
        /// The type of record.
        record: String,
        /// The response code.
        code: String,
        /// Records in the answer section.
        answers: u32,
        /// How often it asked.
        tries: u32,
        /// Over what the answer came.
        over: TransportKind,
        /// How long it took.
        #[serde(serialize_with = "as_nanos")]
        latency: Duration,
    },
    /// A server dealt with an order.
    Order {
        /// Its number: `order-789`; empty when there is none.
        order: String,
        /// The idempotency key that came with it; empty when none did.
        key: String,
        /// What became of it.
        outcome: OrderOutcome,
    },
}

/// What a cache had to do with an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum CacheUse {
    /// It had a fresh answer, and nobody else was asked.
    Hit,
    /// It had none.
    Miss,
    /// It had one that was too old; somebody was asked, and says that it still holds.
    Validated,
    /// It had one that was too old or must not be used unasked; another has come in its place.
    Replaced,
}

/// What became of an order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum OrderOutcome {
    /// It is a new one.
    Created,
    /// Its idempotency key is known: the order is one that there already was.
    Repeated,
    /// Its idempotency key is known, but belongs to another order's content: it was refused.
    Conflict,
    /// It could not be understood, and was refused.
    Refused,
}
