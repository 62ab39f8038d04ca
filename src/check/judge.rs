//! From a question and the evidence to a verdict.

use std::time::Duration;

use serde_json::Value;

use crate::filter::Filter;
use crate::journal::NodeId;

use super::evidence::{Clock, Evidence, tolerance};
use super::selection::{Item, Missing, Picked};
use super::{Bound, Check, Factor, Measure, Outcome, Question, Selected, Selection, TimeBound, Verdict};

/// Judges one check.
pub fn judge(check: &Check, evidence: &Evidence<'_>) -> Verdict {
    let bench = Bench { evidence, at: check.at };
    let finding = bench.answer(&check.question).unwrap_or_else(|missing| Finding::unknown(missing, check.at));
    Verdict {
        id: check.id.clone(),
        that: check.that.clone(),
        outcome: finding.outcome,
        measured: finding.measured,
        filter: finding.filter.or_else(|| frame_filter(&finding.packets)),
        packets: finding.packets,
        vantage: evidence.node_name(finding.vantage).to_owned(),
        hint: check.hint.clone().filter(|_| finding.outcome != Outcome::Pass),
    }
}

/// A filter for packets that only their numbers have in common; `None` for no packets.
pub(super) fn frame_filter(packets: &[u64]) -> Option<String> {
    let numbers: Vec<String> = packets.iter().map(u64::to_string).collect();
    match numbers.as_slice() {
        [] => None,
        [only] => Some(format!("frame.number == {only}")),
        several => Some(format!("frame.number in {{{}}}", several.join(", "))),
    }
}

/// A verdict without the check's own words.
pub(super) struct Finding {
    outcome: Outcome,
    pub(super) measured: String,
    packets: Vec<u64>,
    vantage: NodeId,
    filter: Option<String>,
}

impl Finding {
    fn of(holds: bool, measured: String, picked: &Picked<'_, '_>) -> Finding {
        let outcome = if holds { Outcome::Pass } else { Outcome::Fail };
        Finding { outcome, measured, packets: picked.numbers(), vantage: picked.vantage, filter: picked.filter.clone() }
    }

    fn unknown(measured: String, vantage: NodeId) -> Finding {
        Finding { outcome: Outcome::Unknown, measured, packets: Vec::new(), vantage, filter: None }
    }

    /// The finding about single packets of a selection, shown by their numbers.
    fn about<'i, 'e: 'i, 'a: 'e + 'i>(mut self, items: impl IntoIterator<Item = &'i Item<'e, 'a>>) -> Finding {
        self.packets = items.into_iter().filter_map(|item| item.number).collect();
        self.packets.sort_unstable();
        self.filter = None;
        self
    }
}

/// A time between two items.
pub(super) struct Span<'e, 'a> {
    pub(super) length: Duration,
    /// What was selected where it begins.
    pub(super) start: Picked<'e, 'a>,
    /// The items that show it.
    pub(super) shown: Vec<Item<'e, 'a>>,
}

/// Where the questions are answered: the evidence, seen from the check's vantage.
pub(super) struct Bench<'e, 'a> {
    pub(super) evidence: &'e Evidence<'a>,
    pub(super) at: NodeId,
}

impl<'e, 'a> Bench<'e, 'a> {
    fn answer(&self, question: &Question) -> Result<Finding, Missing> {
        match question {
            Question::Count { of, must } => self.count(of, must),
            Question::Bytes { of, must } => self.sum(of, must, "octets", Item::bytes),
            Question::Octets { of, must } => self.sum(of, must, "octets on the wire", Item::octets),
            Question::Absent { of } => self.count(of, &Bound::Between(0, 0)),
            Question::First { of, satisfies } => {
                let picked = self.select(of)?;
                Ok(self.one(of, &picked, picked.first()?, "first", satisfies))
            }
            Question::Last { of, satisfies } => {
                let picked = self.select(of)?;
                picked.all()?;
                Ok(self.one(of, &picked, picked.items.last().copied(), "last", satisfies))
            }
            Question::Every { of, satisfies } => self.every(of, satisfies),
            Question::Before { order } => self.before(order),
            Question::Gap { from, to, must } => self.gap(from, to, *must),
            Question::Ratio { of, to, at_least, at_most } => self.ratio(of, to, *at_least, *at_most),
            Question::Equals { member, of } => self.equals(member, of),
            Question::Sorted { of, member, is } => self.sorted(of, member, *is),
        }
    }

    fn select(&self, selection: &Selection) -> Result<Picked<'e, 'a>, Missing> {
        self.evidence.select(selection, self.at)
    }

    /// What is selected, if the evidence has all of it.
    pub(super) fn select_all(&self, selection: &Selection) -> Result<Picked<'e, 'a>, Missing> {
        let picked = self.select(selection)?;
        picked.all().map(|()| picked)
    }

    fn count(&self, of: &Selection, must: &Bound) -> Result<Finding, Missing> {
        let picked = self.select(of)?;
        let found = picked.items.len() as u64;
        let (holds, expected) = match must {
            Bound::Between(min, max) => (between(&picked, found, *min, *max)?, range(*min, *max)),
            Bound::SameAs(other) => {
                let other_picked = self.select(other)?;
                picked.all().and_then(|()| other_picked.all())?;
                let count = other_picked.items.len() as u64;
                (found == count, format!("{count}, as many as `{}`", other.name))
            }
        };
        Ok(Finding::of(holds, told(holds, &things(of, found), &expected), &picked))
    }

    /// Sums up what each item has of `unit`.
    fn sum(
        &self,
        of: &Selection,
        must: &Bound,
        unit: &str,
        each: fn(&Item<'e, 'a>) -> u64,
    ) -> Result<Finding, Missing> {
        let picked = self.select(of)?;
        let found = picked.sum(each);
        let (holds, expected) = match must {
            Bound::Between(min, max) => (between(&picked, found, *min, *max)?, range(*min, *max)),
            Bound::SameAs(other) => {
                let other_picked = self.select(other)?;
                picked.all().and_then(|()| other_picked.all())?;
                let sum = other_picked.sum(each);
                (found == sum, format!("{sum}, as many as `{}`", other.name))
            }
        };
        let measured = format!("{found} {unit} in {}", things(of, picked.items.len() as u64));
        Ok(Finding::of(holds, told(holds, &measured, &expected), &picked))
    }

    fn one(
        &self,
        of: &Selection,
        picked: &Picked<'e, 'a>,
        item: Option<Item<'e, 'a>>,
        which: &str,
        satisfies: &Filter,
    ) -> Finding {
        let Some(item) = item else { return nothing(of, picked) };
        let holds = satisfies.matches(&item.subject(self.evidence));
        let verb = if holds { "satisfies" } else { "does not satisfy" };
        let measured =
            format!("the {which} of {} {verb} `{}`", things(of, picked.items.len() as u64), satisfies.wireshark());
        Finding::of(holds, measured, picked).about([&item])
    }

    fn every(&self, of: &Selection, satisfies: &Filter) -> Result<Finding, Missing> {
        let picked = self.select(of)?;
        if picked.items.is_empty() {
            picked.all()?;
            return Ok(nothing(of, &picked));
        }
        let fails = |item: &&Item<'_, '_>| !satisfies.matches(&item.subject(self.evidence));
        let failing: Vec<&Item<'_, '_>> = picked.items.iter().filter(fails).collect();
        let all = things(of, picked.items.len() as u64);
        if failing.is_empty() {
            picked.all()?;
            return Ok(Finding::of(true, format!("all of {all} satisfy `{}`", satisfies.wireshark()), &picked));
        }
        let measured = format!("{} of {all} do not satisfy `{}`", failing.len(), satisfies.wireshark());
        Ok(Finding::of(false, measured, &picked).about(failing))
    }

    fn before(&self, order: &[Selection]) -> Result<Finding, Missing> {
        let picked: Vec<Picked<'e, 'a>> = order.iter().map(|of| self.select(of)).collect::<Result<_, _>>()?;
        let firsts: Vec<Option<Item<'_, '_>>> = picked.iter().map(Picked::first).collect::<Result<_, _>>()?;
        if let Some((of, empty)) = order.iter().zip(&picked).find(|(_, picked)| picked.items.is_empty()) {
            return Ok(nothing(of, empty));
        }
        let vantage = picked.first().map_or(self.at, |first| first.vantage);
        let same_vantage = picked.iter().all(|each| each.vantage == vantage);
        let firsts: Vec<Item<'_, '_>> = firsts.into_iter().flatten().collect();
        let late = firsts.windows(2).position(|pair| !pair[0].is_before(&pair[1], same_vantage));
        let named = |index: usize| order.get(index).map_or("", |of| of.name.as_str());
        let measured = match late {
            None => {
                let steps: Vec<String> =
                    order.iter().zip(&firsts).map(|(of, item)| format!("`{}` at {} s", of.name, item.at)).collect();
                steps.join(", then ")
            }
            Some(index) => format!(
                "`{}` at {} s does not come before `{}` at {} s",
                named(index),
                firsts[index].at,
                named(index + 1),
                firsts[index + 1].at
            ),
        };
        let shown = firsts.iter().take(if same_vantage { firsts.len() } else { 1 });
        let outcome = if late.is_none() { Outcome::Pass } else { Outcome::Fail };
        Ok(Finding { outcome, measured, packets: Vec::new(), vantage, filter: None }.about(shown))
    }

    fn gap(&self, from: &Selection, to: &Selection, must: TimeBound) -> Result<Finding, Missing> {
        Ok(self.span(from, to)?.map_or_else(
            |finding| finding,
            |span| {
                let holds = must.holds(span.length, self.evidence.clock);
                let measured = told(holds, &format!("{:?}", span.length), &must.to_string());
                Finding::of(holds, measured, &span.start).about(&span.shown)
            },
        ))
    }

    /// The time from the first of one selection to the first of another; a finding that fails when there is none.
    pub(super) fn span(&self, from: &Selection, to: &Selection) -> Result<Result<Span<'e, 'a>, Finding>, Missing> {
        let (start, end) = (self.select(from)?, self.select(to)?);
        let (Some(first), Some(second)) = (start.first()?, end.first()?) else {
            let (of, picked) = if start.items.is_empty() { (from, &start) } else { (to, &end) };
            return Ok(Err(nothing(of, picked)));
        };
        let shown = if start.vantage == end.vantage { vec![first, second] } else { vec![first] };
        if second.at < first.at {
            let measured = format!("`{}` at {} s comes before `{}` at {} s", to.name, second.at, from.name, first.at);
            return Ok(Err(Finding::of(false, measured, &start).about(&shown)));
        }
        Ok(Ok(Span { length: second.at - first.at, start, shown }))
    }

    fn ratio(
        &self,
        of: &Measure,
        to: &Measure,
        at_least: Option<Factor>,
        at_most: Option<Factor>,
    ) -> Result<Finding, Missing> {
        let (above, below) = match (self.measure(of)?, self.measure(to)?) {
            (Ok(above), Ok(below)) => (above, below),
            (Err(finding), _) | (_, Err(finding)) => return Ok(finding),
        };
        let selections = of.selections();
        let picked = match selections.first() {
            Some(selection) => self.select(selection)?,
            None => return Err("asks for nothing".to_owned()),
        };
        if below == 0 {
            return Ok(Finding::of(false, "cannot be computed: the lower measure is 0".to_owned(), &picked));
        }
        let thousandths = u128::from(above) * 1_000;
        let bound = |factor: Factor| u128::from(below) * u128::from(factor.thousandths());
        let holds = at_least.is_none_or(|least| thousandths >= bound(least))
            && at_most.is_none_or(|most| thousandths <= bound(most));
        let ratio = Factor::from_thousandths(u64::try_from(thousandths / u128::from(below)).unwrap_or(u64::MAX));
        let expected = match (at_least, at_most) {
            (Some(least), Some(most)) => format!("{least} to {most}"),
            (Some(least), None) => format!("at least {least}"),
            (None, Some(most)) => format!("at most {most}"),
            (None, None) => "anything".to_owned(),
        };
        let measured = match (of, to) {
            (Measure::Member(..), Measure::Member(..)) => format!("{ratio} ({above} to {below})"),
            _ => ratio.to_string(),
        };
        Ok(Finding::of(holds, told(holds, &measured, &expected), &picked))
    }

    /// A numeric member of the first that is selected, with what was selected; a finding that fails when there is none.
    pub(super) fn value(
        &self,
        member: &str,
        of: &Selection,
    ) -> Result<Result<(u64, Picked<'e, 'a>), Finding>, Missing> {
        let picked = self.select(of)?;
        let Some(first) = picked.first()? else { return Ok(Err(nothing(of, &picked))) };
        Ok(match first.member(member).and_then(|value| value.as_u64()) {
            Some(value) => Ok((value, picked)),
            None => {
                let measured = format!("the first of `{}` has no number `{member}`", of.name);
                Err(Finding::of(false, measured, &picked).about([&first]))
            }
        })
    }

    /// A measure as a whole number: a count, octets, nanoseconds, or a member's value; a finding that fails when there is no
    /// such time, or no such member.
    fn measure(&self, measure: &Measure) -> Result<Result<u64, Finding>, Missing> {
        match measure {
            Measure::Count(of) => Ok(Ok(self.select_all(of)?.items.len() as u64)),
            Measure::Bytes(of) => Ok(Ok(self.select_all(of)?.sum(Item::bytes))),
            Measure::Octets(of) => Ok(Ok(self.select_all(of)?.sum(Item::octets))),
            Measure::Gap(from, to) => {
                let nanos = |span: Span<'_, '_>| u64::try_from(span.length.as_nanos()).unwrap_or(u64::MAX);
                Ok(self.span(from, to)?.map(nanos))
            }
            Measure::Member(member, of) => Ok(self.value(member, of)?.map(|(value, _)| value)),
        }
    }

    fn equals(&self, member: &str, of: &[Selection]) -> Result<Finding, Missing> {
        let picked: Vec<Picked<'e, 'a>> = of.iter().map(|each| self.select_all(each)).collect::<Result<_, _>>()?;
        if let Some((of, empty)) = of.iter().zip(&picked).find(|(_, picked)| picked.items.is_empty()) {
            return Ok(nothing(of, empty));
        }
        let lists: Vec<Vec<Option<Value>>> =
            picked.iter().map(|each| each.items.iter().map(|item| item.member(member)).collect()).collect();
        let (Some(first), Some(shown)) = (lists.first(), picked.first()) else {
            return Err("asks for nothing".to_owned());
        };
        let is_there = lists.iter().flatten().all(Option::is_some);
        let is_same = match lists.as_slice() {
            [only] => only.windows(2).all(|pair| pair[0] == pair[1]),
            _ => lists.iter().all(|list| list == first),
        };
        let measured = if is_there && is_same {
            format!("`{member}` is {} in each", brief(first))
        } else {
            let each = of.iter().zip(&lists).map(|(of, list)| format!("{} in `{}`", brief(list), of.name));
            format!("`{member}` is {}; expected the same in each", each.collect::<Vec<_>>().join(" and "))
        };
        let finding = Finding::of(is_there && is_same, measured, shown);
        if picked.len() == 1 {
            return Ok(finding);
        }
        // What is compared is shown on both sides, as far as one capture has both.
        Ok(finding.about(picked.iter().filter(|each| each.vantage == shown.vantage).flat_map(|each| &each.items)))
    }

    fn sorted(&self, of: &Selection, member: &str, is: bool) -> Result<Finding, Missing> {
        let picked = self.select(of)?;
        let numbers: Option<Vec<u64>> =
            picked.items.iter().map(|item| item.member(member).and_then(|value| value.as_u64())).collect();
        let Some(numbers) = numbers.filter(|numbers| !numbers.is_empty()) else {
            picked.all()?;
            return Ok(nothing(of, &picked));
        };
        let fall = numbers.windows(2).find(|pair| pair[0] >= pair[1]);
        if fall.is_none() {
            picked.all()?;
        }
        let measured = match fall {
            None => format!("`{member}` rises through all {}", numbers.len()),
            Some(pair) => format!("`{member}` {} comes after {}", pair[1], pair[0]),
        };
        let expected = if is { "only rising ones" } else { "at least one that is out of order" };
        let holds = fall.is_none() == is;
        Ok(Finding::of(holds, told(holds, &measured, expected), &picked))
    }
}

impl TimeBound {
    fn holds(self, span: Duration, clock: Clock) -> bool {
        let near = |center: Duration, by: Duration| span + by >= center && span <= center + by;
        let slack = |bound: Duration| match (clock, self.late) {
            (Clock::Wall, Some(late)) => late,
            _ => clock.slack(bound),
        };
        self.more_than.is_none_or(|least| span > least)
            && self.less_than.is_none_or(|most| span < most + slack(most))
            && self.about.is_none_or(|center| near(center, tolerance(center)))
            && self.is.is_none_or(|exact| near(exact, slack(exact)))
    }
}

/// `more than 200ms and less than 3s`.
impl std::fmt::Display for TimeBound {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let bounds =
            [("more than ", self.more_than), ("less than ", self.less_than), ("about ", self.about), ("", self.is)];
        let told: Vec<String> =
            bounds.iter().filter_map(|(word, bound)| bound.map(|bound| format!("{word}{bound:?}"))).collect();
        f.write_str(&told.join(" and "))
    }
}

fn nothing(of: &Selection, picked: &Picked<'_, '_>) -> Finding {
    Finding::of(false, format!("nothing matches `{}`", of.name), picked)
}

/// What was measured, and what was expected when that was not met.
fn told(holds: bool, measured: &str, expected: &str) -> String {
    if holds { measured.to_owned() } else { format!("{measured}; expected {expected}") }
}

/// `1 packet`, `3 events`.
fn things(of: &Selection, count: u64) -> String {
    let noun = match of.what {
        Selected::Packets(_) | Selected::Rule { .. } => "packet",
        Selected::Events(_) => "event",
    };
    let plural = if count == 1 { "" } else { "s" };
    format!("{count} {noun}{plural}")
}

/// Whether a number that what is missing could only raise lies between two others; unknown where that would matter.
fn between(picked: &Picked<'_, '_>, found: u64, min: u64, max: u64) -> Result<bool, Missing> {
    let is_settled = found > max || (found >= min && max == u64::MAX);
    if !is_settled {
        picked.all()?;
    }
    Ok((min..=max).contains(&found))
}

/// `1`, `at least 2`, `at most 3`, `2 to 3`.
fn range(min: u64, max: u64) -> String {
    match (min, max) {
        (min, max) if min == max => min.to_string(),
        (min, u64::MAX) => format!("at least {min}"),
        (0, max) => format!("at most {max}"),
        (min, max) => format!("{min} to {max}"),
    }
}

/// A list of values, short enough for a line: at most three, long texts cut.
fn brief(values: &[Option<Value>]) -> String {
    let one = |value: &Option<Value>| match value {
        None => "missing".to_owned(),
        Some(Value::String(text)) if text.chars().count() > 12 => {
            format!("{}…", text.chars().take(12).collect::<String>())
        }
        Some(Value::String(text)) => text.clone(),
        Some(value) => value.to_string(),
    };
    let mut told: Vec<String> = values.iter().take(3).map(one).collect();
    if values.len() > told.len() {
        told.push(format!("… ({} in all)", values.len()));
    }
    told.join(", ")
}
