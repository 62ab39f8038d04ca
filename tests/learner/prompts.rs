//! Questions before a run, at a terminal and from a pipe.

use std::io::Write;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::process::Stdio;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::session::Session;
use super::{call, folder, learner, widest};
use crate::support::{printed, skip};

fn kept(folder: &Path) -> String {
    std::fs::read_to_string(folder.join("state/wireglass/answers.jsonl")).unwrap_or_default()
}

#[test]
fn at_a_terminal_the_lab_asks_first_and_marks_afterwards() {
    let folder = folder();
    let mut session = Session::start(folder.path(), &["run", "20", "--mode", "sim"]);
    session.until("a number, such as 7> ").types("eleven\n");
    session.until("a time, such as 5 ms or 1.5 s> ").types("soon\n");
    session.until("`soon` is not a time").types("40 ms\n");
    session.until("3. How many").types("\n");
    let (code, shown) = session.end();
    assert_eq!(code, Some(0), "{shown}");
    let (questions, run) = shown.split_once("no      time").expect("the ladder comes after the questions");
    assert!(questions.contains("3 questions before the run."), "{questions}");
    for told in [
        "RIGHT  How many segments",
        "you said eleven, the run says 11 · packets 4, 5",
        "WRONG  A round trip takes 40 ms.",
        "you said 40 ms, the run says 296 ms",
        "skipped, the run says 9",
        "1 of 2 right",
        "Next wireglass run 20 --break three-in-a-row",
    ] {
        assert!(run.contains(told), "{told}: {run}");
    }
    assert!(widest(&shown) <= 80, "{}", shown.lines().max_by_key(|line| line.chars().count()).unwrap_or_default());
    let kept = kept(folder.path());
    let kinds: Vec<&str> = kept.lines().filter_map(|line| line.split('"').nth(3)).collect();
    assert_eq!(kinds, ["answer", "answer", "run"], "{kept}");
    assert!(kept.contains(r#""said":"40 ms""#) && kept.contains(r#""asked":2,"right":1"#), "{kept}");
}

#[test]
fn what_was_done_is_remembered_and_the_next_thing_is_another() {
    let folder = folder();
    for (arguments, next) in [
        (&["run", "20", "--break", "three-in-a-row"][..], "Next wireglass run 20 --break lose-the-third"),
        (&["run", "20", "--break", "lose-the-third"], "Next wireglass run 21\n"),
        (&["run", "20"], "Next wireglass run 21\n"),
    ] {
        let session = Session::start(folder.path(), &[arguments, &["--mode", "sim", "--no-predict"]].concat());
        let (code, shown) = session.end();
        assert_eq!(code, Some(0), "{shown}");
        assert!(!shown.contains("before the run") && shown.contains(next), "{shown}");
        assert!(!shown.contains(&format!("Next wireglass {}\n", arguments.join(" "))), "not the same again: {shown}");
    }
    let (_, list, _) = call(folder.path(), &["list", "--track", "protocol"]);
    assert!(list.contains("✓ 20-rto-backoff") && list.contains("1 of "), "{list}");
    assert!(!list.contains("✓ 10-"), "{list}");
}

#[test]
fn the_end_of_input_skips_the_rest_and_the_lab_runs() {
    let folder = folder();
    let mut session = Session::start(folder.path(), &["run", "10", "--mode", "sim"]);
    session.until("a number, such as 7> ").types("\u{4}");
    let (code, shown) = session.end();
    assert_eq!(code, Some(0), "{shown}");
    assert!(shown.contains("skipped, the run says 3") && shown.contains("checks passed"), "{shown}");
}

#[test]
fn nobody_is_asked_who_cannot_type() {
    let folder = folder();
    let (code, shown) = Session::of(learner(folder.path(), &["run", "20", "--mode", "sim"]), false).end();
    assert_eq!(code, Some(0), "{shown}");
    assert!(!shown.contains("before the run") && shown.contains("checks passed"), "{shown}");
}

#[test]
fn ctrl_c_in_a_question_ends_the_program_and_nothing_has_run() {
    let folder = folder();
    let mut session = Session::start(folder.path(), &["run", "10", "--mode", "sim"]);
    session.until("a number, such as 7> ");
    let process = Pid::from_raw(i32::try_from(session.child.id()).expect("it is a process id"));
    kill(process, Signal::SIGINT).expect("it is ours");
    let (code, shown) = session.end();
    // Ended by the signal, which shells show as 130.
    assert_eq!(code, None, "{shown}");
    assert!(!folder.path().join("out").exists());
}

#[test]
fn from_a_pipe_nothing_is_asked_unless_it_is_wished() {
    let folder = folder();
    let (code, out, _) = call(folder.path(), &["run", "20", "--mode", "sim"]);
    assert_eq!(code, Some(0));
    assert!(!out.contains("Your predictions") && !out.contains("before the run"), "{out}");
    assert_eq!(kept(folder.path()), "", "a run that nobody watches is nobody's progress");
    let mut child = learner(folder.path(), &["run", "20", "--mode", "sim", "--predict", "--json"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the binary starts");
    child.stdin.take().expect("it is piped").write_all(b"11\n0.3 s\n").expect("it reads");
    let output = child.wait_with_output().expect("it ends");
    let (out, err) = printed(&output);
    let report: serde_json::Value = serde_json::from_str(&out).unwrap_or_else(|error| panic!("{error}: {out}{err}"));
    let right: Vec<&serde_json::Value> =
        report["predictions"].as_array().into_iter().flatten().map(|one| &one["right"]).collect();
    assert_eq!(right, [&true.into(), &true.into(), &serde_json::Value::Null], "{report:#}");
    assert!(err.contains("3 questions before the run."), "questions go beside the document: {err}");
}

#[test]
fn a_memory_that_cannot_be_written_costs_a_note_and_no_more() {
    let folder = folder();
    std::fs::write(folder.path().join("state"), "a file where a folder should be").expect("the folder is ours");
    let (code, shown) = Session::start(folder.path(), &["run", "20", "--mode", "sim", "--no-predict"]).end();
    assert_eq!(code, Some(0), "{shown}");
    assert!(shown.contains("note: your answers are not kept: "), "{shown}");
}

#[test]
fn under_sudo_the_memory_is_the_callers_own() {
    const NOBODY: u32 = 65_534;
    if !nix::unistd::Uid::effective().is_root() {
        return skip("under_sudo_the_memory_is_the_callers_own", "only root can act for another user");
    }
    let folder = folder();
    std::os::unix::fs::chown(folder.path(), Some(NOBODY), Some(NOBODY)).expect("root may");
    let mut child = learner(folder.path(), &["run", "20", "--mode", "sim", "--predict"])
        .env("SUDO_UID", NOBODY.to_string())
        .env("SUDO_GID", NOBODY.to_string())
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .expect("the binary starts");
    child.stdin.take().expect("it is piped").write_all(b"11\n").expect("it reads");
    assert!(child.wait().expect("it ends").success());
    let file = folder.path().join("state/wireglass/answers.jsonl");
    for path in [file.as_path(), file.parent().expect("it has one")] {
        let owner = std::fs::metadata(path).expect("it was made");
        assert_eq!((owner.uid(), owner.gid()), (NOBODY, NOBODY), "{}", path.display());
    }
    assert_eq!(std::fs::metadata(&file).expect("it was made").mode() & 0o777, 0o600, "answers are private");
}
