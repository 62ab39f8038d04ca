//! Whether servers are well: each is asked at intervals, on a connection of its own.

use std::num::NonZeroU32;
use std::rc::Rc;
use std::time::Duration;

use http_body_util::Full;
use hyper::body::Bytes;
use serde::Deserialize;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use super::backends::Backends;
use super::pool::Thresholds;
use crate::app::http::connection::{Requests, close_after, request, whole, with_connection};
use crate::app::http::page;
use crate::app::run::Running;
use crate::app::{Destination, Span, Url, values};

/// How servers are checked: `health = { port = 8088, path = "/healthz", interval = "1s" }`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Health {
    /// Whether they are checked at all; else all of them count as well.
    #[serde(default = "yes")]
    enabled: bool,
    /// Where they answer checks; without it, where they answer everything.
    port: Option<NonZeroPort>,
    /// What they are asked for. Any status below 400 is a good answer.
    #[serde(default = "healthz", deserialize_with = "page::path")]
    path: String,
    /// How long is waited between two checks.
    #[serde(default = "one_second", deserialize_with = "values::positive")]
    interval: Span,
    /// How long an answer is waited for.
    #[serde(default = "one_second", deserialize_with = "values::positive")]
    timeout: Span,
    /// Good checks in a row until a server is fit again.
    #[serde(default = "two")]
    rise: NonZeroU32,
    /// Bad checks in a row until it is not.
    #[serde(default = "two")]
    fall: NonZeroU32,
}

type NonZeroPort = std::num::NonZeroU16;

fn yes() -> bool {
    true
}

fn healthz() -> String {
    "/healthz".to_owned()
}

fn one_second() -> Span {
    Span::from_duration(Duration::from_secs(1))
}

fn two() -> NonZeroU32 {
    NonZeroU32::MIN.saturating_add(1)
}

impl Health {
    /// Checks all servers until dropped.
    pub(super) async fn watch(&self, running: &Running, backends: &Rc<Backends>) {
        let mut watches = JoinSet::new();
        if self.enabled {
            for (place, server) in backends.servers().into_iter().enumerate() {
                let at =
                    Destination { host: server.host.clone(), port: self.port.map_or(server.port, NonZeroPort::get) };
                let (health, running, backends) = (self.clone(), running.clone(), Rc::clone(backends));
                watches.spawn_local(async move { health.watch_one(&running, &backends, place, at).await });
            }
        }
        while watches.join_next().await.is_some() {}
        std::future::pending().await
    }

    async fn watch_one(&self, running: &Running, backends: &Backends, place: usize, at: Destination) {
        let thresholds = Thresholds { rise: self.rise.get(), fall: self.fall.get() };
        loop {
            sleep(self.interval.duration()).await;
            let found = match timeout(self.timeout.duration(), self.probe(running, &at)).await {
                Ok(found) => found,
                Err(_) => Err(format!("GET {}: no answer in time", self.path)),
            };
            backends.checked(running, place, &found, thresholds);
        }
    }

    /// The error says what is wrong.
    async fn probe(&self, running: &Running, at: &Destination) -> Result<(), String> {
        let url: Url = format!("http://{at}{}", self.path).parse().map_err(|error| format!("{error}"))?;
        let mut asked = request(&url, Bytes::new());
        close_after(asked.headers_mut());
        let ask = async |mut requests: Requests| {
            let (head, body) = requests.send_request(asked.map(Full::new)).await?.into_parts();
            // Read to its end, so that the connection closes in order.
            let _ = whole(body).await;
            Ok(head.status)
        };
        match with_connection(running, at, ask).await {
            Ok(status) if status.as_u16() < 400 => Ok(()),
            Ok(status) => Err(format!("GET {}: {status}", self.path)),
            Err(error) => Err(error.to_string()),
        }
    }
}
