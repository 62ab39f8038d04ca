//! Namespaces, devices and real programs.
//!
//! A live run has real kernels in it: each linux node is a network namespace of its own. They are made, and kept, by
//! the **holder**: a small single-threaded process that is this very binary started again with a hidden first
//! argument.
//!
//! ```text
//!   main process                        outer holder                 inner holder
//!   ────────────                        ────────────                 ────────────
//!   Holder ── SOCK_SEQPACKET ─────────► unshare(user, mount,
//!   LinuxNode   requests, answers,      pid, net); fork ───────────► PID 1 and init of the PID namespace:
//!   Door        descriptors             waits for the inner          nodes, doors, sockets, programs
//! ```
//!
//! Why a process of its own: a threaded process may not make a user namespace, and only the death of a PID
//! namespace's init takes *every* process of a run down, grandchildren too. Whichever process is killed, the others
//! follow: the end of main is an end-of-file at the inner; the end of the outer is a signal (`PR_SET_PDEATHSIG`) and
//! an end-of-file at the inner; the end of the inner is seen by the outer's `wait`, and by main as
//! [`HolderError::Gone`]. Namespaces have no names anywhere; they end with the last process and descriptor in them. A
//! main process that outlives its holder therefore keeps them until it drops its doors and sockets.
//!
//! A program that is run in a node leads a session of its own, away from the terminal: Ctrl-C reaches the main process
//! alone, which decides what to do, and its end takes the programs along.
//!
//! What lives here: processes, namespaces, devices, kernel sockets, waiting for descriptors ([`wait`]), what this machine
//! can do ([`doctor`]), what a kernel tells of its connections ([`tcp_info`]). What does not: packets' contents, the run's clock.

pub mod chance;
pub(crate) mod child;
pub mod doctor;
mod doors;
mod error;
mod holder;
mod inside;
mod node;
mod relay;
pub mod tcp_info;
pub mod terminal;
pub mod wait;
mod wire;

pub use child::{Child, Exec, Exit, Lines, Process};
pub use doors::{DeviceDoor, VethDoor};
pub use error::{Errno, ExecError, HolderError};
pub use holder::{Holder, HolderConfig, RunAs};
pub use inside::holder_entry;
pub use node::{LinuxNode, NodeSetup, Route};
pub use relay::{Joined, Relay, Seat};
