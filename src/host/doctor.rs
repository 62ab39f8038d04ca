//! What this machine can do for labs: what is fine, what is missing, what that costs, and the command that mends it.
//!
//! Nothing is inferred that can be tried: a holder is started and each door opened in a node of its own, exactly as a live
//! run does ([`LiveTrial`]); all of it vanishes with the holder. The findings are data; `cli` prints them.

mod findings;
mod programs;

use std::path::PathBuf;

use serde::Serialize;

use super::{Holder, HolderConfig, HolderError, NodeSetup};
use crate::door::DoorKind;

/// What the doctor cannot know by itself.
#[derive(Clone, Debug)]
pub struct Surroundings {
    /// How a live run would start its holder.
    pub holder: HolderConfig,
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

/// Every door, best first.
const DOORS: [DoorKind; 3] = [DoorKind::Tun, DoorKind::Tap, DoorKind::Veth];

/// What a live run would meet here.
struct LiveTrial {
    /// How each door went, best first; `Err` when there is no holder to open one in.
    doors: Result<Vec<Attempt>, HolderError>,
}

/// How one door went.
struct Attempt {
    door: DoorKind,
    /// Why it stayed shut; `None` when it opened.
    refusal: Option<HolderError>,
}

impl LiveTrial {
    /// Starts a holder, opens every door in a node of its own, and ends it all.
    fn hold(config: HolderConfig) -> LiveTrial {
        let open = |holder: &Holder, door: DoorKind| {
            let node = NodeSetup { door: Some(door), ..NodeSetup::named(&format!("doctor-{door}")) };
            Attempt { door, refusal: holder.add_node(node).err() }
        };
        LiveTrial { doors: Holder::start(config).map(|holder| DOORS.map(|door| open(&holder, door)).into()) }
    }

    /// The doors that opened.
    fn open_doors(&self) -> Vec<DoorKind> {
        let tried = self.doors.iter().flatten();
        tried.filter(|attempt| attempt.refusal.is_none()).map(|attempt| attempt.door).collect()
    }

    /// Why `door` did not open; `None` when it did, or when there was no holder to open it in.
    fn refusal(&self, door: DoorKind) -> Option<&HolderError> {
        self.doors.iter().flatten().find(|attempt| attempt.door == door)?.refusal.as_ref()
    }
}

/// Looks at everything.
pub fn examine(surroundings: Surroundings) -> Examination {
    let trial = LiveTrial::hold(surroundings.holder);
    let output = findings::output(&surroundings.out);
    let labs_can_run = output.verdict == Verdict::Ok;
    let findings = vec![
        findings::namespaces(&trial),
        findings::devices(&trial),
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
    Examination { findings, live_doors: trial.open_doors(), labs_can_run }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    /// A trial in which these doors stayed shut.
    pub(super) fn trial_without(shut: &[(DoorKind, HolderError)]) -> LiveTrial {
        let refusal = |door| shut.iter().find(|(other, _)| *other == door).map(|(_, error)| error.clone());
        LiveTrial { doors: Ok(DOORS.map(|door| Attempt { door, refusal: refusal(door) }).into()) }
    }

    #[test]
    fn a_closed_tun_device_leaves_the_veth_door() {
        let trial = trial_without(&[(DoorKind::Tun, HolderError::TunClosed), (DoorKind::Tap, HolderError::TunClosed)]);
        assert_eq!(trial.open_doors(), [DoorKind::Veth]);
    }

    #[test]
    fn without_a_holder_no_door_is_open() {
        let program = Path::new("/nonexistent/wireglass").to_owned();
        let trial = LiveTrial::hold(HolderConfig { program, ..HolderConfig::default() });
        assert_eq!(trial.open_doors(), []);
        assert!(trial.doors.is_err_and(|error| error.to_string().contains("/nonexistent/wireglass")));
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
