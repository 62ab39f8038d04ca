//! How each congestion control stands up to loss, as a text that is reviewed like code.
//!
//! A change of the stack that moves a figure shows up as a diff of the snapshot; whether it is a better or a worse figure is
//! for whoever reads the diff to say. New algorithms join by a line of [`SUBJECTS`].

use std::fmt::Write as _;

use super::*;

/// What is looked at.
const SUBJECTS: [(StackKind, Congestion); 4] = [
    (StackKind::Native, Congestion::Reno),
    (StackKind::Native, Congestion::Cubic),
    (StackKind::Native, Congestion::Bbr),
    (StackKind::Smoltcp, Congestion::Reno),
];
/// Losses, in parts per thousand.
const LOSSES: [u32; 4] = [0, 1, 10, 30];
/// Round trips, in milliseconds.
const ROUND_TRIPS: [u64; 3] = [2, 20, 100];
/// Megabits per second of the path.
const RATE: u64 = 10;
/// Octets of its queue: half of what the longest path holds.
const QUEUE: usize = 64_000;
/// How long each flow lasts: some 4,000 packets where nothing is lost, and so a second or two of work for each subject.
const SPAN: Duration = Duration::from_secs(5);

fn cell(stack: StackKind, congestion: Congestion, loss: u32, round_trip: u64) -> String {
    let path = Path {
        queue: QUEUE,
        loss: Probability::from_parts_per_billion(loss * 1_000_000),
        ..Path::clean(RATE * MEGABIT, millis(round_trip))
    };
    let seed = u64::from(loss) * 1_000 + round_trip;
    let trial = Trial::of(path, vec![Flow::of(stack, congestion)], Load::For(SPAN), seed);
    let outcome = simulate(&trial).expect("it runs");
    let [flow] = outcome.flows.as_slice() else { panic!("one flow has one outcome") };
    let again = flow.figures.retransmissions * 10_000 / flow.figures.data_segments.max(1);
    let timeouts = flow.timeouts.unwrap_or(0);
    format!("{:>6} {:>3}.{:02} {timeouts:>3}", flow.goodput / 1_000, again / 100, again % 100)
}

fn grid(stack: StackKind, congestion: Congestion) -> String {
    let mut text = String::from("  loss");
    for round_trip in ROUND_TRIPS {
        let _ = write!(text, " │{:>14} ms", round_trip);
    }
    text.push('\n');
    for loss in LOSSES {
        let _ = write!(text, "{:>3}.{} %", loss / 10, loss % 10);
        for round_trip in ROUND_TRIPS {
            let _ = write!(text, " │ {}", cell(stack, congestion, loss, round_trip));
        }
        text.push('\n');
    }
    text
}

#[test]
fn goodput_and_retransmissions_over_loss_and_round_trip() {
    let mut text = format!(
        "{RATE} Mbit/s, a queue of {} kB, {} s: kbit/s of goodput, per cent of segments sent again, time-outs\n",
        QUEUE / 1_000,
        SPAN.as_secs()
    );
    for (stack, congestion) in SUBJECTS {
        let _ = writeln!(text, "\n{stack}, {congestion:?}\n{}", grid(stack, congestion).trim_end());
    }
    insta::assert_snapshot!("loss_grid", text);
}
