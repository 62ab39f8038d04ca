//! The places where programs run: a userspace node or a real kernel, behind one face.
//!
//! What lives here: [`Host`] with its sockets ([`Stream`], [`Listener`], [`Datagram`]) and the [`Resolver`] of names.
//! What does not: how either world moves packets (`socket`, `host`), and real programs ([`exec`](super::exec)).
//!
//! The sockets are enums, not trait objects: there are two worlds and will be no third, and an enum keeps the reads and
//! writes of both worlds free of allocation.

use std::collections::BTreeMap;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::{Destination, ProgramError};
use crate::host::LinuxNode;
use crate::journal::{Event, ProgramEvent};
use crate::measure::{Gauge, Gauges};
use crate::network::setup::SIM_EPOCH_NS;
use crate::network::{NodeHandle, Reporter};
use crate::socket;

/// Which world a host belongs to.
#[derive(Clone)]
pub enum Endpoint {
    /// A userspace stack.
    Stack(NodeHandle),
    /// A real kernel in a namespace of its own.
    Linux(LinuxNode),
}

/// A place where programs run. Clones are the same place.
#[derive(Clone)]
pub struct Host {
    endpoint: Endpoint,
    addresses: Arc<[IpAddr]>,
    reporter: Reporter,
    gauges: Option<Gauges>,
    run: Run,
}

/// What all hosts of a run have in common.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Run {
    /// The run's seed.
    pub seed: u64,
    /// Which date it is.
    pub calendar: Calendar,
}

/// Where a date comes from, for what is valid until one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Calendar {
    /// Each simulation begins on the same day, and its own time goes on from there.
    #[default]
    Virtual,
    /// The system's clock.
    Wall,
}

impl Host {
    /// How many connections may wait to be accepted: Linux's `SOMAXCONN` before 5.4, enough for any lab.
    pub(super) const BACKLOG: usize = 128;

    /// The host at `endpoint`. Its servers listen on each of `addresses`; `reporter` takes what its programs say.
    pub fn new(endpoint: Endpoint, addresses: impl Into<Arc<[IpAddr]>>, reporter: Reporter) -> Host {
        Host { endpoint, addresses: addresses.into(), reporter, gauges: None, run: Run::default() }
    }

    /// The same place, in this run.
    pub fn in_run(self, run: Run) -> Host {
        Host { run, ..self }
    }

    /// The run that it is a place of.
    pub fn run(&self) -> Run {
        self.run
    }

    /// Which date it is: the time since 1970-01-01 00:00:00 UTC.
    pub fn date(&self) -> Duration {
        match (self.run.calendar, &self.endpoint) {
            (Calendar::Virtual, Endpoint::Stack(node)) => {
                Duration::from_nanos(SIM_EPOCH_NS.saturating_add(node.now().as_nanos()))
            }
            (Calendar::Wall, _) | (_, Endpoint::Linux(_)) => {
                SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
            }
        }
    }

    /// The same place, where every TCP connection of a kernel is watched.
    pub fn watched_by(self, gauges: &Gauges) -> Host {
        Host { gauges: Some(gauges.clone()), ..self }
    }

    /// Which world it belongs to.
    pub fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }

    /// Its addresses, in the lab's order.
    pub fn addresses(&self) -> &[IpAddr] {
        &self.addresses
    }

    /// Opens a TCP connection.
    ///
    /// # Errors
    /// The stack's or the kernel's: refused, timed out, unreachable.
    pub async fn connect(&self, remote: SocketAddr) -> io::Result<Stream> {
        match &self.endpoint {
            Endpoint::Stack(node) => socket::TcpStream::connect(node, remote).await.map(Stream::Stack),
            Endpoint::Linux(node) => Stream::of_kernel(node.connect(remote).await?, self.gauges.as_ref()),
        }
    }

    /// Sends a bare ACK that belongs to no connection.
    ///
    /// # Errors
    /// The stack's; [`io::ErrorKind::Unsupported`] on a kernel, where that takes a raw socket.
    pub(super) fn send_stray(&self, remote: SocketAddr) -> io::Result<socket::Stray> {
        match &self.endpoint {
            Endpoint::Stack(node) => socket::Stray::send(node, remote),
            Endpoint::Linux(_) => Err(io::Error::new(
                io::ErrorKind::Unsupported,
                "a kernel sends no segment without a connection; make the node a `stack`",
            )),
        }
    }

    /// Listens for TCP connections.
    ///
    /// # Errors
    /// The stack's or the kernel's: the port is taken, the address is not this host's.
    pub async fn listen(&self, local: SocketAddr) -> io::Result<Listener> {
        self.listen_with(local, Self::BACKLOG).await
    }

    /// As [`listen`](Host::listen); `backlog` connections and one more may wait to be accepted.
    ///
    /// # Errors
    /// As for [`listen`](Host::listen).
    pub async fn listen_with(&self, local: SocketAddr, backlog: usize) -> io::Result<Listener> {
        match &self.endpoint {
            Endpoint::Stack(node) => socket::TcpListener::bind(node, local, backlog).map(Listener::Stack),
            Endpoint::Linux(node) => {
                let listener = node.listen_with(local, i32::try_from(backlog).unwrap_or(i32::MAX)).await?;
                Ok(Listener::Kernel(listener, self.gauges.clone()))
            }
        }
    }

    /// Opens a UDP socket; port 0 lets the host choose one.
    ///
    /// # Errors
    /// As for [`listen`](Host::listen).
    pub async fn bind_udp(&self, local: SocketAddr) -> io::Result<Datagram> {
        match &self.endpoint {
            Endpoint::Stack(node) => socket::UdpSocket::bind(node, local).map(Datagram::Stack),
            Endpoint::Linux(node) => node.udp_bind(local).await.map(Datagram::Kernel),
        }
    }

    /// Tells the journal what `program` did or saw.
    pub fn report(&self, program: &str, report: ProgramEvent) {
        (self.reporter)(Event::Program { program: program.to_owned(), report });
    }
}

/// A TCP connection of either world.
pub enum Stream {
    /// Of a userspace stack.
    Stack(socket::TcpStream),
    /// Of a kernel; and whoever watches it, who lets go of it right after it.
    Kernel(tokio::net::TcpStream, Option<Gauge>),
}

impl Stream {
    fn of_kernel(stream: tokio::net::TcpStream, gauges: Option<&Gauges>) -> io::Result<Stream> {
        let watch = |gauges: &Gauges| gauges.watch(&stream, stream.local_addr()?, stream.peer_addr()?);
        let gauge = gauges.map(watch).transpose()?;
        Ok(Stream::Kernel(stream, gauge))
    }

    /// Gives the connection up at once, with a reset: what was written and not yet delivered is not.
    pub fn abort(self) {
        match self {
            Stream::Stack(stream) => stream.abort(),
            Stream::Kernel(stream, gauge) => {
                // The last look comes before the reset, which leaves nothing to look at. A connection that is gone needs
                // no reset.
                drop(gauge);
                let _ = stream.set_zero_linger();
            }
        }
    }

    /// Its own end.
    ///
    /// # Errors
    /// When the connection is gone.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        match self {
            Stream::Stack(stream) => stream.local_addr(),
            Stream::Kernel(stream, _) => stream.local_addr(),
        }
    }

    /// The other end.
    ///
    /// # Errors
    /// When the connection is gone.
    pub fn peer_addr(&self) -> io::Result<SocketAddr> {
        match self {
            Stream::Stack(stream) => stream.peer_addr(),
            Stream::Kernel(stream, _) => stream.peer_addr(),
        }
    }

    /// Whether small segments go at once instead of waiting for acknowledgments (Nagle, RFC 9293 §3.7.4).
    ///
    /// # Errors
    /// When the connection is gone.
    pub fn set_nodelay(&self, nodelay: bool) -> io::Result<()> {
        match self {
            Stream::Stack(stream) => stream.set_nodelay(nodelay),
            Stream::Kernel(stream, _) => stream.set_nodelay(nodelay),
        }
    }
}

impl AsyncRead for Stream {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Stream::Stack(stream) => Pin::new(stream).poll_read(cx, buffer),
            Stream::Kernel(stream, _) => Pin::new(stream).poll_read(cx, buffer),
        }
    }
}

impl AsyncWrite for Stream {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, data: &[u8]) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Stream::Stack(stream) => Pin::new(stream).poll_write(cx, data),
            Stream::Kernel(stream, _) => Pin::new(stream).poll_write(cx, data),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Stream::Stack(stream) => Pin::new(stream).poll_flush(cx),
            Stream::Kernel(stream, _) => Pin::new(stream).poll_flush(cx),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Stream::Stack(stream) => Pin::new(stream).poll_shutdown(cx),
            Stream::Kernel(stream, _) => Pin::new(stream).poll_shutdown(cx),
        }
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        parts: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Stream::Stack(stream) => Pin::new(stream).poll_write_vectored(cx, parts),
            Stream::Kernel(stream, _) => Pin::new(stream).poll_write_vectored(cx, parts),
        }
    }

    fn is_write_vectored(&self) -> bool {
        match self {
            Stream::Stack(stream) => stream.is_write_vectored(),
            Stream::Kernel(stream, _) => stream.is_write_vectored(),
        }
    }
}

/// A listening TCP socket of either world.
pub enum Listener {
    /// Of a userspace stack.
    Stack(socket::TcpListener),
    /// Of a kernel; and whoever watches what it accepts.
    Kernel(tokio::net::TcpListener, Option<Gauges>),
}

impl Listener {
    /// The next connection, and who opened it. Dropping the future loses no connection.
    ///
    /// # Errors
    /// The stack's or the kernel's.
    pub async fn accept(&self) -> io::Result<(Stream, SocketAddr)> {
        match self {
            Listener::Stack(listener) => listener.accept().await.map(|(stream, peer)| (Stream::Stack(stream), peer)),
            Listener::Kernel(listener, gauges) => {
                let (stream, peer) = listener.accept().await?;
                Ok((Stream::of_kernel(stream, gauges.as_ref())?, peer))
            }
        }
    }

    /// Where it listens.
    ///
    /// # Errors
    /// When the socket is gone.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        match self {
            Listener::Stack(listener) => listener.local_addr(),
            Listener::Kernel(listener, _) => listener.local_addr(),
        }
    }
}

/// A UDP socket of either world.
pub enum Datagram {
    /// Of a userspace stack.
    Stack(socket::UdpSocket),
    /// Of a kernel.
    Kernel(tokio::net::UdpSocket),
}

impl Datagram {
    /// Sends one datagram; returns its length in octets.
    ///
    /// # Errors
    /// The stack's or the kernel's, among them what an earlier ICMP error said.
    pub async fn send_to(&self, data: &[u8], remote: SocketAddr) -> io::Result<usize> {
        match self {
            Datagram::Stack(socket) => socket.send_to(data, remote).await,
            Datagram::Kernel(socket) => socket.send_to(data, remote).await,
        }
    }

    /// Receives one datagram: its length and its sender. What is longer than `buffer` is cut.
    ///
    /// # Errors
    /// As for [`send_to`](Datagram::send_to).
    pub async fn recv_from(&self, buffer: &mut [u8]) -> io::Result<(usize, SocketAddr)> {
        match self {
            Datagram::Stack(socket) => socket.recv_from(buffer).await,
            Datagram::Kernel(socket) => socket.recv_from(buffer).await,
        }
    }

    /// As [`send_to`](Datagram::send_to), without waiting.
    ///
    /// # Errors
    /// [`io::ErrorKind::WouldBlock`] when there is no room, and those of [`send_to`](Datagram::send_to).
    #[cfg(feature = "quic")]
    pub(super) fn try_send_to(&self, data: &[u8], remote: SocketAddr) -> io::Result<usize> {
        match self {
            Datagram::Stack(socket) => socket.try_send_to(data, remote),
            Datagram::Kernel(socket) => socket.try_send_to(data, remote),
        }
    }

    /// As [`recv_from`](Datagram::recv_from), by hand.
    #[cfg(feature = "quic")]
    pub(super) fn poll_recv_from(
        &self,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<SocketAddr>> {
        match self {
            Datagram::Stack(socket) => socket.poll_recv_from(context, buffer),
            Datagram::Kernel(socket) => socket.poll_recv_from(context, buffer),
        }
    }

    /// Waits until a datagram finds room, by hand.
    #[cfg(feature = "quic")]
    pub(super) fn poll_send_ready(&self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self {
            Datagram::Stack(socket) => socket.poll_send_ready(context),
            Datagram::Kernel(socket) => socket.poll_send_ready(context),
        }
    }

    /// Its own address.
    ///
    /// # Errors
    /// When the socket is gone.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        match self {
            Datagram::Stack(socket) => socket.local_addr(),
            Datagram::Kernel(socket) => socket.local_addr(),
        }
    }
}

/// The names of a lab's nodes. Nothing is asked over the network: a lab about names brings its own DNS.
#[derive(Clone, Debug, Default)]
pub struct Resolver {
    nodes: BTreeMap<String, IpAddr>,
}

impl Resolver {
    /// Where `destination` is. An address stands for itself.
    ///
    /// # Errors
    /// [`ProgramError::UnknownNode`] when no node has that name.
    pub fn resolve(&self, destination: &Destination) -> Result<SocketAddr, ProgramError> {
        let address = match destination.host.parse::<IpAddr>() {
            Ok(literal) => literal,
            Err(_) => *self.nodes.get(&destination.host).ok_or_else(|| self.unknown(&destination.host))?,
        };
        Ok(SocketAddr::new(address, destination.port))
    }

    /// The names that lead to one of `addresses`.
    #[cfg(feature = "tls")]
    pub(super) fn names_of(&self, addresses: &[IpAddr]) -> Vec<String> {
        let there = self.nodes.iter().filter(|(_, address)| addresses.contains(address));
        there.map(|(name, _)| name.clone()).collect()
    }

    fn unknown(&self, name: &str) -> ProgramError {
        let known: Vec<&str> = self.nodes.keys().map(String::as_str).collect();
        ProgramError::UnknownNode { name: name.to_owned(), known: known.join(", ") }
    }
}

/// A node's name and the address that programs reach it by, for each node.
impl FromIterator<(String, IpAddr)> for Resolver {
    fn from_iter<I: IntoIterator<Item = (String, IpAddr)>>(nodes: I) -> Resolver {
        Resolver { nodes: nodes.into_iter().collect() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn resolver() -> Resolver {
        let address = |text: &str| text.parse::<IpAddr>().expect("an address");
        [("server".to_owned(), address("10.0.0.2")), ("client".to_owned(), address("10.0.0.1"))].into_iter().collect()
    }

    #[test]
    fn names_are_looked_up_and_addresses_stand_for_themselves() {
        for (written, resolved) in
            [("server:80", "10.0.0.2:80"), ("10.9.9.9:1", "10.9.9.9:1"), ("[fd00::2]:1", "[fd00::2]:1")]
        {
            let destination = written.parse().expect("a destination");
            assert_eq!(resolver().resolve(&destination).expect("known").to_string(), resolved);
        }
    }

    #[test]
    fn an_unknown_name_is_answered_with_the_names_there_are() {
        let error = resolver().resolve(&"sever:80".parse().expect("a destination")).expect_err("no such node");
        assert_eq!(
            error.to_string(),
            "no node is named `sever`: the nodes are client, server; correct the name, or write an address"
        );
    }
}
