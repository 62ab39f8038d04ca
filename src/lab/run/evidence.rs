//! What a run has left behind, as checks, predictions and guides look at it.

use std::collections::BTreeSet;

use super::{Finished, Mode, node_ids};
use crate::capture::Recorder;
use crate::check::{self, Answer, Clock, Evidence, LinkSource, NodeSource, Verdict};
use crate::journal::{Event, NodeId};
use crate::lab::definition::{Definition, Link};
use crate::time::Instant;

/// Everything that was seen of `lab`.
pub(super) fn evidence<'a>(lab: &'a Definition, recorder: &'a Recorder, ended: Instant, mode: Mode) -> Evidence<'a> {
    let nodes: Vec<NodeSource<'_>> = node_ids()
        .zip(&lab.nodes)
        .map(|(id, node)| NodeSource {
            name: &node.name,
            records: Some(recorder.records(id)),
            not_kept: recorder.not_kept(id),
        })
        .collect();
    let clock = match mode {
        Mode::Live => Clock::Wall,
        Mode::Sim => Clock::Virtual,
    };
    Evidence::new(&nodes, &links(lab), Some(recorder.journal()), ended, clock)
}

/// The lab's links, as far as checks care.
pub(in crate::lab) fn links<'l>(lab: &'l Definition) -> Vec<LinkSource<'l>> {
    let link = |link: &'l Link| LinkSource {
        name: &link.name,
        ends: link.ends,
        mtu: link.mtu,
        longest_flight: link.longest_flight(),
    };
    lab.links.iter().map(link).collect()
}

/// The integrity checks' verdicts, then those of the lab's own checks, in the file's order.
pub(in crate::lab) fn judge(lab: &Definition, evidence: &Evidence<'_>) -> Vec<Verdict> {
    let mut verdicts = check::integrity(evidence, lab.integrity);
    verdicts.extend(lab.checks.iter().map(|check| check::judge(check, evidence)));
    verdicts
}

impl Finished {
    /// What the run has left behind; `lab` is what was run.
    pub fn evidence<'a>(&'a self, lab: &'a Definition) -> Evidence<'a> {
        evidence(lab, &self.recorder, self.ended, self.mode)
    }

    /// The claims of `lab`, which may be others than those of the lab that was run, held against this run.
    pub fn judge(&self, lab: &Definition) -> Vec<Verdict> {
        judge(lab, &self.evidence(lab))
    }

    /// The link rules of `lab` that acted on no packet, with the node whose packets each watches; none when the journal does
    /// not have the whole run, or when a fault is hidden in it, whose rules are nobody's business.
    pub fn idle_rules<'l>(&self, lab: &'l Definition) -> Vec<(&'l str, &'l str)> {
        let journal = self.recorder.journal();
        if journal.forgotten() > 0 || self.interrupted || lab.hidden.is_some() {
            return Vec::new();
        }
        let acted: BTreeSet<&str> = journal
            .entries()
            .filter_map(|entry| match &entry.event {
                Event::Impaired { impairment, .. } => impairment.rule(),
                _ => None,
            })
            .collect();
        let pipes = lab.links.iter().flat_map(|link| link.ends.iter().zip(&link.pipes));
        let rules = pipes.flat_map(|(from, pipe)| pipe.rules.iter().map(move |rule| (rule.id.as_str(), *from)));
        let name = |id: NodeId| lab.nodes.get(usize::from(id.0)).map_or("", |node| node.name.as_str());
        rules.filter(|(id, _)| !acted.contains(id)).map(|(id, from)| (id, name(from))).collect()
    }

    /// What the run answers to each of the lab's predictions, in the file's order; an error says why it does not.
    pub fn answers(&self, lab: &Definition) -> Vec<Result<Answer, String>> {
        let evidence = self.evidence(lab);
        lab.predictions.iter().map(|asked| check::answer(&asked.answer, asked.at, &evidence)).collect()
    }
}
