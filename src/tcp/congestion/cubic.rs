//! CUBIC (RFC 9438): the window follows a cubic curve of the time since it was last reduced.
//!
//! ```text
//!   cwnd                                       .
//!    │                                        .   convex: looking for more
//!  W_max ─ ─ ─ ─ ─ ─ ─ . . . . ─ ─ ─ ─ ─ ─ . ─
//!    │            .                     ▲
//!    │        .      concave: back to   │
//!    │     .         where it was lost  │
//!    │   .                              │
//!    └──┴───────────────────────────────┴──────► t
//!     0.7 W_max                         K
//! ```
//!
//! The arithmetic is Linux's: time in 1/1024 s, the factors β and C in 1024ths, and instead of a target window the number
//! of deliveries for which the window grows by one segment, reckoned anew when the window has moved or 1/32 s has passed.
//! So the same acknowledgments give the same windows as there, segment by segment. No float takes part.

use std::time::Duration;

use super::hystart::HyStart;
use super::{Acknowledged, CongestionControl, Phase, SegmentSize, Window};
use crate::time::Instant;

/// The least threshold (RFC 9438 §4.6).
const LEAST: u32 = 2;
/// β_cubic in 1024ths: 0.7 (RFC 9438 §4.6).
const BETA: u64 = 717;
/// C in 1024ths: 0.4 segments each cubic second (RFC 9438 §5).
const C: u64 = 410;
/// Units of time in a second.
const TICKS: u32 = 1024;
/// K³ for each segment between the window and W_max: 1 / C, in cubic ticks (RFC 9438 §4.2, figure 2).
const CUBE_FACTOR: u64 = (1 << 40) / C;
/// Deliveries for each segment that Reno's estimate grows, in eighths of the window: 1 / α_cubic, where α_cubic is
/// 3 (1 - β) / (1 + β) (RFC 9438 §4.3).
const RENO_SHARE: u64 = 8 * (1024 + BETA) / 3 / (1024 - BETA);
/// As long as the window stands still, the curve is looked at no more often than this.
const LOOK_AGAIN: Duration = Duration::from_nanos(1_000_000_000 / 32);
/// Where no W_max is known the window grows by one for so many deliveries at least: 5 % each round trip (as Linux).
const WITHOUT_MAXIMUM: u32 = 20;
/// The window grows by one for every second delivery at most, 1.5-fold each round trip (RFC 9438 §4.4).
const FASTEST: u32 = 2;

/// CUBIC.
#[derive(Clone, Debug)]
pub struct Cubic {
    slow_start: HyStart,
    curve: Curve,
    /// The window when the threshold was last set (RFC 9438 §4.1: cwnd_prior).
    cwnd_prior: u32,
    phase: Phase,
    /// All of it before the last reduction, to be taken back (RFC 9438 §4.9).
    before: Option<(Curve, u32)>,
}

/// The curve, and where the connection stands on it.
#[derive(Clone, Copy, Debug, Default)]
struct Curve {
    /// W_max, the window at the last loss; 0 when none is known.
    w_max: u32,
    /// The current stage of congestion avoidance; `None` before its first acknowledgment.
    epoch: Option<Epoch>,
    /// Deliveries that are not yet reckoned into the window.
    counted: u32,
}

/// A stage of congestion avoidance: between two reductions.
#[derive(Clone, Copy, Debug)]
struct Epoch {
    /// t_epoch: when it began.
    began: Instant,
    /// K: ticks until the curve is back at `origin`.
    k: u64,
    /// The height of the curve's plateau.
    origin: u32,
    /// W_est: the window that Reno would have.
    w_est: u32,
    /// Deliveries that are not yet reckoned into `w_est`.
    counted: u64,
    /// When the curve was last looked at, and the window of that time.
    looked: (Instant, u32),
    /// Deliveries for which the window grows by one.
    each: u32,
}

impl Cubic {
    /// CUBIC at the beginning of a connection; with `hystart`, HyStart++ ends slow start.
    pub fn new(hystart: bool) -> Cubic {
        Cubic {
            slow_start: HyStart::new(hystart),
            curve: Curve::default(),
            cwnd_prior: 0,
            phase: Phase::Open,
            before: None,
        }
    }
}

impl CongestionControl for Cubic {
    fn name(&self) -> &'static str {
        "cubic"
    }

    fn acknowledged(&mut self, window: &mut Window, acknowledged: &Acknowledged) {
        let mut delivered = acknowledged.delivered;
        if window.in_slow_start() {
            delivered = self.slow_start.acknowledged(window, acknowledged);
        }
        if delivered == 0 {
            return;
        }
        let each = self.curve.look(window.cwnd, delivered, acknowledged, self.cwnd_prior);
        self.curve.grow(window, delivered, each);
    }

    fn threshold_after_loss(&mut self, window: &Window, _: u32) -> u32 {
        if self.phase == Phase::Open {
            self.before = Some((self.curve, self.cwnd_prior));
        }
        let cwnd = window.cwnd;
        // Fast convergence (RFC 9438 §4.7): losing below the last maximum means that others came, and room is made.
        let gives_way = cwnd < self.curve.w_max;
        let w_max = if gives_way { scaled(cwnd, 1024 + BETA) / 2 } else { cwnd };
        self.curve = Curve { w_max, epoch: None, counted: 0 };
        self.cwnd_prior = cwnd;
        self.forget_after_time_out();
        scaled(cwnd, BETA).max(LEAST)
    }

    fn enter(&mut self, phase: Phase, _: &mut Window, _: u32) {
        if phase == Phase::Loss && self.phase == Phase::Open && self.before.is_none() {
            self.before = Some((self.curve, self.cwnd_prior));
        }
        self.phase = phase;
        self.forget_after_time_out();
    }

    fn resized(&mut self, size: &SegmentSize) {
        // The curve begins anew where the window stands: C counts segments, so K is another one, too.
        let scaled = |curve: Curve| Curve { w_max: size.scaled(curve.w_max), epoch: None, counted: 0 };
        self.curve = scaled(self.curve);
        self.cwnd_prior = size.scaled(self.cwnd_prior);
        self.before = self.before.map(|(curve, cwnd_prior)| (scaled(curve), size.scaled(cwnd_prior)));
    }

    fn undone(&mut self, _: &mut Window) {
        if let Some((curve, cwnd_prior)) = self.before.take() {
            self.curve = curve;
            self.cwnd_prior = cwnd_prior;
        }
    }

    fn restarted(&mut self, now: Instant, idle: Duration) {
        // An idle time brings nobody nearer to the end of the curve (RFC 9438 §5.8): the epoch begins so much later.
        if let Some(epoch) = &mut self.curve.epoch {
            epoch.began = (epoch.began + idle).min(now);
        }
    }
}

impl Cubic {
    /// After a time-out the first stage of congestion avoidance begins at its own plateau: K is 0 and W_max the window of
    /// then (RFC 9438 §4.8).
    fn forget_after_time_out(&mut self) {
        if self.phase == Phase::Loss {
            self.curve = Curve::default();
        }
    }
}

impl Curve {
    /// Deliveries for which the window grows by one segment now.
    fn look(&mut self, cwnd: u32, delivered: u32, acknowledged: &Acknowledged, cwnd_prior: u32) -> u32 {
        let now = acknowledged.now;
        let w_max = self.w_max;
        let epoch = match &mut self.epoch {
            Some(epoch) => {
                epoch.counted += u64::from(delivered);
                if epoch.looked.1 == cwnd && now - epoch.looked.0 <= LOOK_AGAIN {
                    return epoch.each;
                }
                epoch
            }
            none => none.insert(Epoch::begin(now, cwnd, w_max, delivered)),
        };
        epoch.looked = (now, cwnd);
        let target = epoch.w_cubic(now + acknowledged.min_rtt.unwrap_or_default());
        let mut each = match target.checked_sub(u64::from(cwnd)) {
            Some(missing @ 1..) => u32::try_from(u64::from(cwnd) / missing).unwrap_or(u32::MAX),
            Some(0) | None => cwnd.saturating_mul(100),
        };
        if w_max == 0 {
            each = each.min(WITHOUT_MAXIMUM);
        }
        epoch.count_as_reno(cwnd, cwnd_prior);
        if let Some(ahead @ 1..) = epoch.w_est.checked_sub(cwnd) {
            // Reno-friendly region (RFC 9438 §4.3): not slower than Reno would be.
            each = each.min(cwnd / ahead);
        }
        epoch.each = each.max(FASTEST);
        epoch.each
    }

    /// One segment for `each` deliveries. What was counted while growth was slower is worth one segment at most.
    fn grow(&mut self, window: &mut Window, delivered: u32, each: u32) {
        if self.counted >= each {
            self.counted = 0;
            window.cwnd = window.cwnd.saturating_add(1);
        }
        self.counted = self.counted.saturating_add(delivered);
        window.cwnd = window.cwnd.saturating_add(self.counted / each);
        self.counted %= each;
    }
}

impl Epoch {
    fn begin(now: Instant, cwnd: u32, w_max: u32, delivered: u32) -> Epoch {
        let below = w_max.saturating_sub(cwnd);
        Epoch {
            began: now,
            k: cube_root(CUBE_FACTOR.saturating_mul(below.into())),
            origin: w_max.max(cwnd),
            w_est: cwnd,
            counted: delivered.into(),
            looked: (now, cwnd),
            each: u32::MAX,
        }
    }

    /// W_cubic at `then`: C (t - K)³ + W_max (RFC 9438 §4.2, figure 1).
    fn w_cubic(&self, then: Instant) -> u64 {
        let ticks = (then - self.began).as_nanos() * u128::from(TICKS) / 1_000_000_000;
        let k = u128::from(self.k);
        // Two million ticks, half an hour, from the plateau every window is beyond any network's.
        let distance = ticks.abs_diff(k).min(1 << 21);
        let height = (u128::from(C) * distance.pow(3)) >> 40;
        let origin = u64::from(self.origin);
        let height = u64::try_from(height).unwrap_or(u64::MAX);
        if ticks < k { origin.saturating_sub(height) } else { origin.saturating_add(height) }
    }

    /// Grows W_est by α_cubic segments each window of deliveries, and by one once it is where the last reduction began
    /// (RFC 9438 §4.3).
    fn count_as_reno(&mut self, cwnd: u32, cwnd_prior: u32) {
        let cwnd = u64::from(cwnd);
        let share = if self.w_est < cwnd_prior { (cwnd * RENO_SHARE) >> 3 } else { cwnd }.max(1);
        let grown = self.counted.saturating_sub(1) / share;
        self.counted -= grown * share;
        self.w_est = self.w_est.saturating_add(u32::try_from(grown).unwrap_or(u32::MAX));
    }
}

/// `window` times `factor` 1024ths.
fn scaled(window: u32, factor: u64) -> u32 {
    u32::try_from(u64::from(window) * factor / 1024).unwrap_or(u32::MAX)
}

/// The greatest number whose cube is not above `cube`.
fn cube_root(cube: u64) -> u64 {
    // Digit by digit, from the highest: 64 bits have roots of 22.
    (0..22).rev().fold(0_u64, |root, bit| {
        let tried = root | 1 << bit;
        if u128::from(tried).pow(3) <= u128::from(cube) { tried } else { root }
    })
}
