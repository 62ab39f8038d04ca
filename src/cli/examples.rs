//! What the help of each command ends with: examples that can be typed as they stand, and exit codes.

/// How a call ends.
pub(super) const EXIT_CODES: &str = "\
Exit codes:
  0    all is well
  1    a check failed, or input is missing or broken
  2    the command line makes no sense
  130  stopped by Ctrl-C";

/// Of the program as a whole.
pub(super) const EXAMPLES: &str = "\
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

/// Of `wireglass run`.
pub(super) const RUN_EXAMPLES: &str = "\
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

/// Of `wireglass compare`.
pub(super) const COMPARE_EXAMPLES: &str = "\
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

/// Of `wireglass check`.
pub(super) const CHECK_EXAMPLES: &str = "\
Examples:
  wireglass check 10 --capture mine.pcapng
  wireglass check 10 --capture mine.pcap --at server
  wireglass check 10 --capture mine.pcap --node client=192.168.0.7 --node server=192.168.0.9
  wireglass check 14 --capture client=a.pcapng,server=b.pcapng
                                       both ends of the link: more can be judged
  wireglass check 20 --capture mine.pcapng --json | jq '.verdicts[] | select(.outcome == \"fail\")'
  wireglass check ./my-lab --falsify   for authors: can each check fail?

Whose addresses they are, and at which node it was captured, is guessed: by the names in the file, by who sends the first \
SYN, by the file's name and the times of the handshake. What was guessed is said. A check that asks for events (timers, \
windows, programs) needs the journal of a run; it stays unknown, and that is no failure: `wireglass run` judges it.

With --falsify nothing is captured. Each check of a lab says what turns it red (`falsified_by`: a break, a rule taken away, \
paths set to other values). That is done, in simulation, on every stack that the lab is about; a check that stays green \
proves nothing and ends the command with 1. Checks that say nothing are named.

";

/// Of `wireglass shell`.
pub(super) const SHELL_EXAMPLES: &str = "\
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

/// Of `wireglass guide`.
pub(super) const GUIDE_EXAMPLES: &str = "\
Examples:
  wireglass guide 10                   the guide of a lab
  wireglass guide 10 --color always | less -R
                                       a page at a time
  wireglass guide 10 --teacher         answers, misconceptions, variants
  wireglass guide ./my-lab --renew     write the run's numbers into the guide of a lab of your own
  wireglass guide ./my-lab --verify    fail when the guide says what the run does not

";

/// Of `wireglass new`.
pub(super) const NEW_EXAMPLES: &str = "\
Examples:
  wireglass new my-lab                 a lab that passes, with comments that teach the format
  wireglass new my-lab --from 20       a copy of a lab, to be changed
  wireglass run ./my-lab

docs/labs.md explains every field of lab.toml.

";

/// Of `wireglass list`.
pub(super) const LIST_EXAMPLES: &str = "\
Examples:
  wireglass list                       by theme
  wireglass list --track backend       a course in its order, and what of it you have passed
  wireglass list --track protocol
  wireglass list --json | jq -r '.[].id'

";

/// Of `wireglass show`.
pub(super) const SHOW_EXAMPLES: &str = "\
Examples:
  wireglass show captures/10-three-way-handshake/client.pcapng
  wireglass show mine.pcap --layers    every header of every layer, field by field
  wireglass show mine.pcap --layers --json | jq '.packets[0].layers'

Any pcap or pcapng file of Ethernet or IP packets will do. What can be read of a damaged file is shown.

";

/// Of `wireglass drill`.
pub(super) const DRILL_EXAMPLES: &str = "\
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

/// How `wireglass drill` ends.
pub(super) const DRILL_EXIT_CODES: &str = "\
Exit codes:
  0    every script passed
  1    a script failed, or is unsupported
  2    the command line makes no sense, or a script cannot be read";

/// Of `wireglass doctor`.
pub(super) const DOCTOR_EXAMPLES: &str = "\
Examples:
  wireglass doctor
  wireglass doctor --json | jq '.findings[] | select(.verdict == \"costs\")'

Exits with 0 when labs can run at all; simulation needs nothing but a folder for its captures.

";

pub(super) const WIRESHARK_EXAMPLES: &str = "\
Examples:
  wireglass wireshark --install-profile
  wireglass wireshark out/21-fast-retransmit/client.story.pcapng
  wireglass run 21 --wireshark           the same, as soon as the run is over
  sudo wireglass run 94 --mode live --wireshark=client   packets as they come

";

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::super::arguments::{Arguments, Command};
    use super::*;

    /// The commands of the examples, each without what stands before and behind it.
    fn examples() -> Vec<&'static str> {
        let texts = [
            EXAMPLES,
            RUN_EXAMPLES,
            GUIDE_EXAMPLES,
            CHECK_EXAMPLES,
            NEW_EXAMPLES,
            SHELL_EXAMPLES,
            COMPARE_EXAMPLES,
            LIST_EXAMPLES,
            SHOW_EXAMPLES,
            DRILL_EXAMPLES,
            DOCTOR_EXAMPLES,
            WIRESHARK_EXAMPLES,
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
                Command::Guide(_) | Command::New(_) | Command::Shell(_) | Command::Wireshark(_) => (false, false),
                Command::List(list) => (list.json, false),
                Command::Drill(drill) => (drill.json, false),
                Command::Doctor(doctor) => (doctor.json, false),
            };
            assert!(is_json || filter.is_empty(), "{example}: jq wants JSON");
            assert!(has_layers || !filter.contains(".layers"), "{example}: layers are there when they are asked for");
        }
    }
}
