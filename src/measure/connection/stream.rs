//! One direction of a connection, packet by packet: what was sent, what was acknowledged, and what of it came again.
//!
//! Two places are kept apart. What acknowledgments told *here* says which retransmissions were in vain; what they had told
//! the *sender* by then says why it sent again: an acknowledgment that passes here reaches the sender, and what that sends then
//! passes here, a round trip between here and the sender later.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use super::acks::{Ack, Known};
use super::gather::Segment;
use super::positions::{Places, Unrolled};
use super::{Again, Doubt, End, Evidence, Handshake, Kind, Path, RoundTrips, Stream};
use crate::packet::SeqNum;
use crate::time::Instant;

/// How far back a range that came twice is looked for.
const LOOKED_BACK: usize = 300;
/// Retransmissions whose answers are waited for: more than a window has, and a bound on time.
const MOST_OPEN: usize = 2000;
/// Below this a round trip says nothing about answers that come too soon.
const SHORT: Duration = Duration::from_millis(1);

/// What the identifications of a sender's packets tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Identifications {
    /// Each is a little higher than the one before: the order in which packets were sent.
    Order,
    /// They differ: which packets are the same.
    Sameness,
    /// All are alike, or there are none.
    Nothing,
}

/// The copies of what begins at one place, by their indexes among the connection's packets.
#[derive(Clone, Copy, Debug)]
pub(super) struct Copies {
    pub(super) first: usize,
    pub(super) last: usize,
    /// Where the longest of them ends.
    reach: i64,
}

/// Octets that were not seen when others behind them were.
#[derive(Clone, Copy, Debug)]
pub(super) struct Gap {
    end: i64,
    /// Index of the packet that showed it.
    pub(super) shown_by: usize,
}

/// A retransmission whose acknowledgment has not come.
#[derive(Clone, Copy, Debug)]
struct Open {
    /// Its index among what came again.
    index: usize,
    at: Instant,
    time_stamp: Option<u32>,
    /// Whether it begins where acknowledgments had come to.
    is_at_edge: bool,
}

/// A direction of a connection, as far as its packets were looked at.
pub(super) struct Walk<'a> {
    pub(super) segments: &'a [Segment],
    pub(super) end: End,
    pub(super) path: &'a Path,
    pub(super) identifications: Identifications,
    unrolled: Unrolled,
    /// Where what was seen ends.
    pub(super) highest: Option<i64>,
    pub(super) seen: Places,
    copies: BTreeMap<i64, Copies>,
    /// Of the longest segment.
    longest: i64,
    gaps: BTreeMap<i64, Gap>,
    pub(super) here: Known,
    pub(super) there: Known,
    /// Acknowledgments that the sender has not heard yet.
    on_their_way: VecDeque<Ack>,
    /// Of what the sender knows to have arrived, what was sent last, by its index.
    pub(super) latest_delivered: Option<usize>,
    /// What was sent once, by where it ends.
    once: BTreeMap<i64, Instant>,
    /// Round trips of the whole path, as the sender may have measured them.
    pub(super) whole: RoundTrips,
    /// Until acknowledgments come to this place, what goes again follows from the time-out that this packet showed.
    pub(super) timed_out: Option<(i64, u64)>,
    /// Until acknowledgments come to this place, a loss is being mended.
    pub(super) recovers: Option<i64>,
    /// Until acknowledgments come beyond this place, a probe of the tail is under way.
    pub(super) probed: Option<i64>,
    open: Vec<Open>,
    /// Whether the ends have agreed on selective acknowledgments.
    pub(super) has_sack: bool,
    /// Whether the sender is known to send no probes of a tail.
    pub(super) never_probes: bool,
    /// Whether that has turned out.
    waited_without_probe: bool,
    stream: Stream,
}

/// Judges what `end` sent.
pub(super) fn judge(segments: &[Segment], end: End, path: &Path, handshake: &Handshake) -> Stream {
    // Without a handshake to look at, acknowledgments themselves tell.
    let shown = || segments.iter().any(|segment| segment.from != end && !segment.tcp.options.sack.is_empty());
    let has_sack = handshake.agreed.map_or_else(shown, |agreed| agreed.sack);
    let walked = |never_probes| {
        let mut own = segments.iter().filter(|segment| segment.from == end && !segment.tcp.flags.rst());
        own.next().map(|first| Walk { has_sack, never_probes, ..Walk::new(segments, end, path, first.tcp.seq) }.walk())
    };
    // Whoever waits for a time-out where a probe would have come first never probes: that is known at the end only.
    match walked(false) {
        Some((_, true)) => walked(true).unwrap_or_default().0,
        Some((stream, false)) => stream,
        None => Stream::default(),
    }
}

impl<'a> Walk<'a> {
    fn new(segments: &'a [Segment], end: End, path: &'a Path, first: SeqNum) -> Walk<'a> {
        Walk {
            segments,
            end,
            path,
            identifications: identifications(segments, end),
            unrolled: Unrolled::from(first),
            highest: None,
            seen: Places::default(),
            copies: BTreeMap::new(),
            longest: 1,
            gaps: BTreeMap::new(),
            here: Known::default(),
            there: Known::default(),
            on_their_way: VecDeque::new(),
            latest_delivered: None,
            once: BTreeMap::new(),
            whole: RoundTrips::default(),
            timed_out: None,
            recovers: None,
            probed: None,
            open: Vec::new(),
            has_sack: false,
            never_probes: false,
            waited_without_probe: false,
            stream: Stream::default(),
        }
    }

    /// Looks at all packets; what was found, and whether its sender has waited where a probe would have come first.
    fn walk(mut self) -> (Stream, bool) {
        let segments = self.segments;
        for (index, segment) in segments.iter().enumerate() {
            if segment.tcp.flags.rst() {
                continue;
            }
            if segment.from == self.end {
                self.sent(index, segment);
            } else if segment.tcp.flags.ack() {
                self.acknowledged(segment);
            }
        }
        (self.stream, self.waited_without_probe)
    }

    /// How long after it passes here an acknowledgment shows in what the sender sends.
    fn lag(&self) -> Duration {
        self.path.to(self.end).unwrap_or_default()
    }

    fn sent(&mut self, index: usize, segment: &Segment) {
        let length = segment.tcp.sequence_len();
        if length == 0 {
            return;
        }
        self.catch_up(segment.at);
        let from = self.unrolled.place(segment.tcp.seq);
        let to = from + i64::from(length);
        match self.highest {
            Some(highest) if from < highest => {
                let again = self.classify(segment, (from, to), length);
                let kind = again.kind;
                self.remember_again(segment, again);
                if kind == Kind::Duplicate {
                    return;
                }
            }
            Some(highest) if from > highest => {
                self.gaps.insert(highest, Gap { end: from, shown_by: index });
            }
            Some(_) | None => {}
        }
        if self.highest.is_none_or(|highest| from >= highest) {
            self.once.insert(to, segment.at);
        }
        let new = self.seen.add(from, to);
        let flags = u64::from(length) - segment.tcp.payload_len as u64;
        self.stream.octets += new.saturating_sub(flags);
        self.stream.data_segments += u64::from(segment.tcp.payload_len > 0);
        self.longest = self.longest.max(i64::from(length));
        let copies = self.copies.entry(from).or_insert(Copies { first: index, last: index, reach: to });
        (copies.last, copies.reach) = (index, copies.reach.max(to));
        self.highest = Some(self.highest.map_or(to, |highest| highest.max(to)));
        self.unrolled.advance(segment.tcp.seq + length);
    }

    /// Keeps what was found of a segment, and what follows from it.
    fn remember_again(&mut self, segment: &Segment, again: Again) {
        let from = again.from;
        // What was sent twice tells no round trip (RFC 6298 §3).
        if again.kind != Kind::OutOfOrder {
            self.once.split_off(&(from + 1));
        }
        let highest = self.highest.unwrap_or(from);
        let is_tail = again.from + i64::from(again.length) >= highest;
        let is_first = matches!(again.evidence, Evidence::Silence { .. });
        if is_first && !is_tail && self.has_sack && self.probed.is_none() && self.there.sacked.end().is_none() {
            self.waited_without_probe = true;
        }
        match again.kind {
            Kind::Timeout if !matches!(again.evidence, Evidence::AfterTimeout { .. }) => {
                self.timed_out = Some((highest, again.number));
                self.recovers = None;
            }
            Kind::Fast if self.recovers.is_none() => self.recovers = Some(highest),
            Kind::TailLossProbe => self.probed = Some(highest),
            _ => {}
        }
        if let (Kind::OutOfOrder, Evidence::SentEarlierThan { overtaken_by, .. }) = (again.kind, &again.evidence)
            && let Ok(place) = self.stream.again.binary_search_by_key(overtaken_by, |again| again.number)
            && let Some(copy) = self.stream.again.get_mut(place).filter(|copy| copy.kind.is_retransmission())
        {
            copy.doubt.get_or_insert(Doubt::EarlierCopyCame { copy: again.number });
        }
        if again.kind.is_retransmission() && again.doubt.is_none() {
            if self.open.len() == MOST_OPEN {
                self.open.drain(..MOST_OPEN / 2);
            }
            self.open.push(Open {
                index: self.stream.again.len(),
                at: segment.at,
                time_stamp: segment.tcp.options.timestamps.map(|(value, _)| value),
                is_at_edge: self.here.una.is_none_or(|una| from <= una),
            });
        }
        self.stream.again.push(again);
    }

    /// The sender has heard what reached it by the time at which it sent what passes here now.
    fn catch_up(&mut self, now: Instant) {
        let lag = self.lag();
        while self.on_their_way.front().is_some_and(|ack| ack.at + lag <= now) {
            let Some(ack) = self.on_their_way.pop_front() else { return };
            let una = self.there.una.unwrap_or(ack.to);
            let ranges = ack.sacked.iter().copied().chain((una < ack.to).then_some((una, ack.to)));
            let latest = ranges.filter_map(|range| self.copies(range)).map(|(_, last)| last).max();
            self.latest_delivered = self.latest_delivered.max(latest);
            self.there.learn(&ack, lag);
        }
        let una = self.there.una.unwrap_or(i64::MIN);
        self.timed_out = self.timed_out.filter(|(until, _)| una < *until);
        self.recovers = self.recovers.filter(|until| una < *until);
        self.probed = self.probed.filter(|until| una < *until);
    }

    fn acknowledged(&mut self, segment: &Segment) {
        let ack = Ack::of(segment, &self.unrolled);
        let is_plain = self.here.duplicates == 0;
        let moves = self.here.una.is_none_or(|una| ack.to > una);
        if moves {
            if let (Some(at), true) = (self.once.get(&ack.to), is_plain) {
                let sample = segment.at - *at;
                self.stream.round_trips.add(sample);
                self.whole.add(sample + self.lag());
            }
            self.once = self.once.split_off(&(ack.to + 1));
        }
        self.here.learn(&ack, Duration::ZERO);
        if let Some(range) = ack.twice {
            self.came_twice(ack.number, range);
        }
        self.answer_open(&ack);
        self.on_their_way.push_back(ack);
    }

    /// A receiver has said that a range came twice: the last copy of it was sent in vain, unless the network had made it.
    fn came_twice(&mut self, ack: u64, (from, to): (i64, i64)) {
        let recent = self.stream.again.iter_mut().rev().take(LOOKED_BACK);
        let mut copies = recent.filter(|again| again.from < to && from < again.from + i64::from(again.length));
        let is_told = |again: &Again| matches!(again.doubt, Some(Doubt::CameTwice { .. }));
        let can_be =
            |again: &Again| again.kind.is_retransmission() || matches!(again.kind, Kind::Duplicate | Kind::OutOfOrder);
        let untold = copies.find(|again| !is_told(again) && can_be(again));
        if let Some(again) = untold {
            again.doubt = Some(Doubt::CameTwice { ack });
        }
    }

    /// Retransmissions whose octets have now been acknowledged: by an answer to them, or to an earlier copy?
    fn answer_open(&mut self, ack: &Ack) {
        let (here, again) = (&self.here, &mut self.stream.again);
        let round_trip = self.path.to(self.end.other()).filter(|span| *span > SHORT);
        self.open.retain(|open| {
            let Some(again) = again.get_mut(open.index) else { return false };
            let to = again.from + i64::from(again.length);
            if !here.has(again.from, to) {
                return true;
            }
            let earlier = |(echo, sent): (u32, u32)| (echo.wrapping_sub(sent) as i32) < 0;
            let after = ack.at - open.at;
            let doubt = if open.is_at_edge && ack.echo.zip(open.time_stamp).is_some_and(earlier) {
                Some(Doubt::EarlierTimeStamp { ack: ack.number })
            } else if round_trip.is_some_and(|round_trip| after * 4 < round_trip * 3) {
                Some(Doubt::AnsweredTooSoon { ack: ack.number, after })
            } else {
                None
            };
            again.doubt = again.doubt.take().or(doubt);
            false
        });
    }

    /// The copies that a range overlaps: the earliest of them and the latest.
    pub(super) fn copies(&self, (from, to): (i64, i64)) -> Option<(usize, usize)> {
        let near = self.copies.range(from.saturating_sub(self.longest)..to);
        let overlapping = near.rev().take(1000).filter(|(_, copies)| copies.reach > from).map(|(_, copies)| copies);
        overlapping.fold(None, |found, copies| {
            let (first, last) = found.unwrap_or((copies.first, copies.last));
            Some((first.min(copies.first), last.max(copies.last)))
        })
    }

    /// Whether the packet with this index was sent again itself.
    pub(super) fn is_again(&self, index: usize) -> bool {
        let number = self.segments.get(index).map_or(0, |segment| segment.number);
        self.stream.again.binary_search_by_key(&number, |again| again.number).is_ok()
    }

    /// The gap in which a place lies.
    pub(super) fn gap(&self, place: i64) -> Option<Gap> {
        self.gaps.range(..=place).next_back().map(|(_, gap)| *gap).filter(|gap| gap.end > place)
    }
}

/// Looks at all identifications of an end.
fn identifications(segments: &[Segment], end: End) -> Identifications {
    let ids: Vec<u16> =
        segments.iter().filter(|segment| segment.from == end).filter_map(|segment| segment.identification).collect();
    let pairs = || ids.iter().zip(ids.iter().skip(1));
    let rising = pairs().filter(|(one, next)| (1..1000).contains(&next.wrapping_sub(**one))).count();
    if pairs().count() > 0 && rising * 4 >= pairs().count() * 3 {
        return Identifications::Order;
    }
    match pairs().any(|(one, next)| one != next) {
        true => Identifications::Sameness,
        false => Identifications::Nothing,
    }
}
