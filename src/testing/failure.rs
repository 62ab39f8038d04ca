//! What is left of a run that has failed.

use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::UnknownNode;
use crate::capture::RecorderError;
use crate::filter::FilterError;

/// A run that has failed, and where its captures are. Shown as it reads, also by the `Debug` that a test prints.
pub struct Failure {
    pub(super) cause: Cause,
    pub(super) captures: Option<Captures>,
}

/// Why a run has failed.
pub(super) enum Cause {
    /// The programs returned an error.
    Programs(Box<dyn std::error::Error + Send + Sync>),
    /// A program beside them did.
    Task { node: String, error: Box<dyn std::error::Error + Send + Sync> },
    /// A program beside them panicked.
    TaskPanic { node: String, words: String },
    /// They did not end.
    TooLong(Duration),
    /// It was started where tokio runs already.
    InsideRuntime,
    /// The system has failed underneath.
    System(std::io::Error),
}

/// The captures of a run, written.
pub(super) enum Captures {
    /// One file for each node, in their order.
    Written(Vec<PathBuf>),
    /// They could not be.
    Lost(RecorderError),
}

impl Failure {
    pub(super) fn early(cause: Cause) -> Failure {
        Failure { cause, captures: None }
    }

    /// The captures, one pcapng for each node in their order; empty when they could not be written.
    pub fn captures(&self) -> &[PathBuf] {
        match &self.captures {
            Some(Captures::Written(paths)) => paths,
            Some(Captures::Lost(_)) | None => &[],
        }
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Cause::Programs(error) => error.fmt(f),
            Cause::Task { node, error } => write!(f, "a program of `{node}` failed: {error}"),
            Cause::TaskPanic { node, words } => write!(f, "a program of `{node}` panicked: {words}"),
            Cause::TooLong(limit) => write!(
                f,
                "the run did not end within {} s of virtual time; look at what it waits for, or give it a longer limit",
                limit.as_secs()
            ),
            Cause::InsideRuntime => f.write_str(
                "a network brings its own runtime and cannot run inside another; write #[test] in place of #[tokio::test]",
            ),
            Cause::System(error) => write!(f, "the run broke off: {error}"),
        }
    }
}

impl fmt::Display for Captures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Captures::Lost(error) => write!(f, "its captures could not be written: {error}"),
            Captures::Written(paths) => {
                let Some(folder) = paths.first().and_then(|path| path.parent()) else {
                    return f.write_str("it has no node, and so no capture");
                };
                write!(f, "what each node saw is in {}; to look at it:", near(folder).display())?;
                for path in paths.iter().take(3) {
                    write!(f, "\n  wireglass show {path}      wireshark {path}", path = near(path).display())?;
                }
                match paths.len().saturating_sub(3) {
                    0 => Ok(()),
                    more => write!(f, "\n  and {more} more"),
                }
            }
        }
    }
}

/// A path as one would type it here.
fn near(path: &Path) -> &Path {
    std::env::current_dir().ok().and_then(|here| path.strip_prefix(here).ok()).unwrap_or(path)
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.cause.fmt(f)?;
        match &self.captures {
            Some(captures) => write!(f, "\n{captures}"),
            None => Ok(()),
        }
    }
}

impl fmt::Debug for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl std::error::Error for Failure {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match &self.cause {
            Cause::Programs(error) | Cause::Task { error, .. } => error.source(),
            Cause::System(error) => Some(error),
            Cause::TaskPanic { .. } | Cause::TooLong(_) | Cause::InsideRuntime => None,
        }
    }
}

/// Why packets could not be selected.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SelectError {
    /// No node has this name.
    #[error(transparent)]
    Node(#[from] UnknownNode),
    /// The filter makes no sense.
    #[error("the filter is not understood: {0}")]
    Filter(#[from] FilterError),
    /// The network has not run.
    #[error("the network has not run yet; nothing was seen")]
    NotRun,
    /// Memory holds a part of the packets only.
    #[error("the run was too long to be kept in memory, so that {0} packets of this node are not known")]
    NotKept(u64),
}
