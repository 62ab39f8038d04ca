//! Why a call does not simply succeed, and what the stack's errors mean in Linux's numbers.

use super::{Blocked, Errno, Outcome};
use crate::packet::DeliveryError;
use crate::stack::{CloseReason, OpenError, SocketError};

/// What ends a call early.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Stop {
    /// It fails.
    Fail(Errno),
    /// It sleeps.
    Block(Blocked),
    /// The stack has no such ability.
    Unsupported(String),
}

/// What a call comes to.
pub(super) type Answer<T> = Result<T, Stop>;

impl Stop {
    /// The stack cannot do `what`.
    pub(super) fn unsupported<T>(what: impl Into<String>) -> Answer<T> {
        Err(Stop::Unsupported(what.into()))
    }

    /// What a verb of the stack answered to `what`.
    pub(super) fn of_stack(error: SocketError, what: &str) -> Stop {
        match error {
            SocketError::Closed | SocketError::NotConnected => Stop::Fail(Errno::ENOTCONN),
            SocketError::ShutDown => Stop::Fail(Errno::EPIPE),
            SocketError::Ended(reason) => Stop::Fail(of_close(reason, false).unwrap_or(Errno::EPIPE)),
            SocketError::TooLong(_) => Stop::Fail(Errno::EMSGSIZE),
            SocketError::NotDelivered(error) => Stop::Fail(of_delivery(error)),
            SocketError::Unsupported => Stop::Unsupported(what.to_owned()),
            SocketError::Unreachable(_) => Stop::Fail(Errno::ENETUNREACH),
        }
    }
}

impl From<Errno> for Stop {
    fn from(errno: Errno) -> Stop {
        Stop::Fail(errno)
    }
}

impl From<OpenError> for Stop {
    fn from(error: OpenError) -> Stop {
        Stop::Fail(match error {
            OpenError::Unsupported => return Stop::Unsupported("Fast Open".to_owned()),
            OpenError::AddressInUse(_) => Errno::EADDRINUSE,
            OpenError::AddressNotAvailable(_) | OpenError::NoPorts => Errno::EADDRNOTAVAIL,
            OpenError::BadDestination(_) => Errno::ENETUNREACH,
        })
    }
}

impl From<Stop> for Outcome {
    fn from(stop: Stop) -> Outcome {
        match stop {
            Stop::Fail(errno) => Outcome::Failed(errno),
            Stop::Block(blocked) => Outcome::WouldBlock(blocked),
            Stop::Unsupported(what) => Outcome::Unsupported(what),
        }
    }
}

/// The error that a connection's end leaves at its socket; `None` when it ended in order or by our own hand. A reset after
/// the peer's FIN reads as a broken pipe on Linux, and as a reset elsewhere.
pub(super) fn of_close(reason: CloseReason, peer_had_closed: bool) -> Option<Errno> {
    match reason {
        CloseReason::Finished | CloseReason::Aborted => None,
        CloseReason::Refused => Some(Errno::ECONNREFUSED),
        CloseReason::Reset if peer_had_closed => Some(Errno::EPIPE),
        CloseReason::Reset => Some(Errno::ECONNRESET),
        CloseReason::TimedOut => Some(Errno::ETIMEDOUT),
        CloseReason::Unreachable(error) => Some(of_delivery(error)),
    }
}

/// What Linux makes of an ICMP error.
pub(super) fn of_delivery(error: DeliveryError) -> Errno {
    match error {
        DeliveryError::NetworkUnreachable => Errno::ENETUNREACH,
        DeliveryError::HostUnreachable
        | DeliveryError::Prohibited
        | DeliveryError::HopsExceeded
        | DeliveryError::ReassemblyTimeExceeded => Errno::EHOSTUNREACH,
        DeliveryError::ProtocolUnreachable => Errno::ENOPROTOOPT,
        DeliveryError::PortUnreachable => Errno::ECONNREFUSED,
        DeliveryError::TooBig { .. } => Errno::EMSGSIZE,
        DeliveryError::SourceRouteFailed => Errno::EOPNOTSUPP,
        DeliveryError::ParameterProblem { .. } => Errno::EPROTO,
    }
}
