//! `wireglass new`: a lab of one's own, to begin with.

use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::path::Path;

use super::meant::NewTask;
use super::terminal::Terminal;
use super::{Failure, Outcome};
use crate::lab::{Catalogue, Definition, Entry, guide};

/// A lab that passes, with comments that teach the format.
const LAB: &str = include_str!("template/lab.toml");
const GUIDE: &str = include_str!("template/README.md");
const TEACHER: &str = include_str!("template/TEACHER.md");

/// Makes a folder with the three files of a lab.
pub(super) fn new(task: &NewTask, terminal: &Terminal) -> Result<Outcome, Failure> {
    let folder = Path::new(&task.folder);
    let name = folder.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let id = id_of(&name).ok_or_else(|| {
        let rule = "small letters, digits and dashes, such as my-lab or 21-fast-retransmit";
        Failure::Input(format!("`{name}` cannot be a lab's name: {rule}"))
    })?;
    let texts = match &task.from {
        Some(from) => copied(&Catalogue::built_in().entry(from)?, &id, &name),
        None => {
            [LAB, GUIDE, TEACHER].map(|text| text.replace("100-my-lab", &id).replace("./my-lab", &format!("./{name}")))
        }
    };
    let [lab, page, teacher] = texts;
    let definition = Definition::parse(&folder.join("lab.toml").display().to_string(), &lab)?;
    // A guide is true from the beginning; what needs a command's output is left to `guide --renew`.
    let page = guide::renew(&page, &definition, &mut |_| Err(String::new())).unwrap_or(page);
    let in_the_way = |error: std::io::Error| match error.kind() {
        std::io::ErrorKind::AlreadyExists => {
            Failure::Input(format!("{} is there already; nothing was changed", folder.display()))
        }
        _ => Failure::Input(format!("cannot make {}: {error}", folder.display())),
    };
    fs::create_dir(folder).map_err(in_the_way)?;
    for (file, text) in [("lab.toml", lab), ("README.md", page), ("TEACHER.md", teacher)] {
        let mut file = OpenOptions::new().write(true).create_new(true).open(folder.join(file)).map_err(in_the_way)?;
        file.write_all(text.as_bytes())?;
    }
    let place = if folder.is_absolute() {
        folder.display().to_string()
    } else {
        format!("./{}", task.folder.trim_start_matches("./"))
    };
    terminal.print(&format!(
        "{place}: lab.toml, README.md, TEACHER.md\n\n  \
         wireglass run {place} --mode sim     it passes already; change it\n  \
         wireglass guide {place}              how its guide reads\n  \
         wireglass guide {place} --renew      write the run's numbers into the guide\n\n\
         docs/labs.md of the repository explains every field.\n"
    ))?;
    Ok(Outcome::Well)
}

/// The id of a lab whose folder is called so: with a number of its own, or one beyond those of the course.
fn id_of(name: &str) -> Option<String> {
    let is_word = |text: &str| {
        let is_made_of = text.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-');
        !text.is_empty() && is_made_of && !text.starts_with('-')
    };
    let has_number = name.split_once('-').is_some_and(|(number, words)| {
        !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit()) && is_word(words)
    });
    let id = if has_number { name.to_owned() } else { format!("100-{name}") };
    (is_word(name) && id.len() <= 64).then_some(id)
}

/// Another lab's three files, under a new id, and its commands about the new folder.
fn copied(from: &Entry, id: &str, name: &str) -> [String; 3] {
    let renamed = |line: &str| {
        let is_id = line.split_once('=').is_some_and(|(key, _)| key.trim() == "id");
        if is_id { format!("id = \"{id}\"") } else { line.to_owned() }
    };
    let mut is_done = false;
    let lab = from.text.lines().map(|line| {
        let new = if is_done { line.to_owned() } else { renamed(line) };
        is_done |= new != line;
        format!("{new}\n")
    });
    let lab: String = lab.collect();
    let of_page = |text: &str| {
        ["run", "guide", "check", "compare"].iter().fold(text.replace(&from.id, id), |text, command| {
            let number = from.number();
            [" ", "`", "\n"].iter().fold(text, |text, end| {
                text.replace(&format!("{command} {number}{end}"), &format!("{command} ./{name}{end}"))
            })
        })
    };
    [lab, of_page(&from.guide), of_page(&from.teacher)]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folders_name_gives_the_id() {
        for (name, id) in [
            ("my-lab", Some("100-my-lab")),
            ("21-fast", Some("21-fast")),
            ("21", Some("100-21")),
            ("My Lab", None),
            ("-x", None),
            ("", None),
        ] {
            assert_eq!(id_of(name).as_deref(), id, "{name}");
        }
    }

    #[test]
    fn a_copy_has_its_own_id_and_its_commands_name_its_folder() {
        let entry = Catalogue::built_in().entry("20").expect("it is built in");
        let [lab, page, _] = copied(&entry, "100-mine", "mine");
        assert_eq!(Definition::parse("lab.toml", &lab).expect("it is a lab").id, "100-mine");
        assert!(page.contains("wireglass run ./mine --break") && !page.contains("wireglass run 20"), "{page}");
    }
}
