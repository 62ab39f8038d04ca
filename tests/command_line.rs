//! The program as its users meet it: exit codes, help, broken pipes, damaged captures, the doctor.

use std::fs;
use std::io::{BufRead, BufReader};
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Output, Stdio};

use super::support::{Folder, copy, printed, skip, wireglass};

/// Two Ethernet frames in the old format: an ARP request, and a TCP SYN from 10.0.0.1:40000 to 10.0.0.2:80.
fn capture() -> Vec<u8> {
    let mut file = Vec::new();
    for word in [0xa1b2_c3d4_u32, 0x0004_0002, 0, 0, 65_535, 1] {
        file.extend(word.to_le_bytes());
    }
    let arp = [
        &[0xff; 6][..],
        &[2, 0, 0, 0, 0, 1, 8, 6, 0, 1, 8, 0, 6, 4, 0, 1, 2, 0, 0, 0, 0, 1, 10, 0, 0, 1, 0, 0, 0, 0, 0, 0, 10, 0, 0, 2],
    ]
    .concat();
    let syn = [
        &[2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1, 8, 0][..],
        &[0x45, 0, 0, 40, 0, 1, 0x40, 0, 64, 6, 0x26, 0xcd, 10, 0, 0, 1, 10, 0, 0, 2],
        &[0x9c, 0x40, 0, 80, 0, 0, 3, 0xe8, 0, 0, 0, 0, 0x50, 2, 0xfa, 0xf0, 0, 0, 0, 0],
    ]
    .concat();
    for (micros, frame) in [(0_u32, &arp), (1_500, &syn)] {
        let length = u32::try_from(frame.len()).expect("a short frame");
        for word in [1_700_000_000, micros, length, length] {
            file.extend(word.to_le_bytes());
        }
        file.extend(frame);
    }
    file
}

fn call(folder: &Path, arguments: &[&str]) -> (Option<i32>, String, String) {
    let output = wireglass(folder, arguments).output().expect("the binary starts");
    let (out, err) = printed(&output);
    (output.status.code(), out, err)
}

#[test]
fn a_command_line_that_makes_no_sense_exits_with_2() {
    let folder = Folder::new();
    for arguments in [
        &["fly"][..],
        &["run"],
        &["run", "10", "--mode", "sim", "--door", "tun"],
        &["run", "10", "--seed", "x"],
        &["list", "--width", "0"],
    ] {
        let (code, out, err) = call(folder.path(), arguments);
        assert_eq!((code, out.as_str()), (Some(2), ""), "{arguments:?}: {err}");
        assert!(err.contains("error: "), "{arguments:?}: {err}");
    }
}

#[test]
fn help_is_no_failure_and_tells_the_exit_codes() {
    let folder = Folder::new();
    for arguments in [&["--help"][..], &["run", "--help"], &["show", "--help"], &["doctor", "--help"]] {
        let (code, out, _) = call(folder.path(), arguments);
        assert_eq!(code, Some(0), "{arguments:?}");
        assert!(out.contains("130  stopped by Ctrl-C") && out.contains("Examples:"), "{arguments:?}: {out}");
    }
}

#[test]
fn help_breaks_its_lines_only_where_the_width_ends() {
    let folder = Folder::new();
    for command in ["run", "list", "show", "drill", "doctor"] {
        let (_, out, err) = call(folder.path(), &[command, "--help"]);
        let lines: Vec<&str> = out.lines().collect();
        for pair in lines.windows(2) {
            let [line, next] = pair else { continue };
            let word = next.split(' ').next().unwrap_or_default();
            let has_room = line.len() + 1 + word.len() <= 100;
            // Indented lines are lists; a heading ends with a colon.
            let is_text = !line.is_empty() && !word.is_empty() && !line.starts_with(' ') && !line.ends_with(':');
            assert!(!(is_text && has_room), "{command}: broken too early: {line:?}, {next:?}{err}");
        }
    }
}

#[test]
fn a_capture_of_somebody_else_is_shown() {
    let folder = Folder::new();
    fs::write(folder.path().join("a.pcap"), capture()).expect("the folder is ours");
    let (code, out, err) = call(folder.path(), &["show", "a.pcap", "--layers"]);
    assert_eq!((code, err.as_str()), (Some(0), ""));
    assert!(out.contains("SYN") && out.contains("10.0.0.2") && out.contains("packet 2  0.001500"), "{out}");
}

#[test]
fn a_capture_as_json_has_every_packet() {
    let folder = Folder::new();
    fs::write(folder.path().join("a.pcap"), capture()).expect("the folder is ours");
    let (code, out, _) = call(folder.path(), &["show", "a.pcap", "--json"]);
    let document: serde_json::Value = serde_json::from_str(&out).expect("it is JSON");
    assert_eq!(code, Some(0));
    assert_eq!(document["packets"][1]["at"], 1_500_000);
    assert_eq!(document["problem"], serde_json::Value::Null);
}

#[test]
fn of_a_damaged_capture_the_readable_part_is_shown_and_the_damage_told() {
    let folder = Folder::new();
    let whole = capture();
    fs::write(folder.path().join("cut.pcap"), &whole[..whole.len() - 7]).expect("the folder is ours");
    let (code, out, err) = call(folder.path(), &["show", "cut.pcap"]);
    assert_eq!(code, Some(1));
    assert!(out.contains("ARP") && !out.contains("SYN"), "{out}");
    assert!(err.contains("cut.pcap: byte ") && err.contains("ends in the middle"), "{err}");
}

#[test]
fn what_is_no_capture_is_one_sentence_and_exits_with_1() {
    let folder = Folder::new();
    fs::write(folder.path().join("empty"), "").expect("the folder is ours");
    fs::write(folder.path().join("foreign"), "PK\u{3}\u{4} something else").expect("the folder is ours");
    for (file, sentence) in
        [("empty", "empty"), ("foreign", "no pcap or pcapng"), ("missing", "No such file"), (".", "Is a directory")]
    {
        let (code, out, err) = call(folder.path(), &["show", file]);
        assert_eq!((code, out.as_str()), (Some(1), ""), "{file}");
        assert!(err.contains(sentence) && err.lines().count() == 1, "{file}: {err}");
    }
}

#[test]
fn a_reader_that_has_seen_enough_is_no_failure() {
    let folder = Folder::new();
    // Far more than a pipe holds, so that the rest of it meets a closed one.
    let header = capture()[..24].to_vec();
    let packets = capture()[24..].repeat(20_000);
    fs::write(folder.path().join("long.pcap"), [header, packets].concat()).expect("the folder is ours");
    let mut child = wireglass(folder.path(), &["show", "long.pcap", "--json"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the binary starts");
    let mut line = String::new();
    BufReader::with_capacity(64, child.stdout.take().expect("it is piped")).read_line(&mut line).expect("it writes");
    let output = child.wait_with_output().expect("it ends");
    assert_eq!((output.status.code(), printed(&output).1.as_str()), (Some(0), ""));
}

/// The doctor's findings, and that each that costs something names what mends it.
fn examine(output: &Output) -> serde_json::Value {
    let (out, err) = printed(output);
    let examination: serde_json::Value =
        serde_json::from_str(&out).unwrap_or_else(|error| panic!("{error}: {out}{err}"));
    let findings = examination["findings"].as_array().expect("findings are a list");
    assert!(findings.len() > 8, "{examination}");
    for finding in findings {
        let mends = finding["remedy"].as_str().is_some_and(|remedy| !remedy.is_empty());
        assert!(mends == (finding["verdict"] == "costs"), "{finding}");
    }
    examination
}

#[test]
fn the_doctor_finds_that_labs_can_run() {
    let folder = Folder::new();
    let output = wireglass(folder.path(), &["doctor", "--json"]).output().expect("the binary starts");
    assert_eq!(examine(&output)["labs_can_run"], true);
    assert_eq!(output.status.code(), Some(0));
}

#[test]
fn the_doctor_serves_a_user_without_privileges() {
    const NOBODY: u32 = 65_534;
    if !nix::unistd::Uid::effective().is_root() {
        return skip("the_doctor_serves_a_user_without_privileges", "only root can become another user");
    }
    let folder = Folder::new();
    // The build folder may be closed to others.
    let binary = folder.path().join("wireglass");
    copy(Path::new(env!("CARGO_BIN_EXE_wireglass")), &binary);
    let output = std::process::Command::new(&binary)
        .args(["doctor", "--json"])
        .current_dir(folder.path())
        .uid(NOBODY)
        .gid(NOBODY)
        .output()
        .expect("the binary starts");
    let examination = examine(&output);
    let privilege = examination["findings"].as_array().into_iter().flatten().find(|f| f["subject"] == "privilege");
    assert!(privilege.is_some_and(|finding| finding["found"].to_string().contains("65534")), "{examination}");
    // The folder is root's, so there is no place for captures.
    assert_eq!((&examination["labs_can_run"], output.status.code()), (&serde_json::Value::Bool(false), Some(1)));
}
