//! Pipes as a whole: tables for each impairment, properties for all of them together.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use proptest::prelude::*;

use super::*;
use crate::journal::Impairment;
use crate::packet::checksum::{Sum, verify};
use crate::packet::dissect::ETHERNET_HEADER;
use crate::packet::{Checksum, Medium, Packet};
use crate::rng::{Probability, Rng};
use crate::time::Instant;

const MS: u64 = 1_000_000;

fn at(millis: u64) -> Instant {
    Instant::from_nanos(millis * MS)
}

fn tcp_headers(payload: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    let builder = etherparse::PacketBuilder::ipv4([10, 0, 0, 1], [10, 0, 0, 2], 64).tcp(4000, 80, 1, 1000).ack(7).psh();
    builder.write(&mut bytes, payload).expect("a vector takes a packet");
    bytes
}

/// A TCP segment of `len` octets of data.
fn segment(id: u64, len: usize) -> Packet {
    let mut packet = Packet::from_wire(Medium::Ip, tcp_headers(&vec![id as u8; len]).into());
    packet.id = PacketId(id);
    packet
}

fn pipe(change: impl FnOnce(&mut PipeConfig)) -> Pipe {
    let mut config = PipeConfig::clean("client-server");
    change(&mut config);
    Pipe::new(config, Rng::new(1))
}

fn rule(id: &str, nth: &[u32], action: Action) -> Rule {
    Rule { id: id.to_owned(), when: Arc::new(|packet| packet.payload_len() > 0), nth: nth.to_vec(), action }
}

type Told = Vec<(PacketId, Impairment)>;

/// Offers packets 1, 2, … at these milliseconds with this much data; returns (id, milliseconds) of every arrival, in
/// order, and what was told. Panics unless the pipe delivers exactly when it says.
fn run(pipe: &mut Pipe, offers: &[(u64, usize)]) -> (Vec<(u64, u64)>, Told) {
    let mut ids = PacketIds { last: 1000 };
    let mut told = Vec::new();
    let mut arrived = Vec::new();
    for (index, (millis, len)) in offers.iter().enumerate() {
        drain(pipe, at(*millis), &mut arrived);
        pipe.offer(at(*millis), segment(index as u64 + 1, *len), &mut ids, &mut told);
        pipe.drain_late(&mut told);
    }
    drain(pipe, Instant::from_nanos(u64::MAX), &mut arrived);
    pipe.drain_late(&mut told);
    (arrived.into_iter().map(|(packet, at)| (packet.id.0, at.as_nanos() / MS)).collect(), told)
}

/// Takes everything due by `until`, each at its deadline: nothing a nanosecond earlier, something at it but where a packet
/// leaves the queue.
fn drain(pipe: &mut Pipe, until: Instant, arrived: &mut Vec<(Packet, Instant)>) {
    while let Some(deadline) = pipe.deadline().filter(|deadline| *deadline <= until) {
        if let Some(before) = deadline.as_nanos().checked_sub(1) {
            assert!(pipe.deliver(Instant::from_nanos(before)).is_none(), "due before its deadline");
        }
        match pipe.deliver(deadline) {
            Some(packet) => arrived.push((packet, deadline)),
            None => assert!(pipe.deadline() > Some(deadline) || pipe.deadline().is_none(), "it would never end"),
        }
    }
    assert!(pipe.deliver(until).is_none(), "nothing is due that has no deadline");
}

#[test]
fn a_clean_pipe_carries_at_once_and_tells_nothing() {
    let (arrived, told) = run(&mut pipe(|_| {}), &[(0, 10), (0, 0), (3, 1460)]);
    assert_eq!(arrived, [(1, 0), (2, 0), (3, 3)]);
    assert!(told.is_empty());
}

#[test]
fn the_mtu_counts_network_octets() {
    let offers = [(0, 1460), (0, 1461)];
    let (arrived, told) = run(&mut pipe(|_| {}), &offers);
    assert_eq!(arrived, [(1, 0)]);
    assert_eq!(told, [(PacketId(2), Impairment::TooBig { mtu: 1500 })]);
}

#[test]
fn a_rule_acts_on_exactly_its_nth_matches() {
    let mut pipe = pipe(|config| config.rules = vec![rule("lose", &[2, 3], Action::Drop)]);
    // Packets 1 and 3 carry no data and are not counted.
    let (arrived, told) = run(&mut pipe, &[(0, 0), (0, 5), (0, 0), (0, 5), (0, 5), (0, 5)]);
    assert_eq!(arrived.iter().map(|(id, _)| *id).collect::<Vec<_>>(), [1, 2, 3, 6]);
    let dropped = || Impairment::DroppedByRule { rule: "lose".to_owned() };
    assert_eq!(told, [(PacketId(4), dropped()), (PacketId(5), dropped())]);
}

#[test]
fn the_first_acting_rule_wins_and_every_rule_counts() {
    let rules = vec![rule("first", &[1], Action::Drop), rule("second", &[1, 2], Action::Drop)];
    let (_, told) = run(&mut pipe(|config| config.rules = rules), &[(0, 5), (0, 5), (0, 5)]);
    let by = |rule: &str| Impairment::DroppedByRule { rule: rule.to_owned() };
    assert_eq!(told, [(PacketId(1), by("first")), (PacketId(2), by("second"))]);
}

#[test]
fn a_rule_without_numbers_acts_on_all() {
    let mut pipe = pipe(|config| config.rules = vec![rule("all", &[], Action::Drop)]);
    assert_eq!(run(&mut pipe, &[(0, 5), (0, 0), (0, 5)]).0, [(2, 0)]);
}

#[test]
fn a_packet_delayed_by_rule_is_overtaken() {
    let late = Action::Delay(Duration::from_millis(30));
    let mut pipe = pipe(|config| {
        config.delay = Duration::from_millis(10);
        config.rules = vec![rule("late", &[1], late)];
    });
    let (arrived, told) = run(&mut pipe, &[(0, 5), (1, 5), (60, 5)]);
    assert_eq!(arrived, [(2, 11), (1, 40), (3, 70)]);
    let by = Duration::from_millis(30);
    assert_eq!(told, [(PacketId(1), Impairment::Delayed { rule: Some("late".to_owned()), by })]);
}

#[test]
fn a_held_packet_goes_on_right_behind_the_last_that_passes() {
    let mut pipe = pipe(|config| {
        config.delay = Duration::from_millis(10);
        config.rules = vec![rule("hold", &[1], Action::Hold(2))];
    });
    let (arrived, told) = run(&mut pipe, &[(0, 5), (1, 5), (5, 5), (5, 5)]);
    assert_eq!(arrived, [(2, 11), (3, 15), (1, 15), (4, 15)]);
    assert_eq!(told, [(PacketId(1), Impairment::Held { rule: Some("hold".to_owned()), packets: 2 })]);
}

#[test]
fn a_held_packet_that_too_few_pass_goes_on_at_the_limit() {
    for second in [500, 2000] {
        let mut pipe = pipe(|config| {
            config.delay = Duration::from_millis(10);
            config.rules = vec![rule("hold", &[1], Action::Hold(2))];
        });
        let (arrived, _) = run(&mut pipe, &[(0, 5), (second, 5)]);
        let mut expected = [(1, 1010), (2, second + 10)];
        expected.sort_by_key(|(_, at)| *at);
        assert_eq!(arrived, expected);
    }
}

#[test]
fn passing_beyond_the_limit_releases_nothing_later() {
    // 100 octets with headers at 1000 bit/s take 800 ms: the second to pass arrives at 2400, the limit is at 1800.
    let mut pipe = pipe(|config| {
        config.rate = Some(1000);
        config.rules = vec![rule("hold", &[1], Action::Hold(2))];
    });
    assert_eq!(run(&mut pipe, &[(0, 60), (0, 60), (0, 60)]).0, [(2, 1600), (1, 1800), (3, 2400)]);
}

#[test]
fn a_packet_that_a_rule_delays_passes_nobody() {
    let late = Action::Delay(Duration::from_millis(30));
    let mut pipe = pipe(|config| {
        config.rules = vec![rule("hold", &[1], Action::Hold(1)), rule("late", &[2], late)];
    });
    assert_eq!(run(&mut pipe, &[(0, 5), (1, 5), (50, 5)]).0, [(2, 31), (3, 50), (1, 50)]);
}

#[test]
fn holding_for_no_others_holds_nothing() {
    let mut pipe = pipe(|config| config.rules = vec![rule("hold", &[], Action::Hold(0))]);
    let (arrived, told) = run(&mut pipe, &[(0, 5), (1, 5)]);
    assert_eq!((arrived.as_slice(), told.as_slice()), ([(1, 0), (2, 1)].as_slice(), [].as_slice()));
}

#[test]
fn when_everything_is_held_everything_leaves_at_its_limit_in_order() {
    let mut pipe = pipe(|config| {
        config.reorder = Probability::ALWAYS;
        config.reorder_by = 3;
    });
    let offers: Vec<(u64, usize)> = (0..200).map(|index| (index, 5)).collect();
    let (arrived, _) = run(&mut pipe, &offers);
    assert_eq!(arrived, (0..200).map(|index| (index + 1, index + 1000)).collect::<Vec<_>>());
}

#[test]
fn a_copy_follows_its_original_under_a_name_of_its_own() {
    let mut pipe = pipe(|config| config.rules = vec![rule("twice", &[2], Action::Duplicate)]);
    let (arrived, told) = run(&mut pipe, &[(0, 5), (0, 5), (0, 5)]);
    assert_eq!(arrived, [(1, 0), (2, 0), (1001, 0), (3, 0)]);
    let copied = Impairment::Duplicated { rule: Some("twice".to_owned()), original: PacketId(2) };
    assert_eq!(told, [(PacketId(1001), copied)]);
}

#[test]
fn a_dropped_packet_takes_no_place_in_the_queue() {
    // 960 octets with headers at 7.68 Mbit/s: one packet a millisecond; one may wait.
    let mut pipe = pipe(|config| {
        (config.rate, config.queue) = (Some(7_680_000), QueueConfig::fifo(1));
        config.rules = vec![rule("lose", &[2], Action::Drop)];
    });
    let (arrived, told) = run(&mut pipe, &[(0, 920), (0, 920), (0, 920), (0, 920)]);
    assert_eq!(arrived, [(1, 1), (3, 2)]);
    assert_eq!(told.last(), Some(&(PacketId(4), Impairment::QueueOverflow)));
}

#[test]
fn the_rate_counts_the_link_header_too() {
    let frame = [vec![0; 12], vec![8, 0], tcp_headers(&[0; 946])].concat();
    let mut packet = Packet::from_wire(Medium::Ethernet, frame.into());
    packet.id = PacketId(1);
    let mut pipe = pipe(|config| config.rate = Some(8_000_000));
    pipe.offer(Instant::ZERO, packet, &mut PacketIds::default(), &mut Vec::new());
    assert_eq!(pipe.deadline(), Some(at(1)));
}

#[test]
fn a_tenth_is_lost_when_a_tenth_is_asked_for() {
    let offers = vec![(0, 5); 20_000];
    let (arrived, told) = run(&mut pipe(|config| config.loss = Probability::from_percent(10)), &offers);
    assert!((1_900..2_100).contains(&told.len()), "{}", told.len());
    assert_eq!(arrived.len() + told.len(), 20_000);
}

#[test]
fn another_impairment_does_not_change_which_packets_are_lost() {
    let lost = |change: fn(&mut PipeConfig)| {
        let mut pipe = pipe(|config| {
            config.loss = Probability::from_percent(10);
            change(config);
        });
        let (_, told) = run(&mut pipe, &vec![(0, 5); 500]);
        told.into_iter().filter(|(_, what)| *what == Impairment::Lost).map(|(id, _)| id).collect::<Vec<_>>()
    };
    let alone = lost(|_| {});
    assert!(!alone.is_empty());
    assert_eq!(
        alone,
        lost(|config| {
            config.duplicate = Probability::from_percent(30);
            config.corrupt = Probability::from_percent(30);
            config.reorder = Probability::from_percent(30);
            config.jitter = Duration::from_millis(3);
        })
    );
}

#[test]
fn a_partial_checksum_does_not_swallow_the_bit_error() {
    let data = [7_u8; 100];
    let mut bytes = tcp_headers(&data);
    let pseudo = Sum::new().add_pseudo_header([10, 0, 0, 1].into(), [10, 0, 0, 2].into(), 6, 120).fold();
    bytes[36..38].copy_from_slice(&pseudo.to_be_bytes());
    let mut packet = Packet::from_wire(Medium::Ip, bytes.into());
    packet.set_checksum(Checksum::Partial { start: 20, offset: 16 });
    assert!(corrupt::flip_bit(&mut packet, 5).is_some());
    crate::packet::checksum::complete(&mut packet);
    assert!(!verify(Medium::Ip, &packet.to_bytes()).transport);
}

#[test]
fn a_packet_without_a_bit_beyond_the_link_header_stays_as_it_is() {
    for (medium, frame) in [(Medium::Ip, vec![]), (Medium::Ethernet, vec![0; ETHERNET_HEADER])] {
        let mut packet = Packet::from_wire(medium, frame.into());
        assert_eq!(corrupt::flip_bit(&mut packet, u64::MAX), None);
    }
}

/// An ECN-capable segment of 960 octets.
fn capable(id: u64) -> Packet {
    let mut packet = segment(id, 920);
    packet.headers_mut()[1] = 2;
    let sum = Sum::new().add_bytes(&packet.headers()[..10]).add_bytes(&packet.headers()[12..20]).complement();
    packet.headers_mut()[10..12].copy_from_slice(&sum.to_be_bytes());
    packet
}

#[test]
fn a_plain_queue_marks_who_finds_too_many_waiting() {
    // One packet a millisecond.
    let discipline = Discipline::Fifo { mark_above: Some(2) };
    let mut pipe = pipe(|config| {
        (config.rate, config.queue) = (Some(7_680_000), QueueConfig { packets: 10, discipline });
    });
    let mut told = Vec::new();
    for id in 1..=6 {
        pipe.offer(Instant::ZERO, capable(id), &mut PacketIds::default(), &mut told);
    }
    pipe.offer(Instant::ZERO, segment(7, 920), &mut PacketIds::default(), &mut told);
    // The first is on the wire, and the next three find none, one and two waiting.
    assert_eq!(told, [(PacketId(5), Impairment::Marked), (PacketId(6), Impairment::Marked)]);
    let mut arrived = Vec::new();
    drain(&mut pipe, at(100), &mut arrived);
    let marked: Vec<u64> =
        arrived.iter().filter(|(packet, _)| packet.headers()[1] & 3 == 3).map(|(packet, _)| packet.id.0).collect();
    assert_eq!((marked, arrived.len()), (vec![5, 6], 7));
    assert!(arrived.iter().all(|(packet, _)| verify(Medium::Ip, &packet.to_bytes()).is_good()));
}

#[test]
fn codel_drops_late_keeps_the_rate_and_never_holds_more_than_its_room() {
    let mut pipe = pipe(|config| (config.rate, config.queue) = (Some(7_680_000), QueueConfig::codel(400)));
    // Two a millisecond, of which one leaves.
    let offers: Vec<(u64, usize)> = (0..600).map(|index| (index / 2, 920)).collect();
    let (arrived, told) = run(&mut pipe, &offers);
    assert!(arrived.windows(2).all(|pair| pair[1].1 == pair[0].1 + 1), "the wire is never idle");
    let late: Vec<u64> = told
        .iter()
        .map(|(id, what)| match what {
            Impairment::WaitedTooLong { waited } => {
                assert!(*waited >= Duration::from_millis(5));
                id.0
            }
            other => panic!("{other:?}"),
        })
        .collect();
    assert!(late.len() > 5 && late.is_sorted());
    assert_eq!(arrived.len() + late.len(), 600);
    let mut small = self::pipe(|config| (config.rate, config.queue) = (Some(7_680_000), QueueConfig::codel(1)));
    let (arrived, told) = run(&mut small, &[(0, 920), (0, 920), (0, 920)]);
    assert_eq!((arrived, told), (vec![(1, 1), (2, 2)], vec![(PacketId(3), Impairment::QueueOverflow)]));
}

#[test]
fn a_rule_takes_out_what_it_names_and_tells_only_what_it_found() {
    let bleach = |action| pipe(|config| config.rules = vec![rule("middlebox", &[], action)]);
    let mut told = Vec::new();
    let mut pipe = bleach(Action::BleachEcn);
    for packet in [capable(1), segment(2, 920)] {
        pipe.offer(Instant::ZERO, packet, &mut PacketIds::default(), &mut told);
    }
    assert_eq!(told, [(PacketId(1), Impairment::EcnBleached { rule: "middlebox".to_owned() })]);
    let arrived = pipe.deliver(Instant::ZERO).expect("it comes");
    assert_eq!((arrived.headers()[1], verify(Medium::Ip, &arrived.to_bytes()).is_good()), (0, true));
    // These segments have no options.
    let mut pipe = bleach(Action::StripOption(4));
    pipe.offer(Instant::ZERO, segment(3, 5), &mut PacketIds::default(), &mut told);
    assert_eq!(told.len(), 1);
}

fn impaired() -> impl Strategy<Value = PipeConfig> {
    let percent = || prop_oneof![Just(0_u32), 0_u32..=60, Just(100)].prop_map(Probability::from_percent);
    let times = (0_u64..50, 0_u64..20, prop_oneof![Just(None), (1_000_u64..10_000_000).prop_map(Some)], 0_usize..8);
    let odds = (percent(), percent(), 0_u32..5, percent(), percent());
    let action = prop_oneof![
        Just(Action::Drop),
        (0_u64..2000).prop_map(|millis| Action::Delay(Duration::from_millis(millis))),
        (0_u32..5).prop_map(Action::Hold),
        Just(Action::Duplicate),
        Just(Action::Corrupt),
        Just(Action::StripOption(4)),
        Just(Action::BleachEcn),
    ];
    let rules = prop::collection::vec((prop::collection::vec(1_u32..20, 0..3), action), 0..3);
    let discipline = prop::sample::select(vec![
        Discipline::Fifo { mark_above: None },
        Discipline::Fifo { mark_above: Some(1) },
        Discipline::CoDel { target: Duration::from_millis(5), interval: Duration::from_millis(100), ecn: false },
        Discipline::CoDel { target: Duration::from_millis(1), interval: Duration::from_millis(9), ecn: true },
    ]);
    (times, odds, rules, discipline).prop_map(|(times, odds, rules, discipline)| {
        let ((delay, jitter, rate, packets), (loss, reorder, by, duplicate, corrupt)) = (times, odds);
        let rules = rules.into_iter().map(|(nth, action)| rule("rule", &nth, action)).collect();
        let (delay, jitter) = (Duration::from_millis(delay), Duration::from_millis(jitter));
        let (clean, queue) = (PipeConfig::clean("a-b"), QueueConfig { packets, discipline });
        PipeConfig { delay, jitter, rate, queue, loss, reorder, reorder_by: by, duplicate, corrupt, rules, ..clean }
    })
}

proptest! {
    #[test]
    fn every_packet_arrives_exactly_once_or_is_reported_dropped(
        config in impaired(),
        gaps in prop::collection::vec((0_u64..400, 0_usize..1500), 1..120),
        seed: u64,
    ) {
        let mut now = 0;
        let offers: Vec<_> = gaps.iter().map(|(gap, len)| { now += gap / 20; (now, *len) }).collect();
        let (arrived, told) = run(&mut Pipe::new(config, Rng::new(seed)), &offers);
        let copies = told.iter().filter(|(_, what)| matches!(what, Impairment::Duplicated { .. })).map(|(id, _)| id.0);
        let expected: BTreeSet<u64> = (1..=offers.len() as u64).chain(copies).collect();
        let dropped = told.iter().filter(|(_, what)| what.is_drop()).map(|(id, _)| id.0);
        let mut fates: Vec<u64> = arrived.iter().map(|(id, _)| *id).chain(dropped).collect();
        fates.sort_unstable();
        prop_assert_eq!(fates, expected.into_iter().collect::<Vec<_>>());
    }

    #[test]
    fn order_is_kept_unless_reordering_is_asked_for(
        config in impaired(),
        gaps in prop::collection::vec((0_u64..20, 0_usize..1500), 1..120),
        seed: u64,
    ) {
        let config = PipeConfig { reorder: Probability::NEVER, rules: Vec::new(), ..config };
        let mut now = 0;
        let offers: Vec<_> = gaps.iter().map(|(gap, len)| { now += gap; (now, *len) }).collect();
        let (arrived, told) = run(&mut Pipe::new(config, Rng::new(seed)), &offers);
        let originals: BTreeMap<u64, u64> = told.iter().filter_map(|(id, what)| match what {
            Impairment::Duplicated { original, .. } => Some((id.0, original.0)),
            _ => None,
        }).collect();
        let order: Vec<u64> = arrived.iter().map(|(id, _)| *originals.get(id).unwrap_or(id)).collect();
        prop_assert!(order.is_sorted(), "{:?}", order);
        prop_assert!(arrived.iter().map(|(_, at)| *at).is_sorted());
    }

    #[test]
    fn a_full_pipe_carries_exactly_its_rate(
        rate in 1_000_u64..10_000_000_000,
        lens in prop::collection::vec(0_usize..1460, 1..50),
    ) {
        let mut pipe = pipe(|config| config.rate = Some(rate));
        let mut told = Vec::new();
        for len in &lens {
            pipe.offer(Instant::ZERO, segment(1, *len), &mut PacketIds::default(), &mut told);
        }
        let mut last = Instant::ZERO;
        while let Some(deadline) = pipe.deadline() {
            last = deadline;
            pipe.deliver(deadline);
        }
        let bits: u128 = lens.iter().map(|len| (len + 40) as u128 * 8).sum();
        prop_assert_eq!(u128::from(last.as_nanos()), bits * 1_000_000_000 / u128::from(rate));
    }

    #[test]
    fn a_bit_error_is_one_bit_that_the_checksum_finds(
        len in 0_usize..200,
        draw: u64,
        split in 0_usize..300,
        ethernet: bool,
    ) {
        let medium = if ethernet { Medium::Ethernet } else { Medium::Ip };
        let link = if ethernet { [vec![0; 12], vec![8, 0]].concat() } else { Vec::new() };
        let before = [link.clone(), tcp_headers(&vec![3; len])].concat();
        // Chunks cut anywhere behind the headers.
        let whole = Bytes::from(before.clone());
        let headers = link.len() + 40;
        let mut packet = Packet::new(medium, &before[..headers]);
        let middle = headers + split.min(len);
        packet.push_payload(whole.slice(headers..middle));
        packet.push_payload(whole.slice(middle..));
        let octet = corrupt::flip_bit(&mut packet, draw).expect("there is a bit to flip");
        let after = packet.to_bytes();
        let flipped: Vec<usize> = (0..before.len()).filter(|index| before[*index] != after[*index]).collect();
        prop_assert_eq!(&flipped, &[octet]);
        prop_assert_eq!((before[octet] ^ after[octet]).count_ones(), 1);
        prop_assert!(octet >= link.len());
        prop_assert!(!verify(medium, &after).is_good());
        prop_assert_eq!(&whole[..], &before[..], "the sender's own octets are not touched");
    }
}
