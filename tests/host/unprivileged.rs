//! The same tests once more, as a user without any privilege.

use std::env;
use std::fs;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use nix::unistd::Uid;

use super::config;
use crate::support::copy;

/// `nobody` on every Linux system.
const NOBODY: u32 = 65_534;

/// A directory that everybody may read, gone at the end.
struct Shared(PathBuf);

impl Drop for Shared {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

impl Shared {
    fn copy(&self, from: &Path, name: &str) -> PathBuf {
        let to = self.0.join(name);
        copy(from, &to);
        to
    }
}

#[test]
fn an_unprivileged_user_gets_the_same() {
    if !Uid::effective().is_root() {
        return;
    }
    let shared = Shared(env::temp_dir().join(format!("wireglass-test-{}", std::process::id())));
    fs::create_dir(&shared.0).expect("a fresh directory");
    // The build directory may be closed to others.
    let tests = shared.copy(&env::current_exe().expect("this binary"), "tests");
    let program = shared.copy(&config().program, "wireglass");
    let output = Command::new(tests)
        .args(["host::", "--test-threads", "2", "--skip", "unprivileged"])
        .env("WIREGLASS_TEST_PROGRAM", program)
        .current_dir("/")
        .gid(NOBODY)
        .uid(NOBODY)
        .output()
        .expect("the copy runs");
    let text = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{text}");
    assert!(!text.contains(" 0 passed"), "{text}");
}
