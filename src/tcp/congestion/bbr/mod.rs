//! BBR version 3 (draft-ietf-ccwg-bbr): the window and the pace follow a model of the path, not its losses.
//!
//! The model has two numbers: the rate at which the path delivers ([`bandwidth`]) and its round-trip time without a queue
//! ([`min_rtt`]). Their product is what fills the path. Since probing for the one hides the other, they are measured in
//! turns:
//!
//! ```text
//!   Startup ──► Drain ──► ProbeBW: Down ──► Cruise ──► Refill ──► Up ──┐
//!   the rate    the queue           ▲                                  │       every 5 s, when no shorter round trip
//!   doubles     empties             └──────────────────────────────────┘       was seen: ProbeRTT, and back
//! ```
//!
//! Loss bounds what the model may ask for: above 2 % in a round trip of probing, what was in flight then is too much, for
//! as long as the next probe shows ([`congestion`]); at other times rate and window fall by three tenths until the next
//! probe.
//!
//! | state | file | pace | window |
//! |---|---|---|---|
//! | Startup | [`startup`] | 2.77 | 2 |
//! | Drain | [`startup`] | 0.5 | 2 |
//! | ProbeBW: Down, Cruise, Refill, Up | [`probe_bw`] | 0.9, 1, 1, 1.25 | 2, 2, 2, 2.25 |
//! | ProbeRTT | [`probe_rtt`] | 1 | 0.5 |
//!
//! Volumes are segments, rates are octets each second, gains are percents. What the draft leaves open is as in Linux.
//! Explicit congestion notification is not part of the draft.

mod bandwidth;
mod congestion;
mod control;
mod min_rtt;
mod probe_bw;
mod probe_rtt;
mod resized;
mod startup;

use std::time::Duration;

use self::bandwidth::{Aggregation, Bandwidth, Rounds};
use self::congestion::{LongTerm, ShortTerm, Signals, Undo};
use self::min_rtt::MinRtt;
use self::probe_bw::Cycle;
use self::probe_rtt::Stay;
use self::resized::Mixed;
use self::startup::FullPipe;
use super::{Acknowledged, CongestionControl, Lost, Phase, RateSample, Window};
use crate::journal::CwndCause;
use crate::rng::Rng;
use crate::time::Instant;

/// BBR.MinPipeCwnd: enough for a peer that acknowledges every other segment (draft §2.7).
const MIN_PIPE_CWND: u32 = 4;
/// No bound.
const UNBOUNDED: u32 = u32::MAX;
/// BBR.Beta in percent.
const BETA: u32 = 70;

/// Where BBR stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Startup,
    Drain,
    Down,
    Cruise,
    Refill,
    Up,
    ProbeRtt,
}

/// BBR.
#[derive(Clone, Debug)]
pub struct Bbr {
    state: State,
    rng: Rng,
    initial_window: u32,
    rounds: Rounds,
    bandwidth: Bandwidth,
    aggregation: Aggregation,
    min_rtt: MinRtt,
    full_pipe: FullPipe,
    signals: Signals,
    short_term: ShortTerm,
    long_term: LongTerm,
    cycle: Cycle,
    stay: Stay,
    undo: Undo,
    phase: Phase,
    /// BBR.prior_cwnd: the last window that neither recovery nor ProbeRTT had cut.
    prior_cwnd: u32,
    /// The window is to be what it was, at the next acknowledgment.
    restore: bool,
    /// BBR.idle_restart
    idle_restart: bool,
    /// Samples that began before so many were delivered tell how little was sent in ProbeRTT.
    held_back_until: u64,
    /// C.delivered
    delivered: u64,
    /// BBR.bw
    bw: u64,
    /// C.pacing_rate; `None` before the first round-trip time.
    pacing_rate: Option<u64>,
    /// C.SMSS
    mss: u32,
    mixed: Mixed,
}

/// An acknowledgment that has brought deliveries, as the rooms of the model see it.
#[derive(Clone, Copy, Debug)]
struct Ack {
    now: Instant,
    /// RS.newly_acked
    newly_acked: u32,
    /// C.inflight
    in_flight: u32,
    /// C.inflight before the acknowledgment.
    in_flight_before: u32,
    /// RS.rtt
    rtt: Option<Duration>,
    /// C.cwnd, before the acknowledgment.
    cwnd: u32,
    /// C.is_cwnd_limited
    cwnd_limited: bool,
    /// RS.delivery_rate in octets each second; 0 when it cannot be believed.
    rate: u64,
    /// RS
    sample: RateSample,
}

impl State {
    /// BBR.pacing_gain in percent.
    const fn pacing_gain(self) -> u64 {
        match self {
            State::Startup => 277,
            State::Drain => 50,
            State::Down => 90,
            State::Cruise | State::Refill | State::ProbeRtt => 100,
            State::Up => 125,
        }
    }

    /// BBR.cwnd_gain in percent.
    const fn cwnd_gain(self) -> u64 {
        match self {
            State::Startup | State::Drain | State::Down | State::Cruise | State::Refill => 200,
            State::Up => 225,
            State::ProbeRtt => 50,
        }
    }

    /// IsInAProbeBWState
    const fn probes_bandwidth(self) -> bool {
        matches!(self, State::Down | State::Cruise | State::Refill | State::Up)
    }

    /// IsProbingBW: whether it sends faster than the path is known to deliver.
    const fn accelerates(self) -> bool {
        matches!(self, State::Startup | State::Refill | State::Up)
    }
}

impl Bbr {
    /// BBR at the beginning of a connection with a window of `initial_window` segments. Its few decisions by chance, when
    /// to probe, follow `seed`.
    pub fn new(initial_window: u32, seed: u64) -> Bbr {
        Bbr {
            state: State::Startup,
            rng: Rng::derive(seed, "bbr"),
            initial_window: initial_window.max(1),
            rounds: Rounds::default(),
            bandwidth: Bandwidth::default(),
            aggregation: Aggregation::default(),
            min_rtt: MinRtt::default(),
            full_pipe: FullPipe::default(),
            signals: Signals::default(),
            short_term: ShortTerm::default(),
            long_term: LongTerm::default(),
            cycle: Cycle::default(),
            stay: Stay::default(),
            undo: Undo::default(),
            phase: Phase::Open,
            prior_cwnd: 0,
            restore: false,
            idle_restart: false,
            held_back_until: 0,
            delivered: 0,
            bw: 0,
            pacing_rate: None,
            mss: 1,
            mixed: Mixed::default(),
        }
    }

    /// UpdateModelAndState (draft §5.2.3).
    fn update_model_and_state(&mut self, window: &mut Window, ack: &Ack) {
        self.signals.take(ack, self.delivered);
        self.update_congestion_signals(ack);
        self.update_aggregation(ack);
        self.check_full_pipe(ack);
        self.check_startup_done(ack);
        self.check_drain_done(ack);
        self.update_cycle(ack);
        self.min_rtt.update(ack);
        self.check_probe_rtt(window, ack);
        self.signals.advance(ack);
        self.bw = self.bandwidth.max().min(self.short_term.bw);
    }

    /// StartRound
    fn start_round(&mut self) {
        self.rounds.begin(self.delivered);
    }

    /// SaveCwnd (draft §5.6.4.4)
    fn save_cwnd(&mut self, cwnd: u32) {
        let is_uncut = self.phase == Phase::Open && self.state != State::ProbeRtt;
        self.prior_cwnd = if is_uncut { cwnd } else { self.prior_cwnd.max(cwnd) };
    }

    /// RestoreCwnd
    fn restore_cwnd(&mut self, window: &mut Window) {
        window.cwnd = window.cwnd.max(self.prior_cwnd);
    }
}

impl CongestionControl for Bbr {
    fn name(&self) -> &'static str {
        "bbr"
    }

    fn acknowledged(&mut self, window: &mut Window, acknowledged: &Acknowledged) {
        self.take_segment_size(acknowledged);
        if std::mem::take(&mut self.restore) {
            self.restore_cwnd(window);
        }
        if let Some(sample) = acknowledged.rate {
            self.delivered = sample.total_delivered;
            let held_back = sample.prior_delivered < self.held_back_until;
            let ack = Ack {
                now: acknowledged.now,
                newly_acked: acknowledged.delivered,
                in_flight: acknowledged.in_flight,
                in_flight_before: acknowledged.in_flight_before,
                rtt: acknowledged.rtt,
                cwnd: window.cwnd,
                cwnd_limited: acknowledged.cwnd_limited,
                rate: self.rate_of(&sample),
                sample: RateSample { application_limited: sample.application_limited || held_back, ..sample },
            };
            if acknowledged.lost > 0 {
                self.signals.loss_events = self.signals.loss_events.saturating_add(1);
            }
            self.update_model_and_state(window, &ack);
        }
        self.update_control(window, acknowledged);
    }

    fn lost(&mut self, now: Instant, window: &Window, lost: &Lost) {
        self.note_loss(now, window, lost);
    }

    fn threshold_after_loss(&mut self, window: &Window, _: u32) -> u32 {
        // It has no threshold.
        window.ssthresh
    }

    fn enter(&mut self, phase: Phase, window: &mut Window, in_flight: u32) {
        if phase == Phase::Open {
            if self.phase != Phase::Open {
                self.restore_cwnd(window);
            }
            self.phase = phase;
            return;
        }
        self.save_cwnd(window.cwnd);
        self.undo = Undo::of(&self.short_term, &self.long_term);
        if phase == Phase::Loss {
            window.cwnd = in_flight.saturating_add(1);
        }
        self.phase = phase;
    }

    fn undone(&mut self, window: &mut Window) {
        self.restore_cwnd(window);
        self.take_back();
    }

    fn restarted(&mut self, now: Instant, _: Duration) {
        self.idle_restart = true;
        self.aggregation.restart(now);
        if self.state.probes_bandwidth() {
            self.set_pacing_rate(100);
        } else if self.state == State::ProbeRtt && self.stay.is_over(now) {
            self.restore = true;
            self.leave_probe_rtt(now);
        }
    }

    fn governs(&self) -> bool {
        true
    }

    fn pacing_rate(&self) -> Option<u64> {
        self.pacing_rate
    }

    fn cause(&self) -> Option<CwndCause> {
        Some(if self.state == State::ProbeRtt { CwndCause::ProbeRtt } else { CwndCause::Model })
    }
}
