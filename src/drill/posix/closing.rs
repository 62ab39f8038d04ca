//! `shutdown` and `close`, lingering or not.

use std::time::Duration;

use super::descriptors::File;
use super::names::{SHUT_RD, SHUT_RDWR, SHUT_WR};
use super::socket::Role;
use super::stop::{Answer, Stop};
use super::{Blocked, Errno, Posix, Reply};
use crate::journal::{SocketId, TcpState};

impl Posix {
    pub(super) fn shutdown(&mut self, fd: i32, how: i32) -> Answer<Reply> {
        let socket = self.descriptors.socket_at(fd)?;
        let (read, write) = match how {
            SHUT_RD => (true, false),
            SHUT_WR => (false, true),
            SHUT_RDWR => (true, true),
            _ => return Err(Errno::EINVAL.into()),
        };
        let id = match &socket.role {
            Role::Idle => return Err(Errno::ENOTCONN.into()),
            Role::Deferred(_) => return self.disconnect(fd),
            Role::Datagram { remote: None, .. } => return Err(Errno::ENOTCONN.into()),
            Role::Datagram { remote: Some(_), .. } => None,
            Role::Listening(_) if read => return self.disconnect(fd),
            Role::Listening(_) => return Ok(Reply::default()),
            Role::Connecting(id) | Role::Connected(id) => Some(*id),
        };
        let state = id.and_then(|id| self.stack.snapshot(id)).map(|snapshot| snapshot.state);
        match state {
            Some(TcpState::SynSent) => return self.disconnect(fd),
            Some(TcpState::Closed) => return Err(Errno::ENOTCONN.into()),
            Some(_) | None => {}
        }
        socket.shut_read |= read;
        let ends = write && !socket.shut_write;
        socket.shut_write |= write;
        if let (true, Some(id)) = (ends, id) {
            self.stack.shutdown(self.now, id);
        }
        self.stir(fd, 0);
        Ok(Reply::default())
    }

    pub(super) fn close(&mut self, fd: i32, blocked: Blocked) -> Answer<Reply> {
        if let File::Socket(socket) = &self.descriptors.look(fd)?.file
            && let Some(id) = socket.connection()
        {
            match socket.options.linger {
                Some(0) => self.abandon(id),
                Some(seconds) => self.linger(fd, id, seconds, blocked)?,
                None => self.stack.close(self.now, id),
            }
        }
        self.forget(fd)
    }

    /// Sends FIN and waits until it is acknowledged, at most so many seconds.
    fn linger(&mut self, fd: i32, id: SocketId, seconds: u32, blocked: Blocked) -> Answer<()> {
        let socket = self.descriptors.socket_at(fd)?;
        let snapshot = self.stack.snapshot(id).unwrap_or_default();
        if !std::mem::replace(&mut socket.lingers, true) && snapshot.receive_queue == 0 {
            self.stack.shutdown(self.now, id);
        }
        let until = blocked.begun + Duration::from_secs(seconds.into());
        let state = self.stack.snapshot(id).map_or(TcpState::Closed, |snapshot| snapshot.state);
        let is_under_way = matches!(state, TcpState::FinWait1 | TcpState::Closing | TcpState::LastAck);
        if is_under_way && self.now < until {
            return Err(Stop::Block(Blocked { until: Some(until), ..blocked }));
        }
        self.stack.close(self.now, id);
        Ok(())
    }

    /// Takes the descriptor away, and all that is not a connection with it.
    fn forget(&mut self, fd: i32) -> Answer<Reply> {
        match self.descriptors.close(fd)?.file {
            File::Socket(socket) => match socket.role {
                Role::Listening(listener) => {
                    for waiting in listener.waiting {
                        self.stack.abort(self.now, waiting.id);
                    }
                    self.stack.close(self.now, listener.id);
                }
                Role::Datagram { id: Some(id), .. } => self.stack.close(self.now, id),
                Role::Idle
                | Role::Deferred(_)
                | Role::Connecting(_)
                | Role::Connected(_)
                | Role::Datagram { id: None, .. } => {}
            },
            File::PipeReader(pipe) | File::PipeWriter(pipe) => {
                if !self.descriptors.pipe_is_open(pipe) {
                    self.descriptors.pipes.remove(&pipe);
                }
            }
            File::Epoll(_) => {}
        }
        Ok(Reply::default())
    }
}
