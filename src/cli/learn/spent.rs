//! Where the time of a lab's requests went, as a table.

use crate::cli::terminal::Terminal;
use crate::lab::diagnosis::spent;
use crate::lab::{Definition, Finished, Mode, Options, Wanted, run};
use crate::report::{self, Row};

/// The table with its heading; empty for a lab that has no budgets. With a hidden fault each request is also shown as it
/// should be: in a simulation of the lab as it is.
pub(in crate::cli) fn table(base: &Definition, lab: &Definition, finished: &Finished, terminal: Terminal) -> String {
    let Some(first) = lab.budgets.first() else { return String::new() };
    let mut headings: Vec<String> = first.phases.iter().map(|phase| phase.name.clone()).collect();
    headings.push("in all".to_owned());
    let of_run = cells(lab, finished);
    let sim = Options { wanted: Wanted::Only(Mode::Sim), stack: finished.stack, ..Options::default() };
    let good = lab.hidden.as_ref().and_then(|_| run(base, &sim).ok()).map(|good| cells(base, &good));
    let mut rows = Vec::new();
    for (index, budget) in lab.budgets.iter().enumerate() {
        let row = |label: &str, cells: &[Vec<String>]| Row {
            label: label.to_owned(),
            cells: cells.get(index).cloned().unwrap_or_default(),
        };
        match &good {
            Some(good) => {
                rows.push(row(&budget.name, &of_run));
                rows.push(row("  as it should be", good));
            }
            None => rows.push(row(&budget.name, &of_run)),
        }
    }
    let style = terminal.style(false);
    let heading = Row { label: String::new(), cells: headings };
    format!("\n{}\n{}", terminal.bold("Where the time went"), report::table(&[heading], &rows, &style))
}

/// The figures of each request.
fn cells(lab: &Definition, finished: &Finished) -> Vec<Vec<String>> {
    let evidence = finished.evidence(lab);
    let told = |span: Option<std::time::Duration>| span.map_or_else(|| "–".to_owned(), report::span);
    lab.budgets.iter().map(|budget| spent(budget, &evidence).into_iter().map(told).collect()).collect()
}
