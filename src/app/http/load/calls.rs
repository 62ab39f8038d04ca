//! A server that needs another one for its answer: the call, and what it tells its own client when there is none.

use hyper::body::Bytes;
use hyper::header::{self, HeaderValue};
use hyper::{Response, StatusCode};
use serde::Deserialize;
use serde_json::json;

use super::exchange::{Answer, dialer, exchange};
use crate::app::Url;
use crate::app::channel::Dialer;
use crate::app::http::{JSON, connection, page, response};
use crate::app::policy::{Caller, Circuit, NoAnswer, Policy, Try};
use crate::app::run::Running;
use crate::app::tls::ClientTls;

/// Whom a server calls, and how patiently.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Calls {
    /// What it asks for.
    pub(super) url: Url,
    /// The dependency's name in what clients are told; left out, the URL's host.
    #[serde(default)]
    name: Option<String>,
    /// Which of its own paths need the dependency; left out, all of them.
    #[serde(default, deserialize_with = "some_path")]
    path: Option<String>,
    #[serde(default)]
    policy: Policy,
    /// How it speaks TLS to an `https` URL.
    #[serde(default)]
    tls: ClientTls,
}

fn some_path<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    page::path(deserializer).map(Some)
}

/// The dependency, as its server knows it.
pub(super) struct Dependency {
    calls: Calls,
    caller: Caller,
    dialer: Dialer,
}

impl Dependency {
    /// One that nobody has called yet.
    pub(super) fn new(running: &Running, calls: &Calls) -> Dependency {
        let name = calls.name.as_ref().unwrap_or(&calls.url.destination.host);
        Dependency {
            calls: calls.clone(),
            caller: Caller::new(running, name, &calls.policy),
            dialer: dialer(&calls.tls),
        }
    }

    /// Whether an answer at `path` needs it.
    pub(super) fn is_needed_at(&self, path: &str) -> bool {
        self.calls.path.as_deref().is_none_or(|needs| needs == path)
    }

    /// Asks it; what comes back is its body, or what the client is told in its place.
    pub(super) async fn ask(&self, running: &Running) -> Result<Bytes, Response<Bytes>> {
        let url = &self.calls.url;
        let attempt = async || {
            let request = connection::request(url, Bytes::new());
            exchange(running, &self.dialer, url, request).await.map(judged)
        };
        self.caller.call(attempt).await.map_err(|failed| told(&self.caller, &failed))
    }
}

fn judged((status, body): Answer) -> Try<Bytes> {
    match body {
        Some(body) => Try::by_status(status.as_u16(), body),
        None => Try::Trouble("an answer that is too long, or broke off".to_owned()),
    }
}

/// What the client is told when the dependency has not answered: that it is busy (RFC 9110 §15.6.4), silent (§15.6.5), or ill
/// (§15.6.3).
fn told(caller: &Caller, failed: &NoAnswer) -> Response<Bytes> {
    let (status, message) = match failed {
        NoAnswer::Refused(_) => (
            StatusCode::SERVICE_UNAVAILABLE,
            "Requests temporarily blocked because the dependency is unhealthy.".to_owned(),
        ),
        NoAnswer::Silence => (StatusCode::GATEWAY_TIMEOUT, "The dependency did not answer in time.".to_owned()),
        NoAnswer::Trouble(words) => (StatusCode::BAD_GATEWAY, format!("The dependency has failed: {words}")),
    };
    let circuit = match failed {
        // A probe that is under way is nobody else's business.
        NoAnswer::Refused(_) => Circuit::Open,
        NoAnswer::Silence | NoAnswer::Trouble(_) => caller.circuit(),
    };
    let body = format!(
        "{{\n\"dependency\": {},\n\"circuitState\": \"{}\",\n\"message\": {}\n}}\n",
        json!(caller.name()),
        circuit.name(),
        json!(message)
    );
    let mut response = response(status, JSON, body);
    if let NoAnswer::Refused(left) = failed {
        let seconds = left.as_secs() + u64::from(left.subsec_nanos() > 0);
        response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds.max(1)));
    }
    response
}
