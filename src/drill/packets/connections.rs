//! Which connection a packet of the script belongs to, and which packets on the wire are of interest.
//!
//! A script has one connection *under test*: the one whose socket was made last, or that the last packet to a listening
//! socket has begun. Its packets are compared; those of earlier ones, and answers to nobody, pass unseen.

use std::net::SocketAddr;

use super::build::Route;
use super::mapping::{Connection, Phase, Protocol};
use super::read::Sent;
use crate::drill::language::script::{Body, PacketSpec, TcpSpec};
use crate::packet::SeqNum;

/// The first port that the script's side connects from; each further connection takes the next.
const FIRST_PORT: u16 = 40_001;

/// Ways whose first sequence number is remembered: a bound on memory.
const REMEMBERED: usize = 1_000;

/// The ends that packets have on the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ends {
    /// What the stack listens on.
    pub bound: SocketAddr,
    /// What it connects to.
    pub far: SocketAddr,
}

/// All connections of a script.
#[derive(Clone, Debug)]
pub struct Connections {
    ends: Ends,
    all: Vec<Connection>,
    under_test: Option<usize>,
    next_port: u16,
    /// The first sequence number that the stack used on each way, for packets that no event has asked for.
    first_seen: Vec<(Route, SeqNum)>,
}

impl Connections {
    /// None yet.
    pub fn new(ends: Ends) -> Connections {
        Connections { ends, all: Vec::new(), under_test: None, next_port: FIRST_PORT, first_seen: Vec::new() }
    }

    /// The connection under test.
    pub fn under_test(&mut self) -> Option<&mut Connection> {
        self.all.get_mut(self.under_test?)
    }

    fn begin(&mut self, connection: Connection) -> &mut Connection {
        let index = self.all.len();
        self.under_test = Some(index);
        self.all.push(connection);
        &mut self.all[index]
    }

    fn by_fd(&mut self, script_fd: i64) -> Option<&mut Connection> {
        self.all.iter_mut().rev().find(|connection| connection.script_fd == Some(script_fd))
    }

    /// `socket()` has returned a descriptor.
    pub fn socket(&mut self, script_fd: i64, protocol: Protocol) {
        self.begin(Connection { script_fd: Some(script_fd), ..Connection::new(protocol) });
    }

    /// `listen()` was called.
    pub fn listen(&mut self, script_fd: i64) {
        if let Some(connection) = self.by_fd(script_fd) {
            connection.phase = Phase::Listening;
        }
    }

    /// `connect()` is called, or a send that connects.
    pub fn connect(&mut self, script_fd: i64) {
        let far = self.ends.far;
        if let Some(connection) = self.by_fd(script_fd)
            && connection.phase == Phase::New
        {
            connection.phase = Phase::Connecting;
            connection.remote = Some(far);
        }
    }

    /// `connect(AF_UNSPEC)` is called: the socket is as new.
    pub fn disconnect(&mut self, script_fd: i64) {
        if let Some(connection) = self.by_fd(script_fd) {
            connection.phase = Phase::New;
        }
    }

    /// `accept()` has returned a descriptor. `remote`: the address that it told, if any. `false`: the script has not sent
    /// what would make such a connection.
    pub fn accept(&mut self, script_fd: i64, remote: Option<SocketAddr>) -> bool {
        let waits = |connection: &&mut Connection| {
            let is_open = match connection.phase {
                // Fast Open hands over a connection whose SYN,ACK is not yet acknowledged.
                Phase::SynAckSent | Phase::SynAckAcked => true,
                Phase::New
                | Phase::Listening
                | Phase::PacketReceived
                | Phase::Connecting
                | Phase::SynSent
                | Phase::SynAcked => false,
            };
            is_open && connection.script_fd.is_none() && (remote.is_none() || connection.remote == remote)
        };
        match self.all.iter_mut().find(waits) {
            Some(connection) => {
                connection.script_fd = Some(script_fd);
                true
            }
            None => false,
        }
    }

    /// A descriptor is closed; its number may come again.
    pub fn close(&mut self, script_fd: i64) {
        // The latest of that number; a negative one is no script's.
        if let Some(connection) = self.by_fd(script_fd) {
            connection.script_fd = Some(-1);
        }
    }

    /// The connection that an inbound packet belongs to; a first packet to a listener begins one. `None`: there is none that
    /// could take it.
    pub fn takes(&mut self, packet: &PacketSpec) -> Option<&mut Connection> {
        let is_open_to_all = match self.under_test() {
            None => true,
            Some(connection) => connection.protocol == Protocol::Tcp && connection.phase == Phase::Listening,
        };
        if let (Body::Tcp(tcp), true) = (&packet.body, is_open_to_all) {
            return Some(self.child(tcp));
        }
        let ends = self.ends;
        let fresh = self.next_port;
        let connection = self.under_test()?;
        match (&packet.body, connection.protocol) {
            (Body::Tcp(_), Protocol::Tcp) | (Body::Udp { .. }, Protocol::Udp) | (Body::Icmp(_), _) => {}
            (Body::Tcp(_) | Body::Udp { .. }, _) => return None,
        }
        // A packet to a socket that neither listens nor connects: its own address is the one that it would bind to.
        connection.local.get_or_insert(ends.bound);
        if connection.remote.is_none() {
            let port = if connection.protocol == Protocol::Tcp { fresh } else { ends.far.port() };
            connection.remote = Some(SocketAddr::new(ends.far.ip(), port));
        }
        advance(connection, &packet.body);
        Some(connection)
    }

    fn child(&mut self, tcp: &TcpSpec) -> &mut Connection {
        let port = self.next_port;
        self.next_port = self.next_port.wrapping_add(1).max(FIRST_PORT);
        let Ends { bound, far } = self.ends;
        self.begin(Connection {
            phase: Phase::PacketReceived,
            local: Some(bound),
            remote: Some(SocketAddr::new(far.ip(), port)),
            irs: tcp.seq,
            ..Connection::new(Protocol::Tcp)
        })
    }

    /// Prepares for a packet that the script expects; `false`: there is no connection that could send it.
    pub fn expects(&mut self, packet: &PacketSpec) -> bool {
        let Some(connection) = self.under_test() else { return false };
        if let Body::Tcp(tcp) = &packet.body {
            let is_syn = tcp.flags.syn() && !tcp.flags.ack();
            let is_syn_ack = tcp.flags.syn() && tcp.flags.ack();
            if is_syn && connection.phase == Phase::Connecting {
                connection.phase = Phase::SynSent;
                connection.script_iss = tcp.seq;
            } else if is_syn_ack && connection.phase == Phase::PacketReceived {
                connection.script_iss = tcp.seq;
            }
        }
        match (&packet.body, connection.protocol) {
            (Body::Tcp(_), Protocol::Tcp) | (Body::Udp { .. }, Protocol::Udp) | (Body::Icmp(_), _) => true,
            (Body::Tcp(_) | Body::Udp { .. }, _) => false,
        }
    }

    /// Whether a packet on the wire is one of the connection under test; if it is the first of an active open, its ends and
    /// numbers are learnt.
    pub fn owns(&mut self, sent: &Sent) -> bool {
        let Some(connection) = self.under_test() else { return false };
        if connection.sends(sent.route) {
            return true;
        }
        let begins = match (&sent.packet.body, connection.protocol) {
            (Body::Tcp(tcp), Protocol::Tcp) => {
                tcp.flags.syn() && !tcp.flags.ack() && connection.phase == Phase::SynSent
            }
            (Body::Udp { .. }, Protocol::Udp) => connection.phase == Phase::Connecting,
            (Body::Icmp(_), Protocol::Icmp) => connection.phase == Phase::Connecting,
            (Body::Tcp(_) | Body::Udp { .. } | Body::Icmp(_), _) => false,
        };
        if !begins || !is_to(connection, sent.route) {
            return false;
        }
        connection.local = Some(sent.route.from);
        if let Some(tcp) = sent.tcp() {
            connection.wire_iss = tcp.seq;
        }
        true
    }

    /// The stack has sent a packet, whatever will become of it.
    pub fn seen(&mut self, sent: &Sent) {
        if let Some(tcp) = sent.tcp()
            && tcp.flags.syn()
            && !self.first_seen.iter().any(|(route, _)| *route == sent.route)
            && self.first_seen.len() < REMEMBERED
        {
            self.first_seen.push((sent.route, tcp.seq));
        }
    }

    /// What the stack has sent, in the script's numbers as far as they are known. Only for showing.
    pub fn in_script_numbers(&self, sent: &Sent) -> PacketSpec {
        let mut shown = sent.packet.clone();
        let connection = self.all.iter().rev().find(|connection| connection.sends(sent.route));
        let first = self.first_seen.iter().find(|(route, _)| *route == sent.route).map(|(_, seq)| *seq);
        let mut connection = match (connection, first) {
            (Some(connection), _) => connection.clone(),
            (None, Some(_)) => Connection::new(Protocol::Tcp),
            (None, None) => return shown,
        };
        if let Some(first) = first
            && connection.wire_iss == SeqNum(0)
        {
            connection.wire_iss = first;
        }
        if let Body::Tcp(tcp) = &mut shown.body {
            *tcp = connection.to_script(tcp);
            connection.show_timestamps(tcp);
        }
        shown
    }

    /// A packet of the connection under test has come out where `expected` was due: learns the number of its SYN,ACK.
    pub fn sent(&mut self, expected: &PacketSpec, sent: &Sent) {
        let Some(connection) = self.under_test() else { return };
        if let (Body::Tcp(expected), Some(tcp)) = (&expected.body, sent.tcp())
            && connection.phase == Phase::PacketReceived
            && expected.flags.syn()
            && expected.flags.ack()
        {
            connection.phase = Phase::SynAckSent;
            connection.wire_iss = tcp.seq;
        }
    }
}

/// What an inbound packet means for the handshake.
fn advance(connection: &mut Connection, body: &Body) {
    let Body::Tcp(tcp) = body else { return };
    if connection.phase == Phase::SynAckSent && tcp.flags.ack() {
        connection.phase = Phase::SynAckAcked;
    } else if connection.phase == Phase::SynSent && tcp.flags.syn() && tcp.flags.ack() {
        connection.phase = Phase::SynAcked;
        connection.irs = tcp.seq;
    }
}

fn is_to(connection: &Connection, route: Route) -> bool {
    match connection.protocol {
        Protocol::Tcp | Protocol::Udp => connection.remote == Some(route.to),
        Protocol::Icmp => connection.remote.is_some_and(|remote| remote.ip() == route.to.ip()),
    }
}

#[cfg(test)]
mod tests;
