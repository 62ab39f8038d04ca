//! Sockets for tokio over a userspace stack: [`TcpStream`], [`TcpListener`], [`UdpSocket`].
//!
//! They behave as tokio's own and can stand wherever an `AsyncRead + AsyncWrite + Send + Sync + Unpin` is asked for: hyper
//! and its relatives run on them unmodified. What lives here: waiting, waking, error kinds. What does not: TCP.

mod tcp;
mod udp;

pub use tcp::{TcpListener, TcpStream};
pub use udp::UdpSocket;

use std::io;

use crate::stack::{CloseReason, OpenError, SocketError};

fn open_error(error: OpenError) -> io::Error {
    let kind = match error {
        OpenError::AddressInUse(_) | OpenError::NoPorts => io::ErrorKind::AddrInUse,
        OpenError::AddressNotAvailable(_) => io::ErrorKind::AddrNotAvailable,
        OpenError::BadDestination(_) => io::ErrorKind::InvalidInput,
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
    }
}
