//! TCP connections as an onlooker sees them: relative numbers, and what a segment plainly is.
//!
//! Only what the packets say is used here, so it holds for a stranger's capture too. Where the sender's own reason is
//! in the journal, that reason is shown instead of the reading made here.

use std::collections::HashMap;
use std::net::SocketAddr;

use crate::packet::SeqNum;
use crate::packet::dissect::Tcp;

/// Every connection seen so far.
#[derive(Default)]
pub(super) struct Streams {
    streams: Vec<Stream>,
    /// The latest connection of two endpoints, the lesser first.
    latest: HashMap<(SocketAddr, SocketAddr), usize>,
    numbered: u32,
}

struct Stream {
    client: SocketAddr,
    /// The client's, then the server's.
    halves: [Half; 2],
    /// Wireshark's `tcp.stream`; `None` until the vantage point has seen a packet of it.
    number: Option<u32>,
    answered: bool,
    completed: bool,
}

/// What one end has sent.
#[derive(Default)]
struct Half {
    /// The initial sequence number; the one before the first seen when the SYN was not.
    base: Option<SeqNum>,
    /// Sequence space seen so far, relative to `base`: sorted, disjoint, not touching.
    seen: Vec<(u32, u32)>,
    /// Where the sequence space ends behind its FIN, relative to `base`.
    fin: Option<u32>,
    ack: Option<SeqNum>,
    window: u16,
}

/// What a segment plainly is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Reading {
    /// The connection, counted from 0 in the order of appearance.
    pub(super) connection: usize,
    /// Set on the first segment of a connection.
    pub(super) opened: Option<Opened>,
    /// Sequence number relative to the initial one.
    pub(super) seq: u32,
    /// Acknowledgment number relative to the other end's initial one; `None` without ACK flag.
    pub(super) ack: Option<u32>,
    /// It carries only sequence space that was seen before.
    pub(super) again: bool,
    /// The segment in a few words.
    pub(super) text: &'static str,
}

/// What a duplicate acknowledgment is called.
const DUPLICATE_ACK: &str = "duplicate ACK: something is missing, or came twice";

impl Reading {
    /// Whether it acknowledges nothing new while something is missing (RFC 5681 §2).
    pub(super) fn is_duplicate_ack(&self) -> bool {
        self.text == DUPLICATE_ACK
    }
}

/// A connection that appears for the first time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Opened {
    /// Who sent the SYN, or else whoever was seen first.
    pub(super) client: SocketAddr,
    /// The other end.
    pub(super) server: SocketAddr,
    /// Wireshark's `tcp.stream`; `None` when the vantage point has not seen this packet.
    pub(super) number: Option<u32>,
    /// Whether the SYN was seen.
    pub(super) from_the_start: bool,
}

impl Streams {
    /// Reads the next segment. `numbered`: the vantage point has seen it.
    pub(super) fn read(&mut self, src: SocketAddr, dst: SocketAddr, tcp: &Tcp, numbered: bool) -> Reading {
        let (connection, is_new) = self.find(src, dst, tcp);
        let number = self.numbered;
        let stream = &mut self.streams[connection];
        if numbered && stream.number.is_none() {
            stream.number = Some(number);
            self.numbered += 1;
        }
        let from_the_start = tcp.flags.syn();
        let opened = is_new.then(|| {
            let client = stream.client;
            Opened { client, server: if client == src { dst } else { src }, number: stream.number, from_the_start }
        });
        let mut reading = stream.read(src, tcp);
        (reading.connection, reading.opened) = (connection, opened);
        reading
    }

    fn find(&mut self, src: SocketAddr, dst: SocketAddr, tcp: &Tcp) -> (usize, bool) {
        let key = (src.min(dst), src.max(dst));
        if let Some(index) = self.latest.get(&key) {
            let half = self.streams[*index].half_of(src);
            // A SYN with another initial number is a new connection on old ports.
            let reused = tcp.flags.syn() && !tcp.flags.ack() && half.base.is_some_and(|base| base != tcp.seq);
            if !reused {
                return (*index, false);
            }
        }
        let client = if tcp.flags.syn() && tcp.flags.ack() { dst } else { src };
        let halves = [Half::default(), Half::default()];
        self.streams.push(Stream { client, halves, number: None, answered: false, completed: false });
        self.latest.insert(key, self.streams.len() - 1);
        (self.streams.len() - 1, true)
    }
}

impl Stream {
    fn half_of(&self, end: SocketAddr) -> &Half {
        &self.halves[usize::from(end != self.client)]
    }

    fn read(&mut self, src: SocketAddr, tcp: &Tcp) -> Reading {
        let [client, server] = &mut self.halves;
        let is_client = src == self.client;
        let (own, other) = if is_client { (client, server) } else { (server, client) };
        let base = *own.base.get_or_insert(if tcp.flags.syn() { tcp.seq } else { tcp.seq - 1 });
        let ack = tcp.flags.ack().then(|| tcp.ack.offset_from(*other.base.get_or_insert(tcp.ack - 1)));
        let seq = tcp.seq.offset_from(base);
        let end = seq.wrapping_add(tcp.sequence_len());
        let text = if tcp.flags.rst() {
            "resets the connection"
        } else if tcp.flags.syn() {
            self.answered |= tcp.flags.ack();
            if tcp.flags.ack() { "answers the request to connect" } else { "opens the connection" }
        } else if tcp.sequence_len() > 0 {
            own.name_data(seq, tcp)
        } else if is_client && self.answered && !self.completed {
            "completes the handshake"
        } else {
            own.name_ack(other, seq, ack, tcp)
        };
        self.completed |= is_client && self.answered && tcp.flags.ack();
        let again = own.see(seq, end);
        if tcp.flags.fin() {
            own.fin = Some(end);
        }
        if tcp.flags.ack() {
            (own.ack, own.window) = (Some(tcp.ack), tcp.window);
        }
        let text = if again { "sent again: these octets were on their way before" } else { text };
        Reading { connection: 0, opened: None, seq, ack, again, text }
    }
}

impl Half {
    fn name_data(&self, seq: u32, tcp: &Tcp) -> &'static str {
        let next = self.next();
        if next.is_some_and(|next| seq < next) {
            "fills a gap: came out of order, or was lost before"
        } else if next.is_some_and(|next| seq > next) {
            "new data; something before it is missing"
        } else if tcp.flags.fin() && tcp.payload_len > 0 {
            "the last data; nothing more will be sent"
        } else if tcp.flags.fin() {
            "nothing more will be sent"
        } else {
            "new data"
        }
    }

    fn name_ack(&self, other: &Half, seq: u32, ack: Option<u32>, tcp: &Tcp) -> &'static str {
        let same = self.ack == Some(tcp.ack);
        if self.next().is_some_and(|next| seq.wrapping_add(1) == next) && self.fin.is_none() {
            "keep-alive: is the peer still there?"
        } else if !same && ack.is_some() && other.fin == ack {
            "the peer's FIN has arrived"
        } else if tcp.window == 0 {
            "the window is closed: no room for more"
        } else if same && self.window != tcp.window {
            "window update"
        } else if same && other.next().is_some_and(|next| ack.is_some_and(|ack| ack < next)) {
            DUPLICATE_ACK
        } else {
            "this much has arrived"
        }
    }

    /// The end of what has been seen, relative to `base`.
    fn next(&self) -> Option<u32> {
        self.seen.last().map(|(_, end)| *end)
    }

    /// Adds `start..end` to what has been seen; returns whether all of it, and that something, had been.
    fn see(&mut self, start: u32, end: u32) -> bool {
        if end <= start {
            return false;
        }
        let first = self.seen.partition_point(|(_, to)| *to < start);
        if self.seen.get(first).is_some_and(|(from, to)| *from <= start && end <= *to) {
            return true;
        }
        let after = self.seen.partition_point(|(from, _)| *from <= end);
        let merged = self.seen[first..after]
            .iter()
            .fold((start, end), |(low, high), (from, to)| (low.min(*from), high.max(*to)));
        self.seen.splice(first..after, [merged]);
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::packet::dissect::{TcpFlags, TcpOptions};

    /// Who sends, flags, relative seq and ack, octets of data, window.
    type Sent = (char, u8, u32, u32, usize, u16);

    fn segment((end, flags, seq, ack, payload_len, window): Sent) -> Tcp {
        // Initial numbers so near to the end of the circle that every test runs across it.
        let (own, other) = if end == 'c' { (u32::MAX - 2, u32::MAX) } else { (u32::MAX, u32::MAX - 2) };
        Tcp {
            offset: 20,
            header_len: 20,
            src_port: 1,
            dst_port: 2,
            seq: SeqNum(own) + seq,
            ack: SeqNum(other) + ack,
            flags: TcpFlags(flags),
            window,
            checksum: 0,
            urgent: 0,
            options: TcpOptions::default(),
            payload_len,
        }
    }

    /// The reading of the last segment, after all the others.
    fn last_reading(sent: &[Sent]) -> Reading {
        let [client, server] = ["10.0.0.1:1", "10.0.0.2:2"].map(|end| end.parse().expect("an address"));
        let mut streams = Streams::default();
        let handshake = [('c', 2, 0, 0, 0, 100), ('s', 0x12, 0, 1, 0, 100), ('c', 0x10, 1, 1, 0, 100)];
        let readings = handshake.iter().chain(sent).map(|one| {
            let (src, dst) = if one.0 == 'c' { (client, server) } else { (server, client) };
            streams.read(src, dst, &segment(*one), true)
        });
        readings.last().expect("something was sent")
    }

    #[test]
    fn segments_are_named_by_what_came_before_them() {
        let (ack, fin, rst) = (0x10, 0x11, 0x04);
        let data = ('c', ack, 1, 1, 10, 100);
        let cases: [(&str, &[Sent]); 13] = [
            ("completes the handshake", &[]),
            ("new data", &[data]),
            ("this much has arrived", &[data, ('s', ack, 1, 11, 0, 100)]),
            ("new data; something before it is missing", &[data, ('c', ack, 21, 1, 10, 100)]),
            (
                "fills a gap: came out of order, or was lost before",
                &[data, ('c', ack, 21, 1, 10, 100), ('c', ack, 11, 1, 10, 100)],
            ),
            ("sent again: these octets were on their way before", &[data, ('c', ack, 1, 1, 10, 100)]),
            (
                "duplicate ACK: something is missing, or came twice",
                &[data, ('s', ack, 1, 11, 0, 100), ('c', ack, 21, 1, 10, 100), ('s', ack, 1, 11, 0, 100)],
            ),
            ("the window is closed: no room for more", &[data, ('s', ack, 1, 11, 0, 0)]),
            ("window update", &[data, ('s', ack, 1, 11, 0, 0), ('s', ack, 1, 11, 0, 100)]),
            ("keep-alive: is the peer still there?", &[data, ('s', ack, 1, 11, 0, 100), ('c', ack, 10, 1, 0, 100)]),
            ("the last data; nothing more will be sent", &[('c', fin, 1, 1, 10, 100)]),
            ("the peer's FIN has arrived", &[('c', fin, 1, 1, 0, 100), ('s', ack, 1, 2, 0, 100)]),
            ("resets the connection", &[('s', rst, 1, 0, 0, 0)]),
        ];
        for (text, sent) in cases {
            assert_eq!(last_reading(sent).text, text, "{sent:?}");
        }
    }

    #[test]
    fn numbers_are_relative_across_the_end_of_the_circle() {
        let reading = last_reading(&[('c', 0x10, 1, 1, 10, 100), ('s', 0x10, 1, 11, 0, 100)]);
        assert_eq!((reading.seq, reading.ack), (1, Some(11)));
    }

    #[test]
    fn ranges_that_touch_become_one() {
        let mut half = Half::default();
        assert!(!half.see(1, 5) && !half.see(9, 12) && !half.see(20, 30));
        assert!(half.see(2, 5) && !half.see(4, 6) && half.see(20, 30));
        assert_eq!(half.seen, [(1, 6), (9, 12), (20, 30)]);
        assert!(!half.see(6, 20));
        assert_eq!(half.seen, [(1, 30)]);
    }
}
