//! TCP streams by their packets: the same figures for every stack, since no stack is asked.
//!
//! ```text
//!   sent      ├──── 1 ────┼──── 2 ────✗──── 3 ────┤   2 is lost
//!                                     ├──── 2 ────┤   octets that were sent before: a retransmission
//!   arrived   ├──── 1 ────┤           ├──── 3 ────┤
//!                         ├──── 2 ────┤               what was lost first is there: recovered
//! ```
//!
//! A stream is one direction of a connection. Positions count its octets of data from 0, in 64 bits.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::ops::Range;
use std::time::Duration;

use serde::Serialize;

use crate::capture::{Direction, Record, Remark};
use crate::journal::Impairment;
use crate::packet::dissect::Tcp;
use crate::packet::{Dissection, PacketId, SeqNum};
use crate::time::Instant;

/// The two ends of a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct Ends {
    /// Who sends.
    pub from: SocketAddr,
    /// Who receives.
    pub to: SocketAddr,
}

/// What happened to one stream.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct StreamFigures {
    /// Segments that its sender put on the wire, with and without data.
    pub segments: u64,
    /// Those of them that carry data.
    pub data_segments: u64,
    /// Those that carry data, SYN or FIN that were sent before.
    pub retransmissions: u64,
    /// Octets of data sent, again or not.
    pub sent: u64,
    /// Segments with data that a link dropped.
    pub lost: u64,
    /// Octets of data that arrived, each counted once.
    pub delivered: u64,
    /// Segments with data that arrived and brought nothing new: sent again for nothing.
    pub duplicates: u64,
    /// Octets of data in the longest segment.
    pub longest_segment: u32,
    /// When its first segment was sent.
    pub began: Option<Instant>,
    /// When data was first sent.
    pub first_sent: Option<Instant>,
    /// When new data last arrived.
    pub last_delivered: Option<Instant>,
    /// When the first segment with data was sent that a link then dropped.
    pub first_lost: Option<Instant>,
    /// When what that segment carried had arrived after all.
    pub recovered: Option<Instant>,
}

impl StreamFigures {
    /// From the first loss until what was lost had arrived.
    pub fn recovery(&self) -> Option<Duration> {
        Some(self.recovered? - self.first_lost?)
    }

    /// Bits of data per second that arrived from the first data sent to the last that was new; `None` for no time at all.
    pub fn goodput(&self) -> Option<u64> {
        rate(self.delivered, self.last_delivered? - self.first_sent?)
    }
}

/// Bits per second of so many octets in `span`; `None` when it is no time at all.
pub fn rate(octets: u64, span: Duration) -> Option<u64> {
    let bits = u128::from(octets) * 8 * 1_000_000_000;
    u64::try_from(bits.checked_div(span.as_nanos())?).ok()
}

/// Counts what packets do, as they are told in order of time: each where it was sent, and where it arrived.
#[derive(Debug, Default)]
pub struct Meter {
    streams: BTreeMap<Ends, Stream>,
    /// Packets that a link has spoiled: what arrives of them is no delivery.
    corrupted: BTreeSet<PacketId>,
    /// Copies that a link has made: not their sender's doing.
    copies: BTreeSet<PacketId>,
}

impl Meter {
    /// A packet was sent, or has arrived.
    pub fn packet(&mut self, record: &Record) {
        let dissection = Dissection::of(record.medium, &record.bytes, record.wire_len);
        let Some(((from, to), tcp)) = dissection.addresses().zip(dissection.tcp()) else { return };
        let ends = Ends { from: SocketAddr::new(from, tcp.src_port), to: SocketAddr::new(to, tcp.dst_port) };
        match record.direction {
            Direction::Out => {
                self.note_impairments(record);
                let is_lost = record.comments.iter().any(is_drop);
                self.streams.entry(ends).or_default().sent(record.at, tcp, is_lost);
            }
            Direction::In if self.corrupted.contains(&record.packet) => {}
            Direction::In => {
                let is_copy = self.copies.contains(&record.packet);
                self.streams.entry(ends).or_default().arrived(record.at, tcp, is_copy);
            }
        }
    }

    /// Every stream that was seen.
    pub fn streams(&self) -> impl Iterator<Item = (&Ends, &StreamFigures)> {
        self.streams.iter().map(|(ends, stream)| (ends, &stream.figures))
    }

    /// The figures of one.
    pub fn stream(&self, ends: &Ends) -> Option<&StreamFigures> {
        self.streams.get(ends).map(|stream| &stream.figures)
    }

    fn note_impairments(&mut self, record: &Record) {
        for comment in &record.comments {
            match comment {
                Remark::Impaired(Impairment::Corrupted { .. }) => {
                    self.corrupted.insert(record.packet);
                }
                Remark::Copied(copy) => {
                    self.copies.insert(*copy);
                }
                Remark::CopyImpaired(copy, Impairment::Corrupted { .. }) => {
                    self.corrupted.insert(*copy);
                }
                Remark::Why(_)
                | Remark::Impaired(_)
                | Remark::CopyImpaired(..)
                | Remark::NoLink
                | Remark::Forwarded(_)
                | Remark::Passage(_)
                | Remark::GoesOnAs(_)
                | Remark::Refused(_)
                | Remark::Text(_) => {}
            }
        }
    }
}

fn is_drop(remark: &Remark) -> bool {
    match remark {
        Remark::Impaired(impairment) => impairment.is_drop(),
        Remark::NoLink | Remark::Refused(_) => true,
        Remark::Why(_)
        | Remark::Copied(_)
        | Remark::CopyImpaired(..)
        | Remark::Forwarded(_)
        | Remark::Passage(_)
        | Remark::GoesOnAs(_)
        | Remark::Text(_) => false,
    }
}

#[derive(Debug, Default)]
struct Stream {
    figures: StreamFigures,
    /// A sequence number and the position that it stands for; moves on with what is sent.
    known: Option<(SeqNum, u64)>,
    /// Where what was sent ends, SYN and FIN counted as the octets before the first and after the last.
    sent_to: Option<i64>,
    there: Coverage,
    /// What the first lost segment carried, until it has arrived.
    missing: Option<Range<u64>>,
}

impl Stream {
    /// Where the octet `seq` lies; before the first octet of data, below 0.
    fn position(&mut self, seq: SeqNum, has_syn: bool) -> i64 {
        let first_data = if has_syn { seq + 1 } else { seq };
        let (known, position) = *self.known.get_or_insert((first_data, 0));
        let ahead = i64::from(seq.0.wrapping_sub(known.0) as i32);
        position as i64 + ahead
    }

    fn sent(&mut self, at: Instant, tcp: &Tcp, is_lost: bool) {
        let start = self.position(tcp.seq, tcp.flags.syn());
        let flags = i64::from(tcp.flags.syn()) + i64::from(tcp.flags.fin());
        let end = start + tcp.payload_len as i64 + flags;
        let figures = &mut self.figures;
        figures.segments += 1;
        figures.began.get_or_insert(at);
        if end > start && self.sent_to.is_some_and(|sent_to| start < sent_to) {
            figures.retransmissions += 1;
        }
        self.sent_to = Some(self.sent_to.map_or(end, |sent_to| sent_to.max(end)));
        if let (Ok(position), true) = (u64::try_from(end), self.sent_to == Some(end)) {
            self.known = Some((tcp.seq + (end - start) as u32, position));
        }
        if tcp.payload_len == 0 {
            return;
        }
        figures.data_segments += 1;
        figures.sent += tcp.payload_len as u64;
        figures.longest_segment = figures.longest_segment.max(tcp.payload_len as u32);
        figures.first_sent.get_or_insert(at);
        if is_lost {
            figures.lost += 1;
            if figures.first_lost.is_none() {
                figures.first_lost = Some(at);
                self.missing = data(start, tcp);
            }
        }
    }

    fn arrived(&mut self, at: Instant, tcp: &Tcp, is_copy: bool) {
        let start = self.position(tcp.seq, tcp.flags.syn());
        let Some(range) = data(start, tcp) else { return };
        let new = self.there.add(range);
        if new > 0 {
            self.figures.delivered += new;
            self.figures.last_delivered = Some(at);
        } else if !is_copy {
            self.figures.duplicates += 1;
        }
        if self.missing.as_ref().is_some_and(|missing| self.there.covers(missing)) {
            self.missing = None;
            self.figures.recovered = Some(at);
        }
    }
}

/// The data of a segment that begins at `start`; `None` when it has none.
fn data(start: i64, tcp: &Tcp) -> Option<Range<u64>> {
    let first = u64::try_from(start + i64::from(tcp.flags.syn())).ok()?;
    (tcp.payload_len > 0).then_some(first..first + tcp.payload_len as u64)
}

/// Which octets have arrived: disjoint ranges, start to end; most of the time a single one.
#[derive(Debug, Default)]
struct Coverage(BTreeMap<u64, u64>);

impl Coverage {
    /// Adds a range; returns how many of its octets are new.
    fn add(&mut self, range: Range<u64>) -> u64 {
        let (mut start, mut end) = (range.start, range.end);
        let mut known = 0;
        // From the last range that begins at or before the end, backwards, for as long as they touch.
        while let Some((left, right)) = self.0.range(..=end).next_back().map(|(left, right)| (*left, *right)) {
            if right < start {
                break;
            }
            known += right.min(range.end).saturating_sub(left.max(range.start));
            self.0.remove(&left);
            start = start.min(left);
            end = end.max(right);
        }
        self.0.insert(start, end);
        (range.end - range.start) - known
    }

    fn covers(&self, range: &Range<u64>) -> bool {
        self.0.range(..=range.start).next_back().is_some_and(|(_, end)| range.end <= *end)
    }
}

#[cfg(test)]
mod tests {
    use smallvec::{SmallVec, smallvec};

    use super::*;
    use crate::packet::Medium;

    const SYN: u8 = 1;
    const FIN: u8 = 2;
    /// Close to the end of the circle, so that every test crosses it.
    const ISS: u32 = u32::MAX - 150;

    /// A segment from .1 to .2, `seq` counted from the SYN; its number is that of `at`, in milliseconds.
    fn record(at: u64, direction: Direction, seq: u32, flags: u8, length: usize) -> Record {
        let mut frame = Vec::new();
        let builder = etherparse::PacketBuilder::ipv4([10, 0, 0, 1], [10, 0, 0, 2], 64);
        let mut builder = builder.tcp(5, 6, ISS.wrapping_add(seq), 1000);
        if flags & SYN != 0 {
            builder = builder.syn();
        }
        if flags & FIN != 0 {
            builder = builder.fin();
        }
        builder.write(&mut frame, &vec![0; length]).expect("it fits a vector");
        Record {
            at: Instant::from_nanos(at * 1_000_000),
            packet: PacketId(at),
            direction,
            medium: Medium::Ip,
            wire_len: frame.len(),
            bytes: frame.into(),
            comments: SmallVec::new(),
        }
    }

    fn out(at: u64, seq: u32, flags: u8, length: usize) -> Record {
        record(at, Direction::Out, seq, flags, length)
    }

    fn lost(at: u64, seq: u32, flags: u8, length: usize) -> Record {
        Record { comments: smallvec![Remark::Impaired(Impairment::Lost)], ..out(at, seq, flags, length) }
    }

    fn inn(at: u64, seq: u32, flags: u8, length: usize) -> Record {
        record(at, Direction::In, seq, flags, length)
    }

    fn figures(records: &[Record]) -> StreamFigures {
        let mut meter = Meter::default();
        records.iter().for_each(|record| meter.packet(record));
        let streams: Vec<_> = meter.streams().collect();
        assert_eq!(streams.len(), 1);
        *streams[0].1
    }

    #[test]
    fn what_is_sent_again_is_a_retransmission_and_what_arrives_again_a_duplicate() {
        let seen = figures(&[
            out(1, 0, SYN, 0),
            inn(2, 0, SYN, 0),
            out(3, 1, 0, 100),
            lost(4, 101, 0, 100),
            out(5, 201, 0, 100),
            inn(6, 1, 0, 100),
            inn(7, 201, 0, 100),
            out(8, 101, 0, 100),
            out(9, 201, FIN, 100),
            inn(10, 101, 0, 100),
            inn(11, 201, FIN, 100),
        ]);
        let at = |millis: u64| Some(Instant::from_nanos(millis * 1_000_000));
        let expected = StreamFigures {
            segments: 6,
            data_segments: 5,
            retransmissions: 2,
            sent: 500,
            lost: 1,
            delivered: 300,
            duplicates: 1,
            longest_segment: 100,
            began: at(1),
            first_sent: at(3),
            last_delivered: at(10),
            first_lost: at(4),
            recovered: at(10),
        };
        assert_eq!(seen, expected);
        assert_eq!(seen.recovery(), Some(Duration::from_millis(6)));
        assert_eq!(seen.goodput(), Some(300 * 8 * 1000 / 7));
    }

    #[test]
    fn a_syn_and_a_fin_that_go_again_are_retransmissions_without_data() {
        let seen =
            figures(&[lost(1, 0, SYN, 0), out(2, 0, SYN, 0), lost(3, 1, FIN, 0), out(4, 1, FIN, 0), out(5, 2, 0, 0)]);
        assert_eq!((seen.segments, seen.retransmissions, seen.data_segments, seen.lost), (5, 2, 0, 0));
        assert_eq!((seen.goodput(), seen.recovery()), (None, None));
    }

    #[test]
    fn neither_a_corrupted_arrival_nor_a_copy_of_the_links_counts() {
        let corrupted = Remark::Impaired(Impairment::Corrupted { rule: None, octet: 50 });
        let seen = figures(&[
            Record { comments: smallvec![corrupted], ..out(1, 1, 0, 100) },
            Record { packet: PacketId(1), ..inn(2, 1, 0, 100) },
            Record { comments: smallvec![Remark::Copied(PacketId(9))], ..out(3, 1, 0, 100) },
            inn(4, 1, 0, 100),
            Record { packet: PacketId(9), ..inn(5, 1, 0, 100) },
        ]);
        assert_eq!((seen.delivered, seen.duplicates, seen.retransmissions), (100, 0, 1));
    }

    #[test]
    fn coverage_counts_each_octet_once() {
        let mut coverage = Coverage::default();
        for (range, new) in
            [(10..20, 10), (30..40, 10), (15..35, 10), (0..10, 10), (0..40, 0), (5..50, 10), (60..61, 1)]
        {
            assert_eq!(coverage.add(range.clone()), new, "{range:?}");
        }
        assert!(coverage.covers(&(3..50)) && !coverage.covers(&(3..51)) && !coverage.covers(&(55..61)));
    }
}
