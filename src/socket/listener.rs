//! A socket that accepts connections.

use std::fmt;
use std::future::poll_fn;
use std::io;
use std::net::SocketAddr;
use std::task::{Context, Poll};
use std::time::Duration;

use super::TcpStream;
use super::error::{bind_error, socket_error};
use super::stream::hops_of;
use crate::journal::SocketId;
use crate::network::{Interest, NodeHandle};
use crate::stack::{SocketError, SocketOption, TcpConfig};

/// A socket that accepts connections.
///
/// Dropping it resets those that nobody has accepted.
pub struct TcpListener {
    node: NodeHandle,
    socket: SocketId,
    local: SocketAddr,
    /// What its connections do when they are dropped.
    linger: Option<Duration>,
}

impl TcpListener {
    /// Listens on `local`; as in Linux `backlog` connections and one more may wait to be accepted. Port 0 takes a free one.
    ///
    /// # Errors
    /// [`io::ErrorKind::AddrInUse`] or [`io::ErrorKind::AddrNotAvailable`].
    pub fn bind(node: &NodeHandle, local: SocketAddr, backlog: usize) -> io::Result<TcpListener> {
        let config = node.inspect(|stack| stack.tcp_defaults().clone());
        TcpListener::bind_with(node, local, backlog, &config)
    }

    /// As [`TcpListener::bind`], whose connections begin with settings of their own.
    ///
    /// # Errors
    /// As [`TcpListener::bind`].
    pub fn bind_with(
        node: &NodeHandle,
        local: SocketAddr,
        backlog: usize,
        config: &TcpConfig,
    ) -> io::Result<TcpListener> {
        let listening = node.with_stack(|stack, _| {
            let socket = stack.listen(local, backlog, config)?;
            Ok((socket, stack.local_address(socket).unwrap_or(local)))
        });
        let (socket, local) = listening.map_err(bind_error)?;
        Ok(TcpListener { node: node.clone(), socket, local, linger: None })
    }

    pub(super) fn lingering(self, linger: Option<Duration>) -> TcpListener {
        let mut listener = self;
        listener.linger = linger;
        listener
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
            .map(|(socket, local, remote)| {
                Ok((TcpStream::of(&self.node, socket, [local, remote], self.linger), remote))
            })
    }

    /// The address it listens on.
    ///
    /// # Errors
    /// None today; a `Result` as in tokio.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        Ok(self.local)
    }

    /// Hops that packets of its connections may take.
    ///
    /// # Errors
    /// [`io::ErrorKind::Unsupported`] on a stack that does not tell.
    pub fn ttl(&self) -> io::Result<u32> {
        self.node
            .inspect(|stack| stack.tcp_settings(self.socket).map(|config| config.time_to_live.into()))
            .ok_or_else(|| socket_error(SocketError::Unsupported))
    }

    /// Sets the hops that packets of its connections may take, 1 to 255.
    ///
    /// # Errors
    /// [`io::ErrorKind::InvalidInput`] for another number.
    pub fn set_ttl(&self, hops: u32) -> io::Result<()> {
        self.set_option(SocketOption::TimeToLive(hops_of(hops)?))
    }

    /// Changes any other option that its connections begin with.
    ///
    /// # Errors
    /// [`io::ErrorKind::Unsupported`] on a stack that cannot.
    pub fn set_option(&self, option: SocketOption) -> io::Result<()> {
        self.node.with_stack(|stack, _| stack.set_option(self.socket, option)).map_err(socket_error)
    }
}

impl Drop for TcpListener {
    fn drop(&mut self) {
        self.node.forget(self.socket);
        self.node.with_stack(|stack, now| stack.close(now, self.socket));
    }
}

impl fmt::Debug for TcpListener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TcpListener").field("addr", &self.local).finish_non_exhaustive()
    }
}
