//! Initial sequence numbers that nobody outside can guess (RFC 6528).
//!
//! `ISN = M + F(local, remote, secret)`: a clock of 4 µs ticks, so that numbers of one pair of ends keep growing, plus a
//! keyed hash of the ends, so that one connection's number says nothing of another's (RFC 9293 MUST-8, MUST-9).

use std::hash::Hasher;
use std::net::IpAddr;
use std::time::Duration;

use siphasher::sip::SipHasher24;

use super::segment::Ends;
use crate::packet::SeqNum;
use crate::rng::Rng;
use crate::time::Instant;

/// One tick of the clock in RFC 9293 §3.4.1.
const TICK: Duration = Duration::from_micros(4);

/// The secret of one host.
#[derive(Clone, Debug)]
pub(crate) struct Secret(u64, u64);

impl Secret {
    /// Draws a secret.
    pub(crate) fn draw(rng: &mut Rng) -> Secret {
        Secret(rng.next_u64(), rng.next_u64())
    }

    /// The initial sequence number of a connection that begins now.
    pub(crate) fn initial_sequence_number(&self, now: Instant, ends: &Ends) -> SeqNum {
        let ticks = now.as_nanos() / TICK.as_nanos() as u64;
        SeqNum((self.hash(ends, 0) as u32).wrapping_add(ticks as u32))
    }

    /// Where the connection's timestamp clock begins (RFC 7323 §5.4): as hard to guess, and the same for the same ends, so
    /// that PAWS works from one connection to the next.
    pub(crate) fn timestamp_offset(&self, ends: &Ends) -> u32 {
        self.hash(ends, 1) as u32
    }

    /// The two parts of a SYN cookie that nobody can guess: of the ends alone, and of the ends at a count of time.
    pub(crate) fn cookie(&self, ends: &Ends, count: Option<u32>) -> u32 {
        match count {
            None => self.hash(ends, 2) as u32,
            Some(count) => {
                let mut hasher = self.hasher(ends);
                hasher.write(&[3]);
                hasher.write(&count.to_be_bytes());
                hasher.finish() as u32
            }
        }
    }

    fn hash(&self, ends: &Ends, purpose: u8) -> u64 {
        let mut hasher = self.hasher(ends);
        hasher.write(&[purpose]);
        hasher.finish()
    }

    fn hasher(&self, ends: &Ends) -> SipHasher24 {
        let mut hasher = SipHasher24::new_with_keys(self.0, self.1);
        // Octet by octet: what `SocketAddr` itself feeds a hasher is not promised to stay the same, captures are.
        for end in [ends.local, ends.remote] {
            match end.ip() {
                IpAddr::V4(address) => hasher.write(&address.octets()),
                IpAddr::V6(address) => hasher.write(&address.octets()),
            }
            hasher.write(&end.port().to_be_bytes());
        }
        hasher
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::SocketAddr;

    fn ends(port: u16) -> Ends {
        Ends { local: SocketAddr::from(([10, 0, 0, 1], 80)), remote: SocketAddr::from(([10, 0, 0, 2], port)) }
    }

    #[test]
    fn the_number_of_one_pair_of_ends_grows_by_one_each_four_microseconds() {
        let secret = Secret::draw(&mut Rng::new(1));
        let first = secret.initial_sequence_number(Instant::ZERO, &ends(1));
        let later = secret.initial_sequence_number(Instant::ZERO + Duration::from_millis(1), &ends(1));
        assert_eq!(later.offset_from(first), 250);
    }

    #[test]
    fn other_ends_and_other_secrets_give_unrelated_numbers() {
        let (one, two) = (Secret::draw(&mut Rng::new(1)), Secret::draw(&mut Rng::new(2)));
        let numbers = [
            one.initial_sequence_number(Instant::ZERO, &ends(1)),
            one.initial_sequence_number(Instant::ZERO, &ends(2)),
            two.initial_sequence_number(Instant::ZERO, &ends(1)),
        ];
        let far = |a: SeqNum, b: SeqNum| a.offset_from(b).min(b.offset_from(a)) > 1_000_000;
        assert!(far(numbers[0], numbers[1]) && far(numbers[0], numbers[2]), "{numbers:?}");
    }
}
