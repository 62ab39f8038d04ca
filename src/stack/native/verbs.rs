//! The verbs of the [`Stack`] trait.

use std::io::IoSlice;
use std::net::{IpAddr, SocketAddr};

use super::NativeStack;
use crate::journal::{Event, Snapshot, SocketId, Why};
use crate::packet::{DeliveryError, Packet};
use crate::stack::{OpenError, SocketError, SocketEvent, SocketOption, Stack, TcpConfig, Wake};
use crate::tcp::Ends;
use crate::time::Instant;
use crate::udp;

impl Stack for NativeStack {
    fn receive(&mut self, now: Instant, batch: &mut Vec<Packet>) {
        self.tell_time(now);
        for packet in batch.drain(..) {
            self.take_in(packet);
        }
    }

    fn transmit(&mut self, now: Instant) -> Option<(Packet, Why)> {
        self.tell_time(now);
        self.next_packet()
    }

    fn deadline(&mut self) -> Option<(Instant, Wake)> {
        let network = self.ip.deadline().map(|(at, timer)| (at, Wake { socket: None, timer }));
        let transport = self.tcp.deadline().map(|(at, socket, timer)| (at, Wake { socket: Some(socket), timer }));
        [network, transport].into_iter().flatten().min_by_key(|(at, _)| *at)
    }

    fn expire(&mut self, now: Instant) {
        self.tell_time(now);
        self.ip.expire(self.now);
        self.take_reports();
        self.tcp.expire(self.now);
        self.share_paths();
    }

    fn listen(&mut self, local: SocketAddr, backlog: usize, config: &TcpConfig) -> Result<SocketId, OpenError> {
        self.check_local(local.ip())?;
        self.tcp.listen(local, backlog, config)
    }

    fn reserve(&mut self, local: SocketAddr) -> Result<SocketId, OpenError> {
        self.check_local(local.ip())?;
        self.tcp.reserve(local)
    }

    fn accept(&mut self, now: Instant, listener: SocketId) -> Option<(SocketId, SocketAddr)> {
        self.tell_time(now);
        self.tcp.accept(listener)
    }

    fn connect(
        &mut self,
        now: Instant,
        local: Option<SocketAddr>,
        remote: SocketAddr,
        config: &TcpConfig,
    ) -> Result<SocketId, OpenError> {
        self.tell_time(now);
        let local = self.own_end(local, remote)?;
        let socket = self.tcp.connect(now, local, remote, config)?;
        self.recall_path_of(socket, remote);
        Ok(socket)
    }

    fn connect_with(
        &mut self,
        now: Instant,
        local: Option<SocketAddr>,
        remote: SocketAddr,
        config: &TcpConfig,
        data: &[u8],
    ) -> Result<(SocketId, usize), OpenError> {
        self.tell_time(now);
        let local = self.own_end(local, remote)?;
        let opened = self.tcp.connect_with(now, local, remote, config, data)?;
        self.recall_path_of(opened.0, remote);
        Ok(opened)
    }

    fn early_room(
        &self,
        now: Instant,
        local: Option<SocketAddr>,
        remote: SocketAddr,
        config: &TcpConfig,
    ) -> Option<usize> {
        let local = self.own_end(local, remote).ok()?;
        self.tcp.early_room(now, local, remote, config)
    }

    fn forget_peers(&mut self) {
        self.tcp.forget_peers();
    }

    fn tcp_defaults(&self) -> &TcpConfig {
        &self.defaults
    }

    fn send(&mut self, now: Instant, socket: SocketId, data: &[u8]) -> Result<usize, SocketError> {
        self.tell_time(now);
        self.tcp.send(now, socket, data)
    }

    fn send_parts(&mut self, now: Instant, socket: SocketId, parts: &[IoSlice<'_>]) -> Result<usize, SocketError> {
        self.tell_time(now);
        self.tcp.send_parts(now, socket, parts)
    }

    fn room(&mut self, socket: SocketId) -> Result<usize, SocketError> {
        match self.is_tcp(socket) {
            true => self.tcp.room(socket),
            false => self.udp.room(socket).map_err(udp_error),
        }
    }

    fn send_more(&mut self, now: Instant, socket: SocketId, data: &[u8]) -> Result<usize, SocketError> {
        self.tell_time(now);
        self.tcp.send_more(now, socket, data)
    }

    fn send_urgent(&mut self, now: Instant, socket: SocketId, data: &[u8]) -> Result<usize, SocketError> {
        self.tell_time(now);
        self.tcp.send_urgent(now, socket, data)
    }

    fn receive_into(
        &mut self,
        now: Instant,
        socket: SocketId,
        buffer: &mut [u8],
    ) -> Result<Option<usize>, SocketError> {
        self.tell_time(now);
        self.tcp.receive_into(now, socket, buffer)
    }

    fn peek_into(&mut self, socket: SocketId, buffer: &mut [u8]) -> Result<Option<usize>, SocketError> {
        self.tcp.peek_into(socket, buffer)
    }

    fn shutdown(&mut self, now: Instant, socket: SocketId) {
        self.tell_time(now);
        self.tcp.shutdown(now, socket);
    }

    fn close(&mut self, now: Instant, socket: SocketId) {
        self.tell_time(now);
        if self.is_tcp(socket) {
            self.tcp.close(now, socket);
        } else {
            self.close_udp(socket);
        }
    }

    fn send_stray(&mut self, now: Instant, remote: SocketAddr) -> Result<SocketId, OpenError> {
        self.tell_time(now);
        let local = self.own_end(None, remote)?;
        self.tcp.send_stray(local, remote)
    }

    fn is_stray_answered(&self, socket: SocketId) -> bool {
        self.tcp.is_stray_answered(socket)
    }

    fn abort(&mut self, now: Instant, socket: SocketId) {
        self.tell_time(now);
        if self.is_tcp(socket) {
            self.tcp.abort(now, socket);
        } else {
            self.close_udp(socket);
        }
    }

    fn set_option(&mut self, socket: SocketId, option: SocketOption) -> Result<(), SocketError> {
        if self.is_tcp(socket) {
            return self.tcp.set_option(self.now, socket, option);
        }
        let done = match option {
            SocketOption::TimeToLive(hops) => self.udp.set_hops(socket, hops),
            SocketOption::TrafficClass(class) => self.udp.set_traffic_class(socket, class),
            SocketOption::ReceiveBuffer(octets) => self.udp.set_receive_buffer(socket, octets),
            SocketOption::SendBuffer(octets) => self.udp.set_send_buffer(socket, octets),
            SocketOption::NoDelay(_)
            | SocketOption::Cork(_)
            | SocketOption::QuickAck(_)
            | SocketOption::UserTimeout(_)
            | SocketOption::KeepAlive(_)
            | SocketOption::KeepAliveInterval(_)
            | SocketOption::KeepAliveProbes(_)
            | SocketOption::MaxSegment(_)
            | SocketOption::WindowClamp(_)
            | SocketOption::FinWait2(_)
            | SocketOption::PathReports(_)
            | SocketOption::SynRetries(_)
            | SocketOption::FastOpenQueue(_)
            | SocketOption::FastOpenKeys(_)
            | SocketOption::FastOpenWithoutCookie(_)
            | SocketOption::Congestion(_) => return Err(SocketError::Unsupported),
        };
        done.map_err(udp_error)
    }

    fn tcp_settings(&self, socket: SocketId) -> Option<&TcpConfig> {
        self.tcp.config(socket)
    }

    fn take_error(&mut self, socket: SocketId) -> Option<DeliveryError> {
        self.tcp.take_error(socket).or_else(|| self.udp.take_error(socket))
    }

    fn udp_bind(&mut self, local: SocketAddr) -> Result<SocketId, OpenError> {
        let id = self.tcp.new_id();
        let bound = match self.check_local(local.ip()) {
            Ok(()) => self.udp.bind(id, local),
            Err(_) if self.ip.is_broadcast(local.ip()) || self.ip.join(local.ip()) => {
                self.udp.bind_to_many(id, local).inspect_err(|_| self.leave_if_unused(local.ip()))
            }
            Err(error) => return Err(error),
        };
        match bound {
            Ok(_) => Ok(id),
            Err(udp::BindError::AddressInUse(address)) => Err(OpenError::AddressInUse(address)),
            Err(udp::BindError::NoPorts) => Err(OpenError::NoPorts),
        }
    }

    fn udp_connect(&mut self, socket: SocketId, remote: SocketAddr) -> Result<(), SocketError> {
        self.check_route(remote.ip())?;
        let source = self.ip.source_for(remote.ip());
        self.udp.connect(socket, remote, source).map_err(udp_error)
    }

    fn udp_send_to(
        &mut self,
        now: Instant,
        socket: SocketId,
        data: &[u8],
        remote: SocketAddr,
    ) -> Result<bool, SocketError> {
        self.tell_time(now);
        self.check_route(remote.ip())?;
        let source = self.ip.source_for(remote.ip());
        self.udp.send_to(socket, data, remote, source).map_err(udp_error)
    }

    fn udp_receive_from(
        &mut self,
        socket: SocketId,
        buffer: &mut [u8],
    ) -> Result<Option<(usize, SocketAddr)>, SocketError> {
        self.udp.receive_from(socket, buffer).map_err(udp_error)
    }

    fn is_udp_readable(&mut self, socket: SocketId) -> bool {
        self.udp.is_readable(socket)
    }

    fn udp_peek_from(
        &mut self,
        socket: SocketId,
        buffer: &mut [u8],
    ) -> Result<Option<(usize, SocketAddr)>, SocketError> {
        self.udp.peek_from(socket, buffer).map_err(udp_error)
    }

    fn local_address(&self, socket: SocketId) -> Option<SocketAddr> {
        self.tcp.local_address(socket).or_else(|| self.udp.local_address(socket))
    }

    fn drain_events(&mut self, events: &mut Vec<SocketEvent>) {
        self.tcp.drain_events(events);
        self.take_udp_events(events);
    }

    fn drain_journal(&mut self, journal: &mut Vec<Event>) {
        self.ip.drain_journal(journal);
        self.tcp.drain_journal(journal);
        self.journal.drain(journal);
    }

    fn set_telling(&mut self, telling: bool) {
        self.ip.set_telling(telling);
        self.tcp.set_telling(telling);
        self.journal.set_open(telling);
    }

    fn snapshot(&self, socket: SocketId) -> Option<Snapshot> {
        self.tcp.snapshot(socket)
    }

    fn is_quiet(&self) -> bool {
        self.tcp.is_quiet() && self.udp.is_quiet() && self.ip.is_quiet()
    }

    fn mtu(&self) -> usize {
        self.ip.mtu()
    }

    fn addresses(&self) -> Vec<IpAddr> {
        self.ip.addresses().collect()
    }
}

impl NativeStack {
    /// A connection begins with what is known of its path (RFC 1191 §6.2).
    fn recall_path_of(&mut self, socket: SocketId, remote: SocketAddr) {
        if let Some(local) = self.tcp.local_address(socket) {
            self.recall_path(&Ends { local, remote });
        }
    }

    /// The end that a connection to `remote` begins at; port 0 where any will do.
    fn own_end(&self, local: Option<SocketAddr>, remote: SocketAddr) -> Result<SocketAddr, OpenError> {
        if !self.ip.is_one_host(remote.ip()) || remote.port() == 0 {
            return Err(OpenError::BadDestination(remote));
        }
        self.check_route(remote.ip()).map_err(|_| OpenError::BadDestination(remote))?;
        let source = || self.ip.source_for(remote.ip()).ok_or(OpenError::BadDestination(remote));
        match local {
            None => Ok(SocketAddr::new(source()?, 0)),
            Some(local) if local.ip().is_unspecified() => Ok(SocketAddr::new(source()?, local.port())),
            Some(local) => {
                self.check_local(local.ip())?;
                if local.is_ipv4() != remote.is_ipv4() {
                    return Err(OpenError::AddressNotAvailable(local.ip()));
                }
                Ok(local)
            }
        }
    }

    fn close_udp(&mut self, socket: SocketId) {
        let local = self.udp.local_address(socket);
        self.udp.close(socket);
        if let Some(local) = local {
            self.leave_if_unused(local.ip());
        }
    }

    /// A group that no socket is bound to any more need not be heard.
    fn leave_if_unused(&mut self, group: IpAddr) {
        if group.is_multicast() && !self.udp.is_bound_to(group) {
            self.ip.leave(group);
        }
    }

    fn check_route(&self, remote: IpAddr) -> Result<(), SocketError> {
        match self.ip.is_own(remote) || self.ip.has_route(remote) {
            true => Ok(()),
            false => Err(SocketError::Unreachable(remote)),
        }
    }

    fn check_local(&self, address: IpAddr) -> Result<(), OpenError> {
        match address.is_unspecified() || self.ip.is_own(address) {
            true => Ok(()),
            false => Err(OpenError::AddressNotAvailable(address)),
        }
    }
}

fn udp_error(error: udp::SocketError) -> SocketError {
    match error {
        udp::SocketError::Closed => SocketError::Closed,
        udp::SocketError::TooLong(octets) => SocketError::TooLong(octets),
        udp::SocketError::Unreachable(address) => SocketError::Unreachable(address),
        udp::SocketError::NotDelivered(error) => SocketError::NotDelivered(error),
    }
}
