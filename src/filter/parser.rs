//! Tokens to a tree.
//!
//! ```text
//! either     = both { ("||" | "or") both }
//! both       = negated { ("&&" | "and") negated }
//! negated    = { "!" | "not" } test
//! test       = "(" either ")" | field [ operator value | ["not"] "in" "{" member { "," member } "}" ]
//! member     = value [ ".." value ]
//! ```
//!
//! "and" binds closer than "or", as in Wireshark 4.

use super::field::{self, Kind};
use super::lexer::{Operator, Placed, Token, tokens};
use super::literal::Literal;
use super::syntax::{Expression, Member, Operand};
use super::unknown::{closest, unknown_field};
use super::{FilterError, Names, event};

/// How deep parentheses and negations may nest: a hostile filter must not cost the stack.
const MAX_DEPTH: usize = 64;

/// Reads a filter.
pub(super) fn parse(text: &str, names: &Names) -> Result<Expression, FilterError> {
    let tokens = tokens(text)?;
    let end = text.chars().count() + 1;
    let mut parser = Parser { tokens: &tokens, next: 0, end, names };
    let expression = parser.either(0)?;
    match parser.peek() {
        None => Ok(expression),
        Some(Token::Close) => Err(parser.error("this `)` closes nothing")),
        Some(_) => Err(parser.error("expected `&&`, `||` or the end of the filter")),
    }
}

struct Parser<'a> {
    tokens: &'a [Placed],
    next: usize,
    end: usize,
    names: &'a Names,
}

impl Parser<'_> {
    fn peek(&self) -> Option<&Token> {
        self.tokens.get(self.next).map(|placed| &placed.token)
    }

    fn column(&self) -> usize {
        self.tokens.get(self.next).map_or(self.end, |placed| placed.column)
    }

    /// An error at the next token.
    fn error(&self, message: impl Into<String>) -> FilterError {
        FilterError::new(self.column(), message)
    }

    fn take_if(&mut self, token: &Token) -> bool {
        let taken = self.peek() == Some(token);
        self.next += usize::from(taken);
        taken
    }

    fn expect(&mut self, token: &Token, what: &str) -> Result<(), FilterError> {
        if self.take_if(token) { Ok(()) } else { Err(self.error(format!("expected {what}"))) }
    }

    fn either(&mut self, depth: usize) -> Result<Expression, FilterError> {
        let mut parts = vec![self.both(depth)?];
        while self.take_if(&Token::Or) {
            parts.push(self.both(depth)?);
        }
        Ok(single(parts, Expression::Or))
    }

    fn both(&mut self, depth: usize) -> Result<Expression, FilterError> {
        let mut parts = vec![self.negated(depth)?];
        while self.take_if(&Token::And) {
            parts.push(self.negated(depth)?);
        }
        Ok(single(parts, Expression::And))
    }

    fn negated(&mut self, depth: usize) -> Result<Expression, FilterError> {
        if depth > MAX_DEPTH {
            return Err(self.error(format!("more than {MAX_DEPTH} parentheses and negations within each other")));
        }
        if self.take_if(&Token::Not) {
            return Ok(Expression::Not(Box::new(self.negated(depth + 1)?)));
        }
        if self.take_if(&Token::Open) {
            let inner = self.either(depth + 1)?;
            self.expect(&Token::Close, "`)`")?;
            return Ok(inner);
        }
        self.test()
    }

    fn test(&mut self) -> Result<Expression, FilterError> {
        let column = self.column();
        let operand = self.operand()?;
        if let Some(Token::Operator(operator)) = self.peek() {
            let operator = *operator;
            self.next += 1;
            return self.comparison(operand, operator, column);
        }
        let is_negated = self.peek() == Some(&Token::Not)
            && self.tokens.get(self.next + 1).is_some_and(|placed| placed.token == Token::In);
        self.next += usize::from(is_negated);
        if self.take_if(&Token::In) {
            let set = Expression::In(operand.clone(), self.set(&operand)?);
            return Ok(if is_negated { Expression::Not(Box::new(set)) } else { set });
        }
        refuse_bare_flag(&operand, column)?;
        Ok(Expression::Exists(operand))
    }

    fn operand(&mut self) -> Result<Operand, FilterError> {
        let Some(Token::Word(name)) = self.peek() else {
            return Err(self.error("expected a field, such as `tcp.flags.syn`, `!` or `(`"));
        };
        let operand = match name.strip_prefix(event::PREFIX) {
            Some(member) => event::MEMBERS.iter().find(|known| **known == member).map(|known| Operand::Event(known)),
            None => field::named(name).map(Operand::Packet),
        };
        let operand = operand.ok_or_else(|| self.error(unknown_field(name, self.names)))?;
        self.next += 1;
        Ok(operand)
    }

    fn comparison(&mut self, operand: Operand, operator: Operator, column: usize) -> Result<Expression, FilterError> {
        refuse_operator(&operand, operator, column)?;
        let at = self.column();
        let comparisons: Vec<Expression> = self
            .values(&operand, operator)?
            .into_iter()
            .map(|literal| Expression::Compare(operand.clone(), operator, literal))
            .collect();
        // The addresses of one name are alternatives: equal to any of them, or different from each.
        match operator {
            Operator::Eq => Ok(single(comparisons, Expression::Or)),
            Operator::Ne => Ok(single(comparisons, Expression::And)),
            Operator::Gt | Operator::Lt | Operator::Ge | Operator::Le | Operator::Contains if comparisons.len() > 1 => {
                Err(FilterError::new(at, "this name has several addresses; write the one that you mean"))
            }
            Operator::Gt | Operator::Lt | Operator::Ge | Operator::Le | Operator::Contains => {
                Ok(single(comparisons, Expression::Or))
            }
        }
    }

    fn set(&mut self, operand: &Operand) -> Result<Vec<Member>, FilterError> {
        self.expect(&Token::OpenSet, "`{` and the values, as in `tcp.port in {80, 443, 8000..8010}`")?;
        let mut members = Vec::new();
        loop {
            let column = self.column();
            let mut values = self.values(operand, Operator::Eq)?;
            match (self.take_if(&Token::To), values.as_slice()) {
                (true, [_]) => {
                    let low = values.remove(0);
                    let column = self.column();
                    let mut highs = self.values(operand, Operator::Le)?;
                    match highs.len() {
                        1 => members.push(Member::Range(low, highs.remove(0))),
                        _ => return Err(FilterError::new(column, "a range ends with one value")),
                    }
                }
                (true, _) => return Err(FilterError::new(column, "a range begins with one value")),
                (false, _) => members.extend(values.into_iter().map(Member::One)),
            }
            if self.take_if(&Token::CloseSet) {
                return Ok(members);
            }
            self.expect(&Token::Comma, "`,` or `}`")?;
        }
    }

    /// One value; several when a name has several addresses of the field's family.
    fn values(&mut self, operand: &Operand, operator: Operator) -> Result<Vec<Literal>, FilterError> {
        let literals = match (self.peek(), operand) {
            (Some(Token::Word(word)), Operand::Packet(field)) => {
                packet_values(field.kind, operator, word, self.names).map_err(|message| self.error(message))?
            }
            (Some(Token::Text(text)), Operand::Packet(field)) => {
                let kind = compared_kind(field.kind, operator);
                vec![Literal::of_text(kind, text).map_err(|message| self.error(message))?]
            }
            (Some(Token::Word(text) | Token::Text(text)), Operand::Event(member)) => {
                refuse_unknown_value(member, operator, text).map_err(|message| self.error(message))?;
                vec![Literal::Text(text.clone())]
            }
            (_, Operand::Packet(_) | Operand::Event(_)) => {
                return Err(self.error(format!("expected a value to compare {} with", operand.name())));
            }
        };
        self.next += 1;
        Ok(literals)
    }
}

fn single(mut parts: Vec<Expression>, several: fn(Vec<Expression>) -> Expression) -> Expression {
    match (parts.len(), parts.pop()) {
        (1, Some(only)) => only,
        (_, last) => {
            parts.extend(last);
            several(parts)
        }
    }
}

/// What a field is compared with: parts of a MAC address are octets.
fn compared_kind(kind: Kind, operator: Operator) -> Kind {
    if kind == Kind::Mac && operator == Operator::Contains { Kind::Bytes } else { kind }
}

fn packet_values(kind: Kind, operator: Operator, word: &str, names: &Names) -> Result<Vec<Literal>, String> {
    let unread = match Literal::of_word(compared_kind(kind, operator), word) {
        Ok(literal) => return Ok(vec![literal]),
        Err(message) => message,
    };
    if !matches!(kind, Kind::Ipv4 | Kind::Ipv6) {
        return Err(unread);
    }
    let Some(addresses) = names.lookup(word) else {
        return Err(format!("{unread}{}", closest(word, names.iter().map(|(name, _)| name))));
    };
    let literals: Vec<Literal> = addresses.iter().filter_map(|address| Literal::of_address(kind, *address)).collect();
    if literals.is_empty() {
        let (family, other) = if kind == Kind::Ipv4 { ("IPv4", "ipv6.addr") } else { ("IPv6", "ip.addr") };
        return Err(format!("`{word}` has no {family} address; did you mean {other}?"));
    }
    Ok(literals)
}

/// A flag alone asks in Wireshark whether the field is *there*, which it is in every header, set or not. Whoever writes
/// `!tcp.flags.ack` means something else, so both forms are refused rather than read in one of two ways.
fn refuse_bare_flag(operand: &Operand, column: usize) -> Result<(), FilterError> {
    let name = operand.name();
    let is_always_there = match operand {
        Operand::Packet(field) => field.kind == Kind::Flag && !name.starts_with("http."),
        Operand::Event(member) => matches!(*member, "ok" | "is_error"),
    };
    if !is_always_there {
        return Ok(());
    }
    let message = format!(
        "`{name}` alone asks whether the field is there, which it is whether set or not; \
         write `{name} == 1` for set, `{name} == 0` for not set"
    );
    Err(FilterError::new(column, message))
}

fn refuse_operator(operand: &Operand, operator: Operator, column: usize) -> Result<(), FilterError> {
    let Operand::Packet(field) = operand else {
        return Ok(());
    };
    let name = field.name;
    let message = match (field.kind, operator) {
        (Kind::Protocol, Operator::Contains) => return Ok(()),
        (Kind::Protocol, _) => format!("`{name}` is a protocol: it is there or not; compare one of its fields"),
        (Kind::Bytes | Kind::Text | Kind::Mac, Operator::Contains) => return Ok(()),
        (kind, Operator::Contains) => format!("`contains` looks into texts and octets, not into {}", kind.noun()),
        (Kind::Bytes, Operator::Gt | Operator::Lt | Operator::Ge | Operator::Le) => {
            format!("octets have no order; compare `{name}` with ==, != or contains")
        }
        (
            Kind::Number(_) | Kind::Flag | Kind::Ipv4 | Kind::Ipv6 | Kind::Mac | Kind::Bytes | Kind::Text | Kind::Span,
            _,
        ) => {
            return Ok(());
        }
    };
    Err(FilterError::new(column, message))
}

/// Members with a closed list of values are compared with one of them: a mistyped one would match nothing for ever.
fn refuse_unknown_value(member: &str, operator: Operator, word: &str) -> Result<(), String> {
    let Some(known) = event::values_of(member)
        .filter(|known| matches!(operator, Operator::Eq | Operator::Ne) && !known.contains(&word))
    else {
        return Ok(());
    };
    let what = if member == "kind" { "no event is called".to_owned() } else { format!("`event.{member}` is never") };
    Err(format!("{what} `{word}`{}; known are {}", closest(word, known.iter().copied()), known.join(", ")))
}
