//! What to look at first: the worst five, each with a filter to paste into Wireshark.

use std::time::Duration;

use serde::Serialize;

use super::span;
use crate::measure::{Connection, End, Kind};

/// How many are told.
const MOST: usize = 5;
/// How many packets a filter names.
const NAMED: usize = 12;

/// A place to look at.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Advice {
    /// What is to be seen there.
    pub what: String,
    /// The packets, the first of them.
    pub packets: Vec<u64>,
    /// For Wireshark's filter line.
    pub filter: String,
}

/// The worst first: connections that failed, then what has cost most time, then what is merely waste.
pub fn look_first(connections: &[Connection]) -> Vec<Advice> {
    let mut all: Vec<(u8, Duration, Advice)> = Vec::new();
    for connection in connections {
        failures(connection, &mut all);
        waits(connection, &mut all);
        waste(connection, &mut all);
    }
    all.sort_by(|(rank, cost, _), (other_rank, other_cost, _)| rank.cmp(other_rank).then(other_cost.cmp(cost)));
    all.into_iter().take(MOST).map(|(_, _, advice)| advice).collect()
}

fn advice(what: String, mut packets: Vec<u64>) -> Advice {
    packets.truncate(NAMED);
    let numbers: Vec<String> = packets.iter().map(u64::to_string).collect();
    Advice { what, filter: format!("frame.number in {{{}}}", numbers.join(", ")), packets }
}

fn failures(connection: &Connection, all: &mut Vec<(u8, Duration, Advice)>) {
    let handshake = &connection.handshake;
    let server = connection.server;
    let reset = connection.resets.first();
    if let Some(reset) = reset.filter(|reset| reset.refuses) {
        let what = format!("{server} refuses: nobody listens there, or a filter says so");
        all.push((0, Duration::ZERO, advice(what, [handshake.syns.clone(), vec![reset.number]].concat())));
    } else if !handshake.syns.is_empty() && handshake.syn_acks.is_empty() {
        let count = handshake.syns.len();
        let what =
            format!("{server} does not answer: {count} SYN in {}, and no packet came back", span(connection.lasted));
        all.push((0, connection.lasted, advice(what, handshake.syns.clone())));
    } else if let Some(reset) = reset {
        let who = if reset.by == End::Client { connection.client } else { server };
        let what = format!("{who} breaks the connection off");
        let packets = connection.resets.iter().map(|reset| reset.number).collect();
        all.push((1, Duration::ZERO, advice(what, packets)));
    }
}

fn waits(connection: &Connection, all: &mut Vec<(u8, Duration, Advice)>) {
    if connection.handshake.syn_acks.is_empty() && !connection.handshake.syns.is_empty() {
        return;
    }
    for window in &connection.zero_windows {
        let who = if window.at == End::Client { connection.client } else { connection.server };
        let what = format!("{who} has no room for {}: its program does not read", span(window.lasted));
        all.push((2, window.lasted, advice(what, [Some(window.from), window.to].into_iter().flatten().collect())));
    }
    for silence in &connection.silences {
        let what = format!("Silence for {}: who waits for whom?", span(silence.lasted));
        all.push((3, silence.lasted, advice(what, vec![silence.after, silence.before])));
    }
    let again = || connection.streams.iter().flat_map(|stream| &stream.again);
    let timeouts: Vec<u64> = again().filter(|one| one.kind == Kind::Timeout).map(|one| one.number).collect();
    if !timeouts.is_empty() {
        let what = format!(
            "Segments waited for a time-out ({} of them): where were the ACKs that tell of losses?",
            timeouts.len()
        );
        all.push((2, connection.path.whole().unwrap_or_default() * timeouts.len() as u32, advice(what, timeouts)));
    }
}

fn waste(connection: &Connection, all: &mut Vec<(u8, Duration, Advice)>) {
    let again = || connection.streams.iter().flat_map(|stream| &stream.again);
    let of = |is: &dyn Fn(&crate::measure::Again) -> bool| -> Vec<u64> {
        again().filter(|one| is(one)).map(|one| one.number).collect()
    };
    let kinds: [(Vec<u64>, &str); 5] = [
        (
            of(&|one| one.kind == Kind::TailLossProbe),
            "The end of a flight, or its ACK, was lost: nobody tells of that, and it costs a wait",
        ),
        (of(&|one| one.kind == Kind::Fast && one.doubt.is_none()), "Segments were lost, and mended at once"),
        (
            of(&|one| one.kind.is_retransmission() && one.doubt.is_some()),
            "Segments were sent again in vain: nothing was lost",
        ),
        (of(&|one| one.kind == Kind::OutOfOrder), "Segments were overtaken: several paths, or queues side by side?"),
        (of(&|one| one.kind == Kind::Duplicate), "Packets came twice: something on the way doubles them"),
    ];
    for (packets, what) in kinds.into_iter().filter(|(packets, _)| !packets.is_empty()) {
        let weight = Duration::from_millis(packets.len() as u64);
        all.push((4, weight, advice(format!("{what} ({} of them)", packets.len()), packets)));
    }
}
