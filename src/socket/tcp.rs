//! TCP: a stream and a listener.

use std::future::poll_fn;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::{open_error, socket_error};
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
}

impl TcpStream {
    /// Opens a connection from `node` to `remote`, with the stack's usual settings.
    ///
    /// # Errors
    /// [`io::ErrorKind::ConnectionRefused`] when nobody listens there, [`io::ErrorKind::TimedOut`] when the stack gives up.
    pub async fn connect(node: &NodeHandle, remote: SocketAddr) -> io::Result<TcpStream> {
        let config = node.with_stack(|stack, _| stack.tcp_defaults().clone());
        TcpStream::connect_with(node, None, remote, &config).await
    }

    /// Opens a connection with settings of its own, and from `local` if given.
    ///
    /// # Errors
    /// As [`TcpStream::connect`].
    pub async fn connect_with(
        node: &NodeHandle,
        local: Option<SocketAddr>,
        remote: SocketAddr,
        config: &TcpConfig,
    ) -> io::Result<TcpStream> {
        let socket = node.with_stack(|stack, now| stack.connect(now, local, remote, config)).map_err(open_error)?;
        // Owned from here on, so that a caller who stops waiting leaves nothing behind.
        let mut stream = TcpStream { node: node.clone(), socket, local: remote, remote };
        poll_fn(|context| stream.poll_open(context)).await?;
        stream.local =
            node.with_stack(|stack, _| stack.local_address(socket)).ok_or_else(|| socket_error(SocketError::Closed))?;
        Ok(stream)
    }

    fn poll_open(&self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.node.poll_with(context, self.socket, Interest::Write, |stack, now| {
            match stack.snapshot(self.socket).map(|snapshot| snapshot.state) {
                Some(TcpState::SynSent | TcpState::SynReceived) => None,
                Some(TcpState::Closed) | None => {
                    let ended = stack.send(now, self.socket, &[]).err();
                    // A reset that answers our SYN is a refusal, whatever the stack calls it.
                    Some(Err(match ended {
                        Some(SocketError::Ended(CloseReason::Reset)) => {
                            socket_error(SocketError::Ended(CloseReason::Refused))
                        }
                        Some(error @ SocketError::Ended(_)) => socket_error(error),
                        Some(_) | None => socket_error(SocketError::Ended(CloseReason::TimedOut)),
                    }))
                }
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
    /// None today; a `Result` as in tokio.
    pub fn peer_addr(&self) -> io::Result<SocketAddr> {
        Ok(self.remote)
    }

    /// Switches Nagle's algorithm off (`true`) or on.
    ///
    /// # Errors
    /// [`io::ErrorKind::NotConnected`] when the connection is gone.
    pub fn set_nodelay(&self, no_delay: bool) -> io::Result<()> {
        self.node
            .with_stack(|stack, _| stack.set_option(self.socket, SocketOption::NoDelay(no_delay)))
            .map_err(socket_error)
    }

    /// Gives the connection up at once, with a reset (RFC 9293 §3.10.5): what was written and not yet delivered is not.
    pub fn abort(self) {
        // The id is no longer valid then, and the close that follows means nobody.
        self.node.with_stack(|stack, now| stack.abort(now, self.socket));
    }

    /// What the connection knows at this moment; `None` once it is gone.
    pub fn snapshot(&self) -> Option<Snapshot> {
        self.node.with_stack(|stack, _| stack.snapshot(self.socket))
    }
}

impl Drop for TcpStream {
    fn drop(&mut self) {
        self.node.forget(self.socket);
        self.node.with_stack(|stack, now| stack.close(now, self.socket));
    }
}

impl AsyncRead for TcpStream {
    fn poll_read(self: Pin<&mut Self>, context: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        if buffer.remaining() == 0 {
            return Poll::Ready(Ok(()));
        }
        self.node.poll_with(context, self.socket, Interest::Read, |stack, now| {
            match stack.receive_into(now, self.socket, buffer.initialize_unfilled()) {
                Ok(Some(octets)) => {
                    buffer.advance(octets);
                    Some(Ok(()))
                }
                Ok(None) => None,
                Err(error) => Some(Err(socket_error(error))),
            }
        })
    }
}

impl AsyncWrite for TcpStream {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, data: &[u8]) -> Poll<io::Result<usize>> {
        if data.is_empty() {
            return Poll::Ready(Ok(0));
        }
        self.node.poll_with(context, self.socket, Interest::Write, |stack, now| {
            match stack.send(now, self.socket, data) {
                Ok(0) => None,
                Ok(octets) => Some(Ok(octets)),
                Err(error) => Some(Err(socket_error(error))),
            }
        })
    }

    /// The stack sends by itself as soon as it may; there is nothing to flush.
    fn poll_flush(self: Pin<&mut Self>, _context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.node.with_stack(|stack, now| stack.shutdown(now, self.socket));
        Poll::Ready(Ok(()))
    }
}

/// A socket that accepts connections.
pub struct TcpListener {
    node: NodeHandle,
    socket: SocketId,
    local: SocketAddr,
}

impl TcpListener {
    /// Listens on `local`; as in Linux `backlog` connections and one more may wait to be accepted. Port 0 takes a free one.
    ///
    /// # Errors
    /// [`io::ErrorKind::AddrInUse`] or [`io::ErrorKind::AddrNotAvailable`].
    pub fn bind(node: &NodeHandle, local: SocketAddr, backlog: usize) -> io::Result<TcpListener> {
        let (socket, local) = node
            .with_stack(|stack, _| {
                let config = stack.tcp_defaults().clone();
                stack
                    .listen(local, backlog, &config)
                    .map(|socket| (socket, stack.local_address(socket).unwrap_or(local)))
            })
            .map_err(open_error)?;
        Ok(TcpListener { node: node.clone(), socket, local })
    }

    /// The next connection, and who it comes from. Cancel safe.
    ///
    /// # Errors
    /// None today; a `Result` as in tokio.
    pub async fn accept(&self) -> io::Result<(TcpStream, SocketAddr)> {
        poll_fn(|context| self.poll_accept(context)).await
    }

    /// As [`TcpListener::accept`], by hand.
    pub fn poll_accept(&self, context: &mut Context<'_>) -> Poll<io::Result<(TcpStream, SocketAddr)>> {
        self.node
            .poll_with(context, self.socket, Interest::Read, |stack, now| {
                let (socket, remote) = stack.accept(now, self.socket)?;
                Some((socket, stack.local_address(socket).unwrap_or(self.local), remote))
            })
            .map(|(socket, local, remote)| Ok((TcpStream { node: self.node.clone(), socket, local, remote }, remote)))
    }

    /// The address it listens on.
    ///
    /// # Errors
    /// None today; a `Result` as in tokio.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        Ok(self.local)
    }
}

impl Drop for TcpListener {
    fn drop(&mut self) {
        self.node.forget(self.socket);
        self.node.with_stack(|stack, now| stack.close(now, self.socket));
    }
}
