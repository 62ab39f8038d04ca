//! `docs/labs.md` is complete, and what it shows is right.

use std::fs;
use std::path::Path;

use toml::{Table, Value};
use wireglass::lab::Definition;

fn read(file: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(file)).expect("it is in the repository")
}

/// What the page shows as code: its fenced blocks and its code spans.
fn code(page: &str) -> String {
    let (mut blocks, mut prose, mut is_block) = (String::new(), String::new(), false);
    for line in page.lines() {
        if line.starts_with("```") {
            is_block = !is_block;
            continue;
        }
        let to = if is_block { &mut blocks } else { &mut prose };
        to.push_str(line);
        to.push('\n');
    }
    let spans: Vec<&str> = prose.split('`').skip(1).step_by(2).collect();
    blocks + &spans.join("\n")
}

/// Whether a piece of code has the word, whole.
fn names(code: &str, word: &str) -> bool {
    let is_part = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
    code.split(|c| !is_part(c)).any(|found| found == word || found.split('.').any(|part| part == word))
}

/// The fields of the raw definition, as the file has them.
fn fields() -> Vec<String> {
    let source =
        ["raw.rs", "raw_faults.rs", "raw_network.rs"].map(|file| read(&format!("src/lab/definition/{file}"))).concat();
    let mut renamed = None;
    let mut fields = Vec::new();
    for line in source.lines().map(str::trim) {
        if let Some((_, name)) = line.split_once("rename = \"") {
            renamed = name.split('"').next().map(str::to_owned);
        }
        let Some(field) = line.strip_prefix("pub(super) ").and_then(|rest| rest.split_once(": ")) else { continue };
        if !field.0.contains(' ') && !field.0.contains('(') {
            fields.push(renamed.take().unwrap_or_else(|| field.0.to_owned()));
        }
    }
    fields
}

/// The variants of an enum in a source file, in kebab case.
fn variants(file: &str, name: &str) -> Vec<String> {
    let source = read(file);
    let body = source.split(&format!("enum {name} {{\n")).nth(1).and_then(|rest| rest.split("\n}").next());
    let lines = body.unwrap_or_else(|| panic!("{file} has {name}")).lines();
    let named =
        lines.filter(|line| line.starts_with("    ") && line.trim().starts_with(|c: char| c.is_ascii_uppercase()));
    let kebab = |line: &str| {
        let word = line.trim().split(|c: char| !c.is_ascii_alphanumeric()).next().unwrap_or_default();
        let mut out = String::new();
        for c in word.chars() {
            if c.is_ascii_uppercase() && !out.is_empty() {
                out.push('-');
            }
            out.push(c.to_ascii_lowercase());
        }
        out
    };
    named.filter(|line| line.starts_with("    ") && !line.starts_with("     ")).map(kebab).collect()
}

#[test]
fn every_field_program_filter_and_event_is_in_the_reference() {
    let page = code(&read("docs/labs.md"));
    let fields = fields();
    assert!(fields.len() > 80, "{fields:?}");
    let mut wanted = fields;
    wanted.extend(wireglass::filter::field_names().map(str::to_owned));
    wanted.extend(wireglass::app::Program::NAMES.iter().map(|name| (*name).to_owned()));
    for (file, name, many) in [
        ("src/journal/event.rs", "Event", 15),
        ("src/journal/program.rs", "ProgramEvent", 10),
        ("src/journal/event.rs", "Impairment", 8),
        ("src/journal/drop.rs", "DropReason", 30),
        ("src/journal/passage.rs", "Passage", 5),
        ("src/journal/program.rs", "Way", 2),
        ("src/journal/program.rs", "CacheUse", 4),
        ("src/journal/program.rs", "OrderOutcome", 4),
        ("src/journal/tcp.rs", "CwndCause", 10),
        ("src/journal/tcp.rs", "PathMtuCause", 5),
        ("src/journal/tcp.rs", "LossRule", 5),
        ("src/journal/tcp.rs", "NoLoss", 3),
        ("src/lab/definition/raw_network.rs", "RawAction", 5),
        ("src/lab/definition/raw.rs", "RawMeasure", 3),
        ("src/lab/definition/raw.rs", "RawFalsifier", 3),
    ] {
        let found = variants(file, name);
        assert!(found.len() >= many, "{name}: {found:?}");
        wanted.extend(found);
    }
    wanted.extend(wireglass::check::INTEGRITY_IDS.map(str::to_owned));
    wanted.extend(wireglass::check::PACKET_MEMBERS.map(str::to_owned));
    let missing: Vec<&String> = wanted.iter().filter(|word| !names(&page, word)).collect();
    assert!(missing.is_empty(), "docs/labs.md says nothing of {missing:?}");
}

/// What the reference's examples are pieces of.
const SKELETON: &str = r#"
id = "100-example"
title = "Example"
summary = "A lab."
minutes = 1
seed = 1
node = { client = { live = "linux" }, server = { live = "stack" } }

[[link]]
between = ["client", "server"]

[[link.rule]]
id = "lose-one"
from = "client"
when = "tcp.len > 0"
nth = 5
do = "drop"

[[step]]
on = "server"
run = { sink = { port = 9000 } }

[select]
data = "tcp.len > 0 && ip.src == client"
resends = { of = "data", only = "repeats" }
resend = { of = "resends", nth = 1 }
sent = 'event.report == "stream-sent"'
received = 'event.report == "stream-received"'

[[expect]]
id = "anything"
that = "There is data"
count = "data"
at_least = 1

[[break]]
name = "small-mtu"
teaches = "Nothing"
turns_red = "anything"
set = { "link.client-server.mtu" = 1280 }
"#;

/// The skeleton with a piece in its place: tables of names are joined, lists of claims continued, all else replaced.
fn with(piece: &Table) -> Table {
    let mut lab: Table = SKELETON.parse().expect("the skeleton is TOML");
    if piece.contains_key("router") {
        // Another network: what speaks of the skeleton's link goes.
        lab.remove("break");
    }
    for (key, value) in piece {
        match (lab.get_mut(key), value) {
            (Some(Value::Array(known)), Value::Array(more))
                if matches!(key.as_str(), "expect" | "break" | "predict") =>
            {
                known.extend(more.clone());
            }
            (Some(Value::Table(known)), Value::Table(more)) if key == "select" => known.extend(more.clone()),
            _ => {
                lab.insert(key.clone(), value.clone());
            }
        }
    }
    lab
}

#[test]
fn every_example_of_the_reference_is_read() {
    let page = read("docs/labs.md");
    let examples: Vec<&str> = page.split("```toml\n").skip(1).filter_map(|part| part.split("```").next()).collect();
    assert!(examples.len() >= 12, "{}", examples.len());
    for example in examples {
        let piece: Table = example.parse().unwrap_or_else(|error| panic!("{error}\n{example}"));
        let lab = toml::to_string(&with(&piece)).expect("it can be written");
        Definition::parse("lab.toml", &lab).unwrap_or_else(|error| panic!("{error}\n{example}\n{lab}"));
    }
}

#[test]
fn an_example_with_a_mistake_would_be_found() {
    let piece: Table = "[[expect]]\nid = \"x\"\nthat = \"y\"\ncuont = \"data\"\n".parse().expect("it is TOML");
    let lab = toml::to_string(&with(&piece)).expect("it can be written");
    assert!(Definition::parse("lab.toml", &lab).is_err());
    let code = code("`tcp.flags.syn` is a field\n```toml\nid = 1\n```\n");
    assert!(
        !names(&code, "tcp.flags") && names(&code, "tcp.flags.syn") && names(&code, "id") && !names(&code, "field")
    );
}
