//! What a run, or a capture, has left behind.

use std::collections::HashMap;
use std::net::IpAddr;
use std::time::Duration;

use crate::capture::Record;
use crate::filter::{EventSubject, PacketSubject, RelativeSeq, Streams, Subject};
use crate::journal::{Entry, Journal, NodeId};
use crate::packet::dissect::Tcp;
use crate::packet::{Dissection, PacketId, SeqNum};
use crate::time::Instant;

/// Which clock the run had.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Clock {
    /// Time stands still while anybody works: times are exact.
    Virtual,
    /// A scheduler can delay anything: what must be less than a time gets [`Clock::slack`], what must be more than one
    /// gets none. A time that must *be* something is granted the slack both ways: what begins it is seen late as easily
    /// as what ends it.
    Wall,
}

impl Clock {
    /// What is granted on top of an upper bound, and both ways where a time must be an exact one.
    pub(super) fn slack(self, bound: Duration) -> Duration {
        match self {
            Clock::Virtual => Duration::ZERO,
            Clock::Wall => tolerance(bound),
        }
    }
}

/// What "about" means: 15 %, but at least 20 ms.
pub(super) fn tolerance(of: Duration) -> Duration {
    (of * 3 / 20).max(Duration::from_millis(20))
}

/// One node and what its vantage point saw.
#[derive(Clone, Copy, Debug)]
pub struct NodeSource<'a> {
    /// Its name in the lab.
    pub name: &'a str,
    /// Its capture, from the first packet on; `None` when it was not captured.
    pub records: Option<&'a [Record]>,
    /// How many packets came after those: they are in its file only. What they could change stays unknown.
    pub not_kept: u64,
}

/// One link, as far as checks care.
#[derive(Clone, Copy, Debug)]
pub struct LinkSource<'a> {
    /// Its name: `client-server`.
    pub name: &'a str,
    /// Its two ends.
    pub ends: [NodeId; 2],
    /// Octets of the longest network packet.
    pub mtu: usize,
    /// The longest that a packet can be under way; one sent later than this before the end may still be in flight.
    pub longest_flight: Duration,
}

/// Everything that checks may look at.
#[derive(Debug)]
pub struct Evidence<'a> {
    pub(super) nodes: Vec<Vantage<'a>>,
    pub(super) links: Vec<LinkSource<'a>>,
    pub(super) journal: Option<Vec<&'a Entry>>,
    /// How many of its oldest lines the journal has forgotten.
    forgotten: u64,
    pub(super) ended: Instant,
    pub(super) clock: Clock,
}

/// A node's capture, read.
#[derive(Debug)]
pub(super) struct Vantage<'a> {
    pub(super) name: &'a str,
    pub(super) frames: Option<Vec<Frame<'a>>>,
    /// How many later packets are not among the frames.
    not_kept: u64,
    /// The first frame of each packet, by the packet's id.
    numbers: HashMap<PacketId, u64>,
}

/// One packet of a capture, read.
#[derive(Debug)]
pub(super) struct Frame<'a> {
    /// Its number in the capture, from 1.
    pub(super) number: u64,
    /// When it passed, counted from the capture's first packet, as filters see it.
    pub(super) since_first: Instant,
    pub(super) record: &'a Record,
    pub(super) dissection: Dissection,
    stream: Option<u32>,
    relative: Option<RelativeSeq>,
    /// Whether it carries sequence numbers that this vantage has seen from the same sender before.
    pub(super) is_repeat: bool,
}

impl<'a> Evidence<'a> {
    /// Reads what was left behind. `nodes` are in the order of their [`NodeId`]s; without a journal (a plain capture)
    /// checks that ask for events stay unknown; `ended` is when the run was over.
    pub fn new(
        nodes: &[NodeSource<'a>],
        links: &[LinkSource<'a>],
        journal: Option<&'a Journal>,
        ended: Instant,
        clock: Clock,
    ) -> Evidence<'a> {
        Evidence {
            nodes: nodes.iter().map(Vantage::read).collect(),
            links: links.to_vec(),
            journal: journal.map(|journal| journal.entries().collect()),
            forgotten: journal.map_or(0, Journal::forgotten),
            ended,
            clock,
        }
    }

    /// The name of a node; empty when there is no such node.
    pub fn node_name(&self, node: NodeId) -> &'a str {
        self.vantage(node).map_or("", |vantage| vantage.name)
    }

    pub(super) fn vantage(&self, node: NodeId) -> Option<&Vantage<'a>> {
        self.nodes.get(usize::from(node.0))
    }

    /// The frames that a node's vantage point saw; `None` when it was not captured.
    pub(super) fn frames(&self, node: NodeId) -> Option<&[Frame<'a>]> {
        self.vantage(node).and_then(|vantage| vantage.frames.as_deref())
    }

    /// What is to be said when a node's later packets are missing; `None` when they are all there.
    pub(super) fn cut_of(&self, node: NodeId) -> Option<String> {
        let vantage = self.vantage(node).filter(|vantage| vantage.not_kept > 0)?;
        let kept = vantage.frames.as_ref().map_or(0, Vec::len);
        Some(format!(
            "only the first {kept} packets of {name} were kept for judging, not the {more} after them",
            name = vantage.name,
            more = vantage.not_kept
        ))
    }

    /// The same for the first node of which packets are missing.
    pub(super) fn any_cut(&self) -> Option<String> {
        (0..).map(NodeId).zip(&self.nodes).find_map(|(node, _)| self.cut_of(node))
    }

    /// What is to be said when the journal's oldest lines are missing; `None` when they are all there.
    pub(super) fn forgotten(&self) -> Option<String> {
        (self.forgotten > 0).then(|| format!("the journal has forgotten its oldest lines, {} in all", self.forgotten))
    }

    pub(super) fn event_subject(&self, entry: &'a Entry) -> Subject<'a> {
        Subject::Event(EventSubject { entry, node: self.node_name(entry.node) })
    }
}

impl<'a> Vantage<'a> {
    fn read(node: &NodeSource<'a>) -> Vantage<'a> {
        let frames = node.records.map(read_frames);
        let mut numbers = HashMap::new();
        for frame in frames.iter().flatten() {
            numbers.entry(frame.record.packet).or_insert(frame.number);
        }
        Vantage { name: node.name, frames, not_kept: node.not_kept, numbers }
    }

    /// The number of a packet's first frame here; `None` when it was not seen.
    pub(super) fn number_of(&self, packet: PacketId) -> Option<u64> {
        self.numbers.get(&packet).copied()
    }
}

impl Frame<'_> {
    pub(super) fn subject(&self) -> Subject<'_> {
        Subject::Packet(self.packet_subject())
    }

    pub(super) fn packet_subject(&self) -> PacketSubject<'_> {
        PacketSubject {
            number: Some(self.number),
            at: self.since_first,
            dissection: &self.dissection,
            bytes: &self.record.bytes,
            stream: self.stream,
            relative: self.relative,
        }
    }

    /// Octets of TCP or UDP payload, as the headers say.
    pub(super) fn payload_len(&self) -> u64 {
        match (self.dissection.tcp(), self.dissection.udp()) {
            (Some(tcp), _) => tcp.payload_len as u64,
            (None, Some(udp)) => u64::from(udp.length.saturating_sub(8)),
            (None, None) => 0,
        }
    }

    /// The conversation it belongs to.
    pub(super) fn stream(&self) -> Option<u32> {
        self.stream
    }

    /// The relative sequence number, or the one that stands there when the base is not known.
    pub(super) fn seq(&self, tcp: &Tcp) -> u32 {
        self.relative.map_or(tcp.seq.0, |relative| relative.seq(tcp))
    }

    /// The relative acknowledgment number, or the one that stands there when the base is not known.
    pub(super) fn ack(&self, tcp: &Tcp) -> u32 {
        self.relative.map_or(tcp.ack.0, |relative| relative.ack(tcp))
    }
}

fn read_frames(records: &[Record]) -> Vec<Frame<'_>> {
    let mut streams = Streams::default();
    let mut repeats = Repeats::default();
    let first = records.first().map_or(Instant::ZERO, |record| record.at);
    let mut frames = Vec::with_capacity(records.len());
    for (number, record) in (1..).zip(records) {
        let dissection = Dissection::of(record.medium, &record.bytes, record.wire_len);
        let (stream, relative) = streams.next(&dissection);
        let is_repeat = repeats.is_repeat(&dissection);
        let since_first = Instant::ZERO + record.at.since(first);
        frames.push(Frame { number, since_first, record, dissection, stream, relative, is_repeat });
    }
    frames
}

/// Who sends to whom.
type Flow = (IpAddr, u16, IpAddr, u16);

/// Finds segments that take sequence numbers which were taken before.
///
/// It judges by coverage and not by "below the highest seen", so that at a receiver a late segment is no repeat.
#[derive(Default)]
struct Repeats {
    flows: HashMap<Flow, Taken>,
}

/// The sequence numbers that one sender has used in one connection.
struct Taken {
    /// The first one seen; ranges count from here.
    base: SeqNum,
    /// Disjoint half-open ranges in rising order.
    ranges: Vec<(u32, u32)>,
}

impl Repeats {
    fn is_repeat(&mut self, dissection: &Dissection) -> bool {
        let Some(((tcp, (src, dst)), (src_port, dst_port))) =
            dissection.tcp().zip(dissection.addresses()).zip(dissection.ports())
        else {
            return false;
        };
        let length = tcp.sequence_len();
        if length == 0 {
            return false;
        }
        let flow = (src, src_port, dst, dst_port);
        let taken = self.flows.entry(flow).or_insert_with(|| Taken { base: tcp.seq, ranges: Vec::new() });
        if tcp.flags.syn() && tcp.seq != taken.base {
            // The same ports again, with another initial sequence number: another connection.
            *taken = Taken { base: tcp.seq, ranges: Vec::new() };
        }
        let start = tcp.seq.offset_from(taken.base);
        taken.insert(start, start.saturating_add(length))
    }
}

impl Taken {
    /// Adds a range; says whether any of it was there before.
    fn insert(&mut self, mut start: u32, mut end: u32) -> bool {
        let overlaps = self.ranges.iter().any(|(from, to)| start < *to && *from < end);
        self.ranges.retain(|(from, to)| {
            let touches = start <= *to && *from <= end;
            if touches {
                start = start.min(*from);
                end = end.max(*to);
            }
            !touches
        });
        let place = self.ranges.partition_point(|(from, _)| *from < start);
        self.ranges.insert(place, (start, end));
        overlaps
    }
}
