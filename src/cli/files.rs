//! Where a run's files are.

use std::io::{self, Write};
use std::path::PathBuf;

use super::terminal::Terminal;
use crate::lab::Finished;
use crate::report;

/// Where the files are, and how to open the first.
pub(super) fn write_files(out: &mut impl Write, terminal: Terminal, finished: &Finished) -> io::Result<()> {
    let paths: Vec<PathBuf> = finished
        .recorder
        .nodes()
        .filter_map(|vantage| finished.recorder.capture_path(vantage.node))
        .map(PathBuf::from)
        .collect();
    let Some(first) = paths.first() else { return Ok(()) };
    let folder = first.parent().map(|folder| folder.display().to_string()).unwrap_or_default();
    let names: Vec<String> =
        paths.iter().filter_map(|path| path.file_name()).map(|name| name.to_string_lossy().into_owned()).collect();
    let told = report::paragraph(
        &format!("Files {folder}/: {}, layers.txt, journal.jsonl", names.join(", ")),
        0,
        &terminal.style(false),
    );
    writeln!(out, "\n{}{}", terminal.bold("Files"), told.trim_start_matches("Files").trim_end())?;
    writeln!(out, "open the capture: wireshark {}", first.display())
}
