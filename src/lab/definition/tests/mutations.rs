//! Labs of the repository with one thing altered at random: whatever comes of it, nothing panics, and what is wrong has a
//! place in the file.

use super::*;
use crate::rng::Rng;

/// Mutated files of each lab.
const EACH: u64 = 240;

/// A number below `end`.
fn below(rng: &mut Rng, end: usize) -> usize {
    usize::try_from(rng.below(end.max(1) as u64)).expect("it is below a usize")
}

/// What an editor, a slip of the hand or a bad disk makes of a file.
fn mutated(text: &str, rng: &mut Rng) -> String {
    let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
    let (one, other) = (below(rng, lines.len()), below(rng, lines.len()));
    match rng.below(9) {
        0 => drop(lines.remove(one)),
        1 => lines.insert(other, lines[one].clone()),
        2 => lines.swap(one, other),
        3 => swap_values(&mut lines, one, other),
        4 | 5 => return with_another_number(text, rng),
        6 => {
            // Cut off, as by a full disk.
            let ends: Vec<usize> = text.char_indices().map(|(at, _)| at).collect();
            return text[..ends[below(rng, ends.len())]].to_owned();
        }
        _ => return with_strange_characters(text, rng),
    }
    lines.join("\n")
}

fn swap_values(lines: &mut [String], one: usize, other: usize) {
    let values = [one, other].map(|line| lines[line].split_once('=').map(|(_, value)| value.to_owned()));
    for (line, value) in [(one, &values[1]), (other, &values[0])] {
        if let (Some((key, _)), Some(value)) = (lines[line].clone().split_once('='), value) {
            lines[line] = format!("{key}={value}");
        }
    }
}

fn with_another_number(text: &str, rng: &mut Rng) -> String {
    let digits: Vec<usize> = text.char_indices().filter(|(_, c)| c.is_ascii_digit()).map(|(at, _)| at).collect();
    let at = digits[below(rng, digits.len())];
    let numbers = ["0", "-1", "1.5", "65536", "4294967296", "18446744073709551616", "1e9", "nan", "007"];
    let mut out = text.to_owned();
    out.replace_range(at..=at, numbers[below(rng, numbers.len())]);
    out
}

fn with_strange_characters(text: &str, rng: &mut Rng) -> String {
    const STRANGE: &str = "\"'[]{}=.,#\\\0\t\ré\u{202e} ";
    let strange: Vec<char> = STRANGE.chars().collect();
    let mut chars: Vec<char> = text.chars().collect();
    for _ in 0..=rng.below(3) {
        let at = below(rng, chars.len());
        chars[at] = strange[below(rng, strange.len())];
    }
    chars.into_iter().collect()
}

#[test]
fn no_slip_in_a_lab_makes_reading_panic_and_each_error_has_its_place() {
    let labs = Path::new(env!("CARGO_MANIFEST_DIR")).join("labs");
    let catalogue = crate::lab::Catalogue::in_folder(&labs).expect("the labs are there");
    let (mut files, mut wrong) = (0, 0);
    for entry in catalogue.entries() {
        let mut rng = Rng::derive(EACH, &entry.id);
        for _ in 0..EACH {
            let text = mutated(&entry.text, &mut rng);
            files += 1;
            match Definition::parse("lab.toml", &text) {
                Ok(_) => {}
                Err(LabError::Wrong { place, message }) => {
                    wrong += 1;
                    let lines: Vec<&str> = text.split('\n').collect();
                    let line = place.line.checked_sub(1).and_then(|line| lines.get(line));
                    let is_inside = line.is_some_and(|line| (1..=line.chars().count() + 1).contains(&place.column));
                    assert!(is_inside && place.file == "lab.toml", "{place}: {message}\n{text}");
                    assert!(!message.is_empty() && !message.contains('\n'), "{place}: {message:?}");
                }
                Err(other) => panic!("an error without a place: {other}\n{text}"),
            }
        }
    }
    assert!(files >= 2_000 && wrong > files / 4, "{wrong} of {files} are wrong");
}
