//! UDP: opening, connecting, and the verbs that wait. Those that do not: `udp_now.rs`.

use std::fmt;
use std::future::poll_fn;
use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, PoisonError};
use std::task::{Context, Poll};

use nix::errno::Errno;
use tokio::io::{Interest as Wish, ReadBuf, Ready};

use super::error::{bind_error, delivery_error, socket_error};
use super::stream::hops_of;
use crate::journal::SocketId;
use crate::network::{Interest, NodeHandle};
use crate::stack::{SocketError, SocketOption, Stack};
use crate::time::Instant;

/// Hops of a datagram that nobody has said anything about (RFC 1122 §3.2.1.7).
const HOPS: u32 = 64;

/// A UDP socket of a userspace stack.
pub struct UdpSocket {
    pub(super) node: NodeHandle,
    pub(super) socket: SocketId,
    peer: Mutex<Option<SocketAddr>>,
    hops: AtomicU32,
}

/// The answer of a verb that may have to wait: `None` is "not yet".
pub(super) type Answer<T> = Option<io::Result<T>>;

impl UdpSocket {
    /// Opens a socket on `local`. Port 0 takes a free one.
    ///
    /// # Errors
    /// [`io::ErrorKind::AddrInUse`] or [`io::ErrorKind::AddrNotAvailable`].
    pub fn bind(node: &NodeHandle, local: SocketAddr) -> io::Result<UdpSocket> {
        let socket = node.with_stack(|stack, _| stack.udp_bind(local)).map_err(bind_error)?;
        Ok(UdpSocket { node: node.clone(), socket, peer: Mutex::new(None), hops: AtomicU32::new(HOPS) })
    }

    /// Ties it to one peer: it hears nobody else, and what the network says of datagrams that were sent there ends the next
    /// verb.
    ///
    /// # Errors
    /// [`io::ErrorKind::NetworkUnreachable`] without a way there.
    pub async fn connect(&self, remote: SocketAddr) -> io::Result<()> {
        self.node
            .with_stack(|stack, _| stack.udp_connect(self.socket, remote).map_err(|error| self.error(stack, error)))?;
        *self.peer.lock().unwrap_or_else(PoisonError::into_inner) = Some(remote);
        Ok(())
    }

    fn peer(&self) -> Option<SocketAddr> {
        *self.peer.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The peer that it is tied to, for a verb that sends there.
    pub(super) fn destination(&self) -> io::Result<SocketAddr> {
        self.peer().ok_or_else(|| Errno::EDESTADDRREQ.into())
    }

    /// Its own address.
    ///
    /// # Errors
    /// None today; a `Result` as in tokio.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        let local = self.node.inspect(|stack| stack.local_address(self.socket));
        local.ok_or_else(|| socket_error(SocketError::Closed))
    }

    /// The peer that it is tied to.
    ///
    /// # Errors
    /// [`io::ErrorKind::NotConnected`] when there is none.
    pub fn peer_addr(&self) -> io::Result<SocketAddr> {
        self.peer().ok_or_else(|| Errno::ENOTCONN.into())
    }

    /// Takes what the network has reported (Linux's `SO_ERROR`).
    ///
    /// # Errors
    /// None today; a `Result` as in tokio.
    pub fn take_error(&self) -> io::Result<Option<io::Error>> {
        Ok(self.node.with_stack(|stack, _| stack.take_error(self.socket)).map(delivery_error))
    }

    /// Hops that its datagrams may take.
    ///
    /// # Errors
    /// None today; a `Result` as in tokio.
    pub fn ttl(&self) -> io::Result<u32> {
        Ok(self.hops.load(Ordering::Relaxed))
    }

    /// Sets the hops that its datagrams may take, 1 to 255.
    ///
    /// # Errors
    /// [`io::ErrorKind::InvalidInput`] for another number.
    pub fn set_ttl(&self, hops: u32) -> io::Result<()> {
        self.set_option(SocketOption::TimeToLive(hops_of(hops)?))?;
        self.hops.store(hops, Ordering::Relaxed);
        Ok(())
    }

    /// Changes any other option: buffers, the traffic class.
    ///
    /// # Errors
    /// [`io::ErrorKind::Unsupported`] for one that only TCP has.
    pub fn set_option(&self, option: SocketOption) -> io::Result<()> {
        self.node.with_stack(|stack, _| stack.set_option(self.socket, option)).map_err(socket_error)
    }

    pub(super) fn send_now(&self, stack: &mut dyn Stack, now: Instant, data: &[u8], to: SocketAddr) -> Answer<usize> {
        if to.port() == 0 {
            return Some(Err(Errno::EINVAL.into()));
        }
        match stack.udp_send_to(now, self.socket, data, to) {
            Ok(true) => Some(Ok(data.len())),
            Ok(false) => None,
            Err(error) => Some(Err(self.error(stack, error))),
        }
    }

    /// What a verb ends with that would send: an address of the other family is none that cannot be reached.
    fn error(&self, stack: &dyn Stack, error: SocketError) -> io::Error {
        let own = stack.local_address(self.socket).map(|local| local.ip());
        match error {
            SocketError::Unreachable(remote)
                if own.is_some_and(|own| !own.is_unspecified() && own.is_ipv4() != remote.is_ipv4()) =>
            {
                Errno::EAFNOSUPPORT.into()
            }
            error => socket_error(error),
        }
    }

    pub(super) fn receive_now(&self, stack: &mut dyn Stack, buffer: &mut [u8]) -> Answer<(usize, SocketAddr)> {
        stack.udp_receive_from(self.socket, buffer).map_err(socket_error).transpose()
    }

    pub(super) fn peek_now(&self, stack: &mut dyn Stack, buffer: &mut [u8]) -> Answer<(usize, SocketAddr)> {
        stack.udp_peek_from(self.socket, buffer).map_err(socket_error).transpose()
    }

    /// Sends one datagram; waits while the queue is full. Returns its octets.
    ///
    /// # Errors
    /// `EMSGSIZE` when it is too long, [`io::ErrorKind::NetworkUnreachable`] without a way there.
    pub async fn send_to(&self, data: &[u8], remote: SocketAddr) -> io::Result<usize> {
        poll_fn(|context| self.poll_send_to(context, data, remote)).await
    }

    /// As [`UdpSocket::send_to`], by hand.
    pub fn poll_send_to(&self, context: &mut Context<'_>, data: &[u8], remote: SocketAddr) -> Poll<io::Result<usize>> {
        let send = |stack: &mut dyn Stack, now| self.send_now(stack, now, data, remote);
        self.node.poll_with(context, self.socket, Interest::Write, send)
    }

    /// Sends one datagram to the peer that it is tied to.
    ///
    /// # Errors
    /// `EDESTADDRREQ` when there is none, and those of [`UdpSocket::send_to`]; what the network said of an earlier one.
    pub async fn send(&self, data: &[u8]) -> io::Result<usize> {
        poll_fn(|context| self.poll_send(context, data)).await
    }

    /// As [`UdpSocket::send`], by hand.
    pub fn poll_send(&self, context: &mut Context<'_>, data: &[u8]) -> Poll<io::Result<usize>> {
        match self.destination() {
            Ok(remote) => self.poll_send_to(context, data, remote),
            Err(error) => Poll::Ready(Err(error)),
        }
    }

    /// The next datagram, cut to `buffer`: its octets there, and its sender. Cancel safe.
    ///
    /// # Errors
    /// What the network said of a datagram that was sent to the peer that it is tied to.
    pub async fn recv_from(&self, buffer: &mut [u8]) -> io::Result<(usize, SocketAddr)> {
        let receive = |stack: &mut dyn Stack, buffer: &mut [u8]| self.receive_now(stack, buffer);
        poll_fn(|context| self.poll_read(context, buffer, receive)).await
    }

    /// As [`UdpSocket::recv_from`], by hand.
    pub fn poll_recv_from(&self, context: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<SocketAddr>> {
        let receive = |stack: &mut dyn Stack, buffer: &mut [u8]| self.receive_now(stack, buffer);
        self.poll_into(context, buffer, receive)
    }

    /// As [`UdpSocket::recv_from`], without the sender.
    ///
    /// # Errors
    /// As [`UdpSocket::recv_from`].
    pub async fn recv(&self, buffer: &mut [u8]) -> io::Result<usize> {
        self.recv_from(buffer).await.map(|(octets, _)| octets)
    }

    /// As [`UdpSocket::recv`], by hand.
    pub fn poll_recv(&self, context: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        self.poll_recv_from(context, buffer).map_ok(drop)
    }

    /// As [`UdpSocket::recv_from`], but leaves the datagram where it is.
    ///
    /// # Errors
    /// As [`UdpSocket::recv_from`].
    pub async fn peek_from(&self, buffer: &mut [u8]) -> io::Result<(usize, SocketAddr)> {
        let peek = |stack: &mut dyn Stack, buffer: &mut [u8]| self.peek_now(stack, buffer);
        poll_fn(|context| self.poll_read(context, buffer, peek)).await
    }

    /// As [`UdpSocket::peek_from`], by hand.
    pub fn poll_peek_from(&self, context: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<SocketAddr>> {
        let peek = |stack: &mut dyn Stack, buffer: &mut [u8]| self.peek_now(stack, buffer);
        self.poll_into(context, buffer, peek)
    }

    /// As [`UdpSocket::peek_from`], without the sender.
    ///
    /// # Errors
    /// As [`UdpSocket::recv_from`].
    pub async fn peek(&self, buffer: &mut [u8]) -> io::Result<usize> {
        self.peek_from(buffer).await.map(|(octets, _)| octets)
    }

    /// Who has sent the next datagram.
    ///
    /// # Errors
    /// As [`UdpSocket::recv_from`].
    pub async fn peek_sender(&self) -> io::Result<SocketAddr> {
        self.peek_from(&mut []).await.map(|(_, sender)| sender)
    }

    fn poll_read(
        &self,
        context: &mut Context<'_>,
        buffer: &mut [u8],
        verb: impl FnOnce(&mut dyn Stack, &mut [u8]) -> Answer<(usize, SocketAddr)>,
    ) -> Poll<io::Result<(usize, SocketAddr)>> {
        self.node.poll_with(context, self.socket, Interest::Read, |stack, _| verb(stack, buffer))
    }

    fn poll_into(
        &self,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
        verb: impl FnOnce(&mut dyn Stack, &mut [u8]) -> Answer<(usize, SocketAddr)>,
    ) -> Poll<io::Result<SocketAddr>> {
        self.poll_read(context, buffer.initialize_unfilled(), verb).map_ok(|(octets, sender)| {
            buffer.advance(octets);
            sender
        })
    }

    /// Waits until one of the things asked for can be done; returns what can be done now.
    ///
    /// # Errors
    /// None today; a `Result` as in tokio.
    pub async fn ready(&self, interest: Wish) -> io::Result<Ready> {
        poll_fn(|context| self.poll_ready(context, interest)).await
    }

    fn poll_ready(&self, context: &mut Context<'_>, interest: Wish) -> Poll<io::Result<Ready>> {
        let mut poll = |wish, flag: Ready, can: fn(&UdpSocket, &mut dyn Stack) -> bool| {
            let look = |stack: &mut dyn Stack, _| can(self, stack).then_some(flag);
            match self.node.poll_with(context, self.socket, wish, look) {
                Poll::Ready(ready) => ready,
                Poll::Pending => Ready::EMPTY,
            }
        };
        let mut ready = Ready::EMPTY;
        if interest.is_readable() {
            ready |= poll(Interest::Read, Ready::READABLE, UdpSocket::can_receive);
        }
        if interest.is_writable() {
            ready |= poll(Interest::Write, Ready::WRITABLE, UdpSocket::can_send);
        }
        if ready.is_empty() { Poll::Pending } else { Poll::Ready(Ok(ready)) }
    }

    /// Waits until a datagram can be received.
    ///
    /// # Errors
    /// None today; a `Result` as in tokio.
    pub async fn readable(&self) -> io::Result<()> {
        self.ready(Wish::READABLE).await.map(drop)
    }

    /// Waits until a datagram finds room.
    ///
    /// # Errors
    /// None today; a `Result` as in tokio.
    pub async fn writable(&self) -> io::Result<()> {
        self.ready(Wish::WRITABLE).await.map(drop)
    }

    /// As [`UdpSocket::readable`], by hand.
    pub fn poll_recv_ready(&self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.poll_ready(context, Wish::READABLE).map_ok(drop)
    }

    /// As [`UdpSocket::writable`], by hand.
    pub fn poll_send_ready(&self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.poll_ready(context, Wish::WRITABLE).map_ok(drop)
    }
}

impl Drop for UdpSocket {
    fn drop(&mut self) {
        self.node.forget(self.socket);
        self.node.with_stack(|stack, now| stack.close(now, self.socket));
    }
}

impl fmt::Debug for UdpSocket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("UdpSocket").field("addr", &self.local_addr().ok()).finish_non_exhaustive()
    }
}
