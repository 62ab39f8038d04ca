//! Whatever is killed, nothing is left: no process, no namespace, no descriptor.

use std::collections::HashSet;
use std::env;
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use wireglass::host::{Exec, Holder, HolderError, NodeSetup};

use super::{config, holder};

const PATIENCE: Duration = Duration::from_secs(20);
const MARK: &str = "WIREGLASS_TEST_MARK";

/// Not a test of its own: the main process that other tests kill. Runs a program with a child, a grandchild in a
/// session of its own and an orphan, then waits for its end or its holder's.
#[test]
#[ignore = "the process that other tests start and kill"]
fn the_victim() {
    let (Ok(mark), Some(holder)) = (env::var(MARK), holder(config())) else { return };
    let (node, _door) = holder.add_node(NodeSetup::named("client")).expect("a node");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let script = "sleep 1000 & (setsid sleep 1000 & setsid sh -c 'sleep 1000 & wait' &) ; echo started; wait";
    let exec =
        Exec { argv: vec!["sh".into(), "-c".into(), script.into()], env: vec![(MARK.into(), mark)], ..Exec::default() };
    runtime.block_on(async {
        let mut child = node.exec(exec).expect("sh runs");
        child.stdout.as_mut().expect("not taken").next_line().await.expect("a pipe");
        say(&format!("outer {}", holder.process_id()));
        // An error: the holder is gone. A result: the program is.
        let ended = child.wait().await;
        say(&format!("ended {}", ended.is_ok()));
        while node.tcp_socket(false).is_ok() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    });
    assert_eq!(node.tcp_socket(false).map(|_| ()), Err(HolderError::Gone));
    say("gone");
}

/// Past the test harness, which holds back what a test prints.
fn say(text: &str) {
    let mut out = std::io::stdout().lock();
    out.write_all(format!("victim: {text}\n").as_bytes()).expect("a pipe");
    out.flush().expect("a pipe");
}

/// A running victim.
struct Victim {
    main: Child,
    output: BufReader<std::process::ChildStdout>,
    mark: String,
    outer: i32,
}

impl Victim {
    fn start(name: &str) -> Option<Victim> {
        drop(holder(config())?);
        let mark = format!("{name}-{}", std::process::id());
        let mut main = Command::new(env::current_exe().expect("this binary"))
            .args(["--exact", "host::processes::the_victim", "--ignored", "--nocapture"])
            .env(MARK, &mark)
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("this binary runs");
        let output = BufReader::new(main.stdout.take().expect("piped"));
        let mut victim = Victim { main, output, mark, outer: 0 };
        victim.outer = victim.hear("outer ").parse().expect("a process id");
        // The shell's children exist a little before they have become what they are to be.
        let deadline = Instant::now() + PATIENCE;
        while victim.processes().len() < 8 {
            assert!(Instant::now() < deadline, "main, outer, inner, sh and four below it");
            thread::sleep(Duration::from_millis(5));
        }
        Some(victim)
    }

    /// The rest of the first line that starts so.
    fn hear(&mut self, start: &str) -> String {
        let mut line = String::new();
        while self.output.read_line(&mut line).expect("a pipe") > 0 {
            if let Some((_, rest)) = line.split_once(&format!("victim: {start}")) {
                return rest.trim().to_owned();
            }
            line.clear();
        }
        panic!("the victim ended before it said {start:?}");
    }

    /// Every process of the run, found by the mark in its environment.
    fn processes(&self) -> Vec<i32> {
        let mark = format!("{MARK}={}", self.mark);
        let marked = |pid: &i32| {
            let environment = fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
            environment.split(|byte| *byte == 0).any(|variable| variable == mark.as_bytes())
        };
        all_processes().into_iter().filter(marked).collect()
    }

    fn namespaces(&self) -> HashSet<PathBuf> {
        let host = fs::read_link("/proc/self/ns/net").expect("our own");
        self.processes().into_iter().filter_map(network_namespace).filter(|namespace| *namespace != host).collect()
    }

    /// The inner holder: the outer's only child.
    fn inner(&self) -> i32 {
        children(self.outer).first().copied().expect("the outer has a child")
    }

    /// The program that was run: the inner's child that leads the others.
    fn program(&self) -> i32 {
        let is_program = |pid: &i32| {
            let words = fs::read_to_string(format!("/proc/{pid}/cmdline")).unwrap_or_default();
            words.contains("echo started")
        };
        children(self.inner()).into_iter().find(is_program).expect("the program runs")
    }

    /// Kills one process and asserts that in the end there is none, nor any of the namespaces they were in.
    fn leaves_nothing_when_killed(mut self, target: i32) {
        let namespaces = self.namespaces();
        assert!(!namespaces.is_empty());
        let before = self.processes();
        kill(Pid::from_raw(target), Signal::SIGKILL).expect("it runs");
        let deadline = Instant::now() + PATIENCE;
        loop {
            // A dying process loses its environment, and so its mark, a little before it is dead.
            let main_ended = self.main.try_wait().expect("our child").is_some();
            let mut left = self.processes();
            left.extend(before.iter().filter(|pid| is_alive(**pid)));
            if main_ended && left.is_empty() {
                break;
            }
            assert!(Instant::now() < deadline, "{left:?} are left after the end of {target}, of {before:?}");
            thread::sleep(Duration::from_millis(20));
        }
        // The kernel gives the number of a namespace that has ended to the next one, which may be another test's for a while.
        while all_processes().into_iter().filter_map(network_namespace).any(|each| namespaces.contains(&each)) {
            assert!(Instant::now() < deadline, "a namespace is left");
            thread::sleep(Duration::from_millis(20));
        }
    }
}

/// The test failed: leave nothing behind all the same.
impl Drop for Victim {
    fn drop(&mut self) {
        let _ = self.main.kill();
        let _ = self.main.wait();
    }
}

fn all_processes() -> Vec<i32> {
    let names = fs::read_dir("/proc").expect("proc").filter_map(|entry| entry.ok()?.file_name().into_string().ok());
    names.filter_map(|name| name.parse().ok()).collect()
}

fn network_namespace(pid: i32) -> Option<PathBuf> {
    fs::read_link(format!("/proc/{pid}/ns/net")).ok()
}

fn is_alive(pid: i32) -> bool {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    !status.is_empty() && !status.contains("State:\tZ")
}

fn children(pid: i32) -> Vec<i32> {
    let list = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap_or_default();
    list.split_whitespace().filter_map(|word| word.parse().ok()).collect()
}

#[test]
fn killing_main_takes_everything_down() {
    let Some(victim) = Victim::start("main") else { return };
    let target = victim.main.id().try_into().expect("a process id");
    victim.leaves_nothing_when_killed(target);
}

#[test]
fn killing_the_outer_holder_takes_everything_down() {
    let Some(victim) = Victim::start("outer") else { return };
    let target = victim.outer;
    victim.leaves_nothing_when_killed(target);
}

#[test]
fn killing_the_inner_holder_takes_everything_down() {
    let Some(victim) = Victim::start("inner") else { return };
    let target = victim.inner();
    victim.leaves_nothing_when_killed(target);
}

#[test]
fn killing_a_program_leaves_its_children_to_the_end_of_the_run() {
    let Some(mut victim) = Victim::start("program") else { return };
    kill(Pid::from_raw(victim.program()), Signal::SIGKILL).expect("it runs");
    assert_eq!(victim.hear("ended "), "true");
    let main = victim.main.id().try_into().expect("a process id");
    assert!(victim.processes().len() >= 7, "main, the holders and orphans");
    kill(Pid::from_raw(main), Signal::SIGKILL).expect("it runs");
    let deadline = Instant::now() + PATIENCE;
    while victim.main.try_wait().expect("our child").is_none() || !victim.processes().is_empty() {
        assert!(Instant::now() < deadline, "{:?} are left", victim.processes());
        thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn dropping_a_holder_ends_its_programs_before_it_returns() {
    let Some(holder) = holder(config()) else { return };
    let outer = i32::try_from(holder.process_id()).expect("a process id");
    let inner = children(outer);
    assert_eq!(inner.len(), 1);
    let (node, _door) = holder.add_node(NodeSetup::named("client")).expect("a node");
    drop(holder);
    assert!(!is_alive(outer) && !is_alive(inner[0]));
    assert_eq!(node.tcp_socket(false).map(|_| ()), Err(HolderError::Gone));
}

/// Not a test of its own: counts descriptors, so it needs a process without other tests.
#[test]
#[ignore = "run by another test in a process of its own"]
fn descriptors_before_and_after_twenty_holders() {
    let descriptors = || fs::read_dir("/proc/self/fd").expect("proc").count();
    let cycle = || {
        let holder = Holder::start(config()).expect("a holder");
        let (node, _door) = holder.add_node(NodeSetup::named("client")).expect("a node");
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        let argv = vec!["true".to_owned()];
        let mut child = runtime.block_on(async { node.exec(Exec { argv, ..Exec::default() }) }).expect("it starts");
        assert!(runtime.block_on(child.wait()).expect("the holder tells").success());
    };
    cycle();
    let before = descriptors();
    (0..20).for_each(|_| cycle());
    assert_eq!(descriptors(), before);
}

#[test]
fn twenty_holders_leak_no_descriptor() {
    if holder(config()).is_none() {
        return;
    }
    let output = Command::new(env::current_exe().expect("this binary"))
        .args(["--exact", "host::processes::descriptors_before_and_after_twenty_holders", "--ignored"])
        .output()
        .expect("this binary runs");
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && text.contains("1 passed"), "{text}");
}

#[test]
fn a_holder_started_by_hand_ends_at_once() {
    let status = Command::new(config().program).arg("__holder").stdin(Stdio::null()).status().expect("it runs");
    assert_eq!(status.code(), Some(2));
}
