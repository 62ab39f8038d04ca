//! What may pass: rules in order, and the connections that they let begin.

use super::super::{Policy, PortId, Rule, Verdict};
use super::flow::Content;
use super::tracking::{Connections, Standing};
use crate::journal::DropReason;
use crate::packet::Packet;
use crate::time::Instant;

/// A policy at work.
#[derive(Debug)]
pub(super) struct Guard {
    rules: Vec<Rule>,
    otherwise: Verdict,
    /// `None` for one that remembers nothing.
    connections: Option<Connections>,
}

/// What the policy says of a packet.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Ruling {
    /// It passes.
    Passes,
    /// A rule speaks; `None` where none did.
    Stops(Option<String>, Verdict),
    /// It belongs to nothing, or there is no room to remember it.
    Unfit(DropReason),
}

impl Guard {
    pub(super) fn new(policy: Policy) -> Guard {
        let Policy { rules, otherwise, stateful } = policy;
        Guard { rules, otherwise, connections: stateful.then(Connections::default) }
    }

    /// Whether it wants to know what flow a packet belongs to.
    pub(super) fn is_stateful(&self) -> bool {
        self.connections.is_some()
    }

    /// Whether everything passes.
    pub(super) fn is_open(&self) -> bool {
        self.rules.is_empty() && self.otherwise == Verdict::Accept && self.connections.is_none()
    }

    /// Whether a packet may pass from one port to another.
    pub(super) fn judge(
        &mut self,
        now: Instant,
        (from, to): (PortId, PortId),
        packet: &Packet,
        content: &Content,
    ) -> Ruling {
        if let Some(connections) = &mut self.connections {
            match connections.standing(now, content) {
                Standing::Established | Standing::Related => return Ruling::Passes,
                Standing::Invalid => return Ruling::Unfit(DropReason::NoTrackedConnection),
                Standing::New if !connections.has_room() => return Ruling::Unfit(DropReason::TableFull),
                Standing::New => {}
            }
        }
        let is_about = |port: Option<PortId>, actual| port.is_none_or(|port| port == actual);
        let matches = |rule: &&Rule| is_about(rule.from, from) && is_about(rule.to, to) && (rule.when)(packet);
        let (rule, verdict) = match self.rules.iter().find(matches) {
            Some(rule) => (Some(&rule.id), rule.verdict),
            None => (None, self.otherwise),
        };
        match verdict {
            Verdict::Accept => Ruling::Passes,
            Verdict::Drop | Verdict::Reject(_) => Ruling::Stops(rule.cloned(), verdict),
        }
    }

    /// A packet passes: its connection is remembered from now on.
    pub(super) fn passed(&mut self, now: Instant, content: &Content) {
        if let Some(connections) = &mut self.connections {
            connections.passed(now, content);
        }
    }

    #[cfg(test)]
    pub(super) fn tracked(&self) -> Option<usize> {
        self.connections.as_ref().map(Connections::size)
    }
}
