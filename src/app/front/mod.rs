//! What stands in front of servers, and the servers that stand behind it.
//!
//! ```text
//!                   ┌─ splice (TCP) ────────────────────┐
//!  client ─► load-balancer                              ├─► instance-server
//!                   └─ passage (HTTP) ──┐               │         ▲
//!  client ─► reverse-proxy ── passage ──┴─► backends ───┘         │
//!                                            │  pool: whose turn, who is fit
//!                                            ├─ health ───────────┤  GET /healthz
//!                     service-registry ◄─────┴─ discover          │
//!                                      ◄── instance-monitor ──────┘  GET /metrics
//! ```
//!
//! `gateway` is middleware in front of one server. All who choose among servers share `pool` (the choice), `health` (who is fit) and `backends` (the choice at work); which servers
//! there are may also be for a registry to say (`discover`), and who has come before may be theirs again (`sticky`);
//! `passage` is what happens to a request on its way, and how it goes on to one server is `http::forward`.

mod backends;
mod balancer;
mod busy;
mod discover;
mod forwarded;
mod gateway;
mod health;
mod instance;
mod monitor;
mod passage;
mod pool;
mod proxy;
mod relay;
mod splice;
mod sticky;
#[cfg(test)]
mod tests;

pub(super) use balancer::LoadBalancer;
pub(super) use gateway::HttpGateway;
pub(super) use instance::InstanceServer;
pub(super) use monitor::InstanceMonitor;
pub(super) use proxy::ReverseProxy;
pub(super) use relay::HttpRelay;
