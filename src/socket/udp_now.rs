//! UDP: the verbs that do not wait.

use std::io;
use std::net::SocketAddr;

use tokio::io::Interest;

use super::UdpSocket;
use super::error::would_block;
use crate::stack::Stack;

impl UdpSocket {
    /// Sends one datagram without waiting.
    ///
    /// # Errors
    /// [`io::ErrorKind::WouldBlock`] when the queue is full, and those of [`UdpSocket::send_to`].
    pub fn try_send_to(&self, data: &[u8], remote: SocketAddr) -> io::Result<usize> {
        let sent = self.node.with_stack(|stack, now| self.send_now(stack, now, data, remote));
        sent.unwrap_or_else(|| Err(would_block()))
    }

    /// Sends one datagram to the peer that it is tied to, without waiting.
    ///
    /// # Errors
    /// [`io::ErrorKind::WouldBlock`] when the queue is full, and those of [`UdpSocket::send`].
    pub fn try_send(&self, data: &[u8]) -> io::Result<usize> {
        self.try_send_to(data, self.destination()?)
    }

    /// The next datagram, if one is there.
    ///
    /// # Errors
    /// [`io::ErrorKind::WouldBlock`] when none is, and those of [`UdpSocket::recv_from`].
    pub fn try_recv_from(&self, buffer: &mut [u8]) -> io::Result<(usize, SocketAddr)> {
        let received = self.node.with_stack(|stack, _| self.receive_now(stack, buffer));
        received.unwrap_or_else(|| Err(would_block()))
    }

    /// As [`UdpSocket::try_recv_from`], without the sender.
    ///
    /// # Errors
    /// As [`UdpSocket::try_recv_from`].
    pub fn try_recv(&self, buffer: &mut [u8]) -> io::Result<usize> {
        self.try_recv_from(buffer).map(|(octets, _)| octets)
    }

    /// As [`UdpSocket::try_recv_from`], but leaves the datagram where it is.
    ///
    /// # Errors
    /// As [`UdpSocket::try_recv_from`].
    pub fn try_peek_from(&self, buffer: &mut [u8]) -> io::Result<(usize, SocketAddr)> {
        self.node.with_stack(|stack, _| self.peek_now(stack, buffer)).unwrap_or_else(|| Err(would_block()))
    }

    /// As [`UdpSocket::try_peek_from`], without the sender.
    ///
    /// # Errors
    /// As [`UdpSocket::try_recv_from`].
    pub fn try_peek(&self, buffer: &mut [u8]) -> io::Result<usize> {
        self.try_peek_from(buffer).map(|(octets, _)| octets)
    }

    /// Who has sent the next datagram, if one is there.
    ///
    /// # Errors
    /// As [`UdpSocket::try_recv_from`].
    pub fn try_peek_sender(&self) -> io::Result<SocketAddr> {
        self.try_peek_from(&mut []).map(|(_, sender)| sender)
    }

    /// Does `verb` if what it is interested in can be done at this moment.
    ///
    /// # Errors
    /// [`io::ErrorKind::WouldBlock`] when it cannot; those of `verb`.
    pub fn try_io<R>(&self, interest: Interest, verb: impl FnOnce() -> io::Result<R>) -> io::Result<R> {
        let can = self.node.with_stack(|stack, _| {
            interest.is_readable() && self.can_receive(stack) || interest.is_writable() && self.can_send(stack)
        });
        if can { verb() } else { Err(would_block()) }
    }

    pub(super) fn can_receive(&self, stack: &mut dyn Stack) -> bool {
        stack.is_udp_readable(self.socket)
    }

    pub(super) fn can_send(&self, stack: &mut dyn Stack) -> bool {
        !matches!(stack.room(self.socket), Ok(0))
    }
}
