//! What can go wrong between a run and its real kernels, each with what mends it.
//!
//! These errors cross the socket between the holder and the main process, so they carry plain values: an [`Errno`] is
//! the kernel's error number.

use std::fmt;
use std::io;

use serde::{Deserialize, Serialize};

use crate::door::DoorKind;

/// The kernel's error number, as the process that met it saw it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Errno(pub i32);

impl Errno {
    /// The number inside an I/O error; 0 when it has none.
    pub(crate) fn of(error: &io::Error) -> Errno {
        Errno(error.raw_os_error().unwrap_or(0))
    }
}

impl From<nix::errno::Errno> for Errno {
    fn from(errno: nix::errno::Errno) -> Errno {
        Errno(errno as i32)
    }
}

/// `EACCES: Permission denied`.
impl fmt::Display for Errno {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        nix::errno::Errno::from_raw(self.0).fmt(f)
    }
}

/// Why a live world could not be made, or is no more.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error, Serialize, Deserialize)]
pub enum HolderError {
    /// The holder process could not be started at all.
    #[error("cannot start the namespace holder `{program}`: {reason}")]
    Start {
        /// What was to be run.
        program: String,
        /// What the system said.
        reason: String,
    },
    /// This program does not let itself be started as the holder; it would only start its own `main` again.
    #[error(
        "this program cannot be started again as the namespace holder: begin its `main` with `if let Some(code) = \
         wireglass::host::holder_entry() {{ return code; }}`, or name the wireglass binary as `HolderConfig::program` \
         (of a lab's run: `Options::holder`)"
    )]
    NoEntry,
    /// An ordinary user may not make user namespaces here.
    #[error("this system does not let you make a user namespace ({errno}); {mend}, or run with sudo")]
    UserNamespaces {
        /// What the kernel said.
        errno: Errno,
        /// The setting that forbids it and the command that changes it.
        mend: String,
    },
    /// Root without the power to make namespaces: usually inside a container.
    #[error(
        "not allowed to make namespaces although running as root ({errno}); in a container, start it with \
         `--cap-add SYS_ADMIN --cap-add NET_ADMIN --security-opt seccomp=unconfined` or `--privileged`"
    )]
    Namespaces {
        /// What the kernel said.
        errno: Errno,
    },
    /// The lab's own view of the file system could not be arranged.
    #[error("cannot mount {what} for the lab's programs ({errno}); {mend}")]
    Mount {
        /// Which mount.
        what: String,
        /// What the kernel said.
        errno: Errno,
        /// What to do about it.
        mend: String,
    },
    /// There is no `/dev/net/tun`.
    #[error("/dev/net/tun is missing; load it with `sudo modprobe tun`, or use `--door veth`")]
    TunMissing,
    /// `/dev/net/tun` is there, but not for this user.
    #[error("/dev/net/tun may not be opened by this user; use `--door veth`, or `sudo chmod 0666 /dev/net/tun`")]
    TunClosed,
    /// Opening a door failed for another reason.
    #[error("cannot open a {kind} door in node `{node}` ({errno}){}", door_hint(*.kind, *.errno))]
    Door {
        /// Which kind of door.
        kind: DoorKind,
        /// Whose.
        node: String,
        /// What the kernel said.
        errno: Errno,
    },
    /// Two nodes of one name.
    #[error("there is already a node named `{name}`; give each node a name of its own")]
    Duplicate {
        /// The name.
        name: String,
    },
    /// The kernel refused an address, a route or a change to an interface.
    #[error("the kernel refused {what} in node `{node}` ({errno})")]
    Configure {
        /// Whose.
        node: String,
        /// What was asked for: `address 10.0.0.1/24`.
        what: String,
        /// What the kernel said.
        errno: Errno,
    },
    /// A kernel setting could not be written.
    #[error("cannot set sysctl `{key}` in node `{node}`: {reason}")]
    Sysctl {
        /// Whose.
        node: String,
        /// The setting, as written by the user.
        key: String,
        /// What is wrong with it.
        reason: String,
        /// Whether nothing is wrong with it, but this user may not change it.
        is_closed: bool,
    },
    /// The kernel refused a socket.
    #[error("cannot make a {what} socket in node `{node}` ({errno})")]
    Socket {
        /// Whose.
        node: String,
        /// `TCP`, `UDP`, `packet`.
        what: String,
        /// What the kernel said.
        errno: Errno,
    },
    /// The holder process has ended, and every namespace and program with it.
    #[error("the namespace holder has ended, and the lab's namespaces and programs with it; run the lab again")]
    Gone,
    /// The two processes do not understand each other: the binary was replaced while it ran, or a bug.
    #[error("the namespace holder does not answer as expected ({0}); is it the same build of wireglass?")]
    Protocol(String),
}

impl HolderError {
    /// Whether this machine or this user lacks what live runs need, so that a simulation may stand in. All else is a
    /// mistake in what was asked for, or in wireglass, and must be told as such.
    pub fn is_missing_ability(&self) -> bool {
        use nix::errno::Errno as E;
        match self {
            HolderError::Start { .. }
            | HolderError::UserNamespaces { .. }
            | HolderError::Namespaces { .. }
            | HolderError::Mount { .. }
            | HolderError::TunMissing
            | HolderError::TunClosed => true,
            HolderError::Door { errno, .. } => matches!(
                E::from_raw(errno.0),
                E::EPERM | E::EACCES | E::ENODEV | E::ENXIO | E::EOPNOTSUPP | E::EAFNOSUPPORT | E::EPROTONOSUPPORT
            ),
            // A kernel without IPv6 has no support for its addresses.
            HolderError::Configure { errno, .. } => {
                matches!(E::from_raw(errno.0), E::EPERM | E::EACCES | E::EOPNOTSUPP)
            }
            HolderError::Sysctl { is_closed, .. } => *is_closed,
            HolderError::NoEntry
            | HolderError::Duplicate { .. }
            | HolderError::Socket { .. }
            | HolderError::Gone
            | HolderError::Protocol(_) => false,
        }
    }
}

/// What mends a door that the kernel refused.
fn door_hint(kind: DoorKind, errno: Errno) -> &'static str {
    use nix::errno::Errno as E;
    match (kind, E::from_raw(errno.0)) {
        (DoorKind::Veth, E::EOPNOTSUPP) => "; this kernel has no veth: `sudo modprobe veth`, or use `--door tun`",
        (DoorKind::Veth, E::EAFNOSUPPORT) => "; this kernel has no AF_PACKET: use `--door tun`",
        (_, E::EBUSY | E::EEXIST) => "; an interface of that name is busy",
        (DoorKind::Tun | DoorKind::Tap, E::EPERM) => "; use `--door veth`, or run with sudo",
        (DoorKind::Tun | DoorKind::Tap | DoorKind::Veth, _) => "",
    }
}

impl From<HolderError> for io::Error {
    fn from(error: HolderError) -> io::Error {
        io::Error::other(error)
    }
}

/// Why a program could not be run in a node.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error, Serialize, Deserialize)]
pub enum ExecError {
    /// It is not on this machine.
    #[error("`{program}` is not installed; {mend}")]
    NotInstalled {
        /// Its name.
        program: String,
        /// The command that installs it.
        mend: String,
    },
    /// It is there, but may not be run.
    #[error("`{program}` may not be run by this user (uid {uid}); check its permissions: `ls -l {program}`")]
    NotPermitted {
        /// Its path.
        program: String,
        /// As whom it was to run.
        uid: u32,
    },
    /// The directory it should run in is not there.
    #[error("cannot run a program in the directory `{directory}`: there is no such directory")]
    Directory {
        /// The path.
        directory: String,
    },
    /// No program was named.
    #[error("no program to run: `argv` is empty")]
    Empty,
    /// The system refused for another reason.
    #[error("cannot run `{program}`: {reason}")]
    Failed {
        /// Its name.
        program: String,
        /// What the system said.
        reason: String,
    },
    /// The holder itself failed.
    #[error(transparent)]
    Holder(#[from] HolderError),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_the_machine_lacks_lets_a_simulation_stand_in() {
        let words = || "x".to_owned();
        let [denied, no_veth, busy, invalid] =
            [nix::libc::EPERM, nix::libc::EOPNOTSUPP, nix::libc::EBUSY, nix::libc::EINVAL].map(Errno);
        let door = |errno| HolderError::Door { kind: DoorKind::Veth, node: words(), errno };
        let address = |errno| HolderError::Configure { node: words(), what: words(), errno };
        let sysctl = |is_closed| HolderError::Sysctl { node: words(), key: words(), reason: words(), is_closed };
        let missing = [
            HolderError::Start { program: words(), reason: words() },
            HolderError::UserNamespaces { errno: denied, mend: words() },
            HolderError::Namespaces { errno: denied },
            HolderError::Mount { what: words(), errno: denied, mend: words() },
            HolderError::TunMissing,
            HolderError::TunClosed,
            door(denied),
            door(no_veth),
            address(denied),
            sysctl(true),
        ];
        for error in missing {
            assert!(error.is_missing_ability(), "{error}");
        }
        let mistakes = [
            HolderError::NoEntry,
            door(busy),
            HolderError::Duplicate { name: words() },
            address(invalid),
            sysctl(false),
            HolderError::Socket { node: words(), what: words(), errno: denied },
            HolderError::Gone,
            HolderError::Protocol(words()),
        ];
        for error in mistakes {
            assert!(!error.is_missing_ability(), "{error}");
        }
    }
}
