//! A terminal for a program in a node, joined to the user's own.
//!
//! ```text
//!   the user's terminal ─ keys ─► relay ─► pseudo-terminal ─► the program: a shell, an editor
//!                       ◄ text ─       ◄──
//! ```
//!
//! The program gets a terminal of its own and not the user's: it belongs to another session and another PID namespace, so
//! that Ctrl-C and job control would not work on a borrowed one. While the two are joined the user's terminal is *raw*:
//! every key goes through, Ctrl-C too, and the program's terminal makes of it what its program asked for.

use std::fs::File;
use std::io::{self, IsTerminal as _, Read as _, Write as _};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::thread::{self, JoinHandle};

use nix::errno::Errno;
use nix::fcntl::OFlag;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::pty::openpty;
use nix::sys::termios::{SetArg, Termios, cfmakeraw, tcgetattr, tcsetattr};
use nix::unistd::{Gid, Uid, fchown, pipe2, read, write};

use super::RunAs;
use super::terminal;

/// Milliseconds for which the program's last words are waited for.
const LAST_WORDS: u16 = 200;

/// Where somebody sits: what they type, what they see.
#[derive(Debug)]
pub struct Seat {
    /// What they type.
    pub input: OwnedFd,
    /// What they see.
    pub output: OwnedFd,
    /// Where complaints go.
    pub error: OwnedFd,
}

impl Seat {
    /// Whether it is a terminal, and no file or pipe.
    pub fn is_terminal(&self) -> bool {
        self.input.is_terminal() && self.output.is_terminal()
    }

    /// The three, as standard streams of a program.
    pub fn streams(&self) -> [BorrowedFd<'_>; 3] {
        [self.input.as_fd(), self.output.as_fd(), self.error.as_fd()]
    }
}

/// A pseudo-terminal that is as large as the user's.
#[derive(Debug)]
pub struct Relay {
    /// Our end.
    near: OwnedFd,
    /// The program's end.
    far: OwnedFd,
}

impl Relay {
    /// Makes one like that of `seat`, for a program that runs as `user`.
    ///
    /// # Errors
    /// The system's, when there is no pseudo-terminal to be had.
    pub fn open(seat: &Seat, user: Option<RunAs>) -> io::Result<Relay> {
        let size = terminal::size(seat.input.as_fd());
        let pair = openpty(size.as_ref(), tcgetattr(&seat.input).ok().as_ref())?;
        if let Some(user) = user {
            // So that the program may open its terminal again by name.
            fchown(&pair.slave, Some(Uid::from_raw(user.uid)), Some(Gid::from_raw(user.gid)))?;
        }
        Ok(Relay { near: pair.master, far: pair.slave })
    }

    /// What the program gets as its standard input, output and error.
    pub fn streams(&self) -> [BorrowedFd<'_>; 3] {
        [self.far.as_fd(), self.far.as_fd(), self.far.as_fd()]
    }

    /// Joins it to the terminal of `seat` until the result is dropped. To be called when the program runs.
    ///
    /// # Errors
    /// The system's; the terminal is then as it was.
    pub fn join(self, seat: &Seat) -> io::Result<Joined> {
        let (until, stop) = pipe2(OFlag::O_CLOEXEC)?;
        let keys = (until.try_clone()?, seat.input.try_clone()?, self.near.try_clone()?);
        let text = (until, self.near.try_clone()?, File::from(seat.output.try_clone()?));
        let input = seat.input.try_clone()?;
        let before = tcgetattr(&input).ok();
        if let Some(before) = &before {
            let mut raw = before.clone();
            cfmakeraw(&mut raw);
            tcsetattr(&input, SetArg::TCSADRAIN, &raw)?;
        }
        let threads = vec![
            thread::spawn(move || carry_keys(&keys.0, &keys.1, &keys.2)),
            thread::spawn(move || carry_text(&text.0, text.1, text.2)),
        ];
        Ok(Joined { before, input, near: self.near, stop: Some(stop), threads })
    }
}

/// A terminal that is joined to the user's.
#[derive(Debug)]
pub struct Joined {
    /// How the user's terminal was before; `None` when there is none.
    before: Option<Termios>,
    input: OwnedFd,
    near: OwnedFd,
    /// Its end stops the threads.
    stop: Option<OwnedFd>,
    threads: Vec<JoinHandle<()>>,
}

impl Joined {
    /// Makes the program's terminal as large as the user's has become.
    pub fn follow_size(&self) {
        if let Some(size) = terminal::size(self.input.as_fd()) {
            // The program is gone: nobody needs to know.
            let _ = terminal::set_size(self.near.as_fd(), size);
        }
    }
}

/// The user's terminal is as it was.
impl Drop for Joined {
    fn drop(&mut self) {
        drop(self.stop.take());
        for thread in self.threads.drain(..) {
            // One that has panicked has nothing to carry any more.
            let _ = thread.join();
        }
        if let Some(before) = &self.before {
            // The terminal is gone: there is nothing to put back.
            let _ = tcsetattr(&self.input, SetArg::TCSADRAIN, before);
        }
    }
}

/// What the user types, until somebody stops it or there is no more.
fn carry_keys(stop: &OwnedFd, input: &OwnedFd, near: &OwnedFd) {
    let mut octets = [0; 4096];
    while let Ready::Data = wait(input.as_fd(), stop, PollTimeout::NONE) {
        match read(input, &mut octets) {
            Ok(0) => {
                // Ctrl-D, as a terminal says it: the program may go on, but no more is typed.
                let _ = write_all(near, &[4]);
                return;
            }
            Ok(count) => {
                if write_all(near, octets.get(..count).unwrap_or_default()).is_err() {
                    return;
                }
            }
            Err(Errno::EINTR) => {}
            Err(_) => return,
        }
    }
}

/// What the program shows, until it has ended and all is shown: its last words may come after somebody has stopped it.
fn carry_text(stop: &OwnedFd, near: OwnedFd, mut output: File) {
    let mut text = File::from(near);
    let mut octets = [0; 4096];
    loop {
        let stopped = match wait(text.as_fd(), stop, PollTimeout::NONE) {
            Ready::Data => false,
            Ready::Stop => true,
            Ready::Nothing => return,
        };
        if stopped && !has_data(text.as_fd(), PollTimeout::from(LAST_WORDS)) {
            return;
        }
        // The far end is closed: an error on Linux, and an end elsewhere.
        let Ok(count) = text.read(&mut octets) else { return };
        if count == 0 || output.write_all(octets.get(..count).unwrap_or_default()).is_err() {
            return;
        }
    }
}

enum Ready {
    Data,
    Stop,
    Nothing,
}

fn wait(source: BorrowedFd<'_>, stop: &OwnedFd, patience: PollTimeout) -> Ready {
    loop {
        let mut waiting = [PollFd::new(source, PollFlags::POLLIN), PollFd::new(stop.as_fd(), PollFlags::POLLIN)];
        match poll(&mut waiting, patience) {
            Ok(0) => return Ready::Nothing,
            Ok(_) => {}
            Err(Errno::EINTR) => continue,
            Err(_) => return Ready::Nothing,
        }
        let [data, stopped] = waiting.map(|each| each.any().unwrap_or(false));
        return match (data, stopped) {
            (_, true) => Ready::Stop,
            (true, false) => Ready::Data,
            (false, false) => Ready::Nothing,
        };
    }
}

fn has_data(source: BorrowedFd<'_>, patience: PollTimeout) -> bool {
    let mut waiting = [PollFd::new(source, PollFlags::POLLIN)];
    matches!(poll(&mut waiting, patience), Ok(1..))
        && waiting.iter().all(|each| each.revents().is_some_and(|events| events.contains(PollFlags::POLLIN)))
}

fn write_all(to: &OwnedFd, mut octets: &[u8]) -> Result<(), Errno> {
    while !octets.is_empty() {
        match write(to, octets) {
            Ok(count) => octets = octets.get(count..).unwrap_or_default(),
            Err(Errno::EINTR) => {}
            Err(errno) => return Err(errno),
        }
    }
    Ok(())
}
