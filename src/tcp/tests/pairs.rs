//! Two engines talk over a bad wire: both streams arrive whole, both sides close, nothing is left.

use std::time::Duration;

use proptest::prelude::*;

use super::pair::{Beginning, Pair, Plan, client_ends, patient};
use crate::journal::TcpState;
use crate::packet::SeqNum;
use crate::tcp::{Arrival, Config, Ecn, Engine, PathDiscovery, PathProbing, Segment};
use crate::time::Instant;

fn run(plan: Plan) -> Pair {
    let mut pair = Pair::new(plan, Beginning::OneSide);
    pair.run();
    pair
}

#[test]
fn streams_arrive_whole_over_a_good_wire() {
    run(Plan::default());
}

#[test]
fn streams_arrive_whole_over_a_bad_wire() {
    let jitter = Duration::from_millis(30);
    run(Plan { loss: 5, duplication: 5, jitter, ..Plan::default() });
}

/// RFC 9293 §3.5, Figure 7. MUST-10.
#[test]
fn both_sides_may_open_at_once_over_a_bad_wire() {
    for seed in 0..20 {
        let plan = Plan { seed, loss: 10, jitter: Duration::from_millis(30), lengths: [5000, 9000], ..Plan::default() };
        let mut pair = Pair::new(plan, Beginning::BothSides);
        pair.run();
    }
}

/// RFC 9293 §3.6, Figure 13.
#[test]
fn both_sides_may_close_at_once() {
    let pair = run(Plan { lengths: [0, 0], pause: Duration::from_millis(100), ..Plan::default() });
    assert!(pair.states(0).contains(&TcpState::TimeWait) || pair.states(1).contains(&TcpState::TimeWait));
    let plan = Plan { lengths: [0, 0], ..Plan::default() };
    let mut pair = Pair::new(plan, Beginning::BothSides);
    pair.run();
    assert!(pair.states(0).contains(&TcpState::Closing), "{:?}", pair.states(0));
}

/// RFC 9293 §3.6: one side sends nothing and closes at once; the other takes its time.
#[test]
fn one_side_may_close_long_before_the_other() {
    let pair = run(Plan { lengths: [0, 200_000], ..Plan::default() });
    assert!(pair.states(0).contains(&TcpState::FinWait2) && pair.states(1).contains(&TcpState::CloseWait));
}

/// RFC 4821 §7.7: a wire that swallows long packets, whatever its width, carries a stream by shorter ones.
#[test]
fn a_wire_that_swallows_long_packets_carries_a_stream() {
    for (width, super_segments) in [(1499, true), (1064, false), (1000, true), (300, false)] {
        let config = Config { super_segments, ..patient() };
        let (lengths, pause) = ([30_000, 10_000], Duration::from_millis(50));
        run(Plan { width, configs: [config.clone(), config], lengths, pause, ..Plan::default() });
    }
}

/// The same when it loses others, too, and while both sides search for more.
#[test]
fn a_bad_wire_that_swallows_long_packets_carries_a_stream() {
    let path = PathDiscovery { probing: PathProbing::Always, ..PathDiscovery::default() };
    for (seed, sack) in (0..10).flat_map(|seed| [(seed, true), (seed, false)]) {
        let config = Config { path, sack, initial_window: 20, send_buffer: 1 << 20, ..patient() };
        let width = 1064 + 40 * seed as usize;
        let jitter = Duration::from_millis(seed);
        let configs = [config.clone(), Config { receive_buffer: 1 << 18, ..config }];
        let (lengths, pause) = ([200_000, 20_000], Duration::from_millis(10));
        run(Plan { seed, loss: seed % 4, jitter, width, configs, lengths, pause, ..Plan::default() });
    }
}

/// A window of a few octets is slow, and a stream all the same.
#[test]
fn a_tiny_window_carries_a_stream() {
    for buffer in [1, 7, 100, 1500] {
        let config = Config { receive_buffer: buffer, ..patient() };
        run(Plan { lengths: [300, 300], configs: [config.clone(), config], ..Plan::default() });
    }
}

/// So is a small maximum segment size; less than 48 octets are never sent for it.
#[test]
fn a_tiny_segment_size_carries_a_stream() {
    for most in [1, 48, 100] {
        let config = Config { max_segment: Some(most), ..patient() };
        let plan = Plan { lengths: [20_000, 20_000], configs: [config, patient()], loss: 2, ..Plan::default() };
        run(plan);
    }
}

/// RFC 7323 §2: no scaling, a scale that the buffer does not need, the greatest.
#[test]
fn window_scaling_works_at_its_edges() {
    for (buffer, scale) in [(65_535, Some(0)), (65_536, None), (5000, Some(14)), (4 << 20, Some(14)), (1 << 20, None)] {
        let config = Config { receive_buffer: buffer, window_scale: scale, send_buffer: 1 << 20, ..patient() };
        let lengths = [400_000, 400_000];
        run(Plan { lengths, loss: 1, configs: [config.clone(), config], ..Plan::default() });
    }
}

/// RFC 9293 §3.4: numbers live on a circle. The run begins when the ISN of one side, and then of the other, is so high
/// that its stream passes zero.
#[test]
fn streams_pass_the_end_of_the_number_circle() {
    for side in 0..2 {
        let seed = 3;
        let first = first_number(seed, side);
        let ticks = u64::from(u32::MAX - first.0) - 20_000;
        let start = Instant::from_nanos(ticks * 4000);
        let jitter = Duration::from_millis(20);
        let pair = run(Plan { seed, start, loss: 2, jitter, ..Plan::default() });
        if side == 0 {
            let low = pair.sent.iter().filter(|(_, segment)| segment.seq.0 < 100_000).count();
            let high = pair.sent.iter().filter(|(_, segment)| segment.seq.0 > u32::MAX - 21_000).count();
            assert!(low > 10 && high > 10, "{low} {high}");
        }
    }
}

/// The initial sequence number that a side would choose at time zero.
fn first_number(seed: u64, side: usize) -> SeqNum {
    let mut ends = client_ends();
    if side == 1 {
        (ends.local, ends.remote) = (ends.remote, ends.local);
    }
    let mut engine = Engine::new(seed + side as u64, 1500);
    engine.connect(Instant::ZERO, ends.local, ends.remote, &Config::default()).expect("the ends are free");
    engine.transmit(Instant::ZERO).expect("a SYN is due").segment.seq
}

/// Every option off, and every option on.
#[test]
fn every_combination_of_options_carries_a_stream() {
    for bits in 0..16_u8 {
        let on = |bit: u8| bits >> bit & 1 == 1;
        let ecn = if on(3) { Ecn::Active } else { Ecn::Off };
        let config = Config { timestamps: on(0), sack: on(1), window_scaling: on(2), ecn, ..patient() };
        let jitter = Duration::from_millis(5);
        let plan = Plan { loss: 3, duplication: 3, jitter, configs: [config, patient()], ..Plan::default() };
        run(plan);
    }
}

/// Super-segments are a matter of how segments leave, not of what is on the wire: cut, they are the same packets, at the
/// same times, with the same comments.
#[test]
fn super_segments_change_nothing_on_the_wire() {
    for (loss, seed) in [(0, 1), (2, 2), (5, 3), (10, 4)] {
        let packets = |super_segments: bool| {
            let config = Config { super_segments, ..patient() };
            let jitter = Duration::from_millis(2);
            let configs = [config, patient()];
            run(Plan { seed, loss, jitter, lengths: [200_000, 1000], configs, ..Plan::default() }).sent
        };
        let (whole, single) = (packets(true), packets(false));
        for (index, (one, other)) in whole.iter().zip(&single).enumerate() {
            assert_eq!(shown(one), shown(other), "packet {index} with a loss of {loss} %");
        }
        assert_eq!(whole.len(), single.len());
    }
}

/// What can be seen of a packet on the wire.
fn shown((at, segment): &(Instant, Segment)) -> String {
    let Segment { seq, ack, flags, window, options, ecn, .. } = segment;
    let data = segment.payload.concat();
    format!("{at} {flags} {seq}:{} ack {ack} win {window} ecn {ecn} {options:?} {data:?}", seq.0)
}

/// A receiver takes super-segments as it takes their pieces.
#[test]
fn super_segments_arrive_as_their_pieces_do() {
    for loss in [0, 3, 8] {
        run(Plan { keeps_super_segments: true, loss, jitter: Duration::from_millis(5), ..Plan::default() });
    }
}

/// A segment from a connection of long ago, which the wire has kept, is no part of the new one.
#[test]
fn a_late_segment_of_an_earlier_connection_is_not_taken() {
    let mut pair = run(Plan { lengths: [3000, 0], ..Plan::default() });
    let late: Vec<Segment> = pair.sent.iter().map(|(_, segment)| segment.clone()).collect();
    let ends = client_ends();
    let ends = crate::tcp::Ends { local: ends.remote, remote: ends.local };
    let mut engine = Engine::new(9, 1500);
    engine.listen(ends.local, 5, &Config::default()).expect("the port is free");
    pair.now += Duration::from_secs(1);
    for segment in late {
        engine.receive(pair.now, Arrival { ends, segment, packet: crate::packet::PacketId(1) });
        while engine.transmit(pair.now).is_some() {}
    }
    let accepted = engine.accept(crate::journal::SocketId(1));
    assert!(accepted.is_none(), "an old SYN and an old ACK do not open a connection");
}

fn config() -> impl Strategy<Value = Config> {
    let buffers = prop_oneof![1_usize..3000, 3000_usize..200_000];
    let sizes = prop_oneof![Just(None), (1_u16..1460).prop_map(Some)];
    let flags = (any::<bool>(), any::<bool>(), any::<bool>(), any::<bool>(), any::<bool>());
    (buffers, 1_usize..100_000, sizes, flags, any::<bool>()).prop_map(|(receive, send, max_segment, flags, delays)| {
        let (timestamps, sack, window_scaling, super_segments, no_delay) = flags;
        Config {
            receive_buffer: receive,
            send_buffer: send.max(200),
            max_segment,
            timestamps,
            sack,
            window_scaling,
            super_segments,
            no_delay,
            ecn: if delays { Ecn::Active } else { Ecn::Passive },
            delayed_ack: delays.then_some(Duration::from_millis(40)),
            ..patient()
        }
    })
}

fn plan() -> impl Strategy<Value = Plan> {
    let wire = (0_u64..10, 0_u64..10, 0_u64..60);
    let applications = (0_usize..30_000, 0_usize..30_000, 100_usize..20_000, 1_u64..50);
    (any::<u64>(), wire, applications, config(), config()).prop_map(|(seed, wire, applications, first, second)| Plan {
        seed,
        loss: wire.0,
        duplication: wire.1,
        jitter: Duration::from_millis(wire.2),
        lengths: [applications.0, applications.1],
        gulp: applications.2,
        pause: Duration::from_millis(applications.3),
        configs: [first, second],
        ..Plan::default()
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, ..ProptestConfig::default() })]

    /// Whatever the wire does, short of losing everything, and whatever the applications want.
    #[test]
    fn streams_arrive_whole_whatever_the_wire_does(plan in plan()) {
        run(plan);
    }
}
