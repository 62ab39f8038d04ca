//! `wireglass compare`, and live trials: kernels and stacks side by side. Live parts run one at a time, in namespaces of
//! their own, and nothing is left of them.

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;
use std::process::Output;
use std::time::Duration;

use nix::unistd::Uid;
use serde_json::Value;
use wireglass::bench::{self, Flow, LiveError, Load, Outcome, Path, Receiver, Sender, Trial};
use wireglass::capture::Reader;
use wireglass::host::HolderConfig;
use wireglass::packet::TcpFlags;
use wireglass::packet::dissect::Dissection;
use wireglass::rng::Probability;
use wireglass::stack::{Congestion, StackKind};

use super::support::{Folder, live, printed, skip, wireglass};

fn call(arguments: &[&str]) -> (Option<i32>, String, String) {
    let output: Output = wireglass(Folder::new().path(), arguments).output().expect("the binary starts");
    let (out, err) = printed(&output);
    (output.status.code(), out, err)
}

fn compared(arguments: &[&str]) -> Value {
    let _turn = live::turn();
    let (code, out, err) = call(&[&["compare", "--json"], arguments].concat());
    assert_eq!((code, err.as_str()), (Some(0), ""), "{arguments:?}: {out}");
    serde_json::from_str(&out).unwrap_or_else(|error| panic!("{arguments:?}: {error}: {out}"))
}

/// A column by the name of its stack.
fn column<'a>(report: &'a Value, stack: &str) -> &'a Value {
    let columns = report["columns"].as_array().expect("a comparison has columns");
    columns.iter().find(|column| column["stack"] == stack).unwrap_or_else(|| panic!("no {stack} in {report:#}"))
}

fn interfaces() -> BTreeSet<String> {
    let entries = fs::read_dir("/sys/class/net").expect("Linux has it").flatten();
    entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect()
}

#[test]
fn lab_20_has_a_column_for_each_tcp_and_linux_answers_with_its_own_words() {
    let before = interfaces();
    let report = compared(&["20", "--break", "lose-the-third"]);
    assert_eq!(
        (&report["lab"], &report["seed"], &report["variant"]),
        (&"20-rto-backoff".into(), &20.into(), &"lose-the-third".into())
    );
    for stack in ["native", "smoltcp"] {
        let (mode, figures) = (&column(&report, stack)["mode"], &column(&report, stack)["figures"]);
        assert_eq!((mode, &figures["lost"]), (&"sim".into(), &1.into()), "{stack}: {figures:#}");
        assert!(figures["retransmissions"].as_u64() >= Some(1), "{stack}: {figures:#}");
        assert!(figures["recovery_ns"].as_u64() >= Some(20_000_000), "{stack}: {figures:#}");
    }
    assert_eq!(column(&report, "smoltcp")["figures"]["window"], Value::Null, "smoltcp does not tell");
    let linux = column(&report, "linux");
    if linux["unavailable"] != Value::Null {
        return skip("lab 20 on Linux", &linux["unavailable"].to_string());
    }
    let (figures, notes) = (&linux["figures"], linux["notes"].to_string());
    assert_eq!((&linux["mode"], &figures["lost"]), (&"live".into(), &1.into()), "{linux:#}");
    assert!(figures["retransmissions"].as_u64() >= Some(1) && figures["packets"].as_u64() > Some(10), "{linux:#}");
    assert_eq!(figures["tells_window"], true, "{linux:#}");
    // Ten segments leave at once, then the third is found missing and the window is halved.
    let (was, is) = (figures["window"]["before"].as_u64(), figures["window"]["after"].as_u64());
    assert!(was >= Some(10) && is < was, "{linux:#}");
    assert!(notes.contains("congestion control: reno, read back"), "{notes}");
    assert!(notes.contains("which Linux does not have"), "{notes}");
    assert!(notes.contains("client was set to net.ipv4.tcp_early_retrans=0"), "{notes}");
    assert_eq!(interfaces(), before, "the host's own interfaces");
}

/// A lab whose client has settings of its own, for its TCP and for a kernel in its place.
const SETTINGS: &str = r#"
id      = "92-settings"
title   = "Settings"
summary = "A transfer by a client that does without."
minutes = 1
seed    = 1
[node.client]
live   = "stack"
tcp    = { sack = false, timestamps = false, rack = false, f_rto = false, ecn = "active", delayed_ack = "10ms" }
sysctl = { "net.ipv4.tcp_window_scaling" = 0 }
[node.server]
live   = "stack"
[[link]]
between = ["client", "server"]
delay   = "2ms"
[[step]]
on  = "server"
run = { sink = { port = 9000 } }
[[step]]
on  = "client"
run = { send = { to = "server:9000", bytes = "20000B" } }
[[expect]]
id = "sends"
that = "Something is sent"
count = "tcp.len > 0 && ip.src == client"
at_least = 1
"#;

/// What the SYN in a capture offers: SACK, timestamps, window scaling, ECN.
fn offers(capture: &std::path::Path) -> [bool; 4] {
    let records = Reader::open(capture).expect("a capture").map(|record| record.expect("whole"));
    let mut read = records.map(|record| {
        let (medium, bytes) = record.strip().expect("it is IP or Ethernet");
        Dissection::of(medium, &bytes, bytes.len())
    });
    let syn = read.find_map(|packet| packet.tcp().filter(|tcp| tcp.flags.syn()).cloned()).expect("a SYN");
    let options = syn.options;
    let asks = [TcpFlags::ECE, TcpFlags::CWR].iter().all(|flag| syn.flags.contains(*flag));
    [options.sack_permitted, options.timestamps.is_some(), options.window_scale.is_some(), asks]
}

#[test]
fn kernels_are_told_what_the_lab_says_of_tcp_and_captures_are_kept_to_prove_it() {
    let folder = Folder::new();
    fs::write(folder.path().join("lab.toml"), SETTINGS).expect("the folder is ours");
    let (lab, out) = (folder.path().display().to_string(), folder.path().join("out"));
    let report = compared(&[&lab, "--out", &out.display().to_string()]);
    assert_eq!(offers(&out.join("native/client.pcapng")), [false, false, true, true]);
    let linux = column(&report, "linux");
    if linux["unavailable"] != Value::Null {
        return skip("settings of kernels", &linux["unavailable"].to_string());
    }
    assert_eq!(offers(&out.join("linux/client.pcapng")), [false, false, false, true], "and what it is told itself");
    assert_eq!(linux["captures"][1], out.join("linux/server.pcapng").display().to_string());
    let notes = linux["notes"].to_string();
    for said in
        ["tcp_sack=0, net.ipv4.tcp_timestamps=0, net.ipv4.tcp_recovery=0, net.ipv4.tcp_frto=0", "own delayed_ack"]
    {
        assert!(notes.contains(said), "{said}: {notes}");
    }
    let _turn = live::turn();
    let (code, table, _) = call(&["compare", &lab, "--width", "80", "--out", &out.display().to_string()]);
    assert!(code == Some(0) && table.contains("smoltcp/: client.pcapng, server.pcapng, layers.txt"), "{table}");
    let is_of_files = |line: &&str| line.starts_with("Files") || line.contains("pcapng");
    assert!(table.lines().filter(|line| !is_of_files(line)).all(|line| line.chars().count() <= 80), "{table}");
}

#[test]
fn a_comparison_is_a_table_with_what_must_be_known_below_it() {
    let _turn = live::turn();
    let (code, out, err) = call(&["compare", "20"]);
    assert_eq!((code, err.as_str()), (Some(0), ""), "{out}");
    for expected in ["native", "smoltcp", "linux", "packets", "time to recover", "cwnd, first loss", "RTOs", "goodput"]
    {
        assert!(out.contains(expected), "{expected} is missing:\n{out}");
    }
    assert!(out.contains("smoltcp: does not tell its congestion window") && !out.contains('\u{1b}'), "{out}");
    assert!(
        out.lines().take_while(|line| !line.starts_with("smoltcp:")).all(|line| line.chars().count() <= 100),
        "{out}"
    );
}

#[test]
fn where_linux_cannot_run_its_column_says_why_and_that_is_no_failure() {
    const NAME: &str = "compare without namespaces";
    if !Uid::effective().is_root() {
        return skip(NAME, "only root can take rights away");
    }
    let folder = Folder::new();
    // Without the right to make namespaces, of this user's own or as root.
    let script = r#"command -v setpriv > /dev/null || exit 99
        exec setpriv --reuid 65534 --regid 65534 --clear-groups --bounding-set -all --no-new-privs \
            prlimit --nproc=1:1 "$0" "$@""#;
    let binary = folder.path().join("wireglass");
    super::support::copy(&PathBuf::from(env!("CARGO_BIN_EXE_wireglass")), &binary);
    let output = std::process::Command::new("sh")
        .args(["-c", script])
        .arg(&binary)
        .args(["compare", "20"])
        .current_dir("/")
        .output()
        .expect("every system has sh");
    if output.status.code() == Some(99) {
        return skip(NAME, "setpriv is not installed");
    }
    let (out, err) = printed(&output);
    assert_eq!((output.status.code(), err.as_str()), (Some(0), ""), "{out}");
    assert!(out.contains("linux: not here: ") && out.contains("wireglass doctor"), "{out}");
    assert!(out.contains("simulated"), "{out}");
}

#[test]
fn mistakes_are_told_with_exit_codes() {
    for (arguments, code, words) in [
        (&["compare"][..], 2, "LAB"),
        (&["compare", "20", "--seed", "x"], 2, "--seed"),
        (&["compare", "no-such-lab"], 1, "no-such-lab"),
        (&["compare", "20", "--break", "nothing"], 1, "three-in-a-row"),
    ] {
        let (exit, out, err) = call(arguments);
        assert_eq!((exit, out.as_str()), (Some(code), ""), "{arguments:?}: {err}");
        assert!(err.contains(words), "{arguments:?}: {err}");
    }
}

#[test]
fn the_help_of_compare_teaches() {
    let (code, out, _) = call(&["compare", "--help"]);
    assert_eq!(code, Some(0));
    for expected in ["Examples:", "TCP_INFO", "time to recover", "130  stopped by Ctrl-C"] {
        assert!(out.contains(expected), "{expected} is missing:\n{out}");
    }
}

/// Plays a short trial with kernels in it; `None`, and said, where that is not possible.
fn trial(name: &str, path: Path, flows: Vec<Flow>, load: Load) -> Option<Outcome> {
    let _turn = live::turn();
    let holder = HolderConfig { program: PathBuf::from(env!("CARGO_BIN_EXE_wireglass")), ..HolderConfig::default() };
    let before = interfaces();
    let outcome = match bench::live(&Trial::of(path, flows, load, 1), holder) {
        Ok(outcome) => outcome,
        Err(LiveError::NotLive(reason)) => {
            skip(name, &reason.to_string());
            return None;
        }
        Err(error) => panic!("{name}: {error}"),
    };
    assert_eq!(interfaces(), before, "{name}: the host's own interfaces");
    Some(outcome)
}

fn flow(sender: Sender) -> Flow {
    Flow { sender, receiver: Receiver::Linux, begins: Duration::ZERO }
}

#[test]
fn a_kernel_that_sends_over_a_lossy_link_is_measured_by_packets_and_by_itself() {
    let path = Path { loss: Probability::from_percent(3), ..Path::clean(20_000_000, Duration::from_millis(20)) };
    let linux = flow(Sender::Linux("reno".to_owned()));
    let Some(outcome) = trial("a Linux sender", path, vec![linux], Load::Octets(600_000)) else { return };
    let [flow] = outcome.flows.as_slice() else { panic!("one flow has one outcome") };
    assert_eq!((flow.stack.as_str(), flow.congestion.as_str()), ("linux", "reno"), "everybody may choose Reno");
    // 415 segments at least: that none of them is lost has odds of one in 300,000, and the seed is fixed.
    let figures = flow.figures;
    assert_eq!(figures.delivered, 600_000, "{flow:?}");
    assert!(figures.lost > 0 && figures.retransmissions >= figures.lost, "{flow:?}");
    assert!(flow.window.is_some_and(|window| window.after < window.before), "{flow:?}");
    assert!(flow.goodput > 100_000 && flow.goodput < 20_000_000, "{flow:?}");
}

#[test]
fn native_and_linux_share_one_live_bottleneck() {
    let path = Path::clean(10_000_000, Duration::from_millis(20));
    let flows = vec![flow(Sender::Stack(StackKind::Native, Congestion::Reno)), flow(Sender::Linux("reno".to_owned()))];
    let Some(outcome) = trial("two senders", path, flows, Load::For(Duration::from_secs(2))) else { return };
    let [native, linux] = outcome.flows.as_slice() else { panic!("two flows have two outcomes") };
    assert!(native.goodput > 0 && linux.goodput > 0, "{outcome:?}");
    // No bound on who gets how much: the machine has other things to do. But together they get no more than there is.
    assert!(outcome.goodput() <= 10_000_000, "{outcome:?}");
    assert!((998..=1000).contains(&outcome.shares_permille().iter().sum::<u64>()), "{outcome:?}");
}
