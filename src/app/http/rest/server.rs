//! `rest-server`: a collection of posts, which methods change and statuses tell of (RFC 9110 §9.3, §15.3).

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

use http_body_util::Full;
use hyper::body::{Body, Bytes, Frame, Incoming, SizeHint};
use hyper::header::{self, HeaderValue};
use hyper::{Method, Request, Response, StatusCode};
use serde::{Deserialize, Serialize};
use tokio::time::sleep;

use crate::app::channel::{self, Gate, HTTP_1};
use crate::app::http::connection::whole_up_to;
use crate::app::http::fields::Fields;
use crate::app::http::page;
use crate::app::http::server::serve_one;
use crate::app::http::{complaint, json};
use crate::app::program::Play;
use crate::app::run::Running;
use crate::app::tls::ServerTls;
use crate::app::{ProgramError, Span, values};

/// What is kept at most: posts, and octets of a request's body.
const MOST_POSTS: usize = 1000;
const MOST_BODY: usize = 1 << 14;

/// `rest-server`
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RestServer {
    /// Where it listens, from 1.
    #[serde(deserialize_with = "values::port")]
    port: u16,
    /// Its TLS; without it, plain HTTP.
    tls: Option<ServerTls>,
    /// Where the collection stands: `/api/posts`; its members stand below, by number.
    #[serde(deserialize_with = "page::path")]
    path: String,
    /// The titles of the posts that are there from the start, numbered from 1.
    #[serde(default)]
    posts: Vec<String>,
    /// Fields of what GET shows.
    #[serde(default)]
    headers: Fields,
    /// How long it takes over a request.
    #[serde(default)]
    takes: Option<Span>,
    /// Posts over which it takes longer.
    #[serde(default)]
    slow: Vec<Slow>,
    /// By how many octets `Content-Length` is too large in what GET shows; it then waits as if they were to come.
    #[serde(default)]
    claims_more: u16,
}

#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
struct Slow {
    id: u32,
    takes: Span,
}

impl Play for RestServer {
    const NAME: &'static str = "rest-server";
    const IS_SERVER: bool = true;

    async fn run(&self, running: &Running, ready: impl FnOnce()) -> Result<(), ProgramError> {
        let collection = Rc::new(Collection::new(self));
        let serve = move |running, channel, peer| {
            let collection = collection.clone();
            let answer = move |_, request| {
                let collection = collection.clone();
                async move { (collection.answer(request).await, None) }
            };
            serve_one(running, channel, peer, &[HTTP_1], answer)
        };
        let gate = Gate { port: self.port, tls: self.tls.as_ref(), protocols: &[HTTP_1] };
        channel::serve(running, gate, ready, serve).await
    }
}

/// A post, as its resource shows it.
#[derive(Clone, Serialize)]
struct Post {
    id: u32,
    title: String,
}

/// What a client may say of one.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Said {
    title: String,
}

#[derive(Serialize)]
struct List {
    posts: Vec<Post>,
}

/// The posts at work.
struct Collection {
    settings: RestServer,
    titles: RefCell<BTreeMap<u32, String>>,
    next: Cell<u32>,
}

/// What a target names.
#[derive(Clone, Copy)]
enum Target {
    All,
    One(u32),
}

impl Collection {
    fn new(settings: &RestServer) -> Collection {
        let titles: BTreeMap<u32, String> = (1..).zip(settings.posts.iter().cloned()).collect();
        let next = titles.last_key_value().map_or(1, |(id, _)| id + 1);
        Collection { settings: settings.clone(), titles: RefCell::new(titles), next: Cell::new(next) }
    }

    async fn answer(&self, request: Request<Incoming>) -> Response<Sent> {
        let (head, body) = request.into_parts();
        let Some(target) = self.target(head.uri.path()) else {
            let path = &self.settings.path;
            let text = format!("There is nothing here but {path} and its posts, such as {path}/1");
            return sent(complaint(StatusCode::NOT_FOUND, &text), 0);
        };
        let said = whole_up_to(MOST_BODY, body).await;
        if let Some(span) = self.takes(target) {
            sleep(span.duration()).await;
        }
        let is_get = matches!(head.method, Method::GET | Method::HEAD);
        let answered = match (said, &head.method, target) {
            (None, _, _) => complaint(StatusCode::PAYLOAD_TOO_LARGE, "That is too long, or broke off"),
            (_, &Method::GET | &Method::HEAD, target) => self.show(target),
            (Some(said), &Method::POST, Target::All) => self.make(&said),
            (Some(said), &Method::PUT, Target::One(id)) => self.replace(id, &said),
            (_, &Method::DELETE, Target::One(id)) => self.remove(id),
            (_, _, Target::All) => not_allowed("GET, HEAD, POST"),
            (_, _, Target::One(_)) => not_allowed("GET, HEAD, PUT, DELETE"),
        };
        if !is_get || answered.status() != StatusCode::OK {
            return sent(answered, 0);
        }
        let mut response = sent(answered, self.settings.claims_more);
        self.settings.headers.put_into(response.headers_mut());
        response
    }

    fn target(&self, path: &str) -> Option<Target> {
        let rest = path.strip_prefix(&self.settings.path)?;
        match rest.strip_prefix('/') {
            Some(id) => id.parse().ok().map(Target::One),
            None => rest.is_empty().then_some(Target::All),
        }
    }

    fn takes(&self, target: Target) -> Option<Span> {
        let is_meant = |slow: &&Slow| matches!(target, Target::One(id) if id == slow.id);
        self.settings.slow.iter().find(is_meant).map(|slow| slow.takes).or(self.settings.takes)
    }

    fn show(&self, target: Target) -> Response<Bytes> {
        let titles = self.titles.borrow();
        let post = |(id, title): (&u32, &String)| Post { id: *id, title: title.clone() };
        match target {
            Target::All => json(StatusCode::OK, &List { posts: titles.iter().map(post).collect() }),
            Target::One(id) => match titles.get_key_value(&id) {
                Some(found) => json(StatusCode::OK, &post(found)),
                None => no_such(id),
            },
        }
    }

    /// A new member, whose number the server chooses (RFC 9110 §9.3.3).
    fn make(&self, said: &[u8]) -> Response<Bytes> {
        let Ok(Said { title }) = serde_json::from_slice(said) else { return not_understood() };
        let (mut titles, id) = (self.titles.borrow_mut(), self.next.get());
        if titles.len() >= MOST_POSTS || id == u32::MAX {
            return complaint(StatusCode::INSUFFICIENT_STORAGE, "There is no room for another post");
        }
        self.next.set(id + 1);
        titles.insert(id, title.clone());
        let mut response = json(StatusCode::CREATED, &Post { id, title });
        if let Ok(location) = HeaderValue::try_from(format!("{}/{id}", self.settings.path)) {
            response.headers_mut().insert(header::LOCATION, location);
        }
        response
    }

    /// What stands at a URL is replaced, as often as it is said (RFC 9110 §9.3.4). Nothing is made this way: numbers
    /// are the server's.
    fn replace(&self, id: u32, said: &[u8]) -> Response<Bytes> {
        let Ok(Said { title }) = serde_json::from_slice(said) else { return not_understood() };
        match self.titles.borrow_mut().get_mut(&id) {
            Some(there) => {
                there.clone_from(&title);
                json(StatusCode::OK, &Post { id, title })
            }
            None => no_such(id),
        }
    }

    fn remove(&self, id: u32) -> Response<Bytes> {
        match self.titles.borrow_mut().remove(&id) {
            Some(_) => {
                let mut response = Response::new(Bytes::new());
                *response.status_mut() = StatusCode::NO_CONTENT;
                response
            }
            None => no_such(id),
        }
    }
}

fn no_such(id: u32) -> Response<Bytes> {
    complaint(StatusCode::NOT_FOUND, &format!("There is no post {id}"))
}

fn not_understood() -> Response<Bytes> {
    complaint(StatusCode::BAD_REQUEST, "A post is JSON with a title, such as {\"title\": \"Network Layers\"}")
}

fn not_allowed(allowed: &'static str) -> Response<Bytes> {
    let mut response = complaint(StatusCode::METHOD_NOT_ALLOWED, &format!("Only {allowed} are allowed here"));
    response.headers_mut().insert(header::ALLOW, HeaderValue::from_static(allowed));
    response
}

/// The response with what it says of its length.
fn sent(response: Response<Bytes>, claims_more: u16) -> Response<Sent> {
    let (mut head, body) = response.into_parts();
    let is_endless = claims_more > 0;
    if is_endless {
        let claimed = HeaderValue::from(body.len() as u64 + u64::from(claims_more));
        head.headers.insert(header::CONTENT_LENGTH, claimed);
    }
    Response::from_parts(head, Sent { body: Full::new(body), is_endless })
}

/// A body that ends, or does not: then the rest of what its length promises never comes.
struct Sent {
    body: Full<Bytes>,
    is_endless: bool,
}

impl Body for Sent {
    type Data = Bytes;
    type Error = std::convert::Infallible;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, std::convert::Infallible>>> {
        let sent = self.get_mut();
        match Pin::new(&mut sent.body).poll_frame(cx) {
            // Nobody will wake it: only the client's close ends the connection.
            Poll::Ready(None) if sent.is_endless => Poll::Pending,
            polled => polled,
        }
    }

    fn is_end_stream(&self) -> bool {
        !self.is_endless && self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        if self.is_endless { SizeHint::default() } else { self.body.size_hint() }
    }
}
