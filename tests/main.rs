//! The one integration-test binary.

// They start the binary, which is built with its command line only.
#[cfg(feature = "cli")]
mod host;
