//! Sockets for tokio over a userspace stack: [`TcpStream`], [`TcpListener`], [`TcpSocket`], [`UdpSocket`].
//!
//! They have the verbs of tokio's own types, and behave as those do on Linux: what a verb answers, which error it ends
//! with and how often that is said. They can stand wherever an `AsyncRead + AsyncWrite + Send + Sync + Unpin` is asked
//! for: hyper and its relatives run on them unmodified. The differences:
//!
//! - The constructors are told the node: a process has one kernel, and here are many stacks.
//! - There is no file descriptor underneath, so nothing converts from or to `std::net`.
//! - [`TcpStream::set_linger`] with a span never blocks: what was written is delivered in the background in any case.
//! - Buffers have the very size that was asked for; Linux doubles it.
//!
//! What lives here: waiting, waking, error kinds. What does not: TCP.

mod error;
mod half;
mod listener;
mod owned;
mod split;
mod stray;
mod stream;
mod tcp_socket;
mod udp;
mod udp_now;

pub use listener::TcpListener;
pub use owned::{OwnedReadHalf, OwnedWriteHalf, ReuniteError};
pub use split::{ReadHalf, WriteHalf};
pub use stray::Stray;
pub use stream::TcpStream;
pub use tcp_socket::TcpSocket;
pub use udp::UdpSocket;
