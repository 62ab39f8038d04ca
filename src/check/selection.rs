//! Selections: which packets or events a check is about.

use std::collections::HashSet;

use crate::filter::{Filter, Subject};
use crate::journal::{Entry, Event, Impairment, NodeId, Passage};
use crate::packet::PacketId;
use crate::time::Instant;

use super::evidence::{Evidence, Frame};

/// What to look for, and where.
#[derive(Clone, Debug)]
pub struct Selection {
    /// Its name in the lab, or the filter as it was written.
    pub name: String,
    /// What is looked for.
    pub what: Selected,
    /// For packets, whose capture; for events, whose. `None` is the check's vantage for packets, every node for events.
    pub at: Option<NodeId>,
    /// For packets: which of those that match.
    pub only: Only,
    /// Takes just this one of what matches, from 1; from the end where it is negative (-1 is the last); `None` takes all.
    pub nth: Option<i32>,
}

/// What a selection looks for.
#[derive(Clone, Debug)]
pub enum Selected {
    /// Packets that pass a filter.
    Packets(Filter),
    /// Events that pass a filter.
    Events(Filter),
    /// The packets that a link's rule acted on, in their sender's capture.
    Rule {
        /// The rule's id.
        id: String,
        /// The node whose packets it watches.
        from: NodeId,
    },
}

/// Narrows a selection of packets by what became of them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Only {
    /// All of them.
    #[default]
    All,
    /// Those that carry sequence numbers which their sender had sent before: retransmissions, as seen from here.
    Repeats,
    /// Those that do not: what was sent for the first time.
    Originals,
    /// Those that a link dropped.
    Dropped,
}

/// What was found.
#[derive(Debug)]
pub(super) struct Picked<'e, 'a> {
    /// In order of time.
    pub(super) items: Vec<Item<'e, 'a>>,
    /// The node whose frame numbers the items carry.
    pub(super) vantage: NodeId,
    /// Shows the packets in Wireshark; `None` for events.
    pub(super) filter: Option<String>,
    /// What the evidence lacks, so that there may be more items; `None` when these are all.
    gap: Option<Gap>,
}

/// What a selection could not look at.
#[derive(Debug)]
struct Gap {
    why: Missing,
    /// Whether all that is missing came after the items that are there.
    is_behind: bool,
}

/// One packet or event that was found.
#[derive(Clone, Copy, Debug)]
pub(super) struct Item<'e, 'a> {
    pub(super) at: Instant,
    /// The frame's number at the vantage; for an event, that of the packet it is about.
    pub(super) number: Option<u64>,
    /// An event's place in the journal; 0 for a packet.
    line: usize,
    pub(super) found: Found<'e, 'a>,
}

/// What an item is.
#[derive(Clone, Copy, Debug)]
pub(super) enum Found<'e, 'a> {
    Packet(&'e Frame<'a>),
    Event(&'a Entry),
}

/// Why the evidence does not answer.
pub(super) type Missing = String;

impl Selection {
    /// Whether a capture alone does not answer it.
    pub fn needs_journal(&self) -> bool {
        match self.what {
            Selected::Packets(_) => self.only == Only::Dropped,
            Selected::Events(_) | Selected::Rule { .. } => true,
        }
    }
}

impl<'e, 'a> Item<'e, 'a> {
    pub(super) fn subject(&self, evidence: &'e Evidence<'a>) -> Subject<'e> {
        match self.found {
            Found::Packet(frame) => frame.subject(),
            Found::Event(entry) => evidence.event_subject(entry),
        }
    }

    /// Whether it comes before `other`. Two packets of one capture have an order even at the same instant, which is
    /// common on a virtual clock, and so have two lines of the journal; of two other things at the same instant neither is
    /// before the other.
    pub(super) fn is_before(&self, other: &Item<'_, '_>, same_vantage: bool) -> bool {
        match (self.found, other.found) {
            (Found::Packet(a), Found::Packet(b)) if same_vantage => a.number < b.number,
            (Found::Event(_), Found::Event(_)) => self.line < other.line,
            (Found::Packet(_) | Found::Event(_), Found::Packet(_) | Found::Event(_)) => self.at < other.at,
        }
    }
}

impl<'e, 'a> Picked<'e, 'a> {
    /// Nothing, if these are all the items that there were.
    pub(super) fn all(&self) -> Result<(), Missing> {
        self.gap.as_ref().map_or(Ok(()), |gap| Err(gap.why.clone()))
    }

    /// The first item that there was; `None` when there was none.
    pub(super) fn first(&self) -> Result<Option<Item<'e, 'a>>, Missing> {
        let first = self.items.first().copied();
        match &self.gap {
            Some(gap) if first.is_none() || !gap.is_behind => Err(gap.why.clone()),
            Some(_) | None => Ok(first),
        }
    }

    /// What all items come to.
    pub(super) fn sum(&self, each: fn(&Item<'e, 'a>) -> u64) -> u64 {
        self.items.iter().map(each).sum()
    }

    /// The frame numbers, in rising order, each once.
    pub(super) fn numbers(&self) -> Vec<u64> {
        let mut numbers: Vec<u64> = self.items.iter().filter_map(|item| item.number).collect();
        numbers.sort_unstable();
        numbers.dedup();
        numbers
    }
}

impl<'a> Evidence<'a> {
    /// Finds what a selection asks for; `at` is the vantage when it names none.
    pub(super) fn select<'e>(&'e self, selection: &Selection, at: NodeId) -> Result<Picked<'e, 'a>, Missing> {
        let mut picked = match &selection.what {
            Selected::Packets(filter) => self.packets(filter, selection, selection.at.unwrap_or(at))?,
            Selected::Events(filter) => self.events(filter, selection.at, at)?,
            Selected::Rule { id, from } => self.packets_of_rule(id, *from)?,
        };
        if let Some(nth) = selection.nth {
            let place = usize::try_from(nth.unsigned_abs()).unwrap_or(usize::MAX);
            let place = if nth < 0 { picked.items.len().checked_sub(place) } else { place.checked_sub(1) };
            picked.items = place.and_then(|place| picked.items.get(place)).copied().into_iter().collect();
            match &picked.gap {
                // What is missing may have come before it, or behind it where it counts from the end: it may be another.
                Some(gap) if !gap.is_behind || nth < 0 => return Err(gap.why.clone()),
                Some(_) if !picked.items.is_empty() => picked.gap = None,
                Some(_) | None => {}
            }
        }
        Ok(picked)
    }

    fn packets<'e>(&'e self, filter: &Filter, selection: &Selection, at: NodeId) -> Result<Picked<'e, 'a>, Missing> {
        let dropped = match selection.only {
            Only::Dropped => self.packets_impaired(Impairment::is_drop)?,
            Only::All | Only::Repeats | Only::Originals => HashSet::new(),
        };
        let wanted = |frame: &&Frame<'a>| {
            filter.matches(&frame.subject())
                && match selection.only {
                    Only::All => true,
                    Only::Repeats => frame.is_repeat,
                    Only::Originals => !frame.is_repeat,
                    Only::Dropped => dropped.contains(&frame.record.packet),
                }
        };
        let items = self.captured(at)?.iter().filter(wanted).map(Item::of_frame).collect();
        let shown = filter.wireshark();
        let filter = match selection.only {
            Only::All | Only::Dropped => shown,
            Only::Repeats => format!("({shown}) && tcp.analysis.retransmission"),
            Only::Originals => format!("({shown}) && !tcp.analysis.retransmission"),
        };
        let gap = self.gap_of(at, selection.only == Only::Dropped);
        Ok(Picked { items, vantage: at, filter: Some(filter), gap })
    }

    fn events<'e>(&'e self, filter: &Filter, of: Option<NodeId>, at: NodeId) -> Result<Picked<'e, 'a>, Missing> {
        let vantage = of.unwrap_or(at);
        let seen = self.vantage(vantage);
        let items = self
            .entries()?
            .iter()
            .enumerate()
            .filter(|(_, entry)| of.is_none_or(|node| entry.node == node))
            .filter(|(_, entry)| filter.matches(&self.event_subject(entry)))
            .map(|(line, entry)| {
                let number = packet_of(&entry.event).and_then(|packet| seen?.number_of(packet));
                Item { at: entry.at, number, line, found: Found::Event(entry) }
            })
            .collect();
        let gap = self.forgotten().map(|why| Gap { why, is_behind: false });
        Ok(Picked { items, vantage, filter: None, gap })
    }

    fn packets_of_rule<'e>(&'e self, id: &str, from: NodeId) -> Result<Picked<'e, 'a>, Missing> {
        let mut touched = self.packets_impaired(|impairment| impairment.rule() == Some(id))?;
        touched.extend(self.entries()?.iter().filter_map(|entry| match &entry.event {
            Event::Passage { packet, passage: Passage::Filtered { rule: Some(rule), .. } } if rule == id => {
                Some(*packet)
            }
            _ => None,
        }));
        let is_touched = |frame: &&Frame<'a>| touched.contains(&frame.record.packet);
        let items = self.captured(from)?.iter().filter(is_touched).map(Item::of_frame).collect();
        Ok(Picked { items, vantage: from, filter: None, gap: self.gap_of(from, true) })
    }

    /// What a selection of a node's packets lacks; with `by_journal`, one that asks the journal what became of them.
    fn gap_of(&self, node: NodeId, by_journal: bool) -> Option<Gap> {
        let forgotten = self.forgotten().filter(|_| by_journal).map(|why| Gap { why, is_behind: false });
        forgotten.or_else(|| self.cut_of(node).map(|why| Gap { why, is_behind: true }))
    }

    /// The packets to which a link did something of this kind; of a duplicate, the packet that was copied.
    pub(super) fn packets_impaired(&self, is: impl Fn(&Impairment) -> bool) -> Result<HashSet<PacketId>, Missing> {
        let id_of = |entry: &&Entry| {
            let Event::Impaired { packet, impairment, .. } = &entry.event else { return None };
            if !is(impairment) {
                return None;
            }
            let Impairment::Duplicated { original, .. } = impairment else { return Some(*packet) };
            Some(*original)
        };
        Ok(self.entries()?.iter().filter_map(id_of).collect())
    }

    /// The lines of the journal.
    pub(super) fn entries(&self) -> Result<&[&'a Entry], Missing> {
        self.journal.as_deref().ok_or_else(|| {
            "needs the journal of a run, which a capture does not have: `wireglass run` judges it".to_owned()
        })
    }

    fn captured<'e>(&'e self, at: NodeId) -> Result<&'e [Frame<'a>], Missing> {
        self.frames(at).ok_or_else(|| format!("needs the capture of {}, which is not there", self.node_name(at)))
    }
}

impl<'e, 'a> Item<'e, 'a> {
    fn of_frame(frame: &'e Frame<'a>) -> Item<'e, 'a> {
        Item { at: frame.record.at, number: Some(frame.number), line: 0, found: Found::Packet(frame) }
    }
}

/// The packet that an event is about.
fn packet_of(event: &Event) -> Option<PacketId> {
    match event {
        Event::PacketSent { packet, .. }
        | Event::PacketArrived { packet }
        | Event::PacketDropped { packet, .. }
        | Event::Impaired { packet, .. }
        | Event::Forwarded { packet, .. }
        | Event::Passage { packet, .. }
        | Event::Retransmit { packet, .. } => Some(*packet),
        Event::State { .. }
        | Event::TimerSet { .. }
        | Event::TimerFired { .. }
        | Event::DuplicateAck { .. }
        | Event::TimerStopped { .. }
        | Event::RoundTrip { .. }
        | Event::CongestionWindow { .. }
        | Event::SendWindow { .. }
        | Event::Hole { .. }
        | Event::PathMtu { .. }
        | Event::Lost { .. }
        | Event::MappingMade { .. }
        | Event::MappingExpired { .. }
        | Event::NoLoss { .. }
        | Event::Program { .. } => None,
    }
}
