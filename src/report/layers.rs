//! Every header of one packet, field by field, with its bytes.
//!
//! ```text
//!   3  0.000412  server → client  60 octets
//!     IPv4  10.0.0.2 → 10.0.0.1 TCP                                   octets 0–19
//!       Version                  4             45                     ip.version
//! ```

use std::ops::Range;

use super::Style;
use super::text::{Line, Paint, clean, shorten, width, wrap};
use crate::packet::Medium;
use crate::packet::describe::{self, Field, Layer};

/// One packet to be shown.
#[derive(Clone, Copy, Debug)]
pub struct PacketView<'a> {
    /// Its number in the capture, from 1.
    pub number: u64,
    /// When it was seen, as it is to be printed: `0.000412`.
    pub time: &'a str,
    /// Who sent it to whom: `server → client`; empty when that is not known.
    pub route: &'a str,
    /// What its first byte belongs to.
    pub medium: Medium,
    /// Its bytes, as captured.
    pub bytes: &'a [u8],
    /// Octets it had on the wire.
    pub wire_len: usize,
    /// Remarks: why it was sent, what the link did to it.
    pub comments: &'a [String],
}

/// Where layers and fields begin.
const LAYER_INDENT: usize = 2;
const FIELD_INDENT: usize = 4;
/// Columns of a field's name; longer names push the rest to the right.
const NAME: usize = 26;
/// Octets of a field that are written out.
const OCTETS_SHOWN: usize = 8;
/// Octets of payload in one line, and lines of it.
const DUMP_OCTETS: usize = 16;
const DUMP_LINES: usize = 8;

/// The packet's headers as text: one line for the packet, one per layer, one or more per field.
pub fn layers(packet: &PacketView<'_>, style: &Style) -> String {
    let mut out = String::new();
    write_heading(&mut out, packet, *style);
    let layers = describe::layers(packet.medium, packet.bytes);
    for layer in &layers {
        write_layer(&mut out, layer, packet.bytes, *style);
    }
    out
}

fn write_heading(out: &mut String, packet: &PacketView<'_>, style: Style) {
    let mut text = format!("packet {}  {}", packet.number, packet.time);
    if !packet.route.is_empty() {
        text.push_str(&format!("  {}", packet.route));
    }
    text.push_str(&format!("  {} octets", packet.wire_len));
    if packet.bytes.len() < packet.wire_len {
        text.push_str(&format!(", {} captured", packet.bytes.len()));
    }
    let mut line = Line::default();
    line.push(Paint::Bold, shorten(&clean(&text, style), style.columns(), style));
    line.write_to(out, style.color);
    for comment in packet.comments {
        write_text(out, LAYER_INDENT, Paint::Again, comment, style);
    }
}

fn write_layer(out: &mut String, layer: &Layer, frame: &[u8], style: Style) {
    let octets = match layer.range.len() {
        0 => String::new(),
        1 => format!("octet {}", layer.range.start),
        _ => format!("octets {}{}{}", layer.range.start, dash(style), layer.range.end - 1),
    };
    let mut line = Line::default();
    line.pad_to(LAYER_INDENT);
    line.push(Paint::Syn, clean(layer.name, style));
    line.push(Paint::Plain, "  ");
    let room = style.columns().saturating_sub(line.width() + octets.chars().count() + 2);
    line.push(Paint::Plain, shorten(&clean(&layer.summary, style), room, style));
    line.pad_to(style.columns() - width(&octets));
    line.push(Paint::Dim, octets);
    line.write_to(out, style.color);
    for field in &layer.fields {
        write_field(out, field, frame, style);
    }
    if layer.fields.is_empty() {
        write_dump(out, layer.range.clone(), frame, style);
    }
}

/// Name, value, bytes in hex, filter name. What does not fit beside the name goes on lines of its own below it.
fn write_field(out: &mut String, field: &Field, frame: &[u8], style: Style) {
    let columns = style.columns();
    let aside = aside(field, frame, style);
    let value = clean(&field.value, style);
    let mut line = Line::default();
    line.pad_to(FIELD_INDENT);
    line.push(Paint::Plain, shorten(&clean(field.name, style), columns / 2, style));
    line.push(Paint::Plain, "  ");
    line.pad_to(FIELD_INDENT + NAME);
    let at = line.width();
    let beside = columns.saturating_sub(at + aside.width() + 2);
    let mut rest = Vec::new();
    if width(&value) <= beside {
        line.push(Paint::Data, value);
    } else {
        let mut parts = wrap(&value, columns - at).into_iter();
        let first = parts.next().unwrap_or_default();
        // The aside keeps its place on the first line when the value's first part leaves room for it.
        let (beside_first, below) = if width(&first) <= beside { (first, None) } else { (String::new(), Some(first)) };
        line.push(Paint::Data, beside_first);
        rest = below.into_iter().chain(parts).collect();
    }
    line.pad_to(columns.saturating_sub(aside.width()));
    line.append(aside);
    line.write_to(out, style.color);
    for part in rest {
        let mut line = Line::default();
        line.pad_to(at);
        line.push(Paint::Data, part);
        line.write_to(out, style.color);
    }
}

/// The right-hand part of a field's line: its bytes, and its filter name in a column of its own.
fn aside(field: &Field, frame: &[u8], style: Style) -> Line {
    const FILTER: usize = 24;
    let mut aside = Line::default();
    let bytes = frame.get(field.range.clone()).unwrap_or_default();
    aside.push(Paint::Dim, hex(bytes, style));
    aside.push(Paint::Plain, "  ");
    let filter = shorten(field.filter.unwrap_or_default(), FILTER, style);
    let mut cell = Line::default();
    cell.push(Paint::Dim, filter);
    cell.pad_to(FILTER);
    aside.append(cell);
    aside
}

fn hex(bytes: &[u8], style: Style) -> String {
    let mut text: Vec<String> = bytes.iter().take(OCTETS_SHOWN).map(|byte| format!("{byte:02x}")).collect();
    if bytes.len() > OCTETS_SHOWN {
        text.push(if style.ascii { ".." } else { "…" }.to_owned());
    }
    text.join(" ")
}

/// Octets without fields, in hex and as text.
fn write_dump(out: &mut String, range: Range<usize>, frame: &[u8], style: Style) {
    let bytes = frame.get(range.start.min(frame.len())..range.end.min(frame.len())).unwrap_or_default();
    let shown = if style.verbose { usize::MAX } else { DUMP_LINES };
    for (index, chunk) in bytes.chunks(DUMP_OCTETS).enumerate().take(shown) {
        let hex: Vec<String> = chunk.iter().map(|byte| format!("{byte:02x}")).collect();
        let text: String =
            chunk.iter().map(|byte| if (b' '..=b'~').contains(byte) { *byte as char } else { '.' }).collect();
        let mut line = Line::default();
        line.pad_to(FIELD_INDENT);
        line.push(Paint::Dim, format!("{:04x}  ", range.start + index * DUMP_OCTETS));
        line.push(Paint::Data, hex.join(" "));
        line.pad_to(FIELD_INDENT + 6 + DUMP_OCTETS * 3 + 1);
        line.push(Paint::Plain, text);
        line.write_to(out, style.color);
    }
    let left = bytes.len().saturating_sub(shown.saturating_mul(DUMP_OCTETS));
    if left > 0 {
        let mark = if style.ascii { "..." } else { "…" };
        write_text(out, FIELD_INDENT, Paint::Dim, &format!("{mark} {left} more octets"), style);
    }
}

fn write_text(out: &mut String, indent: usize, paint: Paint, text: &str, style: Style) {
    for part in wrap(&clean(text, style), style.columns() - indent) {
        let mut line = Line::default();
        line.pad_to(indent);
        line.push(paint, part);
        line.write_to(out, style.color);
    }
}

fn dash(style: Style) -> &'static str {
    if style.ascii { "-" } else { "–" }
}
