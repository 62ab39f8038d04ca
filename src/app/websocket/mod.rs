//! WebSocket (RFC 6455): messages both ways over one TCP connection that begins as HTTP.
//!
//! ```text
//!  websocket-client ── GET, Upgrade: websocket ──►┐
//!                   ◄── 101 Switching Protocols ──┤ websocket-server ── room: who listens to which channel
//!                   ◄══ text, ping, pong, close ══►
//! ```
//!
//! hyper speaks the HTTP at the beginning, tungstenite everything after it; here stands what a lab may rely on: which
//! message means what, who gets it, and how a connection ends. Every frame is reported, those of control included.

mod client;
mod room;
mod server;
mod socket;
#[cfg(test)]
mod tests;
mod upgrade;

pub(super) use client::{WebSocketClient, open};
pub(super) use server::WebSocketServer;
pub(super) use socket::Socket;
pub(super) use upgrade::{grant, is_wanted};
