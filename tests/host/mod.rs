//! Namespaces, doors and programs on the real kernel.
//!
//! Where the machine does not allow them, these tests say so and pass; with `WIREGLASS_REQUIRE_LIVE` set they fail
//! instead. As root, one of them runs all the others again as an unprivileged user.

mod apps;
mod doors;
mod processes;
mod programs;
mod unprivileged;

use std::env;
use std::path::PathBuf;

use wireglass::door::{Door, DoorKind};
use wireglass::host::{Holder, HolderConfig, HolderError, LinuxNode, NodeSetup};

/// Programs run as whoever runs the tests.
fn config() -> HolderConfig {
    let program = env::var_os("WIREGLASS_TEST_PROGRAM").unwrap_or_else(|| env!("CARGO_BIN_EXE_wireglass").into());
    HolderConfig { program: PathBuf::from(program), run_as: None, ..HolderConfig::default() }
}

/// A holder with that configuration; `None` (and why, on standard error) where the machine does not allow one.
fn holder(config: HolderConfig) -> Option<Holder> {
    match Holder::start(config) {
        Ok(holder) => Some(holder),
        Err(error @ (HolderError::UserNamespaces { .. } | HolderError::Namespaces { .. })) => skip(&error),
        Err(error) => panic!("{error}"),
    }
}

/// A node with that door; `None` where the machine does not allow it.
fn node(holder: &Holder, setup: NodeSetup) -> Option<(LinuxNode, Box<dyn Door>)> {
    let door = setup.door;
    match holder.add_node(setup) {
        Ok(made) => Some(made),
        Err(error @ (HolderError::TunClosed | HolderError::TunMissing)) if door != Some(DoorKind::Veth) => {
            skip_door(&error)
        }
        Err(error) => panic!("{error}"),
    }
}

fn skip<T>(why: &HolderError) -> Option<T> {
    assert!(env::var_os("WIREGLASS_REQUIRE_LIVE").is_none(), "a live run is required here, but: {why}");
    super::support::skip("a test of live runs", &why.to_string());
    None
}

/// A closed device is what a user without rights meets, and the veth tests stand for it; root has no such excuse.
// Printed for whoever runs the test alone; the harness keeps it to itself otherwise.
#[allow(clippy::print_stderr)]
fn skip_door<T>(why: &HolderError) -> Option<T> {
    assert!(!nix::unistd::Uid::effective().is_root(), "{why}");
    eprintln!("this door is closed here: {why}");
    None
}
