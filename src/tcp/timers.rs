//! A connection's timers: one moment each, or none.

use crate::journal::Timer;
use crate::time::Instant;

/// The timers that a connection has, in the order in which they fire when they are due at the same time.
const TIMERS: [Timer; 8] = [
    Timer::DelayedAck,
    Timer::Cork,
    Timer::Retransmission,
    Timer::Persist,
    Timer::KeepAlive,
    Timer::UserTimeout,
    Timer::FinWait2,
    Timer::TimeWait,
];

/// A timer that does not run.
const NEVER: Instant = Instant::from_nanos(u64::MAX);

/// The table of one connection's timers.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Timers {
    due: [Instant; TIMERS.len()],
}

impl Default for Timers {
    fn default() -> Timers {
        Timers { due: [NEVER; TIMERS.len()] }
    }
}

impl Timers {
    /// Starts or moves a timer. Returns whether that changed anything.
    pub(crate) fn set(&mut self, timer: Timer, due: Instant) -> bool {
        place(timer).is_some_and(|place| std::mem::replace(&mut self.due[place], due) != due)
    }

    /// Stops a timer. Returns whether it ran.
    pub(crate) fn stop(&mut self, timer: Timer) -> bool {
        self.set(timer, NEVER)
    }

    /// When a timer will fire; `None` when it does not run.
    pub(crate) fn due(&self, timer: Timer) -> Option<Instant> {
        place(timer).map(|place| self.due[place]).filter(|due| *due != NEVER)
    }

    /// The timer that fires next.
    pub(crate) fn next(&self) -> Option<(Instant, Timer)> {
        let first = self.due.iter().copied().zip(TIMERS).min_by_key(|(due, _)| *due);
        first.filter(|(due, _)| *due != NEVER)
    }

    /// Takes out the next timer whose time has come.
    pub(crate) fn take_due(&mut self, now: Instant) -> Option<Timer> {
        let (_, timer) = self.next().filter(|(due, _)| *due <= now)?;
        self.stop(timer);
        Some(timer)
    }

    /// Stops all of them.
    pub(crate) fn stop_all(&mut self) {
        *self = Timers::default();
    }
}

fn place(timer: Timer) -> Option<usize> {
    TIMERS.iter().position(|one| *one == timer)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(nanos: u64) -> Instant {
        Instant::from_nanos(nanos)
    }

    #[test]
    fn the_earliest_timer_comes_first_and_only_when_due() {
        let mut timers = Timers::default();
        assert_eq!(timers.next(), None);
        assert!(timers.set(Timer::Retransmission, at(30)) && timers.set(Timer::DelayedAck, at(20)));
        assert!(!timers.set(Timer::DelayedAck, at(20)));
        assert_eq!(timers.next(), Some((at(20), Timer::DelayedAck)));
        assert_eq!(timers.take_due(at(19)), None);
        assert_eq!(timers.take_due(at(25)), Some(Timer::DelayedAck));
        assert_eq!((timers.take_due(at(25)), timers.due(Timer::Retransmission)), (None, Some(at(30))));
        assert!(timers.stop(Timer::Retransmission) && !timers.stop(Timer::Retransmission));
    }

    #[test]
    fn timers_due_together_fire_in_the_order_of_the_table() {
        let mut timers = Timers::default();
        TIMERS.iter().rev().for_each(|timer| {
            timers.set(*timer, at(5));
        });
        let fired: Vec<Timer> = std::iter::from_fn(|| timers.take_due(at(5))).collect();
        assert_eq!(fired, TIMERS);
    }
}
