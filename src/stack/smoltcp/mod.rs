//! smoltcp 0.14 behind the [`Stack`](super::Stack) trait.
//!
//! A peer to compare with, and the first stack that labs ran on. What it does not do by itself is done here: a listen
//! backlog (smoltcp has one socket per pending connection), typed reasons for refused packets ([`intake`]), events
//! ([`compare`]), and the reasons of sent packets ([`observe`]). Its congestion window, round-trip times and time-out are
//! hidden; the snapshot leaves them empty.
//!
//! Not here: IPv6 autoconfiguration and multicast, which this build of smoltcp leaves out.

mod addresses;
mod compare;
mod convert;
mod datagrams;
mod device;
mod intake;
mod observe;
mod opening;
#[cfg(test)]
mod tests;
mod verbs;

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::net::{IpAddr, SocketAddr};

use smoltcp::iface::{Interface, SocketHandle, SocketSet};

use self::convert::{ip_address, smoltcp_instant};
use self::device::Queues;
use self::observe::{Departure, Observer};
use super::{CloseReason, SocketError, SocketEvent, StackConfig, TcpConfig};
use crate::journal::{Event, SocketId, TcpState, Why};
use crate::packet::{Dissection, Medium, Packet};
use crate::rng::Rng;
use crate::time::Instant;

/// smoltcp as a [`Stack`](super::Stack).
pub struct SmoltcpStack {
    interface: Interface,
    sockets: SocketSet<'static>,
    device: Queues,
    medium: Medium,
    mtu: usize,
    defaults: TcpConfig,
    entries: BTreeMap<SocketId, Entry>,
    /// The connections that packets can belong to, by local and remote end.
    streams: HashMap<(SocketAddr, SocketAddr), SocketId>,
    /// Those of the entries that listen.
    listeners: Vec<SocketId>,
    last_id: u64,
    /// What smoltcp has sent, judged as it appeared, until [`Stack::transmit`](super::Stack::transmit) hands it out.
    departing: VecDeque<Outgoing>,
    /// Room for the ids of one pass over all sockets, kept from pass to pass.
    pass: Vec<SocketId>,
    rng: Rng,
    events: Vec<SocketEvent>,
    journal: Vec<Event>,
    /// The moment up to which smoltcp has nothing more to send.
    drained_at: Option<Instant>,
}

/// A frame on its way out, and what there is to tell as it goes.
struct Outgoing {
    packet: Packet,
    why: Why,
    told: Option<(SocketId, Departure)>,
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
    /// What its connections begin with.
    config: TcpConfig,
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
    /// How the connection ended, or is about to: what every verb answers from. `None` while it lives.
    close_reason: Option<CloseReason>,
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
            streams: HashMap::new(),
            listeners: Vec::new(),
            last_id: 0,
            departing: VecDeque::new(),
            pass: Vec::new(),
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

    /// The connection between these two ends.
    fn stream_between(&mut self, local: SocketAddr, remote: SocketAddr) -> Option<(SocketId, &mut Stream)> {
        let id = *self.streams.get(&(local, remote))?;
        match self.entries.get_mut(&id)? {
            Entry::Stream(stream) => Some((id, stream)),
            Entry::Listener(_) | Entry::Udp(_) => None,
        }
    }

    fn add_stream(&mut self, id: SocketId, stream: Stream) {
        self.streams.insert((stream.local, stream.remote), id);
        self.entries.insert(id, Entry::Stream(stream));
    }

    /// No packet belongs to this connection any more; another may have its ends.
    fn unlink_stream(&mut self, id: SocketId) {
        if let Some(Entry::Stream(stream)) = self.entries.get(&id) {
            let ends = (stream.local, stream.remote);
            if self.streams.get(&ends) == Some(&id) {
                self.streams.remove(&ends);
            }
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
            close_reason: None,
            observer: Observer::default(),
        }
    }

    /// What a verb answers once the connection is over; `None` while it lives or when it ended in order.
    fn failure(&self) -> Option<SocketError> {
        match self.close_reason {
            _ if self.state != TcpState::Closed => None,
            None | Some(CloseReason::Finished) => None,
            Some(reason) => Some(SocketError::Ended(reason)),
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

/// Whether two sockets of one protocol would compete for packets: same port, and the same address or one of them any.
fn clash(one: SocketAddr, other: SocketAddr) -> bool {
    one.port() == other.port() && (one.ip() == other.ip() || one.ip().is_unspecified() || other.ip().is_unspecified())
}
