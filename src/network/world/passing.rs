//! Packets through a forwarder, and what its vantage point holds of them.
//!
//! Each packet stands there once, as it came in, with what became of it as its comments: so it is told only after the
//! forwarder has decided, and the next link has taken or dropped it. Packets of the forwarder's own follow.

use std::collections::HashMap;

use smallvec::SmallVec;

use super::{Kind, Remarks, World};
use crate::capture::{Direction, Remark};
use crate::forward::{Cause, Sending};
use crate::journal::{DropReason, Event, NodeId, Passage};
use crate::packet::{Packet, PacketId};
use crate::time::Instant;

/// What came in at this moment, in order, and what is known of each.
#[derive(Default)]
struct Arrivals {
    packets: Vec<(Packet, Remarks)>,
    places: HashMap<PacketId, usize>,
}

impl Arrivals {
    fn add(&mut self, packet: Packet) {
        self.places.insert(packet.id, self.packets.len());
        self.packets.push((packet, SmallVec::new()));
    }

    /// Adds a comment to a packet, if it came in at this moment; one that had waited has been told.
    fn comment(&mut self, packet: PacketId, remark: Remark) {
        if let Some((_, remarks)) = self.places.get(&packet).and_then(|place| self.packets.get_mut(*place)) {
            remarks.push(remark);
        }
    }
}

impl World {
    /// Serves a forwarder: the whole batch first, then timers, then everything that goes out. Returns whether anything
    /// happened.
    pub(super) fn serve_forwarder(&mut self, now: Instant, id: NodeId) -> bool {
        let index = usize::from(id.0);
        let telling = self.telling;
        let Some(Kind::Forwarder { forwarder, inbox }) = self.nodes.get_mut(index).map(|node| &mut node.kind) else {
            return false;
        };
        let batch = std::mem::take(inbox);
        let due = forwarder.deadline().is_some_and(|at| at <= now);
        let mut arrivals = Arrivals::default();
        let mut events = Vec::new();
        let happened = due || !batch.is_empty();
        for (port, packet) in batch {
            if telling {
                events.push(Event::PacketArrived { packet: packet.id });
                arrivals.add(packet.clone());
            }
            forwarder.receive(now, port, packet);
        }
        if due {
            forwarder.expire(now);
        }
        let sendings: Vec<Sending> = std::iter::from_fn(|| forwarder.transmit(now)).collect();
        forwarder.drain_journal(&mut events);
        self.node_agenda.set(index, forwarder.deadline());
        for event in events {
            match &event {
                Event::PacketDropped { packet, reason } => arrivals.comment(*packet, Remark::Refused(*reason)),
                Event::Passage { packet, passage } => arrivals.comment(*packet, Remark::Passage(passage.clone())),
                _ => {}
            }
            self.tell(now, id, event);
        }
        let mut own = Vec::new();
        for sending in sendings {
            self.pass_on(now, id, sending, &mut arrivals, &mut own);
        }
        for (packet, remarks) in arrivals.packets {
            self.tell_packet(now, id, Direction::In, &packet, remarks);
        }
        for (packet, remarks) in own {
            self.tell_packet(now, id, Direction::Out, &packet, remarks);
        }
        happened
    }

    fn pass_on(
        &mut self,
        now: Instant,
        from: NodeId,
        sending: Sending,
        arrivals: &mut Arrivals,
        own: &mut Vec<(Packet, Remarks)>,
    ) {
        let Sending { port, mut packet, cause } = sending;
        let out = self.pipe_at((from, port).into());
        // A name is written down only for who listens.
        let link = out.map(|out| if self.telling { self.pipes[out].pipe.name().to_owned() } else { String::new() });
        match cause {
            Cause::Forwarded => {}
            Cause::Fragment(original) => {
                packet.id = self.ids.allocate();
                arrivals.comment(original, Remark::GoesOnAs(packet.id));
                self.tell(now, from, Event::Passage { packet: packet.id, passage: Passage::Piece { original } });
            }
            Cause::Own(why) => {
                packet.id = self.ids.allocate();
                self.tell(now, from, Event::PacketSent { packet: packet.id, why });
            }
        }
        let name = packet.id;
        let Some((out, link)) = out.zip(link) else {
            self.tell(now, from, Event::PacketDropped { packet: name, reason: DropReason::NoLink });
            return match cause {
                Cause::Own(why) => own.push((packet, SmallVec::from_iter([Remark::Why(why), Remark::NoLink]))),
                Cause::Forwarded | Cause::Fragment(_) => arrivals.comment(name, Remark::NoLink),
            };
        };
        if self.telling {
            packet.join();
        }
        let is_own = matches!(cause, Cause::Own(_));
        let kept = (self.telling && is_own).then(|| packet.clone());
        if self.telling {
            if !is_own {
                arrivals.comment(name, Remark::Forwarded(link.clone()));
            }
            self.tell(now, from, Event::Forwarded { packet: name, link });
        }
        let comments = self.offer(now, from, out, packet);
        match (cause, kept) {
            (Cause::Own(why), Some(packet)) => {
                let mut remarks = SmallVec::from_iter([Remark::Why(why)]);
                remarks.extend(comments);
                own.push((packet, remarks));
            }
            (Cause::Own(_), None) => {}
            (Cause::Forwarded, _) => comments.into_iter().for_each(|remark| arrivals.comment(name, remark)),
            (Cause::Fragment(original), _) => {
                comments.into_iter().for_each(|remark| arrivals.comment(original, remark.of_piece(name)));
            }
        }
    }
}
