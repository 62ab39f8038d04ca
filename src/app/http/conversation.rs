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
pub(in crate::app) enum Ended {
    /// The program itself has broken it off. What is left of the channel is for it to drop or to abort.
    ByUs(Option<Channel>),
    /// The system or the client did wrong.
    Wrong(ProgramError),
}

/// Answers the requests of one connection until the client closes it, and closes it in order.
pub(in crate::app) async fn hold<S, B>(
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
    if agreed_on_h2 {
        // Nobody waits for the end of a stream because another one's octets are not acknowledged yet. A connection that is
        // gone says so when it is spoken over.
        let _ = channel.set_nodelay(true);
    }
    let mut builder = auto::Builder::new(Beside);
    // Fields that come from elsewhere are called as they were.
    builder.http1().auto_date_header(false).title_case_headers(true).preserve_header_case(true);
    builder.http2().auto_date_header(false);
    let builder = match (agreed_on_h2, may_be_h2) {
        (true, _) => builder.http2_only(),
        (false, true) => builder,
        (false, false) => builder.http1_only(),
    };
    let (lent, given_back) = Lent::new(channel);
    let served = builder.serve_connection(TokioIo::new(lent), service).await;
    let channel = given_back.await.ok();
    let wrong = match served.map_err(|error| error.downcast::<hyper::Error>()) {
        Ok(()) => None,
        Err(Ok(error)) if error.is_user() => return Err(Ended::ByUs(channel)),
        Err(Ok(error)) => Some(misunderstood(running, peer, &error)),
        Err(Err(error)) => Some(misread(running, peer, &*error)),
    };
    // Over TLS and HTTP/2 a client still has something to say when it closes.
    if let Some(channel) = channel
        && (is_secure || may_be_h2)
    {
        channel.linger().await;
    }
    wrong.map_or(Ok(()), |error| Err(Ended::Wrong(error)))
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
