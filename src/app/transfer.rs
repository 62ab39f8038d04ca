//! Whole streams, hashed at both ends: `send` and `sink`, `exchange` and `exchange-server`.
//!
//! The data comes from the seed in pieces and is hashed on the way, so that a stream of any length takes little memory
//! and two equal hashes prove that every octet arrived, once and in order.

use std::fmt::Write as _;
use std::io;
use std::net::SocketAddr;

use sha2::{Digest, Sha256};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::run::Running;
use super::{Destination, ProgramError, Resolver, Size, Stream};
use crate::journal::ProgramEvent;
use crate::rng::Rng;

/// How much is written or read at once, in octets. A multiple of 8: so the generator's stream has no seams.
const PIECE: usize = 16 * 1024;

/// `sink`: reads each connection to its end.
pub(super) async fn sink(running: &Running, port: u16, ready: impl FnOnce()) -> Result<(), ProgramError> {
    running.serve_streams(port, ready, sink_one).await
}

async fn sink_one(running: Running, mut stream: Stream, peer: SocketAddr) -> Result<(), ProgramError> {
    let received = receive_all(&mut stream).await.map_err(running.broken("receiving from", peer))?;
    running.report(received.received());
    stream.shutdown().await.map_err(running.broken("closing the connection with", peer))
}

/// `send`: sends, closes, and waits until the peer has closed too.
pub(super) async fn send(
    running: &Running,
    resolver: &Resolver,
    to: &Destination,
    bytes: Size,
) -> Result<(), ProgramError> {
    let mut stream = running.connect(resolver, to).await?;
    let sent = send_all(&mut stream, running.data(), bytes).await.map_err(running.broken("sending to", to))?;
    running.report(sent.sent());
    receive_all(&mut stream).await.map_err(running.broken("waiting for the close of", to))?;
    Ok(())
}

/// `exchange-server`: reads each connection to its end, then answers.
pub(super) async fn answer(
    running: &Running,
    port: u16,
    bytes: Size,
    ready: impl FnOnce(),
) -> Result<(), ProgramError> {
    running.serve_streams(port, ready, move |running, stream, peer| answer_one(running, stream, peer, bytes)).await
}

async fn answer_one(running: Running, mut stream: Stream, peer: SocketAddr, bytes: Size) -> Result<(), ProgramError> {
    let received = receive_all(&mut stream).await.map_err(running.broken("receiving from", peer))?;
    running.report(received.received());
    let sent = send_all(&mut stream, running.data(), bytes).await.map_err(running.broken("answering", peer))?;
    running.report(sent.sent());
    Ok(())
}

/// `exchange`: sends, closes its half, reads the answer.
pub(super) async fn exchange(
    running: &Running,
    resolver: &Resolver,
    to: &Destination,
    bytes: Size,
) -> Result<(), ProgramError> {
    let mut stream = running.connect(resolver, to).await?;
    let sent = send_all(&mut stream, running.data(), bytes).await.map_err(running.broken("sending to", to))?;
    running.report(sent.sent());
    let received = receive_all(&mut stream).await.map_err(running.broken("receiving the answer of", to))?;
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
