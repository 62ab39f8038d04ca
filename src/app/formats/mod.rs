//! The same objects as JSON, XML and Protocol Buffers: a server that has them in all three, and a client that reads them.
//!
//! What lives here: a post in each format ([`post`]), the server, the client. What does not: HTTP (`http`), and how bodies
//! are packed (`http/coding.rs`).

mod client;
mod post;
mod server;
#[cfg(test)]
mod tests;

pub(super) use client::PostsClient;
pub(super) use server::PostsServer;
