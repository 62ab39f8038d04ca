//! Wireshark display filters, a subset, over packets and over journal events.

mod names;
mod streams;

use std::sync::Arc;

use crate::journal::Entry;
use crate::packet::{Dissection, Packet};
use crate::time::Instant;

pub use names::Names;
pub use streams::{RelativeSeq, Streams};

/// A filter that was understood.
#[derive(Clone, Debug)]
pub struct Filter {}

/// Why a filter was not understood.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("column {column}: {message}")]
pub struct FilterError {
    /// The character where reading stopped, from 1.
    pub column: usize,
    /// What was expected there, and the closest names when one is not known.
    pub message: String,
}

/// What a filter is asked about.
#[derive(Clone, Copy, Debug)]
pub enum Subject<'a> {
    /// A packet.
    Packet(PacketSubject<'a>),
    /// A line of the journal.
    Event(EventSubject<'a>),
}

/// A packet, with what its capture knows of it.
#[derive(Clone, Copy, Debug)]
pub struct PacketSubject<'a> {
    /// Its number in the capture, from 1 (`frame.number`); `None` outside a capture.
    pub number: Option<u64>,
    /// When it passed (`frame.time_relative`).
    pub at: Instant,
    /// What its headers say.
    pub dissection: &'a Dissection,
    /// The whole frame as captured; may be shorter than it was on the wire.
    pub bytes: &'a [u8],
    /// `tcp.stream` or `udp.stream`, see [`Streams`].
    pub stream: Option<u32>,
    /// The bases of relative sequence numbers, see [`Streams`].
    pub relative: Option<RelativeSeq>,
}

/// A line of the journal, with the name of its node.
#[derive(Clone, Copy, Debug)]
pub struct EventSubject<'a> {
    /// The line.
    pub entry: &'a Entry,
    /// The node's name (`event.node`).
    pub node: &'a str,
}

impl Filter {
    /// Reads a filter.
    ///
    /// # Errors
    /// [`FilterError`] says where the text stops making sense and what was expected.
    pub fn parse(text: &str, names: &Names) -> Result<Filter, FilterError> {
        let _ = (text, names);
        Ok(Filter {})
    }

    /// Whether the subject passes.
    pub fn matches(&self, subject: &Subject<'_>) -> bool {
        let _ = subject;
        true
    }

    /// The same filter with names replaced by addresses: can be pasted into Wireshark.
    pub fn wireshark(&self) -> String {
        String::new()
    }

    /// Whether it asks about events: whether it uses a field `event.…`.
    pub fn is_about_events(&self) -> bool {
        false
    }
}

/// The filter as a link rule's predicate. Fields that only a capture knows (`frame.number`, `tcp.stream`, relative
/// sequence numbers) match no packet there.
pub fn packet_predicate(filter: Filter) -> Arc<dyn Fn(&Packet) -> bool + Send + Sync> {
    Arc::new(move |packet| {
        let bytes = packet.to_bytes();
        let dissection = Dissection::of(packet.medium(), &bytes, bytes.len());
        filter.matches(&Subject::Packet(PacketSubject {
            number: None,
            at: Instant::ZERO,
            dissection: &dissection,
            bytes: &bytes,
            stream: None,
            relative: None,
        }))
    })
}
