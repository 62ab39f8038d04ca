//! Packets.

use super::*;
use crate::drill::language::script::{EcnSpec, IcmpSpec, OptionSpec, OptionsSpec, Quoted};
use crate::packet::{SeqNum, TcpFlags};

#[test]
fn flags_are_letters_a_point_and_a_hyphen() {
    let ack = TcpFlags::ACK.0;
    let cases = [
        ("-", 0, false),
        (".", ack, false),
        ("S", TcpFlags::SYN.0, false),
        ("S.", TcpFlags::SYN.0 | ack, false),
        ("F.", TcpFlags::FIN.0 | ack, false),
        ("FP.", TcpFlags::FIN.0 | TcpFlags::PSH.0 | ack, false),
        ("R", TcpFlags::RST.0, false),
        ("UP .", TcpFlags::URG.0 | TcpFlags::PSH.0 | ack, false),
        ("SEW", TcpFlags::SYN.0 | TcpFlags::ECE.0 | TcpFlags::CWR.0, false),
        ("E.", TcpFlags::ECE.0 | ack, false),
        ("W.", TcpFlags::CWR.0 | ack, false),
        ("SEWA", TcpFlags::SYN.0 | TcpFlags::ECE.0 | TcpFlags::CWR.0, true),
        (".5", ack, true),
        ("P.5", TcpFlags::PSH.0 | ack, true),
        ("S5", TcpFlags::SYN.0, true),
        (".0", ack, false),
    ];
    for (flags, expected, is_unknown) in cases {
        let segment = segment(&format!("+0 > {flags} 1:1(0) ack 1"));
        assert_eq!((segment.flags.0, segment.unknown_flags), (expected, is_unknown), "{flags}");
    }
    for flags in ["X", "Sx", "8", ".8", "E.5", ".55", "A5", "1.5"] {
        error(&format!("+0 > {flags} 1:1(0) ack 1"));
    }
    assert_eq!(parse("+0 > .5 1:1(0) ack 1").unsupported().count(), 1);
}

#[test]
fn what_is_not_said_of_a_segment_is_not_there() {
    let segment = segment("+0 > R 1001:1001(0)");
    assert_eq!((segment.ack, segment.window, segment.urgent), (None, None, None));
    assert_eq!((segment.seq, segment.end, segment.length), (SeqNum(1001), SeqNum(1001), 0));
    assert_eq!((segment.options, segment.sport_dport), (OptionsSpec::Absent, None));
}

#[test]
fn numbers_of_a_segment_take_their_whole_range() {
    let segment = segment("+0 < 80 > 8080 PU. 4294967295:4294967295(0) ack 4294967295 win 65535 urg 65535");
    assert_eq!((segment.seq, segment.ack), (SeqNum(u32::MAX), Some(SeqNum(u32::MAX))));
    assert_eq!((segment.window, segment.urgent), (Some(u16::MAX), Some(u16::MAX)));
    assert_eq!(segment.sport_dport, Some((80, 8080)));
    let around = super::segment("+0 > P. 4294967295:9(10) ack 1");
    assert_eq!((around.seq, around.end, around.length), (SeqNum(u32::MAX), SeqNum(9), 10));
    for wrong in [
        "4294967296:4294967296(0) ack 1 win 5",
        "-1:0(1) ack 1 win 5",
        "1:65537(65536) ack 1 win 5",
        "1:1001(999) ack 1 win 5",
        "1:1(0) ack 4294967296 win 5",
        "1:1(0) ack 1 win 65536",
        "1:1(0) ack 1 win -1",
        "1:1(0) ack 1 win 5 urg 65536",
        "1:1(0) win 5 ack 1",
        "99999999999999999999:1(0) ack 1 win 5",
    ] {
        error(&format!("+0 < . {wrong}"));
    }
}

#[test]
fn an_inbound_segment_says_all_that_goes_onto_the_wire() {
    for wrong in ["< . 1:1(0) ack 1", "< . 1:1(0) ack 1 win 5 <...>", "< [ect01] . 1:1(0) ack 1 win 5"] {
        assert!(error(&format!("+0 {wrong}")).help.is_some(), "{wrong}");
    }
}

#[test]
fn options_are_read_in_their_order() {
    let seq = |left, right| (SeqNum(left), SeqNum(right));
    let cases = [
        ("<mss 1460>", vec![OptionSpec::Mss(1460)]),
        ("<nop, wscale 14>", vec![OptionSpec::Nop, OptionSpec::WindowScale(14)]),
        ("<sackOK,eol,eol>", vec![OptionSpec::SackPermitted, OptionSpec::EndOfList, OptionSpec::EndOfList]),
        (
            "<nop,nop,sack 1:2 5:6>",
            vec![OptionSpec::Nop, OptionSpec::Nop, OptionSpec::Sack(vec![seq(1, 2), seq(5, 6)])],
        ),
        (
            "<nop,nop,TS val 4294967295 ecr 0>",
            vec![OptionSpec::Nop, OptionSpec::Nop, OptionSpec::Timestamps { val: u32::MAX, ecr: 0 }],
        ),
        (
            "<FO,nop,nop>",
            vec![OptionSpec::FastOpen { cookie: vec![], experimental: false }, OptionSpec::Nop, OptionSpec::Nop],
        ),
        ("<FOEXP>", vec![OptionSpec::FastOpen { cookie: vec![], experimental: true }]),
        (
            "<FO 0012,sackOK,nop,nop>",
            vec![
                OptionSpec::FastOpen { cookie: vec![0, 0x12], experimental: false },
                OptionSpec::SackPermitted,
                OptionSpec::Nop,
                OptionSpec::Nop,
            ],
        ),
        ("<FOEXP 1234ABcd>", vec![OptionSpec::FastOpen { cookie: vec![0x12, 0x34, 0xab, 0xcd], experimental: true }]),
        (
            "<FOEXP 12345678901234567890123456789012>",
            vec![OptionSpec::FastOpen {
                cookie: [0x12, 0x34, 0x56, 0x78, 0x90].repeat(3).into_iter().chain([0x12]).collect(),
                experimental: true,
            }],
        ),
        ("<md5 00ff,nop,nop,nop,nop>", {
            let mut options = vec![OptionSpec::Md5(vec![0, 0xff])];
            options.resize(5, OptionSpec::Nop);
            options
        }),
        ("<unknown 30/0102>", vec![OptionSpec::Other { kind: 30, body: vec![1, 2] }]),
        ("<unknown 30,nop,nop>", vec![OptionSpec::Other { kind: 30, body: vec![] }, OptionSpec::Nop, OptionSpec::Nop]),
        (
            "<ECN e0b 1 ceb 0 e1b 16777215,nop>",
            vec![OptionSpec::Other { kind: 172, body: vec![0, 0, 1, 0, 0, 0, 255, 255, 255] }, OptionSpec::Nop],
        ),
        (
            "<ECN e1b 2,nop,nop,nop>",
            vec![
                OptionSpec::Other { kind: 174, body: vec![0, 0, 2] },
                OptionSpec::Nop,
                OptionSpec::Nop,
                OptionSpec::Nop,
            ],
        ),
    ];
    for (text, expected) in cases {
        assert_eq!(segment(&format!("+0 > . 1:1(0) ack 1 {text}")).options, OptionsSpec::List(expected), "{text}");
    }
    assert_eq!(segment("+0 > . 1:1(0) ack 1 <...>").options, OptionsSpec::Any);
}

#[test]
fn options_that_cannot_be_sent_are_errors() {
    for wrong in [
        "<>",
        "<nop>",
        "<nop,nop>",
        "<mss 65536>",
        "<mss 1460,>",
        "<mss 1460",
        "<wscale 256,nop>",
        "<sack,nop,nop>",
        "<sack 1,nop,nop>",
        "<TS val 1,nop,nop>",
        "<TS val 1 ecr 4294967296,nop,nop>",
        "<FO 123,nop,nop>",
        "<FO wxyz,nop,nop>",
        "<ECN ceb 1,nop,nop,nop>",
        "<ECN e0b 16777216,nop,nop,nop>",
        "<bogus>",
        "<nop,nop,sack 1:2 3:4 5:6 7:8 9:10>",
        "<mss 1460,...>",
    ] {
        error(&format!("+0 > . 1:1(0) ack 1 {wrong}"));
    }
}

#[test]
fn the_ip_header_is_described_in_either_kind_of_brackets() {
    let ip = |text: &str| {
        let packet = packet(&format!("+0 > {text} . 1:1(0) ack 1"));
        (packet.ecn, packet.tos, packet.ttl, packet.flow_label)
    };
    let cases = [
        ("", (None, None, None, None)),
        ("[noecn]", (Some(EcnSpec::NotEct), None, None, None)),
        ("[ect0]", (Some(EcnSpec::Ect0), None, None, None)),
        ("(ect1)", (Some(EcnSpec::Ect1), None, None, None)),
        ("[ect01]", (Some(EcnSpec::EctAny), None, None, None)),
        ("[ce]", (Some(EcnSpec::Ce), None, None, None)),
        ("(tos 0x10)", (None, Some(0x10), None, None)),
        ("(class 0x28)", (None, Some(0x28), None, None)),
        ("(ttl 255)", (None, None, Some(255), None)),
        ("(hlim 3)", (None, None, Some(3), None)),
        ("[flowlabel 0xfffff]", (None, None, None, Some(0xf_ffff))),
        ("[ect0, flowlabel 0x3]", (Some(EcnSpec::Ect0), None, None, Some(3))),
        ("(tos 0x1,flowlabel 0x3)", (None, Some(1), None, Some(3))),
    ];
    for (text, expected) in cases {
        assert_eq!(ip(text), expected, "{text}");
    }
    for wrong in
        ["[ect2]", "(tos 0x100)", "(ttl 256)", "[flowlabel 0x100000]", "[ect0)", "(ttl 5, flowlabel 0x3)", "()"]
    {
        error(&format!("+0 > {wrong} . 1:1(0) ack 1"));
    }
}

#[test]
fn udp_and_icmp_have_their_own_forms() {
    assert_eq!(packet("+0 < udp (1000)").body, Body::Udp { length: 1000 });
    assert_eq!(packet("+0 > (ttl 3) udp(0)").ttl, Some(3));
    let icmp = |text: &str| match packet(text).body {
        Body::Icmp(icmp) => icmp,
        other => panic!("{other:?}"),
    };
    let spec = |kind: &str, code: Option<&str>, mtu, quoted| IcmpSpec {
        kind: kind.to_owned(),
        code: code.map(str::to_owned),
        mtu,
        quoted,
    };
    let tcp = Some(Quoted::Tcp { seq: SeqNum(1), length: 1460 });
    let cases = [
        ("source_quench [1:1461(1460)]", spec("source_quench", None, None, tcp)),
        ("unreachable host_unreachable", spec("unreachable", Some("host_unreachable"), None, None)),
        ("unreachable frag_needed mtu 1200 [1:1461(1460)]", spec("unreachable", Some("frag_needed"), Some(1200), tcp)),
        ("packet_too_big mtu 1280", spec("packet_too_big", None, Some(1280), None)),
        ("type_3 code_13 [udp (7)]", spec("type_3", Some("code_13"), None, Some(Quoted::Udp { length: 7 }))),
    ];
    for (text, expected) in cases {
        assert_eq!(icmp(&format!("+0 < icmp {text}")), expected, "{text}");
    }
    for wrong in
        ["icmp", "icmp bogus", "icmp unreachable CODE", "icmp type_256", "icmp unreachable [1:2]", "udp", "udp (-1)"]
    {
        error(&format!("+0 < {wrong}"));
    }
    error("+0 < [ect0] udp (5)");
}

#[test]
fn what_packetdrill_takes_and_we_do_not_is_unsupported_with_a_reason() {
    let cases = [
        ("> ipv4 1.1.1.1 > 2.2.2.2: . 1:1(0) ack 1", "within IP"),
        ("> ipv6 [ect0] ::1 > 2001:db8::2: ipv4 1.1.1.1 > 2.2.2.2: . 1:1(0) ack 1", "within IP"),
        ("> ipv4 1.1.1.1 > 2.2.2.2: gre: ipv4 3.3.3.3 > 4.4.4.4: . 1:1(0) ack 1", "within IP"),
        ("> gre: . 1:1(0) ack 1", "within GRE"),
        (
            "> gre flags [checksum present,sequence# present], sum 0x1, off 0, key=5, seq 7: . 1:1(0) ack 1",
            "within GRE",
        ),
        ("> GREv0, flags 0x0 sum 0 off 0 key 0 seq 0: . 1:1(0) ack 1", "within GRE"),
        ("> mpls (label 0, tc 0, [S], ttl 0): . 1:1(0) ack 1", "MPLS"),
        ("< mpls (label 5, tc 1, ttl 2) (label 0, tc 0, [S], ttl 0): udp (5)", "MPLS"),
        ("> encap psp spi 0x1 . 1:1(0) ack 1", "within PSP"),
        ("< udp 5 > 6 (100)", "UDP ports"),
        ("< icmp echo_request id 5 [raw (8)]", "identifier"),
        ("< icmp echo_request [raw (8)]", "raw"),
        ("> . 1:1(0) ack 1/udp(9811 > 1)", "within UDP"),
        ("> R. 0:0(0)! ack 1", "not relative"),
        ("> S. ...(0) ack 1", "any sequence number"),
        ("> . 1:1(0) ack 1 <nop,nop,md5 valid>", "MD5"),
        ("f({flags [none], sum 0, off 0, key 0, seq 0}) = 0", "GRE header"),
        ("f({(label 1, tc 2, [S], ttl 3)}) = 0", "MPLS labels"),
        ("read(3, \"ab\"..., 5) = 5", "only the beginning"),
    ];
    for (text, expected) in cases {
        let reason = unsupported(&format!("+0 {text}"));
        assert!(reason.contains(expected), "{text}: {reason}");
    }
    // What follows such an event is understood, and what is wrong within it is still an error.
    let script = parse("+0 > gre: . 1:1(0) ack 1\n+0 close(3) = 0");
    assert_eq!(script.unsupported().map(|(line, _)| line).collect::<Vec<_>>(), [1]);
    assert!(matches!(script.events[1].what, What::Call(_)));
    for wrong in [
        "> gre . 1:1(0) ack 1",
        "> ipv4 1.1.1.1: . 1:1(0) ack 1",
        "> mpls (label 1, tc 2): . 1:1(0) ack 1",
        "> gre: . 1:1(0) ack",
        "> . 1:1(0) ack 1/tcp(1 > 2)",
    ] {
        error(&format!("+0 {wrong}"));
    }
}
