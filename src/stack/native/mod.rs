//! Our own stack: `ip`, `tcp` and `udp` joined behind the [`Stack`](super::Stack) trait.
//!
//! ```text
//!             receive ─► ip ──┬─► tcp ──┐
//!                             ├─► udp ──┤  events ─► applications
//!                             └─► echo  │
//!            transmit ◄─ ip ◄───────────┘
//! ```
//!
//! The engines do not know each other; what one yields, this room hands to the next. `intake` brings in, `departure`
//! brings out, `paths` tells each what the others know of a destination, `verbs` is the trait.

mod departure;
mod intake;
mod paths;
mod verbs;

#[cfg(test)]
mod tests;

use super::{SocketEvent, StackConfig, TcpConfig};
use crate::journal::{Notebook, SocketId};
use crate::time::Instant;
use crate::{ip, tcp, udp};

/// Our own stack. See the [module](self).
#[derive(Debug)]
pub struct NativeStack {
    ip: ip::Host,
    tcp: tcp::Engine,
    udp: udp::Sockets,
    defaults: TcpConfig,
    journal: Notebook,
    udp_events: Vec<udp::Event>,
    /// The latest moment of which the stack was told.
    now: Instant,
}

impl NativeStack {
    /// A stack on one interface.
    pub fn new(config: &StackConfig, now: Instant) -> NativeStack {
        let interface = &config.interface;
        let host = ip::Config {
            medium: interface.medium,
            mac: interface.mac,
            addresses: interface.addresses.clone(),
            gateways: interface.gateways.clone(),
            mtu: interface.mtu,
            seed: config.seed,
        };
        NativeStack {
            ip: ip::Host::new(host, now),
            tcp: tcp::Engine::new(config.seed, interface.mtu),
            udp: udp::Sockets::new(config.seed),
            defaults: config.tcp.clone(),
            journal: Notebook::default(),
            udp_events: Vec::new(),
            now,
        }
    }

    /// Connections that there are, those that wait out TIME-WAIT included.
    pub fn connections(&self) -> usize {
        self.tcp.len()
    }

    /// Time does not go back, whatever a caller says.
    fn tell_time(&mut self, now: Instant) {
        self.now = self.now.max(now);
    }

    fn is_tcp(&self, socket: SocketId) -> bool {
        self.tcp.has(socket)
    }

    fn take_udp_events(&mut self, events: &mut Vec<SocketEvent>) {
        self.udp.drain_events(&mut self.udp_events);
        events.extend(self.udp_events.drain(..).map(|event| match event {
            udp::Event::Readable(socket) => SocketEvent::Readable(socket),
            udp::Event::Writable(socket) => SocketEvent::Writable(socket),
        }));
    }
}
