//! What is written down of a trial while it goes on: counts, never packets, so that its length costs no memory.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::capture::{Record, Witness};
use crate::journal::{Entry, NodeId};
use crate::measure::{JournalStory, Meter};

/// The counts of a trial, shared by the network that tells and whoever reads them afterwards.
#[derive(Clone, Default)]
pub(super) struct Ledger(Arc<Mutex<Counts>>);

/// What was counted.
#[derive(Default)]
pub(super) struct Counts {
    pub(super) meter: Meter,
    pub(super) stories: BTreeMap<NodeId, JournalStory>,
    /// What happens after the end (connections are broken off) counts no more.
    is_closed: bool,
}

impl Ledger {
    /// Nothing is counted any more.
    pub(super) fn close(&self) {
        self.read().is_closed = true;
    }

    pub(super) fn read(&self) -> MutexGuard<'_, Counts> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Witness for Ledger {
    fn packet(&mut self, _: NodeId, record: Record) {
        let mut counts = self.read();
        if !counts.is_closed {
            counts.meter.packet(&record);
        }
    }

    fn event(&mut self, entry: Entry) {
        let mut counts = self.read();
        if !counts.is_closed {
            counts.stories.entry(entry.node).or_default().event(entry.at, &entry.event);
        }
    }

    fn settle(&mut self) {}
}
