//! Verdicts as text.
//!
//! ```text
//! syn.pkt:14: failed: a packet differs
//!     +0 > S. 0:0(0) ack 1 <mss 1460>
//!
//!   expected  S.  0:0(0)  ack 1  <mss 1460>
//!   got       S.  0:0(0)  ack 1  <mss 1400>
//!                                ^^^^^^^^^^
//! ```
//!
//! What lives here: words and columns. What does not: printing, and what became of a script (`run`).

use std::fmt::Write as _;

use super::language::script::PacketSpec;
use super::packets::compare::{Difference, Field, differ_by_choice_only};
use super::packets::notation::{self, Piece};
use super::run::transcript::{Entry, Fate, Happening};
use super::run::{Cause, Failure, Outcome, Verdict};

/// How text looks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Look {
    /// Whether to colour.
    pub colour: bool,
}

/// Happenings that are shown before a failure.
const BEFORE: usize = 8;

impl Look {
    fn styled(self, code: &str, text: &str) -> String {
        if self.colour { format!("\u{1b}[{code}m{text}\u{1b}[0m") } else { text.to_owned() }
    }

    fn good(self, text: &str) -> String {
        self.styled("32", text)
    }

    fn bad(self, text: &str) -> String {
        self.styled("31", text)
    }

    fn doubtful(self, text: &str) -> String {
        self.styled("33", text)
    }

    fn faint(self, text: &str) -> String {
        self.styled("2", text)
    }
}

/// The verdict of a script in one line, with a line feed.
pub fn line(path: &str, verdict: &Verdict, look: Look) -> String {
    match verdict {
        Verdict::Passed => format!("{}       {path}\n", look.good("passed")),
        Verdict::Failed(failure) => {
            format!("{}       {path}:{}: {}\n", look.bad("failed"), failure.line, short(&failure.cause))
        }
        Verdict::Unsupported { line: 0, reason } => format!("{}  {path}: {reason}\n", look.doubtful("unsupported")),
        Verdict::Unsupported { line, reason } => {
            format!("{}  {path}:{line}: {reason}\n", look.doubtful("unsupported"))
        }
    }
}

/// What was wrong, in a few words.
pub fn short(cause: &Cause) -> String {
    match cause {
        Cause::Packet { differences, .. } => {
            let fields: Vec<String> = differences.iter().map(|difference| difference.field.to_string()).collect();
            format!("the packet differs in {}", fields.join(", "))
        }
        Cause::Parts { difference, .. } => {
            format!("these segments are not parts of one: they differ in {}", difference.field)
        }
        Cause::Nothing { .. } => "no packet came out".to_owned(),
        Cause::Time { what, due, actual, .. } => format!("{what} was due {due} and came at {actual}"),
        Cause::Result { what, expected, actual } => format!("{what} is {actual}, not {expected}"),
        Cause::Asleep { call } => format!("{call}() never returns"),
        Cause::Assertion { statement, compared, .. } => format!("`{statement}` does not hold: {compared}"),
        Cause::Script { reason } => format!("the script cannot be right: {reason}"),
        Cause::Restless => "the stack asks to be called at once, again and again".to_owned(),
    }
}

/// A failure in full: the line, what was expected and what came, what happened before, what to look at next.
pub fn failure(path: &str, failure: &Failure, before: &[Entry], look: Look) -> String {
    let mut text = format!("{path}:{}: {}: {}\n", failure.line, look.bad("failed"), short(&failure.cause));
    // Writing to a string cannot fail, here and below.
    let _ = writeln!(text, "    {}", failure.text);
    if !matches!(failure.cause, Cause::Asleep { .. } | Cause::Script { .. } | Cause::Restless) {
        text.push('\n');
    }
    match &failure.cause {
        Cause::Packet { expected, actual, sent_at, why, differences } => {
            text += &side_by_side(expected, actual, differences, look);
            for difference in differences {
                let _ = writeln!(text, "  {difference}");
            }
            let _ = writeln!(text, "  sent at {sent_at}; the stack says: {why}");
        }
        Cause::Parts { expected, parts, difference } => {
            let _ = writeln!(text, "  expected  {}", notation::line(expected));
            for part in parts {
                let _ = writeln!(text, "  got       {}", notation::line(part));
            }
            let _ =
                writeln!(text, "  to be parts of one segment, the last should continue the one before; {difference}");
        }
        Cause::Nothing { expected, due, until } => {
            let _ = writeln!(text, "  expected  {}", notation::line(expected));
            let _ = writeln!(text, "  due {due}; waited until {until}");
        }
        Cause::Time { tolerance, .. } => {
            let _ = writeln!(text, "  the tolerance is {:.6} s", tolerance.as_secs_f64());
        }
        Cause::Result { what, expected, actual } => {
            let _ = writeln!(text, "  {what}:\n  expected  {expected}\n  got       {actual}");
        }
        Cause::Assertion { found, .. } => {
            let _ = writeln!(text, "  {found}");
        }
        Cause::Asleep { .. } | Cause::Script { .. } | Cause::Restless => {}
    }
    if !before.is_empty() {
        let _ = writeln!(text, "\n  up to here:");
        text += &entries(&before[before.len().saturating_sub(BEFORE)..], look);
    }
    let _ = writeln!(text, "\n  {}", look.faint(hint(&failure.cause)));
    text
}

/// Where to look next.
fn hint(cause: &Cause) -> &'static str {
    match cause {
        Cause::Packet { expected, actual, differences, .. }
            if differences.iter().all(|difference| is_a_choice(difference.field))
                && differ_by_choice_only(expected, actual) =>
        {
            "These are choices that the standards leave to a stack; --by-meaning does not compare windows, PSH and the order of options."
        }
        Cause::Packet { differences, .. } if differences.iter().all(|difference| difference.field == Field::Time) => {
            "The packet is right but for its time: --trace shows every packet with its reason, and so which timer sent it."
        }
        Cause::Packet { .. } | Cause::Parts { .. } => {
            "--trace shows every packet with its reason; --capture DIR writes them for Wireshark."
        }
        Cause::Nothing { .. } => "--trace shows what the stack sent instead, if anything, and why.",
        Cause::Time { .. } => "--trace shows what happened when.",
        Cause::Result { .. } => "--trace shows every call with its result.",
        Cause::Asleep { .. } => "A call that is to sleep has its return time in the script: `+0...0.2 accept(…)`.",
        Cause::Assertion { .. } => "--trace shows what led there.",
        Cause::Script { .. } => "The stack was not judged by this line: mend the script.",
        Cause::Restless => "That is a defect of the stack: its deadline() does not move when expire() is called.",
    }
}

fn is_a_choice(field: Field) -> bool {
    matches!(field, Field::Window | Field::Options | Field::Flags)
}

/// Both packets, field under field, with what differs marked.
fn side_by_side(expected: &PacketSpec, actual: &PacketSpec, differences: &[Difference], look: Look) -> String {
    let (wanted, got) = (notation::pieces(expected), notation::pieces(actual));
    let (mut top, mut bottom, mut marks) = (String::new(), String::new(), String::new());
    for field in order(&wanted, &got) {
        let text = |pieces: &[Piece]| {
            let texts: Vec<&str> =
                pieces.iter().filter(|piece| piece.field == field).map(|piece| piece.text.as_str()).collect();
            texts.join(" ")
        };
        let (upper, lower) = (text(&wanted), text(&got));
        let width = upper.chars().count().max(lower.chars().count());
        let differs = differences.iter().any(|difference| same_place(difference.field, field));
        let put = |line: &mut String, text: &str, style: &dyn Fn(&str) -> String| {
            let blanks = " ".repeat(width - text.chars().count() + 2);
            let shown = if differs && !text.is_empty() { style(text) } else { text.to_owned() };
            let _ = write!(line, "{shown}{blanks}");
        };
        put(&mut top, &upper, &|text| look.good(text));
        put(&mut bottom, &lower, &|text| look.bad(text));
        marks += &if differs { "^".repeat(width) } else { " ".repeat(width) };
        marks += "  ";
    }
    let mut text = format!("  expected  {}\n  got       {}\n", top.trim_end(), bottom.trim_end());
    if !marks.trim().is_empty() {
        let _ = writeln!(text, "            {}", look.bad(marks.trim_end()));
    }
    text
}

/// Length and data are told where the sequence numbers stand.
fn same_place(difference: Field, shown: Field) -> bool {
    difference == shown || shown == Field::Sequence && matches!(difference, Field::Length | Field::Data)
}

/// The fields of both packets, in the order of the notation.
fn order(one: &[Piece], other: &[Piece]) -> Vec<Field> {
    let mut fields: Vec<Field> = Vec::new();
    for piece in one.iter().chain(other) {
        if fields.contains(&piece.field) {
            continue;
        }
        // A field that only the second has goes before the first one that follows it there.
        let followers = other.iter().skip_while(|known| known.field != piece.field).skip(1);
        let place = followers.filter_map(|next| fields.iter().position(|field| *field == next.field)).next();
        fields.insert(place.unwrap_or(fields.len()), piece.field);
    }
    fields
}

/// What happened, one line each.
pub fn entries(entries: &[Entry], look: Look) -> String {
    entries.iter().fold(String::new(), |text, entry| text + &self::entry(entry, look) + "\n")
}

/// One thing that happened.
pub fn entry(entry: &Entry, look: Look) -> String {
    let at = entry.at;
    match &entry.what {
        Happening::In(packet) => format!("  {at}  < {}", notation::line(&plainly(packet))),
        Happening::Out(packet, why, fate) => {
            let note = match fate {
                Fate::Compared => "",
                Fate::PassedOver => " (not of the connection under test)",
                Fate::Waiting => " (not asked for)",
            };
            let told = format!("{why}{note}");
            format!("  {at}  > {}  {}", notation::line(&plainly(packet)), look.faint(&told))
        }
        Happening::Call { text, result } => format!("  {at}  {}  {}", call(text), look.faint(result)),
        Happening::Sleeps { text } => format!("  {at}  {}  {}", call(text), look.faint("sleeps")),
    }
}

/// A call without its time and without what the script says of its result.
fn call(text: &str) -> &str {
    let end = text.rfind(") =").map_or(text.len(), |end| end + 1);
    let start = text.find(|character: char| character.is_ascii_alphabetic()).unwrap_or(0);
    text.get(start..end).unwrap_or(text)
}

/// A packet without what hardly ever matters.
fn plainly(packet: &PacketSpec) -> PacketSpec {
    use super::language::script::{Body, EcnSpec};
    let mut plain = packet.clone();
    plain.ecn = plain.ecn.filter(|ecn| *ecn != EcnSpec::NotEct);
    (plain.ttl, plain.tos, plain.flow_label) = (None, None, None);
    if let Body::Tcp(tcp) = &mut plain.body {
        tcp.urgent = tcp.urgent.filter(|urgent| *urgent != 0);
    }
    plain
}

/// How many scripts passed, failed, could not be judged.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Count {
    /// As the script says.
    pub passed: usize,
    /// Not so.
    pub failed: usize,
    /// Could not be judged.
    pub unsupported: usize,
    /// Could not be read.
    pub unreadable: usize,
}

impl Count {
    /// Counts a verdict.
    pub fn add(&mut self, verdict: &Verdict) {
        match verdict {
            Verdict::Passed => self.passed += 1,
            Verdict::Failed(_) => self.failed += 1,
            Verdict::Unsupported { .. } => self.unsupported += 1,
        }
    }

    /// All of them.
    pub fn all(&self) -> usize {
        self.passed + self.failed + self.unsupported + self.unreadable
    }
}

/// The last line.
pub fn summary(count: &Count, look: Look) -> String {
    let mut text = format!("{} of {} passed", count.passed, count.all());
    if count.failed > 0 {
        let _ = write!(text, ", {} failed", count.failed);
    }
    if count.unsupported > 0 {
        let _ = write!(text, ", {} unsupported (counted as not passed)", count.unsupported);
    }
    if count.unreadable > 0 {
        let _ = write!(text, ", {} unreadable", count.unreadable);
    }
    let is_good = count.passed == count.all();
    format!("{}\n", if is_good { look.good(&text) } else { look.bad(&text) })
}

/// Everything there is to say of a script that did not pass.
pub fn details(path: &str, outcome: &Outcome, look: Look) -> String {
    match &outcome.verdict {
        Verdict::Failed(failed) => failure(path, failed, &outcome.transcript, look),
        Verdict::Passed | Verdict::Unsupported { .. } => String::new(),
    }
}

#[cfg(test)]
mod tests;
