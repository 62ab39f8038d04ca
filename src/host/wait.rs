//! What a live driver waits on: a descriptor that becomes readable, and an alarm more exact than a millisecond.
//!
//! Both register with the runtime's poller, which tokio can only offer unsafely, so they live in this room.

#![allow(unsafe_code)]

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::Duration;

use nix::sys::time::TimeSpec;
use nix::sys::timerfd::{ClockId, Expiration, TimerFd, TimerFlags, TimerSetTimeFlags};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

/// A descriptor that can be waited for.
pub struct Watched {
    descriptor: AsyncFd<OwnedFd>,
}

impl Watched {
    /// Watches a copy of `descriptor`, which must be non-blocking. Only inside a tokio runtime.
    ///
    /// # Errors
    /// The system's, when no descriptor is left or this kind cannot be polled.
    pub fn new(descriptor: BorrowedFd<'_>) -> io::Result<Watched> {
        let owned = descriptor.try_clone_to_owned()?;
        // SAFETY: the AsyncFd owns its own copy of the descriptor, hands out only shared references to it, and takes it
        // off the poller before it is closed.
        let descriptor = unsafe { AsyncFd::register_with_interest(owned, Interest::READABLE) }?;
        Ok(Watched { descriptor })
    }

    /// Waits until something can be read. Afterwards the caller reads until nothing is left: only what comes *after* that
    /// is reported again. Cancel safe.
    ///
    /// # Errors
    /// When the runtime shuts down.
    pub async fn readable(&self) -> io::Result<()> {
        // Forgetting the readiness before reading loses nothing: a packet that comes meanwhile is a new edge.
        self.descriptor.readable().await?.clear_ready();
        Ok(())
    }
}

/// A timer with the kernel's resolution; tokio's own counts whole milliseconds.
pub struct Alarm {
    timer: TimerFd,
    watched: Watched,
}

impl Alarm {
    /// An alarm that is not set. Only inside a tokio runtime.
    ///
    /// # Errors
    /// The system's, when no descriptor is left.
    pub fn new() -> io::Result<Alarm> {
        let flags = TimerFlags::TFD_NONBLOCK | TimerFlags::TFD_CLOEXEC;
        let timer = TimerFd::new(ClockId::CLOCK_MONOTONIC, flags)?;
        let watched = Watched::new(timer.as_fd())?;
        Ok(Alarm { timer, watched })
    }

    /// Sets it to ring after `span`, instead of whatever it was set to; `None` switches it off.
    ///
    /// # Errors
    /// The system's; none is expected.
    pub fn set(&self, span: Option<Duration>) -> io::Result<()> {
        match span {
            // Zero would switch it off.
            Some(span) => {
                let expiration = Expiration::OneShot(TimeSpec::from_duration(span.max(Duration::from_nanos(1))));
                self.timer.set(expiration, TimerSetTimeFlags::empty())?;
            }
            None => self.timer.unset()?,
        }
        Ok(())
    }

    /// Waits until it rings. May return early, right after having been set anew. Cancel safe.
    ///
    /// # Errors
    /// When the runtime shuts down.
    pub async fn ring(&self) -> io::Result<()> {
        self.watched.readable().await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn an_alarm_does_not_ring_before_its_time() {
        let alarm = Alarm::new().expect("a timer descriptor");
        let started = std::time::Instant::now();
        alarm.set(Some(Duration::from_micros(300))).expect("it can be set");
        alarm.ring().await.expect("it rings");
        assert!(started.elapsed() >= Duration::from_micros(300));
    }

    #[tokio::test]
    async fn a_watched_descriptor_reports_what_came_after_it_was_emptied() {
        use std::io::{Read, Write};
        let (mut ours, mut theirs) = std::os::unix::net::UnixStream::pair().expect("a socket pair");
        ours.set_nonblocking(true).expect("a socket can be non-blocking");
        let watched = Watched::new(ours.as_fd()).expect("a socket can be polled");
        for round in 0..3_u8 {
            theirs.write_all(&[round]).expect("room in the pair");
            watched.readable().await.expect("the runtime lives");
            let mut buffer = [0; 8];
            assert_eq!(ours.read(&mut buffer).expect("a byte waits"), 1);
        }
    }
}
