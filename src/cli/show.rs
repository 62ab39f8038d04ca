//! `wireglass show`: any capture file, explained.
//!
//! A capture is a stranger's file. What could be read of it is shown, then what is wrong with the rest is said.

use std::collections::HashMap;
use std::io::{BufReader, Read, Write as _};
use std::net::IpAddr;
use std::path::Path;

use bytes::Bytes;
use serde::Serialize;

use super::meant::ShowTask;
use super::terminal::Terminal;
use super::{Failure, Outcome};
use crate::capture::{Direction, ForeignRecord, ReadError, Reader, Record, Remark};
use crate::measure::{Connection, connections};
use crate::packet::describe::{self, Field, Layer};
use crate::packet::{Dissection, Medium, PacketId};
use crate::report::{self, Advice, Ladder, PacketView, look_first};
use crate::time::Instant;

/// Packets that are shown at most: enough for any lesson, and a bound on memory.
const LIMIT: usize = 100_000;

/// A capture as far as it could be read.
pub(super) struct Capture {
    /// In the file's order, so that the first is packet 1.
    pub(super) records: Vec<Record>,
    /// How many more there are than [`LIMIT`].
    pub(super) not_kept: u64,
    /// When the earliest was captured, in nanoseconds since 1970-01-01 UTC.
    pub(super) epoch_ns: u64,
    pub(super) names: HashMap<IpAddr, String>,
    /// Why there is not more; a sentence.
    pub(super) problem: Option<String>,
    /// Whether the problem is the file's, and not only its length.
    pub(super) is_damaged: bool,
}

/// Explains a capture.
pub(super) fn show(task: &ShowTask, terminal: &Terminal) -> Result<Outcome, Failure> {
    let capture = Capture::read(&task.file)?;
    if task.json {
        terminal.print_json(&Document::of(task, &capture))?;
    } else {
        print(task, &capture, *terminal)?;
    }
    Ok(if capture.is_damaged { Outcome::Failed } else { Outcome::Well })
}

impl Capture {
    /// Reads as much of `file` as can be read; `-` is the standard input.
    pub(super) fn read(file: &Path) -> Result<Capture, Failure> {
        if file == Path::new("-") {
            let stdin = BufReader::with_capacity(1 << 18, std::io::stdin().lock());
            return Capture::of("standard input", Reader::new(stdin));
        }
        Capture::of(&file.display().to_string(), Reader::open(file))
    }

    /// Reads a capture to its end, and not beyond [`LIMIT`] packets. `name`: where it comes from, for messages.
    fn of<R: Read>(name: &str, opened: Result<Reader<R>, ReadError>) -> Result<Capture, Failure> {
        let sentence = |error: &ReadError| match error {
            ReadError::Io { offset: 0, source } => format!("{name} cannot be read: {source}"),
            error => format!("{name}: {error}"),
        };
        let mut reader = opened.map_err(|error| Failure::Input(sentence(&error)))?;
        let mut foreign = Vec::new();
        let (mut problem, mut is_damaged, mut not_kept) = (None, false, 0);
        for next in &mut reader {
            match next {
                Ok(_) if foreign.len() == LIMIT => {
                    not_kept += 1;
                    problem = Some(format!("{name}: only its first {LIMIT} packets are looked at"));
                }
                Ok(record) => foreign.push(record),
                Err(error) => (problem, is_damaged) = (Some(sentence(&error)), true),
            }
        }
        let epoch_ns = foreign.iter().map(|record| record.at_ns).min().unwrap_or(0);
        let names = reader.names().iter().cloned().collect();
        Ok(Capture { records: records(&foreign, epoch_ns), not_kept, epoch_ns, names, problem, is_damaged })
    }

    fn name(&self, address: IpAddr) -> String {
        self.names.get(&address).cloned().unwrap_or_else(|| address.to_string())
    }

    /// `client → server`, as far as the packet says.
    fn route(&self, record: &Record, terminal: Terminal) -> String {
        let arrow = if terminal.unicode { "→" } else { "->" };
        let dissection = Dissection::of(record.medium, &record.bytes, record.wire_len);
        let ends = dissection.addresses();
        ends.map_or(String::new(), |(from, to)| format!("{} {arrow} {}", self.name(from), self.name(to)))
    }
}

/// The packets as the ladder takes them: numbered from 1 without gaps.
fn records(foreign: &[ForeignRecord], epoch_ns: u64) -> Vec<Record> {
    let mut records: Vec<Record> = Vec::with_capacity(foreign.len());
    for packet in foreign {
        let at = Instant::from_nanos(packet.at_ns.saturating_sub(epoch_ns));
        // Packets of link types that cannot be read keep their numbers, so that all others have Wireshark's.
        while (records.len() as u64) + 1 < packet.number {
            records.push(unreadable(at, records.len() as u64 + 1));
        }
        records.push(Record {
            at,
            packet: PacketId(packet.packet_id.unwrap_or(packet.number)),
            direction: packet.direction.unwrap_or(Direction::In),
            comments: packet.comments.iter().cloned().map(Remark::Text).collect(),
            ..match packet.strip() {
                Some((medium, bytes)) => {
                    Record { medium, bytes, wire_len: packet.stripped_wire_len(), ..unreadable(at, packet.number) }
                }
                None => unreadable(at, packet.number),
            }
        });
    }
    records
}

/// A packet of which only the number is known.
fn unreadable(at: Instant, number: u64) -> Record {
    Record {
        at,
        packet: PacketId(number),
        direction: Direction::In,
        medium: Medium::Ip,
        bytes: Bytes::new(),
        wire_len: 0,
        comments: [Remark::Text("neither IP nor Ethernet: not shown".to_owned())].into(),
    }
}

/// The ladder, the layers if asked for, and the problem.
fn print(task: &ShowTask, capture: &Capture, terminal: Terminal) -> Result<(), Failure> {
    let style = terminal.style(task.verbose);
    let mut out = terminal.out();
    if task.explain {
        let name_of = |address| capture.names.get(&address).cloned();
        let explained = report::explain(&connections(&capture.records), capture.records.len(), &name_of, &style);
        out.write_all(explained.as_bytes())?;
        out.flush()?;
        return complain_of(capture);
    }
    let ladder = Ladder {
        records: &capture.records,
        far_records: None,
        entries: &[],
        ends: None,
        name_of: &|address| capture.names.get(&address).cloned(),
    };
    out.write_all(report::ladder(&ladder, &style).as_bytes())?;
    if task.layers {
        for (number, record) in (1..).zip(&capture.records) {
            let view = PacketView {
                number,
                time: &record.at.to_string(),
                route: &capture.route(record, terminal),
                medium: record.medium,
                bytes: &record.bytes,
                wire_len: record.wire_len,
                comments: &record.comments,
            };
            write!(out, "\n{}", report::layers(&view, &style))?;
        }
    }
    out.flush()?;
    complain_of(capture)
}

/// Says why there is not more.
fn complain_of(capture: &Capture) -> Result<(), Failure> {
    if let Some(problem) = &capture.problem {
        super::complain(&Failure::Input(problem.clone()));
    }
    Ok(())
}

/// The whole capture as JSON.
#[derive(Serialize)]
struct Document<'a> {
    file: String,
    /// Nanoseconds since 1970-01-01 UTC; times of packets count from here.
    epoch_ns: u64,
    packets: Vec<PacketDocument>,
    /// What happened to each connection, where it was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    explained: Option<Explained>,
    problem: Option<&'a str>,
}

#[derive(Serialize)]
struct Explained {
    connections: Vec<Connection>,
    look_first: Vec<Advice>,
}

impl Explained {
    fn of(records: &[Record]) -> Explained {
        let connections = connections(records);
        Explained { look_first: look_first(&connections), connections }
    }
}

#[derive(Serialize)]
struct PacketDocument {
    number: u64,
    /// Nanoseconds since the epoch of the document.
    at: Instant,
    packet_id: PacketId,
    captured: usize,
    wire_len: usize,
    summary: String,
    comments: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    layers: Vec<LayerDocument>,
}

#[derive(Serialize)]
struct LayerDocument {
    name: &'static str,
    summary: String,
    /// First octet, and the one after the last.
    octets: [usize; 2],
    fields: Vec<FieldDocument>,
}

#[derive(Serialize)]
struct FieldDocument {
    name: &'static str,
    value: String,
    octets: [usize; 2],
    filter: Option<&'static str>,
}

impl<'a> Document<'a> {
    fn of(task: &ShowTask, capture: &'a Capture) -> Document<'a> {
        let packets = (1..).zip(&capture.records);
        Document {
            file: task.file.display().to_string(),
            epoch_ns: capture.epoch_ns,
            packets: packets.map(|(number, record)| PacketDocument::of(number, record, task.layers)).collect(),
            explained: task.explain.then(|| Explained::of(&capture.records)),
            problem: capture.problem.as_deref(),
        }
    }
}

impl PacketDocument {
    fn of(number: u64, record: &Record, with_layers: bool) -> PacketDocument {
        let layers = describe::layers(record.medium, &record.bytes, record.wire_len);
        // The innermost header says most about a packet.
        let summary = layers
            .iter()
            .rev()
            .find(|layer| !matches!(layer.name, "Payload" | "Cut"))
            .map(|layer| layer.summary.clone());
        PacketDocument {
            number,
            at: record.at,
            packet_id: record.packet,
            captured: record.bytes.len(),
            wire_len: record.wire_len,
            summary: summary.unwrap_or_default(),
            comments: record.comments.iter().map(Remark::to_string).collect(),
            layers: if with_layers { layers.into_iter().map(LayerDocument::of).collect() } else { Vec::new() },
        }
    }
}

impl LayerDocument {
    fn of(layer: Layer) -> LayerDocument {
        LayerDocument {
            name: layer.name,
            summary: layer.summary,
            octets: [layer.range.start, layer.range.end],
            fields: layer.fields.into_iter().map(FieldDocument::of).collect(),
        }
    }
}

impl FieldDocument {
    fn of(field: Field) -> FieldDocument {
        FieldDocument {
            name: field.name,
            value: field.value,
            octets: [field.range.start, field.range.end],
            filter: field.filter,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::capture::LinkType;

    fn foreign(number: u64, at_ns: u64) -> ForeignRecord {
        ForeignRecord {
            number,
            at_ns,
            interface: 0,
            link_type: LinkType::Ethernet,
            bytes: Bytes::from_static(&[0; 60]),
            wire_len: 60,
            comments: Vec::new(),
            direction: None,
            packet_id: None,
        }
    }

    #[test]
    fn packets_keep_the_numbers_that_wireshark_gives_them() {
        let records = records(&[foreign(1, 5), foreign(4, 7)], 5);
        let lengths: Vec<usize> = records.iter().map(|record| record.wire_len).collect();
        assert_eq!(lengths, [60, 0, 0, 60]);
        assert_eq!(records.iter().map(|record| record.packet.0).collect::<Vec<_>>(), [1, 2, 3, 4]);
    }

    #[test]
    fn a_capture_need_not_be_a_file() {
        let empty = Capture::of("standard input", Reader::new(&[][..]));
        let Err(Failure::Input(text)) = empty else { panic!("nothing is no capture") };
        assert!(text.starts_with("standard input: "), "{text}");
        let mut file = vec![0xd4, 0xc3, 0xb2, 0xa1, 2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 4, 0, 1, 0, 0, 0];
        file.extend([&[9, 0, 0, 0, 0, 0, 0, 0, 60, 0, 0, 0, 60, 0, 0, 0][..], &[0; 60]].concat());
        let capture = Capture::of("standard input", Reader::new(&file[..])).expect("a capture of one packet");
        assert_eq!((capture.records.len(), capture.problem), (1, None));
    }

    #[test]
    fn times_count_from_the_earliest_packet() {
        let records = records(&[foreign(1, 7_000), foreign(2, 5_000)], 5_000);
        assert_eq!(records.iter().map(|record| record.at.as_nanos()).collect::<Vec<_>>(), [2_000, 0]);
    }
}
