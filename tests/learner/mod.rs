//! What makes a run a lesson: questions and marks, breaks beside the lab, guides, captures from elsewhere, labs of one's own.

mod breaks;
mod elsewhere;
mod guides;
mod ladders;
mod own;
mod prompts;
mod reference;
mod session;
mod shell;

use std::ffi::OsStr;
use std::path::Path;
use std::process::{Command, Stdio};

use super::support::{Folder, printed, wireglass};

/// The program in `folder`, which also keeps what learners have answered.
fn learner(folder: &Path, arguments: &[&str]) -> Command {
    let mut command = wireglass(folder, arguments);
    command.env("XDG_STATE_HOME", folder.join("state")).env("SHELL", "/bin/sh").stdin(Stdio::null());
    for variable in ["LC_ALL", "LC_CTYPE", "LANG"] {
        command.env_remove(variable);
    }
    command
}

/// Its exit code, what it printed, what it complained of.
fn call(folder: &Path, arguments: &[&str]) -> (Option<i32>, String, String) {
    let output = learner(folder, arguments).output().expect("the binary starts");
    let (out, err) = printed(&output);
    (output.status.code(), out, err)
}

/// Columns of the widest line but those that are there to be pasted.
fn widest(text: &str) -> usize {
    let lines = text.lines().filter(|line| !line.contains("filter: ") && !line.starts_with("open the capture: "));
    lines.map(|line| line.chars().count()).max().unwrap_or(0)
}

/// A folder of one's own, and in it whatever a call leaves.
fn folder() -> Folder {
    Folder::new()
}

/// A file below a folder, as an argument.
fn argument(path: &Path) -> &str {
    OsStr::to_str(path.as_os_str()).expect("test folders have plain names")
}
