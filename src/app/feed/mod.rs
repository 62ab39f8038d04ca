//! One feed of news, four ways to get it: asking again and again, asking and waiting, server-sent events, WebSocket.
//!
//! ```text
//!  feed-client ── GET ?after=2 ─────────────────────► what there is        polling
//!              ── GET ?after=2&wait=20 ─────────────► the next, when it is  long polling
//!              ── GET, Accept: text/event-stream ───► one answer, no end    server-sent events (HTML §9.2)
//!              ── GET, Upgrade: websocket ══════════► messages              RFC 6455
//! ```
//!
//! All four find the same news at the same path. What lives here: the news and when they happen, how each way shows them,
//! and a client that can do all four.

mod client;
mod news;
mod server;
#[cfg(test)]
mod tests;

pub(super) use client::FeedClient;
pub(super) use server::FeedServer;
