//! Filters and stream numbers held against the installed tshark.
//!
//! tshark is part of what these tests need: without it they fail.

use std::collections::BTreeSet;
use std::process::Command;

use etherparse::{
    ArpEthIpv4Packet, ArpOperation, ArpPacket, EtherType, Icmpv4Type, Icmpv6Type, IpFragOffset, IpNumber, Ipv4Header,
    PacketBuilder, PacketBuilderStep, TcpHeader, TcpOptionElement, icmpv4, icmpv6,
};
use wireglass::filter::{Filter, Names, Streams};
use wireglass::packet::describe::layers;
use wireglass::packet::{Dissection, Medium};
use wireglass::rng::Rng;

use super::support::spaced::{Frame, Spaced};

const CLIENT: [u8; 4] = [10, 0, 0, 1];
const SERVER: [u8; 4] = [10, 0, 0, 2];
const CLIENT_MAC: [u8; 6] = [2, 0, 0, 0, 0, 1];
const SERVER_MAC: [u8; 6] = [2, 0, 0, 0, 0, 2];
const FIN: u8 = 1;
const SYN: u8 = 2;
const RST: u8 = 4;
const PSH: u8 = 8;
const ACK: u8 = 16;
const URG: u8 = 32;
const ECE: u8 = 64;
const CWR: u8 = 128;

fn ethernet() -> PacketBuilderStep<etherparse::Ethernet2Header> {
    PacketBuilder::ethernet2(CLIENT_MAC, SERVER_MAC)
}

fn written<T>(size: usize, write: impl FnOnce(&mut Vec<u8>) -> Result<(), T>) -> Vec<u8>
where
    T: std::fmt::Debug,
{
    let mut bytes = Vec::with_capacity(size);
    write(&mut bytes).expect("a vector takes every packet");
    bytes
}

/// A TCP header with these control bits.
fn header(ports: (u16, u16), seq: u32, ack: u32, flags: u8, options: &[TcpOptionElement]) -> TcpHeader {
    let mut header = TcpHeader::new(ports.0, ports.1, seq, 5000);
    header.acknowledgment_number = ack;
    header.fin = flags & FIN != 0;
    header.syn = flags & SYN != 0;
    header.rst = flags & RST != 0;
    header.psh = flags & PSH != 0;
    header.ack = flags & ACK != 0;
    header.urg = flags & URG != 0;
    header.ece = flags & ECE != 0;
    header.cwr = flags & CWR != 0;
    header.set_options(options).expect("the options fit");
    header
}

/// A TCP segment over IPv4, from the client unless its source port is the server's.
fn segment(header: TcpHeader, payload: &[u8]) -> Vec<u8> {
    let from_client = header.source_port >= 40_000;
    let (src, dst) = if from_client { (CLIENT, SERVER) } else { (SERVER, CLIENT) };
    let builder = ethernet().ipv4(src, dst, if from_client { 64 } else { 63 }).tcp_header(header);
    written(builder.size(payload.len()), |bytes| builder.write(bytes, payload))
}

fn datagram(ports: (u16, u16), payload: &[u8]) -> Vec<u8> {
    let builder = ethernet().ipv4(CLIENT, SERVER, 64).udp(ports.0, ports.1);
    written(builder.size(payload.len()), |bytes| builder.write(bytes, payload))
}

fn icmp_error(kind: Icmpv4Type, quoted: &[u8]) -> Vec<u8> {
    let builder = ethernet().ipv4(SERVER, CLIENT, 5).icmpv4(kind);
    written(builder.size(quoted.len()), |bytes| builder.write(bytes, quoted))
}

fn icmpv6_error(kind: Icmpv6Type, quoted: &[u8]) -> Vec<u8> {
    let builder = ethernet().ipv6(V6_SERVER, V6_CLIENT, 5).icmpv6(kind);
    written(builder.size(quoted.len()), |bytes| builder.write(bytes, quoted))
}

const V6_CLIENT: [u8; 16] = [0xfd, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1];
const V6_SERVER: [u8; 16] = [0xfd, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2];

fn arp(operation: ArpOperation) -> Vec<u8> {
    let message = ArpEthIpv4Packet {
        operation,
        sender_mac: CLIENT_MAC,
        sender_ipv4: CLIENT,
        target_mac: [0; 6],
        target_ipv4: SERVER,
    };
    let builder = ethernet().arp(ArpPacket::from(message));
    written(builder.size(), |bytes| builder.write(bytes))
}

/// A fragment of a datagram that never becomes whole, or a packet of an unknown protocol.
fn raw_ipv4(protocol: u8, offset: u16, more: bool, payload: &[u8]) -> Vec<u8> {
    let mut header =
        Ipv4Header::new(payload.len() as u16, 64, IpNumber(protocol), CLIENT, SERVER).expect("short enough");
    header.identification = 0x1234;
    header.dont_fragment = false;
    header.more_fragments = more;
    header.fragment_offset = IpFragOffset::try_new(offset).expect("13 bits");
    header.ecn = etherparse::IpEcn::try_new(3).expect("2 bits");
    header.header_checksum = header.calc_header_checksum();
    let mut bytes = link_header(EtherType::IPV4.0);
    header.write(&mut bytes).expect("a vector takes every header");
    bytes.extend_from_slice(payload);
    bytes
}

fn link_header(ether_type: u16) -> Vec<u8> {
    let header =
        etherparse::Ethernet2Header { source: CLIENT_MAC, destination: SERVER_MAC, ether_type: EtherType(ether_type) };
    header.to_bytes().to_vec()
}

fn v4_frames() -> Vec<Frame> {
    use TcpOptionElement::{MaximumSegmentSize, Noop, SelectiveAcknowledgement, SelectiveAcknowledgementPermitted};
    use TcpOptionElement::{Timestamp, WindowScale};
    let open = [MaximumSegmentSize(1460), SelectiveAcknowledgementPermitted, Timestamp(100, 0), Noop, WindowScale(7)];
    let (out, back) = ((40_000, 8000), (8000, 40_000));
    let get = b"GET /index.html HTTP/1.1\r\nHost: server\r\n\r\n";
    let answer = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 5\r\n\r\nhello";
    let get_end = 1001 + get.len() as u32;
    let answer_end = 9001 + answer.len() as u32;
    let sack = SelectiveAcknowledgement((9011, 9021), [Some((9031, 9041)), None, None]);
    vec![
        arp(ArpOperation::REQUEST),
        arp(ArpOperation::REPLY),
        segment(header(out, 1000, 0, SYN, &open), b""),
        segment(header(back, 9000, 1001, SYN | ACK, &[MaximumSegmentSize(1400), WindowScale(2)]), b""),
        segment(header(out, 1001, 9001, ACK, &[Timestamp(101, 77)]), b""),
        segment(header(out, 1001, 9001, PSH | ACK, &[]), get),
        segment(header(back, 9001, get_end, PSH | ACK, &[]), answer),
        segment(header(out, get_end, answer_end, ACK, &[Noop, Noop, sack]), b""),
        segment(header(out, get_end, answer_end, FIN | ACK, &[]), b""),
        segment(header(back, answer_end, get_end + 1, FIN | ACK, &[]), b""),
        segment(header(out, get_end + 1, answer_end + 1, ACK, &[]), b""),
        segment(header((40_001, 9999), 5, 0, SYN | ECE | CWR, &[MaximumSegmentSize(536)]), b""),
        segment(header((9999, 40_001), 0, 6, RST | ACK, &[]), b""),
        segment(header((40_002, 9999), u32::MAX - 2, 0, SYN, &[]), b""),
        segment(header((9999, 40_002), 70, u32::MAX - 1, SYN | ACK, &[]), b""),
        segment(header((40_002, 9999), u32::MAX - 1, 71, PSH | ACK | URG, &[]), b"plain \"text\" \\ here"),
        datagram((5000, 5001), b"one datagram"),
        datagram((5000, 5001), b""),
        datagram((5002, 40_000), b"another"),
        written(64, |bytes| ethernet().ipv4(CLIENT, SERVER, 64).icmpv4_echo_request(7, 1).write(bytes, b"ping ping")),
        written(64, |bytes| ethernet().ipv4(SERVER, CLIENT, 64).icmpv4_echo_reply(7, 1).write(bytes, b"ping ping")),
        icmp_error(
            Icmpv4Type::DestinationUnreachable(icmpv4::DestUnreachableHeader::Port),
            &datagram((5000, 5001), b"one datagram")[14..],
        ),
        icmp_error(
            Icmpv4Type::DestinationUnreachable(icmpv4::DestUnreachableHeader::FragmentationNeeded {
                next_hop_mtu: 600,
            }),
            &segment(header((40_003, 9998), 1001, 9001, ACK, &[Timestamp(3, 4)]), b"quoted data")[14..],
        ),
        icmp_error(
            Icmpv4Type::TimeExceeded(icmpv4::TimeExceededCode::TtlExceededInTransit),
            &segment(header((40_004, 9998), 1001, 9001, ACK, &[]), b"")[14..42],
        ),
        raw_ipv4(17, 0, true, &datagram((5003, 5004), &[b'x'; 40])[34..58]),
        raw_ipv4(17, 5, false, &[b'x'; 8]),
        raw_ipv4(99, 0, false, b"no such protocol"),
        [link_header(0x88b5), b"no such EtherType".to_vec()].concat(),
    ]
    .into_iter()
    .chain(dns_frames())
    .map(Frame::from)
    .chain([truncated(b"cut off by the snap length", 14 + 20 + 20 + 17), truncated(b"x", 14 + 20 + 6)])
    .collect()
}

/// Header, question and records of a DNS message about `srv.example`; the records begin with a pointer to its name.
fn dns(id: u16, flags: u16, records: &[(u16, u32, &[u8])]) -> Vec<u8> {
    let mut message: Vec<u8> =
        [id, flags, 1, records.len() as u16, 0, 0].iter().flat_map(|word| word.to_be_bytes()).collect();
    message.extend(b"\x03srv\x07example\x00\x00\x01\x00\x01");
    for (kind, ttl, data) in records {
        message.extend([0xc0, 12].iter().chain(&kind.to_be_bytes()).chain(&[0, 1]));
        message.extend(ttl.to_be_bytes().iter().chain(&(data.len() as u16).to_be_bytes()).chain(data.iter()));
    }
    message
}

fn dns_frames() -> Vec<Vec<u8>> {
    let query = dns(0x1111, 0x0100, &[]);
    let two = dns(0x1111, 0x8180, &[(1, 300, &[192, 0, 2, 1]), (28, 20, &V6_SERVER)]);
    let soa = [b"\x02ns\xc0\x10\x00".as_slice(), &[0; 16], &[0, 0, 0, 60]].concat();
    let refused = dns(0x2222, 0x8405, &[(6, 60, &soa)]);
    let others = dns(
        0x3333,
        0x8180,
        &[
            (5, 5, b"\x05alias\xc0\x10"),
            (2, 6, b"\xc0\x10"),
            (15, 7, b"\x00\x0a\xc0\x0c"),
            (16, 8, b"\x03one\x05other"),
            (12, 9, b"\xc0\x0c"),
            (99, 10, b"odd"),
        ],
    );
    let framed = |message: &[u8]| [&(message.len() as u16).to_be_bytes(), message].concat();
    let over_tcp = |seq, payload: &[u8]| segment(header((40_010, 53), seq, 1, PSH | ACK, &[]), payload);
    let query_end = 100 + framed(&query).len() as u32;
    vec![
        datagram((5053, 53), &query),
        datagram((53, 5053), &two),
        datagram((53, 5054), &refused),
        datagram((53, 5055), &others),
        datagram((53, 5056), &dns(0x4444, 0x8380, &[])),
        datagram((5057, 53), &dns(0x5555, 0x2800, &[])),
        over_tcp(100, &framed(&query)),
        over_tcp(query_end, &[framed(&dns(0x6666, 0x0100, &[])), framed(&refused)].concat()),
        icmp_error(
            Icmpv4Type::DestinationUnreachable(icmpv4::DestUnreachableHeader::Port),
            &datagram((5053, 53), &query)[14..],
        ),
    ]
}

/// A segment of which a capture kept only the beginning.
fn truncated(payload: &[u8], kept: usize) -> Frame {
    let whole = segment(header((40_005, 9997), 50, 60, ACK, &[]), payload);
    Frame { wire_len: whole.len(), bytes: whole[..kept].to_vec() }
}

fn v6_frames() -> Vec<Frame> {
    let out = |header: TcpHeader, payload: &[u8]| {
        let builder = ethernet().ipv6(V6_CLIENT, V6_SERVER, 64).tcp_header(header);
        written(200, |bytes| builder.write(bytes, payload))
    };
    let udp = || {
        let builder = ethernet().ipv6(V6_SERVER, V6_CLIENT, 3).udp(5000, 5001);
        written(100, |bytes| builder.write(bytes, b"over six"))
    };
    let syn = out(header((40_000, 8000), 7, 0, SYN, &[TcpOptionElement::MaximumSegmentSize(1440)]), b"");
    [
        syn.clone(),
        udp(),
        written(100, |bytes| ethernet().ipv6(V6_CLIENT, V6_SERVER, 64).icmpv6_echo_request(9, 2).write(bytes, b"ping")),
        icmpv6_error(Icmpv6Type::DestinationUnreachable(icmpv6::DestUnreachableCode::Port), &udp()[14..]),
        icmpv6_error(Icmpv6Type::PacketTooBig { mtu: 1280 }, &syn[14..]),
        out(header((40_000, 8000), 8, 1, ACK, &[]), b"POST /v6 HTTP/1.1\r\nContent-Length: 0\r\n\r\n"),
        // A first fragment (next header 44) and a later one of the same datagram; one between them is missing.
        fragment_v6(0, true, &udp()[54..]),
        fragment_v6(3, false, b"the rest"),
    ]
    .into_iter()
    .map(Frame::from)
    .collect()
}

fn fragment_v6(offset: u16, more: bool, payload: &[u8]) -> Vec<u8> {
    let mut bytes = link_header(EtherType::IPV6.0);
    bytes.extend_from_slice(&[0x60, 0, 0, 0]);
    bytes.extend_from_slice(&(payload.len() as u16 + 8).to_be_bytes());
    bytes.extend_from_slice(&[44, 64]);
    bytes.extend_from_slice(&V6_SERVER);
    bytes.extend_from_slice(&V6_CLIENT);
    bytes.extend_from_slice(&[17, 0]);
    bytes.extend_from_slice(&(offset << 3 | u16::from(more)).to_be_bytes());
    bytes.extend_from_slice(&[0, 0, 0, 9]);
    bytes.extend_from_slice(payload);
    bytes
}

fn names() -> Names {
    let mut names = Names::default();
    names.insert("client", CLIENT.into());
    names.insert("server", SERVER.into());
    names.insert("server", [10, 0, 0, 9].into());
    names.insert("client", V6_CLIENT.into());
    names
}

/// Holds each filter against tshark: the text as it is typed, or its printed form where it names nodes. Returns how many
/// selected something but not everything.
fn agree(capture: &Spaced, texts: &[&str]) -> usize {
    let filters: Vec<Filter> = texts.iter().map(|text| understood(text, &names())).collect();
    let pasted: Vec<String> = texts
        .iter()
        .zip(&filters)
        .map(|(text, filter)| match Filter::parse(text, &Names::default()) {
            Ok(_) => (*text).to_owned(),
            Err(_) => filter.wireshark(),
        })
        .collect();
    let printed: Vec<String> = filters.iter().map(Filter::wireshark).collect();
    let read_again: Vec<Filter> = printed.iter().map(|text| understood(text, &Names::default())).collect();
    let [ours, again] = [&filters, &read_again].map(|filters| capture.ours(&filters.iter().collect::<Vec<_>>()));
    let mut telling = 0;
    let mut disagreements = Vec::new();
    for (index, (text, theirs)) in texts.iter().zip(capture.tsharks(&pasted)).enumerate() {
        let (ours, printed) = (&ours[index], &printed[index]);
        if *ours != theirs {
            disagreements.push(format!("{text}: ours {ours:?}, tshark's {theirs:?}"));
        }
        if *ours != again[index] {
            disagreements.push(format!("{text} means something else when printed as {printed}"));
        }
        telling += usize::from(!ours.is_empty() && ours.len() < capture.frames.len());
    }
    assert!(disagreements.is_empty(), "{disagreements:#?}");
    telling
}

fn understood(text: &str, names: &Names) -> Filter {
    Filter::parse(text, names).unwrap_or_else(|error| panic!("{text}: {error}"))
}

const DNS_FILTERS: [&str; 41] = [
    "dns",
    "data",
    "dns.id == 0x1111",
    "dns.flags == 0x0100",
    "dns.flags.response == 1",
    "dns.flags.response == 0",
    "dns.flags.opcode == 5",
    "dns.flags.authoritative == 1",
    "dns.flags.authoritative == 0",
    "dns.flags.truncated == 1",
    "dns.flags.truncated == 0 && dns.flags.response == 1",
    "dns.flags.recdesired == 1",
    "dns.flags.recavail == 1",
    "dns.flags.authenticated == 0",
    "dns.flags.checkdisable == 0",
    "dns.flags.rcode",
    "dns.flags.rcode == 5",
    "dns.flags.rcode != 0",
    "dns.count.queries == 1",
    "dns.count.answers > 1",
    "dns.count.auth_rr == 0",
    "dns.count.add_rr == 0",
    "dns.qry.name == \"srv.example\"",
    "dns.qry.name contains \"example\" && dns.flags.response == 0",
    "dns.qry.name.len == 11 && dns.qry.class == 1",
    "dns.qry.type == 1",
    "dns.resp.name == \"srv.example\"",
    "dns.resp.type == 28",
    "dns.resp.type != 1",
    "dns.resp.class == 1",
    "dns.resp.ttl < 30",
    "dns.resp.ttl in {5, 300..400}",
    "dns.resp.len == 4",
    "dns.a == 192.0.2.0/24",
    "dns.aaaa == fd00::2",
    "dns.cname == \"alias.example\" && dns.ns == \"example\"",
    "dns.mx.preference == 10 && dns.mx.mail_exchange == \"srv.example\"",
    "dns.txt == \"other\"",
    "dns.ptr.domain_name == \"srv.example\"",
    "dns.soa.mname == \"ns.example\" && dns.soa.minimum_ttl == 60",
    "dns contains \"alias\"",
];

const V4_FILTERS: [&str; 109] = [
    "arp",
    "arp.opcode == 1",
    "arp.src.proto_ipv4 == client && arp.dst.proto_ipv4 != client",
    "arp.dst.hw_mac == 00:00:00:00:00:00",
    "eth.addr == 02:00:00:00:00:01",
    "eth.src contains 00:01",
    "eth.type == 0x0806",
    "eth.type != 0x0800",
    "frame.number == 3",
    "frame.number in {1, 3..5, 0x10}",
    "frame.len > 60",
    "frame.len <= 54",
    "frame.time_relative > 2",
    "frame.time_relative == 2.25",
    "frame.time_relative < 0.500000001",
    "frame contains \"hello\"",
    "ip",
    "ipv6",
    "ip.src == client",
    "ip.src == server",
    "ip.src != server",
    "ip.dst != server",
    "ip.addr == 10.0.0.2",
    "ip.addr != 10.0.0.2",
    "!(ip.addr == 10.0.0.2)",
    "ip.src != 10.0.0.1",
    "ip.src == 10.0.0.0/31",
    "ip.src > 10.0.0.1",
    "ip.dst in {10.0.0.2, 10.1.0.0/16}",
    "ip.dst in {10.0.0.1 .. 10.0.0.1}",
    "ip.ttl == 63 or ip.ttl lt 6",
    "ip.ttl in {60..63}",
    "ip.id == 0x1234",
    "ip.len >= 60",
    "ip.proto == 17",
    "ip.proto == 99",
    "ip.flags.df == 1",
    "ip.flags.df == False",
    "ip.flags.mf == True",
    "ip.frag_offset == 5",
    "ip.frag_offset > 0",
    "ip.dsfield.ecn == 3",
    "ip.hdr_len == 20 && ip.version == 4",
    "ip contains \"no such\"",
    "tcp",
    "tcp.srcport == 40000",
    "tcp.dstport ne 8000",
    "tcp.port == 8000",
    "tcp.port != 8000",
    "tcp.port in {9998..9999}",
    "tcp.port not in {8000, 9999}",
    "tcp.port == 40005",
    "tcp.stream == 0",
    "tcp.stream eq 1",
    "tcp.stream > 1",
    "tcp.len > 0",
    "tcp.len == 0",
    "tcp.seq == 0",
    "tcp.seq == 1",
    "tcp.seq > 40",
    "tcp.seq_raw == 1001",
    "tcp.ack == 1",
    "tcp.ack > 1",
    "tcp.ack_raw == 9001",
    "tcp.window_size_value == 5000",
    "tcp.hdr_len > 20",
    "tcp.flags == 0x002",
    "tcp.flags == 0x0c2",
    "tcp.flags.syn == 1",
    "tcp.flags.syn == 1 && tcp.flags.ack == 0",
    "tcp.flags.syn != 1",
    "tcp.flags.syn == 1 and not tcp.flags.ack == 1",
    "tcp.flags.fin == 1 || tcp.flags.reset == 1",
    "tcp.flags.push == 1",
    "tcp.flags.urg == 1",
    "tcp.flags.ece == 1 && tcp.flags.cwr == 1",
    "tcp.options.mss_val",
    "tcp.options.mss_val == 1460",
    "tcp.options.wscale.shift == 7",
    "tcp.options.sack_perm",
    "tcp.options.sack",
    "tcp.options.sack.count == 2",
    "tcp.options.timestamp.tsval >= 100",
    "tcp.options.timestamp.tsecr == 77",
    "tcp.payload",
    "tcp.payload contains \"text\"",
    "tcp.payload contains \"\\\"text\\\" \\\\\"",
    "tcp.payload contains 48:54:54:50",
    "tcp contains \"plain\"",
    "udp",
    "udp.srcport == 5000",
    "udp.port == 40000",
    "udp.stream == 0",
    "udp.stream == 1",
    "udp.length == 8",
    "udp contains \"another\"",
    "udp.payload == \"another\"",
    "icmp",
    "icmp.type == 3 && icmp.code == 4",
    "icmp.ident == 7 && icmp.seq == 1",
    "icmp.mtu == 600",
    "data",
    "data.len > 10",
    "data.data contains \"ping\"",
    "http",
    "http.request && http.request.method == \"GET\"",
    "http.request.uri contains \"index\"",
    "http.response.code in {200..299}",
    "arp || tcp.flags.syn == 1 && tcp.port == 9999 || !(tcp || udp || arp)",
];

const V6_FILTERS: [&str; 18] = [
    "ipv6",
    "ipv6.src == client",
    "ipv6.addr == fd00::2",
    "ipv6.dst == fd00::/127",
    "ipv6.src != fd00::1",
    "ipv6.hlim < 64",
    "ipv6.plen > 60",
    "icmpv6",
    "icmpv6.type == 128",
    "icmpv6.type == 1 and icmpv6.code == 4",
    "icmpv6.mtu == 1280",
    "icmpv6.echo.identifier == 9",
    "tcp",
    "udp",
    "udp.stream == 0",
    "http.request.method == \"POST\"",
    "data",
    "tcp.options.mss_val == 1440",
];

#[test]
fn ipv4_filters_select_what_tshark_selects() {
    let capture = Spaced::write(Medium::Ethernet, v4_frames());
    let telling = agree(&capture, &V4_FILTERS);
    assert!(telling >= 95, "only {telling} filters select some and not all frames");
}

#[test]
fn dns_filters_select_what_tshark_selects() {
    let capture = Spaced::write(Medium::Ethernet, v4_frames());
    assert_eq!(agree(&capture, &DNS_FILTERS), DNS_FILTERS.len(), "each selects some and not all frames");
}

#[test]
fn ipv6_filters_select_what_tshark_selects() {
    let capture = Spaced::write(Medium::Ethernet, v6_frames());
    let telling = agree(&capture, &V6_FILTERS);
    assert!(telling >= 15, "only {telling} filters select some and not all frames");
}

#[test]
fn filters_select_what_tshark_selects_without_a_link_header() {
    let without_link = |frame: Frame| Frame { bytes: frame.bytes[14..].to_vec(), wire_len: frame.wire_len - 14 };
    let frames: Vec<Frame> =
        v4_frames().into_iter().skip(2).map(without_link).filter(|frame| frame.bytes[0] == 0x45).collect();
    let capture = Spaced::write(Medium::Ip, frames);
    let filters =
        ["tcp.flags.syn == 1 && tcp.flags.ack == 0", "eth", "frame.len == 40", "ip.src == client", "data", "http"];
    assert_eq!(agree(&capture, &filters), 5);
}

#[test]
fn streams_and_relative_numbers_are_tsharks_on_random_segments() {
    let mut rng = Rng::derive(7, "streams");
    let frames: Vec<Frame> = (0..3000).map(|_| random_frame(&mut rng).into()).collect();
    let capture = Spaced::write(Medium::Ethernet, frames);
    let fields = ["-T", "fields", "-e", "tcp.stream", "-e", "udp.stream", "-e", "tcp.seq", "-e", "tcp.ack"];
    let lines = capture.tshark(&fields);
    let mut streams = Streams::default();
    let mut compared = 0;
    for (number, (frame, line)) in (1..).zip(capture.frames.iter().zip(lines.lines())) {
        let dissection = Dissection::of(Medium::Ethernet, &frame.bytes, frame.wire_len);
        let (stream, relative) = streams.next(&dissection);
        let ours = match (dissection.tcp(), stream, relative) {
            (Some(tcp), Some(stream), Some(relative)) => {
                format!("{stream}\t\t{}\t{}", relative.seq(tcp), relative.ack(tcp))
            }
            (None, Some(stream), None) => match dissection.quoted.as_ref().and_then(|quoted| quoted.tcp()) {
                Some(tcp) => format!("{stream}\t\t{}\t{}", tcp.seq, tcp.ack),
                None => format!("\t{stream}\t\t"),
            },
            (None, None, None) => continue,
            other => panic!("frame {number}: {other:?}"),
        };
        assert_eq!(ours, line, "ours (left) and tshark's, frame {number}");
        compared += 1;
    }
    assert!(compared > 2000, "only {compared} frames were compared");
}

/// Segments between few endpoints with few sequence numbers, so that ports are used again in every way; datagrams and
/// errors that quote them among them.
fn random_frame(rng: &mut Rng) -> Vec<u8> {
    let mut pick = |bound: u64| rng.below(bound);
    let client_port = 40_000 + pick(12) as u16;
    let ports = if pick(2) == 0 { (client_port, 9990) } else { (9990, client_port) };
    let flags = [SYN, SYN | ACK, ACK, ACK, ACK | PSH, FIN | ACK, RST, RST | ACK, SYN | RST, 0][pick(10) as usize];
    let header = header(ports, 100 + pick(4) as u32, 200 + pick(4) as u32, flags, &[]);
    let udp_ports = (5000 + pick(40) as u16, 5100 + pick(3) as u16);
    let unreachable = Icmpv4Type::DestinationUnreachable(icmpv4::DestUnreachableHeader::Port);
    match pick(10) {
        0 => datagram(udp_ports, b"datagram"),
        1 => icmp_error(unreachable, &datagram(udp_ports, b"datagram")[14..]),
        2 => icmp_error(unreachable, &segment(header, b"")[14..]),
        _ => segment(header, b""),
    }
}

#[test]
fn every_field_of_a_description_is_one_that_tshark_knows() {
    let output = Command::new("tshark").args(["-G", "fields"]).output().expect("tshark runs; install it");
    let known = String::from_utf8(output.stdout).expect("tshark prints text");
    let known: BTreeSet<&str> = known.lines().filter_map(|line| line.split('\t').nth(2)).collect();
    let frames: Vec<Frame> = v4_frames().into_iter().chain(v6_frames()).collect();
    let described = frames.iter().flat_map(|frame| layers(Medium::Ethernet, &frame.bytes, frame.bytes.len()));
    let named: BTreeSet<&str> = described.flat_map(|layer| layer.fields).filter_map(|field| field.filter).collect();
    let unknown: Vec<&&str> = named.difference(&known).collect();
    assert!(unknown.is_empty() && named.len() > 60, "unknown to tshark: {unknown:?}; named: {}", named.len());
}
