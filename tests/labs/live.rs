//! The labs against the real kernel, through each of the three doors, judged by themselves and by tshark.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::thread;
use std::time::{Duration, Instant};

use nix::unistd::Uid;
use serde_json::Value;

use super::super::support::{dump, has, live, skip, wireshark};
use super::Ran;
use super::flags::{self, Packet};

const DOORS: [&str; 3] = ["tun", "tap", "veth"];

/// What a lab's captures must hold.
struct Expected {
    lab: &'static str,
    /// The nodes whose captures are looked at, each with the TCP connections that it has a part in.
    connections: &'static [(&'static str, usize)],
    /// The node that is a userspace stack, and its address: it says why it sends what it sends.
    stack: (&'static str, &'static str),
    /// The reasons of everything that the stack sends again; `None` when chance decides how often.
    again: Option<&'static [&'static str]>,
    /// The other node and its address, when all that it sends arrives: then only a lack of patience makes it send again.
    unharmed_kernel: Option<(&'static str, &'static str)>,
}

/// What tshark is asked about every packet, after its number and id.
const ASKED: [&str; 16] = [
    "ip.src",
    "tcp.stream",
    "tcp.flags",
    "tcp.analysis.rto",
    "arp.opcode",
    "udp.length",
    "dns.id",
    "dns.qry.name",
    "dns.opt.cookie.client",
    "http.user_agent",
    "http.response.code",
    "http2.headers.user_agent",
    "http2.header.name",
    "mqtt.msgtype",
    "quic.stream.stream_id",
    "http3.frame_type",
];

/// A run with both of its captures, read by tshark once.
struct Seen<'r> {
    ran: &'r Ran,
    door: &'static str,
    captures: BTreeMap<&'static str, Vec<Packet>>,
}

impl Seen<'_> {
    fn at(&self, node: &str) -> &[Packet] {
        &self.captures[node]
    }
}

#[test]
fn lab_02_holds_through_every_door() {
    hold(
        &Expected {
            lab: "02",
            connections: &[("client", 1), ("server", 1)],
            stack: ("server", "10.0.0.2"),
            again: Some(&[]),
            unharmed_kernel: Some(("client", "10.0.0.1")),
        },
        fetched_by_curl,
    );
}

#[test]
fn lab_10_holds_through_every_door() {
    hold(
        &Expected {
            lab: "10",
            connections: &[("client", 3), ("server", 3)],
            stack: ("server", "10.0.0.2"),
            again: Some(&[]),
            unharmed_kernel: Some(("client", "10.0.0.1")),
        },
        fetched_by_curl,
    );
}

/// The one request of the run is a real curl's.
fn fetched_by_curl(seen: &Seen<'_>) {
    for node in ["client", "server"] {
        let agents = seen.at(node).iter().map(|packet| packet.field("http.user_agent"));
        let agents: Vec<&str> = agents.filter(|agent| !agent.is_empty()).collect();
        assert!(matches!(agents.as_slice(), [only] if only.starts_with("curl/")), "{}: {agents:?}", seen.door);
    }
}

#[test]
fn lab_14_holds_through_every_door() {
    let through = |seen: &Seen<'_>| {
        let is_datagram = |packet: &&Packet| packet.is_from("10.0.0.1") && !packet.field("udp.length").is_empty();
        let count = |node: &str| seen.at(node).iter().filter(is_datagram).count();
        assert_eq!(count("client"), 50, "{}: datagrams are sent once", seen.door);
        assert!((25..50).contains(&count("server")), "{}: {} arrived", seen.door, count("server"));
    };
    hold(
        &Expected {
            lab: "14",
            connections: &[("client", 1), ("server", 1)],
            stack: ("client", "10.0.0.1"),
            again: None,
            unharmed_kernel: None,
        },
        through,
    );
}

#[test]
fn lab_20_holds_through_every_door() {
    hold(
        &Expected {
            lab: "20",
            connections: &[("client", 1), ("server", 1)],
            stack: ("client", "10.0.0.1"),
            again: Some(&["retransmit-by-timer"]),
            unharmed_kernel: Some(("server", "10.0.0.2")),
        },
        |_| (),
    );
}

#[test]
fn lab_21_holds_through_every_door() {
    hold(
        &Expected {
            lab: "21",
            connections: &[("client", 1), ("server", 1)],
            stack: ("client", "10.0.0.1"),
            again: Some(&["retransmit-by-duplicate-acks"]),
            unharmed_kernel: Some(("server", "10.0.0.2")),
        },
        |_| (),
    );
}

#[test]
fn lab_34_holds_through_every_door() {
    hold(
        &Expected {
            lab: "34",
            connections: &[("client", 2), ("server", 2)],
            stack: ("client", "10.0.0.1"),
            again: Some(&["retransmit-for-path-mtu", "retransmit-for-path-mtu"]),
            unharmed_kernel: Some(("server", "10.0.2.2")),
        },
        |_| (),
    );
}

#[test]
fn lab_53_holds_through_every_door() {
    let through = |seen: &Seen<'_>| {
        let strangers = seen.at("db").iter().filter(|packet| !packet.field("tcp.stream").is_empty());
        let strangers = strangers.filter(|packet| !packet.is_from("10.0.1.15") && !packet.is_from("10.0.2.5"));
        assert_eq!(strangers.count(), 0, "{}: only the application and the database talk", seen.door);
        let refused = seen.at("lb").iter().filter(|packet| packet.field("tcp.flags") == "0x0014");
        assert_eq!(refused.count(), 1, "{}: the firewall's RST", seen.door);
    };
    hold(
        &Expected {
            lab: "53",
            connections: &[("lb", 4), ("db", 2)],
            stack: ("lb", "203.0.113.10"),
            again: Some(&[]),
            unharmed_kernel: None,
        },
        through,
    );
}

#[test]
fn lab_60_holds_through_every_door() {
    if !has("lab 60 live", "dig") {
        return;
    }
    hold(
        &Expected {
            lab: "60",
            connections: &[("client", 1), ("resolver", 1), ("authority", 0)],
            stack: ("resolver", "10.0.1.1"),
            again: Some(&[]),
            unharmed_kernel: Some(("client", "10.0.0.1")),
        },
        asked_by_dig,
    );
}

/// Every question comes from a real dig (which alone sends cookies), and is answered with its own id and name.
fn asked_by_dig(seen: &Seen<'_>) {
    let said_by = |address: &str| -> Vec<(String, String)> {
        let messages = seen.at("client").iter().filter(|packet| packet.is_from(address));
        let told = messages.map(|packet| (packet.field("dns.id").to_owned(), packet.field("dns.qry.name").to_owned()));
        told.filter(|(id, _)| !id.is_empty()).collect()
    };
    let (questions, answers) = (said_by("10.0.0.1"), said_by("10.0.1.1"));
    assert_eq!(questions, answers, "{}", seen.door);
    assert_eq!(questions.len(), 11, "{}: ten over UDP and one over TCP: {questions:?}", seen.door);
    let with_cookie = seen.at("client").iter().filter(|packet| !packet.field("dns.opt.cookie.client").is_empty());
    assert_eq!(with_cookie.count(), 9, "{}: all but the question without EDNS, which is sent twice", seen.door);
}

#[test]
fn lab_61_holds_through_the_doors_that_carry_ethernet() {
    if !has("lab 61 live", "dig") {
        return;
    }
    let through = |seen: &Seen<'_>| {
        let by_dig =
            |packet: &&Packet| packet.is_from("10.0.0.20") && !packet.field("dns.opt.cookie.client").is_empty();
        let asked = seen.at("operator").iter().filter(by_dig).count();
        assert_eq!(asked, 5, "{}: the operator is dig", seen.door);
    };
    hold_through(
        &["tap", "veth"],
        &Expected {
            lab: "61",
            connections: &[("client", 12), ("operator", 0)],
            stack: ("client", "10.0.0.10"),
            again: Some(&[]),
            unharmed_kernel: Some(("operator", "10.0.0.20")),
        },
        through,
    );
}

#[test]
fn lab_73_holds_through_every_door() {
    let through = |seen: &Seen<'_>| {
        let agents = seen.at("client").iter().map(|packet| packet.field("http2.headers.user_agent"));
        let by_curl = agents.filter(|agent| agent.starts_with("curl/")).count();
        assert_eq!(by_curl, 1, "{}: a call is curl's, written by hand", seen.door);
        let ends = seen.at("client").iter().filter(|packet| packet.field("http2.header.name").contains("grpc-status"));
        assert_eq!(ends.count(), 5, "{}: tshark reads the status of each call", seen.door);
    };
    hold(
        &Expected {
            lab: "73",
            connections: &[("client", 3), ("server", 3)],
            stack: ("server", "10.0.0.2"),
            again: Some(&[]),
            unharmed_kernel: Some(("client", "10.0.0.1")),
        },
        through,
    );
}

#[test]
fn lab_74_holds_through_every_door() {
    let through = |seen: &Seen<'_>| {
        let client = seen.at("client");
        let has_stream =
            |id| client.iter().any(|packet| packet.field("quic.stream.stream_id").split(',').any(|one| one == id));
        assert!(has_stream("0") && has_stream("4"), "{}: tshark opens both answers", seen.door);
        let is_http3 = |packet: &&Packet| !packet.field("http3.frame_type").is_empty();
        assert!(client.iter().filter(is_http3).count() >= 2, "{}: and reads HTTP/3 in them", seen.door);
    };
    hold(
        &Expected {
            lab: "74",
            connections: &[("client", 1)],
            stack: ("client", "10.0.0.1"),
            again: Some(&[]),
            unharmed_kernel: None,
        },
        through,
    );
}

#[test]
fn lab_75_holds_through_every_door() {
    let through = |seen: &Seen<'_>| {
        let sent_by_curl = |packet: &&Packet| packet.field("http.user_agent").starts_with("curl/");
        assert_eq!(seen.at("client").iter().filter(sent_by_curl).count(), 6, "{}: the long lists", seen.door);
    };
    hold(
        &Expected {
            lab: "75",
            connections: &[("client", 9), ("server", 9)],
            stack: ("server", "10.0.0.2"),
            again: Some(&[]),
            unharmed_kernel: Some(("client", "10.0.0.1")),
        },
        through,
    );
}

#[test]
fn lab_76_holds_through_every_door() {
    let through = |seen: &Seen<'_>| {
        let sent_by_curl = |packet: &&Packet| packet.field("http.user_agent").starts_with("curl/");
        assert_eq!(seen.at("client").iter().filter(sent_by_curl).count(), 6, "{}: all of the client's", seen.door);
    };
    hold(
        &Expected {
            lab: "76",
            connections: &[("client", 6), ("neighbour", 1), ("edge", 4), ("origin", 7)],
            stack: ("edge", "10.0.2.1"),
            again: Some(&[]),
            unharmed_kernel: Some(("client", "10.0.0.1")),
        },
        through,
    );
}

#[test]
fn lab_77_holds_through_every_door() {
    let through = |seen: &Seen<'_>| {
        let sent_by_curl = |packet: &&Packet| packet.field("http.user_agent").starts_with("curl/");
        let unchanged = |packet: &&Packet| packet.field("http.response.code") == "304";
        let client = seen.at("client");
        assert_eq!(client.iter().filter(sent_by_curl).count(), 6, "{}: each page is fetched by curl", seen.door);
        assert_eq!(client.iter().filter(unchanged).count(), 1, "{}: curl compares the tag once", seen.door);
    };
    hold(
        &Expected {
            lab: "77",
            connections: &[("client", 6), ("neighbour", 2), ("edge", 14), ("origin", 6)],
            stack: ("edge", "10.0.2.1"),
            again: Some(&[]),
            unharmed_kernel: Some(("client", "10.0.0.1")),
        },
        through,
    );
}

#[test]
fn lab_80_holds_through_every_door() {
    let through = |seen: &Seen<'_>| {
        let sent_by_curl = |packet: &&Packet| packet.field("http.user_agent").starts_with("curl/");
        let asked = seen.at("client").iter().filter(sent_by_curl).count();
        assert_eq!(asked, 33, "{}: all but the crowd's requests are curl's", seen.door);
    };
    hold(
        &Expected {
            lab: "80",
            // How many checks there are depends on how long the run takes.
            connections: &[("client", 17), ("crowd", 12)],
            stack: ("crowd", "10.0.5.1"),
            again: Some(&[]),
            unharmed_kernel: Some(("client", "198.51.100.25")),
        },
        through,
    );
}

#[test]
fn lab_81_holds_through_every_door() {
    let through = |seen: &Seen<'_>| {
        let by_curl = |packet: &&Packet| {
            let agents = ["http.user_agent", "http2.headers.user_agent"].map(|field| packet.field(field));
            agents.iter().any(|agent| agent.starts_with("curl/"))
        };
        let asked = |node: &str| seen.at(node).iter().filter(by_curl).count();
        let all = (asked("client"), asked("posts"), asked("reports"));
        assert_eq!(all, (7, 6, 1), "{}: each of curl's requests is decrypted in front, and plain behind", seen.door);
    };
    hold(
        &Expected {
            lab: "81",
            connections: &[("client", 7), ("proxy", 9), ("posts", 1), ("reports", 1)],
            stack: ("proxy", "203.0.113.10"),
            again: Some(&[]),
            unharmed_kernel: Some(("client", "198.51.100.25")),
        },
        through,
    );
}

#[test]
fn lab_82_holds_through_every_door() {
    let through = |seen: &Seen<'_>| {
        let sent_by_curl = |packet: &&Packet| packet.field("http.user_agent").starts_with("curl/");
        let asked = |node: &str| seen.at(node).iter().filter(sent_by_curl).count();
        assert_eq!((asked("client"), asked("posts")), (12, 6), "{}: half of Alice's pass", seen.door);
    };
    hold(
        &Expected {
            lab: "82",
            connections: &[("client", 3), ("bob", 1), ("edge", 5), ("gateway", 2), ("posts", 1)],
            stack: ("gateway", "10.0.3.1"),
            again: Some(&[]),
            unharmed_kernel: Some(("client", "198.51.100.25")),
        },
        through,
    );
}

#[test]
fn lab_91_holds_through_every_door() {
    let through = |seen: &Seen<'_>| {
        let sent_by_curl = |packet: &&Packet| packet.field("http.user_agent").starts_with("curl/");
        let count = |node: &str| seen.at(node).iter().filter(sent_by_curl).count();
        assert_eq!((count("client"), count("server")), (4, 4), "{}: two tries, a list and a mistake", seen.door);
    };
    hold(
        &Expected {
            lab: "91",
            connections: &[("client", 4), ("server", 4)],
            stack: ("server", "10.0.0.2"),
            again: None,
            unharmed_kernel: None,
        },
        through,
    );
}

#[test]
fn lab_94_holds_through_every_door() {
    let through = |seen: &Seen<'_>| {
        let sent_by_curl = |packet: &&Packet| packet.field("http.user_agent").starts_with("curl/");
        let asked = seen.at("stream").iter().filter(sent_by_curl).count();
        assert_eq!(asked, 2, "{}: the event streams are read by curl", seen.door);
    };
    hold(
        &Expected {
            lab: "94",
            connections: &[("stream", 2), ("poll", 1), ("wait", 1), ("socket", 1), ("proxy", 4), ("server", 5)],
            stack: ("proxy", "10.0.4.1"),
            again: Some(&[]),
            unharmed_kernel: Some(("stream", "10.0.0.1")),
        },
        through,
    );
}

#[test]
fn lab_99_holds_through_every_door() {
    let through = |seen: &Seen<'_>| {
        let by_curl = |packet: &&Packet| packet.field("http.user_agent").starts_with("curl/");
        let asked = seen.at("balancer").iter().filter(by_curl).count();
        assert_eq!(asked, 8, "{}: four requests of curl, in front and behind", seen.door);
        let by_dig = |packet: &&Packet| !packet.field("dns.opt.cookie.client").is_empty();
        assert!(seen.at("client").iter().any(|packet| by_dig(&packet)), "{}: dig asks for the name", seen.door);
    };
    hold(
        &Expected {
            lab: "99",
            connections: &[("client", 4), ("balancer", 11), ("db", 1), ("stock", 2)],
            stack: ("balancer", "203.0.113.10"),
            again: Some(&[]),
            unharmed_kernel: None,
        },
        through,
    );
}

/// Runs the lab through each door and looks at what is left; `further` has a look of its own.
fn hold(expected: &Expected, further: impl Fn(&Seen<'_>)) {
    hold_through(&DOORS, expected, further);
}

/// As [`hold`], through these doors: a lab with a switch has Ethernet, which TUN does not carry.
fn hold_through(doors: &[&'static str], expected: &Expected, further: impl Fn(&Seen<'_>)) {
    let name = format!("lab {} live", expected.lab);
    if !Uid::effective().is_root() {
        return skip(&name, "only root can open every door everywhere");
    }
    if !has(&name, "tshark") || !has(&name, "curl") {
        return;
    }
    for door in doors.iter().copied() {
        let ran = run(expected.lab, door);
        passed(door, &ran);
        let mut captures = BTreeMap::new();
        for (node, _) in expected.connections.iter().copied() {
            let file = ran.file(&format!("{node}.pcapng"));
            assert_eq!(wireshark::complaints(&file), "", "{door}: {}", file.display());
            captures.insert(node, flags::packets(&file, &ASKED));
        }
        let seen = Seen { ran: &ran, door, captures };
        for (node, connections) in expected.connections.iter().copied() {
            one_syn_each(&seen, node, connections);
            medium_of_the_door(&seen, node);
        }
        sent_again(&seen, expected);
        further(&seen);
    }
}

/// One live run, alone; everything that it started or made is gone afterwards.
fn run(lab: &str, door: &str) -> Ran {
    let _turn = live::turn();
    let before = interfaces();
    let mut started = BTreeMap::new();
    let ran = Ran::watched(lab, &["--mode", "live", "--door", door], |process| started.extend(descendants(process)));
    assert!(!started.is_empty(), "{lab} through {door}: no holder was seen");
    // No bound on how fast the kernel takes a namespace apart, only on whether it does.
    let deadline = Instant::now() + Duration::from_secs(60);
    while let Some((process, _)) = started.iter().find(|(process, start)| started_at(**process) == Some(**start)) {
        assert!(Instant::now() < deadline, "{lab} through {door}: process {process} is left of {started:?}");
        thread::sleep(Duration::from_millis(20));
    }
    assert_eq!(interfaces(), before, "{lab} through {door}: the host's own interfaces");
    ran
}

fn interfaces() -> BTreeSet<String> {
    let entries = fs::read_dir("/sys/class/net").expect("Linux has it").flatten();
    entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect()
}

/// The processes below `process`, each with the time it was started at.
fn descendants(process: u32) -> BTreeMap<u32, u64> {
    let all: Vec<(u32, u32, u64)> = fs::read_dir("/proc")
        .expect("Linux has it")
        .flatten()
        .filter_map(|entry| {
            let process = entry.file_name().to_str()?.parse().ok()?;
            let (parent, start) = stat(process)?;
            Some((process, parent, start))
        })
        .collect();
    let mut found = BTreeMap::new();
    let mut parents = vec![process];
    while let Some(parent) = parents.pop() {
        for (child, _, start) in all.iter().filter(|(_, its_parent, _)| *its_parent == parent) {
            found.insert(*child, *start);
            parents.push(*child);
        }
    }
    found
}

fn started_at(process: u32) -> Option<u64> {
    stat(process).map(|(_, start)| start)
}

/// Its parent and when it was started, in clock ticks since the machine was; fields 4 and 22 of proc_pid_stat(5).
fn stat(process: u32) -> Option<(u32, u64)> {
    let text = fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
    // The program's name may have spaces and parentheses of its own.
    let fields: Vec<&str> = text.rsplit_once(')')?.1.split_whitespace().collect();
    Some((fields.get(1)?.parse().ok()?, fields.get(19)?.parse().ok()?))
}

fn passed(door: &str, ran: &Ran) {
    let report = &ran.report;
    let verdicts = report["verdicts"].as_array().expect("a report has verdicts");
    let not_passed: Vec<&Value> = verdicts.iter().filter(|verdict| verdict["outcome"] != "pass").collect();
    // What happened will not happen again: all of it has to be told.
    let told =
        || format!("{door}: {not_passed:#?}\n{:#}\n{}", report["failures"], dump::text(&ran.file("client.pcapng")));
    assert!(not_passed.is_empty() && verdicts.len() > 5, "{}", told());
    assert_eq!((&report["passed"], &report["failures"]), (&true.into(), &Value::Array(Vec::new())), "{}", told());
    assert_eq!((&report["mode"], &report["door"], &report["note"]), (&"live".into(), &door.into(), &Value::Null));
}

/// Each connection begins with one SYN, and is one of `connections`.
fn one_syn_each(seen: &Seen<'_>, node: &str, connections: usize) {
    const SYN: &str = "0x0002";
    let streams = |packet: &Packet| Some(packet.field("tcp.stream").to_owned()).filter(|stream| !stream.is_empty());
    let all: BTreeSet<String> = seen.at(node).iter().filter_map(streams).collect();
    let opened = seen.at(node).iter().filter(|packet| packet.field("tcp.flags") == SYN);
    let mut opened: Vec<String> = opened.filter_map(streams).collect();
    opened.sort();
    assert!(opened.iter().eq(&all), "{}: {node}: SYNs without ACK in {opened:?} of {all:?}", seen.door);
    assert_eq!(all.len(), connections, "{}: {node}", seen.door);
}

/// Bare IP packets behind a TUN door; Ethernet, with the address resolution that it needs, behind the others.
fn medium_of_the_door(seen: &Seen<'_>, node: &str) {
    let file = seen.ran.file(&format!("{node}.pcapng"));
    let is_ethernet = wireshark::judge("capinfos", &["-M", "-E"], &file).contains("ether");
    let arp: BTreeSet<&str> = seen.at(node).iter().map(|packet| packet.field("arp.opcode")).collect();
    let resolves = arp.contains("1") && arp.contains("2");
    if seen.door == "tun" {
        assert!(!is_ethernet && !resolves, "{}: {node}: {arp:?}", seen.door);
    } else {
        assert!(is_ethernet && resolves, "{}: {node}: {arp:?}", seen.door);
    }
}

/// In the sender's own file: what the stack says it has sent again is what tshark sees sent again, and nothing else.
fn sent_again(seen: &Seen<'_>, expected: &Expected) {
    let (node, address) = expected.stack;
    let told = flags::reasons(seen.ran, node);
    let wrong = flags::disagreements(&told, seen.at(node), address);
    let context = format!("lab {} through {}", expected.lab, seen.door);
    assert!(wrong.is_empty(), "{context}: {}", wrong.join("\n"));
    match expected.again {
        Some(reasons) => assert!(told.values().eq(reasons), "{context}: expected {reasons:?}; told {told:?}"),
        None => assert!(!told.is_empty(), "{context}"),
    }
    if let Some((node, address)) = expected.unharmed_kernel {
        only_the_impatient(seen, node, address);
    }
}

/// On a busy machine an answer may take longer than a kernel waits for it: two round trips (RFC 8985 §7.2), each at least
/// the 40 ms of the link. What comes again sooner than that is a fault of ours.
fn only_the_impatient(seen: &Seen<'_>, node: &str, address: &str) {
    const PATIENCE_SECONDS: f64 = 0.080;
    for packet in seen.at(node).iter().filter(|packet| packet.is_from(address) && !packet.flags.is_empty()) {
        let waited: Option<f64> = packet.field("tcp.analysis.rto").parse().ok();
        let is_impatient = waited.is_some_and(|waited| waited >= PATIENCE_SECONDS);
        assert!(is_impatient, "{}: {node}: packet id {}: {:?} after {waited:?} s", seen.door, packet.id, packet.flags);
    }
}

#[test]
fn lab_62_holds_through_every_door() {
    // tshark reads the requests inside of TLS, too: the captures have the secrets.
    let through = |seen: &Seen<'_>| {
        let sent_by_curl = |packet: &&Packet| packet.field("http.user_agent").starts_with("curl/");
        for node in ["client", "server"] {
            assert_eq!(seen.at(node).iter().filter(sent_by_curl).count(), 3, "{}: {node}", seen.door);
        }
    };
    hold(
        &Expected {
            lab: "62",
            connections: &[("client", 3), ("server", 3)],
            stack: ("server", "10.0.0.2"),
            again: Some(&[]),
            unharmed_kernel: Some(("client", "10.0.0.1")),
        },
        through,
    );
}

#[test]
fn lab_63_holds_through_every_door() {
    let through = |seen: &Seen<'_>| {
        let count = |code: &str| {
            let answers = seen.at("client").iter().map(|packet| packet.field("http.response.code"));
            answers.filter(|answer| *answer == code).count()
        };
        assert_eq!((count("401"), count("403")), (3, 3), "{}: one of them over TLS", seen.door);
    };
    hold(
        &Expected {
            lab: "63",
            connections: &[("client", 12), ("server", 12)],
            stack: ("server", "10.0.0.2"),
            again: Some(&[]),
            unharmed_kernel: Some(("client", "10.0.0.1")),
        },
        through,
    );
}

#[test]
fn lab_70_holds_through_every_door() {
    // tshark reads the request inside of TLS, too: the captures have the secrets.
    let through = |seen: &Seen<'_>| {
        let sent_by_curl = |packet: &&Packet| packet.field("http.user_agent").starts_with("curl/");
        assert_eq!(seen.at("client").iter().filter(sent_by_curl).count(), 12, "{}: two, and twice five", seen.door);
        let names = seen.at("client").iter().filter(|packet| packet.field("dns.qry.name") == "api.example.com");
        assert!(names.count() >= 10, "{}: a question and an answer for each step", seen.door);
    };
    hold(
        &Expected {
            lab: "70",
            connections: &[("client", 10), ("server", 10)],
            stack: ("server", "203.0.113.10"),
            again: Some(&[]),
            unharmed_kernel: Some(("client", "10.0.0.1")),
        },
        through,
    );
}

#[test]
fn lab_71_holds_through_every_door() {
    let through = |seen: &Seen<'_>| {
        let sent_by_curl = |packet: &&Packet| packet.field("http.user_agent").starts_with("curl/");
        let asked = seen.at("client").iter().filter(sent_by_curl).count();
        assert_eq!(asked, 1, "{}: the mistake is curl's", seen.door);
    };
    hold(
        &Expected {
            lab: "71",
            connections: &[("client", 4), ("app", 6), ("db", 2)],
            stack: ("app", "10.0.1.1"),
            again: Some(&[]),
            unharmed_kernel: Some(("client", "10.0.0.1")),
        },
        through,
    );
}

#[test]
fn lab_93_holds_through_every_door() {
    if !has("lab 93 live", "mosquitto_pub") || !has("lab 93 live", "mosquitto_sub") {
        return;
    }
    let through = |seen: &Seen<'_>| {
        let by_curl = |packet: &&Packet| packet.field("http.user_agent").starts_with("curl/");
        assert_eq!(seen.at("users").iter().filter(by_curl).count(), 4, "{}: a job and three questions", seen.door);
        // A segment may hold a SUBACK and the event behind it.
        let event = |packet: &&Packet| packet.field("mqtt.msgtype").split(',').any(|kind| kind == "3");
        let sent = |node: &str| seen.at(node).iter().filter(event).count();
        assert_eq!((sent("users"), sent("late"), sent("email")), (1, 1, 2), "{}: tshark reads the event", seen.door);
    };
    hold(
        &Expected {
            lab: "93",
            connections: &[("users", 5), ("late", 1), ("email", 2)],
            stack: ("email", "10.0.2.1"),
            again: Some(&[]),
            unharmed_kernel: Some(("late", "10.0.5.1")),
        },
        through,
    );
}

#[test]
fn lab_72_holds_through_every_door() {
    let through = |seen: &Seen<'_>| {
        let sent_by_curl = |packet: &&Packet| packet.field("http.user_agent").starts_with("curl/");
        let asked = seen.at("poller").iter().filter(sent_by_curl).count();
        assert_eq!(asked, 8, "{}: the poller is curl", seen.door);
    };
    hold(
        &Expected {
            lab: "72",
            connections: &[("client", 1), ("alice", 1), ("poller", 8), ("server", 10)],
            stack: ("server", "10.0.4.2"),
            again: Some(&[]),
            unharmed_kernel: Some(("client", "10.0.0.1")),
        },
        through,
    );
}

#[test]
fn lab_83_holds_through_every_door() {
    let through = |seen: &Seen<'_>| {
        let sent_by_curl = |packet: &&Packet| packet.field("http.user_agent").starts_with("curl/");
        assert_eq!(seen.at("client").iter().filter(sent_by_curl).count(), 1, "{}: the one that asks alone", seen.door);
        let answered = |packet: &&Packet| packet.field("http.response.code") == "200";
        assert_eq!(seen.at("server").iter().filter(answered).count(), 33, "{}", seen.door);
    };
    hold(
        &Expected {
            lab: "83",
            connections: &[("client", 33), ("server", 33)],
            stack: ("server", "10.0.0.2"),
            again: Some(&[]),
            unharmed_kernel: Some(("client", "10.0.0.1")),
        },
        through,
    );
}

#[test]
fn lab_84_holds_through_both_doors_for_ethernet() {
    let through = |seen: &Seen<'_>| {
        let sent_by_curl = |packet: &&Packet| packet.field("http.user_agent").starts_with("curl/");
        assert_eq!(seen.at("client").iter().filter(sent_by_curl).count(), 3, "{}: one at each moment", seen.door);
        let answered = |packet: &&Packet| packet.field("http.response.code") == "200";
        assert_eq!(seen.at("client").iter().filter(answered).count(), 147, "{}: the load's besides", seen.door);
    };
    hold_through(
        &["tap", "veth"],
        &Expected {
            lab: "84",
            connections: &[("client", 9), ("app", 3)],
            stack: ("app", "10.0.0.2"),
            again: Some(&[]),
            unharmed_kernel: Some(("client", "10.0.0.1")),
        },
        through,
    );
}

#[test]
fn lab_90_holds_through_every_door() {
    let through = |seen: &Seen<'_>| {
        let sent_by_curl = |packet: &&Packet| packet.field("http.user_agent").starts_with("curl/");
        let asked = seen.at("client").iter().filter(sent_by_curl).count();
        assert_eq!(asked, 5, "{}: one without a timeout, and four tries of another", seen.door);
    };
    hold(
        &Expected {
            lab: "90",
            connections: &[("client", 59), ("front", 6), ("middle", 6), ("server", 59)],
            stack: ("server", "10.0.3.2"),
            again: Some(&[]),
            unharmed_kernel: Some(("client", "10.0.0.1")),
        },
        through,
    );
}

#[test]
fn lab_92_holds_through_every_door() {
    let through = |seen: &Seen<'_>| {
        let sent_by_curl = |packet: &&Packet| packet.field("http.user_agent").starts_with("curl/");
        assert_eq!(seen.at("client").iter().filter(sent_by_curl).count(), 1, "{}: the last that buys", seen.door);
        let refused = |packet: &&Packet| packet.field("http.response.code") == "503";
        let refused = seen.at("client").iter().filter(refused).count();
        assert_eq!(refused, 21, "{}: tshark reads who was refused", seen.door);
    };
    hold(
        &Expected {
            lab: "92",
            connections: &[("client", 40), ("reader", 7), ("shop", 66), ("payment", 19)],
            stack: ("shop", "10.0.2.1"),
            again: Some(&[]),
            unharmed_kernel: Some(("client", "10.0.0.1")),
        },
        through,
    );
}
