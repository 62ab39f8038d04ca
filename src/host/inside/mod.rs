//! Inside the holder: a process of one thread that has namespaces instead of features.
//!
//! [`holder_entry`] is the **outer** part: it makes the namespaces (whose PID namespace begins with the *next* child),
//! forks, and waits. [`init`] is the **inner** part, PID 1 of the new PID namespace, which does what it is asked.
#![allow(unsafe_code)]

mod devices;
mod init;
mod links;
mod namespaces;
mod nodes;
mod programs;
mod sysctl;

use std::env;
use std::fs::File;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::process::{self, ExitCode};
use std::sync::atomic::{AtomicBool, Ordering};

use nix::fcntl::OFlag;
use nix::sys::wait::waitpid;
use nix::unistd::{ForkResult, dup2_stdin, fork, pipe2};

use super::error::HolderError;
use super::wire::{self, Answer, Begin, Request};

/// The hidden first argument that makes a wireglass process a holder.
pub(super) const HOLDER_ARGUMENT: &str = "__holder";

/// Whether [`holder_entry`] has looked at this process: only then is it safe to start the same program as a holder.
static HAS_ENTRY: AtomicBool = AtomicBool::new(false);

/// Whether this program's `main` calls [`holder_entry`].
pub(super) fn has_entry() -> bool {
    HAS_ENTRY.load(Ordering::Relaxed)
}

/// Runs the holder if this process was started as one; `None` if it was not. Call it first in `main`, before there is a
/// second thread: a threaded process may not make a user namespace.
///
/// The exit code is 2 when the process was started by hand, without a main process to talk to.
pub fn holder_entry() -> Option<ExitCode> {
    HAS_ENTRY.store(true, Ordering::Relaxed);
    (env::args_os().nth(1)? == HOLDER_ARGUMENT).then(|| hold().unwrap_or(ExitCode::from(2)))
}

/// The outer part's story.
fn hold() -> io::Result<ExitCode> {
    // Standard input is the socket to main. Away from 0, so that it never gets into a program, and close-on-exec.
    let line = io::stdin().as_fd().try_clone_to_owned()?;
    dup2_stdin(File::open("/dev/null")?)?;
    let Some((request, _)) = wire::receive::<Request>(&line)? else {
        return Ok(ExitCode::SUCCESS);
    };
    let Request::Begin(begin) = request else {
        wire::send(&line, &Answer::Refused(HolderError::Protocol("the first request must be `begin`".into())), &[])?;
        return Ok(ExitCode::FAILURE);
    };
    if let Err(error) = namespaces::enter() {
        wire::send(&line, &Answer::Refused(error), &[])?;
        return Ok(ExitCode::FAILURE);
    }
    fork_inner(line, begin)
}

/// Forks the inner part and waits for its end.
///
/// The outer part keeps no end of the socket: when the inner part dies, main must see an end-of-file. What it keeps is
/// the write end of a pipe, whose end-of-file tells the inner part that the outer part died.
fn fork_inner(line: OwnedFd, begin: Begin) -> io::Result<ExitCode> {
    let (alive, outer_lives) = pipe2(OFlag::O_CLOEXEC)?;
    // SAFETY: this process has one thread (`holder_entry` is called before any other could be started), so the child
    // may do anything a process may do.
    match unsafe { fork() }? {
        ForkResult::Child => {
            drop(outer_lives);
            // The child must never return into `main`.
            process::exit(init::run(line, alive, begin))
        }
        ForkResult::Parent { child } => {
            drop((line, alive));
            while let Err(nix::errno::Errno::EINTR) = waitpid(child, None) {}
            drop(outer_lives);
            Ok(ExitCode::SUCCESS)
        }
    }
}
