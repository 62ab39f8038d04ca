//! A live run that is ended from outside, in the middle of a real program: nothing is left but readable captures.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use wireglass::capture::Reader;

use crate::support::{Folder, has, live, skip, wireglass};

/// Long enough for a machine out of breath; a run that is left over stays for ever.
const PATIENCE: Duration = Duration::from_secs(60);
const MARK: &str = "WIREGLASS_TEST_MARK";

/// A run in the middle of its last step: a shell with two children. Its page has been fetched before.
struct Victim {
    folder: Folder,
    main: Child,
    /// A number of seconds that only this run's programs sleep.
    mark: String,
    /// Every process of the run.
    processes: Vec<i32>,
    namespaces: BTreeSet<PathBuf>,
    interfaces: BTreeSet<String>,
    _turn: live::Turn,
}

impl Victim {
    fn start(test: &str) -> Option<Victim> {
        static NEXT: AtomicU32 = AtomicU32::new(1);
        let mark = format!("77{:07}{:02}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        let (folder, turn) = (Folder::new(), live::turn());
        fs::write(folder.path().join("lab.toml"), lab(&mark)).expect("the folder is ours");
        let interfaces = interfaces();
        let file = |name| File::create(folder.path().join(name)).expect("the folder is ours");
        let main = wireglass(folder.path(), &["run", "./lab.toml", "--mode", "live", "--out", "out"])
            .env(MARK, &mark)
            .stdin(Stdio::null())
            .stdout(file("stdout"))
            .stderr(file("stderr"))
            .spawn()
            .expect("the binary starts");
        let mut victim =
            Victim { folder, main, mark, processes: vec![], namespaces: [].into(), interfaces, _turn: turn };
        let deadline = Instant::now() + PATIENCE;
        while victim.sleepers() < 2 {
            if victim.main.try_wait().expect("our child").is_some() {
                let why = victim.text("stderr");
                assert!(why.contains("a live run is not possible here"), "{why}{}", victim.text("stdout"));
                skip(test, &why);
                return None;
            }
            assert!(Instant::now() < deadline, "the last step does not begin");
            thread::sleep(Duration::from_millis(5));
        }
        victim.processes = victim.marked();
        assert!(victim.processes.len() >= 6, "main, two holders, a shell and its two children: {:?}", victim.processes);
        let host = network_namespace(std::process::id().try_into().expect("a process id")).expect("our own");
        let entered = victim.processes.iter().filter_map(|pid| network_namespace(*pid));
        victim.namespaces = entered.filter(|namespace| *namespace != host).collect();
        assert!(!victim.namespaces.is_empty());
        Some(victim)
    }

    fn main(&self) -> i32 {
        self.main.id().try_into().expect("a process id")
    }

    fn outer(&self) -> i32 {
        self.child_of(self.main(), "__holder")
    }

    fn inner(&self) -> i32 {
        self.child_of(self.outer(), "__holder")
    }

    fn shell(&self) -> i32 {
        self.child_of(self.inner(), "sh")
    }

    fn child_of(&self, parent: i32, word: &str) -> i32 {
        let of_parent = |pid: &&i32| {
            fs::read_to_string(format!("/proc/{pid}/stat")).is_ok_and(|stat| {
                // `pid (name) state parent …`; a name may hold anything.
                let after_name = stat.rsplit_once(')').map(|(_, rest)| rest.to_owned()).unwrap_or_default();
                after_name.split_whitespace().nth(1) == Some(&parent.to_string())
            })
        };
        let is_named = |pid: &&i32| command_line(**pid).iter().any(|each| each == word);
        *self.processes.iter().filter(of_parent).find(is_named).expect("the process is there")
    }

    /// Processes that carry the mark in their environment or on their command line.
    fn marked(&self) -> Vec<i32> {
        let variable = format!("{MARK}={}", self.mark);
        let is_marked = |pid: &i32| {
            let environment = fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
            environment.split(|byte| *byte == 0).any(|each| each == variable.as_bytes())
                || command_line(*pid).iter().any(|word| word.contains(&self.mark))
        };
        all_processes().into_iter().filter(is_marked).collect()
    }

    fn sleepers(&self) -> usize {
        let sleeps = |pid: &i32| command_line(*pid) == ["sleep", &self.mark];
        all_processes().iter().filter(|pid| sleeps(pid)).count()
    }

    fn text(&self, file: &str) -> String {
        fs::read_to_string(self.folder.path().join(file)).expect("the run writes text")
    }

    /// Sends the signal, and waits until the run is over; nothing may be left of it. Returns how main ended.
    fn ends_by(&mut self, signal: Signal, target: i32) -> ExitStatus {
        kill(Pid::from_raw(target), signal).expect("the process is there");
        let deadline = Instant::now() + PATIENCE;
        let status = loop {
            // A dying process loses its environment, and so its mark, a little before it is dead.
            let mut left = self.marked();
            left.extend(self.processes.iter().filter(|pid| is_alive(**pid)));
            match self.main.try_wait().expect("our child") {
                Some(status) if left.is_empty() => break status,
                Some(_) | None => {}
            }
            assert!(Instant::now() < deadline, "left of {:?}: {left:?}", self.processes);
            thread::sleep(Duration::from_millis(10));
        };
        // The kernel gives the number of a namespace that has ended to the next one, which may be another test's for a while.
        while all_processes().into_iter().filter_map(network_namespace).any(|each| self.namespaces.contains(&each)) {
            assert!(Instant::now() < deadline, "a namespace is left");
            thread::sleep(Duration::from_millis(10));
        }
        assert_eq!(interfaces(), self.interfaces);
        status
    }

    /// Both captures can be read to their end and hold the whole conversation from before.
    fn left_its_captures(&self) {
        for node in ["client", "server"] {
            let path = self.folder.path().join("out").join(format!("{node}.pcapng"));
            let mut packets = Vec::new();
            for packet in Reader::open(&path).expect("a capture") {
                packets.push(packet.expect("no packet is cut").bytes);
            }
            let holds = |text: &[u8]| packets.iter().any(|bytes| bytes.windows(text.len()).any(|part| part == text));
            // The handshake, the request, the answer; the close may still have been under way.
            assert!(packets.len() >= 5, "{node}: {} packets", packets.len());
            assert!(holds(b"GET /page ") && holds(b"200 OK") && holds(b"from before the end"), "{node}");
            agrees_with_tshark(&path, packets.len());
        }
    }
}

/// The test has failed: leave nothing behind all the same.
impl Drop for Victim {
    fn drop(&mut self) {
        // Fails when it has ended, as it should have.
        let _ = self.main.kill();
        let _ = self.main.wait();
    }
}

fn lab(mark: &str) -> String {
    format!(
        r#"
        id      = "98-killed"
        title   = "Ended from outside"
        summary = "A page, then a program that does not end."
        minutes = 1
        seed    = 98
        [node.client]
        live = "linux"
        sim  = "stack"
        [node.server]
        live = "stack"
        sim  = "stack"
        [[link]]
        between = ["client", "server"]
        [[step]]
        on  = "server"
        run = {{ http-server = {{ port = 80, path = "/page", body = "from before the end" }} }}
        [[step]]
        on  = "client"
        run = {{ http-get = {{ url = "http://server/page" }} }}
        [[step]]
        on   = "client"
        run  = {{ http-get = {{ url = "http://server/page" }} }}
        exec = ["sh", "-c", "sleep {mark} & sleep {mark}"]
        [[expect]]
        id    = "the-program-ends"
        that  = "The program has ended"
        count = 'event.program == "sh" && event.report == "ended"'
        is    = 1
        [[expect]]
        id    = "one-syn"
        that  = "There is one connection"
        count = "tcp.flags.syn == 1 && tcp.flags.ack == 0"
        is    = 1
        "#
    )
}

/// Wireshark's reader finds the same packets and nothing to complain about.
fn agrees_with_tshark(path: &Path, packets: usize) {
    if !has("a look at the captures of a killed run", "tshark") {
        return;
    }
    let output = Command::new("tshark").arg("-r").arg(path).output().expect("tshark starts");
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(text.lines().count(), packets);
    assert!(text.contains("GET /page"), "{text}");
}

fn all_processes() -> Vec<i32> {
    let names = fs::read_dir("/proc").expect("proc").filter_map(|entry| entry.ok()?.file_name().into_string().ok());
    names.filter_map(|name| name.parse().ok()).collect()
}

fn command_line(pid: i32) -> Vec<String> {
    let words = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    let words = words.split(|byte| *byte == 0).filter(|word| !word.is_empty());
    words.map(|word| String::from_utf8_lossy(word).into_owned()).collect()
}

fn network_namespace(pid: i32) -> Option<PathBuf> {
    fs::read_link(format!("/proc/{pid}/ns/net")).ok()
}

fn is_alive(pid: i32) -> bool {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    !status.is_empty() && !status.contains("State:\tZ")
}

fn interfaces() -> BTreeSet<String> {
    let list = fs::read_dir("/sys/class/net").expect("sysfs");
    list.filter_map(|entry| entry.ok()?.file_name().into_string().ok()).collect()
}

#[test]
fn killing_main_leaves_captures_and_nothing_else() {
    let Some(mut victim) = Victim::start("killing_main_leaves_captures_and_nothing_else") else { return };
    let status = victim.ends_by(Signal::SIGKILL, victim.main());
    assert_eq!(status.code(), None);
    victim.left_its_captures();
}

#[test]
fn killing_the_outer_holder_fails_the_step_and_leaves_nothing() {
    let Some(mut victim) = Victim::start("killing_the_outer_holder_fails_the_step_and_leaves_nothing") else { return };
    let status = victim.ends_by(Signal::SIGKILL, victim.outer());
    assert_eq!(status.code(), Some(1), "{}", victim.text("stderr"));
    assert!(victim.text("stdout").contains("step 3 (sh on client) failed: "), "{}", victim.text("stdout"));
    victim.left_its_captures();
}

#[test]
fn killing_the_inner_holder_fails_the_step_and_leaves_nothing() {
    let Some(mut victim) = Victim::start("killing_the_inner_holder_fails_the_step_and_leaves_nothing") else { return };
    let status = victim.ends_by(Signal::SIGKILL, victim.inner());
    assert_eq!(status.code(), Some(1), "{}", victim.text("stderr"));
    assert!(victim.text("stdout").contains("step 3 (sh on client) failed: "), "{}", victim.text("stdout"));
    victim.left_its_captures();
}

#[test]
fn killing_a_program_fails_its_step_and_ends_its_children() {
    let Some(mut victim) = Victim::start("killing_a_program_fails_its_step_and_ends_its_children") else { return };
    let status = victim.ends_by(Signal::SIGKILL, victim.shell());
    assert_eq!(status.code(), Some(1), "{}", victim.text("stderr"));
    // Long lines are broken between words.
    let told = victim.text("stdout").split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(told.contains("step 3 (sh on client) failed: ") && told.contains("signal 9 ended it"), "{told}");
    assert!(told.contains("one-syn"), "the checks are judged all the same: {told}");
    victim.left_its_captures();
}

#[test]
fn ctrl_c_ends_a_run_with_its_verdicts() {
    let Some(mut victim) = Victim::start("ctrl_c_ends_a_run_with_its_verdicts") else { return };
    let status = victim.ends_by(Signal::SIGINT, victim.main());
    assert_eq!(status.code(), Some(130), "{}", victim.text("stderr"));
    let told = victim.text("stdout");
    assert!(told.contains("interrupted:") && told.contains("PASS") && told.contains("one-syn"), "{told}");
    assert!(!told.contains("FAIL"), "what was never tried is not refuted: {told}");
    victim.left_its_captures();
}

#[test]
fn a_run_that_is_told_to_end_leaves_nothing() {
    let Some(mut victim) = Victim::start("a_run_that_is_told_to_end_leaves_nothing") else { return };
    let status = victim.ends_by(Signal::SIGTERM, victim.main());
    assert!(!status.success());
    victim.left_its_captures();
}
