//! Programs that labs name.

pub mod program;

pub use program::{Program, Size, Transport};
