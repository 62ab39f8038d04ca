//! `feed-server`: has news, and gives them in whichever of the four ways it is asked.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::pin::Pin;
use std::rc::Rc;
use std::time::Duration;

use futures_util::{Stream as Frames, stream};
use http_body_util::{Either, Full, StreamBody};
use hyper::body::{Bytes, Frame, Incoming};
use hyper::header::{self, HeaderValue};
use hyper::{Method, Request, Response, StatusCode};
use serde::Deserialize;
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until, timeout_at};

use super::news::{Feed, News, as_array};
use crate::app::http::{self, JSON, TEXT, page};
use crate::app::program::Play;
use crate::app::run::Running;
use crate::app::websocket::{Socket, grant, is_wanted};
use crate::app::{ProgramError, Span, Stream, values};

/// The longest that a client may ask to be kept waiting.
const LONGEST_WAIT: Duration = Duration::from_secs(60);

/// `feed-server`
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FeedServer {
    /// Where it listens, from 1.
    #[serde(deserialize_with = "values::port")]
    port: u16,
    /// Where the news are found.
    #[serde(deserialize_with = "page::path")]
    path: String,
    news: Vec<News>,
    /// How long an event stream lasts; as long as there is news when left out.
    #[serde(default)]
    lasts: Option<Span>,
    /// Whether Nagle's algorithm is off, so that an event does not wait for the acknowledgment of the one before.
    #[serde(default = "yes")]
    nodelay: bool,
}

fn yes() -> bool {
    true
}

type Body = Either<Full<Bytes>, StreamBody<Pin<Box<dyn Frames<Item = Result<Frame<Bytes>, Infallible>>>>>>;

impl Play for FeedServer {
    const NAME: &'static str = "feed-server";
    const IS_SERVER: bool = true;

    async fn run(&self, running: &Running, ready: impl FnOnce()) -> Result<(), ProgramError> {
        let feed = Rc::new(Feed::new(&self.news));
        let happens = async {
            feed.play(running).await;
            std::future::pending().await
        };
        let (settings, news) = (self.clone(), Rc::clone(&feed));
        let serves = running.serve_streams(self.port, ready, move |running, stream, peer| {
            let desk = Desk { settings: settings.clone(), feed: Rc::clone(&news) };
            async move { desk.serve_one(running, stream, peer).await }
        });
        tokio::select! {
            biased;
            ended = happens => ended,
            ended = serves => ended,
        }
    }
}

/// The server at work on one connection.
struct Desk {
    settings: FeedServer,
    feed: Rc<Feed>,
}

impl Desk {
    async fn serve_one(&self, running: Running, stream: Stream, peer: SocketAddr) -> Result<(), ProgramError> {
        stream.set_nodelay(self.settings.nodelay).map_err(running.broken("setting up the connection with", peer))?;
        let answer = |_, request: Request<Incoming>| async move { (self.answer(&request).await, None) };
        let Some((stream, read)) = http::serve_until_upgrade(&running, stream, peer, answer).await? else {
            return Ok(());
        };
        let socket = Socket::of_server(&running, stream, read, peer).await?;
        self.push(socket).await
    }

    async fn answer(&self, request: &Request<Incoming>) -> Response<Body> {
        let path = request.uri().path();
        if path != self.settings.path {
            let text = format!("There is nothing at {path}. This server has {}\n", self.settings.path);
            return http::response(StatusCode::NOT_FOUND, TEXT, text).map(|body| Either::Left(Full::new(body)));
        }
        if request.method() != Method::GET {
            return page::not_allowed(request.method()).map(|body| Either::Left(Full::new(body)));
        }
        if is_wanted(request) {
            return grant(request).map(|body| Either::Left(Full::new(body)));
        }
        let accepts = request.headers().get(header::ACCEPT).and_then(|accepts| accepts.to_str().ok());
        if accepts.is_some_and(|accepts| accepts.contains("text/event-stream")) {
            return self.event_stream(last_event(request));
        }
        let asked = |name| number(request.uri().query().unwrap_or_default(), name);
        let seen = asked("after").unwrap_or(0);
        if let Some(seconds) = asked("wait") {
            self.wait(seen, Duration::from_secs(seconds as u64)).await;
        }
        let mut response = http::response(StatusCode::OK, JSON, as_array(self.feed.after(seen)));
        response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        response.map(|body| Either::Left(Full::new(body)))
    }

    /// Until there is something after the first `seen`, or time is up.
    async fn wait(&self, seen: usize, patience: Duration) {
        let end = Instant::now() + patience.min(LONGEST_WAIT);
        let mut happened = self.feed.watch();
        // Either is good: whoever asked is told what there is.
        let _ = timeout_at(end, happened.wait_for(|happened| *happened > seen)).await;
    }

    /// One response, as long as there is news: what was missed first.
    fn event_stream(&self, seen: usize) -> Response<Body> {
        let end = self.settings.lasts.and_then(|lasts| Instant::now().checked_add(lasts.duration()));
        let reader = Reader { feed: Rc::clone(&self.feed), happened: self.feed.watch(), seen, end };
        let frames = stream::unfold(reader, |mut reader| async move {
            let event = reader.next().await?;
            Some((Ok(Frame::data(Bytes::from(event))), reader))
        });
        let mut response = Response::new(Either::Right(StreamBody::new(Box::pin(frames) as Pin<Box<_>>)));
        let fields = response.headers_mut();
        fields.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
        fields.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
        response
    }

    /// Everything from now on, as messages.
    async fn push(&self, mut socket: Socket) -> Result<(), ProgramError> {
        let mut happened = self.feed.watch();
        let mut seen = 0;
        loop {
            let fresh: Vec<String> = self.feed.after(seen).map(|(number, one)| one.as_json(number)).collect();
            seen += fresh.len();
            for message in fresh {
                socket.say(message.into()).await?;
            }
            tokio::select! {
                biased;
                heard = socket.hear() => if heard?.is_none() {
                    return socket.finish().await;
                },
                changed = happened.wait_for(|happened| *happened > seen) => if changed.is_err() {
                    return Ok(());
                },
            }
        }
    }
}

/// Who reads an event stream.
struct Reader {
    feed: Rc<Feed>,
    happened: watch::Receiver<usize>,
    seen: usize,
    end: Option<Instant>,
}

impl Reader {
    /// The next event, when there is one; `None` when the stream is over.
    async fn next(&mut self) -> Option<String> {
        if self.feed.is_over(self.seen) {
            return None;
        }
        let seen = self.seen;
        tokio::select! {
            biased;
            changed = self.happened.wait_for(|happened| *happened > seen) => changed.map(|_| ()).ok()?,
            () = until(self.end) => return None,
        }
        let (number, one) = self.feed.after(seen).next()?;
        self.seen = number;
        Some(one.as_event(number))
    }
}

async fn until(moment: Option<Instant>) {
    match moment {
        Some(moment) => sleep_until(moment).await,
        None => std::future::pending().await,
    }
}

/// What the client says it has got; nothing, when it says nothing that can be read.
fn last_event(request: &Request<Incoming>) -> usize {
    let field = request.headers().get("last-event-id").and_then(|field| field.to_str().ok());
    field.and_then(|field| field.parse().ok()).unwrap_or(0)
}

/// A number of the query `after=2&wait=20`.
fn number(query: &str, name: &str) -> Option<usize> {
    query.split('&').find_map(|pair| pair.strip_prefix(name)?.strip_prefix('=')?.parse().ok())
}
