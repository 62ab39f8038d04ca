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

use super::predict;
use crate::capture::{Record, Remark};
use crate::check::{Amount, Measure, Only, Outcome, Selected, Selection, answer};
use crate::cli::terminal::Terminal;
use crate::filter::{Filter, Names, PacketSubject, Streams, field_texts};
use crate::journal::{Event, NodeId};
use crate::lab::{Break, Definition, Finished, Mode};
use crate::packet::Dissection;
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
    /// The first packet that is not the same; `None` when all are.
    first_difference: Option<u64>,
    /// The node whose capture has that number.
    vantage: String,
    /// The rows of the ladders there, without the break and with it.
    #[serde(skip)]
    rows: [String; 2],
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
    /// Its ladder, in lines.
    pub(in crate::cli) ladder: &'a str,
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
        let first = first_difference(without, with, node);
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
            first_difference: first,
            vantage: without.lab.nodes.get(usize::from(node.0)).map(|node| node.name.clone()).unwrap_or_default(),
            rows: first.map(|number| [row(without.ladder, number), row(with.ladder, number)]).unwrap_or_default(),
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
        match self.first_difference {
            None => out.push_str("\nBoth runs have the same packets.\n"),
            Some(number) => {
                let dots =
                    |rows: &str| if rows.is_empty() { "  (no such packet)\n".to_owned() } else { rows.to_owned() };
                let [without, with] = &self.rows;
                let _ = write!(
                    out,
                    "\nThe first packet that is not the same is packet {number} at {}. Without the break:\n{}\
                     and with it:\n{}",
                    self.vantage,
                    dots(without),
                    dots(with)
                );
            }
        }
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

/// What of a packet is compared: what it does, not what chance has given it (ports, initial numbers, time stamps).
const COMPARED: [&str; 12] = [
    "ip.src",
    "ipv6.src",
    "ip.proto",
    "ip.len",
    "tcp.flags",
    "tcp.seq",
    "tcp.ack",
    "tcp.len",
    "tcp.options.mss_val",
    "tcp.options.wscale.shift",
    "udp.length",
    "icmp.type",
];

/// The number of the first packet that is not the same in both runs, as the node has seen them. In a simulation the time
/// counts, where nothing else differs.
fn first_difference(without: Ran<'_>, with: Ran<'_>, node: NodeId) -> Option<u64> {
    let records = |ran: Ran<'_>| ran.finished.recorder.records(node).to_vec();
    let (a, b) = (records(without), records(with));
    let found = (1..).zip(keys(&a).iter().zip(&keys(&b))).find(|(_, (a, b))| a != b).map(|(number, _)| number);
    let longer = || (a.len() != b.len()).then(|| a.len().min(b.len()) as u64 + 1);
    let later = || {
        let is_exact = without.finished.mode == Mode::Sim;
        (1..).zip(a.iter().zip(&b)).find(|(_, (a, b))| is_exact && a.at != b.at).map(|(number, _)| number)
    };
    found.or_else(longer).or_else(later)
}

fn keys(records: &[Record]) -> Vec<Vec<String>> {
    let mut streams = Streams::default();
    records.iter().map(|record| key(record, &mut streams)).collect()
}

fn key(record: &Record, streams: &mut Streams) -> Vec<String> {
    let dissection = Dissection::of(record.medium, &record.bytes, record.wire_len);
    let (stream, relative) = streams.next(&dissection);
    let subject =
        PacketSubject { number: None, at: record.at, dissection: &dissection, bytes: &record.bytes, stream, relative };
    let mut key: Vec<String> =
        COMPARED.iter().map(|name| field_texts(name, &subject).unwrap_or_default().join(",")).collect();
    let fate = |remark: &Remark| matches!(remark, Remark::Impaired(impairment) if impairment.is_drop());
    key.push(record.comments.iter().any(fate).to_string());
    key
}

/// Lines of one packet that are shown.
const LINES_OF_A_ROW: usize = 5;

/// The lines of packet `number` in a ladder: the one that begins with it, and those that continue it.
pub(in crate::cli) fn row(ladder: &str, number: u64) -> String {
    let own = |line: &&str| number_of(line) == Some(number);
    let mut lines = ladder.lines().skip_while(|line| !own(line));
    let first: Vec<&str> = lines.by_ref().take(1).collect();
    // Lines that belong to no packet begin with other words; a silence is told between two packets.
    let more = lines.take_while(|line| line.starts_with("      ") && !line.contains('⋯')).take(LINES_OF_A_ROW - 1);
    first.into_iter().chain(more).map(|line| format!("{line}\n")).collect()
}

/// The packet's number that a line of a ladder begins with.
fn number_of(line: &str) -> Option<u64> {
    let mut words = line.split_whitespace();
    let number = words.next()?.parse().ok()?;
    // Behind it stands a time.
    words.next()?.split_once('.').map(|_| number)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_is_what_begins_with_the_number_and_continues_below() {
        let ladder = "no      time  client      server  as seen at client
connection 1: client:1 → server:2
 1  0.000000  ├─ SYN ───►│  opens
              │ SYN-SENT │  [RFC]
 2  0.040000  │◄─ ACK ───┤  answers
              │ ⋯ 5 s of silence ⋯ │
10  5.000000  ├─ SYN ───►│  again
";
        assert_eq!(row(ladder, 1).lines().count(), 2);
        assert_eq!(row(ladder, 2), " 2  0.040000  │◄─ ACK ───┤  answers\n");
        assert!(row(ladder, 10).starts_with("10  5.0"));
        assert_eq!(row(ladder, 3), "");
    }
}
