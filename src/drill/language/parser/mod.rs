//! Tokens to a [`Script`].
//!
//! ```text
//! script  = { --name [ "=" value ] } [ `command` ] event { event } [ `command` ]
//! event   = time action
//! time    = T | "+" T | T "~" T | "+" T "~" "+" T | "*"
//! action  = packet | [ "..." T ] call | `command` | %{ code }%
//! ```
//!
//! What packetdrill's grammar allows and [`script`](super::script) has no place for is read all the same, so that what
//! follows it is understood, and becomes [`What::Unsupported`]. Of what packetdrill refuses, a few harmless things are
//! taken: hexadecimal numbers everywhere, any words in the note behind a result, a comment at the end without a newline.
//! The FreeBSD dialect's own constructs (`/udp(9811 > 1)`, `0:0(0)!`, `md5 valid`) are read as unsupported ones.

mod call;
mod icmp;
mod packet;
mod prefix;
mod tcp;

use std::time::Duration;

use super::definitions::Definitions;
use super::error::{ParseError, Source, quoted};
use super::lexer::{self, Placed, Token, Undecided};
use super::script::{At, Event, Script, Setting, What};

/// The longest time that an event may stand at: 30 years, so that sums of times stay far from any end.
const MAX_SECONDS: u64 = 1_000_000_000;

/// What an action can be, for errors.
const ACTIONS: &str =
    "a packet (`<` or `>`), a system call, a command between backquotes or code between `%{` and `}%`";

impl Script {
    /// Reads a script. `path` names it in errors.
    ///
    /// # Errors
    ///
    /// The first thing that is no packetdrill, with its place.
    pub fn parse(text: &str, path: &str) -> Result<Script, ParseError> {
        Script::parse_with(text, path, &Definitions::new())
    }

    /// Reads a script in which the words of `definitions` stand for something else. They win over the script's own
    /// `--define=NAME=value`.
    ///
    /// # Errors
    ///
    /// As [`Script::parse`].
    pub fn parse_with(text: &str, path: &str, definitions: &Definitions) -> Result<Script, ParseError> {
        let source = Source { path, text };
        let lexed = lexer::tokens(source, definitions)?;
        let newlines = text.bytes().enumerate().filter(|(_, octet)| *octet == b'\n').map(|(at, _)| at).collect();
        let mut parser = Parser { source, newlines, tokens: lexed.tokens, next: 0, event: 0, unsupported: None };
        let options = parser.settings()?;
        parser.define(&definitions.or(&own_definitions(&options)));
        let mut events = Vec::new();
        events.extend(lexed.undecided.map(|undecided| parser.undecided(&undecided)));
        events.extend(parser.untimed_command());
        parser.events(&mut events)?;
        Ok(Script { options, events })
    }
}

/// What a script's `--define=NAME=value` lines define.
fn own_definitions(options: &[Setting]) -> Definitions {
    let mut definitions = Definitions::new();
    for setting in options.iter().filter(|setting| setting.name == "define") {
        // Without `=` it defines nothing, and whoever knows the settings says so.
        setting.value.as_deref().map(|value| definitions.define(value));
    }
    definitions
}

/// Where the parser is.
struct Parser<'a> {
    source: Source<'a>,
    /// Where the source's newlines are.
    newlines: Vec<usize>,
    tokens: Vec<Placed>,
    next: usize,
    /// The first token of the event that is being read.
    event: usize,
    /// Why the event that is being read cannot be run, as far as known.
    unsupported: Option<String>,
}

impl Parser<'_> {
    // Looking and taking.

    fn peek(&self) -> Option<&Token> {
        self.ahead(0)
    }

    fn ahead(&self, tokens: usize) -> Option<&Token> {
        self.tokens.get(self.next + tokens).map(|placed| &placed.token)
    }

    fn is_symbol(&self, symbol: char) -> bool {
        self.is_symbol_ahead(0, symbol)
    }

    fn is_symbol_ahead(&self, tokens: usize, symbol: char) -> bool {
        self.ahead(tokens) == Some(&Token::Symbol(symbol))
    }

    fn is_word(&self, word: &str) -> bool {
        matches!(self.peek(), Some(Token::Word(next)) if next == word)
    }

    fn take_symbol(&mut self, symbol: char) -> bool {
        let is_there = self.is_symbol(symbol);
        self.next += usize::from(is_there);
        is_there
    }

    /// Takes a word that means something to the grammar.
    fn take_word(&mut self, word: &str) -> bool {
        let is_there = self.is_word(word);
        self.next += usize::from(is_there);
        is_there
    }

    fn symbol(&mut self, symbol: char) -> Result<(), ParseError> {
        if self.take_symbol(symbol) { Ok(()) } else { Err(self.expected(format!("`{symbol}`"))) }
    }

    fn word(&mut self, what: &str) -> Result<String, ParseError> {
        match self.peek() {
            Some(Token::Word(word)) => {
                let word = word.clone();
                self.next += 1;
                Ok(word)
            }
            Some(_) | None => Err(self.expected(what)),
        }
    }

    fn keyword(&mut self, word: &str) -> Result<(), ParseError> {
        if self.take_word(word) { Ok(()) } else { Err(self.expected(format!("`{word}`"))) }
    }

    fn integer(&mut self, what: &str) -> Result<i64, ParseError> {
        match self.peek() {
            Some(Token::Integer { value: Some(value), .. }) => {
                let value = *value;
                self.next += 1;
                Ok(value)
            }
            Some(_) | None => Err(self.expected(what)),
        }
    }

    /// A number that fits into the field that it is meant for.
    fn number<T: TryFrom<i64>>(&mut self, what: &str) -> Result<T, ParseError> {
        let at = self.next;
        let value = self.integer(what)?;
        T::try_from(value).map_err(|_| {
            let bits = 8 * std::mem::size_of::<T>();
            self.expected_at(at, format!("{what}, a number of {bits} bits"))
        })
    }

    // Complaining.

    /// An error at the next token.
    fn expected(&self, what: impl Into<Box<str>>) -> ParseError {
        self.expected_at(self.next, what)
    }

    fn expected_at(&self, token: usize, what: impl Into<Box<str>>) -> ParseError {
        let end = self.source.text.len();
        let (start, end) = self.tokens.get(token).map_or((end, end), |placed| (placed.start, placed.end));
        if let Some(behind) = self.unfinished(token) {
            return self.source.fault(behind, behind, "the end of the line", what);
        }
        let error = self.source.error(start, end, what);
        match self.tokens.get(token).map(|placed| &placed.token) {
            Some(Token::Symbol('#')) => {
                error.with_help("comments begin with `//`; `#` does so only in commands and code")
            }
            Some(_) | None => error,
        }
    }

    /// Where the line ends on which the event broke off, if `token` begins the next event.
    fn unfinished(&self, token: usize) -> Option<usize> {
        let before = self.tokens.get(token.checked_sub(1).filter(|before| *before >= self.event)?)?;
        let next = self.tokens.get(token)?;
        let begins_event = matches!(next.token, Token::Symbol('+' | '*') | Token::Integer { .. } | Token::Float(_));
        (begins_event && self.line(before.end) < self.line(next.start)).then_some(before.end)
    }

    /// An error about all tokens from `first` to the one just read.
    fn expected_since(&self, first: usize, what: impl Into<Box<str>>) -> ParseError {
        let (start, end) = self.span(first);
        self.source.error(start, end, what)
    }

    fn span(&self, first: usize) -> (usize, usize) {
        let last = self.next.saturating_sub(1).max(first);
        let placed = |token: usize| self.tokens.get(token);
        let end = self.source.text.len();
        (placed(first).map_or(end, |placed| placed.start), placed(last).map_or(end, |placed| placed.end))
    }

    /// The event that is being read cannot be run: `reason`.
    fn unsupported(&mut self, reason: impl Into<String>) {
        self.unsupported.get_or_insert_with(|| reason.into());
    }

    fn line(&self, offset: usize) -> u32 {
        let before = self.newlines.partition_point(|newline| *newline < offset);
        u32::try_from(before + 1).unwrap_or(u32::MAX)
    }

    fn line_of(&self, token: usize) -> u32 {
        self.tokens.get(token).map_or(0, |placed| self.line(placed.start))
    }

    // The script.

    fn settings(&mut self) -> Result<Vec<Setting>, ParseError> {
        let mut settings = Vec::new();
        while let Some(Token::Setting(name)) = self.peek() {
            let name = name.clone();
            let line = self.line_of(self.next);
            self.next += 1;
            let value = if self.take_symbol('=') { Some(self.setting_value()?) } else { None };
            settings.push(Setting { line, name, value });
        }
        Ok(settings)
    }

    fn setting_value(&mut self) -> Result<String, ParseError> {
        let value = match self.peek() {
            Some(Token::Integer { text, .. } | Token::Address(text) | Token::Text(text) | Token::Word(text)) => {
                text.clone()
            }
            Some(_) | None => return Err(self.expected("the option's value: a number, a word, a text or an address")),
        };
        let is_definition = matches!(self.peek(), Some(Token::Word(_))) && self.is_symbol_ahead(1, '=');
        self.next += 1;
        if !is_definition {
            return Ok(value);
        }
        self.next += 1;
        let meaning = match self.peek() {
            Some(Token::Word(word)) => word.clone(),
            Some(Token::Text(text)) => format!("\"{text}\""),
            Some(Token::Shell(command)) => format!("`{command}`"),
            Some(Token::Integer { text, .. }) => text.clone(),
            Some(_) | None => return Err(self.expected("what the name stands for: a word, a text or a command")),
        };
        self.next += 1;
        Ok(format!("{value}={meaning}"))
    }

    /// Puts in place of each word from here on what it stands for.
    fn define(&mut self, definitions: &Definitions) {
        for placed in self.tokens.iter_mut().skip(self.next) {
            if let Token::Word(word) = &placed.token
                && let Some(meant) = lexer::meant(word, definitions)
            {
                placed.token = meant;
            }
        }
    }

    fn undecided(&self, undecided: &Undecided) -> Event {
        let names: Vec<String> = undecided.names.iter().map(|name| quoted(name)).collect();
        let first = undecided.names.first().map_or("NAME", String::as_str);
        let reason = format!(
            "`#ifdef` leaves lines out, and none of {} is defined: choose, as by -D {first}=1",
            names.join(", ")
        );
        Event {
            line: self.line(undecided.offset),
            text: format!("#ifdef {first}"),
            at: At::Start,
            what: What::Unsupported(reason),
        }
    }

    /// The command before the first event, or after the last.
    fn untimed_command(&mut self) -> Option<Event> {
        let Some(Token::Shell(command)) = self.peek() else {
            return None;
        };
        let what = What::Shell(command.clone());
        let first = self.next;
        self.next += 1;
        Some(Event { line: self.line_of(first), text: self.text_since(first), at: At::Start, what })
    }

    fn events(&mut self, events: &mut Vec<Event>) -> Result<(), ParseError> {
        loop {
            events.push(self.event()?);
            if self.peek().is_none() {
                return Ok(());
            }
            if let Some(cleanup) = self.untimed_command() {
                events.push(cleanup);
                return match self.peek() {
                    None => Ok(()),
                    Some(_) => Err(self.expected("the end of the script").with_help(
                        "only a command before the first event and one after the last may stand without a time",
                    )),
                };
            }
        }
    }

    fn event(&mut self) -> Result<Event, ParseError> {
        let first = self.next;
        self.event = first;
        let at = self.time()?;
        self.unsupported = None;
        let what = self.action(at)?;
        if !matches!(what, What::Expect(_)) && matches!(at, At::Any | At::AbsoluteRange(..) | At::RelativeRange(..)) {
            let help = "only a packet that the stack sends (`>`) may come at any time or within a range of times";
            return Err(self.expected_at(first, "one time").with_help(help));
        }
        let what = self.unsupported.take().map_or(what, What::Unsupported);
        Ok(Event { line: self.line_of(first), text: self.text_since(first), at, what })
    }

    fn time(&mut self) -> Result<At, ParseError> {
        const START: &str = "the time of an event, such as `0.1`, `+0.1`, `+0.1~+0.2` or `*`";
        let first = self.next;
        if self.take_symbol('*') {
            return Ok(At::Any);
        }
        let is_relative = self.take_symbol('+');
        let from = self.span_of_time(START)?;
        if !self.take_symbol('~') {
            return Ok(if is_relative { At::Relative(from) } else { At::Absolute(from) });
        }
        if is_relative {
            self.symbol('+')?;
        }
        let to = self.span_of_time("the end of the range of times")?;
        if to < from {
            return Err(self.expected_since(first, "a range that ends after it begins"));
        }
        Ok(if is_relative { At::RelativeRange(from, to) } else { At::AbsoluteRange(from, to) })
    }

    /// A number of seconds.
    fn span_of_time(&mut self, what: &str) -> Result<Duration, ParseError> {
        let duration = match self.peek() {
            Some(Token::Integer { text, .. } | Token::Float(text)) => seconds(text),
            Some(_) | None => return Err(self.expected(what)),
        };
        let duration = duration.ok_or_else(|| self.expected(format!("{what}, of 0 to {MAX_SECONDS} seconds")))?;
        self.next += 1;
        Ok(duration)
    }

    fn action(&mut self, at: At) -> Result<What, ParseError> {
        let what = match self.peek() {
            Some(Token::Symbol('<')) => return self.inject(),
            Some(Token::Symbol('>')) => return self.expect(),
            Some(Token::Word(_) | Token::Ellipsis) => return self.call(at).map(What::Call),
            Some(Token::Shell(command)) => What::Shell(command.clone()),
            Some(Token::Code(code)) => What::Code(code.clone()),
            Some(_) | None => return Err(self.expected(ACTIONS)),
        };
        self.next += 1;
        Ok(what)
    }

    /// What stands from the token `first` to the one just read, on one line and without comments.
    fn text_since(&self, first: usize) -> String {
        let mut text = String::new();
        let mut end = None;
        for placed in self.tokens.get(first..self.next).unwrap_or_default() {
            if end.is_some_and(|end| end < placed.start) {
                text.push(' ');
            }
            let lines: Vec<&str> = self.source.slice(placed.start, placed.end).lines().map(str::trim).collect();
            text.push_str(lines.join(" ").trim());
            end = Some(placed.end);
        }
        text
    }
}

/// Seconds as written, exact to the nanosecond; what is finer is cut off. `None` when negative or too long; `-0` is 0.
fn seconds(text: &str) -> Option<Duration> {
    let text =
        text.strip_prefix('-').filter(|text| text.chars().all(|digit| matches!(digit, '0' | '.'))).unwrap_or(text);
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let whole: u64 = if whole.is_empty() { 0 } else { whole.parse().ok()? };
    let fraction: String = fraction.chars().chain(std::iter::repeat('0')).take(9).collect();
    (whole <= MAX_SECONDS).then_some(Duration::new(whole, fraction.parse().ok()?))
}
