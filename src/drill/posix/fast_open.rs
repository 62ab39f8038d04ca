//! TCP Fast Open, as Linux's `MSG_FASTOPEN`, `TCP_FASTOPEN` and their kin have it (`tcp_sendmsg_fastopen`).
//!
//! A write that opens sends with the SYN what fits there. Without waiting it answers how much that was, or `EINPROGRESS` when
//! nothing went; with waiting it goes on when the connection is open. After `TCP_FASTOPEN_CONNECT` a `connect` to a peer
//! whose cookie is known only takes note ([`Role::Deferred`]), and the first write opens.

use std::net::SocketAddr;

use bytes::Bytes;

use super::attempt::Attempt;
use super::names::{MSG_FASTOPEN, TCP_FASTOPEN_CONNECT, TCP_FASTOPEN_KEY, TCP_FASTOPEN_NO_COOKIE};
use super::opening::MOST_BACKLOG;
use super::socket::Role;
use super::stop::{Answer, Stop};
use super::transfer::{Sending, never_waits};
use super::{Address, Blocked, Errno, OptionValue, Payload, Posix, Reply};
use crate::journal::SocketId;
use crate::stack::{FastOpenKeys, SocketOption, TcpConfig};

/// What a write that may open comes to before the queue is looked at.
pub(super) enum Opened {
    /// Nothing is to be opened, or it is open: so many octets of the write are queued.
    Go(usize),
    /// The call is over.
    Over(Reply),
}

impl Posix {
    /// The part of a write that opens a connection, if it is to.
    pub(super) fn open_by_write(
        &mut self,
        fd: i32,
        sending: &Sending<'_>,
        to: Option<Address>,
        blocked: Blocked,
    ) -> Answer<Opened> {
        let asks = sending.flags & MSG_FASTOPEN != 0;
        let socket = self.descriptors.socket(fd)?;
        // FreeBSD opens by any write that names an address.
        let implies = self.sysctls.freebsd && socket.options.fast_open_queue.is_some() && to.is_some();
        let is_unspecified = matches!(to, Some(Address::Unspecified));
        if asks && (is_unspecified || !self.sysctls.opens_fast()) {
            return Err(Errno::EOPNOTSUPP.into());
        }
        let remote = match (&socket.role, to) {
            (Role::Deferred(remote), _) => *remote,
            (Role::Idle, Some(address)) if asks || implies => socket.family.address(address)?,
            (Role::Idle, None) if asks => return Err(Errno::EINVAL.into()),
            (Role::Connected(_) | Role::Listening(_), _) if asks && !blocked.slept => return Err(Errno::EISCONN.into()),
            (Role::Connecting(id), _) if asks || blocked.slept => {
                let id = *id;
                return self.wait_to_open(fd, id, sending, blocked);
            }
            (Role::Idle | Role::Connected(_) | Role::Connecting(_) | Role::Listening(_) | Role::Datagram { .. }, _) => {
                return Ok(Opened::Go(blocked.moved));
            }
        };
        self.open_now(fd, remote, sending, implies, blocked)
    }

    fn open_now(
        &mut self,
        fd: i32,
        remote: SocketAddr,
        sending: &Sending<'_>,
        implies: bool,
        blocked: Blocked,
    ) -> Answer<Opened> {
        let data = match sending.data {
            Payload::Data(data) => data.clone(),
            Payload::Bad(0) => Bytes::new(),
            Payload::Bad(_) => return Err(Errno::EFAULT.into()),
        };
        let may_wait = !never_waits(self.descriptors.look(fd)?.nonblocking, sending.flags);
        let config = self.config_of(fd)?;
        let bound = self.descriptors.socket(fd)?.bound;
        let most = match may_wait || implies {
            true => data.len(),
            false => self.stack.early_room(self.now, bound, remote, &config).unwrap_or(0),
        };
        let given = data.get(..most.min(data.len())).unwrap_or_default();
        let (id, moved) = self.stack.connect_with(self.now, bound, remote, &config, given)?;
        self.connects(fd, id)?;
        let blocked = Blocked { moved, ..blocked };
        match moved {
            1.. if implies || !may_wait => Ok(Opened::Over(Reply::value(moved as i64))),
            _ => self.sleep_to_open(fd, sending, blocked, Errno::EINPROGRESS),
        }
    }

    /// A write finds that the connection is being opened, be it by itself.
    fn wait_to_open(&mut self, fd: i32, id: SocketId, sending: &Sending<'_>, blocked: Blocked) -> Answer<Opened> {
        match Attempt::of(self.stack.as_ref(), id) {
            Attempt::UnderWay => self.sleep_to_open(fd, sending, blocked, Errno::EALREADY),
            Attempt::Failed => {
                let socket = self.descriptors.socket_at(fd)?;
                Err(socket.error.take().unwrap_or(Errno::EPIPE).into())
            }
            Attempt::Open => {
                self.descriptors.socket_at(fd)?.role = Role::Connected(id);
                Ok(Opened::Go(blocked.moved))
            }
        }
    }

    fn sleep_to_open(&self, fd: i32, sending: &Sending<'_>, blocked: Blocked, errno: Errno) -> Answer<Opened> {
        let timeout = self.descriptors.socket(fd)?.options.send_timeout;
        self.sleep(fd, sending.flags, blocked, timeout, errno).map(Opened::Over)
    }

    /// `connect` after `TCP_FASTOPEN_CONNECT`: whether it only takes note.
    pub(super) fn defers(&mut self, fd: i32, remote: SocketAddr) -> Answer<bool> {
        let config = self.config_of(fd)?;
        let socket = self.descriptors.socket_at(fd)?;
        if self.stack.early_room(self.now, socket.bound, remote, &config).is_none() {
            return Ok(false);
        }
        socket.role = Role::Deferred(remote);
        Ok(true)
    }

    /// A connection has begun for a socket.
    pub(super) fn connects(&mut self, fd: i32, id: SocketId) -> Answer<()> {
        let socket = self.descriptors.socket_at(fd)?;
        socket.error = None;
        socket.bound = self.stack.local_address(id).or(socket.bound);
        socket.role = Role::Connecting(id);
        self.pass_on_clamp(fd)
    }

    /// What a connection of this socket begins with.
    pub(super) fn config_of(&self, fd: i32) -> Answer<TcpConfig> {
        Ok(self.descriptors.socket(fd)?.options.config(&self.sysctls, self.stack.tcp_defaults()))
    }

    /// Connections of a listener that may be open before their handshake is over.
    pub(super) fn early_queue(&self, fd: i32, backlog: u32) -> Answer<usize> {
        let asked = self.descriptors.socket(fd)?.options.fast_open_queue;
        Ok(match (self.sysctls.listens_fast(), asked) {
            (false, _) => 0,
            (true, Some(queue)) if queue > 0 => queue as usize,
            (true, _) if self.sysctls.every_listener_is_fast() => backlog as usize,
            (true, _) => 0,
        })
    }

    /// `TCP_FASTOPEN`: on a listener, or before it is one.
    pub(super) fn set_fast_open_queue(&mut self, fd: i32, value: &OptionValue) -> Answer<()> {
        let queue = u32::try_from(value.int()?).map_err(|_| Errno::EINVAL)?.min(MOST_BACKLOG.cast_unsigned());
        let socket = self.descriptors.socket_at(fd)?;
        let backlog = match &socket.role {
            Role::Idle => None,
            Role::Listening(listener) => Some(listener.backlog),
            Role::Deferred(_) | Role::Connecting(_) | Role::Connected(_) | Role::Datagram { .. } => {
                return Err(Errno::EINVAL.into());
            }
        };
        socket.options.fast_open_queue = Some(queue);
        match backlog {
            Some(_) if self.sysctls.listens_fast() => {
                self.pass_on(fd, SocketOption::FastOpenQueue(queue as usize), "TCP_FASTOPEN")
            }
            Some(_) | None => Ok(()),
        }
    }

    /// The other options of Fast Open.
    pub(super) fn set_fast_open(&mut self, fd: i32, name: i32, value: &OptionValue) -> Answer<()> {
        let opens_fast = self.sysctls.opens_fast();
        let socket = self.descriptors.socket_at(fd)?;
        let (is_idle, listens) = (matches!(socket.role, Role::Idle), matches!(socket.role, Role::Listening(_)));
        match name {
            TCP_FASTOPEN_CONNECT => {
                let on = switch(value)?;
                match (opens_fast, is_idle) {
                    (false, _) => return Err(Errno::EOPNOTSUPP.into()),
                    (true, false) => return Err(Errno::EINVAL.into()),
                    (true, true) => socket.options.fast_open_connect = on,
                }
                Ok(())
            }
            TCP_FASTOPEN_NO_COOKIE => {
                let on = switch(value)?;
                if !is_idle && !listens {
                    return Err(Errno::EINVAL.into());
                }
                socket.options.fast_open_no_cookie = on;
                match listens {
                    true => self.pass_on(fd, SocketOption::FastOpenWithoutCookie(on), "TCP_FASTOPEN_NO_COOKIE"),
                    false => Ok(()),
                }
            }
            TCP_FASTOPEN_KEY => {
                let keys = keys_of(value)?;
                socket.options.fast_open_keys = Some(keys);
                match listens {
                    true => self.pass_on(fd, SocketOption::FastOpenKeys(keys), "TCP_FASTOPEN_KEY"),
                    false => Ok(()),
                }
            }
            _ => Stop::unsupported(format!("option {name} of Fast Open")),
        }
    }
}

fn switch(value: &OptionValue) -> Answer<bool> {
    match value.int()? {
        0 => Ok(false),
        1 => Ok(true),
        _ => Err(Errno::EINVAL.into()),
    }
}

/// One key of 16 octets, or that and the one before it.
fn keys_of(value: &OptionValue) -> Answer<FastOpenKeys> {
    let OptionValue::Bytes(octets) = value else { return Err(Errno::EINVAL.into()) };
    let key = |at: usize| octets.get(at..at + 16).and_then(|key| <[u8; 16]>::try_from(key).ok());
    match (key(0), octets.len()) {
        (Some(current), 16) => Ok(FastOpenKeys { current, previous: None }),
        (Some(current), 32) => Ok(FastOpenKeys { current, previous: key(16) }),
        _ => Err(Errno::EINVAL.into()),
    }
}
