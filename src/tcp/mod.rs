//! TCP, as RFC 9293 and its companions have it: an engine that does no I/O, reads no clock and knows nothing of IP.
//!
//! It takes segments in and yields segments; how they travel is the business of `ip`, and the stack joins the two.

mod config;

pub use config::{Config, Congestion, Ecn};
