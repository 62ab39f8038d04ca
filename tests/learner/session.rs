//! The program, and somebody at its terminal.

use std::fs::File;
use std::io::{Read as _, Write as _};
use std::os::fd::{AsFd as _, OwnedFd};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::pty::{Winsize, openpty};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::learner;

/// For how long something that is to be shown is waited for.
const PATIENCE: Duration = Duration::from_secs(120);

/// The program on a terminal of 80 columns.
pub(super) struct Session {
    pub(super) child: Child,
    master: File,
    seen: String,
}

impl Session {
    pub(super) fn start(folder: &Path, arguments: &[&str]) -> Session {
        Session::of(learner(folder, arguments), true)
    }

    /// Of this command; without `is_typed` on a terminal to look at and none to type on.
    pub(super) fn of(mut command: Command, is_typed: bool) -> Session {
        let size = Winsize { ws_row: 24, ws_col: 80, ws_xpixel: 0, ws_ypixel: 0 };
        let pair = openpty(Some(&size), None).expect("a pseudo-terminal can be had");
        let slave = |descriptor: &OwnedFd| Stdio::from(descriptor.try_clone().expect("descriptors are left"));
        command.env("NO_COLOR", "1").env("TERM", "xterm");
        command.stdin(if is_typed { slave(&pair.slave) } else { Stdio::null() });
        command.stdout(slave(&pair.slave)).stderr(slave(&pair.slave));
        let child = command.spawn().expect("the binary starts");
        Session { child, master: File::from(pair.master), seen: String::new() }
    }

    /// Reads until `text` has been shown; at the end of the session, what there was.
    pub(super) fn until(&mut self, text: &str) -> &mut Session {
        let start = Instant::now();
        while !self.seen.contains(text) && self.reads(start) {}
        assert!(self.seen.contains(text), "no `{text}`: {}", self.seen);
        self
    }

    /// Reads a piece of what is shown, if there is one within [`PATIENCE`] from `start`. At the end there is none.
    fn reads(&mut self, start: Instant) -> bool {
        let left = PATIENCE.saturating_sub(start.elapsed());
        let mut shown = [PollFd::new(self.master.as_fd(), PollFlags::POLLIN)];
        let patience = PollTimeout::try_from(left).expect("minutes are few milliseconds");
        if poll(&mut shown, patience).expect("it is open") == 0 {
            return false;
        }
        let mut piece = [0; 4096];
        match self.master.read(&mut piece) {
            Ok(0) | Err(_) => false,
            Ok(read) => {
                self.seen.push_str(&String::from_utf8_lossy(&piece[..read]));
                true
            }
        }
    }

    pub(super) fn types(&mut self, text: &str) -> &mut Session {
        self.master.write_all(text.as_bytes()).expect("the terminal is open");
        self
    }

    /// The exit code and all that was shown.
    pub(super) fn end(mut self) -> (Option<i32>, String) {
        let start = Instant::now();
        while self.reads(start) {}
        assert!(start.elapsed() < PATIENCE, "it does not end: {}", self.seen);
        let status = self.child.wait().expect("it is ours");
        (status.code(), self.seen.replace("\r\n", "\n"))
    }
}

/// A test that has failed leaves no program behind.
impl Drop for Session {
    fn drop(&mut self) {
        if let Ok(None) = self.child.try_wait() {
            // It asks the program to clean up; its own children end with it.
            let main = Pid::from_raw(i32::try_from(self.child.id()).expect("a process id"));
            let _ = kill(main, Signal::SIGTERM);
            let _ = self.child.wait();
        }
    }
}
