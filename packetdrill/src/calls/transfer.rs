//! Sending and receiving.

use libc::{c_int, c_void, iovec, loff_t, msghdr, size_t, sockaddr, socklen_t, ssize_t};
use wireglass::drill::posix::{Errno, Memory, Payload, Received, Reply, Request, Written};

use super::{ask, long_answer};
use crate::interface::Data;
use crate::memory;

fn receiving(fd: c_int, length: usize, flags: c_int, memory: Memory) -> Request {
    Request::Receive { fd, length, flags, memory }
}

fn sending(fd: c_int, data: Payload, flags: c_int) -> Request {
    Request::Send { fd, data, flags, to: None, control: Vec::new() }
}

/// What a successful call received.
fn received(result: &Result<Reply, Errno>) -> Option<&Received> {
    match result {
        Ok(Reply { written: Written::Received(received), .. }) => Some(received),
        Ok(_) | Err(_) => None,
    }
}

pub(crate) unsafe extern "C" fn read(data: Data, fd: c_int, at: *mut c_void, length: size_t) -> ssize_t {
    // SAFETY: as the module says.
    unsafe { recv(data, fd, at, length, 0) }
}

pub(crate) unsafe extern "C" fn readv(data: Data, fd: c_int, at: *const iovec, count: c_int) -> ssize_t {
    // SAFETY: as the module says.
    unsafe {
        let pieces = memory::pieces(at, usize::try_from(count).unwrap_or(0));
        let request = receiving(fd, memory::total(&pieces), 0, memory::room_in(&pieces));
        let result = ask(data, request);
        if let Some(received) = received(&result) {
            memory::scatter(&received.data, &pieces);
        }
        long_answer(result)
    }
}

pub(crate) unsafe extern "C" fn recv(data: Data, fd: c_int, at: *mut c_void, length: size_t, flags: c_int) -> ssize_t {
    // SAFETY: as the module says.
    unsafe { recvfrom(data, fd, at, length, flags, std::ptr::null_mut(), std::ptr::null_mut()) }
}

pub(crate) unsafe extern "C" fn recvfrom(
    data: Data,
    fd: c_int,
    at: *mut c_void,
    length: size_t,
    flags: c_int,
    from: *mut sockaddr,
    from_length: *mut socklen_t,
) -> ssize_t {
    // SAFETY: as the module says.
    unsafe {
        let result = ask(data, receiving(fd, length, flags, memory::room(at)));
        if let Some(received) = received(&result) {
            memory::put(&received.data, at, length);
            match received.from {
                Some(sender) => memory::put_address(sender, from, from_length),
                None => memory::write(from_length, 0),
            }
        }
        long_answer(result)
    }
}

pub(crate) unsafe extern "C" fn recvmsg(data: Data, fd: c_int, message: *mut msghdr, flags: c_int) -> ssize_t {
    // SAFETY: as the module says.
    unsafe {
        let Some(mut header) = memory::read(message) else { return long_answer(Err(Errno::EFAULT)) };
        let pieces = memory::pieces(header.msg_iov, header.msg_iovlen);
        let request = receiving(fd, memory::total(&pieces), flags, memory::room_in(&pieces));
        let result = ask(data, request);
        if let Some(received) = received(&result) {
            memory::scatter(&received.data, &pieces);
            memory::put_message(received, &mut header);
            memory::write(message, header);
        }
        long_answer(result)
    }
}

pub(crate) unsafe extern "C" fn write(data: Data, fd: c_int, at: *const c_void, length: size_t) -> ssize_t {
    // SAFETY: as the module says.
    unsafe { send(data, fd, at, length, 0) }
}

pub(crate) unsafe extern "C" fn writev(data: Data, fd: c_int, at: *const iovec, count: c_int) -> ssize_t {
    // SAFETY: as the module says.
    unsafe {
        let pieces = memory::pieces(at, usize::try_from(count).unwrap_or(0));
        long_answer(ask(data, sending(fd, memory::gather(&pieces), 0)))
    }
}

pub(crate) unsafe extern "C" fn send(
    data: Data,
    fd: c_int,
    at: *const c_void,
    length: size_t,
    flags: c_int,
) -> ssize_t {
    // SAFETY: as the module says.
    unsafe { long_answer(ask(data, sending(fd, memory::payload(at, length), flags))) }
}

pub(crate) unsafe extern "C" fn sendto(
    data: Data,
    fd: c_int,
    at: *const c_void,
    length: size_t,
    flags: c_int,
    to: *const sockaddr,
    to_length: socklen_t,
) -> ssize_t {
    // SAFETY: as the module says.
    unsafe {
        let address = (!to.is_null()).then(|| memory::address(to, to_length));
        let payload = memory::payload(at, length);
        long_answer(ask(data, Request::Send { fd, data: payload, flags, to: address, control: Vec::new() }))
    }
}

pub(crate) unsafe extern "C" fn sendmsg(data: Data, fd: c_int, message: *const msghdr, flags: c_int) -> ssize_t {
    // SAFETY: as the module says.
    unsafe {
        let Some(header) = memory::read(message) else { return long_answer(Err(Errno::EFAULT)) };
        let pieces = memory::pieces(header.msg_iov, header.msg_iovlen);
        let to = (!header.msg_name.is_null() && header.msg_namelen > 0)
            .then(|| memory::address(header.msg_name.cast(), header.msg_namelen));
        let (payload, control) = (memory::gather(&pieces), memory::control(&header));
        long_answer(ask(data, Request::Send { fd, data: payload, flags, to, control }))
    }
}

/// The offsets are ignored: packetdrill passes pointers even where a script says that there are none, and a socket or
/// pipe has no place to seek to.
pub(crate) unsafe extern "C" fn splice(
    data: Data,
    from: c_int,
    _from_offset: *mut loff_t,
    to: c_int,
    _to_offset: *mut loff_t,
    length: size_t,
    flags: u32,
) -> ssize_t {
    // SAFETY: as the module says.
    unsafe { long_answer(ask(data, Request::Splice { from, to, length, flags })) }
}
