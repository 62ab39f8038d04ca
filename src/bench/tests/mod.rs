//! The harness itself: are its figures right where the right ones are known?

mod figures;
mod grid;
mod scenarios;

use std::time::Duration;

use super::*;

const MEGABIT: u64 = 1_000_000;

fn millis(count: u64) -> Duration {
    Duration::from_millis(count)
}

#[test]
fn one_flow_fills_a_clean_path_and_what_is_lost_costs_it() {
    for stack in [StackKind::Native, StackKind::Smoltcp] {
        let path = Path::clean(10 * MEGABIT, millis(20));
        let flow = || vec![Flow::of(stack, Congestion::Reno)];
        let clean = simulate(&Trial::of(path.clone(), flow(), Load::For(Duration::from_secs(3)), 1)).expect("it runs");
        let [one] = clean.flows.as_slice() else { panic!("one flow has one outcome") };
        // At most 1448 of 1500 octets are data.
        assert!((5_000_000..=9_653_333).contains(&one.goodput), "{stack}: {one:?}");
        let lossy = Path { loss: Probability::from_percent(3), ..path };
        let lossy = simulate(&Trial::of(lossy, flow(), Load::For(Duration::from_secs(3)), 1)).expect("it runs");
        let [two] = lossy.flows.as_slice() else { panic!("one flow has one outcome") };
        assert!(two.goodput < one.goodput * 3 / 4, "{stack}: {two:?}");
        assert!(two.figures.retransmissions > 0 && two.figures.lost > 0, "{stack}: {two:?}");
        assert!(two.figures.recovery().is_some_and(|span| span >= millis(20)), "{stack}: {two:?}");
        // Only native tells of its window.
        assert_eq!(two.window.is_some(), stack == StackKind::Native, "{stack}: {two:?}");
        assert!(two.window.is_none_or(|window| window.after < window.before), "{stack}: {two:?}");
    }
}

#[test]
fn the_same_seed_gives_the_same_figures_and_another_seed_others() {
    let path = Path { loss: Probability::from_percent(2), ..Path::clean(10 * MEGABIT, millis(20)) };
    let run = |seed| {
        let flows = vec![Flow::of(StackKind::Native, Congestion::Reno)];
        simulate(&Trial::of(path.clone(), flows, Load::For(Duration::from_secs(2)), seed)).expect("it runs")
    };
    assert_eq!(run(1), run(1));
    assert_ne!(run(1), run(2));
}

#[test]
fn a_transfer_of_a_given_size_ends_when_all_of_it_has_arrived() {
    let path = Path { loss: Probability::from_percent(1), ..Path::clean(10 * MEGABIT, millis(20)) };
    let flows = vec![Flow::of(StackKind::Native, Congestion::Reno)];
    let outcome = simulate(&Trial::of(path, flows, Load::Octets(500_000), 1)).expect("it runs");
    let [flow] = outcome.flows.as_slice() else { panic!("one flow has one outcome") };
    assert_eq!(flow.figures.delivered, 500_000);
    // 500,000 octets of data are 345 packets at least, of 1.2 ms each.
    assert!(flow.completion().is_some_and(|span| span > millis(345 * 12 / 10)), "{flow:?}");
}

#[test]
fn flows_that_share_a_bottleneck_have_shares_and_a_late_one_begins_late() {
    let late = Flow { begins: Duration::from_secs(1), ..Flow::of(StackKind::Native, Congestion::Reno) };
    let flows = vec![Flow::of(StackKind::Native, Congestion::Reno), late];
    let path = Path::clean(10 * MEGABIT, millis(20));
    let outcome = simulate(&Trial::of(path, flows, Load::For(Duration::from_secs(4)), 1)).expect("it runs");
    let shares = outcome.shares_permille();
    assert!((999..=1000).contains(&shares.iter().sum::<u64>()), "{shares:?}");
    assert!(shares.iter().all(|share| *share > 100), "{shares:?}");
    assert!(outcome.jain_permille().is_some_and(|index| (500..=1000).contains(&index)), "{outcome:?}");
    let began = |flow: usize| outcome.flows[flow].figures.began.expect("it began").as_nanos();
    assert_eq!((began(0), began(1)), (0, 1_000_000_000));
    // Together they get no more than there is.
    let delivered: u64 = outcome.flows.iter().map(|flow| flow.figures.delivered).sum();
    assert!(delivered * 8 < 4 * 9_653_333, "{delivered}");
}

#[test]
fn jains_index_is_one_for_equals_and_a_third_for_one_of_three() {
    let flow = |goodput| FlowOutcome {
        stack: String::new(),
        congestion: String::new(),
        figures: crate::measure::StreamFigures::default(),
        goodput,
        timeouts: None,
        window: None,
    };
    let outcome = |goodputs: &[u64]| Outcome {
        flows: goodputs.iter().map(|goodput| flow(*goodput)).collect(),
        ended: crate::time::Instant::ZERO,
    };
    assert_eq!(outcome(&[5, 5, 5]).jain_permille(), Some(1_000));
    assert_eq!(outcome(&[9, 0, 0]).jain_permille(), Some(333));
    assert_eq!(outcome(&[0, 0]).jain_permille(), None);
    assert_eq!(outcome(&[30, 10]).shares_permille(), [750, 250]);
}

#[test]
fn there_are_no_more_flows_than_addresses() {
    let flows = vec![Flow::of(StackKind::Native, Congestion::Reno); 251];
    let refused =
        simulate(&Trial::of(Path::clean(MEGABIT, millis(20)), flows, Load::Octets(1), 1)).expect_err("too many");
    assert_eq!(refused.to_string(), "a trial has at most 250 flows");
}

#[test]
fn a_congestion_control_that_a_stack_lacks_is_not_replaced_by_another() {
    let flows = vec![Flow::of(StackKind::Smoltcp, Congestion::Bbr)];
    let refused =
        simulate(&Trial::of(Path::clean(MEGABIT, millis(20)), flows, Load::Octets(1), 1)).expect_err("it has none");
    assert_eq!(refused.to_string(), "smoltcp has no Bbr, only none, Reno and CUBIC: give the flow one of these");
}

#[test]
fn a_kernel_is_not_simulated() {
    let flow = Flow { receiver: Receiver::Linux, ..Flow::of(StackKind::Native, Congestion::Reno) };
    let path = Path::clean(MEGABIT, millis(20));
    let refused = simulate(&Trial::of(path, vec![flow], Load::Octets(1), 1)).expect_err("there is no such thing");
    assert!(refused.to_string().contains("play the trial live"), "{refused}");
}
