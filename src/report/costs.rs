//! What each conversation cost: packets and octets put on the wire, and how much of that was payload.
//!
//! ```text
//!   conversation                    packets   octets  payload lost again   lasted
//!   UDP client:49152 → server:9000       50    6,400    5,000    4     0  0.490 s
//!   TCP client:56489 → server:9001       88   11,548    7,752    5     3  0.571 s
//! ```
//!
//! Each packet counts once, where it was sent, so that a lost one counts too. Octets are those of the network layer, headers
//! included, so that the sum is the same behind every door.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, SocketAddr};

use super::Style;
use super::programs::grouped;
use super::text::{Line, Paint, clean, shorten, width};
use crate::capture::{Direction, Record};
use crate::journal::{Entry, Event};
use crate::packet::dissect::{Transport, link_header_length};
use crate::packet::{Dissection, PacketId};
use crate::time::Instant;

/// Columns of the numbers.
const COLUMNS: [(&str, usize); 6] =
    [("packets", 8), ("octets", 9), ("payload", 9), ("lost", 5), ("again", 6), ("lasted", 9)];

/// One line for each conversation over TCP or UDP, in the order in which they began; empty when there was none. `records`
/// are the captures of all nodes.
pub fn costs(
    records: &[&[Record]],
    entries: &[&Entry],
    name_of: &dyn Fn(IpAddr) -> Option<String>,
    style: &Style,
) -> String {
    let conversations = tally(records, entries);
    if conversations.is_empty() {
        return String::new();
    }
    let numbers: usize = COLUMNS.iter().map(|(_, columns)| columns).sum();
    let room = style.columns().saturating_sub(numbers + 2);
    let label = |conversation: &Conversation| shorten(&conversation.label(name_of, *style), room, *style);
    let first = conversations.iter().map(|each| width(&label(each))).chain([12]).max().unwrap_or(12);
    let mut out = String::new();
    let headings = COLUMNS.map(|(name, _)| name.to_owned());
    write_row(&mut out, Paint::Dim, "conversation", first, &headings, *style);
    for each in &conversations {
        write_row(&mut out, Paint::Plain, &label(each), first, &each.numbers(), *style);
    }
    out
}

fn write_row(out: &mut String, paint: Paint, label: &str, first: usize, numbers: &[String; 6], style: Style) {
    let mut line = Line::default();
    line.push(Paint::Plain, "  ");
    line.push(paint, label);
    line.pad_to(2 + first);
    for (number, (_, columns)) in numbers.iter().zip(COLUMNS) {
        line.push(paint, format!("{number:>columns$}"));
    }
    line.write_to(out, style.color);
}

/// A conversation under way.
struct Conversation {
    protocol: &'static str,
    /// Who spoke first, and to whom.
    from: SocketAddr,
    to: SocketAddr,
    began: Instant,
    ended: Instant,
    packets: u64,
    octets: u64,
    payload: u64,
    lost: u64,
    again: u64,
}

impl Conversation {
    fn new(protocol: &'static str, from: SocketAddr, to: SocketAddr, began: Instant) -> Conversation {
        let (packets, octets, payload, lost, again) = (0, 0, 0, 0, 0);
        Conversation { protocol, from, to, began, ended: began, packets, octets, payload, lost, again }
    }

    fn label(&self, name_of: &dyn Fn(IpAddr) -> Option<String>, style: Style) -> String {
        let end = |end: SocketAddr| match name_of(end.ip()) {
            Some(name) => format!("{name}:{}", end.port()),
            None => end.to_string(),
        };
        clean(&format!("{} {} → {}", self.protocol, end(self.from), end(self.to)), style)
    }

    fn numbers(&self) -> [String; 6] {
        let lasted = self.ended - self.began;
        [
            grouped(self.packets),
            grouped(self.octets),
            grouped(self.payload),
            grouped(self.lost),
            grouped(self.again),
            format!("{}.{:03} s", lasted.as_secs(), lasted.subsec_millis()),
        ]
    }
}

/// The conversations in the order in which they began.
fn tally(records: &[&[Record]], entries: &[&Entry]) -> Vec<Conversation> {
    let (lost, again) = fates(entries);
    let mut sent: Vec<&Record> =
        records.iter().copied().flatten().filter(|record| record.direction == Direction::Out).collect();
    sent.sort_by_key(|record| (record.at, record.packet));
    let mut places = BTreeMap::new();
    let mut conversations: Vec<Conversation> = Vec::new();
    for record in sent {
        let dissection = Dissection::of(record.medium, &record.bytes, record.wire_len);
        let Some((protocol, from, to)) = ends(&dissection) else { continue };
        let key = (protocol, from.min(to), from.max(to));
        let place = *places.entry(key).or_insert_with(|| {
            conversations.push(Conversation::new(protocol, from, to, record.at));
            conversations.len() - 1
        });
        let Some(conversation) = conversations.get_mut(place) else { continue };
        conversation.ended = record.at;
        conversation.packets += 1;
        conversation.octets += record.wire_len.saturating_sub(link_header_length(record.medium)) as u64;
        conversation.payload += dissection.payload.len() as u64;
        conversation.lost += u64::from(lost.contains(&record.packet));
        conversation.again += u64::from(again.contains(&record.packet));
    }
    conversations
}

/// The packets that the links dropped, and those that carry octets for a second time.
fn fates(entries: &[&Entry]) -> (BTreeSet<PacketId>, BTreeSet<PacketId>) {
    let (mut lost, mut again) = (BTreeSet::new(), BTreeSet::new());
    for entry in entries {
        match &entry.event {
            Event::Impaired { packet, impairment, .. } if impairment.is_drop() => {
                lost.insert(*packet);
            }
            Event::PacketSent { packet, why } if why.reason.is_retransmission() => {
                again.insert(*packet);
            }
            Event::Impaired { .. }
            | Event::PacketSent { .. }
            | Event::PacketArrived { .. }
            | Event::PacketDropped { .. }
            | Event::Forwarded { .. }
            | Event::Passage { .. }
            | Event::MappingMade { .. }
            | Event::MappingExpired { .. }
            | Event::State { .. }
            | Event::TimerSet { .. }
            | Event::TimerFired { .. }
            | Event::Retransmit { .. }
            | Event::DuplicateAck { .. }
            | Event::TimerStopped { .. }
            | Event::RoundTrip { .. }
            | Event::CongestionWindow { .. }
            | Event::SendWindow { .. }
            | Event::Hole { .. }
            | Event::PathMtu { .. }
            | Event::Lost { .. }
            | Event::NoLoss { .. }
            | Event::Program { .. } => {}
        }
    }
    (lost, again)
}

fn ends(dissection: &Dissection) -> Option<(&'static str, SocketAddr, SocketAddr)> {
    let protocol = match dissection.transport.as_ref()? {
        Transport::Tcp(_) => "TCP",
        Transport::Udp(_) => "UDP",
        Transport::Icmpv4(_) | Transport::Icmpv6(_) => return None,
    };
    let ((src, dst), (src_port, dst_port)) = dissection.addresses().zip(dissection.ports())?;
    Some((protocol, SocketAddr::new(src, src_port), SocketAddr::new(dst, dst_port)))
}

#[cfg(test)]
mod tests {
    use smallvec::SmallVec;

    use super::*;
    use crate::journal::{Impairment, NodeId, Reason, Why};
    use crate::packet::Medium;

    fn datagram(from: u8, to: u8, payload: usize) -> Vec<u8> {
        let mut frame = Vec::new();
        etherparse::PacketBuilder::ipv4([10, 0, 0, from], [10, 0, 0, to], 64)
            .udp(u16::from(from), u16::from(to))
            .write(&mut frame, &vec![0; payload])
            .expect("it fits a vector");
        frame
    }

    fn record(packet: u64, millis: u64, frame: Vec<u8>, direction: Direction) -> Record {
        Record {
            at: Instant::from_nanos(millis * 1_000_000),
            packet: PacketId(packet),
            direction,
            medium: Medium::Ip,
            wire_len: frame.len(),
            bytes: frame.into(),
            comments: SmallVec::new(),
        }
    }

    #[test]
    fn each_packet_counts_once_where_it_was_sent_and_lost_ones_count_too() {
        let left = [
            record(1, 0, datagram(1, 2, 100), Direction::Out),
            record(2, 10, datagram(1, 2, 100), Direction::Out),
            record(3, 20, datagram(2, 1, 10), Direction::In),
        ];
        let right =
            [record(1, 5, datagram(1, 2, 100), Direction::In), record(3, 15, datagram(2, 1, 10), Direction::Out)];
        let entry = |event| Entry { at: Instant::ZERO, node: NodeId(0), event };
        let link = "client-server".to_owned();
        let lost = entry(Event::Impaired { packet: PacketId(2), link, impairment: Impairment::Lost });
        let why = Why::of(Reason::RetransmitByDuplicateAcks);
        let again = entry(Event::PacketSent { packet: PacketId(3), why });
        let text = costs(&[&left, &right], &[&lost, &again], &|_| None, &Style::plain(80));
        let rows: Vec<Vec<&str>> = text.lines().map(|line| line.split_whitespace().collect()).collect();
        assert_eq!(rows[1], ["UDP", "10.0.0.1:1", "→", "10.0.0.2:2", "3", "294", "210", "1", "1", "0.015", "s"]);
        assert_eq!(rows.len(), 2);
        assert!(text.lines().all(|line| width(line) <= 80), "{text}");
    }

    #[test]
    fn without_a_conversation_there_is_no_table() {
        assert_eq!(costs(&[], &[], &|_| None, &Style::plain(80)), "");
    }
}
