//! An acknowledgment is digested, in a straight line:
//!
//! ```text
//!   send window ─► flight ─► round-trip time ─► recovery ─► congestion ─► send queue ─► timers
//!                  what is     how long          which       how many
//!                  delivered?  did it take?      are lost?   may fly?
//! ```
//!
//! RFC 9293 §3.10.7.4 fifth check, RFC 5681, RFC 6298 §5, RFC 2018. No room calls back.

use std::ops::Range;
use std::time::Duration;

use super::{Connection, Context, Fin};
use crate::journal::{DropReason, Event, Reason, TcpState, Timer};
use crate::tcp::flight::Delivery;
use crate::tcp::segment::Segment;
use crate::tcp::state::Cause;
use crate::time::Instant;
use crate::transport::CloseReason;

impl Connection {
    /// Digests the acknowledgment. Returns whether the rest of the segment is to be processed.
    pub(super) fn acknowledge(&mut self, cx: &mut Context<'_>, segment: &Segment) -> bool {
        let ack = self.position_of(segment.ack);
        if ack > self.snd_nxt as i64 || ack < self.snd_una as i64 - i64::from(self.max_snd_wnd) {
            // RFC 5961 §5.2: what was never sent, or is older than any window, is a guess.
            self.drop_segment(cx, DropReason::UnacceptableAck);
            self.challenge(cx);
            return false;
        }
        let is_old = ack < self.snd_una as i64;
        let ack = (ack.max(0) as u64).max(self.snd_una);
        let advanced = ack > self.snd_una;
        let window_moved = !is_old && self.take_send_window(cx, segment, true);
        if self.snd_wnd == 0 {
            // What is sent again into a window that has closed is a probe; a peer that answers is alive (RFC 9293 §3.8.6.1).
            self.retries = 0;
        }
        let was_in_flight = !self.flight.is_empty();
        self.snd_una = ack;

        let in_flight_before = self.flight.in_network(self.recovery.unreported());
        let mut delivery = self.flight.acknowledge(ack, cx.now, self.least_age(cx.now, segment));
        self.take_sack(cx, segment, &mut delivery);
        // An echo counts only when SND.UNA moves (RFC 7323 §4.1): with a report beyond a gap it is that of an older segment.
        self.sample_round_trip(cx, &delivery, advanced.then_some(segment));
        let repeats =
            !advanced && !window_moved && segment.sequence_len() == 0 && segment.ack == self.seq(self.snd_una);
        let duplicate = repeats && was_in_flight;
        if advanced {
            self.path_carried(cx);
        }
        let evidence = self.evidence(cx, segment, (advanced, repeats, duplicate), delivery);
        self.recover(cx, &evidence, in_flight_before);
        self.take_congestion_echo(cx, &evidence);
        if advanced {
            self.advance(cx);
        }
        if advanced && self.more_follows {
            // As Linux: "more follows" holds only while the application is quick; an acknowledgment sets free what waits.
            self.uncork(cx);
        }
        self.settle_timers(cx, advanced);
        true
    }

    /// Takes the peer's window, if the segment is newer than the one it came with (RFC 9293 §3.10.7.4: SND.WL1, SND.WL2).
    /// Returns whether it moved.
    pub(super) fn take_send_window(&mut self, cx: &mut Context<'_>, segment: &Segment, scaled: bool) -> bool {
        let is_newer =
            self.snd_wl1.before(segment.seq) || (self.snd_wl1 == segment.seq && self.snd_wl2.at_or_before(segment.ack));
        if !is_newer {
            return false;
        }
        let shift = if scaled { self.terms.snd_scale } else { 0 };
        let window = u32::from(segment.window) << shift;
        self.snd_wl1 = segment.seq;
        self.snd_wl2 = segment.ack;
        self.max_snd_wnd = self.max_snd_wnd.max(window);
        let moved = self.snd_wnd != window;
        self.snd_wnd = window;
        if moved {
            cx.tell(Event::SendWindow { socket: cx.socket, snd_wnd: window, ack: segment.ack });
        }
        moved
    }

    /// Takes the ranges that the peer reports (RFC 2018 §4). A first range at or below the acknowledgment, or inside the
    /// second, tells of octets that arrived twice (RFC 2883 §4) and of nothing new.
    fn take_sack(&mut self, cx: &mut Context<'_>, segment: &Segment, delivery: &mut Delivery) {
        if !self.terms.agreed.sack {
            return;
        }
        let min_rtt = self.least_rtt();
        for (left, right) in &segment.options.sack {
            let (left, right) = (self.position_of(*left), self.position_of(*right));
            let believable = left < right && left >= self.snd_una as i64 && right <= self.snd_nxt as i64;
            if believable {
                let range: Range<u64> = left as u64..right as u64;
                self.flight.sack(range, cx.now, min_rtt, delivery);
            }
        }
    }

    /// The octets that the peer says have come twice: the first range that it reports, when that lies below the
    /// acknowledgment or inside the second (RFC 2883 §4).
    pub(super) fn came_twice(&self, segment: &Segment) -> Option<Range<u64>> {
        let mut blocks = segment.options.sack.iter().filter(|_| self.terms.agreed.sack);
        let mut next = || blocks.next().map(|(left, right)| (self.position_of(*left), self.position_of(*right)));
        let (left, right) = next()?;
        let inside_second = next().is_some_and(|(from, to)| from <= left && right <= to);
        let is_report = right <= self.snd_una as i64 || inside_second;
        let was_sent = 1 <= left && left < right && right <= self.snd_nxt as i64;
        (is_report && was_sent).then_some(left as u64..right as u64)
    }

    /// The least round-trip time, zero before any is known.
    pub(super) fn least_rtt(&self) -> Duration {
        self.round_trip.least().unwrap_or_default()
    }

    /// How long ago a copy must have left that an acknowledgment of new octets may be for: no sooner than any packet ever
    /// came back, and not later than the one whose timestamp is echoed (RFC 8985 §6.2, step 2). The clock ticks once in a
    /// millisecond.
    fn least_age(&self, now: Instant, segment: &Segment) -> Duration {
        let echoed = self.echoed(now, segment).map(|(_, age)| age.saturating_sub(Duration::from_millis(1)));
        self.least_rtt().max(echoed.unwrap_or_default())
    }

    /// Times the path: by the clock of what was sent once (Karn), else by the timestamp that `echo` brings (RFC 7323 §4).
    pub(super) fn sample_round_trip(&mut self, cx: &mut Context<'_>, delivery: &Delivery, echo: Option<&Segment>) {
        let echoed = || echo.and_then(|segment| self.echoed(cx.now, segment)).map(|(_, age)| age);
        let Some(rtt) = delivery.rtt.or_else(echoed) else { return };
        self.round_trip.sample(rtt);
        self.backoff = 0;
        if let (Some(srtt), Some(rttvar)) = (self.round_trip.srtt(), self.round_trip.rttvar()) {
            let rto = self.round_trip.rto(0).duration();
            cx.tell(Event::RoundTrip { socket: cx.socket, rtt, srtt, rttvar, rto });
        }
    }

    /// The timestamp of ours that a segment echoes, and how old that is.
    pub(super) fn echoed(&self, now: Instant, segment: &Segment) -> Option<(u32, Duration)> {
        let (_, echo) = segment.options.timestamps.filter(|_| self.terms.agreed.timestamps)?;
        let millis = self.timestamp(now).wrapping_sub(echo);
        // Zero means that nothing was echoed; more than a day, that the peer makes its echoes up. Less than a tick is one: no
        // path takes no time, and the least time that was ever seen would stay zero.
        (echo != 0 && millis < 86_400_000).then(|| (echo, Duration::from_millis(millis.max(1).into())))
    }

    /// SND.UNA has moved: octets leave the send queue, and our FIN may be acknowledged.
    fn advance(&mut self, cx: &mut Context<'_>) {
        self.retries = 0;
        self.send.remove_before(self.snd_una - 1);
        self.flight.rest();
        self.snd_up = self.snd_up.filter(|end| *end > self.snd_una);
        self.wake_writer(cx);
        if !self.fin_is_acknowledged() {
            return;
        }
        match self.state() {
            TcpState::FinWait1 => {
                // A FIN in the same segment is seen by the eighth check, and then leads from FIN-WAIT-2 to TIME-WAIT.
                self.on(cx, Cause::FinAcknowledged);
                if self.orphan {
                    self.arm(cx, Timer::FinWait2, cx.now + self.config.fin_wait_2);
                }
            }
            TcpState::Closing => {
                self.on(cx, Cause::FinAcknowledged);
                self.enter_time_wait(cx);
            }
            TcpState::LastAck => self.end(cx, CloseReason::Finished),
            TcpState::Closed
            | TcpState::Listen
            | TcpState::SynSent
            | TcpState::SynReceived
            | TcpState::Established
            | TcpState::FinWait2
            | TcpState::CloseWait
            | TcpState::TimeWait => {}
        }
    }

    /// The retransmission timer runs while something is in flight (RFC 6298 §5.2, §5.3); the persist timer while the peer's
    /// window, and nothing else, holds back what is queued.
    pub(super) fn settle_timers(&mut self, cx: &mut Context<'_>, advanced: bool) {
        if self.closed.is_some() || self.state() == TcpState::TimeWait {
            return;
        }
        if self.flight.is_empty() {
            self.disarm(cx, Timer::Retransmission);
            self.disarm(cx, Timer::TailProbe);
        } else if advanced {
            let rto = self.round_trip.rto(self.backoff).duration();
            self.arm(cx, Timer::Retransmission, cx.now + rto);
            self.plan_probe(cx);
        }
        self.settle_patience(cx, advanced);
        if self.timers.due(Timer::Persist).is_some() && !self.is_held_by_window() {
            self.disarm(cx, Timer::Persist);
            self.backoff = 0;
            self.retries = 0;
        }
        if let (TcpState::Established | TcpState::CloseWait, Some(idle)) = (self.state(), self.config.keep_alive) {
            self.arm(cx, Timer::KeepAlive, cx.now + idle);
        }
    }

    /// The user's patience (RFC 5482, MUST-21) runs while something waits for the peer, be it for an acknowledgment or for
    /// room in its window, and begins anew with each acknowledgment of something new.
    pub(super) fn settle_patience(&mut self, cx: &mut Context<'_>, advanced: bool) {
        let waits = !self.flight.is_empty() || self.is_held_by_window();
        match self.config.user_timeout.filter(|_| waits) {
            Some(patience) if advanced || self.timers.due(Timer::UserTimeout).is_none() => {
                self.arm(cx, Timer::UserTimeout, cx.now + patience);
            }
            Some(_) => {}
            None => self.disarm(cx, Timer::UserTimeout),
        }
    }

    /// Whether octets or a FIN wait, nothing is in flight, and the peer's window has no room for them.
    pub(super) fn is_held_by_window(&self) -> bool {
        let waits = self.data_end() > self.snd_nxt || self.fin == Fin::Queued;
        let room = (self.snd_una + u64::from(self.snd_wnd)).saturating_sub(self.snd_nxt);
        self.state.may_transmit() && waits && self.flight.is_empty() && room < self.smallest_worthwhile()
    }

    /// No data came to ride on: the acknowledgment goes alone.
    pub(super) fn delayed_ack_expires(&mut self) {
        self.acks.waited_in_vain();
        self.acks.demand(Reason::Acknowledge);
    }
}
