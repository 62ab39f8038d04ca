//! The one generator of chance.
//!
//! Everything random in a run (loss, reordering, initial sequence numbers, test data) comes from generators derived from
//! the run's single seed. The algorithm is SplitMix64 (Steele, Lea and Flood, OOPSLA 2014), written out here because the
//! captures in the repository depend on its exact output for ever: a library is free to change its stream, we are not.
//! It is fast and well distributed, and it is not for secrets.

/// A seeded generator; the same seed gives the same numbers on every machine.
#[derive(Clone, Debug)]
pub struct Rng {
    state: u64,
}

/// Odds in parts per billion, so that no float decides whether a packet is lost.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Probability(u32);

impl Probability {
    /// It never happens.
    pub const NEVER: Probability = Probability(0);
    /// It always happens.
    pub const ALWAYS: Probability = Probability(1_000_000_000);

    /// `parts` in a billion; more than a billion counts as always.
    pub const fn from_parts_per_billion(parts: u32) -> Probability {
        if parts > Self::ALWAYS.0 { Self::ALWAYS } else { Probability(parts) }
    }

    /// `percent` per hundred; more than 100 counts as always.
    pub const fn from_percent(percent: u32) -> Probability {
        Self::from_parts_per_billion(percent.saturating_mul(10_000_000))
    }

    /// Parts per billion, 0 to 1,000,000,000.
    pub const fn parts_per_billion(self) -> u32 {
        self.0
    }
}

impl Rng {
    /// The generator of `seed`.
    pub const fn new(seed: u64) -> Rng {
        Rng { state: seed }
    }

    /// A generator of its own for the part of the run called `label`.
    ///
    /// Parts draw from separate streams, so that a packet more on one link does not change what happens on another.
    pub fn derive(seed: u64, label: &str) -> Rng {
        // FNV-1a folds the label into the seed; one step of SplitMix64 then spreads it.
        let hash = label
            .bytes()
            .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3));
        let mut rng = Rng::new(seed ^ hash);
        Rng::new(rng.next_u64())
    }

    /// The next 64 random bits.
    pub fn next_u64(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.state;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// The next 32 random bits.
    pub fn next_u32(&mut self) -> u32 {
        (self.next_u64() >> 32) as u32
    }

    /// A number in `0..bound`; 0 when `bound` is 0.
    pub fn below(&mut self, bound: u64) -> u64 {
        // Multiply-shift (Lemire 2019): its bias is below 2^-32 for the bounds used here.
        ((u128::from(self.next_u64()) * u128::from(bound)) >> 64) as u64
    }

    /// Whether an event of this probability happens now. Draws nothing for odds of never, so that a link without loss
    /// keeps the stream of its other impairments.
    pub fn chance(&mut self, odds: Probability) -> bool {
        odds > Probability::NEVER && self.below(1_000_000_000) < u64::from(odds.0)
    }

    /// Fills `bytes` with random data.
    pub fn fill(&mut self, bytes: &mut [u8]) {
        for chunk in bytes.chunks_mut(8) {
            let word = self.next_u64().to_le_bytes();
            chunk.copy_from_slice(&word[..chunk.len()]);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_stream_of_a_seed_never_changes() {
        // The reference output of SplitMix64 for seed 1234567, as published with the algorithm.
        let mut rng = Rng::new(1_234_567);
        assert_eq!(rng.next_u64(), 6_457_827_717_110_365_317);
        assert_eq!(rng.next_u64(), 3_203_168_211_198_807_973);
    }

    #[test]
    fn labels_give_streams_of_their_own() {
        assert_ne!(Rng::derive(1, "link-0").next_u64(), Rng::derive(1, "link-1").next_u64());
    }

    #[test]
    fn a_tenth_happens_about_a_tenth_of_the_time() {
        let mut rng = Rng::new(1);
        let hits = (0..100_000).filter(|_| rng.chance(Probability::from_percent(10))).count();
        assert!((9_700..10_300).contains(&hits), "{hits}");
    }

    #[test]
    fn never_and_always_are_exact() {
        let mut rng = Rng::new(1);
        assert!((0..1000).all(|_| rng.chance(Probability::ALWAYS) && !rng.chance(Probability::NEVER)));
    }
}
