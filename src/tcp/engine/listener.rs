//! Listeners: sockets in LISTEN, and the connections that wait to be accepted.

use std::collections::{BTreeSet, VecDeque};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use super::Engine;
use crate::journal::SocketId;
use crate::tcp::config::{Config, SynCookies};
use crate::tcp::connection::Origin;
use crate::tcp::syn_cookies::LOOKED_FOR;
use crate::time::Instant;
use crate::transport::CloseReason;

/// A socket in LISTEN.
#[derive(Debug)]
pub(super) struct Listener {
    /// Where.
    pub(super) local: SocketAddr,
    /// Connections that may wait, besides the one that is always let in.
    pub(super) backlog: usize,
    /// What its connections begin with.
    pub(super) config: Arc<Config>,
    /// Connections in their handshake, in the order in which they came.
    pub(super) opening: BTreeSet<SocketId>,
    /// Connections that are open and not yet accepted, oldest first.
    pub(super) open: VecDeque<SocketId>,
    /// Of these and those accepted, the ones that Fast Open has opened before their handshake was over.
    pub(super) early: BTreeSet<SocketId>,
    /// Until when connections that were open early and reset then still count: whoever sends SYNs in another's name has
    /// them reset by that other (RFC 7413 §5.1). Oldest first, and never more than `early` may have.
    pub(super) reset_early: VecDeque<Instant>,
    /// When a SYN was last answered by a cookie.
    pub(super) cookie_sent: Option<Instant>,
}

/// How long a connection counts that was open early and reset (as Linux).
const RESET_EARLY: Duration = Duration::from_secs(60);

impl Listener {
    /// A listener without connections.
    pub(super) fn new(local: SocketAddr, backlog: usize, config: Arc<Config>) -> Listener {
        Listener {
            local,
            backlog,
            config,
            opening: BTreeSet::new(),
            open: VecDeque::new(),
            early: BTreeSet::new(),
            reset_early: VecDeque::new(),
            cookie_sent: None,
        }
    }

    /// A connection is open before its handshake is over.
    pub(super) fn opens_early(&mut self, socket: SocketId) {
        self.opening.remove(&socket);
        self.early.insert(socket);
        self.open.push_back(socket);
    }

    /// Whether one more connection may be open before its handshake is over.
    pub(super) fn may_open_early(&mut self, now: Instant) -> bool {
        self.reset_early.retain(|until| now < *until);
        self.early.len() + self.reset_early.len() < self.config.fast_open.queue
    }

    /// Whether one more connection in its handshake would be too many. As in Linux a backlog of `n` lets `n + 1` wait.
    pub(super) fn is_full(&self) -> bool {
        self.opening.len() + self.open.len() > self.backlog || self.opening.len() >= self.config.half_open
    }

    /// Whether the application is so far behind that not even an open connection may wait for it.
    pub(super) fn is_behind(&self) -> bool {
        self.open.len() > self.backlog
    }

    /// Whether a SYN is to be answered by a cookie.
    pub(super) fn wants_cookie(&self) -> bool {
        match self.config.syn_cookies {
            SynCookies::Never => false,
            SynCookies::WhenFull => self.is_full(),
            SynCookies::Always => true,
        }
    }

    /// Whether an acknowledgment may hold a cookie.
    pub(super) fn awaits_cookies(&self, now: Instant) -> bool {
        self.cookie_sent.is_some_and(|sent| now - sent <= LOOKED_FOR)
    }
}

impl Engine {
    /// The listener that a segment to `local` is for: the one on this very address, else the one on any.
    pub(super) fn listener_at(&self, local: SocketAddr) -> Option<SocketId> {
        let at = |address| self.by_port.get(&(local.port(), address)).copied();
        at(local.ip()).or_else(|| at(any_of_family(local)))
    }

    /// Whether a listener is in the way of another one there.
    pub(super) fn has_listener(&self, local: SocketAddr) -> bool {
        let port = local.port();
        if !local.ip().is_unspecified() {
            return self.listener_at(local).is_some();
        }
        let last: IpAddr = match local {
            SocketAddr::V4(_) => Ipv4Addr::BROADCAST.into(),
            SocketAddr::V6(_) => Ipv6Addr::from_bits(u128::MAX).into(),
        };
        self.by_port.range((port, any_of_family(local))..=(port, last)).next().is_some()
    }

    /// A connection of a listener is open now, or has failed before it was.
    pub(super) fn handshake_is_over(&mut self, now: Instant, socket: SocketId) {
        let Some(slot) = self.connections.get_mut(&socket) else { return };
        let Origin::Passive(parent) = slot.connection.origin() else { return };
        let failed = slot.connection.closed();
        if let Some(listener) = self.listeners.get_mut(&parent)
            && listener.early.remove(&socket)
        {
            // It stands in the queue, or has been accepted: it stays what it is.
            if failed == Some(CloseReason::Reset) {
                listener.reset_early.push_back(now + RESET_EARLY);
            }
            return;
        }
        if !slot.pending {
            return;
        }
        let failed = failed.is_some();
        if failed {
            // Nobody has ever heard of it: back to LISTEN, as RFC 9293 §3.10.7.4 says it.
            slot.pending = false;
            slot.connection.orphan_quietly();
        }
        if let Some(listener) = self.listeners.get_mut(&parent) {
            listener.opening.remove(&socket);
            if !failed {
                listener.open.push_back(socket);
            }
        }
    }
}

/// The address that stands for every one of the family, and comes before all of them.
fn any_of_family(local: SocketAddr) -> IpAddr {
    match local {
        SocketAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
        SocketAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
    }
}
