//! The live driver: the wall clock, and doors to real kernels.
//!
//! Driver and applications share one current-thread runtime: waking another core costs more than a packet. Each turn
//! takes in every packet that waits at the doors, then lets the network do what is due, then hands out what it has for
//! the doors, and only then sleeps: until a packet, an application's verb, or the next deadline, to the microsecond.

use std::collections::VecDeque;
use std::future::Future;
use std::io;
use std::sync::{Arc, OnceLock};
use std::task::Poll;
use std::time::Duration;

use tokio::task::LocalSet;

use super::{Clock, World};
use crate::door::Door;
use crate::host::wait::{Alarm, Watched};
use crate::journal::{DropReason, NodeId};
use crate::packet::Packet;
use crate::time::Instant;

/// Packets taken from one door before the others get their turn.
const BATCH: usize = 256;
/// How long nothing must have happened before a finished run counts as over: kernels acknowledge late.
const SILENCE: Duration = Duration::from_millis(60);
/// How long a network may usually take to become quiet after its programs have ended.
pub const QUIET_LIMIT: Duration = Duration::from_secs(15);
/// How long what was captured may stay in memory while packets keep coming: so much a `kill -9` may take.
const SETTLE_EVERY: Duration = Duration::from_millis(50);
/// Packets that may wait for a door that takes none just now; as many as a TUN device's own queue would hold.
const WAITING_LIMIT: usize = 1_000;
/// How soon a door that was full is tried again.
const RETRY: Duration = Duration::from_micros(200);

/// A real kernel's way into the network.
pub struct Port {
    /// The outside node it belongs to.
    pub node: NodeId,
    /// The door.
    pub door: Box<dyn Door>,
}

/// Runs `programs` to their end, and calls `look` every so often meanwhile, beginning at once.
pub async fn looking<T>(every: Duration, look: impl Fn(), programs: impl Future<Output = T>) -> T {
    tokio::pin!(programs);
    let mut tick = tokio::time::interval(every);
    loop {
        tokio::select! {
            biased;
            output = &mut programs => return output,
            _ = tick.tick() => look(),
        }
    }
}

/// Builds a network with doors and runs programs on it in real time.
///
/// As [`super::sim::run`], but `setup` also returns the doors, and `patience` says of what the programs returned how long
/// the network may take to become quiet ([`QUIET_LIMIT`], or nothing for a run that was broken off). A door that fails
/// (its device is gone) ends the run, programs or not: the error then takes the place of what they would have returned.
///
/// # Errors
/// Those of `setup` and of the runtime.
pub fn run<F, E>(
    setup: impl FnOnce(&Clock) -> Result<(World, Vec<Port>, F), E>,
    patience: impl FnOnce(&F::Output) -> Duration,
) -> Result<(io::Result<F::Output>, Instant), E>
where
    F: Future,
    E: From<io::Error>,
{
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let local = LocalSet::new();
    local.block_on(&runtime, async {
        let clock = Clock::start_wall();
        let (world, ports, programs) = setup(&clock)?;
        let finished = Arc::new(OnceLock::new());
        let doorbell = world.doorbell();
        let mut driver = tokio::spawn(Driver::new(world, ports)?.drive(finished.clone()));
        let result = tokio::select! {
            biased;
            result = programs => result,
            // The driver ends by itself only when a door has failed.
            failed = &mut driver => return Ok((Err(driver_error(failed)), clock.now())),
        };
        // Set here only, so it was empty.
        let _ = finished.set(clock.now() + patience(&result));
        doorbell.notify_one();
        match driver.await {
            Ok(Ok(())) => Ok((Ok(result), clock.now())),
            failed => Ok((Err(driver_error(failed)), clock.now())),
        }
    })
}

fn driver_error(ended: Result<io::Result<()>, tokio::task::JoinError>) -> io::Error {
    match ended {
        Ok(Ok(())) => io::Error::other("the network stopped before its programs"),
        Ok(Err(error)) => error,
        Err(error) if error.is_panic() => std::panic::resume_unwind(error.into_panic()),
        Err(error) => io::Error::other(error),
    }
}

struct Driver {
    world: World,
    ports: Vec<OpenPort>,
    /// One for each port; apart from them, since a door may not be shared between threads and waiting needs no door.
    watched: Vec<Watched>,
    alarm: Alarm,
    /// When a packet last moved.
    active_at: Instant,
    /// When captures were last written out.
    settled_at: Instant,
}

struct OpenPort {
    port: Port,
    /// Delivered to the node, not yet taken by the device.
    waiting: VecDeque<Packet>,
}

impl Driver {
    fn new(world: World, ports: Vec<Port>) -> io::Result<Driver> {
        let watched = ports.iter().map(|port| Watched::new(port.door.descriptor())).collect::<io::Result<_>>()?;
        let ports = ports.into_iter().map(|port| OpenPort { port, waiting: VecDeque::new() }).collect();
        Ok(Driver { world, ports, watched, alarm: Alarm::new()?, active_at: Instant::ZERO, settled_at: Instant::ZERO })
    }

    /// Runs until the network is quiet after `finished` was set, and at the latest until the moment that it holds.
    async fn drive(mut self, finished: Arc<OnceLock<Instant>>) -> io::Result<()> {
        let clock = self.world.clock();
        let doorbell = self.world.doorbell();
        loop {
            let taken = self.take_in(&clock)?;
            let now = clock.now();
            if self.world.turn(now) || taken {
                self.active_at = now;
            }
            let blocked = self.hand_out(now)?;
            if finished.get().is_some_and(|limit| now >= *limit) {
                self.world.settle();
                return Ok(());
            }
            if !taken || now - self.settled_at >= SETTLE_EVERY {
                self.world.settle();
                self.settled_at = now;
            }
            if taken {
                // More may wait outside, and a watched door reports only what comes after it was found empty. The
                // applications get their turn in between.
                tokio::task::yield_now().await;
                continue;
            }
            let mut wake_at = self.world.deadline();
            if let Some(&limit) = finished.get() {
                let over = self.active_at + SILENCE;
                if self.world.is_quiet() && now >= over {
                    return Ok(());
                }
                // Not quiet after the silence: wait for the limit, or for a packet.
                wake_at = earlier(wake_at, if now < over { over.min(limit) } else { limit });
            }
            if blocked {
                wake_at = earlier(wake_at, now + RETRY);
            }
            self.alarm.set(wake_at.map(|at| at - clock.now()))?;
            tokio::select! {
                biased;
                ready = any_readable(&self.watched) => ready?,
                () = doorbell.notified() => {}
                rung = self.alarm.ring() => rung?,
            }
        }
    }

    /// Takes in a batch from every door; returns whether there was a packet.
    fn take_in(&mut self, clock: &Clock) -> io::Result<bool> {
        let mut batch = Vec::new();
        let mut taken = false;
        for open in &mut self.ports {
            taken |= open.port.door.receive(&mut batch, BATCH)? > 0;
            for packet in batch.drain(..) {
                self.world.inject(clock.now(), open.port.node, packet);
            }
        }
        Ok(taken)
    }

    /// Hands delivered packets to the devices; returns whether one of them takes no more just now.
    fn hand_out(&mut self, now: Instant) -> io::Result<bool> {
        let mut blocked = false;
        for open in &mut self.ports {
            if let Some(outbox) = self.world.outbox(open.port.node) {
                open.waiting.extend(outbox.drain(..));
            }
            while let Some(packet) = open.waiting.front() {
                match open.port.door.send(packet) {
                    Ok(()) => {}
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                        blocked = true;
                        break;
                    }
                    // The kernel refuses this packet, not the next.
                    Err(error) if error.kind() == io::ErrorKind::InvalidInput => {
                        self.world.refused(now, open.port.node, packet.id, DropReason::RefusedByKernel);
                    }
                    Err(error) => return Err(error),
                }
                open.waiting.pop_front();
            }
            for packet in open.waiting.drain(open.waiting.len().min(WAITING_LIMIT)..) {
                self.world.refused(now, open.port.node, packet.id, DropReason::QueueFull);
            }
        }
        Ok(blocked)
    }
}

fn earlier(at: Option<Instant>, other: Instant) -> Option<Instant> {
    Some(at.map_or(other, |at| at.min(other)))
}

/// Waits until one of the doors has something; for ever when there is no door.
async fn any_readable(watched: &[Watched]) -> io::Result<()> {
    let mut waits: Vec<_> = watched.iter().map(|door| Box::pin(door.readable())).collect();
    std::future::poll_fn(|context| {
        let ready = waits.iter_mut().map(|wait| wait.as_mut().poll(context)).find(Poll::is_ready);
        ready.unwrap_or(Poll::Pending)
    })
    .await
}
