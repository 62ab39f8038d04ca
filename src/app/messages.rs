//! Numbered messages at a steady pace, over TCP or UDP: `message-send` and `message-sink`.
//!
//! A message is its number, from 1, in four octets (big endian), then zeros up to its size:
//!
//! ```text
//! UDP:              | number (4) | 0 0 0 …      |   one datagram
//! TCP: | length (2) | number (4) | 0 0 0 …      |   one segment, as Nagle's algorithm is off
//! ```
//!
//! TCP carries a stream and knows no messages, so that each one there is preceded by its length, as DNS does it
//! (RFC 1035 §4.2.2).

use std::net::SocketAddr;

use serde::Deserialize;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::{Instant, sleep_until};

use super::host::Datagram;
use super::program::Play;
use super::run::{Running, named};
use super::values;
use super::{Destination, MessageSize, ProgramError, Span, Stream};
use crate::journal::{ProgramEvent, TransportKind};

/// `message-sink`
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MessageSink {
    /// Where it listens, from 1.
    #[serde(deserialize_with = "values::port")]
    pub port: u16,
    /// TCP or UDP.
    pub over: TransportKind,
}

impl Play for MessageSink {
    const NAME: &'static str = "message-sink";
    const IS_SERVER: bool = true;

    async fn run(&self, running: &Running, ready: impl FnOnce()) -> Result<(), ProgramError> {
        match self.over {
            TransportKind::Tcp => running.serve_streams(self.port, ready, sink_stream).await,
            TransportKind::Udp => running.serve_datagrams(self.port, ready, sink_datagrams).await,
        }
    }
}

/// `message-send`
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MessageSend {
    /// To whom.
    pub to: Destination,
    /// TCP or UDP.
    pub over: TransportKind,
    /// How many messages, numbered from 1.
    pub count: u32,
    /// How long each is. Over TCP two octets more, for its length.
    pub size: MessageSize,
    /// The time from one message to the next; the first goes at once.
    pub every: Span,
}

impl Play for MessageSend {
    const NAME: &'static str = "message-send";
    const IS_SERVER: bool = false;

    fn peers(&self) -> Vec<&Destination> {
        vec![&self.to]
    }

    fn moves_over_tcp(&self) -> bool {
        self.over == TransportKind::Tcp
    }

    async fn run(&self, running: &Running, _ready: impl FnOnce()) -> Result<(), ProgramError> {
        match self.over {
            TransportKind::Tcp => self.send_stream(running).await,
            TransportKind::Udp => self.send_datagrams(running).await,
        }
    }
}

impl MessageSend {
    /// The message of this number.
    fn message(&self, number: u32) -> Vec<u8> {
        let mut message = number.to_be_bytes().to_vec();
        message.resize(usize::from(self.size.octets()), 0);
        message
    }

    async fn send_stream(&self, running: &Running) -> Result<(), ProgramError> {
        let to = &self.to;
        let mut stream = running.connect(to).await?;
        stream.set_nodelay(true).map_err(running.broken("setting up the connection to", to))?;
        let mut pace = Pace::new(self.every);
        for number in 1..=self.count {
            pace.beat().await;
            let mut framed = self.size.octets().to_be_bytes().to_vec();
            framed.extend_from_slice(&self.message(number));
            stream.write_all(&framed).await.map_err(running.broken("sending to", to))?;
            running.report(ProgramEvent::MessageSent { over: TransportKind::Tcp, number });
        }
        stream.shutdown().await.map_err(running.broken("closing the connection with", to))?;
        // Whatever the peer says before its own close is not for us; an error is.
        tokio::io::copy(&mut stream, &mut tokio::io::sink())
            .await
            .map_err(running.broken("waiting for the close of", to))?;
        Ok(())
    }

    async fn send_datagrams(&self, running: &Running) -> Result<(), ProgramError> {
        let remote = running.resolver.resolve(&self.to)?;
        let socket = running.bind_udp_towards(remote).await?;
        let mut pace = Pace::new(self.every);
        for number in 1..=self.count {
            pace.beat().await;
            let peer = named(&self.to, remote);
            socket.send_to(&self.message(number), remote).await.map_err(running.broken("sending to", peer))?;
            running.report(ProgramEvent::MessageSent { over: TransportKind::Udp, number });
        }
        Ok(())
    }
}

/// The beats at which messages go. They are counted from the start, so that a slow send does not shift those after it.
struct Pace {
    next: Instant,
    every: Span,
}

impl Pace {
    fn new(every: Span) -> Pace {
        Pace { next: Instant::now(), every }
    }

    /// Waits for the next beat; the first is now. A beat in a future beyond reckoning is the one before it.
    async fn beat(&mut self) {
        sleep_until(self.next).await;
        self.next = self.next.checked_add(self.every.duration()).unwrap_or(self.next);
    }
}

async fn sink_stream(running: Running, mut stream: Stream, peer: SocketAddr) -> Result<(), ProgramError> {
    let mut message = Vec::new();
    while let Some(length) = next_length(&running, &mut stream, peer).await? {
        message.resize(usize::from(length), 0);
        stream.read_exact(&mut message).await.map_err(running.broken("receiving from", peer))?;
        let number = number_of(&message).ok_or_else(|| too_short(&running, peer, message.len()))?;
        running.report(ProgramEvent::MessageReceived { over: TransportKind::Tcp, number });
    }
    stream.shutdown().await.map_err(running.broken("closing the connection with", peer))
}

/// The length of the next message; `None` when the stream ends where a message ends.
async fn next_length(running: &Running, stream: &mut Stream, peer: SocketAddr) -> Result<Option<u16>, ProgramError> {
    let mut prefix = [0; 2];
    let first = stream.read(&mut prefix).await.map_err(running.broken("receiving from", peer))?;
    let [_, second] = &mut prefix;
    match first {
        0 => return Ok(None),
        1 => *second = stream.read_u8().await.map_err(running.broken("receiving from", peer))?,
        _ => {}
    }
    Ok(Some(u16::from_be_bytes(prefix)))
}

async fn sink_datagrams(running: Running, socket: Datagram) -> Result<(), ProgramError> {
    let mut buffer = vec![0; usize::from(u16::MAX)];
    loop {
        let (length, peer) =
            socket.recv_from(&mut buffer).await.map_err(running.broken("receiving from", "anybody"))?;
        match number_of(buffer.get(..length).unwrap_or_default()) {
            Some(number) => running.report(ProgramEvent::MessageReceived { over: TransportKind::Udp, number }),
            None => running.complain(too_short(&running, peer, length)),
        }
    }
}

/// The number of a message; `None` when it is too short to have one.
fn number_of(message: &[u8]) -> Option<u32> {
    message.first_chunk().copied().map(u32::from_be_bytes)
}

fn too_short(running: &Running, peer: SocketAddr, length: usize) -> ProgramError {
    let detail = format!("a message of {length} octets has no room for its number, which takes 4");
    ProgramError::Protocol { program: running.program, peer: peer.to_string(), detail }
}
