//! `http3-server`: a server with pages, over QUIC (RFC 9114).

use std::cell::Cell;
use std::net::SocketAddr;
use std::rc::Rc;

use hyper::body::Bytes;
use hyper::header::{CONTENT_LENGTH, HeaderValue};
use hyper::{Method, Response};
use quinn::{Connection, Incoming};
use serde::Deserialize;
use tokio::task::JoinSet;

use super::endpoint::{self, is_orderly, lost};
use crate::app::http::{Page, Site};
use crate::app::program::Play;
use crate::app::run::{Running, served};
use crate::app::tls::ServerTls;
use crate::app::{Datagram, ProgramError, values};
use crate::journal::ProgramEvent;

/// The longest header that it reads, in octets.
const MOST_HEADER: u64 = 1 << 14;

/// `http3-server`
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "Written")]
pub struct Http3Server {
    port: u16,
    tls: ServerTls,
    pages: Vec<Page>,
}

/// The settings as they are typed.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    /// Where it listens, from 1.
    #[serde(deserialize_with = "values::port")]
    port: u16,
    tls: ServerTls,
    pages: Vec<Page>,
}

impl TryFrom<Written> for Http3Server {
    type Error = &'static str;

    fn try_from(Written { port, tls, pages }: Written) -> Result<Http3Server, &'static str> {
        if pages.is_empty() {
            return Err("an http3-server has `pages`: write one such as { path = \"/\", body = \"hello\" }");
        }
        if !tls.versions.suit_quic() {
            return Err(super::NEEDS_TLS_1_3);
        }
        Ok(Http3Server { port, tls, pages })
    }
}

impl Play for Http3Server {
    const NAME: &'static str = "http3-server";
    const IS_SERVER: bool = true;

    async fn run(&self, running: &Running, ready: impl FnOnce()) -> Result<(), ProgramError> {
        let site = Rc::new(Site::new(&self.pages, running));
        let tls = Rc::new(self.tls.clone());
        let serve = |running, socket| accept_each(running, socket, tls.clone(), site.clone());
        running.serve_datagrams(self.port, ready, serve).await
    }
}

/// Takes connections on one socket for ever, and serves them side by side.
async fn accept_each(
    running: Running,
    socket: Datagram,
    tls: Rc<ServerTls>,
    site: Rc<Site>,
) -> Result<(), ProgramError> {
    let endpoint = endpoint::server(&running, socket, &tls)?;
    let local = endpoint::local(&running, &endpoint)?;
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            biased;
            Some(ended) = connections.join_next() => {
                if let Err(error) = served(ended) {
                    running.complain(error);
                }
            }
            incoming = endpoint.accept() => match incoming {
                Some(incoming) => {
                    connections.spawn_local(hold(running.clone(), incoming, local, site.clone()));
                }
                // The endpoint is closed, which nobody here does.
                None => return Ok(()),
            },
        }
    }
}

/// Answers the requests of one connection until its client closes it.
async fn hold(running: Running, incoming: Incoming, local: SocketAddr, site: Rc<Site>) -> Result<(), ProgramError> {
    let remote = incoming.remote_address();
    let connection = incoming.await.map_err(|error| lost(&running, remote, &error))?;
    running.report(ProgramEvent::Accepted { local, remote });
    endpoint::agreed(&running, &connection, "");
    let client =
        Rc::new(Client { running: running.clone(), connection: connection.clone(), address: Cell::new(remote) });
    let wrong = |error: h3::error::ConnectionError| misunderstood(&running, &connection, remote, &error);
    let mut builder = h3::server::builder();
    builder.send_grease(false).max_field_section_size(MOST_HEADER);
    let mut requests = builder.build(h3_quinn::Connection::new(connection.clone())).await.map_err(wrong)?;
    let mut answers = JoinSet::new();
    loop {
        tokio::select! {
            biased;
            Some(ended) = answers.join_next() => {
                if let Err(error) = served(ended) {
                    running.complain(error);
                }
            }
            request = requests.accept() => match request {
                Ok(Some(request)) => {
                    answers.spawn_local(answer(client.clone(), request, site.clone()));
                }
                Ok(None) => return Ok(()),
                Err(_) if connection.close_reason().is_some_and(|error| is_orderly(&error)) => return Ok(()),
                Err(error) => return Err(wrong(error)),
            },
        }
    }
}

/// A client, which may move.
struct Client {
    running: Running,
    connection: Connection,
    /// Where it was last.
    address: Cell<SocketAddr>,
}

impl Client {
    /// Tells when it is not where it was (RFC 9000 §9).
    fn look(&self) {
        let (now, before) = (self.connection.remote_address(), self.address.get());
        if now != before {
            self.address.set(now);
            self.running.report(ProgramEvent::Change {
                what: "the client's address".to_owned(),
                from: before.to_string(),
                to: now.to_string(),
                detail: "the connection goes on".to_owned(),
            });
        }
    }
}

async fn answer(
    client: Rc<Client>,
    request: h3::server::RequestResolver<h3_quinn::Connection, Bytes>,
    site: Rc<Site>,
) -> Result<(), ProgramError> {
    let running = &client.running;
    let wrong = |error: h3::error::StreamError| ProgramError::Protocol {
        program: running.program,
        peer: client.address.get().to_string(),
        detail: error.to_string(),
    };
    let (request, mut stream) = request.resolve_request().await.map_err(wrong)?;
    client.look();
    // Pages have no use for a body; one that comes is passed over.
    while stream.recv_data().await.map_err(wrong)?.is_some() {}
    let method = request.method().to_string();
    let target = request.uri().path_and_query().map(ToString::to_string).unwrap_or_default();
    running.report(ProgramEvent::Request { method, target, bytes: 0 });
    let (mut head, body) = site.answer(&request).into_parts();
    head.headers.insert(CONTENT_LENGTH, HeaderValue::from(body.len()));
    let body = if request.method() == Method::HEAD { Bytes::new() } else { body };
    let (status, bytes) = (head.status.as_u16(), body.len() as u64);
    running.report(ProgramEvent::Response { status, bytes, cache: None });
    stream.send_response(Response::from_parts(head, ())).await.map_err(wrong)?;
    if !body.is_empty() {
        stream.send_data(body).await.map_err(wrong)?;
    }
    stream.finish().await.map_err(wrong)
}

/// Says who broke off: QUIC, or HTTP/3 in it.
pub(super) fn misunderstood(
    running: &Running,
    connection: &Connection,
    peer: impl ToString,
    error: &h3::error::ConnectionError,
) -> ProgramError {
    match connection.close_reason() {
        Some(quinn::ConnectionError::LocallyClosed) | None => {
            ProgramError::Protocol { program: running.program, peer: peer.to_string(), detail: error.to_string() }
        }
        Some(reason) => lost(running, peer, &reason),
    }
}
