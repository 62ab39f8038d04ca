//! Tables as a lab file has them: `posts = { columns = ["id", "title"], rows = [[1, "Scaling Backend APIs"]] }`.

use std::collections::BTreeMap;
use std::fmt;

use serde::Deserialize;

use super::statement::Select;

/// All tables, by name.
pub(super) type Tables = BTreeMap<String, Table>;

/// A table. Each row has a value for each column, and a column has numbers or texts, not both.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "Written")]
pub(super) struct Table {
    columns: Vec<String>,
    rows: Vec<Vec<Value>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    columns: Vec<String>,
    rows: Vec<Vec<Value>>,
}

/// What stands in a row.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(untagged, expecting = "expected a number or a text")]
pub(super) enum Value {
    /// `int8`
    Number(i64),
    /// `text`
    Text(String),
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Value::Number(number) => write!(f, "{number}"),
            Value::Text(text) => f.write_str(text),
        }
    }
}

impl TryFrom<Written> for Table {
    type Error = String;

    fn try_from(written: Written) -> Result<Table, String> {
        let Written { columns, rows } = written;
        for (row, number) in rows.iter().zip(1..) {
            if row.len() != columns.len() {
                return Err(format!("row {number} has {} values, and there are {} columns", row.len(), columns.len()));
            }
            let differs = |(value, first): (&Value, &Value)| {
                matches!(value, Value::Number(_)) != matches!(first, Value::Number(_))
            };
            if rows.first().is_some_and(|first| row.iter().zip(first).any(differs)) {
                return Err(format!("row {number} has a text where the first has a number, or the other way round"));
            }
        }
        Ok(Table { columns, rows })
    }
}

/// Why a statement is refused: a code (PostgreSQL's documentation, Appendix A) and a text.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Refusal {
    pub(super) code: &'static str,
    pub(super) text: String,
}

impl Refusal {
    pub(super) fn syntax(word: &str) -> Refusal {
        Refusal { code: "42601", text: format!("syntax error at or near \"{word}\"") }
    }

    pub(super) fn end() -> Refusal {
        Refusal { code: "42601", text: "syntax error at end of input".to_owned() }
    }

    fn no_table(name: &str) -> Refusal {
        Refusal { code: "42P01", text: format!("relation \"{name}\" does not exist") }
    }

    fn no_column(name: &str) -> Refusal {
        Refusal { code: "42703", text: format!("column \"{name}\" does not exist") }
    }
}

/// What was found.
pub(super) struct Found<'a> {
    /// Name of each column, and whether it has numbers.
    pub(super) columns: Vec<(&'a str, bool)>,
    pub(super) rows: Vec<Vec<&'a Value>>,
}

/// The rows that are asked for, in their table's order.
///
/// # Errors
/// When there is no such table or column.
pub(super) fn find<'a>(tables: &'a Tables, select: &Select) -> Result<Found<'a>, Refusal> {
    let table = tables.get(&select.table).ok_or_else(|| Refusal::no_table(&select.table))?;
    let place =
        |name: &String| table.columns.iter().position(|column| column == name).ok_or_else(|| Refusal::no_column(name));
    let places = match &select.columns {
        Some(names) => names.iter().map(place).collect::<Result<Vec<usize>, Refusal>>()?,
        None => (0..table.columns.len()).collect(),
    };
    let condition = match &select.condition {
        Some((column, keys)) => Some((place(column)?, keys)),
        None => None,
    };
    let is_meant = |row: &&Vec<Value>| {
        condition
            .is_none_or(|(place, keys)| matches!(row.get(place), Some(Value::Number(number)) if keys.contains(number)))
    };
    let has_numbers = |place: usize| {
        table.rows.first().and_then(|row| row.get(place)).is_some_and(|value| matches!(value, Value::Number(_)))
    };
    let name = |place: usize| table.columns.get(place).map_or("", String::as_str);
    Ok(Found {
        columns: places.iter().map(|place| (name(*place), has_numbers(*place))).collect(),
        rows: table
            .rows
            .iter()
            .filter(is_meant)
            .map(|row| places.iter().filter_map(|place| row.get(*place)).collect())
            .collect(),
    })
}
