//! The table of an address translator (RFC 4787, RFC 5382, RFC 5508): which inside address and port has which port outside.
//!
//! ```text
//!   inside 10.0.0.2:4000 ──┐ by_inside            by_outside ┌── 203.0.113.1:4000
//!                          └────────► Mapping ◄──────────────┘
//!                                     peers: who was sent to
//! ```
//!
//! Plain addresses in, plain addresses out: packets are rewritten elsewhere. What falls short of the RFCs: one time-out for
//! every protocol and state (RFC 5382 REQ-5 wants longer ones for TCP), ports are not kept in pairs.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use super::super::{Filtering, Mapping, Nat};
use super::flow::Flow;
use crate::journal::{DropReason, Event, NatMapping, Notebook, TransportKind};
use crate::rng::Rng;
use crate::time::Instant;

/// Mappings that live at a time.
const MAPPINGS: usize = 16_384;
/// Peers that a mapping remembers; the oldest make room.
const PEERS: usize = 64;
/// Ports for those whose own is taken: the dynamic ones (RFC 6335 §6).
const DYNAMIC: u16 = 49_152;
/// How many ports are tried by chance before all are tried in turn.
const TRIES: u32 = 16;

type Key = (u8, SocketAddr, Option<SocketAddr>);

/// The table.
#[derive(Debug)]
pub(super) struct Translator {
    config: Nat,
    address: Ipv4Addr,
    rng: Rng,
    entries: BTreeMap<u32, Entry>,
    by_inside: BTreeMap<Key, u32>,
    by_outside: BTreeMap<(u8, u16), u32>,
    /// When each that can expire does.
    by_time: BTreeSet<(Instant, u32)>,
    last: u32,
}

#[derive(Debug)]
struct Entry {
    key: Key,
    port: u16,
    peers: VecDeque<SocketAddr>,
    /// `None` for a port that always leads inside.
    until: Option<Instant>,
}

impl Translator {
    /// A translator whose outside address is `address`.
    pub(super) fn new(config: Nat, address: Ipv4Addr, seed: u64) -> Translator {
        let mut translator = Translator {
            address,
            rng: Rng::derive(seed, "nat"),
            entries: BTreeMap::new(),
            by_inside: BTreeMap::new(),
            by_outside: BTreeMap::new(),
            by_time: BTreeSet::new(),
            last: 0,
            config,
        };
        for forward in translator.config.forwards.clone() {
            let protocol = match forward.protocol {
                TransportKind::Tcp => 6,
                TransportKind::Udp => 17,
            };
            let is_free = !translator.by_outside.contains_key(&(protocol, forward.port));
            if forward.to.is_ipv4() && is_free {
                translator.insert((protocol, forward.to, None), forward.port, None);
            }
        }
        translator
    }

    /// The address that the outside sees.
    pub(super) fn address(&self) -> IpAddr {
        self.address.into()
    }

    /// The outside source of a packet that leaves, from a new mapping where there is none (RFC 4787 §4).
    pub(super) fn outwards(
        &mut self,
        now: Instant,
        flow: &Flow,
        told: &mut Notebook,
    ) -> Result<SocketAddr, DropReason> {
        let id = match self.mapping_of(flow) {
            Some(id) => id,
            None => self.make(now, flow, told)?,
        };
        self.use_up(now, id);
        let outside = self.outside(id).ok_or(DropReason::NotTranslated)?;
        if let Some(entry) = self.entries.get_mut(&id)
            && !entry.peers.contains(&peer(flow.protocol, flow.dst))
        {
            entry.peers.truncate(PEERS - 1);
            entry.peers.push_front(peer(flow.protocol, flow.dst));
        }
        Ok(outside)
    }

    /// The outside source of a packet of a flow that is mapped already.
    pub(super) fn known_outwards(&self, flow: &Flow) -> Option<SocketAddr> {
        self.mapping_of(flow).and_then(|id| self.outside(id))
    }

    /// The inside destination of a packet that comes in (RFC 4787 §5). It refreshes its mapping only when it is let in.
    pub(super) fn inwards(&mut self, now: Instant, flow: &Flow) -> Result<SocketAddr, DropReason> {
        let id = *self.by_outside.get(&(flow.protocol, flow.dst.port())).ok_or(DropReason::NoMapping)?;
        let entry = self.entries.get(&id).ok_or(DropReason::NoMapping)?;
        let (_, inside, only) = entry.key;
        let src = peer(flow.protocol, flow.src);
        let was_sent_to = match (self.config.filtering, only) {
            _ if entry.until.is_none() => true,
            (_, Some(only)) => only == src,
            (Filtering::EndpointIndependent, None) => true,
            (Filtering::AddressDependent, None) => entry.peers.iter().any(|peer| peer.ip() == src.ip()),
            (Filtering::AddressAndPortDependent, None) => entry.peers.contains(&src),
        };
        if !was_sent_to {
            return Err(DropReason::Unsolicited);
        }
        self.use_up(now, id);
        Ok(inside)
    }

    /// The inside address of which an error quotes what was sent from `outside`. Errors refresh nothing (RFC 5508 REQ-6).
    pub(super) fn inside_of(&self, protocol: u8, outside: SocketAddr) -> Option<SocketAddr> {
        let id = self.by_outside.get(&(protocol, outside.port())).filter(|_| outside.ip() == self.address())?;
        self.entries.get(id).map(|entry| entry.key.1)
    }

    /// When the next mapping expires.
    pub(super) fn deadline(&self) -> Option<Instant> {
        self.by_time.first().map(|(at, _)| *at)
    }

    /// Forgets the mappings that nothing has used.
    pub(super) fn expire(&mut self, now: Instant, told: &mut Notebook) {
        while let Some((at, id)) = self.by_time.first().copied()
            && at <= now
        {
            self.by_time.pop_first();
            let Some(entry) = self.entries.remove(&id) else { continue };
            self.by_inside.remove(&entry.key);
            self.by_outside.remove(&(entry.key.0, entry.port));
            told.tell(Event::MappingExpired { mapping: self.described(&entry.key, entry.port) });
        }
    }

    fn mapping_of(&self, flow: &Flow) -> Option<u32> {
        let always = self.by_inside.get(&(flow.protocol, flow.src, None));
        always.or_else(|| self.by_inside.get(&(flow.protocol, flow.src, Some(peer(flow.protocol, flow.dst))))).copied()
    }

    fn make(&mut self, now: Instant, flow: &Flow, told: &mut Notebook) -> Result<u32, DropReason> {
        if !matches!(flow.protocol, 1 | 6 | 17) {
            return Err(DropReason::NotTranslated);
        }
        if self.entries.len() >= MAPPINGS {
            return Err(DropReason::TableFull);
        }
        let only = match self.config.mapping {
            Mapping::EndpointIndependent => None,
            Mapping::Symmetric => Some(peer(flow.protocol, flow.dst)),
        };
        let port = self.free_port(flow, only.is_none()).ok_or(DropReason::NotTranslated)?;
        let key = (flow.protocol, flow.src, only);
        told.tell(Event::MappingMade { mapping: self.described(&key, port) });
        Ok(self.insert(key, port, Some(now + self.config.idle)))
    }

    /// The inside port itself where it is free and may be (RFC 4787 §4.2.1), else one by chance (RFC 6056 §3.3.1).
    fn free_port(&mut self, flow: &Flow, may_keep: bool) -> Option<u16> {
        let is_free = |port: &u16| !self.by_outside.contains_key(&(flow.protocol, *port));
        let own = Some(flow.src.port()).filter(|port| may_keep && (*port >= 1024 || flow.protocol == 1));
        if let Some(port) = own.filter(is_free) {
            return Some(port);
        }
        let mut by_chance = || DYNAMIC + self.rng.below(u64::from(u16::MAX - DYNAMIC) + 1) as u16;
        let found = (0..TRIES).map(|_| by_chance()).find(is_free);
        found.or_else(|| (DYNAMIC..=u16::MAX).find(is_free)).or_else(|| (1024..DYNAMIC).find(is_free))
    }

    fn insert(&mut self, key: Key, port: u16, until: Option<Instant>) -> u32 {
        self.last = self.last.wrapping_add(1);
        let id = self.last;
        self.by_inside.insert(key, id);
        self.by_outside.insert((key.0, port), id);
        self.by_time.extend(until.map(|until| (until, id)));
        self.entries.insert(id, Entry { key, port, peers: VecDeque::new(), until });
        id
    }

    fn use_up(&mut self, now: Instant, id: u32) {
        let Some(entry) = self.entries.get_mut(&id) else { return };
        let Some(until) = &mut entry.until else { return };
        self.by_time.remove(&(*until, id));
        *until = now + self.config.idle;
        self.by_time.insert((*until, id));
    }

    fn outside(&self, id: u32) -> Option<SocketAddr> {
        self.entries.get(&id).map(|entry| SocketAddr::new(self.address(), entry.port))
    }

    fn described(&self, key: &Key, port: u16) -> NatMapping {
        let (protocol, inside, peer) = *key;
        NatMapping { protocol, inside, outside: SocketAddr::new(self.address(), port), peer }
    }

    #[cfg(test)]
    pub(super) fn size(&self) -> usize {
        assert_eq!((self.by_inside.len(), self.by_outside.len()), (self.entries.len(), self.entries.len()));
        self.entries.len()
    }
}

/// Whom a mapping knows: an address and a port, but for echo, whose identifier is not the peer's.
fn peer(protocol: u8, address: SocketAddr) -> SocketAddr {
    SocketAddr::new(address.ip(), if protocol == 1 { 0 } else { address.port() })
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::forward::{PortForward, PortId};

    const IDLE: Duration = Duration::from_secs(60);

    fn at(text: &str) -> SocketAddr {
        text.parse().expect("an address and a port")
    }

    fn flow(src: &str, dst: &str) -> Flow {
        Flow { protocol: 17, src: at(src), dst: at(dst) }
    }

    fn second(second: u64) -> Instant {
        Instant::ZERO + Duration::from_secs(second)
    }

    struct Subject {
        nat: Translator,
        told: Notebook,
    }

    impl Subject {
        fn new(mapping: Mapping, filtering: Filtering) -> Subject {
            let forward = PortForward { protocol: TransportKind::Udp, port: 53, to: at("10.0.0.9:5353") };
            let nat = Nat { outside: PortId(1), mapping, filtering, idle: IDLE, forwards: vec![forward] };
            Subject { nat: Translator::new(nat, [203, 0, 113, 1].into(), 1), told: Notebook::default() }
        }

        fn out(&mut self, now: Instant, src: &str, dst: &str) -> u16 {
            let to = self.nat.outwards(now, &flow(src, dst), &mut self.told).expect("there is room");
            assert_eq!(to.ip(), self.nat.address());
            to.port()
        }

        fn comes_in(&mut self, now: Instant, src: &str, port: u16) -> Result<SocketAddr, DropReason> {
            self.nat.inwards(now, &flow(src, &format!("203.0.113.1:{port}")))
        }

        fn told(&mut self) -> Vec<&'static str> {
            let mut events = Vec::new();
            self.told.drain(&mut events);
            let name = |event| match event {
                Event::MappingMade { .. } => "made",
                Event::MappingExpired { .. } => "expired",
                other => panic!("a table tells of its mappings, not {other:?}"),
            };
            events.into_iter().map(name).collect()
        }
    }

    const HOST: &str = "10.0.0.2:4000";
    const PEER: &str = "192.0.2.1:80";

    #[test]
    fn an_endpoint_independent_mapping_serves_all_peers_and_keeps_its_port() {
        let mut subject = Subject::new(Mapping::EndpointIndependent, Filtering::default());
        assert_eq!(subject.out(second(0), HOST, PEER), 4000);
        assert_eq!(subject.out(second(1), HOST, "192.0.2.2:81"), 4000);
        let other = subject.out(second(1), "10.0.0.3:4000", PEER);
        assert!(other >= DYNAMIC, "the port is taken: {other}");
        assert_eq!(subject.told(), ["made", "made"]);
        assert_eq!(subject.comes_in(second(2), PEER, other), Ok(at("10.0.0.3:4000")));
        assert_eq!(subject.comes_in(second(2), PEER, 4000), Ok(at(HOST)));
        assert_eq!(subject.comes_in(second(2), PEER, 4001), Err(DropReason::NoMapping));
    }

    #[test]
    fn a_symmetric_mapping_is_one_peers_alone() {
        let mut subject = Subject::new(Mapping::Symmetric, Filtering::EndpointIndependent);
        let (one, other) = (subject.out(second(0), HOST, PEER), subject.out(second(0), HOST, "192.0.2.2:80"));
        assert_ne!(one, other);
        assert_eq!(subject.comes_in(second(0), PEER, one), Ok(at(HOST)));
        assert_eq!(subject.comes_in(second(0), PEER, other), Err(DropReason::Unsolicited));
    }

    #[test]
    fn a_filter_lets_in_who_was_sent_to() {
        let strangers = ["192.0.2.1:80", "192.0.2.1:81", "192.0.2.7:80"];
        for (filtering, expected) in [
            (Filtering::EndpointIndependent, [true, true, true]),
            (Filtering::AddressDependent, [true, true, false]),
            (Filtering::AddressAndPortDependent, [true, false, false]),
        ] {
            let mut subject = Subject::new(Mapping::EndpointIndependent, filtering);
            let port = subject.out(second(0), HOST, PEER);
            let let_in = strangers.map(|peer| subject.comes_in(second(0), peer, port).is_ok());
            assert_eq!(let_in, expected, "{filtering:?}");
        }
    }

    #[test]
    fn what_nothing_uses_is_forgotten_and_what_is_refused_keeps_nothing_alive() {
        let mut subject = Subject::new(Mapping::EndpointIndependent, Filtering::default());
        let port = subject.out(second(0), HOST, PEER);
        assert_eq!(subject.nat.deadline(), Some(second(60)));
        assert!(subject.comes_in(second(30), PEER, port).is_ok());
        assert_eq!(subject.nat.deadline(), Some(second(90)));
        assert!(subject.comes_in(second(80), "192.0.2.7:80", port).is_err());
        subject.nat.expire(second(89), &mut subject.told);
        assert_eq!(subject.nat.size(), 2);
        subject.nat.expire(second(90), &mut subject.told);
        assert_eq!((subject.nat.size(), subject.told()), (1, vec!["made", "expired"]));
        assert_eq!(subject.comes_in(second(90), PEER, port), Err(DropReason::NoMapping));
    }

    #[test]
    fn a_forwarded_port_leads_inside_for_ever_and_answers_leave_through_it() {
        let mut subject = Subject::new(Mapping::Symmetric, Filtering::AddressAndPortDependent);
        assert_eq!(subject.comes_in(second(9_999), PEER, 53), Ok(at("10.0.0.9:5353")));
        assert_eq!(subject.out(second(9_999), "10.0.0.9:5353", PEER), 53);
        assert_eq!((subject.nat.deadline(), subject.nat.size()), (None, 1));
    }

    #[test]
    fn a_full_table_refuses_the_next_and_peers_make_room_for_peers() {
        let mut subject = Subject::new(Mapping::EndpointIndependent, Filtering::AddressAndPortDependent);
        for peer in 0..PEERS + 1 {
            subject.out(second(0), HOST, &format!("192.0.2.1:{}", 1000 + peer));
        }
        assert_eq!(subject.comes_in(second(0), "192.0.2.1:1000", 4000), Err(DropReason::Unsolicited));
        assert!(subject.comes_in(second(0), "192.0.2.1:1001", 4000).is_ok());
        for port in 0..MAPPINGS as u16 - 2 {
            subject.out(second(0), &format!("10.0.0.4:{}", 1024 + port), PEER);
        }
        let full = subject.nat.outwards(second(0), &flow("10.0.0.5:1", PEER), &mut subject.told);
        assert_eq!((full, subject.nat.size()), (Err(DropReason::TableFull), MAPPINGS));
    }
}
