//! Goodput of stacks and congestion controls over one bottleneck.
//!
//! ```sh
//! cargo run --release --example goodput                      # in virtual time: no privilege, the same figures everywhere
//! cargo run --release --example goodput -- --live            # native and Linux senders, Linux receivers, the wall clock
//! cargo run --release --example goodput -- --live --rounds 3 --seconds 10 --seed 7
//! ```
//!
//! The bottleneck is always the same userspace link: 100 Mbit/s, 20 ms round trip, a queue of one bandwidth-delay product;
//! once clean, once with 1 % random loss. Live figures depend on the machine and its mood: quote ratios of one run, and the
//! median of several rounds, which are interleaved.

#![allow(clippy::print_stdout, reason = "a program for people")]

use std::error::Error;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use wireglass::bench::{Flow, FlowOutcome, Load, Outcome, Path, Receiver, Sender, Trial, live, simulate};
use wireglass::host::{HolderConfig, holder_entry};
use wireglass::link::{Action, Rule};
use wireglass::rng::Probability;
use wireglass::stack::{Congestion, StackKind};

const RATE: u64 = 100_000_000;
const ROUND_TRIP: Duration = Duration::from_millis(20);

/// What native has of its own; a new algorithm joins by one line.
const NATIVE: &[Congestion] = &[Congestion::Reno, Congestion::Cubic, Congestion::Bbr];
/// What smoltcp has.
const SMOLTCP: &[Congestion] = &[Congestion::Reno, Congestion::Cubic];
/// What Linux is asked for.
const LINUX: &[&str] = &["reno", "cubic", "bbr"];

/// What was typed.
struct Asked {
    is_live: bool,
    rounds: usize,
    span: Duration,
    seed: u64,
}

impl Asked {
    fn read(mut words: impl Iterator<Item = String>) -> Result<Asked, String> {
        let mut asked = Asked { is_live: false, rounds: 1, span: Duration::from_secs(5), seed: 1 };
        while let Some(word) = words.next() {
            let mut number = || {
                let value = words.next().and_then(|value| value.parse::<u64>().ok()).filter(|value| *value > 0);
                value.ok_or(format!("{word} wants a number above 0"))
            };
            match word.as_str() {
                "--live" => asked.is_live = true,
                "--rounds" => asked.rounds = usize::try_from(number()?).map_err(|error| error.to_string())?,
                "--seconds" => asked.span = Duration::from_secs(number()?),
                "--seed" => asked.seed = number()?,
                _ => return Err(format!("{word}? There are --live, --rounds N, --seconds N and --seed N")),
            }
        }
        Ok(asked)
    }

    fn play(&self, path: &Path, flows: Vec<Flow>, round: usize) -> Result<Outcome, Box<dyn Error>> {
        self.play_load(path, flows, Load::For(self.span), round)
    }

    fn play_load(&self, path: &Path, flows: Vec<Flow>, load: Load, round: usize) -> Result<Outcome, Box<dyn Error>> {
        let trial = Trial::of(path.clone(), flows, load, self.seed + round as u64);
        Ok(if self.is_live { live(&trial, HolderConfig::default())? } else { simulate(&trial)? })
    }

    fn flow(&self, sender: Sender) -> Flow {
        let receiver = match (&sender, self.is_live) {
            (Sender::Stack(kind, _), false) => Receiver::Stack(*kind),
            (_, true) | (Sender::Linux(_), false) => Receiver::Linux,
        };
        Flow { sender, receiver, begins: Duration::ZERO }
    }

    /// Who sends: native, then the others.
    fn senders(&self) -> Vec<Sender> {
        let of = |kind, controls: &[Congestion]| {
            controls.iter().map(|control| Sender::Stack(kind, *control)).collect::<Vec<_>>()
        };
        let mut senders = of(StackKind::Native, NATIVE);
        senders.extend(of(StackKind::Smoltcp, SMOLTCP));
        if self.is_live {
            senders.extend(LINUX.iter().map(|name| Sender::Linux((*name).to_owned())));
        }
        senders
    }
}

fn main() -> ExitCode {
    // Before anything else: is this the namespace holder of another one?
    if let Some(code) = holder_entry() {
        return code;
    }
    let done = Asked::read(std::env::args().skip(1)).map_err(Into::into).and_then(|asked| measure(&asked));
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            println!("goodput: {error}");
            ExitCode::FAILURE
        }
    }
}

fn measure(asked: &Asked) -> Result<(), Box<dyn Error>> {
    let clean = Path::clean(RATE, ROUND_TRIP);
    let lossy = Path { loss: Probability::from_percent(1), ..clean.clone() };
    println!(
        "{}, 100 Mbit/s, 20 ms round trip, queue {} kB, {} s each, {} rounds, seeds from {}",
        if asked.is_live { "live, Linux receivers" } else { "simulated" },
        clean.queue / 1_000,
        asked.span.as_secs(),
        asked.rounds,
        asked.seed
    );
    alone("clean link", asked, &clean)?;
    alone("1 % random loss", asked, &lossy)?;
    together(asked, &clean)?;
    mishaps(asked, &clean)
}

/// Each sender alone on the path, in turn, round by round.
fn alone(title: &str, asked: &Asked, path: &Path) -> Result<(), Box<dyn Error>> {
    let senders = asked.senders();
    let mut rows: Vec<Vec<FlowOutcome>> = vec![Vec::new(); senders.len()];
    for round in 0..asked.rounds {
        for (sender, row) in senders.iter().zip(&mut rows) {
            row.extend(asked.play(path, vec![asked.flow(sender.clone())], round)?.flows);
        }
    }
    println!("\n{title}\n{:<18} {:>23} {:>8} {:>6}   first loss", "sender", "Mbit/s [min–max]", "again", "RTOs");
    for (sender, row) in senders.iter().zip(&mut rows) {
        row.sort_by_key(|flow| flow.goodput);
        println!("{}{}", told(row), refused(sender, row));
    }
    ratios(&rows);
    Ok(())
}

/// One sender's rounds, by goodput: the median, and around it what the others were.
fn told(row: &[FlowOutcome]) -> String {
    let Some((median, (least, most))) = row.get(row.len() / 2).zip(row.first().zip(row.last())) else {
        return String::new();
    };
    let spread = format!("{} [{}–{}]", megabits(median.goodput), megabits(least.goodput), megabits(most.goodput));
    let again = median.retransmitted_permille();
    let window = median.window.map_or("–".to_owned(), |window| format!("cwnd {} → {}", window.before, window.after));
    let timeouts = median.timeouts.map_or("–".to_owned(), |count| count.to_string());
    let name = format!("{} {}", median.stack, median.congestion);
    format!("{name:<18} {spread:>23} {:>6}.{}% {timeouts:>6}   {window}", again / 10, again % 10)
}

/// What is to be said when the kernel did not take the congestion control that it was asked for.
fn refused(sender: &Sender, row: &[FlowOutcome]) -> String {
    match sender {
        Sender::Linux(name) if row.iter().any(|flow| flow.congestion != *name) => {
            format!("   asked for {name}, which this kernel did not take")
        }
        Sender::Linux(_) | Sender::Stack(..) => String::new(),
    }
}

/// Native to the sender of the same name on Linux.
fn ratios(rows: &[Vec<FlowOutcome>]) {
    let medians: Vec<&FlowOutcome> = rows.iter().filter_map(|row| row.get(row.len() / 2)).collect();
    for ours in medians.iter().filter(|flow| flow.stack == "native") {
        for theirs in medians.iter().filter(|flow| flow.stack == "linux") {
            let same = if ours.congestion == theirs.congestion { "  (same algorithm)" } else { "" };
            let percent = (ours.goodput * 100).checked_div(theirs.goodput).unwrap_or(0);
            println!("  native {} / linux {}: {percent} %{same}", ours.congestion, theirs.congestion);
        }
    }
}

/// Two senders on one path at once.
fn together(asked: &Asked, path: &Path) -> Result<(), Box<dyn Error>> {
    println!("\ntwo flows on one clean bottleneck: shares of the goodput");
    let rivals = asked.senders().into_iter().filter(|sender| match sender {
        Sender::Linux(_) => true,
        Sender::Stack(kind, _) => !asked.is_live && *kind == StackKind::Native,
    });
    let rivals: Vec<Sender> = rivals.collect();
    for control in NATIVE {
        for rival in &rivals {
            for round in 0..asked.rounds {
                let ours = Sender::Stack(StackKind::Native, *control);
                let outcome = asked.play(path, vec![asked.flow(ours), asked.flow(rival.clone())], round)?;
                println!("{}", shares(&outcome));
            }
        }
    }
    Ok(())
}

fn shares(outcome: &Outcome) -> String {
    let one = |(flow, share): (&FlowOutcome, u64)| {
        format!("{} {} {}.{} %", flow.stack, flow.congestion, share / 10, share % 10)
    };
    let all: Vec<String> = outcome.flows.iter().zip(outcome.shares_permille()).map(one).collect();
    let jain = outcome.jain_permille().unwrap_or(0);
    format!(
        "  {:<44} together {} Mbit/s, Jain's index {}.{:03}",
        all.join(", "),
        megabits(outcome.goodput()),
        jain / 1_000,
        jain % 1_000
    )
}

/// Exact mishaps, each sender alone: how long until all had arrived, and what was sent again for nothing.
fn mishaps(asked: &Asked, path: &Path) -> Result<(), Box<dyn Error>> {
    const SEGMENT: u64 = 1_448;
    for (title, segments, nth, action) in [
        ("the last two of ten segments are lost", 10, vec![9, 10], Action::Drop),
        ("the fifth of thirty segments is passed by 3", 30, vec![5], Action::Hold(3)),
        ("the fifth of thirty segments is passed by 6", 30, vec![5], Action::Hold(6)),
    ] {
        println!("\n{title}");
        let when = Arc::new(|packet: &wireglass::packet::Packet| packet.payload_len() > 0);
        let rule = Rule { id: "mishap".to_owned(), when, nth, action };
        let path = Path { rules: vec![rule], ..path.clone() };
        for sender in asked.senders() {
            let outcome = asked.play_load(&path, vec![asked.flow(sender)], Load::Octets(segments * SEGMENT), 0)?;
            for flow in &outcome.flows {
                let micros = flow.completion().unwrap_or_default().as_micros();
                println!(
                    "{:<18} {:>6}.{} ms, sent again {}, of these for nothing {}, RTOs {}",
                    format!("{} {}", flow.stack, flow.congestion),
                    micros / 1_000,
                    micros / 100 % 10,
                    flow.figures.retransmissions,
                    flow.figures.duplicates,
                    flow.timeouts.map_or("–".to_owned(), |count| count.to_string())
                );
            }
        }
    }
    Ok(())
}

fn megabits(bits: u64) -> String {
    format!("{}.{:02}", bits / 1_000_000, bits % 1_000_000 / 10_000)
}
