//! Reno (RFC 5681): one segment more each round trip, half as many after a loss.

use super::hystart::HyStart;
use super::{Acknowledged, CongestionControl, Window};

/// The least threshold (RFC 5681 §3.1, equation 4).
const LEAST: u32 = 2;

/// Reno.
#[derive(Clone, Debug)]
pub struct Reno {
    /// HyStart++ for slow start, where it is wanted: in a box, because most connections of Reno do without.
    hystart: Option<Box<HyStart>>,
    /// Deliveries since the window last grew in congestion avoidance.
    counted: u32,
}

impl Reno {
    /// Reno at the beginning of a connection; with `hystart`, HyStart++ ends slow start (RFC 9406).
    pub fn new(hystart: bool) -> Reno {
        Reno { hystart: hystart.then(|| Box::new(HyStart::new(true))), counted: 0 }
    }
}

impl Default for Reno {
    /// As RFC 5681 has it.
    fn default() -> Reno {
        Reno::new(false)
    }
}

impl CongestionControl for Reno {
    fn name(&self) -> &'static str {
        "reno"
    }

    fn acknowledged(&mut self, window: &mut Window, acknowledged: &Acknowledged) {
        let mut delivered = acknowledged.delivered;
        if window.in_slow_start() {
            delivered = match &mut self.hystart {
                Some(hystart) => hystart.acknowledged(window, acknowledged),
                None => window.slow_start(delivered),
            };
        }
        self.counted = self.counted.saturating_add(delivered);
        if self.counted >= window.cwnd {
            self.counted -= window.cwnd;
            window.cwnd = window.cwnd.saturating_add(1);
        }
    }

    fn threshold_after_loss(&mut self, _: &Window, in_flight: u32) -> u32 {
        self.counted = 0;
        (in_flight / 2).max(LEAST)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn deliver(reno: &mut Reno, window: &mut Window, delivered: u32) {
        reno.acknowledged(window, &Acknowledged { delivered, ..Acknowledged::default() });
    }

    #[test]
    fn slow_start_doubles_each_round_trip_and_stops_at_the_threshold() {
        let mut window = Window { cwnd: 10, ssthresh: 25 };
        let mut reno = Reno::default();
        (0..10).for_each(|_| deliver(&mut reno, &mut window, 1));
        assert_eq!(window.cwnd, 20);
        (0..10).for_each(|_| deliver(&mut reno, &mut window, 2));
        assert_eq!(window.cwnd, 25);
    }

    #[test]
    fn congestion_avoidance_adds_one_segment_each_round_trip() {
        let mut window = Window { cwnd: 20, ssthresh: 20 };
        let mut reno = Reno::default();
        for round in 1..=5 {
            (0..window.cwnd).for_each(|_| deliver(&mut reno, &mut window, 1));
            assert_eq!(window.cwnd, 20 + round);
        }
    }

    #[test]
    fn a_loss_halves_what_was_in_flight_but_leaves_two() {
        let window = Window { cwnd: 20, ssthresh: u32::MAX };
        let mut reno = Reno::default();
        assert_eq!((reno.threshold_after_loss(&window, 20), reno.threshold_after_loss(&window, 3)), (10, 2));
    }
}
