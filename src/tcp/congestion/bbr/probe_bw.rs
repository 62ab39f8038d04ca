//! ProbeBW: most of a connection's life (draft-ietf-ccwg-bbr §5.3.3).
//!
//! ```text
//!   in flight            Up
//!                      ╱    ╲ Down
//!   BDP  ───── Refill ╱      ╲──── Cruise ──────── Refill ╱
//!             a round trip         two or three seconds, or as many round trips as Reno would need
//! ```

use std::time::Duration;

use super::congestion::{ShortTerm, share_of};
use super::{Ack, Bbr, MIN_PIPE_CWND, State, UNBOUNDED};
use crate::time::Instant;

/// Percents of the long-term bound that cruising leaves to others (BBR.Headroom).
const HEADROOM: u32 = 15;
/// Round trips after which a probe is due at the latest, so that Reno beside it has its share and not more.
const MOST_ROUNDS: u32 = 63;
/// The least time between probes; up to a second more by chance.
const LEAST_WAIT: Duration = Duration::from_secs(2);

/// What the acknowledgments of now tell of (BBR.ack_phase).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Feedback {
    /// Not of a probe.
    #[default]
    None,
    Refilling,
    ProbeStarting,
    Probe,
    ProbeStopping,
}

/// Where the cycle of probes stands.
#[derive(Clone, Copy, Debug)]
pub(super) struct Cycle {
    feedback: Feedback,
    /// BBR.is_bw_probe_sample
    pub(super) is_probe_sample: bool,
    /// BBR.rounds_since_probe_up
    pub(super) rounds_since_up: u32,
    /// BBR.bw_probe_wait
    wait: Duration,
    /// BBR.cycle_stamp
    began: Instant,
    /// BBR.bw_probe_up_rounds
    up_rounds: u32,
    /// BBR.bw_probe_up_acked
    up_acked: u32,
    /// BBR.probe_up_acked_per_inc
    up_each: u32,
    /// BBR.prev_probe_too_high
    too_high: bool,
    /// BBR.prev_probe_precautionary
    precautionary: bool,
}

impl Default for Cycle {
    fn default() -> Cycle {
        Cycle {
            feedback: Feedback::None,
            is_probe_sample: false,
            rounds_since_up: 0,
            wait: Duration::ZERO,
            began: Instant::ZERO,
            up_rounds: 0,
            up_acked: 0,
            up_each: u32::MAX,
            too_high: false,
            precautionary: false,
        }
    }
}

impl Cycle {
    /// A probe has lost too much; one answer to it is enough.
    pub(super) fn probe_went_too_high(&mut self) {
        self.too_high = true;
        self.is_probe_sample = false;
    }

    /// What comes is feedback of a time without a probe.
    pub(super) fn stop_probing(&mut self) {
        self.feedback = Feedback::ProbeStopping;
    }
}

impl Bbr {
    /// UpdateProbeBWCyclePhase
    pub(super) fn update_cycle(&mut self, ack: &Ack) {
        if !self.full_pipe.reached || self.adapt_long_term(ack) {
            return;
        }
        let state = self.state;
        match state {
            State::Down | State::Cruise if self.is_time_to_probe(ack) => self.start_refill(),
            State::Down if self.is_time_to_cruise(ack) => self.state = State::Cruise,
            State::Refill if self.rounds.start => {
                self.cycle.is_probe_sample = true;
                self.start_up(ack);
            }
            State::Up if self.is_time_to_go_down(ack) => {
                self.cycle.too_high = false;
                self.start_down(ack.now);
            }
            State::Startup
            | State::Drain
            | State::Down
            | State::Cruise
            | State::Refill
            | State::Up
            | State::ProbeRtt => {}
        }
    }

    /// StartProbeBW_DOWN
    pub(super) fn start_down(&mut self, now: Instant) {
        self.signals.reset();
        self.cycle.up_each = u32::MAX;
        // PickProbeWait
        self.cycle.rounds_since_up = self.rng.below(2) as u32;
        self.cycle.wait = LEAST_WAIT + Duration::from_nanos(self.rng.below(1_000_000_000));
        self.cycle.began = now;
        self.cycle.feedback = Feedback::ProbeStopping;
        self.start_round();
        self.state = State::Down;
    }

    /// StartProbeBW_CRUISE
    pub(super) fn start_cruise(&mut self) {
        self.state = State::Cruise;
    }

    /// StartProbeBW_REFILL: a round trip at the path's rate, so that the probe meets a full pipe.
    pub(super) fn start_refill(&mut self) {
        self.short_term = ShortTerm::default();
        self.cycle.up_rounds = 0;
        self.cycle.up_acked = 0;
        self.cycle.precautionary = false;
        self.cycle.feedback = Feedback::Refilling;
        self.start_round();
        self.state = State::Refill;
    }

    /// StartProbeBW_UP
    fn start_up(&mut self, ack: &Ack) {
        self.cycle.feedback = Feedback::ProbeStarting;
        self.start_round();
        self.full_pipe.look_above(ack.rate);
        self.state = State::Up;
        self.raise_slope(ack.cwnd);
    }

    /// IsTimeToProbeBW
    fn is_time_to_probe(&self, ack: &Ack) -> bool {
        let reno_rounds = self.bdp(100).min(ack.cwnd).min(MOST_ROUNDS);
        ack.now > self.cycle.began + self.cycle.wait || self.cycle.rounds_since_up >= reno_rounds
    }

    /// IsTimeToCruise
    fn is_time_to_cruise(&self, ack: &Ack) -> bool {
        ack.in_flight <= self.inflight_with_headroom() && ack.in_flight <= self.inflight(self.bandwidth.max(), 100)
    }

    /// IsTimeToGoDown
    fn is_time_to_go_down(&mut self, ack: &Ack) -> bool {
        if self.cycle.too_high && ack.in_flight_before >= self.long_term.inflight {
            // Precautionary probing: the last probe lost too much here. What the acknowledgment has taken away counts, or a
            // window as wide as the bound would never be found to reach it (as Linux).
            self.cycle.precautionary = true;
            return true;
        }
        if ack.cwnd_limited && ack.cwnd >= self.long_term.inflight {
            // It is the bound that keeps the rate down, not the path.
            self.full_pipe.look_above(ack.rate);
            return false;
        }
        self.full_pipe.now
    }

    /// InflightWithHeadroom
    pub(super) fn inflight_with_headroom(&self) -> u32 {
        let bound = self.long_term.inflight;
        if bound == UNBOUNDED {
            return UNBOUNDED;
        }
        bound.saturating_sub(share_of(bound, HEADROOM).max(1)).max(MIN_PIPE_CWND)
    }

    /// RaiseInflightLongtermSlope: twice as steep each round trip.
    fn raise_slope(&mut self, cwnd: u32) {
        self.cycle.up_each = (cwnd >> self.cycle.up_rounds).max(1);
        self.cycle.up_rounds = (self.cycle.up_rounds + 1).min(30);
    }

    /// ProbeInflightLongtermUpward
    fn probe_upward(&mut self, ack: &Ack) {
        if !ack.cwnd_limited || ack.cwnd < self.long_term.inflight {
            return;
        }
        self.cycle.up_acked = self.cycle.up_acked.saturating_add(ack.newly_acked);
        let grown = self.cycle.up_acked / self.cycle.up_each;
        self.cycle.up_acked -= grown * self.cycle.up_each;
        self.long_term.inflight = self.long_term.inflight.saturating_add(grown);
        if self.rounds.start {
            self.raise_slope(ack.cwnd);
        }
    }

    /// AdaptLongTermModel. Returns whether it has changed the state.
    fn adapt_long_term(&mut self, ack: &Ack) -> bool {
        if self.cycle.feedback == Feedback::ProbeStarting && self.rounds.start {
            self.cycle.feedback = Feedback::Probe;
        }
        if self.cycle.feedback == Feedback::ProbeStopping && self.rounds.start {
            self.cycle.is_probe_sample = false;
            self.cycle.feedback = Feedback::None;
            if self.state.probes_bandwidth() && !ack.sample.application_limited {
                self.bandwidth.advance();
            }
            // Precautionary probing: nothing was lost where the last probe lost too much, so go on.
            if self.state.probes_bandwidth() && self.cycle.precautionary && !self.cycle.too_high {
                self.start_refill();
                return true;
            }
        }
        if ack.is_inflight_too_high() || self.long_term.inflight == UNBOUNDED {
            return false;
        }
        self.long_term.inflight = self.long_term.inflight.max(ack.sample.in_flight_when_sent);
        if self.state == State::Up {
            self.probe_upward(ack);
        }
        false
    }
}
