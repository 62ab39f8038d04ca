//! Proportional rate reduction (RFC 6937): in recovery the window comes down in step with what is delivered.
//!
//! ```text
//!   in the network > ssthresh:   send ssthresh / RecoverFS for each segment delivered
//!   else:                        send as many as were delivered; one more when the recovery makes progress
//! ```
//!
//! So the rhythm of acknowledgments is kept, no burst leaves, and the window ends at the threshold. When less is in the
//! network than the threshold allows, the slow start part catches up as long as nothing more is lost, as Linux has it.

use crate::tcp::congestion::SegmentSize;

/// A reduction under way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Reduction {
    /// ssthresh: where the window shall end, in segments.
    ssthresh: u32,
    /// RecoverFS, in segments: the window before, as Linux has it, where RFC 6937 §3 takes what was in flight. The two differ
    /// when the window was not used up, or limited transmit has let out more.
    before: u32,
    /// prr_delivered: segments delivered since.
    delivered: u32,
    /// prr_out: segments sent since.
    out: u32,
}

impl Reduction {
    /// The window is to fall from `before` to `ssthresh` segments.
    pub(super) const fn new(before: u32, ssthresh: u32) -> Reduction {
        Reduction { ssthresh, before: if before == 0 { 1 } else { before }, delivered: 0, out: 0 }
    }

    /// Segments were sent.
    pub(super) fn sent(&mut self, segments: u32) {
        self.out = self.out.saturating_add(segments);
    }

    /// Segments have become longer.
    pub(super) fn resized(&mut self, size: &SegmentSize) {
        let Reduction { ssthresh, before, delivered, out } = *self;
        let [ssthresh, before, delivered, out] = [ssthresh, before, delivered, out].map(|count| size.scaled(count));
        *self = Reduction { ssthresh, before, delivered, out };
    }

    /// The window after an acknowledgment that delivered `delivered` segments, with `in_network` under way; `None` when it
    /// says nothing. `progress`: SND.UNA moved, and nothing more was lost.
    pub(super) fn delivered(&mut self, delivered: u32, in_network: u32, progress: bool) -> Option<u32> {
        if delivered == 0 {
            return None;
        }
        self.delivered = self.delivered.saturating_add(delivered);
        let room = self.ssthresh.saturating_sub(in_network);
        let quota = if in_network > self.ssthresh {
            let due = (u64::from(self.ssthresh) * u64::from(self.delivered)).div_ceil(u64::from(self.before));
            u32::try_from(due).unwrap_or(u32::MAX).saturating_sub(self.out)
        } else {
            let caught_up = self.delivered.saturating_sub(self.out).max(delivered);
            room.min(caught_up.saturating_add(u32::from(progress)))
        };
        // The first loss is mended at once.
        let quota = if self.out == 0 { quota.max(1) } else { quota };
        Some(in_network.saturating_add(quota))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Each acknowledgment delivers one segment; what the window lets out leaves at once. Returns how many left.
    fn run(reduction: &mut Reduction, in_network: &mut u32, acks: u32) -> Vec<u32> {
        let step = |_| {
            *in_network = in_network.saturating_sub(1);
            let cwnd = reduction.delivered(1, *in_network, false).expect("something was delivered");
            let out = cwnd.saturating_sub(*in_network);
            reduction.sent(out);
            *in_network += out;
            out
        };
        (0..acks).map(step).collect()
    }

    #[test]
    fn half_as_many_leave_as_arrive_while_too_much_is_under_way() {
        let mut reduction = Reduction::new(20, 10);
        let mut in_network = 20;
        let sent = run(&mut reduction, &mut in_network, 20);
        assert_eq!(sent.iter().sum::<u32>(), 10);
        assert!(sent[..18].windows(2).all(|pair| pair[0] + pair[1] == 1), "every second: {sent:?}");
        assert_eq!(in_network, 10);
    }

    #[test]
    fn one_leaves_for_each_that_arrives_when_little_is_under_way() {
        let mut reduction = Reduction::new(20, 10);
        let mut in_network = 4;
        assert_eq!(run(&mut reduction, &mut in_network, 6), [1; 6]);
        assert_eq!(reduction.delivered(1, 3, true), Some(5), "progress lets one more out");
    }

    #[test]
    fn the_window_ends_at_the_threshold_and_never_goes_above() {
        let mut reduction = Reduction::new(20, 10);
        assert_eq!(reduction.delivered(15, 2, true), Some(10));
        assert_eq!(reduction.delivered(0, 2, true), None);
    }

    #[test]
    fn the_first_loss_is_mended_at_once() {
        let mut reduction = Reduction::new(100, 50);
        assert_eq!(reduction.delivered(1, 96, false), Some(97));
        reduction.sent(1);
        assert_eq!(reduction.delivered(1, 96, false), Some(96));
    }

    #[test]
    fn with_longer_segments_all_counts_are_fewer() {
        let mut reduction = Reduction { ssthresh: 50, before: 100, delivered: 20, out: 10 };
        reduction.resized(&SegmentSize { before: 500, now: 1000 });
        assert_eq!(reduction, Reduction { ssthresh: 25, before: 50, delivered: 10, out: 5 });
    }

    #[test]
    fn great_numbers_do_not_overflow() {
        let mut reduction = Reduction::new(u32::MAX, u32::MAX);
        reduction.sent(u32::MAX);
        assert_eq!(reduction.delivered(u32::MAX, u32::MAX, true), Some(u32::MAX));
    }
}
