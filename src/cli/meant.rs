//! What was meant: the typed arguments, checked against each other and put into the words of the other rooms.

use std::path::PathBuf;

use clap::CommandFactory;
use clap::error::ErrorKind;

use super::arguments::{
    Arguments, CheckArguments, ColorChoice, Command, DoorChoice, DrillArguments, FormatChoice, LooksArguments,
    ModeChoice, RunArguments, StackChoice,
};
use crate::capture::FileFormat;
use crate::door::DoorKind;
use crate::drill::language::Definitions;
use crate::drill::language::script::Setting;
use crate::drill::packets::compare::Exactness;
use crate::stack::StackKind;

/// A call that makes sense.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Meant {
    /// How its output shall look.
    pub(super) appearance: Appearance,
    /// What shall be done.
    pub(super) task: Task,
}

/// How the output shall look, as far as that was said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Appearance {
    /// Colour; `None` leaves it to the terminal and the environment.
    pub(super) colour: Option<bool>,
    /// Columns, more than 0; `None` leaves it to the terminal.
    pub(super) width: Option<usize>,
    /// ASCII characters only.
    pub(super) ascii: bool,
}

/// What shall be done.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Task {
    /// Run a lab.
    Run(RunTask),
    /// Judge captures that were made elsewhere.
    Check(CheckTask),
    /// See whether a lab's checks can fail.
    Falsify(FalsifyTask),
    /// Show a guide, or look after its numbers.
    Guide(GuideTask),
    /// Make a lab of one's own.
    New(NewTask),
    /// Open a shell in a lab.
    Shell(ShellTask),
    /// Run a lab on several TCPs.
    Compare(CompareTask),
    /// List the labs.
    List(ListTask),
    /// Explain a capture.
    Show(ShowTask),
    /// Open captures in Wireshark.
    Wireshark(WiresharkTask),
    /// Judge a stack by scripts.
    Drill(DrillTask),
    /// Examine the machine.
    Doctor(DoctorTask),
}

/// How to run which lab.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct RunTask {
    /// The lab as it was named: number, name or folder.
    pub(super) lab: String,
    /// Which clock and which nodes.
    pub(super) mode: WantedMode,
    /// The seed; `None` takes the lab's own.
    pub(super) seed: Option<u64>,
    /// The userspace stack.
    pub(super) stack: StackKind,
    /// Where captures and logs go; `None` is `out/LAB`.
    pub(super) out: Option<PathBuf>,
    /// The capture files' format.
    pub(super) format: FileFormat,
    /// Every header of every packet.
    pub(super) layers: bool,
    /// One JSON document.
    pub(super) json: bool,
    /// The variant to run.
    pub(super) variant: Option<String>,
    /// What happens between the packets, too.
    pub(super) verbose: bool,
    /// Whether to ask the lab's questions first; `None` asks where somebody sits at a terminal.
    pub(super) predict: Option<bool>,
    /// The node whose packets Wireshark shows; an empty name is the first. `None` opens none.
    pub(super) wireshark: Option<String>,
}

/// What to do with Wireshark.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct WiresharkTask {
    /// What to open.
    pub(super) capture: Option<PathBuf>,
    /// Whether to write the profile.
    pub(super) install_profile: bool,
}

/// Which clock and which nodes are wanted. A door exists only where a kernel does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum WantedMode {
    /// Live where this machine allows it, else sim, and say why.
    LiveOrSim,
    /// Live, or an error that says what is missing; `None` takes the best door.
    Live(Option<DoorKind>),
    /// Sim.
    Sim,
}

/// Which lab to compare on, and how.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct CompareTask {
    /// The lab as it was named.
    pub(super) lab: String,
    /// The seed; `None` takes the lab's own.
    pub(super) seed: Option<u64>,
    /// The variant to run.
    pub(super) variant: Option<String>,
    /// The folder of the columns' captures; `None` keeps none.
    pub(super) out: Option<PathBuf>,
    /// One JSON document.
    pub(super) json: bool,
}

/// Where to open a shell, and which.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct ShellTask {
    /// The lab as it was named.
    pub(super) lab: String,
    /// The node; `None` is the first that is a kernel.
    pub(super) node: Option<String>,
    /// The door; `None` is the best that opens.
    pub(super) door: Option<DoorKind>,
    /// The userspace stack of the other nodes.
    pub(super) stack: StackKind,
    /// The seed; `None` takes the lab's own.
    pub(super) seed: Option<u64>,
    /// Where captures and logs go; `None` is `out/LAB`.
    pub(super) out: Option<PathBuf>,
    /// The variant.
    pub(super) variant: Option<String>,
    /// The command; empty for the caller's shell.
    pub(super) command: Vec<String>,
}

/// Which captures to hold against which lab.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct CheckTask {
    /// The lab as it was named.
    pub(super) lab: String,
    /// The files, each with the node where it was made, as far as that was said; at least one.
    pub(super) captures: Vec<(Option<String>, PathBuf)>,
    /// Where the one file was made.
    pub(super) at: Option<String>,
    /// Nodes and their addresses.
    pub(super) nodes: Vec<(String, String)>,
    /// The variant whose claims count.
    pub(super) variant: Option<String>,
    /// One JSON document.
    pub(super) json: bool,
}

/// Whose checks to falsify.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct FalsifyTask {
    /// The lab as it was named.
    pub(super) lab: String,
    /// One JSON document.
    pub(super) json: bool,
}

/// What to do with which guide.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct GuideTask {
    /// The lab as it was named.
    pub(super) lab: String,
    /// What to do.
    pub(super) action: GuideAction,
}

/// What to do with a guide.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum GuideAction {
    /// Show it, or the teacher's page.
    Show {
        /// The teacher's.
        teacher: bool,
    },
    /// Hold its numbers and commands against the run.
    Verify,
    /// Write the run's numbers into it.
    Renew,
}

/// Which lab to make.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct NewTask {
    /// The folder to make.
    pub(super) folder: String,
    /// The lab to copy.
    pub(super) from: Option<String>,
}

/// How to list the labs.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct ListTask {
    /// The course to list.
    pub(super) track: Option<String>,
    /// One JSON document.
    pub(super) json: bool,
}

/// Which capture to explain, and how.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct ShowTask {
    /// The capture.
    pub(super) file: PathBuf,
    /// Every header of every packet.
    pub(super) layers: bool,
    /// One JSON document.
    pub(super) json: bool,
    /// Every packet, with its window.
    pub(super) verbose: bool,
}

/// Which scripts to run, and how.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct DrillTask {
    /// Scripts and folders.
    pub(super) files: Vec<PathBuf>,
    /// The stack under test.
    pub(super) stack: StackKind,
    /// How much counts.
    pub(super) exactness: Exactness,
    /// What words of the scripts stand for.
    pub(super) definitions: Definitions,
    /// Options as scripts have them in their first lines.
    pub(super) options: Vec<Setting>,
    /// Show all that happens.
    pub(super) trace: bool,
    /// Where captures go.
    pub(super) capture: Option<PathBuf>,
    /// One JSON document.
    pub(super) json: bool,
}

/// How to report on the machine.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct DoctorTask {
    /// One JSON document.
    pub(super) json: bool,
}

impl Meant {
    /// What `typed` means.
    ///
    /// # Errors
    /// A usage error when two arguments contradict each other.
    pub(super) fn by(typed: Arguments) -> Result<Meant, clap::Error> {
        let task = match typed.command {
            Command::Run(run) => Task::Run(RunTask::by(run)?),
            Command::Compare(typed) => Task::Compare(CompareTask {
                lab: typed.lab,
                seed: typed.seed,
                variant: typed.variant,
                out: typed.out,
                json: typed.json,
            }),
            Command::Shell(shell) => Task::Shell(ShellTask {
                lab: shell.lab,
                node: shell.node,
                door: shell.door.kind(),
                stack: shell.stack.into(),
                seed: shell.seed,
                out: shell.out,
                variant: shell.variant,
                command: shell.command,
            }),
            Command::Check(check) if check.falsify => Task::Falsify(FalsifyTask { lab: check.lab, json: check.json }),
            Command::Check(check) => Task::Check(CheckTask::by(check)?),
            Command::Guide(guide) => Task::Guide(GuideTask {
                lab: guide.lab,
                action: match (guide.verify, guide.renew) {
                    (true, _) => GuideAction::Verify,
                    (_, true) => GuideAction::Renew,
                    (false, false) => GuideAction::Show { teacher: guide.teacher },
                },
            }),
            Command::New(new) => Task::New(NewTask { folder: new.folder, from: new.from }),
            Command::List(list) => Task::List(ListTask { track: list.track, json: list.json }),
            Command::Show(show) => {
                Task::Show(ShowTask { file: show.file, layers: show.layers, json: show.json, verbose: show.verbose })
            }
            Command::Drill(drill) => Task::Drill(DrillTask::by(drill)?),
            Command::Wireshark(typed) => {
                Task::Wireshark(WiresharkTask { capture: typed.capture, install_profile: typed.install_profile })
            }
            Command::Doctor(doctor) => Task::Doctor(DoctorTask { json: doctor.json }),
        };
        Ok(Meant { appearance: Appearance::by(&typed.looks), task })
    }
}

impl Appearance {
    fn by(typed: &LooksArguments) -> Appearance {
        let colour = match typed.color {
            ColorChoice::Auto => None,
            ColorChoice::Always => Some(true),
            ColorChoice::Never => Some(false),
        };
        Appearance { colour, width: typed.width.map(|width| width as usize), ascii: typed.ascii }
    }
}

impl RunTask {
    fn by(typed: RunArguments) -> Result<RunTask, clap::Error> {
        Ok(RunTask {
            mode: WantedMode::by(typed.mode, typed.door)?,
            lab: typed.lab,
            seed: typed.seed,
            stack: typed.stack.into(),
            out: typed.out,
            format: match typed.format {
                FormatChoice::Pcapng => FileFormat::Pcapng,
                FormatChoice::Pcap => FileFormat::Pcap,
            },
            layers: typed.layers,
            json: typed.json,
            variant: typed.variant,
            verbose: typed.verbose,
            wireshark: typed.wireshark,
            predict: match (typed.predict, typed.no_predict) {
                (true, _) => Some(true),
                (_, true) => Some(false),
                (false, false) => None,
            },
        })
    }
}

impl CheckTask {
    fn by(typed: CheckArguments) -> Result<CheckTask, clap::Error> {
        let refuse = |text: String| Arguments::command().error(ErrorKind::ValueValidation, text);
        let capture = |typed: &str| match typed.split_once('=') {
            Some((node, file)) if !node.is_empty() && !node.contains('/') => {
                (Some(node.to_owned()), PathBuf::from(file))
            }
            Some(_) | None => (None, PathBuf::from(typed)),
        };
        let captures: Vec<_> = typed
            .captures
            .iter()
            .flat_map(|typed| typed.split(','))
            .filter(|file| !file.is_empty())
            .map(capture)
            .collect();
        if captures.is_empty() {
            return Err(refuse("--capture names a file, such as mine.pcapng or client=mine.pcapng".to_owned()));
        }
        if typed.at.is_some() && captures.len() > 1 {
            let text = "--at is for one capture; of several, each says where it was made: --capture client=a.pcap,server=b.pcap";
            return Err(refuse(text.to_owned()));
        }
        let node = |typed: &String| {
            let parts = typed.split_once('=').map(|(name, address)| (name.to_owned(), address.to_owned()));
            parts.ok_or_else(|| {
                refuse(format!("--node {typed}: write a node and its address, such as client=192.168.0.1"))
            })
        };
        Ok(CheckTask {
            lab: typed.lab,
            captures,
            at: typed.at,
            nodes: typed.nodes.iter().map(node).collect::<Result<_, _>>()?,
            variant: typed.variant,
            json: typed.json,
        })
    }
}

impl DrillTask {
    fn by(typed: DrillArguments) -> Result<DrillTask, clap::Error> {
        let mut definitions = Definitions::new();
        for definition in &typed.definitions {
            definitions
                .define(definition)
                .map_err(|error| Arguments::command().error(ErrorKind::ValueValidation, error))?;
        }
        let setting = |option: &String| {
            let (name, value) =
                option.split_once('=').map_or((option.as_str(), None), |(name, value)| (name, Some(value)));
            let name = name.trim_start_matches('-').to_owned();
            Setting { line: 0, name, value: value.map(str::to_owned) }
        };
        Ok(DrillTask {
            files: typed.files,
            stack: typed.stack.into(),
            exactness: if typed.by_meaning { Exactness::ByMeaning } else { Exactness::Strict },
            definitions,
            options: typed.options.iter().map(setting).collect(),
            trace: typed.trace,
            capture: typed.capture,
            json: typed.json,
        })
    }
}

impl From<StackChoice> for StackKind {
    fn from(typed: StackChoice) -> StackKind {
        match typed {
            StackChoice::Native => StackKind::Native,
            StackChoice::Smoltcp => StackKind::Smoltcp,
        }
    }
}

impl DoorChoice {
    /// The door; `None` for the best.
    fn kind(self) -> Option<DoorKind> {
        match self {
            DoorChoice::Auto => None,
            DoorChoice::Tun => Some(DoorKind::Tun),
            DoorChoice::Tap => Some(DoorKind::Tap),
            DoorChoice::Veth => Some(DoorKind::Veth),
        }
    }
}

impl WantedMode {
    /// Whoever names a door wants a live run, and no silent simulation in its place.
    fn by(mode: Option<ModeChoice>, door: DoorChoice) -> Result<WantedMode, clap::Error> {
        match (mode, door.kind()) {
            (Some(ModeChoice::Sim), Some(door)) => Err(Arguments::command().error(
                ErrorKind::ArgumentConflict,
                format!("--door {door} needs a kernel behind it, and --mode sim has none; leave one of them out"),
            )),
            (Some(ModeChoice::Sim), None) => Ok(WantedMode::Sim),
            (Some(ModeChoice::Live), door) | (None, door @ Some(_)) => Ok(WantedMode::Live(door)),
            (None, None) => Ok(WantedMode::LiveOrSim),
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    fn meant(line: &str) -> Result<Meant, clap::Error> {
        Meant::by(Arguments::try_parse_from(line.split_whitespace())?)
    }

    fn run(line: &str) -> RunTask {
        match meant(line).map(|meant| meant.task) {
            Ok(Task::Run(task)) => task,
            other => panic!("{line}: {other:?}"),
        }
    }

    #[test]
    fn a_bare_run_wants_live_or_else_sim_with_the_labs_own_seed() {
        assert_eq!(
            run("wireglass run 10"),
            RunTask {
                lab: "10".to_owned(),
                mode: WantedMode::LiveOrSim,
                seed: None,
                stack: StackKind::Native,
                out: None,
                format: FileFormat::Pcapng,
                layers: false,
                json: false,
                variant: None,
                verbose: false,
                predict: None,
                wireshark: None,
            }
        );
        assert_eq!(run("wireglass run 10 --wireshark").wireshark, Some(String::new()));
        assert_eq!(run("wireglass run 10 --wireshark=server --json").wireshark.as_deref(), Some("server"));
        assert!(meant("wireglass wireshark").is_err());
        assert_eq!(run("wireglass run 10 --predict").predict, Some(true));
        assert_eq!(run("wireglass run 10 --no-predict").predict, Some(false));
        assert!(meant("wireglass run 10 --predict --no-predict").is_err());
    }

    #[test]
    fn mode_and_door_are_read_together() {
        for (arguments, mode) in [
            ("--mode sim", WantedMode::Sim),
            ("--mode live", WantedMode::Live(None)),
            ("--mode live --door tap", WantedMode::Live(Some(DoorKind::Tap))),
            ("--door veth", WantedMode::Live(Some(DoorKind::Veth))),
            ("--door auto", WantedMode::LiveOrSim),
        ] {
            assert_eq!(run(&format!("wireglass run 10 {arguments}")).mode, mode, "{arguments}");
        }
    }

    #[test]
    fn a_door_into_a_simulation_is_a_usage_error() {
        let error = meant("wireglass run 10 --mode sim --door tun").expect_err("it makes no sense");
        assert_eq!(error.exit_code(), 2);
        assert!(error.to_string().contains("--door tun needs a kernel"), "{error}");
    }

    #[test]
    fn looks_may_stand_before_or_after_the_command() {
        let wanted = Appearance { colour: Some(false), width: Some(120), ascii: true };
        for line in
            ["wireglass --color never --width 120 --ascii list", "wireglass list --color never --width 120 --ascii"]
        {
            assert_eq!(meant(line).expect("it makes sense").appearance, wanted, "{line}");
        }
    }

    #[test]
    fn a_width_that_is_none_is_a_usage_error() {
        for width in ["0", "-1", "wide", "80.5"] {
            let error = meant(&format!("wireglass list --width={width}")).expect_err(width);
            assert_eq!(error.exit_code(), 2, "{width}");
        }
        assert_eq!(meant("wireglass list --width 200").expect("a terminal may be so wide").appearance.width, Some(200));
    }
}
