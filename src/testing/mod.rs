//! Networks for tests: your own tokio code over real TCP, in virtual time.
//!
//! ```
//! use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
//! use wireglass::{Link, Network};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let mut network = Network::builder()
//!     .seed(7)
//!     .link("client", "server", Link::new().delay_ms(20).loss(0.01))
//!     .build()?;
//!
//! network.run(|nodes| async move {
//!     let [client, server] = nodes.named(["client", "server"])?;
//!     let listener = server.listen(80)?;
//!     server.spawn(async move {
//!         let (mut stream, _) = listener.accept().await?;
//!         let (mut read, mut write) = stream.split();
//!         tokio::io::copy(&mut read, &mut write).await?;
//!         Ok(())
//!     });
//!     let mut stream = client.connect("server:80").await?;
//!     stream.write_all(b"hello").await?;
//!     let mut echoed = [0; 5];
//!     stream.read_exact(&mut echoed).await?;
//!     assert_eq!(&echoed, b"hello");
//!     Ok(())
//! })?;
//! # Ok(())
//! # }
//! ```
//!
//! Hosts have userspace TCP/IP stacks, links delay, queue, lose and reorder packets, and nothing waits for the wall clock:
//! an hour of time-outs passes in a moment. The same seed gives the same packets, on every machine. When the run fails,
//! by an `Err` or by a panic, its captures are written, one pcapng for each node, with the reason of each packet as a
//! comment, and their place is told. `docs/testing.md` is the guide.
//!
//! What lives here: describing a network ([`NetworkBuilder`], [`Link`]), running it ([`Network`]), its hosts as programs see
//! them ([`Nodes`], [`Node`]), what is left of a failure ([`Failure`]). What does not: how packets move (`network`).

mod builder;
mod destination;
mod failure;
mod keep;
mod link;
mod node;
mod plan;
mod run;
mod tasks;
#[cfg(test)]
mod tests;

pub use builder::{BuildError, NetworkBuilder};
pub use destination::{Destination, Place};
pub use failure::{Failure, SelectError};
pub use link::Link;
pub use node::{Node, Nodes, UnknownNode};
pub use run::Network;

/// What programs return: any error will do.
pub type Result<T = ()> = std::result::Result<T, Box<dyn std::error::Error + Send + Sync>>;
