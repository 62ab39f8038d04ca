//! `poll`, `epoll`, and the clock.

use std::time::Duration;

use libc::{c_int, c_void, epoll_event, nfds_t, pollfd, timeval};
use wireglass::drill::posix::{EpollEvent, Errno, PollFd, Request, Written};

use super::{answer, ask, instance};
use crate::interface::Data;
use crate::memory;
use crate::network_time;

/// Descriptors that one `poll` may ask for, as many as there can be.
const MOST_POLLED: usize = 1024;

/// A time-out in milliseconds; negative is for ever.
fn patience(millis: c_int) -> Option<Duration> {
    u64::try_from(millis).ok().map(Duration::from_millis)
}

pub(crate) unsafe extern "C" fn poll(data: Data, at: *mut pollfd, count: nfds_t, millis: c_int) -> c_int {
    let count = usize::try_from(count).unwrap_or(usize::MAX);
    if count > MOST_POLLED || (at.is_null() && count > 0) {
        return answer(Err(if at.is_null() { Errno::EFAULT } else { Errno::EINVAL }));
    }
    // SAFETY: as the module says; `at` points at `count` structures, and only `revents` is written.
    unsafe {
        let asked = |index| at.add(index).read_unaligned();
        let fds = (0..count).map(asked).map(|one| PollFd { fd: one.fd, events: one.events, revents: 0 }).collect();
        let result = ask(data, Request::Poll { fds, timeout: patience(millis) });
        if let Ok(reply) = &result
            && let Written::Poll(answered) = &reply.written
        {
            for (index, one) in answered.iter().enumerate().take(count) {
                at.add(index).write_unaligned(pollfd { fd: one.fd, events: one.events, revents: one.revents });
            }
        }
        answer(result)
    }
}

pub(crate) unsafe extern "C" fn epoll_create(data: Data, size: c_int) -> c_int {
    // SAFETY: as the module says.
    answer(unsafe { ask(data, Request::EpollCreate { size }) })
}

pub(crate) unsafe extern "C" fn epoll_ctl(
    data: Data,
    epoll: c_int,
    operation: c_int,
    fd: c_int,
    at: *mut epoll_event,
) -> c_int {
    // SAFETY: as the module says.
    unsafe {
        let event = memory::read(at).map(|event| EpollEvent { events: event.events, data: event.u64 });
        answer(ask(data, Request::EpollCtl { epoll, operation, fd, event }))
    }
}

pub(crate) unsafe extern "C" fn epoll_wait(
    data: Data,
    epoll: c_int,
    at: *mut epoll_event,
    most: c_int,
    millis: c_int,
) -> c_int {
    if at.is_null() {
        return answer(Err(Errno::EFAULT));
    }
    // SAFETY: as the module says; `at` points at `most` structures, and no more are written.
    unsafe {
        let result = ask(data, Request::EpollWait { epoll, most, timeout: patience(millis) });
        if let Ok(reply) = &result
            && let Written::Epoll(events) = &reply.written
        {
            for (index, event) in events.iter().enumerate().take(usize::try_from(most).unwrap_or(0)) {
                at.add(index).write_unaligned(epoll_event { events: event.events, u64: event.data });
            }
        }
        answer(result)
    }
}

pub(crate) unsafe extern "C" fn usleep(data: Data, micros: u32) -> c_int {
    // SAFETY: as the module says.
    match unsafe { instance(data) } {
        Some(instance) => {
            instance.pass(Duration::from_micros(micros.into()));
            0
        }
        None => -1,
    }
}

pub(crate) unsafe extern "C" fn gettimeofday(data: Data, at: *mut timeval, _zone: *mut c_void) -> c_int {
    // SAFETY: as the module says.
    unsafe {
        let Some(instance) = instance(data) else { return -1 };
        let micros = network_time::micros(instance.look_at_clock());
        memory::write(at, timeval { tv_sec: micros / 1_000_000, tv_usec: micros % 1_000_000 });
    }
    0
}
