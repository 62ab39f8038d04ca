//! What selections mean: names, filters, nodes, with the place of whatever is wrong in them.

use std::collections::BTreeMap;
use std::ops::Range;

use toml::Spanned;

use crate::check::{Only, Selected, Selection};
use crate::filter::{Filter, FilterError, Names};
use crate::journal::NodeId;

use super::Node;
use super::error::{Fault, did_you_mean, unknown};
use super::raw::{Named, RawOnly, RawSelection, RawSelectionTable, SelectionShape};

/// What names may mean in a lab: nodes, rules, selections.
pub(super) struct Scope<'l> {
    /// The text of the file.
    pub(super) text: &'l str,
    pub(super) nodes: &'l [Node],
    pub(super) names: Names,
    /// Each link rule's id with the node whose packets it watches.
    pub(super) rules: Vec<(String, NodeId)>,
    pub(super) select: &'l Named<RawSelection>,
}

/// A selection may name a selection, but not for ever.
const DEEPEST: usize = 8;

impl Scope<'_> {
    /// The node of this name.
    pub(super) fn node(&self, name: &Spanned<String>) -> Result<NodeId, Fault> {
        node_of(self.nodes, name)
    }

    /// The host of this name: programs run on it, and connections lead to it.
    pub(super) fn host(&self, name: &Spanned<String>) -> Result<NodeId, Fault> {
        let id = self.node(name)?;
        let is_host = self.nodes.get(usize::from(id.0)).is_some_and(|node| node.host().is_some());
        let complaint = || format!("`{}` passes packets on and runs no programs; name a host", name.get_ref());
        is_host.then_some(id).ok_or_else(|| Fault::new(name.span(), complaint()))
    }

    /// A filter, its errors told where they are in the file.
    pub(super) fn filter(&self, filter: &Spanned<String>) -> Result<Filter, Fault> {
        parse_filter(self.text, filter.get_ref(), &filter.span(), &self.names)
    }

    /// Every selection that has a name.
    pub(super) fn named(&self) -> Result<BTreeMap<String, Selection>, Fault> {
        let named = |(name, raw): (&Spanned<String>, &RawSelection)| {
            let selection = self.selection(raw)?;
            Ok((name.get_ref().clone(), Selection { name: name.get_ref().clone(), ..selection }))
        };
        self.select.iter().map(named).collect()
    }

    /// What a selection means.
    pub(super) fn selection(&self, raw: &RawSelection) -> Result<Selection, Fault> {
        self.resolve(raw, DEEPEST)
    }

    fn resolve(&self, raw: &RawSelection, depth: usize) -> Result<Selection, Fault> {
        match raw.get_ref() {
            SelectionShape::Text(text) => self.text_selection(text, &raw.span(), depth),
            SelectionShape::Table(table) => self.table_selection(table, &raw.span(), depth),
        }
    }

    /// A text is the name of a selection, the id of a rule, or a filter, in this order.
    fn text_selection(&self, text: &str, span: &Range<usize>, depth: usize) -> Result<Selection, Fault> {
        if let Some(named) = self.select.get(text) {
            let Some(depth) = depth.checked_sub(1) else {
                return Err(Fault::new(
                    span.clone(),
                    format!("selection `{text}` names itself, directly or not; write a filter there"),
                ));
            };
            return Ok(Selection { name: text.to_owned(), ..self.resolve(named, depth)? });
        }
        if let Some((id, from)) = self.rules.iter().find(|(id, _)| id == text) {
            return Ok(plain(text, Selected::Rule { id: id.clone(), from: *from }));
        }
        let filter = parse_filter(self.text, text, span, &self.names).map_err(|fault| self.or_a_name(text, fault))?;
        let what = if filter.is_about_events() { Selected::Events(filter) } else { Selected::Packets(filter) };
        Ok(plain(text, what))
    }

    /// A single word that is no filter was probably meant to be a name.
    fn or_a_name(&self, text: &str, fault: Fault) -> Fault {
        let is_word = text.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_');
        if !is_word {
            return fault;
        }
        let known: Vec<&str> = self
            .select
            .keys()
            .map(|key| key.get_ref().as_str())
            .chain(self.rules.iter().map(|(id, _)| id.as_str()))
            .collect();
        let suggestion = did_you_mean(text, known);
        Fault { message: format!("`{text}` is no selection, no rule and no filter{suggestion}"), ..fault }
    }

    fn table_selection(
        &self,
        table: &RawSelectionTable,
        span: &Range<usize>,
        depth: usize,
    ) -> Result<Selection, Fault> {
        let (source, mut selection) = match (&table.packets, &table.events, &table.of) {
            (Some(filter), None, None) => {
                (filter, plain(filter.get_ref(), Selected::Packets(self.about_packets(filter)?)))
            }
            (None, Some(filter), None) => {
                (filter, plain(filter.get_ref(), Selected::Events(self.about_events(filter)?)))
            }
            (None, None, Some(name)) => (name, self.text_selection(name.get_ref(), &name.span(), depth)?),
            _ => {
                let expected = "a selection has exactly one of `packets`, `events` and `of`";
                return Err(Fault::new(span.clone(), expected));
            }
        };
        if let Some(at) = &table.at {
            selection.at = Some(self.node(at)?);
        }
        selection.only = only(table.only, selection.only);
        if selection.only != Only::All && !matches!(selection.what, Selected::Packets(_)) {
            return Err(Fault::new(source.span(), "`only` narrows packets, and this selects something else"));
        }
        if let Some(nth) = &table.nth {
            if *nth.get_ref() == 0 {
                return Err(Fault::new(nth.span(), "`nth` counts from 1, or from the end: -1 is the last"));
            }
            selection.nth = Some(*nth.get_ref());
        }
        Ok(selection)
    }

    fn about_events(&self, text: &Spanned<String>) -> Result<Filter, Fault> {
        let filter = self.filter(text)?;
        if !filter.is_about_events() {
            return Err(Fault::new(text.span(), "`events` asks nothing of events here; write `packets = …`"));
        }
        Ok(filter)
    }

    fn about_packets(&self, text: &Spanned<String>) -> Result<Filter, Fault> {
        let filter = self.filter(text)?;
        if filter.is_about_events() {
            return Err(Fault::new(text.span(), "`packets` is about events here; write `events = …`"));
        }
        Ok(filter)
    }
}

fn plain(name: &str, what: Selected) -> Selection {
    Selection { name: name.to_owned(), what, at: None, only: Only::All, nth: None }
}

/// What a table says, or else what the selection it builds on says.
fn only(said: RawOnly, inherited: Only) -> Only {
    match said {
        RawOnly::All => inherited,
        RawOnly::Repeats => Only::Repeats,
        RawOnly::Originals => Only::Originals,
        RawOnly::Dropped => Only::Dropped,
    }
}

/// The node of this name.
pub(super) fn node_of(nodes: &[Node], name: &Spanned<String>) -> Result<NodeId, Fault> {
    let found = (0..).map(NodeId).zip(nodes).find(|(_, node)| node.name == *name.get_ref());
    found.map(|(id, _)| id).ok_or_else(|| {
        let known: Vec<&str> = nodes.iter().map(|node| node.name.as_str()).collect();
        Fault::new(name.span(), unknown("node", name.get_ref(), "the lab has", &known))
    })
}

/// A filter that stands at `span` of the file.
pub(super) fn parse_filter(file: &str, text: &str, span: &Range<usize>, names: &Names) -> Result<Filter, Fault> {
    Filter::parse(text, names).map_err(|error| bad_filter(file, span, &error))
}

/// The filter of a rule, which sees single packets; `seer` is who has the rule.
pub(super) fn rule_filter(file: &str, text: &Spanned<String>, seer: &str, names: &Names) -> Result<Filter, Fault> {
    let filter = Filter::parse_for_single_packets(text.get_ref(), names)
        .map_err(|error| bad_filter(file, &text.span(), &error))?;
    if filter.is_about_events() {
        return Err(Fault::new(text.span(), format!("{seer} sees packets only; `when` cannot ask about events")));
    }
    Ok(filter)
}

fn bad_filter(file: &str, span: &Range<usize>, error: &FilterError) -> Fault {
    Fault {
        at: place_in_string(file, span, error.column.saturating_sub(1)),
        message: format!("bad filter: {}", error.message),
    }
}

/// The octet of the file where the `nth` character (from 0) of the TOML string at `span` stands.
///
/// It skips the opening quotes and counts an escape such as `\"` as one character. A string that was put together
/// otherwise (by a break, or over several lines) is shown at its beginning.
fn place_in_string(file: &str, span: &Range<usize>, nth: usize) -> usize {
    let Some(raw) = file.get(span.clone()) else { return span.start };
    let Some(quote) = raw.chars().next().filter(|c| matches!(c, '"' | '\'')) else { return span.start };
    if raw.starts_with("\"\"\"") || raw.starts_with("'''") {
        return span.start;
    }
    let mut left = nth;
    let mut characters = raw.char_indices().skip(1);
    while let Some((offset, character)) = characters.next() {
        if left == 0 {
            return span.start + offset;
        }
        left -= 1;
        if character == '\\' && quote == '"' {
            let digits = match characters.next() {
                Some((_, 'u')) => 4,
                Some((_, 'U')) => 8,
                Some((_, 'x')) => 2,
                Some(_) | None => 0,
            };
            characters.by_ref().take(digits).for_each(drop);
        }
    }
    span.start
}
