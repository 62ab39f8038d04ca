//! `socket`, `bind`, `listen`, `accept`, `connect`, and the names of both ends.

use std::collections::VecDeque;
use std::net::SocketAddr;

use super::attempt::Attempt;
use super::descriptors::File;
use super::names::{
    AF_INET, AF_INET6, AF_UNSPEC, IPPROTO_TCP, IPPROTO_UDP, SOCK_CLOEXEC, SOCK_DGRAM, SOCK_NONBLOCK, SOCK_STREAM,
};
use super::socket::{Family, Listener, Role, Socket, Waiting};
use super::stop::{Answer, Stop, of_close};
use super::{Address, Blocked, Errno, Posix, Reply, Written};
use crate::journal::{SocketId, TcpState};
use crate::stack::{CloseReason, SocketOption};

/// Connections that may wait, at most (`net.core.somaxconn`).
pub(super) const MOST_BACKLOG: i32 = 4_096;

/// In [`Blocked::moved`]: this very call of `connect` began the attempt.
const BEGUN: usize = 1;

impl Posix {
    pub(super) fn socket(&mut self, domain: i32, kind: i32, protocol: i32) -> Answer<Reply> {
        let family = match domain {
            AF_INET => Family::V4,
            AF_INET6 => Family::V6,
            AF_UNSPEC => return Err(Errno::EAFNOSUPPORT.into()),
            _ => return Stop::unsupported(format!("socket of family {domain}")),
        };
        let role = match (kind & !(SOCK_NONBLOCK | SOCK_CLOEXEC), protocol) {
            (SOCK_STREAM, 0 | IPPROTO_TCP) => Role::Idle,
            (SOCK_DGRAM, 0 | IPPROTO_UDP) => Role::Datagram { id: None, remote: None, waiting: VecDeque::new() },
            (SOCK_STREAM | SOCK_DGRAM, IPPROTO_TCP | IPPROTO_UDP) => return Err(Errno::EPROTONOSUPPORT.into()),
            (kind, protocol) => return Stop::unsupported(format!("socket of type {kind}, protocol {protocol}")),
        };
        let file = File::Socket(Box::new(Socket::new(family, role)));
        Ok(Reply::value(self.descriptors.open(file, kind & SOCK_NONBLOCK)?))
    }

    pub(super) fn bind(&mut self, fd: i32, address: Address) -> Answer<Reply> {
        let socket = self.descriptors.socket(fd)?;
        let any = SocketAddr::new(socket.family.any(), 0);
        let local = match (socket.family, address) {
            // As Linux has it for the sake of old programs.
            (Family::V4, Address::Unspecified) => any,
            (family, address) => family.address(address)?,
        };
        if socket.bound.is_some() || socket.id().is_some() {
            return Err(Errno::EINVAL.into());
        }
        let is_own = local.ip().is_unspecified() || self.stack.addresses().contains(&local.ip());
        if !is_own && !socket.options.free_bind {
            return Err(Errno::EADDRNOTAVAIL.into());
        }
        if self.is_taken(fd, local) {
            return Err(Errno::EADDRINUSE.into());
        }
        let is_datagram = self.descriptors.socket(fd)?.is_datagram();
        let bound = if is_datagram { self.open_datagrams(fd, local)? } else { local };
        self.descriptors.socket_at(fd)?.bound = Some(bound);
        Ok(Reply::default())
    }

    /// Whether another socket has this port, and not both of them share it.
    fn is_taken(&mut self, fd: i32, local: SocketAddr) -> bool {
        let Ok(own) = self.descriptors.socket(fd) else { return false };
        let (is_datagram, reuse, share) = (own.is_datagram(), own.options.reuse_address, own.options.reuse_port);
        self.descriptors.sockets().any(|(other, socket)| {
            let Some(bound) = socket.bound else { return false };
            let listens = matches!(socket.role, Role::Listening(_)) && !is_datagram;
            let shares = (share && socket.options.reuse_port) || (reuse && socket.options.reuse_address && !listens);
            let same_place = bound.ip() == local.ip() || bound.ip().is_unspecified() || local.ip().is_unspecified();
            let meets = local.port() != 0 && bound.port() == local.port() && same_place;
            other != fd && socket.is_datagram() == is_datagram && meets && !shares
        })
    }

    pub(super) fn listen(&mut self, fd: i32, backlog: i32) -> Answer<Reply> {
        let socket = self.descriptors.socket_at(fd)?;
        let backlog = backlog.cast_unsigned().min(MOST_BACKLOG.cast_unsigned());
        match &mut socket.role {
            Role::Datagram { .. } => return Err(Errno::EOPNOTSUPP.into()),
            Role::Deferred(_) | Role::Connecting(_) | Role::Connected(_) => return Err(Errno::EINVAL.into()),
            Role::Listening(listener) if listener.backlog == backlog => return Ok(Reply::default()),
            Role::Listening(_) => return Stop::unsupported("listen again with another backlog"),
            Role::Idle => {}
        }
        let local = socket.bound.unwrap_or(SocketAddr::new(socket.family.any(), 0));
        let mut config = socket.options.config(&self.sysctls, self.stack.tcp_defaults());
        config.fast_open.queue = self.early_queue(fd, backlog)?;
        let id = self.stack.listen(local, backlog as usize, &config)?;
        let socket = self.descriptors.socket_at(fd)?;
        socket.bound = self.stack.local_address(id).or(Some(local));
        socket.role = Role::Listening(Listener { id, backlog, waiting: VecDeque::new() });
        if socket.options.fast_open_queue.is_some_and(|queue| queue > 0) && config.fast_open.queue > 0 {
            // Asked for by name: a stack that cannot do it is to say so.
            self.pass_on(fd, SocketOption::FastOpenQueue(config.fast_open.queue), "TCP_FASTOPEN")?;
        }
        self.pass_on_clamp(fd)?;
        self.stir(fd, 0);
        Ok(Reply::default())
    }

    pub(super) fn accept(&mut self, fd: i32, flags: i32, blocked: Blocked) -> Answer<Reply> {
        self.descriptors.look(fd)?;
        // First of all, as Linux does: a connection that finds no descriptor stays in the queue.
        self.descriptors.check_room()?;
        let socket = self.descriptors.socket_at(fd)?;
        let (family, options) = (socket.family, socket.options.inherited());
        let Role::Listening(listener) = &mut socket.role else {
            let errno = if socket.is_datagram() { Errno::EOPNOTSUPP } else { Errno::EINVAL };
            return Err(errno.into());
        };
        let kept = listener.waiting.pop_front();
        let taken = || {
            let (id, remote) = self.stack.accept(self.now, listener.id)?;
            Some(Waiting { id, remote, error: None })
        };
        let Some(waiting) = kept.or_else(taken) else {
            return self.sleep(fd, 0, blocked, options.receive_timeout, Errno::EAGAIN);
        };
        let mut accepted = Socket::new(family, Role::Connected(waiting.id));
        accepted.options = options;
        accepted.error = waiting.error;
        accepted.bound = self.stack.local_address(waiting.id);
        self.look_at(&mut accepted, waiting.id);
        let shown = family.shown(waiting.remote);
        let number = self.descriptors.open(File::Socket(Box::new(accepted)), flags)?;
        Ok(Reply { value: number.into(), written: Written::Address(shown) })
    }

    pub(super) fn connect(&mut self, fd: i32, address: Address, blocked: Blocked) -> Answer<Reply> {
        let socket = self.descriptors.socket(fd)?;
        if socket.is_datagram() {
            return self.connect_datagrams(fd, address);
        }
        if address == Address::Unspecified {
            return self.disconnect(fd);
        }
        let remote = socket.family.address(address)?;
        match socket.role {
            Role::Idle => {
                let may_defer = socket.options.fast_open_connect;
                if may_defer && self.defers(fd, remote)? {
                    self.stir(fd, 0);
                    return Ok(Reply::default());
                }
                self.begin_to_connect(fd, remote)?;
                return self.finish_to_connect(fd, Blocked { moved: BEGUN, ..blocked });
            }
            Role::Deferred(_) | Role::Listening(_) | Role::Connected(_) => return Err(Errno::EISCONN.into()),
            Role::Connecting(_) | Role::Datagram { .. } => {}
        }
        self.finish_to_connect(fd, blocked)
    }

    fn begin_to_connect(&mut self, fd: i32, remote: SocketAddr) -> Answer<()> {
        let config = self.config_of(fd)?;
        let socket = self.descriptors.socket(fd)?;
        let id = match socket.options.fast_open_connect {
            // Nothing is known of the peer, or it would have been deferred: its cookie is asked for.
            true => self.stack.connect_with(self.now, socket.bound, remote, &config, &[])?.0,
            false => self.stack.connect(self.now, socket.bound, remote, &config)?,
        };
        self.connects(fd, id)
    }

    /// What `connect` answers once an attempt is under way, whoever began it.
    fn finish_to_connect(&mut self, fd: i32, blocked: Blocked) -> Answer<Reply> {
        let socket = self.descriptors.socket_at(fd)?;
        let Role::Connecting(id) = socket.role else { return Err(Errno::EINVAL.into()) };
        match Attempt::of(self.stack.as_ref(), id) {
            Attempt::UnderWay => {
                let timeout = socket.options.send_timeout;
                let errno = if blocked.moved == BEGUN { Errno::EINPROGRESS } else { Errno::EALREADY };
                self.sleep(fd, 0, blocked, timeout, errno)
            }
            Attempt::Failed => {
                let error = socket.error.take().unwrap_or(Errno::ECONNABORTED);
                socket.disconnect();
                self.stack.close(self.now, id);
                Err(error.into())
            }
            Attempt::Open => {
                socket.role = Role::Connected(id);
                Ok(Reply::default())
            }
        }
    }

    /// `connect` to nobody: a reset for the peer, and the socket is as new.
    pub(super) fn disconnect(&mut self, fd: i32) -> Answer<Reply> {
        let socket = self.descriptors.socket_at(fd)?;
        let waiting: Vec<SocketId> = match &mut socket.role {
            Role::Listening(listener) => listener.waiting.drain(..).map(|waiting| waiting.id).collect(),
            Role::Idle | Role::Deferred(_) | Role::Connecting(_) | Role::Connected(_) | Role::Datagram { .. } => {
                Vec::new()
            }
        };
        let (connection, id) = (socket.connection(), socket.id());
        socket.disconnect();
        for orphan in waiting.into_iter().chain(connection) {
            self.abandon(orphan);
        }
        if let (None, Some(listener)) = (connection, id) {
            self.stack.close(self.now, listener);
        }
        self.stir(fd, 0);
        Ok(Reply::default())
    }

    /// Gives a connection up: with RST when the peer knows of it.
    pub(super) fn abandon(&mut self, id: SocketId) {
        let state = self.stack.snapshot(id).map(|snapshot| snapshot.state);
        match state {
            Some(TcpState::SynSent) => self.stack.close(self.now, id),
            _ => self.stack.abort(self.now, id),
        }
    }

    /// Learns what happened to a connection before anybody here knew it.
    fn look_at(&mut self, socket: &mut Socket, id: SocketId) {
        let state = self.stack.snapshot(id).map_or(TcpState::Closed, |snapshot| snapshot.state);
        socket.peer_closed = state.peer_has_closed();
        if state == TcpState::Closed {
            (socket.shut_read, socket.shut_write) = (true, true);
            let reason = self.ended_early.remove(&id).unwrap_or(CloseReason::Reset);
            socket.error = socket.error.or(of_close(reason, false));
        }
    }

    pub(super) fn pass_on_clamp(&mut self, fd: i32) -> Answer<()> {
        let socket = self.descriptors.socket(fd)?;
        let (Some(octets), Some(id)) = (socket.options.window_clamp, socket.id()) else { return Ok(()) };
        let clamp = crate::stack::SocketOption::WindowClamp(octets);
        self.stack.set_option(id, clamp).map_err(|error| Stop::of_stack(error, "TCP_WINDOW_CLAMP"))
    }

    pub(super) fn socket_name(&self, fd: i32) -> Answer<Reply> {
        let socket = self.descriptors.socket(fd)?;
        let own = socket.id().and_then(|id| self.stack.local_address(id)).or(socket.bound);
        let shown = socket.family.shown(own.unwrap_or(SocketAddr::new(socket.family.any(), 0)));
        Ok(Reply { value: 0, written: Written::Address(shown) })
    }

    pub(super) fn peer_name(&self, fd: i32) -> Answer<Reply> {
        let socket = self.descriptors.socket(fd)?;
        let remote = match &socket.role {
            Role::Datagram { remote, .. } => *remote,
            Role::Connected(id) | Role::Connecting(id) => self
                .stack
                .snapshot(*id)
                .filter(|snapshot| snapshot.state != TcpState::Closed && snapshot.state != TcpState::SynSent)
                .and_then(|snapshot| snapshot.remote),
            Role::Idle | Role::Deferred(_) | Role::Listening(_) => None,
        };
        let shown = socket.family.shown(remote.ok_or(Errno::ENOTCONN)?);
        Ok(Reply { value: 0, written: Written::Address(shown) })
    }
}
