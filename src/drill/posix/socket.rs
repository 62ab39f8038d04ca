//! A socket: what Linux keeps of it beside the stack's own state.

use std::collections::VecDeque;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use bytes::Bytes;

use super::options::Options;
use super::{Address, Errno};
use crate::journal::SocketId;

/// An address family.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Family {
    V4,
    V6,
}

impl Family {
    /// `0.0.0.0` or `::`
    pub(super) fn any(self) -> IpAddr {
        match self {
            Family::V4 => Ipv4Addr::UNSPECIFIED.into(),
            Family::V6 => Ipv6Addr::UNSPECIFIED.into(),
        }
    }

    /// The address that the stack is to be given: IPv4 for a mapped one.
    ///
    /// # Errors
    /// As Linux has them: `EAFNOSUPPORT` for another family, `EINVAL` for too few octets, `EFAULT` for no memory.
    pub(super) fn address(self, given: Address) -> Result<SocketAddr, Errno> {
        match (self, given) {
            (Family::V4, Address::Internet(address @ SocketAddr::V4(_))) => Ok(address),
            (Family::V6, Address::Internet(address @ SocketAddr::V6(_))) => {
                Ok(SocketAddr::new(address.ip().to_canonical(), address.port()))
            }
            (_, Address::Internet(_) | Address::Other(_) | Address::Unspecified) => Err(Errno::EAFNOSUPPORT),
            (_, Address::Short) => Err(Errno::EINVAL),
            (_, Address::Bad) => Err(Errno::EFAULT),
        }
    }

    /// The stack's address, as a socket of this family shows it: IPv4 mapped into IPv6.
    pub(super) fn shown(self, address: SocketAddr) -> SocketAddr {
        match (self, address) {
            (Family::V6, SocketAddr::V4(v4)) => SocketAddr::new(v4.ip().to_ipv6_mapped().into(), v4.port()),
            (Family::V6, SocketAddr::V6(_)) | (Family::V4, _) => address,
        }
    }
}

/// A TCP or UDP socket.
#[derive(Debug)]
pub(super) struct Socket {
    pub(super) family: Family,
    pub(super) options: Options,
    /// What `bind` was given, as the stack sees it; `None` before.
    pub(super) bound: Option<SocketAddr>,
    /// Linux's `sk_err`: told once, by whichever call comes first.
    pub(super) error: Option<Errno>,
    /// `shutdown` for reading, or the connection is over.
    pub(super) shut_read: bool,
    /// `shutdown` for writing, or the connection is over.
    pub(super) shut_write: bool,
    /// The peer's FIN was seen.
    pub(super) peer_closed: bool,
    /// What a sleeping `recv` has taken so far, because it wants more.
    pub(super) gathered: Vec<u8>,
    /// The octet of urgent data that was taken out of the stream and not yet received with `MSG_OOB`.
    pub(super) urgent: Option<u8>,
    /// The urgent octet ahead in the stream was received with `MSG_OOB` already.
    pub(super) urgent_told: bool,
    /// The widest window that the peer has offered, in octets.
    pub(super) widest_window: u32,
    /// A write found no room; whoever waits for it is to be told when there is some.
    pub(super) wants_room: bool,
    /// A sleeping `close` has sent its FIN.
    pub(super) lingers: bool,
    pub(super) role: Role,
}

/// What a socket is used for.
#[derive(Debug)]
pub(super) enum Role {
    /// A TCP socket that neither listens nor is connected.
    Idle,
    /// `connect` was called, and the first write will open: its data goes with the SYN.
    Deferred(SocketAddr),
    Listening(Listener),
    /// `connect` was called and has not yet told how it ended.
    Connecting(SocketId),
    /// Accepted, or `connect` has told that it succeeded.
    Connected(SocketId),
    /// A UDP socket.
    Datagram {
        /// `None` until it has a port.
        id: Option<SocketId>,
        remote: Option<SocketAddr>,
        /// Taken from the stack to answer `poll` or `MSG_PEEK`, and not yet received.
        waiting: VecDeque<(Bytes, SocketAddr)>,
    },
}

#[derive(Debug)]
pub(super) struct Listener {
    pub(super) id: SocketId,
    /// Connections that may wait, as `listen` was told.
    pub(super) backlog: u32,
    /// Taken from the stack to answer `poll`, and not yet accepted.
    pub(super) waiting: VecDeque<Waiting>,
}

/// A connection that nobody has accepted yet.
#[derive(Debug)]
pub(super) struct Waiting {
    pub(super) id: SocketId,
    pub(super) remote: SocketAddr,
    pub(super) error: Option<Errno>,
}

impl Socket {
    pub(super) fn new(family: Family, role: Role) -> Socket {
        Socket {
            family,
            options: Options::default(),
            bound: None,
            error: None,
            shut_read: false,
            shut_write: false,
            peer_closed: false,
            gathered: Vec::new(),
            urgent: None,
            urgent_told: false,
            widest_window: 0,
            wants_room: false,
            lingers: false,
            role,
        }
    }

    /// The connection; `None` when it is a listener, or has none.
    pub(super) fn connection(&self) -> Option<SocketId> {
        match &self.role {
            Role::Connecting(id) | Role::Connected(id) => Some(*id),
            Role::Idle | Role::Deferred(_) | Role::Listening(_) | Role::Datagram { .. } => None,
        }
    }

    /// Whatever the stack holds for it.
    pub(super) fn id(&self) -> Option<SocketId> {
        match &self.role {
            Role::Connecting(id) | Role::Connected(id) => Some(*id),
            Role::Listening(listener) => Some(listener.id),
            Role::Datagram { id, .. } => *id,
            Role::Idle | Role::Deferred(_) => None,
        }
    }

    pub(super) fn is_datagram(&self) -> bool {
        matches!(self.role, Role::Datagram { .. })
    }

    /// Back to what it was before `connect` or `listen`; the error stays.
    pub(super) fn disconnect(&mut self) {
        self.role = Role::Idle;
        (self.shut_read, self.shut_write, self.peer_closed) = (false, false, false);
        self.gathered.clear();
    }
}
