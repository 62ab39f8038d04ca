//! A process, its stack, and a clock that only moves when somebody looks at it or waits.
//!
//! ```text
//!   usleep(n) ───────► now + n, every timer on the way in its turn
//!   gettimeofday() ──► now + 1 µs
//!   netdev_receive() ► the next timer, until a packet departs
//! ```
//!
//! One call may sleep ([`World::sleep`]): it is made again after everything that happens, at the moment it happens, so
//! that its end does not depend on when its thread gets to run.

use std::collections::VecDeque;
use std::num::NonZeroU16;
use std::time::Duration;

use bytes::Bytes;
use wireglass::drill::posix::{Blocked, Errno, Outcome, Posix, Request};
use wireglass::packet::{Medium, Packet, segment};
use wireglass::time::Instant;

/// Timers that may fire within one call: a stack that only winds itself up must not hang packetdrill.
const MOST_STEPS: u32 = 200_000;
/// How long a single call may let virtual time run on: longer than any retransmission lasts.
const LONGEST_WAIT: Duration = Duration::from_secs(6 * 60 * 60);
/// What looking at the clock costs.
const LOOK: Duration = Duration::from_micros(1);

pub(crate) struct World {
    pub(crate) posix: Posix,
    now: Instant,
    /// What the stack has sent, and when.
    departed: VecDeque<(Instant, Bytes)>,
    sleeper: Option<Sleeper>,
    /// Octets of data in each segment that a longer incoming packet stands for.
    mss: Option<NonZeroU16>,
}

/// A call that sleeps, or has just woken up.
struct Sleeper {
    request: Request,
    state: Sleep,
}

enum Sleep {
    Asleep(Blocked),
    /// How it ended, and when.
    Awake(Outcome, Instant),
}

impl World {
    pub(crate) fn new(posix: Posix, now: Instant, mss: Option<NonZeroU16>) -> World {
        World { posix, now, departed: VecDeque::new(), sleeper: None, mss }
    }

    pub(crate) fn now(&self) -> Instant {
        self.now
    }

    /// The time, a moment later: packetdrill spins on it.
    pub(crate) fn look_at_clock(&mut self) -> Instant {
        self.advance_to(self.now + LOOK);
        self.now
    }

    /// Lets so much time pass.
    pub(crate) fn pass(&mut self, span: Duration) {
        self.advance_to(self.now + span.min(LONGEST_WAIT));
    }

    fn advance_to(&mut self, end: Instant) {
        for _ in 0..MOST_STEPS {
            match self.next_moment() {
                Some(at) if at <= end => self.step(at),
                _ => break,
            }
        }
        self.now = self.now.max(end);
    }

    /// When something happens by itself.
    fn next_moment(&mut self) -> Option<Instant> {
        let timer = self.posix.stack().deadline().map(|(at, _)| at);
        let alarm = match &self.sleeper {
            Some(Sleeper { state: Sleep::Asleep(blocked), .. }) => blocked.until,
            Some(Sleeper { state: Sleep::Awake(..), .. }) | None => None,
        };
        [timer, alarm].into_iter().flatten().min()
    }

    /// Goes to that moment, if it is not over, and lets happen what happens then. Time always moves on a little, so that
    /// a timer that fires without effect is not met again.
    fn step(&mut self, at: Instant) {
        self.now = if at > self.now { at } else { self.now + Duration::from_nanos(1) };
        self.posix.stack().expire(self.now);
        self.settle();
    }

    /// Everything that follows at this moment: packets depart, the sleeper looks whether it may wake.
    fn settle(&mut self) {
        self.drain();
        if let Some(Sleeper { request, state: Sleep::Asleep(blocked) }) = &self.sleeper {
            let (request, blocked) = (request.clone(), *blocked);
            let state = match self.posix.again(self.now, &request, blocked) {
                Outcome::WouldBlock(blocked) => Sleep::Asleep(blocked),
                outcome => Sleep::Awake(outcome, self.now),
            };
            self.sleeper = Some(Sleeper { request, state });
            self.drain();
        }
    }

    fn drain(&mut self) {
        self.posix.settle();
        let mut pieces = Vec::new();
        while let Some((packet, _)) = self.posix.stack().transmit(self.now) {
            segment::cut(packet, &mut pieces);
        }
        self.departed.extend(pieces.into_iter().map(|piece| (self.now, piece.to_bytes())));
        self.posix.settle();
    }

    /// A packet comes in.
    pub(crate) fn inject(&mut self, packet: Bytes) {
        let mut packet = Packet::from_wire(Medium::Ip, packet);
        packet.set_gso_size(self.mss.filter(|mss| packet.payload_len() > usize::from(mss.get())));
        self.posix.stack().receive(self.now, &mut vec![packet]);
        self.settle();
    }

    /// The next packet that the stack sends, and when it did; time runs on until then. `None` when nothing ever comes.
    pub(crate) fn next_departure(&mut self) -> Option<(Instant, Bytes)> {
        let end = self.now + LONGEST_WAIT;
        for _ in 0..MOST_STEPS {
            if let Some(departed) = self.departed.pop_front() {
                return Some(departed);
            }
            match self.next_moment() {
                Some(at) if at <= end => self.step(at),
                _ => return None,
            }
        }
        None
    }

    /// Makes a call.
    pub(crate) fn call(&mut self, request: &Request) -> Outcome {
        let outcome = self.posix.call(self.now, request);
        self.settle();
        outcome
    }

    /// Makes a call that must not sleep, because nothing else would ever run: time runs on until it ends.
    pub(crate) fn call_and_wait(&mut self, request: &Request) -> Outcome {
        let mut outcome = self.call(request);
        let end = self.now + LONGEST_WAIT;
        for _ in 0..MOST_STEPS {
            let Outcome::WouldBlock(blocked) = outcome else { return outcome };
            match self.next_moment().into_iter().chain(blocked.until).min() {
                Some(at) if at <= end => self.step(at),
                _ => break,
            }
            outcome = self.posix.again(self.now, request, blocked);
            self.settle();
        }
        match outcome {
            // On Linux it would sleep for ever.
            Outcome::WouldBlock(_) => Outcome::Failed(Errno::EINTR),
            outcome => outcome,
        }
    }

    /// Puts a call to sleep; only one can.
    pub(crate) fn sleep(&mut self, request: Request, blocked: Blocked) {
        self.sleeper = Some(Sleeper { request, state: Sleep::Asleep(blocked) });
    }

    /// How the sleeping call ended, and when; `None` while it sleeps.
    pub(crate) fn wake(&mut self) -> Option<(Outcome, Instant)> {
        match self.sleeper.take() {
            Some(Sleeper { state: Sleep::Awake(outcome, at), .. }) => Some((outcome, at)),
            asleep => {
                self.sleeper = asleep;
                None
            }
        }
    }

    /// Whether the sleeping call has ended and its thread does not know yet.
    pub(crate) fn has_woken(&self) -> bool {
        matches!(&self.sleeper, Some(Sleeper { state: Sleep::Awake(..), .. }))
    }

    /// Whether a call sleeps.
    pub(crate) fn has_sleeper(&self) -> bool {
        matches!(&self.sleeper, Some(Sleeper { state: Sleep::Asleep(_), .. }))
    }

    /// Forgets the sleeping call.
    pub(crate) fn give_up(&mut self) {
        self.sleeper = None;
    }
}
