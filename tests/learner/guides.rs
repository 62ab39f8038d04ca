//! Guides say what the run says, and every command in them works.

use std::path::Path;

use super::super::labs::labs;
use super::{argument, call, folder, widest};

/// The sections that every guide has, in this order.
const SECTIONS: [&str; 11] = [
    "## Question",
    "## The set-up",
    "## Predict",
    "## Run",
    "## Look",
    "## Why",
    "## Check",
    "## Break it",
    "## On Linux",
    "## If it does not work",
    "## Go further",
];

#[test]
fn every_number_and_every_command_of_every_guide_is_the_runs() {
    for lab in labs() {
        let folder = folder();
        let (code, out, err) = call(folder.path(), &["guide", argument(&lab), "--verify"]);
        assert_eq!(code, Some(0), "{}: {out}{err}\nscripts/goldens writes the numbers anew", lab.display());
    }
}

#[test]
fn every_lab_has_a_guide_with_all_its_sections_and_a_teachers_page() {
    for lab in labs() {
        let guide = std::fs::read_to_string(lab.join("README.md")).expect("a lab has a guide");
        let headings: Vec<&str> = guide.lines().filter(|line| line.starts_with("## ")).collect();
        assert_eq!(headings, SECTIONS, "{}", lab.display());
        let teacher = std::fs::read_to_string(lab.join("TEACHER.md")).expect("a lab has a teacher's page");
        for heading in ["## Answers", "## Misconceptions", "## Timing", "## Variants"] {
            assert!(teacher.contains(heading), "{}: {heading}", lab.display());
        }
        assert!(guide.contains("<!--= packet "), "{}: packet numbers come from the run", lab.display());
    }
}

/// Words of the longest guide: more is not read in twenty minutes beside a capture.
const LONGEST: usize = 900;

/// Words of prose: without fenced blocks, and without what the run fills in.
fn words(guide: &str) -> usize {
    let mut is_block = false;
    let prose = guide.lines().filter(|line| {
        let is_fence = line.starts_with("```");
        is_block ^= is_fence;
        !is_block && !is_fence
    });
    let count = |line: &str| {
        // What stands between a remark and the next is the run's.
        let mut pieces = line.split("<!--=");
        let mut text = pieces.next().unwrap_or_default().to_owned();
        let own = pieces.filter_map(|piece| piece.strip_prefix("-->"));
        own.for_each(|piece| text.push_str(piece));
        text.split_whitespace().filter(|word| word.contains(char::is_alphanumeric)).count()
    };
    prose.map(count).sum()
}

#[test]
fn no_guide_is_longer_than_its_reader_has_time() {
    assert_eq!(words("One <!--= packet a -->31<!--=--> two.\n```text\nmany more words\n```\n— three\n"), 3);
    for lab in labs() {
        let guide = std::fs::read_to_string(lab.join("README.md")).expect("a lab has a guide");
        let words = words(&guide);
        assert!((600..=LONGEST).contains(&words), "{}: {words} words", lab.display());
    }
}

#[test]
fn a_number_that_drifts_is_told_with_its_line_and_written_anew() {
    let folder = folder();
    assert_eq!(call(folder.path(), &["new", "mine"]).0, Some(0));
    let page = folder.path().join("mine/README.md");
    let was = std::fs::read_to_string(&page).expect("it was made");
    let wrong = was.replacen("<!--= packet lose-one -->8", "<!--= packet lose-one -->9", 1);
    assert_ne!(was, wrong, "{was}");
    std::fs::write(&page, &wrong).expect("it is ours");
    let (code, _, err) = call(folder.path(), &["guide", "./mine", "--verify"]);
    let line = was.lines().position(|line| line.contains("packet lose-one")).expect("it is there") + 1;
    assert_eq!(code, Some(1));
    assert!(err.contains(&format!("README.md: line {line}: it says")), "{err}");
    assert_eq!(call(folder.path(), &["guide", "./mine", "--renew"]).0, Some(0));
    assert_eq!(std::fs::read_to_string(&page).expect("it is there"), was);
}

#[test]
fn a_command_that_does_not_work_is_found() {
    let folder = folder();
    assert_eq!(call(folder.path(), &["new", "mine"]).0, Some(0));
    let page = folder.path().join("mine/README.md");
    let text = std::fs::read_to_string(&page).expect("it was made");
    std::fs::write(&page, format!("{text}\n```console\n$ wireglass run ./mine --brake nothing-lost\n```\n"))
        .expect("ours");
    let (code, _, err) = call(folder.path(), &["guide", "./mine", "--verify"]);
    assert_eq!(code, Some(1));
    assert!(err.contains("`wireglass run ./mine --brake nothing-lost`: ") && err.contains("--brake"), "{err}");
}

#[test]
fn a_guide_on_the_terminal_has_no_remarks_and_fits() {
    let folder = folder();
    for arguments in [&["guide", "20", "--width", "80"][..], &["guide", "10", "--teacher", "--width", "80"]] {
        let (code, out, _) = call(folder.path(), arguments);
        assert_eq!(code, Some(0));
        assert!(!out.contains("<!--") && !out.contains("```") && !out.contains("##"), "{out}");
        assert!(widest(&out) <= 80, "{out}");
    }
    let (_, out, _) = call(folder.path(), &["guide", "20", "--ascii"]);
    assert!(out.is_ascii(), "{}", out.lines().find(|line| !line.is_ascii()).unwrap_or_default());
    let (code, _, err) = call(folder.path(), &["guide", "97"]);
    assert!(code == Some(1) && err.contains("did you mean"), "{err}");
    let (code, _, err) = call(folder.path(), &["guide", "20", "--renew"]);
    assert!(code == Some(1) && err.contains("name its folder"), "{err}");
    assert!(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/labs.md").is_file());
}
