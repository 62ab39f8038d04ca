//! Reading, writing and looking ahead, waiting or not.

use std::future::poll_fn;
use std::io::{self, IoSlice, IoSliceMut};
use std::pin::Pin;
use std::sync::atomic::Ordering;
use std::task::{Context, Poll};

use bytes::BufMut;
use nix::errno::Errno;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::TcpStream;
use crate::network::Interest;
use crate::socket::error::{socket_error, would_block};
use crate::stack::{SocketError, Stack};
use crate::time::Instant;

/// Octets that [`TcpStream::try_read_buf`] takes at most.
const PIECE: usize = 64 * 1024;

/// The answer of a verb that may have to wait: `None` is "not yet".
type Answer = Option<io::Result<usize>>;

impl TcpStream {
    /// The error that ended the connection, the first time; then `None`.
    fn tell_once(&self, error: SocketError) -> Option<io::Error> {
        match error {
            SocketError::Ended(_) if self.told.swap(true, Ordering::Relaxed) => None,
            error => Some(socket_error(error)),
        }
    }

    /// What a reader is answered. After the error comes the end of the stream.
    fn reading(&self, answer: Result<Option<usize>, SocketError>) -> Answer {
        match answer {
            Ok(octets) => octets.map(Ok),
            Err(error) => Some(self.tell_once(error).map_or(Ok(0), Err)),
        }
    }

    /// What a writer is answered. After the error comes a broken pipe.
    fn writing(&self, answer: Result<usize, SocketError>) -> Answer {
        match answer {
            Ok(0) => None,
            Ok(octets) => Some(Ok(octets)),
            Err(error) => Some(Err(self.tell_once(error).unwrap_or_else(|| Errno::EPIPE.into()))),
        }
    }

    fn read_now(&self, stack: &mut dyn Stack, now: Instant, buffer: &mut [u8]) -> Answer {
        self.reading(stack.receive_into(now, self.socket, buffer))
    }

    fn write_now(&self, stack: &mut dyn Stack, now: Instant, parts: &[IoSlice<'_>]) -> Answer {
        self.writing(stack.send_parts(now, self.socket, parts))
    }

    pub(in crate::socket) fn poll_read_with(
        &self,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if buffer.remaining() == 0 {
            return Poll::Ready(Ok(()));
        }
        let read = self.node.poll_with(context, self.socket, Interest::Read, |stack, now| {
            self.read_now(stack, now, buffer.initialize_unfilled())
        });
        read.map_ok(|octets| buffer.advance(octets))
    }

    pub(in crate::socket) fn poll_write_with(
        &self,
        context: &mut Context<'_>,
        parts: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        if parts.iter().all(|part| part.is_empty()) {
            return Poll::Ready(Ok(0));
        }
        let write = |stack: &mut dyn Stack, now| self.write_now(stack, now, parts);
        self.node.poll_with(context, self.socket, Interest::Write, write)
    }

    /// Sends FIN after what was written; a connection that is over has nothing left to shut down.
    pub(in crate::socket) fn shut_write(&self) {
        self.node.with_stack(|stack, now| stack.shutdown(now, self.socket));
    }

    /// Reads without waiting: the octets that are there, 0 at the end of the stream.
    ///
    /// # Errors
    /// [`io::ErrorKind::WouldBlock`] when nothing is there yet.
    pub fn try_read(&self, buffer: &mut [u8]) -> io::Result<usize> {
        self.node.with_stack(|stack, now| self.read_now(stack, now, buffer)).unwrap_or_else(|| Err(would_block()))
    }

    /// As [`TcpStream::try_read`], into several places, one after the other.
    ///
    /// # Errors
    /// As [`TcpStream::try_read`].
    pub fn try_read_vectored(&self, buffers: &mut [IoSliceMut<'_>]) -> io::Result<usize> {
        let mut taken = 0;
        for buffer in buffers.iter_mut().filter(|buffer| !buffer.is_empty()) {
            match self.try_read(buffer) {
                Ok(octets) => taken += octets,
                // What was read counts; the error, if it is one, comes again.
                Err(_) if taken > 0 => break,
                Err(error) => return Err(error),
            }
            if taken == 0 {
                break;
            }
        }
        Ok(taken)
    }

    /// As [`TcpStream::try_read`], onto the end of `buffer`.
    ///
    /// # Errors
    /// As [`TcpStream::try_read`].
    pub fn try_read_buf<B: BufMut>(&self, buffer: &mut B) -> io::Result<usize> {
        let mut piece = vec![0; buffer.remaining_mut().min(PIECE)];
        let octets = self.try_read(&mut piece)?;
        buffer.put_slice(piece.get(..octets).unwrap_or_default());
        Ok(octets)
    }

    /// Writes without waiting: returns how many octets found room.
    ///
    /// # Errors
    /// [`io::ErrorKind::WouldBlock`] when none did.
    pub fn try_write(&self, data: &[u8]) -> io::Result<usize> {
        self.try_write_vectored(&[IoSlice::new(data)])
    }

    /// As [`TcpStream::try_write`], from several places, one after the other.
    ///
    /// # Errors
    /// As [`TcpStream::try_write`].
    pub fn try_write_vectored(&self, parts: &[IoSlice<'_>]) -> io::Result<usize> {
        if parts.iter().all(|part| part.is_empty()) {
            return Ok(0);
        }
        self.node.with_stack(|stack, now| self.write_now(stack, now, parts)).unwrap_or_else(|| Err(would_block()))
    }

    /// Looks at what comes next without taking it; waits until something is there. 0 at the end of the stream.
    ///
    /// # Errors
    /// Those of reading.
    pub async fn peek(&self, buffer: &mut [u8]) -> io::Result<usize> {
        let mut buffer = ReadBuf::new(buffer);
        poll_fn(|context| self.poll_peek(context, &mut buffer)).await
    }

    /// As [`TcpStream::peek`], by hand.
    pub fn poll_peek(&self, context: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<usize>> {
        let peeked = self.node.poll_with(context, self.socket, Interest::Read, |stack, _| {
            self.reading(stack.peek_into(self.socket, buffer.initialize_unfilled()))
        });
        peeked.map_ok(|octets| {
            buffer.advance(octets);
            octets
        })
    }
}

impl AsyncRead for TcpStream {
    fn poll_read(self: Pin<&mut Self>, context: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        self.poll_read_with(context, buffer)
    }
}

impl AsyncWrite for TcpStream {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, data: &[u8]) -> Poll<io::Result<usize>> {
        self.poll_write_with(context, &[IoSlice::new(data)])
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        parts: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.poll_write_with(context, parts)
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    /// The stack sends by itself as soon as it may; there is nothing to flush.
    fn poll_flush(self: Pin<&mut Self>, _context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.shut_write();
        Poll::Ready(Ok(()))
    }
}
