//! The run's clock: virtual or on the wall.

use crate::time::Instant;

/// Where `now` comes from. Everything above and below is handed the result; nothing else reads a clock.
#[derive(Clone, Debug)]
pub struct Clock(Source);

#[derive(Clone, Debug)]
enum Source {
    /// tokio's paused clock, so that our packets and a library's timers share one time line.
    Virtual(tokio::time::Instant),
    Wall(std::time::Instant),
}

impl Clock {
    /// A clock that starts now and stands still until somebody advances it. Only inside a paused tokio runtime.
    pub(super) fn start_virtual() -> Clock {
        Clock(Source::Virtual(tokio::time::Instant::now()))
    }

    /// A clock that starts now.
    pub(super) fn start_wall() -> Clock {
        Clock(Source::Wall(std::time::Instant::now()))
    }

    /// The present moment of the run.
    pub fn now(&self) -> Instant {
        let elapsed = match &self.0 {
            Source::Virtual(start) => start.elapsed(),
            Source::Wall(start) => start.elapsed(),
        };
        Instant::ZERO + elapsed
    }
}
