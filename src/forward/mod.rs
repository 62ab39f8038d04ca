//! Nodes that pass packets on: routers and switches, without I/O and without a clock.
//!
//! ```text
//!   a port's pipe ─ receive ─► Forwarder ─ transmit ─► another port's pipe
//!                                  └─ drain_journal ─► what became of each packet
//! ```
//!
//! A [`Router`] decides by IP addresses, a [`Switch`] by Ethernet addresses. Both are plain state behind one trait,
//! [`Forwarder`], whose law is that of the stacks: receive a batch, then drain. What does not live here: queues, rates
//! and losses (the pipe out of a port is the port's queue), and where a port's pipe leads.

mod config;
mod router;
mod switch;

use crate::journal::{Event, Why};
use crate::packet::{Packet, PacketId};
use crate::time::Instant;

pub use router::Router;
pub use switch::Switch;

pub use config::{
    Filtering, Mapping, MssClamp, Nat, Policy, PortConfig, PortForward, Predicate, Rejection, Route, RouterConfig,
    Rule, SwitchConfig, Verdict,
};

/// Names a port of a forwarder: its place in the list of ports, from 0. A host has port 0 alone.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PortId(pub u16);

/// A node that passes packets on.
///
/// The law: [`receive`](Forwarder::receive) a batch, then [`transmit`](Forwarder::transmit) until there is nothing.
/// Packets must be no super-segments and have whole checksums; times handed in must not run backwards.
pub trait Forwarder: Send {
    /// Takes a packet that came in through a port.
    fn receive(&mut self, now: Instant, port: PortId, packet: Packet);

    /// The next packet that goes out; `None` when nothing is pending.
    fn transmit(&mut self, now: Instant) -> Option<Sending>;

    /// When [`Forwarder::expire`] wants to be called; `None` when no timer runs.
    fn deadline(&self) -> Option<Instant>;

    /// Lets every timer fire whose time has come.
    fn expire(&mut self, now: Instant);

    /// Moves what there is to tell since the last call into `into`.
    fn drain_journal(&mut self, into: &mut Vec<Event>);

    /// Whether there is anything to be told at all.
    fn set_telling(&mut self, telling: bool);

    /// Whether nothing waits to be sent, and no packet for an answer.
    fn is_quiet(&self) -> bool;
}

/// A packet on its way out of a forwarder.
#[derive(Debug)]
pub struct Sending {
    /// Through which port.
    pub port: PortId,
    /// The packet; one that goes on has its name already.
    pub packet: Packet,
    /// What it is to the packets that came in.
    pub cause: Cause,
}

/// What an outgoing packet is to the packets that came in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    /// It came in, and goes on under its name, whatever was rewritten. A switch that floods sends it through several
    /// ports.
    Forwarded,
    /// A piece of the packet of this name, which was too long for the next link; it gets a name of its own.
    Fragment(PacketId),
    /// The forwarder's own.
    Own(Why),
}
