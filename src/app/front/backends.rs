//! The servers behind, at work: one is chosen for each request or connection, another one when it cannot be reached.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use http_body_util::Either;
use hyper::body::Bytes;
use hyper::{Request, Response, StatusCode};
use serde::{Deserialize, Deserializer, de};
use tokio::time::timeout;

use super::pool::{Policy, Pool, Thresholds};
use super::sticky::Sessions;
use crate::app::http::forward::{Passing, Relayed, Upstream, said};
use crate::app::http::misunderstood;
use crate::app::run::Running;
use crate::app::{Destination, ProgramError};
use crate::journal::ProgramEvent;

/// Reads a list of servers, none of them twice.
pub(super) fn list<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<Destination>, D::Error> {
    let listed = Vec::<Destination>::deserialize(deserializer)?;
    let again = listed.iter().enumerate().find(|(place, to)| listed.iter().take(*place).any(|before| before == *to));
    match (again, listed.is_empty()) {
        (_, true) => Err(de::Error::custom("there is no server: write `backends = [\"posts-1:8080\", …]`")),
        (Some((_, to)), _) => Err(de::Error::custom(format!("`{to}` stands in the list twice: name each server once"))),
        (None, false) => Ok(listed),
    }
}

/// The servers behind.
pub(super) struct Backends {
    /// By place; one that has gone keeps its own.
    upstreams: RefCell<Vec<Rc<Upstream>>>,
    pool: RefCell<Pool>,
    /// How many connections to each stay open for another request.
    keep: usize,
    sessions: Option<RefCell<Sessions>>,
}

/// A server that was chosen. It counts as busy until this is dropped.
pub(super) struct Lease {
    backends: Rc<Backends>,
    place: usize,
}

impl Drop for Lease {
    fn drop(&mut self) {
        self.backends.pool.borrow_mut().release(self.place);
    }
}

impl Backends {
    /// These servers; at most `keep` connections to each stay open for another request. Where a `sticky` cookie names a session,
    /// its requests go to the same server.
    pub(super) fn new(servers: &[Destination], policy: Policy, keep: usize, sticky: Option<&str>) -> Rc<Backends> {
        let upstreams = servers.iter().map(|to| Rc::new(Upstream::new(to.clone(), keep))).collect();
        Rc::new(Backends {
            upstreams: RefCell::new(upstreams),
            pool: RefCell::new(Pool::new(servers.len(), policy)),
            keep,
            sessions: sticky.map(|cookie| RefCell::new(Sessions::new(cookie))),
        })
    }

    /// The servers, in the order of their places.
    pub(super) fn servers(&self) -> Vec<Destination> {
        self.upstreams.borrow().iter().map(|upstream| upstream.to().clone()).collect()
    }

    /// These are the servers from now on. Who is new is told of, and who has gone: it gets nothing more, and what it was chosen
    /// for before goes on.
    pub(super) fn listed(&self, running: &Running, servers: &[Destination]) {
        let (mut upstreams, mut pool) = (self.upstreams.borrow_mut(), self.pool.borrow_mut());
        let (before, mut news) = (pool.listed(), Vec::new());
        for (place, upstream) in upstreams.iter().enumerate() {
            let is_listed = servers.contains(upstream.to());
            if pool.list(place, is_listed) {
                news.push(format!("{}{}", if is_listed { '+' } else { '-' }, upstream.to().host));
            }
        }
        for server in servers {
            if !upstreams.iter().any(|upstream| upstream.to() == server) {
                news.push(format!("+{}", server.host));
                upstreams.push(Rc::new(Upstream::new(server.clone(), self.keep)));
                pool.add();
            }
        }
        if !news.is_empty() {
            let (what, from, to) = ("servers".to_owned(), before.to_string(), pool.listed().to_string());
            running.report(ProgramEvent::Change { what, from, to, detail: news.join(" ") });
        }
    }

    /// Chooses a server that was not `tried` yet, and says so; `whose` request or connection it is stands beside it.
    pub(super) fn choose(
        self: &Rc<Self>,
        running: &Running,
        whose: &str,
        tried: &[usize],
        session: Option<&str>,
    ) -> Option<(Lease, Rc<Upstream>)> {
        let sessions = self.sessions.as_ref().zip(session);
        let wanted = sessions.and_then(|(sessions, session)| sessions.borrow().place(session));
        let place = self.pool.borrow_mut().choose(tried, wanted)?;
        let lease = Lease { backends: Rc::clone(self), place };
        if let Some((sessions, session)) = sessions {
            sessions.borrow_mut().remember(session, place);
        }
        let upstream = self.upstreams.borrow().get(place).cloned()?;
        let (what, choice) = ("backend".to_owned(), upstream.to().host.clone());
        running.report(ProgramEvent::Decision { what, choice, detail: whose.to_owned() });
        Some((lease, upstream))
    }

    /// A server was checked: whoever is found to be otherwise than thought is told of, and why.
    pub(super) fn checked(&self, running: &Running, place: usize, found: &Result<(), String>, thresholds: Thresholds) {
        let changed = self.pool.borrow_mut().checked(place, found.is_ok(), thresholds);
        let upstream = self.upstreams.borrow().get(place).cloned();
        let (Some(is_up), Some(upstream)) = (changed, upstream) else { return };
        let word = |is_up: bool| if is_up { "up" } else { "down" }.to_owned();
        running.report(ProgramEvent::Change {
            what: format!("health {}", upstream.to().host),
            from: word(!is_up),
            to: word(is_up),
            detail: found.as_ref().err().cloned().unwrap_or_default(),
        });
    }

    /// Passes a request on to one of the servers, and its answer back; else says why there is none, with the status that says
    /// so (RFC 9110 §15.6). A server that cannot be reached has heard nothing, and another one is asked.
    pub(super) async fn pass_on(
        self: &Rc<Self>,
        running: &Running,
        request: Request<Bytes>,
        whose: &str,
        patience: Duration,
    ) -> Response<Relayed> {
        match timeout(patience, self.ask(running, request, whose)).await {
            Ok(Ok(answer)) => answer.map(Either::Right),
            Ok(Err(Some(error))) => {
                running.complain(&error);
                said(StatusCode::BAD_GATEWAY, "The server behind broke off before it answered\n")
            }
            Ok(Err(None)) => said(StatusCode::SERVICE_UNAVAILABLE, "There is no server behind that could answer\n"),
            Err(_) => said(StatusCode::GATEWAY_TIMEOUT, "The server behind does not answer in time\n"),
        }
    }

    /// The error is that of a server that broke off; `None` when there was none to ask.
    async fn ask(
        self: &Rc<Self>,
        running: &Running,
        request: Request<Bytes>,
        whose: &str,
    ) -> Result<Response<Passing>, Option<ProgramError>> {
        let mut tried = Vec::new();
        let session = self.sessions.as_ref().and_then(|sessions| sessions.borrow().of(request.headers()));
        while let Some((lease, upstream)) = self.choose(running, whose, &tried, session.as_deref()) {
            match upstream.ask(running, request.clone()).await {
                Ok(mut answer) => {
                    let (running, to) = (running.clone(), upstream.to().clone());
                    answer.body_mut().at_end(move |broken| {
                        if let Some(error) = broken {
                            running.complain(misunderstood(&running, &to, error));
                        }
                        drop(lease);
                    });
                    return Ok(answer);
                }
                Err(error @ ProgramError::Connect { .. }) => {
                    running.complain(&error);
                    tried.push(lease.place);
                }
                Err(error) => return Err(Some(error)),
            }
        }
        Err(None)
    }
}

impl Lease {
    /// The server's place in the list.
    pub(super) fn place(&self) -> usize {
        self.place
    }
}
