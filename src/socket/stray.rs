//! A segment that belongs to no connection, and whether anybody refuses it.

use std::future::poll_fn;
use std::io;
use std::net::SocketAddr;

use super::error::connect_error;
use crate::journal::SocketId;
use crate::network::{Interest, NodeHandle};

/// A bare ACK that was sent without a connection, as `nmap -sA` does: hosts refuse it with a reset, filters that remember
/// connections let it vanish.
pub struct Stray {
    node: NodeHandle,
    socket: SocketId,
}

impl Stray {
    /// Sends it from a free port.
    ///
    /// # Errors
    /// [`io::ErrorKind::Unsupported`] when the stack cannot do it, [`io::ErrorKind::NetworkUnreachable`] without a way there,
    /// [`io::ErrorKind::AddrNotAvailable`] without a free port.
    pub fn send(node: &NodeHandle, remote: SocketAddr) -> io::Result<Stray> {
        let socket = node.with_stack(|stack, now| stack.send_stray(now, remote)).map_err(connect_error)?;
        Ok(Stray { node: node.clone(), socket })
    }

    /// Waits for the reset that answers it, which may never come. Dropping the future loses nothing.
    pub async fn is_refused(&self) {
        let answered = |context: &mut std::task::Context<'_>| {
            self.node.poll_with(context, self.socket, Interest::Read, |stack, _| {
                stack.is_stray_answered(self.socket).then_some(())
            })
        };
        poll_fn(answered).await;
    }
}

impl Drop for Stray {
    fn drop(&mut self) {
        self.node.forget(self.socket);
        self.node.with_stack(|stack, now| stack.close(now, self.socket));
    }
}
