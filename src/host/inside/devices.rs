//! Opening the doors: TUN and TAP devices, and veth pairs with a packet socket at their far end.

use std::fs::OpenOptions;
use std::io;
use std::mem;
use std::os::fd::{AsRawFd, FromRawFd, IntoRawFd, OwnedFd};

use nix::libc;
use nix::net::if_::if_nametoindex;
use nix::sys::socket::{self, AddressFamily, SockFlag, SockType, setsockopt, sockopt};
use tun_tap::{Iface, Mode};

use super::links;
use super::nodes::{new_namespace, step_into};
use crate::door::DoorKind;
use crate::host::error::{Errno, HolderError};
use crate::host::node::NodeSetup;

/// Octets that a packet socket may hold while the run is busy: losses must come from links, not from a full socket.
const SOCKET_BUFFER: usize = 8 << 20;

/// `PACKET_IGNORE_OUTGOING` of `linux/if_packet.h`, Linux 4.20.
const PACKET_IGNORE_OUTGOING: libc::c_int = 23;

/// `PACKET_QDISC_BYPASS` of `linux/if_packet.h`, Linux 3.14: straight to the device.
///
/// A veth pair has no queue to lose by that; but the kernel attaches even "no queue" only when a work item of its has
/// noticed the carrier, up to a second late, and throws away without an error what is sent before.
const PACKET_QDISC_BYPASS: libc::c_int = 20;

/// The far end of a veth pair, in a namespace of its own.
const FAR_END: &str = "door0";

/// A door, opened but not configured yet.
pub(super) struct Opened {
    /// What the main process reads and writes.
    pub(super) device: OwnedFd,
    /// The kernel's interface.
    pub(super) name: &'static str,
    /// Index of the far end of a veth pair in *its* namespace; 0 for other doors.
    pub(super) far_end: u32,
}

/// Opens a door in the namespace `namespace`, in which this process stands before and after.
pub(super) fn open(kind: DoorKind, setup: &NodeSetup, namespace: &OwnedFd) -> Result<Opened, HolderError> {
    let refused = |error: io::Error| HolderError::Door { kind, node: setup.name.clone(), errno: Errno::of(&error) };
    match kind {
        DoorKind::Tun => {
            may_open_tun()?;
            Ok(Opened { device: open_device("tun0", Mode::Tun).map_err(refused)?, name: "tun0", far_end: 0 })
        }
        DoorKind::Tap => {
            may_open_tun()?;
            Ok(Opened { device: open_device("tap0", Mode::Tap).map_err(refused)?, name: "tap0", far_end: 0 })
        }
        DoorKind::Veth => open_veth(setup, namespace),
    }
}

/// Tells a missing device file from one that is closed to this user, before anything else can fail.
fn may_open_tun() -> Result<(), HolderError> {
    match OpenOptions::new().read(true).write(true).open("/dev/net/tun") {
        Ok(_) => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => Err(HolderError::TunClosed),
        Err(_) => Err(HolderError::TunMissing),
    }
}

/// A device that lives exactly as long as its descriptor: it is not made persistent.
fn open_device(name: &str, mode: Mode) -> io::Result<OwnedFd> {
    let device = Iface::without_packet_info(name, mode)?;
    device.set_non_blocking()?;
    // SAFETY: `into_raw_fd` gives up the descriptor, which is open and has no other owner from here on.
    Ok(unsafe { OwnedFd::from_raw_fd(device.into_raw_fd()) })
}

/// Makes a veth pair whose far end lies in a fresh namespace, and a packet socket there.
///
/// That namespace has no address and no IPv6, and nothing but the socket keeps it alive.
fn open_veth(setup: &NodeSetup, namespace: &OwnedFd) -> Result<Opened, HolderError> {
    let near = "eth0";
    let refused = |error: io::Error| HolderError::Door {
        kind: DoorKind::Veth,
        node: setup.name.clone(),
        errno: Errno::of(&error),
    };
    let outside = new_namespace().map_err(refused)?;
    super::sysctl::quieten(false);
    step_into(namespace).map_err(refused)?;
    links::add_veth(setup, near, FAR_END, &outside)?;
    switch_offloads_off(near).map_err(refused)?;

    step_into(&outside).map_err(refused)?;
    switch_offloads_off(FAR_END).map_err(refused)?;
    let device = packet_socket().map_err(refused)?;
    links::bring_up(setup, FAR_END)?;
    let far_end = if_nametoindex(FAR_END).map_err(|errno| refused(errno.into()))?;
    step_into(namespace).map_err(refused)?;
    Ok(Opened { device, name: near, far_end })
}

/// A packet socket that hears nothing until it is bound, and never what is sent on its own side.
fn packet_socket() -> io::Result<OwnedFd> {
    let flags = SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK;
    let socket = socket::socket(AddressFamily::Packet, SockType::Raw, flags, None)?;
    // Older kernels let only real root go beyond the system's limit; then the limit must do.
    if setsockopt(&socket, sockopt::RcvBufForce, &SOCKET_BUFFER).is_err() {
        setsockopt(&socket, sockopt::RcvBuf, &SOCKET_BUFFER)?;
    }
    // A kernel without it (before 4.20) does without: the far end's own kernel is silent.
    let _ = switch_on(&socket, PACKET_IGNORE_OUTGOING);
    switch_on(&socket, PACKET_QDISC_BYPASS)?;
    Ok(socket)
}

/// Switches on an option of a packet socket.
fn switch_on(socket: &OwnedFd, option: libc::c_int) -> io::Result<()> {
    let on: libc::c_int = 1;
    let length = mem::size_of_val(&on) as libc::socklen_t;
    // SAFETY: both options take an int; the pointer and length are those of one that lives through the call.
    let outcome =
        unsafe { libc::setsockopt(socket.as_raw_fd(), libc::SOL_PACKET, option, (&raw const on).cast(), length) };
    if outcome < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

/// `ETHTOOL_S*` commands of `linux/ethtool.h`: receive and transmit checksums, TCP and generic segmentation,
/// scatter-gather, generic receive. In this order, since segmentation depends on scatter-gather.
const OFFLOADS: [u32; 6] = [0x15, 0x17, 0x1f, 0x24, 0x19, 0x2c];

/// `struct ethtool_value`.
#[repr(C)]
struct EthtoolValue {
    command: u32,
    data: u32,
}

/// Makes the interface hand over packets as a wire would carry them: checksums full, none longer than the MTU.
///
/// Every switch is tried; an interface that lacks one has nothing to switch off (`EOPNOTSUPP`).
fn switch_offloads_off(interface: &str) -> io::Result<()> {
    let any = socket::socket(AddressFamily::Inet, SockType::Datagram, SockFlag::SOCK_CLOEXEC, None)?;
    for command in OFFLOADS {
        let mut value = EthtoolValue { command, data: 0 };
        // SAFETY: `ifreq` is plain old data, for which all zeroes is a valid value.
        let mut request: libc::ifreq = unsafe { mem::zeroed() };
        for (slot, byte) in request.ifr_name.iter_mut().take(libc::IFNAMSIZ - 1).zip(interface.bytes()) {
            *slot = byte as libc::c_char;
        }
        request.ifr_ifru.ifru_data = (&raw mut value).cast();
        // SAFETY: SIOCETHTOOL reads the name and follows `ifru_data` to an `ethtool_value`; both live through the call.
        let outcome = unsafe { libc::ioctl(any.as_raw_fd(), libc::SIOCETHTOOL as _, &raw mut request) };
        if outcome < 0 {
            let error = io::Error::last_os_error();
            if error.raw_os_error() != Some(libc::EOPNOTSUPP) {
                return Err(error);
            }
        }
    }
    Ok(())
}
