//! Waiting until something could be done, without doing it.

use std::future::poll_fn;
use std::io;
use std::task::{Context, Poll};

use tokio::io::{Interest as Wish, Ready};

use super::TcpStream;
use crate::journal::TcpState;
use crate::network::Interest;
use crate::socket::error::would_block;
use crate::stack::{SocketError, Stack};

impl TcpStream {
    /// Waits until one of the things asked for can be done, or never will be; returns what can be done now.
    ///
    /// # Errors
    /// None today; a `Result` as in tokio.
    pub async fn ready(&self, interest: Wish) -> io::Result<Ready> {
        poll_fn(|context| self.poll_ready(context, interest)).await
    }

    pub(in crate::socket) fn poll_ready(&self, context: &mut Context<'_>, interest: Wish) -> Poll<io::Result<Ready>> {
        let mut poll = |wish, look: fn(&TcpStream, &mut dyn Stack) -> Ready| {
            let ready = |stack: &mut dyn Stack, _| Some(look(self, stack)).filter(|ready| !ready.is_empty());
            match self.node.poll_with(context, self.socket, wish, ready) {
                Poll::Ready(ready) => ready,
                Poll::Pending => Ready::EMPTY,
            }
        };
        let mut ready = Ready::EMPTY;
        if interest.is_readable() {
            ready |= poll(Interest::Read, TcpStream::reading_is_possible);
        }
        if interest.is_writable() {
            ready |= poll(Interest::Write, TcpStream::writing_is_possible);
        }
        if ready.is_empty() { Poll::Pending } else { Poll::Ready(Ok(ready)) }
    }

    /// Linux's `EPOLLIN` and `EPOLLRDHUP`.
    fn reading_is_possible(&self, stack: &mut dyn Stack) -> Ready {
        let peer_has_closed = || match stack.snapshot(self.socket).map_or(TcpState::Closed, |snapshot| snapshot.state) {
            TcpState::CloseWait | TcpState::LastAck | TcpState::Closing | TcpState::TimeWait | TcpState::Closed => true,
            TcpState::Listen
            | TcpState::SynSent
            | TcpState::SynReceived
            | TcpState::Established
            | TcpState::FinWait1
            | TcpState::FinWait2 => false,
        };
        let is_closed = peer_has_closed();
        match stack.peek_into(self.socket, &mut [0]) {
            Ok(None) => Ready::EMPTY,
            Ok(Some(_)) if !is_closed => Ready::READABLE,
            Ok(Some(_)) | Err(_) => Ready::READABLE | Ready::READ_CLOSED,
        }
    }

    /// Linux's `EPOLLOUT` and `EPOLLHUP`.
    fn writing_is_possible(&self, stack: &mut dyn Stack) -> Ready {
        match stack.room(self.socket) {
            Ok(0) => Ready::EMPTY,
            Ok(_) => Ready::WRITABLE,
            // After a shutdown a write ends at once, with an error; only the end of both directions is a hang-up.
            Err(SocketError::ShutDown) => match self.reading_is_possible(stack).is_read_closed() {
                true => Ready::WRITABLE | Ready::WRITE_CLOSED,
                false => Ready::WRITABLE,
            },
            Err(_) => Ready::WRITABLE | Ready::WRITE_CLOSED,
        }
    }

    /// Waits until something can be read, or the stream has ended.
    ///
    /// # Errors
    /// None today; a `Result` as in tokio.
    pub async fn readable(&self) -> io::Result<()> {
        self.ready(Wish::READABLE).await.map(drop)
    }

    /// Waits until there is room to write, or writing has become impossible.
    ///
    /// # Errors
    /// None today; a `Result` as in tokio.
    pub async fn writable(&self) -> io::Result<()> {
        self.ready(Wish::WRITABLE).await.map(drop)
    }

    /// As [`TcpStream::readable`], by hand.
    pub fn poll_read_ready(&self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.poll_ready(context, Wish::READABLE).map_ok(drop)
    }

    /// As [`TcpStream::writable`], by hand.
    pub fn poll_write_ready(&self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.poll_ready(context, Wish::WRITABLE).map_ok(drop)
    }

    /// Does `verb` if what it is interested in can be done at this moment.
    ///
    /// # Errors
    /// [`io::ErrorKind::WouldBlock`] when it cannot; those of `verb`.
    pub fn try_io<R>(&self, interest: Wish, verb: impl FnOnce() -> io::Result<R>) -> io::Result<R> {
        let can = self.node.with_stack(|stack, _| {
            interest.is_readable() && !self.reading_is_possible(stack).is_empty()
                || interest.is_writable() && !self.writing_is_possible(stack).is_empty()
        });
        if can { verb() } else { Err(would_block()) }
    }
}
