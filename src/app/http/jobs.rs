//! `jobs-server`: takes work over HTTP, answers before it is done, and says later how far it is (RFC 9110 §15.3.3).
//!
//! ```text
//!   POST /jobs  ──► queue ──► worker: takes it, works, is done
//!      ◄── 202, Location: /jobs/1      │
//!   GET /jobs/1 ──► queued, running or done
//! ```

use std::cell::RefCell;
use std::collections::VecDeque;
use std::rc::Rc;

use http_body_util::{BodyExt, Limited};
use hyper::body::{Bytes, Incoming};
use hyper::header::{self, HeaderValue};
use hyper::{Method, Request, Response, StatusCode};
use serde::Deserialize;
use serde_json::json;
use tokio::sync::Notify;
use tokio::task::JoinSet;
use tokio::time::sleep;

use super::server::serve;
use super::{JSON, response};
use crate::app::program::Play;
use crate::app::run::Running;
use crate::app::{ProgramError, Span, values};
use crate::journal::ProgramEvent;

/// What is kept at most: jobs, and octets of one.
const MOST_JOBS: usize = 10_000;
const MOST_BODY: usize = 1 << 16;
/// Workers that share a queue.
const MOST_WORKERS: u8 = 100;

/// `jobs-server`
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct JobsServer {
    /// Where it listens, from 1.
    #[serde(deserialize_with = "values::port")]
    port: u16,
    /// How long a worker takes over a job.
    takes: Span,
    /// How many jobs are worked on at a time.
    #[serde(default = "one")]
    workers: u8,
    /// Jobs that may wait; who comes when there are more is asked to come again.
    #[serde(default = "hundred")]
    queue: u16,
    /// When the answer goes.
    #[serde(default)]
    answers: Answers,
}

/// When the answer to a job goes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Answers {
    /// As soon as it is in the queue.
    #[default]
    AtOnce,
    /// When it is done.
    WhenDone,
}

fn one() -> u8 {
    1
}

fn hundred() -> u16 {
    100
}

impl Play for JobsServer {
    const NAME: &'static str = "jobs-server";
    const IS_SERVER: bool = true;

    async fn run(&self, running: &Running, ready: impl FnOnce()) -> Result<(), ProgramError> {
        let office = Rc::new(Office { settings: self.clone(), desk: RefCell::default(), bell: Notify::new() });
        let mut workers = JoinSet::new();
        for _ in 0..self.workers.clamp(1, MOST_WORKERS) {
            let (running, office) = (running.clone(), office.clone());
            workers.spawn_local(async move { office.work(&running).await });
        }
        // The workers end with this future.
        serve(running, self.port, ready, move |running, request| {
            let office = office.clone();
            async move { (office.answer(&running, request).await, None) }
        })
        .await
    }
}

/// How far a job is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Progress {
    Queued,
    Running,
    Done,
}

impl Progress {
    const fn name(self) -> &'static str {
        match self {
            Progress::Queued => "queued",
            Progress::Running => "running",
            Progress::Done => "done",
        }
    }
}

/// A server at work.
struct Office {
    settings: JobsServer,
    desk: RefCell<Desk>,
    /// Rings when a job comes in.
    bell: Notify,
}

#[derive(Default)]
struct Desk {
    /// All jobs that ever were, by number less one.
    jobs: Vec<Job>,
    /// Numbers of those that wait.
    queue: VecDeque<usize>,
}

struct Job {
    progress: Progress,
    /// Rings when it is done.
    done: Rc<Notify>,
}

impl Office {
    async fn answer(&self, running: &Running, request: Request<Incoming>) -> Response<Bytes> {
        let (parts, body) = request.into_parts();
        let number = parts.uri.path().strip_prefix("/jobs/").and_then(|number| number.parse::<usize>().ok());
        match (&parts.method, parts.uri.path(), number) {
            (&Method::POST, "/jobs", _) => match Limited::new(body, MOST_BODY).collect().await {
                Ok(_) => self.take(running).await,
                Err(_) => error(StatusCode::PAYLOAD_TOO_LARGE, "That job is too long, or broke off"),
            },
            (&Method::GET | &Method::HEAD, _, Some(number)) => self.show(number),
            (_, "/jobs", _) => not_allowed("POST"),
            (_, _, Some(_)) => not_allowed("GET, HEAD"),
            _ => error(StatusCode::NOT_FOUND, "There is nothing here but /jobs and /jobs/1, …"),
        }
    }

    /// Takes a job in, if there is room.
    async fn take(&self, running: &Running) -> Response<Bytes> {
        let (number, done) = {
            let mut desk = self.desk.borrow_mut();
            if desk.queue.len() >= usize::from(self.settings.queue) || desk.jobs.len() >= MOST_JOBS {
                let mut refusal = error(StatusCode::SERVICE_UNAVAILABLE, "Too many jobs wait; come again");
                refusal.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
                return refusal;
            }
            let done = Rc::new(Notify::new());
            desk.jobs.push(Job { progress: Progress::Queued, done: done.clone() });
            let number = desk.jobs.len();
            desk.queue.push_back(number);
            (number, done)
        };
        turn(running, number, "", Progress::Queued);
        self.bell.notify_one();
        if self.settings.answers == Answers::WhenDone {
            done.notified().await;
            return self.show(number);
        }
        let mut accepted = told(StatusCode::ACCEPTED, number, Progress::Queued);
        if let Ok(location) = HeaderValue::try_from(format!("/jobs/{number}")) {
            accepted.headers_mut().insert(header::LOCATION, location);
        }
        accepted
    }

    fn show(&self, number: usize) -> Response<Bytes> {
        let desk = self.desk.borrow();
        match number.checked_sub(1).and_then(|place| desk.jobs.get(place)) {
            Some(job) => told(StatusCode::OK, number, job.progress),
            None => error(StatusCode::NOT_FOUND, "There is no such job"),
        }
    }

    /// One worker: takes the job that waits longest, for ever.
    async fn work(&self, running: &Running) {
        loop {
            let next = self.desk.borrow_mut().queue.pop_front();
            let Some(number) = next else {
                self.bell.notified().await;
                continue;
            };
            // Others may be free, too.
            self.bell.notify_one();
            self.set(running, number, Progress::Running);
            sleep(self.settings.takes.duration()).await;
            self.set(running, number, Progress::Done);
        }
    }

    fn set(&self, running: &Running, number: usize, progress: Progress) {
        let mut desk = self.desk.borrow_mut();
        let Some(job) = number.checked_sub(1).and_then(|place| desk.jobs.get_mut(place)) else { return };
        let was = std::mem::replace(&mut job.progress, progress);
        if progress == Progress::Done {
            job.done.notify_one();
        }
        turn(running, number, was.name(), progress);
    }
}

fn turn(running: &Running, number: usize, from: &str, to: Progress) {
    let (what, from, to) = (format!("job-{number}"), from.to_owned(), to.name().to_owned());
    running.report(ProgramEvent::Change { what, from, to, detail: String::new() });
}

fn told(code: StatusCode, number: usize, progress: Progress) -> Response<Bytes> {
    let status = progress.name();
    response(code, JSON, format!("{{\n\"jobId\": \"job-{number}\",\n\"status\": \"{status}\"\n}}\n"))
}

fn not_allowed(methods: &'static str) -> Response<Bytes> {
    let mut refusal = error(StatusCode::METHOD_NOT_ALLOWED, "That is not allowed here");
    refusal.headers_mut().insert(header::ALLOW, HeaderValue::from_static(methods));
    refusal
}

fn error(code: StatusCode, text: &str) -> Response<Bytes> {
    response(code, JSON, format!("{}\n", json!({ "error": text })))
}
