//! The flight: every segment that was sent and is not yet acknowledged, and what is thought of it.
//!
//! ```text
//!   SND.UNA                                             SND.NXT
//!      │ lost │ sacked │ sacked │ lost, resent │ sent │ sent │
//! ```
//!
//! One record for each segment of at most one maximum segment size, also when several left as a super-segment: loss,
//! acknowledgment and the congestion window are counted in segments. The same records are the scoreboard for selective
//! acknowledgments (RFC 2018, RFC 6675 §3), the clock for round-trip times (RFC 6298 §3) and what RACK reckons with
//! (RFC 8985 §5.2). Which of them are lost is judged in `judge`, by the rule that `recovery` chooses.
//!
//! Positions count sequence numbers from the initial one, in 64 bits: the SYN stands at 0, the first octet at 1.

mod cut;
mod judge;
mod measured;
mod refused;
#[cfg(test)]
mod tests;

use std::collections::VecDeque;
use std::ops::Range;
use std::time::Duration;

use self::measured::Measured;
use super::delivery_rate::{Lost, RateSample};
use super::ranges::{RangeSet, Sacked};
use crate::journal::LossRule;
use crate::time::Instant;

/// Duplicate or selective acknowledgments that say a segment is lost (RFC 5681 §2, DupThresh).
pub(crate) const DUPLICATE_THRESHOLD: u32 = 3;

/// One segment in flight.
#[derive(Clone, Debug)]
pub(crate) struct Sent {
    /// The sequence space that it takes, SYN and FIN included.
    pub(crate) range: Range<u64>,
    /// When it was sent last.
    pub(crate) at: Instant,
    /// When it was sent first.
    pub(crate) first_at: Instant,
    /// How often it was sent.
    pub(crate) transmissions: u8,
    /// The peer has reported it by SACK.
    pub(crate) sacked: bool,
    /// The rule by which it is thought lost.
    pub(crate) lost: Option<LossRule>,
    /// It was sent again and is under way.
    pub(crate) resent: bool,
    /// It went out with PSH.
    pub(crate) push: bool,
    /// It was the last of several that left as one burst.
    pub(crate) ends_burst: bool,
}

impl Sent {
    /// When it left last.
    fn transmission(&self) -> Transmission {
        Transmission { at: self.at, end: self.range.end }
    }

    /// Whether it is to be sent again.
    fn waits(&self) -> bool {
        self.lost.is_some() && !self.resent
    }

    /// Whether it is thought lost because it was too long for the path.
    fn was_too_long(&self) -> bool {
        self.lost == Some(LossRule::PathMtu)
    }
}

/// One transmission: when, and of the segment that ends where. Later ones are greater; of those that left at the same
/// time, the one further on in the stream (RFC 8985 §6.2, RACK_sent_after).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Transmission {
    /// When it left.
    pub(crate) at: Instant,
    /// The position after its segment.
    pub(crate) end: u64,
}

impl Transmission {
    /// Before any.
    pub(crate) const NONE: Transmission = Transmission { at: Instant::ZERO, end: 0 };
}

/// Ranges that were thought lost, each with the rule.
pub(crate) type Declared = Vec<(Range<u64>, LossRule)>;

/// The segments in flight.
#[derive(Debug, Default)]
pub(crate) struct Flight {
    sent: VecDeque<Sent>,
    sacked_ranges: RangeSet<Sacked>,
    /// Retransmissions in the order of time, for those who judge by time; some of segments that nobody waits for. The
    /// originals stand in the order of time already.
    resent_by_time: VecDeque<Transmission>,
    /// Ranges that were newly thought lost, and by which rule, until somebody asks.
    declared: Option<Box<Declared>>,
    /// How fast the network delivers and what it loses, for congestion control that asks.
    measured: Option<Box<Measured>>,
    sacked: u32,
    lost: u32,
    /// Of these, because they were too long for the path.
    too_long: u32,
    resent: u32,
    /// Thought lost, and not sent again since.
    waiting: u32,
    /// No segment before this position waits to be sent again.
    resend_from: u64,
    /// Segments before this position were judged: by the selective acknowledgments behind them, or by time as long as they
    /// had been sent once.
    judged_to: u64,
    /// The position after what was sent again last, since an acknowledgment came; 0 for nothing.
    resent_to: u64,
    total_retransmissions: u32,
    total_losses: u32,
    delivered: u32,
}

/// What an acknowledgment has brought.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Delivery {
    /// Segments that were delivered: acknowledged or reported by SACK for the first time.
    pub(crate) delivered: u32,
    /// Segments that left the flight.
    pub(crate) acknowledged: u32,
    /// Segments that SACK reported for the first time.
    pub(crate) sacked: u32,
    /// The time since the youngest of them was sent; `None` when it was sent more than once (Karn).
    pub(crate) rtt: Option<Duration>,
    /// Whether one of those that left the flight had been sent more than once.
    pub(crate) was_resent: bool,
    /// The latest transmission that was certainly delivered (RFC 8985 §6.2, step 2).
    pub(crate) latest: Option<Transmission>,
    /// The latest first copy of what was sent more than once and came back so soon that no copy can be told from another:
    /// it, or a later one, was delivered.
    pub(crate) no_earlier_than: Option<Transmission>,
    /// The lowest segment delivered of those that were sent once, from where to where.
    pub(crate) lowest_untouched: Option<(u64, u64)>,
    /// The position after the highest segment delivered.
    pub(crate) highest: u64,
}

impl Delivery {
    /// A segment was delivered now. When it was sent twice, and the last time less than `least_age` ago, it may be the first
    /// copy (RFC 8985 §6.2, step 2), or the later one, where no packet happened to be as quick before.
    fn take(&mut self, sent: &Sent, now: Instant, least_age: Duration) {
        self.delivered += 1;
        self.highest = self.highest.max(sent.range.end);
        if sent.transmissions == 1 {
            let lowest = self.lowest_untouched.get_or_insert((sent.range.start, sent.range.end));
            *lowest = (*lowest).min((sent.range.start, sent.range.end));
        }
        if sent.transmissions == 1 || now - sent.at >= least_age {
            self.latest = self.latest.max(Some(sent.transmission()));
        } else {
            let first = Transmission { at: sent.first_at, end: sent.range.end };
            self.no_earlier_than = self.no_earlier_than.max(Some(first));
        }
    }
}

impl Flight {
    /// Whether nothing is unacknowledged.
    pub(crate) fn is_empty(&self) -> bool {
        self.sent.is_empty()
    }

    /// Segments sent and not cumulatively acknowledged.
    pub(crate) fn unacked(&self) -> u32 {
        self.sent.len() as u32
    }

    /// Of these, reported by SACK.
    pub(crate) fn sacked(&self) -> u32 {
        self.sacked
    }

    /// Of these, thought lost.
    pub(crate) fn lost(&self) -> u32 {
        self.lost
    }

    /// Of the lost, those that tell of congestion: all but what was too long for the path (RFC 4821 §7.6.2).
    pub(crate) fn lost_to_congestion(&self) -> u32 {
        self.lost - self.too_long
    }

    /// Of these, sent again and under way.
    pub(crate) fn resent(&self) -> u32 {
        self.resent
    }

    /// Whether something is thought lost and was not sent again since.
    pub(crate) fn waits(&self) -> bool {
        self.waiting > 0
    }

    /// Retransmissions so far.
    pub(crate) fn total_retransmissions(&self) -> u32 {
        self.total_retransmissions
    }

    /// Times that a segment was thought lost, so far.
    pub(crate) fn total_losses(&self) -> u32 {
        self.total_losses
    }

    /// Segments delivered so far.
    pub(crate) fn delivered(&self) -> u32 {
        self.delivered
    }

    /// Segments thought to be in the network (RFC 6675 §4, pipe). `unreported` have left it without SACK: one for each
    /// duplicate acknowledgment.
    pub(crate) fn in_network(&self, unreported: u32) -> u32 {
        (self.unacked() + self.resent).saturating_sub(self.sacked + self.lost + unreported)
    }

    /// A new segment left.
    pub(crate) fn push(&mut self, range: Range<u64>, at: Instant, push: bool, ends_burst: bool) {
        let (transmissions, sacked, lost, resent) = (1, false, None, false);
        let in_network = self.in_network(0) + 1;
        if let Some(measured) = &mut self.measured {
            measured.push(at, in_network);
        }
        self.sent.push_back(Sent { range, at, first_at: at, transmissions, sacked, lost, resent, push, ends_burst });
    }

    /// Whether the segment of `range`, about to be sent again, ends a burst of which the segment before has just gone again,
    /// too.
    pub(crate) fn ends_burst_again(&self, range: &Range<u64>) -> bool {
        let follows = self.resent_to == range.start && range.start > 0;
        let index = self.place(range.start);
        let continues = index > 0 && !self.sent[index - 1].ends_burst;
        follows && continues && self.sent.get(index).is_some_and(|sent| sent.ends_burst)
    }

    /// Everything before `position` is acknowledged. An acknowledgment in the middle of a segment leaves its rest. Of what
    /// was sent several times no copy is meant that left less than `least_age` ago.
    pub(crate) fn acknowledge(&mut self, position: u64, now: Instant, least_age: Duration) -> Delivery {
        let mut delivery = Delivery::default();
        self.resent_to = 0;
        while let Some(front) = self.sent.front_mut() {
            if front.range.end > position {
                front.range.start = front.range.start.max(position);
                break;
            }
            delivery.acknowledged += 1;
            if !front.sacked {
                delivery.take(front, now, least_age);
                if let Some(measured) = &mut self.measured {
                    measured.delivered(0, front.range.end, now);
                }
            }
            if let Some(measured) = &mut self.measured {
                measured.pop();
            }
            delivery.was_resent |= front.transmissions > 1;
            // What SACK reported was timed then; its acknowledgment now says nothing of the path.
            let timed = front.transmissions == 1 && !front.sacked;
            delivery.rtt = timed.then(|| now - front.at);
            self.sacked -= u32::from(front.sacked);
            self.lost -= u32::from(front.lost.is_some());
            self.too_long -= u32::from(front.was_too_long());
            self.resent -= u32::from(front.resent);
            self.waiting -= u32::from(front.waits());
            self.sent.pop_front();
        }
        if delivery.was_resent {
            delivery.rtt = None;
        }
        self.sacked_ranges.remove_before(position);
        while self.resent_by_time.front().is_some_and(|first| first.end <= position) {
            self.resent_by_time.pop_front();
        }
        self.delivered = self.delivered.wrapping_add(delivery.delivered);
        delivery
    }

    /// The peer holds `range`, beyond a gap. Adds to `delivery` the segments that this reports for the first time.
    pub(crate) fn sack(&mut self, range: Range<u64>, now: Instant, min_rtt: Duration, delivery: &mut Delivery) {
        let (before, timed) = (delivery.delivered, delivery.rtt);
        let Some(range) = self.whole_segments(&range) else { return };
        for new in self.sacked_ranges.insert(range) {
            for index in self.place(new.start).. {
                let Some(sent) = self.sent.get_mut(index).filter(|sent| sent.range.start < new.end) else { break };
                if sent.sacked || !self.sacked_ranges.covers(&sent.range) {
                    continue;
                }
                sent.sacked = true;
                self.sacked += 1;
                self.waiting -= u32::from(sent.waits());
                self.too_long -= u32::from(sent.was_too_long());
                self.lost -= u32::from(sent.lost.take().is_some());
                self.resent -= u32::from(std::mem::take(&mut sent.resent));
                delivery.sacked += 1;
                delivery.take(sent, now, min_rtt);
                if let Some(measured) = &mut self.measured {
                    measured.delivered(index, sent.range.end, now);
                }
                delivery.rtt = (sent.transmissions == 1).then(|| now - sent.at).or(delivery.rtt);
            }
        }
        // What is acknowledged for good has been timed already.
        delivery.rtt = timed.or(delivery.rtt);
        self.delivered = self.delivered.wrapping_add(delivery.delivered - before);
    }

    /// What of `range` is whole segments. A peer that reports scraps would else make the scoreboard larger than the flight.
    fn whole_segments(&self, range: &Range<u64>) -> Option<Range<u64>> {
        let first = self.sent.partition_point(|sent| sent.range.start < range.start);
        let last = self.place(range.end).checked_sub(1)?;
        (first <= last).then(|| self.sent[first].range.start..self.sent[last].range.end)
    }

    /// Corrects the count of segments delivered: without SACK duplicate acknowledgments count, too.
    pub(crate) fn count_delivered(&mut self, more: u32) {
        self.delivered = self.delivered.wrapping_add(more);
    }

    /// The segment sent last of all that are new.
    pub(crate) fn last(&self) -> Option<&Sent> {
        self.sent.back()
    }

    /// The oldest segment.
    pub(crate) fn first(&self) -> Option<&Sent> {
        self.sent.front()
    }

    /// The first segment that is thought lost and was not sent again since.
    pub(crate) fn next_lost(&mut self) -> Option<&Sent> {
        if self.waiting == 0 {
            return None;
        }
        let mut index = self.place(self.resend_from);
        while self.sent.get(index).is_some_and(|sent| !sent.waits()) {
            index += 1;
        }
        let found = self.sent.get(index)?;
        self.resend_from = found.range.start;
        Some(found)
    }

    /// The segment that begins at `position` was sent again.
    pub(crate) fn resend(&mut self, position: u64, now: Instant) {
        let index = self.place(position);
        let in_network = self.in_network(0) + 1;
        let Some(sent) = self.sent.get_mut(index) else { return };
        if let Some(measured) = &mut self.measured {
            measured.resend(index, now, in_network);
        }
        self.waiting -= u32::from(sent.waits());
        sent.at = now;
        sent.transmissions = sent.transmissions.saturating_add(1);
        let end = sent.range.end;
        if !sent.sacked && !sent.resent {
            sent.resent = true;
            self.resent += 1;
        }
        self.total_retransmissions = self.total_retransmissions.saturating_add(1);
        self.resent_to = end;
        self.resent_by_time.push_back(Transmission { at: now, end });
    }

    /// What was newly thought lost since this was last asked, and by which rule.
    pub(crate) fn take_declared(&mut self) -> Declared {
        self.declared.take().map_or_else(Vec::new, |declared| *declared)
    }

    /// Segment by segment, what was newly thought lost since this was last asked.
    pub(crate) fn take_losses(&mut self) -> Vec<Lost> {
        self.measured.as_mut().map(|measured| measured.take_losses()).unwrap_or_default()
    }

    /// What was newly thought lost tells of no congestion: nobody who measures shall hear of it.
    pub(crate) fn excuse_losses(&mut self) {
        if let Some(measured) = &mut self.measured {
            measured.excuse();
        }
    }

    /// How fast the network delivers, after an acknowledgment; `None` when it brought nothing. `min_rtt` is the least
    /// round-trip time known, zero before any.
    pub(crate) fn rate(&mut self, now: Instant, min_rtt: Duration) -> Option<RateSample> {
        self.measured.as_mut()?.sample(now, min_rtt)
    }

    /// There is nothing to send although the window would let more out.
    pub(crate) fn application_limited(&mut self) {
        let in_network = self.in_network(0);
        if let Some(measured) = &mut self.measured {
            measured.application_limited(in_network);
        }
    }

    /// It is to be measured how fast the network delivers, before anything is sent: it costs something for every segment.
    pub(crate) fn measure_rates(&mut self) {
        self.measured.get_or_insert_default();
    }

    /// The index of the first segment that reaches beyond `position`.
    fn place(&self, position: u64) -> usize {
        self.sent.partition_point(|sent| sent.range.end <= position)
    }

    /// Gives memory back when nothing is in flight.
    pub(crate) fn rest(&mut self) {
        if self.sent.is_empty() {
            self.sent = VecDeque::new();
            if let Some(measured) = &mut self.measured {
                measured.rest();
            }
        }
        if self.sent.is_empty() && self.resent_by_time.capacity() > 0 {
            self.resent_by_time = VecDeque::new();
        }
    }
}
