//! The network layer of a host on one interface: IPv4 and IPv6, bare or over Ethernet, without I/O and without a clock.
//!
//! ```text
//!      transports      ▲ Arrival                        │ Outgoing
//!                      │                                ▼
//!   receive ─► link ─► network ─► fragments joined    source, next hop ─► too long? fragments
//!              judge   judge    └► ICMP ─► answers ──►  │
//!      ▲                                                ▼  neighbour known? else ask, and wait
//!      │ Packet                                     transmit ─► (Packet, Why)
//! ```
//!
//! [`Host`] is the conductor; the rooms beside it are leaves that take plain values: which addresses are whose
//! (`addresses`), the chain of IPv6 headers (`extensions`), fragments (`fragment`, `reassembly`), neighbours
//! (`neighbours`), path MTUs (`paths`), and how much of everything is kept (`limits`). What a packet meets on its way in
//! stands in `receive` and `icmp`, on its way out in `output` and `errors`; what it meets on its way through a router, of
//! which a host can be a port, in `transit` and `refragment`.
//!
//! What does not live here: ports, connections, and whether to believe an ICMP error (the transports know what they
//! sent). RFC 791, 792, 826, 1122 §3, 4291, 4443, 4861, 6724, 6864, 8200. Deviations: redirects are not followed and source
//! routes are not taken, since both let a stranger lead traffic astray; IPv4 options are skipped; groups are joined
//! without IGMP or MLD; addresses are not tested for duplicates.

mod addresses;
mod errors;
mod extensions;
mod fragment;
mod icmp;
mod limits;
mod neighbours;
mod output;
mod paths;
mod queue;
mod quoted;
mod reassembly;
mod receive;
mod refragment;
mod resolve;
#[cfg(test)]
mod tests;
mod transit;

use std::collections::VecDeque;
use std::net::{IpAddr, SocketAddr};
use std::num::NonZeroU16;

use bytes::Bytes;
use smallvec::SmallVec;

use crate::journal::{DropReason, Event, Notebook, Timer, Why};
use crate::packet::{DeliveryError, Dissection, Medium, Packet, PacketId, SeqNum};
use crate::rng::Rng;
use crate::time::Instant;

use addresses::Addresses;
use limits::{ERRORS_IN_A_ROW, LOOPBACK, OUTBOUND, TIME_PER_ERROR, TokenBucket};
#[cfg(test)]
use neighbours::News;
use neighbours::{Mac, Neighbours};
use paths::Paths;
use queue::Queue;
use reassembly::Reassembly;

pub use paths::plateau_below;
pub use refragment::refragment;
pub use transit::{Crossing, Errand, Passed, Transit};

/// How a host is set up.
#[derive(Clone, Debug)]
pub struct Config {
    /// Bare IP, or Ethernet with address resolution.
    pub medium: Medium,
    /// Its MAC address; unused on [`Medium::Ip`].
    pub mac: [u8; 6],
    /// Its addresses, each with its prefix length in bits.
    pub addresses: Vec<(IpAddr, u8)>,
    /// Where packets for everybody else go, the preferred first.
    pub gateways: Vec<IpAddr>,
    /// Octets of the longest network packet.
    pub mtu: usize,
    /// Seeds identifications.
    pub seed: u64,
}

/// The network layer of one host. See the [module](self).
#[derive(Debug)]
pub struct Host {
    medium: Medium,
    mac: Mac,
    mtu: usize,
    addresses: Addresses,
    neighbours: Neighbours,
    paths: Paths,
    reassembly: Reassembly,
    /// The right to send ICMP errors.
    errors: TokenBucket,
    /// The next packet's identification over IPv4, the next fragmented packet's over IPv6.
    identification: u16,
    fragment_identification: u32,
    outbound: Queue<(Packet, Errand)>,
    /// A router's packets to those who are not on this link.
    unrouted: Queue<(Packet, Why)>,
    /// Packets that were passed on to a neighbour that is silent.
    returned: VecDeque<Packet>,
    /// Packets from this host to itself.
    loopback: Queue<Packet>,
    /// What the transports have not yet been told.
    reports: VecDeque<Undelivered>,
    /// Whether it keeps to itself what it could not use.
    is_silent: bool,
    journal: Notebook,
    /// The latest moment of which the host was told.
    now: Instant,
}

/// Something for the transports.
#[derive(Debug)]
#[expect(
    clippy::large_enum_variant,
    reason = "the large one is the common one, and a box would be an allocation a packet"
)]
pub enum Arrival {
    /// A packet for TCP or UDP.
    Transport(Delivered),
    /// Something that was sent did not arrive.
    Undelivered(Undelivered),
    /// Somebody answers an echo request.
    EchoReply(EchoReply),
}

/// A packet for TCP or UDP, which is whole and whose checksums are right.
#[derive(Debug)]
pub struct Delivered {
    /// Who sent it: one host.
    pub src: IpAddr,
    /// Whom it addresses: this host or, for UDP only, a group or everybody.
    pub dst: IpAddr,
    /// The protocol: 6 for TCP, 17 for UDP.
    pub protocol: u8,
    /// Explicit congestion notification, 2 bits (RFC 3168).
    pub ecn: u8,
    /// The hops that were left.
    pub hops: u8,
    /// The packet from its link header on, without what a link may have padded it with. The transport header is among
    /// its headers, and all its payload is the transport's.
    pub packet: Packet,
    /// What its headers say.
    pub dissection: Dissection,
}

/// News of a packet of ours that did not arrive. ICMP errors are easily forged: only who knows what was sent can say
/// whether to believe them (RFC 5927).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Undelivered {
    /// Why it did not arrive.
    pub error: DeliveryError,
    /// Who says so; ourselves, when a neighbour does not answer.
    pub reporter: IpAddr,
    /// The protocol of what was sent.
    pub protocol: u8,
    /// Its source; for an echo request the identifier stands for the port.
    pub local: SocketAddr,
    /// Its destination; the port is 0 for an echo request.
    pub remote: SocketAddr,
    /// The sequence number of a TCP segment.
    pub seq: Option<SeqNum>,
    /// Octets of the packet, as its own header says.
    pub length: usize,
    /// The ICMP message; 0 when there was none.
    pub packet: PacketId,
}

/// The answer to an echo request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EchoReply {
    /// Who answers.
    pub src: IpAddr,
    /// The identifier of the request.
    pub identifier: u16,
    /// The sequence number of the request.
    pub sequence: u16,
    /// The data of the request.
    pub data: Bytes,
    /// The hops that were left.
    pub hops: u8,
}

/// A packet that a transport wants sent.
#[derive(Clone, Debug)]
pub struct Outgoing {
    /// An own address; [`Host::source_for`] finds one.
    pub src: IpAddr,
    /// Whom it is for.
    pub dst: IpAddr,
    /// The protocol.
    pub protocol: u8,
    /// Hops that it may take, 1 to 255.
    pub hops: u8,
    /// DSCP in the upper six bits, ECN in the lower two.
    pub traffic_class: u8,
    /// Rather not sent than cut into fragments (IPv4: also by routers).
    pub dont_fragment: bool,
    /// The transport header, its checksum field zero.
    pub header: SmallVec<[u8; 60]>,
    /// Where in `header` the checksum field is; `None` when there is none to fill.
    pub checksum_offset: Option<u16>,
    /// What follows the header.
    pub payload: SmallVec<[Bytes; 2]>,
    /// For a super-segment of TCP: octets of payload of each piece. Its length as a whole is at most 65,535 octets.
    pub gso_size: Option<NonZeroU16>,
    /// Why it is sent.
    pub why: Why,
}

/// Why a packet cannot be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SendError {
    /// No prefix has the destination and no gateway of its family is known.
    #[error("no route leads to {0}; give the host a gateway")]
    NoRoute(IpAddr),
    /// The source is not an address of this host, or of the other family.
    #[error("{0} is not an address from which this host can send there")]
    BadSource(IpAddr),
    /// It must not be cut, and the path does not take it whole.
    #[error("the path takes {mtu} octets at a time; send fewer")]
    TooBig {
        /// Octets that the path takes.
        mtu: usize,
    },
    /// Longer than a packet can be.
    #[error("{0} octets are more than a packet holds; send fewer at a time")]
    TooLong(usize),
    /// Too much waits to be transmitted.
    #[error("too much waits to be transmitted; try again later")]
    QueueFull,
}

impl Host {
    /// A host that nobody knows yet.
    pub fn new(config: Config, now: Instant) -> Host {
        let mut rng = Rng::derive(config.seed, "ip");
        Host {
            medium: config.medium,
            mac: config.mac,
            mtu: config.mtu,
            addresses: Addresses::new(config.addresses, &config.gateways),
            neighbours: Neighbours::default(),
            paths: Paths::default(),
            reassembly: Reassembly::default(),
            errors: TokenBucket::new(ERRORS_IN_A_ROW, TIME_PER_ERROR, now),
            identification: rng.next_u32() as u16,
            fragment_identification: rng.next_u32(),
            outbound: Queue::new(OUTBOUND),
            unrouted: Queue::new(LOOPBACK),
            returned: VecDeque::new(),
            loopback: Queue::new(LOOPBACK),
            reports: VecDeque::new(),
            is_silent: false,
            journal: Notebook::default(),
            now,
        }
    }

    /// When [`Host::expire`] wants to be called, and for what; `None` when nothing is under way.
    pub fn deadline(&self) -> Option<(Instant, Timer)> {
        let neighbour = self.neighbours.deadline().map(|at| (at, Timer::Neighbour));
        let reassembly = self.reassembly.deadline().map(|at| (at, Timer::Reassembly));
        [neighbour, reassembly].into_iter().flatten().min_by_key(|(at, _)| *at)
    }

    /// Lets every timer fire whose time has come. [`Host::arrival`] may have something to tell afterwards.
    pub fn expire(&mut self, now: Instant) {
        self.tell_time(now);
        self.expire_neighbours();
        self.expire_reassembly();
    }

    /// Whether packets to `address` stay in this host: its own addresses, and the loopback ones.
    pub fn is_own(&self, address: IpAddr) -> bool {
        self.addresses.is_own(address)
    }

    /// Whether every host on our link is meant (RFC 1122 §3.3.6).
    pub fn is_broadcast(&self, address: IpAddr) -> bool {
        self.addresses.is_broadcast(address)
    }

    /// Whether `address` can be that of one host, to which a connection could be opened (RFC 9293 MUST-46).
    pub fn is_one_host(&self, address: IpAddr) -> bool {
        self.addresses.is_one_host(address)
    }

    /// The own address from which to speak to `destination` (RFC 6724 §5); `None` when there is none of its family.
    pub fn source_for(&self, destination: IpAddr) -> Option<IpAddr> {
        self.addresses.source_for(destination, self.now)
    }

    /// Whether a way leads to `destination`.
    pub fn has_route(&self, destination: IpAddr) -> bool {
        self.addresses.next_hop(destination, self.now).is_some()
    }

    /// Its own addresses in the order of the configuration.
    pub fn addresses(&self) -> impl Iterator<Item = IpAddr> + '_ {
        self.addresses.iter()
    }

    /// Octets of the longest network packet that it sends or takes.
    pub fn mtu(&self) -> usize {
        self.mtu
    }

    /// Octets of the longest network packet that reaches `destination` in one piece, as far as is known.
    pub fn path_mtu(&self, destination: IpAddr) -> usize {
        if self.is_own(destination) {
            return limits::LONGEST;
        }
        self.paths.mtu(destination, self.now).map_or(self.mtu, |mtu| mtu.min(self.mtu))
    }

    /// Remembers for ten minutes that the path to `destination` takes no more than `mtu` octets (RFC 1191, RFC 8201). Who
    /// calls this has found the report worth believing.
    pub fn set_path_mtu(&mut self, now: Instant, destination: IpAddr, mtu: usize) {
        self.tell_time(now);
        self.paths.set(destination, mtu, now);
    }

    /// Takes packets to a multicast group from now on; `false` when it is no group, or too many were joined.
    pub fn join(&mut self, group: IpAddr) -> bool {
        self.addresses.join(group)
    }

    /// Takes no more packets to a multicast group.
    pub fn leave(&mut self, group: IpAddr) {
        self.addresses.leave(group);
    }

    /// Whether nothing waits to be transmitted or taken.
    pub fn is_quiet(&self) -> bool {
        self.outbound.is_empty()
            && self.loopback.is_empty()
            && self.reports.is_empty()
            && self.unrouted.is_empty()
            && self.returned.is_empty()
    }

    /// Moves what there is to tell since the last call into `journal`.
    pub fn drain_journal(&mut self, journal: &mut Vec<Event>) {
        self.journal.drain(journal);
    }

    /// Whether there is anything to be told at all.
    pub fn set_telling(&mut self, telling: bool) {
        self.journal.set_open(telling);
    }

    /// Time does not go back, whatever a caller says.
    fn tell_time(&mut self, now: Instant) {
        self.now = self.now.max(now);
    }

    /// Notes that a packet is not used.
    fn dropped(&mut self, packet: PacketId, reason: DropReason) {
        self.journal.tell(Event::PacketDropped { packet, reason });
    }
}
