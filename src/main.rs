//! The command line program.

use std::process::ExitCode;

fn main() -> ExitCode {
    // Before anything else, while there is one thread only: is this the namespace holder of another wireglass?
    if let Some(code) = wireglass::host::holder_entry() {
        return code;
    }
    ExitCode::SUCCESS
}
