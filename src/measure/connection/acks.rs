//! What acknowledgments have told, as known at some place: here, or at the sender, where they come a little later.

use std::time::Duration;

use super::gather::Segment;
use super::positions::{Places, Unrolled};
use crate::time::Instant;

/// One acknowledgment.
#[derive(Clone, Debug)]
pub(super) struct Ack {
    pub(super) number: u64,
    pub(super) at: Instant,
    /// All before this place has arrived.
    pub(super) to: i64,
    /// Ranges behind that which have arrived, too.
    pub(super) sacked: Vec<(i64, i64)>,
    /// A range that came twice (RFC 2883 §4).
    pub(super) twice: Option<(i64, i64)>,
    /// The time stamp that it echoes.
    pub(super) echo: Option<u32>,
    /// Octets of window, not scaled; only whether it is zero counts.
    pub(super) window: u16,
    /// Whether it carries nothing itself.
    is_bare: bool,
}

impl Ack {
    /// Reads it; the places are those of the stream that it acknowledges.
    pub(super) fn of(segment: &Segment, unrolled: &Unrolled) -> Ack {
        let tcp = &segment.tcp;
        let to = unrolled.place(tcp.ack);
        let mut ranges: Vec<(i64, i64)> =
            tcp.options.sack.iter().map(|(from, to)| (unrolled.place(*from), unrolled.place(*to))).collect();
        ranges.retain(|(from, to)| from < to);
        let first_in_second = |ranges: &[(i64, i64)]| match ranges {
            [(from, end), (second, last), ..] => second <= from && end <= last,
            _ => false,
        };
        let is_twice = ranges.first().is_some_and(|(from, _)| *from < to) || first_in_second(&ranges);
        let twice = if is_twice { ranges.first().copied() } else { None };
        if is_twice {
            ranges.remove(0);
        }
        ranges.retain(|(from, _)| *from >= to);
        Ack {
            number: segment.number,
            at: segment.at,
            to,
            sacked: ranges,
            twice,
            echo: tcp.options.timestamps.map(|(_, echo)| echo),
            window: tcp.window,
            is_bare: tcp.sequence_len() == 0 && !tcp.flags.rst(),
        }
    }
}

/// What is known of a stream's arrival at its receiver.
#[derive(Clone, Debug, Default)]
pub(super) struct Known {
    /// All before this place has arrived.
    pub(super) una: Option<i64>,
    /// The acknowledgment that said so, by packet.
    pub(super) una_by: u64,
    /// What has arrived behind it, by selective acknowledgment.
    pub(super) sacked: Places,
    /// The last acknowledgment that told of such.
    pub(super) sacked_by: u64,
    /// Acknowledgments that repeated `una` while something was under way.
    pub(super) duplicates: u32,
    /// The last that came, and when.
    pub(super) last: Option<(u64, Instant)>,
    /// When `una` last moved.
    pub(super) moved: Option<Instant>,
    /// When something new was last told of, by either kind.
    pub(super) news: Option<Instant>,
    window: Option<u16>,
}

impl Known {
    /// An acknowledgment has come. `delay` is how long after it passed here.
    pub(super) fn learn(&mut self, ack: &Ack, delay: Duration) {
        let now = ack.at + delay;
        let sacked = ack.sacked.iter().map(|(from, to)| self.sacked.add(*from, *to)).sum::<u64>();
        if sacked > 0 {
            self.sacked_by = ack.number;
        }
        let moves = self.una.is_none_or(|una| ack.to > una);
        if moves {
            self.una = Some(ack.to);
            self.una_by = ack.number;
            self.moved = Some(now);
            self.duplicates = 0;
            self.sacked.forget_before(ack.to);
        } else if self.una == Some(ack.to) && ack.is_bare && (sacked > 0 || self.window == Some(ack.window)) {
            self.duplicates += 1;
        }
        if moves || sacked > 0 {
            self.news = Some(now);
        }
        self.window = Some(ack.window);
        self.last = Some((ack.number, now));
    }

    /// Whether all of a range is known to have arrived.
    pub(super) fn has(&self, from: i64, to: i64) -> bool {
        self.una.is_some_and(|una| to <= una) || self.sacked.cover(from.max(self.una.unwrap_or(from)), to)
    }

    /// Whether the receiver has said that it has no room.
    pub(super) fn is_closed(&self) -> bool {
        self.window == Some(0)
    }
}
