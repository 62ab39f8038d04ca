//! System calls of the script: made, made again while they sleep, and judged when they return.

use super::calls::{self, CallError, Check, Descriptor, Effect, Environment, Kind, Plan};
use super::clock::Sleeper;
use super::runner::{Runner, Step, Stop};
use super::time::Due;
use super::transcript::Happening;
use super::verdict::Cause;
use crate::drill::language::script::{Call, Event, Value, What};
use crate::drill::posix::{self, Errno, Reply, Written};
use crate::time::Instant;

impl<'s> Runner<'s> {
    pub(super) fn call(&mut self, event: &Event, call: &Call, due: Due, base: Instant) -> Step {
        // One call sleeps at a time.
        self.wait_for_sleeper(call.returns_at.is_some())?;
        self.on_time(due)?;
        let plan = self.plan(call)?;
        match plan.effect {
            Effect::Connect(fd) => self.connections.connect(fd),
            Effect::Disconnect(fd) => self.connections.disconnect(fd),
            Effect::None | Effect::Socket(_) | Effect::Listen(_) | Effect::Accept | Effect::Close(_) => {}
        }
        let now = self.world.now();
        match self.world.posix.call(now, &plan.request) {
            posix::Outcome::Done(reply) => self.returned(self.current, &plan, Ok(reply))?,
            posix::Outcome::Failed(errno) => self.returned(self.current, &plan, Err(errno))?,
            posix::Outcome::Unsupported(what) => return Err(self.unsupported(&what)),
            posix::Outcome::WouldBlock(blocked) => {
                let text = event.text.clone();
                self.world.transcript.tell(now, Happening::Sleeps { text });
                let returns = call.returns_at.map(|at| Due::of(at, base));
                let began = due.earliest(now);
                self.sleeper = Some(Sleeper { event: self.current, plan, blocked, began, returns });
                self.poke()?;
                return if call.returns_at.is_some() { Ok(()) } else { self.wait_for_return() };
            }
        }
        if let Some(at) = call.returns_at {
            self.check_return(self.current, Due::of(at, base), due.earliest(now))?;
        }
        self.poke()
    }

    fn plan(&self, call: &Call) -> Result<Plan, Stop> {
        let environment =
            Environment { settings: &self.settings, descriptors: &self.descriptors, exactness: self.exactness };
        calls::plan(call, environment).map_err(|error| self.call_error(self.current, error))
    }

    fn call_error(&self, event: usize, error: CallError) -> Stop {
        match error {
            CallError::Unsupported(reason) => Stop::Unsupported(event, reason),
            CallError::Script(reason) => Stop::Failed(event, Cause::Script { reason }),
        }
    }

    /// Makes a sleeping call again; whether it has returned.
    pub(super) fn wake(&mut self, mut sleeper: Sleeper) -> Result<bool, Stop> {
        let now = self.world.now();
        let answer = match self.world.posix.again(now, &sleeper.plan.request, sleeper.blocked) {
            posix::Outcome::WouldBlock(blocked) => {
                sleeper.blocked = blocked;
                self.sleeper = Some(sleeper);
                return Ok(false);
            }
            posix::Outcome::Unsupported(what) => return Err(Stop::Unsupported(sleeper.event, what)),
            posix::Outcome::Done(reply) => Ok(reply),
            posix::Outcome::Failed(errno) => Err(errno),
        };
        self.returned(sleeper.event, &sleeper.plan, answer)?;
        if let Some(returns) = sleeper.returns {
            self.check_return(sleeper.event, returns, sleeper.began)?;
        }
        Ok(true)
    }

    /// Whether a call has returned when the script says.
    fn check_return(&self, event: usize, due: Due, began: Instant) -> Step {
        let actual = self.world.now();
        let tolerance = self.settings.tolerance.after(Some(began), due.earliest(actual));
        if due.is_met(actual, tolerance) {
            return Ok(());
        }
        Err(Stop::Failed(event, Cause::Time { what: "the call's return", due, actual, tolerance }))
    }

    /// A call has returned.
    fn returned(&mut self, event: usize, plan: &Plan, answer: Result<Reply, Errno>) -> Step {
        let Some(call) = self.call_of(event) else { return Ok(()) };
        let text = self.script.events.get(event).map_or_else(String::new, |event| event.text.clone());
        let result = match &answer {
            Ok(reply) => format!("= {}", reply.value),
            Err(errno) => format!("= -1 {errno}"),
        };
        self.world.transcript.tell(self.world.now(), Happening::Call { text, result });
        let read = match &plan.check {
            Check::Received { fd, .. } => self.descriptors.get(*fd).map_or(0, |descriptor| descriptor.read),
            _ => 0,
        };
        let verdict = calls::judge(call, &plan.check, &answer, read).map_err(|error| self.call_error(event, error))?;
        if let Some(calls::Mismatch { what, expected, actual }) = verdict {
            let cause = Cause::Result { what, expected, actual };
            if !self.settings.calls_are_not_fatal {
                return Err(Stop::Failed(event, cause));
            }
            self.forgiven.push(self.failure(event, cause));
        }
        match answer {
            Ok(reply) => self.take_effect(event, call, plan, &reply),
            Err(_) => Ok(()),
        }
    }

    /// What a call that succeeded means for descriptors and connections.
    fn take_effect(&mut self, event: usize, call: &Call, plan: &Plan, reply: &Reply) -> Step {
        self.move_on(plan, reply);
        if let (Check::Pipe(script), Written::Pipe(live)) = (&plan.check, &reply.written) {
            for (script, live) in script.iter().zip(live) {
                self.enter(event, *script, *live, Kind::Other)?;
            }
        }
        let Check::Descriptor(kind) = plan.check else {
            match plan.effect {
                Effect::Listen(fd) => self.connections.listen(fd),
                Effect::Close(fd) => {
                    self.connections.close(fd);
                    self.descriptors.close(fd);
                }
                Effect::None | Effect::Socket(_) | Effect::Accept | Effect::Connect(_) | Effect::Disconnect(_) => {}
            }
            return Ok(());
        };
        let live = i32::try_from(reply.value).unwrap_or(-1);
        let script = match &call.result {
            Some(Value::Integer(number)) if *number >= 0 => *number,
            _ => reply.value,
        };
        if plan.effect == Effect::Accept {
            self.descriptors.shadow(script, Descriptor::new(live, kind));
        } else {
            self.enter(event, script, live, kind)?;
        }
        match plan.effect {
            Effect::Socket(protocol) => self.connections.socket(script, protocol),
            Effect::Accept => {
                let peer = match reply.written {
                    Written::Address(peer) => Some(self.settings.of_packets(peer)),
                    _ => None,
                };
                if !self.connections.accept(script, peer) {
                    let reason = "accept() hands over a connection that this script has not made";
                    return Err(Stop::Failed(event, Cause::Script { reason: reason.to_owned() }));
                }
            }
            Effect::None | Effect::Listen(_) | Effect::Connect(_) | Effect::Disconnect(_) | Effect::Close(_) => {}
        }
        Ok(())
    }

    fn enter(&mut self, event: usize, script: i64, live: i32, kind: Kind) -> Step {
        if self.descriptors.enter(script, Descriptor::new(live, kind)) {
            return Ok(());
        }
        let reason = format!("the script has an open descriptor {script} already");
        Err(Stop::Failed(event, Cause::Script { reason }))
    }

    /// Octets have been read or written: the next ones stand further on.
    fn move_on(&mut self, plan: &Plan, reply: &Reply) {
        let octets = u64::try_from(reply.value).unwrap_or(0);
        match plan.check {
            Check::Sent(fd) => {
                if let Some(descriptor) = self.descriptors.get_mut(fd) {
                    descriptor.written += octets;
                }
            }
            Check::Received { fd, is_peek: false, .. } => {
                if let Some(descriptor) = self.descriptors.get_mut(fd) {
                    descriptor.read += octets;
                }
            }
            _ => {}
        }
        if matches!(plan.request, posix::Request::Splice { .. }) {
            self.descriptors.lose_track();
        }
    }

    fn call_of(&self, event: usize) -> Option<&'s Call> {
        let script = self.script;
        match &script.events.get(event)?.what {
            What::Call(call) => Some(call),
            What::Inject(_) | What::Expect(_) | What::Shell(_) | What::Code(_) | What::Unsupported(_) => None,
        }
    }

    pub(super) fn call_name(&self, event: usize) -> String {
        self.call_of(event).map_or_else(String::new, |call| call.name.clone())
    }
}
