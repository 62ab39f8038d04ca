//! `wireglass drill` as its users meet it.

use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::process::Stdio;

use crate::support::{Folder, printed, wireglass};

const PASSES: &str = "0 < S 0:0(0) win 1000\n+0 > R. 0:0(0) ack 1\n";
const FAILS: &str = "0 < S 0:0(0) win 1000\n+0 > R. 0:0(0) ack 2\n";
const UNSUPPORTED: &str = "0 `reboot`\n";
const UNREADABLE: &str = "0 < nonsense\n";

fn drill(folder: &Path, arguments: &[&str]) -> (Option<i32>, String) {
    let arguments: Vec<&str> = [&["drill"], arguments].concat();
    let output = wireglass(folder, &arguments).output().expect("the binary starts");
    let (out, err) = printed(&output);
    (output.status.code(), out + &err)
}

/// A folder with these scripts.
fn folder(scripts: &[(&str, &str)]) -> Folder {
    let folder = Folder::new();
    for (name, text) in scripts {
        let path = folder.path().join(name);
        fs::create_dir_all(path.parent().expect("it has one")).expect("a folder can be made");
        fs::write(path, text).expect("a script can be written");
    }
    folder
}

#[test]
fn the_exit_code_tells_the_worst_of_all_scripts() {
    let folder = folder(&[("p.pkt", PASSES), ("f.pkt", FAILS), ("u.pkt", UNSUPPORTED), ("x.pkt", UNREADABLE)]);
    for (scripts, code, said) in [
        (&["p.pkt"][..], 0, "1 of 1 passed"),
        (&["p.pkt", "f.pkt"], 1, "1 of 2 passed, 1 failed"),
        (&["u.pkt", "p.pkt"], 1, "1 unsupported (counted as not passed)"),
        (&["p.pkt", "x.pkt", "f.pkt"], 2, "x.pkt:1:5: expected "),
        (&["p.pkt", "absent.pkt"], 2, "absent.pkt cannot be read"),
        (&[], 2, "--help"),
    ] {
        let (got, text) = drill(folder.path(), scripts);
        assert_eq!(got, Some(code), "{scripts:?}: {text}");
        assert!(text.contains(said), "{scripts:?}: {text}");
    }
}

#[test]
fn what_is_no_script_is_told_apart() {
    let folder = folder(&[("p.pkt", PASSES), ("marked.pkt", &format!("\u{feff}{PASSES}"))]);
    fs::write(folder.path().join("latin.pkt"), b"// first\n// caf\xe9\n").expect("a script can be written");
    assert_eq!(drill(folder.path(), &["p.pkt", "--capture", "out"]).0, Some(0));
    for (script, code, said) in [
        ("marked.pkt", 0, "1 of 1 passed"),
        ("latin.pkt", 2, "latin.pkt:2: this is no text in UTF-8"),
        ("out/p.pcapng", 2, "`wireglass show out/p.pcapng` explains it"),
    ] {
        let (got, text) = drill(folder.path(), &[script]);
        assert!(got == Some(code) && text.contains(said), "{script}: {got:?}, {text}");
    }
}

#[test]
fn a_folder_is_searched_in_order_and_an_empty_one_is_said_to_be_empty() {
    let folder = folder(&[("b/2.pkt", PASSES), ("b/1.pkt", PASSES), ("a.pkt", PASSES), ("b/notes.txt", FAILS)]);
    let (code, text) = drill(folder.path(), &["."]);
    assert_eq!(code, Some(0), "{text}");
    let places: Vec<_> = ["a.pkt", "b/1.pkt", "b/2.pkt"].iter().map(|name| text.find(name)).collect();
    assert!(places.is_sorted() && places.iter().all(Option::is_some), "{text}");
    fs::create_dir(folder.path().join("empty")).expect("a folder can be made");
    let (code, text) = drill(folder.path(), &["empty"]);
    assert!(code == Some(2) && text.contains("there is no *.pkt below empty"), "{text}");
}

#[test]
fn a_script_may_come_from_the_standard_input() {
    let piped = |text: &str, arguments: &[&str]| {
        let folder = folder(&[("p.pkt", PASSES)]);
        let arguments: Vec<&str> = [&["drill"], arguments].concat();
        let mut child = wireglass(folder.path(), &arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the binary starts");
        child.stdin.take().expect("it is piped").write_all(text.as_bytes()).expect("it is read");
        let output = child.wait_with_output().expect("it ends");
        let (out, err) = printed(&output);
        let captured = folder.path().join("out/script.pcapng").exists();
        (output.status.code(), out + &err, captured)
    };
    for (script, arguments, code, said) in [
        (PASSES, &["-"][..], 0, "1 of 1 passed"),
        (PASSES, &["p.pkt", "-", "--capture", "out"], 0, "2 of 2 passed"),
        (FAILS, &["-"], 1, "standard input:2: failed"),
        (UNREADABLE, &["-"], 2, "standard input:1:5: expected "),
        ("", &["-"], 2, "standard input:1:1: expected "),
    ] {
        let (got, text, captured) = piped(script, arguments);
        assert_eq!((got, captured), (Some(code), arguments.contains(&"--capture")), "{script}: {text}");
        assert!(text.contains(said), "{script}: {text}");
    }
}

#[test]
fn a_failure_shows_both_packets_and_a_trace_shows_all() {
    let folder = folder(&[("f.pkt", FAILS)]);
    let (_, text) = drill(folder.path(), &["f.pkt"]);
    for part in ["f.pkt:2: failed", "expected  R.  0:0(0)  ack 2", "got       R.  0:0(0)  ack 1", "^^^^^"] {
        assert!(text.contains(part), "{part}: {text}");
    }
    let (_, text) = drill(folder.path(), &["f.pkt", "--trace"]);
    assert!(text.contains("0.000000  < S 0:0(0) win 1000\n"), "{text}");
    assert!(text.contains("RFC 9293"), "each packet has its reason: {text}");
    assert!(!text.contains("up to here:"), "{text}");
}

#[test]
fn json_has_every_script_and_its_reason() {
    let folder = folder(&[("p.pkt", PASSES), ("f.pkt", FAILS), ("u.pkt", UNSUPPORTED), ("x.pkt", UNREADABLE)]);
    let (code, text) = drill(folder.path(), &["--json", "."]);
    assert_eq!(code, Some(2));
    let document: serde_json::Value = serde_json::from_str(&text).expect("it is JSON");
    assert_eq!(document["passed"], 1);
    assert_eq!(
        (&document["failed"], &document["unsupported"], &document["unreadable"]),
        (&1.into(), &1.into(), &1.into())
    );
    let verdicts: Vec<_> = document["scripts"].as_array().expect("a list").iter().map(|row| &row["verdict"]).collect();
    assert_eq!(verdicts, ["failed", "passed", "unsupported", "unreadable"]);
    assert_eq!(document["scripts"][0]["differences"][0], "acknowledgment number: expected 2, got 1");
}

#[test]
fn a_capture_is_one_that_show_can_explain() {
    let folder = folder(&[("p.pkt", PASSES)]);
    assert_eq!(drill(folder.path(), &["p.pkt", "--capture", "out/new"]).0, Some(0));
    let output = wireglass(folder.path(), &["show", "out/new/p.pcapng"]).output().expect("the binary starts");
    let (out, _) = printed(&output);
    assert!(output.status.success() && out.contains("SYN") && out.contains("RST"), "{out}");
}

#[test]
fn words_and_options_can_be_given_on_the_command_line() {
    let folder = folder(&[("d.pkt", "0 < S 0:0(0) win WIN\n+0 > R. 0:0(0) ack 1\n")]);
    assert_eq!(drill(folder.path(), &["d.pkt", "-D", "WIN=77"]).0, Some(0));
    assert_eq!(drill(folder.path(), &["d.pkt"]).0, Some(2));
    let (code, text) = drill(folder.path(), &["d.pkt", "-D", "WIN"]);
    assert!(code == Some(2) && text.contains("NAME=value"), "{text}");
    let args = ["d.pkt", "-D", "WIN=77", "-o", "ip_version=ipv6", "--capture", "out"];
    assert_eq!(drill(folder.path(), &args).0, Some(0));
    let shown = wireglass(folder.path(), &["show", "out/d.pcapng"]).output().expect("the binary starts");
    assert!(printed(&shown).0.contains("2001:db8::1"), "{:?}", printed(&shown));
}
