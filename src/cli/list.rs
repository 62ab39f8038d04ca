//! `wireglass list`: which labs there are.

use std::fmt::Write as _;

use serde::Serialize;

use super::meant::ListTask;
use super::terminal::Terminal;
use super::{Failure, Outcome};
use crate::lab::{Catalogue, Definition, Entry, LabError};

/// One lab in a list.
#[derive(Serialize)]
struct Row {
    id: String,
    theme: String,
    title: String,
    summary: String,
    minutes: u32,
    rfc: Vec<String>,
    breaks: Vec<String>,
}

impl Row {
    fn of(entry: &Entry) -> Result<Row, LabError> {
        let lab = Definition::parse(&entry.file, &entry.text)?;
        Ok(Row {
            id: lab.id,
            theme: entry.theme.clone(),
            title: lab.title,
            summary: lab.summary,
            minutes: lab.minutes,
            rfc: lab.rfc,
            breaks: lab.breaks.into_iter().map(|variant| variant.name).collect(),
        })
    }
}

/// Lists the labs that are built into the binary.
pub(super) fn list(task: &ListTask, terminal: &Terminal) -> Result<Outcome, Failure> {
    let catalogue = Catalogue::built_in();
    let rows = catalogue.entries().iter().map(Row::of).collect::<Result<Vec<_>, _>>()?;
    if task.json {
        terminal.print_json(&rows)?;
    } else {
        terminal.print(&told(&rows, *terminal))?;
    }
    Ok(Outcome::Well)
}

/// The labs below the headings of their themes.
fn told(rows: &[Row], terminal: Terminal) -> String {
    let mut text = String::new();
    let widest = rows.iter().map(|row| row.id.chars().count()).max().unwrap_or(0);
    let mut theme = "";
    for row in rows {
        if row.theme != theme {
            let _ = writeln!(text, "{}{}", if theme.is_empty() { "" } else { "\n" }, terminal.bold(&row.theme));
            theme = &row.theme;
        }
        let _ = writeln!(text, "  {:widest$}  {:3} min  {}", row.id, row.minutes, row.title);
        if !row.breaks.is_empty() {
            let _ = writeln!(text, "  {:widest$}           --break {}", "", row.breaks.join(", "));
        }
    }
    text.push_str("\nwireglass run LAB, by number, name, or the folder of a lab of your own\n");
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(id: &str, theme: &str, breaks: &[&str]) -> Row {
        Row {
            id: id.to_owned(),
            theme: theme.to_owned(),
            title: "Title".to_owned(),
            summary: String::new(),
            minutes: 15,
            rfc: Vec::new(),
            breaks: breaks.iter().map(|name| (*name).to_owned()).collect(),
        }
    }

    #[test]
    fn labs_stand_below_their_themes_with_their_breaks() {
        let plain = Terminal { is_terminal: false, colour: false, width: 100, unicode: true };
        let rows = [row("10-a", "1-first", &[]), row("14-bcd", "1-first", &["x", "y"]), row("20-e", "2-next", &[])];
        let expected = "1-first
  10-a     15 min  Title
  14-bcd   15 min  Title
                   --break x, y

2-next
  20-e     15 min  Title

wireglass run LAB, by number, name, or the folder of a lab of your own
";
        assert_eq!(told(&rows, plain), expected);
    }
}
