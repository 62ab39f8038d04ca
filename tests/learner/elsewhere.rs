//! Captures that were made elsewhere, held against a lab's claims.

use std::fs;
use std::net::Ipv4Addr;
use std::path::Path;

use serde_json::Value;
use wireglass::capture::{LinkType, Reader};

use super::{argument, call, folder};

/// A golden capture as another tool would have it: a plain pcap with Ethernet headers, other addresses, no remarks.
fn foreign(node: &str, to: &Path) {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let golden = root.join(format!("captures/10-three-way-handshake/{node}.pcapng"));
    let mut file = Vec::new();
    for word in [0xa1b2_3c4d_u32, 0x0004_0002, 0, 0, 65_535, 1] {
        file.extend(word.to_le_bytes());
    }
    for record in Reader::open(&golden).expect("it is there").map(|record| record.expect("it is whole")) {
        assert_ne!(record.link_type, LinkType::Ethernet, "the goldens have none");
        let mut packet = record.bytes.to_vec();
        for at in [12, 16] {
            // 10.0.0.x becomes 192.168.7.x; both checksums follow by the difference (RFC 1624).
            let old = [packet[at], packet[at + 1], packet[at + 2], packet[at + 3]];
            let new = Ipv4Addr::new(192, 168, 7, old[3]).octets();
            packet[at..at + 4].copy_from_slice(&new);
            for place in [10, 36] {
                update(&mut packet, place, old, new);
            }
        }
        let frame = [&[2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1, 8, 0][..], &packet].concat();
        let length = u32::try_from(frame.len()).expect("a short frame");
        let (seconds, nanos) = (record.at_ns / 1_000_000_000, record.at_ns % 1_000_000_000);
        for word in [u32::try_from(seconds).expect("before 2106"), u32::try_from(nanos).expect("it is"), length, length]
        {
            file.extend(word.to_le_bytes());
        }
        file.extend(frame);
    }
    fs::write(to, file).expect("the folder is ours");
}

fn update(packet: &mut [u8], place: usize, old: [u8; 4], new: [u8; 4]) {
    let word = |bytes: &[u8]| u32::from(u16::from_be_bytes([bytes[0], bytes[1]]));
    let mut sum = u32::from(!u16::from_be_bytes([packet[place], packet[place + 1]]));
    for at in [0, 2] {
        sum += (0xffff - word(&old[at..])) + word(&new[at..]);
    }
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    let checksum = !u16::try_from(sum).expect("it was folded");
    packet[place..place + 2].copy_from_slice(&checksum.to_be_bytes());
}

fn outcomes(report: &Value, outcome: &str) -> Vec<String> {
    let verdicts = report["verdicts"].as_array().into_iter().flatten();
    let with = verdicts.filter(|verdict| verdict["outcome"] == outcome);
    with.map(|verdict| verdict["id"].as_str().unwrap_or_default().to_owned()).collect()
}

fn judged(folder: &Path, arguments: &[&str]) -> (Option<i32>, Value) {
    let (code, out, err) = call(folder, &[&["check", "10", "--json"], arguments].concat());
    (code, serde_json::from_str(&out).unwrap_or_else(|error| panic!("{error}: {out}{err}")))
}

#[test]
fn a_foreign_capture_is_placed_by_who_speaks_first_and_by_the_handshakes_times() {
    let folder = folder();
    for (node, file) in [("client", "a.pcap"), ("server", "b.pcap")] {
        foreign(node, &folder.path().join(file));
        let (code, report) = judged(folder.path(), &["--capture", file]);
        assert_eq!(code, Some(0), "{report:#}");
        assert_eq!(report["captures"][0]["node"], node);
        assert_eq!(report["captures"][0]["why"], "by the times of the first handshake");
        assert_eq!(report["nodes"][0], serde_json::json!(["client", ["192.168.7.1"]]));
        assert_eq!(report["nodes"][1], serde_json::json!(["server", ["192.168.7.2"]]));
    }
    let (_, report) = judged(folder.path(), &["--capture", "a.pcap"]);
    assert_eq!(outcomes(&report, "fail"), [""; 0]);
    let passed = outcomes(&report, "pass");
    for id in ["checksums-good", "one-syn-each", "mss-is-mtu-less-40", "client-says-fin"] {
        assert!(passed.contains(&id.to_owned()), "{id}: {passed:?}");
    }
    // What a program has hashed is not on the wire, and the third packet is looked for at the server.
    let unknown = outcomes(&report, "unknown");
    for id in ["there-unharmed", "states-as-the-rfc-has-them", "third-is-a-bare-ack"] {
        assert!(unknown.contains(&id.to_owned()), "{id}: {unknown:?}");
    }
    let filter = report["verdicts"].to_string();
    assert!(filter.contains("ip.src == 192.168.7.1") && !filter.contains("10.0.0.1"), "filters can be pasted");
}

#[test]
fn both_ends_together_judge_more() {
    let folder = folder();
    foreign("client", &folder.path().join("a.pcap"));
    foreign("server", &folder.path().join("b.pcap"));
    let (_, one) = judged(folder.path(), &["--capture", "a.pcap"]);
    let (code, both) = judged(folder.path(), &["--capture", "client=a.pcap,server=b.pcap"]);
    assert_eq!(code, Some(0));
    assert!(outcomes(&both, "unknown").len() < outcomes(&one, "unknown").len(), "{both:#}");
    assert!(outcomes(&both, "pass").contains(&"third-is-a-bare-ack".to_owned()));
}

#[test]
fn what_the_caller_says_counts_before_any_guess_and_can_be_wrong() {
    let folder = folder();
    foreign("client", &folder.path().join("a.pcap"));
    let said =
        ["--capture", "a.pcap", "--at", "client", "--node", "client=192.168.7.2", "--node", "server=192.168.7.1"];
    let (_, report) = judged(folder.path(), &said);
    assert_eq!(report["captures"][0]["why"], "as you say");
    assert_eq!(report["nodes"][0], serde_json::json!(["client", ["192.168.7.2"]]));
}

#[test]
fn a_capture_of_another_lab_fails_and_exits_with_1() {
    let folder = folder();
    let other = Path::new(env!("CARGO_MANIFEST_DIR")).join("captures/20-rto-backoff/client.pcapng");
    let (code, report) = judged(folder.path(), &["--capture", argument(&other)]);
    assert_eq!(code, Some(1));
    assert!(outcomes(&report, "fail").contains(&"one-syn-each".to_owned()), "{report:#}");
}

#[test]
fn bad_files_and_bad_arguments_are_told_in_one_sentence() {
    let folder = folder();
    fs::write(folder.path().join("text"), "no capture at all").expect("the folder is ours");
    foreign("client", &folder.path().join("a.pcap"));
    for (arguments, code, sentence) in [
        (&["--capture", "missing.pcap"][..], 1, "missing.pcap cannot be read: No such file"),
        (&["--capture", "text"], 1, "no pcap or pcapng"),
        (&["--capture", "a.pcap", "--at", "nobody"], 1, "lab 10-three-way-handshake has no node `nobody`"),
        (&["--capture", "a.pcap", "--node", "client=x"], 1, "`x` is no IP address"),
        (&["--capture", "client=a.pcap,client=a.pcap"], 1, "two captures are taken for `client`'s"),
        (&["--capture", "a.pcap", "--node", "client"], 2, "write a node and its address"),
        (&["--capture", ","], 2, "--capture names a file"),
    ] {
        let (found, out, err) = call(folder.path(), &[&["check", "10"], arguments].concat());
        assert_eq!((found, out.as_str()), (Some(code), ""), "{arguments:?}: {err}");
        assert!(err.contains(sentence), "{arguments:?}: {err}");
    }
}

/// What stands between hosts is named in a capture, too, by the addresses of all its links.
#[test]
fn a_run_of_a_lab_with_routers_is_judged_from_its_own_files() {
    let folder = folder();
    for format in ["pcapng", "pcap"] {
        let (_, _, err) = call(folder.path(), &["run", "34", "--mode", "sim", "--no-predict", "--format", format]);
        assert_eq!(err, "");
        for node in ["client", "server"] {
            let file = format!("out/34-pmtud-black-hole/{node}.{format}");
            let (code, out, err) = call(folder.path(), &["check", "34", "--capture", &file]);
            assert_eq!((code, err.as_str()), (Some(0), ""), "{file}: {out}");
        }
    }
    let of_router = ["check", "34", "--capture", "out/34-pmtud-black-hole/client.pcap", "--node"];
    let routers: Vec<String> = fs::read_dir(folder.path().join("out/34-pmtud-black-hole"))
        .expect("it was written")
        .filter_map(|file| file.ok()?.file_name().into_string().ok()?.strip_suffix(".pcap").map(str::to_owned))
        .filter(|name| name != "client" && name != "server")
        .collect();
    for router in &routers {
        let said = format!("{router}=192.168.0.1");
        let (code, _, err) = call(folder.path(), &[&of_router[..], &[said.as_str()]].concat());
        assert_eq!(code, Some(1), "{err}");
        assert!(err.contains("passes packets on; say whose addresses the hosts have"), "{err}");
    }
    assert!(!routers.is_empty());
}

#[test]
fn a_capture_of_a_break_is_told_how_it_is_judged() {
    let folder = folder();
    call(folder.path(), &["run", "20", "--mode", "sim", "--no-predict", "--break", "three-in-a-row"]);
    let file = "out/20-rto-backoff/client.pcapng";
    let (code, out, _) = call(folder.path(), &["check", "20", "--capture", file]);
    assert!(code == Some(1) && out.contains("If it was captured under a break"), "{code:?} {out}");
}
