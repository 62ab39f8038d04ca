//! How many segments may be in flight (RFC 5681).
//!
//! The connection keeps the [`Window`] and finds out what was delivered and what was lost; an algorithm only says how the
//! window grows and how far it falls. Windows count segments, as Linux counts them; RFC 5681 counts octets, which is the
//! same while segments are full, and milder on many small ones.

mod bbr;
mod cubic;
mod hystart;
mod reno;
#[cfg(test)]
mod tests;
mod usage;

use std::fmt;
use std::time::Duration;

pub use bbr::Bbr;
pub use cubic::Cubic;
pub use reno::Reno;
pub(crate) use usage::Usage;

use super::config::{Config, Congestion};
pub use super::delivery_rate::{Lost, RateSample};
use crate::journal::CwndCause;
use crate::time::Instant;

/// The congestion window and the slow-start threshold, in segments.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    /// Segments that may be in the network.
    pub cwnd: u32,
    /// Below it the window doubles each round trip, above it grows slowly; `u32::MAX` before the first loss.
    pub ssthresh: u32,
}

impl Window {
    /// Whether the connection is in slow start (RFC 5681 §3.1).
    pub const fn in_slow_start(&self) -> bool {
        self.cwnd < self.ssthresh
    }

    /// Slow start: one segment for each that was delivered, not beyond the threshold. Returns the deliveries that are left
    /// for congestion avoidance.
    pub fn slow_start(&mut self, delivered: u32) -> u32 {
        let grown = self.cwnd.saturating_add(delivered).min(self.ssthresh);
        let used = grown - self.cwnd;
        self.cwnd = grown;
        delivered - used
    }
}

/// Segments have become longer: what was counted in them is fewer now, and as many octets as before (RFC 4821 §7.6.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SegmentSize {
    /// Octets of a packet until now.
    pub before: u32,
    /// From now on; only the ratio of both counts.
    pub now: u32,
}

impl SegmentSize {
    /// So many segments from before, in segments of now: no less than one, and no bound stays none.
    pub fn scaled(&self, segments: u32) -> u32 {
        match segments {
            0 | u32::MAX => segments,
            _ => {
                let scaled = u64::from(segments) * u64::from(self.before) / u64::from(self.now.max(1));
                u32::try_from(scaled).unwrap_or(u32::MAX - 1).max(1)
            }
        }
    }
}

/// Where loss recovery stands, as far as a window is concerned.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Phase {
    /// Nothing is thought lost.
    #[default]
    Open,
    /// Something is, and goes again (RFC 5681 §3.2); or a congestion mark asks for the same caution (RFC 3168 §6.1.2).
    Recovery,
    /// The retransmission timer has fired (RFC 5681 §3.1).
    Loss,
}

/// What an acknowledgment says to an algorithm.
#[derive(Clone, Copy, Debug, Default)]
pub struct Acknowledged {
    /// The time.
    pub now: Instant,
    /// Segments delivered: acknowledged, or reported by SACK, for the first time.
    pub delivered: u32,
    /// Segments newly thought lost.
    pub lost: u32,
    /// Segments in the network before the acknowledgment came.
    pub in_flight_before: u32,
    /// Segments in the network now.
    pub in_flight: u32,
    /// The round-trip time that the acknowledgment itself has brought.
    pub rtt: Option<Duration>,
    /// The smoothed round-trip time, once there is one.
    pub srtt: Option<Duration>,
    /// The least round-trip time so far, once there is one.
    pub min_rtt: Option<Duration>,
    /// SND.UNA, in octets from the beginning: it never wraps.
    pub snd_una: u64,
    /// SND.NXT, likewise.
    pub snd_nxt: u64,
    /// Octets of a full segment.
    pub mss: u32,
    /// Where loss recovery stands.
    pub phase: Phase,
    /// Whether the window held back what could have been sent, in the last flight.
    pub cwnd_limited: bool,
    /// How fast the network delivers; `None` when nothing was delivered. Only for one that
    /// [measures](CongestionControl::measures).
    pub rate: Option<RateSample>,
}

/// A congestion control algorithm.
///
/// Most are asked only how the window grows and how far it falls; the connection does the rest as RFC 5681 has it, and
/// brings the window down in step with what is delivered (RFC 6937). One that [governs](CongestionControl::governs) is
/// asked at every acknowledgment, and nobody else touches its window.
pub trait CongestionControl: fmt::Debug + Send {
    /// Its name, as users write it.
    fn name(&self) -> &'static str;

    /// Lets the window grow. Called when the connection used its whole window and is not recovering from a loss: when less
    /// was sent, or something was lost, nothing was learnt about the room on the path (RFC 7661). One that governs is
    /// called at every acknowledgment.
    fn acknowledged(&mut self, window: &mut Window, acknowledged: &Acknowledged);

    /// The slow-start threshold after a loss or a congestion mark, in segments, with `in_flight` segments in flight.
    fn threshold_after_loss(&mut self, window: &Window, in_flight: u32) -> u32;

    /// A segment was found lost. Called for each, before the acknowledgment that told of it, if one did, is handed over; and
    /// only for one that [measures](CongestionControl::measures).
    fn lost(&mut self, _now: Instant, _window: &Window, _lost: &Lost) {}

    /// Loss recovery begins, or ends. What it does to the window counts only when it governs.
    fn enter(&mut self, _phase: Phase, _window: &mut Window, _in_flight: u32) {}

    /// A loss was none (RFC 3522, RFC 5682): `window` is again what it was before the reduction.
    fn undone(&mut self, _window: &mut Window) {}

    /// Segments have become longer, and the window was scaled: what the algorithm remembers in segments is to be, too. When
    /// they become shorter, the window stays as many segments as it was, and nothing is called.
    fn resized(&mut self, _size: &SegmentSize) {}

    /// Data is sent after a time without any in flight.
    fn restarted(&mut self, _now: Instant, _idle: Duration) {}

    /// Whether it alone sets the window, in recovery, too.
    fn governs(&self) -> bool {
        false
    }

    /// Why it moved the window, when that is neither slow start nor congestion avoidance.
    fn cause(&self) -> Option<CwndCause> {
        None
    }

    /// Whether it wants to be told of delivery rates and of each loss. That costs something for every segment.
    fn measures(&self) -> bool {
        self.governs()
    }

    /// Octets each second at which segments should leave; `None` for as fast as the window lets them.
    fn pacing_rate(&self) -> Option<u64> {
        None
    }
}

/// The name of none.
pub(crate) const UNLIMITED: &str = "none";

/// No congestion control: only the peer's window bounds the flight. For labs that show why it is needed.
#[derive(Debug)]
struct Unlimited;

impl CongestionControl for Unlimited {
    fn name(&self) -> &'static str {
        UNLIMITED
    }

    fn acknowledged(&mut self, window: &mut Window, _: &Acknowledged) {
        window.cwnd = MOST;
    }

    fn threshold_after_loss(&mut self, _: &Window, _: u32) -> u32 {
        MOST
    }
}

/// The greatest window, in segments: beyond any receive window.
const MOST: u32 = 1 << 30;

/// The algorithm that is asked for, and the window that it begins with. What it leaves to chance follows `seed`.
pub(crate) fn begin(config: &Config, seed: u64) -> (Box<dyn CongestionControl>, Window) {
    let window = Window { cwnd: config.initial_window.max(1), ssthresh: u32::MAX };
    match config.congestion {
        Congestion::None => (Box::new(Unlimited), Window { cwnd: MOST, ..window }),
        Congestion::Reno => (Box::new(Reno::new(config.hystart.unwrap_or(false))), window),
        Congestion::Cubic => (Box::new(Cubic::new(config.hystart.unwrap_or(true))), window),
        Congestion::Bbr => (Box::new(Bbr::new(window.cwnd, seed)), window),
        Congestion::Other(algorithm) => ((algorithm.make)(), window),
    }
}
