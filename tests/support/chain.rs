//! Ten routers in a row, each with a client and a server of its own: thirty nodes, and a thousand connections across them.

#![allow(dead_code, reason = "each of its users needs a part of it")]

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};

use wireglass::forward::{PortConfig, PortId, Route, Router, RouterConfig};
use wireglass::journal::NodeId;
use wireglass::link::{Pipe, PipeConfig};
use wireglass::network::{Clock, NodeHandle, World};
use wireglass::packet::Medium;
use wireglass::rng::Rng;
use wireglass::socket::{TcpListener, TcpStream};
use wireglass::stack::{Interface, StackConfig, StackKind, TcpConfig};

/// Routers in the row.
pub(crate) const ROUTERS: u8 = 10;
/// Octets that each connection carries each way.
pub(crate) const OCTETS: usize = 5_000;

/// A link by its name and its two ends.
pub(crate) type Link = (String, [NodeId; 2]);

/// The network, its hosts, and its links.
pub(crate) struct Chain {
    pub(crate) clients: Vec<NodeHandle>,
    pub(crate) servers: Vec<NodeHandle>,
    pub(crate) routers: Vec<NodeId>,
    pub(crate) links: Vec<Link>,
}

/// Ports of a router: to the left, to the right, to its client, to its server.
const LEFT: u16 = 0;
const RIGHT: u16 = 1;
const CLIENT: u16 = 2;
const SERVER: u16 = 3;

pub(crate) fn ip(a: u8, b: u8, c: u8, d: u8) -> IpAddr {
    [a, b, c, d].into()
}

/// A port of a router.
pub(crate) fn port(name: &str, mac: u8, address: IpAddr, mtu: usize) -> PortConfig {
    PortConfig { name: name.to_owned(), mac: [2, 0, 0, 1, 0, mac], addresses: vec![(address, 24)], mtu }
}

/// A host that sends everything beyond its link to `gateway`.
pub(crate) fn host(medium: Medium, mac: u8, address: IpAddr, gateway: IpAddr, tcp: TcpConfig) -> StackConfig {
    let interface = Interface {
        medium,
        mac: [2, 0, 0, 0, 0, mac],
        addresses: vec![(address, 24)],
        gateways: vec![gateway],
        mtu: 1500,
    };
    StackConfig { interface, seed: mac.into(), tcp }
}

/// Lays both ways of a link.
pub(crate) fn link<A, B>(world: &mut World, name: &str, (a, b): (A, B), pipe: &PipeConfig) -> Link
where
    A: Into<wireglass::network::End> + Copy,
    B: Into<wireglass::network::End> + Copy,
{
    let config = || PipeConfig { name: name.to_owned(), ..pipe.clone() };
    world.lay_pipe(a, b, Pipe::new(config(), Rng::derive(1, name)));
    world.lay_pipe(b, a, Pipe::new(config(), Rng::derive(2, name)));
    (name.to_owned(), [a.into().node, b.into().node])
}

fn router(number: u8) -> RouterConfig {
    let ports = vec![
        port("left", 4 * number, ip(10, 0, number, 2), 1500),
        port("right", 4 * number + 1, ip(10, 0, number + 1, 1), 1500),
        port("client", 4 * number + 2, ip(10, 1, number, 1), 1500),
        port("server", 4 * number + 3, ip(10, 2, number, 1), 1500),
    ];
    let mut config = RouterConfig::new(Medium::Ip, ports);
    for other in (0..ROUTERS).filter(|other| *other != number) {
        let (to, via) = if other < number { (LEFT, ip(10, 0, number, 1)) } else { (RIGHT, ip(10, 0, number + 1, 2)) };
        for kind in [1, 2] {
            config.routes.push(Route { prefix: (ip(10, kind, other, 0), 24), port: PortId(to), via: Some(via) });
        }
    }
    config
}

/// Builds it.
pub(crate) fn build(world: &mut World, clock: &Clock, pipe: &PipeConfig) -> Chain {
    let routers: Vec<NodeId> =
        (0..ROUTERS).map(|number| world.add_forwarder(Box::new(Router::new(router(number), clock.now())))).collect();
    let mut add = |kind: u8, number: u8| {
        let config = host(Medium::Ip, number, ip(10, kind, number, 2), ip(10, kind, number, 1), TcpConfig::default());
        world.add_stack(StackKind::Native.make(&config, clock.now()))
    };
    let clients: Vec<NodeHandle> = (0..ROUTERS).map(|number| add(1, number)).collect();
    let servers: Vec<NodeHandle> = (0..ROUTERS).map(|number| add(2, number)).collect();
    let mut links = Vec::new();
    for (index, router) in routers.iter().enumerate() {
        if let Some(next) = routers.get(index + 1) {
            let ends = ((*router, PortId(RIGHT)), (*next, PortId(LEFT)));
            links.push(link(world, &format!("r{index}-r{}", index + 1), ends, pipe));
        }
        let ends = ((*router, PortId(CLIENT)), clients[index].node());
        links.push(link(world, &format!("r{index}-c{index}"), ends, pipe));
        let ends = ((*router, PortId(SERVER)), servers[index].node());
        links.push(link(world, &format!("r{index}-s{index}"), ends, pipe));
    }
    Chain { clients, servers, routers, links }
}

/// A hundred connections of each client, ten to each server, one after another: each sends octets of its own and gets the
/// same back. Returns how many came back as they were sent.
///
/// # Errors
/// The first that a socket reports.
pub(crate) async fn thousand_connections(chain: &Chain) -> io::Result<usize> {
    for (number, server) in chain.servers.iter().enumerate() {
        let listener = TcpListener::bind(server, SocketAddr::new(ip(10, 2, number as u8, 2), 80), 128)?;
        tokio::task::spawn_local(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                tokio::task::spawn_local(async move {
                    let mut received = Vec::new();
                    stream.read_to_end(&mut received).await?;
                    stream.write_all(&received).await?;
                    stream.shutdown().await
                });
            }
        });
    }
    let mut tasks = Vec::new();
    for (number, client) in chain.clients.iter().enumerate() {
        for worker in 0..10_u8 {
            let client = client.clone();
            tasks.push(tokio::task::spawn_local(async move {
                let mut good = 0;
                for server in 0..ROUTERS {
                    let mut data = vec![0; OCTETS];
                    Rng::derive(number as u64 * 1000 + u64::from(worker) * 10 + u64::from(server), "data")
                        .fill(&mut data);
                    let mut stream = TcpStream::connect(&client, SocketAddr::new(ip(10, 2, server, 2), 80)).await?;
                    stream.write_all(&data).await?;
                    stream.shutdown().await?;
                    let mut back = Vec::new();
                    stream.read_to_end(&mut back).await?;
                    good += usize::from(back == data);
                }
                io::Result::Ok(good)
            }));
        }
    }
    let mut good = 0;
    for task in tasks {
        good += task.await??;
    }
    Ok(good)
}

/// A link between two nodes that takes a millisecond.
pub(crate) fn wire() -> PipeConfig {
    PipeConfig { delay: Duration::from_millis(1), ..PipeConfig::clean("wire") }
}
