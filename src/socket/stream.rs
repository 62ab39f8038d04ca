//! A TCP connection: opening, closing, and what can be set. Reading and writing: `stream/octets.rs`; waiting without
//! either: `stream/waiting.rs`.

mod octets;
mod waiting;

use std::fmt;
use std::future::poll_fn;
use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use nix::errno::Errno;

use super::error::{close_error, connect_error, delivery_error, socket_error};
use super::{OwnedReadHalf, OwnedWriteHalf, ReadHalf, WriteHalf, owned, split};
use crate::journal::{Snapshot, SocketId, TcpState};
use crate::network::{Interest, NodeHandle};
use crate::stack::{CloseReason, SocketError, SocketOption, TcpConfig};

/// A TCP connection of a userspace stack.
///
/// Dropping it closes in the background: what was written is still delivered. Data that arrived and was not read makes
/// the close a reset, as it does in a kernel.
pub struct TcpStream {
    node: NodeHandle,
    socket: SocketId,
    local: SocketAddr,
    remote: SocketAddr,
    /// The error that ended the connection has been told: a kernel tells it once, then there is only the end.
    told: AtomicBool,
    linger: Mutex<Option<Duration>>,
}

impl TcpStream {
    /// A connection that the stack has opened.
    pub(super) fn of(
        node: &NodeHandle,
        socket: SocketId,
        [local, remote]: [SocketAddr; 2],
        linger: Option<Duration>,
    ) -> TcpStream {
        let (told, linger) = (AtomicBool::new(false), Mutex::new(linger));
        TcpStream { node: node.clone(), socket, local, remote, told, linger }
    }

    /// Opens a connection from `node` to `remote`, with the stack's usual settings.
    ///
    /// # Errors
    /// [`io::ErrorKind::ConnectionRefused`] when nobody listens there, [`io::ErrorKind::TimedOut`] when the stack gives up,
    /// [`io::ErrorKind::NetworkUnreachable`] and [`io::ErrorKind::HostUnreachable`] when there is no way there.
    pub async fn connect(node: &NodeHandle, remote: SocketAddr) -> io::Result<TcpStream> {
        let config = node.inspect(|stack| stack.tcp_defaults().clone());
        TcpStream::connect_with(node, None, remote, &config).await
    }

    /// Opens a connection with settings of its own, and from `local` if given.
    ///
    /// # Errors
    /// As [`TcpStream::connect`]; [`io::ErrorKind::AddrNotAvailable`] when `local` cannot be had.
    pub async fn connect_with(
        node: &NodeHandle,
        local: Option<SocketAddr>,
        remote: SocketAddr,
        config: &TcpConfig,
    ) -> io::Result<TcpStream> {
        let socket = node.with_stack(|stack, now| stack.connect(now, local, remote, config)).map_err(connect_error)?;
        TcpStream::opened(node, socket, remote).await
    }

    /// As [`TcpStream::connect_with`], and sends `data`, of which the first may go with the SYN: TCP Fast Open (RFC 7413;
    /// Linux's `MSG_FASTOPEN`). Returns how many octets were taken, too; the others are still to be written.
    ///
    /// # Errors
    /// As [`TcpStream::connect_with`]; [`io::ErrorKind::Unsupported`] on a stack that cannot do it.
    pub async fn connect_with_data(
        node: &NodeHandle,
        local: Option<SocketAddr>,
        remote: SocketAddr,
        config: &TcpConfig,
        data: &[u8],
    ) -> io::Result<(TcpStream, usize)> {
        let (socket, taken) = node
            .with_stack(|stack, now| stack.connect_with(now, local, remote, config, data))
            .map_err(connect_error)?;
        TcpStream::opened(node, socket, remote).await.map(|stream| (stream, taken))
    }

    /// Waits until a connection that has begun to open is open.
    async fn opened(node: &NodeHandle, socket: SocketId, remote: SocketAddr) -> io::Result<TcpStream> {
        // Owned from here on, so that a caller who stops waiting leaves nothing behind.
        let mut stream = TcpStream::of(node, socket, [remote, remote], None);
        poll_fn(|context| stream.poll_open(context)).await?;
        let local = node.inspect(|stack| stack.local_address(socket));
        stream.local = local.ok_or_else(|| socket_error(SocketError::Closed))?;
        Ok(stream)
    }

    fn poll_open(&self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.node.poll_with(context, self.socket, Interest::Write, |stack, _| {
            match stack.snapshot(self.socket).map(|snapshot| (snapshot.state, snapshot.open_early)) {
                Some((TcpState::SynSent | TcpState::SynReceived, false)) => None,
                Some((TcpState::Closed, _)) | None => Some(Err(match stack.room(self.socket).err() {
                    // A reset that answers our SYN is a refusal, whatever the stack calls it.
                    Some(SocketError::Ended(CloseReason::Reset)) => close_error(CloseReason::Refused),
                    Some(SocketError::Ended(reason)) => close_error(reason),
                    Some(_) | None => close_error(CloseReason::TimedOut),
                })),
                Some(_) => Some(Ok(())),
            }
        })
    }

    /// This end's address.
    ///
    /// # Errors
    /// None today; a `Result` as in tokio.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        Ok(self.local)
    }

    /// The other end's address.
    ///
    /// # Errors
    /// [`io::ErrorKind::NotConnected`] once the connection is over.
    pub fn peer_addr(&self) -> io::Result<SocketAddr> {
        match self.snapshot().map_or(TcpState::Closed, |snapshot| snapshot.state) {
            TcpState::Closed | TcpState::TimeWait => Err(Errno::ENOTCONN.into()),
            _ => Ok(self.remote),
        }
    }

    /// Takes the error that waits, if any (Linux's `SO_ERROR`): the one that ended the connection, unless a verb has said it
    /// already, else what the network has reported meanwhile.
    ///
    /// # Errors
    /// None today; a `Result` as in tokio.
    pub fn take_error(&self) -> io::Result<Option<io::Error>> {
        let (ended, soft) = self.node.with_stack(|stack, _| match stack.room(self.socket) {
            Err(SocketError::Ended(reason)) => (Some(reason), None),
            Ok(_) | Err(_) => (None, stack.take_error(self.socket)),
        });
        let ended = ended.filter(|_| !self.told.swap(true, Ordering::Relaxed));
        Ok(ended.map(close_error).or(soft.map(delivery_error)))
    }

    /// Whether Nagle's algorithm is off.
    ///
    /// # Errors
    /// [`io::ErrorKind::Unsupported`] on a stack that does not tell.
    pub fn nodelay(&self) -> io::Result<bool> {
        self.setting(|config| config.no_delay)
    }

    /// Switches Nagle's algorithm off (`true`) or on.
    ///
    /// # Errors
    /// [`io::ErrorKind::NotConnected`] when the connection is gone.
    pub fn set_nodelay(&self, no_delay: bool) -> io::Result<()> {
        self.set_option(SocketOption::NoDelay(no_delay))
    }

    /// Hops that its packets may take (RFC 9293 MUST-49).
    ///
    /// # Errors
    /// [`io::ErrorKind::Unsupported`] on a stack that does not tell.
    pub fn ttl(&self) -> io::Result<u32> {
        self.setting(|config| config.time_to_live.into())
    }

    /// Sets the hops that its packets may take, 1 to 255.
    ///
    /// # Errors
    /// [`io::ErrorKind::InvalidInput`] for another number.
    pub fn set_ttl(&self, hops: u32) -> io::Result<()> {
        self.set_option(SocketOption::TimeToLive(hops_of(hops)?))
    }

    /// Acknowledges at once (`true`), or waits for data to ride on (Linux's `TCP_QUICKACK`).
    ///
    /// # Errors
    /// [`io::ErrorKind::Unsupported`] on a stack that cannot.
    pub fn set_quickack(&self, quick: bool) -> io::Result<()> {
        self.set_option(SocketOption::QuickAck(quick))
    }

    /// What dropping it does (Linux's `SO_LINGER`): see [`TcpStream::set_linger`].
    ///
    /// # Errors
    /// None today; a `Result` as in tokio.
    pub fn linger(&self) -> io::Result<Option<Duration>> {
        Ok(*self.linger.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Says what dropping it does: with a span of zero the connection is reset, and what was not delivered never will be.
    /// Otherwise it closes in the background. Linux would block for the span, and then do the same.
    ///
    /// # Errors
    /// None today; a `Result` as in tokio.
    pub fn set_linger(&self, linger: Option<Duration>) -> io::Result<()> {
        *self.linger.lock().unwrap_or_else(PoisonError::into_inner) = linger;
        Ok(())
    }

    /// Dropping it resets the connection.
    ///
    /// # Errors
    /// None today; a `Result` as in tokio.
    pub fn set_zero_linger(&self) -> io::Result<()> {
        self.set_linger(Some(Duration::ZERO))
    }

    /// Changes any other option: keep-alive, the user time-out, the congestion control, …
    ///
    /// # Errors
    /// [`io::ErrorKind::Unsupported`] on a stack that cannot, [`io::ErrorKind::NotConnected`] when the connection is gone.
    pub fn set_option(&self, option: SocketOption) -> io::Result<()> {
        self.node.with_stack(|stack, _| stack.set_option(self.socket, option)).map_err(socket_error)
    }

    fn setting<T>(&self, look: impl FnOnce(&TcpConfig) -> T) -> io::Result<T> {
        self.node
            .inspect(|stack| stack.tcp_settings(self.socket).map(look))
            .ok_or_else(|| socket_error(SocketError::Unsupported))
    }

    /// Gives the connection up at once, with a reset (RFC 9293 §3.10.5): what was written and not yet delivered is not.
    pub fn abort(self) {
        // The id is no longer valid then, and the close that follows means nobody.
        self.node.with_stack(|stack, now| stack.abort(now, self.socket));
    }

    /// What the connection knows at this moment; `None` once it is gone.
    pub fn snapshot(&self) -> Option<Snapshot> {
        self.node.inspect(|stack| stack.snapshot(self.socket))
    }

    /// Two halves that borrow it, to read and to write at the same time.
    pub fn split(&mut self) -> (ReadHalf<'_>, WriteHalf<'_>) {
        split::halves(self)
    }

    /// Two halves that own it together. Dropping the one that writes sends FIN.
    pub fn into_split(self) -> (OwnedReadHalf, OwnedWriteHalf) {
        owned::halves(self)
    }
}

/// A hop count as sockets take it.
pub(super) fn hops_of(hops: u32) -> io::Result<u8> {
    u8::try_from(hops).ok().filter(|hops| *hops > 0).ok_or_else(|| Errno::EINVAL.into())
}

impl Drop for TcpStream {
    fn drop(&mut self) {
        let linger = self.linger.get_mut().unwrap_or_else(PoisonError::into_inner);
        let resets = *linger == Some(Duration::ZERO);
        self.node.forget(self.socket);
        self.node.with_stack(|stack, now| match resets {
            true => stack.abort(now, self.socket),
            false => stack.close(now, self.socket),
        });
    }
}

impl AsRef<TcpStream> for TcpStream {
    fn as_ref(&self) -> &TcpStream {
        self
    }
}

impl fmt::Debug for TcpStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TcpStream").field("addr", &self.local).field("peer", &self.remote).finish_non_exhaustive()
    }
}
