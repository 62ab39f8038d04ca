//! The inner holder: PID 1 of the run's PID namespace.
//!
//! It waits on three descriptors: the socket to main (requests; its end is our end), the pipe from the outer holder
//! (its end is our end), and a signal descriptor (a child has ended). When it ends, the kernel kills every process in
//! the namespace, whatever session or parent they gave themselves.

use std::collections::HashMap;
use std::io;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::prctl;
use nix::sys::signal::{SigSet, Signal, killpg};
use nix::sys::signalfd::{SfdFlags, SignalFd};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::{Pid, setsid, write};

use super::namespaces;
use super::nodes::Nodes;
use super::programs::{self, Identity};
use crate::host::child::{Exec, Exit};
use crate::host::error::HolderError;
use crate::host::wire::{self, Answer, Begin, Request};

/// Does what is asked until main or the outer holder ends; returns the exit code.
pub(super) fn run(line: OwnedFd, alive: OwnedFd, begin: Begin) -> i32 {
    match prepare(&begin) {
        Ok((mut init, signals)) => match wire::send(&line, &Answer::Done, &[]) {
            Ok(()) => i32::from(init.serve(&line, &alive, &signals).is_err()),
            Err(_) => 1,
        },
        Err(error) => {
            // If main is gone there is nobody to tell.
            let _ = wire::send(&line, &Answer::Refused(error), &[]);
            1
        }
    }
}

fn prepare(begin: &Begin) -> Result<(Init, SignalFd), HolderError> {
    let failed = |errno: Errno| HolderError::Namespaces { errno: errno.into() };
    // The outer holder has one thread, so this fires at its death and not before. The pipe covers a death until now.
    prctl::set_pdeathsig(Signal::SIGKILL).map_err(failed)?;
    setsid().map_err(failed)?;
    let mut ended = SigSet::empty();
    ended.add(Signal::SIGCHLD);
    ended.thread_block().map_err(failed)?;
    let signals = SignalFd::with_flags(&ended, SfdFlags::SFD_CLOEXEC | SfdFlags::SFD_NONBLOCK).map_err(failed)?;
    let trusted = namespaces::arrange_mounts(begin)?;
    let identity = begin.run_as.map(Identity::of);
    let init = Init { nodes: Nodes::default(), identity, trusted, running: HashMap::new() };
    Ok((init, signals))
}

struct Init {
    nodes: Nodes,
    identity: Option<Identity>,
    /// The file of trusted authorities, where the run has its own.
    trusted: Option<&'static str>,
    /// The pipe on which each running program's end is to be told.
    running: HashMap<i32, OwnedFd>,
}

impl Init {
    fn serve(&mut self, line: &OwnedFd, alive: &OwnedFd, signals: &SignalFd) -> io::Result<()> {
        loop {
            let mut waiting = [
                PollFd::new(line.as_fd(), PollFlags::POLLIN),
                PollFd::new(alive.as_fd(), PollFlags::POLLIN),
                PollFd::new(signals.as_fd(), PollFlags::POLLIN),
            ];
            match poll(&mut waiting, PollTimeout::NONE) {
                Ok(_) | Err(Errno::EINTR) => {}
                Err(errno) => return Err(errno.into()),
            }
            let [asked, outer_ended, child_ended] = waiting.map(|descriptor| descriptor.any().unwrap_or(false));
            if outer_ended {
                return Ok(());
            }
            if child_ended {
                while signals.read_signal()?.is_some() {}
                self.reap();
            }
            if asked {
                let Some((request, received)) = wire::receive::<Request>(line)? else {
                    return Ok(());
                };
                let (answer, descriptors) = self.answer(request, received);
                let raw: Vec<_> = descriptors.iter().map(AsRawFd::as_raw_fd).collect();
                wire::send(line, &answer, &raw)?;
            }
        }
    }

    fn answer(&mut self, request: Request, received: Vec<OwnedFd>) -> (Answer, Vec<OwnedFd>) {
        let outcome = match request {
            Request::Begin(_) => Err(HolderError::Protocol("`begin` twice".into())),
            Request::AddNode(setup) => {
                self.nodes.add(&setup).map(|(report, device)| (Answer::Node(report), vec![device]))
            }
            Request::Socket { node, v6, kind } => {
                self.nodes.socket(node, v6, kind).map(|socket| (Answer::Done, vec![socket]))
            }
            Request::Exec { node, exec } => self.nodes.namespace(node).map(|namespace| {
                let streams = <[OwnedFd; 3]>::try_from(received).ok();
                match programs::start(namespace, &with_trust(exec, self.trusted), streams, self.identity.as_ref()) {
                    Ok(started) => {
                        self.running.insert(started.pid, started.ending);
                        (Answer::Started { pid: started.pid }, started.pipes)
                    }
                    Err(error) => (Answer::NotRun(error), Vec::new()),
                }
            }),
            Request::Kill { pid, signal } => self.kill(pid, signal).map(|()| (Answer::Done, Vec::new())),
        };
        outcome.unwrap_or_else(|error| (Answer::Refused(error), Vec::new()))
    }

    /// Signals a program's process group. Only we reap, so a process id in `running` cannot have been given away.
    fn kill(&self, pid: i32, signal: i32) -> Result<(), HolderError> {
        let refused = |errno: Errno| HolderError::Protocol(format!("signal {signal} to {pid}: {errno}"));
        if !self.running.contains_key(&pid) {
            return Ok(());
        }
        match killpg(Pid::from_raw(pid), Signal::try_from(signal).map_err(refused)?) {
            Ok(()) | Err(Errno::ESRCH) => Ok(()),
            Err(errno) => Err(refused(errno)),
        }
    }

    /// Collects every child that has ended: our programs, and orphans that the kernel gave us.
    fn reap(&mut self) {
        loop {
            let (pid, exit) = match waitpid(None, Some(WaitPidFlag::WNOHANG)) {
                Ok(WaitStatus::Exited(pid, code)) => (pid, Exit { code: Some(code), signal: None }),
                Ok(WaitStatus::Signaled(pid, signal, _)) => (pid, Exit { code: None, signal: Some(signal as i32) }),
                Ok(WaitStatus::StillAlive) | Err(Errno::ECHILD) => return,
                Ok(_) | Err(_) => continue,
            };
            if let Some(ending) = self.running.remove(&pid.as_raw()) {
                // Eight octets into an empty pipe never block; EPIPE when nobody wants to know.
                let _ = write(&ending, &exit.to_bytes());
            }
        }
    }
}

/// Tells a program where the trusted authorities are. Most look there by themselves; OpenSSL and Python's `ssl` look into a
/// folder beside it, which has the system's.
fn with_trust(mut exec: Exec, trusted: Option<&str>) -> Exec {
    let variable = trusted.map(|file| ("SSL_CERT_FILE".to_owned(), file.to_owned()));
    exec.env.splice(0..0, variable);
    exec
}
