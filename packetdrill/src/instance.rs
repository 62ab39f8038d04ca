//! One loaded instance: the world behind a lock, descriptors that the kernel knows too, and the thread that sleeps.

use std::cell::Cell;
use std::collections::BTreeSet;
use std::fs::File;
use std::os::fd::IntoRawFd;
use std::path::Path;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, Weak};
use std::thread::ThreadId;
use std::time::Duration;

use bytes::Bytes;
use wireglass::drill::posix::{Errno, Outcome, Posix, Reply, Request, Sysctls, Written};
use wireglass::time::Instant;

use crate::commands;
use crate::flags::Flags;
use crate::marks::Marks;
use crate::sysctls;
use crate::world::World;

/// How long a thread may really sleep in one call. packetdrill itself gives up after one second.
const LONGEST_SLEEP: Duration = Duration::from_secs(20);

/// Where numbers begin that have not yet become the kernel's: beyond any that it gives out.
const FIRST_NUMBER: i32 = 1 << 24;

/// How long to wait for a thread that has woken up, at a time and how often at most.
const NAP: Duration = Duration::from_micros(200);
const MOST_NAPS: u32 = 1_000;

/// Every instance in use, for `getsockopt`, which does not say whose descriptor it has. packetdrill makes just one.
static LIVE: Mutex<Vec<Weak<Instance>>> = Mutex::new(Vec::new());

thread_local! {
    /// When the call that this thread slept in ended, until its next look at the clock.
    static WOKE_AT: Cell<Option<Instant>> = const { Cell::new(None) };
}

pub(crate) struct Instance {
    state: Mutex<State>,
    /// Told when the sleeping call has ended.
    woken: Condvar,
    /// The thread that everything but sleeping calls runs on.
    main: ThreadId,
}

struct State {
    world: World,
    marks: Marks,
    /// The thread that sleeps, or has just woken up.
    sleeper: Option<Sleeper>,
    /// The stack's descriptors, each of them open in the kernel, too: packetdrill closes them there when it ends.
    numbers: BTreeSet<i32>,
}

/// A thread in a sleeping call.
#[derive(Clone, Copy)]
struct Sleeper {
    /// The kernel's name for it.
    thread: i32,
    /// Its call has ended, and it has asked for the time since.
    is_back: bool,
}

impl Instance {
    pub(crate) fn new(flags: &Flags) -> Arc<Instance> {
        let now = Instant::ZERO;
        let mut posix = Posix::new(flags.build(now), Sysctls::default());
        posix.number_from(FIRST_NUMBER);
        let state = State {
            world: World::new(posix, now, flags.mss),
            marks: Marks::new(flags.marks.clone()),
            sleeper: None,
            numbers: BTreeSet::new(),
        };
        let main = std::thread::current().id();
        let instance = Arc::new(Instance { state: Mutex::new(state), woken: Condvar::new(), main });
        let mut live = LIVE.lock().unwrap_or_else(PoisonError::into_inner);
        live.retain(|instance| instance.strong_count() > 0);
        live.push(Arc::downgrade(&instance));
        instance
    }

    /// The instance whose descriptor this is; `None` when it is the kernel's alone.
    pub(crate) fn holding(fd: i32) -> Option<Arc<Instance>> {
        let live = LIVE.lock().unwrap_or_else(PoisonError::into_inner);
        live.iter().filter_map(Weak::upgrade).find(|instance| instance.lock().numbers.contains(&fd))
    }

    /// Looks at a shell command before the shell does, on behalf of every instance.
    pub(crate) fn foresee(command: &str) {
        let live = LIVE.lock().unwrap_or_else(PoisonError::into_inner);
        for instance in live.iter().filter_map(Weak::upgrade) {
            let mut state = instance.lock();
            if commands::look(command, &mut state.marks) {
                state.world.posix.stack().forget_peers();
            }
        }
    }

    /// The instance behind an interface.
    #[cfg(test)]
    pub(crate) fn behind(interface: &crate::interface::Interface) -> &Instance {
        // SAFETY: tests ask while the interface is in use.
        unsafe { crate::calls::instance(interface.userdata) }.expect("it was filled")
    }

    /// Whether a thread sleeps in a call.
    #[cfg(test)]
    pub(crate) fn has_sleeper(&self) -> bool {
        self.lock().world.has_sleeper()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Whoever panicked was turned into a failed call; the next one may still tell why.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Makes a call: on the main thread time runs on until it ends, on another one the thread sleeps meanwhile.
    pub(crate) fn call(&self, request: Request) -> Result<Reply, Errno> {
        let mut state = self.lock();
        // The calls to which sysctls mean something.
        let asks = matches!(
            request,
            Request::Socket { .. }
                | Request::Listen { .. }
                | Request::Connect { .. }
                | Request::SetSockOpt { .. }
                | Request::Send { to: Some(_), .. }
        );
        if asks {
            let State { world, marks, .. } = &mut *state;
            sysctls::read(Path::new(sysctls::FOLDER), world.posix.sysctls(), marks);
        }
        let outcome = match std::thread::current().id() == self.main {
            true => state.world.call_and_wait(&request),
            false => state.world.call(&request),
        };
        let outcome = match outcome {
            Outcome::WouldBlock(blocked) => {
                state.world.sleep(request.clone(), blocked);
                let outcome;
                (state, outcome) = self.sleep(state);
                outcome
            }
            outcome => outcome,
        };
        let answer = state.take_in(&request, outcome);
        if let (Request::GetSockOpt { fd, level: libc::IPPROTO_TCP, name: libc::TCP_INFO }, Ok(_)) = (&request, &answer)
        {
            let State { world, marks, .. } = &mut *state;
            marks.told(&world.posix.tcp_info(world.now(), *fd).map_or_else(Vec::new, |info| info.told()));
        }
        if state.world.has_woken() {
            self.woken.notify_all();
        }
        answer
    }

    fn sleep<'a>(&self, mut state: MutexGuard<'a, State>) -> (MutexGuard<'a, State>, Outcome) {
        state.sleeper = Some(Sleeper { thread: crate::memory::thread(), is_back: false });
        let mut ended = None;
        let still_asleep = |state: &mut State| {
            ended = state.world.wake();
            ended.is_none()
        };
        let (mut state, _) =
            self.woken.wait_timeout_while(state, LONGEST_SLEEP, still_asleep).unwrap_or_else(PoisonError::into_inner);
        match ended {
            Some((outcome, at)) => {
                WOKE_AT.set(Some(at));
                (state, outcome)
            }
            None => {
                state.world.give_up();
                state.sleeper = None;
                (state, Outcome::Failed(Errno::EINTR))
            }
        }
    }

    /// Does something to the world; whoever sleeps is woken if that has ended its call.
    fn stir<T>(&self, act: impl FnOnce(&mut World) -> T) -> T {
        let mut state = self.lock();
        let answer = act(&mut state.world);
        if state.world.has_woken() {
            self.woken.notify_all();
        }
        answer
    }

    pub(crate) fn inject(&self, packet: Bytes) {
        self.stir(|world| world.inject(packet));
    }

    pub(crate) fn next_departure(&self) -> Option<(Instant, Bytes)> {
        self.stir(World::next_departure)
    }

    /// Lets so much time pass. packetdrill holds none of its own locks meanwhile, so that a thread which has just woken up
    /// can finish its call, as it would within a real sleep.
    pub(crate) fn pass(&self, span: Duration) {
        self.let_sleeper_finish();
        self.stir(|world| world.pass(span));
        self.let_sleeper_finish();
    }

    fn let_sleeper_finish(&self) {
        for _ in 0..MOST_NAPS {
            let state = self.lock();
            let Some(sleeper) = state.sleeper else { return };
            if !sleeper.is_back && !state.world.has_woken() && state.world.has_sleeper() {
                return;
            }
            drop(state);
            if sleeper.is_back && is_asleep(sleeper.thread) {
                self.lock().sleeper = None;
                return;
            }
            std::thread::sleep(NAP);
        }
    }

    /// The time; just after a sleeping call, when that call ended.
    pub(crate) fn look_at_clock(&self) -> Instant {
        let Some(at) = WOKE_AT.take() else { return self.stir(World::look_at_clock) };
        if let Some(sleeper) = &mut self.lock().sleeper {
            sleeper.is_back = true;
        }
        at
    }

    pub(crate) fn now(&self) -> Instant {
        self.lock().world.now()
    }
}

/// Whether a thread of this process waits for something, as packetdrill itself finds out.
fn is_asleep(thread: i32) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/self/task/{thread}/stat")).unwrap_or_default();
    // The name in parentheses may hold anything; the state follows it. A thread that is gone will not come back.
    stat.rsplit_once(") ").is_none_or(|(_, rest)| rest.starts_with('S'))
}

impl State {
    /// Turns an outcome into what a C caller gets, descriptors and marks included.
    fn take_in(&mut self, request: &Request, outcome: Outcome) -> Result<Reply, Errno> {
        let mut reply = match outcome {
            Outcome::Done(reply) => reply,
            Outcome::Failed(errno) => return Err(errno),
            Outcome::WouldBlock(_) => return Err(Errno::EAGAIN),
            Outcome::Unsupported(what) => {
                self.marks.unsupported(&what);
                return Err(Errno::EOPNOTSUPP);
            }
        };
        match request {
            Request::Socket { .. } | Request::Accept { .. } | Request::EpollCreate { .. } => {
                reply.value = self.adopt(i32::try_from(reply.value).map_err(|_| Errno::EMFILE)?)?.into();
            }
            Request::Pipe => {
                if let Written::Pipe([reader, writer]) = &mut reply.written {
                    (*reader, *writer) = (self.adopt(*reader)?, self.adopt(*writer)?);
                }
            }
            Request::Close { fd } if self.numbers.remove(fd) => crate::memory::close(*fd),
            _ => {}
        }
        Ok(reply)
    }

    /// Gives a new descriptor a number that the kernel has given out.
    fn adopt(&mut self, fd: i32) -> Result<i32, Errno> {
        let number = File::open("/dev/null").map_err(|_| Errno::EMFILE)?.into_raw_fd();
        if !self.world.posix.renumber(fd, number) {
            crate::memory::close(number);
            return Err(Errno::EMFILE);
        }
        self.numbers.insert(number);
        Ok(number)
    }
}
