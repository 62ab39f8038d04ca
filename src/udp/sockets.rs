//! The sockets of a host: who gets a datagram, what waits, what went wrong.

use std::collections::{BTreeMap, VecDeque};
use std::net::{IpAddr, SocketAddr};

use bytes::Bytes;
use smallvec::SmallVec;

use super::header::{HEADER, header, longest_payload};
use super::{Arriving, BindError, Datagram, Event, SocketError, Verdict};
use crate::journal::{DropReason, Reason, SocketId, Why};
use crate::packet::DeliveryError;
use crate::rng::Rng;

/// Ephemeral ports begin here (RFC 6335 §6).
const FIRST_EPHEMERAL: u16 = 49_152;
/// Octets that may wait in each direction of a socket, at their real size.
const BUFFER: usize = 256 * 1024;
/// What a waiting datagram costs besides its data: its place in the queue and its allocation.
const OVERHEAD: usize = 128;
/// Hops of a datagram that nobody has said anything about, to one host and to a group (RFC 1122 §3.2.1.7, RFC 1112 §6.1).
const HOPS: u8 = 64;
const GROUP_HOPS: u8 = 1;

/// The UDP sockets of one host. See the [module](super).
#[derive(Debug)]
pub struct Sockets {
    sockets: BTreeMap<SocketId, Socket>,
    /// Who is bound to a port, in the order of binding.
    ports: BTreeMap<u16, SmallVec<[SocketId; 2]>>,
    outbound: VecDeque<Datagram>,
    events: Vec<Event>,
    rng: Rng,
}

#[derive(Debug)]
struct Socket {
    local: SocketAddr,
    /// Whether `local` is not one host's address.
    to_many: bool,
    /// The only one that it talks with.
    remote: Option<SocketAddr>,
    inbound: VecDeque<(SocketAddr, Bytes)>,
    inbound_octets: usize,
    inbound_most: usize,
    outbound_octets: usize,
    outbound_most: usize,
    /// Somebody found no room and waits.
    wants_room: bool,
    error: Option<DeliveryError>,
    hops: Option<u8>,
    traffic_class: u8,
}

impl Socket {
    /// Whether a datagram between these ends is for this socket.
    fn wants(&self, src: SocketAddr, dst: SocketAddr) -> bool {
        let local = self.local.ip();
        (local.is_unspecified() || local == dst.ip()) && self.remote.is_none_or(|remote| remote == src)
    }
}

impl Sockets {
    /// No socket yet. Ephemeral ports are drawn from `seed` (RFC 6056).
    pub fn new(seed: u64) -> Sockets {
        Sockets {
            sockets: BTreeMap::new(),
            ports: BTreeMap::new(),
            outbound: VecDeque::new(),
            events: Vec::new(),
            rng: Rng::derive(seed, "udp"),
        }
    }

    /// Opens the socket `id` at `local`: an own address, or the unspecified one for all of them, groups, everybody and both
    /// families. Port 0 takes a free one. Returns where it is bound.
    ///
    /// # Errors
    /// [`BindError`] when the port cannot be had.
    pub fn bind(&mut self, id: SocketId, local: SocketAddr) -> Result<SocketAddr, BindError> {
        self.open(id, local, false)
    }

    /// As [`Sockets::bind`], at the address of a group or of everybody on the link: it hears what is sent there, and speaks
    /// from an address of its own. Several sockets may share such an address and port, and each hears everything.
    ///
    /// # Errors
    /// [`BindError`] when the port cannot be had.
    pub fn bind_to_many(&mut self, id: SocketId, local: SocketAddr) -> Result<SocketAddr, BindError> {
        self.open(id, local, true)
    }

    fn open(&mut self, id: SocketId, local: SocketAddr, to_many: bool) -> Result<SocketAddr, BindError> {
        let port = match local.port() {
            0 => self.ephemeral_port(local.ip())?,
            port if self.is_taken(local.ip(), port, to_many) => return Err(BindError::AddressInUse(local)),
            port => port,
        };
        let local = SocketAddr::new(local.ip(), port);
        let socket = Socket {
            local,
            to_many,
            remote: None,
            inbound: VecDeque::new(),
            inbound_octets: 0,
            inbound_most: BUFFER,
            outbound_octets: 0,
            outbound_most: BUFFER,
            wants_room: false,
            error: None,
            hops: None,
            traffic_class: 0,
        };
        self.sockets.insert(id, socket);
        self.ports.entry(port).or_default().push(id);
        Ok(local)
    }

    /// Whether another socket would get some of the datagrams to this address and port, and they cannot share them.
    fn is_taken(&self, address: IpAddr, port: u16, to_many: bool) -> bool {
        self.at_port(port).any(|(_, socket)| {
            let other = socket.local.ip();
            let overlap = other == address || other.is_unspecified() || address.is_unspecified();
            overlap && !(to_many && socket.to_many)
        })
    }

    fn ephemeral_port(&mut self, address: IpAddr) -> Result<u16, BindError> {
        let range = u64::from(u16::MAX - FIRST_EPHEMERAL) + 1;
        let first = self.rng.below(range);
        (0..range)
            .map(|step| FIRST_EPHEMERAL + ((first + step) % range) as u16)
            .find(|port| !self.is_taken(address, *port, false))
            .ok_or(BindError::NoPorts)
    }

    fn at_port(&self, port: u16) -> impl Iterator<Item = (SocketId, &Socket)> {
        let ids = self.ports.get(&port).into_iter().flatten();
        ids.filter_map(|id| self.sockets.get(id).map(|socket| (*id, socket)))
    }

    /// Ties the socket to one peer: it takes datagrams from nobody else, and ICMP errors about what it sent there are its
    /// own (RFC 1122 §4.1.3.3). `source` is the own address that speaks to the peer; a socket bound to the unspecified
    /// address is bound to it from now on. What waited to be read is dropped.
    ///
    /// # Errors
    /// [`SocketError`] when there is no such socket or no way to the peer.
    pub fn connect(&mut self, id: SocketId, remote: SocketAddr, source: Option<IpAddr>) -> Result<(), SocketError> {
        let socket = self.sockets.get_mut(&id).ok_or(SocketError::Closed)?;
        let source = source_of(socket, remote, source)?;
        if socket.local.ip().is_unspecified() {
            socket.local.set_ip(source);
        }
        socket.remote = Some(remote);
        socket.error = None;
        socket.inbound.retain(|(from, _)| *from == remote);
        socket.inbound_octets = socket.inbound.iter().map(|(_, data)| data.len() + OVERHEAD).sum();
        Ok(())
    }

    /// Queues one datagram for [`Sockets::transmit`]. `source` is the own address that speaks to `remote`, for a socket
    /// that is not bound to one. `false` when there is no room just now ([`Event::Writable`] follows).
    ///
    /// # Errors
    /// [`SocketError`] when it can never be sent, or an earlier one was not delivered.
    pub fn send_to(
        &mut self,
        id: SocketId,
        data: &[u8],
        remote: SocketAddr,
        source: Option<IpAddr>,
    ) -> Result<bool, SocketError> {
        let socket = self.sockets.get_mut(&id).ok_or(SocketError::Closed)?;
        if let Some(error) = socket.error.take() {
            return Err(SocketError::NotDelivered(error));
        }
        let source = source_of(socket, remote, source)?;
        if data.len() > longest_payload(remote.ip()) {
            return Err(SocketError::TooLong(data.len()));
        }
        let header = header(socket.local.port(), remote.port(), data.len()).ok_or(SocketError::TooLong(data.len()))?;
        // One datagram always finds room in an empty buffer, however small that was made.
        if socket.outbound_octets > 0 && socket.outbound_octets + data.len() + OVERHEAD > socket.outbound_most {
            socket.wants_room = true;
            return Ok(false);
        }
        socket.outbound_octets += data.len() + OVERHEAD;
        let hops = if remote.ip().is_multicast() { GROUP_HOPS } else { HOPS };
        self.outbound.push_back(Datagram {
            socket: id,
            src: SocketAddr::new(source, socket.local.port()),
            dst: remote,
            header,
            payload: SmallVec::from_iter([Bytes::copy_from_slice(data)]),
            hops: socket.hops.unwrap_or(hops),
            traffic_class: socket.traffic_class,
            why: Why::of(Reason::Datagram),
        });
        Ok(true)
    }

    /// The next datagram to send; `None` when none waits.
    pub fn transmit(&mut self) -> Option<Datagram> {
        let datagram = self.outbound.pop_front()?;
        if let Some(socket) = self.sockets.get_mut(&datagram.socket) {
            let octets = datagram.payload.iter().map(Bytes::len).sum::<usize>() + OVERHEAD;
            socket.outbound_octets = socket.outbound_octets.saturating_sub(octets);
            if std::mem::take(&mut socket.wants_room) {
                self.events.push(Event::Writable(datagram.socket));
            }
        }
        Some(datagram)
    }

    /// Takes in a datagram: the socket that wants it gets it. One that was sent to many may have several takers.
    pub fn arrives(&mut self, datagram: &Arriving<'_>) -> Verdict {
        let octets: usize = datagram.payload.iter().map(Bytes::len).sum();
        if usize::from(datagram.length) != octets + HEADER {
            return Verdict::Dropped(DropReason::Malformed);
        }
        let wants = |(id, socket): (SocketId, &Socket)| socket.wants(datagram.src, datagram.dst).then_some(id);
        let takers: SmallVec<[SocketId; 4]> = self.at_port(datagram.dst.port()).filter_map(wants).collect();
        if takers.is_empty() {
            return Verdict::NobodyListens;
        }
        let data = joined(datagram.payload, octets);
        let mut was_taken = false;
        for id in takers {
            was_taken |= self.enqueue(id, datagram.src, data.clone());
        }
        if was_taken { Verdict::Taken } else { Verdict::Dropped(DropReason::BufferFull) }
    }

    fn enqueue(&mut self, id: SocketId, src: SocketAddr, data: Bytes) -> bool {
        let Some(socket) = self.sockets.get_mut(&id) else { return false };
        let cost = data.len() + OVERHEAD;
        if socket.inbound_octets + cost > socket.inbound_most {
            return false;
        }
        socket.inbound_octets += cost;
        socket.inbound.push_back((src, data));
        self.events.push(Event::Readable(id));
        true
    }

    /// Takes one datagram, cut to `buffer`; returns its octets there and its sender; `None` when none waits.
    ///
    /// # Errors
    /// [`SocketError::NotDelivered`], once, when the network refused what a connected socket had sent.
    pub fn receive_from(
        &mut self,
        id: SocketId,
        buffer: &mut [u8],
    ) -> Result<Option<(usize, SocketAddr)>, SocketError> {
        let peeked = self.peek_from(id, buffer)?;
        if peeked.is_some()
            && let Some(socket) = self.sockets.get_mut(&id)
            && let Some((_, data)) = socket.inbound.pop_front()
        {
            socket.inbound_octets -= data.len() + OVERHEAD;
        }
        Ok(peeked)
    }

    /// As [`Sockets::receive_from`], but takes nothing but the error.
    ///
    /// # Errors
    /// As [`Sockets::receive_from`].
    pub fn peek_from(&mut self, id: SocketId, buffer: &mut [u8]) -> Result<Option<(usize, SocketAddr)>, SocketError> {
        let socket = self.sockets.get_mut(&id).ok_or(SocketError::Closed)?;
        if let Some(error) = socket.error.take() {
            return Err(SocketError::NotDelivered(error));
        }
        let Some((src, data)) = socket.inbound.front() else { return Ok(None) };
        let taken = data.len().min(buffer.len());
        buffer[..taken].copy_from_slice(&data[..taken]);
        Ok(Some((taken, *src)))
    }

    /// Whether [`Sockets::receive_from`] would answer at once: with a datagram, or with an error.
    pub fn is_readable(&self, id: SocketId) -> bool {
        self.sockets.get(&id).is_some_and(|socket| socket.error.is_some() || !socket.inbound.is_empty())
    }

    /// Octets of the datagram that finds room now; [`Event::Writable`] follows when it is 0.
    ///
    /// # Errors
    /// [`SocketError::Closed`] when there is no such socket.
    pub fn room(&mut self, id: SocketId) -> Result<usize, SocketError> {
        let socket = self.sockets.get_mut(&id).ok_or(SocketError::Closed)?;
        let room = match socket.outbound_octets {
            // One datagram always finds room in an empty buffer.
            0 => socket.outbound_most.max(1),
            octets => socket.outbound_most.saturating_sub(octets + OVERHEAD),
        };
        socket.wants_room |= room == 0;
        Ok(room)
    }

    /// Whether a socket is open that can have sent a datagram from one of these ends to the other.
    pub fn may_have_sent(&self, local: SocketAddr, remote: SocketAddr) -> bool {
        self.at_port(local.port()).any(|(_, socket)| {
            let from = socket.local.ip() == local.ip() || socket.local.ip().is_unspecified();
            from && socket.remote.is_none_or(|peer| peer == remote)
        })
    }

    /// The network says that a datagram between these ends was not delivered. Only a connected socket wants to know
    /// (RFC 1122 §4.1.3.3, and as Linux has it), and only that its peer cannot be had: hops that were used up and
    /// fragments that were lost may do better next time. Whether somebody was told.
    pub fn undelivered(&mut self, local: SocketAddr, remote: SocketAddr, error: DeliveryError) -> bool {
        let is_final = match error {
            DeliveryError::NetworkUnreachable
            | DeliveryError::HostUnreachable
            | DeliveryError::ProtocolUnreachable
            | DeliveryError::PortUnreachable
            | DeliveryError::SourceRouteFailed
            | DeliveryError::Prohibited => true,
            DeliveryError::TooBig { .. }
            | DeliveryError::HopsExceeded
            | DeliveryError::ReassemblyTimeExceeded
            | DeliveryError::ParameterProblem { .. } => false,
        };
        let whose =
            self.at_port(local.port()).find(|(_, socket)| socket.local == local && socket.remote == Some(remote));
        let Some(id) = whose.map(|(id, _)| id).filter(|_| is_final) else { return false };
        if let Some(socket) = self.sockets.get_mut(&id) {
            socket.error = Some(error);
        }
        // Who waits to read, and who waits to send, finds the error there.
        self.events.extend([Event::Readable(id), Event::Writable(id)]);
        true
    }

    /// Takes the error that waits (`SO_ERROR`); `None` when there is none.
    pub fn take_error(&mut self, id: SocketId) -> Option<DeliveryError> {
        self.sockets.get_mut(&id)?.error.take()
    }

    /// Gives the socket up; what it has sent is still transmitted. Whether there was such a socket.
    pub fn close(&mut self, id: SocketId) -> bool {
        let Some(socket) = self.sockets.remove(&id) else { return false };
        if let Some(ids) = self.ports.get_mut(&socket.local.port()) {
            ids.retain(|other| *other != id);
            if ids.is_empty() {
                self.ports.remove(&socket.local.port());
            }
        }
        true
    }

    /// Hops that its datagrams may take, 1 to 255.
    ///
    /// # Errors
    /// [`SocketError::Closed`] when there is no such socket.
    pub fn set_hops(&mut self, id: SocketId, hops: u8) -> Result<(), SocketError> {
        self.change(id, |socket| socket.hops = Some(hops.max(1)))
    }

    /// DSCP of its datagrams in the upper six bits.
    ///
    /// # Errors
    /// [`SocketError::Closed`] when there is no such socket.
    pub fn set_traffic_class(&mut self, id: SocketId, class: u8) -> Result<(), SocketError> {
        self.change(id, |socket| socket.traffic_class = class & !3)
    }

    /// Octets that may wait to be read, at their real size.
    ///
    /// # Errors
    /// [`SocketError::Closed`] when there is no such socket.
    pub fn set_receive_buffer(&mut self, id: SocketId, octets: usize) -> Result<(), SocketError> {
        self.change(id, |socket| socket.inbound_most = octets)
    }

    /// Octets that may wait to be transmitted, at their real size.
    ///
    /// # Errors
    /// [`SocketError::Closed`] when there is no such socket.
    pub fn set_send_buffer(&mut self, id: SocketId, octets: usize) -> Result<(), SocketError> {
        self.change(id, |socket| socket.outbound_most = octets)
    }

    fn change(&mut self, id: SocketId, change: impl FnOnce(&mut Socket)) -> Result<(), SocketError> {
        self.sockets.get_mut(&id).map(change).ok_or(SocketError::Closed)
    }

    /// Where the socket is bound; `None` when there is no such socket.
    pub fn local_address(&self, id: SocketId) -> Option<SocketAddr> {
        self.sockets.get(&id).map(|socket| socket.local)
    }

    /// Whether a socket is bound to this very address.
    pub fn is_bound_to(&self, address: IpAddr) -> bool {
        self.sockets.values().any(|socket| socket.local.ip() == address)
    }

    /// The peer of a connected socket.
    pub fn remote_address(&self, id: SocketId) -> Option<SocketAddr> {
        self.sockets.get(&id)?.remote
    }

    /// Whether nothing waits to be transmitted.
    pub fn is_quiet(&self) -> bool {
        self.outbound.is_empty()
    }

    /// Moves what has happened since the last call into `events`.
    pub fn drain_events(&mut self, events: &mut Vec<Event>) {
        events.append(&mut self.events);
    }
}

/// The address from which a socket speaks to `remote`: the one it is bound to if that is one host's, else `proposed`.
fn source_of(socket: &Socket, remote: SocketAddr, proposed: Option<IpAddr>) -> Result<IpAddr, SocketError> {
    let bound = socket.local.ip();
    let source = if bound.is_unspecified() || socket.to_many { proposed } else { Some(bound) };
    source
        .filter(|source| source.is_ipv4() == remote.is_ipv4() && remote.port() != 0 && !remote.ip().is_unspecified())
        .ok_or(SocketError::Unreachable(remote.ip()))
}

/// The data in one piece of its own, so that it does not hold on to the packet's buffer.
fn joined(payload: &[Bytes], octets: usize) -> Bytes {
    let mut data = Vec::with_capacity(octets);
    payload.iter().for_each(|chunk| data.extend_from_slice(chunk));
    data.into()
}
