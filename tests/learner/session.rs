//! The program, and somebody at its terminal.

use std::fs::File;
use std::io::{Read as _, Write as _};
use std::os::fd::OwnedFd;
use std::path::Path;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use nix::pty::{Winsize, openpty};

use super::learner;

/// The program on a terminal of 80 columns.
pub(super) struct Session {
    pub(super) child: Child,
    master: File,
    seen: String,
}

impl Session {
    pub(super) fn start(folder: &Path, arguments: &[&str]) -> Session {
        Session::with_input(folder, arguments, true)
    }

    /// The same, or with a terminal to look at and none to type on.
    pub(super) fn with_input(folder: &Path, arguments: &[&str], is_typed: bool) -> Session {
        let size = Winsize { ws_row: 24, ws_col: 80, ws_xpixel: 0, ws_ypixel: 0 };
        let pair = openpty(Some(&size), None).expect("a pseudo-terminal can be had");
        let slave = |descriptor: &OwnedFd| Stdio::from(descriptor.try_clone().expect("descriptors are left"));
        let mut command = learner(folder, arguments);
        command.env("NO_COLOR", "1").env("TERM", "xterm");
        command.stdin(if is_typed { slave(&pair.slave) } else { Stdio::null() });
        command.stdout(slave(&pair.slave)).stderr(slave(&pair.slave));
        let child = command.spawn().expect("the binary starts");
        Session { child, master: File::from(pair.master), seen: String::new() }
    }

    /// Reads until `text` has been shown; at the end of the session, what there was.
    pub(super) fn until(&mut self, text: &str) -> &mut Session {
        let start = Instant::now();
        while !self.seen.contains(text) && start.elapsed() < Duration::from_secs(120) {
            let mut piece = [0; 4096];
            match self.master.read(&mut piece) {
                Ok(0) | Err(_) => break,
                Ok(read) => self.seen.push_str(&String::from_utf8_lossy(&piece[..read])),
            }
        }
        assert!(self.seen.contains(text), "no `{text}`: {}", self.seen);
        self
    }

    pub(super) fn types(&mut self, text: &str) -> &mut Session {
        self.master.write_all(text.as_bytes()).expect("the terminal is open");
        self
    }

    /// The exit code and all that was shown.
    pub(super) fn end(mut self) -> (Option<i32>, String) {
        let mut piece = [0; 4096];
        while let Ok(read @ 1..) = self.master.read(&mut piece) {
            self.seen.push_str(&String::from_utf8_lossy(&piece[..read]));
        }
        let status = self.child.wait().expect("it is ours");
        (status.code(), self.seen.replace("\r\n", "\n"))
    }
}
