//! How far an attempt to connect has come, whichever call asks.

use crate::journal::{SocketId, TcpState};
use crate::stack::Stack;

/// How far an attempt to connect has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Attempt {
    /// The handshake is not over.
    UnderWay,
    /// It has ended, or nobody knows of it any more.
    Failed,
    /// The connection is open, or was, until one side closed it.
    Open,
}

impl Attempt {
    /// How far the attempt of `id` has come.
    pub(super) fn of(stack: &dyn Stack, id: SocketId) -> Attempt {
        match stack.snapshot(id).map_or(TcpState::Closed, |snapshot| snapshot.state) {
            TcpState::SynSent | TcpState::SynReceived => Attempt::UnderWay,
            TcpState::Closed => Attempt::Failed,
            TcpState::Listen
            | TcpState::Established
            | TcpState::FinWait1
            | TcpState::FinWait2
            | TcpState::CloseWait
            | TcpState::Closing
            | TcpState::LastAck
            | TcpState::TimeWait => Attempt::Open,
        }
    }
}
