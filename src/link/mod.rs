//! Links: what happens to a packet between two nodes.
//!
//! A link is two one-way [`Pipe`]s. In userspace on purpose: the same impairments in simulation and live, exact rules
//! ("drop the third segment with data"), and no kernel module that is missing on half of all machines.

use std::sync::Arc;
use std::time::Duration;

use crate::journal::Impairment;
use crate::packet::{Packet, PacketId};
use crate::rng::{Probability, Rng};
use crate::time::Instant;

/// What a rule looks for. Injected, so that this room knows nothing of filters.
pub type Predicate = Arc<dyn Fn(&Packet) -> bool + Send + Sync>;

/// How one direction of a link behaves.
#[derive(Clone)]
pub struct PipeConfig {
    /// The link's name in the journal: `client-server`.
    pub name: String,
    /// Propagation delay.
    pub delay: Duration,
    /// Upper bound of an extra delay drawn for each packet; order is kept.
    pub jitter: Duration,
    /// Serialization rate in bits per second; `None` is infinitely fast.
    pub rate: Option<u64>,
    /// Packets that may wait to be serialized; only a link with a rate has a queue.
    pub queue: usize,
    /// Odds of losing a packet.
    pub loss: Probability,
    /// Odds of holding a packet back until `reorder_by` others have passed.
    pub reorder: Probability,
    /// How many packets pass one that is held back.
    pub reorder_by: u32,
    /// Odds of delivering a packet twice.
    pub duplicate: Probability,
    /// Odds of flipping one bit.
    pub corrupt: Probability,
    /// Octets of the longest network packet.
    pub mtu: usize,
    /// Exact rules; the first that matches and whose count has come acts.
    pub rules: Vec<Rule>,
}

/// One exact impairment.
#[derive(Clone)]
pub struct Rule {
    /// Its name in the journal.
    pub id: String,
    /// Which packets it counts.
    pub when: Predicate,
    /// Which of the counted packets it acts on, from 1; empty means all of them.
    pub nth: Vec<u32>,
    /// What it does.
    pub action: Action,
}

/// What a rule does to a packet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// It never arrives.
    Drop,
    /// It arrives later.
    Delay(Duration),
    /// It arrives after so many others have passed.
    Hold(u32),
    /// It arrives twice.
    Duplicate,
    /// One bit is flipped.
    Corrupt,
}

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

/// One direction of a link.
pub struct Pipe {
    config: PipeConfig,
    rng: Rng,
}

impl Pipe {
    /// A pipe that draws its chances from `rng`.
    pub fn new(config: PipeConfig, rng: Rng) -> Pipe {
        Pipe { config, rng }
    }

    /// Takes a packet from the sending node. What was done to it, other than carrying it, goes into `impairments`, with
    /// the id of the packet it was done to (for a duplicate: the copy's, fresh from `ids`).
    ///
    /// Corruption flips a bit beyond the link header and leaves checksums as they are.
    pub fn offer(
        &mut self,
        now: Instant,
        packet: Packet,
        ids: &mut PacketIds,
        impairments: &mut Vec<(PacketId, Impairment)>,
    ) {
        let _ = (now, packet, ids, impairments, &self.config, &mut self.rng);
    }

    /// The next packet whose time of arrival has come; call until `None`. Order of arrival, ties in order of departure.
    pub fn deliver(&mut self, now: Instant) -> Option<Packet> {
        let _ = now;
        None
    }

    /// When [`Pipe::deliver`] has something next; `None` when nothing is on its way. A held packet that no other passes is
    /// released in the end: `HOLD_LIMIT` after it would have arrived.
    pub fn deadline(&self) -> Option<Instant> {
        None
    }
}

/// How long a held packet waits for others to pass before it goes on alone.
pub const HOLD_LIMIT: Duration = Duration::from_secs(1);
