//! Keeps ARCHITECTURE.md true: floors, bans, rooms, dependencies, where things are decided, and the size of files and
//! functions.
//!
//! The checker reads the law from the map's own tables ([`map`]) and the code as tokens ([`source`], [`paths`]). It is
//! itself tested on made-up snippets, so that a law which can no longer fail is noticed.

mod map;
mod paths;
mod source;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use map::Map;
use paths::{Target, references};
use source::{Token, functions, tokens, without_tests};

/// Lines that a file may have outside its tests.
const FILE_LINES: usize = 600;
/// Lines that a function may have outside tests.
const FUNCTION_LINES: usize = 80;
/// The file of the binary: above every floor.
const BINARY: &str = "main";

/// A file under `src/`.
struct File {
    /// Its path from the package's root, for messages.
    path: String,
    /// The module that it is: `["stack", "options"]`, empty for the library's root.
    module: Vec<String>,
    text: String,
}

impl File {
    fn new(path: &str, text: &str) -> File {
        let inside = path.strip_prefix("src/").unwrap_or(path).trim_end_matches(".rs");
        let mut module: Vec<String> = inside.split('/').map(str::to_owned).collect();
        if matches!(module.last().map(String::as_str), Some("mod" | "lib")) {
            module.pop();
        }
        File { path: path.to_owned(), module, text: text.to_owned() }
    }

    fn room(&self) -> Option<&str> {
        self.module.first().map(String::as_str)
    }

    /// Whether the whole file is tests: a sibling `tests.rs`.
    fn is_tests(&self) -> bool {
        self.module.iter().skip(1).any(|name| name == "tests")
    }
}

/// What is wrong with `file`'s uses of other rooms and of things that only some rooms may use.
fn broken_laws(map: &Map, file: &File) -> Vec<String> {
    let tokens = tokens(&file.text);
    let mut wrong = Vec::new();
    for reference in references(&file.module, &tokens) {
        let complaint = match &reference.to {
            Target::Inside(path) => wrong_arrow(map, file, path),
            Target::Outside(name) => out_of_place(map, &reference.from, name),
        };
        wrong.extend(complaint.map(|complaint| at(file, reference.line, &complaint)));
    }
    for (line, thing) in marked_things(&tokens) {
        wrong.extend(out_of_place(map, &file.module, thing).map(|complaint| at(file, line, &complaint)));
    }
    wrong
}

fn at(file: &File, line: usize, complaint: &str) -> String {
    format!("{}:{line}: {complaint}", file.path)
}

/// Why a path from `file` to `path` is against the law, if it is.
fn wrong_arrow(map: &Map, file: &File, path: &[String]) -> Option<String> {
    let from = file.room()?;
    let to = path.first().map(String::as_str)?;
    if from == to {
        return None;
    }
    let Some(&target) = map.floors.get(to) else {
        return Some(format!("`{to}` is not a room of ARCHITECTURE.md; name the room that has it"));
    };
    if map.never.iter().any(|(who, whom)| who == from && whom == to) {
        return Some(format!("`{from}` never uses `{to}`"));
    }
    let floor = if from == BINARY { u32::MAX } else { *map.floors.get(from)? };
    (target >= floor)
        .then(|| format!("`{from}` (floor {floor}) uses `{to}` (floor {target}); only lower floors may be used"))
}

/// Why `thing` is not allowed in `module`, if it is not.
fn out_of_place(map: &Map, module: &[String], thing: &str) -> Option<String> {
    let (_, places) = map.only.iter().find(|(name, _)| name == thing)?;
    let here = module.join("::");
    let allowed = places.iter().any(|place| here == *place || here.starts_with(&format!("{place}::")));
    (!allowed).then(|| format!("`{thing}` is used in `{here}`; only {} may", places.join(", ")))
}

/// Uses of `unsafe` and of printing, by the names that the map has for them.
fn marked_things(tokens: &[Token]) -> Vec<(usize, &'static str)> {
    const MACROS: [&str; 5] = ["print", "println", "eprint", "eprintln", "dbg"];
    const STREAMS: [&str; 2] = ["stdout", "stderr"];
    let mut found = Vec::new();
    for (index, token) in tokens.iter().enumerate() {
        let next = |ahead: usize| tokens.get(index + ahead).map_or("", |token| token.text.as_str());
        let prints = MACROS.contains(&token.text.as_str()) && next(1) == "!";
        // `io::stdout()` takes no argument; a command's `.stdout(Stdio::null())` does.
        let streams = STREAMS.contains(&token.text.as_str()) && next(1) == "(" && next(2) == ")";
        if prints || streams {
            found.push((token.line, "print!"));
        } else if token.text == "unsafe" {
            found.push((token.line, "unsafe"));
        }
    }
    found
}

/// Files and functions of `file` that are too long.
fn too_long(file: &File) -> Vec<String> {
    if file.is_tests() {
        return Vec::new();
    }
    let (code, test_lines) = without_tests(&tokens(&file.text));
    let lines = file.text.lines().count().saturating_sub(test_lines);
    let mut wrong = Vec::new();
    if lines > FILE_LINES {
        wrong.push(format!("{}: {lines} lines without tests, at most {FILE_LINES}: split it", file.path));
    }
    for function in functions(&code).into_iter().filter(|function| function.lines > FUNCTION_LINES) {
        let complaint = format!("fn {} has {} lines, at most {FUNCTION_LINES}", function.name, function.lines);
        wrong.push(at(file, function.line, &complaint));
    }
    wrong
}

fn package() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn the_map() -> Map {
    Map::read(&fs::read_to_string(package().join("ARCHITECTURE.md")).expect("ARCHITECTURE.md is there"))
}

/// Every file under `src/`.
fn sources() -> Vec<File> {
    let (mut files, mut folders) = (Vec::new(), vec![package().join("src")]);
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).expect("a source folder can be read") {
            let path: PathBuf = entry.expect("an entry can be read").path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let text = fs::read_to_string(&path).expect("source is text");
                let name = path.strip_prefix(package()).expect("it is inside").to_string_lossy().into_owned();
                files.push(File::new(&name, &text));
            }
        }
    }
    files.sort_by(|a, b| a.path.cmp(&b.path));
    files
}

fn assert_none(wrong: &[String]) {
    assert!(wrong.is_empty(), "\n{}\n", wrong.join("\n"));
}

#[test]
fn every_path_leads_to_a_lower_floor() {
    let map = the_map();
    assert_none(&sources().iter().flat_map(|file| broken_laws(&map, file)).collect::<Vec<_>>());
}

#[test]
fn files_and_functions_are_short() {
    assert_none(&sources().iter().flat_map(too_long).collect::<Vec<_>>());
}

#[test]
fn the_map_has_every_room_and_no_other() {
    let rooms: BTreeSet<String> =
        sources().iter().filter_map(|file| file.room().map(str::to_owned)).filter(|room| room != BINARY).collect();
    assert_eq!(rooms, the_map().floors.into_keys().collect());
}

/// Where a question is answered from has not moved away.
#[test]
fn every_place_that_the_map_names_is_there() {
    let is_there =
        |place: &str| [package().join("src").join(place), package().join(place)].iter().any(|at| at.exists());
    let missing: Vec<String> = the_map().places.into_iter().filter(|place| !is_there(place)).collect();
    assert!(missing.is_empty(), "ARCHITECTURE.md names places that are not there: {}", missing.join(", "));
}

#[test]
fn every_dependency_is_argued_once() {
    let manifest = fs::read_to_string(package().join("Cargo.toml")).expect("Cargo.toml is there");
    let manifest: toml::Table = manifest.parse().expect("Cargo.toml is TOML");
    let names = |table: &str| manifest.get(table).and_then(toml::Value::as_table).cloned().unwrap_or_default();
    let used: BTreeSet<String> = ["dependencies", "dev-dependencies"]
        .iter()
        .flat_map(|table| names(table).into_iter().map(|(name, _)| name))
        .collect();
    assert_eq!(used, the_map().dependencies);
}

/// The checker on made-up code: each law is seen to fail.
mod on_made_up_code {
    use super::*;

    fn law() -> Map {
        Map::read(
            "# Floors and rooms\n| 0 | `packet` | |\n| 2 | `ip` `tcp` | |\n| 3 | `stack` | |\n| 5 | `host` | |\n| 7 | `check` | |\n\
             | 9 | `cli` | |\n# Never\n| `check` | `stack` | |\n| `stack` | `packet` | |\n# Only there\n| `smoltcp` | `stack::smoltcp` | |\n\
             | `unsafe` | `host` | |\n| `print!` | `cli`, `main` | |\n",
        )
    }

    fn complaints(path: &str, source: &str) -> Vec<String> {
        broken_laws(&law(), &File::new(path, source))
    }

    /// The one complaint about `source`.
    fn complaint(path: &str, source: &str) -> String {
        let mut all = complaints(path, source);
        assert_eq!(all.len(), 1, "{all:?}");
        all.remove(0)
    }

    #[test]
    fn a_higher_floor_is_refused_and_its_line_named() {
        let wrong = complaint("src/packet/mod.rs", "\nuse crate::{packet::Packet, stack::Stack};");
        assert_eq!(
            wrong,
            "src/packet/mod.rs:2: `packet` (floor 0) uses `stack` (floor 3); only lower floors may be used"
        );
    }

    #[test]
    fn a_room_on_the_same_floor_is_refused() {
        assert!(
            complaint("src/tcp/mod.rs", "fn f() { super::ip::send() }").contains("`tcp` (floor 2) uses `ip` (floor 2)")
        );
    }

    #[test]
    fn a_lower_floor_and_the_room_itself_are_allowed() {
        assert_none(&complaints(
            "src/tcp/timers.rs",
            "use super::State; use crate::packet::Packet; use crate::tcp::x;",
        ));
    }

    #[test]
    fn a_ban_holds_even_towards_a_lower_floor() {
        assert!(complaint("src/check/mod.rs", "use crate::stack::Stack;").contains("`check` never uses `stack`"));
    }

    #[test]
    fn a_path_to_no_room_is_refused() {
        assert!(complaint("src/check/mod.rs", "use crate::*;").contains("`*` is not a room"));
    }

    #[test]
    fn a_crate_is_refused_outside_its_place() {
        assert!(complaint("src/stack/mod.rs", "use smoltcp::wire;").contains("only stack::smoltcp may"));
        assert_none(&complaints("src/stack/smoltcp/device.rs", "use smoltcp::wire;"));
        assert_none(&complaints("src/stack/mod.rs", "pub mod smoltcp; use smoltcp::Adapter;"));
    }

    #[test]
    fn unsafe_and_printing_are_refused_outside_their_places() {
        assert!(complaint("src/stack/mod.rs", "fn f() { unsafe { g() } }").contains("`unsafe`"));
        assert!(complaint("src/stack/mod.rs", "fn f() { println!() }").contains("`print!`"));
        assert!(complaint("src/stack/mod.rs", "fn f() { io::stdout().flush() }").contains("`print!`"));
        assert_none(&complaints(
            "src/host/mod.rs",
            "#![allow(unsafe_code)] fn f() { unsafe { command.stdout(null()) } }",
        ));
        assert_none(&complaints("src/main.rs", "use wireglass::cli; fn main() { eprintln!() }"));
    }

    #[test]
    fn a_long_file_is_named_but_its_tests_are_not_counted() {
        let code = "const A: u8 = 0;\n".repeat(FILE_LINES);
        let tests = format!("#[cfg(test)]\nmod tests {{\n{code}}}\n");
        assert_none(&too_long(&File::new("src/a.rs", &format!("{code}{tests}"))));
        let wrong = too_long(&File::new("src/a.rs", &format!("{code}const B: u8 = 0;\n{tests}")));
        assert_eq!(
            wrong,
            [format!("src/a.rs: {} lines without tests, at most {FILE_LINES}: split it", FILE_LINES + 1)]
        );
    }

    #[test]
    fn a_long_function_is_named() {
        let body = |lines: usize| format!("fn long() {{\n{}}}\n", "a();\n".repeat(lines - 2));
        assert_none(&too_long(&File::new("src/a.rs", &body(FUNCTION_LINES))));
        let wrong = too_long(&File::new("src/a.rs", &body(FUNCTION_LINES + 1)));
        assert_eq!(wrong, [format!("src/a.rs:1: fn long has {} lines, at most {FUNCTION_LINES}", FUNCTION_LINES + 1)]);
    }
}
