//! The run as one JSON document.

use std::path::PathBuf;

use serde::Serialize;

use super::super::learn::changes::Changes;
use super::super::learn::next::Next;
use super::super::learn::predict::{self, Said};
use super::Lesson;
use crate::capture::Recorder;
use crate::check::{Answer, Verdict};
use crate::door::DoorKind;
use crate::journal::{Entry, Event, ProgramEvent};
use crate::lab::{Definition, Finished, Mode, Prediction, StepFailure};
use crate::stack::StackKind;

/// The run as one JSON document.
#[derive(Serialize)]
pub(super) struct Report<'a> {
    lab: &'a str,
    title: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    variant: Option<&'a str>,
    mode: Mode,
    /// Why it was not live, or which door stood in for another.
    note: Option<&'a str>,
    door: Option<DoorKind>,
    stack: StackKind,
    /// What is to be said of this stack: that the lab is about others, what it lacks.
    notes: Vec<String>,
    seed: u64,
    passed: bool,
    interrupted: bool,
    /// Nanoseconds from the beginning to the end.
    duration_ns: u64,
    captures: Vec<CaptureReport>,
    /// What the programs reported, as in `journal.jsonl`, but for the lines that real programs printed.
    programs: Vec<&'a Entry>,
    verdicts: &'a [Verdict],
    predictions: Vec<PredictionReport<'a>>,
    /// What the break has changed against the run without it.
    #[serde(skip_serializing_if = "Option::is_none")]
    changes: Option<&'a Changes>,
    failures: &'a [StepFailure],
    /// What to try next.
    next: Option<&'a Next>,
}

/// One question.
#[derive(Serialize)]
struct PredictionReport<'a> {
    ask: &'a str,
    /// As it was typed; `None` when nobody was asked, or it was skipped.
    said: Option<&'a str>,
    right: Option<bool>,
    /// What the run says; `None` when it says nothing.
    answer: Option<&'a Answer>,
}

impl<'a> PredictionReport<'a> {
    fn all(lab: &'a Definition, lesson: &'a Lesson) -> Vec<PredictionReport<'a>> {
        let said = lesson.asked.iter().map(Option::as_ref).chain(std::iter::repeat(None));
        let both = lab.predictions.iter().zip(said).zip(&lesson.answers);
        let report = |((question, said), answer): ((&'a Prediction, Option<&'a Said>), &'a Result<Answer, String>)| {
            let answer = answer.as_ref().ok();
            PredictionReport {
                ask: &question.ask,
                said: said.map(|said| said.text.as_str()),
                right: said.zip(answer).map(|(said, is)| predict::is_right(said.amount, is.amount)),
                answer,
            }
        };
        both.map(report).collect()
    }
}

fn programs(recorder: &Recorder) -> Vec<&Entry> {
    let is_report = |entry: &&Entry| matches!(&entry.event, Event::Program { report, .. } if !matches!(report, ProgramEvent::Output { .. }));
    recorder.journal().entries().filter(is_report).collect()
}

#[derive(Serialize)]
struct CaptureReport {
    node: String,
    packets: u64,
    file: Option<PathBuf>,
}

impl<'a> Report<'a> {
    pub(super) fn of(lab: &'a Definition, finished: &'a Finished, lesson: &'a Lesson) -> Report<'a> {
        let recorder = &finished.recorder;
        let capture = |vantage: &crate::capture::VantageConfig| CaptureReport {
            node: vantage.name.clone(),
            packets: recorder.records(vantage.node).len() as u64 + recorder.not_kept(vantage.node),
            file: recorder.capture_path(vantage.node).map(PathBuf::from),
        };
        Report {
            lab: &lab.id,
            title: &lab.title,
            variant: lab.broken.as_deref(),
            mode: finished.mode,
            note: finished.note.as_deref(),
            door: finished.door,
            stack: finished.stack,
            notes: finished.notes(lab),
            seed: finished.seed,
            passed: lesson.passed,
            interrupted: finished.interrupted,
            duration_ns: finished.ended.as_nanos(),
            programs: programs(recorder),
            captures: recorder.nodes().map(capture).collect(),
            verdicts: &finished.verdicts,
            predictions: PredictionReport::all(lab, lesson),
            changes: lesson.changes.as_ref().ok().and_then(Option::as_ref),
            failures: &finished.failures,
            next: lesson.next.as_ref(),
        }
    }
}
