//! `wireglass drill`: packetdrill scripts, run in virtual time against a stack.
//!
//! A script says which packets come in, which system calls are made, and which packets must come out, when. Nothing
//! sleeps and nothing touches a kernel: the script's clock is the only one, so a script of ten minutes takes milliseconds.
//!
//! The language is that of google's packetdrill, read from its documentation and its behaviour.

pub mod language;
pub mod packets;
pub mod posix;
pub mod report;
pub mod run;
