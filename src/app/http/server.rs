//! `http-server`: a server with pages, and what all servers here share.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::future::Future;
use std::net::SocketAddr;
use std::rc::Rc;

use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::service::service_fn;
use hyper::{Method, Request, Response};
use serde::Deserialize;
use tokio::time::Instant;

use super::conditional;
use super::conversation::{self, Answered, Asked, Ended};
use super::page::{self, Page, not_allowed, nothing_at};
use crate::app::channel::{self, Channel, Gate, H2, HTTP_1};
use crate::app::program::Play;
use crate::app::run::Running;
use crate::app::tls::ServerTls;
use crate::app::{ProgramError, values};
use crate::journal::{CacheUse, ProgramEvent};

/// `http-server`
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "Written")]
pub struct HttpServer {
    port: u16,
    tls: Option<ServerTls>,
    http2: bool,
    pages: Vec<Page>,
}

/// The settings as they are typed: a single page needs no list.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    /// Where it listens, from 1.
    #[serde(deserialize_with = "values::port")]
    port: u16,
    tls: Option<ServerTls>,
    /// Whether it speaks HTTP/2, too; left out, where TLS lets client and server agree on it.
    http2: Option<bool>,
    #[serde(default, deserialize_with = "one_path")]
    path: Option<String>,
    body: Option<String>,
    #[serde(default)]
    pages: Vec<Page>,
}

fn one_path<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    page::path(deserializer).map(Some)
}

impl TryFrom<Written> for HttpServer {
    type Error = &'static str;

    fn try_from(Written { port, tls, http2, path, body, mut pages }: Written) -> Result<HttpServer, &'static str> {
        match (path, body) {
            (Some(path), Some(body)) => {
                pages.push(Page { path, body, headers: Default::default(), status: None, later: Vec::new() });
            }
            (None, None) if !pages.is_empty() => {}
            _ => {
                return Err("an http-server has pages: write `path` and `body` for a single one, or a list of `pages`");
            }
        }
        Ok(HttpServer { port, http2: http2.unwrap_or(tls.is_some()), tls, pages })
    }
}

impl Play for HttpServer {
    const NAME: &'static str = "http-server";
    const IS_SERVER: bool = true;

    async fn run(&self, running: &Running, ready: impl FnOnce()) -> Result<(), ProgramError> {
        let site = Rc::new(Site { pages: self.pages.clone(), served: RefCell::default(), started: Instant::now() });
        let protocols: &[&str] = if self.http2 { &[H2, HTTP_1] } else { &[HTTP_1] };
        let gate = Gate { port: self.port, tls: self.tls.as_ref(), protocols };
        serve(running, gate, ready, move |_, request| {
            let response = site.answer(&request);
            async move { (response, None) }
        })
        .await
    }
}

/// A server's pages at work.
struct Site {
    pages: Vec<Page>,
    /// How often each page was served.
    served: RefCell<BTreeMap<String, u32>>,
    started: Instant,
}

impl Site {
    fn answer(&self, request: &Request<Incoming>) -> Response<Bytes> {
        let path = request.uri().path();
        let Some(page) = self.pages.iter().find(|page| page.path == path) else {
            return nothing_at(path, &self.pages);
        };
        if !matches!(*request.method(), Method::GET | Method::HEAD) {
            return not_allowed(request.method());
        }
        let mut served = self.served.borrow_mut();
        let served = served.entry(page.path.clone()).or_default();
        let response = page.at(self.started.elapsed(), *served);
        *served = served.saturating_add(1);
        conditional::answer(request.method(), request.headers(), response)
    }
}

/// Serves HTTP at `gate` until dropped; `answer` gives the response, and what a cache had to do with it.
pub(super) async fn serve<'a, F>(
    running: &Running,
    gate: impl Into<Gate<'a>>,
    ready: impl FnOnce(),
    answer: impl Fn(Running, Request<Incoming>) -> F + Clone + 'static,
) -> Result<(), ProgramError>
where
    F: Future<Output = (Response<Bytes>, Option<CacheUse>)> + 'static,
{
    let gate = gate.into();
    let protocols = gate.protocols;
    let serve = move |running, channel, peer| serve_one(running, channel, peer, protocols, answer.clone());
    channel::serve(running, gate, ready, serve).await
}

/// Answers the requests of one connection until the client closes it.
async fn serve_one<F>(
    running: Running,
    channel: Channel,
    peer: SocketAddr,
    protocols: &'static [&'static str],
    answer: impl Fn(Running, Request<Incoming>) -> F,
) -> Result<(), ProgramError>
where
    F: Future<Output = (Response<Bytes>, Option<CacheUse>)> + 'static,
{
    let service = service_fn(|request: Asked| {
        let method = request.method().clone();
        // HTTP/2 has the whole URL in it; a target is its path and query (RFC 9112 §3.2.1).
        let target = request.uri().path_and_query().map(ToString::to_string);
        let target = target.unwrap_or_else(|| request.uri().to_string());
        let bytes = hyper::body::Body::size_hint(request.body()).lower();
        running.report(ProgramEvent::Request { method: method.to_string(), target, bytes });
        let (running, answered) = (running.clone(), answer(running.clone(), request));
        async move {
            let (response, cache) = answered.await;
            let bytes = if method == Method::HEAD { 0 } else { response.body().len() as u64 };
            running.report(ProgramEvent::Response { status: response.status().as_u16(), bytes, cache });
            Answered::Ok(response.map(Full::new))
        }
    });
    match conversation::hold(&running, channel, peer, protocols, service).await {
        Ok(()) | Err(Ended::ByUs) => Ok(()),
        Err(Ended::Wrong(error)) => Err(error),
    }
}
