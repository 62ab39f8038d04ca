//! What a client remembers of the peers that it has opened early, or would have (RFC 7413 §4.1.3).
//!
//! Two addresses are remembered together, since a server makes its cookie of both. There are [`MOST`] memories at most; the
//! one that was not used for longest makes way.

use std::collections::BTreeMap;
use std::net::IpAddr;

use super::FastOpen;
use crate::packet::dissect::FastOpenOption;
use crate::tcp::segment::Ends;
use crate::time::Instant;

/// Peers that are remembered.
pub(crate) const MOST: usize = 512;

/// What is known of the peers of one host.
#[derive(Debug, Default)]
pub(crate) struct Peers {
    known: BTreeMap<(IpAddr, IpAddr), Peer>,
    /// Counts uses, so that the longest unused is found.
    uses: u64,
}

#[derive(Debug, Default)]
struct Peer {
    /// The cookie that it granted last.
    cookie: Option<FastOpenOption>,
    /// The maximum segment size that it announced last.
    mss: Option<u16>,
    asked: Asked,
    /// Until then it is left alone.
    rests_until: Option<Instant>,
    /// When it was last used, in uses.
    used: u64,
}

/// Requests for a cookie that a peer has answered with none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
enum Asked {
    /// Never.
    #[default]
    Never,
    /// In the RFC's form; the older one may work.
    ByRfc,
    /// In both.
    Both,
}

/// How to open a connection.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Offer {
    /// What the SYN says of Fast Open: nothing, a request for a cookie, or a cookie.
    pub(crate) option: Option<FastOpenOption>,
    /// Whether it may carry data.
    pub(crate) carries: bool,
    /// The peer's maximum segment size, as far as it is known.
    pub(crate) mss: Option<u16>,
}

/// What the answer to a SYN has taught.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Lesson {
    /// What our SYN said of Fast Open.
    pub(crate) offered: Option<FastOpenOption>,
    /// What the answer says.
    pub(crate) granted: Option<FastOpenOption>,
    /// The maximum segment size that it announces.
    pub(crate) mss: Option<u16>,
    /// The SYN was sent more than once.
    pub(crate) was_resent: bool,
    /// The SYN carried data, and not all of it was acknowledged.
    pub(crate) was_refused: bool,
}

impl Peers {
    /// How a connection between these ends is best opened. A look: it changes nothing.
    pub(crate) fn offer(&self, now: Instant, ends: &Ends, config: &FastOpen) -> Offer {
        if !config.client {
            return Offer::default();
        }
        let peer = self.known.get(&place(ends));
        let mss = peer.and_then(|peer| peer.mss);
        if peer.is_some_and(|peer| peer.rests_until.is_some_and(|until| now < until)) {
            return Offer { mss, ..Offer::default() };
        }
        if config.without_cookie {
            return Offer { option: None, carries: true, mss };
        }
        if let Some(cookie) = peer.and_then(|peer| peer.cookie.clone()) {
            return Offer { option: Some(cookie), carries: true, mss };
        }
        let experimental = peer.is_some_and(|peer| peer.asked == Asked::ByRfc);
        Offer { option: Some(FastOpenOption { experimental, ..FastOpenOption::default() }), carries: false, mss }
    }

    /// Remembers what the answer to a SYN has taught.
    pub(crate) fn learn(&mut self, now: Instant, ends: &Ends, config: &FastOpen, lesson: Lesson) {
        self.uses += 1;
        let peer = self.known.entry(place(ends)).or_default();
        peer.used = self.uses;
        peer.mss = lesson.mss.or(peer.mss);
        // A cookie that nobody has asked for is none.
        let offered = lesson.offered.as_ref();
        let granted = lesson.granted.filter(|granted| offered.is_some() && !granted.cookie.is_empty());
        let asked_in_vain = offered.is_some_and(|offered| offered.cookie.is_empty()) && granted.is_none();
        let failed = granted.is_none() && (lesson.was_refused || asked_in_vain);
        match granted {
            Some(cookie) => peer.cookie = Some(cookie),
            None if asked_in_vain && !lesson.was_resent && peer.cookie.is_none() => {
                let experimental = offered.is_some_and(|offered| offered.experimental);
                peer.asked = peer.asked.max(if experimental { Asked::Both } else { Asked::ByRfc });
            }
            None => {}
        }
        peer.rests_until = (failed && !config.rest.is_zero()).then(|| now + config.rest);
        self.bound();
    }

    /// Forgets everybody.
    pub(crate) fn forget(&mut self) {
        self.known.clear();
    }

    fn bound(&mut self) {
        while self.known.len() > MOST {
            let longest = self.known.iter().min_by_key(|(_, peer)| peer.used).map(|(place, _)| *place);
            let Some(longest) = longest else { return };
            self.known.remove(&longest);
        }
    }
}

fn place(ends: &Ends) -> (IpAddr, IpAddr) {
    (ends.local.ip(), ends.remote.ip())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::{Ipv4Addr, SocketAddr};
    use std::time::Duration;

    fn ends(host: u32) -> Ends {
        let at = |address: u32| SocketAddr::new(Ipv4Addr::from_bits(address).into(), 80);
        Ends { local: at(1), remote: at(host) }
    }

    fn cookie(octets: &[u8], experimental: bool) -> Option<FastOpenOption> {
        Some(FastOpenOption { cookie: octets.into(), experimental })
    }

    /// Tries each time, as Linux does.
    fn restless() -> FastOpen {
        FastOpen { rest: Duration::ZERO, ..FastOpen::default() }
    }

    fn teach(peers: &mut Peers, config: &FastOpen, lesson: Lesson) {
        peers.learn(Instant::ZERO, &ends(2), config, lesson);
    }

    #[test]
    fn a_cookie_is_asked_for_kept_and_replaced() {
        let mut peers = Peers::default();
        let offer = |peers: &Peers| peers.offer(Instant::ZERO, &ends(2), &FastOpen::default());
        assert_eq!(offer(&peers), Offer { option: cookie(&[], false), carries: false, mss: None });
        let lesson = |octets: &[u8]| Lesson {
            offered: cookie(&[], false),
            granted: cookie(octets, false),
            mss: Some(900),
            ..Lesson::default()
        };
        teach(&mut peers, &FastOpen::default(), lesson(&[1; 8]));
        assert_eq!(offer(&peers), Offer { option: cookie(&[1; 8], false), carries: true, mss: Some(900) });
        teach(&mut peers, &FastOpen::default(), lesson(&[2; 4]));
        assert_eq!(offer(&peers).option, cookie(&[2; 4], false));
        peers.forget();
        assert_eq!(offer(&peers).option, cookie(&[], false));
    }

    #[test]
    fn a_peer_without_cookies_is_asked_in_the_older_form_once() {
        let mut peers = Peers::default();
        let forms: Vec<bool> = (0..4)
            .map(|_| {
                let offered = peers.offer(Instant::ZERO, &ends(2), &restless()).option.expect("a request");
                let experimental = offered.experimental;
                teach(&mut peers, &restless(), Lesson { offered: Some(offered), ..Lesson::default() });
                experimental
            })
            .collect();
        assert_eq!(forms, [false, true, false, false]);
    }

    #[test]
    fn a_peer_that_grants_nothing_is_left_alone_for_a_while() {
        let config = FastOpen { rest: Duration::from_secs(9), ..FastOpen::default() };
        let cases = [
            ("asked in vain", Lesson { offered: cookie(&[], false), ..Lesson::default() }),
            ("data refused", Lesson { offered: cookie(&[1; 8], false), was_refused: true, ..Lesson::default() }),
        ];
        for (case, lesson) in cases {
            let mut peers = Peers::default();
            teach(&mut peers, &config, lesson);
            let at = |seconds| peers.offer(Instant::ZERO + Duration::from_secs(seconds), &ends(2), &config);
            assert_eq!((at(8).option, at(8).carries), (None, false), "{case}");
            assert!(at(9).option.is_some(), "{case}");
        }
    }

    #[test]
    fn refused_data_with_a_new_cookie_is_no_failure() {
        let mut peers = Peers::default();
        let lesson = Lesson {
            offered: cookie(&[1; 8], false),
            granted: cookie(&[2; 8], false),
            was_refused: true,
            ..Lesson::default()
        };
        teach(&mut peers, &FastOpen::default(), lesson);
        let offer = peers.offer(Instant::ZERO, &ends(2), &FastOpen::default());
        assert_eq!((offer.option, offer.carries), (cookie(&[2; 8], false), true));
    }

    #[test]
    fn a_cookie_that_nobody_asked_for_is_not_kept() {
        let mut peers = Peers::default();
        teach(&mut peers, &restless(), Lesson { granted: cookie(&[1; 8], false), ..Lesson::default() });
        assert_eq!(peers.offer(Instant::ZERO, &ends(2), &restless()).option, cookie(&[], false));
    }

    #[test]
    fn who_wants_no_cookie_sends_data_at_once() {
        let (peers, config) = (Peers::default(), FastOpen { without_cookie: true, ..FastOpen::default() });
        let offer = Offer { option: None, carries: true, mss: None };
        assert_eq!(peers.offer(Instant::ZERO, &ends(2), &config), offer);
        let off = FastOpen { client: false, ..config };
        assert_eq!(peers.offer(Instant::ZERO, &ends(2), &off), Offer::default());
    }

    #[test]
    fn the_longest_unused_memory_makes_way() {
        let mut peers = Peers::default();
        let most = MOST as u32;
        let lesson = || Lesson { offered: cookie(&[], false), granted: cookie(&[1; 8], false), ..Lesson::default() };
        for host in 0..=most {
            if host == most {
                peers.learn(Instant::ZERO, &ends(0), &restless(), lesson());
            }
            peers.learn(Instant::ZERO, &ends(host), &restless(), lesson());
        }
        let knows = |host| peers.offer(Instant::ZERO, &ends(host), &restless()).carries;
        assert_eq!((peers.known.len(), knows(0), knows(1), knows(2), knows(most)), (MOST, true, false, true, true));
    }
}
