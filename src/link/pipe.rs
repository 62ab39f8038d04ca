//! One direction of a link: the conductor of this room.

use std::time::Duration;

use super::PacketIds;
use super::chance::{Chance, Luck};
use super::codel::{self, CoDel, Queued};
use super::config::{Action, Discipline, PipeConfig};
use super::corrupt::flip_bit;
use super::edit;
use super::flight::Flight;
use super::rules::Rules;
use super::serializer::Serializer;
use crate::journal::Impairment;
use crate::packet::{Packet, PacketId};
use crate::rng::Rng;
use crate::time::Instant;

/// One direction of a link.
///
/// Sans-I/O: the caller offers packets as they leave a node, and comes back at [`Pipe::deadline`] to take those that
/// arrive. Times handed in must not run backwards.
pub struct Pipe {
    config: PipeConfig,
    rules: Rules,
    chance: Chance,
    serializer: Serializer,
    flight: Flight,
    /// What waits in front of the wire, where that is not for the serializer to say.
    codel: Option<CoDel<Departure>>,
    /// What was done to packets since they were offered.
    late: Vec<(PacketId, Impairment)>,
}

/// A packet in front of the wire, and what is to happen to it there.
struct Departure {
    packet: Packet,
    luck: Luck,
    fate: Fate,
}

impl Queued for Departure {
    fn octets(&self) -> usize {
        self.packet.len()
    }

    fn mark(&mut self) -> bool {
        edit::mark(&mut self.packet)
    }
}

/// What was decided to happen to a packet that is not dropped, and by which rule if not by chance.
#[derive(Default)]
struct Fate {
    duplicate: Option<Cause>,
    corrupt: Option<Cause>,
    hold: Option<(Cause, u32)>,
    delay: Option<(Cause, Duration)>,
    edit: Option<Edit>,
}

/// What a rule writes into a packet's headers.
enum Edit {
    Bleach(String),
    Strip(String, u8),
}

/// The id of the rule that did it; `None` by chance.
type Cause = Option<String>;

impl Pipe {
    /// A pipe that draws its chances from `rng`.
    pub fn new(mut config: PipeConfig, rng: Rng) -> Pipe {
        let rules = Rules::new(std::mem::take(&mut config.rules));
        let serializer = Serializer::new(config.rate, config.queue.packets);
        let codel = match config.queue.discipline {
            Discipline::CoDel { target, interval, ecn } if config.rate.is_some() => {
                Some(CoDel::new(target, interval, ecn))
            }
            Discipline::CoDel { .. } | Discipline::Fifo { .. } => None,
        };
        let flight = Flight::default();
        Pipe { config, rules, chance: Chance::new(rng), serializer, flight, codel, late: Vec::new() }
    }

    /// The link's name in the journal.
    pub fn name(&self) -> &str {
        &self.config.name
    }

    /// Takes a packet from the sending node. What was done to it, other than carrying it, goes into `impairments`, with
    /// the id of the packet it was done to (for a duplicate: the copy's, fresh from `ids`).
    ///
    /// Decided in this order: MTU, rules, loss, copy, queue, bit error, holding back, delay. So a dropped packet takes
    /// no time of the wire, and a copy follows its original through the queue. Corruption flips a bit beyond the link
    /// header and leaves checksums as they are.
    pub fn offer(
        &mut self,
        now: Instant,
        packet: Packet,
        ids: &mut PacketIds,
        impairments: &mut Vec<(PacketId, Impairment)>,
    ) {
        // Drawn before anything is decided, so that one packet's fate never changes the luck of the next.
        // A lab meets the same chances behind every door, so address resolution, which only Ethernet has, takes no
        // part.
        let luck = if packet.is_address_resolution() { Luck::default() } else { self.chance.draw(&self.config) };
        let fate = match self.judge(&packet, luck) {
            Ok(fate) => fate,
            Err(drop) => return impairments.push((packet.id, drop)),
        };
        let copy = fate.duplicate.as_ref().map(|rule| {
            let mut copy = packet.clone();
            copy.id = ids.allocate();
            impairments.push((copy.id, Impairment::Duplicated { rule: rule.clone(), original: packet.id }));
            copy
        });
        self.send(now, packet, luck, fate, impairments);
        if let Some(copy) = copy {
            self.send(now, copy, luck, Fate::default(), impairments);
        }
    }

    /// The next packet whose time of arrival has come; call until `None`. Order of arrival, ties in order of departure.
    pub fn deliver(&mut self, now: Instant) -> Option<Packet> {
        self.let_leave(now);
        self.flight.deliver(now)
    }

    /// Moves what was done to packets after they were offered, other than carrying them, into `impairments`: a queue may
    /// decide late.
    pub fn drain_late(&mut self, impairments: &mut Vec<(PacketId, Impairment)>) {
        impairments.append(&mut self.late);
    }

    /// When [`Pipe::deliver`] has something next; `None` when nothing is on its way. A held packet that no other passes
    /// is released in the end: [`HOLD_LIMIT`](super::HOLD_LIMIT) after it would have arrived.
    pub fn deadline(&self) -> Option<Instant> {
        [self.flight.deadline(), self.next_departure()].into_iter().flatten().min()
    }

    /// When the next packet in front of the wire leaves; `None` when none waits there.
    fn next_departure(&self) -> Option<Instant> {
        let since = self.codel.as_ref()?.head_since()?;
        Some(since.max(self.serializer.free_at()))
    }

    /// Lets those leave for whom the wire is free by `now`.
    fn let_leave(&mut self, now: Instant) {
        while let Some(start) = self.next_departure().filter(|start| *start <= now)
            && let Some(codel) = &mut self.codel
        {
            let mut fates = Vec::new();
            codel.pop(start, &mut fates);
            for fate in fates {
                let departure = match fate {
                    codel::Fate::Dropped(Departure { packet, .. }, waited) => {
                        self.late.push((packet.id, Impairment::WaitedTooLong { waited }));
                        continue;
                    }
                    codel::Fate::Marked(departure) => {
                        self.late.push((departure.packet.id, Impairment::Marked));
                        departure
                    }
                    codel::Fate::Leaves(departure) => departure,
                };
                let left = self.serializer.serialize(start, departure.packet.len());
                let mut late = std::mem::take(&mut self.late);
                self.launch(left, departure, &mut late);
                self.late = late;
            }
        }
    }

    /// What is to happen to the packet; the reason when it is dropped.
    fn judge(&mut self, packet: &Packet, luck: Luck) -> Result<Fate, Impairment> {
        if packet.network_len() > self.config.mtu {
            return Err(Impairment::TooBig { mtu: self.config.mtu });
        }
        let mut fate = Fate::default();
        if let Some(rule) = self.rules.judge(packet) {
            let cause = Some(rule.id.clone());
            match rule.action {
                Action::Drop => return Err(Impairment::DroppedByRule { rule: rule.id.clone() }),
                Action::Delay(span) => fate.delay = Some((cause, span)),
                Action::Hold(packets) => fate.hold = Some((cause, packets)),
                Action::Duplicate => fate.duplicate = Some(cause),
                Action::Corrupt => fate.corrupt = Some(cause),
                Action::StripOption(kind) => fate.edit = Some(Edit::Strip(rule.id.clone(), kind)),
                Action::BleachEcn => fate.edit = Some(Edit::Bleach(rule.id.clone())),
            }
        }
        if luck.lost {
            return Err(Impairment::Lost);
        }
        fate.add_luck(luck, self.config.reorder_by);
        Ok(fate)
    }

    /// Puts a packet in front of the wire: what a rule writes into it, and the queue.
    fn send(
        &mut self,
        now: Instant,
        mut packet: Packet,
        luck: Luck,
        fate: Fate,
        impairments: &mut Vec<(PacketId, Impairment)>,
    ) {
        let id = packet.id;
        if let Some(told) = fate.edit.as_ref().and_then(|edit| edit.work_on(&mut packet)) {
            impairments.push((id, told));
        }
        if let Some(codel) = &mut self.codel {
            // As with the other discipline, who is being serialized does not wait.
            if codel.len() >= self.config.queue.packets && self.serializer.free_at() > now {
                return impairments.push((id, Impairment::QueueOverflow));
            }
            codel.push(now, Departure { packet, luck, fate });
            return self.let_leave(now);
        }
        let waiting = self.serializer.waiting(now);
        let Some(left) = self.serializer.accept(now, packet.len()) else {
            return impairments.push((id, Impairment::QueueOverflow));
        };
        if let Discipline::Fifo { mark_above: Some(most) } = self.config.queue.discipline
            && waiting > most
            && edit::mark(&mut packet)
        {
            impairments.push((id, Impairment::Marked));
        }
        self.launch(left, Departure { packet, luck, fate }, impairments);
    }

    /// A packet has left: bit error, and its time of arrival.
    fn launch(&mut self, left: Instant, departure: Departure, impairments: &mut Vec<(PacketId, Impairment)>) {
        let Departure { mut packet, luck, fate } = departure;
        let id = packet.id;
        if let Some(rule) = fate.corrupt
            && let Some(octet) = flip_bit(&mut packet, luck.bit)
        {
            impairments.push((id, Impairment::Corrupted { rule, octet }));
        }
        if luck.jitter > Duration::ZERO {
            impairments.push((id, Impairment::Delayed { rule: None, by: luck.jitter }));
        }
        let at = self.flight.keep_order(left + self.config.delay + luck.jitter);
        if let Some((rule, packets)) = fate.hold.filter(|(_, packets)| *packets > 0) {
            impairments.push((id, Impairment::Held { rule, packets }));
            self.flight.hold(at, packet, packets);
        } else if let Some((rule, by)) = fate.delay {
            impairments.push((id, Impairment::Delayed { rule, by }));
            self.flight.carry_late(at + by, packet);
        } else {
            self.flight.carry(at, packet);
        }
    }
}

impl Edit {
    /// Does it; tells of it, if there was anything to do.
    fn work_on(&self, packet: &mut Packet) -> Option<Impairment> {
        match self {
            Edit::Bleach(rule) => edit::bleach(packet).then(|| Impairment::EcnBleached { rule: rule.clone() }),
            Edit::Strip(rule, option) => edit::strip_option(packet, *option)
                .then(|| Impairment::OptionStripped { rule: rule.clone(), option: *option }),
        }
    }
}

impl Fate {
    /// Adds what chance has in store. A rule is exact: what it does is neither done twice nor, for its delay, undone by
    /// holding the packet back.
    fn add_luck(&mut self, luck: Luck, reorder_by: u32) {
        if luck.duplicated && self.duplicate.is_none() {
            self.duplicate = Some(None);
        }
        if luck.corrupted && self.corrupt.is_none() {
            self.corrupt = Some(None);
        }
        if luck.held && self.hold.is_none() && self.delay.is_none() {
            self.hold = Some((None, reorder_by));
        }
    }
}
