//! Chance: what is drawn for each packet.
//!
//! Each kind of impairment has a generator of its own, and every packet offered draws from all of them before anything
//! is decided. So the same packets are lost whether or not the link also duplicates some, and a rule that drops one
//! packet does not change the luck of the next.

use std::time::Duration;

use super::config::PipeConfig;
use crate::rng::Rng;

/// The generators of one pipe.
pub(super) struct Chance {
    loss: Rng,
    duplicate: Rng,
    corrupt: Rng,
    bit: Rng,
    reorder: Rng,
    jitter: Rng,
}

/// What chance has in store for one packet.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Luck {
    pub(super) lost: bool,
    pub(super) duplicated: bool,
    pub(super) corrupted: bool,
    /// Which bit is flipped if one is, by chance or by rule: a number to be scaled to the packet.
    pub(super) bit: u64,
    pub(super) held: bool,
    pub(super) jitter: Duration,
}

impl Chance {
    pub(super) fn new(mut rng: Rng) -> Chance {
        let seed = rng.next_u64();
        Chance {
            loss: Rng::derive(seed, "loss"),
            duplicate: Rng::derive(seed, "duplicate"),
            corrupt: Rng::derive(seed, "corrupt"),
            bit: Rng::derive(seed, "bit"),
            reorder: Rng::derive(seed, "reorder"),
            jitter: Rng::derive(seed, "jitter"),
        }
    }

    pub(super) fn draw(&mut self, config: &PipeConfig) -> Luck {
        let span = u64::try_from(config.jitter.as_nanos()).unwrap_or(u64::MAX);
        Luck {
            lost: self.loss.chance(config.loss),
            duplicated: self.duplicate.chance(config.duplicate),
            corrupted: self.corrupt.chance(config.corrupt),
            bit: self.bit.next_u64(),
            held: self.reorder.chance(config.reorder),
            jitter: Duration::from_nanos(self.jitter.below(span.saturating_add(1))),
        }
    }
}
