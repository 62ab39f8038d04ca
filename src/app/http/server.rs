//! `http-server`: a server with pages, and what all servers here share.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::convert::Infallible;
use std::error::Error;
use std::future::Future;
use std::net::SocketAddr;
use std::rc::Rc;

use http_body_util::Full;
use hyper::body::{Body, Bytes, Incoming};
use hyper::service::{Service, service_fn};
use hyper::{Method, Request, Response};
#[cfg(feature = "websocket")]
use hyper_util::rt::TokioIo;
use serde::Deserialize;
#[cfg(feature = "websocket")]
use tokio::io::AsyncWriteExt;
use tokio::time::Instant;

#[cfg(feature = "formats")]
use super::coding::{Coding, packed};
use super::conditional;
use super::conversation::{self, Ended};
#[cfg(feature = "websocket")]
use super::misunderstood;
use super::page::{self, Page, not_allowed, nothing_at};
#[cfg(feature = "websocket")]
use crate::app::Stream;
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
    #[cfg(feature = "formats")]
    compress: Vec<Coding>,
    #[cfg(feature = "formats")]
    vary: bool,
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
    /// The codings that it offers, its favourite first.
    #[cfg(feature = "formats")]
    #[serde(default)]
    compress: Vec<Coding>,
    /// Whether it says that another client may get another coding.
    #[cfg(feature = "formats")]
    #[serde(default = "yes")]
    vary: bool,
}

#[cfg(feature = "formats")]
fn yes() -> bool {
    true
}

fn one_path<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    page::path(deserializer).map(Some)
}

impl TryFrom<Written> for HttpServer {
    type Error = &'static str;

    fn try_from(written: Written) -> Result<HttpServer, &'static str> {
        let mut pages = written.pages;
        match (written.path, written.body) {
            (Some(path), Some(body)) => {
                pages.push(Page { path, body, ..Page::default() });
            }
            (None, None) if !pages.is_empty() => {}
            _ => {
                return Err("an http-server has pages: write `path` and `body` for a single one, or a list of `pages`");
            }
        }
        Ok(HttpServer {
            port: written.port,
            http2: written.http2.unwrap_or(written.tls.is_some()),
            tls: written.tls,
            pages,
            #[cfg(feature = "formats")]
            compress: written.compress,
            #[cfg(feature = "formats")]
            vary: written.vary,
        })
    }
}

impl Play for HttpServer {
    const NAME: &'static str = "http-server";
    const IS_SERVER: bool = true;

    async fn run(&self, running: &Running, ready: impl FnOnce()) -> Result<(), ProgramError> {
        let site = Rc::new(Site::new(&self.pages, running));
        #[cfg(feature = "formats")]
        let (compress, vary) = (Rc::new(self.compress.clone()), self.vary);
        let protocols: &[&str] = if self.http2 { &[H2, HTTP_1] } else { &[HTTP_1] };
        let gate = Gate { port: self.port, tls: self.tls.as_ref(), protocols };
        serve(running, gate, ready, move |_, request| {
            let site = site.clone();
            #[cfg(feature = "formats")]
            let compress = compress.clone();
            async move {
                let response = site.answer(&request);
                #[cfg(feature = "formats")]
                let response = packed(request.headers(), &compress, vary, response).await;
                (response, None)
            }
        })
        .await
    }
}

/// A server's pages at work.
pub(in crate::app) struct Site {
    pages: Vec<Page>,
    /// The bodies that are not written, by path.
    generated: BTreeMap<String, (&'static str, Bytes)>,
    /// How often each page was served.
    served: RefCell<BTreeMap<String, u32>>,
    started: Instant,
}

impl Site {
    /// These pages, which nobody has asked for yet.
    pub(in crate::app) fn new(pages: &[Page], running: &Running) -> Site {
        let drawn = |page: &Page| Some((page.path.clone(), page.generated?.body(running.data())));
        let generated = pages.iter().filter_map(drawn).collect();
        Site { pages: pages.to_vec(), generated, served: RefCell::default(), started: Instant::now() }
    }

    /// What stands where the request asks for it.
    pub(in crate::app) fn answer<B>(&self, request: &Request<B>) -> Response<Bytes> {
        let path = request.uri().path();
        let Some(page) = self.pages.iter().find(|page| page.path == path) else {
            return nothing_at(path, &self.pages);
        };
        if !matches!(*request.method(), Method::GET | Method::HEAD) {
            return not_allowed(request.method());
        }
        let mut served = self.served.borrow_mut();
        let served = served.entry(page.path.clone()).or_default();
        let response = page.at(self.started.elapsed(), *served, self.generated.get(path));
        *served = served.saturating_add(1);
        conditional::answer(request.method(), request.headers(), response)
    }
}

/// Serves HTTP at `gate` until dropped; `answer` gives the response, and what a cache had to do with it.
pub(in crate::app) async fn serve<'a, F>(
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
    let answer = move |running, request| {
        let answered = answer(running, request);
        async move {
            let (response, cache) = answered.await;
            (response.map(Full::new), cache)
        }
    };
    let serve = move |running, channel, peer| serve_one(running, channel, peer, protocols, answer.clone());
    channel::serve(running, gate, ready, serve).await
}

/// Answers the requests of one connection until the client closes it.
pub(in crate::app) async fn serve_one<F, B>(
    running: Running,
    channel: Channel,
    peer: SocketAddr,
    protocols: &'static [&'static str],
    answer: impl Fn(Running, Request<Incoming>) -> F + 'static,
) -> Result<(), ProgramError>
where
    F: Future<Output = (Response<B>, Option<CacheUse>)> + 'static,
    B: Body<Data = Bytes, Error: Into<Box<dyn Error + Send + Sync>>> + 'static,
{
    serve_until_broken(running, channel, peer, protocols, answer).await.map(drop)
}

/// As [`serve_one`]; gives back what is left of the channel when a body of the program's own has broken off.
pub(in crate::app) async fn serve_until_broken<F, B>(
    running: Running,
    channel: Channel,
    peer: SocketAddr,
    protocols: &'static [&'static str],
    answer: impl Fn(Running, Request<Incoming>) -> F + 'static,
) -> Result<Option<Channel>, ProgramError>
where
    F: Future<Output = (Response<B>, Option<CacheUse>)> + 'static,
    B: Body<Data = Bytes, Error: Into<Box<dyn Error + Send + Sync>>> + 'static,
{
    match conversation::hold(&running, channel, peer, protocols, reported(running.clone(), answer)).await {
        Ok(()) => Ok(None),
        Err(Ended::ByUs(channel)) => Ok(channel),
        Err(Ended::Wrong(error)) => Err(error),
    }
}

/// Answers the requests of one connection until one is answered with 101: then the stream is somebody else's, with what was
/// read of it already. `None` when the client closes it before.
#[cfg(feature = "websocket")]
pub(in crate::app) async fn serve_until_upgrade<F, B>(
    running: &Running,
    stream: Stream,
    peer: SocketAddr,
    answer: impl Fn(Running, Request<Incoming>) -> F,
) -> Result<Option<(Stream, Bytes)>, ProgramError>
where
    F: Future<Output = (Response<B>, Option<CacheUse>)>,
    B: Body<Data = Bytes, Error: Into<Box<dyn Error + Send + Sync>>> + 'static,
{
    let switches = std::cell::Cell::new(false);
    let watched = |running: Running, request: Request<Incoming>| {
        let answered = answer(running, request);
        async {
            let (response, cache) = answered.await;
            switches.set(response.status() == hyper::StatusCode::SWITCHING_PROTOCOLS);
            (response, cache)
        }
    };
    let mut builder = hyper::server::conn::http1::Builder::new();
    builder.auto_date_header(false).title_case_headers(true);
    let connection = builder.serve_connection(TokioIo::new(stream), reported(running.clone(), watched));
    let parts = connection.without_shutdown().await.map_err(|error| misunderstood(running, peer, &error))?;
    let mut stream = parts.io.into_inner();
    if switches.get() {
        return Ok(Some((stream, parts.read_buf)));
    }
    stream.shutdown().await.map_err(running.broken("closing the connection with", peer))?;
    Ok(None)
}

/// `answer` as a service that reports each request and its response.
fn reported<F, B>(
    running: Running,
    answer: impl Fn(Running, Request<Incoming>) -> F,
) -> impl Service<
    Request<Incoming>,
    Response = Response<B>,
    Error = Infallible,
    Future = impl Future<Output = Result<Response<B>, Infallible>>,
>
where
    F: Future<Output = (Response<B>, Option<CacheUse>)>,
    B: Body,
{
    service_fn(move |request: Request<Incoming>| {
        let method = request.method().clone();
        // HTTP/2 has the whole URL in it; a target is its path and query (RFC 9112 §3.2.1).
        let target = request.uri().path_and_query().map(ToString::to_string);
        let target = target.unwrap_or_else(|| request.uri().to_string());
        let bytes = request.body().size_hint().lower();
        running.report(ProgramEvent::Request { method: method.to_string(), target, bytes });
        let (running, answered) = (running.clone(), answer(running.clone(), request));
        async move {
            let (response, cache) = answered.await;
            // What has no end yet has no length.
            let length = response.body().size_hint().exact().unwrap_or(0);
            let bytes = if method == Method::HEAD { 0 } else { length };
            running.report(ProgramEvent::Response { status: response.status().as_u16(), bytes, cache });
            Ok::<_, Infallible>(response)
        }
    })
}
