//! A real program in a linux node, as the main process sees it.
//!
//! Its parent is the inner holder, so the main process cannot `wait` for it. Instead three pipes cross: standard
//! output, standard error, and one on which the holder writes, once, how the program ended.

use std::io;
use std::os::fd::OwnedFd;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, BufReader};
use tokio::net::unix::pipe::Receiver;

use super::error::HolderError;
use super::holder::{Line, unexpected};
use super::wire::{Answer, Request};

/// What to run. Its standard input is `/dev/null`, unless it is run on descriptors of the caller's.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Exec {
    /// The program (searched in `PATH`, and in the `sbin` directories, when it has no slash) and its arguments.
    pub argv: Vec<String>,
    /// Added to the small environment that every program gets (`PATH HOME USER LANG LC_ALL TERM TZ`).
    pub env: Vec<(String, String)>,
    /// Where it runs; `None`: where wireglass was started.
    pub cwd: Option<PathBuf>,
    /// Whether its standard input is a terminal that is to be its own (`LinuxNode::exec_on`): Ctrl-C and job control then
    /// work there.
    pub owns_terminal: bool,
}

/// How a program ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Exit {
    /// What it returned; `None` when a signal ended it.
    pub code: Option<i32>,
    /// The number of the signal that ended it.
    pub signal: Option<i32>,
}

impl Exit {
    /// Whether it returned 0.
    pub fn success(self) -> bool {
        self.code == Some(0)
    }

    /// What the holder writes into the third pipe: the code, then the signal, each as a little-endian `i32`, −1 for
    /// none.
    pub(super) fn to_bytes(self) -> [u8; 8] {
        let mut bytes = [0xff; 8];
        let (code, signal) = bytes.split_at_mut(4);
        code.copy_from_slice(&self.code.unwrap_or(-1).to_le_bytes());
        signal.copy_from_slice(&self.signal.unwrap_or(-1).to_le_bytes());
        bytes
    }

    fn from_bytes(bytes: [u8; 8]) -> Exit {
        let [a, b, c, d, e, f, g, h] = bytes;
        let some = |number: i32| (number >= 0).then_some(number);
        Exit { code: some(i32::from_le_bytes([a, b, c, d])), signal: some(i32::from_le_bytes([e, f, g, h])) }
    }
}

/// A running program. Dropping it does not end the program; the end of the holder does.
#[derive(Debug)]
pub struct Process {
    line: Line,
    pid: i32,
    ending: Receiver,
    told: Vec<u8>,
}

impl Process {
    pub(super) fn adopt(line: Line, pid: i32, ending: OwnedFd) -> io::Result<Process> {
        Ok(Process { line, pid, ending: Receiver::from_owned_fd(ending)?, told: Vec::new() })
    }

    /// Its process id in the run's own PID namespace.
    pub fn process_id(&self) -> i32 {
        self.pid
    }

    /// Waits for its end. What it printed may still wait in its streams. Cancel-safe; may be called again.
    ///
    /// # Errors
    /// `UnexpectedEof` when the holder ended first (and the program with it).
    pub async fn wait(&mut self) -> io::Result<Exit> {
        while self.told.len() < 8 {
            if self.ending.read_buf(&mut self.told).await? == 0 {
                return Err(io::Error::new(io::ErrorKind::UnexpectedEof, HolderError::Gone));
            }
        }
        let bytes = self.told.get(..8).and_then(|bytes| bytes.try_into().ok()).unwrap_or([0xff; 8]);
        Ok(Exit::from_bytes(bytes))
    }

    /// Kills it and its process group at once. A program that has already ended is left in peace.
    ///
    /// # Errors
    /// When the holder has ended.
    pub fn kill(&self) -> Result<(), HolderError> {
        self.signal(nix::libc::SIGKILL)
    }

    /// Sends a signal to its process group. A program that has already ended is left in peace.
    ///
    /// # Errors
    /// When the holder has ended.
    pub fn signal(&self, signal: i32) -> Result<(), HolderError> {
        match self.line.ask(&Request::Kill { pid: self.pid, signal }, &[])? {
            (Answer::Done, _) => Ok(()),
            (Answer::Refused(error), _) => Err(error),
            (other @ (Answer::Node(_) | Answer::Started { .. } | Answer::NotRun(_)), _) => Err(unexpected(&other)),
        }
    }
}

/// A running program whose output is read.
#[derive(Debug)]
pub struct Child {
    /// The program itself.
    pub process: Process,
    /// What it prints; may be taken out to be read elsewhere.
    pub stdout: Option<Lines>,
    /// What it prints to standard error; may be taken out to be read elsewhere.
    pub stderr: Option<Lines>,
}

impl Child {
    pub(super) fn adopt(line: Line, pid: i32, descriptors: Vec<OwnedFd>) -> io::Result<Child> {
        let missing = || io::Error::new(io::ErrorKind::InvalidData, "a program without its three pipes");
        let [stdout, stderr, ending] = <[OwnedFd; 3]>::try_from(descriptors).map_err(|_| missing())?;
        Ok(Child {
            process: Process::adopt(line, pid, ending)?,
            stdout: Some(Lines::new(stdout)?),
            stderr: Some(Lines::new(stderr)?),
        })
    }

    /// As [`Process::process_id`].
    pub fn process_id(&self) -> i32 {
        self.process.process_id()
    }

    /// As [`Process::wait`].
    ///
    /// # Errors
    /// Its errors.
    pub async fn wait(&mut self) -> io::Result<Exit> {
        self.process.wait().await
    }

    /// As [`Process::kill`].
    ///
    /// # Errors
    /// Its errors.
    pub fn kill(&self) -> Result<(), HolderError> {
        self.process.kill()
    }

    /// As [`Process::signal`].
    ///
    /// # Errors
    /// Its errors.
    pub fn signal(&self, signal: i32) -> Result<(), HolderError> {
        self.process.signal(signal)
    }
}

/// Octets after which a line is cut, so that a program that never ends its line cannot fill the memory.
const LONGEST_LINE: u64 = 64 * 1024;

/// What a program prints, line by line.
#[derive(Debug)]
pub struct Lines {
    pipe: BufReader<Receiver>,
    partial: Vec<u8>,
}

impl Lines {
    fn new(pipe: OwnedFd) -> io::Result<Lines> {
        Ok(Lines { pipe: BufReader::new(Receiver::from_owned_fd(pipe)?), partial: Vec::new() })
    }

    /// The next line without its end, bytes that are no UTF-8 replaced; `None` at the end. A line of more than 64 KB
    /// comes in pieces. Cancel-safe.
    ///
    /// # Errors
    /// The pipe's.
    pub async fn next_line(&mut self) -> io::Result<Option<String>> {
        let room = LONGEST_LINE.saturating_sub(self.partial.len() as u64);
        (&mut self.pipe).take(room).read_until(b'\n', &mut self.partial).await?;
        if self.partial.is_empty() {
            return Ok(None);
        }
        let mut line = std::mem::take(&mut self.partial);
        if line.last() == Some(&b'\n') {
            line.pop();
        }
        if line.last() == Some(&b'\r') {
            line.pop();
        }
        Ok(Some(String::from_utf8_lossy(&line).into_owned()))
    }

    /// All that is left, line ends kept as `\n`.
    ///
    /// # Errors
    /// The pipe's.
    pub async fn rest(&mut self) -> io::Result<String> {
        let mut text = String::new();
        while let Some(line) = self.next_line().await? {
            text.push_str(&line);
            text.push('\n');
        }
        Ok(text)
    }
}
