//! TCP connections as an onlooker sees them: relative numbers, and what a segment plainly is.
//!
//! Only what the packets say is used here, so it holds for a stranger's capture too. Where the sender's own reason is
//! in the journal, that reason is shown instead of the reading made here.

use std::collections::HashMap;
use std::net::SocketAddr;

use crate::packet::SeqNum;
use crate::packet::dissect::{Tcp, TcpFlags};

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
    /// Its SYN was seen.
    opened: bool,
    /// The window scale that its SYN offered (RFC 7323 §2.2).
    scale: Option<u8>,
    /// It has asked, and the other end has not answered since.
    probe: Option<Probe>,
}

/// A segment that only wants an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Probe {
    /// RFC 9293 §3.8.4.
    KeepAlive,
    /// RFC 9293 §3.8.6.1.
    Window,
}

/// The window that a segment offers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Window {
    /// In octets.
    Octets(u32),
    /// The header's field; the SYNs, which say how often it counts, were not seen.
    Unscaled(u16),
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
    /// What it acknowledges selectively: first octet and the one after the last, relative like `ack` (RFC 2018 §3).
    pub(super) sack: Vec<(u32, u32)>,
    /// It carries only sequence space that was seen before.
    pub(super) again: bool,
    /// The client sent it.
    pub(super) by_client: bool,
    /// The window that it offers.
    pub(super) window: Window,
    /// Not one of many like it: never folded.
    pub(super) remarkable: bool,
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
        let (answered, completed) = (self.answered, self.completed);
        let [client, server] = &mut self.halves;
        let by_client = src == self.client;
        let (own, other) = if by_client { (client, server) } else { (server, client) };
        let illegal = illegal(tcp.flags);
        let is_refusal = tcp.flags.rst() && !by_client && other.opened && own.base.is_none();
        let base = own.base.unwrap_or(if tcp.flags.syn() { tcp.seq } else { tcp.seq - 1 });
        let seq = tcp.seq.offset_from(base);
        let ack = tcp.flags.ack().then(|| tcp.ack.offset_from(*other.base.get_or_insert(tcp.ack - 1)));
        let place = |edge: SeqNum| other.base.map_or(edge.0, |base| edge.offset_from(base));
        let sack = tcp.options.sack.iter().map(|(left, right)| (place(*left), place(*right))).collect();
        let mut reading = Reading {
            connection: 0,
            opened: None,
            seq,
            ack,
            sack,
            again: false,
            by_client,
            window: own.offers(other, tcp),
            remarkable: illegal.is_some() || is_refusal,
            text: illegal.unwrap_or_default(),
        };
        // Whoever gets such a segment drops it, so it changes nothing here either.
        if illegal.is_some() {
            return reading;
        }
        own.base = Some(base);
        let probe = own.probe(other, seq, tcp);
        let asked = if tcp.flags.ack() { other.probe.take() } else { None };
        reading.remarkable |= probe.is_some() || asked.is_some();
        reading.text = if is_refusal {
            "refuses: nobody listens on this port"
        } else if tcp.flags.rst() {
            "resets the connection"
        } else if tcp.flags.syn() {
            if tcp.flags.ack() { "answers the request to connect" } else { "opens the connection" }
        } else if let Some(probe) = probe {
            probe.text()
        } else if tcp.sequence_len() > 0 {
            own.name_data(seq, tcp)
        } else if by_client && answered && !completed {
            "completes the handshake"
        } else {
            own.name_ack(other, ack, asked, tcp)
        };
        reading.again = probe.is_none() && own.see(seq, seq.wrapping_add(tcp.sequence_len()));
        if reading.again {
            reading.text = name_again(answered, tcp.flags);
        }
        own.learn(other, seq, ack, probe, tcp);
        self.answered |= tcp.flags.syn() && tcp.flags.ack();
        self.completed |= by_client && self.answered && tcp.flags.ack();
        reading
    }
}

/// Why no TCP sends such a segment: each has ACK but the first SYN and some resets (RFC 9293 §3.10.7), and SYN stands
/// with neither FIN nor RST.
fn illegal(flags: TcpFlags) -> Option<&'static str> {
    match (flags.syn(), flags.fin(), flags.rst(), flags.ack()) {
        (true, true, _, _) => Some("SYN and FIN at once: not a legal segment"),
        (true, _, true, _) => Some("SYN and RST at once: not a legal segment"),
        (false, _, false, false) if flags.0 & 0x3f == 0 => Some("no flags: not a legal segment"),
        (false, _, false, false) => Some("no ACK flag: not a legal segment"),
        (_, _, _, _) => None,
    }
}

fn name_again(answered: bool, flags: TcpFlags) -> &'static str {
    match (flags.syn(), flags.ack()) {
        (true, true) => "the answer again: no ACK came",
        (true, false) if answered => "the SYN again: the answer did not arrive",
        (true, false) => "the SYN again: no answer came",
        (false, _) => "sent again: these octets were on their way before",
    }
}

impl Probe {
    fn text(self) -> &'static str {
        match self {
            Probe::KeepAlive => "keep-alive: is the peer still there?",
            Probe::Window => "probe of a closed window: is there room now?",
        }
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

    fn name_ack(&self, other: &Half, ack: Option<u32>, asked: Option<Probe>, tcp: &Tcp) -> &'static str {
        let same = self.ack == Some(tcp.ack);
        if !same && ack.is_some() && other.fin == ack {
            "the peer's FIN has arrived"
        } else if same && tcp.window == 0 && asked == Some(Probe::Window) {
            "answers the probe: the window is still closed"
        } else if same && asked == Some(Probe::KeepAlive) {
            "answers the keep-alive: still there"
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

    /// Whether the segment only asks: at most one octet, which the peer has or has no room for.
    fn probe(&self, other: &Half, seq: u32, tcp: &Tcp) -> Option<Probe> {
        let flags = tcp.flags;
        if flags.syn() || flags.fin() || flags.rst() || tcp.payload_len > 1 || self.fin.is_some() {
            return None;
        }
        let next = self.next()?;
        let acked = other.ack?.offset_from(self.base?);
        let is_behind = seq.wrapping_add(1) == next;
        if other.window == 0 && (is_behind || (seq == next && tcp.payload_len == 1)) {
            Some(Probe::Window)
        } else {
            (is_behind && acked == next).then_some(Probe::KeepAlive)
        }
    }

    /// The window of a segment: that of a SYN is never scaled, others are when both SYNs offered it (RFC 7323 §2.2).
    fn offers(&self, other: &Half, tcp: &Tcp) -> Window {
        let never = |half: &Half| half.opened && half.scale.is_none();
        match (self.scale, other.scale) {
            _ if tcp.flags.syn() || never(self) || never(other) => Window::Octets(tcp.window.into()),
            (Some(own), Some(_)) => Window::Octets(u32::from(tcp.window) << own.min(14)),
            (_, _) => Window::Unscaled(tcp.window),
        }
    }

    /// Remembers what a segment says.
    fn learn(&mut self, other: &mut Half, seq: u32, ack: Option<u32>, probe: Option<Probe>, tcp: &Tcp) {
        if tcp.flags.syn() {
            (self.opened, self.scale) = (true, tcp.options.window_scale);
        }
        if tcp.flags.fin() {
            self.fin = Some(seq.wrapping_add(tcp.sequence_len()));
        }
        self.probe = probe.or(self.probe);
        if tcp.flags.ack() {
            (self.ack, self.window) = (Some(tcp.ack), tcp.window);
            // The octet of a probe was taken after all.
            if let Some((next, ack)) = other.next().zip(ack).filter(|(next, ack)| next.wrapping_add(1) == *ack) {
                other.see(next, ack);
            }
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
    use crate::packet::dissect::TcpOptions;

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
        let (closed, more) = (('s', ack, 1, 11, 0, 0), ('c', ack, 12, 1, 5, 100));
        let cases: [(&str, &[Sent]); 25] = [
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
            (
                "answers the keep-alive: still there",
                &[data, ('s', ack, 1, 11, 0, 100), ('c', ack, 10, 1, 1, 100), ('s', ack, 1, 11, 0, 100)],
            ),
            ("keep-alive: is the peer still there?", &[data, ('s', ack, 1, 11, 0, 100), ('c', ack, 10, 1, 1, 100)]),
            ("probe of a closed window: is there room now?", &[data, closed, ('c', ack, 10, 1, 0, 100)]),
            ("probe of a closed window: is there room now?", &[data, closed, ('c', ack, 11, 1, 1, 100)]),
            ("answers the probe: the window is still closed", &[data, closed, ('c', ack, 10, 1, 0, 100), closed]),
            ("new data", &[data, closed, ('c', ack, 11, 1, 1, 100), ('s', ack, 1, 12, 0, 100), more]),
            ("sent again: these octets were on their way before", &[('c', ack, 1, 1, 1, 9), ('c', ack, 1, 1, 1, 9)]),
            ("the SYN again: the answer did not arrive", &[('c', 2, 0, 0, 0, 100)]),
            ("the answer again: no ACK came", &[('s', 0x12, 0, 1, 0, 100)]),
            ("no flags: not a legal segment", &[('c', 0, 1, 0, 0, 100)]),
            ("SYN and FIN at once: not a legal segment", &[('c', 3, 1, 0, 0, 100)]),
            ("no ACK flag: not a legal segment", &[('c', 0x29, 1, 0, 0, 100)]),
        ];
        for (text, sent) in cases {
            assert_eq!(last_reading(sent).text, text, "{sent:?}");
        }
    }

    /// The reading of the last segment, with nothing before the first.
    fn bare_reading(sent: &[Sent]) -> Reading {
        let [client, server] = ["10.0.0.1:1", "10.0.0.2:2"].map(|end| end.parse().expect("an address"));
        let mut streams = Streams::default();
        let readings = sent.iter().map(|one| {
            let (src, dst) = if one.0 == 'c' { (client, server) } else { (server, client) };
            streams.read(src, dst, &segment(*one), true)
        });
        readings.last().expect("something was sent")
    }

    #[test]
    fn a_request_to_connect_is_asked_again_or_refused() {
        let syn = ('c', 2, 0, 0, 0, 100);
        assert_eq!(bare_reading(&[syn, syn]).text, "the SYN again: no answer came");
        assert_eq!(bare_reading(&[syn, ('s', 0x14, 0, 1, 0, 0)]).text, "refuses: nobody listens on this port");
        assert_eq!(bare_reading(&[('c', 0x10, 1, 1, 9, 9), ('s', 4, 1, 0, 0, 0)]).text, "resets the connection");
    }

    #[test]
    fn an_illegal_segment_changes_nothing() {
        let reading = last_reading(&[('c', 0, 1, 0, 10, 100), ('c', 0x10, 1, 1, 10, 100)]);
        assert_eq!((reading.text, reading.again), ("new data", false));
    }

    #[test]
    fn windows_are_scaled_when_both_syns_say_so() {
        let window = |scales: [Option<u8>; 2], sent: &[Sent]| {
            let [client, server] = ["10.0.0.1:1", "10.0.0.2:2"].map(|end| end.parse().expect("an address"));
            let mut streams = Streams::default();
            let windows = sent.iter().map(|one| {
                let mut tcp = segment(*one);
                let (src, dst, scale) =
                    if one.0 == 'c' { (client, server, scales[0]) } else { (server, client, scales[1]) };
                tcp.options.window_scale = scale.filter(|_| tcp.flags.syn());
                streams.read(src, dst, &tcp, true).window
            });
            windows.last().expect("something was sent")
        };
        let opening = [('c', 2, 0, 0, 0, 500), ('s', 0x12, 0, 1, 0, 600), ('c', 0x10, 1, 1, 0, 502)];
        assert_eq!(window([Some(7), Some(9)], &opening), Window::Octets(64_256));
        assert_eq!(window([Some(7), Some(9)], &opening[..2]), Window::Octets(600));
        assert_eq!(window([Some(7), None], &opening), Window::Octets(502));
        assert_eq!(window([None, None], &opening[2..]), Window::Unscaled(502));
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
