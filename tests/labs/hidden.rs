//! Labs with hidden faults: each fault can be found in the captures, and nowhere else.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use serde_json::Value;
use wireglass::capture::Reader;
use wireglass::check::{Mention, Outcome};
use wireglass::lab::diagnosis::{chosen, shown, with_seed};
use wireglass::lab::{Catalogue, Definition, Fault, Layer, Mode, Options, Wanted};

use super::super::support::{Folder, printed, wireglass};
use super::root;

/// The lab that hides something.
fn capstone() -> Definition {
    Catalogue::built_in().find("99").expect("there is a capstone")
}

/// A seed for each of its faults.
fn seeds(lab: &Definition) -> Vec<(u64, &Fault)> {
    let first = (0..lab.faults.len() as u64).filter(|seed| *seed != lab.seed);
    first.map(|seed| (seed, chosen(lab, seed).expect("a fault"))).collect()
}

/// The packets that show a fault, as the library finds them in a run of its own.
fn evidence_of(lab: &Definition, seed: u64, fault: &Fault) -> Vec<Mention> {
    let with = with_seed(lab, Some(seed)).expect("the lab is right");
    let options = Options { wanted: Wanted::Only(Mode::Sim), seed: Some(seed), ..Options::default() };
    let finished = wireglass::lab::run(&with, &options).expect("a simulation needs nothing");
    let verdict = finished.verdicts.iter().find(|verdict| verdict.id == fault.turns_red);
    assert_eq!(verdict.map(|verdict| verdict.outcome), Some(Outcome::Fail), "{}: {}", fault.name, fault.turns_red);
    shown(fault, &finished.evidence(&with))
}

#[test]
fn twelve_seeds_in_a_row_hide_twelve_faults_and_its_own_none() {
    let lab = capstone();
    assert_eq!(lab.faults.len(), 12);
    for block in [0, 1, 5, 1_000_000] {
        let names: BTreeSet<&str> = (block * 12..block * 12 + 12)
            .filter_map(|seed| chosen(&lab, seed))
            .map(|fault| fault.name.as_str())
            .collect();
        assert_eq!(names.len(), 12, "seeds from {}", block * 12);
    }
    assert!(chosen(&lab, lab.seed).is_none());
    let order = |block: u64| -> Vec<&str> {
        (block * 12..block * 12 + 12).filter_map(|seed| chosen(&lab, seed)).map(|fault| fault.name.as_str()).collect()
    };
    assert_ne!(order(0), order(1), "each dozen has an order of its own");
}

#[test]
fn each_fault_is_found_by_its_packets_and_by_nothing_else_that_is_printed_or_written() {
    let lab = capstone();
    for (seed, fault) in seeds(&lab) {
        let folder = Folder::new();
        let (out, number) = (folder.path().join("out"), seed.to_string());
        let mut run =
            wireglass(root(), &["run", "99", "--mode", "sim", "--color", "never", "--seed", &number, "--out"]);
        let output = run.arg(&out).output().expect("the binary starts");
        assert_eq!(output.status.code(), Some(0), "{}: {}", fault.name, printed(&output).1);
        tells_nothing(&lab, &printed(&output).0, &fault.name);
        let mut json = wireglass(root(), &["run", "99", "--mode", "sim", "--json", "--seed", &number, "--out"]);
        let output = json.arg(&out).output().expect("the binary starts");
        tells_nothing(&lab, &printed(&output).0, &fault.name);
        let layers = fs::read_to_string(out.join("layers.txt")).expect("it was written");
        tells_nothing(&lab, &layers, &fault.name);
        assert!(!out.join("journal.jsonl").exists(), "{}: the journal would tell", fault.name);
        let commented = comments(&out);
        assert_eq!(commented, [""; 0], "{}", fault.name);
        marked(&lab, fault, (&number, &out), &evidence_of(&lab, seed, fault));
    }
}

/// No name of a fault, of what it turns red, and no word of its reasons.
fn tells_nothing(lab: &Definition, text: &str, hidden: &str) {
    let telling = lab.faults.iter().flat_map(|fault| {
        let rules = ["lose-replies", "turns_red", "dropped by", "corrupted by"];
        let first = fault.explains.split(['.', ';']).next().unwrap_or_default();
        [fault.name.as_str(), fault.turns_red.as_str(), first].into_iter().chain(rules)
    });
    for word in telling {
        assert!(!text.contains(word), "{hidden}: it says `{word}`:\n{text}");
    }
}

/// Every comment on a packet in a folder's captures.
fn comments(folder: &Path) -> Vec<String> {
    let mut found = Vec::new();
    for file in super::goldens::captures(folder) {
        let reader = Reader::open(&folder.join(&file)).expect("a capture");
        for record in reader {
            found.extend(record.expect("a packet").comments.iter().map(|comment| format!("{file}: {comment}")));
        }
    }
    found
}

/// What `wireglass diagnose` makes of a diagnosis: its marks, and the exit code.
fn diagnose(seed: &str, out: &Path, said: &[&str]) -> (Value, Option<i32>) {
    let mut command = wireglass(root(), &["diagnose", "99", "--json", "--seed", seed, "--captures"]);
    let output = command.arg(out).args(said).output().expect("the binary starts");
    let (text, complaint) = printed(&output);
    let document = serde_json::from_str(&text).unwrap_or_else(|error| panic!("{said:?}: {error}: {text}{complaint}"));
    (document, output.status.code())
}

/// The true answer is right, with each packet that shows the fault at each hop; another layer, hop or packet is not.
fn marked(lab: &Definition, fault: &Fault, (seed, out): (&str, &Path), evidence: &[Mention]) {
    let name = |mention: &Mention| format!("{}:{}", lab.nodes[usize::from(mention.node.0)].name, mention.number);
    assert!(!evidence.is_empty(), "{}", fault.name);
    let (layer, hop, packet) = (fault.layer.name(), fault.hops[0].as_str(), name(&evidence[0]));
    let right = ["--layer", layer, "--hop", hop, "--packet", &packet];
    let (document, code) = diagnose(seed, out, &right);
    assert_eq!((document["right"].as_bool(), code), (Some(true), Some(0)), "{}: {document}", fault.name);
    assert_eq!(document["answer"].as_str(), Some(fault.name.as_str()));
    // The last one as well as the first.
    if let Some(mention) = evidence.last() {
        let (document, _) = diagnose(seed, out, &["--packet", &name(mention)]);
        assert_eq!(document["marks"]["packet"], "right", "{}: {}", fault.name, name(mention));
    }
    for hop in &fault.hops {
        assert_eq!(diagnose(seed, out, &["--hop", hop]).0["marks"]["hop"], "right", "{}", fault.name);
    }
    // Each part on its own is wrong for something else.
    let mut wrong_layers =
        Layer::ALL.into_iter().filter(|layer| *layer != fault.layer && !fault.shows_in.contains(layer));
    if let Some(layer) = wrong_layers.next_back() {
        let said = ["--layer", layer.name(), "--hop", hop, "--packet", &packet];
        let (document, code) = diagnose(seed, out, &said);
        assert_eq!((&document["marks"]["layer"], code), (&Value::from("wrong"), Some(1)), "{}: {layer}", fault.name);
        assert!(document["answer"].is_null(), "{}: {document}", fault.name);
    }
    let far = if fault.hops.iter().any(|hop| hop.starts_with("resolver")) { "web-1" } else { "neighbour" };
    let (document, code) = diagnose(seed, out, &["--layer", layer, "--hop", far, "--packet", &packet]);
    assert_eq!((&document["marks"]["hop"], code), (&Value::from("wrong"), Some(1)), "{}", fault.name);
    // The first segment that the database gets shows nothing of any of them.
    let other = "db:1";
    let (document, code) = diagnose(seed, out, &["--layer", layer, "--hop", hop, "--packet", other]);
    let mark = document["marks"]["packet"].as_str().unwrap_or_default().to_owned();
    assert!(mark != "right" && code == Some(1), "{}: {other} is {mark}", fault.name);
    let (document, code) = diagnose(seed, out, &["--reveal"]);
    assert_eq!((document["answer"].as_str(), code), (Some(fault.name.as_str()), Some(0)));
}

#[test]
fn what_cannot_be_a_diagnosis_is_answered_with_what_can() {
    let folder = Folder::new();
    let out = folder.path().join("out");
    let run = wireglass(root(), &["run", "99", "--mode", "sim", "--json", "--seed", "3", "--out"]).arg(&out).output();
    assert!(run.expect("the binary starts").status.success());
    let table: [(&str, &[&str], i32, &str); 9] = [
        ("3", &["--layer", "tpc"], 2, "`tpc` is no layer; the layers are link, ip, tcp, dns, tls, http, database"),
        (
            "3",
            &["--packet", "client:0"],
            2,
            "`client:0` is no packet; write its number, or a node and its number there",
        ),
        ("3", &["--packet", ":3"], 2, "`:3` is no packet"),
        ("3", &["--hop", "moon"], 1, "`moon` is no hop of this lab; its nodes are client, neighbour,"),
        ("3", &["--packet", "moon:1"], 1, "there is no packet moon:1; the nodes are client,"),
        ("3", &["--packet", "99999"], 1, "there is no packet 99999; client has "),
        ("3", &[], 2, "say something of it: --layer, --hop or --packet; or ask for the answer with --reveal"),
        ("99", &["--layer", "tcp"], 1, "with seed 99, its own, all is well in lab 99-capstone-whole-path"),
        ("8", &["--layer", "tcp"], 1, "nothing of it is in these captures: are they of this lab, and of seed 8?"),
    ];
    for (seed, said, code, told) in table {
        let mut command = wireglass(root(), &["diagnose", "99", "--seed", seed, "--captures"]);
        let output = command.arg(&out).args(said).output().expect("the binary starts");
        let complaint = printed(&output).1.replace('\n', " ");
        assert!(complaint.contains(told), "{said:?}: {complaint}");
        assert_eq!(output.status.code(), Some(code), "{said:?}: {complaint}");
    }
    let nowhere = wireglass(folder.path(), &["diagnose", "99", "--seed", "3", "--layer", "tcp"]).output();
    let complaint = printed(&nowhere.expect("the binary starts")).1.replace('\n', " ");
    assert!(complaint.contains("out/99-capstone-whole-path has no capture of this lab"), "{complaint}");
    let other = wireglass(folder.path(), &["diagnose", "10", "--seed", "3", "--layer", "tcp"]).output();
    let complaint = printed(&other.expect("the binary starts")).1;
    assert!(complaint.contains("lab 10-three-way-handshake hides nothing"), "{complaint}");
}

#[test]
fn papers_of_an_exam_say_nothing_and_its_answers_mark_them() {
    let lab = capstone();
    let folder = Folder::new();
    let made = wireglass(folder.path(), &["exam", "99", "--seeds", "40,2-3"]).output().expect("the binary starts");
    assert!(made.status.success(), "{}", printed(&made).1);
    let exam = folder.path().join("exam");
    let answers = fs::read_to_string(exam.join("answers.txt")).expect("a sheet of answers");
    for (number, seed) in [(1, 40), (2, 2), (3, 3)] {
        let fault = chosen(&lab, seed).expect("a fault");
        let paper = exam.join(format!("paper-{number}"));
        let text = fs::read_to_string(paper.join("paper.txt")).expect("a paper");
        tells_nothing(&lab, &text, &fault.name);
        assert!(text.contains("Where the time went") && text.contains("as it should be"), "{text}");
        for file in ["journal.jsonl", "layers.txt"] {
            assert!(!paper.join(file).exists(), "{file}");
        }
        for file in super::goldens::captures(&paper) {
            let octets = fs::read(paper.join(&file)).expect("a capture");
            let said = |word: &str| octets.windows(word.len()).any(|window| window == word.as_bytes());
            assert!(!said("seed") && said(&format!("paper {number}")), "{file}");
        }
        assert!(answers.contains(&format!("paper-{number} (seed {seed}): {}", fault.name)), "{answers}");
        let evidence = evidence_of(&lab, seed, fault);
        marked(&lab, fault, (&seed.to_string(), &paper), &evidence);
    }
    for (seeds, told) in
        [("x", "write numbers and ranges"), ("5-3", "write numbers and ranges"), ("1-5000", "1000 papers")]
    {
        let refused = wireglass(folder.path(), &["exam", "99", "--seeds", seeds]).output().expect("the binary starts");
        assert_eq!(refused.status.code(), Some(2), "{seeds}");
        assert!(printed(&refused).1.contains(told), "{}", printed(&refused).1);
    }
    let healthy = wireglass(folder.path(), &["exam", "99", "--seeds", "99"]).output().expect("the binary starts");
    assert!(printed(&healthy).1.contains("with seed 99 lab 99-capstone-whole-path hides nothing"));
}
