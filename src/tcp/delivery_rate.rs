//! At what rate the network delivers (draft-ietf-ccwg-bbr §4.1).
//!
//! ```text
//!   sent        P0 ───────────── P          send_elapsed = P.sent - P.first_sent
//!                 ╲               ╲
//!   delivered      D0 ───────────── D       ack_elapsed  = now - P.delivered_at
//!
//!   rate = segments delivered since P was sent / the longer of both
//! ```
//!
//! Each segment takes a [`Stamp`] along of what had been delivered when it left. When it is delivered itself, the
//! difference is one flight's worth of delivery. The longer of the two spans is taken: acknowledgments may arrive in
//! bunches, and must not make the path look faster than the sender was. Samples from a time when there was too little to
//! send are marked: they say how fast the application was.
//!
//! Segments are counted, as everywhere in `congestion`; the counters of a stamp have 32 bits and wrap.

use std::time::Duration;

use crate::time::Instant;

/// What a segment in flight remembers of its departure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Stamp {
    /// P.send_time
    sent: Instant,
    /// P.first_send_time: when the segment left whose delivery was the last one known.
    first_sent: Instant,
    /// P.delivered_time: when that was.
    delivered_at: Instant,
    /// P.delivered: the lower half of the counter.
    delivered: u32,
    /// P.lost, likewise.
    lost: u32,
    /// P.tx_in_flight: segments in the network, itself included.
    in_flight: u32,
    /// P.is_app_limited
    application_limited: bool,
}

/// How fast the network delivered, from the departure of the youngest segment that an acknowledgment reports.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RateSample {
    /// Segments delivered in the interval.
    pub delivered: u32,
    /// Segments found lost in it.
    pub lost: u32,
    /// Its length; `None` when it is shorter than any round trip so far, and so cannot be believed.
    pub interval: Option<Duration>,
    /// Segments that had been delivered since the connection began when the interval began.
    pub prior_delivered: u64,
    /// The same now.
    pub total_delivered: u64,
    /// Segments in the network when the segment had left, itself included.
    pub in_flight_when_sent: u32,
    /// Whether there was too little to send, so that the rate says nothing about the path.
    pub application_limited: bool,
}

impl RateSample {
    /// The rate in octets each second, with segments of `mss` octets; `None` when it cannot be believed.
    pub fn rate(&self, mss: u32) -> Option<u64> {
        let nanos = self.interval.filter(|interval| !interval.is_zero())?.as_nanos();
        let octets = u128::from(self.delivered) * u128::from(mss);
        Some(u64::try_from(octets * 1_000_000_000 / nanos).unwrap_or(u64::MAX))
    }
}

/// What is known of deliveries, and the sample that the acknowledgment in hand will bring.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct DeliveryRate {
    /// C.delivered
    delivered: u64,
    /// C.delivered_time
    delivered_at: Instant,
    /// C.first_send_time
    first_sent: Instant,
    /// C.lost
    lost: u64,
    /// C.app_limited: until so many are delivered, samples tell of the application; `None` while it keeps up.
    limited_until: Option<u64>,
    /// The youngest segment that is reported by the acknowledgment in hand, and the end of its range.
    youngest: Option<(Stamp, u64)>,
}

impl DeliveryRate {
    /// A segment leaves, for the first time or again; `in_flight` segments are in the network, itself included.
    pub(crate) fn sent(&mut self, now: Instant, in_flight: u32) -> Stamp {
        if in_flight <= 1 {
            self.first_sent = now;
            self.delivered_at = now;
        }
        Stamp {
            sent: now,
            first_sent: self.first_sent,
            delivered_at: self.delivered_at,
            delivered: self.delivered as u32,
            lost: self.lost as u32,
            in_flight,
            application_limited: self.limited_until.is_some(),
        }
    }

    /// The segment that ends at position `end` is reported for the first time, by acknowledgment or SACK.
    pub(crate) fn delivered(&mut self, stamp: &Stamp, end: u64, now: Instant) {
        self.delivered += 1;
        self.delivered_at = now;
        let is_youngest = match &self.youngest {
            None => true,
            Some((youngest, its_end)) => (stamp.sent, end) > (youngest.sent, *its_end),
        };
        if is_youngest {
            self.youngest = Some((*stamp, end));
        }
    }

    /// So many segments are found lost.
    pub(crate) fn lost(&mut self, segments: u32) {
        self.lost += u64::from(segments);
    }

    /// What is known of losses was wrong: so many were none.
    pub(crate) fn found(&mut self, segments: u32) {
        self.lost = self.lost.saturating_sub(u64::from(segments));
    }

    /// There is nothing to send although the window, with `in_flight` segments in the network, would let more out.
    pub(crate) fn application_limited(&mut self, in_flight: u32) {
        self.limited_until = Some((self.delivered + u64::from(in_flight)).max(1));
    }

    /// The sample of an acknowledgment, after all of its deliveries and losses are told; `None` when it brought nothing.
    pub(crate) fn sample(&mut self, now: Instant, min_rtt: Option<Duration>) -> Option<RateSample> {
        if self.limited_until.is_some_and(|until| self.delivered > until) {
            self.limited_until = None;
        }
        let (stamp, _) = self.youngest.take()?;
        self.first_sent = stamp.sent;
        let interval = (stamp.sent - stamp.first_sent).max(now - stamp.delivered_at);
        let delivered = (self.delivered as u32).wrapping_sub(stamp.delivered);
        Some(RateSample {
            delivered,
            lost: (self.lost as u32).wrapping_sub(stamp.lost),
            interval: Some(interval).filter(|interval| *interval >= min_rtt.unwrap_or_default()),
            prior_delivered: self.delivered.saturating_sub(delivered.into()),
            total_delivered: self.delivered,
            in_flight_when_sent: stamp.in_flight,
            application_limited: stamp.application_limited,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MSS: u32 = 1000;

    fn at(millis: u64) -> Instant {
        Instant::from_nanos(millis * 1_000_000)
    }

    /// Sends segments at these milliseconds, each arriving alone at its other one; the samples of all.
    fn samples(segments: &[(u64, u64)]) -> Vec<RateSample> {
        let mut rate = DeliveryRate::default();
        let mut stamps = Vec::new();
        let mut taken = Vec::new();
        let mut events: Vec<(u64, bool, usize)> = Vec::new();
        for (index, (sent, arrived)) in segments.iter().enumerate() {
            events.extend([(*sent, true, index), (*arrived, false, index)]);
        }
        events.sort_by_key(|(time, sending, index)| (*time, *sending, *index));
        let mut in_flight = 0;
        for (time, sending, index) in events {
            if sending {
                in_flight += 1;
                stamps.push(rate.sent(at(time), in_flight));
            } else {
                in_flight -= 1;
                rate.delivered(&stamps[index], index as u64 + 1, at(time));
                taken.extend(rate.sample(at(time), None));
            }
        }
        taken
    }

    #[test]
    fn a_stamp_is_small_enough_for_each_segment() {
        assert!(size_of::<Stamp>() <= 40);
    }

    #[test]
    fn the_rate_is_what_a_flight_delivered_by_the_time_it_took() {
        // Ten segments, one each 10 ms, a round trip of 100 ms.
        let segments: Vec<_> = (0..30).map(|n| (n * 10, n * 10 + 100)).collect();
        let last = samples(&segments).pop().expect("a sample");
        assert_eq!((last.delivered, last.interval), (10, Some(Duration::from_millis(100))));
        assert_eq!(last.rate(MSS), Some(100_000));
        assert_eq!((last.total_delivered, last.prior_delivered, last.in_flight_when_sent), (30, 20, 10));
    }

    #[test]
    fn acknowledgments_in_a_bunch_do_not_make_the_path_look_faster() {
        // Sent one each 10 ms, but the reports of four come at the same moment.
        let segments: Vec<_> = (0..40).map(|n| (n * 10, 100 + n / 4 * 40 + 30)).collect();
        for sample in samples(&segments).into_iter().skip(20) {
            assert!(sample.rate(MSS).expect("a sample") <= 134_000, "{sample:?}");
        }
        let mean =
            samples(&segments).iter().skip(20).map(|sample| sample.rate(MSS).expect("a sample")).sum::<u64>() / 20;
        assert!((85_000..=105_000).contains(&mean), "{mean}");
    }

    #[test]
    fn a_burst_is_measured_by_its_acknowledgments() {
        // Ten at once; the bottleneck lets one out each 10 ms.
        let segments: Vec<_> = (0..10).map(|n| (0, 100 + n * 10)).collect();
        let last = samples(&segments).pop().expect("a sample");
        assert_eq!((last.delivered, last.interval), (10, Some(Duration::from_millis(190))));
    }

    #[test]
    fn an_interval_shorter_than_any_round_trip_is_not_believed() {
        let mut rate = DeliveryRate::default();
        let stamp = rate.sent(at(0), 1);
        rate.delivered(&stamp, 1, at(5));
        let sample = rate.sample(at(5), Some(Duration::from_millis(20))).expect("a sample");
        assert_eq!((sample.interval, sample.rate(MSS), sample.delivered), (None, None, 1));
    }

    #[test]
    fn samples_of_an_idle_application_are_marked_until_its_last_segment_is_delivered() {
        let mut rate = DeliveryRate::default();
        let before = rate.sent(at(0), 1);
        rate.application_limited(1);
        let after = rate.sent(at(10), 2);
        rate.delivered(&before, 1, at(100));
        assert!(!rate.sample(at(100), None).expect("a sample").application_limited);
        rate.delivered(&after, 2, at(110));
        assert!(rate.sample(at(110), None).expect("a sample").application_limited);
        let stamp = rate.sent(at(120), 1);
        rate.delivered(&stamp, 3, at(220));
        assert!(!rate.sample(at(220), None).expect("a sample").application_limited);
    }

    #[test]
    fn the_youngest_of_several_segments_counts_whatever_the_order_of_reports() {
        let mut rate = DeliveryRate::default();
        let old = rate.sent(at(0), 1);
        let first = rate.sent(at(10), 2);
        let second = rate.sent(at(10), 3);
        for (stamp, end) in [(&second, 3), (&old, 1), (&first, 2)] {
            rate.delivered(stamp, end, at(100));
        }
        let sample = rate.sample(at(100), None).expect("a sample");
        assert_eq!((sample.in_flight_when_sent, sample.delivered), (3, 3));
        assert_eq!(rate.sample(at(100), None), None, "each delivery counts once");
    }

    #[test]
    fn losses_between_departure_and_delivery_are_counted() {
        let mut rate = DeliveryRate::default();
        rate.lost(7);
        let stamp = rate.sent(at(0), 5);
        rate.lost(3);
        rate.found(1);
        rate.delivered(&stamp, 1, at(100));
        assert_eq!(rate.sample(at(100), None).expect("a sample").lost, 2);
    }

    #[test]
    fn after_an_idle_time_the_interval_begins_anew() {
        let samples = samples(&[(0, 100), (10_000, 10_100)]);
        assert_eq!(samples[1].interval, Some(Duration::from_millis(100)));
    }

    #[test]
    fn counters_wrap_without_harm() {
        let edge = u64::from(u32::MAX);
        let mut rate = DeliveryRate { delivered: edge, lost: edge, ..DeliveryRate::default() };
        let stamp = rate.sent(at(0), 1);
        rate.lost(2);
        rate.delivered(&stamp, 1, at(100));
        let sample = rate.sample(at(100), None).expect("a sample");
        assert_eq!((sample.delivered, sample.lost, sample.prior_delivered), (1, 2, edge));
    }
}
