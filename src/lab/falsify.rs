//! Whether checks can fail: what falsifies each is done, in simulation, and looked at.
//!
//! A check that stays green whatever happens teaches nothing, so each names what turns it red (`falsified_by`).

use serde::Serialize;

use super::run::RunError;
use super::{Definition, Falsifier, Finished, Mode, Options, Wanted, run};
use crate::capture::Record;
use crate::check::{Outcome, Verdict};
use crate::journal::NodeId;
use crate::stack::StackKind;

/// What became of one check on one stack when what falsifies it was done.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Proof {
    /// The check's id.
    pub check: String,
    /// The stack.
    pub stack: StackKind,
    /// What was done, in words: `rule lose-one taken away`; `None` when the check does not say.
    pub by: Option<String>,
    /// What came of it.
    pub result: Falsified,
    /// What was measured then, or a reason.
    pub measured: String,
}

/// What came of a falsifier.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Falsified {
    /// The check turned red: it can fail.
    Red,
    /// It holds all the same.
    Green,
    /// It holds all the same, and no wonder: every packet and every verdict is as without the falsifier.
    Unchanged,
    /// The evidence did not answer it: nobody looked.
    Unknown,
    /// It does not hold in the lab as it is, so that red proves nothing.
    RedBefore,
    /// The check does not say what falsifies it.
    Unsaid,
}

impl Falsified {
    /// Whether something was to turn the check red, and did not.
    pub fn is_unproven(self) -> bool {
        match self {
            Falsified::Green | Falsified::Unchanged | Falsified::Unknown | Falsified::RedBefore => true,
            Falsified::Red | Falsified::Unsaid => false,
        }
    }
}

/// Runs what falsifies each check of `lab`, on every stack that its claims are about. In the order of the file, each check
/// on all its stacks.
///
/// # Errors
/// As [`run()`] has them.
pub fn falsify(lab: &Definition) -> Result<Vec<Proof>, RunError> {
    let as_it_is: Vec<Finished> = lab.stacks.iter().map(|stack| simulated(lab, *stack)).collect::<Result<_, _>>()?;
    let mut proofs = Vec::new();
    for check in lab.checks.iter().map(|check| check.id.as_str()) {
        let falsified = lab.falsified(check);
        for before in &as_it_is {
            let proof = |result, measured: &str| Proof {
                check: check.to_owned(),
                stack: before.stack,
                by: lab.falsifiers.get(check).map(told),
                result,
                measured: measured.to_owned(),
            };
            let Some(falsified) = &falsified else {
                proofs.push(proof(Falsified::Unsaid, "says nothing: add `falsified_by`"));
                continue;
            };
            let holds = verdict(before, check).filter(|verdict| verdict.outcome == Outcome::Pass);
            let Some(holds) = holds else {
                let measured = verdict(before, check).map_or("", |verdict| verdict.measured.as_str());
                proofs.push(proof(Falsified::RedBefore, measured));
                continue;
            };
            let after = simulated(falsified, before.stack)?;
            let (outcome, measured) = verdict(&after, check)
                .map_or((holds.outcome, ""), |verdict| (verdict.outcome, verdict.measured.as_str()));
            let result = match outcome {
                Outcome::Fail => Falsified::Red,
                Outcome::Unknown => Falsified::Unknown,
                Outcome::Pass if is_same(lab, before, &after) => Falsified::Unchanged,
                Outcome::Pass => Falsified::Green,
            };
            proofs.push(proof(result, measured));
        }
    }
    Ok(proofs)
}

fn simulated(lab: &Definition, stack: StackKind) -> Result<Finished, RunError> {
    run(lab, &Options { wanted: Wanted::Only(Mode::Sim), stack, ..Options::default() })
}

fn verdict<'f>(finished: &'f Finished, check: &str) -> Option<&'f Verdict> {
    finished.verdicts.iter().find(|verdict| verdict.id == check)
}

/// What was done, in words.
fn told(falsifier: &Falsifier) -> String {
    match falsifier {
        Falsifier::Break(name) => format!("break {name}"),
        Falsifier::Fault(name) => format!("fault {name}"),
        Falsifier::Rule(id) => format!("rule {id} taken away"),
        Falsifier::Set(paths) => format!("set {}", paths.join(", ")),
    }
}

/// Whether two runs came to the same: every packet at every node, and every verdict.
fn is_same(lab: &Definition, one: &Finished, other: &Finished) -> bool {
    let packets = |finished: &Finished, node| -> Vec<(u64, Vec<u8>)> {
        let octets = |record: &Record| (record.at.as_nanos(), record.bytes.to_vec());
        finished.recorder.records(node).iter().map(octets).collect()
    };
    let mut nodes = (0..).map(NodeId).take(lab.nodes.len());
    one.verdicts == other.verdicts && nodes.all(|node| packets(one, node) == packets(other, node))
}
