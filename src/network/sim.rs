//! The simulation driver: one thread, a clock that jumps.
//!
//! Applications are ordinary tokio tasks on a paused clock. The network is one task among them, and it acts only when
//! nothing else can run: a hook that the runtime calls right before it would park wakes it (yielding would not do: a
//! `LocalSet` stops after 61 polls, idle or not). It then does what is due, or moves the clock to its next event.
//!
//! Library timers (`tokio::time::sleep` inside hyper or a program) live on a grid of whole milliseconds and must fire in
//! their own order, not when a longer step has passed them. So the clock moves in up to three strides: exactly to the next
//! point of the grid; from there by a timer of tokio's own, which leaps from one library timer to the next; and exactly
//! over what is left to the event. Leaping from beside the grid would overshoot by up to a millisecond.
//!
//! The same seed gives the same bytes in every capture: integer nanoseconds, one thread, no clock but this one.

use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use tokio::task::LocalSet;

use super::{Clock, World};
use crate::time::Instant;

/// How long, in virtual time, a network may take to become quiet after its programs have ended.
const QUIET_LIMIT: Duration = Duration::from_secs(240);

/// tokio's timers count whole milliseconds.
const GRID: u64 = 1_000_000;

/// Builds a network and runs programs on it in virtual time.
///
/// `setup` is handed the run's clock and returns the network and the programs, a future that may spawn local tasks. When
/// it has ended, the network goes on until nothing is under way (connections still closing), then everything stops.
/// Returns what the programs returned, and when everything stopped.
///
/// # Errors
/// The system's, when the runtime cannot be made.
pub fn run<F>(setup: impl FnOnce(&Clock) -> (World, F)) -> std::io::Result<(F::Output, Instant)>
where
    F: Future,
{
    let idle = Arc::new(Idle::default());
    let hook = idle.clone();
    let mut builder = tokio::runtime::Builder::new_current_thread();
    builder.enable_time().start_paused(true).on_thread_park(move || hook.nothing_can_run());
    // `select!` without `biased` draws which branch is asked first; tokio lets it be seeded behind this switch only.
    #[cfg(tokio_unstable)]
    builder.rng_seed(tokio::runtime::RngSeed::from_bytes(b"wireglass"));
    let runtime = builder.build()?;
    let local = LocalSet::new();
    Ok(local.block_on(&runtime, async {
        let clock = Clock::start_virtual();
        let (world, programs) = setup(&clock);
        let finished = Arc::new(AtomicBool::new(false));
        let doorbell = world.doorbell();
        let network = tokio::spawn(drive(world, idle, finished.clone()));
        let result = programs.await;
        finished.store(true, Ordering::Relaxed);
        doorbell.notify_one();
        // A panic of the network is a bug of ours, not to be swallowed.
        if let Err(error) = network.await
            && error.is_panic()
        {
            std::panic::resume_unwind(error.into_panic());
        }
        (result, clock.now())
    }))
}

async fn drive(mut world: World, idle: Arc<Idle>, finished: Arc<AtomicBool>) {
    let clock = world.clock();
    let doorbell = world.doorbell();
    let mut stop_at = None;
    loop {
        idle.wait().await;
        let now = clock.now();
        if world.turn(now) {
            continue;
        }
        if finished.load(Ordering::Relaxed) {
            let limit = *stop_at.get_or_insert(now + QUIET_LIMIT);
            if world.is_quiet() || now >= limit {
                return world.settle();
            }
        }
        // A connection that is half closed has no timer, but the end of our patience is one.
        let next = world.deadline().into_iter().chain(stop_at).min();
        match stride(now, next) {
            Stride::Exactly(span) => tokio::time::advance(span).await,
            Stride::Leap(span) => tokio::select! {
                biased;
                () = doorbell.notified() => {}
                () = tokio::time::sleep(span) => {}
            },
            Stride::Wait => {
                world.settle();
                doorbell.notified().await;
            }
        }
    }
}

/// How the clock moves next.
#[derive(Debug, PartialEq, Eq)]
enum Stride {
    /// By this much, in one go. At most a millisecond, so that no library timer is passed.
    Exactly(Duration),
    /// By this many whole milliseconds from a point of the grid, stopping wherever a library timer fires.
    Leap(Duration),
    /// To the next library timer, whenever that is.
    Wait,
}

/// The next stride from `now` towards `next`, the time of the next event; `None` when there is none.
fn stride(now: Instant, next: Option<Instant>) -> Stride {
    let beside_grid = now.as_nanos() % GRID;
    let left = next.map(|at| at - now);
    if beside_grid > 0 {
        let to_grid = Duration::from_nanos(GRID - beside_grid);
        return Stride::Exactly(left.map_or(to_grid, |left| left.min(to_grid)));
    }
    match left {
        None => Stride::Wait,
        Some(left) if left < Duration::from_nanos(GRID) => Stride::Exactly(left),
        Some(left) => Stride::Leap(Duration::from_millis(u64::try_from(left.as_millis()).unwrap_or(u64::MAX))),
    }
}

/// The moment when no task can run.
#[derive(Default)]
struct Idle {
    reached: AtomicBool,
    waiting: Mutex<Option<Waker>>,
}

impl Idle {
    /// The runtime is about to park.
    fn nothing_can_run(&self) {
        let waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(waker) = waiting {
            self.reached.store(true, Ordering::Relaxed);
            waker.wake();
        }
    }

    fn wait(&self) -> IdleReached<'_> {
        self.reached.store(false, Ordering::Relaxed);
        IdleReached(self)
    }
}

struct IdleReached<'a>(&'a Idle);

impl Future for IdleReached<'_> {
    type Output = ();

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        if self.0.reached.swap(false, Ordering::Relaxed) {
            return Poll::Ready(());
        }
        *self.0.waiting.lock().unwrap_or_else(PoisonError::into_inner) = Some(context.waker().clone());
        Poll::Pending
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_clock_goes_to_the_grid_leaps_along_it_and_does_the_rest_exactly() {
        let at = Instant::from_nanos;
        for (now, next, expected) in [
            (at(300), Some(at(5_000_700)), Stride::Exactly(Duration::from_nanos(999_700))),
            (at(300), Some(at(400)), Stride::Exactly(Duration::from_nanos(100))),
            (at(1_000_000), Some(at(5_000_700)), Stride::Leap(Duration::from_millis(4))),
            (at(5_000_000), Some(at(5_000_700)), Stride::Exactly(Duration::from_nanos(700))),
            (at(300), None, Stride::Exactly(Duration::from_nanos(999_700))),
            (at(1_000_000), None, Stride::Wait),
        ] {
            assert_eq!(stride(now, next), expected, "from {now:?} to {next:?}");
        }
    }
}
