//! The command line program. All of it lives in [`wireglass::cli`]; here only its end becomes an exit code.

use std::process::ExitCode;

use wireglass::cli::{self, Failure, complain};
use wireglass::host;

fn main() -> ExitCode {
    // Before anything else, while there is one thread only: is this the namespace holder of another wireglass?
    if let Some(code) = host::holder_entry() {
        return code;
    }
    match cli::run(std::env::args_os()) {
        Ok(outcome) => outcome.into(),
        // Whoever read our output (`| head`) has seen enough.
        Err(failure) if failure.is_broken_pipe() => ExitCode::SUCCESS,
        Err(Failure::Usage(usage)) => usage.exit(),
        Err(failure) => {
            complain(&failure);
            ExitCode::FAILURE
        }
    }
}
