//! Reno: what the model says of the algorithm that everybody knows, so that it is believed about the others.

use std::time::Duration;

use super::bottleneck::{Flow, Network, Path, fairness};
use crate::tcp::congestion::Reno;

#[test]
fn reno_fills_a_path_with_a_queue_of_one_bdp() {
    let mut network = Network::new(Path::new(1000, 50, 50), vec![Flow::new(Reno::default())]);
    network.run(Duration::from_secs(5));
    let utilisation = network.utilisation(Duration::from_secs(60));
    assert!((98..=100).contains(&utilisation), "{utilisation} %");
    assert!(network.overflows > 5, "the model drops what the queue cannot hold");
}

#[test]
fn reno_without_a_queue_loses_a_quarter_of_the_path() {
    let mut network = Network::new(Path::new(1000, 100, 1), vec![Flow::new(Reno::default())]);
    network.run(Duration::from_secs(20));
    let utilisation = network.utilisation(Duration::from_secs(100));
    assert!((70..=85).contains(&utilisation), "{utilisation} %");
}

#[test]
fn two_renos_share_alike() {
    let mut network =
        Network::new(Path::new(1000, 50, 50), vec![Flow::new(Reno::default()), Flow::new(Reno::default())]);
    network.run(Duration::from_secs(30));
    let shares = network.measure(Duration::from_secs(120));
    assert!(fairness(&shares) >= 95, "{shares:?}");
}
