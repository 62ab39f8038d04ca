//! Lines of text: how wide they are, how they break, how they are coloured.

use super::Style;

/// What a piece of text is, and so its colour.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Paint {
    Plain,
    Dim,
    Bold,
    #[cfg(feature = "cli")]
    Italic,
    Syn,
    Fin,
    Data,
    Ack,
    Rst,
    Again,
    Lost,
    Other,
    Good,
}

impl Paint {
    /// The parameters of ANSI's "select graphic rendition"; empty for the terminal's own colour.
    const fn sgr(self) -> &'static str {
        match self {
            Paint::Plain | Paint::Ack => "",
            Paint::Dim => "2",
            Paint::Bold => "1",
            #[cfg(feature = "cli")]
            Paint::Italic => "3",
            Paint::Syn => "1;32",
            Paint::Fin => "1;35",
            Paint::Data => "36",
            Paint::Rst | Paint::Lost => "1;31",
            Paint::Again => "1;33",
            Paint::Other => "34",
            Paint::Good => "32",
        }
    }
}

/// One line, piece by piece.
#[derive(Clone, Debug, Default)]
pub(super) struct Line {
    pieces: Vec<(Paint, String)>,
}

impl Line {
    pub(super) fn push(&mut self, paint: Paint, text: impl Into<String>) {
        let text = text.into();
        if !text.is_empty() {
            self.pieces.push((paint, text));
        }
    }

    pub(super) fn append(&mut self, other: Line) {
        self.pieces.extend(other.pieces);
    }

    /// Adds blanks up to `column`, counted from 0.
    pub(super) fn pad_to(&mut self, column: usize) {
        self.push(Paint::Plain, " ".repeat(column.saturating_sub(self.width())));
    }

    pub(super) fn width(&self) -> usize {
        self.pieces.iter().map(|(_, text)| width(text)).sum()
    }

    /// Appends the line and its end to `out`, without trailing blanks.
    pub(super) fn write_to(&self, out: &mut String, color: bool) {
        let last = self.pieces.iter().rposition(|(_, text)| !text.trim_end().is_empty());
        for (index, (paint, text)) in self.pieces.iter().enumerate() {
            let text = match last {
                Some(last) if index < last => text.as_str(),
                Some(last) if index == last => text.trim_end(),
                Some(_) | None => "",
            };
            let sgr = paint.sgr();
            if !color || sgr.is_empty() || text.trim().is_empty() {
                out.push_str(text);
            } else {
                out.push_str(&format!("\x1b[{sgr}m{text}\x1b[0m"));
            }
        }
        out.push('\n');
    }
}

/// Terminal columns of a text without control characters.
pub(super) fn width(text: &str) -> usize {
    // Nearly every text is; `layers.txt` asks for a hundred widths per packet.
    if text.is_ascii() {
        return text.len();
    }
    text.chars().map(|char| if is_wide(char) { 2 } else { 1 }).sum()
}

/// Whether a terminal gives the character two columns: East Asian scripts and pictographs, in ranges that are generous
/// rather than exact, since a line that is too short harms nobody.
fn is_wide(char: char) -> bool {
    matches!(
        u32::from(char),
        0x1100..=0x115f | 0x2e80..=0xa4cf | 0xac00..=0xd7a3 | 0xf900..=0xfaff | 0xfe30..=0xfe6f | 0xff00..=0xff60
            | 0x1f000..=0x1faff | 0x2_0000..=0x3_ffff
    )
}

/// The text as it may go to a terminal: control characters, which a stranger's capture may hold, become blanks; in
/// ASCII style everything else that is not ASCII is spelled out or becomes `?`.
pub(super) fn clean(text: &str, style: Style) -> String {
    let mut clean = String::with_capacity(text.len());
    for char in text.chars() {
        // Also the format characters that reverse or hide text.
        if char.is_control() || matches!(u32::from(char), 0x200b..=0x200f | 0x2028..=0x202e | 0x2060..=0x206f | 0xfeff)
        {
            clean.push(' ');
        } else if char.is_ascii() || !style.ascii {
            clean.push(char);
        } else {
            clean.push_str(match char {
                '→' => "->",
                '←' => "<-",
                '…' => "...",
                '§' => "section ",
                '·' => ";",
                '─' => "-",
                'µ' => "u",
                '–' | '—' => "-",
                '│' => "|",
                '►' | '▶' => ">",
                '◄' | '◀' => "<",
                '▼' => "v",
                '▲' => "^",
                '├' | '┤' | '┌' | '┐' | '└' | '┘' | '┬' | '┴' | '┼' => "+",
                '═' => "=",
                '✗' | '×' => "x",
                '✓' => "v",
                '⋯' => "...",
                '≥' => ">=",
                '≤' => "<=",
                '“' | '”' => "\"",
                '‘' | '’' => "'",
                _ => "?",
            });
        }
    }
    clean
}

/// The text cut to `columns`, its cut end marked.
pub(super) fn shorten(text: &str, columns: usize, style: Style) -> String {
    if width(text) <= columns {
        return text.to_owned();
    }
    let mark = if style.ascii { "..." } else { "…" };
    let mut short = take_columns(text, columns.saturating_sub(width(mark))).to_owned();
    short.push_str(take_columns(mark, columns));
    short
}

/// The text in lines of at most `columns`, broken at blanks, and within a word only when the word alone is too wide.
pub(super) fn wrap(text: &str, columns: usize) -> Vec<String> {
    let columns = columns.max(2);
    let mut lines: Vec<String> = Vec::new();
    for mut word in text.split(' ').filter(|word| !word.is_empty()) {
        if let Some(line) = lines.last_mut().filter(|line| width(line) + 1 + width(word) <= columns) {
            line.push(' ');
            line.push_str(word);
            continue;
        }
        while width(word) > columns {
            let head = take_columns(word, columns);
            lines.push(head.to_owned());
            word = word.get(head.len()..).unwrap_or_default();
        }
        lines.push(word.to_owned());
    }
    lines
}

/// A sentence in lines that fit, those after the first set in by two columns.
pub fn hanging(text: &str, style: &Style) -> String {
    wrap(&clean(text, *style), style.columns() - 2).join("\n  ")
}

/// A text broken into lines that begin `indent` columns from the left.
pub fn paragraph(text: &str, indent: usize, style: &Style) -> String {
    let lines = wrap(&clean(text, *style), style.columns().saturating_sub(indent));
    lines.iter().map(|line| format!("{:indent$}{line}\n", "")).collect()
}

fn take_columns(text: &str, columns: usize) -> &str {
    let mut used = 0;
    let end = text.char_indices().find(|(_, char)| {
        used += if is_wide(*char) { 2 } else { 1 };
        used > columns
    });
    end.and_then(|(end, _)| text.get(..end)).unwrap_or(text)
}

/// A number of things in words: `1 packet`, `3 packets`.
pub(super) fn count(number: usize, one: &str) -> String {
    if number == 1 { format!("1 {one}") } else { format!("{number} {one}s") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_break_at_blanks_and_long_words_are_cut() {
        assert_eq!(wrap("one two three", 8), ["one two", "three"]);
        assert_eq!(wrap("abcdefgh ij", 3), ["abc", "def", "gh", "ij"]);
        assert_eq!(wrap("", 8), Vec::<String>::new());
    }

    #[test]
    fn wide_characters_take_two_columns() {
        assert_eq!(width("a日b"), 4);
        assert_eq!(wrap("日本語", 4), ["日本", "語"]);
        assert_eq!(shorten("日本語", 5, Style::plain(80)), "日本…");
    }

    #[test]
    fn control_characters_never_reach_the_terminal() {
        assert_eq!(clean("a\x1b[31mb\u{202e}c\n", Style::plain(80)), "a [31mb c ");
    }

    #[test]
    fn ascii_style_spells_everything_out() {
        let style = Style { ascii: true, ..Style::plain(80) };
        assert_eq!(clean("RFC 793 §3 → ü", style), "RFC 793 section 3 -> ?");
    }

    #[test]
    fn a_line_ends_without_blanks_or_empty_colours() {
        let mut line = Line::default();
        line.push(Paint::Syn, "SYN");
        line.pad_to(9);
        let mut out = String::new();
        line.write_to(&mut out, true);
        assert_eq!(out, "\x1b[1;32mSYN\x1b[0m\n");
    }
}
