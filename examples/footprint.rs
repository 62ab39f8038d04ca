//! What our stack weighs: the process's memory with many idle connections, and after many that have come and gone.
//!
//! ```text
//! cargo run --release --example footprint [IDLE [OPENED_AND_CLOSED]]      100,000 and 1,000,000 if not said
//! ```
//!
//! Both ends of every connection live in this one process, so each figure is for two.

#![allow(clippy::print_stdout, reason = "it prints figures")]

#[path = "../tests/support/pair.rs"]
mod pair;

use std::net::SocketAddr;
use std::time::Duration;

use pair::{CLIENT, Edge, Pair, SERVER};
use wireglass::journal::SocketId;
use wireglass::stack::{StackKind, TcpConfig};

const DELAY: Duration = Duration::from_micros(50);
/// Connections from one address of the client: less than it has ephemeral ports.
const FROM_ONE: usize = 15_000;
/// Connections after which TIME-WAIT is waited out, and memory looked at.
const ROUND: usize = 10_000;

fn main() {
    let mut arguments = std::env::args().skip(1).map(|typed| typed.replace('_', "").parse::<usize>());
    let mut number = |usual| arguments.next().map_or(Ok(usual), |typed| typed);
    match (number(100_000), number(1_000_000)) {
        (Ok(idle), Ok(cycles)) => {
            // In this order: what the many leave to the allocator would hide that these grow.
            open_and_close(cycles);
            hold(idle);
        }
        _ => println!("usage: footprint [IDLE [OPENED_AND_CLOSED]], both numbers"),
    }
}

fn new() -> (Pair, SocketId, TcpConfig) {
    let config = TcpConfig::default();
    let mut pair = Pair::new(StackKind::Native, Edge::Cuts, DELAY);
    let listener = pair.listen(16, &config);
    (pair, listener, config)
}

/// So many open connections at once.
fn hold(connections: usize) {
    let before = resident();
    let (mut pair, listener, config) = new();
    let addresses = pair.stacks[CLIENT].addresses();
    let addresses: Vec<_> = addresses.into_iter().filter(|address| address.is_ipv4()).collect();
    let most = connections.min(addresses.len() * FROM_ONE);
    for number in 0..most {
        let from = SocketAddr::new(addresses[number / FROM_ONE], 0);
        pair.connect_from(Some(from), listener, &config);
    }
    let grown = resident().saturating_sub(before);
    println!("{most} idle connections: {} kB in memory, {} octets for each end", grown / 1024, grown / most.max(1) / 2);
}

/// So many connections one after the other, TIME-WAIT waited out after each round.
fn open_and_close(connections: usize) {
    let (mut pair, listener, config) = new();
    let mut first = None;
    for round in 1..=connections.div_ceil(ROUND) {
        for number in 0..ROUND {
            let sockets = pair.connect(listener, &config);
            let closes_first = number % 2;
            pair.stacks[closes_first].close(pair.now, sockets[closes_first]);
            pair.settle();
            pair.run(10 * DELAY);
            pair.stacks[1 - closes_first].close(pair.now, sockets[1 - closes_first]);
            pair.run(10 * DELAY);
        }
        pair.run(Duration::from_secs(61));
        let now = resident();
        let first = *first.get_or_insert(now);
        if round.is_power_of_two() || round * ROUND >= connections {
            let grown = now as i64 - first as i64;
            println!(
                "{} opened and closed: {} kB in memory, {} kB since the first round",
                round * ROUND,
                now / 1024,
                grown / 1024
            );
        }
    }
    assert!(pair.stacks[SERVER].is_quiet(), "nothing is under way any more");
}

/// Octets of this process that are in memory.
fn resident() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap_or_default();
    line.split_whitespace().next().and_then(|number| number.parse::<usize>().ok()).unwrap_or(0) * 1024
}
