//! What shows that an answer is so, beside predictions and verdicts alike: packets by their numbers, and a filter.

use super::Style;
use super::text::{Line, Paint, clean, wrap};

/// `packets 1, 2, 3 and 9 more at client`, at most `most` of them written out and the others counted; `None` of no packet.
pub(super) fn packets_at(packets: &[u64], most: usize, vantage: &str) -> Option<String> {
    let shown: Vec<String> = packets.iter().take(most).map(u64::to_string).collect();
    let rest = packets.len() - shown.len();
    let more = if rest > 0 { format!(" and {rest} more") } else { String::new() };
    let word = if packets.len() == 1 { "packet" } else { "packets" };
    (!packets.is_empty()).then(|| format!("{word} {}{more} at {vantage}", shown.join(", ")))
}

/// A display filter on one line however long it is: it is there to be pasted.
pub(super) fn write_filter(out: &mut String, indent: usize, filter: &str, style: Style) {
    let mut line = Line::default();
    line.pad_to(indent);
    line.push(Paint::Dim, "filter: ");
    line.push(Paint::Data, clean(filter, Style { ascii: false, ..style }));
    line.write_to(out, style.color);
}

/// A text in lines that begin `indent` columns from the left, with `head` before the first.
pub(super) fn write_wrapped(
    out: &mut String,
    indent: usize,
    head: (Paint, &str),
    text: &str,
    paint: Paint,
    style: Style,
) {
    for (index, part) in wrap(&clean(text, style), style.columns() - indent).into_iter().enumerate() {
        let mut line = Line::default();
        if index == 0 {
            line.push(head.0, head.1);
        }
        line.pad_to(indent);
        line.push(paint, part);
        line.write_to(out, style.color);
    }
}
