//! A router (RFC 1812), with a filter and an address translator if asked.
//!
//! ```text
//!   port: cross ─► NAT inwards ─► for us? ─► hops ─► route ─► policy ─► length ─► NAT outwards ─► clamp ─► port: pass_on
//!                                   │ receive          └── each may refuse it: drop, or tell its sender ──┘
//!                                   ▼
//!                       echo, ARP, port unreachable
//! ```
//!
//! [`Router`] is the conductor. Each port is an [`crate::ip::Host`], which knows its link: neighbours, addresses,
//! ICMP. The rooms beside it are leaves that take plain values: routes (`table`), rules (`policy`) over remembered
//! connections (`tracking`), mappings (`nat`), what a packet has to do with any of them (`flow`), and how headers are
//! changed (`rewrite`, `mss_clamp`).
//!
//! Deviations: no ICMP redirects are sent, no multicast and no directed broadcasts are forwarded (RFC 2644), IPv4 options
//! are passed on unread, and no routing protocol is spoken. A Record Route or a source route does nothing here.

mod flow;
mod mss_clamp;
mod nat;
mod policy;
mod reject;
mod rewrite;
mod table;
#[cfg(test)]
mod tests;
mod tracking;

use std::net::{IpAddr, SocketAddr};

use super::{Cause, Forwarder, MssClamp, PortId, Rejection, RouterConfig, Sending, Verdict};
use crate::ip::{self, Arrival, Crossing, Delivered, Errand, Host, Passed, Transit, refragment};
use crate::journal::{DropReason, Event, Notebook, Passage, Side, Why};
use crate::packet::dissect::Network;
use crate::packet::{Checksum, DeliveryError, Packet, PacketId, checksum};
use crate::time::Instant;

use flow::{Content, Flow, Fragments, Layout};
use nat::Translator;
use policy::{Guard, Ruling};
use table::Table;

/// A router. See the [module](self).
#[derive(Debug)]
pub struct Router {
    ports: Vec<Host>,
    table: Table,
    guard: Guard,
    nat: Option<(PortId, Translator)>,
    mss_clamp: Option<MssClamp>,
    icmp_errors: bool,
    fragments: Fragments,
    journal: Notebook,
    /// The port that [`Forwarder::transmit`] looks at first.
    next_port: usize,
}

/// Why a packet does not go on.
struct Refusal {
    reason: DropReason,
    /// What its sender is told, if anybody tells.
    error: Option<DeliveryError>,
}

impl Refusal {
    const fn silent(reason: DropReason) -> Refusal {
        Refusal { reason, error: None }
    }

    const fn told(reason: DropReason, error: DeliveryError) -> Refusal {
        Refusal { reason, error: Some(error) }
    }
}

/// A packet on its way through.
struct Journey {
    transit: Transit,
    layout: Layout,
    content: Content,
    from: PortId,
    /// As it came in, if it has been translated since: its sender knows no other.
    original: Option<Packet>,
    /// From the inside to an outside address of the inside: translated both ways (RFC 4787 §6).
    is_hairpin: bool,
}

impl Router {
    /// A router that knows none of its neighbours yet.
    pub fn new(config: RouterConfig, now: Instant) -> Router {
        let table = Table::new(&config.ports, &config.routes);
        let all: Vec<IpAddr> = config.ports.iter().flat_map(|port| port.addresses.iter().map(|(ip, _)| *ip)).collect();
        let outside = config.nat.as_ref().map(|nat| nat.outside);
        let address = outside.and_then(|port| config.ports.get(usize::from(port.0))).and_then(|port| {
            port.addresses.iter().find_map(|(address, _)| match address {
                IpAddr::V4(address) => Some(*address),
                IpAddr::V6(_) => None,
            })
        });
        let nat = config.nat.clone().zip(address);
        let nat = nat.map(|(nat, address)| (nat.outside, Translator::new(nat, address, config.seed)));
        let host = |(index, port): (usize, super::PortConfig)| {
            let others = all.iter().filter(|address| port.addresses.iter().all(|(own, _)| own != *address)).copied();
            let others = others.collect();
            let port = ip::Config {
                medium: config.medium,
                mac: port.mac,
                addresses: port.addresses,
                gateways: Vec::new(),
                mtu: port.mtu,
                seed: config.seed.wrapping_add(index as u64),
            };
            let mut host = Host::port_of_router(port, others, now);
            host.set_silent(!config.icmp_errors);
            host
        };
        let ports = config.ports.iter().cloned().enumerate().map(host).collect();
        Router {
            ports,
            table,
            guard: Guard::new(config.policy),
            nat,
            mss_clamp: config.mss_clamp,
            icmp_errors: config.icmp_errors,
            fragments: Fragments::default(),
            journal: Notebook::default(),
            next_port: 0,
        }
    }

    fn is_own(&self, address: IpAddr) -> bool {
        self.ports.first().is_some_and(|port| port.is_own(address))
    }

    fn port(&mut self, port: PortId) -> Option<&mut Host> {
        self.ports.get_mut(usize::from(port.0))
    }

    fn tell(&mut self, packet: PacketId, passage: Passage) {
        self.journal.tell(Event::Passage { packet, passage });
    }

    /// A packet to one host: passed on, taken, or refused.
    fn transit(&mut self, now: Instant, from: PortId, transit: Transit) {
        let content = if self.nat.is_some() || self.guard.is_stateful() {
            self.fragments.content(now, &transit)
        } else {
            Content::Unknown
        };
        let Some(layout) = Layout::of(&transit) else { return };
        let mut journey = Journey { transit, layout, content, from, original: None, is_hairpin: false };
        let id = journey.transit.packet.id;
        let decided = self.come_in(now, &mut journey).and_then(|is_ours| match is_ours {
            true => {
                self.take(now, from, journey.transit.packet.clone());
                Ok(())
            }
            false => self.go_on(now, &mut journey),
        });
        if let Err(Refusal { reason, error }) = decided {
            self.journal.tell(Event::PacketDropped { packet: id, reason });
            let packet = journey.original.unwrap_or(journey.transit.packet);
            if let Some(error) = error.filter(|_| self.icmp_errors) {
                self.complain(now, &packet, error);
            }
        }
    }

    /// Translates what comes in from outside; `true` when the packet is for this router.
    fn come_in(&mut self, now: Instant, journey: &mut Journey) -> Result<bool, Refusal> {
        if let Some((outside, nat)) = &mut self.nat
            && journey.transit.dst == nat.address()
        {
            let outside = *outside;
            match journey.content {
                Content::Part { flow, .. } => match nat.inwards(now, &flow) {
                    Ok(inside) => {
                        journey.is_hairpin = journey.from != outside;
                        self.translate_part(journey, Side::Destination, inside);
                    }
                    // Echo is answered by the router itself; the rest is nobody's.
                    Err(reason) if journey.from == outside && matches!(flow.protocol, 6 | 17) => {
                        return Err(Refusal::silent(reason));
                    }
                    Err(_) => {}
                },
                Content::Error(quoted) => {
                    if let Some(inside) = nat.inside_of(quoted.protocol, quoted.src) {
                        self.translate_error(journey, Side::Destination, inside.ip(), (Side::Source, inside), quoted);
                    }
                }
                Content::Unknown => {}
            }
        }
        Ok(self.is_own(journey.transit.dst))
    }

    /// RFC 1812 §5.3: everything between two ports.
    fn go_on(&mut self, now: Instant, journey: &mut Journey) -> Result<(), Refusal> {
        let (src, dst) = (journey.transit.src, journey.transit.dst);
        if src.is_unspecified() || self.ports.iter().any(|port| port.is_broadcast(dst)) {
            return Err(Refusal::silent(DropReason::NotToBeForwarded));
        }
        if journey.transit.hops <= 1 {
            return Err(Refusal::told(DropReason::HopsExceeded, DeliveryError::HopsExceeded));
        }
        let no_route = Refusal::told(DropReason::NoRoute, DeliveryError::NetworkUnreachable);
        let (to, next_hop) = self.table.find(dst).ok_or(no_route)?;
        self.ask_policy(now, journey, to)?;
        let mtu = self.ports[usize::from(to.0)].mtu();
        let is_long = journey.transit.length > mtu;
        if is_long && !may_be_cut(&journey.transit) {
            let error = DeliveryError::TooBig { mtu: u32::try_from(mtu).unwrap_or(u32::MAX) };
            return Err(Refusal::told(DropReason::TooBig, error));
        }
        // What follows may translate the flow; the policy remembers it as it is inside.
        let content = journey.content;
        self.go_out(now, journey, to)?;
        self.guard.passed(now, &content);
        let mut packet = journey.transit.packet.clone();
        if let (Some(to_mss), Some(tcp)) = (self.mss_clamp, journey.transit.dissection.tcp())
            && journey.layout.transport.is_some()
        {
            let narrower = self.ports.get(usize::from(journey.from.0)).map_or(mtu, |port| port.mtu().min(mtu));
            let clamped = mss_clamp::clamp(&mut packet, &journey.layout, tcp, to_mss, narrower);
            clamped.into_iter().for_each(|passage| self.tell(packet.id, passage));
        }
        rewrite::decrement_hops(&mut packet, &journey.layout);
        if !is_long {
            self.put(now, to, next_hop, packet, Errand::Passing);
            return Ok(());
        }
        let original = packet.id;
        let pieces = refragment(packet, mtu).ok_or(Refusal::silent(DropReason::TooBig))?;
        for piece in pieces {
            self.put(now, to, next_hop, piece, Errand::Piece(original));
        }
        Ok(())
    }

    fn ask_policy(&mut self, now: Instant, journey: &Journey, to: PortId) -> Result<(), Refusal> {
        if self.guard.is_open() {
            return Ok(());
        }
        let ports = (journey.from, to);
        let (rule, verdict) = match self.guard.judge(now, ports, &journey.transit.packet, &journey.content) {
            Ruling::Passes => return Ok(()),
            Ruling::Unfit(reason) => return Err(Refusal::silent(reason)),
            Ruling::Stops(rule, verdict) => (rule, verdict),
        };
        let rejection = match verdict {
            Verdict::Accept | Verdict::Drop => None,
            Verdict::Reject(rejection) => Some(rejection),
        };
        let rejected = rejection.is_some();
        self.tell(journey.transit.packet.id, Passage::Filtered { rule, rejected });
        let packet = journey.original.as_ref().unwrap_or(&journey.transit.packet);
        match (rejection, journey.transit.dissection.tcp()) {
            (None, _) => {}
            (Some(Rejection::Reset), Some(tcp)) => {
                let ends = packet.dissect().addresses();
                let reset = ends.and_then(|(src, dst)| reject::reset(src, dst, tcp));
                if let (Some(reset), Some(host)) = (reset, self.ports.get_mut(usize::from(journey.from.0))) {
                    host.speak_for(now, reset);
                }
            }
            (Some(Rejection::Reset), None) => self.complain(now, packet, DeliveryError::PortUnreachable),
            (Some(Rejection::Prohibited), _) => self.complain(now, packet, DeliveryError::Prohibited),
        }
        Err(Refusal::silent(DropReason::Filtered))
    }

    /// Translates what leaves for the outside, or turns back to the inside.
    fn go_out(&mut self, now: Instant, journey: &mut Journey, to: PortId) -> Result<(), Refusal> {
        let Some((outside, nat)) = &mut self.nat else { return Ok(()) };
        let leaves = to == *outside && journey.from != *outside;
        if !journey.layout.is_v4 || !(leaves || journey.is_hairpin) {
            return Ok(());
        }
        match journey.content {
            Content::Part { flow, .. } => {
                let source = nat.outwards(now, &flow, &mut self.journal).map_err(Refusal::silent)?;
                self.translate_part(journey, Side::Source, source);
            }
            Content::Error(quoted) => {
                // It quotes a packet that has come in through a mapping.
                let known = nat.known_outwards(&quoted.reversed());
                let known = known.ok_or(Refusal::silent(DropReason::NotTranslated))?;
                let address = nat.address();
                self.translate_error(journey, Side::Source, address, (Side::Destination, known), quoted);
            }
            Content::Unknown => return Err(Refusal::silent(DropReason::NotTranslated)),
        }
        Ok(())
    }

    fn translate_part(&mut self, journey: &mut Journey, side: Side, to: SocketAddr) {
        let Content::Part { flow, flags, is_answer } = journey.content else { return };
        journey.original.get_or_insert_with(|| journey.transit.packet.clone());
        rewrite::translate(&mut journey.transit.packet, &journey.layout, side, to);
        let from = match side {
            Side::Source => flow.src,
            Side::Destination => flow.dst,
        };
        let mut flow = flow;
        match side {
            Side::Source => (flow.src, journey.transit.src) = (to, to.ip()),
            Side::Destination => (flow.dst, journey.transit.dst) = (to, to.ip()),
        }
        if flow.protocol == 1 {
            // An identifier stands on both sides.
            flow.src.set_port(to.port());
            flow.dst.set_port(to.port());
        }
        journey.content = Content::Part { flow, flags, is_answer };
        self.tell(journey.transit.packet.id, Passage::Translated { side, from, to });
    }

    /// Translates an error's own address, and that of the packet which it quotes (RFC 5508 §4).
    fn translate_error(
        &mut self,
        journey: &mut Journey,
        side: Side,
        address: IpAddr,
        quoted: (Side, SocketAddr),
        flow: Flow,
    ) {
        journey.original.get_or_insert_with(|| journey.transit.packet.clone());
        rewrite::translate_error(&mut journey.transit.packet, &journey.layout, (side, address), quoted);
        let mut flow = flow;
        let from = match quoted.0 {
            Side::Source => std::mem::replace(&mut flow.src, quoted.1),
            Side::Destination => std::mem::replace(&mut flow.dst, quoted.1),
        };
        match side {
            Side::Source => journey.transit.src = address,
            Side::Destination => journey.transit.dst = address,
        }
        journey.content = Content::Error(flow);
        self.tell(journey.transit.packet.id, Passage::Translated { side: quoted.0, from, to: quoted.1 });
    }

    /// A packet for this router itself, or for everybody on a link.
    fn take(&mut self, now: Instant, from: PortId, packet: Packet) {
        self.tell(packet.id, Passage::Taken);
        let answers = self.icmp_errors;
        let Some(host) = self.port(from) else { return };
        let Some(arrival) = host.receive(now, packet) else { return };
        let Arrival::Transport(delivered) = arrival else { return };
        let id = delivered.packet.id;
        if answers {
            refuse(host, now, &delivered);
        }
        self.journal.tell(Event::PacketDropped { packet: id, reason: DropReason::NoConnection });
    }

    /// Tells the sender of a packet, on the way back to it.
    fn complain(&mut self, now: Instant, packet: &Packet, error: DeliveryError) {
        let Some((src, _)) = packet.dissect().addresses() else { return };
        let Some((back, _)) = self.table.find(src) else { return };
        if let Some(host) = self.port(back) {
            host.tell_sender(now, packet, error);
        }
    }

    fn put(&mut self, now: Instant, to: PortId, next_hop: IpAddr, packet: Packet, errand: Errand) {
        let id = packet.id;
        let Some(host) = self.port(to) else { return };
        if host.pass_on(now, packet, next_hop, errand) == Passed::Waits {
            self.tell(id, Passage::AwaitsNeighbour { neighbour: next_hop });
        }
    }

    /// What the ports have for others than their neighbours, and what they could not deliver.
    fn settle(&mut self, now: Instant) {
        for index in 0..self.ports.len() {
            while self.ports[index].arrival(now).is_some() {}
            while let Some(packet) = self.ports[index].returned() {
                let packet = self.untranslated(packet);
                if self.icmp_errors {
                    self.complain(now, &packet, DeliveryError::HostUnreachable);
                }
            }
        }
        for index in 0..self.ports.len() {
            while let Some((packet, why)) = self.ports[index].unrouted() {
                self.route_own(now, packet, why);
            }
        }
    }

    /// A packet as its sender knows it.
    fn untranslated(&self, mut packet: Packet) -> Packet {
        let Some((_, nat)) = &self.nat else { return packet };
        let dissection = packet.dissect();
        let Some(Network::Ipv4(header)) = &dissection.network else { return packet };
        let whole = packet.to_bytes();
        let quotation = whole.get(header.offset..).unwrap_or_default();
        let Some((flow, layout)) = flow::quoted_flow(quotation).zip(Layout::of_quotation(quotation)) else {
            return packet;
        };
        let layout =
            Layout { network: header.offset, transport: layout.transport.map(|at| at + header.offset), ..layout };
        if let Some(inside) = nat.inside_of(flow.protocol, flow.src) {
            rewrite::translate(&mut packet, &layout, Side::Source, inside);
        } else if let Some(outside) = nat.known_outwards(&flow.reversed()) {
            rewrite::translate(&mut packet, &layout, Side::Destination, outside);
        }
        packet
    }

    /// A packet of the router's own, to somebody beyond its ports' links.
    fn route_own(&mut self, now: Instant, packet: Packet, why: Why) {
        let Some((_, dst)) = packet.dissect().addresses() else { return };
        let Some((to, next_hop)) = self.table.find(dst) else { return };
        let Some(host) = self.ports.get_mut(usize::from(to.0)) else { return };
        if packet.network_len() <= host.mtu() {
            host.pass_on(now, packet, next_hop, Errand::Own(why));
            return;
        }
        for piece in refragment(packet, host.mtu()).unwrap_or_default() {
            host.pass_on(now, piece, next_hop, Errand::Own(why));
        }
    }
}

/// Nobody listens here.
fn refuse(host: &mut Host, now: Instant, delivered: &Delivered) {
    match delivered.dissection.tcp() {
        Some(tcp) => {
            if let Some(reset) = reject::reset(delivered.src, delivered.dst, tcp) {
                host.speak_for(now, reset);
            }
        }
        None => host.refuse_delivered(now, delivered, DeliveryError::PortUnreachable),
    }
}

/// Whether a router may cut it (RFC 791 §2.3; nobody cuts IPv6, RFC 8200 §5).
fn may_be_cut(transit: &Transit) -> bool {
    matches!(&transit.dissection.network, Some(Network::Ipv4(header)) if !header.dont_fragment)
}

impl Forwarder for Router {
    fn receive(&mut self, now: Instant, port: PortId, mut packet: Packet) {
        if packet.checksum() != Checksum::Full {
            checksum::complete(&mut packet);
        }
        let Some(host) = self.port(port) else { return };
        match host.cross(now, packet) {
            Some(Crossing::Local(packet)) => self.take(now, port, packet),
            Some(Crossing::Transit(transit)) => self.transit(now, port, transit),
            None => {}
        }
        self.settle(now);
    }

    fn transmit(&mut self, now: Instant) -> Option<Sending> {
        for offset in 0..self.ports.len() {
            let index = (self.next_port + offset) % self.ports.len();
            let Some((packet, errand)) = self.ports[index].transmit_any(now) else { continue };
            self.next_port = index;
            let cause = match errand {
                Errand::Own(why) => Cause::Own(why),
                Errand::Passing => Cause::Forwarded,
                Errand::Piece(original) => Cause::Fragment(original),
            };
            return Some(Sending { port: PortId(u16::try_from(index).unwrap_or(u16::MAX)), packet, cause });
        }
        self.next_port = 0;
        None
    }

    fn deadline(&self) -> Option<Instant> {
        let ports = self.ports.iter().filter_map(|port| port.deadline()).map(|(at, _)| at);
        ports.chain(self.nat.as_ref().and_then(|(_, nat)| nat.deadline())).min()
    }

    fn expire(&mut self, now: Instant) {
        self.ports.iter_mut().for_each(|port| port.expire(now));
        if let Some((_, nat)) = &mut self.nat {
            nat.expire(now, &mut self.journal);
        }
        self.settle(now);
    }

    fn drain_journal(&mut self, into: &mut Vec<Event>) {
        self.ports.iter_mut().for_each(|port| port.drain_journal(into));
        self.journal.drain(into);
    }

    fn set_telling(&mut self, telling: bool) {
        self.ports.iter_mut().for_each(|port| port.set_telling(telling));
        self.journal.set_open(telling);
    }

    fn is_quiet(&self) -> bool {
        self.ports.iter().all(|port| port.is_quiet() && !port.is_waited_for())
    }
}
