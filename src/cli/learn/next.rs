//! The next thing to try: a break of the lab that was not run yet, or a fault that it hides, else the next lab of the course.

use super::progress::Progress;
use crate::cli::terminal::Terminal;
use crate::lab::{Catalogue, Definition, Track};
use crate::report;

/// What to try next.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub(in crate::cli) struct Next {
    /// The command.
    pub(in crate::cli) command: String,
    /// What it teaches, or what it is called.
    pub(in crate::cli) why: String,
}

/// Decides; `typed` is how the lab was named, `None` is said when everything is done.
pub(in crate::cli) fn next(catalogue: &Catalogue, lab: &Definition, typed: &str, progress: &Progress) -> Option<Next> {
    let known = catalogue.entries().iter().find(|entry| entry.id == lab.id);
    let name = known.map_or(typed, |entry| entry.number());
    let is_new = |name: &str| lab.broken.as_deref() != Some(name) && !progress.has_tried(&lab.id, name);
    if let Some(variant) = lab.breaks.iter().find(|each| is_new(&each.name)) {
        return Some(Next {
            command: format!("wireglass run {name} --break {}", variant.name),
            why: format!("{}. What will change? Predict first.", variant.teaches),
        });
    }
    if !lab.faults.is_empty() && lab.broken.is_none() && lab.hidden.is_none() {
        return Some(Next {
            command: format!("wireglass run {name} --seed 1"),
            why: format!("One of {} faults, and nobody says which: every seed hides another", lab.faults.len()),
        });
    }
    let number = known?.number();
    // What follows it in a course; then what was left out on the way.
    let of_track = |track: &Track| {
        let place = track.labs.iter().position(|lab| lab == number)?;
        let (before, after) = track.labs.split_at(place);
        Some(after.iter().skip(1).chain(before).cloned().collect::<Vec<String>>())
    };
    let in_order = catalogue.tracks().iter().filter_map(of_track).flatten();
    let entries = in_order.filter_map(|lab| catalogue.entries().iter().find(|entry| entry.number() == lab));
    let entry = entries.into_iter().find(|entry| !progress.has_passed(&entry.id))?;
    let title = Definition::parse(&entry.file, &entry.text).map(|lab| lab.title).unwrap_or_default();
    Some(Next { command: format!("wireglass run {}", entry.number()), why: format!("{}: {title}", entry.id) })
}

/// As text, its heading first.
pub(in crate::cli) fn shown(next: &Next, terminal: Terminal) -> String {
    let style = terminal.style(false);
    format!("\n{} {}\n{}", terminal.bold("Next"), next.command, report::paragraph(&next.why, 5, &style))
}
