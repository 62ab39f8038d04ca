//! The main process's end of the holder: start it, ask it, end it.

use std::env;
use std::ffi::OsStr;
use std::io;
use std::net::IpAddr;
use std::os::fd::{AsRawFd, OwnedFd, RawFd};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use nix::sys::socket::{AddressFamily, Shutdown, SockFlag, SockType, setsockopt, shutdown, socketpair, sockopt};
use nix::sys::time::{TimeVal, TimeValLike};
use nix::unistd::{Uid, User};
use serde::{Deserialize, Serialize};

use super::doors;
use super::error::HolderError;
use super::inside::{HOLDER_ARGUMENT, has_entry};
use super::node::{LinuxNode, NodeSetup};
use super::wire::{self, Answer, Begin, Request};
use crate::door::{Door, DoorKind};

/// How long an answer may take, in seconds. No request waits for anything but the kernel, so this only guards against a
/// holder that was stopped (`SIGSTOP`) or a machine that is out of breath.
const PATIENCE: i64 = 60;

/// How long the end of a holder may take before it is killed.
const FAREWELL: Duration = Duration::from_secs(5);

/// This very program: the link, not what it points to, which still works after the file was replaced by a new build.
const THIS_PROGRAM: &str = "/proc/self/exe";

/// How the live world is to be.
#[derive(Clone, Debug)]
pub struct HolderConfig {
    /// The program that is started as the holder: this one, whose `main` then must begin with
    /// [`holder_entry`](super::holder_entry), or the wireglass binary.
    pub program: PathBuf,
    /// `/etc/hosts` as the lab's programs see it (`localhost` is added); empty leaves the system's.
    pub hosts: Vec<(IpAddr, String)>,
    /// `/etc/resolv.conf` as the lab's programs see it; `None` leaves the system's.
    pub resolv_conf: Option<String>,
    /// The certificate of the one authority that programs trust (RFC 7468), in the place of the system's; `None` leaves those.
    pub trusted: Option<String>,
    /// Who programs run as; `None`: as whoever started the run.
    pub run_as: Option<RunAs>,
}

/// This binary; the system's hosts and resolv.conf; programs as the user who became root.
impl Default for HolderConfig {
    fn default() -> HolderConfig {
        HolderConfig {
            program: PathBuf::from(THIS_PROGRAM),
            hosts: Vec::new(),
            resolv_conf: None,
            trusted: None,
            run_as: RunAs::caller(),
        }
    }
}

/// A user to run programs as.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunAs {
    /// The user's number.
    pub uid: u32,
    /// The user's first group.
    pub gid: u32,
}

impl RunAs {
    /// The user who became root to start this process, through sudo, pkexec or doas: a lab folder may be a stranger's, so
    /// its programs must not run as root, nor its captures be written as root. `None` for an ordinary user, and for root
    /// itself.
    pub fn caller() -> Option<RunAs> {
        Uid::effective().is_root().then(|| RunAs::named_by(|name| env::var(name).ok())).flatten()
    }

    /// The caller by the variables of the three programs, the first that is set. sudo names user and group; pkexec only
    /// the user, doas only the user's name, and then the group is that of the user's account.
    fn named_by(variable: impl Fn(&str) -> Option<String>) -> Option<RunAs> {
        let number = |name: &str| variable(name)?.parse().ok();
        let of_account = |user: User| RunAs { uid: user.uid.as_raw(), gid: user.gid.as_raw() };
        let by_sudo = || Some(RunAs { uid: number("SUDO_UID")?, gid: number("SUDO_GID")? });
        let by_pkexec = || User::from_uid(Uid::from_raw(number("PKEXEC_UID")?)).ok()?.map(of_account);
        let by_doas = || User::from_name(&variable("DOAS_USER")?).ok()?.map(of_account);
        by_sudo().or_else(by_pkexec).or_else(by_doas).filter(|caller| caller.uid != 0)
    }
}

/// The namespaces of one live run. Dropping it ends every program and node of the run.
#[derive(Debug)]
pub struct Holder {
    line: Line,
    outer: std::process::Child,
}

impl Holder {
    /// Starts a holder and makes its namespaces: user (only when not root), mount, PID, network.
    ///
    /// # Errors
    /// What is missing on this system and what mends it.
    pub fn start(config: HolderConfig) -> Result<Holder, HolderError> {
        may_start(&config.program, env::args_os().nth(1).as_deref(), has_entry())?;
        let not_started = |reason: io::Error| HolderError::Start {
            program: config.program.display().to_string(),
            reason: reason.to_string(),
        };
        let (ours, theirs) = socketpair(AddressFamily::Unix, SockType::SeqPacket, None, SockFlag::SOCK_CLOEXEC)
            .map_err(|errno| not_started(errno.into()))?;
        setsockopt(&ours, sockopt::ReceiveTimeout, &TimeVal::seconds(PATIENCE))
            .map_err(|errno| not_started(errno.into()))?;
        // Its own process group: the terminal's Ctrl-C is for the main process alone.
        let outer = Command::new(&config.program)
            .arg(HOLDER_ARGUMENT)
            .stdin(Stdio::from(theirs))
            .stdout(Stdio::null())
            .process_group(0)
            .spawn()
            .map_err(not_started)?;
        let holder = Holder { line: Line::new(ours), outer };
        let HolderConfig { hosts, resolv_conf, trusted, run_as, .. } = config;
        let (answer, _) = holder.line.ask(&Request::Begin(Begin { hosts, resolv_conf, trusted, run_as }), &[])?;
        match answer {
            Answer::Done => Ok(holder),
            Answer::Refused(error) => Err(error),
            other @ (Answer::Node(_) | Answer::Started { .. } | Answer::NotRun(_)) => Err(unexpected(&other)),
        }
    }

    /// Makes a linux node and opens its door. Both its interface and the loopback are up when this returns.
    ///
    /// # Errors
    /// What the kernel refused. The node is not there then, and the holder goes on.
    pub fn add_node(&self, setup: NodeSetup) -> Result<(LinuxNode, Box<dyn Door>), HolderError> {
        let (name, mtu) = (setup.name.clone(), setup.mtu);
        let (answer, mut descriptors) = self.line.ask(&Request::AddNode(setup), &[])?;
        let report = match answer {
            Answer::Node(report) => report,
            Answer::Refused(error) => return Err(error),
            other @ (Answer::Done | Answer::Started { .. } | Answer::NotRun(_)) => return Err(unexpected(&other)),
        };
        let device = descriptors.pop().ok_or_else(|| HolderError::Protocol("a door without a descriptor".into()))?;
        let door = doors::open(device, &report, mtu).map_err(|error| HolderError::Door {
            kind: report.door,
            node: name.clone(),
            errno: super::error::Errno::of(&error),
        })?;
        Ok((LinuxNode::new(self.line.clone(), name, report), door))
    }

    /// Whether a live run is possible here through this kind of door (`None`: any): makes one node and takes it down.
    ///
    /// # Errors
    /// What is missing on this system and what mends it.
    pub fn probe(config: HolderConfig, door: Option<DoorKind>) -> Result<DoorKind, HolderError> {
        let holder = Holder::start(config)?;
        let (node, _door) = holder.add_node(NodeSetup { door, ..NodeSetup::named("probe") })?;
        Ok(node.door_kind())
    }

    /// The process id of the outer holder: what `kill -9` by a curious user would hit first.
    pub fn process_id(&self) -> u32 {
        self.outer.id()
    }
}

/// Refuses what would start an endless chain of processes: a program without a holder in it, started as a holder, runs
/// its `main`, which starts a holder.
fn may_start(program: &Path, first_argument: Option<&OsStr>, has_entry: bool) -> Result<(), HolderError> {
    let is_chain = first_argument.is_some_and(|argument| argument == HOLDER_ARGUMENT);
    let is_this = program == Path::new(THIS_PROGRAM);
    if is_chain || (is_this && !has_entry) { Err(HolderError::NoEntry) } else { Ok(()) }
}

/// Ends the holder and waits until every process of the run is gone.
impl Drop for Holder {
    fn drop(&mut self) {
        self.line.hang_up();
        let deadline = Instant::now() + FAREWELL;
        while matches!(self.outer.try_wait(), Ok(None)) {
            if Instant::now() > deadline {
                // Fails only if it has just ended by itself.
                let _ = self.outer.kill();
                let _ = self.outer.wait();
                return;
            }
            thread::sleep(Duration::from_millis(2));
        }
    }
}

/// An answer of the wrong kind.
pub(super) fn unexpected(answer: &Answer) -> HolderError {
    HolderError::Protocol(format!("unexpected {answer:?}"))
}

/// The socket to the holder, shared by everything that asks.
#[derive(Clone, Debug)]
pub(super) struct Line {
    socket: Arc<Mutex<OwnedFd>>,
}

impl Line {
    fn new(socket: OwnedFd) -> Line {
        Line { socket: Arc::new(Mutex::new(socket)) }
    }

    /// Asks, hands descriptors over, and waits for the answer. Blocks for as long as the kernel takes: microseconds to a few milliseconds.
    pub(super) fn ask(&self, request: &Request, descriptors: &[RawFd]) -> Result<(Answer, Vec<OwnedFd>), HolderError> {
        // One question and its answer at a time: the lock spans both. A panic elsewhere cannot leave it half-way.
        let socket = self.socket.lock().unwrap_or_else(PoisonError::into_inner);
        if let Err(error) = wire::send(&socket, request, descriptors) {
            return Err(match error.kind() {
                io::ErrorKind::BrokenPipe | io::ErrorKind::ConnectionReset => HolderError::Gone,
                // Too long for the socket, most likely: nothing was sent.
                _ => HolderError::Protocol(error.to_string()),
            });
        }
        match wire::receive(&socket) {
            Ok(Some(answer)) => Ok(answer),
            Ok(None) => Err(HolderError::Gone),
            Err(error) => {
                // A late answer would be taken for the next one's; there is no next one.
                let _ = shutdown(socket.as_raw_fd(), Shutdown::Both);
                match error.kind() {
                    io::ErrorKind::WouldBlock => Err(HolderError::Protocol("no answer for a minute".into())),
                    io::ErrorKind::ConnectionReset => Err(HolderError::Gone),
                    _ => Err(HolderError::Protocol(error.to_string())),
                }
            }
        }
    }

    /// Ends the conversation for every clone: the holder sees an end-of-file.
    fn hang_up(&self) {
        let socket = self.socket.lock().unwrap_or_else(PoisonError::into_inner);
        // ENOTCONN: the holder has ended already.
        let _ = shutdown(socket.as_raw_fd(), Shutdown::Both);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_without_the_entry_is_not_started_over_and_over() {
        // This test binary is such a program.
        let error = Holder::start(HolderConfig::default()).map(drop).expect_err("there is no holder in it");
        assert_eq!(error, HolderError::NoEntry);
        assert!(error.to_string().contains("if let Some(code) = wireglass::host::holder_entry() { return code; }"));
    }

    #[test]
    fn whoever_became_root_is_found_by_what_sudo_pkexec_and_doas_leave() {
        let nobody = User::from_uid(Uid::from_raw(65_534)).expect("accounts can be read").expect("every Linux has it");
        let account = RunAs { uid: 65_534, gid: nobody.gid.as_raw() };
        let caller = |variables: &[(&str, &str)]| {
            RunAs::named_by(|name| variables.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned()))
        };
        for (variables, expected) in [
            (&[("SUDO_UID", "1000"), ("SUDO_GID", "100")][..], Some(RunAs { uid: 1000, gid: 100 })),
            (&[("PKEXEC_UID", "65534")], Some(account)),
            (&[("DOAS_USER", &nobody.name)], Some(account)),
            (&[("SUDO_UID", "1000"), ("PKEXEC_UID", "65534")], Some(account)),
            (&[("SUDO_UID", "0"), ("SUDO_GID", "0")], None),
            (&[("PKEXEC_UID", "4000000000")], None),
            (&[], None),
        ] {
            assert_eq!(caller(variables), expected, "{variables:?}");
        }
    }

    #[test]
    fn a_holder_is_started_from_a_program_that_has_one_and_never_from_a_holder() {
        let (this, other) = (Path::new(THIS_PROGRAM), Path::new("/usr/bin/wireglass"));
        let (holder, run) = (Some(OsStr::new(HOLDER_ARGUMENT)), Some(OsStr::new("run")));
        for (program, argument, has_entry, expected) in [
            (this, run, true, Ok(())),
            (this, None, false, Err(HolderError::NoEntry)),
            (other, None, false, Ok(())),
            (other, holder, false, Err(HolderError::NoEntry)),
            (this, holder, true, Err(HolderError::NoEntry)),
        ] {
            assert_eq!(may_start(program, argument, has_entry), expected, "{program:?} {argument:?} {has_entry}");
        }
    }
}
