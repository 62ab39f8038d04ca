//! What happened in a run, as typed events.
//!
//! Stacks, links and applications report here in plain values; nothing is formatted until somebody looks. Ladders, packet
//! comments, checks and `journal.jsonl` all derive from packets and this journal, never from log text.
//!
//! What lives here: the events ([`Event`]), the reasons of packets ([`Why`]), what a socket knows ([`Snapshot`]), and the
//! bounded [`Journal`] that keeps them. What does not: who decides anything.

mod drop;
mod event;
mod notebook;
mod passage;
mod program;
mod snapshot;
mod tcp;
mod why;

use std::collections::VecDeque;
use std::fmt;

use serde::Serialize;

use crate::time::Instant;

pub use drop::DropReason;
pub use event::{Event, Impairment};
pub use notebook::Notebook;
pub use passage::{NatMapping, Passage, Side};
pub use program::{CacheUse, OrderOutcome, PacketSpace, ProgramEvent, TransportKind, Way};
pub use snapshot::{Agreed, Flight, Recovery, Snapshot};
pub use tcp::{CwndCause, LossRule, NoLoss, PathMtuCause, TcpState, Timer};
pub use why::{Guess, Reason, Why};

/// Names a node of the network: its place in the lab's list of nodes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(transparent)]
pub struct NodeId(pub u16);

/// Names a socket within its node; never reused within a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(transparent)]
pub struct SocketId(pub u64);

impl fmt::Display for SocketId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// One line of the journal.
#[derive(Clone, Debug, Serialize)]
pub struct Entry {
    /// When, in nanoseconds since the run began.
    pub at: Instant,
    /// Where; for what a link does, the sending node.
    pub node: NodeId,
    /// What.
    #[serde(flatten)]
    pub event: Event,
}

/// The events of a run, oldest first, in a ring of bounded size.
#[derive(Debug)]
pub struct Journal {
    ring: VecDeque<Entry>,
    capacity: usize,
    recorded: u64,
}

impl Journal {
    /// An empty journal that keeps the latest `capacity` entries (at least one).
    pub fn new(capacity: usize) -> Journal {
        Journal { ring: VecDeque::new(), capacity: capacity.max(1), recorded: 0 }
    }

    /// Adds an entry; the oldest one makes room when the ring is full.
    pub fn record(&mut self, entry: Entry) {
        if self.ring.len() == self.capacity {
            self.ring.pop_front();
        }
        self.ring.push_back(entry);
        self.recorded += 1;
    }

    /// The entries that are still kept, oldest first.
    pub fn entries(&self) -> impl ExactSizeIterator<Item = &Entry> {
        self.ring.iter()
    }

    /// How many entries have made room for newer ones.
    pub fn forgotten(&self) -> u64 {
        self.recorded - self.ring.len() as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::packet::PacketId;

    #[test]
    fn a_full_journal_forgets_the_oldest_and_says_how_many() {
        let mut journal = Journal::new(2);
        for packet in 1..=3 {
            let event = Event::PacketArrived { packet: PacketId(packet) };
            journal.record(Entry { at: Instant::from_nanos(packet), node: NodeId(0), event });
        }
        assert_eq!(journal.entries().map(|entry| entry.at.as_nanos()).collect::<Vec<_>>(), [2, 3]);
        assert_eq!(journal.forgotten(), 1);
    }

    #[test]
    fn an_entry_reads_as_one_flat_json_object() {
        let event = Event::PacketSent { packet: PacketId(7), why: Why::of(Reason::ActiveOpen) };
        let entry = Entry { at: Instant::from_nanos(5), node: NodeId(1), event };
        assert_eq!(
            serde_json::to_string(&entry).expect("an entry is JSON"),
            r#"{"at":5,"node":1,"kind":"packet-sent","packet":7,"why":{"reason":"active-open","section":"RFC 9293 §3.5","text":"SYN: opens the connection"}}"#
        );
    }

    #[test]
    fn a_time_out_is_told_to_the_nearest_millisecond() {
        for (micros, told) in [(245_499, "0.245 s"), (245_953, "0.246 s"), (999_900, "1.000 s")] {
            let reason = Reason::RetransmitByTimer { nth: 1, rto: std::time::Duration::from_micros(micros) };
            assert!(reason.to_string().ends_with(told), "{reason}");
        }
    }

    #[test]
    fn states_are_written_as_the_rfc_spells_them() {
        use TcpState::*;
        let states = [
            Closed,
            Listen,
            SynSent,
            SynReceived,
            Established,
            FinWait1,
            FinWait2,
            CloseWait,
            Closing,
            LastAck,
            TimeWait,
        ];
        for state in states {
            assert_eq!(serde_json::to_value(state).expect("a state is JSON"), state.to_string());
        }
        assert_eq!(serde_json::to_value(Timer::FinWait2).expect("a timer is JSON"), "fin-wait-2");
    }
}
