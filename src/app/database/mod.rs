//! A small database, and a session with it, in the words of PostgreSQL: its frontend/backend protocol, version 3.0.
//!
//! ```text
//!  session ── StartupMessage ─► server          type │ length, itself included │ content
//!          ◄─ R, Z ────────────                 1 octet      4 octets
//!          ── Q "SELECT …" ────►
//!          ◄─ T, D, D, …, C, Z ─
//! ```
//!
//! What lives here: messages ([`frame`]), the one kind of statement that is understood ([`statement`]), tables as data
//! ([`table`]), the server and the client's side. What does not: what is asked, and why. Nothing can be changed, nobody
//! is asked for a password, and nothing is encrypted: it is there to be looked at.

mod frame;
mod server;
mod session;
mod statement;
mod table;
#[cfg(test)]
mod tests;

pub(super) use server::DatabaseServer;
pub(super) use session::{Database, DatabaseError, Row};
