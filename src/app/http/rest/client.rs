//! `rest-client`: sends requests to one server, and uses connections for them in one of four ways (RFC 9112 §9.3).

use std::rc::Rc;
use std::time::Duration;

use http_body_util::Full;
use hyper::body::Bytes;
use hyper::header::{self, HeaderValue};
use hyper::{Method, Request};
use serde::{Deserialize, Deserializer, de};
use tokio::task::JoinSet;
use tokio::time::timeout;

use super::pipeline;
use crate::app::channel::{Channel, Dialer, HTTP_1};
use crate::app::dns;
use crate::app::http::JSON;
use crate::app::http::connection::{self, Requests, close_after};
use crate::app::http::fields::Fields;
use crate::app::http::page;
use crate::app::program::Play;
use crate::app::run::Running;
use crate::app::tls::ClientTls;
use crate::app::{Destination, ProgramError, Span, Url};
use crate::journal::ProgramEvent;

/// `rest-client`
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RestClient {
    /// The server: `http://api.example.com/`.
    url: Url,
    /// The DNS server that it asks for the server's address, once; left out, the lab's names are enough.
    #[serde(default)]
    resolver: Option<Destination>,
    calls: Vec<Call>,
    #[serde(default)]
    connections: Connections,
    /// Fields of every request.
    #[serde(default)]
    headers: Fields,
    /// How long it waits on one connection until all is there.
    #[serde(default = "ten_seconds")]
    timeout: Span,
    /// How it speaks TLS to an `https` URL.
    #[serde(default)]
    tls: ClientTls,
}

fn ten_seconds() -> Span {
    Span::from_duration(Duration::from_secs(10))
}

/// One request.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
struct Call {
    /// `GET`
    #[serde(default, deserialize_with = "method")]
    method: Method,
    #[serde(deserialize_with = "page::path")]
    path: String,
    /// JSON; none when it is empty.
    #[serde(default)]
    body: String,
}

fn method<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Method, D::Error> {
    let name = String::deserialize(deserializer)?;
    let known = [Method::GET, Method::POST, Method::PUT, Method::DELETE];
    let error = || de::Error::custom(format!("`{name}` is not a method: write GET, POST, PUT or DELETE"));
    known.into_iter().find(|method| method.as_str() == name).ok_or_else(error)
}

/// How requests share connections.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Connections {
    /// Each request has its own, one after the other: `Connection: close`.
    #[default]
    Each,
    /// All go over one, each when the answer to the one before is there.
    One,
    /// Each has its own, all at once.
    Parallel,
    /// All go over one, at once (RFC 9112 §9.3.2).
    Pipelined,
}

impl Play for RestClient {
    const NAME: &'static str = "rest-client";
    const IS_SERVER: bool = false;

    /// A name that DNS knows need not be a node's.
    fn peers(&self) -> Vec<&Destination> {
        vec![self.resolver.as_ref().unwrap_or(&self.url.destination)]
    }

    fn moves_over_tcp(&self) -> bool {
        true
    }

    /// A status such as 404 is an answer, too. What does not come in time is a trouble that it reports.
    async fn run(&self, running: &Running, _ready: impl FnOnce()) -> Result<(), ProgramError> {
        let visit = Rc::new(self.visit(running).await?);
        match self.connections {
            Connections::One => visit.patiently(running, visit.in_turn(running, &self.calls, false)).await,
            Connections::Pipelined => visit.patiently(running, visit.pipelined(running)).await,
            Connections::Each => {
                for call in self.calls.chunks(1) {
                    visit.patiently(running, visit.in_turn(running, call, true)).await?;
                }
                Ok(())
            }
            Connections::Parallel => {
                let mut all = JoinSet::new();
                for call in self.calls.iter().cloned() {
                    let (visit, running) = (visit.clone(), running.clone());
                    all.spawn_local(
                        async move { visit.patiently(&running, visit.in_turn(&running, &[call], true)).await },
                    );
                }
                let outcomes = all.join_all().await;
                outcomes.into_iter().collect()
            }
        }
    }
}

impl RestClient {
    /// Finds out where the server is.
    async fn visit(&self, running: &Running) -> Result<Visit, ProgramError> {
        let Destination { host, port } = self.url.destination.clone();
        let at = match &self.resolver {
            Some(resolver) => {
                let address = dns::address_of(running, resolver, &host).await?;
                Destination { host: address.to_string(), port }
            }
            None => Destination { host, port },
        };
        Ok(Visit { settings: self.clone(), at, dialer: Dialer::new(&self.tls, &[HTTP_1]) })
    }

    fn request(&self, call: &Call) -> Request<Bytes> {
        let mut request = connection::request(&self.url, call.body.clone());
        *request.method_mut() = call.method.clone();
        // A path was looked at when it was read.
        *request.uri_mut() = call.path.parse().unwrap_or_default();
        let fields = request.headers_mut();
        if !call.body.is_empty() {
            fields.insert(header::CONTENT_TYPE, HeaderValue::from_static(JSON));
        }
        self.headers.put_into(fields);
        request
    }
}

/// A server whose address is known.
struct Visit {
    settings: RestClient,
    at: Destination,
    dialer: Dialer,
}

impl Visit {
    /// Does something on a connection, for as long as its patience lasts.
    async fn patiently(
        &self,
        running: &Running,
        conversation: impl Future<Output = Result<(), ProgramError>>,
    ) -> Result<(), ProgramError> {
        let patience = self.settings.timeout.duration();
        timeout(patience, conversation).await.unwrap_or_else(|_| {
            running.complain(format!("the answers are not whole after {patience:?}: it waits no longer"));
            Ok(())
        })
    }

    async fn dial(&self, running: &Running) -> Result<Channel, ProgramError> {
        self.dialer.dial_at(running, &self.settings.url, &self.at).await
    }

    async fn in_turn(&self, running: &Running, calls: &[Call], is_last: bool) -> Result<(), ProgramError> {
        let channel = self.dial(running).await?;
        let talk = async |mut requests: Requests| {
            for call in calls {
                let mut request = self.settings.request(call);
                if is_last {
                    close_after(request.headers_mut());
                }
                report(running, call);
                requests.ready().await?;
                let (head, body) = requests.send_request(request.map(Full::new)).await?.into_parts();
                let (_, bytes) = connection::print(running, body, false).await?;
                running.report(ProgramEvent::Response { status: head.status.as_u16(), bytes, cache: None });
            }
            Ok(())
        };
        connection::over(running, channel, &self.settings.url.destination, false, talk).await
    }

    async fn pipelined(&self, running: &Running) -> Result<(), ProgramError> {
        let channel = self.dial(running).await?;
        let mut requests: Vec<Request<Bytes>> =
            self.settings.calls.iter().map(|call| self.settings.request(call)).collect();
        if let Some(last) = requests.last_mut() {
            close_after(last.headers_mut());
        }
        for call in &self.settings.calls {
            report(running, call);
        }
        pipeline::ask(running, channel, &self.settings.url.destination, &requests).await
    }
}

fn report(running: &Running, call: &Call) {
    let (method, target) = (call.method.to_string(), call.path.clone());
    running.report(ProgramEvent::Request { method, target, bytes: call.body.len() as u64 });
}
