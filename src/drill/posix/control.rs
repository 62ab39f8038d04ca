//! `fcntl` and `ioctl`.

use super::descriptors::File;
use super::names::{
    F_GETFD, F_GETFL, F_SETFD, F_SETFL, FD_CLOEXEC, FIONBIO, FIONREAD, O_NONBLOCK, O_RDONLY, O_RDWR, O_WRONLY,
    SIOCATMARK, SIOCOUTQ, SIOCOUTQNSD,
};
use super::socket::{Role, Socket};
use super::stop::{Answer, Stop};
use super::tcp_info::unsent;
use super::{Errno, Memory, Posix, Reply, Written};
use crate::journal::TcpState;

impl Posix {
    pub(super) fn fcntl(&mut self, fd: i32, command: i32, argument: i64) -> Answer<Reply> {
        let descriptor = self.descriptors.at(fd)?;
        Ok(Reply::value(match command {
            F_GETFL => {
                let access = match descriptor.file {
                    File::Socket(_) | File::Epoll(_) => O_RDWR,
                    File::PipeReader(_) => O_RDONLY,
                    File::PipeWriter(_) => O_WRONLY,
                };
                access | if descriptor.nonblocking { O_NONBLOCK } else { 0 }
            }
            F_SETFL => {
                descriptor.nonblocking = argument & i64::from(O_NONBLOCK) != 0;
                0
            }
            F_GETFD => i32::from(descriptor.close_on_exec) * FD_CLOEXEC,
            F_SETFD => {
                descriptor.close_on_exec = argument & i64::from(FD_CLOEXEC) != 0;
                0
            }
            _ => return Stop::unsupported(format!("fcntl command {command}")),
        }))
    }

    pub(super) fn ioctl(&mut self, fd: i32, request: u64, argument: i32, memory: Memory) -> Answer<Reply> {
        let Ok(request) = i32::try_from(request) else { return Err(Errno::ENOTTY.into()) };
        if request == FIONBIO {
            if memory == Memory::Bad {
                return Err(Errno::EFAULT.into());
            }
            self.descriptors.at(fd)?.nonblocking = argument != 0;
            return Ok(Reply::default());
        }
        let number = match (&self.descriptors.look(fd)?.file, request) {
            (File::Socket(socket), _) if socket.is_datagram() => self.datagram_queue(fd, request)?,
            (File::Socket(socket), _) => self.stream_queue(socket, request)?,
            (File::PipeReader(pipe), FIONREAD) => self.descriptors.pipes.get(pipe).map_or(0, |pipe| pipe.len()),
            (File::Epoll(_) | File::PipeReader(_) | File::PipeWriter(_), _) => return Err(Errno::ENOTTY.into()),
        };
        if memory == Memory::Bad {
            return Err(Errno::EFAULT.into());
        }
        let number = i32::try_from(number).unwrap_or(i32::MAX);
        Ok(Reply { value: 0, written: Written::Number(number) })
    }

    /// Octets in a queue of a TCP socket (Linux's `tcp_ioctl`).
    fn stream_queue(&self, socket: &Socket, request: i32) -> Answer<usize> {
        let is_listener = matches!(socket.role, Role::Listening(_));
        if is_listener && matches!(request, FIONREAD | SIOCOUTQ | SIOCOUTQNSD) {
            return Err(Errno::EINVAL.into());
        }
        let snapshot = socket.connection().and_then(|id| self.stack.snapshot(id)).unwrap_or_default();
        if matches!(snapshot.state, TcpState::SynSent | TcpState::SynReceived) {
            return Ok(0);
        }
        // A FIN takes a sequence number, too: RFC 9293 §3.4.
        let unacknowledged_fin = matches!(snapshot.state, TcpState::FinWait1 | TcpState::Closing | TcpState::LastAck);
        match request {
            FIONREAD => Ok(snapshot.receive_queue),
            SIOCOUTQ => Ok(snapshot.send_queue + usize::from(unacknowledged_fin)),
            SIOCOUTQNSD => match unsent(&snapshot) {
                Some(octets) => Ok(usize::try_from(octets).unwrap_or(usize::MAX)),
                None => Stop::unsupported("SIOCOUTQNSD"),
            },
            SIOCATMARK => Ok(usize::from(snapshot.urgent == Some(0))),
            _ => Stop::unsupported(format!("ioctl {request:#x}")),
        }
    }

    /// Octets of the next datagram.
    fn datagram_queue(&mut self, fd: i32, request: i32) -> Answer<usize> {
        match request {
            FIONREAD => {
                self.fill_datagrams(fd);
                match &self.descriptors.socket(fd)?.role {
                    Role::Datagram { waiting, .. } => Ok(waiting.front().map_or(0, |(data, _)| data.len())),
                    Role::Idle | Role::Deferred(_) | Role::Listening(_) | Role::Connecting(_) | Role::Connected(_) => {
                        Ok(0)
                    }
                }
            }
            SIOCOUTQ => Ok(0),
            _ => Stop::unsupported(format!("ioctl {request:#x} of a UDP socket")),
        }
    }
}
