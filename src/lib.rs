//! wireglass: a TCP/IP stack you can see through.
//!
//! Five nouns carry everything: **node**, **link**, **stack**, **journal**, **lab**. ARCHITECTURE.md is the map of the
//! rooms below and of the floors they stand on; a test keeps it true.

pub mod app;
pub mod bench;
pub mod capture;
pub mod check;
#[cfg(feature = "cli")]
pub mod cli;
pub mod door;
pub mod drill;
pub mod filter;
pub mod forward;
pub mod host;
pub mod ip;
pub mod journal;
pub mod lab;
pub mod link;
pub mod measure;
pub mod network;
pub mod packet;
pub mod report;
pub mod rng;
pub mod socket;
pub mod stack;
pub mod tcp;
pub mod testing;
pub mod time;
pub mod transport;
pub mod udp;

pub use testing::{Failure, Link, Network};
