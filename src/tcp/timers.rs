//! A connection's timers: one moment each, or none.

use crate::journal::Timer;
use crate::time::Instant;

/// The timers that a connection has, in the order in which they fire when they are due at the same time.
const TIMERS: [Timer; 11] = [
    Timer::DelayedAck,
    Timer::Pacing,
    Timer::Cork,
    Timer::Reordering,
    Timer::TailProbe,
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
    /// The place of the one that fires next: it is asked for with every packet, and moves more rarely.
    first: u8,
}

impl Default for Timers {
    fn default() -> Timers {
        Timers { due: [NEVER; TIMERS.len()], first: 0 }
    }
}

impl Timers {
    /// Starts or moves a timer. Returns whether that changed anything.
    pub(crate) fn set(&mut self, timer: Timer, due: Instant) -> bool {
        let Some(place) = place(timer) else { return false };
        if std::mem::replace(&mut self.due[place], due) == due {
            return false;
        }
        let first = usize::from(self.first);
        if place == first || (due, place) < (self.due[first], first) {
            self.find_first();
        }
        true
    }

    fn find_first(&mut self) {
        let first = (0_u8..).zip(self.due).min_by_key(|(_, due)| *due);
        self.first = first.map_or(0, |(place, _)| place);
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
        let first = usize::from(self.first);
        Some((self.due[first], TIMERS[first])).filter(|(due, _)| *due != NEVER)
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
    match timer {
        Timer::DelayedAck => Some(0),
        Timer::Pacing => Some(1),
        Timer::Cork => Some(2),
        Timer::Reordering => Some(3),
        Timer::TailProbe => Some(4),
        Timer::Retransmission => Some(5),
        Timer::Persist => Some(6),
        Timer::KeepAlive => Some(7),
        Timer::UserTimeout => Some(8),
        Timer::FinWait2 => Some(9),
        Timer::TimeWait => Some(10),
        Timer::Neighbour | Timer::Reassembly | Timer::Unnamed => None,
    }
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
    fn the_first_timer_is_known_whatever_is_moved() {
        let mut timers = Timers::default();
        for (index, (timer, due)) in
            (0..1000).map(|n| (TIMERS[n * 7 % TIMERS.len()], (n * 7919) as u64 % 13)).enumerate()
        {
            if index % 3 == 0 {
                timers.stop(timer);
            } else {
                timers.set(timer, at(due));
            }
            let plain = timers.due.iter().copied().zip(TIMERS).min_by_key(|(due, _)| *due);
            assert_eq!(timers.next(), plain.filter(|(due, _)| *due != NEVER), "after step {index}");
        }
    }

    #[test]
    fn each_timer_has_the_place_of_the_table() {
        for (index, timer) in TIMERS.into_iter().enumerate() {
            assert_eq!(place(timer), Some(index));
        }
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
