//! Who calls, and what they may: a server that asks both questions, and a client that answers them well or badly.
//!
//! ```text
//!   name and password ──► session cookie, JWT ─┐
//!   client credentials (OAuth 2.0) ─────► JWT ─┼─► authentication ─► authorization ─► 200
//!   API key ───────────────────────────────────┘        │ 401              │ 403
//! ```

mod client;
mod server;
#[cfg(test)]
mod tests;
mod token;

pub(in crate::app) use client::AccessClient;
pub(in crate::app) use server::AccessServer;
