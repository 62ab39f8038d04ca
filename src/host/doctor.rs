//! What this machine can do for labs: what is fine, what is missing, what that costs, and the command that mends it.
//!
//! Nothing is inferred that can be tried: namespaces, devices and sockets are really made, by a short-lived process of
//! our own binary ([`trial`]) in namespaces of its own, which vanish with it. All is returned as data; `cli` prints it.

pub mod trial;

mod findings;
mod programs;

use std::path::PathBuf;

use serde::Serialize;

use crate::door::DoorKind;
use trial::Trial;

/// What the doctor cannot know by itself.
#[derive(Clone, Debug)]
pub struct Surroundings {
    /// The binary to try namespaces with: `/proc/self/exe` of `wireglass`, called with [`trial::ARGUMENT`].
    pub program: PathBuf,
    /// Where captures would be written.
    pub out: PathBuf,
    /// What the terminal shows.
    pub terminal: Screen,
}

/// What the terminal shows.
#[derive(Clone, Copy, Debug)]
pub struct Screen {
    /// Whether the output goes to a terminal at all.
    pub is_terminal: bool,
    /// Columns used for ladders.
    pub width: usize,
    /// Whether colour is used.
    pub colour: bool,
    /// Whether the locale has arrows and lines (UTF-8).
    pub unicode: bool,
}

/// The doctor's findings.
#[derive(Clone, Debug, Serialize)]
pub struct Examination {
    /// One line each, in the order in which a run needs them.
    pub findings: Vec<Finding>,
    /// The doors that live runs of this user can take, best first; empty when only simulation is possible.
    pub live_doors: Vec<DoorKind>,
    /// Whether labs can run at all. Simulation needs nothing but a place for its captures.
    pub labs_can_run: bool,
}

/// One line.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// What was looked at: `TUN and TAP`.
    pub subject: &'static str,
    /// What is there, in a few words.
    pub found: String,
    /// What follows from it.
    #[serde(flatten)]
    pub verdict: Verdict,
}

/// What follows from a finding.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "verdict", rename_all = "kebab-case")]
pub enum Verdict {
    /// Nothing to do.
    Ok,
    /// Something is missed.
    Costs {
        /// What does not work without it.
        cost: String,
        /// The command, or the step, that mends it.
        remedy: String,
    },
}

impl Finding {
    fn ok(subject: &'static str, found: impl Into<String>) -> Finding {
        Finding { subject, found: found.into(), verdict: Verdict::Ok }
    }

    fn costs(
        subject: &'static str,
        found: impl Into<String>,
        cost: impl Into<String>,
        remedy: impl Into<String>,
    ) -> Finding {
        Finding { subject, found: found.into(), verdict: Verdict::Costs { cost: cost.into(), remedy: remedy.into() } }
    }
}

/// Looks at everything.
pub fn examine(surroundings: &Surroundings) -> Examination {
    let trial = trial::run(&surroundings.program);
    let output = findings::output(&surroundings.out);
    let labs_can_run = output.verdict == Verdict::Ok;
    let findings = vec![
        findings::devices(&trial),
        findings::namespaces(&trial),
        findings::veth(&trial),
        findings::apparmor(),
        findings::privilege(&trial),
        programs::tshark(),
        programs::wireshark(),
        programs::curl(),
        programs::dig(),
        findings::terminal(surroundings.terminal),
        output,
    ];
    Examination { findings, live_doors: live_doors(&trial), labs_can_run }
}

/// The doors that were opened in the trial.
fn live_doors(trial: &Trial) -> Vec<DoorKind> {
    if !trial.isolates() {
        return Vec::new();
    }
    let mut doors = Vec::new();
    if trial.worked(trial::Step::Tun) {
        doors.push(DoorKind::Tun);
    }
    if trial.worked(trial::Step::Tap) {
        doors.push(DoorKind::Tap);
    }
    if trial.worked(trial::Step::Veth) && trial.worked(trial::Step::PacketSocket) {
        doors.push(DoorKind::Veth);
    }
    doors
}

#[cfg(test)]
mod tests {
    use super::trial::{Attempt, Step};
    use super::*;

    fn trial_where(failed: &[Step]) -> Trial {
        let attempt = |step: Step| Attempt { step, errno: failed.contains(&step).then_some(1) };
        Trial { attempts: Step::ALL.map(attempt).to_vec(), problem: None }
    }

    #[test]
    fn a_closed_tun_device_leaves_the_veth_door() {
        assert_eq!(live_doors(&trial_where(&[Step::Tun, Step::Tap])), [DoorKind::Veth]);
    }

    #[test]
    fn without_namespaces_no_door_is_open() {
        assert_eq!(live_doors(&trial_where(&[Step::Pid])), []);
    }

    #[test]
    fn a_finding_is_one_flat_json_object() {
        let finding = Finding::costs("dig", "not found", "no real DNS queries", "sudo apt-get install bind9-dnsutils");
        assert_eq!(
            serde_json::to_string(&finding).expect("a finding is JSON"),
            r#"{"subject":"dig","found":"not found","verdict":"costs","cost":"no real DNS queries","remedy":"sudo apt-get install bind9-dnsutils"}"#
        );
    }
}
