//! A script's packets and the stack's, brought together.
//!
//! ```text
//!   script            mapping              stack
//!   < . 1:1(0) ──► ISNs, TS, SACK ──► build ──► bytes in
//!   > P. 1:9(8) ◄── ISNs, TS, SACK ◄── read ◄── bytes out
//!        └── compare ──┘ (after glue: consecutive segments that the script writes as one)
//! ```
//!
//! What lives here: bytes of an inbound packet ([`build`]), what an outbound one says ([`read`]), the numbers of one
//! connection ([`mapping`]), several segments taken as one ([`glue`]), the differences ([`compare`]), and packets in the
//! script's own words ([`notation`]). What does not: time, system calls, the order of things (`run`).

pub mod build;
pub mod compare;
pub mod connections;
pub mod glue;
pub mod icmp;
pub mod mapping;
pub mod notation;
pub mod options;
pub mod pattern;
pub mod read;
#[cfg(test)]
mod testing;
