//! What happened in a run, as it is told afterwards.

use std::collections::VecDeque;

use crate::drill::language::script::PacketSpec;
use crate::drill::packets::connections::Connections;
use crate::drill::packets::read::Sent;
use crate::journal::Why;
use crate::time::Instant;

/// Entries that are kept of a run of which not all is to be told.
const LAST: usize = 24;
/// Entries that are kept of a run of which all is to be told: more than any script has, and a bound on memory.
const ALL: usize = 100_000;

/// One thing that happened.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    /// When.
    pub at: Instant,
    /// What.
    pub what: Happening,
}

/// What happened.
#[derive(Clone, Debug, PartialEq)]
pub enum Happening {
    /// The script sent a packet, in its own numbers.
    In(Box<PacketSpec>),
    /// The stack sent a packet, in the script's numbers as far as they are known.
    Out(Box<PacketSpec>, Why, Fate),
    /// A call returned.
    Call {
        /// Its text in the script.
        text: String,
        /// What came: `= 4`, `= -1 EAGAIN (…)`.
        result: String,
    },
    /// A call fell asleep.
    Sleeps {
        /// Its text in the script.
        text: String,
    },
}

/// What became of a packet that the stack has sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// An event of the script was compared with it.
    Compared,
    /// It was not of the connection under test, and nobody asked for it.
    PassedOver,
    /// No event had asked for it when the run was over.
    Waiting,
}

/// Collects what happens.
#[derive(Debug)]
pub struct Transcript {
    entries: VecDeque<Raw>,
    most: usize,
    next_packet: u64,
}

#[derive(Debug)]
enum Raw {
    Told(Entry),
    Sent { number: u64, sent: Sent, fate: Fate },
}

impl Transcript {
    /// An empty one; `whole` keeps all, else only the last entries.
    pub fn new(whole: bool) -> Transcript {
        Transcript { entries: VecDeque::new(), most: if whole { ALL } else { LAST }, next_packet: 0 }
    }

    fn push(&mut self, raw: Raw) {
        if self.entries.len() == self.most {
            self.entries.pop_front();
        }
        self.entries.push_back(raw);
    }

    /// Something other than an outbound packet happened.
    pub fn tell(&mut self, at: Instant, what: Happening) {
        self.push(Raw::Told(Entry { at, what }));
    }

    /// The stack has sent a packet; returns its number, for [`Transcript::fate`].
    pub fn sent(&mut self, sent: Sent) -> u64 {
        self.next_packet += 1;
        self.push(Raw::Sent { number: self.next_packet, sent, fate: Fate::Waiting });
        self.next_packet
    }

    /// Says what became of a packet.
    pub fn fate(&mut self, packet: u64, now: Fate) {
        for entry in self.entries.iter_mut().rev() {
            if let Raw::Sent { number, fate, .. } = entry
                && *number == packet
            {
                *fate = now;
                return;
            }
        }
    }

    /// The entries, packets in the script's numbers as far as they are known by now.
    pub fn finish(self, connections: &Connections) -> Vec<Entry> {
        let entry = |raw| match raw {
            Raw::Told(entry) => entry,
            Raw::Sent { sent, fate, .. } => {
                let shown = connections.in_script_numbers(&sent);
                Entry { at: sent.at, what: Happening::Out(Box::new(shown), sent.why, fate) }
            }
        };
        self.entries.into_iter().map(entry).collect()
    }
}
