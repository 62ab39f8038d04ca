//! Time between events: timers fire, and the one call that sleeps is made again after whatever happens.

use std::time::Duration;

use super::calls::Plan;
use super::runner::{Runner, Step};
use super::time::Due;
use super::verdict::Cause;
use crate::drill::posix::Blocked;
use crate::time::Instant;

/// How long a script waits for a sleeping call to return, when it is over or makes another call.
const PATIENCE: Duration = Duration::from_secs(1);
/// How long a call may sleep that the script does not declare to sleep.
const LONGEST_SLEEP: Duration = Duration::from_secs(3_600);

/// A call that sleeps.
pub(super) struct Sleeper {
    /// Its event.
    pub(super) event: usize,
    /// What was asked.
    pub(super) plan: Plan,
    /// What it said when it fell asleep.
    pub(super) blocked: Blocked,
    /// When it was to begin.
    pub(super) began: Instant,
    /// When it must return; `None`: the script does not say.
    pub(super) returns: Option<Due>,
}

impl Runner<'_> {
    /// Lets time pass until `until`.
    pub(super) fn advance_to(&mut self, until: Instant) -> Step {
        while let Some(at) = self.next_wake()
            && at <= until
        {
            self.step_to(at)?;
        }
        self.world.move_to(until);
        Ok(())
    }

    /// When something will happen by itself; `None`: nothing, ever.
    pub(super) fn next_wake(&mut self) -> Option<Instant> {
        let timer = self.world.deadline();
        let sleeper = self.sleeper.as_ref().and_then(|sleeper| sleeper.blocked.until);
        [timer, sleeper].into_iter().flatten().min()
    }

    /// Lets happen what is due at `at`.
    pub(super) fn step_to(&mut self, at: Instant) -> Step {
        self.world.fire(at).map_err(|restless| self.restless(restless))?;
        self.poke()
    }

    /// Something has happened to the stack: takes out its packets, and makes the sleeping call again.
    pub(super) fn poke(&mut self) -> Step {
        loop {
            self.world.drain(&mut self.connections).map_err(|restless| self.restless(restless))?;
            let Some(sleeper) = self.sleeper.take() else { return Ok(()) };
            if !self.wake(sleeper)? {
                return Ok(());
            }
        }
    }

    /// Waits for the sleeping call, if there is one, but not for ever. `must_return`: it is an error when it does not.
    pub(super) fn wait_for_sleeper(&mut self, must_return: bool) -> Step {
        let until = self.world.now() + PATIENCE;
        while self.sleeper.is_some()
            && let Some(at) = self.next_wake()
            && at <= until
        {
            self.step_to(at)?;
        }
        let Some(sleeper) = &self.sleeper else { return Ok(()) };
        let (event, call) = (sleeper.event, self.call_name(sleeper.event));
        self.world.move_to(until);
        if must_return { Err(super::runner::Stop::Failed(event, Cause::Asleep { call })) } else { Ok(()) }
    }

    /// Waits for the call that was just made and sleeps, though the script does not say so.
    pub(super) fn wait_for_return(&mut self) -> Step {
        let until = self.world.now() + LONGEST_SLEEP;
        while let Some(sleeper) = &self.sleeper {
            let (event, call) = (sleeper.event, self.call_name(sleeper.event));
            match self.next_wake() {
                Some(at) if at <= until => self.step_to(at)?,
                Some(_) | None => return Err(super::runner::Stop::Failed(event, Cause::Asleep { call })),
            }
        }
        Ok(())
    }
}
