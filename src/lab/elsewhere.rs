//! Captures made elsewhere: with another tool, on another machine. Whose addresses are those, and where was it captured?
//!
//! A capture tells neither. What the caller says counts first; then what the file says of itself; then what follows from
//! who speaks first: the lab's own simulation shows which node that is. What does not live here: reading files, and
//! judging (`check`).

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Duration;

use super::run::evidence;
use super::{Definition, LabError, Mode, Options, Wanted, run};
use crate::capture::{Direction, Record};
use crate::check::{Clock, Evidence, NodeSource, Verdict};
use crate::journal::NodeId;
use crate::packet::Dissection;
use crate::time::Instant;

/// A capture, and what is known of it.
#[derive(Clone, Debug, Default)]
pub struct Foreign {
    /// Its packets, in the file's order; times count from one moment for all files.
    pub records: Vec<Record>,
    /// Packets that come after those.
    pub not_kept: u64,
    /// What the file's name is, without its extension.
    pub name: String,
    /// Names that the file gives to addresses.
    pub names: Vec<(IpAddr, String)>,
    /// The node where it was made, if the caller says so.
    pub at: Option<NodeId>,
}

/// What was found out, and a sentence about how.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Guess<T> {
    /// What.
    pub value: T,
    /// How: `as its name says`.
    pub why: &'static str,
}

/// Which node has which addresses.
pub type Addresses = BTreeMap<String, Vec<IpAddr>>;

/// Who has which addresses in these captures. `said`: what the caller knows already.
///
/// # Errors
/// A sentence: the captures do not tell, and the caller has to.
pub fn addresses(lab: &Definition, captures: &[Foreign], said: &Addresses) -> Result<Guess<Addresses>, String> {
    let ends: Vec<Talk> = captures.iter().flat_map(|capture| &capture.records).filter_map(Talk::of).collect();
    if ends.is_empty() {
        return Err("there is no IP packet in it".to_owned());
    }
    if !said.is_empty() {
        return Ok(Guess { value: said.clone(), why: "as you say" });
    }
    let mut named = Addresses::new();
    for (address, name) in captures.iter().flat_map(|capture| &capture.names) {
        if is_host(lab, name) {
            let addresses = named.entry(name.clone()).or_default();
            if !addresses.contains(address) {
                addresses.push(*address);
            }
        }
    }
    if !named.is_empty() {
        return Ok(Guess { value: named, why: "as the file names them" });
    }
    let of_lab = lab.names();
    if ends.iter().any(|talk| of_lab.name_of(talk.from).is_some() && of_lab.name_of(talk.to).is_some()) {
        return Ok(Guess { value: Addresses::new(), why: "the lab's own addresses" });
    }
    let unsure = |what: &str| {
        let names: Vec<String> = lab.nodes.iter().map(|node| format!("--node {}=ADDRESS", node.name)).collect();
        format!("{what}; say whose addresses these are with {}", names.join(" "))
    };
    let (opener, other, kind) =
        first_talk(lab).ok_or_else(|| unsure("the lab's simulation does not tell who speaks first"))?;
    let begins = ends.iter().find(|talk| talk.kind == kind).ok_or_else(|| unsure(kind.missing()))?;
    let value = Addresses::from([(opener, vec![begins.from]), (other, vec![begins.to])]);
    Ok(Guess { value, why: kind.reason() })
}

/// Whether a host of the lab is called so. What stands between hosts keeps the lab's addresses: a file does not tell at
/// which of its links a router has which.
fn is_host(lab: &Definition, name: &str) -> bool {
    lab.nodes.iter().any(|node| node.name == name && node.host().is_some())
}

/// Where a capture was made; `lab` has the addresses that are in it.
pub fn vantage(lab: &Definition, capture: &Foreign) -> Guess<NodeId> {
    if let Some(value) = capture.at {
        return Guess { value, why: "as you say" };
    }
    let nodes = || (0..).map(NodeId).zip(&lab.nodes);
    if let Some((value, _)) = nodes().find(|(_, node)| capture.name.to_lowercase().contains(&node.name)) {
        return Guess { value, why: "as its name says" };
    }
    let names = lab.names();
    let node_of = |address: IpAddr| names.name_of(address).and_then(|name| lab.node(name));
    let sent = capture.records.iter().filter(|record| record.direction == Direction::Out).filter_map(Talk::of);
    if let Some(value) = sent.filter_map(|talk| node_of(talk.from)).next() {
        return Guess { value, why: "by the packets that it marks as sent" };
    }
    by_handshake(capture, node_of).map_or(Guess { value: NodeId(0), why: "for want of a better sign" }, |value| Guess {
        value,
        why: "by the times of the first handshake",
    })
}

/// Where the SYN,ACK comes at once, its sender is near; where the ACK does, the other.
fn by_handshake(capture: &Foreign, node_of: impl Fn(IpAddr) -> Option<NodeId>) -> Option<NodeId> {
    let mut steps: Vec<(Instant, Talk)> = Vec::new();
    for record in &capture.records {
        let Some(talk) =
            Talk::of(record).filter(|talk| talk.kind == [Kind::Syn, Kind::SynAck, Kind::Segment][steps.len()])
        else {
            continue;
        };
        steps.push((record.at, talk));
        if steps.len() == 3 {
            break;
        }
    }
    let [(syn, talk), (syn_ack, _), (ack, _)] = steps.as_slice() else { return None };
    let (there, back) = (syn_ack.since(*syn), ack.since(*syn_ack));
    node_of(if there >= back { talk.from } else { talk.to })
}

/// Holds the lab's claims against captures. Each stands at its node; the rest, and the journal, are not there.
///
/// # Errors
/// When the addresses cannot be those of the lab's nodes.
pub fn judge(
    lab: &Definition,
    addresses: &Addresses,
    captures: &[(NodeId, &Foreign)],
) -> Result<Vec<Verdict>, LabError> {
    let lab = lab.with_addresses(addresses)?;
    Ok(evidence::judge(&lab, &seen(&lab, captures)))
}

/// What these captures say; `lab` has the addresses that are in them.
pub fn seen<'a>(lab: &'a Definition, captures: &[(NodeId, &'a Foreign)]) -> Evidence<'a> {
    let at = |id: NodeId| captures.iter().find(|(node, _)| *node == id).map(|(_, capture)| *capture);
    let nodes: Vec<NodeSource<'_>> = (0..)
        .map(NodeId)
        .zip(&lab.nodes)
        .map(|(id, node)| NodeSource {
            name: &node.name,
            records: at(id).map(|capture| capture.records.as_slice()),
            not_kept: at(id).map_or(0, |capture| capture.not_kept),
        })
        .collect();
    let ended = captures.iter().filter_map(|(_, capture)| capture.records.last()).map(|record| record.at).max();
    let links = evidence::links(lab);
    // Somebody else's clock is never exact.
    Evidence::new(&nodes, &links, None, ended.unwrap_or(Instant::ZERO), Clock::Wall)
}

/// What a packet is, as far as it tells who speaks first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Syn,
    SynAck,
    Segment,
    Datagram,
    Other,
}

impl Kind {
    const fn missing(self) -> &'static str {
        match self {
            Kind::Syn => "no SYN is in it, so nobody can be seen to speak first",
            Kind::SynAck | Kind::Segment | Kind::Datagram | Kind::Other => {
                "the packet that begins this lab is not in it"
            }
        }
    }

    const fn reason(self) -> &'static str {
        match self {
            Kind::Syn => "by who sends the first SYN",
            Kind::Datagram => "by who sends the first datagram",
            Kind::SynAck | Kind::Segment | Kind::Other => "by who sends the first packet",
        }
    }
}

/// Who says what to whom.
#[derive(Clone, Copy, Debug)]
struct Talk {
    from: IpAddr,
    to: IpAddr,
    kind: Kind,
}

impl Talk {
    fn of(record: &Record) -> Option<Talk> {
        let dissection = Dissection::of(record.medium, &record.bytes, record.wire_len);
        let (from, to) = dissection.addresses()?;
        let kind = match (dissection.tcp(), dissection.udp()) {
            (Some(tcp), _) if tcp.flags.syn() && tcp.flags.ack() => Kind::SynAck,
            (Some(tcp), _) if tcp.flags.syn() => Kind::Syn,
            (Some(_), _) => Kind::Segment,
            (None, Some(_)) => Kind::Datagram,
            (None, None) => Kind::Other,
        };
        Some(Talk { from, to, kind })
    }
}

/// Which node speaks first in the lab's simulation, to whom, and what.
fn first_talk(lab: &Definition) -> Option<(String, String, Kind)> {
    let finished = run(lab, &Options { wanted: Wanted::Only(Mode::Sim), ..Options::default() }).ok()?;
    let names = lab.names();
    let first = (0..).map(NodeId).take(lab.nodes.len()).filter_map(|node| {
        let records = finished.recorder.records(node).iter().filter(|record| record.direction == Direction::Out);
        records.filter_map(|record| Talk::of(record).map(|talk| (record.at, talk))).next()
    });
    let (_, talk) = first.min_by_key(|(at, _)| *at)?;
    let name = |address| names.name_of(address).map(str::to_owned);
    Some((name(talk.from)?, name(talk.to)?, talk.kind))
}

/// Moves every packet by the same span, so that several files count from one moment.
pub fn shift(records: &mut [Record], by: Duration) {
    for record in records {
        record.at += by;
    }
}
