//! A segment arrives: whose is it, and what if it is nobody's (RFC 9293 §3.10.7.1 and §3.10.7.2).

use std::sync::Arc;

use super::{Arrival, Engine, NEVER, Slot};
use crate::journal::{DropReason, Event, Reason, SocketId, TcpState, Why};
use crate::packet::{SeqNum, TcpFlags};
use crate::tcp::config::Config;
use crate::tcp::connection::{Birth, Connection, Context, Origin};
use crate::tcp::fast_open::cookie::{self, Verdict};
use crate::tcp::segment::{Ends, Segment};
use crate::time::Instant;

impl Engine {
    /// A segment arrives. Returns whether it acknowledged something new, and so proved that the peer hears us.
    pub fn receive(&mut self, now: Instant, arrival: Arrival) -> bool {
        if let Some(socket) = self.by_ends.get(&arrival.ends).copied() {
            match self.may_begin_anew(now, socket, &arrival.segment) {
                Some(after) => {
                    // The old connection ends where the new one begins (RFC 9293 §3.6.1, RFC 6191).
                    self.with(now, socket, arrival.packet, |connection, cx| connection.make_way(cx));
                    self.arrives_in_listen(now, arrival, Some(after));
                    return false;
                }
                None => {
                    let Arrival { segment, packet, .. } = arrival;
                    let progress = self.with(now, socket, packet, |connection, cx| {
                        let before = connection.acknowledged();
                        connection.segment_arrives(cx, segment);
                        connection.acknowledged() > before
                    });
                    return progress == Some(true);
                }
            }
        }
        self.arrives_in_listen(now, arrival, None);
        false
    }

    /// Whether a SYN may take over the ends of a connection in TIME-WAIT: it is clearly newer, by its timestamp or its
    /// number, and somebody listens. Returns the number that the new connection's must be above.
    fn may_begin_anew(&self, now: Instant, socket: SocketId, segment: &Segment) -> Option<SeqNum> {
        let connection = &self.connections.get(&socket)?.connection;
        let is_request = segment.flags.syn() && !segment.flags.ack() && !segment.flags.rst();
        let waits = connection.state() == TcpState::TimeWait;
        if !is_request || !waits || !connection.is_outdated_by(now, segment) {
            return None;
        }
        self.listener_at(connection.ends().local)?;
        connection.snapshot().snd_nxt
    }

    /// LISTEN (§3.10.7.2). `after` is a sequence number that the new connection's must lie well above.
    fn arrives_in_listen(&mut self, now: Instant, arrival: Arrival, after: Option<SeqNum>) {
        let Arrival { ends, segment, packet } = arrival;
        let Some(parent) = self.listener_at(ends.local) else {
            return self.arrives_in_closed(Arrival { ends, segment, packet });
        };
        // First, check for a RST; second, for an ACK; third, for a SYN.
        if segment.flags.rst() {
            return self.drop(packet, DropReason::MeaninglessReset);
        }
        if segment.flags.ack() {
            let arrival = Arrival { ends, segment, packet };
            return self.recall(now, parent, arrival).map_or((), |arrival| self.arrives_in_closed(arrival));
        }
        let Some(listener) = self.listeners.get_mut(&parent) else { return };
        if !segment.flags.syn() || (segment.flags.fin() && listener.config.drops_syn_fin) {
            return self.drop(packet, DropReason::NoConnection);
        }
        let may_forget = after.is_none() && !listener.is_behind();
        if may_forget && listener.wants_cookie() {
            return self.answer_by_cookie(now, parent, ends, &segment);
        }
        if listener.is_full() {
            return self.drop(packet, DropReason::BacklogFull);
        }
        let config = listener.config.clone();
        let has_room = config.fast_open.queue > 0 && listener.may_open_early(now);
        let keys = config.fast_open.keys.as_ref().unwrap_or(&self.cookie_keys);
        let verdict = cookie::judge(&config.fast_open, keys, &ends, &segment, has_room);
        let iss = match after {
            // RFC 1122 §4.2.2.13: larger than the largest of the old connection.
            Some(snd_nxt) => snd_nxt + 65_535 + 2,
            None => self.secret.initial_sequence_number(now, &ends),
        };
        let socket = self.new_passive(now, parent, ends, config, iss);
        if let (Verdict::Early(_), Some(listener)) = (&verdict, self.listeners.get_mut(&parent)) {
            listener.opens_early(socket);
        }
        self.with(now, socket, packet, |connection: &mut Connection, cx: &mut Context<'_>| match verdict {
            Verdict::Ordinary(granted) => connection.answer(cx, &segment, granted),
            Verdict::Early(renewed) => connection.answer_early(cx, segment, renewed),
        });
    }

    /// A connection of a listener, in LISTEN still.
    pub(super) fn new_passive(
        &mut self,
        now: Instant,
        parent: SocketId,
        ends: Ends,
        config: Arc<Config>,
        iss: SeqNum,
    ) -> SocketId {
        let socket = self.new_id();
        if let Some(listener) = self.listeners.get_mut(&parent) {
            listener.opening.insert(socket);
        }
        let timestamp_offset = self.secret.timestamp_offset(&ends);
        let birth = Birth { ends, origin: Origin::Passive(parent), config, iss, timestamp_offset, mtu: self.mtu, now };
        let connection = Box::new(Connection::new(birth));
        self.connections
            .insert(socket, Slot { connection, scheduled: NEVER, ready: false, pending: true, busy: false });
        self.by_ends.insert(ends, socket);
        socket
    }

    /// CLOSED (§3.10.7.1): nobody is there. A reset says so, but never in answer to one.
    fn arrives_in_closed(&mut self, arrival: Arrival) {
        if arrival.segment.flags.rst() && self.answers_stray(&arrival.ends) {
            return;
        }
        self.drop(arrival.packet, DropReason::NoConnection);
        if !arrival.segment.flags.rst() {
            self.told.lone(arrival.ends, reset_for(&arrival.segment), Why::of(Reason::Reset));
        }
    }

    pub(super) fn drop(&mut self, packet: crate::packet::PacketId, reason: DropReason) {
        self.told.journal.tell(Event::PacketDropped { packet, reason });
    }
}

/// The reset that answers `segment` (RFC 9293 §3.10.7.1): its number is what the segment acknowledges; without an
/// acknowledgment it is zero, and the reset acknowledges the whole segment.
pub(crate) fn reset_for(segment: &Segment) -> Segment {
    if segment.flags.ack() {
        return Segment { seq: segment.ack, flags: TcpFlags::RST, ..Segment::default() };
    }
    let flags = TcpFlags(TcpFlags::RST.0 | TcpFlags::ACK.0);
    Segment { seq: SeqNum(0), ack: segment.end(), flags, ..Segment::default() }
}
