//! `websocket-server`: a chat. Clients subscribe to channels, and what one says on a channel all its subscribers get.
//!
//! ```text
//! {"type": "subscribe", "channel": "chat-room-123", "token": "…"}     from now on, this channel
//! {"type": "message", "channel": "chat-room-123", "data": {…}}        to all subscribers, octet for octet
//! ```

use std::cell::Cell;
use std::net::SocketAddr;
use std::rc::Rc;

use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::{Request, Response, StatusCode};
use serde::Deserialize;
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until};
use tokio_tungstenite::tungstenite::Utf8Bytes;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;

use super::room::{Room, WAITING};
use super::socket::Socket;
use super::upgrade;
use crate::app::http::{self, TEXT, page};
use crate::app::program::Play;
use crate::app::run::Running;
use crate::app::{ProgramError, Span, Stream, values};
use crate::journal::ProgramEvent;

/// `websocket-server`
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WebSocketServer {
    /// Where it listens, from 1.
    #[serde(deserialize_with = "values::port")]
    port: u16,
    /// What is upgraded.
    #[serde(default = "root", deserialize_with = "page::path")]
    path: String,
    /// How often it pings each client, counted from its coming; never when left out.
    #[serde(default)]
    ping: Option<Span>,
    /// What a subscription must carry; when left out, anything will do.
    #[serde(default)]
    token: Option<String>,
}

fn root() -> String {
    "/".to_owned()
}

/// What a client says.
#[derive(Deserialize)]
#[serde(tag = "type", rename_all = "lowercase")]
enum Said {
    Subscribe {
        channel: String,
        #[serde(default)]
        token: String,
    },
    /// What is in it is the subscribers' business.
    Message { channel: String },
}

impl Play for WebSocketServer {
    const NAME: &'static str = "websocket-server";
    const IS_SERVER: bool = true;

    async fn run(&self, running: &Running, ready: impl FnOnce()) -> Result<(), ProgramError> {
        let chat = Rc::new(Chat { settings: self.clone(), room: Room::default(), came: Cell::new(0) });
        running
            .serve_streams(self.port, ready, move |running, stream, peer| {
                let chat = Rc::clone(&chat);
                async move { chat.serve_one(running, stream, peer).await }
            })
            .await
    }
}

/// The server at work.
struct Chat {
    settings: WebSocketServer,
    room: Room,
    /// How many clients have come.
    came: Cell<u64>,
}

impl Chat {
    async fn serve_one(&self, running: Running, stream: Stream, peer: SocketAddr) -> Result<(), ProgramError> {
        let answer = |_, request: Request<Incoming>| {
            let response = self.answer(&request);
            async move { (response.map(Full::new), None) }
        };
        let Some((stream, read)) = http::serve_until_upgrade(&running, stream, peer, answer).await? else {
            return Ok(());
        };
        let socket = Socket::of_server(&running, stream, read, peer).await?;
        let number = self.came.get().wrapping_add(1);
        self.came.set(number);
        let ended = self.talk(&running, socket, number).await;
        self.room.leave(number);
        ended
    }

    fn answer(&self, request: &Request<Incoming>) -> Response<Bytes> {
        let path = request.uri().path();
        if path == self.settings.path {
            return upgrade::grant(request);
        }
        let text = format!("There is nothing at {path}. This server speaks WebSocket at {}\n", self.settings.path);
        http::response(StatusCode::NOT_FOUND, TEXT, text)
    }

    /// Hears a client, tells it what others say, and pings it, until it goes.
    async fn talk(&self, running: &Running, mut socket: Socket, number: u64) -> Result<(), ProgramError> {
        let (outbox, mut inbox) = mpsc::channel(WAITING);
        let mut next_ping = self.after(Instant::now());
        loop {
            tokio::select! {
                biased;
                Some(text) = inbox.recv() => socket.say(text).await?,
                heard = socket.hear() => match heard? {
                    Some(text) => {
                        if let Err(why) = self.take(running, &text, number, &outbox) {
                            return Err(socket.refuse(CloseCode::Policy, why).await);
                        }
                    }
                    None => return socket.finish().await,
                },
                () = until(next_ping) => {
                    socket.ping().await?;
                    next_ping = next_ping.and_then(|at| self.after(at));
                }
            }
        }
    }

    /// The ping after the one at `before`.
    fn after(&self, before: Instant) -> Option<Instant> {
        before.checked_add(self.settings.ping?.duration())
    }

    /// Does what a client says, or says why not.
    fn take(
        &self,
        running: &Running,
        text: &Utf8Bytes,
        number: u64,
        outbox: &mpsc::Sender<Utf8Bytes>,
    ) -> Result<(), &'static str> {
        match serde_json::from_str(text).map_err(|_| "neither a subscription nor a message")? {
            Said::Subscribe { channel, token } => {
                if self.settings.token.as_ref().is_some_and(|expected| *expected != token) {
                    return Err("the token is not one that is known here");
                }
                self.room.subscribe(&channel, number, outbox)
            }
            Said::Message { channel } => {
                let listeners = self.room.publish(&channel, text) as u64;
                running.report(ProgramEvent::Figure { name: "listeners".to_owned(), value: listeners });
                Ok(())
            }
        }
    }
}

/// Waits for a moment; for ever when there is none.
async fn until(moment: Option<Instant>) {
    match moment {
        Some(moment) => sleep_until(moment).await,
        None => std::future::pending().await,
    }
}
