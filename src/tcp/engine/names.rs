//! Tables by socket.
//!
//! Sockets are numbered by the host itself, one after the other: nobody outside chooses a name, so that no attacker can make
//! names collide, and a multiplication spreads them well enough. Tables whose keys come from the wire keep a secret hash.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};

use crate::journal::SocketId;

/// A table by socket.
pub(super) type BySocket<T> = HashMap<SocketId, T, BuildHasherDefault<Spread>>;

/// Spreads consecutive numbers over all bits (Fibonacci hashing).
#[derive(Debug, Default)]
pub(super) struct Spread(u64);

impl Hasher for Spread {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        bytes.iter().for_each(|byte| self.write_u64(u64::from(*byte)));
    }

    fn write_u64(&mut self, number: u64) {
        // 2^64 divided by the golden ratio, which is odd: no two numbers share their low bits longer than they must.
        self.0 = (self.0 ^ number).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    }
}

#[cfg(test)]
mod tests {
    use super::super::Engine;
    use super::*;

    #[test]
    fn names_go_on_beyond_32_bits() {
        let mut engine = Engine::new(1, 1500);
        engine.last_id = u32::MAX.into();
        assert_eq!(engine.new_id(), SocketId(1 << 32));
    }

    #[test]
    fn all_bits_of_a_name_are_spread() {
        let spread = |number: u64| {
            let mut hasher = Spread::default();
            hasher.write_u64(number);
            hasher.finish()
        };
        assert_ne!(spread(1), spread(1 + (1 << 32)));
        assert_ne!(spread(1) >> 57, spread(2) >> 57, "tables look at the highest bits first");
    }
}
