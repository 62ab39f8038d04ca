//! `wireglass compare`: one lab on several TCPs, one table.

use std::fmt::Write as _;
use std::path::Path;
use std::time::Duration;

use super::meant::CompareTask;
use super::run::describe;
use super::terminal::Terminal;
use super::{Failure, Outcome};
use crate::host::RunAs;
use crate::lab::{self, Catalogue, Column, CompareOptions, Comparison, Definition, Figures, Mode};
use crate::report::{self, Row};

/// What stands where a stack does not tell.
const UNTOLD: &str = "–";
/// What stands where there was nothing to measure.
const NO_LOSS: &str = "no loss";
/// What is to strike the eye below the table.
const NOT_HERE: &str = "not here:";
const FAILED: &str = "failed:";
const INTERRUPTED: &str = "interrupted:";

/// Writes one figure.
type Cell = fn(&Figures) -> String;

/// Compares.
pub(super) fn compare(task: &CompareTask, terminal: &Terminal) -> Result<Outcome, Failure> {
    let lab = find(task)?;
    let options = CompareOptions {
        seed: task.seed,
        out: task.out.clone(),
        describe: Some(describe),
        owner: RunAs::caller().map(|caller| (caller.uid, caller.gid)),
        holder: None,
    };
    let comparison = lab::compare(&lab, &options).map_err(|error| Failure::Input(error.to_string()))?;
    if task.json {
        terminal.print_json(&comparison)?;
    } else {
        terminal.print(&told(&comparison, *terminal))?;
    }
    Ok(if comparison.interrupted {
        Outcome::Interrupted
    } else if comparison.columns.iter().all(|column| column.failures.is_empty()) {
        Outcome::Well
    } else {
        Outcome::Failed
    })
}

fn find(task: &CompareTask) -> Result<Definition, Failure> {
    let input = |error: lab::LabError| Failure::Input(error.to_string());
    let lab = Catalogue::built_in().find(&task.lab).map_err(input)?;
    match &task.variant {
        Some(name) => lab.with_break(name).map_err(input),
        None => Ok(lab),
    }
}

/// The table, and below it what has to be known of its columns.
fn told(comparison: &Comparison, terminal: Terminal) -> String {
    let Comparison { lab, title, variant, seed, columns, interrupted: _ } = comparison;
    let variant = variant.as_ref().map(|name| format!(", --break {name}")).unwrap_or_default();
    let mut text = format!("{} {title} (seed {seed}{variant})\n\n", terminal.bold(lab));
    text.push_str(&report::table(&headings(columns), &rows(columns), &terminal.style(false)));
    let mut notes = Vec::new();
    for column in columns {
        let name = column.stack.name();
        notes.extend(column.unavailable.iter().map(|why| format!("{name}: {NOT_HERE} {why}")));
        notes.extend(column.notes.iter().map(|note| format!("{name}: {note}")));
        notes.extend(column.failures.iter().map(|failure| format!("{name}: {FAILED} {failure}")));
        if column.figures.as_ref().is_some_and(|figures| !figures.tells_window) {
            notes.push(format!("{name}: does not tell its congestion window"));
        }
    }
    if comparison.interrupted {
        notes.push(format!("{INTERRUPTED} the last column is what was seen until then"));
    }
    for note in notes {
        let mut note = report::hanging(&note, &terminal.style(false));
        for warning in [NOT_HERE, FAILED, INTERRUPTED] {
            note = note.replacen(warning, &terminal.yellow(warning), 1);
        }
        let _ = write!(text, "\n{note}");
    }
    text.push('\n');
    text.push_str(&files(columns, terminal));
    if terminal.unicode { text } else { text.replace(UNTOLD, "-").replace('→', "->").replace('∞', "inf") }
}

/// Where the columns' captures are.
fn files(columns: &[Column], terminal: Terminal) -> String {
    let name = |path: &Path| path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let mut text = String::new();
    for column in columns {
        let Some(folder) = column.captures.first().and_then(|first| first.parent()) else { continue };
        let names: Vec<String> = column.captures.iter().map(|path| name(path)).collect();
        let heading = if text.is_empty() { format!("\n{} ", terminal.bold("Files")) } else { " ".repeat(6) };
        let _ = writeln!(text, "{heading}{}/: {}, layers.txt, journal.jsonl", folder.display(), names.join(", "));
    }
    text
}

fn headings(columns: &[Column]) -> [Row; 2] {
    let mode = |column: &Column| match (column.mode, &column.unavailable) {
        (_, Some(_)) => "not here",
        (Mode::Sim, None) => "simulated",
        (Mode::Live, None) => "live",
    };
    let of = |cell: &dyn Fn(&Column) -> String| Row { label: String::new(), cells: columns.iter().map(cell).collect() };
    [of(&|column| column.stack.name().to_owned()), of(&|column| mode(column).to_owned())]
}

fn rows(columns: &[Column]) -> Vec<Row> {
    let figures: [(&str, Cell); 8] = [
        ("packets", |figures| figures.packets.to_string()),
        ("lost by the links", |figures| figures.lost.to_string()),
        ("retransmissions", |figures| figures.retransmissions.to_string()),
        ("of these spurious", |figures| figures.spurious.to_string()),
        ("time to recover", recovery),
        ("cwnd, first loss", window),
        ("RTOs", |figures| figures.timeouts.to_string()),
        ("goodput", |figures| figures.goodput.map_or(UNTOLD.to_owned(), kilobits)),
    ];
    let row = |(label, cell): (&str, Cell)| Row {
        label: label.to_owned(),
        cells: columns.iter().map(|column| column.figures.as_ref().map_or(UNTOLD.to_owned(), cell)).collect(),
    };
    figures.map(row).into()
}

fn recovery(figures: &Figures) -> String {
    match figures.recovery {
        Some(span) => milliseconds(span),
        None if figures.lost == 0 => NO_LOSS.to_owned(),
        None => "never".to_owned(),
    }
}

fn window(figures: &Figures) -> String {
    let segments = |window: Option<u32>| window.map_or("∞".to_owned(), |segments| segments.to_string());
    match figures.window {
        Some(window) => format!("{} → {}", segments(window.before), segments(window.after)),
        None if !figures.tells_window => UNTOLD.to_owned(),
        None if figures.lost == 0 => NO_LOSS.to_owned(),
        None => "not reduced".to_owned(),
    }
}

fn milliseconds(span: Duration) -> String {
    let micros = span.as_micros();
    format!("{}.{} ms", micros / 1_000, micros / 100 % 10)
}

fn kilobits(bits: u64) -> String {
    format!("{} kbit/s", bits / 1_000)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lab::{Subject, Window};

    const PLAIN: Terminal = Terminal { is_terminal: false, colour: false, width: 100, unicode: true };

    fn column(stack: Subject, figures: Option<Figures>) -> Column {
        let mode = if stack == Subject::Linux { Mode::Live } else { Mode::Sim };
        Column {
            stack,
            mode,
            figures,
            unavailable: None,
            notes: Vec::new(),
            failures: Vec::new(),
            captures: Vec::new(),
        }
    }

    fn comparison() -> Comparison {
        let native = Figures {
            connections: 1,
            packets: 26,
            lost: 1,
            retransmissions: 1,
            spurious: 0,
            recovery: Some(Duration::from_micros(287_460)),
            window: Some(Window { before: None, after: Some(1) }),
            tells_window: true,
            timeouts: 1,
            goodput: Some(345_678),
        };
        let smoltcp = Figures { window: None, tells_window: false, timeouts: 2, ..native.clone() };
        let unlucky = column(Subject::Linux, None);
        Comparison {
            lab: "20-rto-backoff".to_owned(),
            title: "Only the clock is left".to_owned(),
            variant: None,
            seed: 20,
            columns: vec![
                column(Subject::Native, Some(native)),
                column(Subject::Smoltcp, Some(smoltcp)),
                Column { unavailable: Some("no namespaces; run with sudo".to_owned()), ..unlucky },
            ],
            interrupted: false,
        }
    }

    #[test]
    fn each_tcp_has_a_column_and_one_that_is_not_here_says_why() {
        insta::assert_snapshot!(told(&comparison(), PLAIN));
    }

    #[test]
    fn nothing_lost_is_not_the_same_as_nothing_told() {
        let calm = Figures { tells_window: true, goodput: Some(1_000), ..Figures::default() };
        assert_eq!((recovery(&calm), window(&calm)), (NO_LOSS.to_owned(), NO_LOSS.to_owned()));
        let silent = Figures { tells_window: false, ..calm.clone() };
        assert_eq!(window(&silent), UNTOLD);
        let unhurt = Figures { lost: 1, ..calm };
        assert_eq!((recovery(&unhurt).as_str(), window(&unhurt).as_str()), ("never", "not reduced"));
    }

    #[test]
    fn a_plain_terminal_gets_ascii_and_a_colourful_one_colours() {
        let ascii = told(&comparison(), Terminal { unicode: false, ..PLAIN });
        assert!(ascii.is_ascii(), "{ascii}");
        let coloured = told(&comparison(), Terminal { colour: true, ..PLAIN });
        assert!(
            coloured.contains("\u{1b}[33mnot here:") && !told(&comparison(), PLAIN).contains('\u{1b}'),
            "{coloured}"
        );
    }
}
