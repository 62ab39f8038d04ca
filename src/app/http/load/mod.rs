//! Services under load: a server whose answers take time and workers, and a client that asks for many at once.
//!
//! ```text
//!                    backlog      workers
//!  load-client ───►  ▒▒▒▒▒▒  ──►  █ █ █ █  work-server ──── calls ────► work-server …
//!  (users, or        waits in     each holds one                 by a policy
//!   arrivals)        the kernel   connection
//! ```
//!
//! A blocking server's worker accepts a connection, answers its request and closes it, and does nothing else meanwhile;
//! connections beyond the workers wait in the backlog, where TCP has already acknowledged what they say. A server without
//! `workers` takes every connection at once, as those with asynchronous I/O do. One connection carries one request, so that
//! workers, connections and requests can be counted as one; a client may also keep connections (`lanes`).
//!
//! What does not live here: timeouts, retries, circuits (`app/policy`).

mod calls;
mod client;
mod conduct;
mod exchange;
mod lanes;
mod part;
mod pool;
mod server;
mod tally;
#[cfg(test)]
mod tests;

pub(in crate::app) use client::LoadClient;
pub(in crate::app) use server::WorkServer;
