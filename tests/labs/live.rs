//! The labs against the real kernel, through each of the three doors, judged by themselves and by tshark.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use nix::unistd::Uid;
use serde_json::Value;

use super::super::support::wireshark::{complaints, fields_where, judge};
use super::super::support::{has, live, skip};
use super::Ran;

const DOORS: [&str; 3] = ["tun", "tap", "veth"];

/// What a lab's captures must hold.
struct Expected {
    lab: &'static str,
    /// TCP connections.
    connections: usize,
    /// The node that is a userspace stack, and its address: it says why it sends what it sends.
    stack: (&'static str, &'static str),
    /// The reasons of everything that the stack sends again; `None` when chance decides how often.
    again: Option<&'static [&'static str]>,
    /// The other node and its address, when all that it sends arrives: then it has nothing to send again.
    unharmed_kernel: Option<(&'static str, &'static str)>,
}

/// By the reason that the stack gives for sending again, the flags that tshark may set; the first it must set.
const ALLOWED_FLAGS: [(&str, &[&str]); 3] = [
    ("retransmit-by-timer", &["tcp.analysis.retransmission"]),
    ("retransmit-after-timer", &["tcp.analysis.retransmission"]),
    ("retransmit-by-duplicate-acks", &["tcp.analysis.retransmission", "tcp.analysis.fast_retransmission"]),
];

/// Everything by which tshark says that octets came again, or in another order than they were sent in.
const FLAGS: [&str; 4] = [
    "tcp.analysis.retransmission",
    "tcp.analysis.fast_retransmission",
    "tcp.analysis.spurious_retransmission",
    "tcp.analysis.out_of_order",
];

#[test]
fn lab_10_holds_through_every_door() {
    let through = |door: &str, ran: &Ran| {
        for node in ["client", "server"] {
            let file = ran.file(&format!("{node}.pcapng"));
            let agents = fields_where("http.user_agent", &["http.user_agent"], &file);
            assert!(matches!(agents.as_slice(), [only] if only.starts_with("curl/")), "{door}: {node}: {agents:?}");
        }
    };
    hold(
        &Expected {
            lab: "10",
            connections: 3,
            stack: ("server", "10.0.0.2"),
            again: Some(&[]),
            unharmed_kernel: Some(("client", "10.0.0.1")),
        },
        through,
    );
}

#[test]
fn lab_14_holds_through_every_door() {
    let through = |door: &str, ran: &Ran| {
        let (sent, arrived) = ("client.pcapng", "server.pcapng");
        let count =
            |file: &str| fields_where("udp && !icmp && ip.src == 10.0.0.1", &["udp.length"], &ran.file(file)).len();
        assert_eq!(count(sent), 50, "{door}: datagrams are sent once");
        assert!((25..50).contains(&count(arrived)), "{door}: {} datagrams arrived", count(arrived));
    };
    hold(
        &Expected { lab: "14", connections: 1, stack: ("client", "10.0.0.1"), again: None, unharmed_kernel: None },
        through,
    );
}

#[test]
fn lab_20_holds_through_every_door() {
    hold(
        &Expected {
            lab: "20",
            connections: 1,
            stack: ("client", "10.0.0.1"),
            again: Some(&["retransmit-by-timer"]),
            unharmed_kernel: Some(("server", "10.0.0.2")),
        },
        |_, _| (),
    );
}

/// Runs the lab through each door and looks at what is left; `further` has a look of its own.
fn hold(expected: &Expected, further: impl Fn(&str, &Ran)) {
    let name = format!("lab {} live", expected.lab);
    if !Uid::effective().is_root() {
        return skip(&name, "only root can open every door everywhere");
    }
    if !has(&name, "tshark") || !has(&name, "curl") {
        return;
    }
    for door in DOORS {
        let ran = run(expected.lab, door);
        passed(door, &ran.report);
        for node in ["client", "server"] {
            let file = ran.file(&format!("{node}.pcapng"));
            assert_eq!(complaints(&file), "", "{door}: {}", file.display());
            one_syn_each(door, &file, expected.connections);
            medium_of(door, &file);
        }
        sent_again(door, &ran, expected);
        further(door, &ran);
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

fn passed(door: &str, report: &Value) {
    let verdicts = report["verdicts"].as_array().expect("a report has verdicts");
    let not_passed: Vec<&Value> = verdicts.iter().filter(|verdict| verdict["outcome"] != "pass").collect();
    assert!(not_passed.is_empty() && verdicts.len() > 5, "{door}: {not_passed:#?}");
    assert_eq!((&report["mode"], &report["door"], &report["note"]), (&"live".into(), &door.into(), &Value::Null));
    assert_eq!((&report["passed"], &report["failures"]), (&true.into(), &Value::Array(Vec::new())), "{door}");
}

/// Each connection begins with one SYN, and is one of `connections`.
fn one_syn_each(door: &str, file: &Path, connections: usize) {
    let mut streams = fields_where("tcp", &["tcp.stream"], file);
    streams.sort();
    streams.dedup();
    let mut opened = fields_where("tcp.flags.syn == 1 && tcp.flags.ack == 0", &["tcp.stream"], file);
    opened.sort();
    assert_eq!(opened, streams, "{door}: {}: SYNs without ACK by connection", file.display());
    assert_eq!(streams.len(), connections, "{door}: {}", file.display());
}

/// Bare IP packets behind a TUN door; Ethernet, with the address resolution that it needs, behind the others.
fn medium_of(door: &str, file: &Path) {
    let arp = fields_where("arp", &["arp.opcode"], file);
    let is_ethernet = judge("capinfos", &["-M", "-E"], file).contains("ether");
    if door == "tun" {
        assert!(!is_ethernet && arp.is_empty(), "{}: {arp:?}", file.display());
    } else {
        let has = |opcode: &str| arp.iter().any(|found| found == opcode);
        assert!(is_ethernet && has("1") && has("2"), "{door}: {}: {arp:?}", file.display());
    }
}

/// In the sender's own file: what the stack says it has sent again is what tshark sees sent again, and nothing else.
fn sent_again(door: &str, ran: &Ran, expected: &Expected) {
    let (node, address) = expected.stack;
    let told = reasons(ran, node);
    let found = flagged(ran, node, address);
    let context = format!("lab {} through {door}: told {told:?}, found {found:?}", expected.lab);
    assert_eq!(told.keys().collect::<Vec<_>>(), found.keys().collect::<Vec<_>>(), "{context}");
    for (packet, reason) in &told {
        let allowed = ALLOWED_FLAGS.iter().find(|(known, _)| known == reason).map(|(_, flags)| *flags);
        let allowed = allowed.unwrap_or_else(|| panic!("{reason} is not in the table; {context}"));
        let flags = &found[packet];
        assert!(flags.contains(&allowed[0]) && flags.iter().all(|flag| allowed.contains(flag)), "{context}");
    }
    match expected.again {
        Some(reasons) => assert_eq!(told.values().collect::<Vec<_>>(), reasons.iter().collect::<Vec<_>>(), "{context}"),
        None => assert!(!told.is_empty(), "{context}"),
    }
    if let Some((node, address)) = expected.unharmed_kernel {
        assert_eq!(flagged(ran, node, address), BTreeMap::new(), "lab {} through {door}: {node}", expected.lab);
    }
}

/// By packet id, the reason of everything that the stack of `node` says it has sent again.
fn reasons(ran: &Ran, node: &str) -> BTreeMap<u64, String> {
    let journal = fs::read_to_string(ran.file("journal.jsonl")).expect("a run has a journal");
    let lines = journal.lines().map(|line| serde_json::from_str::<Value>(line).expect("each line is JSON"));
    lines
        .filter(|line| line["node_name"] == node && line["kind"] == "packet-sent")
        .filter_map(|line| Some((line["packet"].as_u64()?, line["why"]["reason"].as_str()?.to_owned())))
        .filter(|(_, reason)| reason.starts_with("retransmit-"))
        .collect()
}

/// By packet id, the flags of what tshark finds sent again by `address`, in the capture of `node`.
fn flagged(ran: &Ran, node: &str, address: &str) -> BTreeMap<u64, Vec<&'static str>> {
    let filter = format!("ip.src == {address} && ({})", FLAGS.join(" || "));
    let lines =
        fields_where(&filter, &[&["frame.packet_id"], &FLAGS[..]].concat(), &ran.file(&format!("{node}.pcapng")));
    let of_line = |line: &String| {
        let mut columns = line.split('\t');
        let packet = columns.next().and_then(|id| id.parse().ok()).expect("each packet has an id");
        let flags = FLAGS.into_iter().zip(columns).filter(|(_, set)| !set.is_empty()).map(|(flag, _)| flag).collect();
        (packet, flags)
    };
    lines.iter().map(of_line).collect()
}
