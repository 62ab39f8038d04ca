//! HTTP/2 connections under gRPC: hyper's, over our streams, with their tasks on the thread of their program.

use std::cell::RefCell;
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

use hyper::body::Incoming;
use hyper::client::conn::http2::SendRequest;
use hyper::rt::Executor;
use hyper::{Request, Response};
use tokio::task::JoinSet;
use tonic::body::Body;
use tower::Service;

/// The tasks of a connection. They end with the last of its clones.
#[derive(Clone, Default)]
pub(super) struct Tasks(Rc<RefCell<JoinSet<()>>>);

impl<F: Future<Output: 'static> + 'static> Executor<F> for Tasks {
    fn execute(&self, task: F) {
        let mut tasks = self.0.borrow_mut();
        // Those that have ended are forgotten, so that a long connection does not remember each of its requests.
        while tasks.try_join_next().is_some() {}
        tasks.spawn_local(async move {
            task.await;
        });
    }
}

impl Tasks {
    /// Waits until all have ended.
    pub(super) async fn ended(&self) {
        while poll_fn(|cx| self.0.borrow_mut().poll_join_next(cx)).await.is_some() {}
    }
}

/// A client's connection, as tonic wants it.
#[derive(Clone)]
pub(super) struct Channel(pub(super) SendRequest<Body>);

impl Service<Request<Body>> for Channel {
    type Response = Response<Incoming>;
    type Error = hyper::Error;
    type Future = Pin<Box<dyn Future<Output = hyper::Result<Response<Incoming>>>>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<hyper::Result<()>> {
        self.0.poll_ready(cx)
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        Box::pin(self.0.send_request(request))
    }
}
