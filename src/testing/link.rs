//! Links as a test describes them.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use super::BuildError;
use crate::filter::{Filter, Names, packet_predicate};
use crate::link::{Action, PipeConfig, QueueConfig, Rule};
use crate::rng::Probability;

/// How long a packet is under way where nobody says.
const DELAY: Duration = Duration::from_millis(1);

/// How a link behaves, the same in both directions. Made to be changed: `Link::new().delay_ms(20).loss(0.01)`.
///
/// A new one takes a millisecond, carries packets of up to 1500 octets at any rate, and loses none.
#[derive(Clone, Debug)]
pub struct Link {
    pipe: PipeConfig,
    rules: Vec<FilterRule>,
    /// What was asked for and makes no sense; told by [`NetworkBuilder::build`](super::NetworkBuilder::build).
    problem: Option<BuildError>,
}

/// A rule whose filter is not read yet: names of nodes are known only when the network is complete.
#[derive(Clone, Debug)]
struct FilterRule {
    id: String,
    filter: String,
    nth: Vec<u32>,
    action: Action,
}

impl Default for Link {
    fn default() -> Link {
        Link::new()
    }
}

impl Link {
    /// A millisecond each way, and no harm done.
    pub fn new() -> Link {
        Link { pipe: PipeConfig { delay: DELAY, ..PipeConfig::clean("") }, rules: Vec::new(), problem: None }
    }

    /// How long a packet is under way, each way: half the round-trip time.
    pub fn delay(mut self, delay: Duration) -> Link {
        self.pipe.delay = delay;
        self
    }

    /// As [`Link::delay`], in milliseconds.
    pub fn delay_ms(self, milliseconds: u64) -> Link {
        self.delay(Duration::from_millis(milliseconds))
    }

    /// Up to this much longer, drawn for each packet; their order is kept.
    pub fn jitter(mut self, jitter: Duration) -> Link {
        self.pipe.jitter = jitter;
        self
    }

    /// Bits that leave each second; packets that come faster queue.
    pub fn rate(mut self, bits_per_second: u64) -> Link {
        self.pipe.rate = Some(bits_per_second);
        self
    }

    /// Packets that may wait to leave; the next one is lost. 1000 where nobody says; only a link with a rate has a queue.
    pub fn queue(mut self, packets: usize) -> Link {
        self.pipe.queue = QueueConfig::fifo(packets);
        self
    }

    /// Octets of the longest packet.
    pub fn mtu(mut self, octets: usize) -> Link {
        self.pipe.mtu = octets;
        self
    }

    /// The odds that a packet is lost, from 0 to 1.
    pub fn loss(mut self, odds: f64) -> Link {
        self.pipe.loss = self.odds(odds);
        self
    }

    /// The odds that a packet arrives twice, from 0 to 1.
    pub fn duplicate(mut self, odds: f64) -> Link {
        self.pipe.duplicate = self.odds(odds);
        self
    }

    /// The odds that one bit of a packet is flipped, from 0 to 1.
    pub fn corrupt(mut self, odds: f64) -> Link {
        self.pipe.corrupt = self.odds(odds);
        self
    }

    /// The odds that a packet is overtaken by so many others, from 0 to 1.
    pub fn reorder(mut self, odds: f64, by: u32) -> Link {
        self.pipe.reorder = self.odds(odds);
        self.pipe.reorder_by = by;
        self
    }

    /// Loses every packet that a display filter selects: `tcp.flags.syn == 1 && ip.src == server`.
    pub fn drop(self, filter: &str) -> Link {
        self.rule(filter, [], Action::Drop)
    }

    /// Loses the packets of these numbers, counted from 1 among those that the filter selects, in each direction by itself.
    pub fn drop_nth(self, filter: &str, nth: impl IntoIterator<Item = u32>) -> Link {
        self.rule(filter, nth, Action::Drop)
    }

    /// Does something to packets that a display filter selects: to those of these numbers, counted from 1 in each direction
    /// by itself, or without numbers to all of them. Names of nodes stand for their addresses.
    pub fn rule(mut self, filter: &str, nth: impl IntoIterator<Item = u32>, action: Action) -> Link {
        let id = filter.to_owned();
        self.rules.push(FilterRule { id, filter: filter.to_owned(), nth: nth.into_iter().collect(), action });
        self
    }

    /// Odds as parts of a billion, so that what follows decides in whole numbers.
    fn odds(&mut self, odds: f64) -> Probability {
        if !(0.0..=1.0).contains(&odds) {
            self.problem.get_or_insert(BuildError::Odds(odds.to_string()));
            return Probability::NEVER;
        }
        let all = f64::from(Probability::ALWAYS.parts_per_billion());
        Probability::from_parts_per_billion((odds * all).round() as u32)
    }

    pub(super) fn longest_packet(&self) -> usize {
        self.pipe.mtu
    }

    /// One direction of it. While `cut` says so nothing passes.
    pub(super) fn pipe(&self, name: &str, names: &Names, cut: &Arc<AtomicBool>) -> Result<PipeConfig, BuildError> {
        if let Some(problem) = &self.problem {
            return Err(problem.clone());
        }
        let cut = cut.clone();
        let partition = Rule {
            id: "partition".to_owned(),
            when: Arc::new(move |_| cut.load(Ordering::Relaxed)),
            nth: Vec::new(),
            action: Action::Drop,
        };
        let mut rules = vec![partition];
        for rule in &self.rules {
            let filter = Filter::parse_for_single_packets(&rule.filter, names)
                .map_err(|error| BuildError::Filter { filter: rule.filter.clone(), error })?;
            if filter.is_about_events() {
                return Err(BuildError::NotAPacket(rule.filter.clone()));
            }
            let FilterRule { id, nth, action, .. } = rule.clone();
            rules.push(Rule { id, when: packet_predicate(filter), nth, action });
        }
        Ok(PipeConfig { name: name.to_owned(), rules, ..self.pipe.clone() })
    }
}
