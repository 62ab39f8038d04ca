//! UDP sockets.

use std::net::SocketAddr;

use bytes::Bytes;

use super::names::{MSG_ERRQUEUE, MSG_PEEK, MSG_TRUNC};
use super::socket::Role;
use super::stop::{Answer, Stop};
use super::transfer::{Receiving, Sending};
use super::{Address, Blocked, Errno, Memory, Payload, Posix, Received, Reply, Written};
use crate::journal::SocketId;
use crate::stack::{SocketError, SocketOption};

/// The longest datagram that can arrive.
const LONGEST: usize = 65_535;

impl Posix {
    /// Gives a UDP socket a port; answers its own end.
    pub(super) fn open_datagrams(&mut self, fd: i32, local: SocketAddr) -> Answer<SocketAddr> {
        let bound = self.stack.udp_bind(local)?;
        let socket = self.descriptors.socket_at(fd)?;
        if let Role::Datagram { id, .. } = &mut socket.role {
            *id = Some(bound);
        }
        let local = self.stack.local_address(bound).unwrap_or(local);
        socket.bound = Some(local);
        let (hops, class) = (socket.options.time_to_live, socket.options.traffic_class);
        let changes = hops.map(SocketOption::TimeToLive).into_iter().chain(class.map(SocketOption::TrafficClass));
        for change in changes {
            let set = self.stack.set_option(bound, change);
            set.map_err(|error| Stop::of_stack(error, "an option of a UDP socket"))?;
        }
        Ok(local)
    }

    /// The stack's socket, which now has a port if it had none.
    fn datagrams(&mut self, fd: i32) -> Answer<SocketId> {
        let socket = self.descriptors.socket(fd)?;
        if socket.id().is_none() {
            self.open_datagrams(fd, SocketAddr::new(socket.family.any(), 0))?;
        }
        self.descriptors.socket(fd)?.id().ok_or(Errno::EINVAL.into())
    }

    pub(super) fn connect_datagrams(&mut self, fd: i32, address: Address) -> Answer<Reply> {
        let family = self.descriptors.socket(fd)?.family;
        if address == Address::Unspecified {
            return Stop::unsupported("connect of a UDP socket to nobody");
        }
        let peer = family.address(address)?;
        let id = self.datagrams(fd)?;
        self.stack.udp_connect(id, peer).map_err(|error| Stop::of_stack(error, "connect of a UDP socket"))?;
        let socket = self.descriptors.socket_at(fd)?;
        if let Role::Datagram { remote, .. } = &mut socket.role {
            *remote = Some(peer);
        }
        socket.bound = self.stack.local_address(id).or(socket.bound);
        Ok(Reply::default())
    }

    pub(super) fn send_datagram(
        &mut self,
        fd: i32,
        sending: &Sending<'_>,
        to: Option<Address>,
        blocked: Blocked,
    ) -> Answer<Reply> {
        let socket = self.descriptors.socket_at(fd)?;
        if let Some(error) = socket.error.take() {
            return Err(error.into());
        }
        let Role::Datagram { remote: peer, .. } = socket.role else { return Err(Errno::EINVAL.into()) };
        let to = match to {
            Some(address) => socket.family.address(address)?,
            None => peer.ok_or(Errno::EDESTADDRREQ)?,
        };
        if socket.shut_write {
            return Err(Errno::EPIPE.into());
        }
        let timeout = socket.options.send_timeout;
        let Payload::Data(data) = sending.data else { return Err(Errno::EFAULT.into()) };
        let id = self.datagrams(fd)?;
        match self.stack.udp_send_to(self.now, id, data, to) {
            Ok(true) => Ok(Reply::value(data.len() as i64)),
            Ok(false) => self.sleep(fd, sending.flags, blocked, timeout, Errno::EAGAIN),
            Err(error) => Err(Stop::of_stack(error, "send on a UDP socket")),
        }
    }

    pub(super) fn receive_datagram(&mut self, fd: i32, asked: Receiving, blocked: Blocked) -> Answer<Reply> {
        if asked.flags & MSG_ERRQUEUE != 0 {
            return Stop::unsupported("MSG_ERRQUEUE");
        }
        let filled = self.fill_datagrams(fd);
        let socket = self.descriptors.socket_at(fd)?;
        if let Some(error) = socket.error.take() {
            return Err(error.into());
        }
        let (family, timeout, shut) = (socket.family, socket.options.receive_timeout, socket.shut_read);
        let Role::Datagram { waiting, .. } = &mut socket.role else { return Err(Errno::EINVAL.into()) };
        let front = if asked.flags & MSG_PEEK != 0 { waiting.front().cloned() } else { waiting.pop_front() };
        match front {
            None if shut => Ok(Reply { value: 0, written: Written::Received(Received::default()) }),
            None => {
                debug_assert!(!filled);
                self.sleep(fd, asked.flags, blocked, timeout, Errno::EAGAIN)
            }
            Some(_) if asked.memory == Memory::Bad && asked.length > 0 => Err(Errno::EFAULT.into()),
            Some((data, from)) => Ok(taken(asked, &data, family.shown(from))),
        }
    }

    /// Makes sure that the next datagram, if there is one, was taken from the stack; whether there is.
    pub(super) fn fill_datagrams(&mut self, fd: i32) -> bool {
        let Ok(socket) = self.descriptors.socket_at(fd) else { return false };
        let Role::Datagram { id, waiting, .. } = &mut socket.role else { return false };
        let Some(id) = *id else { return false };
        if !waiting.is_empty() {
            return true;
        }
        let mut buffer = vec![0; LONGEST];
        match self.stack.udp_receive_from(id, &mut buffer) {
            Ok(Some((length, from))) => {
                buffer.truncate(length);
                waiting.push_back((buffer.into(), from));
                true
            }
            Ok(None) => false,
            Err(error) => {
                let error = match error {
                    SocketError::Closed | SocketError::Unsupported => None,
                    error => match Stop::of_stack(error, "") {
                        Stop::Fail(errno) => Some(errno),
                        Stop::Block(_) | Stop::Unsupported(_) => None,
                    },
                };
                socket.error = socket.error.or(error);
                false
            }
        }
    }
}

/// A datagram, cut to what the caller has room for.
fn taken(asked: Receiving, data: &Bytes, from: SocketAddr) -> Reply {
    let room = data.len().min(asked.length);
    let cut = room < data.len();
    let value = if asked.flags & MSG_TRUNC != 0 { data.len() } else { room } as i64;
    let flags = if cut { MSG_TRUNC } else { 0 };
    let received = Received { data: data.slice(..room), from: Some(from), flags, control: Vec::new() };
    Reply { value, written: Written::Received(received) }
}
