//! What stands in front of servers, and the servers that stand behind it.
//!
//! ```text
//!                   ┌─ splice (TCP) ────────────────────┐
//!  client ─► load-balancer                              ├─► instance-server
//!                   └─ passage (HTTP) ──┐               │         ▲
//!  client ─► reverse-proxy ── passage ──┴─► backends ───┘         │
//!                                            │  pool: whose turn, who is fit
//!                                            └─ health ───────────┘  GET /healthz
//! ```
//!
//! `gateway` is middleware in front of one server. All who choose among servers share `pool` (the choice), `health` (who is fit) and `backends` (the choice at work);
//! `passage` is what happens to a request on its way, and how it goes on to one server is `http::forward`.

mod backends;
mod balancer;
mod forwarded;
mod gateway;
mod health;
mod instance;
mod passage;
mod pool;
mod proxy;
mod relay;
mod splice;
#[cfg(test)]
mod tests;

pub(super) use balancer::LoadBalancer;
pub(super) use gateway::HttpGateway;
pub(super) use instance::InstanceServer;
pub(super) use proxy::ReverseProxy;
pub(super) use relay::HttpRelay;
