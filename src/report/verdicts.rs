//! The results of a lab's checks.
//!
//! ```text
//!   PASS  syn-once — exactly one SYN opens the connection
//!         measured: 1 packet · packet 1 at client
//!         filter: tcp.flags.syn == 1 && tcp.flags.ack == 0
//! ```

use super::Style;
use super::evidence::{packets_at, write_filter, write_wrapped};
use super::text::{Line, Paint, count};

/// One check and its result.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VerdictLine {
    /// The check's name in the lab.
    pub id: String,
    /// What is claimed, as a sentence.
    pub that: String,
    /// Whether it is so.
    pub outcome: Outcome,
    /// What was found: `3 packets`; may be empty.
    pub measured: String,
    /// The packets that show it, as numbers of the vantage point's capture.
    pub packets: Vec<u64>,
    /// The node whose capture numbers the packets.
    pub vantage: String,
    /// A display filter that shows them in Wireshark.
    pub filter: Option<String>,
    /// Where to look when the check has failed.
    pub hint: Option<String>,
}

/// The result of a check.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It is so.
    Pass,
    /// It is not so.
    Fail,
    /// It cannot be said, and why.
    Unknown(String),
}

/// Packet numbers that are written out.
const PACKETS_SHOWN: usize = 16;

/// Where what follows the first line begins.
const INDENT: usize = 6;

/// All checks with what shows them, then how many passed. Empty when there were none.
pub fn verdicts(lines: &[VerdictLine], style: &Style) -> String {
    let mut out = String::new();
    for line in lines {
        write_one(&mut out, line, *style);
    }
    if !lines.is_empty() {
        write_sum(&mut out, lines, *style);
    }
    out
}

fn write_one(out: &mut String, verdict: &VerdictLine, style: Style) {
    let dash = if style.ascii { "-" } else { "—" };
    let (word, paint) = word_of(&verdict.outcome);
    write_wrapped(out, INDENT, (paint, word), &format!("{} {dash} {}", verdict.id, verdict.that), Paint::Plain, style);
    let evidence = evidence(verdict, style);
    if !evidence.is_empty() {
        write_wrapped(out, INDENT, (Paint::Plain, ""), &evidence, Paint::Dim, style);
    }
    if let Some(filter) = &verdict.filter {
        write_filter(out, INDENT, filter, style);
    }
    match (&verdict.outcome, &verdict.hint) {
        (Outcome::Unknown(reason), _) => write_wrapped(out, INDENT, (Paint::Plain, ""), reason, Paint::Again, style),
        (Outcome::Fail, Some(hint)) => {
            write_wrapped(out, INDENT, (Paint::Plain, ""), &format!("hint: {hint}"), Paint::Again, style);
        }
        (Outcome::Fail, None) | (Outcome::Pass, _) => {}
    }
}

fn word_of(outcome: &Outcome) -> (&'static str, Paint) {
    match outcome {
        Outcome::Pass => ("PASS", Paint::Good),
        Outcome::Fail => ("FAIL", Paint::Lost),
        Outcome::Unknown(_) => ("????", Paint::Again),
    }
}

/// What was measured, and where it can be seen.
fn evidence(verdict: &VerdictLine, style: Style) -> String {
    let mut parts = Vec::new();
    if !verdict.measured.is_empty() {
        parts.push(format!("measured: {}", verdict.measured));
    }
    parts.extend(packets_at(&verdict.packets, PACKETS_SHOWN, &verdict.vantage));
    parts.join(if style.ascii { "; " } else { " · " })
}

fn write_sum(out: &mut String, lines: &[VerdictLine], style: Style) {
    let of = |wanted: fn(&Outcome) -> bool| lines.iter().filter(|line| wanted(&line.outcome)).count();
    let failed = of(|outcome| matches!(outcome, Outcome::Fail));
    let unknown = of(|outcome| matches!(outcome, Outcome::Unknown(_)));
    let passed = lines.len() - failed - unknown;
    let mut sum = Line::default();
    let paint = if failed > 0 {
        Paint::Lost
    } else if unknown > 0 {
        Paint::Again
    } else {
        Paint::Good
    };
    let mut text = format!("{passed} of {} passed", count(lines.len(), "check"));
    for (number, word) in [(failed, "failed"), (unknown, "could not be judged")] {
        if number > 0 {
            text.push_str(&format!(", {number} {word}"));
        }
    }
    sum.push(paint, text);
    sum.write_to(out, style.color);
}

#[cfg(test)]
mod tests {
    use super::super::text::width;
    use super::*;

    fn lines() -> Vec<VerdictLine> {
        let pass = VerdictLine {
            id: "one-syn".to_owned(),
            that: "exactly one SYN without ACK opens the connection".to_owned(),
            outcome: Outcome::Pass,
            measured: "1 packet".to_owned(),
            packets: vec![1],
            vantage: "client".to_owned(),
            filter: Some("tcp.flags.syn == 1 && tcp.flags.ack == 0".to_owned()),
            hint: Some("never shown on success".to_owned()),
        };
        let fail = VerdictLine {
            id: "backoff".to_owned(),
            that: "each retransmission waits twice as long as the one before it, until the limit of 60 seconds"
                .to_owned(),
            outcome: Outcome::Fail,
            measured: "200 ms, 200 ms".to_owned(),
            packets: (1..=40).collect(),
            filter: None,
            hint: Some("compare the times of the rows marked ═ in the ladder".to_owned()),
            ..pass.clone()
        };
        let unknown = VerdictLine {
            id: "states".to_owned(),
            that: "the client passes through TIME-WAIT".to_owned(),
            outcome: Outcome::Unknown("a kernel does not tell its states; run it with --mode sim".to_owned()),
            measured: String::new(),
            packets: Vec::new(),
            filter: None,
            ..pass.clone()
        };
        vec![pass, fail, unknown]
    }

    #[test]
    fn verdicts_show_claim_evidence_filter_and_hint() {
        insta::assert_snapshot!(verdicts(&lines(), &Style::plain(80)));
    }

    #[test]
    fn nothing_was_checked_says_nothing() {
        assert_eq!(verdicts(&[], &Style::plain(80)), "");
    }

    #[test]
    fn no_line_is_wider_than_asked_for() {
        for columns in [80, 120] {
            let text = verdicts(&lines(), &Style::plain(columns));
            assert!(text.lines().all(|line| width(line) <= columns), "{text}");
        }
    }
}
