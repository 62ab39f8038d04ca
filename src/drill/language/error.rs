//! What is wrong with a script, and where.

use std::fmt;

/// Octets of a token that an error repeats.
const FOUND_LENGTH: usize = 40;
/// Characters of a script's line that an error shows.
const SHOWN_LENGTH: usize = 200;

/// A script that cannot be read. Its text names the place as compilers do, shows the line and points at the place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParseError {
    /// The script, as the caller named it.
    pub path: Box<str>,
    /// Counted from 1.
    pub line: u32,
    /// In characters, counted from 1.
    pub column: u32,
    /// What stands there.
    pub found: Box<str>,
    /// What should.
    pub expected: Box<str>,
    /// What to do about it, where that is not plain.
    pub help: Option<Box<str>>,
    /// The line's text; tabs are blanks, so that the caret stands where it should.
    pub text: Box<str>,
    /// Characters that the caret underlines, at least 1.
    pub width: u32,
}

impl ParseError {
    /// The same, with advice.
    pub(super) fn with_help(mut self, help: impl Into<Box<str>>) -> ParseError {
        self.help = Some(help.into());
        self
    }
}

impl fmt::Display for ParseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ParseError { path, line, column, found, expected, .. } = self;
        let number = line.to_string();
        let gutter = " ".repeat(number.len());
        let (before, width) = (self.column.saturating_sub(1) as usize, self.width.max(1) as usize);
        writeln!(f, "{path}:{line}:{column}: expected {expected}, found {found}")?;
        writeln!(f, "{gutter} |")?;
        writeln!(f, "{number} | {}", self.text)?;
        write!(f, "{gutter} | {}{}", " ".repeat(before), "^".repeat(width))?;
        if let Some(help) = &self.help {
            write!(f, "\n{gutter} = help: {help}")?;
        }
        Ok(())
    }
}

impl std::error::Error for ParseError {}

/// A script's text and its name: turns places into lines and columns.
#[derive(Clone, Copy, Debug)]
pub(super) struct Source<'a> {
    /// For messages.
    pub(super) path: &'a str,
    /// All of it.
    pub(super) text: &'a str,
}

impl<'a> Source<'a> {
    /// What stands from `start` to `end`; nothing where that is no piece of the text.
    pub(super) fn slice(&self, start: usize, end: usize) -> &'a str {
        self.text.get(start..end).unwrap_or_default()
    }

    /// The line of the octet at `offset`, from 1.
    pub(super) fn line(&self, offset: usize) -> u32 {
        let before = self.text.as_bytes().get(..offset).unwrap_or(self.text.as_bytes());
        u32::try_from(before.iter().filter(|octet| **octet == b'\n').count()).map_or(u32::MAX, |lines| lines + 1)
    }

    /// "`…` stands from `start` to `end`, where `expected` should."
    pub(super) fn error(&self, start: usize, end: usize, expected: impl Into<Box<str>>) -> ParseError {
        let found = match self.slice(start, end) {
            "" => "the end of the script".to_owned(),
            text => quoted(text),
        };
        self.fault(start, end, found, expected)
    }

    /// The same, `found` in other words.
    pub(super) fn fault(
        &self,
        start: usize,
        end: usize,
        found: impl Into<Box<str>>,
        expected: impl Into<Box<str>>,
    ) -> ParseError {
        // An error at the end of the script points behind its last word, not at the empty line that follows.
        let start = if start >= self.text.len() { self.text.trim_end().len() } else { start };
        let line_start = self.slice(0, start).rfind('\n').map_or(0, |newline| newline + 1);
        let line_end = self.text.get(start..).and_then(|rest| rest.find('\n')).map_or(self.text.len(), |at| start + at);
        let before = self.slice(line_start, start).chars().count();
        let width = self.slice(start, end.min(line_end)).chars().count().max(1);
        let text: String = self.slice(line_start, line_end).chars().map(visible).take(SHOWN_LENGTH).collect();
        ParseError {
            path: self.path.into(),
            line: self.line(start),
            column: u32::try_from(before + 1).unwrap_or(u32::MAX),
            found: found.into(),
            expected: expected.into(),
            help: None,
            width: u32::try_from(width.min(SHOWN_LENGTH)).unwrap_or(1),
            text: text.trim_end().into(),
        }
    }
}

/// A character as a terminal can show it in one column.
fn visible(character: char) -> char {
    if character.is_control() { ' ' } else { character }
}

/// The beginning of `text` between backquotes.
pub(super) fn quoted(text: &str) -> String {
    let line = text.lines().next().unwrap_or_default();
    let shown: String = line.chars().map(visible).take(FOUND_LENGTH).collect();
    let cut = if shown.chars().count() < text.chars().count() { "…" } else { "" };
    format!("`{shown}{cut}`")
}
