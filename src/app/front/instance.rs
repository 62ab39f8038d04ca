//! `instance-server`: one of the servers behind, which are all alike. It says which one it is, and for which request.

use std::cell::RefCell;
use std::num::{NonZeroU16, NonZeroU32};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::Duration;

use http_body_util::{Either, Full};
use hyper::body::{Body, Bytes, Frame, Incoming, SizeHint};
use hyper::{Method, Request, Response, StatusCode};
use serde::Deserialize;
use tokio::sync::{Notify, Semaphore};
use tokio::time::{Instant, Sleep, sleep};

use super::busy::Busy;
use super::forwarded::X_REQUEST_ID;
use crate::app::channel::{self, Gate, HTTP_1};
use crate::app::http::{JSON, TEXT, page, response, serve_until_broken};
use crate::app::program::Play;
use crate::app::run::Running;
use crate::app::{ProgramError, Span, values};

/// Where an instance tells figures about itself, beside its health.
pub(super) const METRICS: &str = "/metrics";
/// The figure: for how many seconds at least one request has been with it.
pub(super) const BUSY_SECONDS: &str = "instance_busy_seconds_total";
/// How long a dying instance has been silent when it is gone: time for what it has said to leave.
const LAST_BREATH: Duration = Duration::from_millis(10);

/// `instance-server`
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct InstanceServer {
    /// Where it listens, from 1.
    #[serde(deserialize_with = "values::port")]
    port: u16,
    /// Which one it is: `posts-service-2`.
    name: String,
    /// Where it answers those who ask how it is, and, at `/metrics`, how busy; left out, it answers them like everybody else.
    health: Option<NonZeroU16>,
    /// How long it works for an answer.
    takes: Option<Span>,
    /// For how many requests it works at a time; the others wait for their turn. Left out, for all.
    workers: Option<NonZeroU32>,
    /// When it is ill, and answers that it cannot.
    ill: Option<Illness>,
    /// At which request it dies, from 1, in the middle of its answer.
    dies: Option<NonZeroU32>,
}

/// A time of illness, counted from its start.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
struct Illness {
    from: Span,
    /// When it is over; left out, never.
    until: Option<Span>,
}

impl Illness {
    fn holds(self, elapsed: Duration) -> bool {
        self.from.duration() <= elapsed && self.until.is_none_or(|until| elapsed < until.duration())
    }
}

/// A body that comes to its end, or does not.
type Words = Either<Full<Bytes>, LastWords>;

fn whole(body: Bytes) -> Words {
    Either::Left(Full::new(body))
}

impl Play for InstanceServer {
    const NAME: &'static str = "instance-server";
    const IS_SERVER: bool = true;

    async fn run(&self, running: &Running, ready: impl FnOnce()) -> Result<(), ProgramError> {
        let instance = Rc::new(Instance {
            workers: self.workers.map(|workers| Semaphore::new(usize::try_from(workers.get()).unwrap_or(usize::MAX))),
            settings: self.clone(),
            started: Instant::now(),
            asked: std::cell::Cell::new(0),
            busy: RefCell::default(),
            dead: Notify::new(),
        });
        // Once both ports listen others can follow.
        let both = std::cell::Cell::new(Some(ready));
        let left = std::cell::Cell::new(1 + u8::from(self.health.is_some()));
        let is_ready = || {
            left.set(left.get() - 1);
            if left.get() == 0 {
                both.take().into_iter().for_each(|ready| ready());
            }
        };
        let work = instance.serve(running, self.port, false, is_ready);
        let checks = async {
            match self.health {
                Some(port) => instance.serve(running, port.get(), true, is_ready).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            biased;
            () = instance.dead.notified() => Ok(()),
            served = work => served,
            served = checks => served,
        }
    }
}

/// An instance at work.
struct Instance {
    settings: InstanceServer,
    started: Instant,
    workers: Option<Semaphore>,
    /// How many requests there were, without those after its health.
    asked: std::cell::Cell<u32>,
    busy: RefCell<Busy>,
    dead: Notify,
}

/// A request that is with an instance, until this is dropped.
struct Occupied<'a>(&'a Instance);

impl Drop for Occupied<'_> {
    fn drop(&mut self) {
        self.0.busy.borrow_mut().end(self.0.started.elapsed());
    }
}

impl Instance {
    async fn serve(
        self: &Rc<Self>,
        running: &Running,
        port: u16,
        is_check: bool,
        ready: impl FnOnce(),
    ) -> Result<(), ProgramError> {
        let instance = Rc::clone(self);
        let serve = move |running: Running, channel, peer| {
            let instance = Rc::clone(&instance);
            async move {
                let asked = Rc::clone(&instance);
                let answer = move |_, request| {
                    let instance = Rc::clone(&asked);
                    async move { (instance.answer(&request, is_check).await, None) }
                };
                if let Some(channel) = serve_until_broken(running.clone(), channel, peer, &[HTTP_1], answer).await? {
                    running.complain("it dies: whoever waits for an answer gets no more of it");
                    channel.abort();
                    instance.dead.notify_one();
                }
                Ok(())
            }
        };
        channel::serve(running, Gate::from(port), ready, serve).await
    }

    async fn answer(&self, request: &Request<Incoming>, is_check: bool) -> Response<Words> {
        let is_ill = self.settings.ill.is_some_and(|ill| ill.holds(self.started.elapsed()));
        if is_check {
            let is_metrics = request.uri().path() == METRICS;
            return if is_metrics { self.metrics() } else { self.words(request, is_ill) }.map(whole);
        }
        if !matches!(*request.method(), Method::GET | Method::HEAD) {
            return page::not_allowed(request.method()).map(whole);
        }
        self.busy.borrow_mut().begin(self.started.elapsed());
        let _occupied = Occupied(self);
        self.asked.set(self.asked.get().saturating_add(1));
        let is_last = self.settings.dies.is_some_and(|last| last.get() == self.asked.get());
        // A semaphore that is never closed always has a turn for everybody.
        let turn = match &self.workers {
            Some(workers) => workers.acquire().await.ok(),
            None => None,
        };
        if let Some(takes) = self.settings.takes {
            sleep(takes.duration()).await;
        }
        drop(turn);
        let words = self.words(request, is_ill);
        if !is_last {
            return words.map(whole);
        }
        words.map(|body| Either::Right(LastWords::of(&body)))
    }

    /// How long it has been busy, as Prometheus has it written.
    fn metrics(&self) -> Response<Bytes> {
        let busy = self.busy.borrow().so_far(self.started.elapsed());
        let name = serde_json::Value::from(self.settings.name.as_str());
        let seconds = format!("{}.{:09}", busy.as_secs(), busy.subsec_nanos());
        response(StatusCode::OK, TEXT, format!("{BUSY_SECONDS}{{instance={name}}} {seconds}\n"))
    }

    /// Who answers, which request, and how it went.
    fn words(&self, request: &Request<Incoming>, is_ill: bool) -> Response<Bytes> {
        let id = request.headers().get(X_REQUEST_ID).map(|id| String::from_utf8_lossy(id.as_bytes()));
        let (status, word) = match is_ill {
            false => (StatusCode::OK, "success"),
            true => (StatusCode::SERVICE_UNAVAILABLE, "unavailable"),
        };
        let quoted = |text: &str| serde_json::Value::from(text).to_string();
        let text = format!(
            "{{\n\"handledBy\": {},\n\"requestId\": {},\n\"status\": \"{word}\"\n}}\n",
            quoted(&self.settings.name),
            id.map_or_else(|| "null".to_owned(), |id| quoted(&id)),
        );
        response(status, JSON, text)
    }
}

/// The first half of a body, a moment of silence, and the end of its server.
struct LastWords {
    half: Option<Bytes>,
    /// How long the whole body would be.
    length: u64,
    silence: Pin<Box<Sleep>>,
}

/// The server's process has come to a sudden end.
#[derive(Debug, thiserror::Error)]
#[error("a crash")]
struct Crash;

impl LastWords {
    fn of(body: &Bytes) -> LastWords {
        let half = body.slice(..body.len() / 2);
        LastWords { half: Some(half), length: body.len() as u64, silence: Box::pin(sleep(LAST_BREATH)) }
    }
}

impl Body for LastWords {
    type Data = Bytes;
    type Error = Crash;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Crash>>> {
        match self.half.take() {
            Some(half) => Poll::Ready(Some(Ok(Frame::data(half)))),
            None => self.silence.as_mut().poll(cx).map(|()| Some(Err(Crash))),
        }
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.length)
    }
}
