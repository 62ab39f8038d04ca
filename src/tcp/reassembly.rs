//! What has arrived: octets in order until somebody reads them, octets beyond a gap until it is filled.
//!
//! ```text
//!    read      in order, unread          gap        held          gap   held
//!   ░░░░░░░┼██████████████████████┼──────────────┼████████┼──────────┼███┼────►
//!                              RCV.NXT
//! ```
//!
//! RFC 9293 §3.10.7.4 (SHLD-31 asks to queue what is out of order), RFC 2018 (which ranges to report, newest first),
//! RFC 2883 (what arrived twice is reported before). Positions count octets of the stream in 64 bits.

use std::collections::BTreeMap;
use std::ops::Range;

use bytes::Bytes;
use smallvec::SmallVec;

use super::octets::Octets;
use super::ranges::{Held, RangeSet};
use super::segment::Payload;

/// What a held piece costs besides its octets.
const PIECE_COST: usize = 128;
/// Held pieces no longer than this are copied out of their packet, so that they do not keep it whole.
const COPIED: usize = 512;
/// Ranges that an acknowledgment can report.
const REPORTED: usize = 4;

/// Ranges to report.
pub(crate) type Blocks = SmallVec<[Range<u64>; REPORTED]>;

/// The receiving half's memory.
#[derive(Debug, Default)]
pub(crate) struct Reassembly {
    in_order: Octets,
    held: BTreeMap<u64, Bytes>,
    held_cost: usize,
    ranges: RangeSet<Held>,
    /// A position in each of the ranges that changed last, newest first.
    recent: Vec<u64>,
    /// What arrived twice last and was not yet reported; empty when nothing.
    duplicate: Range<u64>,
}

/// What has become of a segment's octets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Taken {
    /// They, and perhaps others that waited for them, are in order now.
    InOrder,
    /// They wait beyond a gap.
    Beyond,
    /// All of them had arrived before.
    Duplicate,
    /// There is no memory for them.
    NoRoom,
}

impl Reassembly {
    /// The position of the next octet in order: RCV.NXT on the stream's line.
    pub(crate) fn next(&self) -> u64 {
        self.in_order.end()
    }

    /// Octets in order that nobody has read.
    pub(crate) fn unread(&self) -> usize {
        self.in_order.len()
    }

    /// The position of the first octet that nobody has read.
    pub(crate) fn first_unread(&self) -> u64 {
        self.in_order.start()
    }

    /// Whether octets wait beyond a gap.
    pub(crate) fn has_gap(&self) -> bool {
        !self.ranges.is_empty()
    }

    /// The first gap.
    pub(crate) fn gap(&self) -> Option<Range<u64>> {
        self.ranges.iter().next().map(|first| self.next()..first.start)
    }

    /// Takes octets that begin at `position`. What is held may cost `room` at most.
    pub(crate) fn insert(&mut self, position: u64, payload: Payload, room: usize) -> Taken {
        let length: u64 = payload.iter().map(|chunk| chunk.len() as u64).sum();
        let next = self.next();
        self.note_duplicate(position..position + length);
        if position + length <= next || self.ranges.covers(&(position.max(next)..position + length)) {
            // What is held of it is the newest range again: it follows the duplicate in the report (RFC 2883 §4).
            if position > next {
                self.touch(position);
            }
            return Taken::Duplicate;
        }
        if position > next {
            return self.hold(position, &payload, room);
        }
        push_from(&mut self.in_order, payload, next - position);
        self.join();
        Taken::InOrder
    }

    /// Takes octets in order into `buffer`; returns how many.
    pub(crate) fn read(&mut self, buffer: &mut [u8]) -> usize {
        self.in_order.take(buffer)
    }

    /// As [`Reassembly::read`], but leaves the octets where they are.
    pub(crate) fn peek(&self, buffer: &mut [u8]) -> usize {
        self.in_order.copy(buffer)
    }

    /// Forgets what is in order and nobody has read; the positions stay.
    pub(crate) fn forget_unread(&mut self) {
        self.in_order.remove_before(self.in_order.end());
    }

    /// Forgets everything, the positions too.
    pub(crate) fn clear(&mut self) {
        *self = Reassembly::default();
    }

    /// The ranges to report in an acknowledgment, at most `most`: first what arrived twice (RFC 2883 §4), then the newest
    /// range, then those reported before it (RFC 2018 §4).
    pub(crate) fn report(&self, most: usize) -> Blocks {
        let mut blocks = Blocks::new();
        blocks.extend(Some(self.duplicate.clone()).filter(|duplicate| most > 0 && !duplicate.is_empty()));
        let is_duplicate = blocks.len();
        for position in &self.recent {
            let Some(range) = self.ranges.at(*position) else { continue };
            if blocks.len() < most && !blocks[is_duplicate..].contains(&range) {
                blocks.push(range);
            }
        }
        blocks
    }

    /// Whether something arrived twice and was not yet reported.
    pub(crate) fn has_duplicate(&self) -> bool {
        !self.duplicate.is_empty()
    }

    /// A report has left: what arrived twice is told once.
    pub(crate) fn reported(&mut self) {
        self.duplicate = 0..0;
    }

    /// Remembers what of `range` had arrived before: the first part of it is reported once (RFC 2883 §4.2).
    pub(crate) fn note_duplicate(&mut self, range: Range<u64>) {
        if self.has_duplicate() {
            return;
        }
        let next = self.next();
        let old = range.start..range.end.min(next);
        if !old.is_empty() {
            self.duplicate = old;
        } else if let Some(overlap) = self.ranges.first_overlap(&range) {
            self.duplicate = overlap;
        }
    }

    fn hold(&mut self, position: u64, payload: &Payload, room: usize) -> Taken {
        let length: u64 = payload.iter().map(|chunk| chunk.len() as u64).sum();
        let missing = self.ranges.missing(&(position..position + length));
        let octets: u64 = missing.iter().map(|piece| piece.end - piece.start).sum();
        let cost = octets as usize + PIECE_COST * (missing.len() + payload.len());
        if self.held_cost + cost > room {
            return Taken::NoRoom;
        }
        for piece in missing {
            let mut at = position;
            for chunk in payload {
                let here = piece.start.max(at)..piece.end.min(at + chunk.len() as u64);
                if here.start < here.end {
                    self.keep(here.start, chunk.slice((here.start - at) as usize..(here.end - at) as usize));
                }
                at += chunk.len() as u64;
            }
            self.ranges.insert(piece);
        }
        self.touch(position);
        Taken::Beyond
    }

    /// The range that holds `position` has changed last. Each range has one place among the recent ones, however often it
    /// grows.
    fn touch(&mut self, position: u64) {
        let range = self.ranges.at(position).unwrap_or(position..position + 1);
        self.recent.retain(|recent| !range.contains(recent));
        self.recent.truncate(REPORTED - 1);
        self.recent.insert(0, position);
    }

    fn keep(&mut self, at: u64, chunk: Bytes) {
        self.held_cost += chunk.len() + PIECE_COST;
        let chunk = if chunk.len() <= COPIED { Bytes::copy_from_slice(&chunk) } else { chunk };
        self.held.insert(at, chunk);
    }

    /// Moves held pieces that have come within reach into the order.
    fn join(&mut self) {
        while let Some(first) = self.held.first_entry() {
            if *first.key() > self.in_order.end() {
                break;
            }
            let (at, chunk) = first.remove_entry();
            self.held_cost -= chunk.len() + PIECE_COST;
            let known = self.in_order.end() - at;
            let mut payload = Payload::new();
            payload.push(chunk);
            push_from(&mut self.in_order, payload, known);
        }
        self.ranges.remove_before(self.in_order.end());
        if self.ranges.is_empty() {
            self.recent.clear();
        }
    }
}

/// Appends `payload` without its first `known` octets.
fn push_from(queue: &mut Octets, payload: Payload, mut known: u64) {
    for chunk in payload {
        let cut = known.min(chunk.len() as u64);
        known -= cut;
        queue.push(chunk.slice(cut as usize..));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use smallvec::smallvec;

    const ROOM: usize = 1 << 20;

    fn octets(range: Range<u64>) -> Payload {
        smallvec![range.map(|at| (at * 7 % 251) as u8).collect::<Bytes>()]
    }

    fn insert(reassembly: &mut Reassembly, range: Range<u64>) -> Taken {
        reassembly.insert(range.start, octets(range), ROOM)
    }

    #[test]
    fn a_filled_gap_brings_everything_behind_it() {
        let mut reassembly = Reassembly::default();
        assert_eq!(insert(&mut reassembly, 10..20), Taken::Beyond);
        assert_eq!(insert(&mut reassembly, 30..40), Taken::Beyond);
        assert_eq!(reassembly.gap(), Some(0..10));
        assert_eq!(insert(&mut reassembly, 0..12), Taken::InOrder);
        assert_eq!((reassembly.gap(), reassembly.unread()), (Some(20..30), 20));
    }

    #[test]
    fn the_newest_range_is_reported_first_and_a_duplicate_before_it_once() {
        let mut reassembly = Reassembly::default();
        for start in [10, 50, 30] {
            insert(&mut reassembly, start..start + 10);
        }
        assert_eq!(reassembly.report(4).to_vec(), [30..40, 50..60, 10..20]);
        assert_eq!(insert(&mut reassembly, 52..58), Taken::Duplicate);
        assert_eq!(reassembly.report(3).to_vec(), [52..58, 50..60, 30..40]);
        reassembly.reported();
        assert_eq!(reassembly.report(3).to_vec(), [50..60, 30..40, 10..20]);
    }

    /// RFC 2018 §4: the option is filled up with the ranges reported before, also while the newest one grows.
    #[test]
    fn a_range_that_grows_does_not_push_the_others_out_of_the_report() {
        let mut reassembly = Reassembly::default();
        insert(&mut reassembly, 10..20);
        for start in (50..100).step_by(10) {
            insert(&mut reassembly, start..start + 10);
        }
        assert_eq!(reassembly.report(3).to_vec(), [50..100, 10..20]);
    }

    #[test]
    fn many_small_pieces_are_refused_before_they_cost_more_than_the_room() {
        let mut reassembly = Reassembly::default();
        let taken =
            (1..10_000).filter(|at| reassembly.insert(at * 2, octets(0..1), 64 * 1024) == Taken::Beyond).count();
        assert!((200..600).contains(&taken), "{taken}");
        assert!(reassembly.held_cost <= 64 * 1024);
    }

    #[test]
    fn a_small_piece_does_not_keep_its_large_packet() {
        let mut reassembly = Reassembly::default();
        let packet = Bytes::from(vec![0; 65_000]);
        reassembly.insert(10, smallvec![packet.slice(..1)], ROOM);
        assert!(packet.is_unique());
    }

    #[test]
    fn what_waits_costs_its_octets_and_its_bookkeeping() {
        for (room, taken) in [(100 + 2 * PIECE_COST - 1, Taken::NoRoom), (100 + 2 * PIECE_COST, Taken::Beyond)] {
            let mut reassembly = Reassembly::default();
            assert_eq!(reassembly.insert(10, octets(10..110), room), taken);
            assert_eq!(reassembly.insert(210, octets(210..310), room), Taken::NoRoom);
            let both = room + 100 + PIECE_COST;
            assert_eq!(reassembly.insert(210, octets(210..310), both), Taken::Beyond);
        }
    }

    #[test]
    fn a_payload_in_several_chunks_is_one_run_of_octets() {
        let chunks = |places: &[u64]| places.windows(2).flat_map(|ends| octets(ends[0]..ends[1])).collect::<Payload>();
        let mut reassembly = Reassembly::default();
        insert(&mut reassembly, 30..40);
        assert_eq!(reassembly.insert(20, chunks(&[20, 25, 30, 40]), ROOM), Taken::Beyond);
        insert(&mut reassembly, 0..5);
        assert_eq!(reassembly.insert(0, chunks(&[0, 10, 20]), ROOM), Taken::InOrder);
        let mut buffer = [0; 50];
        assert_eq!(reassembly.read(&mut buffer), 40);
        assert_eq!(buffer[..40], octets(0..40).concat());
    }

    #[test]
    fn a_large_piece_is_kept_where_it_is() {
        for (length, is_copied) in [(COPIED, true), (COPIED + 1, false)] {
            let mut reassembly = Reassembly::default();
            let packet = Bytes::from(vec![0; 65_000]);
            reassembly.insert(10, smallvec![packet.slice(..length)], ROOM);
            assert_eq!(packet.is_unique(), is_copied, "{length}");
        }
    }

    #[test]
    fn as_many_ranges_are_reported_as_there_is_room_for() {
        let mut reassembly = Reassembly::default();
        for start in [10, 30, 50, 70, 90] {
            insert(&mut reassembly, start..start + 10);
        }
        assert_eq!(reassembly.report(9).to_vec(), [90..100, 70..80, 50..60, 30..40]);
        insert(&mut reassembly, 35..45);
        assert_eq!(reassembly.report(0).len(), 0);
        assert_eq!(reassembly.report(1).first(), Some(&(35..40)));
        assert_eq!(reassembly.report(2).to_vec(), [35..40, 30..45]);
    }

    #[test]
    fn what_arrives_twice_is_told_by_its_first_part_until_it_is_reported() {
        let mut reassembly = Reassembly::default();
        insert(&mut reassembly, 0..10);
        assert!(!reassembly.has_duplicate());
        insert(&mut reassembly, 5..20);
        assert_eq!((reassembly.report(1).first(), reassembly.has_duplicate()), (Some(&(5..10)), true));
        insert(&mut reassembly, 0..3);
        assert_eq!(reassembly.report(1).first(), Some(&(5..10)));
        reassembly.reported();
        assert!(!reassembly.has_duplicate());
    }

    proptest! {
        #[test]
        fn whatever_the_order_the_stream_comes_out_whole(
            pieces in proptest::collection::vec((0_u64..600, 1_u64..80), 1..80),
            reads in proptest::collection::vec(1_usize..200, 1..20),
        ) {
            let mut reassembly = Reassembly::default();
            let mut there = [false; 700];
            let (mut read, mut reads) = (Vec::new(), reads.into_iter().cycle());
            for (start, length) in pieces {
                insert(&mut reassembly, start..start + length);
                there[start as usize..(start + length) as usize].fill(true);
                let next = there.iter().position(|there| !there).unwrap_or(700);
                prop_assert_eq!(reassembly.next(), next as u64);
                let behind: Vec<_> = reassembly.ranges.iter().flatten().collect();
                let expected: Vec<_> = (next as u64..700).filter(|at| there[*at as usize]).collect();
                prop_assert_eq!(behind, expected);
                prop_assert_eq!(
                    reassembly.held_cost,
                    reassembly.held.values().map(|chunk| chunk.len() + PIECE_COST).sum::<usize>()
                );
                let mut buffer = vec![0; reads.next().unwrap_or(1)];
                let taken = reassembly.read(&mut buffer);
                read.extend_from_slice(&buffer[..taken]);
            }
            prop_assert_eq!(&read, &octets(0..read.len() as u64).concat());
        }
    }
}
