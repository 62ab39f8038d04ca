//! Text to tokens, by packetdrill's rules: the longest match wins, and of equally long ones the more special.
//!
//! ```text
//! +0.1 > P. 1:1001(1000) ack 1 <nop,nop,TS val 1 ecr 2>    // comment
//! | |  | || |||||    |      |
//! | |  | || ||||+ `(` …     +-- a word
//! | |  | || +++-- a number, `:`, a number
//! | |  | ++------ a word, `.`
//! + +--+--------- `+`, a number with a point, `>`
//! ```
//!
//! `#` begins no comment here (it does within commands and code), but `#ifdef NAME`, `#ifndef NAME`, `#else` and `#endif`
//! at the beginning of a line leave lines out, as the FreeBSD suite's scripts use them.

use std::net::Ipv6Addr;

use super::definitions::Definitions;
use super::error::{ParseError, Source};

/// Octets of the longest IPv6 address in text, an IPv4 address at its end.
const ADDRESS_LENGTH: usize = 45;

/// What a script is made of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Token {
    /// Letters, digits and `_`.
    Word(String),
    /// `5`, `-5`, `0x1f`.
    Integer {
        /// As written.
        text: String,
        /// `None` when it does not fit.
        value: Option<i64>,
    },
    /// `.5`, `1.25`: digits around a point, as written.
    Float(String),
    /// What stands between double quotes, as written.
    Text(String),
    /// What stands between backquotes, as written.
    Shell(String),
    /// What stands between `%{` and `}%`, without the blanks at its ends.
    Code(String),
    /// The name in `--name`.
    Setting(String),
    /// An IPv4 or IPv6 address.
    Address(String),
    /// `...`
    Ellipsis,
    /// Any other character.
    Symbol(char),
}

/// A token and where it stands, in octets.
#[derive(Clone, Debug)]
pub(super) struct Placed {
    /// What.
    pub(super) token: Token,
    /// Its first octet.
    pub(super) start: usize,
    /// The octet behind it.
    pub(super) end: usize,
}

/// A script in tokens.
#[derive(Debug, Default)]
pub(super) struct Lexed {
    /// Without those of the lines that `#ifdef` leaves out.
    pub(super) tokens: Vec<Placed>,
    /// The names that `#ifdef` asks for, when not one of them is defined: which lines are meant is then not known.
    pub(super) undecided: Option<Undecided>,
}

/// A choice that nobody made.
#[derive(Debug)]
pub(super) struct Undecided {
    /// Where the first `#ifdef` stands.
    pub(super) offset: usize,
    /// What could be defined, in the script's order.
    pub(super) names: Vec<String>,
}

/// An `#ifdef` that is not closed yet.
struct Condition {
    start: usize,
    end: usize,
    is_met: bool,
}

/// Cuts a script into tokens.
pub(super) fn tokens(source: Source<'_>, definitions: &Definitions) -> Result<Lexed, ParseError> {
    let mut lexer = Lexer { source, at: 0, conditions: Vec::new(), asked: Vec::new(), first_asked: 0 };
    let mut tokens = Vec::new();
    while let Some(placed) = lexer.next(definitions)? {
        if lexer.conditions.iter().all(|condition| condition.is_met) {
            tokens.push(placed);
        }
    }
    if let Some(open) = lexer.conditions.last() {
        return Err(source.fault(open.start, open.end, "the end of the script", "an `#endif` for this line"));
    }
    let is_decided = lexer.asked.is_empty() || lexer.asked.iter().any(|name| definitions.lookup(name).is_some());
    let undecided = (!is_decided).then_some(Undecided { offset: lexer.first_asked, names: lexer.asked });
    Ok(Lexed { tokens, undecided })
}

struct Lexer<'a> {
    source: Source<'a>,
    at: usize,
    conditions: Vec<Condition>,
    asked: Vec<String>,
    first_asked: usize,
}

impl<'a> Lexer<'a> {
    fn rest(&self) -> &'a str {
        self.source.text.get(self.at..).unwrap_or_default()
    }

    fn next(&mut self, definitions: &Definitions) -> Result<Option<Placed>, ParseError> {
        loop {
            self.at = self.source.text.len() - self.rest().trim_start_matches([' ', '\t', '\r', '\n']).len();
            let rest = self.rest();
            let Some(first) = rest.chars().next() else {
                return Ok(None);
            };
            if rest.starts_with("//") {
                self.at += rest.find('\n').unwrap_or(rest.len());
            } else if rest.starts_with("/*") {
                self.at += self.enclosed("/*", "*/")?.len() + 4;
            } else if first == '#' && self.is_at_line_start() && self.condition(definitions)? {
                self.at += rest.find('\n').unwrap_or(rest.len());
            } else {
                let (token, length) = self.token(first)?;
                let start = self.at;
                self.at += length;
                return Ok(Some(Placed { token, start, end: self.at }));
            }
        }
    }

    fn is_at_line_start(&self) -> bool {
        let before = self.source.slice(0, self.at).trim_end_matches([' ', '\t']);
        before.is_empty() || before.ends_with('\n')
    }

    /// Reads `#ifdef` and its like; `false` when this `#` is something else.
    fn condition(&mut self, definitions: &Definitions) -> Result<bool, ParseError> {
        let line = self.rest().lines().next().unwrap_or_default();
        let (start, end) = (self.at, self.at + line.trim_end().len());
        let mut words = line.split_whitespace();
        match (words.next(), words.next()) {
            (Some(directive @ ("#ifdef" | "#ifndef")), Some(name)) => {
                if self.asked.is_empty() {
                    self.first_asked = start;
                }
                if !self.asked.iter().any(|asked| asked == name) {
                    self.asked.push(name.to_owned());
                }
                let is_met = definitions.lookup(name).is_some() == (directive == "#ifdef");
                self.conditions.push(Condition { start, end, is_met });
            }
            (Some("#else"), _) => match self.conditions.last_mut() {
                Some(condition) => condition.is_met = !condition.is_met,
                None => return Err(self.source.error(start, end, "an `#ifdef` before it")),
            },
            (Some("#endif"), _) => {
                if self.conditions.pop().is_none() {
                    return Err(self.source.error(start, end, "an `#ifdef` before it"));
                }
            }
            (Some(_) | None, _) => return Ok(false),
        }
        Ok(true)
    }

    /// The token that begins with `first`, and how many octets it takes.
    fn token(&self, first: char) -> Result<(Token, usize), ParseError> {
        let rest = self.rest();
        match first {
            '"' => {
                let text = self.quoted('"')?;
                return Ok((Token::Text(text.to_owned()), text.len() + 2));
            }
            '`' => {
                let text = self.quoted('`')?;
                return Ok((Token::Shell(text.to_owned()), text.len() + 2));
            }
            _ if rest.starts_with("%{") => {
                let text = self.enclosed("%{", "}%")?;
                return Ok((Token::Code(text.trim_matches([' ', '\t']).to_owned()), text.len() + 4));
            }
            _ if rest.starts_with("...") => return Ok((Token::Ellipsis, 3)),
            _ => {}
        }
        if let Some(address) = address(rest) {
            return Ok((Token::Address(address.to_owned()), address.len()));
        }
        let name = rest.strip_prefix("--").map_or(0, word_length);
        if let Some(setting) = rest.get(2..2 + name).filter(|setting| !setting.is_empty()) {
            return Ok((Token::Setting(setting.to_owned()), name + 2));
        }
        Ok(number_or_word(rest).unwrap_or((Token::Symbol(first), first.len_utf8())))
    }

    /// What stands between `open`, where the lexer is, and the next `close`.
    fn enclosed(&self, open: &str, close: &str) -> Result<&'a str, ParseError> {
        let inner = self.rest().get(open.len()..).unwrap_or_default();
        inner.find(close).and_then(|end| inner.get(..end)).ok_or_else(|| self.unclosed(open, close))
    }

    /// What stands between two of `quote`, the first of which is where the lexer is; a backslash guards what follows it.
    fn quoted(&self, quote: char) -> Result<&'a str, ParseError> {
        let inner = self.rest().get(quote.len_utf8()..).unwrap_or_default();
        let mut characters = inner.char_indices();
        while let Some((at, character)) = characters.next() {
            if character == quote {
                return Ok(inner.get(..at).unwrap_or_default());
            }
            if character == '\\' {
                characters.next();
            }
        }
        Err(self.unclosed(&quote.to_string(), &quote.to_string()))
    }

    fn unclosed(&self, open: &str, close: &str) -> ParseError {
        let close = if close.contains('`') { "a second backquote".to_owned() } else { format!("`{close}`") };
        let what = if open.contains('`') { "backquote".to_owned() } else { format!("`{open}`") };
        let expected = format!("{close} to close this {what}");
        self.source.fault(self.at, self.at + open.len(), "the end of the script", expected)
    }
}

/// Octets of the letters, digits and `_` that `text` begins with.
fn word_length(text: &str) -> usize {
    text.bytes().take_while(|octet| octet.is_ascii_alphanumeric() || *octet == b'_').count()
}

fn digits(text: &str) -> usize {
    text.bytes().take_while(u8::is_ascii_digit).count()
}

/// A number or a word, whichever is longer; nothing where neither begins.
fn number_or_word(text: &str) -> Option<(Token, usize)> {
    let word = word_length(text);
    let sign = usize::from(text.starts_with('-'));
    let unsigned = text.get(sign..)?;
    let whole = digits(unsigned);
    let fraction = unsigned.get(whole..).and_then(|rest| rest.strip_prefix('.')).map_or(0, digits);
    let hex = text.strip_prefix("0x").map_or(0, |rest| rest.bytes().take_while(u8::is_ascii_hexdigit).count());
    let take = |length: usize| text.get(..length).map(|text| (text.to_owned(), length));
    if fraction > 0 && sign + whole + 1 + fraction > word {
        let (text, length) = take(sign + whole + 1 + fraction)?;
        return Some((Token::Float(text), length));
    }
    if whole > 0 && sign + whole >= word {
        let (text, length) = take(sign + whole)?;
        let value = text.parse().ok();
        return Some((Token::Integer { text, value }, length));
    }
    if hex > 0 && hex + 2 == word {
        let (text, length) = take(word)?;
        let value = text.get(2..).and_then(|digits| i64::from_str_radix(digits, 16).ok());
        return Some((Token::Integer { text, value }, length));
    }
    let (text, length) = take(word).filter(|(_, length)| *length > 0)?;
    Some((Token::Word(text), length))
}

/// The IPv4 or IPv6 address that `text` begins with. Colons alone make none (`1:1001` is a range of sequence numbers):
/// an IPv6 address has `::` or all its eight parts.
fn address(text: &str) -> Option<&str> {
    let is_part = |octet: u8| octet.is_ascii_hexdigit() || matches!(octet, b':' | b'.');
    let run = text.bytes().take(ADDRESS_LENGTH).take_while(|octet| is_part(*octet)).count();
    let candidate = text.get(..run)?;
    ipv4(candidate).or_else(|| {
        if candidate.matches(':').count() < 2 {
            return None;
        }
        (2..=run).rev().filter_map(|length| candidate.get(..length)).find(|part| part.parse::<Ipv6Addr>().is_ok())
    })
}

/// Four runs of digits with points between them.
fn ipv4(text: &str) -> Option<&str> {
    let mut length = 0;
    for part in 0..4 {
        let rest = text.get(length..)?;
        let rest = if part == 0 { rest } else { rest.strip_prefix('.')? };
        length = text.len() - rest.len() + digits(rest);
        if digits(rest) == 0 {
            return None;
        }
    }
    text.get(..length)
}

/// A word as it is meant: what its definition says, or itself.
pub(super) fn meant(word: &str, definitions: &Definitions) -> Option<Token> {
    let value = definitions.lookup(word)?;
    let inner = |quote: char| value.strip_prefix(quote).map(|rest| rest.strip_suffix(quote).unwrap_or(rest).to_owned());
    if let Some(text) = inner('"') {
        return Some(Token::Text(text));
    }
    if let Some(command) = inner('`') {
        return Some(Token::Shell(command));
    }
    Some(match defined_number(value) {
        Some(number) => Token::Integer { text: value.to_owned(), value: Some(number) },
        None => Token::Word(value.to_owned()),
    })
}

/// A number as C reads it: `0x1f` is hexadecimal, `017` octal.
fn defined_number(text: &str) -> Option<i64> {
    let (sign, digits) = text.strip_prefix('-').map_or((1, text), |digits| (-1, digits));
    let (radix, digits) = match digits.strip_prefix("0x").or_else(|| digits.strip_prefix("0X")) {
        Some(digits) => (16, digits),
        None if digits.len() > 1 && digits.starts_with('0') => (8, digits),
        None => (10, digits),
    };
    if !digits.starts_with(|character: char| character.is_ascii_hexdigit()) {
        return None;
    }
    i64::from_str_radix(digits, radix).ok().map(|number| sign * number)
}
