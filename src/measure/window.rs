//! What the first loss did to a congestion window, and what a journal tells of windows and time-outs.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::journal::{CwndCause, Entry, Event, NodeId, SocketId, Timer};
use crate::time::Instant;

/// A congestion window before and after the first loss, in the unit that it was told in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Reduction {
    /// Right before the loss was noticed; of a window that is looked at from time to time, the most that was seen.
    pub before: u32,
    /// The least until the loss was repaired.
    pub after: u32,
}

/// Follows a congestion window to the end of its first loss.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct WindowStory {
    latest: Option<u32>,
    first: Option<Reduction>,
    /// The first loss has been repaired; what comes later is another story.
    is_over: bool,
}

impl WindowStory {
    /// The window is `cwnd` now, and a loss is being repaired or not.
    pub fn see(&mut self, cwnd: u32, is_repairing: bool) {
        let before = self.latest.replace(cwnd).unwrap_or(cwnd);
        match &mut self.first {
            // It may have grown since the last look, and not have fallen yet.
            None if is_repairing => self.first = Some(Reduction { before: before.max(cwnd), after: cwnd }),
            Some(first) if !self.is_over => {
                first.after = first.after.min(cwnd);
                self.is_over = !is_repairing;
            }
            None | Some(_) => {}
        }
    }

    /// The first loss; `None` while there was none.
    pub fn first_reduction(&self) -> Option<Reduction> {
        self.first
    }
}

/// What the journal tells of the connections of one node.
#[derive(Clone, Debug, Default)]
pub struct JournalStory {
    windows: BTreeMap<SocketId, WindowStory>,
    first_reduced: Option<(Instant, SocketId)>,
    timeouts: u64,
}

impl JournalStory {
    /// Something happened on the node.
    pub fn event(&mut self, at: Instant, event: &Event) {
        if let Event::CongestionWindow { socket, cwnd, cause, .. } = event {
            let window = self.windows.entry(*socket).or_default();
            window.see(*cwnd, is_repair(*cause));
            if self.first_reduced.is_none() && window.first_reduction().is_some() {
                self.first_reduced = Some((at, *socket));
            }
        } else if let Event::TimerFired { timer: Timer::Retransmission, .. } = event {
            self.timeouts += 1;
        }
    }

    /// What the node's first loss did to the window of its connection, in octets, and when it was noticed.
    pub fn first_reduction(&self) -> Option<(Instant, Reduction)> {
        let (at, socket) = self.first_reduced?;
        Some((at, self.windows.get(&socket)?.first_reduction()?))
    }

    /// Retransmission time-outs of all its connections.
    pub fn timeouts(&self) -> u64 {
        self.timeouts
    }

    /// Whether its stack tells of its windows at all.
    pub fn tells_windows(&self) -> bool {
        !self.windows.is_empty()
    }
}

/// The stories of all nodes, by a journal.
pub fn journal_stories<'a>(entries: impl IntoIterator<Item = &'a Entry>) -> BTreeMap<NodeId, JournalStory> {
    let mut stories: BTreeMap<NodeId, JournalStory> = BTreeMap::new();
    for Entry { at, node, event } in entries {
        stories.entry(*node).or_default().event(*at, event);
    }
    stories
}

/// Whether a window that changed for this reason belongs to a connection that is repairing a loss.
fn is_repair(cause: CwndCause) -> bool {
    match cause {
        CwndCause::FastRecovery
        | CwndCause::DuringRecovery
        | CwndCause::Timeout
        | CwndCause::TailLoss
        | CwndCause::Marked => true,
        CwndCause::Initial
        | CwndCause::SlowStart
        | CwndCause::CongestionAvoidance
        | CwndCause::RecoveryDone
        | CwndCause::Undo
        | CwndCause::Idle => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_loss_is_told_with_the_window_before_and_the_least_until_it_was_repaired() {
        const OPEN: bool = false;
        const REPAIRING: bool = true;
        for (sights, expected) in [
            (&[][..], None),
            (&[(10, OPEN), (20, OPEN)], None),
            (&[(10, OPEN), (20, OPEN), (10, REPAIRING)], Some((20, 10))),
            // A time-out during recovery belongs to the same loss; a later loss does not.
            (&[(20, OPEN), (10, REPAIRING), (1, REPAIRING), (2, OPEN), (8, OPEN), (4, REPAIRING)], Some((20, 1))),
            // The end of recovery may set the window lower still (from an inflated one), and then it grows again.
            (&[(20, OPEN), (13, REPAIRING), (10, OPEN), (9, OPEN)], Some((20, 10))),
            // The window grew after the last look, and falls bit by bit.
            (&[(40, OPEN), (43, REPAIRING), (30, REPAIRING), (30, OPEN)], Some((43, 30))),
            // Nobody looked before.
            (&[(7, REPAIRING)], Some((7, 7))),
        ] {
            let mut story = WindowStory::default();
            sights.iter().for_each(|(cwnd, repairing)| story.see(*cwnd, *repairing));
            let expected = expected.map(|(before, after)| Reduction { before, after });
            assert_eq!(story.first_reduction(), expected, "{sights:?}");
        }
    }

    #[test]
    fn a_journal_tells_each_nodes_first_reduction_and_its_time_outs() {
        let window = |at, node, socket, cwnd, cause| Entry {
            at: Instant::from_nanos(at),
            node: NodeId(node),
            event: Event::CongestionWindow { socket: SocketId(socket), cwnd, ssthresh: u32::MAX, cause },
        };
        let fired = |timer| Entry {
            at: Instant::from_nanos(6),
            node: NodeId(0),
            event: Event::TimerFired { socket: SocketId(1), timer },
        };
        let stories = journal_stories(&[
            window(1, 0, 1, 100, CwndCause::Initial),
            window(2, 0, 2, 70, CwndCause::Initial),
            window(3, 0, 2, 35, CwndCause::FastRecovery),
            window(4, 0, 1, 1, CwndCause::Timeout),
            window(5, 1, 1, 100, CwndCause::SlowStart),
            fired(Timer::Retransmission),
            fired(Timer::DelayedAck),
        ]);
        let [first, second] = [0, 1].map(|node| &stories[&NodeId(node)]);
        let reduced = Reduction { before: 70, after: 35 };
        assert_eq!(first.first_reduction(), Some((Instant::from_nanos(3), reduced)));
        assert_eq!((first.timeouts(), first.tells_windows()), (1, true));
        assert_eq!((second.first_reduction(), second.timeouts()), (None, 0));
    }
}
