//! `wireglass words`: what the words of guides and ladders mean.

use super::meant::WordsTask;
use super::terminal::Terminal;
use super::{Failure, Outcome};
use crate::report;

/// All words with their meanings; each entry is one list item that begins with the word in bold.
const GLOSSARY: &str = include_str!("../../docs/glossary.md");

/// Shows all words, or those that are asked for.
pub(super) fn words(task: &WordsTask, terminal: &Terminal) -> Result<Outcome, Failure> {
    let style = terminal.style(false);
    let Some(asked) = &task.word else {
        terminal.page(&report::page(GLOSSARY, &style))?;
        return Ok(Outcome::Well);
    };
    let found = found(asked);
    if found.is_empty() {
        return Err(Failure::Input(format!("no word here is `{asked}`, or holds it; `wireglass words` shows all")));
    }
    terminal.print(&report::page(&found.join("\n"), &style))?;
    Ok(Outcome::Well)
}

/// The entry of this word, or else those with it in their names, or else in their meanings.
fn found(asked: &str) -> Vec<String> {
    let asked = asked.to_lowercase();
    let of = |is_it: &dyn Fn(&str, &str) -> bool| -> Vec<String> {
        let entries = entries().into_iter();
        entries.filter(|entry| name_and_meaning(entry).is_some_and(|(name, meaning)| is_it(&name, meaning))).collect()
    };
    let is_one = |name: &str, _: &str| name.split(", ").any(|name| name == asked);
    let holds = |name: &str, _: &str| name.contains(&asked);
    let tells = |_: &str, meaning: &str| meaning.to_lowercase().contains(&asked);
    [of(&is_one), of(&holds), of(&tells)].into_iter().find(|found| !found.is_empty()).unwrap_or_default()
}

/// The list items, each with the lines that go on with it.
fn entries() -> Vec<String> {
    let mut entries: Vec<String> = Vec::new();
    for line in GLOSSARY.lines() {
        if line.starts_with("- **") {
            entries.push(line.to_owned());
        } else if let Some(entry) = entries.last_mut().filter(|_| line.starts_with("  ")) {
            entry.push(' ');
            entry.push_str(line.trim());
        }
    }
    entries
}

fn name_and_meaning(entry: &str) -> Option<(String, &str)> {
    let (name, meaning) = entry.strip_prefix("- **")?.split_once("**: ")?;
    Some((name.to_lowercase(), meaning))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_entry_has_a_name_of_its_own_and_a_meaning() {
        let entries = entries();
        let mut names: Vec<String> = entries
            .iter()
            .map(|entry| {
                let (name, meaning) = name_and_meaning(entry).unwrap_or_else(|| panic!("{entry}"));
                assert!(meaning.len() > 20 && meaning.ends_with('.'), "{entry}");
                name
            })
            .collect();
        assert!(names.len() > 70, "{} entries", names.len());
        names.sort();
        let all = names.len();
        names.dedup();
        assert_eq!(names.len(), all);
    }

    #[test]
    fn a_word_is_found_by_itself_before_others_that_hold_it() {
        let first =
            |asked: &str| found(asked).iter().map(|entry| name_and_meaning(entry).expect("it is one").0).collect();
        let names: Vec<String> = first("SACK");
        assert_eq!(names, ["sack"]);
        let names: Vec<String> = first("window sc");
        assert_eq!(names, ["window scale"]);
        let names: Vec<String> = first("mbit/s");
        assert_eq!(names, ["bit/s, mbit/s"]);
        let names: Vec<String> = first("explicit congestion");
        assert_eq!(names, ["ecn"]);
        assert!(found("flibbertigibbet").is_empty());
        assert!(found("idempotent")[0].contains("no more than to send it once"), "lines go on");
    }
}
