//! HyStart++ (RFC 9406): slow start ends when round trips become longer, before the queue on the path overflows.
//!
//! ```text
//!             round trips are longer by an eighth             five rounds later
//!   slow start ────────────────────────────► conservative ──────────────────► congestion
//!       ▲                                     slow start                      avoidance
//!       └────────────────────────────────────────┘
//!            they are short again: it was only jitter
//! ```
//!
//! A round lasts until everything is acknowledged that had been sent when it began. In conservative slow start the window
//! grows a quarter as fast. Only the first slow start of a connection is watched (RFC 9406 §4.3): a later one has a
//! threshold that a loss has taught.
//!
//! What one acknowledgment adds is not bounded (L is infinite), as in Linux: RFC 9406 §4.3 would have eight segments at most
//! where nothing spaces them, and then one acknowledgment for a whole window, as batching receivers send it, would take
//! slow start out of its step.

use std::time::Duration;

use super::{Acknowledged, Window};

/// MIN_RTT_THRESH (RFC 9406 §4.3).
const LEAST_DELAY: Duration = Duration::from_millis(4);
/// MAX_RTT_THRESH.
const MOST_DELAY: Duration = Duration::from_millis(16);
/// MIN_RTT_DIVISOR.
const DELAY_SHARE: u32 = 8;
/// N_RTT_SAMPLE: measurements that a round needs to be believed.
const SAMPLES: u32 = 8;
/// CSS_GROWTH_DIVISOR.
const SLOWER: u32 = 4;
/// CSS_ROUNDS.
const ROUNDS: u32 = 5;

/// HyStart++, or plain slow start.
#[derive(Clone, Copy, Debug)]
pub(crate) struct HyStart {
    state: State,
    /// windowEnd: the round is over when this is acknowledged.
    window_end: u64,
    /// lastRoundMinRTT; `None` for infinity.
    last_round: Option<Duration>,
    /// currentRoundMinRTT, likewise.
    this_round: Option<Duration>,
    /// rttSampleCount.
    samples: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Plain slow start.
    Off,
    SlowStart,
    /// Conservative slow start.
    Conservative {
        /// cssBaselineMinRtt.
        baseline: Duration,
        /// Rounds that have ended in it, the one that it began in among them.
        rounds: u32,
        /// Deliveries that are not yet reckoned into the window.
        counted: u32,
    },
}

impl HyStart {
    /// Plain slow start unless it is switched `on`.
    pub(crate) fn new(on: bool) -> HyStart {
        let state = if on { State::SlowStart } else { State::Off };
        HyStart { state, window_end: 0, last_round: None, this_round: None, samples: 0 }
    }

    /// Lets the window grow in slow start, and may end it. Returns the deliveries that are left for congestion avoidance.
    pub(crate) fn acknowledged(&mut self, window: &mut Window, acknowledged: &Acknowledged) -> u32 {
        if self.state == State::Off || window.ssthresh != u32::MAX {
            return window.slow_start(acknowledged.delivered);
        }
        self.grow(window, acknowledged.delivered);
        self.measure(acknowledged.rtt);
        self.judge();
        if acknowledged.snd_una >= self.window_end {
            self.end_round(window, acknowledged.snd_nxt);
        }
        0
    }

    fn grow(&mut self, window: &mut Window, delivered: u32) {
        let grown = match &mut self.state {
            State::Off | State::SlowStart => delivered,
            State::Conservative { counted, .. } => {
                *counted = counted.saturating_add(delivered);
                let grown = *counted / SLOWER;
                *counted %= SLOWER;
                grown
            }
        };
        window.slow_start(grown);
    }

    fn measure(&mut self, rtt: Option<Duration>) {
        let Some(rtt) = rtt else { return };
        self.this_round = Some(self.this_round.map_or(rtt, |least| least.min(rtt)));
        self.samples = self.samples.saturating_add(1);
    }

    /// Whether the path's delay has grown, or is again what it was.
    fn judge(&mut self) {
        let Some(current) = self.this_round.filter(|_| self.samples >= SAMPLES) else { return };
        match (self.state, self.last_round) {
            (State::SlowStart, Some(last)) if current >= last + delay_that_counts(last) => {
                self.state = State::Conservative { baseline: current, rounds: 0, counted: 0 };
            }
            (State::Conservative { baseline, .. }, _) if current < baseline => self.state = State::SlowStart,
            (State::Off | State::SlowStart | State::Conservative { .. }, _) => {}
        }
    }

    fn end_round(&mut self, window: &mut Window, snd_nxt: u64) {
        self.window_end = snd_nxt;
        self.last_round = self.this_round.take();
        self.samples = 0;
        if let State::Conservative { rounds, .. } = &mut self.state {
            *rounds += 1;
            if *rounds == ROUNDS {
                window.ssthresh = window.cwnd;
            }
        }
    }
}

/// RttThresh: how much longer than in the last round is a sign.
fn delay_that_counts(last: Duration) -> Duration {
    (last / DELAY_SHARE).clamp(LEAST_DELAY, MOST_DELAY)
}
