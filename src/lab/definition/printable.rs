//! Texts that may go to a terminal: a lab is often a stranger's, and its texts are shown as they are.
//!
//! An escape sequence in a title could repaint the screen, a character that reverses text could hide what a filter says.
//! So the whole document is searched before any of it is read. What a program is given (`body`, `exec`) is its own
//! affair, and never printed raw.

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::error::{Fault, is_unseen};

/// Keys whose values are bytes for a program.
const FOR_PROGRAMS: [&str; 2] = ["body", "exec"];
/// Keys whose values stand in one line of a list, a heading or a question.
const IN_ONE_LINE: [&str; 8] = ["id", "title", "summary", "rfc", "name", "teaches", "that", "ask"];

/// Refuses the first text that could not be shown as it is.
pub(super) fn check(table: &DeTable<'_>) -> Result<(), Fault> {
    for (key, value) in table {
        check_text(key.get_ref(), key.get_ref(), key.span().start, true)?;
        if !FOR_PROGRAMS.contains(&key.get_ref().as_ref()) {
            check_value(key.get_ref(), value)?;
        }
    }
    Ok(())
}

fn check_value(key: &str, value: &Spanned<DeValue<'_>>) -> Result<(), Fault> {
    match value.get_ref() {
        DeValue::String(text) => check_text(key, text, value.span().start, IN_ONE_LINE.contains(&key)),
        DeValue::Array(values) => values.iter().try_for_each(|value| check_value(key, value)),
        DeValue::Table(table) => check(table),
        DeValue::Integer(_) | DeValue::Float(_) | DeValue::Boolean(_) | DeValue::Datetime(_) => Ok(()),
    }
}

fn check_text(key: &str, text: &str, at: usize, is_one_line: bool) -> Result<(), Fault> {
    let is_break = |char: char| matches!(char, '\n' | '\r' | '\t');
    let Some(wrong) = text.chars().find(|char| is_unseen(*char) && (is_one_line || !is_break(*char))) else {
        return Ok(());
    };
    let found = format!("found U+{:04X}", u32::from(wrong));
    let message = match (is_break(wrong), key == text) {
        (_, true) => format!("a name is made of visible characters; {found}"),
        (true, false) => format!("`{key}` is one line of visible characters; {found}"),
        (false, false) => format!("`{key}` is text that is shown, without control characters; {found}"),
    };
    Err(Fault { at, message })
}
