//! HTTP/3 over QUIC (RFC 9000, RFC 9114), and a client that asks for several pages at once over either transport.
//!
//! ```text
//!  streams-get ──► QUIC ──► http3-server       each stream is delivered on its own
//!              └─► TCP ───► http-server        HTTP/2: streams of octets that are delivered in one order
//! ```
//!
//! quinn speaks QUIC and h3 HTTP/3, both as they are; what they are given stands here: a socket of either world
//! (`socket`), the run's own cryptography and randomness (`endpoint`), and a look at each packet before it is sealed and
//! after it was opened (`seal`, `frames`), since nothing else of QUIC can be seen from outside.

mod client;
mod endpoint;
mod frames;
mod quic_get;
mod seal;
mod server;
mod socket;
#[cfg(test)]
mod tests;

/// What settings are answered with that have older versions of TLS (RFC 9001 §4.2).
const NEEDS_TLS_1_3: &str = "QUIC has TLS 1.3 in it and no other: write `versions = [\"1.3\"]`, or leave them out";

pub(super) use client::StreamsGet;
pub(super) use server::Http3Server;
