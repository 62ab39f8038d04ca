//! A request's way through somebody in front: what is written into it, who gets it, how long the answer may take.

use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Duration;

use hyper::body::Incoming;
use hyper::header::{self, HeaderValue};
use hyper::http::uri::PathAndQuery;
use hyper::{Request, Response, StatusCode, Uri};
use serde::Deserialize;

use super::backends::Backends;
use super::forwarded::{self, RequestIds};
use crate::app::http::connection::whole;
use crate::app::http::forward::{Relayed, said};
use crate::app::run::Running;

/// What becomes of an `X-Forwarded-For` that the client has sent, and may have made up.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Claims {
    /// The address that the request really came from stands behind it.
    #[default]
    Appended,
    /// It is believed, and stays as it is.
    Believed,
}

/// The way of requests to one service.
pub(super) struct Passage {
    pub(super) backends: Rc<Backends>,
    pub(super) ids: Rc<RequestIds>,
    /// What the service calls itself; `None`: as the client called it.
    pub(super) host: Option<HeaderValue>,
    /// How the request came: `https`.
    pub(super) scheme: &'static str,
    pub(super) claims: Claims,
    /// How long an answer may take to begin.
    pub(super) patience: Duration,
}

impl Passage {
    /// Passes a request on that came from `peer`, and its answer back.
    pub(super) async fn answer(
        &self,
        running: &Running,
        request: Request<Incoming>,
        peer: SocketAddr,
    ) -> Response<Relayed> {
        let (mut head, body) = request.into_parts();
        let Some(body) = whole(body).await else {
            return said(StatusCode::PAYLOAD_TOO_LARGE, "That is too long to be passed on\n");
        };
        // HTTP/2 has the host in its URL, HTTP/1.1 in a field (RFC 9113 §8.3.1, RFC 9112 §3.2).
        let authority = head.uri.authority().and_then(|authority| HeaderValue::try_from(authority.as_str()).ok());
        if let Some(host) = self.host.clone().or(authority) {
            head.headers.insert(header::HOST, host);
        }
        let target = head.uri.path_and_query().cloned().unwrap_or(PathAndQuery::from_static("/"));
        head.uri = Uri::from(target);
        head.version = hyper::Version::HTTP_11;
        let is_claimed = head.headers.contains_key(forwarded::X_FORWARDED_FOR);
        if self.claims == Claims::Appended || !is_claimed {
            forwarded::name_sender(&mut head.headers, peer.ip());
        }
        head.headers.insert(forwarded::X_FORWARDED_PROTO, HeaderValue::from_static(self.scheme));
        self.ids.name(&mut head.headers);
        let whose = format!("{} {} {}", peer.ip(), head.method, head.uri);
        self.backends.pass_on(running, Request::from_parts(head, body), &whose, self.patience).await
    }
}
