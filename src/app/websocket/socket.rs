//! One end of a WebSocket: frames in and out, each of them reported, and an orderly end (RFC 6455 §5, §7).

use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use hyper::body::Bytes;
use serde::Deserialize;
use tokio::io::AsyncWriteExt;
use tokio::time::timeout;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::error::ProtocolError;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::protocol::{CloseFrame, Role, WebSocketConfig};
use tokio_tungstenite::tungstenite::{Error, Message, Utf8Bytes};

use crate::app::run::Running;
use crate::app::{ProgramError, Stream};
use crate::journal::{ProgramEvent, Way};

/// The longest message that is taken, in octets.
const MOST_MESSAGE: usize = 1 << 16;
/// How much may wait to be sent, in octets.
const MOST_WAITING: usize = 1 << 18;
/// How much is read at a time, in octets.
const READ: usize = 1 << 12;
/// How long it waits for a peer that does not close its side.
const PATIENCE: Duration = Duration::from_secs(5);
/// Characters of a message that are reported.
const SHOWN: usize = 200;

/// One end of a WebSocket.
pub(in crate::app) struct Socket {
    frames: WebSocketStream<Stream>,
    running: Running,
    peer: String,
}

/// What every end is set up with. Who takes unmasked frames is no server that RFC 6455 §5.1 allows.
pub(super) fn config(takes_unmasked: bool) -> WebSocketConfig {
    WebSocketConfig::default()
        .read_buffer_size(READ)
        .write_buffer_size(0)
        .max_write_buffer_size(MOST_WAITING)
        .max_message_size(Some(MOST_MESSAGE))
        .max_frame_size(Some(MOST_MESSAGE))
        .accept_unmasked_frames(takes_unmasked)
}

impl Socket {
    /// A server's end, once its 101 is sent; `read` is what came with the request.
    pub(in crate::app) async fn of_server(
        running: &Running,
        stream: Stream,
        read: Bytes,
        peer: impl ToString,
    ) -> Result<Socket, ProgramError> {
        // A frame is a whole word: it waits for no other.
        stream.set_nodelay(true).map_err(running.broken("setting up the connection with", peer.to_string()))?;
        let config = Some(config(false));
        let frames = WebSocketStream::from_partially_read(stream, read.to_vec(), Role::Server, config).await;
        Ok(Socket::new(running, frames, peer))
    }

    /// Either end, once its handshake is over.
    pub(super) fn new(running: &Running, frames: WebSocketStream<Stream>, peer: impl ToString) -> Socket {
        Socket { frames, running: running.clone(), peer: peer.to_string() }
    }

    /// Sends a text.
    ///
    /// # Errors
    /// The connection's.
    pub(in crate::app) async fn say(&mut self, text: Utf8Bytes) -> Result<(), ProgramError> {
        self.send(Message::Text(text)).await
    }

    /// Asks whether the peer is there, and keeps everything between here and there from forgetting the connection.
    ///
    /// # Errors
    /// The connection's.
    pub(super) async fn ping(&mut self) -> Result<(), ProgramError> {
        self.send(Message::Ping(Bytes::new())).await
    }

    /// The next text. What else comes is reported and, where it has to be, answered. `None` once the peer has closed.
    /// Dropping the future loses no message.
    ///
    /// # Errors
    /// The connection's; or a peer that does not keep to the protocol, which has been told by then.
    pub(in crate::app) async fn hear(&mut self) -> Result<Option<Utf8Bytes>, ProgramError> {
        while let Some(came) = self.frames.next().await {
            let message = match came {
                Ok(message) => message,
                Err(error) => return Err(self.fail(error).await),
            };
            self.report(Way::Received, &message);
            match message {
                Message::Text(text) => return Ok(Some(text)),
                Message::Binary(_) => return Err(self.refuse(CloseCode::Unsupported, "only text is read here").await),
                // Pongs and the answer to a close go out with the next reading.
                Message::Ping(_) | Message::Pong(_) | Message::Close(_) | Message::Frame(_) => {}
            }
        }
        Ok(None)
    }

    /// Says goodbye, waits until the peer has done so too, and closes the connection under it.
    ///
    /// # Errors
    /// The connection's.
    pub(in crate::app) async fn close(mut self) -> Result<(), ProgramError> {
        self.send(close_frame(CloseCode::Normal, "")).await?;
        while self.hear().await?.is_some() {}
        self.finish().await
    }

    /// Closes the connection after both have said goodbye: the peer has closed it, too, when this returns, or has had time to.
    ///
    /// # Errors
    /// The connection's.
    pub(in crate::app) async fn finish(self) -> Result<(), ProgramError> {
        let mut stream = self.frames.into_inner();
        stream.shutdown().await.map_err(self.running.broken("closing the connection with", &self.peer))?;
        match timeout(PATIENCE, tokio::io::copy(&mut stream, &mut tokio::io::sink())).await {
            Ok(drained) => drained.map(|_| ()).map_err(self.running.broken("waiting for the close of", &self.peer)),
            Err(_) => Ok(()),
        }
    }

    /// Ends the connection with a reason, as [`finish`](Socket::finish) does. Returns the error that says so.
    pub(in crate::app) async fn refuse(&mut self, code: CloseCode, why: &str) -> ProgramError {
        let farewell = close_frame(code, why);
        self.report(Way::Sent, &farewell);
        // Whether it can still be said, and is heard, changes nothing.
        let _ = self.frames.send(farewell).await;
        let stream = self.frames.get_mut();
        let _ = stream.shutdown().await;
        let _ = timeout(PATIENCE, tokio::io::copy(stream, &mut tokio::io::sink())).await;
        let running = &self.running;
        let detail = format!("{why}; the connection is closed with {}", u16::from(code));
        ProgramError::Protocol { program: running.program, peer: self.peer.clone(), detail }
    }

    async fn send(&mut self, message: Message) -> Result<(), ProgramError> {
        self.report(Way::Sent, &message);
        match self.frames.send(message).await {
            Ok(()) => Ok(()),
            Err(error) => Err(self.fail(error).await),
        }
    }

    /// What an error of the library means; a peer that broke a rule is told so first (RFC 6455 §7.1.7).
    async fn fail(&mut self, error: Error) -> ProgramError {
        let why = error.to_string();
        match error {
            Error::Io(error) => self.running.broken("speaking WebSocket with", &self.peer)(error),
            Error::Protocol(ProtocolError::ResetWithoutClosingHandshake | ProtocolError::SendAfterClosing) => {
                ProgramError::Protocol { program: self.running.program, peer: self.peer.clone(), detail: why }
            }
            Error::Capacity(_) => self.refuse(CloseCode::Size, &why).await,
            Error::Utf8(_) => self.refuse(CloseCode::Invalid, &why).await,
            _ => self.refuse(CloseCode::Protocol, &why).await,
        }
    }

    fn report(&self, way: Way, message: &Message) {
        let (what, bytes, text) = match message {
            Message::Text(text) => ("text", text.len(), shown(text)),
            Message::Binary(octets) => ("binary", octets.len(), String::new()),
            Message::Ping(octets) => ("ping", octets.len(), String::new()),
            Message::Pong(octets) => ("pong", octets.len(), String::new()),
            Message::Close(None) => ("close", 0, String::new()),
            Message::Close(Some(frame)) => {
                let text = format!("{} {}", u16::from(frame.code), frame.reason);
                ("close", frame.reason.len() + 2, text.trim_end().to_owned())
            }
            // Whole messages are all that is sent and read.
            Message::Frame(_) => return,
        };
        let (what, bytes) = (what.to_owned(), bytes as u64);
        let channel = match message {
            Message::Text(text) => channel_of(text),
            _ => String::new(),
        };
        self.running.report(ProgramEvent::Message { way, what, channel, bytes, text });
    }
}

/// The reason is cut to what a frame of control takes (RFC 6455 §5.5).
fn close_frame(code: CloseCode, why: &str) -> Message {
    let why: String = why.chars().filter(char::is_ascii).take(120).collect();
    Message::Close(Some(CloseFrame { code, reason: why.into() }))
}

fn shown(text: &str) -> String {
    text.chars().take(SHOWN).collect()
}

/// The channel that a message names, for the journal; empty when it names none.
fn channel_of(text: &str) -> String {
    #[derive(Deserialize)]
    struct Addressed {
        #[serde(default)]
        channel: String,
    }
    serde_json::from_str::<Addressed>(text).map(|addressed| shown(&addressed.channel)).unwrap_or_default()
}
