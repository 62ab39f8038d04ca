//! A client's connection: requests, answers, and an orderly close (RFC 9112 §9).

use http_body_util::{BodyExt, Full, Limited};
use hyper::Request;
use hyper::body::{Bytes, Incoming};
use hyper::header::{self, HeaderMap, HeaderValue};
use hyper_util::rt::TokioIo;
use tokio::io::AsyncWriteExt;

use super::{MOST_BODY, misunderstood};
use crate::app::lines::Lines;
use crate::app::run::Running;
use crate::app::{Destination, ProgramError, Url};

/// How the clients name themselves, as `curl/8.5.0` does.
const USER_AGENT: &str = concat!("wireglass/", env!("CARGO_PKG_VERSION"));

/// Where requests go.
pub(in crate::app) type Requests = hyper::client::conn::http1::SendRequest<Full<Bytes>>;

/// Opens a connection to `to`, has `talk` use it, and closes it. The peer has closed it, too, when this returns.
///
/// # Errors
/// What the system or the peer did wrong; that of the connection rather than that of `talk`, which follows from it.
pub(in crate::app) async fn with_connection<T>(
    running: &Running,
    to: &Destination,
    talk: impl AsyncFnOnce(Requests) -> hyper::Result<T>,
) -> Result<T, ProgramError> {
    let stream = running.connect(to).await?;
    let (requests, connection) =
        builder().handshake(TokioIo::new(stream)).await.map_err(|error| misunderstood(running, to, &error))?;
    // The connection does the work for the requests, and ends once `requests` is dropped with its answers read.
    let (said, connection) = tokio::join!(biased; talk(requests), connection.without_shutdown());
    let (said, mut stream) = match (said, connection) {
        (Ok(said), Ok(parts)) => (said, parts.io.into_inner()),
        (_, Err(error)) | (Err(error), Ok(_)) => return Err(misunderstood(running, to, &error)),
    };
    stream.shutdown().await.map_err(running.broken("closing the connection with", to))?;
    tokio::io::copy(&mut stream, &mut tokio::io::sink())
        .await
        .map_err(running.broken("waiting for the close of", to))?;
    Ok(said)
}

/// How all of them speak.
pub(in crate::app) fn builder() -> hyper::client::conn::http1::Builder {
    let mut builder = hyper::client::conn::http1::Builder::new();
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
    Limited::new(body, MOST_BODY).collect().await.ok().map(http_body_util::Collected::to_bytes)
}
