//! Service discovery: instances of a service, the registry that knows which of them are well, and clients that ask it.
//!
//! ```text
//!   service-client ── A bookstore-service… ? ──► service-registry ── GET /health ──► http-server, http-server, …
//!        └──────────────────────── GET / ──────────────────────────────────────────────┘
//! ```
//!
//! The registry is a DNS server (`dns`) whose answers follow from checks over HTTP. Time is tokio's: in a simulation checks,
//! lifetimes and answers come at the same nanosecond, every time.

mod client;
mod health;
mod lookup;
mod registry;
#[cfg(test)]
mod tests;

use std::net::IpAddr;

use crate::app::host::Resolver;
use crate::app::{Destination, ProgramError};

pub(super) use client::ServiceClient;
pub(super) use lookup::{ServiceName, look_up};
pub(super) use registry::ServiceRegistry;

/// What is wrong with an instance, in the system's words.
fn trouble(error: &ProgramError) -> String {
    match error {
        ProgramError::Connect { error, .. } | ProgramError::Broken { error, .. } => error.to_string(),
        other => other.to_string(),
    }
}

/// The address of an instance, which stands in the lab file as a node and a port.
fn address_of(resolver: &Resolver, instance: &Destination) -> Result<IpAddr, ProgramError> {
    resolver.resolve(instance).map(|address| address.ip())
}
