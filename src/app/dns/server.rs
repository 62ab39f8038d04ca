//! `dns-server`: answers for its own zones and for nothing else (RFC 1034 §4.3.2).

use hickory_proto::op::{Message, Query};
use serde::Deserialize;
use tokio::time::Instant;

use super::serve::serve;
use super::zone::{self, Zone};
use crate::app::program::Play;
use crate::app::run::Running;
use crate::app::{ProgramError, Span, values};

/// `dns-server`
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DnsServer {
    /// Where it listens, over UDP and TCP, from 1.
    #[serde(deserialize_with = "values::port")]
    port: u16,
    /// What it knows.
    zones: Vec<Zone>,
    /// What it will know later.
    #[serde(default)]
    later: Vec<Later>,
}

/// A zone that takes the place of the one with the same origin.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
struct Later {
    /// When, counted from the server's start.
    at: Span,
    zone: Zone,
}

impl DnsServer {
    /// The zones as they are after so long. Of several for one origin, the last counts.
    fn zones_at(&self, elapsed: std::time::Duration) -> Vec<&Zone> {
        let now = |later: &&Later| later.at.duration() <= elapsed;
        let current = |zone: &'_ Zone| {
            let newer = self.later.iter().filter(now);
            newer.rev().find(|later| later.zone.origin() == zone.origin()).map(|later| &later.zone)
        };
        self.zones.iter().map(|zone| current(zone).unwrap_or(zone)).collect()
    }
}

impl Play for DnsServer {
    const NAME: &'static str = "dns-server";
    const IS_SERVER: bool = true;

    async fn run(&self, running: &Running, ready: impl FnOnce()) -> Result<(), ProgramError> {
        let started = Instant::now();
        let server = std::rc::Rc::new(self.clone());
        let answer = move |asked: Message, query: Query| {
            let server = server.clone();
            async move { zone::answer(&server.zones_at(started.elapsed()), &asked, &query) }
        };
        serve(running, self.port, ready, answer).await
    }
}
