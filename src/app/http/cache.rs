//! `http-cache`: a cache between clients and a server, as at the edge of a content delivery network (RFC 9111).
//!
//! It says what it did in `Cache-Status` (RFC 9211), how old a stored response is in `Age`, and that it was there in `Via`.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::header::{self, HeaderMap, HeaderName, HeaderValue};
use hyper::{Method, Request, Response, StatusCode};
use serde::{Deserialize, Deserializer, de};
use tokio::time::timeout;

use super::connection::{Requests, close_after, whole, with_connection};
use super::forward::without_hop_by_hop;
use super::server::serve;
use super::store::{Advice, Store};
use super::{TEXT, conditional, response};
use crate::app::program::Play;
use crate::app::run::Running;
use crate::app::{Destination, ProgramError, Span, values};
use crate::journal::CacheUse;

const CACHE_STATUS: HeaderName = HeaderName::from_static("cache-status");

/// `http-cache`
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HttpCache {
    /// Where it listens, from 1.
    #[serde(deserialize_with = "values::port")]
    port: u16,
    /// Whom it asks.
    origin: Destination,
    /// What it calls itself.
    #[serde(default = "wireglass", deserialize_with = "token")]
    name: String,
    /// Whether it knows that it serves many: else it keeps what is meant for one alone (RFC 9111 §5.2.2.7).
    #[serde(default = "yes")]
    shared: bool,
    /// How long it waits for the server.
    #[serde(default = "ten_seconds")]
    timeout: Span,
}

fn wireglass() -> String {
    "wireglass".to_owned()
}

fn yes() -> bool {
    true
}

fn ten_seconds() -> Span {
    Span::from_duration(Duration::from_secs(10))
}

/// Reads a name that may stand in `Via` and `Cache-Status`.
fn token<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    let name = String::deserialize(deserializer)?;
    let fits = name.starts_with(|c: char| c.is_ascii_alphabetic())
        && name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.'));
    let error =
        || de::Error::custom(format!("`{name}` is no name of a cache: write letters, digits, `-`, `_` and `.`"));
    if fits { Ok(name) } else { Err(error()) }
}

impl Play for HttpCache {
    const NAME: &'static str = "http-cache";
    const IS_SERVER: bool = true;

    fn peers(&self) -> Vec<&Destination> {
        vec![&self.origin]
    }

    async fn run(&self, running: &Running, ready: impl FnOnce()) -> Result<(), ProgramError> {
        let edge = Rc::new(Edge { settings: self.clone(), store: RefCell::new(Store::new(self.shared)) });
        serve(running, self.port, ready, move |running, request| {
            let edge = edge.clone();
            async move { edge.answer(&running, request).await }
        })
        .await
    }
}

/// A cache at work. No borrow of its store is held while the server is asked.
struct Edge {
    settings: HttpCache,
    store: RefCell<Store>,
}

impl Edge {
    async fn answer(&self, running: &Running, request: Request<Incoming>) -> (Response<Bytes>, Option<CacheUse>) {
        let (parts, body) = request.into_parts();
        let Some(body) = whole(body).await else {
            return (response(StatusCode::PAYLOAD_TOO_LARGE, TEXT, "That is too long to be passed on\n"), None);
        };
        let mut plain = Request::from_parts(parts, ());
        without_hop_by_hop(plain.headers_mut());
        let host = plain.headers().get(header::HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
        let key = format!("{host}{}", plain.uri());
        let advice = match *plain.method() {
            Method::GET | Method::HEAD => self.store.borrow().advise(&key, &plain),
            _ => Advice::Ask { fields: plain.headers().clone(), validates: false },
        };
        let (mut response, cache) = match advice {
            Advice::Use(response) => (response, CacheUse::Hit),
            Advice::Ask { fields, validates } => {
                let mut asked = plain.clone().map(|()| body);
                *asked.headers_mut() = fields;
                match self.fetch(running, asked).await {
                    Ok(response) => self.learn(&key, &plain, validates, response),
                    Err(failure) => return (failure, Some(CacheUse::Miss)),
                }
            }
        };
        self.sign(response.headers_mut(), Some(cache));
        (conditional::answer(plain.method(), plain.headers(), response), Some(cache))
    }

    fn learn(
        &self,
        key: &str,
        plain: &Request<()>,
        validates: bool,
        response: Response<Bytes>,
    ) -> (Response<Bytes>, CacheUse) {
        let mut store = self.store.borrow_mut();
        match *plain.method() {
            Method::GET | Method::HEAD => store.learn(key, plain, validates, response),
            _ => {
                if !(response.status().is_client_error() || response.status().is_server_error()) {
                    store.forget(key);
                }
                (response, CacheUse::Miss)
            }
        }
    }

    /// Asks the server, on a connection of its own; the error is what the client gets instead.
    async fn fetch(&self, running: &Running, mut asked: Request<Bytes>) -> Result<Response<Bytes>, Response<Bytes>> {
        close_after(asked.headers_mut());
        self.sign(asked.headers_mut(), None);
        let ask = async |mut requests: Requests| {
            let (head, body) = requests.send_request(asked.map(Full::new)).await?.into_parts();
            Ok(whole(body).await.map(|body| Response::from_parts(head, body)))
        };
        let asked = with_connection(running, &self.settings.origin, ask);
        let mut response = match timeout(self.settings.timeout.duration(), asked).await {
            Ok(Ok(Some(response))) => response,
            Ok(Ok(None)) => return Err(self.failed(StatusCode::BAD_GATEWAY, "The answer broke off, or is too long\n")),
            Ok(Err(error)) => {
                running.complain(&error);
                return Err(self.failed(StatusCode::BAD_GATEWAY, "The server cannot be reached\n"));
            }
            Err(_) => return Err(self.failed(StatusCode::GATEWAY_TIMEOUT, "The server does not answer in time\n")),
        };
        without_hop_by_hop(response.headers_mut());
        response.headers_mut().remove(header::CONTENT_LENGTH);
        Ok(response)
    }

    fn failed(&self, status: StatusCode, text: &'static str) -> Response<Bytes> {
        let mut response = response(status, TEXT, text);
        self.sign(response.headers_mut(), None);
        response
    }

    /// Says who passed this on (RFC 9110 §7.6.3), and what the cache did (RFC 9211 §2).
    fn sign(&self, fields: &mut HeaderMap, cache: Option<CacheUse>) {
        let name = &self.settings.name;
        let status = cache.map(|cache| match cache {
            CacheUse::Hit => format!("{name}; hit"),
            CacheUse::Miss => format!("{name}; fwd=miss"),
            CacheUse::Validated => format!("{name}; fwd=stale; fwd-status=304"),
            CacheUse::Replaced => format!("{name}; fwd=stale"),
        });
        // The name is a token, so that both are values of fields.
        fields.extend(HeaderValue::try_from(format!("1.1 {name}")).ok().map(|value| (header::VIA, value)));
        let status = status.and_then(|status| HeaderValue::try_from(status).ok());
        fields.extend(status.map(|value| (CACHE_STATUS, value)));
    }
}
