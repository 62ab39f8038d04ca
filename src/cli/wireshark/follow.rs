//! A run in Wireshark while it goes on: what is added to a capture file goes on into Wireshark's standard input.

use std::fs::File;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{ChildStdin, Stdio};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::thread;
use std::time::{Duration, SystemTime};

use super::super::Failure;
use super::Viewer;

/// How often the file is looked at.
const OFTEN: Duration = Duration::from_millis(20);
/// A run that is over so soon is opened as a whole: there is nothing to be watched.
const SOON: Duration = Duration::from_millis(700);
/// How long Wireshark may take to read the last of it.
const PATIENCE: Duration = Duration::from_secs(10);
/// Clocks of files go in steps.
const STEP: Duration = Duration::from_millis(50);

/// Wireshark beside a run.
pub(in crate::cli) struct Following {
    viewer: Viewer,
    /// Dropped when the run is over.
    goes_on: Sender<()>,
    /// Whether Wireshark was opened, once all of the file is there.
    opened: Receiver<Result<bool, Failure>>,
}

impl Following {
    /// Waits for `capture` to be begun, and then goes with it. Nothing is opened yet.
    ///
    /// # Errors
    /// [`Failure`] when there is no Wireshark.
    pub(in crate::cli) fn of(capture: PathBuf) -> Result<Following, Failure> {
        let viewer = Viewer::found()?;
        let follower = Viewer::found()?;
        let (goes_on, run) = mpsc::channel();
        let (tell, opened) = mpsc::channel();
        let since = SystemTime::now().checked_sub(STEP).unwrap_or(SystemTime::UNIX_EPOCH);
        thread::spawn(move || {
            let outcome = follow(&follower, &capture, since, &run);
            // Who does not wait any more does not want to know.
            let _ = tell.send(outcome);
        });
        Ok(Following { viewer, goes_on, opened })
    }

    /// The run is over: shows its end, or all of it if it was too short to be watched. Returns whether it was watched.
    ///
    /// # Errors
    /// [`Failure`] when Wireshark does not start.
    pub(in crate::cli) fn finish(self, story: &Path) -> Result<bool, Failure> {
        drop(self.goes_on);
        match self.opened.recv_timeout(PATIENCE) {
            Ok(Ok(false)) => self.viewer.show(story).map(|()| false),
            Ok(outcome) => outcome,
            // It is open, and slow, or waits for somebody; the file has everything.
            Err(_) => Ok(true),
        }
    }
}

/// Whether the run is over, after a moment in which it may come to its end.
fn is_over(run: &Receiver<()>, moment: Duration) -> bool {
    !matches!(run.recv_timeout(moment), Err(RecvTimeoutError::Timeout))
}

fn follow(viewer: &Viewer, capture: &Path, since: SystemTime, run: &Receiver<()>) -> Result<bool, Failure> {
    // One of an earlier run may lie there.
    let is_begun = || {
        let file = capture.metadata().ok()?;
        (file.len() > 0 && file.modified().ok()? >= since).then_some(())
    };
    while is_begun().is_none() {
        if is_over(run, OFTEN) {
            return Ok(false);
        }
    }
    if is_over(run, SOON) {
        return Ok(false);
    }
    let read = |error| Failure::Input(format!("{} cannot be read: {error}", capture.display()));
    let mut file = File::open(capture).map_err(read)?;
    let mut command = viewer.command();
    let mut child =
        command.args(["-k", "-i", "-"]).stdin(Stdio::piped()).spawn().map_err(|error| viewer.failed(&error))?;
    let Some(mut window) = child.stdin.take() else { return Ok(true) };
    loop {
        // Asked first: what is in the file then is all of it.
        let over = is_over(run, OFTEN);
        match copy(&mut file, &mut window) {
            Ok(()) if over => return Ok(true),
            Ok(()) => {}
            // Somebody has closed the window.
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => return Ok(true),
            Err(error) => return Err(read(error)),
        }
    }
}

/// What is there by now.
fn copy(file: &mut File, window: &mut ChildStdin) -> io::Result<()> {
    let mut piece = vec![0; 1 << 16];
    loop {
        match file.read(&mut piece)? {
            0 => return window.flush(),
            length => window.write_all(piece.get(..length).unwrap_or_default())?,
        }
    }
}
