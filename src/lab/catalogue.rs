//! Where labs are found: those built into the binary, and those in folders.

use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::definition::{Definition, LabError, closest, ranked, read_page, read_text};

/// The labs that can be named.
#[derive(Clone, Debug, Default)]
pub struct Catalogue {
    entries: Vec<Entry>,
    tracks: Vec<Track>,
}

/// A course: a way through the labs.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Track {
    /// Its name: `backend`.
    pub name: String,
    /// Whom it is for, in a sentence.
    pub summary: String,
    /// The numbers of its labs, in their order; some may not be written yet.
    pub labs: Vec<String>,
}

/// `tracks.toml`, beside the themes' folders.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Tracks {
    track: Vec<Track>,
}

/// The file of the tracks.
const TRACKS: &str = "tracks.toml";

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
    /// What teachers get to read; empty when there is none.
    pub teacher: String,
    /// The folder on disk that it was read from; `None` when it is built into the binary.
    pub folder: Option<PathBuf>,
}

/// Letters that a part of a name must have to be looked for.
const SHORTEST_PART: usize = 3;

/// The labs of this repository, as they were when the binary was built.
#[cfg(feature = "cli")]
static BUILT_IN: include_dir::Dir<'_> = include_dir::include_dir!("$CARGO_MANIFEST_DIR/labs");

impl Catalogue {
    /// The labs that are built into the binary, by number; none without the feature `cli`.
    pub fn built_in() -> Catalogue {
        #[cfg(feature = "cli")]
        let (entries, tracks) = (built_in_entries(), BUILT_IN.get_file(TRACKS).and_then(|file| file.contents_utf8()));
        #[cfg(not(feature = "cli"))]
        let (entries, tracks) = (Vec::new(), None);
        // A file that is wrong is found by a test before it is built in.
        let tracks = tracks.and_then(|text| toml::from_str::<Tracks>(text).ok()).unwrap_or_default();
        Catalogue::of(entries, tracks)
    }

    /// The labs under a folder of themes, by number.
    ///
    /// # Errors
    /// [`LabError::Unreadable`] when the folder or a file of it cannot be read.
    pub fn in_folder(labs: &Path) -> Result<Catalogue, LabError> {
        let mut entries = Vec::new();
        for theme in folders(labs)? {
            for lab in folders(&theme)?.into_iter().filter(|lab| lab.join("lab.toml").is_file()) {
                entries.push(Entry { theme: name_of(&theme), ..Entry::load(&lab)? });
            }
        }
        Ok(Catalogue::of(entries, tracks_in(&labs.join(TRACKS))?))
    }

    fn of(mut entries: Vec<Entry>, Tracks { track: tracks }: Tracks) -> Catalogue {
        entries.sort_by(|a, b| a.id.cmp(&b.id));
        Catalogue { entries, tracks }
    }

    /// The courses, in the file's order.
    pub fn tracks(&self) -> &[Track] {
        &self.tracks
    }

    /// A course by its name.
    ///
    /// # Errors
    /// [`LabError::UnknownTrack`] with those that there are.
    pub fn track(&self, name: &str) -> Result<&Track, LabError> {
        self.tracks.iter().find(|track| track.name == name).ok_or_else(|| LabError::UnknownTrack {
            name: name.to_owned(),
            known: self.tracks.iter().map(|track| track.name.clone()).collect(),
        })
    }

    /// The labs of a course that are there, in its order.
    pub fn of_track(&self, track: &Track) -> Vec<&Entry> {
        let numbered = |number: &String| self.entries.iter().find(|entry| entry.number() == number);
        track.labs.iter().filter_map(numbered).collect()
    }

    /// All of them, by number.
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// The lab that `name` means: a number (`20`), a name (`rto-backoff`), both (`20-rto-backoff`), a word or a part that
    /// only one lab's name has (`rto`), or the path of a folder or of a `lab.toml`.
    ///
    /// A path is what has a slash, or ends in `.toml`, or is `.`; anything else is looked up in the catalogue.
    ///
    /// # Errors
    /// [`LabError::Unknown`] with the closest names, [`LabError::Several`] when more than one lab's name has the part or
    /// when it is the name of a theme; what [`Definition::load`] says about the file.
    pub fn find(&self, name: &str) -> Result<Definition, LabError> {
        let entry = self.entry(name)?;
        Definition::parse(&entry.file, &entry.text)
    }

    /// The same, before its text is read.
    ///
    /// # Errors
    /// As [`Catalogue::find`], but for what is wrong inside the file.
    pub fn entry(&self, name: &str) -> Result<Entry, LabError> {
        if name.contains('/') || name.ends_with(".toml") || matches!(name, "." | "..") {
            return Entry::load(Path::new(name));
        }
        match self.entries.iter().find(|entry| entry.answers_to(name)) {
            Some(entry) => Ok(entry.clone()),
            // A folder beside us needs no `./`, as long as no lab of ours has its name.
            None if Path::new(name).join("lab.toml").is_file() => Entry::load(Path::new(name)),
            None => self.entry_by_part(name).or_else(|error| match error {
                // Then it is the folder that was meant, and what it lacks is to be said.
                LabError::Unknown { .. } if Path::new(name).is_dir() => Entry::load(Path::new(name)),
                error => Err(error),
            }),
        }
    }

    fn entry_by_part(&self, part: &str) -> Result<Entry, LabError> {
        let several = |what, labs: Vec<&Entry>| {
            Err(LabError::Several {
                name: part.to_owned(),
                what,
                labs: labs.iter().map(|entry| entry.id.clone()).collect(),
            })
        };
        let of_theme = self.matching(|entry| part == entry.theme || part == without_number(&entry.theme));
        if !of_theme.is_empty() {
            return several("is a theme; its labs are", of_theme);
        }
        match self.having(part).as_slice() {
            [] => Err(self.unknown(part)),
            [one] => Ok((*one).clone()),
            more => several("is part of several names:", more.to_vec()),
        }
    }

    /// The labs whose names have `part` as a whole word, else those that have it anywhere.
    fn having(&self, part: &str) -> Vec<&Entry> {
        // A number is exact or wrong, and two letters are a slip rather than a part.
        if part.len() < SHORTEST_PART || part.bytes().all(|byte| byte.is_ascii_digit()) {
            return Vec::new();
        }
        let as_word = self.matching(|entry| entry.has_word(part));
        if as_word.is_empty() { self.matching(|entry| entry.words().contains(part)) } else { as_word }
    }

    fn matching(&self, wanted: impl Fn(&Entry) -> bool) -> Vec<&Entry> {
        self.entries.iter().filter(|entry| wanted(entry)).collect()
    }

    /// Names the labs whose number, words or whole name are like `name`, first those that contain it; if none is, the
    /// three that come closest, since somebody who is far off needs a hint even more.
    fn unknown(&self, name: &str) -> LabError {
        let names = self.entries.iter().flat_map(|entry| {
            [entry.id.as_str(), entry.number(), entry.words()].into_iter().chain(entry.words().split('-'))
        });
        let containing = self.matching(|entry| entry.id.contains(name));
        let mut ids: Vec<String> = containing.iter().map(|entry| entry.id.clone()).collect();
        let mut alike = closest(name, names.clone());
        if alike.is_empty() {
            alike = ranked(name, names).into_iter().map(|(_, known)| known).collect();
        }
        for alike in alike {
            for entry in self.matching(|entry| entry.answers_to(alike) || entry.has_word(alike)) {
                if !ids.contains(&entry.id) {
                    ids.push(entry.id.clone());
                }
            }
        }
        ids.truncate(3);
        LabError::Unknown { name: name.to_owned(), closest: ids }
    }
}

impl Entry {
    /// Reads a lab that is not in a catalogue, from its folder or its `lab.toml`.
    ///
    /// # Errors
    /// [`LabError::Unreadable`] when there is no such file, or none that a lab could be; [`LabError::Wrong`] when it is no
    /// text.
    pub fn load(path: &Path) -> Result<Entry, LabError> {
        let file = if path.is_dir() { path.join("lab.toml") } else { path.to_owned() };
        let text = read_text(&file)?;
        let folder = file.parent().map(Path::to_owned).unwrap_or_default();
        Ok(Entry {
            id: folder.canonicalize().map(|folder| name_of(&folder)).unwrap_or_default(),
            theme: String::new(),
            file: file.display().to_string(),
            text,
            guide: read_page(&folder.join("README.md")).unwrap_or_default(),
            teacher: read_page(&folder.join("TEACHER.md")).unwrap_or_default(),
            folder: Some(folder),
        })
    }

    /// Whether a lab can be named so: by its number, its name, or both.
    pub fn answers_to(&self, name: &str) -> bool {
        name == self.id || name == self.number() || name == self.words()
    }

    /// The number alone: `20`.
    pub fn number(&self) -> &str {
        self.id.split('-').next().unwrap_or_default()
    }

    /// The name without its number.
    fn words(&self) -> &str {
        without_number(&self.id)
    }

    fn has_word(&self, wanted: &str) -> bool {
        self.words().split('-').any(|word| word == wanted)
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
                teacher: text_of("TEACHER.md").unwrap_or_default(),
                folder: None,
            });
        }
    }
    entries
}

/// The courses that a file tells of; none when it is not there.
fn tracks_in(file: &Path) -> Result<Tracks, LabError> {
    let Ok(text) = std::fs::read_to_string(file) else { return Ok(Tracks::default()) };
    toml::from_str(&text).map_err(|error| {
        let error = std::io::Error::new(std::io::ErrorKind::InvalidData, error.message().to_owned());
        LabError::Unreadable { path: file.to_owned(), error }
    })
}

/// `rto-backoff` of `20-rto-backoff`.
fn without_number(name: &str) -> &str {
    name.split_once('-').map_or(name, |(_, words)| words)
}

fn name_of(path: &Path) -> String {
    path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
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
        assert!(told("losss").contains("(did you mean `14-tcp-vs-udp-under-loss`"), "{}", told("losss"));
        assert!(told("3").contains("(did you mean `34-pmtud-black-hole`"), "a part is no number: {}", told("3"));
    }

    #[test]
    fn a_folder_that_holds_no_lab_is_said_to_lack_the_file() {
        // Tests run in the folder of the package, beside `src`.
        let told = catalogue().find("src").expect_err("no lab").to_string();
        assert!(told.starts_with("src/lab.toml: cannot be read: "), "{told}");
    }

    #[test]
    fn a_part_that_only_one_lab_has_finds_it() {
        let table = [
            ("rto", "20-rto-backoff"),
            ("way-handshake", "10-three-way-handshake"),
            ("loss", "14-tcp-vs-udp-under-loss"),
            ("vs-udp", "14-tcp-vs-udp-under-loss"),
            ("three", "10-three-way-handshake"),
        ];
        for (part, id) in table {
            assert_eq!(catalogue().find(part).expect(part).id, id);
        }
        assert!(catalogue().find("to").is_err(), "two letters are a slip rather than a part");
    }

    #[test]
    fn a_part_of_several_names_and_a_theme_are_answered_with_their_labs() {
        let told = |catalogue: &Catalogue, name: &str| catalogue.find(name).expect_err("not one lab").to_string();
        for theme in ["1-tcp-lifecycle", "tcp-lifecycle"] {
            assert_eq!(
                told(&catalogue(), theme),
                format!(
                    "`{theme}` is a theme; its labs are `10-three-way-handshake`, `14-tcp-vs-udp-under-loss`; name one \
                     of them"
                )
            );
        }
        let mut twice = catalogue();
        twice.entries.push(Entry { id: "21-rto-limits".to_owned(), ..twice.entries[0].clone() });
        assert_eq!(
            told(&twice, "rto"),
            "`rto` is part of several names: `20-rto-backoff`, `21-rto-limits`; name one of them"
        );
    }

    #[test]
    fn a_path_where_nothing_is_says_which_file_it_wanted() {
        let told = Catalogue::default().find("./no-such-lab").expect_err("no such folder").to_string();
        assert!(told.starts_with("./no-such-lab: cannot be read: "), "{told}");
    }

    #[test]
    fn a_course_has_the_labs_that_are_there_in_its_order() {
        let catalogue = catalogue();
        let names: Vec<&str> = catalogue.tracks().iter().map(|track| track.name.as_str()).collect();
        assert_eq!(names, ["backend", "protocol"]);
        for track in catalogue.tracks() {
            let there: Vec<&str> = catalogue.of_track(track).iter().map(|entry| entry.number()).collect();
            let wanted: Vec<&str> = track.labs.iter().map(String::as_str).filter(|lab| there.contains(lab)).collect();
            assert_eq!(there, wanted, "{}", track.name);
            assert!(there.len() >= 2, "{}: {there:?}", track.name);
        }
        let reversed = Track { labs: vec!["20".into(), "07".into(), "10".into()], ..catalogue.tracks()[0].clone() };
        let there: Vec<&str> = catalogue.of_track(&reversed).iter().map(|entry| entry.number()).collect();
        assert_eq!(there, ["20", "10"]);
        let told = catalogue.track("frontend").expect_err("no such course").to_string();
        assert_eq!(told, "there is no track `frontend`; there are `backend`, `protocol`");
    }

    #[cfg(feature = "cli")]
    #[test]
    fn the_labs_of_the_repository_are_built_in() {
        assert_eq!(Catalogue::built_in().entries().len(), catalogue().entries().len());
        assert_eq!(Catalogue::built_in().tracks(), catalogue().tracks());
        for (built_in, on_disk) in Catalogue::built_in().entries().iter().zip(catalogue().entries()) {
            assert_eq!((&built_in.id, &built_in.theme), (&on_disk.id, &on_disk.theme));
            assert_eq!(
                (&built_in.text, &built_in.guide, &built_in.teacher),
                (&on_disk.text, &on_disk.guide, &on_disk.teacher)
            );
            assert_eq!(built_in.file, format!("labs/{}/{}/lab.toml", on_disk.theme, on_disk.id));
        }
    }
}
