//! `wireglass exam`: captures of hidden faults to hand out, and what would be right to say of them.

use std::fs;
use std::io::{self, Write as _};
use std::path::Path;

use super::learn::{found, spent};
use super::meant::ExamTask;
use super::terminal::Terminal;
use super::{Failure, Outcome};
use crate::host::RunAs;
use crate::lab::diagnosis::{chosen, shown};
use crate::lab::{Catalogue, Definition, Fault, Finished, Layer, Mode, Options, Wanted, run};
use crate::report::{self, Style};

/// Columns of what is written into files.
const WIDTH: usize = 100;

/// Makes a paper of each seed, and one sheet of answers.
pub(super) fn exam(task: &ExamTask, terminal: &Terminal) -> Result<Outcome, Failure> {
    let lab = Catalogue::built_in().find(&task.lab)?;
    let mut faults = Vec::new();
    for seed in &task.seeds {
        let hidden = chosen(&lab, *seed)
            .ok_or_else(|| Failure::Input(format!("with seed {seed} lab {} hides nothing; take another", lab.id)))?;
        faults.push((*seed, hidden));
    }
    let unwritable = |error: io::Error| Failure::Input(format!("{} cannot be written: {error}", task.out.display()));
    let mut answers = heading(&lab);
    for (number, (seed, fault)) in (1_usize..).zip(&faults) {
        let dir = task.out.join(format!("paper-{number}"));
        let (with, finished) = play(&lab, fault, *seed, number, &dir)?;
        fs::write(dir.join("paper.txt"), paper(&lab, &with, &finished, number)).map_err(unwritable)?;
        answers.push_str(&answer(&with, fault, &finished, (number, *seed)));
    }
    fs::write(task.out.join("answers.txt"), answers).map_err(unwritable)?;
    let mut out = terminal.out();
    let papers = if faults.len() == 1 { "paper-1".to_owned() } else { format!("paper-1 to paper-{}", faults.len()) };
    let told = format!(
        "{}: {papers}, each with what every node captured and paper.txt, and answers.txt. Hand out the papers and keep \
         the answers: they have the seeds.",
        task.out.display()
    );
    out.write_all(report::paragraph(&told, 0, &terminal.style(false)).as_bytes())?;
    out.flush()?;
    Ok(Outcome::Well)
}

/// Runs the lab with a fault; its captures do not say with which seed.
fn play(
    lab: &Definition,
    fault: &Fault,
    seed: u64,
    number: usize,
    dir: &Path,
) -> Result<(Definition, Finished), Failure> {
    let with = lab.with_fault(fault)?;
    let options = Options {
        wanted: Wanted::Only(Mode::Sim),
        seed: Some(seed),
        out: Some(dir.to_owned()),
        owner: RunAs::caller().map(|caller| (caller.uid, caller.gid)),
        comment: Some(format!("wireglass lab {} ({}), paper {number}", lab.id, lab.title)),
        ..Options::default()
    };
    let finished = run(&with, &options).map_err(|error| Failure::Input(error.to_string()))?;
    Ok((with, finished))
}

/// What goes with the captures.
fn paper(lab: &Definition, with: &Definition, finished: &Finished, number: usize) -> String {
    let style = Style::plain(WIDTH);
    let plain = Terminal { is_terminal: false, colour: false, width: WIDTH, unicode: true };
    let task = format!(
        "{} Paper {number}. One thing is wrong on the path. The captures beside this file are those of all nodes. In which \
         layer is it ({})? At which hop: a node, or a link? Which packet shows it: whose capture, which number?",
        lab.title,
        Layer::ALL.map(Layer::name).join(", ")
    );
    let mut out = report::paragraph(&task, 0, &style);
    out.push_str(&spent::table(lab, with, finished, plain));
    out.push_str("\nlayer:\nhop:\npacket (node:number):\nwhy:\n");
    out
}

fn heading(lab: &Definition) -> String {
    format!("{} {}: answers\n", lab.id, lab.title)
}

/// One answer of the sheet, with the command that marks what a learner said.
fn answer(lab: &Definition, fault: &Fault, finished: &Finished, (number, seed): (usize, u64)) -> String {
    let style = Style::plain(WIDTH);
    let shown = shown(fault, &finished.evidence(lab));
    let mut out = format!("\npaper-{number} (seed {seed}): {}\n", fault.name);
    out.push_str(&format!("  layer   {}\n  hop     {}\n", fault.layer, fault.hops.join(" or ")));
    out.push_str(&report::paragraph(&format!("packets {}", found::packets(lab, &shown)), 2, &style));
    out.push_str(&report::paragraph(&fault.explains, 2, &style));
    out.push_str(&format!(
        "  mark: wireglass diagnose {} --seed {seed} --captures paper-{number} --layer … --hop … --packet …\n",
        lab.id.split('-').next().unwrap_or_default()
    ));
    out
}
