//! `http-gateway`: middleware in front of a server. What each kind does stands in a file of its own; here is which of them there
//! are, in which order, and what is behind.

mod access;
mod account;
mod content;
mod layer;
mod limiter;
#[cfg(test)]
mod tests;

use std::net::SocketAddr;
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::Duration;

use http_body_util::{BodyExt, Full, Limited};
use hyper::body::{Bytes, Incoming};
use hyper::header;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use serde::{Deserialize, Deserializer, de};
use tokio::time::timeout;
use tower::{Layer, Service, ServiceExt};

use self::access::{Authentication, Caller, Limit, Peer, RateLimit};
use self::account::{Logging, Tracing};
#[cfg(feature = "formats")]
use self::content::Compression;
use self::content::{Errors, Validation};
use self::layer::{AsLayer, Boxed, Handling, Outcome, Problem};
use super::forwarded;
use crate::app::channel::{Channel, HTTP_1};
use crate::app::http::MOST_BODY;
use crate::app::http::connection::whole;
use crate::app::http::conversation::{self, Ended};
use crate::app::http::forward::Upstream;
use crate::app::program::Play;
use crate::app::run::Running;
use crate::app::{Destination, ProgramError, Span, Stream, values};
use crate::journal::ProgramEvent;

/// Connections to the server behind that stay open for another request.
const KEEP: usize = 32;

/// `http-gateway`
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HttpGateway {
    /// Where it listens, from 1.
    #[serde(deserialize_with = "values::port")]
    port: u16,
    /// The server behind.
    backend: Destination,
    /// The middleware, the outermost first.
    #[serde(default = "usual", deserialize_with = "layers")]
    layers: Vec<Kind>,
    /// Whom it knows.
    #[serde(default)]
    callers: Vec<Caller>,
    #[serde(default)]
    limit: Limit,
    /// Parameters that are whole numbers.
    #[serde(default)]
    numbers: Vec<String>,
    /// How long it waits for the server behind.
    #[serde(default = "ten_seconds", deserialize_with = "values::positive")]
    timeout: Span,
}

/// A kind of middleware.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Kind {
    Tracing,
    Logging,
    Errors,
    #[cfg(feature = "formats")]
    Compression,
    Auth,
    Validation,
    RateLimit,
}

fn usual() -> Vec<Kind> {
    vec![
        Kind::Tracing,
        Kind::Logging,
        Kind::Errors,
        #[cfg(feature = "formats")]
        Kind::Compression,
        Kind::Auth,
        Kind::Validation,
        Kind::RateLimit,
    ]
}

/// Reads a list of layers, none of them twice.
fn layers<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<Kind>, D::Error> {
    let listed = Vec::<Kind>::deserialize(deserializer)?;
    let is_twice = |(place, kind): (usize, &Kind)| listed.iter().take(place).any(|before| before == kind);
    if listed.iter().enumerate().any(is_twice) {
        return Err(de::Error::custom("each kind of middleware stands in `layers` once at most"));
    }
    Ok(listed)
}

fn ten_seconds() -> Span {
    Span::from_duration(Duration::from_secs(10))
}

impl Play for HttpGateway {
    const NAME: &'static str = "http-gateway";
    const IS_SERVER: bool = true;

    fn peers(&self) -> Vec<&Destination> {
        vec![&self.backend]
    }

    async fn run(&self, running: &Running, ready: impl FnOnce()) -> Result<(), ProgramError> {
        let tower = self.tower(running);
        let serve = move |running, stream, peer| serve_one(running, stream, peer, tower.clone());
        running.serve_streams(self.port, ready, serve).await
    }
}

impl HttpGateway {
    /// The layers around the server behind, from the inside out.
    fn tower(&self, running: &Running) -> Boxed {
        let behind = Behind(Rc::new(Server {
            running: running.clone(),
            upstream: Upstream::new(self.backend.clone(), KEEP),
            patience: self.timeout.duration(),
        }));
        self.layers.iter().rev().fold(Boxed::new(behind), |rest, kind| match kind {
            Kind::Tracing => AsLayer(Rc::new(Tracing::new(running))).layer(rest),
            Kind::Logging => AsLayer(Rc::new(Logging(running.clone()))).layer(rest),
            Kind::Errors => AsLayer(Rc::new(Errors)).layer(rest),
            #[cfg(feature = "formats")]
            Kind::Compression => AsLayer(Rc::new(Compression)).layer(rest),
            Kind::Auth => {
                let (running, callers) = (running.clone(), self.callers.clone());
                AsLayer(Rc::new(Authentication { running, callers })).layer(rest)
            }
            Kind::Validation => AsLayer(Rc::new(Validation { numbers: self.numbers.clone() })).layer(rest),
            Kind::RateLimit => AsLayer(Rc::new(RateLimit::new(running, self.limit))).layer(rest),
        })
    }
}

/// Answers the requests of one connection. A problem that no layer has turned into an answer ends the connection.
async fn serve_one(running: Running, stream: Stream, peer: SocketAddr, tower: Boxed) -> Result<(), ProgramError> {
    stream.set_nodelay(true).map_err(running.broken("setting up the connection with", peer))?;
    let told = running.clone();
    let service = service_fn(move |request: Request<Incoming>| {
        let (running, tower) = (told.clone(), tower.clone());
        async move {
            let is_head = request.method() == Method::HEAD;
            let (method, target) = (request.method().to_string(), request.uri().to_string());
            let bytes = hyper::body::Body::size_hint(request.body()).lower();
            running.report(ProgramEvent::Request { method, target, bytes });
            let answer = through(tower, request, peer).await.map_err(|problem| Unhandled(problem.message))?;
            let bytes = if is_head { 0 } else { answer.body().len() as u64 };
            running.report(ProgramEvent::Response { status: answer.status().as_u16(), bytes, cache: None });
            Ok::<_, Unhandled>(answer.map(Full::new))
        }
    });
    match conversation::hold(&running, Channel::Plain(stream), peer, &[HTTP_1], service).await {
        Ok(()) => Ok(()),
        Err(Ended::ByUs(_)) => {
            running.complain(format!("nothing here handles errors: {peer} gets no answer"));
            Ok(())
        }
        Err(Ended::Wrong(error)) => Err(error),
    }
}

/// A problem that nobody has made an answer of.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct Unhandled(String);

/// A request on its way through all layers.
async fn through(tower: Boxed, request: Request<Incoming>, peer: SocketAddr) -> Outcome {
    let (mut head, body) = request.into_parts();
    let too_long = || Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "TOO_LARGE", "That is too long to be passed on");
    let body = whole(body).await.ok_or_else(too_long)?;
    head.extensions.insert(Peer(peer));
    tower.oneshot(Request::from_parts(head, body)).await
}

/// The server behind, as the innermost service.
#[derive(Clone)]
struct Behind(Rc<Server>);

struct Server {
    running: Running,
    upstream: Upstream,
    patience: Duration,
}

impl Server {
    async fn ask(&self, mut request: Request<Bytes>) -> Outcome {
        let unavailable = |text: &str| Problem::new(StatusCode::BAD_GATEWAY, "UNAVAILABLE", text);
        if let Some(Peer(peer)) = request.extensions().get().copied() {
            forwarded::name_sender(request.headers_mut(), peer.ip());
        }
        let answer = self.upstream.ask(&self.running, request).await.map_err(|error| {
            self.running.complain(&error);
            unavailable("The server behind does not answer")
        })?;
        let (mut head, body) = answer.into_parts();
        // Some layer may make it another length.
        head.headers.remove(header::CONTENT_LENGTH);
        let body = Limited::new(body, MOST_BODY).collect().await;
        let body = body.map_err(|_| unavailable("The answer broke off, or is too long to be kept"))?;
        Ok(Response::from_parts(head, body.to_bytes()))
    }
}

impl Service<Request<Bytes>> for Behind {
    type Response = Response<Bytes>;
    type Error = Problem;
    type Future = Handling;

    fn poll_ready(&mut self, _cx: &mut Context<'_>) -> Poll<Result<(), Problem>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Bytes>) -> Handling {
        let server = Rc::clone(&self.0);
        Box::pin(async move {
            let late = |_| Problem::new(StatusCode::GATEWAY_TIMEOUT, "DEADLINE_EXCEEDED", "The server behind is late");
            timeout(server.patience, server.ask(request)).await.map_err(late)?
        })
    }
}
