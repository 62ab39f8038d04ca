//! When an event is due, and whether something that happened was on time.
//!
//! Times are the script's: from its start, or from the previous event. A deviation is forgiven up to a tolerance: 4 ms, or
//! an eighth of the time since the previous event, whichever is more (an eighth is what Linux's timer wheel may be off).

use std::fmt;
use std::time::Duration;

use crate::drill::language::script::At;
use crate::time::Instant;

/// When an event is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Due {
    /// Whenever.
    Any,
    /// At this moment.
    At(Instant),
    /// Between these, both included.
    Between(Instant, Instant),
}

impl Due {
    /// What `at` means. `base` is what relative times count from.
    pub fn of(at: At, base: Instant) -> Due {
        match at {
            At::Any => Due::Any,
            At::Start => Due::At(base),
            At::Absolute(time) => Due::At(Instant::ZERO + time),
            At::Relative(span) => Due::At(base + span),
            At::AbsoluteRange(from, to) => Due::Between(Instant::ZERO + from, Instant::ZERO + to),
            At::RelativeRange(from, to) => Due::Between(base + from, base + to),
        }
    }

    /// The earliest moment that is right; `now` when any is.
    pub fn earliest(self, now: Instant) -> Instant {
        match self {
            Due::Any => now,
            Due::At(at) | Due::Between(at, _) => at,
        }
    }

    /// The latest moment that is right without tolerance; `None` when any is.
    pub fn latest(self) -> Option<Instant> {
        match self {
            Due::Any => None,
            Due::At(at) | Due::Between(_, at) => Some(at),
        }
    }

    /// Whether `actual` is right, or off by no more than `tolerance`.
    pub fn is_met(self, actual: Instant, tolerance: Duration) -> bool {
        let (from, to) = match self {
            Due::Any => return true,
            Due::At(at) => (at, at),
            Due::Between(from, to) => (from, to),
        };
        // Both differences are zero where the other side is the greater one.
        from.since(actual) <= tolerance && actual.since(to) <= tolerance
    }
}

/// `at 0.200000`, `between 0.100000 and 0.200000`, `at any time`
impl fmt::Display for Due {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Due::Any => f.write_str("at any time"),
            Due::At(at) => write!(f, "at {at}"),
            Due::Between(from, to) => write!(f, "between {from} and {to}"),
        }
    }
}

/// How much a deviation is forgiven.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tolerance {
    /// At least so much.
    pub least: Duration,
    /// So many millionths of the time since the previous event.
    pub millionths: u32,
}

impl Default for Tolerance {
    /// 4 ms, 12.5 %.
    fn default() -> Tolerance {
        Tolerance { least: Duration::from_millis(4), millionths: 125_000 }
    }
}

impl Tolerance {
    /// What is forgiven an event due at `due`, so long after the previous one at `previous`.
    pub fn after(self, previous: Option<Instant>, due: Instant) -> Duration {
        let Some(previous) = previous else { return self.least };
        let share = due.since(previous).as_nanos() * u128::from(self.millionths) / 1_000_000;
        self.least.max(Duration::from_nanos(u64::try_from(share).unwrap_or(u64::MAX)))
    }
}

/// A percentage in millionths: `12.5` is 125,000. `None`: no number from 0 to 100, or finer than can be said.
pub fn percentage(text: &str) -> Option<u32> {
    let (whole, part) = text.split_once('.').unwrap_or((text, ""));
    if part.len() > 4 || !part.bytes().all(|digit| digit.is_ascii_digit()) {
        return None;
    }
    let whole: u32 = whole.parse().ok()?;
    let part: u32 = format!("{part:0<4}").parse().ok()?;
    let millionths = whole.checked_mul(10_000)?.checked_add(part)?;
    (millionths <= 1_000_000).then_some(millionths)
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn ms(millis: u64) -> Instant {
        Instant::from_nanos(millis * 1_000_000)
    }

    const MS: fn(u64) -> Duration = Duration::from_millis;

    #[test]
    fn relative_times_count_from_their_base_and_absolute_ones_from_the_start() {
        for (at, due) in [
            (At::Absolute(MS(5)), Due::At(ms(5))),
            (At::Relative(MS(5)), Due::At(ms(105))),
            (At::AbsoluteRange(MS(1), MS(2)), Due::Between(ms(1), ms(2))),
            (At::RelativeRange(MS(1), MS(2)), Due::Between(ms(101), ms(102))),
            (At::Any, Due::Any),
            (At::Start, Due::At(ms(100))),
        ] {
            assert_eq!(Due::of(at, ms(100)), due, "{at:?}");
        }
    }

    #[test]
    fn a_moment_and_a_range_are_met_within_the_tolerance_on_both_sides() {
        let within = MS(4);
        for (due, actual, is_met) in [
            (Due::At(ms(100)), 96, true),
            (Due::At(ms(100)), 95, false),
            (Due::At(ms(100)), 104, true),
            (Due::At(ms(100)), 105, false),
            (Due::Between(ms(100), ms(200)), 96, true),
            (Due::Between(ms(100), ms(200)), 150, true),
            (Due::Between(ms(100), ms(200)), 204, true),
            (Due::Between(ms(100), ms(200)), 205, false),
            (Due::Between(ms(100), ms(200)), 95, false),
            (Due::Any, 7, true),
        ] {
            assert_eq!(due.is_met(ms(actual), within), is_met, "{due} {actual}");
        }
    }

    #[test]
    fn long_waits_are_forgiven_an_eighth() {
        let tolerance = Tolerance::default();
        assert_eq!(tolerance.after(None, ms(1000)), MS(4));
        assert_eq!(tolerance.after(Some(ms(0)), ms(32)), MS(4));
        assert_eq!(tolerance.after(Some(ms(200)), ms(1000)), MS(100));
        assert_eq!(tolerance.after(Some(ms(1000)), ms(200)), MS(4), "due before the previous event");
    }

    #[test]
    fn a_percentage_is_read_without_rounding() {
        for (text, millionths) in [
            ("12.5", Some(125_000)),
            ("0", Some(0)),
            ("100", Some(1_000_000)),
            ("0.0001", Some(1)),
            ("100.0001", None),
            ("-1", None),
            ("1.00001", None),
            ("1.-5", None),
            ("", None),
        ] {
            assert_eq!(percentage(text), millionths, "{text}");
        }
    }
}
