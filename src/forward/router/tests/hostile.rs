//! Whatever comes in, a router neither panics nor grows, and every packet that it takes goes on or has its reason.

use std::sync::Arc;

use proptest::prelude::*;

use super::super::super::{Filtering, Mapping, MssClamp, Nat, Policy, Rejection, Rule, Verdict};
use super::*;

/// A packet that almost makes sense: whole ones with octets changed, cut, or with anything behind them.
fn almost() -> impl Strategy<Value = Vec<u8>> {
    let host = || prop::sample::select(vec!["10.0.0.2", "10.0.0.1", "10.0.1.1", "10.0.1.2", "192.0.2.1", "10.0.1.255"]);
    let port = || prop::sample::select(vec![1_u16, 80, 4000, 4001, 65_535]);
    let whole = (host(), port(), host(), port(), 0_u8..5, 0_u8..4, 0_usize..2000).prop_map(
        |(src, sport, dst, dport, kind, hops, data)| {
            let (from, to) = (format!("{src}:{sport}"), format!("{dst}:{dport}"));
            match kind {
                0 => udp(&from, &to, hops * 20, data),
                1 => tcp(&from, &to, TcpFlags((hops * 9) | 2), Some(1460)),
                2 => ping(src, dst, sport, hops > 1),
                3 => error(src, dst, (3, hops), &udp(&to, &from, 3, data)[..28 + data.min(60)]),
                _ => udp("fd00:0::2:4000", "fd00:1::2:53", hops * 20, data),
            }
        },
    );
    let changes = prop::collection::vec((0_usize..80, any::<u8>()), 0..4);
    (whole, changes, prop::option::of(0_usize..120), any::<bool>()).prop_map(|(mut frame, changes, cut, mend)| {
        for (at, octet) in changes {
            if let Some(place) = frame.get_mut(at) {
                *place = octet;
            }
        }
        frame.truncate(cut.unwrap_or(usize::MAX));
        if mend && frame.len() >= 20 && frame[0] == 0x45 {
            renew(&mut frame);
        }
        frame
    })
}

fn configured(kind: u8, medium: Medium) -> RouterConfig {
    let mut config = config(medium);
    config.ports[1].mtu = 600;
    let rule = Rule {
        id: "no-web".to_owned(),
        from: None,
        to: None,
        when: Arc::new(|packet| packet.dissect().ports().is_some_and(|(_, dst)| dst == 80)),
        verdict: Verdict::Reject(Rejection::Reset),
    };
    config.policy = Policy { rules: vec![rule], otherwise: Verdict::Accept, stateful: kind & 1 == 1 };
    let mapping = if kind & 4 == 4 { Mapping::Symmetric } else { Mapping::EndpointIndependent };
    let nat = Nat {
        outside: PortId(1),
        mapping,
        filtering: Filtering::EndpointIndependent,
        idle: Duration::from_secs(9),
        forwards: Vec::new(),
    };
    config.nat = (kind & 2 == 2).then_some(nat);
    config.mss_clamp = Some(MssClamp::ToMtu);
    config
}

/// What became of the packet of this name: it went on, whole or in pieces, or the journal says why not.
fn is_accounted_for(id: PacketId, out: &[Sending], told: &[Event]) -> bool {
    let went = |sending: &Sending| match sending.cause {
        Cause::Forwarded => sending.packet.id == id,
        Cause::Fragment(original) => original == id,
        Cause::Own(_) => false,
    };
    let spoken_of = |event: &Event| match event {
        Event::PacketDropped { packet, .. } => *packet == id,
        Event::Passage { packet, passage: Passage::Taken | Passage::AwaitsNeighbour { .. } } => *packet == id,
        _ => false,
    };
    out.iter().any(went) || told.iter().any(spoken_of)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn every_packet_goes_on_or_has_its_reason(
        kind in 0_u8..8,
        ethernet: bool,
        frames in prop::collection::vec((0_u16..3, almost(), 0_u64..3), 1..60),
    ) {
        let medium = if ethernet { Medium::Ethernet } else { Medium::Ip };
        let mut router = Router::new(configured(kind, medium), Instant::ZERO);
        let mut now = Instant::ZERO;
        for (number, (port, frame, seconds)) in frames.into_iter().enumerate() {
            now += Duration::from_secs(seconds);
            if router.deadline().is_some_and(|at| at <= now) {
                router.expire(now);
            }
            let link = if ethernet { [&[2, 0, 0, 0, 1, port as u8, 2, 0, 0, 0, 0, 9, 8, 0][..]].concat() } else { Vec::new() };
            let frame = [link, frame].concat();
            let mut packet = Packet::from_wire(medium, frame.into());
            packet.id = PacketId(number as u64 + 1);
            let id = packet.id;
            router.receive(now, PortId(port), packet);
            let out: Vec<Sending> = std::iter::from_fn(|| router.transmit(now)).collect();
            let mut told = Vec::new();
            router.drain_journal(&mut told);
            let mtus = [1500, 600];
            prop_assert!(out.iter().all(|sending| sending.packet.network_len() <= mtus[usize::from(sending.port.0)]));
            prop_assert!(port > 1 || is_accounted_for(id, &out, &told), "{told:?}");
            prop_assert!(out.len() <= 8);
        }
    }

    #[test]
    fn no_octets_make_a_router_panic(
        kind in 0_u8..8,
        frames in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..120), 1..20),
    ) {
        let mut router = Router::new(configured(kind, Medium::Ip), Instant::ZERO);
        for (number, mut frame) in frames.into_iter().enumerate() {
            if let Some(first) = frame.first_mut() {
                *first = if *first & 1 == 0 { 0x45 } else { 0x60 };
            }
            router.receive(Instant::ZERO, PortId(number as u16 % 2), Packet::from_wire(Medium::Ip, frame.into()));
            while router.transmit(Instant::ZERO).is_some() {}
        }
    }
}

#[test]
fn a_flood_of_flows_grows_no_table_beyond_its_bound() {
    let mut router = Router::new(configured(3, Medium::Ip), Instant::ZERO);
    for number in 0..40_000_u32 {
        let from = format!("10.0.0.{}:{}", 2 + number / 30_000, 1024 + number % 30_000);
        router.receive(
            Instant::ZERO,
            PortId(0),
            Packet::from_wire(Medium::Ip, udp(&from, "192.0.2.1:53", 9, 1).into()),
        );
        while router.transmit(Instant::ZERO).is_some() {}
    }
    assert_eq!(router.guard.tracked(), Some(tracking::CONNECTIONS));
    assert_eq!(router.nat.as_ref().map(|(_, nat)| nat.size()), Some(tracking::CONNECTIONS), "as many mappings");
}
