//! What a run's packets are drawn as: its ladders, and the layers of every packet.

use std::io::{self, Write};

use super::super::learn::difference;
use crate::capture::{Direction, Record, Recorder};
use crate::journal::{Entry, NodeId};
use crate::lab::{Definition, Finished};
use crate::packet::Dissection;
use crate::report::{self, Ends, Ladder, Lane, PacketView, Side, Style};
use crate::time::Instant;

/// Ladders that are drawn of one run.
const MOST_LADDERS: usize = 4;

/// Columns of `layers.txt`.
const LAYERS_WIDTH: usize = 100;

/// What the ladder and the layers are drawn from.
pub(super) struct Story<'a> {
    pub(super) lab: &'a Definition,
    pub(super) finished: &'a Finished,
    pub(super) entries: &'a [&'a Entry],
}

impl Story<'_> {
    /// One ladder for each pair of hosts that talked, seen from the one that stands first in the lab's file.
    pub(super) fn ladder(&self, style: &Style) -> String {
        self.ladders(&self.pairs(), style)
    }

    /// The same for the pairs that one node is of.
    pub(super) fn ladder_at(&self, node: NodeId, style: &Style) -> String {
        let pairs: Vec<_> = self.pairs().into_iter().filter(|(left, right)| [*left, *right].contains(&node)).collect();
        self.ladders(&pairs, style)
    }

    fn ladders(&self, pairs: &[(NodeId, NodeId)], style: &Style) -> String {
        let recorder = &self.finished.recorder;
        let mut text = String::new();
        for (left, right) in pairs.iter().take(MOST_LADDERS) {
            let (left_name, right_name) = (name_of(self.lab, *left), name_of(self.lab, *right));
            let names = self.lab.names();
            let far_records = self.without_third_hosts(recorder.records(*right), [&left_name, &right_name]);
            let drawn = Ladder {
                records: recorder.records(*left),
                far_records: Some(&far_records),
                entries: self.entries,
                ends: Some(Ends {
                    left: Lane { name: &left_name, node: *left },
                    right: Lane { name: &right_name, node: *right },
                    vantage: Side::Left,
                }),
                name_of: &|address| names.name_of(address).map(str::to_owned),
            };
            text.push_str(&report::ladder(&drawn, style));
            text.push_str(&left_out(recorder, *left, &left_name));
        }
        if pairs.len() > MOST_LADDERS {
            let more = pairs.len() - MOST_LADDERS;
            text.push_str(&format!("… and {more} more pairs of hosts talked; their packets are in the captures\n"));
        }
        text
    }

    /// The row of one packet, as its vantage point saw it; empty when there is none. A host stands beside the host that it
    /// talked with; what a router saw goes from host to host.
    pub(super) fn row(&self, node: NodeId, number: u64, style: &Style) -> String {
        let records = self.finished.recorder.records(node);
        // The last row of a ladder is never folded away.
        let Some(records) = usize::try_from(number).ok().and_then(|number| records.get(..number)) else {
            return String::new();
        };
        let names = self.lab.names();
        let pair = self.pairs().into_iter().find(|(left, right)| [left, right].contains(&&node));
        let pair = pair.map(|(left, right)| (left, name_of(self.lab, left), right, name_of(self.lab, right)));
        let ends = pair.as_ref().map(|(left, left_name, right, right_name)| Ends {
            left: Lane { name: left_name, node: *left },
            right: Lane { name: right_name, node: *right },
            vantage: if *left == node { Side::Left } else { Side::Right },
        });
        let drawn = Ladder {
            records,
            far_records: None,
            entries: self.entries,
            ends,
            name_of: &|address| names.name_of(address).map(str::to_owned),
        };
        difference::row(&report::ladder(&drawn, style), number)
    }

    /// What one of a pair has seen, less what it exchanged with a third host: that never was on its way to the other one,
    /// and so is not missing there. A router's address may stand for any host behind it; of its errors, what they quote says
    /// for which.
    fn without_third_hosts(&self, records: &[Record], pair: [&str; 2]) -> Vec<Record> {
        let names = self.lab.names();
        let is_third = |address| {
            let named = names.name_of(address).filter(|name| !pair.contains(name));
            named.is_some_and(|name| self.lab.nodes.iter().any(|node| node.name == name && node.host().is_some()))
        };
        let is_theirs = |record: &&Record| {
            let dissection = Dissection::of(record.medium, &record.bytes, record.wire_len);
            let quoted = dissection.quoted.as_ref().and_then(|quoted| quoted.addresses());
            !dissection.addresses().into_iter().chain(quoted).any(|(src, dst)| is_third(src) || is_third(dst))
        };
        records.iter().filter(is_theirs).cloned().collect()
    }

    /// The pairs of hosts that talked; the first two hosts when nobody did.
    fn pairs(&self) -> Vec<(NodeId, NodeId)> {
        let hosts = (0..).map(NodeId).zip(&self.lab.nodes).filter(|(_, node)| node.host().is_some());
        let recorder = &self.finished.recorder;
        let captures: Vec<(NodeId, &[Record])> = hosts.map(|(id, _)| (id, recorder.records(id))).collect();
        let pairs = report::pairs(&captures);
        match captures.as_slice() {
            [(one, _), (other, _), ..] if pairs.is_empty() => vec![(*one, *other)],
            _ => pairs,
        }
    }

    pub(super) fn costs(&self, style: &Style) -> String {
        let recorder = &self.finished.recorder;
        let captures: Vec<&[Record]> = recorder.nodes().map(|vantage| recorder.records(vantage.node)).collect();
        let names = self.lab.names();
        report::costs(&captures, self.entries, &|address| names.name_of(address).map(str::to_owned), style)
    }

    /// Every header of every packet, from the vantage point of the first ladder.
    pub(super) fn write_layers(&self, out: &mut impl Write, style: &Style) -> io::Result<()> {
        let Some((first, _)) = self.pairs().first().copied() else { return Ok(()) };
        let names = self.lab.names();
        let records = self.finished.recorder.records(first);
        let began = records.first().map_or(Instant::ZERO, |record| record.at);
        for (number, record) in (1..).zip(records) {
            // From the first packet, as the ladder and Wireshark count.
            let record = &Record { at: Instant::ZERO + (record.at - began), ..record.clone() };
            let dissection = Dissection::of(record.medium, &record.bytes, record.wire_len);
            let route = dissection.addresses().map(|(src, dst)| {
                let name = |address| names.name_of(address).map_or_else(|| address.to_string(), str::to_owned);
                format!("{} → {}", name(src), name(dst))
            });
            writeln!(out, "{}", layers_of(number, record, &route.unwrap_or_default(), style))?;
        }
        Ok(())
    }
}

pub(super) fn name_of(lab: &Definition, node: NodeId) -> String {
    lab.nodes.get(usize::from(node.0)).map(|node| node.name.clone()).unwrap_or_default()
}

/// A sentence about packets that are in the file only.
fn left_out(recorder: &Recorder, node: NodeId, name: &str) -> String {
    match recorder.not_kept(node) {
        0 => String::new(),
        more => format!("… and {more} more packets, in {name}'s capture file only\n"),
    }
}

/// One packet in `layers.txt`.
pub(in crate::cli) fn describe(node: &str, number: u64, record: &Record) -> String {
    let way = match record.direction {
        Direction::Out => "sent by",
        Direction::In => "arrived at",
    };
    layers_of(number, record, &format!("{way} {node}"), &Style::plain(LAYERS_WIDTH))
}

fn layers_of(number: u64, record: &Record, route: &str, style: &Style) -> String {
    let view = PacketView {
        number,
        time: &record.at.to_string(),
        route,
        medium: record.medium,
        bytes: &record.bytes,
        wire_len: record.wire_len,
        comments: &record.comments,
    };
    report::layers(&view, style)
}
