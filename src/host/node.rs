//! A linux node: a real kernel's network stack in a namespace of its own, and sockets in it for built-in programs.

use std::io;
use std::net::{IpAddr, SocketAddr, TcpListener, TcpStream};
use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd, RawFd};

use nix::errno::Errno;
use nix::sys::socket::{self, Backlog, SockaddrStorage, sockopt};
use serde::{Deserialize, Serialize};

use super::child::{Child, Exec, Process};
use super::error::{ExecError, HolderError};
use super::holder::{Line, unexpected};
use super::tcp_info::set_congestion_control;
use super::wire::{Answer, NodeReport, Request, SocketKind};
use crate::door::DoorKind;

/// What a linux node is to be.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct NodeSetup {
    /// Its name, in errors.
    pub name: String,
    /// Its door; `None` prefers TUN and falls back to veth where `/dev/net/tun` is missing or closed to this user.
    pub door: Option<DoorKind>,
    /// Addresses of the kernel's interface, each with its prefix length. Without an IPv6 address the interface is
    /// silent in IPv6; with one, the kernel announces its multicast groups in its first second (two MLDv2 reports from
    /// `::`, RFC 3810 §6.1), which no setting prevents.
    pub kernel_addresses: Vec<(IpAddr, u8)>,
    /// Routes besides those that the addresses bring.
    pub routes: Vec<Route>,
    /// Octets of the longest network packet.
    pub mtu: u16,
    /// The kernel interface's Ethernet address; `None` lets the kernel draw one. TUN has none.
    pub mac: Option<[u8; 6]>,
    /// Kernel settings of this node, under `net.` only: `("net.ipv4.tcp_sack", "0")`. Written before the interface
    /// comes up.
    pub sysctls: Vec<(String, String)>,
}

impl NodeSetup {
    /// A node with any door, MTU 1500, nothing else.
    pub fn named(name: &str) -> NodeSetup {
        NodeSetup {
            name: name.to_owned(),
            door: None,
            kernel_addresses: Vec::new(),
            routes: Vec::new(),
            mtu: 1500,
            mac: None,
            sysctls: Vec::new(),
        }
    }
}

/// A route of the kernel's, out of its one interface.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Route {
    /// The network; `0.0.0.0` or `::` with prefix 0 is the default route.
    pub destination: IpAddr,
    /// Length of its prefix.
    pub prefix: u8,
    /// The gateway, of the same family; `None`: the destination is on the link.
    pub via: Option<IpAddr>,
}

/// One linux node. Clones speak of the same node; it lives as long as the [`super::Holder`].
#[derive(Clone, Debug)]
pub struct LinuxNode {
    line: Line,
    name: String,
    number: usize,
    door: DoorKind,
    note: Option<String>,
    congestion: Option<String>,
}

impl LinuxNode {
    pub(super) fn new(line: Line, name: String, report: NodeReport) -> LinuxNode {
        LinuxNode { line, name, number: report.number, door: report.door, note: report.note, congestion: None }
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The door that was opened.
    pub fn door_kind(&self) -> DoorKind {
        self.door
    }

    /// Why it is not the preferred door, to be told to the user; `None` when it is.
    pub fn door_note(&self) -> Option<String> {
        self.note.clone()
    }

    /// The same node, whose TCP sockets from now on ask for this congestion control (`reno`, `cubic`, `bbr`). A kernel that
    /// has none of that name, or lets this user choose no such, is not argued with: `tcp_info::congestion_control` tells
    /// what a socket really has.
    pub fn with_congestion(self, name: &str) -> LinuxNode {
        LinuxNode { congestion: Some(name.to_owned()), ..self }
    }

    /// A fresh TCP socket in this node, non-blocking.
    ///
    /// # Errors
    /// When the kernel refuses (no IPv6), or the holder has ended.
    pub fn tcp_socket(&self, is_v6: bool) -> Result<OwnedFd, HolderError> {
        let socket = self.socket(is_v6, SocketKind::Tcp)?;
        if let Some(name) = &self.congestion {
            // What was not granted is told by whoever reads it back.
            let _ = set_congestion_control(&socket, name);
        }
        Ok(socket)
    }

    /// A fresh UDP socket in this node, non-blocking.
    ///
    /// # Errors
    /// When the kernel refuses (no IPv6), or the holder has ended.
    pub fn udp_socket(&self, is_v6: bool) -> Result<OwnedFd, HolderError> {
        self.socket(is_v6, SocketKind::Udp)
    }

    fn socket(&self, v6: bool, kind: SocketKind) -> Result<OwnedFd, HolderError> {
        let (answer, mut descriptors) = self.line.ask(&Request::Socket { node: self.number, v6, kind }, &[])?;
        match answer {
            Answer::Done => {
                descriptors.pop().ok_or_else(|| HolderError::Protocol("a socket without a descriptor".into()))
            }
            Answer::Refused(error) => Err(error),
            other @ (Answer::Node(_) | Answer::Started { .. } | Answer::NotRun(_)) => Err(unexpected(&other)),
        }
    }

    /// Listens in this node, non-blocking; a port in TIME-WAIT is no hindrance (`SO_REUSEADDR`).
    ///
    /// # Errors
    /// What the kernel says to `bind` or `listen`, or the holder's end.
    pub fn tcp_listen(&self, address: SocketAddr, backlog: i32) -> io::Result<TcpListener> {
        let socket = self.tcp_socket(address.is_ipv6())?;
        socket::setsockopt(&socket, sockopt::ReuseAddr, &true)?;
        socket::bind(socket.as_raw_fd(), &SockaddrStorage::from(address))?;
        socket::listen(&socket, Backlog::new(backlog)?)?;
        Ok(TcpListener::from(socket))
    }

    /// Begins to connect and returns at once: the stream becomes writable when the connection is made or has failed
    /// (`take_error` tells which).
    ///
    /// # Errors
    /// What the kernel says at once (no route), or the holder's end.
    pub fn tcp_connect_begin(&self, address: SocketAddr) -> io::Result<TcpStream> {
        let socket = self.tcp_socket(address.is_ipv6())?;
        match socket::connect(socket.as_raw_fd(), &SockaddrStorage::from(address)) {
            Ok(()) | Err(Errno::EINPROGRESS) => Ok(TcpStream::from(socket)),
            Err(errno) => Err(errno.into()),
        }
    }

    /// Connects. Call it inside a tokio runtime.
    ///
    /// # Errors
    /// What the kernel says, or the holder's end.
    pub async fn connect(&self, address: SocketAddr) -> io::Result<tokio::net::TcpStream> {
        let socket = TcpStream::from(self.tcp_socket(address.is_ipv6())?);
        tokio::net::TcpSocket::from_std_stream(socket).connect(address).await
    }

    /// Listens with a backlog of 128. Call it inside a tokio runtime.
    ///
    /// # Errors
    /// What the kernel says to `bind` or `listen`, or the holder's end.
    pub async fn listen(&self, address: SocketAddr) -> io::Result<tokio::net::TcpListener> {
        self.listen_with(address, 128).await
    }

    /// Listens; `backlog` connections and one more may wait to be accepted. Call it inside a tokio runtime.
    ///
    /// # Errors
    /// What the kernel says to `bind` or `listen`, or the holder's end.
    pub async fn listen_with(&self, address: SocketAddr, backlog: i32) -> io::Result<tokio::net::TcpListener> {
        tokio::net::TcpListener::from_std(self.tcp_listen(address, backlog)?)
    }

    /// A UDP socket bound to `address`. Call it inside a tokio runtime.
    ///
    /// # Errors
    /// What the kernel says to `bind`, or the holder's end.
    pub async fn udp_bind(&self, address: SocketAddr) -> io::Result<tokio::net::UdpSocket> {
        let socket = self.udp_socket(address.is_ipv6())?;
        socket::bind(socket.as_raw_fd(), &SockaddrStorage::from(address))?;
        tokio::net::UdpSocket::from_std(socket.into())
    }

    /// Runs a real program in this node. Call it inside a tokio runtime.
    ///
    /// # Errors
    /// What is missing, and what mends it.
    ///
    /// # Panics
    /// Outside a tokio runtime.
    pub fn exec(&self, exec: Exec) -> Result<Child, ExecError> {
        let (program, pid, descriptors) = self.start(exec, &[])?;
        Child::adopt(self.line.clone(), pid, descriptors).map_err(|error| not_adopted(program, &error))
    }

    /// Runs a real program in this node with these as its standard input, output and error. Call it inside a tokio runtime.
    ///
    /// # Errors
    /// What is missing, and what mends it.
    ///
    /// # Panics
    /// Outside a tokio runtime.
    pub fn exec_on(&self, exec: Exec, streams: [BorrowedFd<'_>; 3]) -> Result<Process, ExecError> {
        let streams = streams.map(|stream| stream.as_raw_fd());
        let (program, pid, mut descriptors) = self.start(exec, &streams)?;
        let ending = descriptors.pop().ok_or_else(|| io::Error::from(io::ErrorKind::InvalidData));
        let process = ending.and_then(|ending| Process::adopt(self.line.clone(), pid, ending));
        process.map_err(|error| not_adopted(program, &error))
    }

    fn start(&self, exec: Exec, streams: &[RawFd]) -> Result<(String, i32, Vec<OwnedFd>), ExecError> {
        let program = exec.argv.first().cloned().ok_or(ExecError::Empty)?;
        let (answer, descriptors) = self.line.ask(&Request::Exec { node: self.number, exec }, streams)?;
        match answer {
            Answer::Started { pid } => Ok((program, pid, descriptors)),
            Answer::NotRun(error) => Err(error),
            Answer::Refused(error) => Err(error.into()),
            other @ (Answer::Done | Answer::Node(_)) => Err(unexpected(&other).into()),
        }
    }
}

fn not_adopted(program: String, error: &io::Error) -> ExecError {
    ExecError::Failed { program, reason: error.to_string() }
}
