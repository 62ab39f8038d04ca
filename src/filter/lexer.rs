//! Text to tokens.

use super::FilterError;

/// What a filter is made of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Token {
    /// A field, a number, an address, a name: anything without quotes.
    Word(String),
    /// A text in quotes, its escapes resolved.
    Text(String),
    /// `&&`, `and`
    And,
    /// `||`, `or`
    Or,
    /// `!`, `not`
    Not,
    /// `(`
    Open,
    /// `)`
    Close,
    /// `{`
    OpenSet,
    /// `}`
    CloseSet,
    /// `,`
    Comma,
    /// `..`
    To,
    /// A comparison.
    Operator(Operator),
    /// `in`
    In,
}

/// How a field is compared with a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Operator {
    /// Any of the field's values equals.
    Eq,
    /// The field is there and none of its values equals (as Wireshark 4 has it).
    Ne,
    /// Any value is greater.
    Gt,
    /// Any value is less.
    Lt,
    /// Any value is greater or equal.
    Ge,
    /// Any value is less or equal.
    Le,
    /// Any value has this within it.
    Contains,
}

impl Operator {
    /// As Wireshark prints it.
    pub(super) fn symbol(self) -> &'static str {
        match self {
            Operator::Eq => "==",
            Operator::Ne => "!=",
            Operator::Gt => ">",
            Operator::Lt => "<",
            Operator::Ge => ">=",
            Operator::Le => "<=",
            Operator::Contains => "contains",
        }
    }
}

/// A token and the column where it begins, from 1.
#[derive(Clone, Debug)]
pub(super) struct Placed {
    /// What stands there.
    pub(super) token: Token,
    /// In characters, from 1.
    pub(super) column: usize,
}

/// The symbols, longest first.
const SYMBOLS: [(&str, Token); 16] = [
    ("&&", Token::And),
    ("||", Token::Or),
    ("==", Token::Operator(Operator::Eq)),
    ("!=", Token::Operator(Operator::Ne)),
    (">=", Token::Operator(Operator::Ge)),
    ("<=", Token::Operator(Operator::Le)),
    ("..", Token::To),
    (">", Token::Operator(Operator::Gt)),
    ("<", Token::Operator(Operator::Lt)),
    ("!", Token::Not),
    ("(", Token::Open),
    (")", Token::Close),
    ("{", Token::OpenSet),
    ("}", Token::CloseSet),
    (",", Token::Comma),
    ("\u{2260}", Token::Operator(Operator::Ne)),
];

/// Operators that Wireshark has and this subset has not; each would otherwise be read as a shorter one.
const REFUSED: [(&str, &str); 4] = [
    ("===", "`===` is not supported; `==` is true when any value of the field is equal"),
    ("!==", "`!==` is not supported; write `!(field == value)`"),
    ("~=", "`~=` is not supported; write `!(field == value)` or `field != value`"),
    ("~", "regular expressions are not supported; use `contains`"),
];

/// Cuts a filter into tokens.
pub(super) fn tokens(text: &str) -> Result<Vec<Placed>, FilterError> {
    let mut tokens = Vec::new();
    let mut rest = text;
    loop {
        rest = rest.trim_start();
        let column = column_of(text, rest);
        let Some(first) = rest.chars().next() else {
            return Ok(tokens);
        };
        let (token, length) = if first == '"' {
            quoted(rest, column)?
        } else if is_word(first) && !rest.starts_with("..") {
            let length = word_length(rest);
            (word(&rest[..length], column)?, length)
        } else {
            symbol(rest, column)?
        };
        tokens.push(Placed { token, column });
        rest = &rest[length..];
    }
}

/// The column of `rest`, a tail of `text`.
fn column_of(text: &str, rest: &str) -> usize {
    text.chars().count() - rest.chars().count() + 1
}

fn is_word(character: char) -> bool {
    character.is_alphanumeric() || matches!(character, '_' | '-' | '.' | ':' | '/')
}

/// Octets of the word that `text` begins with; `..` ends it, so that `1..5` is a range.
fn word_length(text: &str) -> usize {
    let end = text.find(|character| !is_word(character)).unwrap_or(text.len());
    text[..end].find("..").unwrap_or(end)
}

fn word(word: &str, column: usize) -> Result<Token, FilterError> {
    Ok(match word {
        "and" => Token::And,
        "or" => Token::Or,
        "not" => Token::Not,
        "in" => Token::In,
        "eq" => Token::Operator(Operator::Eq),
        "ne" => Token::Operator(Operator::Ne),
        "gt" => Token::Operator(Operator::Gt),
        "lt" => Token::Operator(Operator::Lt),
        "ge" => Token::Operator(Operator::Ge),
        "le" => Token::Operator(Operator::Le),
        "contains" => Token::Operator(Operator::Contains),
        "matches" => {
            return Err(FilterError::new(column, "`matches` (regular expressions) is not supported; use `contains`"));
        }
        other => Token::Word(other.to_owned()),
    })
}

fn symbol(rest: &str, column: usize) -> Result<(Token, usize), FilterError> {
    if let Some((_, message)) = REFUSED.iter().find(|(symbol, _)| rest.starts_with(symbol)) {
        return Err(FilterError::new(column, *message));
    }
    if let Some((symbol, token)) = SYMBOLS.iter().find(|(symbol, _)| rest.starts_with(symbol)) {
        return Ok((token.clone(), symbol.len()));
    }
    let message = match rest.chars().next() {
        Some('=') => "`=` is no comparison; write `==`".to_owned(),
        Some('&') => {
            "`&` on bits is not supported; write `&&` for \"and\", `tcp.flags.syn == 1` for one flag".to_owned()
        }
        Some('|') => "`|` means nothing here; write `||` for \"or\"".to_owned(),
        Some('[') => "slices of fields are not supported; use `contains`".to_owned(),
        Some(other) => format!("`{other}` means nothing in a filter; a text goes into double quotes"),
        None => "expected something here".to_owned(),
    };
    Err(FilterError::new(column, message))
}

/// A text in quotes, and how many octets of `rest` it takes.
fn quoted(rest: &str, column: usize) -> Result<(Token, usize), FilterError> {
    let mut text = String::new();
    let mut characters = rest.char_indices().skip(1);
    while let Some((at, character)) = characters.next() {
        match character {
            '"' => return Ok((Token::Text(text), at + 1)),
            '\\' => {
                let escaped = characters.next().map(|(_, escaped)| escaped);
                text.push(match escaped {
                    Some('n') => '\n',
                    Some('r') => '\r',
                    Some('t') => '\t',
                    Some(same @ ('"' | '\\')) => same,
                    Some(other) => {
                        let message = format!("`\\{other}` is no escape; known are \\n \\r \\t \\\" \\\\");
                        return Err(FilterError::new(column + rest[..at].chars().count(), message));
                    }
                    None => break,
                });
            }
            other => text.push(other),
        }
    }
    Err(FilterError::new(column, "this text has no closing double quote"))
}
