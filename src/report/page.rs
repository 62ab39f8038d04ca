//! A page of Markdown, for a terminal: headings, lists, tables, code as it stands.
//!
//! Text is broken at blanks to the width; code is not, since it is there to be looked at or pasted. Without colour a code
//! span keeps its back-ticks. Raw HTML is left out.

use pulldown_cmark::{Event, HeadingLevel, Options, Parser, Tag, TagEnd};

use super::Style;
use super::text::{Line, Paint, clean, shorten, width, wrap};

/// Columns that code and lists are indented by.
const STEP: usize = 2;

/// The page; its lines are no wider than asked for, but for code and long words in it.
pub fn page(markdown: &str, style: &Style) -> String {
    let mut typesetter = Typesetter { style: *style, ..Typesetter::default() };
    for event in Parser::new_ext(markdown, Options::ENABLE_TABLES | Options::ENABLE_STRIKETHROUGH) {
        typesetter.take(event);
    }
    typesetter.out
}

/// A word: pieces that are not to be torn apart.
type Word = Vec<(Paint, String)>;

#[derive(Default)]
struct Typesetter {
    style: Style,
    out: String,
    /// The words of the paragraph that is being read.
    words: Vec<Word>,
    /// Whether what comes next belongs to the last word.
    is_joined: bool,
    /// How what is read is painted, innermost last.
    paints: Vec<Paint>,
    /// The next number of each list, innermost last; `None` for bullets.
    lists: Vec<Option<u64>>,
    /// What stands before the first line of the next paragraph.
    mark: Option<String>,
    quotes: usize,
    heading: Option<HeadingLevel>,
    /// The text of a code block that is being read.
    code: Option<String>,
    /// Where a link leads.
    link: Option<String>,
    table: Option<Vec<Vec<String>>>,
    /// Whether the paragraph before this one wants a blank line behind it.
    wants_gap: bool,
}

impl Typesetter {
    fn take(&mut self, event: Event<'_>) {
        match event {
            Event::Start(tag) => self.start(tag),
            Event::End(tag) => self.end(tag),
            Event::Text(text) => match &mut self.code {
                Some(code) => code.push_str(&text),
                None => self.push(self.paints.last().copied().unwrap_or(Paint::Plain), &text),
            },
            Event::Code(text) => self.code_span(&text),
            Event::SoftBreak | Event::HardBreak => self.is_joined = false,
            Event::Rule => {
                self.gap();
                let rule = if self.style.ascii { "-" } else { "─" }.repeat(self.style.columns());
                self.line(Paint::Dim, &rule);
                self.wants_gap = true;
            }
            Event::Html(_)
            | Event::InlineHtml(_)
            | Event::InlineMath(_)
            | Event::DisplayMath(_)
            | Event::FootnoteReference(_)
            | Event::TaskListMarker(_) => {}
        }
    }

    fn start(&mut self, tag: Tag<'_>) {
        match tag {
            Tag::Heading { level, .. } => self.heading = Some(level),
            Tag::Strong => self.paints.push(Paint::Bold),
            Tag::Emphasis => self.paints.push(Paint::Italic),
            Tag::Strikethrough => self.paints.push(Paint::Dim),
            Tag::List(first) => {
                self.flush();
                self.lists.push(first);
            }
            Tag::Item => {
                let mark = match self.lists.last_mut() {
                    Some(Some(number)) => {
                        *number += 1;
                        format!("{}. ", *number - 1)
                    }
                    Some(None) | None => if self.style.ascii { "- " } else { "• " }.to_owned(),
                };
                self.mark = Some(mark);
            }
            Tag::BlockQuote(_) => self.quotes += 1,
            Tag::CodeBlock(_) => {
                self.flush();
                self.code = Some(String::new());
            }
            Tag::Link { dest_url, .. } => self.link = Some(dest_url.to_string()),
            Tag::Table(_) => self.table = Some(Vec::new()),
            Tag::TableHead | Tag::TableRow => {
                if let Some(rows) = &mut self.table {
                    rows.push(Vec::new());
                }
            }
            _ => {}
        }
    }

    fn end(&mut self, tag: TagEnd) {
        match tag {
            TagEnd::Paragraph => {
                self.flush();
                self.wants_gap = true;
            }
            TagEnd::Heading(level) => self.end_heading(level),
            TagEnd::Strong | TagEnd::Emphasis | TagEnd::Strikethrough => drop(self.paints.pop()),
            TagEnd::List(_) => {
                self.flush();
                self.lists.pop();
                self.wants_gap = true;
            }
            TagEnd::Item => {
                self.flush();
                self.mark = None;
            }
            TagEnd::BlockQuote(_) => self.quotes = self.quotes.saturating_sub(1),
            TagEnd::CodeBlock => self.end_code(),
            TagEnd::Link => {
                // A page on disk leads nowhere here; a place in the web can be visited.
                if let Some(url) = self.link.take().filter(|url| url.starts_with("http")) {
                    self.is_joined = false;
                    self.push(Paint::Dim, &format!("<{url}>"));
                }
            }
            TagEnd::TableCell => {
                let cell = plain(&std::mem::take(&mut self.words));
                if let Some(row) = self.table.as_mut().and_then(|rows| rows.last_mut()) {
                    row.push(cell);
                }
                self.is_joined = false;
            }
            TagEnd::Table => self.end_table(),
            _ => {}
        }
    }

    /// Adds text, broken into words at its blanks.
    fn push(&mut self, paint: Paint, text: &str) {
        let text = clean(text, self.style);
        let mut is_joined = self.is_joined && !text.starts_with(' ');
        for word in text.split(' ').filter(|word| !word.is_empty()) {
            self.add(paint, word, is_joined);
            is_joined = false;
        }
        self.is_joined = !text.ends_with(' ') && (self.is_joined || !text.trim().is_empty());
    }

    fn add(&mut self, paint: Paint, text: &str, is_joined: bool) {
        match self.words.last_mut().filter(|_| is_joined) {
            Some(word) => word.push((paint, text.to_owned())),
            None => self.words.push(vec![(paint, text.to_owned())]),
        }
    }

    /// A filter or a command is not torn apart where it fits on a line.
    fn code_span(&mut self, text: &str) {
        let text = clean(text, self.style);
        let shown = if self.style.color { text } else { format!("`{text}`") };
        if width(&shown) <= self.room() {
            self.add(Paint::Data, &shown, self.is_joined);
            self.is_joined = true;
        } else {
            self.push(Paint::Data, &shown);
        }
    }

    fn indent(&self) -> usize {
        let of_list = |first: &Option<u64>| STEP + usize::from(first.is_some());
        self.lists.iter().map(of_list).sum::<usize>() + self.quotes * STEP
    }

    fn room(&self) -> usize {
        self.style.columns().saturating_sub(self.indent())
    }

    fn gap(&mut self) {
        if self.wants_gap && !self.out.is_empty() {
            self.out.push('\n');
        }
        self.wants_gap = false;
    }

    fn line(&mut self, paint: Paint, text: &str) {
        let mut line = Line::default();
        line.push(paint, text);
        line.write_to(&mut self.out, self.style.color);
    }

    /// Sets the paragraph that has been read.
    fn flush(&mut self) {
        let words = std::mem::take(&mut self.words);
        self.is_joined = false;
        if words.is_empty() {
            return;
        }
        self.gap();
        let (indent, columns) = (self.indent(), self.style.columns());
        let mark = self.mark.take().unwrap_or_default();
        let mut line = Line::default();
        line.pad_to(indent.saturating_sub(width(&mark)));
        line.push(Paint::Plain, mark);
        let mut is_first = true;
        for word in words {
            let long: usize = word.iter().map(|(_, text)| width(text)).sum();
            if !is_first && line.width() + 1 + long > columns {
                std::mem::take(&mut line).write_to(&mut self.out, self.style.color);
                line.pad_to(indent);
            } else if !is_first {
                line.push(Paint::Plain, " ");
            }
            for (paint, text) in word {
                line.push(paint, text);
            }
            is_first = false;
        }
        line.write_to(&mut self.out, self.style.color);
    }

    fn end_heading(&mut self, level: HeadingLevel) {
        self.heading = None;
        let text = plain(&std::mem::take(&mut self.words));
        self.is_joined = false;
        self.wants_gap = true;
        self.gap();
        let lines = wrap(&text, self.style.columns());
        let rule = match (level, self.style.ascii) {
            (HeadingLevel::H1, false) => "═",
            (HeadingLevel::H1, true) => "=",
            (HeadingLevel::H2, false) => "─",
            (HeadingLevel::H2, true) => "-",
            _ => "",
        };
        let long = lines.iter().map(|line| width(line)).max().unwrap_or(0);
        for line in &lines {
            self.line(Paint::Bold, line);
        }
        if !rule.is_empty() {
            self.line(Paint::Dim, &rule.repeat(long));
        }
        self.wants_gap = true;
    }

    fn end_code(&mut self) {
        let code = self.code.take().unwrap_or_default();
        self.wants_gap = true;
        self.gap();
        // What needs the whole width gets it.
        let longest = code.lines().map(width).max().unwrap_or(0);
        let indent = self.indent() + STEP.min(self.room().saturating_sub(longest));
        for text in code.lines() {
            let mut line = Line::default();
            line.pad_to(indent);
            // Its blanks are its picture: it is cleaned, and neither broken nor shortened.
            line.push(Paint::Plain, clean(text, self.style));
            line.write_to(&mut self.out, self.style.color);
        }
        self.wants_gap = true;
    }

    fn end_table(&mut self) {
        let rows = self.table.take().unwrap_or_default();
        self.wants_gap = true;
        self.gap();
        let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
        let cell = |row: &Vec<String>, column: usize| row.get(column).cloned().unwrap_or_default();
        let natural = |column| rows.iter().map(|row| width(&cell(row, column))).max().unwrap_or(0);
        let mut widths: Vec<usize> = (0..columns).map(natural).collect();
        // The widest gives way first.
        let room = self.style.columns().saturating_sub(STEP + columns.saturating_sub(1) * STEP);
        while widths.iter().sum::<usize>() > room {
            let Some(widest) = widths.iter_mut().max() else { break };
            if *widest <= 4 {
                break;
            }
            *widest -= 1;
        }
        for (index, row) in rows.iter().enumerate() {
            let cells: Vec<Vec<String>> =
                widths.iter().enumerate().map(|(column, each)| wrap(&cell(row, column), *each)).collect();
            let height = cells.iter().map(Vec::len).max().unwrap_or(0).max(1);
            for part in 0..height {
                let mut line = Line::default();
                let mut at = STEP;
                for (texts, each) in cells.iter().zip(&widths) {
                    line.pad_to(at);
                    let text = texts.get(part).map(String::as_str).unwrap_or_default();
                    line.push(if index == 0 { Paint::Bold } else { Paint::Plain }, shorten(text, *each, self.style));
                    at += each + STEP;
                }
                line.write_to(&mut self.out, self.style.color);
            }
            if index == 0 {
                let rule = if self.style.ascii { "-" } else { "─" };
                let rules: Vec<String> = widths.iter().map(|each| rule.repeat(*each)).collect();
                self.line(Paint::Dim, &format!("  {}", rules.join("  ")));
            }
        }
        self.wants_gap = true;
    }
}

/// The words without their paint.
fn plain(words: &[Word]) -> String {
    let text = |word: &Word| word.iter().map(|(_, text)| text.as_str()).collect::<String>();
    words.iter().map(text).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAGE: &str = "# 20 a title\n\nA *soft* and **strong** paragraph with `tcp.len > 0 && ip.src == 10.0.0.1`, \
        which is so long that it has to be broken somewhere; see [the RFC](https://www.rfc-editor.org/rfc/rfc6298).\n\n\
        ## A list\n\n1. one\n2. **Packet 3**: two\n   - deeper\n\n```text\n  a ──► b\n```\n\n| field | what it is |\n|---|---|\n\
        | `ask` | the question, in words that a learner understands without having read anything else before it |\n\n\
        <!-- hidden -->\n> said by somebody\n";

    #[test]
    fn a_page_keeps_to_the_width_and_shows_all_but_html() {
        insta::assert_snapshot!(page(PAGE, &Style::plain(80)));
    }

    #[test]
    fn a_plain_terminal_gets_ascii_and_a_colourful_one_colours_in_place_of_back_ticks() {
        let ascii = page(PAGE, &Style { ascii: true, ..Style::plain(80) });
        assert!(ascii.is_ascii() && ascii.contains("  a --> b"), "{ascii}");
        let coloured = page(PAGE, &Style { color: true, ..Style::plain(80) });
        assert!(coloured.contains("\u{1b}[3msoft\u{1b}[0m") && !coloured.contains('`'), "{coloured}");
        assert!(!page(PAGE, &Style::plain(80)).contains('\u{1b}'));
    }

    #[test]
    fn strangers_control_characters_do_not_reach_the_terminal() {
        let text = page("a\u{1b}[31m `b\u{1b}c`\n\n```\nd\u{7}\n```\n", &Style::plain(80));
        assert!(!text.contains('\u{1b}') && !text.contains('\u{7}'), "{text:?}");
    }
}
