//! Which packets are one connection, and what is taken from each.

use std::collections::HashMap;
use std::net::SocketAddr;

use super::{Connection, End, episodes, handshake, path, stream};
use crate::capture::Record;
use crate::packet::Dissection;
use crate::packet::dissect::{Network, Tcp};
use crate::time::Instant;

/// A packet of a connection.
#[derive(Clone, Debug)]
pub(super) struct Segment {
    pub(super) number: u64,
    pub(super) at: Instant,
    pub(super) from: End,
    /// The identification in the header of IPv4; IPv6 has none.
    pub(super) identification: Option<u16>,
    pub(super) tcp: Tcp,
}

/// The packets of one connection, in the order of the capture.
#[derive(Debug)]
pub(super) struct Gathered {
    client: SocketAddr,
    server: SocketAddr,
    segments: Vec<Segment>,
}

/// All connections, in the order of their first packets.
pub(super) fn gather(records: &[Record]) -> Vec<Gathered> {
    let mut all: Vec<Gathered> = Vec::new();
    // The latest connection between two ends, by the lower of them and the higher.
    let mut latest: HashMap<(SocketAddr, SocketAddr), usize> = HashMap::new();
    for (number, record) in (1..).zip(records) {
        let dissection = Dissection::of(record.medium, &record.bytes, record.wire_len);
        let Some(((from, to), tcp)) = dissection.addresses().zip(dissection.tcp()) else { continue };
        let (from, to) = (SocketAddr::new(from, tcp.src_port), SocketAddr::new(to, tcp.dst_port));
        let key = (from.min(to), from.max(to));
        let known =
            latest.get(&key).copied().filter(|place| !all.get(*place).is_some_and(|one| one.ends_before(from, tcp)));
        let place = known.unwrap_or_else(|| {
            // Who answers a SYN is the server; else whoever is seen first counts as the client.
            let (client, server) = if tcp.flags.syn() && tcp.flags.ack() { (to, from) } else { (from, to) };
            all.push(Gathered { client, server, segments: Vec::new() });
            latest.insert(key, all.len() - 1);
            all.len() - 1
        });
        if let Some(gathered) = all.get_mut(place) {
            let end = if from == gathered.client { End::Client } else { End::Server };
            let identification = match &dissection.network {
                Some(Network::Ipv4(header)) => Some(header.identification),
                Some(Network::Ipv6(_) | Network::Arp(_)) | None => None,
            };
            gathered.segments.push(Segment { number, at: record.at, from: end, identification, tcp: tcp.clone() });
        }
    }
    all
}

impl Gathered {
    /// Whether this segment opens another connection between the same ends.
    fn ends_before(&self, from: SocketAddr, tcp: &Tcp) -> bool {
        if !tcp.flags.syn() || tcp.flags.ack() || from != self.client {
            return tcp.flags.syn() && !tcp.flags.ack() && from != self.client && self.has_reset();
        }
        let first = self.segments.iter().find(|segment| segment.from == End::Client);
        first.is_some_and(|first| !first.tcp.flags.syn() || first.tcp.seq != tcp.seq)
    }

    fn has_reset(&self) -> bool {
        self.segments.last().is_some_and(|last| last.tcp.flags.rst())
    }

    /// What happened to it.
    pub(super) fn judge(&self) -> Connection {
        let segments = &self.segments;
        let path = path::measure(segments);
        let handshake = handshake::read(segments);
        let streams = [End::Client, End::Server].map(|end| stream::judge(segments, end, &path, &handshake));
        let began = segments.first().map_or(Instant::ZERO, |segment| segment.at);
        Connection {
            client: self.client,
            server: self.server,
            first: segments.first().map_or(0, |segment| segment.number),
            last: segments.last().map_or(0, |segment| segment.number),
            began,
            lasted: segments.last().map_or(began, |segment| segment.at) - began,
            packets: segments.len() as u64,
            zero_windows: episodes::zero_windows(segments),
            silences: episodes::silences(segments, &path),
            resets: episodes::resets(segments),
            handshake,
            path,
            streams,
        }
    }
}
