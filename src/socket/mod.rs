//! Sockets for tokio over a userspace stack: [`TcpStream`], [`TcpListener`], [`UdpSocket`].
//!
//! They behave as tokio's own and can stand wherever an `AsyncRead + AsyncWrite + Send + Sync + Unpin` is asked for: hyper
//! and its relatives run on them unmodified. What lives here: waiting, waking, error kinds. What does not: TCP.

mod tcp;
mod udp;

pub use tcp::{TcpListener, TcpStream};
pub use udp::UdpSocket;

use std::io;

use crate::packet::DeliveryError;
use crate::stack::{CloseReason, OpenError, SocketError};

fn open_error(error: OpenError) -> io::Error {
    let kind = match error {
        OpenError::AddressInUse(_) | OpenError::NoPorts => io::ErrorKind::AddrInUse,
        OpenError::AddressNotAvailable(_) => io::ErrorKind::AddrNotAvailable,
        OpenError::BadDestination(_) => io::ErrorKind::InvalidInput,
        OpenError::Unsupported => io::ErrorKind::Unsupported,
    };
    io::Error::new(kind, error)
}

fn socket_error(error: SocketError) -> io::Error {
    let kind = match error {
        SocketError::Closed | SocketError::NotConnected => io::ErrorKind::NotConnected,
        SocketError::ShutDown => io::ErrorKind::BrokenPipe,
        SocketError::Ended(reason) => close_kind(reason),
        SocketError::TooLong(_) => io::ErrorKind::InvalidInput,
        SocketError::Unreachable(_) => io::ErrorKind::NetworkUnreachable,
        SocketError::NotDelivered(error) => delivery_kind(error),
        SocketError::Unsupported => io::ErrorKind::Unsupported,
    };
    io::Error::new(kind, error)
}

fn close_kind(reason: CloseReason) -> io::ErrorKind {
    match reason {
        CloseReason::Finished => io::ErrorKind::NotConnected,
        CloseReason::Refused => io::ErrorKind::ConnectionRefused,
        CloseReason::Reset => io::ErrorKind::ConnectionReset,
        CloseReason::Aborted => io::ErrorKind::ConnectionAborted,
        CloseReason::TimedOut => io::ErrorKind::TimedOut,
        CloseReason::Unreachable(error) => delivery_kind(error),
    }
}

/// The kind that the kernel's sockets give for an ICMP error (RFC 1122 §4.2.3.9, as Linux maps it).
fn delivery_kind(error: DeliveryError) -> io::ErrorKind {
    match error {
        DeliveryError::NetworkUnreachable => io::ErrorKind::NetworkUnreachable,
        DeliveryError::HostUnreachable | DeliveryError::HopsExceeded | DeliveryError::SourceRouteFailed => {
            io::ErrorKind::HostUnreachable
        }
        DeliveryError::ProtocolUnreachable | DeliveryError::PortUnreachable => io::ErrorKind::ConnectionRefused,
        DeliveryError::TooBig { .. } => io::ErrorKind::InvalidInput,
        DeliveryError::Prohibited => io::ErrorKind::PermissionDenied,
        DeliveryError::ReassemblyTimeExceeded | DeliveryError::ParameterProblem { .. } => io::ErrorKind::Other,
    }
}
