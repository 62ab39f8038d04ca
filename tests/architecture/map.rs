//! ARCHITECTURE.md as data: its tables are the law, so they are read from there and stand nowhere else.

use std::collections::{BTreeMap, BTreeSet};

/// The law.
#[derive(Debug, Default)]
pub(super) struct Map {
    /// Each room's floor.
    pub(super) floors: BTreeMap<String, u32>,
    /// Pairs of rooms of which the first never uses the second, whatever the floors say.
    pub(super) never: Vec<(String, String)>,
    /// Things that only certain modules may use: a crate, `unsafe`, `print!`.
    pub(super) only: Vec<(String, Vec<String>)>,
    /// The crates that are argued for.
    pub(super) dependencies: BTreeSet<String>,
    /// Files and folders that the map sends its readers to, from `src/` or from the package's root.
    pub(super) places: BTreeSet<String>,
}

impl Map {
    /// Reads the tables under the headings `Floors and rooms`, `Where is it decided?`, `Never`, `Only there` and
    /// `Dependencies`.
    pub(super) fn read(text: &str) -> Map {
        let mut map = Map::default();
        let mut heading = "";
        for line in text.lines() {
            if let Some(title) = line.strip_prefix('#') {
                heading = title.trim_start_matches('#').trim();
            }
            let cells: Vec<&str> = line.trim_matches('|').split('|').map(str::trim).collect();
            let (true, [first, second, ..]) = (line.starts_with('|'), cells.as_slice()) else { continue };
            let (names, others) = (quoted(first), quoted(second));
            match heading {
                "Floors and rooms" => {
                    let floor = first.parse::<u32>().ok();
                    map.floors
                        .extend(floor.into_iter().flat_map(|floor| others.iter().cloned().map(move |o| (o, floor))));
                }
                "Where is it decided?" => map.places.extend(others.into_iter().filter(|other| is_place(other))),
                "Never" => map.never.extend(names.into_iter().zip(others)),
                "Only there" => map.only.extend(names.into_iter().map(|name| (name, others.clone()))),
                "Dependencies" => map.dependencies.extend(names),
                _ => {}
            }
        }
        map
    }
}

/// Whether a word names a file or a folder, and not something inside of one.
fn is_place(word: &str) -> bool {
    [".rs", ".toml", "/"].iter().any(|end| word.ends_with(end))
}

/// The words between backquotes.
fn quoted(cell: &str) -> Vec<String> {
    cell.split('`').skip(1).step_by(2).map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tables_are_read_by_their_headings() {
        let map = Map::read(
            "## Floors and rooms\n\n| floor | room | what |\n|---|---|---|\n| 1 | `door` | a `trait` |\n\
             ## Where is it decided?\n| what a `tcp` is | `tcp/mod.rs`, by `Tcp::new`; else `ip/` |\n\
             ### Never\n| `tcp` | `ip` | why |\n### Only there\n| `tokio` | `host`, `socket` | why |\n\
             ## Dependencies\n| `hyper`, `hyper-util` | role | why |\n## Else\n| `x` | `y` | z |\n",
        );
        assert_eq!(map.floors.into_iter().collect::<Vec<_>>(), [("door".to_owned(), 1)]);
        assert_eq!(map.places.into_iter().collect::<Vec<_>>(), ["ip/", "tcp/mod.rs"]);
        assert_eq!(map.never, [("tcp".to_owned(), "ip".to_owned())]);
        assert_eq!(map.only, [("tokio".to_owned(), vec!["host".to_owned(), "socket".to_owned()])]);
        assert_eq!(map.dependencies.into_iter().collect::<Vec<_>>(), ["hyper", "hyper-util"]);
    }
}
