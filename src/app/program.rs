//! The built-in programs, as a lab file names them.
//!
//! What lives here: their parameters. What does not: what they do ([`run`](super::run())).

use serde::Deserialize;

use super::values::{self, Destination, MessageSize, Size, Span, Url};
use crate::journal::TransportKind;

/// A built-in program with its parameters: `run = { send = { to = "server:9000", bytes = "17520B" } }`.
///
/// Servers and clients come in pairs; each client names the server that it is made for.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Program {
    /// A TCP server that reads each connection to its end, hashes what came, then closes.
    Sink {
        /// Where it listens, from 1.
        #[serde(deserialize_with = "values::port")]
        port: u16,
    },
    /// A TCP client for `sink`: sends data, hashes it, closes, and waits until the peer has closed too.
    Send {
        /// To whom.
        to: Destination,
        /// How much.
        bytes: Size,
    },
    /// A TCP server that reads a connection to its end and only then answers: the client's half-close makes it speak.
    ExchangeServer {
        /// Where it listens, from 1.
        #[serde(deserialize_with = "values::port")]
        port: u16,
        /// How much it answers.
        bytes: Size,
    },
    /// A TCP client for `exchange-server`: sends data, closes its half, reads the answer to its end.
    Exchange {
        /// With whom.
        to: Destination,
        /// How much it sends.
        bytes: Size,
    },
    /// A server that reports the number of each message that arrives.
    MessageSink {
        /// Where it listens, from 1.
        #[serde(deserialize_with = "values::port")]
        port: u16,
        /// TCP or UDP.
        over: TransportKind,
    },
    /// A client for `message-sink`: sends numbered messages at a steady pace.
    MessageSend {
        /// To whom.
        to: Destination,
        /// TCP or UDP.
        over: TransportKind,
        /// How many messages, numbered from 1.
        count: u32,
        /// How long each is. Over TCP two octets more, for its length.
        size: MessageSize,
        /// The time from one message to the next; the first goes at once.
        every: Span,
    },
    /// An HTTP/1.1 server with one page.
    HttpServer {
        /// Where it listens, from 1.
        #[serde(deserialize_with = "values::port")]
        port: u16,
        /// The page's path: `/api/posts`. Elsewhere the answer is 404.
        #[serde(deserialize_with = "values::path")]
        path: String,
        /// The page. A JSON object or array is sent as `application/json`, all else as plain text.
        body: String,
    },
    /// An HTTP/1.1 client that fetches one page, as `curl URL` does.
    HttpGet {
        /// The page.
        url: Url,
    },
}

impl Program {
    /// Its name in lab files and in the journal: `exchange-server`.
    pub const fn name(&self) -> &'static str {
        match self {
            Program::Sink { .. } => "sink",
            Program::Send { .. } => "send",
            Program::ExchangeServer { .. } => "exchange-server",
            Program::Exchange { .. } => "exchange",
            Program::MessageSink { .. } => "message-sink",
            Program::MessageSend { .. } => "message-send",
            Program::HttpServer { .. } => "http-server",
            Program::HttpGet { .. } => "http-get",
        }
    }

    /// Whether it serves until it is stopped; a client ends by itself.
    pub const fn is_server(&self) -> bool {
        match self {
            Program::Sink { .. }
            | Program::ExchangeServer { .. }
            | Program::MessageSink { .. }
            | Program::HttpServer { .. } => true,
            Program::Send { .. } | Program::Exchange { .. } | Program::MessageSend { .. } | Program::HttpGet { .. } => {
                false
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, Deserialize)]
    struct Step {
        run: Program,
    }

    fn read(toml: &str) -> Result<Program, String> {
        toml::from_str::<Step>(toml).map(|step| step.run).map_err(|error| error.to_string())
    }

    #[test]
    fn every_program_is_read_under_its_own_name() {
        let table = [
            r#"{ sink = { port = 9000 } }"#,
            r#"{ send = { to = "server:9000", bytes = "17520B" } }"#,
            r#"{ exchange-server = { port = 9000, bytes = "1KB" } }"#,
            r#"{ exchange = { to = "server:9000", bytes = "1KB" } }"#,
            r#"{ message-sink = { port = 9000, over = "udp" } }"#,
            r#"{ message-send = { to = "server:9000", over = "tcp", count = 50, size = "100B", every = "20ms" } }"#,
            r#"{ http-server = { port = 80, path = "/api/posts", body = "{}" } }"#,
            r#"{ http-get = { url = "http://server/api/posts" } }"#,
        ];
        for written in table {
            let program = read(&format!("run = {written}")).expect(written);
            assert!(written.starts_with(&format!("{{ {} =", program.name())), "{written}");
            assert_eq!(program.is_server(), written.contains("port ="), "{written}");
        }
    }

    #[test]
    fn a_wrong_parameter_is_answered_with_the_field_and_what_was_expected() {
        let table = [
            (r#"{ sink = { prot = 9000 } }"#, "unexpected keys in table: prot, available keys: port"),
            (r#"{ sink = { port = 0 } }"#, "expected a nonzero u16"),
            (r#"{ snik = { port = 1 } }"#, "unknown variant `snik`, expected one of `sink`, `send`"),
            (r#"{ send = { to = "server", bytes = "1KB" } }"#, "`server` is not a destination"),
            (r#"{ send = { to = "server:1", bytes = 1000 } }"#, "expected a size in quotes"),
            (r#"{ send = { to = "server:1", bytes = "1000" } }"#, "`1000` is not a size"),
            (r#"{ message-sink = { port = 1, over = "sctp" } }"#, "expected `tcp` or `udp`"),
            (r#"{ http-server = { port = 1, path = "x", body = "" } }"#, "`x` is not a path"),
            (r#"{ http-get = { url = "https://server/" } }"#, "is not a URL that is spoken here"),
        ];
        for (written, expected) in table {
            let error = read(&format!("run = {written}")).expect_err(written);
            assert!(error.contains(expected), "{written}: {error}");
            assert!(error.contains("line 1, column"), "{written}: {error}");
        }
    }
}
