//! How wide the paths are: the least MTU on the way to a destination, as far as somebody has said (RFC 1191, RFC 8201).
//!
//! What does not live here: whether to believe who said it. An ICMP message is easily forged (RFC 5927); the transport,
//! which knows what it has sent, decides that and then calls [`Host::set_path_mtu`](super::Host::set_path_mtu).

use std::collections::BTreeMap;
use std::net::IpAddr;

use super::limits::{LEAST_IPV4_MTU, LEAST_IPV6_MTU, PATH_AGE, PATHS};
use crate::time::Instant;

/// What is known of paths that are narrower than the link.
#[derive(Clone, Debug, Default)]
pub(super) struct Paths {
    narrow: BTreeMap<IpAddr, Narrow>,
}

#[derive(Clone, Copy, Debug)]
struct Narrow {
    mtu: usize,
    /// When a wider one may be tried again.
    until: Instant,
}

impl Paths {
    /// Octets that the path to `destination` takes; `None` when it is not known to be narrower than the link.
    pub(super) fn mtu(&self, destination: IpAddr, now: Instant) -> Option<usize> {
        self.narrow.get(&destination).filter(|narrow| now < narrow.until).map(|narrow| narrow.mtu)
    }

    /// Remembers that the path takes no more than `mtu` octets. Less than every link takes counts as that least
    /// (RFC 1191 §3, RFC 8201 §4). When there is no room, the path that would be forgotten first is forgotten.
    pub(super) fn set(&mut self, destination: IpAddr, mtu: usize, now: Instant) {
        if self.narrow.len() >= PATHS && !self.narrow.contains_key(&destination) {
            let oldest = self.narrow.iter().min_by_key(|(_, narrow)| narrow.until).map(|(address, _)| *address);
            if let Some(oldest) = oldest {
                self.narrow.remove(&oldest);
            }
        }
        self.narrow.insert(destination, Narrow { mtu: mtu.max(least(destination)), until: now + PATH_AGE });
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.narrow.len()
    }
}

/// Octets that every link takes.
fn least(destination: IpAddr) -> usize {
    match destination {
        IpAddr::V4(_) => LEAST_IPV4_MTU,
        IpAddr::V6(_) => LEAST_IPV6_MTU,
    }
}

/// The next lower MTU in use, for a packet of `length` octets that was too big for a router which does not say how much
/// it takes (RFC 1191 §7.1).
pub fn plateau_below(length: usize) -> usize {
    const PLATEAUS: [usize; 10] = [32_000, 17_914, 8166, 4352, 2002, 1492, 1006, 508, 296, LEAST_IPV4_MTU];
    PLATEAUS.into_iter().find(|plateau| *plateau < length).unwrap_or(LEAST_IPV4_MTU)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn host(number: u16) -> IpAddr {
        [10, 0, (number >> 8) as u8, number as u8].into()
    }

    #[test]
    fn a_narrow_path_is_forgotten_after_ten_minutes_and_never_below_the_least() {
        let mut paths = Paths::default();
        paths.set(host(1), 10, Instant::ZERO);
        paths.set("fd00::1".parse().expect("an address"), 1000, Instant::ZERO);
        assert_eq!(paths.mtu(host(1), Instant::ZERO), Some(68));
        assert_eq!(paths.mtu("fd00::1".parse().expect("an address"), Instant::ZERO), Some(1280));
        assert_eq!(paths.mtu(host(1), Instant::ZERO + PATH_AGE), None);
    }

    #[test]
    fn the_oldest_path_makes_room() {
        let mut paths = Paths::default();
        for number in 0..=PATHS as u16 {
            paths.set(host(number), 1000, Instant::from_nanos(u64::from(number)));
        }
        assert_eq!(paths.len(), PATHS);
        let now = Instant::from_nanos(PATHS as u64);
        assert_eq!((paths.mtu(host(0), now), paths.mtu(host(1), now)), (None, Some(1000)));
    }

    #[test]
    fn plateaus_go_down_to_the_least() {
        assert_eq!([70_000, 1500, 1492, 69, 68, 1].map(plateau_below), [32_000, 1492, 1006, 68, 68, 68]);
    }
}
