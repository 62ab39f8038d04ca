//! Links: how each direction behaves, and which packets its exact rules mean.

use std::time::Duration;

use toml::Spanned;

use crate::app::Span;
use crate::filter::{Filter, Names, packet_predicate};
use crate::journal::NodeId;
use crate::link::{Action, Discipline, PipeConfig, QueueConfig, Rule};
use crate::rng::Probability;

use super::Node;
use super::error::{Fault, unknown};
use super::meaning::{check_name, unique};
use super::raw_network::{RawAction, RawDiscipline, RawLink, RawNth, RawPipe, RawQueue, RawRule};
use super::selections::{node_of, rule_filter};
use super::values::{Odds, Rate};

/// A link between two nodes.
#[derive(Clone, Debug)]
pub struct Link {
    /// `client-server`.
    pub name: String,
    /// Its two ends.
    pub ends: [NodeId; 2],
    /// Octets of the longest network packet.
    pub mtu: usize,
    /// How each direction behaves; the first is the one that begins at the first end.
    pub pipes: [PipeConfig<LinkRule>; 2],
}

/// An exact rule of a link.
#[derive(Clone, Debug)]
pub struct LinkRule {
    /// Its name.
    pub id: String,
    /// Which packets it counts.
    pub when: Filter,
    /// Which of those it acts on, from 1; empty means all.
    pub nth: Vec<u32>,
    /// What it does.
    pub action: Action,
}

/// Packets that may wait, unless the file says otherwise.
const PACKETS: usize = 1000;

impl Link {
    /// One direction as the link room wants it: 0 begins at the first end, 1 at the second.
    pub fn pipe(&self, direction: usize) -> Option<PipeConfig> {
        let rule = |rule: &LinkRule| Rule {
            id: rule.id.clone(),
            when: packet_predicate(rule.when.clone()),
            nth: rule.nth.clone(),
            action: rule.action.clone(),
        };
        self.pipes.get(direction).map(|pipe| pipe.map_rules(rule))
    }

    /// The longest that a packet can be under way on it.
    pub fn longest_flight(&self) -> Duration {
        self.pipes.iter().map(longest_flight).max().unwrap_or_default()
    }
}

fn longest_flight(pipe: &PipeConfig<LinkRule>) -> Duration {
    let queued_bits = (pipe.queue.packets as u64 + 1).saturating_mul(pipe.mtu as u64 * 8);
    let queued = pipe
        .rate
        .map_or(Duration::ZERO, |rate| Duration::from_nanos(queued_bits.saturating_mul(1_000_000_000) / rate.max(1)));
    let by_rule = |rule: &LinkRule| match rule.action {
        Action::Delay(by) => by,
        Action::Hold(_) => crate::link::HOLD_LIMIT,
        Action::Drop | Action::Duplicate | Action::Corrupt | Action::StripOption(_) | Action::BleachEcn => {
            Duration::ZERO
        }
    };
    let ruled = pipe.rules.iter().map(by_rule).max().unwrap_or_default();
    let held = if pipe.reorder > Probability::NEVER { crate::link::HOLD_LIMIT } else { Duration::ZERO };
    pipe.delay + pipe.jitter + queued + ruled.max(held)
}

/// The MTU of each link.
pub(super) fn mtus(links: &[Spanned<RawLink>]) -> Result<Vec<usize>, Fault> {
    links.iter().map(|link| mtu(link.get_ref().mtu.as_ref())).collect()
}

/// Every link in the file's order.
pub(super) fn links(
    text: &str,
    raw: &[Spanned<RawLink>],
    ends: &[[NodeId; 2]],
    nodes: &[Node],
    names: &Names,
) -> Result<Vec<Link>, Fault> {
    raw.iter().zip(ends).map(|(raw, ends)| link(text, raw.get_ref(), *ends, nodes, names)).collect()
}

fn link(text: &str, raw: &RawLink, ends: [NodeId; 2], nodes: &[Node], names: &Names) -> Result<Link, Fault> {
    let name_of = |id: NodeId| nodes.get(usize::from(id.0)).map_or("", |node| node.name.as_str());
    for key in raw.from.keys() {
        end_of(key, ends, nodes)?;
    }
    let mtu = mtu(raw.mtu.as_ref())?;
    let name = format!("{}-{}", name_of(ends[0]), name_of(ends[1]));
    let pipe = |end: NodeId| {
        let own = raw.from.iter().find(|(name, _)| name.get_ref() == name_of(end)).map(|(_, pipe)| pipe);
        let rules = raw.rule.iter().filter(|rule| rule.from.get_ref() == name_of(end));
        let rules = rules.map(|rule| link_rule(text, rule, names)).collect::<Result<_, _>>()?;
        pipe_config(&name, mtu, raw, own.unwrap_or(&RawPipe::default()), rules)
    };
    let pipes = [pipe(ends[0])?, pipe(ends[1])?];
    Ok(Link { name, ends, mtu, pipes })
}

/// The end of a link that is called so.
fn end_of(name: &Spanned<String>, ends: [NodeId; 2], nodes: &[Node]) -> Result<NodeId, Fault> {
    let named = |id: &NodeId| nodes.get(usize::from(id.0)).map_or("", |node| node.name.as_str());
    ends.into_iter().find(|id| named(id) == name.get_ref()).ok_or_else(|| {
        let known: Vec<&str> = ends.iter().map(named).collect();
        Fault::new(name.span(), unknown("end", name.get_ref(), "the link has", &known))
    })
}

/// RFC 791: every host takes 68 octets, and no packet has more than 65,535.
fn mtu(said: Option<&Spanned<usize>>) -> Result<usize, Fault> {
    match said {
        None => Ok(1500),
        Some(mtu) if (68..=65_535).contains(mtu.get_ref()) => Ok(*mtu.get_ref()),
        Some(mtu) => Err(Fault::new(mtu.span(), "`mtu` is a number of octets from 68 to 65535")),
    }
}

/// What one direction says of itself, else what the link says of both, else nothing is done to packets.
fn pipe_config(
    name: &str,
    mtu: usize,
    both: &RawLink,
    own: &RawPipe,
    rules: Vec<LinkRule>,
) -> Result<PipeConfig<LinkRule>, Fault> {
    let span = |own: Option<Span>, both: Option<Span>| own.or(both).map(Span::duration).unwrap_or_default();
    let odds = |own: Option<Odds>, both: Option<Odds>| own.or(both).map_or(Probability::NEVER, |Odds(odds)| odds);
    let rate = own.rate.as_ref().or(both.rate.as_ref());
    if let Some(rate) = rate.filter(|rate| *rate.get_ref() == Rate(0)) {
        return Err(Fault::new(rate.span(), "`rate` is more than 0; leave it out for a link that is infinitely fast"));
    }
    Ok(PipeConfig {
        name: name.to_owned(),
        delay: span(own.delay, both.delay),
        jitter: span(own.jitter, both.jitter),
        rate: rate.map(|rate| rate.get_ref().0),
        queue: own.queue.as_ref().or(both.queue.as_ref()).map_or(Ok(QueueConfig::fifo(PACKETS)), queue)?,
        loss: odds(own.loss, both.loss),
        reorder: odds(own.reorder, both.reorder),
        reorder_by: own.reorder_by.or(both.reorder_by).unwrap_or(1),
        duplicate: odds(own.duplicate, both.duplicate),
        corrupt: odds(own.corrupt, both.corrupt),
        mtu,
        rules,
    })
}

fn queue(raw: &Spanned<RawQueue>) -> Result<QueueConfig, Fault> {
    let said = raw.get_ref();
    let wrong = |message| Err(Fault::new(raw.span(), message));
    let packets = said.packets.unwrap_or(PACKETS);
    if packets == 0 {
        return wrong("`queue` is at least 1: a packet waits there while it is sent");
    }
    let is_codel = said.discipline == RawDiscipline::Codel;
    if !is_codel && (said.target.is_some() || said.interval.is_some() || said.ecn.is_some()) {
        return wrong("`target`, `interval` and `ecn` are CoDel's; add `discipline = \"codel\"`, or take `mark_above`");
    }
    if is_codel && said.mark_above.is_some() {
        return wrong("`mark_above` is for a queue without CoDel; CoDel marks with `ecn = true`");
    }
    let discipline = match QueueConfig::codel(packets).discipline {
        Discipline::CoDel { target, interval, ecn } if is_codel => Discipline::CoDel {
            target: said.target.map_or(target, Span::duration),
            interval: said.interval.map_or(interval, Span::duration),
            ecn: said.ecn.unwrap_or(ecn),
        },
        Discipline::CoDel { .. } | Discipline::Fifo { .. } => Discipline::Fifo { mark_above: said.mark_above },
    };
    Ok(QueueConfig { packets, discipline })
}

/// Every rule's id with the node whose packets it watches; `rules` are those of the routers.
pub(super) fn rules(
    links: &[Spanned<RawLink>],
    nodes: &[Node],
    mut rules: Vec<(String, NodeId)>,
) -> Result<Vec<(String, NodeId)>, Fault> {
    for link in links {
        let raw = link.get_ref();
        for rule in &raw.rule {
            let ends = raw.between.get_ref().iter().map(|end| node_of(nodes, end)).collect::<Result<Vec<_>, _>>()?;
            let Ok(ends) = <[NodeId; 2]>::try_from(ends) else { continue };
            let from = end_of(&rule.from, ends, nodes)?;
            check_name("rule", &rule.id)?;
            unique("rule", rule.id.get_ref(), &rule.id.span(), rules.iter().map(|(id, _)| id.as_str()))?;
            rules.push((rule.id.get_ref().clone(), from));
        }
    }
    Ok(rules)
}

fn link_rule(text: &str, raw: &RawRule, names: &Names) -> Result<LinkRule, Fault> {
    let when = rule_filter(text, &raw.when, "a link", names)?;
    let nth = match &raw.nth {
        None => Vec::new(),
        Some(nth) => {
            let RawNth(numbers) = nth.get_ref();
            if numbers.is_empty() || numbers.contains(&0) {
                return Err(Fault::new(nth.span(), "`nth` counts from 1; leave it out to mean every match"));
            }
            numbers.clone()
        }
    };
    let action = match raw.action.get_ref() {
        RawAction::Drop => Action::Drop,
        RawAction::Duplicate => Action::Duplicate,
        RawAction::Corrupt => Action::Corrupt,
        RawAction::Delay(by) => Action::Delay(by.duration()),
        RawAction::Hold(0) => {
            return Err(Fault::new(raw.action.span(), "`hold` is at least 1: the number of packets that go ahead"));
        }
        RawAction::Hold(packets) => Action::Hold(*packets),
        RawAction::StripOption(option) => Action::StripOption(option.kind()),
        RawAction::BleachEcn => Action::BleachEcn,
    };
    Ok(LinkRule { id: raw.id.get_ref().clone(), when, nth, action })
}
