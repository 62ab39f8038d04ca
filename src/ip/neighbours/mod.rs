//! Who has which MAC address: the neighbours on an Ethernet link (RFC 826, RFC 4861 §5 to §7).
//!
//! ```text
//!             asked 3 times, silent: forgotten
//!           ┌──────────────────────────────────────┐
//!   (none) ─┴► Asked ──answer──► Reachable ─30 s─► Stale ──a packet goes there──► Delayed ─5 s─► Probed
//!                                    ▲                ▲ unsolicited news                          │  │
//!                                    └────────────────┴────────────── answer ────────────────────┘  │
//!   (none) ◄──────────────────────────── asked 3 times, silent ─────────────────────────────────────┘
//! ```
//!
//! ARP and neighbour discovery share this cache; their messages are in [`arp`] and [`discovery`]. The cache sends
//! nothing: it says who must be asked ([`Due`]) and hands back the packets that waited.

pub(super) mod arp;
pub(super) mod discovery;

use std::collections::{BTreeMap, VecDeque};
use std::net::IpAddr;

use super::Errand;
use super::limits::{ASK_AGAIN, DELAY_FIRST_PROBE, NEIGHBOURS, QUESTIONS, REACHABLE_TIME, UNRESOLVED};
use crate::packet::Packet;
use crate::time::Instant;

/// A MAC address.
pub(super) type Mac = [u8; 6];

/// A packet on its way, and why it is sent.
pub(super) type Waiting = (Packet, Errand);

/// The neighbours that are known or asked for.
#[derive(Debug, Default)]
pub(super) struct Neighbours {
    entries: BTreeMap<IpAddr, Neighbour>,
    /// The least moment at which an entry has something to do.
    next: Option<Instant>,
}

#[derive(Debug)]
struct Neighbour {
    state: State,
    /// When it was last used or heard of; who is full of strangers forgets the one longest unheard of.
    touched: Instant,
}

#[derive(Debug)]
enum State {
    /// Its address was asked for and is not known yet.
    Asked { questions: u8, again: Instant, queue: VecDeque<Waiting>, octets: usize },
    /// Its address was confirmed lately.
    Reachable { mac: Mac, until: Instant },
    /// Its address was right once.
    Stale { mac: Mac },
    /// A packet went to the old address; it is asked if nobody confirms it soon.
    Delayed { mac: Mac, until: Instant },
    /// It is asked at the old address.
    Probed { mac: Mac, questions: u8, again: Instant },
}

/// Whether a packet can go to a neighbour now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Lookup {
    /// At this address.
    Known(Mac),
    /// Not yet; it has been asked.
    BeingAsked,
    /// Not yet, and it must be asked now.
    AskNow,
}

/// What time has made necessary.
#[derive(Debug)]
pub(super) enum Due {
    /// Ask the neighbour: everybody on the link, or only this old address of it.
    Ask(IpAddr, Option<Mac>),
    /// The neighbour has not answered; these packets waited for it.
    Silent(IpAddr, VecDeque<Waiting>),
}

/// What a neighbour says of itself.
#[derive(Clone, Copy, Debug)]
pub(super) struct News {
    /// Its MAC address, if it tells.
    pub mac: Option<Mac>,
    /// It answers a question of ours (RFC 4861 §4.4, S).
    pub solicited: bool,
    /// It replaces what is known (RFC 4861 §4.4, O).
    pub overrides: bool,
    /// A neighbour that nobody asked for is remembered: it is about to hear from us.
    pub may_be_new: bool,
}

impl State {
    fn mac(&self) -> Option<Mac> {
        match self {
            State::Asked { .. } => None,
            State::Reachable { mac, .. }
            | State::Stale { mac }
            | State::Delayed { mac, .. }
            | State::Probed { mac, .. } => Some(*mac),
        }
    }

    /// When it has something to do.
    fn due(&self) -> Option<Instant> {
        match self {
            State::Asked { again, .. } | State::Probed { again, .. } => Some(*again),
            State::Delayed { until, .. } => Some(*until),
            State::Reachable { .. } | State::Stale { .. } => None,
        }
    }
}

impl Neighbours {
    /// When [`Neighbours::expire`] has something to do.
    pub(super) fn deadline(&self) -> Option<Instant> {
        self.next
    }

    /// Where a packet to `address` goes. `dropped` gets the packets of a neighbour that had to make room.
    pub(super) fn look_up(&mut self, now: Instant, address: IpAddr, dropped: &mut Vec<Packet>) -> Lookup {
        if let Some(neighbour) = self.entries.get_mut(&address) {
            neighbour.touched = now;
            match neighbour.state {
                State::Reachable { mac, until } if now < until => return Lookup::Known(mac),
                State::Reachable { mac, .. } | State::Stale { mac } => {
                    neighbour.state = State::Delayed { mac, until: now + DELAY_FIRST_PROBE };
                    self.find_next();
                    return Lookup::Known(mac);
                }
                State::Delayed { mac, .. } | State::Probed { mac, .. } => return Lookup::Known(mac),
                State::Asked { .. } => return Lookup::BeingAsked,
            }
        }
        let again = now + ASK_AGAIN;
        let state = State::Asked { questions: 1, again, queue: VecDeque::new(), octets: 0 };
        self.insert(now, address, state, dropped);
        Lookup::AskNow
    }

    /// Lets a packet wait for a neighbour that is being asked; the oldest make room (RFC 4861 §7.2.2).
    pub(super) fn wait(&mut self, address: IpAddr, waiting: Waiting, dropped: &mut Vec<Packet>) {
        let Some(Neighbour { state: State::Asked { queue, octets, .. }, .. }) = self.entries.get_mut(&address) else {
            return dropped.push(waiting.0);
        };
        *octets += waiting.0.len();
        queue.push_back(waiting);
        while (queue.len() > UNRESOLVED.packets || *octets > UNRESOLVED.octets)
            && queue.len() > 1
            && let Some((oldest, _)) = queue.pop_front()
        {
            *octets -= oldest.len();
            dropped.push(oldest);
        }
    }

    /// Takes in what a neighbour says of itself (RFC 4861 §7.2.5, RFC 826); returns its address and the packets that
    /// waited for it.
    pub(super) fn hear(
        &mut self,
        now: Instant,
        address: IpAddr,
        news: News,
        dropped: &mut Vec<Packet>,
    ) -> Option<(Mac, VecDeque<Waiting>)> {
        let Some(neighbour) = self.entries.get_mut(&address) else {
            if let Some(mac) = news.mac.filter(|_| news.may_be_new) {
                let state = fresh(mac, news.solicited, now);
                self.insert(now, address, state, dropped);
            }
            return None;
        };
        neighbour.touched = now;
        let mut answered = None;
        match (&mut neighbour.state, news.mac) {
            (State::Asked { .. }, None) => return None,
            (State::Asked { queue, .. }, Some(mac)) => {
                answered = Some((mac, std::mem::take(queue)));
                neighbour.state = fresh(mac, news.solicited, now);
            }
            (known, mac) => neighbour.state = updated(known, mac, news, now)?,
        }
        self.find_next();
        answered
    }

    /// A higher layer knows that the neighbour hears us: what was sent there was acknowledged (RFC 4861 §7.3.1).
    pub(super) fn confirm(&mut self, now: Instant, address: IpAddr) {
        let Some(neighbour) = self.entries.get_mut(&address) else { return };
        let Some(mac) = neighbour.state.mac() else { return };
        let had_timer = neighbour.state.due().is_some();
        neighbour.state = State::Reachable { mac, until: now + REACHABLE_TIME };
        if had_timer {
            self.find_next();
        }
    }

    /// Lets every timer fire whose time has come.
    pub(super) fn expire(&mut self, now: Instant) -> Vec<Due> {
        let mut due = Vec::new();
        if self.next.is_none_or(|next| now < next) {
            return due;
        }
        let mut silent = Vec::new();
        for (address, neighbour) in &mut self.entries {
            if neighbour.state.due().is_none_or(|at| now < at) {
                continue;
            }
            match &mut neighbour.state {
                State::Asked { questions, again, .. } if *questions < QUESTIONS => {
                    *questions += 1;
                    *again = now + ASK_AGAIN;
                    due.push(Due::Ask(*address, None));
                }
                State::Probed { mac, questions, again } if *questions < QUESTIONS => {
                    *questions += 1;
                    *again = now + ASK_AGAIN;
                    due.push(Due::Ask(*address, Some(*mac)));
                }
                State::Delayed { mac, .. } => {
                    let mac = *mac;
                    neighbour.state = State::Probed { mac, questions: 1, again: now + ASK_AGAIN };
                    due.push(Due::Ask(*address, Some(mac)));
                }
                State::Asked { .. } | State::Probed { .. } => silent.push(*address),
                State::Reachable { .. } | State::Stale { .. } => {}
            }
        }
        for address in silent {
            let queue = match self.entries.remove(&address).map(|neighbour| neighbour.state) {
                Some(State::Asked { queue, .. }) => queue,
                Some(State::Probed { .. } | State::Delayed { .. } | State::Reachable { .. } | State::Stale { .. })
                | None => VecDeque::new(),
            };
            due.push(Due::Silent(address, queue));
        }
        self.find_next();
        due
    }

    fn insert(&mut self, now: Instant, address: IpAddr, state: State, dropped: &mut Vec<Packet>) {
        if self.entries.len() >= NEIGHBOURS {
            // Those nobody waits for go first, the longest unheard of among them; but questions without an answer may take
            // up no more than half of the room: strangers can make us ask for whomever they like (RFC 6583 §7.1).
            let is_asked = |neighbour: &Neighbour| neighbour.state.mac().is_none();
            let asked = self.entries.values().filter(|neighbour| is_asked(neighbour)).count();
            let asked_go = asked >= NEIGHBOURS / 2;
            let oldest = self.entries.iter().min_by_key(|(_, other)| (is_asked(other) != asked_go, other.touched));
            if let Some(oldest) = oldest.map(|(address, _)| *address)
                && let Some(Neighbour { state: State::Asked { queue, .. }, .. }) = self.entries.remove(&oldest)
            {
                dropped.extend(queue.into_iter().map(|(packet, _)| packet));
            }
        }
        self.entries.insert(address, Neighbour { state, touched: now });
        self.find_next();
    }

    /// Whether packets wait for somebody's answer.
    pub(super) fn is_waited_for(&self) -> bool {
        let waits = |neighbour: &Neighbour| matches!(&neighbour.state, State::Asked { queue, .. } if !queue.is_empty());
        self.entries.values().any(waits)
    }

    fn find_next(&mut self) {
        self.next = self.entries.values().filter_map(|neighbour| neighbour.state.due()).min();
    }

    #[cfg(test)]
    pub(super) fn size(&self) -> (usize, usize) {
        let waiting = |neighbour: &Neighbour| match &neighbour.state {
            State::Asked { queue, octets, .. } => {
                assert_eq!(*octets, queue.iter().map(|(packet, _)| packet.len()).sum::<usize>());
                *octets
            }
            State::Reachable { .. } | State::Stale { .. } | State::Delayed { .. } | State::Probed { .. } => 0,
        };
        (self.entries.len(), self.entries.values().map(waiting).sum())
    }
}

/// The state of a neighbour whose address has just become known.
fn fresh(mac: Mac, solicited: bool, now: Instant) -> State {
    if solicited { State::Reachable { mac, until: now + REACHABLE_TIME } } else { State::Stale { mac } }
}

/// The state of a known neighbour after its news; `None` when they change nothing (RFC 4861 §7.2.5).
fn updated(known: &State, mac: Option<Mac>, news: News, now: Instant) -> Option<State> {
    let old = known.mac()?;
    let differs = mac.is_some_and(|mac| mac != old);
    if differs && !news.overrides {
        // Somebody else claims the address: it is asked before it is believed.
        return matches!(known, State::Reachable { .. }).then_some(State::Stale { mac: old });
    }
    let mac = mac.unwrap_or(old);
    if news.solicited {
        Some(State::Reachable { mac, until: now + REACHABLE_TIME })
    } else {
        differs.then_some(State::Stale { mac })
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::journal::{Reason, Why};
    use crate::packet::Medium;

    const MAC: Mac = [2, 0, 0, 0, 0, 2];
    const OTHER: Mac = [2, 0, 0, 0, 0, 9];
    const ANSWER: News = News { mac: Some(MAC), solicited: true, overrides: true, may_be_new: false };

    fn host(number: u16) -> IpAddr {
        [10, 0, (number >> 8) as u8, number as u8].into()
    }

    fn at(millis: u64) -> Instant {
        Instant::from_nanos(millis * 1_000_000)
    }

    fn packet(octets: usize) -> Waiting {
        (Packet::new(Medium::Ip, &vec![0; octets]), Errand::Own(Why::of(Reason::Datagram)))
    }

    fn look_up(cache: &mut Neighbours, now: Instant) -> Lookup {
        cache.look_up(now, host(2), &mut Vec::new())
    }

    fn asked(cache: &mut Neighbours, now: Instant) -> Vec<Option<Mac>> {
        let due = cache.expire(now).into_iter();
        due.map(|due| match due {
            Due::Ask(_, mac) => mac,
            Due::Silent(..) => panic!("the neighbour was given up"),
        })
        .collect()
    }

    /// RFC 1122 §2.3.2.1, RFC 4861 §7.2.2.
    #[test]
    fn a_silent_neighbour_is_asked_three_times_a_second_apart_and_then_given_up() {
        let mut cache = Neighbours::default();
        assert_eq!(look_up(&mut cache, at(0)), Lookup::AskNow);
        cache.wait(host(2), packet(100), &mut Vec::new());
        assert_eq!((look_up(&mut cache, at(500)), cache.deadline()), (Lookup::BeingAsked, Some(at(1000))));
        assert!(asked(&mut cache, at(999)).is_empty());
        assert_eq!((asked(&mut cache, at(1000)), asked(&mut cache, at(2000))), (vec![None], vec![None]));
        let due = cache.expire(at(3000));
        assert!(
            matches!(&due[..], [Due::Silent(address, queue)] if *address == host(2) && queue.len() == 1),
            "{due:?}"
        );
        assert_eq!((cache.size(), cache.deadline()), ((0, 0), None));
    }

    #[test]
    fn an_answer_lets_the_waiting_packets_go_in_order() {
        let mut cache = Neighbours::default();
        look_up(&mut cache, at(0));
        (1..=3).for_each(|octets| cache.wait(host(2), packet(octets), &mut Vec::new()));
        let (mac, queue) = cache.hear(at(1), host(2), ANSWER, &mut Vec::new()).expect("it was asked for");
        assert_eq!((mac, queue.iter().map(|(packet, _)| packet.len()).collect::<Vec<_>>()), (MAC, vec![1, 2, 3]));
        assert_eq!((look_up(&mut cache, at(2)), cache.deadline()), (Lookup::Known(MAC), None));
    }

    /// RFC 4861 §7.3.3.
    #[test]
    fn a_neighbour_in_use_is_asked_again_when_nobody_confirms_it() {
        let mut cache = Neighbours::default();
        look_up(&mut cache, at(0));
        cache.hear(at(0), host(2), ANSWER, &mut Vec::new());
        assert_eq!((look_up(&mut cache, at(29_999)), cache.deadline()), (Lookup::Known(MAC), None));
        assert_eq!((look_up(&mut cache, at(30_000)), cache.deadline()), (Lookup::Known(MAC), Some(at(35_000))));
        assert_eq!(asked(&mut cache, at(35_000)), [Some(MAC)]);
        assert_eq!(look_up(&mut cache, at(35_500)), Lookup::Known(MAC));
        assert_eq!(asked(&mut cache, at(36_000)), [Some(MAC)]);
        cache.confirm(at(36_500), host(2));
        assert_eq!((look_up(&mut cache, at(60_000)), cache.deadline()), (Lookup::Known(MAC), None));
        look_up(&mut cache, at(70_000));
        for second in 75..78 {
            assert_eq!(asked(&mut cache, at(second * 1000)).len(), 1);
        }
        assert!(matches!(&cache.expire(at(78_000))[..], [Due::Silent(_, queue)] if queue.is_empty()));
        assert_eq!(look_up(&mut cache, at(78_001)), Lookup::AskNow);
    }

    /// RFC 4861 §7.2.5.
    #[test]
    fn news_change_what_is_known_as_far_as_they_may() {
        let known = |solicited| {
            let mut cache = Neighbours::default();
            look_up(&mut cache, at(0));
            cache.hear(at(0), host(2), News { solicited, ..ANSWER }, &mut Vec::new());
            cache
        };
        let hear = |cache: &mut Neighbours, news| {
            cache.hear(at(1), host(2), news, &mut Vec::new());
            let lookup = look_up(cache, at(1));
            (lookup, cache.deadline().is_some())
        };
        let claim = News { mac: Some(OTHER), solicited: false, overrides: false, may_be_new: false };
        // The second value: whether the neighbour is doubted, and will be asked.
        assert_eq!(hear(&mut known(true), claim), (Lookup::Known(MAC), true));
        assert_eq!(hear(&mut known(true), News { overrides: true, ..claim }), (Lookup::Known(OTHER), true));
        let sure = News { overrides: true, solicited: true, ..claim };
        assert_eq!(hear(&mut known(true), sure), (Lookup::Known(OTHER), false));
        assert_eq!(hear(&mut known(false), News { mac: None, solicited: true, ..claim }), (Lookup::Known(MAC), false));
        assert_eq!(hear(&mut known(true), News { mac: Some(MAC), ..claim }), (Lookup::Known(MAC), false));
    }

    #[test]
    fn only_who_is_about_to_hear_from_us_is_remembered_unasked() {
        let mut cache = Neighbours::default();
        cache.hear(at(0), host(2), ANSWER, &mut Vec::new());
        assert_eq!(cache.size(), (0, 0));
        cache.hear(at(0), host(2), News { may_be_new: true, ..ANSWER }, &mut Vec::new());
        assert_eq!(look_up(&mut cache, at(0)), Lookup::Known(MAC));
    }

    #[test]
    fn a_full_queue_drops_the_oldest() {
        let mut cache = Neighbours::default();
        let mut dropped = Vec::new();
        look_up(&mut cache, at(0));
        (1..=20).for_each(|octets| cache.wait(host(2), packet(octets), &mut dropped));
        assert_eq!(dropped.iter().map(Packet::len).collect::<Vec<_>>(), [1, 2, 3, 4]);
        (0..3).for_each(|_| cache.wait(host(2), packet(60_000), &mut dropped));
        assert_eq!(cache.size(), (1, 120_000));
        cache.wait(host(2), packet(200_000), &mut dropped);
        assert_eq!(cache.size(), (1, 200_000), "at least one packet waits, however long");
    }

    #[test]
    fn a_full_cache_forgets_whom_it_has_not_heard_of_for_longest() {
        let mut cache = Neighbours::default();
        let mut dropped = Vec::new();
        let news = News { may_be_new: true, ..ANSWER };
        for number in 0..NEIGHBOURS as u16 {
            cache.hear(at(u64::from(number)), host(number), news, &mut dropped);
        }
        cache.look_up(at(1000), host(0), &mut dropped);
        cache.hear(at(1001), host(500), news, &mut dropped);
        assert_eq!(cache.size().0, NEIGHBOURS);
        assert_eq!(cache.look_up(at(1002), host(0), &mut dropped), Lookup::Known(MAC));
        assert_eq!(cache.look_up(at(1002), host(1), &mut dropped), Lookup::AskNow);
        assert!(cache.deadline() > Some(at(1002) + Duration::from_millis(1)));
    }

    /// RFC 6583 §7.1: a flood of packets from addresses that are nobody's must not cost the neighbours that are in use.
    #[test]
    fn questions_that_nobody_answers_do_not_push_out_those_who_did() {
        let mut cache = Neighbours::default();
        let mut dropped = Vec::new();
        for number in 0..NEIGHBOURS as u16 / 2 {
            cache.hear(at(0), host(number), News { may_be_new: true, ..ANSWER }, &mut dropped);
        }
        for number in 0..1000 {
            cache.look_up(at(1 + number), host(1000 + number as u16), &mut dropped);
        }
        for number in 0..NEIGHBOURS as u16 / 2 {
            assert_eq!(cache.look_up(at(1001), host(number), &mut dropped), Lookup::Known(MAC), "{number}");
        }
        assert_eq!(cache.size().0, NEIGHBOURS);
    }
}
