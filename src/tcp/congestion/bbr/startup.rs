//! Startup, where the rate doubles until the path delivers no more, and Drain, where the queue that this has made empties
//! (draft-ietf-ccwg-bbr §5.3.1, §5.3.2).

use super::{Ack, Bbr, State};
use crate::tcp::congestion::Phase;

/// Round trips without growth that mean the pipe is full.
const ROUNDS_WITHOUT_GROWTH: u32 = 3;
/// BBRStartupFullLossCnt: losses in a round trip that are more than noise.
const LOSSES: u32 = 6;
/// Round trips after which Drain ends whatever is in flight.
const DRAIN_ROUNDS: u64 = 3;

/// Whether a faster pace still brings more.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct FullPipe {
    /// BBR.full_bw_reached: it was so once.
    pub(super) reached: bool,
    /// BBR.full_bw_now: it is so in the probe of now.
    pub(super) now: bool,
    /// BBR.full_bw
    bw: u64,
    /// BBR.full_bw_count
    count: u32,
    /// BBR.drain_start_round
    drain_began: u64,
    /// The round in which loss recovery began.
    recovery_began: Option<u64>,
}

impl FullPipe {
    /// ResetFullBW; growth is looked for above `bw`.
    pub(super) fn look_above(&mut self, bw: u64) {
        self.bw = bw;
        self.count = 0;
        self.now = false;
    }
}

impl Bbr {
    /// CheckFullBWReached (draft §5.3.1.2)
    pub(super) fn check_full_pipe(&mut self, ack: &Ack) {
        if self.full_pipe.now || !self.rounds.start || ack.sample.application_limited {
            return;
        }
        if ack.rate >= self.full_pipe.bw.saturating_mul(5) / 4 {
            return self.full_pipe.look_above(ack.rate);
        }
        self.full_pipe.count += 1;
        self.full_pipe.now = self.full_pipe.count >= ROUNDS_WITHOUT_GROWTH;
        self.full_pipe.reached |= self.full_pipe.now;
    }

    /// CheckStartupDone
    pub(super) fn check_startup_done(&mut self, ack: &Ack) {
        self.check_startup_loss(ack);
        if self.state == State::Startup && self.full_pipe.reached {
            self.state = State::Drain;
            self.full_pipe.drain_began = self.rounds.count;
        }
    }

    /// CheckStartupHighLoss (draft §5.3.1.3): a full round trip of recovery, more than 2 % lost, and not in one piece.
    fn check_startup_loss(&mut self, ack: &Ack) {
        if self.phase != Phase::Recovery {
            self.full_pipe.recovery_began = None;
        } else if self.full_pipe.recovery_began.is_none() {
            self.full_pipe.recovery_began = Some(self.rounds.count);
        }
        let a_round_ago = self.full_pipe.recovery_began.is_some_and(|began| self.rounds.count > began);
        if self.signals.loss_round_start {
            let losses = std::mem::take(&mut self.signals.loss_events);
            if self.state == State::Startup
                && !self.full_pipe.reached
                && a_round_ago
                && losses >= LOSSES
                && ack.is_inflight_too_high()
            {
                self.undo.from = Some(State::Startup);
                self.full_pipe.reached = true;
                self.long_term.inflight = self.bdp(100).max(self.signals.inflight_latest);
            }
        }
    }

    /// CheckDrainDone
    pub(super) fn check_drain_done(&mut self, ack: &Ack) {
        if self.state != State::Drain {
            return;
        }
        let too_long = self.rounds.count > self.full_pipe.drain_began + DRAIN_ROUNDS;
        if too_long || ack.in_flight <= self.inflight(self.bw, 100) {
            self.start_down(ack.now);
        }
    }

    /// EnterStartup
    pub(super) fn enter_startup(&mut self) {
        self.state = State::Startup;
    }
}
