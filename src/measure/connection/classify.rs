//! What a segment is that brings nothing to the stream's end: sent again, overtaken, or doubled; and by which evidence.

use std::time::Duration;

use super::gather::Segment;
use super::stream::{Identifications, Walk};
use super::{Again, Doubt, Evidence, Kind};
use crate::time::Instant;

/// What is assumed of a round trip where nothing tells.
const UNKNOWN: Duration = Duration::from_millis(100);
/// No time-out is shorter than a round trip and this (RFC 6298 §2.4 wants a second; Linux has 200 ms).
const LEAST_TIMEOUT: Duration = Duration::from_millis(100);
/// What is added to a round trip at least.
const USUAL_VARIANCE: Duration = Duration::from_millis(200);
/// Packets of one moment may be so far apart.
const AT_ONCE: Duration = Duration::from_millis(2);

/// A range of places.
type Range = (i64, i64);

impl Walk<'_> {
    /// Says what `segment` is, which begins before the stream's end.
    pub(super) fn classify(&self, segment: &Segment, range: Range, length: u32) -> Again {
        let copies = self.copies(range);
        let (kind, evidence) = self
            .doubled(segment, copies)
            .or_else(|| self.overtaken(segment, range, copies))
            .or_else(|| self.probe(segment, range, length))
            .unwrap_or_else(|| self.sent_again(segment, range, copies));
        let doubt = if kind.is_retransmission() { self.in_vain(range, copies) } else { None };
        let first = copies.and_then(|(first, _)| self.segments.get(first)).map(|segment| segment.number);
        Again { number: segment.number, from: range.0, length, first, kind, evidence, doubt }
    }

    /// Where it was sent in vain by what is known already.
    fn in_vain(&self, (from, to): Range, copies: Option<(usize, usize)>) -> Option<Doubt> {
        if self.here.has(from, to) {
            let is_old = self.here.una.is_some_and(|una| to <= una);
            return Some(Doubt::AcknowledgedBefore {
                ack: if is_old { self.here.una_by } else { self.here.sacked_by },
            });
        }
        let (_, last) = copies?;
        let passed = self.seen.cover(from, to) && self.path.is_near(self.end.other());
        passed.then(|| Doubt::PassedBefore { copy: self.segments.get(last).map_or(0, |copy| copy.number) })
    }

    /// The shortest time in which a sender can learn anything about what it has sent.
    fn to_know(&self) -> Option<Duration> {
        self.path.whole().filter(|whole| *whole > AT_ONCE)
    }

    /// The network has doubled a packet: what passes here is the same as before, and not sent again.
    fn doubled(&self, segment: &Segment, copies: Option<(usize, usize)>) -> Option<(Kind, Evidence)> {
        let copy = self.segments.get(copies?.1)?;
        let (one, other) = (&segment.tcp, &copy.tcp);
        let is_same = (one.seq, one.ack, one.flags, one.window, one.payload_len, one.checksum)
            == (other.seq, other.ack, other.flags, other.window, other.payload_len, other.checksum)
            && one.options == other.options;
        if !is_same {
            return None;
        }
        let after = segment.at - copy.at;
        match (self.identifications, segment.identification == copy.identification) {
            (Identifications::Order | Identifications::Sameness, true) => {
                Some((Kind::Duplicate, Evidence::SameIdentification { of: copy.number }))
            }
            (Identifications::Order | Identifications::Sameness, false) => None,
            (Identifications::Nothing, _) => {
                let is_too_soon = self.to_know().is_some_and(|whole| after * 10 < whole * 9) || after < AT_ONCE;
                is_too_soon.then_some((Kind::Duplicate, Evidence::TooSoonToKnow { of: copy.number, after }))
            }
        }
    }

    /// It was sent before a packet that came earlier: others have overtaken it, or a copy of it has.
    fn overtaken(
        &self,
        segment: &Segment,
        (from, to): Range,
        copies: Option<(usize, usize)>,
    ) -> Option<(Kind, Evidence)> {
        let is_new = !self.seen.touch(from, to);
        let by = if is_new { self.gap(from)?.shown_by } else { copies?.1 };
        let by = self.segments.get(by)?;
        let (overtaken_by, after) = (by.number, segment.at - by.at);
        let by_order = |is_earlier: bool, by_time_stamp| {
            is_earlier.then_some((Kind::OutOfOrder, Evidence::SentEarlierThan { overtaken_by, by_time_stamp }))
        };
        if let (Identifications::Order, Some(own), Some(other)) =
            (self.identifications, segment.identification, by.identification)
            && own != other
        {
            return by_order((own.wrapping_sub(other) as i16) < 0, false);
        }
        if let (Some((own, _)), Some((other, _))) = (segment.tcp.options.timestamps, by.tcp.options.timestamps)
            && own != other
        {
            return by_order((own.wrapping_sub(other) as i32) < 0, true);
        }
        let is_too_soon = self.to_know().is_some_and(|whole| after * 10 < whole * 9) || after < AT_ONCE;
        (is_new && is_too_soon).then_some((Kind::OutOfOrder, Evidence::FilledTooSoon { overtaken_by, after }))
    }

    /// One octet that asks something.
    fn probe(&self, segment: &Segment, (from, to): Range, length: u32) -> Option<(Kind, Evidence)> {
        if length > 1 || segment.tcp.flags.syn() || segment.tcp.flags.fin() {
            return None;
        }
        let una = self.there.una?;
        if to <= una && Some(to) == self.highest {
            return Some((Kind::KeepAlive, Evidence::AcknowledgedBefore { by: self.there.una_by }));
        }
        let is_closed = self.there.is_closed() && from == una;
        is_closed
            .then(|| (Kind::WindowProbe, Evidence::ZeroWindow { by: self.there.last.map_or(0, |(number, _)| number) }))
    }

    /// Its sender has sent it again: what for?
    fn sent_again(&self, segment: &Segment, range: Range, copies: Option<(usize, usize)>) -> (Kind, Evidence) {
        let (from, to) = range;
        let known = &self.there;
        let copy = copies.and_then(|(_, last)| self.segments.get(last));
        let shown_by = self.gap(from).and_then(|gap| self.segments.get(gap.shown_by));
        let since = |then: Option<Instant>| then.map(|then| segment.at - then);
        let last_sent = copy.or(shown_by).map(|copy| copy.at);
        let waited = since(last_sent.max(known.moved)).unwrap_or_default();
        if segment.tcp.flags.syn() {
            return (Kind::Timeout, Evidence::UnansweredSyn { waited });
        }
        // Nobody can have told anything of a copy that went out less than a round trip ago: a timer has not waited for that.
        if let (Some((_, last)), Some(copy), Some(whole)) = (copies, copy, self.to_know())
            && self.is_again(last)
            && (segment.at - copy.at) * 4 < whole * 3
        {
            return (Kind::Timeout, Evidence::TooSoonToKnow { of: copy.number, after: segment.at - copy.at });
        }
        let whole = self.whole.smoothed.or(self.path.whole()).unwrap_or(UNKNOWN);
        let una = known.una.unwrap_or(i64::MIN);
        // Of what was sent again already only what was sent later can tell (RFC 8985 §6.2).
        let is_old_news = copies.is_some_and(|(_, last)| self.is_again(last) && self.latest_delivered < Some(last));
        let told = if is_old_news { None } else { self.told_of(range, una) };
        // After a time-out all goes again that was under way then; what has gone again since is another matter,
        // and where there are selective acknowledgments they say what goes.
        if let Some((until, since)) = self.timed_out
            && from < until
            && copy.is_none_or(|copy| copy.number < since)
            && !(self.has_sack && told.is_some())
        {
            return (Kind::Timeout, Evidence::AfterTimeout { since });
        }
        let quiet = since(if self.has_sack { known.news } else { known.last.map(|(_, at)| at) }).unwrap_or(waited);
        let is_early = waited < whole + (whole / 2).max(LEAST_TIMEOUT);
        // The time-out that Linux would have (its RFC 6298 has a variance of 200 ms at least), less a tenth.
        let time_out = (whole + (self.whole.variance * 4).max(USUAL_VARIANCE)) * 9 / 10;
        let is_prompt = quiet <= whole / 2 + AT_ONCE || (quiet * 4 <= whole * 5 && waited < time_out);
        if let Some(evidence) = told.clone()
            && (is_prompt || is_early)
        {
            return (Kind::Fast, evidence);
        }
        // A probe needs selective acknowledgments; recovery sends none; and there is one for each tail.
        let is_tail =
            Some(to) == self.highest && known.sacked.end().is_none() && self.probed.is_none() && told.is_none();
        let may_probe = self.has_sack && !(self.never_probes && from <= una);
        if is_tail && may_probe && waited * 4 >= whole * 5 {
            return (Kind::TailLossProbe, Evidence::TailAfter { waited });
        }
        if is_early && !is_old_news {
            return (Kind::Fast, Evidence::TooSoonForTimeout { waited });
        }
        (Kind::Timeout, Evidence::Silence { lasted: waited })
    }

    /// What acknowledgments had told the sender of a gap in which the range lies.
    fn told_of(&self, (from, to): Range, una: i64) -> Option<Evidence> {
        let known = &self.there;
        if known.sacked.end().is_some_and(|end| end > from) && !known.sacked.cover(from, to) {
            return Some(Evidence::Sack { by: known.sacked_by });
        }
        let last = known.last.map_or(0, |(number, _)| number);
        if from <= una && known.duplicates >= 3 {
            return Some(Evidence::DuplicateAcks { count: known.duplicates, last });
        }
        (from <= una && self.recovers.is_some()).then_some(Evidence::PartialAck { by: last })
    }
}
