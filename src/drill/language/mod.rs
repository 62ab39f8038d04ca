//! The packetdrill language: a script's text, and what it means.
//!
//! What lives here: the script as plain values ([`script`]). What does not: running it.

pub mod script;
