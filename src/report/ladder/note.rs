//! What is said beside a packet: why it was sent, and what the link did to it.

use std::collections::{HashMap, HashSet};

use super::super::Style;
use super::super::text::{Paint, count};
use super::quic::Carried;
use super::story::About;
use super::{Side, dns};
use crate::capture::{Record, Remark};
use crate::journal::Impairment;
use crate::packet::{Dissection, PacketId};

/// One remark.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Note {
    pub(super) text: String,
    pub(super) paint: Paint,
    /// Said only where room is left on the line.
    pub(super) optional: bool,
}

impl Note {
    fn new(paint: Paint, text: impl Into<String>) -> Note {
        Note { text: text.into(), paint, optional: false }
    }

    /// What became of a packet that did not arrive.
    pub(super) fn lost(text: String) -> Note {
        Note::new(Paint::Lost, text)
    }

    /// Something worth knowing.
    pub(super) fn plain(text: impl Into<String>) -> Note {
        Note::new(Paint::Plain, text)
    }
}

/// Writes the remarks of a whole ladder; remembers what it has said.
pub(super) struct Notes<'a> {
    style: Style,
    /// The numbers of the packets at the vantage point.
    numbers: &'a HashMap<PacketId, u64>,
    sections: HashSet<String>,
}

/// What a packet is read to be, without knowledge of its sender.
pub(super) struct Plain<'a> {
    pub(super) text: Option<String>,
    /// What its program has said of it: of more interest than that it is a datagram.
    pub(super) carried: Option<Carried<'a>>,
    /// The reading is of more interest than the sender's own words: a retransmission.
    pub(super) again: bool,
}

impl<'a> Notes<'a> {
    pub(super) fn new(style: Style, numbers: &'a HashMap<PacketId, u64>) -> Notes<'a> {
        Notes { style, numbers, sections: HashSet::new() }
    }

    /// The remarks on a packet, most important first.
    pub(super) fn of(
        &mut self,
        record: &Record,
        about: Option<&About<'_>>,
        plain: Plain<'_>,
        dissection: &Dissection,
    ) -> Vec<Note> {
        let mut notes = Vec::new();
        let told = about.is_some_and(|about| about.why.is_some() || !about.impairments.is_empty());
        let section = match about {
            _ if plain.carried.is_some() => {
                notes.extend(plain.carried.iter().map(|carried| Note::new(again_paint(plain.again), carried.frames())));
                let impairments = about.map(|about| about.impairments.as_slice()).unwrap_or_default();
                notes.extend(impairments.iter().filter_map(|what| self.impairment(what)));
                Some(if plain.again { "RFC 9000 §13.3" } else { "RFC 9000 §12.4" }.to_owned())
            }
            Some(about) if told => self.told(about, plain, &mut notes),
            Some(_) | None if !record.comments.is_empty() => commented(&texts(&record.comments), &mut notes),
            Some(_) | None => {
                notes.extend(plain.text.map(|text| Note::new(again_paint(plain.again), text)));
                None
            }
        };
        if let Some(reason) = about.and_then(|about| about.refused) {
            notes.push(Note::new(Paint::Lost, format!("refused on arrival: {reason}")));
        }
        if let Some(section) = section {
            self.cite(section, &mut notes);
        }
        match dns::remark(dissection, &record.bytes) {
            Some(dns::Remark::Answer(text)) => notes.insert(0, Note::plain(text)),
            Some(dns::Remark::InStream(text)) => notes.push(Note { text, paint: Paint::Dim, optional: true }),
            None => notes.extend(self.preview(record, dissection)),
        }
        notes
    }

    /// What the journal tells; returns the section that asks for the packet.
    fn told(&self, about: &About<'_>, plain: Plain<'_>, notes: &mut Vec<Note>) -> Option<String> {
        let copied = about.impairments.iter().any(|what| matches!(what, Impairment::Duplicated { .. }));
        match about.why {
            Some(why) => notes.push(Note::new(again_paint(about.again), bare(&why.reason.to_string()))),
            None if copied => {}
            None => notes.extend(plain.text.map(|text| Note::new(again_paint(plain.again), text))),
        }
        notes.extend(about.impairments.iter().filter_map(|what| self.impairment(what)));
        about.why.map(|why| why.section.to_owned()).filter(|section| !section.is_empty())
    }

    fn impairment(&self, impairment: &Impairment) -> Option<Note> {
        let by = |rule: &Option<String>| rule.as_ref().map_or("by chance".to_owned(), |rule| format!("by rule {rule}"));
        match impairment {
            Impairment::DroppedByRule { .. }
            | Impairment::Lost
            | Impairment::QueueOverflow
            | Impairment::WaitedTooLong { .. }
            | Impairment::TooBig { .. } => Some(Note::new(Paint::Lost, impairment.to_string())),
            Impairment::Duplicated { rule, original } => {
                let whose = self.numbers.get(original).map(|number| format!(" of packet {number}")).unwrap_or_default();
                Some(Note::new(Paint::Again, format!("the link's copy{whose}, {}", by(rule))))
            }
            Impairment::Held { rule, packets } => {
                let others = count(*packets as usize, "other");
                Some(Note::new(Paint::Again, format!("held {} until {others} passed", by(rule))))
            }
            // Jitter concerns every packet of the link, so it is no news.
            Impairment::Delayed { rule: None, .. } if !self.style.verbose => None,
            Impairment::Delayed { .. }
            | Impairment::Marked
            | Impairment::EcnBleached { .. }
            | Impairment::OptionStripped { .. }
            | Impairment::Corrupted { .. } => Some(Note::new(Paint::Again, impairment.to_string())),
        }
    }

    /// Names the section, but each only once: it is there to be looked up, not to be read a hundred times.
    fn cite(&mut self, section: String, notes: &mut Vec<Note>) {
        let text = format!("[{section}]");
        if self.sections.insert(section) || self.style.verbose {
            notes.push(Note::new(Paint::Dim, text));
        }
    }

    /// The beginning of data that is text.
    fn preview(&self, record: &Record, dissection: &Dissection) -> Option<Note> {
        const LONGEST: usize = 60;
        dissection.transport.as_ref()?;
        let range = dissection.payload.start..dissection.payload.end.min(record.bytes.len());
        let data = record.bytes.get(range)?;
        let is_text = |byte: &u8| matches!(byte, b' '..=b'~' | b'\r' | b'\n' | b'\t');
        let line = data.split(|byte| matches!(byte, b'\r' | b'\n')).next()?;
        if line.is_empty() || !data.iter().take(LONGEST).all(is_text) {
            return None;
        }
        let text: String = line.iter().take(LONGEST).map(|byte| *byte as char).collect();
        let more = if line.len() < data.len() || line.len() > LONGEST { "…" } else { "" };
        Some(Note { text: format!("\"{text}\"{more}"), paint: Paint::Dim, optional: true })
    }
}

/// The remarks as they read.
fn texts(remarks: &[Remark]) -> Vec<String> {
    remarks.iter().map(Remark::to_string).collect()
}

/// Takes over what a capture file says about the packet. A file knows nothing but the words, so they are read here: the
/// section in brackets at the end of a reason, and what begins with "dropped".
fn commented(comments: &[String], notes: &mut Vec<Note>) -> Option<String> {
    let mut section = None;
    for comment in comments {
        let (text, cited) = match comment.strip_suffix(']').and_then(|text| text.rsplit_once(" [")) {
            Some((text, cited)) if cited.starts_with("RFC ") => (text, Some(cited.to_owned())),
            Some(_) | None => (comment.as_str(), None),
        };
        section = section.or(cited);
        let paint = if comment_is_drop(comment) { Paint::Lost } else { again_paint(comment_is_again(comment)) };
        notes.push(Note::new(paint, bare(text)));
    }
    section
}

/// Whether a comment says that the packet was dropped.
pub(super) fn comment_is_drop(comment: &str) -> bool {
    comment.starts_with("dropped")
}

/// Whether a comment says that the packet was sent again.
pub(super) fn comment_is_again(comment: &str) -> bool {
    comment.starts_with("sent again")
}

fn again_paint(again: bool) -> Paint {
    if again { Paint::Again } else { Paint::Plain }
}

/// The reason without the flags in front of it, which stand on the arrow already.
fn bare(reason: &str) -> String {
    match reason.split_once(": ") {
        Some(("SYN" | "SYN,ACK" | "ACK" | "FIN" | "RST", rest)) => rest.to_owned(),
        Some(_) | None => reason.to_owned(),
    }
}

impl Side {
    /// The other side.
    pub(super) fn opposite(self) -> Side {
        match self {
            Side::Left => Side::Right,
            Side::Right => Side::Left,
        }
    }
}
