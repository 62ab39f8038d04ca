//! What recovery is told, and what it answers: an acknowledgment as evidence, and the verdict on it.

use std::ops::Range;
use std::time::Duration;

use crate::journal::NoLoss;
use crate::tcp::congestion::Window;
use crate::tcp::flight::{Delivery, Flight};
use crate::time::Instant;

/// An acknowledgment, as recovery sees it.
#[derive(Clone, Debug)]
pub(crate) struct Evidence {
    /// The time.
    pub(crate) now: Instant,
    /// SND.UNA after it, on the line of positions.
    pub(crate) snd_una: u64,
    /// SND.NXT, likewise.
    pub(crate) snd_nxt: u64,
    /// What it has brought.
    pub(crate) delivery: Delivery,
    /// Whether it acknowledged new octets.
    pub(crate) advanced: bool,
    /// Whether it acknowledged nothing, brought no data and moved no window.
    pub(crate) repeats: bool,
    /// The same while something was in flight: a duplicate acknowledgment (RFC 5681 §2).
    pub(crate) duplicate: bool,
    /// The octets that it says came twice (RFC 2883).
    pub(crate) twice: Option<Range<u64>>,
    /// Whether it echoes a congestion mark (RFC 3168 §6.1.2).
    pub(crate) marked: bool,
    /// The timestamp that it echoes (RFC 7323 §3), when it is usable.
    pub(crate) echo: Option<u32>,
    /// Which rules the connection uses.
    pub(crate) rules: Rules,
    /// The least and the smoothed round-trip time.
    pub(crate) rtt: (Duration, Duration),
    /// Octets of a full segment.
    pub(crate) mss: u32,
    /// Whether there is new data that the peer's window has room for.
    pub(crate) may_send_new: bool,
}

/// Which rules a connection uses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Rules {
    /// Selective acknowledgment was agreed on.
    pub(crate) sack: bool,
    /// RACK judges, not RFC 6675. Only with SACK.
    pub(crate) rack: bool,
    /// Time-outs are looked through (RFC 5682).
    pub(crate) f_rto: bool,
}

/// What follows from an acknowledgment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// The window may grow.
    Fine,
    /// Nothing was learnt: the window stays.
    Wait,
    /// Fast recovery begins, the first lost segment goes at once. The window must fall, unless it is falling already.
    Begin,
    /// Recovery goes on.
    Continue,
    /// Everything that was in flight when the trouble began is acknowledged.
    Done,
    /// It was no loss: the window becomes again what it was.
    Undone(Window, NoLoss),
}

/// A verdict, and what belongs to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Outcome {
    /// What follows for the window.
    pub(crate) verdict: Verdict,
    /// Segments delivered; without SACK, a duplicate acknowledgment stands for one.
    pub(crate) delivered: u32,
    /// Segments newly thought lost.
    pub(crate) lost: u32,
    /// When somebody has to look again (RFC 8985 §6.2, step 5).
    pub(crate) look_again: Option<Instant>,
    /// A probe has mended a loss that nothing else tells of: the window must fall for it (RFC 8985 §7.4).
    pub(crate) mended_by_probe: bool,
}

impl Evidence {
    /// Whether everything sent before `high` is acknowledged. Without SACK one more octet is asked for while others are in
    /// flight: the duplicates of what went again would else look like a new loss (RFC 6582 §4.1).
    pub(super) fn has_passed(&self, high: u64, flight: &Flight) -> bool {
        self.snd_una > high || (self.snd_una == high && (self.rules.sack || flight.is_empty()))
    }
}
