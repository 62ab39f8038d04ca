//! Checks can fail: every check of every lab is seen red, and every break does what it says.
//!
//! A check that stays green whatever happens teaches nothing. So each names what falsifies it, and here that is done.

use std::collections::BTreeSet;
use std::fs;

use wireglass::check::{INTEGRITY_IDS, Outcome};
use wireglass::lab::{Break, Definition, Falsified, Falsifier, Finished, Mode, Options, Wanted, falsify, run};

use super::super::support::{Folder, printed, wireglass};
use super::{Ran, id_of, labs};

/// Checks that only an altered claim turns red, and why no run of ours does. All others are falsified by what happens.
const ALTERED_CLAIMS: [(&str, &str, &str); 7] = [
    ("02-one-get-four-layers", "headers-alone", "no headers of IP and TCP without data are longer"),
    ("10-three-way-handshake", "syn-acks-take-the-next-number", "no stack here answers a SYN with a wrong number"),
    ("10-three-way-handshake", "there-unharmed", "TCP's checksum catches whatever a link does to a stream"),
    ("10-three-way-handshake", "back-unharmed", "TCP's checksum catches whatever a link does to a stream"),
    ("14-tcp-vs-udp-under-loss", "tcp-keeps-the-order", "no stack here delivers a stream out of order"),
    ("20-rto-backoff", "all-there", "TCP's checksum catches whatever a link does to a stream"),
    ("21-fast-retransmit", "all-there", "TCP's checksum catches whatever a link does to a stream"),
];

/// Breaks under which a program gives up, and why. Under all others every step goes as it should.
const GIVES_UP: [(&str, &str, &str); 1] =
    [("34-pmtud-black-hole", "black-hole", "what never gets through is given up in the end")];

fn gives_up(lab: &Definition, each: &Break) -> bool {
    GIVES_UP.iter().any(|(id, name, _)| *id == lab.id && *name == each.name)
}

fn definitions() -> Vec<Definition> {
    labs().iter().map(|folder| Definition::load(folder).unwrap_or_else(|error| panic!("{error}"))).collect()
}

fn simulated(lab: &Definition) -> Finished {
    let options = Options { wanted: Wanted::Only(Mode::Sim), ..Options::default() };
    run(lab, &options).unwrap_or_else(|error| panic!("{}: {error}", lab.id))
}

/// The checks that do not pass.
fn red(finished: &Finished) -> BTreeSet<String> {
    let not_green = finished.verdicts.iter().filter(|verdict| verdict.outcome != Outcome::Pass);
    not_green.map(|verdict| verdict.id.clone()).collect()
}

#[test]
fn every_check_is_seen_red_on_every_stack_it_is_for_when_what_falsifies_it_is_done() {
    let mut unproven = Vec::new();
    for lab in definitions() {
        let proofs = falsify(&lab).unwrap_or_else(|error| panic!("{}: {error}", lab.id));
        assert_eq!(proofs.len(), lab.checks.len() * lab.stacks.len(), "{}", lab.id);
        let green = proofs.iter().filter(|proof| proof.result != Falsified::Red);
        unproven.extend(green.map(|proof| format!("{}: {proof:?}", lab.id)));
    }
    assert!(unproven.is_empty(), "{}", unproven.join("\n"));
}

/// A lab of one's own with every way in which a falsifier can be wrong.
#[test]
fn what_does_not_turn_its_check_red_is_told_and_fails() {
    let folder = Folder::new();
    let call = |arguments: &[&str]| {
        let output = wireglass(folder.path(), arguments).output().expect("the binary starts");
        (output.status.code(), printed(&output).0)
    };
    assert_eq!(call(&["new", "my-lab"]).0, Some(0));
    let (code, out) = call(&["check", "./my-lab", "--falsify"]);
    assert_eq!(code, Some(0), "what is proven: {out}");
    assert!(out.contains("one-lost") && !out.contains("NOT RED"), "{out}");
    let file = folder.path().join("my-lab/lab.toml");
    let lab = fs::read_to_string(&file).expect("it was made");
    let more = "
[[expect]]
id = \"nothing-said\"
that = \"There is data\"
count = \"data\"
at_least = 1

[[expect]]
id = \"nothing-done\"
that = \"There is data\"
count = \"data\"
at_least = 1
falsified_by = { set = { \"minutes\" = 14 } }

[[expect]]
id = \"too-little\"
that = \"There is data\"
count = \"data\"
at_least = 1
falsified_by = { break = \"nothing-lost\" }

[[expect]]
id = \"never-so\"
that = \"There is no data\"
absent = \"data\"
falsified_by = { break = \"nothing-lost\" }
";
    fs::write(&file, lab + more).expect("it is ours");
    let (code, out) = call(&["check", "./my-lab", "--falsify", "--json"]);
    assert_eq!(code, Some(1), "{out}");
    let report: serde_json::Value = serde_json::from_str(&out).expect("one document");
    let result = |check: &str| {
        let proofs = report["proofs"].as_array().into_iter().flatten();
        let mut of_it = proofs.filter(|proof| proof["check"] == check && proof["stack"] == "native");
        of_it.next().map(|proof| proof["result"].as_str().unwrap_or_default().to_owned())
    };
    for (check, is) in [
        ("one-lost", "red"),
        ("nothing-said", "unsaid"),
        ("nothing-done", "unchanged"),
        ("too-little", "green"),
        ("never-so", "red-before"),
    ] {
        assert_eq!(result(check).as_deref(), Some(is), "{report:#}");
    }
    let (code, out) = call(&["check", "./my-lab", "--falsify"]);
    assert_eq!(code, Some(1), "{out}");
    assert!(out.contains("changes nothing") && out.contains("add `falsified_by`"), "{out}");
}

#[test]
fn claims_are_altered_only_where_no_run_can_falsify_them() {
    let mut altered = BTreeSet::new();
    for lab in definitions() {
        for (check, falsifier) in &lab.falsifiers {
            let paths = match falsifier {
                Falsifier::Set(paths) => paths.as_slice(),
                Falsifier::Break(_) | Falsifier::Fault(_) | Falsifier::Rule(_) => &[],
            };
            if paths.iter().any(|path| path.starts_with("expect.") || path.starts_with("select.")) {
                altered.insert((lab.id.clone(), check.clone()));
            }
        }
    }
    let known = ALTERED_CLAIMS.map(|(lab, check, _)| (lab.to_owned(), check.to_owned()));
    assert_eq!(altered, BTreeSet::from(known));
}

#[test]
fn a_break_turns_red_what_it_names_and_what_names_it_but_harms_no_capture() {
    let mut breaks = 0;
    for lab in definitions() {
        for each in &lab.breaks {
            let mut broken = lab.with_break(&each.name).unwrap_or_else(|error| panic!("{error}"));
            broken.checks.clone_from(&lab.checks);
            let finished = simulated(&broken);
            let failures = &finished.failures;
            assert_eq!(
                failures.len(),
                usize::from(gives_up(&lab, each)),
                "{} --break {}: {failures:?}",
                lab.id,
                each.name
            );
            let by_it = Falsifier::Break(each.name.clone());
            let naming = lab.falsifiers.iter().filter(|(_, falsifier)| **falsifier == by_it).map(|(check, _)| check);
            let expected: BTreeSet<String> = naming.chain([&each.turns_red]).cloned().collect();
            let red = red(&finished);
            assert!(red.is_superset(&expected), "{} --break {}: {red:?}; expected {expected:?}", lab.id, each.name);
            let harmed = INTEGRITY_IDS.into_iter().find(|id| red.contains(*id) && !expected.contains(*id));
            assert_eq!(harmed, None, "{} --break {}", lab.id, each.name);
            // A break with claims of its own may be another experiment on the same network.
            let is_small = red.len() < finished.verdicts.len() / 2 || each.has_own_checks;
            assert!(is_small, "{} --break {} breaks it all: {red:?}", lab.id, each.name);
            breaks += 1;
        }
    }
    assert!(breaks >= 6, "only {breaks} breaks in all labs");
}

#[test]
fn under_a_break_the_program_exits_with_0_because_what_it_names_has_turned_red() {
    for folder in labs() {
        let lab = Definition::load(&folder).unwrap_or_else(|error| panic!("{error}"));
        let id = id_of(&folder);
        for each in &lab.breaks {
            let ran = Ran::of(&id, &["--mode", "sim", "--break", &each.name]);
            let named: Vec<&str> = ran.report["verdicts"]
                .as_array()
                .into_iter()
                .flatten()
                .filter(|verdict| verdict["outcome"] == "fail")
                .filter_map(|verdict| verdict["id"].as_str())
                .collect();
            let context = format!("{id} --break {}", each.name);
            let passes = !gives_up(&lab, each);
            let code = if passes { 0 } else { 1 };
            assert_eq!((ran.code, &ran.report["passed"]), (Some(code), &passes.into()), "{context}: {:#}", ran.report);
            assert_eq!(ran.report["changes"]["turns_red"], *each.turns_red, "{context}");
            assert_eq!(ran.report["changes"]["outcome"], "fail", "{context}");
            if each.has_own_checks {
                // What is true of every capture may be what it breaks.
                let is_meant = |id: &&&str| INTEGRITY_IDS.contains(id) && **id == each.turns_red;
                assert_eq!(named.iter().find(|id| !is_meant(id)), None, "{context}");
                let verdicts = ran.report["verdicts"].as_array().map_or(0, Vec::len);
                assert!(verdicts > INTEGRITY_IDS.len(), "{context} claims nothing");
            } else {
                assert!(named.contains(&each.turns_red.as_str()), "{context}: {named:?}");
            }
        }
    }
}
