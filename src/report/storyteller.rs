//! What happened at a node, event by event, for the rows between the packets of a story.
//!
//! ```text
//!   49680 ↔ 9000: SYN-SENT → ESTABLISHED                 info
//!   49680 ↔ 9000: cwnd 7,240, ssthresh 7,240 (fast recovery)   notice
//!   client-server: frame 17: dropped by rule lose-3    warning
//!   http-server: HTTP GET /api/posts                      info
//! ```

use std::collections::{BTreeMap, HashMap, HashSet};
use std::net::{IpAddr, SocketAddr};

use super::ladder::learnt::{self, Stream};
use super::programs::grouped;
use super::said;
use crate::capture::{EventRow, Level, Record, Teller};
use crate::journal::{CwndCause, Entry, Event, Impairment, Passage, ProgramEvent, SocketId, Timer};
use crate::packet::{Dissection, PacketId, SeqNum};
use crate::time::Instant;

/// Tells the story of one node.
pub struct Storyteller {
    /// Its first packet: time 0 in Wireshark.
    began: Instant,
    names: BTreeMap<IpAddr, String>,
    /// Between which ends each connection is: its own, then the peer's.
    connections: HashMap<SocketId, (SocketAddr, SocketAddr)>,
    /// The initial sequence number of what goes from the first to the second.
    initial: HashMap<(SocketAddr, SocketAddr), SeqNum>,
    /// Frames of the story by packet.
    frames: HashMap<PacketId, u64>,
    /// Timers that run: one that is moved is no news.
    running: HashSet<(SocketId, Timer)>,
    /// What each connection was last told to miss: every segment behind a hole says it again.
    holes: HashMap<SocketId, (SeqNum, u32)>,
}

impl Storyteller {
    /// Of a node whose first packet was seen at `began`, in a network of these names.
    pub fn new(began: Instant, names: impl IntoIterator<Item = (IpAddr, String)>) -> Storyteller {
        let mut first = BTreeMap::new();
        for (address, name) in names {
            first.entry(address).or_insert(name);
        }
        Storyteller {
            began,
            names: first,
            connections: HashMap::new(),
            initial: HashMap::new(),
            frames: HashMap::new(),
            running: HashSet::new(),
            holes: HashMap::new(),
        }
    }

    fn endpoint(&self, end: SocketAddr) -> String {
        self.names.get(&end.ip()).map_or_else(|| end.to_string(), |name| format!("{name}:{}", end.port()))
    }

    fn packet(&self, packet: PacketId) -> String {
        self.frames.get(&packet).map_or_else(|| format!("packet {packet}"), |number| format!("frame {number}"))
    }

    /// A row about a connection.
    fn of_connection(&self, socket: SocketId, level: Level, message: &str) -> EventRow {
        let ends = self.connections.get(&socket);
        let ports = ends.map_or_else(
            || format!("socket {socket}"),
            |(local, remote)| format!("{} ↔ {}", local.port(), remote.port()),
        );
        let connection = ends.map(|(local, remote)| format!("{} → {}", self.endpoint(*local), self.endpoint(*remote)));
        let message = format!("{ports}: {message}");
        let connection = connection.unwrap_or_default();
        EventRow { level, topic: "tcp".to_owned(), connection, message, figures: Vec::new() }
    }

    /// The place of a sequence number in its stream; the number itself where the SYN was not seen.
    fn relative(&self, socket: SocketId, seq: SeqNum, stream: Stream) -> u32 {
        let ends = self.connections.get(&socket).map(|&(local, remote)| match stream {
            Stream::Own => (local, remote),
            Stream::Peers => (remote, local),
        });
        let base = ends.and_then(|ends| self.initial.get(&ends));
        base.map_or(seq.0, |base| seq.0.wrapping_sub(base.0))
    }

    /// What a stack learnt and decided.
    fn learnt(&self, socket: SocketId, event: &Event) -> EventRow {
        let text = learnt::text(event, self.began, |seq, stream| self.relative(socket, seq, stream)).join(", ");
        EventRow { figures: figures(event), ..self.of_connection(socket, level(event), &text) }
    }

    /// Whether it only says what was said already.
    fn is_known(&mut self, event: &Event) -> bool {
        match *event {
            Event::TimerSet { socket, timer, .. } => !self.running.insert((socket, timer)),
            Event::TimerFired { socket, timer } | Event::TimerStopped { socket, timer } => {
                self.running.remove(&(socket, timer));
                false
            }
            Event::Hole { socket, seq, length } => self.holes.insert(socket, (seq, length)) == Some((seq, length)),
            _ => false,
        }
    }
}

impl Teller for Storyteller {
    fn saw(&mut self, frame: u64, record: &Record) {
        self.frames.insert(record.packet, frame);
        let dissection = Dissection::of(record.medium, &record.bytes, record.wire_len);
        if let (Some(tcp), Some((src, dst))) = (dissection.tcp(), dissection.addresses())
            && tcp.flags.syn()
        {
            self.initial.insert((SocketAddr::new(src, tcp.src_port), SocketAddr::new(dst, tcp.dst_port)), tcp.seq);
        }
    }

    fn tell(&mut self, entry: &Entry) -> Option<EventRow> {
        let plain = |level, topic: &str, message| {
            let (topic, connection) = (topic.to_owned(), String::new());
            Some(EventRow { level, topic, connection, message, figures: Vec::new() })
        };
        if self.is_known(&entry.event) {
            return None;
        }
        match &entry.event {
            Event::State { socket, local, remote, from, to } => {
                self.connections.insert(*socket, (*local, *remote));
                Some(self.of_connection(*socket, Level::Info, &format!("{from} → {to}")))
            }
            Event::Retransmit { socket, packet, seq, length } => {
                let (packet, seq) = (self.packet(*packet), self.relative(*socket, *seq, Stream::Own));
                let text = format!("{} octets from {seq} are sent again, {packet}", grouped(u64::from(*length)));
                Some(self.of_connection(*socket, Level::Notice, &text))
            }
            event if learnt::is_told(event) => event.socket().map(|socket| self.learnt(socket, event)),
            Event::PacketDropped { packet, reason } => {
                plain(Level::Warning, "stack", format!("{} is refused: {reason}", self.packet(*packet)))
            }
            Event::Impaired { packet, link, impairment } => {
                let level = if is_loss(impairment) { Level::Warning } else { Level::Info };
                plain(level, "link", format!("{link}: {}: {impairment}", self.packet(*packet)))
            }
            Event::Passage { packet, passage } => {
                let level = match passage {
                    Passage::Filtered { .. } => Level::Warning,
                    Passage::Taken
                    | Passage::AwaitsNeighbour { .. }
                    | Passage::Translated { .. }
                    | Passage::MssClamped { .. }
                    | Passage::Piece { .. } => Level::Info,
                };
                plain(level, "router", format!("{}: {passage}", self.packet(*packet)))
            }
            Event::MappingMade { mapping } => {
                plain(Level::Info, "router", format!("{} is {} outside from now on", mapping.inside, mapping.outside))
            }
            Event::MappingExpired { mapping } => {
                plain(Level::Info, "router", format!("{} is {} outside no longer", mapping.inside, mapping.outside))
            }
            Event::Program { program, report } => {
                let failed = matches!(report, ProgramEvent::Ended { ok: false, .. });
                let level = if failed { Level::Warning } else { Level::Info };
                said::sentence(report).and_then(|sentence| plain(level, program, format!("{program}: {sentence}")))
            }
            _ => None,
        }
    }
}

/// Whether the link has taken the packet away.
fn is_loss(impairment: &Impairment) -> bool {
    match impairment {
        Impairment::DroppedByRule { .. }
        | Impairment::Lost
        | Impairment::QueueOverflow
        | Impairment::TooBig { .. }
        | Impairment::WaitedTooLong { .. } => true,
        Impairment::Held { .. }
        | Impairment::Delayed { .. }
        | Impairment::Duplicated { .. }
        | Impairment::Corrupted { .. }
        | Impairment::Marked
        | Impairment::EcnBleached { .. }
        | Impairment::OptionStripped { .. } => false,
    }
}

/// How much something that a stack learnt matters.
fn level(event: &Event) -> Level {
    match event {
        Event::TimerSet { .. } | Event::TimerStopped { .. } | Event::RoundTrip { .. } => Level::Debug,
        Event::CongestionWindow { cause, .. } => match cause {
            CwndCause::SlowStart
            | CwndCause::CongestionAvoidance
            | CwndCause::DuringRecovery
            | CwndCause::Model
            | CwndCause::SegmentSize => Level::Debug,
            CwndCause::Initial
            | CwndCause::FastRecovery
            | CwndCause::RecoveryDone
            | CwndCause::Timeout
            | CwndCause::TailLoss
            | CwndCause::Marked
            | CwndCause::Undo
            | CwndCause::Idle
            | CwndCause::ProbeRtt => Level::Notice,
        },
        // The delayed acknowledgment's and the pacing timer fire in the ordinary course of things.
        Event::TimerFired { timer: Timer::DelayedAck | Timer::Pacing | Timer::Cork | Timer::TimeWait, .. } => {
            Level::Debug
        }
        Event::Lost { .. } | Event::SendWindow { .. } => Level::Warning,
        _ => Level::Notice,
    }
}

/// The numbers of an event, for graphs and filters.
fn figures(event: &Event) -> Vec<(&'static str, u64)> {
    let micros = |span: &std::time::Duration| u64::try_from(span.as_micros()).unwrap_or(u64::MAX);
    match event {
        Event::CongestionWindow { cwnd, ssthresh, .. } => {
            let threshold = (*ssthresh != u32::MAX).then_some(("SSTHRESH", u64::from(*ssthresh)));
            std::iter::once(("SND_CWND", u64::from(*cwnd))).chain(threshold).collect()
        }
        Event::RoundTrip { rtt, srtt, rto, .. } => {
            vec![("RTT_US", micros(rtt)), ("SRTT_US", micros(srtt)), ("RTO_US", micros(rto))]
        }
        Event::PathMtu { mtu, .. } => vec![("PATH_MTU", u64::from(*mtu))],
        _ => Vec::new(),
    }
}
