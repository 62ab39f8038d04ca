//! What the network layer answers, in both families.

use super::*;

/// Answers to one packet, with their reasons.
fn answers(stack: &mut SmoltcpStack, medium: Medium, packet: Vec<u8>) -> (Vec<Why>, Vec<Event>) {
    stack.receive(Instant::ZERO, &mut vec![Packet::from_wire(medium, packet.into())]);
    let sent = std::iter::from_fn(|| stack.transmit(Instant::ZERO)).map(|(_, why)| why).collect();
    let mut journal = Vec::new();
    stack.drain_journal(&mut journal);
    (sent, journal)
}

fn v6_packet(src: [u16; 8], dst: [u16; 8]) -> etherparse::PacketBuilderStep<etherparse::IpHeaders> {
    let octets = |address: [u16; 8]| std::net::Ipv6Addr::from(address).octets();
    etherparse::PacketBuilder::ip(etherparse::IpHeaders::Ipv6(
        etherparse::Ipv6Header {
            source: octets(src),
            destination: octets(dst),
            hop_limit: 255,
            ..etherparse::Ipv6Header::default()
        },
        etherparse::Ipv6Extensions::default(),
    ))
}

const V6: [u16; 8] = [0xfd00, 0, 0, 0, 0, 0, 0, 1];
const V6_PEER: [u16; 8] = [0xfd00, 0, 0, 0, 0, 0, 0, 2];
const SOLICITED_NODE: [u16; 8] = [0xff02, 0, 0, 0, 0, 1, 0xff00, 1];

fn bytes(build: impl FnOnce(&mut Vec<u8>) -> Result<(), etherparse::err::packet::BuildWriteError>) -> Vec<u8> {
    let mut bytes = Vec::new();
    build(&mut bytes).expect("a vector takes every packet");
    bytes
}

#[test]
fn icmp_cites_the_standard_of_its_family() {
    let mut stack = stack_with(Medium::Ip, &both_families());
    let v4 = || etherparse::PacketBuilder::ipv4([10, 0, 0, 2], [10, 0, 0, 1], 64);
    let v6 = || v6_packet(V6_PEER, V6);
    let cases = [
        (bytes(|out| v4().icmpv4_echo_request(1, 1).write(out, b"hi")), Reason::EchoReply, "RFC 792"),
        (bytes(|out| v6().icmpv6_echo_request(1, 1).write(out, b"hi")), Reason::EchoReply, "RFC 4443"),
        (bytes(|out| v4().udp(9, 9).write(out, b"hi")), Reason::IcmpError, "RFC 792"),
        (bytes(|out| v6().udp(9, 9).write(out, b"hi")), Reason::IcmpError, "RFC 4443"),
    ];
    let long = bytes(|out| v4().icmpv4_echo_request(1, 1).write(out, &[1; 2_000]));
    let echo = Why::of(Reason::EchoReply);
    assert_eq!(answers(&mut stack, Medium::Ip, long).0, [echo, echo], "two fragments");
    for (packet, reason, section) in cases {
        assert_eq!(answers(&mut stack, Medium::Ip, packet).0, [Why { reason, section }]);
    }
}

#[test]
fn address_resolution_cites_the_standard_of_its_family() {
    let mut stack = stack_with(Medium::Ethernet, &both_families());
    let cases = [(peer(), "RFC 826"), (SocketAddr::from((V6_PEER, 53)), "RFC 4861")];
    for (remote, section) in cases {
        let mut stack = stack_with(Medium::Ethernet, &both_families());
        let socket = stack.udp_bind(any(1)).expect("the port is free");
        assert_eq!(stack.udp_send_to(Instant::ZERO, socket, b"hi", remote), Ok(true));
        let (_, why) = stack.transmit(Instant::ZERO).expect("it asks for the neighbour");
        assert_eq!(why, Why { reason: Reason::AddressRequest, section });
    }
    let solicitation =
        [&[0x87, 0, 0, 0][..], &[0; 4], &std::net::Ipv6Addr::from(V6).octets(), &[1, 1, 2, 0, 0, 0, 0, 2]];
    let packet = bytes(|out| {
        v6_packet(V6_PEER, SOLICITED_NODE).icmpv6_raw(135, 0, [0; 4]).write(out, &solicitation.concat()[8..])
    });
    let frame = [&[0x33, 0x33, 0xff, 0, 0, 1, 2, 0, 0, 0, 0, 2, 0x86, 0xdd][..], &packet].concat();
    let (sent, _) = answers(&mut stack, Medium::Ethernet, frame);
    assert!(sent.contains(&Why { reason: Reason::AddressReply, section: "RFC 4861" }), "{sent:?}");
}

#[test]
fn a_host_without_an_address_may_solicit_and_report() {
    let mut stack = stack_with(Medium::Ip, &both_families());
    let refused = |journal: &[Event]| {
        journal.iter().any(|event| matches!(event, Event::PacketDropped { reason: DropReason::InvalidSource, .. }))
    };
    for (kind, is_refused) in [(135, false), (143, false), (133, false), (128, true), (136, true)] {
        let body = [&std::net::Ipv6Addr::from(V6).octets()[..], &[0; 4]].concat();
        let packet = bytes(|out| v6_packet([0; 8], SOLICITED_NODE).icmpv6_raw(kind, 0, [0; 4]).write(out, &body));
        let (sent, journal) = answers(&mut stack, Medium::Ip, packet);
        assert_eq!((sent.len(), refused(&journal)), (0, is_refused), "kind {kind}");
    }
}
