//! Our sockets on a network in virtual time.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

pub(crate) use wireglass::socket::{TcpListener, TcpSocket, TcpStream, UdpSocket};

use wireglass::capture::{Record, Witness};
use wireglass::journal::{Entry, NodeId};
use wireglass::link::{Pipe, PipeConfig};
use wireglass::network::{NodeHandle, World, sim};
use wireglass::packet::Medium;
use wireglass::rng::Rng;
use wireglass::stack::{Interface, StackConfig, StackKind, TcpConfig};

use crate::sockets::log::Log;

/// Two hosts with a link of a millisecond between them.
pub(crate) struct Place {
    pub(crate) client: NodeHandle,
    pub(crate) server: NodeHandle,
}

impl Place {
    pub(crate) const CLIENT: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(10, 0, 0, 1));
    pub(crate) const SERVER: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(10, 0, 0, 2));

    /// The node that has this address; any address is the server's.
    fn at(&self, local: SocketAddr) -> &NodeHandle {
        if local.ip() == Place::CLIENT { &self.client } else { &self.server }
    }

    pub(crate) async fn listen(&self, local: SocketAddr) -> io::Result<TcpListener> {
        TcpListener::bind(self.at(local), local, 1024)
    }

    pub(crate) async fn connect(&self, remote: SocketAddr) -> io::Result<TcpStream> {
        TcpStream::connect(&self.client, remote).await
    }

    pub(crate) fn client_socket(&self) -> io::Result<TcpSocket> {
        TcpSocket::new_v4(&self.client)
    }

    pub(crate) fn server_socket(&self) -> io::Result<TcpSocket> {
        TcpSocket::new_v4(&self.server)
    }

    pub(crate) async fn udp(&self, local: SocketAddr) -> io::Result<UdpSocket> {
        UdpSocket::bind(self.at(local), local)
    }

    /// Waits until whatever is under way has arrived.
    pub(crate) async fn settle(&self) {
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

struct Nobody;

impl Witness for Nobody {
    fn listens(&self) -> bool {
        false
    }

    fn packet(&mut self, _: NodeId, _: Record) {}
    fn event(&mut self, _: Entry) {}
    fn settle(&mut self) {}
}

/// Plays a scenario; returns what it has seen.
pub(crate) fn play<F: Future<Output = ()>>(scenario: impl FnOnce(Place, Log) -> F) -> String {
    let log = Log::default();
    let told = log.clone();
    let played = sim::run(|clock| {
        let mut world = World::new(clock.clone(), Box::new(Nobody));
        let mut host = |address: IpAddr| {
            let interface = Interface {
                medium: Medium::Ip,
                mac: [0; 6],
                addresses: vec![(address, 24)],
                gateways: vec![],
                mtu: 1500,
            };
            let config = StackConfig { interface, seed: 7, tcp: TcpConfig::default() };
            world.add_stack(StackKind::Native.make(&config, clock.now()))
        };
        let (client, server) = (host(Place::CLIENT), host(Place::SERVER));
        let wire = || PipeConfig { delay: Duration::from_millis(1), ..PipeConfig::clean("wire") };
        world.lay_pipe(client.node(), server.node(), Pipe::new(wire(), Rng::new(1)));
        world.lay_pipe(server.node(), client.node(), Pipe::new(wire(), Rng::new(2)));
        let place = Place { client, server };
        (world, async move {
            if tokio::time::timeout(Duration::from_secs(600), scenario(place, told.clone())).await.is_err() {
                told.note("it never ends", ());
            }
        })
    });
    played.expect("a paused runtime needs nothing of the system");
    log.to_string()
}
