//! Somebody's own programs on a lab's kernel node.

use std::fs;
use std::io::Write as _;
use std::process::Stdio;
use std::thread;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::session::Session;
use super::{call, folder, learner};
use crate::support::{live, printed, skip};

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

#[test]
fn what_cannot_be_visited_is_said_with_what_can() {
    let folder = folder();
    let (code, _, error) = call(folder.path(), &["shell", "10", "server"]);
    assert_eq!(code, Some(1));
    assert!(error.contains("has no node `server` to visit; its kernel nodes are client"), "{error}");
}
