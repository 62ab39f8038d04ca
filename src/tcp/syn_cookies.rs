//! SYN cookies: a listener's answer to more SYNs than it can remember (RFC 4987 §3.6).
//!
//! ```text
//!   SYN    seq x                      nothing is kept
//!   SYN,ACK seq c, ack x+1            c is a keyed hash of the ends, x and the time, with room for what must not be lost
//!   ACK    seq x+1, ack c+1           whoever can name c has got the SYN,ACK: the connection is made now
//! ```
//!
//! The cookie is laid out as Linux's:
//!
//! ```text
//!   c = H(ends) + x + count << 24 + (H(ends, count) + class of the segment size) mod 2^24
//! ```
//!
//! `count` ticks every 64 s; a cookie is believed for two ticks. A guess hits with a chance of 2 × 4 in 2^24. The class is
//! one of four segment sizes, the greatest that is not above the peer's. Everything else that a SYN agrees on would be lost,
//! but when both sides have timestamps it travels in the low bits of ours, which the peer echoes:
//!
//! ```text
//!   TSval ... │ ECN │ SACK │ the peer's window shift, 15 for none │
//!               1      1                    4
//! ```
//!
//! That makes our clock late by up to 127 ms for this one segment, and the first round trip seem longer by as much.
//!
//! **Why half-open connections are whole connections all the same.** They could be small records until their third segment
//! comes. But then SYN-RECEIVED would have two writers, and retransmission, simultaneous open and Fast Open a second home
//! each. Instead they are few: [`Config::half_open`] bounds them for each listener, whatever its backlog, and what comes
//! beyond gets a cookie. None is thrown out for a newer one: with cookies the newer one loses nothing, and without them a flood
//! would throw out the honest (RFC 4987 §3.4).
//!
//! [`Config::half_open`]: super::Config::half_open

use std::time::Duration;

use super::isn::Secret;
use super::segment::Ends;
use crate::packet::SeqNum;
use crate::time::Instant;

/// How long one count lasts.
const PERIOD: Duration = Duration::from_secs(64);
/// Counts for which a cookie is believed.
const BELIEVED: u32 = 2;
/// How long after its last cookie a listener looks for cookies at all.
pub(crate) const LOOKED_FOR: Duration = Duration::from_secs(64 * BELIEVED as u64);
/// Segment sizes that a cookie can tell, over IPv4: those of Linux, and of most peers.
const CLASSES_V4: [u16; 4] = [536, 1300, 1440, 1460];
/// The same over IPv6.
const CLASSES_V6: [u16; 4] = [1220, 1420, 1440, 8940];
const LOW_24: u32 = 0xff_ffff;
/// The bits of a timestamp that carry what was agreed on.
const STAMP: u32 = 0x3f;
const NO_SHIFT: u32 = 0xf;

/// What of a SYN survives in a timestamp.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Agreement {
    /// The shift of the peer's window; `None` when it offered none.
    pub(crate) shift: Option<u8>,
    /// Selective acknowledgment.
    pub(crate) sack: bool,
    /// Explicit congestion notification.
    pub(crate) ecn: bool,
}

/// The initial sequence number that answers a SYN with the number `irs`, from a peer with this maximum segment size.
pub(crate) fn encode(secret: &Secret, now: Instant, ends: &Ends, irs: SeqNum, mss: u16) -> SeqNum {
    let count = count(now);
    let class = classes(ends).iter().rposition(|size| *size <= mss).unwrap_or(0) as u32;
    let low = secret.cookie(ends, Some(count)).wrapping_add(class) & LOW_24;
    SeqNum(secret.cookie(ends, None).wrapping_add(irs.0).wrapping_add(count << 24).wrapping_add(low))
}

/// The maximum segment size in a cookie that has come back; `None` when it is none, or too old.
pub(crate) fn decode(secret: &Secret, now: Instant, ends: &Ends, irs: SeqNum, cookie: SeqNum) -> Option<u16> {
    let rest = cookie.0.wrapping_sub(secret.cookie(ends, None)).wrapping_sub(irs.0);
    let now = count(now);
    let age = now.wrapping_sub(rest >> 24) & 0xff;
    if age >= BELIEVED {
        return None;
    }
    let class = rest.wrapping_sub(secret.cookie(ends, Some(now.wrapping_sub(age)))) & LOW_24;
    classes(ends).get(class as usize).copied()
}

/// A timestamp that carries an agreement: the latest one that is not after `clock`.
pub(crate) fn stamp(clock: u32, agreement: Agreement) -> u32 {
    let shift = agreement.shift.map_or(NO_SHIFT, |shift| u32::from(shift.min(14)));
    let low = shift | u32::from(agreement.sack) << 4 | u32::from(agreement.ecn) << 5;
    let stamp = clock & !STAMP | low;
    if stamp > clock { stamp.wrapping_sub(STAMP + 1) } else { stamp }
}

/// The agreement that a timestamp carries.
pub(crate) fn read_stamp(stamp: u32) -> Agreement {
    let shift = stamp & NO_SHIFT;
    Agreement { shift: (shift != NO_SHIFT).then_some(shift as u8), sack: stamp >> 4 & 1 == 1, ecn: stamp >> 5 & 1 == 1 }
}

fn count(now: Instant) -> u32 {
    (now.as_nanos() / PERIOD.as_nanos() as u64) as u32
}

fn classes(ends: &Ends) -> &'static [u16; 4] {
    if ends.remote.is_ipv4() { &CLASSES_V4 } else { &CLASSES_V6 }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::Rng;
    use proptest::prelude::*;
    use std::net::SocketAddr;

    fn ends(port: u16, v6: bool) -> Ends {
        let at = |port| match v6 {
            true => SocketAddr::from(([0xfd00, 0, 0, 0, 0, 0, 0, 1], port)),
            false => SocketAddr::from(([10, 0, 0, 1], port)),
        };
        Ends { local: at(80), remote: at(port) }
    }

    fn secret() -> Secret {
        Secret::draw(&mut Rng::new(3))
    }

    fn at(seconds: u64) -> Instant {
        Instant::ZERO + Duration::from_secs(seconds)
    }

    #[test]
    fn the_greatest_class_that_is_not_above_the_peers_size_is_told() {
        let told = |mss, v6| {
            let ends = ends(5000, v6);
            decode(&secret(), at(9), &ends, SeqNum(7), encode(&secret(), at(9), &ends, SeqNum(7), mss))
        };
        let cases = [(100, 536), (536, 536), (1299, 536), (1300, 1300), (1459, 1440), (1460, 1460), (9000, 1460)];
        for (mss, class) in cases {
            assert_eq!(told(mss, false), Some(class), "{mss}");
        }
        assert_eq!((told(1000, true), told(1440, true), told(9000, true)), (Some(1220), Some(1440), Some(8940)));
    }

    #[test]
    fn a_cookie_is_believed_in_its_own_count_and_the_next() {
        let ends = ends(5000, false);
        let cookie = encode(&secret(), at(64), &ends, SeqNum(7), 1460);
        let known = |seconds| decode(&secret(), at(seconds), &ends, SeqNum(7), cookie);
        assert_eq!([known(64), known(127), known(191)], [Some(1460); 3]);
        assert_eq!([known(0), known(192), known(64 * 300)], [None; 3]);
    }

    proptest! {
        #[test]
        fn a_cookie_is_its_own_ends_and_numbers(
            irs: u32, other: u32, port in 1_u16..60_000, seconds in 0_u64..100_000_000, mss: u16, v6: bool,
        ) {
            let (mine, yours) = (ends(port, v6), ends(port + 1, v6));
            let cookie = encode(&secret(), at(seconds), &mine, SeqNum(irs), mss);
            let told = decode(&secret(), at(seconds + 63), &mine, SeqNum(irs), cookie);
            prop_assert_eq!(told, classes(&mine).iter().rfind(|class| **class <= mss).or(classes(&mine).first()).copied());
            prop_assert_eq!(decode(&secret(), at(seconds), &yours, SeqNum(irs), cookie), None);
            let is_near = other.wrapping_sub(irs).wrapping_add(4) < 8;
            if !is_near {
                prop_assert_eq!(decode(&secret(), at(seconds), &mine, SeqNum(other), cookie), None);
            }
        }

        #[test]
        fn a_stamp_tells_what_was_agreed_and_is_never_from_the_future(
            clock in 128_u32.., shift in proptest::option::of(0_u8..15), sack: bool, ecn: bool,
        ) {
            let agreement = Agreement { shift, sack, ecn };
            let stamp = stamp(clock, agreement);
            prop_assert_eq!(read_stamp(stamp), agreement);
            prop_assert!(stamp <= clock && clock - stamp < 128);
        }
    }
}
