//! What several integration tests need: the binary, a folder of one's own, and saying that a test cannot run here.

// Without the command line there is no binary, and most of this has nothing to work on.
#![cfg_attr(not(feature = "cli"), allow(dead_code))]

pub(crate) mod chain;
pub(crate) mod dump;
pub(crate) mod live;
pub(crate) mod spaced;
pub(crate) mod wireshark;

use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::atomic::{AtomicU32, Ordering};
use std::{env, fs, io, process};

use nix::unistd::Uid;

/// A folder that is removed with its value. Everybody may enter it.
pub(crate) struct Folder(PathBuf);

impl Folder {
    /// An empty one.
    pub(crate) fn new() -> Folder {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let name = format!("wireglass-{}-{}", process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        let path = env::temp_dir().join(name);
        fs::create_dir(&path).expect("a folder can be made in the temporary one");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).expect("it is ours");
        Folder(path)
    }

    /// Where it is.
    pub(crate) fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // What cannot be removed is left to the system's own cleaning.
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// The binary, called in `folder` with `arguments`, without anything of the caller's environment that alters its output.
pub(crate) fn wireglass(folder: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_wireglass"));
    command.args(arguments).current_dir(folder);
    for variable in ["NO_COLOR", "CLICOLOR", "CLICOLOR_FORCE", "SUDO_UID", "SUDO_GID", "PKEXEC_UID", "DOAS_USER"] {
        command.env_remove(variable);
    }
    command
}

/// Copies a program, for users to whom the build folder is closed.
///
/// Another program does it: this process forks in other threads, and a child that holds the new file open for writing,
/// if only until it becomes a program, lets nobody run it (`ETXTBSY`).
pub(crate) fn copy(from: &Path, to: &Path) {
    let status = Command::new("cp").args([from, to]).status().expect("every system has cp");
    assert!(status.success(), "{} can be copied to {}", from.display(), to.display());
}

/// What it printed, as text.
pub(crate) fn printed(output: &Output) -> (String, String) {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (text(&output.stdout), text(&output.stderr))
}

/// Says that the test `name` cannot run here, and why. With `CI=true` nothing may be skipped.
///
/// # Panics
/// With `CI=true`.
pub(crate) fn skip(name: &str, reason: &str) {
    assert!(env::var("CI").as_deref() != Ok("true"), "{name} may not be skipped in CI: {reason}");
    // Not `eprintln!`: the test harness would hide it, and scripts/test counts these lines.
    let _ = writeln!(io::stderr(), "skipped: {name}: {reason}");
}

/// Whether `program` is installed. Where it has to be (in CI, and for root, who can install it), its absence is a
/// failure; elsewhere the test `name` is skipped.
pub(crate) fn has(name: &str, program: &str) -> bool {
    let is_there =
        env::split_paths(&env::var_os("PATH").unwrap_or_default()).any(|folder| folder.join(program).is_file());
    if !is_there {
        assert!(!Uid::effective().is_root(), "{name} needs {program}: scripts/test installs it");
        skip(name, &format!("{program} is not installed"));
    }
    is_there
}
