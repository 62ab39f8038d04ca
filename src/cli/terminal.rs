//! The terminal: whether to colour, how wide, which characters, and the one way out for text.

use std::env;
use std::ffi::OsString;
use std::io::{self, BufWriter, IsTerminal, Write};
use std::os::fd::AsFd;
use std::process::{Command, Stdio};

use serde::Serialize;

use super::meant::Appearance;
use crate::host::terminal::columns;
use crate::report::{self, Style};

/// Columns for files and pipes.
const WIDTH_ELSEWHERE: usize = 100;
/// The narrowest and the widest ladder that is pleasant to read.
const WIDTHS: std::ops::RangeInclusive<usize> = 80..=140;

/// How text goes out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Terminal {
    /// Whether it is a terminal at all.
    pub(super) is_terminal: bool,
    /// Whether to colour.
    pub(super) colour: bool,
    /// Columns.
    pub(super) width: usize,
    /// Whether arrows and lines may be more than ASCII.
    pub(super) unicode: bool,
}

/// A complaint for standard error, broken between words where that is a terminal.
pub(super) fn complaint(text: &str) -> String {
    let error = io::stderr();
    let columns = columns(error.as_fd()).filter(|_| error.is_terminal()).map(usize::from);
    let line = |line: &str| match columns {
        Some(width) if line.chars().count() > width => {
            report::hanging(line, &Style { width, color: false, ascii: false, verbose: false })
        }
        Some(_) | None => line.to_owned(),
    };
    text.lines().map(|text| line(text) + "\n").collect()
}

impl Terminal {
    /// Standard output, looking as asked.
    pub(super) fn of(appearance: &Appearance) -> Terminal {
        let out = io::stdout();
        let is_terminal = out.is_terminal();
        let columns = columns(out.as_fd()).filter(|_| is_terminal).map(usize::from);
        Terminal::decide(appearance, is_terminal, columns, |name| env::var_os(name))
    }

    /// The decision, from values alone.
    fn decide(
        appearance: &Appearance,
        is_terminal: bool,
        columns: Option<usize>,
        variable: impl Fn(&str) -> Option<OsString>,
    ) -> Terminal {
        let set = |name: &str| variable(name).filter(|value| !value.is_empty());
        Terminal {
            is_terminal,
            colour: appearance.colour.unwrap_or_else(|| wants_colour(is_terminal, &set)),
            width: fitting_width(appearance.width.or(columns)),
            // A file is read anywhere; only a terminal that says it has no UTF-8 is believed.
            unicode: !appearance.ascii && (!is_terminal || has_utf8(&set)),
        }
    }

    /// How many columns standard output has, where that is a terminal with fewer than a ladder needs.
    pub(super) fn too_narrow(self) -> Option<usize> {
        let columns = columns(io::stdout().as_fd()).filter(|_| self.is_terminal).map(usize::from);
        columns.filter(|columns| columns < WIDTHS.start())
    }

    /// The same for reports; `verbose` shows all.
    pub(super) fn style(self, verbose: bool) -> Style {
        Style { width: self.width, color: self.colour, ascii: !self.unicode, verbose }
    }

    /// Buffered standard output. Flush it at the end: [`Terminal::print`] does.
    pub(super) fn out(self) -> BufWriter<io::StdoutLock<'static>> {
        BufWriter::new(io::stdout().lock())
    }

    /// Writes `text` and flushes.
    pub(super) fn print(self, text: &str) -> io::Result<()> {
        let mut out = self.out();
        out.write_all(text.as_bytes())?;
        out.flush()
    }

    /// Shows a long text: on a terminal through the pager that `PAGER` names, else `less`, as `man` and `git` do. A text that
    /// fits stays on the terminal. Without a pager it is printed.
    pub(super) fn page(self, text: &str) -> io::Result<()> {
        let pager = env::var("PAGER").unwrap_or_else(|_| "less".to_owned());
        if !self.is_terminal || pager.trim().is_empty() || pager == "cat" {
            return self.print(text);
        }
        // Colours go through, a text of one screen needs no key, and it is still there afterwards.
        let started = Command::new("/bin/sh").args(["-c", &pager]).env("LESS", "FRX").stdin(Stdio::piped()).spawn();
        let Ok(mut pager) = started else { return self.print(text) };
        if let Some(mut input) = pager.stdin.take() {
            // Whoever has read enough leaves early.
            let _ = input.write_all(text.as_bytes());
        }
        // 127: the shell has found no such program (POSIX).
        if pager.wait()?.code() == Some(127) { self.print(text) } else { Ok(()) }
    }

    /// Writes `value` as one indented JSON document and flushes.
    pub(super) fn print_json(self, value: &impl Serialize) -> io::Result<()> {
        let mut out = self.out();
        serde_json::to_writer_pretty(&mut out, value)?;
        out.write_all(b"\n")?;
        out.flush()
    }

    /// `text` in bold, where there is colour.
    pub(super) fn bold(self, text: &str) -> String {
        self.styled("1", text)
    }

    /// `text` in green, where there is colour.
    pub(super) fn green(self, text: &str) -> String {
        self.styled("32", text)
    }

    /// `text` in yellow, where there is colour.
    pub(super) fn yellow(self, text: &str) -> String {
        self.styled("33", text)
    }

    fn styled(self, code: &str, text: &str) -> String {
        if self.colour { format!("\u{1b}[{code}m{text}\u{1b}[0m") } else { text.to_owned() }
    }
}

/// <https://no-color.org> first, then CLICOLOR and CLICOLOR_FORCE as <https://bixense.com/clicolors> has them.
fn wants_colour(is_terminal: bool, set: &impl Fn(&str) -> Option<OsString>) -> bool {
    if set("NO_COLOR").is_some() {
        return false;
    }
    if set("CLICOLOR_FORCE").is_some_and(|value| value != "0") {
        return true;
    }
    is_terminal && set("CLICOLOR").is_none_or(|value| value != "0") && set("TERM").is_none_or(|value| value != "dumb")
}

fn fitting_width(columns: Option<usize>) -> usize {
    columns.map_or(WIDTH_ELSEWHERE, |columns| columns.clamp(*WIDTHS.start(), *WIDTHS.end()))
}

/// Whether the locale has UTF-8. The first of the three that is set decides (POSIX.1-2024 §8.2); none at all is usual in
/// containers, whose terminals have it.
fn has_utf8(set: &impl Fn(&str) -> Option<OsString>) -> bool {
    let locale = ["LC_ALL", "LC_CTYPE", "LANG"].into_iter().find_map(set);
    locale.is_none_or(|locale| {
        let locale = locale.to_string_lossy().to_ascii_lowercase();
        locale.contains("utf-8") || locale.contains("utf8")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLAIN: Appearance = Appearance { colour: None, width: None, ascii: false };

    /// The decision on a terminal of 100 columns, or off it, with these variables set.
    fn decide(appearance: Appearance, is_terminal: bool, variables: &[(&str, &str)]) -> Terminal {
        let columns = is_terminal.then_some(100);
        Terminal::decide(&appearance, is_terminal, columns, |name| {
            variables.iter().find(|(set, _)| *set == name).map(|(_, value)| value.into())
        })
    }

    #[test]
    fn colour_follows_the_argument_then_the_environment_then_the_terminal() {
        for (asked, is_terminal, variables, colour) in [
            (None, true, &[][..], true),
            (None, false, &[], false),
            (None, true, &[("NO_COLOR", "1")], false),
            (None, true, &[("NO_COLOR", "")], true),
            (None, true, &[("CLICOLOR", "0")], false),
            (None, true, &[("TERM", "dumb")], false),
            (None, false, &[("CLICOLOR_FORCE", "1")], true),
            (None, false, &[("CLICOLOR_FORCE", "0")], false),
            (None, false, &[("CLICOLOR_FORCE", "1"), ("NO_COLOR", "1")], false),
            (Some(true), false, &[("NO_COLOR", "1")], true),
            (Some(false), true, &[("CLICOLOR_FORCE", "1")], false),
        ] {
            let appearance = Appearance { colour: asked, ..PLAIN };
            assert_eq!(
                decide(appearance, is_terminal, variables).colour,
                colour,
                "{asked:?} {is_terminal} {variables:?}"
            );
        }
    }

    #[test]
    fn the_width_is_kept_between_80_and_140_also_when_it_is_asked_for() {
        for (columns, width) in [(None, 100), (Some(60), 80), (Some(96), 96), (Some(300), 140)] {
            assert_eq!(fitting_width(columns), width, "{columns:?}");
        }
        for (asked, width) in [(1, 80), (133, 133), (200, 140)] {
            assert_eq!(decide(Appearance { width: Some(asked), ..PLAIN }, true, &[]).width, width);
        }
    }

    #[test]
    fn only_a_terminal_without_utf8_gets_ascii_unasked() {
        for (is_terminal, variables, unicode) in [
            (true, &[][..], true),
            (true, &[("LANG", "en_GB.UTF-8")], true),
            (true, &[("LANG", "en_GB.utf8"), ("LC_ALL", "C")], false),
            (true, &[("LANG", "de_DE.ISO-8859-1")], false),
            (false, &[("LC_ALL", "C")], true),
        ] {
            assert_eq!(decide(PLAIN, is_terminal, variables).unicode, unicode, "{is_terminal} {variables:?}");
        }
        assert!(!decide(Appearance { ascii: true, ..PLAIN }, false, &[]).unicode);
    }
}
