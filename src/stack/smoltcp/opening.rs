//! How connections begin: listeners and what waits with them, and those that we open.

use std::collections::VecDeque;
use std::net::{IpAddr, SocketAddr};

use smoltcp::wire::IpEndpoint;

use super::{Entry, Listener, SmoltcpStack, Stream, clash, convert, has_been_open};
use crate::journal::{SocketId, TcpState};
use crate::stack::{OpenError, Stack as _, TcpConfig};
use crate::time::Instant;

impl SmoltcpStack {
    /// Begins to listen; port 0 takes a free one.
    pub(super) fn open_listener(
        &mut self,
        local: SocketAddr,
        backlog: usize,
        config: &TcpConfig,
    ) -> Result<SocketId, OpenError> {
        self.check_local(local)?;
        let local = match local.port() {
            0 => SocketAddr::new(local.ip(), self.ephemeral_port(local.ip())?),
            _ => local,
        };
        let listening = |entry: &Entry| matches!(entry, Entry::Listener(other) if clash(other.local, local));
        if self.entries.values().any(listening) {
            return Err(OpenError::AddressInUse(local));
        }
        let id = self.new_id();
        let (backlog, config) = (backlog.saturating_add(1), config.clone());
        let listener = Listener { local, backlog, config, spare: None, pending: VecDeque::new() };
        self.entries.insert(id, Entry::Listener(listener));
        self.listeners.push(id);
        self.refill_spare(id);
        Ok(id)
    }

    /// The first connection of a listener that is open.
    pub(super) fn take_pending(&mut self, listener: SocketId) -> Option<(SocketId, SocketAddr)> {
        let Some(Entry::Listener(entry)) = self.entries.get(&listener) else { return None };
        let open = |id: &&SocketId| self.stream(**id).is_ok_and(|stream| has_been_open(stream.state));
        let id = *entry.pending.iter().find(open)?;
        if let Some(Entry::Listener(entry)) = self.entries.get_mut(&listener) {
            entry.pending.retain(|pending| *pending != id);
        }
        self.refill_spare(listener);
        match self.entries.get_mut(&id) {
            Some(Entry::Stream(stream)) => {
                stream.parent = None;
                Some((id, stream.remote))
            }
            Some(Entry::Listener(_) | Entry::Udp(_)) | None => None,
        }
    }

    /// Closing a listener resets what was not accepted (RFC 9293 §3.10.4 for LISTEN; as Linux does for the rest).
    pub(super) fn close_listener(&mut self, now: Instant, id: SocketId) {
        let Some(Entry::Listener(listener)) = self.entries.remove(&id) else { return };
        self.listeners.retain(|other| *other != id);
        if let Some(spare) = listener.spare {
            self.sockets.remove(spare);
        }
        for pending in listener.pending {
            if let Some(Entry::Stream(stream)) = self.entries.get_mut(&pending) {
                stream.parent = None;
            }
            self.abort(now, pending);
        }
    }

    /// Begins to open a connection; without `local`, or with none of its parts, from an address and port of our choice.
    pub(super) fn open_stream(
        &mut self,
        local: Option<SocketAddr>,
        remote: SocketAddr,
        config: &TcpConfig,
    ) -> Result<SocketId, OpenError> {
        if remote.ip().is_multicast() || remote.ip() == IpAddr::from([255; 4]) {
            return Err(OpenError::BadDestination(remote));
        }
        let any = if remote.is_ipv4() { IpAddr::from([0; 4]) } else { IpAddr::from([0; 16]) };
        let source = self.source_towards(any, remote).ok_or(OpenError::BadDestination(remote))?;
        let local = match local {
            Some(local) => {
                self.check_local(local)?;
                if !local.ip().is_unspecified() && local.is_ipv4() != remote.is_ipv4() {
                    return Err(OpenError::AddressNotAvailable(local.ip()));
                }
                let ip = if local.ip().is_unspecified() { source } else { local.ip() };
                let port = if local.port() == 0 { self.ephemeral_port(ip)? } else { local.port() };
                SocketAddr::new(ip, port)
            }
            None => SocketAddr::new(source, self.ephemeral_port(source)?),
        };
        if self.stream_between(local, remote).is_some() {
            return Err(OpenError::AddressInUse(local));
        }
        let mut socket = convert::tcp_socket(config);
        let end = |address: SocketAddr| IpEndpoint::new(address.ip().into(), address.port());
        socket
            .connect(self.interface.context(), end(remote), end(local))
            .map_err(|_| OpenError::BadDestination(remote))?;
        let handle = self.sockets.add(socket);
        let id = self.new_id();
        self.add_stream(id, Stream::new(handle, None, local, remote, TcpState::Closed));
        self.touch();
        self.compare_stream(id);
        Ok(id)
    }
}
