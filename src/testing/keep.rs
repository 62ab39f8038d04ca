//! Where captures go.

use std::path::{Path, PathBuf};

use super::failure::Captures;
use super::plan::Plan;
use crate::capture::{Recorder, RecorderConfig};

/// Names the folder in which every run's captures are kept, failed or not.
const ALWAYS: &str = "WIREGLASS_CAPTURES";

/// The folder in which all captures are wanted; `None` when only those of failures are.
pub(super) fn wanted_always() -> Option<PathBuf> {
    std::env::var_os(ALWAYS).filter(|folder| !folder.is_empty()).map(PathBuf::from)
}

/// Writes the captures of a run; where the plan says nothing, into cargo's target folder.
pub(super) fn keep(plan: &Plan, recorder: &Recorder) -> Captures {
    let folder = wanted_always().or_else(|| plan.captures.clone()).unwrap_or_else(target_folder);
    let dir = folder.join(file_name(plan));
    match recorder.replay(RecorderConfig { dir: Some(dir), ..plan.recorder() }) {
        Ok(paths) => Captures::Written(paths),
        Err(error) => Captures::Lost(error),
    }
}

/// `target/wireglass` of the crate that is tested: a test's binary lies in `target/debug/deps`. Else a temporary folder.
fn target_folder() -> PathBuf {
    let program = std::env::current_exe().unwrap_or_default();
    let profile = |folder: &&Path| folder.join(".fingerprint").is_dir() || folder.join("deps").is_dir();
    let target = program.ancestors().skip(1).find(profile).and_then(Path::parent);
    target.map_or_else(std::env::temp_dir, Path::to_path_buf).join("wireglass")
}

/// The network's name, else the test's: that of its thread.
fn file_name(plan: &Plan) -> String {
    let thread = std::thread::current();
    let name = plan.name.as_deref().or(thread.name()).unwrap_or("network");
    let name = name.replace("::", ".");
    name.chars().map(|c| if c.is_ascii_alphanumeric() || "-_.".contains(c) { c } else { '-' }).collect()
}
