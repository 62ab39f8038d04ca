//! The hosts of a network, as programs see them.

use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::task::JoinHandle;

use super::tasks::Tasks;
use super::{Destination, Place};
use crate::network::NodeHandle;
use crate::socket::{TcpListener, TcpSocket, TcpStream, UdpSocket};
use crate::time::Instant;

/// Connections that may wait to be accepted, as tokio has it.
const BACKLOG: usize = 1024;

/// No node has this name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no node is named `{name}`: the nodes are {known}")]
pub struct UnknownNode {
    /// The name.
    pub name: String,
    /// The names that there are, joined with commas.
    pub known: String,
}

/// The nodes of a network while it runs. Clones are the same.
#[derive(Clone)]
pub struct Nodes {
    shared: Arc<Shared>,
}

struct Shared {
    nodes: Vec<Member>,
    cuts: Vec<Cut>,
    tasks: Tasks,
}

/// A node, as it is handed out.
pub(super) struct Member {
    pub(super) name: String,
    pub(super) addresses: Vec<IpAddr>,
    pub(super) handle: NodeHandle,
}

/// One direction of a link, by the places of its ends, and whether nothing passes.
pub(super) type Cut = ([usize; 2], Arc<AtomicBool>);

impl Nodes {
    pub(super) fn new(nodes: Vec<Member>, cuts: Vec<Cut>, tasks: Tasks) -> Nodes {
        Nodes { shared: Arc::new(Shared { nodes, cuts, tasks }) }
    }

    fn place(&self, name: &str) -> Result<usize, UnknownNode> {
        self.shared.nodes.iter().position(|node| node.name == name).ok_or_else(|| UnknownNode {
            name: name.to_owned(),
            known: self.shared.nodes.iter().map(|node| node.name.as_str()).collect::<Vec<_>>().join(", "),
        })
    }

    /// The node of this name.
    ///
    /// # Errors
    /// [`UnknownNode`] tells the names there are.
    pub fn get(&self, name: &str) -> Result<Node, UnknownNode> {
        self.place(name).map(|place| Node { nodes: self.clone(), place })
    }

    /// The nodes of these names.
    ///
    /// # Errors
    /// As [`Nodes::get`].
    pub fn named<const N: usize>(&self, names: [&str; N]) -> Result<[Node; N], UnknownNode> {
        let mut wrong = None;
        let nodes = names.map(|name| {
            let place = self.place(name).unwrap_or_else(|error| {
                wrong.get_or_insert(error);
                0
            });
            Node { nodes: self.clone(), place }
        });
        wrong.map_or(Ok(nodes), Err)
    }

    /// Cuts every link between two nodes: from now on packets are lost there. Those that are under way still arrive.
    ///
    /// # Errors
    /// As [`Nodes::get`].
    pub fn partition(&self, one: &str, other: &str) -> Result<(), UnknownNode> {
        self.cut(one, other, true)
    }

    /// Mends what [`Nodes::partition`] has cut.
    ///
    /// # Errors
    /// As [`Nodes::get`].
    pub fn repair(&self, one: &str, other: &str) -> Result<(), UnknownNode> {
        self.cut(one, other, false)
    }

    /// Cuts, or mends, one direction alone.
    ///
    /// # Errors
    /// As [`Nodes::get`].
    pub fn partition_one_way(&self, from: &str, to: &str, is_cut: bool) -> Result<(), UnknownNode> {
        let ends = [self.place(from)?, self.place(to)?];
        let there = self.shared.cuts.iter().filter(|(link, _)| *link == ends);
        there.for_each(|(_, cut)| cut.store(is_cut, Ordering::Relaxed));
        Ok(())
    }

    fn cut(&self, one: &str, other: &str, is_cut: bool) -> Result<(), UnknownNode> {
        self.partition_one_way(one, other, is_cut)?;
        self.partition_one_way(other, one, is_cut)
    }
}

/// A host of a network. Clones are the same.
#[derive(Clone)]
pub struct Node {
    nodes: Nodes,
    place: usize,
}

impl Node {
    fn member(&self) -> &Member {
        &self.nodes.shared.nodes[self.place]
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.member().name
    }

    /// Its IPv4 address.
    pub fn address(&self) -> IpAddr {
        self.addresses().first().copied().unwrap_or(Ipv4Addr::UNSPECIFIED.into())
    }

    /// Its addresses: IPv4, then IPv6.
    pub fn addresses(&self) -> &[IpAddr] {
        &self.member().addresses
    }

    /// The other nodes of its network.
    pub fn nodes(&self) -> &Nodes {
        &self.nodes
    }

    /// Its stack, for whatever the verbs below do not say: every constructor of [`socket`](crate::socket) takes it.
    pub fn handle(&self) -> &NodeHandle {
        &self.member().handle
    }

    /// The present moment of the run; `tokio::time` goes with it.
    pub fn now(&self) -> Instant {
        self.handle().now()
    }

    /// Opens a TCP connection: `client.connect("server:80")`.
    ///
    /// # Errors
    /// As tokio's: refused, timed out, unreachable; [`io::ErrorKind::NotFound`] when no node has the name.
    pub async fn connect(&self, to: impl Destination) -> io::Result<TcpStream> {
        TcpStream::connect(self.handle(), to.address(&self.nodes)?).await
    }

    /// Listens for TCP connections, on a port of every IPv4 address or on an address: `server.listen(80)`.
    ///
    /// # Errors
    /// As tokio's: the port is taken, the address is another's.
    pub fn listen(&self, at: impl Place) -> io::Result<TcpListener> {
        TcpListener::bind(self.handle(), at.local(), BACKLOG)
    }

    /// Opens a UDP socket, on a port of every IPv4 address or on an address.
    ///
    /// # Errors
    /// As tokio's.
    pub fn udp(&self, at: impl Place) -> io::Result<UdpSocket> {
        UdpSocket::bind(self.handle(), at.local())
    }

    /// An IPv4 TCP socket to be set up before it connects or listens.
    ///
    /// # Errors
    /// None today; a `Result` as in tokio.
    pub fn tcp_socket(&self) -> io::Result<TcpSocket> {
        TcpSocket::new_v4(self.handle())
    }

    /// The address that a destination means.
    ///
    /// # Errors
    /// [`io::ErrorKind::NotFound`] when no node has the name.
    pub fn lookup(&self, to: impl Destination) -> io::Result<SocketAddr> {
        to.address(&self.nodes)
    }

    /// Runs a program of this node beside the others. When it panics or returns an error the whole run fails at once, and
    /// says which node it was. It need not end: what is left when the run is over stops then.
    pub fn spawn(&self, program: impl Future<Output = super::Result> + 'static) -> JoinHandle<()> {
        let (tasks, name) = (self.nodes.shared.tasks.clone(), self.name().to_owned());
        tokio::task::spawn_local(tasks.watch(name, program))
    }
}
