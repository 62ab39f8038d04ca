//! The golden captures: every lab, simulated with its own seed, gives the bytes that lie in `captures/`.
//!
//! Beside each capture lies a dump of it, so that `git diff` tells what a change did to the wire. `scripts/goldens` makes
//! them again. There is no golden journal: what a packet was sent for is a comment of the packet, and the rest of the
//! journal may grow without a change on the wire.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::{env, fs};

use wireglass::capture::{ForeignRecord, Reader};

use super::super::support::wireshark::{complaints, judge};
use super::super::support::{dump, has};
use super::{Ran, folders, id_of, labs, root};

/// Set by `scripts/goldens`: write what is made instead of comparing it.
const WRITE: &str = "WIREGLASS_WRITE_GOLDENS";

/// The repository stays small.
const MOST_OCTETS: u64 = 14_000_000;

fn golden(lab: &str) -> PathBuf {
    root().join("captures").join(lab)
}

/// The captures in a folder, by name; stories, which tell the same packets once more, are none of them.
pub(super) fn captures(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let mut names: Vec<String> = entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
    names.retain(|name| name.ends_with(".pcapng") && !name.ends_with(".story.pcapng"));
    names.sort();
    names
}

pub(super) fn all_goldens() -> Vec<PathBuf> {
    let all: Vec<PathBuf> = folders(&root().join("captures"))
        .iter()
        .flat_map(|folder| captures(folder).into_iter().map(|name| folder.join(name)))
        .collect();
    assert!(all.len() >= 2 * labs().len(), "every lab has two nodes or more: {all:?}");
    all
}

#[test]
fn every_lab_in_simulation_gives_its_golden_captures_byte_for_byte() {
    let mut differences = Vec::new();
    for lab in labs().iter().map(|folder| folder.strip_prefix(root()).expect("it is in the repository")) {
        let made = Ran::of(&format!("./{}", lab.display()), &["--mode", "sim"]);
        assert_eq!(made.code, Some(0), "{}: {:#}", lab.display(), made.report);
        let golden = golden(&id_of(lab));
        if env::var_os(WRITE).is_some() {
            write(&made, &golden);
        }
        differences.extend(compare(made.folder.path(), &golden));
    }
    let again = "if the change is meant, make them again with scripts/goldens and read `git diff captures/`";
    assert!(differences.is_empty(), "{}\n{again}", differences.join("\n"));
}

/// Puts a run's captures and their dumps in the place of `golden`.
fn write(made: &Ran, golden: &Path) {
    if golden.exists() {
        fs::remove_dir_all(golden).expect("the repository is ours");
    }
    fs::create_dir_all(golden).expect("the repository is ours");
    for name in captures(made.folder.path()) {
        fs::copy(made.file(&name), golden.join(&name)).expect("there is room");
        let text = dump::text(&made.file(&name));
        fs::write(golden.join(&name).with_extension("txt"), text).expect("there is room");
    }
}

/// What is not as in `golden`, a sentence for each file.
fn compare(made: &Path, golden: &Path) -> Vec<String> {
    let (new, old) = (captures(made), captures(golden));
    let mut differences = Vec::new();
    if new != old {
        differences.push(format!("{}: the run writes {new:?}, but there are {old:?}", golden.display()));
    }
    for name in old.iter().filter(|name| new.contains(name)) {
        let (new, old) = (made.join(name), golden.join(name));
        if fs::read(&new).expect("it was listed") != fs::read(&old).expect("it was listed") {
            differences.push(format!("{}: {}", old.display(), first_difference(&new, &old)));
        }
        let text = old.with_extension("txt");
        if fs::read_to_string(&text).ok().is_none_or(|text| text != dump::text(&old)) {
            differences.push(format!("{}: is not the dump of the capture beside it", text.display()));
        }
    }
    differences
}

/// The first packet that is not the same in both files.
fn first_difference(new: &Path, old: &Path) -> String {
    let packets = |file: &Path| -> Vec<ForeignRecord> {
        Reader::open(file).into_iter().flatten().map_while(Result::ok).collect()
    };
    let (new, old) = (packets(new), packets(old));
    let shown = |packet: Option<&ForeignRecord>| packet.map_or_else(|| "no more packets\n".to_owned(), dump::line);
    let differs = (0..new.len().max(old.len())).find(|index| new.get(*index) != old.get(*index));
    match differs {
        Some(index) => format!(
            "packet {} is the first that differs\n  was {}  now {}",
            index + 1,
            shown(old.get(index)),
            shown(new.get(index))
        ),
        None => "all packets are the same, but not what the file says of itself".to_owned(),
    }
}

#[test]
fn a_difference_is_told_by_its_file_and_its_first_packet() {
    let lab = id_of(&labs()[0]);
    let made = Ran::of(&lab, &["--mode", "sim", "--seed", "4711"]);
    let told = compare(made.folder.path(), &golden(&lab)).join("\n");
    assert!(told.contains(&format!("{lab}/client.pcapng: packet 1 is the first that differs")), "{told}");
    assert!(
        told.contains("\n  was   1  0.000000000  > #1") && told.contains("\n  now   1  0.000000000  > #1"),
        "{told}"
    );
}

#[test]
fn there_is_a_golden_for_every_lab_and_a_lab_for_every_golden() {
    let of = |folders: Vec<PathBuf>| -> BTreeSet<String> { folders.iter().map(|folder| id_of(folder)).collect() };
    assert_eq!(of(folders(&root().join("captures"))), of(labs()));
    let sizes = all_goldens()
        .into_iter()
        .flat_map(|file| [file.with_extension("txt"), file])
        .map(|file| fs::metadata(&file).unwrap_or_else(|error| panic!("{}: {error}", file.display())).len());
    let octets: u64 = sizes.sum();
    assert!(octets < MOST_OCTETS, "{octets} octets of goldens");
}

#[test]
fn wireshark_reads_every_golden_without_a_complaint() {
    if !has("wireshark_reads_every_golden_without_a_complaint", "tshark") {
        return;
    }
    let mut all = 0;
    for file in all_goldens() {
        assert_eq!(complaints(&file), "", "{}", file.display());
        let packets = dump::text(&file).lines().filter(|line| line.contains("  < #") || line.contains("  > #")).count();
        let told = judge("capinfos", &["-M"], &file);
        let numbered = |line: &str| line.starts_with("Number of packets:") && line.ends_with(&format!(" {packets}"));
        assert!(told.lines().any(numbered), "{}: {packets}; {told}", file.display());
        // Of a node that nobody talks to nothing is told but that.
        assert!(packets == 0 || told.contains("nanoseconds"), "{}: {told}", file.display());
        all += packets;
    }
    assert!(all > 5_000, "{all} packets in all");
}
