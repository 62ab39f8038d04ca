//! What a break has changed: the run as it is without it beside the run with it.
//!
//! ```text
//!   What the break has changed
//!                              without it   three-in-a-row
//!   one-resend                       PASS             FAIL
//!   packets at client                  26               30
//! ```

use std::fmt::Write as _;
use std::time::Duration;

use serde::Serialize;

use super::difference::Difference;
use super::predict;
use crate::check::{Amount, Measure, Only, Outcome, Selected, Selection, answer};
use crate::cli::terminal::Terminal;
use crate::filter::{Filter, Names};
use crate::journal::{Event, NodeId};
use crate::lab::{Break, Definition, Finished};
use crate::report::{self, Row};

/// Two runs of one lab, compared.
#[derive(Debug, Serialize)]
pub(in crate::cli) struct Changes {
    /// The check that the break was to turn red.
    turns_red: String,
    /// What became of it under the break.
    outcome: Option<Outcome>,
    /// The lab's own checks, and those of integrity, whose outcome is another.
    checks: Vec<CheckChange>,
    /// Figures of both runs.
    figures: Vec<FigureChange>,
    /// What both runs answer to the lab's questions.
    answers: Vec<AnswerChange>,
    /// The first packet that is not the same, of all vantage points; `None` when all are.
    #[serde(flatten)]
    first: Difference,
    /// The claim of the check that was to turn red.
    #[serde(skip)]
    that: String,
    #[serde(skip)]
    variant: String,
    #[serde(skip)]
    has_own_checks: bool,
}

#[derive(Debug, Serialize)]
struct CheckChange {
    id: String,
    without: Outcome,
    with: Outcome,
}

#[derive(Debug, Serialize)]
struct FigureChange {
    what: String,
    without: Amount,
    with: Amount,
}

#[derive(Debug, Serialize)]
struct AnswerChange {
    ask: String,
    without: Option<Amount>,
    with: Option<Amount>,
}

/// A run with what was run.
#[derive(Clone, Copy)]
pub(in crate::cli) struct Ran<'a> {
    pub(in crate::cli) lab: &'a Definition,
    pub(in crate::cli) finished: &'a Finished,
    /// The row of one packet in the ladder that its vantage point sees.
    pub(in crate::cli) row: &'a dyn Fn(NodeId, u64) -> String,
}

impl Changes {
    /// Compares; `without` is the lab as it is, `with` the one that `broken` is laid over.
    pub(in crate::cli) fn between(without: Ran<'_>, with: Ran<'_>, broken: &Break) -> Changes {
        // The lab's own claims, also where the break brings its own.
        let mut claims = with.lab.clone();
        claims.checks.clone_from(&without.lab.checks);
        let judged = with.finished.judge(&claims);
        let of = |id: &str| judged.iter().find(|verdict| verdict.id == id);
        let changed = |id: &String, before: Outcome| {
            let after = of(id)?.outcome;
            (after != before).then(|| CheckChange { id: id.clone(), without: before, with: after })
        };
        let node = without.lab.links.first().map_or(NodeId(0), |link| link.ends[0]);
        Changes {
            turns_red: broken.turns_red.clone(),
            outcome: of(&broken.turns_red).map(|verdict| verdict.outcome),
            that: of(&broken.turns_red).map(|verdict| verdict.that.clone()).unwrap_or_default(),
            checks: without.finished.verdicts.iter().filter_map(|each| changed(&each.id, each.outcome)).collect(),
            figures: figures(without, node)
                .into_iter()
                .zip(figures(with, node))
                .map(|((what, without), (_, with))| FigureChange { what, without, with })
                .collect(),
            answers: answers(without, with),
            first: Difference::between(without, with),
            variant: broken.name.clone(),
            has_own_checks: broken.has_own_checks,
        }
    }

    /// Whether the check turned red that the break names.
    pub(in crate::cli) fn kept_its_promise(&self) -> bool {
        self.outcome == Some(Outcome::Fail)
    }

    /// The check that the break names.
    pub(in crate::cli) fn named(&self) -> &str {
        &self.turns_red
    }

    /// Whether the break brings claims of its own.
    pub(in crate::cli) fn has_own_checks(&self) -> bool {
        self.has_own_checks
    }

    /// As text, its heading first.
    pub(in crate::cli) fn told(&self, terminal: Terminal) -> String {
        let style = terminal.style(false);
        let mut out = format!("\n{}\n", terminal.bold("What the break has changed"));
        let row = |label: &str, cells: [String; 2]| Row { label: label.to_owned(), cells: cells.into() };
        let headings = [row("", ["without it".to_owned(), self.variant.clone()])];
        let checks = self.checks.iter().map(|each| row(&each.id, [word(each.without), word(each.with)]));
        let figures = self.figures.iter().map(|each| row(&each.what, [each.without, each.with].map(predict::told)));
        let amount = |amount: Option<Amount>| amount.map_or("nothing".to_owned(), predict::told);
        let answers = (1..)
            .zip(&self.answers)
            .map(|(number, each)| row(&format!("answer to question {number}"), [each.without, each.with].map(amount)));
        let rows: Vec<Row> = checks.chain(figures).chain(answers).collect();
        out.push_str(&report::table(&headings, &rows, &style));
        for (number, each) in (1..).zip(&self.answers) {
            out.push_str(&report::paragraph(&format!("question {number}: {}", each.ask), 2, &style));
        }
        out.push_str(&self.first.told(&self.variant, &style));
        let (red, that) = (&self.turns_red, &self.that);
        let verdict = match self.outcome {
            Some(Outcome::Fail) => format!("`{red}` turned red, as it was meant to. It no longer holds that: {that}."),
            Some(Outcome::Pass) => format!("`{red}` was meant to turn red and did not. It still holds that: {that}."),
            Some(Outcome::Unknown) | None => format!("`{red}` was meant to turn red, and could not be judged."),
        };
        let told = report::paragraph(&verdict, 0, &style);
        let told = told.trim_end();
        let told = if self.kept_its_promise() { terminal.green(told) } else { terminal.yellow(told) };
        let _ = write!(out, "\n{told}\n");
        out
    }
}

fn word(outcome: Outcome) -> String {
    match outcome {
        Outcome::Pass => "PASS",
        Outcome::Fail => "FAIL",
        Outcome::Unknown => "????",
    }
    .to_owned()
}

/// What can be counted in every run: packets and octets as the node has seen them, losses of all links, time to the end.
fn figures(ran: Ran<'_>, node: NodeId) -> Vec<(String, Amount)> {
    let recorder = &ran.finished.recorder;
    let name = ran.lab.nodes.get(usize::from(node.0)).map_or("", |node| node.name.as_str());
    let records = recorder.records(node);
    let octets = records.iter().map(|record| record.wire_len as u64).sum();
    let entries = recorder.journal().entries();
    let is_lost = |event: &Event| matches!(event, Event::Impaired { impairment, .. } if impairment.is_drop());
    let lost = entries.filter(|entry| is_lost(&entry.event)).count() as u64;
    let (first, last) = (records.first(), records.last());
    let lasted = first.zip(last).map_or(Duration::ZERO, |(first, last)| last.at.since(first.at));
    vec![
        (format!("packets at {name}"), Amount::Count(records.len() as u64 + recorder.not_kept(node))),
        ("lost by links".to_owned(), Amount::Count(lost)),
        ("sent again".to_owned(), Amount::Count(repeats(ran))),
        (format!("octets at {name}"), Amount::Octets(octets)),
        ("first to last packet".to_owned(), Amount::Time(lasted)),
    ]
}

/// Segments that their own sender's capture shows a second time, of all nodes.
fn repeats(ran: Ran<'_>) -> u64 {
    let evidence = ran.finished.evidence(ran.lab);
    let of_node = |(id, node): (NodeId, &crate::lab::Node)| {
        let address = node.address()?;
        let version = if address.is_ipv4() { "ip" } else { "ipv6" };
        let filter = Filter::parse(&format!("tcp && {version}.src == {address}"), &Names::default()).ok()?;
        let of = Selection {
            name: "tcp".to_owned(),
            what: Selected::Packets(filter),
            at: Some(id),
            only: Only::Repeats,
            nth: None,
        };
        match answer(&Measure::Count(of), id, &evidence).ok()?.amount {
            Amount::Count(count) => Some(count),
            Amount::Octets(_) | Amount::Time(_) => None,
        }
    };
    (0..).map(NodeId).zip(&ran.lab.nodes).filter_map(of_node).sum()
}

fn answers(without: Ran<'_>, with: Ran<'_>) -> Vec<AnswerChange> {
    let of = |ran: Ran<'_>| ran.finished.answers(ran.lab).into_iter().map(|answer| answer.ok().map(|it| it.amount));
    without
        .lab
        .predictions
        .iter()
        .zip(of(without).zip(of(with)))
        .map(|(question, (without, with))| AnswerChange { ask: question.ask.clone(), without, with })
        .collect()
}
