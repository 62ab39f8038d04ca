//! What a learner has answered and run: one line of JSON each, in `wireglass/answers.jsonl` of the state folder.
//!
//! The folder is the XDG base directory specification's: `$XDG_STATE_HOME`, else `~/.local/state`. Under sudo it is the
//! caller's home, and the file the caller's. Nothing depends on this file: what cannot be read is not there, and what
//! cannot be written is told once.

use std::env;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use nix::unistd::{Uid, User};
use serde::{Deserialize, Serialize};

use crate::capture::append;
use crate::host::RunAs;
use crate::lab::Mode;

/// Octets that are read of it at most: many years of learning.
const LIMIT: usize = 16 << 20;

/// One line.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub(in crate::cli) enum Line {
    /// A question was answered, before the run.
    Answer {
        /// Seconds since 1970-01-01 UTC.
        at: u64,
        /// The lab's id.
        lab: String,
        /// The break, if there was one.
        variant: Option<String>,
        /// The question.
        ask: String,
        /// The answer as it was typed.
        said: String,
    },
    /// A lab was run to its end.
    Run {
        /// Seconds since 1970-01-01 UTC.
        at: u64,
        /// The lab's id.
        lab: String,
        /// The break, if there was one.
        variant: Option<String>,
        /// `live` or `sim`.
        mode: String,
        /// The seed.
        seed: u64,
        /// Whether all went as it should.
        passed: bool,
        /// How many predictions were given.
        asked: usize,
        /// How many of them were right.
        right: usize,
    },
}

/// The memory.
#[derive(Debug, Default)]
pub(in crate::cli) struct Progress {
    /// Where it is; `None` when there is no home.
    file: Option<PathBuf>,
    /// In whose name it is written.
    owner: Option<(u32, u32)>,
    lines: Vec<Line>,
    /// Why it could not be written.
    problem: Option<String>,
}

impl Progress {
    /// Reads what there is.
    pub(in crate::cli) fn open() -> Progress {
        let caller = RunAs::caller();
        let home = match &caller {
            Some(caller) => User::from_uid(Uid::from_raw(caller.uid)).ok().flatten().map(|user| user.dir),
            None => env::var_os("HOME").map(PathBuf::from),
        };
        let file = file_in(env::var_os("XDG_STATE_HOME").map(PathBuf::from), home);
        let lines = file.as_deref().map(read).unwrap_or_default();
        Progress { file, owner: caller.map(|caller| (caller.uid, caller.gid)), lines, problem: None }
    }

    /// Remembers a line.
    pub(in crate::cli) fn add(&mut self, line: Line) {
        let written = match (&self.file, serde_json::to_string(&line)) {
            (Some(file), Ok(text)) => append(file, format!("{text}\n").as_bytes(), self.owner)
                .map_err(|error| format!("{}: {error}", file.display())),
            (None, _) => Err("there is no home folder ($HOME, or $XDG_STATE_HOME)".to_owned()),
            (_, Err(error)) => Err(error.to_string()),
        };
        if let Err(problem) = written {
            self.problem.get_or_insert(problem);
        }
        self.lines.push(line);
    }

    /// Why not all of it could be kept, as a sentence; `None` when it was.
    pub(in crate::cli) fn note(&self) -> Option<String> {
        self.problem.as_ref().map(|problem| format!("your answers are not kept: {problem}"))
    }

    /// Whether the lab, as it is, was run with every check passing.
    pub(in crate::cli) fn has_passed(&self, id: &str) -> bool {
        self.lines.iter().any(|line| matches!(line, Line::Run { lab, variant: None, passed: true, .. } if lab == id))
    }

    /// Whether a break of the lab was run.
    pub(in crate::cli) fn has_tried(&self, id: &str, name: &str) -> bool {
        self.lines
            .iter()
            .any(|line| matches!(line, Line::Run { lab, variant: Some(variant), .. } if lab == id && variant == name))
    }
}

/// Seconds since 1970-01-01 UTC.
pub(in crate::cli) fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map(|since| since.as_secs()).unwrap_or_default()
}

/// `live` or `sim`.
pub(in crate::cli) const fn mode_name(mode: Mode) -> &'static str {
    match mode {
        Mode::Live => "live",
        Mode::Sim => "sim",
    }
}

/// The specification ignores relative paths.
fn file_in(state: Option<PathBuf>, home: Option<PathBuf>) -> Option<PathBuf> {
    let usable = |path: &PathBuf| path.is_absolute();
    let state = state.filter(usable).or_else(|| home.filter(usable).map(|home| home.join(".local/state")));
    state.map(|state| state.join("wireglass/answers.jsonl"))
}

fn read(file: &Path) -> Vec<Line> {
    let text = std::fs::metadata(file)
        .ok()
        .filter(|found| found.is_file() && found.len() <= LIMIT as u64)
        .and_then(|_| std::fs::read(file).ok())
        .unwrap_or_default();
    String::from_utf8_lossy(&text).lines().filter_map(|line| serde_json::from_str(line).ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ran(lab: &str, variant: Option<&str>, passed: bool) -> Line {
        Line::Run {
            at: 1,
            lab: lab.to_owned(),
            variant: variant.map(str::to_owned),
            mode: "sim".to_owned(),
            seed: 20,
            passed,
            asked: 2,
            right: 1,
        }
    }

    #[test]
    fn the_file_is_where_the_xdg_specification_puts_it() {
        let path = |text: &str| Some(PathBuf::from(text));
        let table = [
            (path("/state"), path("/home/a"), path("/state/wireglass/answers.jsonl")),
            (None, path("/home/a"), path("/home/a/.local/state/wireglass/answers.jsonl")),
            (path("relative"), path("/home/a"), path("/home/a/.local/state/wireglass/answers.jsonl")),
            (path(""), None, None),
        ];
        for (state, home, file) in table {
            assert_eq!(file_in(state.clone(), home.clone()), file, "{state:?} {home:?}");
        }
    }

    #[test]
    fn lines_that_are_none_are_not_there_and_the_others_are() {
        let folder = env::temp_dir().join(format!("wireglass-progress-{}", std::process::id()));
        let file = folder.join("deep/answers.jsonl");
        let mut progress = Progress { file: Some(file.clone()), ..Progress::default() };
        progress.add(ran("20-rto-backoff", None, false));
        append(&file, b"{ no line\n", None).expect("it is ours");
        progress.add(ran("20-rto-backoff", Some("three-in-a-row"), true));
        let again = Progress { lines: read(&file), ..Progress::default() };
        std::fs::remove_dir_all(&folder).expect("it is ours");
        assert_eq!((again.lines.len(), progress.note()), (2, None));
        assert!(!again.has_passed("20-rto-backoff"), "a break that passed is not the lab");
        assert!(again.has_tried("20-rto-backoff", "three-in-a-row") && !again.has_tried("20-rto-backoff", "other"));
        progress.lines.push(ran("20-rto-backoff", None, true));
        assert!(progress.has_passed("20-rto-backoff") && !progress.has_passed("10-three-way-handshake"));
    }

    #[test]
    fn what_cannot_be_written_is_told_and_remembered_all_the_same() {
        let mut progress = Progress { file: Some("/proc/no/such/file".into()), ..Progress::default() };
        progress.add(ran("20-rto-backoff", None, true));
        assert!(
            progress.note().is_some_and(|note| note.starts_with("your answers are not kept: /proc/no/such/file: "))
        );
        assert!(progress.has_passed("20-rto-backoff"));
    }
}
