//! From the model to what is set: the pace and the window (draft-ietf-ccwg-bbr §5.6).

use std::time::Duration;

use super::{Bbr, MIN_PIPE_CWND, State, UNBOUNDED};
use crate::tcp::congestion::{Acknowledged, Window};
use crate::tcp::pacing;

/// Percents of the rate that are used: a queue that is there shrinks on average (BBR.PacingMarginPercent).
pub(super) const PACING_SHARE: u64 = 99;

impl Bbr {
    /// UpdateControlParameters
    pub(super) fn update_control(&mut self, window: &mut Window, acknowledged: &Acknowledged) {
        if self.pacing_rate.is_none() {
            self.begin_pacing(acknowledged.srtt);
        }
        self.set_pacing_rate(self.state.pacing_gain());
        self.set_cwnd(window, acknowledged.delivered);
    }

    /// InitPacingRate (draft §5.6.2)
    fn begin_pacing(&mut self, srtt: Option<Duration>) {
        let Some(srtt) = srtt.filter(|srtt| !srtt.is_zero()) else { return };
        let octets = u128::from(self.initial_window) * u128::from(self.mss);
        let rate = octets * 1_000_000_000 / srtt.as_nanos() * u128::from(State::Startup.pacing_gain()) / 100;
        self.pacing_rate = Some(u64::try_from(rate).unwrap_or(u64::MAX).max(1));
    }

    /// SetPacingRateWithGain: it falls only when the pipe was full once.
    pub(super) fn set_pacing_rate(&mut self, gain: u64) {
        let rate = u128::from(self.bw) * u128::from(gain) / 100 * u128::from(PACING_SHARE) / 100;
        let rate = u64::try_from(rate).unwrap_or(u64::MAX);
        if rate > 0 && (self.full_pipe.reached || self.pacing_rate.is_some_and(|current| rate > current)) {
            self.pacing_rate = Some(rate);
        }
    }

    /// SetCwnd (draft §5.6.4.6)
    fn set_cwnd(&mut self, window: &mut Window, newly_acked: u32) {
        let most = self.max_inflight();
        if self.full_pipe.reached {
            window.cwnd = window.cwnd.saturating_add(newly_acked).min(most);
        } else if window.cwnd < most || self.delivered < u64::from(self.initial_window) {
            window.cwnd = window.cwnd.saturating_add(newly_acked);
        }
        window.cwnd = window.cwnd.max(MIN_PIPE_CWND);
        if self.state == State::ProbeRtt {
            window.cwnd = window.cwnd.min(self.probe_rtt_cwnd());
        }
        // BoundCwndForModel
        let cap = match self.state {
            State::Down | State::Refill | State::Up => self.long_term.inflight,
            State::Cruise | State::ProbeRtt => self.inflight_with_headroom(),
            State::Startup | State::Drain => UNBOUNDED,
        };
        window.cwnd = window.cwnd.min(cap.min(self.short_term.inflight).max(MIN_PIPE_CWND));
    }

    /// UpdateMaxInflight
    fn max_inflight(&self) -> u32 {
        let volume = self.bdp(self.state.cwnd_gain()).saturating_add(self.aggregation.extra_acked());
        self.quantised(volume)
    }

    /// Inflight: what fills the path at `bw`, times `gain`.
    pub(super) fn inflight(&self, bw: u64, gain: u64) -> u32 {
        self.quantised(self.bdp_of(bw, gain))
    }

    /// BDPMultiple with BBR.bw
    pub(super) fn bdp(&self, gain: u64) -> u32 {
        self.bdp_of(self.bw, gain)
    }

    fn bdp_of(&self, bw: u64, gain: u64) -> u32 {
        let Some(min_rtt) = self.min_rtt.get() else { return self.initial_window };
        let octets = u128::from(bw) * min_rtt.as_nanos() / 1_000_000_000 * u128::from(gain) / 100;
        u32::try_from(octets.div_ceil(u128::from(self.mss))).unwrap_or(UNBOUNDED - 1)
    }

    /// QuantizationBudget: room for segments that hosts send and acknowledge together.
    fn quantised(&self, volume: u32) -> u32 {
        let quantum = pacing::quantum(self.pacing_rate.unwrap_or(0), self.mss).div_ceil(self.mss.into());
        let offload = u32::try_from(quantum * 3).unwrap_or(UNBOUNDED);
        let up = if self.state == State::Up { 2 } else { 0 };
        volume.max(offload).max(MIN_PIPE_CWND).saturating_add(up)
    }

    /// Whole segments that `bw` carries in `span`.
    pub(super) fn volume(&self, bw: u64, span: Duration) -> u64 {
        let octets = u128::from(bw) * span.as_nanos() / 1_000_000_000;
        u64::try_from(octets / u128::from(self.mss)).unwrap_or(u64::MAX)
    }
}
