//! Fragments, put together again (RFC 791 §3.2, RFC 8200 §4.5).
//!
//! ```text
//!   0        1480      2960   total
//!   ├─ piece ─┤  (hole)  ├ piece ┤     done when the pieces' lengths add up to the total
//! ```
//!
//! Pieces may come in any order. One that lies wholly within another and says the same is a duplicate and ignored; any
//! other overlap spoils the whole datagram, and what still comes of it is thrown away (RFC 5722 §4, for IPv4 too: nobody
//! but an attacker sends such fragments). What is kept is bounded in datagrams and in octets at their real size.
//!
//! What does not live here: headers. The caller says whose piece it is and where it belongs, and gets the data back.

use std::collections::{BTreeMap, VecDeque};
use std::net::IpAddr;

use bytes::Bytes;

use super::limits::{DATAGRAMS, FRAGMENTS, LONGEST, REASSEMBLY_TIME};
use crate::packet::PacketId;
use crate::time::Instant;

/// Whose fragment it is (RFC 791 §3.2: with the protocol; RFC 8200 §4.5: without).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Key {
    pub src: IpAddr,
    pub dst: IpAddr,
    /// 0 over IPv6.
    pub protocol: u8,
    pub identification: u32,
}

/// One fragment.
#[derive(Clone, Debug)]
pub(super) struct Piece<'a> {
    /// The packet that brought it.
    pub packet: PacketId,
    /// Where it belongs, in octets.
    pub offset: usize,
    /// Whether others follow.
    pub more: bool,
    /// Its data.
    pub data: &'a [u8],
    /// Everything before its data: network header and what else must stand in front. Kept of the first piece only.
    pub headers: &'a [u8],
    /// Its two ECN bits.
    pub ecn: u8,
}

/// What a piece leads to.
#[derive(Debug, PartialEq)]
pub(super) enum Outcome {
    /// Others are missing.
    Waiting,
    /// It was there before.
    Duplicate,
    /// It does not fit to the others, or belongs to a datagram that was spoiled before.
    Spoiled,
    /// Nothing is missing.
    Whole(Whole),
}

/// A datagram, put together.
#[derive(Debug, PartialEq)]
pub(super) struct Whole {
    /// Everything before the data of the first piece.
    pub headers: Vec<u8>,
    /// The data.
    pub data: Vec<u8>,
    /// The ECN bits that follow from those of all pieces (RFC 3168 §5.3).
    pub ecn: u8,
}

/// A datagram that was given up.
#[derive(Debug, PartialEq)]
pub(super) struct GivenUp {
    /// The packets that brought its pieces.
    pub packets: Vec<PacketId>,
    /// Its first piece with everything before it, if that came: only then its sender is told (RFC 792, RFC 8200 §4.5).
    pub first: Option<Vec<u8>>,
}

/// The datagrams that wait for the rest of them.
#[derive(Debug, Default)]
pub(super) struct Reassembly {
    datagrams: BTreeMap<Key, Datagram>,
    /// Oldest first. All wait equally long, so this is also the order in which time runs out.
    order: VecDeque<(Instant, Key)>,
    octets: usize,
}

#[derive(Debug)]
struct Datagram {
    pieces: BTreeMap<usize, Kept>,
    /// Where the last piece ends, once that came.
    total: Option<usize>,
    /// Octets of all pieces.
    arrived: usize,
    headers: Vec<u8>,
    ecn: Ecn,
    /// Pieces overlapped: whatever comes is thrown away.
    spoiled: bool,
}

#[derive(Debug)]
struct Kept {
    data: Bytes,
    packet: PacketId,
}

/// What a kept piece costs besides its octets: its place in the tree and its own allocation.
const OVERHEAD: usize = 128;

/// The ECN bits that were seen on pieces.
#[derive(Clone, Copy, Debug, Default)]
struct Ecn {
    first: Option<u8>,
    congested: bool,
    not_capable: bool,
}

impl Ecn {
    fn see(&mut self, bits: u8) {
        self.first.get_or_insert(bits);
        self.congested |= bits == 3;
        self.not_capable |= bits == 0;
    }

    /// `None` when some pieces met congestion and others say that the transport knows nothing of it.
    fn verdict(self) -> Option<u8> {
        match (self.congested, self.not_capable) {
            (true, true) => None,
            (true, false) => Some(3),
            (false, _) => Some(self.first.unwrap_or(0)),
        }
    }
}

impl Reassembly {
    /// When the oldest datagram is given up.
    pub(super) fn deadline(&self) -> Option<Instant> {
        self.order.front().map(|(until, _)| *until)
    }

    /// Takes a piece in. `dropped` gets the packets of what is thrown away on the way: of this datagram when it is
    /// spoiled, of the oldest others when there is no room.
    pub(super) fn take(&mut self, now: Instant, key: Key, piece: &Piece<'_>, dropped: &mut Vec<PacketId>) -> Outcome {
        self.make_room(&key, piece.data.len() + piece.headers.len() + OVERHEAD, dropped);
        let before = self.datagrams.get(&key).map_or(0, Datagram::cost);
        let datagram = self.datagrams.entry(key).or_insert_with(|| {
            self.order.push_back((now + REASSEMBLY_TIME, key));
            Datagram::new()
        });
        let outcome = datagram.take(piece, dropped);
        self.octets = self.octets + datagram.cost() - before;
        if matches!(outcome, Outcome::Whole(_)) {
            self.forget(&key);
        }
        outcome
    }

    /// Gives up the datagrams whose time is over.
    pub(super) fn expire(&mut self, now: Instant) -> Vec<(Key, GivenUp)> {
        let mut given_up = Vec::new();
        while let Some((until, key)) = self.order.front().copied()
            && until <= now
        {
            given_up.extend(self.forget(&key).map(|datagram| (key, datagram.give_up())));
        }
        given_up
    }

    /// Throws the oldest datagrams away until there is room for `octets` more of the one called `key`.
    fn make_room(&mut self, key: &Key, octets: usize, dropped: &mut Vec<PacketId>) {
        let is_full = |this: &Reassembly| {
            let another = usize::from(!this.datagrams.contains_key(key));
            this.octets + octets > FRAGMENTS || this.datagrams.len() + another > DATAGRAMS
        };
        while is_full(self)
            && let Some((_, oldest)) = self.order.front().copied()
        {
            if let Some(datagram) = self.forget(&oldest) {
                dropped.extend(datagram.packets());
            }
        }
    }

    fn forget(&mut self, key: &Key) -> Option<Datagram> {
        let datagram = self.datagrams.remove(key)?;
        self.octets -= datagram.cost();
        self.order.retain(|(_, other)| other != key);
        Some(datagram)
    }

    #[cfg(test)]
    pub(super) fn size(&self) -> (usize, usize) {
        assert_eq!(self.octets, self.datagrams.values().map(Datagram::cost).sum::<usize>());
        assert_eq!(self.order.len(), self.datagrams.len());
        (self.datagrams.len(), self.octets)
    }
}

impl Datagram {
    fn new() -> Datagram {
        Datagram {
            pieces: BTreeMap::new(),
            total: None,
            arrived: 0,
            headers: Vec::new(),
            ecn: Ecn::default(),
            spoiled: false,
        }
    }

    fn cost(&self) -> usize {
        OVERHEAD + self.headers.len() + self.arrived + self.pieces.len() * OVERHEAD
    }

    fn packets(&self) -> impl Iterator<Item = PacketId> + '_ {
        self.pieces.values().map(|kept| kept.packet)
    }

    fn take(&mut self, piece: &Piece<'_>, dropped: &mut Vec<PacketId>) -> Outcome {
        if self.spoiled {
            return Outcome::Spoiled;
        }
        if self.is_duplicate(piece) {
            return Outcome::Duplicate;
        }
        if !self.fits(piece) {
            return self.spoil(dropped);
        }
        let end = piece.offset + piece.data.len();
        if !piece.more {
            self.total = Some(end);
        }
        if piece.offset == 0 {
            self.headers = piece.headers.to_vec();
        }
        self.ecn.see(piece.ecn);
        self.arrived += piece.data.len();
        // Copied, so that a short piece does not hold on to a long buffer.
        let kept = Kept { data: Bytes::copy_from_slice(piece.data), packet: piece.packet };
        self.pieces.insert(piece.offset, kept);
        if self.total != Some(self.arrived) {
            return Outcome::Waiting;
        }
        let Some(ecn) = self.ecn.verdict() else { return self.spoil(dropped) };
        let mut data = Vec::with_capacity(self.arrived);
        self.pieces.values().for_each(|kept| data.extend_from_slice(&kept.data));
        Outcome::Whole(Whole { headers: std::mem::take(&mut self.headers), data, ecn })
    }

    /// Throws everything away, and what still comes.
    fn spoil(&mut self, dropped: &mut Vec<PacketId>) -> Outcome {
        dropped.extend(self.packets());
        *self = Datagram { spoiled: true, ..Datagram::new() };
        Outcome::Spoiled
    }

    /// Whether one kept piece says all that this one says.
    fn is_duplicate(&self, piece: &Piece<'_>) -> bool {
        let Some((start, kept)) = self.pieces.range(..=piece.offset).next_back() else { return false };
        let within = piece.offset - start;
        let same_end = piece.more || self.total == Some(piece.offset + piece.data.len());
        same_end && kept.data.get(within..within + piece.data.len()) == Some(piece.data)
    }

    /// Whether the piece overlaps no other and agrees with what is known of the end.
    fn fits(&self, piece: &Piece<'_>) -> bool {
        let end = piece.offset + piece.data.len();
        let before = self.pieces.range(..=piece.offset).next_back();
        let after = self.pieces.range(piece.offset..).next();
        let furthest = self.pieces.last_key_value().map_or(0, |(start, kept)| start + kept.data.len());
        let agrees_on_end = match self.total {
            Some(total) => end <= total && (piece.more || end == total),
            None => piece.more || furthest <= end,
        };
        // A piece without data that is not the last says nothing, and two may not begin at one place.
        (!piece.data.is_empty() || !piece.more)
            && end <= LONGEST
            && agrees_on_end
            && before.is_none_or(|(start, kept)| start + kept.data.len() <= piece.offset && *start != piece.offset)
            && after.is_none_or(|(start, _)| end <= *start)
    }

    fn give_up(&self) -> GivenUp {
        let first = self.pieces.get(&0).map(|kept| [&self.headers, &kept.data[..]].concat());
        GivenUp { packets: self.packets().collect(), first }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const KEY: Key = Key {
        src: IpAddr::V4(std::net::Ipv4Addr::LOCALHOST),
        dst: IpAddr::V4(std::net::Ipv4Addr::LOCALHOST),
        protocol: 17,
        identification: 1,
    };

    fn pattern(octets: usize) -> Vec<u8> {
        (0..octets).map(|index| (index % 251) as u8).collect()
    }

    /// A part of `data`; the last one when it reaches the end.
    fn part(data: &[u8], offset: usize, end: usize) -> Piece<'_> {
        let packet = PacketId(offset as u64);
        Piece { packet, offset, more: end < data.len(), data: &data[offset..end], headers: b"head", ecn: 0 }
    }

    fn take(room: &mut Reassembly, piece: &Piece<'_>) -> Outcome {
        room.take(Instant::ZERO, KEY, piece, &mut Vec::new())
    }

    fn whole(data: &[u8]) -> Outcome {
        Outcome::Whole(Whole { headers: b"head".to_vec(), data: data.to_vec(), ecn: 0 })
    }

    /// CONFORMANCE 36: basic, out of order, duplicate, subset, overlap.
    #[test]
    fn pieces_make_a_whole_in_any_order_but_never_when_they_overlap() {
        let data = pattern(40);
        type Case = (&'static str, &'static [(usize, usize)], bool);
        let cases: [Case; 9] = [
            ("in order", &[(0, 16), (16, 32), (32, 40)], true),
            ("out of order", &[(32, 40), (0, 16), (16, 32)], true),
            ("a duplicate", &[(0, 16), (0, 16), (16, 40)], true),
            ("a subset", &[(0, 16), (8, 16), (16, 40)], true),
            ("a duplicate of the last", &[(16, 40), (16, 40), (0, 16)], true),
            ("an overlap at the end", &[(0, 16), (8, 24), (24, 40)], false),
            ("an overlap at the start", &[(16, 32), (8, 24), (0, 8), (32, 40)], false),
            ("a superset", &[(8, 16), (0, 24), (24, 40)], false),
            ("across a gap", &[(0, 8), (16, 24), (8, 24), (24, 40)], false),
        ];
        for (what, ranges, joined) in cases {
            let mut room = Reassembly::default();
            let outcomes: Vec<_> = ranges.iter().map(|(from, to)| take(&mut room, &part(&data, *from, *to))).collect();
            assert_eq!(outcomes.contains(&whole(&data)), joined, "{what}: {outcomes:?}");
            assert_eq!(room.size().0, usize::from(!joined), "{what}");
        }
    }

    #[test]
    fn a_subset_that_says_something_else_spoils_the_whole() {
        let (data, other) = (pattern(40), vec![9; 40]);
        let mut room = Reassembly::default();
        take(&mut room, &part(&data, 0, 16));
        assert_eq!(take(&mut room, &part(&other, 8, 16)), Outcome::Spoiled);
        // RFC 5722 §4: what comes later is thrown away too.
        assert_eq!(take(&mut room, &part(&data, 0, 16)), Outcome::Spoiled);
        assert_eq!(take(&mut room, &part(&data, 16, 40)), Outcome::Spoiled);
    }

    #[test]
    fn two_ends_spoil_the_whole() {
        let data = pattern(40);
        let last = |from: usize, to: usize| Piece { more: false, ..part(&data, from, to) };
        for (first, second) in [((16, 24), (24, 32)), ((24, 32), (16, 24)), ((24, 32), (32, 40))] {
            let mut room = Reassembly::default();
            assert_eq!(take(&mut room, &last(first.0, first.1)), Outcome::Waiting);
            assert_eq!(take(&mut room, &last(second.0, second.1)), Outcome::Spoiled, "{first:?} {second:?}");
        }
        let mut room = Reassembly::default();
        take(&mut room, &part(&data, 24, 32));
        assert_eq!(take(&mut room, &last(8, 16)), Outcome::Spoiled, "an end before what came");
        let mut room = Reassembly::default();
        let beyond = Piece { offset: LONGEST - 7, ..part(&data, 0, 8) };
        assert_eq!(take(&mut room, &beyond), Outcome::Spoiled, "longer than any packet");
    }

    /// RFC 3168 §5.3.
    #[test]
    fn congestion_seen_by_one_piece_is_seen_by_the_whole() {
        for (first, second, joined) in
            [(0, 0, Some(0)), (2, 2, Some(2)), (2, 3, Some(3)), (3, 1, Some(3)), (0, 3, None)]
        {
            let data = pattern(16);
            let mut room = Reassembly::default();
            take(&mut room, &Piece { ecn: first, ..part(&data, 0, 8) });
            let outcome = take(&mut room, &Piece { ecn: second, ..part(&data, 8, 16) });
            let ecn = match outcome {
                Outcome::Whole(whole) => Some(whole.ecn),
                Outcome::Waiting | Outcome::Duplicate | Outcome::Spoiled => None,
            };
            assert_eq!(ecn, joined, "{first} and {second}");
            let given_up = room.expire(Instant::ZERO + REASSEMBLY_TIME);
            assert!(given_up.iter().all(|(_, given_up)| given_up.first.is_none()), "nobody is told");
        }
    }

    #[test]
    fn time_runs_out_from_the_first_piece_that_came() {
        let data = pattern(40);
        let mut room = Reassembly::default();
        take(&mut room, &part(&data, 16, 24));
        let later = Instant::ZERO + REASSEMBLY_TIME / 2;
        room.take(later, KEY, &part(&data, 0, 8), &mut Vec::new());
        assert_eq!(room.deadline(), Some(Instant::ZERO + REASSEMBLY_TIME));
        assert!(room.expire(later).is_empty());
        let first = Some([&b"head"[..], &data[..8]].concat());
        let given_up = GivenUp { packets: vec![PacketId(0), PacketId(16)], first };
        assert_eq!(room.expire(Instant::ZERO + REASSEMBLY_TIME), [(KEY, given_up)]);
        assert_eq!((room.size(), room.deadline()), ((0, 0), None));
    }

    #[test]
    fn the_oldest_makes_room() {
        let data = pattern(60_000);
        let mut room = Reassembly::default();
        let mut dropped = Vec::new();
        for identification in 0..200 {
            let key = Key { identification, ..KEY };
            room.take(Instant::ZERO, key, &part(&data, 8, 16), &mut dropped);
        }
        assert_eq!((room.size().0, dropped.len()), (DATAGRAMS, 200 - DATAGRAMS));
        for identification in 0..200 {
            let key = Key { identification, ..KEY };
            room.take(Instant::ZERO, key, &part(&data, 8, 50_000), &mut dropped);
            assert!(room.size().1 <= FRAGMENTS);
        }
        assert!(room.size().0 > 10);
    }

    proptest! {
        /// RFC 791 §3.2, RFC 8200 §4.5: any order, any duplicates, the same octets.
        #[test]
        fn any_order_with_duplicates_gives_the_same_octets(
            cuts in prop::collection::btree_set(1_usize..200, 0..20),
            order in prop::collection::vec(any::<prop::sample::Index>(), 0..60),
            octets in 1600_usize..1700,
        ) {
            let data = pattern(octets);
            let mut edges = vec![0];
            edges.extend(cuts.iter().map(|cut| cut * 8).filter(|cut| *cut < octets));
            edges.push(octets);
            let parts: Vec<_> = edges.windows(2).map(|edge| part(&data, edge[0], edge[1])).collect();
            let mut room = Reassembly::default();
            let mut wholes = Vec::new();
            let random = order.iter().map(|index| index.index(parts.len()));
            for index in random.chain(0..parts.len()) {
                match take(&mut room, &parts[index]) {
                    Outcome::Whole(whole) => {
                        wholes.push(whole.data);
                        break;
                    }
                    Outcome::Waiting | Outcome::Duplicate => {}
                    Outcome::Spoiled => prop_assert!(false, "spoiled"),
                }
            }
            prop_assert_eq!(wholes, vec![data]);
            prop_assert_eq!(room.size(), (0, 0));
        }

        /// RFC 5722 §4, RFC 8200 §4.5: one overlap, and nothing of it is ever delivered.
        #[test]
        fn an_overlap_gives_nothing(
            cuts in prop::collection::btree_set(1_usize..50, 1..20),
            place in any::<prop::sample::Index>(),
            order in any::<prop::sample::Index>(),
            reach in 1_usize..50,
        ) {
            let data = pattern(800);
            let mut edges = vec![0];
            edges.extend(cuts.iter().map(|cut| cut * 16));
            edges.push(800);
            let mut parts: Vec<_> = edges.windows(2).map(|edge| part(&data, edge[0], edge[1])).collect();
            // It begins within one part, of which none is shorter than 16 octets, and ends in a later one.
            let inside = edges[1 + place.index(edges.len() - 2)];
            let overlap = part(&data, inside - 8, (inside + reach * 8).min(800));
            parts.insert(order.index(parts.len()), overlap);
            let mut room = Reassembly::default();
            for part in parts.iter().chain(&parts) {
                let outcome = take(&mut room, part);
                prop_assert!(!matches!(outcome, Outcome::Whole(_)), "{:?}", outcome);
            }
        }
    }
}
