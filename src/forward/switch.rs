//! A switch: Ethernet frames passed on by their addresses alone, which are learnt from those who speak (IEEE 802.1D §7).
//!
//! It has no address of its own, sends nothing of its own, and changes nothing. There is no spanning tree: a loop of
//! switches carries a broadcast round for ever, as it would between real ones without.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use super::{Cause, Forwarder, PortId, Sending, SwitchConfig};
use crate::journal::{DropReason, Event, Notebook};
use crate::packet::{Medium, Packet};
use crate::time::Instant;

/// Addresses that are remembered; the one longest unheard makes room.
const ADDRESSES: usize = 4096;
/// Frames that may wait to be drained.
const OUTBOUND: usize = 16_384;

type Mac = [u8; 6];

/// A switch. See the [module](self).
#[derive(Debug)]
pub struct Switch {
    ports: u16,
    age: Duration,
    /// Behind which port an address was last heard, and when.
    heard: BTreeMap<Mac, (PortId, Instant)>,
    outbound: VecDeque<(PortId, Packet)>,
    journal: Notebook,
}

impl Switch {
    /// A switch that has heard nobody yet.
    pub fn new(config: SwitchConfig) -> Switch {
        let SwitchConfig { ports, age } = config;
        Switch { ports, age, heard: BTreeMap::new(), outbound: VecDeque::new(), journal: Notebook::default() }
    }

    fn learn(&mut self, now: Instant, mac: Mac, port: PortId) {
        // A group speaks with nobody's address.
        if mac[0] & 1 == 1 {
            return;
        }
        if self.heard.len() >= ADDRESSES && !self.heard.contains_key(&mac) {
            let oldest = self.heard.iter().min_by_key(|(_, (_, at))| *at).map(|(mac, _)| *mac);
            oldest.map(|mac| self.heard.remove(&mac));
        }
        self.heard.insert(mac, (port, now));
    }

    /// The port behind which an address was heard lately.
    fn port_of(&self, now: Instant, mac: Mac) -> Option<PortId> {
        let (port, at) = self.heard.get(&mac).filter(|_| mac[0] & 1 == 0)?;
        (now.since(*at) < self.age).then_some(*port)
    }

    fn put(&mut self, port: PortId, packet: Packet) -> bool {
        let has_room = self.outbound.len() < OUTBOUND;
        if has_room {
            self.outbound.push_back((port, packet));
        }
        has_room
    }

    fn decide(&mut self, now: Instant, from: PortId, packet: Packet) -> Result<(), DropReason> {
        let mac = |at: usize| packet.headers().get(at..at + 6).and_then(|mac| Mac::try_from(mac).ok());
        let (Medium::Ethernet, Some(dst), Some(src)) = (packet.medium(), mac(0), mac(6)) else {
            return Err(DropReason::Malformed);
        };
        self.learn(now, src, from);
        let through: Vec<PortId> = match self.port_of(now, dst) {
            Some(port) if port == from => return Err(DropReason::BackWhereItCame),
            Some(port) => vec![port],
            None => (0..self.ports).map(PortId).filter(|port| *port != from).collect(),
        };
        if through.is_empty() {
            return Err(DropReason::BackWhereItCame);
        }
        let sent = through.into_iter().filter(|port| self.put(*port, packet.clone())).count();
        if sent == 0 { Err(DropReason::QueueFull) } else { Ok(()) }
    }
}

impl Forwarder for Switch {
    fn receive(&mut self, now: Instant, port: PortId, packet: Packet) {
        let id = packet.id;
        if let Err(reason) = self.decide(now, port, packet) {
            self.journal.tell(Event::PacketDropped { packet: id, reason });
        }
    }

    fn transmit(&mut self, _now: Instant) -> Option<Sending> {
        let (port, packet) = self.outbound.pop_front()?;
        Some(Sending { port, packet, cause: Cause::Forwarded })
    }

    fn deadline(&self) -> Option<Instant> {
        None
    }

    fn expire(&mut self, _now: Instant) {}

    fn drain_journal(&mut self, into: &mut Vec<Event>) {
        self.journal.drain(into);
    }

    fn set_telling(&mut self, telling: bool) {
        self.journal.set_open(telling);
    }

    fn is_quiet(&self) -> bool {
        self.outbound.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::packet::PacketId;

    const A: Mac = [2, 0, 0, 0, 0, 1];
    const B: Mac = [2, 0, 0, 0, 0, 2];

    fn at(seconds: u64) -> Instant {
        Instant::ZERO + Duration::from_secs(seconds)
    }

    fn frame(dst: Mac, src: Mac) -> Packet {
        let mut packet = Packet::new(Medium::Ethernet, &[dst.as_slice(), &src, &[0x88, 0xb5]].concat());
        packet.id = PacketId(1);
        packet
    }

    fn switch() -> Switch {
        Switch::new(SwitchConfig { ports: 3, age: Duration::from_secs(300) })
    }

    /// The ports through which a frame goes on.
    fn through(switch: &mut Switch, now: Instant, port: u16, packet: Packet) -> Vec<u16> {
        switch.receive(now, PortId(port), packet);
        std::iter::from_fn(|| switch.transmit(now)).map(|sending| sending.port.0).collect()
    }

    #[test]
    fn who_was_heard_is_found_and_everybody_else_is_looked_for() {
        let mut switch = switch();
        assert_eq!(through(&mut switch, at(0), 0, frame(B, A)), [1, 2]);
        assert_eq!(through(&mut switch, at(1), 1, frame(A, B)), [0]);
        assert_eq!(through(&mut switch, at(1), 0, frame(B, A)), [1]);
        assert_eq!(through(&mut switch, at(2), 0, frame([0xff; 6], A)), [1, 2]);
        // B moves, then is silent for as long as anybody remembers.
        assert_eq!(through(&mut switch, at(3), 2, frame(A, B)), [0]);
        assert_eq!(through(&mut switch, at(302), 0, frame(B, A)), [2]);
        assert_eq!(through(&mut switch, at(303), 0, frame(B, A)), [1, 2]);
    }

    #[test]
    fn what_is_for_the_link_it_came_from_stays_there_and_is_told() {
        let mut switch = switch();
        through(&mut switch, at(0), 0, frame(B, A));
        assert_eq!(through(&mut switch, at(0), 0, frame(A, B)), [0; 0]);
        let short = Packet::new(Medium::Ethernet, &[1; 11]);
        assert_eq!(through(&mut switch, at(0), 0, short), [0; 0]);
        assert_eq!(through(&mut switch, at(0), 0, Packet::new(Medium::Ip, &[0x45; 20])), [0; 0]);
        let mut told = Vec::new();
        switch.drain_journal(&mut told);
        let reasons: Vec<_> = told
            .iter()
            .map(|event| match event {
                Event::PacketDropped { reason, .. } => *reason,
                other => panic!("{other:?}"),
            })
            .collect();
        assert_eq!(reasons, [DropReason::BackWhereItCame, DropReason::Malformed, DropReason::Malformed]);
    }

    #[test]
    fn a_flood_of_addresses_is_bounded_and_groups_are_never_learnt() {
        let mut switch = switch();
        for number in 0..ADDRESSES as u64 + 9 {
            let [.., a, b, c, d] = number.to_be_bytes();
            through(&mut switch, at(number), 1, frame(B, [2, 9, a, b, c, d]));
        }
        through(&mut switch, at(0), 1, frame(B, [3, 0, 0, 0, 0, 1]));
        assert_eq!(switch.heard.len(), ADDRESSES);
        assert!(!switch.heard.contains_key(&[2, 9, 0, 0, 0, 0]) && !switch.heard.contains_key(&[3, 0, 0, 0, 0, 1]));
    }
}
