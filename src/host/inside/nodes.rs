//! The run's linux nodes: one network namespace each, entered for the length of a request.
//!
//! A network namespace belongs to a thread, and this process has one. It stands in whichever namespace it was last
//! needed in, so every request enters the right one first.

use std::fs::File;
use std::io;
use std::os::fd::OwnedFd;

use nix::sched::{CloneFlags, setns, unshare};
use nix::sys::socket::{self, AddressFamily, SockFlag, SockType};

use super::{devices, links, sysctl};
use crate::door::DoorKind;
use crate::host::error::{Errno, HolderError};
use crate::host::node::NodeSetup;
use crate::host::wire::{NodeReport, SocketKind};

/// Every node so far, by number.
#[derive(Default)]
pub(super) struct Nodes {
    nodes: Vec<Node>,
}

struct Node {
    name: String,
    namespace: OwnedFd,
}

/// Makes a network namespace and stands in it.
pub(super) fn new_namespace() -> io::Result<OwnedFd> {
    unshare(CloneFlags::CLONE_NEWNET)?;
    Ok(File::open("/proc/self/ns/net")?.into())
}

/// Steps into a namespace.
pub(super) fn step_into(namespace: &OwnedFd) -> io::Result<()> {
    Ok(setns(namespace, CloneFlags::CLONE_NEWNET)?)
}

impl Nodes {
    /// Makes a node, opens its door, configures its interface and brings it up.
    pub(super) fn add(&mut self, setup: &NodeSetup) -> Result<(NodeReport, OwnedFd), HolderError> {
        if self.nodes.iter().any(|node| node.name == setup.name) {
            return Err(HolderError::Duplicate { name: setup.name.clone() });
        }
        let failed = |error: io::Error| HolderError::Namespaces { errno: Errno::of(&error) };
        let namespace = new_namespace().map_err(failed)?;
        let ipv6 = setup.kernel_addresses.iter().any(|(address, _)| address.is_ipv6());
        sysctl::quieten(ipv6);
        let (door, note, opened) = open_preferred(setup, &namespace)?;
        for (key, value) in &setup.sysctls {
            sysctl::write(&setup.name, key, value)?;
        }
        links::configure(setup, opened.name, door)?;
        let report = NodeReport { number: self.nodes.len(), door, note, interface: opened.far_end };
        self.nodes.push(Node { name: setup.name.clone(), namespace });
        Ok((report, opened.device))
    }

    /// The namespace of a node.
    pub(super) fn namespace(&self, node: usize) -> Result<&OwnedFd, HolderError> {
        Ok(&self.node(node)?.namespace)
    }

    fn node(&self, number: usize) -> Result<&Node, HolderError> {
        self.nodes.get(number).ok_or_else(|| HolderError::Protocol(format!("there is no node {number}")))
    }

    /// A socket in a node.
    pub(super) fn socket(&self, node: usize, v6: bool, kind: SocketKind) -> Result<OwnedFd, HolderError> {
        let node = self.node(node)?;
        let (what, kind) = match kind {
            SocketKind::Tcp => ("TCP", SockType::Stream),
            SocketKind::Udp => ("UDP", SockType::Datagram),
        };
        let family = if v6 { AddressFamily::Inet6 } else { AddressFamily::Inet };
        let refused = |errno| HolderError::Socket { node: node.name.clone(), what: what.to_owned(), errno };
        step_into(&node.namespace).map_err(|error| refused(Errno::of(&error)))?;
        let flags = SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK;
        socket::socket(family, kind, flags, None).map_err(|errno| refused(errno.into()))
    }
}

/// Opens the door that is asked for; without a wish TUN, or veth where TUN is not to be had (and why).
fn open_preferred(
    setup: &NodeSetup,
    namespace: &OwnedFd,
) -> Result<(DoorKind, Option<String>, devices::Opened), HolderError> {
    if let Some(kind) = setup.door {
        return Ok((kind, None, devices::open(kind, setup, namespace)?));
    }
    match devices::open(DoorKind::Tun, setup, namespace) {
        Ok(opened) => Ok((DoorKind::Tun, None, opened)),
        Err(error @ (HolderError::TunMissing | HolderError::TunClosed)) => {
            let opened = devices::open(DoorKind::Veth, setup, namespace)?;
            let note = if error == HolderError::TunMissing {
                "using a veth pair, since /dev/net/tun is missing (`sudo modprobe tun`)"
            } else {
                "using a veth pair, since /dev/net/tun may not be opened by this user"
            };
            Ok((DoorKind::Veth, Some(note.to_owned()), opened))
        }
        Err(error) => Err(error),
    }
}
