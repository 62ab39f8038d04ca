//! A segment arrives on a connection: RFC 9293 §3.10.7.4, one method for each numbered check, in the RFC's order.
//!
//! Each check either lets the segment pass, perhaps trimmed, or ends its processing. SYN-SENT has a ladder of its own
//! (`opening`); LISTEN and CLOSED belong to the engine.

use std::ops::ControlFlow;
use std::time::Duration;

use super::{Connection, Context, Fin, Origin};
use crate::journal::{DropReason, Event, Guess, Reason, TcpState, Timer, Why};
use crate::packet::{SeqNum, TcpFlags};
use crate::tcp::acceptance::{self, Place};
use crate::tcp::reassembly::Taken;
use crate::tcp::segment::Segment;
use crate::tcp::state::Cause;
use crate::time::Instant;
use crate::transport::{CloseReason, SocketEvent};

/// After so long a silence the peer's timestamps may have wrapped, and say nothing (RFC 7323 §5.5).
const TIMESTAMPS_EXPIRE: Duration = Duration::from_secs(24 * 24 * 3600);

/// Whether the next check sees the segment.
type Step = ControlFlow<()>;
/// What is held beyond a gap may cost this much even with a tiny buffer.
const LEAST_HELD: usize = 16 * 1024;
const PASS: Step = ControlFlow::Continue(());
const DONE: Step = ControlFlow::Break(());

impl Connection {
    /// A segment arrives.
    pub(crate) fn segment_arrives(&mut self, cx: &mut Context<'_>, segment: Segment) {
        match self.state() {
            TcpState::SynSent => self.arrives_in_syn_sent(cx, segment),
            TcpState::Closed | TcpState::Listen => self.drop_segment(cx, DropReason::NoConnection),
            TcpState::SynReceived
            | TcpState::Established
            | TcpState::FinWait1
            | TcpState::FinWait2
            | TcpState::CloseWait
            | TcpState::Closing
            | TcpState::LastAck
            | TcpState::TimeWait => {
                let _ = self.climb(cx, segment);
            }
        }
    }

    fn climb(&mut self, cx: &mut Context<'_>, mut segment: Segment) -> Step {
        let seq = segment.seq;
        self.check_timestamp(cx, &segment)?;
        self.check_sequence(cx, &mut segment)?;
        self.check_reset(cx, &segment)?;
        self.check_syn(cx, &segment)?;
        self.check_ack(cx, &segment)?;
        self.last_heard = cx.now;
        self.probes = 0;
        // Only now: a guessed segment with a timestamp from the future must not make the peer's own look old.
        self.keep_timestamp(cx.now, seq, &segment);
        self.take_contents(cx, segment);
        DONE
    }

    /// Sixth to eighth: urgent data, text, FIN.
    pub(super) fn take_contents(&mut self, cx: &mut Context<'_>, segment: Segment) {
        if self.state() == TcpState::TimeWait && segment.flags.fin() {
            // Eighth check, TIME-WAIT: whoever sends a FIN now has not heard that we know.
            self.enter_time_wait(cx);
            return self.answer_unacceptable(cx, &segment, Reason::AcknowledgeClose);
        }
        self.check_urgent(cx, &segment);
        self.take_text(cx, segment);
        self.check_fin(cx);
    }

    /// Text and FIN that come with a SYN wait for the handshake to be over (RFC 9293 §3.10.7.3, fourth check).
    pub(super) fn keep_for_later(&mut self, syn: Segment) {
        let length = syn.len();
        if syn.flags.fin() {
            self.fin_at = Some(length.into());
        }
        self.receive.insert(0, syn.payload, self.window.buffer());
    }

    /// Before the first: PAWS (RFC 7323 §5.3 R1). A segment that is older than what was seen is a ghost of an earlier lap.
    fn check_timestamp(&mut self, cx: &mut Context<'_>, segment: &Segment) -> Step {
        let Some((value, _)) = segment.options.timestamps.filter(|_| self.terms.agreed.timestamps) else { return PASS };
        let is_old = (value.wrapping_sub(self.peer_clock.ts_recent) as i32) < 0;
        let may_have_wrapped = cx.now - self.peer_clock.taken > TIMESTAMPS_EXPIRE;
        if !is_old || may_have_wrapped || segment.flags.rst() {
            return PASS;
        }
        self.drop_segment(cx, DropReason::OldTimestamp);
        self.note_duplicate(segment);
        self.answer_unacceptable(cx, segment, Reason::AnswerUnacceptable);
        DONE
    }

    /// First, check the sequence number. What lies outside the window is cut off.
    fn check_sequence(&mut self, cx: &mut Context<'_>, segment: &mut Segment) -> Step {
        self.unwrap_second_syn(segment);
        if self.repeats_its_syn(segment) {
            // Our SYN,ACK was lost, or is late: it answers better than a bare ACK would.
            self.drop_segment(cx, DropReason::Duplicate);
            // But whoever forges SYNs must not have it sent at any rate to the one whose address they give.
            if self.acks.may_answer(cx.now) {
                self.due = Some(Reason::AnswerOpen);
            }
            return DONE;
        }
        let (rcv_nxt, rcv_wnd) = (self.rcv_nxt(), self.rcv_wnd());
        let place = acceptance::judge(segment.seq, segment.sequence_len(), rcv_nxt, rcv_wnd);
        if place != Place::Acceptable {
            let at_closed_window = rcv_wnd == 0 && segment.seq == rcv_nxt && !segment.flags.syn();
            if !at_closed_window {
                return self.refuse_out_of_window(cx, segment, place);
            }
            // The window is closed, but ACK, URG and RST count all the same (MUST-66); data does not.
            if !segment.is_empty() || segment.flags.fin() {
                self.drop_segment(cx, DropReason::OutsideWindow);
                self.acks.demand(Reason::AnswerWindowProbe);
                segment.payload.clear();
                segment.flags.0 &= !TcpFlags::FIN.0;
            }
        }
        if segment.flags.rst() || segment.flags.syn() {
            // These are judged by their own number: what is in front of the window must not lead up to it (RFC 5961).
            return PASS;
        }
        if segment.seq.before(rcv_nxt) {
            self.note_duplicate(segment);
            segment.trim_front(rcv_nxt.offset_from(segment.seq));
        }
        self.cut_to_window(segment);
        PASS
    }

    /// Cuts off what lies behind the window, of a segment that does not begin before it.
    pub(super) fn cut_to_window(&self, segment: &mut Segment) {
        let room = (self.rcv_nxt() + self.rcv_wnd()).offset_from(segment.seq);
        segment.truncate(room);
        if segment.sequence_len() > room {
            // All data fits, and the FIN behind it does not.
            segment.flags.0 &= !TcpFlags::FIN.0;
        }
    }

    /// In a simultaneous open (RFC 9293 §3.5, Figure 7) the peer's SYN comes twice, the second time with an ACK of ours. By
    /// the first check that is an old segment; by its ACK it is what opens the connection.
    fn unwrap_second_syn(&self, segment: &mut Segment) {
        let acknowledges = segment.flags.ack() && self.acknowledges_syn(segment.ack) && !segment.flags.rst();
        if self.state() == TcpState::SynReceived
            && acknowledges
            && segment.flags.syn()
            && segment.seq + 1 == self.rcv_nxt()
        {
            segment.trim_front(1);
            // The window of a SYN is not scaled (RFC 7323 §2.2); what follows takes it as scaled.
            segment.window >>= self.terms.snd_scale;
            // Its ECE grants ECN, and echoes no mark (RFC 3168 §6.1.1).
            segment.flags.0 &= !TcpFlags::ECE.0;
        }
    }

    /// Whether the peer asks in SYN-RECEIVED what it has asked before.
    fn repeats_its_syn(&self, segment: &Segment) -> bool {
        let is_request = segment.flags.syn() && !segment.flags.ack() && !segment.flags.rst();
        self.state() == TcpState::SynReceived && is_request && segment.seq == self.irs
    }

    fn refuse_out_of_window(&mut self, cx: &mut Context<'_>, segment: &Segment, place: Place) -> Step {
        self.drop_segment(cx, if place == Place::Old { DropReason::Duplicate } else { DropReason::OutsideWindow });
        if segment.flags.rst() {
            return DONE;
        }
        self.note_duplicate(segment);
        if self.state() == TcpState::TimeWait && segment.flags.fin() {
            // Our last ACK was lost; 2 MSL begin again (§3.10.7.4, eighth check, TIME-WAIT).
            self.enter_time_wait(cx);
        }
        let is_bare = !segment.flags.syn() && !segment.flags.fin();
        let one_before = segment.seq + 1 == self.rcv_nxt() && segment.len() <= 1 && is_bare;
        let reason = match (one_before, self.rcv_wnd()) {
            (true, 0) => Reason::AnswerWindowProbe,
            (true, _) => Reason::AnswerKeepAlive,
            (false, _) => Reason::AnswerUnacceptable,
        };
        self.answer_unacceptable(cx, segment, reason);
        DONE
    }

    /// Second, check the RST bit, as RFC 5961 §3.2 sharpens it: only an exact hit resets.
    fn check_reset(&mut self, cx: &mut Context<'_>, segment: &Segment) -> Step {
        if !segment.flags.rst() {
            return PASS;
        }
        let is_exact = segment.seq == self.rcv_nxt();
        let is_outside = !is_exact && segment.seq.offset_from(self.rcv_nxt()) >= self.rcv_wnd();
        if is_outside || (!is_exact && !self.config.trusts_resets) {
            self.drop_segment(cx, DropReason::BlindReset);
            if !is_outside {
                self.challenge_guess(cx, Guess::Reset);
            }
            return DONE;
        }
        let reason = match self.state() {
            TcpState::SynReceived if self.origin == Origin::Active => CloseReason::Refused,
            TcpState::TimeWait => CloseReason::Finished,
            _ => CloseReason::Reset,
        };
        match self.state() {
            TcpState::TimeWait if self.config.protect_time_wait => {
                // RFC 1337 §3, fix F1: a stray reset must not let old segments into the next connection.
                self.drop_segment(cx, DropReason::MeaninglessReset);
            }
            _ => self.end(cx, reason),
        }
        DONE
    }

    /// Fourth, check the SYN bit (RFC 5961 §4.2): nobody opens what is open; the peer, if it really has restarted, answers
    /// our challenge with a reset. (The third check, security, is void in RFC 9293.)
    fn check_syn(&mut self, cx: &mut Context<'_>, segment: &Segment) -> Step {
        if !segment.flags.syn() {
            return PASS;
        }
        if self.config.trusts_syns {
            let reset = self.reset_segment(cx);
            cx.told.lone(self.ends, reset, Why::of(Reason::Reset));
            self.end(cx, CloseReason::Reset);
            return DONE;
        }
        self.drop_segment(cx, DropReason::BlindSyn);
        self.challenge_guess(cx, Guess::Syn);
        DONE
    }

    /// Fifth, check the ACK field.
    fn check_ack(&mut self, cx: &mut Context<'_>, segment: &Segment) -> Step {
        if !segment.flags.ack() {
            self.drop_segment(cx, DropReason::MissingAck);
            return DONE;
        }
        if self.state() == TcpState::SynReceived {
            if !self.acknowledges_syn(segment.ack) {
                self.drop_segment(cx, DropReason::UnacceptableAck);
                self.reset_in_answer(cx, segment);
                return DONE;
            }
            self.syn_is_acknowledged(cx, segment);
        }
        if !self.acknowledge(cx, segment) {
            return DONE;
        }
        if self.closed.is_some() { DONE } else { PASS }
    }

    /// Sixth, check the URG bit. Urgent data stays in the stream (RFC 6093 §3.1); the application hears how far it reaches
    /// (MUST-32, MUST-33), also while the window is closed (MUST-66).
    fn check_urgent(&mut self, cx: &mut Context<'_>, segment: &Segment) {
        if !segment.flags.urg() || !self.state.may_receive() || segment.urgent == 0 {
            return;
        }
        // The pointer is the offset of the octet after the urgent data (MUST-62).
        let end = self.stream_position_of(segment.seq) + i64::from(segment.urgent);
        let Ok(end) = u64::try_from(end) else { return };
        if self.rcv_up.is_none_or(|known| end > known) {
            self.rcv_up = Some(end);
            cx.notify(SocketEvent::Urgent(cx.socket));
        }
    }

    /// Seventh, process the segment text.
    fn take_text(&mut self, cx: &mut Context<'_>, segment: Segment) {
        let Ok(position) = u64::try_from(self.stream_position_of(segment.seq)) else { return };
        if !self.state.may_receive() {
            return;
        }
        let length = segment.len();
        if self.orphan && length > 0 {
            // Nobody will ever read it, and the peer must know (RFC 9293 §3.6.1).
            self.drop_segment(cx, DropReason::NobodyReads);
            self.reset_in_answer(cx, &segment);
            return self.end(cx, CloseReason::Aborted);
        }
        if segment.flags.fin() {
            self.fin_at = Some(position + u64::from(length));
        }
        if length == 0 {
            if segment.flags.fin() && position > self.receive.next() {
                self.acks.demand_duplicate();
            }
            return;
        }
        let piece = segment.gso_size.map_or(length, |size| u32::from(size.get()).min(length));
        let (own_mss, rcv_wnd) = (u32::from(self.terms.own_mss), self.rcv_wnd());
        self.acks.data_arrived(cx.now, piece, own_mss, rcv_wnd);
        self.note_mark(&segment);
        let had_gap = self.receive.has_gap();
        // What is held beyond a gap costs more than its octets; small segments may use up the room before the window does.
        let room = self.window.buffer().max(LEAST_HELD);
        match self.receive.insert(position, segment.payload, room) {
            Taken::InOrder => self.text_is_in_order(cx, had_gap),
            Taken::Beyond => {
                self.tell_hole(cx);
                self.acks.demand_duplicate();
            }
            Taken::Duplicate => {
                self.drop_segment(cx, DropReason::Duplicate);
                self.acks.demand_duplicate();
            }
            Taken::NoRoom => {
                self.drop_segment(cx, DropReason::BufferFull);
                self.acks.demand_duplicate();
            }
        }
    }

    fn text_is_in_order(&mut self, cx: &mut Context<'_>, had_gap: bool) {
        cx.notify(SocketEvent::Readable(cx.socket));
        if had_gap {
            self.tell_hole(cx);
        }
        if had_gap && !self.receive.has_gap() {
            self.acks.gap_is_filled();
        }
        let pending = self.rcv_nxt().offset_from(self.last_ack_sent);
        let patience = self.config.delayed_ack;
        let is_second = !self.config.quick_acks && self.timers.due(Timer::DelayedAck).is_some();
        let is_prompt = is_second || self.acks.is_prompt(pending, self.config.quick_acks);
        let tells_duplicate = self.terms.agreed.sack && self.receive.has_duplicate();
        if had_gap || is_prompt || tells_duplicate || patience.is_none() {
            self.acks.demand(Reason::Acknowledge);
        } else if let Some(patience) = patience
            && self.timers.due(Timer::DelayedAck).is_none()
            && !self.acks.is_due()
        {
            self.arm(cx, Timer::DelayedAck, cx.now + patience);
        }
    }

    /// Eighth, check the FIN bit: a FIN counts when all before it has arrived.
    fn check_fin(&mut self, cx: &mut Context<'_>) {
        if self.fin_received || self.fin_at != Some(self.receive.next()) || !self.state.may_receive() {
            return;
        }
        self.fin_received = true;
        self.acks.demand(Reason::AcknowledgeClose);
        cx.notify(SocketEvent::Readable(cx.socket));
        match self.state() {
            TcpState::FinWait1 if self.fin_is_acknowledged() => {
                self.on(cx, Cause::FinAcknowledgedWithFin);
                self.enter_time_wait(cx);
            }
            TcpState::FinWait2 => {
                self.on(cx, Cause::FinArrives);
                self.enter_time_wait(cx);
            }
            TcpState::Established | TcpState::FinWait1 => self.on(cx, Cause::FinArrives),
            TcpState::Closed
            | TcpState::Listen
            | TcpState::SynSent
            | TcpState::SynReceived
            | TcpState::CloseWait
            | TcpState::Closing
            | TcpState::LastAck
            | TcpState::TimeWait => {}
        }
    }

    /// TIME-WAIT begins, or begins again: 2 MSL (MUST-13).
    pub(super) fn enter_time_wait(&mut self, cx: &mut Context<'_>) {
        self.timers.stop_all();
        self.due = None;
        self.arm(cx, Timer::TimeWait, cx.now + self.config.time_wait);
        self.send.remove_before(self.send.end());
        cx.notify(SocketEvent::Writable(cx.socket));
    }

    /// Whether our FIN was sent and is acknowledged.
    pub(super) fn fin_is_acknowledged(&self) -> bool {
        self.fin == Fin::Sent && self.snd_una == self.snd_nxt
    }

    /// Keeps the peer's timestamp to echo it (RFC 7323 §4.3): only of a segment that reaches what was last acknowledged.
    /// `seq` is its first number, before anything was trimmed.
    fn keep_timestamp(&mut self, now: Instant, seq: SeqNum, segment: &Segment) {
        let Some((value, _)) = segment.options.timestamps.filter(|_| self.terms.agreed.timestamps) else { return };
        let is_newer = (value.wrapping_sub(self.peer_clock.ts_recent) as i32) >= 0;
        let expired = now - self.peer_clock.taken > TIMESTAMPS_EXPIRE;
        if (is_newer || expired) && seq.at_or_before(self.last_ack_sent) && !segment.flags.rst() {
            self.peer_clock.ts_recent = value;
            self.peer_clock.taken = now;
        }
    }

    /// Whether a SYN is clearly newer than anything of this connection: by its timestamp (RFC 6191 §2), else by its number
    /// (RFC 9293 §3.6.1).
    pub(crate) fn is_outdated_by(&self, now: Instant, syn: &Segment) -> bool {
        let by_number = syn.seq.after(self.rcv_nxt());
        let Some((value, _)) = syn.options.timestamps.filter(|_| self.terms.agreed.timestamps) else {
            return by_number;
        };
        match value.wrapping_sub(self.peer_clock.ts_recent) as i32 {
            1.. => true,
            0 => by_number,
            _ => now - self.peer_clock.taken > TIMESTAMPS_EXPIRE && by_number,
        }
    }

    /// A congestion mark is echoed until the peer says that it has slowed down (RFC 3168 §6.1.3).
    fn note_mark(&mut self, segment: &Segment) {
        const CONGESTION_EXPERIENCED: u8 = 3;
        if !self.terms.agreed.ecn {
            return;
        }
        if segment.flags.contains(TcpFlags::CWR) {
            self.ecn.echo = false;
        }
        if segment.ecn == CONGESTION_EXPERIENCED {
            self.ecn.echo = true;
        }
    }

    /// Data that came again is reported by D-SACK (RFC 2883 §4).
    fn note_duplicate(&mut self, segment: &Segment) {
        let position = self.stream_position_of(segment.seq + u32::from(segment.flags.syn()));
        let end = position + i64::from(segment.len());
        if segment.is_empty() || end <= 0 {
            return;
        }
        self.receive.note_duplicate(position.max(0) as u64..end as u64);
    }

    fn tell_hole(&self, cx: &mut Context<'_>) {
        // Where no gap is left, nothing is missing that could be told of.
        if let Some(gap) = self.receive.gap() {
            let (seq, length) = (self.irs + 1 + gap.start as u32, (gap.end - gap.start) as u32);
            cx.tell(Event::Hole { socket: cx.socket, seq, length });
        }
    }

    /// An ACK for a segment that cannot be accepted. Those without data are answered sparingly, lest two stacks answer each
    /// other for ever.
    fn answer_unacceptable(&mut self, cx: &mut Context<'_>, segment: &Segment, reason: Reason) {
        let carries_data = !segment.is_empty() && !segment.flags.syn();
        if carries_data || self.acks.may_answer(cx.now) {
            self.acks.demand(reason);
        }
    }

    /// A challenge ACK for an acknowledgment that cannot be (RFC 5961 §5.2).
    pub(super) fn challenge(&mut self, cx: &mut Context<'_>) {
        self.challenge_guess(cx, Guess::Acknowledgment);
    }

    /// A challenge ACK (RFC 5961 §3.2, §4.2, §5.2), sparingly (§7).
    fn challenge_guess(&mut self, cx: &mut Context<'_>, guess: Guess) {
        if self.acks.may_answer(cx.now) {
            self.acks.demand(Reason::Challenge(guess));
        }
    }

    /// A reset that answers `segment`: its sequence number is what the segment acknowledged (RFC 9293 §3.10.7.1).
    pub(super) fn reset_in_answer(&self, cx: &mut Context<'_>, segment: &Segment) {
        let (ends, why) = (self.ends, Why::of(Reason::Reset));
        cx.told.lone(ends, crate::tcp::engine::reset_for(segment), why);
    }
}
