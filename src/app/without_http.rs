//! The HTTP programs in a build without the feature `http`: they are known by name and say how to get them.

use super::run::Running;
use super::{ProgramError, Resolver, Url};

/// `http-server`.
pub(super) async fn serve(
    running: &Running,
    _port: u16,
    _path: &str,
    _body: &str,
    _ready: impl FnOnce(),
) -> Result<(), ProgramError> {
    Err(ProgramError::WithoutHttp { program: running.program })
}

/// `http-get`.
pub(super) async fn fetch(running: &Running, _resolver: &Resolver, _url: &Url) -> Result<(), ProgramError> {
    Err(ProgramError::WithoutHttp { program: running.program })
}
