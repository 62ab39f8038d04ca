//! `reverse-proxy`: what clients take for the server. It takes TLS off, finds the service that a path belongs to, and says to it
//! whom a request is from.

use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Duration;

use hyper::header::HeaderValue;
use hyper::{Request, Response, StatusCode, body::Incoming};
use serde::{Deserialize, Deserializer, de};
use tokio::task::JoinSet;

use super::backends::{self, Backends};
use super::forwarded::RequestIds;
use super::health::Health;
use super::passage::{Claims, Passage};
use super::pool::Policy;
use crate::app::channel::{self, Channel, Gate, H2, HTTP_1};
use crate::app::http::forward::{Relayed, said};
use crate::app::http::{page, serve_one};
use crate::app::program::Play;
use crate::app::run::Running;
use crate::app::tls::ServerTls;
use crate::app::{Destination, ProgramError, Span, values};

/// Connections to each server that stay open for another request.
const KEEP: usize = 32;

/// `reverse-proxy`
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReverseProxy {
    /// Where it listens, from 1.
    #[serde(deserialize_with = "values::port")]
    port: u16,
    /// Its TLS; without it, plain HTTP.
    tls: Option<ServerTls>,
    /// Which service gets what; the first whose path fits.
    #[serde(deserialize_with = "some_routes")]
    routes: Vec<Route>,
    /// What it makes of an `X-Forwarded-For` that a client sends.
    #[serde(default)]
    claims: Claims,
    /// Whether connections to servers stay open for another request.
    #[serde(default = "yes")]
    keep_alive: bool,
}

/// Which service gets the requests for a path.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
struct Route {
    /// How the paths begin: `/api/posts` is for `/api/posts/1`, too, and not for `/api/postscripts`.
    #[serde(deserialize_with = "page::path")]
    path: String,
    #[serde(deserialize_with = "backends::list")]
    backends: Vec<Destination>,
    /// What the service calls itself; left out, as the client called it.
    #[serde(default, deserialize_with = "host")]
    host: Option<String>,
    #[serde(default)]
    policy: Policy,
    health: Option<Health>,
    /// How long an answer may take to begin.
    #[serde(default = "ten_seconds", deserialize_with = "values::positive")]
    timeout: Span,
}

fn yes() -> bool {
    true
}

fn ten_seconds() -> Span {
    Span::from_duration(Duration::from_secs(10))
}

fn some_routes<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<Route>, D::Error> {
    let routes = Vec::<Route>::deserialize(deserializer)?;
    let error = || de::Error::custom("it has nothing to pass on: write `routes = [{ path = \"/\", backends = […] }]`");
    if routes.is_empty() { Err(error()) } else { Ok(routes) }
}

/// Reads a name that may stand in `Host`.
fn host<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    let name = String::deserialize(deserializer)?;
    let fits = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b':' | b'_'));
    let error = || de::Error::custom(format!("`{name}` is no host: write one such as \"posts-service.internal\""));
    if fits && !name.is_empty() { Ok(Some(name)) } else { Err(error()) }
}

impl Route {
    fn fits(&self, path: &str) -> bool {
        let rest = path.strip_prefix(self.path.trim_end_matches('/'));
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    }
}

impl Play for ReverseProxy {
    const NAME: &'static str = "reverse-proxy";
    const IS_SERVER: bool = true;

    fn peers(&self) -> Vec<&Destination> {
        self.routes.iter().flat_map(|route| &route.backends).collect()
    }

    async fn run(&self, running: &Running, ready: impl FnOnce()) -> Result<(), ProgramError> {
        let mut watches = JoinSet::new();
        let ids = Rc::new(RequestIds::new(running));
        let mut routes = Vec::new();
        for route in &self.routes {
            let passage = self.passage(route, &ids);
            if let Some(health) = route.health.clone() {
                let (running, backends) = (running.clone(), Rc::clone(&passage.backends));
                watches.spawn_local(async move { health.watch(&running, &backends).await });
            }
            routes.push((route.clone(), passage));
        }
        let protocols: &[&str] = if self.tls.is_some() { &[H2, HTTP_1] } else { &[HTTP_1] };
        let gate = Gate { port: self.port, tls: self.tls.as_ref(), protocols };
        let routes: Routes = Rc::new(routes);
        let serve = move |running, channel, peer| serve_client(running, channel, peer, protocols, Rc::clone(&routes));
        channel::serve(running, gate, ready, serve).await
    }
}

impl ReverseProxy {
    fn passage(&self, route: &Route, ids: &Rc<RequestIds>) -> Passage {
        let keep = if self.keep_alive { KEEP } else { 0 };
        Passage {
            backends: Backends::new(&route.backends, route.policy, keep, None),
            ids: Rc::clone(ids),
            host: route.host.as_ref().and_then(|host| HeaderValue::try_from(host).ok()),
            scheme: if self.tls.is_some() { "https" } else { "http" },
            claims: self.claims,
            patience: route.timeout.duration(),
        }
    }
}

/// Each with the way of what it gets.
type Routes = Rc<Vec<(Route, Passage)>>;

/// Answers the requests of one connection.
async fn serve_client(
    running: Running,
    channel: Channel,
    peer: SocketAddr,
    protocols: &'static [&'static str],
    routes: Routes,
) -> Result<(), ProgramError> {
    // What has come at once goes on at once.
    channel.set_nodelay(true).map_err(running.broken("setting up the connection with", peer))?;
    let answer = move |running: Running, request: Request<Incoming>| {
        let routes = Rc::clone(&routes);
        async move { (routed(&running, &routes, request, peer).await, None) }
    };
    serve_one(running, channel, peer, protocols, answer).await
}

async fn routed(
    running: &Running,
    routes: &[(Route, Passage)],
    request: Request<Incoming>,
    peer: SocketAddr,
) -> Response<Relayed> {
    match routes.iter().find(|(route, _)| route.fits(request.uri().path())) {
        Some((_, passage)) => passage.answer(running, request, peer).await,
        None => said(StatusCode::NOT_FOUND, "No service here has that path\n"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_route_is_for_its_path_and_all_below() {
        for (path, asked, fits) in [
            ("/", "/", true),
            ("/", "/api/posts", true),
            ("/api/posts", "/api/posts", true),
            ("/api/posts", "/api/posts/1", true),
            ("/api/posts", "/api/postscripts", false),
            ("/api/posts/", "/api/posts", true),
            ("/api/posts", "/api", false),
        ] {
            let written = format!("path = \"{path}\"\nbackends = [\"posts:8080\"]");
            let route: Route = toml::from_str(&written).expect(path);
            assert_eq!(route.fits(asked), fits, "{path} {asked}");
        }
    }
}
