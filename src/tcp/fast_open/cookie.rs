//! A server's cookies: which it grants, and which it believes (RFC 7413 §4.1.2).

use std::hash::Hasher;
use std::net::IpAddr;

use siphasher::sip::SipHasher24;

use smallvec::SmallVec;

use super::FastOpen;
use crate::packet::dissect::FastOpenOption;
use crate::tcp::segment::{Ends, Segment};
use crate::transport::FastOpenKeys;

/// What a listener makes of a SYN.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// A SYN like any other; perhaps with a cookie in the answer.
    Ordinary(Option<FastOpenOption>),
    /// The connection is open at once, with what the SYN carries; perhaps with a newer cookie in the answer.
    Early(Option<FastOpenOption>),
}

/// Judges a SYN. `has_room` says whether one more connection may be open before its handshake is over.
pub(crate) fn judge(config: &FastOpen, keys: &FastOpenKeys, ends: &Ends, syn: &Segment, has_room: bool) -> Verdict {
    let option = syn.options.fast_open.as_ref();
    if !has_room || (option.is_none() && syn.is_empty()) {
        return Verdict::Ordinary(None);
    }
    if config.takes_without_cookie {
        return Verdict::Early(None);
    }
    let Some(option) = option else { return Verdict::Ordinary(None) };
    let current = cookie(&keys.current, ends);
    let granted = || Some(FastOpenOption { cookie: SmallVec::from_slice(&current), experimental: option.experimental });
    let is_by = |key: &[u8; 16]| option.cookie[..] == cookie(key, ends);
    if option.cookie[..] == current {
        Verdict::Early(None)
    } else if keys.previous.as_ref().is_some_and(is_by) {
        Verdict::Early(granted())
    } else {
        Verdict::Ordinary(granted())
    }
}

/// The cookie of a client: a keyed hash of both addresses, the client's first, as Linux computes it. Ports do not count,
/// since the next connection has another.
pub(crate) fn cookie(key: &[u8; 16], ends: &Ends) -> [u8; 8] {
    let mut hasher = SipHasher24::new_with_key(key);
    for address in [ends.remote.ip(), ends.local.ip()] {
        match address {
            IpAddr::V4(address) => hasher.write(&address.octets()),
            IpAddr::V6(address) => hasher.write(&address.octets()),
        }
    }
    hasher.finish().to_le_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::packet::TcpFlags;
    use bytes::Bytes;
    use smallvec::smallvec;
    use std::net::SocketAddr;

    fn ends(local: &str, remote: &str) -> Ends {
        let at = |address: &str| SocketAddr::new(address.parse().expect("an address"), 80);
        Ends { local: at(local), remote: at(remote) }
    }

    /// Four words, as Linux's `tcp_fastopen_key` shows them: each in the order of its value, not of its octets.
    fn key(words: [u32; 4]) -> [u8; 16] {
        let mut key = [0; 16];
        key.chunks_mut(4).zip(words).for_each(|(octets, word)| octets.copy_from_slice(&word.to_le_bytes()));
        key
    }

    fn keys() -> FastOpenKeys {
        FastOpenKeys { current: [1; 16], previous: Some([2; 16]) }
    }

    fn config() -> FastOpen {
        FastOpen { queue: 1, ..FastOpen::default() }
    }

    fn syn(cookie: Option<&[u8]>, data: &'static [u8]) -> Segment {
        let mut syn = Segment { flags: TcpFlags::SYN, ..Segment::default() };
        syn.options.fast_open = cookie.map(|cookie| FastOpenOption { cookie: cookie.into(), experimental: true });
        syn.payload = if data.is_empty() { smallvec![] } else { smallvec![Bytes::from_static(data)] };
        syn
    }

    /// What a Linux kernel grants with these keys between these addresses.
    #[test]
    fn a_cookie_is_the_one_that_linux_makes() {
        let odd = key([0xa0bf_63f7, 0xed80_3d81, 0xcd64_1d30, 0xcebc_4a90]);
        let even = key([0xa1a1_a1a1, 0xb2b2_b2b2, 0xc3c3_c3c3, 0xd4d4_d4d4]);
        let cases = [
            (odd, "192.168.0.2", "10.248.0.2", 0x00ab_aaab_e8e9_54c2_u64),
            ([0; 16], "192.168.0.2", "10.248.0.2", 0x93b7_aa4f_550f_8a1a),
            (even, "192.168.0.1", "192.0.2.1", 0x3021_b9d8_8901_7eeb),
            (even, "fd3d:0a0b:17d6::1", "fd3d:fa7b:d17d::1", 0xc1d1_e974_2a47_a9bc),
        ];
        for (key, local, remote, octets) in cases {
            assert_eq!(cookie(&key, &ends(local, remote)), octets.to_be_bytes(), "{remote} to {local}");
        }
    }

    #[test]
    fn a_cookie_is_granted_to_who_asks_and_believed_when_it_comes_back() {
        let ends = ends("10.0.0.1", "10.0.0.2");
        let judged = |syn: &Segment| judge(&config(), &keys(), &ends, syn, true);
        let (good, old) = (cookie(&[1; 16], &ends), cookie(&[2; 16], &ends));
        let granted = Some(FastOpenOption { cookie: SmallVec::from_slice(&good), experimental: true });
        assert_eq!(judged(&syn(Some(&[]), b"")), Verdict::Ordinary(granted.clone()));
        assert_eq!(judged(&syn(Some(&good), b"x")), Verdict::Early(None));
        assert_eq!(judged(&syn(Some(&good), b"")), Verdict::Early(None));
        assert_eq!(judged(&syn(Some(&old), b"x")), Verdict::Early(granted.clone()));
        assert_eq!(judged(&syn(Some(&[9; 8]), b"x")), Verdict::Ordinary(granted));
        assert_eq!(judged(&syn(None, b"x")), Verdict::Ordinary(None));
        assert_eq!(judge(&config(), &keys(), &ends, &syn(Some(&good), b"x"), false), Verdict::Ordinary(None));
    }

    #[test]
    fn anybody_may_send_data_where_no_cookie_is_wanted() {
        let trusting = FastOpen { takes_without_cookie: true, ..config() };
        let judged = |syn: &Segment| judge(&trusting, &keys(), &ends("10.0.0.1", "10.0.0.2"), syn, true);
        assert_eq!(judged(&syn(None, b"x")), Verdict::Early(None));
        assert_eq!(judged(&syn(None, b"")), Verdict::Ordinary(None));
    }

    #[test]
    fn another_clients_cookie_is_worth_nothing() {
        let (one, two) = (ends("10.0.0.1", "10.0.0.2"), ends("10.0.0.1", "10.0.0.3"));
        let stolen = syn(Some(&cookie(&[1; 16], &one)), b"x");
        assert!(matches!(judge(&config(), &keys(), &two, &stolen, true), Verdict::Ordinary(Some(_))));
    }
}
