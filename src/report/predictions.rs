//! Predictions, marked: what the learner said, what the run says, and where it can be seen.
//!
//! ```text
//!   RIGHT  How many SYNs without ACK do three connections need?
//!          you said 3, the run says 3 · packets 1, 17, 33 at client
//!          filter: tcp.flags.syn == 1 && tcp.flags.ack == 0
//! ```

use super::Style;
use super::evidence::{packets_at, write_filter, write_wrapped};
use super::text::{Line, Paint};

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

/// Packet numbers that are written out.
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
    write_wrapped(out, INDENT, (paint, mark), &line.ask, Paint::Plain, style);
    let said = line.said.as_ref().map_or_else(|| "skipped".to_owned(), |said| format!("you said {said}"));
    let mut told = format!("{said}, the run says {}", line.answer);
    if let Some(packets) = packets_at(&line.packets, PACKETS_SHOWN, &line.vantage) {
        told.push_str(&format!(" · {packets}"));
    }
    write_wrapped(out, INDENT, (Paint::Plain, ""), &told, Paint::Dim, style);
    if let Some(filter) = &line.filter {
        write_filter(out, INDENT, filter, style);
    }
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
}
