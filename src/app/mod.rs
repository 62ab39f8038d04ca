//! Programs that labs name: small servers and clients, and real programs on a linux node.
//!
//! A program runs on a [`Host`], which is a userspace node or a real kernel; it cannot tell which. What it does and
//! sees goes to the journal as [`ProgramEvent`](crate::journal::ProgramEvent)s, so that checks judge both worlds alike.
//! The data it sends comes from the run's seed, its waiting from tokio's clock: in `sim` a program does the same things
//! at the same nanosecond, every time.
//!
//! What lives here: the programs ([`Program`], [`run()`]), the places they run in ([`Host`], [`Resolver`]), the values
//! they are written with ([`Size`], [`Span`], …), and [`exec`] for real programs. What does not: when a program starts
//! and stops, and what its outcome means. That is the lab's.

#[cfg(feature = "http")]
mod channel;
#[cfg(feature = "graphql")]
mod database;
#[cfg(all(feature = "dns", feature = "http"))]
mod discovery;
#[cfg(feature = "dns")]
mod dns;
mod error;
pub mod exec;
#[cfg(feature = "websocket")]
mod feed;
#[cfg(feature = "formats")]
mod formats;
#[cfg(feature = "http")]
mod front;
#[cfg(feature = "graphql")]
mod graphql;
#[cfg(feature = "grpc")]
mod grpc;
mod host;
#[cfg(feature = "http")]
mod http;
#[cfg(feature = "http")]
mod lines;
mod messages;
#[cfg(not(all(
    feature = "dns",
    feature = "formats",
    feature = "graphql",
    feature = "grpc",
    feature = "http",
    feature = "mqtt",
    feature = "quic",
    feature = "tls",
    feature = "websocket"
)))]
mod missing;
#[cfg(feature = "mqtt")]
mod mqtt;
#[cfg(feature = "http")]
mod policy;
mod program;
#[cfg(feature = "quic")]
mod quic;
mod run;
mod scan;
#[cfg(feature = "tls")]
mod tls;
mod transfer;
mod values;
#[cfg(feature = "websocket")]
mod websocket;
#[cfg(not(feature = "tls"))]
mod without_tls;

#[cfg(test)]
mod tests;

#[cfg(not(feature = "graphql"))]
use missing::database;
#[cfg(not(all(feature = "dns", feature = "http")))]
use missing::discovery;
#[cfg(not(feature = "dns"))]
use missing::dns;
#[cfg(not(feature = "websocket"))]
use missing::feed;
#[cfg(not(feature = "formats"))]
use missing::formats;
#[cfg(not(feature = "http"))]
use missing::front;
#[cfg(not(feature = "graphql"))]
use missing::graphql;
#[cfg(not(feature = "grpc"))]
use missing::grpc;
#[cfg(not(feature = "http"))]
use missing::http;
#[cfg(not(feature = "mqtt"))]
use missing::mqtt;
#[cfg(not(feature = "quic"))]
use missing::quic;
#[cfg(not(feature = "websocket"))]
use missing::websocket;
#[cfg(not(feature = "tls"))]
use without_tls as tls;

pub use error::ProgramError;
pub use host::{Calendar, Datagram, Endpoint, Host, Listener, Resolver, Run, Stream};
pub use program::Program;
pub use run::run;
pub use tls::trusted;
pub use values::{Destination, MessageSize, Size, Span, Url, ValueError};
