//! smoltcp 0.14 behind the [`Stack`] trait.
//!
//! A peer to compare with, and the first stack that labs ran on. What it does not do by itself is done here: a listen
//! backlog (smoltcp has one socket per pending connection), typed reasons for refused packets, and the reasons of sent
//! ones ([`observe`]). Its congestion window, round-trip times and time-out are hidden; the snapshot leaves them empty.
//!
//! Not here: IPv6 autoconfiguration and multicast, which this build of smoltcp leaves out.

mod convert;
mod device;
mod observe;

use std::collections::{BTreeMap, VecDeque};
use std::net::{IpAddr, SocketAddr};

use smoltcp::iface::{Interface, PollIngressSingleResult, PollResult, SocketHandle, SocketSet};
use smoltcp::socket::{tcp, udp};
use smoltcp::wire::{IpEndpoint, IpListenEndpoint};

use self::convert::{ip_address, our_instant, smoltcp_instant, socket_address};
use self::device::Queues;
use self::observe::Observer;
use super::{CloseReason, OpenError, SocketError, SocketEvent, SocketOption, Stack, StackConfig, TcpConfig, Wake};
use crate::journal::{DropReason, Event, Reason, Snapshot, SocketId, TcpState, Timer, Why};
use crate::packet::dissect::{Network, Transport};
use crate::packet::{Dissection, Medium, Packet, checksum, segment};
use crate::rng::Rng;
use crate::time::Instant;

/// Datagrams that may wait in each direction of a UDP socket.
const UDP_QUEUE: usize = 256;
/// Octets that may wait in each direction of a UDP socket.
const UDP_BUFFER: usize = 256 * 1024;
/// The longest UDP payload over IPv4 (RFC 768: the length field holds 65,535 with both headers).
const LONGEST_DATAGRAM: usize = 65_507;
/// Ephemeral ports begin here (RFC 6335 §6).
const FIRST_EPHEMERAL: u16 = 49_152;

/// smoltcp as a [`Stack`].
pub struct SmoltcpStack {
    interface: Interface,
    sockets: SocketSet<'static>,
    device: Queues,
    medium: Medium,
    mtu: usize,
    defaults: TcpConfig,
    entries: BTreeMap<SocketId, Entry>,
    last_id: u32,
    rng: Rng,
    events: Vec<SocketEvent>,
    journal: Vec<Event>,
    /// The moment up to which smoltcp has nothing more to send.
    drained_at: Option<Instant>,
}

enum Entry {
    Listener(Listener),
    Stream(Stream),
    Udp(Datagrams),
}

struct Datagrams {
    handle: SocketHandle,
    local: SocketAddr,
    was_full: bool,
    /// Nobody holds the socket any more; it goes when its queue is empty.
    orphan: bool,
}

struct Listener {
    local: SocketAddr,
    backlog: usize,
    /// The one smoltcp socket in LISTEN, while the backlog has room.
    spare: Option<SocketHandle>,
    /// Connections in their handshake, or established and not yet accepted.
    pending: VecDeque<SocketId>,
}

struct Stream {
    handle: SocketHandle,
    parent: Option<SocketId>,
    /// Nobody holds the socket any more; it goes when it is closed.
    orphan: bool,
    state: TcpState,
    local: SocketAddr,
    remote: SocketAddr,
    readable: bool,
    writable: bool,
    aborted: bool,
    observer: Observer,
}

impl SmoltcpStack {
    /// A stack on one interface.
    pub fn new(config: &StackConfig, now: Instant) -> SmoltcpStack {
        let host = &config.interface;
        let mut device = Queues::new(host.medium, host.mtu);
        let mut rng = Rng::derive(config.seed, "smoltcp");
        let settings = convert::interface_config(host, rng.next_u64());
        let mut interface = Interface::new(settings, &mut device, smoltcp_instant(now));
        interface.update_ip_addrs(|addresses| {
            for address in &host.addresses {
                // smoltcp holds a fixed number of addresses; a host of ours has at most two.
                let _ = addresses.push(convert::cidr(*address));
            }
        });
        for gateway in &host.gateways {
            let _ = match gateway {
                IpAddr::V4(v4) => interface.routes_mut().add_default_ipv4_route(*v4),
                IpAddr::V6(v6) => interface.routes_mut().add_default_ipv6_route(*v6),
            };
        }
        SmoltcpStack {
            interface,
            sockets: SocketSet::new(Vec::new()),
            device,
            medium: host.medium,
            mtu: host.mtu,
            defaults: config.tcp.clone(),
            entries: BTreeMap::new(),
            last_id: 0,
            rng,
            events: Vec::new(),
            journal: Vec::new(),
            drained_at: None,
        }
    }

    fn new_id(&mut self) -> SocketId {
        self.last_id += 1;
        SocketId(self.last_id)
    }

    fn has_address(&self, address: IpAddr) -> bool {
        self.interface.ip_addrs().iter().any(|cidr| ip_address(cidr.address()) == address)
    }

    /// Why a packet must not reach smoltcp; `None` when it may.
    fn refusal(&self, dissection: &Dissection, frame: &[u8]) -> Option<DropReason> {
        if let Some(ethernet) = &dissection.ethernet {
            let group = ethernet.dst[0] & 1 == 1;
            if !group && Some(ethernet.dst) != self.mac() {
                return Some(DropReason::NotForUs);
            }
        }
        if dissection.malformed.is_some() || dissection.network.is_none() {
            return Some(DropReason::Malformed);
        }
        if matches!(dissection.network, Some(Network::Arp(_))) {
            return None;
        }
        let (src, dst) = dissection.addresses()?;
        let verdict = checksum::verify(self.medium, frame);
        if !verdict.network {
            Some(DropReason::BadHeaderChecksum)
        } else if !verdict.transport {
            Some(DropReason::BadTransportChecksum)
        } else if src.is_multicast() || src == IpAddr::from([255; 4]) || src.is_unspecified() {
            Some(DropReason::InvalidSource)
        } else if !dst.is_multicast() && dst != IpAddr::from([255; 4]) && !self.has_address(dst) {
            Some(DropReason::NotForUs)
        } else {
            None
        }
    }

    fn mac(&self) -> Option<[u8; 6]> {
        match self.medium {
            Medium::Ip => None,
            Medium::Ethernet => match self.interface.hardware_addr() {
                smoltcp::wire::HardwareAddress::Ethernet(mac) => Some(mac.0),
                smoltcp::wire::HardwareAddress::Ip => None,
            },
        }
    }

    /// The connection between these two ends.
    fn stream_between(&mut self, local: SocketAddr, remote: SocketAddr) -> Option<(SocketId, &mut Stream)> {
        self.entries.iter_mut().find_map(|(id, entry)| match entry {
            Entry::Stream(stream) if stream.local == local && stream.remote == remote => Some((*id, stream)),
            Entry::Stream(_) | Entry::Listener(_) | Entry::Udp(_) => None,
        })
    }

    /// Hands one frame to smoltcp, and notes what became of it.
    fn take_in(&mut self, now: Instant, packet: &Packet) {
        let frame = packet.to_bytes();
        let dissection = Dissection::of(self.medium, &frame, frame.len());
        if let Some(reason) = self.refusal(&dissection, &frame) {
            self.journal.push(Event::PacketDropped { packet: packet.id, reason });
            return;
        }
        let ends = tcp_ends(&dissection).map(|(src, dst)| (dst, src));
        if let Some(((local, remote), tcp)) = ends.zip(dissection.tcp())
            && let Some((id, stream)) = self.stream_between(local, remote)
        {
            let mut told = Vec::new();
            stream.observer.arrives(tcp, id, &mut told);
            self.journal.append(&mut told);
        }
        self.device.inbound.push_back(frame);
        while !matches!(
            self.interface.poll_ingress_single(smoltcp_instant(now), &mut self.device, &mut self.sockets),
            PollIngressSingleResult::None
        ) {}
        self.compare();
        // A connection request makes its connection only while it is taken in.
        if let Some(((local, remote), tcp)) = ends.zip(dissection.tcp())
            && tcp.flags.syn()
            && !tcp.flags.ack()
            && let Some((id, stream)) = self.stream_between(local, remote)
            && stream.state == TcpState::SynReceived
        {
            stream.observer.arrives(tcp, id, &mut Vec::new());
        }
    }

    /// Lets smoltcp send all it wants to send at this moment.
    fn poll_egress(&mut self, now: Instant) {
        if self.drained_at == Some(now) {
            return;
        }
        self.interface.poll_maintenance(smoltcp_instant(now));
        // A socket's state may change by sending (a time-out gives up), so look each time; the device never fills up.
        while self.interface.poll_egress(smoltcp_instant(now), &mut self.device, &mut self.sockets)
            == PollResult::SocketStateChanged
        {}
        self.compare();
        self.drained_at = Some(now);
    }

    /// Finds out what has changed since the last look, socket by socket.
    fn compare(&mut self) {
        self.promote_spares();
        let ids: Vec<SocketId> = self.entries.keys().copied().collect();
        for id in ids {
            match self.entries.get_mut(&id) {
                Some(Entry::Stream(_)) => {
                    self.compare_stream(id);
                    self.bury(id);
                }
                Some(Entry::Udp(_)) => self.compare_datagrams(id),
                Some(Entry::Listener(_)) | None => {}
            }
        }
    }

    fn compare_datagrams(&mut self, id: SocketId) {
        let Some(Entry::Udp(datagrams)) = self.entries.get_mut(&id) else { return };
        let socket = self.sockets.get::<udp::Socket<'_>>(datagrams.handle);
        if datagrams.orphan && socket.send_queue() == 0 {
            self.sockets.remove(datagrams.handle);
            self.entries.remove(&id);
            return;
        }
        if socket.can_recv() {
            self.events.push(SocketEvent::Readable(id));
        }
        if datagrams.was_full && socket.can_send() {
            datagrams.was_full = false;
            self.events.push(SocketEvent::Writable(id));
        }
    }

    /// A spare socket that is no longer in LISTEN has become a connection; the listener gets a new spare.
    fn promote_spares(&mut self) {
        let listeners: Vec<SocketId> =
            self.entries.iter().filter_map(|(id, entry)| matches!(entry, Entry::Listener(_)).then_some(*id)).collect();
        for parent in listeners {
            let Some(Entry::Listener(listener)) = self.entries.get_mut(&parent) else { continue };
            let Some(handle) = listener.spare else {
                self.refill_spare(parent);
                continue;
            };
            let socket = self.sockets.get::<tcp::Socket<'_>>(handle);
            let Some((local, remote)) = socket.local_endpoint().zip(socket.remote_endpoint()) else { continue };
            listener.spare = None;
            let id = self.new_id();
            let stream =
                Stream::new(handle, Some(parent), socket_address(local), socket_address(remote), TcpState::Listen);
            self.entries.insert(id, Entry::Stream(stream));
            if let Some(Entry::Listener(listener)) = self.entries.get_mut(&parent) {
                listener.pending.push_back(id);
            }
            self.refill_spare(parent);
        }
    }

    fn refill_spare(&mut self, parent: SocketId) {
        let Some(Entry::Listener(listener)) = self.entries.get_mut(&parent) else { return };
        if listener.spare.is_some() || listener.pending.len() >= listener.backlog {
            return;
        }
        let mut socket = convert::tcp_socket(&self.defaults);
        // Listening fails only on port 0 or an open socket; both are ruled out here.
        if socket.listen(listen_endpoint(listener.local)).is_ok() {
            listener.spare = Some(self.sockets.add(socket));
        }
    }

    fn compare_stream(&mut self, id: SocketId) {
        let Some(Entry::Stream(stream)) = self.entries.get_mut(&id) else { return };
        let socket = self.sockets.get::<tcp::Socket<'_>>(stream.handle);
        let mut state = convert::state(socket.state());
        if stream.parent.is_some() && state == TcpState::Listen && stream.state != TcpState::Listen {
            // smoltcp goes back to LISTEN after a reset in SYN-RECEIVED; for us that connection is over.
            state = TcpState::Closed;
        }
        let from = std::mem::replace(&mut stream.state, state);
        if from != state {
            self.journal.push(Event::State { socket: id, from, to: state });
        }
        let ended = state == TcpState::Closed;
        let readable = socket.can_recv() || (!socket.may_recv() && has_been_open(state)) || ended;
        let writable = socket.can_send() || (!socket.may_send() && has_been_open(state)) || ended;
        let opened = !has_been_open(from) && has_been_open(state) && from != state;
        if opened && stream.parent.is_none() {
            self.events.push(SocketEvent::Connected(id));
        }
        if readable && (!stream.readable || socket.can_recv()) {
            self.events.push(SocketEvent::Readable(id));
        }
        if writable && !stream.writable {
            self.events.push(SocketEvent::Writable(id));
        }
        (stream.readable, stream.writable) = (readable, writable);
        let parent = stream.parent;
        if opened && let Some(parent) = parent {
            self.events.push(SocketEvent::Acceptable(parent));
        }
        if ended && from != state {
            self.stream_ended(id, from);
        }
    }

    fn stream_ended(&mut self, id: SocketId, from: TcpState) {
        let Some(Entry::Stream(stream)) = self.entries.get_mut(&id) else { return };
        let reason = stream.close_reason(from);
        self.events.push(SocketEvent::Closed(id, reason));
        if let Some(parent) = stream.parent {
            // It was never accepted: nobody will ask for it.
            stream.orphan = true;
            if let Some(Entry::Listener(listener)) = self.entries.get_mut(&parent) {
                listener.pending.retain(|pending| *pending != id);
            }
        }
        self.bury(id);
    }

    /// Removes a connection that is closed and that nobody holds, once its last segment is out.
    fn bury(&mut self, id: SocketId) {
        if let Some(Entry::Stream(stream)) = self.entries.get(&id)
            && stream.orphan
            && stream.state == TcpState::Closed
            && self.sockets.get::<tcp::Socket<'_>>(stream.handle).remote_endpoint().is_none_or(|_| !stream.aborted)
        {
            self.sockets.remove(stream.handle);
            self.entries.remove(&id);
        }
    }

    /// The reason of a frame that smoltcp has sent.
    fn reason_of(&mut self, now: Instant, dissection: &Dissection) -> Reason {
        match (&dissection.network, &dissection.transport) {
            (Some(Network::Arp(arp)), _) if arp.operation == 1 => Reason::AddressRequest,
            (Some(Network::Arp(_)), _) => Reason::AddressReply,
            (_, Some(Transport::Udp(_))) => Reason::Datagram,
            (_, Some(Transport::Icmpv4(icmp))) => match icmp.kind {
                0 => Reason::EchoReply,
                8 => Reason::EchoRequest,
                _ => Reason::IcmpError,
            },
            (_, Some(Transport::Icmpv6(icmp))) => match icmp.kind {
                1..=4 => Reason::IcmpError,
                128 => Reason::EchoRequest,
                129 => Reason::EchoReply,
                135 => Reason::AddressRequest,
                136 => Reason::AddressReply,
                _ => Reason::Housekeeping,
            },
            (_, Some(Transport::Tcp(tcp))) => {
                let Some((local, remote)) = tcp_ends(dissection) else { return Reason::Housekeeping };
                let mut told = Vec::new();
                let reason = match self.stream_between(local, remote) {
                    Some((id, stream)) => stream.observer.departs(now, tcp, stream.state, id, &mut told),
                    None => Reason::Reset,
                };
                self.journal.append(&mut told);
                reason
            }
            // A later fragment of a datagram.
            (_, None) => Reason::Datagram,
        }
    }

    fn ephemeral_port(&mut self, local: IpAddr) -> Result<u16, OpenError> {
        let range = u64::from(u16::MAX - FIRST_EPHEMERAL) + 1;
        let first = self.rng.below(range);
        (0..range)
            .map(|step| FIRST_EPHEMERAL + ((first + step) % range) as u16)
            .find(|port| !self.is_taken(SocketAddr::new(local, *port)))
            .ok_or(OpenError::NoPorts)
    }

    fn is_taken(&self, address: SocketAddr) -> bool {
        let clash = |other: SocketAddr| {
            other.port() == address.port()
                && (other.ip() == address.ip() || other.ip().is_unspecified() || address.ip().is_unspecified())
        };
        self.entries.values().any(|entry| match entry {
            Entry::Listener(listener) => clash(listener.local),
            Entry::Stream(stream) => stream.parent.is_none() && clash(stream.local),
            Entry::Udp(_) => false,
        })
    }

    fn check_local(&self, local: SocketAddr) -> Result<(), OpenError> {
        if local.ip().is_unspecified() || self.has_address(local.ip()) {
            Ok(())
        } else {
            Err(OpenError::AddressNotAvailable(local.ip()))
        }
    }

    fn source_for(&self, remote: IpAddr) -> Option<IpAddr> {
        self.interface.get_source_address(&remote.into()).map(ip_address)
    }

    fn stream(&self, id: SocketId) -> Result<&Stream, SocketError> {
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

    /// Something may now want to be sent.
    fn touch(&mut self) {
        self.drained_at = None;
    }
}

impl Stream {
    fn new(
        handle: SocketHandle,
        parent: Option<SocketId>,
        local: SocketAddr,
        remote: SocketAddr,
        state: TcpState,
    ) -> Stream {
        Stream {
            handle,
            parent,
            orphan: false,
            state,
            local,
            remote,
            readable: false,
            writable: false,
            aborted: false,
            observer: Observer::default(),
        }
    }

    fn close_reason(&self, from: TcpState) -> CloseReason {
        match from {
            _ if self.aborted => CloseReason::Aborted,
            TcpState::SynSent if self.observer.reset_by_peer => CloseReason::Refused,
            TcpState::TimeWait | TcpState::LastAck => CloseReason::Finished,
            _ if self.observer.reset_by_peer => CloseReason::Reset,
            _ => CloseReason::TimedOut,
        }
    }

    /// What a verb answers once the connection is over; `None` while it lives or when it ended in order.
    fn failure(&self) -> Option<SocketError> {
        if self.state != TcpState::Closed {
            return None;
        }
        if self.aborted {
            Some(SocketError::Ended(CloseReason::Aborted))
        } else if self.observer.reset_by_peer {
            Some(SocketError::Ended(CloseReason::Reset))
        } else {
            None
        }
    }
}

/// Whether a connection in this state has finished its handshake.
fn has_been_open(state: TcpState) -> bool {
    match state {
        TcpState::Closed | TcpState::Listen | TcpState::SynSent | TcpState::SynReceived => false,
        TcpState::Established
        | TcpState::FinWait1
        | TcpState::FinWait2
        | TcpState::CloseWait
        | TcpState::Closing
        | TcpState::LastAck
        | TcpState::TimeWait => true,
    }
}

/// Source and destination of a TCP segment.
fn tcp_ends(dissection: &Dissection) -> Option<(SocketAddr, SocketAddr)> {
    let tcp = dissection.tcp()?;
    let (src, dst) = dissection.addresses()?;
    Some((SocketAddr::new(src, tcp.src_port), SocketAddr::new(dst, tcp.dst_port)))
}

fn listen_endpoint(local: SocketAddr) -> IpListenEndpoint {
    let addr = (!local.ip().is_unspecified()).then(|| local.ip().into());
    IpListenEndpoint { addr, port: local.port() }
}

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
    }

    fn transmit(&mut self, now: Instant) -> Option<(Packet, Why)> {
        if self.device.outbound.is_empty() {
            self.poll_egress(now);
        }
        let frame = self.device.outbound.pop_front()?;
        let packet = Packet::from_wire(self.medium, frame);
        let reason = self.reason_of(now, &packet.dissect());
        Some((packet, Why::of(reason)))
    }

    fn deadline(&mut self) -> Option<(Instant, Wake)> {
        let now = self.drained_at.unwrap_or_default();
        let at = our_instant(self.interface.poll_at(smoltcp_instant(now), &self.sockets)?);
        // smoltcp says "now" for a socket that waits for a neighbour or a window; it has just sent all it could, so the
        // next look that can change anything is a moment later.
        let at = if self.drained_at.is_some_and(|drained| at <= drained) {
            now + std::time::Duration::from_millis(1)
        } else {
            at
        };
        Some((at, Wake { socket: None, timer: Timer::Unnamed }))
    }

    fn expire(&mut self, now: Instant) {
        self.touch();
        self.poll_egress(now);
    }

    fn listen(&mut self, local: SocketAddr, backlog: usize) -> Result<SocketId, OpenError> {
        self.check_local(local)?;
        let local = match local.port() {
            0 => SocketAddr::new(local.ip(), self.ephemeral_port(local.ip())?),
            _ => local,
        };
        if self.is_taken(local) {
            return Err(OpenError::AddressInUse(local));
        }
        let id = self.new_id();
        let listener = Listener { local, backlog: backlog.max(1), spare: None, pending: VecDeque::new() };
        self.entries.insert(id, Entry::Listener(listener));
        self.refill_spare(id);
        Ok(id)
    }

    fn accept(&mut self, _now: Instant, listener: SocketId) -> Option<(SocketId, SocketAddr)> {
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

    fn connect(
        &mut self,
        now: Instant,
        local: Option<SocketAddr>,
        remote: SocketAddr,
        config: &TcpConfig,
    ) -> Result<SocketId, OpenError> {
        if remote.port() == 0 || remote.ip().is_multicast() || remote.ip().is_unspecified() {
            return Err(OpenError::BadDestination(remote));
        }
        let source = self.source_for(remote.ip()).ok_or(OpenError::BadDestination(remote))?;
        let local = match local {
            Some(local) => {
                self.check_local(local)?;
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
        self.entries.insert(id, Entry::Stream(Stream::new(handle, None, local, remote, TcpState::Closed)));
        self.touch();
        self.compare_stream(id);
        let _ = now;
        Ok(id)
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

    fn shutdown(&mut self, _now: Instant, socket: SocketId) {
        if let Ok(handle) = self.stream(socket).map(|stream| stream.handle) {
            self.sockets.get_mut::<tcp::Socket<'_>>(handle).close();
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
            stream.aborted = true;
            self.sockets.get_mut::<tcp::Socket<'_>>(stream.handle).abort();
            self.touch();
            self.compare_stream(socket);
        }
    }

    fn set_option(&mut self, socket: SocketId, option: SocketOption) -> Result<(), SocketError> {
        let handle = self.stream(socket)?.handle;
        let smol = self.sockets.get_mut::<tcp::Socket<'_>>(handle);
        match option {
            SocketOption::NoDelay(off) => smol.set_nagle_enabled(!off),
            // smoltcp refuses 0 with a panic; 1 hop is the least that makes sense.
            SocketOption::TimeToLive(hops) => smol.set_hop_limit(Some(hops.max(1))),
        }
        Ok(())
    }

    fn udp_bind(&mut self, local: SocketAddr) -> Result<SocketId, OpenError> {
        self.check_local(local)?;
        let is_taken =
            |port: u16| self.entries.values().any(|entry| matches!(entry, Entry::Udp(udp) if udp.local.port() == port));
        let port = match local.port() {
            0 => (FIRST_EPHEMERAL..).find(|port| !is_taken(*port)).ok_or(OpenError::NoPorts)?,
            port if is_taken(port) => return Err(OpenError::AddressInUse(local)),
            port => port,
        };
        let local = SocketAddr::new(local.ip(), port);
        let buffer = || udp::PacketBuffer::new(vec![udp::PacketMetadata::EMPTY; UDP_QUEUE], vec![0; UDP_BUFFER]);
        let mut socket = udp::Socket::new(buffer(), buffer());
        socket.bind(listen_endpoint(local)).map_err(|_| OpenError::AddressInUse(local))?;
        let handle = self.sockets.add(socket);
        let id = self.new_id();
        self.entries.insert(id, Entry::Udp(Datagrams { handle, local, was_full: false, orphan: false }));
        Ok(id)
    }

    fn udp_send_to(
        &mut self,
        _now: Instant,
        socket: SocketId,
        data: &[u8],
        remote: SocketAddr,
    ) -> Result<bool, SocketError> {
        if data.len() > LONGEST_DATAGRAM {
            return Err(SocketError::TooLong(data.len()));
        }
        let reachable = remote.port() != 0 && self.source_for(remote.ip()).is_some();
        let Some(Entry::Udp(datagrams)) = self.entries.get_mut(&socket) else {
            return Err(SocketError::Closed);
        };
        let to = IpEndpoint::new(remote.ip().into(), remote.port());
        let sent = match self.sockets.get_mut::<udp::Socket<'_>>(datagrams.handle).send_slice(data, to) {
            Ok(()) if reachable => true,
            Ok(()) | Err(udp::SendError::Unaddressable) => return Err(SocketError::Unreachable(remote.ip())),
            Err(udp::SendError::BufferFull) => {
                datagrams.was_full = true;
                false
            }
        };
        self.touch();
        Ok(sent)
    }

    fn udp_receive_from(
        &mut self,
        socket: SocketId,
        buffer: &mut [u8],
    ) -> Result<Option<(usize, SocketAddr)>, SocketError> {
        let Some(Entry::Udp(datagrams)) = self.entries.get(&socket) else { return Err(SocketError::Closed) };
        match self.sockets.get_mut::<udp::Socket<'_>>(datagrams.handle).recv() {
            Ok((data, meta)) => {
                let taken = data.len().min(buffer.len());
                buffer[..taken].copy_from_slice(&data[..taken]);
                Ok(Some((taken, socket_address(meta.endpoint))))
            }
            Err(udp::RecvError::Exhausted | udp::RecvError::Truncated) => Ok(None),
        }
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
        self.device.outbound.is_empty()
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
    /// Closing a listener resets what was not accepted (RFC 9293 §3.10.4 for LISTEN; as Linux does for the rest).
    fn close_listener(&mut self, now: Instant, id: SocketId) {
        let Some(Entry::Listener(listener)) = self.entries.remove(&id) else { return };
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
}
