//! Variants: paths of a lab file set to other values, before any of it is read.
//!
//! ```text
//!   node.server.tcp.receive_buffer            a table's field
//!   link.client-server.rule.lose-it.nth       an array's element by its id, its name, or the nodes of a link
//!   step.2.run.send.bytes                     an array's element by its place, from 1
//!   node.server.sysctl."net.ipv4.tcp_sack"    a name with dots in quotes
//! ```
//!
//! The value keeps its place in the file, so what is wrong with it is told where the variant says it.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::ops::Range;

use toml::Spanned;
use toml::de::{DeArray, DeTable, DeValue};

use super::error::{Fault, unknown};

/// Tables that a file may leave out and a break may still reach into.
const OPTIONAL_TABLES: [&str; 6] = ["tcp", "sysctl", "from", "addresses", "routes", "nat"];

/// What is laid over the document.
#[derive(Clone, Copy, Debug)]
pub(super) enum Variant<'n> {
    /// The break of this name.
    Break(&'n str),
    /// The hidden fault of this name.
    Fault(&'n str),
    /// What falsifies the check of this id.
    Falsifier(&'n str),
    /// Other addresses for these nodes.
    Addresses(&'n BTreeMap<String, Vec<IpAddr>>),
}

impl<'n> Variant<'n> {
    /// The name of a break.
    pub(super) fn of_break(&self) -> Option<&'n str> {
        match self {
            Variant::Break(name) => Some(name),
            Variant::Fault(_) | Variant::Falsifier(_) | Variant::Addresses(_) => None,
        }
    }

    /// The name of a hidden fault.
    pub(super) fn of_fault(&self) -> Option<&'n str> {
        match self {
            Variant::Fault(name) => Some(name),
            Variant::Break(_) | Variant::Falsifier(_) | Variant::Addresses(_) => None,
        }
    }
}

/// Lays `variant` over the document; one that the document does not have changes nothing.
pub(super) fn apply(root: &mut DeTable<'_>, variant: Variant<'_>) -> Result<(), Fault> {
    match variant {
        Variant::Break(name) => lay(root, "break", name),
        Variant::Fault(name) => lay(root, "fault", name),
        Variant::Addresses(nodes) => nodes.iter().try_for_each(|(name, addresses)| give(root, name, addresses)),
        Variant::Falsifier(check) => {
            let expect = element(root, "expect", "id", check);
            let Some(falsifier) = expect.and_then(|expect| table_in(expect, "falsified_by")).cloned() else {
                return Ok(());
            };
            for kind in ["break", "fault"] {
                if let Some(name) = text_of(&falsifier, kind) {
                    return lay(root, kind, name);
                }
            }
            // A rule is taken away later: until then selections may name it.
            table_in(&falsifier, "set").map_or(Ok(()), |set| put_all(root, set.clone()))
        }
    }
}

/// Gives a node these addresses, each a network of its own: whoever asks for that has packets already, and routes none.
fn give(root: &mut DeTable<'_>, name: &str, addresses: &[IpAddr]) -> Result<(), Fault> {
    let mut array = DeArray::new();
    for address in addresses {
        let prefix = if address.is_ipv4() { 32 } else { 128 };
        array.push(Spanned::new(0..0, DeValue::String(format!("{address}/{prefix}").into())));
    }
    let path = ["node".to_owned(), name.to_owned(), "addresses".to_owned()];
    put(root, &path, &(0..0), Spanned::new(0..0, DeValue::Array(array))).map(drop)
}

/// Lays what the break or fault of this name sets over the document.
fn lay(root: &mut DeTable<'_>, kind: &str, name: &str) -> Result<(), Fault> {
    let set = element(root, kind, "name", name).and_then(|table| table_in(table, "set")).cloned();
    set.map_or(Ok(()), |set| put_all(root, set))
}

fn put_all<'i>(root: &mut DeTable<'i>, set: DeTable<'i>) -> Result<(), Fault> {
    for (path, value) in set {
        let span = path.span();
        let segments = segments(path.get_ref());
        let at = value.span();
        let is_new = put(root, &segments, &span, value).map_err(|fault| Fault { at: span.start, ..fault })?;
        if !is_new {
            let message = format!("`{}` has this value already; set another, or leave the path out", path.get_ref());
            return Err(Fault::new(at, message));
        }
    }
    Ok(())
}

/// The table of an array of tables whose `key` is `value`.
fn element<'t, 'i>(root: &'t DeTable<'i>, array: &str, key: &str, value: &str) -> Option<&'t DeTable<'i>> {
    let array = root.get(array)?.get_ref().as_array()?;
    array.iter().filter_map(|each| each.get_ref().as_table()).find(|table| text_of(table, key) == Some(value))
}

fn table_in<'t, 'i>(table: &'t DeTable<'i>, key: &str) -> Option<&'t DeTable<'i>> {
    table.get(key)?.get_ref().as_table()
}

fn text_of<'t>(table: &'t DeTable<'_>, key: &str) -> Option<&'t str> {
    table.get(key).and_then(|value| value.get_ref().as_str())
}

/// A path cut at its dots, but not inside quotes.
fn segments(path: &str) -> Vec<String> {
    let mut segments = vec![String::new()];
    let mut is_quoted = false;
    for character in path.chars() {
        match character {
            '"' | '\'' => is_quoted = !is_quoted,
            '.' if !is_quoted => segments.push(String::new()),
            other => segments.iter_mut().last().into_iter().for_each(|segment| segment.push(other)),
        }
    }
    segments
}

/// Sets the value at the end of `path`, and says whether there was another. An unknown last field is left to the reader of the file to refuse.
fn put<'i>(
    table: &mut DeTable<'i>,
    path: &[String],
    span: &Range<usize>,
    value: Spanned<DeValue<'i>>,
) -> Result<bool, Fault> {
    let Some((first, rest)) = path.split_first() else { return Ok(true) };
    if rest.is_empty() {
        // Taken out first: the old key would otherwise stay, and with it the old place.
        let is_new = table.remove(first.as_str()).is_none_or(|old| !is_same(old.get_ref(), value.get_ref()));
        table.insert(Spanned::new(span.clone(), first.clone().into()), value);
        return Ok(is_new);
    }
    if !table.contains_key(first.as_str()) && OPTIONAL_TABLES.contains(&first.as_str()) {
        let empty = Spanned::new(span.clone(), DeValue::Table(DeTable::new()));
        table.insert(Spanned::new(span.clone(), first.clone().into()), empty);
    }
    let known: Vec<String> = table.keys().map(|key| key.get_ref().to_string()).collect();
    let Some(next) = table.get_mut(first.as_str()) else {
        return Err(no_such_place(first, &known, span));
    };
    if first == "from"
        && let DeValue::Table(directions) = next.get_mut()
    {
        let named = rest.first().map(String::as_str).unwrap_or_default();
        if !directions.contains_key(named) {
            let empty = Spanned::new(span.clone(), DeValue::Table(DeTable::new()));
            directions.insert(Spanned::new(span.clone(), named.to_owned().into()), empty);
        }
    }
    put_within(next.get_mut(), rest, span, value)
}

fn put_within<'i>(
    place: &mut DeValue<'i>,
    path: &[String],
    span: &Range<usize>,
    value: Spanned<DeValue<'i>>,
) -> Result<bool, Fault> {
    match place {
        DeValue::Table(table) => put(table, path, span, value),
        DeValue::Array(array) => {
            let Some((first, rest)) = path.split_first() else { return Ok(true) };
            let known: Vec<String> = array.iter().enumerate().map(|(index, element)| name_in(index, element)).collect();
            let element = index_of(array, first).and_then(|index| array.get_mut(index));
            match (element, rest) {
                (None, _) => Err(no_such_place(first, &known, span)),
                (Some(element), []) => {
                    let is_new = !is_same(element.get_ref(), value.get_ref());
                    *element = value;
                    Ok(is_new)
                }
                (Some(element), rest) => put_within(element.get_mut(), rest, span, value),
            }
        }
        DeValue::String(_) | DeValue::Integer(_) | DeValue::Float(_) | DeValue::Boolean(_) | DeValue::Datetime(_) => {
            let further = path.join(".");
            Err(Fault::new(span.clone(), format!("cannot set `{further}` inside a value of type {}", place.type_str())))
        }
    }
}

/// Whether two values say the same, wherever they stand.
fn is_same(one: &DeValue<'_>, other: &DeValue<'_>) -> bool {
    match (one, other) {
        (DeValue::String(one), DeValue::String(other)) => one == other,
        (DeValue::Integer(one), DeValue::Integer(other)) => one.as_str() == other.as_str(),
        (DeValue::Float(one), DeValue::Float(other)) => one.as_str() == other.as_str(),
        (DeValue::Boolean(one), DeValue::Boolean(other)) => one == other,
        (DeValue::Array(one), DeValue::Array(other)) => {
            let mut pairs = one.iter().zip(other.iter());
            one.len() == other.len() && pairs.all(|(one, other)| is_same(one.get_ref(), other.get_ref()))
        }
        (DeValue::Table(one), DeValue::Table(other)) => {
            let same = |(key, value): (&Spanned<_>, &Spanned<DeValue<'_>>)| {
                let key: &std::borrow::Cow<'_, str> = key.get_ref();
                other.get(key.as_ref()).is_some_and(|theirs| is_same(value.get_ref(), theirs.get_ref()))
            };
            one.len() == other.len() && one.iter().all(same)
        }
        _ => false,
    }
}

fn index_of(array: &DeArray<'_>, name: &str) -> Option<usize> {
    let by_name = array.iter().enumerate().position(|(index, element)| name_in(index, element) == name);
    let by_place = || name.parse::<usize>().ok().and_then(|place| place.checked_sub(1));
    by_name.or_else(by_place).filter(|index| *index < array.len())
}

/// What an array's element is called in a path: its id, its name, the nodes of a link, or its place.
fn name_in(index: usize, element: &Spanned<DeValue<'_>>) -> String {
    let named = element.get_ref().as_table().and_then(|table| {
        let between = || {
            let ends = table.get("between")?.get_ref().as_array()?;
            let ends: Vec<&str> = ends.iter().filter_map(|end| end.get_ref().as_str()).collect();
            Some(ends.join("-"))
        };
        text_of(table, "id").or_else(|| text_of(table, "name")).map(str::to_owned).or_else(between)
    });
    named.unwrap_or_else(|| (index + 1).to_string())
}

fn no_such_place(found: &str, known: &[String], span: &Range<usize>) -> Fault {
    let known: Vec<&str> = known.iter().map(String::as_str).collect();
    Fault::new(span.clone(), unknown("place", found, "there are", &known))
}
