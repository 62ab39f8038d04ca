//! Loss recovery: what acknowledgments say about lost segments, and when all is well again.
//!
//! ```text
//!            duplicate ACK             3 duplicate ACKs, or SACK says "lost"
//!    OPEN ─────────────────► DISORDER ──────────────────────────────────────► FAST RECOVERY
//!     ▲  ◄─────────────────            all acknowledged that was in flight then │
//!     │       new data acknowledged                                             │
//!     ├─────────────────────────────────────────────────────────────────────────┘
//!     │                 the retransmission timer fires, in any state
//!     └───────────────────────────── LOSS ◄────────────────────────
//! ```
//!
//! RFC 5681 §3.2 and RFC 6582 (NewReno) without SACK, RFC 6675 with it. The states carry the names that Linux gives them.
//! Which octets are lost is said here; how many may fly is for `congestion`.

use super::flight::{DUPLICATE_THRESHOLD, Flight};
use crate::journal::Recovery as Name;

/// Where recovery stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Open,
    Disorder,
    /// The window was reduced because of an ECN signal; nothing is lost.
    WindowReduced {
        high: u64,
    },
    FastRecovery {
        high: u64,
    },
    Loss {
        high: u64,
    },
}

/// The state of recovery, and what counts towards it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Recovery {
    state: State,
    /// Duplicate acknowledgments in a row, without SACK: so many segments have left the network unreported.
    duplicates: u32,
}

/// An acknowledgment, as recovery sees it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Evidence {
    /// SND.UNA after it, on the line of positions.
    pub(crate) snd_una: u64,
    /// SND.NXT, likewise.
    pub(crate) snd_nxt: u64,
    /// Whether it acknowledged new octets.
    pub(crate) advanced: bool,
    /// Whether it acknowledged nothing while something was in flight, and said nothing else (RFC 5681 §2).
    pub(crate) duplicate: bool,
    /// Whether the connection uses SACK.
    pub(crate) sack: bool,
    /// Segments that it acknowledged.
    pub(crate) acknowledged: u32,
}

/// What follows from an acknowledgment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// The window may grow.
    Fine,
    /// Nothing was learnt: the window stays.
    Wait,
    /// Fast recovery begins: the window must fall, the first lost segment goes at once.
    Begin,
    /// Fast recovery goes on.
    Continue,
    /// Everything that was in flight when the trouble began is acknowledged.
    Done,
}

impl Evidence {
    /// Whether everything sent before `high` is acknowledged. Without SACK one more octet is asked for while others are in
    /// flight: the duplicates of what went again would else look like a new loss (RFC 6582 §4.1).
    fn has_passed(&self, high: u64, flight: &Flight) -> bool {
        self.snd_una > high || (self.snd_una == high && (self.sack || flight.is_empty()))
    }
}

impl Recovery {
    /// Nothing is amiss.
    pub(crate) const fn new() -> Recovery {
        Recovery { state: State::Open, duplicates: 0 }
    }

    /// The state's name.
    pub(crate) const fn name(&self) -> Name {
        match self.state {
            State::Open => Name::Open,
            State::Disorder => Name::Disorder,
            State::WindowReduced { .. } => Name::WindowReduced,
            State::FastRecovery { .. } => Name::FastRecovery,
            State::Loss { .. } => Name::Loss,
        }
    }

    /// Segments that have left the network without being reported, by the count of duplicate acknowledgments.
    pub(crate) const fn unreported(&self) -> u32 {
        self.duplicates
    }

    /// Judges an acknowledgment, and marks in `flight` what it says is lost.
    pub(crate) fn acknowledged(&mut self, evidence: &Evidence, flight: &mut Flight) -> Verdict {
        self.count(evidence, flight);
        match self.state {
            State::Open | State::Disorder => self.watch(evidence, flight),
            State::WindowReduced { high } => {
                let verdict = self.watch(evidence, flight);
                if verdict == Verdict::Begin {
                    return verdict;
                }
                if evidence.snd_una < high {
                    self.state = State::WindowReduced { high };
                    return Verdict::Continue;
                }
                self.state = State::Open;
                Verdict::Done
            }
            State::FastRecovery { high } => self.recover(evidence, flight, high),
            State::Loss { high } => self.after_time_out(evidence, flight, high),
        }
    }

    /// The retransmission timer fired: everything in flight is lost. Returns whether this is the first time-out of this
    /// trouble, so that the threshold falls once only (RFC 5681 §3.1).
    pub(crate) fn timed_out(&mut self, snd_nxt: u64, flight: &mut Flight) -> bool {
        let first = !matches!(self.state, State::Loss { .. });
        self.state = State::Loss { high: snd_nxt };
        self.duplicates = 0;
        flight.lose_all();
        first
    }

    /// What was found lost was too long, and is no sign of congestion (RFC 4821 §7.6.2).
    pub(crate) fn spare(&mut self) {
        (self.state, self.duplicates) = (State::Open, 0);
    }

    /// The peer has seen a congestion mark (RFC 3168 §6.1.2). Returns whether the window must fall: once for each flight.
    pub(crate) fn congestion_marked(&mut self, snd_nxt: u64) -> bool {
        match self.state {
            State::Open | State::Disorder => {
                self.state = State::WindowReduced { high: snd_nxt };
                true
            }
            State::WindowReduced { .. } | State::FastRecovery { .. } | State::Loss { .. } => false,
        }
    }

    fn count(&mut self, evidence: &Evidence, flight: &Flight) {
        if evidence.sack {
            self.duplicates = 0;
        } else if evidence.advanced {
            // The first of the acknowledged segments filled the gap; the others are those counted as unreported.
            self.duplicates = match self.state {
                State::FastRecovery { .. } => self.duplicates.saturating_sub(evidence.acknowledged.saturating_sub(1)),
                State::Open | State::Disorder | State::WindowReduced { .. } | State::Loss { .. } => 0,
            };
        } else if evidence.duplicate {
            // Never more than there are: a peer that repeats itself must not empty the network in our books.
            self.duplicates = (self.duplicates + 1).min(flight.unacked().saturating_sub(1));
        }
    }

    fn watch(&mut self, evidence: &Evidence, flight: &mut Flight) -> Verdict {
        let lost = if evidence.sack {
            flight.judge_by_sack() > 0
        } else {
            self.duplicates >= DUPLICATE_THRESHOLD && flight.lose_oldest()
        };
        if lost {
            self.state = State::FastRecovery { high: evidence.snd_nxt };
            return Verdict::Begin;
        }
        let disorder = self.duplicates > 0 || flight.sacked() > 0;
        self.state = if disorder { State::Disorder } else { State::Open };
        if evidence.advanced { Verdict::Fine } else { Verdict::Wait }
    }

    fn recover(&mut self, evidence: &Evidence, flight: &mut Flight, high: u64) -> Verdict {
        if evidence.has_passed(high, flight) {
            self.state = State::Open;
            self.duplicates = 0;
            return Verdict::Done;
        }
        if evidence.sack {
            flight.judge_by_sack();
        }
        if evidence.advanced {
            // A partial acknowledgment: what it stops at is lost as well (RFC 6582 §3.2 step 5).
            flight.lose_oldest();
        }
        Verdict::Continue
    }

    fn after_time_out(&mut self, evidence: &Evidence, flight: &mut Flight, high: u64) -> Verdict {
        if evidence.has_passed(high, flight) {
            self.state = State::Open;
            return Verdict::Fine;
        }
        if evidence.sack {
            flight.judge_by_sack();
        }
        if evidence.advanced { Verdict::Fine } else { Verdict::Wait }
    }
}
