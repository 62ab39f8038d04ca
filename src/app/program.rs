//! The programs that a lab can name.

use std::time::Duration;

use serde::Deserialize;
use serde::de::{self, Deserializer};

/// A program of a lab with its parameters.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Program {
    /// Server: accepts one connection, reads to its end, closes.
    Sink {
        /// Where it listens.
        port: u16,
    },
    /// Client: connects, writes seeded bytes, shuts down, waits for the end of the stream.
    Send {
        /// `server:9000`.
        to: String,
        /// How much.
        bytes: Size,
    },
    /// Server: reads to the end, sends `bytes` back, closes.
    ExchangeServer {
        /// Where it listens.
        port: u16,
        /// How much it answers.
        bytes: Size,
    },
    /// Client: sends bytes, half-closes, reads the answer to its end, closes.
    Exchange {
        /// `server:9000`.
        to: String,
        /// How much.
        bytes: Size,
    },
    /// Server: receives numbered messages.
    MessageSink {
        /// Where it listens.
        port: u16,
        /// Over what.
        over: Transport,
    },
    /// Client: sends numbered messages.
    MessageSend {
        /// `server:9000`.
        to: String,
        /// Over what.
        over: Transport,
        /// How many.
        count: u32,
        /// How long each is.
        size: Size,
        /// How far apart.
        #[serde(deserialize_with = "duration")]
        every: Duration,
    },
    /// Server: answers `GET path` with `body`.
    HttpServer {
        /// Where it listens.
        port: u16,
        /// The one path it knows.
        path: String,
        /// What it answers.
        body: String,
    },
    /// Client: fetches a URL.
    HttpGet {
        /// `http://server:8080/api/posts`.
        url: String,
    },
}

/// TCP or UDP.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Transport {
    /// A connection.
    Tcp,
    /// Datagrams.
    Udp,
}

/// A number of octets, written `17520B`, `10KB` or `64KiB`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Size(pub u64);

impl<'de> Deserialize<'de> for Size {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Size, D::Error> {
        let text = String::deserialize(deserializer)?;
        let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
        let factor = match &text[digits.len()..] {
            "B" => 1,
            "KB" => 1_000,
            "KiB" => 1_024,
            "MB" => 1_000_000,
            "MiB" => 1_048_576,
            _ => return Err(de::Error::custom(format!("expected a size such as \"16KB\"; found \"{text}\""))),
        };
        digits.parse::<u64>().map(|number| Size(number * factor)).map_err(de::Error::custom)
    }
}

fn duration<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
    let text = String::deserialize(deserializer)?;
    let digits = text.strip_suffix("ms").ok_or_else(|| de::Error::custom("expected a duration such as \"20ms\""))?;
    digits.parse().map(Duration::from_millis).map_err(de::Error::custom)
}
