//! Telling, from its packets alone, why smoltcp sent each of them.
//!
//! smoltcp does not give reasons and hides its variables. What can be known for certain from outside is known here: which
//! sequence numbers went out and how often, what was acknowledged, which timer must have fired. What cannot be known
//! (its congestion window, its smoothed round-trip time) stays unknown.

use std::collections::VecDeque;
use std::time::Duration;

use crate::journal::{Event, Reason, SocketId, TcpState, Timer};
use crate::packet::dissect::Tcp;
use crate::packet::{PacketId, SeqNum};
use crate::time::Instant;

/// How many duplicate acknowledgments make smoltcp resend (RFC 5681 §3.2).
const DUPLICATE_ACK_THRESHOLD: u32 = 3;

/// smoltcp's shortest retransmission time-out (`RTTE_MIN_RTO`). What goes again sooner after a time-out was not caused by
/// another one: smoltcp then goes back to SND.UNA and sends everything from there.
const SHORTEST_RTO: Duration = Duration::from_secs(1);

/// One connection, watched from outside.
#[derive(Debug, Default)]
pub(super) struct Observer {
    /// What was sent and is not acknowledged, in sequence order.
    flight: VecDeque<Sent>,
    /// SND.NXT, once something was sent.
    snd_nxt: Option<SeqNum>,
    /// SND.UNA, once something was acknowledged.
    snd_una: Option<SeqNum>,
    /// The peer's window field when it last spoke.
    peer_window: Option<u16>,
    duplicate_acks: u32,
    /// When the retransmission timer was last started: as data went out with nothing in flight, as new data was
    /// acknowledged with more in flight (RFC 6298 §5.1, §5.3), or as it fired.
    timer_started_at: Option<Instant>,
    /// The acknowledgment number and window of our last segment.
    last_sent: Option<(SeqNum, u16)>,
    /// What arrived since then that an acknowledgment answers.
    provoked_by: Option<Provocation>,
    pub(super) reset_by_peer: bool,
}

#[derive(Debug)]
struct Sent {
    seq: SeqNum,
    end: SeqNum,
    resent: u32,
}

/// What kind of segment an acknowledgment answers; the last one counts most.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Provocation {
    InOrder,
    Fin,
    OutOfOrder,
    Unacceptable,
}

impl Observer {
    pub(super) fn snd_una(&self) -> Option<SeqNum> {
        self.snd_una
    }

    pub(super) fn snd_nxt(&self) -> Option<SeqNum> {
        self.snd_nxt
    }

    /// How many sent segments it remembers.
    #[cfg(test)]
    pub(super) fn in_flight(&self) -> usize {
        self.flight.len()
    }

    /// A segment of the peer is about to be handed to smoltcp.
    pub(super) fn arrives(&mut self, now: Instant, tcp: &Tcp, socket: SocketId, events: &mut Vec<Event>) {
        self.reset_by_peer |= tcp.flags.rst();
        if tcp.flags.ack() {
            self.acknowledgment_arrives(now, tcp, socket, events);
        }
        self.peer_window = Some(tcp.window);
        if tcp.sequence_len() > 0 {
            self.provoked_by = Some(self.provocation(tcp));
        }
    }

    fn acknowledgment_arrives(&mut self, now: Instant, tcp: &Tcp, socket: SocketId, events: &mut Vec<Event>) {
        let news = self.snd_una.is_none_or(|una| tcp.ack.after(una));
        if news && self.snd_nxt.is_some_and(|nxt| tcp.ack.at_or_before(nxt)) {
            self.snd_una = Some(tcp.ack);
            self.duplicate_acks = 0;
            while self.flight.front().is_some_and(|sent| sent.end.at_or_before(tcp.ack)) {
                self.flight.pop_front();
            }
            self.timer_started_at = (!self.flight.is_empty()).then_some(now);
            return;
        }
        // RFC 5681 §2: outstanding data, no data in the segment, no SYN or FIN, same number, same window.
        let duplicate = self.snd_una == Some(tcp.ack)
            && !self.flight.is_empty()
            && tcp.sequence_len() == 0
            && self.peer_window == Some(tcp.window);
        if duplicate {
            self.duplicate_acks += 1;
            events.push(Event::DuplicateAck { socket, ack: tcp.ack, count: self.duplicate_acks });
        }
    }

    fn provocation(&self, tcp: &Tcp) -> Provocation {
        let Some((rcv_nxt, _)) = self.last_sent.filter(|_| !tcp.flags.syn()) else { return Provocation::InOrder };
        if (tcp.seq + tcp.sequence_len()).at_or_before(rcv_nxt) {
            Provocation::Unacceptable
        } else if tcp.seq.after(rcv_nxt) && self.provoked_by.is_none() {
            Provocation::OutOfOrder
        } else if tcp.flags.fin() {
            Provocation::Fin
        } else {
            Provocation::InOrder
        }
    }

    /// smoltcp has sent `tcp`: why?
    pub(super) fn departs(
        &mut self,
        now: Instant,
        tcp: &Tcp,
        state: TcpState,
        socket: SocketId,
        events: &mut Vec<Event>,
    ) -> Reason {
        let provoked_by = self.provoked_by.take();
        let before = self.last_sent.replace((tcp.ack, tcp.window));
        if tcp.flags.rst() {
            return Reason::Reset;
        }
        if tcp.sequence_len() > 0 {
            return self.octets_depart(now, tcp, socket, events);
        }
        match provoked_by {
            _ if before.is_none() || self.completes_open(tcp, before) => Reason::CompleteOpen,
            Some(Provocation::Fin) => Reason::AcknowledgeClose,
            Some(Provocation::OutOfOrder) => Reason::DuplicateAck,
            Some(Provocation::Unacceptable) => Reason::AnswerUnacceptable,
            Some(Provocation::InOrder) => Reason::Acknowledge,
            None if before.is_some_and(|(ack, window)| ack == tcp.ack && tcp.window != window) => Reason::WindowUpdate,
            None if self.snd_nxt.is_some_and(|nxt| tcp.seq.before(nxt)) && state == TcpState::Established => {
                Reason::KeepAlive
            }
            None => Reason::Acknowledge,
        }
    }

    /// Whether this pure acknowledgment is the first thing said after our SYN.
    fn completes_open(&self, tcp: &Tcp, before: Option<(SeqNum, u16)>) -> bool {
        // A SYN acknowledges nothing: smoltcp leaves its number 0 there.
        before.is_some_and(|(ack, _)| ack == SeqNum(0)) && tcp.ack != SeqNum(0)
    }

    fn octets_depart(&mut self, now: Instant, tcp: &Tcp, socket: SocketId, events: &mut Vec<Event>) -> Reason {
        let end = tcp.seq + tcp.sequence_len();
        let again = self.snd_nxt.is_some_and(|nxt| tcp.seq.before(nxt));
        if !again {
            self.snd_nxt = Some(end);
            self.flight.push_back(Sent { seq: tcp.seq, end, resent: 0 });
            self.timer_started_at.get_or_insert(now);
            return first_time(tcp);
        }
        if self.snd_una.is_some_and(|una| end.at_or_before(una)) {
            return Reason::KeepAlive;
        }
        if self.peer_window == Some(0) && !tcp.flags.syn() {
            return Reason::ZeroWindowProbe;
        }
        let nth = self.resend(tcp.seq, end);
        events.push(Event::Retransmit {
            socket,
            packet: PacketId::default(),
            seq: tcp.seq,
            length: tcp.payload_len as u32,
        });
        if self.duplicate_acks >= DUPLICATE_ACK_THRESHOLD && self.snd_una == Some(tcp.seq) {
            return Reason::RetransmitByDuplicateAcks;
        }
        let rto = self.timer_started_at.map_or(Duration::ZERO, |started| now - started);
        if rto < SHORTEST_RTO {
            return Reason::RetransmitAfterTimer;
        }
        self.timer_started_at = Some(now);
        events.push(Event::TimerFired { socket, timer: Timer::Retransmission });
        Reason::RetransmitByTimer { nth, rto }
    }

    /// Notes that octets went out again; how often by now.
    fn resend(&mut self, seq: SeqNum, end: SeqNum) -> u32 {
        if self.snd_nxt.is_some_and(|nxt| end.after(nxt)) {
            self.snd_nxt = Some(end);
        }
        // smoltcp goes back to SND.UNA and sends from there, so boundaries may differ from the first time.
        match self.flight.iter_mut().find(|sent| sent.seq.at_or_before(seq) && sent.end.after(seq)) {
            Some(sent) => {
                sent.resent += 1;
                sent.end = if end.after(sent.end) { end } else { sent.end };
                sent.resent
            }
            None => {
                self.flight.push_back(Sent { seq, end, resent: 1 });
                1
            }
        }
    }
}

fn first_time(tcp: &Tcp) -> Reason {
    match (tcp.flags.syn(), tcp.flags.ack(), tcp.flags.fin(), tcp.payload_len > 0) {
        (true, false, _, _) => Reason::ActiveOpen,
        (true, true, _, _) => Reason::AnswerOpen,
        (false, _, true, true) => Reason::LastData,
        (false, _, true, false) => Reason::Close,
        (false, _, false, _) => Reason::NewData,
    }
}
