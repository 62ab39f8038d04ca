//! What is told of a request: tracing, for all programs that have to do with it, and the log, for people.

use std::cell::RefCell;

use hyper::body::Bytes;
use hyper::header::{HeaderName, HeaderValue};
use hyper::{Request, Response};
use tokio::time::Instant;
use tower::ServiceExt;

use super::access::{Known, Peer};
use super::layer::{Around, Boxed, Outcome, Problem};
use crate::app::front::forwarded::{RequestIds, X_REQUEST_ID};
use crate::app::run::Running;
use crate::journal::ProgramEvent;
use crate::rng::Rng;

/// Which trace a request belongs to, and who has passed it on (W3C Trace Context §3.2).
const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");

/// Gives each request a name and a place in a trace; the answer, or the refusal, has its name, too.
pub(super) struct Tracing {
    ids: RequestIds,
    spans: RefCell<Rng>,
}

impl Tracing {
    pub(super) fn new(running: &Running) -> Tracing {
        let mut data = running.data();
        let spans = RefCell::new(Rng::new(data.next_u64()));
        Tracing { ids: RequestIds::new(running), spans }
    }

    /// `before` goes on with a part of its own; without one, a trace begins here.
    fn traceparent(&self, before: Option<&HeaderValue>) -> Option<HeaderValue> {
        let mut spans = self.spans.borrow_mut();
        let trace = match before.and_then(|field| trace_of(field.to_str().ok()?)) {
            Some(trace) => trace.to_owned(),
            None => format!("{:016x}{:016x}", spans.next_u64(), spans.next_u64()),
        };
        // Neither may be all zeros, and 01 says that the trace is kept.
        HeaderValue::try_from(format!("00-{trace}-{:016x}-01", spans.next_u64().max(1))).ok()
    }
}

/// The trace's name in `00-<trace>-<part>-<flags>`; `None` when it is not one.
fn trace_of(field: &str) -> Option<&str> {
    let mut parts = field.split('-');
    let (version, trace, part, flags) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
    let is_hex = |text: &str, length: usize| {
        text.len() == length && text.bytes().all(|digit| matches!(digit, b'0'..=b'9' | b'a'..=b'f'))
    };
    let is_some = |text: &str| text.bytes().any(|digit| digit != b'0');
    let is_right = version == "00" && parts.next().is_none() && is_hex(flags, 2);
    (is_right && is_hex(trace, 32) && is_some(trace) && is_hex(part, 16) && is_some(part)).then_some(trace)
}

impl Around for Tracing {
    async fn around(&self, mut request: Request<Bytes>, rest: Boxed) -> Outcome {
        let id = self.ids.name(request.headers_mut());
        if let Some(parent) = self.traceparent(request.headers().get(TRACEPARENT)) {
            request.headers_mut().insert(TRACEPARENT, parent);
        }
        let mut outcome = rest.oneshot(request).await;
        match &mut outcome {
            Ok(answer) => answer.headers_mut().insert(X_REQUEST_ID, id),
            Err(problem) => problem.fields.insert(X_REQUEST_ID, id),
        };
        outcome
    }
}

/// Writes a line for each request: from whom, what, how it ended, how long it took.
pub(super) struct Logging(pub(super) Running);

impl Around for Logging {
    async fn around(&self, request: Request<Bytes>, rest: Boxed) -> Outcome {
        let peer = request.extensions().get::<Peer>().map_or_else(String::new, |peer| peer.0.ip().to_string());
        let id = request.headers().get(X_REQUEST_ID).and_then(|id| id.to_str().ok()).unwrap_or("-").to_owned();
        let (method, target, began) = (request.method().clone(), request.uri().to_string(), Instant::now());
        let outcome = rest.oneshot(request).await;
        let status = outcome.as_ref().map_or_else(|problem: &Problem| problem.status, Response::status);
        let who = outcome.as_ref().ok().and_then(|answer| answer.extensions().get::<Known>());
        let who = who.map_or("-", |known| known.0.as_str());
        let took = began.elapsed().as_millis();
        let line = format!("{peer} {who} \"{method} {target}\" {} {took} ms {id}", status.as_u16());
        self.0.report(ProgramEvent::Output { line, is_error: false });
        outcome
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_whole_traceparent_is_gone_on_with() {
        let (trace, part) = ("4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7");
        assert_eq!(trace_of(&format!("00-{trace}-{part}-01")), Some(trace));
        for wrong in [
            String::new(),
            format!("01-{trace}-{part}-01"),
            format!("00-{trace}-{part}"),
            format!("00-{trace}-{part}-01-"),
            format!("00-{}-{part}-01", trace.to_uppercase()),
            format!("00-{}-{part}-01", "0".repeat(32)),
            format!("00-{trace}-{}-01", "0".repeat(16)),
            format!("00-{trace}x-{part}-01"),
        ] {
            assert_eq!(trace_of(&wrong), None, "{wrong}");
        }
    }
}
