//! F-RTO (RFC 5682): after a time-out new data goes instead of old, and what comes back tells whether anything was lost.
//!
//! ```text
//!   the timer fires ──► FIRST ── SND.UNA moves, new data goes ──► TESTING ── what never went again arrives ──► no loss
//!                         │ no new data may go                       │ a duplicate
//!                         └──────────────────────────────────────────┴──► NONE: what is lost goes again, in slow start
//! ```

use super::{Evidence, Recovery, State, Verdict};
use crate::journal::NoLoss;
use crate::tcp::flight::Flight;
use crate::time::Instant;

/// Whether a time-out may have been needless (F-RTO, RFC 5682 §2.1 and §3.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Suspicion {
    /// No: it is settled, or F-RTO is not used.
    None,
    /// The oldest segment went again; what does the first acknowledgment say? (Step 1.)
    First,
    /// New data goes instead of old: will it, or what was never sent again, be acknowledged? (Step 2.b.)
    Testing,
}

impl Suspicion {
    /// What is suspected after an acknowledgment that has not settled it, and up to where SND.UNA must come then.
    fn after(self, evidence: &Evidence, high: u64) -> (Suspicion, u64) {
        let tells_of_a_hole = evidence.duplicate || evidence.delivery.sacked > 0;
        match self {
            // Step 2.b; without new data, or room for it, what is lost goes again.
            Suspicion::First if evidence.advanced && evidence.may_send_new => (Suspicion::Testing, evidence.snd_nxt),
            Suspicion::First if evidence.advanced => (Suspicion::None, high),
            // Step 2.a of §2.1; with SACK the first acknowledgment that moves SND.UNA is waited for.
            Suspicion::First if evidence.duplicate && !evidence.rules.sack => (Suspicion::None, high),
            // Step 3.a: the loss was real.
            Suspicion::Testing if tells_of_a_hole => (Suspicion::None, high),
            Suspicion::First | Suspicion::Testing | Suspicion::None => (self, high),
        }
    }
}

impl Recovery {
    /// No new data may go that would tell whether the time-out was needless. Returns whether that is news: what is lost goes
    /// again then (RFC 5682 §2.1, step 2.b).
    pub(crate) fn cannot_test(&mut self, snd_nxt: u64) -> bool {
        match self.state {
            State::Loss { high, suspicion: Suspicion::Testing } if high == snd_nxt => {
                self.state = State::Loss { high, suspicion: Suspicion::None };
                true
            }
            _ => false,
        }
    }

    /// Whether new data goes first, to find out whether a time-out was needless (RFC 5682 §2.1, step 2.b).
    pub(crate) const fn holds_retransmissions(&self) -> bool {
        matches!(self.state, State::Loss { suspicion: Suspicion::Testing, .. })
    }

    /// After a time-out, until everything that was in flight then is acknowledged: slow start, and F-RTO.
    pub(super) fn after_time_out(
        &mut self,
        evidence: &Evidence,
        flight: &mut Flight,
        (high, suspicion): (u64, Suspicion),
    ) -> (Verdict, Option<Instant>) {
        if evidence.advanced
            && let Some(undone) = self.take_back(evidence)
        {
            flight.forgive();
            self.settle(flight);
            return (undone, None);
        }
        if evidence.has_passed(high, flight) {
            self.finish(evidence);
            let look_again = self.judge(evidence, flight);
            self.settle(flight);
            return (if evidence.advanced { Verdict::Fine } else { Verdict::Wait }, look_again);
        }
        let untouched_arrived = evidence.delivery.lowest_untouched.is_some_and(|(_, end)| end <= high);
        let tells = evidence.rules.sack && suspicion == Suspicion::First || suspicion == Suspicion::Testing;
        if tells && untouched_arrived {
            // Step 3.b: what was never sent again, and not reported before, arrives. So it was late, and not lost.
            flight.forgive();
            let verdict = self.undo(NoLoss::FRto);
            self.settle(flight);
            return (verdict, None);
        }
        let (suspicion, high) = suspicion.after(evidence, high);
        self.state = State::Loss { high, suspicion };
        let look_again = self.judge(evidence, flight);
        (if evidence.advanced { Verdict::Fine } else { Verdict::Wait }, look_again)
    }
}
