//! What a run says of the stack that it was made on.

use std::fs;

use super::super::support::{Folder, printed, wireglass};
use super::{Ran, root};

/// A lab whose client asks for BBR.
fn with_bbr() -> Folder {
    let folder = Folder::new();
    let from = root().join("labs/2-tcp-recovery/20-rto-backoff/lab.toml");
    let text = fs::read_to_string(from).expect("the lab is there");
    let bbr = text.replacen("congestion = \"none\"", "congestion = \"bbr\"", 1);
    assert_ne!(text, bbr, "lab 20 names a congestion control");
    fs::write(folder.path().join("lab.toml"), bbr).expect("the folder is ours");
    folder
}

/// What `--json` tells of the stack.
fn notes(lab: &str, stack: &str) -> (String, Vec<String>) {
    let ran = Ran::of(lab, &["--mode", "sim", "--stack", stack]);
    let notes = ran.report["notes"].as_array().expect("a list").iter();
    let notes = notes.map(|note| note.as_str().expect("a text").to_owned()).collect();
    (ran.report["stack"].as_str().expect("a text").to_owned(), notes)
}

#[test]
fn a_congestion_control_that_the_stack_lacks_is_told_with_what_takes_its_place() {
    let folder = with_bbr();
    let lab = folder.path().join("lab.toml");
    let lab = lab.to_str().expect("test folders have plain names");
    let told = "client asks for BBR, which smoltcp does not have: Reno takes its place";
    assert_eq!(notes(lab, "smoltcp"), ("smoltcp".to_owned(), vec![told.to_owned()]));
    assert_eq!(notes(lab, "native"), ("native".to_owned(), Vec::new()));
    let arguments = ["run", lab, "--mode", "sim", "--stack", "smoltcp"];
    let output = wireglass(folder.path(), &arguments).output().expect("the binary starts");
    let (out, error) = printed(&output);
    assert!(out.contains(&format!("note: {told}\n")), "{out}{error}");
    assert!(out.contains("checks passed"), "the run goes on: {out}{error}");
}

#[test]
fn a_stack_that_the_lab_is_not_about_is_told_in_json_as_in_text() {
    let folder = Folder::new();
    let from = root().join("labs/2-tcp-recovery/20-rto-backoff/lab.toml");
    let text = fs::read_to_string(from).expect("the lab is there").replacen("seed", "stacks = [\"native\"]\nseed", 1);
    fs::write(folder.path().join("lab.toml"), text).expect("the folder is ours");
    let lab = folder.path().join("lab.toml");
    let (stack, told) = notes(lab.to_str().expect("test folders have plain names"), "smoltcp");
    assert_eq!(
        (stack.as_str(), told),
        ("smoltcp", vec!["this lab is about native: on smoltcp its checks may fail".to_owned()])
    );
}
