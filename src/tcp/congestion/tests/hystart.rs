//! HyStart++: over the model, and acknowledgment by acknowledgment.

use std::time::Duration;

use super::bottleneck::{Flow, Network, Path};
use crate::rng::Rng;
use crate::tcp::congestion::{Acknowledged, CongestionControl, Cubic, Reno, Window};

/// A slow start whose rounds are given by their delay: one acknowledgment for each segment of the window.
struct Rounds {
    algorithm: Reno,
    window: Window,
    snd_una: u64,
    snd_nxt: u64,
}

impl Rounds {
    fn new() -> Rounds {
        Rounds { algorithm: Reno::new(true), window: Window { cwnd: 10, ssthresh: u32::MAX }, snd_una: 0, snd_nxt: 10 }
    }

    /// A round in which the `n`th acknowledgment brings a round-trip time of `millis(n)`; the window after it.
    fn round(&mut self, millis: impl Fn(u64) -> u64) -> u32 {
        for n in 0..self.snd_nxt - self.snd_una {
            self.snd_una += 1;
            let acknowledged = Acknowledged {
                delivered: 1,
                rtt: Some(Duration::from_millis(millis(n))),
                snd_una: self.snd_una,
                snd_nxt: self.snd_nxt,
                ..Acknowledged::default()
            };
            self.algorithm.acknowledged(&mut self.window, &acknowledged);
            self.snd_nxt = self.snd_una + u64::from(self.window.cwnd);
        }
        self.window.cwnd
    }
}

#[test]
fn a_steady_path_is_left_to_slow_start() {
    let mut rounds = Rounds::new();
    let windows: Vec<u32> = (0..4).map(|_| rounds.round(|n| 100 + n % 3)).collect();
    assert_eq!(windows, [20, 40, 80, 160]);
    assert_eq!(rounds.window.ssthresh, u32::MAX);
}

#[test]
fn growing_delay_slows_the_window_and_ends_slow_start_after_five_rounds() {
    let mut rounds = Rounds::new();
    rounds.round(|_| 100);
    // The eighth measurement of the second round is believed: 8 segments quickly, 12 at a quarter.
    let first = rounds.round(|_| 113);
    assert_eq!(first, 20 + 8 + 12 / 4);
    let mut windows = vec![first];
    while rounds.window.ssthresh == u32::MAX {
        windows.push(rounds.round(|_| 113));
    }
    assert_eq!(windows.len(), 5, "{windows:?}");
    assert!(windows.windows(2).all(|pair| pair[1] <= pair[0] + pair[0] / 4 + 1), "{windows:?}");
    assert_eq!(rounds.window.ssthresh, rounds.window.cwnd);
}

#[test]
fn delay_that_goes_away_was_jitter() {
    let mut rounds = Rounds::new();
    rounds.round(|_| 100);
    let slowed = rounds.round(|_| 120);
    rounds.round(|_| 100);
    let before = rounds.window.cwnd;
    assert!(slowed < 40);
    assert_eq!(rounds.round(|_| 100), before * 2);
    assert_eq!(rounds.window.ssthresh, u32::MAX);
}

#[test]
fn the_delay_that_counts_is_an_eighth_between_4_and_16_milliseconds() {
    for (usual, harmless, telling) in [(10, 13, 14), (80, 89, 90), (400, 415, 416)] {
        for (delay, grows) in [(harmless, true), (telling, false)] {
            let mut rounds = Rounds::new();
            rounds.round(|_| usual);
            rounds.round(|_| delay);
            assert_eq!(rounds.window.cwnd == 40, grows, "{usual} ms, then {delay} ms");
        }
    }
}

#[test]
fn seven_measurements_are_too_few() {
    let mut rounds = Rounds::new();
    rounds.round(|_| 100);
    rounds.round(|n| if n < 7 { 150 } else { 100 });
    assert_eq!(rounds.window.cwnd, 40);
}

#[test]
fn one_acknowledgment_of_everything_doubles_the_window() {
    let mut window = Window { cwnd: 40, ssthresh: u32::MAX };
    let acknowledged = Acknowledged { delivered: 40, ..Acknowledged::default() };
    Reno::new(true).acknowledged(&mut window, &acknowledged);
    assert_eq!(window.cwnd, 80);
}

#[test]
fn a_slow_start_after_a_loss_is_not_watched() {
    let mut rounds = Rounds::new();
    rounds.window.ssthresh = 1000;
    rounds.round(|_| 100);
    rounds.round(|_| 200);
    assert_eq!((rounds.window.cwnd, rounds.window.ssthresh), (40, 1000));
}

/// Segments that the first slow start loses, and the window that it leaves.
fn first_slow_start(path: Path, hystart: bool) -> (u64, u64) {
    let mut network = Network::new(path, vec![Flow::new(Cubic::new(hystart))]);
    let (mut overflows, mut left_at) = (0, 0);
    network.run_watched(Duration::from_secs(10), |network| {
        let ssthresh = network.flows[0].window.ssthresh;
        if ssthresh == u32::MAX {
            overflows = network.overflows;
        } else if left_at == 0 {
            left_at = u64::from(ssthresh);
        }
    });
    (overflows, left_at)
}

#[test]
fn slow_start_is_left_before_a_long_queue_overflows() {
    // Five rounds of growth by a quarter reach eleven times what fills the path, at the worst.
    for (rate, rtt) in [(1000, 50), (1000, 100), (2000, 40)] {
        let path = Path::new(rate, rtt, rate as usize * rtt as usize / 1000 * 12);
        let (with, left_at) = first_slow_start(path, true);
        let (without, _) = first_slow_start(path, false);
        assert_eq!(with, 0, "{path:?}");
        assert!(without >= path.bdp(), "{path:?}: {without}");
        assert!(left_at >= path.bdp(), "{path:?}: left at {left_at}");
    }
}

#[test]
fn a_short_queue_loses_fewer_segments() {
    for (rate, rtt) in [(1000, 100), (2000, 40), (2000, 100)] {
        let path = Path::new(rate, rtt, rate as usize * rtt as usize / 1000);
        let (with, _) = first_slow_start(path, true);
        let (without, _) = first_slow_start(path, false);
        assert!(with * 10 <= without * 9, "{path:?}: {with} and {without}");
    }
}

#[test]
fn jitter_below_the_threshold_does_not_end_slow_start() {
    let mut rng = Rng::new(3);
    let jitter: Vec<u64> = (0..2000).map(|_| rng.below(12)).collect();
    let mut rounds = Rounds::new();
    for _ in 0..6 {
        rounds.round(|n| 100 + jitter[n as usize]);
    }
    assert_eq!(rounds.window.cwnd, 640);
}
