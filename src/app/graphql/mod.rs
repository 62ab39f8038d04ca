//! A blog behind one server, read in two ways: as REST resources, and through GraphQL's one endpoint (October 2021).
//!
//! ```text
//!  screen-client ── GET /api/posts/1, GET /users/1, … ──►┐               ┌── SELECT … ──► database-server
//!                ── POST /graphql {"query": "{ … }"} ───►┴ graphql-server ┘
//! ```
//!
//! What lives here: what the blog has ([`blog`]), its schema ([`schema`]), its resources ([`rest`]), the server, and a
//! client that shows one screen of it. async-graphql reads queries and calls resolvers; how often these ask the
//! database, one by one or in batches, is what there is to see. What does not: HTTP (`http`) and the database
//! (`database`).

mod blog;
mod client;
mod rest;
mod schema;
mod server;
#[cfg(test)]
mod tests;

pub(super) use client::ScreenClient;
pub(super) use server::GraphqlServer;
