//! `load-balancer`: spreads connections (layer 4) or requests (layer 7) over several servers.

use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Duration;

use serde::{Deserialize, Deserializer};
use tokio::time::timeout;

use super::backends::{self, Backends};
use super::discover::Discover;
use super::forwarded::RequestIds;
use super::health::Health;
use super::passage::{Claims, Passage};
use super::pool::Policy;
use super::splice::splice;
use super::sticky;
use crate::app::channel::{Channel, HTTP_1};
use crate::app::http::serve_one;
use crate::app::program::Play;
use crate::app::run::Running;
use crate::app::{Destination, ProgramError, Span, Stream, values};

/// Connections to each server that stay open for another request.
const KEEP: usize = 32;

/// `load-balancer`
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "Written")]
pub struct LoadBalancer {
    port: u16,
    mode: Mode,
    servers: Servers,
    policy: Policy,
    sticky: Option<String>,
    timeout: Span,
    keep_alive: bool,
}

/// How it knows of its servers.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Servers {
    /// They are written down, and may be checked.
    Listed(Vec<Destination>, Option<Health>),
    /// A registry says which there are.
    Discovered(Discover),
}

/// The settings as they are typed.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    /// Where it listens, from 1.
    #[serde(deserialize_with = "values::port")]
    port: u16,
    /// What it spreads.
    #[serde(default)]
    mode: Mode,
    /// The servers.
    #[serde(default, deserialize_with = "some_list")]
    backends: Option<Vec<Destination>>,
    /// Or who says which there are.
    discover: Option<Discover>,
    #[serde(default)]
    policy: Policy,
    /// The cookie that names a session, all of whose requests go to the same server.
    #[serde(default, deserialize_with = "sticky::cookie")]
    sticky: Option<String>,
    /// How it finds out whether they are well; left out, it does not.
    health: Option<Health>,
    /// How long it waits for a server: to answer a request, or to take a connection.
    #[serde(default = "ten_seconds", deserialize_with = "values::positive")]
    timeout: Span,
    /// Whether connections to servers stay open for another request.
    #[serde(default = "yes")]
    keep_alive: bool,
}

fn some_list<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Vec<Destination>>, D::Error> {
    backends::list(deserializer).map(Some)
}

impl TryFrom<Written> for LoadBalancer {
    type Error = &'static str;

    fn try_from(written: Written) -> Result<LoadBalancer, &'static str> {
        let Written { port, mode, backends, discover, policy, sticky, health, timeout, keep_alive } = written;
        let servers = match (backends, discover, health) {
            (Some(servers), None, health) => Servers::Listed(servers, health),
            (None, Some(discover), None) => Servers::Discovered(discover),
            (None, Some(_), Some(_)) => return Err("with `discover` the registry looks after `health`: leave it out"),
            (None, None, _) => return Err("it needs `backends = [\"posts-1:8080\", …]`, or `discover`"),
            (Some(_), Some(_), _) => {
                return Err("its servers are `backends`, or those that it can `discover`: write one");
            }
        };
        if mode == Mode::Tcp && sticky.is_some() {
            return Err("in the mode \"tcp\" nobody reads cookies: leave `sticky` out");
        }
        Ok(LoadBalancer { port, mode, servers, policy, sticky, timeout, keep_alive })
    }
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
        match &self.servers {
            Servers::Listed(servers, _) => servers.iter().collect(),
            Servers::Discovered(discover) => vec![&discover.registry],
        }
    }

    async fn run(&self, running: &Running, ready: impl FnOnce()) -> Result<(), ProgramError> {
        let keep = if self.keep_alive { KEEP } else { 0 };
        let listed = match &self.servers {
            Servers::Listed(servers, _) => servers.as_slice(),
            Servers::Discovered(_) => &[],
        };
        let backends = Backends::new(listed, self.policy, keep, self.sticky.as_deref());
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
            match &self.servers {
                Servers::Listed(_, Some(health)) => health.watch(running, &backends).await,
                Servers::Listed(_, None) => std::future::pending().await,
                Servers::Discovered(discover) => discover.watch(running, &backends).await,
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
        while let Some((lease, upstream)) = self.passage.backends.choose(running, &peer.to_string(), &tried, None) {
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
