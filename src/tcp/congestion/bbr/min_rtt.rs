//! The path's round-trip time without a queue: the least of ten seconds (draft-ietf-ccwg-bbr §5.5.7).

use std::time::Duration;

use super::Ack;
use crate::time::Instant;

/// BBR.MinRTTFilterLen
const FILTER: Duration = Duration::from_secs(10);
/// BBR.ProbeRTTInterval
const PROBE_INTERVAL: Duration = Duration::from_secs(5);

/// Two minima: of ten seconds for the model, of five to say when to look again.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct MinRtt {
    /// BBR.min_rtt, BBR.min_rtt_stamp
    model: Option<(Duration, Instant)>,
    /// BBR.probe_rtt_min_delay, BBR.probe_rtt_min_stamp
    recent: Option<(Duration, Instant)>,
    /// BBR.probe_rtt_expired
    pub(super) expired: bool,
}

impl MinRtt {
    /// BBR.min_rtt
    pub(super) fn get(&self) -> Option<Duration> {
        self.model.map(|(min_rtt, _)| min_rtt)
    }

    /// UpdateMinRTT
    pub(super) fn update(&mut self, ack: &Ack) {
        self.expired = self.recent.is_some_and(|(_, stamp)| ack.now > stamp + PROBE_INTERVAL);
        if let Some(rtt) = ack.rtt
            && (self.expired || self.recent.is_none_or(|(least, _)| rtt < least))
        {
            self.recent = Some((rtt, ack.now));
        }
        let Some((recent, stamp)) = self.recent else { return };
        let replaces = self.model.is_none_or(|(min_rtt, since)| recent < min_rtt || ack.now > since + FILTER);
        if replaces {
            self.model = Some((recent, stamp));
        }
    }

    /// The next probe is due so long after `now`.
    pub(super) fn probed(&mut self, now: Instant) {
        if let Some((_, stamp)) = &mut self.recent {
            *stamp = now;
        }
        self.expired = false;
    }
}
