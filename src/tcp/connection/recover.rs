//! What an acknowledgment means for lost octets and for the window: `recovery` says which are lost, `congestion` how many may
//! fly, and this room acts on both.
//!
//! ```text
//!                 Begin ──► threshold, reduction          ┌─ reduction under way: its window
//!   evidence ──►  Undone ─► the window from before   ──►  ┤
//!                 Done ───► the threshold                 └─ else: the window may grow
//! ```
//!
//! RFC 5681, RFC 6675, RFC 6937, RFC 8985, RFC 3168 §6.1.2.

use super::{Connection, Context};
use crate::journal::{CwndCause, Event, NoLoss, Recovery, Timer};
use crate::packet::TcpFlags;
use crate::tcp::congestion::{Acknowledged, Phase, Window};
use crate::tcp::flight::Delivery;
use crate::tcp::recovery::{Evidence, Outcome, Rules, Verdict, probe_time_out};
use crate::tcp::segment::Segment;
use crate::time::Instant;

impl Connection {
    /// What an acknowledgment tells recovery.
    pub(super) fn evidence(
        &self,
        cx: &Context<'_>,
        segment: &Segment,
        (advanced, repeats, duplicate): (bool, bool, bool),
        delivery: Delivery,
    ) -> Evidence {
        let twice = self.came_twice(segment);
        let echo = self.echoed(cx.now, segment).map(|(echo, _)| echo);
        // An acknowledgment that was overtaken tells of a mark that may have been answered since.
        let is_latest = segment.ack == self.seq(self.snd_una);
        let marked = self.terms.agreed.ecn && is_latest && segment.flags.contains(TcpFlags::ECE);
        Evidence { delivery, advanced, repeats, duplicate, twice, marked, echo, ..self.no_evidence(cx.now) }
    }

    /// Time passes, and nothing has come.
    fn no_evidence(&self, now: Instant) -> Evidence {
        Evidence {
            now,
            snd_una: self.snd_una,
            snd_nxt: self.snd_nxt,
            delivery: Delivery::default(),
            advanced: false,
            repeats: false,
            duplicate: false,
            twice: None,
            marked: false,
            echo: None,
            rules: self.rules(),
            rtt: (self.least_rtt(), self.round_trip.srtt().unwrap_or_default()),
            mss: self.snd_mss(),
            may_send_new: self.data_end() > self.snd_nxt && self.window_room() > 0,
        }
    }

    /// Which rules of recovery the connection uses.
    pub(super) fn rules(&self) -> Rules {
        let sack = self.terms.agreed.sack;
        Rules { sack, rack: sack && self.config.rack, f_rto: self.config.f_rto }
    }

    /// Segments thought to be in the network.
    pub(super) fn in_network(&self) -> u32 {
        // A SYN,ACK with data behind it takes no room in the congestion window.
        self.flight.in_network(self.recovery.unreported()).saturating_sub(u32::from(self.snd_una == 0))
    }

    /// Asks recovery what is lost, and congestion control what may fly.
    pub(super) fn recover(&mut self, cx: &mut Context<'_>, evidence: &Evidence, in_flight_before: u32) {
        let phase = self.recovery.phase();
        let outcome = self.recovery.acknowledged(evidence, &mut self.flight);
        let outcome = self.excuse_the_probe(outcome);
        self.tell_losses(cx);
        if evidence.duplicate {
            let count = self.recovery.unreported().max(self.flight.sacked());
            cx.tell(Event::DuplicateAck { socket: cx.socket, ack: self.seq(self.snd_una), count });
        }
        if outcome.mended_by_probe {
            self.tail_was_lost(cx);
        }
        let partial = evidence.advanced && !evidence.rules.sack && self.recovery.name() == Recovery::FastRecovery;
        // Without SACK a partial acknowledgment brings the next segment, whatever the window (RFC 6582 §3.2).
        self.force_resend |= partial && outcome.verdict == Verdict::Continue;
        let in_flight = self.flight.unacked() + evidence.delivery.acknowledged;
        self.act(cx, &outcome, in_flight);
        self.phase_was(cx, phase);
        self.settle_window(cx, evidence, &outcome, in_flight_before);
    }

    /// The reordering timer has fired: what came too late by now is lost (RFC 8985 §6.2).
    pub(super) fn reordering_expires(&mut self, cx: &mut Context<'_>) {
        let evidence = self.no_evidence(cx.now);
        let in_flight = self.flight.unacked();
        let phase = self.recovery.phase();
        let outcome = self.recovery.look_again(&evidence, &mut self.flight);
        let outcome = self.excuse_the_probe(outcome);
        self.tell_losses(cx);
        self.act(cx, &outcome, in_flight);
        self.phase_was(cx, phase);
        // As if one segment had been delivered: the first that is lost goes at once, the others with what comes (as Linux).
        let outcome = Outcome { delivered: u32::from(outcome.verdict == Verdict::Begin), ..outcome };
        if let Some(cwnd) = self.recovery.reduced(&outcome, false, &self.flight) {
            self.set_cwnd(cx, Window { cwnd: cwnd.max(1), ..self.cwnd }, CwndCause::DuringRecovery);
        }
    }

    /// A path probe that is lost alone tells of the path's width and of no congestion (RFC 4821 §7.6.2).
    fn excuse_the_probe(&mut self, outcome: Outcome) -> Outcome {
        if outcome.verdict != Verdict::Begin || !self.only_the_probe_is_lost() {
            return outcome;
        }
        self.flight.excuse_losses();
        Outcome { lost: 0, ..outcome }
    }

    /// Acts on a verdict, but for the growth of the window.
    fn act(&mut self, cx: &mut Context<'_>, outcome: &Outcome, in_flight: u32) {
        match outcome.look_again {
            Some(due) => self.arm(cx, Timer::Reordering, due),
            None => self.disarm(cx, Timer::Reordering),
        }
        match outcome.verdict {
            Verdict::Fine | Verdict::Wait | Verdict::Continue => {}
            Verdict::Begin if self.only_the_probe_is_lost() => self.spare_the_window(cx),
            Verdict::Begin => self.begin_recovery(cx, in_flight),
            Verdict::Undone(before, evidence) => self.take_back(cx, before, evidence),
            Verdict::Done if self.congestion.governs() => {}
            Verdict::Done => {
                // At the threshold, from whichever side (RFC 6937 §3: "at the end of recovery").
                let cwnd = if self.cwnd.ssthresh == u32::MAX { self.cwnd.cwnd } else { self.cwnd.ssthresh };
                self.set_cwnd(cx, Window { cwnd, ..self.cwnd }, CwndCause::RecoveryDone);
            }
        }
    }

    /// Fast recovery begins (RFC 5681 §3.2, RFC 6675 §5): the threshold falls, and the window follows it.
    fn begin_recovery(&mut self, cx: &mut Context<'_>, in_flight: u32) {
        self.force_resend = true;
        self.disarm(cx, Timer::TailProbe);
        let before = self.window_to_restore();
        if self.congestion.governs() {
            self.recovery.doubt(self.snd_una, before, &self.flight);
        } else if !self.recovery.is_reducing() {
            self.reduce(cx, in_flight, CwndCause::FastRecovery);
            self.recovery.doubt(self.snd_una, before, &self.flight);
        }
    }

    /// The threshold falls to what the algorithm thinks the path carries, and the window follows in step with what is
    /// delivered (RFC 6937).
    fn reduce(&mut self, cx: &mut Context<'_>, in_flight: u32, cause: CwndCause) {
        let before = self.cwnd.cwnd;
        // What limited transmit has let out does not count (RFC 5681 §3.2).
        let ssthresh = self.congestion.threshold_after_loss(&self.cwnd, in_flight.min(before));
        self.window_falls();
        self.recovery.reduce(before, ssthresh);
        self.set_cwnd(cx, Window { ssthresh, ..self.cwnd }, cause);
    }

    /// The window comes down, or grows, or stays.
    fn settle_window(&mut self, cx: &mut Context<'_>, evidence: &Evidence, outcome: &Outcome, in_flight_before: u32) {
        let acknowledged = self.acknowledged_for(evidence, outcome, in_flight_before);
        if self.congestion.governs() {
            let before = self.cwnd;
            self.congestion.acknowledged(&mut self.cwnd, &acknowledged);
            if self.cwnd != before {
                self.tell_cwnd(cx, self.congestion.cause().unwrap_or(CwndCause::CongestionAvoidance));
            }
        } else if let Some(cwnd) = self.recovery.reduced(outcome, evidence.advanced, &self.flight) {
            self.set_cwnd(cx, Window { cwnd: cwnd.max(1), ..self.cwnd }, CwndCause::DuringRecovery);
        } else if matches!(outcome.verdict, Verdict::Fine | Verdict::Undone(..)) && !evidence.marked {
            self.grow(cx, &acknowledged);
        }
    }

    fn acknowledged_for(&mut self, evidence: &Evidence, outcome: &Outcome, in_flight_before: u32) -> Acknowledged {
        Acknowledged {
            now: evidence.now,
            delivered: outcome.delivered,
            lost: outcome.lost,
            in_flight_before,
            in_flight: self.in_network(),
            rtt: evidence.delivery.rtt,
            srtt: self.round_trip.srtt(),
            min_rtt: self.round_trip.least(),
            snd_una: self.snd_una,
            snd_nxt: self.snd_nxt,
            mss: evidence.mss,
            phase: self.recovery.phase(),
            cwnd_limited: self.usage.was_limited(),
            rate: self.flight.rate(evidence.now, self.least_rtt()),
        }
    }

    fn grow(&mut self, cx: &mut Context<'_>, acknowledged: &Acknowledged) {
        let slow_start = self.cwnd.in_slow_start();
        if acknowledged.delivered == 0 || !self.usage.may_grow(self.cwnd.cwnd, slow_start) {
            return;
        }
        let before = self.cwnd;
        self.congestion.acknowledged(&mut self.cwnd, acknowledged);
        if self.cwnd != before {
            let usual = if slow_start { CwndCause::SlowStart } else { CwndCause::CongestionAvoidance };
            self.tell_cwnd(cx, self.congestion.cause().unwrap_or(usual));
        }
    }

    /// A loss was none: the window is again what it was, if it has not grown beyond that (RFC 3522 §3.2, RFC 4015).
    fn take_back(&mut self, cx: &mut Context<'_>, before: Window, evidence: NoLoss) {
        cx.tell(Event::NoLoss { socket: cx.socket, evidence });
        self.force_resend = false;
        self.retries = 0;
        self.ecn.reduced = false;
        let mut window = self.cwnd;
        if !self.congestion.governs() {
            window.cwnd = window.cwnd.max(before.cwnd);
            window.ssthresh = window.ssthresh.max(before.ssthresh);
        }
        self.congestion.undone(&mut window);
        self.set_cwnd(cx, window, CwndCause::Undo);
    }

    /// The window that a needless reduction would have to restore.
    fn window_to_restore(&self) -> Window {
        let Window { cwnd, ssthresh } = self.cwnd;
        let ssthresh = if self.recovery.phase() == Phase::Open { ssthresh.max(cwnd / 4 * 3) } else { ssthresh };
        Window { cwnd, ssthresh }
    }

    /// Recovery has come from `before` to where it stands.
    fn phase_was(&mut self, cx: &mut Context<'_>, before: Phase) {
        let phase = self.recovery.phase();
        if phase != before {
            let cause = if phase == Phase::Open { CwndCause::RecoveryDone } else { CwndCause::FastRecovery };
            self.enter(cx, phase, cause);
        }
    }

    /// Congestion control is told where recovery stands. What it makes of the window counts when it governs.
    fn enter(&mut self, cx: &mut Context<'_>, phase: Phase, cause: CwndCause) {
        let mut window = self.cwnd;
        self.congestion.enter(phase, &mut window, self.in_network());
        if self.congestion.governs() {
            self.set_cwnd(cx, window, cause);
        }
    }

    /// The retransmission timer has fired, again when `again`: everything in flight is lost, one segment may fly
    /// (RFC 5681 §3.1, RFC 6298 §5.4).
    pub(super) fn lose_flight(&mut self, cx: &mut Context<'_>, again: bool) {
        // What SACK has reported is in flight no more, however much of it waits behind a hole (RFC 6675 §4, pipe).
        let in_flight = self.in_network();
        let before = self.window_to_restore();
        let falls = self.recovery.timed_out(&self.no_evidence(cx.now), again, &mut self.flight);
        self.tell_losses(cx);
        self.force_resend = true;
        self.burst_left = 0;
        self.disarm(cx, Timer::TailProbe);
        self.disarm(cx, Timer::Reordering);
        let mut ssthresh = self.cwnd.ssthresh;
        if falls {
            ssthresh = self.congestion.threshold_after_loss(&self.cwnd, in_flight);
            self.window_falls();
            self.recovery.doubt(self.snd_una, before, &self.flight);
        }
        self.enter(cx, Phase::Loss, CwndCause::Timeout);
        if !self.congestion.governs() {
            let cwnd = self.in_network() + 1;
            self.set_cwnd(cx, Window { cwnd, ssthresh }, CwndCause::Timeout);
        }
    }

    /// A probe has mended a loss: the window falls as for any other (RFC 8985 §7.4.2).
    fn tail_was_lost(&mut self, cx: &mut Context<'_>) {
        if self.congestion.governs() || self.recovery.is_reducing() {
            return;
        }
        let ssthresh = self.congestion.threshold_after_loss(&self.cwnd, self.cwnd.cwnd);
        self.window_falls();
        self.set_cwnd(cx, Window { cwnd: ssthresh, ssthresh }, CwndCause::TailLoss);
    }

    /// The window falls, for whatever reason: the next new data says so with CWR, and no echo that tells of what left before
    /// lowers it again (RFC 3168 §6.1.2).
    fn window_falls(&mut self) {
        self.ecn.reduced = true;
        self.recovery.window_falls(self.snd_nxt);
    }

    /// The peer may echo a congestion mark (RFC 3168 §6.1.2): as if a segment were lost, but none is.
    pub(super) fn take_congestion_echo(&mut self, cx: &mut Context<'_>, evidence: &Evidence) {
        if evidence.marked && self.recovery.congestion_marked(self.snd_una, self.snd_nxt) {
            self.window_falls();
            let in_flight = self.flight.unacked() + evidence.delivery.acknowledged;
            if !self.congestion.governs() {
                self.reduce(cx, in_flight, CwndCause::Marked);
            }
            self.enter(cx, Phase::Recovery, CwndCause::Marked);
        }
    }

    /// Plans a probe of the flight's end (RFC 8985 §7.2), never later than the retransmission timer. Behind a SYN,ACK that is
    /// not acknowledged there is none: the timer is the SYN,ACK's.
    pub(super) fn plan_probe(&mut self, cx: &mut Context<'_>) {
        let in_flight = self.flight.unacked();
        if !self.config.tail_loss_probe
            || !self.terms.agreed.sack
            || !self.state.may_transmit()
            || in_flight == 0
            || !self.recovery.may_probe(&self.flight)
        {
            return self.disarm(cx, Timer::TailProbe);
        }
        let due = cx.now + probe_time_out(self.round_trip.srtt(), in_flight);
        let due = self.timers.due(Timer::Retransmission).map_or(due, |rto| due.min(rto));
        self.arm(cx, Timer::TailProbe, due);
    }

    /// Tells of every range that was newly thought lost.
    pub(super) fn tell_losses(&mut self, cx: &mut Context<'_>) {
        for lost in self.flight.take_losses() {
            self.congestion.lost(cx.now, &self.cwnd, &lost);
        }
        for (range, rule) in self.flight.take_declared() {
            let length = u32::try_from(range.end - range.start).unwrap_or(u32::MAX);
            cx.tell(Event::Lost { socket: cx.socket, seq: self.seq(range.start), length, rule });
        }
    }
}
