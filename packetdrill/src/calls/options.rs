//! Socket options.

use libc::{c_int, c_void, socklen_t};
use wireglass::drill::posix::{Errno, Reply, Request, Written};

use super::{answer, ask};
use crate::interface::Data;
use crate::memory;

pub(crate) unsafe extern "C" fn getsockopt(
    data: Data,
    fd: c_int,
    level: c_int,
    name: c_int,
    at: *mut c_void,
    length: *mut socklen_t,
) -> c_int {
    // SAFETY: as the module says.
    unsafe {
        let result = ask(data, Request::GetSockOpt { fd, level, name });
        answer(result.and_then(|reply| tell(reply, at, length)))
    }
}

/// Writes an option's value, cut to the room there is.
///
/// # Safety
/// `length` is null or points at a `socklen_t`, and `at` is null or points at so many writable octets.
pub(crate) unsafe fn tell(reply: Reply, at: *mut c_void, length: *mut socklen_t) -> Result<Reply, Errno> {
    // SAFETY: as the caller says; no more is written than the length says.
    unsafe {
        let room = memory::read(length).ok_or(Errno::EFAULT)? as usize;
        if let Written::Option(value) = &reply.written {
            let octets = value.to_bytes();
            if at.is_null() && room.min(octets.len()) > 0 {
                return Err(Errno::EFAULT);
            }
            memory::put(&octets, at, room);
            memory::write(length, octets.len().min(room) as socklen_t);
        }
    }
    Ok(reply)
}

pub(crate) unsafe extern "C" fn setsockopt(
    data: Data,
    fd: c_int,
    level: c_int,
    name: c_int,
    at: *const c_void,
    length: socklen_t,
) -> c_int {
    // SAFETY: as the module says.
    answer(unsafe { ask(data, Request::SetSockOpt { fd, level, name, value: memory::option(at, length) }) })
}
