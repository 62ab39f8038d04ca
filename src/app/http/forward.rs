//! Passing requests on to a server behind, and its answers back as they come (RFC 9110 §7.6).
//!
//! What lives here: connections to one server, kept for the next request or not, and bodies that flow through. What does not:
//! which server it is (`front`), and what a cache makes of an answer (`cache`).

use std::cell::RefCell;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use http_body_util::{Either, Full};
use hyper::body::{Body, Bytes, Frame, Incoming, SizeHint};
use hyper::client::conn::http1::{Builder, SendRequest};
use hyper::header::{self, HeaderMap};
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::task::JoinSet;

use super::connection::close_after;
use super::{TEXT, misunderstood, response};
use crate::app::run::Running;
use crate::app::{Destination, ProgramError};

/// Fields that concern one connection (RFC 9110 §7.6.1); besides those that `Connection` names.
const HOP_BY_HOP: [&str; 8] = [
    "connection",
    "keep-alive",
    "proxy-authenticate",
    "proxy-authorization",
    "proxy-connection",
    "te",
    "transfer-encoding",
    "upgrade",
];

/// Takes away what concerns the connection that it came over (RFC 9110 §7.6.1).
pub(in crate::app) fn without_hop_by_hop(fields: &mut HeaderMap) {
    let named: Vec<String> = fields
        .get_all(header::CONNECTION)
        .iter()
        .filter_map(|names| names.to_str().ok())
        .flat_map(|names| names.split(','))
        .map(|name| name.trim().to_ascii_lowercase())
        .collect();
    for name in HOP_BY_HOP.into_iter().chain(named.iter().map(String::as_str)) {
        fields.remove(name);
    }
}

/// What somebody between answers with: words of its own, or a body from behind.
pub(in crate::app) type Relayed = Either<Full<Bytes>, Passing>;

/// An answer of one's own, in words.
pub(in crate::app) fn said(status: StatusCode, text: impl Into<Bytes>) -> Response<Relayed> {
    response(status, TEXT, text).map(|body| Either::Left(Full::new(body)))
}

/// A server behind, and the connections to it.
pub(in crate::app) struct Upstream {
    to: Destination,
    /// How many connections stay open for another request.
    keep: usize,
    /// Those that are open, the last used at the end. One that is still bringing an answer is not ready for another request.
    kept: RefCell<Vec<SendRequest<Full<Bytes>>>>,
    /// The work for each of them; it ends with this.
    at_work: RefCell<JoinSet<()>>,
}

impl Upstream {
    /// A server to whom at most `keep` connections stay open; with 0 each request has its own.
    pub(in crate::app) fn new(to: Destination, keep: usize) -> Upstream {
        Upstream { to, keep, kept: RefCell::default(), at_work: RefCell::default() }
    }

    /// Whom it asks.
    pub(in crate::app) fn to(&self) -> &Destination {
        &self.to
    }

    /// Asks the server. The answer's head is there when this returns; its body goes on coming. Neither keeps what concerns a
    /// single connection.
    ///
    /// # Errors
    /// [`ProgramError::Connect`] when nothing was said to the server yet; else the server may have heard the request.
    pub(in crate::app) async fn ask(
        &self,
        running: &Running,
        request: Request<Bytes>,
    ) -> Result<Response<Passing>, ProgramError> {
        let mut request = request.map(Full::new);
        without_hop_by_hop(request.headers_mut());
        if self.keep == 0 {
            close_after(request.headers_mut());
        }
        loop {
            let (mut requests, is_fresh) = match self.idle() {
                Some(idle) => (idle, false),
                None => (self.open(running).await?, true),
            };
            match requests.try_send_request(request).await {
                Ok(answer) => return Ok(self.passing(requests, answer)),
                // The server had closed a connection that was kept: nothing of the request has left.
                Err(mut error) => match error.take_message() {
                    Some(unsent) if !is_fresh => request = unsent,
                    _ => return Err(misunderstood(running, &self.to, &error.into_error())),
                },
            }
        }
    }

    /// A connection that is kept, and free.
    fn idle(&self) -> Option<SendRequest<Full<Bytes>>> {
        let mut kept = self.kept.borrow_mut();
        kept.retain(|connection| !connection.is_closed());
        let free = kept.iter().rposition(SendRequest::is_ready)?;
        Some(kept.remove(free))
    }

    async fn open(&self, running: &Running) -> Result<SendRequest<Full<Bytes>>, ProgramError> {
        let stream = running.connect(&self.to).await?;
        // What has come at once goes on at once.
        stream.set_nodelay(true).map_err(running.broken("setting up the connection with", &self.to))?;
        let mut builder = Builder::new();
        // Fields are called as they were, those of our own as most people know them.
        builder.title_case_headers(true).preserve_header_case(true);
        let opened = builder.handshake(TokioIo::new(stream)).await;
        let (requests, connection) = opened.map_err(|error| misunderstood(running, &self.to, &error))?;
        let mut at_work = self.at_work.borrow_mut();
        while at_work.try_join_next().is_some() {}
        // Whatever ends it ends its answer, too, which says so itself.
        at_work.spawn_local(async {
            let _ = connection.await;
        });
        Ok(requests)
    }

    fn passing(&self, requests: SendRequest<Full<Bytes>>, answer: Response<Incoming>) -> Response<Passing> {
        let mut kept = self.kept.borrow_mut();
        if kept.len() < self.keep {
            kept.push(requests);
        }
        let mut answer = answer.map(|body| Passing { body, at_end: None });
        without_hop_by_hop(answer.headers_mut());
        answer
    }
}

/// The body of an answer on its way through. One that breaks off behind breaks off in front, too: it must not look whole.
pub(in crate::app) struct Passing {
    body: Incoming,
    /// What is done at its end.
    at_end: Option<AtEnd>,
}

/// What is done at the end of a body, with the error when it broke off.
type AtEnd = Box<dyn FnOnce(Option<&hyper::Error>)>;

impl Passing {
    /// Has something done at the end of the body; with the error when it broke off. It is dropped with a body that nobody
    /// reads to its end.
    pub(in crate::app) fn at_end(&mut self, act: impl FnOnce(Option<&hyper::Error>) + 'static) {
        self.at_end = Some(Box::new(act));
    }
}

impl Body for Passing {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<hyper::Result<Frame<Bytes>>>> {
        let frame = ready!(Pin::new(&mut self.body).poll_frame(cx));
        let broken = match &frame {
            Some(Ok(_)) => return Poll::Ready(frame),
            Some(Err(error)) => Some(error),
            None => None,
        };
        if let Some(act) = self.at_end.take() {
            act(broken);
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
