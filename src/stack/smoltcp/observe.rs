//! Telling, from its packets alone, why smoltcp sent each of them.
//!
//! smoltcp does not give reasons and hides its variables. What can be known for certain from outside is known here: which
//! sequence numbers went out and how often, what was acknowledged, which timer must have fired. What cannot be known
//! (its congestion window, its smoothed round-trip time) stays unknown. Where smoltcp departs from the RFCs, the observer
//! follows smoltcp, or its reasons would be wrong.

use std::collections::VecDeque;
use std::time::Duration;

use super::has_been_open;
use crate::journal::{Event, Reason, SocketId, TcpState, Timer};
use crate::packet::dissect::Tcp;
use crate::packet::{PacketId, SeqNum};
use crate::time::Instant;

/// How many duplicate acknowledgments make smoltcp resend (RFC 5681 §3.2).
const DUPLICATE_ACK_THRESHOLD: u32 = 3;
/// The largest shift of a window (RFC 7323 §2.3).
const LARGEST_SHIFT: u8 = 14;

/// When smoltcp sent a frame: in answer to one that it was just handed, or by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Moment {
    Ingress,
    Egress,
}

/// What smoltcp shows of a connection at one moment.
#[derive(Clone, Copy, Debug)]
pub(super) struct Glance {
    pub(super) state: TcpState,
    /// Octets in the send buffer.
    pub(super) unacknowledged: usize,
    /// Octets in the receive buffer, in order.
    pub(super) unread: usize,
}

/// What a segment has done to a connection.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Effect {
    /// The peer's SYN was accepted.
    synchronized: bool,
    /// Octets that are now in order and were not before.
    received: u32,
    /// The peer's FIN was accepted.
    closed: bool,
    /// Octets of ours that it acknowledged.
    acknowledged: usize,
}

impl Effect {
    /// `before` of `None`: the segment made the connection.
    pub(super) fn between(before: Option<Glance>, after: Glance) -> Effect {
        let Some(before) = before else { return Effect { synchronized: true, ..Effect::default() } };
        Effect {
            synchronized: before.state == TcpState::SynSent
                && (after.state == TcpState::SynReceived || has_been_open(after.state)),
            received: after.unread.saturating_sub(before.unread) as u32,
            closed: !before.state.peer_has_closed() && after.state.peer_has_closed(),
            acknowledged: before.unacknowledged.saturating_sub(after.unacknowledged),
        }
    }
}

/// Why a segment was sent, and what that tells of the connection.
#[derive(Clone, Copy, Debug)]
pub(super) struct Departure {
    pub(super) reason: Reason,
    /// What went again: the first sequence number, and octets of data.
    again: Option<(SeqNum, u32)>,
    /// The timer that made smoltcp send.
    fired: Option<Timer>,
}

impl Departure {
    fn of(reason: Reason) -> Departure {
        Departure { reason, again: None, fired: None }
    }

    /// Writes down what there is to tell.
    pub(super) fn tell(self, socket: SocketId, journal: &mut Vec<Event>) {
        if let Some((seq, length)) = self.again {
            journal.push(Event::Retransmit { socket, packet: PacketId::default(), seq, length });
        }
        if let Some(timer) = self.fired {
            journal.push(Event::TimerFired { socket, timer });
        }
    }
}

/// One connection, watched from outside.
#[derive(Debug, Default)]
pub(super) struct Observer {
    /// What was sent and is not acknowledged, in sequence order.
    flight: VecDeque<Sent>,
    /// SND.NXT, once something was sent.
    snd_nxt: Option<SeqNum>,
    /// SND.UNA, once something was acknowledged.
    snd_una: Option<SeqNum>,
    /// Where smoltcp sends next: SND.NXT, but after a time-out it goes back to SND.UNA and forward from there.
    cursor: Option<SeqNum>,
    /// RCV.NXT, once the peer's SYN was accepted.
    rcv_nxt: Option<SeqNum>,
    /// The shifts that the two SYNs offered.
    own_shift: Option<u8>,
    peer_shift: Option<u8>,
    /// SND.WND: the peer's window in octets when it last spoke.
    snd_wnd: Option<u32>,
    /// The last acknowledgment number accepted, and how often in a row it came again.
    last_ack: Option<SeqNum>,
    duplicate_acks: u32,
    /// Three duplicates came, and the copy that they ask for has not gone yet.
    fast_retransmit_due: bool,
    /// When the retransmission timer was last started: as data went out while it did not run, as new data was
    /// acknowledged with more in flight (RFC 6298 §5.1, §5.3), as it fired, or at a fast retransmit.
    timer_started_at: Option<Instant>,
    last_said: Option<Said>,
    /// Our SYN is out, and the acknowledgment of the peer's is not.
    completion_due: bool,
    answered_open: bool,
    /// What has arrived in order and is not acknowledged yet.
    pending: Option<Pending>,
    /// What the segment being taken in asks for, if smoltcp answers it at once.
    answer: Option<Reason>,
}

#[derive(Debug)]
struct Sent {
    seq: SeqNum,
    end: SeqNum,
    resent: u32,
}

/// What our last segment acknowledged and offered.
#[derive(Clone, Copy, Debug)]
struct Said {
    ack: SeqNum,
    /// RCV.WND in octets.
    window: u32,
    /// The end of the window as smoltcp remembers it: it shifts the window of a SYN, too.
    right_edge: SeqNum,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Pending {
    Data,
    Fin,
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

    /// smoltcp was handed a segment of the peer, with this effect.
    pub(super) fn arrives(
        &mut self,
        now: Instant,
        tcp: &Tcp,
        effect: Effect,
        socket: SocketId,
        events: &mut Vec<Event>,
    ) {
        if effect.synchronized {
            self.peer_shift = tcp.options.window_scale.map(|shift| shift.min(LARGEST_SHIFT));
        }
        let is_heard = effect.synchronized || (!tcp.flags.syn() && !tcp.flags.rst() && self.is_acceptable(tcp));
        if is_heard && tcp.flags.ack() {
            self.acknowledgment_arrives(now, tcp, effect, socket, events);
        } else if effect.synchronized {
            self.snd_wnd = Some(self.peer_window(tcp));
        }
        self.sequence_arrives(tcp, effect);
    }

    /// smoltcp has answered the segment taken in, or never will.
    pub(super) fn answer_is_out(&mut self) {
        self.answer = None;
    }

    /// The test of RFC 9293 §3.10.7.4, as smoltcp makes it.
    fn is_acceptable(&self, tcp: &Tcp) -> bool {
        let Some(rcv_nxt) = self.rcv_nxt else { return false };
        let edge = self.last_said.map_or(rcv_nxt, |said| said.right_edge);
        let (seq, end) = (tcp.seq, tcp.seq + tcp.payload_len as u32);
        let begins_inside = rcv_nxt.at_or_before(seq) && seq.before(edge);
        match (seq == end, edge == rcv_nxt) {
            (true, true) => seq == rcv_nxt,
            (true, false) => begins_inside,
            (false, true) => false,
            (false, false) => begins_inside || (end.after(rcv_nxt) && end.at_or_before(edge)),
        }
    }

    /// The peer's window in octets; that of a SYN is never scaled (RFC 7323 §2.2).
    fn peer_window(&self, tcp: &Tcp) -> u32 {
        let shift = if tcp.flags.syn() { 0 } else { self.peer_shift.unwrap_or(0) };
        u32::from(tcp.window) << shift
    }

    fn acknowledgment_arrives(
        &mut self,
        now: Instant,
        tcp: &Tcp,
        effect: Effect,
        socket: SocketId,
        events: &mut Vec<Event>,
    ) {
        let ack = tcp.ack;
        let valid = match (self.snd_una, self.snd_nxt) {
            (_, None) => false,
            (None, Some(nxt)) => ack == nxt,
            // smoltcp takes an acknowledgment for all that it holds, sent or not; a probe's octet is such a case.
            (Some(una), Some(nxt)) => una.at_or_before(ack) && (ack.at_or_before(nxt) || effect.acknowledged > 0),
        };
        if !valid {
            return;
        }
        let window = self.peer_window(tcp);
        let is_update = self.snd_wnd.replace(window) != Some(window);
        if self.snd_una.is_none_or(|una| ack.after(una)) {
            self.advances(now, ack, window);
        } else if tcp.payload_len == 0
            && self.last_ack == Some(ack)
            && self.cursor.is_some_and(|cursor| ack.before(cursor))
            && !is_update
        {
            self.duplicate_acks += 1;
            self.fast_retransmit_due |= self.duplicate_acks == DUPLICATE_ACK_THRESHOLD;
            // RFC 5681 §2 does not call a FIN a duplicate; smoltcp counts it.
            if !tcp.flags.fin() {
                events.push(Event::DuplicateAck { socket, ack, count: self.duplicate_acks });
            }
        } else {
            self.duplicate_acks = 0;
        }
        self.last_ack = Some(ack);
    }

    /// SND.UNA moves to `ack`.
    fn advances(&mut self, now: Instant, ack: SeqNum, window: u32) {
        self.snd_una = Some(ack);
        self.duplicate_acks = 0;
        self.fast_retransmit_due = false;
        while self.flight.front().is_some_and(|sent| sent.end.at_or_before(ack)) {
            self.flight.pop_front();
        }
        let all = self.cursor.is_none_or(|cursor| cursor.at_or_before(ack));
        self.cursor = later(self.cursor, ack);
        self.snd_nxt = later(self.snd_nxt, ack);
        // A zero window puts the persist timer into the retransmission timer's place.
        self.timer_started_at = (!all && window > 0).then_some(now);
    }

    /// What the segment's own octets ask for: an acknowledgment by and by, or an answer at once.
    fn sequence_arrives(&mut self, tcp: &Tcp, effect: Effect) {
        if effect.synchronized {
            self.rcv_nxt = Some(tcp.seq + 1);
            self.pending = Some(Pending::Data);
            return;
        }
        let Some(rcv_nxt) = self.rcv_nxt else { return };
        let advance = effect.received + u32::from(effect.closed);
        if advance > 0 {
            self.rcv_nxt = Some(rcv_nxt + advance);
            let fin = effect.closed || self.pending == Some(Pending::Fin);
            self.pending = Some(if fin { Pending::Fin } else { Pending::Data });
            self.answer = None;
        } else {
            self.answer = Some(self.answer_to(tcp, rcv_nxt));
        }
    }

    /// What an answer to a segment that brought nothing new would be.
    fn answer_to(&self, tcp: &Tcp, rcv_nxt: SeqNum) -> Reason {
        let shut = self.last_said.is_some_and(|said| said.window == 0);
        let is_bare = !tcp.flags.syn() && !tcp.flags.fin();
        // Linux probes with no octet, others with one; what is sent again ends in PSH.
        let is_probe = is_bare && tcp.seq == rcv_nxt - 1 && tcp.payload_len <= 1 && !tcp.flags.psh();
        if (is_probe && shut) || (is_bare && shut && tcp.seq == rcv_nxt && tcp.payload_len > 0) {
            Reason::AnswerWindowProbe
        } else if is_probe {
            Reason::AnswerKeepAlive
        } else if is_bare && tcp.seq.after(rcv_nxt) && self.is_acceptable(tcp) {
            Reason::DuplicateAck
        } else {
            Reason::AnswerUnacceptable
        }
    }

    /// smoltcp has sent `tcp`, no RST: why?
    pub(super) fn departs(&mut self, now: Instant, tcp: &Tcp, moment: Moment) -> Departure {
        if let Some(probe) = self.probe_departs(tcp) {
            // smoltcp forgets what it has said in a probe: an acknowledgment that waits is still to come.
            return probe;
        }
        if tcp.flags.syn() {
            self.own_shift = tcp.options.window_scale;
        }
        let before = self.last_said.replace(self.said(tcp));
        let pending = self.pending.take();
        let completes = std::mem::take(&mut self.completion_due);
        if tcp.sequence_len() > 0 {
            self.completion_due = tcp.flags.syn() && !tcp.flags.ack();
            return self.octets_depart(now, tcp);
        }
        let news = before.is_none_or(|before| before.ack != tcp.ack);
        let opens_window = before.zip(self.last_said).is_some_and(|(before, said)| said.window > before.window);
        Departure::of(match (self.answer.take(), pending) {
            _ if completes => Reason::CompleteOpen,
            // Even where a segment out of order forces it out, the first acknowledgment of something is no duplicate.
            (None | Some(Reason::DuplicateAck), Some(Pending::Fin)) if news => Reason::AcknowledgeClose,
            (None | Some(Reason::DuplicateAck), Some(Pending::Data)) if news => Reason::Acknowledge,
            (Some(answer), _) => answer,
            (None, _) if moment == Moment::Ingress => Reason::AnswerUnacceptable,
            (None, _) if opens_window && !news => Reason::WindowUpdate,
            (None, _) => Reason::Acknowledge,
        })
    }

    fn said(&self, tcp: &Tcp) -> Said {
        let shift = self.peer_shift.and(self.own_shift).unwrap_or(0).min(LARGEST_SHIFT);
        let scaled = u32::from(tcp.window) << shift;
        let window = if tcp.flags.syn() { u32::from(tcp.window) } else { scaled };
        Said { ack: tcp.ack, window, right_edge: tcp.ack + scaled }
    }

    /// A segment that only asks: it moves neither SND.NXT nor what is in flight.
    fn probe_departs(&self, tcp: &Tcp) -> Option<Departure> {
        let una = self.snd_una.filter(|_| tcp.payload_len == 1 && !tcp.flags.syn())?;
        let (reason, timer) = if (tcp.seq + 1).at_or_before(una) && !tcp.flags.fin() {
            (Reason::KeepAlive, Timer::KeepAlive)
        } else if self.snd_wnd == Some(0) && !(self.fast_retransmit_due && tcp.seq == una) {
            (Reason::ZeroWindowProbe, Timer::Persist)
        } else {
            return None;
        };
        Some(Departure { reason, again: None, fired: Some(timer) })
    }

    fn octets_depart(&mut self, now: Instant, tcp: &Tcp) -> Departure {
        let end = tcp.seq + tcp.sequence_len();
        let is_new = self.snd_nxt.is_none_or(|nxt| tcp.seq.at_or_after(nxt));
        let rewound = self.cursor.is_some_and(|cursor| tcp.seq.before(cursor));
        if is_new {
            (self.snd_nxt, self.cursor) = (Some(end), Some(end));
            self.answered_open |= tcp.flags.syn() && tcp.flags.ack();
            self.flight.push_back(Sent { seq: tcp.seq, end, resent: 0 });
            self.timer_started_at.get_or_insert(now);
            return Departure::of(first_time(tcp));
        }
        if tcp.flags.syn() && tcp.flags.ack() && !std::mem::replace(&mut self.answered_open, true) {
            // A simultaneous open: our SYN was out already, and goes again with the acknowledgment of the peer's.
            return Departure::of(Reason::AnswerOpen);
        }
        let nth = self.resend(tcp.seq, end);
        let again = Some((tcp.seq, tcp.payload_len as u32));
        if self.fast_retransmit_due && self.snd_una == Some(tcp.seq) && tcp.payload_len > 0 {
            self.fast_retransmit_due = false;
            self.timer_started_at = Some(now);
            self.cursor = later(self.cursor, end);
            return Departure { reason: Reason::RetransmitByDuplicateAcks, again, fired: None };
        }
        self.cursor = Some(end);
        if !rewound {
            self.timer_started_at.get_or_insert(now);
            return Departure { reason: Reason::RetransmitAfterTimer, again, fired: None };
        }
        let rto = self.timer_started_at.replace(now).map_or(Duration::ZERO, |started| now - started);
        let reason = Reason::RetransmitByTimer { nth, rto };
        Departure { reason, again, fired: Some(Timer::Retransmission) }
    }

    /// Notes that octets went out again; how often by now.
    fn resend(&mut self, seq: SeqNum, end: SeqNum) -> u32 {
        self.snd_nxt = later(self.snd_nxt, end);
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

fn later(one: Option<SeqNum>, other: SeqNum) -> Option<SeqNum> {
    Some(one.filter(|one| one.after(other)).unwrap_or(other))
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
