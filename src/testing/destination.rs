//! Places that programs name: `server:80`, a port of one's own.

use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use super::Nodes;

/// Where to: `"server:80"`, `("server", 80)`, or an address.
pub trait Destination {
    /// The address that is meant.
    ///
    /// # Errors
    /// [`io::ErrorKind::NotFound`] when no node has the name, [`io::ErrorKind::InvalidInput`] when it is none.
    fn address(&self, nodes: &Nodes) -> io::Result<SocketAddr>;
}

impl<T: Destination + ?Sized> Destination for &T {
    fn address(&self, nodes: &Nodes) -> io::Result<SocketAddr> {
        (**self).address(nodes)
    }
}

impl Destination for SocketAddr {
    fn address(&self, _nodes: &Nodes) -> io::Result<SocketAddr> {
        Ok(*self)
    }
}

impl Destination for (IpAddr, u16) {
    fn address(&self, _nodes: &Nodes) -> io::Result<SocketAddr> {
        Ok((*self).into())
    }
}

impl Destination for (&str, u16) {
    fn address(&self, nodes: &Nodes) -> io::Result<SocketAddr> {
        let node = nodes.get(self.0).map_err(|error| io::Error::new(io::ErrorKind::NotFound, error))?;
        Ok(SocketAddr::new(node.address(), self.1))
    }
}

impl Destination for str {
    fn address(&self, nodes: &Nodes) -> io::Result<SocketAddr> {
        if let Ok(address) = self.parse() {
            return Ok(address);
        }
        let named = self.rsplit_once(':').and_then(|(name, port)| Some((name, port.parse::<u16>().ok()?)));
        match named {
            Some((name, port)) => (name, port).address(nodes),
            None => {
                let advice = format!("`{self}` is no destination: write a node's name and a port, such as server:80");
                Err(io::Error::new(io::ErrorKind::InvalidInput, advice))
            }
        }
    }
}

impl Destination for String {
    fn address(&self, nodes: &Nodes) -> io::Result<SocketAddr> {
        self.as_str().address(nodes)
    }
}

/// Where a socket of a node stands: a port of all its addresses (0 takes a free one), or an address.
pub trait Place {
    /// The address that is meant.
    fn local(&self) -> SocketAddr;
}

impl Place for u16 {
    fn local(&self) -> SocketAddr {
        SocketAddr::from((Ipv4Addr::UNSPECIFIED, *self))
    }
}

impl Place for SocketAddr {
    fn local(&self) -> SocketAddr {
        *self
    }
}
