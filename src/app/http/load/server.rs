//! `work-server`: answers that take time, by a pool of workers or by as many as are asked for; alone, or with the help of
//! another server.

use std::cell::{Cell, RefCell};
use std::convert::Infallible;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Duration;

use http_body_util::Full;
use hyper::body::{Body, Bytes, Incoming};
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use serde::{Deserialize, Deserializer, de};
use tokio::time::{Instant, sleep};

use super::calls::{Calls, Dependency};
use super::conduct::{Conduct, Due, Later, Stalls};
use super::pool::Pool;
use crate::app::http::{TEXT, connection, misunderstood, page, response};
use crate::app::policy::from_one;
use crate::app::program::Play;
use crate::app::run::Running;
use crate::app::{Destination, ProgramError, Span, Stream, values};
use crate::journal::ProgramEvent;
use crate::rng::Rng;

/// The most workers of a pool, and the most connections of a backlog (Linux's `SOMAXCONN`).
const MOST: u32 = 4096;
/// Connections that may wait where nothing is said.
const BACKLOG: u32 = 128;
/// How long a connection may say nothing before its worker goes on to another.
const PATIENCE: Duration = Duration::from_secs(30);

/// `work-server`
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WorkServer {
    /// Where it listens, from 1.
    #[serde(deserialize_with = "values::port")]
    port: u16,
    /// How many connections it serves at once, each until it is over; left out, all of them.
    #[serde(default, deserialize_with = "some_workers")]
    workers: Option<u32>,
    /// How many connections wait to be accepted, and one more.
    #[serde(default = "backlog", deserialize_with = "connections")]
    backlog: u32,
    /// How long a request takes.
    #[serde(default)]
    takes: Option<Span>,
    /// What it answers where it needs nobody; left out, what its workers can do.
    #[serde(default)]
    body: Option<String>,
    #[serde(default, deserialize_with = "page::status")]
    status: Option<StatusCode>,
    #[serde(default)]
    stalls: Option<Stalls>,
    #[serde(default)]
    later: Vec<Later>,
    /// Whose answers it passes on.
    #[serde(default)]
    calls: Option<Calls>,
}

fn backlog() -> u32 {
    BACKLOG
}

fn some_workers<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<u32>, D::Error> {
    from_one(deserializer).and_then(at_most).map(Some)
}

fn connections<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u32, D::Error> {
    u32::deserialize(deserializer).and_then(at_most)
}

fn at_most<E: de::Error>(number: u32) -> Result<u32, E> {
    let error = || E::custom(format!("{number} are too many: write up to {MOST}"));
    if number <= MOST { Ok(number) } else { Err(error()) }
}

impl Play for WorkServer {
    const NAME: &'static str = "work-server";
    const IS_SERVER: bool = true;

    fn peers(&self) -> Vec<&Destination> {
        self.calls.iter().map(|calls| &calls.url.destination).collect()
    }

    async fn run(&self, running: &Running, ready: impl FnOnce()) -> Result<(), ProgramError> {
        let works = Rc::new(Works::new(self, running));
        let pool = Pool { workers: self.workers, backlog: self.backlog as usize };
        pool.serve(running, self.port, ready, move |running, stream, peer| works.clone().serve(running, stream, peer))
            .await
    }
}

/// A server at work.
struct Works {
    settings: WorkServer,
    conduct: Conduct,
    body: Bytes,
    dependency: Option<Dependency>,
    started: Instant,
    rng: RefCell<Rng>,
    /// Requests that have come so far.
    asked: Cell<u32>,
    /// Requests that are being worked on.
    in_work: Cell<u64>,
}

impl Works {
    fn new(settings: &WorkServer, running: &Running) -> Works {
        Works {
            settings: settings.clone(),
            conduct: Conduct {
                takes: settings.takes.map_or(Duration::ZERO, Span::duration),
                status: settings.status.unwrap_or(StatusCode::OK),
                stalls: settings.stalls,
                later: settings.later.clone(),
            },
            body: settings.body.clone().unwrap_or_else(|| estimate(settings)).into(),
            dependency: settings.calls.as_ref().map(|calls| Dependency::new(running, calls)),
            started: Instant::now(),
            rng: RefCell::new(running.data()),
            asked: Cell::new(0),
            in_work: Cell::new(0),
        }
    }

    /// Answers the one request of a connection. A worker that blocks does not notice that its client has gone before it
    /// answers; where there are no workers, work for nobody ends.
    async fn serve(self: Rc<Works>, running: Running, stream: Stream, peer: SocketAddr) -> Result<(), ProgramError> {
        let unanswered = Rc::new(Cell::new(false));
        let service = service_fn(|request: Request<Incoming>| {
            let (works, running, unanswered) = (self.clone(), running.clone(), unanswered.clone());
            async move {
                unanswered.set(true);
                let response = works.answer(&running, request).await;
                unanswered.set(false);
                Ok::<_, Infallible>(response.map(Full::new))
            }
        });
        let served = hyper::server::conn::http1::Builder::new()
            .auto_date_header(false)
            .title_case_headers(true)
            .keep_alive(false)
            .half_close(self.settings.workers.is_some())
            .timer(TokioTimer::new())
            .header_read_timeout(PATIENCE)
            .serve_connection(TokioIo::new(stream), service)
            .await;
        match served {
            // The client has gone before its answer. It may.
            Err(error) if error.is_incomplete_message() && unanswered.get() => {
                decided(&running, "answer", "wanted no more");
                Ok(())
            }
            served => served.map_err(|error| misunderstood(&running, peer, &error)),
        }
    }

    async fn answer(&self, running: &Running, request: Request<Incoming>) -> Response<Bytes> {
        let (method, target) = (request.method().to_string(), request.uri().to_string());
        let path = request.uri().path().to_owned();
        running.report(ProgramEvent::Request { method, target, bytes: request.body().size_hint().lower() });
        let at_work = AtWork::begin(self, running);
        let response = match connection::whole(request.into_body()).await {
            Some(_) => self.work(running, &path).await,
            None => response(StatusCode::PAYLOAD_TOO_LARGE, TEXT, "That request is too long, or broke off\n"),
        };
        drop(at_work);
        let (status, bytes) = (response.status().as_u16(), response.body().len() as u64);
        running.report(ProgramEvent::Response { status, bytes, cache: None });
        response
    }

    async fn work(&self, running: &Running, path: &str) -> Response<Bytes> {
        self.asked.set(self.asked.get().saturating_add(1));
        let due = self.conduct.due(self.started.elapsed(), self.asked.get(), &mut self.rng.borrow_mut());
        let Due { after, status, stalls } = due;
        if stalls {
            decided(running, "answer", "stalls");
        }
        if !after.is_zero() {
            sleep(after).await;
        }
        let called = match &self.dependency {
            Some(dependency) if dependency.is_needed_at(path) => dependency.ask(running).await.map(Some),
            Some(_) | None => Ok(None),
        };
        match called {
            Ok(body) => {
                let body = body.unwrap_or_else(|| self.body.clone());
                response(status, page::kind(&String::from_utf8_lossy(&body)), body)
            }
            Err(refusal) => refusal,
        }
    }
}

fn decided(running: &Running, what: &str, choice: &str) {
    let (what, choice) = (what.to_owned(), choice.to_owned());
    running.report(ProgramEvent::Decision { what, choice, detail: String::new() });
}

/// A request that is being worked on, until this is dropped.
struct AtWork<'a> {
    works: &'a Works,
    running: &'a Running,
}

impl AtWork<'_> {
    fn begin<'a>(works: &'a Works, running: &'a Running) -> AtWork<'a> {
        works.in_work.set(works.in_work.get() + 1);
        let at_work = AtWork { works, running };
        at_work.report();
        at_work
    }

    fn report(&self) {
        let name = format!("in-work-{}", self.works.settings.port);
        self.running.report(ProgramEvent::Figure { name, value: self.works.in_work.get() });
    }
}

impl Drop for AtWork<'_> {
    fn drop(&mut self) {
        self.works.in_work.set(self.works.in_work.get().saturating_sub(1));
        self.report();
    }
}

/// What the formula says of a server: throughput ≈ requests in flight / duration of one.
fn estimate(settings: &WorkServer) -> String {
    let duration = settings.takes.map_or(Duration::ZERO, Span::duration);
    let Some(workers) = settings.workers else {
        return format!(
            "Average_Req_Duration = {} seconds\nMax_In_Flight_Requests: no workers limit it\n",
            seconds(duration)
        );
    };
    let mut lines = format!("Available_Workers = {workers}\nAverage_Req_Duration = {} seconds\n", seconds(duration));
    if let Some(throughput) = (u128::from(workers) * 1_000_000_000).checked_div(duration.as_nanos()) {
        lines.push_str(&format!("Throughput ≈ {workers} / {}\n", seconds(duration)));
        lines.push_str(&format!("Estimated throughput: {} requests per second\n", grouped(throughput)));
    }
    lines
}

/// `0.1`
fn seconds(span: Duration) -> String {
    let digits = format!("{}.{:09}", span.as_secs(), span.subsec_nanos());
    digits.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// `2,000`
fn grouped(number: u128) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(settings: &str) -> String {
        estimate(&toml::from_str(settings).expect(settings))
    }

    #[test]
    fn two_hundred_workers_and_a_tenth_of_a_second_are_two_thousand_per_second() {
        let text = "Available_Workers = 200\nAverage_Req_Duration = 0.1 seconds\nThroughput ≈ 200 / 0.1\n\
                    Estimated throughput: 2,000 requests per second\n";
        assert_eq!(of("port = 80\nworkers = 200\ntakes = \"100ms\""), text);
        let estimate = of("port = 80\nworkers = 3\ntakes = \"2s\"");
        assert!(estimate.ends_with("Estimated throughput: 1 requests per second\n"), "{estimate}");
    }

    #[test]
    fn without_workers_or_a_duration_there_is_nothing_to_divide() {
        assert!(!of("port = 80\nworkers = 4").contains("throughput"));
        assert!(!of("port = 80\ntakes = \"1s\"").contains("throughput"));
        assert_eq!([0, 7, 999, 1000, 1_234_567].map(grouped), ["0", "7", "999", "1,000", "1,234,567"]);
    }
}
