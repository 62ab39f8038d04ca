//! Whole streams, hashed at both ends: `send` and `sink`, `exchange` and `exchange-server`.
//!
//! The data comes from the seed in pieces and is hashed on the way, so that a stream of any length takes little memory
//! and two equal hashes prove that every octet arrived, once and in order.

use std::fmt::Write as _;
use std::io;
use std::net::SocketAddr;

use serde::Deserialize;
use sha2::{Digest, Sha256};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::program::Play;
use super::run::Running;
use super::values;
use super::{Destination, ProgramError, Size, Stream};
use crate::journal::ProgramEvent;
use crate::rng::Rng;

/// How much is written or read at once, in octets. A multiple of 8: so the generator's stream has no seams.
const PIECE: usize = 16 * 1024;

/// `sink`
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sink {
    /// Where it listens, from 1.
    #[serde(deserialize_with = "values::port")]
    pub port: u16,
}

impl Play for Sink {
    const NAME: &'static str = "sink";
    const IS_SERVER: bool = true;

    /// Reads each connection to its end.
    async fn run(&self, running: &Running, ready: impl FnOnce()) -> Result<(), ProgramError> {
        running.serve_streams(self.port, ready, sink_one).await
    }
}

async fn sink_one(running: Running, mut stream: Stream, peer: SocketAddr) -> Result<(), ProgramError> {
    take(&running, &mut stream, "receiving from", peer).await?;
    stream.shutdown().await.map_err(running.broken("closing the connection with", peer))
}

/// `send`
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Send {
    /// To whom.
    pub to: Destination,
    /// How much.
    pub bytes: Size,
}

impl Play for Send {
    const NAME: &'static str = "send";
    const IS_SERVER: bool = false;

    fn peers(&self) -> Vec<&Destination> {
        vec![&self.to]
    }

    fn moves_over_tcp(&self) -> bool {
        true
    }

    /// Sends, closes, and waits until the peer has closed too.
    async fn run(&self, running: &Running, _ready: impl FnOnce()) -> Result<(), ProgramError> {
        let to = &self.to;
        let mut stream = running.connect(to).await?;
        give(running, &mut stream, self.bytes, "sending to", to).await?;
        receive_all(&mut stream).await.map_err(running.broken("waiting for the close of", to))?;
        Ok(())
    }
}

/// `exchange-server`
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ExchangeServer {
    /// Where it listens, from 1.
    #[serde(deserialize_with = "values::port")]
    pub port: u16,
    /// How much it answers.
    pub bytes: Size,
}

impl Play for ExchangeServer {
    const NAME: &'static str = "exchange-server";
    const IS_SERVER: bool = true;

    /// Reads each connection to its end, then answers.
    async fn run(&self, running: &Running, ready: impl FnOnce()) -> Result<(), ProgramError> {
        let bytes = self.bytes;
        let answer = move |running, stream, peer| answer_one(running, stream, peer, bytes);
        running.serve_streams(self.port, ready, answer).await
    }
}

async fn answer_one(running: Running, mut stream: Stream, peer: SocketAddr, bytes: Size) -> Result<(), ProgramError> {
    take(&running, &mut stream, "receiving from", peer).await?;
    give(&running, &mut stream, bytes, "answering", peer).await
}

/// `exchange`
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Exchange {
    /// With whom.
    pub to: Destination,
    /// How much it sends.
    pub bytes: Size,
}

impl Play for Exchange {
    const NAME: &'static str = "exchange";
    const IS_SERVER: bool = false;

    fn peers(&self) -> Vec<&Destination> {
        vec![&self.to]
    }

    fn moves_over_tcp(&self) -> bool {
        true
    }

    /// Sends, closes its half, reads the answer.
    async fn run(&self, running: &Running, _ready: impl FnOnce()) -> Result<(), ProgramError> {
        let to = &self.to;
        let mut stream = running.connect(to).await?;
        give(running, &mut stream, self.bytes, "sending to", to).await?;
        take(running, &mut stream, "receiving the answer of", to).await
    }
}

/// Sends `bytes` and closes this half of the connection; tells what was sent.
async fn give(
    running: &Running,
    stream: &mut Stream,
    bytes: Size,
    doing: &'static str,
    peer: impl ToString,
) -> Result<(), ProgramError> {
    let sent = send_all(stream, running.data(), bytes).await.map_err(running.broken(doing, peer))?;
    running.report(sent.sent());
    Ok(())
}

/// Reads until the peer closes its half; tells what was received.
async fn take(
    running: &Running,
    stream: &mut Stream,
    doing: &'static str,
    peer: impl ToString,
) -> Result<(), ProgramError> {
    let received = receive_all(stream).await.map_err(running.broken(doing, peer))?;
    running.report(received.received());
    Ok(())
}

/// What has passed so far.
#[derive(Default)]
struct Tally {
    hash: Sha256,
    bytes: u64,
}

impl Tally {
    fn add(&mut self, piece: &[u8]) {
        self.hash.update(piece);
        self.bytes += piece.len() as u64;
    }

    fn sent(self) -> ProgramEvent {
        ProgramEvent::StreamSent { bytes: self.bytes, sha256: hex(&self.hash.finalize()) }
    }

    fn received(self) -> ProgramEvent {
        ProgramEvent::StreamReceived { bytes: self.bytes, sha256: hex(&self.hash.finalize()) }
    }
}

fn hex(octets: &[u8]) -> String {
    octets.iter().fold(String::with_capacity(octets.len() * 2), |mut text, octet| {
        // Writing to a string cannot fail.
        let _ = write!(text, "{octet:02x}");
        text
    })
}

/// Sends `bytes` of `data` and closes this half of the connection.
async fn send_all(stream: &mut Stream, mut data: Rng, bytes: Size) -> io::Result<Tally> {
    let mut tally = Tally::default();
    let mut piece = vec![0; PIECE];
    let mut left = bytes.octets();
    while left > 0 {
        piece.truncate(usize::try_from(left).unwrap_or(PIECE));
        data.fill(&mut piece);
        stream.write_all(&piece).await?;
        tally.add(&piece);
        left -= piece.len() as u64;
    }
    stream.shutdown().await?;
    Ok(tally)
}

/// Reads until the peer closes its half.
async fn receive_all(stream: &mut Stream) -> io::Result<Tally> {
    let mut tally = Tally::default();
    let mut piece = vec![0; PIECE];
    loop {
        let length = stream.read(&mut piece).await?;
        if length == 0 {
            return Ok(tally);
        }
        tally.add(piece.get(..length).unwrap_or_default());
    }
}
