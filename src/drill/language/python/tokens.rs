//! Code to tokens.

use super::CodeError;

/// What code is made of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Token {
    /// An integer.
    Number(i128),
    /// A number with a point or an exponent that is whole all the same.
    Float(i128),
    /// A text; what stands in it matters to nobody.
    Text,
    /// A name or a keyword.
    Name(String),
    /// An operator or a bracket.
    Operator(&'static str),
    /// The end of a line that is not continued.
    Newline,
    /// `;`
    Semicolon,
}

/// A token and where it stands.
#[derive(Clone, Debug)]
pub(super) struct Placed {
    pub(super) token: Token,
    /// In octets.
    pub(super) start: usize,
    pub(super) end: usize,
    /// From 1.
    pub(super) line: u32,
}

/// The operators, longest first.
const OPERATORS: [&str; 42] = [
    "**=", "//=", "<<=", ">>=", "**", "//", "<<", ">>", "<=", ">=", "==", "!=", "+=", "-=", "*=", "/=", "%=", "&=",
    "|=", "^=", ":=", "->", "+", "-", "*", "/", "%", "&", "|", "^", "~", "<", ">", "=", "(", ")", "[", "]", "{", "}",
    ",", ":",
];

/// Cuts code into tokens.
pub(super) fn tokens(text: &str) -> Result<Vec<Placed>, CodeError> {
    let mut lexer = Lexer { text, at: 0, line: 1, depth: 0 };
    let mut tokens: Vec<Placed> = Vec::new();
    while let Some(placed) = lexer.next()? {
        let begins_line = tokens.last().is_none_or(|last| last.token == Token::Newline);
        if begins_line && placed.token != Token::Newline && lexer.is_indented(placed.start) {
            return Err(lexer.unsupported("a line that is indented"));
        }
        tokens.push(placed);
    }
    Ok(tokens)
}

struct Lexer<'a> {
    text: &'a str,
    at: usize,
    line: u32,
    /// How many brackets are open: within them a newline is a blank.
    depth: u32,
}

impl<'a> Lexer<'a> {
    fn rest(&self) -> &'a str {
        self.text.get(self.at..).unwrap_or_default()
    }

    fn unsupported(&self, what: impl Into<Box<str>>) -> CodeError {
        CodeError::Unsupported { line: self.line, what: what.into() }
    }

    /// Whether blanks stand before `start` on a line that is not the first.
    fn is_indented(&self, start: usize) -> bool {
        let before = self.text.get(..start).unwrap_or_default();
        before.rfind('\n').is_some_and(|newline| newline + 1 < start)
    }

    fn next(&mut self) -> Result<Option<Placed>, CodeError> {
        loop {
            let rest = self.rest();
            let Some(first) = rest.chars().next() else {
                return Ok(None);
            };
            let is_continued = rest.starts_with("\\\n") || rest.starts_with("\\\r\n");
            match first {
                ' ' | '\t' | '\r' => self.at += 1,
                '#' => self.at += rest.find('\n').unwrap_or(rest.len()),
                '\\' if is_continued => self.newline(rest.find('\n').map_or(1, |newline| newline + 1)),
                '\n' if self.depth > 0 => self.newline(1),
                '\n' | ';' => {
                    let token = if first == '\n' { Token::Newline } else { Token::Semicolon };
                    let placed = Placed { token, start: self.at, end: self.at + 1, line: self.line };
                    if first == '\n' {
                        self.newline(1)
                    } else {
                        self.at += 1
                    }
                    return Ok(Some(placed));
                }
                _ => {
                    let (start, line) = (self.at, self.line);
                    let token = self.token(first)?;
                    return Ok(Some(Placed { token, start, end: self.at, line }));
                }
            }
        }
    }

    fn newline(&mut self, octets: usize) {
        self.at += octets;
        self.line = self.line.saturating_add(1);
    }

    fn token(&mut self, first: char) -> Result<Token, CodeError> {
        let rest = self.rest();
        if first.is_ascii_digit() || (first == '.' && rest.chars().nth(1).is_some_and(|next| next.is_ascii_digit())) {
            return self.number();
        }
        if first == '"' || first == '\'' {
            return self.text(first);
        }
        if first.is_ascii_alphabetic() || first == '_' {
            let length = rest.bytes().take_while(|octet| octet.is_ascii_alphanumeric() || *octet == b'_').count();
            let name = rest.get(..length).unwrap_or_default();
            if rest.get(length..).is_some_and(|after| after.starts_with(['"', '\''])) {
                return Err(self.unsupported(format!("a text with `{name}` before it")));
            }
            self.at += length;
            return Ok(Token::Name(name.to_owned()));
        }
        let Some(operator) = OPERATORS.iter().find(|operator| rest.starts_with(**operator)) else {
            return Err(self.unsupported(format!("`{first}`")));
        };
        match *operator {
            "(" | "[" | "{" => self.depth = self.depth.saturating_add(1),
            ")" | "]" | "}" => self.depth = self.depth.saturating_sub(1),
            _ => {}
        }
        self.at += operator.len();
        Ok(Token::Operator(operator))
    }

    fn number(&mut self) -> Result<Token, CodeError> {
        let rest = self.rest();
        let length =
            rest.bytes().take_while(|octet| octet.is_ascii_alphanumeric() || matches!(octet, b'_' | b'.')).count();
        let written = rest.get(..length).unwrap_or_default();
        let token = number(written).ok_or_else(|| self.unsupported(format!("the number `{written}`")))?;
        self.at += length;
        Ok(token)
    }

    fn text(&mut self, quote: char) -> Result<Token, CodeError> {
        let rest = self.rest();
        if rest.starts_with("\"\"\"") || rest.starts_with("'''") {
            return Err(self.unsupported("a text over several lines"));
        }
        let mut characters = rest.char_indices().skip(1);
        while let Some((at, character)) = characters.next() {
            match character {
                '\\' => drop(characters.next()),
                '\n' => break,
                _ if character == quote => {
                    self.at += at + 1;
                    return Ok(Token::Text);
                }
                _ => {}
            }
        }
        Err(self.unsupported("a text without an end"))
    }
}

/// A number as Python reads it. A leading zero is an error there, and `None` here, as is whatever is no whole number.
fn number(written: &str) -> Option<Token> {
    let digits = written.replace('_', "");
    let radix =
        |prefix: &str| digits.strip_prefix(prefix).or_else(|| digits.strip_prefix(prefix.to_uppercase().as_str()));
    for (prefix, base) in [("0x", 16), ("0o", 8), ("0b", 2)] {
        if let Some(digits) = radix(prefix) {
            return i128::from_str_radix(digits, base).ok().map(Token::Number);
        }
    }
    if let Some((whole, fraction)) = digits.split_once('.') {
        let is_whole = fraction.bytes().all(|octet| octet == b'0') && !(whole.is_empty() && fraction.is_empty());
        let whole = if whole.is_empty() { "0" } else { whole };
        return is_whole.then(|| whole.parse().ok().map(Token::Float))?;
    }
    if digits.len() > 1 && digits.starts_with('0') {
        return None;
    }
    digits.parse().ok().map(Token::Number)
}
