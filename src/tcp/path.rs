//! How long a packet may be on this connection's path: what is believed, and why.
//!
//! ```text
//!    68 or 1280        low            known              link          octets of a packet
//!   ─────┼──────────────┼───────────────┼──────────────────┼──────►
//!    every link    a search has     reports say         our own
//!    takes it      got this far     no more than this   link
//!                  └─ used while ─┘└─ used without ┘
//!                     searching        a search
//! ```
//!
//! Reports come from the network (RFC 1191, RFC 8201) and from anybody who can guess a port, so each is judged by what the
//! connection itself knows (RFC 5927 §7.2):
//!
//! - it must be about octets in flight, over a packet that can have been as long as the report wants it to be;
//! - it must ask for less than is used now, and not for less than every link takes;
//! - when longer packets than it allows have arrived, it is *doubted*: kept until the octets that it speaks of time out, and
//!   forgotten when they are acknowledged. While nothing so long has arrived it is believed at once: that is how a path is
//!   discovered in the first place. Linux and the BSDs believe at once in both cases, which `trusts_reports` asks for; a
//!   path that turns narrow in mid-stream then costs no time-out, and whoever guesses a number in the window may shorten
//!   every segment.
//!
//! A path that reports nothing and swallows what is too long is for the [`search`]. What does not live here: whom to tell,
//! and what to send again; and that other connections go the same way, which is remembered by the network layer.

pub(crate) mod search;

use std::num::NonZeroU32;
use std::time::Duration;

use crate::tcp::config::{PathDiscovery, PathProbing};
use crate::time::Instant;
use crate::transport::PathReports;
use search::Search;

/// Every IPv4 link takes so many octets (RFC 791 §3.2, RFC 1191 §3).
const LEAST_IPV4: u32 = 68;
/// Every IPv6 link takes so many octets (RFC 8200 §5).
const LEAST_IPV6: u32 = 1280;
/// How long a path is thought to be narrow (RFC 1191 §6.3, RFC 8201 §5.3: ten minutes).
const NARROW_FOR: Duration = Duration::from_secs(600);

/// What is believed of a connection's path.
#[derive(Clone, Debug)]
pub(crate) struct Path {
    is_ipv6: bool,
    /// It is narrower than we make packets: they may be cut on their way.
    cuts: bool,
    link: u32,
    known: u32,
    /// The longest packet that is known to have arrived since the path last changed.
    arrived: u32,
    /// A packet whose acknowledgment would say that longer ones arrive.
    witness: Option<Witness>,
    /// In a box, like the next: most connections never have them.
    reports: Option<Box<Reports>>,
    search: Option<Box<Search>>,
}

/// What reports have brought.
#[derive(Clone, Copy, Debug, Default)]
struct Reports {
    /// When more may be tried again; `None` while no report is believed.
    wider_at: Option<Instant>,
    /// One that is contradicted by what has arrived.
    doubted: Option<Doubted>,
}

#[derive(Clone, Copy, Debug)]
struct Witness {
    end: u64,
    length: NonZeroU32,
}

#[derive(Clone, Copy, Debug)]
struct Doubted {
    position: u64,
    mtu: u32,
}

/// A report that a packet was too long, with what the connection knows of that packet.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Report {
    /// Octets that the next link takes.
    pub(crate) mtu: u32,
    /// The first octet of the segment that it was.
    pub(crate) position: u64,
    /// Octets that its packet had at most.
    pub(crate) length: u32,
}

/// What a report is worth.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// Packets are to be shorter from now on.
    Narrower,
    /// A probe was too long; all else stays.
    ProbeRefused,
    /// It is believed when a time-out says so, too.
    Doubted,
    /// It changes nothing.
    Nothing,
    /// No honest router can have meant one of our packets.
    Impossible,
}

/// Why a time-out makes packets shorter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Suspicion {
    /// A report said so, and was doubted.
    Report,
    /// Nobody says anything, and nothing arrives: a black hole.
    Silence,
}

impl Path {
    /// Nothing is known but that our own link takes `mtu` octets.
    pub(crate) fn new(mtu: usize, is_ipv6: bool, rules: &PathDiscovery, now: Instant) -> Path {
        let link = u32::try_from(mtu).unwrap_or(u32::MAX);
        let mut path =
            Path { is_ipv6, link, known: link, cuts: false, arrived: 0, witness: None, reports: None, search: None };
        if rules.reports == PathReports::NotAsked {
            path.stop_asking();
        } else if rules.probing == PathProbing::Always {
            path.search = Some(Box::new(Search::from(path.base(rules).min(link), now)));
        }
        path
    }

    /// Reports are not heard any more, and packets may be cut. Over IPv6 nobody cuts them on their way: they are as long
    /// as every link takes (RFC 8201 §4). Returns whether that is less than before.
    pub(crate) fn stop_asking(&mut self) -> bool {
        let before = self.mtu();
        self.search = None;
        if self.is_ipv6 {
            (self.known, self.link) = (self.known.min(LEAST_IPV6), self.link.min(LEAST_IPV6));
        }
        self.mtu() < before
    }

    /// Octets of the longest packet that is sent.
    pub(crate) fn mtu(&self) -> u32 {
        self.search.as_ref().map_or(self.known, |search| search.low().min(self.known))
    }

    /// Octets of the longest packet that no report forbids.
    pub(crate) fn known(&self) -> u32 {
        self.known
    }

    /// Octets of data and options of the longest segment.
    pub(crate) fn room(&self) -> u16 {
        u16::try_from(self.mtu().saturating_sub(self.headers())).unwrap_or(u16::MAX).max(1)
    }

    /// Octets of the IP and the TCP header without options.
    pub(crate) fn headers(&self) -> u32 {
        if self.is_ipv6 { 60 } else { 40 }
    }

    /// Whether routers may cut packets.
    pub(crate) fn may_be_cut(&self, rules: &PathDiscovery) -> bool {
        self.cuts || rules.reports == PathReports::NotAsked
    }

    /// A report has come. When it is believed, the path is narrower at once.
    pub(crate) fn reported(&mut self, report: &Report, rules: &PathDiscovery, now: Instant) -> Verdict {
        let refused = self.search.as_ref().and_then(|search| search.probe_at(report.position));
        if rules.reports != PathReports::Heard {
            return Verdict::Nothing;
        }
        if report.mtu < self.least() {
            // RFC 8201 §4: to be discarded. Over IPv4 no link is so narrow either.
            return Verdict::Impossible;
        }
        if report.mtu >= self.mtu() {
            return match refused {
                Some(length) if report.mtu < length => Verdict::ProbeRefused,
                Some(_) | None => Verdict::Nothing,
            };
        }
        if report.mtu >= report.length {
            return Verdict::Impossible;
        }
        if report.mtu < self.arrived && !rules.trusts_reports {
            self.heard().doubted = Some(Doubted { position: report.position, mtu: report.mtu });
            return Verdict::Doubted;
        }
        if self.narrow(report.mtu, rules, now) { Verdict::Narrower } else { Verdict::Nothing }
    }

    /// The path takes no more than `mtu` octets, as who must know has said. Returns whether that is less than before.
    pub(crate) fn narrow(&mut self, mtu: u32, rules: &PathDiscovery, now: Instant) -> bool {
        let least = if self.is_ipv6 { LEAST_IPV6 } else { u32::from(rules.least_mtu).max(LEAST_IPV4) };
        let (before, cut_before) = (self.mtu(), self.cuts);
        self.known = self.known.min(mtu.max(least));
        self.cuts |= mtu < least && !self.is_ipv6;
        self.heard().wider_at = Some(now + NARROW_FOR);
        if let Some(search) = &mut self.search {
            search.cap(self.known);
        }
        self.forget_longer();
        (self.mtu(), self.cuts) != (before, cut_before)
    }

    /// Ten minutes after the last report packets may be as long as our own link takes. Returns whether they may be longer
    /// than before.
    pub(crate) fn age(&mut self, now: Instant) -> bool {
        let Some(reports) = &mut self.reports else { return false };
        if reports.wider_at.take_if(|at| *at <= now).is_none() {
            return false;
        }
        let before = self.mtu();
        (self.known, self.cuts) = (self.link, false);
        self.mtu() > before
    }

    /// A segment left in a packet of `length` octets that nobody may cut; its last octet stands before `end`.
    pub(crate) fn sent(&mut self, end: u64, length: u32) {
        if length > self.arrived && self.witness.is_none() {
            self.witness = NonZeroU32::new(length).map(|length| Witness { end, length });
        }
    }

    /// Everything before `position` is acknowledged. Returns the length of the probe that has arrived by this.
    pub(crate) fn acknowledged(&mut self, position: u64) -> Option<u32> {
        if let Some(witness) = self.witness.filter(|witness| witness.end <= position) {
            self.arrived = self.arrived.max(witness.length.get());
            self.witness = None;
        }
        if let Some(reports) = &mut self.reports {
            reports.doubted = reports.doubted.filter(|doubted| doubted.position >= position);
        }
        let length = self.search.as_mut()?.acknowledged(position)?;
        self.arrived = self.arrived.max(length);
        Some(length)
    }

    /// The oldest segment in flight, at `position` and in a packet of `length` octets, has timed out `times` in a row.
    /// Returns why packets are shorter from now on, if they are.
    pub(crate) fn timed_out(
        &mut self,
        (position, length): (u64, u32),
        times: u8,
        rules: &PathDiscovery,
        now: Instant,
    ) -> Option<Suspicion> {
        let doubted =
            self.reports.as_mut().and_then(|reports| reports.doubted.take_if(|doubted| doubted.position <= position));
        if let Some(doubted) = doubted {
            return self.narrow(doubted.mtu, rules, now).then_some(Suspicion::Report);
        }
        let looks = rules.probing != PathProbing::Off && !self.may_be_cut(rules);
        if !looks || times <= rules.black_hole_after {
            return None;
        }
        let low = self.below(rules);
        if low >= self.mtu() || length <= low {
            return None;
        }
        self.search = Some(Box::new(Search::from(low, now)));
        self.forget_longer();
        Some(Suspicion::Silence)
    }

    /// What is in flight and too long is cut anew: it bears witness to nothing any more.
    pub(crate) fn cut(&mut self) {
        self.witness = None;
        if let Some(search) = &mut self.search {
            search.forget_probe();
        }
    }

    /// The search for longer packets, while there is one.
    pub(crate) fn search(&mut self) -> Option<&mut Search> {
        self.search.as_deref_mut()
    }

    /// Octets of the probe that is due, whose packet has at most `most`.
    pub(crate) fn probe_length(&mut self, most: u32, rules: &PathDiscovery, now: Instant) -> Option<u32> {
        let most = most.min(self.known);
        self.search.as_mut()?.next_length(most, rules, now)
    }

    fn heard(&mut self) -> &mut Reports {
        self.reports.get_or_insert_default()
    }

    fn forget_longer(&mut self) {
        let mtu = self.mtu();
        self.arrived = self.arrived.min(mtu);
        if let Some(reports) = &mut self.reports {
            reports.doubted = None;
        }
        self.witness = self.witness.filter(|witness| witness.length.get() <= mtu);
    }

    /// The next length to fall to in a black hole: the base, and then half by half (RFC 4821 §7.7).
    fn below(&self, rules: &PathDiscovery) -> u32 {
        let base = self.base(rules);
        if self.mtu() > base {
            return base;
        }
        let half = u32::from(self.room()) / 2;
        let least = self.least().max(u32::from(rules.least_segment) + self.headers());
        (half + self.headers()).max(least)
    }

    fn base(&self, rules: &PathDiscovery) -> u32 {
        (u32::from(rules.base_segment) + self.headers()).max(self.least())
    }

    fn least(&self) -> u32 {
        if self.is_ipv6 { LEAST_IPV6 } else { LEAST_IPV4 }
    }
}

#[cfg(test)]
mod tests;
