//! `wireglass doctor`: the findings, one block each.

use std::fmt::Write as _;
use std::path::PathBuf;

use super::meant::DoctorTask;
use super::terminal::Terminal;
use super::{Failure, Outcome};
use crate::host::HolderConfig;
use crate::host::doctor::{Examination, Finding, Screen, Surroundings, Verdict, examine};

/// Columns of the widest subject, with a gap.
const SUBJECT_WIDTH: usize = 20;
/// Columns before what was found: the mark, a gap, the subject.
const INDENT: usize = 6 + SUBJECT_WIDTH;

/// Examines the machine and tells.
pub(super) fn doctor(task: &DoctorTask, terminal: &Terminal) -> Result<Outcome, Failure> {
    let examination = examine(Surroundings {
        holder: HolderConfig::default(),
        out: PathBuf::from("out"),
        terminal: Screen {
            is_terminal: terminal.is_terminal,
            width: terminal.width,
            colour: terminal.colour,
            unicode: terminal.unicode,
        },
    });
    if task.json {
        terminal.print_json(&examination)?;
    } else {
        terminal.print(&told(&examination, *terminal))?;
    }
    Ok(if examination.labs_can_run { Outcome::Well } else { Outcome::Failed })
}

/// The findings and what follows from all of them, as text.
fn told(examination: &Examination, terminal: Terminal) -> String {
    let mut text = String::new();
    for finding in &examination.findings {
        tell(finding, terminal, &mut text);
    }
    let live = match examination.live_doors.as_slice() {
        [] => "not possible; labs run in sim".to_owned(),
        doors => format!("possible, through {}", doors.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")),
    };
    let sim = if examination.labs_can_run { "possible" } else { "not possible: no folder for captures" };
    let _ = writeln!(text, "\nlive runs: {live}\nsim runs:  {sim}");
    text
}

fn tell(finding: &Finding, terminal: Terminal, text: &mut String) {
    // Padded before it is coloured: colour codes take no columns.
    let subject = terminal.bold(&format!("{:SUBJECT_WIDTH$}", finding.subject));
    let mark = match finding.verdict {
        Verdict::Ok => terminal.green("  OK"),
        Verdict::Costs { .. } => terminal.yellow("MISS"),
    };
    let _ = writeln!(text, "{mark}  {subject}{}", finding.found);
    if let Verdict::Costs { cost, remedy } = &finding.verdict {
        tell_more("cost: ", cost, terminal, text);
        tell_more("mend: ", remedy, terminal, text);
    }
}

/// A labelled paragraph below what was found, its lines no wider than the terminal.
fn tell_more(label: &str, paragraph: &str, terminal: Terminal, text: &mut String) {
    let room = terminal.width.saturating_sub(INDENT + label.len());
    let mut lines = vec![String::new()];
    for word in paragraph.split_whitespace() {
        match lines.last_mut() {
            Some(line) if line.is_empty() => line.push_str(word),
            Some(line) if line.chars().count() + 1 + word.chars().count() <= room => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    for (index, line) in lines.iter().enumerate() {
        let label = if index == 0 { label } else { "" };
        let _ = writeln!(text, "{:INDENT$}{label:6}{line}", "");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::door::DoorKind;

    const PLAIN: Terminal = Terminal { is_terminal: false, colour: false, width: 100, unicode: true };

    fn examination() -> Examination {
        let missing = Verdict::Costs { cost: "no real DNS queries".to_owned(), remedy: "apt-get install x".to_owned() };
        Examination {
            findings: vec![
                Finding { subject: "curl", found: "7.88.1".to_owned(), verdict: Verdict::Ok },
                Finding { subject: "dig", found: "not found".to_owned(), verdict: missing },
            ],
            live_doors: vec![DoorKind::Tun, DoorKind::Veth],
            labs_can_run: true,
        }
    }

    #[test]
    fn a_finding_says_what_it_costs_and_what_mends_it() {
        let expected = "  OK  curl                7.88.1
MISS  dig                 not found
                          cost: no real DNS queries
                          mend: apt-get install x

live runs: possible, through tun, veth
sim runs:  possible
";
        assert_eq!(told(&examination(), PLAIN), expected);
    }

    #[test]
    fn long_costs_are_wrapped_at_the_width() {
        let mut text = String::new();
        tell_more("cost: ", &"seven77 ".repeat(20), Terminal { width: 80, ..PLAIN }, &mut text);
        assert!(text.lines().count() > 2 && text.lines().all(|line| line.len() <= 80), "{text}");
    }

    #[test]
    fn colour_does_not_move_the_columns() {
        let coloured = told(&examination(), Terminal { colour: true, ..PLAIN });
        let mut bare = coloured;
        for code in ["\u{1b}[1m", "\u{1b}[32m", "\u{1b}[33m", "\u{1b}[0m"] {
            bare = bare.replace(code, "");
        }
        assert_eq!(bare, told(&examination(), PLAIN));
    }
}
