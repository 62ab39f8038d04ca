//! Error numbers: those that Linux ends the same call with, so that a program cannot tell the difference.

use std::io;

use nix::errno::Errno;

use crate::packet::DeliveryError;
use crate::stack::{CloseReason, OpenError, SocketError};

/// What `bind` and `listen` end with.
pub(super) fn bind_error(error: OpenError) -> io::Error {
    match error {
        OpenError::AddressInUse(_) | OpenError::NoPorts => Errno::EADDRINUSE.into(),
        OpenError::AddressNotAvailable(_) => Errno::EADDRNOTAVAIL.into(),
        OpenError::BadDestination(_) => Errno::EINVAL.into(),
        OpenError::Unsupported => io::Error::new(io::ErrorKind::Unsupported, error),
    }
}

/// What `connect` ends with before it has begun.
pub(super) fn connect_error(error: OpenError) -> io::Error {
    match error {
        // The port is free, but not towards this peer.
        OpenError::AddressInUse(_) | OpenError::NoPorts | OpenError::AddressNotAvailable(_) => {
            Errno::EADDRNOTAVAIL.into()
        }
        // Nobody can listen there; Linux sends a SYN to learn it.
        OpenError::BadDestination(remote) if remote.port() == 0 => Errno::ECONNREFUSED.into(),
        OpenError::BadDestination(_) => Errno::ENETUNREACH.into(),
        OpenError::Unsupported => io::Error::new(io::ErrorKind::Unsupported, error),
    }
}

/// What a verb of an open socket ends with.
pub(super) fn socket_error(error: SocketError) -> io::Error {
    match error {
        SocketError::Closed | SocketError::NotConnected => Errno::ENOTCONN.into(),
        SocketError::ShutDown => Errno::EPIPE.into(),
        SocketError::Ended(reason) => close_error(reason),
        SocketError::TooLong(_) => Errno::EMSGSIZE.into(),
        SocketError::Unreachable(_) => Errno::ENETUNREACH.into(),
        SocketError::NotDelivered(error) => delivery_error(error),
        SocketError::Unsupported => io::Error::new(io::ErrorKind::Unsupported, error),
    }
}

/// What is told of a connection that has ended.
pub(super) fn close_error(reason: CloseReason) -> io::Error {
    match reason {
        CloseReason::Finished => Errno::ENOTCONN.into(),
        CloseReason::Refused => Errno::ECONNREFUSED.into(),
        CloseReason::Reset => Errno::ECONNRESET.into(),
        CloseReason::Aborted => Errno::ECONNABORTED.into(),
        CloseReason::TimedOut => Errno::ETIMEDOUT.into(),
        CloseReason::Unreachable(error) => delivery_error(error),
    }
}

/// What the kernel's sockets say of an ICMP error (RFC 1122 §4.2.3.9; Linux's `icmp_err_convert`).
pub(super) fn delivery_error(error: DeliveryError) -> io::Error {
    Errno::into(match error {
        DeliveryError::NetworkUnreachable => Errno::ENETUNREACH,
        DeliveryError::HostUnreachable | DeliveryError::HopsExceeded | DeliveryError::ReassemblyTimeExceeded => {
            Errno::EHOSTUNREACH
        }
        DeliveryError::SourceRouteFailed => Errno::EOPNOTSUPP,
        DeliveryError::ProtocolUnreachable => Errno::ENOPROTOOPT,
        DeliveryError::PortUnreachable => Errno::ECONNREFUSED,
        DeliveryError::TooBig { .. } => Errno::EMSGSIZE,
        DeliveryError::Prohibited => Errno::EHOSTUNREACH,
        DeliveryError::ParameterProblem { .. } => Errno::EPROTO,
    })
}

/// What a verb that does not wait says when it would have to.
pub(super) fn would_block() -> io::Error {
    io::ErrorKind::WouldBlock.into()
}
