//! `dns-lookup`: asks a resolver for names and prints what it is told, as `dig +short` does.

use std::str::FromStr;
use std::time::Duration;

use hickory_proto::rr::{Name, RecordType};
use serde::{Deserialize, Deserializer, de};
use tokio::time::{Instant, sleep};

use super::ask::{Patience, ask, question};
use super::message;
use crate::app::program::Play;
use crate::app::run::Running;
use crate::app::{Destination, ProgramError, Span};
use crate::journal::ProgramEvent;

/// `dns-lookup`
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DnsLookup {
    /// Whom it asks: a resolver, or a server that has the answer.
    server: Destination,
    /// What it asks for, one after the other: `"api.example.com"`, `"example.com MX"`.
    ask: Vec<Asked>,
    /// How long it waits before the first question.
    #[serde(default)]
    after: Option<Span>,
    /// How long it waits from an answer to the next question.
    #[serde(default)]
    pause: Option<Span>,
    /// Whether it says that it takes more than 512 octets over UDP (RFC 6891).
    #[serde(default = "yes")]
    edns: bool,
    /// How long it waits for an answer before it asks again.
    #[serde(default = "five_seconds")]
    timeout: Span,
    /// How often it asks, from 1.
    #[serde(default = "three")]
    tries: u32,
}

fn yes() -> bool {
    true
}

/// As long, and as often, as dig asks.
fn five_seconds() -> Span {
    Span::from_duration(Duration::from_secs(5))
}

fn three() -> u32 {
    3
}

/// A name and a type of records.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Asked {
    name: Name,
    record_type: RecordType,
}

impl FromStr for Asked {
    type Err = String;

    fn from_str(written: &str) -> Result<Asked, String> {
        let wrong = || format!("`{written}` is not a question: write a name and a type, such as \"example.com MX\"");
        let (name, record_type) = written.trim().split_once(' ').unwrap_or((written.trim(), "A"));
        let record_type = record_type.trim().to_ascii_uppercase().parse().map_err(|_| wrong())?;
        let mut name = Name::from_ascii(name).map_err(|_| wrong())?;
        // dig, too, takes a name as it stands, without the search list of resolv.conf.
        name.set_fqdn(true);
        Ok(Asked { name, record_type })
    }
}

impl<'de> Deserialize<'de> for Asked {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Asked, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}

impl Play for DnsLookup {
    const NAME: &'static str = "dns-lookup";
    const IS_SERVER: bool = false;

    fn peers(&self) -> Vec<&Destination> {
        vec![&self.server]
    }

    async fn run(&self, running: &Running, _ready: impl FnOnce()) -> Result<(), ProgramError> {
        let mut ids = running.data();
        let mut wait = self.after;
        for asked in &self.ask {
            if let Some(span) = wait {
                sleep(span.duration()).await;
            }
            wait = self.pause;
            let question = question(asked.name.clone(), asked.record_type, self.edns, &mut ids);
            let begun = Instant::now();
            let patience = Patience { timeout: self.timeout.duration(), tries: self.tries };
            let told = ask(running, &self.server, &question, patience).await?;
            for record in &told.reply.answers {
                running.report(ProgramEvent::Output { line: message::short(record), is_error: false });
            }
            running.report(ProgramEvent::Lookup {
                name: asked.name.to_string(),
                record: asked.record_type.to_string(),
                code: message::mnemonic(told.reply.metadata.response_code),
                answers: u32::try_from(told.reply.answers.len()).unwrap_or(u32::MAX),
                tries: told.tries,
                over: told.over,
                latency: begun.elapsed(),
            });
        }
        Ok(())
    }
}
