//! `wireglass list`: which labs there are.

use super::meant::ListTask;
use super::terminal::Terminal;
use super::{Failure, Outcome};

/// Lists the labs.
pub(super) fn list(task: &ListTask, terminal: &Terminal) -> Result<Outcome, Failure> {
    let _ = (task.json, terminal);
    Err(Failure::Input("this build has no labs".to_owned()))
}
