//! Predictions, marked: what the learner said, what the run says, and where it can be seen.
//!
//! ```text
//!   RIGHT  How many SYNs without ACK do three connections need?
//!          you said 3, the run says 3 · packets 1, 17, 33 at client
//!          filter: tcp.flags.syn == 1 && tcp.flags.ack == 0
//! ```

use std::time::Duration;

use super::Style;
use super::text::{Line, Paint, clean, wrap};

/// One question with both answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PredictionLine {
    /// The question.
    pub ask: String,
    /// What the learner said; `None` when it was skipped.
    pub said: Option<String>,
    /// Whether that was right; `None` when it cannot be said.
    pub is_right: Option<bool>,
    /// What the run says, or why it says nothing.
    pub answer: String,
    /// The packets that show it.
    pub packets: Vec<u64>,
    /// The node whose capture numbers them.
    pub vantage: String,
    /// A display filter that shows them.
    pub filter: Option<String>,
}

/// Packet numbers that are written out; more are counted.
const PACKETS_SHOWN: usize = 12;
/// Where what follows the mark begins.
const INDENT: usize = 7;

/// All questions, then how many answers were right. Empty when there were none.
pub fn predictions(lines: &[PredictionLine], style: &Style) -> String {
    let mut out = String::new();
    for line in lines {
        write_one(&mut out, line, *style);
    }
    let given = lines.iter().filter(|line| line.said.is_some()).count();
    if given > 0 {
        let right = lines.iter().filter(|line| line.is_right == Some(true)).count();
        let mut sum = Line::default();
        sum.push(if right == given { Paint::Good } else { Paint::Plain }, format!("{right} of {given} right"));
        sum.write_to(&mut out, style.color);
    }
    out
}

fn write_one(out: &mut String, line: &PredictionLine, style: Style) {
    let (mark, paint) = match (&line.said, line.is_right) {
        (Some(_), Some(true)) => ("RIGHT", Paint::Good),
        (Some(_), Some(false)) => ("WRONG", Paint::Lost),
        (Some(_), None) => ("????", Paint::Again),
        (None, _) => ("  -", Paint::Dim),
    };
    write_wrapped(out, (paint, mark), &line.ask, Paint::Plain, style);
    let said = line.said.as_ref().map_or_else(|| "skipped".to_owned(), |said| format!("you said {said}"));
    let mut told = format!("{said}, the run says {}", line.answer);
    if !line.packets.is_empty() {
        let shown: Vec<String> = line.packets.iter().take(PACKETS_SHOWN).map(u64::to_string).collect();
        let rest = line.packets.len() - shown.len();
        let more = if rest > 0 { format!(" and {rest} more") } else { String::new() };
        let word = if line.packets.len() == 1 { "packet" } else { "packets" };
        told.push_str(&format!(" · {word} {}{more} at {}", shown.join(", "), line.vantage));
    }
    write_wrapped(out, (Paint::Plain, ""), &told, Paint::Dim, style);
    // On one line however long it is: it is there to be pasted.
    if let Some(filter) = &line.filter {
        let mut line = Line::default();
        line.pad_to(INDENT);
        line.push(Paint::Dim, "filter: ");
        line.push(Paint::Data, clean(filter, Style { ascii: false, ..style }));
        line.write_to(out, style.color);
    }
}

fn write_wrapped(out: &mut String, head: (Paint, &str), text: &str, paint: Paint, style: Style) {
    for (index, part) in wrap(&clean(text, style), style.columns() - INDENT).into_iter().enumerate() {
        let mut line = Line::default();
        if index == 0 {
            line.push(head.0, head.1);
        }
        line.pad_to(INDENT);
        line.push(paint, part);
        line.write_to(out, style.color);
    }
}

/// A text broken into lines that begin `indent` columns from the left.
pub fn paragraph(text: &str, indent: usize, style: &Style) -> String {
    let lines = wrap(&clean(text, *style), style.columns().saturating_sub(indent));
    lines.iter().map(|line| format!("{:indent$}{line}\n", "")).collect()
}

/// A span of time as people say it, three digits of it: `41.4 ms`, `296 ms`, `1.46 s`.
pub fn span(span: Duration) -> String {
    let nanos = span.as_nanos();
    let (unit, name) = match nanos {
        0..1_000_000 => (1_000, "µs"),
        1_000_000..1_000_000_000 => (1_000_000, "ms"),
        _ => (1_000_000_000, "s"),
    };
    // As many decimals as make three digits, rounded half up.
    let decimals = [(100, 0), (10, 1), (1, 2)].into_iter().find(|(least, _)| nanos / unit >= *least);
    let (_, decimals) = decimals.unwrap_or((0, 2));
    let scale = 10_u128.pow(decimals);
    let rounded = (nanos * scale + unit / 2) / unit;
    let fraction = format!("{:0width$}", rounded % scale, width = decimals as usize);
    match fraction.trim_end_matches('0') {
        "" => format!("{} {name}", rounded / scale),
        digits => format!("{}.{digits} {name}", rounded / scale),
    }
}

/// A number with a comma after every three digits from the right: `14,480`.
pub fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::super::text::width;
    use super::*;

    fn line(said: Option<&str>, is_right: Option<bool>) -> PredictionLine {
        PredictionLine {
            ask: "How many duplicate ACKs reach the client before it sends the lost segment again, in all of this run?"
                .to_owned(),
            said: said.map(str::to_owned),
            is_right,
            answer: "3".to_owned(),
            packets: (1..=14).collect(),
            vantage: "client".to_owned(),
            filter: Some("tcp.ack == 1449".to_owned()),
        }
    }

    #[test]
    fn each_question_has_its_mark_and_the_sum_counts_what_was_answered() {
        let lines = [line(Some("3"), Some(true)), line(Some("2 packets"), Some(false)), line(None, None)];
        let text = predictions(&lines, &Style::plain(80));
        assert!(text.starts_with("RIGHT  How many duplicate"), "{text}");
        assert!(
            text.contains("WRONG  ") && text.contains("you said 2 packets, the run says 3 · packets 1, 2"),
            "{text}"
        );
        assert!(text.contains("12 and 2 more") && text.contains("skipped, the run says 3"), "{text}");
        assert!(text.ends_with("1 of 2 right\n"), "{text}");
        assert!(text.lines().all(|line| width(line) <= 80), "{text}");
        let ascii = predictions(&lines, &Style { ascii: true, ..Style::plain(80) });
        assert!(ascii.is_ascii(), "{ascii}");
    }

    #[test]
    fn spans_have_three_digits_and_no_idle_zeros() {
        for (nanos, told) in [
            (0, "0 µs"),
            (1_234, "1.23 µs"),
            (40_000_000, "40 ms"),
            (41_350_000, "41.4 ms"),
            (295_895_773, "296 ms"),
            (1_460_000_000, "1.46 s"),
            (61_000_000_000, "61 s"),
        ] {
            assert_eq!(span(Duration::from_nanos(nanos)), told);
        }
    }

    #[test]
    fn numbers_are_grouped_by_three() {
        for (number, told) in [(0, "0"), (999, "999"), (1_000, "1,000"), (14_480, "14,480"), (1_234_567, "1,234,567")] {
            assert_eq!(grouped(number), told);
        }
    }
}
