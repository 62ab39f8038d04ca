//! `websocket-client`: opens a WebSocket, says what it is to say, and hears what comes.

use std::time::Duration;

use hyper::header::{self, HeaderName, HeaderValue};
use hyper::{Request, Uri};
use serde::{Deserialize, Deserializer, de};
use tokio::time::{Instant, sleep_until};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::handshake::client::generate_key;
use tokio_tungstenite::tungstenite::protocol::Role;
use tokio_tungstenite::tungstenite::{Error, Utf8Bytes};

use super::socket::{Socket, config};
use crate::app::http::connection;
use crate::app::program::Play;
use crate::app::run::Running;
use crate::app::{Destination, ProgramError, Span, Stream, Url};
use crate::journal::ProgramEvent;

/// `websocket-client`
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WebSocketClient {
    /// `ws://server/chat`
    #[serde(deserialize_with = "ws_url")]
    url: Url,
    /// What it says, one after the other.
    #[serde(default)]
    send: Vec<Say>,
    /// How many texts it hears before it closes.
    #[serde(default)]
    receive: u32,
    /// How long it waits for them, counted from its last word.
    #[serde(default = "one_minute")]
    patience: Span,
    /// Whether its frames are masked, as those of a client must be.
    #[serde(default = "yes")]
    mask: bool,
}

/// One message.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
struct Say {
    /// How long it waits after what was before.
    #[serde(default)]
    after: Option<Span>,
    text: String,
}

fn one_minute() -> Span {
    Span::from_duration(Duration::from_secs(60))
}

fn yes() -> bool {
    true
}

/// Reads `ws://server/chat` (RFC 6455 §3).
fn ws_url<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Url, D::Error> {
    let written = String::deserialize(deserializer)?;
    let url = written.strip_prefix("ws://").and_then(|rest| format!("http://{rest}").parse().ok());
    let wrong = || format!("`{written}` is no URL of a WebSocket: write one such as \"ws://server/chat\"");
    url.ok_or_else(|| de::Error::custom(wrong()))
}

impl Play for WebSocketClient {
    const NAME: &'static str = "websocket-client";
    const IS_SERVER: bool = false;

    fn peers(&self) -> Vec<&Destination> {
        vec![&self.url.destination]
    }

    fn moves_over_tcp(&self) -> bool {
        true
    }

    /// Others may follow as soon as the connection is a WebSocket.
    async fn run(&self, running: &Running, ready: impl FnOnce()) -> Result<(), ProgramError> {
        let mut socket = open(running, &self.url, self.mask).await?;
        ready();
        if self.talk(&mut socket).await? {
            return socket.close().await;
        }
        // The server has closed.
        socket.finish().await
    }
}

impl WebSocketClient {
    /// Says and hears everything. Returns whether the connection still stands.
    async fn talk(&self, socket: &mut Socket) -> Result<bool, ProgramError> {
        let mut heard = 0;
        let mut last_word = Instant::now();
        for say in &self.send {
            let moment = last_word.checked_add(say.after.map_or(Duration::ZERO, Span::duration)).unwrap_or(last_word);
            loop {
                tokio::select! {
                    biased;
                    text = socket.hear() => match text? {
                        Some(_) => heard += 1,
                        None => return Ok(false),
                    },
                    () = sleep_until(moment) => break,
                }
            }
            socket.say(Utf8Bytes::from(say.text.clone())).await?;
            last_word = moment;
        }
        let end = last_word.checked_add(self.patience.duration()).unwrap_or(last_word);
        while heard < self.receive {
            tokio::select! {
                biased;
                text = socket.hear() => match text? {
                    Some(_) => heard += 1,
                    None => return Ok(false),
                },
                () = sleep_until(end) => break,
            }
        }
        Ok(true)
    }
}

/// Opens a WebSocket: a connection, and the handshake over it.
///
/// # Errors
/// The connection's; or a server that does not grant it (RFC 6455 §4.1).
pub(in crate::app) async fn open(running: &Running, url: &Url, mask: bool) -> Result<Socket, ProgramError> {
    let peer = &url.destination;
    let stream = running.connect(peer).await?;
    // A frame is a whole word: it waits for no other.
    stream.set_nodelay(true).map_err(running.broken("setting up the connection with", peer))?;
    running.report(ProgramEvent::Request { method: "GET".to_owned(), target: url.target.clone(), bytes: 0 });
    let opened = tokio_tungstenite::client_async_with_config(request(url), stream, Some(config(false))).await;
    let (frames, response) = opened.map_err(|error| not_granted(running, peer, error))?;
    running.report(ProgramEvent::Response { status: response.status().as_u16(), bytes: 0, cache: None });
    let frames = if mask { frames } else { bare(frames.into_inner()).await };
    Ok(Socket::new(running, frames, peer))
}

/// Frames without masks, as if this were a server.
async fn bare(stream: Stream) -> WebSocketStream<Stream> {
    WebSocketStream::from_raw_socket(stream, Role::Server, Some(config(true))).await
}

fn request(url: &Url) -> Request<()> {
    let mut request = connection::request(url, "").map(|_| ());
    // The library looks at the scheme; what is sent is the target alone.
    let uri = format!("ws://{}{}", url.authority, url.target);
    *request.uri_mut() = uri.parse::<Uri>().unwrap_or_default();
    let fields = request.headers_mut();
    fields.remove(header::ACCEPT);
    fields.insert(header::CONNECTION, HeaderValue::from_static("Upgrade"));
    fields.insert(header::UPGRADE, HeaderValue::from_static("websocket"));
    fields.insert(header::SEC_WEBSOCKET_VERSION, HeaderValue::from_static("13"));
    let key: Option<(HeaderName, HeaderValue)> =
        HeaderValue::try_from(generate_key()).ok().map(|key| (header::SEC_WEBSOCKET_KEY, key));
    fields.extend(key);
    request
}

fn not_granted(running: &Running, peer: &Destination, error: Error) -> ProgramError {
    let (program, peer) = (running.program, peer.to_string());
    match error {
        Error::Io(error) => running.broken("opening a WebSocket to", peer)(error),
        Error::Http(response) => {
            let status = response.status().as_u16();
            running.report(ProgramEvent::Response { status, bytes: 0, cache: None });
            ProgramError::Protocol { program, peer, detail: format!("it does not switch protocols but says {status}") }
        }
        error => ProgramError::Protocol { program, peer, detail: error.to_string() },
    }
}
