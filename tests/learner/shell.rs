//! Somebody's own programs on a lab's kernel node.

use std::ffi::OsString;
use std::fs;
use std::io::Write as _;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::process::Stdio;
use std::thread;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::{Pid, Uid};

use super::session::Session;
use super::{call, folder, learner};
use crate::support::{has, live, printed, skip};

/// Whether live runs are possible; says so when not.
fn is_possible() -> bool {
    let folder = folder();
    let (code, _, error) = call(folder.path(), &["shell", "10", "--", "true"]);
    if code == Some(1) && error.contains("a live run is not possible here") {
        skip("wireglass shell", error.trim());
        return false;
    }
    true
}

/// Whether `sleep` runs for this span somewhere on this machine.
fn sleeps(span: &str) -> bool {
    let processes = fs::read_dir("/proc").expect("it is mounted").flatten();
    let wanted = format!("sleep\0{span}\0");
    // One may end while it is looked at.
    processes.filter_map(|process| fs::read_to_string(process.path().join("cmdline")).ok()).any(|line| line == wanted)
}

fn until_it_sleeps(span: &str) {
    let started = Instant::now();
    while !sleeps(span) {
        assert!(started.elapsed() < Duration::from_secs(60), "it never began");
        thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn one_command_prints_what_it_prints_and_everything_is_captured() {
    let _turn = live::turn();
    if !is_possible() {
        return;
    }
    let folder = folder();
    let (code, out, error) = call(folder.path(), &["shell", "10", "--", "curl", "-s", "http://server:8080/api/posts"]);
    assert_eq!((code, out.as_str()), (Some(0), r#"{"posts":[{"id":1,"title":"Network Efficiency"}]}"#), "{error}");
    assert!(error.contains("open the capture: wireshark"), "{error}");
    let capture = folder.path().join("out/10-three-way-handshake/client.pcapng");
    let (code, shown, _) = call(folder.path(), &["show", &capture.to_string_lossy()]);
    assert_eq!(code, Some(0));
    assert!(shown.contains("SYN,ACK") && shown.contains("connection 1"), "{shown}");
}

#[test]
fn a_shell_reads_a_pipe_and_its_own_word_is_no_failure() {
    let _turn = live::turn();
    if !is_possible() {
        return;
    }
    let folder = folder();
    let mut child = learner(folder.path(), &["shell", "10"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the binary starts");
    let typed = b"echo on $WIREGLASS_NODE; cat /proc/net/dev | grep -c tun0; false\n";
    child.stdin.take().expect("a pipe").write_all(typed).expect("it reads");
    let output = child.wait_with_output().expect("it is ours");
    let (out, error) = printed(&output);
    assert_eq!(output.status.code(), Some(0), "{error}");
    assert!(out.contains("10.0.0.1, where you are") && out.contains("on client\n"), "{out}");
}

#[test]
fn at_a_terminal_keys_jobs_and_sizes_are_the_shells_and_leaving_leaves_nothing() {
    // Whatever shell the caller has: each shows other words of its own.
    for shell in ["/bin/sh", "/bin/bash"] {
        visit_at_a_terminal(shell);
    }
}

fn visit_at_a_terminal(shell: &str) {
    let _turn = live::turn();
    if !is_possible() {
        return;
    }
    let folder = folder();
    // A span that no other process of this machine sleeps for.
    let span = format!("4{:05}", std::process::id());
    let long = format!("3{:05}", std::process::id());
    let mut command = learner(folder.path(), &["shell", "10"]);
    command.env("SHELL", shell);
    let mut session = Session::of(command, true);
    session.until("ends all that was started here").types("stty size\n");
    session.until("24 80").types(&format!("sleep {long}\n"));
    until_it_sleeps(&long);
    // Ctrl-C ends the command, and nothing else.
    session.types("\u{3}").types("echo still $WIREGLASS_NODE\n");
    session.until("still client").types(&format!("sleep {span} &\n"));
    until_it_sleeps(&span);
    // Job control: the shell knows its jobs.
    session.types("jobs\n").until("Running");
    session.types("exit\n");
    let (code, shown) = session.end();
    assert_eq!(code, Some(0), "{shown}");
    assert!(shown.contains("open the capture"), "{shown}");
    assert!(!sleeps(&span), "what was started there has ended");
}

#[test]
fn a_visit_that_is_ended_from_outside_leaves_nothing() {
    let _turn = live::turn();
    if !is_possible() {
        return;
    }
    let folder = folder();
    let span = format!("5{:05}", std::process::id());
    let mut session = Session::start(folder.path(), &["shell", "10", "--", "sleep", &span]);
    until_it_sleeps(&span);
    let main = Pid::from_raw(i32::try_from(session.child.id()).expect("a process id"));
    kill(main, Signal::SIGTERM).expect("it is ours");
    session.until("open the capture");
    let (code, shown) = session.end();
    assert_eq!(code, Some(130), "{shown}");
    assert!(!sleeps(&span), "it has ended with its visit");
    let journal =
        fs::read_to_string(folder.path().join("out/10-three-way-handshake/journal.jsonl")).expect("it is kept");
    assert!(journal.contains("\"started\""), "{journal}");
}

/// The names of this machine's interfaces.
fn interfaces() -> Vec<OsString> {
    let entries = fs::read_dir("/sys/class/net").expect("it is mounted").flatten();
    let mut names: Vec<OsString> = entries.map(|entry| entry.file_name()).collect();
    names.sort();
    names
}

/// Whether any process of this machine lives in this namespace, such as `net:[4026532248]`.
fn is_inhabited(namespace: &str) -> bool {
    let processes = fs::read_dir("/proc").expect("it is mounted").flatten();
    let mut homes = processes.filter_map(|process| fs::read_link(process.path().join("ns/net")).ok());
    homes.any(|home| home.as_os_str() == namespace)
}

#[test]
fn real_ping_and_curl_reach_the_server_by_its_name_and_leaving_leaves_nothing() {
    let name = "real ping and curl in a visit";
    if !has(name, "ping") || !has(name, "curl") {
        return;
    }
    let _turn = live::turn();
    if !is_possible() {
        return;
    }
    let before = interfaces();
    let folder = folder();
    let span = format!("6{:05}", std::process::id());
    let script = format!(
        "readlink /proc/self/ns/net; sleep {span} & ping -c 2 -W 10 server; curl -sS --max-time 60 http://server/api/posts"
    );
    let (code, out, error) = call(folder.path(), &["shell", "02", "--", "sh", "-c", &script]);
    assert_eq!(code, Some(0), "{out}{error}");
    assert!(out.contains("PING server (10.0.0.2)"), "{out}");
    assert!(out.contains("2 packets transmitted, 2 received, 0% packet loss"), "{out}");
    assert!(out.ends_with(r#"{"id":34,"title":"The End of the Line"}]}"#), "{out}");
    let namespace = out.lines().next().filter(|line| line.starts_with("net:[")).expect("it says where it is");
    assert!(!sleeps(&span), "what was started there has ended");
    assert!(!is_inhabited(namespace), "{namespace} is empty");
    assert_eq!(interfaces(), before, "no interface was left");
}

/// A kernel and a stack with two routers between them.
const PATH: &str = r#"
id = "100-path"
title = "Path"
summary = "Two routers between a kernel and a stack."
minutes = 5
seed = 1

[node.client]
live = "linux"

[router.r1]

[router.r2]

[node.server]
live = "stack"

[[link]]
between = ["client", "r1"]
delay = "5ms"

[[link]]
between = ["r1", "r2"]
delay = "5ms"

[[link]]
between = ["r2", "server"]
delay = "5ms"

[[step]]
on = "server"
run = { sink = { port = 9000 } }
"#;

#[test]
fn real_traceroute_is_answered_by_each_hop_with_its_own_address() {
    if !has("real traceroute across two routers", "traceroute") {
        return;
    }
    let _turn = live::turn();
    if !is_possible() {
        return;
    }
    let folder = folder();
    fs::create_dir(folder.path().join("lab")).expect("the folder is ours");
    fs::write(folder.path().join("lab/lab.toml"), PATH).expect("the folder is ours");
    let traceroute = ["shell", "./lab", "--", "traceroute", "-n", "-q", "1", "-w", "10", "server"];
    let (code, out, error) = call(folder.path(), &traceroute);
    assert_eq!(code, Some(0), "{out}{error}");
    let hops: Vec<Vec<&str>> = out.lines().skip(1).map(|line| line.split_whitespace().take(2).collect()).collect();
    let expected = [["1", "10.0.0.2"], ["2", "10.0.1.2"], ["3", "10.0.2.2"]];
    assert_eq!(hops, expected, "the near side of each router, then the server: {out}");
}

#[test]
fn a_strangers_lab_reads_no_more_than_the_user_who_called_sudo_may() {
    if !Uid::effective().is_root() {
        return;
    }
    let _turn = live::turn();
    if !is_possible() {
        return;
    }
    let folder = folder();
    let secret = folder.path().join("secret");
    fs::write(&secret, "the secret of root\n").expect("the folder is ours");
    fs::set_permissions(&secret, fs::Permissions::from_mode(0o600)).expect("it is ours");
    // Whoever has called sudo may write here.
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o777)).expect("it is ours");
    fs::create_dir(folder.path().join("lab")).expect("the folder is ours");
    let step = format!(
        "\n[[step]]\non = \"client\"\nrun = {{ send = {{ to = \"server:9000\", bytes = \"1KB\" }} }}\nexec = [\"cat\", \"{}\"]\n",
        secret.display()
    );
    fs::write(folder.path().join("lab/lab.toml"), format!("{PATH}{step}")).expect("the folder is ours");
    let live = ["run", "./lab", "--mode", "live"];
    // By root alone it is read: so it is there, and this lab asks for it.
    let output = learner(folder.path(), &live).output().expect("the binary starts");
    assert!(printed(&output).0.contains("the secret of root"), "{}", printed(&output).0);
    fs::remove_dir_all(folder.path().join("out")).expect("it is ours");
    let output = learner(folder.path(), &live)
        .env("SUDO_UID", "65534")
        .env("SUDO_GID", "65534")
        .output()
        .expect("the binary starts");
    let (out, error) = printed(&output);
    assert_eq!(output.status.code(), Some(1), "{out}{error}");
    assert!(out.contains("Permission denied") && !out.contains("the secret of root"), "{out}{error}");
    let captures = fs::metadata(folder.path().join("out/100-path/client.pcapng")).expect("a run leaves captures");
    assert_eq!(captures.uid(), 65534, "they are the user's");
}

#[test]
fn what_cannot_be_visited_is_said_with_what_can() {
    let folder = folder();
    let (code, _, error) = call(folder.path(), &["shell", "10", "server"]);
    assert_eq!(code, Some(1));
    assert!(error.contains("has no node `server` to visit; its kernel nodes are client"), "{error}");
}
