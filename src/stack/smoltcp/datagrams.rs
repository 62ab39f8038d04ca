//! Sockets for datagrams.

use std::net::SocketAddr;

use smoltcp::socket::udp;
use smoltcp::wire::IpEndpoint;

use super::addresses::{FIRST_EPHEMERAL, IPV4_HEADER, UDP_HEADER};
use super::convert::{listen_endpoint, socket_address};
use super::{Datagrams, Entry, SmoltcpStack, clash};
use crate::journal::SocketId;
use crate::stack::{OpenError, SocketError};
use crate::time::Instant;

/// Datagrams that may wait in each direction of a UDP socket.
const UDP_QUEUE: usize = 256;
/// Octets that may wait in each direction of a UDP socket.
const UDP_BUFFER: usize = 256 * 1024;

impl SmoltcpStack {
    /// Opens a socket for datagrams; port 0 takes a free one.
    pub(super) fn bind_datagrams(&mut self, local: SocketAddr) -> Result<SocketId, OpenError> {
        self.check_local(local)?;
        let is_taken = |port: u16| {
            let asked = SocketAddr::new(local.ip(), port);
            self.entries.values().any(|entry| matches!(entry, Entry::Udp(udp) if clash(udp.local, asked)))
        };
        let port = match local.port() {
            0 => (FIRST_EPHEMERAL..=u16::MAX).find(|port| !is_taken(*port)).ok_or(OpenError::NoPorts)?,
            port if is_taken(port) => return Err(OpenError::AddressInUse(local)),
            port => port,
        };
        let local = SocketAddr::new(local.ip(), port);
        let buffer = || udp::PacketBuffer::new(vec![udp::PacketMetadata::EMPTY; UDP_QUEUE], vec![0; UDP_BUFFER]);
        let mut socket = udp::Socket::new(buffer(), buffer());
        socket.bind(listen_endpoint(local)).map_err(|_| OpenError::AddressInUse(local))?;
        let handle = self.sockets.add(socket);
        let id = self.new_id();
        self.entries.insert(id, Entry::Udp(Datagrams { handle, local, was_full: false, orphan: false }));
        Ok(id)
    }

    /// Queues a datagram; `false` when there is no room.
    pub(super) fn send_datagram(
        &mut self,
        now: Instant,
        socket: SocketId,
        data: &[u8],
        remote: SocketAddr,
    ) -> Result<bool, SocketError> {
        let Some(Entry::Udp(Datagrams { local, .. })) = self.entries.get(&socket) else {
            return Err(SocketError::Closed);
        };
        let source = self.source_towards(local.ip(), remote).ok_or(SocketError::Unreachable(remote.ip()))?;
        if data.len() > self.longest_datagram(remote.ip()) {
            return Err(SocketError::TooLong(data.len()));
        }
        if data.len() + IPV4_HEADER + UDP_HEADER > self.mtu && self.others_wait_to_send(socket) {
            // smoltcp cuts one datagram at a time, and two sockets at once would spoil each other's.
            self.touch();
            self.poll_egress(now);
        }
        let Some(Entry::Udp(datagrams)) = self.entries.get_mut(&socket) else {
            return Err(SocketError::Closed);
        };
        let mut to = udp::UdpMetadata::from(IpEndpoint::new(remote.ip().into(), remote.port()));
        to.local_address = Some(source.into());
        let sent = match self.sockets.get_mut::<udp::Socket<'_>>(datagrams.handle).send_slice(data, to) {
            Ok(()) => true,
            Err(udp::SendError::Unaddressable) => return Err(SocketError::Unreachable(remote.ip())),
            Err(udp::SendError::BufferFull) => {
                datagrams.was_full = true;
                false
            }
        };
        self.touch();
        Ok(sent)
    }

    /// smoltcp's own socket behind ours.
    pub(super) fn datagrams(&mut self, socket: SocketId) -> Result<&mut udp::Socket<'static>, SocketError> {
        match self.entries.get(&socket) {
            Some(Entry::Udp(datagrams)) => Ok(self.sockets.get_mut::<udp::Socket<'static>>(datagrams.handle)),
            Some(Entry::Listener(_) | Entry::Stream(_)) | None => Err(SocketError::Closed),
        }
    }

    fn others_wait_to_send(&self, socket: SocketId) -> bool {
        self.entries.iter().any(|(id, entry)| match entry {
            Entry::Udp(udp) => *id != socket && self.sockets.get::<udp::Socket<'_>>(udp.handle).send_queue() > 0,
            Entry::Stream(_) | Entry::Listener(_) => false,
        })
    }
}

/// What was received, as far as it fits, and from whom; `None` when nothing is there.
pub(super) fn taken(
    received: Result<(&[u8], udp::UdpMetadata), udp::RecvError>,
    buffer: &mut [u8],
) -> Option<(usize, SocketAddr)> {
    match received {
        Ok((data, meta)) => {
            let taken = data.len().min(buffer.len());
            buffer[..taken].copy_from_slice(&data[..taken]);
            Some((taken, socket_address(meta.endpoint)))
        }
        Err(udp::RecvError::Exhausted | udp::RecvError::Truncated) => None,
    }
}
