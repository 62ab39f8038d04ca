//! What was typed: the grammar of the command line and its help. What it means is [`super::meant`]'s business.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

const EXIT_CODES: &str = "\
Exit codes:
  0    all is well
  1    a check failed, or input is missing or broken
  2    the command line makes no sense
  130  stopped by Ctrl-C";

const EXAMPLES: &str = "\
Examples:
  wireglass list                       which labs there are, and with --track a course in its order
  wireglass guide 10                   what the first lab is about
  wireglass run 10                     run it: live where this machine allows it, else in sim
  wireglass run 20 --break three-in-a-row
                                       make it go wrong, and see what has changed
  wireglass check 10 --capture mine.pcapng
                                       hold a lab's claims against a capture of your own
  wireglass new my-lab                 make a lab of your own: three files, no compiler
  wireglass run 20 --layers            the same, with every header of every packet
  wireglass compare 20                 one lab on native, smoltcp and Linux, side by side
  wireglass show out/10-three-way-handshake/client.pcapng
  wireglass drill script.pkt           judge the stack by a packetdrill script
  wireglass doctor                     what this machine can do, and how to mend the rest

";

const RUN_EXAMPLES: &str = "\
Examples:
  wireglass run three-way-handshake    by name, by number (10), or by folder (./my-lab)
  wireglass run 10 --mode sim          no privilege, no kernel; the same bytes every time
  sudo wireglass run 10 --door tap     live, with Ethernet and ARP in the capture
  wireglass run 20 --break three-in-a-row
                                       a variant of the lab, made to go wrong, beside the lab itself
  wireglass run 20 --no-predict        without the questions that come first at a terminal
  printf '2\\n1 s\\n' | wireglass run 20 --predict
                                       with the answers from a pipe
  wireglass run 14 --seed 7            other packets are lost
  wireglass run 20 -v                  with what the stack learns: round trips, timers, windows
  wireglass run 20 --stack smoltcp     on another TCP/IP stack, to compare
  wireglass run 10 --json | jq .verdicts

Captures are written to out/LAB/ and open in Wireshark. At a terminal the lab asks what you expect before it runs, and \
marks the answers after it; they are kept in ~/.local/state/wireglass/answers.jsonl. A break is a success when the check \
that it names turns red.

";

const COMPARE_EXAMPLES: &str = "\
Examples:
  wireglass compare rto-backoff        by name, by number (20), or by folder (./my-lab)
  sudo wireglass compare 20            with Linux beside the others, where user namespaces are closed
  wireglass compare 20 --break lose-the-third
                                       a variant: the loss is in the middle, and acknowledgments tell of it
  wireglass compare 14 --seed 7        other packets are lost
  wireglass compare 20 --out out/20    keep the captures: out/20/native/client.pcapng and so on
  wireglass compare 20 --json | jq '.columns[] | {stack, figures}'

The same lab runs three times, over the same links with the same rules: with wireglass's own TCP in every node, with
smoltcp's (both simulated), and with Linux kernels (live). What is counted in packets is counted alike for all; the
congestion window and the time-outs come from the stack's own journal, or from the kernel's TCP_INFO. What the lab's `tcp`
says, kernels are told by sysctl, as far as they have one for it; the rest is named below the table.

  time to recover      from when data was first lost until it had arrived
  cwnd, first loss     the window in segments before it, and the least until it was repaired
  spurious             segments that brought nothing new
  RTOs                 time-outs of the retransmission timer

Where a TCP does not tell, there is a dash. Where Linux cannot run, its column says why; that is no failure.

";

const CHECK_EXAMPLES: &str = "\
Examples:
  wireglass check 10 --capture mine.pcapng
  wireglass check 10 --capture mine.pcap --at server
  wireglass check 10 --capture mine.pcap --node client=192.168.0.7 --node server=192.168.0.9
  wireglass check 14 --capture client=a.pcapng,server=b.pcapng
                                       both ends of the link: more can be judged
  wireglass check 20 --capture mine.pcapng --json | jq '.verdicts[] | select(.outcome == \"fail\")'

Whose addresses they are, and at which node it was captured, is guessed: by the names in the file, by who sends the first \
SYN, by the file's name and the times of the handshake. What was guessed is said. A check that asks for events (timers, \
windows, programs) needs the journal of a run; it stays unknown, and that is no failure.

";

const SHELL_EXAMPLES: &str = "\
Examples:
  sudo wireglass shell 02              on the first kernel node; leave it with `exit` or Ctrl-D
  wireglass shell 02 client            on the node of this name
  wireglass shell 02 -- curl -v http://server/api/posts
                                       one command instead of a shell
  wireglass shell 02 --door tap        with Ethernet and ARP in the captures

The lab's servers run, its links lose and delay what they are told to, and everything is captured; its clients are you. \
Nodes have their names (`ping server`). With sudo the shell is yours and not root's. Leaving it ends everything that was \
started there.

";

const GUIDE_EXAMPLES: &str = "\
Examples:
  wireglass guide 10                   the guide of a lab
  wireglass guide 10 --color always | less -R
                                       a page at a time
  wireglass guide 10 --teacher         answers, misconceptions, variants
  wireglass guide ./my-lab --renew     write the run's numbers into the guide of a lab of your own
  wireglass guide ./my-lab --verify    fail when the guide says what the run does not

";

const NEW_EXAMPLES: &str = "\
Examples:
  wireglass new my-lab                 a lab that passes, with comments that teach the format
  wireglass new my-lab --from 20       a copy of a lab, to be changed
  wireglass run ./my-lab

docs/labs.md explains every field of lab.toml.

";

const LIST_EXAMPLES: &str = "\
Examples:
  wireglass list                       by theme
  wireglass list --track backend       a course in its order, and what of it you have passed
  wireglass list --track protocol
  wireglass list --json | jq -r '.[].id'

";

const SHOW_EXAMPLES: &str = "\
Examples:
  wireglass show captures/10-three-way-handshake/client.pcapng
  wireglass show mine.pcap --layers    every header of every layer, field by field
  wireglass show mine.pcap --layers --json | jq '.packets[0].layers'

Any pcap or pcapng file of Ethernet or IP packets will do. What can be read of a damaged file is shown.

";

const DRILL_EXAMPLES: &str = "\
Examples:
  wireglass drill handshake.pkt        one script; what differs is shown when it fails
  wireglass drill tests/drill          every *.pkt below a folder
  wireglass drill handshake.pkt --trace
                                       every packet as it happens, with its reason
  wireglass drill freebsd.pkt --by-meaning
                                       windows, PSH and the order of options do not count
  wireglass drill cookie.pkt -D COOKIE=0123456789abcdef
  wireglass drill tests/drill --capture out/drill
                                       a capture of each script, for Wireshark
  wireglass drill tests/drill --json | jq '.scripts[] | select(.verdict != \"passed\")'

A script says which packets come in, which system calls are made, which packets must come out, and when; it runs in \
virtual time, in milliseconds. The language is packetdrill's. A script that asks for what cannot be done here is \
unsupported, which counts as not passed. docs/drill.md shows how to write one.

";

const DRILL_EXIT_CODES: &str = "\
Exit codes:
  0    every script passed
  1    a script failed, or is unsupported
  2    the command line makes no sense, or a script cannot be read";

const DOCTOR_EXAMPLES: &str = "\
Examples:
  wireglass doctor
  wireglass doctor --json | jq '.findings[] | select(.verdict == \"costs\")'

Exits with 0 when labs can run at all; simulation needs nothing but a folder for its captures.

";

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
    /// Hold a lab's claims against captures that were made elsewhere.
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
    #[arg(long = "capture", required = true, value_name = "FILE")]
    pub(super) captures: Vec<String>,
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

    /// The commands of the examples, each without what stands before and behind it.
    fn examples() -> Vec<&'static str> {
        let texts = [
            EXAMPLES,
            RUN_EXAMPLES,
            GUIDE_EXAMPLES,
            CHECK_EXAMPLES,
            NEW_EXAMPLES,
            COMPARE_EXAMPLES,
            LIST_EXAMPLES,
            SHOW_EXAMPLES,
            DRILL_EXAMPLES,
            DOCTOR_EXAMPLES,
        ];
        let lines = texts.into_iter().flat_map(str::lines).filter_map(|line| line.strip_prefix("  "));
        let commands = lines.map(|line| line.strip_prefix("sudo ").unwrap_or(line));
        commands.filter(|line| line.starts_with("wireglass ")).collect()
    }

    #[test]
    fn every_example_of_the_help_can_be_typed() {
        assert!(examples().len() > 14, "{:?}", examples());
        for example in examples() {
            let command = example.split("  ").next().unwrap_or_default();
            let command = command.split(" | less").next().unwrap_or_default();
            let (command, filter) = command.split_once(" | jq ").unwrap_or((command, ""));
            let typed =
                Arguments::try_parse_from(command.split(' ')).unwrap_or_else(|error| panic!("{example}: {error}"));
            let (is_json, has_layers) = match typed.command {
                Command::Run(run) => (run.json, run.layers),
                Command::Show(show) => (show.json, show.layers),
                Command::Compare(compare) => (compare.json, false),
                Command::Check(check) => (check.json, false),
                Command::Guide(_) | Command::New(_) | Command::Shell(_) => (false, false),
                Command::List(list) => (list.json, false),
                Command::Drill(drill) => (drill.json, false),
                Command::Doctor(doctor) => (doctor.json, false),
            };
            assert!(is_json || filter.is_empty(), "{example}: jq wants JSON");
            assert!(has_layers || !filter.contains(".layers"), "{example}: layers are there when they are asked for");
        }
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
