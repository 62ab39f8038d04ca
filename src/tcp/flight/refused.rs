//! Data that went with a SYN, and that the peer has not taken (RFC 7413 §4.2.2).

use super::{Flight, Sent};
use crate::journal::LossRule;

impl Flight {
    /// The peer has refused all that is in flight: it goes again, in segments of at most `mss` octets.
    pub(crate) fn lose_refused(&mut self, mss: u64) {
        self.resent_by_time.clear();
        for Sent { range, at, push, .. } in std::mem::take(&mut self.sent) {
            let mut start = range.start;
            while start < range.end {
                let end = range.end.min(start + mss.max(1));
                self.push(start..end, at, push && end == range.end, false);
                start = end;
            }
        }
        // Nothing of it was judged before: it was the SYN's answer that this follows from.
        (self.sacked, self.lost, self.too_long, self.resent, self.waiting) = (0, 0, 0, 0, 0);
        for index in 0..self.sent.len() {
            self.lose(index, LossRule::Refused);
        }
    }
}
