//! A server's side of a connection: HTTP/1.1, or HTTP/2 where it was agreed on (RFC 9112, RFC 9113).
//!
//! Over TLS the handshake has settled which one it is (ALPN). Without TLS a client of HTTP/2 begins with a preface that no
//! request of HTTP/1.1 can be (RFC 9113 §3.4): it is told by that, if the server speaks both.

use std::error::Error;
use std::future::Future;
use std::net::SocketAddr;

use hyper::body::{Body, Bytes, Incoming};
use hyper::rt::Executor;
use hyper::service::Service;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use hyper_util::server::conn::auto;
use tokio::task::spawn_local;

use super::misunderstood;
use crate::app::ProgramError;
use crate::app::channel::{Channel, H2, Lent};
use crate::app::run::Running;

/// Has hyper's tasks run beside ours, on the run's own thread.
#[derive(Clone, Copy, Debug)]
pub(in crate::app) struct Beside;

impl<F: Future<Output = ()> + 'static> Executor<F> for Beside {
    fn execute(&self, task: F) {
        spawn_local(task);
    }
}

/// How a conversation ended that was not understood.
pub(super) enum Ended {
    /// The program itself has broken it off.
    ByUs,
    /// The system or the client did wrong.
    Wrong(ProgramError),
}

/// Answers the requests of one connection until the client closes it, and closes it in order.
pub(super) async fn hold<S, B>(
    running: &Running,
    channel: Channel,
    peer: SocketAddr,
    protocols: &[&str],
    service: S,
) -> Result<(), Ended>
where
    S: Service<Request<Incoming>, Response = Response<B>>,
    S::Future: 'static,
    S::Error: Into<Box<dyn Error + Send + Sync>>,
    B: Body<Data = Bytes, Error: Into<Box<dyn Error + Send + Sync>>> + 'static,
{
    let agreed_on_h2 = channel.alpn() == Some(H2.as_bytes());
    let (is_secure, may_be_h2) = (channel.is_secure(), !channel.is_secure() && protocols.contains(&H2));
    let mut builder = auto::Builder::new(Beside);
    builder.http1().auto_date_header(false).title_case_headers(true);
    builder.http2().auto_date_header(false);
    let builder = match (agreed_on_h2, may_be_h2) {
        (true, _) => builder.http2_only(),
        (false, true) => builder,
        (false, false) => builder.http1_only(),
    };
    let (lent, given_back) = Lent::new(channel);
    let served = builder.serve_connection(TokioIo::new(lent), service).await;
    let ended = served.map_err(|error| match error.downcast::<hyper::Error>() {
        Ok(error) if error.is_user() => Ended::ByUs,
        Ok(error) => Ended::Wrong(misunderstood(running, peer, &error)),
        Err(error) => Ended::Wrong(misread(running, peer, &*error)),
    });
    // Over TLS and HTTP/2 a client still has something to say when it closes.
    let is_orderly = !matches!(ended, Err(Ended::ByUs)) && (is_secure || may_be_h2);
    if let Ok(channel) = given_back.await
        && is_orderly
    {
        channel.linger().await;
    }
    ended
}

/// The error of a connection that broke before anything was said.
fn misread(running: &Running, peer: SocketAddr, error: &(dyn Error + 'static)) -> ProgramError {
    match error.downcast_ref::<std::io::Error>() {
        Some(system) => {
            running.broken("speaking HTTP with", peer)(std::io::Error::new(system.kind(), system.to_string()))
        }
        None => ProgramError::Protocol { program: running.program, peer: peer.to_string(), detail: error.to_string() },
    }
}
