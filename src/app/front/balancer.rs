//! `load-balancer`: spreads connections (layer 4) or requests (layer 7) over several servers.

use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Duration;

use serde::Deserialize;
use tokio::time::timeout;

use super::backends::{self, Backends};
use super::forwarded::RequestIds;
use super::health::Health;
use super::passage::{Claims, Passage};
use super::pool::Policy;
use super::splice::splice;
use crate::app::channel::{Channel, HTTP_1};
use crate::app::http::serve_one;
use crate::app::program::Play;
use crate::app::run::Running;
use crate::app::{Destination, ProgramError, Span, Stream, values};

/// Connections to each server that stay open for another request.
const KEEP: usize = 32;

/// `load-balancer`
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LoadBalancer {
    /// Where it listens, from 1.
    #[serde(deserialize_with = "values::port")]
    port: u16,
    /// What it spreads.
    #[serde(default)]
    mode: Mode,
    /// The servers.
    #[serde(deserialize_with = "backends::list")]
    backends: Vec<Destination>,
    #[serde(default)]
    policy: Policy,
    /// How it finds out whether they are well; left out, it does not.
    health: Option<Health>,
    /// How long it waits for a server: to answer a request, or to take a connection.
    #[serde(default = "ten_seconds", deserialize_with = "values::positive")]
    timeout: Span,
    /// Whether connections to servers stay open for another request.
    #[serde(default = "yes")]
    keep_alive: bool,
}

/// What is spread over the servers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Mode {
    /// Each request of HTTP/1.1, whatever connection it comes over: layer 7.
    #[default]
    Http,
    /// Each connection, whatever is said on it: layer 4.
    Tcp,
}

fn ten_seconds() -> Span {
    Span::from_duration(Duration::from_secs(10))
}

fn yes() -> bool {
    true
}

impl Play for LoadBalancer {
    const NAME: &'static str = "load-balancer";
    const IS_SERVER: bool = true;

    fn peers(&self) -> Vec<&Destination> {
        self.backends.iter().collect()
    }

    async fn run(&self, running: &Running, ready: impl FnOnce()) -> Result<(), ProgramError> {
        let keep = if self.keep_alive { KEEP } else { 0 };
        let backends = Backends::new(&self.backends, self.policy, keep);
        let passage = Passage {
            backends: Rc::clone(&backends),
            ids: Rc::new(RequestIds::new(running)),
            host: None,
            scheme: "http",
            claims: Claims::Appended,
            patience: self.timeout.duration(),
        };
        let balancer = Rc::new(Balancer { mode: self.mode, passage });
        let serving = running.serve_streams(self.port, ready, move |running, stream, peer| {
            Rc::clone(&balancer).serve_one(running, stream, peer)
        });
        let watching = async {
            match &self.health {
                Some(health) => health.watch(running, &backends).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            biased;
            served = serving => served,
            () = watching => Ok(()),
        }
    }
}

/// A load balancer at work.
struct Balancer {
    mode: Mode,
    passage: Passage,
}

impl Balancer {
    async fn serve_one(self: Rc<Self>, running: Running, stream: Stream, peer: SocketAddr) -> Result<(), ProgramError> {
        // What has come at once goes on at once.
        stream.set_nodelay(true).map_err(running.broken("setting up the connection with", peer))?;
        if self.mode == Mode::Tcp {
            return self.join(&running, stream, peer).await;
        }
        // Layer 7: a server is chosen for each request.
        let answer = move |running: Running, request| {
            let balancer = Rc::clone(&self);
            async move { (balancer.passage.answer(&running, request, peer).await, None) }
        };
        serve_one(running, Channel::Plain(stream), peer, &[HTTP_1], answer).await
    }

    /// Layer 4: a server is chosen once, when the connection comes.
    async fn join(&self, running: &Running, front: Stream, peer: SocketAddr) -> Result<(), ProgramError> {
        let mut tried = Vec::new();
        while let Some((lease, upstream)) = self.passage.backends.choose(running, &peer.to_string(), &tried) {
            match timeout(self.passage.patience, running.connect(upstream.to())).await {
                Ok(Ok(back)) => {
                    let to = upstream.to();
                    back.set_nodelay(true).map_err(running.broken("setting up the connection with", to))?;
                    let joined = splice(front, back).await;
                    return joined.map_err(running.broken("passing octets between", format!("{peer} and {to}")));
                }
                Ok(Err(error)) => running.complain(&error),
                Err(_) => running.complain(format!("{} does not take a connection in time", upstream.to())),
            }
            tried.push(lease.place());
        }
        running.complain(format!("there is no server for {peer}: its connection is broken off"));
        front.abort();
        Ok(())
    }
}
