//! Links: what happens to a packet between two nodes.
//!
//! A link is two one-way [`Pipe`]s. In userspace on purpose: the same impairments in simulation and live, exact rules
//! ("drop the third segment with data"), and no kernel module that is missing on half of all machines.
//!
//! ```text
//!             ┌─ MTU ─ rules ─ loss ─┐        ┌─ queue ─ rate ─┐         ┌─ delay ─ jitter ─┐
//!   offer ──► │   may drop, each     │ ─copy─►│  may overflow  │ ─flip──►│   arrivals       │──► deliver
//!             └─ with its reason     ┘        └────────────────┘         └─ held back ──────┘
//! ```
//!
//! [`config`](PipeConfig) says what a pipe is asked to do; `rules` counts, `chance` draws, `serializer` is the sending
//! end of the wire, `codel` the queue in front of it that drops what has waited too long, `flight` the wire itself, `corrupt`
//! the bit error, `edit` what a link writes into headers. What does not live here: which packets a rule
//! means (an injected [`Predicate`]), and who is told about it (the caller, through the list of impairments).

mod chance;
mod codel;
mod config;
mod corrupt;
mod edit;
mod flight;
mod pipe;
mod rules;
mod serializer;
#[cfg(test)]
mod tests;

use std::time::Duration;

use crate::packet::PacketId;

pub use config::{Action, Discipline, PipeConfig, Predicate, QueueConfig, Rule};
pub use pipe::Pipe;

/// How long a held packet waits for others to pass before it goes on alone.
pub const HOLD_LIMIT: Duration = Duration::from_secs(1);

/// Gives packets their names.
#[derive(Clone, Debug, Default)]
pub struct PacketIds {
    last: u64,
}

impl PacketIds {
    /// A name that no packet of this run has had. The first is 1.
    pub fn allocate(&mut self) -> PacketId {
        self.last += 1;
        PacketId(self.last)
    }
}
