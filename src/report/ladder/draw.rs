//! Lines: where the columns are, how arrows are drawn, how remarks flow beside them.
//!
//! ```text
//!   number  time  │◄──────────── lane ────────────►│  notes
//! ```

use std::net::SocketAddr;
use std::time::Duration;

use super::super::Style;
use super::super::text::{Line, Paint, clean, count, shorten, width, wrap};
use super::fold::{Fold, Item, SILENCE};
use super::lanes::{Columns, endpoint};
use super::note::Note;
use super::rails::{ASCII, Glyphs, Rails, UNICODE};
use super::rows::{End, Row, Wire};
use super::streams::Opened;
use super::{Ends, Ladder, Lane, Side};
use crate::journal::NodeId;
use crate::time::Instant;

/// Draws a whole ladder.
struct Drawing {
    style: Style,
    glyphs: &'static Glyphs,
    /// The moment that counts as 0.
    start: Instant,
    number: usize,
    time: usize,
    rails: Rails,
    out: String,
}

pub(super) fn draw(ladder: &Ladder<'_>, columns: Columns, items: &[Item], style: Style) -> String {
    if items.is_empty() {
        return "no packets\n".to_owned();
    }
    let mut drawing = Drawing::new(ladder, items, style);
    drawing.heading(ladder, columns);
    let mut before: Option<Instant> = None;
    for item in items {
        let (from, to) = item.span();
        if let Some(before) = before.filter(|before| from.since(*before) > SILENCE) {
            drawing.silence(from.since(before));
        }
        match item {
            Item::Row(row) => drawing.row(row, ladder),
            Item::Fold(fold) => drawing.fold(fold),
        }
        before = Some(to);
    }
    drawing.sum(ladder, items);
    drawing.out
}

impl Drawing {
    fn new(ladder: &Ladder<'_>, items: &[Item], style: Style) -> Drawing {
        let first = items.first().map_or(Instant::ZERO, |item| item.span().0);
        let start = ladder.records.first().map_or(first, |record| record.at);
        let glyphs = if style.ascii { &ASCII } else { &UNICODE };
        let number = ladder.records.len().to_string().len().max(2);
        let time = items.iter().map(|item| seconds(item.span().0, start).len()).max().unwrap_or_default();
        // Half of what number and time leave goes to the lane, a little more when it is narrow: labels have little to
        // give.
        let rest = style.columns().saturating_sub(number + time + 5);
        let lane = (rest / 2 + 8).clamp(30, 56);
        let rails = Rails { style, glyphs, columns: lane };
        Drawing { style, glyphs, start, number, time, rails, out: String::new() }
    }

    fn lane_at(&self) -> usize {
        self.number + 2 + self.time + 2
    }

    fn notes_at(&self) -> usize {
        self.lane_at() + self.rails.columns + 2
    }

    fn emit(&mut self, line: &Line) {
        line.write_to(&mut self.out, self.style.color);
    }

    /// Number and time columns.
    fn margin(&self, number: &str, time: &str) -> Line {
        let mut line = Line::default();
        line.push(Paint::Plain, format!("{number:>width$}", width = self.number));
        line.push(Paint::Dim, format!("  {time:>width$}  ", width = self.time));
        line
    }

    fn heading(&mut self, ladder: &Ladder<'_>, columns: Columns) {
        let (left, right) = columns.names(ladder);
        let room = self.rails.columns / 2 - 1;
        let left = shorten(&clean(&left, self.style), room, self.style);
        let right = shorten(&clean(&right, self.style), room, self.style);
        let mut line = self.margin("no", "time");
        line.push(Paint::Bold, left);
        line.pad_to(self.lane_at() + self.rails.columns - width(&right));
        line.push(Paint::Bold, right);
        if let Some(ends) = ladder.ends {
            let text = clean(&format!("as seen at {}", ends.lane(ends.vantage).name), self.style);
            line.pad_to(self.notes_at());
            line.push(Paint::Dim, shorten(&text, self.style.columns() - self.notes_at(), self.style));
        }
        self.emit(&line);
    }

    fn row(&mut self, row: &Row, ladder: &Ladder<'_>) {
        if let Some((connection, opened)) = &row.opened {
            self.connection(*connection, *opened, ladder);
        }
        if let Some(heading) = &row.heading {
            let mut line = Line::default();
            line.push(Paint::Bold, shorten(&clean(heading, self.style), self.style.columns(), self.style));
            self.emit(&line);
        }
        let number = row.number.map_or(String::new(), |number| number.to_string());
        let mut line = self.margin(&number, &seconds(row.at, self.start));
        line.append(self.rails.arrow(row));
        let mut notes = self.notes(&row.notes).into_iter();
        let mut states = self.rails.states(&row.states).into_iter().chain(self.rails.learnt(&row.learnt));
        if let Some(first) = notes.next() {
            line.pad_to(self.notes_at());
            line.append(first);
        }
        self.emit(&line);
        loop {
            let (state, note) = (states.next(), notes.next());
            if state.is_none() && note.is_none() {
                return;
            }
            let mut line = self.margin("", "");
            line.append(state.unwrap_or_else(|| self.rails.around("")));
            if let Some(note) = note {
                line.pad_to(self.notes_at());
                line.append(note);
            }
            self.emit(&line);
        }
    }

    /// Remarks in lines: each on the line before if it fits there, else on its own.
    fn notes(&self, notes: &[Note]) -> Vec<Line> {
        let columns = self.style.columns().saturating_sub(self.notes_at());
        let mut lines: Vec<Line> = Vec::new();
        for note in notes {
            let text = clean(&note.text, self.style);
            let used = lines.last().map_or(0, |line| line.width() + width(self.glyphs.separator));
            let room = columns.saturating_sub(used);
            match lines.last_mut() {
                Some(line) if width(&text) <= room => {
                    line.push(Paint::Dim, self.glyphs.separator);
                    line.push(note.paint, text);
                }
                // A preview shrinks to the room there is, but not to a few letters.
                Some(line) if note.optional && room >= 12 => {
                    line.push(Paint::Dim, self.glyphs.separator);
                    line.push(note.paint, shorten(&text, room, self.style));
                }
                Some(_) if note.optional => {}
                Some(_) | None => lines.extend(wrap(&text, columns).into_iter().map(|text| {
                    let mut line = Line::default();
                    line.push(note.paint, text);
                    line
                })),
            }
        }
        lines
    }

    fn connection(&mut self, connection: usize, opened: Opened, ladder: &Ladder<'_>) {
        let name = |end: SocketAddr| endpoint(end, ladder);
        let joint = if opened.from_the_start { self.glyphs.arrow } else { "and" };
        let mut text =
            format!("connection {}: {} {joint} {}", connection + 1, name(opened.client), name(opened.server));
        if !opened.from_the_start {
            text.push_str(" (began earlier)");
        }
        let filter = opened.number.map(|number| format!("tcp.stream == {number}")).unwrap_or_default();
        let room = self.style.columns().saturating_sub(width(&filter) + 2);
        let mut line = Line::default();
        line.push(Paint::Bold, shorten(&clean(&text, self.style), room, self.style));
        line.pad_to(self.notes_at().max(line.width() + 2).min(self.style.columns() - width(&filter)));
        line.push(Paint::Dim, filter);
        self.emit(&line);
    }

    fn silence(&mut self, span: Duration) {
        let dots = self.glyphs.dots;
        let mut line = self.margin("", "");
        line.append(self.rails.around(&format!("{dots} {} of silence {dots}", span_text(span))));
        self.emit(&line);
    }

    fn fold(&mut self, fold: &Fold) {
        let sorts = [
            (fold.data, "data segment"),
            (fold.acks, "ACK"),
            (fold.duplicate_acks, "duplicate ACK"),
            (fold.datagrams, "datagram"),
        ];
        let parts: Vec<String> =
            sorts.into_iter().filter(|(number, _)| *number > 0).map(|(number, word)| count(number, word)).collect();
        let dots = self.glyphs.dots;
        let mut line = self.margin(dots, dots);
        line.append(self.rails.around(&format!("{dots} {} {dots}", parts.join(", "))));
        line.pad_to(self.notes_at());
        let span = span_text(fold.to.since(fold.from));
        let numbers = fold.numbers.map(|(low, high)| format!("packets {low} to {high}"));
        let mut text = numbers.clone().map_or_else(String::new, |numbers| numbers + ", ") + &span;
        let room = self.style.columns() - self.notes_at();
        if width(&text) > room {
            text = numbers.unwrap_or_default();
        }
        line.push(Paint::Dim, shorten(&clean(&text, self.style), room, self.style));
        self.emit(&line);
    }

    /// How many packets there were, and what the signs mean that were used.
    fn sum(&mut self, ladder: &Ladder<'_>, items: &[Item]) {
        let rows = || items.iter().filter_map(|item| if let Item::Row(row) = item { Some(row) } else { None });
        let is_again = |row: &&Row| row.wire == Wire::Again;
        let is_copy = |row: &&Row| row.wire == Wire::Copy;
        let is_lost = |row: &&Row| row.end == End::Lost;
        let is_refused = |row: &&Row| row.end == End::Refused;
        let last = ladder.records.last().map_or(self.start, |record| record.at);
        let mut text = format!("{} in {}", count(ladder.records.len(), "packet"), span_text(last.since(self.start)));
        let signs = [
            (rows().filter(is_lost).count(), self.glyphs.lost, "lost"),
            (rows().filter(is_refused).count(), self.glyphs.lost, "refused"),
            (rows().filter(is_again).count(), self.glyphs.again, "sent again"),
            (rows().filter(is_copy).count(), self.glyphs.copy, "copied by the link"),
        ];
        for (number, sign, word) in signs {
            if number > 0 {
                text.push_str(&format!("{}{sign} {number} {word}", self.glyphs.separator));
            }
        }
        let mut line = Line::default();
        line.push(Paint::Dim, shorten(&clean(&text, self.style), self.style.columns(), self.style));
        self.emit(&line);
    }
}

/// Seconds since `start` with six decimals; negative before it.
pub(super) fn seconds(at: Instant, start: Instant) -> String {
    let sign = if at < start { "-" } else { "" };
    let span = at.since(start).max(start.since(at));
    format!("{sign}{}.{:06}", span.as_secs(), span.subsec_micros())
}

/// A span in the unit that suits it: seconds to the millisecond, less to three digits: `1.000 s`, `12.3 ms`, `87 µs`.
pub(super) fn span_text(span: Duration) -> String {
    let nanos = u64::try_from(span.as_nanos()).unwrap_or(u64::MAX);
    let millis = nanos as f64 / 1e6;
    // Each unit ends where rounding would reach the next: 999.9 ms is 1.000 s and not 1000 ms.
    match nanos {
        0..999_500 => format!("{} µs", (nanos + 500) / 1_000),
        999_500..9_995_000 => format!("{millis:.2} ms"),
        9_995_000..99_950_000 => format!("{millis:.1} ms"),
        99_950_000..999_500_000 => format!("{millis:.0} ms"),
        _ => {
            let millis = nanos.saturating_add(500_000) / 1_000_000;
            format!("{}.{:03} s", millis / 1_000, millis % 1_000)
        }
    }
}

impl<'a> Ends<'a> {
    /// The node on this side.
    pub(super) fn lane(&self, side: Side) -> Lane<'a> {
        match side {
            Side::Left => self.left,
            Side::Right => self.right,
        }
    }

    /// On which side this node is.
    pub(super) fn side_of(&self, node: NodeId) -> Option<Side> {
        [Side::Left, Side::Right].into_iter().find(|side| self.lane(*side).node == node)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_are_rounded_to_what_a_reader_can_use() {
        let cases = [
            (0, "0 µs"),
            (87_499, "87 µs"),
            (999_600, "1.00 ms"),
            (1_234_567, "1.23 ms"),
            (12_345_678, "12.3 ms"),
            (99_960_000, "100 ms"),
            (123_456_789, "123 ms"),
            (999_400_000, "999 ms"),
            (999_999_000, "1.000 s"),
            (1_061_499_000, "1.061 s"),
            (61_000_500_000, "61.001 s"),
        ];
        for (nanos, text) in cases {
            assert_eq!(span_text(Duration::from_nanos(nanos)), text);
        }
    }
}
