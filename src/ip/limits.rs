//! How much a host keeps, how long it waits, and how often it complains.
//!
//! Everything that a packet from the wire can make grow is bounded by a number in this file. The rate of ICMP errors is
//! bounded by a [`TokenBucket`], in whole numbers: no float decides anything.

use std::time::Duration;

use crate::time::Instant;

/// Octets of an IPv4 header without options (RFC 791 §3.1).
pub(super) const IPV4_HEADER: usize = 20;
/// Octets of an IPv6 base header (RFC 8200 §3).
pub(super) const IPV6_HEADER: usize = 40;
/// Octets of an IPv6 fragment header (RFC 8200 §4.5).
pub(super) const FRAGMENT_HEADER: usize = 8;
/// The greatest number that an IPv4 total length or an IPv6 payload length holds.
pub(super) const LONGEST: usize = 65_535;
/// Every IPv4 link takes this many octets (RFC 791 §3.2), and no path is thought narrower (RFC 1191 §3).
pub(super) const LEAST_IPV4_MTU: usize = 68;
/// Every IPv6 link takes this many octets (RFC 8200 §5).
pub(super) const LEAST_IPV6_MTU: usize = 1280;
/// An IPv4 error is no longer than this, so that it arrives whole (RFC 1812 §4.3.2.3).
pub(super) const LONGEST_IPV4_ERROR: usize = 576;

/// Hops of packets that a host sends by itself (RFC 1700: 64).
pub(super) const HOPS: u8 = 64;
/// Hops of neighbour discovery: what crossed a router shows it (RFC 4861 §7.1.1).
pub(super) const DISCOVERY_HOPS: u8 = 255;

/// Packets and octets that wait to be transmitted.
pub(super) const OUTBOUND: Room = Room { packets: 8192, octets: 16 << 20 };
/// Packets and octets that a host has sent to itself and not yet taken in.
pub(super) const LOOPBACK: Room = Room { packets: 1024, octets: 4 << 20 };
/// Packets and octets that wait for one neighbour's address (RFC 1122 §2.3.2.2, RFC 4861 §7.2.2: at least one).
pub(super) const UNRESOLVED: Room = Room { packets: 16, octets: 128 << 10 };
/// Reports of undelivered packets that wait to be fetched.
pub(super) const REPORTS: usize = 256;

/// Neighbours that are remembered.
pub(super) const NEIGHBOURS: usize = 128;
/// How long an answer of a neighbour is believed (RFC 4861 §10, REACHABLE_TIME).
pub(super) const REACHABLE_TIME: Duration = Duration::from_secs(30);
/// How long a neighbour in use may stay unconfirmed before it is asked (RFC 4861 §10, DELAY_FIRST_PROBE_TIME).
pub(super) const DELAY_FIRST_PROBE: Duration = Duration::from_secs(5);
/// Time between two questions to a neighbour (RFC 1122 §2.3.2.1: at most one a second; RFC 4861 §10, RETRANS_TIMER).
pub(super) const ASK_AGAIN: Duration = Duration::from_secs(1);
/// Questions without an answer that make a neighbour silent (RFC 4861 §10, MAX_MULTICAST_SOLICIT).
pub(super) const QUESTIONS: u8 = 3;
/// How long another gateway is preferred to one that was silent (RFC 1122 §3.3.1.4).
pub(super) const AVOID_GATEWAY: Duration = Duration::from_secs(60);

/// How long fragments wait for their fellows (RFC 1122 §3.3.2: 60 to 120 s; RFC 8200 §4.5: 60 s).
pub(super) const REASSEMBLY_TIME: Duration = Duration::from_secs(60);
/// Datagrams that are being put together at a time.
pub(super) const DATAGRAMS: usize = 64;
/// Octets that all fragments together may hold, at their real size.
pub(super) const FRAGMENTS: usize = 1 << 20;

/// Paths whose MTU is remembered.
pub(super) const PATHS: usize = 256;
/// How long a path is thought to be narrow (RFC 1191 §6.3: ten minutes).
pub(super) const PATH_AGE: Duration = Duration::from_secs(600);
/// Multicast groups that programs may join.
pub(super) const GROUPS: usize = 64;

/// ICMP errors in a row, and time to earn the right to one more (RFC 1812 §4.3.2.8, RFC 4443 §2.4(f)): 50, and 1000 a
/// second, as Linux's `icmp_msgs_burst` and `icmp_msgs_per_sec` have it.
pub(super) const ERRORS_IN_A_ROW: u32 = 50;
/// See [`ERRORS_IN_A_ROW`].
pub(super) const TIME_PER_ERROR: Duration = Duration::from_millis(1);

/// How much a queue holds.
#[derive(Clone, Copy, Debug)]
pub(super) struct Room {
    /// Packets.
    pub packets: usize,
    /// Octets of them together.
    pub octets: usize,
}

/// A right to speak that is earned with time and can be saved up to a bound.
#[derive(Clone, Debug)]
pub(super) struct TokenBucket {
    tokens: u32,
    most: u32,
    each: Duration,
    /// Up to when tokens have been counted in.
    counted: Instant,
}

impl TokenBucket {
    /// A full bucket of `most` tokens, which earns one every `each`.
    pub(super) fn new(most: u32, each: Duration, now: Instant) -> TokenBucket {
        TokenBucket { tokens: most, most, each, counted: now }
    }

    /// Takes a token; `false` when there is none.
    pub(super) fn take(&mut self, now: Instant) -> bool {
        let each = self.each.as_nanos().max(1);
        let earned = now.since(self.counted).as_nanos() / each;
        if earned > 0 {
            self.tokens = u32::try_from(earned).unwrap_or(u32::MAX).saturating_add(self.tokens).min(self.most);
            let left_over = now.since(self.counted).as_nanos() % each;
            self.counted = Instant::from_nanos(now.as_nanos() - left_over as u64);
        }
        let had_one = self.tokens > 0;
        self.tokens = self.tokens.saturating_sub(1);
        had_one
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bucket_gives_what_was_saved_and_then_what_is_earned() {
        let millis = |millis: u64| Instant::from_nanos(millis * 1_000_000);
        let mut bucket = TokenBucket::new(3, Duration::from_millis(10), millis(0));
        assert_eq!((0..5).filter(|_| bucket.take(millis(0))).count(), 3);
        assert!(!bucket.take(millis(9)) && bucket.take(millis(10)) && !bucket.take(millis(19)));
        assert!(bucket.take(millis(20)));
        assert_eq!((0..9).filter(|_| bucket.take(millis(1000))).count(), 3);
    }
}
