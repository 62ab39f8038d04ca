//! Tokens to statements and expressions.
//!
//! ```text
//! statement  = "assert" value [ "," value ] | name ( "=" | "+=" … ) value | "if" value ":" statements | value
//! value      = both { "or" both }            both = negated { "and" negated }
//! negated    = "not" negated | compared      compared = bits { ( "==" | "<" | … | [ "not" ] "in" ) bits }
//! bits       = … "|" "^" "&" "<< >>" "+ -" "* / // %", loosest first … sign
//! sign       = ( "-" | "+" | "~" ) sign | atom
//! atom       = number | text | name [ "(" values ")" ] | "(" values ")" | "[" values "]" | "{" values "}"
//! ```

use super::CodeError;
use super::tokens::{Placed, Token, tokens};
use super::tree::{Comparison, Expression, Kind, Operator, Sign, Statement};

/// How deep values may stand within each other: hostile code must not cost the stack.
const MAX_DEPTH: usize = 40;
/// How deep the tree may be that comes of it: in `a + b + c` each sum is within the next.
const MAX_HEIGHT: usize = 200;

/// Keywords that begin or continue what is not understood here.
const KEYWORDS: [&str; 32] = [
    "and", "as", "assert", "async", "await", "break", "class", "continue", "def", "del", "elif", "else", "except",
    "finally", "for", "from", "global", "if", "import", "in", "is", "lambda", "nonlocal", "not", "or", "pass", "raise",
    "return", "try", "while", "with", "yield",
];

/// The operators between two numbers, loosest first.
const LEVELS: [&[(&str, Operator)]; 6] = [
    &[("|", Operator::Or)],
    &[("^", Operator::Xor)],
    &[("&", Operator::And)],
    &[("<<", Operator::Left), (">>", Operator::Right)],
    &[("+", Operator::Add), ("-", Operator::Subtract)],
    &[("*", Operator::Multiply), ("/", Operator::Divide), ("//", Operator::Floor), ("%", Operator::Modulo)],
];

/// Assignments that use the old value, too.
const AUGMENTED: [(&str, Operator); 11] = [
    ("+=", Operator::Add),
    ("-=", Operator::Subtract),
    ("*=", Operator::Multiply),
    ("//=", Operator::Floor),
    ("/=", Operator::Divide),
    ("%=", Operator::Modulo),
    ("&=", Operator::And),
    ("|=", Operator::Or),
    ("^=", Operator::Xor),
    ("<<=", Operator::Left),
    (">>=", Operator::Right),
];

/// Reads code.
pub(super) fn parse(text: &str) -> Result<Vec<(u32, Statement)>, CodeError> {
    let mut parser = Parser { tokens: tokens(text)?, next: 0, depth: 0 };
    let mut statements = Vec::new();
    while parser.peek().is_some() {
        if matches!(parser.peek(), Some(Token::Newline | Token::Semicolon)) {
            parser.next += 1;
            continue;
        }
        statements.extend(parser.statement()?);
        if !matches!(parser.peek(), None | Some(Token::Newline | Token::Semicolon)) {
            return Err(parser.unsupported());
        }
    }
    Ok(statements)
}

struct Parser {
    tokens: Vec<Placed>,
    next: usize,
    depth: usize,
}

impl Parser {
    fn peek(&self) -> Option<&Token> {
        self.tokens.get(self.next).map(|placed| &placed.token)
    }

    fn line(&self) -> u32 {
        self.tokens.get(self.next).or(self.tokens.last()).map_or(1, |placed| placed.line)
    }

    fn start(&self) -> usize {
        self.tokens.get(self.next).map_or(0, |placed| placed.start)
    }

    /// Where the token just taken ends.
    fn end(&self) -> usize {
        self.next.checked_sub(1).and_then(|last| self.tokens.get(last)).map_or(0, |placed| placed.end)
    }

    /// The next token has no place where it stands.
    fn unsupported(&self) -> CodeError {
        self.unsupported_because(match self.peek() {
            None | Some(Token::Newline | Token::Semicolon) => "an unfinished line".to_owned(),
            Some(Token::Name(name)) => format!("`{name}` here"),
            Some(Token::Operator(operator)) => format!("`{operator}` here"),
            Some(Token::Number(number) | Token::Float(number)) => format!("the number {number} here"),
            Some(Token::Text) => "a text here".to_owned(),
        })
    }

    fn unsupported_because(&self, what: impl Into<Box<str>>) -> CodeError {
        CodeError::Unsupported { line: self.line(), what: what.into() }
    }

    /// A value from `start` to the token just taken.
    fn made(&self, kind: Kind, start: usize) -> Result<Expression, CodeError> {
        let made = Expression::new(kind, start, self.end());
        if made.height() > MAX_HEIGHT { Err(self.unsupported_because("so long a sum")) } else { Ok(made) }
    }

    fn take_operator(&mut self, operator: &str) -> bool {
        let is_there = matches!(self.peek(), Some(Token::Operator(next)) if *next == operator);
        self.next += usize::from(is_there);
        is_there
    }

    fn take_keyword(&mut self, keyword: &str) -> bool {
        let is_there = matches!(self.peek(), Some(Token::Name(next)) if next == keyword);
        self.next += usize::from(is_there);
        is_there
    }

    fn statement(&mut self) -> Result<Option<(u32, Statement)>, CodeError> {
        let line = self.line();
        if self.take_keyword("assert") {
            return self.assertion().map(|condition| Some((line, Statement::Assert(condition))));
        }
        if self.take_keyword("if") {
            let condition = self.value()?;
            if !self.take_operator(":") {
                return Err(self.unsupported());
            }
            return self.body().map(|body| Some((line, Statement::If(condition, body))));
        }
        if self.take_keyword("pass") {
            return Ok(None);
        }
        if self.take_keyword("import") {
            return self.import();
        }
        if let Some(assignment) = self.assignment()? {
            return Ok(Some((line, assignment)));
        }
        self.value().map(|value| Some((line, Statement::Evaluate(value))))
    }

    /// The condition; the message behind it is read and dropped, as it is no part of the verdict.
    fn assertion(&mut self) -> Result<Expression, CodeError> {
        let condition = self.value()?;
        if matches!(condition.kind, Kind::Sequence(_)) {
            return Err(self.unsupported_because("an assertion of several values, which is always true,"));
        }
        if self.take_operator(",") {
            self.value()?;
        }
        Ok(condition)
    }

    /// The rest of the line; the lines below would have to be indented.
    fn body(&mut self) -> Result<Vec<(u32, Statement)>, CodeError> {
        let mut body = Vec::new();
        loop {
            if self.depth > MAX_DEPTH {
                return Err(self.unsupported_because("so deep a nesting"));
            }
            self.depth += 1;
            body.extend(self.statement()?);
            self.depth -= 1;
            let has_more = self.peek() == Some(&Token::Semicolon)
                && !matches!(self.tokens.get(self.next + 1), None | Some(Placed { token: Token::Newline, .. }));
            if !has_more {
                return Ok(body);
            }
            self.next += 1;
        }
    }

    /// `import a, b`: it binds names that nothing here can use.
    fn import(&mut self) -> Result<Option<(u32, Statement)>, CodeError> {
        loop {
            match self.peek() {
                Some(Token::Name(_)) => self.next += 1,
                Some(_) | None => return Err(self.unsupported()),
            }
            if !self.take_operator(",") {
                return Ok(None);
            }
        }
    }

    fn assignment(&mut self) -> Result<Option<Statement>, CodeError> {
        let (Some(Token::Name(name)), Some(Token::Operator(operator))) =
            (self.peek(), self.tokens.get(self.next + 1).map(|placed| &placed.token))
        else {
            return Ok(None);
        };
        let augmented = AUGMENTED.iter().find(|(written, _)| written == operator).map(|(_, operator)| *operator);
        if (*operator != "=" && augmented.is_none()) || KEYWORDS.contains(&name.as_str()) {
            return Ok(None);
        }
        let name = name.clone();
        let (start, end) = (self.start(), self.start() + name.len());
        self.next += 2;
        let value = self.value()?;
        let Some(operator) = augmented else {
            return Ok(Some(Statement::Assign(name, value)));
        };
        let old = Expression::new(Kind::Name(name.clone()), start, end);
        let value_end = value.end();
        let kind = Kind::Binary(operator, Box::new(old), Box::new(value));
        Ok(Some(Statement::Assign(name, Expression::new(kind, start, value_end))))
    }

    fn value(&mut self) -> Result<Expression, CodeError> {
        if self.depth > MAX_DEPTH {
            return Err(self.unsupported_because("so deep a nesting"));
        }
        self.depth += 1;
        let value = self.joined("or", Kind::Or, |parser| parser.joined("and", Kind::And, Self::negated));
        self.depth -= 1;
        value
    }

    fn joined(
        &mut self,
        keyword: &str,
        kind: fn(Vec<Expression>) -> Kind,
        part: fn(&mut Parser) -> Result<Expression, CodeError>,
    ) -> Result<Expression, CodeError> {
        let start = self.start();
        let first = part(self)?;
        if !self.take_keyword(keyword) {
            return Ok(first);
        }
        let mut parts = vec![first, part(self)?];
        while self.take_keyword(keyword) {
            parts.push(part(self)?);
        }
        self.made(kind(parts), start)
    }

    fn negated(&mut self) -> Result<Expression, CodeError> {
        let start = self.start();
        let mut negations = 0_usize;
        while self.take_keyword("not") {
            negations += 1;
        }
        let mut value = self.compared()?;
        // Two negations are one conversion to a truth value; more say nothing new.
        for _ in 0..if negations == 0 { 0 } else { 2 - negations % 2 } {
            value = self.made(Kind::Not(Box::new(value)), start)?;
        }
        Ok(value)
    }

    fn compared(&mut self) -> Result<Expression, CodeError> {
        let start = self.start();
        let first = self.level(0)?;
        let mut others = Vec::new();
        while let Some(comparison) = self.comparison() {
            others.push((comparison, self.level(0)?));
        }
        if others.is_empty() {
            return Ok(first);
        }
        self.made(Kind::Compare(Box::new(first), others), start)
    }

    fn comparison(&mut self) -> Option<Comparison> {
        let (comparison, words) = match self.peek()? {
            Token::Operator("==") => (Comparison::Equal, 1),
            Token::Operator("!=") => (Comparison::NotEqual, 1),
            Token::Operator("<") => (Comparison::Less, 1),
            Token::Operator("<=") => (Comparison::LessOrEqual, 1),
            Token::Operator(">") => (Comparison::Greater, 1),
            Token::Operator(">=") => (Comparison::GreaterOrEqual, 1),
            Token::Name(name) if name == "in" => (Comparison::In, 1),
            Token::Name(name) if name == "not" => match self.tokens.get(self.next + 1).map(|placed| &placed.token) {
                Some(Token::Name(next)) if next == "in" => (Comparison::NotIn, 2),
                Some(_) | None => return None,
            },
            Token::Operator(_)
            | Token::Name(_)
            | Token::Number(_)
            | Token::Float(_)
            | Token::Text
            | Token::Newline
            | Token::Semicolon => {
                return None;
            }
        };
        self.next += words;
        Some(comparison)
    }

    /// The operators of one level of [`LEVELS`], from left to right.
    fn level(&mut self, level: usize) -> Result<Expression, CodeError> {
        let Some(operators) = LEVELS.get(level) else {
            return self.sign();
        };
        let start = self.start();
        let mut left = self.level(level + 1)?;
        while let Some((_, operator)) = operators.iter().find(|(written, _)| self.take_operator(written)) {
            let right = self.level(level + 1)?;
            let kind = Kind::Binary(*operator, Box::new(left), Box::new(right));
            left = self.made(kind, start)?;
        }
        Ok(left)
    }

    fn sign(&mut self) -> Result<Expression, CodeError> {
        let start = self.start();
        let sign = match self.peek() {
            Some(Token::Operator("-")) => Sign::Minus,
            Some(Token::Operator("+")) => Sign::Plus,
            Some(Token::Operator("~")) => Sign::Invert,
            Some(_) | None => return self.atom(),
        };
        self.next += 1;
        if self.depth > MAX_DEPTH {
            return Err(self.unsupported_because("so deep a nesting"));
        }
        self.depth += 1;
        let inner = self.sign()?;
        self.depth -= 1;
        self.made(Kind::Signed(sign, Box::new(inner)), start)
    }

    fn atom(&mut self) -> Result<Expression, CodeError> {
        let start = self.start();
        let kind = match self.peek() {
            Some(Token::Number(number)) => Kind::Number(*number),
            Some(Token::Float(number)) => Kind::Float(*number),
            Some(Token::Text) => Kind::Text,
            Some(Token::Name(name)) if !KEYWORDS.contains(&name.as_str()) => Kind::Name(name.clone()),
            Some(Token::Operator("(")) => return self.bracketed(),
            Some(Token::Operator("[")) => return self.sequence("]"),
            Some(Token::Operator("{")) => return self.sequence("}"),
            Some(_) | None => return Err(self.unsupported()),
        };
        self.next += 1;
        let kind = match kind {
            Kind::Name(name) if self.take_operator("(") => Kind::Call(name, self.values(")")?),
            Kind::Text => {
                // Texts beside each other are one.
                while self.peek() == Some(&Token::Text) {
                    self.next += 1;
                }
                Kind::Text
            }
            other => other,
        };
        self.made(kind, start)
    }

    /// `(a)` is `a`; `(a,)` and `(a, b)` are tuples.
    fn bracketed(&mut self) -> Result<Expression, CodeError> {
        let start = self.start();
        self.next += 1;
        let mut values = self.values(")")?;
        let before = self.next.checked_sub(2).and_then(|at| self.tokens.get(at)).map(|placed| &placed.token);
        let has_comma = before == Some(&Token::Operator(","));
        if values.len() == 1
            && !has_comma
            && let Some(only) = values.pop()
        {
            return self.made(only.kind, start);
        }
        self.made(Kind::Sequence(values), start)
    }

    fn sequence(&mut self, close: &str) -> Result<Expression, CodeError> {
        let start = self.start();
        self.next += 1;
        let values = self.values(close)?;
        self.made(Kind::Sequence(values), start)
    }

    /// Values with commas between them, and `close` behind them; a comma may stand behind the last.
    fn values(&mut self, close: &str) -> Result<Vec<Expression>, CodeError> {
        let mut values = Vec::new();
        while !self.take_operator(close) {
            values.push(self.value()?);
            if self.take_operator(",") {
                continue;
            }
            if !self.take_operator(close) {
                return Err(self.unsupported());
            }
            break;
        }
        Ok(values)
    }
}
