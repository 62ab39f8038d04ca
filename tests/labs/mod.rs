//! The labs of this repository, run by the program as its users run it.

mod falsifiers;
mod goldens;

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use super::support::{Folder, printed, wireglass};

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
fn labs() -> Vec<PathBuf> {
    let all: Vec<PathBuf> = folders(&root().join("labs")).iter().flat_map(|theme| folders(theme)).collect();
    assert!(all.len() >= 3, "labs/ has the labs: {all:?}");
    all
}

/// The last part of a path, which is a lab's id.
fn id_of(folder: &Path) -> String {
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

impl Ran {
    /// Runs `lab` (a number, an id, or a folder) with further arguments into a folder of its own.
    fn of(lab: &str, arguments: &[&str]) -> Ran {
        Ran::with(lab, arguments, |_| ())
    }

    /// The same, after `prepare` has had a hand on the command.
    fn with(lab: &str, arguments: &[&str], prepare: impl FnOnce(&mut Command)) -> Ran {
        let folder = Folder::new();
        let mut command = wireglass(root(), &["run", lab, "--json", "--out"]);
        command.arg(folder.path()).args(arguments);
        prepare(&mut command);
        let output = command.output().expect("the binary starts");
        let (out, err) = printed(&output);
        let report = serde_json::from_str(&out).unwrap_or_else(|error| panic!("{command:?}: {error}: {out}{err}"));
        Ran { code: output.status.code(), report, folder }
    }

    /// One of its files.
    fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }
}
