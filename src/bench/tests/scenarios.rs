//! Exact mishaps: what a stack needs to come through each, as a text that is reviewed like code.

use std::fmt::Write as _;
use std::sync::Arc;

use super::*;
use crate::link::Action;

const SUBJECTS: [(StackKind, Congestion); 4] = [
    (StackKind::Native, Congestion::Reno),
    (StackKind::Native, Congestion::Cubic),
    (StackKind::Native, Congestion::Bbr),
    (StackKind::Smoltcp, Congestion::Reno),
];
/// Octets of a segment with timestamps.
const SEGMENT: u64 = 1_448;

struct Scenario {
    name: &'static str,
    /// Segments of data.
    segments: u64,
    /// Which of those that are sent the rule acts on, from 1.
    nth: &'static [u32],
    action: Action,
}

fn scenarios() -> [Scenario; 5] {
    [
        Scenario { name: "nothing happens", segments: 10, nth: &[0], action: Action::Drop },
        Scenario { name: "the last of ten is lost", segments: 10, nth: &[10], action: Action::Drop },
        Scenario { name: "the last two of ten are lost", segments: 10, nth: &[9, 10], action: Action::Drop },
        Scenario { name: "the fifth of thirty is passed by 3", segments: 30, nth: &[5], action: Action::Hold(3) },
        Scenario { name: "the fifth of thirty is passed by 6", segments: 30, nth: &[5], action: Action::Hold(6) },
    ]
}

fn play(stack: StackKind, congestion: Congestion, scenario: &Scenario) -> FlowOutcome {
    let rule = Rule {
        id: "mishap".to_owned(),
        when: Arc::new(|packet| packet.payload_len() > 0),
        nth: scenario.nth.to_vec(),
        action: scenario.action.clone(),
    };
    let path = Path { rules: vec![rule], queue: 1_000_000, ..Path::clean(100 * MEGABIT, millis(20)) };
    let load = Load::Octets(scenario.segments * SEGMENT);
    let outcome = simulate(&Trial::of(path, vec![Flow::of(stack, congestion)], load, 1)).expect("it runs");
    let [flow] = outcome.flows.as_slice() else { panic!("one flow has one outcome") };
    assert_eq!(flow.figures.delivered, scenario.segments * SEGMENT, "{stack}: {}", scenario.name);
    flow.clone()
}

#[test]
fn lost_tails_and_pure_reordering() {
    let mut text = String::from(
        "100 Mbit/s, 20 ms round trip: milliseconds until all had arrived, segments sent again, of these for nothing, \
         time-outs\n",
    );
    for scenario in scenarios() {
        let _ = writeln!(text, "\n{}", scenario.name);
        for (stack, congestion) in SUBJECTS {
            let flow = play(stack, congestion, &scenario);
            let completion = flow.completion().expect("all has arrived").as_micros();
            let name = format!("{stack} {congestion:?}");
            let (again, spurious) = (flow.figures.retransmissions, flow.figures.duplicates);
            let timeouts = flow.timeouts.unwrap_or(0);
            let (whole, tenths) = (completion / 1_000, completion / 100 % 10);
            let _ = writeln!(text, "  {name:<14} {whole:>6}.{tenths} ms {again:>3} {spurious:>3} {timeouts:>3}");
        }
    }
    insta::assert_snapshot!("scenarios", text);
}
