//! UDP.

use std::future::poll_fn;
use std::io;
use std::net::SocketAddr;
use std::task::{Context, Poll};

use super::{open_error, socket_error};
use crate::journal::SocketId;
use crate::network::{Interest, NodeHandle};

/// A UDP socket of a userspace stack.
pub struct UdpSocket {
    node: NodeHandle,
    socket: SocketId,
    local: SocketAddr,
}

impl UdpSocket {
    /// Opens a socket on `local`. Port 0 takes a free one.
    ///
    /// # Errors
    /// [`io::ErrorKind::AddrInUse`] or [`io::ErrorKind::AddrNotAvailable`].
    pub fn bind(node: &NodeHandle, local: SocketAddr) -> io::Result<UdpSocket> {
        let (socket, local) = node
            .with_stack(|stack, _| {
                stack.udp_bind(local).map(|socket| (socket, stack.local_address(socket).unwrap_or(local)))
            })
            .map_err(open_error)?;
        Ok(UdpSocket { node: node.clone(), socket, local })
    }

    /// Sends one datagram; waits while the queue is full. Returns its octets.
    ///
    /// # Errors
    /// [`io::ErrorKind::InvalidInput`] when it is too long, [`io::ErrorKind::NetworkUnreachable`] without a way there.
    pub async fn send_to(&self, data: &[u8], remote: SocketAddr) -> io::Result<usize> {
        poll_fn(|context| self.poll_send_to(context, data, remote)).await
    }

    /// As [`UdpSocket::send_to`], by hand.
    pub fn poll_send_to(&self, context: &mut Context<'_>, data: &[u8], remote: SocketAddr) -> Poll<io::Result<usize>> {
        self.node.poll_with(context, self.socket, Interest::Write, |stack, now| {
            match stack.udp_send_to(now, self.socket, data, remote) {
                Ok(true) => Some(Ok(data.len())),
                Ok(false) => None,
                Err(error) => Some(Err(socket_error(error))),
            }
        })
    }

    /// The next datagram, cut to `buffer`: its octets there, and its sender. Cancel safe.
    ///
    /// # Errors
    /// Those of the socket, once it has failed.
    pub async fn recv_from(&self, buffer: &mut [u8]) -> io::Result<(usize, SocketAddr)> {
        poll_fn(|context| self.poll_recv_from(context, buffer)).await
    }

    /// As [`UdpSocket::recv_from`], by hand.
    pub fn poll_recv_from(
        &self,
        context: &mut Context<'_>,
        buffer: &mut [u8],
    ) -> Poll<io::Result<(usize, SocketAddr)>> {
        self.node.poll_with(context, self.socket, Interest::Read, |stack, _| {
            stack.udp_receive_from(self.socket, buffer).map_err(socket_error).transpose()
        })
    }

    /// Its own address.
    ///
    /// # Errors
    /// None today; a `Result` as in tokio.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        Ok(self.local)
    }
}

impl Drop for UdpSocket {
    fn drop(&mut self) {
        self.node.forget(self.socket);
        self.node.with_stack(|stack, now| stack.close(now, self.socket));
    }
}
