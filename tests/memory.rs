//! What connections cost in memory, counted and not timed.
//!
//! A binary of its own: the allocator counts here. It counts for each thread, so tests do not disturb each other.

#[path = "support/pair.rs"]
mod pair;

use std::time::Duration;

use allocation_counter::measure;
use pair::{CLIENT, Edge, Pair, SERVER};
use wireglass::journal::{SocketId, TcpState};
use wireglass::stack::{StackKind, TcpConfig};

const DELAY: Duration = Duration::from_millis(1);
/// What an idle connection may cost on each side, with its share of every table.
const IDLE: usize = 1500;
/// So many make the share of the tables visible, just after they have doubled.
const CONNECTIONS: usize = 1000;

/// Octets that each side holds: what dropping it gives back.
fn held(pair: Pair) -> [usize; 2] {
    pair.stacks.map(|stack| {
        let freed = measure(|| drop(stack)).bytes_current;
        usize::try_from(-freed).expect("dropping allocates nothing that stays")
    })
}

/// A pair with open connections.
fn with_connections(config: &TcpConfig) -> (Pair, Vec<[SocketId; 2]>) {
    let mut pair = Pair::new(StackKind::Native, Edge::Cuts, DELAY);
    let listener = pair.listen(16, config);
    let sockets = (0..CONNECTIONS).map(|_| pair.connect(listener, config)).collect();
    (pair, sockets)
}

fn assert_idle_cost(pair: Pair, what: &str) {
    for (side, octets) in ["client", "server"].into_iter().zip(held(pair)) {
        let each = octets / CONNECTIONS;
        println!("{what} {side} {each}");
        assert!(each <= IDLE, "{what}: {each} octets for each connection of the {side}, at most {IDLE}");
    }
}

#[test]
fn an_idle_connection_is_small() {
    let (pair, sockets) = with_connections(&TcpConfig::default());
    assert_eq!(pair.snapshot(sockets[CONNECTIONS - 1], SERVER).map(|known| known.state), Some(TcpState::Established));
    assert_idle_cost(pair, "never used");
}

#[test]
fn a_connection_gives_its_buffers_back_after_traffic() {
    let (mut pair, sockets) = with_connections(&TcpConfig::default());
    let mut buffer = vec![7; 64 * 1024];
    for sockets in sockets {
        pair.transfer(sockets, CLIENT, 100_000, &mut buffer);
        pair.transfer(sockets, SERVER, 100_000, &mut buffer);
    }
    pair.run(Duration::from_secs(1));
    assert_idle_cost(pair, "after traffic");
}

#[test]
fn steady() {
    let (mut pair, sockets) = {
        let mut pair = Pair::new(StackKind::Native, Edge::Cuts, DELAY);
        let listener = pair.listen(16, &TcpConfig::default());
        let s = pair.connect(listener, &TcpConfig::default());
        (pair, s)
    };
    let mut buffer = vec![7; 64 * 1024];
    pair.transfer(sockets, CLIENT, 1_000_000, &mut buffer);
    let p = pair.packets;
    let m = measure(|| pair.transfer(sockets, CLIENT, 1_000_000, &mut buffer));
    println!("{:?} {}", m, pair.packets - p);
}
