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
  wireglass list                       which labs there are
  wireglass run 10                     run a lab: live where this machine allows it, else in sim
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
                                       a variant of the lab, made to go wrong
  wireglass run 14 --seed 7            other packets are lost
  wireglass run 20 -v                  with what the stack learns: round trips, timers, windows
  wireglass run 20 --stack smoltcp     on another TCP/IP stack, to compare
  wireglass run 10 --json | jq .verdicts

Captures are written to out/LAB/ and open in Wireshark.

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

const LIST_EXAMPLES: &str = "\
Examples:
  wireglass list
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
    /// Fold nothing, cite the RFC at every packet, and show what stacks learn: round-trip times, timers, windows, holes.
    #[arg(short, long)]
    pub(super) verbose: bool,
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

/// `wireglass list`.
#[derive(Debug, Args)]
#[command(after_help = LIST_EXAMPLES.to_owned() + EXIT_CODES)]
pub(super) struct ListArguments {
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
    /// Scripts, and folders that are searched for *.pkt.
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
        let texts =
            [EXAMPLES, RUN_EXAMPLES, COMPARE_EXAMPLES, LIST_EXAMPLES, SHOW_EXAMPLES, DRILL_EXAMPLES, DOCTOR_EXAMPLES];
        let lines = texts.into_iter().flat_map(str::lines).filter_map(|line| line.strip_prefix("  "));
        let commands = lines.map(|line| line.strip_prefix("sudo ").unwrap_or(line));
        commands.filter(|line| line.starts_with("wireglass ")).collect()
    }

    #[test]
    fn every_example_of_the_help_can_be_typed() {
        assert!(examples().len() > 14, "{:?}", examples());
        for example in examples() {
            let command = example.split("  ").next().unwrap_or_default();
            let (command, filter) = command.split_once(" | jq ").unwrap_or((command, ""));
            let typed =
                Arguments::try_parse_from(command.split(' ')).unwrap_or_else(|error| panic!("{example}: {error}"));
            let (is_json, has_layers) = match typed.command {
                Command::Run(run) => (run.json, run.layers),
                Command::Show(show) => (show.json, show.layers),
                Command::Compare(compare) => (compare.json, false),
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
