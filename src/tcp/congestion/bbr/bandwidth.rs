//! How fast the path delivers, and in what lumps (draft-ietf-ccwg-bbr §5.5.1 to §5.5.5, §5.5.9).

use super::{Ack, Bbr};
use crate::time::Instant;

/// BBR.ExtraAckedFilterLen, in two halves of so many round trips.
const HALF_FILTER: u64 = 5;

/// Round trips, counted by deliveries: one is over when a segment is delivered that was sent in it.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Rounds {
    /// BBR.round_count
    pub(super) count: u64,
    /// BBR.round_start: the acknowledgment in hand ends a round.
    pub(super) start: bool,
    /// BBR.next_round_delivered
    next_delivered: u64,
}

/// BBR.max_bw_filter: the greatest rate of this cycle and of the one before.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Bandwidth {
    before: u64,
    current: u64,
}

/// How much more than the path's rate a bunch of acknowledgments brings (BBR.extra_acked).
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Aggregation {
    interval_start: Instant,
    delivered: u64,
    /// The greatest of this half of the window, and of the half before.
    halves: [u32; 2],
    half_began: u64,
}

impl Rounds {
    /// StartRound
    pub(super) fn begin(&mut self, delivered: u64) {
        self.next_delivered = delivered;
    }

    /// UpdateRound
    fn update(&mut self, prior_delivered: u64, delivered: u64) {
        self.start = prior_delivered >= self.next_delivered;
        if self.start {
            self.begin(delivered);
            self.count += 1;
        }
    }
}

impl Bandwidth {
    /// BBR.max_bw
    pub(super) fn max(&self) -> u64 {
        self.before.max(self.current)
    }

    /// AdvanceMaxBwFilter; a cycle that has brought no sample is none (as Linux).
    pub(super) fn advance(&mut self) {
        if self.current > 0 {
            self.before = std::mem::take(&mut self.current);
        }
    }
}

impl Aggregation {
    pub(super) fn restart(&mut self, now: Instant) {
        self.interval_start = now;
        self.delivered = 0;
    }

    /// What is counted in segments.
    pub(super) fn volumes(&mut self) -> &mut [u32] {
        &mut self.halves
    }

    /// BBR.extra_acked
    pub(super) fn extra_acked(&self) -> u32 {
        self.halves[0].max(self.halves[1])
    }
}

impl Bbr {
    /// UpdateMaxBw (draft §5.5.5)
    pub(super) fn update_max_bw(&mut self, ack: &Ack) {
        self.rounds.update(ack.sample.prior_delivered, self.delivered);
        if self.rounds.start {
            self.cycle.rounds_since_up = self.cycle.rounds_since_up.saturating_add(1);
        }
        if ack.rate > 0 && (ack.rate >= self.bandwidth.max() || !ack.sample.application_limited) {
            self.bandwidth.current = self.bandwidth.current.max(ack.rate);
        }
    }

    /// UpdateACKAggregation (draft §5.5.9)
    pub(super) fn update_aggregation(&mut self, ack: &Ack) {
        let span = ack.now - self.aggregation.interval_start;
        let mut expected = self.volume(self.bw, span);
        let aggregation = &mut self.aggregation;
        if aggregation.delivered <= expected {
            aggregation.restart(ack.now);
            expected = 0;
        }
        aggregation.delivered += u64::from(ack.newly_acked);
        let extra = u32::try_from(aggregation.delivered - expected).unwrap_or(u32::MAX).min(ack.cwnd);
        // In Startup one round trip is remembered, later ten.
        let half = if self.full_pipe.reached { HALF_FILTER } else { 1 };
        if self.rounds.count >= aggregation.half_began + half {
            aggregation.half_began = self.rounds.count;
            aggregation.halves = [0, if self.full_pipe.reached { aggregation.halves[0] } else { 0 }];
        }
        aggregation.halves[0] = aggregation.halves[0].max(extra);
    }
}
