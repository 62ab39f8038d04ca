//! What is measured for congestion control that asks for it: a stamp for each segment in flight.
//!
//! The stamps stand in a row of their own, beside the segments and in their order: whoever does not measure pays nothing for
//! them, and whoever does pays no allocation.

use std::collections::VecDeque;
use std::time::Duration;

use crate::tcp::delivery_rate::{DeliveryRate, Lost, RateSample, Stamp};
use crate::time::Instant;

/// What is measured.
#[derive(Debug, Default)]
pub(super) struct Measured {
    rate: DeliveryRate,
    /// One for each segment in flight.
    stamps: VecDeque<Stamp>,
    /// Segment by segment, what was thought lost, until somebody asks.
    losses: Vec<Lost>,
}

impl Measured {
    /// A new segment leaves; `in_flight` segments are in the network, itself included.
    pub(super) fn push(&mut self, now: Instant, in_flight: u32) {
        let stamp = self.rate.sent(now, in_flight);
        self.stamps.push_back(stamp);
    }

    /// The segment at `index` leaves again.
    pub(super) fn resend(&mut self, index: usize, now: Instant, in_flight: u32) {
        if let Some(stamp) = self.stamps.get_mut(index) {
            *stamp = self.rate.sent(now, in_flight);
        }
    }

    /// The segment at `index`, which ends at position `end`, is reported for the first time.
    pub(super) fn delivered(&mut self, index: usize, end: u64, now: Instant) {
        if let Some(stamp) = self.stamps.get(index) {
            self.rate.delivered(stamp, end, now);
        }
    }

    /// The oldest segment is in flight no more.
    pub(super) fn pop(&mut self) {
        self.stamps.pop_front();
    }

    /// The segment at `index` is in so many pieces now.
    pub(super) fn cut(&mut self, index: usize, pieces: usize) {
        let Some(stamp) = self.stamps.get(index).copied() else { return };
        (1..pieces).for_each(|_| self.stamps.insert(index, stamp));
    }

    /// The segment at `index` is thought lost.
    pub(super) fn lose(&mut self, index: usize) {
        if let Some(stamp) = self.stamps.get(index) {
            self.losses.push(self.rate.lost(stamp));
        }
    }

    /// So many losses were none.
    pub(super) fn found(&mut self, segments: u32) {
        self.rate.found(segments);
    }

    /// What was newly thought lost tells of no congestion.
    pub(super) fn excuse(&mut self) {
        let excused = self.take_losses().len();
        self.rate.found(u32::try_from(excused).unwrap_or(u32::MAX));
    }

    /// What was newly thought lost.
    pub(super) fn take_losses(&mut self) -> Vec<Lost> {
        std::mem::take(&mut self.losses)
    }

    /// The sample of the acknowledgment in hand.
    pub(super) fn sample(&mut self, now: Instant, min_rtt: Duration) -> Option<RateSample> {
        self.rate.sample(now, Some(min_rtt))
    }

    /// There is nothing to send although the window, with `in_flight` segments in the network, would let more out.
    pub(super) fn application_limited(&mut self, in_flight: u32) {
        self.rate.application_limited(in_flight);
    }

    /// Gives memory back when nothing is in flight.
    pub(super) fn rest(&mut self) {
        self.stamps = VecDeque::new();
    }
}
