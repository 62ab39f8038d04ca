//! `orders-client`: places an order, and tries again when no answer comes.

use std::time::Duration;

use http_body_util::Full;
use hyper::body::Bytes;
use hyper::header::{self, HeaderName, HeaderValue};
use hyper::{Method, Request, StatusCode};
use serde::Deserialize;

use super::JSON;
use super::connection::{self, Requests, close_after};
use super::orders::IDEMPOTENCY_KEY;
use crate::app::channel::{Dialer, HTTP_1};
use crate::app::policy::{Caller, Policy, Try};
use crate::app::program::Play;
use crate::app::run::Running;
use crate::app::tls::ClientTls;
use crate::app::{Destination, ProgramError, Span, Url};
use crate::journal::ProgramEvent;

/// `orders-client`
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OrdersClient {
    /// Where orders are taken.
    url: Url,
    /// The order.
    body: String,
    /// The `Idempotency-Key`, the same with each try; none when it is empty.
    #[serde(default)]
    key: String,
    /// How long it waits for an answer, connecting included.
    #[serde(default = "one_second")]
    timeout: Span,
    /// How often it tries, from 1.
    #[serde(default = "three")]
    tries: u32,
    /// How long it waits before it tries again.
    #[serde(default = "one_second")]
    pause: Span,
    /// How it speaks TLS to an `https` URL.
    #[serde(default)]
    tls: ClientTls,
}

fn one_second() -> Span {
    Span::from_duration(Duration::from_secs(1))
}

fn three() -> u32 {
    3
}

impl Play for OrdersClient {
    const NAME: &'static str = "orders-client";
    const IS_SERVER: bool = false;

    fn peers(&self) -> Vec<&Destination> {
        vec![&self.url.destination]
    }

    fn moves_over_tcp(&self) -> bool {
        true
    }

    /// Each try has a connection of its own. A status that speaks of the server's own trouble is tried again, as is silence.
    async fn run(&self, running: &Running, _ready: impl FnOnce()) -> Result<(), ProgramError> {
        let dialer = Dialer::new(&self.tls, &[HTTP_1]);
        let policy = self.policy();
        let peer = self.url.destination.to_string();
        let attempt = async || {
            let place = async |mut requests: Requests| self.place(running, &mut requests).await;
            let channel = dialer.dial(running, &self.url).await?;
            let status = connection::over(running, channel, &self.url.destination, false, place).await?;
            Ok(Try::by_status(status.as_u16(), ()))
        };
        let tried = Caller::new(running, &peer, &policy).call(attempt).await;
        tried.map_err(|_| ProgramError::NoAnswer { program: running.program, peer, tries: policy.tries })
    }
}

impl OrdersClient {
    /// The same pause before each try.
    fn policy(&self) -> Policy {
        let (timeout, tries) = (Some(self.timeout), self.tries.max(1));
        Policy { timeout, tries, backoff: self.pause, most: self.pause, ..Policy::default() }
    }

    async fn place(&self, running: &Running, requests: &mut Requests) -> hyper::Result<StatusCode> {
        let (method, target) = (Method::POST.to_string(), self.url.target.clone());
        running.report(ProgramEvent::Request { method, target, bytes: self.body.len() as u64 });
        let (head, body) = requests.send_request(self.request().map(Full::new)).await?.into_parts();
        let status = head.status;
        let (_, bytes) = connection::print(running, body, false).await?;
        running.report(ProgramEvent::Response { status: status.as_u16(), bytes, cache: None });
        Ok(status)
    }

    fn request(&self) -> Request<Bytes> {
        let mut request = connection::request(&self.url, self.body.clone());
        *request.method_mut() = Method::POST;
        let fields = request.headers_mut();
        if let Ok(key) = HeaderValue::try_from(&self.key)
            && !self.key.is_empty()
        {
            fields.insert(HeaderName::from_static(IDEMPOTENCY_KEY), key);
        }
        fields.insert(header::CONTENT_TYPE, HeaderValue::from_static(JSON));
        close_after(fields);
        request
    }
}
