//! Round-trip times and the time-out that follows from them (RFC 6298).
//!
//! ```text
//!   first sample R:   SRTT = R,  RTTVAR = R/2
//!   every further:    RTTVAR = 3/4 RTTVAR + 1/4 |SRTT − R|,   SRTT = 7/8 SRTT + 1/8 R
//!   RTO = SRTT + max(4 RTTVAR, floor), doubled for each time-out in a row
//! ```
//!
//! The floor stands beside SRTT, as in Linux, and not under the whole sum as in RFC 6298 §2.4: a path of 300 ms must not
//! get a time-out of 300 ms only because its times hardly vary. All in whole nanoseconds.

use std::time::Duration;

/// A time-out: doubled by back-off, between its bounds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Rto(Duration);

impl Rto {
    /// The span.
    pub(crate) const fn duration(self) -> Duration {
        self.0
    }
}

/// What is known of a path's round-trip time. In whole nanoseconds and microseconds: every connection has one.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RoundTrip {
    /// SRTT; 0 before the first sample.
    srtt: u64,
    rttvar: u64,
    least: u64,
    has_sample: bool,
    /// The bounds in microseconds.
    initial: u32,
    floor: u32,
    ceiling: u32,
}

/// The granularity of the clock (RFC 6298 §2, G): no time-out is shorter.
const GRANULARITY: Duration = Duration::from_millis(1);

fn nanos(span: Duration) -> u64 {
    u64::try_from(span.as_nanos()).unwrap_or(u64::MAX)
}

fn micros(span: Duration) -> u32 {
    u32::try_from(span.as_micros()).unwrap_or(u32::MAX)
}

impl RoundTrip {
    /// Nothing known: the time-out is `initial` (RFC 6298 §2.1) until the first sample; later `floor` and `ceiling` bound
    /// it (§2.4, §2.5). Each more than an hour counts as about an hour.
    pub(crate) fn new(initial: Duration, floor: Duration, ceiling: Duration) -> RoundTrip {
        let (initial, floor, ceiling) = (micros(initial), micros(floor), micros(ceiling));
        RoundTrip { srtt: 0, rttvar: 0, least: u64::MAX, has_sample: false, initial, floor, ceiling }
    }

    /// Takes a sample. Karn's algorithm is the caller's: no sample of octets that were sent twice (RFC 6298 §3).
    pub(crate) fn sample(&mut self, rtt: Duration) {
        let rtt = nanos(rtt).min(u64::MAX / 16);
        self.least = self.least.min(rtt);
        (self.srtt, self.rttvar) = if self.has_sample {
            ((self.srtt * 7 + rtt) / 8, (self.rttvar * 3 + self.srtt.abs_diff(rtt)) / 4)
        } else {
            (rtt, rtt / 2)
        };
        self.has_sample = true;
    }

    /// Begins anew with another time-out until the first sample.
    pub(crate) fn fall_back(&mut self, initial: Duration) {
        self.initial = micros(initial);
    }

    fn known(&self, nanos: u64) -> Option<Duration> {
        self.has_sample.then_some(Duration::from_nanos(nanos))
    }

    /// SRTT; `None` before the first sample.
    pub(crate) fn srtt(&self) -> Option<Duration> {
        self.known(self.srtt)
    }

    /// RTTVAR; `None` before the first sample.
    pub(crate) fn rttvar(&self) -> Option<Duration> {
        self.known(self.rttvar)
    }

    /// The least sample; `None` before the first.
    pub(crate) fn least(&self) -> Option<Duration> {
        self.known(self.least)
    }

    /// The time-out after `backoff` time-outs in a row (RFC 6298 §5.5).
    pub(crate) fn rto(&self, backoff: u8) -> Rto {
        let span = |micros: u32| Duration::from_micros(micros.into());
        let base = if self.has_sample {
            Duration::from_nanos(self.srtt) + Duration::from_nanos(self.rttvar.saturating_mul(4)).max(span(self.floor))
        } else {
            span(self.initial)
        };
        let base = base.max(GRANULARITY);
        Rto(base.saturating_mul(1 << u32::from(backoff).min(31)).min(span(self.ceiling)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    fn round_trip() -> RoundTrip {
        RoundTrip::new(1000 * MS, 200 * MS, 120_000 * MS)
    }

    #[test]
    fn before_the_first_sample_the_time_out_is_one_second() {
        let round_trip = round_trip();
        assert_eq!((round_trip.rto(0).duration(), round_trip.srtt(), round_trip.least()), (1000 * MS, None, None));
    }

    #[test]
    fn samples_smooth_as_rfc_6298_section_2_says() {
        let mut round_trip = round_trip();
        round_trip.sample(100 * MS);
        assert_eq!((round_trip.srtt(), round_trip.rttvar()), (Some(100 * MS), Some(50 * MS)));
        round_trip.sample(180 * MS);
        assert_eq!(round_trip.srtt(), Some(110 * MS));
        assert_eq!(round_trip.rttvar(), Some(Duration::from_micros(57_500)));
        assert_eq!(round_trip.rto(0).duration(), 340 * MS);
        assert_eq!(round_trip.least(), Some(100 * MS));
    }

    #[test]
    fn a_steady_path_keeps_the_floor_above_its_round_trip_time() {
        let mut round_trip = round_trip();
        (0..100).for_each(|_| round_trip.sample(10 * MS));
        assert_eq!(round_trip.rto(0).duration(), 210 * MS);
    }

    #[test]
    fn each_time_out_in_a_row_doubles_it_up_to_the_ceiling() {
        let mut round_trip = round_trip();
        round_trip.sample(10 * MS);
        let rtos: Vec<u64> = (0..4).map(|backoff| round_trip.rto(backoff).duration().as_millis() as u64).collect();
        assert_eq!(rtos, [210, 420, 840, 1680]);
        assert_eq!(round_trip.rto(255).duration(), 120_000 * MS);
    }
}
