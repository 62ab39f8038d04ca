//! Where labs are found: those built into the binary, and those in folders.

use std::path::{Path, PathBuf};

use super::definition::{Definition, LabError, closest, ranked};

/// The labs that can be named.
#[derive(Clone, Debug, Default)]
pub struct Catalogue {
    entries: Vec<Entry>,
}

/// One lab of the catalogue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Its name: `20-rto-backoff`.
    pub id: String,
    /// The folder of its theme: `2-tcp-recovery`.
    pub theme: String,
    /// How errors name its file: `labs/2-tcp-recovery/20-rto-backoff/lab.toml`.
    pub file: String,
    /// The text of `lab.toml`.
    pub text: String,
    /// The guide; empty when there is none.
    pub guide: String,
}

/// The labs of this repository, as they were when the binary was built.
#[cfg(feature = "cli")]
static BUILT_IN: include_dir::Dir<'_> = include_dir::include_dir!("$CARGO_MANIFEST_DIR/labs");

impl Catalogue {
    /// The labs that are built into the binary, by number; none without the feature `cli`.
    pub fn built_in() -> Catalogue {
        #[cfg(feature = "cli")]
        let entries = built_in_entries();
        #[cfg(not(feature = "cli"))]
        let entries = Vec::new();
        Catalogue::of(entries)
    }

    /// The labs under a folder of themes, by number.
    ///
    /// # Errors
    /// [`LabError::Unreadable`] when the folder or a file of it cannot be read.
    pub fn in_folder(labs: &Path) -> Result<Catalogue, LabError> {
        let mut entries = Vec::new();
        for theme in folders(labs)? {
            for lab in folders(&theme)?.into_iter().filter(|lab| lab.join("lab.toml").is_file()) {
                let file = lab.join("lab.toml");
                entries.push(Entry {
                    id: name_of(&lab),
                    theme: name_of(&theme),
                    text: read(&file)?,
                    guide: read(&lab.join("README.md")).unwrap_or_default(),
                    file: file.display().to_string(),
                });
            }
        }
        Ok(Catalogue::of(entries))
    }

    fn of(mut entries: Vec<Entry>) -> Catalogue {
        entries.sort_by(|a, b| a.id.cmp(&b.id));
        Catalogue { entries }
    }

    /// All of them, by number.
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// The lab that `name` means: a number (`20`), a name (`rto-backoff`), both (`20-rto-backoff`), or the path of a
    /// folder or of a `lab.toml`.
    ///
    /// A path is what has a slash, or ends in `.toml`, or is `.`; anything else is looked up in the catalogue.
    ///
    /// # Errors
    /// [`LabError::Unknown`] with the closest names; what [`Definition::load`] says about the file.
    pub fn find(&self, name: &str) -> Result<Definition, LabError> {
        if name.contains('/') || name.ends_with(".toml") || matches!(name, "." | "..") {
            return Definition::load(Path::new(name));
        }
        match self.entries.iter().find(|entry| entry.answers_to(name)) {
            Some(entry) => Definition::parse(&entry.file, &entry.text),
            // A folder beside us needs no `./`, as long as no lab of ours has its name.
            None if Path::new(name).join("lab.toml").is_file() => Definition::load(Path::new(name)),
            None => Err(self.unknown(name)),
        }
    }

    /// Names the labs whose number, words or whole name are like `name`; if none is, the three that come closest, since
    /// somebody who is far off needs a hint even more.
    fn unknown(&self, name: &str) -> LabError {
        let names = self.entries.iter().flat_map(|entry| [entry.id.as_str(), entry.number(), entry.words()]);
        let mut ids: Vec<String> = Vec::new();
        let mut alike = closest(name, names.clone());
        if alike.is_empty() {
            alike = ranked(name, names).into_iter().map(|(_, known)| known).collect();
        }
        for alike in alike {
            let entry = self.entries.iter().find(|entry| entry.answers_to(alike));
            let id = entry.map_or(alike, |entry| entry.id.as_str());
            if !ids.iter().any(|other| other == id) {
                ids.push(id.to_owned());
            }
        }
        ids.truncate(3);
        LabError::Unknown { name: name.to_owned(), closest: ids }
    }
}

impl Entry {
    /// The name without its number.
    fn words(&self) -> &str {
        self.id.split_once('-').map_or(self.id.as_str(), |(_, words)| words)
    }

    fn number(&self) -> &str {
        self.id.split('-').next().unwrap_or_default()
    }

    fn answers_to(&self, name: &str) -> bool {
        name == self.id || name == self.number() || name == self.words()
    }
}

#[cfg(feature = "cli")]
fn built_in_entries() -> Vec<Entry> {
    let mut entries = Vec::new();
    for lab in BUILT_IN.dirs().flat_map(include_dir::Dir::dirs) {
        let text_of = |file: &str| {
            lab.get_file(lab.path().join(file)).and_then(include_dir::File::contents_utf8).map(str::to_owned)
        };
        if let Some(text) = text_of("lab.toml") {
            entries.push(Entry {
                id: name_of(lab.path()),
                theme: lab.path().parent().map(name_of).unwrap_or_default(),
                file: format!("labs/{}/lab.toml", lab.path().display()),
                text,
                guide: text_of("README.md").unwrap_or_default(),
            });
        }
    }
    entries
}

fn name_of(path: &Path) -> String {
    path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
}

fn read(path: &Path) -> Result<String, LabError> {
    std::fs::read_to_string(path).map_err(|error| LabError::Unreadable { path: path.to_owned(), error })
}

fn folders(path: &Path) -> Result<Vec<PathBuf>, LabError> {
    let unreadable = |error| LabError::Unreadable { path: path.to_owned(), error };
    let mut folders = Vec::new();
    for entry in std::fs::read_dir(path).map_err(unreadable)? {
        let entry = entry.map_err(unreadable)?;
        if entry.path().is_dir() {
            folders.push(entry.path());
        }
    }
    Ok(folders)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn catalogue() -> Catalogue {
        Catalogue::in_folder(&Path::new(env!("CARGO_MANIFEST_DIR")).join("labs")).expect("the labs are there")
    }

    #[test]
    fn a_lab_is_found_by_its_number_its_name_or_both() {
        for name in ["20", "rto-backoff", "20-rto-backoff"] {
            assert_eq!(catalogue().find(name).expect(name).id, "20-rto-backoff");
        }
    }

    #[test]
    fn a_lab_is_found_by_the_path_of_its_folder_or_its_file() {
        let folder = format!("{}/labs/2-tcp-recovery/20-rto-backoff", env!("CARGO_MANIFEST_DIR"));
        for path in [folder.clone(), format!("{folder}/"), format!("{folder}/lab.toml")] {
            assert_eq!(Catalogue::default().find(&path).expect("a lab").id, "20-rto-backoff");
        }
    }

    #[test]
    fn an_unknown_name_is_answered_with_the_closest_names() {
        let told = |name: &str| catalogue().find(name).expect_err("no such lab").to_string();
        assert_eq!(
            told("rto-bakcoff"),
            "there is no lab `rto-bakcoff` (did you mean `20-rto-backoff`?); `wireglass list` shows all of them"
        );
        assert!(told("zzz").contains("(did you mean `"), "far off, and still a hint");
    }

    #[test]
    fn a_path_where_nothing_is_says_which_file_it_wanted() {
        let told = Catalogue::default().find("./no-such-lab").expect_err("no such folder").to_string();
        assert!(told.starts_with("./no-such-lab: cannot be read: "), "{told}");
    }

    #[cfg(feature = "cli")]
    #[test]
    fn the_labs_of_the_repository_are_built_in() {
        assert_eq!(Catalogue::built_in().entries().len(), catalogue().entries().len());
        for (built_in, on_disk) in Catalogue::built_in().entries().iter().zip(catalogue().entries()) {
            assert_eq!((&built_in.id, &built_in.theme), (&on_disk.id, &on_disk.theme));
            assert_eq!(built_in.text, on_disk.text);
            assert_eq!(built_in.file, format!("labs/{}/{}/lab.toml", on_disk.theme, on_disk.id));
        }
    }
}
