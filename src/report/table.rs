//! Figures side by side: one row for each figure, one column for each who has it.
//!
//! ```text
//!                       native     smoltcp       linux
//!                    simulated   simulated        live
//!   packets                 26          28          25
//!   time to recover    0.288 s     1.084 s     0.061 s
//! ```

use super::Style;
use super::text::{Line, Paint, clean, shorten, width};

/// Columns between one cell and the next.
const GAP: usize = 3;
/// Columns of the narrowest column.
const NARROWEST: usize = 9;

/// One row: what the figure is, and one cell for each column.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// What it is.
    pub label: String,
    /// The figures.
    pub cells: Vec<String>,
}

/// A table; `headings` are its first rows. Cells stand at the right, labels at the left; what does not fit is shortened.
pub fn table(headings: &[Row], rows: &[Row], style: &Style) -> String {
    let style = *style;
    let columns = headings.iter().chain(rows).map(|row| row.cells.len()).max().unwrap_or(0);
    let cell = |row: &Row, column: usize| row.cells.get(column).map(|cell| clean(cell, style)).unwrap_or_default();
    let all = || headings.iter().chain(rows);
    let label_width = all().map(|row| width(&clean(&row.label, style))).max().unwrap_or(0);
    let room = style.columns().saturating_sub(2 + label_width) / columns.max(1);
    let widest = all().flat_map(|row| (0..columns).map(|column| width(&cell(row, column)))).max().unwrap_or(0);
    let each = widest.max(NARROWEST).min(room.saturating_sub(GAP));
    let mut out = String::new();
    let paints = headings.iter().map(|_| Paint::Bold).chain(rows.iter().map(|_| Paint::Plain));
    for (row, paint) in all().zip(paints) {
        let mut line = Line::default();
        line.push(Paint::Plain, "  ");
        line.push(paint, clean(&row.label, style));
        for column in 0..columns {
            let text = shorten(&cell(row, column), each, style);
            line.pad_to(2 + label_width + (column + 1) * (each + GAP) - width(&text));
            line.push(paint, text);
        }
        line.write_to(&mut out, style.color);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(label: &str, cells: &[&str]) -> Row {
        Row { label: label.to_owned(), cells: cells.iter().map(|cell| (*cell).to_owned()).collect() }
    }

    #[test]
    fn cells_stand_at_the_right_and_a_missing_one_is_empty() {
        let headings = [row("", &["native", "linux"])];
        let rows = [row("packets", &["26", "25"]), row("time to recover", &["0.288 s"])];
        let expected = "                       native       linux
  packets                  26          25
  time to recover     0.288 s
";
        assert_eq!(table(&headings, &rows, &Style::plain(80)), expected);
    }

    #[test]
    fn no_line_is_wider_than_asked_for() {
        let long = "x".repeat(60);
        let rows = [row("a figure", &[&long, &long, "1"]), row("another", &["1", "2", &long])];
        for width_asked in [80, 100] {
            let text = table(&[], &rows, &Style::plain(width_asked));
            assert!(text.lines().all(|line| width(line) <= width_asked), "{text}");
        }
    }
}
