//! System calls and the values in them.
//!
//! ```text
//! call    = name "(" [ value { "," value } ] ")" "=" value [ errno "(" words ")" ] [ "(" words ")" ]
//! value   = part { "|" part } | name "=" value
//! part    = "..." | number | name | text { text } | "[" values "]" | "{" members "}" | htons(n) | inet_addr("…")
//! member  = [ name [ "(" size ")" ] "=" ] value
//! ```

use crate::drill::language::error::{ParseError, quoted};
use crate::drill::language::lexer::Token;
use crate::drill::language::script::{At, Call, Value};

use super::Parser;

/// How deep brackets and braces may stand within each other: a hostile script must not cost the stack.
const MAX_DEPTH: usize = 32;

/// The calls that may stand within a value.
const FUNCTIONS: [&str; 3] = ["htons", "inet_addr", "inet6_addr"];

impl Parser<'_> {
    pub(super) fn call(&mut self, at: At) -> Result<Call, ParseError> {
        let returns_at = if self.peek() == Some(&Token::Ellipsis) { Some(self.end_time(at)?) } else { None };
        let name = self.word("the name of a system call")?;
        if !self.take_symbol('(') {
            return Err(self.expected(format!("`(` and the arguments of `{name}`")));
        }
        let arguments = self.values(')', 0)?;
        if !self.take_symbol('=') {
            return Err(self.expected("`=` and the result; `= ...` for any"));
        }
        let result = Some(self.value(0)?);
        let errno = match self.peek() {
            Some(Token::Word(_)) => Some(self.word("the error")?),
            Some(_) | None => None,
        };
        if errno.is_some() {
            self.note("`(` and what the error says, as in `-1 EAGAIN (Resource temporarily unavailable)`")?;
        }
        if self.is_symbol('(') {
            self.note("`(`")?;
        }
        Ok(Call { name, arguments, result, errno, returns_at })
    }

    /// `...t`: when a call that blocks returns. It counts from where the event's own time counts from.
    fn end_time(&mut self, at: At) -> Result<At, ParseError> {
        self.next += 1;
        let end = self.span_of_time("the time when the call returns")?;
        Ok(match at {
            At::Relative(_) => At::Relative(end),
            At::Absolute(_) | At::Start | At::AbsoluteRange(..) | At::RelativeRange(..) | At::Any => At::Absolute(end),
        })
    }

    /// Words between round brackets, which say to people what a result means.
    fn note(&mut self, what: &str) -> Result<(), ParseError> {
        if !self.take_symbol('(') {
            return Err(self.expected(what));
        }
        while matches!(
            self.peek(),
            Some(Token::Word(_) | Token::Integer { .. } | Token::Symbol(',' | '\'' | '|' | '/' | '.' | '-' | ':'))
        ) {
            self.next += 1;
        }
        self.symbol(')')
    }

    /// Values with commas between them, and `close` behind them.
    fn values(&mut self, close: char, depth: usize) -> Result<Vec<Value>, ParseError> {
        let mut values = Vec::new();
        if self.take_symbol(close) {
            return Ok(values);
        }
        loop {
            values.push(self.value(depth)?);
            if self.take_symbol(close) {
                return Ok(values);
            }
            if !self.take_symbol(',') {
                return Err(self.expected(format!("`,` or `{close}`")));
            }
        }
    }

    fn value(&mut self, depth: usize) -> Result<Value, ParseError> {
        if depth > MAX_DEPTH {
            return Err(self.expected(format!("at most {MAX_DEPTH} values within each other")));
        }
        if let (Some(Token::Word(name)), true) = (self.peek(), self.is_symbol_ahead(1, '=')) {
            let name = name.clone();
            self.next += 2;
            return Ok(Value::Record(vec![(name, self.value(depth + 1)?)]));
        }
        let first = self.part(depth)?;
        if !self.is_symbol('|') {
            return Ok(first);
        }
        let mut either = vec![first];
        while self.take_symbol('|') {
            either.push(self.part(depth)?);
        }
        Ok(Value::Either(either))
    }

    fn part(&mut self, depth: usize) -> Result<Value, ParseError> {
        let value = match self.peek() {
            Some(Token::Ellipsis) => Value::Ellipsis,
            Some(Token::Integer { value: Some(value), .. }) => Value::Integer(*value),
            Some(Token::Integer { value: None, .. }) => return Err(self.expected("a number of 64 bits")),
            Some(Token::Float(text)) => match text.parse() {
                Ok(number) => Value::Float(number),
                Err(_) => return Err(self.expected("a number")),
            },
            Some(Token::Word(name)) if FUNCTIONS.contains(&name.as_str()) && self.is_symbol_ahead(1, '(') => {
                let name = name.clone();
                self.next += 2;
                return Ok(Value::Apply(name, self.values(')', depth + 1)?));
            }
            Some(Token::Word(name)) => Value::Name(name.clone()),
            Some(Token::Text(_)) => return self.text(),
            Some(Token::Symbol('[')) => {
                self.next += 1;
                return Ok(Value::List(self.values(']', depth + 1)?));
            }
            Some(Token::Symbol('{')) => {
                self.next += 1;
                return self.record(depth + 1);
            }
            Some(_) | None => return Err(self.expected("a value")),
        };
        self.next += 1;
        Ok(value)
    }

    /// One text or several, which are then one.
    fn text(&mut self) -> Result<Value, ParseError> {
        let mut octets = Vec::new();
        while let Some(Token::Text(text)) = self.peek() {
            let piece = unescaped(text).map_err(|escape| {
                self.expected("a text with known escapes").with_help(format!(
                    "{} is no escape; known are \\n \\r \\t \\v \\f \\\\ \\\" and \\x with two hexadecimal digits",
                    quoted(&escape)
                ))
            })?;
            octets.extend(piece);
            self.next += 1;
        }
        if self.peek() == Some(&Token::Ellipsis) {
            self.next += 1;
            self.unsupported("a text of which only the beginning is given");
        }
        Ok(Value::Text(octets))
    }

    /// What stands between braces, of which the first is taken.
    fn record(&mut self, depth: usize) -> Result<Value, ParseError> {
        let is_flags = self.is_word("flags") || self.is_word("Flags");
        if is_flags && !self.is_symbol_ahead(1, '=') {
            self.gre()?;
            self.unsupported("a GRE header as a value");
        } else if self.is_symbol('(') || self.is_symbol('}') {
            self.labels()?;
            self.unsupported("MPLS labels as a value");
        } else {
            return self.members(depth);
        }
        self.symbol('}')?;
        Ok(Value::Record(Vec::new()))
    }

    fn members(&mut self, depth: usize) -> Result<Value, ParseError> {
        let mut members = Vec::new();
        loop {
            self.member(&mut members, depth)?;
            if self.take_symbol('}') {
                return Ok(Value::Record(members));
            }
            if !self.take_symbol(',') {
                return Err(self.expected("`,` or `}`"));
            }
        }
    }

    /// One member. A size between round brackets is a member of its own, called as in C: `msg_iov(2)=[…]` is `msg_iov` and
    /// `msg_iovlen`.
    fn member(&mut self, members: &mut Vec<(String, Value)>, depth: usize) -> Result<(), ParseError> {
        let name = match self.peek() {
            Some(Token::Word(name)) => name.clone(),
            Some(_) | None => {
                members.push((String::new(), self.value(depth)?));
                return Ok(());
            }
        };
        if self.is_symbol_ahead(1, '=') {
            self.next += 2;
            members.push((name, self.value(depth)?));
        } else if self.is_symbol_ahead(1, '(') && !FUNCTIONS.contains(&name.as_str()) {
            self.next += 2;
            let size = self.value(depth)?;
            self.symbol(')')?;
            self.symbol('=')?;
            let length = format!("{name}len");
            members.push((name, self.value(depth)?));
            members.push((length, size));
        } else {
            members.push((String::new(), self.value(depth)?));
        }
        Ok(())
    }
}

/// A text with its escapes undone, or the first that is none.
fn unescaped(text: &str) -> Result<Vec<u8>, String> {
    let mut octets = Vec::with_capacity(text.len());
    let mut characters = text.chars();
    while let Some(character) = characters.next() {
        if character != '\\' {
            octets.extend(character.encode_utf8(&mut [0; 4]).bytes());
            continue;
        }
        let escape = characters.next();
        octets.push(match escape {
            Some('n') => b'\n',
            Some('r') => b'\r',
            Some('t') => b'\t',
            Some('v') => 0x0b,
            Some('f') => 0x0c,
            Some('\\') => b'\\',
            Some('"') => b'"',
            Some('x') => {
                let digits: String = characters.by_ref().take(2).collect();
                let is_octet = digits.len() == 2 && digits.chars().all(|digit| digit.is_ascii_hexdigit());
                u8::from_str_radix(&digits, 16).ok().filter(|_| is_octet).ok_or(format!("\\x{digits}"))?
            }
            Some(other) => return Err(format!("\\{other}")),
            None => return Err("\\".to_owned()),
        });
    }
    Ok(octets)
}
