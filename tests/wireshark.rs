//! Wireshark beside wireglass. The window is a script here that writes down what it is given; that the profile is one is for
//! tshark to say, which reads the same files.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::{Duration, Instant};

use nix::unistd::Uid;

use super::support::{Folder, has, printed, skip, wireglass};

/// A folder with a `wireshark` in it, and a home.
struct Desk(Folder);

impl Desk {
    fn new() -> Desk {
        let desk = Desk(Folder::new());
        let script = "#!/bin/sh\ncd \"$(dirname \"$0\")/..\"\necho \"$@\" > words\ncat > stream\nmv stream whole\n";
        let program = desk.at("bin/wireshark");
        fs::create_dir(desk.at("bin")).expect("the folder is ours");
        fs::write(&program, script).expect("the folder is ours");
        fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).expect("it is ours");
        desk
    }

    fn at(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = wireglass(self.0.path(), arguments);
        let paths = std::env::var_os("PATH").unwrap_or_default();
        let paths = [self.at("bin")].into_iter().chain(std::env::split_paths(&paths));
        command.env("PATH", std::env::join_paths(paths).expect("plain paths"));
        command.env("HOME", self.0.path()).env_remove("XDG_CONFIG_HOME").env_remove("SUDO_UID");
        command
    }

    fn call(&self, arguments: &[&str]) -> Output {
        self.command(arguments).output().expect("the binary starts")
    }

    /// What the window was called with, once it has read to the end.
    fn words(&self) -> String {
        let begun = Instant::now();
        while !self.at("whole").exists() {
            assert!(begun.elapsed() < Duration::from_secs(20), "no window was opened");
            std::thread::sleep(Duration::from_millis(10));
        }
        fs::read_to_string(self.at("words")).expect("it was written first").trim_end().to_owned()
    }
}

fn well(output: &Output) -> String {
    let (out, err) = printed(output);
    assert_eq!(output.status.code(), Some(0), "{out}\n{err}");
    out
}

#[test]
fn the_profile_is_one_that_wireshark_reads_and_shows_reasons_and_names() {
    if !has("the_profile_is_one_that_wireshark_reads_and_shows_reasons_and_names", "tshark") {
        return;
    }
    let desk = Desk::new();
    well(&desk.call(&["run", "21", "--mode", "sim", "--no-predict"]));
    let profile = desk.at(".config/wireshark/profiles/wireglass");
    // Twice: the second time over the first.
    for _ in 0..2 {
        let out = well(&desk.call(&["wireshark", "--install-profile"]));
        assert!(out.contains(&profile.display().to_string()), "{out}");
    }
    assert_eq!(fs::read_dir(&profile).expect("it was made").count(), 4);
    let story = desk.at("out/21-fast-retransmit/client.story.pcapng");
    let read = |filter: &str| {
        let mut command = Command::new("tshark");
        command.env("HOME", desk.0.path()).env_remove("XDG_CONFIG_HOME");
        let output = command.args(["-C", "wireglass", "-Y", filter, "-r"]).arg(&story).output().expect("it is there");
        let (out, err) = printed(&output);
        let complaints: Vec<&str> = err.lines().filter(|line| !line.contains("Running as user")).collect();
        assert_eq!((output.status.success(), complaints), (true, vec![]), "{filter}");
        out
    };
    let syn = read("tcp.flags.syn == 1 && tcp.flags.ack == 0");
    for expected in ["client", "server", "[SYN]", "SYN: opens the connection [RFC 9293 §3.5]"] {
        assert!(syn.contains(expected), "{expected}: {syn}");
    }
    assert!(read("systemd_journal.priority <= 4").contains("dropped by rule lose-3"));
    // Each colour's and each button's filter is one.
    let filters = |file: &str, place: usize, mark: char| -> Vec<String> {
        let text = fs::read_to_string(profile.join(file)).expect("it was made");
        let lines = text.lines().filter(|line| !line.starts_with('#'));
        let words = lines.filter_map(|line| line.split(mark).nth(place));
        // The fields of one of the files stand in quotes, and so has its own for a quote.
        let bare =
            |word: &str| word.strip_prefix('"').and_then(|word| word.strip_suffix('"')).unwrap_or(word).to_owned();
        words.map(|word| bare(word).replace("\\x22", "\"")).collect()
    };
    let colours = filters("colorfilters", 2, '@');
    let buttons = filters("dfilter_buttons", 2, ',');
    assert!(colours.len() > 10 && buttons.len() > 3, "{colours:?} {buttons:?}");
    for filter in colours.iter().chain(&buttons) {
        read(filter);
    }
}

#[test]
fn a_short_run_is_opened_as_a_story_in_the_profile_once_there_is_one() {
    let desk = Desk::new();
    let run = ["run", "21", "--mode", "sim", "--no-predict"];
    well(&desk.call(&[&run[..], &["--wireshark"]].concat()));
    let folder = fs::canonicalize(desk.at("out/21-fast-retransmit")).expect("the run made it");
    assert_eq!(desk.words(), format!("-r {}", folder.join("client.story.pcapng").display()));
    fs::remove_file(desk.at("whole")).expect("it was there");
    well(&desk.call(&["wireshark", "--install-profile"]));
    well(&desk.call(&[&run[..], &["--wireshark=server", "--format", "pcap", "--out", "old"]].concat()));
    let old = fs::canonicalize(desk.at("old")).expect("the run made it");
    assert_eq!(desk.words(), format!("-C wireglass -r {}", old.join("server.pcap").display()));
}

#[test]
fn a_live_run_goes_into_the_window_packet_by_packet() {
    if !Uid::effective().is_root() {
        return skip("a_live_run_goes_into_the_window_packet_by_packet", "live runs need root");
    }
    let desk = Desk::new();
    well(&desk.call(&["run", "91", "--mode", "live", "--no-predict", "--wireshark"]));
    assert_eq!(desk.words(), "-k -i -");
    let seen = fs::read(desk.at("whole")).expect("the window has read it");
    let written = fs::read(desk.at("out/91-idempotency-key/server.pcapng")).expect("the run made it");
    assert!(seen == written, "{} octets of {}", seen.len(), written.len());
}

#[test]
fn who_has_no_wireshark_or_asks_for_no_node_is_told_before_the_run() {
    let folder = Folder::new();
    let without = |arguments: &[&str], path: &Path| {
        let mut command = wireglass(folder.path(), arguments);
        let output = command.env("PATH", path).env("HOME", folder.path()).output().expect("the binary starts");
        let (out, err) = printed(&output);
        assert_eq!((output.status.code(), out.as_str()), (Some(1), ""), "{err}");
        err
    };
    let nowhere = Path::new("/nonexistent");
    let told = without(&["run", "21", "--mode", "sim", "--no-predict", "--wireshark"], nowhere);
    assert!(told.contains("no wireshark in PATH") && told.contains("apt install wireshark"), "{told}");
    let told = without(&["run", "21", "--mode", "sim", "--no-predict", "--wireshark=router"], nowhere);
    assert!(told.contains("has no node router; it has client, server"), "{told}");
    let told = without(&["wireshark", "missing.pcapng"], nowhere);
    assert!(told.contains("missing.pcapng cannot be opened"), "{told}");
    assert!(!folder.path().join("out").exists());
}
