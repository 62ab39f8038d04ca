use super::super::testing::{ends, packet};
use super::*;
use crate::packet::{Dissection, checksum};

fn v4() -> Route {
    Route { from: "192.0.2.1:40001".parse().expect("an address"), to: ends().bound }
}

fn v6() -> Route {
    Route {
        from: "[2001:db8::1]:40001".parse().expect("an address"),
        to: "[fd3d:fa7b:d17d::2]:8080".parse().expect("an address"),
    }
}

fn built(text: &str, route: Route) -> Packet {
    build(&packet(text), route, 0, None).unwrap_or_else(|error| panic!("{text}: {error}"))
}

#[test]
fn every_kind_of_packet_has_right_lengths_and_checksums_over_both_versions_of_ip() {
    for text in [
        "< S 0:0(0) win 32792 <mss 1460,sackOK,TS val 100 ecr 0,nop,wscale 7>",
        "< P. 1:1002(1001) ack 1 win 257",
        "< F. 1:1(0) ack 1 win 0 urg 7",
        "< - 1:1(0) win 0",
        "< udp (101)",
        "< udp (0)",
        "< icmp unreachable port_unreachable [1:1001(1000)]",
        "< icmp unreachable port_unreachable [udp (8)]",
    ] {
        for route in [v4(), v6()] {
            let packet = built(text, route);
            let bytes = packet.to_bytes();
            assert!(checksum::verify(Medium::Ip, &bytes).is_good(), "{text} {route:?}");
            let dissection = packet.dissect();
            assert_eq!(dissection.malformed, None, "{text}");
            assert_eq!(dissection.addresses(), Some((route.from.ip(), route.to.ip())), "{text}");
        }
    }
}

#[test]
fn options_stand_in_the_header_octet_for_octet() {
    let packet = built("< S 0:0(0) win 1 <sackOK,eol,eol,mss 1000,nop,wscale 7>", v4());
    let tcp = packet.dissect().tcp().expect("it is TCP").clone();
    let bytes = packet.to_bytes();
    assert_eq!(&bytes[tcp.offset + 20..tcp.offset + tcp.header_len], [4, 2, 0, 0, 2, 4, 3, 232, 1, 3, 3, 7]);
}

#[test]
fn ecn_and_hops_are_as_written_and_255_hops_where_nothing_is() {
    let header = |text: &str| match built(text, v4()).dissect().network {
        Some(crate::packet::dissect::Network::Ipv4(header)) => (header.ecn, header.ttl),
        other => panic!("{other:?}"),
    };
    assert_eq!(header("< [ect0] . 1:1(0) ack 1 win 1"), (0b10, 255));
    assert_eq!(header("< [ce] . 1:1(0) ack 1 win 1"), (0b11, 255));
    assert_eq!(header("< (ttl 3) . 1:1(0) ack 1 win 1"), (0, 3));
}

#[test]
fn an_icmp_error_quotes_a_packet_that_the_stack_has_sent() {
    for (route, text) in [
        (v4(), "< icmp unreachable frag_needed mtu 1200 [7:1007(1000)]"),
        (v6(), "< icmp packet_too_big mtu 1280 [7:1007(1000)]"),
    ] {
        let packet = built(text, route);
        let bytes = packet.to_bytes();
        let dissection = Dissection::of(Medium::Ip, &bytes, bytes.len());
        let rest = match dissection.transport {
            Some(crate::packet::dissect::Transport::Icmpv4(icmp) | crate::packet::dissect::Transport::Icmpv6(icmp)) => {
                icmp.rest
            }
            other => panic!("{other:?}"),
        };
        let mtu = if route.from.is_ipv6() { 1280u32 } else { 1200 };
        assert_eq!(rest, mtu.to_be_bytes());
        // Eight octets are less than a TCP header: addresses, ports and sequence number are there to be found.
        let quoted = &bytes[dissection.payload];
        let header = if route.from.is_ipv6() { 40 } else { 20 };
        assert_eq!(quoted.len(), header + 8);
        assert_eq!(quoted[header..header + 2], 8080u16.to_be_bytes(), "from the stack's port");
        assert_eq!(quoted[header + 2..header + 4], 40001u16.to_be_bytes());
        assert_eq!(quoted[header + 4..], 7u32.to_be_bytes());
        let quoted = dissection.quoted.expect("it quotes");
        assert_eq!(quoted.addresses(), Some((route.to.ip(), route.from.ip())));
    }
}

#[test]
fn a_payload_beyond_the_mtu_goes_whole_and_is_marked_where_a_size_is_given() {
    let spec = packet("< P. 1:10001(10000) ack 1 win 257");
    let plain = build(&spec, v4(), 0, None).expect("it can be built");
    assert_eq!((plain.len(), plain.gso_size()), (10_040, None));
    let marked = build(&spec, v4(), 0, NonZeroU16::new(1000)).expect("it can be built");
    assert_eq!(marked.gso_size(), NonZeroU16::new(1000));
    let small = build(&packet("< P. 1:1001(1000) ack 1 win 257"), v4(), 0, NonZeroU16::new(1000));
    assert_eq!(small.expect("it can be built").gso_size(), None);
}

#[test]
fn foreign_ports_replace_those_of_the_connection() {
    let mut spec = packet("< . 1:1(0) ack 1 win 1");
    if let Body::Tcp(tcp) = &mut spec.body {
        tcp.sport_dport = Some((7, 0));
    }
    let ports = build(&spec, v4(), 0, None).expect("it can be built").dissect().ports();
    assert_eq!(ports, Some((7, 8080)));
}

#[test]
fn what_no_packet_can_be_is_refused() {
    let mut ragged = packet("< S 0:0(0) win 1");
    let mut long = packet("< S 0:0(0) win 1");
    if let (Body::Tcp(ragged), Body::Tcp(long)) = (&mut ragged.body, &mut long.body) {
        use crate::drill::language::script::OptionSpec;
        ragged.options = OptionsSpec::List(vec![OptionSpec::Nop]);
        long.options = OptionsSpec::List(vec![OptionSpec::Nop; 44]);
    }
    for (spec, error) in [
        (ragged, BuildError::RaggedOptions(1)),
        (long, BuildError::LongOptions(44)),
        (packet("< udp (65535)"), BuildError::TooLong(65_543)),
        (packet("> . 1:1(0) ack 1 <...>"), BuildError::OpenOptions),
        (packet("> [ect01] . 1:1(0) ack 1"), BuildError::OpenEcn),
        (packet("< icmp unreachable host_unreachable mtu 7 [1:1(0)]"), BuildError::MisplacedMtu),
        (packet("< icmp packet_too_big mtu 1280 [1:1(0)]"), BuildError::NoSuchMessage("packet_too_big".to_owned())),
    ] {
        assert_eq!(build(&spec, v4(), 0, None).map(drop), Err(error), "{spec:?}");
    }
    let mixed = Route { from: v6().from, to: v4().to };
    assert_eq!(build(&packet("< udp (1)"), mixed, 0, None).map(drop), Err(BuildError::MixedFamilies));
}
