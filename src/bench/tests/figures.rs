//! What native's congestion controls reach on a path of 20 ms with a queue of one bandwidth-delay product. In virtual time: the
//! same figures on every machine. Comparisons are made at 100 Mbit/s (`examples/goodput.rs`); where a slower path shows the
//! same, it is taken here, because a test in a debug build pays for each packet.

use super::*;

/// A path of 33 packets.
const SLOW: u64 = 20 * MEGABIT;
const FAST: u64 = 100 * MEGABIT;
const NATIVE: [Congestion; 3] = [Congestion::Reno, Congestion::Cubic, Congestion::Bbr];

fn path(rate: u64, loss_percent: u32) -> Path {
    Path { loss: Probability::from_percent(loss_percent), ..Path::clean(rate, millis(20)) }
}

fn goodput(stack: StackKind, congestion: Congestion, path: Path, seconds: u64) -> u64 {
    let load = Load::For(Duration::from_secs(seconds));
    let trial = Trial::of(path, vec![Flow::of(stack, congestion)], load, 1);
    simulate(&trial).expect("it runs").goodput()
}

/// Of a packet of 1500 octets, 1448 are data.
#[test]
fn each_fills_a_clean_path_to_95_percent_of_what_it_carries() {
    for congestion in NATIVE {
        let wire = goodput(StackKind::Native, congestion, path(SLOW, 0), 4) * 1500 / 1448;
        assert!((SLOW / 100 * 95..=SLOW).contains(&wire), "{congestion:?}: {wire}");
    }
}

#[test]
fn with_one_percent_of_loss_bbr_keeps_85_megabits() {
    let reached = goodput(StackKind::Native, Congestion::Bbr, path(FAST, 1), 5);
    assert!(reached >= 85 * MEGABIT, "{reached}");
}

#[test]
fn with_one_percent_of_loss_reno_gets_seven_tenths_more_than_smoltcps() {
    let [ours, theirs] =
        [StackKind::Native, StackKind::Smoltcp].map(|stack| goodput(stack, Congestion::Reno, path(FAST, 1), 10));
    assert!(ours * 10 >= theirs * 17, "{ours} and {theirs}");
}

#[test]
fn two_of_a_kind_share_alike() {
    for congestion in NATIVE {
        let flows = vec![Flow::of(StackKind::Native, congestion); 2];
        let trial = Trial::of(path(SLOW, 0), flows, Load::For(Duration::from_secs(8)), 1);
        let jain = simulate(&trial).expect("it runs").jain_permille();
        assert!(jain.is_some_and(|jain| jain >= 950), "{congestion:?}: {jain:?}");
    }
}
