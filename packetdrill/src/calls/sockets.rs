//! Descriptors, and the ends of connections.

use libc::{c_int, c_long, c_ulong, sockaddr, socklen_t};
use wireglass::drill::posix::names::FIONBIO;
use wireglass::drill::posix::{Request, Written};

use super::{answer, ask};
use crate::interface::Data;
use crate::memory;

pub(crate) unsafe extern "C" fn socket(data: Data, domain: c_int, kind: c_int, protocol: c_int) -> c_int {
    // SAFETY: as the module says.
    answer(unsafe { ask(data, Request::Socket { domain, kind, protocol }) })
}

pub(crate) unsafe extern "C" fn bind(data: Data, fd: c_int, at: *const sockaddr, length: socklen_t) -> c_int {
    // SAFETY: as the module says.
    answer(unsafe { ask(data, Request::Bind { fd, address: memory::address(at, length) }) })
}

pub(crate) unsafe extern "C" fn listen(data: Data, fd: c_int, backlog: c_int) -> c_int {
    // SAFETY: as the module says.
    answer(unsafe { ask(data, Request::Listen { fd, backlog }) })
}

pub(crate) unsafe extern "C" fn accept(data: Data, fd: c_int, at: *mut sockaddr, length: *mut socklen_t) -> c_int {
    // SAFETY: as the module says.
    unsafe {
        let result = ask(data, Request::Accept { fd, flags: 0 });
        if let Ok(reply) = &result
            && let Written::Address(peer) = reply.written
        {
            memory::put_address(peer, at, length);
        }
        answer(result)
    }
}

pub(crate) unsafe extern "C" fn connect(data: Data, fd: c_int, at: *const sockaddr, length: socklen_t) -> c_int {
    // SAFETY: as the module says.
    answer(unsafe { ask(data, Request::Connect { fd, address: memory::address(at, length) }) })
}

pub(crate) unsafe extern "C" fn shutdown(data: Data, fd: c_int, how: c_int) -> c_int {
    // SAFETY: as the module says.
    answer(unsafe { ask(data, Request::Shutdown { fd, how }) })
}

pub(crate) unsafe extern "C" fn close(data: Data, fd: c_int) -> c_int {
    // SAFETY: as the module says.
    answer(unsafe { ask(data, Request::Close { fd }) })
}

/// The argument is an `int`; above it lies whatever was in the register, also when there is none.
pub(crate) unsafe extern "C" fn fcntl(data: Data, fd: c_int, command: c_int, argument: c_long) -> c_int {
    let argument = i64::from(argument as c_int);
    // SAFETY: as the module says.
    answer(unsafe { ask(data, Request::Fcntl { fd, command, argument }) })
}

pub(crate) unsafe extern "C" fn ioctl(data: Data, fd: c_int, request: c_ulong, at: *mut c_int) -> c_int {
    // The command was an `int` that was widened with its sign.
    let request = u64::from(request as u32);
    let reads = request == u64::from(FIONBIO.unsigned_abs());
    // SAFETY: as the module says; only FIONBIO has something to read behind its pointer.
    unsafe {
        let argument = if reads { memory::read(at).unwrap_or(0) } else { 0 };
        let result = ask(data, Request::Ioctl { fd, request, argument, memory: memory::room(at) });
        if let Ok(reply) = &result
            && let Written::Number(number) = reply.written
        {
            memory::write(at, number);
        }
        answer(result)
    }
}

pub(crate) unsafe extern "C" fn pipe(data: Data, at: *mut [c_int; 2]) -> c_int {
    // SAFETY: as the module says.
    unsafe {
        let result = ask(data, Request::Pipe);
        if let Ok(reply) = &result
            && let Written::Pipe(ends) = reply.written
        {
            memory::write(at, ends);
        }
        answer(result)
    }
}
