//! What the capture files are: the old format holds bare packets, for tools that want it; the new one says whose they are.

use std::fs;

use super::super::support::wireshark::{complaints, fields, judge};
use super::super::support::{Folder, has, wireglass};
use super::goldens::captures;
use super::{Ran, id_of, labs, root};

#[test]
fn pcap_files_hold_the_same_packets_to_the_nanosecond() {
    if !has("pcap_files_hold_the_same_packets_to_the_nanosecond", "tshark") {
        return;
    }
    const FIELDS: [&str; 4] = ["frame.number", "frame.time_epoch", "frame.len", "ip.checksum"];
    let mut finer = 0;
    for lab in labs().iter().map(|folder| id_of(folder)) {
        let new = Ran::of(&lab, &["--mode", "sim"]);
        let old = Ran::of(&lab, &["--mode", "sim", "--format", "pcap"]);
        assert_eq!(old.code, Some(0), "{lab}: {:#}", old.report);
        let captures = captures(new.folder.path());
        assert!(captures.len() >= 2, "{lab}: {captures:?}");
        for node in captures.iter().filter_map(|name| name.strip_suffix(".pcapng")) {
            let (new, old) = (new.file(&format!("{node}.pcapng")), old.file(&format!("{node}.pcap")));
            let packets = fields(&FIELDS, &old);
            assert_eq!(packets, fields(&FIELDS, &new), "{lab}: {node}");
            finer += packets.iter().filter(|line| !line.contains("000\t")).count();
            assert_eq!(complaints(&old), "", "{lab}: {node}");
            let told = judge("capinfos", &["-M"], &old);
            let has = |start: &str, end: &str| told.lines().any(|line| line.starts_with(start) && line.ends_with(end));
            assert!(has("File timestamp precision:", "nanoseconds (9)"), "{told}");
            assert!(has("Number of packets:", &format!(" {}", packets.len())), "{told}");
        }
    }
    // Where no link has a rate, all delays are whole milliseconds.
    assert!(finer > 100, "only {finer} times are finer than a microsecond");
}

#[test]
fn the_report_and_every_capture_name_the_stack_that_was_run() {
    for (arguments, stack) in
        [(&["--mode", "sim"][..], "native"), (&["--mode", "sim", "--stack", "smoltcp"], "smoltcp")]
    {
        let ran = Ran::of("20", arguments);
        assert_eq!(ran.report["stack"], stack);
        let capture = fs::read(ran.file("client.pcapng")).expect("the run made it");
        let comment = format!("sim, {stack} stack, seed 20");
        assert!(capture.windows(comment.len()).any(|window| window == comment.as_bytes()), "{comment}");
    }
}

#[test]
fn a_lab_says_so_when_it_is_not_about_the_stack_that_it_runs_on() {
    const NOTE: &str = "note: this lab is about native: on smoltcp its checks may fail";
    for (lab, stack, says_so) in [("21", "smoltcp", true), ("21", "native", false), ("20", "smoltcp", false)] {
        let folder = Folder::new();
        let mut command = wireglass(root(), &["run", lab, "--mode", "sim", "--stack", stack, "--out"]);
        let output = command.arg(folder.path()).output().expect("the binary starts");
        assert_eq!(String::from_utf8_lossy(&output.stdout).contains(NOTE), says_so, "{lab} on {stack}");
    }
}
