//! Goodput of stacks and congestion controls over one bottleneck.
//!
//! ```sh
//! cargo run --release --example goodput                      # in virtual time: no privilege, the same figures everywhere
//! cargo run --release --example goodput -- --live            # native and Linux senders, Linux receivers, the wall clock
//! cargo run --release --example goodput -- --seeds 20 --only loss         # 1 % loss, mean and spread of twenty seeds
//! cargo run --release --example goodput -- --live --rounds 5 --seconds 20 --only shares --algorithms reno
//! ```
//!
//! The bottleneck is always the same userspace link: 100 Mbit/s, 20 ms round trip, a queue of one bandwidth-delay product;
//! once clean, once with 1 % random loss. It counts whole packets of 1500 octets, of which 1448 are data: goodput ends at 96.53
//! Mbit/s, and the share of the wire is told beside it. Live figures depend on the machine and its mood: quote ratios of one run, and the
//! median of several rounds, which are interleaved.

use std::error::Error;
use std::io::{self, Write as _};
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

/// Octets of a packet, and of its data.
const PACKET: (u64, u64) = (1500, 1448);

const HELP: &str = "\
Goodput of stacks and congestion controls over one bottleneck: 100 Mbit/s, 20 ms, a queue of one bandwidth-delay product.

  --live             on the wall clock, with Linux kernels; else simulated, in virtual time
  --rounds N         so many times, each with the next seed; figures are the median, the mean and the spread
  --seeds N          the same, from seed 1
  --seed N           the first seed (1)
  --seconds N        how long each flow lasts (5)
  --only PART        clean, loss, shares or mishaps; may be given several times
  --algorithms A,B   of reno, cubic, bbr";

/// A line for people. A reader who has seen enough ends the program without complaint.
macro_rules! say {
    ($($words:tt)*) => { writeln!(io::stdout(), $($words)*)? };
}

/// What was typed.
struct Asked {
    is_live: bool,
    wants_help: bool,
    rounds: usize,
    span: Duration,
    seed: u64,
    /// Parts, by name; none for all.
    only: Vec<String>,
    /// Congestion controls, by name; none for all.
    algorithms: Vec<String>,
}

impl Asked {
    fn read(mut words: impl Iterator<Item = String>) -> Result<Asked, String> {
        let mut asked = Asked {
            is_live: false,
            wants_help: false,
            rounds: 1,
            span: Duration::from_secs(5),
            seed: 1,
            only: Vec::new(),
            algorithms: Vec::new(),
        };
        while let Some(word) = words.next() {
            let mut next = || words.next().ok_or(format!("{word} wants a value; --help tells which"));
            let number = |value: String| {
                let value = value.parse::<u32>().ok().filter(|value| *value > 0);
                value.ok_or(format!("{word} wants a number above 0"))
            };
            match word.as_str() {
                "--live" => asked.is_live = true,
                "--help" | "-h" => asked.wants_help = true,
                "--rounds" => asked.rounds = number(next()?)? as usize,
                "--seeds" => (asked.rounds, asked.seed) = (number(next()?)? as usize, 1),
                "--seconds" => asked.span = Duration::from_secs(number(next()?)?.into()),
                "--seed" => asked.seed = number(next()?)?.into(),
                "--only" => asked.only.push(one_of(&["clean", "loss", "shares", "mishaps"], &next()?)?),
                "--algorithms" => {
                    for name in next()?.split(',') {
                        asked.algorithms.push(one_of(LINUX, name)?);
                    }
                }
                _ => return Err(format!("{word}? --help tells what there is")),
            }
        }
        Ok(asked)
    }

    fn wants(&self, part: &str) -> bool {
        self.only.is_empty() || self.only.iter().any(|only| only == part)
    }

    fn wants_algorithm(&self, name: &str) -> bool {
        self.algorithms.is_empty() || self.algorithms.iter().any(|algorithm| algorithm == name)
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
            let wanted = controls.iter().filter(|control| self.wants_algorithm(&format!("{control:?}").to_lowercase()));
            wanted.map(|control| Sender::Stack(kind, *control)).collect::<Vec<_>>()
        };
        let mut senders = of(StackKind::Native, NATIVE);
        senders.extend(of(StackKind::Smoltcp, SMOLTCP));
        if self.is_live {
            senders.extend(
                LINUX.iter().filter(|name| self.wants_algorithm(name)).map(|name| Sender::Linux((*name).to_owned())),
            );
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
        Err(error) if is_closed_pipe(&*error) => ExitCode::SUCCESS,
        Err(error) => {
            let _ = writeln!(io::stderr(), "goodput: {error}");
            ExitCode::FAILURE
        }
    }
}

fn one_of(known: &[&str], name: &str) -> Result<String, String> {
    let is_known = known.contains(&name);
    is_known.then(|| name.to_owned()).ok_or(format!("{name}? There are {}", known.join(", ")))
}

/// Whether the reader has seen enough.
fn is_closed_pipe(error: &(dyn Error + 'static)) -> bool {
    error.downcast_ref::<io::Error>().is_some_and(|error| error.kind() == io::ErrorKind::BrokenPipe)
}

fn measure(asked: &Asked) -> Result<(), Box<dyn Error>> {
    if asked.wants_help {
        say!("{HELP}");
        return Ok(());
    }
    let clean = Path::clean(RATE, ROUND_TRIP);
    let lossy = Path { loss: Probability::from_percent(1), ..clean.clone() };
    say!(
        "{}, 100 Mbit/s, 20 ms round trip, queue {} kB, {} s each, {} rounds, seeds from {}",
        if asked.is_live { "live, Linux receivers" } else { "simulated" },
        clean.queue / 1_000,
        asked.span.as_secs(),
        asked.rounds,
        asked.seed
    );
    if asked.wants("clean") {
        alone("clean link", asked, &clean)?;
    }
    if asked.wants("loss") {
        alone("1 % random loss", asked, &lossy)?;
    }
    if asked.wants("shares") {
        together(asked, &clean)?;
    }
    if asked.wants("mishaps") {
        mishaps(asked, &clean)?;
    }
    Ok(())
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
    say!(
        "\n{title}\n{:<18} {:>23} {:>7} {:>6} {:>8} {:>6}   first loss",
        "sender",
        "Mbit/s [min–max]",
        "mean",
        "wire",
        "again",
        "RTOs"
    );
    for (sender, row) in senders.iter().zip(&mut rows) {
        row.sort_by_key(|flow| flow.goodput);
        say!("{}{}", told(row), refused(sender, row));
    }
    ratios(&rows)
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
    let mean = megabits(mean(row));
    // Useful packets as they are on the wire, headers included.
    let wire = median.goodput * PACKET.0 / PACKET.1 * 1_000 / RATE;
    format!(
        "{name:<18} {spread:>23} {mean:>7} {:>4}.{}% {:>6}.{}% {timeouts:>6}   {window}",
        wire / 10,
        wire % 10,
        again / 10,
        again % 10
    )
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

fn mean(row: &[FlowOutcome]) -> u64 {
    row.iter().map(|flow| flow.goodput).sum::<u64>().checked_div(row.len() as u64).unwrap_or(0)
}

/// Native to the same algorithm of others, mean to mean.
fn ratios(rows: &[Vec<FlowOutcome>]) -> Result<(), Box<dyn Error>> {
    let named = |row: &'_ Vec<FlowOutcome>| row.first().map(|flow| (flow.stack.clone(), flow.congestion.clone()));
    for ours in rows {
        for theirs in rows {
            let (Some((stack, congestion)), Some((other, same))) = (named(ours), named(theirs)) else { continue };
            if stack == "native" && other != "native" && congestion == same {
                let percent = (mean(ours) * 100).checked_div(mean(theirs)).unwrap_or(0);
                say!("  native {congestion} / {other} {same}: {}.{:02}", percent / 100, percent % 100);
            }
        }
    }
    Ok(())
}

/// Two senders on one path at once; each pair of two kinds in both orders.
fn together(asked: &Asked, path: &Path) -> Result<(), Box<dyn Error>> {
    say!("\ntwo flows on one clean bottleneck: shares of the goodput");
    let senders = asked.senders();
    let is_native = |sender: &&Sender| matches!(sender, Sender::Stack(StackKind::Native, _));
    let is_rival =
        |sender: &&Sender| if asked.is_live { matches!(sender, Sender::Linux(_)) } else { is_native(sender) };
    for ours in senders.iter().filter(is_native) {
        for rival in senders.iter().filter(is_rival) {
            pair(asked, path, ours, rival)?;
        }
    }
    // The yardstick: how evenly does a TCP share with its like?
    for sender in senders.iter().filter(|sender| matches!(sender, Sender::Linux(_))) {
        pair(asked, path, sender, sender)?;
    }
    Ok(())
}

/// Two flows together, round by round, in both orders where the clock is real; and the first one's median share.
fn pair(asked: &Asked, path: &Path, ours: &Sender, rival: &Sender) -> Result<(), Box<dyn Error>> {
    let flows = |one: &Sender, two: &Sender| vec![asked.flow(one.clone()), asked.flow(two.clone())];
    let mut of_ours = Vec::new();
    for round in 0..asked.rounds {
        let outcome = asked.play(path, flows(ours, rival), round)?;
        say!("{}", shares(&outcome));
        of_ours.extend(outcome.shares_permille().first().copied());
        if asked.is_live && ours != rival {
            let outcome = asked.play(path, flows(rival, ours), round)?;
            say!("{}", shares(&outcome));
            of_ours.extend(outcome.shares_permille().last().copied());
        }
    }
    of_ours.sort_unstable();
    if let (Some(median), [least, .., most]) = (of_ours.get(of_ours.len() / 2), of_ours.as_slice()) {
        let tenths = |permille: &u64| format!("{}.{} %", permille / 10, permille % 10);
        say!("  the first of the two: median {}, [{}–{}]", tenths(median), tenths(least), tenths(most));
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
        say!("\n{title}");
        let when = Arc::new(|packet: &wireglass::packet::Packet| packet.payload_len() > 0);
        let rule = Rule { id: "mishap".to_owned(), when, nth, action };
        let path = Path { rules: vec![rule], ..path.clone() };
        for sender in asked.senders() {
            let outcome = asked.play_load(&path, vec![asked.flow(sender)], Load::Octets(segments * SEGMENT), 0)?;
            for flow in &outcome.flows {
                let micros = flow.completion().unwrap_or_default().as_micros();
                say!(
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
