//! What a stream of TCP did, in figures: how much it carried, how often it sent the same again, how it came through a loss.
//!
//! ```text
//!   packets, at both ends of a link ──► Meter ──────► StreamFigures    the same for every stack
//!   journal events (native) ──────────┐
//!   TCP_INFO (Linux) ─────────────────┴► WindowStory ► Reduction       only of those who tell
//!   packets, at one place ──► connections() ──► Connection             of any capture, with the evidence for each claim
//! ```
//!
//! All stacks are measured by the same packets; what only a stack itself can know (its congestion window, its time-outs)
//! comes from whoever tells it and is `None` elsewhere, never 0. What does not live here: running anything (`bench`, `lab`),
//! and showing it (`report`).

mod connection;
mod gauge;
mod streams;
mod window;

pub use connection::{
    Again, Agreed, Connection, Doubt, End, Evidence, Handshake, Kind, Offer, Path, Reset, RoundTrips, Silence, Stream,
    ZeroWindow, connections,
};
pub use gauge::{Gauge, Gauges, KernelStory};
pub use streams::{Ends, Meter, StreamFigures, rate};
pub use window::{JournalStory, Reduction, WindowStory, journal_stories};
