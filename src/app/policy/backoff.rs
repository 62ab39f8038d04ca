//! How long to wait before the next try.
//!
//! The pause doubles with each try, up to a most. Jitter draws it from a range, so that callers who failed together do not
//! come again together:
//!
//! ```text
//!   none   │                d      each waits exactly d
//!   equal  │        d/2 ▒▒▒▒d      at least half of it
//!   full   │0▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒d      anything up to d
//! ```

use std::time::Duration;

use serde::Deserialize;

use crate::rng::Rng;

/// From which range a pause is drawn.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(in crate::app) enum Jitter {
    /// It is not drawn.
    #[default]
    None,
    /// From its half to the whole.
    Equal,
    /// From nothing to the whole.
    Full,
}

/// Pauses that double.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Backoff {
    /// The first pause, before anything is drawn.
    pub(super) first: Duration,
    /// The longest.
    pub(super) most: Duration,
    /// The range.
    pub(super) jitter: Jitter,
}

impl Backoff {
    /// The pause before retry number `retry`, from 1. Draws nothing where there is no jitter.
    pub(super) fn pause(&self, retry: u32, rng: &mut Rng) -> Duration {
        let doubled = 2_u32.checked_pow(retry.saturating_sub(1)).and_then(|factor| self.first.checked_mul(factor));
        let whole = nanos(doubled.unwrap_or(Duration::MAX).min(self.most));
        let mut up_to = |most: u64| rng.below(most.saturating_add(1));
        Duration::from_nanos(match self.jitter {
            Jitter::None => whole,
            Jitter::Equal => whole - whole / 2 + up_to(whole / 2),
            Jitter::Full => up_to(whole),
        })
    }
}

fn nanos(span: Duration) -> u64 {
    u64::try_from(span.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    fn pauses(jitter: Jitter, seed: u64) -> Vec<Duration> {
        let backoff = Backoff { first: 100 * MS, most: 1000 * MS, jitter };
        let mut rng = Rng::new(seed);
        (1..=6).map(|retry| backoff.pause(retry, &mut rng)).collect()
    }

    #[test]
    fn pauses_double_until_they_are_the_longest() {
        assert_eq!(pauses(Jitter::None, 1), [100, 200, 400, 800, 1000, 1000].map(|count| count * MS));
    }

    #[test]
    fn jitter_draws_from_its_range_and_differs_with_the_seed() {
        let whole = pauses(Jitter::None, 1);
        for seed in 0..1000 {
            for (drawn, whole) in pauses(Jitter::Full, seed).iter().zip(&whole) {
                assert!(drawn <= whole, "{drawn:?} of {whole:?}");
            }
            for (drawn, whole) in pauses(Jitter::Equal, seed).iter().zip(&whole) {
                assert!((*whole / 2..=*whole).contains(drawn), "{drawn:?} of {whole:?}");
            }
        }
        assert_ne!(pauses(Jitter::Full, 1), pauses(Jitter::Full, 2));
        assert_eq!(pauses(Jitter::Full, 1), pauses(Jitter::Full, 1));
    }

    #[test]
    fn the_thousandth_retry_overflows_nothing() {
        let backoff = Backoff { first: Duration::MAX, most: Duration::MAX, jitter: Jitter::Equal };
        assert!(backoff.pause(u32::MAX, &mut Rng::new(1)) >= Duration::from_nanos(u64::MAX / 2));
        assert_eq!(Backoff { first: Duration::ZERO, ..backoff }.pause(1000, &mut Rng::new(1)).as_nanos() >> 63, 1);
    }
}
