//! CUBIC: the curve, and what it makes of a path.

use std::time::Duration;

use proptest::prelude::*;

use super::bottleneck::{Flow, Network, Path, fairness};
use crate::rng::Probability;
use crate::tcp::congestion::{Acknowledged, CongestionControl, Cubic, Phase, Reno, SegmentSize, Window};
use crate::time::Instant;

fn at(millis: u64) -> Instant {
    Instant::from_nanos(millis * 1_000_000)
}

fn deliver(cubic: &mut Cubic, window: &mut Window, millis: u64, delivered: u32) {
    cubic.acknowledged(window, &Acknowledged { now: at(millis), delivered, ..Acknowledged::default() });
}

/// Everything that the window allowed is acknowledged at once.
fn deliver_all(cubic: &mut Cubic, window: &mut Window, millis: u64) {
    let all = window.cwnd;
    deliver(cubic, window, millis, all);
}

/// A loss with a window of `cwnd`.
fn lose(cubic: &mut Cubic, cwnd: u32) -> Window {
    let ssthresh = cubic.threshold_after_loss(&Window { cwnd, ssthresh: u32::MAX }, cwnd);
    Window { cwnd: ssthresh, ssthresh }
}

#[test]
fn a_loss_leaves_seven_tenths_of_the_window_but_two_segments() {
    let mut cubic = Cubic::new(true);
    for (cwnd, left) in [(10, 7), (100, 70), (1000, 700), (2, 2), (1, 2)] {
        assert_eq!(lose(&mut cubic, cwnd).cwnd, left);
    }
}

/// RFC 4821 §7.6.1: as many octets as before.
#[test]
fn with_segments_twice_as_long_the_plateau_is_half_as_many() {
    let mut cubic = Cubic::new(true);
    let reduced = lose(&mut cubic, 100);
    let size = SegmentSize { before: 500, now: 1000 };
    cubic.resized(&size);
    let mut window = Window { cwnd: size.scaled(reduced.cwnd), ssthresh: size.scaled(reduced.ssthresh) };
    // K is the cube root of (50 - 35) / 0.4: 3.3 s.
    (0..33).for_each(|step| deliver_all(&mut cubic, &mut window, step * 100));
    assert!((45..=58).contains(&window.cwnd), "{window:?}");
}

/// RFC 9438 §4.2 in floating point, beside which the integers are laid.
#[test]
fn the_window_follows_the_curve() {
    for w_max in [500_u32, 5000, 50_000] {
        let mut cubic = Cubic::new(true);
        let mut window = lose(&mut cubic, w_max);
        let begin = f64::from(window.cwnd);
        let k = ((f64::from(w_max) - begin) / 0.4).cbrt();
        let mut millis = 0_u32;
        while f64::from(millis) < k * 1500.0 {
            millis += 100;
            let delivered = window.cwnd;
            (0..delivered).for_each(|_| deliver(&mut cubic, &mut window, u64::from(millis), 1));
            let t = f64::from(millis - 100) / 1000.0;
            let expected = 0.4 * (t - k).powi(3) + f64::from(w_max);
            let off = (f64::from(window.cwnd) - expected).abs() / expected;
            assert!(off < 0.03, "W_max {w_max}, {t} s: {} instead of {expected:.0}", window.cwnd);
        }
        assert!(window.cwnd > w_max);
    }
}

#[test]
fn the_window_grows_by_half_each_round_trip_at_most() {
    let mut cubic = Cubic::new(true);
    let mut window = lose(&mut cubic, 100);
    deliver(&mut cubic, &mut window, 0, 1);
    let before = window.cwnd;
    // A minute later the curve is far beyond.
    (0..before).for_each(|_| deliver(&mut cubic, &mut window, 60_000, 1));
    assert!((before + before / 2 - 1..=before + before / 2 + 1).contains(&window.cwnd), "{before} → {}", window.cwnd);
}

#[test]
fn a_second_loss_below_the_maximum_makes_room_for_others() {
    // The same second loss; in the one case below the maximum, in the other above it.
    let plateau = |first: u32| {
        let mut cubic = Cubic::new(true);
        lose(&mut cubic, first);
        let mut window = lose(&mut cubic, 1000);
        let mut millis = 0;
        // At the plateau the window stands nearly still: where it is after K.
        while millis < 9_000 {
            millis += 100;
            deliver_all(&mut cubic, &mut window, millis);
        }
        window.cwnd
    };
    let (gives_way, does_not) = (plateau(2000), plateau(900));
    assert!(gives_way < does_not, "{gives_way} {does_not}");
    assert!((840..=900).contains(&gives_way), "W_max = 1000 * (1 + 0.7) / 2: {gives_way}");
}

#[test]
fn on_short_paths_it_is_as_fast_as_reno() {
    // Ten milliseconds: Reno's 0.53 segments each round trip are far above the curve.
    let mut cubic = Cubic::new(true);
    let mut window = lose(&mut cubic, 40);
    assert_eq!(window.cwnd, 28);
    for round in 0..20 {
        (0..window.cwnd).for_each(|_| deliver(&mut cubic, &mut window, round * 10, 1));
    }
    // 20 round trips of 0.53, after a delay of at most 1/32 s.
    assert!((28 + 8..=28 + 11).contains(&window.cwnd), "{}", window.cwnd);
}

#[test]
fn beyond_the_last_maximum_it_grows_as_reno() {
    let mut cubic = Cubic::new(true);
    let mut window = lose(&mut cubic, 20);
    let mut rounds = 0;
    let mut at_maximum = 0;
    while window.cwnd < 30 {
        (0..window.cwnd).for_each(|_| deliver(&mut cubic, &mut window, rounds * 5, 1));
        rounds += 1;
        if window.cwnd <= 20 {
            at_maximum = rounds;
        }
    }
    assert!((9..=13).contains(&(rounds - at_maximum)), "{at_maximum}, {rounds}: about one segment each round trip");
}

#[test]
fn an_idle_time_does_not_count_on_the_curve() {
    let run = |idle: u64| {
        let mut cubic = Cubic::new(true);
        let mut window = lose(&mut cubic, 1000);
        for round in 0..50 {
            if round == 25 {
                cubic.restarted(at(2500 + idle), Duration::from_millis(idle));
            }
            let shift = if round < 25 { 0 } else { idle };
            deliver_all(&mut cubic, &mut window, round * 100 + shift);
        }
        window.cwnd
    };
    assert_eq!(run(0), run(60_000));
}

#[test]
fn after_a_time_out_the_curve_begins_at_its_plateau() {
    for loss_is_told_first in [false, true] {
        let mut cubic = Cubic::new(true);
        let before = Window { cwnd: 1000, ssthresh: u32::MAX };
        let mut window = Window { cwnd: 1, ssthresh: 0 };
        if loss_is_told_first {
            cubic.enter(Phase::Loss, &mut window, 0);
        }
        window.ssthresh = cubic.threshold_after_loss(&before, 1000);
        if !loss_is_told_first {
            cubic.enter(Phase::Loss, &mut window, 0);
        }
        assert_eq!(window.ssthresh, 700);
        deliver(&mut cubic, &mut window, 0, 699);
        cubic.enter(Phase::Open, &mut window, 0);
        assert_eq!(window.cwnd, 700);
        // At the plateau nothing is to be gained; without a maximum known, 5 % each round trip.
        deliver(&mut cubic, &mut window, 100, 700);
        assert_eq!(window.cwnd, 735);
    }
}

/// As Linux's arithmetic has it: after a time-out at 10, avoidance begins at 7 and every segment is acknowledged by
/// itself, in bunches of seven each 98 ms. The sixteenth makes it 8.
#[test]
fn small_windows_grow_at_the_same_acknowledgment_as_in_linux() {
    let mut cubic = Cubic::new(true);
    let mut window = Window { cwnd: 1, ssthresh: 0 };
    window.ssthresh = cubic.threshold_after_loss(&Window { cwnd: 10, ssthresh: u32::MAX }, 1);
    cubic.enter(Phase::Loss, &mut window, 0);
    cubic.enter(Phase::Open, &mut window, 0);
    assert_eq!(window.ssthresh, 7);
    let mut now = 0;
    let mut grew = Vec::new();
    (1..=6).for_each(|_| deliver(&mut cubic, &mut window, now, 1));
    for nth in 1..=16 {
        now += if [2, 9, 16].contains(&nth) { 98 } else { 2 };
        let before = window.cwnd;
        deliver(&mut cubic, &mut window, now, 1);
        if window.cwnd != before {
            grew.push(nth);
        }
    }
    assert_eq!((grew, window.cwnd), (vec![16], 8));
}

#[test]
fn a_loss_that_was_none_is_forgotten() {
    let mut cubic = Cubic::new(true);
    let mut window = lose(&mut cubic, 1000);
    for round in 0..80 {
        deliver_all(&mut cubic, &mut window, round * 100);
    }
    let mut twin = cubic.clone();
    let before = window;
    cubic.threshold_after_loss(&window, window.cwnd);
    cubic.enter(Phase::Recovery, &mut window, 10);
    cubic.threshold_after_loss(&window, window.cwnd);
    cubic.enter(Phase::Loss, &mut window, 10);
    window = before;
    cubic.undone(&mut window);
    cubic.enter(Phase::Open, &mut window, 10);
    let mut twins_window = before;
    for round in 80..120 {
        deliver_all(&mut cubic, &mut window, round * 100);
        deliver_all(&mut twin, &mut twins_window, round * 100);
        assert_eq!(window, twins_window);
    }
}

#[test]
fn cubic_fills_long_fat_paths() {
    for (rate, rtt, queue) in [(1000, 100, 50), (5000, 100, 250), (4000, 200, 400)] {
        let mut network = Network::new(Path::new(rate, rtt, queue), vec![Flow::new(Cubic::new(true))]);
        network.run(Duration::from_secs(30));
        let utilisation = network.utilisation(Duration::from_secs(60));
        assert!(utilisation >= 95, "{rate}/s, {rtt} ms: {utilisation} %");
    }
}

#[test]
fn random_loss_hurts_it_less_than_reno() {
    let path = Path { loss: Probability::from_parts_per_billion(100_000), ..Path::new(4000, 200, 400) };
    let share = |flow: Flow| {
        let mut network = Network::new(path, vec![flow]);
        network.run(Duration::from_secs(20));
        network.utilisation(Duration::from_secs(60))
    };
    let (cubic, reno) = (share(Flow::new(Cubic::new(true))), share(Flow::new(Reno::default())));
    assert!(cubic > reno * 3 / 2, "{cubic} % and {reno} %");
}

#[test]
fn two_cubics_share_alike_also_when_one_comes_late() {
    let mut late = Flow::new(Cubic::new(true));
    late.supply = Some(0);
    let mut network = Network::new(Path::new(2000, 50, 100), vec![Flow::new(Cubic::new(true)), late]);
    network.run(Duration::from_secs(20));
    network.flows[1].supply = None;
    network.run(Duration::from_secs(60));
    let shares = network.measure(Duration::from_secs(120));
    assert!(fairness(&shares) >= 95, "{shares:?}");
}

#[test]
fn beside_reno_on_a_short_path_it_takes_about_its_share() {
    // RFC 9438 §4.3 promises fairness where Reno does well: 10 ms, and a window of some dozens.
    let flows = vec![Flow::new(Cubic::new(true)), Flow::new(Reno::default())];
    let mut network = Network::new(Path::new(2000, 10, 40), flows);
    network.run(Duration::from_secs(20));
    let shares = network.measure(Duration::from_secs(120));
    assert!(fairness(&shares) >= 90, "{shares:?}");
}

#[derive(Clone, Debug)]
enum Step {
    Acknowledge { after: u64, delivered: u32, rtt: u64 },
    Lose(u32),
    Enter(Phase),
    Undo,
    Rest(u64),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let any_size = prop_oneof![0_u32..100, any::<u32>()];
    let any_time = prop_oneof![0_u64..2_000_000_000, any::<u64>()];
    let step = prop_oneof![
        6 => (any_time.clone(), any_size.clone(), any_time.clone())
            .prop_map(|(after, delivered, rtt)| Step::Acknowledge { after, delivered, rtt }),
        2 => any_size.prop_map(Step::Lose),
        1 => prop_oneof![Just(Phase::Open), Just(Phase::Recovery), Just(Phase::Loss)].prop_map(Step::Enter),
        1 => Just(Step::Undo),
        1 => any_time.prop_map(Step::Rest),
    ];
    proptest::collection::vec(step, 0..60)
}

proptest! {
    /// Whatever happens, at whatever time: no window of nothing, no growth beyond what was delivered, no overflow.
    #[test]
    fn no_window_is_ever_nothing_and_nothing_overflows(cwnd in 1_u32..=u32::MAX, hystart: bool, steps in steps()) {
        let algorithms: [Box<dyn CongestionControl>; 2] = [Box::new(Cubic::new(hystart)), Box::new(Reno::new(hystart))];
        for mut algorithm in algorithms {
            let mut window = Window { cwnd, ssthresh: u32::MAX };
            let mut now = Instant::ZERO;
            let mut positions = 0_u64;
            for step in &steps {
                let before = window.cwnd;
                match *step {
                    Step::Acknowledge { after, delivered, rtt } => {
                        now += Duration::from_nanos(after);
                        positions += u64::from(delivered);
                        let rtt = Some(Duration::from_nanos(rtt));
                        algorithm.acknowledged(&mut window, &Acknowledged {
                            now, delivered, rtt, min_rtt: rtt, srtt: rtt, snd_una: positions,
                            snd_nxt: positions + u64::from(before), ..Acknowledged::default()
                        });
                        prop_assert!(window.cwnd >= before);
                        prop_assert!(window.cwnd - before <= delivered.saturating_add(1));
                    }
                    Step::Lose(in_flight) => {
                        let ssthresh = algorithm.threshold_after_loss(&window, in_flight);
                        prop_assert!(ssthresh >= 2);
                        window = Window { cwnd: ssthresh.min(before.max(2)), ssthresh };
                    }
                    Step::Enter(phase) => algorithm.enter(phase, &mut window, before),
                    Step::Undo => algorithm.undone(&mut window),
                    Step::Rest(nanos) => algorithm.restarted(now, Duration::from_nanos(nanos)),
                }
                prop_assert!(window.cwnd >= 1 && window.ssthresh >= 2);
            }
        }
    }
}
