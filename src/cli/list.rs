//! `wireglass list`: which labs there are, by theme or in the order of a course.

use std::fmt::Write as _;

use serde::Serialize;

use super::learn::progress::Progress;
use super::meant::ListTask;
use super::terminal::Terminal;
use super::{Failure, Outcome};
use crate::lab::{Catalogue, Definition, Entry, LabError, Node, Track};
use crate::report;

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
    /// How it can be run: `sim`, and `live` where a node is a kernel or a stack behind a door.
    modes: Vec<&'static str>,
    /// Real programs that a live run calls.
    programs: Vec<String>,
    /// Whether it was run here with every check passing.
    passed: bool,
}

impl Row {
    fn of(entry: &Entry, progress: &Progress) -> Result<Row, LabError> {
        let lab = Definition::parse(&entry.file, &entry.text)?;
        let has_kernel = lab.nodes.iter().any(Node::is_linux);
        let mut programs: Vec<String> =
            lab.steps.iter().filter_map(|step| step.exec.as_ref()?.first().cloned()).collect();
        programs.sort();
        programs.dedup();
        Ok(Row {
            passed: progress.has_passed(&lab.id),
            id: lab.id,
            theme: entry.theme.clone(),
            title: lab.title,
            summary: lab.summary,
            minutes: lab.minutes,
            rfc: lab.rfc,
            breaks: lab.breaks.into_iter().map(|variant| variant.name).collect(),
            modes: if has_kernel { vec!["sim", "live"] } else { vec!["sim"] },
            programs,
        })
    }

    /// What it needs, and what can be broken: a line each.
    fn details(&self) -> Vec<String> {
        let needs = self.modes.join(" or ");
        let programs =
            if self.programs.is_empty() { String::new() } else { format!(" (with {})", self.programs.join(", ")) };
        let breaks = (!self.breaks.is_empty()).then(|| format!("--break {}", self.breaks.join(", ")));
        [format!("{needs}{programs}")].into_iter().chain(breaks).collect()
    }
}

/// Lists the labs that are built into the binary.
pub(super) fn list(task: &ListTask, terminal: &Terminal) -> Result<Outcome, Failure> {
    let catalogue = Catalogue::built_in();
    let progress = Progress::open();
    let track = task.track.as_ref().map(|name| catalogue.track(name)).transpose()?;
    let entries: Vec<&Entry> = match track {
        Some(track) => catalogue.of_track(track),
        None => catalogue.entries().iter().collect(),
    };
    let rows = entries.into_iter().map(|entry| Row::of(entry, &progress)).collect::<Result<Vec<_>, _>>()?;
    if task.json {
        terminal.print_json(&rows)?;
        return Ok(Outcome::Well);
    }
    let text = match track {
        Some(track) => of_track(track, &rows, *terminal),
        None => by_theme(&rows, catalogue.tracks(), *terminal),
    };
    terminal.print(&text)?;
    Ok(Outcome::Well)
}

/// The labs below the headings of their themes.
fn by_theme(rows: &[Row], tracks: &[Track], terminal: Terminal) -> String {
    let mut text = String::new();
    let mut theme = "";
    for row in rows {
        if row.theme != theme {
            let _ = writeln!(text, "{}{}", if theme.is_empty() { "" } else { "\n" }, terminal.bold(&row.theme));
            theme = &row.theme;
        }
        tell(row, rows, terminal, &mut text);
    }
    if rows.iter().any(|row| row.passed) {
        let mark = if terminal.unicode { "✓" } else { "*" };
        let _ = write!(text, "\n{mark} all checks have passed here");
    }
    text.push_str("\nwireglass run LAB, by number, name, or the folder of a lab of your own\n");
    if !tracks.is_empty() {
        let names: Vec<&str> = tracks.iter().map(|track| track.name.as_str()).collect();
        let _ = writeln!(text, "wireglass list --track NAME, a course in its order: {}", names.join(", "));
    }
    text
}

/// The labs of a course, in its order.
fn of_track(track: &Track, rows: &[Row], terminal: Terminal) -> String {
    let mut text = format!("{}\n", terminal.bold(&track.name));
    text.push_str(&report::paragraph(&track.summary, 0, &terminal.style(false)));
    text.push('\n');
    for row in rows {
        tell(row, rows, terminal, &mut text);
    }
    let minutes: u32 = rows.iter().map(|row| row.minutes).sum();
    let passed = rows.iter().filter(|row| row.passed).count();
    let _ = writeln!(text, "\n{passed} of {} labs passed, {minutes} minutes in all", rows.len());
    if let Some(row) = rows.iter().find(|row| !row.passed) {
        let _ = writeln!(text, "next: wireglass run {}", row.id.split('-').next().unwrap_or_default());
    }
    text
}

fn tell(row: &Row, rows: &[Row], terminal: Terminal, text: &mut String) {
    let widest = rows.iter().map(|row| row.id.chars().count()).max().unwrap_or(0);
    let mark = match (row.passed, terminal.unicode) {
        (true, true) => terminal.green("✓"),
        (true, false) => terminal.green("*"),
        (false, _) => " ".to_owned(),
    };
    let style = terminal.style(false);
    // The mark, the name, the minutes.
    let indent = 2 + widest + 2 + 7 + 2;
    let title = report::paragraph(&row.title, indent, &style);
    let _ = write!(text, "{mark} {:widest$}  {:3} min  {}", row.id, row.minutes, title.trim_start());
    for line in row.details() {
        text.push_str(&report::paragraph(&line, indent, &style));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(id: &str, theme: &str, breaks: &[&str], passed: bool) -> Row {
        Row {
            id: id.to_owned(),
            theme: theme.to_owned(),
            title: "Title".to_owned(),
            summary: String::new(),
            minutes: 15,
            rfc: Vec::new(),
            breaks: breaks.iter().map(|name| (*name).to_owned()).collect(),
            modes: vec!["sim", "live"],
            programs: if passed { vec!["curl".to_owned()] } else { Vec::new() },
            passed,
        }
    }

    const PLAIN: Terminal = Terminal { is_terminal: false, colour: false, width: 80, unicode: true };

    fn rows() -> [Row; 3] {
        [
            row("10-a", "1-first", &[], true),
            row("14-bcd", "1-first", &["x", "y"], false),
            row("20-e", "2-next", &[], false),
        ]
    }

    #[test]
    fn labs_stand_below_their_themes_with_what_they_need() {
        let expected = "1-first
✓ 10-a     15 min  Title
                   sim or live (with curl)
  14-bcd   15 min  Title
                   sim or live
                   --break x, y

2-next
  20-e     15 min  Title
                   sim or live

✓ all checks have passed here
wireglass run LAB, by number, name, or the folder of a lab of your own
";
        assert_eq!(by_theme(&rows(), &[], PLAIN), expected);
    }

    #[test]
    fn a_course_says_what_is_done_and_what_comes_next() {
        let track = Track { name: "backend".to_owned(), summary: "For those.".to_owned(), labs: Vec::new() };
        let text = of_track(&track, &rows(), Terminal { unicode: false, ..PLAIN });
        assert!(text.starts_with("backend\nFor those.\n\n* 10-a "), "{text}");
        assert!(text.ends_with("\n1 of 3 labs passed, 45 minutes in all\nnext: wireglass run 14\n"), "{text}");
        assert!(text.is_ascii(), "{text}");
    }
}
