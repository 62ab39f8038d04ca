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
        bytes.iter().for_each(|byte| self.write_u32(u32::from(*byte)));
    }

    fn write_u32(&mut self, number: u32) {
        // 2^64 divided by the golden ratio, which is odd: no two numbers share their low bits longer than they must.
        self.0 = (self.0 ^ u64::from(number)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    }
}
