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

mod errno;
pub mod names;
mod request;
mod sysctls;
mod tcp_info;

pub use errno::Errno;
pub use request::{
    Address, Blocked, Control, EpollEvent, Memory, OptionValue, Outcome, Payload, PollFd, Received, Reply, Request,
    Written,
};
pub use sysctls::{CongestionName, SysctlError, Sysctls};
pub use tcp_info::TcpInfo;

use crate::stack::Stack;
use crate::time::Instant;

/// A process's descriptors over a stack.
pub struct Posix {
    stack: Box<dyn Stack>,
    sysctls: Sysctls,
}

impl Posix {
    /// A process without descriptors; the first will be 3.
    pub fn new(stack: Box<dyn Stack>, sysctls: Sysctls) -> Posix {
        Posix { stack, sysctls }
    }

    /// The stack, to be given packets and time. Call [`Posix::settle`] afterwards.
    pub fn stack(&mut self) -> &mut dyn Stack {
        self.stack.as_mut()
    }

    /// Takes in what has happened to sockets since the last look. To be called after every use of [`Posix::stack`].
    pub fn settle(&mut self) {
        self.stack.drain_events(&mut Vec::new());
    }

    /// Makes a call for the first time.
    pub fn call(&mut self, now: Instant, request: &Request) -> Outcome {
        self.again(now, request, Blocked { begun: now, until: None, moved: 0 })
    }

    /// Makes a call again that slept, with what it said when it fell asleep.
    pub fn again(&mut self, _now: Instant, request: &Request, _blocked: Blocked) -> Outcome {
        Outcome::Unsupported(format!("{request:?}"))
    }

    /// Gives a descriptor that was just made another number; `false` when there is no such descriptor or the number is
    /// taken. For a caller whose descriptors must be the kernel's, too.
    pub fn renumber(&mut self, _from: i32, _to: i32) -> bool {
        false
    }

    /// The sysctls that sockets made from now on begin with.
    pub fn sysctls(&mut self) -> &mut Sysctls {
        &mut self.sysctls
    }

    /// What `getsockopt(TCP_INFO)` would tell; `None` when the descriptor is no TCP socket.
    pub fn tcp_info(&self, _now: Instant, _fd: i32) -> Option<TcpInfo> {
        None
    }
}
