//! A line on the terminal for as long as something takes.

use std::io::{self, IsTerminal as _, Write};
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

/// How long nothing is said: most runs are over by then.
const PATIENCE: Duration = Duration::from_secs(1);

/// Tells on standard error, every second, how long something has been going on; the line is gone when this is dropped.
/// Where standard error is no terminal nothing is told.
pub(super) struct Waiting {
    end: Option<(Sender<()>, JoinHandle<()>)>,
}

impl Waiting {
    /// For `what`: `the run of 34-pmtud-black-hole`.
    pub(super) fn for_the(what: String) -> Waiting {
        let tell = move |over: std::sync::mpsc::Receiver<()>| {
            let started = Instant::now();
            let mut is_shown = false;
            while over.recv_timeout(PATIENCE) == Err(RecvTimeoutError::Timeout) {
                let told = format!(
                    "\r{what}: {} s so far; Ctrl-C ends it and shows what there is",
                    started.elapsed().as_secs()
                );
                is_shown |= io::stderr().write_all(told.as_bytes()).is_ok();
            }
            if is_shown {
                // Nobody is left to be told when this fails.
                let _ = io::stderr().write_all(b"\r\x1b[K");
            }
        };
        let end = io::stderr().is_terminal().then(|| {
            let (end, over) = channel();
            (end, thread::spawn(move || tell(over)))
        });
        Waiting { end }
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        if let Some((end, teller)) = self.end.take() {
            drop(end);
            // A teller that has panicked has told enough.
            let _ = teller.join();
        }
    }
}
