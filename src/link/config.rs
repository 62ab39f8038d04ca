//! What one direction of a link is asked to do, as plain values.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crate::packet::Packet;
use crate::rng::Probability;

/// What a rule looks for. Injected, so that this room knows nothing of filters.
pub type Predicate = Arc<dyn Fn(&Packet) -> bool + Send + Sync>;

/// How one direction of a link behaves. Its rules are of type `R` as long as they are not yet [`Rule`]s that can be asked.
#[derive(Clone, Debug)]
pub struct PipeConfig<R = Rule> {
    /// The link's name in the journal: `client-server`.
    pub name: String,
    /// Propagation delay.
    pub delay: Duration,
    /// Upper bound of an extra delay drawn for each packet; order is kept.
    pub jitter: Duration,
    /// Serialization rate in bits per second, 0 counting as 1; `None` is infinitely fast.
    pub rate: Option<u64>,
    /// What waits to be serialized, and how; only a link with a rate has a queue.
    pub queue: QueueConfig,
    /// Odds of losing a packet.
    pub loss: Probability,
    /// Odds of holding a packet back until `reorder_by` others have passed.
    pub reorder: Probability,
    /// How many packets pass one that is held back; 0 holds none.
    pub reorder_by: u32,
    /// Odds of delivering a packet twice.
    pub duplicate: Probability,
    /// Odds of flipping one bit.
    pub corrupt: Probability,
    /// Octets of the longest network packet.
    pub mtu: usize,
    /// Exact rules; the first that matches and whose count has come acts.
    pub rules: Vec<R>,
}

impl<R> PipeConfig<R> {
    /// The same pipe with its rules made into others.
    pub fn map_rules<S>(&self, make: impl Fn(&R) -> S) -> PipeConfig<S> {
        PipeConfig {
            name: self.name.clone(),
            delay: self.delay,
            jitter: self.jitter,
            rate: self.rate,
            queue: self.queue,
            loss: self.loss,
            reorder: self.reorder,
            reorder_by: self.reorder_by,
            duplicate: self.duplicate,
            corrupt: self.corrupt,
            mtu: self.mtu,
            rules: self.rules.iter().map(make).collect(),
        }
    }
}

impl PipeConfig {
    /// A pipe that carries every packet of up to 1500 octets at once and unharmed; change the fields from there.
    pub fn clean(name: impl Into<String>) -> PipeConfig {
        PipeConfig {
            name: name.into(),
            delay: Duration::ZERO,
            jitter: Duration::ZERO,
            rate: None,
            queue: QueueConfig::fifo(1000),
            loss: Probability::NEVER,
            reorder: Probability::NEVER,
            reorder_by: 1,
            duplicate: Probability::NEVER,
            corrupt: Probability::NEVER,
            mtu: 1500,
            rules: Vec::new(),
        }
    }
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

/// Without the predicate, which has nothing to show.
impl fmt::Debug for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Rule { id, when: _, nth, action } = self;
        f.debug_struct("Rule").field("id", id).field("nth", nth).field("action", action).finish_non_exhaustive()
    }
}

/// What a rule does to a packet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// It never arrives.
    Drop,
    /// It arrives so much later than it would have; others overtake it.
    Delay(Duration),
    /// It arrives after so many others have passed; 0 holds nothing.
    Hold(u32),
    /// It arrives twice.
    Duplicate,
    /// One bit is flipped.
    Corrupt,
    /// A TCP option of this kind is overwritten with NOPs (RFC 9293 §3.2), the checksum made right again.
    StripOption(u8),
    /// The ECN field becomes 0, "Not ECT" (RFC 3168 §5), the IPv4 header's checksum made right again.
    BleachEcn,
}

/// What waits at the sending end of a link.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct QueueConfig {
    /// Packets that may wait, beside the one that is being serialized. One more is dropped, whatever the discipline.
    pub packets: usize,
    /// Who leaves, and who does not.
    pub discipline: Discipline,
}

/// A queue discipline. A mark is Congestion Experienced (RFC 3168 §5), and only ECN-capable packets are marked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Discipline {
    /// First in, first out.
    Fifo {
        /// A packet that finds more than so many waiting is marked; `None` marks none.
        mark_above: Option<usize>,
    },
    /// First in, first out, but for packets that are dropped because all have waited too long (RFC 8289).
    CoDel {
        /// The wait that is acceptable.
        target: Duration,
        /// How long it may be longer, about the longest round-trip time.
        interval: Duration,
        /// Whether ECN-capable packets are marked where others are dropped.
        ecn: bool,
    },
}

impl QueueConfig {
    /// First in, first out, tail drop.
    pub const fn fifo(packets: usize) -> QueueConfig {
        QueueConfig { packets, discipline: Discipline::Fifo { mark_above: None } }
    }

    /// CoDel with its usual numbers (RFC 8289 §4.2, §4.3), dropping, not marking.
    pub const fn codel(packets: usize) -> QueueConfig {
        let (target, interval) = (Duration::from_millis(5), Duration::from_millis(100));
        QueueConfig { packets, discipline: Discipline::CoDel { target, interval, ecn: false } }
    }
}
