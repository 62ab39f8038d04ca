//! `http-load`: asks at a steady pace, whether answers come or not, and measures how long they take.
//!
//! The pace is the load's own (an open loop): a server that becomes slow is not asked less often, as it would be by a client
//! that waits for each answer.

use std::cell::RefCell;
use std::num::NonZeroU32;
use std::rc::Rc;
use std::time::Duration;

use http_body_util::BodyExt;
use hyper::body::Bytes;
use serde::{Deserialize, Deserializer, de};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until};

use crate::app::http::connection::request;
use crate::app::http::fields::Fields;
use crate::app::http::forward::Upstream;
use crate::app::http::misunderstood;
use crate::app::program::Play;
use crate::app::run::Running;
use crate::app::{Destination, ProgramError, Span, Url, values};
use crate::journal::ProgramEvent;

/// Connections that stay open for another request, when they may.
const KEEP: usize = 256;

/// `http-load`
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HttpLoad {
    #[serde(deserialize_with = "without_tls")]
    url: Url,
    /// How many requests.
    count: NonZeroU32,
    /// One every so long.
    #[serde(deserialize_with = "values::positive")]
    every: Span,
    /// Fields of every request.
    #[serde(default)]
    headers: Fields,
    /// Whether a connection is used again once it is free.
    #[serde(default)]
    keep_alive: bool,
}

fn without_tls<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Url, D::Error> {
    let url = Url::deserialize(deserializer)?;
    let error = || de::Error::custom(format!("a load is put on without TLS: write `{url}` with `http`"));
    if url.is_secure { Err(error()) } else { Ok(url) }
}

impl Play for HttpLoad {
    const NAME: &'static str = "http-load";
    const IS_SERVER: bool = false;

    fn peers(&self) -> Vec<&Destination> {
        vec![&self.url.destination]
    }

    fn moves_over_tcp(&self) -> bool {
        true
    }

    /// Requests that fail are counted and told of; they do not end it.
    async fn run(&self, running: &Running, ready: impl FnOnce()) -> Result<(), ProgramError> {
        ready();
        let keep = if self.keep_alive { KEEP } else { 0 };
        let load = Rc::new(Load {
            settings: self.clone(),
            server: Upstream::new(self.url.destination.clone(), keep),
            latencies: RefCell::default(),
        });
        let (mut asking, started) = (JoinSet::new(), Instant::now());
        for number in 0..self.count.get() {
            // Nobody waits for a moment that no clock can show.
            let Some(due) = started.checked_add(self.every.duration().saturating_mul(number)) else { break };
            sleep_until(due).await;
            let (load, running) = (Rc::clone(&load), running.clone());
            asking.spawn_local(async move { load.ask(&running).await });
            // Those that are over take no more room.
            while asking.try_join_next().is_some() {}
        }
        while asking.join_next().await.is_some() {}
        load.sum_up(running);
        Ok(())
    }
}

/// A load at work.
struct Load {
    settings: HttpLoad,
    server: Upstream,
    /// How long each answer took, from the moment when its request was due.
    latencies: RefCell<Vec<Duration>>,
}

impl Load {
    async fn ask(&self, running: &Running) {
        let due = Instant::now();
        let mut asked = request(&self.settings.url, Bytes::new());
        self.settings.headers.put_into(asked.headers_mut());
        let target = self.settings.url.target.clone();
        running.report(ProgramEvent::Request { method: "GET".to_owned(), target, bytes: 0 });
        let to = &self.settings.url.destination;
        let answered = match self.server.ask(running, asked).await {
            Ok(answer) => {
                let status = answer.status().as_u16();
                let body = answer.into_body().collect().await.map_err(|error| misunderstood(running, to, &error));
                body.map(|body| (status, body.to_bytes().len() as u64))
            }
            Err(error) => Err(error),
        };
        match answered {
            Ok((status, bytes)) => {
                running.report(ProgramEvent::Response { status, bytes, cache: None });
                self.latencies.borrow_mut().push(due.elapsed());
            }
            Err(error) => running.complain(error),
        }
    }

    fn sum_up(&self, running: &Running) {
        let mut latencies = self.latencies.take();
        latencies.sort_unstable();
        let figure = |name: &str, value| running.report(ProgramEvent::Figure { name: name.to_owned(), value });
        figure("answered", latencies.len() as u64);
        for (name, percent) in [("latency p50 us", 50), ("latency p95 us", 95)] {
            // The smallest of which so many percent are no longer.
            let rank = (latencies.len() * percent).div_ceil(100).saturating_sub(1);
            let span = latencies.get(rank).copied().unwrap_or_default();
            figure(name, u64::try_from(span.as_micros()).unwrap_or(u64::MAX));
        }
    }
}
