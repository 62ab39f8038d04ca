//! What the cross-check with tshark cannot see: errors, events, names, link rules, hostile text.

use std::collections::BTreeSet;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use etherparse::PacketBuilder;
use proptest::prelude::*;

use super::*;
use crate::journal::{
    CacheUse, CwndCause, DropReason, Event, Impairment, LossRule, NatMapping, NoLoss, NodeId, OrderOutcome,
    PacketSpace, Passage, PathMtuCause, ProgramEvent, Reason, Side, SocketId, TcpState, Timer, TransportKind, Way, Why,
};
use crate::packet::{Medium, PacketId, SeqNum};

fn names() -> Names {
    let mut names = Names::default();
    names.insert("client", IpAddr::from([10, 0, 0, 1]));
    names.insert("server", IpAddr::from([10, 0, 0, 2]));
    names.insert("server", IpAddr::from([10, 0, 0, 9]));
    names
}

fn filter(text: &str) -> Filter {
    Filter::parse(text, &names()).unwrap_or_else(|error| panic!("{text}: {error}"))
}

fn error(text: &str) -> FilterError {
    Filter::parse(text, &names()).expect_err(text)
}

fn occurs(event: Event, text: &str) -> bool {
    let entry = Entry { at: Instant::from_nanos(1_500), node: NodeId(1), event };
    filter(text).matches(&Subject::Event(EventSubject { entry: &entry, node: "server" }))
}

fn retransmit() -> Event {
    Event::Retransmit { socket: SocketId(3), packet: PacketId(12), seq: SeqNum(1001), length: 1460 }
}

#[test]
fn an_error_says_where_and_what_was_expected() {
    let cases = [
        ("tcp.flags.sin == 1", 1, "`tcp.flags.syn`"),
        ("tcp && ip.scr == 10.0.0.1", 8, "`ip.src`"),
        ("tcp.port == http", 13, "expected a number like 80 or 0x50, not `http`"),
        ("tcp.port == 70000", 13, "its maximum is 65535"),
        ("ip.ttl == 064", 11, "octal"),
        ("tcp.port = 80", 10, "write `==`"),
        ("tcp.port == 80 tcp", 16, "expected `&&`, `||` or the end"),
        ("(tcp", 5, "expected `)`"),
        ("tcp)", 4, "closes nothing"),
        ("", 1, "expected a field"),
        ("tcp &&", 7, "expected a field"),
        ("tcp.port in {80 443}", 17, "expected `,` or `}`"),
        ("tcp.port in 80", 13, "expected `{`"),
        ("ip.src == clyent", 11, "closest: `client`"),
        ("client == ip.src", 1, "`client` is a node"),
        ("ipv6.src == client", 13, "`client` has no IPv6 address; did you mean ip.addr?"),
        ("ip.src > server", 10, "several addresses"),
        ("ip.src == \"10.0.0.1\"", 11, "IP addresses go without quotes"),
        ("80 == tcp.port", 1, "expected a field before the value"),
        ("tcp.payload > 48:54", 1, "octets have no order"),
        ("tcp.port contains 80", 1, "`contains` looks into texts and octets, not into numbers"),
        ("tcp == 1", 1, "`tcp` is a protocol"),
        ("http.request.uri matches \"x\"", 18, "`matches` (regular expressions) is not supported"),
        ("frame contains \"abc", 16, "no closing double quote"),
        ("tcp.flags & 2", 11, "`&` on bits is not supported"),
        ("tcp.analysis.retransmission", 1, "`event.kind == retransmit`"),
        ("event.kind == retransmti", 15, "closest: `retransmit`"),
        ("event.kind == retransmti", 15, "known are packet-sent"),
        ("event.cause == fast-recovry", 16, "`event.cause` is never `fast-recovry`; closest: `fast-recovery`"),
        ("event.cwdn > 1", 1, "closest: `cwnd`"),
        ("event.why.reason in {new-data, retransmit-by-timr}", 32, "closest: `retransmit-by-timer`"),
        ("event.timer != retransmision", 16, "closest: `retransmission`"),
        ("event.why", 1, "closest: `why."),
        ("event.programm == sink", 1, "closest: `program`"),
        ("é == 1", 1, "no field is called `é`"),
        ("tcp && é == 1", 8, "no field is called `é`"),
        ("dns.query.name == \"a\"", 1, "`dns.qry.name`"),
        ("dns.xyz", 1, "`dns` has dns.id, dns.flags, "),
        ("dhcp.type == 1", 1, "there are the protocols frame, eth, arp, ip, "),
        ("tcp.window_size > 1", 1, "write `tcp.window_size_value`"),
        ("dns.time > 1", 1, "asks for it with `gap`"),
        ("dns.flags.truncated", 1, "== 0` for not set"),
        ("udp.length[0] == 1", 11, "slices of fields are not supported"),
    ];
    for (text, column, part) in cases {
        let error = error(text);
        assert_eq!(error.column, column, "{text}: {error}");
        assert!(error.message.contains(part), "{text}: {error}");
    }
    assert_eq!(error("tcp.port = 80").to_string(), "column 10: `=` is no comparison; write `==`");
}

#[test]
fn a_bare_flag_is_refused_since_wireshark_asks_whether_it_is_there() {
    for text in ["tcp.flags.ack", "tcp.flags.syn == 1 && !tcp.flags.ack", "not ip.flags.df", "event.ok"] {
        assert!(error(text).message.contains("== 0` for not set"), "{text}");
    }
    assert_eq!(error("tcp.flags.syn == 1 && !tcp.flags.ack").column, 24);
}

#[test]
fn names_are_printed_as_addresses_and_all_else_as_wireshark_takes_it() {
    let cases = [
        ("ip.src == client", "ip.src == 10.0.0.1"),
        ("ip.src eq server and tcp", "(ip.src == 10.0.0.2 || ip.src == 10.0.0.9) && tcp"),
        ("ip.src != server or arp", "ip.src != 10.0.0.2 && ip.src != 10.0.0.9 || arp"),
        ("ip.dst in {client, server}", "ip.dst in {10.0.0.1, 10.0.0.2, 10.0.0.9}"),
        ("not (tcp or udp) and !arp", "!(tcp || udp) && !arp"),
        ("tcp and (udp or arp)", "tcp && (udp || arp)"),
        ("!tcp.port==0x50", "!(tcp.port == 80)"),
        ("tcp.port not in {1..5}", "!(tcp.port in {1 .. 5})"),
        ("tcp.flags.syn == True", "tcp.flags.syn == 1"),
        ("frame.time_relative > 0.5", "frame.time_relative > 0.500000000"),
        ("tcp.payload contains \"a\\\"b\"", "tcp.payload contains \"a\\\"b\""),
        ("tcp.payload contains 00:ff", "tcp.payload contains 00:ff"),
        ("eth.src == 02-00-00-00-00-01", "eth.src == 02:00:00:00:00:01"),
    ];
    for (text, printed) in cases {
        assert_eq!(filter(text).wireshark(), printed);
        assert_eq!(filter(printed).wireshark(), printed);
    }
}

#[test]
fn names_know_their_addresses_and_addresses_their_names() {
    let names = names();
    assert_eq!(names.lookup("server").map(<[IpAddr]>::len), Some(2));
    assert_eq!(names.lookup("nobody"), None);
    assert_eq!(names.name_of(IpAddr::from([10, 0, 0, 9])), Some("server"));
    assert_eq!(names.name_of(IpAddr::from([10, 0, 0, 7])), None);
    assert_eq!(names.iter().map(|(name, _)| name).collect::<Vec<_>>(), ["client", "server"]);
}

#[test]
fn events_are_asked_by_their_members_in_json() {
    let ended = || Event::Program {
        program: "sink".to_owned(),
        report: ProgramEvent::StreamReceived { bytes: 10, sha256: "ab".to_owned() },
    };
    let (local, remote) = (SocketAddr::from(([10, 0, 0, 1], 1024)), SocketAddr::from(([10, 0, 0, 2], 80)));
    let (from, to) = (TcpState::SynSent, TcpState::Established);
    let established = || Event::State { socket: SocketId(3), local, remote, from, to };
    let sent = || Event::PacketSent { packet: PacketId(1), why: Why::of(Reason::ActiveOpen) };
    let yes = [
        (retransmit(), "event.kind == retransmit"),
        (retransmit(), "event.kind == \"retransmit\" && event.node == server && event.seq == 1001"),
        (retransmit(), "event.length > 999"),
        (retransmit(), "event.kind in {retransmit, duplicate-ack} && event.socket in {1..3}"),
        (retransmit(), "event.at <= 1500 && !event.to"),
        (established(), "event.to == ESTABLISHED && event.from == SYN-SENT"),
        (ended(), "event.program == \"sink\" && event.report == stream-received && event.bytes == 10"),
        (ended(), "event.report contains received"),
        (sent(), "event.why.reason == active-open && event.why.section contains 9293"),
    ];
    for (event, text) in yes {
        assert!(occurs(event, text), "{text}");
        assert!(filter(text).is_about_events());
    }
    let no = [
        (retransmit(), "event.length > 1460"),
        (retransmit(), "event.kind != retransmit"),
        (retransmit(), "event.program != sink"),
        (retransmit(), "event.seq == abc"),
        (retransmit(), "event.node == client"),
        (retransmit(), "tcp || frame || ip.src != client"),
        (established(), "event.to in {CLOSED, LISTEN}"),
    ];
    for (event, text) in no {
        assert!(!occurs(event, text), "{text}");
    }
    assert!(!filter("tcp.port == 80").is_about_events());
}

/// One of each, so that the fields' list cannot fall behind the journal.
fn one_event_of_each_shape() -> Vec<Event> {
    let packet = PacketId(1);
    let socket = SocketId(1);
    let address = SocketAddr::from(([10, 0, 0, 1], 80));
    let rule = || Some("rule".to_owned());
    let program = |report| Event::Program { program: "program".to_owned(), report };
    let passage = |passage| Event::Passage { packet, passage };
    let mapping = NatMapping { protocol: 6, inside: address, outside: address, peer: Some(address) };
    let impaired = |impairment| Event::Impaired { packet, link: "link".to_owned(), impairment };
    let reason = Reason::RetransmitByTimer { nth: 1, rto: Duration::from_secs(1) };
    let over = TransportKind::Udp;
    let sha256 = String::new();
    let span = Duration::from_secs(1);
    vec![
        Event::PacketSent { packet, why: Why::of(reason) },
        Event::PacketArrived { packet },
        Event::PacketDropped { packet, reason: DropReason::NotForUs },
        impaired(Impairment::DroppedByRule { rule: "rule".to_owned() }),
        impaired(Impairment::TooBig { mtu: 1500 }),
        impaired(Impairment::Held { rule: rule(), packets: 1 }),
        impaired(Impairment::Delayed { rule: rule(), by: Duration::from_secs(1) }),
        impaired(Impairment::Duplicated { rule: rule(), original: packet }),
        impaired(Impairment::Corrupted { rule: rule(), octet: 1 }),
        impaired(Impairment::WaitedTooLong { waited: span }),
        impaired(Impairment::Marked),
        impaired(Impairment::EcnBleached { rule: "rule".to_owned() }),
        impaired(Impairment::OptionStripped { rule: "rule".to_owned(), option: 4 }),
        Event::Forwarded { packet, link: "link".to_owned() },
        passage(Passage::Taken),
        passage(Passage::AwaitsNeighbour { neighbour: address.ip() }),
        passage(Passage::Filtered { rule: rule(), rejected: true }),
        passage(Passage::Translated { side: Side::Source, from: address, to: address }),
        passage(Passage::MssClamped { announced: 1460, mss: 1260 }),
        passage(Passage::Piece { original: packet }),
        Event::MappingMade { mapping: mapping.clone() },
        Event::MappingExpired { mapping },
        Event::State { socket, local: address, remote: address, from: TcpState::Closed, to: TcpState::Listen },
        Event::TimerSet { socket, timer: Timer::Persist, due: Instant::ZERO },
        Event::TimerFired { socket, timer: Timer::Persist },
        retransmit(),
        Event::DuplicateAck { socket, ack: SeqNum(1), count: 1 },
        Event::TimerStopped { socket, timer: Timer::Persist },
        Event::RoundTrip { socket, rtt: span, srtt: span, rttvar: span, rto: span },
        Event::CongestionWindow { socket, cwnd: 1, ssthresh: 1, cause: CwndCause::Initial },
        Event::SendWindow { socket, snd_wnd: 1, ack: SeqNum(1) },
        Event::Hole { socket, seq: SeqNum(1), length: 1 },
        Event::PathMtu { socket, mtu: 1280, cause: PathMtuCause::Reported },
        Event::Lost { socket, seq: SeqNum(1), length: 1, rule: LossRule::Rack },
        Event::NoLoss { socket, evidence: NoLoss::Timestamp },
        program(ProgramEvent::Listening { over, local: address }),
        program(ProgramEvent::Connected { local: address, remote: address }),
        program(ProgramEvent::StreamSent { bytes: 1, sha256 }),
        program(ProgramEvent::MessageSent { over, number: 1 }),
        program(ProgramEvent::Request { method: "GET".to_owned(), target: "/".to_owned(), bytes: 0 }),
        program(ProgramEvent::Response { status: 200, bytes: 1, cache: Some(CacheUse::Hit) }),
        program(ProgramEvent::Output { line: String::new(), is_error: false }),
        program(ProgramEvent::Figure { name: String::new(), value: 1 }),
        program(ProgramEvent::Ended { ok: true, detail: String::new() }),
        program(ProgramEvent::Question { name: String::new(), record: String::new(), over }),
        program(ProgramEvent::Answer {
            name: String::new(),
            record: String::new(),
            code: String::new(),
            answers: 1,
            bytes: 1,
            over,
            truncated: false,
        }),
        program(ProgramEvent::Resolution {
            name: String::new(),
            record: String::new(),
            code: String::new(),
            cache: CacheUse::Miss,
            questions: 1,
            latency: span,
        }),
        program(ProgramEvent::Lookup {
            name: String::new(),
            record: String::new(),
            code: String::new(),
            answers: 1,
            tries: 1,
            over,
            latency: span,
        }),
        program(ProgramEvent::Order { order: String::new(), key: String::new(), outcome: OrderOutcome::Created }),
        program(ProgramEvent::Handshake {
            version: String::new(),
            server_name: String::new(),
            alpn: String::new(),
            resumed: false,
            ok: true,
            detail: String::new(),
        }),
        program(ProgramEvent::Secrets { line: String::new() }),
        program(ProgramEvent::Message {
            way: Way::Sent,
            what: String::new(),
            channel: String::new(),
            bytes: 1,
            text: String::new(),
        }),
        program(ProgramEvent::Delivered {
            over: String::new(),
            target: String::new(),
            bytes: 1,
            begun: span,
            latency: span,
        }),
        program(ProgramEvent::QuicPacket {
            way: Way::Sent,
            space: PacketSpace::Initial,
            number: 1,
            bytes: 1,
            frames: String::new(),
            seal: String::new(),
        }),
        program(ProgramEvent::Decision { what: String::new(), choice: String::new(), detail: String::new() }),
        program(ProgramEvent::Change {
            what: String::new(),
            from: String::new(),
            to: String::new(),
            detail: String::new(),
        }),
    ]
}

/// The paths of an object's scalars, as filters name them.
fn scalar_paths(prefix: &str, value: &serde_json::Value, paths: &mut BTreeSet<String>) {
    match value {
        serde_json::Value::Object(members) => {
            for (name, value) in members {
                scalar_paths(&format!("{prefix}.{name}"), value, paths);
            }
        }
        _ => {
            paths.insert(prefix.trim_start_matches('.').to_owned());
        }
    }
}

#[test]
fn filters_know_every_kind_and_every_member_of_events_and_no_other() {
    let mut paths = BTreeSet::new();
    let mut kinds = BTreeSet::new();
    for event in one_event_of_each_shape() {
        let entry = Entry { at: Instant::ZERO, node: NodeId(0), event };
        let value = serde_json::to_value(&entry).expect("an entry is JSON");
        scalar_paths("", &value, &mut paths);
        kinds.insert(value["kind"].as_str().expect("a kind is a text").to_owned());
    }
    let sorted = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<BTreeSet<_>>();
    assert_eq!(paths, sorted(&event::MEMBERS));
    assert_eq!(kinds, sorted(&event::KINDS));
}

/// The variants of an enum in a source of the journal, as serde writes them.
fn variants(source: &str, name: &str) -> Vec<String> {
    let body = source.split(&format!("enum {name} {{\n")).nth(1).and_then(|rest| rest.split("\n}").next());
    let mut renamed = None;
    let mut found = Vec::new();
    for line in body.expect("the enum is there").lines().filter_map(|line| line.strip_prefix("    ")) {
        if let Some(name) = line.strip_prefix("#[serde(rename = \"").and_then(|rest| rest.strip_suffix("\")]")) {
            renamed = Some(name.to_owned());
        }
        if line.starts_with(|c: char| c.is_ascii_uppercase()) {
            let mut kebab = String::new();
            for c in line.chars().take_while(char::is_ascii_alphanumeric) {
                if c.is_ascii_uppercase() && !kebab.is_empty() {
                    kebab.push('-');
                }
                kebab.push(c.to_ascii_lowercase());
            }
            found.push(renamed.take().unwrap_or(kebab));
        }
    }
    found
}

#[test]
fn filters_know_every_value_of_members_with_a_closed_list() {
    let (event, tcp) = (include_str!("../journal/event.rs"), include_str!("../journal/tcp.rs"));
    let (program, why) = (include_str!("../journal/program.rs"), include_str!("../journal/why.rs"));
    for (member, values) in [
        ("kind", variants(event, "Event")),
        ("cause", [variants(tcp, "CwndCause"), variants(tcp, "PathMtuCause")].concat()),
        ("evidence", variants(tcp, "NoLoss")),
        ("impairment", variants(event, "Impairment")),
        ("passage", variants(include_str!("../journal/passage.rs"), "Passage")),
        ("reason", variants(include_str!("../journal/drop.rs"), "DropReason")),
        ("report", variants(program, "ProgramEvent")),
        ("space", variants(program, "PacketSpace")),
        ("timer", variants(tcp, "Timer")),
        ("way", variants(program, "Way")),
        ("why.reason", variants(why, "Reason")),
    ] {
        let known: BTreeSet<&str> = event::values_of(member).expect(member).iter().copied().collect();
        assert_eq!(known, values.iter().map(String::as_str).collect(), "{member}");
    }
}

#[test]
fn a_link_rule_sees_headers_and_payload_but_nothing_of_a_capture() {
    let mut bytes = Vec::new();
    PacketBuilder::ipv4([10, 0, 0, 1], [10, 0, 0, 2], 64)
        .tcp(40_000, 80, 1001, 500)
        .ack(1)
        .write(&mut bytes, b"GET / HTTP/1.1\r\n\r\n")
        .expect("a vector takes every packet");
    let packet = Packet::from_wire(Medium::Ip, bytes.into());
    let holds = |text: &str| packet_predicate(filter(text))(&packet);
    assert!(holds("ip.src == client && tcp.len > 0 && tcp.seq_raw == 1001"));
    assert!(holds("http.request.method == \"GET\" && tcp.payload contains \"HTTP\""));
    for absent in ["frame.number", "frame.time_relative >= 0", "tcp.stream == 0", "tcp.seq", "tcp.ack", "event.kind"] {
        assert!(!holds(absent), "{absent}");
    }
}

#[test]
fn a_rule_s_filter_refuses_what_only_a_capture_knows() {
    let refused = |text: &str| Filter::parse_for_single_packets(text, &names()).expect_err(text);
    let error = refused("tcp.seq_raw == 1 || (tcp.seq == 1)");
    assert_eq!(error.column, 22);
    assert!(error.message.contains("`tcp.seq_raw`"), "{error}");
    for text in
        ["frame.number == 1", "frame.time_relative > 0", "udp.stream == 0", "!tcp.ack == 1", "tcp.nxtseq in {1}"]
    {
        assert!(refused(text).message.contains("would never match"), "{text}");
    }
    for text in ["tcp.seq_raw == 1", "tcp contains \"tcp.seq\"", "frame.len > 60"] {
        assert!(Filter::parse_for_single_packets(text, &names()).is_ok(), "{text}");
    }
}

#[test]
fn header_fields_of_http_are_read_as_far_as_the_segment_holds_them() {
    let text = "HTTP/1.1 200 OK\r\nX: 1\r\nETAG: \"a\"\r\nCache-control : no-store\r\nAge: 5";
    let mut bytes = Vec::new();
    PacketBuilder::ipv4([10, 0, 0, 1], [10, 0, 0, 2], 64)
        .tcp(80, 40_000, 1, 500)
        .write(&mut bytes, text.as_bytes())
        .expect("a vector takes every packet");
    let packet = Packet::from_wire(Medium::Ip, bytes.into());
    let holds = |text: &str| packet_predicate(filter(text))(&packet);
    for yes in [
        "http.response.version == \"HTTP/1.1\" && http.response.phrase == OK",
        "http.cache_control == \"no-store\"",
        "http.response.line == \"X: 1\\r\\n\"",
        "http.response.line contains \"ETAG\"",
    ] {
        assert!(holds(yes), "{yes}");
    }
    for no in ["http.response.line contains \"Age\"", "http.request.line", "http.request.version", "http.host"] {
        assert!(!holds(no), "{no}");
    }
}

#[test]
fn a_filter_nested_too_deep_is_refused_and_costs_no_stack() {
    for nested in ["(".repeat(100_000), "!".repeat(100_000), "(!".repeat(50_000)] {
        assert!(error(&format!("{nested}tcp")).message.contains("more than 64"));
    }
    let long = vec!["tcp"; 50_000].join(" || ");
    assert!(filter(&long).wireshark().len() > 50_000);
}

/// Text made of what filters are made of, mostly in the wrong order.
fn soup() -> impl Strategy<Value = String> {
    let piece = prop::sample::select(vec![
        "tcp",
        "udp",
        "ip.src",
        "tcp.port",
        "eth.src",
        "tcp.payload",
        "http.request.uri",
        "event.kind",
        "event.at",
        "==",
        "!=",
        ">",
        "contains",
        "in",
        "{",
        "}",
        "(",
        ")",
        ",",
        "..",
        "&&",
        "||",
        "!",
        "not",
        "80",
        "0x1f",
        "10.0.0.1",
        "10.0.0.0/8",
        "client",
        "server",
        "\"text\"",
        "\"",
        "retransmit",
        "00:11",
        "1..5",
        "::1",
        "-",
        "é",
        "/33",
    ]);
    prop::collection::vec(piece, 0..10).prop_map(|pieces| pieces.join(" "))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4000))]

    #[test]
    fn no_text_makes_the_parser_panic(text in prop_oneof![any::<String>(), soup(), "[a-z.=!&|(){}0-9\" ]{0,40}"]) {
        match Filter::parse(&text, &names()) {
            Ok(filter) => {
                let printed = filter.wireshark();
                let again = Filter::parse(&printed, &Names::default());
                prop_assert_eq!(again.map(|again| again.wireshark()), Ok(printed));
            }
            Err(error) => prop_assert!(error.column >= 1 && error.column <= text.chars().count() + 1, "{}", error),
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn no_frame_makes_a_filter_panic(
        frame in prop::collection::vec(any::<u8>(), 0..120),
        version in prop::sample::select(vec![0x45_u8, 0x46, 0x60, 0x00]),
        protocol in prop::sample::select(vec![1_u8, 6, 17, 58, 99]),
    ) {
        let mut frame = frame;
        for (at, octet) in [(0, version), (6, protocol), (9, protocol)] {
            if let Some(place) = frame.get_mut(at) {
                *place = octet;
            }
        }
        let mut streams = Streams::default();
        let dissection = Dissection::of(Medium::Ip, &frame, frame.len());
        let (stream, relative) = streams.next(&dissection);
        let subject = PacketSubject {
            number: Some(1), at: Instant::ZERO, dissection: &dissection, bytes: &frame, stream, relative,
        };
        for name in field::names().filter(|name| !name.contains(".flags.")) {
            filter(name).matches(&Subject::Packet(subject));
        }
    }
}
