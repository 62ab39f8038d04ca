//! What is no TOML at all, told with what to write instead.

use super::brackets;
use super::error::{Fault, one_line};

/// What the parser finds wrong, and what mends it.
const MENDS: [(&str, &str); 14] = [
    ("carriage return must", "end lines as your editor does: LF, or CR and LF"),
    ("extra `=`", "one `=` stands between a key and its value"),
    ("extra comma", "take one of the commas out"),
    ("invalid basic string", "a text ends with the quote that it began with, on the same line"),
    ("invalid literal string", "a text ends with the quote that it began with, on the same line"),
    ("invalid multi-line", "a text in three quotes ends with three quotes"),
    ("key with no value", "write `key = value`"),
    ("missing comma between array", "put a comma between two values, or `]` behind the last"),
    ("missing comma between key-value", "put a comma between two values, or `}` behind the last"),
    ("missing value", "write the value behind the `=`"),
    ("string values must be quoted", "a text stands in double quotes"),
    ("unclosed array", "put `]` behind the last value"),
    ("unclosed table", "a table's name ends with `]` on the same line"),
    ("unexpected leading zero", "write the number without the zero"),
];

/// Refuses characters that no TOML file has, which a parser would tell of in a roundabout way.
pub(super) fn check(text: &str) -> Result<(), Fault> {
    let is_wrong = |char: &(usize, char)| char.1.is_control() && !matches!(char.1, '\t' | '\n' | '\r');
    match text.char_indices().find(is_wrong) {
        None if text.trim().is_empty() => {
            Err(Fault::new(0..0, "the file is empty; `wireglass new NAME` makes a lab to begin with"))
        }
        None => Ok(()),
        Some((at, char)) => {
            let found = format!("found U+{:04X}, which nobody sees; take it out", u32::from(char));
            Err(Fault::new(at..at, found))
        }
    }
}

/// What the parser says, and what to do.
pub(super) fn fault(error: &toml::de::Error, text: &str) -> Fault {
    let at = error.span().unwrap_or(0..0);
    let message = one_line(error.message());
    if message == "duplicate key" {
        let key = text.get(at.clone()).unwrap_or_default();
        if brackets::LISTS.contains(&key) {
            let message =
                format!("`{key}` stood in single brackets, or had a value, before; write `[[{key}]]` each time");
            return Fault::new(at, message);
        }
        return Fault::new(
            at,
            format!("`{key}` stands here for the second time; keep one, or name this one otherwise"),
        );
    }
    let message = message.trim_end_matches(", expected nothing");
    let mend = MENDS.iter().find(|(start, _)| message.starts_with(start));
    Fault::new(at, mend.map_or_else(|| message.to_owned(), |(_, mend)| format!("{message}; {mend}")))
}
