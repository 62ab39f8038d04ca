//! A client's connection: requests, answers, and an orderly close (RFC 9112 §9).

use http_body_util::{BodyExt, Full, Limited};
use hyper::body::{Bytes, Incoming};
use hyper::client::conn::{http1, http2};
use hyper::header::{self, HeaderMap, HeaderValue};
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use tokio::io::AsyncWriteExt;

use super::conversation::Beside;
use super::{MOST_BODY, misunderstood};
use crate::app::channel::{Channel, H2, HTTP_1, Lent};
use crate::app::lines::Lines;
use crate::app::run::Running;
use crate::app::{Destination, ProgramError, Url};

/// How the clients name themselves, as `curl/8.5.0` does.
const USER_AGENT: &str = concat!("wireglass/", env!("CARGO_PKG_VERSION"));

/// What a client of HTTP offers where it speaks TLS.
pub(super) const BOTH: &[&str] = &[H2, HTTP_1];

/// Where requests go.
pub(in crate::app) enum Requests {
    /// One after the other (HTTP/1.1).
    InTurn(http1::SendRequest<Full<Bytes>>),
    /// Each as a stream of its own (HTTP/2), in this scheme.
    AsStreams(http2::SendRequest<Full<Bytes>>, &'static str),
}

impl Requests {
    /// Another way to the same connection, for a request at the same time; `None` where they go one after the other.
    #[cfg(feature = "quic")]
    pub(in crate::app) fn beside(&self) -> Option<Requests> {
        match self {
            Requests::InTurn(_) => None,
            Requests::AsStreams(requests, scheme) => Some(Requests::AsStreams(requests.clone(), scheme)),
        }
    }

    /// Waits until another request may be sent.
    pub(in crate::app) async fn ready(&mut self) -> hyper::Result<()> {
        match self {
            Requests::InTurn(requests) => requests.ready().await,
            Requests::AsStreams(requests, _) => requests.ready().await,
        }
    }

    /// Sends a request and waits for the head of its response.
    pub(in crate::app) async fn send_request(
        &mut self,
        request: Request<Full<Bytes>>,
    ) -> hyper::Result<Response<Incoming>> {
        match self {
            Requests::InTurn(requests) => requests.send_request(request).await,
            Requests::AsStreams(requests, scheme) => requests.send_request(as_stream(request, scheme)).await,
        }
    }
}

/// The request as HTTP/2 and HTTP/3 have it: the host is part of its URL, and nothing is said of the connection (RFC 9113 §8.2.2, §8.3.1,
/// RFC 9114 §4.3.1).
pub(in crate::app) fn as_stream<B>(mut request: Request<B>, scheme: &str) -> Request<B> {
    let host = request.headers_mut().remove(header::HOST);
    request.headers_mut().remove(header::CONNECTION);
    let host = host.as_ref().and_then(|host| host.to_str().ok()).unwrap_or_default();
    let target = request.uri().path_and_query().map_or("/", |target| target.as_str());
    if let Ok(url) = format!("{scheme}://{host}{target}").parse() {
        *request.uri_mut() = url;
    }
    request
}

/// Opens a plain connection to `to`, has `talk` use it, and closes it. The peer has closed it, too, when this returns.
///
/// # Errors
/// What the system or the peer did wrong; that of the connection rather than that of `talk`, which follows from it.
pub(in crate::app) async fn with_connection<T>(
    running: &Running,
    to: &Destination,
    talk: impl AsyncFnOnce(Requests) -> hyper::Result<T>,
) -> Result<T, ProgramError> {
    over(running, Channel::Plain(running.connect(to).await?), to, false, talk).await
}

/// As [`with_connection`], over a channel that is open. `http2` speaks HTTP/2 without having asked; TLS may have agreed on it.
///
/// # Errors
/// As for [`with_connection`].
pub(in crate::app) async fn over<T>(
    running: &Running,
    channel: Channel,
    to: &Destination,
    http2: bool,
    talk: impl AsyncFnOnce(Requests) -> hyper::Result<T>,
) -> Result<T, ProgramError> {
    let wrong = |error| misunderstood(running, to, &error);
    let (said, channel) = match http2 || channel.alpn() == Some(H2.as_bytes()) {
        false => in_turn(channel, talk).await.map_err(wrong)?,
        true => as_streams(channel, talk).await.map_err(wrong)?,
    };
    let Some(mut channel) = channel else { return Ok(said) };
    channel.shutdown().await.map_err(running.broken("closing the connection with", to))?;
    channel.see_closed().await.map_err(running.broken("waiting for the close of", to))?;
    Ok(said)
}

/// Speaks HTTP/1.1 until `talk` is over.
async fn in_turn<T>(
    channel: Channel,
    talk: impl AsyncFnOnce(Requests) -> hyper::Result<T>,
) -> hyper::Result<(T, Option<Channel>)> {
    let (requests, connection) = builder().handshake(TokioIo::new(channel)).await?;
    // The connection does the work for the requests, and ends once `requests` is dropped with its answers read.
    let talked = tokio::join!(biased; talk(Requests::InTurn(requests)), connection.without_shutdown());
    match talked {
        (Ok(said), Ok(parts)) => Ok((said, Some(parts.io.into_inner()))),
        (_, Err(error)) | (Err(error), Ok(_)) => Err(error),
    }
}

/// Speaks HTTP/2 until `talk` is over.
async fn as_streams<T>(
    channel: Channel,
    talk: impl AsyncFnOnce(Requests) -> hyper::Result<T>,
) -> hyper::Result<(T, Option<Channel>)> {
    let scheme = if channel.is_secure() { "https" } else { "http" };
    let (lent, given_back) = Lent::new(channel);
    let (requests, connection) = http2::Builder::new(Beside).handshake(TokioIo::new(lent)).await?;
    let talked = tokio::join!(biased; talk(Requests::AsStreams(requests, scheme)), connection);
    match talked {
        // hyper's own task has the channel, and ends soon.
        (Ok(said), Ok(())) => Ok((said, given_back.await.ok())),
        (_, Err(error)) | (Err(error), Ok(())) => Err(error),
    }
}

/// How those of HTTP/1.1 speak.
pub(in crate::app) fn builder() -> http1::Builder {
    let mut builder = http1::Builder::new();
    builder.title_case_headers(true);
    builder
}

/// A request for what stands at `url`, with the fields that curl sends, too.
pub(in crate::app) fn request(url: &Url, body: impl Into<Bytes>) -> Request<Bytes> {
    let mut request = Request::new(body.into());
    // A URL is checked when it is read; what hyper still refused would be sent as the root.
    *request.uri_mut() = url.target.parse().unwrap_or_default();
    let authority = HeaderValue::try_from(&url.authority);
    let fields = request.headers_mut();
    fields.extend(authority.ok().map(|authority| (header::HOST, authority)));
    fields.insert(header::USER_AGENT, HeaderValue::from_static(USER_AGENT));
    fields.insert(header::ACCEPT, HeaderValue::from_static("*/*"));
    request
}

/// Says that this request is the last: the server closes after its answer, and nobody waits for another.
pub(in crate::app) fn close_after(fields: &mut HeaderMap) {
    fields.insert(header::CONNECTION, HeaderValue::from_static("close"));
}

/// Prints a body line by line, as curl does; gives it back when it is to be kept, and its length in octets. A kept body that
/// is too long is not kept.
pub(super) async fn print(running: &Running, mut body: Incoming, keep: bool) -> hyper::Result<(Option<Bytes>, u64)> {
    let mut lines = Lines::new(false);
    let mut bytes = 0;
    let mut kept = keep.then(Vec::new);
    while let Some(frame) = body.frame().await {
        // What is not data are trailers, which curl does not print either.
        if let Ok(data) = frame?.into_data() {
            bytes += data.len() as u64;
            lines.push(&data, &mut |line| running.report(line));
            match &mut kept {
                Some(whole) if whole.len() + data.len() <= MOST_BODY => whole.extend_from_slice(&data),
                _ => kept = None,
            }
        }
    }
    lines.finish(&mut |line| running.report(line));
    Ok((kept.map(Bytes::from), bytes))
}

/// The whole of a body that is not to be longer than what is kept in memory; `None` when it is, or breaks off.
pub(in crate::app) async fn whole(body: Incoming) -> Option<Bytes> {
    whole_up_to(MOST_BODY, body).await
}

/// The whole of a body that is not to be longer than so many octets; `None` when it is, or breaks off.
pub(in crate::app) async fn whole_up_to(octets: usize, body: Incoming) -> Option<Bytes> {
    Limited::new(body, octets).collect().await.ok().map(http_body_util::Collected::to_bytes)
}
