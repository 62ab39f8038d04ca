//! HTTP/1.1: `http-server`, a server with one page, and `http-get`, the twin of `curl URL` (RFC 9110, RFC 9112).
//!
//! hyper speaks the protocol; here stands what a lab may rely on. The server sends no `Date`: a wall clock would make
//! each capture different. Field names are in title case, as most people know them and as curl sends them.

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use http_body_util::{BodyExt, Empty, Full};
use hyper::body::{Bytes, Incoming};
use hyper::header::{self, HeaderValue};
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use serde::Deserialize;
use tokio::io::AsyncWriteExt;

use super::lines::Lines;
use super::program::Play;
use super::run::Running;
use super::{Destination, ProgramError, Stream, Url, values};
use crate::journal::ProgramEvent;

/// How the client names itself, as `curl/8.5.0` does.
const USER_AGENT: &str = concat!("wireglass/", env!("CARGO_PKG_VERSION"));

/// The one page of a server.
struct Page {
    path: String,
    body: Bytes,
    kind: &'static str,
}

impl Page {
    fn new(path: &str, body: &str) -> Page {
        let is_json =
            body.trim_start().starts_with(['{', '[']) && serde_json::from_str::<serde::de::IgnoredAny>(body).is_ok();
        let kind = if is_json { "application/json" } else { TEXT };
        Page { path: path.to_owned(), body: Bytes::from(body.to_owned()), kind }
    }

    /// The answer to a request. The query is not looked at: there is one page.
    fn answer(&self, method: &Method, path: &str) -> Response<Full<Bytes>> {
        if path != self.path {
            let text = format!("There is nothing at {path}. This server has {}\n", self.path);
            return response(StatusCode::NOT_FOUND, TEXT, text.into());
        }
        if method == Method::GET || method == Method::HEAD {
            return response(StatusCode::OK, self.kind, self.body.clone());
        }
        let text = format!("{method} is not allowed here. GET and HEAD are\n");
        let mut refusal = response(StatusCode::METHOD_NOT_ALLOWED, TEXT, text.into());
        refusal.headers_mut().insert(header::ALLOW, HeaderValue::from_static("GET, HEAD"));
        refusal
    }
}

const TEXT: &str = "text/plain; charset=utf-8";

fn response(status: StatusCode, kind: &'static str, body: Bytes) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(body));
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    response
}

/// `http-server`
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HttpServer {
    /// Where it listens, from 1.
    #[serde(deserialize_with = "values::port")]
    pub port: u16,
    /// The page's path: `/api/posts`. Elsewhere the answer is 404.
    #[serde(deserialize_with = "values::path")]
    pub path: String,
    /// The page. A JSON object or array is sent as `application/json`, all else as plain text.
    pub body: String,
}

impl Play for HttpServer {
    const NAME: &'static str = "http-server";
    const IS_SERVER: bool = true;

    async fn run(&self, running: &Running, ready: impl FnOnce()) -> Result<(), ProgramError> {
        let page = Arc::new(Page::new(&self.path, &self.body));
        let serve = move |running, stream, peer| serve_one(running, stream, peer, page.clone());
        running.serve_streams(self.port, ready, serve).await
    }
}

/// Answers the requests of one connection until the client closes it.
async fn serve_one(running: Running, stream: Stream, peer: SocketAddr, page: Arc<Page>) -> Result<(), ProgramError> {
    let service = service_fn(|request: Request<Incoming>| {
        let response = answer(&running, &page, &request);
        async move { Ok::<_, Infallible>(response) }
    });
    let served = hyper::server::conn::http1::Builder::new()
        .auto_date_header(false)
        .title_case_headers(true)
        .serve_connection(TokioIo::new(stream), service)
        .await;
    served.map_err(|error| misunderstood(&running, peer, &error))
}

fn answer(running: &Running, page: &Page, request: &Request<Incoming>) -> Response<Full<Bytes>> {
    let (method, target) = (request.method().to_string(), request.uri().to_string());
    running.report(ProgramEvent::Request { method, target });
    let response = page.answer(request.method(), request.uri().path());
    let bytes = hyper::body::Body::size_hint(response.body()).lower();
    running.report(ProgramEvent::Response { status: response.status().as_u16(), bytes });
    response
}

/// `http-get`
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HttpGet {
    /// The page.
    pub url: Url,
}

impl Play for HttpGet {
    const NAME: &'static str = "http-get";
    const IS_SERVER: bool = false;

    fn peers(&self) -> Vec<&Destination> {
        vec![&self.url.destination]
    }

    fn moves_over_tcp(&self) -> bool {
        true
    }

    /// Fetches the page, prints it, and closes. A status such as 404 is an answer too, as it is for curl.
    async fn run(&self, running: &Running, _ready: impl FnOnce()) -> Result<(), ProgramError> {
        fetch(running, &self.url).await
    }
}

async fn fetch(running: &Running, url: &Url) -> Result<(), ProgramError> {
    let peer = &url.destination;
    let stream = running.connect(peer).await?;
    let (requests, connection) = hyper::client::conn::http1::Builder::new()
        .title_case_headers(true)
        .handshake(TokioIo::new(stream))
        .await
        .map_err(|error| misunderstood(running, peer, &error))?;
    // The connection does the work for the request, and ends once `requests` is dropped with its answer read.
    let (fetched, connection) = tokio::join!(biased; get(running, requests, url), connection.without_shutdown());
    let mut stream = match (fetched, connection) {
        (Ok(()), Ok(parts)) => parts.io.into_inner(),
        // The connection's error is the cause, the request's a consequence.
        (_, Err(error)) | (Err(error), Ok(_)) => return Err(misunderstood(running, peer, &error)),
    };
    stream.shutdown().await.map_err(running.broken("closing the connection with", peer))?;
    tokio::io::copy(&mut stream, &mut tokio::io::sink())
        .await
        .map_err(running.broken("waiting for the close of", peer))?;
    Ok(())
}

type Requests = hyper::client::conn::http1::SendRequest<Empty<Bytes>>;

async fn get(running: &Running, mut requests: Requests, url: &Url) -> hyper::Result<()> {
    let mut request = Request::new(Empty::new());
    // A URL is checked when it is read; what hyper still refused would be sent as the root.
    *request.uri_mut() = url.target.parse().unwrap_or_default();
    let authority = HeaderValue::try_from(&url.authority);
    let fields = request.headers_mut();
    fields.extend(authority.ok().map(|authority| (header::HOST, authority)));
    fields.insert(header::USER_AGENT, HeaderValue::from_static(USER_AGENT));
    fields.insert(header::ACCEPT, HeaderValue::from_static("*/*"));
    // One request is all there is: the server closes after its answer, and nobody waits for another.
    fields.insert(header::CONNECTION, HeaderValue::from_static("close"));
    running.report(ProgramEvent::Request { method: "GET".to_owned(), target: url.target.clone() });

    let response = requests.send_request(request).await?;
    let status = response.status().as_u16();
    let bytes = print(running, response.into_body()).await?;
    running.report(ProgramEvent::Response { status, bytes });
    Ok(())
}

/// Prints a body line by line, as curl does; returns its length in octets.
async fn print(running: &Running, mut body: Incoming) -> hyper::Result<u64> {
    let mut lines = Lines::new(false);
    let mut bytes = 0;
    while let Some(frame) = body.frame().await {
        // What is not data are trailers, which curl does not print either.
        if let Ok(data) = frame?.into_data() {
            bytes += data.len() as u64;
            lines.push(&data, &mut |line| running.report(line));
        }
    }
    lines.finish(&mut |line| running.report(line));
    Ok(bytes)
}

/// Says who broke off: the system (the connection), or the peer (which does not speak HTTP/1.1).
fn misunderstood(running: &Running, peer: impl ToString, error: &hyper::Error) -> ProgramError {
    let cause = std::error::Error::source(error);
    if let Some(system) = cause.and_then(|cause| cause.downcast_ref::<io::Error>()) {
        return running.broken("speaking HTTP with", peer)(io::Error::new(system.kind(), system.to_string()));
    }
    let cause = cause.map(|cause| format!(": {cause}")).unwrap_or_default();
    ProgramError::Protocol { program: running.program, peer: peer.to_string(), detail: format!("{error}{cause}") }
}
