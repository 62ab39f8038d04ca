//! The one integration test binary; each module is a file beside this one.

mod architecture;
mod capture;
mod command_line;
mod filter;
mod host;
mod support;
