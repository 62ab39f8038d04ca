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
    /// A TLS handshake is over, on its own or under QUIC.
    Handshake {
        /// The version that was agreed on, `TLSv1.3`; empty when none was.
        version: String,
        /// The server's name as the client asked for it; empty when it did not.
        server_name: String,
        /// The protocol that was agreed on for what follows (ALPN, RFC 7301), `h2`; empty when none was.
        alpn: String,
        /// Whether an earlier session went on, so that no certificate was shown.
        resumed: bool,
        /// Whether it succeeded.
        ok: bool,
        /// What went wrong; empty when nothing did.
        detail: String,
    },
    /// A secret that opens what is encrypted in the captures.
    Secrets {
        /// A line of a key log: label, client random and secret, the last two in hex (draft-ietf-tls-keylogfile).
        line: String,
    },
    /// It sent a message of an application protocol over a connection that stays, or received one: of WebSocket, gRPC,
    /// server-sent events, MQTT.
    Message {
        /// Which way.
        way: Way,
        /// What it is in its protocol: `text`, `GetBook`, `order.updated`, `PUBLISH`.
        what: String,
        /// Where it belongs, in its protocol's terms: a stream, a channel, a topic; empty when nowhere.
        channel: String,
        /// Octets of its content.
        bytes: u64,
        /// What it says, as far as it is text; the first 200 characters.
        text: String,
    },
    /// A response is whole in its hands, one of several that it waits for at the same time.
    Delivered {
        /// Over what: `HTTP/2`.
        over: String,
        /// What was asked for: `/api/posts`.
        target: String,
        /// Octets of the body.
        bytes: u64,
        /// How long after its request the first of them came.
        #[serde(serialize_with = "as_nanos")]
        begun: Duration,
        /// How long after its request the last of them came.
        #[serde(serialize_with = "as_nanos")]
        latency: Duration,
    },
    /// It sealed a packet of QUIC, or opened one (RFC 9001 §5): what nobody sees from outside.
    QuicPacket {
        /// Which way.
        way: Way,
        /// Where its number counts.
        space: PacketSpace,
        /// Its number: each is used once (RFC 9000 §12.3).
        number: u64,
        /// Octets of its frames.
        bytes: u64,
        /// Its frames in words: `ACK 0-2, STREAM 0: 0-1159`; of a packet that is sent, what was sent before is called so:
        /// `STREAM 0: 0-1159 again`.
        frames: String,
        /// The last octets of the packet as it is on the wire, in hex: by these it is found in a capture.
        seal: String,
    },
    /// It decided something that the client could not see: which server is to answer, whether a request may pass.
    Decision {
        /// What was to be decided: `backend`, `rate-limit`, `authorization`, `circuit`.
        what: String,
        /// How: `posts-2`, `allowed`, `refused`.
        choice: String,
        /// For whom, and why.
        detail: String,
    },
    /// Something that it keeps has changed: a circuit's state, a server's health, the number of instances.
    Change {
        /// What: `circuit payment-service`, `health posts-2`, `queue`.
        what: String,
        /// What it was.
        from: String,
        /// What it is now.
        to: String,
        /// Why; empty when there is nothing to add.
        detail: String,
    },
}

/// Whether something was sent or received, as its program sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Way {
    /// It went out.
    Sent,
    /// It came in.
    Received,
}

/// A packet number space of QUIC (RFC 9000 §12.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum PacketSpace {
    /// The first packets, which everybody can open.
    Initial,
    /// The rest of the handshake.
    Handshake,
    /// Everything after it.
    Application,
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
