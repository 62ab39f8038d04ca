//! Randomness that libraries draw behind our back, made a run's own.
//!
//! WebSocket masks, ids, the order of hash tables: libraries take them from the system, by getrandom(2). The executable supplies that function itself, as every executable may. A thread that a run has seeded gets
//! numbers from the seed; everybody else gets the kernel's, as if this file were not there. So an unmodified library does
//! the same in each simulation, and its captures can be compared byte for byte. (A library that makes the system call itself is
//! beyond this: ring does, so that TLS is given its numbers by hand.)
//!
//! Numbers from a seed are no secrets. They serve simulations, where nobody is to be kept out.

use std::cell::Cell;
use std::mem::MaybeUninit;
use std::sync::{Mutex, PoisonError};
use std::thread;

use crate::rng::Rng;

thread_local! {
    /// The state of the thread's generator; `None` when the kernel is asked.
    static SEEDED: Cell<Option<u64>> = const { Cell::new(None) };
}

/// Runs `work` on a thread of its own, where all randomness comes from `seed`.
///
/// The thread is a new one, since libraries keep generators for each thread that they seed once. Where the system allows no
/// other thread, it is the caller's: what has been drawn there before shows then.
///
/// # Errors
/// None is left when the caller's own thread can be used, which it can. A panic of `work` goes on here.
pub fn with_seed<T: Send>(seed: u64, work: impl FnOnce() -> T + Send) -> std::io::Result<T> {
    let work = Mutex::new(Some(work));
    let take = || work.lock().unwrap_or_else(PoisonError::into_inner).take();
    let seeded = || {
        let work = take()?;
        let before = SEEDED.replace(Some(Rng::derive(seed, "libraries").next_u64()));
        let done = work();
        SEEDED.set(before);
        Some(done)
    };
    let on_its_own = thread::scope(|scope| {
        let run = thread::Builder::new().name("wireglass-run".to_owned()).spawn_scoped(scope, seeded).ok()?;
        run.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    });
    on_its_own.or_else(seeded).ok_or_else(|| std::io::Error::other("there is no thread to run on"))
}

/// Fills `buffer` with random octets: the thread's own if a run has seeded it, else the kernel's. For libraries that can be
/// handed a source.
///
/// # Errors
/// The kernel's, when it has none to give.
pub fn draw(buffer: &mut [u8]) -> std::io::Result<()> {
    let mut rest = buffer;
    while !rest.is_empty() {
        let length = interposed::random(rest)?;
        rest = rest.get_mut(length..).unwrap_or_default();
    }
    Ok(())
}

/// Fills `buffer` from the thread's seed; whether it has one.
fn fill(buffer: &mut [MaybeUninit<u8>]) -> bool {
    // A thread that is ending has no seed any more.
    let Ok(Some(state)) = SEEDED.try_with(Cell::get) else { return false };
    let mut rng = Rng::new(state);
    for piece in buffer.chunks_mut(8) {
        let number = rng.next_u64().to_le_bytes();
        piece.iter_mut().zip(number).for_each(|(octet, random)| {
            octet.write(random);
        });
    }
    // Who only asks whether there is such a function, once in a process, takes nothing.
    if !buffer.is_empty() {
        SEEDED.set(Some(rng.next_u64()));
    }
    true
}

/// getrandom(2), for this executable and the libraries in it.
#[allow(unsafe_code, reason = "the name and the signature are libc's")]
mod interposed {
    use nix::libc::{SYS_getrandom, c_uint, c_void, size_t, ssize_t, syscall};

    /// As many random octets as there are in one piece, at the beginning of `buffer`.
    pub(super) fn random(buffer: &mut [u8]) -> std::io::Result<usize> {
        // SAFETY: the slice may be written in its whole length.
        let drawn = unsafe { getrandom(buffer.as_mut_ptr().cast(), buffer.len(), 0) };
        usize::try_from(drawn).map_err(|_| std::io::Error::last_os_error())
    }

    /// # Safety
    /// As for libc's: `buffer` is `length` octets that may be written.
    #[unsafe(no_mangle)]
    unsafe extern "C" fn getrandom(buffer: *mut c_void, length: size_t, flags: c_uint) -> ssize_t {
        // SAFETY: the caller says so. A null pointer is for the kernel to refuse.
        let octets = (!buffer.is_null()).then(|| unsafe { std::slice::from_raw_parts_mut(buffer.cast(), length) });
        if octets.is_some_and(super::fill) {
            return ssize_t::try_from(length).unwrap_or(ssize_t::MAX);
        }
        // SAFETY: the arguments are the caller's, whose promise is the kernel's own demand.
        unsafe { syscall(SYS_getrandom, buffer, length, flags) as ssize_t }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;
    use std::hash::{BuildHasher, RandomState};

    use super::*;

    fn drawn() -> u64 {
        RandomState::new().hash_one(7)
    }

    #[test]
    fn a_seeded_thread_draws_the_same_numbers_each_time_and_another_seed_gives_others() {
        let hash = |seed| with_seed(seed, drawn).expect("there is a thread");
        assert_eq!(hash(1), hash(1));
        assert_ne!(hash(1), hash(2));
    }

    #[test]
    fn whoever_has_no_seed_gets_the_kernels() {
        let drawn: HashMap<u64, ()> = (0..4).map(|_| (thread::spawn(drawn).join().expect("it hashes"), ())).collect();
        assert_eq!(drawn.len(), 4);
    }

    #[test]
    fn whoever_asks_for_octets_gets_the_thread_s_own() {
        let drawn = |seed| {
            let mut octets = [0; 37];
            with_seed(seed, || draw(&mut octets).expect("there are some")).expect("there are threads");
            octets
        };
        assert_eq!(drawn(1), drawn(1));
        assert_ne!(drawn(1), drawn(2));
        let mut octets = [0; 37];
        draw(&mut octets).expect("the kernel has some");
        assert_ne!(octets, [0; 37]);
    }

    #[cfg(feature = "websocket")]
    #[test]
    fn a_library_that_finds_the_function_at_run_time_draws_from_the_seed() {
        use tokio_tungstenite::tungstenite::handshake::client::generate_key;

        assert_eq!(
            with_seed(9, generate_key).expect("there is a thread"),
            with_seed(9, generate_key).expect("there is a thread")
        );
        assert_ne!(generate_key(), generate_key());
    }
}
