//! The one integration-test binary.

mod host;
