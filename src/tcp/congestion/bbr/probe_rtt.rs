//! ProbeRTT: little is sent for 200 ms, so that queues empty and the path's own delay is seen (draft-ietf-ccwg-bbr §5.3.4).

use std::time::Duration;

use super::congestion::ShortTerm;
use super::{Ack, Bbr, MIN_PIPE_CWND, State};
use crate::tcp::congestion::Window;
use crate::time::Instant;

/// BBR.ProbeRTTDuration
const DURATION: Duration = Duration::from_millis(200);

/// A stay in ProbeRTT.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Stay {
    /// BBR.probe_rtt_done_stamp; `None` until little enough is in flight.
    until: Option<Instant>,
    /// BBR.probe_rtt_round_done
    round_done: bool,
}

impl Stay {
    /// Whether it has been long enough.
    pub(super) fn is_over(&self, now: Instant) -> bool {
        self.until.is_some_and(|until| now > until)
    }
}

impl Bbr {
    /// CheckProbeRTT
    pub(super) fn check_probe_rtt(&mut self, window: &mut Window, ack: &Ack) {
        if self.state != State::ProbeRtt && self.min_rtt.expired && !self.idle_restart {
            self.save_cwnd(window.cwnd);
            self.state = State::ProbeRtt;
            self.stay = Stay::default();
            self.cycle.stop_probing();
            self.start_round();
        }
        if self.state == State::ProbeRtt {
            self.stay_in_probe_rtt(window, ack);
        }
        self.idle_restart = false;
    }

    /// HandleProbeRTT
    fn stay_in_probe_rtt(&mut self, window: &mut Window, ack: &Ack) {
        // Low rates of now tell nothing of the path (MarkConnectionAppLimited).
        self.held_back_until = self.delivered + u64::from(ack.in_flight) + 1;
        if self.stay.until.is_none() {
            if ack.in_flight <= self.probe_rtt_cwnd() {
                self.stay = Stay { until: Some(ack.now + DURATION), round_done: false };
                self.start_round();
            }
            return;
        }
        self.stay.round_done |= self.rounds.start;
        if self.stay.round_done && self.stay.is_over(ack.now) {
            self.restore_cwnd(window);
            self.leave_probe_rtt(ack.now);
        }
    }

    /// ExitProbeRTT
    pub(super) fn leave_probe_rtt(&mut self, now: Instant) {
        self.min_rtt.probed(now);
        self.short_term = ShortTerm::default();
        if self.full_pipe.reached {
            self.start_down(now);
            self.start_cruise();
        } else {
            self.enter_startup();
        }
    }

    /// ProbeRTTCwnd
    pub(super) fn probe_rtt_cwnd(&self) -> u32 {
        self.bdp(State::ProbeRtt.cwnd_gain()).max(MIN_PIPE_CWND)
    }
}
