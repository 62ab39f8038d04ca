//! What the main process and the holder say to each other.
//!
//! One request, one answer, strictly in turn, over a `SOCK_SEQPACKET` socket: JSON in the message, descriptors beside
//! it (`SCM_RIGHTS`). A message is never cut, and the end of either process is an end-of-file at the other.
#![allow(unsafe_code)]

use std::io::{self, IoSlice, IoSliceMut};
use std::net::IpAddr;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};

use nix::sys::socket::{ControlMessage, ControlMessageOwned, MsgFlags, recvmsg, sendmsg};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::child::Exec;
use super::error::{ExecError, HolderError};
use super::holder::RunAs;
use super::node::NodeSetup;
use crate::door::DoorKind;

/// Octets of the longest message; an `exec` with a large environment is the longest.
const LONGEST: usize = 160 * 1024;

/// Descriptors in one message, at most.
const MOST_DESCRIPTORS: usize = 4;

/// From the main process. The first is always [`Request::Begin`].
#[derive(Debug, Serialize, Deserialize)]
pub(super) enum Request {
    /// Make the namespaces.
    Begin(Begin),
    /// Make a node and open its door. Answer: [`Answer::Node`] with the door's descriptor.
    AddNode(NodeSetup),
    /// Make a socket in a node. Answer: [`Answer::Done`] with its descriptor.
    Socket {
        /// The node's number.
        node: usize,
        /// IPv6 rather than IPv4.
        v6: bool,
        /// TCP or UDP.
        kind: SocketKind,
    },
    /// Run a program in a node. With three descriptors those are its standard streams. Answer: [`Answer::Started`] with its
    /// standard output and standard error (if none were given) and a pipe that will say how it ended (see
    /// [`super::child`]).
    Exec {
        /// The node's number.
        node: usize,
        /// What to run.
        exec: Exec,
    },
    /// Send a signal to the process group of a program, if it still runs.
    Kill {
        /// Its process id, as [`Answer::Started`] gave it.
        pid: i32,
        /// The signal's number.
        signal: i32,
    },
}

/// How the world is to be.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Begin {
    /// Lines of `/etc/hosts`; empty leaves the system's.
    pub(super) hosts: Vec<(IpAddr, String)>,
    /// Text of `/etc/resolv.conf`; `None` leaves the system's.
    pub(super) resolv_conf: Option<String>,
    /// The certificate of the authority that programs trust; `None` leaves them the system's.
    pub(super) trusted: Option<String>,
    /// Who programs run as, when not as the one who started the run.
    pub(super) run_as: Option<RunAs>,
}

/// Which kernel socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum SocketKind {
    /// `SOCK_STREAM`.
    Tcp,
    /// `SOCK_DGRAM`.
    Udp,
}

/// From the holder.
#[derive(Debug, Serialize, Deserialize)]
pub(super) enum Answer {
    /// It is done.
    Done,
    /// The node is there.
    Node(NodeReport),
    /// The program runs.
    Started {
        /// Its process id in the holder's PID namespace.
        pid: i32,
    },
    /// It could not be done.
    Refused(HolderError),
    /// The program could not be run.
    NotRun(ExecError),
}

/// What came of [`Request::AddNode`].
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct NodeReport {
    /// The node's number, from 0.
    pub(super) number: usize,
    /// The door that was opened.
    pub(super) door: DoorKind,
    /// Why it is not the door that would have been preferred.
    pub(super) note: Option<String>,
    /// Index of the interface that a veth door's packet socket is to be bound to; 0 for other doors.
    pub(super) interface: u32,
}

/// Sends one message.
///
/// # Errors
/// `EMSGSIZE` (as `InvalidInput`) when it is too long, the socket's otherwise.
pub(super) fn send(socket: &OwnedFd, message: &impl Serialize, descriptors: &[RawFd]) -> io::Result<()> {
    let bytes = serde_json::to_vec(message)?;
    if bytes.len() > LONGEST {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "the request is too long"));
    }
    let rights = [ControlMessage::ScmRights(descriptors)];
    let control: &[ControlMessage<'_>] = if descriptors.is_empty() { &[] } else { &rights };
    sendmsg::<()>(socket.as_raw_fd(), &[IoSlice::new(&bytes)], control, MsgFlags::MSG_NOSIGNAL, None)?;
    Ok(())
}

/// Waits for one message; `None` when the other process has ended.
///
/// # Errors
/// The socket's; `InvalidData` for a message that is not understood.
pub(super) fn receive<T: DeserializeOwned>(socket: &OwnedFd) -> io::Result<Option<(T, Vec<OwnedFd>)>> {
    let mut bytes = vec![0; LONGEST];
    let mut control = nix::cmsg_space!([RawFd; MOST_DESCRIPTORS]);
    let mut buffer = [IoSliceMut::new(&mut bytes)];
    let flags = MsgFlags::MSG_CMSG_CLOEXEC;
    let message = loop {
        match recvmsg::<()>(socket.as_raw_fd(), &mut buffer, Some(&mut control), flags) {
            Err(nix::errno::Errno::EINTR) => continue,
            Err(errno) => return Err(errno.into()),
            Ok(message) => break message,
        }
    };
    let mut descriptors = Vec::new();
    for item in message.cmsgs()? {
        if let ControlMessageOwned::ScmRights(received) = item {
            // SAFETY: the kernel has just made these descriptors for this process, and nothing else knows them.
            descriptors.extend(received.into_iter().map(|fd| unsafe { OwnedFd::from_raw_fd(fd) }));
        }
    }
    let length = message.bytes;
    if length == 0 {
        return Ok(None);
    }
    let text = bytes.get(..length).unwrap_or_default();
    Ok(Some((serde_json::from_slice(text)?, descriptors)))
}
