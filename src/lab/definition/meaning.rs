//! From what is typed to what is meant: the lab as a whole, and what names may be.

use std::ops::Range;

use toml::Spanned;

use crate::check::Integrity;
use crate::filter::Names;
use crate::stack::StackKind;

use super::error::Fault;
use super::nodes::Node;
use super::overlay::Variant;
use super::raw::{Named, RawLab, RawStack};
use super::selections::Scope;
use super::{Definition, Source, claims, faults, links, nodes, routers, routes, sound, steps, topology};

/// What the whole file means; `variants` were laid over it.
pub(super) fn definition(text: &str, raw: RawLab, variants: &[Variant<'_>]) -> Result<Definition, Fault> {
    let broken = variants.iter().find_map(|variant| variant.of_break());
    let mut nodes = nodes::nodes(&raw)?;
    let mtus = links::mtus(&raw.link)?;
    let ends = topology::link_up(&mut nodes, &raw.link, &mtus)?;
    topology::check_links(&nodes, &raw, &ends)?;
    let segments = topology::segments(&nodes, &ends);
    topology::give_addresses(&mut nodes, &raw, &ends, &segments)?;
    routes::find(&mut nodes, &raw, &segments)?;
    let names = names(&nodes);
    let of_routers = routers::routers(text, &raw, &mut nodes, &names)?;
    let links = links::links(text, &raw.link, &ends, &nodes, &names)?;
    let rules = links::rules(&raw.link, &nodes, of_routers)?;
    let scope = Scope { text, nodes: &nodes, names, rules, select: &raw.select };
    let selections = scope.named()?;
    let steps = raw.step.iter().map(|step| steps::step(&scope, step.get_ref())).collect::<Result<_, _>>()?;
    sound::check(&scope, &raw, &segments, variants)?;
    let resolver = raw.resolver.as_ref().map(|name| scope.host(name)).transpose()?;
    let claims = claims::claims(&scope, &raw, broken)?;
    let faults = faults::faults(&scope, &raw, &links, &claims.checks)?;
    let budgets = faults::budgets(&scope, &raw)?;
    if *raw.minutes.get_ref() == 0 {
        return Err(Fault::new(raw.minutes.span(), "`minutes` is at least 1: what a learner needs"));
    }
    check_id(&raw.id)?;
    Ok(Definition {
        id: raw.id.into_inner(),
        title: raw.title,
        minutes: raw.minutes.into_inner(),
        rfc: raw.rfc,
        seed: raw.seed,
        summary: raw.summary,
        stacks: stacks(raw.stacks.as_ref())?,
        integrity: Integrity { expects_resets: raw.resets, expects_strays: raw.strays },
        links,
        resolver,
        steps,
        checks: claims.checks,
        falsifiers: claims.falsifiers,
        predictions: claims.predictions,
        selections,
        breaks: claims.breaks,
        broken: broken.map(str::to_owned),
        faults,
        hidden: variants.iter().find_map(|variant| variant.of_fault()).map(str::to_owned),
        budgets,
        source: Source { file: String::new(), text: String::new() },
        nodes,
    })
}

/// The stacks that the claims are about; without a word about it, all of them.
fn stacks(said: Option<&Spanned<Vec<RawStack>>>) -> Result<Vec<StackKind>, Fault> {
    let Some(said) = said else { return Ok(vec![StackKind::Native, StackKind::Smoltcp]) };
    if !said.get_ref().contains(&RawStack::Native) {
        return Err(Fault::new(
            said.span(),
            "`stacks` lacks `native`, on which every lab runs unless told otherwise; add it",
        ));
    }
    Ok(said.get_ref().iter().copied().map(StackKind::from).collect())
}

impl From<RawStack> for StackKind {
    fn from(stack: RawStack) -> StackKind {
        match stack {
            RawStack::Native => StackKind::Native,
            RawStack::Smoltcp => StackKind::Smoltcp,
        }
    }
}

/// Which addresses the nodes' names stand for.
pub(super) fn names(nodes: &[Node]) -> Names {
    let mut names = Names::default();
    for node in nodes {
        for (address, _) in node.addresses() {
            names.insert(node.name.clone(), address);
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

/// The entries of a table in the order in which the file names them.
pub(super) fn in_file_order<T>(table: &Named<T>) -> Vec<(&Spanned<String>, &T)> {
    let mut entries: Vec<_> = table.iter().collect();
    entries.sort_by_key(|(name, _)| name.span().start);
    entries
}
