//! The labs of the repository, run: what they claim holds, what is broken turns red, what the guides show is real.

use std::net::IpAddr;
use std::path::Path;

use super::{Catalogue, Definition, Entry, Falsifier, Finished, Mode, Options, Wanted, run};
use crate::check::{Outcome, Verdict};
use crate::journal::Entry as Line;
use crate::report::{self, Ends, Ladder, Lane, Side, Style};

fn labs() -> Vec<Entry> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("labs");
    Catalogue::in_folder(&folder).expect("the labs are there").entries().to_vec()
}

fn simulated(lab: &Definition) -> Finished {
    let options = Options { wanted: Wanted::Only(Mode::Sim), ..Options::default() };
    let finished = run(lab, &options).expect("a simulation needs nothing");
    assert!(finished.failures.is_empty(), "{}: every step goes well", lab.id);
    finished
}

fn failed(verdicts: &[Verdict]) -> Vec<&str> {
    let not_passed = verdicts.iter().filter(|verdict| verdict.outcome != Outcome::Pass);
    not_passed.map(|verdict| verdict.id.as_str()).collect()
}

#[test]
fn every_claim_of_every_lab_holds_in_simulation() {
    for entry in labs() {
        let lab = Definition::parse(&entry.file, &entry.text).expect("each lab is right");
        let finished = simulated(&lab);
        assert!(finished.verdicts.len() > lab.checks.len(), "{}: integrity is judged too", lab.id);
        assert_eq!(failed(&finished.verdicts), [""; 0], "{}", lab.id);
    }
}

#[test]
fn every_break_turns_the_check_red_that_it_names() {
    for entry in labs() {
        let lab = Definition::parse(&entry.file, &entry.text).expect("each lab is right");
        for each in &lab.breaks {
            let mut broken = lab.with_break(&each.name).expect("the lab has it");
            if each.has_own_checks {
                assert_eq!(failed(&simulated(&broken).verdicts), [""; 0], "{} --break {}", lab.id, each.name);
            }
            // The lab's own claims, held against the broken run.
            broken.checks.clone_from(&lab.checks);
            let verdicts = simulated(&broken).verdicts;
            let red = failed(&verdicts);
            assert!(red.contains(&each.turns_red.as_str()), "{} --break {}: {red:?}", lab.id, each.name);
            for (check, falsifier) in &lab.falsifiers {
                if *falsifier == Falsifier::Break(each.name.clone()) {
                    assert!(red.contains(&check.as_str()), "{} --break {}: {check} is green", lab.id, each.name);
                }
            }
        }
    }
}

#[test]
fn the_ladders_in_the_guides_are_those_of_the_simulation() {
    for entry in labs() {
        let lab = Definition::parse(&entry.file, &entry.text).expect("each lab is right");
        assert_shows(&entry.guide, &lab);
    }
}

#[test]
fn the_ladder_in_the_readme_is_that_of_the_simulation() {
    let catalogue = Catalogue::in_folder(Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/labs"))).expect("the labs");
    let lab = catalogue.find("20-rto-backoff").expect("the lab that the README shows");
    assert_shows(include_str!("../../README.md"), &lab);
}

/// Every line of the text's ladders is one of the lab's simulation.
fn assert_shows(text: &str, lab: &Definition) {
    let drawn = ladder(lab, &simulated(lab));
    let real: Vec<&str> = drawn.lines().map(str::trim).collect();
    let shown: Vec<&str> = text.split("```ladder\n").skip(1).filter_map(|part| part.split("```").next()).collect();
    assert!(!shown.is_empty(), "{}: a guide shows a ladder", lab.id);
    for line in shown.iter().flat_map(|block| block.lines()).map(str::trim) {
        assert!(real.contains(&line), "{}: the simulation has no line\n{line}\nin\n{drawn}", lab.id);
    }
}

fn ladder(lab: &Definition, finished: &Finished) -> String {
    let link = &lab.links[0];
    let lane = |end: usize| {
        let node = link.ends[end];
        Lane { name: &lab.nodes[usize::from(node.0)].name, node }
    };
    let entries: Vec<&Line> = finished.recorder.journal().entries().collect();
    let names = lab.names();
    let ladder = Ladder {
        records: finished.recorder.records(link.ends[0]),
        far_records: Some(finished.recorder.records(link.ends[1])),
        entries: &entries,
        ends: Some(Ends { left: lane(0), right: lane(1), vantage: Side::Left }),
        name_of: &|address: IpAddr| names.name_of(address).map(str::to_owned),
    };
    report::ladder(&ladder, &Style::plain(GUIDE_WIDTH))
}

/// Columns of the ladders in the guides.
const GUIDE_WIDTH: usize = 100;
