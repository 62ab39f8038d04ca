//! A trial of the kernel's permissions, by really doing what a live run does.
//!
//! ```text
//!   doctor ── starts ──► wireglass __try-namespaces     (a fresh process with one thread)
//!     ▲                      unshare user, network, mount, PID; open TUN, TAP, veth, AF_PACKET there
//!     └──── JSON on stdout ──┘   exits; the kernel takes the namespaces and all in them away
//! ```
//!
//! The process must be a fresh one: a threaded process may not leave its user namespace, and a process cannot return to
//! the one it left. Devices are tried only *after* the network namespace was left, never on the host's own network.

use std::fs;
use std::io;
use std::path::Path;
use std::process::{Command, Stdio};

use nix::mount::{MsFlags, mount};
use nix::sched::{CloneFlags, unshare};
use nix::sys::socket::{AddressFamily, SockFlag, SockType, socket};
use nix::unistd::{Gid, Uid};
use rtnetlink::LinkVeth;
use serde::{Deserialize, Serialize};

/// The hidden command that makes the binary call [`attempt_all`].
pub const ARGUMENT: &str = "__try-namespaces";

/// One thing that a live run does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Step {
    /// A user namespace in which this user is root. Not tried when the other namespaces can be had without.
    User,
    /// A network namespace.
    Network,
    /// A mount namespace whose mounts nobody else sees.
    Mount,
    /// A PID namespace, in which all ends with the first process.
    Pid,
    /// A TUN device.
    Tun,
    /// A TAP device.
    Tap,
    /// A veth pair.
    Veth,
    /// A socket that sees raw frames.
    PacketSocket,
}

impl Step {
    /// All of them, in order.
    pub const ALL: [Step; 8] =
        [Step::User, Step::Network, Step::Mount, Step::Pid, Step::Tun, Step::Tap, Step::Veth, Step::PacketSocket];
}

/// How one step went.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attempt {
    /// The step.
    pub step: Step,
    /// The system's error number; `None` when it worked.
    pub errno: Option<i32>,
}

/// How the whole trial went.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Trial {
    /// What was tried; a step whose ground was missing was not.
    pub attempts: Vec<Attempt>,
    /// Why the trial could not be held at all.
    pub problem: Option<String>,
}

impl Trial {
    /// Whether `step` was tried and worked.
    pub fn worked(&self, step: Step) -> bool {
        self.attempts.iter().any(|attempt| attempt.step == step && attempt.errno.is_none())
    }

    /// Why `step` failed; `None` when it worked or was not tried.
    pub fn refusal(&self, step: Step) -> Option<io::Error> {
        let attempt = self.attempts.iter().find(|attempt| attempt.step == step)?;
        attempt.errno.map(io::Error::from_raw_os_error)
    }

    /// Whether a live run can be shut off from the host: its own network, mounts and processes.
    pub fn isolates(&self) -> bool {
        [Step::Network, Step::Mount, Step::Pid].into_iter().all(|step| self.worked(step))
    }

    fn note(&mut self, step: Step, result: nix::Result<()>) -> bool {
        self.attempts.push(Attempt { step, errno: result.err().map(|errno| errno as i32) });
        result.is_ok()
    }
}

/// Holds the trial in a process of its own, started from `program`.
pub fn run(program: &Path) -> Trial {
    let output = Command::new(program).arg(ARGUMENT).stdin(Stdio::null()).stderr(Stdio::null()).output();
    let failed = |problem: String| Trial { attempts: Vec::new(), problem: Some(problem) };
    match output {
        Err(error) => failed(format!("{} cannot be started: {error}", program.display())),
        Ok(output) => serde_json::from_slice(&output.stdout)
            .unwrap_or_else(|error| failed(format!("its trial process gave no answer ({}): {error}", output.status))),
    }
}

/// Tries every step in this very process, which afterwards is good for nothing but to report and exit.
///
/// Call it only in a process started for it, with one thread.
pub fn attempt_all() -> Trial {
    let mut trial = Trial::default();
    if leave_network(&mut trial) {
        let private = MsFlags::MS_REC | MsFlags::MS_PRIVATE;
        let mounts = unshare(CloneFlags::CLONE_NEWNS)
            .and_then(|()| mount(None::<&str>, "/", None::<&str>, private, None::<&str>));
        trial.note(Step::Mount, mounts);
        trial.note(Step::Pid, unshare(CloneFlags::CLONE_NEWPID));
        trial.note(Step::Tun, open_device("wgtrial0", tun_tap::Mode::Tun));
        trial.note(Step::Tap, open_device("wgtrial1", tun_tap::Mode::Tap));
        trial.note(Step::Veth, make_veth());
        trial.note(Step::PacketSocket, open_packet_socket());
    }
    trial
}

/// Leaves the host's network: directly where that is allowed, else through a user namespace.
fn leave_network(trial: &mut Trial) -> bool {
    if unshare(CloneFlags::CLONE_NEWNET).is_ok() {
        return trial.note(Step::Network, Ok(()));
    }
    let (uid, gid) = (Uid::effective(), Gid::effective());
    let user = unshare(CloneFlags::CLONE_NEWUSER).and_then(|()| become_root(uid, gid));
    trial.note(Step::User, user) && trial.note(Step::Network, unshare(CloneFlags::CLONE_NEWNET))
}

/// Maps this user to root of the new user namespace.
fn become_root(uid: Uid, gid: Gid) -> nix::Result<()> {
    let write = |file: &str, text: String| {
        fs::write(file, text).map_err(|error| nix::Error::from_raw(error.raw_os_error().unwrap_or(nix::libc::EIO)))
    };
    // An unprivileged process must give up setgroups before it may map its group (user_namespaces(7)).
    write("/proc/self/setgroups", "deny".to_owned())?;
    write("/proc/self/uid_map", format!("0 {uid} 1"))?;
    write("/proc/self/gid_map", format!("0 {gid} 1"))
}

fn open_device(name: &str, mode: tun_tap::Mode) -> nix::Result<()> {
    tun_tap::Iface::without_packet_info(name, mode)
        .map(drop)
        .map_err(|error| nix::Error::from_raw(error.raw_os_error().unwrap_or(nix::libc::EIO)))
}

fn open_packet_socket() -> nix::Result<()> {
    socket(AddressFamily::Packet, SockType::Raw, SockFlag::SOCK_CLOEXEC, None).map(drop)
}

fn make_veth() -> nix::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build();
    let runtime = runtime.map_err(|error| nix::Error::from_raw(error.raw_os_error().unwrap_or(nix::libc::EIO)))?;
    runtime.block_on(async {
        let (connection, handle, _) = rtnetlink::new_connection()
            .map_err(|error| nix::Error::from_raw(error.raw_os_error().unwrap_or(nix::libc::EIO)))?;
        tokio::spawn(connection);
        match handle.link().add(LinkVeth::new("wgtrial2", "wgtrial3").build()).execute().await {
            Ok(()) => Ok(()),
            // Netlink's error codes are negated error numbers.
            Err(rtnetlink::Error::NetlinkError(message)) => Err(nix::Error::from_raw(-message.raw_code())),
            Err(_) => Err(nix::Error::EIO),
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_that_cannot_be_started_is_a_problem_not_a_panic() {
        let trial = run(Path::new("/nonexistent/wireglass"));
        assert!(trial.problem.is_some_and(|problem| problem.contains("/nonexistent/wireglass")));
    }

    #[test]
    fn a_program_that_answers_nonsense_is_a_problem_not_a_panic() {
        assert!(run(Path::new("/bin/echo")).problem.is_some());
    }

    #[test]
    fn a_step_that_was_not_tried_neither_worked_nor_was_refused() {
        let trial = Trial { attempts: vec![Attempt { step: Step::User, errno: Some(1) }], problem: None };
        assert!(!trial.worked(Step::Tun) && trial.refusal(Step::Tun).is_none());
        assert_eq!(trial.refusal(Step::User).map(|error| error.kind()), Some(io::ErrorKind::PermissionDenied));
    }
}
