//! What was typed: the grammar of the command line. What its help teaches by stands in [`super::examples`], what it means is
//! [`super::meant`]'s business.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

use super::examples::{
    CHECK_EXAMPLES, COMPARE_EXAMPLES, DOCTOR_EXAMPLES, DRILL_EXAMPLES, DRILL_EXIT_CODES, EXAMPLES, EXIT_CODES,
    GUIDE_EXAMPLES, LIST_EXAMPLES, NEW_EXAMPLES, RUN_EXAMPLES, SHELL_EXAMPLES, SHOW_EXAMPLES, WIRESHARK_EXAMPLES,
};

/// A TCP/IP stack you can see through: networking labs that run for real and explain every packet.
#[derive(Debug, Parser)]
#[command(name = "wireglass", version, after_help = EXAMPLES.to_owned() + EXIT_CODES, arg_required_else_help = true)]
pub(super) struct Arguments {
    #[command(flatten)]
    pub(super) looks: LooksArguments,
    #[command(subcommand)]
    pub(super) command: Command,
}

/// How the output looks.
#[derive(Debug, Args)]
#[command(next_help_heading = "Looks")]
pub(super) struct LooksArguments {
    /// Colour; auto is on for terminals, and honours NO_COLOR and CLICOLOR.
    #[arg(long, global = true, value_name = "WHEN", default_value = "auto")]
    pub(super) color: ColorChoice,
    /// Columns to use, at least 80 and at most 140 [default: the terminal's; 100 for files and pipes].
    #[arg(long, global = true, value_name = "N", value_parser = columns)]
    pub(super) width: Option<u32>,
    /// Draw with ASCII characters only.
    #[arg(long, global = true)]
    pub(super) ascii: bool,
}

/// Any number but 0; what is too few or too many for a ladder is fitted where the terminal is looked at.
fn columns(typed: &str) -> Result<u32, &'static str> {
    typed.parse().ok().filter(|columns| *columns > 0).ok_or("expected a number of columns, such as 100")
}

/// What to do.
#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Run a lab: its packets as a ladder, its checks, its captures.
    Run(RunArguments),
    /// Show what a lab is about, or what its teacher should know.
    Guide(GuideArguments),
    /// Hold a lab's claims against captures that were made elsewhere, or see whether they can fail.
    Check(CheckArguments),
    /// Make a lab of your own.
    New(NewArguments),
    /// Open a shell on a kernel node of a lab, with everything running.
    Shell(ShellArguments),
    /// Run a lab on several TCPs, and put their figures side by side.
    Compare(CompareArguments),
    /// List the labs.
    List(ListArguments),
    /// Explain a capture file, also one that wireglass did not write.
    Show(ShowArguments),
    /// Open a capture in Wireshark, or give Wireshark columns, colours and buttons for captures of wireglass.
    Wireshark(WiresharkArguments),
    /// Judge the stack by packetdrill scripts, in virtual time.
    Drill(DrillArguments),
    /// Look at what this machine can do, what is missing, and the command that mends it.
    Doctor(DoctorArguments),
}

/// `wireglass run`.
#[derive(Debug, Args)]
#[command(after_help = RUN_EXAMPLES.to_owned() + EXIT_CODES)]
pub(super) struct RunArguments {
    /// The lab: its number, its name or a word of it, or a folder with a lab.toml.
    pub(super) lab: String,
    /// Against the real kernel, or both ends in userspace [default: live where possible, else sim].
    #[arg(long)]
    pub(super) mode: Option<ModeChoice>,
    /// Decides every chance of the run [default: the lab's own].
    #[arg(long, value_name = "N")]
    pub(super) seed: Option<u64>,
    /// The userspace stack that the lab's nodes are made of.
    #[arg(long, default_value = "native")]
    pub(super) stack: StackChoice,
    /// How the kernel's packets come in, in live runs.
    #[arg(long, default_value = "auto")]
    pub(super) door: DoorChoice,
    /// Where captures and logs are written [default: out/LAB].
    #[arg(long, value_name = "DIR")]
    pub(super) out: Option<PathBuf>,
    /// The capture files' format.
    #[arg(long, default_value = "pcapng")]
    pub(super) format: FormatChoice,
    /// After the ladder, show every header of every packet, field by field.
    #[arg(long)]
    pub(super) layers: bool,
    /// One JSON document instead of text.
    #[arg(long)]
    pub(super) json: bool,
    /// Run one of the lab's variants that are made to go wrong.
    #[arg(long = "break", value_name = "NAME")]
    pub(super) variant: Option<String>,
    /// Ask the lab's questions before the run [default: at a terminal]; from a pipe, one answer per line.
    #[arg(long, conflicts_with = "no_predict")]
    pub(super) predict: bool,
    /// Ask nothing.
    #[arg(long)]
    pub(super) no_predict: bool,
    /// Fold nothing, cite the RFC at every packet, and show what stacks learn: round-trip times, timers, windows, holes.
    #[arg(short, long)]
    pub(super) verbose: bool,
    /// Open Wireshark: NODE's packets [default: of the first userspace stack] as they come; a short run as a whole, as a story.
    #[arg(long, value_name = "NODE", num_args = 0..=1, require_equals = true, default_missing_value = "")]
    pub(super) wireshark: Option<String>,
}

/// `wireglass wireshark`.
#[derive(Debug, Args)]
#[command(after_help = WIRESHARK_EXAMPLES.to_owned() + EXIT_CODES, arg_required_else_help = true)]
pub(super) struct WiresharkArguments {
    /// A capture, or a story, which shows what happened between the packets.
    pub(super) capture: Option<PathBuf>,
    /// Put the profile `wireglass` into your Wireshark: columns Point and Why, colours, buttons, preferences.
    #[arg(long)]
    pub(super) install_profile: bool,
}

/// `wireglass shell`.
#[derive(Debug, Args)]
#[command(after_help = SHELL_EXAMPLES.to_owned() + EXIT_CODES)]
pub(super) struct ShellArguments {
    /// The lab: its number, its name or a word of it, or a folder with a lab.toml.
    pub(super) lab: String,
    /// The node [default: the first that is a kernel].
    pub(super) node: Option<String>,
    /// How its packets come in.
    #[arg(long, default_value = "auto")]
    pub(super) door: DoorChoice,
    /// The userspace stack of the other nodes.
    #[arg(long, default_value = "native")]
    pub(super) stack: StackChoice,
    /// Decides every chance of the links [default: the lab's own].
    #[arg(long, value_name = "N")]
    pub(super) seed: Option<u64>,
    /// The folder for captures and logs [default: out/LAB].
    #[arg(long, value_name = "DIR")]
    pub(super) out: Option<PathBuf>,
    /// Open it in one of the lab's variants.
    #[arg(long = "break", value_name = "NAME")]
    pub(super) variant: Option<String>,
    /// A command with its arguments, instead of a shell.
    #[arg(last = true, value_name = "COMMAND")]
    pub(super) command: Vec<String>,
}

/// `wireglass compare`.
#[derive(Debug, Args)]
#[command(after_help = COMPARE_EXAMPLES.to_owned() + EXIT_CODES)]
pub(super) struct CompareArguments {
    /// The lab: its number, its name or a word of it, or a folder with a lab.toml. It has to move something over TCP.
    pub(super) lab: String,
    /// Decides every chance of the links [default: the lab's own].
    #[arg(long, value_name = "N")]
    pub(super) seed: Option<u64>,
    /// Take one of the lab's variants that are made to go wrong.
    #[arg(long = "break", value_name = "NAME")]
    pub(super) variant: Option<String>,
    /// Keep the captures and logs of each column, in DIR/native, DIR/smoltcp and DIR/linux [default: none are kept].
    #[arg(long, value_name = "DIR")]
    pub(super) out: Option<PathBuf>,
    /// One JSON document instead of text.
    #[arg(long)]
    pub(super) json: bool,
}

/// `wireglass guide`.
#[derive(Debug, Args)]
#[command(after_help = GUIDE_EXAMPLES.to_owned() + EXIT_CODES)]
pub(super) struct GuideArguments {
    /// The lab: its number, its name or a word of it, or a folder with a lab.toml.
    pub(super) lab: String,
    /// The teacher's page.
    #[arg(long, conflicts_with_all = ["verify", "renew"])]
    pub(super) teacher: bool,
    /// Fail when a number in the guide is not the run's, or a command of it does not work.
    #[arg(long, conflicts_with = "renew")]
    pub(super) verify: bool,
    /// Write the run's numbers into the guide; the lab is named by its folder.
    #[arg(long)]
    pub(super) renew: bool,
}

/// `wireglass check`.
#[derive(Debug, Args)]
#[command(after_help = CHECK_EXAMPLES.to_owned() + EXIT_CODES)]
pub(super) struct CheckArguments {
    /// The lab: its number, its name or a word of it, or a folder with a lab.toml.
    pub(super) lab: String,
    /// A pcap or pcapng file; several, each with the node where it was made: client=a.pcap,server=b.pcap.
    #[arg(long = "capture", required_unless_present = "falsify", value_name = "FILE")]
    pub(super) captures: Vec<String>,
    /// Instead of a capture: do what each check says falsifies it, in simulation, and see whether the check turns red.
    #[arg(long, conflicts_with_all = ["captures", "at", "nodes", "variant"])]
    pub(super) falsify: bool,
    /// The node where it was captured [default: guessed].
    #[arg(long, value_name = "NODE")]
    pub(super) at: Option<String>,
    /// Which address a node has; may be given several times [default: guessed].
    #[arg(long = "node", value_name = "NODE=ADDRESS")]
    pub(super) nodes: Vec<String>,
    /// Take the claims of one of the lab's variants.
    #[arg(long = "break", value_name = "NAME")]
    pub(super) variant: Option<String>,
    /// One JSON document instead of text.
    #[arg(long)]
    pub(super) json: bool,
}

/// `wireglass new`.
#[derive(Debug, Args)]
#[command(after_help = NEW_EXAMPLES.to_owned() + EXIT_CODES)]
pub(super) struct NewArguments {
    /// The folder to make; its name becomes the lab's.
    #[arg(value_name = "NAME")]
    pub(super) folder: String,
    /// Copy this lab instead of beginning with the smallest one.
    #[arg(long, value_name = "LAB")]
    pub(super) from: Option<String>,
}

/// `wireglass list`.
#[derive(Debug, Args)]
#[command(after_help = LIST_EXAMPLES.to_owned() + EXIT_CODES)]
pub(super) struct ListArguments {
    /// One course, in its order.
    #[arg(long, value_name = "NAME")]
    pub(super) track: Option<String>,
    /// One JSON document instead of text.
    #[arg(long)]
    pub(super) json: bool,
}

/// `wireglass show`.
#[derive(Debug, Args)]
#[command(after_help = SHOW_EXAMPLES.to_owned() + EXIT_CODES)]
pub(super) struct ShowArguments {
    /// A pcap or pcapng file; - for standard input.
    pub(super) file: PathBuf,
    /// After the ladder, show every header of every packet, field by field.
    #[arg(long)]
    pub(super) layers: bool,
    /// One JSON document instead of text.
    #[arg(long)]
    pub(super) json: bool,
    /// Fold nothing, and show windows and whole payloads, too.
    #[arg(short, long)]
    pub(super) verbose: bool,
}

/// `wireglass drill`.
#[derive(Debug, Args)]
#[command(after_help = DRILL_EXAMPLES.to_owned() + DRILL_EXIT_CODES)]
pub(super) struct DrillArguments {
    /// Scripts, and folders that are searched for *.pkt; `-` is the standard input.
    #[arg(required = true, value_name = "FILE")]
    pub(super) files: Vec<PathBuf>,
    /// The userspace stack.
    #[arg(long, default_value = "native")]
    pub(super) stack: StackChoice,
    /// Do not compare what standards leave to a stack: windows, PSH, the order and padding of options.
    #[arg(long)]
    pub(super) by_meaning: bool,
    /// What a word of the scripts stands for; may be given several times.
    #[arg(short = 'D', long = "define", value_name = "NAME=VALUE")]
    pub(super) definitions: Vec<String>,
    /// An option as scripts have it in their first lines, such as ip_version=ipv6; may be given several times.
    #[arg(short = 'o', long = "option", value_name = "NAME=VALUE")]
    pub(super) options: Vec<String>,
    /// Show every packet and every call, as they happen.
    #[arg(long)]
    pub(super) trace: bool,
    /// Write a pcapng file of each script into this folder.
    #[arg(long, value_name = "DIR")]
    pub(super) capture: Option<PathBuf>,
    /// One JSON document instead of text.
    #[arg(long)]
    pub(super) json: bool,
}

/// `wireglass doctor`.
#[derive(Debug, Args)]
#[command(after_help = DOCTOR_EXAMPLES.to_owned() + EXIT_CODES)]
pub(super) struct DoctorArguments {
    /// One JSON document instead of text.
    #[arg(long)]
    pub(super) json: bool,
}

/// `--color`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum ColorChoice {
    /// On for terminals.
    Auto,
    /// On.
    Always,
    /// Off.
    Never,
}

/// `--mode`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum ModeChoice {
    /// Against the real Linux kernel, on the wall clock.
    Live,
    /// Both ends in userspace, in virtual time: the same bytes every time.
    Sim,
}

/// `--stack`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum StackChoice {
    /// wireglass's own: every decision can be seen.
    Native,
    /// The smoltcp crate.
    Smoltcp,
}

/// `--door`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum DoorChoice {
    /// The best that this user may open: tun, else veth.
    Auto,
    /// A TUN device: bare IP packets.
    Tun,
    /// A TAP device: Ethernet frames and ARP.
    Tap,
    /// A veth pair: Ethernet frames and ARP, without /dev/net/tun.
    Veth,
}

/// `--format`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum FormatChoice {
    /// With names, directions, packet ids and the reason of each packet.
    Pcapng,
    /// Bare packets, for tools that want the old format.
    Pcap,
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_grammar_is_sound() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn every_visible_command_teaches_by_examples_and_tells_its_exit_codes() {
        let mut command = Arguments::command();
        command.build();
        for subcommand in command.get_subcommands_mut().filter(|c| !c.is_hide_set() && c.get_name() != "help") {
            let help = subcommand.render_long_help().to_string();
            assert!(help.contains("Examples:") && help.contains("Exit codes:"), "{help}");
        }
    }
}
