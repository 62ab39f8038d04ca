//! What loss says of the model (draft-ietf-ccwg-bbr §5.5.10, §5.5.11).
//!
//! ```text
//!   while probing     more than 2 % lost: what was in flight is the long-term bound
//!   at other times    any loss in a round trip: the short-term bounds fall to what was delivered, at most to 0.7,
//!                     until the next probe
//! ```
//!
//! The draft reckons that a round trip with X % of loss lowers the rate by X %, and draws from it how long it may cruise
//! (§5.3.3.8). But it paces at 99 % of the rate, and so never sees more than 99 % delivered: with its pseudocode each such
//! round trip costs one per cent more, which nobody has lost. Here the margin is taken out again.

use super::control::PACING_SHARE;
use super::{Ack, BETA, Bbr, State, UNBOUNDED};
use crate::tcp::congestion::{Lost, Window};
use crate::time::Instant;

/// BBR.LossThresh: losses above one in so many are too many (2 %).
const LOSS_SHARE: u64 = 50;

/// The last round trip's deliveries and losses.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Signals {
    /// BBR.bw_latest
    bw_latest: u64,
    /// BBR.inflight_latest
    pub(super) inflight_latest: u32,
    /// BBR.is_loss_in_round
    loss_in_round: bool,
    /// BBR.loss_round_delivered
    loss_round_delivered: u64,
    /// BBR.loss_round_start
    pub(super) loss_round_start: bool,
    /// Acknowledgments in the round trip that brought news of loss.
    pub(super) loss_events: u32,
}

/// BBR.bw_shortterm, BBR.inflight_shortterm
#[derive(Clone, Copy, Debug)]
pub(super) struct ShortTerm {
    pub(super) bw: u64,
    pub(super) inflight: u32,
}

/// BBR.inflight_longterm
#[derive(Clone, Copy, Debug)]
pub(super) struct LongTerm {
    pub(super) inflight: u32,
}

/// What a loss has changed, in case that it was none.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Undo {
    /// BBR.undo_state: the state that a loss has ended.
    pub(super) from: Option<State>,
    short_term: ShortTerm,
    long_term: LongTerm,
}

impl Default for ShortTerm {
    fn default() -> ShortTerm {
        ShortTerm { bw: u64::MAX, inflight: UNBOUNDED }
    }
}

impl Default for LongTerm {
    fn default() -> LongTerm {
        LongTerm { inflight: UNBOUNDED }
    }
}

impl Undo {
    /// SaveStateUponLoss
    pub(super) fn of(short_term: &ShortTerm, long_term: &LongTerm) -> Undo {
        Undo { from: None, short_term: *short_term, long_term: *long_term }
    }

    /// What is counted in segments.
    pub(super) fn volumes(&mut self) -> [&mut u32; 2] {
        [&mut self.short_term.inflight, &mut self.long_term.inflight]
    }
}

impl Ack {
    /// IsInflightTooHigh
    pub(super) fn is_inflight_too_high(&self) -> bool {
        is_too_much(self.sample.lost, self.sample.in_flight_when_sent)
    }
}

fn is_too_much(lost: u32, in_flight: u32) -> bool {
    u64::from(lost) * LOSS_SHARE > u64::from(in_flight)
}

impl Signals {
    /// UpdateLatestDeliverySignals
    pub(super) fn take(&mut self, ack: &Ack, delivered: u64) {
        self.bw_latest = self.bw_latest.max(ack.rate);
        self.inflight_latest = self.inflight_latest.max(ack.sample.delivered);
        self.loss_round_start = ack.sample.prior_delivered >= self.loss_round_delivered;
        if self.loss_round_start {
            self.loss_round_delivered = delivered;
        }
    }

    /// AdvanceLatestDeliverySignals
    pub(super) fn advance(&mut self, ack: &Ack) {
        if self.loss_round_start {
            self.bw_latest = ack.rate;
            self.inflight_latest = ack.sample.delivered;
        }
    }

    /// ResetCongestionSignals
    pub(super) fn reset(&mut self) {
        self.loss_in_round = false;
        self.bw_latest = 0;
        self.inflight_latest = 0;
    }
}

impl Bbr {
    /// UpdateCongestionSignals: once each round trip, outside of probes, loss lowers the short-term bounds.
    pub(super) fn update_congestion_signals(&mut self, ack: &Ack) {
        self.update_max_bw(ack);
        if !self.signals.loss_round_start {
            return;
        }
        let lost = std::mem::take(&mut self.signals.loss_in_round);
        if self.state.accelerates() || !lost {
            return;
        }
        let ShortTerm { bw, inflight } = self.short_term;
        let bw = if bw == u64::MAX { self.bandwidth.max() } else { bw };
        let inflight = if inflight == UNBOUNDED { ack.cwnd } else { inflight };
        self.short_term = ShortTerm {
            bw: without_margin(self.signals.bw_latest).max(share(bw, BETA)),
            inflight: (without_margin(self.signals.inflight_latest.into()).try_into().unwrap_or(UNBOUNDED))
                .max(share_of(inflight, BETA)),
        };
    }

    /// HandleLostPacket (draft §5.5.10.2)
    pub(super) fn note_loss(&mut self, now: Instant, window: &Window, lost: &Lost) {
        if !self.signals.loss_in_round {
            self.signals.loss_round_delivered = self.delivered;
            self.save_cwnd(window.cwnd);
            self.undo = Undo::of(&self.short_term, &self.long_term);
        }
        self.signals.loss_in_round = true;
        if !self.cycle.is_probe_sample || !is_too_much(lost.lost, lost.in_flight_when_sent) {
            return;
        }
        // HandleInflightTooHigh. A lost segment is one: that many others fitted when it was sent.
        self.cycle.probe_went_too_high();
        if !lost.application_limited {
            let target = self.bdp(100).min(window.cwnd);
            self.long_term.inflight = (lost.in_flight_when_sent.saturating_sub(1)).max(share_of(target, BETA)).max(1);
        }
        if self.state == State::Up {
            self.undo.from = Some(State::Up);
            self.start_down(now);
        }
    }

    /// HandleSpuriousLossDetection (draft §5.5.11.2)
    pub(super) fn take_back(&mut self) {
        self.signals.loss_in_round = false;
        self.full_pipe.look_above(0);
        self.short_term.bw = self.short_term.bw.max(self.undo.short_term.bw);
        self.short_term.inflight = self.short_term.inflight.max(self.undo.short_term.inflight);
        self.long_term.inflight = self.long_term.inflight.max(self.undo.long_term.inflight);
        match self.undo.from.take() {
            Some(State::Startup) if self.state != State::Startup => {
                self.full_pipe.reached = false;
                if self.state != State::ProbeRtt {
                    self.enter_startup();
                }
            }
            Some(State::Up) if self.state != State::Up && self.state != State::ProbeRtt => self.start_refill(),
            _ => {}
        }
    }
}

/// What the path would deliver of a pace without margin; at least that much was delivered at the pace that there was.
fn without_margin(delivered: u64) -> u64 {
    u64::try_from((u128::from(delivered) * 100).div_ceil(u128::from(PACING_SHARE))).unwrap_or(u64::MAX)
}

fn share(rate: u64, percent: u32) -> u64 {
    u64::try_from(u128::from(rate) * u128::from(percent) / 100).unwrap_or(u64::MAX)
}

/// `percent` of so many segments.
pub(super) fn share_of(segments: u32, percent: u32) -> u32 {
    u32::try_from(u64::from(segments) * u64::from(percent) / 100).unwrap_or(u32::MAX)
}
