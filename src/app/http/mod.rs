//! HTTP/1.1 and HTTP/2, plain or over TLS: servers, a cache between, and clients (RFC 9110 to 9113).
//!
//! ```text
//!  http-get, orders-client, curl ──► http-cache ──► http-server
//!                                ├─────────────────► orders-server
//!  rest-client, curl ────────────┴─────────────────► rest-server
//! ```
//!
//! hyper speaks the protocol and http-cache-semantics knows when a stored response may be used; here stands what a lab
//! may rely on. Servers send no `Date`: a wall clock would make each capture different. Field names are in title case,
//! as most people know them and as curl sends them.

#[cfg(feature = "tls")]
mod access;
pub(super) mod cache;
#[cfg(feature = "formats")]
pub(in crate::app) mod coding;
mod conditional;
pub(super) mod connection;
pub(super) mod conversation;
pub(super) mod fields;
pub(in crate::app) mod forward;
mod generated;
mod get;
mod job;
mod jobs;
#[cfg(test)]
mod jobs_tests;
mod load;
mod order;
mod orders;
pub(super) mod page;
mod rest;
mod server;
mod store;
#[cfg(test)]
mod tests;

use std::io;

use hyper::body::Bytes;
use hyper::header::{self, HeaderValue};
use hyper::{Response, StatusCode};
use serde::Serialize;

use super::ProgramError;
use super::run::Running;

#[cfg(feature = "tls")]
pub(super) use access::{AccessClient, AccessServer};
pub(super) use cache::HttpCache;
#[cfg(feature = "formats")]
pub(super) use coding::Coding;
#[cfg(any(feature = "dns", feature = "formats", feature = "graphql", feature = "quic"))]
pub(super) use connection::Requests;
#[cfg(any(feature = "dns", feature = "formats"))]
pub(super) use connection::close_after;
#[cfg(feature = "formats")]
pub(super) use connection::over;
#[cfg(feature = "graphql")]
pub(super) use connection::whole_up_to;
#[cfg(any(feature = "dns", feature = "graphql"))]
pub(super) use connection::with_connection;
#[cfg(any(feature = "dns", feature = "formats", feature = "graphql"))]
pub(super) use connection::{request, whole};
pub(super) use get::HttpGet;
pub(super) use job::JobsClient;
pub(super) use jobs::JobsServer;
pub(super) use load::{LoadClient, WorkServer};
pub(super) use order::OrdersClient;
pub(super) use orders::OrdersServer;
#[cfg(feature = "quic")]
pub(super) use page::Page;
#[cfg(feature = "graphql")]
pub(super) use page::not_allowed;
pub(super) use rest::{RestClient, RestServer};
pub(super) use server::HttpServer;
#[cfg(feature = "quic")]
pub(super) use server::Site;
#[cfg(any(feature = "formats", feature = "graphql"))]
pub(super) use server::serve;
#[cfg(feature = "websocket")]
pub(super) use server::serve_until_upgrade;
pub(super) use server::{serve_one, serve_until_broken};

/// The type of plain text.
pub(super) const TEXT: &str = "text/plain; charset=utf-8";
/// The type of JSON.
pub(super) const JSON: &str = "application/json";
/// The longest body that is kept in memory, in octets.
pub(super) const MOST_BODY: usize = 1 << 24;

pub(super) fn response(status: StatusCode, kind: &'static str, body: impl Into<Bytes>) -> Response<Bytes> {
    let mut response = Response::new(body.into());
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    response
}

/// A response of JSON, with a line for each member.
pub(super) fn json(status: StatusCode, object: &impl Serialize) -> Response<Bytes> {
    let mut text = Vec::new();
    let lines = serde_json::ser::PrettyFormatter::with_indent(b"");
    match object.serialize(&mut serde_json::Serializer::with_formatter(&mut text, lines)) {
        Ok(()) => response(status, JSON, text),
        // Nothing is sent here that has maps whose keys are no texts.
        Err(error) => response(StatusCode::INTERNAL_SERVER_ERROR, TEXT, error.to_string()),
    }
}

/// A response that says what is wrong: `{"error": …}`.
pub(super) fn complaint(status: StatusCode, text: &str) -> Response<Bytes> {
    json(status, &serde_json::json!({ "error": text }))
}

/// Says who broke off: the system (the connection), or the peer (which does not speak HTTP).
pub(super) fn misunderstood(running: &Running, peer: impl ToString, error: &hyper::Error) -> ProgramError {
    let cause = std::error::Error::source(error);
    if let Some(system) = cause.and_then(|cause| cause.downcast_ref::<io::Error>()) {
        return running.broken("speaking HTTP with", peer)(io::Error::new(system.kind(), system.to_string()));
    }
    let cause = cause.map(|cause| format!(": {cause}")).unwrap_or_default();
    ProgramError::Protocol { program: running.program, peer: peer.to_string(), detail: format!("{error}{cause}") }
}
