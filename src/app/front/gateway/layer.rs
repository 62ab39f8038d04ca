//! A tower of middleware: each is a layer around the rest, a [`tower::Service`] around another one.
//!
//! ```text
//!  request ─► tracing ─► errors ─► auth ─► rate-limit ─► … ─► the server behind
//!  answer  ◄─────────◄─────────◄──────◄─────────────◄────◄──
//! ```
//!
//! Whoever refuses a request returns a [`Problem`] and never calls the rest. Which layers there are, and in which order, is
//! only known when a lab file is read: so each is boxed.

use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

use hyper::body::Bytes;
use hyper::header::HeaderMap;
use hyper::{Request, Response, StatusCode};
use tower::{Layer, Service};

/// Why a request was not answered as it wanted to be.
#[derive(Debug)]
pub(super) struct Problem {
    pub(super) status: StatusCode,
    /// For programs: `RATE_LIMITED`.
    pub(super) code: &'static str,
    /// For people.
    pub(super) message: String,
    /// Fields that belong to the answer.
    pub(super) fields: HeaderMap,
}

impl Problem {
    pub(super) fn new(status: StatusCode, code: &'static str, message: impl Into<String>) -> Problem {
        Problem { status, code, message: message.into(), fields: HeaderMap::new() }
    }
}

/// What comes of a request.
pub(super) type Outcome = Result<Response<Bytes>, Problem>;
/// An outcome that is on its way.
pub(super) type Handling = Pin<Box<dyn Future<Output = Outcome>>>;

/// A kind of middleware: what it does before the rest and after it.
pub(super) trait Around: 'static {
    /// Handles a request, with the rest as far as it likes.
    fn around(&self, request: Request<Bytes>, rest: Boxed) -> impl Future<Output = Outcome>;
}

/// A middleware as a layer.
pub(super) struct AsLayer<M>(pub(super) Rc<M>);

impl<M: Around> Layer<Boxed> for AsLayer<M> {
    type Service = Boxed;

    fn layer(&self, rest: Boxed) -> Boxed {
        Boxed::new(Wrapped { middleware: Rc::clone(&self.0), rest })
    }
}

/// A middleware around the rest.
struct Wrapped<M> {
    middleware: Rc<M>,
    rest: Boxed,
}

impl<M> Clone for Wrapped<M> {
    fn clone(&self) -> Wrapped<M> {
        Wrapped { middleware: Rc::clone(&self.middleware), rest: self.rest.clone() }
    }
}

impl<M: Around> Service<Request<Bytes>> for Wrapped<M> {
    type Response = Response<Bytes>;
    type Error = Problem;
    type Future = Handling;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Problem>> {
        self.rest.poll_ready(cx)
    }

    fn call(&mut self, request: Request<Bytes>) -> Handling {
        // What was found ready is what is called, as tower wants it; a copy waits for the next request.
        let next = self.rest.clone();
        let rest = std::mem::replace(&mut self.rest, next);
        let middleware = Rc::clone(&self.middleware);
        Box::pin(async move { middleware.around(request, rest).await })
    }
}

/// Any service of requests, so that towers of all heights are of one type. Copies are the same service.
pub(super) struct Boxed(Box<dyn Copied>);

trait Copied: Service<Request<Bytes>, Response = Response<Bytes>, Error = Problem, Future = Handling> {
    fn copy(&self) -> Boxed;
}

impl<S> Copied for S
where
    S: Service<Request<Bytes>, Response = Response<Bytes>, Error = Problem, Future = Handling> + Clone + 'static,
{
    fn copy(&self) -> Boxed {
        Boxed(Box::new(self.clone()))
    }
}

impl Boxed {
    pub(super) fn new<S>(service: S) -> Boxed
    where
        S: Service<Request<Bytes>, Response = Response<Bytes>, Error = Problem, Future = Handling> + Clone + 'static,
    {
        Boxed(Box::new(service))
    }
}

impl Clone for Boxed {
    fn clone(&self) -> Boxed {
        self.0.copy()
    }
}

impl Service<Request<Bytes>> for Boxed {
    type Response = Response<Bytes>;
    type Error = Problem;
    type Future = Handling;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Problem>> {
        self.0.poll_ready(cx)
    }

    fn call(&mut self, request: Request<Bytes>) -> Handling {
        self.0.call(request)
    }
}
