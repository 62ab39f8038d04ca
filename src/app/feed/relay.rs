//! `http-relay`: a proxy that passes requests and their answers on; piece by piece as they come, or each answer at once when
//! it is whole.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::pin::Pin;
use std::rc::Rc;

use futures_util::{Stream as Frames, stream};
use http_body_util::{BodyExt, Either, Full, StreamBody};
use hyper::body::{Bytes, Frame, Incoming};
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use serde::Deserialize;

use crate::app::channel::{Channel, HTTP_1};
use crate::app::http::cache::without_hop_by_hop;
use crate::app::http::connection::{builder, close_after, whole};
use crate::app::http::{MOST_BODY, TEXT, misunderstood, response, serve_one};
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

type Body = Either<Full<Bytes>, StreamBody<Pin<Box<dyn Frames<Item = Result<Frame<Bytes>, Infallible>>>>>>;

impl Play for HttpRelay {
    const NAME: &'static str = "http-relay";
    const IS_SERVER: bool = true;

    fn peers(&self) -> Vec<&Destination> {
        vec![&self.origin]
    }

    async fn run(&self, running: &Running, ready: impl FnOnce()) -> Result<(), ProgramError> {
        let relay = Rc::new(self.clone());
        running
            .serve_streams(self.port, ready, move |running, stream, peer| {
                Rc::clone(&relay).serve_one(running, stream, peer)
            })
            .await
    }
}

impl HttpRelay {
    async fn serve_one(self: Rc<Self>, running: Running, stream: Stream, peer: SocketAddr) -> Result<(), ProgramError> {
        // What has come at once goes on at once.
        stream.set_nodelay(true).map_err(running.broken("setting up the connection with", peer))?;
        let answer = move |running: Running, request| {
            let relay = Rc::clone(&self);
            async move { (relay.answer(&running, request).await, None) }
        };
        serve_one(running, Channel::Plain(stream), peer, &[HTTP_1], answer).await
    }

    async fn answer(&self, running: &Running, request: Request<Incoming>) -> Response<Body> {
        let said = |status, text| response(status, TEXT, text).map(|body: Bytes| Either::Left(Full::new(body)));
        let (mut head, body) = request.into_parts();
        let Some(body) = whole(body).await else {
            return said(StatusCode::PAYLOAD_TOO_LARGE, "That is too long to be passed on\n".to_owned());
        };
        without_hop_by_hop(&mut head.headers);
        close_after(&mut head.headers);
        match self.ask(running, Request::from_parts(head, Full::new(body))).await {
            Ok(answer) => answer,
            Err(error) => {
                running.complain(&error);
                said(StatusCode::BAD_GATEWAY, "The server behind this proxy does not answer\n".to_owned())
            }
        }
    }

    /// Asks the server. The answer's head is there when this returns; its body goes on coming, unless it is waited for.
    async fn ask(&self, running: &Running, request: Request<Full<Bytes>>) -> Result<Response<Body>, ProgramError> {
        let failed = |error: hyper::Error| misunderstood(running, &self.origin, &error);
        let stream = running.connect(&self.origin).await?;
        let opened = builder().handshake(TokioIo::new(stream)).await;
        let (mut requests, connection) = opened.map_err(failed)?;
        // The connection does the work for the answer. Whatever ends it ends the answer, too, which says so itself.
        let mut connection: Pin<Box<dyn Future<Output = ()>>> = Box::pin(async {
            let _ = connection.await;
        });
        let answered = async {
            let answer = requests.send_request(request);
            tokio::pin!(answer);
            tokio::select! {
                biased;
                answer = &mut answer => answer,
                () = &mut connection => answer.await,
            }
        };
        let (mut head, body) = answered.await.map_err(failed)?.into_parts();
        without_hop_by_hop(&mut head.headers);
        drop(requests);
        let frames: Pin<Box<dyn Frames<Item = Result<Frame<Bytes>, Infallible>>>> =
            Box::pin(stream::unfold((body, connection), next));
        let mut body = StreamBody::new(frames);
        if !self.buffer {
            return Ok(Response::from_parts(head, Either::Right(body)));
        }
        let mut all = Vec::new();
        while let Some(Ok(frame)) = body.frame().await {
            all.extend(frame.into_data().into_iter().flatten());
            if all.len() > MOST_BODY {
                return Ok(response(StatusCode::BAD_GATEWAY, TEXT, "That is too long to be kept\n").map(left));
            }
        }
        Ok(Response::from_parts(head, left(Bytes::from(all))))
    }
}

fn left(body: Bytes) -> Body {
    Either::Left(Full::new(body))
}

type Answer = (Incoming, Pin<Box<dyn Future<Output = ()>>>);

/// The next piece of an answer, while its connection works for it; at the end the connection is closed in order.
async fn next((mut body, mut connection): Answer) -> Option<(Result<Frame<Bytes>, Infallible>, Answer)> {
    let frame = tokio::select! {
        biased;
        frame = body.frame() => frame,
        () = &mut connection => {
            connection = Box::pin(std::future::pending());
            body.frame().await
        }
    };
    match frame {
        Some(Ok(frame)) => Some((Ok(frame), (body, connection))),
        // A broken answer ends; there is no other way to say so once it has begun.
        _ => None,
    }
}
