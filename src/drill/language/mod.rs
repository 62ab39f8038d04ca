//! The packetdrill language: a script's text, and what it means.
//!
//! What lives here: the script as plain values ([`script`]) and the way there (`lexer`, `parser`), with errors that point at
//! the place ([`ParseError`]); the names that a script leaves open ([`Definitions`]). What does not: running it.

mod definitions;
mod error;
mod lexer;
mod parser;
pub mod python;
pub mod script;
pub mod shell;
#[cfg(test)]
mod tests;

pub use definitions::{DefinitionError, Definitions};
pub use error::ParseError;
