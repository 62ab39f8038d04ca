//! Which segments are lost: the rules, each asked by `recovery` when its time has come.
//!
//! | rule | what says that a segment is lost |
//! |---|---|
//! | RFC 6675 §4, IsLost | so many segments behind it were reported by SACK |
//! | RFC 8985 §6.2, RACK | one that was sent later has arrived, and a reordering window has passed |
//! | RFC 5681 §3.2, RFC 6582 | so many duplicate acknowledgments, or one that stops at it |
//! | RFC 6298 §5.4 | the retransmission timer has fired |
//! | RFC 1191 §6.4 | it was too long for the path: `cut` |

use std::time::Duration;

use super::{Flight, Sent, Transmission};
use crate::journal::LossRule;
use crate::time::Instant;

impl Flight {
    /// Judges by SACK: a segment with `threshold` reported ones behind it is lost (RFC 6675 §4, IsLost). Returns how many
    /// are newly thought lost.
    pub(crate) fn judge_by_sack(&mut self, threshold: u32) -> u32 {
        if self.sacked < threshold {
            return 0;
        }
        let mut behind = 0;
        let mut edge = None;
        for (index, sent) in self.sent.iter().enumerate().rev() {
            behind += u32::from(sent.sacked);
            if behind == threshold {
                edge = Some(index);
                break;
            }
            if sent.range.end <= self.judged_to {
                break;
            }
        }
        let Some(edge) = edge else { return 0 };
        let from = self.place(self.judged_to);
        let mut newly = 0;
        for index in from..edge {
            newly += u32::from(self.lose(index, LossRule::Sack));
        }
        self.judged_to = self.judged_to.max(self.sent[edge].range.start);
        newly
    }

    /// Judges by time (RFC 8985 §6.2, step 5): what left before `latest`, which has arrived, and more than `patience` ago, is
    /// lost. What was lost and sent again is judged by when it was sent again. Returns how many are newly thought lost, and
    /// when the first of the others will be.
    ///
    /// RFC 8985 looks again when the last of the others is due; so does Linux. Here it is the first: each is found as soon
    /// as it can be, and no work is done for those behind it.
    pub(crate) fn judge_by_time(
        &mut self,
        latest: Transmission,
        patience: Duration,
        now: Instant,
    ) -> (u32, Option<Instant>) {
        let (mut newly, mut next) = (0, None);
        let mut index = self.place(self.judged_to);
        while let Some(sent) =
            self.sent.get(index).filter(|sent| sent.transmissions > 1 || sent.transmission() < latest)
        {
            let (due, end) = (sent.at + patience, sent.range.end);
            if sent.transmissions == 1 && !sent.sacked && !sent.waits() {
                if due > now {
                    next = Some(due);
                    break;
                }
                newly += u32::from(self.lose(index, LossRule::Rack));
            }
            self.judged_to = end;
            index += 1;
        }
        while let Some(first) = self.resent_by_time.front().copied().filter(|first| *first < latest) {
            if let Some(index) = self.awaited(first) {
                let due = first.at + patience;
                if due > now {
                    next = next.min(Some(due)).or(Some(due));
                    break;
                }
                newly += u32::from(self.lose(index, LossRule::Rack));
            }
            self.resent_by_time.pop_front();
        }
        (newly, next)
    }

    /// The segment of a transmission that was its last, while it may still arrive.
    fn awaited(&self, transmission: Transmission) -> Option<usize> {
        let index = self.sent.partition_point(|sent| sent.range.end < transmission.end);
        let sent = self.sent.get(index)?;
        let is_last = sent.range.end == transmission.end && sent.at == transmission.at;
        (is_last && !sent.sacked && !sent.waits()).then_some(index)
    }

    /// The oldest segment is lost. Returns whether that is news.
    pub(crate) fn lose_oldest(&mut self, rule: LossRule) -> bool {
        self.sent.front().is_some_and(|oldest| oldest.lost.is_none()) && self.lose(0, rule)
    }

    /// The retransmission timer has fired: everything that the peer has not reported is lost (RFC 6298 §5.4 with RFC 2018
    /// §8: nothing in flight is trusted any more). When the peer has dropped what it reported, that goes, too. With RACK
    /// what was sent less than a round-trip time `rtt` ago may still arrive, except the oldest (RFC 8985 §6.3).
    pub(crate) fn lose_all(&mut self, rtt: Option<Duration>, now: Instant) {
        let is_renounced = self.sent.front().is_some_and(|oldest| oldest.sacked);
        if is_renounced {
            self.sacked_ranges.clear();
            self.sent.iter_mut().for_each(|sent| sent.sacked = false);
            self.sacked = 0;
        }
        for index in 0..self.sent.len() {
            let is_recent = rtt.is_some_and(|rtt| self.sent[index].at + rtt > now);
            if index == 0 || is_renounced || !is_recent {
                self.lose(index, LossRule::Timer);
            }
        }
    }

    /// The loss was none: what waits to be sent again need not be (RFC 5682 §2.1, RFC 3522 §3.2).
    pub(crate) fn forgive(&mut self) {
        self.sent.iter_mut().for_each(|sent| sent.lost = None);
        if let Some(measured) = &mut self.measured {
            measured.found(self.lost - self.too_long);
        }
        (self.lost, self.too_long, self.waiting) = (0, 0, 0);
        let again = self.sent.iter().filter(|sent| sent.transmissions > 1 && !sent.sacked);
        let mut awaited: Vec<Transmission> = again.map(Sent::transmission).collect();
        awaited.sort_unstable();
        self.resent_by_time = awaited.into();
        self.judged_to = 0;
    }

    pub(super) fn lose(&mut self, index: usize, rule: LossRule) -> bool {
        let Some(sent) = self.sent.get_mut(index).filter(|sent| !sent.sacked && !sent.waits()) else { return false };
        // Lost for the first time, or again after it was sent again.
        self.resent -= u32::from(std::mem::take(&mut sent.resent));
        self.lost += u32::from(sent.lost.is_none());
        self.too_long -= u32::from(sent.was_too_long());
        sent.lost = Some(rule);
        self.too_long += u32::from(sent.was_too_long());
        self.waiting += 1;
        self.total_losses = self.total_losses.wrapping_add(1);
        self.resend_from = self.resend_from.min(sent.range.start);
        let is_congestion = rule != LossRule::PathMtu;
        if let Some(measured) = self.measured.as_mut().filter(|_| is_congestion) {
            measured.lose(index);
        }
        let range = sent.range.clone();
        let declared = self.declared.get_or_insert_default();
        match declared.last_mut() {
            Some((last, by)) if last.end == range.start && *by == rule => last.end = range.end,
            _ => declared.push((range, rule)),
        }
        true
    }
}
