//! Conversations, numbered as Wireshark numbers them.
//!
//! Measured on Wireshark 4.0 and held against it by a test: a conversation is a pair of endpoints; a SYN whose sequence
//! number is not the one known for its sender begins a new one; a SYN,ACK with another number only moves the base. What
//! an ICMP error quotes belongs to its conversation too, but sets no first base.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use crate::packet::dissect::{Tcp, Transport};
use crate::packet::{Dissection, SeqNum};

/// What Wireshark subtracts from sequence and acknowledgment numbers to show them relative to the connection's start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RelativeSeq {
    /// The initial sequence number of the packet's sender; one before the first number seen when its SYN was not seen.
    pub isn_sender: SeqNum,
    /// That of its receiver; `None` while the receiver has not spoken and nothing was acknowledged.
    pub isn_receiver: Option<SeqNum>,
}

impl RelativeSeq {
    /// The relative sequence number (`tcp.seq`).
    pub fn seq(&self, tcp: &Tcp) -> u32 {
        tcp.seq.offset_from(self.isn_sender)
    }

    /// The relative acknowledgment number (`tcp.ack`); the number as it stands there without the ACK flag.
    pub fn ack(&self, tcp: &Tcp) -> u32 {
        match self.isn_receiver {
            Some(isn) if tcp.flags.ack() => tcp.ack.offset_from(isn),
            Some(_) | None => tcp.ack.0,
        }
    }
}

/// Gives each packet of a capture its `tcp.stream` or `udp.stream` and the bases of its relative sequence numbers.
///
/// Grows with the number of conversations, not with that of packets.
#[derive(Clone, Debug, Default)]
pub struct Streams {
    connections: BTreeMap<Pair, Connection>,
    connection_count: u32,
    conversations: BTreeMap<Pair, u32>,
}

/// Both endpoints, the lower one first, so that both directions meet.
type Pair = (SocketAddr, SocketAddr);

/// The latest connection between a pair of endpoints.
#[derive(Clone, Copy, Debug)]
struct Connection {
    stream: u32,
    /// The base of the lower endpoint's sequence numbers, then that of the higher one's.
    bases: [Option<SeqNum>; 2],
}

impl Streams {
    /// Takes the packets of one capture in order. The first value is `None` for what is neither TCP nor UDP, the second
    /// for all but TCP.
    pub fn next(&mut self, dissection: &Dissection) -> (Option<u32>, Option<RelativeSeq>) {
        match &dissection.transport {
            Some(Transport::Tcp(tcp)) => match endpoints(dissection) {
                Some((source, destination)) => {
                    let (stream, relative) = self.segment(source, destination, tcp);
                    (Some(stream), Some(relative))
                }
                None => (None, None),
            },
            Some(Transport::Udp(_)) => (self.datagram(dissection), None),
            Some(Transport::Icmpv4(_) | Transport::Icmpv6(_)) => {
                (dissection.quoted.as_deref().and_then(|quoted| self.quoted(quoted)), None)
            }
            None => (None, None),
        }
    }

    fn quoted(&mut self, dissection: &Dissection) -> Option<u32> {
        let (source, destination) = endpoints(dissection)?;
        match dissection.tcp() {
            Some(tcp) => {
                let connection = self.connection(source, destination, tcp);
                self.connections.insert(pair(source, destination), connection);
                Some(connection.stream)
            }
            None => self.datagram(dissection),
        }
    }

    fn datagram(&mut self, dissection: &Dissection) -> Option<u32> {
        let (source, destination) = endpoints(dissection)?;
        let count = self.conversations.len() as u32;
        Some(*self.conversations.entry(pair(source, destination)).or_insert(count))
    }

    /// The connection that a segment belongs to: the latest one, or a new one when its SYN does not repeat the known one.
    fn connection(&mut self, source: SocketAddr, destination: SocketAddr, tcp: &Tcp) -> Connection {
        let sender = usize::from(source > destination);
        let is_request = tcp.flags.syn() && !tcp.flags.ack();
        let is_answer = tcp.flags.syn() && tcp.flags.ack();
        let known = self.connections.get(&pair(source, destination)).copied();
        let mut connection = known
            .filter(|known| !is_request || known.bases[sender].is_none_or(|base| base == tcp.seq))
            .unwrap_or_else(|| {
                let stream = self.connection_count;
                self.connection_count += 1;
                Connection { stream, bases: [None, None] }
            });
        if is_answer && connection.bases[sender].is_some() {
            connection.bases[sender] = Some(tcp.seq);
        }
        connection
    }

    fn segment(&mut self, source: SocketAddr, destination: SocketAddr, tcp: &Tcp) -> (u32, RelativeSeq) {
        let mut connection = self.connection(source, destination, tcp);
        let sender = usize::from(source > destination);
        let receiver = 1 - sender;
        let first = if tcp.flags.syn() { tcp.seq } else { tcp.seq - 1 };
        let isn_sender = *connection.bases[sender].get_or_insert(first);
        if tcp.flags.ack() && connection.bases[receiver].is_none() {
            connection.bases[receiver] = Some(tcp.ack - 1);
        }
        self.connections.insert(pair(source, destination), connection);
        (connection.stream, RelativeSeq { isn_sender, isn_receiver: connection.bases[receiver] })
    }
}

fn endpoints(dissection: &Dissection) -> Option<(SocketAddr, SocketAddr)> {
    let (source, destination) = dissection.addresses()?;
    let (source_port, destination_port) = dissection.ports()?;
    Some((SocketAddr::new(source, source_port), SocketAddr::new(destination, destination_port)))
}

fn pair(one: SocketAddr, other: SocketAddr) -> Pair {
    if one <= other { (one, other) } else { (other, one) }
}
