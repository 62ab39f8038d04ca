//! What our stack costs in memory and in allocations, and that nobody can make it cost more: counted, not timed.
//!
//! A binary of its own, since its allocator counts. It counts for each thread, so tests do not disturb each other.

#[path = "support/pair.rs"]
mod pair;

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use allocation_counter::measure;
use bytes::Bytes;
use etherparse::PacketBuilder;
use pair::{CLIENT, Edge, PORT, Pair, SERVER, address};
use wireglass::journal::{SocketId, TcpState};
use wireglass::packet::{Medium, Packet, PacketId, SeqNum, TcpFlags};
use wireglass::stack::{Stack, StackKind, TcpConfig};
use wireglass::tcp::{Arrival, Config, Ends, Engine, Segment};
use wireglass::time::Instant;

const DELAY: Duration = Duration::from_millis(1);
/// What an idle connection may cost on each side, in octets, with its share of every table.
const IDLE: usize = 1536;
/// So many make the share of the tables large: these have just doubled.
const CONNECTIONS: usize = 1000;
/// What a stack with a few connections may hold besides the buffers that were asked for.
const BESIDES: usize = 48 * 1024;
const MEGABYTE: usize = 1_000_000;

/// Octets that a stack holds: what dropping it gives back.
fn held(stack: Box<dyn Stack>) -> usize {
    let freed = measure(|| drop(stack)).bytes_current;
    usize::try_from(-freed).expect("dropping allocates nothing that stays")
}

/// Octets that each side holds.
fn both(pair: Pair) -> [usize; 2] {
    pair.stacks.map(held)
}

fn native() -> Pair {
    Pair::new(StackKind::Native, Edge::Cuts, DELAY)
}

/// A pair with one open connection.
fn open(config: &TcpConfig) -> (Pair, [SocketId; 2]) {
    let mut pair = native();
    let listener = pair.listen(16, config);
    let sockets = pair.connect(listener, config);
    (pair, sockets)
}

/// A pair with many open connections.
fn with_connections() -> (Pair, Vec<[SocketId; 2]>) {
    let config = TcpConfig::default();
    let mut pair = native();
    let listener = pair.listen(16, &config);
    let sockets = (0..CONNECTIONS).map(|_| pair.connect(listener, &config)).collect();
    (pair, sockets)
}

fn assert_idle_cost(pair: Pair) {
    for (side, octets) in ["client", "server"].into_iter().zip(both(pair)) {
        let each = octets / CONNECTIONS;
        assert!(each <= IDLE, "{each} octets for each connection of the {side}, at most {IDLE}");
    }
}

#[test]
fn an_idle_connection_is_small() {
    let (pair, sockets) = with_connections();
    for side in [CLIENT, SERVER] {
        let known = pair.snapshot(sockets[CONNECTIONS - 1], side).expect("the connection is there");
        assert_eq!(known.state, TcpState::Established);
    }
    assert_idle_cost(pair);
}

#[test]
fn a_connection_gives_its_buffers_back_after_traffic() {
    let (mut pair, sockets) = with_connections();
    let mut buffer = vec![7; 64 * 1024];
    for sockets in sockets {
        pair.transfer(sockets, CLIENT, 70_000, &mut buffer);
        pair.transfer(sockets, SERVER, 70_000, &mut buffer);
    }
    pair.run(Duration::from_secs(1));
    assert_idle_cost(pair);
}

/// Allocations while a megabyte goes over, after one that has warmed everything up; and the packets that it took.
fn allocations_for_a_megabyte(edge: Edge) -> (u64, u64) {
    let mut pair = Pair::new(StackKind::Native, edge, DELAY);
    let listener = pair.listen(16, &TcpConfig::default());
    let sockets = pair.connect(listener, &TcpConfig::default());
    let mut buffer = vec![7; 64 * 1024];
    pair.transfer(sockets, CLIENT, MEGABYTE, &mut buffer);
    let before = pair.packets;
    let counted = measure(|| pair.transfer(sockets, CLIENT, MEGABYTE, &mut buffer));
    (counted.count_total, pair.packets - before)
}

/// A megabyte is 691 segments. What is allocated: the send buffer's chunks of up to 64 KB, each with the note that lets
/// packets share it, the queues whenever they have run empty, and at the edge two lists for each super-segment. Nothing for a
/// packet.
#[test]
fn a_megabyte_takes_no_allocation_for_each_packet() {
    let (allocations, packets) = allocations_for_a_megabyte(Edge::Cuts);
    assert!(packets > 691, "{packets}");
    assert!(allocations <= 200, "{allocations} allocations for {packets} packets");
}

#[test]
fn a_megabyte_in_super_segments_takes_an_allocation_for_every_seven_packets() {
    let (allocations, packets) = allocations_for_a_megabyte(Edge::Whole);
    assert!(packets > 691, "{packets}");
    assert!(allocations <= 100, "{allocations} allocations for what {packets} packets would be");
}

/// Each way six: the octets with their place in the queue, the note that lets their packet share them, the record of what is
/// in flight, and the receiver's copy, which does not keep the packet, with its place.
#[test]
fn a_request_and_its_answer_take_twelve_allocations() {
    let (mut pair, sockets) = open(&TcpConfig::default());
    let mut buffer = vec![7; 100];
    let mut exchange = || {
        pair.transfer(sockets, CLIENT, 100, &mut buffer);
        pair.transfer(sockets, SERVER, 100, &mut buffer);
    };
    (0..100).for_each(|_| exchange());
    let counted = measure(|| (0..100).for_each(|_| exchange()));
    assert!(counted.count_total <= 1200, "{} allocations for 100 requests and their answers", counted.count_total);
}

/// A receiver that nobody reads takes what its buffer holds, whether it comes in large segments or in single octets.
#[test]
fn who_never_reads_holds_no_more_than_the_buffer() {
    for (piece, what) in [(60_000, "large writes"), (1, "single octets")] {
        let config = TcpConfig { no_delay: true, ..TcpConfig::default() };
        let (mut pair, sockets) = open(&config);
        let data = vec![7; piece];
        let mut given = 0;
        // Until nothing has found room for a whole second.
        loop {
            match pair.stacks[CLIENT].send(pair.now, sockets[CLIENT], &data).expect("it is open") {
                0 => {
                    let before = pair.snapshot(sockets, SERVER).map(|known| known.receive_queue);
                    pair.run(Duration::from_secs(1));
                    if before == pair.snapshot(sockets, SERVER).map(|known| known.receive_queue) {
                        break;
                    }
                }
                some => given += some,
            }
            assert!(given <= 4 * (config.send_buffer + config.receive_buffer), "{what}: there is room without end");
            pair.settle();
        }
        assert!(given > config.receive_buffer, "{what}: only {given} octets were taken");
        let [client, server] = both(pair);
        assert!(client <= config.send_buffer + BESIDES, "{what}: the sender holds {client}");
        // A segment that is shared with the packet it came in keeps the packet's own length and no more.
        assert!(server <= 2 * config.receive_buffer + BESIDES, "{what}: the receiver holds {server}");
    }
}

/// Nobody answers: what was given waits, however it was given, and nothing piles up beside it.
#[test]
fn who_is_never_acknowledged_holds_no_more_than_the_buffer() {
    for piece in [60_000, 1] {
        let config = TcpConfig { no_delay: true, ..TcpConfig::default() };
        let (mut pair, sockets) = open(&config);
        let [mut client, _] = pair.stacks;
        let (data, mut given) = (vec![7; piece], 0);
        for _ in 0..100 {
            while let some @ 1.. = client.send(pair.now, sockets[CLIENT], &data).expect("nobody has given up yet") {
                given += some;
                assert!(given <= 4 * config.send_buffer, "in pieces of {piece}: there is room without end");
                while client.transmit(pair.now).is_some() {}
            }
            if let Some((at, _)) = client.deadline().filter(|(at, _)| at.as_nanos() < 60_000_000_000) {
                pair.now = at;
                client.expire(at);
            }
        }
        // Ten notes on single octets in flight are charged, too.
        assert!(given > config.send_buffer / 20 * 19, "{given} octets were taken");
        let octets = held(client);
        assert!(octets <= config.send_buffer + BESIDES, "in pieces of {piece}: {octets} octets are held");
    }
}

/// A program that writes octet by octet on a long path: each is a segment with a note of its own until it is
/// acknowledged, and these notes are charged to the buffer, too.
#[test]
fn octets_in_flight_one_by_one_hold_no_more_than_the_buffer() {
    let config = TcpConfig { no_delay: true, initial_window: 1 << 20, ..TcpConfig::default() };
    let (mut pair, sockets) = open(&config);
    let mut given = 0;
    while let Ok(1) = pair.stacks[CLIENT].send(pair.now, sockets[CLIENT], b"x") {
        given += 1;
        assert!(given <= config.send_buffer, "there is room without end");
        pair.settle();
    }
    let flight = pair.snapshot(sockets, CLIENT).and_then(|known| known.flight);
    let in_flight = flight.map_or(0, |flight| flight.unacked);
    assert!(in_flight > 400, "only {in_flight} segments were in flight: nothing is tested");
    let [client, _] = both(pair);
    assert!(client <= 2 * config.send_buffer + BESIDES, "{in_flight} segments in flight hold {client} octets");
}

/// A segment made by hand, from the pair's client or somebody who says so.
fn forged(from: SocketAddr, seq: u32, ack: Option<u32>, data: &[u8]) -> Packet {
    let (IpAddr::V4(src), IpAddr::V4(dst)) = (from.ip(), address(SERVER, false)) else { panic!("these are IPv4") };
    let tcp = PacketBuilder::ipv4(src.octets(), dst.octets(), 64).tcp(from.port(), PORT, seq, 1000);
    let tcp = match ack {
        Some(ack) => tcp.ack(ack),
        None => tcp.syn(),
    };
    let mut frame = Vec::new();
    tcp.write(&mut frame, data).expect("a vector takes everything");
    Packet::from_wire(Medium::Ip, Bytes::from(frame))
}

/// Every second octet of the window, each in a segment of its own, and the first of them never.
#[test]
fn a_flood_beyond_a_gap_holds_no_more_than_the_buffer() {
    for length in [1, 600, 1400] {
        // Without timestamps a forged segment is as good as any.
        let config = TcpConfig { timestamps: false, ..TcpConfig::default() };
        let (pair, sockets) = open(&config);
        let known = pair.snapshot(sockets, SERVER).expect("it is open");
        let (Some(remote), Some(next), Some(una)) = (known.remote, known.rcv_nxt, known.snd_una) else {
            panic!("our stack tells everything")
        };
        let [_, mut server] = pair.stacks;
        for offset in (1..config.receive_buffer as u32).step_by(length + 1) {
            let segment = forged(remote, next.0.wrapping_add(offset), Some(una.0), &vec![7; length]);
            server.receive(pair.now, &mut vec![segment]);
            while server.transmit(pair.now).is_some() {}
        }
        let octets = held(server);
        assert!(octets > 8 * 1024, "in pieces of {length}: only {octets} octets are held");
        let most = 2 * config.receive_buffer + BESIDES;
        assert!(octets <= most, "in pieces of {length}: {octets} octets are held, at most {most}");
    }
}

#[test]
fn a_flood_of_requests_holds_no_more_than_the_backlog() {
    const BACKLOG: usize = 16;
    let mut pair = native();
    pair.listen(BACKLOG, &TcpConfig::default());
    let [_, mut server] = pair.stacks;
    for number in 0..100_000_u32 {
        let from = SocketAddr::from((Ipv4Addr::from(0x0a01_0000 + number), 4000));
        server.receive(pair.now, &mut vec![forged(from, number, None, &[])]);
        // What cannot be remembered is answered all the same, by a SYN cookie.
        while server.transmit(pair.now).is_some() {}
    }
    let octets = held(server);
    assert!(octets <= (BACKLOG + 1) * 2 * IDLE + BESIDES, "{octets} octets are held");
}

/// A million SYNs from everywhere to a listener with a long backlog: it remembers a thousand, and the rest costs nothing,
/// neither in octets nor, once the tables are there, in allocations. Somebody honest who comes amid them is connected by the
/// SYN cookie that answers every SYN, after one round trip.
#[test]
fn a_flood_of_a_million_requests_shuts_nobody_out() {
    const FLOOD: u32 = 1_000_000;
    const REMEMBERED: usize = 1024;
    let config = Config::default();
    let mut engine = Engine::new(1, 1500);
    let local = SocketAddr::from((Ipv4Addr::new(10, 0, 0, 1), PORT));
    let listener = engine.listen(local, 4096, &config).expect("the port is free");
    engine.set_telling(false);
    let now = Instant::ZERO;
    let arrival = |from: SocketAddr, segment: Segment| Arrival {
        ends: Ends { local, remote: from },
        segment,
        packet: PacketId::default(),
    };
    let request = |number: u32| {
        let syn = Segment { seq: SeqNum(number), flags: TcpFlags::SYN, window: 65_535, ..Segment::default() };
        arrival(SocketAddr::from((Ipv4Addr::from(0x0b00_0000 + number), 4000)), syn)
    };
    let flood = |engine: &mut Engine, numbers: std::ops::Range<u32>| {
        for number in numbers {
            engine.receive(now, request(number));
            while engine.transmit(now).is_some() {}
        }
    };
    let first = measure(|| flood(&mut engine, 0..10_000));
    let rest = measure(|| flood(&mut engine, 10_000..FLOOD));
    assert_eq!((rest.count_total, rest.bytes_current), (0, 0), "what a SYN costs once the queue is full");
    assert_eq!(engine.len(), REMEMBERED);
    let octets = usize::try_from(first.bytes_current).expect("something is kept");
    assert!(octets <= REMEMBERED * 2 * IDLE, "{octets} octets are held");

    let honest = SocketAddr::from((Ipv4Addr::new(10, 0, 0, 2), 5000));
    let syn = Segment { seq: SeqNum(7), flags: TcpFlags::SYN, window: 65_535, ..Segment::default() };
    engine.receive(now, arrival(honest, syn));
    let answer = engine.transmit(now).expect("it is answered").segment;
    assert!(engine.accept(listener).is_none());
    let (seq, ack) = (SeqNum(8), answer.seq + 1);
    let ack = Segment { seq, ack, flags: TcpFlags::ACK, window: 65_535, ..Segment::default() };
    engine.receive(now + 2 * DELAY, arrival(honest, ack));
    let (socket, remote) = engine.accept(listener).expect("it is connected");
    assert_eq!(remote, honest);
    assert_eq!(engine.snapshot(socket).map(|known| known.state), Some(TcpState::Established));
}

/// Segments for nobody are answered by resets; when nobody takes these away, they do not pile up.
#[test]
fn a_flood_of_strays_piles_up_no_answers() {
    let pair = native();
    let [_, mut server] = pair.stacks;
    for number in 0..100_000_u32 {
        let from = SocketAddr::from((Ipv4Addr::from(0x0a01_0000 + number), 4000));
        server.receive(pair.now, &mut vec![forged(from, number, Some(1), b"stray")]);
    }
    let octets = held(server);
    assert!(octets <= 1024 * 512, "{octets} octets are held");
}

#[test]
fn connections_that_nobody_accepts_are_no_more_than_the_backlog() {
    const BACKLOG: usize = 16;
    let config = TcpConfig::default();
    let mut pair = native();
    let listener = pair.listen(BACKLOG, &config);
    for _ in 0..1000 {
        pair.begin(None, &config);
    }
    pair.run(Duration::from_secs(300));
    let mut open = 0;
    while pair.stacks[SERVER].accept(pair.now, listener).is_some() {
        open += 1;
    }
    // Those who came by a SYN cookie find room of their own.
    assert!((BACKLOG + 1..=2 * (BACKLOG + 1)).contains(&open), "{open} wait");
    let [_, server] = both(pair);
    assert!(server <= 2 * (BACKLOG + 1) * 2 * IDLE + BESIDES, "{server} octets are held");
}

/// Opens and closes so many connections, and waits until TIME-WAIT is over.
fn open_and_close(pair: &mut Pair, listener: SocketId, connections: usize) {
    for number in 0..connections {
        let sockets = pair.connect(listener, &TcpConfig::default());
        let first = number % 2;
        pair.stacks[first].close(pair.now, sockets[first]);
        pair.run(10 * DELAY);
        pair.stacks[1 - first].close(pair.now, sockets[1 - first]);
    }
    pair.run(Duration::from_secs(61));
}

/// A smaller version of the example `footprint`.
#[test]
fn opening_and_closing_leaves_nothing_behind() {
    let after = |rounds: usize| {
        let mut pair = native();
        let listener = pair.listen(16, &TcpConfig::default());
        (0..rounds).for_each(|_| open_and_close(&mut pair, listener, 500));
        both(pair)
    };
    let (once, often) = (after(1), after(6));
    for side in [CLIENT, SERVER] {
        // A tree keeps an empty page or two.
        assert!(often[side] <= once[side] + 1024, "side {side}: {} octets, then {}", once[side], often[side]);
    }
}
