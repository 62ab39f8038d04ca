//! What the innermost header carries: its lines when it is text. Other octets have no fields; whoever shows the layer
//! shows as many of them as it likes, from the layer's range.

use std::ops::Range;

use super::{Fields, Layer, octets};
use crate::packet::Dissection;
use crate::packet::dissect::Transport;

/// The layer's name.
pub(super) const NAME: &str = "Payload";

/// Characters of the first line that the summary shows.
const SUMMARY: usize = 60;

/// The payload's layer; `None` when there is none, or when it is a packet that an ICMP error quotes.
pub(super) fn layer(dissection: &Dissection, frame: &[u8]) -> Option<Layer> {
    let range = dissection.payload.start..dissection.payload.end.min(frame.len());
    let bytes = frame.get(range.clone()).filter(|bytes| !bytes.is_empty())?;
    if dissection.quoted.is_some() {
        return None;
    }
    let filter = match &dissection.transport {
        Some(Transport::Tcp(_)) => Some("tcp.payload"),
        Some(Transport::Udp(_)) => Some("udp.payload"),
        Some(Transport::Icmpv4(_) | Transport::Icmpv6(_)) | None => Some("data.data"),
    };
    let mut fields = Fields::new(frame, range.start);
    let summary = match text_of(bytes) {
        Some(text) => {
            for (at, line) in lines(text) {
                fields.add("Text", at, filter, escaped(line));
            }
            let first: String = escaped(text.lines().next().unwrap_or_default()).chars().take(SUMMARY).collect();
            format!("{}: {first}", octets(bytes.len()))
        }
        None => octets(bytes.len()),
    };
    Some(fields.into_layer(NAME, summary, bytes.len()))
}

/// The bytes as text, when nearly all of it can be read: at least nine characters in ten.
fn text_of(bytes: &[u8]) -> Option<&str> {
    // The last character may be cut in two by the end of the segment.
    let text = match std::str::from_utf8(bytes) {
        Ok(text) => text,
        Err(error) if error.error_len().is_none() => std::str::from_utf8(bytes.get(..error.valid_up_to())?).ok()?,
        Err(_) => return None,
    };
    let total = text.chars().count();
    let readable = text.chars().filter(|character| !character.is_control() || character.is_ascii_whitespace()).count();
    (total > 0 && readable * 10 >= total * 9).then_some(text)
}

/// The lines of a text, without their ends, and where each lies.
fn lines(text: &str) -> impl Iterator<Item = (Range<usize>, &str)> {
    let mut at = 0;
    text.split_inclusive('\n').map(move |line| {
        let start = at;
        at += line.len();
        (start..at, line.trim_end_matches(['\r', '\n']))
    })
}

/// Control characters made visible, so that a payload cannot steer a terminal.
fn escaped(line: &str) -> String {
    line.chars()
        .map(|character| match character {
            '\t' => " ".to_owned(),
            control if control.is_control() => control.escape_default().to_string(),
            other => other.to_string(),
        })
        .collect()
}
