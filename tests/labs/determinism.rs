//! The same seed gives the same bytes: in every process, on a busy machine, whatever else goes on.

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Write as _};
use std::os::unix::process::CommandExt as _;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::Instant;

use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;
use sha2::{Digest as _, Sha256};

use super::super::support::Folder;
use super::{Ran, labs, root};

/// A lab that is run over and over for as long as this lives.
struct Load(Child);

impl Load {
    fn start(out: &Folder) -> Load {
        let script = "while \"$0\" run 14 --mode sim --json --out \"$1\"; do :; done";
        let child = Command::new("sh")
            .args(["-c", script, env!("CARGO_BIN_EXE_wireglass")])
            .arg(out.path())
            .process_group(0)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("a shell is there");
        Load(child)
    }

    fn goes_on(&mut self) -> bool {
        self.0.try_wait().expect("it is ours").is_none()
    }
}

impl Drop for Load {
    fn drop(&mut self) {
        // The shell and what it runs: its own process group.
        if let Ok(group) = i32::try_from(self.0.id()) {
            let _ = killpg(Pid::from_raw(group), Signal::SIGKILL);
        }
        let _ = self.0.wait();
    }
}

/// The SHA-256 of every file of a run, by name.
fn digests(ran: &Ran) -> BTreeMap<String, String> {
    let entries = fs::read_dir(ran.folder.path()).expect("the run made it").flatten();
    let digest = |path| {
        let octets = Sha256::digest(fs::read(path).expect("it was listed"));
        octets.iter().map(|octet| format!("{octet:02x}")).collect::<String>()
    };
    entries.map(|entry| (entry.file_name().to_string_lossy().into_owned(), digest(entry.path()))).collect()
}

#[test]
fn three_processes_write_the_same_bytes_idle_and_while_three_others_load_the_machine() {
    let run = || Ran::of("20", &["--mode", "sim"]);
    let first = run();
    let expected = digests(&first);
    let names: Vec<&str> = expected.keys().map(String::as_str).collect();
    let captures = ["client.pcapng", "client.story.pcapng"];
    assert_eq!(
        names,
        [&captures[..], &["journal.jsonl", "layers.txt", "server.pcapng", "server.story.pcapng"]].concat()
    );
    for _ in 0..2 {
        assert_eq!(digests(&run()), expected, "one process after another");
    }
    let folders = [Folder::new(), Folder::new(), Folder::new()];
    let mut loads = folders.each_ref().map(Load::start);
    for _ in 0..3 {
        assert_eq!(digests(&run()), expected, "while three other runs go on");
    }
    let together = [(); 3].map(|()| thread::spawn(move || digests(&Ran::of("20", &["--mode", "sim"]))));
    for each in together {
        assert_eq!(each.join().expect("the run goes well"), expected, "three at once, while three others go on");
    }
    assert!(loads.iter_mut().all(Load::goes_on), "the other runs have failed");
    drop(loads);
    for name in ["client.pcapng", "server.pcapng"] {
        let golden = fs::read(root().join("captures/20-rto-backoff").join(name)).expect("there is a golden");
        assert!(golden == fs::read(first.file(name)).expect("the run made it"), "{name} is not the golden one");
    }
}

#[test]
fn another_seed_gives_other_bytes() {
    for lab in labs() {
        let lab = lab.to_string_lossy();
        let [one, other] = ["1", "2"].map(|seed| digests(&Ran::of(&lab, &["--mode", "sim", "--seed", seed])));
        for (name, digest) in one {
            assert_ne!(other.get(&name), Some(&digest), "{lab}: {name}");
        }
    }
}

/// Eight copies are lost, one after another: 0.24 s, 0.48 s, 0.96 s… are more than a minute in all.
const A_MINUTE_OF_BACK_OFF: &str = r#"
id      = "99-patience"
title   = "A minute of back-off"
summary = "Lose a segment and its first seven copies."
minutes = 1
seed    = 99

[node.client]
live = "stack"

[node.server]
live = "stack"

[[link]]
between = ["client", "server"]
delay   = "20ms"

[[link.rule]]
id   = "lose-it"
from = "client"
when = "tcp.len > 0"
nth  = [1, 2, 3, 4, 5, 6, 7, 8, 9]
do   = "drop"

[[step]]
on  = "server"
run = { sink = { port = 9000 } }

[[step]]
on  = "client"
run = { send = { to = "server:9000", bytes = "1000B" } }

[select]
lost     = "lose-it"
arrival  = { packets = "tcp.len > 0", at = "server" }
sent     = 'event.report == "stream-sent"'
received = 'event.report == "stream-received"'

[[expect]]
id   = "a-minute"
that = "From the first copy that is lost to the one that arrives a minute passes"
gap  = { from = "lost", to = "arrival", more_than = "60s" }

[[expect]]
id     = "all-there"
that   = "What was sent is what arrived, octet for octet"
equals = { member = "sha256", of = ["sent", "received"] }
"#;

#[test]
fn a_minute_of_back_off_costs_no_minute() {
    const MINUTE_NS: u64 = 60_000_000_000;
    let lab = Folder::new();
    fs::write(lab.path().join("lab.toml"), A_MINUTE_OF_BACK_OFF).expect("the folder is ours");
    let start = Instant::now();
    let ran = Ran::of(&lab.path().to_string_lossy(), &["--mode", "sim"]);
    let took = start.elapsed();
    assert_eq!(ran.code, Some(0), "{:#}", ran.report);
    let duration = ran.report["duration_ns"].as_u64().expect("a run has a duration");
    let _ = writeln!(io::stderr(), "{} virtual seconds of back-off took {took:.1?}", duration / 1_000_000_000);
    assert!(duration >= MINUTE_NS, "{duration} ns");
    // No measure of speed: only that nobody really waited.
    assert!(took.as_nanos() < u128::from(MINUTE_NS / 2), "{took:?}");
}
