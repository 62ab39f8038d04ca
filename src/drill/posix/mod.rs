//! The face of POSIX that a stack shows to a packetdrill script: descriptors, calls, errors as Linux has them.
//!
//! ```text
//!   a script's calls ──► Request ──► Posix ──► verbs ──► Stack ◄── receive, transmit, expire: the driver
//!                        Outcome ◄──   │  ◄── events ──┘
//!                                      └── descriptors, options, sysctls
//! ```
//!
//! Two callers use it, so that both judge the same thing: our own interpreter, and the shared object for the real
//! packetdrill. Calls are plain values ([`Request`], [`Outcome`]): no memory, no waiting, no clock. A call that would
//! sleep says so ([`Outcome::WouldBlock`]) and is made again with [`Posix::again`] after every event. What the stack
//! itself cannot do is told apart from failing ([`Outcome::Unsupported`]).
//!
//! What does not live here: moving packets and time, which whoever drives the stack does itself through
//! [`Posix::stack`], followed by [`Posix::settle`].

mod attempt;
mod closing;
mod control;
mod datagram;
mod descriptors;
mod epoll;
mod errno;
mod events;
mod fast_open;
pub mod names;
mod opening;
mod options;
mod pipe;
mod readiness;
mod request;
mod room;
mod socket;
mod stop;
mod sysctls;
mod tcp_info;
#[cfg(test)]
mod tests;
mod transfer;
mod urgent;

use std::collections::BTreeMap;
use std::time::Duration;

pub use errno::Errno;
pub use request::{
    Address, Blocked, Control, EpollEvent, Memory, OptionValue, Outcome, Payload, PollFd, Received, Reply, Request,
    Written,
};
pub use sysctls::{CongestionName, MEANINGFUL, RecoveryRules, SysctlError, Sysctls};
pub use tcp_info::TcpInfo;

use self::descriptors::{Descriptors, File};
use self::epoll::Epoll;
use self::socket::Role;
use self::stop::{Answer, Stop};
use self::transfer::{Receiving, Sending, never_waits};
use crate::journal::{SocketId, TcpState};
use crate::stack::{CloseReason, SocketEvent, Stack};
use crate::time::Instant;

/// A process's descriptors over a stack.
pub struct Posix {
    stack: Box<dyn Stack>,
    sysctls: Sysctls,
    descriptors: Descriptors,
    /// The moment of the call being made.
    now: Instant,
    /// Room for the stack's events, kept from look to look.
    events: Vec<SocketEvent>,
    /// How connections ended that were open early and that nobody has accepted yet.
    ended_early: BTreeMap<SocketId, CloseReason>,
}

impl Posix {
    /// A process without descriptors; the first will be 3.
    pub fn new(stack: Box<dyn Stack>, sysctls: Sysctls) -> Posix {
        Posix {
            stack,
            sysctls,
            descriptors: Descriptors::default(),
            now: Instant::ZERO,
            events: Vec::new(),
            ended_early: BTreeMap::new(),
        }
    }

    /// The stack, to be given packets and time. Call [`Posix::settle`] afterwards.
    pub fn stack(&mut self) -> &mut dyn Stack {
        self.stack.as_mut()
    }

    /// The sysctls that sockets made from now on begin with.
    pub fn sysctls(&mut self) -> &mut Sysctls {
        &mut self.sysctls
    }

    /// Gives out numbers from `first` on, for a caller who will [renumber](Posix::renumber) them: none of them should be
    /// one that the kernel gives out.
    pub fn number_from(&mut self, first: i32) {
        self.descriptors.first = first;
    }

    /// Gives a descriptor that was just made another number; `false` when there is no such descriptor or the number is
    /// taken. For a caller whose descriptors must be the kernel's, too.
    pub fn renumber(&mut self, from: i32, to: i32) -> bool {
        self.descriptors.renumber(from, to)
    }

    /// Makes a call for the first time.
    pub fn call(&mut self, now: Instant, request: &Request) -> Outcome {
        let until = match request {
            Request::Poll { timeout, .. } | Request::EpollWait { timeout, .. } => timeout.map(|timeout| now + timeout),
            _ => None,
        };
        self.again(now, request, Blocked { begun: now, until, moved: 0, slept: false })
    }

    /// Makes a call again that slept, with what it said when it fell asleep.
    pub fn again(&mut self, now: Instant, request: &Request, blocked: Blocked) -> Outcome {
        self.now = now;
        self.settle();
        let answer = self.attempt(request, blocked);
        self.settle();
        answer.map_or_else(Outcome::from, Outcome::from)
    }

    fn attempt(&mut self, request: &Request, blocked: Blocked) -> Answer<Reply> {
        match request {
            Request::Socket { domain, kind, protocol } => self.socket(*domain, *kind, *protocol),
            Request::Bind { fd, address } => self.bind(*fd, *address),
            Request::Listen { fd, backlog } => self.listen(*fd, *backlog),
            Request::Accept { fd, flags } => self.accept(*fd, *flags, blocked),
            Request::Connect { fd, address } => self.connect(*fd, *address, blocked),
            Request::Receive { fd, length, flags, memory } => {
                self.receive(*fd, Receiving { length: *length, flags: *flags, memory: *memory }, blocked)
            }
            Request::Send { fd, data, flags, to, control } => match control.as_slice() {
                [] => self.send(*fd, &Sending { data, flags: *flags }, *to, blocked),
                [_, ..] => Stop::unsupported("sendmsg with ancillary data"),
            },
            Request::Shutdown { fd, how } => self.shutdown(*fd, *how),
            Request::Close { fd } => self.close(*fd, blocked),
            Request::GetSockOpt { fd, level, name } => self.get_option(*fd, *level, *name),
            Request::SetSockOpt { fd, level, name, value } => self.set_option(*fd, *level, *name, value),
            Request::Fcntl { fd, command, argument } => self.fcntl(*fd, *command, *argument),
            Request::Ioctl { fd, request, argument, memory } => self.ioctl(*fd, *request, *argument, *memory),
            Request::SocketName { fd } => self.socket_name(*fd),
            Request::PeerName { fd } => self.peer_name(*fd),
            Request::Poll { fds, timeout: _ } => self.poll(fds, blocked),
            Request::EpollCreate { size: ..=0 } => Err(Errno::EINVAL.into()),
            Request::EpollCreate { size: _ } => {
                Ok(Reply::value(self.descriptors.open(File::Epoll(Epoll::default()), 0)?))
            }
            Request::EpollCtl { epoll, operation, fd, event } => self.epoll_control(*epoll, *operation, *fd, *event),
            Request::EpollWait { epoll, most, timeout: _ } => self.epoll_wait(*epoll, *most, blocked),
            Request::Pipe => self.pipe(),
            Request::Splice { from, to, length, flags } => self.splice(*from, *to, *length, *flags, blocked),
        }
    }

    fn receive(&mut self, fd: i32, asked: Receiving, blocked: Blocked) -> Answer<Reply> {
        match &self.descriptors.look(fd)?.file {
            File::Socket(socket) if socket.is_datagram() => self.receive_datagram(fd, asked, blocked),
            File::Socket(_) => self.receive_stream(fd, asked, blocked),
            File::PipeReader(pipe) => self.read_pipe(fd, *pipe, asked, blocked),
            File::PipeWriter(_) => Err(Errno::EBADF.into()),
            File::Epoll(_) => Err(Errno::EINVAL.into()),
        }
    }

    fn send(&mut self, fd: i32, sending: &Sending<'_>, to: Option<Address>, blocked: Blocked) -> Answer<Reply> {
        match &self.descriptors.look(fd)?.file {
            File::Socket(socket) if socket.is_datagram() => self.send_datagram(fd, sending, to, blocked),
            // Linux does not look at the address of a connected stream.
            File::Socket(_) => self.send_stream(fd, sending, to, blocked),
            File::PipeWriter(pipe) => self.write_pipe(fd, *pipe, sending.data, blocked),
            File::PipeReader(_) => Err(Errno::EBADF.into()),
            File::Epoll(_) => Err(Errno::EINVAL.into()),
        }
    }

    /// What a call answers that must wait: it sleeps, or fails with `errno` when it may not, or no longer.
    fn sleep(&self, fd: i32, flags: i32, blocked: Blocked, timeout: Option<Duration>, errno: Errno) -> Answer<Reply> {
        let until = timeout.map(|timeout| blocked.begun + timeout);
        let is_over = until.is_some_and(|until| until <= self.now);
        match is_over || never_waits(self.descriptors.look(fd)?.nonblocking, flags) {
            true => Err(errno.into()),
            false => Err(Stop::Block(Blocked { until, slept: true, ..blocked })),
        }
    }

    /// What `getsockopt(TCP_INFO)` would tell; `None` when the descriptor is no TCP socket.
    pub fn tcp_info(&self, now: Instant, fd: i32) -> Option<TcpInfo> {
        let socket = self.descriptors.socket(fd).ok()?;
        match &socket.role {
            Role::Datagram { .. } => None,
            Role::Idle => Some(TcpInfo::of_state(TcpState::Closed)),
            Role::Deferred(_) => Some(TcpInfo::of_state(TcpState::SynSent)),
            Role::Listening(listener) => {
                Some(TcpInfo { sacked: Some(listener.backlog.into()), ..TcpInfo::of_state(TcpState::Listen) })
            }
            Role::Connecting(id) | Role::Connected(id) => Some(match self.stack.snapshot(*id) {
                Some(snapshot) => TcpInfo::of(&snapshot, now),
                None => TcpInfo::of_state(TcpState::Closed),
            }),
        }
    }
}
