//! Keeps docs/conformance.md true: every number is there once, and every test that it names exists.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// A row of one of the tables: what it is about, and what stands where the tests are named.
struct Row {
    subject: String,
    tests: String,
}

/// The rows of the table under the heading that begins with `title`.
fn table(document: &str, title: &str) -> Vec<Row> {
    let heading = format!("## {title}");
    let lines = document.lines().skip_while(|line| !line.starts_with(&heading)).skip(1);
    let rows = lines.take_while(|line| !line.starts_with("## ")).filter(|line| line.starts_with('|')).skip(2);
    rows.map(|line| line.trim_matches('|').split('|').map(|cell| cell.trim().to_owned()).collect::<Vec<_>>())
        .map(|cells| {
            assert_eq!(cells.len(), 3, "a row of three cells: {cells:?}");
            Row { subject: cells[0].clone(), tests: cells[2].clone() }
        })
        .collect()
}

/// What stands between backquotes.
fn quoted(text: &str) -> Vec<&str> {
    text.split('`').skip(1).step_by(2).collect()
}

/// What is wrong with a row: it names no test and gives no reason, or a test that is not there.
fn complaints(row: &Row, sources: &Path) -> Vec<String> {
    let tests = quoted(&row.tests);
    if tests.is_empty() && !row.tests.starts_with("not done") {
        return vec![format!("{}: no test, and no reason why", row.subject)];
    }
    let missing = tests.iter().filter(|test| !exists(test, sources));
    missing.map(|test| format!("{}: there is no test {test}", row.subject)).collect()
}

/// Whether there is a test of this path: `tcp::tests::opening::a_sentence` stands in `tcp/tests/opening.rs`.
fn exists(test: &str, sources: &Path) -> bool {
    let parts: Vec<&str> = test.split("::").collect();
    let Some((name, modules)) = parts.split_last() else { return false };
    // Modules without a file of their own stand in the file of the module around them.
    let files = (1..=modules.len()).rev().flat_map(|depth| {
        let path: PathBuf = modules[..depth].iter().collect();
        [sources.join(&path).with_extension("rs"), sources.join(&path).join("mod.rs")]
    });
    let text = files.into_iter().find_map(|file| fs::read_to_string(file).ok()).unwrap_or_default();
    has_test(&text, name)
}

/// Whether `text` has a function `name` with the attribute of a test.
fn has_test(text: &str, name: &str) -> bool {
    let signature = format!("fn {name}(");
    let lines: Vec<&str> = text.lines().map(str::trim_start).collect();
    let found = lines.iter().position(|line| line.starts_with(&signature));
    found.is_some_and(|at| at > 0 && lines[at - 1] == "#[test]")
}

fn document() -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/conformance.md")).expect("it is there")
}

fn sources() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src")
}

#[test]
fn every_test_that_the_tables_name_exists() {
    let document = document();
    let titles = ["The musts", "Shoulds", "Its companions", "The behaviours"];
    let rows: Vec<Row> = titles.iter().flat_map(|title| table(&document, title)).collect();
    assert!(rows.len() > 100);
    let wrong: Vec<String> = rows.iter().flat_map(|row| complaints(row, &sources())).collect();
    assert!(wrong.is_empty(), "\n{}\n", wrong.join("\n"));
}

#[test]
fn every_must_and_every_behaviour_is_there_once() {
    let document = document();
    for (title, last) in [("The musts", 69), ("The behaviours", 39)] {
        let numbers: Vec<u32> =
            table(&document, title).iter().map(|row| row.subject.parse().expect("a number")).collect();
        assert_eq!(numbers, (1..=last).collect::<Vec<u32>>(), "{title}");
    }
}

#[test]
fn a_test_of_the_tables_that_is_gone_is_noticed() {
    let row = |tests: &str| Row { subject: "7".to_owned(), tests: tests.to_owned() };
    assert_eq!(complaints(&row("`tcp::tests::opening::gone`"), &sources()).len(), 1);
    assert_eq!(complaints(&row("`tcp::tests::gone::two_syns_that_cross_make_one_connection`"), &sources()).len(), 1);
    assert_eq!(complaints(&row(""), &sources()), ["7: no test, and no reason why"]);
    assert!(complaints(&row("not done, because"), &sources()).is_empty());
    assert!(!has_test("fn helper() {}", "helper") && has_test("#[test]\nfn one() {}", "one"));
    let names: BTreeSet<&str> = quoted("`a::b`<br>`c::d`").into_iter().collect();
    assert_eq!(names, BTreeSet::from(["a::b", "c::d"]));
}
