//! System calls as plain values: what is asked, and what is answered.
//!
//! Numbers (families, levels, options, flags) are Linux's, since both callers have them in this form or look them up by
//! name in [`names`](super::names). No pointers: whoever has real ones reads and writes the memory, and says here only
//! that a pointer was bad.

use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;

use super::Errno;
use crate::time::Instant;

/// One system call.
#[derive(Clone, Debug, PartialEq)]
pub enum Request {
    /// `socket(domain, kind, protocol)`; `kind` may carry `SOCK_NONBLOCK`.
    Socket {
        /// `AF_INET` or `AF_INET6`.
        domain: i32,
        /// `SOCK_STREAM` or `SOCK_DGRAM`.
        kind: i32,
        /// `IPPROTO_TCP`, `IPPROTO_UDP` or 0.
        protocol: i32,
    },
    /// `bind(fd, address)`
    Bind {
        /// The descriptor.
        fd: i32,
        /// The own end.
        address: Address,
    },
    /// `listen(fd, backlog)`
    Listen {
        /// The descriptor.
        fd: i32,
        /// Connections that may wait to be accepted.
        backlog: i32,
    },
    /// `accept(fd)`; the answer has the peer's address.
    Accept {
        /// The descriptor.
        fd: i32,
        /// `SOCK_NONBLOCK` of `accept4`, or 0.
        flags: i32,
    },
    /// `connect(fd, address)`
    Connect {
        /// The descriptor.
        fd: i32,
        /// The other end; [`Address::Unspecified`] undoes a connection.
        address: Address,
    },
    /// `read`, `readv`, `recv`, `recvfrom` and `recvmsg`.
    Receive {
        /// The descriptor.
        fd: i32,
        /// Octets that the caller's buffers take.
        length: usize,
        /// `MSG_PEEK` and its like; 0 for `read`.
        flags: i32,
        /// Whether the buffers can be written to; [`Memory::Bad`] ends with `EFAULT` once there is something to write.
        memory: Memory,
    },
    /// `write`, `writev`, `send`, `sendto` and `sendmsg`.
    Send {
        /// The descriptor.
        fd: i32,
        /// What to send.
        data: Payload,
        /// `MSG_MORE` and its like; 0 for `write`.
        flags: i32,
        /// Where to; `None` to the peer.
        to: Option<Address>,
        /// Ancillary data of `sendmsg`.
        control: Vec<Control>,
    },
    /// `shutdown(fd, how)`
    Shutdown {
        /// The descriptor.
        fd: i32,
        /// `SHUT_RD`, `SHUT_WR` or `SHUT_RDWR`.
        how: i32,
    },
    /// `close(fd)`
    Close {
        /// The descriptor.
        fd: i32,
    },
    /// `getsockopt(fd, level, name)`; the answer is an [`OptionValue`].
    GetSockOpt {
        /// The descriptor.
        fd: i32,
        /// `SOL_SOCKET`, `IPPROTO_TCP`…
        level: i32,
        /// `SO_ERROR`, `TCP_INFO`…
        name: i32,
    },
    /// `setsockopt(fd, level, name, value)`
    SetSockOpt {
        /// The descriptor.
        fd: i32,
        /// `SOL_SOCKET`, `IPPROTO_TCP`…
        level: i32,
        /// `SO_SNDBUF`, `TCP_NODELAY`…
        name: i32,
        /// What to set it to.
        value: OptionValue,
    },
    /// `fcntl(fd, command, argument)`: `F_GETFL`, `F_SETFL`.
    Fcntl {
        /// The descriptor.
        fd: i32,
        /// The command.
        command: i32,
        /// Its argument; 0 when there is none.
        argument: i64,
    },
    /// `ioctl(fd, request)`: `SIOCINQ` (`FIONREAD`), `SIOCOUTQ`, `SIOCOUTQNSD`, `FIONBIO`, `SIOCATMARK`.
    Ioctl {
        /// The descriptor.
        fd: i32,
        /// The request.
        request: u64,
        /// What the pointer points at, for `FIONBIO`; else 0.
        argument: i32,
        /// Whether the pointer can be written to.
        memory: Memory,
    },
    /// `getsockname(fd)`
    SocketName {
        /// The descriptor.
        fd: i32,
    },
    /// `getpeername(fd)`
    PeerName {
        /// The descriptor.
        fd: i32,
    },
    /// `poll(fds, timeout)`
    Poll {
        /// What is asked of which descriptor.
        fds: Vec<PollFd>,
        /// How long to wait at most; `None` for ever.
        timeout: Option<Duration>,
    },
    /// `epoll_create(size)`
    EpollCreate {
        /// More than 0, else without meaning.
        size: i32,
    },
    /// `epoll_ctl(epoll, operation, fd, event)`
    EpollCtl {
        /// The epoll descriptor.
        epoll: i32,
        /// `EPOLL_CTL_ADD`, `EPOLL_CTL_MOD` or `EPOLL_CTL_DEL`.
        operation: i32,
        /// The descriptor that it is about.
        fd: i32,
        /// What to wait for; `None` for a null pointer.
        event: Option<EpollEvent>,
    },
    /// `epoll_wait(epoll, most, timeout)`
    EpollWait {
        /// The epoll descriptor.
        epoll: i32,
        /// Events to answer at most.
        most: i32,
        /// How long to wait at most; `None` for ever.
        timeout: Option<Duration>,
    },
    /// `pipe()`
    Pipe,
    /// `splice(from, to, length)` between a socket and a pipe.
    Splice {
        /// Where octets are taken.
        from: i32,
        /// Where they go.
        to: i32,
        /// How many at most.
        length: usize,
        /// `SPLICE_F_NONBLOCK` and its like.
        flags: u32,
    },
}

/// An address as a caller may give it, right or wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Address {
    /// Of the Internet. `::ffff:a.b.c.d` is IPv4 on an IPv6 socket.
    Internet(SocketAddr),
    /// `AF_UNSPEC`.
    Unspecified,
    /// Some other family.
    Other(u16),
    /// Shorter than its family needs.
    Short,
    /// A pointer to nowhere.
    Bad,
}

/// Whether the memory that a call would write to is there.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Memory {
    /// It is.
    #[default]
    Good,
    /// It is not: a null pointer.
    Bad,
}

/// What a call sends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Payload {
    /// These octets.
    Data(Bytes),
    /// So many octets behind a pointer to nowhere.
    Bad(usize),
}

impl Payload {
    /// Octets, as the caller says.
    pub fn len(&self) -> usize {
        match self {
            Payload::Data(data) => data.len(),
            Payload::Bad(length) => *length,
        }
    }

    /// Whether there is nothing to send.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// One piece of ancillary data.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Control {
    /// `cmsg_level`
    pub level: i32,
    /// `cmsg_type`
    pub kind: i32,
    /// What follows, in the machine's byte order.
    pub data: Bytes,
}

/// The value of a socket option.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OptionValue {
    /// An `int` (or a single octet).
    Int(i32),
    /// A `struct timeval`; zero is "for ever".
    Time(Duration),
    /// A `struct linger`: seconds to wait in `close`; `None` does not wait.
    Linger(Option<u32>),
    /// Any other structure or text, as it lies in memory.
    Bytes(Bytes),
    /// A pointer to nowhere.
    Bad,
    /// Fewer octets than the option needs.
    Short,
}

/// A `struct pollfd`, in both directions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PollFd {
    /// The descriptor; a negative one is passed over.
    pub fd: i32,
    /// What is asked.
    pub events: i16,
    /// What is so.
    pub revents: i16,
}

/// A `struct epoll_event`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EpollEvent {
    /// `EPOLLIN`, `EPOLLET` and their like.
    pub events: u32,
    /// The caller's own.
    pub data: u64,
}

/// How a call ended, or did not.
#[derive(Clone, Debug, PartialEq)]
pub enum Outcome {
    /// It succeeded.
    Done(Reply),
    /// It failed: -1 and errno.
    Failed(Errno),
    /// It sleeps. The caller makes it again with [`Posix::again`](super::Posix::again), after whatever happens to the
    /// stack and when [`Blocked::until`] has come.
    WouldBlock(Blocked),
    /// Neither the call nor the stack is wrong: this stack has no such ability, and a script that needs it cannot be
    /// judged. The text says what was asked for.
    Unsupported(String),
}

/// A call that sleeps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Blocked {
    /// When it was first made.
    pub begun: Instant,
    /// When it ends by itself; `None` never.
    pub until: Option<Instant>,
    /// Octets that it has already moved.
    pub moved: usize,
    /// It has slept before.
    pub slept: bool,
}

/// What a call answers besides not failing.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Reply {
    /// What it returns: 0, a descriptor, octets, a number of events.
    pub value: i64,
    /// What it writes into the caller's memory.
    pub written: Written,
}

/// What a call writes into the caller's memory.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Written {
    /// Nothing.
    #[default]
    Nothing,
    /// `accept`, `getsockname`, `getpeername`: an address, of the socket's family.
    Address(SocketAddr),
    /// What was received.
    Received(Received),
    /// `getsockopt`.
    Option(OptionValue),
    /// `ioctl`: the number behind the pointer.
    Number(i32),
    /// `poll`: all that were asked, with `revents`.
    Poll(Vec<PollFd>),
    /// `epoll_wait`: as many as it returns.
    Epoll(Vec<EpollEvent>),
    /// `pipe`: to read from, to write to.
    Pipe([i32; 2]),
}

/// What was received.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Received {
    /// The octets. Empty, though octets are counted, when `MSG_TRUNC` threw them away.
    pub data: Bytes,
    /// Who sent a datagram; `None` for a stream.
    pub from: Option<SocketAddr>,
    /// `msg_flags` of `recvmsg`.
    pub flags: i32,
    /// Ancillary data of `recvmsg`.
    pub control: Vec<Control>,
}

impl Reply {
    /// Just a number.
    pub fn value(value: impl Into<i64>) -> Reply {
        Reply { value: value.into(), written: Written::Nothing }
    }
}

impl Outcome {
    /// Success with 0.
    pub const OK: Outcome = Outcome::Done(Reply { value: 0, written: Written::Nothing });
}

impl From<Reply> for Outcome {
    fn from(reply: Reply) -> Outcome {
        Outcome::Done(reply)
    }
}

impl From<Errno> for Outcome {
    fn from(errno: Errno) -> Outcome {
        Outcome::Failed(errno)
    }
}
