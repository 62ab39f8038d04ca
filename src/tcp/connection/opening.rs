//! A handshake begins, or is answered (RFC 9293 §3.5).
//!
//! ```text
//!   active                               passive                     both at once
//!   SYN-SENT ──── SYN ───►               LISTEN                      SYN-SENT ── SYN ──►
//!            ◄── SYN,ACK ─── SYN-RECEIVED                                     ◄── SYN ──
//!   ESTABLISHED ─ ACK ───►   ESTABLISHED                             SYN-RECEIVED, SYN,ACK both ways
//! ```

use std::time::Duration;

use super::{Connection, Context, Origin};
use crate::journal::{CwndCause, DropReason, Reason, TcpState, Timer, Why};
use crate::packet::dissect::{FastOpenOption, TcpOptions};
use crate::packet::{SeqNum, TcpFlags};
use crate::tcp::config::Ecn;
use crate::tcp::segment::{Payload, Segment};
use crate::tcp::state::Cause;
use crate::time::Instant;
use crate::transport::{CloseReason, SocketEvent};

/// The time-out for data after a handshake that timed out and could not be timed (RFC 6298 §5.7).
const FALLBACK_RTO: Duration = Duration::from_secs(3);

impl Connection {
    /// The application opens actively (RFC 9293 §3.10.1).
    pub(crate) fn open(&mut self, cx: &mut Context<'_>) {
        self.ecn.asked = self.config.ecn == Ecn::Active;
        self.on(cx, Cause::ActiveOpen);
        self.due = Some(Reason::ActiveOpen);
    }

    /// A SYN has reached a listener, and this connection is the answer (RFC 9293 §3.10.7.2, third check). Data in the SYN
    /// is left for the peer to send again, as Linux does. `granted` is a Fast Open cookie for the next time.
    pub(crate) fn answer(&mut self, cx: &mut Context<'_>, syn: &Segment, granted: Option<FastOpenOption>) {
        self.take_syn(cx.now, syn);
        self.on(cx, Cause::SynArrives);
        self.due = Some(Reason::AnswerOpen);
        self.grant(granted);
    }

    /// A segment arrives in SYN-SENT (RFC 9293 §3.10.7.3).
    pub(super) fn arrives_in_syn_sent(&mut self, cx: &mut Context<'_>, segment: Segment) {
        // First, check the ACK bit.
        let acknowledges_syn = segment.flags.ack() && self.snd_nxt > 0 && self.acknowledges_syn(segment.ack);
        if segment.flags.ack() && !acknowledges_syn {
            if segment.flags.rst() {
                return self.drop_segment(cx, DropReason::MeaninglessReset);
            }
            self.drop_segment(cx, DropReason::UnacceptableAck);
            return self.reset_in_answer(cx, &segment);
        }
        if segment.flags.ack() && !self.echoes_us(cx.now, &segment) {
            // The answer to a SYN of another connection, as Linux judges it.
            self.drop_segment(cx, DropReason::OldTimestamp);
            return self.reset_in_answer(cx, &segment);
        }
        // Second, check the RST bit.
        if segment.flags.rst() {
            if acknowledges_syn {
                return self.end(cx, CloseReason::Refused);
            }
            return self.drop_segment(cx, DropReason::MeaninglessReset);
        }
        // Fourth, check the SYN bit.
        if !segment.flags.syn() {
            return self.drop_segment(cx, DropReason::MissingAck);
        }
        self.take_syn(cx.now, &segment);
        if acknowledges_syn {
            self.syn_is_answered(cx, segment);
        } else {
            // Simultaneous open (MUST-10): both sides asked at once. Our SYN goes again, now with ACK.
            self.on(cx, Cause::SynArrives);
            if !self.has_sent_early() {
                self.flight.acknowledge(1, cx.now, Duration::ZERO);
                self.snd_nxt = 0;
            }
            self.due = Some(Reason::AnswerOpen);
            self.keep_for_later(segment);
        }
    }

    /// Whether the timestamp that an answer echoes, if it does, is one of this connection's.
    fn echoes_us(&self, now: Instant, answer: &Segment) -> bool {
        let echo = answer.options.timestamps.filter(|_| self.config.timestamps).map_or(0, |(_, echo)| echo);
        // Nothing but SYNs has left, so the last that was sent is the time of the open.
        let open = now - self.last_sent;
        echo == 0 || u128::from(self.timestamp(now).wrapping_sub(echo)) <= open.as_millis() + 1
    }

    fn syn_is_answered(&mut self, cx: &mut Context<'_>, segment: Segment) {
        self.ecn_answered(segment.flags);
        self.due = None;
        self.snd_una = self.position_of(segment.ack).max(1) as u64;
        let delivery = self.flight.acknowledge(self.snd_una, cx.now, Duration::ZERO);
        self.sample_round_trip(cx, &delivery, Some(&segment));
        self.take_send_window(cx, &segment, false);
        self.become_established(cx);
        self.on(cx, Cause::SynAckArrives);
        self.settle_early(cx, &segment);
        self.acks.demand(Reason::CompleteOpen);
        cx.notify(SocketEvent::Connected(cx.socket));
        cx.notify(SocketEvent::Writable(cx.socket));
        // Sixth to eighth: what the segment carries besides is processed as in any other.
        let mut segment = segment;
        segment.trim_front(1);
        self.cut_to_window(&mut segment);
        self.take_contents(cx, segment);
    }

    /// Takes what a SYN says: the peer's initial sequence number and the options that it offers or grants.
    pub(super) fn take_syn(&mut self, now: Instant, syn: &Segment) {
        let options = &syn.options;
        self.irs = syn.seq;
        self.last_ack_sent = self.irs + 1;
        self.snd_wnd = u32::from(syn.window);
        self.max_snd_wnd = self.snd_wnd;
        self.snd_wl1 = syn.seq;
        self.snd_wl2 = syn.ack;
        if let Some(mss) = options.mss.filter(|mss| *mss > 0) {
            self.terms.peer_mss = mss;
        }
        self.terms.agreed.timestamps = self.config.timestamps && options.timestamps.is_some();
        self.terms.agreed.sack = self.config.sack && options.sack_permitted;
        if let Some((value, _)) = options.timestamps.filter(|_| self.terms.agreed.timestamps) {
            self.peer_clock.ts_recent = value;
            self.peer_clock.taken = now;
        }
        if let Some(shift) = options.window_scale.filter(|_| self.config.window_scaling) {
            // A shift beyond 14 is used as 14 (RFC 7323 §2.3).
            self.terms.snd_scale = shift.min(14);
            let own = self.config.offered_scale();
            self.window.set_scale(own);
            self.terms.agreed.window_scale = Some((own, self.terms.snd_scale));
        }
        let asks_for_ecn = syn.flags.contains(TcpFlags(TcpFlags::ECE.0 | TcpFlags::CWR.0)) && !syn.flags.ack();
        if asks_for_ecn && self.config.ecn != Ecn::Off {
            self.terms.agreed.ecn = true;
        }
    }

    /// Whether the answer to our ECN-setup SYN grants it (RFC 3168 §6.1.1): ECE without CWR.
    fn ecn_answered(&mut self, flags: TcpFlags) {
        let grants = flags.contains(TcpFlags::ECE) && !flags.contains(TcpFlags::CWR);
        self.terms.agreed.ecn = self.ecn.asked && grants;
    }

    /// Both sides know each other's numbers: the windows and clocks of the data phase begin.
    pub(super) fn become_established(&mut self, cx: &mut Context<'_>) {
        self.established = Some(cx.now);
        self.flight.rest();
        self.last_heard = cx.now;
        let handshake_timed_out = self.retries > 0;
        self.retries = 0;
        if handshake_timed_out {
            self.backoff = 0;
            if self.round_trip.srtt().is_none() {
                self.round_trip.fall_back(FALLBACK_RTO);
            }
        }
        if self.flight.total_retransmissions() > 1 {
            // A handshake that lost more than one segment hints at congestion (RFC 5681 §3.1, RFC 6928 §3).
            self.cwnd.cwnd = self.cwnd.cwnd.min(1);
        }
        self.tell_cwnd(cx, CwndCause::Initial);
        self.disarm(cx, Timer::Retransmission);
        self.settle_patience(cx, false);
        self.last_sent = cx.now;
        if let Some(idle) = self.config.keep_alive {
            self.arm(cx, Timer::KeepAlive, cx.now + idle);
        }
    }

    /// A SYN cookie of ours has come back: the connection is as it would be, had it been there since its SYN
    /// (RFC 4987 §3.6). `syn` is what can be told of that.
    pub(crate) fn recall(&mut self, cx: &mut Context<'_>, syn: &Segment) {
        self.take_syn(cx.now, syn);
        self.snd_nxt = 1;
        self.window.announce(0, 0, u32::from(self.terms.own_mss), false);
        self.on(cx, Cause::SynArrives);
    }

    /// Our SYN,ACK is acknowledged (RFC 9293 §3.10.7.4, fifth check, SYN-RECEIVED).
    pub(super) fn syn_is_acknowledged(&mut self, cx: &mut Context<'_>, segment: &Segment) {
        self.snd_una = 1;
        let delivery = self.flight.acknowledge(1, cx.now, Duration::ZERO);
        self.sample_round_trip(cx, &delivery, Some(segment));
        self.due = None;
        self.become_established(cx);
        self.take_send_window(cx, segment, true);
        self.on(cx, Cause::SynAcknowledged);
        let was_open = self.end_early();
        match self.origin {
            Origin::Active => {
                cx.notify(SocketEvent::Connected(cx.socket));
                cx.notify(SocketEvent::Writable(cx.socket));
                if self.receive.unread() > 0 {
                    cx.notify(SocketEvent::Readable(cx.socket));
                }
            }
            Origin::Passive(_) if was_open => cx.notify(SocketEvent::Writable(cx.socket)),
            Origin::Passive(listener) => cx.notify(SocketEvent::Acceptable(listener)),
        }
        if self.fin == super::Fin::Queued {
            self.on(cx, Cause::Close);
        }
        if !self.flight.is_empty() {
            let rto = self.round_trip.rto(self.backoff).duration();
            self.arm(cx, Timer::Retransmission, cx.now + rto);
        }
    }

    /// The SYN or SYN,ACK that is due.
    pub(super) fn handshake_segment(&mut self, cx: &mut Context<'_>, reason: Reason) -> (Segment, Why) {
        let answers = self.state() == TcpState::SynReceived;
        let mut options = if answers { self.granted_options(cx.now) } else { self.offered_options(cx.now) };
        options.fast_open = self.early_option();
        let (arrived, unread) =
            if self.is_open_early() { (self.receive.next(), self.receive.unread()) } else { (0, 0) };
        let window = self.window.announce(arrived, unread, u32::from(self.terms.own_mss), false);
        let mut flags = TcpFlags::SYN.0;
        if answers {
            flags |= TcpFlags::ACK.0;
            flags |= if self.terms.agreed.ecn { TcpFlags::ECE.0 } else { 0 };
        } else if self.ecn.asked && self.retries == 0 {
            // A SYN that is sent again asks for no ECN: an old box on the path may drop those that do (RFC 3168 §6.1.1.1).
            flags |= TcpFlags::ECE.0 | TcpFlags::CWR.0;
        }
        let mut payload = Payload::new();
        if self.flight.is_empty() {
            self.flight.push(0..1, cx.now, false, false);
            self.snd_nxt = 1;
            payload = self.early_data(cx);
        } else {
            self.note_resent(cx, 0, 0);
        }
        let rto = self.round_trip.rto(self.backoff).duration();
        self.arm(cx, Timer::Retransmission, cx.now + rto);
        // The user's patience bounds the opening, too (RFC 9293 §3.10.8: in any state).
        self.settle_patience(cx, false);
        let ack = if answers { self.irs + 1 + arrived as u32 } else { SeqNum(0) };
        if answers {
            self.last_ack_sent = ack;
        }
        let flags = TcpFlags(flags);
        let segment = Segment { seq: self.iss, ack, flags, window, options, payload, ..Segment::default() };
        (segment, Why::of(reason))
    }

    /// What our SYN offers.
    fn offered_options(&self, now: Instant) -> TcpOptions {
        TcpOptions {
            mss: Some(self.terms.own_mss),
            window_scale: self.config.window_scaling.then(|| self.config.offered_scale()),
            sack_permitted: self.config.sack,
            timestamps: self.config.timestamps.then(|| (self.timestamp(now), 0)),
            ..TcpOptions::default()
        }
    }

    /// What our SYN,ACK grants: nothing that the peer's SYN did not offer.
    fn granted_options(&self, now: Instant) -> TcpOptions {
        let agreed = &self.terms.agreed;
        TcpOptions {
            mss: Some(self.terms.own_mss),
            window_scale: agreed.window_scale.map(|(own, _)| own),
            sack_permitted: agreed.sack,
            timestamps: agreed.timestamps.then(|| (self.timestamp(now), self.peer_clock.ts_recent)),
            ..TcpOptions::default()
        }
    }
}
