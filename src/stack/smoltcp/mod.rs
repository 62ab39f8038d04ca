//! smoltcp 0.14 behind the [`Stack`](super::Stack) trait.
//!
//! A peer to compare with, and the first stack that labs ran on. What it does not do by itself is done here: a listen
//! backlog (smoltcp has one socket per pending connection), typed reasons for refused packets ([`intake`]), events
//! ([`compare`]), and the reasons of sent packets ([`observe`]). Its congestion window, round-trip times and time-out are
//! hidden; the snapshot leaves them empty.
//!
//! Not here: IPv6 autoconfiguration and multicast, which this build of smoltcp leaves out.

mod compare;
mod convert;
mod device;
mod intake;
mod observe;
#[cfg(test)]
mod tests;
mod verbs;

use std::collections::{BTreeMap, VecDeque};
use std::net::{IpAddr, SocketAddr};

use smoltcp::iface::{Interface, SocketHandle, SocketSet};

use self::convert::{ip_address, smoltcp_instant};
use self::device::Queues;
use self::observe::Observer;
use super::{CloseReason, SocketError, SocketEvent, StackConfig, TcpConfig};
use crate::journal::{Event, SocketId, TcpState};
use crate::packet::{Dissection, Medium};
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

    /// The connection between these two ends.
    fn stream_between(&mut self, local: SocketAddr, remote: SocketAddr) -> Option<(SocketId, &mut Stream)> {
        self.entries.iter_mut().find_map(|(id, entry)| match entry {
            Entry::Stream(stream) if stream.local == local && stream.remote == remote => Some((*id, stream)),
            Entry::Stream(_) | Entry::Listener(_) | Entry::Udp(_) => None,
        })
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
