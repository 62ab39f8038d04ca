//! `wireglass guide`: a lab's guide as a page, and its numbers held against the run.

use std::fs::{self, DirBuilder};
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::meant::{GuideAction, GuideTask};
use super::terminal::Terminal;
use super::{Failure, Outcome, complain};
use crate::lab::{Catalogue, Definition, Entry, guide};
use crate::report;

/// Shows a guide, or looks after its numbers.
pub(super) fn guide(task: &GuideTask, terminal: &Terminal) -> Result<Outcome, Failure> {
    let entry = Catalogue::built_in().entry(&task.lab)?;
    match task.action {
        GuideAction::Show { teacher } => show(&entry, teacher, *terminal),
        GuideAction::Verify => verify(&entry, *terminal),
        GuideAction::Renew => renew(&entry, *terminal),
    }
}

fn show(entry: &Entry, teacher: bool, terminal: Terminal) -> Result<Outcome, Failure> {
    let (text, file) = if teacher { (&entry.teacher, "TEACHER.md") } else { (&entry.guide, "README.md") };
    if text.trim().is_empty() {
        return Err(Failure::Input(format!("{} has no {file}; `wireglass new` makes one to begin with", entry.id)));
    }
    terminal.page(&report::page(&guide::strip(text), &terminal.style(false)))?;
    Ok(Outcome::Well)
}

/// The two pages of a lab with their names; one that is not there is left out.
fn pages(entry: &Entry) -> Vec<(&'static str, &str)> {
    let pages = [("README.md", entry.guide.as_str()), ("TEACHER.md", entry.teacher.as_str())];
    pages.into_iter().filter(|(_, text)| !text.is_empty()).collect()
}

fn verify(entry: &Entry, terminal: Terminal) -> Result<Outcome, Failure> {
    let lab = Definition::parse(&entry.file, &entry.text)?;
    let mut shell = Shell::new(entry)?;
    let mut wrong = Vec::new();
    for (file, text) in pages(entry) {
        match guide::renew(text, &lab, &mut |command| shell.call(command)) {
            Err(errors) => wrong.extend(errors.iter().map(|error| format!("{file}: {error}"))),
            Ok(renewed) => wrong.extend(drift(file, text, &renewed)),
        }
        for (line, command) in guide::commands(text) {
            if let Err(why) = shell.call(&command) {
                wrong.push(format!("{file}: line {line}: `wireglass {command}`: {why}"));
            }
        }
    }
    for each in &wrong {
        complain(&Failure::Input(each.clone()));
    }
    if wrong.is_empty() {
        terminal.print(&format!("{}: what its guide says is so\n", entry.id))?;
        return Ok(Outcome::Well);
    }
    complain(&Failure::Input(
        "if the run is right, `wireglass guide LAB --renew` writes its numbers into the guide".into(),
    ));
    Ok(Outcome::Failed)
}

/// The first line of a page that is not as the run has it.
fn drift(file: &str, text: &str, renewed: &str) -> Option<String> {
    let (was, is): (Vec<&str>, Vec<&str>) = (text.lines().collect(), renewed.lines().collect());
    let differs = (0..was.len().max(is.len())).find(|index| was.get(*index) != is.get(*index))?;
    let line = |lines: &[&str]| lines.get(differs).map_or("(nothing)", |line| line).to_owned();
    Some(format!("{file}: line {}: it says\n  {}\nand the run says\n  {}", differs + 1, line(&was), line(&is)))
}

fn renew(entry: &Entry, terminal: Terminal) -> Result<Outcome, Failure> {
    let Some(folder) = &entry.folder else {
        let text = format!("{} is built into the program; name its folder, such as ./labs/…/{0}", entry.id);
        return Err(Failure::Input(text));
    };
    let lab = Definition::parse(&entry.file, &entry.text)?;
    let mut shell = Shell::new(entry)?;
    let mut said = String::new();
    for (file, text) in pages(entry) {
        let renewed = guide::renew(text, &lab, &mut |command| shell.call(command)).map_err(|errors| {
            let errors: Vec<String> = errors.iter().map(|error| format!("{file}: {error}")).collect();
            Failure::Input(errors.join("\n"))
        })?;
        let has_changed = renewed != text;
        if has_changed {
            fs::write(folder.join(file), &renewed)?;
        }
        let word = if has_changed { "renewed" } else { "as it was" };
        said.push_str(&format!("{}: {word}\n", folder.join(file).display()));
    }
    terminal.print(&said)?;
    Ok(Outcome::Well)
}

/// Calls this program in a folder of its own, as on a terminal of 80 columns. A run that names no mode is simulated, and
/// the lab's own name means the files that the guide lies beside.
struct Shell {
    folder: PathBuf,
    /// What a guide calls its lab, and where that is.
    lab: Option<(Entry, PathBuf)>,
}

impl Shell {
    fn new(entry: &Entry) -> Result<Shell, Failure> {
        let folder = std::env::temp_dir().join(format!("wireglass-guide-{}", std::process::id()));
        DirBuilder::new().mode(0o700).create(&folder)?;
        let place = entry.folder.as_ref().map(|folder| folder.canonicalize()).transpose()?;
        Ok(Shell { folder, lab: place.map(|place| (entry.clone(), place)) })
    }

    fn call(&mut self, command: &str) -> Result<String, String> {
        let mut words: Vec<String> = command.split_whitespace().map(|word| self.meant(word)).collect();
        if words.first().is_some_and(|word| word == "run") && !words.iter().any(|word| word.starts_with("--mode")) {
            words.extend(["--mode".to_owned(), "sim".to_owned()]);
        }
        let program = std::env::current_exe().map_err(|error| error.to_string())?;
        let mut call = Command::new(program);
        call.args(&words).args(["--width", "80", "--color", "never"]).current_dir(&self.folder).stdin(Stdio::null());
        call.env("XDG_STATE_HOME", &self.folder);
        for variable in ["SUDO_UID", "SUDO_GID", "PKEXEC_UID", "DOAS_USER"] {
            call.env_remove(variable);
        }
        let output = call.output().map_err(|error| error.to_string())?;
        if output.status.success() {
            return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
        }
        let said = String::from_utf8_lossy(&output.stderr);
        let said = said.lines().next().unwrap_or("it says nothing");
        let place = if said.contains("cannot be read") { self.place() } else { String::new() };
        Err(format!("{}: {said}{place}", output.status))
    }

    /// From where commands run, for one that does not find its lab or a file: as a sentence that goes on.
    fn place(&self) -> String {
        let own = self.lab.as_ref().map(|(entry, _)| format!("; the lab beside it is `./{}`", entry.id));
        format!(" (commands run in an empty folder of their own{})", own.unwrap_or_default())
    }

    /// A word of a command; the lab's name becomes its place.
    fn meant(&self, word: &str) -> String {
        let Some((entry, place)) = &self.lab else { return word.to_owned() };
        let is_folder = Path::new(word).file_name().is_some() && word.strip_prefix("./") == Some(&entry.id);
        let is_it = entry.answers_to(word) || is_folder;
        if is_it { place.display().to_string() } else { word.to_owned() }
    }
}

impl Drop for Shell {
    fn drop(&mut self) {
        // What cannot be removed is left to the system's own cleaning.
        let _ = fs::remove_dir_all(&self.folder);
    }
}
