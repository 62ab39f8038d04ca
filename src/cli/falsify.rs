//! `wireglass check LAB --falsify`: whether the checks of a lab can fail.

use serde::Serialize;

use super::meant::FalsifyTask;
use super::terminal::Terminal;
use super::{Failure, Outcome};
use crate::lab::{Catalogue, Falsified, Proof};
use crate::report;

#[derive(Serialize)]
struct Document<'a> {
    lab: &'a str,
    passed: bool,
    proofs: &'a [Proof],
}

/// Falsifies every check, and tells which did not turn red.
pub(super) fn falsify(task: &FalsifyTask, terminal: &Terminal) -> Result<Outcome, Failure> {
    let lab = Catalogue::built_in().find(&task.lab)?;
    let proofs = crate::lab::falsify(&lab).map_err(|error| Failure::Input(error.to_string()))?;
    let passed = !proofs.iter().any(|proof| proof.result.is_unproven());
    if task.json {
        terminal.print_json(&Document { lab: &lab.id, passed, proofs: &proofs })?;
    } else {
        let style = terminal.style(false);
        let mut out = format!("{} {}\n\n", terminal.bold(&lab.id), lab.title);
        for proof in &proofs {
            let on = if lab.stacks.len() > 1 { format!(" on {}", proof.stack) } else { String::new() };
            out.push_str(&format!("{} {}{on}\n", word(*terminal, proof.result), proof.check));
            out.push_str(&report::paragraph(&told(proof), INDENT, &style));
        }
        out.push_str(&format!("\n{}\n", sum(&proofs)));
        terminal.print(&out)?;
    }
    Ok(if passed { Outcome::Well } else { Outcome::Failed })
}

/// Where what was done and measured begins: behind the word.
const INDENT: usize = 8;

/// What came of a falsifier, in a word.
fn word(terminal: Terminal, result: Falsified) -> String {
    match result {
        Falsified::Red => terminal.green("red    "),
        Falsified::Unsaid => terminal.yellow("no word"),
        Falsified::Green | Falsified::Unchanged | Falsified::Unknown | Falsified::RedBefore => {
            terminal.yellow("NOT RED")
        }
    }
}

/// `rule lose-one taken away: 0 packets; expected 1`
fn told(proof: &Proof) -> String {
    let Proof { by, result, measured, .. } = proof;
    let why = match result {
        Falsified::Red | Falsified::Unsaid => "",
        Falsified::Green => "it holds all the same: ",
        Falsified::Unchanged => "that changes nothing, no packet and no verdict: ",
        Falsified::Unknown => "nobody can tell: ",
        Falsified::RedBefore => "it does not hold in the lab as it is: ",
    };
    let by = by.as_ref().map(|by| format!("{by}: ")).unwrap_or_default();
    format!("{by}{why}{measured}")
}

/// How many are proven.
fn sum(proofs: &[Proof]) -> String {
    let count = |is: fn(&Proof) -> bool| proofs.iter().filter(|proof| is(proof)).count();
    let unsaid = count(|proof| proof.result == Falsified::Unsaid);
    let unproven = count(|proof| proof.result.is_unproven());
    let mut told = format!("{} of {} turned red", proofs.len() - unsaid - unproven, proofs.len());
    if unproven > 0 {
        told.push_str(&format!(", {unproven} did not"));
    }
    if unsaid > 0 {
        told.push_str(&format!(", {unsaid} without `falsified_by`"));
    }
    told
}
