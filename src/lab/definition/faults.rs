//! From what is typed to what is meant: hidden faults, and what a request's time is made of.
//!
//! A fault is a variant as a break is one, but nobody is told which: a learner finds it. So it says what would be right to
//! say of it: its layer, its hop, and the packets that show it.

use serde::{Deserialize, Serialize};
use toml::Spanned;

use crate::check::{Check, INTEGRITY_IDS, Selected, Selection};

use super::claims::SETS_NOTHING;
use super::error::{Fault as Mistake, unknown};
use super::links::Link;
use super::meaning::{check_name, unique};
use super::raw::{RawLab, RawSelection};
use super::raw_faults::{RawFault, RawPhase};
use super::selections::Scope;

/// Where in the stack of protocols something goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Layer {
    /// What a link does to whatever it carries.
    Link,
    /// Addresses, routes, packet sizes.
    Ip,
    /// Connections, windows, retransmissions.
    Tcp,
    /// Names.
    Dns,
    /// Certificates and handshakes.
    Tls,
    /// Requests, responses, and what stands between.
    Http,
    /// The talk with a database.
    Database,
}

impl Layer {
    /// All of them, from the bottom up.
    pub const ALL: [Layer; 7] =
        [Layer::Link, Layer::Ip, Layer::Tcp, Layer::Dns, Layer::Tls, Layer::Http, Layer::Database];

    /// Its name in lab files and on the command line.
    pub const fn name(self) -> &'static str {
        match self {
            Layer::Link => "link",
            Layer::Ip => "ip",
            Layer::Tcp => "tcp",
            Layer::Dns => "dns",
            Layer::Tls => "tls",
            Layer::Http => "http",
            Layer::Database => "database",
        }
    }
}

/// A hidden variant of the lab.
#[derive(Clone, Debug)]
pub struct Fault {
    /// Its name, which a learner sees with the answer only.
    pub name: String,
    /// What is wrong, how that shows, and what would mend it.
    pub explains: String,
    /// The check of the lab as it is that fails under it.
    pub turns_red: String,
    /// Where it is.
    pub layer: Layer,
    /// Where it shows, too: whoever says that has looked at the right thing.
    pub shows_in: Vec<Layer>,
    /// The nodes and links where it is; any of them is right.
    pub hops: Vec<String>,
    /// Where it shows, too: nodes and links.
    pub shows_at: Vec<String>,
    /// The packets that show it, at the nodes that these name; any of them is right.
    pub packets: Vec<Selection>,
}

/// What the time of one request is made of.
#[derive(Clone, Debug)]
pub struct Budget {
    /// The request.
    pub name: String,
    /// Its phases in their order; the whole lasts from the beginning of the first to the end of the last.
    pub phases: Vec<Phase>,
}

/// A part of a request's time: from the first of one selection to the first of another.
#[derive(Clone, Debug)]
pub struct Phase {
    /// What it is called: `DNS`.
    pub name: String,
    /// Where it begins.
    pub from: Selection,
    /// Where it ends.
    pub to: Selection,
}

/// The lab's hidden faults; `links` and `checks` are what they may name.
pub(super) fn faults(scope: &Scope<'_>, raw: &RawLab, links: &[Link], checks: &[Check]) -> Result<Vec<Fault>, Mistake> {
    let mut faults: Vec<Fault> = Vec::new();
    for each in raw.fault.iter().map(Spanned::get_ref) {
        let taken = raw.breaks.iter().map(|other| other.get_ref().name.get_ref().as_str());
        let taken = taken.chain(faults.iter().map(|other| other.name.as_str()));
        check_name("fault", &each.name)?;
        unique("break or fault", each.name.get_ref(), &each.name.span(), taken)?;
        faults.push(fault(scope, each, links, checks)?);
    }
    Ok(faults)
}

fn fault(scope: &Scope<'_>, raw: &RawFault, links: &[Link], checks: &[Check]) -> Result<Fault, Mistake> {
    if raw.set.get_ref().is_empty() {
        return Err(Mistake::new(raw.set.span(), SETS_NOTHING));
    }
    let known: Vec<&str> = checks.iter().map(|check| check.id.as_str()).chain(INTEGRITY_IDS).collect();
    if !known.contains(&raw.turns_red.get_ref().as_str()) {
        let message = unknown("check", raw.turns_red.get_ref(), "the lab has", &known);
        return Err(Mistake::new(raw.turns_red.span(), message));
    }
    let places: Vec<&str> =
        scope.nodes.iter().map(|node| node.name.as_str()).chain(links.iter().map(|link| link.name.as_str())).collect();
    if let Some(stranger) =
        raw.hop.get_ref().iter().chain(&raw.shows_at).find(|hop| !places.contains(&hop.get_ref().as_str()))
    {
        let message = unknown("node or link", stranger.get_ref(), "the lab has", &places);
        return Err(Mistake::new(stranger.span(), message));
    }
    if raw.hop.get_ref().is_empty() {
        return Err(Mistake::new(
            raw.hop.span(),
            "`hop` names where the fault is: nodes or links of the lab, one or more",
        ));
    }
    let packets: Vec<Selection> =
        raw.packet.get_ref().iter().map(|each| on_the_wire(scope, each)).collect::<Result<_, _>>()?;
    if packets.is_empty() {
        return Err(Mistake::new(
            raw.packet.span(),
            "`packet` selects the packets that show the fault, at one node or more",
        ));
    }
    Ok(Fault {
        name: raw.name.get_ref().clone(),
        explains: raw.explains.clone(),
        turns_red: raw.turns_red.get_ref().clone(),
        layer: raw.layer,
        shows_in: raw.shows_in.clone(),
        hops: raw.hop.get_ref().iter().map(|hop| hop.get_ref().clone()).collect(),
        shows_at: raw.shows_at.iter().map(|hop| hop.get_ref().clone()).collect(),
        packets,
    })
}

/// A selection that captures alone can answer: whoever looks for a fault has nothing else.
fn on_the_wire(scope: &Scope<'_>, raw: &RawSelection) -> Result<Selection, Mistake> {
    let selection = scope.selection(raw)?;
    match selection.what {
        Selected::Packets(_) => Ok(selection),
        Selected::Rule { .. } | Selected::Events(_) => {
            Err(Mistake::new(raw.span(), "whoever looks for it has captures only; select packets by a filter"))
        }
    }
}

/// What the times of the lab's requests are made of.
pub(super) fn budgets(scope: &Scope<'_>, raw: &RawLab) -> Result<Vec<Budget>, Mistake> {
    let mut budgets: Vec<Budget> = Vec::new();
    for each in raw.budget.iter().map(Spanned::get_ref) {
        unique("budget", each.name.get_ref(), &each.name.span(), budgets.iter().map(|other| other.name.as_str()))?;
        if each.phases.get_ref().len() < 2 {
            return Err(Mistake::new(
                each.phases.span(),
                "`phases` are two or more, each with `name`, `from` and `to`",
            ));
        }
        let phase = |raw: &RawPhase| {
            Ok(Phase { name: raw.name.clone(), from: on_the_wire(scope, &raw.from)?, to: on_the_wire(scope, &raw.to)? })
        };
        let phases = each.phases.get_ref().iter().map(phase).collect::<Result<_, Mistake>>()?;
        budgets.push(Budget { name: each.name.get_ref().clone(), phases });
    }
    let columns = |budget: &Budget| budget.phases.iter().map(|phase| phase.name.clone()).collect::<Vec<_>>();
    if let Some(at) = budgets.windows(2).position(|pair| columns(&pair[0]) != columns(&pair[1])) {
        let span = raw.budget.get(at + 1).map(|each| each.get_ref().phases.span()).unwrap_or_default();
        return Err(Mistake::new(
            span,
            "all budgets stand in one table: their phases have the same names, in the same order",
        ));
    }
    Ok(budgets)
}
