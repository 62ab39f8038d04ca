//! `client.story.pcapng`: a node's packets, and between them, as rows of their own, what happened there.
//!
//! ```text
//!   interface 0    14  SYN,ACK …                                     the packets, as in client.pcapng
//!   interface 1    15  49680 ↔ 9000: SYN-SENT → ESTABLISHED           an event, which a stock Wireshark shows
//! ```
//!
//! What arrived has its sender's reason as a comment, where the sender is a stack of ours.
//!
//! A row is an exported PDU (link type 252) for the dissector of systemd's journal, which every Wireshark has: its
//! message stands in the column Info. Rows count as frames, so a packet's number here is not the one in `client.pcapng`:
//! there lies what is numbered, here what is read.

use std::collections::HashMap;
use std::io::{self, Write};
use std::net::IpAddr;
use std::path::PathBuf;

use super::super::output::{self, Output, Owner, RecorderError};
use super::super::{Record, Remark, pcapng};
use super::{Vantage, begin_pcapng};
use crate::journal::{Entry, Event, Journal, NodeId, ProgramEvent, Why};
use crate::packet::PacketId;
use crate::time::Instant;

/// How much an event matters, as syslog grades it (RFC 5424 §6.2.1): in Wireshark `systemd_journal.priority <= 4`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// Something was lost, refused or failed.
    Warning = 4,
    /// Something was decided that does not happen at every packet.
    Notice = 5,
    /// The ordinary course of things.
    Info = 6,
    /// Bookkeeping: timers set and stopped, round-trip times, a window that grows.
    Debug = 7,
}

/// An event as a row between packets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EventRow {
    /// How much it matters.
    pub level: Level,
    /// Who tells: `tcp`, `link`, `router`, or a program's name.
    pub topic: String,
    /// The connection it is about, `client:49680 → server:9000`; empty when it is about none.
    pub connection: String,
    /// The event in a line.
    pub message: String,
    /// Its numbers, by name in capitals: `SND_CWND`.
    pub figures: Vec<(&'static str, u64)>,
}

/// Who knows what to say of a node's events. Is told everything in order.
pub trait Teller {
    /// A packet was sent or arrived; it is the frame of this number in the story.
    fn saw(&mut self, frame: u64, record: &Record);

    /// Something happened: the row that says so, or nothing.
    fn tell(&mut self, entry: &Entry) -> Option<EventRow>;
}

/// Makes a teller for a node whose first packet was seen at this moment.
pub type Tell = Box<dyn Fn(NodeId, Instant) -> Box<dyn Teller> + Send>;

/// What a reader of a story has to know, as remark on the whole file.
const HOW_TO_READ: &str = "grey rows are events: `systemd_journal` selects them, `!systemd_journal` the packets, \
`systemd_journal.priority <= 5` what was decided, `systemd_journal.priority <= 4` what was lost or failed";

/// The stories of a run, to be written at its end.
pub(super) struct Story {
    paths: Vec<PathBuf>,
    owner: Owner,
    tell: Tell,
    names: Vec<(IpAddr, String)>,
    comment: String,
}

impl Story {
    /// `paths` are those of the nodes, in their order. Stories of an earlier run are removed: they would not belong to the
    /// captures beside them, should this run be killed.
    pub(super) fn announce(
        paths: Vec<PathBuf>,
        owner: Owner,
        tell: Tell,
        names: Vec<(IpAddr, String)>,
        comment: String,
    ) -> Result<Story, RecorderError> {
        paths.iter().try_for_each(|path| output::remove(path, owner))?;
        Ok(Story { paths, owner, tell, names, comment })
    }

    pub(super) fn write(&self, vantages: &[Vantage], journal: &Journal, epoch_ns: u64) -> Result<(), RecorderError> {
        let reasons = reasons(vantages, journal);
        self.paths.iter().zip(vantages).try_for_each(|(path, vantage)| {
            let output = Output::create(path, self.owner)?;
            let written = self.write_node(output, vantage, journal, &reasons, epoch_ns);
            written.map_err(|error| RecorderError::write(path, error))
        })
    }

    fn write_node(
        &self,
        output: Output,
        vantage: &Vantage,
        journal: &Journal,
        reasons: &Reasons<'_>,
        epoch_ns: u64,
    ) -> io::Result<()> {
        let node = &vantage.config;
        let comment = match self.comment.is_empty() {
            true => HOW_TO_READ.to_owned(),
            false => format!("{}; {HOW_TO_READ}", self.comment),
        };
        let names: Vec<(IpAddr, &str)> = self.names.iter().map(|(address, name)| (*address, name.as_str())).collect();
        let (mut writer, packets) = begin_pcapng(output, node, &comment, &names)?;
        let rows = writer.rows("events", &format!("what happened at {}", node.name))?;
        let began = vantage.records.first().map_or(Instant::ZERO, |record| record.at);
        let mut teller = (self.tell)(node.node, began);
        let own = names.iter().find(|(_, name)| *name == node.name).map(|(address, _)| *address);
        let mut page = Page { writer, packets, rows, reasons, epoch_ns, host: &node.name, own, frames: 0 };
        let mut records = Records { left: &vantage.records };
        if journal.forgotten() > 0 {
            let first = journal.entries().next().map_or(Instant::ZERO, |entry| entry.at);
            page.remark(first, format!("{} earlier events are in journal.jsonl only", journal.forgotten()))?;
        }
        for entry in journal.entries() {
            if let Event::Program { report: ProgramEvent::Secrets { line }, .. } = &entry.event {
                page.writer.secrets(&format!("{line}\n"))?;
            }
            if entry.node != node.node {
                continue;
            }
            for record in records.up_to(entry) {
                page.packet(record)?;
                teller.saw(page.frames, record);
            }
            if let Some(row) = teller.tell(entry) {
                page.row(entry.at, &row)?;
            }
        }
        records.left.iter().try_for_each(|record| page.packet(record))?;
        if vantage.not_kept() > 0 {
            let last = vantage.records.last().map_or(Instant::ZERO, |record| record.at);
            page.remark(last, format!("{} later packets are in {}.pcapng only", vantage.not_kept(), node.name))?;
        }
        page.writer.finish().map(drop)
    }
}

/// Why each packet was sent, and the name of the node whose stack says so. What arrives brings no reason with it.
type Reasons<'a> = HashMap<PacketId, (&'a str, Why)>;

fn reasons<'a>(vantages: &'a [Vantage], journal: &Journal) -> Reasons<'a> {
    let names: HashMap<NodeId, &str> =
        vantages.iter().map(|vantage| (vantage.config.node, vantage.config.name.as_str())).collect();
    let sent = journal.entries().filter_map(|entry| match &entry.event {
        Event::PacketSent { packet, why } => Some((*packet, (*names.get(&entry.node)?, *why))),
        _ => None,
    });
    sent.collect()
}

/// The packets that are still to be written.
struct Records<'a> {
    left: &'a [Record],
}

impl<'a> Records<'a> {
    /// Those that stand before an event: what is older, and, where it tells of a packet, all up to that one.
    fn up_to(&mut self, entry: &Entry) -> &'a [Record] {
        let now = self.left.partition_point(|record| record.at <= entry.at);
        let older = self.left.partition_point(|record| record.at < entry.at);
        let told = packet(&entry.event).and_then(|packet| {
            let here = self.left.get(older..now)?.iter().position(|record| record.packet == packet)?;
            Some(older + here + 1)
        });
        let (taken, left) = self.left.split_at(told.unwrap_or(older));
        self.left = left;
        taken
    }
}

/// The packet that an event tells of.
fn packet(event: &Event) -> Option<PacketId> {
    match event {
        Event::PacketSent { packet, .. }
        | Event::PacketArrived { packet }
        | Event::PacketDropped { packet, .. }
        | Event::Impaired { packet, .. }
        | Event::Forwarded { packet, .. }
        | Event::Passage { packet, .. }
        | Event::Retransmit { packet, .. } => Some(*packet),
        Event::MappingMade { .. }
        | Event::MappingExpired { .. }
        | Event::State { .. }
        | Event::TimerSet { .. }
        | Event::TimerFired { .. }
        | Event::TimerStopped { .. }
        | Event::DuplicateAck { .. }
        | Event::RoundTrip { .. }
        | Event::CongestionWindow { .. }
        | Event::SendWindow { .. }
        | Event::Hole { .. }
        | Event::PathMtu { .. }
        | Event::Lost { .. }
        | Event::NoLoss { .. }
        | Event::Program { .. } => None,
    }
}

/// A story in the making.
struct Page<'a, W: Write> {
    writer: pcapng::Writer<W>,
    packets: pcapng::InterfaceId,
    rows: pcapng::InterfaceId,
    reasons: &'a Reasons<'a>,
    epoch_ns: u64,
    host: &'a str,
    /// The node's address, so that Wireshark's column Source says who tells. Never a destination: Flow Graph would draw an
    /// arrow that no packet is.
    own: Option<IpAddr>,
    frames: u64,
}

impl<W: Write> Page<'_, W> {
    fn packet(&mut self, record: &Record) -> io::Result<()> {
        self.frames += 1;
        let has_reason = record.comments.iter().any(|remark| matches!(remark, Remark::Why(_)));
        match self.reasons.get(&record.packet).filter(|_| !has_reason) {
            None => self.writer.packet(self.packets, record, self.epoch_ns),
            Some((sender, why)) => {
                let mut record = record.clone();
                record.comments.insert(0, Remark::Text(format!("{sender}: {why}")));
                self.writer.packet(self.packets, &record, self.epoch_ns)
            }
        }
    }

    /// Something about the file itself.
    fn remark(&mut self, at: Instant, message: String) -> io::Result<()> {
        let (topic, connection) = ("wireglass".to_owned(), String::new());
        self.row(at, &EventRow { level: Level::Warning, topic, connection, message, figures: Vec::new() })
    }

    fn row(&mut self, at: Instant, row: &EventRow) -> io::Result<()> {
        let at_ns = self.epoch_ns.saturating_add(at.as_nanos());
        self.frames += 1;
        self.writer.row(self.rows, at_ns, &exported(self.own, &self.lines(at_ns, row)))
    }

    /// An entry of systemd's journal in its export format.
    fn lines(&self, at_ns: u64, row: &EventRow) -> String {
        let mut lines = format!("__REALTIME_TIMESTAMP={}\n", at_ns / 1_000);
        let mut field = |name: &str, value: &str| {
            // A line's end would end the field.
            let value: String = value.chars().map(|char| if char.is_control() { ' ' } else { char }).collect();
            if !value.is_empty() {
                lines.push_str(&format!("{name}={value}\n"));
            }
        };
        field("MESSAGE", &row.message);
        field("PRIORITY", &(row.level as u8).to_string());
        field("_HOSTNAME", self.host);
        field("SYSLOG_IDENTIFIER", &row.topic);
        field("UNIT", &row.connection);
        for (name, value) in &row.figures {
            field(name, &value.to_string());
        }
        lines
    }
}

/// Tags of an exported PDU, as Wireshark numbers them (wsutil/exported_pdu_tlvs.h).
const DISSECTOR_NAME: u16 = 12;
const IPV4_SOURCE: u16 = 20;
const IPV6_SOURCE: u16 = 22;

/// `lines` as an exported PDU for the dissector of systemd's journal: tag, length, value, in network byte order.
fn exported(from: Option<IpAddr>, lines: &str) -> Vec<u8> {
    let mut octets = Vec::with_capacity(64 + lines.len());
    let mut tag = |code: u16, value: &[u8]| {
        octets.extend_from_slice(&code.to_be_bytes());
        octets.extend_from_slice(&(value.len() as u16).to_be_bytes());
        octets.extend_from_slice(value);
    };
    tag(DISSECTOR_NAME, b"systemd_journal\0");
    match from {
        Some(IpAddr::V4(address)) => tag(IPV4_SOURCE, &address.octets()),
        Some(IpAddr::V6(address)) => tag(IPV6_SOURCE, &address.octets()),
        None => {}
    }
    tag(0, &[]);
    octets.extend_from_slice(lines.as_bytes());
    octets
}
