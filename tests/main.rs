//! The one integration test binary; each module is a file beside this one.

mod architecture;
mod capture;
// They start the binary, which is built with its command line only.
#[cfg(feature = "cli")]
mod command_line;
#[cfg(feature = "cli")]
mod compare;
mod conformance;
mod drill;
mod filter;
mod forward;
#[cfg(feature = "cli")]
mod host;
#[cfg(feature = "cli")]
mod interop;
mod ip;
#[cfg(feature = "cli")]
mod labs;
#[cfg(feature = "cli")]
mod learner;
mod network;
mod robust;
mod sockets;
mod support;
#[cfg(feature = "cli")]
mod wireshark;
