//! Listeners: sockets in LISTEN, and the connections that wait to be accepted.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::Arc;

use super::Engine;
use crate::journal::SocketId;
use crate::tcp::config::Config;

/// A socket in LISTEN.
#[derive(Debug)]
pub(super) struct Listener {
    /// Where.
    pub(super) local: SocketAddr,
    /// Connections that may wait, besides the one that is always let in.
    pub(super) backlog: usize,
    /// What its connections begin with.
    pub(super) config: Arc<Config>,
    /// Connections in their handshake.
    pub(super) opening: usize,
    /// Connections that are open and not yet accepted, oldest first.
    pub(super) open: VecDeque<SocketId>,
}

impl Listener {
    /// Whether one more connection would be too many. As in Linux a backlog of `n` lets `n + 1` wait.
    pub(super) fn is_full(&self) -> bool {
        self.opening + self.open.len() > self.backlog
    }
}

impl Engine {
    /// The listener that a segment to `local` is for: the one on this very address, else the one on any.
    pub(super) fn listener_at(&self, local: SocketAddr) -> Option<SocketId> {
        let any = match local {
            SocketAddr::V4(_) => SocketAddr::from(([0; 4], local.port())),
            SocketAddr::V6(_) => SocketAddr::from(([0; 16], local.port())),
        };
        self.by_address.get(&local).or_else(|| self.by_address.get(&any)).copied()
    }

    /// A connection of a listener is open now, or has failed before it was.
    pub(super) fn handshake_is_over(&mut self, socket: SocketId) {
        let Some(slot) = self.connections.get_mut(&socket).filter(|slot| slot.pending) else { return };
        let crate::tcp::connection::Origin::Passive(parent) = slot.connection.origin() else { return };
        let failed = slot.connection.closed().is_some();
        if failed {
            // Nobody has ever heard of it: back to LISTEN, as RFC 9293 §3.10.7.4 says it.
            slot.pending = false;
            slot.connection.orphan_quietly();
        }
        if let Some(listener) = self.listeners.get_mut(&parent) {
            listener.opening = listener.opening.saturating_sub(1);
            if !failed {
                listener.open.push_back(socket);
            }
        }
    }
}
