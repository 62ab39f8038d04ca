//! From what is typed to what is meant: checks, predictions, breaks.

use std::collections::BTreeMap;

use toml::Spanned;

use crate::app::Span;
use crate::check::{
    Bound, Check, Factor, INTEGRITY_IDS, Measure, PACKET_MEMBERS, Question, Selected, Selection, TimeBound,
    is_event_member, is_packet_member,
};
use crate::filter::event_members;
use crate::journal::NodeId;

use super::error::{Fault, unknown};
use super::meaning::{check_name, is_name, unique};
use super::raw::{
    RawBreak, RawEquals, RawExpect, RawFalsifier, RawGap, RawLab, RawMeasure, RawPredict, RawRatio, RawSelection,
    RawSorted, SelectionShape,
};
use super::selections::Scope;
use super::values::Number;
use super::{Break, Falsifier, Prediction};

/// Everything that a lab claims and asks.
pub(super) struct Claims {
    pub(super) checks: Vec<Check>,
    pub(super) falsifiers: BTreeMap<String, Falsifier>,
    pub(super) predictions: Vec<Prediction>,
    pub(super) breaks: Vec<Break>,
}

/// Reads them all; under a break that has checks of its own, those take the place of the lab's.
pub(super) fn claims(scope: &Scope<'_>, raw: &RawLab, broken: Option<&str>) -> Result<Claims, Fault> {
    let mut falsifiers = BTreeMap::new();
    let mut checks = checks(scope, &raw.expect, &mut falsifiers)?;
    let breaks = breaks(raw, &checks)?;
    check_falsifiers(scope, raw, &breaks)?;
    let chosen = raw.breaks.iter().find(|each| Some(each.get_ref().name.get_ref().as_str()) == broken);
    if let Some(own) = chosen.map(|each| &each.get_ref().expect).filter(|own| !own.is_empty()) {
        falsifiers.clear();
        checks = self::checks(scope, own, &mut falsifiers)?;
    }
    let predictions = raw.predict.iter().map(|each| prediction(scope, each.get_ref())).collect::<Result<_, _>>()?;
    Ok(Claims { checks, falsifiers, predictions, breaks })
}

fn checks(
    scope: &Scope<'_>,
    raw: &[Spanned<RawExpect>],
    falsifiers: &mut BTreeMap<String, Falsifier>,
) -> Result<Vec<Check>, Fault> {
    let mut checks: Vec<Check> = Vec::new();
    for expect in raw {
        let check = check(scope, expect)?;
        let id = &expect.get_ref().id;
        let taken = checks.iter().map(|check| check.id.as_str()).chain(INTEGRITY_IDS);
        unique("check", &check.id, &id.span(), taken)?;
        if let Some(falsifier) = &expect.get_ref().falsified_by {
            falsifiers.insert(check.id.clone(), meant_falsifier(falsifier.get_ref()));
        }
        checks.push(check);
    }
    Ok(checks)
}

fn check(scope: &Scope<'_>, expect: &Spanned<RawExpect>) -> Result<Check, Fault> {
    let raw = expect.get_ref();
    if !is_name(raw.id.get_ref()) {
        let message = format!("a check's id is small letters, digits and dashes; found `{}`", raw.id.get_ref());
        return Err(Fault::new(raw.id.span(), message));
    }
    let at = raw.at.as_ref().map_or(Ok(NodeId(0)), |at| scope.node(at))?;
    let question = question(scope, expect)?;
    refuse_stray_fields(raw, &question)?;
    Ok(Check { id: raw.id.get_ref().clone(), that: raw.that.clone(), hint: raw.hint.clone(), at, question })
}

const QUESTIONS: &str = "a check has exactly one of `count`, `bytes`, `octets`, `absent`, `first`, `last`, `every`, `before`, `gap`, \
     `ratio`, `equals`, `sorted`";

fn question(scope: &Scope<'_>, expect: &Spanned<RawExpect>) -> Result<Question, Fault> {
    let raw = expect.get_ref();
    let mut asked: Vec<Result<Question, Fault>> = Vec::new();
    asked.extend(raw.count.as_ref().map(|of| count(scope, raw, of)));
    asked.extend(raw.bytes.as_ref().map(|of| bytes(scope, raw, of)));
    asked.extend(raw.octets.as_ref().map(|of| octets(scope, raw, of)));
    asked.extend(raw.absent.as_ref().map(|of| scope.selection(of).map(|of| Question::Absent { of })));
    asked.extend(
        raw.first
            .as_ref()
            .map(|of| Ok(Question::First { of: scope.selection(of)?, satisfies: condition(scope, raw)? })),
    );
    asked.extend(
        raw.last.as_ref().map(|of| Ok(Question::Last { of: scope.selection(of)?, satisfies: condition(scope, raw)? })),
    );
    asked.extend(
        raw.every
            .as_ref()
            .map(|of| Ok(Question::Every { of: scope.selection(of)?, satisfies: condition(scope, raw)? })),
    );
    asked.extend(raw.before.as_ref().map(|order| before(scope, order)));
    asked.extend(raw.gap.as_ref().map(|gap| meant_gap(scope, raw, gap)));
    asked.extend(raw.ratio.as_ref().map(|ratio| meant_ratio(scope, raw, ratio)));
    asked.extend(raw.equals.as_ref().map(|equals| meant_equals(scope, equals)));
    asked.extend(raw.sorted.as_ref().map(|sorted| meant_sorted(scope, sorted)));
    match (asked.pop(), asked.is_empty()) {
        (Some(question), true) => question,
        (Some(_) | None, _) => Err(Fault::new(raw.id.span(), QUESTIONS)),
    }
}

/// Fields that the question does not use would be read over silently; they are refused.
fn refuse_stray_fields(raw: &RawExpect, question: &Question) -> Result<(), Fault> {
    let is_counted = matches!(question, Question::Count { .. } | Question::Bytes { .. } | Question::Octets { .. });
    let bound = [(&raw.is, "is"), (&raw.at_least, "at_least"), (&raw.at_most, "at_most")];
    let bound = bound.into_iter().find_map(|(field, name)| field.as_ref().map(|value| (value.span(), name)));
    let bound = bound.or_else(|| raw.same_as.as_ref().map(|other| (other.span(), "same_as")));
    if let Some((span, name)) = bound.filter(|_| !is_counted) {
        let message = format!("`{name}` belongs to `count`, `bytes` and `octets`; this check has none of them");
        return Err(Fault::new(span, message));
    }
    let is_satisfied = matches!(question, Question::First { .. } | Question::Last { .. } | Question::Every { .. });
    match raw.satisfies.as_ref().filter(|_| !is_satisfied) {
        None => Ok(()),
        Some(satisfies) => {
            let message = "`satisfies` belongs to `first`, `last` and `every`; this check has none of them";
            Err(Fault::new(satisfies.span(), message))
        }
    }
}

fn count(scope: &Scope<'_>, raw: &RawExpect, of: &RawSelection) -> Result<Question, Fault> {
    Ok(Question::Count { of: scope.selection(of)?, must: bound(scope, raw, "count")? })
}

fn bytes(scope: &Scope<'_>, raw: &RawExpect, of: &RawSelection) -> Result<Question, Fault> {
    Ok(Question::Bytes { of: scope.selection(of)?, must: bound(scope, raw, "bytes")? })
}

fn octets(scope: &Scope<'_>, raw: &RawExpect, of: &RawSelection) -> Result<Question, Fault> {
    Ok(Question::Octets { of: on_the_wire(scope, of)?, must: bound(scope, raw, "octets")? })
}

/// A selection of packets: nothing else has octets on the wire.
fn on_the_wire(scope: &Scope<'_>, raw: &RawSelection) -> Result<Selection, Fault> {
    let selection = scope.selection(raw)?;
    match selection.what {
        Selected::Packets(_) | Selected::Rule { .. } => Ok(selection),
        Selected::Events(_) => {
            let message = "`octets` are those of packets on the wire; of events `bytes` sums what they tell";
            Err(Fault::new(raw.span(), message))
        }
    }
}

fn bound(scope: &Scope<'_>, raw: &RawExpect, what: &str) -> Result<Bound, Fault> {
    let said = |field: &Option<Spanned<u64>>| field.as_ref().map(|value| *value.get_ref());
    match (said(&raw.is), said(&raw.at_least), said(&raw.at_most), &raw.same_as) {
        (Some(exact), None, None, None) => Ok(Bound::Between(exact, exact)),
        (None, None, None, Some(other)) => {
            let of = [&raw.count, &raw.bytes, &raw.octets].into_iter().find_map(Option::as_ref);
            if let (Some(SelectionShape::Text(one)), SelectionShape::Text(two)) =
                (of.map(Spanned::get_ref), other.get_ref())
                && one == two
            {
                let message = format!("`{one}` is always the same as itself, so this check cannot fail; name another");
                return Err(Fault::new(other.span(), message));
            }
            Ok(Bound::SameAs(scope.selection(other)?))
        }
        (None, least, most, None) if least.is_some() || most.is_some() => {
            check_bounds(raw.at_least.as_ref(), raw.at_most.as_ref())?;
            Ok(Bound::Between(least.unwrap_or(0), most.unwrap_or(u64::MAX)))
        }
        _ => {
            let message = format!("`{what}` needs `is`, or `at_least` and/or `at_most`, or `same_as`");
            Err(Fault::new(raw.id.span(), message))
        }
    }
}

/// A claim that always holds teaches nothing, and one that never does is a slip.
fn check_bounds(least: Option<&Spanned<u64>>, most: Option<&Spanned<u64>>) -> Result<(), Fault> {
    match (least, most) {
        (Some(least), None) if *least.get_ref() == 0 => {
            Err(Fault::new(least.span(), "`at_least = 0` always holds, so this check cannot fail; write 1 or more"))
        }
        (Some(least), Some(most)) if least.get_ref() > most.get_ref() => {
            let message =
                format!("no number is at most {} and at least {}; swap them", most.get_ref(), least.get_ref());
            Err(Fault::new(most.span(), message))
        }
        (_, Some(most)) if *most.get_ref() == u64::MAX => {
            Err(Fault::new(most.span(), "this always holds, so this check cannot fail; write less"))
        }
        _ => Ok(()),
    }
}

fn condition(scope: &Scope<'_>, raw: &RawExpect) -> Result<crate::filter::Filter, Fault> {
    let satisfies = raw
        .satisfies
        .as_ref()
        .ok_or_else(|| Fault::new(raw.id.span(), "`first`, `last` and `every` need `satisfies`, a filter"))?;
    scope.filter(satisfies)
}

fn before(scope: &Scope<'_>, order: &Spanned<Vec<RawSelection>>) -> Result<Question, Fault> {
    if order.get_ref().len() < 2 {
        return Err(Fault::new(order.span(), "`before` names two or more selections, in their order"));
    }
    Ok(Question::Before { order: selections(scope, order.get_ref())? })
}

fn selections(scope: &Scope<'_>, raw: &[RawSelection]) -> Result<Vec<Selection>, Fault> {
    raw.iter().map(|each| scope.selection(each)).collect()
}

fn meant_gap(scope: &Scope<'_>, expect: &RawExpect, gap: &Spanned<RawGap>) -> Result<Question, Fault> {
    let raw = gap.get_ref();
    let span = |said: Option<Span>| said.map(Span::duration);
    let must = TimeBound {
        more_than: span(raw.more_than),
        less_than: span(raw.less_than),
        about: span(raw.about),
        is: span(raw.is),
        late: span(raw.late),
    };
    if (TimeBound { late: None, ..must }) == TimeBound::default() {
        let message = "`gap` needs `more_than`, `less_than`, `about` or `is`";
        return Err(Fault::new(expect.id.span(), message));
    }
    if must.late.is_some() && must.less_than.or(must.is).is_none() {
        return Err(Fault::new(gap.span(), "`late` widens `less_than` or `is` in a live run, and here is neither"));
    }
    if must.more_than.zip(must.less_than).is_some_and(|(more, less)| more >= less) {
        let message = "no span is more than `more_than` and less than `less_than` here; swap them";
        return Err(Fault::new(gap.span(), message));
    }
    Ok(Question::Gap { from: scope.selection(&raw.from)?, to: scope.selection(&raw.to)?, must })
}

fn meant_ratio(scope: &Scope<'_>, expect: &RawExpect, ratio: &Spanned<RawRatio>) -> Result<Question, Fault> {
    let raw = ratio.get_ref();
    let factor = |said: Option<Number>| said.map(|Number(factor)| factor);
    let (at_least, at_most) = (factor(raw.at_least), factor(raw.at_most));
    if at_least.is_none() && at_most.is_none() {
        return Err(Fault::new(expect.id.span(), "`ratio` needs `at_least` and/or `at_most`"));
    }
    match (at_least, at_most) {
        (Some(least), None) if least == Factor::from_thousandths(0) => {
            return Err(Fault::new(ratio.span(), "`at_least = 0` always holds, so this check cannot fail; write more"));
        }
        (Some(least), Some(most)) if least > most => {
            return Err(Fault::new(
                ratio.span(),
                "no ratio is at least `at_least` and at most `at_most` here; swap them",
            ));
        }
        _ => {}
    }
    Ok(Question::Ratio { of: measure(scope, &raw.of)?, to: measure(scope, &raw.to)?, at_least, at_most })
}

fn measure(scope: &Scope<'_>, raw: &RawMeasure) -> Result<Measure, Fault> {
    match raw {
        RawMeasure::Count(of) => Ok(Measure::Count(scope.selection(of)?)),
        RawMeasure::Bytes(of) => Ok(Measure::Bytes(scope.selection(of)?)),
        RawMeasure::Octets(of) => Ok(Measure::Octets(on_the_wire(scope, of)?)),
        RawMeasure::Gap([from, to]) => Ok(Measure::Gap(scope.selection(from)?, scope.selection(to)?)),
        RawMeasure::Member((member, of)) => {
            let of = scope.selection(of)?;
            check_member(member, &of)?;
            Ok(Measure::Member(member.get_ref().clone(), of))
        }
    }
}

fn meant_equals(scope: &Scope<'_>, raw: &RawEquals) -> Result<Question, Fault> {
    if raw.of.get_ref().is_empty() {
        return Err(Fault::new(raw.of.span(), "`of` names the selections to compare"));
    }
    let of = selections(scope, raw.of.get_ref())?;
    of.iter().try_for_each(|selection| check_member(&raw.member, selection))?;
    Ok(Question::Equals { member: raw.member.get_ref().clone(), of })
}

fn meant_sorted(scope: &Scope<'_>, raw: &RawSorted) -> Result<Question, Fault> {
    let of = scope.selection(&raw.of)?;
    check_member(&raw.member, &of)?;
    Ok(Question::Sorted { of, member: raw.member.get_ref().clone(), is: raw.is })
}

/// Packets have a few members; events have those of their lines in the journal.
fn check_member(member: &Spanned<String>, of: &Selection) -> Result<(), Fault> {
    let name = member.get_ref();
    match of.what {
        Selected::Packets(_) | Selected::Rule { .. } if !is_packet_member(name) => {
            Err(Fault::new(member.span(), unknown("member", name, "packets have", &PACKET_MEMBERS)))
        }
        Selected::Events(_) if !is_event_member(name) => {
            let known: Vec<&str> = event_members().filter(|known| is_event_member(known)).collect();
            Err(Fault::new(member.span(), unknown("member", name, "events have", &known)))
        }
        Selected::Packets(_) | Selected::Rule { .. } | Selected::Events(_) => Ok(()),
    }
}

fn meant_falsifier(raw: &RawFalsifier) -> Falsifier {
    match raw {
        RawFalsifier::Break(name) => Falsifier::Break(name.clone()),
        RawFalsifier::Rule(id) => Falsifier::Rule(id.clone()),
        RawFalsifier::Set(paths) => Falsifier::Set(paths.keys().cloned().collect()),
    }
}

fn check_falsifiers(scope: &Scope<'_>, raw: &RawLab, breaks: &[Break]) -> Result<(), Fault> {
    let breaks: Vec<&str> = breaks.iter().map(|each| each.name.as_str()).collect();
    let rules: Vec<&str> = scope.rules.iter().map(|(id, _)| id.as_str()).collect();
    for falsifier in raw.expect.iter().filter_map(|expect| expect.get_ref().falsified_by.as_ref()) {
        let (what, name, known) = match falsifier.get_ref() {
            RawFalsifier::Break(name) => ("break", name, &breaks),
            RawFalsifier::Rule(id) => ("rule", id, &rules),
            RawFalsifier::Set(paths) if paths.is_empty() => return Err(Fault::new(falsifier.span(), SETS_NOTHING)),
            RawFalsifier::Set(_) => continue,
        };
        if !known.contains(&name.as_str()) {
            return Err(Fault::new(falsifier.span(), unknown(what, name, "the lab has", known)));
        }
    }
    Ok(())
}

const SETS_NOTHING: &str =
    "`set` changes nothing; name a path and its new value, such as { \"link.client-server.loss\" = \"10%\" }";

fn breaks(raw: &RawLab, checks: &[Check]) -> Result<Vec<Break>, Fault> {
    let known: Vec<&str> = checks.iter().map(|check| check.id.as_str()).chain(INTEGRITY_IDS).collect();
    let mut breaks: Vec<Break> = Vec::new();
    for each in &raw.breaks {
        let RawBreak { name, teaches, turns_red, set, expect } = each.get_ref();
        if set.get_ref().is_empty() {
            return Err(Fault::new(set.span(), SETS_NOTHING));
        }
        check_name("break", name)?;
        unique("break", name.get_ref(), &name.span(), breaks.iter().map(|other| other.name.as_str()))?;
        if !known.contains(&turns_red.get_ref().as_str()) {
            let message = unknown("check", turns_red.get_ref(), "the lab has", &known);
            return Err(Fault::new(turns_red.span(), message));
        }
        breaks.push(Break {
            name: name.get_ref().clone(),
            teaches: teaches.clone(),
            turns_red: turns_red.get_ref().clone(),
            has_own_checks: !expect.is_empty(),
        });
    }
    Ok(breaks)
}

fn prediction(scope: &Scope<'_>, raw: &RawPredict) -> Result<Prediction, Fault> {
    let at = raw.at.as_ref().map_or(Ok(NodeId(0)), |at| scope.node(at))?;
    Ok(Prediction { ask: raw.ask.clone(), answer: measure(scope, &raw.answer)?, at })
}
