//! The verbs of the [`Stack`] trait. How connections begin stands in [`opening`](super::opening), what is done with datagrams
//! in [`datagrams`](super::datagrams).

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use smoltcp::socket::{tcp, udp};

use super::convert::{self, ip_address, our_instant, smoltcp_instant};
use super::datagrams::taken;
use super::{Entry, Outgoing, SmoltcpStack, Stream, has_been_open};
use crate::journal::{Event, Snapshot, SocketId, TcpState, Timer, Why};
use crate::packet::{DeliveryError, Packet, segment};
use crate::stack::{CloseReason, OpenError, SocketError, SocketEvent, SocketOption, Stack, TcpConfig, Wake};
use crate::time::Instant;

/// How long a peer may be silent while a connection that nobody holds any more closes. RFC 9293 §3.8.3 asks for at least
/// 100 s; smoltcp by itself would wait for ever, and keep the buffers of every peer that has vanished.
const ORPHAN_PATIENCE: Duration = Duration::from_secs(120);

impl Stack for SmoltcpStack {
    fn receive(&mut self, now: Instant, batch: &mut Vec<Packet>) {
        self.touch();
        let mut pieces = Vec::new();
        for packet in batch.drain(..) {
            segment::cut(packet, &mut pieces);
            for piece in pieces.drain(..) {
                self.take_in(now, &piece);
            }
        }
        self.compare();
    }

    fn transmit(&mut self, now: Instant) -> Option<(Packet, Why)> {
        if self.departing.is_empty() {
            self.poll_egress(now);
        }
        let Outgoing { packet, why, told } = self.departing.pop_front()?;
        if let Some((socket, departure)) = told {
            departure.tell(socket, &mut self.journal);
        }
        Some((packet, why))
    }

    fn deadline(&mut self) -> Option<(Instant, Wake)> {
        let now = self.drained_at.unwrap_or_default();
        let at = our_instant(self.interface.poll_at(smoltcp_instant(now), &self.sockets)?);
        // smoltcp says "now" for a socket that waits for a neighbour or a window; it has just sent all it could, so the
        // next look that can change anything is a moment later.
        let at = if self.drained_at.is_some_and(|drained| at <= drained) { now + Duration::from_millis(1) } else { at };
        Some((at, Wake { socket: None, timer: Timer::Unnamed }))
    }

    fn expire(&mut self, now: Instant) {
        self.touch();
        self.poll_egress(now);
    }

    fn listen(&mut self, local: SocketAddr, backlog: usize, config: &TcpConfig) -> Result<SocketId, OpenError> {
        self.open_listener(local, backlog, config)
    }

    fn accept(&mut self, _now: Instant, listener: SocketId) -> Option<(SocketId, SocketAddr)> {
        self.take_pending(listener)
    }

    fn connect(
        &mut self,
        _now: Instant,
        local: Option<SocketAddr>,
        remote: SocketAddr,
        config: &TcpConfig,
    ) -> Result<SocketId, OpenError> {
        self.open_stream(local, remote, config)
    }

    fn tcp_defaults(&self) -> &TcpConfig {
        &self.defaults
    }

    fn send(&mut self, _now: Instant, socket: SocketId, data: &[u8]) -> Result<usize, SocketError> {
        let stream = self.stream(socket)?;
        if let Some(failure) = stream.failure() {
            return Err(failure);
        }
        let (handle, state) = (stream.handle, stream.state);
        let sent = self.sockets.get_mut::<tcp::Socket<'_>>(handle).send_slice(data).map_err(|_| match state {
            TcpState::SynSent | TcpState::SynReceived | TcpState::Listen => SocketError::NotConnected,
            TcpState::Closed => SocketError::Closed,
            _ => SocketError::ShutDown,
        })?;
        if sent < data.len()
            && let Some(Entry::Stream(stream)) = self.entries.get_mut(&socket)
        {
            stream.writable = false;
        }
        self.touch();
        Ok(sent)
    }

    fn room(&mut self, socket: SocketId) -> Result<usize, SocketError> {
        if let Some(Entry::Udp(datagrams)) = self.entries.get_mut(&socket) {
            let smol = self.sockets.get_mut::<udp::Socket<'_>>(datagrams.handle);
            datagrams.was_full |= !smol.can_send();
            let left = smol.payload_send_capacity().saturating_sub(smol.send_queue());
            return Ok(if smol.can_send() { left } else { 0 });
        }
        let stream = self.stream(socket)?;
        let failure = stream.failure();
        let (handle, state) = (stream.handle, stream.state);
        let smol = self.sockets.get::<tcp::Socket<'_>>(handle);
        match failure {
            Some(failure) => Err(failure),
            None if smol.may_send() || !has_been_open(state) && state != TcpState::Closed => {
                let room = smol.send_capacity().saturating_sub(smol.send_queue());
                if room == 0
                    && let Some(Entry::Stream(stream)) = self.entries.get_mut(&socket)
                {
                    stream.writable = false;
                }
                Ok(room)
            }
            None => Err(SocketError::ShutDown),
        }
    }

    fn send_urgent(&mut self, _now: Instant, _socket: SocketId, _data: &[u8]) -> Result<usize, SocketError> {
        Err(SocketError::Unsupported)
    }

    fn receive_into(
        &mut self,
        _now: Instant,
        socket: SocketId,
        buffer: &mut [u8],
    ) -> Result<Option<usize>, SocketError> {
        let stream = self.stream(socket)?;
        let failure = stream.failure();
        let (handle, state) = (stream.handle, stream.state);
        let smol = self.sockets.get_mut::<tcp::Socket<'_>>(handle);
        if smol.can_recv() {
            let taken = smol.recv_slice(buffer).unwrap_or(0);
            let more = smol.can_recv();
            if let Some(Entry::Stream(stream)) = self.entries.get_mut(&socket) {
                stream.readable = more;
            }
            self.touch();
            return Ok(Some(taken));
        }
        match (failure, smol.may_recv()) {
            (Some(failure), _) => Err(failure),
            (None, true) => Ok(None),
            (None, false) if matches!(state, TcpState::SynSent | TcpState::SynReceived | TcpState::Listen) => Ok(None),
            (None, false) => Ok(Some(0)),
        }
    }

    fn peek_into(&mut self, socket: SocketId, buffer: &mut [u8]) -> Result<Option<usize>, SocketError> {
        let handle = self.stream(socket)?.handle;
        let smol = self.sockets.get_mut::<tcp::Socket<'_>>(handle);
        match smol.can_recv() {
            true => Ok(Some(smol.peek_slice(buffer).unwrap_or(0))),
            // Nothing is there, so that nothing would be taken either.
            false => self.receive_into(Instant::ZERO, socket, &mut []),
        }
    }

    fn shutdown(&mut self, _now: Instant, socket: SocketId) {
        if let Some(Entry::Stream(stream)) = self.entries.get_mut(&socket) {
            let smol = self.sockets.get_mut::<tcp::Socket<'_>>(stream.handle);
            if stream.state == TcpState::SynSent {
                // Nothing is open yet: the connection is forgotten without a word (RFC 9293 §3.10.4). smoltcp would
                // send RST; a socket that never had a peer does not.
                stream.close_reason = Some(CloseReason::Aborted);
                *smol = convert::tcp_socket(&self.defaults);
            }
            smol.close();
            self.touch();
            self.compare_stream(socket);
        }
    }

    fn close(&mut self, now: Instant, socket: SocketId) {
        match self.entries.get_mut(&socket) {
            Some(Entry::Stream(stream)) => {
                stream.orphan = true;
                // Data that nobody will read any more was not delivered, and the peer must know (RFC 9293 §3.6.1, SHLD-3).
                if self.sockets.get::<tcp::Socket<'_>>(stream.handle).recv_queue() > 0 {
                    return self.abort(now, socket);
                }
                let smol = self.sockets.get_mut::<tcp::Socket<'_>>(stream.handle);
                if smol.timeout().is_none() && stream.state != TcpState::TimeWait {
                    convert::set_patience(smol, Some(ORPHAN_PATIENCE));
                }
                self.shutdown(now, socket);
                self.bury(socket);
            }
            Some(Entry::Listener(_)) => self.close_listener(now, socket),
            // What was sent before is still to go out, perhaps after its neighbour was asked for.
            Some(Entry::Udp(datagrams)) => {
                datagrams.orphan = true;
                self.touch();
                self.compare_datagrams(socket);
            }
            None => {}
        }
    }

    fn abort(&mut self, _now: Instant, socket: SocketId) {
        if let Some(Entry::Stream(stream)) = self.entries.get_mut(&socket) {
            stream.orphan = true;
            stream.close_reason.get_or_insert(CloseReason::Aborted);
            self.sockets.get_mut::<tcp::Socket<'_>>(stream.handle).abort();
            self.touch();
            self.compare_stream(socket);
        }
    }

    fn set_option(&mut self, socket: SocketId, option: SocketOption) -> Result<(), SocketError> {
        let is_listeners = matches!(
            option,
            SocketOption::FastOpenQueue(_) | SocketOption::FastOpenKeys(_) | SocketOption::FastOpenWithoutCookie(_)
        );
        if is_listeners {
            return Err(SocketError::Unsupported);
        }
        let handle = self.stream(socket)?.handle;
        let smol = self.sockets.get_mut::<tcp::Socket<'_>>(handle);
        match option {
            SocketOption::NoDelay(off) => smol.set_nagle_enabled(!off),
            // smoltcp refuses 0 with a panic; 1 hop is the least that makes sense.
            SocketOption::TimeToLive(hops) => smol.set_hop_limit(Some(hops.max(1))),
            SocketOption::UserTimeout(patience) => convert::set_patience(smol, patience),
            SocketOption::KeepAlive(idle) => smol.set_keep_alive(idle.map(convert::smoltcp_duration)),
            SocketOption::Cork(_)
            | SocketOption::QuickAck(_)
            | SocketOption::KeepAliveInterval(_)
            | SocketOption::KeepAliveProbes(_)
            | SocketOption::MaxSegment(_)
            | SocketOption::SendBuffer(_)
            | SocketOption::ReceiveBuffer(_)
            | SocketOption::WindowClamp(_)
            | SocketOption::TrafficClass(_)
            | SocketOption::FinWait2(_)
            | SocketOption::PathReports(_)
            | SocketOption::SynRetries(_)
            | SocketOption::FastOpenQueue(_)
            | SocketOption::FastOpenKeys(_)
            | SocketOption::FastOpenWithoutCookie(_)
            | SocketOption::Congestion(_) => return Err(SocketError::Unsupported),
        }
        Ok(())
    }

    fn take_error(&mut self, _socket: SocketId) -> Option<DeliveryError> {
        None
    }

    fn udp_bind(&mut self, local: SocketAddr) -> Result<SocketId, OpenError> {
        self.bind_datagrams(local)
    }

    fn udp_connect(&mut self, _socket: SocketId, _remote: SocketAddr) -> Result<(), SocketError> {
        Err(SocketError::Unsupported)
    }

    fn udp_send_to(
        &mut self,
        now: Instant,
        socket: SocketId,
        data: &[u8],
        remote: SocketAddr,
    ) -> Result<bool, SocketError> {
        self.send_datagram(now, socket, data, remote)
    }

    fn udp_receive_from(
        &mut self,
        socket: SocketId,
        buffer: &mut [u8],
    ) -> Result<Option<(usize, SocketAddr)>, SocketError> {
        Ok(taken(self.datagrams(socket)?.recv(), buffer))
    }

    fn is_udp_readable(&mut self, socket: SocketId) -> bool {
        match self.entries.get(&socket) {
            Some(Entry::Udp(datagrams)) => self.sockets.get::<udp::Socket<'_>>(datagrams.handle).can_recv(),
            Some(Entry::Listener(_) | Entry::Stream(_)) | None => false,
        }
    }

    fn udp_peek_from(
        &mut self,
        socket: SocketId,
        buffer: &mut [u8],
    ) -> Result<Option<(usize, SocketAddr)>, SocketError> {
        Ok(taken(self.datagrams(socket)?.peek().map(|(data, meta)| (data, *meta)), buffer))
    }

    fn local_address(&self, socket: SocketId) -> Option<SocketAddr> {
        self.entries.get(&socket).map(|entry| match entry {
            Entry::Listener(listener) => listener.local,
            Entry::Stream(stream) => stream.local,
            Entry::Udp(datagrams) => datagrams.local,
        })
    }

    fn drain_events(&mut self, events: &mut Vec<SocketEvent>) {
        events.append(&mut self.events);
    }

    fn drain_journal(&mut self, journal: &mut Vec<Event>) {
        journal.append(&mut self.journal);
    }

    fn snapshot(&self, socket: SocketId) -> Option<Snapshot> {
        let stream = self.stream(socket).ok()?;
        let smol = self.sockets.get::<tcp::Socket<'_>>(stream.handle);
        Some(Snapshot {
            state: stream.state,
            local: Some(stream.local),
            remote: Some(stream.remote),
            send_queue: smol.send_queue(),
            receive_queue: smol.recv_queue(),
            snd_una: stream.observer.snd_una(),
            snd_nxt: stream.observer.snd_nxt(),
            ..Snapshot::default()
        })
    }

    fn is_quiet(&self) -> bool {
        self.departing.is_empty()
            && self.entries.values().all(|entry| match entry {
                Entry::Stream(stream) => self.stream_is_quiet(stream),
                Entry::Udp(udp) => self.sockets.get::<udp::Socket<'_>>(udp.handle).send_queue() == 0,
                Entry::Listener(_) => true,
            })
    }

    fn mtu(&self) -> usize {
        self.mtu
    }

    fn addresses(&self) -> Vec<IpAddr> {
        self.interface.ip_addrs().iter().map(|cidr| ip_address(cidr.address())).collect()
    }
}

impl SmoltcpStack {
    pub(super) fn stream(&self, id: SocketId) -> Result<&Stream, SocketError> {
        match self.entries.get(&id) {
            Some(Entry::Stream(stream)) => Ok(stream),
            Some(Entry::Listener(_) | Entry::Udp(_)) | None => Err(SocketError::Closed),
        }
    }

    /// Whether a connection neither waits for an acknowledgment nor for the peer's FIN.
    fn stream_is_quiet(&self, stream: &Stream) -> bool {
        match stream.state {
            TcpState::Closed | TcpState::Listen | TcpState::TimeWait => true,
            TcpState::Established | TcpState::CloseWait => {
                self.sockets.get::<tcp::Socket<'_>>(stream.handle).send_queue() == 0
            }
            TcpState::SynSent
            | TcpState::SynReceived
            | TcpState::FinWait1
            | TcpState::FinWait2
            | TcpState::Closing
            | TcpState::LastAck => false,
        }
    }
}
