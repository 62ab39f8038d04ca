//! One live run at a time on this machine.
//!
//! Live tests share the kernel and the wall clock. One after the other, none of them starves another, and what one
//! leaves behind cannot be taken for another's.

use std::fs::{File, OpenOptions};
use std::os::unix::fs::OpenOptionsExt as _;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::{env, io};

/// The turn of one live test; it ends with the value.
pub(crate) struct Turn {
    // In this order: the file lock goes before another thread of this process may ask for it.
    _machine: File,
    _process: MutexGuard<'static, ()>,
}

/// Waits until no other live test runs, in this process or in another.
pub(crate) fn turn() -> Turn {
    static PROCESS: Mutex<()> = Mutex::new(());
    // A live test that has failed says so itself.
    let process = PROCESS.lock().unwrap_or_else(PoisonError::into_inner);
    let machine = lock_file().expect("the temporary folder takes a lock file");
    machine.lock().expect("a file can be locked");
    Turn { _machine: machine, _process: process }
}

/// The lock file, whoever made it: a lock needs no more than reading.
fn lock_file() -> io::Result<File> {
    let path = env::temp_dir().join("wireglass-live-tests.lock");
    // Opened before made: in a sticky folder a system may refuse even root a `create` of a file that is another's.
    match File::open(&path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        opened => return opened,
    }
    match OpenOptions::new().write(true).create_new(true).mode(0o644).open(&path) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => File::open(&path),
        made => made,
    }
}
