//! `load-client`: many requests, by users who each wait for their answer, or as they arrive.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use hyper::body::Bytes;
use hyper::header::{self, HeaderName, HeaderValue};
use hyper::{Method, Request, StatusCode};
use serde::{Deserialize, Deserializer, de};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};

use super::exchange::dialer;
use super::lanes::Lanes;
use super::part::{Part, Parts};
use super::tally::Tally;
use crate::app::channel::Dialer;
use crate::app::http::{JSON, connection};
use crate::app::policy::{Caller, Policy, Try, from_one};
use crate::app::program::Play;
use crate::app::run::{Running, served};
use crate::app::tls::ClientTls;
use crate::app::{Destination, ProgramError, Span, Url};
use crate::journal::ProgramEvent;

/// The most requests of one load.
const MOST_REQUESTS: u32 = 10_000;
/// The most connections that one keeps.
const MOST_CONNECTIONS: u32 = 1000;

/// `load-client`
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "Written")]
pub struct LoadClient {
    url: Url,
    requests: u32,
    arrivals: Arrivals,
    at_once: u32,
    connections: Option<u32>,
    sessions: Option<u32>,
    parts: Vec<Part>,
    /// A pause before the first.
    after: Option<Span>,
    body: Option<String>,
    policy: Policy,
    tls: ClientTls,
}

/// Who asks, and when.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Arrivals {
    /// So many users, each of whom asks again as soon as there is an answer.
    Users(u32),
    /// One each so long, however many still wait.
    Every(Span),
}

/// The settings as they are typed.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    url: Url,
    /// How many in all, from 1.
    #[serde(default = "one", deserialize_with = "some_requests")]
    requests: u32,
    /// How many ask at once; each asks again when it has its answer.
    users: Option<u32>,
    /// Or how long after each request the next one comes, whether or not it has been answered.
    every: Option<Span>,
    /// How many come at once each time, from 1.
    #[serde(default = "one", deserialize_with = "from_one")]
    at_once: u32,
    /// So many connections are kept, and take requests in turn; left out, each request has its own.
    #[serde(default, deserialize_with = "some_connections")]
    connections: Option<u32>,
    /// So many people ask in turn, each of whom has a cookie, `session=user-1`; left out, nobody has.
    #[serde(default, deserialize_with = "some_sessions")]
    sessions: Option<u32>,
    /// What is measured by itself besides.
    #[serde(default)]
    parts: Vec<Part>,
    /// How long it does nothing first.
    after: Option<Span>,
    /// What is posted; left out, it is a GET.
    body: Option<String>,
    #[serde(default)]
    policy: Policy,
    /// How it speaks TLS to an `https` URL.
    #[serde(default)]
    tls: ClientTls,
}

fn one() -> u32 {
    1
}

fn some_requests<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u32, D::Error> {
    let number = from_one(deserializer)?;
    let error = || de::Error::custom(format!("{number} are too many: write up to {MOST_REQUESTS}"));
    if number <= MOST_REQUESTS { Ok(number) } else { Err(error()) }
}

fn some_connections<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<u32>, D::Error> {
    let number = from_one(deserializer)?;
    let error = || de::Error::custom(format!("{number} are too many: write up to {MOST_CONNECTIONS}"));
    if number <= MOST_CONNECTIONS { Ok(Some(number)) } else { Err(error()) }
}

fn some_sessions<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<u32>, D::Error> {
    from_one(deserializer).map(Some)
}

impl TryFrom<Written> for LoadClient {
    type Error = &'static str;

    fn try_from(written: Written) -> Result<LoadClient, &'static str> {
        let Written { url, requests, users, every, at_once, connections, sessions, parts, after, body, policy, tls } =
            written;
        if at_once > 1 && every.is_none() {
            return Err("`at_once` says how many come each time: write `every` as well");
        }
        if !parts.iter().all(Part::is_sound) {
            return Err("each of the `parts` begins before it ends");
        }
        let arrivals = match (users, every) {
            (Some(0), _) => return Err("0 `users` ask for nothing: write 1 or more"),
            (Some(_), Some(_)) => {
                return Err("requests come from `users` who wait for each answer, or one `every` so long: write one");
            }
            (None, Some(every)) => Arrivals::Every(every),
            (users, None) => Arrivals::Users(users.unwrap_or(1)),
        };
        Ok(LoadClient { url, requests, arrivals, at_once, connections, sessions, parts, after, body, policy, tls })
    }
}

impl Play for LoadClient {
    const NAME: &'static str = "load-client";
    const IS_SERVER: bool = false;

    fn peers(&self) -> Vec<&Destination> {
        vec![&self.url.destination]
    }

    fn moves_over_tcp(&self) -> bool {
        true
    }

    /// Requests without an answer are counted, not an error: to find out how many there are is what it is for.
    async fn run(&self, running: &Running, ready: impl FnOnce()) -> Result<(), ProgramError> {
        ready();
        if let Some(pause) = self.after {
            sleep(pause.duration()).await;
        }
        let load = Rc::new(Load {
            settings: self.clone(),
            running: running.clone(),
            caller: Caller::new(running, &self.url.destination.to_string(), &self.policy),
            dialer: dialer(&self.tls),
            started: Instant::now(),
            begun: Cell::new(0),
            tally: RefCell::default(),
            parts: RefCell::new(Parts::new(&self.parts)),
            lanes: Lanes::new(self.connections.unwrap_or(0)),
        });
        let mut tasks = JoinSet::new();
        match self.arrivals {
            Arrivals::Users(users) => {
                for _ in 0..users.min(self.requests) {
                    tasks.spawn_local(load.clone().user());
                }
            }
            Arrivals::Every(pause) => {
                for number in 0..self.requests {
                    if number > 0 && number % self.at_once == 0 {
                        sleep(pause.duration()).await;
                    }
                    tasks.spawn_local(load.clone().next());
                }
            }
        }
        while let Some(ended) = tasks.join_next().await {
            served(ended)?;
        }
        load.lanes.close().await;
        load.tell();
        Ok(())
    }
}

/// A load under way.
struct Load {
    settings: LoadClient,
    running: Running,
    caller: Caller,
    dialer: Dialer,
    started: Instant,
    /// Requests that have begun.
    begun: Cell<u32>,
    tally: RefCell<Tally>,
    parts: RefCell<Parts>,
    /// The connections that are kept.
    lanes: Lanes,
}

impl Load {
    /// Asks until all requests have been made.
    async fn user(self: Rc<Load>) -> Result<(), ProgramError> {
        while self.begun.get() < self.settings.requests {
            self.clone().next().await?;
        }
        Ok(())
    }

    /// Makes the next request, as often as the policy lets it.
    async fn next(self: Rc<Load>) -> Result<(), ProgramError> {
        let number = self.begun.get() + 1;
        self.begun.set(number);
        let began = self.started.elapsed();
        self.tally.borrow_mut().begin(began);
        let is_again = Cell::new(false);
        let attempt = async || {
            self.tally.borrow_mut().tries(self.started.elapsed(), is_again.replace(true));
            let status = self.ask(number).await?;
            Ok(Try::by_status(status.as_u16(), ()))
        };
        let answered = self.caller.call(attempt).await;
        let now = self.started.elapsed();
        self.tally.borrow_mut().end(now, began, answered.is_ok());
        self.parts.borrow_mut().end(began, answered.is_ok().then(|| now.saturating_sub(began)));
        Ok(())
    }

    async fn ask(&self, number: u32) -> Result<StatusCode, ProgramError> {
        let (url, request) = (&self.settings.url, self.request(number));
        let (method, target) = (request.method().to_string(), url.target.clone());
        let bytes = request.body().len() as u64;
        self.running.report(ProgramEvent::Request { method, target, bytes });
        let (status, body) = self.lanes.exchange(&self.running, &self.dialer, url, request).await?;
        let bytes = body.map_or(0, |body| body.len() as u64);
        self.running.report(ProgramEvent::Response { status: status.as_u16(), bytes, cache: None });
        Ok(status)
    }

    /// Request number `number`; each of its tries has the same name, so that they can be told from others.
    fn request(&self, number: u32) -> Request<Bytes> {
        let LoadClient { url, body, .. } = &self.settings;
        let mut request = connection::request(url, body.clone().unwrap_or_default());
        if body.is_some() {
            *request.method_mut() = Method::POST;
            request.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(JSON));
        }
        if let Ok(name) = HeaderValue::try_from(format!("req-{number}")) {
            request.headers_mut().insert(HeaderName::from_static("x-request-id"), name);
        }
        if let Some(sessions) = self.settings.sessions {
            let user = number.saturating_sub(1) % sessions.max(1) + 1;
            let cookie = HeaderValue::try_from(format!("session=user-{user}"));
            request.headers_mut().extend(cookie.ok().map(|cookie| (header::COOKIE, cookie)));
        }
        request
    }

    /// Tells what came of it.
    fn tell(&self) {
        let (tally, parts) = (self.tally.borrow(), self.parts.borrow());
        let figures = tally.figures().into_iter().map(|(name, value)| (name.to_owned(), value));
        for (name, value) in figures.chain(parts.figures()) {
            self.running.report(ProgramEvent::Figure { name, value });
        }
        for line in tally.lines().into_iter().chain(parts.lines()) {
            self.running.report(ProgramEvent::Output { line, is_error: false });
        }
    }
}
