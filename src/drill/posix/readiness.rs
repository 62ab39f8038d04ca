//! Which descriptors are ready for what, as `poll` and `epoll` tell it (Linux's `tcp_poll`).

use super::descriptors::File;
use super::names::{POLLERR, POLLHUP, POLLIN, POLLNVAL, POLLOUT, POLLPRI, POLLRDHUP, POLLRDNORM, POLLWRNORM};
use super::socket::{Role, Socket, Waiting};
use super::stop::{Answer, Stop};
use super::{Blocked, PollFd, Posix, Reply, Written};
use crate::journal::{SocketId, TcpState};

const READABLE: u32 = (POLLIN | POLLRDNORM) as u32;
const WRITABLE: u32 = (POLLOUT | POLLWRNORM) as u32;
const HUNG_UP: u32 = POLLHUP as u32;
/// What a pipe holds before its writer has to wait.
pub(super) const PIPE_ROOM: usize = 64 * 1024;

impl Posix {
    pub(super) fn poll(&mut self, fds: &[PollFd], blocked: Blocked) -> Answer<Reply> {
        let mut answered = fds.to_vec();
        let mut ready = 0;
        for asked in &mut answered {
            asked.revents = match asked.fd {
                ..0 => 0,
                fd if !self.descriptors.contains(fd) => POLLNVAL as i16,
                fd => (self.readiness(fd) as i16) & (asked.events | (POLLERR | POLLHUP) as i16),
            };
            ready += i64::from(asked.revents != 0);
        }
        match ready {
            0 if blocked.until.is_none_or(|until| self.now < until) => Err(Stop::Block(blocked)),
            _ => Ok(Reply { value: ready, written: Written::Poll(answered) }),
        }
    }

    /// The `POLL…` bits that hold for a descriptor; they are `EPOLL…`'s, too.
    pub(super) fn readiness(&mut self, fd: i32) -> u32 {
        let Ok(descriptor) = self.descriptors.look(fd) else { return 0 };
        match &descriptor.file {
            File::Socket(socket) if socket.is_datagram() => self.datagram_readiness(fd),
            File::Socket(socket) => match &socket.role {
                Role::Listening(listener) => {
                    let id = listener.id;
                    if self.has_waiting(fd, id) { READABLE } else { 0 }
                }
                Role::Deferred(_) => WRITABLE,
                Role::Idle | Role::Connecting(_) | Role::Connected(_) | Role::Datagram { .. } => {
                    let mask = self.stream_readiness(socket);
                    if let (0, Ok(socket)) = (mask & WRITABLE, self.descriptors.socket_at(fd)) {
                        socket.wants_room = true;
                    }
                    mask
                }
            },
            File::Epoll(_) => 0,
            File::PipeReader(pipe) => {
                let filled = self.descriptors.pipes.get(pipe).is_some_and(|pipe| !pipe.is_empty());
                let hung_up = if self.descriptors.pipe_has_writer(*pipe) { 0 } else { HUNG_UP };
                if filled { READABLE | hung_up } else { hung_up }
            }
            File::PipeWriter(pipe) => {
                let roomy = self.descriptors.pipes.get(pipe).is_some_and(|pipe| pipe.len() < PIPE_ROOM);
                if roomy { WRITABLE } else { 0 }
            }
        }
    }

    /// Whether `accept` would succeed. The stack does not tell, so the connection is taken from it and kept.
    fn has_waiting(&mut self, fd: i32, listener: SocketId) -> bool {
        let is_empty = |posix: &Posix| match posix.descriptors.socket(fd).map(|socket| &socket.role) {
            Ok(Role::Listening(listener)) => listener.waiting.is_empty(),
            _ => true,
        };
        if !is_empty(self) {
            return true;
        }
        let Some((id, remote)) = self.stack.accept(self.now, listener) else { return false };
        if let Ok(Socket { role: Role::Listening(listener), .. }) = self.descriptors.socket_at(fd) {
            listener.waiting.push_back(Waiting { id, remote, error: None });
        }
        true
    }

    fn stream_readiness(&self, socket: &Socket) -> u32 {
        let snapshot = socket.connection().and_then(|id| self.stack.snapshot(id)).unwrap_or_default();
        let mut mask = 0;
        let ended = snapshot.state == TcpState::Closed;
        let shut_read = socket.is_at_end();
        if ended || (shut_read && socket.shut_write) {
            mask |= HUNG_UP;
        }
        if shut_read {
            mask |= READABLE | POLLRDHUP as u32;
        }
        if !matches!(snapshot.state, TcpState::SynSent | TcpState::SynReceived) || snapshot.open_early {
            // An urgent octet at the head of the queue is not for reading.
            let urgent = usize::from(snapshot.urgent == Some(1) && !socket.options.urgent_inline);
            if snapshot.receive_queue >= socket.options.receive_low_water.max(1) as usize + urgent {
                mask |= READABLE;
            }
            if socket.shut_write || self.is_writable(socket, &snapshot) {
                mask |= WRITABLE;
            }
            if socket.urgent.is_some() || (snapshot.urgent.is_some() && !socket.urgent_told) {
                mask |= POLLPRI as u32;
            }
        }
        if socket.error.is_some() {
            mask |= POLLERR as u32;
        }
        mask
    }

    /// A datagram always finds room here: what the stack cannot take at once, the network would have lost.
    fn datagram_readiness(&mut self, fd: i32) -> u32 {
        let filled = self.fill_datagrams(fd);
        let failed = self.descriptors.socket(fd).is_ok_and(|socket| socket.error.is_some());
        let readable = if filled { READABLE } else { 0 };
        let error = if failed { POLLERR as u32 } else { 0 };
        readable | error | WRITABLE
    }
}
