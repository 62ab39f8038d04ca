//! `http-relay`: a proxy that passes requests and their answers on; piece by piece as they come, or each answer at once when
//! it is whole.

use std::net::SocketAddr;
use std::rc::Rc;

use http_body_util::{BodyExt, Either, Full, Limited};
use hyper::body::Incoming;
use hyper::{Request, Response, StatusCode};
use serde::Deserialize;

use crate::app::channel::{Channel, HTTP_1};
use crate::app::http::connection::whole;
use crate::app::http::forward::{Passing, Relayed, Upstream, said};
use crate::app::http::{MOST_BODY, serve_one};
use crate::app::program::Play;
use crate::app::run::Running;
use crate::app::{Destination, ProgramError, Stream, values};

/// `http-relay`
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HttpRelay {
    /// Where it listens, from 1.
    #[serde(deserialize_with = "values::port")]
    port: u16,
    /// Whom it asks.
    origin: Destination,
    /// Whether it waits until an answer is whole.
    #[serde(default)]
    buffer: bool,
}

impl Play for HttpRelay {
    const NAME: &'static str = "http-relay";
    const IS_SERVER: bool = true;

    fn peers(&self) -> Vec<&Destination> {
        vec![&self.origin]
    }

    async fn run(&self, running: &Running, ready: impl FnOnce()) -> Result<(), ProgramError> {
        let relay = Rc::new(Relay { buffer: self.buffer, origin: Upstream::new(self.origin.clone(), 0) });
        running
            .serve_streams(self.port, ready, move |running, stream, peer| {
                Rc::clone(&relay).serve_one(running, stream, peer)
            })
            .await
    }
}

/// A relay at work.
struct Relay {
    buffer: bool,
    origin: Upstream,
}

impl Relay {
    async fn serve_one(self: Rc<Self>, running: Running, stream: Stream, peer: SocketAddr) -> Result<(), ProgramError> {
        // What has come at once goes on at once.
        stream.set_nodelay(true).map_err(running.broken("setting up the connection with", peer))?;
        let answer = move |running: Running, request| {
            let relay = Rc::clone(&self);
            async move { (relay.answer(&running, request).await, None) }
        };
        serve_one(running, Channel::Plain(stream), peer, &[HTTP_1], answer).await
    }

    async fn answer(&self, running: &Running, request: Request<Incoming>) -> Response<Relayed> {
        let (head, body) = request.into_parts();
        let Some(body) = whole(body).await else {
            return said(StatusCode::PAYLOAD_TOO_LARGE, "That is too long to be passed on\n");
        };
        match self.origin.ask(running, Request::from_parts(head, body)).await {
            Ok(answer) if self.buffer => kept_back(answer).await,
            Ok(answer) => answer.map(Either::Right),
            Err(error) => {
                running.complain(&error);
                said(StatusCode::BAD_GATEWAY, "The server behind this proxy does not answer\n")
            }
        }
    }
}

/// The answer once it is whole.
async fn kept_back(answer: Response<Passing>) -> Response<Relayed> {
    let (head, body) = answer.into_parts();
    match Limited::new(body, MOST_BODY).collect().await {
        Ok(body) => Response::from_parts(head, Either::Left(Full::new(body.to_bytes()))),
        Err(_) => said(StatusCode::BAD_GATEWAY, "The answer broke off, or is too long to be kept\n"),
    }
}
