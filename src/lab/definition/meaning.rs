//! From what is typed to what is meant: nodes, links, and the lab as a whole.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};
use std::ops::Range;

use toml::Spanned;

use crate::app::{Size, Span};
use crate::check::Integrity;
use crate::filter::Names;
use crate::journal::NodeId;
use crate::link::Action;
use crate::rng::Probability;
use crate::stack::TcpConfig;

use super::error::{Fault, unknown};
use super::raw::{Named, RawAction, RawKind, RawLab, RawLink, RawNode, RawNth, RawPipe, RawRule, RawTcp};
use super::selections::{Scope, node_of, parse_filter};
use super::values::{Odds, Rate, SpanOrOff};
use super::{Definition, Link, LinkRule, Node, NodeKind, PipeSettings, Source, claims, steps};

/// What the whole file means; `broken` is the break that was laid over it.
pub(super) fn definition(text: &str, raw: RawLab, broken: Option<&str>) -> Result<Definition, Fault> {
    let mut nodes = nodes(&raw.node)?;
    let ends = ends(&nodes, &raw.link)?;
    give_addresses(&mut nodes, &raw, &ends)?;
    let names = names(&nodes);
    let links: Vec<Link> = raw
        .link
        .iter()
        .zip(&ends)
        .map(|(raw, ends)| link(text, raw.get_ref(), *ends, &nodes, &names))
        .collect::<Result<_, _>>()?;
    let scope = Scope { text, nodes: &nodes, names, rules: rules(&raw.link, &nodes)?, select: &raw.select };
    scope.check_all()?;
    let steps = raw.step.iter().map(|step| steps::step(&scope, step.get_ref())).collect::<Result<_, _>>()?;
    let claims = claims::claims(&scope, &raw, broken)?;
    if *raw.minutes.get_ref() == 0 {
        return Err(Fault::new(raw.minutes.span(), "`minutes` is at least 1"));
    }
    check_id(&raw.id)?;
    Ok(Definition {
        id: raw.id.into_inner(),
        title: raw.title,
        minutes: raw.minutes.into_inner(),
        rfc: raw.rfc,
        seed: raw.seed,
        summary: raw.summary,
        integrity: Integrity { expects_resets: raw.resets },
        links,
        steps,
        checks: claims.checks,
        falsifiers: claims.falsifiers,
        predictions: claims.predictions,
        breaks: claims.breaks,
        broken: broken.map(str::to_owned),
        source: Source { file: String::new(), text: String::new() },
        nodes,
    })
}

/// Which addresses the nodes' names stand for.
pub(super) fn names(nodes: &[Node]) -> Names {
    let mut names = Names::default();
    for node in nodes {
        for (address, _) in &node.addresses {
            names.insert(node.name.clone(), *address);
        }
    }
    names
}

/// Longest `id`, which is also a folder's name.
const LONGEST_ID: usize = 64;

/// `20-rto-backoff`: two digits, then words, so that it can be named by its number.
fn check_id(id: &Spanned<String>) -> Result<(), Fault> {
    let (number, words) = id.get_ref().split_once('-').unwrap_or_default();
    let is_number = !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit());
    if is_number && is_name(words) && id.get_ref().len() <= LONGEST_ID {
        return Ok(());
    }
    let rule = format!("a number and a name in small letters, at most {LONGEST_ID} characters");
    Err(Fault::new(id.span(), format!("`id` is {rule}, such as `20-rto-backoff`")))
}

/// Whether it is made of small letters, digits and dashes only.
pub(super) fn is_name(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
}

/// Longest name of anything in a lab: names become files, columns of tables, and words of the command line.
const LONGEST_NAME: usize = 32;

/// Refuses a name that no file could bear, or that no column has room for.
pub(super) fn check_name(what: &str, name: &Spanned<String>) -> Result<(), Fault> {
    let text = name.get_ref();
    if is_name(text) && text.len() <= LONGEST_NAME && !text.starts_with('-') {
        return Ok(());
    }
    let mut found: String = text.chars().take(LONGEST_NAME).collect();
    if found.len() < text.len() {
        found.push('…');
    }
    let rule = format!("a {what}'s name is small letters, digits and dashes, at most {LONGEST_NAME} of them");
    Err(Fault::new(name.span(), format!("{rule}; found `{found}`")))
}

fn nodes(raw: &Named<RawNode>) -> Result<Vec<Node>, Fault> {
    if raw.is_empty() {
        return Err(Fault::new(0..0, "a lab has nodes; add a table `[node.client]` with `live = \"linux\"`"));
    }
    in_file_order(raw).into_iter().map(|(name, raw)| node(name, raw)).collect()
}

/// The entries of a table in the order in which the file names them.
fn in_file_order<T>(table: &Named<T>) -> Vec<(&Spanned<String>, &T)> {
    let mut entries: Vec<_> = table.iter().collect();
    entries.sort_by_key(|(name, _)| name.span().start);
    entries
}

fn node(name: &Spanned<String>, raw: &RawNode) -> Result<Node, Fault> {
    check_name("node", name)?;
    if let Some(sim) = raw.sim.as_ref().filter(|sim| *sim.get_ref() == RawKind::Linux) {
        return Err(Fault::new(sim.span(), "there is no kernel in a simulation; expected `sim = \"stack\"`"));
    }
    let addresses = raw.addresses.iter().map(address).collect::<Result<_, _>>()?;
    let live = match raw.live {
        RawKind::Linux => NodeKind::Linux,
        RawKind::Stack => NodeKind::Stack,
    };
    Ok(Node { name: name.get_ref().clone(), live, addresses, tcp: tcp(&raw.tcp), sysctls: sysctls(&raw.sysctl)? })
}

fn address(text: &Spanned<String>) -> Result<(IpAddr, u8), Fault> {
    let wrong = || {
        let message =
            format!("expected an address with its prefix such as \"10.0.0.1/24\"; found \"{}\"", text.get_ref());
        Fault::new(text.span(), message)
    };
    let (address, prefix) = text.get_ref().split_once('/').ok_or_else(wrong)?;
    let address: IpAddr = address.parse().map_err(|_| wrong())?;
    let prefix: u8 = prefix.parse().map_err(|_| wrong())?;
    let longest = if address.is_ipv4() { 32 } else { 128 };
    if prefix > longest { Err(wrong()) } else { Ok((address, prefix)) }
}

fn tcp(raw: &RawTcp) -> TcpConfig {
    let default = TcpConfig::default();
    let octets = |size: Option<Size>, default: usize| {
        size.map_or(default, |size| usize::try_from(size.octets()).unwrap_or(usize::MAX))
    };
    let or_off = |said: Option<SpanOrOff>, default| said.map_or(default, |SpanOrOff(span)| span.map(Span::duration));
    TcpConfig {
        send_buffer: octets(raw.send_buffer, default.send_buffer),
        receive_buffer: octets(raw.receive_buffer, default.receive_buffer),
        no_delay: raw.no_delay.unwrap_or(default.no_delay),
        delayed_ack: or_off(raw.delayed_ack, default.delayed_ack),
        user_timeout: or_off(raw.user_timeout, default.user_timeout),
        keep_alive: or_off(raw.keep_alive, default.keep_alive),
        congestion: raw.congestion.unwrap_or(default.congestion),
        sack: raw.sack.unwrap_or(default.sack),
        timestamps: raw.timestamps.unwrap_or(default.timestamps),
        rack: raw.rack.unwrap_or(default.rack),
        tail_loss_probe: raw.tail_loss_probe.unwrap_or(default.tail_loss_probe),
        f_rto: raw.f_rto.unwrap_or(default.f_rto),
        ecn: raw.ecn.unwrap_or(default.ecn),
        ..default
    }
}

/// Only a network namespace's own settings: a lab must not reach the rest of the machine.
fn sysctls(raw: &Named<super::raw::RawSysctl>) -> Result<BTreeMap<String, String>, Fault> {
    for name in raw.keys() {
        let text = name.get_ref();
        if !text.starts_with("net.") || text.contains("..") || text.contains('/') {
            let message = format!("expected a setting of the network such as `net.ipv4.tcp_sack`; found `{text}`");
            return Err(Fault::new(name.span(), message));
        }
    }
    Ok(raw.iter().map(|(name, value)| (name.get_ref().clone(), value.0.clone())).collect())
}

/// The two ends of each link. Every node has exactly one link for now: a host has one interface.
fn ends(nodes: &[Node], links: &[Spanned<RawLink>]) -> Result<Vec<[NodeId; 2]>, Fault> {
    let mut linked: Vec<NodeId> = Vec::new();
    let mut all = Vec::new();
    for link in links {
        let between = &link.get_ref().between;
        let [one, other] = between.get_ref().as_slice() else {
            return Err(Fault::new(between.span(), "`between` names two nodes, such as [\"client\", \"server\"]"));
        };
        for end in [one, other] {
            let node = node_of(nodes, end)?;
            if linked.contains(&node) {
                let message = format!("node `{}` has a link already; for now a node has exactly one", end.get_ref());
                return Err(Fault::new(end.span(), message));
            }
            linked.push(node);
        }
        all.push([node_of(nodes, one)?, node_of(nodes, other)?]);
    }
    match (0..).map(NodeId).zip(nodes).find(|(id, _)| !linked.contains(id)) {
        None => Ok(all),
        Some((_, node)) => {
            let message = format!("node `{}` has no link; name it in the `between` of a [[link]]", node.name);
            Err(Fault::new(links.last().map_or(0..0, Spanned::span), message))
        }
    }
}

/// Nodes that name no address get 10.0.LINK.1/24 and .2, both counted in the file's order, links from 0.
fn give_addresses(nodes: &mut [Node], raw: &RawLab, ends: &[[NodeId; 2]]) -> Result<(), Fault> {
    for (link, ends) in (0_u8..=255).zip(ends) {
        for (host, id) in (1_u8..).zip(ends) {
            if let Some(node) = nodes.get_mut(usize::from(id.0)).filter(|node| node.addresses.is_empty()) {
                node.addresses.push((IpAddr::V4(Ipv4Addr::new(10, 0, link, host)), 24));
            }
        }
    }
    let mut owners: BTreeMap<IpAddr, &str> = BTreeMap::new();
    for node in nodes.iter() {
        for (address, _) in &node.addresses {
            if let Some(owner) = owners.insert(*address, &node.name) {
                let key = raw.node.keys().find(|key| *key.get_ref() == node.name);
                let message = format!("node `{}` has the address {address}, which is `{owner}`'s", node.name);
                return Err(Fault::new(key.map_or(0..0, Spanned::span), message));
            }
        }
    }
    Ok(())
}

fn link(text: &str, raw: &RawLink, ends: [NodeId; 2], nodes: &[Node], names: &Names) -> Result<Link, Fault> {
    let name_of = |id: NodeId| nodes.get(usize::from(id.0)).map_or("", |node| node.name.as_str());
    for key in raw.from.keys() {
        end_of(key, ends, nodes)?;
    }
    let mtu = mtu(raw.mtu.as_ref())?;
    let pipe = |end: NodeId| {
        let own = raw.from.iter().find(|(name, _)| name.get_ref() == name_of(end)).map(|(_, pipe)| pipe);
        let rules = raw.rule.iter().filter(|rule| rule.from.get_ref() == name_of(end));
        let rules = rules.map(|rule| link_rule(text, rule, names)).collect::<Result<_, _>>()?;
        pipe_settings(raw, own.unwrap_or(&RawPipe::default()), rules)
    };
    Ok(Link {
        name: format!("{}-{}", name_of(ends[0]), name_of(ends[1])),
        ends,
        mtu,
        pipes: [pipe(ends[0])?, pipe(ends[1])?],
    })
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
fn pipe_settings(both: &RawLink, own: &RawPipe, rules: Vec<LinkRule>) -> Result<PipeSettings, Fault> {
    let span = |own: Option<Span>, both: Option<Span>| own.or(both).map(Span::duration).unwrap_or_default();
    let odds = |own: Option<Odds>, both: Option<Odds>| own.or(both).map_or(Probability::NEVER, |Odds(odds)| odds);
    let rate = own.rate.as_ref().or(both.rate.as_ref());
    if let Some(rate) = rate.filter(|rate| *rate.get_ref() == Rate(0)) {
        return Err(Fault::new(rate.span(), "`rate` is more than 0; leave it out for a link that is infinitely fast"));
    }
    let queue = own.queue.as_ref().or(both.queue.as_ref());
    if let Some(queue) = queue.filter(|queue| *queue.get_ref() == 0) {
        return Err(Fault::new(queue.span(), "`queue` is at least 1: a packet waits there while it is sent"));
    }
    Ok(PipeSettings {
        delay: span(own.delay, both.delay),
        jitter: span(own.jitter, both.jitter),
        rate: rate.map(|rate| rate.get_ref().0),
        queue: queue.map_or(1000, |queue| *queue.get_ref()),
        loss: odds(own.loss, both.loss),
        reorder: odds(own.reorder, both.reorder),
        reorder_by: own.reorder_by.or(both.reorder_by).unwrap_or(1),
        duplicate: odds(own.duplicate, both.duplicate),
        corrupt: odds(own.corrupt, both.corrupt),
        rules,
    })
}

/// Every rule's id with the node whose packets it watches.
fn rules(links: &[Spanned<RawLink>], nodes: &[Node]) -> Result<Vec<(String, NodeId)>, Fault> {
    let mut rules: Vec<(String, NodeId)> = Vec::new();
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

/// Refuses a name that is taken.
pub(super) fn unique<'a>(
    what: &str,
    name: &str,
    span: &Range<usize>,
    mut taken: impl Iterator<Item = &'a str>,
) -> Result<(), Fault> {
    if taken.any(|other| other == name) {
        return Err(Fault::new(
            span.clone(),
            format!("there is a {what} `{name}` already; give this one another name"),
        ));
    }
    Ok(())
}

fn link_rule(text: &str, raw: &RawRule, names: &Names) -> Result<LinkRule, Fault> {
    let when = parse_filter(text, raw.when.get_ref(), &raw.when.span(), names)?;
    if when.is_about_events() {
        return Err(Fault::new(raw.when.span(), "a link sees packets only; `when` cannot ask about events"));
    }
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
    };
    Ok(LinkRule { id: raw.id.get_ref().clone(), when, nth, action })
}
