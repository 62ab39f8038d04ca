//! A collection of resources, and a client that fetches, makes, replaces and removes them (RFC 9110 §9, RFC 9112).
//!
//! What lives here: the collection ([`server`]), a client that uses connections in four ways ([`client`]), and the one
//! way that hyper's client does not have ([`pipeline`]).

mod client;
mod pipeline;
mod server;
#[cfg(test)]
mod tests;

pub(in crate::app) use client::RestClient;
pub(in crate::app) use server::RestServer;
