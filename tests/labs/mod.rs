//! The labs of this repository, run by the program as its users run it.

mod article;
mod broken;
mod busy;
mod determinism;
mod falsifiers;
mod filters;
mod flags;
mod formats;
mod goldens;
mod live;
mod stacks;
mod stories;

use std::ffi::OsStr;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;

use super::support::{Folder, wireglass};

/// The repository.
fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The folders in `folder`, by name; none when there is no such folder.
fn folders(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten();
    let mut found: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).filter(|path| path.is_dir()).collect();
    found.sort();
    found
}

/// The folder of every lab, by theme and number.
pub(super) fn labs() -> Vec<PathBuf> {
    let all: Vec<PathBuf> = folders(&root().join("labs")).iter().flat_map(|theme| folders(theme)).collect();
    assert!(all.len() >= 3, "labs/ has the labs: {all:?}");
    all
}

/// The last part of a path, which is a lab's id.
pub(super) fn id_of(folder: &Path) -> String {
    folder.file_name().and_then(OsStr::to_str).expect("labs have plain names").to_owned()
}

/// A run that is over.
struct Ran {
    /// The exit code.
    code: Option<i32>,
    /// What `--json` printed.
    report: Value,
    /// Where its files are.
    folder: Folder,
}

/// No measure of speed: what has not ended by then hangs.
const LIMIT: Duration = Duration::from_secs(300);

impl Ran {
    /// Runs `lab` (a number, an id, or a folder) with further arguments into a folder of its own.
    fn of(lab: &str, arguments: &[&str]) -> Ran {
        Ran::watched(lab, arguments, |_| ())
    }

    /// The same; meanwhile `watch` is called with the process's id, over and over.
    fn watched(lab: &str, arguments: &[&str], mut watch: impl FnMut(u32)) -> Ran {
        let (folder, told) = (Folder::new(), Folder::new());
        let file = |name: &str| File::create(told.path().join(name)).expect("the folder is ours");
        let mut command = wireglass(root(), &["run", lab, "--json", "--out"]);
        command.arg(folder.path()).args(arguments).stdout(file("out")).stderr(file("err"));
        let mut child = command.spawn().expect("the binary starts");
        let start = Instant::now();
        let status = loop {
            if let Some(status) = child.try_wait().expect("it is ours") {
                break status;
            }
            if start.elapsed() > LIMIT {
                child.kill().expect("it is ours");
                child.wait().expect("it is ours");
                panic!("{command:?} has not ended after {LIMIT:?}");
            }
            watch(child.id());
            thread::sleep(Duration::from_millis(50));
        };
        let text = |name: &str| fs::read_to_string(told.path().join(name)).expect("it was written as UTF-8");
        let report = serde_json::from_str(&text("out"))
            .unwrap_or_else(|error| panic!("{command:?}: {error}: {}{}", text("out"), text("err")));
        Ran { code: status.code(), report, folder }
    }

    /// One of its files.
    fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }
}
