//! One row per packet: the two captures joined, each packet read, its remarks written.

use std::collections::{HashMap, HashSet};
use std::net::SocketAddr;

use super::super::Style;
use super::label::{self, Kind};
use super::lanes::{Columns, Place, Talks};
use super::learnt::{self, Stream};
use super::note::{self, Note, Notes, Plain};
use super::onlooker::Onlooker;
use super::quic::Carried;
use super::story::{About, Entered, Story};
use super::streams::{Opened, Reading, Streams};
use super::{Ladder, Side};
use crate::capture::{Direction, Record};
use crate::journal::Impairment;
use crate::packet::{Dissection, PacketId, SeqNum, describe};
use crate::time::Instant;

/// One packet of the ladder.
#[derive(Clone, Debug)]
pub(super) struct Row {
    /// Its number at the vantage point; `None` when it never got there.
    pub(super) number: Option<u64>,
    pub(super) at: Instant,
    pub(super) from: Side,
    pub(super) kind: Kind,
    /// Longest first.
    pub(super) labels: Vec<String>,
    pub(super) wire: Wire,
    pub(super) end: End,
    pub(super) notes: Vec<Note>,
    /// The states that the left and the right node entered by it.
    pub(super) states: [Vec<Entered>; 2],
    /// What the two nodes have learnt, only when verbose; and which responses their programs have whole.
    pub(super) learnt: Vec<(Side, String)>,
    /// The connection that begins here.
    pub(super) opened: Option<(usize, Opened)>,
    /// The two ends of a conversation that begins here and is no connection.
    pub(super) heading: Option<String>,
    /// Nothing about it is special: it may be taken together with others like it.
    pub(super) ordinary: bool,
}

/// How the arrow is drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wire {
    /// Sent for the first time.
    Plain,
    /// Sent again by its sender.
    Again,
    /// A copy that the link made.
    Copy,
}

/// Where the arrow ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    /// At the other node.
    Arrives,
    /// On the way.
    Lost,
    /// At the other node, which will not have it.
    Refused,
}

/// A record on its way to become a row.
struct Seen<'a> {
    number: Option<u64>,
    record: &'a Record,
}

pub(super) fn rows(ladder: &Ladder<'_>, story: &Story<'_>, columns: Columns, style: Style) -> Vec<Row> {
    let numbers: HashMap<PacketId, u64> =
        ladder.records.iter().zip(1..).map(|(record, number)| (record.packet, number)).collect();
    let mut reader = Reader {
        ladder,
        story,
        style,
        notes: Notes::new(style, &numbers),
        streams: Streams::default(),
        talks: Talks::new(ladder, columns),
        onlooker: Onlooker::default(),
        heading: None,
    };
    join(ladder, &numbers).into_iter().map(|seen| reader.row(&seen)).collect()
}

/// The vantage point's records in their order, and between them by time what only the far end has seen.
fn join<'a>(ladder: &Ladder<'a>, numbers: &HashMap<PacketId, u64>) -> Vec<Seen<'a>> {
    let far = ladder.far_records.unwrap_or_default().iter();
    let mut missing: Vec<&Record> = far.filter(|record| !numbers.contains_key(&record.packet)).collect();
    // Far captures are in order already; a copy that a link made is met once going out and once coming in.
    let mut met = HashSet::new();
    missing.retain(|record| record.packet != PacketId::default() && met.insert(record.packet));
    let mut missing = missing.into_iter().peekable();
    let mut joined = Vec::with_capacity(ladder.records.len());
    for (record, number) in ladder.records.iter().zip(1..) {
        while let Some(record) = missing.next_if(|missing| missing.at < record.at) {
            joined.push(Seen { number: None, record });
        }
        joined.push(Seen { number: Some(number), record });
    }
    joined.extend(missing.map(|record| Seen { number: None, record }));
    joined
}

/// Reads packet after packet, remembering the conversations.
struct Reader<'a> {
    ladder: &'a Ladder<'a>,
    story: &'a Story<'a>,
    style: Style,
    notes: Notes<'a>,
    streams: Streams,
    /// The last two only look at a stranger's capture.
    talks: Talks<'a>,
    onlooker: Onlooker,
    /// The connection whose heading was the last.
    heading: Option<usize>,
}

impl Reader<'_> {
    fn row(&mut self, seen: &Seen<'_>) -> Row {
        let (record, about) = (seen.record, self.story.about(seen.record.packet));
        let dissection = Dissection::of(record.medium, &record.bytes, record.wire_len);
        let reading = self.read(record, &dissection, seen.number.is_some());
        let (kind, mut labels) = label::label(&dissection, reading.as_ref(), record, self.style.verbose);
        let carried = self.story.sealed.in_datagram(&dissection, &record.bytes);
        if let Some(carried) = &carried {
            labels = carried.labels();
        }
        let wire = match wire(record, about, reading.as_ref()) {
            Wire::Plain if carried.as_ref().is_some_and(Carried::is_again) => Wire::Again,
            wire => wire,
        };
        let end = end(seen, about);
        let text = match &reading {
            // Whoever reads a far end's packet that was dropped before the vantage point knows that it is the first.
            Some(reading) => Some(reading.text.to_owned()),
            None => label::plain_text(&dissection, &record.bytes),
        };
        let again = wire == Wire::Again;
        let mut notes = self.notes.of(record, about, Plain { text, again, carried }, &dissection);
        if seen.number.is_none() && end == End::Lost && !is_drop(record, about) {
            let vantage = self.ladder.ends.map_or("here", |ends| ends.lane(ends.vantage).name);
            notes.push(Note::lost(format!("not seen at {vantage} before the end")));
        }
        let place = self.place(seen, &dissection, reading.as_ref(), &mut notes);
        if let Some(mark) = &place.mark {
            labels = labels.into_iter().map(|label| format!("[{mark}] {label}")).chain([format!("[{mark}]")]).collect();
        }
        let opened = reading.as_ref().and_then(|reading| Some((reading.connection, reading.opened?)));
        self.heading = opened.map(|(connection, _)| connection).or(self.heading);
        // Several connections at once: whose row it is when it is not the one's that the heading above names.
        let others = reading
            .as_ref()
            .map(|reading| reading.connection)
            .filter(|own| Some(*own) != self.heading && place.mark.is_none());
        notes.splice(..0, others.map(|connection| Note::plain(format!("connection {}", connection + 1))));
        let states = self.states(about);
        let mut learnt = self.learnt(about, &dissection, (reading.as_ref(), place.side));
        learnt.extend(self.delivered(about));
        let quiet = about.is_none_or(|about| {
            about.states.is_empty() && about.delivered.is_empty() && about.impairments.iter().all(is_jitter)
        });
        let ordinary = quiet
            && opened.is_none()
            && reading.as_ref().is_none_or(|reading| !reading.remarkable)
            && (wire, end) == (Wire::Plain, End::Arrives)
            && matches!(kind, Kind::Data | Kind::Ack | Kind::DuplicateAck | Kind::Datagram);
        let Place { side: from, heading, .. } = place;
        let ordinary = ordinary && heading.is_none();
        Row {
            number: seen.number,
            at: record.at,
            from,
            kind,
            labels,
            wire,
            end,
            notes,
            states,
            learnt,
            opened,
            heading,
            ordinary,
        }
    }

    fn read(&mut self, record: &Record, dissection: &Dissection, numbered: bool) -> Option<Reading> {
        let cut = describe::cut_tcp(dissection, &record.bytes);
        let tcp = dissection.tcp().or(cut.as_ref())?;
        let (src, dst) = dissection.addresses()?;
        let (src, dst) = (SocketAddr::new(src, tcp.src_port), SocketAddr::new(dst, tcp.dst_port));
        Some(self.streams.read(src, dst, tcp, numbered))
    }

    /// On which side the sender stands: by the capture's direction, or in a stranger's capture by who began.
    fn place(
        &mut self,
        seen: &Seen<'_>,
        dissection: &Dissection,
        reading: Option<&Reading>,
        notes: &mut Vec<Note>,
    ) -> Place {
        let record = seen.record;
        if let Some(ends) = self.ladder.ends {
            let watcher = if seen.number.is_some() { ends.vantage } else { ends.vantage.opposite() };
            let side = match record.direction {
                Direction::Out => watcher,
                Direction::In => watcher.opposite(),
            };
            return Place { side, mark: None, heading: None };
        }
        let answered = self.onlooker.answered(dissection, &record.bytes);
        if let Some((number, _)) = answered {
            notes.push(Note::plain(format!("answers packet {number}")));
        }
        notes.extend(self.onlooker.checksums(record, dissection));
        let place = self.talks.place(dissection, reading, answered.map(|(_, side)| side));
        if let Some(number) = seen.number {
            self.onlooker.remember(dissection, &record.bytes, number, place.side);
        }
        place
    }

    fn learnt(
        &self,
        about: Option<&About<'_>>,
        dissection: &Dissection,
        (reading, sender): (Option<&Reading>, Side),
    ) -> Vec<(Side, String)> {
        let (Some(ends), Some(about), true) = (self.ladder.ends, about, self.style.verbose) else {
            return Vec::new();
        };
        let start = self.ladder.records.first().map_or(Instant::ZERO, |record| record.at);
        // The packet at hand has a number in both streams: its own in its sender's, the acknowledgment in the other.
        let relative = |side: Side, seq: SeqNum, stream: Stream| {
            let is_senders = (side == sender) == (stream == Stream::Own);
            let (Some(tcp), Some(reading)) = (dissection.tcp(), reading) else { return seq.0 };
            match reading.ack {
                _ if is_senders => reading.seq.wrapping_add(seq.offset_from(tcp.seq)),
                Some(ack) => ack.wrapping_add(seq.offset_from(tcp.ack)),
                None => seq.0,
            }
        };
        let of_this_link = about.learnt.iter().filter_map(|(node, event)| Some((ends.side_of(*node)?, event)));
        let texts = of_this_link
            .map(|(side, event)| (side, learnt::text(event, start, |seq, stream| relative(side, seq, stream))));
        texts.flat_map(|(side, texts)| texts.into_iter().map(move |text| (side, text))).collect()
    }

    /// What a node's program had whole, once the packet had arrived.
    fn delivered(&self, about: Option<&About<'_>>) -> Vec<(Side, String)> {
        let delivered = about.map(|about| about.delivered.as_slice()).unwrap_or_default();
        let side_of = |node| self.ladder.ends.and_then(|ends| ends.side_of(node));
        delivered.iter().filter_map(|(node, target)| Some((side_of(*node)?, format!("{target} is whole")))).collect()
    }

    fn states(&self, about: Option<&About<'_>>) -> [Vec<Entered>; 2] {
        let changes = about.map(|about| about.states.as_slice()).unwrap_or_default();
        let Some(ends) = self.ladder.ends else {
            return Default::default();
        };
        [ends.left.node, ends.right.node]
            .map(|lane| changes.iter().filter(|(node, _)| *node == lane).map(|(_, state)| *state).collect())
    }
}

fn wire(record: &Record, about: Option<&About<'_>>, reading: Option<&Reading>) -> Wire {
    let is_copy =
        |about: &About<'_>| about.impairments.iter().any(|what| matches!(what, Impairment::Duplicated { .. }));
    if about.is_some_and(is_copy) {
        return Wire::Copy;
    }
    let told = about.is_some_and(|about| about.again);
    let commented = record.comments.iter().any(|comment| note::comment_is_again(&comment.to_string()));
    // A sender that gives its reasons knows best what it sends again; others are read.
    let explains = about.is_some_and(|about| about.why.is_some());
    let read = !explains && reading.is_some_and(|reading| reading.again);
    if told || commented || read { Wire::Again } else { Wire::Plain }
}

fn end(seen: &Seen<'_>, about: Option<&About<'_>>) -> End {
    let never_came = seen.number.is_none() && seen.record.direction == Direction::Out;
    if never_came || is_drop(seen.record, about) {
        End::Lost
    } else if about.is_some_and(|about| about.refused.is_some()) {
        End::Refused
    } else {
        End::Arrives
    }
}

fn is_drop(record: &Record, about: Option<&About<'_>>) -> bool {
    about.is_some_and(|about| about.impairments.iter().any(|what| what.is_drop()))
        || record.comments.iter().any(|comment| note::comment_is_drop(&comment.to_string()))
}

fn is_jitter(impairment: &&Impairment) -> bool {
    matches!(impairment, Impairment::Delayed { rule: None, .. })
}
