//! Our own scripts, written from the RFCs: each passes, and each of its mutants fails.
//!
//! A script that would pass whatever the stack does is worth nothing, and neither is an interpreter that would let it. So
//! each expectation of each script is falsified in turn, in every way that packets and results have, and the script must
//! then fail, and on that line or later.

#[cfg(feature = "cli")]
mod command;
mod mutants;

use std::fs;
use std::path::{Path, PathBuf};

use wireglass::drill::language::script::Script;
use wireglass::drill::run::{Options, Outcome, Verdict, run};
use wireglass::stack::StackKind;

use mutants::mutants;

/// Every script of ours, by name, with the stacks that it judges: those beside this file hold for every stack, those in
/// `native/` ask for what only ours can do or tell.
fn scripts() -> Vec<(String, Script, &'static [StackKind])> {
    let for_all = scripts_in("tests/drill").into_iter().map(|(name, script)| (name, script, &STACKS[..]));
    let for_ours = scripts_in("tests/drill/native").into_iter().map(|(name, script)| (name, script, &STACKS[..1]));
    for_all.chain(for_ours).collect()
}

fn scripts_in(folder: &str) -> Vec<(String, Script)> {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
    let entries = fs::read_dir(&dir).expect("the folder is there");
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.expect("it can be read").path()).collect();
    paths.sort();
    let scripts = paths.into_iter().filter(|path| path.extension().is_some_and(|extension| extension == "pkt"));
    scripts
        .map(|path| {
            let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
            let text = fs::read_to_string(&path).expect("it can be read");
            let script = Script::parse(&text, &name).unwrap_or_else(|error| panic!("{error}"));
            (name, script)
        })
        .collect()
}

/// Every stack that scripts can judge.
const STACKS: [StackKind; 2] = [StackKind::Native, StackKind::Smoltcp];

fn outcome(script: &Script, stack: StackKind) -> Outcome {
    run(script, &Options { stack, ..Options::default() }).0
}

#[test]
fn every_script_of_ours_passes() {
    let scripts = scripts();
    assert!(scripts.len() >= 20, "only {} scripts", scripts.len());
    for (name, script, stacks) in scripts {
        for &stack in stacks {
            let outcome = outcome(&script, stack);
            assert_eq!(outcome.verdict, Verdict::Passed, "{name} on {stack}: {:#?}", outcome.transcript);
        }
    }
}

#[test]
fn every_mutant_of_every_script_fails_where_it_was_falsified_or_later() {
    let mut count = 0;
    for (name, script, stacks) in scripts() {
        let mutants = mutants(&script);
        assert!(mutants.len() >= 3, "{name} states hardly anything");
        for (mutant, stack) in mutants.iter().flat_map(|mutant| stacks.iter().map(move |stack| (mutant, *stack))) {
            let outcome = outcome(&mutant.script, stack);
            let Verdict::Failed(failure) = &outcome.verdict else {
                panic!("{name}:{}: {}: {:?}", mutant.line, mutant.what, outcome.verdict);
            };
            // A call that sleeps is judged when it returns, so events before it in the script may be judged after it.
            assert!(
                failure.line >= mutant.line,
                "{name}:{}: {}: failed at {} already",
                mutant.line,
                mutant.what,
                failure.line
            );
            count += 1;
        }
    }
    assert!(count > 1000, "only {count} mutants");
}

#[test]
fn a_run_comes_out_the_same_every_time() {
    for (name, script, stacks) in scripts() {
        for &stack in stacks {
            let options = Options { stack, whole_transcript: true, capture: true, ..Options::default() };
            assert_eq!(run(&script, &options), run(&script, &options), "{name} on {stack}");
        }
    }
}

#[test]
fn the_script_of_the_guide_is_as_the_guide_says() {
    let guide = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/drill.md");
    let guide = fs::read_to_string(guide).expect("the guide is there");
    let script = guide.split("```").nth(1).expect("the first block is a script");
    let ran = |text: &str| {
        outcome(&Script::parse(text, "guide").unwrap_or_else(|error| panic!("{error}")), StackKind::Native).verdict
    };
    assert_eq!(ran(script.trim_start()), Verdict::Passed);
    let changed = script.trim_start().replace("1:6(5) ack 1", "1:6(5) ack 2");
    assert!(matches!(ran(&changed), Verdict::Failed(failure) if failure.line == 13), "{changed}");
}
