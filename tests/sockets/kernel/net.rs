//! tokio's sockets on the kernel's loopback.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

pub(crate) use tokio::net::{TcpListener, TcpSocket, TcpStream, UdpSocket};

use crate::sockets::log::Log;

/// Two hosts: the loopback's first two addresses.
pub(crate) struct Place;

impl Place {
    pub(crate) const CLIENT: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(127, 0, 0, 1));
    pub(crate) const SERVER: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(127, 0, 0, 2));

    pub(crate) async fn listen(&self, local: SocketAddr) -> io::Result<TcpListener> {
        TcpListener::bind(local).await
    }

    pub(crate) async fn connect(&self, remote: SocketAddr) -> io::Result<TcpStream> {
        TcpStream::connect(remote).await
    }

    pub(crate) fn client_socket(&self) -> io::Result<TcpSocket> {
        TcpSocket::new_v4()
    }

    pub(crate) fn server_socket(&self) -> io::Result<TcpSocket> {
        TcpSocket::new_v4()
    }

    pub(crate) async fn udp(&self, local: SocketAddr) -> io::Result<UdpSocket> {
        UdpSocket::bind(local).await
    }

    /// Waits until whatever is under way has arrived.
    pub(crate) async fn settle(&self) {
        tokio::time::sleep(Duration::from_millis(15)).await;
    }
}

/// Plays a scenario; returns what it has seen.
pub(crate) fn play<F: Future<Output = ()>>(scenario: impl FnOnce(Place, Log) -> F) -> String {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let log = Log::default();
    let told = log.clone();
    tokio::task::LocalSet::new().block_on(&runtime, async move {
        let limit = Duration::from_secs(20);
        if tokio::time::timeout(limit, scenario(Place, told.clone())).await.is_err() {
            told.note("it never ends", ());
        }
    });
    log.to_string()
}
