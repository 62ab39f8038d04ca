//! The clock that packetdrill sees: microseconds, from a day that is not the first.

use wireglass::time::Instant;

/// packetdrill takes 0 for "no time"; this is a morning in September 2001.
const BEGINNING: i64 = 1_000_000_000 * 1_000_000;

/// A moment of the run, as `gettimeofday` would tell it.
pub(crate) fn micros(moment: Instant) -> i64 {
    BEGINNING.saturating_add(i64::try_from(moment.as_nanos() / 1_000).unwrap_or(i64::MAX))
}
