//! Doors: how packets of a real kernel come in and go out.
//!
//! A door is a non-blocking device with a file descriptor to wait on. The trait lives below the stacks and links so that
//! the network's driver and the fast path can use any of them; `host` opens the real ones (TUN, TAP, veth).

use std::io;
use std::os::fd::BorrowedFd;

use crate::packet::{Medium, Packet};

/// The kinds of door, as `--door` names them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DoorKind {
    /// A TUN device: bare IP packets.
    Tun,
    /// A TAP device: Ethernet frames.
    Tap,
    /// One end of a veth pair, read through AF_PACKET: Ethernet frames, no `/dev/net/tun` needed.
    Veth,
}

impl DoorKind {
    /// What the first byte of its packets belongs to.
    pub fn medium(self) -> Medium {
        match self {
            DoorKind::Tun => Medium::Ip,
            DoorKind::Tap | DoorKind::Veth => Medium::Ethernet,
        }
    }
}

/// `tun`, `tap`, `veth`.
impl std::fmt::Display for DoorKind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(match self {
            DoorKind::Tun => "tun",
            DoorKind::Tap => "tap",
            DoorKind::Veth => "veth",
        })
    }
}

/// A way into a kernel. Both directions never block.
pub trait Door: Send {
    /// Which kind it is.
    fn kind(&self) -> DoorKind;

    /// The longest network packet it carries, in octets, without the link header.
    fn mtu(&self) -> usize;

    /// Appends packets that wait outside to `batch`, at most `limit` of them; returns how many. 0 means that none wait.
    ///
    /// # Errors
    /// The device's, when it is gone or down. Nothing that a *packet* contains is an error.
    fn receive(&mut self, batch: &mut Vec<Packet>, limit: usize) -> io::Result<usize>;

    /// Hands one packet to the kernel. It must be no longer than the MTU, its checksums full.
    ///
    /// # Errors
    /// - [`io::ErrorKind::WouldBlock`]: the device takes no more just now; try this packet again.
    /// - [`io::ErrorKind::InvalidInput`]: the device, or its kernel, never takes this packet (too long, of the other medium,
    ///   not IP); the door goes on, and the next packet may pass.
    /// - Any other kind: the device is down or gone, and takes none any more.
    fn send(&mut self, packet: &Packet) -> io::Result<()>;

    /// What to wait on: readable when packets wait outside.
    fn descriptor(&self) -> BorrowedFd<'_>;
}
