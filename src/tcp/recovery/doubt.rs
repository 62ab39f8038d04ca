//! Doubt: was it a loss at all? When every segment that was sent again turns out to have arrived twice, or an
//! acknowledgment was for the first copy, the window should never have fallen.
//!
//! | evidence | standard |
//! |---|---|
//! | an acknowledgment echoes a timestamp older than the first retransmission | RFC 3522, Eifel |
//! | D-SACK reports every retransmission as a duplicate | RFC 3708 |
//! | after a time-out, what was never sent again is acknowledged | RFC 5682, F-RTO |
//!
//! The first two are kept here, the last in `f_rto`.

use crate::tcp::congestion::Window;

/// What would have to be taken back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Doubt {
    /// SND.UNA when the window fell.
    pub(super) since: u64,
    /// The window before.
    pub(super) before: Window,
    /// Retransmissions that were not yet reported to have come twice; `None` before the first.
    unproved: Option<u32>,
    /// TSval of the first retransmission.
    first_resent: Option<u32>,
    /// SND.NXT when the recovery was over; `None` while it lasts. What leaves later belongs to no loss of before.
    over: Option<u64>,
}

impl Doubt {
    /// The window falls from `before` with SND.UNA at `since`; `resent` segments are under way that were sent again earlier.
    pub(super) fn new(since: u64, before: Window, resent: u32) -> Doubt {
        Doubt { since, before, unproved: (resent > 0).then_some(resent), first_resent: None, over: None }
    }

    /// A segment was sent again with this timestamp.
    pub(super) fn resent(&mut self, timestamp: u32) {
        if self.over.is_some() {
            return;
        }
        self.unproved = Some(self.unproved.unwrap_or(0).saturating_add(1));
        self.first_resent.get_or_insert(timestamp);
    }

    /// The recovery is over. What went again last may still turn out to have come twice: that is reported only after the
    /// first copies have ended it.
    pub(super) fn recovered(&mut self, snd_nxt: u64) {
        self.over = Some(snd_nxt);
    }

    /// The octets before `end` came twice.
    pub(super) fn came_twice(&mut self, end: u64) {
        if end > self.since && self.over.is_none_or(|over| end <= over) {
            self.unproved = self.unproved.map(|unproved| unproved.saturating_sub(1));
        }
    }

    /// Whether all that was sent again came twice.
    pub(super) fn all_came_twice(&self) -> bool {
        self.unproved == Some(0)
    }

    /// Whether an acknowledgment that echoes this timestamp was for a first copy (RFC 3522 §3.2).
    pub(super) fn is_disproved_by(&self, echo: Option<u32>) -> bool {
        match (echo, self.first_resent) {
            (Some(echo), Some(first)) => (echo.wrapping_sub(first) as i32) < 0,
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn doubt(resent: u32) -> Doubt {
        Doubt::new(1000, Window { cwnd: 10, ssthresh: u32::MAX }, resent)
    }

    #[test]
    fn every_retransmission_must_have_come_twice() {
        let mut doubt = doubt(0);
        assert!(!doubt.all_came_twice());
        (0..2).for_each(|_| doubt.resent(7));
        doubt.came_twice(2000);
        assert!(!doubt.all_came_twice());
        doubt.came_twice(1000);
        assert!(!doubt.all_came_twice(), "that was before");
        doubt.came_twice(3000);
        assert!(doubt.all_came_twice());
    }

    #[test]
    fn after_the_recovery_only_what_left_before_its_end_is_evidence() {
        let mut doubt = doubt(0);
        doubt.resent(7);
        doubt.recovered(5000);
        doubt.came_twice(6000);
        assert!(!doubt.all_came_twice());
        doubt.resent(9);
        doubt.came_twice(5000);
        assert!(doubt.all_came_twice());
    }

    #[test]
    fn an_echo_from_before_the_first_retransmission_disproves_the_loss() {
        let mut doubt = doubt(0);
        assert!(!doubt.is_disproved_by(Some(5)));
        doubt.resent(u32::MAX);
        doubt.resent(3);
        assert!(doubt.is_disproved_by(Some(u32::MAX - 1)) && !doubt.is_disproved_by(Some(u32::MAX)));
        assert!(!doubt.is_disproved_by(Some(0)) && !doubt.is_disproved_by(None));
    }
}
