//! Wireshark display filters, a subset, over packets and over journal events.
//!
//! **The law: this filter and Wireshark 4 agree on every packet.** What a learner writes in a lab can be pasted into
//! Wireshark ([`Filter::wireshark`] puts addresses for names) and selects the same rows. What cannot be kept is refused
//! at parsing, not read differently: a bare flag such as `!tcp.flags.ack` asks in Wireshark whether the field is *there*,
//! so the error asks for `tcp.flags.ack == 0`.
//!
//! A filter looks at one packet at a time, Wireshark also at those before it. They can therefore differ where Wireshark
//! puts pieces together: a fragment is data to us, while Wireshark opens the last one of a complete set; an HTTP message
//! counts where it begins, in Wireshark where it ends (they agree with `tcp.desegment_tcp_streams` off); the payload of
//! a segment that came again or too late is opened here and not there. HTTP is told by its first line, on any port, DNS
//! by port 53 (over TCP where a segment holds a whole message), and all else is `data`; Wireshark knows more protocols.
//!
//! What lives here: reading, printing and asking filters, and numbering conversations ([`Streams`]). The journal's
//! entries are asked through fields `event.…`, named as in `journal.jsonl`.

mod application;
mod evaluate;
mod event;
mod field;
mod http;
mod lexer;
mod literal;
mod names;
mod parser;
mod print;
mod streams;
mod syntax;
#[cfg(test)]
mod tests;
mod unknown;
mod view;

use std::sync::Arc;

use crate::journal::Entry;
use crate::packet::{Dissection, Packet};
use crate::time::Instant;

pub use names::Names;
pub use streams::{RelativeSeq, Streams};

/// A filter that was understood.
#[derive(Clone, Debug)]
pub struct Filter {
    expression: syntax::Expression,
}

/// Why a filter was not understood.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("column {column}: {message}")]
pub struct FilterError {
    /// The character where reading stopped, from 1.
    pub column: usize,
    /// What was expected there, and the closest names when one is not known.
    pub message: String,
}

impl FilterError {
    fn new(column: usize, message: impl Into<String>) -> FilterError {
        FilterError { column, message: message.into() }
    }
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
    /// When it passed, counted from the first packet of its capture (`frame.time_relative`); not looked at without a
    /// number.
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
        parser::parse(text, names).map(|expression| Filter { expression })
    }

    /// Reads a filter for a rule, which is asked about single packets outside a capture.
    ///
    /// # Errors
    /// As [`Filter::parse`]; and when it asks for what only a capture knows (`frame.number`, `tcp.stream`, `tcp.seq`),
    /// which would match no packet.
    pub fn parse_for_single_packets(text: &str, names: &Names) -> Result<Filter, FilterError> {
        let filter = Filter::parse(text, names)?;
        for placed in lexer::tokens(text)? {
            let lexer::Token::Word(word) = &placed.token else { continue };
            let is_asked = || filter.expression.any_operand(&|operand| operand.name() == *word);
            if let Some(message) = unknown::refusal_for_single_packets(word).filter(|_| is_asked()) {
                return Err(FilterError::new(placed.column, message));
            }
        }
        Ok(filter)
    }

    /// Whether the subject passes.
    pub fn matches(&self, subject: &Subject<'_>) -> bool {
        self.expression.matches(subject)
    }

    /// The same filter with names replaced by addresses: can be pasted into Wireshark.
    pub fn wireshark(&self) -> String {
        self.expression.to_string()
    }

    /// Whether it asks about events: whether it uses a field `event.…`.
    pub fn is_about_events(&self) -> bool {
        self.expression.any_operand(&|operand| matches!(operand, syntax::Operand::Event(_)))
    }
}

/// The name of every field of packets, as Wireshark has it.
pub fn field_names() -> impl Iterator<Item = &'static str> {
    field::names()
}

/// The name of every member of events, as `journal.jsonl` has it; a dot goes into a nested object.
pub fn event_members() -> impl Iterator<Item = &'static str> {
    event::MEMBERS.into_iter()
}

/// What a packet has of a field, as text: numbers in decimal, flags as 0 or 1, octets in hex, spans in nanoseconds. Several
/// for `ip.addr` and its like, none when the packet has no such field; `None` when nothing has.
pub fn field_texts(name: &str, packet: &PacketSubject<'_>) -> Option<Vec<String>> {
    let field = field::named(name)?;
    Some(view::values(field, packet).iter().map(ToString::to_string).collect())
}

/// The filter as a rule's predicate. Fields that only a capture knows (`frame.number`, `tcp.stream`, relative sequence
/// numbers) match no packet there; [`Filter::parse_for_single_packets`] refuses them.
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
