//! A TCP socket before it connects or listens: where it is set up.

use std::fmt;
use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use nix::errno::Errno;

use super::error::bind_error;
use super::{TcpListener, TcpStream};
use crate::journal::SocketId;
use crate::network::NodeHandle;
use crate::stack::TcpConfig;

/// How long a connection is idle before it is probed, where nobody says (RFC 9293 MUST-28).
const KEEP_ALIVE: Duration = Duration::from_secs(2 * 60 * 60);

/// A TCP socket that neither connects nor listens yet.
pub struct TcpSocket {
    node: NodeHandle,
    /// Where it is when nobody binds it: any address of its family.
    family: SocketAddr,
    plan: Mutex<Plan>,
}

/// What has been asked for.
struct Plan {
    config: TcpConfig,
    linger: Option<Duration>,
    reuses_address: bool,
    /// The address that is kept for it.
    bound: Option<(SocketId, SocketAddr)>,
}

impl TcpSocket {
    /// A socket for IPv4.
    ///
    /// # Errors
    /// None today; a `Result` as in tokio.
    pub fn new_v4(node: &NodeHandle) -> io::Result<TcpSocket> {
        Ok(TcpSocket::of(node, SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0))))
    }

    /// A socket for IPv6.
    ///
    /// # Errors
    /// None today; a `Result` as in tokio.
    pub fn new_v6(node: &NodeHandle) -> io::Result<TcpSocket> {
        Ok(TcpSocket::of(node, SocketAddr::from((Ipv6Addr::UNSPECIFIED, 0))))
    }

    fn of(node: &NodeHandle, family: SocketAddr) -> TcpSocket {
        let config = node.inspect(|stack| stack.tcp_defaults().clone());
        let plan = Plan { config, linger: None, reuses_address: false, bound: None };
        TcpSocket { node: node.clone(), family, plan: Mutex::new(plan) }
    }

    fn plan(&self) -> MutexGuard<'_, Plan> {
        self.plan.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes anything that a connection begins with: the congestion control, time-outs, Fast Open, …
    pub fn configure(&self, change: impl FnOnce(&mut TcpConfig)) {
        change(&mut self.plan().config);
    }

    /// Probes the connection when it is idle for two hours, or never.
    ///
    /// # Errors
    /// None today; a `Result` as in tokio, here and below.
    pub fn set_keepalive(&self, keep_alive: bool) -> io::Result<()> {
        self.plan().config.keep_alive = keep_alive.then_some(KEEP_ALIVE);
        Ok(())
    }

    /// Whether an idle connection is probed.
    ///
    /// # Errors
    /// None.
    pub fn keepalive(&self) -> io::Result<bool> {
        Ok(self.plan().config.keep_alive.is_some())
    }

    /// Whether the address may be one where connections linger in TIME-WAIT. Here they are never in the way.
    ///
    /// # Errors
    /// None.
    pub fn set_reuseaddr(&self, reuses: bool) -> io::Result<()> {
        self.plan().reuses_address = reuses;
        Ok(())
    }

    /// What [`TcpSocket::set_reuseaddr`] was told.
    ///
    /// # Errors
    /// None.
    pub fn reuseaddr(&self) -> io::Result<bool> {
        Ok(self.plan().reuses_address)
    }

    /// Sets the octets of the send buffer.
    ///
    /// # Errors
    /// None.
    pub fn set_send_buffer_size(&self, octets: u32) -> io::Result<()> {
        self.plan().config.send_buffer = octets.max(1) as usize;
        Ok(())
    }

    /// Octets of the send buffer.
    ///
    /// # Errors
    /// None.
    pub fn send_buffer_size(&self) -> io::Result<u32> {
        Ok(u32::try_from(self.plan().config.send_buffer).unwrap_or(u32::MAX))
    }

    /// Sets the octets of the receive buffer, and with it the largest window.
    ///
    /// # Errors
    /// None.
    pub fn set_recv_buffer_size(&self, octets: u32) -> io::Result<()> {
        self.plan().config.receive_buffer = octets.max(1) as usize;
        Ok(())
    }

    /// Octets of the receive buffer.
    ///
    /// # Errors
    /// None.
    pub fn recv_buffer_size(&self) -> io::Result<u32> {
        Ok(u32::try_from(self.plan().config.receive_buffer).unwrap_or(u32::MAX))
    }

    /// See [`TcpStream::set_linger`].
    ///
    /// # Errors
    /// None.
    pub fn set_linger(&self, linger: Option<Duration>) -> io::Result<()> {
        self.plan().linger = linger;
        Ok(())
    }

    /// See [`TcpStream::set_zero_linger`].
    ///
    /// # Errors
    /// None.
    pub fn set_zero_linger(&self) -> io::Result<()> {
        self.set_linger(Some(Duration::ZERO))
    }

    /// What [`TcpSocket::set_linger`] was told.
    ///
    /// # Errors
    /// None.
    pub fn linger(&self) -> io::Result<Option<Duration>> {
        Ok(self.plan().linger)
    }

    /// Switches Nagle's algorithm off (`true`) or on.
    ///
    /// # Errors
    /// None.
    pub fn set_nodelay(&self, no_delay: bool) -> io::Result<()> {
        self.plan().config.no_delay = no_delay;
        Ok(())
    }

    /// Whether Nagle's algorithm is off.
    ///
    /// # Errors
    /// None.
    pub fn nodelay(&self) -> io::Result<bool> {
        Ok(self.plan().config.no_delay)
    }

    /// Sets the traffic class of its packets, DSCP in the upper six bits.
    ///
    /// # Errors
    /// [`io::ErrorKind::InvalidInput`] for more than 255.
    pub fn set_tos_v4(&self, class: u32) -> io::Result<()> {
        self.plan().config.traffic_class = u8::try_from(class).map_err(|_| io::Error::from(Errno::EINVAL))?;
        Ok(())
    }

    /// The traffic class of its packets.
    ///
    /// # Errors
    /// None.
    pub fn tos_v4(&self) -> io::Result<u32> {
        Ok(self.plan().config.traffic_class.into())
    }

    /// Where it is bound: port 0 and no address while it is not.
    ///
    /// # Errors
    /// None.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        Ok(self.plan().bound.map_or(self.family, |(_, local)| local))
    }

    /// Nothing can have gone wrong yet.
    ///
    /// # Errors
    /// None.
    pub fn take_error(&self) -> io::Result<Option<io::Error>> {
        Ok(None)
    }

    /// Takes an address; port 0 takes a free one. Nobody else gets it from now on.
    ///
    /// # Errors
    /// [`io::ErrorKind::AddrInUse`], [`io::ErrorKind::AddrNotAvailable`]; [`io::ErrorKind::InvalidInput`] when it is bound
    /// already.
    pub fn bind(&self, local: SocketAddr) -> io::Result<()> {
        let mut plan = self.plan();
        if plan.bound.is_some() {
            return Err(Errno::EINVAL.into());
        }
        self.check_family(local)?;
        let bound = self.node.with_stack(|stack, _| {
            let socket = stack.reserve(local)?;
            Ok((socket, stack.local_address(socket).unwrap_or(local)))
        });
        plan.bound = Some(bound.map_err(bind_error)?);
        Ok(())
    }

    /// A socket has one family of addresses.
    fn check_family(&self, remote: SocketAddr) -> io::Result<()> {
        if remote.is_ipv4() == self.family.is_ipv4() { Ok(()) } else { Err(Errno::EAFNOSUPPORT.into()) }
    }

    /// Gives back what is kept for it, so that the connection or the listener can have it; and its settings.
    fn settle(&self) -> (Option<SocketAddr>, TcpConfig, Option<Duration>) {
        let mut plan = self.plan();
        let local = plan.bound.take().map(|(socket, local)| {
            self.node.with_stack(|stack, now| stack.close(now, socket));
            local
        });
        (local, plan.config.clone(), plan.linger)
    }

    /// Opens a connection.
    ///
    /// # Errors
    /// As [`TcpStream::connect_with`].
    pub async fn connect(self, remote: SocketAddr) -> io::Result<TcpStream> {
        self.check_family(remote)?;
        let (local, config, linger) = self.settle();
        let stream = TcpStream::connect_with(&self.node, local, remote, &config).await?;
        stream.set_linger(linger)?;
        Ok(stream)
    }

    /// Opens a connection, and sends `data` with its SYN if it may; see [`TcpStream::connect_with_data`].
    ///
    /// # Errors
    /// As [`TcpStream::connect_with_data`].
    pub async fn connect_with_data(self, remote: SocketAddr, data: &[u8]) -> io::Result<(TcpStream, usize)> {
        self.check_family(remote)?;
        let (local, config, linger) = self.settle();
        let (stream, taken) = TcpStream::connect_with_data(&self.node, local, remote, &config, data).await?;
        stream.set_linger(linger)?;
        Ok((stream, taken))
    }

    /// Listens where it is bound, else on a free port of every address; as in Linux `backlog` connections and one more may
    /// wait to be accepted.
    ///
    /// # Errors
    /// As [`TcpListener::bind`].
    pub fn listen(self, backlog: u32) -> io::Result<TcpListener> {
        let (local, config, linger) = self.settle();
        let listener = TcpListener::bind_with(&self.node, local.unwrap_or(self.family), backlog as usize, &config)?;
        Ok(listener.lingering(linger))
    }
}

impl Drop for TcpSocket {
    fn drop(&mut self) {
        self.settle();
    }
}

impl fmt::Debug for TcpSocket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bound = self.plan().bound.map(|(_, local)| local);
        f.debug_struct("TcpSocket").field("addr", &bound).finish_non_exhaustive()
    }
}
