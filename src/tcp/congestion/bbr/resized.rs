//! Segments become longer or shorter: the model's volumes are as many octets as before, counted in segments of now.
//!
//! Rates are octets each second and stay. A sample of a flight that began before the change counts segments of both sizes;
//! it is reckoned with the shorter ones, so that the path does not look faster than it is.

use super::{Bbr, UNBOUNDED};
use crate::tcp::congestion::{Acknowledged, RateSample, SegmentSize};

/// Until when samples count segments of two sizes, and the octets of the shorter ones.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Mixed {
    /// Samples that began before so many were delivered.
    until: u64,
    mss: u32,
}

impl Bbr {
    /// Takes note of how long segments are now.
    pub(super) fn take_segment_size(&mut self, acknowledged: &Acknowledged) {
        let now = acknowledged.mss.max(1);
        let before = std::mem::replace(&mut self.mss, now);
        if before == now || self.delivered == 0 {
            return;
        }
        let in_flight = u64::from(acknowledged.delivered) + u64::from(acknowledged.in_flight);
        self.mixed = Mixed { until: self.delivered.saturating_add(in_flight).saturating_add(1), mss: before.min(now) };
        let size = SegmentSize { before, now };
        let volumes = [
            &mut self.short_term.inflight,
            &mut self.long_term.inflight,
            &mut self.signals.inflight_latest,
            &mut self.prior_cwnd,
        ];
        for volume in volumes.into_iter().chain(self.undo.volumes()).chain(self.aggregation.volumes()) {
            *volume = if *volume == UNBOUNDED { UNBOUNDED } else { size.scaled(*volume) };
        }
    }

    /// The rate of a sample in octets each second; 0 when it cannot be believed.
    pub(super) fn rate_of(&self, sample: &RateSample) -> u64 {
        let is_mixed = sample.prior_delivered < self.mixed.until;
        sample.rate(if is_mixed { self.mixed.mss.min(self.mss) } else { self.mss }).unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn volumes_stay_as_many_octets_and_mixed_samples_count_the_shorter_segments() {
        for (now, inflight, mixed_rate, rate) in [(2000, 50, 100_000, 200_000), (500, 200, 50_000, 50_000)] {
            let mut bbr = Bbr { mss: 1000, delivered: 1000, prior_cwnd: 80, ..Bbr::new(10, 1) };
            bbr.long_term.inflight = 100;
            bbr.take_segment_size(&Acknowledged { mss: now, delivered: 2, in_flight: 10, ..Acknowledged::default() });
            assert_eq!((bbr.long_term.inflight, bbr.prior_cwnd), (inflight, inflight * 8 / 10));
            assert_eq!(bbr.short_term.inflight, UNBOUNDED);
            let sample = |prior_delivered| RateSample {
                delivered: 10,
                lost: 0,
                interval: Some(Duration::from_millis(100)),
                prior_delivered,
                total_delivered: prior_delivered + 10,
                in_flight_when_sent: 10,
                application_limited: false,
            };
            assert_eq!(bbr.rate_of(&sample(1012)), mixed_rate, "{now}");
            assert_eq!(bbr.rate_of(&sample(1013)), rate, "{now}");
        }
    }
}
