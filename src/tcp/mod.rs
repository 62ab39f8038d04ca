//! TCP, as RFC 9293 and its companions have it: an engine that does no I/O, reads no clock and knows nothing of IP.
//!
//! ```text
//!                          ┌──────────────── engine ────────────────┐
//!   segments in ──────────►│ whose is it?   ┌────── connection ────┐│
//!   verbs of applications ►│ listeners      │ opening   arrives    ││──► segments out, each with its reason
//!   time ─────────────────►│ deadlines      │ acknowledge  output  ││──► events for applications, journal
//!                          │                │ expire    verbs      ││
//!                          │                └─┬──────────────────┬─┘│
//!                          └──────────────────┼──────────────────┼──┘
//!      leaves, which answer and never act:    │                  │
//!      acceptance  ranges  octets  reassembly │ window  acks     │ rtt  flight  recovery  congestion  timers  options  path
//! ```
//!
//! How segments travel is the business of `ip`; the stack joins the two. Where a question is answered:
//!
//! | question | place |
//! |---|---|
//! | which states are there, and what leads from one to the next? | [`state`] |
//! | is a segment acceptable, and what is done with it? | `connection/arrives.rs`, in the order of RFC 9293 §3.10.7.4 |
//! | what may be sent now? | `connection/output.rs` |
//! | what does a time-out do? | `connection/expire.rs`; how long it is: [`rtt`] |
//! | what is lost? | [`recovery`], on the records of [`flight`] |
//! | how much may be in flight? | [`congestion`] |
//! | when is an acknowledgment sent? | [`acks`] |
//! | how long may a packet be on this path? | [`path`] |
//! | may data go with a SYN? | [`fast_open`] |
//! | what if there are too many SYNs? | [`syn_cookies`] |

mod acceptance;
mod acks;
mod config;
pub mod congestion;
mod connection;
mod delivery_rate;
mod engine;
mod fast_open;
mod flight;
mod isn;
mod octets;
mod options;
mod pacing;
mod path;
mod push;
mod ranges;
mod reassembly;
mod recovery;
mod rtt;
mod segment;
mod state;
mod syn_cookies;
#[cfg(test)]
mod tests;
mod timers;
mod window;

pub use config::{Algorithm, Config, Congestion, Ecn, PathDiscovery, PathProbing, SynCookies};
pub use engine::{Arrival, Departure, Engine};
pub use fast_open::FastOpen;
pub use segment::{CHECKSUM_OFFSET, Ends, Header, Payload, Segment};
