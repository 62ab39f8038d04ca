//! Every header of one packet, field by field, with its bytes.
//!
//! ```text
//!   3  0.000412  server → client  60 octets
//!     IPv4  10.0.0.2 → 10.0.0.1 TCP                          octets 0–19
//!       45           Version                 4                ip.version
//!       0a 00 00 02  Source Address          10.0.0.2             ip.src
//! ```

use std::ops::Range;

use super::Style;
use super::text::{Line, Paint, clean, count, shorten, width, wrap};
use crate::capture::Remark;
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
    pub comments: &'a [Remark],
}

/// Where layers and fields begin.
const LAYER_INDENT: usize = 2;
const FIELD_INDENT: usize = 4;
/// Octets of a field that are written out: a MAC address fits.
const OCTETS_SHOWN: usize = 6;
/// Where names and values begin; a longer name pushes its value to the right.
const NAME_AT: usize = FIELD_INDENT + OCTETS_SHOWN * 3 + 1;
const VALUE_AT: usize = NAME_AT + 24;
/// Octets of payload in one line, and lines of it.
const DUMP_OCTETS: usize = 16;
const DUMP_LINES: usize = 8;

/// The packet's headers as text: one line for the packet, one per layer, one or more per field.
pub fn layers(packet: &PacketView<'_>, style: &Style) -> String {
    render(packet, &describe::layers(packet.medium, packet.bytes, packet.wire_len), *style)
}

fn render(packet: &PacketView<'_>, layers: &[Layer], style: Style) -> String {
    let mut out = String::new();
    write_heading(&mut out, packet, style);
    for layer in layers {
        write_layer(&mut out, layer, packet.bytes, style);
    }
    out
}

fn write_heading(out: &mut String, packet: &PacketView<'_>, style: Style) {
    let mut text = format!("packet {}  {}", packet.number, packet.time);
    if !packet.route.is_empty() {
        text.push_str(&format!("  {}", packet.route));
    }
    text.push_str(&format!("  {}", count(packet.wire_len, "octet")));
    if packet.bytes.len() < packet.wire_len {
        text.push_str(&format!(", {} captured", packet.bytes.len()));
    }
    let mut line = Line::default();
    line.push(Paint::Bold, shorten(&clean(&text, style), style.columns(), style));
    line.write_to(out, style.color);
    for comment in packet.comments {
        write_text(out, LAYER_INDENT, Paint::Again, &comment.to_string(), style);
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

/// Bytes in hex, name, value, and the filter name at the right edge. Nothing is left out: a long value flows on below
/// itself, and a filter name that finds no room beside the value stands below it.
fn write_field(out: &mut String, field: &Field, frame: &[u8], style: Style) {
    let columns = style.columns();
    let filter = field.filter.unwrap_or_default();
    let mut line = Line::default();
    line.pad_to(FIELD_INDENT);
    line.push(Paint::Dim, hex(frame.get(field.range.clone()).unwrap_or_default(), style));
    line.pad_to(NAME_AT);
    line.push(Paint::Plain, shorten(&clean(field.name, style), columns / 3, style));
    line.push(Paint::Plain, "  ");
    line.pad_to(VALUE_AT);
    let value_at = line.width();
    let mut filter_is_due = !filter.is_empty();
    for part in wrap(&clean(&field.value, style), columns - value_at) {
        line.pad_to(value_at);
        line.push(Paint::Data, part);
        if filter_is_due && line.width() + 2 + width(filter) <= columns {
            line.pad_to(columns - width(filter));
            line.push(Paint::Dim, filter);
            filter_is_due = false;
        }
        line.write_to(out, style.color);
        line = Line::default();
    }
    if filter_is_due {
        line.pad_to(columns.saturating_sub(width(filter)));
        line.push(Paint::Dim, shorten(filter, columns, style));
    }
    if line.width() > 0 {
        line.write_to(out, style.color);
    }
}

fn hex(bytes: &[u8], style: Style) -> String {
    let shown = if bytes.len() > OCTETS_SHOWN { OCTETS_SHOWN - 1 } else { OCTETS_SHOWN };
    let mut text: Vec<String> = bytes.iter().take(shown).map(|byte| format!("{byte:02x}")).collect();
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
        write_text(out, FIELD_INDENT, Paint::Dim, &format!("{mark} {}", count(left, "more octet")), style);
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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn field(name: &'static str, value: &str, range: Range<usize>, filter: Option<&'static str>) -> Field {
        Field { name, value: value.to_owned(), range, filter }
    }

    fn view<'a>(bytes: &'a [u8], comments: &'a [Remark]) -> PacketView<'a> {
        let route = "client → server";
        PacketView { number: 4, time: "0.020100", route, medium: Medium::Ip, bytes, wire_len: bytes.len(), comments }
    }

    fn ip() -> Layer {
        Layer {
            name: "IPv4",
            summary: "10.0.0.1 → 10.0.0.2, TCP".to_owned(),
            range: 0..20,
            fields: vec![
                field("Version", "4", 0..1, Some("ip.version")),
                field("Destination MAC", "02:00:00:00:00:01", 0..6, Some("eth.dst")),
                field("TSval", "4294967295, a value beside its filter", 0..4, Some("tcp.options.timestamp.tsval")),
                field("Source Address", "10.0.0.1", 12..16, Some("ip.src")),
                field("Options", &"no-operation, then a very long list of them ".repeat(4), 4..18, None),
                field("A name that is much longer than most of them", "1", 3..4, Some("ip.a.name.that.is.long.too")),
            ],
        }
    }

    fn payload(len: usize) -> Layer {
        Layer { name: "Payload", summary: format!("{len} octets"), range: 20..20 + len, fields: Vec::new() }
    }

    #[test]
    fn layers_show_fields_with_their_bytes_and_filters() {
        let bytes: Vec<u8> = (0..200).collect();
        let comments =
            ["new data [RFC 9293 §3.7]", "dropped by rule lose-first-data"].map(|text| Remark::from(text.to_owned()));
        insta::assert_snapshot!(render(&view(&bytes, &comments), &[ip(), payload(180)], Style::plain(80)));
    }

    #[test]
    fn verbose_shows_the_whole_payload() {
        let bytes: Vec<u8> = (0..200).collect();
        let text = render(&view(&bytes, &[]), &[payload(180)], Style { verbose: true, ..Style::plain(80) });
        assert!(text.lines().any(|line| line.starts_with("    00c4  c4 c5 c6 c7")), "{text}");
        assert!(!text.contains("more octets"), "{text}");
    }

    #[test]
    fn a_packet_cut_short_by_the_capture_says_so() {
        let packet = PacketView { wire_len: 1500, ..view(&[0x45; 96], &[]) };
        assert!(render(&packet, &[], Style::plain(80)).contains("1500 octets, 96 captured"));
    }

    proptest! {
        #[test]
        fn any_field_stays_within_the_width(
            columns in 80_usize..=140,
            (value, summary, comment) in (".{0,200}", ".{0,200}", ".{0,200}"),
            (start, len) in (0_usize..80, 0_usize..80),
            ascii: bool,
        ) {
            // A range beyond the frame is what a capture that was cut short leads to.
            let bytes = [7_u8; 60];
            let fields = vec![field("Name", &value, start..start + len, Some("tcp.options.sack_le"))];
            let layers = [Layer { name: "TCP", summary, range: start..start + len, fields }, payload(80)];
            let text = render(&view(&bytes, &[Remark::Text(comment)]), &layers, Style { ascii, ..Style::plain(columns) });
            for line in text.lines() {
                prop_assert!(width(line) <= columns, "{}", line);
                prop_assert_eq!(line, line.trim_end());
                prop_assert!(!line.chars().any(char::is_control) && (line.is_ascii() || !ascii));
            }
        }
    }
}
