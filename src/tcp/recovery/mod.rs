//! Loss recovery: what acknowledgments say about lost segments, and when all is well again.
//!
//! ```text
//!            duplicate ACK, SACK                       a segment is lost
//!    OPEN ─────────────────────► DISORDER ──────────────────────────────► FAST RECOVERY
//!     ▲  ◄─────────────────────                 all acknowledged that was in flight then │
//!     │        nothing missing                                                           │
//!     ├───────────────────────────────── or: it was none, undone ────────────────────────┤
//!     │                  the retransmission timer fires, in any state                    │
//!     └────────────────────────────────── LOSS ◄─────────────────────────────────────────┘
//! ```
//!
//! The states carry the names that Linux gives them. Which octets are lost is said here; how many may fly is for
//! `congestion`, and how the window comes down meanwhile for `reduction`.
//!
//! | what | where | standard |
//! |---|---|---|
//! | a segment is lost by the order of time | `rack`, `flight/judge.rs` | RFC 8985 §6 |
//! | by selective acknowledgments, without RACK | `flight/judge.rs` | RFC 6675 |
//! | by duplicate acknowledgments, without SACK | here, `judge` | RFC 5681 §3.2, RFC 6582 |
//! | the end of a flight is lost | `tail_probe` | RFC 8985 §7 |
//! | the window comes down | `reduction` | RFC 6937 |
//! | it was no loss at all | `doubt`; after a time-out `f_rto` | RFC 3522, RFC 3708, RFC 5682 |

mod doubt;
mod evidence;
mod f_rto;
mod rack;
mod reduction;
mod tail_probe;

use std::time::Duration;

pub(crate) use evidence::{Evidence, Outcome, Rules, Verdict};
pub(crate) use tail_probe::probe_time_out;

use self::doubt::Doubt;
use self::f_rto::Suspicion;
use self::rack::{Path, Rack};
use self::reduction::Reduction;
use self::tail_probe::{Answer, TailProbe};
use super::congestion::{Phase, SegmentSize, Window};
use super::flight::{DUPLICATE_THRESHOLD, Delivery, Flight};
use crate::journal::{LossRule, NoLoss, Recovery as Name};
use crate::time::Instant;

/// The farthest that reordering is believed to reach, in segments (Linux's tcp_max_reordering).
const MOST_REORDERING: u64 = 300;

/// Where recovery stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Open,
    Disorder,
    /// The window comes down because of an ECN signal; nothing is lost.
    WindowReduced {
        high: u64,
    },
    FastRecovery {
        high: u64,
    },
    Loss {
        high: u64,
        suspicion: Suspicion,
    },
}

/// The state of recovery, and what counts towards it.
#[derive(Clone, Debug)]
pub(crate) struct Recovery {
    state: State,
    /// Duplicate acknowledgments in a row, without SACK: so many segments have left the network unreported.
    duplicates: u32,
    /// How far out of order segments arrive, in segments; the duplicate threshold of RFC 5681 until more was seen.
    reordering: u32,
    /// SND.NXT when the window last fell: an echoed mark counts only when something beyond is acknowledged; 0 for never.
    answered: u64,
    rack: Rack,
    probe: TailProbe,
    /// In a box, like the next: most connections never have them.
    doubt: Option<Box<Doubt>>,
    reduction: Option<Box<Reduction>>,
}

impl Recovery {
    /// Nothing is amiss.
    pub(crate) const fn new() -> Recovery {
        Recovery {
            state: State::Open,
            duplicates: 0,
            reordering: DUPLICATE_THRESHOLD,
            answered: 0,
            rack: Rack::new(),
            probe: TailProbe::NONE,
            doubt: None,
            reduction: None,
        }
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

    /// The state, as congestion control sees it.
    pub(crate) const fn phase(&self) -> Phase {
        match self.state {
            State::Open | State::Disorder => Phase::Open,
            State::WindowReduced { .. } | State::FastRecovery { .. } => Phase::Recovery,
            State::Loss { .. } => Phase::Loss,
        }
    }

    /// Segments that have left the network without being reported, by the count of duplicate acknowledgments.
    pub(crate) const fn unreported(&self) -> u32 {
        self.duplicates
    }

    /// How far out of order segments arrive, in segments.
    pub(crate) const fn reordering(&self) -> u32 {
        self.reordering
    }

    /// Judges an acknowledgment, and marks in `flight` what it says is lost.
    pub(crate) fn acknowledged(&mut self, evidence: &Evidence, flight: &mut Flight) -> Outcome {
        let lost_before = flight.total_losses();
        let delivered = self.count(evidence, flight);
        self.learn(evidence);
        let mended_by_probe = self.probe.answered(Answer {
            snd_una: evidence.snd_una,
            is_bare_duplicate: evidence.repeats && evidence.delivery.delivered == 0 && evidence.twice.is_none(),
            twice: evidence.twice.as_ref().map(|range| range.end),
        });
        if mended_by_probe {
            // The window falls anew; what it was before an older loss counts no more.
            self.doubt = None;
        }
        let (verdict, look_again) = match self.state {
            State::Open | State::Disorder => self.watch(evidence, flight),
            State::WindowReduced { high } => {
                let (verdict, look_again) = self.watch(evidence, flight);
                // CWR must have reached the peer, so something sent after the mark must be acknowledged.
                let over = evidence.snd_una > high;
                match verdict {
                    Verdict::Begin => (verdict, look_again),
                    _ if over => {
                        self.reduction = None;
                        self.settle(flight);
                        (Verdict::Done, look_again)
                    }
                    _ => {
                        self.state = State::WindowReduced { high };
                        (Verdict::Continue, look_again)
                    }
                }
            }
            State::FastRecovery { high } => self.recover(evidence, flight, high),
            State::Loss { high, suspicion } => self.after_time_out(evidence, flight, (high, suspicion)),
        };
        let lost = flight.total_losses().wrapping_sub(lost_before);
        Outcome { verdict, delivered, lost, look_again, mended_by_probe }
    }

    /// The time has come to look again (RFC 8985 §6.2, step 5: the reordering timer).
    pub(crate) fn look_again(&mut self, evidence: &Evidence, flight: &mut Flight) -> Outcome {
        let lost_before = flight.total_losses();
        let look_again = self.judge(evidence, flight);
        let lost = flight.total_losses().wrapping_sub(lost_before);
        let recovers = matches!(self.state, State::FastRecovery { .. } | State::Loss { .. });
        let begins = lost > 0 && !recovers;
        let verdict = if begins { self.begin(evidence) } else { Verdict::Continue };
        Outcome { verdict, delivered: 0, lost, look_again, mended_by_probe: false }
    }

    /// The retransmission timer fired, and not for the first time when `again`. Returns whether the threshold must fall: once
    /// for what was in flight (RFC 5681 §3.1).
    pub(crate) fn timed_out(&mut self, evidence: &Evidence, again: bool, flight: &mut Flight) -> bool {
        let Evidence { now, snd_nxt, rules, .. } = *evidence;
        let snd_una = flight.first().map_or(snd_nxt, |first| first.range.start);
        let falls = match self.state {
            State::Open | State::Disorder => true,
            State::WindowReduced { high } | State::FastRecovery { high } => snd_una >= high,
            State::Loss { high, .. } => snd_una >= high || !again,
        };
        // Not while another recovery is under way, but again when the timer fires again (RFC 5682 §3.1, §3.2).
        let other_recovery = matches!(self.state, State::FastRecovery { .. } | State::Loss { .. });
        let looks_through = rules.f_rto && (again || !other_recovery);
        let suspicion = if looks_through { Suspicion::First } else { Suspicion::None };
        self.state = State::Loss { high: snd_nxt, suspicion };
        self.duplicates = 0;
        self.reduction = None;
        self.probe.forget();
        let latest = self.rack.latest().filter(|_| rules.sack && rules.rack);
        flight.lose_all(latest.map(|(_, rtt)| rtt + self.reordering_window(evidence, flight)), now);
        falls
    }

    /// What was just found lost was too long, and is no sign of congestion (RFC 4821 §7.6.2): no recovery begins. A window
    /// that falls because of a mark goes on falling.
    pub(crate) fn spare(&mut self, flight: &Flight) {
        self.duplicates = 0;
        match self.state {
            State::FastRecovery { high } if self.is_reducing() => self.state = State::WindowReduced { high },
            _ => self.settle(flight),
        }
    }

    /// The window falls. The mark of a segment that had left by then asks for nothing more (RFC 3168 §6.1.2).
    pub(crate) fn window_falls(&mut self, snd_nxt: u64) {
        self.answered = snd_nxt;
    }

    /// The peer has seen a congestion mark (RFC 3168 §6.1.2). Returns whether the window must fall: once for each flight.
    pub(crate) fn congestion_marked(&mut self, snd_una: u64, snd_nxt: u64) -> bool {
        match self.state {
            State::Open | State::Disorder if snd_una > self.answered => {
                self.state = State::WindowReduced { high: snd_nxt };
                self.doubt = None;
                true
            }
            State::Open
            | State::Disorder
            | State::WindowReduced { .. }
            | State::FastRecovery { .. }
            | State::Loss { .. } => false,
        }
    }

    /// The window is to fall from `before` to `ssthresh` segments, in step with what is delivered.
    pub(crate) fn reduce(&mut self, before: u32, ssthresh: u32) {
        self.reduction = Some(Box::new(Reduction::new(before, ssthresh)));
    }

    /// Whether the window is falling already.
    pub(crate) fn is_reducing(&self) -> bool {
        self.reduction.is_some()
    }

    /// Segments have become longer: windows that are remembered are as many octets as before.
    pub(crate) fn resized(&mut self, size: &SegmentSize) {
        if let Some(doubt) = &mut self.doubt {
            let Window { cwnd, ssthresh } = doubt.before;
            doubt.before = Window { cwnd: size.scaled(cwnd), ssthresh: size.scaled(ssthresh) };
        }
        if let Some(reduction) = &mut self.reduction {
            reduction.resized(size);
        }
    }

    /// The window has fallen from `before`; that may have to be taken back.
    pub(crate) fn doubt(&mut self, snd_una: u64, before: Window, flight: &Flight) {
        self.doubt = Some(Box::new(Doubt::new(snd_una, before, flight.resent())));
    }

    /// The window while it comes down, after an acknowledgment; `None` when it does not, or nothing was learnt.
    pub(crate) fn reduced(&mut self, outcome: &Outcome, advanced: bool, flight: &Flight) -> Option<u32> {
        let in_network = flight.in_network(self.duplicates);
        self.reduction.as_mut()?.delivered(outcome.delivered, in_network, advanced && outcome.lost == 0)
    }

    /// Segments left; `again` with the timestamp of one that was sent before.
    pub(crate) fn sent(&mut self, segments: u32, again: Option<u32>) {
        if let Some(reduction) = &mut self.reduction {
            reduction.sent(segments);
        }
        if let (Some(doubt), Some(timestamp)) = (&mut self.doubt, again) {
            doubt.resent(timestamp);
        }
    }

    /// Whether the end of a flight may be probed now (RFC 8985 §7.2): nothing is being recovered or reported by SACK, and no
    /// probe is out.
    pub(crate) fn may_probe(&self, flight: &Flight) -> bool {
        let is_calm = matches!(self.state, State::Open | State::WindowReduced { .. });
        is_calm && flight.sacked() == 0 && !self.probe.is_out()
    }

    /// A probe of the flight's end left; `again` when it carried what had been sent before.
    pub(crate) fn probed(&mut self, snd_nxt: u64, again: bool) {
        self.probe.sent(snd_nxt, again);
    }

    /// Counts duplicate acknowledgments where there is no SACK. Returns the segments that were delivered.
    fn count(&mut self, evidence: &Evidence, flight: &mut Flight) -> u32 {
        let Delivery { delivered, acknowledged, .. } = evidence.delivery;
        if evidence.rules.sack {
            self.duplicates = 0;
            return delivered;
        }
        let before = self.duplicates;
        if evidence.advanced {
            // The first of the acknowledged segments filled the gap; the others are those counted as unreported.
            self.duplicates = match self.state {
                State::FastRecovery { .. } | State::Loss { .. } => {
                    self.duplicates.saturating_sub(acknowledged.saturating_sub(1))
                }
                State::Open | State::Disorder | State::WindowReduced { .. } => 0,
            };
            // Those have been counted as delivered already.
            let counted_before = delivered.saturating_sub(1).min(before);
            flight.count_delivered(counted_before.wrapping_neg());
            return delivered - counted_before;
        }
        // After a time-out only what left since can draw duplicates that tell of a delivery (RFC 5682 §2.1, step 3.a).
        let counts = match self.state {
            State::Loss { high, .. } => evidence.snd_nxt > high,
            State::Open | State::Disorder | State::WindowReduced { .. } | State::FastRecovery { .. } => true,
        };
        if evidence.duplicate && counts {
            // Never more than there are: a peer that repeats itself must not empty the network in our books.
            self.duplicates = (self.duplicates + 1).min(flight.unacked().saturating_sub(1));
        }
        let more = self.duplicates.saturating_sub(before);
        flight.count_delivered(more);
        more
    }

    /// What an acknowledgment teaches about the path.
    fn learn(&mut self, evidence: &Evidence) {
        if let Some(octets) = self.rack.delivered(&evidence.delivery, evidence.now) {
            self.note_reordering(octets, evidence.mss);
        }
        if let Some(twice) = &evidence.twice {
            self.rack.came_twice(evidence.snd_una, evidence.snd_nxt);
            if let Some(doubt) = &mut self.doubt {
                let segments = (twice.end - twice.start).div_ceil(u64::from(evidence.mss.max(1)));
                (0..segments.min(MOST_REORDERING)).for_each(|_| doubt.came_twice(twice.end));
            }
        }
    }

    /// A segment came so many octets behind another.
    fn note_reordering(&mut self, octets: u64, mss: u32) {
        let segments = octets.div_ceil(u64::from(mss.max(1))).min(MOST_REORDERING);
        self.reordering = self.reordering.max(segments as u32);
    }

    /// Open and Disorder: is something lost?
    fn watch(&mut self, evidence: &Evidence, flight: &mut Flight) -> (Verdict, Option<Instant>) {
        let undone = self.take_back_by_duplicates();
        let look_again = self.judge(evidence, flight);
        if flight.lost_to_congestion() > 0 {
            return (self.begin(evidence), look_again);
        }
        self.settle(flight);
        let verdict = match undone {
            Some(verdict) => verdict,
            None if evidence.advanced => Verdict::Fine,
            None => Verdict::Wait,
        };
        (verdict, look_again)
    }

    fn begin(&mut self, evidence: &Evidence) -> Verdict {
        self.state = State::FastRecovery { high: evidence.snd_nxt };
        self.probe.forget();
        Verdict::Begin
    }

    fn settle(&mut self, flight: &Flight) {
        let disorder = self.duplicates > 0 || flight.sacked() > 0 || flight.lost() > 0 || flight.resent() > 0;
        self.state = if disorder { State::Disorder } else { State::Open };
    }

    /// Fast recovery: what else is lost, or is it over?
    fn recover(&mut self, evidence: &Evidence, flight: &mut Flight, high: u64) -> (Verdict, Option<Instant>) {
        if evidence.has_passed(high, flight) {
            self.duplicates = 0;
            let verdict = self.take_back(evidence).unwrap_or_else(|| self.finish(evidence));
            let look_again = self.judge(evidence, flight);
            if flight.lost_to_congestion() > 0 && matches!(verdict, Verdict::Done) {
                return (self.begin(evidence), look_again);
            }
            self.settle(flight);
            return (verdict, look_again);
        }
        if evidence.snd_una >= high {
            // Nothing is missing, but one octet more is awaited: no acknowledgment of this is a partial one.
            let undone = self.take_back(evidence);
            if undone.is_some() {
                self.settle(flight);
            }
            return (undone.unwrap_or(Verdict::Wait), None);
        }
        let filled_by_first_copy = self.doubt.as_ref().is_some_and(|doubt| doubt.is_disproved_by(evidence.echo));
        if evidence.advanced && filled_by_first_copy {
            // The hole was filled by what was late, not by what was sent again. While copies are under way, wait for them.
            self.rack.reordering_was_seen();
            if flight.resent() == 0 {
                flight.forgive();
                let verdict = self.undo(NoLoss::Timestamp);
                self.settle(flight);
                return (verdict, None);
            }
        }
        if let Some(undone) = self.take_back_by_duplicates() {
            self.settle(flight);
            return (undone, self.judge(evidence, flight));
        }
        let look_again = self.judge(evidence, flight);
        (Verdict::Continue, look_again)
    }

    /// Marks in the flight what is lost by now. Returns when to look again.
    fn judge(&mut self, evidence: &Evidence, flight: &mut Flight) -> Option<Instant> {
        let Rules { sack, rack, .. } = evidence.rules;
        let recovers = matches!(self.state, State::FastRecovery { .. } | State::Loss { .. });
        if !sack {
            let enough = self.duplicates >= DUPLICATE_THRESHOLD;
            let partial = evidence.advanced && matches!(self.state, State::FastRecovery { .. });
            if partial && !flight.is_empty() {
                // What a partial acknowledgment stops at is lost as well (RFC 6582 §3.2 step 5).
                flight.lose_oldest(LossRule::PartialAck);
            } else if enough && !recovers {
                flight.lose_oldest(LossRule::DuplicateAcks);
            }
            return None;
        }
        if !rack {
            flight.judge_by_sack(self.reordering);
            if evidence.advanced && matches!(self.state, State::FastRecovery { .. }) {
                // Sooner than NextSeg's rules 3 and 4 let it go (RFC 6675 §4): without them a lost tail would wait for the timer.
                flight.lose_oldest(LossRule::PartialAck);
            }
            return None;
        }
        let (latest, rtt) = self.rack.latest()?;
        let (_, next) = flight.judge_by_time(latest, rtt + self.reordering_window(evidence, flight), evidence.now);
        next
    }

    /// How much later than expected a segment may arrive without being thought lost (RFC 8985 §6.2, step 4).
    fn reordering_window(&self, evidence: &Evidence, flight: &Flight) -> Duration {
        let (min_rtt, srtt) = evidence.rtt;
        let recovers = matches!(self.state, State::FastRecovery { .. } | State::Loss { .. });
        self.rack.window(Path { min_rtt, srtt, sacked: flight.sacked(), threshold: DUPLICATE_THRESHOLD, recovers })
    }

    /// Recovery is over, and it was needed, as far as is known: the second copies may still turn out to have come twice.
    fn finish(&mut self, evidence: &Evidence) -> Verdict {
        self.state = State::Open;
        self.reduction = None;
        self.rack.recovered();
        if let Some(doubt) = &mut self.doubt {
            doubt.recovered(evidence.snd_nxt);
        }
        Verdict::Done
    }

    /// Everything is acknowledged: was it a loss?
    fn take_back(&mut self, evidence: &Evidence) -> Option<Verdict> {
        let doubt = self.doubt.as_ref()?;
        let by = match () {
            () if doubt.is_disproved_by(evidence.echo) => NoLoss::Timestamp,
            () if doubt.all_came_twice() => NoLoss::CameTwice,
            () => return None,
        };
        self.rack.reordering_was_seen();
        Some(self.undo(by))
    }

    fn take_back_by_duplicates(&mut self) -> Option<Verdict> {
        let all_came_twice = self.doubt.as_ref().is_some_and(|doubt| doubt.all_came_twice());
        if !all_came_twice {
            return None;
        }
        self.rack.reordering_was_seen();
        Some(self.undo(NoLoss::CameTwice))
    }

    fn undo(&mut self, by: NoLoss) -> Verdict {
        self.state = State::Open;
        self.reduction = None;
        let Some(doubt) = self.doubt.take() else { return Verdict::Done };
        // It has not fallen then.
        self.answered = 0;
        Verdict::Undone(doubt.before, by)
    }
}
