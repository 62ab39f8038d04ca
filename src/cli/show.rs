//! `wireglass show`: any capture file, explained.

use super::meant::ShowTask;
use super::terminal::Terminal;
use super::{Failure, Outcome};

/// Explains a capture.
pub(super) fn show(task: &ShowTask, terminal: &Terminal) -> Result<Outcome, Failure> {
    let _ = terminal;
    Err(Failure::Input(format!("{} cannot be read by this build", task.file.display())))
}
