//! What the applications of a host ask for.

use std::io::IoSlice;
use std::net::SocketAddr;
use std::sync::Arc;

use super::listener::Listener;
use super::{Engine, NEVER, Slot};
use crate::journal::SocketId;
use crate::packet::{DeliveryError, PacketId};
use crate::tcp::config::Config;
use crate::tcp::connection::{self, Birth, Connection, Context, Origin};
use crate::tcp::segment::Ends;
use crate::time::Instant;
use crate::transport::{OpenError, SocketError, SocketOption};

/// The first port that is given to those who ask for none (RFC 6335 §6).
const FIRST_EPHEMERAL: u16 = 49_152;
/// How many there are.
const EPHEMERAL: u16 = u16::MAX - FIRST_EPHEMERAL + 1;

impl Engine {
    /// Listens on `local`; port 0 takes a free one.
    ///
    /// # Errors
    /// [`OpenError::AddressInUse`] when another listener is in the way, [`OpenError::NoPorts`].
    pub fn listen(&mut self, local: SocketAddr, backlog: usize, config: &Config) -> Result<SocketId, OpenError> {
        let local = self.free_address(local)?;
        let socket = self.new_id();
        let config = self.share(config);
        self.listeners.insert(socket, Listener::new(local, backlog, config));
        self.by_port.insert((local.port(), local.ip()), socket);
        Ok(socket)
    }

    /// Keeps an address for a listener or a connection to come, until [`Engine::close`]; port 0 takes a free one.
    ///
    /// # Errors
    /// As [`Engine::listen`].
    pub fn reserve(&mut self, local: SocketAddr) -> Result<SocketId, OpenError> {
        let local = self.free_address(local)?;
        let socket = self.new_id();
        self.reserved.insert(socket, local);
        Ok(socket)
    }

    /// `local` with a port, if nobody listens there and it is kept for nobody.
    fn free_address(&mut self, local: SocketAddr) -> Result<SocketAddr, OpenError> {
        let is_taken = |engine: &Engine, local| engine.has_listener(local) || engine.has_reserved(local);
        match local.port() {
            0 => self
                .free_port(|engine, port| is_taken(engine, SocketAddr::new(local.ip(), port)))
                .map(|port| SocketAddr::new(local.ip(), port)),
            _ if is_taken(self, local) => Err(OpenError::AddressInUse(local)),
            _ => Ok(local),
        }
    }

    fn has_reserved(&self, local: SocketAddr) -> bool {
        self.reserved.values().any(|other| {
            let overlap = other.ip() == local.ip() || other.ip().is_unspecified() || local.ip().is_unspecified();
            other.port() == local.port() && overlap && other.is_ipv4() == local.is_ipv4()
        })
    }

    /// The next open connection of a listener.
    pub fn accept(&mut self, listener: SocketId) -> Option<(SocketId, SocketAddr)> {
        let socket = self.listeners.get_mut(&listener)?.open.pop_front()?;
        let slot = self.connections.get_mut(&socket)?;
        slot.pending = false;
        slot.connection.accepted();
        Some((socket, slot.connection.ends().remote))
    }

    /// Begins to open a connection from `local`, whose address is one of the host's; port 0 takes a free one.
    ///
    /// # Errors
    /// [`OpenError::AddressInUse`] when there is such a connection already, [`OpenError::NoPorts`].
    pub fn connect(
        &mut self,
        now: Instant,
        local: SocketAddr,
        remote: SocketAddr,
        config: &Config,
    ) -> Result<SocketId, OpenError> {
        let socket = self.new_connection(now, local, remote, config)?;
        self.with(now, socket, PacketId::default(), |connection, cx| connection.open(cx));
        Ok(socket)
    }

    /// As [`Engine::connect`], and queues data, of which the first may go with the SYN (RFC 7413). Returns how much of it
    /// found room, too.
    ///
    /// # Errors
    /// As [`Engine::connect`].
    pub fn connect_with(
        &mut self,
        now: Instant,
        local: SocketAddr,
        remote: SocketAddr,
        config: &Config,
        data: &[u8],
    ) -> Result<(SocketId, usize), OpenError> {
        let socket = self.new_connection(now, local, remote, config)?;
        let offer = self.peers.offer(now, &Ends { local, remote }, &config.fast_open);
        let open = |connection: &mut Connection, cx: &mut Context<'_>| connection.open_with(cx, offer, data);
        let taken = self.with(now, socket, PacketId::default(), open);
        Ok((socket, taken.unwrap_or(0)))
    }

    /// Octets of data that would go with a SYN sent now; `None` when none may.
    pub fn early_room(&self, now: Instant, local: SocketAddr, remote: SocketAddr, config: &Config) -> Option<usize> {
        let ends = Ends { local, remote };
        let offer = self.peers.offer(now, &ends, &config.fast_open);
        offer.carries.then(|| connection::early_room(config, self.mtu, &ends, &offer) as usize)
    }

    /// Forgets what was learnt of peers.
    pub fn forget_peers(&mut self) {
        self.peers.forget();
    }

    fn new_connection(
        &mut self,
        now: Instant,
        local: SocketAddr,
        remote: SocketAddr,
        config: &Config,
    ) -> Result<SocketId, OpenError> {
        let at = |port| Ends { local: SocketAddr::new(local.ip(), port), remote };
        let ends = match local.port() {
            0 => at(self.free_port(|engine, port| engine.by_ends.contains_key(&at(port)))?),
            port if self.by_ends.contains_key(&at(port)) => return Err(OpenError::AddressInUse(local)),
            port => at(port),
        };
        let socket = self.new_id();
        let birth = Birth {
            ends,
            origin: Origin::Active,
            config: self.share(config),
            iss: self.secret.initial_sequence_number(now, &ends),
            timestamp_offset: self.secret.timestamp_offset(&ends),
            mtu: self.mtu,
            now,
        };
        let connection = Box::new(Connection::new(birth));
        self.connections
            .insert(socket, Slot { connection, scheduled: NEVER, ready: false, pending: false, busy: false });
        self.by_ends.insert(ends, socket);
        Ok(socket)
    }

    /// Queues data; returns how much found room.
    ///
    /// # Errors
    /// [`SocketError`] when nothing can be sent any more.
    pub fn send(&mut self, now: Instant, socket: SocketId, data: &[u8]) -> Result<usize, SocketError> {
        self.with(now, socket, PacketId::default(), |connection, _| connection.send(data))
            .unwrap_or(Err(SocketError::Closed))
    }

    /// Sends what stands in several places as if it stood in one.
    ///
    /// # Errors
    /// As [`Engine::send`].
    pub fn send_parts(&mut self, now: Instant, socket: SocketId, parts: &[IoSlice<'_>]) -> Result<usize, SocketError> {
        self.with(now, socket, PacketId::default(), |connection, _| connection.send_parts(parts))
            .unwrap_or(Err(SocketError::Closed))
    }

    /// Octets that [`Engine::send`] would take now; an event `Writable` follows when it is 0.
    ///
    /// # Errors
    /// As [`Engine::send`].
    pub fn room(&mut self, socket: SocketId) -> Result<usize, SocketError> {
        self.connections.get_mut(&socket).map_or(Err(SocketError::Closed), |slot| slot.connection.room())
    }

    /// As [`Engine::send`], and more follows soon: only full segments go until it has come, and none with PSH.
    ///
    /// # Errors
    /// As [`Engine::send`].
    pub fn send_more(&mut self, now: Instant, socket: SocketId, data: &[u8]) -> Result<usize, SocketError> {
        self.with(now, socket, PacketId::default(), |connection, _| connection.send_more(data))
            .unwrap_or(Err(SocketError::Closed))
    }

    /// As [`Engine::send`]; the last octet is the last of the urgent data.
    ///
    /// # Errors
    /// As [`Engine::send`].
    pub fn send_urgent(&mut self, now: Instant, socket: SocketId, data: &[u8]) -> Result<usize, SocketError> {
        self.with(now, socket, PacketId::default(), |connection, _| connection.send_urgent(data))
            .unwrap_or(Err(SocketError::Closed))
    }

    /// Takes received data: `None` when none is there, 0 at the end of the stream.
    ///
    /// # Errors
    /// [`SocketError`] when the connection has failed.
    pub fn receive_into(
        &mut self,
        now: Instant,
        socket: SocketId,
        buffer: &mut [u8],
    ) -> Result<Option<usize>, SocketError> {
        self.with(now, socket, PacketId::default(), |connection, cx| connection.receive(cx, buffer))
            .unwrap_or(Err(SocketError::Closed))
    }

    /// As [`Engine::receive_into`], but takes nothing.
    ///
    /// # Errors
    /// As [`Engine::receive_into`].
    pub fn peek_into(&mut self, socket: SocketId, buffer: &mut [u8]) -> Result<Option<usize>, SocketError> {
        self.connections.get_mut(&socket).map_or(Err(SocketError::Closed), |slot| slot.connection.peek(buffer))
    }

    /// Closes our side.
    pub fn shutdown(&mut self, now: Instant, socket: SocketId) {
        self.with(now, socket, PacketId::default(), |connection, cx| connection.shutdown(cx));
    }

    /// Gives a connection or a listener up; what was sent is still delivered.
    pub fn close(&mut self, now: Instant, socket: SocketId) {
        self.reserved.remove(&socket);
        self.strays.remove(&socket);
        if self.listeners.contains_key(&socket) {
            return self.close_listener(now, socket);
        }
        self.with(now, socket, PacketId::default(), |connection, cx| connection.close(cx));
    }

    /// Gives a connection or a listener up at once.
    pub fn abort(&mut self, now: Instant, socket: SocketId) {
        if self.listeners.contains_key(&socket) {
            return self.close_listener(now, socket);
        }
        self.with(now, socket, PacketId::default(), |connection, cx| connection.abort(cx));
    }

    /// Changes an option of a connection, or of the connections that a listener will have.
    ///
    /// # Errors
    /// [`SocketError::Closed`] when there is no such socket.
    pub fn set_option(&mut self, now: Instant, socket: SocketId, option: SocketOption) -> Result<(), SocketError> {
        if let Some(listener) = self.listeners.get_mut(&socket) {
            connection::apply(Arc::make_mut(&mut listener.config), option);
            return Ok(());
        }
        self.with(now, socket, PacketId::default(), |connection, cx| connection.set_option(cx, option))
            .ok_or(SocketError::Closed)
    }

    /// What a connection, or those of a listener, begin with and were told since; `None` when there is no such socket.
    pub fn config(&self, socket: SocketId) -> Option<&Config> {
        let listening = || self.listeners.get(&socket).map(|listener| &*listener.config);
        self.connections.get(&socket).map(|slot| slot.connection.config()).or_else(listening)
    }

    /// Takes what the network has reported and did not end the connection.
    pub fn take_error(&mut self, socket: SocketId) -> Option<DeliveryError> {
        self.connections.get_mut(&socket)?.connection.take_error()
    }

    /// The socket's own end.
    pub fn local_address(&self, socket: SocketId) -> Option<SocketAddr> {
        let listening = || self.listeners.get(&socket).map(|listener| listener.local);
        let connected = self.connections.get(&socket).map(|slot| slot.connection.ends().local);
        connected.or_else(listening).or_else(|| self.reserved.get(&socket).copied())
    }

    /// Whether there is such a socket.
    pub fn has(&self, socket: SocketId) -> bool {
        self.connections.contains_key(&socket)
            || self.listeners.contains_key(&socket)
            || self.reserved.contains_key(&socket)
            || self.strays.contains_key(&socket)
    }

    /// Closing a listener resets what was not accepted (RFC 9293 §3.10.4 for LISTEN; as Linux does for the rest).
    fn close_listener(&mut self, now: Instant, socket: SocketId) {
        let Some(listener) = self.listeners.remove(&socket) else { return };
        self.by_port.remove(&(listener.local.port(), listener.local.ip()));
        let mut pending: Vec<SocketId> = listener.opening.into_iter().chain(listener.open).collect();
        // In the order in which they came.
        pending.sort_unstable();
        for id in pending {
            if let Some(slot) = self.connections.get_mut(&id) {
                slot.pending = false;
            }
            self.with(now, id, PacketId::default(), |connection, cx| connection.abort(cx));
        }
    }

    /// A port that is free: the first after a random one (RFC 6056 §3.3.1).
    pub(super) fn free_port(&mut self, is_taken: impl Fn(&Engine, u16) -> bool) -> Result<u16, OpenError> {
        let first = self.rng.below(u64::from(EPHEMERAL)) as u16;
        (0..EPHEMERAL)
            .map(|step| FIRST_EPHEMERAL + (first + step) % EPHEMERAL)
            .find(|port| !is_taken(self, *port))
            .ok_or(OpenError::NoPorts)
    }
}
