//! The Domain Name System: `dns-server` knows names, `dns-resolver` finds them out, `dns-lookup` asks (RFC 1034, RFC 1035).
//!
//! ```text
//!  dns-lookup, dig ──► dns-resolver ──► dns-server
//!                      cache, retries   zones
//! ```
//!
//! What lives here: who answers what, and what is remembered for how long. What does not: messages and master files, which
//! are hickory-proto's. Its server is not used: it takes tokio's sockets alone, and what a lab shows is the very order in
//! which an answer is looked for ([`zone`]).

pub(super) mod ask;
mod cache;
mod lookup;
pub(super) mod message;
mod resolver;
pub(super) mod serve;
mod server;
#[cfg(feature = "http")]
mod stub;
#[cfg(test)]
mod tests;
mod zone;

pub(super) use lookup::DnsLookup;
pub(super) use resolver::DnsResolver;
pub(super) use server::DnsServer;
#[cfg(feature = "http")]
pub(super) use stub::address_of;
