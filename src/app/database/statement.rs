//! The statements that are understood: `SELECT a, b FROM table WHERE column IN (1, 2)`.
//!
//! Words may be in small or capital letters. Comments `/* … */` are passed over, as in any SQL: an application says in
//! one which of its requests has asked.

use super::table::Refusal;

/// The most numbers that a condition lists.
const MOST_KEYS: usize = 10_000;

/// What is to be found.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Select {
    /// By name, in this order; `None` stands for all, `*`.
    pub(super) columns: Option<Vec<String>>,
    pub(super) table: String,
    /// Which column has to have one of which values.
    pub(super) condition: Option<(String, Vec<i64>)>,
}

/// Reads a statement.
///
/// # Errors
/// Where it is none, as PostgreSQL says it.
pub(super) fn read(statement: &str) -> Result<Select, Refusal> {
    let words = words(statement);
    let mut reader = Reader { words: words.into_iter() };
    reader.keyword("select")?;
    let columns = reader.columns()?;
    let table = name(reader.word()?)?;
    let mut condition = None;
    let mut next = reader.words.next();
    if next.is_some_and(|word| word.eq_ignore_ascii_case("where")) {
        condition = Some(reader.condition()?);
        next = reader.words.next();
    }
    match next {
        None => Ok(Select { columns, table, condition }),
        Some(";") if reader.words.next().is_none() => Ok(Select { columns, table, condition }),
        Some(word) => Err(Refusal::syntax(word)),
    }
}

/// The statement's words and signs, without comments.
fn words(statement: &str) -> Vec<&str> {
    let mut words = Vec::new();
    let mut rest = statement.trim_start();
    while let Some(first) = rest.chars().next() {
        let after = if let Some(comment) = rest.strip_prefix("/*") {
            comment.find("*/").and_then(|end| comment.get(end + 2..)).unwrap_or_default()
        } else {
            let is_word = |char: char| char.is_alphanumeric() || matches!(char, '_' | '-');
            let length = match rest.find(|char| !is_word(char)).unwrap_or(rest.len()) {
                0 => first.len_utf8(),
                length => length,
            };
            let (word, after) = rest.split_at(length);
            words.push(word);
            after
        };
        rest = after.trim_start();
    }
    words
}

fn name(word: &str) -> Result<String, Refusal> {
    let is_name = word.starts_with(|char: char| char.is_alphabetic() || char == '_');
    if is_name { Ok(word.to_owned()) } else { Err(Refusal::syntax(word)) }
}

struct Reader<'a, W: Iterator<Item = &'a str>> {
    words: W,
}

impl<'a, W: Iterator<Item = &'a str>> Reader<'a, W> {
    fn word(&mut self) -> Result<&'a str, Refusal> {
        self.words.next().ok_or_else(Refusal::end)
    }

    /// A word or sign that has to stand here.
    fn keyword(&mut self, wanted: &str) -> Result<(), Refusal> {
        let word = self.word()?;
        if word.eq_ignore_ascii_case(wanted) { Ok(()) } else { Err(Refusal::syntax(word)) }
    }

    /// The columns, and the `FROM` that ends them.
    fn columns(&mut self) -> Result<Option<Vec<String>>, Refusal> {
        let mut columns = match self.word()? {
            "*" => return self.keyword("from").map(|()| None),
            word => vec![name(word)?],
        };
        loop {
            match self.word()? {
                "," => columns.push(name(self.word()?)?),
                word if word.eq_ignore_ascii_case("from") => return Ok(Some(columns)),
                word => return Err(Refusal::syntax(word)),
            }
        }
    }

    fn condition(&mut self) -> Result<(String, Vec<i64>), Refusal> {
        let column = name(self.word()?)?;
        let word = self.word()?;
        if word == "=" {
            return Ok((column, vec![self.number()?]));
        }
        if !word.eq_ignore_ascii_case("in") {
            return Err(Refusal::syntax(word));
        }
        self.keyword("(")?;
        let mut keys = vec![self.number()?];
        loop {
            match self.word()? {
                ")" => return Ok((column, keys)),
                "," if keys.len() < MOST_KEYS => keys.push(self.number()?),
                word => return Err(Refusal::syntax(word)),
            }
        }
    }

    fn number(&mut self) -> Result<i64, Refusal> {
        let word = self.word()?;
        word.parse().map_err(|_| Refusal::syntax(word))
    }
}
